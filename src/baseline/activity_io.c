/*
 * activity_io.c
 *		The text and binary forms of activity.
 *
 * Both round-trip exactly; whatever comes in is checked before it is used.
 */
#include "postgres.h"

#include "activity.h"
#include "common/int.h"
#include "compat.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "text_form.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

/* ---- text ---------------------------------------------------------------- */

/*
 * ISO 8601 in UTC, to the microsecond, whatever DateStyle and TimeZone say.
 */
static void
AppendTime(StringInfo out, TimestampTz t)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(t, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("activity value is corrupted"),
				 errdetail_internal("%s", "A time is out of range.")));
	appendStringInfo(out, "\"%04d-%02d-%02dT%02d:%02d:%02d",
					 tm.tm_year > 0 ? tm.tm_year : 1 - tm.tm_year,
					 tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (fsec != 0)
		appendStringInfo(out, ".%06d", (int) fsec);
	appendStringInfoString(out, tm.tm_year > 0 ? "Z\"" : "Z BC\"");
}

/*
 * JSON.  A decayed count is written as the fraction that it is.
 */
PG_FUNCTION_INFO_V1(activity_out);
Datum
activity_out(PG_FUNCTION_ARGS)
{
	Activity   *a = PG_GETARG_ACTIVITY_P(0);
	StringInfoData out;

	ActivityAssert(a);
	initStringInfo(&out);
	appendStringInfo(&out, "{\"format\": %u, \"events\": " INT64_FORMAT ", \"first\": ",
					 a->format, ActivityEvents(a));
	AppendTime(&out, ActivityFirst(a));
	appendStringInfoString(&out, ", \"last\": ");
	AppendTime(&out, ActivityLast(a));
	if (ActivityIsTimes(a))
	{
		ActivityTimes *times = (ActivityTimes *) ActivityPack(a);

		appendStringInfoString(&out, ", \"times\": [");
		for (int i = 0; i < times->n; i++)
		{
			if (i > 0)
				appendStringInfoString(&out, ", ");
			AppendTime(&out, times->time[i]);
		}
		appendStringInfoString(&out, "]}");
		PG_RETURN_CSTRING(out.data);
	}
	appendStringInfoString(&out, ", \"decayed\": [");
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
		appendStringInfo(&out, "%s\"" UINT64_FORMAT "/2^%d\"", k ? ", " : "",
						 a->mantissa[k], 63 - a->exponent[k]);
	appendStringInfoString(&out, "], \"hours\": [");
	for (int i = 0; i < ACTIVITY_HOURS; i++)
		appendStringInfo(&out, "%s%u", i ? ", " : "", ActivityHour(a, i));
	appendStringInfoString(&out, "], \"weekdays\": [");
	for (int i = 0; i < ACTIVITY_WEEKDAYS; i++)
		appendStringInfo(&out, "%s%u", i ? ", " : "", a->weekday[i]);
	appendStringInfoString(&out, "]}");
	PG_RETURN_CSTRING(out.data);
}

/*
 * Reading back: each of these skips white space, moves the cursor, and is
 * false where the text is not what is wanted.
 */
