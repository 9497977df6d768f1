/*
 * atom_index.h
 *		Which conditions may be true of a row: all atoms answered at once.
 */
#ifndef ASSAY_ATOM_INDEX_H
#define ASSAY_ATOM_INDEX_H

#include "atoms.h"
#include "port/pg_bitutils.h"
#include "prefilter.h"

typedef struct AtomIndex AtomIndex;

/* takes_part: of each part; what it makes lives in a context of its own below the current one */
extern AtomIndex *AtomIndexCreate(Atoms *atoms, const bool *takes_part);

/*
 * The parts that may be true of the row in the expression context; prefilter:
 * scanned, or NULL.
 */
extern void AtomIndexProbe(AtomIndex *x, ExprContext * econtext, PrefilterScratch *prefilter);

/* The next bit that is set, from number "from" on, or -1 */
static inline int
NextBit(const uint64 *words, int nwords, int from)
{
	for (int word = from / 64; word < nwords; word++)
	{
		uint64		bits = words[word];

		if (word == from / 64)
			bits &= ~UINT64CONST(0) << (from % 64);
		if (bits != 0)
			return word * 64 + pg_rightmost_one_pos64(bits);
	}
	return -1;
}

/* The next part from "from" on that may be true, or -1 */
extern int	AtomIndexNext(AtomIndex *x, int from);

/* Is it?  True without a look where its atoms say all. */
extern bool AtomIndexIsTrue(AtomIndex *x, ExprContext * econtext, int part);

/* A guard's value */
extern Datum AtomIndexGuard(AtomIndex *x, ExprContext * econtext, int guard, bool *isnull);

/* Another row, or the memory of this one's values is gone */
extern void AtomIndexForget(AtomIndex *x);

#endif							/* ASSAY_ATOM_INDEX_H */
