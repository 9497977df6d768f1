/*
 * check.c
 *		The layout of a model value, and the one judge of its bytes.
 *
 * What passes CheckModel can be evaluated, explained and printed without a
 * further look at an index: every reference is inside its section, every walk
 * goes forward and ends.  It is linear in the size of the value.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "document.h"
#include "port/pg_bitutils.h"

/* Bytes of an element of each section */
static Size
SectionBytes(const Model *model, ModelSection section)
{
	switch (section)
	{
		case SECTION_FEATURES:
			return (Size) model->nfeatures * sizeof(ModelFeature);
		case SECTION_CATEGORIES:
			return (Size) model->ncategories * sizeof(ModelCategory);
		case SECTION_OUTPUTS:
			return (Size) model->noutputs * 2 * sizeof(double);
		case SECTION_TREES:
			return (Size) model->ntrees * sizeof(ModelTree);
		case SECTION_NODES:
			return (Size) model->nnodes * sizeof(ModelNode);
		case SECTION_COVERS:
			return (model->flags & MODEL_HAS_COVER) ?
				(Size) model->nnodes * sizeof(double) : 0;
		case SECTION_SETS:
			return (Size) model->nsetwords * sizeof(uint32);
		case SECTION_VALUES:
			return (Size) model->nvalues * sizeof(double);
		case SECTION_LINEARS:
			return (Size) model->nlinears * sizeof(ModelLinear);
		case SECTION_TERMS:
			return (Size) model->nterms * sizeof(ModelTerm);
		case SECTION_LANES:
			return model->nlanebytes;
		case SECTION_STRINGS:
			return model->nstrings;
		case MODEL_SECTIONS:
			break;
	}
	return 0;
}

/*
 * Counts are 32 bits and elements are small, so that the sum of the sections
 * can't overflow 64 bits.
 */
bool
ModelLayout(Model *model, Size *size)
{
	Size		at = TYPEALIGN(8, sizeof(Model));

	for (int section = 0; section < MODEL_SECTIONS; section++)
	{
		if (at > MODEL_MAX_BYTES)
			return false;
		model->offset[section] = (uint32) at;
		at += TYPEALIGN(8, SectionBytes(model, section));
	}
	*size = at;
	return at <= MODEL_MAX_BYTES;
}

/* Well-formed UTF-8, zero bytes included (they end the strings of the pool) */
bool
ModelIsUtf8(const unsigned char *s, Size length)
{
	Size		i = 0;

	while (i < length)
	{
		unsigned char c = s[i++];
		uint32		code;
		int			more;

		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf)
			more = 1, code = c & 0x1f;
		else if (c >= 0xe0 && c <= 0xef)
			more = 2, code = c & 0x0f;
		else if (c >= 0xf0 && c <= 0xf4)
			more = 3, code = c & 0x07;
		else
			return false;
		for (int k = 0; k < more; k++)
		{
			if (i >= length || (s[i] & 0xc0) != 0x80)
				return false;
			code = code << 6 | (s[i++] & 0x3f);
		}
		if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
			(more == 3 && (code < 0x10000 || code > 0x10ffff)))
			return false;
	}
	return true;
}

