/*
 * scored.h
 *		Type scored: the distinct scores with the weight of positive and
 *		negative labels at each.
 */
#ifndef ASSAY_SCORED_H
#define ASSAY_SCORED_H

#include "compat.h"
#include "fmgr.h"

/* Distinct scores that are kept */
#define SCORED_MAX			65536

typedef struct ScoredItem
{
	float8		score;
	float8		positive;		/* weight of the rows labelled true */
	float8		negative;
} ScoredItem;

/*
 * items[0 .. nsorted) ascend strictly; the rest, up to nused, is in order of
 * arrival. A value outside of an aggregate is all sorted, without spare room.
 */
typedef struct Scored
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;
	uint8		shift;
	uint16		unused;			/* zero */
	int32		nsorted;
	int32		nused;
	ScoredItem	items[FLEXIBLE_ARRAY_MEMBER];
} Scored;

extern Scored *GetScored(FunctionCallInfo fcinfo, int arg);
extern void SumWeights(const Scored *s, float8 *positive, float8 *negative);
extern float8 CheckScore(float8 score);
extern float8 CheckWeight(float8 weight);

#endif							/* ASSAY_SCORED_H */
