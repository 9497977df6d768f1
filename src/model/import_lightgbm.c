/*
 * import_lightgbm.c
 *		Reads LightGBM's text format, versions 2 to 4.
 *
 * The format is lines of key=value: a header, then a block for each tree,
 * then parameters, and on the last line the categories of a pandas frame.
 * Values of a tree are lists, one element for each split or leaf; a child
 * that is negative is the complement of a leaf's number.
 *
 * What LightGBM does to a row before it asks the trees is put into the nodes:
 * values within MODEL_ZERO of zero count as zero, so thresholds in there move
 * to its border.  Sets of categories send what is missing to the right.
 *
 * The document is not trusted and need not end in a zero byte.  Memory is at
 * most a small multiple of its length: no count is believed before as many
 * tokens have been seen.
 */
#include "postgres.h"

#include <ctype.h>
#include <limits.h>

#include "category.h"
#include "document.h"
#include "import.h"
#include "pandas_columns.h"
#include "span.h"

typedef struct Reader
{
	const char *at;
	const char *end;
	ModelBuilder *builder;
	ModelError *error;
	uint32		noutputs;		/* trees of one round */
	uint32		nfeatures;
	bool		average;		/* a forest: the mean of its trees */
	uint32		ntrees;
	uint32		expected_trees; /* as tree_sizes says */
	bool		has_sizes;
	bool		ended;			/* the end of the trees was seen */
	Span		tree;			/* of the number in "Tree=", for messages */
	const char *const *columns; /* whose categories pandas_categorical has */
	uint32		ncolumns;		/* 0: nobody says */
} Reader;

/* The lists of a tree's block, in the order of tree_keys */
typedef enum TreeKey
{
	KEY_NUM_LEAVES, KEY_NUM_CAT, KEY_SPLIT_FEATURE, KEY_THRESHOLD,
	KEY_DECISION_TYPE, KEY_LEFT_CHILD, KEY_RIGHT_CHILD, KEY_LEAF_VALUE,
	KEY_LEAF_COUNT, KEY_INTERNAL_COUNT, KEY_CAT_BOUNDARIES, KEY_CAT_THRESHOLD,
	KEY_IS_LINEAR, KEY_LEAF_CONST, KEY_NUM_FEATURES, KEY_LEAF_FEATURES,
	KEY_LEAF_COEFF, TREE_KEYS
} TreeKey;

static const char *const tree_keys[TREE_KEYS] = {
	"num_leaves", "num_cat", "split_feature", "threshold", "decision_type",
	"left_child", "right_child", "leaf_value", "leaf_count", "internal_count",
	"cat_boundaries", "cat_threshold", "is_linear", "leaf_const",
	"num_features", "leaf_features", "leaf_coeff"
};

/* decision_type */
#define DECISION_CATEGORICAL	1
#define DECISION_DEFAULT_LEFT	2
#define DECISION_MISSING(d)		((d) >> 2)	/* 0 none, 1 zero, 2 NaN */

/* A tree's lists as arrays */
typedef struct Tree
{
	Span		value[TREE_KEYS];	/* start is NULL when it is absent */
	uint32		nleaves;
	uint32		nsplits;
	uint32		ncat;
	int32	   *feature;
	double	   *threshold;
	int32	   *decision;
	int32	   *left;
	int32	   *right;
	double	   *leaf;
	double	   *leaf_count;		/* NULL: not known */
	double	   *split_count;
	int32	   *boundaries;
	uint32	   *words;
	uint32		nwords;
	double	   *constant;
	int32	   *nterms;
	int32	   *term_feature;
	double	   *term_coefficient;
	uint32	   *codes;			/* scratch for one set */
	bool	   *set_used;
} Tree;

/* For messages: as much of a span as is useful */
static int
Shown(Span span)
{
	return (int) Min(span.end - span.start, 40);
}

static char *
SpanCopy(Reader *r, Span span)
{
	Size		length = span.end - span.start;
	char	   *copy;

	if (memchr(span.start, '\0', length) != NULL)
	{
		ModelComplain(r->builder, MODEL_INVALID,
					  "LightGBM model has a zero byte");
		return NULL;
	}
	copy = malloc(length + 1);
	if (copy == NULL)
	{
		ModelComplain(r->builder, MODEL_NO_MEMORY, "out of memory");
		return NULL;
	}
	memcpy(copy, span.start, length);
	copy[length] = '\0';
	return copy;
}

/* The next line without its end; false at the end of the document */
static bool
NextLine(Reader *r, Span *line)
{
	const char *newline;

	if (r->at >= r->end)
		return false;
	newline = memchr(r->at, '\n', r->end - r->at);
	line->start = r->at;
	line->end = newline ? newline : r->end;
	r->at = newline ? newline + 1 : r->end;
	if (line->end > line->start && line->end[-1] == '\r')
		line->end--;
	return true;
}

