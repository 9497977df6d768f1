/*
 * model_cache.h
 *		A model ready for evaluation, and the backend's cache of them.
 */
#ifndef ASSAY_MODEL_CACHE_H
#define ASSAY_MODEL_CACHE_H

#include "fmgr.h"
#include "model.h"
#include "shap.h"

/*
 * A model with the memory that evaluation needs.  Not reentrant: from filling
 * a row to reading the result no other user of the same state may run.
 */
typedef struct ModelState
{
	const Model *model;
	MemoryContext context;		/* of all that is below */
	void	   *scratch;		/* of ModelMargins */
	float	   *row4;			/* nfeatures; padded to a cache line */
	double	   *row8;
	double	   *margins;		/* noutputs */
	double	   *predictions;
	ModelShap  *shap;			/* NULL until the first explanation */
	void	   *shap_scratch;
	double	   *contributions;
} ModelState;

/* The model must outlive the state */
extern ModelState *ModelStateCreate(const Model *model, MemoryContext context);

/* Contributions of state->row8 into state->contributions; raises if it can't */
extern void ModelStateExplain(ModelState *state);

/*
 * What a SQL function keeps between calls, in fn_extra: its model, held in
 * the cache, and whatever the caller derives from it.	`derived` is NULL when
 * the model has just changed.
 */
typedef struct ModelCall
{
	ModelState *state;
	Oid			rowtype;		/* declared type of argument 1 */
	void	   *derived;
	MemoryContext derived_context;	/* reset when the model changes */
	struct ModelCallKey *key;	/* private to model_cache.c */
} ModelCall;

/* The model in argument 0 */
extern ModelCall *GetModelCall(FunctionCallInfo fcinfo);

extern void ModelCacheInit(void);

/* Compute the digest of a new value, in place */
extern void ModelSeal(Model *model);

#endif							/* ASSAY_MODEL_CACHE_H */
