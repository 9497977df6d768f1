/*
 * lanes.c
 *		Walking many trees at once.
 *
 * A walk down a tree is a chain of dependent loads, so one walk keeps a core
 * waiting.  Here 64 trees are walked side by side, all for the same number of
 * steps and without a branch, so that their loads overlap: with gathers where
 * there is AVX-512, eight scalar walks at a time elsewhere.
 *
 * The nodes are a second, compact form of the model's own:
 *
 *	 float32 (MODEL_SINGLE)			 float64
 *	 +-------+------+------+		 +---------------+-------+-------+
 *	 | value | slot | left |		 |	   value	 | slot	 | left	 |
 *	 +-------+------+------+		 +---------------+-------+-------+
 *		4		2	   2				8			 4		 4
 *
 * The next node is left, or left + 1 unless slot < value.	Children lie side by
 * side.  A leaf's slot holds -Infinity and its left is itself, so a walk that has
 * arrived stays; its value is what the leaf adds.  A tree's nodes are in order of
 * breadth; the root is number 1, so that no pair crosses a cache line.
 *
 * Missing values and <= cost nothing in the walk.	A row is first spread into
 * slots, once for each way in which some split looks at missing values
 * ("region"): with NaN as it is (the comparison is false, so right), as
 * -Infinity (true, so left), and so on.  x <= t is x < the next number above t.
 *
 * Splits that this can't express (sets of categories, infinite thresholds) are
 * "odd".  Equal ones, and one-hot splits are mostly equal, share a slot, which
 * each row fills with -Infinity or Infinity, as the split says.  Where there are
 * too many of them, and where 16 bits can't count a tree's nodes, trees are
 * walked plainly; their place holds an empty tree.  Trees are taken in windows; within one they are sorted by depth, so
 * that trees which are walked together are about as deep; deep ones are mostly
 * left early, so after some steps it is asked whether all have arrived.	Leaves are added up
 * in the model's order of trees, as the sum's rounding demands.
 *
 *	 | Lanes | LaneTree[ntrees, rounded up to 64] | nodes | odd splits |
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(NO_LANES_AVX512)
#define LANES_AVX512
#include <immintrin.h>
#endif

#include "lanes.h"

#define WINDOW	256				/* trees that are sorted and summed together */
#define BLOCK	64				/* trees that are walked together */
#define MAX_ODD	2048			/* slots for odd splits */
#define ASK_FROM	7			/* steps before asking for an early end */

/* How a region shows a feature's value */
typedef enum LaneRegion
{
	REGION_NAN_RIGHT,			/* as it is: NaN goes right */
	REGION_NAN_LEFT,			/* NaN is -Infinity: goes left */
	REGION_NONE,				/* NaN is 0 */
	REGION_ZERO_RIGHT,			/* zero is NaN */
	REGION_ZERO_LEFT,			/* NaN and zero are -Infinity */
	REGIONS						/* number of regions */
} LaneRegion;

typedef struct Lanes
{
	uint32		regions;		/* bitmap of those in use */
	uint32		nslots;			/* features * regions, odd ones, -Infinity */
	uint32		ntrees;			/* a multiple of BLOCK */
	uint32		nnodes;			/* the empty tree included */
	uint32		nplain;			/* trees that are walked plainly */
	uint32		nodd;			/* odd splits that have a slot */
	uint32		reserved[10];	/* 0; makes it a cache line */
} Lanes;

/* In order of walking; order and plain belong to the tree at this place in the
 * model */
typedef struct LaneTree
{
	uint32		first;			/* node 0 of the tree */
	uint16		depth;
	uint8		order;			/* which lane of the window its leaf is in */
	uint8		plain;
} LaneTree;

typedef struct LaneNode4
{
	float		value;
	uint16		slot;
	uint16		left;
} LaneNode4;

typedef struct LaneNode8
{
	double		value;
	uint32		slot;
	uint32		left;
} LaneNode8;

