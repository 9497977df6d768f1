/*
 * snapshot_mark.c
 *		When snapshots that look alike do not see the same.
 *
 * A snapshot does not list the transaction that takes it: whether what that
 * wrote is seen is not told by the snapshot's numbers.  After a ROLLBACK, to a
 * savepoint or of all, the next snapshot may have the very numbers of one that
 * saw what is undone, if others under way hold xmin and one that ended holds
 * xmax.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "snapshot_mark.h"

/* 0 is in no mark: one that is all zeroes is of no snapshot. */
uint64		snapshot_own = 1;

static void
EndTransaction(XactEvent event, void *arg)
{
	if ((event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE) &&
		TransactionIdIsValid(GetTopTransactionIdIfAny()))
		snapshot_own++;
}

static void
EndSubtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && TransactionIdIsValid(GetCurrentTransactionIdIfAny()))
		snapshot_own++;
}

void
SnapshotMarkInit(void)
{
	RegisterXactCallback(EndTransaction, NULL);
	RegisterSubXactCallback(EndSubtransaction, NULL);
}
