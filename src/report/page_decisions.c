/*
 * page_decisions.c
 *		What report_html() shows of a policy's own tables: scores with their
 *		labels, verdicts by hour, the latest decisions with some verdicts.
 *
 * Like other reports they are read as the policy's owner by who may act as
 * that, and else with the rights of who asks.  A message counts once, by its
 * latest decision of the time.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "batch.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* page_scores(policy, since, until): one row */
PG_FUNCTION_INFO_V1(assay_page_scores);
Datum
assay_page_scores(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT assay.scored_agg(v.score::pg_catalog.float4::pg_catalog.float8, l.malicious), pg_catalog.count(*), "
			 "pg_catalog.count(l.malicious), pg_catalog.count(*) FILTER (WHERE l.malicious), "
			 "pg_catalog.min(v.decided_at::pg_catalog.timestamptz), pg_catalog.max(v.decided_at::pg_catalog.timestamptz) FROM %s v",
			 s.id->decision_name);
	AddLabelJoin(&q, &s, "v");
	QueryAdd(&q, " WHERE ");
	AddLatestDecision(&q, &s, "v", PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	return RunReport(fcinfo, &s, &q);
}

/* page_hours(policy, since, until): decisions of each hour by verdict */
PG_FUNCTION_INFO_V1(assay_page_hours);
Datum
assay_page_hours(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT pg_catalog.date_trunc('hour', v.decided_at::pg_catalog.timestamptz, 'UTC'), v.verdict::pg_catalog.text, "
			 "pg_catalog.count(*) FROM %s v WHERE ", s.id->decision_name);
	AddLatestDecision(&q, &s, "v", PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	QueryAdd(&q, " GROUP BY 1, 2");
	return RunReport(fcinfo, &s, &q);
}

/*
 * The relation whose columns are to be shown, as it is called: the signals
 * view, or another one of the policy's owner, since nobody's view is run as
 * somebody else.
 */
static const char *
ShownRelation(Source *s, Oid relation, Oid *found)
{
	const char *called;
	HeapTuple	tuple;
	Form_pg_class form;

	if (!OidIsValid(relation))
	{
		PolicyCheckOwners(s->id);
		*found = s->id->signals;
		return s->id->signals_name;
	}
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	form = (Form_pg_class) GETSTRUCT(tuple);
	called = quote_qualified_identifier(get_namespace_name(form->relnamespace), NameStr(form->relname));
	if (form->relowner != s->id->owner)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("relation %s does not belong to the owner of policy \"%s\"", called, s->policy)));
	ReleaseSysCache(tuple);
	SourceMayRead(s, relation, called);
	*found = relation;
	return called;
}

/* ARRAY[m."column"::text, ...] */
static void
AddShown(BatchQuery *q, Oid relation, const char *called, ArrayType *columns)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(columns, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	QueryAdd(q, "ARRAY[");
	for (int i = 0; i < n; i++)
	{
		const char *column = nulls[i] ? "" : TextDatumGetCString(items[i]);

		if (get_attnum(relation, column) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("%s has no column \"%s\"", called, column)));
		QueryAdd(q, "%sm.%s::pg_catalog.text", i > 0 ? ", " : "", quote_identifier(column));
	}
	QueryAdd(q, "]::pg_catalog.text[]");
}

/* The latest decisions with one of some verdicts, as "x" with the key's columns */
static void
AddLatestWith(BatchQuery *q, Source *s, FunctionCallInfo fcinfo)
{
	QueryAdd(q, "(SELECT ");
	AddKeys(q, s, "v", "");
	QueryAdd(q, ", v.revision::pg_catalog.int4 AS page_revision, v.decided_at::pg_catalog.timestamptz AS page_at, v.verdict::pg_catalog.text AS page_verdict, "
			 "v.score::pg_catalog.float4 AS page_score, v.attribution::assay.attribution AS page_ledger FROM %s v WHERE v.verdict::pg_catalog.text = ANY (",
			 s->id->decision_name);
	QueryValue(q, TEXTARRAYOID, PG_GETARG_DATUM(3));
	QueryAdd(q, ") AND ");
	AddLatestDecision(q, s, "v", PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	QueryAdd(q, " ORDER BY v.decided_at DESC, ");
	AddKeys(q, s, "v", " DESC");
	QueryAdd(q, " LIMIT ");
	QueryValue(q, INT4OID, PG_GETARG_DATUM(4));
	QueryAdd(q, ") x");
}

/*
 * page_latest(policy, since, until, verdicts, n, columns, messages): decisions,
 * the newest first, and columns of their messages
 */
PG_FUNCTION_INFO_V1(assay_page_latest);
Datum
assay_page_latest(PG_FUNCTION_ARGS)
{
	ArrayType  *columns = PG_GETARG_ARRAYTYPE_P(5);
	bool		shows = ArrayGetNItems(ARR_NDIM(columns), ARR_DIMS(columns)) > 0;
	const char *called = NULL;
	Oid			relation = InvalidOid;
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	if (shows)
		called = ShownRelation(&s, PG_GETARG_OID(6), &relation);
	QueryAdd(&q, "SELECT ");
	AddKeyArray(&q, &s, "x");
	QueryAdd(&q, ", x.page_revision, x.page_at, x.page_verdict, x.page_score, x.page_ledger, ");
	AddLabelOf(&q, &s, "x");
	if (shows)
	{
		QueryAdd(&q, ", ");
		AddShown(&q, relation, called, columns);
	}
	else
		QueryAdd(&q, ", '{}'::pg_catalog.text[]");
	QueryAdd(&q, " FROM ");
	AddLatestWith(&q, &s, fcinfo);
	if (shows)
	{
		QueryAdd(&q, " LEFT JOIN %s m ON ", called);
		AddSameKey(&q, &s, "m", "x");
	}
	QueryAdd(&q, " ORDER BY x.page_at DESC, ");
	AddKeys(&q, &s, "x", " DESC");
	return RunReport(fcinfo, &s, &q);
}