static bool
CheckHeader(const Model *model, Size size, ModelError *error)
{
	Model		copy;
	Size		needed;

	if (size < sizeof(Model))
		return ModelFail(error, MODEL_INVALID, "model is too short");
	if (VARSIZE(model) != size)
		return ModelFail(error, MODEL_INVALID,
						 "model says it has %u bytes, but has %zu",
						 (unsigned) VARSIZE(model), size);
	if (model->version != MODEL_VERSION)
		return ModelFail(error, MODEL_UNSUPPORTED,
						 "model has format version %u, this is for version %d",
						 model->version, MODEL_VERSION);
	if (model->format >= MODEL_FORMATS)
		return ModelFail(error, MODEL_INVALID, "unknown model format %u",
						 model->format);
	if (model->link >= LINKS)
		return ModelFail(error, MODEL_INVALID, "unknown link %u",
						 model->link);
	if (model->flags & ~MODEL_ALL_FLAGS)
		return ModelFail(error, MODEL_INVALID, "unknown model flags %x",
						 model->flags);
	if (model->reserved != 0)
		return ModelFail(error, MODEL_INVALID,
						 "reserved field of model is not zero");
	if (model->nfeatures < 1 || model->nfeatures > MODEL_MAX_FEATURES)
		return ModelFail(error, MODEL_LIMIT,
						 "model has %u features, allowed are 1 to %d",
						 model->nfeatures, MODEL_MAX_FEATURES);
	if (model->noutputs < 1 || model->noutputs > MODEL_MAX_OUTPUTS)
		return ModelFail(error, MODEL_LIMIT,
						 "model has %u outputs, allowed are 1 to %d",
						 model->noutputs, MODEL_MAX_OUTPUTS);
	if (model->ntrees > MODEL_MAX_TREES)
		return ModelFail(error, MODEL_LIMIT,
						 "model has more than %d trees", MODEL_MAX_TREES);
	if (model->nnodes > MODEL_MAX_NODES)
		return ModelFail(error, MODEL_LIMIT,
						 "model has more than %d nodes", MODEL_MAX_NODES);
	if (model->iterations < 0 || model->best_iteration < -1)
		return ModelFail(error, MODEL_INVALID,
						 "number of iterations is out of range");
	if (!isfinite(model->link_param[0]) || !isfinite(model->link_param[1]) ||
		!isfinite(model->scale) || !isfinite(model->divisor) ||
		model->divisor <= 0)
		return ModelFail(error, MODEL_INVALID,
						 "parameter of the model is not finite");

	/* The counts determine where everything is */
	memcpy(&copy, model, sizeof(Model));
	if (!ModelLayout(&copy, &needed) || needed != size ||
		memcmp(copy.offset, model->offset, sizeof(copy.offset)) != 0)
		return ModelFail(error, MODEL_INVALID,
						 "sections of the model do not fit its size");
	if (model->nstrings < 1 || *MODEL_STRING(model, 0) != '\0' ||
		*MODEL_STRING(model, model->nstrings - 1) != '\0')
		return ModelFail(error, MODEL_INVALID,
						 "strings of the model have no end");
	if (!ModelIsUtf8((const unsigned char *) MODEL_STRING(model, 0),
					 model->nstrings))
		return ModelFail(error, MODEL_INVALID,
						 "a name in the model is not valid UTF-8");
	if (model->objective >= model->nstrings ||
		model->library >= model->nstrings)
		return ModelFail(error, MODEL_INVALID,
						 "a string of the model is out of range");
	for (uint32 k = 0; k < model->noutputs; k++)
		if (!isfinite(MODEL_START(model)[k]) || !isfinite(MODEL_BIAS(model)[k]))
			return ModelFail(error, MODEL_INVALID,
							 "base score is not finite");
	return true;
}

static bool
CheckFeatures(const Model *model, ModelError *error)
{
	const ModelCategory *categories = MODEL_CATEGORIES(model);
	uint32		used = 0;

	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		const ModelFeature *feature = MODEL_FEATURES(model) + f;

		if (feature->name >= model->nstrings ||
			feature->kind >= FEATURE_KINDS ||
			feature->first != used ||
			feature->count > model->ncategories - used ||
			feature->count > MODEL_MAX_CATEGORIES)
			return ModelFail(error, MODEL_INVALID,
							 "feature %u of the model is malformed", f);
		if ((*MODEL_FEATURE_NAME(model, f) != '\0') !=
			((model->flags & MODEL_HAS_NAMES) != 0))
			return ModelFail(error, MODEL_INVALID,
							 "feature %u of the model is malformed", f);
		for (uint32 i = used; i < used + feature->count; i++)
			if (categories[i].name >= model->nstrings ||
				categories[i].code >= MODEL_MAX_CATEGORIES ||
				(i > used && strcmp(MODEL_STRING(model, categories[i - 1].name),
									MODEL_STRING(model, categories[i].name)) >= 0))
				return ModelFail(error, MODEL_INVALID,
								 "categories of feature %u are malformed", f);
		used += feature->count;
	}
	if (used != model->ncategories)
		return ModelFail(error, MODEL_INVALID,
						 "categories of the model are malformed");
	return true;
}

