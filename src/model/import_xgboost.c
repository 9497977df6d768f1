/*
 * import_xgboost.c
 *		XGBoost models: JSON and UBJSON, as releases 1.0 to 3.4 write them.
 *
 * The document is read as it is specified in XGBoost's "model.schema" and as
 * its releases differ from it:
 *
 * - base_score is a probability, a rate … that the objective turns into the
 *	 first margin.	A string, since 3.1 a list, one for each target.
 * - In a tree of single values, a leaf's value is its split_condition; in one
 *	 of vectors, base_weights hold them up to 3.0 (by node) and leaf_weights
 *	 since 3.1 (by number of the leaf, kept as its right child).
 * - A category in the set goes right, all others left.
 * - Pruned nodes stay in the arrays, marked by a split index of 2^31 - 1.
 * - DART is a booster "dart" around a "gbtree" up to 3.2, and a "gbtree" with
 *	 weights since: beside its model in 3.3, in it since 3.4.
 * - Quantiles are sorted since 3.4; several expectiles (3.3) add up.
 * - Everything is float32, summed in the order of the trees, from the base
 *	 score on.  (Releases before 1.3 added the base score last, and took that
 *	 of binary:logitraw for a probability.  Like later releases, we read their
 *	 files as if they were of today.)
 */
#include "postgres.h"

#include <math.h>

#include "document.h"
#include "import.h"

#define DELETED_NODE	PG_INT32_MAX

/* The newest release whose files were compared with the library */
#define TESTED_MAJOR	3
#define TESTED_MINOR	4
#define RELEASE(major, minor)	((major) * 1000 + (minor))

/* From base_score to a margin */
typedef enum BaseScore
{
	BASE_AS_IS,
	BASE_PROBABILITY,
	BASE_POSITIVE,
	BASE_CUMULATIVE				/* of expectiles: differences, by softplus */
} BaseScore;

/* The least difference of two expectiles */
#define EXPECTILE_STEP	((double) 1e-6f)

static const struct
{
	const char *name;
	ModelLink	link;
	BaseScore	base;
}			objectives[] =

{
	{"binary:hinge", LINK_HINGE, BASE_AS_IS},
	{"binary:logistic", LINK_LOGISTIC, BASE_PROBABILITY},
	{"binary:logitraw", LINK_IDENTITY, BASE_AS_IS},
	{"count:poisson", LINK_EXP, BASE_POSITIVE},
	{"multi:softmax", LINK_ARGMAX, BASE_AS_IS},
	{"multi:softprob", LINK_SOFTMAX, BASE_AS_IS},
	{"rank:map", LINK_IDENTITY, BASE_AS_IS},
	{"rank:ndcg", LINK_IDENTITY, BASE_AS_IS},
	{"rank:pairwise", LINK_IDENTITY, BASE_AS_IS},
	{"reg:absoluteerror", LINK_IDENTITY, BASE_AS_IS},
	{"reg:expectileerror", LINK_IDENTITY, BASE_AS_IS},	/* see ReadAlphas */
	{"reg:gamma", LINK_EXP, BASE_POSITIVE},
	{"reg:linear", LINK_IDENTITY, BASE_AS_IS},
	{"reg:logistic", LINK_LOGISTIC, BASE_PROBABILITY},
	{"reg:pseudohubererror", LINK_IDENTITY, BASE_AS_IS},
	{"reg:quantileerror", LINK_IDENTITY, BASE_AS_IS},
	{"reg:squarederror", LINK_IDENTITY, BASE_AS_IS},
	{"reg:squaredlogerror", LINK_IDENTITY, BASE_AS_IS},
	{"reg:tweedie", LINK_EXP, BASE_POSITIVE},
	{"survival:aft", LINK_EXP, BASE_POSITIVE},
	{"survival:cox", LINK_EXP, BASE_POSITIVE},
};

/* What the header says and trees need */
typedef struct Source
{
	ModelBuilder *builder;
	Document   *learner;
	uint32		nfeatures;
	uint32		noutputs;
	BaseScore	base;
	float		last_score;		/* of the output before */
	Size		nalphas;		/* of quantiles and expectiles, or 0 */
	int			release;		/* RELEASE(major, minor) */
} Source;

/* One tree's arrays, all as long as there are nodes unless said otherwise */
typedef struct TreeArrays
{
	Size		number;
	Size		n;
	int64		vector;			/* values in a leaf */
	Document   *left;
	Document   *right;
	Document   *feature;
	Document   *condition;
	Document   *default_left;
	Document   *cover;			/* may be absent */
	Document   *type;			/* may be absent */
	Document   *base_weights;	/* n * vector */
	Document   *leaf_weights;	/* may be absent */
	Document   *categories;
	uint32	   *category_first; /* by node, when there are sets; from malloc */
	uint32	   *category_count;
} TreeArrays;

