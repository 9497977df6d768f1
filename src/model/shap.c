/*
 * shap.c
 *		Exact path-dependent SHAP values of a model's margins.
 *
 * What is computed is what XGBoost (pred_contribs) and LightGBM
 * (pred_contrib) define, after
 *
 *		Lundberg et al., "From local explanations to global understanding
 *		with explainable AI for trees", Nature Machine Intelligence 2, 2020;
 *
 * how, is after
 *
 *		Yu, Xu, Bifet, Read, "Linear TreeShap", NeurIPS 2022 (a subtree's
 *		leaves are summed before they meet the features above them), and
 *		Wettenstein, Mitchell, Yu, "Quadrature-TreeSHAP: Depth-Independent
 *		TreeSHAP and Shapley Interactions", arXiv:2605.04497, 2026 (the
 *		polynomials are kept as values at Gauss-Legendre nodes).
 *
 * Let z be the share of a node's cover that a child has, and 1 or 0 say
 * whether the row goes there.	If each feature takes part with probability t,
 * independently of the others, then an edge weighs t * (1 or 0) + (1 - t) * z,
 * where both are first multiplied over all edges of one feature on the path.
 * A leaf adds its value times the weights of its path, so each margin is a
 * polynomial in the features' t, and a feature's Shapley value is the
 * integral over 0 … 1 of its partial derivative at equal t (Owen, 1972).  On a
 * path with U different features the integrand has degree U - 1, so a
 * Gauss-Legendre rule of U / 2 nodes or more integrates it exactly.  The costs
 * are O(splits * U / 2) for a tree, where the classic algorithm takes
 * O(leaves * U^2), and since all weights are in 0 … 1 and nothing is divided
 * by, it stays as accurate at 500 splits on a path as at five.
 *
 * At one t this is simple.	 Where a split's feature was already split above,
 * with cover shares whose product is a and all edges taken by the row, write
 *
 *		q = a (1 - t) / (a (1 - t) + t),  p = 1 - q
 *
 * (q = 1 - t when it was not split above), and q = 1 where the row did not
 * take all these edges.  Relative to the weights above, the row's child
 * weighs z q + p, the other one z q.  With E(child) the weighed sum of the
 * child's leaves, relative to its own weight, B = sum of z E over both
 * children, D = E(row's child) - B and G the product of the weights above:
 *
 *		E(split) = B + p D
 *		the derivative by the feature gains  G p q D / (t (1 - t))
 *
 * So there are two sweeps: parents before children for G, which starts with
 * the quadrature's weight / (t (1 - t)), and children before parents for E and
 * the sums.  q depends on the tree only, and is tabulated.	 Four values of t
 * are computed at a time, which do paths of up to eight features at once.
 *
 * Shallow trees are quicker by tables (shap_blocks.c).
 *
 * A tree's splits are in two arrays: those with two leaves ("bottoms", half
 * of a bushy tree), for which B and D are tabulated, and all others.
 *
 * All sums are float64.  A model in float32 rounds its margin at each tree,
 * the contributions do not: they sum to the margin up to that rounding.
 */
#include "postgres.h"

#include <math.h>
#include <string.h>

#include "shap.h"
#include "shap_blocks.h"

/*
 * Compiled for wider registers too, chosen when the library is loaded; ASan
 * is not ready by then.  The results are the same.
 */
#ifdef __has_feature
#define SHAP_ASAN	__has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SHAP_ASAN	1
#else
#define SHAP_ASAN	0
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && !SHAP_ASAN
#define SHAP_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define SHAP_CLONES
#endif

#define SHAP_LANES		4		/* quadrature nodes at a time */
#define SHAP_TABULATED	2		/* times SHAP_LANES: q is tabulated up to it */
#define SHAP_MAX_BLOCKS	((Size) 4 * 1024 * 1024)	/* bytes, of a model */
#define SHAP_FOUND		64		/* rows of tables that are fetched at once */
#define SHAP_MAX_PASSES \
	((MODEL_MAX_DEPTH / 2 + SHAP_LANES - 1) / SHAP_LANES)

/* GCC's and Clang's vectors: on any machine, at any multiple of 8 bytes */
typedef double Lanes __attribute__((vector_size(SHAP_LANES * sizeof(double)),
									aligned(sizeof(double)),
									may_alias));

/*
 * A feature as some splits see it.	 Features that no split asks for have none,
 * those with different meanings of "missing" have several.
 */
typedef struct ShapInput
{
	uint32		feature;
	uint32		missing;		/* NODE_MISSING_… */
} ShapInput;

#define SHAP_DEFAULT_LEFT	0x80000000	/* in input: missing goes left */
#define SHAP_INPUT(x)		((x) & ~SHAP_DEFAULT_LEFT)

#define SHAP_OFF			0	/* in tables of q */
#define SHAP_FIRST			1
#define SHAP_REPEATS		2

/*
 * Edges are numbered 2 * (split + 1) + side, where side is 0 for left; "above"
 * is the nearest edge above of the same feature, or 0.
 *
 * A tree has a table of its values of q: first SHAP_OFF, which is 1 for a
 * split whose edges above the row does not take, then SHAP_FIRST, for all that
 * have none, then the others.
 *
 * Slots hold G and E: first the splits, then the bottoms, then the leaves
 * that are children of splits.
 */
