/*
 * activity_window.c
 *		activity_agg over a moving window frame, without computing it anew.
 *
 * The first and last time of a sum can't be taken out of it again, so there is
 * no inverse.  But rows leave a frame in the order in which they came, and for
 * a queue two stacks will do: rows are pushed on one, whose sum is kept; they
 * are popped from another, which holds at each height the sum of all below.
 * When the second runs empty, the first is turned over into it.  Each row is
 * added three times at most, and nothing is ever subtracted.
 */
#include "postgres.h"

#include "activity.h"
#include "fmgr.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct Stack
{
	Activity   *item;
	int64		n;
	int64		room;
} Stack;

/* Tells our states from those of other aggregates, which are `internal` too */
#define WINDOW_MAGIC	0x57494e41

typedef struct Window
{
	uint32		magic;			/* WINDOW_MAGIC */
	MemoryContext context;		/* where the stacks live */
	Stack		in;				/* rows as they came; the newest is on top */
	Activity	in_sum;			/* of `in`, when that isn't empty */
	Stack		out;			/* sums; the top's oldest row leaves next */
} Window;

/*
 * The place for one more item
 */
static Activity *
Grow(Window *w, Stack *s)
{
	if (s->n == s->room)
	{
		int64		room = s->room == 0 ? 16 : s->room * 2;
		Size		size = mul_size(room, sizeof(Activity));

		s->item = s->item == NULL ?
			MemoryContextAllocHuge(w->context, size) :
			repalloc_huge(s->item, size);
		s->room = room;
	}
	return &s->item[s->n++];
}

/*
 * The memory of the aggregate that calls; by itself no such function may run,
 * as its argument is a pointer.
 */
static MemoryContext
CallerContext(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function of an aggregate's state cannot be called by itself")));
	return context;
}

/*
 * The state of this aggregate call, made when there is none yet
 */
static Window *
GetWindow(FunctionCallInfo fcinfo)
{
	MemoryContext context = CallerContext(fcinfo);
	Window	   *w;

	if (!PG_ARGISNULL(0))
	{
		w = (Window *) PG_GETARG_POINTER(0);
		if (w->magic != WINDOW_MAGIC)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("state is not one of a moving activity_agg")));
		return w;
	}
	w = MemoryContextAllocZero(context, sizeof(Window));
	w->magic = WINDOW_MAGIC;
	w->context = context;
	return w;
}

static void
Push(Window *w, const Activity *a)
{
	ActivityLoad(Grow(w, &w->in), a);
	if (w->in.n == 1)
		ActivityLoad(&w->in_sum, a);
	else
		ActivityAdd(&w->in_sum, a);
}

static void
Pop(Window *w)
{
	if (w->out.n == 0)
	{
		while (w->in.n > 0)
		{
			Activity   *a = &w->in.item[--w->in.n];
			Activity   *sum = Grow(w, &w->out);

			memcpy(sum, a, sizeof(Activity));
			if (w->out.n > 1)
				ActivityAdd(sum, sum - 1);
		}
	}
	if (w->out.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a row leaves a window frame that it never entered")));
	w->out.n--;
}

PG_FUNCTION_INFO_V1(activity_window_accum);
Datum
activity_window_accum(PG_FUNCTION_ARGS)
{
	Window	   *w = GetWindow(fcinfo);

	if (!PG_ARGISNULL(1) && !TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(1)))
	{
		Activity	a;

		ActivityInit(&a, PG_GETARG_TIMESTAMPTZ(1));
		Push(w, &a);
	}
	PG_RETURN_POINTER(w);
}

PG_FUNCTION_INFO_V1(activity_window_accum_inverse);
Datum
activity_window_accum_inverse(PG_FUNCTION_ARGS)
{
	Window	   *w = GetWindow(fcinfo);

	if (!PG_ARGISNULL(1) && !TIMESTAMP_NOT_FINITE(PG_GETARG_TIMESTAMPTZ(1)))
		Pop(w);
	PG_RETURN_POINTER(w);
}

PG_FUNCTION_INFO_V1(activity_window_add);
Datum
activity_window_add(PG_FUNCTION_ARGS)
{
	Window	   *w = GetWindow(fcinfo);

	if (!PG_ARGISNULL(1))
		Push(w, PG_GETARG_ACTIVITY_P(1));
	PG_RETURN_POINTER(w);
}

PG_FUNCTION_INFO_V1(activity_window_add_inverse);
Datum
activity_window_add_inverse(PG_FUNCTION_ARGS)
{
	Window	   *w = GetWindow(fcinfo);

	if (!PG_ARGISNULL(1))
		Pop(w);
	PG_RETURN_POINTER(w);
}

/*
 * The sum of both stacks; NULL for a frame without events
 */
PG_FUNCTION_INFO_V1(activity_window_final);
Datum
activity_window_final(PG_FUNCTION_ARGS)
{
	Window	   *w;
	Activity	sum;

	w = GetWindow(fcinfo);
	if (w->in.n == 0 && w->out.n == 0)
		PG_RETURN_NULL();

	memcpy(&sum, w->out.n > 0 ? &w->out.item[w->out.n - 1] : &w->in_sum, sizeof(Activity));
	if (w->out.n > 0 && w->in.n > 0)
		ActivityAdd(&sum, &w->in_sum);
	PG_RETURN_POINTER(ActivityPack(&sum));
}
