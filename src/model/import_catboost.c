/*
 * import_catboost.c
 *		Reads CatBoost's JSON format.
 *
 * A tree is oblivious (one split for each level: the leaf's number has the
 * answers as bits, that of the first split lowest) or a nest of splits.  A
 * split that is true goes right: value > border, or category = value.
 *
 * Features are float32 but leaves and sums float64.  A row may come in
 * float64, so a border becomes the largest float64 that, rounded to float32,
 * is not above it; then both kinds of rows end in the same leaf.
 *
 * The file knows categories by hash.  Their names are in it only when it was
 * saved with the pool that it was trained with.
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "document.h"
#include "import.h"

#define CATBOOST_MAX_DEPTH	16	/* of an oblivious tree, as in the library */
#define NOT_A_FEATURE		PG_UINT32_MAX

/* The newest release whose files were compared with the library */
#define TESTED_RELEASE		"1.2.10"

/* A category's hash, with its name or its code */
typedef struct Hashed
{
	uint32		hash;
	uint32		code;
	const char *name;
} Hashed;

/* A feature in the order of rows, with what its kind needs */
typedef struct Feature
{
	Document   *info;
	bool		categorical;
	Hashed	   *values;			/* that splits compare with, by hash */
	Size		nvalues;
	uint32		missing;		/* flags of a split that is numeric */
} Feature;

typedef struct Source
{
	ModelBuilder *builder;
	Document   *document;
	Document   *ctrs;
	Feature    *features;		/* by flat index */
	uint32		nfeatures;
	uint32	   *floats;			/* flat index by number of float feature */
	uint32		nfloats;
	uint32	   *categories;		/* flat index by number of categorical one */
	uint32		ncategories;
	uint32		noutputs;
	uint32		tree;			/* number of the tree, for messages */
	double	   *values;			/* of one leaf */
	double	   *covers;			/* of an oblivious tree, as a heap */
} Source;

/* A split, as both kinds of trees have it */
typedef struct Split
{
	uint32		feature;
	bool		categorical;
	double		border;
	uint32		code;
	uint32		flags;
} Split;

static bool
Malformed(Source *source, const char *what)
{
	return ModelComplain(source->builder, MODEL_INVALID,
						 "CatBoost model has no valid \"%s\"", what);
}

static bool
MalformedTree(Source *source, const char *what)
{
	return ModelComplain(source->builder, MODEL_INVALID,
						 "tree %u of the CatBoost model has no valid \"%s\"",
						 source->tree, what);
}

/* The largest float64 that does not exceed a float32 when rounded to one */
static double
WidestBorder(float border)
{
	float		next = nextafterf(border, INFINITY);
	double		middle;

	/* The step above the largest float32 is as wide as the one below it. */
	if (isinf(next))
		middle = border + ((double) border - nextafterf(border, 0.0f)) / 2;
	else
		middle = ((double) border + next) / 2;
	return (float) middle <= border ? middle : nextafter(middle, -INFINITY);
}

/* Its version is the tag or branch in "Branch: tags/v1.2.10" */
static bool
ReadLibrary(Source *source, Document *info)
{
	const char *text;
	char		version[32];
	int			major = 0;
	int			minor = 0;
	int			patch = 0;
	Size		n = 0;

	if (!DocumentString(DocumentMember(info, "catboost_version_info"), &text) ||
		(text = strstr(text, "tags/v")) == NULL)
		return true;
	text	  +=strlen("tags/v");

	while (n < sizeof(version) - 1 &&
		   ((*text >='0' && *text <='9') ||*text == '.'))
		version[n++] = *text ++;
	version[n] = '\0';
	if (sscanf(version, "%d.%d.%d", &major, &minor, &patch) >= 2 &&
		(major > 1 || (major == 1 && (minor > 2 ||
									  (minor == 2 && patch > 10)))))
		ModelRemarkRelease(source->builder, "CatBoost", version,
						   TESTED_RELEASE);
	return ModelSetLibrary(source->builder, version);
}

