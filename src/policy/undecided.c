/*
 * undecided.c
 *		undecided(policy): the messages that no revision has decided; and how
 *		many an older one has.
 *
 * Asked of the tables whose triggers decide by the policy, not of the signals
 * view, which may be what is broken.  As in latest.c they are read as the
 * owner where the caller may act as that, and else with the caller's rights.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compile.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_oper.h"
#include "reused_key.h"
#include "rights.h"
#include "signals_query.h"
#include "undecided.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Bytes of a key that an index surely refuses */
#define LONG_KEY	2704

/*
 * Tables with a trigger that decides by the policy; a stranger's would run its
 * code as the owner, and another session's temporary one can't be read.
 */
List	   *
DecidedTables(PolicyIdentity *id)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	List	   *tables = NIL;
	ListCell   *lc;
	Security	security;
	BatchQuery	q;

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT DISTINCT tgrelid FROM assay_internal.decide_triggers(");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(id->policy));
	QueryAdd(&q, ", ");
	QueryValue(&q, OIDOID, ObjectIdGetDatum(id->owner));
	QueryAdd(&q, ") WHERE may_decide ORDER BY 1");
	q.read_only = true;
	(void) QueryRun(&q, SPI_OK_SELECT, NULL);
	spi = MemoryContextSwitchTo(caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			table = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		if (!isOtherTempNamespace(get_rel_namespace(table)))
			tables = lappend_oid(tables, table);
	}
	MemoryContextSwitchTo(spi);
	LeaveSecurity(&security);
	foreach(lc, tables)
		PolicyCheckKeysOf(id, lfirst_oid(lc));
	return tables;
}

/*
 * The key column whose partitions are dropped when they are past their
 * retention, and what is past: messages of then have no decision any more.
 * NULL: decisions are kept, or go by another time.
 */
static char *
RetainedBy(PolicyIdentity *id, TimestampTz *since)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *at = NULL;
	bool		isnull;
	Security	security;
	BatchQuery	q;

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT t.at, now() - r.decisions FROM assay_internal.partitioning t JOIN assay_internal.retention r ON r.policy = t.policy "
			 "WHERE r.decisions IS NOT NULL AND t.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(id->policy));
	q.read_only = true;
	if (QueryRun(&q, SPI_OK_SELECT, NULL) > 0)
	{
		TupleDesc	desc = SPI_tuptable->tupdesc;

		at = MemoryContextStrdup(caller, TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], desc, 1, &isnull)));
		*since = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], desc, 2, &isnull));
	}
	LeaveSecurity(&security);
	return at;
}

/* FROM ... WHERE: the decisions "d" of a message of this table, whose key the view may cast */
static void
AddDecision(BatchQuery *q, Source *s, Oid table)
{
	ListCell   *lc;

	QueryAdd(q, " FROM %s d WHERE ", s->id->decision_name);
	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			decided = DecisionColumnType(s->id, lfirst(lc));
		Oid			type = get_atttype(table, get_attnum(table, lfirst(lc)));
		bool		comparable = type == decided ||
		OidIsValid(compatible_oper_opid(list_make1(makeString("=")), decided, type, true));

		QueryAdd(q, "%sd.%s %s m.%s%s%s", i > 0 ? " AND " : "", s->keys[i],
				 KeyOperator(decided, comparable ? type : decided, BTEqualStrategyNumber), s->keys[i],
				 comparable ? "" : psprintf("::%s", CastName(decided)), CollateAsDecided(s->id, lfirst(lc), table));
	}
}

