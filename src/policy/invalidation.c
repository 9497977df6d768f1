/*
 * invalidation.c
 *		Tells compiled policies and plans that what they are made of changed.
 *
 * A change of a policy's configuration invalidates the relcache entry of its
 * decision table (policy_changed() below), and that reaches every backend at
 * its next statement; what can't be told of one policy invalidates that of one
 * well-known relation, which is news for all of them.  What conditions are made
 * of is news, too: the relations, types, functions and operators that they use.
 *
 * News of operators, casts, collations, enum labels and roles are for everybody,
 * since no expression tells which of them it went through; and where
 * something is missing, so are news of anything that it may be.  Any role can
 * make such news, as often as it likes, so they count so many times in a
 * second only (RARE_RATE); meanwhile what was compiled stays in use.
 *
 * News of a policy come ahead of the commit, too (relation_news.c).  What is
 * compiled then is of the revision before, and knows whose transaction makes the
 * next (config.c).
 *
 * Callbacks run anywhere, so that they flip flags and nothing else.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "invalidation.h"
#include "relation_news.h"
#include "rule.h"
#include "security.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* News for everybody that may recompile: so many at once, and in a second */
#define RARE_BURST	50
#define RARE_RATE	0.2

/* The syscaches of news by their kind */
static const int kinds[NEWS_KINDS] = {TYPEOID, PROCOID, OPEROID, NAMESPACEOID};

static dlist_head all = DLIST_STATIC_INIT(all); /* of Dependencies */
static Oid	config_relid = InvalidOid;
static uint64 rare_news = 0;
static uint64 item_news = 0;
static double rare_allowed = RARE_BURST;
static TimestampTz rare_at = 0;

/* Does this news concern it? */
static bool
Concerns(Dependencies *d, const News *news)
{
	if (OidIsValid(news->relation))
		return list_member_oid(d->relations, news->relation);
	return list_member_int(d->items[news->kind], (int) news->hash);
}

static void
Tell(const News *news)
{
	dlist_iter	i;

	dlist_foreach(i, &all)
	{
		Dependencies *d = dlist_container(Dependencies, node, i.cur);

		if (d->collecting)
		{
			if (d->nnews < NEWS_MAX)
				d->news[d->nnews] = *news;
			if (d->nnews <= NEWS_MAX)
				d->nnews++;
		}
		else if (d->valid && Concerns(d, news))
			d->valid = false;
	}
}

void
InvalidateAll(void)
{
	dlist_iter	i;

	dlist_foreach(i, &all)
		dlist_container(Dependencies, node, i.cur)->valid = false;
}

static void
RelationChanged(Datum arg, Oid relid)
{
	News		news = {relid, 0, 0};

	if (relid == InvalidOid || relid == config_relid)
		InvalidateAll();
	else
		Tell(&news);
}

static int
KindOf(int cache)
{
	int			kind = 0;

	while (kinds[kind] != cache)
		kind++;
	return kind;
}

static void
ItemChanged(Datum arg, int cache, uint32 hash)
{
	News		news = {InvalidOid, KindOf(cache), hash};

	if (hash == 0)
		InvalidateAll();
	else
		Tell(&news);
	item_news++;				/* it may be what somebody misses */
	if (cache == OPEROID)
		rare_news++;			/* or an operator that fits better */
}

static void
RareChanged(Datum arg, int cache, uint32 hash)
{
	rare_news++;
}

/* May another news for everybody recompile something now? */
static bool
RareIsAllowed(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (now > rare_at)
		rare_allowed = Min(RARE_BURST,
						   rare_allowed + (now - rare_at) / (double) USECS_PER_SEC * RARE_RATE);
	rare_at = now;
	if (rare_allowed < 1)
		return false;
	rare_allowed -= 1;
	return true;
}

static void
Forget(void *arg)
{
	dlist_delete(&((Dependencies *) arg)->node);
}

void
DependenciesBegin(Dependencies *d, MemoryContext context)
{
	WantRelationNews(RelationChanged);
	config_relid = ConfigurationRelid();
	memset(d, 0, sizeof(Dependencies));
	d->valid = true;
	d->collecting = true;
	d->context = context;
	d->rare_seen = rare_news;
	d->items_seen = item_news;
	dlist_push_tail(&all, &d->node);
	d->callback.func = Forget;
	d->callback.arg = d;
	MemoryContextRegisterResetCallback(context, &d->callback);
}

/* Moves when anything that a function or a right to call it is made of changes. */
uint64
ItemNews(void)
{
	return item_news + rare_news;
}

