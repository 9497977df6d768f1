/*
 * activity.c
 *		The type activity: mergeable history of a key in at most 160 bytes.
 *
 * Few events are kept as their times, more as a summary (see activity.h); all
 * accessors see the summary, which is the same whenever it is made.  Counts,
 * dates and histograms add exactly, decayed counts up to the last bits,
 * whatever the order and grouping of the events.  There is no empty activity:
 * a key without events has none, and the accessors take NULL for that.
 */
#include "postgres.h"

#include <math.h>

#include "activity.h"
#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/timestamp.h"

StaticAssertDecl(sizeof(Activity) == 160, "a summary is 160 bytes, without padding");
StaticAssertDecl(sizeof(ActivityTimes) == sizeof(Activity), "times and summary take the same room");
StaticAssertDecl(sizeof(ActivitySeconds) == 64, "seconds are one cache line");

#if defined(__GNUC__)
#define PREFETCH(addr)	__builtin_prefetch(addr, 1)
#else
#define PREFETCH(addr)	((void) (addr))
#endif

#define TOP_BIT		UINT64CONST(0x8000000000000000)

static const int64 half_life[ACTIVITY_HALF_LIVES] = {
	USECS_PER_HOUR, USECS_PER_DAY, 7 * USECS_PER_DAY, 30 * USECS_PER_DAY
};

/* Index of the longest, which burst() takes for a key's usual rate */
#define LONGEST		(ACTIVITY_HALF_LIVES - 1)

/* ---- numbers ------------------------------------------------------------- */

static inline int64
FloorDiv(int64 a, int64 b)
{
	int64		q = a / b;

	return (a % b < 0) ? q - 1 : q;
}

/*
 * A time in whole units of each half-life: floor(t / H).  All of them are
 * found from whole hours by division by constants, as this is done for every
 * event.
 */
typedef struct Units
{
	int64		hours;
	int64		days;
	int64		of[ACTIVITY_HALF_LIVES];
} Units;

static inline void
GetUnits(TimestampTz t, Units *u)
{
	u->of[0] = u->hours = FloorDiv(t, USECS_PER_HOUR);
	u->of[1] = u->days = FloorDiv(u->hours, 24);
	u->of[2] = FloorDiv(u->days, 7);
	u->of[3] = FloorDiv(u->days, 30);
}

static inline int
HourOf(const Units *u)
{
	return (int) (u->hours - u->days * 24);
}

static inline int
WeekdayOf(const Units *u)
{
	/* 2000-01-01 was a Saturday, and is day 0 here. */
	return (int) (u->days + 6 - FloorDiv(u->days + 6, 7) * 7);
}

/*
 * 2^(t / H) in units of 2^floor(t / H): a number in [1, 2)
 */
static inline double
Weight(TimestampTz t, const Units *u, int k)
{
	return exp2((double) (t - u->of[k] * half_life[k]) / (double) half_life[k]);
}

/*
 * A number in [1, 2) in units of 2^-63, exactly
 */
static inline uint64
Mantissa(double w)
{
	return (uint64) (w * 9223372036854775808.0);
}

/*
 * (m1, e1) += (m2, e2), where m is in units of 2^(e - 63) and has its top bit
 * set.  The second may be far below the first, never the other way round.
 */
static inline void
AddScaled(uint64 *m1, int *e1, uint64 m2, int64 e2)
{
	uint64		sum;
	int64		shift;

	if (e2 > *e1)
	{
		uint64		m = *m1;
		int			e = *e1;

		*m1 = m2;
		*e1 = (int) e2;
		m2 = m;
		e2 = e;
	}

	shift = *e1 - e2;
	if (shift > 64)
		return;
	if (shift == 64)
		m2 = 1;
	else if (shift > 0)
		m2 = (m2 >> shift) + ((m2 >> (shift - 1)) & 1);

	sum = *m1 + m2;
	if (sum < *m1)
	{
		sum = ((sum >> 1) + (sum & 1)) | TOP_BIT;
		(*e1)++;
	}
	*m1 = sum;
}

/*
 * 2^e, for exponents as they are kept: less than ldexp() has to look at
 */