/* Complains about a list of a tree */
static bool
BadList(Reader *r, TreeKey key)
{
	return ModelComplain(r->builder, MODEL_INVALID,
						 "%s of tree %.*s is not valid",
						 tree_keys[key], Shown(r->tree), r->tree.start);
}

/*
 * Memory for a list of `count` elements, which must not be more than the
 * words that its text can hold.
 */
static void *
ListMemory(Reader *r, const Tree *tree, TreeKey key, uint32 count, Size element)
{
	Span		list = tree->value[key];
	void	   *memory;

	if (list.start == NULL)
	{
		ModelComplain(r->builder, MODEL_INVALID, "tree %.*s has no %s",
					  Shown(r->tree), r->tree.start, tree_keys[key]);
		return NULL;
	}
	if (count > (Size) (list.end - list.start) / 2 + 1)
	{
		ModelComplain(r->builder, MODEL_INVALID,
					  "%s of tree %.*s is shorter than %u elements",
					  tree_keys[key], Shown(r->tree), r->tree.start, count);
		return NULL;
	}
	memory = malloc(Max(count, 1) * element);
	if (memory == NULL)
		ModelComplain(r->builder, MODEL_NO_MEMORY, "out of memory");
	return memory;
}

/* A list of exactly `count` integers */
static int32 *
ReadIntegers(Reader *r, const Tree *tree, TreeKey key, uint32 count,
			 int64 min, int64 max)
{
	int32	   *values = ListMemory(r, tree, key, count, sizeof(int32));
	Span		list = tree->value[key];
	Span		word;
	int64		value;
	uint32		n = 0;

	if (values == NULL)
		return NULL;
	while (NextWord(&list, &word))
	{
		if (n == count || !ParseInteger(word, min, max, &value))
		{
			BadList(r, key);
			break;
		}
		/* A word of a category set has all 32 bits. */
		values[n++] = (int32) (uint32) value;
	}
	if (n < count)
		BadList(r, key);
	return values;
}

/* A list of exactly `count` numbers */
static double *
ReadDoubles(Reader *r, const Tree *tree, TreeKey key, uint32 count)
{
	double	   *values = ListMemory(r, tree, key, count, sizeof(double));
	Span		list = tree->value[key];
	Span		word;
	uint32		n = 0;

	if (values == NULL)
		return NULL;
	while (NextWord(&list, &word))
	{
		if (n == count || !ParseDouble(word, &values[n]))
		{
			BadList(r, key);
			break;
		}
		n++;
	}
	if (n < count)
		BadList(r, key);
	return values;
}

/* A single integer of a tree */
static bool
ReadCount(Reader *r, const Tree *tree, TreeKey key, int64 min, uint32 *count)
{
	Span		list = tree->value[key];
	Span		word;
	int64		value;

	if (list.start == NULL)
		return ModelComplain(r->builder, MODEL_INVALID, "tree %.*s has no %s",
							 Shown(r->tree), r->tree.start, tree_keys[key]);
	if (!NextWord(&list, &word) ||
		!ParseInteger(word, min, MODEL_MAX_NODES, &value))
		return BadList(r, key);
	*count = (uint32) value;
	return true;
}

/*
 * A threshold for the row as it is, where the library would first set values
 * around zero to zero.
 */
static double
FlushedThreshold(double threshold)
{
	if (threshold >= MODEL_ZERO || threshold < -MODEL_ZERO)
		return threshold;
	return threshold >= 0 ? MODEL_ZERO : nextafter(-MODEL_ZERO, -INFINITY);
}

static bool
AddSplit(Reader *r, Tree *tree, uint32 i)
{
	static const uint32 missing[] = {
		NODE_MISSING_NONE, NODE_MISSING_ZERO, NODE_MISSING_NAN
	};
	int32		decision = tree->decision[i];
	double		cover = tree->split_count ? tree->split_count[i] : NAN;
	uint32		flags;
	uint32		first,
				last,
				ncodes = 0;
	double		set = tree->threshold[i];

	if (!(decision & DECISION_CATEGORICAL))
	{
		if (isnan(tree->threshold[i]))
			return BadList(r, KEY_THRESHOLD);
		flags = NODE_LE | missing[DECISION_MISSING(decision)];
		if (decision & DECISION_DEFAULT_LEFT)
			flags |= NODE_DEFAULT_LEFT;
		return ModelAddSplit(r->builder, ~(int32) i, tree->feature[i],
							 FlushedThreshold(tree->threshold[i]), flags,
							 ~tree->left[i], ~tree->right[i], cover);
	}

	/*
	 * The threshold is the number of a set of categories; LightGBM gives each
	 * split a set of its own.
	 */
	if (!(set >= 0 && set < tree->ncat) || set != floor(set) ||
		tree->set_used[(uint32) set])
		return BadList(r, KEY_THRESHOLD);
	tree->set_used[(uint32) set] = true;
	first = tree->boundaries[(uint32) set];
	last = tree->boundaries[(uint32) set + 1];
	for (uint32 w = first; w < last; w++)
		for (uint32 bit = 0; bit < 32; bit++)
			if (tree->words[w] >> bit & 1)
				tree->codes[ncodes++] = (w - first) * 32 + bit;
	return ModelAddSetSplit(r->builder, ~(int32) i, tree->feature[i],
							tree->codes, ncodes,
							NODE_TRUNCATE | NODE_MISSING_NAN,
							~tree->left[i], ~tree->right[i], cover);
}

