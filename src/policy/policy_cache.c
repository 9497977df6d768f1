/*
 * policy_cache.c
 *		Compiled policies, kept by the backend, and what makes them invalid.
 *
 * A compiled policy lives in its own memory context below CacheMemoryContext,
 * because a trigger's fn_extra lasts only for one query and compiling 300
 * conditions takes milliseconds.  The cache is bounded by
 * assay.policy_cache_size; those least recently used go first, and never one
 * in use.
 *
 * A change of any configuration table invalidates the relcache entry of
 * assay.policy (policy_changed below), and that reaches every backend at its
 * next statement.  So does a change of what conditions are made of: of any
 * function, operator, cast, schema, enum's values or role, which are rare;
 * and of the types and relations that this very policy depends on, since any
 * CREATE TABLE is news of some type.  The hot path compares one counter.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "budget.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "decide.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "policy.h"
#include "prefilter.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define POLICY_CACHE_SIZE_MIN		0
#define POLICY_CACHE_SIZE_DEFAULT	(128 * 1024)
#define POLICY_CACHE_SIZE_MAX		MAX_KILOBYTES

/* News of types and relations that are remembered while a policy is compiled */
#define NEWS_MAX	64

static int	policy_cache_size = POLICY_CACHE_SIZE_DEFAULT;	/* kB */

static List *cache = NIL;		/* of CompiledPolicy */
static uint64 generation = 1;	/* moves when any entry may have changed */
static uint64 evictions = 0;	/* of entries that were still valid */
static uint64 use_counter = 0;
static Oid	config_relid = InvalidOid;
static List *watched = NIL;		/* relations that plans were made of */

/* What changed while policies, one within another, are compiled */
static int	compiling = 0;
static int	nnews;				/* may pass NEWS_MAX: then it is anything */
static uint32 news_types[NEWS_MAX];
static Oid	news_relations[NEWS_MAX];

/*
 * Dependencies
 */

static void
DependOnRelation(CompiledPolicy *p, Oid relid)
{
	p->relations = list_append_unique_oid(p->relations, relid);
}

static void
DependOnType(CompiledPolicy *p, Oid type)
{
	for (;;)
	{
		uint32		hash;
		Oid			next;

		if (!OidIsValid(type) || type < FirstUnpinnedObjectId)
			return;				/* can't be altered */
		hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type));
		if (list_member_int(p->types, (int) hash))
			return;
		p->types = lappend_int(p->types, (int) hash);
		if (OidIsValid(get_typ_typrelid(type)))
			DependOnRelation(p, get_typ_typrelid(type));
		next = get_element_type(type);
		type = OidIsValid(next) ? next : RuleDomainBase(type);
	}
}

/* The types that an expression goes through */
static bool
DependOnNode(Node *node, CompiledPolicy *p)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_FuncExpr:
		case T_OpExpr:
		case T_FieldSelect:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CoerceToDomain:
		case T_ArrayExpr:
		case T_RowExpr:
			DependOnType(p, exprType(node));
			break;
		default:
			break;
	}
	return expression_tree_walker(node, DependOnNode, p);
}

static void
DependOnRule(CompiledPolicy *p, Rule *rule, const char *sqlstate)
{
	ListCell   *lc;

	if (rule == NULL)
	{
		/* It may be a type that it misses: any news may be of that one. */
		p->misses_type |= strcmp(sqlstate, "42704") == 0;
		return;
	}
	foreach(lc, rule->relations)
		DependOnRelation(p, lfirst_oid(lc));
	foreach(lc, rule->types)
		p->types = list_append_unique_int(p->types, lfirst_int(lc));
	(void) DependOnNode((Node *) rule->expr, p);
}

