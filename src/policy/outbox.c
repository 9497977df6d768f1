/*
 * outbox.c
 *		Verdicts that changed, for those who act on them: reading from the table
 *		<policy>_change, which triggers of the decision table fill, and taking
 *		out of it what is done.
 *
 * A change is given once all transactions have ended that began writing before
 * it, and behind none that waits for that and has a lower number.  So changes come
 * in an order in which none comes later that belongs before: by number, since who
 * changes a verdict again waits for who did before, whichever of both began first.
 * A transaction's number that is not yet taken here came with a dump of another
 * cluster: that change is old.
 *
 * Nobody waits for a backfill by a former revision.  Changes of a backfill, by which
 * another may be made any time, have the number of the last transaction that began
 * before they were written, so that who took a key meanwhile has ended when they are
 * given, with what is shown by then.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "miscadmin.h"
#include "read_snapshot.h"
#include "refuse_null.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

typedef struct Outbox
{
	Source		source;
	BatchQuery	query;
	char	   *table;			/* its name, qualified and quoted */
} Outbox;

/* Begin a statement about the policy that is the first argument. SPI is connected. */
static void
StartOutbox(FunctionCallInfo fcinfo, Outbox *o)
{
	o->table = StartBeside(fcinfo, &o->source, &o->query, "change");
	if (o->table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("policy \"%s\" has no outbox", o->source.policy),
				 errhint("Its owner makes one by assay.create_outbox(%s).", quote_literal_cstr(o->source.policy))));
}

/* read_now(query, ...): its first value as text, by the snapshot by which messages are decided */
PG_FUNCTION_INFO_V1(assay_read_now);
Datum
assay_read_now(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum	   *values;
	Oid		   *types;
	bool	   *isnull;
	char	   *nulls;
	char	   *value = NULL;
	int			n;

	RefuseNull(fcinfo, 0, "query");
	n = extract_variadic_args(fcinfo, 1, true, &values, &types, &isnull);
	nulls = palloc(Max(n, 0) + 1);
	for (int i = 0; i < n; i++)
		nulls[i] = isnull[i] ? 'n' : ' ';
	SPI_connect();
	PushReadSnapshot();
	if (SPI_execute_with_args(text_to_cstring(PG_GETARG_TEXT_PP(0)), Max(n, 0), types, values, nulls, true, 1) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query must be a SELECT")));
	if (SPI_processed > 0)
		value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value)
		value = MemoryContextStrdup(caller, value);
	PopActiveSnapshot();
	SPI_finish();
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(value));
}

/* Of the last transaction that began writing, whether it has ended or not */
static Datum
LastXactId(void)
{
	FullTransactionId last = ReadNextFullTransactionId();

	FullTransactionIdRetreat(&last);
	return FullTransactionIdGetDatum(last);
}

PG_FUNCTION_INFO_V1(assay_last_xact_id);
Datum
assay_last_xact_id(PG_FUNCTION_ARGS)
{
	return LastXactId();
}

/* The first changes that a consumer has not taken out yet, as far as none comes before them any more */
static void
AddNext(Outbox *o, Datum consumer, Datum n)
{
	BatchQuery *q = &o->query;
	Datum		last = LastXactId();

	QueryAdd(q, "SELECT c.* FROM %s c, pg_catalog.pg_current_snapshot() s (now) WHERE c.consumer = ", o->table);
	QueryValue(q, TEXTOID, consumer);
	QueryAdd(q, " AND (c.xid < pg_catalog.pg_snapshot_xmin(s.now) OR c.xid > ");
	QueryValue(q, XID8OID, last);
	QueryAdd(q, ") AND c.xid IS DISTINCT FROM pg_catalog.pg_current_xact_id_if_assigned() "
			 "AND (c.change > (SELECT pg_catalog.min(w.change) FROM %s w WHERE w.consumer = ", o->table);
	QueryValue(q, TEXTOID, consumer);
	QueryAdd(q, " AND w.xid >= pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) AND w.xid <= ");
	QueryValue(q, XID8OID, last);
	QueryAdd(q, ")) IS NOT TRUE ORDER BY c.change LIMIT ");
	QueryValue(q, INT4OID, n);
}