/* All leaves; a leaf's number is its id, splits have negative ids */
static bool
AddLeaves(Reader *r, Tree *tree)
{
	Size		term = 0;

	for (uint32 i = 0; i < tree->nleaves; i++)
	{
		double		cover = tree->nsplits == 0 ? 1.0 :
		tree->leaf_count ? tree->leaf_count[i] : NAN;
		uint32		nterms = tree->constant ? tree->nterms[i] : 0;

		if (nterms > 0)
		{
			if (!ModelAddLinearLeaf(r->builder, i, tree->leaf[i],
									tree->constant[i],
									(uint32 *) tree->term_feature + term,
									tree->term_coefficient + term,
									nterms, cover))
				return false;
			term += nterms;
		}
		else if (!ModelAddLeaf(r->builder, i, tree->constant ?
							   tree->constant[i] : tree->leaf[i], cover))
			return false;
	}
	return true;
}

/* The linear functions of the leaves */
static bool
ReadLinear(Reader *r, Tree *tree)
{
	int64		total = 0;

	tree->constant = ReadDoubles(r, tree, KEY_LEAF_CONST, tree->nleaves);
	if (!ModelIsFine(r->builder))
		return false;
	tree->nterms = ReadIntegers(r, tree, KEY_NUM_FEATURES, tree->nleaves,
								0, MODEL_MAX_FEATURES);
	if (!ModelIsFine(r->builder))
		return false;
	for (uint32 i = 0; i < tree->nleaves; i++)
		total += tree->nterms[i];
	if (total > UINT_MAX)
		return BadList(r, KEY_NUM_FEATURES);
	tree->term_feature = ReadIntegers(r, tree, KEY_LEAF_FEATURES, total, 0,
									  (int64) r->nfeatures - 1);
	if (!ModelIsFine(r->builder))
		return false;
	tree->term_coefficient = ReadDoubles(r, tree, KEY_LEAF_COEFF, total);
	return ModelIsFine(r->builder);
}

/* The sets of categories: boundaries, and words of bits between them */
static bool
ReadSets(Reader *r, Tree *tree)
{
	uint32		largest = 0;

	tree->boundaries = ReadIntegers(r, tree, KEY_CAT_BOUNDARIES,
									tree->ncat + 1, 0, INT_MAX);
	if (!ModelIsFine(r->builder))
		return false;
	for (uint32 i = 0; i < tree->ncat; i++)
	{
		if (tree->boundaries[i] > tree->boundaries[i + 1])
			return BadList(r, KEY_CAT_BOUNDARIES);
		largest = Max(largest, tree->boundaries[i + 1] - tree->boundaries[i]);
	}
	if (tree->boundaries[0] != 0)
		return BadList(r, KEY_CAT_BOUNDARIES);
	if (largest > MODEL_MAX_CATEGORIES / 32)
		return ModelComplain(r->builder, MODEL_LIMIT,
							 "tree %.*s has a category above %d",
							 Shown(r->tree), r->tree.start,
							 MODEL_MAX_CATEGORIES - 1);
	tree->nwords = tree->boundaries[tree->ncat];
	tree->words = (uint32 *) ReadIntegers(r, tree, KEY_CAT_THRESHOLD,
										  tree->nwords, 0, UINT_MAX);
	if (!ModelIsFine(r->builder))
		return false;
	tree->codes = malloc(Max(largest, 1) * 32 * sizeof(uint32));
	tree->set_used = calloc(tree->ncat, sizeof(bool));
	if (tree->codes == NULL || tree->set_used == NULL)
		return ModelComplain(r->builder, MODEL_NO_MEMORY, "out of memory");
	return true;
}

