/*
 * labels.c
 *		Which label of a message counts, and questions about labels.
 *
 * A message may have many labels.  The one that counts is of the source that
 * stands first in the policy's label_order, and of these the latest; the
 * view <policy>_label_latest says the same in SQL (label_query() in labels.sql).
 *
 * All that is asked of the tables runs as the policy's owner, or with the
 * rights of a reader who may not act as that.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "rights.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* The policy's label_order, in the current memory context; or NULL for none */
Datum
LabelOrder(Source *s, bool *isnull)
{
	MemoryContext caller = CurrentMemoryContext;
	Security	security;
	BatchQuery	q;
	Datum		order = (Datum) 0;

	*isnull = true;
	EnterConfiguration(&security);
	SPI_connect();
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT label_order FROM assay_internal.label_rule WHERE label_order <> '{}' AND policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	if (QueryRun(&q, SPI_OK_SELECT, NULL) > 0)
	{
		MemoryContext spi = CurrentMemoryContext;

		order = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
		MemoryContextSwitchTo(caller);
		order = PointerGetDatum(DatumGetArrayTypePCopy(order));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	LeaveSecurity(&security);
	return order;
}

/* A column of the label table, which an older one may lack, as a text */
static void
AddLabelText(BatchQuery *q, Source *s, const char *column)
{
	if (get_attnum(s->id->label, column) != InvalidAttrNumber && !SourceHasKey(s, column))
		QueryAdd(q, "r.%s::pg_catalog.text AS %s", column, column);
	else
		QueryAdd(q, "NULL::pg_catalog.text AS %s", column);
}

/* What comes first of a message's labels "r" */
static void
AddLabelOrder(BatchQuery *q, Source *s)
{
	bool		unordered;
	Datum		order = LabelOrder(s, &unordered);

	if (!unordered)
	{
		QueryAdd(q, "coalesce(pg_catalog.array_position(");
		QueryValue(q, TEXTARRAYOID, order);
		QueryAdd(q, ", r.source::pg_catalog.text), 2147483647), ");
	}
	QueryAdd(q, "r.labelled_at DESC");
}

/*
 * (SELECT ...): of each message the label that counts, with its key,
 * malicious, labelled_at and category.  Columns are cast, since the table's
 * owner may have changed their types.
 */
void
AddLabels(BatchQuery *q, Source *s)
{
	QueryAdd(q, "(SELECT DISTINCT ON (");
	AddKeys(q, s, "r", "");
	QueryAdd(q, ") ");
	AddKeys(q, s, "r", "");
	QueryAdd(q, ", r.malicious::pg_catalog.bool AS malicious, r.labelled_at::pg_catalog.timestamptz AS labelled_at, ");
	AddLabelText(q, s, "category");
	QueryAdd(q, " FROM %s r ORDER BY ", s->id->label_name);
	AddKeys(q, s, "r", "");
	QueryAdd(q, ", ");
	AddLabelOrder(q, s);
	QueryAdd(q, ")");
}

/* LEFT JOIN (SELECT ...) l ON ...: that label of the message of alias."key" */
void
AddLabelJoin(BatchQuery *q, Source *s, const char *alias)
{
	QueryAdd(q, " LEFT JOIN ");
	AddLabels(q, s);
	QueryAdd(q, " l ON ");
	AddSameKey(q, s, "l", alias);
}

/* (SELECT ...): what the label says that counts for the message of alias."key" */
void
AddLabelOf(BatchQuery *q, Source *s, const char *alias)
{
	QueryAdd(q, "(SELECT r.malicious::pg_catalog.bool FROM %s r WHERE ", s->id->label_name);
	AddSameKey(q, s, "r", alias);
	QueryAdd(q, " ORDER BY ");
	AddLabelOrder(q, s);
	QueryAdd(q, " LIMIT 1)");
}

/* alias.decided_at in [since, until) */
static void
AddDecidedAt(BatchQuery *q, const char *alias, Datum since, Datum until)
{
	QueryAdd(q, "%s.decided_at >= ", alias);
	QueryValue(q, TIMESTAMPTZOID, since);
	QueryAdd(q, " AND %s.decided_at < ", alias);
	QueryValue(q, TIMESTAMPTZOID, until);
}

/* That a decision is of a time, and the latest of that time about its message */
void
AddLatestDecision(BatchQuery *q, Source *s, const char *alias, Datum since, Datum until)
{
	QueryAdd(q, "NOT EXISTS (SELECT FROM %s n WHERE ", s->id->decision_name);
	AddSameKey(q, s, "n", alias);
	QueryAdd(q, " AND n.revision > %s.revision AND ", alias);
	AddDecidedAt(q, "n", since, until);
	QueryAdd(q, ") AND ");
	AddDecidedAt(q, alias, since, until);
}

/* What a function returns that has no row to tell of */
Datum
NoRows(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, get_call_result_type(fcinfo, NULL, NULL) == TYPEFUNC_SCALAR ?
						MAT_SRF_USE_EXPECTED_DESC : 0);
	return (Datum) 0;
}

