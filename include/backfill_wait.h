/*
 * backfill_wait.h
 *		Who waits for whom where backfill() decides what others write.
 */
#ifndef ASSAY_BACKFILL_WAIT_H
#define ASSAY_BACKFILL_WAIT_H

#include "storage/lock.h"

extern void BackfillBegins(Oid decision, LOCKTAG * begun);
extern void BackfillEnds(const LOCKTAG * begun);
extern void LockBatch(Oid decision);
extern bool IsBackfillAtWork(Oid decision);
extern bool WaitForWriters(const char *policy, Oid decision, bool all, int64 *patience);

#endif							/* ASSAY_BACKFILL_WAIT_H */
