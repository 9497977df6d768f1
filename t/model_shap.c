/*
 * model_shap.c
 *		Checks shap.c against the definition of a Shapley value.
 *
 * Random small models are taken apart by going through all subsets of their
 * features; deep paths by summing over sizes of subsets in long double.
 * Prints what differs and exits with 1, or one line with the largest error.
 * Run by model_shap.pl.
 */
#include "postgres.h"

#include <math.h>

#include "import.h"
#include "shap.h"

#undef printf
#undef fprintf

#define MAX_FEATURES	9
#define MAX_OUTPUTS		3

static uint64 state = 88172645463325252;
static double worst = 0;
static int	failures = 0;

#ifdef USE_ASSERT_CHECKING
#if PG_VERSION_NUM >= 160000
void
ExceptionalCondition(const char *condition, const char *file, int line)
#else
void
ExceptionalCondition(const char *condition, const char *type,
					 const char *file, int line)
#endif
{
	fprintf(stderr, "%s:%d: %s\n", file, line, condition);
	abort();
}
#endif

/* xorshift64*: the same numbers everywhere */
static uint32
Random(uint32 n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return ((state * UINT64CONST(2685821657736338717)) >> 33) % n;
}

static double
RandomReal(void)
{
	return Random(2000001) / 1000000.0 - 1.0;
}

/* Like RandomReal, with values that thresholds have, and missing ones */
static double
RandomValue(void)
{
	switch (Random(8))
	{
		case 0:
			return NAN;
		case 1:
			return 0.0;
		case 2:
			return (int) Random(5) - 2;
		default:
			return RandomReal() * 2;
	}
}

static int
AddRandomNode(ModelBuilder *builder, int *next, int nfeatures, int noutputs,
			  bool vectors, int depth, double cover)
{
	int			id = (*next)++;
	uint32		feature = Random(nfeatures);
	uint32		flags = Random(2) ? NODE_DEFAULT_LEFT : 0;
	double		left_cover;
	int			left;
	int			right;

	if (depth == 0 || (id > 0 && Random(5) == 0))
	{
		double		values[MAX_OUTPUTS];

		for (int k = 0; k < noutputs; k++)
			values[k] = RandomReal();
		if (vectors)
			ModelAddVectorLeaf(builder, id, values, noutputs, cover);
		else
			ModelAddLeaf(builder, id, values[0], cover);
		return id;
	}

	/* shares of 0 and 1, of nothing at all, and such that don't add up */
	left_cover = Random(10) == 0 ? 0.0 : Random(10) == 0 ? cover :
		cover * Random(1000) / 1000.0;
	left = AddRandomNode(builder, next, nfeatures, noutputs, vectors,
						 depth - 1, left_cover);
	right = AddRandomNode(builder, next, nfeatures, noutputs, vectors,
						  depth - 1, Random(6) == 0 ? cover * 0.75 :
						  cover - left_cover);
	flags |= Random(3) == 0 ? NODE_MISSING_NONE :
		Random(2) ? NODE_MISSING_ZERO : NODE_MISSING_NAN;
	if (Random(4) == 0)
	{
		uint32		codes[] = {0, 1 + Random(40), 1};

		codes[2] += codes[1];
		ModelAddSetSplit(builder, id, feature, codes, 3, flags, left, right,
						 cover);
	}
	else
		ModelAddSplit(builder, id, feature, Random(3) ? RandomReal() :
					  Random(8) ? (int) Random(3) - 1 :
					  Random(2) ? INFINITY : -INFINITY,
					  flags | (Random(2) ? NODE_LE : 0), left, right, cover);
	return id;
}

