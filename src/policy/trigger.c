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
 * A statement-level trigger makes one set-based query of it; a row-level one
 * asks for its key.  Both write what they found through the same function.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "policy.h"
#include "protect.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Decisions of one statement, under this name in the INSERT's query */
#define DECISIONS_NAME	"(decisions)"

/* Faults kept of one statement; the ledgers have them all */
#define STATEMENT_FAULTS_MAX	100

/* A trigger's plans, kept while the generation stays */
typedef struct DecidePlans
{
	Oid			trigger;
	char	   *policy;
	uint64		generation;
	MemoryContext context;
	PolicyIdentity *id;
	int			nkeys;
	Oid		   *key_types;		/* of the decision table */
	int		   *key_columns;	/* attribute numbers in the message table */
	char	   *transition;		/* name of the transition table, or NULL */
	SPIPlanPtr	keys_plan;		/* the keys of the transition table */
	SPIPlanPtr	all_plan;		/* their signals */
	SPIPlanPtr	one_plan;		/* the signals of one key */
	SPIPlanPtr	insert_many;	/* from the tuplestore */
	SPIPlanPtr	insert_one;		/* from parameters */
	char		broken[6];		/* SQLSTATE: the signals can't be read */
	char	   *broken_message;
	TupleDesc	signals;		/* of the signals query; empty when broken */
	TupleDesc	decisions;		/* of the tuplestore */
	int			pins;			/* in use: keep them */
} DecidePlans;

static List * all_plans = NIL;	/* of DecidePlans */

/* The decisions of one statement in the making */
typedef struct Decide
{
	DestReceiver dest;			/* must be first */
	DecidePlans *plans;
	CompiledPolicy *policy;
	bool		protect;		/* each row by itself */
	TimestampTz at;
	Tuplestorestate *store;
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
 * Plans
 */

static SPIPlanPtr
KeepPlan(const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, nargs, types);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed for \"%s\": %s", sql,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static Oid
AttributionType(void)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("attribution"),
						   ObjectIdGetDatum(get_namespace_oid("assay", false)));
}

