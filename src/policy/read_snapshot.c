/*
 * read_snapshot.c
 *		The snapshot by which a trigger reads signals.
 */
#include "postgres.h"

#include "access/xact.h"
#include "read_snapshot.h"
#include "utils/snapmgr.h"

/*
 * Make it active.  What was done so far is seen, as SPI does it for a query, and what
 * others did while a lock was waited for: who has it on the tables would see a
 * truncated one empty by a snapshot of before.
 *
 * That is one of now in REPEATABLE READ and SERIALIZABLE, too, as foreign keys are
 * checked: by the transaction's a message that was deleted since is there beside the
 * new one with its key, and what was truncated or rewritten since is empty.
 */
void
PushReadSnapshot(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(IsolationUsesXactSnapshot() ? GetLatestSnapshot() : GetTransactionSnapshot());
}
