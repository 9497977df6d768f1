/*
 * lazy_row.h
 *		Rows of SQL whose columns are read where they are, without a tuple.
 */
#ifndef ASSAY_LAZY_ROW_H
#define ASSAY_LAZY_ROW_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "utils/expandeddatum.h"

typedef struct LazyRow
{
	ExpandedObjectHeader header;	/* first: a datum points to it */
	uint64		serial;			/* another one whenever what follows is */
	TupleDesc	desc;
	const NullableDatum *const *cells;	/* one a column */
} LazyRow;

/*
 * The lazy row that a datum of type record is, or NULL when it is an ordinary
 * one.  Its cells hold until the call that got the datum returns.
 */
extern const LazyRow *DatumGetLazyRow(Datum value);

#endif							/* ASSAY_LAZY_ROW_H */
