/*
 * intervals.c
 *		Intervals of proportions: Wilson's, and the exact one of Clopper and
 *		Pearson.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "intervals.h"
#include "miscadmin.h"

/*
 * The z with which a standard normal variable lies within -z .. z with this
 * probability: Newton's method on erfc, from Abramowitz and Stegun's 26.2.23,
 * whose error is below 4.5e-4.
 */
static float8
NormalQuantile(float8 confidence)
{
	float8		tail = (1 - confidence) / 2;
	float8		t = sqrt(-2 * log(tail));
	float8		z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
	(1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));

	for (int i = 0; i < 6; i++)
	{
		float8		error = erfc(z / M_SQRT2) / 2 - tail;
		float8		density = exp(-z * z / 2) / sqrt(2 * M_PI);

		if (density == 0)
			break;
		z += error / density;
	}
	return Max(z, 0);
}

void
CheckConfidence(float8 confidence)
{
	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("confidence must lie between 0 and 1, exclusively")));
}

/* The score interval of a proportion p of n, which need not be whole */
void
WilsonInterval(float8 p, float8 n, float8 confidence, float8 *lower, float8 *upper)
{
	float8		z = NormalQuantile(confidence);
	float8		zz = z * z / n;
	float8		center = (p + zz / 2) / (1 + zz);
	float8		half = z / (1 + zz) * sqrt(p * (1 - p) / n + zz / (4 * n));

	/* At the ends it touches them exactly. */
	*lower = p == 0 ? 0 : Max(center - half, 0);
	*upper = p == 1 ? 1 : Min(center + half, 1);
}

/* ---- the exact interval -------------------------------------------------- */

/* Above, a double keeps too few digits of a share. */
#define EXACT_MAX_ROWS		1e12

/* What the continued fraction may take: its terms grow with the root of a and b. */
#define FRACTION_MAX_TERMS	1000000

/* Lentz's method divides by what may be zero. */
#define FRACTION_TINY		1e-300

static inline float8
NotZero(float8 x)
{
	return fabs(x) < FRACTION_TINY ? FRACTION_TINY : x;
}

/*
 * The continued fraction of the incomplete beta function (DLMF 8.17.22), by
 * the modified method of Lentz
 */
static float8
BetaFraction(float8 a, float8 b, float8 x)
{
	float8		c = 1;
	float8		d = 1 / NotZero(1 - (a + b) * x / (a + 1));
	float8		product = d;

	for (int m = 1; m <= FRACTION_MAX_TERMS; m++)
	{
		float8		even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		float8		odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		float8		step;

		d = 1 / NotZero(1 + even * d);
		c = NotZero(1 + even / c);
		product *= d * c;
		d = 1 / NotZero(1 + odd * d);
		c = NotZero(1 + odd / c);
		step = d * c;
		product *= step;
		if (fabs(step - 1) < DBL_EPSILON)
			break;
	}
	return product;
}

/*
 * The logarithm of B(a, b). Of a large argument Stirling's series is taken in a
 * form in which the large terms have cancelled.
 */
static float8
LogBeta(float8 a, float8 b)
{
	float8		less = Min(a, b);
	float8		more = Max(a, b);
	float8		sum = a + b;

	if (more < 1000)
		return lgamma(a) + lgamma(b) - lgamma(sum);
	return lgamma(less) - (more - 0.5) * log1p(less / more) - less * (log(sum) - 1)
		- (1 / sum - 1 / more) / 12 + (1 / (sum * sum * sum) - 1 / (more * more * more)) / 360;
}

/* Up to here, steps are taken instead of the other side of the fraction. */
#define STEPS_MAX_A			1e6
#define STEPS_MAX_X			0.01
#define STEPS_DEVIATIONS	40

/*
 * P(X <= x) of the beta distribution. The fraction converges fast where x is
 * below the mean, and above it where all is seen from the other side. But of a
 * small x 1 - x keeps too few digits: there a is raised, by
 * I(a, b) = I(a + 1, b) + x^a (1 - x)^b / (a B(a, b)), until the mean is above x.
 */
