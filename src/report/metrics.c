/*
 * metrics.c
 *		How good scores are: ROC AUC, average precision, log loss, Brier score,
 *		confusion, and rates of weighted rows.
 *
 * What depends on the order of scores works on a value of type scored (scored.c).
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "intervals.h"
#include "scored.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Numbers in the state of a weighted rate, the largest there is */
#define RATE_SUMS			6

/* ---- metrics of a scored value ------------------------------------------- */

/*
 * The probability that a positive scores above a negative, ties counting half
 * (the Mann-Whitney statistic); NULL without both kinds.
 */
PG_FUNCTION_INFO_V1(scored_roc_auc);
Datum
scored_roc_auc(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	float8		positive;
	float8		negative;
	float8		below = 0;		/* negatives with a lower score */
	float8		sum = 0;

	SumWeights(s, &positive, &negative);
	if (positive == 0 || negative == 0)
		PG_RETURN_NULL();
	for (int i = 0; i < s->nused; i++)
	{
		sum += s->items[i].positive * (below + s->items[i].negative / 2);
		below += s->items[i].negative;
	}
	PG_RETURN_FLOAT8(sum / positive / negative);
}

/*
 * The mean of precision over the recall gained at each threshold, from the
 * highest score down, without interpolation; NULL without positives.
 */
PG_FUNCTION_INFO_V1(scored_average_precision);
Datum
scored_average_precision(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	float8		positive;
	float8		negative;
	float8		tp = 0;
	float8		fp = 0;
	float8		sum = 0;

	SumWeights(s, &positive, &negative);
	if (positive == 0)
		PG_RETURN_NULL();
	for (int i = s->nused - 1; i >= 0; i--)
	{
		tp += s->items[i].positive;
		fp += s->items[i].negative;
		if (s->items[i].positive > 0)
			sum += s->items[i].positive * (tp / (tp + fp));
	}
	PG_RETURN_FLOAT8(sum / positive);
}

