/*
 * import.c
 *		The builder that all importers feed.
 *
 * It keeps growing arrays from malloc, one for each section, and turns a
 * tree's nodes, given in any order under the library's own numbers, into
 * preorder.  Only what is a tree survives that walk: each node reached once
 * from the root.  ModelFinish lays the arrays out and asks CheckModel.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>

#include "compat.h"
#include "import.h"

/* A growing array of elements of one size */
typedef struct Array
{
	char	   *data;
	Size		width;
	Size		count;
	Size		capacity;
} Array;

/* A node as the importer gave it */
typedef struct Pending
{
	ModelNode	node;
	double		cover;
	int32		left;			/* ids */
	int32		right;
	bool		split;
	bool		reached;
} Pending;

/* Sorted by id when the ids are not 0, 1, 2 … */
typedef struct Numbered
{
	int32		id;
	uint32		position;
} Numbered;

/* A node waiting to be laid out */
typedef struct Waiting
{
	uint32		position;		/* in pending */
	uint32		parent;			/* of a right child: in the tree's nodes */
	uint32		depth;
	bool		is_right;
} Waiting;

struct ModelBuilder
{
	ModelError *error;
	Model		header;
	bool		in_tree;
	bool		has_cover;
	bool		named;			/* the first feature has a name */
	double		weight;			/* of the tree */
	Array		features;
	Array		categories;
	Array		outputs;		/* start, bias; pairs */
	Array		trees;
	Array		nodes;
	Array		covers;
	Array		sets;
	Array		values;
	Array		linears;
	Array		terms;
	Array		strings;

	/* Of the tree at hand; its parts are laid out with its nodes */
	Array		pending;
	Array		numbered;
	Array		tree_sets;
	Array		tree_values;
	Array		tree_linears;
	Array		tree_terms;
};

bool
ModelComplain(ModelBuilder *builder, ModelErrorKind kind,
			  const char *format,...)
{
	va_list		args;

	if (builder->error->kind != MODEL_OK)
		return false;
	builder->error->kind = kind;
	va_start(args, format);
	vsnprintf(builder->error->message, sizeof(builder->error->message),
			  format, args);
	va_end(args);
	return false;
}

bool
ModelHint(ModelBuilder *builder, const char *format,...)
{
	va_list		args;

	if (builder->error->hint[0] != '\0')
		return false;
	va_start(args, format);
	vsnprintf(builder->error->hint, sizeof(builder->error->hint), format,
			  args);
	va_end(args);
	return false;
}

bool
ModelIsFine(const ModelBuilder *builder)
{
	return builder->error->kind == MODEL_OK;
}

ModelError *
ModelErrorOf(const ModelBuilder *builder)
{
	return builder->error;
}

void
ModelNoteThat(ModelBuilder *builder, const char *hint, const char *format,...)
{
	char		message[sizeof(builder->error->message)];
	va_list		args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	ModelRemark(builder->error, hint, "%s", message);
}

void
ModelRemarkRelease(ModelBuilder *builder, const char *library,
				   const char *release, const char *tested)
{
	ModelNoteThat(builder,
				  "Compare some predictions with the library's own before you rely on it.",
				  "model is by %s %s, the newest release that was tested is %s",
				  library, release, tested);
}

static bool
OutOfMemory(ModelBuilder *builder)
{
	return ModelComplain(builder, MODEL_NO_MEMORY, "out of memory");
}

/* Room for n more elements, zeroed; NULL after an error */
static void *
Append(ModelBuilder *builder, Array *array, Size n)
{
	void	   *result;

	if (!ModelIsFine(builder))
		return NULL;
	if (array->data == NULL || array->capacity - array->count < n)
	{
		Size		capacity = Max(array->capacity * 2, array->count + n);
		char	   *data;

		capacity = Max(capacity, 16);
		if (n > MODEL_MAX_BYTES || capacity > MODEL_MAX_BYTES / array->width * 2)
		{
			ModelComplain(builder, MODEL_LIMIT,
						  "model exceeds the limit of %zu bytes",
						  MODEL_MAX_BYTES);
			return NULL;
		}
		data = realloc(array->data, capacity * array->width);
		if (data == NULL)
		{
			OutOfMemory(builder);
			return NULL;
		}
		array->data = data;
		array->capacity = capacity;
	}
	result = array->data + array->count * array->width;
	memset(result, 0, n * array->width);
	array->count += n;
	return result;
}