/* Add the rows of a query to the function's, which have begun; SPI is connected until then. */
void
AddRows(FunctionCallInfo fcinfo, Source *s, BatchQuery *q)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Security	security;

	EnterSource(&security, s);
	QueryRunInto(q, result->setResult, result->setDesc);
	LeaveSecurity(&security);
	SPI_finish();
}

/*
 * Run a query, whose rows are the function's; SPI is connected until then.  Its
 * result is the function's.
 */
Datum
RunStatement(FunctionCallInfo fcinfo, Source *s, BatchQuery *q)
{
	Datum		rows = NoRows(fcinfo);

	AddRows(fcinfo, s, q);
	return rows;
}

/* The same for a query about decisions and labels */
Datum
RunReport(FunctionCallInfo fcinfo, Source *s, BatchQuery *q)
{
	q->read_only = true;
	return RunStatement(fcinfo, s, q);
}

/* Begin a question about both tables: SPI is connected. */
void
StartReport(FunctionCallInfo fcinfo, Source *s, BatchQuery *q)
{
	InitSourceKeys(s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(s, s->id->decision, s->id->decision_name);
	SourceMayRead(s, s->id->label, s->id->label_name);
	SPI_connect();
	QueryStart(q);
}

/* label_delays(policy, since, until) */
PG_FUNCTION_INFO_V1(assay_label_delays);
Datum
assay_label_delays(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	CheckSpan(PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2));
	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT w.source, w.malicious, pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE w.delay < '0'), "
			 "pg_catalog.percentile_disc(0.5) WITHIN GROUP (ORDER BY w.delay), pg_catalog.percentile_disc(0.9) WITHIN GROUP (ORDER BY w.delay), "
			 "pg_catalog.percentile_disc(0.99) WITHIN GROUP (ORDER BY w.delay), pg_catalog.max(w.delay) "
			 "FROM (SELECT DISTINCT ON (");
	AddKeys(&q, &s, "l", "");
	QueryAdd(&q, ", l.source) l.source::pg_catalog.text AS source, l.malicious::pg_catalog.bool AS malicious, "
			 "l.labelled_at::pg_catalog.timestamptz - d.decided_at AS delay FROM %s l JOIN (SELECT ", s.id->label_name);
	AddKeys(&q, &s, "v", "");
	QueryAdd(&q, ", pg_catalog.min(v.decided_at::pg_catalog.timestamptz) AS decided_at FROM %s v GROUP BY ", s.id->decision_name);
	AddKeys(&q, &s, "v", "");
	QueryAdd(&q, ") d ON ");
	AddSameKey(&q, &s, "l", "d");
	QueryAdd(&q, " WHERE d.decided_at >= ");
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	QueryAdd(&q, " AND d.decided_at < ");
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(2));
	QueryAdd(&q, " AND pg_catalog.isfinite(l.labelled_at::pg_catalog.timestamptz) AND pg_catalog.isfinite(d.decided_at) ORDER BY ");
	AddKeys(&q, &s, "l", "");
	QueryAdd(&q, ", l.source, l.labelled_at) w GROUP BY 1, 2 ORDER BY 3 DESC, w.source COLLATE \"C\", 2");
	return RunReport(fcinfo, &s, &q);
}

