/*
 * budget.h
 *		The time and the memory that deciding messages may take.
 */
#ifndef ASSAY_BUDGET_H
#define ASSAY_BUDGET_H

#include "utils/elog.h"
#include "utils/palloc.h"

/* Milliseconds; 0: no limit */
extern int	assay_message_budget;

extern void BudgetInit(void);

/*
 * A statement begins that decides messages: from now on the time of what
 * RunProtected() runs is kept.  Calls may nest; the outermost counts.  What an
 * error leaves open ends with the transaction.  row: it is about one row, and
 * the rows of a statement have its time together.
 */
extern void BudgetStart(bool row);
extern void BudgetStop(void);

/* Another message, or another piece of it, has its time from now on. */
extern void BudgetNext(void);

/* ... and this piece has so many hundredths of it. */
extern void BudgetAllow(int percent);

/* A message is decided without its signals, since the statement's time is spent. */
extern void BudgetPass(void);

/*
 * What failed together begins again, message by message: it has half of the
 * statement's time, lest slow messages take that of those before them.
 */
extern void BudgetAgain(void);

/* What is between the pieces of a statement has so many times their time. */
#define BUDGET_BETWEEN	10

/*
 * What is not within a piece of its own, but between such pieces, has so many
 * times as much time as they: a statement that is decided message by message.
 * 0: as they.
 */
extern void BudgetLenient(int times);

/* What a row could not even begin with is not tried again for the other rows of its statement. */
extern void BudgetGiveUp(void);
extern bool BudgetGaveUp(void); /* the rows before this one */

/* Is it at work? */
extern bool BudgetRuns(void);

/*
 * Milliseconds that may be waited for who holds the configuration: less than the
 * time of a message, so that this is told from what takes long.  0: there is no
 * limit.
 */
extern int	BudgetToWait(void);

/* Has the statement used up what it may take beyond its fair share? */
extern bool BudgetIsSpent(void);

/* The fault of what it has not come to in its time */
#define STATEMENT_IS_SPENT	"the time budget of the statement is spent"

/* RunProtected() begins, and ends */
extern void BudgetEnter(void);
extern void BudgetLeave(void);

/* Was the error of this code, just caught, made by the budget?  Then this is to be its message. */
extern bool BudgetCaught(int sqlerrcode);
extern char *BudgetMessage(void);

/* Does it say so? */
extern bool BudgetMade(const ErrorData *error);

/* Error where a message's conditions took more memory than they may */
extern void BudgetCheckMemory(MemoryContext context);

/* Bytes of a row from which on its conditions are evaluated one by one */
extern Size BudgetLargeRow(void);

#endif							/* ASSAY_BUDGET_H */