/*
 * The loss that was optimised tells what a margin is.  A model that does not
 * name it was put together from others; its margins are its predictions.
 */
static bool
ReadLoss(Source *source, Document *info)
{
	static const struct
	{
		const char *name;
		ModelLink	link;
	}			losses[] = {
		{"Combination", LINK_IDENTITY},
		{"Cox", LINK_IDENTITY},
		{"CrossEntropy", LINK_LOGISTIC},
		{"Expectile", LINK_IDENTITY},
		{"Focal", LINK_LOGISTIC},
		{"GroupQuantile", LINK_IDENTITY},
		{"Huber", LINK_IDENTITY},
		{"LambdaMart", LINK_IDENTITY},
		{"LogCosh", LINK_IDENTITY},
		{"LogLinQuantile", LINK_IDENTITY},
		{"Logloss", LINK_LOGISTIC},
		{"Lq", LINK_IDENTITY},
		{"MAE", LINK_IDENTITY},
		{"MAPE", LINK_IDENTITY},
		{"MultiClass", LINK_SOFTMAX},
		{"MultiClassOneVsAll", LINK_LOGISTIC},
		{"MultiCrossEntropy", LINK_LOGISTIC},
		{"MultiLogloss", LINK_LOGISTIC},
		{"MultiQuantile", LINK_IDENTITY},
		{"MultiRMSE", LINK_IDENTITY},
		{"MultiRMSEWithMissingValues", LINK_IDENTITY},
		{"PairLogit", LINK_IDENTITY},
		{"PairLogitPairwise", LINK_IDENTITY},
		{"Poisson", LINK_EXP},
		{"Quantile", LINK_IDENTITY},
		{"QueryCrossEntropy", LINK_IDENTITY},
		{"QueryRMSE", LINK_IDENTITY},
		{"QuerySoftMax", LINK_IDENTITY},
		{"RMSE", LINK_IDENTITY},
		{"RMSEWithUncertainty", LINK_IDENTITY},
		{"StochasticFilter", LINK_IDENTITY},
		{"StochasticRank", LINK_IDENTITY},
		{"SurvivalAft", LINK_IDENTITY},
		{"Tweedie", LINK_EXP},
		{"YetiRank", LINK_IDENTITY},
		{"YetiRankPairwise", LINK_IDENTITY},
	};
	Document   *loss = DocumentMember(DocumentMember(info, "params"),
									  "loss_function");
	const char *name;

	if (loss == NULL)
		return true;
	if (!DocumentString(DocumentMember(loss, "type"), &name))
		return Malformed(source, "loss_function");
	for (int i = 0; i < lengthof(losses); i++)
		if (strcmp(losses[i].name, name) == 0)
			return ModelSetObjective(source->builder, name) &&
				ModelSetLink(source->builder, losses[i].link, 1.0, 0.0);
	return ModelComplain(source->builder, MODEL_UNSUPPORTED,
						 "CatBoost loss function \"%.100s\" is not supported",
						 name);
}

/* Enters one kind's list of features in the tables by flat and own number */
static bool
NumberFeatures(Source *source, Document *list, bool categorical)
{
	static const char *const known[] = {
		"borders", "feature_id", "feature_index", "feature_name",
		"flat_feature_index", "has_nans", "nan_value_treatment", "values", NULL
	};
	Size		count = DocumentLength(list);
	uint32	   *numbers = categorical ? source->categories : source->floats;

	for (Size i = 0; i < count; i++)
	{
		Document   *info = DocumentElement(list, i);
		int64		flat,
					own;

		if (!ModelKnowsMembers(source->builder, info, "features_info", known))
			return false;
		if (!DocumentInteger(DocumentMember(info, "flat_feature_index"), 0,
							 (int64) source->nfeatures - 1, &flat) ||
			!DocumentInteger(DocumentMember(info, "feature_index"), 0,
							 (int64) count - 1, &own) ||
			source->features[flat].info != NULL ||
			numbers[own] != NOT_A_FEATURE)
			return Malformed(source, "features_info");
		numbers[own] = (uint32) flat;
		source->features[flat].info = info;
		source->features[flat].categorical = categorical;
	}
	return true;
}