static inline double
PowerOfTwo(int e)
{
	union
	{
		uint64		bits;
		double		number;
	}			power;

	power.bits = (uint64) (1023 + e) << 52;
	return power.number;
}

static inline double
Decayed(const Activity *a, int k)
{
	return (double) a->mantissa[k] * PowerOfTwo(a->exponent[k] - 63);
}

static inline void
AddWeekday(Activity *a, int day, uint32 n)
{
	if (n > PG_UINT32_MAX - a->weekday[day])
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("activity out of range"),
				 errdetail("An activity holds at most %u events of a weekday.", PG_UINT32_MAX)));
	a->weekday[day] += n;
}

/* ---- invariants ---------------------------------------------------------- */

static const char *
TimesFault(const ActivityTimes *a)
{
	if (a->reserved[0] != 0 || a->reserved[1] != 0)
		return "Reserved bytes are not zero.";
	if (a->n < 1 || a->n > ACTIVITY_TIMES)
		return "The number of times is out of range.";
	for (int i = 0; i < a->n; i++)
		if (!IS_VALID_TIMESTAMP(a->time[i]))
			return "A time is out of range.";
	return NULL;
}

/*
 * What is wrong with a value from outside, or NULL.  Nothing here is trusted
 * before; everything else relies on it.
 */
const char *
ActivityFault(const Activity *a)
{
	int64		events;
	int64		hours = 0;
	bool		full = false;
	Units		first;
	Units		last;

	if (ActivityIsTimes(a))
		return TimesFault((const ActivityTimes *) a);
	if (a->format != ACTIVITY_FORMAT_SUMMARY)
		return "The format is not known.";
	events = ActivitySummaryEvents(a);
	if (a->reserved[0] != 0 || a->reserved[1] != 0 || a->reserved[2] != 0)
		return "Reserved bytes are not zero.";
	if (!IS_VALID_TIMESTAMP(a->first) || !IS_VALID_TIMESTAMP(a->last) ||
		a->first > a->last)
		return "The first and last time are not in order.";
	if (events < (a->first == a->last ? 1 : 2))
		return "There are fewer events than times.";
	for (int i = 0; i < ACTIVITY_HOURS; i++)
	{
		hours += ActivityHour(a, i);
		full |= ActivityHour(a, i) == ACTIVITY_HOUR_MAX;
	}
	if (full ? hours > events : hours != events)
		return "The hours do not add up to the number of events.";
	GetUnits(a->first, &first);
	GetUnits(a->last, &last);
	if (ActivityHour(a, HourOf(&first)) == 0 || a->weekday[WeekdayOf(&first)] == 0 ||
		ActivityHour(a, HourOf(&last)) == 0 || a->weekday[WeekdayOf(&last)] == 0)
		return "The first or last time is not in the histograms.";
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
	{
		if ((a->mantissa[k] & TOP_BIT) == 0)
			return "A decayed count is not normalized.";
		if (a->exponent[k] > 63 || Decayed(a, k) > 2.0 * events)
			return "A decayed count exceeds the number of events.";
	}
	return NULL;
}

/*
 * What is wrong with the size of a value or state, or NULL: enough to read and
 * write it within its bounds.
 */
static const char *
SizeFault(const Activity *a)
{
	Size		size = VARSIZE(a);
	int			n;

	if (size < offsetof(ActivityTimes, time))
		return "It is shorter than its header.";
	n = ((const ActivityTimes *) a)->n;
	switch (a->format)
	{
		case ACTIVITY_FORMAT_TIMES:
			if (n < 1 || n > ACTIVITY_TIMES)
				return "The number of times is out of range.";
			return size < ACTIVITY_TIMES_SIZE(n) || size > sizeof(Activity) ?
				"Its size is not that of its times." : NULL;
		case ACTIVITY_FORMAT_SUMMARY:
			return size != sizeof(Activity) ? "Its size is not that of a summary." : NULL;
		case ACTIVITY_FORMAT_SECONDS:
			return size != sizeof(ActivitySeconds) || n < 1 || n > ACTIVITY_SECONDS ?
				"Its size is not that of its times." : NULL;
		default:
			return "The format is not known.";
	}
}

static void
Corrupted(const char *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("activity value is corrupted"),
			 errdetail_internal("%s", fault)));
}

/* ---- adding -------------------------------------------------------------- */

