/*
 * rollup.c
 *		Counts of decisions by hour, kept beside them, so that a dashboard does
 *		not read the decisions.
 *
 * Who decides writes nothing here, and waits for nothing.  refresh_rollup()
 * looks for rows of the decision and the label table whose transactions may
 * have committed since the last time, and counts those hours anew that they
 * are of: a label's hour is that of its message's decisions.  What an hour has is then what precision_report() would count.
 *
 * New decisions are looked for from the start of the oldest transaction that
 * was at work then, since a decision's time is that of its transaction, and
 * somewhat before; all, where the clock was set back since; labels are all
 * looked at.  Rows that were deleted, or given another time, leave no
 * trace: refresh_rollup(policy, since) counts all hours from a time on.
 */
#include "postgres.h"

#include "access/transam.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "plausible.h"
#include "rights.h"
#include "utils/builtins.h"
#include "utils/xid8.h"

/*
 * is_newer(xmin, horizon): may this transaction have committed since the
 * horizon was the oldest at work?  Numbers of subtransactions are above those
 * of their transactions.  Of a very old one, whose number has come around, the
 * answer may be yes: then an hour is counted once more.
 */
PG_FUNCTION_INFO_V1(assay_is_newer);
Datum
assay_is_newer(PG_FUNCTION_ARGS)
{
	TransactionId xid = DatumGetTransactionId(PG_GETARG_DATUM(0));
	FullTransactionId horizon = DatumGetFullTransactionId(PG_GETARG_DATUM(1));
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (!TransactionIdIsNormal(xid))
		PG_RETURN_BOOL(false);
	/* another server's, from which the row was replicated */
	if (FullTransactionIdPrecedes(next, horizon))
		PG_RETURN_BOOL(true);
	if (xid > XidFromFullTransactionId(next))
	{
		if (epoch == 0)
			PG_RETURN_BOOL(false);
		epoch--;
	}
	PG_RETURN_BOOL(FullTransactionIdFollowsOrEquals(FullTransactionIdFromEpochAndXid(epoch, xid), horizon));
}

/* AND the row "alias" may have come since the horizon, if there is one */
static void
AddNewer(BatchQuery *q, const char *alias, FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
	{
		QueryAdd(q, " AND false");
		return;
	}
	QueryAdd(q, " AND assay_internal.is_newer(%s.xmin, ", alias);
	QueryValue(q, XID8OID, PG_GETARG_DATUM(arg));
	QueryAdd(q, ")");
}

/*
 * changed_hours(policy, since, horizon, oldest): of decisions from a time on,
 * and of decisions and labels that may have come since the horizon; no such
 * decision is from before "oldest".
 */
PG_FUNCTION_INFO_V1(assay_changed_hours);
Datum
assay_changed_hours(PG_FUNCTION_ARGS)
{
	static const char hour[] = "SELECT pg_catalog.date_trunc('hour', v.decided_at::pg_catalog.timestamptz, 'UTC') ";
	Source		s;
	BatchQuery	q;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy must not be null")));
	StartReport(fcinfo, &s, &q);
	if (!PG_ARGISNULL(1))
	{
		QueryAdd(&q, "%sFROM %s v WHERE v.decided_at >= pg_catalog.date_trunc('hour', ", hour, s.id->decision_name);
		QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
		QueryAdd(&q, ", 'UTC') AND " PLAUSIBLE_TIME("v.decided_at") " UNION ");
	}
	QueryAdd(&q, "%sFROM %s v WHERE " PLAUSIBLE_TIME("v.decided_at"), hour, s.id->decision_name);
	AddNewer(&q, "v", fcinfo, 2);
	if (!PG_ARGISNULL(3))
	{
		QueryAdd(&q, " AND v.decided_at >= ");
		QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(3));
	}
	QueryAdd(&q, " UNION %sFROM %s l JOIN %s v ON ", hour, s.id->label_name, s.id->decision_name);
	AddSameKey(&q, &s, "l", "v");
	QueryAdd(&q, " WHERE " PLAUSIBLE_TIME("v.decided_at"));
	AddNewer(&q, "l", fcinfo, 2);
	QueryAdd(&q, " ORDER BY 1");
	return RunReport(fcinfo, &s, &q);
}

/* The policy that somebody may keep a rollup of */
static PolicyIdentity *
RollupPolicy(FunctionCallInfo fcinfo)
{
	PolicyIdentity *id;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy must not be null")));
	id = ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PolicyMustOwn(id);
	return id;
}

/*
 * begin_rollup(policy): who refreshes waits here for another who does; then
 * what was known the last time, and what is to be known the next.
 */
