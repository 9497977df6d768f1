/*
 * summary.c
 *		The type summary: how many numbers there were, their sum, mean,
 *		deviation, least and greatest.
 *
 * The sums are exact (exact.h).  So summaries add up in any order and grouping,
 * and one can be taken out of another that it is part of.
 */
#include "postgres.h"

#include <inttypes.h>
#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "compat.h"
#include "exact.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "order.h"
#include "text_form.h"
#include "utils/builtins.h"

#define SUMMARY_FORMAT	1

/* Least and greatest are known.  What was taken out may have been either. */
#define SUMMARY_BOUNDS	1

/*
 * A stored value has no words that say nothing, a state of an aggregate may.
 *
 *	  0 vl_len_		 8 sum_low		16 n		40 word[]: sum_n of the sum,
 *	  4 format		 9 square_low	24 least		   then square_n of the sum
 *	  5 flags		10 reserved		32 greatest		   of the squares
 *	  6 sum_n
 *	  7 square_n
 */
typedef struct NumberSummary
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* SUMMARY_FORMAT */
	uint8		flags;			/* SUMMARY_BOUNDS */
	uint8		sum_n;
	uint8		square_n;
	uint8		sum_low;
	uint8		square_low;
	uint8		reserved[6];	/* zero */
	int64		n;				/* at least 0 */
	float8		least;			/* finite; 0 where not known */
	float8		greatest;
	uint64		word[FLEXIBLE_ARRAY_MEMBER];
} NumberSummary;

StaticAssertDecl(offsetof(NumberSummary, word) == 40, "summary has no padding");

#define SUMMARY_SIZE(words)	(offsetof(NumberSummary, word) + (words) * sizeof(uint64))

#define PG_GETARG_SUMMARY_P(n)	ReadSummary((NumberSummary *) PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))

static inline Exact
Sum(const NumberSummary *s)
{
	Exact		sum = {s->sum_low, s->sum_n, (uint64 *) s->word};

	return sum;
}

static inline Exact
Squares(const NumberSummary *s)
{
	Exact		squares = {s->square_low, s->square_n, (uint64 *) s->word + s->sum_n};

	return squares;
}

/* ---- checks -------------------------------------------------------------- */

/* Could n numbers between two others be so? */
static bool
BoundsAreRight(const NumberSummary *s)
{
	if (!(s->flags & SUMMARY_BOUNDS))
		return s->least == 0.0 && s->greatest == 0.0 && !signbit(s->least) && !signbit(s->greatest);
	return s->n > 0 && isfinite(s->least) && isfinite(s->greatest) && s->least <= s->greatest &&
		!(s->least == 0.0 && signbit(s->least)) && !(s->greatest == 0.0 && signbit(s->greatest));
}

/*
 * May all of it be read?  Sums that no numbers have are found where a value
 * comes in; here they would cost too much, and do no harm.
 */
static bool
IsReadable(const NumberSummary *s)
{
	static const uint8 zero[lengthof(s->reserved)];
	Exact		squares;

	if (VARSIZE(s) < SUMMARY_SIZE(0) || VARSIZE(s) != SUMMARY_SIZE(s->sum_n + s->square_n))
		return false;
	squares = Squares(s);
	return s->format == SUMMARY_FORMAT && (s->flags & ~SUMMARY_BOUNDS) == 0 &&
		memcmp(s->reserved, zero, sizeof(zero)) == 0 && s->n >= 0 &&
		s->sum_low + s->sum_n <= EXACT_WORDS && s->square_low + s->square_n <= EXACT_WORDS &&
		!ExactIsNegative(&squares) && BoundsAreRight(s);
}

/* Are there numbers with such sums?  Of what is there to be read. */
static bool
IsPossible(const NumberSummary *s)
{
	Exact		sum = Sum(s);
	Exact		squares = Squares(s);
	int			exponent;

	ExactTrim(&sum);
	ExactTrim(&squares);
	if (s->n == 0)
		return sum.n == 0 && squares.n == 0;
	return ExactSpread(&sum, &squares, s->n, &exponent) >= 0.0;
}

/* An argument: nothing of it is trusted before. */
static NumberSummary *
ReadSummary(NumberSummary *s)
{
	if (!IsReadable(s))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("summary value is corrupted")));
	return s;
}

pg_noreturn static void
OutOfRange(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("summary out of range")));
}

/* ---- making and adding --------------------------------------------------- */

