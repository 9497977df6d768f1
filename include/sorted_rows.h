/*
 * sorted_rows.h
 *		The new rows of a statement, in an order that lookups gain by.
 */
#ifndef ASSAY_SORTED_ROWS_H
#define ASSAY_SORTED_ROWS_H

#include "commands/trigger.h"
#include "utils/tuplestore.h"

/* Of fewer rows nothing is to be gained. */
#define SORTED_ROWS_MIN	32

typedef struct SortedRows SortedRows;

/* Can rows be sorted by a column of this type? */
extern bool SortsBy(Form_pg_attribute att);

/*
 * The rows of a trigger's transition table by one of its columns.  SPI is
 * connected, with the trigger's data.  A snapshot for all of them is active from
 * here to the end.  It is gone when "context" is reset.
 */
extern SortedRows *SortedRowsStart(TriggerData *trigdata, AttrNumber column, MemoryContext context);

/* The next ones are found under the transition table's name; false: all were. */
extern bool SortedRowsNext(SortedRows *s);

/* Another one of these was read: what is made now is made of it. */
extern void SortedRowsRead(SortedRows *s);
extern void SortedRowsMade(SortedRows *s, TupleDesc desc, Datum *values, bool *nulls);

/* What was made of these, in the order that they came in */
extern void SortedRowsTake(SortedRows *s, TupleDesc desc, Tuplestorestate * store);

/* All rows are found under the name again; failed: an error was the end of it. */
extern void SortedRowsEnd(SortedRows *s, bool failed);

#endif							/* ASSAY_SORTED_ROWS_H */
