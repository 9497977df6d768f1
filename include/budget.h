/*
 * budget.h
 *		The time that deciding one message may take.
 */
#ifndef ASSAY_BUDGET_H
#define ASSAY_BUDGET_H

/* Milliseconds; 0: no limit */
extern int	assay_message_budget;

extern void BudgetInit(void);

/* Keep the time of what RunProtected() runs, from now on; calls may nest. */
extern void BudgetStart(void);
extern void BudgetStop(void);

/* Another message begins: it has all the time again. */
extern void BudgetNext(void);

/* What is made for later messages too takes no message's time. */
extern void BudgetPause(void);
extern void BudgetResume(void);

/* RunProtected() begins, and ends */
extern void BudgetEnter(void);
extern void BudgetLeave(void);

/* Was this error, just caught, made by the budget?  Then it says so now. */
extern bool BudgetCaught(ErrorData *error);

#endif							/* ASSAY_BUDGET_H */
