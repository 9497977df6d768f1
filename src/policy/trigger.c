/*
 * trigger.c
 *		decide(policy): decisions for the messages that a statement inserted.
 *
 * The trigger reads the signals view for the new keys and writes the decision
 * table, both by plans that live as long as the policy stays as it is.  A
 * statement's messages are read and scored in one subtransaction, which
 * assigns no transaction id; only when something in it fails are they read one
 * by one, so that an error costs the detector or the message's signals, and
 * never the INSERT.
 *
 * A statement's messages are read in one set-based query; where there is only
 * one, and in a row-level trigger, its key is asked for.
 */
#include "postgres.h"

#include "budget.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "decide.h"
#include "miscadmin.h"
#include "protect.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Faults kept of one statement; the ledgers have them all */
#define STATEMENT_FAULTS_MAX	100

/* The decisions of one statement in the making */
typedef struct Decide
{
	DestReceiver dest;			/* must be first */
	DecidePlans *plans;
	CompiledPolicy *policy;
	bool		single;			/* there is one message, its key in "values" */
	bool		protect;		/* each row by itself */
	TimestampTz at;
	Tuplestorestate *store;		/* of the decisions, unless single */
	bool		decided;		/* all of them */
	int64		ndecisions;
	int64		nundecided;		/* their key is null */
	Datum	   *values;			/* of the decision made last */
	bool	   *nulls;
	List	   *faults;
	HeapTuple	row;			/* fetched by itself */
	MemoryContext context;		/* of faults */
	MemoryContext per_row;
	MemoryContext per_message;	/* of what is fetched by itself */
} Decide;

/*
 * Decisions
 */

/* Keep a decision: its key is in d->values already. */
static void
Keep(Decide *d, PolicyDecision *decision, Datum signals, bool nosignals)
{
	int			k = d->plans->nkeys;

	d->values[k] = Int32GetDatum(d->policy->revision);
	d->values[k + 1] = TimestampTzGetDatum(d->at);
	d->values[k + 2] = CStringGetTextDatum(d->policy->verdicts[decision->verdict]);
	d->values[k + 3] = Float4GetDatum((float4) decision->score);
	d->values[k + 4] = PointerGetDatum(decision->attribution);
	d->values[k + 5] = BoolGetDatum(decision->degraded);
	for (int i = k; i < k + 6; i++)
		d->nulls[i] = false;
	if (d->plans->id->log_signals)
	{
		/* Of a single message they outlive the query. */
		if (d->single && !nosignals)
			signals = datumCopy(signals, false, -1);
		d->values[k + 6] = signals;
		d->nulls[k + 6] = nosignals;
	}
	if (!d->single)
		tuplestore_putvalues(d->store, d->plans->decisions, d->values, d->nulls);
	d->ndecisions++;
	if (bms_is_member(decision->verdict, d->policy->notify))
		NotifyDecision(d->policy, decision, d->plans->key_types, d->values, d->nulls, k);
}

/* The key of the row at hand, as text[]'s text form, for assay.fault */
static char *
KeyText(Decide *d)
{
	Datum	   *texts = palloc(d->plans->nkeys * sizeof(Datum));
	bool	   *nulls = palloc0(d->plans->nkeys * sizeof(bool));
	int			dims[1] = {d->plans->nkeys};
	int			lbs[1] = {1};
	ArrayType  *array;

	for (int i = 0; i < d->plans->nkeys; i++)
	{
		Oid			output;
		bool		varlena;

		nulls[i] = d->nulls[i];
		if (nulls[i])
			continue;
		getTypeOutputInfo(d->plans->key_types[i], &output, &varlena);
		texts[i] = CStringGetTextDatum(OidOutputFunctionCall(output, d->values[i]));
	}
	array = construct_md_array(texts, nulls, 1, dims, lbs, TEXTOID, -1, false, TYPALIGN_INT);
	return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array));
}