/* One row for each threshold that a score makes, from the highest down */
PG_FUNCTION_INFO_V1(scored_curve);
Datum
scored_curve(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Scored	   *s = GetScored(fcinfo, 0);
	float8		positive;
	float8		negative;
	float8		tp = 0;
	float8		fp = 0;

	InitMaterializedSRF(fcinfo, 0);
	SumWeights(s, &positive, &negative);
	for (int i = s->nused - 1; i >= 0; i--)
	{
		Datum		values[6];
		bool		nulls[6] = {false};

		tp += s->items[i].positive;
		fp += s->items[i].negative;
		values[0] = Float8GetDatum(s->items[i].score);
		values[1] = Float8GetDatum(tp);
		values[2] = Float8GetDatum(fp);
		values[3] = Float8GetDatum(tp / (tp + fp));
		values[4] = Float8GetDatum(positive > 0 ? tp / positive : 0);
		nulls[4] = positive == 0;
		values[5] = Float8GetDatum(negative > 0 ? fp / negative : 0);
		nulls[5] = negative == 0;
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* scored_info(scored): what it holds and how exact it is */
PG_FUNCTION_INFO_V1(scored_info);
Datum
scored_info(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	TupleDesc	desc;
	Datum		values[6];
	bool		nulls[6] = {false};
	float8		positive;
	float8		negative;
	float8		tied = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SumWeights(s, &positive, &negative);
	for (int i = 0; i < s->nused; i++)
		tied += s->items[i].positive * s->items[i].negative;
	values[0] = Float8GetDatum(positive);
	values[1] = Float8GetDatum(negative);
	values[2] = Int32GetDatum(s->nused);
	values[3] = BoolGetDatum(s->shift == 0);
	/* Relative to a score: its lowest shift bits are lost. */
	values[4] = Float8GetDatum(s->shift == 0 ? 0 : ldexp(1.0, s->shift - (DBL_MANT_DIG - 1)));
	nulls[5] = positive == 0 || negative == 0;
	values[5] = Float8GetDatum(nulls[5] || s->shift == 0 ? 0 : tied / positive / negative / 2);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---- sums: log loss, Brier score, confusion ------------------------------ */

/*
 * The state of a sum: a float8[] of n numbers that only we make, changed in
 * place within an aggregate.
 */
static float8 *
GetSums(FunctionCallInfo fcinfo, int arg, int n, ArrayType **array)
{
	ArrayType  *a;

	if (PG_ARGISNULL(arg))
	{
		Datum		zeros[RATE_SUMS] = {0};

		for (int i = 0; i < n; i++)
			zeros[i] = Float8GetDatum(0);
		a = construct_array(zeros, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	}
	else if (AggCheckCallContext(fcinfo, NULL) && arg == 0)
		a = PG_GETARG_ARRAYTYPE_P(arg);
	else
		a = PG_GETARG_ARRAYTYPE_P_COPY(arg);
	if (ARR_NDIM(a) != 1 || ARR_DIMS(a)[0] != n || ARR_HASNULL(a) || ARR_ELEMTYPE(a) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("state must be an array of %d numbers", n)));
	*array = a;
	return (float8 *) ARR_DATA_PTR(a);
}

/* Any of the arguments after the state NULL: the row is left out. */
static bool
RowIsNull(FunctionCallInfo fcinfo)
{
	for (int i = 1; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i))
			return true;
	}
	return false;
}

static Datum
KeepState(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static float8
CheckProbability(float8 score)
{
	if (!(score >= 0 && score <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score is not a probability: %g", score),
				 errhint("A margin becomes one by 1 / (1 + exp(-margin)).")));
	return score;
}

/* Log loss of one row; a certain score is held off 0 and 1 by 2^-52. */
static float8
LogLoss(float8 score, bool label)
{
	float8		p = Min(Max(CheckProbability(score), DBL_EPSILON), 1 - DBL_EPSILON);

	return label ? -log(p) : -log1p(-p);
}

static float8
Brier(float8 score, bool label)
{
	float8		error = CheckProbability(score) - (label ? 1 : 0);

	return error * error;
}

typedef float8 (*LossFunction) (float8 score, bool label);

/* State: weight, weighted loss */
static Datum
AddLoss(FunctionCallInfo fcinfo, LossFunction loss)
{
	ArrayType  *array;
	float8	   *sums;
	float8		weight = 1;

	if (RowIsNull(fcinfo))
		return KeepState(fcinfo);
	if (PG_NARGS() > 3)
		weight = CheckWeight(PG_GETARG_FLOAT8(3));
	/* as left out: its score may be anything */
	if (weight == 0)
		return KeepState(fcinfo);
	sums = GetSums(fcinfo, 0, 2, &array);
	sums[0] += weight;
	sums[1] += weight * loss(PG_GETARG_FLOAT8(1), PG_GETARG_BOOL(2));
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(log_loss_add);
Datum
log_loss_add(PG_FUNCTION_ARGS)
{
	return AddLoss(fcinfo, LogLoss);
}

PG_FUNCTION_INFO_V1(brier_add);
Datum
brier_add(PG_FUNCTION_ARGS)
{
	return AddLoss(fcinfo, Brier);
}

/* Weighted mean of two-number states; NULL without weight */
PG_FUNCTION_INFO_V1(mean_final);
Datum
mean_final(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	float8	   *sums = GetSums(fcinfo, 0, 2, &array);

	if (sums[0] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sums[1] / sums[0]);
}

static Datum
ScoredLoss(FunctionCallInfo fcinfo, LossFunction loss)
{
	Scored	   *s = GetScored(fcinfo, 0);
	float8		weight = 0;
	float8		sum = 0;

	for (int i = 0; i < s->nused; i++)
	{
		const ScoredItem *item = &s->items[i];

		weight += item->positive + item->negative;
		if (item->positive > 0)
			sum += item->positive * loss(item->score, true);
		if (item->negative > 0)
			sum += item->negative * loss(item->score, false);
	}
	if (weight == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sum / weight);
}

PG_FUNCTION_INFO_V1(scored_log_loss);
Datum
scored_log_loss(PG_FUNCTION_ARGS)
{
	return ScoredLoss(fcinfo, LogLoss);
}

PG_FUNCTION_INFO_V1(scored_brier);
Datum
scored_brier(PG_FUNCTION_ARGS)
{
	return ScoredLoss(fcinfo, Brier);
}

/* State of confusion: tp, fp, fn, tn */
PG_FUNCTION_INFO_V1(confusion_add);
Datum
confusion_add(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	float8	   *sums;
	float8		weight = 1;

	if (RowIsNull(fcinfo))
		return KeepState(fcinfo);
	if (PG_NARGS() > 3)
		weight = CheckWeight(PG_GETARG_FLOAT8(3));
	sums = GetSums(fcinfo, 0, 4, &array);
	sums[PG_GETARG_BOOL(1) ? (PG_GETARG_BOOL(2) ? 0 : 1) : (PG_GETARG_BOOL(2) ? 2 : 3)] += weight;
	PG_RETURN_ARRAYTYPE_P(array);
}

/* a / b, or NULL */
static void
SetRatio(Datum *values, bool *nulls, int i, float8 a, float8 b)
{
	nulls[i] = b == 0;
	values[i] = Float8GetDatum(nulls[i] ? 0 : a / b);
}

/* The row type confusion: counts, and the rates that have a denominator */
static Datum
ConfusionRow(FunctionCallInfo fcinfo, float8 tp, float8 fp, float8 fn, float8 tn)
{
	TupleDesc	desc;
	Datum		values[10];
	bool		nulls[10] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 10)
		elog(ERROR, "return type must be the row type confusion");
	values[0] = Float8GetDatum(tp);
	values[1] = Float8GetDatum(fp);
	values[2] = Float8GetDatum(fn);
	values[3] = Float8GetDatum(tn);
	SetRatio(values, nulls, 4, tp, tp + fp);
	SetRatio(values, nulls, 5, tp, tp + fn);
	SetRatio(values, nulls, 6, fn, tp + fn);
	SetRatio(values, nulls, 7, fp, fp + tn);
	SetRatio(values, nulls, 8, 2 * tp, 2 * tp + fp + fn);
	SetRatio(values, nulls, 9, tp + tn, tp + fp + fn + tn);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

PG_FUNCTION_INFO_V1(confusion_final);
Datum
confusion_final(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	float8	   *sums = GetSums(fcinfo, 0, 4, &array);

	return ConfusionRow(fcinfo, sums[0], sums[1], sums[2], sums[3]);
}

/* confusion(scored, threshold): scores from the threshold up are predicted */
PG_FUNCTION_INFO_V1(scored_confusion);
Datum
scored_confusion(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	float8		threshold = CheckScore(PG_GETARG_FLOAT8(1));
	float8		sums[4] = {0};

	for (int i = 0; i < s->nused; i++)
	{
		int			side = s->items[i].score >= threshold ? 0 : 2;

		sums[side] += s->items[i].positive;
		sums[side + 1] += s->items[i].negative;
	}
	return ConfusionRow(fcinfo, sums[0], sums[1], sums[2], sums[3]);
}

/* Add two states of n numbers, the length of the second. */
PG_FUNCTION_INFO_V1(sums_combine);
Datum
sums_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *a;
	ArrayType  *b;
	float8	   *to;
	float8	   *from;
	int			n;

	if (PG_ARGISNULL(1))
		return KeepState(fcinfo);
	b = PG_GETARG_ARRAYTYPE_P(1);
	n = ARR_NDIM(b) == 1 ? ARR_DIMS(b)[0] : 0;
	if (n != 2 && n != 4)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("state must be an array of 2 or 4 numbers")));
	from = GetSums(fcinfo, 1, n, &b);
	if (PG_ARGISNULL(0))
		PG_RETURN_ARRAYTYPE_P(b);
	to = GetSums(fcinfo, 0, n, &a);
	for (int i = 0; i < n; i++)
		to[i] += from[i];
	PG_RETURN_ARRAYTYPE_P(a);
}

