/*
 * model_text.c
 *		The text form of a model: JSON that says all and round-trips exactly.
 *
 * {"pg_assay_model": 1, "format": "xgboost", "library": "3.2.0", "objective":
 *	"binary:logistic", "link": "logistic", "link_parameters": [1, 0], "single":
 *	true, "start": [0.25], "bias": [0], "scale": 1, "divisor": 1, "iterations":
 *	2, "best_iteration": -1, "features": [{"name": "age", "kind": "numeric"}, …],
 *	"trees": [{"output": 0, "nodes": [ … ]}, …]}
 *
 * A linear model has "weights" instead of "trees": a list for each output.
 * A tree with vectors in its leaves has no "output".  A feature of kind "text"
 * has "categories": {name: code}.  Nodes are in preorder, so a split's left
 * child is the next node:
 *
 *		[id, cover, value]								leaf
 *		[id, cover, [value, …]]							leaf with a vector
 *		[id, cover, value, constant, [feature, coefficient, …]]	linear leaf
 *		[id, cover, feature, "<" or "<=", threshold, default]
 *		[id, cover, feature, "in", [code, …], default]
 *
 * default is "left" or "right"; a word may follow it: "zero" (zero is missing
 * too), "none" (nothing is), "truncate".  cover is null when not known.
 * Features are numbered from 0.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "document.h"
#include "import.h"
#include "lib/stringinfo.h"
#include "model_text.h"
#include "utils/json.h"

static const char *const format_names[MODEL_FORMATS] = {
	"linear", "xgboost", "lightgbm", "catboost", "onnx", "scikit-learn"
};

static const char *const link_names[LINKS] = {
	"identity", "logistic", "softmax", "argmax", "exp", "hinge",
	"signed_square", "log1p_exp", "sign", "logistic_normalised",
	"cumulative_softplus", "sorted"
};

static const char *const kind_names[FEATURE_KINDS] = {
	"numeric", "category", "text"
};

const char *
ModelFormatName(const Model *model)
{
	return format_names[model->format];
}

const char *
ModelLinkName(const Model *model)
{
	return link_names[model->link];
}

const char *
ModelKindName(const ModelFeature *feature)
{
	return kind_names[feature->kind];
}

static bool
FindName(const char *const *names, int n, const char *name, int *number)
{
	for (int i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
		{
			*number = i;
			return true;
		}
	return false;
}

bool
ModelFindLink(const char *name, ModelLink *link)
{
	int			number;

	if (!FindName(link_names, LINKS, name, &number))
		return false;
	*link = (ModelLink) number;
	return true;
}

/* ---- writing ------------------------------------------------------------ */