typedef struct ShapSplit
{
	double		threshold;		/* x < threshold goes left */
	double		share[2];		/* of the cover, by side */
	uint32		child[2];		/* slots */
	uint32		input;
	uint32		above;
	uint32		q;				/* in the table */
	uint32		reserved;
} ShapSplit;

typedef struct ShapBottom
{
	double		threshold;
	uint32		input;
	uint32		above;
	uint32		q;
	uint32		reserved;
} ShapBottom;

/* A split that the comparison above can't decide: on a category set */
typedef struct ShapSpecial
{
	uint32		slot;
	uint32		node;			/* of the model */
} ShapSpecial;

/* Values of a bottom: B, and the D when the row goes left and right */
typedef struct ShapValue
{
	double		mean;
	double		gain[2];
} ShapValue;

/*
 * One tree and one of the outputs that it feeds.  Offsets are in bytes from
 * the ModelShap's start.
 */
typedef struct ShapTree
{
	uint32		nsplits;
	uint32		nbottoms;
	uint32		nleaves;		/* leaves that have a slot */
	uint32		nspecials;
	uint32		nq;				/* in the table of q */
	uint32		passes;			/* of SHAP_LANES quadrature nodes */
	Size		splits;			/* ShapSplit[nsplits] */
	Size		bottoms;		/* ShapBottom[nbottoms] */
	Size		specials;		/* ShapSpecial[nspecials] */
	Size		q;				/* passes <= SHAP_TABULATED: the tables,
								 * Lanes[passes][nq]; else a, double[nq] */
	Size		values;			/* ShapValue[nbottoms], double[nleaves] */
	Size		blocks;			/* ShapBlocks; 0 when it has none */
} ShapTree;

/* A quadrature rule, SHAP_LANES nodes at a time */
typedef struct ShapRule
{
	double		t[SHAP_LANES];
	double		first[SHAP_LANES];	/* q of a feature's first split: 1 - t */
	double		start[SHAP_LANES];	/* weight / (t (1 - t)) */
} ShapRule;

struct ModelShap
{
	Size		size;
	Size		scratch;
	uint32		ninputs;
	uint32		ntrees;			/* pairs of a tree and an output */
	uint32		max_slots;		/* of one tree */
	uint32		max_splits;
	uint32		max_computed;	/* largest table of q that is computed */
	uint32		with_blocks;	/* shallow trees have them */
	double		factor;			/* from leaves to margins */
	Size		expected;		/* double[noutputs]: expected margins */
	Size		first;			/* uint32[noutputs + 1]: trees of each output */
	Size		trees;			/* ShapTree[ntrees] */
	Size		inputs;			/* ShapInput[ninputs] */
	Size		rules[SHAP_MAX_PASSES]; /* ShapRule[passes]; 0 when not used */
};

#define SHAP_AT(shap, offset, type) ((type *) ((char *) (shap) + (offset)))

/* One open split of a walk in preorder */
typedef struct PathEntry
{
	uint32		node;			/* counted from the tree's root */
	uint32		feature;
	uint32		side;			/* where the walk is */
	uint32		unique;			/* different features down to here */
	uint32		split;			/* number, when it is one with a slot */
	double		a;				/* product of shares of its feature above */
	double		share[2];
} PathEntry;

/* What a tree needs, found in a walk before the one that fills */
typedef struct TreeCounts
{
	uint32		nsplits;
	uint32		nbottoms;
	uint32		nleaves;
	uint32		nspecials;
	uint32		nq;
	uint32		passes;
} TreeCounts;

/* CheckModel has seen to it that a tree is in preorder and not too deep */
typedef struct TreeWalk
{
	const ModelNode *nodes;
	const double *covers;
	uint32		node;			/* the current one */
	int			depth;			/* of the current node: entries above it */
	PathEntry	path[MODEL_MAX_DEPTH];
} TreeWalk;

static void
StartWalk(TreeWalk *walk, const Model *model, const ModelTree *tree)
{
	walk->nodes = MODEL_NODES(model) + tree->root;
	walk->covers = MODEL_COVERS(model) + tree->root;
	walk->node = 0;
	walk->depth = 0;
}

static inline bool
IsBottom(const ModelNode *nodes, uint32 node)
{
	return MODEL_IS_LEAF(&nodes[node + 1]) &&
		MODEL_IS_LEAF(&nodes[nodes[node].right]);
}

/* The nearest split above the current node on a feature, or NULL */
static inline const PathEntry *
FindAbove(const TreeWalk *walk, uint32 feature)
{
	for (int i = walk->depth - 1; i >= 0; i--)
		if (walk->path[i].feature == feature)
			return &walk->path[i];
	return NULL;
}

