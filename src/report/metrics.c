/*
 * metrics.c
 *		How good scores are: ROC AUC, average precision, log loss, Brier score,
 *		confusion, and Wilson's interval.
 *
 * What depends on the order of scores works on a value of type scored: the
 * distinct scores with the weight of positive and negative labels at each.
 * It is exact for up to SCORED_MAX distinct scores. Beyond, scores are rounded
 * down to fewer bits (by shift, the number of low bits of the float8 that are
 * dropped), to the fewest that must go, so the state never outgrows its limit
 * and does not depend on the order of rows or on how they were partitioned.
 * Scores that fell together count as tied, and scored_info() tells by how much
 * the AUC can be off for that.
 *
 * Within an aggregate the state is changed in place. New rows go to an unsorted
 * tail, which is sorted and merged when it is full.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "order.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"

#define SCORED_VERSION		1

/* Distinct scores that are kept, and room for those not merged yet */
#define SCORED_MAX			65536
#define SCORED_MAX_ROOM		(SCORED_MAX + SCORED_MAX / 4)
#define SCORED_MIN_ROOM		32

/*
 * Weights are zero or within these limits, and so are their sums: products of
 * two sums then neither overflow nor vanish.
 */
#define WEIGHT_MIN			1e-100
#define WEIGHT_MAX			1e100
#define SCORED_WEIGHT_MAX	1e140	/* of one score */

/* Sign, exponent and one bit of the fraction always remain. */
#define SCORED_MAX_SHIFT	51

typedef struct ScoredItem
{
	float8		score;
	float8		positive;		/* weight of the rows labelled true */
	float8		negative;
} ScoredItem;

/*
 * items[0 .. nsorted) ascend strictly; the rest, up to nused, is in order of
 * arrival. A value outside of an aggregate is all sorted, without spare room.
 */
typedef struct Scored
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;
	uint8		shift;
	uint16		unused;			/* zero */
	int32		nsorted;
	int32		nused;
	ScoredItem	items[FLEXIBLE_ARRAY_MEMBER];
} Scored;

#define SCORED_SIZE(n)		(offsetof(Scored, items) + (Size) (n) * sizeof(ScoredItem))
#define SCORED_ROOM(s)		((int) ((VARSIZE(s) - offsetof(Scored, items)) / sizeof(ScoredItem)))

/* ---- scored -------------------------------------------------------------- */

/* Round down to a multiple of 2^shift in the order of floats. */
static inline float8
Coarsen(float8 score, int shift)
{
	union
	{
		float8		f;
		int64		i;
	}			u;
	int64		key;

	if (shift == 0)
		return score;
	u.f = score;
	/* Negative floats ascend as their bits descend. */
	key = u.i < 0 ? (u.i ^ PG_INT64_MAX) : u.i;
	key = (int64) ((uint64) key & ~((UINT64CONST(1) << shift) - 1));
	u.i = key < 0 ? (key ^ PG_INT64_MAX) : key;
	/* Below the least finite number lies what is no number. */
	return isnan(u.f) ? -get_float8_infinity() : u.f;
}

static Scored *
NewScored(int room)
{
	Scored	   *s = palloc(SCORED_SIZE(room));

	memset(s, 0, offsetof(Scored, items));
	SET_VARSIZE(s, SCORED_SIZE(room));
	s->version = SCORED_VERSION;
	return s;
}

static inline bool
WeightIsValid(float8 weight, float8 max)
{
	return weight == 0 || (weight >= WEIGHT_MIN && weight <= max);
}