static void
AddFault(Decide *d, const char *detector, const char *sqlstate, const char *message,
		 bool suspended)
{
	MemoryContext old;
	PolicyFault *fault;

	if (list_length(d->faults) >= STATEMENT_FAULTS_MAX)
		return;
	old = MemoryContextSwitchTo(d->context);
	fault = palloc0(sizeof(PolicyFault));
	fault->detector = detector ? pstrdup(detector) : NULL;
	strlcpy(fault->sqlstate, sqlstate, 6);
	fault->message = pstrdup(message);
	fault->key = KeyText(d);
	fault->suspended = suspended;
	d->faults = lappend(d->faults, fault);
	MemoryContextSwitchTo(old);
}

static void
DecideWithoutSignals(Decide *d, const char *sqlstate, const char *message)
{
	PolicyDecision decision;

	PolicyNoSignals(d->policy, sqlstate, &decision);
	Keep(d, &decision, (Datum) 0, true);
	AddFault(d, NULL, sqlstate, message, false);
}

/*
 * A message without a key can't have a decision: it stays without, and
 * assay.fault tells.  Who wants errors gets the decision table's.
 */
static bool
HasNoKey(Decide *d)
{
	bool		any = false;

	for (int i = 0; i < d->plans->nkeys; i++)
		any |= d->nulls[i];
	if (!any || d->policy->raise_errors)
		return false;
	d->nundecided++;
	AddFault(d, NULL, "23502", "a key column is null: the message has no decision", false);
	return true;
}

static void
TellUndecided(Decide *d)
{
	if (d->nundecided > 0)
		ereport(PolicyNotice(d->plans->id->owner),
				(errmsg_plural("policy \"%s\": %lld message stays without a decision, since its key is null",
							   "policy \"%s\": %lld messages stay without a decision, since their key is null",
							   d->nundecided, d->policy->name, (long long) d->nundecided),
				 errhint("Declare the key columns of the message table NOT NULL.")));
}

static void
DecideNotFound(Decide *d)
{
	DecideWithoutSignals(d, "02000", "the signals view has no row for this message");
}

/* A row of the signals query: decide it. */
static void
DecideSlot(Decide *d, TupleTableSlot *slot)
{
	PolicyDecision decision;
	MemoryContext old;
	int			found = d->plans->signals->natts;
	List	   *faults = NIL;
	ListCell   *lc;

	BudgetNext();
	MemoryContextReset(d->per_row);
	old = MemoryContextSwitchTo(d->per_row);
	slot_getallattrs(slot);
	for (int i = 0; i < d->plans->nkeys && !d->single; i++)
	{
		d->values[i] = slot->tts_values[i];
		d->nulls[i] = slot->tts_isnull[i];
	}
	if (!d->single && HasNoKey(d))
		 /* nothing to decide */ ;
	else if (slot->tts_isnull[found - 1])
		DecideNotFound(d);
	else
	{
		bool		log = d->plans->id->log_signals;

		/* Of the only message it is known that something fails. */
		if (d->protect && d->single)
			PolicyEvaluateApart(d->policy, slot, d->at, &decision, &faults);
		else if (d->protect)
			PolicyEvaluateProtected(d->policy, slot, d->at, &decision, &faults);
		else
			PolicyEvaluate(d->policy, slot, d->at, &decision);
		Keep(d, &decision, log ? slot->tts_values[found - 2] : (Datum) 0,
			 log ? slot->tts_isnull[found - 2] : true);
		foreach(lc, faults)
		{
			PolicyFault *f = lfirst(lc);

			AddFault(d, f->detector, f->sqlstate, f->message, f->suspended);
		}
	}
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

	if (!PolicySameRow(desc, d->plans->signals))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("signals view %s changed while a message was decided",
						d->plans->id->signals_name)));
}

static void
ReceiverEnd(DestReceiver *self)
{
}