/* A string's offset in the pool; "" is at 0 */
static uint32
AddString(ModelBuilder *builder, const char *string, const char *what)
{
	Size		length = strlen(string);
	char	   *to;

	if (length == 0)
		return 0;
	if (length > MODEL_MAX_NAME)
	{
		ModelComplain(builder, MODEL_LIMIT,
					  "%s of %zu bytes exceeds the limit of %d bytes",
					  what, length, MODEL_MAX_NAME);
		return 0;
	}
	to = Append(builder, &builder->strings, length + 1);
	if (to == NULL)
		return 0;
	memcpy(to, string, length + 1);
	return (uint32) (to - builder->strings.data);
}

ModelBuilder *
ModelBegin(ModelFormat format, ModelError *error)
{
	ModelBuilder *builder = calloc(1, sizeof(ModelBuilder));

	/* The importer goes on with calls that need a builder to fail in */
	if (builder == NULL)
	{
		static ModelBuilder none;

		ModelFail(error, MODEL_NO_MEMORY, "out of memory");
		none.error = error;
		return &none;
	}
	builder->error = error;
	builder->header.version = MODEL_VERSION;
	builder->header.format = format;
	builder->header.link = LINK_IDENTITY;
	builder->header.iterations = -1;
	builder->header.best_iteration = -1;
	builder->header.scale = 1.0;
	builder->header.divisor = 1.0;
	builder->has_cover = true;
	builder->features.width = sizeof(ModelFeature);
	builder->categories.width = sizeof(ModelCategory);
	builder->outputs.width = 2 * sizeof(double);
	builder->trees.width = sizeof(ModelTree);
	builder->nodes.width = sizeof(ModelNode);
	builder->covers.width = sizeof(double);
	builder->sets.width = sizeof(uint32);
	builder->values.width = sizeof(double);
	builder->linears.width = sizeof(ModelLinear);
	builder->terms.width = sizeof(ModelTerm);
	builder->strings.width = 1;
	builder->pending.width = sizeof(Pending);
	builder->numbered.width = sizeof(Numbered);
	builder->tree_sets.width = sizeof(uint32);
	builder->tree_values.width = sizeof(double);
	builder->tree_linears.width = sizeof(ModelLinear);
	builder->tree_terms.width = sizeof(ModelTerm);
	Append(builder, &builder->strings, 1);
	ModelSetOutputs(builder, 1);
	return builder;
}

void
ModelAbandon(ModelBuilder *builder)
{
	free(builder->features.data);
	free(builder->categories.data);
	free(builder->outputs.data);
	free(builder->trees.data);
	free(builder->nodes.data);
	free(builder->covers.data);
	free(builder->sets.data);
	free(builder->values.data);
	free(builder->linears.data);
	free(builder->terms.data);
	free(builder->strings.data);
	free(builder->pending.data);
	free(builder->numbered.data);
	free(builder->tree_sets.data);
	free(builder->tree_values.data);
	free(builder->tree_linears.data);
	free(builder->tree_terms.data);
	/* The stand-in of ModelBegin has no width */
	if (builder->features.width != 0)
		free(builder);
}

bool
ModelSetLibrary(ModelBuilder *builder, const char *version)
{
	builder->header.library = AddString(builder, version, "library version");
	return ModelIsFine(builder);
}

bool
ModelSetObjective(ModelBuilder *builder, const char *objective)
{
	builder->header.objective = AddString(builder, objective, "objective");
	return ModelIsFine(builder);
}

bool
ModelSetIterations(ModelBuilder *builder, int32 iterations,
				   int32 best_iteration)
{
	builder->header.iterations = Max(iterations, -1);
	builder->header.best_iteration = Max(best_iteration, -1);
	return ModelIsFine(builder);
}

bool
ModelSetSingle(ModelBuilder *builder)
{
	builder->header.flags |= MODEL_SINGLE;
	return ModelIsFine(builder);
}

bool
ModelSetOutputs(ModelBuilder *builder, uint32 noutputs)
{
	if (noutputs < 1)
		return ModelComplain(builder, MODEL_INVALID, "model has no output");
	if (noutputs > MODEL_MAX_OUTPUTS)
		return ModelComplain(builder, MODEL_LIMIT,
							 "model has %u outputs, the limit is %d",
							 noutputs, MODEL_MAX_OUTPUTS);
	if (builder->trees.count > 0 || builder->header.noutputs > 1)
		return ModelComplain(builder, MODEL_INVALID,
							 "number of outputs is set twice or too late");
	builder->outputs.count = 0;
	Append(builder, &builder->outputs, noutputs);
	builder->header.noutputs = noutputs;
	return ModelIsFine(builder);
}

