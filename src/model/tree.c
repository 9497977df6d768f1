/*
 * tree.c
 *		Evaluation: from a row of features to margins, leaves, predictions.
 *
 * The order of a sum and the width of its numbers are part of a result, so
 * trees are added in their order, in float32 for a MODEL_SINGLE model and in
 * float64 for others.
 */
#include "postgres.h"

#include <math.h>

#include "lanes.h"
#include "model.h"

Size
ModelScratchSize(const Model *model)
{
	Size		lanes = LaneScratchSize(model);

	return lanes > 0 ? lanes :
		TYPEALIGN(64, model->nfeatures * sizeof(double));
}

/* Round as the model's library does after each operation */
static inline double
Rounded(const Model *model, double value)
{
	return (model->flags & MODEL_SINGLE) ? (float) value : value;
}

/* From sums to margins, in place.  What does nothing must not turn -0 into 0. */
static void
FinishMargins(const Model *model, double *margins)
{
	const double *bias = MODEL_BIAS(model);

	for (uint32 k = 0; k < model->noutputs; k++)
	{
		if (model->scale != 1.0 || model->divisor != 1.0)
			margins[k] = Rounded(model, margins[k] * model->scale /
								 model->divisor);
		if (bias[k] != 0.0)
			margins[k] = Rounded(model, margins[k] + bias[k]);
	}
}

static void
LinearMargins(const Model *model, const double *row, double *margins)
{
	for (uint32 k = 0; k < model->noutputs; k++)
	{
		const double *weights = MODEL_WEIGHTS(model, k);
		double		sum = margins[k];

		for (uint32 f = 0; f < model->nfeatures; f++)
			if (!isnan(row[f]))
				sum = Rounded(model, sum + Rounded(model, row[f] * weights[f]));
		margins[k] = sum;
	}
}

static void
TreeMargins(const Model *model, const double *row, double *margins)
{
	for (uint32 t = 0; t < model->ntrees; t++)
	{
		const ModelTree *tree = MODEL_TREES(model) + t;
		const ModelNode *leaf = ModelFindLeaf(model, tree, row);

		/*
		 * A float64 sum of two float32 that is rounded to float32 is their
		 * float32 sum: 53 bits are more than twice 24 and two.
		 */
		if (tree->output != MODEL_ALL_OUTPUTS)
			margins[tree->output] =
				Rounded(model, margins[tree->output] +
						ModelLeafValue(model, leaf, tree->output, row));
		else
			for (uint32 k = 0; k < model->noutputs; k++)
				margins[k] = Rounded(model, margins[k] +
									 ModelLeafValue(model, leaf, k, row));
	}
}

void
ModelMargins8(const Model *model, void *scratch, const double *row,
			  double *margins)
{
	memcpy(margins, MODEL_START(model), model->noutputs * sizeof(double));
	if (model->flags & MODEL_IS_LINEAR)
		LinearMargins(model, row, margins);
	else if (model->nlanebytes > 0)
		LaneSums8(model, scratch, row, margins);
	else
		TreeMargins(model, row, margins);
	FinishMargins(model, margins);
}

void
ModelMargins4(const Model *model, void *scratch, const float *row,
			  double *margins)
{
	double	   *wide = scratch;

	if (model->nlanebytes > 0)
	{
		memcpy(margins, MODEL_START(model), model->noutputs * sizeof(double));
		LaneSums4(model, scratch, row, margins);
		FinishMargins(model, margins);
		return;
	}
	for (uint32 f = 0; f < model->nfeatures; f++)
		wide[f] = row[f];
	ModelMargins8(model, scratch, wide, margins);
}

void
ModelLeaves(const Model *model, const double *row, int32 *ids)
{
	for (uint32 t = 0; t < model->ntrees; t++)
		ids[t] = ModelFindLeaf(model, MODEL_TREES(model) + t, row)->id;
}

/*
 * XGBoost's sigmoid in its own operations.  1e-16 is lost in float32, but
 * this is how the library writes it.
 */
static inline float
SingleLogistic(float margin)
{
	float		x = fminf(-margin, 88.7f);

	return 1.0f / (expf(x) + 1.0f + 1e-16f);
}