#define LANE_TREES(lanes)	((LaneTree *) ((lanes) + 1))
#define LANE_NODES(lanes)	((void *) (LANE_TREES(lanes) + (lanes)->ntrees))

/* Nodes are rounded up to whole cache lines of LaneNode4 */
#define TREE_NODES(n)		TYPEALIGN(8, (n) + 1)

static inline Lanes *
GetLanes(const Model *model)
{
	return MODEL_AT(model, SECTION_LANES, Lanes);
}

static LaneRegion
RegionOf(const ModelNode *node)
{
	bool		left = (node->flags & NODE_DEFAULT_LEFT) != 0;

	switch (node->flags & NODE_MISSING)
	{
		case NODE_MISSING_NONE:
			return REGION_NONE;
		case NODE_MISSING_ZERO:
			return left ? REGION_ZERO_LEFT : REGION_ZERO_RIGHT;
		default:
			return left ? REGION_NAN_LEFT : REGION_NAN_RIGHT;
	}
}

/* The threshold for <, in the model's width */
static double
LaneThreshold(const Model *model, const ModelNode *node)
{
	double		t = node->u.threshold;

	if (!(node->flags & NODE_LE))
		return t;
	if (model->flags & MODEL_SINGLE)
		return nextafterf((float) t, INFINITY);
	return nextafter(t, INFINITY);
}

/*
 * -Infinity is not below -Infinity, and nothing is above Infinity, so that
 * these thresholds are odd too.
 */
static inline bool
IsOdd(const Model *model, const ModelNode *node)
{
	if (MODEL_IS_LEAF(node))
		return false;
	return (node->flags & NODE_SET) || isinf(node->u.threshold) ||
		((model->flags & MODEL_SINGLE) &&
		 (float) node->u.threshold != node->u.threshold);
}

/* Orders odd splits so that equal ones meet */
static int
CompareOdd(const void *a, const void *b, void *arg)
{
	const Model *model = arg;
	const ModelNode *x = MODEL_NODES(model) + *(const uint32 *) a;
	const ModelNode *y = MODEL_NODES(model) + *(const uint32 *) b;

	if (x->feature != y->feature)
		return x->feature < y->feature ? -1 : 1;
	if (x->flags != y->flags)
		return x->flags < y->flags ? -1 : 1;
	if (!(x->flags & NODE_SET))
		return x->u.threshold < y->u.threshold ? -1 :
			x->u.threshold > y->u.threshold;
	if (x->u.at.count != y->u.at.count)
		return x->u.at.count < y->u.at.count ? -1 : 1;
	return memcmp(MODEL_SETS(model) + x->u.at.first,
				  MODEL_SETS(model) + y->u.at.first,
				  x->u.at.count * sizeof(uint32));
}

/*
 * The different odd splits, in order; from malloc.  None when there are too
 * many, or no memory.
 */
static uint32 *
CollectOdd(const Model *model, uint32 *n)
{
	const ModelNode *nodes = MODEL_NODES(model);
	uint32	   *odd = NULL;
	uint32		capacity = 0;
	uint32		different = 0;

	*n = 0;
	for (uint32 i = 0; i < model->nnodes; i++)
	{
		if (!IsOdd(model, &nodes[i]))
			continue;
		if (*n == capacity)
		{
			uint32	   *grown;

			capacity = Max(2 * capacity, 64);
			grown = realloc(odd, capacity * sizeof(uint32));
			if (grown == NULL)
			{
				*n = 0;
				break;
			}
			odd = grown;
		}
		odd[(*n)++] = i;
	}
	if (*n > 0)
		qsort_arg(odd, *n, sizeof(uint32), CompareOdd, (void *) model);
	for (uint32 i = 0; i < *n; i++)
		if (different == 0 ||
			CompareOdd(&odd[different - 1], &odd[i], (void *) model) != 0)
			odd[different++] = odd[i];
	*n = different <= MAX_ODD ? different : 0;
	return odd;
}