/* Why a message has no decision, as far as its key tells */
static void
AddReason(BatchQuery *q, Source *s, Oid table)
{
	QueryAdd(q, "CASE WHEN ");
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%sm.%s " KEY_IS_NULL, i > 0 ? " OR " : "", s->keys[i]);
	QueryAdd(q, " THEN 'its key is null: it can have no decision' WHEN ");
	if (s->reused)
	{
		QueryAdd(q, "EXISTS (SELECT");
		AddDecision(q, s, table);
		QueryAdd(q, ") THEN 'not decided: what decided its key is about a message before it' WHEN ");
	}
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%scoalesce(pg_catalog.pg_column_size(m.%s), 0)", i > 0 ? " + " : "", s->keys[i]);
	QueryAdd(q, " > %d THEN 'its key is too long for an index: it can have no decision' ELSE 'not decided' END",
			 LONG_KEY);
}

/* The messages of one table of this name */
static void
AddTable(BatchQuery *q, Source *s, Oid table, const char *name)
{
	MustHaveKey(s->id, table);
	QueryAdd(q, "SELECT ");
	QueryValue(q, REGCLASSOID, ObjectIdGetDatum(table));
	QueryAdd(q, ", ARRAY[");
	AddKeys(q, s, "m", "::pg_catalog.text");
	QueryAdd(q, "], ");
	AddReason(q, s, table);
	QueryAdd(q, " FROM %s m WHERE NOT EXISTS (SELECT", name);
	AddDecision(q, s, table);
	AddCounts(q, s, true);
	QueryAdd(q, ")");
	if (s->at == NULL)
		return;
	QueryAdd(q, " AND (m.%s IS NULL OR m.%s >= ", s->at, s->at);
	QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(s->since));
	QueryAdd(q, ")");
}

/* Who may read the policy reads as the owner where it is one of its members. */
static void
InitReader(Source *s, const char *policy)
{
	InitSourceKeys(s, policy);
	if (!PolicyMay(s->id, "reader"))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s->policy),
				 errhint("assay.grant_access() gives rights; the view assay.access shows them.")));
	s->as_caller = !has_privs_of_role(GetUserId(), s->id->owner);
}

/*
 * Nothing here is looked up by its name alone: what is asked may be answered
 * where the policy's own search_path is what is broken.
 */
static void
EnterReader(Security *security, Source *s)
{
	if (s->as_caller)
		EnterCaller(security);
	else
	{
		PolicyCheckKeys(s->id);
		EnterOwner(security, s->id->owner, "pg_catalog, pg_temp");
	}
}

PG_FUNCTION_INFO_V1(assay_undecided);
Datum
assay_undecided(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Source		s;
	List	   *tables;
	ListCell   *lc;
	Security	security;

	InitReader(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	tables = DecidedTables(s.id);
	s.reused = HasReusedKeys(&s);
	s.at = RetainedBy(s.id, &s.since);
	if (s.at)
		s.at = quote_identifier(s.at);
	EnterReader(&security, &s);
	foreach(lc, tables)
	{
		BatchQuery	q;
		char	   *name = RelationName(lfirst_oid(lc));

		/* An older snapshot has triggers of tables that are gone. */
		if (name == NULL)
			continue;
		QueryStart(&q);
		q.read_only = true;
		AddTable(&q, &s, lfirst_oid(lc), name);
		QueryRunInto(&q, result->setResult, result->setDesc);
	}
	LeaveSecurity(&security);
	SPI_finish();
	return (Datum) 0;
}

/*
 * older_decisions(policy, since, revision): how many decisions after a time are
 * of revisions before this one.
 */
PG_FUNCTION_INFO_V1(assay_older_decisions);
Datum
assay_older_decisions(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	Security	security;
	bool		isnull;
	Datum		n;

	SPI_connect();
	InitReader(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	EnterReader(&security, &s);
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT pg_catalog.count(*) FROM %s d WHERE d.decided_at > ", s.id->decision_name);
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	QueryAdd(&q, " AND d.revision < ");
	QueryValue(&q, INT4OID, PG_GETARG_DATUM(2));
	(void) QueryRun(&q, SPI_OK_SELECT, NULL);
	n = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	LeaveSecurity(&security);
	SPI_finish();
	PG_RETURN_INT64(DatumGetInt64(n));
}
