/*
 * forget.c
 *		Erases what a policy's own tables keep of some messages.
 *
 * One statement, by one snapshot: which messages they are is asked of the
 * keys that are given, and, by values of signals, of the signals view, of the
 * key's own columns and of logged signals; then each table loses them, and
 * tells how many rows that was.  A dry run counts by the same query.
 */
#include "postgres.h"

#include "backfill_wait.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "latest.h"
#include "miscadmin.h"
#include "reused_key.h"
#include "signals_query.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

#define FORGET_KEYS_MAX	1000000

/* Values of signals whose messages go */
typedef struct Wanted
{
	int			n;
	Datum	   *columns;		/* texts */
	Datum	   *values;
} Wanted;

/* Each must be there: with one left out, more would go than was meant. */
static void
CheckNoNulls(const bool *nulls, int n)
{
	for (int i = 0; i < n; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("columns and values must not be null")));
}

static Wanted
ReadWanted(FunctionCallInfo fcinfo)
{
	Wanted		w = {0};
	bool	   *nulls[2];
	int			nvalues = 0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return w;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &w.columns, &nulls[0], &w.n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &w.values, &nulls[1], &nvalues);
	if (w.n != nvalues)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("columns and values differ in number")));
	CheckNoNulls(nulls[0], w.n);
	CheckNoNulls(nulls[1], w.n);
	return w;
}

/* Are they columns of the signals view? */
static void
CheckColumns(const Wanted *w, Source *s)
{
	for (int i = 0; i < w->n; i++)
	{
		char	   *column = TextDatumGetCString(w->columns[i]);

		if (get_attnum(s->id->signals, column) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("signals view %s has no column \"%s\"", s->id->signals_name, column)));
	}
}

/* alias."column" = value AND ... : by the types that the columns have in the relation */
static void
AddColumnsAre(BatchQuery *q, const Wanted *w, Oid relation, const char *alias)
{
	for (int i = 0; i < w->n; i++)
	{
		char	   *column = TextDatumGetCString(w->columns[i]);
		Oid			type = get_atttype(relation, get_attnum(relation, column));

		QueryAdd(q, "%s%s.%s %s ", i > 0 ? " AND " : "", alias, quote_identifier(column),
				 KeyOperator(type, type, BTEqualStrategyNumber));
		QueryValue(q, TEXTOID, w->values[i]);
		QueryAdd(q, "::%s", AskedType(type));
	}
}

/* Are all of them columns of the key? */
static bool
AllOfKey(const Wanted *w, Source *s)
{
	for (int i = 0; i < w->n; i++)
		if (!SourceHasKey(s, TextDatumGetCString(w->columns[i])))
			return false;
	return true;
}

/* NULL::type, to be compared as the column of the view does */
static void
AddViewType(BatchQuery *q, Source *s, const char *column)
{
	Oid			type;
	int32		typmod;
	Oid			collation;

	get_atttypetypmodcoll(s->id->signals, get_attnum(s->id->signals, column), &type, &typmod, &collation);
	/* A domain may have no null. */
	QueryAdd(q, "NULL::%s", CastName(getBaseType(type)));
	if (OidIsValid(collation))
		QueryAdd(q, " COLLATE %s", generate_collation_name(collation));
}

/* UNION messages that were logged with these values */
static void
AddLogged(BatchQuery *q, const Wanted *w, Source *s)
{
	QueryAdd(q, " UNION SELECT ");
	AddKeys(q, s, "d", "");
	QueryAdd(q, " FROM %s d WHERE d.signals IS NOT NULL", s->id->decision_name);
	for (int i = 0; i < w->n; i++)
	{
		QueryAdd(q, " AND assay_internal.signal_is(d.signals, ");
		QueryValue(q, TEXTOID, w->columns[i]);
		QueryAdd(q, ", ");
		QueryValue(q, TEXTOID, w->values[i]);
		QueryAdd(q, ", ");
		AddViewType(q, s, TextDatumGetCString(w->columns[i]));
		QueryAdd(q, ")");
	}
}

/* Keys by the view have the view's types: those of the decision table are meant. */
static void
AddViewKeys(BatchQuery *q, Source *s)
{
	ListCell   *lc;

	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type = DecisionColumnType(s->id, lfirst(lc));

		QueryAdd(q, "%s%s.%s::%s AS %s", i > 0 ? ", " : "", s->alias, s->keys[i], CastName(type), s->keys[i]);
	}
}

/* WITH k AS (the messages) */
static void
AddMessages(BatchQuery *q, const Wanted *w, Source *s, char **tables, int ntables, FunctionCallInfo fcinfo)
{
	QueryAdd(q, "WITH k AS MATERIALIZED (");
	if (!PG_ARGISNULL(3))
	{
		QueryAdd(q, "SELECT ");
		AddKeys(q, s, "g", "");
		QueryAdd(q, " FROM ");
		AddKeyList(q, s, PG_GETARG_DATUM(3), FORGET_KEYS_MAX);
		QueryAdd(q, " g");
	}
	if (w->n > 0)
	{
		QueryAdd(q, PG_ARGISNULL(3) ? "SELECT " : " UNION SELECT ");
		AddViewKeys(q, s);
		QueryAdd(q, " FROM %s %s WHERE ", s->id->signals_name, s->alias);
		AddColumnsAre(q, w, s->id->signals, s->alias);
		if (SourceHasLog(s))
			AddLogged(q, w, s);
		for (int i = 0; i < ntables && AllOfKey(w, s); i++)
		{
			QueryAdd(q, " UNION SELECT ");
			AddKeys(q, s, "o", "");
			QueryAdd(q, " FROM %s o WHERE ", tables[i]);
			AddColumnsAre(q, w, s->id->decision, "o");
		}
	}
	QueryAdd(q, ")");
}

