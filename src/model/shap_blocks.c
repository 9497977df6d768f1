/*
 * shap_blocks.c
 *		SHAP values of shallow trees by tables.
 *
 * A leaf's contributions depend on a row only by which edges of its path the
 * row takes.  A tree of depth D is cut into blocks: the subtrees at depth
 * D - 2, of up to three splits and four leaves, and the leaves above them.
 * What a block contributes depends on one bit for each edge above it and for
 * each of its splits: at most 2^6 patterns, each with a row of at most six
 * numbers.  Fast TreeSHAP v2 (Yang, "Fast TreeSHAP: Accelerating SHAP Value
 * Computation for Trees", arXiv:2109.09847, 2021) tabulates by leaf and set of
 * features in this way; a block takes four leaves at once.
 *
 * A row of a table is computed when the first message asks for it: few are
 * ever needed, and the numbers are the same whenever that is.  With the
 * notation of shap.c, a leaf's value v contributes for a feature
 *
 *		v (o - z) times the integral of the other features' t o + (1 - t) z
 *
 * where z is the product of the shares of the feature's edges, and o is 1 when
 * the row takes them all.	Gauss and Legendre's rule with three nodes is exact
 * up to degree five, and with at most five features on a path the degree is
 * four.
 */
#include "postgres.h"

#include <string.h>

#include "shap_blocks.h"

#define BLOCK_DEPTH		2
#define ABOVE_MAX		(SHAP_BLOCKS_DEPTH - BLOCK_DEPTH)
#define SPLITS_MAX		((1 << BLOCK_DEPTH) - 1)
#define BITS_MAX		(ABOVE_MAX + SPLITS_MAX)
#define LEAVES_MAX		(1 << BLOCK_DEPTH)
#define UPPER_MAX		((1 << ABOVE_MAX) - 1)
#define NODES			3

static const double rule_t[NODES] = {
	0.11270166537925831148, 0.5, 0.88729833462074168852
};
static const double rule_weight[NODES] = {
	0.27777777777777777778, 0.44444444444444444444, 0.27777777777777777778
};

/* One edge of a leaf's path inside its block: the side taken at a bit's split */
typedef struct BlockEdge
{
	uint8		bit;
	uint8		side;
} BlockEdge;

typedef struct BlockLeaf
{
	double		value;
	uint32		nedges;
	BlockEdge	edges[BLOCK_DEPTH];
} BlockLeaf;

/*
 * What each row asks for.  A bit is 1 where the row takes the edge above the
 * block, or goes right at a split of the block.  Bits of edges above come first.
 */
typedef struct ShapBlock
{
	uint64		filled;			/* rows of the table, by pattern */
	Size		table;			/* double[1 << nbits][nbits], from the
								 * ShapBlocks' start */
	ShapTest	tests[SPLITS_MAX];
	uint32		sum[BITS_MAX];
	uint8		upper[ABOVE_MAX];	/* the split of an edge above */
	uint8		flip[ABOVE_MAX];	/* the bit is its side ^ flip */
	uint8		nabove;
	uint8		nsplits;
} ShapBlock;

/* What the tables are filled from */
typedef struct BlockSource
{
	uint8		nleaves;
	uint8		first[BITS_MAX];	/* the first bit with the same feature */
	uint32		feature[BITS_MAX];
	double		share[BITS_MAX][2]; /* by side; of an edge above the taken
									 * one's is [0] */
	BlockLeaf	leaves[LEAVES_MAX];
} BlockSource;

struct ShapBlocks
{
	uint32		nblocks;
	uint32		nupper;
	ShapTest	upper[UPPER_MAX];	/* splits above the blocks */
	ShapBlock	blocks[FLEXIBLE_ARRAY_MEMBER];	/* then BlockSource[nblocks],
												 * and the tables */
};

static inline Size
SourcesAt(uint32 nblocks)
{
	return MAXALIGN(offsetof(ShapBlocks, blocks) + nblocks * sizeof(ShapBlock));
}