/* Run a query for its rows, or for the first one of a key. */
static void
RunQuery(Decide *d, SPIPlanPtr plan, ParamListInfo params,
		 bool (*receive) (TupleTableSlot *, DestReceiver *))
{
	SPIExecuteOptions options = {0};
	int			ret;

	d->dest.receiveSlot = receive;
	d->dest.rStartup = ReceiverStart;
	d->dest.rShutdown = ReceiverEnd;
	d->dest.rDestroy = ReceiverEnd;
	d->dest.mydest = DestTuplestore;	/* what SPI takes for rows of ours */
	options.params = params;
	options.tcount = params ? 1 : 0;
	options.dest = &d->dest;
	ret = SPI_execute_plan_extended(plan, &options);
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(ret));
}

typedef struct QueryJob
{
	Decide	   *decide;
	SPIPlanPtr	plan;
	ParamListInfo params;
	bool		(*receive) (TupleTableSlot *, DestReceiver *);
} QueryJob;

static void
RunQueryJob(void *arg)
{
	QueryJob   *job = arg;

	RunQuery(job->decide, job->plan, job->params, job->receive);
}

static ParamListInfo
KeyParams(Decide *d)
{
	ParamListInfo params = makeParamList(d->plans->nkeys);

	for (int i = 0; i < d->plans->nkeys; i++)
	{
		params->params[i].value = d->values[i];
		params->params[i].isnull = d->nulls[i];
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = d->plans->key_types[i];
	}
	return params;
}

static void
FetchAndDecide(Decide *d)
{
	QueryJob	job = {d, d->plans->one_plan, NULL, ReceiveAndKeep};
	ErrorData  *error;
	TupleTableSlot *slot;

	if (HasNoKey(d))
		return;
	if (d->plans->broken[0])
	{
		DecideWithoutSignals(d, d->plans->broken, d->plans->broken_message);
		return;
	}
	job.params = KeyParams(d);
	d->row = NULL;
	error = RunProtected(RunQueryJob, &job);
	if (error)
	{
		DecideWithoutSignals(d, unpack_sql_state(error->sqlerrcode), error->message);
		return;
	}
	if (d->row == NULL)
	{
		DecideNotFound(d);
		return;
	}
	slot = MakeSingleTupleTableSlot(d->plans->signals, &TTSOpsHeapTuple);
	ExecStoreHeapTuple(d->row, slot, false);
	d->protect = true;
	DecideSlot(d, slot);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * One message by itself, its key in d->values, after something failed.  Many
 * may follow in one statement: nothing of it is kept.
 */
static void
DecideOne(Decide *d)
{
	MemoryContext old;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(d->per_message);
	old = MemoryContextSwitchTo(d->per_message);
	FetchAndDecide(d);
	MemoryContextSwitchTo(old);
}

/* Each message of the transition table by itself */
static void
DecideEach(Decide *d)
{
	SPITupleTable *keys;
	int			ret = SPI_execute_plan(d->plans->keys_plan, NULL, NULL, true, 0);
	uint64		n = SPI_processed;

	if (ret != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(ret));
	keys = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		for (int k = 0; k < d->plans->nkeys; k++)
			d->values[k] = SPI_getbinval(keys->vals[i], keys->tupdesc, k + 1, &d->nulls[k]);
		DecideOne(d);
	}
	SPI_freetuptable(keys);
}

/*
 * Writing
 */

static void
WriteDecisions(Decide *d)
{
	int			ret;

	if (d->single)
	{
		char	   *nulls = palloc(d->plans->decisions->natts);

		for (int i = 0; i < d->plans->decisions->natts; i++)
			nulls[i] = d->nulls[i] ? 'n' : ' ';
		ret = SPI_execute_plan(d->plans->insert_one, d->values, nulls, false, 0);
	}
	else
	{
		EphemeralNamedRelationData enr = {0};

		enr.md.name = DECISIONS_NAME;
		enr.md.tupdesc = d->plans->decisions;
		enr.md.enrtype = ENR_NAMED_TUPLESTORE;
		enr.md.enrtuples = d->ndecisions;
		enr.reldata = d->store;
		if (SPI_register_relation(&enr) != SPI_OK_REL_REGISTER)
			elog(ERROR, "SPI_register_relation failed");
		ret = SPI_execute_plan(d->plans->insert_many, NULL, NULL, false, 0);
		if (SPI_unregister_relation(DECISIONS_NAME) != SPI_OK_REL_UNREGISTER)
			elog(ERROR, "SPI_unregister_relation failed");
	}
	if (ret != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(ret));
}