/* Every value comes from here, with the words of the sums that say something. */
static NumberSummary *
MakeSummary(int64 n, Exact sum, Exact squares)
{
	NumberSummary *s;

	ExactTrim(&sum);
	ExactTrim(&squares);
	s = palloc0(SUMMARY_SIZE(sum.n + squares.n));
	SET_VARSIZE(s, SUMMARY_SIZE(sum.n + squares.n));
	s->format = SUMMARY_FORMAT;
	s->sum_n = sum.n;
	s->square_n = squares.n;
	s->sum_low = sum.low;
	s->square_low = squares.low;
	s->n = n;
	if (sum.n > 0)
		memcpy(s->word, sum.word, sum.n * sizeof(uint64));
	if (squares.n > 0)
		memcpy(s->word + sum.n, squares.word, squares.n * sizeof(uint64));
	return s;
}

static void
SetBounds(NumberSummary *s, bool known, float8 least, float8 greatest)
{
	s->flags = known ? SUMMARY_BOUNDS : 0;
	s->least = known ? least : 0.0;
	s->greatest = known ? greatest : 0.0;
}

static NumberSummary *
EmptySummary(void)
{
	Exact		zero = {0, 0, NULL};

	return MakeSummary(0, zero, zero);
}

/* A copy in the one form that each value is stored in */
static NumberSummary *
Pack(const NumberSummary *s)
{
	NumberSummary *copy = MakeSummary(s->n, Sum(s), Squares(s));

	SetBounds(copy, s->flags & SUMMARY_BOUNDS, s->least, s->greatest);
	return copy;
}

/* Is it a number that counts?  -0 becomes 0. */
static bool
Counts(FunctionCallInfo fcinfo, int arg, float8 *x)
{
	if (PG_ARGISNULL(arg) || !isfinite(PG_GETARG_FLOAT8(arg)))
		return false;
	*x = PG_GETARG_FLOAT8(arg) + 0.0;
	return true;
}

/*
 * s += (n, sum, squares), or s -= that: in the words that s has, or in a new
 * one, with the bounds of s.
 */
static NumberSummary *
AddSums(NumberSummary *s, int64 n, const Exact *sum, const Exact *squares, bool minus_sum, bool minus)
{
	Exact		old_sum = Sum(s);
	Exact		old_squares = Squares(s);
	ExactRoom	new_sum;
	ExactRoom	new_squares;
	NumberSummary *result;

	if (minus ? pg_sub_s64_overflow(s->n, n, &n) || n < 0 : pg_add_s64_overflow(s->n, n, &n))
		OutOfRange();
	if (ExactAdd(&old_sum, sum, minus_sum))
	{
		if (ExactAdd(&old_squares, squares, minus))
		{
			s->n = n;
			return s;
		}
		(void) ExactAdd(&old_sum, sum, !minus_sum);
	}
	ExactLoad(&new_sum, &old_sum);
	ExactLoad(&new_squares, &old_squares);
	if (!ExactAdd(&new_sum.number, sum, minus_sum) || !ExactAdd(&new_squares.number, squares, minus))
		OutOfRange();
	result = MakeSummary(n, new_sum.number, new_squares.number);
	SetBounds(result, s->flags & SUMMARY_BOUNDS, s->least, s->greatest);
	return result;
}

/* s += x, or s -= x; the bounds stay */
static NumberSummary *
AddNumber(NumberSummary *s, float8 x, bool minus)
{
	ExactRoom	sum;
	ExactRoom	square;

	ExactOfFloat(&sum, x);
	ExactOfSquare(&square, x);
	return AddSums(s, 1, &sum.number, &square.number, minus != (x < 0.0), minus);
}

/* s += x, with the bounds */
static NumberSummary *
CountNumber(NumberSummary *s, float8 x)
{
	bool		first = s->n == 0;
	bool		known = first || (s->flags & SUMMARY_BOUNDS);
	float8		least = first ? x : Min(s->least, x);
	float8		greatest = first ? x : Max(s->greatest, x);

	s = AddNumber(s, x, false);
	SetBounds(s, known, least, greatest);
	return s;
}

/* s += t, with the bounds */
static NumberSummary *
CountSummary(NumberSummary *s, const NumberSummary *t)
{
	Exact		sum = Sum(t);
	Exact		squares = Squares(t);
	bool		first = s->n == 0;
	bool		known = (first || (s->flags & SUMMARY_BOUNDS)) && (t->flags & SUMMARY_BOUNDS);
	float8		least = first ? t->least : Min(s->least, t->least);
	float8		greatest = first ? t->greatest : Max(s->greatest, t->greatest);

	if (t->n == 0)
		return s;
	s = AddSums(s, t->n, &sum, &squares, false, false);
	SetBounds(s, known, least, greatest);
	return s;
}

