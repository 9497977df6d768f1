/*
 * trigger.c
 *		decide(policy): decisions for the messages that a statement inserted.
 *
 * Nothing here may fail the INSERT, unless the policy asks for it (on_error =>
 * 'raise').  All that a user's code or a changed world could break runs in a
 * subtransaction, which assigns no transaction id:
 *
 *	1. together: get the plans and the policy, and read and evaluate the
 *	   messages in one set-based query;
 *	2. if that fails, apart: do the same message by message, so that an error
 *	   costs only the detector or the message's signals;
 *	3. if that fails too, leave the messages undecided, with a fault and a
 *	   warning; backfill() decides them later.
 *
 * The decisions are written outside of the subtransaction where the decision
 * table runs no user's code (decision_table.c).  Otherwise, or where a key may
 * be too long for its index or exists already, they are written in another
 * one, and one by one if that fails.  Listeners are told what was written.
 */
#include "postgres.h"

#include "access/xact.h"
#include "budget.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "compile.h"
#include "decide_write.h"
#include "miscadmin.h"
#include "new_rows.h"
#include "protect.h"
#include "read_snapshot.h"
#include "security.h"
#include "shards.h"
#include "signals_query.h"
#include "sorted_rows.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

/* Keys of messages that are decided one by one, held at once */
#define KEYS_AT_ONCE	1000

/* Times that a statement begins again, when the policy changed meanwhile */
#define ATTEMPTS_MAX	2

/*
 * Decisions
 */

/* The signals of a row of the signals query, as they are logged */
static Datum
SignalsOf(Decide *d, TupleTableSlot *slot)
{
	int			first = d->plans->table->nkeys;

	return FormSignals(d->plans->shape, slot->tts_values + first, slot->tts_isnull + first);
}

typedef struct SignalsOfJob
{
	Decide	   *decide;
	TupleTableSlot *slot;
	Datum		signals;
} SignalsOfJob;

static void
RunSignalsOf(void *arg)
{
	SignalsOfJob *job = arg;

	job->signals = SignalsOf(job->decide, job->slot);
}

/*
 * Log the signals of the decision in d->values.  Apart, what cannot be written
 * (an output function's error) costs these signals, and no other message.
 */
static void
LogSignals(Decide *d, TupleTableSlot *slot)
{
	int			column = d->plans->table->nkeys + DECISION_SIGNALS;
	SignalsOfJob job = {d, slot, (Datum) 0};
	ErrorData  *error = NULL;

	if (d->apart)
		error = RunProtected(RunSignalsOf, &job);
	else
		RunSignalsOf(&job);
	d->values[column] = job.signals;
	d->nulls[column] = (error != NULL);
	if (error == NULL)
		return;
	AddFault(d, NULL, unpack_sql_state(error->sqlerrcode),
			 psprintf("the signals cannot be logged: %s", error->message), true, false, false);
	FreeErrorData(error);
}

/* Keep a decision: its key is in d->values already; slot: its signals, or NULL */
static void
Keep(Decide *d, PolicyDecision *decision, TupleTableSlot *slot)
{
	DecisionTable *t = d->plans->table;

	FillDecision(t, d->values, d->nulls, d->policy->id->revision, d->at,
				 d->policy->verdicts[decision->verdict], decision);
	if (t->log_signals && slot)
		LogSignals(d, slot);
	d->odd_key |= !KeyIsShort(t, d->values, d->nulls);
	d->wide = d->wide || DecisionIsWide(t, d->values, d->nulls);
	if (d->sorted)
		SortedRowsMade(d->sorted, t->desc, d->values, d->nulls);
	else if (!d->single)
		tuplestore_putvalues(d->store, t->desc, d->values, d->nulls);
	d->ndecisions++;
	d->notifies |= bms_is_member(decision->verdict, d->policy->notify);
}

static void
DecideWithoutSignals(Decide *d, const char *sqlstate, const char *message, bool lasting)
{
	PolicyDecision decision;

	DecideWithoutRow(d->policy, sqlstate, &decision);
	Keep(d, &decision, NULL);
	AddFault(d, NULL, sqlstate, message, true, false, lasting);
}

/*
 * A message without a key can't have a decision: it stays without, and
 * assay.fault tells.  Who wants errors gets the decision table's.
 */
static bool
HasNoKey(Decide *d)
{
	bool		any = false;

	for (int i = 0; i < d->plans->table->nkeys; i++)
		any |= d->nulls[i];
	if (!any || d->raise)
		return false;
	d->nundecided++;
	AddFault(d, NULL, "23502", "a key column is null: the message has no decision", true, false, false);
	return true;
}

static void
DecideNotFound(Decide *d)
{
	DecideWithoutSignals(d, "02000", "the signals view has no row for this message", false);
}