/* Reads the lists of a tree into arrays; on failure TreeFree frees them */
static bool
ReadLists(Reader *r, Tree *tree)
{
	uint32		linear = 0;

	if (!ReadCount(r, tree, KEY_NUM_LEAVES, 1, &tree->nleaves) ||
		!ReadCount(r, tree, KEY_NUM_CAT, 0, &tree->ncat))
		return false;
	if (tree->value[KEY_IS_LINEAR].start != NULL &&
		!ReadCount(r, tree, KEY_IS_LINEAR, 0, &linear))
		return false;
	tree->nsplits = tree->nleaves - 1;
	tree->leaf = ReadDoubles(r, tree, KEY_LEAF_VALUE, tree->nleaves);
	if (!ModelIsFine(r->builder))
		return false;

	/* That of a single leaf is often absent, and does not matter. */
	if (tree->nsplits > 0 &&
		tree->value[KEY_LEAF_COUNT].start != NULL &&
		tree->value[KEY_INTERNAL_COUNT].start != NULL)
	{
		tree->leaf_count = ReadDoubles(r, tree, KEY_LEAF_COUNT, tree->nleaves);
		if (ModelIsFine(r->builder))
			tree->split_count = ReadDoubles(r, tree, KEY_INTERNAL_COUNT,
											tree->nsplits);
		if (!ModelIsFine(r->builder))
			return false;
	}
	if (linear && !ReadLinear(r, tree))
		return false;
	if (tree->nsplits == 0)
		return true;

	tree->feature = ReadIntegers(r, tree, KEY_SPLIT_FEATURE, tree->nsplits,
								 0, (int64) r->nfeatures - 1);
	if (ModelIsFine(r->builder))
		tree->threshold = ReadDoubles(r, tree, KEY_THRESHOLD, tree->nsplits);
	if (ModelIsFine(r->builder))
		tree->left = ReadIntegers(r, tree, KEY_LEFT_CHILD, tree->nsplits,
								  -(int64) tree->nleaves,
								  (int64) tree->nsplits - 1);
	if (ModelIsFine(r->builder))
		tree->right = ReadIntegers(r, tree, KEY_RIGHT_CHILD, tree->nsplits,
								   -(int64) tree->nleaves,
								   (int64) tree->nsplits - 1);
	if (ModelIsFine(r->builder))
		tree->decision = ReadIntegers(r, tree, KEY_DECISION_TYPE,
									  tree->nsplits, 0, 11);
	if (!ModelIsFine(r->builder))
		return false;
	if (tree->ncat > 0)
		return ReadSets(r, tree);
	return true;
}

static void
TreeFree(Tree *tree)
{
	free(tree->feature);
	free(tree->threshold);
	free(tree->decision);
	free(tree->left);
	free(tree->right);
	free(tree->leaf);
	free(tree->leaf_count);
	free(tree->split_count);
	free(tree->boundaries);
	free(tree->words);
	free(tree->constant);
	free(tree->nterms);
	free(tree->term_feature);
	free(tree->term_coefficient);
	free(tree->codes);
	free(tree->set_used);
}

static bool
IsAmong(Span key, const char *const *names)
{
	for (; *names != NULL; names++)
		if (SpanIs(key, *names))
			return true;
	return false;
}

/* What is new in a file may change what it predicts */
static bool
IsUnknown(Reader *r, Span key)
{
	ModelComplain(r->builder, MODEL_UNSUPPORTED,
				  "LightGBM model has \"%.*s\", which is not known",
				  Shown(key), key.start);
	return ModelHint(r->builder,
					 "It may change predictions. Perhaps the file is by a release of LightGBM that is too new for this version of pg_assay.");
}

/* A block, from the line after "Tree=" to an empty line */
static bool
ReadTree(Reader *r)
{
	static const char *const ignored[] = {
		"split_gain", "internal_value", "internal_weight", "leaf_weight",
		"leaf_parent", "shrinkage", NULL
	};
	Tree		tree;
	Span		line,
				key,
				value;
	int			known;
	bool		fine;

	memset(&tree, 0, sizeof(tree));
	while (NextLine(r, &line) && line.start < line.end)
	{
		if (!SplitLine(line, &key, &value))
			return ModelComplain(r->builder, MODEL_INVALID,
								 "tree %.*s has a line without \"=\"",
								 Shown(r->tree), r->tree.start);
		if (SpanIs(key, "Tree"))
			return ModelComplain(r->builder, MODEL_INVALID,
								 "tree %.*s has no empty line at its end",
								 Shown(r->tree), r->tree.start);
		for (known = 0; known < TREE_KEYS; known++)
			if (SpanIs(key, tree_keys[known]))
			{
				tree.value[known] = value;
				break;
			}
		if (known == TREE_KEYS && !IsAmong(key, ignored))
			return IsUnknown(r, key);
	}

	fine = ReadLists(r, &tree) &&
		ModelBeginTree(r->builder, r->ntrees % r->noutputs, 1.0);
	for (uint32 i = 0; fine && i < tree.nsplits; i++)
		fine = AddSplit(r, &tree, i);
	fine = fine && AddLeaves(r, &tree) &&
		ModelEndTree(r->builder, tree.nsplits > 0 ? -1 : 0);
	TreeFree(&tree);
	r->ntrees++;
	return fine;
}