static bool
Malformed(Source *source, const char *what)
{
	return ModelComplain(source->builder, MODEL_INVALID,
						 "XGBoost model has no valid \"%s\"", what);
}

static bool
ReadVersion(Source *source, Document *document)
{
	Document   *version = DocumentMember(document, "version");
	char text[	64];
	int64		part[3];

	for (int i = 0; i < 3; i++)
		if (!DocumentInteger(DocumentElement(version, i), 0, 99999, &part[i]))
			return Malformed(source, "version");
	snprintf(text, sizeof(text), "%d.%d.%d",
			 (int) part[0], (int) part[1], (int) part[2]);
	source->release = RELEASE((int) part[0], (int) Min(part[1], 999));
	if (source->release > RELEASE(TESTED_MAJOR, TESTED_MINOR))
		ModelRemarkRelease(source->builder, "XGBoost", text,
						   CppAsString2(TESTED_MAJOR) "." CppAsString2(TESTED_MINOR));
	return ModelSetLibrary(source->builder, text);
}

/*
 * Only what is known is read: a release that puts something new into the file
 * means something by it.  (3.3 moved the weights of DART, for one.)
 */
static bool
KnowsHeader(Source *source, Document *document)
{
	static const char *const root[] = {"learner", "version", NULL};
	static const char *const learner[] = {
		"attributes", "feature_names", "feature_types", "gradient_booster",
		"learner_model_param", "objective", NULL
	};
	static const char *const parameters[] = {
		"base_score", "boost_from_average", "num_class", "num_feature",
		"num_target", NULL
	};
	ModelBuilder *builder = source->builder;

	return ModelKnowsMembers(builder, document, "the model", root) &&
		ModelKnowsMembers(builder, source->learner, "learner", learner) &&
		ModelKnowsMembers(builder, DocumentMember(source->learner,
												  "learner_model_param"),
						  "learner_model_param", parameters);
}

/* Parameters of objectives: all are of the training, but alphas */
static bool
KnowsObjective(Source *source, Document *objective)
{
	static const struct
	{
		const char *name;
		const char *const known[10];
	}			parts[] = {
		{"aft_loss_param", {"aft_loss_distribution", "aft_loss_distribution_scale"}},
		{"expectile_loss_param", {"expectile_alpha"}},
		{"lambda_rank_param", {"num_pairsample", "fix_list_weight"}},
		{"lambdarank_param", {"lambdarank_bias_norm", "lambdarank_normalization",
				"lambdarank_num_pair_per_sample", "lambdarank_pair_method",
				"lambdarank_score_normalization", "lambdarank_unbiased",
		"ndcg_exp_gain"}},
		{"poisson_regression_param", {"max_delta_step"}},
		{"pseduo_huber_param", {"huber_slope"}},	/* so in 1.6 */
		{"pseudo_huber_param", {"huber_slope"}},
		{"quantile_loss_param", {"quantile_alpha"}},
		{"reg_loss_param", {"scale_pos_weight"}},
		{"softmax_multiclass_param", {"num_class"}},
		{"tweedie_regression_param", {"tweedie_variance_power"}},
	};
	const char *known[lengthof(parts) + 4];
	int			n = 0;

	known[n++] = "name";
	known[n++] = "ti+";			/* of rankings: positions' bias in the
								 * training */
	known[n++] = "tj-";
	for (int i = 0; i < lengthof(parts); i++)
		known[n++] = parts[i].name;
	known[n] = NULL;
	if (!ModelKnowsMembers(source->builder, objective, "objective", known))
		return false;
	for (int i = 0; i < lengthof(parts); i++)
		if (!ModelKnowsMembers(source->builder,
							   DocumentMember(objective, parts[i].name),
							   parts[i].name, parts[i].known))
			return false;
	return true;
}

/* How many values an objective's list has; it may be a text "[0.1,0.9]" */
static Size
CountAlphas(Document *list)
{
	const char *text;
	Size		n = 1;

	if (DocumentIsArray(list))
		return DocumentLength(list);
	if (!DocumentString(list, &text))
		return list == NULL ? 0 : 1;
	for (; *text; text ++)
		n += *text == ',';
	return n;
}

/*
 * Several quantiles or expectiles are outputs that must not cross.  XGBoost 3.4
 * sorts quantiles; expectiles, since there are several of them, add up.
 */
static bool
ReadAlphas(Source *source, Document *objective, const char *name)
{
	Document   *part;
	Size		n;

	if (strcmp(name, "reg:quantileerror") == 0)
	{
		part = DocumentMember(objective, "quantile_loss_param");
		n = CountAlphas(DocumentMember(part, "quantile_alpha"));
		if (n > 1 && source->release >= RELEASE(3, 4))
			ModelSetLink(source->builder, LINK_SORTED, 1.0, 0.0);
	}
	else if (strcmp(name, "reg:expectileerror") == 0)
	{
		part = DocumentMember(objective, "expectile_loss_param");
		n = CountAlphas(DocumentMember(part, "expectile_alpha"));
		if (n > 1)
			ModelSetLink(source->builder, LINK_CUMULATIVE_SOFTPLUS,
						 EXPECTILE_STEP, 0.0);
		if (n > 1)
			source->base = BASE_CUMULATIVE;
	}
	else
		return true;
	source->nalphas = Max(n, 1);
	return ModelIsFine(source->builder);
}