/* Evaluate a row of signals and keep the decision. */
static void
EvaluateAndKeep(Decide *d, TupleTableSlot *slot)
{
	PolicyDecision decision;
	List	   *faults = NIL;
	ListCell   *lc;

	/* Of the only message it is known that something fails. */
	if (d->apart && d->single)
		EvaluateRowApart(d->evaluation, slot, d->at, &decision, &faults);
	else if (d->apart)
		EvaluateRowProtected(d->evaluation, slot, d->at, &decision, &faults);
	else
		EvaluateRow(d->evaluation, slot, d->at, &decision, &faults);
	Keep(d, &decision, slot);
	foreach(lc, faults)
	{
		PolicyFault *f = lfirst(lc);

		AddFault(d, f->detector, f->sqlstate, f->message, true, f->suspended, false);
	}
}

/* A row of the signals query: decide it. */
static void
DecideSlot(Decide *d, TupleTableSlot *slot)
{
	int			nkeys = d->plans->table->nkeys;
	int			found = d->plans->signals->natts;
	MemoryContext old;

	/* Pieces shorter than a tick are never canceled, however many they are. */
	if (!d->apart && !d->single && BudgetIsSpent())
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg(STATEMENT_IS_SPENT)));
	BudgetNext();
	if (d->sorted)
		SortedRowsRead(d->sorted);
	MemoryContextReset(d->per_row);
	/* What is kept of the only message outlives its row. */
	old = MemoryContextSwitchTo(d->single ? d->context : d->per_row);
	slot_getallattrs(slot);
	for (int i = 0; i < nkeys && !d->single; i++)
	{
		d->values[i] = slot->tts_values[i];
		d->nulls[i] = slot->tts_isnull[i];
	}
	if (!d->single && HasNoKey(d))
		 /* nothing to decide */ ;
	else if (slot->tts_isnull[found - 1])
		DecideNotFound(d);
	else
		EvaluateAndKeep(d, slot);
	MemoryContextSwitchTo(old);
}

/* As the signals query's receiver: decide each row as it comes ... */
static bool
ReceiveAndDecide(TupleTableSlot *slot, DestReceiver *self)
{
	DecideSlot((Decide *) self, slot);
	return true;
}

/* ... or keep the only one */
static bool
ReceiveAndKeep(TupleTableSlot *slot, DestReceiver *self)
{
	Decide	   *d = (Decide *) self;
	MemoryContext old = MemoryContextSwitchTo(d->per_message);

	d->row = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(old);
	return true;
}

/* The view may have changed between planning and running the query. */
static void
ReceiverStart(DestReceiver *self, int operation, TupleDesc desc)
{
	Decide	   *d = (Decide *) self;

	if (!SameRow(desc, d->plans->signals))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("signals view %s changed while a message was decided",
						d->plans->id->signals_name)));
}

static void
ReceiverEnd(DestReceiver *self)
{
}

/* A query over the signals view */
typedef struct SignalsJob
{
	Decide	   *decide;
	SPIPlanPtr	plan;
	ParamListInfo params;		/* of one key, or NULL */
	bool		(*receive) (TupleTableSlot *, DestReceiver *);
} SignalsJob;

/* Who receives its rows */
static DestReceiver *
Receiver(SignalsJob *job)
{
	DestReceiver *dest = &job->decide->dest;

	dest->receiveSlot = job->receive;
	dest->rStartup = ReceiverStart;
	dest->rShutdown = ReceiverEnd;
	dest->rDestroy = ReceiverEnd;
	dest->mydest = DestTuplestore;	/* what SPI takes for rows of ours */
	return dest;
}

/*
 * Have a plan's tables locked, before a snapshot is taken: what another session
 * did until then is seen, though it truncates a table.  Does it but read?
 */
static bool
LockTables(SPIPlanPtr plan)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	bool		reads = true;

	if (cached)
	{
		reads = CommandIsReadOnly(linitial_node(PlannedStmt, cached->stmt_list));
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	}
	return reads;
}

/*
 * Run it by the active snapshot where the view locks rows: SPI gives a receiver
 * nothing then, since it takes a snapshot from us for reading only.
 */
static void
RunLockingJob(SignalsJob *job)
{
	ParamListInfo params = job->params;
	int			nparams = params ? params->numParams : 0;
	Datum	   *values = palloc0((nparams + 1) * sizeof(Datum));
	char	   *nulls = palloc0(nparams + 1);
	DestReceiver *dest = Receiver(job);
	SPITupleTable *rows;
	TupleTableSlot *slot;
	int			ret;

	for (int i = 0; i < nparams; i++)
	{
		values[i] = params->params[i].value;
		nulls[i] = params->params[i].isnull ? 'n' : ' ';
	}
	ret = SPI_execute_snapshot(job->plan, values, nulls, GetActiveSnapshot(), InvalidSnapshot, false, true,
							   params ? 1 : 0);
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot failed: %s", SPI_result_code_string(ret));
	rows = SPI_tuptable;
	ReceiverStart(dest, CMD_SELECT, rows->tupdesc);
	slot = MakeSingleTupleTableSlot(rows->tupdesc, &TTSOpsHeapTuple);
	for (uint64 i = 0; i < rows->numvals; i++)
	{
		ExecStoreHeapTuple(rows->vals[i], slot, false);
		(void) job->receive(slot, dest);
	}
	ExecDropSingleTupleTableSlot(slot);
	SPI_freetuptable(rows);
}

