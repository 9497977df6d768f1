/*
 * snapshot_mark.h
 *		Under which snapshot something was found out.
 *
 * Two snapshots of a backend that agree in these numbers see the same: for
 * equal xmax, transactions under way can only have become fewer, and what the
 * backend wrote itself is still as it was.
 */
#ifndef ASSAY_SNAPSHOT_MARK_H
#define ASSAY_SNAPSHOT_MARK_H

#include "utils/snapshot.h"

typedef struct SnapshotMark
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
	uint64		own;
} SnapshotMark;

/* Moves when what this backend wrote itself is undone, or committed */
extern PGDLLIMPORT uint64 snapshot_own;

extern void SnapshotMarkInit(void);

static inline void
MarkSnapshot(SnapshotMark *mark, Snapshot snapshot)
{
	mark->xmin = snapshot->xmin;
	mark->xmax = snapshot->xmax;
	mark->xcnt = snapshot->xcnt;
	mark->subxcnt = snapshot->subxcnt;
	mark->curcid = snapshot->curcid;
	mark->own = snapshot_own;
}

static inline bool
SnapshotIsMarked(const SnapshotMark *mark, Snapshot snapshot)
{
	return mark->curcid == snapshot->curcid &&
		mark->xmax == snapshot->xmax &&
		mark->xmin == snapshot->xmin &&
		mark->xcnt == snapshot->xcnt &&
		mark->subxcnt == snapshot->subxcnt &&
		mark->own == snapshot_own;
}

#endif							/* ASSAY_SNAPSHOT_MARK_H */