/* s -= t; what is least and greatest of the rest nobody knows */
static NumberSummary *
TakeOut(NumberSummary *s, const NumberSummary *t)
{
	Exact		sum = Sum(t);
	Exact		squares = Squares(t);
	Exact		left;

	if (t->n == 0)
		return s;
	if (t->n > s->n)
		OutOfRange();
	s = AddSums(s, t->n, &sum, &squares, true, true);
	SetBounds(s, false, 0.0, 0.0);
	left = Squares(s);
	if (ExactIsNegative(&left) || !IsPossible(s))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("summary out of range"),
				 errdetail("What is subtracted is no part of it.")));
	return s;
}

/* The state to change: in an aggregate its own, elsewhere a copy */
static NumberSummary *
Writable(FunctionCallInfo fcinfo, NumberSummary *s)
{
	return AggCheckCallContext(fcinfo, NULL) ? s : Pack(s);
}

/* ---- input and output ---------------------------------------------------- */

/* A word of a number, as hexadecimal digits and a power of two: "-0x1fp-64" */
static void
AppendExact(StringInfo out, const Exact *a)
{
	ExactRoom	magnitude;
	int			n;

	ExactMagnitude(&magnitude, a);
	n = magnitude.number.n;
	appendStringInfo(out, "\"%s0x%" PRIx64, ExactIsNegative(a) ? "-" : "", n > 0 ? magnitude.word[n - 1] : 0);
	for (int i = n - 2; i >= 0; i--)
		appendStringInfo(out, "%016" PRIx64, magnitude.word[i]);
	if (n > 0 && a->low != EXACT_ONE)
		appendStringInfo(out, "p%d", 64 * (a->low - EXACT_ONE));
	appendStringInfoChar(out, '"');
}

static void
AppendBound(StringInfo out, const NumberSummary *s, float8 bound)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(bound, digits);
	appendStringInfoString(out, s->flags & SUMMARY_BOUNDS ? digits : "null");
}

/*
 * JSON: {"n": 2, "sum": "0x5", "squares": "0xd", "min": 2, "max": 3}
 */
PG_FUNCTION_INFO_V1(summary_out);
Datum
summary_out(PG_FUNCTION_ARGS)
{
	NumberSummary *s = Pack(PG_GETARG_SUMMARY_P(0));
	Exact		sum = Sum(s);
	Exact		squares = Squares(s);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"n\": " INT64_FORMAT ", \"sum\": ", s->n);
	AppendExact(&out, &sum);
	appendStringInfoString(&out, ", \"squares\": ");
	AppendExact(&out, &squares);
	appendStringInfoString(&out, ", \"min\": ");
	AppendBound(&out, s, s->least);
	appendStringInfoString(&out, ", \"max\": ");
	AppendBound(&out, s, s->greatest);
	appendStringInfoChar(&out, '}');
	PG_RETURN_CSTRING(out.data);
}

/* Each of these moves the cursor behind what it reads; false: it is not there. */
static bool
ReadCount(const char **cur, int64 *n)
{
	const char *p;

	(void) Expect(cur, "");
	*n = 0;
	for (p = *cur; *p >= '0' && *p <= '9'; p++)
		if (pg_mul_s64_overflow(*n, 10, n) || pg_add_s64_overflow(*n, *p - '0', n))
			return false;
	if (p == *cur)
		return false;
	*cur = p;
	return true;
}

/* Digits of whole words, the lowest at the end */
static bool
ReadDigits(const char **cur, ExactRoom *room)
{
	size_t		n = strspn(*cur, "0123456789abcdefABCDEF");

	memset(room->word, 0, sizeof(room->word));
	/* One bit at least is left for the sign. */
	if (n == 0 || n > EXACT_WORDS * 16 - 1)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		char		c = (*cur)[n - 1 - i];
		uint64		digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

		room->word[i / 16] |= digit << (4 * (i % 16));
	}
	*cur += n;
	return true;
}

