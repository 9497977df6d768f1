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
		return NoRows(fcinfo);
	QueryAdd(&q, "SELECT c.consumer::pg_catalog.text, pg_catalog.count(*), pg_catalog.min(c.changed_at::pg_catalog.timestamptz) "
			 "FROM (SELECT o.consumer, o.changed_at FROM %s o LIMIT %d) c GROUP BY 1 ORDER BY 1", table, CHANGES_MAX);
	return RunReport(fcinfo, &s, &q);
}

/* SELECT what of decisions v WHERE condition: one row */
static Datum
AskDecisions(FunctionCallInfo fcinfo, const char *what, const char *condition)
{
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT %s FROM %s v WHERE %s", what, s.id->decision_name, condition);
	return RunReport(fcinfo, &s, &q);
}

/* oldest_decision(policy): when the oldest decision was made, of those with a time that can be */
PG_FUNCTION_INFO_V1(assay_oldest_decision);
Datum
assay_oldest_decision(PG_FUNCTION_ARGS)
{
	return AskDecisions(fcinfo, "pg_catalog.min(v.decided_at::pg_catalog.timestamptz)", PLAUSIBLE_TIME("v.decided_at"));
}

/* odd_decisions(policy): how many decisions have a time that can't be */
PG_FUNCTION_INFO_V1(assay_odd_decisions);
Datum
assay_odd_decisions(PG_FUNCTION_ARGS)
{
	return AskDecisions(fcinfo, "pg_catalog.count(*)", "v.decided_at < " TIME_MIN " OR v.decided_at >= " TIME_MAX);
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
		return NoRows(fcinfo);
	QueryAdd(&q, "SELECT coalesce(pg_catalog.sum(w.n), 0)::pg_catalog.int8 FROM (SELECT pg_catalog.count(*) AS n FROM %s v GROUP BY v.round, v.since, v.until, v.strategy, v.detector, "
			 "v.stratum, v.verdict, v.level, v.hit HAVING (" PLAUSIBLE_STRATUM("v") ") IS NOT TRUE) w", table);
	return RunReport(fcinfo, &s, &q);
}