/* odd: do odd splits have slots? */
static bool
IsLaneTree(const Model *model, const ModelTree *tree, bool odd)
{
	const ModelNode *nodes = MODEL_NODES(model) + tree->root;

	if (tree->nnodes >= PG_UINT16_MAX)
		return false;
	for (uint32 i = 0; i < tree->nnodes && !odd; i++)
		if (IsOdd(model, &nodes[i]))
			return false;
	return true;
}

/* What determines the section's size; false: no lanes */
static bool
MeasureLanes(const Model *model, Lanes *lanes)
{
	uint64		nnodes = TREE_NODES(1);
	uint32		nregions = 0;

	memset(lanes, 0, sizeof(Lanes));
	if (model->ntrees == 0 ||
		(model->flags & (MODEL_VECTOR_LEAVES | MODEL_LINEAR_LEAVES)))
		return false;
	free(CollectOdd(model, &lanes->nodd));
	for (uint32 t = 0; t < model->ntrees; t++)
	{
		const ModelTree *tree = MODEL_TREES(model) + t;
		const ModelNode *nodes = MODEL_NODES(model) + tree->root;

		if (!IsLaneTree(model, tree, lanes->nodd > 0))
		{
			lanes->nplain++;
			continue;
		}
		nnodes += TREE_NODES(tree->nnodes);
		for (uint32 i = 0; i < tree->nnodes; i++)
			if (!MODEL_IS_LEAF(&nodes[i]) && !IsOdd(model, &nodes[i]))
				lanes->regions |= 1 << RegionOf(&nodes[i]);
	}
	for (int r = 0; r < REGIONS; r++)
		nregions += lanes->regions >> r & 1;
	lanes->nslots = nregions * model->nfeatures + lanes->nodd + 1;
	lanes->ntrees = TYPEALIGN(BLOCK, model->ntrees);
	lanes->nnodes = (uint32) nnodes;
	if (lanes->nplain == model->ntrees || nnodes > PG_INT32_MAX / 2)
		return false;
	return !(model->flags & MODEL_SINGLE) || lanes->nslots <= PG_UINT16_MAX;
}

static Size
LaneNodeBytes(const Model *model)
{
	return model->flags & MODEL_SINGLE ? sizeof(LaneNode4) : sizeof(LaneNode8);
}

Size
ModelLanesSize(const Model *model)
{
	Lanes		lanes;

	if (!MeasureLanes(model, &lanes))
		return 0;
	return sizeof(Lanes) + lanes.ntrees * sizeof(LaneTree) +
		lanes.nnodes * LaneNodeBytes(model) + lanes.nodd * sizeof(uint32);
}

/* The odd splits that have slots */
static inline uint32 *
OddSplits(const Model *model, const Lanes *lanes)
{
	return (uint32 *) ((char *) LANE_NODES(lanes) +
					   lanes->nnodes * LaneNodeBytes(model));
}

/* The slot of the first of them */
static inline uint32
OddSlot(const Lanes *lanes)
{
	return lanes->nslots - 1 - lanes->nodd;
}

/* ---- building --------------------------------------------------------------- */

static void
PutNode(const Model *model, const Lanes *lanes, uint32 number, double value,
		uint32 slot, uint32 left)
{
	if (model->flags & MODEL_SINGLE)
	{
		LaneNode4  *node = (LaneNode4 *) LANE_NODES(lanes) + number;

		node->value = (float) value;
		node->slot = (uint16) slot;
		node->left = (uint16) left;
	}
	else
	{
		LaneNode8  *node = (LaneNode8 *) LANE_NODES(lanes) + number;

		node->value = value;
		node->slot = slot;
		node->left = left;
	}
}

/* The first slot of a region */
static uint32
RegionSlot(const Model *model, const Lanes *lanes, LaneRegion region)
{
	uint32		before = 0;

	for (int r = 0; r < region; r++)
		before += lanes->regions >> r & 1;
	return before * model->nfeatures;
}