/* Opens the current split, whose left child is next */
static void
EnterSplit(TreeWalk *walk, const PathEntry *above, uint32 split)
{
	const ModelNode *node = &walk->nodes[walk->node];
	PathEntry  *entry;

	Assert(walk->depth < MODEL_MAX_DEPTH);
	entry = &walk->path[walk->depth];
	entry->node = walk->node;
	entry->feature = node->feature;
	entry->side = 0;
	entry->split = split;
	entry->unique = (walk->depth > 0 ? entry[-1].unique : 0) + (above == NULL);
	entry->a = above ? above->a * above->share[above->side] : 1.0;
	ShapShares(walk->nodes, walk->covers, walk->node, entry->share);
	walk->depth++;
	walk->node++;
}

/* Leaves a leaf for the next node.	 Returns false at the end of the tree. */
static bool
LeaveLeaf(TreeWalk *walk)
{
	walk->node++;
	while (walk->depth > 0 && walk->path[walk->depth - 1].side == 1)
		walk->depth--;
	if (walk->depth == 0)
		return false;
	walk->path[walk->depth - 1].side = 1;
	return true;
}

static void
CountTree(TreeWalk *walk, const Model *model, const ModelTree *tree,
		  TreeCounts *counts)
{
	uint32		unique = 0;

	memset(counts, 0, sizeof(TreeCounts));
	counts->nq = SHAP_REPEATS;
	StartWalk(walk, model, tree);
	for (;;)
	{
		const ModelNode *node = &walk->nodes[walk->node];

		if (MODEL_IS_LEAF(node))
		{
			if (walk->depth > 0 &&
				!IsBottom(walk->nodes, walk->path[walk->depth - 1].node))
				counts->nleaves++;
			if (!LeaveLeaf(walk))
				break;
		}
		else
		{
			const PathEntry *above = FindAbove(walk, node->feature);

			if (IsBottom(walk->nodes, walk->node))
				counts->nbottoms++;
			else
				counts->nsplits++;
			if (above)
				counts->nq++;
			if (ShapIsSpecial(node))
				counts->nspecials++;
			EnterSplit(walk, above, 0);
			unique = Max(unique, walk->path[walk->depth - 1].unique);
		}
	}
	counts->passes = (unique + 2 * SHAP_LANES - 1) / (2 * SHAP_LANES);
	Assert(walk->node == tree->nnodes);
}

/*
 * Sizes.  A model's size is limited, and what is built from it is only some
 * times as big, so nothing overflows in 64 bits.
 */
static inline Size
Reserve(Size *used, uint64 count, Size size)
{
	Size		at = *used;

	*used = at + MAXALIGN(count * size);
	return at;
}

/* A tree's arrays; values are for each output */
static void
LayOutTree(const TreeCounts *counts, Size *used, ShapTree *tree)
{
	memset(tree, 0, sizeof(ShapTree));
	tree->nsplits = counts->nsplits;
	tree->nbottoms = counts->nbottoms;
	tree->nleaves = counts->nleaves;
	tree->nspecials = counts->nspecials;
	tree->nq = counts->nq;
	tree->passes = counts->passes;
	tree->splits = Reserve(used, counts->nsplits, sizeof(ShapSplit));
	tree->bottoms = Reserve(used, counts->nbottoms, sizeof(ShapBottom));
	if (counts->passes <= SHAP_TABULATED)
		tree->q = Reserve(used, (uint64) counts->nq * counts->passes,
						  sizeof(Lanes));
	else
		tree->q = Reserve(used, counts->nq, sizeof(double));
	tree->specials = Reserve(used, counts->nspecials, sizeof(ShapSpecial));
}

static void
LayOutValues(const Model *model, const ModelShap *shap, const ModelTree *from,
			 Size *used, ShapTree *tree)
{
	Size		blocks = shap->with_blocks ? ShapBlocksSize(model, from) : 0;

	tree->blocks = blocks > 0 ? Reserve(used, 1, blocks) : 0;
	tree->values = Reserve(used, tree->nbottoms, sizeof(ShapValue));
	Reserve(used, tree->nleaves, sizeof(double));
}

static inline uint32
TreeOutputs(const Model *model, const ModelTree *tree)
{
	return tree->output == MODEL_ALL_OUTPUTS ? model->noutputs : 1;
}

/* Are the tables of all shallow trees small enough? */
static bool
WithBlocks(const Model *model)
{
	const ModelTree *trees = MODEL_TREES(model);
	Size		bytes = 0;

	for (uint32 i = 0; i < model->ntrees && bytes <= SHAP_MAX_BLOCKS; i++)
		bytes += ShapBlocksSize(model, &trees[i]) * TreeOutputs(model, &trees[i]);
	return bytes <= SHAP_MAX_BLOCKS;
}

/*
 * Lays out a model's side structure.  *arrays is where the trees' arrays
 * begin, *map an uint32[4 * nfeatures] that only the filling needs.  Returns
 * false when the model can't be explained.
 */