/* The shortest number that reads back as the same */
static void
WriteNumber(StringInfo to, const Model *model, double number)
{
	char text[	DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isinf(number))
		appendStringInfoString(to, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
	else if (number == 0)
		appendStringInfoString(to, signbit(number) ? "-0.0" : "0");
	else
	{
		if ((model->flags & MODEL_SINGLE) && (double) (float) number == number)
			float_to_shortest_decimal_buf((float) number, text);
		else
			double_to_shortest_decimal_buf(number, text);
		appendStringInfoString(to, text);
	}
}

/*
 * A string of the model in JSON, in ASCII: what is beyond is escaped, for the
 * database need not have such characters.
 */
static void
WriteString(StringInfo to, const char *utf8)
{
	StringInfoData quoted;

	initStringInfo(&quoted);
	escape_json(&quoted, utf8);
	for (const unsigned char *p = (unsigned char *) quoted.data; *p != '\0';)
	{
		uint32		c = *p++;
		int			more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		if (c < 0x80)
		{
			appendStringInfoChar(to, (char) c);
			continue;
		}
		/* A model's strings are valid UTF-8 */
		for (c &= 0x3f >> more; more > 0; more--)
			c = c << 6 | (*p++ & 0x3f);
		if (c >= 0x10000)
		{
			appendStringInfo(to, "\\u%04x", 0xd7c0 + (c >> 10));
			c = 0xdc00 + (c & 0x3ff);
		}
		appendStringInfo(to, "\\u%04x", c);
	}
	pfree(quoted.data);
}

static void
WriteNumbers(StringInfo to, const Model *model, const double *numbers,
			 uint32 n)
{
	appendStringInfoChar(to, '[');
	for (uint32 i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(to, ',');
		WriteNumber(to, model, numbers[i]);
	}
	appendStringInfoChar(to, ']');
}

static void
WriteSet(StringInfo to, const Model *model, const ModelNode *node)
{
	const uint32 *set = MODEL_SETS(model) + node->u.at.first;
	bool		first = true;

	appendStringInfoChar(to, '[');
	for (uint32 code = 0; code < 32 * node->u.at.count; code++)
		if (set[code / 32] >> code % 32 & 1)
		{
			appendStringInfo(to, first ? "%u" : ",%u", code);
			first = false;
		}
	appendStringInfoChar(to, ']');
}

static void
WriteLeaf(StringInfo to, const Model *model, const ModelNode *node)
{
	if (node->flags & NODE_VECTOR)
		WriteNumbers(to, model, MODEL_VALUES(model) + node->u.at.first,
					 node->u.at.count);
	else if (node->flags & NODE_LINEAR)
	{
		const ModelLinear *linear = MODEL_LINEARS(model) + node->u.at.first;
		const ModelTerm *terms = MODEL_TERMS(model) + linear->first;

		WriteNumber(to, model, linear->fallback);
		appendStringInfoChar(to, ',');
		WriteNumber(to, model, linear->constant);
		appendStringInfoString(to, ",[");
		for (uint32 i = 0; i < linear->count; i++)
		{
			appendStringInfo(to, i == 0 ? "%u," : ",%u,", terms[i].feature);
			WriteNumber(to, model, terms[i].coefficient);
		}
		appendStringInfoChar(to, ']');
	}
	else
		WriteNumber(to, model, node->u.leaf);
}

static void
WriteNode(StringInfo to, const Model *model, uint32 number)
{
	const ModelNode *node = MODEL_NODES(model) + number;

	appendStringInfo(to, "[%d,", node->id);
	if (model->flags & MODEL_HAS_COVER)
		WriteNumber(to, model, MODEL_COVERS(model)[number]);
	else
		appendStringInfoString(to, "null");
	appendStringInfoChar(to, ',');
	if (MODEL_IS_LEAF(node))
		WriteLeaf(to, model, node);
	else
	{
		appendStringInfo(to, "%u,", node->feature);
		if (node->flags & NODE_SET)
		{
			appendStringInfoString(to, "\"in\",");
			WriteSet(to, model, node);
		}
		else
		{
			appendStringInfoString(to, node->flags & NODE_LE ?
								   "\"<=\"," : "\"<\",");
			WriteNumber(to, model, node->u.threshold);
		}
		appendStringInfoString(to, node->flags & NODE_DEFAULT_LEFT ?
							   ",\"left\"" : ",\"right\"");
		if ((node->flags & NODE_MISSING) == NODE_MISSING_ZERO)
			appendStringInfoString(to, ",\"zero\"");
		if ((node->flags & NODE_MISSING) == NODE_MISSING_NONE)
			appendStringInfoString(to, ",\"none\"");
		if (node->flags & NODE_TRUNCATE)
			appendStringInfoString(to, ",\"truncate\"");
	}
	appendStringInfoChar(to, ']');
}

static void
WriteFeature(StringInfo to, const Model *model, const ModelFeature *feature)
{
	const ModelCategory *category = MODEL_CATEGORIES(model) + feature->first;

	appendStringInfoChar(to, '{');
	if (model->flags & MODEL_HAS_NAMES)
	{
		appendStringInfoString(to, "\"name\":");
		WriteString(to, MODEL_STRING(model, feature->name));
		appendStringInfoChar(to, ',');
	}
	appendStringInfo(to, "\"kind\":\"%s\"", ModelKindName(feature));
	if (feature->kind == FEATURE_TEXT)
	{
		appendStringInfoString(to, ",\"categories\":{");
		for (uint32 i = 0; i < feature->count; i++)
		{
			if (i > 0)
				appendStringInfoChar(to, ',');
			WriteString(to, MODEL_STRING(model, category[i].name));
			appendStringInfo(to, ":%u", category[i].code);
		}
		appendStringInfoChar(to, '}');
	}
	appendStringInfoChar(to, '}');
}

/* In ASCII */
void
ModelWriteText(StringInfo to, const Model *model)
{
	appendStringInfo(to, "{\"pg_assay_model\":%d,\"format\":\"%s\",\"library\":",
					 MODEL_VERSION, ModelFormatName(model));
	WriteString(to, MODEL_STRING(model, model->library));
	appendStringInfoString(to, ",\"objective\":");
	WriteString(to, MODEL_STRING(model, model->objective));
	appendStringInfo(to, ",\"link\":\"%s\",\"link_parameters\":",
					 ModelLinkName(model));
	WriteNumbers(to, model, model->link_param, 2);
	appendStringInfo(to, ",\"single\":%s,\"start\":",
					 model->flags & MODEL_SINGLE ? "true" : "false");
	WriteNumbers(to, model, MODEL_START(model), model->noutputs);
	appendStringInfoString(to, ",\"bias\":");
	WriteNumbers(to, model, MODEL_BIAS(model), model->noutputs);
	appendStringInfoString(to, ",\"scale\":");
	WriteNumber(to, model, model->scale);
	appendStringInfoString(to, ",\"divisor\":");
	WriteNumber(to, model, model->divisor);
	appendStringInfo(to, ",\"iterations\":%d,\"best_iteration\":%d,\"features\":[",
					 model->iterations, model->best_iteration);
	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		if (f > 0)
			appendStringInfoChar(to, ',');
		WriteFeature(to, model, MODEL_FEATURES(model) + f);
	}
	appendStringInfoChar(to, ']');
	if (model->flags & MODEL_IS_LINEAR)
	{
		appendStringInfoString(to, ",\"weights\":[");
		for (uint32 k = 0; k < model->noutputs; k++)
		{
			if (k > 0)
				appendStringInfoChar(to, ',');
			WriteNumbers(to, model, MODEL_WEIGHTS(model, k), model->nfeatures);
		}
		appendStringInfoString(to, "]}");
		return;
	}
	appendStringInfoString(to, ",\"trees\":[");
	for (uint32 t = 0; t < model->ntrees; t++)
	{
		const ModelTree *tree = MODEL_TREES(model) + t;

		appendStringInfoString(to, t > 0 ? ",{" : "{");
		if (tree->output != MODEL_ALL_OUTPUTS)
			appendStringInfo(to, "\"output\":%u,", tree->output);
		appendStringInfoString(to, "\"nodes\":[");
		for (uint32 i = 0; i < tree->nnodes; i++)
		{
			if (i > 0)
				appendStringInfoChar(to, ',');
			WriteNode(to, model, tree->root + i);
		}
		appendStringInfoString(to, "]}");
	}
	appendStringInfoString(to, "]}");
}

