/*
 * kept_query.h
 *		A query of one row over parameters, kept ready between statements.
 */
#ifndef ASSAY_KEPT_QUERY_H
#define ASSAY_KEPT_QUERY_H

#include "executor/spi.h"
#include "executor/tuptable.h"
#include "tcop/dest.h"

typedef struct KeptQuery KeptQuery;

/*
 * Run a saved SPI plan of one SELECT for its first row, which "dest" receives,
 * as SPI_execute_plan_extended() would; its rows must be as "desc" says.  The
 * state of it is kept in *kept, below "parent", from one call to the next.
 * "statement" is a memory context that is reset when the statement ends, however
 * it does.  Returns false, and has run nothing, where it can't be kept.
 */
extern bool KeptQueryRun(KeptQuery **kept, MemoryContext parent, SPIPlanPtr plan, ParamListInfo params,
						 TupleDesc desc, DestReceiver *dest, MemoryContext statement);

/*
 * The same by what is kept already: nothing is made anew, but false returned.  It
 * needs no settings but those of KeptQuerySettings().
 */
extern bool KeptQueryRunAgain(KeptQuery **kept, SPIPlanPtr plan, ParamListInfo params, DestReceiver *dest,
							  MemoryContext statement);

/* The settings that show in its rows (security.h): SETTINGS_ALL, where nothing is kept */
extern int	KeptQuerySettings(const KeptQuery *kept);

/* Forget it; to be called before the plan goes. */
extern void KeptQueryDrop(KeptQuery **kept);

#endif							/* ASSAY_KEPT_QUERY_H */