static bool
LayOut(const Model *model, ModelShap *shap, Size *arrays, Size *map)
{
	const ModelTree *trees = MODEL_TREES(model);
	Size		used = MAXALIGN(sizeof(ModelShap));
	Size		array_bytes = 0;
	uint64		ntrees = 0;
	uint64		nsplits = 0;
	bool		passes[SHAP_MAX_PASSES] = {false};
	TreeWalk	walk;

	memset(shap, 0, sizeof(ModelShap));
	shap->factor = model->scale / model->divisor;
	shap->expected = Reserve(&used, model->noutputs, sizeof(double));
	shap->size = used;
	if (model->flags & MODEL_IS_LINEAR)
		return true;
	if (!(model->flags & MODEL_HAS_COVER) ||
		model->nlinears > 0)
		return false;
	shap->with_blocks = WithBlocks(model);

	for (uint32 i = 0; i < model->ntrees; i++)
	{
		TreeCounts	counts;
		ShapTree	tree;

		CountTree(&walk, model, &trees[i], &counts);
		if (counts.passes == 0)
			continue;			/* a leaf only */
		LayOutTree(&counts, &array_bytes, &tree);
		for (uint32 k = 0; k < TreeOutputs(model, &trees[i]); k++)
			LayOutValues(model, shap, &trees[i], &array_bytes, &tree);
		ntrees += TreeOutputs(model, &trees[i]);
		nsplits += counts.nsplits + counts.nbottoms;
		shap->max_slots = Max(shap->max_slots, counts.nsplits +
							  counts.nbottoms + counts.nleaves);
		shap->max_splits = Max(shap->max_splits, counts.nsplits);
		if (counts.passes > SHAP_TABULATED)
			shap->max_computed = Max(shap->max_computed, counts.nq);
		passes[counts.passes - 1] = true;
	}
	if (ntrees > PG_INT32_MAX)
		return false;
	shap->ntrees = ntrees;
	shap->ninputs = Min(nsplits, 3 * (uint64) model->nfeatures);
	shap->first = Reserve(&used, (uint64) model->noutputs + 1, sizeof(uint32));
	shap->trees = Reserve(&used, ntrees, sizeof(ShapTree));
	shap->inputs = Reserve(&used, shap->ninputs, sizeof(ShapInput));
	for (int i = 0; i < SHAP_MAX_PASSES; i++)
		if (passes[i])
			shap->rules[i] = Reserve(&used, i + 1, sizeof(ShapRule));
	*arrays = used;
	used += array_bytes;
	*map = Reserve(&used, 4 * (uint64) model->nfeatures, sizeof(uint32));
	shap->size = used;
	return true;
}

/*
 * The nodes and weights of the Gauss-Legendre rule with 4 * passes nodes, over
 * 0 … 1, by Newton's method on the Legendre polynomial.
 */
static void
FillRule(ShapRule *rule, int passes)
{
	int			n = passes * SHAP_LANES;

	for (int i = 0; i < n; i++)
	{
		double		x = cos(M_PI * (i + 0.75) / (n + 0.5));
		double		slope = 1.0;
		double		t;

		for (int step = 0; step < 8; step++)
		{
			double		previous = 1.0;
			double		value = x;

			for (int k = 2; k <= n; k++)
			{
				double		next = ((2 * k - 1) * x * value -
									(k - 1) * previous) / k;

				previous = value;
				value = next;
			}
			slope = n * (x * value - previous) / (x * x - 1.0);
			x -= value / slope;
		}
		t = (1.0 - x) / 2.0;
		rule[i / SHAP_LANES].t[i % SHAP_LANES] = t;
		rule[i / SHAP_LANES].first[i % SHAP_LANES] = (1.0 + x) / 2.0;
		/* the weight is 1 / ((1 - x^2) slope^2), and 1 - x^2 = 4 t (1 - t) */
		rule[i / SHAP_LANES].start[i % SHAP_LANES] =
			1.0 / ((1.0 - x * x) * slope * slope) / (t * (1.0 + x) / 2.0);
	}
}

/* Number of a feature with a meaning of "missing", given at first sight */
static uint32
InputNumber(ModelShap *shap, uint32 *map, const ModelNode *node)
{
	/* sets decide by themselves */
	uint32		missing = (node->flags & NODE_SET) ? NODE_MISSING_NAN :
	node->flags & NODE_MISSING;
	uint32	   *number = &map[4 * node->feature + missing / 0x40];

	if (*number == 0)
	{
		ShapInput  *input;

		input = SHAP_AT(shap, shap->inputs, ShapInput) + shap->ninputs;
		input->feature = node->feature;
		input->missing = missing;
		*number = ++shap->ninputs;
	}
	return *number - 1;
}

/* An entry of a tree's table; an infinite `a` makes q 1 */
static void
FillQ(ModelShap *shap, const ShapTree *tree, uint32 number, double a)
{
	const ShapRule *rule =
	SHAP_AT(shap, shap->rules[tree->passes - 1], const ShapRule);

	if (tree->passes > SHAP_TABULATED)
		SHAP_AT(shap, tree->q, double)[number] = a;
	else
		for (uint32 pass = 0; pass < tree->passes; pass++)
			for (int i = 0; i < SHAP_LANES; i++)
			{
				Size		at = (Size) pass * tree->nq + number;
				double		q = a * rule[pass].first[i];

				SHAP_AT(shap, tree->q, double)[at * SHAP_LANES + i] =
					isinf(a) ? 1.0 : q / (q + rule[pass].t[i]);
			}
}