static bool
CheckNode(const Model *model, const ModelTree *tree, uint32 number,
		  ModelError *error)
{
	const ModelNode *node = MODEL_NODES(model) + tree->root + number;
	bool		fine;

	if (node->flags & ~NODE_ALL_FLAGS ||
		(node->flags & NODE_MISSING) == NODE_MISSING)
		fine = false;
	else if (MODEL_IS_LEAF(node))
	{
		uint32		kind = node->flags & (NODE_VECTOR | NODE_LINEAR);

		fine = node->feature == 0 && node->flags == kind;
		if ((kind == NODE_VECTOR) != (tree->output == MODEL_ALL_OUTPUTS))
			fine = false;
		else if (kind == 0)
			fine = fine && isfinite(node->u.leaf);
		else if (kind == NODE_VECTOR)
			fine = fine && node->u.at.count == model->noutputs &&
				node->u.at.first <= model->nvalues &&
				node->u.at.count <= model->nvalues - node->u.at.first;
		else
			fine = fine && kind == NODE_LINEAR && node->u.at.count == 1 &&
				node->u.at.first < model->nlinears &&
				(model->flags & MODEL_LINEAR_LEAVES);
	}
	else
	{
		fine = node->feature < model->nfeatures &&
			!(node->flags & (NODE_VECTOR | NODE_LINEAR));
		if (node->flags & NODE_SET)
			fine = fine && node->u.at.first <= model->nsetwords &&
				node->u.at.count <= model->nsetwords - node->u.at.first &&
				node->u.at.count <= MODEL_MAX_CATEGORIES / 32 &&
				(model->flags & MODEL_CATEGORICAL);
		else
			fine = fine && !isnan(node->u.threshold);
	}
	if (!fine)
		return ModelFail(error, MODEL_INVALID,
						 "node %u of tree %td is malformed", number,
						 tree - MODEL_TREES(model));
	return true;
}

/*
 * In preorder the next node is the left child of a split; after a leaf it is
 * the right child of the last split that still waits for its own.
 */
static bool
CheckTree(const Model *model, const ModelTree *tree, ModelError *error)
{
	const ModelNode *nodes = MODEL_NODES(model) + tree->root;
	uint32		waiting[MODEL_MAX_DEPTH];
	uint32		depths[MODEL_MAX_DEPTH];
	uint32		nwaiting = 0;
	uint32		depth = 0;
	uint32		deepest = 0;

	for (uint32 i = 0; i < tree->nnodes; i++)
	{
		if (!CheckNode(model, tree, i, error))
			return false;
		if (!MODEL_IS_LEAF(&nodes[i]))
		{
			if (depth >= MODEL_MAX_DEPTH)
				return ModelFail(error, MODEL_LIMIT,
								 "tree %td is deeper than %d splits",
								 tree - MODEL_TREES(model), MODEL_MAX_DEPTH);
			waiting[nwaiting] = nodes[i].right;
			depths[nwaiting++] = ++depth;
			deepest = Max(deepest, depth);
		}
		else if (nwaiting > 0)
		{
			if (waiting[--nwaiting] != i + 1)
				break;
			depth = depths[nwaiting];
		}
		else if (i + 1 == tree->nnodes && tree->depth == deepest)
			return true;
		else
			break;
	}
	return ModelFail(error, MODEL_INVALID, "tree %td is malformed",
					 tree - MODEL_TREES(model));
}

static bool
CheckTrees(const Model *model, ModelError *error)
{
	uint32		used = 0;
	uint32		deepest = 0;
	uint32		vectors = 0;

	for (uint32 t = 0; t < model->ntrees; t++)
	{
		const ModelTree *tree = MODEL_TREES(model) + t;

		if (tree->root != used || tree->nnodes > model->nnodes - used ||
			(tree->output >= model->noutputs &&
			 tree->output != MODEL_ALL_OUTPUTS))
			return ModelFail(error, MODEL_INVALID, "tree %u is malformed", t);
		if (ModelIsCancelled())
			return ModelFail(error, MODEL_CANCELLED, "canceled");
		if (!CheckTree(model, tree, error))
			return false;
		used += tree->nnodes;
		deepest = Max(deepest, tree->depth);
		if (tree->output == MODEL_ALL_OUTPUTS)
			vectors++;
	}
	if (used != model->nnodes || deepest != model->depth ||
		(vectors > 0) != ((model->flags & MODEL_VECTOR_LEAVES) != 0))
		return ModelFail(error, MODEL_INVALID,
						 "trees of the model do not fit its header");
	if (model->flags & MODEL_HAS_COVER)
		for (uint32 i = 0; i < model->nnodes; i++)
			if (!(MODEL_COVERS(model)[i] >= 0) ||
				!isfinite(MODEL_COVERS(model)[i]))
				return ModelFail(error, MODEL_INVALID,
								 "cover of node %u is out of range", i);
	return true;
}