/* All that the conditions, and the columns that they see, are made of */
static void
NoteDependencies(CompiledPolicy *p)
{
	MemoryContext old = MemoryContextSwitchTo(p->context);

	if (OidIsValid(p->signals))
		DependOnRelation(p, p->signals);
	for (int i = 0; i < p->desc->natts; i++)
		DependOnType(p, TupleDescAttr(p->desc, i)->atttypid);
	for (int i = 0; i < p->nguards; i++)
		DependOnRule(p, p->guards[i], p->guard_sqlstate[i]);
	for (int i = 0; i < p->ndetectors; i++)
		if (p->detectors[i].model == NULL)
			DependOnRule(p, p->detectors[i].rule, p->detectors[i].sqlstate);
	for (int i = 0; i < p->nexclusions; i++)
		DependOnRule(p, p->exclusions[i].rule, p->exclusions[i].sqlstate);
	MemoryContextSwitchTo(old);
}

/* Is news of a relation, or else of a type, news of this policy? */
static bool
DependsOn(CompiledPolicy *p, Oid relid, uint32 type)
{
	if (OidIsValid(relid))
		return list_member_oid(p->relations, relid);
	return p->misses_type || list_member_int(p->types, (int) type);
}

/* Has anything that it depends on changed since it began to be compiled? */
static bool
HasNews(CompiledPolicy *p)
{
	if (nnews > NEWS_MAX)
		return true;
	for (int i = 0; i < nnews; i++)
		if (DependsOn(p, news_relations[i], news_types[i]))
			return true;
	return false;
}

/*
 * Invalidation
 */

static void
Changed(Oid relid, uint32 type)
{
	ListCell   *lc;

	foreach(lc, cache)
	{
		CompiledPolicy *p = lfirst(lc);

		if (p->valid && DependsOn(p, relid, type))
		{
			p->valid = false;
			generation++;
		}
	}
	if (compiling > 0 && nnews < NEWS_MAX)
	{
		news_relations[nnews] = relid;
		news_types[nnews] = type;
	}
	if (compiling > 0 && nnews <= NEWS_MAX)
		nnews++;
}

/* Whatever they depend on */
void
PolicyForgetAll(void)
{
	ListCell   *lc;

	foreach(lc, cache)
		((CompiledPolicy *) lfirst(lc))->valid = false;
	generation++;
}

static void
RelcacheChanged(Datum arg, Oid relid)
{
	if (relid == InvalidOid || relid == config_relid)
		PolicyForgetAll();
	else
	{
		Changed(relid, 0);
		if (list_member_oid(watched, relid))
			generation++;
	}
}

/* Let the generation move when this relation changes. */
void
PolicyWatch(Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(CacheMemoryContext);

	watched = list_append_unique_oid(watched, relid);
	MemoryContextSwitchTo(old);
}

static void
TypeChanged(Datum arg, int cacheid, uint32 hashvalue)
{
	if (hashvalue == 0)
		PolicyForgetAll();
	else
		Changed(InvalidOid, hashvalue);
}

static void
SyscacheChanged(Datum arg, int cacheid, uint32 hashvalue)
{
	PolicyForgetAll();
}

/*
 * What an error left pinned is free at the end of the transaction; and what
 * was counted is worth adding to shared memory now and then.
 */
static void
EndTransaction(XactEvent event, void *arg)
{
	ListCell   *lc;

	foreach(lc, cache)
	{
		CompiledPolicy *p = lfirst(lc);

		p->pins = 0;
		if (p->stats)
			StatsKeep(p->stats);	/* an error may have left it held */
		if (p->stats && p->stats->unflushed > 0 &&
			GetCurrentTimestamp() - p->stats->flushed_at >= STATS_FLUSH_USECS)
			StatsFlush(p->stats);
	}
}

/* The backend ends: add what it counted. */
static void
FlushAll(int code, Datum arg)
{
	ListCell   *lc;

	foreach(lc, cache)
		if (((CompiledPolicy *) lfirst(lc))->stats)
		StatsFlush(((CompiledPolicy *) lfirst(lc))->stats);
}

/* Moves when what a policy was made of may have changed */
uint64
PolicyGeneration(void)
{
	return generation;
}