static bool
ReadObjective(Source *source)
{
	Document   *objective = DocumentMember(source->learner, "objective");
	const char *name;

	if (!DocumentString(DocumentMember(objective, "name"), &name))
		return Malformed(source, "objective");
	for (int i = 0; i < lengthof(objectives); i++)
		if (strcmp(objectives[i].name, name) == 0)
		{
			source->base = objectives[i].base;
			return ModelSetObjective(source->builder, name) &&
				ModelSetLink(source->builder, objectives[i].link, 1.0, 0.0) &&
				KnowsObjective(source, objective) &&
				ReadAlphas(source, objective, name);
		}
	ModelComplain(source->builder, MODEL_UNSUPPORTED,
				  "XGBoost objective \"%.100s\" is not supported", name);
	return ModelHint(source->builder,
					 "All objectives that XGBoost 3.4 has built in are supported.");
}

/* In float32, as the library does */
static float
SoftplusInverse(float x)
{
	x = fmaxf(x, (float) EXPECTILE_STEP);
	return x + logf(-expm1f(-x));
}

/* The margin of a base score, in the operations of the objectives */
static bool
SetBaseScore(Source *source, uint32 output, float base)
{
	float		margin = base;

	if (source->base == BASE_PROBABILITY)
	{
		/* since 3.2 what is beyond these counts as these, also 0 and 1 */
		if (source->release >= RELEASE(3, 2) && base >= 0 && base <= 1)
			base = fminf(fmaxf(base, 1e-6f), 1.0f - 1e-6f);
		if (!(base > 0 && base < 1))
			return ModelComplain(source->builder, MODEL_INVALID,
								 "base_score %g is no probability between 0 and 1",
								 base);
		margin = -logf(1.0f / base - 1.0f);
	}
	else if (source->base == BASE_POSITIVE)
	{
		if (!(base > 0))
			return ModelComplain(source->builder, MODEL_INVALID,
								 "base_score %g is not positive", base);
		margin = logf(base);
	}
	else if (source->base == BASE_CUMULATIVE && output > 0)
		margin = SoftplusInverse(base - source->last_score -
								 (float) EXPECTILE_STEP);
	source->last_score = base;
	return ModelSetStart(source->builder, output, margin);
}

static bool
IsBooster(Source *source, const char *name)
{
	const char *found;

	return DocumentString(DocumentMember(DocumentMember(source->learner,
														"gradient_booster"),
										 "name"), &found) &&
		strcmp(found, name) == 0;
}

/*
 * base_score: a number, a string with one, or a list of them, which may be
 * written as a string too.  One score is that of all outputs.	 A gblinear
 * booster uses the first one only, whatever it says.
 */
static bool
ReadBaseScore(Source *source, Document *value)
{
	Size		count = 0;
	float		first = 0;
	float		base = 0;

	if (DocumentIsArray(value))
	{
		count = DocumentLength(value);
		if (count != source->noutputs && count != 1)
			return Malformed(source, "base_score");
		for (Size k = 0; k < count; k++)
			if (!DocumentSingle(DocumentElement(value, k), &base) ||
				!SetBaseScore(source, k, base))
				return Malformed(source, "base_score");
			else if (k == 0)
				first = base;
	}
	else if (DocumentSingle(value, &first))
	{
		count = 1;
		SetBaseScore(source, 0, first);
	}
	else
	{
		const char *text;
		char	   *end;

		if (!DocumentString(value, &text) || *text ++!= '[')
			return Malformed(source, "base_score");
		do
		{
			base = strtof(text, &end);
			if (end == text ||count >= source->noutputs)
				return Malformed(source, "base_score");
			if (count == 0)
				first = base;
			SetBaseScore(source, count++, base);
			text = end + 1;
		} while (*end == ',');
		if (strcmp(end, "]") != 0 ||
			(count != source->noutputs && count != 1))
			return Malformed(source, "base_score");
	}
	if (IsBooster(source, "gblinear"))
		count = 1;
	for (uint32 k = count; k < source->noutputs; k++)
		SetBaseScore(source, k, first);
	return ModelIsFine(source->builder);
}