/* Add to the weights of a score. */
static inline void
AddWeights(ScoredItem *item, float8 positive, float8 negative)
{
	item->positive += positive;
	item->negative += negative;
	if (unlikely(!(item->positive <= SCORED_WEIGHT_MAX && item->negative <= SCORED_WEIGHT_MAX)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weights of one score exceed %g", SCORED_WEIGHT_MAX)));
}

/* The invariants of a value that is not within an aggregate */
static bool
ScoredIsValid(const Scored *s)
{
	if (VARSIZE(s) < offsetof(Scored, items) || s->version != SCORED_VERSION ||
		s->unused != 0 || s->shift > SCORED_MAX_SHIFT ||
		s->nused < 0 || s->nused > SCORED_MAX || s->nsorted != s->nused ||
		VARSIZE(s) != SCORED_SIZE(s->nused))
		return false;
	for (int i = 0; i < s->nused; i++)
	{
		const ScoredItem *item = &s->items[i];

		if (isnan(item->score) || Coarsen(item->score, s->shift) != item->score ||
			!WeightIsValid(item->positive, SCORED_WEIGHT_MAX) ||
			!WeightIsValid(item->negative, SCORED_WEIGHT_MAX) ||
			item->positive + item->negative == 0 ||
			(i > 0 && item->score <= s->items[i - 1].score))
			return false;
	}
	return true;
}

static int
CompareItems(const void *a, const void *b)
{
	float8		x = ((const ScoredItem *) a)->score;
	float8		y = ((const ScoredItem *) b)->score;

	return x < y ? -1 : x > y;
}

/* Add up neighbours of equal score; returns how many are left. */
static int
MergeEqual(ScoredItem *items, int n)
{
	int			last = 0;

	if (n == 0)
		return 0;
	for (int i = 1; i < n; i++)
	{
		if (items[i].score == items[last].score)
			AddWeights(&items[last], items[i].positive, items[i].negative);
		else
			items[++last] = items[i];
	}
	return last + 1;
}

/* How many scores of these (sorted) are distinct at this shift? */
static int
CountDistinct(const ScoredItem *items, int n, int shift)
{
	int			count = n > 0;

	for (int i = 1; i < n; i++)
		count += Coarsen(items[i].score, shift) != Coarsen(items[i - 1].score, shift);
	return count;
}

static void
Rescale(Scored *s, int shift)
{
	if (shift == s->shift)
		return;
	for (int i = 0; i < s->nused; i++)
		s->items[i].score = Coarsen(s->items[i].score, shift);
	s->shift = shift;
	s->nsorted = MergeEqual(s->items, s->nsorted);
	/* The tail, if any, was the caller's to sort in first. */
	s->nused = s->nsorted;
}

/* Sort the tail in, and drop bits when there are too many distinct scores. */
static void
SortTail(Scored *s)
{
	int			ntail = s->nused - s->nsorted;
	ScoredItem *tail = s->items + s->nsorted;

	if (ntail > 0)
	{
		qsort(tail, ntail, sizeof(ScoredItem), CompareItems);
		if (s->nsorted > 0 && tail[0].score <= tail[-1].score)
		{
			ScoredItem *copy = palloc(ntail * sizeof(ScoredItem));
			int			a = s->nsorted - 1;
			int			b = ntail - 1;

			memcpy(copy, tail, ntail * sizeof(ScoredItem));
			for (int to = s->nused - 1; b >= 0; to--)
			{
				if (a >= 0 && s->items[a].score > copy[b].score)
					s->items[to] = s->items[a--];
				else
					s->items[to] = copy[b--];
			}
			pfree(copy);
		}
		s->nused = s->nsorted = MergeEqual(s->items, s->nused);
	}
	if (s->nused > SCORED_MAX)
	{
		int			shift = s->shift + 1;

		while (shift < SCORED_MAX_SHIFT &&
			   CountDistinct(s->items, s->nused, shift) > SCORED_MAX)
			shift++;
		Rescale(s, shift);
	}
}

/* Make room for one more; returns s, or a bigger copy. */
static Scored *
MakeRoom(Scored *s)
{
	int			room = SCORED_ROOM(s);
	Scored	   *grown;

	if (s->nused < room)
		return s;
	SortTail(s);
	if (s->nused <= room - room / 4 - 1 || room >= SCORED_MAX_ROOM)
		return s;
	room = Min(Max(room * 2, SCORED_MIN_ROOM), SCORED_MAX_ROOM);
	grown = NewScored(room);
	memcpy((char *) grown + VARHDRSZ, (char *) s + VARHDRSZ, SCORED_SIZE(s->nused) - VARHDRSZ);
	return grown;
}

static Scored *
AddItem(Scored *s, float8 score, float8 positive, float8 negative)
{
	s = MakeRoom(s);
	score = Coarsen(score, s->shift);
	if (s->nused > 0 && s->items[s->nused - 1].score == score)
		AddWeights(&s->items[s->nused - 1], positive, negative);
	else
	{
		ScoredItem *item = &s->items[s->nused++];

		item->score = score;
		item->positive = positive;
		item->negative = negative;
	}
	return s;
}

/* A copy that is all sorted and has no spare room; s itself if it is so. */
static Scored *
Compact(Scored *s)
{
	Scored	   *copy;

	if (s->nsorted == s->nused && s->nused == SCORED_ROOM(s) && s->nused <= SCORED_MAX)
		return s;
	copy = NewScored(s->nused);
	memcpy((char *) copy + VARHDRSZ, (char *) s + VARHDRSZ, SCORED_SIZE(s->nused) - VARHDRSZ);
	SortTail(copy);
	SET_VARSIZE(copy, SCORED_SIZE(copy->nused));
	return copy;
}

/*
 * A scored argument as it came: perhaps an aggregate's state. Its header tells
 * nothing wrong about its size.
 */
static Scored *
FetchScored(FunctionCallInfo fcinfo, int arg)
{
	Scored	   *s = (Scored *) PG_DETOAST_DATUM(PG_GETARG_DATUM(arg));

	if (VARSIZE(s) < offsetof(Scored, items) || s->version != SCORED_VERSION ||
		s->unused != 0 || s->shift > SCORED_MAX_SHIFT || s->nsorted < 0 ||
		s->nsorted > s->nused || s->nused > SCORED_ROOM(s) || s->nused > SCORED_MAX_ROOM)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("scored value is corrupted")));
	return s;
}

