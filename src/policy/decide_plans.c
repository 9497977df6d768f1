/*
 * decide_plans.c
 *		The plans of decide() triggers: they read the signals of new messages
 *		and write their decisions.  They live as long as the policy and its view
 *		stay as they are.
 *
 * As in policy_cache.c, what is returned is pinned until the memory context
 * that the caller gave is reset, and what is out of date goes when others are
 * made.
 */
#include "postgres.h"

#include "budget.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "compat.h"
#include "compile.h"
#include "decide_plans.h"
#include "decision_parts.h"
#include "executor/executor.h"
#include "fault.h"
#include "new_rows.h"
#include "policy_cache.h"
#include "protect.h"
#include "security.h"
#include "shards.h"
#include "signals_query.h"
#include "steady_time.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* A view that could not be read is looked at again after so long. */
#define RETRY_USECS		USECS_PER_SEC

static List *all_plans = NIL;	/* of DecidePlans */
static uint64 plans_used = 0;

/* Of the configuration; a row trigger comes for each row while there are no plans. */
static Patience patience;

/* Of decision tables; those of other policies may be held for a moment only */
static Patience table_patience[64];

/*
 * A plan that is made once: its parameters are keys, whose values would only
 * mislead, and on a partitioned table a plan of its own for each INSERT takes
 * longer than the INSERT.
 */
static SPIPlanPtr
KeepPlan(const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor failed for \"%s\": %s", sql,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/* The plans that fill the decision table */
static void
PrepareInserts(DecidePlans *t, Relation rel)
{
	int			n = t->table->desc->natts;
	Oid		   *types = palloc(n * sizeof(Oid));
	EphemeralNamedRelation enr;

	for (int i = 0; i < n; i++)
		types[i] = TupleDescAttr(t->table->desc, i)->atttypid;
	t->insert_one = KeepPlan(InsertOneSql(t->table), n, types);
	if (t->transition == NULL)
		return;

	/* An error leaves it in the SPI connection: not on the stack. */
	(void) SPI_unregister_relation(DECISIONS_NAME);
	enr = palloc0(sizeof(*enr));
	enr->md.name = DECISIONS_NAME;
	enr->md.tupdesc = t->table->desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
	t->insert_many = KeepPlan(InsertManySql(t->table, BringsUniqueKeys(t->table, rel)), 0, NULL);
	if (SPI_unregister_relation(DECISIONS_NAME) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "SPI_unregister_relation failed");
}

/* Has the view still the name by which a query finds it? */
static bool
SignalsArePlaced(PolicyIdentity *id)
{
	return IdentityIsPlaced(id, id->signals, id->signals_name);
}

/* On a shard the query is one over tables. */
void
LockSignals(PolicyIdentity *id)
{
	if (id->signals_source)
		return;
	LockRelationOid(id->signals, AccessShareLock);
	if (!SignalsArePlaced(id))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("signals view of policy \"%s\" was replaced meanwhile", id->policy)));
}

typedef struct PlansJob
{
	DecidePlans *plans;
	Relation	rel;
	const char *keys;			/* the new rows' keys, where there is a table
								 * of them */
} PlansJob;

/* The plans over the signals view: it may be gone, or another */
static void
PrepareSignals(void *arg)
{
	PlansJob   *job = arg;
	DecidePlans *t = job->plans;
	CachedPlanSource *source;
	MemoryContext old;

	LockSignals(t->id);
	if (t->transition)
		t->all_plan = KeepPlan(SignalsQuery(t->id, t->table->key_types, job->keys), 0, NULL);
	t->one_plan = KeepPlan(OneSignalsQuery(t->id, t->table->key_types), t->table->nkeys,
						   t->table->key_types);
	source = linitial(SPI_plan_get_plan_sources(t->one_plan));
	old = MemoryContextSwitchTo(t->context);
	t->signals = CreateTupleDescCopy(source->resultDesc);
	if (t->table->log_signals)
		t->shape = MakeSignalsShape(t->signals, t->table->nkeys,
									t->signals->natts - t->table->nkeys - 1);
	MemoryContextSwitchTo(old);
}

