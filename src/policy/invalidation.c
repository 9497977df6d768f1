/*
 * invalidation.c
 *		Tells compiled policies and plans that what they are made of changed.
 *
 * A change of any configuration table invalidates the relcache entry of one
 * well-known relation (policy_changed() below), and that reaches every backend
 * at its next statement.  So does a change of what conditions are made of: the
 * relations, types, functions and operators that they use.
 *
 * News of operators, casts, collations, enum labels and roles are for everybody,
 * since no expression tells which of them it went through; and where
 * something is missing, so are news of anything that it may be.  Any role can
 * make such news, as often as it likes, so they count so many times in a
 * second only (RARE_RATE); meanwhile what was compiled stays in use.
 *
 * Callbacks run anywhere, so that they flip flags and nothing else.
 */
#include "postgres.h"

#include "access/transam.h"
#include "commands/trigger.h"
#include "compat.h"
#include "fmgr.h"
#include "invalidation.h"
#include "rule.h"
#include "security.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
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

PG_FUNCTION_INFO_V1(policy_changed);
Datum
policy_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("policy_changed must be called as a trigger")));
	CacheInvalidateRelcacheByRelid(ConfigurationRelid());
	return PointerGetDatum(NULL);
}

void
InvalidationInit(void)
{
	static const int rare[] = {CASTSOURCETARGET, ENUMOID, COLLOID, AUTHOID,
	AUTHMEMMEMROLE};

	CacheRegisterRelcacheCallback(RelationChanged, (Datum) 0);
	for (int i = 0; i < NEWS_KINDS; i++)
		CacheRegisterSyscacheCallback(kinds[i], ItemChanged, (Datum) 0);
	for (int i = 0; i < lengthof(rare); i++)
		CacheRegisterSyscacheCallback(rare[i], RareChanged, (Datum) 0);
}