/* Moves when a compiled policy may have gone */
uint64
PolicyEpoch(void)
{
	return generation + evictions;
}

/* The relation whose invalidation says that the configuration changed */
Oid
PolicyConfigRelid(void)
{
	Oid			schema = get_namespace_oid("assay", true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid("policy", schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("extension \"pg_assay\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION pg_assay.")));
	return config_relid = relid;
}

PG_FUNCTION_INFO_V1(policy_changed);
Datum
policy_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("policy_changed must be called as a trigger")));
	CacheInvalidateRelcacheByRelid(PolicyConfigRelid());
	return PointerGetDatum(NULL);
}

/*
 * The cache
 */

/*
 * Do rows of both look the same?  The type's oid alone tells nothing: a named
 * type can be altered.
 */
bool
PolicySameRow(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute x = TupleDescAttr(a, i);
		Form_pg_attribute y = TupleDescAttr(b, i);

		if (x->atttypid != y->atttypid || x->atttypmod != y->atttypmod ||
			x->attcollation != y->attcollation || x->attisdropped != y->attisdropped ||
			strcmp(NameStr(x->attname), NameStr(y->attname)) != 0)
			return false;
	}
	return true;
}

static Size
PolicyBytes(CompiledPolicy *p)
{
	return MemoryContextMemAllocated(p->context, true) +
		(p->prefilter ? PrefilterMemory(p->prefilter) : 0);
}

static void
Forget(CompiledPolicy *p)
{
	if (p->stats)
		StatsFlush(p->stats);
	cache = list_delete_ptr(cache, p);
	evictions++;
	MemoryContextDelete(p->context);
}

static bool
InUse(CompiledPolicy *p)
{
	return p->pins > 0 || p->busy;
}

/* Drop what is no longer valid, and make room for so many bytes. */
static void
SweepCache(Size bytes)
{
	Size		total = bytes;
	ListCell   *lc;

	for (int i = list_length(cache) - 1; i >= 0; i--)
	{
		CompiledPolicy *p = list_nth(cache, i);

		if (!p->valid && !InUse(p))
			Forget(p);
		else
			total += p->bytes = PolicyBytes(p);
	}
	while (total > (Size) policy_cache_size * 1024)
	{
		CompiledPolicy *oldest = NULL;

		foreach(lc, cache)
		{
			CompiledPolicy *p = lfirst(lc);

			if (!InUse(p) && (oldest == NULL || p->last_used < oldest->last_used))
				oldest = p;
		}
		if (oldest == NULL)
			break;
		total -= oldest->bytes;
		Forget(oldest);
	}
}

static void
Use(CompiledPolicy *p)
{
	p->last_used = ++use_counter;
	p->uses++;
	p->used_at = GetCurrentStatementStartTimestamp();
}

/*
 * Compiling may fail, and may compile further policies.
 */
static void
CompileNested(CompiledPolicy *p, Oid reader)
{
	if (compiling++ == 0)
		nnews = 0;
	BudgetPause();
	PG_TRY();
	{
		PolicyCompile(p, reader);
		NoteDependencies(p);
	}
	PG_FINALLY();
	{
		compiling--;
		BudgetResume();
	}
	PG_END_TRY();
}

/*
 * The policy, compiled for rows of "desc": its current revision, or the given
 * one.  Error unless "reader", where there is one, may score by it.  Valid
 * while the epoch stays; pin it (p->pins++) to keep it longer.
 */
