/*
 * predict.h
 *		Models inside the server: values, tuples, the backend's cache.
 *
 * For other modules, which evaluate one model over many rows.
 */
#ifndef ASSAY_PREDICT_H
#define ASSAY_PREDICT_H

#include "access/tupdesc.h"
#include "compat.h"
#include "fmgr.h"
#include "model.h"

/*
 * A checked model, in memory of the given context, detoasted once.	 Raises
 * ERRCODE_DATA_CORRUPTED when the stored bytes are no model.
 */
extern Model *DatumGetModel(Datum value, MemoryContext context);

/* model_raise.c ------------------------------------------------------------ */

/* Raises a ModelError with its SQLSTATE; its notes as NOTICEs */
pg_noreturn extern void ModelRaise(const ModelError *error);
extern void ModelNotice(const ModelError *error);

/* A model's string, which is UTF-8, in the server's encoding; see there */
extern const char *ModelServerText(const char *utf8);
extern const char *ModelMessageText(const char *message);

/* predict.c ---------------------------------------------------------------- */

/*
 * A model bound to a row type: for each feature the column of its name.
 * A feature without a column raises ERRCODE_UNDEFINED_COLUMN and names it; a
 * column of a type that gives no number raises ERRCODE_DATATYPE_MISMATCH.
 * Neither model nor tupdesc is copied: both must outlive the binding.	It is
 * not reentrant (it owns the scratch memory).
 */
typedef struct ModelBinding ModelBinding;

extern ModelBinding *ModelBindTupleDesc(const Model *model, TupleDesc desc,
										MemoryContext context);

/*
 * Of a row in columns, as in a deformed tuple or a slot: the margin of output
 * 0.  Memory that conversions need is in CurrentMemoryContext.
 */
extern double ModelMarginSlotValues(const Model *model, ModelBinding *binding,
									const Datum *values, const bool *nulls);

/*
 * A feature's number in json, NaN when it is missing or a category that the
 * model does not know; raises when it is no number
 */
struct JsonbValue;
extern double ModelJsonNumber(const Model *model, uint32 feature,
							  const struct JsonbValue *value);

/* One feature's share of a margin */
typedef struct ModelContribution
{
	uint32		feature;		/* MODEL_FEATURE_NAME(model, feature) */
	double		value;			/* as the model saw it; NaN: missing */
	double		contribution;	/* in log-odds, for a logistic model */
} ModelContribution;

/*
 * The `top` features by absolute contribution to output 0 (ties: by number),
 * largest first, without zeros; returns how many.  What is left of the margin
 * is the base value and the other features.
 */
extern int	ModelExplainSlotValues(const Model *model, ModelBinding *binding,
								   const Datum *values, const bool *nulls,
								   int top, ModelContribution *contributions);

/* Its value: a number in "number", of DOUBLE_SHORTEST_DECIMAL_LEN bytes, or the name of a category.  Not for NaN. */
extern const char *ModelValueText(const Model *model, const ModelContribution *contribution, char *number);

/* Called by _PG_init: this module's settings */
extern void ModelInit(void);

#endif							/* ASSAY_PREDICT_H */
