/*
 * curves.c
 *		Curves and quantiles of a value of type scored: ROC, calibration and
 *		calibrators, the statistic of Kolmogorov and Smirnov, stability, quantiles
 *		with their intervals.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "platt.h"
#include "scored.h"
#include "utils/builtins.h"
#include "utils/float.h"

#define CALIBRATION_MAX_BINS	10000

/*
 * ks(scored): the largest distance between the distribution functions of the
 * scores of positives and of negatives; NULL without both kinds.
 */
PG_FUNCTION_INFO_V1(scored_ks);
Datum
scored_ks(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	float8		positive;
	float8		negative;
	float8		tp = 0;
	float8		fp = 0;
	float8		largest = 0;

	SumWeights(s, &positive, &negative);
	if (positive == 0 || negative == 0)
		PG_RETURN_NULL();
	for (int i = s->nused - 1; i >= 0; i--)
	{
		tp += s->items[i].positive;
		fp += s->items[i].negative;
		largest = Max(largest, fabs(tp / positive - fp / negative));
	}
	PG_RETURN_FLOAT8(largest);
}

/*
 * roc_curve(scored): a point for each threshold, from above the highest score,
 * where nothing is taken as positive, down
 */
PG_FUNCTION_INFO_V1(scored_roc_curve);
Datum
scored_roc_curve(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Scored	   *s = GetScored(fcinfo, 0);
	float8		positive;
	float8		negative;
	float8		tp = 0;
	float8		fp = 0;

	InitMaterializedSRF(fcinfo, 0);
	SumWeights(s, &positive, &negative);
	for (int i = s->nused; i >= 0; i--)
	{
		Datum		values[3];
		bool		nulls[3] = {false, negative == 0, positive == 0};

		CHECK_FOR_INTERRUPTS();
		if (i < s->nused)
		{
			tp += s->items[i].positive;
			fp += s->items[i].negative;
		}
		values[0] = Float8GetDatum(i < s->nused ? s->items[i].score : get_float8_infinity());
		values[1] = Float8GetDatum(nulls[1] ? 0 : fp / negative);
		values[2] = Float8GetDatum(nulls[2] ? 0 : tp / positive);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- quantiles ----------------------------------------------------------- */

/*
 * The score of the row at this rank, from 0. Callers ask in ascending order,
 * and keep in *item and *before where they are: the weight below that item.
 */
static float8
ScoreAt(const Scored *s, float8 rank, int *item, float8 *before)
{
	while (*item < s->nused - 1 &&
		   *before + s->items[*item].positive + s->items[*item].negative <= rank)
	{
		*before += s->items[*item].positive + s->items[*item].negative;
		(*item)++;
	}
	return s->items[*item].score;
}

/*
 * The quantile q between the two rows that are nearest to it, as numpy's
 * default and percentile_cont have it
 */
static float8
QuantileAt(const Scored *s, float8 total, float8 q, int *item, float8 *before)
{
	float8		place = Max(total - 1, 0) * q;
	float8		rank = floor(place);
	float8		share = place - rank;
	float8		low = ScoreAt(s, rank, item, before);
	int			next = *item;
	float8		next_before = *before;
	float8		high = ScoreAt(s, rank + 1, &next, &next_before);

	/* also where both are infinite */
	if (low == high || share == 0)
		return low;
	return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

/* ---- calibration --------------------------------------------------------- */

/*
 * The upper ends of bins: equal parts of [0, 1], or of the rows
 */
static float8 *
MakeEdges(const Scored *s, int bins, bool by_rows, float8 total)
{
	float8	   *edges = palloc(bins * sizeof(float8));
	float8		step = 1.0 / bins;
	float8		before = 0;
	int			item = 0;

	for (int i = 1; i < bins; i++)
		edges[i - 1] = by_rows ? QuantileAt(s, total, i * step, &item, &before) : i * step;
	edges[bins - 1] = get_float8_infinity();
	return edges;
}

/*
 * calibration_curve(scored, bins, strategy): for each bin that has rows the
 * mean score beside the share of positives
 */
PG_FUNCTION_INFO_V1(scored_calibration_curve);
Datum
scored_calibration_curve(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Scored	   *s = GetScored(fcinfo, 0);
	int			bins = PG_GETARG_INT32(1);
	char	   *strategy = text_to_cstring(PG_GETARG_TEXT_PP(2));
	bool		by_rows = strcmp(strategy, "quantile") == 0;
	float8		positive;
	float8		negative;
	float8	   *edges;

	if (bins < 1 || bins > CALIBRATION_MAX_BINS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of bins must be between 1 and %d", CALIBRATION_MAX_BINS)));
	if (!by_rows && strcmp(strategy, "uniform") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown strategy \"%s\"", strategy),
				 errhint("It is \"uniform\", bins of the same width, or \"quantile\", bins with the same number of rows.")));
	InitMaterializedSRF(fcinfo, 0);
	if (s->nused == 0)
		return (Datum) 0;
	if (s->items[0].score < 0 || s->items[s->nused - 1].score > 1)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score is not a probability: %g",
						s->items[0].score < 0 ? s->items[0].score : s->items[s->nused - 1].score),
				 errhint("A margin becomes one by 1 / (1 + exp(-margin)).")));
	SumWeights(s, &positive, &negative);
	edges = MakeEdges(s, bins, by_rows, positive + negative);

	for (int i = 0, bin = 0; i < s->nused;)
	{
		Datum		values[6];
		bool		nulls[6] = {false};
		float8		sum = 0;
		float8		hits = 0;
		float8		weight = 0;

		CHECK_FOR_INTERRUPTS();
		/* A score on an edge belongs below it. */
		while (s->items[i].score > edges[bin])
			bin++;
		for (; i < s->nused && s->items[i].score <= edges[bin]; i++)
		{
			float8		here = s->items[i].positive + s->items[i].negative;

			sum += here * s->items[i].score;
			hits += s->items[i].positive;
			weight += here;
		}
		values[0] = Int32GetDatum(bin + 1);
		values[1] = Float8GetDatum(bin > 0 ? edges[bin - 1] : 0);
		values[2] = Float8GetDatum(bin < bins - 1 ? edges[bin] : 1);
		values[3] = Float8GetDatum(sum / weight);
		values[4] = Float8GetDatum(hits / weight);
		values[5] = Float8GetDatum(weight);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- calibrators --------------------------------------------------------- */

/* platt(scored): slope and intercept that make the scores, margins, log-odds */
PG_FUNCTION_INFO_V1(scored_platt);
Datum
scored_platt(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false};
	Platt		p = {.slope = 1};
	float8		positive;
	float8		negative;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SumWeights(s, &positive, &negative);
	if (positive == 0 || negative == 0)
		PG_RETURN_NULL();
	p.margin = palloc(2 * s->nused * sizeof(float8));
	p.target = palloc(2 * s->nused * sizeof(float8));
	p.weight = palloc(2 * s->nused * sizeof(float8));
	for (int i = 0; i < s->nused; i++)
	{
		const ScoredItem *item = &s->items[i];

		if (isinf(item->score))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("margin is infinite")));
		for (int label = 0; label < 2; label++)
		{
			p.margin[p.n] = item->score;
			p.target[p.n] = label ? (positive + 1) / (positive + 2) : 1 / (negative + 2);
			p.weight[p.n++] = label ? item->positive : item->negative;
		}
	}
	PlattFit(&p);
	values[0] = Float8GetDatum(p.slope);
	values[1] = Float8GetDatum(p.intercept);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* Neighbouring scores that are given one rate */