/* What is missing counts as smaller or as larger than every border */
static bool
ReadMissing(Source *source, Feature *feature)
{
	const char *treatment;

	feature->missing = NODE_MISSING_NAN | NODE_DEFAULT_LEFT;
	if (DocumentMember(feature->info, "nan_value_treatment") == NULL)
		return true;
	if (!DocumentString(DocumentMember(feature->info, "nan_value_treatment"),
						&treatment))
		return Malformed(source, "nan_value_treatment");
	if (strcmp(treatment, "AsTrue") == 0)
		feature->missing = NODE_MISSING_NAN;
	else if (strcmp(treatment, "AsIs") != 0 &&
			 strcmp(treatment, "AsFalse") != 0)
		return Malformed(source, "nan_value_treatment");
	return true;
}

/* A hash is written as a signed or an unsigned number of 32 bits */
static bool
ReadHash(Document *value, uint32 *hash)
{
	int64		number;

	if (!DocumentInteger(value, INT_MIN, UINT_MAX, &number))
		return false;
	*hash = (uint32) number;
	return true;
}

static int
CompareHashes(const void *a, const void *b)
{
	uint32		left = ((const Hashed *) a)->hash;
	uint32		right = ((const Hashed *) b)->hash;

	return left < right ? -1 : left > right;
}

static Hashed *
FindHash(Hashed *table, Size count, uint32 hash)
{
	Hashed		key;

	key.hash = hash;
	return count == 0 ? NULL :
		bsearch(&key, table, count, sizeof(Hashed), CompareHashes);
}

/*
 * The categories that splits on the feature compare with, and their names.  A
 * code is a hash's position in the feature's list.
 */
static bool
AddCategories(Source *source, Feature *feature, const char *id,
			  Hashed *names, Size nnames)
{
	Document   *values = DocumentMember(feature->info, "values");

	feature->nvalues = DocumentLength(values);
	feature->values = calloc(Max(feature->nvalues, 1), sizeof(Hashed));
	if (feature->values == NULL)
		return ModelComplain(source->builder, MODEL_NO_MEMORY, "out of memory");
	for (Size i = 0; i < feature->nvalues; i++)
	{
		Hashed	   *value = &feature->values[i];
		Hashed	   *found;

		value->code = (uint32) i;
		if (!ReadHash(DocumentElement(values, i), &value->hash))
			return Malformed(source, "values");
		found = FindHash(names, nnames, value->hash);
		if (found == NULL)
		{
			ModelComplain(source->builder, MODEL_INVALID,
						  "CatBoost model does not name the categories of feature \"%.100s\"",
						  id);
			return ModelHint(source->builder,
							 "Save it with its training data: model.save_model(file, format='json', pool=pool).");
		}
		if (!ModelAddCategory(source->builder, found->name, (uint32) i))
			return false;
	}
	qsort(feature->values, feature->nvalues, sizeof(Hashed), CompareHashes);
	return true;
}

/* The table of hashes and names, sorted; *names from malloc */
static bool
ReadNames(Source *source, Document *table, Hashed **names)
{
	Size		count = DocumentLength(table);

	*names = calloc(Max(count, 1), sizeof(Hashed));
	if (*names == NULL)
		return ModelComplain(source->builder, MODEL_NO_MEMORY, "out of memory");
	for (Size i = 0; i < count; i++)
	{
		Document   *entry = DocumentElement(table, i);

		if (!ReadHash(DocumentMember(entry, "hash"), &(*names)[i].hash) ||
			!DocumentString(DocumentMember(entry, "value"), &(*names)[i].name))
			return Malformed(source, "cat_features_hash");
	}
	qsort(*names, count, sizeof(Hashed), CompareHashes);
	return true;
}