/* ---- reading ------------------------------------------------------------ */

typedef struct TextReader
{
	ModelBuilder *builder;
	bool		single;
	double	   *numbers;		/* scratch of one list, from malloc */
	uint32	   *codes;
	Size		capacity;
	uint32	   *right;			/* scratch of one tree, from malloc */
	Size		nodes;
} TextReader;

static bool
NotText(TextReader *reader, const char *what)
{
	return ModelComplain(reader->builder, MODEL_INVALID,
						 "model text has no valid \"%s\"", what);
}

/* A number in the model's precision, rounded once */
static bool
GetNumber(TextReader *reader, Document *value, double *number)
{
	float		single;

	if (!reader->single)
		return DocumentNumber(value, number);
	if (!DocumentSingle(value, &single))
		return false;
	*number = single;
	return true;
}

/* Room for a list of n numbers or codes */
static bool
Reserve(TextReader *reader, Size n)
{
	void	   *numbers;
	void	   *codes;

	if (n <= reader->capacity)
		return true;
	numbers = realloc(reader->numbers, n * sizeof(double));
	if (numbers != NULL)
		reader->numbers = numbers;
	codes = realloc(reader->codes, n * sizeof(uint32));
	if (codes != NULL)
		reader->codes = codes;
	if (numbers == NULL || codes == NULL)
		return ModelComplain(reader->builder, MODEL_NO_MEMORY,
							 "out of memory");
	reader->capacity = n;
	return true;
}

static bool
GetNumbers(TextReader *reader, Document *list)
{
	Size		n = DocumentLength(list);

	if (!Reserve(reader, n))
		return false;
	for (Size i = 0; i < n; i++)
		if (!GetNumber(reader, DocumentElement(list, i), &reader->numbers[i]))
			return false;
	return true;
}

