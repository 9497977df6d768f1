/*
 * lanes.h
 *		The section of a model that is laid out for speed; see lanes.c.
 */
#ifndef ASSAY_LANES_H
#define ASSAY_LANES_H

#include "model.h"

/* Bytes of scratch that evaluation by lanes needs; 0 when there are none */
extern Size LaneScratchSize(const Model *model);

/*
 * Add the trees' leaves to the margins, which hold the start.	Only for a
 * model that has lanes.  The row is in either width; a MODEL_SINGLE model's
 * is rounded to float32 already.
 */
extern void LaneSums4(const Model *model, void *scratch, const float *row,
					  double *margins);
extern void LaneSums8(const Model *model, void *scratch, const double *row,
					  double *margins);

#endif							/* ASSAY_LANES_H */
