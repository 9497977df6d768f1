/*
 * budget.c
 *		The time that deciding one message may take.
 *
 * A condition may run for hours (a regular expression that goes wrong over a
 * long text), and a signal may wait for a lock.  While messages are decided a
 * timer ticks; where two ticks find the same piece of work as the one before
 * them, this is canceled as by the user, wherever PostgreSQL looks for that,
 * and RunProtected() makes a fault of it.  So a piece of work is canceled
 * after one to one and a half budgets, and a message costs a comparison only.
 *
 * A cancel by the user or by a timeout is told from ours where it came first,
 * or by the timeout's own mark.  A user's that arrives within the moment in
 * which ours does, before RunProtected() took note of either, is lost.
 */
#include "postgres.h"

#include <limits.h>

#include "budget.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define BUDGET_DEFAULT	1000
#define TICKS			2		/* in a budget */

int			assay_message_budget = BUDGET_DEFAULT;

static TimeoutId timer;
static bool registered = false; /* in this process */
static int	started = 0;		/* depth of BudgetStart() */
static bool ticking = false;
static bool statement_timeout_ran;	/* when it began to tick */

/* What the handler reads or writes */
static volatile int paused = 0; /* depth of BudgetPause() */
static volatile int entered = 0;	/* depth of BudgetEnter() while started */
static volatile uint64 piece = 0;
static volatile uint64 seen = 0;
static volatile int ticks = 0;
static volatile bool spent = false;

static void
Tick(void)
{
	if (entered == 0 || paused > 0 || seen != piece)
	{
		seen = piece;
		ticks = 0;
		return;
	}
	if (++ticks < TICKS || QueryCancelPending)
		return;
	spent = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

void
BudgetInit(void)
{
	DefineCustomIntVariable("assay.message_budget",
							"Time that a piece of deciding one message may take.",
							"A detector, or the reading of the signals, that takes longer is a fault. Zero: no limit.",
							&assay_message_budget,
							BUDGET_DEFAULT, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
}

void
BudgetStart(void)
{
	int			delay = Max(assay_message_budget / TICKS, 1);

	if (started++ > 0 || assay_message_budget == 0)
		return;
	if (!registered)
		timer = RegisterTimeout(USER_TIMEOUT, Tick);
	registered = true;
	entered = 0;
	spent = false;
	statement_timeout_ran = get_timeout_active(STATEMENT_TIMEOUT);
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay),
						 delay);
	ticking = true;
}

/* A cancel of ours that nobody took note of is over with its piece of work. */
static void
Forget(void)
{
	if (!spent)
		return;
	spent = false;
	if (!get_timeout_indicator(STATEMENT_TIMEOUT, false) &&
		!get_timeout_indicator(LOCK_TIMEOUT, false))
		QueryCancelPending = false;
}

void
BudgetStop(void)
{
	if (--started > 0 || !ticking)
		return;
	ticking = false;
	entered = 0;
	disable_timeout(timer, false);
	Forget();
}

void
BudgetNext(void)
{
	piece++;
	if (unlikely(spent))
		Forget();
}

void
BudgetPause(void)
{
	paused++;
	BudgetNext();
}

void
BudgetResume(void)
{
	paused--;
	BudgetNext();
}

void
BudgetEnter(void)
{
	if (!ticking)
		return;
	BudgetNext();
	entered++;
}

void
BudgetLeave(void)
{
	if (!ticking)
		return;
	entered--;
	BudgetNext();
}

bool
BudgetCaught(ErrorData *error)
{
	if (!spent || error->sqlerrcode != ERRCODE_QUERY_CANCELED)
		return false;
	if (statement_timeout_ran && !get_timeout_active(STATEMENT_TIMEOUT))
		return false;
	Forget();					/* it may have come again since it was raised */
	error->message = psprintf("canceled after the time budget of a message, %d ms",
							  assay_message_budget);
	return true;
}