PG_FUNCTION_INFO_V1(assay_begin_rollup);
Datum
assay_begin_rollup(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	PolicyIdentity *id = RollupPolicy(fcinfo);
	Security	security;
	BatchQuery	q;

	InitMaterializedSRF(fcinfo, 0);
	EnterConfiguration(&security);
	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "INSERT INTO assay_internal.rollup (policy) VALUES (");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(id->policy));
	QueryAdd(&q, ") ON CONFLICT (policy) DO UPDATE SET policy = excluded.policy");
	(void) QueryRun(&q, SPI_OK_INSERT, NULL);
	QueryStart(&q);
	QueryAdd(&q, "SELECT horizon, CASE WHEN refreshed_at <= clock_timestamp() THEN oldest END FROM assay_internal.rollup WHERE policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(id->policy));
	QueryRunInto(&q, result->setResult, result->setDesc);
	QueryStart(&q);
	QueryAdd(&q, "UPDATE assay_internal.rollup SET horizon = pg_snapshot_xmin(pg_current_snapshot()), refreshed_at = clock_timestamp(), "
			 "oldest = CASE WHEN NOT EXISTS (SELECT FROM pg_prepared_xacts) AND pg_has_role('pg_read_all_stats', 'USAGE') "
			 "THEN (SELECT min(a.xact_start) FROM pg_stat_activity a) - greatest(interval '10 minutes', clock_timestamp() - refreshed_at) END WHERE policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(id->policy));
	(void) QueryRun(&q, SPI_OK_UPDATE, NULL);
	SPI_finish();
	LeaveSecurity(&security);
	return (Datum) 0;
}

/* store_rollup(policy, hours, counts): these hours have these counts, and their days the sums */
PG_FUNCTION_INFO_V1(assay_store_rollup);
Datum
assay_store_rollup(PG_FUNCTION_ARGS)
{
	static const char *const statements[] = {
		"DELETE FROM assay_internal.decision_hour WHERE policy = $1 AND hour = ANY ($2)",
		"INSERT INTO assay_internal.decision_hour (policy, hour, kind, name, mode, claim, hits, malicious, safe, sole, sole_right, sole_wrong, overlap) "
		"SELECT $1, c.segment::timestamptz, c.kind, c.name, c.mode, c.claim, sum(c.hits), sum(c.malicious), sum(c.safe), sum(c.sole), sum(c.sole_right), "
		"sum(c.sole_wrong), sum(c.overlap) FROM unnest($3) c WHERE c.segment::timestamptz = ANY ($2) GROUP BY 2, 3, 4, 5, 6",
		"DELETE FROM assay_internal.decision_day WHERE policy = $1 AND day IN (SELECT date_trunc('day', h, 'UTC') FROM unnest($2) h)",
		"INSERT INTO assay_internal.decision_day (policy, day, kind, name, mode, claim, hits, malicious, safe, sole, sole_right, sole_wrong, overlap) "
		"SELECT $1, d.day, c.kind, c.name, c.mode, c.claim, sum(c.hits), sum(c.malicious), sum(c.safe), sum(c.sole), sum(c.sole_right), "
		"sum(c.sole_wrong), sum(c.overlap) FROM (SELECT date_trunc('day', h, 'UTC') AS day FROM unnest($2) h GROUP BY 1) d "
		"JOIN assay_internal.decision_hour c ON c.policy = $1 AND c.hour >= d.day AND c.hour < d.day + interval '1 day' "
		"WHERE cardinality($3) >= 0 GROUP BY 2, 3, 4, 5, 6",
	};
	PolicyIdentity *id = RollupPolicy(fcinfo);
	Oid			types[] = {TEXTOID, TIMESTAMPTZARRAYOID, get_fn_expr_argtype(fcinfo->flinfo, 2)};
	Datum		values[] = {CStringGetTextDatum(id->policy), 0, 0};
	Security	security;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("hours and counts must not be null")));
	values[1] = PG_GETARG_DATUM(1);
	values[2] = PG_GETARG_DATUM(2);
	EnterConfiguration(&security);
	SPI_connect();
	for (int i = 0; i < lengthof(statements); i++)
		if (SPI_execute_with_args(statements[i], i % 2 == 1 ? 3 : 2, types, values, NULL, false, 0) !=
			(i % 2 == 1 ? SPI_OK_INSERT : SPI_OK_DELETE))
			elog(ERROR, "could not write the rollup of policy \"%s\"", id->policy);
	SPI_finish();
	LeaveSecurity(&security);
	PG_RETURN_VOID();
}
