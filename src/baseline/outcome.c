/*
 * outcome.c
 *		The type outcome: how many of a key's messages were labelled malicious,
 *		and how many safe.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "compat.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "order.h"
#include "utils/builtins.h"

#define OUTCOME_FORMAT	1

typedef struct Outcome
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* OUTCOME_FORMAT */
	uint8		reserved[3];	/* zero */
	int64		attacks;		/* labelled malicious, at least 0 */
	int64		safe;			/* labelled safe, at least 0 */
} Outcome;

StaticAssertDecl(sizeof(Outcome) == 24, "outcome is 24 bytes, without padding");

#define PG_GETARG_OUTCOME_P(n)	ReadOutcome((Outcome *) PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))

static inline bool
CountsInRange(int64 attacks, int64 safe)
{
	return attacks >= 0 && safe >= 0 && attacks <= PG_INT64_MAX - safe;
}

/*
 * An argument: nothing of it is trusted before.
 */
static Outcome *
ReadOutcome(Outcome *o)
{
	if (VARSIZE(o) != sizeof(Outcome) || o->format != OUTCOME_FORMAT ||
		o->reserved[0] != 0 || o->reserved[1] != 0 || o->reserved[2] != 0 ||
		!CountsInRange(o->attacks, o->safe))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("outcome value is corrupted")));
	return o;
}

static inline void
AssertCheckOutcome(const Outcome *o)
{
	Assert(VARSIZE(o) == sizeof(Outcome));
	Assert(o->format == OUTCOME_FORMAT);
	Assert(o->reserved[0] == 0 && o->reserved[1] == 0 && o->reserved[2] == 0);
	Assert(o->attacks >= 0 && o->safe >= 0);
	/* so that their sum does not overflow */
	Assert(o->attacks <= PG_INT64_MAX - o->safe);
}

/*
 * Every value comes from here.
 */
static Outcome *
MakeOutcome(int64 attacks, int64 safe)
{
	Outcome    *o = palloc0(sizeof(Outcome));

	SET_VARSIZE(o, sizeof(Outcome));
	o->format = OUTCOME_FORMAT;
	o->attacks = attacks;
	o->safe = safe;
	return o;
}

pg_noreturn static void
OutOfRange(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("outcome out of range"),
			 errdetail("Counts are at least 0 and add up to a bigint.")));
}

/*
 * o += sign * (attacks, safe)
 */
static void
OutcomeAdd(Outcome *o, int64 attacks, int64 safe, int sign)
{
	int64		a;
	int64		s = 0;

	/* Neither side is negative, so only the sum can overflow. */
	if (sign > 0 ?
		(pg_add_s64_overflow(o->attacks, attacks, &a) || pg_add_s64_overflow(o->safe, safe, &s)) :
		(pg_sub_s64_overflow(o->attacks, attacks, &a) || pg_sub_s64_overflow(o->safe, safe, &s)))
		OutOfRange();
	if (!CountsInRange(a, s))
		OutOfRange();
	o->attacks = a;
	o->safe = s;
	AssertCheckOutcome(o);
}

/* ---- input and output ---------------------------------------------------- */

/*
 * JSON: {"attacks": 3, "safe": 40}
 */
PG_FUNCTION_INFO_V1(outcome_out);
Datum
outcome_out(PG_FUNCTION_ARGS)
{
	Outcome    *o = PG_GETARG_OUTCOME_P(0);

	AssertCheckOutcome(o);
	PG_RETURN_CSTRING(psprintf("{\"attacks\": " INT64_FORMAT ", \"safe\": " INT64_FORMAT "}",
							   o->attacks, o->safe));
}

/*
 * A bare number after `name` and what may stand around them; the rest of the
 * text, or NULL.
 */
static const char *
ReadCount(const char *p, const char *before, const char *name, int64 *count)
{
	const char *tokens[] = {before, name, ":"};
	const char *start;

	for (int i = 0; i < lengthof(tokens); i++)
	{
		p += strspn(p, " \t\r\n");
		if (strncmp(p, tokens[i], strlen(tokens[i])) != 0)
			return NULL;
		p += strlen(tokens[i]);
	}
	p += strspn(p, " \t\r\n");
	*count = 0;
	for (start = p; *p >= '0' && *p <= '9'; p++)
		if (pg_mul_s64_overflow(*count, 10, count) || pg_add_s64_overflow(*count, *p - '0', count))
			return NULL;
	return p == start ? NULL : p + strspn(p, " \t\r\n");
}