/*
 * The summary of one event.
 */
static void
SummaryInit(Activity *a, TimestampTz t)
{
	Units		u;

	memset(a, 0, sizeof(Activity));
	SET_VARSIZE(a, sizeof(Activity));
	a->format = ACTIVITY_FORMAT_SUMMARY;
	a->first = a->last = t;
	GetUnits(t, &u);
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
		a->mantissa[k] = Mantissa(Weight(t, &u, k));
	ActivityAddHour(a, HourOf(&u), 1);
	AddWeekday(a, WeekdayOf(&u), 1);
	ActivityAssert(a);
}

/*
 * Count one more event.
 */
static void
SummaryAddEvent(Activity *a, TimestampTz t)
{
	Units		u;
	Units		last;
	uint64		weight[ACTIVITY_HALF_LIVES];

	/* With many groups a state is not in the cache; it comes meanwhile. */
	PREFETCH(a);
	PREFETCH((char *) a + 64);
	PREFETCH((char *) a + 128);
	GetUnits(t, &u);
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
		weight[k] = Mantissa(Weight(t, &u, k));

	AddWeekday(a, WeekdayOf(&u), 1);	/* first: it alone can fail */
	ActivityAddHour(a, HourOf(&u), 1);
	GetUnits(a->last, &last);
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
	{
		int64		ahead = u.of[k] - last.of[k];
		uint64		m = a->mantissa[k];
		int			e = a->exponent[k];

		if (ahead > 0)
		{
			/* The unit becomes that of the new event. */
			m = weight[k];
			e = 0;
			AddScaled(&m, &e, a->mantissa[k], a->exponent[k] - ahead);
		}
		else
			AddScaled(&m, &e, weight[k], ahead);
		a->mantissa[k] = m;
		a->exponent[k] = (uint8) e;
	}
	a->first = Min(a->first, t);
	a->last = Max(a->last, t);
	ActivityAssert(a);
}

/*
 * Add the events of another summary.
 */
static void
SummaryAdd(Activity *a, const Activity *b)
{
	Units		aunits;
	Units		bunits;

	GetUnits(a->last, &aunits);
	GetUnits(b->last, &bunits);
	for (int i = 0; i < ACTIVITY_WEEKDAYS; i++)
		AddWeekday(a, i, b->weekday[i]);
	for (int i = 0; i < ACTIVITY_HOURS; i++)
		ActivityAddHour(a, i, ActivityHour(b, i));
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
	{
		int64		ahead = bunits.of[k] - aunits.of[k];
		uint64		m;
		int			e;

		if (ahead <= 0)
		{
			m = a->mantissa[k];
			e = a->exponent[k];
			AddScaled(&m, &e, b->mantissa[k], b->exponent[k] + ahead);
		}
		else
		{
			m = b->mantissa[k];
			e = b->exponent[k];
			AddScaled(&m, &e, a->mantissa[k], a->exponent[k] - ahead);
		}
		a->mantissa[k] = m;
		a->exponent[k] = (uint8) e;
	}
	a->first = Min(a->first, b->first);
	a->last = Max(a->last, b->last);
	ActivityAssert(a);
}

/*
 * Turn times into their summary, in place.  The room is that of a summary.
 */
static void
Summarize(Activity *a)
{
	ActivityTimes times;

	Assert(ActivityIsTimes(a) && VARSIZE(a) == sizeof(Activity));
	memcpy(&times, a, sizeof(times));
	SummaryInit(a, times.time[0]);
	for (int i = 1; i < times.n; i++)
		SummaryAddEvent(a, times.time[i]);
}

/*
 * The activity of one event.
 */
void
ActivityInit(Activity *a, TimestampTz t)
{
	ActivityTimes *times = (ActivityTimes *) a;

	memset(times, 0, sizeof(ActivityTimes));
	SET_VARSIZE(times, sizeof(ActivityTimes));
	times->format = ACTIVITY_FORMAT_TIMES;
	times->n = 1;
	times->time[0] = t;
	ActivityAssert(a);
}

/*
 * Copy an activity to where it can be added to.
 */