/* Which odd split is equal to this one? */
static uint32
FindOdd(const Model *model, const Lanes *lanes, uint32 number)
{
	const uint32 *odd = OddSplits(model, lanes);
	uint32		low = 0;
	uint32		high = lanes->nodd;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		int			difference = CompareOdd(&number, &odd[middle],
											(void *) model);

		if (difference == 0)
			return middle;
		if (difference > 0)
			low = middle + 1;
		else
			high = middle;
	}
	Assert(false);
	return 0;
}

/*
 * A tree from preorder into breadth order.	 queue holds the node of the model
 * for each lane node that has a number.
 */
static void
PutTree(const Model *model, const Lanes *lanes, const ModelTree *tree,
		uint32 first, uint32 *queue)
{
	const ModelNode *nodes = MODEL_NODES(model) + tree->root;
	uint32		end = 2;

	queue[1] = 0;
	for (uint32 i = 1; i < end; i++)
	{
		const ModelNode *node = nodes + queue[i];

		if (MODEL_IS_LEAF(node))
		{
			PutNode(model, lanes, first + i, node->u.leaf, lanes->nslots - 1,
					i);
			continue;
		}
		if (IsOdd(model, node))
		{
			uint32		number = (uint32) (node - MODEL_NODES(model));

			PutNode(model, lanes, first + i, 0.0,
					OddSlot(lanes) + FindOdd(model, lanes, number), end);
		}
		else
			PutNode(model, lanes, first + i, LaneThreshold(model, node),
					RegionSlot(model, lanes, RegionOf(node)) + node->feature,
					end);
		queue[end++] = queue[i] + 1;
		queue[end++] = node->right;
	}
}

void
ModelBuildLanes(Model *model)
{
	Lanes	   *lanes = GetLanes(model);
	uint32		first;
	uint32	   *queue;
	uint32	   *odd;
	uint32		nodd;

	if (model->nlanebytes == 0)
		return;
	queue = malloc((PG_UINT16_MAX + 1) * sizeof(uint32));
	if (queue == NULL || !MeasureLanes(model, lanes))
	{
		/* ModelCheckLanes will find it empty */
		memset(lanes, 0, model->nlanebytes);
		free(queue);
		return;
	}

	odd = CollectOdd(model, &nodd);
	if (nodd > 0 && nodd == lanes->nodd)
		memcpy(OddSplits(model, lanes), odd, nodd * sizeof(uint32));
	free(odd);

	/* The empty tree is at 0 */
	PutNode(model, lanes, 1, 0.0, lanes->nslots - 1, 1);
	first = TREE_NODES(1);
	for (uint32 window = 0; window < lanes->ntrees; window += WINDOW)
	{
		LaneTree   *trees = LANE_TREES(lanes) + window;
		uint32		n = Min(WINDOW, model->ntrees - window);
		uint32		nlanes = Min(WINDOW, lanes->ntrees - window);
		uint16		depth[WINDOW] = {0};
		int			lane = 0;

		for (uint32 i = 0; i < n; i++)
			if (IsLaneTree(model, MODEL_TREES(model) + window + i,
						   lanes->nodd > 0))
				depth[i] = MODEL_TREES(model)[window + i].depth + 1;

		/* Plain and absent trees first; trees of one depth keep their order */
		for (uint32 d = 0; d <= model->depth + 1; d++)
			for (int i = 0; i < nlanes; i++)
			{
				if (depth[i] != d)
					continue;
				trees[i].order = (uint8) lane;
				if (d == 0)
					trees[i].plain = i < n;
				else
				{
					const ModelTree *tree = MODEL_TREES(model) + window + i;

					trees[lane].first = first;
					trees[lane].depth = (uint16) tree->depth;
					PutTree(model, lanes, tree, first, queue);
					first += TREE_NODES(tree->nnodes);
				}
				lane++;
			}
	}
	free(queue);
}

/*
 * What evaluation reads is inside; that the lanes say the same as the trees is
 * the builder's word, which the value's digest keeps.
 */
