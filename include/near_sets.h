/*
 * near_sets.h
 *		What names or domains of a list are compared by, kept by the backend.
 */
#ifndef ASSAY_NEAR_SETS_H
#define ASSAY_NEAR_SETS_H

#include "fmgr.h"

/* What is made of a list's values */
typedef enum NearSetKind
{
	NEAR_NAMES,					/* of those of kind exact */
	NEAR_DOMAINS				/* of those of kinds exact and domain, that
								 * are one */
} NearSetKind;

/*
 * Makes something of values in a memory context; what can't be one of them is
 * left out
 */
typedef void *(*NearSetMake) (Datum *items, bool *nulls, int n, bool skip, MemoryContext cxt);

/*
 * What was made of the list of that name, as the statement sees it, and how
 * often it was asked for.  It stays until the backend asks for another.
 */
extern void *NearSetGet(const text *set, NearSetKind kind, NearSetMake make, int64 *uses);

#endif							/* ASSAY_NEAR_SETS_H */