static bool
ReadNumber(const char **cur, uint64 limit, uint64 *number)
{
	const char *p;
	uint64		n = 0;

	Expect(cur, "");
	for (p = *cur; *p >= '0' && *p <= '9'; p++)
	{
		unsigned	digit = *p - '0';

		if (n > (limit - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (p == *cur)
		return false;
	*cur = p;
	*number = n;
	return true;
}

static bool
ReadTime(const char **cur, TimestampTz *t)
{
	struct pg_tm tm;
	uint64		part[6];
	fsec_t		fsec = 0;
	static const char before[][2] = {"\"", "-", "-", "T", ":", ":"};

	for (int i = 0; i < 6; i++)
		if (!Expect(cur, before[i]) || !ReadNumber(cur, 999999, &part[i]))
			return false;
	if (**cur == '.')
	{
		const char *start = ++*cur;
		uint64		n;

		if (!ReadNumber(cur, 999999, &n) || *cur - start != 6)
			return false;
		fsec = (fsec_t) n;
	}
	if (!Expect(cur, "Z"))
		return false;

	memset(&tm, 0, sizeof(tm));
	tm.tm_year = (int) part[0];
	if (Expect(cur, "BC"))
		tm.tm_year = 1 - tm.tm_year;
	else if (tm.tm_year == 0)
		return false;
	if (part[1] < 1 || part[1] > MONTHS_PER_YEAR ||
		part[2] < 1 || part[2] > day_tab[isleap(tm.tm_year)][part[1] - 1] ||
		part[3] >= HOURS_PER_DAY || part[4] >= MINS_PER_HOUR || part[5] >= SECS_PER_MINUTE)
		return false;
	tm.tm_mon = (int) part[1];
	tm.tm_mday = (int) part[2];
	tm.tm_hour = (int) part[3];
	tm.tm_min = (int) part[4];
	tm.tm_sec = (int) part[5];
	return Expect(cur, "\"") && tm2timestamp(&tm, fsec, NULL, t) == 0;
}

static bool
ReadActivity(const char *cur, Activity *a)
{
	ActivityTimes *times = (ActivityTimes *) a;
	uint64		number;
	uint64		events;
	TimestampTz first;
	TimestampTz last;

	if (!Expect(&cur, "{") || !Expect(&cur, "\"format\"") || !Expect(&cur, ":") ||
		!ReadNumber(&cur, PG_UINT8_MAX, &number))
		return false;
	a->format = (uint8) number;
	if (!Expect(&cur, ",") || !Expect(&cur, "\"events\"") || !Expect(&cur, ":") ||
		!ReadNumber(&cur, PG_INT64_MAX, &events) ||
		!Expect(&cur, ",") || !Expect(&cur, "\"first\"") || !Expect(&cur, ":") ||
		!ReadTime(&cur, &first) ||
		!Expect(&cur, ",") || !Expect(&cur, "\"last\"") || !Expect(&cur, ":") ||
		!ReadTime(&cur, &last) || !Expect(&cur, ","))
		return false;
	if (ActivityIsTimes(a))
	{
		if (!Expect(&cur, "\"times\"") || !Expect(&cur, ":"))
			return false;
		do
		{
			if (times->n == ACTIVITY_TIMES ||
				!Expect(&cur, times->n ? "," : "[") || !ReadTime(&cur, &times->time[times->n]))
				return false;
			times->n++;
		} while (!Expect(&cur, "]"));
		return Expect(&cur, "}") && Expect(&cur, "") && *cur == '\0' &&
			times->n == events && ActivityFirst(a) == first && ActivityLast(a) == last;
	}
	a->first = first;
	a->last = last;
	if (!Expect(&cur, "\"decayed\"") || !Expect(&cur, ":"))
		return false;
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
	{
		if (!Expect(&cur, k ? "," : "[") || !Expect(&cur, "\"") ||
			!ReadNumber(&cur, PG_UINT64_MAX, &a->mantissa[k]) ||
			!Expect(&cur, "/2^") || !ReadNumber(&cur, 63, &number) ||
			!Expect(&cur, "\""))
			return false;
		a->exponent[k] = (uint8) (63 - number);
	}
	if (!Expect(&cur, "]") || !Expect(&cur, ",") || !Expect(&cur, "\"hours\"") || !Expect(&cur, ":"))
		return false;
	for (int i = 0; i < ACTIVITY_HOURS; i++)
	{
		if (!Expect(&cur, i ? "," : "[") || !ReadNumber(&cur, ACTIVITY_HOUR_MAX, &number))
			return false;
		ActivityAddHour(a, i, (uint32) number);
	}
	if (!Expect(&cur, "]") || !Expect(&cur, ",") || !Expect(&cur, "\"weekdays\"") || !Expect(&cur, ":"))
		return false;
	for (int i = 0; i < ACTIVITY_WEEKDAYS; i++)
	{
		if (!Expect(&cur, i ? "," : "[") || !ReadNumber(&cur, PG_UINT32_MAX, &number))
			return false;
		a->weekday[i] = (uint32) number;
	}
	return Expect(&cur, "]") && Expect(&cur, "}") && Expect(&cur, "") && *cur == '\0' &&
		ActivitySummaryEvents(a) == events;
}

PG_FUNCTION_INFO_V1(activity_in);
Datum
activity_in(PG_FUNCTION_ARGS)
{
	const char *in = PG_GETARG_CSTRING(0);
	Activity   *a = palloc0(sizeof(Activity));
	const char *fault;

	SET_VARSIZE(a, sizeof(Activity));
	if (!ReadActivity(in, a))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "activity", in),
				 errhint("activity_agg(timestamptz) builds an activity.")));
	if ((fault = ActivityFault(a)) != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type %s: \"%s\"", "activity", in),
				 errdetail_internal("%s", fault)));
	PG_RETURN_POINTER(ActivityPack(a));
}