/* Run it for its rows, or for the first one of a key. */
static void
RunSignalsJob(void *arg)
{
	SignalsJob *job = arg;
	SPIExecuteOptions options = {0};
	bool		own = job->decide->sorted == NULL && IsolationUsesXactSnapshot();
	bool		locks = own && !LockTables(job->plan);
	int			ret;

	if (own)
		PushReadSnapshot();
	if (locks)
	{
		RunLockingJob(job);
		PopActiveSnapshot();
		return;
	}
	options.params = job->params;
	/* The chunks of a statement share a snapshot, which is active. */
	options.read_only = own || job->decide->sorted != NULL;
	options.tcount = job->params ? 1 : 0;
	options.dest = Receiver(job);
	ret = SPI_execute_plan_extended(job->plan, &options);
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(ret));
	if (own)
		PopActiveSnapshot();
}

/* As the policy's owner, with the settings of the server */
static void
EnterFully(Decide *d)
{
	EnterOwner(&d->security, d->plans->id->owner, d->plans->id->search_path);
	d->lightly = false;
}

/*
 * Lock what the plan over the new rows reads, which has the names of tables, as
 * LockSignals() does the view.
 */
static void
LockNewRows(Decide *d, SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	List	   *relations = list_copy(source->relationOids);
	ListCell   *lc;

	foreach(lc, relations)
		LockRelationOid(lfirst_oid(lc), AccessShareLock);
	if (!SPI_plan_is_valid(plan))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("what policy \"%s\" reads was replaced meanwhile", d->policy_name)));
}

/*
 * Run it for the only new row, by what was kept of the last one; false: by a query.
 * Whatever is made anew needs all settings.
 */
static bool
RunKept(SignalsJob *job)
{
	Decide	   *d = job->decide;
	DecidePlans *plans = d->plans;

	if (d->lightly)
	{
		if (KeptQueryRunAgain(&plans->kept, job->plan, job->params, Receiver(job), d->context))
			return true;
		LeaveSecurity(&d->security);
		EnterFully(d);
	}
	LockNewRows(d, job->plan);
	return KeptQueryRun(&plans->kept, plans->context, job->plan, job->params, plans->signals,
						Receiver(job), d->context);
}

/*
 * Apart: one message after the other
 */

