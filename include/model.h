/*
 * model.h
 *		A compiled model: one flat value, evaluated in place.
 *
 * A model is an ensemble of trees or a linear function, with all that is
 * needed to evaluate and to explain it.  It holds offsets and no pointers, so
 * a stored value is used as it lies in memory.  Quirks of the library that
 * trained it (< or <=, default child, zero as missing, float32 or float64)
 * are data in nodes and header; nothing that evaluates asks where it is from.
 *
 * Everything in this header works without a server: no palloc, no ereport.
 * The functions for SQL values, tuples and the backend's cache are in
 * predict.h, the builder for importers in import.h, attribution in shap.h.
 *
 *	 +-----------+------------------------------------------------------+
 *	 | header    | Model: counts, link, offsets of the sections         |
 *	 +-----------+------------------------------------------------------+
 *	 | features  | ModelFeature[nfeatures]                              |
 *	 | categories| ModelCategory[ncategories]   names of text categories|
 *	 | outputs   | double[2 * noutputs]         start, then bias        |
 *	 | trees     | ModelTree[ntrees]            in order of summation   |
 *	 | nodes     | ModelNode[nnodes]            preorder, tree by tree  |
 *	 | covers    | double[nnodes]               or empty                |
 *	 | sets      | uint32[nsetwords]            category sets           |
 *	 | values    | double[nvalues]              vectors of leaves, and  |
 *	 |           |                              weights of a linear one |
 *	 | linears   | ModelLinear[nlinears]        linear leaves           |
 *	 | terms     | ModelTerm[nterms]            their terms             |
 *	 | lanes     | private to tree.c            derived, for speed      |
 *	 | strings   | char[nstrings]               UTF-8, each ends in \0  |
 *	 +-----------+------------------------------------------------------+
 *
 * Each section starts at a multiple of 8 bytes; padding is zero.  Sections
 * are in this order without gaps, so the counts determine every offset.
 */
#ifndef ASSAY_MODEL_H
#define ASSAY_MODEL_H

#include "postgres.h"

#include <math.h>

/* Format of the value; a change of layout or meaning raises it */
#define MODEL_VERSION		1

/* Limits: documented in docs/models.md, each tested at n and n + 1 */
#define MODEL_MAX_FEATURES	65535
#define MODEL_MAX_OUTPUTS	4096
#define MODEL_MAX_TREES		100000
#define MODEL_MAX_NODES		2097152 /* in all trees */
#define MODEL_MAX_DEPTH		512 /* splits on one path */
#define MODEL_MAX_CATEGORIES 1048576	/* codes of one feature: 0 … n - 1 */
#define MODEL_MAX_NAME		1023	/* bytes of a feature's or category's name */
#define MODEL_MAX_BYTES		((Size) 256 * 1024 * 1024)	/* of a value */

#define MODEL_DIGEST		16	/* bytes of the digest that are kept */

/* Where a model is from: for people only, never asked by the evaluator */
typedef enum ModelFormat
{
	MODEL_LINEAR,				/* model_from_linear */
	MODEL_XGBOOST,
	MODEL_LIGHTGBM,
	MODEL_CATBOOST,
	MODEL_ONNX,
	MODEL_SKLEARN,				/* by the text form alone */
	MODEL_FORMATS				/* number of formats */
} ModelFormat;

/*
 * From margins to predictions.  With MODEL_SINGLE in flags all is computed in
 * float32, as XGBoost does.  p0 and p1 are link_param[0] and [1].
 */