static bool
AddFeatures(Source *source, Document *info)
{
	Document   *table = DocumentMember(info, "cat_features_hash");
	Hashed	   *names = NULL;
	bool		fine = ReadNames(source, table, &names);

	for (uint32 f = 0; fine && f < source->nfeatures; f++)
	{
		Feature    *feature = &source->features[f];
		const char *id;
		char		number[16];

		if (feature->info == NULL ||
			(DocumentMember(feature->info, "feature_id") != NULL &&
			 !DocumentString(DocumentMember(feature->info, "feature_id"), &id)))
		{
			fine = Malformed(source, "features_info");
			break;
		}
		/* The library does the same for a feature without a name. */
		if (DocumentMember(feature->info, "feature_id") == NULL || *id == '\0')
		{
			snprintf(number, sizeof(number), "%u", f);
			id = number;
		}
		ModelAddFeature(source->builder, id, feature->categorical ?
						FEATURE_TEXT : FEATURE_NUMERIC);
		fine = feature->categorical ?
			AddCategories(source, feature, id, names, DocumentLength(table)) :
			ReadMissing(source, feature);
		fine = fine && ModelIsFine(source->builder);
	}
	free(names);
	return fine;
}

/* The kinds of features that are refused by name, when there are any */
static bool
RefuseFeatures(Source *source, Document *list, const char *kind)
{
	const char *id;

	if (DocumentLength(list) == 0)
		return true;
	if (!DocumentString(DocumentMember(DocumentElement(list, 0), "feature_id"),
						&id))
		id = "?";
	return ModelComplain(source->builder, MODEL_UNSUPPORTED,
						 "%s feature \"%.100s\" of a CatBoost model is not supported",
						 kind, id);
}

static bool
ReadFeatures(Source *source)
{
	Document   *info = DocumentMember(source->document, "features_info");
	Document   *floats = DocumentMember(info, "float_features");
	Document   *categories = DocumentMember(info, "categorical_features");
	Size		nfloats = DocumentLength(floats);
	Size		ncategories = DocumentLength(categories);

	if (!DocumentIsObject(info))
		return Malformed(source, "features_info");
	if (!RefuseFeatures(source, DocumentMember(info, "text_features"), "text") ||
		!RefuseFeatures(source, DocumentMember(info, "embedding_features"),
						"embedding"))
		return false;
	if (nfloats + ncategories == 0)
		return Malformed(source, "features_info");
	if (nfloats + ncategories > MODEL_MAX_FEATURES)
		return ModelComplain(source->builder, MODEL_LIMIT,
							 "model has more than %d features",
							 MODEL_MAX_FEATURES);
	source->nfloats = nfloats;
	source->ncategories = ncategories;
	source->nfeatures = nfloats + ncategories;
	source->ctrs = DocumentMember(info, "ctrs");
	source->features = calloc(source->nfeatures, sizeof(Feature));
	source->floats = malloc(Max(nfloats, 1) * sizeof(uint32));
	source->categories = malloc(Max(ncategories, 1) * sizeof(uint32));
	if (source->features == NULL || source->floats == NULL ||
		source->categories == NULL)
		return ModelComplain(source->builder, MODEL_NO_MEMORY, "out of memory");
	memset(source->floats, 0xff, nfloats * sizeof(uint32));
	memset(source->categories, 0xff, ncategories * sizeof(uint32));
	return NumberFeatures(source, floats, false) &&
		NumberFeatures(source, categories, true) &&
		AddFeatures(source, info);
}