static bool
ReadParameters(Source *source)
{
	Document   *param = DocumentMember(source->learner, "learner_model_param");
	int64		features;
	int64		classes = 0;
	int64		targets = 1;
	Document   *value;

	if (!DocumentInteger(DocumentMember(param, "num_feature"), 1, PG_INT32_MAX,
						 &features))
		return Malformed(source, "num_feature");
	value = DocumentMember(param, "num_class");
	if (value != NULL &&
		!DocumentInteger(value, 0, PG_INT32_MAX, &classes))
		return Malformed(source, "num_class");
	value = DocumentMember(param, "num_target");
	if (value != NULL &&
		!DocumentInteger(value, 0, PG_INT32_MAX, &targets))
		return Malformed(source, "num_target");
	source->nfeatures = (uint32) features;
	source->noutputs = (uint32) Max(Max(classes, targets), 1);
	if (source->nalphas > 0 && source->nalphas != source->noutputs)
		return ModelComplain(source->builder, MODEL_UNSUPPORTED,
							 "XGBoost model has %u outputs for %zu quantiles or expectiles",
							 source->noutputs, source->nalphas);
	return ModelSetSingle(source->builder) &&
		ModelSetOutputs(source->builder, source->noutputs) &&
		ReadBaseScore(source, DocumentMember(param, "base_score"));
}

/*
 * Up to 3.3 XGBoost counts characters where it should count bytes, so a name
 * that is not ASCII shifts and cuts those that follow: nobody knows them.
 */
static bool
CutNames(Source *source, uint32 feature)
{
	ModelComplain(source->builder, MODEL_INVALID,
				  "names of the categories of feature %u are cut in the XGBoost model",
				  feature);
	return ModelHint(source->builder,
					 "Releases before 3.4 do so when a name is not ASCII. Train with a later one, or use ASCII names or codes.");
}

/*
 * Names of categories: bytes of all, and where each starts; or numbers.  Both
 * are lists of numbers in the document.
 */
static bool
ReadCategories(Source *source, uint32 feature, Document *encoding)
{
	static const char *const known[] = {"offsets", "type", "values", NULL};
	Document   *offsets = DocumentMember(encoding, "offsets");
	Document   *values = DocumentMember(encoding, "values");
	Size		n = DocumentLength(values);
	char		name[MODEL_MAX_NAME + 1];

	if (!ModelKnowsMembers(source->builder, encoding, "cats", known))
		return false;
	if (offsets == NULL)
	{
		for (Size i = 0; i < n; i++)
		{
			if (!DocumentNumberName(DocumentElement(values, i), name))
				return Malformed(source, "cats");
			if (!ModelAddCategory(source->builder, name, (uint32) i))
				return false;
		}
		return true;
	}
	for (Size i = 0; i + 1 < DocumentLength(offsets); i++)
	{
		int64		first;
		int64		end;

		if (!DocumentInteger(DocumentElement(offsets, i), 0, PG_INT32_MAX,
							 &first) ||
			!DocumentInteger(DocumentElement(offsets, i + 1), first,
							 PG_INT32_MAX, &end))
			return Malformed(source, "cats");
		if (end > n)
			return CutNames(source, feature);
		if (end - first > MODEL_MAX_NAME)
			return ModelComplain(source->builder, MODEL_LIMIT,
								 "category name of %d bytes exceeds the limit of %d bytes",
								 (int) (end - first), MODEL_MAX_NAME);
		for (int64 at = first; at < end; at++)
		{
			int64		byte;

			if (!DocumentInteger(DocumentElement(values, at), -128, 255,
								 &byte) || byte == 0)
				return Malformed(source, "cats");
			if ((byte < 0 || byte >= 0x80) && source->release < RELEASE(3, 4))
				return CutNames(source, feature);
			name[at - first] = (char) byte;
		}
		name[end - first] = '\0';
		if (!ModelAddCategory(source->builder, name, (uint32) i))
			return false;
	}
	return true;
}

static bool
ReadFeatures(Source *source, Document *cats)
{
	Document   *names = DocumentMember(source->learner, "feature_names");
	Document   *types = DocumentMember(source->learner, "feature_types");
	Document   *encodings = DocumentMember(cats, "enc");

	if (DocumentLength(names) > 0 &&
		DocumentLength(names) != source->nfeatures)
		return Malformed(source, "feature_names");
	if (DocumentLength(types) > 0 &&
		DocumentLength(types) != source->nfeatures)
		return Malformed(source, "feature_types");
	if (DocumentLength(encodings) > 0 &&
		DocumentLength(encodings) != source->nfeatures)
		return Malformed(source, "cats");
	for (uint32 f = 0; f < source->nfeatures; f++)
	{
		Document   *encoding = DocumentElement(encodings, f);
		ModelFeatureKind kind = FEATURE_NUMERIC;
		const char *name = NULL;
		const char *type;

		if (DocumentLength(names) > 0 &&
			!DocumentString(DocumentElement(names, f), &name))
			return Malformed(source, "feature_names");
		if (DocumentLength(types) > 0)
		{
			if (!DocumentString(DocumentElement(types, f), &type))
				return Malformed(source, "feature_types");
			if (strcmp(type, "c") == 0)
				kind = FEATURE_CATEGORY;
		}
		if (DocumentLength(DocumentMember(encoding, "values")) > 0)
			kind = FEATURE_TEXT;
		ModelAddFeature(source->builder, name, kind);
		if (kind == FEATURE_TEXT && !ReadCategories(source, f, encoding))
			return false;
		if (!ModelIsFine(source->builder))
			return false;
	}
	return true;
}