typedef enum ModelLink
{
	LINK_IDENTITY,				/* m */
	LINK_LOGISTIC,				/* 1 / (1 + exp(-p0 m)), each output */
	LINK_SOFTMAX,				/* exp(m_k) / sum exp(m_j) */
	LINK_ARGMAX,				/* number of the largest margin: one value */
	LINK_EXP,					/* exp(m) */
	LINK_HINGE,					/* m > 0 ? 1 : 0 */
	LINK_SIGNED_SQUARE,			/* sign(m) m^2	(LightGBM reg_sqrt) */
	LINK_LOG1P_EXP,				/* log(1 + exp(m))	(cross_entropy_lambda) */
	LINK_SIGN,					/* m > p0 ? 1 : 0 */
	LINK_LOGISTIC_NORMALISED,	/* logistic of each, divided by their sum */
	LINK_CUMULATIVE_SOFTPLUS,	/* m_0, then each more than the one before by
								 * p0 + log(1 + exp(m_k)) */
	LINK_SORTED,				/* all m, in ascending order */
	LINKS						/* number of links */
} ModelLink;

/* Model.flags */
#define MODEL_SINGLE		0x0001	/* features, leaves and sums are float32 */
#define MODEL_HAS_COVER		0x0002	/* covers are present: SHAP is possible */
#define MODEL_HAS_NAMES		0x0004	/* features have names */
#define MODEL_IS_LINEAR		0x0008	/* values holds weights; no trees */
#define MODEL_CATEGORICAL	0x0010	/* some split is on a category set */
#define MODEL_VECTOR_LEAVES 0x0020	/* trees with one value per output */
#define MODEL_LINEAR_LEAVES 0x0040	/* trees with linear functions as leaves */
#define MODEL_ALL_FLAGS		0x007f

typedef enum ModelSection
{
	SECTION_FEATURES,
	SECTION_CATEGORIES,
	SECTION_OUTPUTS,
	SECTION_TREES,
	SECTION_NODES,
	SECTION_COVERS,
	SECTION_SETS,
	SECTION_VALUES,
	SECTION_LINEARS,
	SECTION_TERMS,
	SECTION_LANES,
	SECTION_STRINGS,
	MODEL_SECTIONS				/* number of sections */
} ModelSection;

typedef struct Model
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint16		version;		/* MODEL_VERSION */
	uint8		format;			/* ModelFormat */
	uint8		link;			/* ModelLink */
	uint32		flags;			/* MODEL_SINGLE … */
	uint32		nfeatures;
	uint32		noutputs;		/* margins of a row, at least 1 */
	uint32		ntrees;
	uint32		nnodes;			/* of all trees, leaves included */
	uint32		depth;			/* of the deepest tree, in splits */
	uint32		ncategories;
	uint32		nsetwords;
	uint32		nvalues;
	uint32		nlinears;
	uint32		nterms;
	uint32		nlanebytes;
	uint32		nstrings;
	int32		iterations;		/* boosting rounds that the trees make up */
	int32		best_iteration; /* as the document says, or -1 */
	uint32		objective;		/* string: the library's objective */
	uint32		library;		/* string: the library's version */
	uint32		reserved;		/* 0 */
	double		link_param[2];
	double		scale;			/* margin = sum * scale / divisor + bias */
	double		divisor;		/* > 1: the mean of a forest */
	uint32		offset[MODEL_SECTIONS]; /* from the start of the value */
	uint8		digest[MODEL_DIGEST];	/* SHA-256 of the value with this
										 * zero: which model is it?  Set and
										 * checked by the server. */
} Model;

/* What a feature takes from a column, a json value or an array's element */
typedef enum ModelFeatureKind
{
	FEATURE_NUMERIC,			/* boolean counts as 0 and 1 */
	FEATURE_CATEGORY,			/* a code: 0, 1, 2 … */
	FEATURE_TEXT,				/* a category's name, to be looked up */
	FEATURE_KINDS				/* number of kinds */
} ModelFeatureKind;

typedef struct ModelFeature
{
	uint32		name;			/* string; "" when the model has no names */
	uint32		kind;			/* ModelFeatureKind */
	uint32		first;			/* FEATURE_TEXT: its names in categories */
	uint32		count;
} ModelFeature;

/* Within a feature sorted by name, in order of bytes */
typedef struct ModelCategory
{
	uint32		name;			/* string */
	uint32		code;
} ModelCategory;

#define MODEL_ALL_OUTPUTS	PG_UINT32_MAX

