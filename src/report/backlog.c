/*
 * backlog.c
 *		What waits, is overdue, or can't be right in a policy's own tables.
 *
 * Who may UPDATE these tables may write any time and any number there.  Reports
 * leave out what no program of ours writes; here such rows are counted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "plausible.h"
#include "utils/builtins.h"

/* Rows of an outbox that are counted */
#define CHANGES_MAX	1000000

/* outbox_backlog(policy): what each consumer has not taken out, and since when it waits */
PG_FUNCTION_INFO_V1(assay_outbox_backlog);
Datum
assay_outbox_backlog(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	char	   *table = StartBeside(fcinfo, &s, &q, "change");

	if (table == NULL)
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	QueryAdd(&q, "SELECT c.consumer::pg_catalog.text, pg_catalog.count(*), pg_catalog.min(c.at::pg_catalog.timestamptz) "
			 "FROM (SELECT o.consumer, o.at FROM %s o LIMIT %d) c GROUP BY 1 ORDER BY 1", table, CHANGES_MAX);
	RunReport(fcinfo, &s, &q);
	return (Datum) 0;
}

/* oldest_decision(policy): when the oldest decision was made, of those with a time that can be */
PG_FUNCTION_INFO_V1(assay_oldest_decision);
Datum
assay_oldest_decision(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT pg_catalog.min(v.decided_at::pg_catalog.timestamptz) FROM %s v WHERE " PLAUSIBLE_TIME("v.decided_at"),
			 s.id->decision_name);
	RunReport(fcinfo, &s, &q);
	return (Datum) 0;
}

/* odd_decisions(policy): how many decisions have a time that can't be */
PG_FUNCTION_INFO_V1(assay_odd_decisions);
Datum
assay_odd_decisions(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT pg_catalog.count(*) FROM %s v WHERE v.decided_at < " TIME_MIN " OR v.decided_at >= " TIME_MAX,
			 s.id->decision_name);
	RunReport(fcinfo, &s, &q);
	return (Datum) 0;
}

/* odd_reviews(policy): how many rows drawn for review have numbers that can't be */
PG_FUNCTION_INFO_V1(assay_odd_reviews);
Datum
assay_odd_reviews(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	char	   *table = StartBeside(fcinfo, &s, &q, "review");

	if (table == NULL)
	{
		InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
		return (Datum) 0;
	}
	QueryAdd(&q, "SELECT coalesce(pg_catalog.sum(w.n), 0)::pg_catalog.int8 FROM (SELECT pg_catalog.count(*) AS n FROM %s v GROUP BY v.round, v.since, v.until, v.strategy, v.detector, "
			 "v.stratum, v.verdict, v.level, v.hit HAVING (" PLAUSIBLE_STRATUM("v") ") IS NOT TRUE) w", table);
	RunReport(fcinfo, &s, &q);
	return (Datum) 0;
}