static inline BlockSource *
Sources(ShapBlocks *blocks, uint32 nblocks)
{
	return (BlockSource *) ((char *) blocks + SourcesAt(nblocks));
}

/* The path from the root to a block */
typedef struct BlockPath
{
	int			depth;
	uint32		node[ABOVE_MAX];
	uint8		upper[ABOVE_MAX];
	uint8		side[ABOVE_MAX];
} BlockPath;

/* What goes through a tree's blocks: measures, or fills where there is memory */
typedef struct BlockWalk
{
	const Model *model;
	const ModelNode *nodes;
	const double *covers;
	uint32		output;
	int			above;			/* depth of blocks */
	const ShapTest *tests;
	ShapBlocks *blocks;			/* or NULL */
	BlockSource *sources;
	uint32		nblocks;
	uint32		nupper;
	Size		table_bytes;
} BlockWalk;

/* What is missing goes left: -infinity is less, but not than itself. */
static bool
IsDecidable(const ModelNode *node)
{
	return !ShapIsSpecial(node) &&
		!((node->flags & NODE_DEFAULT_LEFT) && node->u.threshold == -INFINITY);
}

/*
 * Depth of a subtree, no more than "most" + 1 of it looked at; as if deeper
 * where a split is of another kind.
 */
static int
Depth(const ModelNode *nodes, uint32 node, int most)
{
	int			left;
	int			right;

	if (MODEL_IS_LEAF(&nodes[node]))
		return 0;
	if (most == 0 || !IsDecidable(&nodes[node]))
		return most + 1;
	left = Depth(nodes, node + 1, most - 1);
	right = Depth(nodes, nodes[node].right, most - 1);
	return 1 + Max(left, right);
}

/* A bit for a split, above the block or in it */
static void
SetBit(BlockWalk *walk, ShapBlock *block, BlockSource *source, uint32 node, uint8 bit)
{
	uint8		first = 0;

	source->feature[bit] = walk->nodes[node].feature;
	while (source->feature[first] != source->feature[bit])
		first++;
	source->first[bit] = first;
	ShapShares(walk->nodes, walk->covers, node, source->share[bit]);
	if (walk->blocks)
		block->sum[bit] = walk->tests[node].number / 2;
}

/* The splits and leaves of a block, from one of its nodes on */
static void
AddInside(BlockWalk *walk, ShapBlock *block, BlockSource *source, uint32 node,
		  BlockEdge *edges, int nedges)
{
	const ModelNode *at = &walk->nodes[node];

	if (MODEL_IS_LEAF(at))
	{
		BlockLeaf  *leaf = &source->leaves[source->nleaves++];

		leaf->value = ModelLeafValue(walk->model, at, walk->output, NULL);
		leaf->nedges = nedges;
		memcpy(leaf->edges, edges, nedges * sizeof(BlockEdge));
		return;
	}
	edges[nedges].bit = block->nabove + block->nsplits;
	edges[nedges].side = 0;
	SetBit(walk, block, source, node, edges[nedges].bit);
	if (walk->blocks)
		block->tests[block->nsplits] = walk->tests[node];
	block->nsplits++;
	AddInside(walk, block, source, node + 1, edges, nedges + 1);
	edges[nedges].side = 1;
	AddInside(walk, block, source, at->right, edges, nedges + 1);
}

static void
AddBlock(BlockWalk *walk, uint32 node, const BlockPath *path)
{
	ShapBlock	block = {0};
	BlockSource source = {0};
	BlockEdge	edges[BLOCK_DEPTH];
	int			nbits;

	for (int i = 0; i < path->depth; i++)
	{
		SetBit(walk, &block, &source, path->node[i], i);
		block.upper[i] = path->upper[i];
		block.flip[i] = !path->side[i];
		source.share[i][0] = source.share[i][path->side[i]];
	}
	block.nabove = path->depth;
	AddInside(walk, &block, &source, node, edges, 0);
	nbits = block.nabove + block.nsplits;
	block.table = walk->table_bytes;
	walk->table_bytes += ((Size) nbits << nbits) * sizeof(double);
	if (walk->blocks)
	{
		walk->blocks->blocks[walk->nblocks] = block;
		walk->sources[walk->nblocks] = source;
	}
	walk->nblocks++;
}