typedef struct ModelTree
{
	uint32		root;			/* first node in nodes */
	uint32		nnodes;
	uint32		output;			/* or MODEL_ALL_OUTPUTS: vectors in leaves */
	uint32		depth;			/* splits on the longest path; 0: one leaf */
} ModelTree;

/*
 * Nodes of a tree lie in preorder: the left child of a split follows it, the
 * right child is named.  So a walk always goes forward and ends, whatever the
 * stored bytes are, once CheckModel has seen that each right child is inside.
 *
 *	split	x < threshold (or <=, with NODE_LE)	 left, otherwise right
 *	set		category in the set					 left, otherwise right
 *	leaf	right is 0
 *
 * Missing is decided first: NODE_DEFAULT_LEFT says where it goes, and the
 * bits under NODE_MISSING what is missing.
 */
typedef struct ModelNode
{
	union
	{
		double		threshold;	/* numeric split */
		double		leaf;		/* leaf with one value */
		struct
		{
			uint32		first;	/* set: in sets.  Vector leaf: in values.
								 * Linear leaf: in linears. */
			uint32		count;	/* set: words.	Vector leaf: noutputs.	Linear
								 * leaf: 1. */
		}			at;
	}			u;
	uint32		right;			/* in nodes, counted from the tree's root */
	uint32		feature;		/* of a split; 0 in a leaf */
	int32		id;				/* the library's own number of this node; what
								 * predict_leaf answers for a leaf */
	uint32		flags;			/* NODE_… */
} ModelNode;

/* ModelNode.flags */
#define NODE_DEFAULT_LEFT	0x01	/* missing goes left */
#define NODE_LE				0x02	/* x <= threshold goes left */
#define NODE_SET			0x04	/* split on a category set */
#define NODE_VECTOR			0x08	/* leaf: u.at is in values */
#define NODE_LINEAR			0x10	/* leaf: u.at is in linears */
#define NODE_TRUNCATE		0x20	/* set: a code in (-1, 0) counts as 0 */
#define NODE_MISSING		0xc0	/* mask of the three that follow */
#define NODE_MISSING_NAN	0x00	/* NaN is missing */
#define NODE_MISSING_NONE	0x40	/* nothing is; NaN counts as 0 */
#define NODE_MISSING_ZERO	0x80	/* NaN and |x| <= MODEL_ZERO are missing */
#define NODE_ALL_FLAGS		0xff

#define MODEL_ZERO			((double) 1e-35f)	/* LightGBM's kZeroThreshold */

/* A leaf of LightGBM's linear_tree: constant + sum of coefficient * feature */
typedef struct ModelLinear
{
	double		constant;
	double		fallback;		/* instead of it when a feature is NaN */
	uint32		first;			/* in terms */
	uint32		count;
} ModelLinear;

typedef struct ModelTerm
{
	double		coefficient;
	uint32		feature;
	uint32		reserved;		/* 0 */
} ModelTerm;

#define MODEL_AT(m, section, type) \
	((type *) ((char *) (m) + (m)->offset[section]))
#define MODEL_FEATURES(m)	MODEL_AT(m, SECTION_FEATURES, ModelFeature)
#define MODEL_CATEGORIES(m) MODEL_AT(m, SECTION_CATEGORIES, ModelCategory)
#define MODEL_START(m)		MODEL_AT(m, SECTION_OUTPUTS, double)
#define MODEL_BIAS(m)		(MODEL_START(m) + (m)->noutputs)
#define MODEL_TREES(m)		MODEL_AT(m, SECTION_TREES, ModelTree)
#define MODEL_NODES(m)		MODEL_AT(m, SECTION_NODES, ModelNode)
#define MODEL_COVERS(m)		MODEL_AT(m, SECTION_COVERS, double)
#define MODEL_SETS(m)		MODEL_AT(m, SECTION_SETS, uint32)
#define MODEL_VALUES(m)		MODEL_AT(m, SECTION_VALUES, double)
#define MODEL_LINEARS(m)	MODEL_AT(m, SECTION_LINEARS, ModelLinear)
#define MODEL_TERMS(m)		MODEL_AT(m, SECTION_TERMS, ModelTerm)
#define MODEL_STRING(m, s)	(MODEL_AT(m, SECTION_STRINGS, const char) + (s))
#define MODEL_FEATURE_NAME(m, f) MODEL_STRING(m, MODEL_FEATURES(m)[f].name)