/* scale_and_bias: [scale, [bias of each output]]; old files: [scale, bias] */
static bool
ReadScale(Source *source)
{
	Document   *pair = DocumentMember(source->document, "scale_and_bias");
	Document   *bias = DocumentElement(pair, 1);
	double		scale;
	double		number;

	if (pair == NULL)
		return true;
	if (!DocumentNumber(DocumentElement(pair, 0), &scale) ||
		(DocumentIsArray(bias) &&
		 DocumentLength(bias) != source->noutputs &&
		 DocumentLength(bias) > 1))
		return Malformed(source, "scale_and_bias");
	for (uint32 k = 0; k < source->noutputs; k++)
	{
		Document   *value = bias;

		if (DocumentIsArray(bias))
		{
			if (DocumentLength(bias) == 0)
				break;
			value = DocumentElement(bias, DocumentLength(bias) == 1 ? 0 : k);
		}
		/* A single zero stands for all outputs. */
		if (!DocumentNumber(value, &number) ||
			(number != 0 && source->noutputs > 1 &&
			 DocumentLength(bias) != source->noutputs))
			return Malformed(source, "scale_and_bias");
		if (!ModelSetBias(source->builder, k, number))
			return false;
	}
	return ModelSetScale(source->builder, scale, 1.0);
}

/*
 * A split on a statistic of the target (CTR) can't be had from the row alone.
 * The split names it by the number of its border among all borders: those of
 * floats, then values of categories, then those of the statistics.
 */
static bool
RefuseCtr(Source *source, Document *split)
{
	const char *id = NULL;
	int64		number = -1;
	int64		first = 0;

	DocumentInteger(DocumentMember(split, "split_index"), 0, PG_INT32_MAX,
					&number);
	for (uint32 f = 0; f < source->nfeatures; f++)
		first += DocumentLength(DocumentMember(source->features[f].info,
											   source->features[f].categorical ?
											   "values" : "borders"));
	for (Size i = 0; i < DocumentLength(source->ctrs); i++)
	{
		Document   *ctr = DocumentElement(source->ctrs, i);
		Document   *elements = DocumentMember(ctr, "elements");
		int64		borders = DocumentLength(DocumentMember(ctr, "borders"));
		int64		own;

		if (number >= first && number < first + borders)
			for (Size k = DocumentLength(elements); k-- > 0;)
				if (DocumentInteger(DocumentMember(DocumentElement(elements, k),
												   "cat_feature_index"), 0,
									(int64) source->ncategories - 1, &own))
					DocumentString(DocumentMember(
												  source->features[source->categories[own]].info,
												  "feature_id"), &id);
		first += borders;
	}
	if (id != NULL)
		ModelComplain(source->builder, MODEL_UNSUPPORTED,
					  "CatBoost model splits on a target statistic (CTR) of categorical feature \"%.100s\"",
					  id);
	else
		ModelComplain(source->builder, MODEL_UNSUPPORTED,
					  "CatBoost model splits on a target statistic (CTR) of categorical features");
	return ModelHint(source->builder,
					 "Train with a one_hot_max_size of at least the number of its categories, or encode it before.");
}