static Model *
RandomModel(int round)
{
	int			nfeatures = 1 + Random(MAX_FEATURES);
	int			noutputs = 1 + Random(MAX_OUTPUTS);
	int			ntrees = 1 + Random(4);
	ModelError	error = {0};
	ModelBuilder *builder = ModelBegin(MODEL_XGBOOST, &error);
	Model	   *model;
	Size		size;

	ModelSetOutputs(builder, noutputs);
	for (int k = 0; k < noutputs; k++)
	{
		ModelSetStart(builder, k, RandomReal());
		ModelSetBias(builder, k, RandomReal());
	}
	if (Random(2))
		ModelSetScale(builder, 0.75, 3.0);
	for (int f = 0; f < nfeatures; f++)
		ModelAddFeature(builder, NULL, FEATURE_NUMERIC);
	for (int t = 0; t < ntrees; t++)
	{
		bool		vectors = noutputs > 1 && Random(3) == 0;
		int			next = 0;

		ModelBeginTree(builder, vectors ? MODEL_ALL_OUTPUTS :
					   Random(noutputs), 1.0);
		AddRandomNode(builder, &next, nfeatures, noutputs, vectors,
					  Random(20) == 0 ? 14 : Random(8), 1 + Random(1000));
		ModelEndTree(builder, 0);
	}
	model = ModelFinish(builder, &size);
	if (model == NULL)
	{
		fprintf(stderr, "round %d: %s\n", round, error.message);
		exit(2);
	}
	return model;
}

/* Value of a tree when only the features in `known` are */
static double
Expectation(const Model *model, const ModelTree *tree, uint32 number,
			uint32 output, const double *row, uint32 known)
{
	const ModelNode *nodes = MODEL_NODES(model) + tree->root;
	const ModelNode *node = &nodes[number];
	const double *covers = MODEL_COVERS(model) + tree->root;
	double		left;
	double		right;

	if (MODEL_IS_LEAF(node))
		return ModelLeafValue(model, node, output, row);
	if (known & (1U << node->feature))
		return Expectation(model, tree,
						   ModelGoesLeft(model, node, row[node->feature]) ?
						   number + 1 : node->right, output, row, known);
	left = Expectation(model, tree, number + 1, output, row, known);
	right = Expectation(model, tree, node->right, output, row, known);
	if (covers[number] == 0)
		return (left + right) / 2;
	return (left * covers[number + 1] + right * covers[node->right]) /
		covers[number];
}

static double
MarginOf(const Model *model, uint32 output, const double *row, uint32 known)
{
	double		sum = MODEL_START(model)[output];

	for (uint32 t = 0; t < model->ntrees; t++)
	{
		const ModelTree *tree = MODEL_TREES(model) + t;

		if (tree->output == output || tree->output == MODEL_ALL_OUTPUTS)
			sum += Expectation(model, tree, 0, output, row, known);
	}
	return sum * model->scale / model->divisor + MODEL_BIAS(model)[output];
}

static void
Compare(const char *what, int round, double expected, double value)
{
	double		error = fabs(expected - value);

	worst = fmax(worst, error);
	if (!(error < 1e-12) && failures++ < 20)
		printf("%s %d: expected %.17g, got %.17g\n", what, round, expected,
			   value);
}

/* In memory of just the sizes that were asked for, so that ASan sees all */
static double *
Contributions(const Model *model, const double *row)
{
	void	   *memory = malloc(ModelShapSize(model));
	ModelShap  *shap = ModelShapInit(model, memory);
	void	   *scratch = malloc(ModelShapScratchSize(shap) + 1);
	double	   *result = malloc(sizeof(double) * model->noutputs *
								(model->nfeatures + 1));

	/* results must not depend on what was in the scratch memory */
	memset(scratch, 0xff, ModelShapScratchSize(shap));
	ModelShapValues(model, shap, scratch, row, result);
	free(scratch);
	free(memory);
	return result;
}

static void
CheckSubsets(int round)
{
	Model	   *model = RandomModel(round);
	uint32		n = model->nfeatures;
	double		row[MAX_FEATURES];
	double	   *margins = malloc(sizeof(double) << n);
	double	   *result;

	for (uint32 f = 0; f < n; f++)
		row[f] = RandomValue();
	result = Contributions(model, row);
	for (uint32 k = 0; k < model->noutputs; k++)
	{
		for (uint32 known = 0; known < 1U << n; known++)
			margins[known] = MarginOf(model, k, row, known);
		for (uint32 f = 0; f < n; f++)
		{
			double		value = 0;

			/* known!(n - known - 1)! / n! */
			for (uint32 known = 0; known < 1U << n; known++)
				if (!(known & (1U << f)))
				{
					int			size = __builtin_popcount(known);

					value += (margins[known | 1U << f] - margins[known]) *
						exp(lgamma(size + 1) + lgamma(n - size) -
							lgamma(n + 1));
				}
			Compare("subsets", round, value, result[k * (n + 1) + f]);
		}
		Compare("mean", round, margins[0], result[k * (n + 1) + n]);
	}
	free(result);
	free(margins);
	free(model);
}