/* "sigmoid:1" among the words after the objective's name; NAN when absent */
static double
ObjectiveParameter(Span words, const char *name)
{
	Span		word;
	double		value;

	while (NextWord(&words, &word))
		if (SpanStarts(word, name))
		{
			word.start += strlen(name);
			return ParseDouble(word, &value) ? value : NAN;
		}
	return NAN;
}

static bool
ObjectiveHas(Span words, const char *name)
{
	Span		word;

	while (NextWord(&words, &word))
		if (SpanIs(word, name))
			return true;
	return false;
}

/* From margins to predictions, as the objective's name and parameters say */
static bool
ReadObjective(Reader *r, Span objective)
{
	static const struct
	{
		const char *name;
		ModelLink	link;
		bool		squares;	/* "sqrt" may follow */
	}			objectives[] = {
		{"regression", LINK_IDENTITY, true},
		{"regression_l1", LINK_IDENTITY, true},
		{"quantile", LINK_IDENTITY, true},
		{"fair", LINK_IDENTITY, true},
		{"mape", LINK_IDENTITY, true},
		{"mean_absolute_percentage_error", LINK_IDENTITY, true},
		{"huber", LINK_IDENTITY, false},
		{"poisson", LINK_EXP, false},
		{"gamma", LINK_EXP, false},
		{"tweedie", LINK_EXP, false},
		{"binary", LINK_LOGISTIC, false},
		{"multiclassova", LINK_LOGISTIC, false},
		{"multiclass", LINK_SOFTMAX, false},
		{"cross_entropy", LINK_LOGISTIC, false},
		{"xentropy", LINK_LOGISTIC, false},
		{"cross_entropy_lambda", LINK_LOG1P_EXP, false},
		{"xentlambda", LINK_LOG1P_EXP, false},
		{"lambdarank", LINK_IDENTITY, false},
		{"rank_xendcg", LINK_IDENTITY, false},
		{"custom", LINK_IDENTITY, false},
		{"none", LINK_IDENTITY, false},
		{"null", LINK_IDENTITY, false},
		{"na", LINK_IDENTITY, false},
	};
	Span		words = objective;
	Span		name;
	char	   *copy;
	bool		fine;

	if (!NextWord(&words, &name))
		return true;			/* trained with a function of the user's */
	copy = SpanCopy(r, objective);
	fine = copy != NULL && ModelSetObjective(r->builder, copy);
	free(copy);
	if (!fine)
		return false;

	for (int i = 0; i < lengthof(objectives); i++)
	{
		ModelLink	link = objectives[i].link;
		double		sigmoid = 1.0;

		if (!SpanIs(name, objectives[i].name))
			continue;
		if (objectives[i].squares && ObjectiveHas(words, "sqrt"))
			link = LINK_SIGNED_SQUARE;
		if (SpanIs(name, "binary") || SpanIs(name, "multiclassova"))
		{
			sigmoid = ObjectiveParameter(words, "sigmoid:");
			if (!(sigmoid > 0) || isinf(sigmoid))
				return ModelComplain(r->builder, MODEL_INVALID,
									 "objective %.*s has no valid sigmoid",
									 Shown(name), name.start);
		}
		if (SpanStarts(name, "multiclass") &&
			ObjectiveParameter(words, "num_class:") != r->noutputs)
			return ModelComplain(r->builder, MODEL_INVALID,
								 "objective %.*s does not have %u classes, one for each tree of a round",
								 Shown(name), name.start, r->noutputs);
		return ModelSetLink(r->builder, link, sigmoid, 0.0);
	}
	ModelComplain(r->builder, MODEL_UNSUPPORTED,
				  "unknown LightGBM objective \"%.*s\"",
				  Shown(name), name.start);
	return ModelHint(r->builder,
					 "A model trained with a function of one's own has the objective \"custom\".");
}

/* The categories that a pandas frame gave to a column, in order of codes */
static bool
AddCategories(Reader *r, Document *names)
{
	for (Size i = 0; i < DocumentLength(names); i++)
	{
		Document   *name = DocumentElement(names, i);
		const char *text;
		char		printed[MODEL_NUMBER_NAME];
		bool		boolean;

		if (DocumentIsString(name) && DocumentString(name, &text))
			;
		else if (DocumentNumberName(name, printed))
			text = printed;

		else if (DocumentBoolean(name, &boolean))
			text = boolean ? "true" : "false";

		else
			return ModelComplain(r->builder, MODEL_INVALID,
								 "a category in pandas_categorical is neither text nor a number");
		if (!ModelAddCategory(r->builder, text, (uint32) i))
			return false;
	}
	return true;
}