static bool
ReadSplit(Source *source, Document *document, Split *split)
{
	static const char *const known[] = {
		"border", "cat_feature_index", "ctr_target_border_idx",
		"float_feature_index", "split_index", "split_type", "value", NULL
	};
	const char *type;
	int64		own;

	memset(split, 0, sizeof(*split));
	if (!ModelKnowsMembers(source->builder, document, "split", known))
		return false;
	if (!DocumentString(DocumentMember(document, "split_type"), &type))
		return MalformedTree(source, "split_type");
	if (strcmp(type, "FloatFeature") == 0)
	{
		float		border;

		if (!DocumentInteger(DocumentMember(document, "float_feature_index"),
							 0, (int64) source->nfloats - 1, &own))
			return MalformedTree(source, "float_feature_index");
		if (!DocumentSingle(DocumentMember(document, "border"), &border) ||
			!isfinite(border))
			return MalformedTree(source, "border");
		split->feature = source->floats[own];
		split->border = WidestBorder(border);
		split->flags = NODE_LE | source->features[split->feature].missing;
		return true;
	}
	if (strcmp(type, "OneHotFeature") == 0)
	{
		Feature    *feature;
		Hashed	   *found;
		uint32		hash;

		if (!DocumentInteger(DocumentMember(document, "cat_feature_index"),
							 0, (int64) source->ncategories - 1, &own))
			return MalformedTree(source, "cat_feature_index");
		split->feature = source->categories[own];
		split->categorical = true;
		split->flags = NODE_MISSING_NAN;
		feature = &source->features[split->feature];
		if (!ReadHash(DocumentMember(document, "value"), &hash) ||
			(found = FindHash(feature->values, feature->nvalues, hash)) == NULL)
			return MalformedTree(source, "value");
		split->code = found->code;
		return true;
	}
	if (strcmp(type, "OnlineCtr") == 0)
		return RefuseCtr(source, document);
	return ModelComplain(source->builder, MODEL_UNSUPPORTED,
						 "CatBoost split of type \"%.100s\" is not supported",
						 type);
}

/* What is true goes right; a set's inside is what equals the category */
static bool
AddSplit(Source *source, int32 id, const Split *split, int32 no, int32 yes,
		 double cover)
{
	if (split->categorical)
		return ModelAddSetSplit(source->builder, id, split->feature,
								&split->code, 1, split->flags, yes, no, cover);
	return ModelAddSplit(source->builder, id, split->feature, split->border,
						 split->flags, no, yes, cover);
}

/* A leaf's values: source->values, one for each output */
static bool
AddLeaf(Source *source, int32 id, double cover)
{
	if (source->noutputs == 1)
		return ModelAddLeaf(source->builder, id, source->values[0], cover);
	return ModelAddVectorLeaf(source->builder, id, source->values,
							  source->noutputs, cover);
}

static bool
BeginTree(Source *source)
{
	return ModelBeginTree(source->builder, source->noutputs == 1 ? 0 :
						  MODEL_ALL_OUTPUTS, 1.0);
}

/*
 * Leaves are numbered from 0, splits below 0: the one at position p of a heap
 * (root 1, children 2p and 2p + 1) is -p.  The last split is at the root,
 * because it gives the highest bit.
 */
static bool
ReadOblivious(Source *source, Document *tree)
{
	static const char *const known[] = {
		"leaf_values", "leaf_weights", "splits", NULL
	};
	Document   *splits = DocumentMember(tree, "splits");
	Document   *values = DocumentMember(tree, "leaf_values");
	Document   *weights = DocumentMember(tree, "leaf_weights");
	Size		depth = DocumentLength(splits);
	Size		nleaves = (Size) 1 << Min(depth, CATBOOST_MAX_DEPTH);
	Split		split[CATBOOST_MAX_DEPTH];

	if (!ModelKnowsMembers(source->builder, tree, "oblivious_trees", known))
		return false;
	if (depth > CATBOOST_MAX_DEPTH)
		return ModelComplain(source->builder, MODEL_LIMIT,
							 "tree %u of the CatBoost model is deeper than %d splits",
							 source->tree, CATBOOST_MAX_DEPTH);
	if (DocumentLength(values) != nleaves * source->noutputs)
		return MalformedTree(source, "leaf_values");
	if (weights != NULL && DocumentLength(weights) != nleaves)
		return MalformedTree(source, "leaf_weights");
	for (Size i = 0; i < depth; i++)
		if (!ReadSplit(source, DocumentElement(splits, i), &split[i]))
			return false;
	for (Size i = 0; i < nleaves; i++)
	{
		double	   *cover = &source->covers[nleaves + i];

		*cover = NAN;
		if (weights != NULL &&
			!DocumentNumber(DocumentElement(weights, i), cover))
			return MalformedTree(source, "leaf_weights");
	}
	for (Size p = nleaves - 1; p > 0; p--)
		source->covers[p] = source->covers[2 * p] + source->covers[2 * p + 1];

	if (!BeginTree(source))
		return false;
	for (Size level = 0; level < depth; level++)
		for (Size p = (Size) 1 << level; p < (Size) 2 << level; p++)
		{
			bool		last = level + 1 == depth;
			int32		no = last ? (int32) (2 * p - nleaves) : -(int32) (2 * p);
			int32		yes = last ? no + 1 : no - 1;

			if (!AddSplit(source, -(int32) p, &split[depth - 1 - level],
						  no, yes, source->covers[p]))
				return false;
		}
	for (Size i = 0; i < nleaves; i++)
	{
		for (uint32 k = 0; k < source->noutputs; k++)
			if (!DocumentNumber(DocumentElement(values,
												i * source->noutputs + k),
								&source->values[k]))
				return MalformedTree(source, "leaf_values");
		if (!AddLeaf(source, (int32) i, source->covers[nleaves + i]))
			return false;
	}
	return ModelEndTree(source->builder, depth == 0 ? 0 : -1);
}