static void
FetchAndDecide(Decide *d)
{
	SignalsJob	job = {d, d->plans->one_plan, NULL, ReceiveAndKeep};
	ErrorData  *error;
	TupleTableSlot *slot;

	if (HasNoKey(d))
		return;
	if (d->plans->broken[0])
	{
		DecideWithoutSignals(d, d->plans->broken, d->plans->broken_message, true);
		return;
	}
	if (BudgetIsSpent())
	{
		BudgetPass();
		DecideWithoutSignals(d, "57014", STATEMENT_IS_SPENT, false);
		return;
	}
	job.params = KeyParams(d->plans->table, d->values, d->nulls);
	d->row = NULL;
	BudgetNext();
	error = RunProtected(RunSignalsJob, &job);
	if (error)
	{
		DecideWithoutSignals(d, unpack_sql_state(error->sqlerrcode), error->message, false);
		return;
	}
	if (d->row == NULL)
	{
		DecideNotFound(d);
		return;
	}
	slot = MakeSingleTupleTableSlot(d->plans->signals, &TTSOpsHeapTuple);
	ExecStoreHeapTuple(d->row, slot, false);
	DecideSlot(d, slot);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * The message whose key is in d->values.  Many may follow in one statement:
 * nothing of it is kept.
 */
static void
DecideOne(Decide *d)
{
	MemoryContext old;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(d->per_message);
	old = MemoryContextSwitchTo(d->single ? d->context : d->per_message);
	FetchAndDecide(d);
	MemoryContextSwitchTo(old);
}

/* Each message of the transition table by itself, whose keys come in chunks */
static void
DecideEach(Decide *d)
{
	Portal		portal = SPI_cursor_open(NULL, d->plans->keys_plan, NULL, NULL, true);
	SPITupleTable *keys;

	for (;;)
	{
		SPI_cursor_fetch(portal, true, KEYS_AT_ONCE);
		keys = SPI_tuptable;
		if (keys->numvals == 0)
			break;
		for (uint64 i = 0; i < keys->numvals; i++)
		{
			for (int k = 0; k < d->plans->table->nkeys; k++)
				d->values[k] = SPI_getbinval(keys->vals[i], keys->tupdesc, k + 1, &d->nulls[k]);
			DecideOne(d);
		}
		SPI_freetuptable(keys);
	}
	SPI_freetuptable(keys);
	SPI_cursor_close(portal);
}

/* Several new rows, in the order that their lookups gain by */
static void
DecideSorted(Decide *d, SignalsJob *job)
{
	(void) LockTables(job->plan);
	d->sorted = SortedRowsStart(d->trigdata, d->plans->looked_up, d->context);
	while (SortedRowsNext(d->sorted))
	{
		RunSignalsJob(job);
		SortedRowsTake(d->sorted, d->plans->table->desc, d->store);
	}
	SortedRowsEnd(d->sorted, false);
	d->sorted = NULL;
}

/*
 * Together: all messages of the statement, or the one of the row, in one query
 */
static void
DecideTogether(Decide *d)
{
	SignalsJob	job = {d, d->new_rows ? d->plans->new_all_plan : d->plans->all_plan, NULL, ReceiveAndDecide};
	bool		done = false;

	if (d->single)
	{
		if (HasNoKey(d))
			return;
		/* The rows before it may have taken all. */
		if (BudgetIsSpent())
			ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg(STATEMENT_IS_SPENT)));
		job.plan = d->new_rows ? d->plans->new_one_plan : d->plans->one_plan;
		job.params = d->new_rows ? NewRowParams(d->only, d->plans->new_used) :
			KeyParams(d->plans->table, d->values, d->nulls);
		if (d->new_rows)
			done = RunKept(&job);
	}
	else if (d->new_rows)
	{
		LockNewRows(d, job.plan);
		done = d->plans->looked_up > 0 &&
			tuplestore_tuple_count(d->trigdata->tg_newtable) >= SORTED_ROWS_MIN;
		if (done)
			DecideSorted(d, &job);
	}
	if (!done)
		RunSignalsJob(&job);
	if (d->single && d->ndecisions == 0)
		DecideNotFound(d);
}

/*
 * The key in a row of the message table
 */

/* Where it is.  Partitions have their columns in an order of their own. */
static void
FindKeyColumns(Decide *d, Relation rel)
{
	DecisionTable *t = d->plans->table;
	TupleDesc	desc = RelationGetDescr(rel);
	ListCell   *lc;

	d->same_types = true;
	d->key_columns = palloc(t->nkeys * sizeof(int));
	foreach(lc, t->id->key)
	{
		int			i = foreach_current_index(lc);
		int			column = 0;

		while (column < desc->natts &&
			   (TupleDescAttr(desc, column)->attisdropped ||
				namestrcmp(&TupleDescAttr(desc, column)->attname, lfirst(lc)) != 0))
			column++;
		/* The plans are not made without it. */
		if (column == desc->natts)
			elog(ERROR, "table \"%s\" has lost its key", RelationGetRelationName(rel));
		if (TupleDescAttr(desc, column)->atttypid != t->key_types[i])
			d->same_types = false;
		d->key_columns[i] = column + 1;
	}
	if (TRIGGER_FIRED_FOR_ROW(d->trigdata->tg_event) && !d->same_types)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the key of table \"%s\" has another type than in %s",
						RelationGetRelationName(rel), t->id->decision_name),
				 errhint("Give both the same types, or use a statement-level trigger.")));
}

static void
ReadKey(Decide *d, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(d->context);

	for (int i = 0; i < d->plans->table->nkeys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(d->plans->table->desc, i);
		Datum		value = slot_getattr(slot, d->key_columns[i], &d->nulls[i]);

		d->values[i] = d->nulls[i] ? value : datumCopy(value, att->attbyval, att->attlen);
	}
	MemoryContextSwitchTo(old);
}

/*
 * The key of the only message, into d->values; false when there are several,
 * or when it is not as the decision table has it.
 */
static bool
TakeKey(Decide *d)
{
	Relation	rel = d->trigdata->tg_relation;
	Tuplestorestate *rows = d->trigdata->tg_newtable;
	TupleTableSlot *slot;
	int			pointer;

	FindKeyColumns(d, rel);
	if (TRIGGER_FIRED_FOR_ROW(d->trigdata->tg_event))
	{
		ReadKey(d, d->trigdata->tg_trigslot);
		return true;
	}
	if (tuplestore_tuple_count(rows) != 1 || !d->same_types || !d->plans->whole_keys)
		return false;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(rows, pointer);
	tuplestore_rescan(rows);
	if (!tuplestore_gettupleslot(rows, true, false, slot))
		elog(ERROR, "new row vanished");
	ReadKey(d, slot);
	d->only = slot;
	return true;
}

/*
 * The plans, the policy, and the decisions
 */