/* The last line's lists of categories; NULL when there are none */
static Document *
ReadPandas(Reader *r, Span text)
{
	Document   *lists;

	if (text.start == NULL || SpanIs(text, "null"))
		return NULL;
	lists = DocumentParseJson(text.start, text.end - text.start, r->error);
	if (lists == NULL)
	{
		ModelHint(r->builder,
				  "The last line of a LightGBM model, pandas_categorical, holds JSON.");
		return NULL;
	}
	if (!DocumentIsArray(lists))
		ModelComplain(r->builder, MODEL_INVALID,
					  "pandas_categorical is not a list");
	for (Size i = 0; i < DocumentLength(lists); i++)
		if (!DocumentIsArray(DocumentElement(lists, i)))
			ModelComplain(r->builder, MODEL_INVALID,
						  "pandas_categorical is not a list of lists");
	return lists;
}

static Span
NameOf(const PandasColumn *info)
{
	Span		name = {info->name, info->name_end};

	return name;
}

/*
 * The range of a categorical feature is a list "3:0:4", that of a numeric one
 * "[0:1]", and "none" says that it was constant.
 */
static bool
ReadInfo(Reader *r, Span word, PandasColumn *info)
{
	bool		numeric = *word.start == '[';
	Span		part = word;
	double		value = 0;
	bool		fine = true;

	info->list = PANDAS_NO_LIST;
	info->least = INFINITY;
	info->most = -INFINITY;
	info->constant = SpanIs(word, "none");
	info->categorical = !numeric && !info->constant;
	if (info->constant)
		return true;
	if (numeric)
	{
		fine = word.end[-1] == ']';
		part.start++;
		word.end--;
	}
	for (; fine && part.start <= word.end; part.start = part.end + 1)
	{
		part.end = memchr(part.start, ':', word.end - part.start);
		if (part.end == NULL)
			part.end = word.end;
		fine = ParseDouble(part, &value);
		info->least = fmin(info->least, value);
		info->most = fmax(info->most, value);
	}
	if (!fine)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "feature_infos of LightGBM model has \"%.*s\"",
							 Shown(word), word.start);
	return true;
}

/* Names and infos; *infos from malloc */
static bool
ReadInfos(Reader *r, Span names, Span ranges, PandasColumn **infos)
{
	Span		word;
	Span		name;
	uint32		n = 0;

	/* No more memory than the document justifies */
	if (r->nfeatures > (Size) (names.end - names.start) / 2 + 1)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "LightGBM model does not name %u features",
							 r->nfeatures);
	*infos = calloc(r->nfeatures, sizeof(PandasColumn));
	if (*infos == NULL)
		return ModelComplain(r->builder, MODEL_NO_MEMORY, "out of memory");
	for (; n < r->nfeatures && NextWord(&names, &name); n++)
	{
		(*infos)[n].name = name.start;
		(*infos)[n].name_end = name.end;
		if (!NextWord(&ranges, &word))
			return ModelComplain(r->builder, MODEL_INVALID,
								 "feature_infos of LightGBM model is too short");
		if (!ReadInfo(r, word, &(*infos)[n]))
			return false;
	}
	if (n < r->nfeatures || NextWord(&names, &word))
		return ModelComplain(r->builder, MODEL_INVALID,
							 "LightGBM model does not name %u features",
							 r->nfeatures);
	return true;
}

/* The lists are those of the columns that the user names, in order */
static bool
AssignNamed(Reader *r, PandasColumn *infos, Document *lists)
{
	if (DocumentLength(lists) != r->ncolumns)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "number of columns named is %u, but pandas_categorical of the LightGBM model is of %zu",
							 r->ncolumns, DocumentLength(lists));
	for (uint32 i = 0; i < r->ncolumns; i++)
	{
		uint32		f = 0;

		while (f < r->nfeatures && !SpanIs(NameOf(&infos[f]), r->columns[i]))
			f++;
		if (f == r->nfeatures || infos[f].list != PANDAS_NO_LIST)
			return ModelComplain(r->builder, MODEL_INVALID,
								 "LightGBM model has no feature \"%.100s\", or it is named twice",
								 r->columns[i]);
		if (!PandasFits(&infos[f], DocumentElement(lists, i)))
			return ModelComplain(r->builder, MODEL_INVALID,
								 "pandas_categorical has too few categories for feature \"%.100s\"",
								 r->columns[i]);
		infos[f].list = i;
	}
	return true;
}

static bool
IsAmbiguous(Reader *r, Span name)
{
	ModelComplain(r->builder, MODEL_INVALID,
				  "LightGBM model does not tell whether pandas_categorical names the categories of feature \"%.*s\"",
				  Shown(name), name.start);
	return ModelHint(r->builder,
					 "Name the columns of type category that the data frame had, in order, as in model_from_lightgbm(document, '{colour,size}').");
}