/* ---- rates of weighted rows ---------------------------------------------- */

/*
 * The state of a weighted rate: rows, Σ w, Σ w y, Σ w², Σ w² y, where y is 1 for
 * a hit; and the confidence, 0 as long as there is no row
 */
static void
KeepConfidence(float8 *sums, float8 confidence)
{
	CheckConfidence(confidence);
	if (sums[5] != 0 && sums[5] != confidence)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence must be the same for all rows")));
	sums[5] = confidence;
}

/* weighted_rate_add(state, hit, weight [, confidence]) */
PG_FUNCTION_INFO_V1(weighted_rate_add);
Datum
weighted_rate_add(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	float8	   *sums;
	float8		weight;
	float8		y;

	if (RowIsNull(fcinfo))
		return KeepState(fcinfo);
	weight = CheckWeight(PG_GETARG_FLOAT8(2));
	if (weight == 0)
		return KeepState(fcinfo);
	sums = GetSums(fcinfo, 0, RATE_SUMS, &array);
	KeepConfidence(sums, PG_NARGS() > 3 ? PG_GETARG_FLOAT8(3) : 0.95);
	y = PG_GETARG_BOOL(1) ? 1 : 0;
	sums[0] += 1;
	sums[1] += weight;
	sums[2] += weight * y;
	sums[3] += weight * weight;
	sums[4] += weight * weight * y;
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(weighted_rate_combine);
Datum
weighted_rate_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *a;
	ArrayType  *b;
	float8	   *to;
	float8	   *from;

	if (PG_ARGISNULL(1))
		return KeepState(fcinfo);
	from = GetSums(fcinfo, 1, RATE_SUMS, &b);
	if (PG_ARGISNULL(0))
		PG_RETURN_ARRAYTYPE_P(b);
	to = GetSums(fcinfo, 0, RATE_SUMS, &a);
	if (from[5] != 0)
		KeepConfidence(to, from[5]);
	for (int i = 0; i < RATE_SUMS - 1; i++)
		to[i] += from[i];
	PG_RETURN_ARRAYTYPE_P(a);
}