/*
 * Which codes go to which node's set.  The lists lie one after the other, so
 * together they are no longer than `categories`.
 */
static bool
ReadSets(Source *source, TreeArrays *tree, Document *value)
{
	Document   *nodes = DocumentMember(value, "categories_nodes");
	Document   *segments = DocumentMember(value, "categories_segments");
	Document   *sizes = DocumentMember(value, "categories_sizes");
	Size		n = DocumentLength(nodes);
	int64		left;

	tree->categories = DocumentMember(value, "categories");
	left = DocumentLength(tree->categories);
	if (n == 0)
		return true;
	tree->category_first = calloc(tree->n, sizeof(uint32));
	tree->category_count = calloc(tree->n, sizeof(uint32));
	if (tree->category_first == NULL || tree->category_count == NULL)
		return ModelComplain(source->builder, MODEL_NO_MEMORY,
							 "out of memory");
	for (Size i = 0; i < n; i++)
	{
		int64		node;
		int64		first;
		int64		size;

		if (!DocumentInteger(DocumentElement(nodes, i), 0,
							 (int64) tree->n - 1, &node) ||
			!DocumentInteger(DocumentElement(segments, i), 0,
							 DocumentLength(tree->categories), &first) ||
			!DocumentInteger(DocumentElement(sizes, i), 0,
							 Min(left, (int64) DocumentLength(tree->categories) - first),
							 &size))
			return Malformed(source, "categories_nodes");
		left -= size;
		tree->category_first[node] = (uint32) first;
		tree->category_count[node] = (uint32) size;
	}
	return true;
}

static bool
AddSetSplit(Source *source, TreeArrays *tree, Size i, uint32 feature,
			bool default_left, int32 left, int32 right, double cover)
{
	uint32		count = tree->category_count ? tree->category_count[i] : 0;
	uint32	   *codes = NULL;
	bool		result;

	if (count > 0)
	{
		codes = malloc(count * sizeof(uint32));
		if (codes == NULL)
			return ModelComplain(source->builder, MODEL_NO_MEMORY,
								 "out of memory");
		for (uint32 k = 0; k < count; k++)
		{
			int64		code;

			if (!DocumentInteger(DocumentElement(tree->categories,
												 tree->category_first[i] + k),
								 0, PG_UINT32_MAX, &code))
			{
				free(codes);
				return Malformed(source, "categories");
			}
			codes[k] = (uint32) code;
		}
	}
	result = ModelAddSetSplit(source->builder, (int32) i, feature, codes,
							  count, default_left ? 0 : NODE_DEFAULT_LEFT,
							  right, left, cover);
	free(codes);
	return result;
}

static bool
AddLeaf(Source *source, TreeArrays *tree, Size i, int64 right, double cover)
{
	double	   *values;
	Document   *from = tree->base_weights;
	Size		first = i * tree->vector;
	float		value;
	bool		result;

	if (tree->vector <= 1)
	{
		if (!DocumentSingle(DocumentElement(tree->condition, i), &value))
			return Malformed(source, "split_conditions");
		return ModelAddLeaf(source->builder, (int32) i, value, cover);
	}
	if (tree->leaf_weights != NULL)
	{
		if (right < 0)
			return Malformed(source, "right_children");
		from = tree->leaf_weights;
		first = right * tree->vector;
	}
	values = malloc(tree->vector * sizeof(double));
	if (values == NULL)
		return ModelComplain(source->builder, MODEL_NO_MEMORY,
							 "out of memory");
	for (int64 k = 0; k < tree->vector; k++)
	{
		if (!DocumentSingle(DocumentElement(from, first + k), &value))
		{
			free(values);
			return Malformed(source, "leaf_weights");
		}
		values[k] = value;
	}
	result = ModelAddVectorLeaf(source->builder, (int32) i, values,
								(uint32) tree->vector, cover);
	free(values);
	return result;
}