/*
 * Weights of a linear model are values: output by output, nfeatures each; its
 * intercepts are the start.
 */
#define MODEL_WEIGHTS(m, output) \
	(MODEL_VALUES(m) + (Size) (output) * (m)->nfeatures)

#define MODEL_IS_LEAF(node) ((node)->right == 0)

/* Values after the link: what predict_vector answers */
#define MODEL_PREDICTIONS(m) \
	((m)->link == LINK_ARGMAX ? 1 : (m)->noutputs)

/* What went wrong, for whoever raises it */
typedef enum ModelErrorKind
{
	MODEL_OK,
	MODEL_INVALID,				/* ERRCODE_INVALID_PARAMETER_VALUE */
	MODEL_UNSUPPORTED,			/* ERRCODE_FEATURE_NOT_SUPPORTED */
	MODEL_LIMIT,				/* ERRCODE_PROGRAM_LIMIT_EXCEEDED */
	MODEL_NO_MEMORY,			/* ERRCODE_OUT_OF_MEMORY */
	MODEL_CANCELLED				/* CHECK_FOR_INTERRUPTS() will raise */
} ModelErrorKind;

/* What a user should know of a document that was read all the same */
typedef struct ModelNote
{
	char		message[256];
	char		hint[256];
} ModelNote;

#define MODEL_MAX_NOTES		4

typedef struct ModelError
{
	ModelErrorKind kind;
	char		message[256];	/* lower case, no period */
	char		detail[256];	/* sentences, or empty */
	char		hint[256];
	int			nnotes;			/* of importers; beside an error of no use */
	ModelNote	notes[MODEL_MAX_NOTES];
} ModelError;

/* model_error.c ------------------------------------------------------------ */

/*
 * Asked now and then in long loops: has the user enough of it?  NULL outside
 * of a server.
 */
extern bool (*model_cancelled) (void);

static inline bool
ModelIsCancelled(void)
{
	return unlikely(model_cancelled != NULL && model_cancelled());
}

/* Keeps the first error; always returns false */
extern bool ModelFail(ModelError *error, ModelErrorKind kind,
					  const char *format,...) pg_attribute_printf(3, 4);

/* Keeps the first notes */
extern void ModelRemark(ModelError *error, const char *hint,
						const char *format,...) pg_attribute_printf(3, 4);

/* check.c ------------------------------------------------------------------ */

/* Well-formed UTF-8?  Zero bytes are. */
extern bool ModelIsUtf8(const unsigned char *s, Size length);

/*
 * The one judge of a value of `size` bytes: builder, in, recv and the first
 * use of a stored value call it.  What it lets pass can be evaluated without
 * touching memory outside.
 */
extern bool CheckModel(const Model *model, Size size, ModelError *error);

/* Offsets from the counts; false when the value would be too big */
extern bool ModelLayout(Model *model, Size *size);

/*
 * From a value without lanes to a whole one: checks, derives the lanes,
 * checks them.  From malloc; NULL: see error.
 */
extern Model *ModelComplete(const Model *body, Size size, Size *whole,
							ModelError *error);

/* tree.c: evaluation -------------------------------------------------------- */

/*
 * A row is an array of nfeatures values, NaN where missing, in float32 or
 * float64.	 A float64 row must be rounded first when the model is
 * MODEL_SINGLE (ModelRoundRow), as its library does.  Margins are
 * float64[noutputs]; those of a MODEL_SINGLE model hold float32 values.
 *
 * scratch: ModelScratchSize() bytes, aligned to 64; reused from row to row.
 */