static bool
ReadLeaf(TextReader *reader, Document *node, int32 id, double cover)
{
	Document   *value = DocumentElement(node, 2);
	Document   *terms = DocumentElement(node, 4);
	Size		n = DocumentLength(terms);
	double		fallback;
	double		constant;
	int64		feature;

	if (DocumentIsArray(value) && DocumentLength(node) == 3)
		return (GetNumbers(reader, value) || NotText(reader, "nodes")) &&
			ModelAddVectorLeaf(reader->builder, id, reader->numbers,
							   (uint32) DocumentLength(value), cover);
	if (!GetNumber(reader, value, &fallback))
		return NotText(reader, "nodes");
	if (DocumentLength(node) == 3)
		return ModelAddLeaf(reader->builder, id, fallback, cover);
	if (DocumentLength(node) != 5 || !DocumentIsArray(terms) || n % 2 != 0 ||
		!GetNumber(reader, DocumentElement(node, 3), &constant))
		return NotText(reader, "nodes");
	if (!Reserve(reader, n / 2))
		return false;
	for (Size i = 0; i < n / 2; i++)
	{
		if (!DocumentInteger(DocumentElement(terms, 2 * i), 0, PG_UINT32_MAX,
							 &feature) ||
			!GetNumber(reader, DocumentElement(terms, 2 * i + 1),
					   &reader->numbers[i]))
			return NotText(reader, "nodes");
		reader->codes[i] = (uint32) feature;
	}
	return ModelAddLinearLeaf(reader->builder, id, fallback, constant,
							  reader->codes, reader->numbers, (uint32) (n / 2),
							  cover);
}

static bool
ReadSplit(TextReader *reader, Document *node, int32 id, double cover,
		  int32 left, int32 right)
{
	Document   *value = DocumentElement(node, 4);
	const char *word;
	const char *operator;
	double		threshold;
	uint32		flags = 0;
	int64		feature;

	if (!DocumentInteger(DocumentElement(node, 2), 0, PG_UINT32_MAX,
						 &feature) ||
		!DocumentString(DocumentElement(node, 3), &operator) ||
		!DocumentString(DocumentElement(node, 5), &word))
		return NotText(reader, "nodes");
	if (strcmp(word, "left") == 0)
		flags |= NODE_DEFAULT_LEFT;
	else if (strcmp(word, "right") != 0)
		return NotText(reader, "nodes");
	for (Size i = 6; i < DocumentLength(node); i++)
	{
		if (!DocumentString(DocumentElement(node, i), &word))
			return NotText(reader, "nodes");
		if (strcmp(word, "zero") == 0)
			flags |= NODE_MISSING_ZERO;
		else if (strcmp(word, "none") == 0)
			flags |= NODE_MISSING_NONE;
		else if (strcmp(word, "truncate") == 0)
			flags |= NODE_TRUNCATE;
		else
			return NotText(reader, "nodes");
	}
	if (strcmp(operator, "in") == 0)
	{
		Size		n = DocumentLength(value);

		if (!DocumentIsArray(value))
			return NotText(reader, "nodes");
		if (!Reserve(reader, n))
			return false;
		for (Size i = 0; i < n; i++)
		{
			int64		code;

			if (!DocumentInteger(DocumentElement(value, i), 0, PG_UINT32_MAX,
								 &code))
				return NotText(reader, "nodes");
			reader->codes[i] = (uint32) code;
		}
		return ModelAddSetSplit(reader->builder, id, (uint32) feature,
								reader->codes, (uint32) n, flags, left, right,
								cover);
	}
	if (strcmp(operator, "<=") == 0)
		flags |= NODE_LE;
	else if (strcmp(operator, "<") != 0)
		return NotText(reader, "nodes");
	if (!GetNumber(reader, value, &threshold))
		return NotText(reader, "nodes");
	return ModelAddSplit(reader->builder, id, (uint32) feature, threshold,
						 flags, left, right, cover);
}

static bool
GetId(TextReader *reader, Document *nodes, Size i, int32 *id)
{
	int64		number;

	if (!DocumentInteger(DocumentElement(DocumentElement(nodes, i), 0),
						 PG_INT32_MIN, PG_INT32_MAX, &number))
		return NotText(reader, "nodes");
	*id = (int32) number;
	return true;
}

/*
 * Where each split's right child is: after a leaf comes the right child of
 * the last split that waits for one.  While it waits, right holds the split
 * that waited before it.
 */