/* Conditions and models that can't be evaluated, until somebody mends them */
static void
NoteBrokenParts(Decide *d)
{
	for (int i = 0; i < POLICY_PARTS(d->policy) && d->policy->nbroken > 0; i++)
	{
		PolicyCondition *c = PolicyPart(d->policy, i);

		if (c->sqlstate[0])
			AddFault(d, i < d->policy->ndetectors ? d->policy->detectors[i].name :
					 d->policy->exclusions[i - d->policy->ndetectors].name,
					 c->sqlstate, c->message, false, false, true);
	}
}

/* A store for decisions, which outlives the subtransaction at hand */
static void
StartStore(Decide *d)
{
	ResourceOwner current = CurrentResourceOwner;
	MemoryContext old = MemoryContextSwitchTo(d->context);

	d->store_owner = ResourceOwnerCreate(d->owner, "pg_assay decisions");
	CurrentResourceOwner = d->store_owner;
	d->store = tuplestore_begin_heap(false, false, work_mem);
	CurrentResourceOwner = current;
	MemoryContextSwitchTo(old);
}

/*
 * Write the store's last block here, where an error costs nothing but this
 * attempt: the disk may be full.
 */
static void
FinishStore(Decide *d)
{
	if (tuplestore_in_memory(d->store))
		return;
	tuplestore_advance(d->store, true);
	tuplestore_rescan(d->store);
}

/*
 * Free the store.  After an error only its file is closed: where a write has
 * failed, the store's own state can't be relied on.
 */
static void
EndStore(Decide *d, bool failed)
{
	if (d->store == NULL)
		return;
	if (!failed)
		tuplestore_end(d->store);
	ResourceOwnerRelease(d->store_owner, RESOURCE_RELEASE_BEFORE_LOCKS, !failed, false);
	ResourceOwnerRelease(d->store_owner, RESOURCE_RELEASE_LOCKS, !failed, false);
	ResourceOwnerRelease(d->store_owner, RESOURCE_RELEASE_AFTER_LOCKS, !failed, false);
	ResourceOwnerDelete(d->store_owner);
	d->store = NULL;
	d->store_owner = NULL;
}

/* Undo what the attempt before has left. */
static void
Restart(Decide *d)
{
	EndStore(d, true);
	if (d->sorted)
		SortedRowsEnd(d->sorted, true);
	d->sorted = NULL;
	d->ndecisions = d->nundecided = 0;
	d->odd_key = d->wide = d->notifies = false;
	d->faults = NIL;
	d->evaluation = NULL;
	d->only = NULL;				/* an error has released it */
	d->plans = NULL;
	d->entry = NULL;
}

/* Get the plans, the policy and all else that is needed, pinned until the statement ends. */
static void
Prepare(Decide *d)
{
	bool		per_row = TRIGGER_FIRED_FOR_ROW(d->trigdata->tg_event);

	/* The statement's snapshot is younger than its locks, which took news in. */
	AcceptInvalidationMessages();
	d->plans = GetDecidePlans(d->policy_name, d->trigdata->tg_relation,
							  per_row ? NULL : d->trigdata->tg_trigger->tgnewtable, d->context, &d->raise);
	d->raise = d->plans->id->raise_errors;
	if (d->raise && d->plans->broken[0])
		ereport(ERROR,
				(errcode(MAKE_SQLSTATE(d->plans->broken[0], d->plans->broken[1], d->plans->broken[2],
									   d->plans->broken[3], d->plans->broken[4])),
				 errmsg("%s", d->plans->broken_message)));
	d->entry = PolicyGetAgain(d->plans->entry, d->context);
	if (d->entry == NULL)
		d->entry = PolicyGet(d->policy_name, 0, false, d->plans->signals, InvalidOid, d->context);
	d->plans->entry = d->entry->number;
	d->policy = d->entry->policy;
	d->values = MemoryContextAllocZero(d->context, d->plans->table->desc->natts * sizeof(Datum));
	d->nulls = MemoryContextAllocZero(d->context, d->plans->table->desc->natts * sizeof(bool));
	d->single = TakeKey(d);
	if (d->plans->shape)
		EnsureSignalsShape(d->plans->shape);
	NoteBrokenParts(d);
}

/* Sessions take the times of their samples from all detectors alike. */
static void
StartEvaluation(Decide *d)
{
	Evaluation *e = EvaluationGet(d->entry, true, d->context);

	if (e->evaluations == 0 && e->next_sample == 0)
		e->next_sample = murmurhash32((uint32) MyProcPid);
	d->evaluation = e;
}

/*
 * May an attempt fail after it has counted a message?  Of the only one, nothing
 * but its signals come behind the evaluation.
 */
static bool
MayFailOnceCounted(Decide *d)
{
	return !d->single || d->apart || d->plans->table->log_signals;
}

