/*
 * activity.h
 *		The history of a key: how often, since when, how lately, at what hours.
 */
#ifndef ASSAY_ACTIVITY_H
#define ASSAY_ACTIVITY_H

#include "compat.h"
#include "datatype/timestamp.h"

#define ACTIVITY_HOURS		24
#define ACTIVITY_WEEKDAYS	7

/* Fixed half-lives of the decayed counts: an hour, a day, a week, 30 days */
#define ACTIVITY_HALF_LIVES	4

/* A bin of the hour-of-day histogram stops here; the count itself goes on */
#define ACTIVITY_HOUR_MAX	((1 << 24) - 1)

/* As many times fit into the bytes of a summary */
#define ACTIVITY_TIMES		19

/*
 * An activity has one of two formats.  Few events, as most keys have, are kept
 * as their times: n <= ACTIVITY_TIMES of them, sorted, in 8 + 8 n bytes.
 * An aggregate's state has room for more than its n, and is not sorted.
 *
 * (Times are in microseconds since 2000-01-01 00:00 UTC.)
 */
#define ACTIVITY_FORMAT_TIMES	2

typedef struct ActivityTimes
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* ACTIVITY_FORMAT_TIMES */
	uint8		n;
	uint8		reserved[2];	/* zero */
	TimestampTz time[ACTIVITY_TIMES];
} ActivityTimes;

#define ACTIVITY_TIMES_SIZE(n)	(offsetof(ActivityTimes, time) + (n) * sizeof(TimestampTz))

/*
 * More are kept as a summary of always 160 bytes, without padding:
 *
 *	  0 vl_len_		 24 mantissa[4]		 88 hour_low[24]
 *	  4 format		 56 weekday[7]		136 hour_high[24]
 *	  5 reserved	 84 exponent[4]		160
 *	  8 first
 *	 16 last
 *
 * weekday[0] is Sunday and hour 0 begins at midnight, both UTC.  The number of
 * events is the sum of weekday[]; it is stored nowhere else.  An hour's bin
 * has 24 bits (hour_high is its top byte) and stays at ACTIVITY_HOUR_MAX once
 * it is there, so that adding is still independent of order.
 *
 * decayed[k] = sum over events of 2^(t / H[k]), in units of 2^floor(last / H[k]),
 * is mantissa[k] * 2^(exponent[k] - 63); the top bit of the mantissa is set.
 * The unit moves with `last` by whole powers of two, thus without rounding, and
 * keeps the exponent between 0 and the number of bits of the count, for any
 * date.  64 bits of mantissa keep sums of any order and grouping of n events
 * within n * 2^-64 of each other.
 */
#define ACTIVITY_FORMAT_SUMMARY	1

typedef struct Activity
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* ACTIVITY_FORMAT_SUMMARY, or see above */
	uint8		reserved[3];	/* zero */
	TimestampTz first;
	TimestampTz last;
	uint64		mantissa[ACTIVITY_HALF_LIVES];
	uint32		weekday[ACTIVITY_WEEKDAYS];
	uint8		exponent[ACTIVITY_HALF_LIVES];
	uint16		hour_low[ACTIVITY_HOURS];
	uint8		hour_high[ACTIVITY_HOURS];
} Activity;

/*
 * While an aggregate has few events of a key, and all in whole seconds as mail
 * has them, its state is one cache line: the first time, and how many seconds
 * each other differs from it.  No stored value has this format, and no reader
 * sees it: PG_GETARG_ACTIVITY_P turns it into times.
 */
#define ACTIVITY_FORMAT_SECONDS	3

#define ACTIVITY_SECONDS	13

typedef struct ActivitySeconds
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* ACTIVITY_FORMAT_SECONDS */
	uint8		n;
	uint8		reserved[2];	/* zero */
	TimestampTz base;
	int32		offset[ACTIVITY_SECONDS - 1];	/* n - 1 of them */
} ActivitySeconds;

/* Times, or a summary? */
static inline bool
ActivityIsTimes(const Activity *a)
{
	return a->format == ACTIVITY_FORMAT_TIMES;
}

/* Events of a summary: in all, and of an hour of the day */
static inline int64
ActivitySummaryEvents(const Activity *a)
{
	int64		n = 0;

	for (int i = 0; i < ACTIVITY_WEEKDAYS; i++)
		n += a->weekday[i];
	return n;
}

static inline uint32
ActivityHour(const Activity *a, int hour)
{
	return a->hour_low[hour] | ((uint32) a->hour_high[hour] << 16);
}

static inline void
ActivityAddHour(Activity *a, int hour, uint32 n)
{
	uint32		sum = Min(ActivityHour(a, hour) + n, ACTIVITY_HOUR_MAX);

	a->hour_low[hour] = (uint16) sum;
	a->hour_high[hour] = (uint8) (sum >> 16);
}

#define DatumGetActivityP(d)	ActivityRead((Activity *) PG_DETOAST_DATUM(d))
#define PG_GETARG_ACTIVITY_P(n)	DatumGetActivityP(PG_GETARG_DATUM(n))

/*
 * activity.c; what is added to has the full size, what is added may have less
 */
extern Activity *ActivityRead(Activity *a);
extern void ActivityInit(Activity *a, TimestampTz t);
extern void ActivityLoad(Activity *a, const Activity *b);
extern void ActivityAddEvent(Activity *a, TimestampTz t);
extern void ActivityAdd(Activity *a, const Activity *b);
extern Activity *ActivityPack(const Activity *a);
extern int64 ActivityEvents(const Activity *a);
extern TimestampTz ActivityFirst(const Activity *a);
extern TimestampTz ActivityLast(const Activity *a);

/* What is wrong with a value from outside, or NULL */
extern const char *ActivityFault(const Activity *a);

static inline void
ActivityAssert(const Activity *a)
{
	Assert(ActivityIsTimes(a) ?
		   VARSIZE(a) >= ACTIVITY_TIMES_SIZE(((const ActivityTimes *) a)->n) && VARSIZE(a) <= sizeof(Activity) :
		   VARSIZE(a) == sizeof(Activity));
	Assert(ActivityFault(a) == NULL);
}

#endif							/* ASSAY_ACTIVITY_H */
