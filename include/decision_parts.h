/*
 * decision_parts.h
 *		Partitions of a decision table: which one a decision goes to.
 */
#ifndef ASSAY_DECISION_PARTS_H
#define ASSAY_DECISION_PARTS_H

#include "decision_table.h"
#include "invalidation.h"
#include "storage/lock.h"
#include "utils/tuplestore.h"

/* Partitions that one statement writes to without a query */
#define PARTS_AT_ONCE	64

/* Where the decisions of a statement go */
typedef struct DecisionParts
{
	int			n;
	DecisionPart *parts[PARTS_AT_ONCE];
	uint8	   *places;			/* of each row of a tuplestore, or NULL: all
								 * go to the first */
} DecisionParts;

/*
 * Find them, for one row's values or for the rows of a tuplestore, and lock
 * them.  False: one of them is in use, or may refuse a row, or there are too
 * many.  The table is locked, and so is not partitioned otherwise.
 */
extern bool FindParts(DecisionTable *t, Dependencies *d, DecisionParts *found,
					  Datum *values, Tuplestorestate * store, int64 rows);

/* A lock that is had at once, or LOCKACQUIRE_NOT_AVAIL: a lack of room for it is no error. */
extern LockAcquireResult LockWithoutError(const LOCKTAG * tag, LOCKMODE mode, LOCALLOCK * *lock);

/* Lock a table to write to it; false, and no error: that can't be had at once. */
extern bool LockAtOnce(Oid relid);

/*
 * Lock the indexes of what was found in the same way; wide: and what holds
 * values that are too long for a row.
 */
extern bool LockIndexes(DecisionParts *found, bool wide);

#endif							/* ASSAY_DECISION_PARTS_H */