bool
ModelSetLink(ModelBuilder *builder, ModelLink link, double p0, double p1)
{
	if (!isfinite(p0) || !isfinite(p1))
		return ModelComplain(builder, MODEL_INVALID,
							 "parameter of the objective is not finite");
	builder->header.link = link;
	builder->header.link_param[0] = p0;
	builder->header.link_param[1] = p1;
	return ModelIsFine(builder);
}

/* A number that must be finite, rounded as the model's library would */
static double
Finite(ModelBuilder *builder, double value, const char *what)
{
	if (!isfinite(value))
		ModelComplain(builder, MODEL_INVALID, "%s is not finite", what);
	if (builder->header.flags & MODEL_SINGLE)
	{
		value = (float) value;
		if (!isfinite(value))
			ModelComplain(builder, MODEL_INVALID,
						  "%s is out of range for float32", what);
	}
	return value;
}

bool
ModelSetStart(ModelBuilder *builder, uint32 output, double start)
{
	if (!ModelIsFine(builder))
		return false;
	if (output >= builder->header.noutputs)
		return ModelComplain(builder, MODEL_INVALID,
							 "base score for output %u of %u", output,
							 builder->header.noutputs);
	((double *) builder->outputs.data)[2 * output] =
		Finite(builder, start, "base score");
	return ModelIsFine(builder);
}

/* Rounded once more, as an intercept on top of a base score is */
bool
ModelAddStart(ModelBuilder *builder, uint32 output, double more)
{
	if (!ModelIsFine(builder) || output >= builder->header.noutputs)
		return ModelSetStart(builder, output, more);
	return ModelSetStart(builder, output, more +
						 ((double *) builder->outputs.data)[2 * output]);
}

bool
ModelSetScale(ModelBuilder *builder, double scale, double divisor)
{
	builder->header.scale = Finite(builder, scale, "scale");
	builder->header.divisor = Finite(builder, divisor, "divisor");
	if (divisor <= 0)
		return ModelComplain(builder, MODEL_INVALID,
							 "divisor is not positive");
	return ModelIsFine(builder);
}

bool
ModelSetBias(ModelBuilder *builder, uint32 output, double bias)
{
	if (!ModelIsFine(builder))
		return false;
	if (output >= builder->header.noutputs)
		return ModelComplain(builder, MODEL_INVALID,
							 "bias for output %u of %u", output,
							 builder->header.noutputs);
	((double *) builder->outputs.data)[2 * output + 1] =
		Finite(builder, bias, "bias");
	return ModelIsFine(builder);
}

uint32
ModelAddFeature(ModelBuilder *builder, const char *name,
				ModelFeatureKind kind)
{
	ModelFeature *feature;
	uint32		number = (uint32) builder->features.count;

	if (number >= MODEL_MAX_FEATURES)
		ModelComplain(builder, MODEL_LIMIT,
					  "model has more than %d features", MODEL_MAX_FEATURES);
	if (builder->trees.count > 0 || builder->in_tree)
		ModelComplain(builder, MODEL_INVALID,
					  "features are added after trees");
	if (number == 0)
		builder->named = name != NULL;
	if (builder->named != (name != NULL))
		ModelComplain(builder, MODEL_INVALID,
					  "some features have a name and some have none");
	if (name != NULL && name[0] == '\0')
		ModelComplain(builder, MODEL_INVALID,
					  "name of feature %u is empty", number);
	feature = Append(builder, &builder->features, 1);
	if (feature == NULL)
		return number;
	feature->kind = kind;
	feature->first = (uint32) builder->categories.count;
	if (name != NULL)
		feature->name = AddString(builder, name, "feature name");
	return number;
}

bool
ModelAddCategory(ModelBuilder *builder, const char *name, uint32 code)
{
	ModelCategory *category;
	ModelFeature *feature;

	if (!ModelIsFine(builder))
		return false;
	if (builder->features.count == 0)
		return ModelComplain(builder, MODEL_INVALID,
							 "category without a feature");
	feature = (ModelFeature *) builder->features.data +
		builder->features.count - 1;
	if (feature->kind != FEATURE_TEXT)
		return ModelComplain(builder, MODEL_INVALID,
							 "category name for a feature that takes no text");
	if (code >= MODEL_MAX_CATEGORIES ||
		feature->count >= MODEL_MAX_CATEGORIES)
		return ModelComplain(builder, MODEL_LIMIT,
							 "feature has more than %d categories",
							 MODEL_MAX_CATEGORIES);
	category = Append(builder, &builder->categories, 1);
	if (category == NULL)
		return false;
	category->name = AddString(builder, name, "category name");
	category->code = code;
	feature->count++;
	return ModelIsFine(builder);
}