PG_FUNCTION_INFO_V1(outcome_in);
Datum
outcome_in(PG_FUNCTION_ARGS)
{
	const char *in = PG_GETARG_CSTRING(0);
	const char *p;
	int64		attacks = 0;
	int64		safe = 0;

	if ((p = ReadCount(in, "{", "\"attacks\"", &attacks)) == NULL ||
		(p = ReadCount(p, ",", "\"safe\"", &safe)) == NULL ||
		*p != '}' || p[1 + strspn(p + 1, " \t\r\n")] != '\0' ||
		!CountsInRange(attacks, safe))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "outcome", in),
				 errhint("An outcome looks like {\"attacks\": 3, \"safe\": 40}.")));
	PG_RETURN_POINTER(MakeOutcome(attacks, safe));
}

PG_FUNCTION_INFO_V1(outcome_send);
Datum
outcome_send(PG_FUNCTION_ARGS)
{
	Outcome    *o = PG_GETARG_OUTCOME_P(0);
	StringInfoData buf;

	AssertCheckOutcome(o);
	pq_begintypsend(&buf);
	pq_sendint8(&buf, o->format);
	pq_sendint64(&buf, o->attacks);
	pq_sendint64(&buf, o->safe);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(outcome_recv);
Datum
outcome_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			format = pq_getmsgbyte(buf);
	int64		attacks = pq_getmsgint64(buf);
	int64		safe = pq_getmsgint64(buf);

	if (format != OUTCOME_FORMAT || !CountsInRange(attacks, safe))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "outcome")));
	PG_RETURN_POINTER(MakeOutcome(attacks, safe));
}

/*
 * outcome(attacks, safe)
 */
PG_FUNCTION_INFO_V1(outcome_make);
Datum
outcome_make(PG_FUNCTION_ARGS)
{
	int64		attacks = PG_GETARG_INT64(0);
	int64		safe = PG_GETARG_INT64(1);

	if (!CountsInRange(attacks, safe))
		OutOfRange();
	PG_RETURN_POINTER(MakeOutcome(attacks, safe));
}

/* ---- adding -------------------------------------------------------------- */

/*
 * The state to change: in an aggregate its own, elsewhere a copy
 */
static Outcome *
Writable(FunctionCallInfo fcinfo, Outcome *o)
{
	return AggCheckCallContext(fcinfo, NULL) ? o : MakeOutcome(o->attacks, o->safe);
}

/*
 * Transition function of outcome_agg(boolean): true is malicious, NULL is a
 * message without a label.
 */
PG_FUNCTION_INFO_V1(outcome_accum);
Datum
outcome_accum(PG_FUNCTION_ARGS)
{
	bool		malicious;
	Outcome    *o;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	malicious = PG_GETARG_BOOL(1);
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(MakeOutcome(malicious, !malicious));
	o = Writable(fcinfo, PG_GETARG_OUTCOME_P(0));
	OutcomeAdd(o, malicious, !malicious, 1);
	PG_RETURN_POINTER(o);
}

/*
 * The same in a moving frame, where the state may not become NULL
 */
PG_FUNCTION_INFO_V1(outcome_accum_moving);
Datum
outcome_accum_moving(PG_FUNCTION_ARGS)
{
	Outcome    *o = PG_ARGISNULL(0) ? MakeOutcome(0, 0) : Writable(fcinfo, PG_GETARG_OUTCOME_P(0));

	if (!PG_ARGISNULL(1))
		OutcomeAdd(o, PG_GETARG_BOOL(1), !PG_GETARG_BOOL(1), 1);
	PG_RETURN_POINTER(o);
}

PG_FUNCTION_INFO_V1(outcome_accum_inverse);
Datum
outcome_accum_inverse(PG_FUNCTION_ARGS)
{
	Outcome    *o;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("state of an aggregate must not be null")));
	o = Writable(fcinfo, PG_GETARG_OUTCOME_P(0));
	if (!PG_ARGISNULL(1))
		OutcomeAdd(o, PG_GETARG_BOOL(1), !PG_GETARG_BOOL(1), -1);
	PG_RETURN_POINTER(o);
}

/*
 * A frame without labels is NULL, as a group without labels is.
 */