/* , tN AS (...) : what one table has of them goes, or is counted */
static void
AddTable(BatchQuery *q, Source *s, const char *table, int n, bool dry_run)
{
	if (dry_run)
		QueryAdd(q, ", t%d AS (SELECT FROM %s t JOIN k ON ", n, table);
	else
		QueryAdd(q, ", t%d AS (DELETE FROM %s t USING k WHERE ", n, table);
	AddSameKey(q, s, "t", "k");
	QueryAdd(q, dry_run ? ")" : " RETURNING 1)");
}

/* , f AS (...) : faults, whose keys are texts */
static void
AddFaults(BatchQuery *q, Source *s, bool dry_run)
{
	QueryAdd(q, dry_run ? ", f AS (SELECT FROM assay.fault t, k WHERE t.policy = " : ", f AS (DELETE FROM assay.fault t USING k WHERE t.policy = ");
	QueryValue(q, TEXTOID, CStringGetTextDatum(s->policy));
	AddTextKey(q, s, "t", "k");
	QueryAdd(q, dry_run ? ")" : " RETURNING 1)");
}

/*
 * Keys of them that came again and could not be decided.  The tables of the
 * policy have what they were then: before anything goes.
 */
static Tuplestorestate *
FindReused(const Wanted *w, Source *s, char **tables, int ntables, FunctionCallInfo fcinfo)
{
	Tuplestorestate *found = tuplestore_begin_heap(false, false, work_mem);
	Security	security;
	BatchQuery	q;

	if (!HasReusedKeys(s))
		return found;
	EnterSource(&security, s);
	QueryStart(&q);
	AddMessages(&q, w, s, tables, ntables, fcinfo);
	QueryAdd(&q, " SELECT DISTINCT t.key, t.at FROM assay_internal.readable_reused_key t, k WHERE t.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	AddTextKey(&q, s, "t", "k");
	QueryRunInto(&q, found, NULL);
	LeaveSecurity(&security);
	return found;
}

/* They go, too, or are counted; another row of the receipt. */
static void
ForgetReused(Source *s, Tuplestorestate * found, ReturnSetInfo *result, bool dry_run)
{
	int64		n = tuplestore_tuple_count(found);
	Datum		values[3];
	bool		nulls[3] = {false};

	if (!dry_run && n > 0)
		n = DeleteReusedKeys(s, found);
	values[0] = CStringGetTextDatum("assay_internal.reused_key");
	values[1] = CStringGetTextDatum("keys that came again, and could not be decided");
	values[2] = Int64GetDatum(n);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	tuplestore_end(found);
}

/*
 * A batch of backfill() may be writing what is not to be seen yet, nor forgotten.
 * Who waits for it holds no lock on the tables that it may come to wait for.
 */
static void
WaitForBatch(const char *policy)
{
	PolicyIdentity *id = ConfigIdentify(policy);

	if (has_privs_of_role(GetUserId(), id->owner))
		LockBatch(id->decision);
}

/*
 * forget_messages(policy, columns, values, keys, dry_run): what each of the
 * policy's tables had of them
 */
PG_FUNCTION_INFO_V1(assay_forget_messages);
Datum
assay_forget_messages(PG_FUNCTION_ARGS)
{
	static const char *const suffixes[] = {"review", "change"};
	static const char *const told[] = {"messages drawn for review", "outbox"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		dry_run = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	Wanted		w;
	Source		s;
	BatchQuery	q;
	Security	security;
	Tuplestorestate *reused;
	char	   *tables[2 + lengthof(suffixes)];
	const char *whats[2 + lengthof(suffixes)];
	int			n = 0;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy must not be null")));
	w = ReadWanted(fcinfo);
	if (w.n == 0 && PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("columns or keys must be given")));
	if (!dry_run)
		WaitForBatch(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), DT_NOBEGIN, DT_NOEND, NULL, false);
	RefuseDistributed(&s, "forget()", "DELETE FROM and UPDATE do it on distributed tables of messages, decisions and labels, by the tenant's column and the key.");
	CheckColumns(&w, &s);
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	SourceMayRead(&s, s.id->label, s.id->label_name);
	whats[n] = "decisions, with their signals";
	tables[n++] = s.id->decision_name;
	whats[n] = "labels";
	tables[n++] = s.id->label_name;
	for (int i = 0; i < lengthof(suffixes); i++)
	{
		whats[n] = told[i];
		if ((tables[n] = TableBeside(&s, suffixes[i], NULL)) != NULL)
			n++;
	}
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	reused = FindReused(&w, &s, tables, n, fcinfo);
	EnterSource(&security, &s);
	QueryStart(&q);
	AddMessages(&q, &w, &s, tables, n, fcinfo);
	for (int i = 0; i < n; i++)
		AddTable(&q, &s, tables[i], i, dry_run);
	AddFaults(&q, &s, dry_run);
	QueryAdd(&q, " SELECT 'messages', 'found by key or signals', pg_catalog.count(*) FROM k");
	for (int i = 0; i < n; i++)
	{
		QueryAdd(&q, " UNION ALL SELECT ");
		QueryValue(&q, TEXTOID, CStringGetTextDatum(tables[i]));
		QueryAdd(&q, ", '%s', pg_catalog.count(*) FROM t%d", whats[i], i);
	}
	QueryAdd(&q, " UNION ALL SELECT 'assay.fault', 'faults', pg_catalog.count(*) FROM f");
	QueryRunInto(&q, result->setResult, result->setDesc);
	LeaveSecurity(&security);
	ForgetReused(&s, reused, result, dry_run);
	SPI_finish();
	return (Datum) 0;
}