/* Fills a tree's arrays, all but the values */
static void
FillTree(ModelShap *shap, uint32 *map, const Model *model,
		 const ModelTree *tree, const ShapTree *target)
{
	ShapSplit  *splits = SHAP_AT(shap, target->splits, ShapSplit);
	ShapBottom *bottoms = SHAP_AT(shap, target->bottoms, ShapBottom);
	ShapSpecial *special = SHAP_AT(shap, target->specials, ShapSpecial);
	uint32		nsplits = 0;
	uint32		nbottoms = 0;
	uint32		nleaves = 0;
	uint32		nq = SHAP_REPEATS;
	TreeWalk	walk;

	FillQ(shap, target, SHAP_OFF, INFINITY);
	FillQ(shap, target, SHAP_FIRST, 1.0);
	StartWalk(&walk, model, tree);
	for (;;)
	{
		const ModelNode *node = &walk.nodes[walk.node];
		const PathEntry *parent =
		walk.depth > 0 ? &walk.path[walk.depth - 1] : NULL;
		const PathEntry *above;
		uint32		slot;
		uint32		q = SHAP_FIRST;
		uint32		edge = 0;
		uint32		input;
		double		threshold;
		bool		bottom;

		if (MODEL_IS_LEAF(node))
		{
			if (!IsBottom(walk.nodes, parent->node))
				splits[parent->split].child[parent->side] =
					target->nsplits + target->nbottoms + nleaves++;
			if (!LeaveLeaf(&walk))
				break;
			continue;
		}

		bottom = IsBottom(walk.nodes, walk.node);
		slot = bottom ? target->nsplits + nbottoms : nsplits;
		if (parent)
			splits[parent->split].child[parent->side] = slot;

		above = FindAbove(&walk, node->feature);
		if (above)
		{
			edge = 2 * (above->split + 1) + above->side;
			q = nq++;
			FillQ(shap, target, q, above->a * above->share[above->side]);
		}

		if (ShapIsSpecial(node))
		{
			special->slot = slot;
			special->node = tree->root + walk.node;
			special++;
			threshold = 0;
		}
		else if (node->flags & NODE_LE)
			threshold = nextafter(node->u.threshold, INFINITY);
		else
			threshold = node->u.threshold;
		input = InputNumber(shap, map, node);
		if (node->flags & NODE_DEFAULT_LEFT)
			input |= SHAP_DEFAULT_LEFT;
		if (bottom)
		{
			bottoms[nbottoms].threshold = threshold;
			bottoms[nbottoms].input = input;
			bottoms[nbottoms].above = edge;
			bottoms[nbottoms].q = q;
			bottoms[nbottoms].reserved = 0;
			nbottoms++;
		}
		else
		{
			splits[nsplits].threshold = threshold;
			ShapShares(walk.nodes, walk.covers, walk.node, splits[nsplits].share);
			splits[nsplits].input = input;
			splits[nsplits].above = edge;
			splits[nsplits].q = q;
			splits[nsplits].reserved = 0;
			nsplits++;
		}
		EnterSplit(&walk, above, slot);
	}
}

/*
 * Fills the values that a tree has for an output.  Returns their mean, by
 * cover.
 */
static double
FillValues(ModelShap *shap, const Model *model, const ModelTree *tree,
		   uint32 output, const ShapTree *target)
{
	ShapValue  *value = SHAP_AT(shap, target->values, ShapValue);
	double	   *leaf_value = (double *) (value + target->nbottoms);
	double		mean = 0;
	TreeWalk	walk;

	StartWalk(&walk, model, tree);
	for (;;)
	{
		const ModelNode *node = &walk.nodes[walk.node];

		if (MODEL_IS_LEAF(node))
		{
			double		leaf = ModelLeafValue(model, node, output, NULL);
			double		weight = 1.0;

			for (int i = walk.depth - 1; i >= 0; i--)
				weight *= walk.path[i].share[walk.path[i].side];
			mean += weight * leaf;
			if (walk.depth > 0 &&
				!IsBottom(walk.nodes, walk.path[walk.depth - 1].node))
				*leaf_value++ = leaf;
			if (!LeaveLeaf(&walk))
				break;
		}
		else
		{
			if (IsBottom(walk.nodes, walk.node))
			{
				double		share[2];
				double		leaf[2];

				ShapShares(walk.nodes, walk.covers, walk.node, share);
				leaf[0] = ModelLeafValue(model, node + 1, output, NULL);
				leaf[1] = ModelLeafValue(model, &walk.nodes[node->right],
										 output, NULL);
				value->mean = share[0] * leaf[0] + share[1] * leaf[1];
				value->gain[0] = leaf[0] - value->mean;
				value->gain[1] = leaf[1] - value->mean;
				value++;
			}
			EnterSplit(&walk, NULL, 0);
		}
	}
	return mean;
}

/* Where x of a comparison is: twice, by where what is missing goes */
static inline uint32
TestNumber(uint32 input)
{
	return 2 * SHAP_INPUT(input) + ((input & SHAP_DEFAULT_LEFT) != 0);
}

