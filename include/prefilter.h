/*
 * prefilter.h
 *		One pass over a text column for the substrings that many conditions
 *		look for.
 */
#ifndef ASSAY_PREFILTER_H
#define ASSAY_PREFILTER_H

#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "nodes/primnodes.h"

typedef struct Prefilter Prefilter;
typedef struct PrefilterScratch PrefilterScratch;

extern Prefilter *PrefilterCreate(TupleDesc desc);
extern void PrefilterCollect(Prefilter *f, Expr *expr);
extern bool PrefilterFinish(Prefilter *f);
extern Size PrefilterMemory(Prefilter *f);
extern Expr *PrefilterRewrite(Prefilter *f, Expr *expr);
extern PrefilterScratch *PrefilterScratchCreate(Prefilter *f);
extern TupleTableSlot *PrefilterScan(PrefilterScratch *scratch,
									 TupleTableSlot *slot, const Bitmapset * plain);
extern const int *PrefilterFound(PrefilterScratch *scratch, int *n, bool *nulls);

#endif							/* ASSAY_PREFILTER_H */
