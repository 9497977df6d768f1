/*
 * scored.c
 *		Type scored: the distinct scores with the weight of positive and
 *		negative labels at each, from which metrics.c and curves.c make theirs.
 *
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

#include <math.h>

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "order.h"
#include "scored.h"
#include "utils/builtins.h"
#include "utils/float.h"

#define SCORED_VERSION		1

/* Room for the scores that are kept and those not merged yet */
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
	/* What lies below the least finite number has the bits of a NaN. */
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
Scored	   *
GetScored(FunctionCallInfo fcinfo, int arg)
{
	Scored	   *s = Compact(FetchScored(fcinfo, arg));

	if (!(arg == 0 && AggCheckCallContext(fcinfo, NULL)) && !ScoredIsValid(s))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("scored value is corrupted")));
	return s;
}

float8
CheckScore(float8 score)
{
	if (isnan(score))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("score is not a number")));
	/* Minus zero is zero. */
	return score + 0.0;
}

float8
CheckWeight(float8 weight)
{
	if (!WeightIsValid(weight, WEIGHT_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight out of range: %g", weight),
				 errdetail("A weight is zero, or lies between %g and %g.", WEIGHT_MIN, WEIGHT_MAX)));
	return weight;
}

/* The weight of positive labels and that of negative ones */
void
SumWeights(const Scored *s, float8 *positive, float8 *negative)
{
	*positive = *negative = 0;
	for (int i = 0; i < s->nused; i++)
	{
		*positive += s->items[i].positive;
		*negative += s->items[i].negative;
	}
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
	Scored	   *a = GetScored(fcinfo, 0);
	Scored	   *b = GetScored(fcinfo, 1);
	int			c = CompareBytes(a, b);

	/* A sort calls this often in the same memory context. */
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return c;
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