/* Cut a tree into blocks, from one of its nodes on. */
static void
WalkTree(BlockWalk *walk, uint32 node, BlockPath *path)
{
	int			depth = path->depth;

	if (depth == walk->above || MODEL_IS_LEAF(&walk->nodes[node]))
	{
		AddBlock(walk, node, path);
		return;
	}
	path->depth = depth + 1;
	path->node[depth] = node;
	path->upper[depth] = walk->nupper;
	if (walk->blocks)
		walk->blocks->upper[walk->nupper] = walk->tests[node];
	walk->nupper++;
	path->side[depth] = 0;
	WalkTree(walk, node + 1, path);
	path->side[depth] = 1;
	WalkTree(walk, walk->nodes[node].right, path);
	path->depth = depth;
}

static bool
StartWalk(BlockWalk *walk, const Model *model, const ModelTree *tree)
{
	int			depth;

	memset(walk, 0, sizeof(BlockWalk));
	walk->model = model;
	walk->nodes = MODEL_NODES(model) + tree->root;
	walk->covers = MODEL_COVERS(model) + tree->root;
	depth = Depth(walk->nodes, 0, SHAP_BLOCKS_DEPTH);
	walk->above = Max(depth - BLOCK_DEPTH, 0);
	return depth <= SHAP_BLOCKS_DEPTH;
}

/* Where the tables begin */
static Size
TablesAt(uint32 nblocks)
{
	return SourcesAt(nblocks) + MAXALIGN(nblocks * sizeof(BlockSource));
}

Size
ShapBlocksSize(const Model *model, const ModelTree *tree)
{
	BlockWalk	walk;
	BlockPath	path = {0};

	if (!StartWalk(&walk, model, tree))
		return 0;
	WalkTree(&walk, 0, &path);
	return TablesAt(walk.nblocks) + walk.table_bytes;
}

void
ShapBlocksInit(ShapBlocks *blocks, const Model *model, const ModelTree *tree,
			   uint32 output, const ShapTest *tests)
{
	BlockWalk	walk;
	BlockPath	path = {0};

	(void) StartWalk(&walk, model, tree);
	WalkTree(&walk, 0, &path);
	blocks->nblocks = walk.nblocks;
	blocks->nupper = walk.nupper;

	(void) StartWalk(&walk, model, tree);
	walk.output = output;
	walk.tests = tests;
	walk.blocks = blocks;
	walk.sources = Sources(blocks, blocks->nblocks);
	walk.table_bytes = TablesAt(blocks->nblocks);
	WalkTree(&walk, 0, &path);
}

/* The different features on a leaf's path: o and z of each */
typedef struct LeafFeatures
{
	int			n;
	uint8		first[SHAP_BLOCKS_DEPTH];
	double		o[SHAP_BLOCKS_DEPTH];
	double		z[SHAP_BLOCKS_DEPTH];
} LeafFeatures;

static void
AddEdge(LeafFeatures *path, uint8 first, bool taken, double share)
{
	int			i = 0;

	while (i < path->n && path->first[i] != first)
		i++;
	if (i == path->n)
	{
		path->first[i] = first;
		path->o[i] = 1.0;
		path->z[i] = 1.0;
		path->n++;
	}
	path->o[i] *= taken;
	path->z[i] *= share;
}