static bool
FindRight(TextReader *reader, Document *nodes)
{
	Size		n = DocumentLength(nodes);
	uint32		waiting = PG_UINT32_MAX;

	if (n > reader->nodes)
	{
		uint32	   *right = realloc(reader->right, n * sizeof(uint32));

		if (right == NULL)
			return ModelComplain(reader->builder, MODEL_NO_MEMORY,
								 "out of memory");
		reader->right = right;
		reader->nodes = n;
	}
	for (Size i = 0; i < n; i++)
	{
		Document   *node = DocumentElement(nodes, i);
		uint32		split = waiting;

		if (DocumentIsString(DocumentElement(node, 3)))
		{
			reader->right[i] = waiting;
			waiting = (uint32) i;
			continue;
		}
		if ((waiting == PG_UINT32_MAX) != (i + 1 == n))
			return NotText(reader, "nodes");
		if (waiting == PG_UINT32_MAX)
			return true;
		waiting = reader->right[split];
		reader->right[split] = (uint32) i + 1;
	}
	return NotText(reader, "nodes");
}

static bool
ReadTree(TextReader *reader, Document *tree)
{
	Document   *nodes = DocumentMember(tree, "nodes");
	Document   *value = DocumentMember(tree, "output");
	Size		n = DocumentLength(nodes);
	int64		output = MODEL_ALL_OUTPUTS;
	int32		id = 0;

	if (value != NULL &&
		!DocumentInteger(value, 0, MODEL_MAX_OUTPUTS, &output))
		return NotText(reader, "output");
	if (!FindRight(reader, nodes) ||
		!ModelBeginTree(reader->builder, (uint32) output, 1.0))
		return false;
	for (Size i = 0; i < n; i++)
	{
		Document   *node = DocumentElement(nodes, i);
		Document   *known = DocumentElement(node, 1);
		double		cover = NAN;
		int32		left = 0;
		int32		right = 0;

		if (!GetId(reader, nodes, i, &id))
			return false;
		if (known != NULL && !GetNumber(reader, known, &cover))
			return NotText(reader, "nodes");
		if (!DocumentIsString(DocumentElement(node, 3)))
		{
			if (!ReadLeaf(reader, node, id, cover))
				return false;
		}
		else if (!GetId(reader, nodes, i + 1, &left) ||
				 !GetId(reader, nodes, reader->right[i], &right) ||
				 !ReadSplit(reader, node, id, cover, left, right))
			return false;
	}
	return GetId(reader, nodes, 0, &id) && ModelEndTree(reader->builder, id);
}

static bool
ReadFeature(TextReader *reader, Document *feature)
{
	Document   *value = DocumentMember(feature, "name");
	Document   *categories = DocumentMember(feature, "categories");
	void	   *position = NULL;
	const char *name = NULL;
	const char *kind;
	Document   *code;
	int			number;

	if (value != NULL && !DocumentString(value, &name))
		return NotText(reader, "name");
	if (!DocumentString(DocumentMember(feature, "kind"), &kind) ||
		!FindName(kind_names, FEATURE_KINDS, kind, &number))
		return NotText(reader, "kind");
	ModelAddFeature(reader->builder, name, (ModelFeatureKind) number);
	while (DocumentEach(categories, &position, &name, &code))
	{
		int64		integer;

		if (!DocumentInteger(code, 0, PG_UINT32_MAX, &integer))
			return NotText(reader, "categories");
		if (!ModelAddCategory(reader->builder, name, (uint32) integer))
			return false;
	}
	return ModelIsFine(reader->builder);
}