static float8
BetaDistribution(float8 a, float8 b, float8 x)
{
	float8		term;
	float8		sum = 0;

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	term = exp(a * log(x) + b * log1p(-x) - LogBeta(a, b)) / a;
	if (x > STEPS_MAX_X || a > STEPS_MAX_A)
	{
		if (x > (a + 1) / (a + b + 2))
			return 1 - term * a / b * BetaFraction(b, a, 1 - x);
	}
	else if ((a + b) * x > a + STEPS_DEVIATIONS * sqrt(a) + STEPS_DEVIATIONS)
		return 1;
	for (; x > (a + 1) / (a + b + 2); a++)
	{
		sum += term;
		term *= x * (a + b) / (a + 1);
	}
	return sum + term * BetaFraction(a, b, x);
}

/* The x with P(X <= x) = probability, by bisection */
static float8
BetaQuantile(float8 a, float8 b, float8 probability)
{
	float8		low = 0;
	float8		high = 1;

	while (high - low > 4 * DBL_EPSILON * high && high > DBL_MIN)
	{
		float8		middle = low + (high - low) / 2;

		CHECK_FOR_INTERRUPTS();
		if (BetaDistribution(a, b, middle) < probability)
			low = middle;
		else
			high = middle;
	}
	return low + (high - low) / 2;
}

/* The interval of k of n, neither of which need be whole */
static void
ExactInterval(float8 k, float8 n, float8 confidence, float8 *lower, float8 *upper)
{
	float8		tail = (1 - confidence) / 2;

	if (n > EXACT_MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many rows for an exact interval: %g", n),
				 errdetail("The limit is %g.", EXACT_MAX_ROWS),
				 errhint("Of so many, Wilson's interval is the same in all digits that matter.")));
	*lower = k <= 0 ? 0 : BetaQuantile(k, n - k + 1, tail);
	if (k >= n)
		*upper = 1;
	else if (k < n / 2)
		*upper = BetaQuantile(k + 1, n - k, 1 - tail);
	else
		*upper = 1 - BetaQuantile(n - k, k + 1, tail);
}

/* ---- SQL ----------------------------------------------------------------- */

static Datum
PutInterval(FunctionCallInfo fcinfo, bool isnull, float8 lower, float8 upper)
{
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {isnull, isnull};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Float8GetDatum(lower);
	values[1] = Float8GetDatum(upper);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

typedef void (*IntervalFunction) (float8 k, float8 n, float8 confidence, float8 *lower, float8 *upper);

/* An interval of k of n; NULL for none of none */
static Datum
CountInterval(FunctionCallInfo fcinfo, IntervalFunction interval)
{
	int64		k = PG_GETARG_INT64(0);
	int64		n = PG_GETARG_INT64(1);
	float8		confidence = PG_GETARG_FLOAT8(2);
	float8		lower = 0;
	float8		upper = 1;

	if (k < 0 || n < 0 || k > n)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("not a proportion: %lld of %lld", (long long) k, (long long) n)));
	CheckConfidence(confidence);
	if (n > 0)
		interval(k, n, confidence, &lower, &upper);
	return PutInterval(fcinfo, n == 0, lower, upper);
}

static void
WilsonOfCount(float8 k, float8 n, float8 confidence, float8 *lower, float8 *upper)
{
	WilsonInterval(k / n, n, confidence, lower, upper);
}

/* wilson_interval(k, n, confidence): the score interval of a proportion */
PG_FUNCTION_INFO_V1(wilson_interval);
Datum
wilson_interval(PG_FUNCTION_ARGS)
{
	return CountInterval(fcinfo, WilsonOfCount);
}

/* exact_interval(k, n, confidence): that of Clopper and Pearson */
PG_FUNCTION_INFO_V1(exact_interval);
Datum
exact_interval(PG_FUNCTION_ARGS)
{
	return CountInterval(fcinfo, ExactInterval);
}

/* exact_share(k, n, confidence): the same of rows that need not be whole */
PG_FUNCTION_INFO_V1(exact_share);
Datum
exact_share(PG_FUNCTION_ARGS)
{
	float8		k = PG_GETARG_FLOAT8(0);
	float8		n = PG_GETARG_FLOAT8(1);
	float8		confidence = PG_GETARG_FLOAT8(2);
	float8		lower;
	float8		upper;

	if (!(k >= 0 && k <= n && n > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("not a proportion: %g of %g rows", k, n)));
	CheckConfidence(confidence);
	ExactInterval(k, n, confidence, &lower, &upper);
	return PutInterval(fcinfo, false, lower, upper);
}