static void
AddLeafValues(const ShapBlock *block, const BlockSource *source,
			  const BlockLeaf *leaf, uint32 pattern, double *row)
{
	LeafFeatures path;

	path.n = 0;
	for (int i = 0; i < block->nabove; i++)
		AddEdge(&path, source->first[i], (pattern >> i) & 1, source->share[i][0]);
	for (int i = 0; i < leaf->nedges; i++)
	{
		uint8		bit = leaf->edges[i].bit;
		uint8		side = leaf->edges[i].side;

		AddEdge(&path, source->first[bit], ((pattern >> bit) & 1) == side,
				source->share[bit][side]);
	}
	for (int k = 0; k < path.n; k++)
	{
		double		integral = 0;

		for (int node = 0; node < NODES; node++)
		{
			double		product = rule_weight[node];

			for (int i = 0; i < path.n; i++)
				if (i != k)
					product *= rule_t[node] * path.o[i] +
						(1.0 - rule_t[node]) * path.z[i];
			integral += product;
		}
		row[path.first[k]] += leaf->value * (path.o[k] - path.z[k]) * integral;
	}
}

static void
FillRow(ShapBlocks *blocks, ShapBlock *block, uint32 pattern, double *row)
{
	const BlockSource *source = &Sources(blocks, blocks->nblocks)[block - blocks->blocks];

	memset(row, 0, (block->nabove + block->nsplits) * sizeof(double));
	for (int i = 0; i < source->nleaves; i++)
		AddLeafValues(block, source, &source->leaves[i], pattern, row);
	block->filled |= UINT64CONST(1) << pattern;
}

static inline uint32
Side(const ShapTest *test, const double *x)
{
	return !(x[test->number] < test->threshold);
}

/*
 * The row of a block's table that this row asks for; unrolled, where the numbers
 * are known.  Tables are larger than the nearest cache, so that it is told ahead.
 */
static pg_attribute_always_inline void
FindBlockRow(ShapBlocks *blocks, ShapBlock *block, int nabove, int nsplits,
			 const uint32 *upper, const double *x, ShapFound *found)
{
	uint32		pattern = 0;
	double	   *row;

#pragma GCC unroll 8
	for (int i = 0; i < nabove; i++)
		pattern |= (upper[block->upper[i]] ^ block->flip[i]) << i;
#pragma GCC unroll 8
	for (int i = 0; i < nsplits; i++)
		pattern |= Side(&block->tests[i], x) << (nabove + i);
	row = (double *) ((char *) blocks + block->table) + pattern * (nabove + nsplits);
	__builtin_prefetch(row);
	__builtin_prefetch((char *) (row + nabove + nsplits) - 1);
	if (unlikely(!((block->filled >> pattern) & 1)))
		FillRow(blocks, block, pattern, row);
	found->block = block;
	found->row = row;
}

int
ShapBlocksFind(ShapBlocks *blocks, const double *x, ShapFound *found)
{
	uint32		upper[UPPER_MAX];

	for (uint32 i = 0; i < blocks->nupper; i++)
		upper[i] = Side(&blocks->upper[i], x);
	for (uint32 b = 0; b < blocks->nblocks; b++)
	{
		ShapBlock  *block = &blocks->blocks[b];

		if (block->nabove == 2 && block->nsplits == SPLITS_MAX)
			FindBlockRow(blocks, block, 2, SPLITS_MAX, upper, x, &found[b]);
		else if (block->nabove == 1 && block->nsplits == SPLITS_MAX)
			FindBlockRow(blocks, block, 1, SPLITS_MAX, upper, x, &found[b]);
		else
			FindBlockRow(blocks, block, block->nabove, block->nsplits, upper, x, &found[b]);
	}
	return blocks->nblocks;
}

static pg_attribute_always_inline void
AddRow(const ShapFound *found, int nbits, double *sums)
{
#pragma GCC unroll 8
	for (int i = 0; i < nbits; i++)
		sums[found->block->sum[i]] += found->row[i];
}

void
ShapBlocksAdd(const ShapFound *found, int n, double *sums)
{
	for (const ShapFound *f = found; f < found + n; f++)
	{
		int			nbits = f->block->nabove + f->block->nsplits;

		if (nbits == 2 + SPLITS_MAX)
			AddRow(f, 2 + SPLITS_MAX, sums);
		else
			AddRow(f, nbits, sums);
	}
}