/* The plan of a query over the new rows, whose result is as one_plan's */
static SPIPlanPtr
KeepNewRowsPlan(DecidePlans *t, const char *sql, int nargs, Oid *types)
{
	SPIPlanPtr	plan = KeepPlan(sql, nargs, types);
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	if (SameRow(source->resultDesc, t->signals))
		return plan;
	SPI_freeplan(plan);
	t->why_not = "the view's columns cannot be had exactly of the new rows";
	return NULL;
}

/* The plans that take the signals from the new rows, or why there are none */
static void
PrepareNewRows(void *arg)
{
	DecidePlans *t = ((PlansJob *) arg)->plans;
	Relation	rel = ((PlansJob *) arg)->rel;
	TupleDesc	desc = RelationGetDescr(rel);
	Oid		   *types = palloc(desc->natts * sizeof(Oid));
	int			n = 0;
	NewRows		found;
	MemoryContext old;
	ListCell   *lc;

	FindNewRows(&found, t->id, t->table->key_types, rel);
	t->why_not = found.why_not;
	t->looked_up = found.looked_up;
	old = MemoryContextSwitchTo(t->context);
	t->new_used = bms_copy(found.used);
	MemoryContextSwitchTo(old);
	foreach(lc, found.relations)
		DependOnRelation(&t->dependencies, lfirst_oid(lc));
	/* Within the view's query a table of the server would be taken for it. */
	if (OidIsValid(get_relname_relid(t->transition, PG_CATALOG_NAMESPACE)))
		t->why_not = "the transition table is called as one of the server's tables";
	if (t->why_not)
		return;
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			types[n++] = TupleDescAttr(desc, i)->atttypid;
	t->new_all_plan = KeepNewRowsPlan(t, NewRowsQuery(&found, t->id, t->table->key_types, rel, t->transition),
									  0, NULL);
	if (t->why_not == NULL)
		t->new_one_plan = KeepNewRowsPlan(t, NewRowQuery(&found, t->id, t->table->key_types, rel), n, types);
}

static void
DropNewRows(DecidePlans *t)
{
	KeptQueryDrop(&t->kept);
	if (t->new_all_plan)
		SPI_freeplan(t->new_all_plan);
	if (t->new_one_plan)
		SPI_freeplan(t->new_one_plan);
	t->new_all_plan = t->new_one_plan = NULL;
}

/* Have them; where that fails, messages are read again. */
static void
TryNewRows(DecidePlans *t, Relation rel)
{
	PlansJob	job = {t, rel, NULL};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_assay new rows",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ErrorData  *error;

	t->why_not = NULL;
	error = RunProtected(PrepareNewRows, &job);
	if (error)
		t->why_not = MemoryContextStrdup(t->context, error->message);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	if (t->why_not)
		DropNewRows(t);
}

/* Are there plans over the new rows, as they were made? */
bool
NewRowsPlansHold(DecidePlans *t)
{
	/* A cancel may have left none, or one of them. */
	return t->why_not == NULL && t->new_all_plan && SPI_plan_is_valid(t->new_all_plan) &&
		t->new_one_plan && SPI_plan_is_valid(t->new_one_plan);
}

/*
 * Can plans over the new rows be had?  What they are made of changed when they
 * are not valid any more: their text, which has names, is made anew before
 * anything parses it again.  The policy's owner is entered.
 */
bool
HaveNewRowsPlans(DecidePlans *t, Relation rel)
{
	if (t->why_not)
		return false;
	if (likely(NewRowsPlansHold(t)))
		return true;
	if (t->pins > 1)
		return false;
	DropNewRows(t);
	TryNewRows(t, rel);
	return t->why_not == NULL;
}