extern Size ModelScratchSize(const Model *model);
extern void ModelMargins4(const Model *model, void *scratch, const float *row,
						  double *margins);
extern void ModelMargins8(const Model *model, void *scratch, const double *row,
						  double *margins);
extern void ModelPredictions(const Model *model, const double *margins,
							 double *predictions);
extern void ModelLeaves(const Model *model, const double *row, int32 *ids);

/* For the builder and CheckModel: the derived section "lanes" */
extern Size ModelLanesSize(const Model *model);
extern void ModelBuildLanes(Model *model);
extern bool ModelCheckLanes(const Model *model, ModelError *error);

static inline void
ModelRoundRow(const Model *model, double *row)
{
	if (model->flags & MODEL_SINGLE)
		for (uint32 f = 0; f < model->nfeatures; f++)
			row[f] = (float) row[f];
}

/* Is a code in a set of `count` words? */
static inline bool
ModelInSet(const uint32 *set, uint32 count, double x, bool truncate)
{
	uint32		code;

	/* false for NaN too */
	if (!(truncate ? x > -1.0 : x >= 0.0) || x >= 32.0 * count)
		return false;
	code = x < 0 ? 0 : (uint32) x;
	return (set[code >> 5] >> (code & 31)) & 1;
}

/*
 * The one definition of a split, for all that walk: does x go left?  Nodes
 * that are faster than this are built from it.
 */
static inline bool
ModelGoesLeft(const Model *model, const ModelNode *node, double x)
{
	uint32		missing = node->flags & NODE_MISSING;

	if (unlikely(isnan(x)))
	{
		if (missing != NODE_MISSING_NONE)
			return (node->flags & NODE_DEFAULT_LEFT) != 0;
		x = 0.0;
	}
	else if (missing == NODE_MISSING_ZERO && fabs(x) <= MODEL_ZERO)
		return (node->flags & NODE_DEFAULT_LEFT) != 0;
	if (node->flags & NODE_SET)
		return ModelInSet(MODEL_SETS(model) + node->u.at.first,
						  node->u.at.count, x,
						  (node->flags & NODE_TRUNCATE) != 0);
	return (node->flags & NODE_LE) ? x <= node->u.threshold
		: x < node->u.threshold;
}

/* The leaf that a row ends in */
static inline const ModelNode *
ModelFindLeaf(const Model *model, const ModelTree *tree, const double *row)
{
	const ModelNode *nodes = MODEL_NODES(model) + tree->root;
	const ModelNode *node = nodes;

	while (!MODEL_IS_LEAF(node))
		node = ModelGoesLeft(model, node, row[node->feature]) ?
			node + 1 : nodes + node->right;
	return node;
}

/* The value of the leaf of one tree, by the plain walk */
static inline double
ModelTreeValue(const Model *model, uint32 tree, const double *row)
{
	return ModelFindLeaf(model, MODEL_TREES(model) + tree, row)->u.leaf;
}

/* Value that a leaf adds to one of the outputs that its tree feeds */
static inline double
ModelLeafValue(const Model *model, const ModelNode *leaf, uint32 output,
			   const double *row)
{
	const ModelLinear *linear;
	const ModelTerm *term;
	double		sum;

	if (!(leaf->flags & (NODE_VECTOR | NODE_LINEAR)))
		return leaf->u.leaf;
	if (leaf->flags & NODE_VECTOR)
		return MODEL_VALUES(model)[leaf->u.at.first + output];
	linear = MODEL_LINEARS(model) + leaf->u.at.first;
	term = MODEL_TERMS(model) + linear->first;
	sum = linear->constant;
	for (uint32 i = 0; i < linear->count; i++)
	{
		double		x = row[term[i].feature];

		if (isnan(x))
			return linear->fallback;
		if (fabs(x) > MODEL_ZERO)
			sum += term[i].coefficient * x;
	}
	return sum;
}

#endif							/* ASSAY_MODEL_H */