/*
 * A scored argument, sorted. Our own state is right by construction; what was
 * stored is checked whole.
 */
static Scored *
GetScored(FunctionCallInfo fcinfo, int arg)
{
	Scored	   *s = Compact(FetchScored(fcinfo, arg));

	if (!(arg == 0 && AggCheckCallContext(fcinfo, NULL)) && !ScoredIsValid(s))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("scored value is corrupted")));
	return s;
}

static float8
CheckScore(float8 score)
{
	if (isnan(score))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score is not a number")));
	/* Minus zero is zero. */
	return score + 0.0;
}

static float8
CheckWeight(float8 weight)
{
	if (!WeightIsValid(weight, WEIGHT_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight out of range: %g", weight),
				 errdetail("A weight is zero, or lies between %g and %g.", WEIGHT_MIN, WEIGHT_MAX)));
	return weight;
}

/* scored_add(state, score, label [, weight]): NULLs are left out. */
PG_FUNCTION_INFO_V1(scored_add);
Datum
scored_add(PG_FUNCTION_ARGS)
{
	Scored	   *s;
	float8		weight = 1;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || (PG_NARGS() > 3 && PG_ARGISNULL(3)))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (PG_NARGS() > 3)
		weight = CheckWeight(PG_GETARG_FLOAT8(3));
	if (PG_ARGISNULL(0))
		s = NewScored(SCORED_MIN_ROOM);
	else if (AggCheckCallContext(fcinfo, NULL))
		s = FetchScored(fcinfo, 0);
	else
	{
		Scored	   *given = GetScored(fcinfo, 0);

		s = palloc(VARSIZE(given));
		memcpy(s, given, VARSIZE(given));
	}
	if (weight > 0)
		s = AddItem(s, CheckScore(PG_GETARG_FLOAT8(1)),
					PG_GETARG_BOOL(2) ? weight : 0, PG_GETARG_BOOL(2) ? 0 : weight);
	PG_RETURN_POINTER(AggCheckCallContext(fcinfo, NULL) ? s : Compact(s));
}