bool
ModelBeginTree(ModelBuilder *builder, uint32 output, double weight)
{
	ModelTree  *tree;

	if (ModelIsCancelled())
		return ModelComplain(builder, MODEL_CANCELLED, "canceled");
	if (builder->in_tree)
		return ModelComplain(builder, MODEL_INVALID,
							 "tree within a tree");
	if (builder->trees.count >= MODEL_MAX_TREES)
		return ModelComplain(builder, MODEL_LIMIT,
							 "model has more than %d trees", MODEL_MAX_TREES);
	if (output != MODEL_ALL_OUTPUTS && output >= builder->header.noutputs)
		return ModelComplain(builder, MODEL_INVALID,
							 "tree %zu is for output %u of %u",
							 builder->trees.count, output,
							 builder->header.noutputs);
	builder->weight = Finite(builder, weight, "weight of a tree");
	tree = Append(builder, &builder->trees, 1);
	if (tree == NULL)
		return false;
	tree->root = (uint32) builder->nodes.count;
	tree->output = output;
	if (output == MODEL_ALL_OUTPUTS)
		builder->header.flags |= MODEL_VECTOR_LEAVES;
	builder->pending.count = 0;
	builder->tree_sets.count = 0;
	builder->tree_values.count = 0;
	builder->tree_linears.count = 0;
	builder->tree_terms.count = 0;
	builder->in_tree = true;
	return true;
}

/* A new node of the tree; NULL after an error */
static Pending *
AddPending(ModelBuilder *builder, int32 id, double cover)
{
	Pending    *pending;

	if (!ModelIsFine(builder))
		return NULL;
	if (!builder->in_tree)
	{
		ModelComplain(builder, MODEL_INVALID, "node outside of a tree");
		return NULL;
	}
	if (builder->nodes.count + builder->pending.count >= MODEL_MAX_NODES)
	{
		ModelComplain(builder, MODEL_LIMIT,
					  "model has more than %d nodes", MODEL_MAX_NODES);
		return NULL;
	}
	pending = Append(builder, &builder->pending, 1);
	if (pending == NULL)
		return NULL;
	pending->node.id = id;
	pending->cover = builder->header.flags & MODEL_SINGLE ? (float) cover :
		cover;
	if (isnan(cover))
		builder->has_cover = false;
	else if (cover < 0 || !isfinite(cover))
		ModelComplain(builder, MODEL_INVALID,
					  "cover of node %d in tree %zu is out of range",
					  id, builder->trees.count - 1);
	return pending;
}

/* What both kinds of split share */
static Pending *
AddPendingSplit(ModelBuilder *builder, int32 id, uint32 feature, int32 left,
				int32 right, double cover)
{
	Pending    *pending;

	if (ModelIsFine(builder) && feature >= builder->features.count)
		ModelComplain(builder, MODEL_INVALID,
					  "node %d of tree %zu splits on feature %u, but there are %zu",
					  id, builder->trees.count - 1, feature,
					  builder->features.count);
	pending = AddPending(builder, id, cover);
	if (pending == NULL)
		return NULL;
	pending->split = true;
	pending->left = left;
	pending->right = right;
	pending->node.feature = feature;
	return pending;
}

bool
ModelAddSplit(ModelBuilder *builder, int32 id, uint32 feature,
			  double threshold, uint32 flags, int32 left, int32 right,
			  double cover)
{
	Pending    *pending;

	pending = AddPendingSplit(builder, id, feature, left, right, cover);
	if (pending == NULL)
		return false;
	if (isnan(threshold))
		return ModelComplain(builder, MODEL_INVALID,
							 "threshold of node %d in tree %zu is not a number",
							 id, builder->trees.count - 1);
	if (builder->header.flags & MODEL_SINGLE)
		threshold = (float) threshold;
	pending->node.u.threshold = threshold;
	pending->node.flags = flags & (NODE_DEFAULT_LEFT | NODE_LE | NODE_MISSING);
	return true;
}

