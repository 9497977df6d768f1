/*
 * budget.c
 *		The time and the memory that deciding messages may take.
 *
 * A condition may run for hours (a regular expression that goes wrong over a
 * long text), and a signal may wait for a lock.  While messages are decided a
 * timer ticks; where so many ticks find the same piece of work as the one
 * before them, this is canceled as by the user, wherever PostgreSQL looks for
 * that, and RunProtected() makes a fault of it.  So a piece of work is
 * canceled within a tick of its budget, and a message costs a comparison only.
 *
 * A statement of many messages may take its fair share, and beyond that
 * assay.statement_budget: then its running piece is canceled, and
 * BudgetIsSpent() tells whoever would begin another.  A message that is passed
 * by for that brings a tenth of its share, so that those far enough behind what
 * took all have time again.
 *
 * A cancel by the user or by a timeout is told from ours where it came first,
 * or by the timeout's own mark.  A user's that arrives within the moment in
 * which ours does, before RunProtected() took note of either, is lost.
 */
#include "postgres.h"

#include <float.h>
#include <limits.h>

#include "access/xact.h"
#include "budget.h"
#include "compat.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "security.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define BUDGET_DEFAULT	1000
#define STATEMENT_BUDGET_DEFAULT	10000
#define MESSAGE_MEMORY_DEFAULT	(256 * 1024)	/* kB */
#define MESSAGE_MEMORY_MIN	1024
#define TICKS			20		/* in a message's budget */
#define CANCELED_AFTER	"canceled after the time budget of "

/* A message's fair share of its budget, in a statement of many */
#define FAIR_SHARE		100

/* One that is evaluated brings so many times the share of one that isn't. */
#define TENTHS			10

int			assay_message_budget = BUDGET_DEFAULT;
static int	statement_budget = STATEMENT_BUDGET_DEFAULT;
static int	message_memory = MESSAGE_MEMORY_DEFAULT;

static TimeoutId timer;
static bool registered = false; /* in this process */
static int	started = 0;		/* depth of BudgetStart() */
static bool ticking = false;
static bool statement_timeout_ran;	/* when it began to tick */

/* What the handler reads or writes */
static volatile int entered = 0;	/* depth of BudgetEnter() while started */
static volatile uint64 piece = 0;
static volatile uint64 seen = 0;
static volatile int allowed = TICKS;	/* of the piece at work */
static volatile int ticks = 0;	/* that found it */
static volatile int statement_ticks = 0;
static volatile uint64 shares = 0;	/* tenths, of the statement's messages */
static volatile int tick_ms = 0;
static volatile bool spent = false;
static volatile bool lenient = false;
static volatile int lenient_ticks = 0;	/* of a piece between pieces, then */
static volatile double lenient_until = 0;	/* of the statement's, then */
static volatile double lenient_end = 0; /* of what is between pieces, too */

/*
 * Statements whose rows are decided one by one, each by a call of the trigger:
 * what they took so far.  One may be within another.
 */
#define ROW_STATEMENTS	4

typedef struct RowStatement
{
	LocalTransactionId lxid;
	CommandId	cid;			/* of its snapshot: no other statement has it */
	double		ms;
	double		most;			/* that the session's timeouts leave it */
	uint64		shares;
} RowStatement;

static RowStatement row_statements[ROW_STATEMENTS];
static uint32 next_row_statement = 0;
static RowStatement *of_rows = NULL;	/* the one at work, or NULL */
static instr_time began;
static double before_ms = 0;	/* what it took before this call */
static double most_ms = DBL_MAX;	/* what it may take in all */

/* How many ticks a statement may take that has come so far */
static double
StatementTicks(void)
{
	double		all = ((double) statement_budget +
					   (double) shares * assay_message_budget / (FAIR_SHARE * TENTHS)) / Max(tick_ms, 1);

	all = Min(all, most_ms / Max(tick_ms, 1));
	return lenient ? Min(all, lenient_until) : all;
}

bool
BudgetIsSpent(void)
{
	return ticking && statement_budget > 0 &&
		statement_ticks + before_ms / Max(tick_ms, 1) > StatementTicks();
}

/* Would what is between the pieces run into a timeout of the session's? */
static bool
IsOver(void)
{
	return statement_ticks + before_ms / Max(tick_ms, 1) > lenient_end;
}

/*
 * Ticks for so many hundredths of a message's budget: fewer once half of the
 * statement's is used up, so that messages that take long leave something to
 * those behind them.
 */
static int
Allowance(int percent)
{
	double		share = 1;

	if (ticking && statement_budget > 0)
		share = 2 * (1 - (statement_ticks + before_ms / Max(tick_ms, 1)) / StatementTicks());
	return Max((int) (TICKS * percent / 100 * Min(share, 1)), 2);
}

