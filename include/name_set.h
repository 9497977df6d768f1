/*
 * name_set.h
 *		Names that are protected, and the words that stand beside one.
 */
#ifndef ASSAY_NAME_SET_H
#define ASSAY_NAME_SET_H

#include "access/tupdesc.h"
#include "near_index.h"

typedef struct NameSet
{
	NearIndex  *index;
	text	  **names;			/* as they were given, by number */
	TupleDesc	desc;			/* of a call site's result, or NULL */
} NameSet;

/* nearest_name.c: of values; skip: those that are too long, rather than to raise an error */
extern void *NameSetOf(Datum *items, bool *nulls, int n, bool skip, MemoryContext cxt);

/* lookalike.c: words that are put beside a name to make it look official */
extern void FoldCompanions(void);
extern bool IsCompanions(const uint32_t *chars, int len);

#endif							/* ASSAY_NAME_SET_H */