/* scored_combine(scored, scored): the same as if all rows had come to one */
PG_FUNCTION_INFO_V1(scored_combine);
Datum
scored_combine(PG_FUNCTION_ARGS)
{
	Scored	   *a;
	Scored	   *b;
	Scored	   *sum;
	int			shift;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	b = GetScored(fcinfo, 1);
	if (PG_ARGISNULL(0))
		PG_RETURN_POINTER(b);
	a = GetScored(fcinfo, 0);

	/* Rounding down keeps the order. */
	sum = NewScored(a->nused + b->nused);
	shift = Max(a->shift, b->shift);
	sum->shift = shift;
	for (int i = 0, j = 0; i < a->nused || j < b->nused;)
	{
		const ScoredItem *next;

		if (j == b->nused || (i < a->nused && a->items[i].score <= b->items[j].score))
			next = &a->items[i++];
		else
			next = &b->items[j++];
		sum->items[sum->nused] = *next;
		sum->items[sum->nused++].score = Coarsen(next->score, shift);
	}
	sum->nused = sum->nsorted = MergeEqual(sum->items, sum->nused);
	SortTail(sum);
	SET_VARSIZE(sum, SCORED_SIZE(sum->nused));
	PG_RETURN_POINTER(sum);
}

/* scored_final(state): the value without spare room */
PG_FUNCTION_INFO_V1(scored_final);
Datum
scored_final(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);

	Assert(ScoredIsValid(s));
	PG_RETURN_POINTER(s);
}

/* A float8 in the shortest form that reads back exactly */
static void
AppendFloat(StringInfo out, float8 value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isinf(value))
		appendStringInfoString(out, value < 0 ? "-Infinity" : "Infinity");
	else
	{
		double_to_shortest_decimal_buf(value, digits);
		appendStringInfoString(out, digits);
	}
}

/* Text form: version:shift score/positive/negative ... */
PG_FUNCTION_INFO_V1(scored_out);
Datum
scored_out(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "%d:%d", SCORED_VERSION, s->shift);
	for (int i = 0; i < s->nused; i++)
	{
		appendStringInfoChar(&out, ' ');
		AppendFloat(&out, s->items[i].score);
		appendStringInfoChar(&out, '/');
		AppendFloat(&out, s->items[i].positive);
		appendStringInfoChar(&out, '/');
		AppendFloat(&out, s->items[i].negative);
	}
	PG_RETURN_CSTRING(out.data);
}

/* ---- order: that of their bytes, so that they can be grouped and sorted --- */

static int
CompareScored(FunctionCallInfo fcinfo)
{
	return CompareBytes(GetScored(fcinfo, 0), GetScored(fcinfo, 1));
}

ORDER_FUNCTIONS(scored, CompareScored);
HASH_FUNCTIONS(scored, GetScored);

/* ---- text and binary form ------------------------------------------------ */

static void
ReportScoredInput(const char *string)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%.*s\"", "scored",
					pg_mbcliplen(string, strlen(string), 64), string),
			 errhint("Expected is \"1:shift score/positive/negative ...\" in ascending order of scores.")));
}

static float8
ReadFloat(char **at, char stop, const char *string)
{
	char	   *end;
	float8		value;

	/* strtod would also read white space, hexadecimal and nan. */
	Size		span = strspn(*at, "+-.0123456789eEInfity");

	errno = 0;
	value = strtod(*at, &end);
	if (end == *at || end > *at + span || (errno == ERANGE && isinf(value)) ||
		(*end != stop && !(stop == ' ' && *end == '\0')))
		ReportScoredInput(string);
	*at = *end == '\0' ? end : end + 1;
	return value;
}