static bool
CheckNumbers(const Model *model, ModelError *error)
{
	const ModelLinear *linears = MODEL_LINEARS(model);
	const ModelTerm *terms = MODEL_TERMS(model);

	for (uint32 i = 0; i < model->nvalues; i++)
		if (!isfinite(MODEL_VALUES(model)[i]))
			return ModelFail(error, MODEL_INVALID,
							 "value %u of the model is not finite", i);
	for (uint32 i = 0; i < model->nlinears; i++)
		if (!isfinite(linears[i].constant) || !isfinite(linears[i].fallback) ||
			linears[i].first > model->nterms ||
			linears[i].count > model->nterms - linears[i].first)
			return ModelFail(error, MODEL_INVALID,
							 "linear leaf %u is malformed", i);
	for (uint32 i = 0; i < model->nterms; i++)
		if (terms[i].feature >= model->nfeatures || terms[i].reserved != 0 ||
			!isfinite(terms[i].coefficient))
			return ModelFail(error, MODEL_INVALID,
							 "term %u of a linear leaf is malformed", i);
	if (model->flags & MODEL_IS_LINEAR)
	{
		if (model->ntrees != 0 ||
			model->nvalues != (uint64) model->nfeatures * model->noutputs)
			return ModelFail(error, MODEL_INVALID,
							 "weights of the model do not fit its header");
	}
	return true;
}

/*
 * Each model has a text form that reads back, so that it can be dumped and
 * restored: not more numbers and words than a document may hold.
 */
static bool
CheckTextForm(const Model *model, ModelError *error)
{
	const uint32 *sets = MODEL_SETS(model);
	uint64		values = 64 + 2 * (uint64) model->noutputs +
	6 * (uint64) model->nfeatures + 2 * (uint64) model->ncategories +
	5 * (uint64) model->ntrees + 9 * (uint64) model->nnodes +
	model->nvalues + 2 * (uint64) model->nterms;

	for (uint32 i = 0; i < model->nsetwords; i++)
		values += pg_popcount32(sets[i]);
	if (values > DOCUMENT_MAX_VALUES)
		return ModelFail(error, MODEL_LIMIT,
						 "model holds more than %d values",
						 DOCUMENT_MAX_VALUES);
	return true;
}

/* The same as CheckModel() for a value without lanes */
static bool
CheckModelBody(const Model *model, Size size, ModelError *error)
{
	return CheckHeader(model, size, error) &&
		CheckFeatures(model, error) &&
		CheckTrees(model, error) &&
		CheckNumbers(model, error) &&
		CheckTextForm(model, error);
}

bool
CheckModel(const Model *model, Size size, ModelError *error)
{
	return CheckModelBody(model, size, error) &&
		ModelCheckLanes(model, error);
}

static int
CompareNames(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * Feature names are unique.  No walk depends on it, so that a stored value
 * need not be asked again.
 */
static bool
CheckNames(const Model *model, ModelError *error)
{
	const char **names;

	if (!(model->flags & MODEL_HAS_NAMES))
		return true;
	names = malloc(model->nfeatures * sizeof(char *));
	if (names == NULL)
		return ModelFail(error, MODEL_NO_MEMORY, "out of memory");
	for (uint32 f = 0; f < model->nfeatures; f++)
		names[f] = MODEL_FEATURE_NAME(model, f);
	qsort(names, model->nfeatures, sizeof(char *), CompareNames);
	for (uint32 f = 1; f < model->nfeatures; f++)
		if (strcmp(names[f], names[f - 1]) == 0)
		{
			ModelFail(error, MODEL_INVALID, "two features are named \"%s\"",
					  names[f]);
			break;
		}
	free(names);
	return error->kind == MODEL_OK;
}

Model	   *
ModelComplete(const Model *body, Size size, Size *whole, ModelError *error)
{
	Model		header;
	Model	   *model;

	if (!CheckModelBody(body, size, error) || !CheckNames(body, error))
		return NULL;
	if (body->nlanebytes != 0)
	{
		ModelFail(error, MODEL_INVALID, "lanes of the model are malformed");
		return NULL;
	}
	memcpy(&header, body, sizeof(Model));
	header.nlanebytes = (uint32) Min(ModelLanesSize(body), PG_UINT32_MAX);
	if (!ModelLayout(&header, whole))
	{
		ModelFail(error, MODEL_LIMIT, "model exceeds the limit of %zu bytes",
				  MODEL_MAX_BYTES);
		return NULL;
	}
	model = calloc(1, *whole);
	if (model == NULL)
	{
		ModelFail(error, MODEL_NO_MEMORY, "out of memory");
		return NULL;
	}
	memcpy(model, body, body->offset[SECTION_LANES]);
	memcpy(model, &header, sizeof(Model));
	SET_VARSIZE(model, *whole);
	memcpy(MODEL_AT(model, SECTION_STRINGS, char),
		   MODEL_AT(body, SECTION_STRINGS, char), body->nstrings);
	ModelBuildLanes(model);
	if (!ModelCheckLanes(model, error))
	{
		free(model);
		return NULL;
	}
	return model;
}