static void
WriteFaults(Decide *d)
{
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	ListCell   *lc;

	foreach(lc, d->faults)
	{
		PolicyFault *f = lfirst(lc);
		Datum		values[] = {CStringGetTextDatum(d->policy->name),
			Int32GetDatum(d->policy->revision),
			f->detector ? CStringGetTextDatum(f->detector) : (Datum) 0,
			CStringGetTextDatum(f->key), CStringGetTextDatum(f->sqlstate),
		CStringGetTextDatum(f->message), BoolGetDatum(f->suspended)};
		char		nulls[] = {' ', ' ', f->detector ? ' ' : 'n', ' ', ' ', ' ', ' '};

		if (SPI_execute_with_args("INSERT INTO assay.fault (policy, revision, detector, key, sqlstate, message, suspended) "
								  "VALUES ($1, $2, $3, $4::text[], $5, $6, $7)",
								  lengthof(types), types, values, nulls, false, 0) != SPI_OK_INSERT)
			elog(ERROR, "could not write assay.fault");
	}
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
				 errmsg("assay.decide() must be fired AFTER INSERT")));
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() must be fired for INSERT only")));
	if (trigdata->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() takes one argument, the policy's name")));
	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) &&
		trigdata->tg_trigger->tgnewtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("assay.decide() for each statement needs the new rows"),
				 errhint("Add REFERENCING NEW TABLE AS new_messages to the trigger.")));
}

/* Of a row of the message table, into d->values */
static void
ReadKey(Decide *d, TupleTableSlot *slot)
{
	for (int i = 0; i < d->plans->nkeys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(d->plans->decisions, i);
		Datum		value = slot_getattr(slot, d->plans->key_columns[i], &d->nulls[i]);

		d->values[i] = d->nulls[i] ? value : datumCopy(value, att->attbyval, att->attlen);
	}
}

/*
 * The key of the only message, into d->values; false when there are several,
 * or when it is not as the decision table has it.
 */