/*
 * How many unweighted rows would tell as much: p (1 - p) over the variance of
 * the ratio by linearisation; where that is 0, Kish's (Σ w)² / Σ w²
 */
static float8
EffectiveRows(const float8 *sums, float8 p)
{
	float8		n = sums[0];
	float8		squares = sums[4] * (1 - 2 * p) + p * p * sums[3];

	if (n < 2 || p <= 0 || p >= 1 || squares <= 0)
		return sums[1] / sums[3] * sums[1];
	return p * (1 - p) * (n - 1) / n / squares * sums[1] * sums[1];
}

/* weighted_rate_final(state): Wilson's interval of the effective rows */
PG_FUNCTION_INFO_V1(weighted_rate_final);
Datum
weighted_rate_final(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	float8	   *sums = GetSums(fcinfo, 0, RATE_SUMS, &array);
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};
	float8		p;
	float8		n;
	float8		lower;
	float8		upper;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != 5)
		elog(ERROR, "return type must be the row type weighted_rate");
	/* an array that is not of our making may say anything */
	for (int i = 0; i < RATE_SUMS; i++)
	{
		if (!(sums[i] >= 0 && sums[i] <= 1e300))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("state of a weighted rate is corrupted")));
	}
	if (!(sums[0] >= 1 && sums[0] < 1e15 && sums[1] > 0 && sums[2] <= sums[1] && sums[3] > 0))
		PG_RETURN_NULL();
	CheckConfidence(sums[5]);
	p = sums[2] / sums[1];
	n = EffectiveRows(sums, p);
	WilsonInterval(p, n, sums[5], &lower, &upper);
	values[0] = Float8GetDatum(p);
	values[1] = Float8GetDatum(lower);
	values[2] = Float8GetDatum(upper);
	values[3] = Int64GetDatum((int64) sums[0]);
	values[4] = Float8GetDatum(n);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