typedef struct Pool
{
	int			first;
	float8		positive;
	float8		weight;
} Pool;

/*
 * isotonic(scored): the rates that ascend with the score and are nearest to the
 * labels, by pooling neighbours that don't ascend
 */
PG_FUNCTION_INFO_V1(scored_isotonic);
Datum
scored_isotonic(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Scored	   *s = GetScored(fcinfo, 0);
	Pool	   *pools = palloc((s->nused + 1) * sizeof(Pool));
	int			n = 0;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < s->nused; i++)
	{
		pools[n].first = i;
		pools[n].positive = s->items[i].positive;
		pools[n].weight = s->items[i].positive + s->items[i].negative;
		n++;
		while (n > 1 && pools[n - 2].positive * pools[n - 1].weight >= pools[n - 1].positive * pools[n - 2].weight)
		{
			pools[n - 2].positive += pools[n - 1].positive;
			pools[n - 2].weight += pools[n - 1].weight;
			n--;
		}
	}
	for (int i = 0; i < n; i++)
	{
		int			last = (i < n - 1 ? pools[i + 1].first : s->nused) - 1;
		Datum		values[4];
		bool		nulls[4] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Float8GetDatum(s->items[pools[i].first].score);
		values[1] = Float8GetDatum(s->items[last].score);
		values[2] = Float8GetDatum(pools[i].positive / pools[i].weight);
		values[3] = Float8GetDatum(pools[i].weight);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- stability ----------------------------------------------------------- */

/* The weight of the scores in each bin */
static float8 *
BinWeights(const Scored *s, const float8 *edges, int bins)
{
	float8	   *weights = palloc0(bins * sizeof(float8));

	for (int i = 0, bin = 0; i < s->nused; i++)
	{
		while (s->items[i].score > edges[bin])
			bin++;
		weights[bin] += s->items[i].positive + s->items[i].negative;
	}
	return weights;
}

/*
 * psi(reference, recent, bins): population stability index over bins with the
 * same number of rows of the reference, each with half a row more
 */
PG_FUNCTION_INFO_V1(scored_psi);
Datum
scored_psi(PG_FUNCTION_ARGS)
{
	Scored	   *reference = GetScored(fcinfo, 0);
	Scored	   *recent = GetScored(fcinfo, 1);
	int			bins = PG_GETARG_INT32(2);
	float8		total[2];
	float8		negative;
	float8	   *edges;
	float8	   *weights[2];
	float8		sum = 0;

	if (bins < 2 || bins > CALIBRATION_MAX_BINS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of bins must be between 2 and %d", CALIBRATION_MAX_BINS)));
	SumWeights(reference, &total[0], &negative);
	total[0] += negative;
	SumWeights(recent, &total[1], &negative);
	total[1] += negative;
	if (total[0] == 0 || total[1] == 0)
		PG_RETURN_NULL();
	edges = MakeEdges(reference, bins, true, total[0]);
	weights[0] = BinWeights(reference, edges, bins);
	weights[1] = BinWeights(recent, edges, bins);
	for (int i = 0; i < bins; i++)
	{
		float8		before = (weights[0][i] + 0.5) / (total[0] + 0.5 * bins);
		float8		after = (weights[1][i] + 0.5) / (total[1] + 0.5 * bins);

		sum += (after - before) * log(after / before);
	}
	PG_RETURN_FLOAT8(sum);
}

/* ---- the interval of a quantile ------------------------------------------ */

/* How far from the mean of a binomial distribution its tails still count */
#define TAIL_DEVIATIONS		10
#define TAIL_ROWS			40

/* Above, the logarithms of factorials lose too many digits. */
#define QUANTILE_MAX_ROWS	1e9

static float8
BinomialProbability(float8 n, float8 k, float8 q)
{
	return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(q) + (n - k) * log1p(-q));
}

/*
 * Ranks, from 1, of the rows that hold the quantile q of n rows between them:
 * each is missed with a probability of at most tail. 0 and n + 1 say that no
 * row is far enough out.
 */
static void
QuantileRanks(float8 n, float8 q, float8 tail, float8 *lower, float8 *upper)
{
	float8		deviation = sqrt(n * q * (1 - q));
	float8		from = Max(0, floor(n * q - TAIL_DEVIATIONS * deviation - TAIL_ROWS));
	float8		to = Min(n, ceil(n * q + TAIL_DEVIATIONS * deviation + TAIL_ROWS));
	float8		below = 0;		/* P(X < k) */

	*lower = 0;
	*upper = n + 1;
	for (float8 k = from; k <= to; k++)
	{
		CHECK_FOR_INTERRUPTS();
		if (below <= tail)
			*lower = k;
		below += BinomialProbability(n, k, q);
		if (1 - below <= tail)
		{
			*upper = k + 1;
			break;
		}
	}
}

/*
 * quantile_interval(scored, q, confidence): a quantile of the scores, and the
 * two scores between which that of the population lies with this confidence,
 * whatever its distribution
 */
PG_FUNCTION_INFO_V1(scored_quantile_interval);
Datum
scored_quantile_interval(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	float8		q = PG_GETARG_FLOAT8(1);
	float8		confidence = PG_GETARG_FLOAT8(2);
	TupleDesc	desc;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	float8		positive;
	float8		negative;
	float8		total;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!(q > 0 && q < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantile must lie between 0 and 1, exclusively")));
	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("confidence must lie between 0 and 1, exclusively")));
	SumWeights(s, &positive, &negative);
	total = positive + negative;
	if (total != floor(total) || total > QUANTILE_MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights do not count rows: they add up to %.15g", total),
				 errhint("The interval of a quantile is that of unweighted rows, at most %g.", QUANTILE_MAX_ROWS)));
	if (total > 0)
	{
		float8		before = 0;
		int			item = 0;
		float8		lower;
		float8		upper;

		QuantileRanks(total, q, (1 - confidence) / 2, &lower, &upper);
		nulls[0] = false;
		nulls[1] = lower < 1;
		nulls[2] = upper > total;
		values[1] = Float8GetDatum(nulls[1] ? 0 : ScoreAt(s, lower - 1, &item, &before));
		item = 0;
		before = 0;
		values[0] = Float8GetDatum(QuantileAt(s, total, q, &item, &before));
		item = 0;
		before = 0;
		values[2] = Float8GetDatum(nulls[2] ? 0 : ScoreAt(s, upper - 1, &item, &before));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