/* The same splits, as a shallow tree's tables have them */
static void
FillBlocks(ModelShap *shap, const Model *model, const ModelTree *tree,
		   uint32 output, const ShapTree *target)
{
	const ModelNode *nodes = MODEL_NODES(model) + tree->root;
	const ShapSplit *split = SHAP_AT(shap, target->splits, const ShapSplit);
	const ShapBottom *bottom = SHAP_AT(shap, target->bottoms, const ShapBottom);
	ShapTest	tests[2 << SHAP_BLOCKS_DEPTH];

	Assert(tree->nnodes <= lengthof(tests));
	for (uint32 node = 0; node < tree->nnodes; node++)
	{
		if (MODEL_IS_LEAF(&nodes[node]))
			continue;
		if (IsBottom(nodes, node))
		{
			tests[node].threshold = bottom->threshold;
			tests[node].number = TestNumber(bottom->input);
			bottom++;
		}
		else
		{
			tests[node].threshold = split->threshold;
			tests[node].number = TestNumber(split->input);
			split++;
		}
	}
	ShapBlocksInit(SHAP_AT(shap, target->blocks, ShapBlocks), model, tree, output, tests);
}

/* All that LayOut made room for; *used is where the trees' arrays begin */
static bool
FillTrees(const Model *model, ModelShap *shap, Size used, Size map)
{
	const ModelTree *trees = MODEL_TREES(model);
	double	   *expected = SHAP_AT(shap, shap->expected, double);
	uint32	   *first = SHAP_AT(shap, shap->first, uint32);
	uint32	   *numbers = SHAP_AT(shap, map, uint32);

	for (int i = 0; i < SHAP_MAX_PASSES; i++)
		if (shap->rules[i] != 0)
			FillRule(SHAP_AT(shap, shap->rules[i], ShapRule), i + 1);
	memset(numbers, 0, 4 * sizeof(uint32) * model->nfeatures);
	shap->ninputs = 0;

	/*
	 * Where the trees of each output begin: first[k + 1] counts them, then
	 * holds where the next one of output k goes, which in the end is where
	 * those of output k + 1 begin.
	 */
	memset(first, 0, sizeof(uint32) * ((Size) model->noutputs + 1));
	for (uint32 i = 0; i < model->ntrees; i++)
	{
		if (trees[i].nnodes == 1)
			continue;
		if (trees[i].output != MODEL_ALL_OUTPUTS)
			first[trees[i].output + 1]++;
		else
			for (uint32 k = 0; k < model->noutputs; k++)
				first[k + 1]++;
	}
	for (uint32 k = 0, sum = 0; k < model->noutputs; k++)
	{
		uint32		count = first[k + 1];

		first[k + 1] = sum;
		sum += count;
	}

	for (uint32 i = 0; i < model->ntrees; i++)
	{
		TreeWalk	walk;
		TreeCounts	counts;
		ShapTree	tree;

		if (ModelIsCancelled())
			return false;
		CountTree(&walk, model, &trees[i], &counts);
		if (counts.passes > 0)
		{
			LayOutTree(&counts, &used, &tree);
			FillTree(shap, numbers, model, &trees[i], &tree);
		}
		else
			memset(&tree, 0, sizeof(ShapTree));
		for (uint32 j = 0; j < TreeOutputs(model, &trees[i]); j++)
		{
			uint32		k = trees[i].output == MODEL_ALL_OUTPUTS ? j :
			trees[i].output;

			if (counts.passes > 0)
			{
				LayOutValues(model, shap, &trees[i], &used, &tree);
				if (tree.blocks > 0)
					FillBlocks(shap, model, &trees[i], k, &tree);
				SHAP_AT(shap, shap->trees, ShapTree)[first[k + 1]++] = tree;
			}
			expected[k] += FillValues(shap, model, &trees[i], k, &tree);
		}
	}
	Assert(used == map);
	return true;
}

Size
ModelShapSize(const Model *model)
{
	ModelShap	shap;
	Size		arrays;
	Size		map;

	return LayOut(model, &shap, &arrays, &map) ? shap.size : 0;
}

ModelShap  *
ModelShapInit(const Model *model, void *memory)
{
	ModelShap  *shap = memory;
	Size		arrays = 0;
	Size		map = 0;
	double	   *expected;

	if (!LayOut(model, shap, &arrays, &map))
		return NULL;
	expected = SHAP_AT(shap, shap->expected, double);
	memcpy(expected, MODEL_START(model), model->noutputs * sizeof(double));
	if (!(model->flags & MODEL_IS_LINEAR) &&
		!FillTrees(model, shap, arrays, map))
		return NULL;
	for (uint32 k = 0; k < model->noutputs; k++)
		expected[k] = expected[k] * shap->factor + MODEL_BIAS(model)[k];
	return shap;
}

/*
 * Scratch memory of a row, of a tree or of a pass over it.
 */
typedef struct ShapScratch
{
	double	   *x;				/* [ninputs] */
	Lanes	   *sums;			/* [ninputs] */
	double	   *x2;				/* [2 * ninputs], for trees with tables */
	double	   *flat;			/* [ninputs], their sums */
	Lanes	   *g;				/* [max_slots] */
	Lanes	   *e;				/* [max_slots] */
	Lanes	   *computed;		/* [max_computed] */
	uint32	   *q;				/* [max_splits] */
	uint8	   *side;			/* [max_slots]: where the row goes */
	uint8	   *on;				/* [2 * (max_splits + 1)]: does the row take
								 * the edge and all above of its feature? */
	Size		size;
} ShapScratch;