bool
ModelCheckLanes(const Model *model, ModelError *error)
{
	const Lanes *lanes = GetLanes(model);
	Lanes		expected;
	uint64		used = 0;
	bool		fine;

	if (model->nlanebytes != ModelLanesSize(model))
		return ModelFail(error, MODEL_INVALID,
						 "lanes of the model are malformed");
	if (model->nlanebytes == 0)
		return true;
	fine = MeasureLanes(model, &expected) &&
		memcmp(&expected, lanes, sizeof(Lanes)) == 0;
	for (uint32 i = 0; i < expected.nodd && fine; i++)
		fine = OddSplits(model, lanes)[i] < model->nnodes &&
			IsOdd(model, MODEL_NODES(model) + OddSplits(model, lanes)[i]);
	for (uint32 t = 0; t < expected.ntrees && fine; t++)
	{
		const LaneTree *tree = LANE_TREES(lanes) + t;

		fine = (uint64) tree->first + 1 < lanes->nnodes &&
			tree->depth <= MODEL_MAX_DEPTH &&
			tree->plain <= (t < model->ntrees);
	}

	/*
	 * A tree ends where no child is new.  Together they are no longer than
	 * the nodes, but for the empty one, which many share.
	 */
	for (uint32 t = 0; t < expected.ntrees && fine; t++)
	{
		const LaneTree *tree = LANE_TREES(lanes) + t;
		uint32		left = lanes->nnodes - tree->first;
		uint32		end = 2;

		for (uint32 i = 1; i < end && fine; i++)
		{
			uint32		child;
			uint32		slot;

			if (model->flags & MODEL_SINGLE)
			{
				const LaneNode4 *node = (LaneNode4 *) LANE_NODES(lanes) +
				tree->first + i;

				child = node->left;
				slot = node->slot;
			}
			else
			{
				const LaneNode8 *node = (LaneNode8 *) LANE_NODES(lanes) +
				tree->first + i;

				child = node->left;
				slot = node->slot;
			}
			fine = slot < lanes->nslots && (child == i || child == end);
			if (child == end)
			{
				end += 2;
				fine = fine && end <= left;
			}
			else
				fine = fine && slot == lanes->nslots - 1;
		}
		used += end - 2;
		fine = fine && used <= lanes->nnodes;
	}
	if (!fine)
		return ModelFail(error, MODEL_INVALID,
						 "lanes of the model are malformed");
	return true;
}

/* ---- evaluation --------------------------------------------------------------- */

/* Scratch: slots, the leaves of a window, the row in float64 */
static Size
SlotBytes(const Model *model, const Lanes *lanes)
{
	return TYPEALIGN(64, lanes->nslots *
					 (model->flags & MODEL_SINGLE ? sizeof(float) : sizeof(double)));
}

Size
LaneScratchSize(const Model *model)
{
	if (model->nlanebytes == 0)
		return 0;
	return SlotBytes(model, GetLanes(model)) + WINDOW * sizeof(double) +
		TYPEALIGN(64, model->nfeatures * sizeof(double));
}

/* Spread a row over the regions in use */
#define SPREAD(name, slot_type, row_type) \
static void \
name(const Model *model, const Lanes *lanes, const row_type *row, \
	 slot_type *slots) \
{ \
	uint32		n = model->nfeatures; \
	slot_type  *to = slots; \
	\
	if (lanes->regions & 1 << REGION_NAN_RIGHT) \
	{ \
		for (uint32 f = 0; f < n; f++) \
			to[f] = (slot_type) row[f]; \
		to += n; \
	} \
	if (lanes->regions & 1 << REGION_NAN_LEFT) \
	{ \
		for (uint32 f = 0; f < n; f++) \
			to[f] = row[f] == row[f] ? (slot_type) row[f] : -INFINITY; \
		to += n; \
	} \
	if (lanes->regions & 1 << REGION_NONE) \
	{ \
		for (uint32 f = 0; f < n; f++) \
			to[f] = row[f] == row[f] ? (slot_type) row[f] : 0; \
		to += n; \
	} \
	if (lanes->regions & 1 << REGION_ZERO_RIGHT) \
	{ \
		for (uint32 f = 0; f < n; f++) \
			to[f] = fabs((double) row[f]) <= MODEL_ZERO ? NAN : (slot_type) row[f]; \
		to += n; \
	} \
	if (lanes->regions & 1 << REGION_ZERO_LEFT) \
	{ \
		for (uint32 f = 0; f < n; f++) \
			to[f] = fabs((double) row[f]) > MODEL_ZERO ? (slot_type) row[f] : -INFINITY; \
		to += n; \
	} \
	for (uint32 i = 0; i < lanes->nodd; i++) \
	{ \
		const ModelNode *node = MODEL_NODES(model) + OddSplits(model, lanes)[i]; \
		\
		*to++ = ModelGoesLeft(model, node, row[node->feature]) ? -INFINITY : \
			INFINITY; \
	} \
	*to = -INFINITY; \
}