static void
DropPlans(DecidePlans *t)
{
	SPIPlanPtr	plans[] = {t->keys_plan, t->all_plan, t->one_plan, t->insert_many, t->insert_one};

	DropNewRows(t);
	all_plans = list_delete_ptr(all_plans, t);
	for (int i = 0; i < lengthof(plans); i++)
		if (plans[i])
			SPI_freeplan(plans[i]);
	MemoryContextDelete(t->context);
}

static Size
PlansBytes(DecidePlans *t)
{
	SPIPlanPtr	plans[] = {t->keys_plan, t->all_plan, t->one_plan, t->new_all_plan, t->new_one_plan,
	t->insert_many, t->insert_one};
	Size		bytes = MemoryContextMemAllocated(t->context, true);

	for (int i = 0; i < lengthof(plans); i++)
	{
		ListCell   *lc;

		if (plans[i] == NULL)
			continue;
		foreach(lc, SPI_plan_get_plan_sources(plans[i]))
		{
			CachedPlanSource *source = lfirst(lc);

			bytes += MemoryContextMemAllocated(source->context, true);
			if (source->gplan)
				bytes += MemoryContextMemAllocated(source->gplan->context, true);
		}
	}
	return bytes;
}

/* Are they still good? */
bool
DecidePlansHold(DecidePlans *t)
{
	if (t->retry_at != DT_NOEND && SteadyTime() >= t->retry_at)
		t->dependencies.valid = false;
	if (t->id && !IdentityHolds(t->id))
		t->dependencies.valid = false;
	return DependenciesHold(&t->dependencies);
}

/*
 * Drop what is out of date and not in use, and make room: the plans may take
 * as much memory as the policies.
 */
static void
Sweep(void)
{
	Size		total = 0;

	for (int i = list_length(all_plans) - 1; i >= 0; i--)
	{
		DecidePlans *t = list_nth(all_plans, i);

		if (t->pins == 0 && !(t->whole && t->dependencies.valid))
			DropPlans(t);
		else
			total += t->bytes = PlansBytes(t);
	}
	while (total > (Size) PolicyCacheLimit() * 1024)
	{
		DecidePlans *oldest = NULL;
		ListCell   *lc;

		foreach(lc, all_plans)
		{
			DecidePlans *t = lfirst(lc);

			if (t->pins == 0 && (oldest == NULL || t->last_used < oldest->last_used))
				oldest = t;
		}
		if (oldest == NULL)
			break;
		total -= oldest->bytes;
		DropPlans(oldest);
	}
}

/* How many kinds of triggers have plans for a policy, and what these take */
Size
DecidePlansBytes(const char *policy, int *triggers)
{
	Size		bytes = 0;
	ListCell   *lc;

	*triggers = 0;
	foreach(lc, all_plans)
	{
		DecidePlans *t = lfirst(lc);

		if (!t->whole || !t->dependencies.valid || strcmp(t->policy, policy) != 0)
			continue;
		(*triggers)++;
		bytes += PlansBytes(t);
	}
	return bytes;
}

/* A use of plans, in the memory of who uses them */
typedef struct PlansPin
{
	DecidePlans *plans;
	MemoryContextCallback callback;
} PlansPin;

static void
Unpin(void *arg)
{
	((PlansPin *) arg)->plans->pins--;
}

static void
Use(DecidePlans *t, MemoryContext context)
{
	PlansPin   *pin = MemoryContextAlloc(context, sizeof(PlansPin));

	pin->plans = t;
	pin->callback.func = Unpin;
	pin->callback.arg = pin;
	MemoryContextRegisterResetCallback(context, &pin->callback);
	t->pins++;
	t->last_used = ++plans_used;
}

