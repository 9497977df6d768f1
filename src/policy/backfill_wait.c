/*
 * backfill_wait.c
 *		Who waits for whom where backfill() decides what others write.
 *
 * Backfills of one policy take turns, batch by batch.  They wait for those who write
 * its messages; who writes never waits for a backfill, but asks whether one is at work.
 */
#include "postgres.h"

#include "backfill_wait.h"
#include "batch.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "protect.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static void
BatchTag(LOCKTAG * tag, Oid decision)
{
	Oid			relid = get_relname_relid("backfill_run", get_namespace_oid("assay_internal", false));

	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, relid, decision, 0);
}

/*
 * A backfill into this decision table begins, or has ended, which is also to be
 * known while it waits between its batches.  It may end of an error, after which
 * nothing can be looked up.
 */
void
BackfillBegins(Oid decision, LOCKTAG * begun)
{
	BatchTag(begun, decision);
	(void) LockAcquire(begun, RowExclusiveLock, true, false);
}

void
BackfillEnds(const LOCKTAG * begun)
{
	(void) LockRelease(begun, RowExclusiveLock, true);
}

/*
 * Wait for another backfill into it to end its batch.  It is no advisory lock, which
 * anybody could hold, and not by the policy's name, of which others may have the same
 * hash.
 */
void
LockBatch(Oid decision)
{
	LOCKTAG		tag;

	BatchTag(&tag, decision);
	(void) LockAcquire(&tag, ShareUpdateExclusiveLock, false, false);
}

/* Is one at work?  The lock that tells it conflicts with both of the above. */
bool
IsBackfillAtWork(Oid decision)
{
	LOCKTAG		tag;

	BatchTag(&tag, decision);
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	(void) LockRelease(&tag, ShareLock, false);
	return false;
}

static void
RunWait(void *arg)
{
	/*
	 * What has been looked up may have left a snapshot, which others wait
	 * for.
	 */
	InvalidateCatalogSnapshot();
	XactLockTableWait(*(TransactionId *) arg, NULL, NULL, XLTW_None);
}

/*
 * Wait for transactions that are writing messages or decisions, as CREATE INDEX
 * CONCURRENTLY waits: one that began before the revision may have replaced a message
 * by another with its key, whose decision by the former revision a batch could not
 * see.  It would decide the message that it sees by the later one.  While a trigger
 * decides, only the messages' table need be locked; and the caller has asked for the
 * revision before, since by one that comes while we wait another may begin to decide.  Of a
 * transaction and those within it the first is waited for, which ends last.
 *
 * Once those have ended (all), and before later batches, those are waited for that
 * have kept keys: they may have replaced messages meanwhile without a decision.
 * Returns whether there were any.
 *
 * Who waits holds no lock and no snapshot: a writer that waited for one, or for a
 * CREATE INDEX CONCURRENTLY that does, would fail of a deadlock.
 */
bool
WaitForWriters(const char *policy, Oid decision, bool all, int64 *patience)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), *patience);
	Security	security;
	MemoryContext context = CurrentMemoryContext;
	TransactionId *writers;
	BatchQuery	q;
	uint64		n;
	uint64		left = 0;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT DISTINCT ON (x.virtualtransaction) x.transactionid FROM pg_catalog.pg_locks d "
			 "JOIN pg_catalog.pg_locks x ON x.virtualtransaction = d.virtualtransaction "
			 "WHERE (d.relation = ");
	QueryValue(&q, OIDOID, ObjectIdGetDatum(decision));

	/*
	 * Anybody may make a trigger that names the policy; a stranger's decides
	 * nothing.
	 */
	QueryAdd(&q, " OR d.relation IN (SELECT t.tgrelid FROM pg_catalog.pg_trigger t "
			 "JOIN pg_catalog.pg_class m ON m.oid = t.tgrelid JOIN pg_catalog.pg_class o ON o.oid = ");
	QueryValue(&q, OIDOID, ObjectIdGetDatum(decision));
	QueryAdd(&q, " AND pg_catalog.pg_has_role(m.relowner, o.relowner, 'USAGE') "
			 "WHERE t.tgfoid = 'assay.decide()'::pg_catalog.regprocedure AND t.tgnargs = 1 AND "
			 "t.tgargs = pg_catalog.convert_to(");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(policy));
	QueryAdd(&q, ", pg_catalog.getdatabaseencoding()) || pg_catalog.decode('00', 'hex'))) AND d.database = ");
	QueryValue(&q, OIDOID, ObjectIdGetDatum(MyDatabaseId));
	QueryAdd(&q, " AND d.mode = 'RowExclusiveLock' AND d.granted AND d.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() "
			 "AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock' AND x.granted%s "
			 "ORDER BY x.virtualtransaction, pg_catalog.age(x.transactionid) DESC",
			 all ? "" : " AND EXISTS (SELECT FROM pg_catalog.pg_locks k WHERE k.virtualtransaction = d.virtualtransaction AND k.database = d.database "
			 "AND k.relation = 'assay_internal.reused_key'::pg_catalog.regclass AND k.mode = 'RowExclusiveLock' AND k.granted)");
	n = QueryRun(&q, SPI_OK_SELECT, NULL);
	writers = MemoryContextAlloc(context, n * sizeof(TransactionId));
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;

		writers[i] = DatumGetTransactionId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	LeaveSecurity(&security);
	SPI_finish();
	PopActiveSnapshot();
	SPI_commit();
	for (uint64 i = 0; i < n; i++)
	{
		ErrorData  *error;

		EnterConfiguration(&security);
		WaitNoLonger(&security, Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until), 1));
		error = RunProtected(RunWait, &writers[i]);
		LeaveSecurity(&security);
		if (error && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		left += error != NULL;
	}
	SPI_commit();
	if (n > 0)
		*patience = left > 0 ? 0 : TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);
	if (left > 0)
		ereport(WARNING,
				(errmsg_plural("policy \"%s\": %llu transaction that writes messages has not ended",
							   "policy \"%s\": %llu transactions that write messages have not ended", left,
							   policy, (unsigned long long) left),
				 errdetail("Where such a one began before the current revision, or without a decision, and gave a message's key to another, backfill() decides the former message."),
				 errhint("pg_stat_activity and pg_prepared_xacts show them. A new revision, and backfill() once they have ended, decides all anew.")));
	return n > 0;
}