void
ActivityLoad(Activity *a, const Activity *b)
{
	ActivityAssert(b);
	if (VARSIZE(b) < sizeof(Activity))
		memset(a, 0, sizeof(Activity));
	memcpy(a, b, VARSIZE(b));
	SET_VARSIZE(a, sizeof(Activity));
}

/*
 * Count one more event.
 */
void
ActivityAddEvent(Activity *a, TimestampTz t)
{
	ActivityTimes *times = (ActivityTimes *) a;

	Assert(VARSIZE(a) == sizeof(Activity));
	if (ActivityIsTimes(a))
	{
		if (times->n < ACTIVITY_TIMES)
		{
			times->time[times->n++] = t;
			return;
		}
		Summarize(a);
	}
	SummaryAddEvent(a, t);
}

/*
 * Add the events of b to a.
 */
void
ActivityAdd(Activity *a, const Activity *b)
{
	ActivityAssert(a);
	ActivityAssert(b);
	Assert(VARSIZE(a) == sizeof(Activity));
	if (ActivityIsTimes(b))
	{
		const ActivityTimes *times = (const ActivityTimes *) b;

		for (int i = 0; i < times->n; i++)
			ActivityAddEvent(a, times->time[i]);
		return;
	}
	if (ActivityIsTimes(a))
	{
		ActivityTimes times;

		memcpy(&times, a, sizeof(times));
		memcpy(a, b, sizeof(Activity));
		for (int i = 0; i < times.n; i++)
			SummaryAddEvent(a, times.time[i]);
		return;
	}
	SummaryAdd(a, b);
}

static void
SortTimes(ActivityTimes *a)
{
	for (int i = 1; i < a->n; i++)
	{
		TimestampTz t = a->time[i];
		int			j = i;

		for (; j > 0 && a->time[j - 1] > t; j--)
			a->time[j] = a->time[j - 1];
		a->time[j] = t;
	}
}

/*
 * The same activity as it is stored: of no more bytes than it needs, and its
 * times sorted.
 */
Activity   *
ActivityPack(const Activity *a)
{
	Size		size = ActivityIsTimes(a) ? ACTIVITY_TIMES_SIZE(((const ActivityTimes *) a)->n) : sizeof(Activity);
	Activity   *packed = palloc(size);

	memcpy(packed, a, size);
	SET_VARSIZE(packed, size);
	if (ActivityIsTimes(packed))
		SortTimes((ActivityTimes *) packed);
	ActivityAssert(packed);
	return packed;
}

/*
 * The summary of a stored activity, made in `room` where there is none.
 */
static const Activity *
Summary(const Activity *a, Activity *room)
{
	if (!ActivityIsTimes(a))
		return a;
	ActivityLoad(room, a);
	Summarize(room);
	return room;
}

/*
 * The state to add to: in an aggregate its own, elsewhere a copy.  An
 * aggregate's state may be one that was received and has less room; the
 * executor keeps what is returned in its place.
 */
static Activity *
Writable(FunctionCallInfo fcinfo, Activity *a)
{
	Activity   *copy;

	if (VARSIZE(a) == sizeof(Activity) && AggCheckCallContext(fcinfo, NULL))
		return a;
	copy = palloc(sizeof(Activity));
	ActivityLoad(copy, a);
	return copy;
}

/*
 * What was added to, as a result: in an aggregate as it is
 */
static Datum
Result(FunctionCallInfo fcinfo, Activity *a)
{
	return PointerGetDatum(AggCheckCallContext(fcinfo, NULL) ? a : ActivityPack(a));
}

/* ---- states of activity_agg(timestamptz) --------------------------------- */

/*
 * The times of a state in seconds, as a packed activity.
 */
static Activity *
SecondsPack(const ActivitySeconds *s)
{
	Size		size = ACTIVITY_TIMES_SIZE(s->n);
	ActivityTimes *times = palloc(size);

	memset(times, 0, offsetof(ActivityTimes, time));
	SET_VARSIZE(times, size);
	times->format = ACTIVITY_FORMAT_TIMES;
	times->n = s->n;
	times->time[0] = s->base;
	for (int i = 1; i < s->n; i++)
		times->time[i] = s->base + s->offset[i - 1] * USECS_PER_SEC;
	SortTimes(times);
	return (Activity *) times;
}

