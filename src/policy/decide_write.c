/*
 * decide_write.c
 *		What a statement's decisions leave: rows, notifications, and faults.
 *
 * Where the decision table runs nothing of a user's (decision_table.c), they
 * are written outside of a subtransaction, and where it can be without a query;
 * else, or when a key may be too long for its index, or is there already, in a
 * subtransaction, and one by one if that fails.
 *
 * Another session may hold the table for long (CREATE INDEX, VACUUM FULL), or the
 * decision about a key that comes again (SELECT ... FOR UPDATE): it is waited for
 * the time of a message, and then half of that each time, until what is tried is
 * had again.  A statement that has waited so a few times hardly waits any more.
 *
 * Such a table may fail all the same: its disk is full, its index damaged.  What
 * was written outside of a subtransaction takes the statement along then.  So
 * the first write of a session is made in one, and after a failure all are for a
 * while: a client that tries again has its messages stored, if undecided.
 */
#include "postgres.h"

#include "budget.h"
#include "compat.h"
#include "decide_write.h"
#include "direct_write.h"
#include "miscadmin.h"
#include "notify.h"
#include "protect.h"
#include "security.h"
#include "shards.h"
#include "steady_time.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/queryenvironment.h"
#include "utils/snapmgr.h"

/* Faults kept of one statement; the ledgers have them all */
#define STATEMENT_FAULTS_MAX	100

/* So long no write is taken for sure after one that was failed */
#define UNSURE_SECONDS	60

/* Milliseconds that are waited for a lock, however often it was in vain */
#define PATIENCE_MIN	10

/* A statement waits in vain for so many times the budget of a message, then hardly */
#define WAIT_BUDGETS	3

/*
 * Faults
 */

/* Note a fault of the statement, with the key in d->values or without. */
void
AddFault(Decide *d, const char *detector, const char *sqlstate, const char *message,
		 bool with_key, bool suspended, bool lasting)
{
	MemoryContext old;
	PolicyFault *fault;

	if (list_length(d->faults) >= STATEMENT_FAULTS_MAX)
		return;
	old = MemoryContextSwitchTo(d->context);
	fault = MakeFault(detector, sqlstate, message,
					  with_key ? KeyText(d->plans->table, d->values, d->nulls) : NULL);
	fault->suspended = suspended;
	fault->lasting = lasting;
	d->faults = lappend(d->faults, fault);
	MemoryContextSwitchTo(old);
}

/* Has the policy, its view or its decision table changed since the plans were made? */
bool
IsOutdated(Decide *d)
{
	return d->plans == NULL || !DecidePlansHold(d->plans) ||
		d->entry == NULL || !PolicyEntryHolds(d->entry);
}

/*
 * Writing
 */

static void
WriteOne(Decide *d)
{
	int			n = d->plans->table->desc->natts;
	char	   *nulls = palloc(n);
	int			ret;

	for (int i = 0; i < n; i++)
		nulls[i] = d->nulls[i] ? 'n' : ' ';
	ret = SPI_execute_plan(d->plans->insert_one, d->values, nulls, false, 0);
	if (ret != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(ret));
}

static void
WriteMany(Decide *d)
{
	/* Of the SPI connection, in which an error leaves it */
	EphemeralNamedRelation enr = MemoryContextAllocZero(d->context, sizeof(*enr));
	int			ret;

	enr->md.name = DECISIONS_NAME;
	enr->md.tupdesc = d->plans->table->desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = d->ndecisions;
	enr->reldata = d->store;
	(void) SPI_unregister_relation(DECISIONS_NAME);
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
	ret = SPI_execute_plan(d->plans->insert_many, NULL, NULL, false, 0);
	if (SPI_unregister_relation(DECISIONS_NAME) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "SPI_unregister_relation failed");
	if (ret != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(ret));
}

/*
 * Lock the table before a query finds it by its name.  Whoever had it meanwhile
 * may have renamed it, or given it away: that name may be another table's now,
 * whose triggers would run as the policy's owner.
 */
static void
LockDecisions(Decide *d, Security *security)
{
	PolicyIdentity *id = d->plans->id;

	if (d->patience > 0)
		WaitNoLonger(security, d->patience);
	LockRelationOid(id->decision, RowExclusiveLock);
	if (!IdentityIsPlaced(id, id->decision, id->decision_name))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("decision table of policy \"%s\" was replaced meanwhile", id->policy)));
}

