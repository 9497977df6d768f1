/*
 * decide_plans.c
 *		The plans of a decide() trigger: they read the signals of new messages
 *		and write their decisions.  They live as long as the policy and its view
 *		stay as they are.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "decide.h"
#include "miscadmin.h"
#include "protect.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* Triggers of which a backend keeps plans */
#define PLANS_MAX	128

static List *all_plans = NIL;	/* of DecidePlans */
static uint64 plans_used = 0;

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
	t->one_plan = KeepPlan(OneSignalsQuery(t->id, t->key_types), t->nkeys, t->key_types);
	source = linitial(SPI_plan_get_plan_sources(t->one_plan));
	old = MemoryContextSwitchTo(t->context);
	t->signals = CreateTupleDescCopy(source->resultDesc);
	MemoryContextSwitchTo(old);
}

/*
 * Where the key is in a row of the message table.  Asked for each row, since
 * nothing tells when the table's columns change.
 */
void
FindKeyColumns(DecidePlans *t, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	ListCell   *lc;
	int			i = 0;

	t->same_types = true;
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
		if (TupleDescAttr(desc, column)->atttypid != t->key_types[i])
			t->same_types = false;
		if (t->transition == NULL && !t->same_types)
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

/*
 * Drop what is out of date and not in use, and make room: a partitioned table
 * has a row-level trigger for each partition.
 */
static void
SweepPlans(void)
{
	for (int i = list_length(all_plans) - 1; i >= 0; i--)
	{
		DecidePlans *t = list_nth(all_plans, i);

		if (t->pins == 0 && t->generation != PolicyGeneration())
			DropPlans(t);
	}
	while (list_length(all_plans) >= PLANS_MAX)
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
		DropPlans(oldest);
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

/* How many triggers have plans for a policy, and what these take */
Size
DecidePlansMemory(const char *policy, int *triggers)
{
	Size		bytes = 0;
	ListCell   *lc;

	*triggers = 0;
	foreach(lc, all_plans)
	{
		DecidePlans *t = lfirst(lc);
		SPIPlanPtr	plans[] = {t->keys_plan, t->all_plan, t->one_plan, t->insert_many, t->insert_one};

		if (t->generation != PolicyGeneration() || strcmp(t->policy, policy) != 0)
			continue;
		(*triggers)++;
		bytes += MemoryContextMemAllocated(t->context, true);
		for (int i = 0; i < lengthof(plans); i++)
		{
			ListCell   *s;

			if (plans[i] == NULL)
				continue;
			foreach(s, SPI_plan_get_plan_sources(plans[i]))
			{
				CachedPlanSource *source = lfirst(s);

				bytes += MemoryContextMemAllocated(source->context, true);
				if (source->gplan)
					bytes += MemoryContextMemAllocated(source->gplan->context, true);
			}
		}
	}
	return bytes;
}

void
DecidePlansInit(void)
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

/* The name of the new rows that the trigger has now, or NULL */
static const char *
TransitionName(TriggerData *trigdata)
{
	return TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ? NULL : trigdata->tg_trigger->tgnewtable;
}

/*
 * Are these plans of this trigger as it is now?  CREATE OR REPLACE makes
 * another of it under the same oid.
 */
static bool
IsOfTrigger(DecidePlans *t, TriggerData *trigdata)
{
	const char *transition = TransitionName(trigdata);

	return t->trigger == trigdata->tg_trigger->tgoid &&
		(t->transition && transition ? strcmp(t->transition, transition) == 0 :
		 t->transition == transition);
}

/*
 * The plans of this trigger: those of before, while nothing changed.  SPI is
 * connected.
 */
DecidePlans *
GetDecidePlans(TriggerData *trigdata, const char *policy)
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
		if (IsOfTrigger(t, trigdata) &&
			t->generation == PolicyGeneration() && strcmp(t->policy, policy) == 0)
		{
			CheckMayDecide(trigdata->tg_relation, t);
			t->last_used = ++plans_used;
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
	t->last_used = ++plans_used;
	MemoryContextSwitchTo(CacheMemoryContext);
	all_plans = lappend(all_plans, t);
	MemoryContextSwitchTo(context);
	t->trigger = trigdata->tg_trigger->tgoid;
	t->policy = pstrdup(policy);
	generation = PolicyGeneration();
	t->id = PolicyIdentify(policy);
	if (TransitionName(trigdata))
		t->transition = pstrdup(TransitionName(trigdata));
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