PG_FUNCTION_INFO_V1(activity_send);
Datum
activity_send(PG_FUNCTION_ARGS)
{
	Activity   *a = PG_GETARG_ACTIVITY_P(0);
	StringInfoData buf;

	ActivityAssert(a);
	pq_begintypsend(&buf);
	pq_sendint8(&buf, a->format);
	if (ActivityIsTimes(a))
	{
		ActivityTimes *times = (ActivityTimes *) ActivityPack(a);

		pq_sendint8(&buf, times->n);
		for (int i = 0; i < times->n; i++)
			pq_sendint64(&buf, times->time[i]);
		PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
	}
	pq_sendint64(&buf, a->first);
	pq_sendint64(&buf, a->last);
	for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
	{
		pq_sendint64(&buf, a->mantissa[k]);
		pq_sendint8(&buf, a->exponent[k]);
	}
	for (int i = 0; i < ACTIVITY_HOURS; i++)
		pq_sendint32(&buf, ActivityHour(a, i));
	for (int i = 0; i < ACTIVITY_WEEKDAYS; i++)
		pq_sendint32(&buf, a->weekday[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(activity_recv);
Datum
activity_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	Activity   *a = palloc0(sizeof(Activity));
	const char *fault = NULL;

	SET_VARSIZE(a, sizeof(Activity));
	a->format = pq_getmsgbyte(buf);
	if (ActivityIsTimes(a))
	{
		ActivityTimes *times = (ActivityTimes *) a;

		times->n = pq_getmsgbyte(buf);
		for (int i = 0; i < Min(times->n, ACTIVITY_TIMES); i++)
			times->time[i] = pq_getmsgint64(buf);
	}
	else
	{
		a->first = pq_getmsgint64(buf);
		a->last = pq_getmsgint64(buf);
		for (int k = 0; k < ACTIVITY_HALF_LIVES; k++)
		{
			a->mantissa[k] = pq_getmsgint64(buf);
			a->exponent[k] = pq_getmsgbyte(buf);
		}
		for (int i = 0; i < ACTIVITY_HOURS; i++)
		{
			uint32		n = pq_getmsgint(buf, 4);

			if (n > ACTIVITY_HOUR_MAX)
				fault = "An hour's count is out of range.";
			else
				ActivityAddHour(a, i, n);
		}
		for (int i = 0; i < ACTIVITY_WEEKDAYS; i++)
			a->weekday[i] = pq_getmsgint(buf, 4);
	}
	if (fault == NULL)
		fault = ActivityFault(a);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "activity"),
				 errdetail_internal("%s", fault)));
	PG_RETURN_POINTER(ActivityPack(a));
}