void
DependOnRelation(Dependencies *d, Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(d->context);

	d->relations = list_append_unique_oid(d->relations, relid);
	MemoryContextSwitchTo(old);
}

void
DependOnItem(Dependencies *d, int cache, uint32 hash)
{
	MemoryContext old = MemoryContextSwitchTo(d->context);
	int			kind = KindOf(cache);

	d->items[kind] = list_append_unique_int(d->items[kind], (int) hash);
	MemoryContextSwitchTo(old);
}

/* A type, and what it is made of */
void
DependOnType(Dependencies *d, Oid type)
{
	for (;;)
	{
		uint32		hash;
		Oid			next;

		if (!OidIsValid(type) || type < FirstUnpinnedObjectId)
			return;				/* can't be altered */
		hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type));
		if (list_member_int(d->items[KindOf(TYPEOID)], (int) hash))
			return;
		DependOnItem(d, TYPEOID, hash);
		if (OidIsValid(get_typ_typrelid(type)))
			DependOnRelation(d, get_typ_typrelid(type));
		next = get_element_type(type);
		type = OidIsValid(next) ? next : RuleDomainBase(type);
	}
}

/* All are known: what came meanwhile counts. */
void
DependenciesEnd(Dependencies *d)
{
	d->collecting = false;
	if (d->nnews > NEWS_MAX)
		d->valid = false;
	for (int i = 0; i < Min(d->nnews, NEWS_MAX); i++)
		if (Concerns(d, &d->news[i]))
			d->valid = false;
}

bool
DependenciesHold(Dependencies *d)
{
	if (!d->valid)
		return false;
	if (likely(d->rare_seen == rare_news && (!d->misses || d->items_seen == item_news)))
		return true;
	if (!RareIsAllowed())
		return true;
	d->valid = false;
	return false;
}

/*
 * Whatever knows the policy depends on its decision table.  What is gone told
 * so itself when it went.
 */
static void
TellDecisionTable(Oid decision)
{
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(decision)))
		TellRelation(decision);
}

/* A row of the table of policies says which table of decisions it has. */
static void
TellPolicyRow(HeapTuple tuple, Relation policies)
{
	bool		isnull;
	Datum		decision = heap_getattr(tuple, get_attnum(RelationGetRelid(policies), "decision"),
										RelationGetDescr(policies), &isnull);

	if (!isnull)
		TellDecisionTable(DatumGetObjectId(decision));
}

/* Find the policy of a row of another table and tell of it; false if there is none. */
static bool
TellPolicy(Datum name)
{
	Oid			schema = get_namespace_oid("assay_internal", false);
	Relation	policies = table_open(get_relname_relid("policy", schema), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, get_attnum(RelationGetRelid(policies), "policy"), BTEqualStrategyNumber, F_TEXTEQ, name);
	key.sk_collation = DEFAULT_COLLATION_OID;
	scan = systable_beginscan(policies, get_relname_relid("policy_pkey", schema), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		TellPolicyRow(tuple, policies);
	systable_endscan(scan);
	table_close(policies, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/*
 * Tell of the policy that a row of the configuration belongs to: whoever makes
 * a policy of his own recompiles nobody else's.  Rows may come before their
 * policy's where a dump is restored: then of all.  Those that go after it went
 * with it.
 */
static void
TellRow(const TriggerData *trigger, HeapTuple tuple)
{
	Relation	rel = trigger->tg_relation;
	Datum		policy;
	bool		isnull;

	if (strcmp(RelationGetRelationName(rel), "policy") == 0)
	{
		TellPolicyRow(tuple, rel);
		return;
	}
	policy = heap_getattr(tuple, get_attnum(RelationGetRelid(rel), "policy"), RelationGetDescr(rel), &isnull);
	if (!TellPolicy(policy) && !TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		TellRelation(ConfigurationRelid());
}

PG_FUNCTION_INFO_V1(policy_changed);
Datum
policy_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("policy_changed must be called as a trigger")));
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		TellRelation(ConfigurationRelid());
		return PointerGetDatum(NULL);
	}
	TellRow(trigger, trigger->tg_trigtuple);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		TellRow(trigger, trigger->tg_newtuple);
	return PointerGetDatum(NULL);
}

void
InvalidationInit(void)
{
	static const int rare[] = {CASTSOURCETARGET, ENUMOID, COLLOID, AUTHOID,
	AUTHMEMMEMROLE};

	for (int i = 0; i < NEWS_KINDS; i++)
		CacheRegisterSyscacheCallback(kinds[i], ItemChanged, (Datum) 0);
	for (int i = 0; i < lengthof(rare); i++)
		CacheRegisterSyscacheCallback(rare[i], RareChanged, (Datum) 0);
}