static bool
ReadHeader(TextReader *reader, Document *root)
{
	ModelBuilder *builder = reader->builder;
	Document   *start = DocumentMember(root, "start");
	Document   *bias = DocumentMember(root, "bias");
	const char *string;
	double		p[2];
	int64		integers[2];
	int			number;

	if (!DocumentBoolean(DocumentMember(root, "single"), &reader->single))
		return NotText(reader, "single");
	if (reader->single)
		ModelSetSingle(builder);
	if (!DocumentString(DocumentMember(root, "library"), &string))
		return NotText(reader, "library");
	ModelSetLibrary(builder, string);
	if (!DocumentString(DocumentMember(root, "objective"), &string))
		return NotText(reader, "objective");
	ModelSetObjective(builder, string);
	if (!DocumentString(DocumentMember(root, "link"), &string) ||
		!FindName(link_names, LINKS, string, &number))
		return NotText(reader, "link");
	for (int i = 0; i < 2; i++)
		if (!GetNumber(reader, DocumentElement(DocumentMember(root, "link_parameters"), i),
					   &p[i]))
			return NotText(reader, "link_parameters");
	ModelSetLink(builder, (ModelLink) number, p[0], p[1]);
	ModelSetOutputs(builder, (uint32) Min(DocumentLength(start), PG_INT32_MAX));
	if (!ModelIsFine(builder))
		return false;
	if (!GetNumbers(reader, start))
		return NotText(reader, "start");
	for (Size k = 0; k < DocumentLength(start); k++)
		ModelSetStart(builder, (uint32) k, reader->numbers[k]);
	if (DocumentLength(bias) != DocumentLength(start) ||
		!GetNumbers(reader, bias))
		return NotText(reader, "bias");
	for (Size k = 0; k < DocumentLength(bias); k++)
		ModelSetBias(builder, (uint32) k, reader->numbers[k]);
	if (!GetNumber(reader, DocumentMember(root, "scale"), &p[0]))
		return NotText(reader, "scale");
	if (!GetNumber(reader, DocumentMember(root, "divisor"), &p[1]))
		return NotText(reader, "divisor");
	ModelSetScale(builder, p[0], p[1]);
	if (!DocumentInteger(DocumentMember(root, "iterations"), 0, PG_INT32_MAX,
						 &integers[0]))
		return NotText(reader, "iterations");
	if (!DocumentInteger(DocumentMember(root, "best_iteration"), -1,
						 PG_INT32_MAX, &integers[1]))
		return NotText(reader, "best_iteration");
	return ModelSetIterations(builder, (int32) integers[0],
							  (int32) integers[1]);
}

static bool
ReadBody(TextReader *reader, Document *root)
{
	Document   *features = DocumentMember(root, "features");
	Document   *trees = DocumentMember(root, "trees");
	Document   *weights = DocumentMember(root, "weights");

	for (Size f = 0; f < DocumentLength(features); f++)
		if (!ReadFeature(reader, DocumentElement(features, f)))
			return false;
	if (DocumentIsArray(weights) && trees == NULL)
	{
		if (DocumentLength(weights) !=
			DocumentLength(DocumentMember(root, "start")))
			return NotText(reader, "weights");
		for (Size k = 0; k < DocumentLength(weights); k++)
		{
			Document   *list = DocumentElement(weights, k);

			if (DocumentLength(list) != DocumentLength(features) ||
				!GetNumbers(reader, list))
				return NotText(reader, "weights");
			for (Size f = 0; f < DocumentLength(list); f++)
				if (!ModelSetWeight(reader->builder, (uint32) k, (uint32) f,
									reader->numbers[f]))
					return false;
		}
		return true;
	}
	if (!DocumentIsArray(trees) || weights != NULL)
		return NotText(reader, "trees");
	for (Size t = 0; t < DocumentLength(trees); t++)
		if (!ReadTree(reader, DocumentElement(trees, t)))
			return false;
	return true;
}

/* From malloc, or NULL and the error */
Model	   *
ImportText(const char *document, Size length, Size *size, ModelError *error)
{
	Document   *root = DocumentParseJson(document, length, error);
	TextReader	reader = {0};
	const char *format;
	int64		version;
	int			number = 0;

	if (root == NULL)
		return NULL;
	if (!DocumentInteger(DocumentMember(root, "pg_assay_model"), 0,
						 PG_INT32_MAX, &version))
	{
		ModelFail(error, MODEL_INVALID,
				  "document is not the text form of a model");
		snprintf(error->hint, sizeof(error->hint),
				 "Use model_from_xgboost() and its likes for a library's own file.");
	}
	else if (version != MODEL_VERSION)
		ModelFail(error, MODEL_UNSUPPORTED,
				  "model text has format version %d, this is for version %d",
				  (int) version, MODEL_VERSION);
	else if (!DocumentString(DocumentMember(root, "format"), &format) ||
			 !FindName(format_names, MODEL_FORMATS, format, &number))
		ModelFail(error, MODEL_INVALID, "model text has no valid \"format\"");
	reader.builder = ModelBegin((ModelFormat) number, error);
	if (ModelIsFine(reader.builder) && ReadHeader(&reader, root))
		ReadBody(&reader, root);
	free(reader.numbers);
	free(reader.codes);
	free(reader.right);
	DocumentFree(root);
	return ModelFinish(reader.builder, size);
}