static bool
ReadExact(const char **cur, ExactRoom *room)
{
	ExactRoom	digits;
	long		exponent = 0;
	bool		negative;
	char	   *end;

	if (!Expect(cur, "\""))
		return false;
	negative = Expect(cur, "-");
	if (!Expect(cur, "0x") || !ReadDigits(cur, &digits))
		return false;
	if (Expect(cur, "p"))
	{
		exponent = strtol(*cur, &end, 10);
		if (end == *cur || exponent % 64 != 0 || exponent < -64 * EXACT_WORDS || exponent > 64 * EXACT_WORDS)
			return false;
		*cur = end;
	}
	digits.number.low = 0;
	digits.number.n = EXACT_WORDS;
	digits.number.word = digits.word;
	ExactTrim(&digits.number);
	if (digits.number.n > 0)
		digits.number.low += EXACT_ONE + exponent / 64;
	memset(room->word, 0, sizeof(room->word));
	room->number.low = 0;
	room->number.n = EXACT_WORDS;
	room->number.word = room->word;
	return (digits.number.n == 0 || digits.number.low >= 0) && ExactAdd(&room->number, &digits.number, negative) && Expect(cur, "\"");
}

/* A number, or null */
static bool
ReadBound(const char **cur, bool *known, float8 *bound)
{
	char	   *end;

	*known = !Expect(cur, "null");
	*bound = 0.0;
	if (!*known)
		return true;
	*bound = strtod(*cur, &end) + 0.0;
	if (end == *cur || !isfinite(*bound))
		return false;
	*cur = end;
	return true;
}

PG_FUNCTION_INFO_V1(summary_in);
Datum
summary_in(PG_FUNCTION_ARGS)
{
	const char *in = PG_GETARG_CSTRING(0);
	const char *cur = in;
	int64		n;
	ExactRoom	sum;
	ExactRoom	squares;
	bool		known;
	bool		known_too;
	float8		least;
	float8		greatest;
	NumberSummary *s = NULL;

	if (Expect(&cur, "{") && Expect(&cur, "\"n\"") && Expect(&cur, ":") && ReadCount(&cur, &n) &&
		Expect(&cur, ",") && Expect(&cur, "\"sum\"") && Expect(&cur, ":") && ReadExact(&cur, &sum) &&
		Expect(&cur, ",") && Expect(&cur, "\"squares\"") && Expect(&cur, ":") && ReadExact(&cur, &squares) &&
		Expect(&cur, ",") && Expect(&cur, "\"min\"") && Expect(&cur, ":") && ReadBound(&cur, &known, &least) &&
		Expect(&cur, ",") && Expect(&cur, "\"max\"") && Expect(&cur, ":") && ReadBound(&cur, &known_too, &greatest) &&
		Expect(&cur, "}") && Expect(&cur, "") && *cur == '\0' && known == known_too)
	{
		s = MakeSummary(n, sum.number, squares.number);
		SetBounds(s, known, least, greatest);
	}
	if (s == NULL || !IsReadable(s) || !IsPossible(s))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "summary", in),
				 errhint("A summary looks like {\"n\": 2, \"sum\": \"0x5\", \"squares\": \"0xd\", \"min\": 2, \"max\": 3}.")));
	PG_RETURN_POINTER(s);
}

static void
SendExact(StringInfo buf, Exact a)
{
	pq_sendint8(buf, a.low);
	pq_sendint8(buf, a.n);
	for (int i = 0; i < a.n; i++)
		pq_sendint64(buf, a.word[i]);
}

PG_FUNCTION_INFO_V1(summary_send);
Datum
summary_send(PG_FUNCTION_ARGS)
{
	NumberSummary *s = Pack(PG_GETARG_SUMMARY_P(0));
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, s->format);
	pq_sendint8(&buf, s->flags);
	pq_sendint64(&buf, s->n);
	pq_sendfloat8(&buf, s->least);
	pq_sendfloat8(&buf, s->greatest);
	SendExact(&buf, Sum(s));
	SendExact(&buf, Squares(s));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* False where the words would not have their place, or say nothing */
static bool
ReceiveExact(StringInfo buf, ExactRoom *room)
{
	room->number.low = pq_getmsgbyte(buf);
	room->number.n = pq_getmsgbyte(buf);
	room->number.word = room->word;
	if (room->number.low + room->number.n > EXACT_WORDS)
		return false;
	for (int i = 0; i < room->number.n; i++)
		room->word[i] = pq_getmsgint64(buf);
	return ExactIsTrim(&room->number);
}