/*
 * Enter as the policy's owner.  Most settings do not matter to the only new row,
 * where its signals come from what was kept of the last one, and neither these, nor
 * a condition, nor how they are logged ask for them: to set them would take longer
 * than to read a baseline.
 */
static void
Enter(Decide *d, bool new_rows)
{
	int			settings = d->policy->settings | KeptQuerySettings(d->plans->kept);

	if (d->plans->table->log_signals && d->plans->shape)
		settings |= d->plans->shape->settings;
	d->lightly = d->single && new_rows && NewRowsPlansHold(d->plans) && settings != SETTINGS_ALL &&
		!d->policy->foreign_code;
	if (d->lightly)
		EnterToEvaluate(&d->security, d->plans->id->owner, NULL, settings | SETTINGS_REFUSE);
	else
		EnterFully(d);
}

static void
RunDecide(void *arg)
{
	Decide	   *d = arg;
	bool		new_rows;

	Restart(d);
	if (IsolationUsesXactSnapshot())
		PushReadSnapshot();
	Prepare(d);
	if (!d->single)
		StartStore(d);
	new_rows = d->as_inserted && !d->apart && NewRowsWanted();
	Enter(d, new_rows);
	if (d->plans->signals)
		StartEvaluation(d);
	d->new_rows = d->lightly || (new_rows && HaveNewRowsPlans(d->plans, d->trigdata->tg_relation));
	if (d->plans->signals && !d->new_rows)
		LockSignals(d->plans->id);
	if (d->entry->stats && MayFailOnceCounted(d))
		StatsMark(d->entry->stats);
	if (!d->apart && d->evaluation)
		DecideTogether(d);
	else if (d->single)
		DecideOne(d);
	else
		DecideEach(d);
	if (d->only)
		ExecDropSingleTupleTableSlot(d->only);
	d->only = NULL;
	LeaveSecurity(&d->security);
	if (d->store)
		FinishStore(d);
	if (IsolationUsesXactSnapshot())
		PopActiveSnapshot();
}

/* Did what the attempt was made of change meanwhile? */
static void
NoteUndecided(Decide *d, const char *sqlstate, const char *message)
{
	int64		n = TRIGGER_FIRED_FOR_ROW(d->trigdata->tg_event) ? 1 :
	tuplestore_tuple_count(d->trigdata->tg_newtable);

	Restart(d);
	d->nundecided = n;
	d->unmade = true;
	AddFault(d, NULL, sqlstate, message, false, false, true);
}

/* Statistics count a statement once, whatever attempts it took. */
static void
SettleStats(Decide *d, bool failed)
{
	PolicyStats *stats = d->evaluation ? d->entry->stats : NULL;

	if (stats && stats->held && failed)
		StatsUndo(stats);
	else if (stats)
		StatsKeep(stats);
}

/* Does somebody hold what the policy is read from, or its decision table, which was waited for? */
static bool
IsHeld(Decide *d, ErrorData *error)
{
	return d->entry == NULL && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
}

/*
 * Make the decisions, whatever fails.  What is together at first is apart at
 * last; a change of the policy that arrives while we work is worth another
 * try.
 */
static void
MakeDecisions(Decide *d)
{
	ErrorData  *error;
	bool		apart;

	for (int attempt = 0;; attempt++)
	{
		BudgetLenient(d->apart ? BUDGET_BETWEEN : 0);
		error = RunProtected(RunDecide, d);
		if (error == NULL)
			return;
		SettleStats(d, true);
		if (d->raise)
			ReThrowError(error);
		if (attempt >= ATTEMPTS_MAX || (d->apart && !IsOutdated(d)))
			break;
		if (IsHeld(d, error) || (d->plans == NULL && BudgetIsSpent()))
			break;
		apart = !IsOutdated(d) || attempt > 0;
		if (apart && !d->apart)
			BudgetAgain();
		d->apart = apart;
		FreeErrorData(error);
	}
	if (IsHeld(d, error) || (d->plans == NULL && BudgetMade(error)))
		BudgetGiveUp();
	NoteUndecided(d, unpack_sql_state(error->sqlerrcode), error->message);
}

static void
MakeDecisionsInTime(Decide *d)
{
	BudgetStart(TRIGGER_FIRED_FOR_ROW(d->trigdata->tg_event));
	PG_TRY();
	{
		MakeDecisions(d);
	}
	PG_FINALLY();
	{
		BudgetStop();
	}
	PG_END_TRY();
}

/*
 * Messages that could not be decided at all
 */