PG_FUNCTION_INFO_V1(scored_in);
Datum
scored_in(PG_FUNCTION_ARGS)
{
	char	   *string = PG_GETARG_CSTRING(0);
	char	   *at = string;
	int			n = 0;
	float8		version;
	float8		shift;
	Scored	   *s;

	for (char *c = string; *c; c++)
		n += *c == ' ';
	if (n > SCORED_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many scores in a scored value"),
				 errdetail("The limit is %d.", SCORED_MAX)));
	version = ReadFloat(&at, ':', string);
	shift = ReadFloat(&at, ' ', string);
	if (version != SCORED_VERSION || shift < 0 || shift > SCORED_MAX_SHIFT ||
		shift != floor(shift))
		ReportScoredInput(string);
	s = NewScored(n);
	s->shift = shift;
	while (*at && s->nused < n)
	{
		ScoredItem *item = &s->items[s->nused++];

		item->score = ReadFloat(&at, '/', string);
		item->positive = ReadFloat(&at, '/', string);
		item->negative = ReadFloat(&at, ' ', string);
	}
	s->nsorted = s->nused;
	if (*at || s->nused != n || !ScoredIsValid(s))
		ReportScoredInput(string);
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(scored_send);
Datum
scored_send(PG_FUNCTION_ARGS)
{
	Scored	   *s = GetScored(fcinfo, 0);
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendbyte(&out, SCORED_VERSION);
	pq_sendbyte(&out, s->shift);
	pq_sendint32(&out, s->nused);
	for (int i = 0; i < s->nused; i++)
	{
		pq_sendfloat8(&out, s->items[i].score);
		pq_sendfloat8(&out, s->items[i].positive);
		pq_sendfloat8(&out, s->items[i].negative);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

PG_FUNCTION_INFO_V1(scored_recv);
Datum
scored_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(in);
	int			shift = pq_getmsgbyte(in);
	int32		n = pq_getmsgint(in, 4);
	Scored	   *s;

	if (version != SCORED_VERSION || n < 0 || n > SCORED_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of type %s", "scored")));
	/* Checked before memory is taken for it */
	if (in->len - in->cursor != n * (int) sizeof(ScoredItem))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid length in binary form of type %s", "scored")));
	s = NewScored(n);
	s->shift = shift;
	s->nsorted = s->nused = n;
	for (int i = 0; i < n; i++)
	{
		s->items[i].score = pq_getmsgfloat8(in);
		s->items[i].positive = pq_getmsgfloat8(in);
		s->items[i].negative = pq_getmsgfloat8(in);
	}
	if (!ScoredIsValid(s))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of type %s", "scored")));
	PG_RETURN_POINTER(s);
}

/* ---- metrics of a scored value ------------------------------------------- */

static void
SumWeights(const Scored *s, float8 *positive, float8 *negative)
{
	*positive = *negative = 0;
	for (int i = 0; i < s->nused; i++)
	{
		*positive += s->items[i].positive;
		*negative += s->items[i].negative;
	}
}

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
		Datum		zeros[4] = {0};

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

/* ---- Wilson's interval --------------------------------------------------- */

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

/* wilson_interval(k, n, confidence): the score interval of a proportion */
PG_FUNCTION_INFO_V1(wilson_interval);
Datum
wilson_interval(PG_FUNCTION_ARGS)
{
	int64		k = PG_GETARG_INT64(0);
	int64		n = PG_GETARG_INT64(1);
	float8		confidence = PG_GETARG_FLOAT8(2);
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2] = {n == 0, n == 0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (k < 0 || n < 0 || k > n)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("no proportion: %lld of %lld", (long long) k, (long long) n)));
	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("confidence must lie between 0 and 1, exclusively")));
	if (n > 0)
	{
		float8		z = NormalQuantile(confidence);
		float8		p = (float8) k / n;
		float8		zz = z * z / n;
		float8		center = (p + zz / 2) / (1 + zz);
		float8		half = z / (1 + zz) * sqrt(p * (1 - p) / n + zz / (4 * (float8) n));

		/* At the ends it touches them exactly. */
		values[0] = Float8GetDatum(k == 0 ? 0 : Max(center - half, 0));
		values[1] = Float8GetDatum(k == n ? 1 : Min(center + half, 1));
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
