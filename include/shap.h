/*
 * shap.h
 *		Exact path-dependent SHAP values of a model's margins.
 *
 * What can be precomputed of a model is a side structure (ModelShap), built
 * once per model and backend and kept beside the model in the cache.
 */
#ifndef ASSAY_SHAP_H
#define ASSAY_SHAP_H

#include "model.h"

typedef struct ModelShap ModelShap;

/*
 * Bytes that ModelShapInit will fill, some times the model's trees; 0 when the
 * model can't be explained: it has no covers, or linear functions as leaves.
 * The caller allocates (palloc in the server), so there is nothing to free.
 * Both walk over all nodes once.  The model has passed CheckModel.
 */
extern Size ModelShapSize(const Model *model);
extern ModelShap *ModelShapInit(const Model *model, void *memory);

/* Scratch for one row: bytes, aligned to 64; reused from row to row */
extern Size ModelShapScratchSize(const ModelShap *shap);

/*
 * contributions[output * (nfeatures + 1) + feature]; the last of each output
 * is the expected margin, the same for every row.  They sum to the margin, up
 * to the float32 rounding of a MODEL_SINGLE model's margin.  The row is as for
 * ModelMargins8.
 */
extern void ModelShapValues(const Model *model, const ModelShap *shap,
							void *scratch, const double *row,
							double *contributions);

#endif							/* ASSAY_SHAP_H */