/* The keys of a statement's messages, as the decision table has them */
static void
AddKeysOfStatement(Decide *d, DecisionTable *t)
{
	SPIPlanPtr	plan = SPI_prepare(KeySource(t->id, t->key_types, d->trigdata->tg_trigger->tgnewtable, d->trigdata->tg_relation, NULL, NULL), 0, NULL);
	Portal		portal = plan ? SPI_cursor_open(NULL, plan, NULL, NULL, true) : NULL;
	uint64		n;

	if (portal == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	do
	{
		SPITupleTable *keys;

		SPI_cursor_fetch(portal, true, KEYS_AT_ONCE);
		keys = SPI_tuptable;
		n = keys->numvals;
		for (uint64 i = 0; i < n; i++)
		{
			for (int k = 0; k < t->nkeys; k++)
				d->values[k] = SPI_getbinval(keys->vals[i], keys->tupdesc, k + 1, &d->nulls[k]);
			AddUnwrittenKey(&d->reused, t, d->values, d->nulls);
		}
		SPI_freetuptable(keys);
	} while (n > 0);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

/* The same for a row's message, whose key may have other types */
static void
AddKeyOfRow(Decide *d, DecisionTable *t)
{
	Oid			relid = RelationGetRelid(d->trigdata->tg_relation);
	Oid		   *types = palloc(t->nkeys * sizeof(Oid));
	char	   *nulls = palloc(t->nkeys);
	bool		same = true;
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < t->nkeys; i++)
	{
		AttrNumber	attno = get_attnum(relid, list_nth(t->id->key, i));

		if (attno <= 0)
			return;
		types[i] = get_atttype(relid, attno);
		same &= types[i] == t->key_types[i];
		d->values[i] = slot_getattr(d->trigdata->tg_trigslot, attno, &d->nulls[i]);
		nulls[i] = d->nulls[i] ? 'n' : ' ';
		appendStringInfo(&sql, "%s$%d::%s", i > 0 ? ", " : "SELECT ", i + 1, CastName(t->key_types[i]));
	}
	if (!same)
	{
		if (SPI_execute_with_args(sql.data, t->nkeys, types, d->values, nulls, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not cast a key");
		for (int i = 0; i < t->nkeys; i++)
			d->values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &d->nulls[i]);
	}
	AddUnwrittenKey(&d->reused, t, d->values, d->nulls);
}

/*
 * Keep the keys of all messages, which may have a former one's decision.  The
 * plans may be what could not be had, so the configuration is asked; and nothing
 * is locked, since that may be it.
 */
static void
RunKeepAll(void *arg)
{
	Decide	   *d = arg;
	DecisionTable t = {.id = IdentifySoon(d->policy_name, true)};
	Security	security;
	ListCell   *lc;

	if (!OidIsValid(t.id->decision) ||
		!has_privs_of_role(d->trigdata->tg_relation->rd_rel->relowner, t.id->owner))
		return;
	PolicyCheckKeys(t.id);
	PolicyCheckKeysOf(t.id, RelationGetRelid(d->trigdata->tg_relation));
	t.key_types = palloc(list_length(t.id->key) * sizeof(Oid));
	foreach(lc, t.id->key)
	{
		t.key_types[t.nkeys] = DecisionColumnType(t.id, lfirst(lc));
		if (!OidIsValid(t.key_types[t.nkeys++]))
			return;
	}
	d->values = palloc(t.nkeys * sizeof(Datum));
	d->nulls = palloc(t.nkeys * sizeof(bool));
	EnterOwner(&security, t.id->owner, t.id->search_path);
	if (TRIGGER_FIRED_FOR_ROW(d->trigdata->tg_event))
		AddKeyOfRow(d, &t);
	else
		AddKeysOfStatement(d, &t);
	LeaveSecurity(&security);
	KeepReusedKeys(&d->reused);
}

static void
KeepAll(Decide *d)
{
	ErrorData  *error;

	if (MayBeShard(d->trigdata->tg_relation))
		return;
	error = RunProtected(RunKeepAll, d);
	if (error == NULL)
		return;
	/* A policy that is not there has decided nothing: that is told as such. */
	if (error->sqlerrcode != ERRCODE_UNDEFINED_OBJECT)
		ereport(LOG_SERVER_ONLY,
				(errmsg("could not look for keys of policy \"%s\" that came again without a decision: %s",
						d->policy_name, error->message)));
	FreeErrorData(error);
}

typedef struct LevelJob
{
	Oid			owner;
	int			level;
} LevelJob;

static void
RunNoticeLevel(void *arg)
{
	LevelJob   *job = arg;

	job->level = NoticeLevel(job->owner);
}

/* Who is told?  To look that up may fail, where there is no room for a lock, say. */
static int
LevelOf(Decide *d)
{
	LevelJob	job = {d->plans ? d->plans->id->owner : d->trigdata->tg_relation->rd_rel->relowner, LOG_SERVER_ONLY};
	ErrorData  *error = RunProtected(RunNoticeLevel, &job);

	if (error)
		FreeErrorData(error);
	return job.level;
}

typedef struct TellJob
{
	Decide	   *decide;
	bool		news;
	int			level;
} TellJob;

/* Tell what stays undecided, and why. */
static void
RunTell(void *arg)
{
	TellJob    *job = arg;
	Decide	   *d = job->decide;
	PolicyFault *last = d->faults ? llast(d->faults) : NULL;

	if (d->nundecided > 0)
		ereport(job->level,
				(errmsg_plural("policy \"%s\": %lld message stays without a decision",
							   "policy \"%s\": %lld messages stay without a decision",
							   d->nundecided, d->policy_name, (long long) d->nundecided),
				 last ? errdetail("%s", last->message) : 0,
				 last && last->detector == NULL && strcmp(last->sqlstate, "42704") == 0 && d->plans == NULL ?
				 errhint("The trigger gives the policy's name; assay.policies lists those that there are.") :
				 last && last->detector == NULL && strcmp(last->sqlstate, "42703") == 0 && d->plans == NULL ?
				 errhint("SELECT * FROM assay.check(%s) tells what to do; then CALL assay.backfill(%s, undecided_only => true).",
						 quote_literal_cstr(d->policy_name), quote_literal_cstr(d->policy_name)) :
				 errhint("assay.undecided(%s) lists them; once the cause is mended, CALL assay.backfill(%s, undecided_only => true).",
						 quote_literal_cstr(d->policy_name), quote_literal_cstr(d->policy_name))));
	else if (job->news && last)
		ereport(job->level,
				(errmsg("policy \"%s\" decides without %s: %s", d->policy_name,
						last->detector ? psprintf("detector \"%s\"", last->detector) : "the signals",
						last->message),
				 errhint("SELECT * FROM assay.check(%s) tells all.",
						 quote_literal_cstr(d->policy_name))));
}

/* Whoever may know is told; whose encoding has not all characters of it is not: the log has it. */
static void
TellUndecided(Decide *d, bool news)
{
	TellJob		job = {d, news, LOG_SERVER_ONLY};
	ErrorData  *error;

	if (d->nundecided == 0 && !(news && d->faults))
		return;
	job.level = LevelOf(d);
	error = RunProtected(RunTell, &job);
	if (error)
		FreeErrorData(error);
}

/*
 * The trigger
 */

static void
CheckTrigger(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() must be called as a trigger"),
				 errhint("CREATE TRIGGER ... AFTER INSERT ... EXECUTE FUNCTION assay.decide('policy').")));
	if (!TRIGGER_FIRED_AFTER(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() must be fired AFTER INSERT"),
				 errhint("CREATE TRIGGER ... AFTER INSERT ... EXECUTE FUNCTION assay.decide('policy').")));
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() must be fired for INSERT only"),
				 errhint("CREATE TRIGGER ... AFTER INSERT ... EXECUTE FUNCTION assay.decide('policy').")));
	if (trigdata->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() takes one argument, the policy's name"),
				 errhint("CREATE TRIGGER ... AFTER INSERT ... EXECUTE FUNCTION assay.decide('policy').")));
	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) &&
		trigdata->tg_trigger->tgnewtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() for each statement needs the new rows"),
				 errhint("Add REFERENCING NEW TABLE AS new_messages to the trigger.")));
}