/* What the decision table needs, and the plans that fill it */
static void
PrepareInserts(DecidePlans *t)
{
	static const char *const columns[] = {"revision", "decided_at", "verdict", "score",
	"attribution", "degraded", "signals"};
	Oid			types[] = {INT4OID, TIMESTAMPTZOID, TEXTOID, FLOAT4OID,
	AttributionType(), BOOLOID, InvalidOid};
	int			ncolumns = t->id->log_signals ? 7 : 6;
	Oid			table = RelationByName(t->id->decision_name);
	int			n = t->nkeys + ncolumns;
	Oid		   *all = palloc(n * sizeof(Oid));
	StringInfoData into;
	StringInfoData sql;
	ListCell   *lc;
	MemoryContext old;
	EphemeralNamedRelationData enr = {0};
	int			i = 0;

	if (!OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("decision table %s of policy \"%s\" does not exist",
						t->id->decision_name, t->policy)));
	old = MemoryContextSwitchTo(t->context);
	t->key_types = palloc(t->nkeys * sizeof(Oid));
	t->decisions = CreateTemplateTupleDesc(n);
	foreach(lc, t->id->key)
	{
		t->key_types[i] = get_atttype(table, get_attnum(table, lfirst(lc)));
		if (!OidIsValid(t->key_types[i]))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("decision table %s has no key column \"%s\"",
							t->id->decision_name, (char *) lfirst(lc))));
		TupleDescInitEntry(t->decisions, i + 1, lfirst(lc), t->key_types[i], -1, 0);
		i++;
	}
	if (t->id->log_signals)
		types[6] = get_atttype(table, get_attnum(table, "signals"));
	for (int c = 0; c < ncolumns; c++)
		TupleDescInitEntry(t->decisions, t->nkeys + c + 1, columns[c], types[c], -1, 0);
	MemoryContextSwitchTo(old);
	for (i = 0; i < n; i++)
		all[i] = TupleDescAttr(t->decisions, i)->atttypid;

	initStringInfo(&into);
	appendStringInfo(&into, "INSERT INTO %s (", t->id->decision_name);
	for (i = 0; i < n; i++)
		appendStringInfo(&into, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(t->decisions, i)->attname)));
	appendStringInfoString(&into, ") ");

	initStringInfo(&sql);
	appendStringInfo(&sql, "%sVALUES (", into.data);
	for (i = 0; i < n; i++)
		appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 1);
	appendStringInfoString(&sql, ") ON CONFLICT DO NOTHING");
	t->insert_one = KeepPlan(sql.data, n, all);

	enr.md.name = DECISIONS_NAME;
	enr.md.tupdesc = t->decisions;
	enr.md.enrtype = ENR_NAMED_TUPLESTORE;
	if (SPI_register_relation(&enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
	resetStringInfo(&sql);
	appendStringInfo(&sql, "%sSELECT * FROM \"" DECISIONS_NAME "\" ON CONFLICT DO NOTHING",
					 into.data);
	t->insert_many = KeepPlan(sql.data, 0, NULL);
	if (SPI_unregister_relation(DECISIONS_NAME) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "SPI_unregister_relation failed");
}

/* The plans over the signals view: it may be gone, or another */
static void
PrepareSignals(void *arg)
{
	DecidePlans *t = arg;
	CachedPlanSource *source;
	MemoryContext old;

	PolicyWatch(RelationByName(t->id->signals_name));
	if (t->transition)
		t->all_plan = KeepPlan(SignalsQuery(t->id, KeySource(t->id, t->key_types, t->transition)),
							   0, NULL);
	t->one_plan = KeepPlan(SignalsQuery(t->id, KeySource(t->id, t->key_types, NULL)),
						   t->nkeys, t->key_types);
	source = linitial(SPI_plan_get_plan_sources(t->one_plan));
	old = MemoryContextSwitchTo(t->context);
	t->signals = CreateTupleDescCopy(source->resultDesc);
	MemoryContextSwitchTo(old);
}

/*
 * Where the key is in a row of the message table.  Asked for each row, since
 * nothing tells when the table's columns change.
 */
static void
FindKeyColumns(DecidePlans *t, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	ListCell   *lc;
	int			i = 0;

	foreach(lc, t->id->key)
	{
		int			column = 0;

		while (column < desc->natts &&
			   (TupleDescAttr(desc, column)->attisdropped ||
				namestrcmp(&TupleDescAttr(desc, column)->attname, lfirst(lc)) != 0))
			column++;
		if (column == desc->natts)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no key column \"%s\" of policy \"%s\"",
							RelationGetRelationName(rel), (char *) lfirst(lc), t->policy)));
		if (t->transition == NULL &&
			TupleDescAttr(desc, column)->atttypid != t->key_types[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("key column \"%s\" of table \"%s\" has another type than in %s",
							(char *) lfirst(lc), RelationGetRelationName(rel),
							t->id->decision_name),
					 errhint("Give them the same type, or use a statement-level trigger.")));
		t->key_columns[i++] = column + 1;
	}
}

static void
DropPlans(DecidePlans *t)
{
	SPIPlanPtr	plans[] = {t->keys_plan, t->all_plan, t->one_plan, t->insert_many, t->insert_one};

	all_plans = list_delete_ptr(all_plans, t);
	for (int i = 0; i < lengthof(plans); i++)
		if (plans[i])
			SPI_freeplan(plans[i]);
	MemoryContextDelete(t->context);
}

/* Drop what is out of date and not in use. */
static void
SweepPlans(void)
{
	for (int i = list_length(all_plans) - 1; i >= 0; i--)
	{
		DecidePlans *t = list_nth(all_plans, i);

		if (t->pins == 0 && t->generation != PolicyGeneration())
			DropPlans(t);
	}
}

/* What an error left pinned is free at the end of the transaction. */
static void
UnpinPlans(XactEvent event, void *arg)
{
	ListCell   *lc;

	foreach(lc, all_plans)
		((DecidePlans *) lfirst(lc))->pins = 0;
}

void
DecideInit(void)
{
	RegisterXactCallback(UnpinPlans, NULL);
}

/* Whoever owns the message table speaks for the policy's owner, or not. */
static void
CheckMayDecide(Relation rel, DecidePlans *t)
{
	if (!has_privs_of_role(rel->rd_rel->relowner, t->id->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("owner of table \"%s\" may not decide by policy \"%s\"",
						RelationGetRelationName(rel), t->policy),
				 errhint("The table's owner must be the policy's owner or a member of it.")));
}

/*
 * The plans of this trigger: those of before, while nothing changed.  SPI is
 * connected.
 */