/*
 * shown AS (...): of those in "c" behind which none of their key is, the decision of
 * a later revision that has another verdict.  Who made it and who wrote the change
 * had both not seen the other's decision: a backfill by a former revision, and a
 * message that took the key meanwhile.
 */
static void
AddShown(Outbox *o, Datum consumer)
{
	BatchQuery *q = &o->query;
	Source	   *s = &o->source;

	QueryAdd(q, "later AS MATERIALIZED (SELECT c.change, ");
	AddKeys(q, s, "c", "");
	QueryAdd(q, ", d.revision, d.verdict, d.score FROM c CROSS JOIN LATERAL "
			 "(SELECT d.revision, d.verdict, d.score FROM %s d WHERE ", s->id->decision_name);
	AddSameKey(q, s, "d", "c");
	QueryAdd(q, " AND d.revision > c.revision ORDER BY d.revision DESC LIMIT 1) d WHERE d.verdict <> c.verdict), "
			 "behind AS MATERIALIZED (SELECT DISTINCT d.change FROM later d JOIN %s w ON ", o->table);
	AddSameKey(q, s, "w", "d");
	QueryAdd(q, " AND w.change > d.change WHERE w.consumer = ");
	QueryValue(q, TEXTOID, consumer);
	QueryAdd(q, "), shown AS (SELECT d.* FROM later d WHERE d.change NOT IN (SELECT b.change FROM behind b)) ");
}

/* read_changes(policy, consumer, n): what a consumer has not taken out yet, the oldest first */
PG_FUNCTION_INFO_V1(assay_read_changes);
Datum
assay_read_changes(PG_FUNCTION_ARGS)
{
	Outbox		o;
	BatchQuery *q = &o.query;

	if (PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of changes must be positive")));
	StartOutbox(fcinfo, &o);
	SourceMayRead(&o.source, o.source.id->decision, o.source.id->decision_name);
	q->read_only = true;
	QueryAdd(q, "WITH c AS MATERIALIZED (");
	AddNext(&o, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	QueryAdd(q, "), ");
	AddShown(&o, PG_GETARG_DATUM(1));
	QueryAdd(q, "SELECT c.change::pg_catalog.int8, ");
	AddKeyArray(q, &o.source, "c");
	QueryAdd(q, ", coalesce(d.revision, c.revision)::pg_catalog.int4, c.old_verdict::pg_catalog.text, "
			 "coalesce(d.verdict, c.verdict)::pg_catalog.text, coalesce(d.score, c.score)::pg_catalog.float4, "
			 "c.changed_at::pg_catalog.timestamptz FROM c LEFT JOIN shown d ON d.change = c.change ORDER BY c.change");
	return RunStatement(fcinfo, &o.source, q);
}

/* take_changes(policy, consumer, changes): these are done; returns how many there were */
PG_FUNCTION_INFO_V1(assay_take_changes);
Datum
assay_take_changes(PG_FUNCTION_ARGS)
{
	Outbox		o;
	BatchQuery *q = &o.query;
	Security	security;
	uint64		n;

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, 1, "consumer");
	/* an aggregate of none */
	if (PG_ARGISNULL(2))
		PG_RETURN_INT64(0);
	StartOutbox(fcinfo, &o);
	QueryAdd(q, "DELETE FROM %s c WHERE c.consumer = ", o.table);
	QueryValue(q, TEXTOID, PG_GETARG_DATUM(1));
	QueryAdd(q, " AND c.change = ANY (");
	QueryValue(q, INT8ARRAYOID, PG_GETARG_DATUM(2));
	QueryAdd(q, ")");
	EnterSource(&security, &o.source);
	n = QueryRun(q, SPI_OK_DELETE, NULL);
	LeaveSecurity(&security);
	SPI_finish();
	PG_RETURN_INT64((int64) n);
}