static Decide *
StartDecide(TriggerData *trigdata)
{
	Decide	   *d = palloc0(sizeof(Decide));

	d->trigdata = trigdata;
	d->policy_name = trigdata->tg_trigger->tgargs[0];
	d->context = CurrentMemoryContext;
	d->per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay decide row",
									   ALLOCSET_DEFAULT_SIZES);
	d->per_message = AllocSetContextCreate(CurrentMemoryContext, "pg_assay decide message",
										   ALLOCSET_DEFAULT_SIZES);
	d->reused.outer = d->context;
	d->at = GetCurrentTransactionStartTimestamp();
	d->as_inserted = !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) &&
		RowsAreAsInserted(trigdata->tg_relation);
	d->owner = CurrentResourceOwner;
	return d;
}

PG_FUNCTION_INFO_V1(assay_decide);
Datum
assay_decide(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Decide	   *d;
	bool		news;

	CheckTrigger(fcinfo);
	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) &&
		tuplestore_tuple_count(trigdata->tg_newtable) == 0)
		return PointerGetDatum(NULL);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_register_trigger_data(trigdata) < 0)
		elog(ERROR, "SPI_register_trigger_data failed");

	d = StartDecide(trigdata);
	for (int attempt = 0;; attempt++)
	{
		MakeDecisionsInTime(d);
		if (d->ndecisions == 0 || WriteDecisions(d, attempt < ATTEMPTS_MAX))
			break;
		SettleStats(d, true);
	}
	SettleStats(d, false);
	if (d->unmade)
		KeepAll(d);
	KeepReusedKeys(&d->reused);
	news = WriteFaults(d->policy_name, d->plans ? d->policy->id->revision : 0, d->faults);
	TellUndecided(d, news);

	EndStore(d, false);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return PointerGetDatum(NULL);
}