bool
ModelAddSetSplit(ModelBuilder *builder, int32 id, uint32 feature,
				 const uint32 *codes, uint32 ncodes, uint32 flags,
				 int32 inside, int32 outside, double cover)
{
	Pending    *pending;
	uint32	   *set;
	uint32		largest = 0;
	uint32		words;

	for (uint32 i = 0; i < ncodes; i++)
		largest = Max(largest, codes[i]);
	if (largest >= MODEL_MAX_CATEGORIES)
		return ModelComplain(builder, MODEL_LIMIT,
							 "category %u exceeds the limit of %d categories",
							 largest, MODEL_MAX_CATEGORIES);
	pending = AddPendingSplit(builder, id, feature, inside, outside, cover);
	if (pending == NULL)
		return false;
	words = ncodes == 0 ? 0 : largest / 32 + 1;
	pending->node.u.at.first = (uint32) builder->tree_sets.count;
	pending->node.u.at.count = words;
	pending->node.flags = NODE_SET |
		(flags & (NODE_DEFAULT_LEFT | NODE_TRUNCATE | NODE_MISSING));
	builder->header.flags |= MODEL_CATEGORICAL;
	set = Append(builder, &builder->tree_sets, words);
	if (set == NULL)
		return false;
	for (uint32 i = 0; i < ncodes; i++)
		set[codes[i] / 32] |= (uint32) 1 << codes[i] % 32;
	return true;
}

/* A tree's leaves are either all vectors or all single values */
static bool
FitsTree(ModelBuilder *builder, int32 id, uint32 nvalues, bool vector)
{
	ModelTree  *tree;

	if (!ModelIsFine(builder))
		return false;
	if (!builder->in_tree)
		return ModelComplain(builder, MODEL_INVALID, "leaf outside of a tree");
	tree = (ModelTree *) builder->trees.data + builder->trees.count - 1;
	if (vector != (tree->output == MODEL_ALL_OUTPUTS))
		return ModelComplain(builder, MODEL_INVALID, vector ?
							 "leaf %d of tree %zu has a vector, but its tree is for one output" :
							 "leaf %d of tree %zu has one value, but its tree is for all outputs",
							 id, builder->trees.count - 1);
	if (vector && nvalues != builder->header.noutputs)
		return ModelComplain(builder, MODEL_INVALID,
							 "leaf %d of tree %zu has %u values instead of %u",
							 id, builder->trees.count - 1, nvalues,
							 builder->header.noutputs);
	return true;
}

/* In float32 the product is rounded once more, as the library's is */
static double
Weighted(ModelBuilder *builder, double value)
{
	if (builder->weight == 1.0)
		return Finite(builder, value, "leaf value");
	if (builder->header.flags & MODEL_SINGLE)
		return Finite(builder, (float) value * (float) builder->weight,
					  "leaf value");
	return Finite(builder, value * builder->weight, "leaf value");
}

bool
ModelAddLeaf(ModelBuilder *builder, int32 id, double value, double cover)
{
	Pending    *pending;

	if (!FitsTree(builder, id, 1, false))
		return false;
	pending = AddPending(builder, id, cover);
	if (pending == NULL)
		return false;
	pending->node.u.leaf = Weighted(builder, value);
	return ModelIsFine(builder);
}

bool
ModelAddVectorLeaf(ModelBuilder *builder, int32 id, const double *values,
				   uint32 nvalues, double cover)
{
	Pending    *pending;
	double	   *to;

	if (!FitsTree(builder, id, nvalues, true))
		return false;
	pending = AddPending(builder, id, cover);
	if (pending == NULL)
		return false;
	pending->node.flags = NODE_VECTOR;
	pending->node.u.at.first = (uint32) builder->tree_values.count;
	pending->node.u.at.count = nvalues;
	to = Append(builder, &builder->tree_values, nvalues);
	for (uint32 i = 0; to != NULL && i < nvalues; i++)
		to[i] = Weighted(builder, values[i]);
	return ModelIsFine(builder);
}

bool
ModelAddLinearLeaf(ModelBuilder *builder, int32 id, double fallback,
				   double constant, const uint32 *features,
				   const double *coefficients, uint32 nterms, double cover)
{
	Pending    *pending;
	ModelLinear *linear;
	ModelTerm  *terms;

	if (!FitsTree(builder, id, 1, false))
		return false;
	pending = AddPending(builder, id, cover);
	linear = Append(builder, &builder->tree_linears, 1);
	terms = Append(builder, &builder->tree_terms, nterms);
	if (pending == NULL || linear == NULL || terms == NULL)
		return false;
	pending->node.flags = NODE_LINEAR;
	pending->node.u.at.first = (uint32) builder->tree_linears.count - 1;
	pending->node.u.at.count = 1;
	linear->fallback = Weighted(builder, fallback);
	linear->constant = Weighted(builder, constant);
	linear->first = (uint32) (builder->tree_terms.count - nterms);
	linear->count = nterms;
	for (uint32 i = 0; i < nterms; i++)
	{
		if (features[i] >= builder->features.count)
			return ModelComplain(builder, MODEL_INVALID,
								 "leaf %d of tree %zu uses feature %u, but there are %zu",
								 id, builder->trees.count - 1, features[i],
								 builder->features.count);
		terms[i].feature = features[i];
		terms[i].coefficient = Weighted(builder, coefficients[i]);
	}
	builder->header.flags |= MODEL_LINEAR_LEAVES;
	return ModelIsFine(builder);
}