/* As the policy's owner: the table may have triggers of anybody's. */
static void
RunWrite(void *arg)
{
	Decide	   *d = arg;
	Security	security;

	EnterOwner(&security, d->plans->id->owner, d->plans->id->search_path);
	LockDecisions(d, &security);
	if (d->single)
		WriteOne(d);
	else
		WriteMany(d);
	LeaveSecurity(&security);
}

/* The decision in d->values, by a statement into a table that runs nothing */
static void
RunWriteOne(void *arg)
{
	Decide	   *d = arg;
	Security	security;

	EnterToWrite(&security, d->plans->id->owner, d->plans->id->search_path);
	LockDecisions(d, &security);
	WriteOne(d);
	LeaveSecurity(&security);
}

/*
 * What the statement may wait for locks.  Row triggers are called for each row of
 * it, so that the plans know, by the command of their snapshot.
 */
static void
CountWaits(DecidePlans *plans)
{
	LocalTransactionId lxid = MyLocalTransactionId();
	CommandId	cid = ActiveSnapshotSet() ? GetActiveSnapshot()->curcid : InvalidCommandId;

	if (plans->wait_lxid == lxid && plans->wait_cid == cid)
		return;
	plans->wait_lxid = lxid;
	plans->wait_cid = cid;
	plans->waited = false;
	plans->wait_left = (int64) assay_message_budget * WAIT_BUDGETS;
	plans->time_left = TimeLeft();
}

/* Is it but the row of a key that is held, where others may not be? */
static bool
WaitsForRow(Decide *d)
{
	return d->plans->table->plain && d->plans->table->part_key < 0 &&
		LockAtOnce(d->plans->id->decision);
}

/* Is there no more to be gained by trying, after waiting in vain? */
static bool
IsHopeless(Decide *d)
{
	DecidePlans *plans = d->plans;

	return plans->waited && (plans->time_left <= 0 || (plans->wait_left <= 0 && !WaitsForRow(d)));
}

static ErrorData *
WaitedLongEnough(void)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->sqlerrcode = ERRCODE_LOCK_NOT_AVAILABLE;
	error->message = pstrdup("the statement has waited long enough for locks");
	return error;
}

/*
 * Write, whatever fails, and whoever holds the table or the row of a key.  What
 * is waited for in vain is noted before, since the session's own timeout may end
 * the statement.  Within a statement that has waited in vain patience does not
 * grow again: every other row may be one that somebody holds.
 */