static bool
AddNode(Source *source, TreeArrays *tree, Size i)
{
	int64		left;
	int64		right;
	int64		feature;
	int64		type = 0;
	double		cover = NAN;
	float		threshold;
	bool		default_left;

	if (!DocumentInteger(DocumentElement(tree->left, i), -1, PG_INT32_MAX,
						 &left) ||
		!DocumentInteger(DocumentElement(tree->right, i), -1, PG_INT32_MAX,
						 &right))
		return Malformed(source, "left_children");
	if (!DocumentInteger(DocumentElement(tree->feature, i), 0, PG_UINT32_MAX,
						 &feature))
		return Malformed(source, "split_indices");
	if (left == -1 && i > 0 && feature == DELETED_NODE)
		return true;
	if (tree->cover != NULL &&
		!DocumentNumber(DocumentElement(tree->cover, i), &cover))
		return Malformed(source, "sum_hessian");
	if (left == -1)
		return AddLeaf(source, tree, i, right, cover);
	if (!DocumentBoolean(DocumentElement(tree->default_left, i),
						 &default_left))
		return Malformed(source, "default_left");
	if (tree->type != NULL &&
		!DocumentInteger(DocumentElement(tree->type, i), 0, 1, &type))
		return Malformed(source, "split_type");
	if (type == 1)
		return AddSetSplit(source, tree, i, (uint32) feature, default_left,
						   (int32) left, (int32) right, cover);
	if (!DocumentSingle(DocumentElement(tree->condition, i), &threshold))
		return Malformed(source, "split_conditions");
	return ModelAddSplit(source->builder, (int32) i, (uint32) feature,
						 threshold, default_left ? NODE_DEFAULT_LEFT : 0,
						 (int32) left, (int32) right, cover);
}

/* An array of a tree that must be there, one element a node */
static bool
GetArray(Source *source, Document *value, const char *name, Size n,
		 Document **array)
{
	*array = DocumentMember(value, name);
	if (DocumentLength(*array) == n)
		return true;
	return ModelComplain(source->builder, MODEL_INVALID,
						 "XGBoost model has a tree of %zu nodes with %zu elements in \"%s\"",
						 n, DocumentLength(*array), name);
}

static bool
AddTree(Source *source, Document *value, Size number, int64 output,
		double weight)
{
	static const char *const known[] = {
		"base_weights", "categories", "categories_nodes",
		"categories_segments", "categories_sizes", "default_left", "id",
		"leaf_child_counts", "leaf_weights", "left_children", "loss_changes",
		"parents", "right_children", "split_conditions", "split_indices",
		"split_type", "sum_hessian", "tree_param", NULL
	};
	static const char *const known_parameters[] = {
		"num_deleted", "num_feature", "num_nodes", "num_roots",
		"size_leaf_vector", NULL
	};
	TreeArrays	tree = {0};
	Document   *param = DocumentMember(value, "tree_param");
	Document   *vector = DocumentMember(param, "size_leaf_vector");
	bool		result = true;

	if (!ModelKnowsMembers(source->builder, value, "trees", known) ||
		!ModelKnowsMembers(source->builder, param, "tree_param",
						   known_parameters))
		return false;
	tree.number = number;
	tree.left = DocumentMember(value, "left_children");
	tree.n = DocumentLength(tree.left);
	if (tree.n == 0)
		return Malformed(source, "left_children");
	if (vector != NULL &&
		!DocumentInteger(vector, 0, MODEL_MAX_OUTPUTS, &tree.vector))
		return Malformed(source, "size_leaf_vector");
	if (!GetArray(source, value, "right_children", tree.n, &tree.right) ||
		!GetArray(source, value, "split_indices", tree.n, &tree.feature) ||
		!GetArray(source, value, "split_conditions", tree.n,
				  &tree.condition) ||
		!GetArray(source, value, "default_left", tree.n, &tree.default_left))
		return false;
	if (DocumentLength(DocumentMember(value, "sum_hessian")) > 0 &&
		!GetArray(source, value, "sum_hessian", tree.n, &tree.cover))
		return false;
	if (DocumentLength(DocumentMember(value, "split_type")) > 0 &&
		!GetArray(source, value, "split_type", tree.n, &tree.type))
		return false;
	tree.base_weights = DocumentMember(value, "base_weights");
	tree.leaf_weights = DocumentMember(value, "leaf_weights");
	if (tree.vector > 1)
		output = MODEL_ALL_OUTPUTS;
	if (!ModelBeginTree(source->builder, (uint32) output, weight))
		return false;
	result = ReadSets(source, &tree, value);
	for (Size i = 0; i < tree.n && result; i++)
		result = AddNode(source, &tree, i);
	free(tree.category_first);
	free(tree.category_count);
	return result && ModelEndTree(source->builder, 0);
}

/*
 * Trees of an iteration and output, where the file does not say it as those
 * since 1.6 do.  The training up to 1.5 left the number of trees up to the best
 * iteration beside that iteration, which has the forest's size in it.
 */
static bool
GuessParallel(Document *attributes, int64 best, int64 *parallel)
{
	int64		limit;

	if (best < 0 ||
		!DocumentInteger(DocumentMember(attributes, "best_ntree_limit"), 1,
						 PG_INT32_MAX, &limit) ||
		limit % (best + 1) != 0)
		return false;
	*parallel = limit / (best + 1);
	return true;
}

/*
 * How many of the trees: those of the first `iterations` rounds.  A file by
 * the scikit-learn interface is cut at its best iteration, as that interface
 * predicts; a plain Booster predicts with all.
 */