static void
Tick(void)
{
	bool		late;

	statement_ticks++;
	if (entered == 0)
		return;
	late = seen == piece && ++ticks >= (lenient && entered == 1 ? lenient_ticks : allowed);
	if (seen != piece)
	{
		seen = piece;
		ticks = 0;
	}

	/*
	 * Past the statement's budget no piece gets more than a tick, nor what is
	 * between them past the session's.
	 */
	if (!late && !(ticks > 0 && (lenient && entered == 1 ? IsOver() : BudgetIsSpent())))
		return;
	if (QueryCancelPending)
		return;
	spent = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/* The transaction, or what failed of it, ends: nothing is at work any more. */
static void
Reset(void)
{
	started = 0;
	entered = 0;
	if (ticking)
		disable_timeout(timer, false);
	ticking = false;
	spent = false;
	of_rows = NULL;
}

static void
EndTransaction(XactEvent event, void *arg)
{
	if (started > 0)
		Reset();
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
	DefineCustomIntVariable("assay.statement_budget",
							"Time that a statement may take to decide its messages, beyond a fair share for each.",
							"Messages that it has not come to by then are decided without their signals. Zero: no limit.",
							&statement_budget,
							STATEMENT_BUDGET_DEFAULT, 0, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("assay.message_memory",
							"Memory that the conditions of one message may take.",
							"It is looked at between conditions: one that takes more is a fault.",
							&message_memory,
							MESSAGE_MEMORY_DEFAULT, MESSAGE_MEMORY_MIN, MAX_KILOBYTES,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	RegisterXactCallback(EndTransaction, NULL);
}

/* The statement whose trigger is called for a row, known or new */
static RowStatement *
FindRowStatement(void)
{
	LocalTransactionId lxid = MyLocalTransactionId();
	CommandId	cid = ActiveSnapshotSet() ? GetActiveSnapshot()->curcid : InvalidCommandId;
	RowStatement *r;

	for (int i = 0; i < ROW_STATEMENTS; i++)
		if (row_statements[i].lxid == lxid && row_statements[i].cid == cid)
			return &row_statements[i];
	r = &row_statements[next_row_statement++ % ROW_STATEMENTS];
	r->lxid = lxid;
	r->cid = cid;
	r->ms = 0;
	r->most = TimeLeft();
	r->shares = 0;
	return r;
}

void
BudgetStart(bool row)
{
	if (started++ > 0 || assay_message_budget == 0)
		return;
	if (!registered)
		timer = RegisterTimeout(USER_TIMEOUT, Tick);
	registered = true;
	entered = 0;
	spent = false;
	statement_ticks = 0;
	of_rows = row ? FindRowStatement() : NULL;
	before_ms = row ? of_rows->ms : 0;
	most_ms = row ? of_rows->most : DBL_MAX;
	shares = row ? of_rows->shares : 0;
	if (row)
		INSTR_TIME_SET_CURRENT(began);
	lenient = false;
	allowed = TICKS;
	tick_ms = Max(assay_message_budget / TICKS, 1);
	statement_timeout_ran = get_timeout_active(STATEMENT_TIMEOUT);
	enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), tick_ms),
						 tick_ms);
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
	if (started == 0 || --started > 0 || !ticking)
		return;
	ticking = false;
	entered = 0;
	disable_timeout(timer, false);
	Forget();
	if (of_rows)
	{
		instr_time	now;

		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, began);
		of_rows->ms += INSTR_TIME_GET_MILLISEC(now);
		of_rows->shares = shares;
		of_rows = NULL;
	}
}

void
BudgetNext(void)
{
	piece++;
	shares += TENTHS;
	allowed = Allowance(100);
	if (unlikely(spent))
		Forget();
}

void
BudgetPass(void)
{
	shares++;
}

void
BudgetGiveUp(void)
{
	if (of_rows)
		of_rows->ms = INT_MAX;
}

bool
BudgetGaveUp(void)
{
	return ticking && of_rows && before_ms >= INT_MAX;
}

bool
BudgetRuns(void)
{
	return ticking;
}

int
BudgetToWait(void)
{
	return assay_message_budget / 2 + assay_message_budget % 2;
}

/* Those of a row trigger are one after the other from the beginning. */
void
BudgetAgain(void)
{
	if (ticking && of_rows == NULL)
		statement_ticks = Min(statement_ticks, (int) (StatementTicks() / 2));
}

void
BudgetAllow(int percent)
{
	piece++;
	allowed = Allowance(percent);
	if (unlikely(spent))
		Forget();
}

/*
 * What goes message by message, since something fails or waits for a lock, must
 * not run into a timeout of the session's for that: it has three quarters of what
 * is left until then, and half of it between the pieces, both no more than seven eighths.
 */
void
BudgetLenient(int times)
{
	lenient_ticks = TICKS * times;
	lenient_until = lenient_end = DBL_MAX;
	if (times > 0 && ticking)
	{
		double		left = (double) TimeLeft() / tick_ms;

		lenient_ticks = Max(Min(lenient_ticks, left * 2 / 3), 2);
		lenient_until = statement_ticks + before_ms / tick_ms + left;
		lenient_end = lenient_until + left / 6;
	}
	lenient = times > 0;
}

void
BudgetEnter(void)
{
	if (!ticking)
		return;
	piece++;
	Forget();
	entered++;
}

void
BudgetLeave(void)
{
	if (!ticking)
		return;
	entered--;
	piece++;
	Forget();
}

bool
BudgetCaught(int sqlerrcode)
{
	if (!spent || sqlerrcode != ERRCODE_QUERY_CANCELED)
		return false;
	if (statement_timeout_ran && !get_timeout_active(STATEMENT_TIMEOUT))
		return false;
	Forget();					/* it may have come again since it was raised */
	return true;
}

char	   *
BudgetMessage(void)
{
	return BudgetIsSpent() ?
		psprintf(CANCELED_AFTER "a statement, %d ms and a share for each message", statement_budget) :
		psprintf(CANCELED_AFTER "a message, %d ms", assay_message_budget);
}

bool
BudgetMade(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->message &&
		strncmp(error->message, CANCELED_AFTER, strlen(CANCELED_AFTER)) == 0;
}

void
BudgetCheckMemory(MemoryContext context)
{
	if (likely(MemoryContextMemAllocated(context, true) <= (Size) message_memory * 1024))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("more memory was used for one message than assay.message_memory, %d kB",
					message_memory)));
}

Size
BudgetLargeRow(void)
{
	return (Size) message_memory * 1024 / 256;
}
