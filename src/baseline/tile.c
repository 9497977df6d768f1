/*
 * tile.c
 *		The tiles of time that a baseline has rows for: where one begins and
 *		ends; and moments before others.
 *
 * Tiles are counted from midnight of 2000-01-01 (UTC), so that those of a length
 * that divides a day begin with each day.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "tile.h"
#include "utils/timestamp.h"

/* The length of tiles in microseconds, up to a day */
int64
TileLength(const Interval *tile)
{
	int64		length = -1;

	if (tile->month == 0 && tile->day >= -1 && tile->day <= 1 &&
		tile->time >= -USECS_PER_DAY && tile->time <= 2 * USECS_PER_DAY)
		length = tile->day * USECS_PER_DAY + tile->time;
	if (length <= 0 || length > USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a tile must be longer than zero, and at most a day")));
	return length;
}

/* How long it is since the tile of a moment began */
static int64
SinceBegin(TimestampTz at, int64 length)
{
	int64		since = at % length;

	return since < 0 ? since + length : since;
}

/* When the tile of a moment began; there may be nothing before it */
TimestampTz
TileBegin(TimestampTz at, int64 length)
{
	if (TIMESTAMP_NOT_FINITE(at))
		return at;
	at -= SinceBegin(at, length);
	return IS_VALID_TIMESTAMP(at) ? at : DT_NOBEGIN;
}

/* When it ends; there may be nothing after it */
TimestampTz
TileEnd(TimestampTz at, int64 length)
{
	if (TIMESTAMP_NOT_FINITE(at))
		return at;
	at += length - SinceBegin(at, length);
	return IS_VALID_TIMESTAMP(at) ? at : DT_NOEND;
}

/*
 * The day (UTC) of a moment
 */
DateADT
TileDay(TimestampTz at)
{
	int64		day;

	if (TIMESTAMP_IS_NOBEGIN(at))
		return DATEVAL_NOBEGIN;
	if (TIMESTAMP_IS_NOEND(at))
		return DATEVAL_NOEND;
	day = at / USECS_PER_DAY;
	return (DateADT) (at % USECS_PER_DAY < 0 ? day - 1 : day);
}

/* tile_start(at, tile): when the tile began that a moment is in */
PG_FUNCTION_INFO_V1(baseline_tile_start);
Datum
baseline_tile_start(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(TileBegin(PG_GETARG_TIMESTAMPTZ(0), TileLength(PG_GETARG_INTERVAL_P(1))));
}

/* tile_end(at, tile): when it ends, which is the first moment of the next */
PG_FUNCTION_INFO_V1(baseline_tile_end);
Datum
baseline_tile_end(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(TileEnd(PG_GETARG_TIMESTAMPTZ(0), TileLength(PG_GETARG_INTERVAL_P(1))));
}

/*
 * earlier(at, span): so much earlier, where a month is 30 days and a day 24
 * hours; -infinity before the beginning of time
 */
PG_FUNCTION_INFO_V1(baseline_earlier);
Datum
baseline_earlier(PG_FUNCTION_ARGS)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(0);
	Interval   *span = PG_GETARG_INTERVAL_P(1);
	int64		days = (int64) span->month * DAYS_PER_MONTH + span->day;
	int64		length;

	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &length) || pg_add_s64_overflow(length, span->time, &length) || length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a time span must not be negative, nor longer than all time")));
	if (TIMESTAMP_NOT_FINITE(at))
		PG_RETURN_TIMESTAMPTZ(at);
	if (pg_sub_s64_overflow(at, length, &at) || !IS_VALID_TIMESTAMP(at))
		PG_RETURN_TIMESTAMPTZ(DT_NOBEGIN);
	PG_RETURN_TIMESTAMPTZ(at);
}