static bool
TakeKey(Decide *d, TriggerData *trigdata)
{
	Tuplestorestate *rows = trigdata->tg_newtable;
	TupleTableSlot *slot;
	int			pointer;

	if (TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
	{
		FindKeyColumns(d->plans, trigdata->tg_relation);
		ReadKey(d, trigdata->tg_trigslot);
		return true;
	}
	if (tuplestore_tuple_count(rows) != 1)
		return false;
	FindKeyColumns(d->plans, trigdata->tg_relation);
	if (!d->plans->same_types)
		return false;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(trigdata->tg_relation),
									&TTSOpsMinimalTuple);
	pointer = tuplestore_alloc_read_pointer(rows, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(rows, pointer);
	tuplestore_rescan(rows);
	if (!tuplestore_gettupleslot(rows, true, false, slot))
		elog(ERROR, "new row vanished");
	ReadKey(d, slot);
	ExecDropSingleTupleTableSlot(slot);
	return true;
}

/*
 * All messages of the statement, or the one of the row, in one query and one
 * subtransaction; false when something failed.
 */
static bool
DecideTogether(Decide *d)
{
	QueryJob	job = {d, d->plans->all_plan, NULL, ReceiveAndDecide};
	ErrorData  *error;

	if (d->plans->broken[0])
		return false;
	if (d->single)
	{
		if (HasNoKey(d))
			return true;
		job.plan = d->plans->one_plan;
		job.params = KeyParams(d);
	}
	d->protect = false;
	if (d->policy->raise_errors)
	{
		RunQueryJob(&job);
		if (d->single && d->ndecisions == 0)
			DecideNotFound(d);
		return true;
	}
	if (d->policy->stats)
		StatsMark(d->policy->stats);
	error = RunProtected(RunQueryJob, &job);
	if (error == NULL)
	{
		if (d->policy->stats)
			StatsKeep(d->policy->stats);
		if (d->single && d->ndecisions == 0)
			DecideNotFound(d);
		return true;
	}
	if (d->policy->stats)
		StatsUndo(d->policy->stats);	/* each comes again */
	FreeErrorData(error);
	if (!d->single)
		tuplestore_clear(d->store);
	d->ndecisions = 0;
	d->nundecided = 0;
	d->faults = NIL;
	return false;
}

static void
DecideApart(Decide *d)
{
	if (d->single)
		DecideOne(d);
	else
		DecideEach(d);
}

/*
 * A change of the policy or its view that arrives while we work is worth
 * another try when something failed; a second one is not.
 */
static void
DecideInTime(Decide *d, bool last)
{
	BudgetStart();
	PG_TRY();
	{
		d->decided = DecideTogether(d);
		if (!d->decided && (last || d->plans->broken[0] ||
							d->plans->generation == PolicyGeneration()))
		{
			DecideApart(d);
			d->decided = true;
		}
	}
	PG_FINALLY();
	{
		BudgetStop();
	}
	PG_END_TRY();
}

PG_FUNCTION_INFO_V1(assay_decide);
Datum
assay_decide(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Decide	   *d;
	PolicySecurity security;

	CheckTrigger(fcinfo);
	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) &&
		tuplestore_tuple_count(trigdata->tg_newtable) == 0)
		return PointerGetDatum(NULL);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_register_trigger_data(trigdata) < 0)
		elog(ERROR, "SPI_register_trigger_data failed");

	d = palloc0(sizeof(Decide));
	d->context = CurrentMemoryContext;
	d->per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay decide row",
									   ALLOCSET_DEFAULT_SIZES);
	d->per_message = AllocSetContextCreate(CurrentMemoryContext, "pg_assay decide message",
										   ALLOCSET_DEFAULT_SIZES);
	d->at = GetCurrentTransactionStartTimestamp();

	for (int attempt = 0;; attempt++)
	{
		d->plans = GetDecidePlans(trigdata, trigdata->tg_trigger->tgargs[0]);
		d->policy = PolicyGet(d->plans->policy, 0, false, d->plans->signals,
							  InvalidOid);
		d->plans->pins++;
		d->policy->pins++;
		d->values = palloc0(d->plans->decisions->natts * sizeof(Datum));
		d->nulls = palloc0(d->plans->decisions->natts * sizeof(bool));
		d->single = TakeKey(d, trigdata);
		if (!d->single && d->store == NULL)
			d->store = tuplestore_begin_heap(false, false, work_mem);

		PolicyEnter(&security, d->plans->id->owner, d->plans->id->search_path,
					SECURITY_RESTRICTED_OPERATION);
		DecideInTime(d, attempt > 0);
		if (d->decided)
			break;
		PolicyLeave(&security);
		d->plans->pins--;
		d->policy->pins--;
	}

	/*
	 * The decisions are the owner's too, but a deferred constraint of theirs
	 * could not fire in a restricted operation.
	 */
	SetUserIdAndSecContext(d->plans->id->owner,
						   security.save_context | SECURITY_LOCAL_USERID_CHANGE);
	if (d->ndecisions > 0)
		WriteDecisions(d);
	PolicyLeave(&security);
	if (d->faults != NIL)
	{
		PolicyEnterConfiguration(&security);
		WriteFaults(d);
		PolicyLeave(&security);
	}

	TellUndecided(d);

	if (d->store)
		tuplestore_end(d->store);
	d->plans->pins--;
	d->policy->pins--;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return PointerGetDatum(NULL);
}
