/*
 * exercise.c
 *		Uses a model in every way that the server does.
 *
 * Also the one function of the server that the text form needs; the rest is in
 * libpgport and libpgcommon.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "exercise.h"
#include "model_text.h"
#include "shap.h"
#include "utils/json.h"

#define ROWS		3
#define MAX_WORK	(1 << 20)	/* nodes and such for which a run stays short */

void
escape_json(StringInfo buf, const char *str)
{
	appendStringInfoChar(buf, '"');
	for (; *str; str++)
		if (*str == '"' || *str == '\\' || (unsigned char) *str < ' ')
			appendStringInfo(buf, "\\u%04x", (unsigned char) *str);
		else
			appendStringInfoChar(buf, *str);
	appendStringInfoChar(buf, '"');
}

static void
Demand(bool condition, const char *what)
{
	if (!condition)
	{
		fprintf(stderr, "contradiction: %s\n", what);
		abort();
	}
}

/* Values that a branch may depend on, or any bits */
static double
DrawValue(const Model *model, uint8 byte, uint64 *state)
{
	static const double special[] = {
		NAN, 0.0, -0.0, INFINITY, -INFINITY, DBL_MAX, -DBL_MAX, DBL_TRUE_MIN,
		1e-35, -1e-35, 0.5, -0.5, 1, 2, 31, 32, 1e9, 4294967296.0
	};
	double		value;

	*state = *state * UINT64CONST(6364136223846793005) + byte + 1;
	if (byte < lengthof(special))
		return special[byte];
	if (byte < 128 && model->nnodes > 0)
	{
		const ModelNode *node = MODEL_NODES(model) + (*state >> 33) % model->nnodes;

		if (!MODEL_IS_LEAF(node) && !(node->flags & NODE_SET))
			return node->u.threshold;
	}
	memcpy(&value, state, sizeof(value));
	return byte < 192 ? value : (double) (int8) byte / 16;
}

/* The text form of what the builder made gives the same bytes back */
static void
ExerciseText(const Model *model, Size size, bool built)
{
	ModelError	error;
	StringInfoData text;
	Model	   *again;
	Size		again_size = 0;

	memset(&error, 0, sizeof(error));
	initStringInfo(&text);
	ModelWriteText(&text, model);
	again = ImportText(text.data, text.len, &again_size, &error);
	if (built && again == NULL)
		fprintf(stderr, "%s\n%.4000s\n", error.message, text.data);
	Demand(!built || again != NULL, "the text form is refused");
	Demand(!built || (again_size == size && memcmp(again, model, size) == 0),
		   "the text form is another model");
	free(again);
	pfree(text.data);
}

void
ExerciseModel(const Model *model, Size size, bool built,
			  const uint8 *bytes, Size length)
{
	uint32		nfeatures = model->nfeatures;
	Size		nmargins = Max(model->noutputs, 1);
	ModelError	error;
	double	   *row = malloc(nfeatures * sizeof(double));
	float	   *single = malloc(nfeatures * sizeof(float));
	double	   *margins = malloc(nmargins * sizeof(double));
	double	   *margins4 = malloc(nmargins * sizeof(double));
	double	   *predictions = malloc(nmargins * sizeof(double));
	int32	   *leaves = malloc(Max(model->ntrees, 1) * sizeof(int32));
	double	   *contributions = malloc(nmargins * (nfeatures + 1) * sizeof(double));
	void	   *scratch = aligned_alloc(64, TYPEALIGN(64, ModelScratchSize(model) + 1));
	void	   *shap_memory = NULL;
	void	   *shap_scratch = NULL;
	ModelShap  *shap = NULL;
	Size		at = 0;
	uint64		state = length;

	memset(&error, 0, sizeof(error));
	Demand(CheckModel(model, size, &error), "a model that passed does not pass again");
	if (model->nnodes < MAX_WORK / 16)
		ExerciseText(model, size, built);

	/* SHAP's side structure grows with leaves times depth. */
	if (model->nnodes + (Size) nfeatures * nmargins < MAX_WORK / 16 &&
		model->depth <= 32)
	{
		Size		needed = ModelShapSize(model);

		if (needed > 0 && needed < (Size) 64 << 20)
		{
			shap_memory = aligned_alloc(64, TYPEALIGN(64, needed));
			shap = ModelShapInit(model, shap_memory);
			shap_scratch = aligned_alloc(64, TYPEALIGN(64, ModelShapScratchSize(shap) + 1));
		}
	}
	for (int i = 0; i < ROWS && model->nnodes < MAX_WORK; i++)
	{
		bool		representable = true;
		double		largest = 0;

		for (uint32 f = 0; f < nfeatures; f++)
		{
			row[f] = DrawValue(model, length == 0 ? f : bytes[at++ % length], &state);
			single[f] = fabs(row[f]) > FLT_MAX && isfinite(row[f]) ? FLT_MAX : (float) row[f];
		}
		ModelRoundRow(model, row);
		for (uint32 f = 0; f < nfeatures; f++)
			representable = representable && (isnan(row[f]) ? isnan(single[f]) : row[f] == single[f]);
		ModelMargins8(model, scratch, row, margins);
		ModelMargins4(model, scratch, single, margins4);
		for (uint32 k = 0; k < model->noutputs; k++)
		{
			Demand(!representable || margins[k] == margins4[k] ||
				   (isnan(margins[k]) && isnan(margins4[k])),
				   "float32 and float64 rows differ");
			largest = fmax(largest, fabs(margins[k]));
		}
		ModelPredictions(model, margins, predictions);
		ModelLeaves(model, row, leaves);
		if (shap != NULL)
			ModelShapValues(model, shap, shap_scratch, row, contributions);
	}
	free(row);
	free(single);
	free(margins);
	free(margins4);
	free(predictions);
	free(leaves);
	free(contributions);
	free(scratch);
	free(shap_memory);
	free(shap_scratch);
}

void
ExerciseError(const ModelError *error)
{
	Demand(error->kind != MODEL_OK, "a refusal without an error");
	Demand(error->message[0] != '\0', "an error without a message");
	Demand(error->kind != MODEL_CANCELLED, "cancelled by nobody");
}