/*
 * A chain of `depth` splits, each on the next of nfeatures features, whose
 * deepest leaf has the value 1 and all others 0.  A row takes an edge towards
 * that leaf when its value is 1.
 */
static void
CheckChain(int depth, int nfeatures, double share, int misses)
{
	ModelError	error = {0};
	ModelBuilder *builder = ModelBegin(MODEL_LIGHTGBM, &error);
	double		cover = 1.0;
	double	   *row = malloc(sizeof(double) * nfeatures);
	long double *z = malloc(sizeof(long double) * nfeatures);
	long double *sums = malloc(sizeof(long double) * (nfeatures + 1));
	double	   *result;
	double		total = 0;
	Model	   *model;
	Size		size;

	for (int f = 0; f < nfeatures; f++)
	{
		ModelAddFeature(builder, NULL, FEATURE_NUMERIC);
		z[f] = 1;
		row[f] = (f * 7) % nfeatures < misses ? 0 : 1;
	}
	ModelBeginTree(builder, 0, 1.0);
	for (int i = 0; i < depth; i++)
	{
		double		below = cover * share;

		z[i % nfeatures] *= cover > 0 ? below / cover : 0.5;
		ModelAddSplit(builder, 2 * i, i % nfeatures, 0.5, 0, 2 * i + 1,
					  2 * i + 2, cover);
		ModelAddLeaf(builder, 2 * i + 1, 0.0, cover - below);
		cover = below;
	}
	ModelAddLeaf(builder, 2 * depth, 1.0, cover);
	ModelEndTree(builder, 0);
	model = ModelFinish(builder, &size);
	if (model == NULL)
	{
		fprintf(stderr, "chain of %d: %s\n", depth, error.message);
		exit(2);
	}
	result = Contributions(model, row);

	for (int f = 0; f < nfeatures; f++)
	{
		long double value = 0;
		int			n = 0;

		/*
		 * sums[s]: over all sets of s other features the product of 1 (0 when
		 * missed) for those in the set and z for the others, divided by the
		 * number of such sets, so that nothing grows out of range
		 */
		sums[0] = 1;
		for (int other = 0; other < nfeatures; other++)
		{
			if (other == f)
				continue;
			n++;
			sums[n] = 0;
			for (int s = n; s >= 0; s--)
				sums[s] = (s < n ? sums[s] * z[other] * (n - s) / n : 0) +
					(s > 0 ? sums[s - 1] * row[other] * s / n : 0);
		}
		for (int s = 0; s <= n; s++)
			value += sums[s] * (row[f] - z[f]) / nfeatures;
		Compare("chain", depth, value, result[f]);
		total += result[f];
	}
	Compare("sum", depth, misses ? 0.0 : 1.0, total + result[nfeatures]);
	free(result);
	free(sums);
	free(z);
	free(row);
	free(model);
}

