/*
 * shared_values.h
 *		What several conditions of a policy compute alike, computed once a
 *		message.
 */
#ifndef ASSAY_SHARED_VALUES_H
#define ASSAY_SHARED_VALUES_H

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "nodes/bitmapset.h"

typedef struct SharedValues SharedValues;
typedef struct SharedScratch SharedScratch;

/* A policy's: note all expressions, then rewrite each of the very same nodes. */
extern SharedValues *SharedValuesCreate(TupleDesc desc);
extern void SharedValuesCollect(SharedValues *v, Expr *expr);
extern Expr *SharedValuesRewrite(SharedValues *v, Expr *expr);
extern void SharedValuesFinish(SharedValues *v);

/* Columns that nothing looks at but as values: they may be decompressed in the row. */
extern Bitmapset * SharedValuesPlain(SharedValues *v);

/* An evaluation's */
extern SharedScratch *SharedScratchCreate(SharedValues *v);
extern ExprState *SharedExprState(SharedScratch *s, Expr *expr);

/* Another row; or what made the values is gone. */
extern void SharedScratchForget(SharedScratch *s);

/* Of an expression, the same for those that equal() calls the same */
extern uint32 ExprHash(Expr *expr);

#endif							/* ASSAY_SHARED_VALUES_H */