static bool
CountTrees(Source *source, Document *model, Size ntrees, int32 iterations,
		   Size *take)
{
	Document   *attributes = DocumentMember(source->learner, "attributes");
	Document   *indptr = DocumentMember(model, "iteration_indptr");
	Document   *param = DocumentMember(model, "gbtree_model_param");
	Document   *parallel = DocumentMember(param, "num_parallel_tree");
	int64		rounds;
	int64		best = -1;
	int64		step = 1;
	int64		end;

	DocumentInteger(DocumentMember(attributes, "best_iteration"), 0,
					PG_INT32_MAX - 1, &best);
	if (DocumentLength(indptr) > 0)
		rounds = DocumentLength(indptr) - 1;
	else
	{
		Document   *trees = DocumentMember(model, "trees");
		Document   *first = DocumentElement(trees, 0);
		int64		vector = 1;

		DocumentInteger(DocumentMember(DocumentMember(first, "tree_param"),
									   "size_leaf_vector"),
						0, MODEL_MAX_OUTPUTS, &vector);
		if (parallel != NULL)
		{
			if (!DocumentInteger(parallel, 1, PG_INT32_MAX, &step))
				return Malformed(source, "num_parallel_tree");
		}
		else if (!GuessParallel(attributes, best, &step) && iterations > 0)
			ModelNoteThat(source->builder,
						  "If it is a forest, multiply the number of iterations by that of its trees.",
						  "XGBoost model does not say how many trees an iteration has, one for each output is taken");
		if (vector <= 1)
			step *= source->noutputs;
		rounds = (ntrees + step - 1) / step;
	}
	if (iterations == IMPORT_AS_LIBRARY)
	{
		bool		cut = DocumentMember(attributes, "scikit_learn") != NULL;

		iterations = cut && best >= 0 && best < rounds ? (int32) best + 1 : 0;
		if (!cut && best >= 0 && best + 1 < rounds)
		{
			char		hint[128];

			snprintf(hint, sizeof(hint),
					 "Pass iterations => %d to stop at the best, as XGBClassifier and its like do, or 0 for all.",
					 (int) best + 1);
			ModelNoteThat(source->builder, hint,
						  "model has %d iterations and all are used, but its best_iteration is %d",
						  (int) rounds, (int) best);
		}
	}
	if (iterations > rounds)
		return ModelComplain(source->builder, MODEL_INVALID,
							 "model has %d iterations, not %d",
							 (int) rounds, iterations);
	*take = ntrees;
	if (iterations > 0)
	{
		rounds = iterations;
		if (DocumentLength(indptr) == 0)
			*take = Min(ntrees, step * rounds);
		else if (DocumentInteger(DocumentElement(indptr, rounds), 0,
								 ntrees, &end))
			*take = end;
		else
			return Malformed(source, "iteration_indptr");
	}
	return ModelSetIterations(source->builder, (int32) rounds, (int32) best);
}

static bool
ReadTrees(Source *source, Document *model, Document *weights,
		  int32 iterations)
{
	static const char *const known[] = {
		"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees",
		"weight_drop", NULL
	};
	static const char *const known_parameters[] = {
		"num_feature", "num_output_group", "num_parallel_tree", "num_roots",
		"num_trees", "size_leaf_vector", NULL
	};
	static const char *const known_cats[] = {
		"enc", "feature_segments", "sorted_idx", NULL
	};
	Document   *trees = DocumentMember(model, "trees");
	Document   *outputs = DocumentMember(model, "tree_info");
	Size		ntrees = DocumentLength(trees);
	Size		take = 0;

	if (!ModelKnowsMembers(source->builder, model, "gradient_booster.model", known) ||
		!ModelKnowsMembers(source->builder,
						   DocumentMember(model, "gbtree_model_param"),
						   "gbtree_model_param", known_parameters) ||
		!ModelKnowsMembers(source->builder, DocumentMember(model, "cats"),
						   "cats", known_cats))
		return false;
	if (weights == NULL)
		weights = DocumentMember(model, "weight_drop");

	if (!DocumentIsArray(trees))
		return Malformed(source, "trees");
	if (DocumentLength(outputs) != ntrees)
		return Malformed(source, "tree_info");
	/* Trees that were there before DART began have none, and count whole */
	if (weights != NULL && (!DocumentIsArray(weights) ||
							DocumentLength(weights) > ntrees))
		return Malformed(source, "weight_drop");
	if (!ReadFeatures(source, DocumentMember(model, "cats")) ||
		!CountTrees(source, model, ntrees, iterations, &take))
		return false;
	for (Size t = 0; t < take; t++)
	{
		int64		output;
		float		weight = 1;

		if (!DocumentInteger(DocumentElement(outputs, t), 0,
							 (int64) source->noutputs - 1, &output))
			return Malformed(source, "tree_info");
		if (t < DocumentLength(weights) &&
			!DocumentSingle(DocumentElement(weights, t), &weight))
			return Malformed(source, "weight_drop");
		if (!AddTree(source, DocumentElement(trees, t), t, output, weight))
			return false;
	}
	return true;
}