/*
 * A nest of splits: leaves from 0 and splits from -1, in the order in which
 * they are met, left first.  The document's own limit of nesting bounds the
 * recursion.
 */
static bool
ReadNested(Source *source, Document *node, int32 *nleaves, int32 *nsplits,
		   int32 *id, double *cover)
{
	static const char *const known[] = {
		"left", "right", "split", "value", "weight", NULL
	};
	Document   *value = DocumentMember(node, "value");
	Document   *document = DocumentMember(node, "split");
	Split		split;
	int32		no,
				yes;
	double		no_cover,
				yes_cover;

	if (!ModelKnowsMembers(source->builder, node, "trees", known))
		return false;
	if (document == NULL)
	{
		Size		count = DocumentIsArray(value) ? DocumentLength(value) : 1;

		if (count != source->noutputs)
			return MalformedTree(source, "value");
		for (uint32 k = 0; k < source->noutputs; k++)
			if (!DocumentNumber(DocumentIsArray(value) ?
								DocumentElement(value, k) : value,
								&source->values[k]))
				return MalformedTree(source, "value");
		*cover = NAN;
		if (DocumentMember(node, "weight") != NULL &&
			!DocumentNumber(DocumentMember(node, "weight"), cover))
			return MalformedTree(source, "weight");
		*id = (*nleaves)++;
		return AddLeaf(source, *id, *cover);
	}
	*id = --(*nsplits);
	if (!ReadSplit(source, document, &split) ||
		!ReadNested(source, DocumentMember(node, "left"), nleaves, nsplits,
					&no, &no_cover) ||
		!ReadNested(source, DocumentMember(node, "right"), nleaves, nsplits,
					&yes, &yes_cover))
		return false;
	*cover = no_cover + yes_cover;
	return AddSplit(source, *id, &split, no, yes, *cover);
}

static bool
ReadNestedTree(Source *source, Document *tree)
{
	int32		nleaves = 0;
	int32		nsplits = 0;
	int32		root;
	double		cover;

	return BeginTree(source) &&
		ReadNested(source, tree, &nleaves, &nsplits, &root, &cover) &&
		ModelEndTree(source->builder, root);
}

/* How many outputs: from the first tree, or the biases when there is none */
static bool
CountOutputs(Source *source, Document *oblivious, Document *nested)
{
	Document   *bias = DocumentElement(DocumentMember(source->document,
													  "scale_and_bias"), 1);
	Size		count = 1;

	if (DocumentLength(oblivious) > 0)
	{
		Document   *tree = DocumentElement(oblivious, 0);
		Size		depth = DocumentLength(DocumentMember(tree, "splits"));
		Size		values = DocumentLength(DocumentMember(tree, "leaf_values"));

		count = values >> Min(depth, CATBOOST_MAX_DEPTH);
	}
	else if (DocumentLength(nested) > 0)
	{
		Document   *node = DocumentElement(nested, 0);

		while (DocumentMember(node, "split") != NULL)
			node = DocumentMember(node, "left");
		node = DocumentMember(node, "value");
		if (DocumentIsArray(node))
			count = DocumentLength(node);
	}
	else if (DocumentIsArray(bias))
		count = Max(DocumentLength(bias), 1);
	if (count == 0)
		return MalformedTree(source, "leaf_values");
	source->noutputs = (uint32) Min(count, UINT_MAX);
	return ModelSetOutputs(source->builder, source->noutputs);
}