PG_FUNCTION_INFO_V1(outcome_moving_final);
Datum
outcome_moving_final(PG_FUNCTION_ARGS)
{
	Outcome    *o;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	o = PG_GETARG_OUTCOME_P(0);
	if (o->attacks == 0 && o->safe == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(MakeOutcome(o->attacks, o->safe));
}

/*
 * The operator +.  NULL is a key without labels.
 */
PG_FUNCTION_INFO_V1(outcome_add);
Datum
outcome_add(PG_FUNCTION_ARGS)
{
	Outcome    *o;
	Outcome    *p;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	o = Writable(fcinfo, PG_GETARG_OUTCOME_P(0));
	p = PG_GETARG_OUTCOME_P(1);
	OutcomeAdd(o, p->attacks, p->safe, 1);
	PG_RETURN_POINTER(o);
}

/*
 * The operator -: what came between two cumulative states of a key.
 */
PG_FUNCTION_INFO_V1(outcome_subtract);
Datum
outcome_subtract(PG_FUNCTION_ARGS)
{
	Outcome    *o;
	Outcome    *p;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	o = PG_ARGISNULL(0) ? MakeOutcome(0, 0) : Writable(fcinfo, PG_GETARG_OUTCOME_P(0));
	p = PG_GETARG_OUTCOME_P(1);
	OutcomeAdd(o, p->attacks, p->safe, -1);
	PG_RETURN_POINTER(o);
}

/* ---- order: by attacks, then safe ------------------------------------------ */

static int
CompareOutcomes(FunctionCallInfo fcinfo)
{
	Outcome    *a = PG_GETARG_OUTCOME_P(0);
	Outcome    *b = PG_GETARG_OUTCOME_P(1);

	if (a->attacks != b->attacks)
		return a->attacks < b->attacks ? -1 : 1;
	return (a->safe > b->safe) - (a->safe < b->safe);
}

static Outcome *
GetOutcome(FunctionCallInfo fcinfo, int arg)
{
	return PG_GETARG_OUTCOME_P(arg);
}

ORDER_FUNCTIONS(outcome, CompareOutcomes);
HASH_FUNCTIONS(outcome, GetOutcome);

/* ---- accessors ----------------------------------------------------------- */

PG_FUNCTION_INFO_V1(outcome_attacks);
Datum
outcome_attacks(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_ARGISNULL(0) ? 0 : PG_GETARG_OUTCOME_P(0)->attacks);
}

PG_FUNCTION_INFO_V1(outcome_safe);
Datum
outcome_safe(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_ARGISNULL(0) ? 0 : PG_GETARG_OUTCOME_P(0)->safe);
}

PG_FUNCTION_INFO_V1(outcome_labels);
Datum
outcome_labels(PG_FUNCTION_ARGS)
{
	Outcome    *o;

	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	o = PG_GETARG_OUTCOME_P(0);
	PG_RETURN_INT64(o->attacks + o->safe);
}

/*
 * Mean of the Beta posterior, from a prior of that mean and worth that many
 * labels
 */
PG_FUNCTION_INFO_V1(outcome_attack_rate);
Datum
outcome_attack_rate(PG_FUNCTION_ARGS)
{
	double		rate;
	double		weight;
	double		attacks = 0.0;
	double		labels = 0.0;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	rate = PG_GETARG_FLOAT8(1);
	weight = PG_GETARG_FLOAT8(2);
	if (!(rate >= 0.0 && rate <= 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prior rate must be between 0 and 1")));
	if (!(weight > 0.0) || isinf(weight))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prior weight must be positive and finite"),
				 errhint("It says how many labels the prior is worth.")));
	if (!PG_ARGISNULL(0))
	{
		Outcome    *o = PG_GETARG_OUTCOME_P(0);

		attacks = (double) o->attacks;
		labels = attacks + (double) o->safe;
	}
	PG_RETURN_FLOAT8((attacks + rate * weight) / (labels + weight));
}

/*
 * The z >= 0 with P(Z > z) = q, by Newton's method.  The normal distribution
 * function is concave there, so the steps come from one side.
 */
static double
NormalQuantile(double q)
{
	double		z = 0.0;

	for (int i = 0; i < 100; i++)
	{
		double		step = (0.5 * erfc(z / M_SQRT2) - q) *
		sqrt(2.0 * M_PI) * exp(0.5 * z * z);

		z += step;
		if (fabs(step) <= 1e-15 * z)
			break;
	}
	return z;
}

/*
 * Wilson's one-sided lower bound of the rate of safe messages; 0 without labels
 */
PG_FUNCTION_INFO_V1(outcome_safe_rate_lower);
Datum
outcome_safe_rate_lower(PG_FUNCTION_ARGS)
{
	double		confidence;
	double		z;
	double		n;
	double		p;
	Outcome    *o;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	confidence = PG_GETARG_FLOAT8(1);
	if (!(confidence >= 0.5 && confidence < 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence must be at least 0.5 and below 1")));
	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(0.0);
	o = PG_GETARG_OUTCOME_P(0);
	n = (double) o->attacks + (double) o->safe;
	if (o->safe == 0)
		PG_RETURN_FLOAT8(0.0);
	z = NormalQuantile(1.0 - confidence);
	p = (double) o->safe / n;
	PG_RETURN_FLOAT8(Max(0.0, (p + z * z / (2 * n) -
							   z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) /
						 (1 + z * z / n)));
}