/*
 * An argument as everything here wants it: all but the aggregate's own
 * transition and final function see times or a summary, which have no fault.
 */
Activity   *
ActivityRead(Activity *a)
{
	const char *fault = SizeFault(a);

	if (fault == NULL)
	{
		if (a->format == ACTIVITY_FORMAT_SECONDS)
			a = SecondsPack((ActivitySeconds *) a);
		fault = ActivityFault(a);
	}
	if (fault != NULL)
		Corrupted(fault);
	return a;
}

/*
 * An aggregate's own state: it came from here, so that only its bounds are
 * looked at.  Outside of an aggregate it is an argument as any.
 */
static Activity *
ReadState(FunctionCallInfo fcinfo)
{
	Activity   *a;
	const char *fault;

	if (!AggCheckCallContext(fcinfo, NULL))
		return PG_GETARG_ACTIVITY_P(0);
	a = (Activity *) PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	if ((fault = SizeFault(a)) != NULL)
		Corrupted(fault);
	return a->format == ACTIVITY_FORMAT_SECONDS ? SecondsPack((ActivitySeconds *) a) : a;
}

/*
 * Count one more event in a state in seconds; false where it doesn't fit.
 */
static inline bool
SecondsAddEvent(ActivitySeconds *s, TimestampTz t)
{
	int64		diff;

	if (s->n < 1 || s->n >= ACTIVITY_SECONDS || pg_sub_s64_overflow(t, s->base, &diff) || diff % USECS_PER_SEC != 0)
		return false;
	diff /= USECS_PER_SEC;
	if (diff != (int32) diff)
		return false;
	s->offset[s->n++ - 1] = (int32) diff;
	return true;
}

/*
 * With many groups, memory is what an aggregate waits for, so a state has few
 * bytes as long as it can.  The first is left in the short-lived context, since
 * the executor copies it from there.
 */
#define FIRST_STATE_TIMES	15	/* 128 bytes, which is one chunk */

static Activity *
FirstState(TimestampTz t)
{
	if (t % USECS_PER_SEC == 0)
	{
		ActivitySeconds *s = palloc0(sizeof(ActivitySeconds));

		SET_VARSIZE(s, sizeof(ActivitySeconds));
		s->format = ACTIVITY_FORMAT_SECONDS;
		s->n = 1;
		s->base = t;
		return (Activity *) s;
	}
	else
	{
		Activity   *a = palloc(sizeof(Activity));

		ActivityInit(a, t);
		SET_VARSIZE(a, ACTIVITY_TIMES_SIZE(FIRST_STATE_TIMES));
		return a;
	}
}

/*
 * activity_agg(timestamptz), and the operator + for an event: a time that is
 * not known, NULL or infinite, counts for nothing.
 */
PG_FUNCTION_INFO_V1(activity_accum);
Datum
activity_accum(PG_FUNCTION_ARGS)
{
	Activity   *a;
	TimestampTz t;

	if (PG_ARGISNULL(1) || TIMESTAMP_NOT_FINITE(t = PG_GETARG_TIMESTAMPTZ(1)))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (PG_ARGISNULL(0))
	{
		if (AggCheckCallContext(fcinfo, NULL))
			PG_RETURN_POINTER(FirstState(t));
		a = palloc(sizeof(Activity));
		ActivityInit(a, t);
		PG_RETURN_POINTER(ActivityPack(a));
	}
	if (AggCheckCallContext(fcinfo, NULL))
	{
		ActivityTimes *times = (ActivityTimes *) PG_GETARG_POINTER(0);

		/* The state is not in the cache; all of it comes at once. */
		PREFETCH(times);
		PREFETCH((char *) times + sizeof(ActivitySeconds) - 1);
		if (VARATT_IS_EXTENDED(times) || VARSIZE(times) < offsetof(ActivityTimes, time))
			Corrupted("It is shorter than its header.");
		if (times->format == ACTIVITY_FORMAT_SECONDS)
		{
			if (VARSIZE(times) == sizeof(ActivitySeconds) && SecondsAddEvent((ActivitySeconds *) times, t))
				PG_RETURN_POINTER(times);
		}
		else if (times->format == ACTIVITY_FORMAT_TIMES && times->n < ACTIVITY_TIMES &&
				 ACTIVITY_TIMES_SIZE(times->n + 1) <= VARSIZE(times))
		{
			times->time[times->n++] = t;
			PG_RETURN_POINTER(times);
		}
	}
	a = Writable(fcinfo, ReadState (fcinfo));
	ActivityAddEvent(a, t);
	return Result(fcinfo, a);
}

