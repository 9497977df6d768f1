/*
 * latest.c
 *		latest_labels(), latest_decisions(), latest_decision(), latest_signals(): a policy's own
 *		tables, for explain_decision() and reports.
 *
 * Who may act as the owner reads them as the owner, in a restricted operation:
 * what stands there may be anything, and a superuser must not run it for the
 * asking.  Anybody else reads them with rights of their own, row-level
 * security and all.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "latest.h"
#include "signals_query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * Run a query about one of the tables, whose rows are the function's result: it
 * casts each column, since the tables' owner may have changed their types.
 */
static Datum
ReadTable(FunctionCallInfo fcinfo, Source *s, Oid table, const char *table_name, BatchQuery *q)
{
	SourceMayRead(s, table, table_name);
	return RunReport(fcinfo, s, q);
}

/* Begin a query for the first row of each message, by its key: SPI is connected. */
static void
StartLatest(FunctionCallInfo fcinfo, Source *s, BatchQuery *q)
{
	InitSourceKeys(s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	QueryStart(q);
	QueryAdd(q, "SELECT DISTINCT ON (");
	AddKeys(q, s, "v", "");
	QueryAdd(q, ") ARRAY[");
	AddKeys(q, s, "v", "::pg_catalog.text");
	QueryAdd(q, "]");
}

PG_FUNCTION_INFO_V1(assay_latest_labels);
Datum
assay_latest_labels(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(&s, s.id->label, s.id->label_name);
	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "SELECT ");
	AddKeyArray(&q, &s, "l");
	QueryAdd(&q, ", l.malicious FROM ");
	AddLabels(&q, &s);
	QueryAdd(&q, " l");
	return RunReport(fcinfo, &s, &q);
}

PG_FUNCTION_INFO_V1(assay_latest_decisions);
Datum
assay_latest_decisions(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	CheckSpan(PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2));
	StartLatest(fcinfo, &s, &q);
	QueryAdd(&q, ", v.revision::pg_catalog.int4, v.verdict::pg_catalog.text, v.attribution::assay.attribution "
			 "FROM %s v WHERE v.decided_at >= ",
			 s.id->decision_name);
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	QueryAdd(&q, " AND v.decided_at < ");
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(2));
	QueryAdd(&q, " ORDER BY ");
	AddKeys(&q, &s, "v", "");
	QueryAdd(&q, ", v.revision DESC");
	return ReadTable(fcinfo, &s, s.id->decision, s.id->decision_name, &q);
}

static void
RefuseKey(Source *s, int n)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, s->id->key)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", (char *) lfirst(lc));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("policy \"%s\" identifies a message by %d values, not %d", s->policy, s->nkeys, n),
			 errhint("They are those of (%s), in that order.", names.data)));
}

/* alias."key" = ... AND ... : the decision is about the message of this key, an array of texts */
void
AddKeyIs(BatchQuery *q, Source *s, const char *alias, Datum key)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	ListCell   *lc;

	deconstruct_array(DatumGetArrayTypeP(key), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	if (n != s->nkeys)
		RefuseKey(s, n);
	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type = DecisionColumnType(s->id, lfirst(lc));

		QueryAdd(q, "%s%s.%s %s ", i > 0 ? " AND " : "", alias, s->keys[i],
				 KeyOperator(type, type, BTEqualStrategyNumber));
		if (nulls[i])
		{
			QueryAdd(q, "NULL");
			continue;
		}
		QueryValue(q, TEXTOID, items[i]);
		if (OidIsValid(type))
			QueryAdd(q, "::%s", AskedType(type));
	}
}

/* One of the key's columns of all of them, an array of keys as texts */
static Datum
KeyColumn(Source *s, Datum keys, int column, int max)
{
	ArrayType  *array = DatumGetArrayTypeP(keys);
	Datum	   *items;
	bool	   *nulls;
	Datum	   *some;
	bool	   *some_nulls;
	int			n;
	int			lower = 1;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	if (n == 0 || n % s->nkeys != 0 || (s->nkeys > 1 && (ARR_NDIM(array) != 2 || ARR_DIMS(array)[1] != s->nkeys)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys of policy \"%s\" are one or more arrays of %d values", s->policy, s->nkeys)));
	if (n / s->nkeys > max)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("no more than %d keys can be given", max)));
	n /= s->nkeys;
	some = palloc(n * sizeof(Datum));
	some_nulls = palloc(n * sizeof(bool));
	for (int i = 0; i < n; i++)
	{
		some[i] = items[i * s->nkeys + column];
		some_nulls[i] = nulls[i * s->nkeys + column];
	}
	return PointerGetDatum(construct_md_array(some, some_nulls, 1, &n, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}

/* (SELECT ...): keys that are given as texts, by the types of the decision table, each once */
void
AddKeyList(BatchQuery *q, Source *s, Datum keys, int max)
{
	ListCell   *lc;

	QueryAdd(q, "(SELECT DISTINCT ");
	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type = DecisionColumnType(s->id, lfirst(lc));

		QueryAdd(q, "%sx.%s::%s AS %s", i > 0 ? ", " : "", s->keys[i], AskedType(type), s->keys[i]);
	}
	QueryAdd(q, " FROM ROWS FROM (");
	for (int i = 0; i < s->nkeys; i++)
	{
		QueryAdd(q, i > 0 ? ", pg_catalog.unnest(" : "pg_catalog.unnest(");
		QueryValue(q, TEXTARRAYOID, KeyColumn(s, keys, i, max));
		QueryAdd(q, ")");
	}
	QueryAdd(q, ") x(");
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%s%s", i > 0 ? ", " : "", s->keys[i]);
	QueryAdd(q, "))");
}

/* Columns of the latest decision about a message, whose key is argument 1 as text */
static void
ReadLatest(FunctionCallInfo fcinfo, const char *columns)
{
	Source		s;
	BatchQuery	q;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "SELECT %s FROM %s v WHERE ", columns, s.id->decision_name);
	AddKeyIs(&q, &s, "v", PG_GETARG_DATUM(1));
	QueryAdd(&q, " ORDER BY v.revision DESC LIMIT 1");
	ReadTable(fcinfo, &s, s.id->decision, s.id->decision_name, &q);
}

PG_FUNCTION_INFO_V1(assay_latest_decision);
Datum
assay_latest_decision(PG_FUNCTION_ARGS)
{
	ReadLatest(fcinfo, "v.revision::pg_catalog.int4, v.decided_at::pg_catalog.timestamptz, v.verdict::pg_catalog.text, "
			   "v.score::pg_catalog.float4, v.attribution::assay.attribution");
	return (Datum) 0;
}

/* Where the decision table keeps signals; none otherwise */
PG_FUNCTION_INFO_V1(assay_latest_signals);
Datum
assay_latest_signals(PG_FUNCTION_ARGS)
{
	PolicyIdentity *id = ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	ReadLatest(fcinfo, DecisionColumnType(id, "signals") == TypeByName("logged_signals") ?
			   "v.revision::pg_catalog.int4, v.signals" :
			   "v.revision::pg_catalog.int4, NULL::assay.logged_signals");
	return (Datum) 0;
}