static void
CheckLinear(void)
{
	ModelError	error = {0};
	ModelBuilder *builder = ModelBegin(MODEL_LINEAR, &error);
	double		row[] = {2.0, NAN, -1.5};
	double	   *result;
	Model	   *model;
	Size		size;

	ModelSetOutputs(builder, 2);
	for (int f = 0; f < 3; f++)
		ModelAddFeature(builder, NULL, FEATURE_NUMERIC);
	for (int k = 0; k < 2; k++)
	{
		ModelSetStart(builder, k, 10 + k);
		for (int f = 0; f < 3; f++)
			ModelSetWeight(builder, k, f, 1 + f + 3 * k);
	}
	model = ModelFinish(builder, &size);
	if (model == NULL)
	{
		fprintf(stderr, "linear: %s\n", error.message);
		exit(2);
	}
	result = Contributions(model, row);
	Compare("linear", 0, 2.0, result[0]);
	Compare("linear", 1, 0.0, result[1]);
	Compare("linear", 2, -4.5, result[2]);
	Compare("linear", 3, 10.0, result[3]);
	Compare("linear", 4, 8.0, result[4]);
	Compare("linear", 6, -9.0, result[6]);
	Compare("linear", 7, 11.0, result[7]);
	free(result);
	free(model);
}

/* The same shallow tree so many times */
static Model *
RepeatedModel(int ntrees)
{
	ModelError	error = {0};
	ModelBuilder *builder = ModelBegin(MODEL_XGBOOST, &error);
	uint64		kept = state;
	Model	   *model;
	Size		size;

	ModelSetOutputs(builder, 1);
	for (int f = 0; f < 4; f++)
		ModelAddFeature(builder, NULL, FEATURE_NUMERIC);
	for (int t = 0; t < ntrees; t++)
	{
		int			next = 0;

		state = 88172645463325252;
		ModelBeginTree(builder, 0, 1.0);
		AddRandomNode(builder, &next, 4, 1, false, 4, 1000);
		ModelEndTree(builder, 0);
	}
	state = kept;
	model = ModelFinish(builder, &size);
	if (model == NULL)
	{
		fprintf(stderr, "%d trees: %s\n", ntrees, error.message);
		exit(2);
	}
	return model;
}

static Size
RepeatedSize(int ntrees)
{
	Model	   *model = RepeatedModel(ntrees);
	Size		size = ModelShapSize(model);

	free(model);
	return size;
}

/*
 * Shallow trees have tables, as long as these are small enough: the last model
 * that has them and the first that does without give the same.
 */
static void
CheckTables(void)
{
	Size		tree = (RepeatedSize(11) - RepeatedSize(1)) / 10;
	int			with = 1;
	int			without = 20000;
	double		row[4];

	while (without - with > 1)
	{
		int			middle = (with + without) / 2;

		if (RepeatedSize(middle) > middle * tree * 8 / 10)
			with = middle;
		else
			without = middle;
	}
	if (!(RepeatedSize(without) < RepeatedSize(with)) || with < 10)
		printf("no limit of tables found: %d trees\n", with), failures++;
	for (int round = 0; round < 20; round++)
	{
		double	   *expected;

		for (int f = 0; f < 4; f++)
			row[f] = RandomValue();
		expected = Contributions(RepeatedModel(1), row);
		for (int n = with; n <= without; n++)
		{
			double	   *result = Contributions(RepeatedModel(n), row);

			for (int f = 0; f <= 4; f++)
				Compare("tables", n, expected[f], result[f] / n);
			free(result);
		}
		free(expected);
	}
}

int
main(void)
{
	static const double shares[] = {0.0, 1e-9, 0.01, 0.3, 0.5, 0.9, 0.999, 1.0};

	for (int round = 0; round < 2000; round++)
		CheckSubsets(round);
	CheckLinear();
	CheckTables();
	for (int i = 0; i < lengthof(shares); i++)
		for (int misses = 0; misses < 3; misses++)
		{
			CheckChain(1, 1, shares[i], misses);
			CheckChain(8, 8, shares[i], misses);
			CheckChain(9, 9, shares[i], misses);
			CheckChain(40, 17, shares[i], misses);
			CheckChain(100, 100, shares[i], misses);
		}
	CheckChain(MODEL_MAX_DEPTH, MODEL_MAX_DEPTH, 0.99, 0);
	CheckChain(MODEL_MAX_DEPTH, MODEL_MAX_DEPTH, 0.5, 1);
	CheckChain(MODEL_MAX_DEPTH, 3, 0.99, 0);
	if (failures > 0)
		printf("%d values differ\n", failures);
	else
		printf("largest error %.2g\n", worst);
	return failures > 0;
}