/*
 * The operator +, and the transition and combine function of
 * activity_agg(activity).  NULL is a key without events.
 */
PG_FUNCTION_INFO_V1(activity_add);
Datum
activity_add(PG_FUNCTION_ARGS)
{
	Activity   *a;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (PG_ARGISNULL(0))
	{
		a = palloc(sizeof(Activity));
		ActivityLoad(a, PG_GETARG_ACTIVITY_P(1));
	}
	else
	{
		a = Writable(fcinfo, ReadState (fcinfo));
		ActivityAdd(a, PG_GETARG_ACTIVITY_P(1));
	}
	return Result(fcinfo, a);
}

PG_FUNCTION_INFO_V1(activity_final);
Datum
activity_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(ActivityPack(ReadState (fcinfo)));
}

/* ---- accessors ----------------------------------------------------------- */

int64
ActivityEvents(const Activity *a)
{
	return ActivityIsTimes(a) ? ((const ActivityTimes *) a)->n : ActivitySummaryEvents(a);
}

TimestampTz
ActivityFirst(const Activity *a)
{
	const ActivityTimes *times = (const ActivityTimes *) a;
	TimestampTz first;

	if (!ActivityIsTimes(a))
		return a->first;
	first = times->time[0];
	for (int i = 1; i < times->n; i++)
		first = Min(first, times->time[i]);
	return first;
}

TimestampTz
ActivityLast(const Activity *a)
{
	const ActivityTimes *times = (const ActivityTimes *) a;
	TimestampTz last;

	if (!ActivityIsTimes(a))
		return a->last;
	last = times->time[0];
	for (int i = 1; i < times->n; i++)
		last = Max(last, times->time[i]);
	return last;
}

/* A key without history has 0 events. */
PG_FUNCTION_INFO_V1(activity_events);
Datum
activity_events(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_INT64(0);
	PG_RETURN_INT64(ActivityEvents(PG_GETARG_ACTIVITY_P(0)));
}

PG_FUNCTION_INFO_V1(activity_first_seen);
Datum
activity_first_seen(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(ActivityFirst(PG_GETARG_ACTIVITY_P(0)));
}

PG_FUNCTION_INFO_V1(activity_last_seen);
Datum
activity_last_seen(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(ActivityLast(PG_GETARG_ACTIVITY_P(0)));
}

/*
 * Days from one time to another, at least 0; the second may be infinite.
 */
static double
DaysBetween(TimestampTz from, TimestampTz to)
{
	if (TIMESTAMP_IS_NOEND(to))
		return get_float8_infinity();
	if (to <= from)				/* also -infinity */
		return 0.0;
	/* Two finite times may be further apart than an int64 reaches. */
	return ((double) to - (double) from) / USECS_PER_DAY;
}

/*
 * How long the key has been known: 0 without history.
 */
PG_FUNCTION_INFO_V1(activity_days_known);
Datum
activity_days_known(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(0.0);
	PG_RETURN_FLOAT8(DaysBetween(ActivityFirst(PG_GETARG_ACTIVITY_P(0)), PG_GETARG_TIMESTAMPTZ(1)));
}

/*
 * How long the key has been silent.  Without history there is no such time.
 */
PG_FUNCTION_INFO_V1(activity_days_since);
Datum
activity_days_since(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(DaysBetween(ActivityLast(PG_GETARG_ACTIVITY_P(0)), PG_GETARG_TIMESTAMPTZ(1)));
}

/*
 * Which of the decayed counts has this half-life
 */
static int
HalfLifeIndex(const Interval *span)
{
	int64		usecs;

	if (span->month == 0 &&
		!pg_mul_s64_overflow(span->day, USECS_PER_DAY, &usecs) &&
		!pg_add_s64_overflow(usecs, span->time, &usecs))
	{
		for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
			if (usecs == half_life[k])
				return k;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("no decayed count with half-life %s is kept",
					DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(span)))),
			 errhint("The half-lives are 1 hour, 1 day, 7 days and 30 days.")));
	return 0;					/* keep compiler quiet */
}