static ErrorData *
TryWrite(Decide *d, void (*run) (void *arg))
{
	DecidePlans *plans = d->plans;
	TimestampTz began;
	ErrorData  *error;

	if (d->raise || assay_message_budget == 0)
		return RunProtected(run, d);
	CountWaits(plans);
	if (IsHopeless(d))
		return WaitedLongEnough();
	d->patience = plans->patience > 0 ? plans->patience : assay_message_budget;
	plans->patience = Max(d->patience / 2, PATIENCE_MIN);
	d->patience = Max(Min(d->patience, Min(plans->wait_left, plans->time_left)), 1);
	began = SteadyTime();
	error = RunProtected(run, d);
	if (error && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
	{
		int64		ms = (SteadyTime() - began) / 1000;

		plans->waited = true;
		plans->wait_left -= ms;
		plans->time_left -= ms;
	}
	else
		plans->patience = plans->waited ? d->patience : 0;
	d->patience = 0;
	return error;
}

/* A stored decision into d->values; it goes with the slot's row. */
static void
TakeDecision(Decide *d, TupleTableSlot *slot)
{
	int			n = d->plans->table->desc->natts;

	slot_getallattrs(slot);
	memcpy(d->values, slot->tts_values, n * sizeof(Datum));
	memcpy(d->nulls, slot->tts_isnull, n * sizeof(bool));
}

/*
 * Notifications
 */

static int
CompareTexts(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Was the decision in d->values refused?  Hardly ever was any; they are sorted. */
static bool
IsUnwritten(Decide *d)
{
	char	   *key = d->unwritten ? KeyText(d->plans->table, d->values, d->nulls) : NULL;
	int			from = 0;
	int			to = list_length(d->unwritten);

	while (from < to)
	{
		int			middle = (from + to) / 2;
		int			order = strcmp(key, list_nth(d->unwritten, middle));

		if (order == 0)
			return true;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return false;
}

/* As the policy's owner: a key's output function may be anybody's. */
static void
RunNotify(void *arg)
{
	Decide	   *d = arg;
	TupleTableSlot *slot;
	Security	security;

	CheckRoomToNotify();
	EnterOwner(&security, d->plans->id->owner, d->plans->id->search_path);
	if (d->single)
		NotifyDecision(d->policy, d->plans->table, d->values, d->nulls);
	else
	{
		list_sort(d->unwritten, CompareTexts);
		slot = MakeSingleTupleTableSlot(d->plans->table->desc, &TTSOpsMinimalTuple);
		tuplestore_select_read_pointer(d->store, 0);
		tuplestore_rescan(d->store);
		while (tuplestore_gettupleslot(d->store, true, false, slot))
		{
			MemoryContext old = MemoryContextSwitchTo(d->per_row);

			CHECK_FOR_INTERRUPTS();
			TakeDecision(d, slot);
			if (!IsUnwritten(d))
				NotifyDecision(d->policy, d->plans->table, d->values, d->nulls);
			MemoryContextSwitchTo(old);
			MemoryContextReset(d->per_row);
		}
		ExecDropSingleTupleTableSlot(slot);
	}
	LeaveSecurity(&security);
}

/* Tell of decisions that are written: of the one in d->values, or of all. */
static void
NotifyWritten(Decide *d)
{
	ErrorData  *error = d->notifies ? RunProtected(RunNotify, d) : NULL;

	if (error == NULL)
		return;
	if (d->raise)
		ReThrowError(error);
	AddFault(d, NULL, unpack_sql_state(error->sqlerrcode),
			 psprintf("nobody is told of the decision: %s", error->message), d->single, false, false);
	FreeErrorData(error);
}

/*
 * Writing where nothing refuses a row, and what may be refused
 */

/* One decision could not be written: its message stays undecided. */
static void
NoteUnwritten(Decide *d, ErrorData *error)
{
	MemoryContext old = MemoryContextSwitchTo(d->context);

	if (d->raise)
		ReThrowError(error);
	d->ndecisions--;
	d->nundecided++;
	if (d->notifies && !d->single)
		d->unwritten = lappend(d->unwritten, KeyText(d->plans->table, d->values, d->nulls));
	if (!MayBeShard(d->trigdata->tg_relation))
		AddUnwrittenKey(&d->reused, d->plans->table, d->values, d->nulls);
	MemoryContextSwitchTo(old);
	AddFault(d, NULL, unpack_sql_state(error->sqlerrcode),
			 psprintf("the decision cannot be written: %s", error->message), true, false, false);
	FreeErrorData(error);
}

/*
 * Write the decision in d->values, whose key is there already.  Another
 * transaction may have it: to wait for that one may end in a deadlock.
 */
static void
WriteKnownOne(Decide *d)
{
	ErrorData  *error = TryWrite(d, RunWriteOne);

	if (error)
		NoteUnwritten(d, error);
}

/* Write those of a tuplestore, whose keys are there already. */
static void
WriteKnown(Decide *d, Tuplestorestate * known)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(d->plans->table->desc, &TTSOpsMinimalTuple);

	while (tuplestore_gettupleslot(known, true, false, slot))
	{
		MemoryContext old = MemoryContextSwitchTo(d->per_row);

		CHECK_FOR_INTERRUPTS();
		TakeDecision(d, slot);
		WriteKnownOne(d);
		MemoryContextSwitchTo(old);
		MemoryContextReset(d->per_row);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * One decision into a table that runs nothing, or several without a query:
 * there are no plans with choices, so that most settings do not matter.
 */
static void
WriteWithoutQuery(Decide *d)
{
	DecisionTable *t = d->plans->table;
	DecisionParts *p = &d->parts;
	Tuplestorestate *known;
	Security	security;

	EnterToWrite(&security, d->plans->id->owner, NULL);
	if (d->single)
	{
		if (!p->parts[0]->direct)
			RunWriteOne(d);
		else if (!WriteRowDirectly(t, p->parts[0], d->values, d->nulls))
			WriteKnownOne(d);
	}
	else
	{
		known = tuplestore_begin_heap(false, false, work_mem);
		for (int i = 0; i < p->n; i++)
			WriteRowsDirectly(t, p->parts[i], p->places, i, d->store, known);
		WriteKnown(d, known);
		tuplestore_end(known);
	}
	LeaveSecurity(&security);
}

/* Are they all written without a query? */
static bool
IsDirect(Decide *d)
{
	for (int i = 0; i < d->parts.n; i++)
		if (!d->parts.parts[i]->direct)
			return false;
	return true;
}

static void
RunForSure(void *arg)
{
	Decide	   *d = arg;

	if (d->single || IsDirect(d))
		WriteWithoutQuery(d);
	else
		RunWrite(d);
}

/*
 * Are the decisions in memory?  What is in a file may not be read again, and those
 * whose keys are there already may take another, for which there is no room.
 */
static bool
IsInMemory(Decide *d)
{
	return d->single || tuplestore_in_memory(d->store);
}

/*
 * Write what nothing can refuse: outside of a subtransaction, once the table has
 * been seen to take decisions.  An error there ends the statement, and leaves
 * what the plans say of it.
 */
static ErrorData *
WriteForSure(Decide *d)
{
	DecidePlans *plans = d->plans;
	TimestampTz now = SteadyTime();
	TimestampTz later = now + UNSURE_SECONDS * USECS_PER_SEC;
	ErrorData  *error = NULL;

	if (plans->sure && IsInMemory(d))
	{
		plans->sure = false;
		plans->unsure_until = later;
		RunForSure(d);
		plans->sure = true;
		return NULL;
	}
	error = RunProtected(RunForSure, d);
	if (error)
		plans->unsure_until = later;
	plans->sure = error == NULL && now >= plans->unsure_until;
	return error;
}

/* Each by itself, after all of them failed */
static void
WriteEach(Decide *d)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(d->plans->table->desc, &TTSOpsMinimalTuple);

	d->single = true;
	tuplestore_select_read_pointer(d->store, 0);
	tuplestore_rescan(d->store);
	while (tuplestore_gettupleslot(d->store, true, false, slot))
	{
		ErrorData  *error;
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		TakeDecision(d, slot);
		/* What the row before left goes, but for its slot. */
		MemoryContextReset(d->per_row);
		old = MemoryContextSwitchTo(d->per_row);
		error = TryWrite(d, RunWrite);
		if (error)
			NoteUnwritten(d, error);
		else
			NotifyWritten(d);
		MemoryContextSwitchTo(old);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* Lock the partitions that they go to.  Locks bring news: of a partition, say, that came meanwhile. */
static bool
LockParts(Decide *d)
{
	DecidePlans *plans = d->plans;

	return FindParts(plans->table, &plans->dependencies, &d->parts, d->values,
					 d->single ? NULL : d->store, d->ndecisions) &&
		(plans->table->part_key < 0 || !IsOutdated(d));
}

/* May all of them be written by one query that replaces what is there? */
static bool
MayReplace(Decide *d)
{
	for (int i = 0; i < d->parts.n; i++)
		if (!d->parts.parts[i]->replaces)
			return false;
	return true;
}

/*
 * Can nothing refuse the decisions?  Once the table is locked, it stays as it
 * is.  To wait for the lock might end in a deadlock, and after it the table may
 * be another, or there may be no room for it: that is for a subtransaction.
 */
static bool
WritesForSure(Decide *d, SPIPlanPtr plan)
{
	if (!d->plans->table->plain || d->odd_key ||
		!LockAtOnce(d->plans->id->decision))
		return false;
	return !IsOutdated(d) && SPI_plan_is_valid(plan) && LockParts(d) && (IsDirect(d) || MayReplace(d)) &&
		LockIndexes(&d->parts, d->wide);
}

/* Of some it was noted that they are not written: they are tried again. */
static void
ForgetUnwritten(Decide *d)
{
	d->unwritten = NIL;
	d->reused.keys = NIL;
	d->reused.bytes = 0;
}

/*
 * Write and tell of what was decided; what is refused stays undecided.  False,
 * where that may be otherwise: what they were made for changed while the table
 * was waited for, and the decisions are to be made again.
 */
bool
WriteDecisions(Decide *d, bool again)
{
	SPIPlanPtr	plan = d->single ? d->plans->insert_one : d->plans->insert_many;
	int64		ndecisions = d->ndecisions;
	int64		nundecided = d->nundecided;
	int			nfaults = list_length(d->faults);
	ErrorData  *error = NULL;

	if (!WritesForSure(d, plan))
		error = TryWrite(d, RunWrite);
	else
		error = WriteForSure(d);
	if (error && again && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE && IsOutdated(d))
	{
		ForgetUnwritten(d);
		FreeErrorData(error);
		return false;
	}
	if (error == NULL && d->ndecisions > 0)
		NotifyWritten(d);
	else if (error && d->single)
		NoteUnwritten(d, error);
	else if (error && d->raise)
		ReThrowError(error);
	else if (error)
	{
		d->ndecisions = ndecisions;
		d->nundecided = nundecided;
		d->faults = list_truncate(d->faults, nfaults);
		ForgetUnwritten(d);
		WriteEach(d);
	}
	return true;
}