SPREAD(Spread44, float, float)
SPREAD(Spread48, float, double)
SPREAD(Spread84, double, float)
SPREAD(Spread88, double, double)

/* Walk a block of trees, eight side by side */
#define WALK(name, node_type, slot_type) \
static void \
name(const node_type *nodes, const LaneTree *trees, const slot_type *slots, \
	 slot_type *leaves) \
{ \
	for (int i = 0; i < BLOCK; i += 8) \
	{ \
		const node_type *tree[8]; \
		uint32		at[8]; \
		int			depth = trees[i + 7].depth; \
		\
		for (int k = 0; k < 8; k++) \
		{ \
			tree[k] = nodes + trees[i + k].first; \
			at[k] = 1; \
		} \
		for (int step = Min(depth, ASK_FROM); step > 0; step--) \
			for (int k = 0; k < 8; k++) \
			{ \
				const node_type *node = tree[k] + at[k]; \
				\
				at[k] = node->left + !(slots[node->slot] < node->value); \
			} \
		for (int step = depth - ASK_FROM; step > 0; step--) \
		{ \
			uint32		moved = 0; \
			\
			for (int k = 0; k < 8; k++) \
			{ \
				const node_type *node = tree[k] + at[k]; \
				uint32		next = node->left + \
					!(slots[node->slot] < node->value); \
				\
				moved |= next ^ at[k]; \
				at[k] = next; \
			} \
			if (moved == 0) \
				break; \
		} \
		for (int k = 0; k < 8; k++) \
			leaves[i + k] = tree[k][at[k]].value; \
	} \
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize ("unroll-loops")
#endif
WALK(Walk4, LaneNode4, float)
WALK(Walk8, LaneNode8, double)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif

#ifdef LANES_AVX512
#define AVX512	__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))

/* 16 trees in a vector, four vectors side by side */
AVX512 static void
Walk4Avx512(const LaneNode4 *nodes, const LaneTree *trees, const float *slots,
			float *leaves)
{
	const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16,
										  14, 12, 10, 8, 6, 4, 2, 0);
	const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17,
										 15, 13, 11, 9, 7, 5, 3, 1);
	const __m512i one = _mm512_set1_epi32(1);
	const __m512i low = _mm512_set1_epi32(0xffff);
	__m512i		tree[4];
	__m512i		at[4];
	__m512		value[4];
	int			depth = trees[BLOCK - 1].depth;

	for (int g = 0; g < 4; g++)
	{
		__m512i		a = _mm512_loadu_si512(trees + 16 * g);
		__m512i		b = _mm512_loadu_si512(trees + 16 * g + 8);

		tree[g] = _mm512_permutex2var_epi32(a, even, b);
		at[g] = _mm512_add_epi32(tree[g], one);
	}
	for (int level = 0; level <= depth; level++)
	{
#pragma GCC unroll 4
		for (int g = 0; g < 4; g++)
		{
			__m512i		a = _mm512_i32gather_epi64(_mm512_castsi512_si256(at[g]),
												   nodes, 8);
			__m512i		b = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at[g], 1),
												   nodes, 8);
			__m512i		next = _mm512_permutex2var_epi32(a, odd, b);
			__m512		x;
			__mmask16	right;

			value[g] = _mm512_castsi512_ps(_mm512_permutex2var_epi32(a, even, b));
			x = _mm512_i32gather_ps(_mm512_and_si512(next, low), slots, 4);
			right = _mm512_cmp_ps_mask(x, value[g], _CMP_NLT_UQ);
			at[g] = _mm512_add_epi32(tree[g], _mm512_srli_epi32(next, 16));
			at[g] = _mm512_mask_add_epi32(at[g], right, at[g], one);
		}
	}
	for (int g = 0; g < 4; g++)
		_mm512_storeu_ps(leaves + 16 * g, value[g]);
}

