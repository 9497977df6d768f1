/*
 * import.h
 *		The one builder that every importer feeds, and what importers share.
 *
 * An importer reads a document and calls the builder; the builder judges and
 * lays out.  It takes nodes in any order, by the library's own numbers, and
 * refuses what is no tree: cycles, nodes with two parents or none, children
 * that do not exist, unknown features, trees too deep, too many of anything.
 *
 * No palloc and no ereport in here or in an importer's parsing, so that they
 * can be fuzzed outside the server: every call returns false once something
 * went wrong, and the ModelError tells what.  After an error, all further
 * calls do nothing and return false, so an importer may check seldom; it must
 * check within every loop whose length the document decides.
 *
 *		ModelBuilder *b = ModelBegin(MODEL_XGBOOST, &error);
 *
 *		ModelSetOutputs(b, 1); ModelSetLink(b, LINK_LOGISTIC, 1, 0);
 *		ModelSetSingle(b); ModelSetStart(b, 0, 0.25);
 *		f = ModelAddFeature(b, "size", FEATURE_NUMERIC);
 *		ModelBeginTree(b, 0, 1.0);
 *		ModelAddSplit(b, 0, f, 12.5, 0, 1, 2, 100.0);
 *		ModelAddLeaf(b, 1, -0.3, 60.0); ModelAddLeaf(b, 2, 0.4, 40.0);
 *		ModelEndTree(b, 0);
 *		model = ModelFinish(b, &size);		(NULL: see error)
 *		…
 *		free(model);
 */
#ifndef ASSAY_IMPORT_H
#define ASSAY_IMPORT_H

#include "document.h"
#include "model.h"

typedef struct ModelBuilder ModelBuilder;

/* import.c: the builder ------------------------------------------------------ */

/*
 * ModelFinish returns a value from malloc that CheckModel has passed, or NULL.
 * It ends the builder, as does ModelAbandon; one of the two must be called.
 */
extern ModelBuilder *ModelBegin(ModelFormat format, ModelError *error);
extern void ModelAbandon(ModelBuilder *builder);
extern Model *ModelFinish(ModelBuilder *builder, Size *size);

/* An importer's own complaint; also what it asks in its loops */
extern bool ModelComplain(ModelBuilder *builder, ModelErrorKind kind,
						  const char *format,...) pg_attribute_printf(3, 4);
extern bool ModelHint(ModelBuilder *builder,
					  const char *format,...) pg_attribute_printf(2, 3);
extern bool ModelIsFine(const ModelBuilder *builder);

extern ModelError *ModelErrorOf(const ModelBuilder *builder);

static inline bool
ModelKnowsMembers(ModelBuilder *builder, Document *object, const char *where,
				  const char *const *known)
{
	return DocumentKnowsMembers(object, where, known, ModelErrorOf(builder));
}

/* The document is by a release that came after those that were tested */
extern void ModelRemarkRelease(ModelBuilder *builder, const char *library,
							   const char *release, const char *tested);

/* A note for the user, who gets the model all the same; see ModelRemark */
extern void ModelNoteThat(ModelBuilder *builder, const char *hint,
						  const char *format,...) pg_attribute_printf(3, 4);

/*
 * The header.	Strings are UTF-8.	Defaults: one output, LINK_IDENTITY,
 * float64, start 0, scale 1, divisor 1, bias 0, no names, no versions.
 */
extern bool ModelSetLibrary(ModelBuilder *builder, const char *version);
extern bool ModelSetObjective(ModelBuilder *builder, const char *objective);
extern bool ModelSetIterations(ModelBuilder *builder, int32 iterations,
							   int32 best_iteration);
extern bool ModelSetSingle(ModelBuilder *builder);	/* all in float32 */
extern bool ModelSetOutputs(ModelBuilder *builder, uint32 noutputs);
extern bool ModelSetLink(ModelBuilder *builder, ModelLink link, double p0,
						 double p1);

/* margin[k] = (start[k] + leaves in order of trees) * scale / divisor + bias[k] */
extern bool ModelSetStart(ModelBuilder *builder, uint32 output, double start);
extern bool ModelAddStart(ModelBuilder *builder, uint32 output, double more);
extern bool ModelSetScale(ModelBuilder *builder, double scale, double divisor);
extern bool ModelSetBias(ModelBuilder *builder, uint32 output, double bias);

/*
 * Features are numbered from 0 in order of addition.  Either all have names
 * (not empty, no duplicates) or none (name NULL).	Returns the number; after
 * an error any number.
 */
extern uint32 ModelAddFeature(ModelBuilder *builder, const char *name,
							  ModelFeatureKind kind);

/* The name of a code, for the feature that was added last (FEATURE_TEXT) */
extern bool ModelAddCategory(ModelBuilder *builder, const char *name,
							 uint32 code);

/*
 * Trees in order of summation.	 Every leaf value is multiplied by weight (in
 * float32 when the model is single).  output: a number or MODEL_ALL_OUTPUTS.
 * Ids are the library's (any int32, unique within the tree).  cover: weight
 * or number of the training rows in the node, NAN when it is not known (then
 * the model can't be explained).
 *
 * flags of a split: NODE_LE, NODE_DEFAULT_LEFT, NODE_MISSING_…; of a split on
 * a set also NODE_TRUNCATE.  The set lists the codes that go to `inside`;
 * NODE_DEFAULT_LEFT sends what is missing to `inside`.
 */
extern bool ModelBeginTree(ModelBuilder *builder, uint32 output, double weight);
extern bool ModelAddSplit(ModelBuilder *builder, int32 id, uint32 feature,
						  double threshold, uint32 flags, int32 left,
						  int32 right, double cover);
extern bool ModelAddSetSplit(ModelBuilder *builder, int32 id, uint32 feature,
							 const uint32 *codes, uint32 ncodes, uint32 flags,
							 int32 inside, int32 outside, double cover);
extern bool ModelAddLeaf(ModelBuilder *builder, int32 id, double value,
						 double cover);
extern bool ModelAddVectorLeaf(ModelBuilder *builder, int32 id,
							   const double *values, uint32 nvalues,
							   double cover);
extern bool ModelAddLinearLeaf(ModelBuilder *builder, int32 id,
							   double fallback, double constant,
							   const uint32 *features,
							   const double *coefficients, uint32 nterms,
							   double cover);
extern bool ModelEndTree(ModelBuilder *builder, int32 root);

/* A linear model instead of trees: all features are added before */
extern bool ModelSetWeight(ModelBuilder *builder, uint32 output,
						   uint32 feature, double weight);

/*
 * Importers: pure parsers, one file each.	They return a value from malloc, or
 * NULL and the error.	iterations: only the first so many boosting rounds;
 * 0: all; IMPORT_AS_LIBRARY: as many as the library's own predict takes.
 */
#define IMPORT_AS_LIBRARY	(-1)

extern Model *ImportXGBoost(const char *document, Size length,
							int32 iterations, Size *size, ModelError *error);

/*
 * columns: the names of the features whose categories pandas_categorical has,
 * in order; none: that must be seen from the document alone
 */
extern Model *ImportLightGBM(const char *document, Size length,
							 const char *const *columns, uint32 ncolumns,
							 Size *size, ModelError *error);
extern Model *ImportCatBoost(const char *document, Size length,
							 Size *size, ModelError *error);

#endif							/* ASSAY_IMPORT_H */
