/*
 * activity_order.c
 *		Activities can be compared, so that they can be grouped and sorted.
 *
 * Two are equal when they are the same to the last bit of what is stored; what
 * order they have else means nothing.
 */
#include "postgres.h"

#include "activity.h"
#include "order.h"

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
	int			c = CompareBytes(a, b);

	/* A sort calls this often in the same memory context. */
	pfree(a);
	pfree(b);
	return c;
}

ORDER_FUNCTIONS(activity, CompareActivities);
HASH_FUNCTIONS(activity, Canonical);