/* 8 trees in a vector, eight vectors in two halves */
AVX512 static void
Walk8Avx512(const LaneNode8 *nodes, const LaneTree *trees, const double *slots,
			uint32 nslots, double *leaves)
{
	const __m256i one = _mm256_set1_epi32(1);
	const __m512i low = _mm512_set1_epi64(0xffffffff);
	const __m512i leaf = _mm512_set1_epi64(nslots - 1);

	for (int half = 0; half < BLOCK; half += 32)
	{
		__m256i		tree[4];
		__m256i		at[4];
		__m512d		value[4];
		int			depth = trees[half + 31].depth;
		int			arrived = 0;

		for (int g = 0; g < 4; g++)
		{
			__m512i		a = _mm512_loadu_si512(trees + half + 8 * g);

			tree[g] = _mm512_cvtepi64_epi32(a);
			at[g] = _mm256_add_epi32(tree[g], one);
			value[g] = _mm512_setzero_pd();
		}
		/* Deep trees are mostly left early: ask whether all have arrived */
		for (int level = 0; level <= depth; level++)
		{
			bool		ask = level >= ASK_FROM;

#pragma GCC unroll 4
			for (int g = 0; g < 4; g++)
			{
				__m256i		index;
				__m512i		next;
				__m512d		x;
				__mmask8	right;

				if (arrived & 1 << g)
					continue;
				/* A node is two of what a gather counts */
				index = _mm256_add_epi32(at[g], at[g]);
				next = _mm512_i32gather_epi64(index, (const char *) nodes + 8, 8);
				value[g] = _mm512_i32gather_pd(index, nodes, 8);
				if (ask && _mm512_cmpneq_epi64_mask(_mm512_and_si512(next, low), leaf) == 0)
				{
					arrived |= 1 << g;
					continue;
				}
				x = _mm512_i32gather_pd(_mm512_cvtepi64_epi32(next), slots, 8);
				right = _mm512_cmp_pd_mask(x, value[g], _CMP_NLT_UQ);
				at[g] = _mm256_add_epi32(tree[g],
										 _mm512_cvtepi64_epi32(_mm512_srli_epi64(next, 32)));
				at[g] = _mm256_mask_add_epi32(at[g], right, at[g], one);
			}
			if (arrived == 15)
				break;
		}
		for (int g = 0; g < 4; g++)
			_mm512_storeu_pd(leaves + half + 8 * g, value[g]);
	}
}

/* -1: not asked yet */
static int	have_avx512 = -1;

static inline bool
HaveAvx512(void)
{
	if (unlikely(have_avx512 < 0))
		have_avx512 = __builtin_cpu_supports("avx512f") &&
			__builtin_cpu_supports("avx512dq") &&
			__builtin_cpu_supports("avx512bw") &&
			__builtin_cpu_supports("avx512vl");
	return have_avx512;
}
#endif

/* Leaves of a window whose trees have no lane */
static void
PlainLeaves(const Model *model, const LaneTree *trees, uint32 window, uint32 n,
			const double *row, void *leaves)
{
	for (uint32 i = 0; i < n; i++)
		if (trees[i].plain)
		{
			double		value = ModelTreeValue(model, window + i, row);

			if (model->flags & MODEL_SINGLE)
				((float *) leaves)[trees[i].order] = (float) value;
			else
				((double *) leaves)[trees[i].order] = value;
		}
}