CompiledPolicy *
PolicyGet(const char *name, int revision, bool drafts, TupleDesc desc,
		  Oid reader)
{
	static bool registered = false;
	CompiledPolicy *p;
	MemoryContext context;
	MemoryContext old;
	ListCell   *lc;
	uint64		before;

	foreach(lc, cache)
	{
		p = lfirst(lc);
		if (p->valid && p->wanted == revision && p->drafts == drafts &&
			strcmp(p->name, name) == 0 &&
			PolicySameRow(p->desc, desc))
		{
			PolicyCheckReader(p, reader);
			Use(p);
			return p;
		}
	}

	(void) PolicyConfigRelid();
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_assay policy",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	p = palloc0(sizeof(CompiledPolicy));
	p->context = context;
	p->name = pstrdup(name);
	p->wanted = revision;
	p->drafts = drafts;
	p->desc = CreateTupleDescCopy(desc);
	MemoryContextSwitchTo(old);
	MemoryContextCopyAndSetIdentifier(context, name);

	before = generation;
	CompileNested(p, reader);

	/*
	 * Made whole: now it may outlive this query.  What changed meanwhile
	 * makes it good for this once only.
	 */
	p->valid = before == generation && !HasNews(p) && !p->transient;
	p->bytes = PolicyBytes(p);
	SweepCache(p->bytes);
	MemoryContextSetParent(context, CacheMemoryContext);
	old = MemoryContextSwitchTo(CacheMemoryContext);
	cache = lappend(cache, p);
	MemoryContextSwitchTo(old);
	Use(p);
	if (p->stats && !registered)
	{
		before_shmem_exit(FlushAll, (Datum) 0);
		registered = true;
	}
	return p;
}

static void
AssignCacheSize(int size, void *extra)
{
	policy_cache_size = size;
	SweepCache(0);
}

void
PolicyCacheInit(void)
{
	static const int rare[] = {PROCOID, OPEROID, CASTSOURCETARGET, NAMESPACEOID,
	ENUMOID, COLLOID, AUTHOID, AUTHMEMMEMROLE};

	DefineCustomIntVariable("assay.policy_cache_size",
							"Memory in each backend for compiled policies.",
							"The least recently used go first; one in use stays, however large.",
							&policy_cache_size,
							POLICY_CACHE_SIZE_DEFAULT,
							POLICY_CACHE_SIZE_MIN,
							POLICY_CACHE_SIZE_MAX,
							PGC_USERSET,
							GUC_UNIT_KB,
							NULL, AssignCacheSize, NULL);
	RegisterXactCallback(EndTransaction, NULL);
	CacheRegisterRelcacheCallback(RelcacheChanged, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, TypeChanged, (Datum) 0);
	for (int i = 0; i < lengthof(rare); i++)
		CacheRegisterSyscacheCallback(rare[i], SyscacheChanged, (Datum) 0);
}

/* policy_cache(): of those policies that the user may see */
PG_FUNCTION_INFO_V1(assay_policy_cache);
Datum
assay_policy_cache(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, cache)
	{
		CompiledPolicy *p = lfirst(lc);
		int			shadow = 0;
		int			triggers = 0;
		Size		plan_bytes = 0;
		Datum		values[14];
		bool		nulls[14] = {0};

		if (!has_privs_of_role(GetUserId(), p->owner))
			continue;
		for (int i = 0; i < p->ndetectors; i++)
			shadow += p->detectors[i].shadow;
		/* The triggers' are of the current revision. */
		if (p->wanted == 0 && !p->drafts && p->valid)
			plan_bytes = DecidePlansMemory(p->name, &triggers);
		values[0] = CStringGetTextDatum(p->name);
		values[1] = Int32GetDatum(p->revision);
		values[2] = BoolGetDatum(p->drafts);
		values[3] = BoolGetDatum(p->valid);
		values[4] = Int32GetDatum(p->ndetectors - shadow);
		values[5] = Int32GetDatum(shadow);
		values[6] = Int32GetDatum(p->nexclusions);
		values[7] = Int32GetDatum(p->nguards);
		values[8] = Int64GetDatum((int64) PolicyBytes(p));
		values[9] = Int32GetDatum(triggers);
		values[10] = Int64GetDatum((int64) plan_bytes);
		values[11] = Int32GetDatum(p->pins);
		values[12] = Int64GetDatum(p->uses);
		values[13] = TimestampTzGetDatum(p->used_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