/* News of the tables, the view and their schemas are news of the plans. */
static void
NoteDependencies(DecidePlans *t, Relation rel)
{
	Oid			relations[] = {t->id->decision, t->id->signals, t->relation};

	for (int i = 0; i < lengthof(relations); i++)
	{
		Oid			schema;

		if (!OidIsValid(relations[i]))
			continue;
		DependOnRelation(&t->dependencies, relations[i]);
		schema = get_rel_namespace(relations[i]);
		DependOnItem(&t->dependencies, NAMESPACEOID,
					 GetSysCacheHashValue1(NAMESPACEOID, ObjectIdGetDatum(schema)));
	}
	for (int i = 0; t->table && i < t->table->nkeys; i++)
	{
		DependOnType(&t->dependencies, t->table->key_types[i]);
		DependOnType(&t->dependencies, get_atttype(RelationGetRelid(rel), get_attnum(RelationGetRelid(rel), list_nth(t->id->key, i))));
	}
	/* Where the view is not there, it may come back under another oid. */
	t->dependencies.misses |= !OidIsValid(t->id->signals);
}

static void
NoteBroken(DecidePlans *t, const char *sqlstate, const char *message)
{
	strlcpy(t->broken, sqlstate, sizeof(t->broken));
	t->broken_message = MemoryContextStrdup(t->context, message);
	t->signals = NULL;
	t->shape = NULL;
	/* Nothing tells for sure when it is mended. */
	t->retry_at = SteadyTime() + RETRY_USECS;
}

static Patience *
PatienceOf(Oid decision)
{
	return &table_patience[decision % lengthof(table_patience)];
}

static void
RunLockDecisions(void *arg)
{
	PolicyIdentity *id = arg;
	Security	security;

	EnterOwner(&security, id->owner, id->search_path);
	WaitNoLonger(&security, IsImpatient(PatienceOf(id->decision)) ? HARDLY_MS : assay_message_budget);
	LockRelationOid(id->decision, RowExclusiveLock);
	LeaveSecurity(&security);
}

/*
 * Lock the decision table, which the plans that fill it need.  Who holds it (CREATE
 * INDEX, VACUUM FULL) is waited for as long as where there are plans, in a time that
 * the message does not lose, and not again in each attempt.  Who wants errors
 * rather waits.
 */