static void
Sum4(const Model *model, const Lanes *lanes, const float *slots,
	 const double *row, float *leaves, double *margins)
{
	const LaneNode4 *nodes = LANE_NODES(lanes);
	float		sum = (float) margins[0];

	for (uint32 window = 0; window < model->ntrees; window += WINDOW)
	{
		const LaneTree *trees = LANE_TREES(lanes) + window;
		uint32		n = Min(WINDOW, model->ntrees - window);

		for (uint32 block = 0; block < n; block += BLOCK)
		{
#ifdef LANES_AVX512
			if (HaveAvx512())
				Walk4Avx512(nodes, trees + block, slots, leaves + block);
			else
#endif
				Walk4(nodes, trees + block, slots, leaves + block);
		}
		if (lanes->nplain > 0)
			PlainLeaves(model, trees, window, n, row, leaves);
		if (model->noutputs == 1)
			for (uint32 i = 0; i < n; i++)
				sum += leaves[trees[i].order];
		else
			for (uint32 i = 0; i < n; i++)
			{
				uint32		k = MODEL_TREES(model)[window + i].output;

				margins[k] = (float) margins[k] + leaves[trees[i].order];
			}
	}
	if (model->noutputs == 1)
		margins[0] = sum;
}

static void
Sum8(const Model *model, const Lanes *lanes, const double *slots,
	 const double *row, double *leaves, double *margins)
{
	const LaneNode8 *nodes = LANE_NODES(lanes);
	double		sum = margins[0];

	for (uint32 window = 0; window < model->ntrees; window += WINDOW)
	{
		const LaneTree *trees = LANE_TREES(lanes) + window;
		uint32		n = Min(WINDOW, model->ntrees - window);

		for (uint32 block = 0; block < n; block += BLOCK)
		{
#ifdef LANES_AVX512
			if (HaveAvx512())
				Walk8Avx512(nodes, trees + block, slots, lanes->nslots,
							leaves + block);
			else
#endif
				Walk8(nodes, trees + block, slots, leaves + block);
		}
		if (lanes->nplain > 0)
			PlainLeaves(model, trees, window, n, row, leaves);
		if (model->noutputs == 1)
			for (uint32 i = 0; i < n; i++)
				sum += leaves[trees[i].order];
		else
			for (uint32 i = 0; i < n; i++)
				margins[MODEL_TREES(model)[window + i].output] +=
					leaves[trees[i].order];
	}
	if (model->noutputs == 1)
		margins[0] = sum;
}

void
LaneSums4(const Model *model, void *scratch, const float *row,
		  double *margins)
{
	const Lanes *lanes = GetLanes(model);
	void	   *leaves = (char *) scratch + SlotBytes(model, lanes);
	double	   *wide = (double *) ((char *) leaves + WINDOW * sizeof(double));

	if (lanes->nplain > 0)
		for (uint32 f = 0; f < model->nfeatures; f++)
			wide[f] = row[f];
	if (model->flags & MODEL_SINGLE)
	{
		Spread44(model, lanes, row, scratch);
		Sum4(model, lanes, scratch, wide, leaves, margins);
	}
	else
	{
		Spread84(model, lanes, row, scratch);
		Sum8(model, lanes, scratch, wide, leaves, margins);
	}
}

void
LaneSums8(const Model *model, void *scratch, const double *row,
		  double *margins)
{
	const Lanes *lanes = GetLanes(model);
	void	   *leaves = (char *) scratch + SlotBytes(model, lanes);

	if (model->flags & MODEL_SINGLE)
	{
		Spread48(model, lanes, row, scratch);
		Sum4(model, lanes, scratch, row, leaves, margins);
	}
	else
	{
		Spread88(model, lanes, row, scratch);
		Sum8(model, lanes, scratch, row, leaves, margins);
	}
}
