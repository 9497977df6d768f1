/*
 * protect.c
 *		Run something that may fail, in a subtransaction of its own where there can be one.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "budget.h"
#include "cursors.h"
#include "encoding.h"
#include "protect.h"
#include "steady_time.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* Told of errors that are raised beside workers by who leads them */
#define OWN_CONTEXT "evaluation beside parallel workers"

/* Was it raised in a file of the server's own by this name? */
static bool
RaisedIn(const ErrorData *error, const char *file)
{
	const char *slash = error->filename ? strrchr(error->filename, '/') : NULL;

	return error->filename && strcmp(slash ? slash + 1 : error->filename, file) == 0;
}

/*
 * A cancel of this backend, a serialization failure of this transaction, or the
 * failure of who applies a subscription's beside it is for the whole transaction;
 * anything else costs only what failed.  The SQLSTATE does not tell: any function
 * may raise it, and a foreign server's statement_timeout, or a deadlock whose locks
 * go with the subtransaction, is an error like others.  So is a lock that was not
 * had in time, and a cancel for the time of a message, of which whoever ran
 * protected within has taken note.
 */
static bool
IsForTransaction(const ErrorData *error)
{
	if (error->elevel > ERROR)
		return true;
	if (BudgetMade(error))
		return false;
	if (error->funcname && strncmp(error->funcname, "ProcessInterrupts", 17) == 0)
		return error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE;
	if (error->funcname && strncmp(error->funcname, "ProcessRecoveryConflict", 23) == 0)
		return true;
	if (RaisedIn(error, "applyparallelworker.c"))
		return true;
	return error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE &&
		RaisedIn(error, "predicate.c");
}

/* What is kept of a message, which may be as long as a text that it quotes */
char	   *
CutMessage(const char *message)
{
	int			len = strlen(message);
	int			kept = len <= FAULT_MESSAGE_MAX ? len : ClipText(message, len, FAULT_MESSAGE_MAX - 3);
	char	   *cut = palloc(kept + 4);

	memcpy(cut, message, kept);
	strcpy(cut + kept, kept < len ? "..." : "");
	return cut;
}

/*
 * Run it where there is no subtransaction: for what calls nothing but the
 * server's own functions of values, which leave behind no more than memory,
 * and what a resource owner knows.
 */
static ErrorData *
RunWithoutSubtransaction(void (*run) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ResourceOwner mine = ResourceOwnerCreate(owner, "pg_assay");
	ErrorData  *volatile error = NULL;

	CurrentResourceOwner = mine;
	PG_TRY();
	{
		run(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		LWLockReleaseAll();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	ResourceOwnerRelease(mine, RESOURCE_RELEASE_BEFORE_LOCKS, error == NULL, false);
	ResourceOwnerRelease(mine, RESOURCE_RELEASE_LOCKS, error == NULL, false);
	ResourceOwnerRelease(mine, RESOURCE_RELEASE_AFTER_LOCKS, error == NULL, false);
	ResourceOwnerDelete(mine);
	return error;
}

/*
 * Copy the error, and roll back.  What was raised again from a copy points to that
 * copy's own names, which the subtransaction takes along.  Where there is no memory
 * to copy it, that is an error of the caller's, without our subtransaction left
 * open under his.
 */
static ErrorData *
CopyAndRollBack(MemoryContext context, ResourceOwner owner)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_CATCH();
	{
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
		MemoryContextSwitchTo(context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(context);
	return error;
}

/* Run it in a subtransaction, where there can be one; whether the error is of the budget, too. */
static ErrorData *
RunForError(void (*run) (void *arg), void *arg, bool *budget)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	volatile bool late = false;
	int			hidden;

	if (!CanProtect())
		return RunWithoutSubtransaction(run, arg);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		hidden = HideSession();
		BudgetEnter();
		run(arg);
		ShowSession(hidden);
		BudgetLeave();
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		late = BudgetCaught(geterrcode());
		BudgetLeave();
		error = CopyAndRollBack(context, owner);
		if (late)
			error->message = BudgetMessage();
	}
	PG_END_TRY();
	*budget = late;
	return error;
}

/*
 * Who leads parallel workers raises their errors in the midst of what runs, and none
 * of what surrounds that then is in the context of the error, but what surrounds the
 * query that they work for.  To go on would be to wait for ever for the worker, of
 * whose end nothing else tells.
 */
static void
MarkOwn(void *arg)
{
	errcontext(OWN_CONTEXT);
}

/* How often what surrounds this adds the mark */
static int
MarksHere(void)
{
	int			n = 0;

	for (ErrorContextCallback *c = error_context_stack; c; c = c->previous)
		n += c->callback == MarkOwn;
	return n;
}

static bool
IsOfWorker(const ErrorData *error, int marks)
{
	const char *at = error->context;

	while (at && marks > 0 && (at = strstr(at, OWN_CONTEXT)) != NULL)
	{
		at += strlen(OWN_CONTEXT);
		marks--;
	}
	return marks > 0;
}

ErrorData  *
RunProtected(void (*run) (void *arg), void *arg)
{
	ErrorContextCallback own = {error_context_stack, MarkOwn, NULL};
	bool		leads = IsInParallelMode() && !IsParallelWorker();
	bool		budget = false;
	ErrorData  *error;

	if (leads)
		error_context_stack = &own;
	error = RunForError(run, arg, &budget);
	error_context_stack = own.previous;

	if (error && ((leads && IsOfWorker(error, MarksHere() + 1)) || (!budget && IsForTransaction(error))))
		ReThrowError(error);
	if (error)
		error->message = CutMessage(error->message ? error->message : "unknown error");

	/*
	 * It may be of a worker of a query within, read before what ours have to
	 * say.
	 */
	if (error && leads)
		HandleParallelMessageInterrupt();
	return error;
}

/* What has waited for a lock in vain hardly waits any more for so long. */
#define IMPATIENT_MS	1000

bool
IsImpatient(const Patience *p)
{
	return SteadyTime() < p->lost_until;
}

ErrorData  *
RunPatiently(Patience *p, void (*run) (void *arg), void *arg)
{
	ErrorData  *error = RunProtected(run, arg);

	if (error && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		p->lost_until = SteadyTime() + IMPATIENT_MS * (int64) 1000;
	return error;
}