/* NULL when the memory is only measured */
static inline void *
Place(char *memory, Size *used, uint64 count, Size size)
{
	Size		at = Reserve(used, count, size);

	return memory ? memory + at : NULL;
}

static void
LayOutScratch(const ModelShap *shap, char *memory, ShapScratch *scratch)
{
	Size		used = 0;

	scratch->g = Place(memory, &used, shap->max_slots, sizeof(Lanes));
	scratch->e = Place(memory, &used, shap->max_slots, sizeof(Lanes));
	scratch->sums = Place(memory, &used, shap->ninputs, sizeof(Lanes));
	scratch->x2 = Place(memory, &used, shap->ninputs, 2 * sizeof(double));
	scratch->flat = Place(memory, &used, shap->ninputs, sizeof(double));
	scratch->computed = Place(memory, &used, shap->max_computed, sizeof(Lanes));
	scratch->x = Place(memory, &used, shap->ninputs, sizeof(double));
	scratch->q = Place(memory, &used, shap->max_splits, sizeof(uint32));
	scratch->side = Place(memory, &used, shap->max_slots, sizeof(uint8));
	scratch->on = Place(memory, &used, 2 * ((uint64) shap->max_splits + 1),
						sizeof(uint8));
	scratch->size = used;
}

Size
ModelShapScratchSize(const ModelShap *shap)
{
	ShapScratch scratch;

	LayOutScratch(shap, NULL, &scratch);
	return scratch.size;
}

/* 1 when a row goes right */
static inline uint8
ComparedSide(double x, double threshold, uint32 input)
{
	return !((x < threshold) |
			 ((x != x) & ((input & SHAP_DEFAULT_LEFT) != 0)));
}

/* Where the row goes at each split of a tree */
static pg_attribute_always_inline void
DecideTree(const Model *model, const ModelShap *shap, const ShapTree *tree,
		   const ShapScratch *scratch, const double *row)
{
	const ShapSplit *splits = SHAP_AT(shap, tree->splits, const ShapSplit);
	const ShapBottom *bottoms = SHAP_AT(shap, tree->bottoms, const ShapBottom);
	const ShapSpecial *specials =
	SHAP_AT(shap, tree->specials, const ShapSpecial);
	uint8	   *side = scratch->side;
	uint8	   *on = scratch->on;
	const double *x = scratch->x;

	for (uint32 i = 0; i < tree->nsplits; i++)
		side[i] = ComparedSide(x[SHAP_INPUT(splits[i].input)],
							   splits[i].threshold, splits[i].input);
	for (uint32 i = 0; i < tree->nbottoms; i++)
		side[tree->nsplits + i] =
			ComparedSide(x[SHAP_INPUT(bottoms[i].input)],
						 bottoms[i].threshold, bottoms[i].input);
	for (uint32 i = 0; i < tree->nspecials; i++)
	{
		const ModelNode *node = MODEL_NODES(model) + specials[i].node;

		side[specials[i].slot] = !ModelGoesLeft(model, node,
												row[node->feature]);
	}

	on[0] = 1;
	for (uint32 i = 0; i < tree->nsplits; i++)
	{
		on[2 * i + 2 + side[i]] = on[splits[i].above];
		on[2 * i + 3 - side[i]] = 0;
	}
}

/* Adds the derivatives of one tree's polynomial at SHAP_LANES nodes */
static pg_attribute_always_inline void
TreePass(const ModelShap *shap, const ShapTree *tree, int pass,
		 const ShapScratch *scratch)
{
	const ShapSplit *splits = SHAP_AT(shap, tree->splits, const ShapSplit);
	const ShapBottom *bottoms = SHAP_AT(shap, tree->bottoms, const ShapBottom);
	const ShapValue *values = SHAP_AT(shap, tree->values, const ShapValue);
	const double *leaves = (const double *) (values + tree->nbottoms);
	const ShapRule *rule =
	SHAP_AT(shap, shap->rules[tree->passes - 1], const ShapRule) + pass;
	const uint8 *side = scratch->side;
	const uint8 *on = scratch->on;
	Lanes	   *g = scratch->g;
	Lanes	   *e = scratch->e;
	const Lanes *table;

	if (tree->passes <= SHAP_TABULATED)
		table = SHAP_AT(shap, tree->q, const Lanes) + (Size) pass * tree->nq;
	else
	{
		const double *a = SHAP_AT(shap, tree->q, const double);
		const Lanes first = *(const Lanes *) rule->first;
		const Lanes t = *(const Lanes *) rule->t;

		scratch->computed[SHAP_OFF] = 1.0 + (Lanes)
		{
			0
		};
		for (uint32 i = SHAP_FIRST; i < tree->nq; i++)
			scratch->computed[i] = a[i] * first / (a[i] * first + t);
		table = scratch->computed;
	}

	g[0] = *(const Lanes *) rule->start;
	for (uint32 i = 0; i < tree->nsplits; i++)
	{
		const ShapSplit *split = &splits[i];
		uint32		number = on[split->above] * split->q;
		uint32		hot = side[i];
		Lanes		q = table[number];

		scratch->q[i] = number;
		g[split->child[hot]] = g[i] * (split->share[hot] * q + (1.0 - q));
		g[split->child[1 - hot]] = g[i] * (split->share[1 - hot] * q);
	}

	g += tree->nsplits;
	e += tree->nsplits;
	side += tree->nsplits;
	for (uint32 i = 0; i < tree->nbottoms; i++)
	{
		const ShapBottom *bottom = &bottoms[i];
		Lanes		q = table[on[bottom->above] * bottom->q];
		Lanes		p_gain = (1.0 - q) * values[i].gain[side[i]];

		e[i] = values[i].mean + p_gain;
		scratch->sums[SHAP_INPUT(bottom->input)] += g[i] * (q * p_gain);
	}
	e += tree->nbottoms;
	for (uint32 i = 0; i < tree->nleaves; i++)
		e[i] = leaves[i] + (Lanes)
	{
		0
	};

	g = scratch->g;
	e = scratch->e;
	side = scratch->side;
	for (uint32 i = tree->nsplits; i-- > 0;)
	{
		const ShapSplit *split = &splits[i];
		uint32		hot = side[i];
		Lanes		q = table[scratch->q[i]];
		Lanes		e_hot = e[split->child[hot]];
		Lanes		mean = split->share[hot] * e_hot +
		split->share[1 - hot] * e[split->child[1 - hot]];
		Lanes		p_gain = (1.0 - q) * (e_hot - mean);

		e[i] = mean + p_gain;
		scratch->sums[SHAP_INPUT(split->input)] += g[i] * (q * p_gain);
	}
}