/* weights[feature][output], the last row holds the intercepts */
static bool
ReadLinear(Source *source, Document *model, int32 iterations)
{
	static const char *const known[] = {
		"boosted_rounds", "param", "weights", NULL
	};
	Document   *weights = DocumentMember(model, "weights");
	int64		rounds = 0;

	if (!ModelKnowsMembers(source->builder, model, "gradient_booster.model", known))
		return false;
	if (DocumentLength(weights) !=
		((Size) source->nfeatures + 1) * source->noutputs)
		return Malformed(source, "weights");
	DocumentInteger(DocumentMember(model, "boosted_rounds"), 0, PG_INT32_MAX,
					&rounds);
	if (iterations > 0)
		return ModelComplain(source->builder, MODEL_UNSUPPORTED,
							 "a linear model has no separate iterations");
	if (!ReadFeatures(source, NULL))
		return false;
	for (uint32 f = 0; f <= source->nfeatures; f++)
		for (uint32 k = 0; k < source->noutputs; k++)
		{
			Document   *value = DocumentElement(weights,
												(Size) f * source->noutputs + k);
			float		weight;

			if (!DocumentSingle(value, &weight))
				return Malformed(source, "weights");
			if (!(f < source->nfeatures ?
				  ModelSetWeight(source->builder, k, f, weight) :
				  ModelAddStart(source->builder, k, weight)))
				return false;
		}
	return ModelSetIterations(source->builder, (int32) rounds, -1);
}

static bool
ReadBooster(Source *source, int32 iterations)
{
	static const char *const known[] = {"model", "name", "weight_drop", NULL};
	static const char *const known_dart[] = {
		"gbtree", "name", "weight_drop", NULL
	};
	Document   *booster = DocumentMember(source->learner, "gradient_booster");
	const char *name;

	if (!DocumentString(DocumentMember(booster, "name"), &name))
		return Malformed(source, "gradient_booster");
	if (!ModelKnowsMembers(source->builder, booster, "gradient_booster",
						   strcmp(name, "dart") == 0 ? known_dart : known))
		return false;
	if (strcmp(name, "gbtree") == 0)
		return ReadTrees(source, DocumentMember(booster, "model"),
						 DocumentMember(booster, "weight_drop"), iterations);
	if (strcmp(name, "dart") == 0)
	{
		Document   *trees = DocumentMember(booster, "gbtree");
		Document   *weights = DocumentMember(booster, "weight_drop");

		if (!DocumentIsArray(weights))
			return Malformed(source, "weight_drop");
		if (!ModelKnowsMembers(source->builder, trees, "gbtree", known))
			return false;
		return ReadTrees(source, DocumentMember(trees, "model"), weights,
						 iterations);
	}
	if (strcmp(name, "gblinear") == 0)
		return ReadLinear(source, DocumentMember(booster, "model"),
						  iterations);
	return ModelComplain(source->builder, MODEL_UNSUPPORTED,
						 "XGBoost booster \"%.100s\" is not supported", name);
}

/* JSON or UBJSON?	Both start with a brace. */
static Document *
ParseDocument(const char *document, Size length, ModelError *error)
{
	Size		at = 0;

	while (at < length && (document[at] == ' ' || document[at] == '\n' ||
						   document[at] == '\r' || document[at] == '\t'))
		at++;
	if (at >= length || document[at] != '{')
	{
		ModelFail(error, MODEL_INVALID, "document is not an XGBoost model");
		snprintf(error->hint, sizeof(error->hint),
				 "Save it as JSON or UBJSON: booster.save_model('model.json'). The old binary format is not supported.");
		return NULL;
	}
	if (!DocumentCheckBytes(length, error))
		return NULL;
	if (at == 0 && length > 1 && strchr(" \n\r\t\"}", document[1]) == NULL)
		return DocumentParseUbjson(document, length, error);
	return DocumentParseJson(document, length, error);
}

Model	   *
ImportXGBoost(const char *document, Size length, int32 iterations, Size *size,
			  ModelError *error)
{
	Document   *root = ParseDocument(document, length, error);
	Source		source = {0};

	if (root == NULL)
		return NULL;
	source.builder = ModelBegin(MODEL_XGBOOST, error);
	source.learner = DocumentMember(root, "learner");
	if (!DocumentIsObject(source.learner))
		ModelComplain(source.builder, MODEL_INVALID,
					  "document is not an XGBoost model: it has no \"learner\"");
	else if (ReadVersion(&source, root) && KnowsHeader(&source, root) &&
			 ReadObjective(&source) &&
			 ReadParameters(&source))
		ReadBooster(&source, iterations);
	DocumentFree(root);
	return ModelFinish(source.builder, size);
}
