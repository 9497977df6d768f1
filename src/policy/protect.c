/*
 * protect.c
 *		Run something that may fail in a subtransaction of its own.
 */
#include "postgres.h"

#include "budget.h"
#include "protect.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/*
 * A cancel, a shutdown, a serialization failure or a deadlock is for the whole
 * transaction; anything else costs only what failed.
 */
static bool
IsForTransaction(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return error->elevel > ERROR ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK);
}

ErrorData  *
RunProtected(void (*run) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool late = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		BudgetEnter();
		run(arg);
		BudgetLeave();
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		late = BudgetCaught(error);
		BudgetLeave();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_END_TRY();

	if (error && !late && IsForTransaction(error))
		ReThrowError(error);
	return error;
}