/* All trees of an output */
static SHAP_CLONES void
AddTrees(const Model *model, const ModelShap *shap, uint32 output,
		 const ShapScratch *scratch, const double *row)
{
	const uint32 *first = SHAP_AT(shap, shap->first, const uint32) + output;
	const ShapTree *trees = SHAP_AT(shap, shap->trees, const ShapTree);
	ShapFound	found[SHAP_FOUND];
	int			nfound = 0;

	for (uint32 i = first[0]; i < first[1]; i++)
	{
		if (trees[i].blocks > 0)
		{
			/* of some trees, before any of it is added */
			if (nfound > SHAP_FOUND - SHAP_BLOCKS_MAX)
			{
				ShapBlocksAdd(found, nfound, scratch->flat);
				nfound = 0;
			}
			nfound += ShapBlocksFind(SHAP_AT(shap, trees[i].blocks, ShapBlocks),
									 scratch->x2, &found[nfound]);
			continue;
		}
		DecideTree(model, shap, &trees[i], scratch, row);
		for (uint32 pass = 0; pass < trees[i].passes; pass++)
			TreePass(shap, &trees[i], pass, scratch);
	}
	ShapBlocksAdd(found, nfound, scratch->flat);
}

/* A linear model's contributions are its terms */
static void
LinearValues(const Model *model, const ModelShap *shap, const double *row,
			 double *contributions)
{
	uint32		n = model->nfeatures;

	for (uint32 k = 0; k < model->noutputs; k++)
	{
		const double *weights = MODEL_WEIGHTS(model, k);

		for (uint32 f = 0; f < n; f++)
			contributions[f] = isnan(row[f]) ? 0.0 :
				weights[f] * row[f] * shap->factor;
		contributions[n] = SHAP_AT(shap, shap->expected, const double)[k];
		contributions += n + 1;
	}
}

void
ModelShapValues(const Model *model, const ModelShap *shap, void *scratch,
				const double *row, double *contributions)
{
	const ShapInput *inputs = SHAP_AT(shap, shap->inputs, const ShapInput);
	uint32		n = model->nfeatures;
	ShapScratch s;

	if (model->flags & MODEL_IS_LINEAR)
	{
		LinearValues(model, shap, row, contributions);
		return;
	}
	LayOutScratch(shap, scratch, &s);
	for (uint32 i = 0; i < shap->ninputs; i++)
	{
		double		x = row[inputs[i].feature];

		if (inputs[i].missing == NODE_MISSING_NONE && isnan(x))
			x = 0.0;
		else if (inputs[i].missing == NODE_MISSING_ZERO &&
				 fabs(x) <= MODEL_ZERO)
			x = NAN;
		s.x[i] = x;
		s.x2[2 * i] = x;
		s.x2[2 * i + 1] = isnan(x) ? -INFINITY : x;
	}

	memset(contributions, 0,
		   sizeof(double) * ((Size) n + 1) * model->noutputs);
	for (uint32 k = 0; k < model->noutputs; k++)
	{
		memset(s.sums, 0, sizeof(Lanes) * shap->ninputs);
		memset(s.flat, 0, sizeof(double) * shap->ninputs);
		AddTrees(model, shap, k, &s, row);
		for (uint32 i = 0; i < shap->ninputs; i++)
		{
			const double *sum = (const double *) &s.sums[i];

			contributions[inputs[i].feature] +=
				((sum[0] + sum[2]) + (sum[1] + sum[3]) + s.flat[i]) * shap->factor;
		}
		contributions[n] = SHAP_AT(shap, shap->expected, const double)[k];
		contributions += n + 1;
	}
}