static void
SingleSoftmax(const double *margins, uint32 n, double *predictions)
{
	float		largest = (float) margins[0];
	double		sum = 0.0;

	for (uint32 k = 1; k < n; k++)
		largest = fmaxf((float) margins[k], largest);
	for (uint32 k = 0; k < n; k++)
	{
		float		e = expf((float) margins[k] - largest);

		predictions[k] = e;
		sum += e;
	}
	for (uint32 k = 0; k < n; k++)
		predictions[k] = (float) predictions[k] / (float) sum;
}

static void
Softmax(const double *margins, uint32 n, double *predictions)
{
	double		largest = margins[0];
	double		sum = 0.0;

	for (uint32 k = 1; k < n; k++)
		largest = fmax(margins[k], largest);
	for (uint32 k = 0; k < n; k++)
	{
		predictions[k] = exp(margins[k] - largest);
		sum += predictions[k];
	}
	for (uint32 k = 0; k < n; k++)
		predictions[k] /= sum;
}

/*
 * Outputs that can't cross: XGBoost's expectiles, in its own operations.  The
 * first is as it is, each other one above the one before it.
 */
static void
CumulativeSoftplus(const double *margins, uint32 n, bool single, double least,
				   double *predictions)
{
	predictions[0] = margins[0];
	for (uint32 k = 1; k < n; k++)
	{
		double		m = margins[k];

		if (single)
		{
			float		x = (float) m;
			float		step = x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));

			step += (float) least;
			predictions[k] = (float) predictions[k - 1] + step;
		}
		else
			predictions[k] = predictions[k - 1] + least +
				(m > 0 ? m + log1p(exp(-m)) : log1p(exp(m)));
	}
}

static int
CompareDoubles(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return left < right ? -1 : left > right;
}

void
ModelPredictions(const Model *model, const double *margins,
				 double *predictions)
{
	bool		single = (model->flags & MODEL_SINGLE) != 0;
	uint32		n = model->noutputs;
	double		p0 = model->link_param[0];
	double		sum = 0.0;
	uint32		best = 0;

	switch ((ModelLink) model->link)
	{
		case LINK_IDENTITY:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = margins[k];
			break;
		case LINK_LOGISTIC:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = single ?
					SingleLogistic((float) (margins[k] * p0)) :
					1.0 / (1.0 + exp(-p0 * margins[k]));
			break;
		case LINK_SOFTMAX:
			if (single)
				SingleSoftmax(margins, n, predictions);
			else
				Softmax(margins, n, predictions);
			break;
		case LINK_ARGMAX:
			for (uint32 k = 1; k < n; k++)
				if (margins[k] > margins[best])
					best = k;
			predictions[0] = best;
			break;
		case LINK_EXP:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = single ? expf((float) margins[k]) :
					exp(margins[k]);
			break;
		case LINK_HINGE:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = margins[k] > 0 ? 1 : 0;
			break;
		case LINK_SIGNED_SQUARE:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = (margins[k] > 0) - (margins[k] < 0) == 0 ? 0 :
					copysign(margins[k] * margins[k], margins[k]);
			break;
		case LINK_LOG1P_EXP:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = log1p(exp(margins[k]));
			break;
		case LINK_SIGN:
			for (uint32 k = 0; k < n; k++)
				predictions[k] = margins[k] > p0 ? 1 : 0;
			break;
		case LINK_LOGISTIC_NORMALISED:
			for (uint32 k = 0; k < n; k++)
				sum += predictions[k] = 1.0 / (1.0 + exp(-p0 * margins[k]));
			for (uint32 k = 0; k < n; k++)
				predictions[k] /= sum;
			break;
		case LINK_CUMULATIVE_SOFTPLUS:
			CumulativeSoftplus(margins, n, single, p0, predictions);
			break;
		case LINK_SORTED:
			memcpy(predictions, margins, n * sizeof(double));
			qsort(predictions, n, sizeof(double), CompareDoubles);
			break;
		case LINKS:
			break;
	}
}