static int
CompareNumbered(const void *a, const void *b)
{
	int32		left = ((const Numbered *) a)->id;
	int32		right = ((const Numbered *) b)->id;

	return left < right ? -1 : left > right;
}

/* Index the pending nodes by id, unless they are numbered as they lie */
static bool
NumberPending(ModelBuilder *builder, bool *dense)
{
	Pending    *pending = (Pending *) builder->pending.data;
	Size		n = builder->pending.count;
	Numbered   *numbered;

	*dense = true;
	for (Size i = 0; i < n && *dense; i++)
		*dense = pending[i].node.id == i;
	if (*dense)
		return true;
	builder->numbered.count = 0;
	numbered = Append(builder, &builder->numbered, n);
	if (numbered == NULL)
		return false;
	for (Size i = 0; i < n; i++)
	{
		numbered[i].id = pending[i].node.id;
		numbered[i].position = (uint32) i;
	}
	qsort(numbered, n, sizeof(Numbered), CompareNumbered);
	for (Size i = 1; i < n; i++)
		if (numbered[i].id == numbered[i - 1].id)
			return ModelComplain(builder, MODEL_INVALID,
								 "tree %zu has two nodes %d",
								 builder->trees.count - 1, numbered[i].id);
	return true;
}

/* Position of the node with an id */
static bool
FindPending(ModelBuilder *builder, bool dense, int32 id, uint32 *position)
{
	Size		n = builder->pending.count;
	Numbered	key;
	Numbered   *found;

	if (dense && id >= 0 && id < n)
	{
		*position = id;
		return true;
	}
	if (!dense)
	{
		key.id = id;
		found = bsearch(&key, builder->numbered.data, n, sizeof(Numbered),
						CompareNumbered);
		if (found != NULL)
		{
			*position = found->position;
			return true;
		}
	}
	return ModelComplain(builder, MODEL_INVALID,
						 "tree %zu has no node %d, but a node that names it",
						 builder->trees.count - 1, id);
}

/* n elements of `from` behind `to`; returns where they start there */
static uint32
Move(ModelBuilder *builder, Array *to, const Array *from, uint32 first,
	 uint32 n)
{
	uint32		start = (uint32) to->count;
	char	   *place = Append(builder, to, n);

	if (place != NULL && n > 0)
		memcpy(place, from->data + (Size) first * from->width,
			   (Size) n * from->width);
	return start;
}

/*
 * The parts of a node follow it into the order of the layout, so that equal
 * models are equal bytes, whatever order an importer had.
 */
static void
MoveParts(ModelBuilder *builder, ModelNode *node)
{
	if (node->flags & NODE_SET)
		node->u.at.first = Move(builder, &builder->sets, &builder->tree_sets,
								node->u.at.first, node->u.at.count);
	else if (node->flags & NODE_VECTOR)
		node->u.at.first = Move(builder, &builder->values,
								&builder->tree_values,
								node->u.at.first, node->u.at.count);
	else if (node->flags & NODE_LINEAR)
	{
		ModelLinear *linear;

		node->u.at.first = Move(builder, &builder->linears,
								&builder->tree_linears,
								node->u.at.first, 1);
		if (!ModelIsFine(builder))
			return;
		linear = (ModelLinear *) builder->linears.data + node->u.at.first;
		linear->first = Move(builder, &builder->terms, &builder->tree_terms,
							 linear->first, linear->count);
	}
}