static void
LockDecisionsSoon(PolicyIdentity *id)
{
	ErrorData  *error;

	if (!OidIsValid(id->decision) || id->raise_errors || LockAtOnce(id->decision))
		return;
	BudgetAllow(200);
	error = RunPatiently(PatienceOf(id->decision), RunLockDecisions, id);
	BudgetAllow(100);
	if (error && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		error->message = psprintf("the decision cannot be written: %s", error->message);
	if (error)
		ReThrowError(error);
}

/* All that needs the owner's rights */
static void
Prepare(DecidePlans *t, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(t->context);
	PlansJob	job = {t, rel, NULL};
	Security	security;
	ErrorData  *error = NULL;
	const char *misplaced;

	PolicyCheckOwners(t->id);
	PolicyCheckKeysOf(t->id, RelationGetRelid(rel));
	EnterOwner(&security, t->id->owner, t->id->search_path);
	misplaced = UseShards(t->id, rel, &t->dependencies);
	LockDecisionsSoon(t->id);
	t->table = OpenDecisionTable(t->id);
	MemoryContextSwitchTo(old);
	MustHaveKey(t->id, RelationGetRelid(rel));
	PrepareInserts(t, rel);
	if (t->transition)
	{
		job.keys = KeySource(t->id, t->table->key_types, t->transition, rel, &t->dependencies, &t->whole_keys);
		t->keys_plan = KeepPlan(job.keys, 0, NULL);
	}
	if (!OidIsValid(t->id->signals))
		NoteBroken(t, "42P01", psprintf("signals view %s does not exist", t->id->signals_name));
	else if (misplaced)
		NoteBroken(t, "55000", misplaced);
	else if ((error = RunProtected(PrepareSignals, &job)) != NULL && !SignalsArePlaced(t->id))
		ReThrowError(error);
	else if (error)
		NoteBroken(t, unpack_sql_state(error->sqlerrcode), error->message);
	if (t->signals == NULL)
		t->why_not = "the signals cannot be read";
	else if (t->transition == NULL)
		t->why_not = "the trigger is not for each statement";
	else
		TryNewRows(t, rel);
	LeaveSecurity(&security);
}

/*
 * Whoever owns the message table speaks for the policy's owner, or not.  Plans
 * are made of what the table generates its keys by, as the policy's owner: not
 * even to parse that is anybody's else.
 */
static void
CheckMayDecide(PolicyIdentity *id, Relation rel, bool *raise)
{
	if (has_privs_of_role(rel->rd_rel->relowner, id->owner))
		return;
	*raise = id->raise_errors;
	ereport(ERROR,
			(errcode(ERRCODE_MAY_NOT_DECIDE),
			 errmsg("owner of table \"%s\" may not decide by policy \"%s\"",
					RelationGetRelationName(rel), id->policy),
			 errhint("The table's owner must be the policy's owner or a member of it.")));
}

typedef struct IdentifyJob
{
	const char *policy;
	int			ms;				/* to wait for who holds the configuration */
	PolicyIdentity *id;
} IdentifyJob;

static void
RunIdentify(void *arg)
{
	IdentifyJob *job = arg;

	job->id = ConfigIdentifyWithin(job->policy, job->ms);
}

/*
 * The policy as the configuration has it.  Who holds its tables is not waited for long;
 * again: for a row whose decision has waited.
 */
PolicyIdentity *
IdentifySoon(const char *policy, bool again)
{
	IdentifyJob job = {policy, again ? HARDLY_MS : ConfigToWait(&patience), NULL};

	if (again && IsImpatient(&patience))
		ConfigIsHeld();
	ConfigReadSoon(&patience, RunIdentify, &job);
	return job.id;
}

/*
 * The plans of a policy for rows of this table: those of before, while nothing
 * changed.  SPI is connected, with the trigger's data.  Whether it wants errors
 * is told where the table's owner may not decide by it.
 */
DecidePlans *
GetDecidePlans(const char *policy, Relation rel, const char *transition,
			   MemoryContext pin_context, bool *raise)
{
	Oid			relation = transition || MayBeShard(rel) ? RelationGetRelid(rel) : InvalidOid;
	DecidePlans *t;
	MemoryContext context;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, all_plans)
	{
		t = lfirst(lc);
		if (t->whole && t->relation == relation && strcmp(t->policy, policy) == 0 &&
			(transition == NULL || (t->transition && strcmp(t->transition, transition) == 0)) &&
			DecidePlansHold(t))
		{
			CheckMayDecide(t->id, rel, raise);
			Use(t, pin_context);
			return t;
		}
	}
	/* The rows before it may have taken all. */
	if (BudgetIsSpent())
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg(STATEMENT_IS_SPENT)));
	Sweep();

	/*
	 * Known from the start, though to nobody of use yet: what an error leaves
	 * of it, plans too, goes with a later sweep.
	 */
	context = AllocSetContextCreate(CacheMemoryContext, "pg_assay decide",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	t = palloc0(sizeof(DecidePlans));
	t->context = context;
	t->retry_at = DT_NOEND;
	DependenciesBegin(&t->dependencies, context);
	MemoryContextSwitchTo(CacheMemoryContext);
	all_plans = lappend(all_plans, t);
	MemoryContextSwitchTo(context);
	t->policy = pstrdup(policy);
	t->relation = relation;
	t->transition = transition ? pstrdup(transition) : NULL;
	Use(t, pin_context);
	t->id = IdentifySoon(policy, false);
	MemoryContextSwitchTo(old);
	CheckMayDecide(t->id, rel, raise);
	Prepare(t, rel);
	NoteDependencies(t, rel);
	DependenciesEnd(&t->dependencies);
	t->whole = true;
	return t;
}