/* Only what is known is read: what is new may change what a model predicts */
static bool
KnowsMembers(Source *source)
{
	static const char *const root[] = {
		"ctr_data", "features_info", "model_info", "oblivious_trees",
		"scale_and_bias", "trees", NULL
	};
	static const char *const features[] = {
		"cat_features_hash", "categorical_features", "ctrs",
		"embedding_features", "float_features", "text_features", NULL
	};

	return ModelKnowsMembers(source->builder, source->document, "the model",
							 root) &&
		ModelKnowsMembers(source->builder,
						  DocumentMember(source->document, "features_info"),
						  "features_info", features);
}

static bool
ReadModel(Source *source)
{
	Document   *oblivious = DocumentMember(source->document, "oblivious_trees");
	Document   *nested = DocumentMember(source->document, "trees");
	Document   *trees = oblivious != NULL ? oblivious : nested;
	Document   *info = DocumentMember(source->document, "model_info");
	Size		ntrees = DocumentLength(trees);

	if (!DocumentIsObject(source->document) || !DocumentIsArray(trees) ||
		(oblivious != NULL && nested != NULL))
	{
		ModelComplain(source->builder, MODEL_INVALID,
					  "document is not a CatBoost model");
		return ModelHint(source->builder,
						 "It is what model.save_model(file, format='json') writes.");
	}
	if (!KnowsMembers(source) || !ReadLibrary(source, info) || !ReadLoss(source, info) ||
		!CountOutputs(source, oblivious, nested) ||
		!ReadFeatures(source) || !ReadScale(source))
		return false;
	source->values = malloc(source->noutputs * sizeof(double));
	source->covers = malloc(((Size) 2 << CATBOOST_MAX_DEPTH) * sizeof(double));
	if (source->values == NULL || source->covers == NULL)
		return ModelComplain(source->builder, MODEL_NO_MEMORY, "out of memory");
	for (Size t = 0; t < ntrees; t++)
	{
		source->tree = (uint32) t;
		if (!(oblivious != NULL ?
			  ReadOblivious(source, DocumentElement(trees, t)) :
			  ReadNestedTree(source, DocumentElement(trees, t))))
			return false;
	}
	return ModelSetIterations(source->builder, (int32) ntrees, -1);
}

Model	   *
ImportCatBoost(const char *document, Size length, Size *size,
			   ModelError *error)
{
	Source		source;
	Model	   *model = NULL;

	memset(&source, 0, sizeof(source));
	*size = 0;
	if (!DocumentCheckBytes(length, error))
		return NULL;
	source.document = DocumentParseJson(document, length, error);
	if (source.document == NULL)
	{
		if (error->kind == MODEL_INVALID)
			snprintf(error->hint, sizeof(error->hint),
					 "A CatBoost model is what model.save_model(file, format='json') writes.");
		return NULL;
	}
	source.builder = ModelBegin(MODEL_CATBOOST, error);
	if (ReadModel(&source))
		model = ModelFinish(source.builder, size);
	else
		ModelAbandon(source.builder);
	for (uint32 f = 0; source.features != NULL && f < source.nfeatures; f++)
		free(source.features[f].values);
	free(source.features);
	free(source.floats);
	free(source.categories);
	free(source.values);
	free(source.covers);
	DocumentFree(source.document);
	return model;
}