/* Whose are the lists?  As the user says, or as the document leaves no doubt */
static bool
AssignPandas(Reader *r, PandasColumn *infos, Document *lists)
{
	bool		foreign;
	uint32		ambiguous;

	if (r->ncolumns > 0)
		return AssignNamed(r, infos, lists);
	if (!PandasAssign(infos, r->nfeatures, lists, &foreign, &ambiguous,
					  r->error))
		return false;
	if (foreign)
		ModelNoteThat(r->builder, "Its categorical features take codes.",
					  "pandas_categorical of the LightGBM model has other columns than the model");
	if (ambiguous < r->nfeatures)
		return IsAmbiguous(r, NameOf(&infos[ambiguous]));
	return true;
}

static bool
AddFeature(Reader *r, const PandasColumn *info, Document *lists)
{
	char	   *name = SpanCopy(r, NameOf(info));

	if (name == NULL)
		return false;
	ModelAddFeature(r->builder, name,
					info->list != PANDAS_NO_LIST && (info->categorical || info->constant) ?
					FEATURE_TEXT :
					info->categorical ? FEATURE_CATEGORY : FEATURE_NUMERIC);
	free(name);
	if (info->list != PANDAS_NO_LIST && (info->categorical || info->constant))
		return AddCategories(r, DocumentElement(lists, info->list));
	return ModelIsFine(r->builder);
}

static bool
AddFeatures(Reader *r, Span names, Span ranges, Span pandas)
{
	Document   *lists = ReadPandas(r, pandas);
	PandasColumn *infos = NULL;
	bool		fine = ModelIsFine(r->builder) &&
	ReadInfos(r, names, ranges, &infos) && AssignPandas(r, infos, lists);

	for (uint32 f = 0; fine && f < r->nfeatures; f++)
		fine = AddFeature(r, &infos[f], lists);
	free(infos);
	DocumentFree(lists);
	return fine;
}

/* A number in the header, which must be there */
static bool
HeaderNumber(Reader *r, Span value, const char *key, int64 max, uint32 *number)
{
	int64		parsed;

	if (value.start == NULL)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "LightGBM model has no %s", key);
	if (!ParseInteger(value, 0, INT_MAX, &parsed))
		return ModelComplain(r->builder, MODEL_INVALID,
							 "%s of LightGBM model is not valid", key);
	if (parsed > max)
		return ModelComplain(r->builder, MODEL_LIMIT,
							 "%s of LightGBM model exceeds " INT64_FORMAT,
							 key, max);
	*number = (uint32) parsed;
	return true;
}

/* Keys of the header */
enum
{
	VERSION, PER_ROUND, MAX_FEATURE, OBJECTIVE, NAMES, INFOS, SIZES,
	HEADER_KEYS
};
static const char *const header_keys[HEADER_KEYS] = {
	"version", "num_tree_per_iteration", "max_feature_idx", "objective",
	"feature_names", "feature_infos", "tree_sizes"
};

/* A key's value is kept, or ignored; false where it is neither known */
static bool
KeepHeaderValue(Reader *r, Span *header, Span key, Span value)
{
	static const char *const ignored[] = {
		"num_class", "label_index", "monotone_constraints", NULL
	};

	for (int known = 0; known < HEADER_KEYS; known++)
		if (SpanIs(key, header_keys[known]))
		{
			header[known] = value;
			return true;
		}
	return IsAmong(key, ignored) || IsUnknown(r, key);
}

/* The lines before the first tree; *trees: there is one */
static bool
ReadHeaderLines(Reader *r, Span *header, bool *trees)
{
	Span		line,
				key,
				value;

	*trees = false;
	if (!NextLine(r, &line) || !SpanIs(line, "tree"))
	{
		ModelComplain(r->builder, MODEL_INVALID,
					  "document is not a LightGBM model");
		return ModelHint(r->builder,
						 "A LightGBM model is the text that Booster.save_model() writes; its first line is \"tree\".");
	}
	while (!r->ended && NextLine(r, &line))
	{
		if (SpanIs(line, "end of trees"))
			r->ended = true;
		else if (SpanIs(line, "average_output"))
			r->average = true;
		else if (line.start < line.end && !SplitLine(line, &key, &value))
			return IsUnknown(r, line);
		if (!SplitLine(line, &key, &value))
			continue;
		if (SpanIs(key, "Tree"))
		{
			r->tree = value;
			*trees = true;
			break;
		}
		if (!KeepHeaderValue(r, header, key, value))
			return false;
	}
	return true;
}

/* Is it a format that is known? */
static bool
TakeVersion(Reader *r, Span value)
{
	if (value.start == NULL)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "LightGBM model has no version");
	if (!(SpanIs(value, "v2") || SpanIs(value, "v3") || SpanIs(value, "v4")))
	{
		ModelComplain(r->builder, MODEL_UNSUPPORTED,
					  "LightGBM model format \"%.*s\" is not supported",
					  Shown(value), value.start);
		return ModelHint(r->builder, "Supported are v2, v3 and v4.");
	}
	return ModelSetLibrary(r->builder, SpanIs(value, "v2") ? "v2" :
						   SpanIs(value, "v3") ? "v3" : "v4");
}