bool
ModelEndTree(ModelBuilder *builder, int32 root)
{
	/* one pending right child for each split on the way, and the left one */
	Waiting		stack[MODEL_MAX_DEPTH + 2];
	int			waiting = 0;
	ModelTree  *tree;
	Size		n;
	bool		dense;

	if (!ModelIsFine(builder))
		return false;
	if (!builder->in_tree)
		return ModelComplain(builder, MODEL_INVALID, "end of no tree");
	n = builder->pending.count;
	if (n == 0)
		return ModelComplain(builder, MODEL_INVALID, "tree %zu has no nodes",
							 builder->trees.count - 1);
	if (!NumberPending(builder, &dense))
		return false;
	tree = (ModelTree *) builder->trees.data + builder->trees.count - 1;
	memset(&stack[0], 0, sizeof(stack[0]));
	if (!FindPending(builder, dense, root, &stack[0].position))
		return false;
	waiting = 1;
	while (waiting > 0)
	{
		Waiting		now = stack[--waiting];
		Pending    *pending = (Pending *) builder->pending.data + now.position;
		uint32		number = tree->nnodes;
		ModelNode  *node;
		double	   *cover;

		if (pending->reached)
			return ModelComplain(builder, MODEL_INVALID,
								 "node %d of tree %zu is reached twice: a cycle or two parents",
								 pending->node.id, builder->trees.count - 1);
		pending->reached = true;
		node = Append(builder, &builder->nodes, 1);
		cover = Append(builder, &builder->covers, 1);
		if (node == NULL || cover == NULL)
			return false;
		*node = pending->node;
		*cover = pending->cover;
		MoveParts(builder, node);
		tree->nnodes++;
		tree->depth = Max(tree->depth, now.depth);
		if (now.is_right)
			((ModelNode *) builder->nodes.data)[tree->root + now.parent].right = number;
		if (!pending->split)
			continue;
		if (now.depth >= MODEL_MAX_DEPTH)
			return ModelComplain(builder, MODEL_LIMIT,
								 "tree %zu is deeper than %d splits",
								 builder->trees.count - 1, MODEL_MAX_DEPTH);
		stack[waiting].parent = number;
		stack[waiting].depth = now.depth + 1;
		stack[waiting].is_right = true;
		if (!FindPending(builder, dense, pending->right,
						 &stack[waiting++].position))
			return false;
		stack[waiting].parent = number;
		stack[waiting].depth = now.depth + 1;
		stack[waiting].is_right = false;
		if (!FindPending(builder, dense, pending->left,
						 &stack[waiting++].position))
			return false;
	}
	if (tree->nnodes < n)
		return ModelComplain(builder, MODEL_INVALID,
							 "%zu nodes of tree %zu can't be reached from its root",
							 n - tree->nnodes, builder->trees.count - 1);
	builder->header.depth = Max(builder->header.depth, tree->depth);
	builder->in_tree = false;
	return true;
}

bool
ModelSetWeight(ModelBuilder *builder, uint32 output, uint32 feature,
			   double weight)
{
	Size		size = builder->features.count * builder->header.noutputs;

	if (builder->trees.count > 0)
		return ModelComplain(builder, MODEL_INVALID,
							 "linear weights in a model of trees");
	builder->header.flags |= MODEL_IS_LINEAR;
	if (builder->values.count < size)
		Append(builder, &builder->values, size - builder->values.count);
	if (!ModelIsFine(builder))
		return false;
	if (output >= builder->header.noutputs ||
		feature >= builder->features.count)
		return ModelComplain(builder, MODEL_INVALID,
							 "weight of feature %u for output %u is out of range",
							 feature, output);
	((double *) builder->values.data)[output * builder->features.count + feature] =
		Finite(builder, weight, "weight");
	return ModelIsFine(builder);
}

typedef struct SortedName
{
	const char *string;
	uint32		number;			/* of the feature, or a category's code */
} SortedName;

static int
CompareNames(const void *a, const void *b)
{
	return strcmp(((const SortedName *) a)->string, ((const SortedName *) b)->string);
}

/* Each feature's categories sorted by name, for binary search */
static bool
SortCategories(ModelBuilder *builder)
{
	ModelFeature *features = (ModelFeature *) builder->features.data;
	ModelCategory *categories = (ModelCategory *) builder->categories.data;
	const char *strings = builder->strings.data;
	Size		most = 0;
	SortedName *names;

	if (!ModelIsFine(builder))
		return false;
	for (Size f = 0; f < builder->features.count; f++)
		most = Max(most, features[f].count);
	if (most == 0)
		return true;
	names = malloc(most * sizeof(SortedName));
	if (names == NULL)
		return OutOfMemory(builder);
	for (Size f = 0; f < builder->features.count; f++)
	{
		ModelCategory *category = categories + features[f].first;
		uint32		n = features[f].count;

		for (uint32 i = 0; i < n; i++)
		{
			names[i].string = strings + category[i].name;
			names[i].number = category[i].code;
		}
		qsort(names, n, sizeof(SortedName), CompareNames);
		for (uint32 i = 0; i < n; i++)
		{
			if (i > 0 && strcmp(names[i].string, names[i - 1].string) == 0)
				ModelComplain(builder, MODEL_INVALID,
							  "feature %zu has two categories \"%s\"",
							  f, names[i].string);
			category[i].name = (uint32) (names[i].string - strings);
			category[i].code = names[i].number;
		}
	}
	free(names);
	return ModelIsFine(builder);
}

