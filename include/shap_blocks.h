/*
 * shap_blocks.h
 *		SHAP values of shallow trees by tables: for shap.c only.
 */
#ifndef ASSAY_SHAP_BLOCKS_H
#define ASSAY_SHAP_BLOCKS_H

#include <math.h>

#include "model.h"

#define SHAP_BLOCKS_DEPTH	5	/* of the deepest tree with tables */

typedef struct ShapBlocks ShapBlocks;

/*
 * Bytes for a tree and one of its outputs; 0 when it is too deep, or has
 * splits that a comparison can't decide.
 */
extern Size ShapBlocksSize(const Model *model, const ModelTree *tree);

/* What a split compares: x[number] < threshold goes left */
typedef struct ShapTest
{
	double		threshold;
	uint32		number;
} ShapTest;

/* tests: of the tree's splits, by node */
extern void ShapBlocksInit(ShapBlocks *blocks, const Model *model,
						   const ModelTree *tree, uint32 output,
						   const ShapTest *tests);

#define SHAP_BLOCKS_MAX		(1 << (SHAP_BLOCKS_DEPTH - 2))	/* of a tree */

/* What a block adds for a row: row[i] to sums[block->sum[i]] */
typedef struct ShapFound
{
	const struct ShapBlock *block;
	const double *row;
} ShapFound;

/*
 * Finds what a tree's blocks add for a row; how many are found, at most
 * SHAP_BLOCKS_MAX.  Of each x there are two, for splits with which what is missing
 * goes right (NaN) and left (-infinity): numbers 2 i and 2 i + 1.  Tables are
 * filled as rows come.
 */
extern int	ShapBlocksFind(ShapBlocks *blocks, const double *x, ShapFound *found);

/* Adds that, in its order, to the sums of the row's values, which are by i. */
extern void ShapBlocksAdd(const ShapFound *found, int n, double *sums);

/* Shares of the cover that a split's children have, by side */
static inline void
ShapShares(const ModelNode *nodes, const double *covers, uint32 node, double *share)
{
	double		cover = covers[node];
	uint32		right = nodes[node].right;

	/*
	 * They need not add up to 1, since libraries round their sums, but
	 * neither is more.  Without any cover, both sides count alike.
	 */
	share[0] = cover > 0 ? Min(covers[node + 1] / cover, 1.0) : 0.5;
	share[1] = cover > 0 ? Min(covers[right] / cover, 1.0) : 0.5;
}

/* Can a comparison decide a split? */
static inline bool
ShapIsSpecial(const ModelNode *node)
{
	return (node->flags & NODE_SET) ||
		((node->flags & NODE_LE) && isinf(node->u.threshold));
}

#endif							/* ASSAY_SHAP_BLOCKS_H */