static DecidePlans *
GetPlans(TriggerData * trigdata, const char *policy)
{
	DecidePlans *t;
	MemoryContext context;
	MemoryContext old;
	PolicySecurity security;
	ErrorData  *error;
	ListCell   *lc;
	uint64		generation;

	foreach(lc, all_plans)
	{
		t = lfirst(lc);
		if (t->trigger == trigdata->tg_trigger->tgoid &&
			t->generation == PolicyGeneration() && strcmp(t->policy, policy) == 0)
		{
			CheckMayDecide(trigdata->tg_relation, t);
			return t;
		}
	}
	SweepPlans();

	/*
	 * Known from the start, though to nobody of use yet: what an error leaves
	 * of it, plans too, goes with a later sweep.
	 */
	context = AllocSetContextCreate(CacheMemoryContext, "pg_assay decide",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	t = palloc0(sizeof(DecidePlans));
	t->context = context;
	t->pins = 1;
	MemoryContextSwitchTo(CacheMemoryContext);
	all_plans = lappend(all_plans, t);
	MemoryContextSwitchTo(context);
	t->trigger = trigdata->tg_trigger->tgoid;
	t->policy = pstrdup(policy);
	generation = PolicyGeneration();
	t->id = PolicyIdentify(policy);
	if (trigdata->tg_trigger->tgnewtable && !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		t->transition = pstrdup(trigdata->tg_trigger->tgnewtable);
	MemoryContextSwitchTo(old);

	CheckMayDecide(trigdata->tg_relation, t);
	t->nkeys = list_length(t->id->key);

	PolicyEnter(&security, t->id->owner, t->id->search_path, SECURITY_RESTRICTED_OPERATION);
	PrepareInserts(t);
	t->key_columns = MemoryContextAlloc(t->context, t->nkeys * sizeof(int));
	FindKeyColumns(t, trigdata->tg_relation);
	if (t->transition)
		t->keys_plan = KeepPlan(KeySource(t->id, t->key_types, t->transition), 0, NULL);
	error = RunProtected(PrepareSignals, t);
	PolicyLeave(&security);
	if (error && t->id->raise_errors)
		ReThrowError(error);
	if (error)
	{
		/* Nothing tells when it is mended: look again at the next statement. */
		generation = 0;
		strlcpy(t->broken, unpack_sql_state(error->sqlerrcode), 6);
		t->broken_message = MemoryContextStrdup(context, error->message);
		old = MemoryContextSwitchTo(context);
		t->signals = CreateTemplateTupleDesc(0);
		MemoryContextSwitchTo(old);
		ereport(PolicyNotice(t->id->owner),
				(errmsg("policy \"%s\": signals view %s cannot be read: %s", policy,
						t->id->signals_name, error->message),
				 errdetail("Messages are decided from the prior alone, marked degraded, until it is mended.")));
	}
	t->generation = generation;
	t->pins--;
	return t;
}

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
		d->values[k + 6] = signals;
		d->nulls[k + 6] = nosignals;
	}
	tuplestore_putvalues(d->store, d->plans->decisions, d->values, d->nulls);
	d->ndecisions++;
	if (bms_is_member(decision->verdict, d->policy->notify))
		NotifyDecision(d->policy, decision, d->plans->key_types, d->values, k);
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

/* A row of the signals query: decide it. */
static void
DecideSlot(Decide *d, TupleTableSlot * slot)
{
	PolicyDecision decision;
	MemoryContext old;
	int			found = d->plans->signals->natts;
	List	   *faults = NIL;
	ListCell   *lc;

	MemoryContextReset(d->per_row);
	old = MemoryContextSwitchTo(d->per_row);
	slot_getallattrs(slot);
	for (int i = 0; i < d->plans->nkeys; i++)
	{
		d->values[i] = slot->tts_values[i];
		d->nulls[i] = slot->tts_isnull[i];
	}
	if (HasNoKey(d))
		 /* nothing to decide */ ;
	else if (slot->tts_isnull[found - 1])
		DecideWithoutSignals(d, "02000", "the signals view has no row for this message");
	else
	{
		bool		log = d->plans->id->log_signals;

		if (d->protect)
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
ReceiveAndDecide(TupleTableSlot * slot, DestReceiver * self)
{
	DecideSlot((Decide *) self, slot);
	return true;
}

/* ... or keep the only one */
static bool
ReceiveAndKeep(TupleTableSlot * slot, DestReceiver * self)
{
	Decide	   *d = (Decide *) self;
	MemoryContext old = MemoryContextSwitchTo(d->per_message);

	d->row = ExecCopySlotHeapTuple(slot);
	MemoryContextSwitchTo(old);
	return true;
}

/* The view may have changed between planning and running the query. */
static void
ReceiverStart(DestReceiver * self, int operation, TupleDesc desc)
{
	Decide	   *d = (Decide *) self;

	if (!PolicySameRow(desc, d->plans->signals))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("signals view %s changed while a message was decided",
						d->plans->id->signals_name)));
}

static void
ReceiverEnd(DestReceiver * self)
{
}

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

	if (d->ndecisions == 1)
	{
		TupleTableSlot *slot = MakeSingleTupleTableSlot(d->plans->decisions,
														&TTSOpsMinimalTuple);
		char	   *nulls = palloc(d->plans->decisions->natts);

		if (!tuplestore_gettupleslot(d->store, true, false, slot))
			elog(ERROR, "decision vanished");
		slot_getallattrs(slot);
		for (int i = 0; i < d->plans->decisions->natts; i++)
			nulls[i] = slot->tts_isnull[i] ? 'n' : ' ';
		ret = SPI_execute_plan(d->plans->insert_one, slot->tts_values, nulls, false, 0);
		ExecDropSingleTupleTableSlot(slot);
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

/* The key of a row-level trigger's row, in d->values */
static void
TakeRowKey(Decide *d, TriggerData * trigdata)
{
	FindKeyColumns(d->plans, trigdata->tg_relation);
	for (int i = 0; i < d->plans->nkeys; i++)
		d->values[i] = slot_getattr(trigdata->tg_trigslot, d->plans->key_columns[i],
									&d->nulls[i]);
}

/*
 * All messages of the statement, or the one of the row, in one query and one
 * subtransaction; false when something failed.
 */
static bool
DecideTogether(Decide *d, TriggerData * trigdata)
{
	QueryJob	job = {d, d->plans->all_plan, NULL, ReceiveAndDecide};
	ErrorData  *error;

	if (d->plans->broken[0])
		return false;
	if (TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
	{
		TakeRowKey(d, trigdata);
		job.plan = d->plans->one_plan;
		job.params = KeyParams(d);
	}
	d->protect = false;
	if (d->policy->raise_errors)
	{
		RunQueryJob(&job);
		return true;
	}
	if (d->policy->stats)
		StatsMark(d->policy->stats);
	error = RunProtected(RunQueryJob, &job);
	if (error == NULL)
	{
		if (d->policy->stats)
			StatsKeep(d->policy->stats);
		return true;
	}
	if (d->policy->stats)
		StatsUndo(d->policy->stats);	/* each comes again */
	FreeErrorData(error);
	tuplestore_clear(d->store);
	d->ndecisions = 0;
	d->nundecided = 0;
	d->faults = NIL;
	return false;
}

static void
DecideApart(Decide *d, TriggerData * trigdata)
{
	if (TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
	{
		TakeRowKey(d, trigdata);
		DecideOne(d);
	}
	else
		DecideEach(d);
}

PG_FUNCTION_INFO_V1(assay_decide);
Datum
assay_decide(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Decide	   *d;
	PolicySecurity security;

	CheckTrigger(fcinfo);
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
	d->store = tuplestore_begin_heap(false, false, work_mem);

	/*
	 * A change of the policy or its view that arrives while we work is worth
	 * another try when something failed; a second one is not.
	 */
	for (int attempt = 0;; attempt++)
	{
		bool		decided;

		d->plans = GetPlans(trigdata, trigdata->tg_trigger->tgargs[0]);
		d->policy = PolicyGet(d->plans->policy, 0, false, d->plans->signals,
							  InvalidOid);
		d->plans->pins++;
		d->policy->pins++;
		d->values = palloc0(d->plans->decisions->natts * sizeof(Datum));
		d->nulls = palloc0(d->plans->decisions->natts * sizeof(bool));

		PolicyEnter(&security, d->plans->id->owner, d->plans->id->search_path,
					SECURITY_RESTRICTED_OPERATION);
		decided = DecideTogether(d, trigdata);
		if (!decided && (attempt > 0 || d->plans->broken[0] ||
						 d->plans->generation == PolicyGeneration()))
		{
			DecideApart(d, trigdata);
			decided = true;
		}
		if (decided)
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

	tuplestore_end(d->store);
	d->plans->pins--;
	d->policy->pins--;
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	return PointerGetDatum(NULL);
}