/* A string of the old pool into the new one */
static uint32
MoveString(ModelBuilder *builder, Array *pool, uint32 string)
{
	const char *from = builder->strings.data + string;

	if (*from == '\0')
		return 0;
	return Move(builder, pool, &builder->strings, string, strlen(from) + 1);
}

/* The pool in one order: header, then features with their categories */
static bool
OrderStrings(ModelBuilder *builder)
{
	ModelFeature *features = (ModelFeature *) builder->features.data;
	ModelCategory *categories = (ModelCategory *) builder->categories.data;
	Array		pool = {NULL, 1, 0, 0};

	if (!ModelIsFine(builder))
		return false;
	Append(builder, &pool, 1);
	builder->header.library = MoveString(builder, &pool,
										 builder->header.library);
	builder->header.objective = MoveString(builder, &pool,
										   builder->header.objective);
	for (Size f = 0; f < builder->features.count; f++)
	{
		features[f].name = MoveString(builder, &pool, features[f].name);
		for (uint32 i = 0; i < features[f].count; i++)
			categories[features[f].first + i].name =
				MoveString(builder, &pool,
						   categories[features[f].first + i].name);
	}
	free(builder->strings.data);
	builder->strings = pool;
	return ModelIsFine(builder);
}

static void
Place(Model *model, ModelSection section, const Array *array)
{
	if (array->count > 0)
		memcpy(MODEL_AT(model, section, char), array->data,
			   array->count * array->width);
}

Model	   *
ModelFinish(ModelBuilder *builder, Size *size)
{
	Model	   *header = &builder->header;
	Model	   *body = NULL;
	Model	   *model = NULL;
	Size		needed;

	if (ModelIsFine(builder) && builder->in_tree)
		ModelComplain(builder, MODEL_INVALID, "last tree has no end");
	if (ModelIsFine(builder) && builder->features.count == 0)
		ModelComplain(builder, MODEL_INVALID, "model has no features");
	if (ModelIsFine(builder) && builder->named)
		header->flags |= MODEL_HAS_NAMES;
	if (builder->has_cover)
		header->flags |= MODEL_HAS_COVER;
	else
		builder->covers.count = 0;
	SortCategories(builder);
	OrderStrings(builder);
	header->nfeatures = (uint32) builder->features.count;
	header->ncategories = (uint32) builder->categories.count;
	header->ntrees = (uint32) builder->trees.count;
	header->nnodes = (uint32) builder->nodes.count;
	header->nsetwords = (uint32) builder->sets.count;
	header->nvalues = (uint32) builder->values.count;
	header->nlinears = (uint32) builder->linears.count;
	header->nterms = (uint32) builder->terms.count;
	header->nstrings = (uint32) builder->strings.count;
	if (header->iterations < 0)
		header->iterations = (int32) header->ntrees;
	if (ModelIsFine(builder) && !ModelLayout(header, &needed))
		ModelComplain(builder, MODEL_LIMIT,
					  "model exceeds the limit of %zu bytes", MODEL_MAX_BYTES);
	if (ModelIsFine(builder))
	{
		body = calloc(1, needed);
		if (body == NULL)
			OutOfMemory(builder);
	}
	if (body != NULL)
	{
		double	   *outputs = (double *) builder->outputs.data;

		*body = *header;
		SET_VARSIZE(body, needed);
		Place(body, SECTION_FEATURES, &builder->features);
		Place(body, SECTION_CATEGORIES, &builder->categories);
		Place(body, SECTION_TREES, &builder->trees);
		Place(body, SECTION_NODES, &builder->nodes);
		Place(body, SECTION_COVERS, &builder->covers);
		Place(body, SECTION_SETS, &builder->sets);
		Place(body, SECTION_VALUES, &builder->values);
		Place(body, SECTION_LINEARS, &builder->linears);
		Place(body, SECTION_TERMS, &builder->terms);
		Place(body, SECTION_STRINGS, &builder->strings);
		for (uint32 k = 0; k < body->noutputs; k++)
		{
			MODEL_START(body)[k] = outputs[2 * k];
			MODEL_BIAS(body)[k] = outputs[2 * k + 1];
		}
		model = ModelComplete(body, needed, size, builder->error);
		free(body);
	}
	if (model == NULL)
		*size = 0;
	ModelAbandon(builder);
	return model;
}
