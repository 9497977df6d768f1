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
 * Bytes that ModelShapInit will fill; 0 when the model has no covers.	The
 * caller allocates (palloc in the server), so there is nothing to free.
 */
extern Size ModelShapSize(const Model *model);
extern ModelShap *ModelShapInit(const Model *model, void *memory);

/* Scratch for one row: bytes, aligned to 64; reused from row to row */
extern Size ModelShapScratchSize(const Model *model, const ModelShap *shap);

/*
 * contributions[output * (nfeatures + 1) + feature]; the last of each output
 * is the expected margin.	They sum to the margin.	 The row is as for
 * ModelMargins8.
 */
extern void ModelShapValues(const Model *model, const ModelShap *shap,
							void *scratch, const double *row,
							double *contributions);

#endif							/* ASSAY_SHAP_H */