PG_FUNCTION_INFO_V1(summary_recv);
Datum
summary_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			format = pq_getmsgbyte(buf);
	int			flags = pq_getmsgbyte(buf);
	int64		n = pq_getmsgint64(buf);
	float8		least = pq_getmsgfloat8(buf);
	float8		greatest = pq_getmsgfloat8(buf);
	ExactRoom	sum;
	ExactRoom	squares;
	NumberSummary *s = NULL;

	if (format == SUMMARY_FORMAT && ReceiveExact(buf, &sum) && ReceiveExact(buf, &squares))
	{
		s = MakeSummary(n, sum.number, squares.number);
		s->flags = flags;
		s->least = least;
		s->greatest = greatest;
	}
	if (s == NULL || !IsReadable(s) || !IsPossible(s))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "summary")));
	PG_RETURN_POINTER(s);
}

/* ---- aggregates and operators -------------------------------------------- */

/* What a function of two returns where one is NULL, or does not count */
static Datum
OnlyFirst(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(PG_GETARG_SUMMARY_P(0));
}

/*
 * The operator summary + float8, and the transition function of
 * summary_agg(float8).  NULL, NaN and infinities are no numbers.
 */
PG_FUNCTION_INFO_V1(summary_accum);
Datum
summary_accum(PG_FUNCTION_ARGS)
{
	float8		x;

	if (!Counts(fcinfo, 1, &x))
		return OnlyFirst(fcinfo);
	PG_RETURN_POINTER(CountNumber(PG_ARGISNULL(0) ? EmptySummary() : Writable(fcinfo, PG_GETARG_SUMMARY_P(0)), x));
}

/* The same in a moving frame, where the state may not become NULL */
PG_FUNCTION_INFO_V1(summary_accum_moving);
Datum
summary_accum_moving(PG_FUNCTION_ARGS)
{
	NumberSummary *s = PG_ARGISNULL(0) ? EmptySummary() : Writable(fcinfo, PG_GETARG_SUMMARY_P(0));
	float8		x;

	PG_RETURN_POINTER(Counts(fcinfo, 1, &x) ? CountNumber(s, x) : s);
}

/* A state without its bounds leaves none to those that remain: begin anew. */
static bool
LeavesBounds(const NumberSummary *s, float8 least, float8 greatest)
{
	return (s->flags & SUMMARY_BOUNDS) && least > s->least && greatest < s->greatest;
}

/* The number leaves the frame; NULL where the frame must be computed anew. */
PG_FUNCTION_INFO_V1(summary_accum_inverse);
Datum
summary_accum_inverse(PG_FUNCTION_ARGS)
{
	NumberSummary *s;
	float8		x;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	s = PG_GETARG_SUMMARY_P(0);
	if (!Counts(fcinfo, 1, &x))
		PG_RETURN_POINTER(s);
	if (!LeavesBounds(s, x, x))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(AddNumber(Writable(fcinfo, s), x, true));
}

/*
 * The operator summary + summary, and the transition and combine function of
 * the aggregates.  NULL adds nothing.
 */