/*
 * The header, up to and with the first "Tree=" (then *trees is true) or the
 * end of trees.
 */
static bool
ReadHeader(Reader *r, Span pandas, bool *trees)
{
	Span		header[HEADER_KEYS];
	Span		word;
	uint32		number = 0;

	memset(header, 0, sizeof(header));
	if (!ReadHeaderLines(r, header, trees) ||
		!TakeVersion(r, header[VERSION]) ||
		!HeaderNumber(r, header[PER_ROUND], header_keys[PER_ROUND],
					  MODEL_MAX_OUTPUTS, &r->noutputs) ||
		!HeaderNumber(r, header[MAX_FEATURE], header_keys[MAX_FEATURE],
					  MODEL_MAX_FEATURES - 1, &number))
		return false;
	if (r->noutputs == 0)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "num_tree_per_iteration of LightGBM model is not valid");
	r->nfeatures = number + 1;
	for (int i = NAMES; i <= INFOS; i++)
		if (header[i].start == NULL)
			return ModelComplain(r->builder, MODEL_INVALID,
								 "LightGBM model has no %s", header_keys[i]);
	r->has_sizes = header[SIZES].start != NULL;
	if (r->has_sizes)
		while (NextWord(&header[SIZES], &word))
			r->expected_trees++;
	return ModelSetOutputs(r->builder, r->noutputs) &&
		(header[OBJECTIVE].start == NULL ||
		 ReadObjective(r, header[OBJECTIVE])) &&
		AddFeatures(r, header[NAMES], header[INFOS], pandas);
}

/* The value of the last line that starts so; the categories come before */
static Span
FindPandas(const char *document, Size length)
{
	static const char key[] = "\npandas_categorical:";
	Size		keylen = sizeof(key) - 1;
	Span		found = {NULL, NULL};

	for (Size at = length; length > keylen && at-- > 0;)
	{
		if (document[at] != '\n' || length - at < keylen ||
			memcmp(document + at, key, keylen) != 0)
			continue;
		found.start = document + at + keylen;
		found.end = memchr(found.start, '\n', document + length - found.start);
		if (found.end == NULL)
			found.end = document + length;
		while (found.end > found.start && isspace((unsigned char) found.end[-1]))
			found.end--;
		break;
	}
	return found;
}

static bool
ReadModel(Reader *r, Span pandas)
{
	Span		line,
				key,
				value;
	bool		more;

	if (!ReadHeader(r, pandas, &more))
		return false;
	while (more)
	{
		if (!ReadTree(r))
			return false;
		more = false;
		while (!more && !r->ended && NextLine(r, &line))
		{
			/* Format v2 closes the trees with this heading only. */
			if (SpanIs(line, "end of trees") || SpanIs(line, "feature importances:"))
				r->ended = true;
			else if (SplitLine(line, &key, &value) && SpanIs(key, "Tree"))
			{
				r->tree = value;
				more = true;
			}
			else if (line.start < line.end)
				return ModelComplain(r->builder, MODEL_INVALID,
									 "LightGBM model has \"%.*s\" among its trees",
									 Shown(line), line.start);
		}
	}
	if (!r->ended || (r->has_sizes && r->ntrees != r->expected_trees))
	{
		ModelComplain(r->builder, MODEL_INVALID,
					  "LightGBM model ends after %u trees", r->ntrees);
		return ModelHint(r->builder, "Perhaps the document is truncated.");
	}
	if (r->ntrees % r->noutputs != 0)
		return ModelComplain(r->builder, MODEL_INVALID,
							 "LightGBM model has %u trees, which is no multiple of the %u of a round",
							 r->ntrees, r->noutputs);
	if (r->average && r->ntrees > 0 &&
		!ModelSetScale(r->builder, 1.0, r->ntrees / r->noutputs))
		return false;
	return ModelSetIterations(r->builder, r->ntrees / r->noutputs, -1);
}

Model	   *
ImportLightGBM(const char *document, Size length, const char *const *columns,
			   uint32 ncolumns, Size *size, ModelError *error)
{
	Reader		r;

	if (!DocumentCheckBytes(length, error))
		return NULL;
	memset(&r, 0, sizeof(r));
	r.at = document;
	r.end = document + length;
	r.error = error;
	r.columns = columns;
	r.ncolumns = ncolumns;
	r.builder = ModelBegin(MODEL_LIGHTGBM, error);
	if (!ReadModel(&r, FindPandas(document, length)))
	{
		ModelAbandon(r.builder);
		return NULL;
	}
	return ModelFinish(r.builder, size);
}