/* label_check(policy) */
PG_FUNCTION_INFO_V1(assay_label_check);
Datum
assay_label_check(PG_FUNCTION_ARGS)
{
	static const char columns[] = ", l.malicious::pg_catalog.bool, l.source::pg_catalog.text, l.labelled_at::pg_catalog.timestamptz ";
	Source		s;
	BatchQuery	q;

	StartReport(fcinfo, &s, &q);
	QueryAdd(&q, "SELECT 'no decision'::pg_catalog.text, ");
	AddKeyArray(&q, &s, "l");
	QueryAdd(&q, "%sFROM %s l WHERE NOT EXISTS (SELECT FROM %s d WHERE ", columns, s.id->label_name, s.id->decision_name);
	AddSameKey(&q, &s, "d", "l");
	QueryAdd(&q, ") UNION ALL SELECT 'in the future', ");
	AddKeyArray(&q, &s, "l");
	QueryAdd(&q, "%sFROM %s l WHERE l.labelled_at > pg_catalog.now() UNION ALL SELECT 'sources disagree', ", columns, s.id->label_name);
	AddKeyArray(&q, &s, "l");
	QueryAdd(&q, "%sFROM (SELECT w.*, pg_catalog.bool_or(w.malicious) OVER same AND NOT pg_catalog.bool_and(w.malicious) OVER same AS \"(differ)\" "
			 "FROM (SELECT DISTINCT ON (", columns);
	AddKeys(&q, &s, "r", "");
	QueryAdd(&q, ", r.source) ");
	AddKeys(&q, &s, "r", "");
	QueryAdd(&q, ", r.malicious::pg_catalog.bool AS malicious, r.source, r.labelled_at FROM %s r ORDER BY ", s.id->label_name);
	AddKeys(&q, &s, "r", "");
	QueryAdd(&q, ", r.source, r.labelled_at DESC) w WINDOW same AS (PARTITION BY ");
	AddKeys(&q, &s, "w", "");
	QueryAdd(&q, ")) l WHERE l.\"(differ)\" ORDER BY 1, 2, 5, 4");
	return RunReport(fcinfo, &s, &q);
}

/* store_label_rule(policy, label_order, label_maturity) */
PG_FUNCTION_INFO_V1(assay_store_label_rule);
Datum
assay_store_label_rule(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TEXTARRAYOID, INTERVALOID};
	Datum		values[3];
	char		nulls[4] = "   ";
	PolicyIdentity *id;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy and label_order must not be null")));
	id = ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PolicyMustOwn(id);
	for (int i = 0; i < lengthof(values); i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	WriteConfiguration("label_rule", "INSERT INTO assay_internal.label_rule (policy, label_order, label_maturity) VALUES ($1, $2, $3) "
					   "ON CONFLICT (policy) DO UPDATE SET label_order = EXCLUDED.label_order, label_maturity = EXCLUDED.label_maturity",
					   lengthof(types), types, values, nulls);
	/* Other labels may count from now on: the rollup is made anew. */
	WriteConfiguration("rollup", "UPDATE assay_internal.rollup SET horizon = NULL WHERE policy = $1", 1, types, values, NULL);
	PG_RETURN_VOID();
}

/* ---- tables beside the labels -------------------------------------------- */

/* The owner of a table; InvalidOid where there is none by that number */
static Oid
TableOwner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

		if (class->relkind == RELKIND_RELATION || class->relkind == RELKIND_PARTITIONED_TABLE)
			owner = class->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * The qualified name of the table <policy>_<suffix>, which lies beside the
 * labels and is the owner's, or NULL where there is none; its number too where
 * that is asked for
 */
char	   *
TableBeside(Source *s, const char *suffix, Oid *number)
{
	char	   *name = psprintf("%s_%s", s->policy, suffix);
	Oid			schema = get_rel_namespace(s->id->label);
	Oid			table = get_relname_relid(name, schema);

	if (!OidIsValid(table) || TableOwner(table) != s->id->owner)
		return NULL;
	if (number)
		*number = table;
	return quote_qualified_identifier(get_namespace_name(schema), name);
}

/*
 * Begin a statement about such a table of the policy that is the first
 * argument: its name, or NULL where there is none.  SPI is connected.
 */
char	   *
StartBeside(FunctionCallInfo fcinfo, Source *s, BatchQuery *q, const char *suffix)
{
	char	   *table;
	Oid			number;

	InitSourceKeys(s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(s, s->id->label, s->id->label_name);
	table = TableBeside(s, suffix, &number);
	if (table == NULL)
		return NULL;
	SourceMayRead(s, number, table);
	SPI_connect();
	QueryStart(q);
	return table;
}
