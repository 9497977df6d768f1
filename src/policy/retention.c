/*
 * retention.c
 *		How long decisions and their signals are kept.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "rights.h"
#include "utils/builtins.h"

/* store_retention(policy, decisions, signals) */
PG_FUNCTION_INFO_V1(assay_store_retention);
Datum
assay_store_retention(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, INTERVALOID, INTERVALOID};
	Datum		values[3];
	char		nulls[4] = "   ";

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy must not be null")));
	PolicyMustOwn(ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	for (int i = 0; i < lengthof(values); i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	WriteConfiguration("retention", "INSERT INTO assay_internal.retention (policy, decisions, signals) VALUES ($1, $2, $3) "
					   "ON CONFLICT (policy) DO UPDATE SET decisions = EXCLUDED.decisions, signals = EXCLUDED.signals",
					   lengthof(types), types, values, nulls);
	PG_RETURN_VOID();
}

/*
 * The decisions of before a time that are to change, as "k": by key and
 * revision, since the table may be partitioned.  One whose key has come again
 * since, whose transaction is waited for, is another's.
 */
static void
AddBatch(BatchQuery *q, Source *s, Datum before, int32 batch, bool with_signals)
{
	QueryAdd(q, "(SELECT ");
	AddKeys(q, s, "o", "");
	QueryAdd(q, ", o.revision FROM %s o WHERE o.decided_at < ", s->id->decision_name);
	QueryValue(q, TIMESTAMPTZOID, before);
	/* Of signals the newest go first: most older ones have lost theirs. */
	QueryAdd(q, "%s LIMIT ", with_signals ? " AND o.signals IS NOT NULL ORDER BY o.decided_at DESC" : " ORDER BY o.decided_at");
	QueryValue(q, INT4OID, Int32GetDatum(batch));
	QueryAdd(q, ") k WHERE ");
	AddSameKey(q, s, "d", "k");
	QueryAdd(q, " AND d.revision = k.revision AND d.decided_at < ");
	QueryValue(q, TIMESTAMPTZOID, before);
}

/* expire_decisions(policy, decisions, signals, batch) */
PG_FUNCTION_INFO_V1(assay_expire_decisions);
Datum
assay_expire_decisions(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	Security	security;
	uint64		n = 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3) || PG_GETARG_INT32(3) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("policy must not be null, and batch must be positive")));
	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PolicyMustOwn(s.id);
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	SPI_connect();
	EnterSource(&security, &s);
	if (!PG_ARGISNULL(1))
	{
		QueryStart(&q);
		QueryAdd(&q, "DELETE FROM %s d USING ", s.id->decision_name);
		AddBatch(&q, &s, PG_GETARG_DATUM(1), PG_GETARG_INT32(3), false);
		n += QueryRun(&q, SPI_OK_DELETE, NULL);
	}
	if (!PG_ARGISNULL(2) && SourceHasLog(&s))
	{
		QueryStart(&q);
		QueryAdd(&q, "UPDATE %s d SET signals = NULL FROM ", s.id->decision_name);
		AddBatch(&q, &s, PG_GETARG_DATUM(2), PG_GETARG_INT32(3), true);
		n += QueryRun(&q, SPI_OK_UPDATE, NULL);
	}
	LeaveSecurity(&security);
	SPI_finish();
	PG_RETURN_INT64(n);
}
