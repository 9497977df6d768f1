/*
 * direct_write.h
 *		Decisions written into a table that runs nothing, without a query.
 */
#ifndef ASSAY_DIRECT_WRITE_H
#define ASSAY_DIRECT_WRITE_H

#include "decision_table.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"

/*
 * Write the rows, which are as the table's "desc" says, into the table or one
 * of its partitions: of the latter those whose "places" are "place".  Those whose
 * key is there already are put into "known" instead, to be written by a query.
 * It is locked, and "direct".
 */
extern void WriteRowsDirectly(DecisionTable *t, DecisionPart *part, const uint8 *places, int place,
							  Tuplestorestate * store, Tuplestorestate * known);

/* The same for one row; false: its key is there already */
extern bool WriteRowDirectly(DecisionTable *t, DecisionPart *part, Datum *values, bool *nulls);

#endif							/* ASSAY_DIRECT_WRITE_H */
