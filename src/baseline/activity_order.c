/*
 * activity_order.c
 *		Activities can be compared, so that they can be grouped and sorted.
 *
 * Two are equal when they are the same to the last bit of what is stored; what
 * order they have else means nothing.
 */
#include "postgres.h"

#include "activity.h"
#include "common/hashfn.h"
#include "fmgr.h"

/* The bytes of an activity as it is stored */
static Activity *
Canonical(FunctionCallInfo fcinfo, int arg)
{
	return ActivityPack(DatumGetActivityP(PG_GETARG_DATUM(arg)));
}

static int
CompareActivities(FunctionCallInfo fcinfo)
{
	Activity   *a = Canonical(fcinfo, 0);
	Activity   *b = Canonical(fcinfo, 1);
	int			c = memcmp(a, b, Min(VARSIZE(a), VARSIZE(b)));

	if (c == 0)
		c = (VARSIZE(a) > VARSIZE(b)) - (VARSIZE(a) < VARSIZE(b));
	/* A sort calls this often in the same memory context. */
	pfree(a);
	pfree(b);
	return c;
}

PG_FUNCTION_INFO_V1(activity_cmp);
Datum
activity_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(CompareActivities(fcinfo));
}

PG_FUNCTION_INFO_V1(activity_eq);
Datum
activity_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareActivities(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(activity_ne);
Datum
activity_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareActivities(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(activity_lt);
Datum
activity_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareActivities(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(activity_le);
Datum
activity_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareActivities(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(activity_gt);
Datum
activity_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareActivities(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(activity_ge);
Datum
activity_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CompareActivities(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(activity_hash);
Datum
activity_hash(PG_FUNCTION_ARGS)
{
	Activity   *a = Canonical(fcinfo, 0);

	return hash_any((unsigned char *) a, VARSIZE(a));
}

PG_FUNCTION_INFO_V1(activity_hash_extended);
Datum
activity_hash_extended(PG_FUNCTION_ARGS)
{
	Activity   *a = Canonical(fcinfo, 0);

	return hash_any_extended((unsigned char *) a, VARSIZE(a), PG_GETARG_INT64(1));
}