PG_FUNCTION_INFO_V1(summary_add);
Datum
summary_add(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		return OnlyFirst(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(PG_GETARG_SUMMARY_P(1));
	PG_RETURN_POINTER(CountSummary(Writable(fcinfo, PG_GETARG_SUMMARY_P(0)), PG_GETARG_SUMMARY_P(1)));
}

/* The same in a moving frame */
PG_FUNCTION_INFO_V1(summary_add_moving);
Datum
summary_add_moving(PG_FUNCTION_ARGS)
{
	NumberSummary *s = PG_ARGISNULL(0) ? EmptySummary() : Writable(fcinfo, PG_GETARG_SUMMARY_P(0));

	PG_RETURN_POINTER(PG_ARGISNULL(1) ? s : CountSummary(s, PG_GETARG_SUMMARY_P(1)));
}

/* A summary leaves the frame; NULL where the frame must be computed anew. */
PG_FUNCTION_INFO_V1(summary_add_inverse);
Datum
summary_add_inverse(PG_FUNCTION_ARGS)
{
	NumberSummary *s;
	NumberSummary *t;
	float8		least;
	float8		greatest;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	s = PG_GETARG_SUMMARY_P(0);
	t = PG_ARGISNULL(1) ? NULL : PG_GETARG_SUMMARY_P(1);
	if (t == NULL || t->n == 0)
		PG_RETURN_POINTER(s);
	if (!(t->flags & SUMMARY_BOUNDS) || !LeavesBounds(s, t->least, t->greatest))
		PG_RETURN_NULL();
	least = s->least;
	greatest = s->greatest;
	s = TakeOut(Writable(fcinfo, s), t);
	SetBounds(s, true, least, greatest);
	PG_RETURN_POINTER(s);
}

/* The state as a value; NULL without numbers, as a moving frame has a state then, too */
PG_FUNCTION_INFO_V1(summary_final);
Datum
summary_final(PG_FUNCTION_ARGS)
{
	NumberSummary *s;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	s = Pack(PG_GETARG_SUMMARY_P(0));
	Assert(IsReadable(s));
	if (s->n == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(s);
}

/* The operator -: the numbers between two cumulative states of a key */
PG_FUNCTION_INFO_V1(summary_subtract);
Datum
summary_subtract(PG_FUNCTION_ARGS)
{
	NumberSummary *s;

	if (PG_ARGISNULL(1))
		return OnlyFirst(fcinfo);
	s = PG_ARGISNULL(0) ? EmptySummary() : Pack(PG_GETARG_SUMMARY_P(0));
	PG_RETURN_POINTER(Pack(TakeOut(s, PG_GETARG_SUMMARY_P(1))));
}

/* ---- order --------------------------------------------------------------- */

static NumberSummary *
Canonical(FunctionCallInfo fcinfo, int arg)
{
	return Pack(PG_GETARG_SUMMARY_P(arg));
}

static int
CompareSummaries(FunctionCallInfo fcinfo)
{
	NumberSummary *a = Canonical(fcinfo, 0);
	NumberSummary *b = Canonical(fcinfo, 1);
	int			c = CompareBytes(a, b);

	/* A sort calls this often in the same memory context. */
	pfree(a);
	pfree(b);
	return c;
}

ORDER_FUNCTIONS(summary, CompareSummaries);
HASH_FUNCTIONS(summary, Canonical);

/* ---- accessors ----------------------------------------------------------- */

PG_FUNCTION_INFO_V1(summary_observations);
Datum
summary_observations(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_ARGISNULL(0) ? 0 : PG_GETARG_SUMMARY_P(0)->n);
}

/* The sum, rounded to the nearest; infinite beyond what a float8 holds */
PG_FUNCTION_INFO_V1(summary_total);
Datum
summary_total(PG_FUNCTION_ARGS)
{
	Exact		sum;
	int			exponent;
	double		fraction;

	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(0.0);
	sum = Sum(PG_GETARG_SUMMARY_P(0));
	fraction = ExactToFraction(&sum, &exponent);
	PG_RETURN_FLOAT8(ldexp(fraction, exponent));
}

PG_FUNCTION_INFO_V1(summary_mean);
Datum
summary_mean(PG_FUNCTION_ARGS)
{
	NumberSummary *s = PG_GETARG_SUMMARY_P(0);
	Exact		sum = Sum(s);
	int			exponent;
	double		fraction;

	if (s->n == 0)
		PG_RETURN_NULL();
	fraction = ExactToFraction(&sum, &exponent);
	PG_RETURN_FLOAT8(ldexp(fraction / (double) s->n, exponent));
}

/* The sample's standard deviation, as stddev() has it */
PG_FUNCTION_INFO_V1(summary_deviation);
Datum
summary_deviation(PG_FUNCTION_ARGS)
{
	NumberSummary *s = PG_GETARG_SUMMARY_P(0);
	Exact		sum = Sum(s);
	Exact		squares = Squares(s);
	int			exponent;
	double		spread;

	if (s->n < 2)
		PG_RETURN_NULL();
	ExactTrim(&squares);
	spread = Max(0.0, ExactSpread(&sum, &squares, s->n, &exponent));
	/* The root halves the exponent. */
	if (exponent % 2 != 0)
	{
		spread *= 2.0;
		exponent--;
	}
	PG_RETURN_FLOAT8(ldexp(sqrt(spread / ((double) s->n * (double) (s->n - 1))), exponent / 2));
}

PG_FUNCTION_INFO_V1(summary_smallest);
Datum
summary_smallest(PG_FUNCTION_ARGS)
{
	NumberSummary *s = PG_GETARG_SUMMARY_P(0);

	if (!(s->flags & SUMMARY_BOUNDS))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(s->least);
}

PG_FUNCTION_INFO_V1(summary_largest);
Datum
summary_largest(PG_FUNCTION_ARGS)
{
	NumberSummary *s = PG_GETARG_SUMMARY_P(0);

	if (!(s->flags & SUMMARY_BOUNDS))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(s->greatest);
}