/*
 * The decayed count as of a time: sum of 2^-(at - t)/H.  Events after that
 * time can't be taken out again, so an earlier time is taken as the last one.
 */
static double
DecayedAt(const Activity *a, int k, TimestampTz at)
{
	Units		now;
	Units		last;
	int64		age;

	if (TIMESTAMP_IS_NOEND(at))
		return 0.0;
	if (at < a->last)
		at = a->last;
	GetUnits(at, &now);
	GetUnits(a->last, &last);
	age = now.of[k] - last.of[k];
	if (age > 2000)
		return 0.0;				/* less than the least double */
	return ldexp(Decayed(a, k) / Weight(at, &now, k), -(int) age);
}

/*
 * Events a day, exponentially weighted: a steady stream of r events a day has
 * a decayed count of r H / ln 2.
 */
PG_FUNCTION_INFO_V1(activity_rate);
Datum
activity_rate(PG_FUNCTION_ARGS)
{
	Activity	room;
	int			k;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	k = HalfLifeIndex(PG_GETARG_INTERVAL_P(2));
	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(0.0);
	PG_RETURN_FLOAT8(DecayedAt(Summary(PG_GETARG_ACTIVITY_P(0), &room), k, PG_GETARG_TIMESTAMPTZ(1)) *
					 M_LN2 * USECS_PER_DAY / half_life[k]);
}

/*
 * How many times its usual rate a key has lately: events in about the last
 * half-life over those that the 30-day rate lets one expect, shrunk towards 1
 * by one event of prior (the mean of a Gamma(1, 1) prior's posterior under
 * Poisson counts).
 */
PG_FUNCTION_INFO_V1(activity_burst);
Datum
activity_burst(PG_FUNCTION_ARGS)
{
	Activity	room;
	const Activity *a;
	TimestampTz at;
	double		expected;
	int			k;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	k = HalfLifeIndex(PG_GETARG_INTERVAL_P(2));
	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(1.0);
	a = Summary(PG_GETARG_ACTIVITY_P(0), &room);
	at = PG_GETARG_TIMESTAMPTZ(1);
	expected = DecayedAt(a, LONGEST, at) * half_life[k] / half_life[LONGEST];
	PG_RETURN_FLOAT8((DecayedAt(a, k, at) + 1.0) / (expected + 1.0));
}

/*
 * How typical an hour of the week is for the key: its share over that of an
 * even spread.  Hours of the day are smoothed over their neighbours (1/4, 1/2,
 * 1/4) and both histograms by Laplace's rule; hour and weekday are taken as
 * independent.  1 without history.
 */
PG_FUNCTION_INFO_V1(activity_hour_affinity);
Datum
activity_hour_affinity(PG_FUNCTION_ARGS)
{
	Activity	room;
	const Activity *a;
	TimestampTz at;
	Units		u;
	int			hour;
	double		hours = 0.0;
	double		near;
	double		by_hour;
	double		by_weekday;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	at = PG_GETARG_TIMESTAMPTZ(1);
	if (PG_ARGISNULL(0) || TIMESTAMP_NOT_FINITE(at))
		PG_RETURN_FLOAT8(1.0);

	a = Summary(PG_GETARG_ACTIVITY_P(0), &room);
	for (int i = 0; i < ACTIVITY_HOURS; i++)
		hours += ActivityHour(a, i);
	GetUnits(at, &u);
	hour = HourOf(&u);
	near = 0.5 * ActivityHour(a, hour) +
		0.25 * ActivityHour(a, (hour + 1) % ACTIVITY_HOURS) +
		0.25 * ActivityHour(a, (hour + ACTIVITY_HOURS - 1) % ACTIVITY_HOURS);
	by_hour = ACTIVITY_HOURS * (near + 1.0) / (hours + ACTIVITY_HOURS);
	by_weekday = ACTIVITY_WEEKDAYS * (a->weekday[WeekdayOf(&u)] + 1.0) /
		((double) ActivitySummaryEvents(a) + ACTIVITY_WEEKDAYS);
	PG_RETURN_FLOAT8(by_hour * by_weekday);
}
