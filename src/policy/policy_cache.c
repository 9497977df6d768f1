/*
 * policy_cache.c
 *		Compiled policies, kept by the backend.
 *
 * A trigger's fn_extra lasts only for one query and compiling 300 conditions
 * takes milliseconds, so a compiled policy lives in a memory context of its
 * own below CacheMemoryContext.  The cache is bounded by
 * assay.policy_cache_size; those least recently used go first.
 *
 * PolicyGet() returns an entry pinned: nothing frees it until the memory
 * context that its caller gave is reset, as it is at the end of the query or
 * of the (sub)transaction.  So an entry may be used across anything that runs
 * a user's code.  Entries go at the next PolicyGet(), never in a callback.
 */
#include "postgres.h"

#include "access/xact.h"
#include "budget.h"
#include "policy_cache.h"
#include "protect.h"
#include "rights.h"
#include "security.h"
#include "steady_time.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define POLICY_CACHE_SIZE_MIN		0
#define POLICY_CACHE_SIZE_DEFAULT	(128 * 1024)
#define POLICY_CACHE_SIZE_MAX		MAX_KILOBYTES

/* What failed to compile for a while only is tried again after so long. */
#define RETRY_USECS		USECS_PER_SEC
#define RETRY_SLOW_USECS	(60 * USECS_PER_SEC)

static int	policy_cache_size = POLICY_CACHE_SIZE_DEFAULT;	/* kB */

static bool resized = false;	/* since it was swept */

static List *cache = NIL;		/* of PolicyEntry */
static uint64 use_counter = 0;
static uint64 entries_made = 0;

/* A use of an entry, in the memory of who uses it */
typedef struct Pin
{
	PolicyEntry *entry;
	MemoryContextCallback callback;
} Pin;

/*
 * Do rows of both look the same, to a tuple's bytes?  The type's oid alone
 * tells nothing: a named type can be altered.
 */
bool
SameRow(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute x = TupleDescAttr(a, i);
		Form_pg_attribute y = TupleDescAttr(b, i);

		if (x->atttypid != y->atttypid || x->atttypmod != y->atttypmod ||
			x->attlen != y->attlen || x->attbyval != y->attbyval ||
			x->attalign != y->attalign ||
			x->attcollation != y->attcollation || x->attisdropped != y->attisdropped ||
			strcmp(NameStr(x->attname), NameStr(y->attname)) != 0)
			return false;
	}
	return true;
}

Size
PolicyEntryBytes(PolicyEntry *entry)
{
	return MemoryContextMemAllocated(entry->context, true) +
		(entry->policy->prefilter ? PrefilterMemory(entry->policy->prefilter) : 0);
}

List	   *
PolicyCacheEntries(void)
{
	return cache;
}

/* How often any policy was pinned */
uint64
PolicyCacheUses(void)
{
	return use_counter;
}

int
PolicyCacheLimit(void)
{
	return policy_cache_size;
}

bool
PolicyEntryHolds(PolicyEntry *entry)
{
	if (entry->retry_at != DT_NOEND && SteadyTime() >= entry->retry_at)
		entry->dependencies.valid = false;
	if (!IdentityHolds(entry->policy->id))
		entry->dependencies.valid = false;
	return DependenciesHold(&entry->dependencies);
}

static void
Forget(PolicyEntry *entry)
{
	if (entry->stats)
		StatsFlush(entry->stats);
	cache = list_delete_ptr(cache, entry);
	MemoryContextDelete(entry->context);
}

/* Drop what is no longer valid, and make room for so many bytes. */
static void
Sweep(Size bytes)
{
	Size		total = bytes;
	ListCell   *lc;

	resized = false;
	for (int i = list_length(cache) - 1; i >= 0; i--)
	{
		PolicyEntry *entry = list_nth(cache, i);

		if (entry->pins == 0 && !entry->dependencies.valid)
			Forget(entry);
		else
			total += entry->bytes = PolicyEntryBytes(entry);
	}
	while (total > (Size) policy_cache_size * 1024)
	{
		PolicyEntry *oldest = NULL;

		foreach(lc, cache)
		{
			PolicyEntry *entry = lfirst(lc);

			if (entry->pins == 0 &&
				(oldest == NULL || entry->last_used < oldest->last_used))
				oldest = entry;
		}
		if (oldest == NULL)
			break;
		total -= oldest->bytes;
		Forget(oldest);
	}
}

static void
Unpin(void *arg)
{
	((Pin *) arg)->entry->pins--;
}

/* It is used until this memory context is reset. */
static void
Use(PolicyEntry *entry, MemoryContext context)
{
	Pin		   *pin = MemoryContextAlloc(context, sizeof(Pin));

	pin->entry = entry;
	pin->callback.func = Unpin;
	pin->callback.arg = pin;
	MemoryContextRegisterResetCallback(context, &pin->callback);
	entry->pins++;
	entry->last_used = ++use_counter;
	entry->uses++;
	entry->used_at = GetCurrentStatementStartTimestamp();
}

/*
 * Who may score: who may act as the owner, or reads its decisions.  Asked
 * before anything is compiled, since errors of that tell what the policy says.
 */
static void
CheckReader(PolicyIdentity *id, Oid reader)
{
	if (!OidIsValid(reader) || PolicyMay(id, "reader"))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for policy \"%s\"", id->policy),
			 errhint("It takes membership in the policy's owner, or SELECT on %s.",
					 id->decision_name)));
}

/*
 * What a condition calls depends on the types of what it names: casts, operators and
 * functions of the same name.  It runs with the owner's rights, so who may not act as
 * the owner has it run on values of the view's types only.
 */
static void
CheckRow(PolicyIdentity *id, TupleDesc desc, Oid reader)
{
	if (!OidIsValid(reader) || desc == NULL || has_privs_of_role(reader, id->owner))
		return;
	PolicyMustHaveView(id);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		AttrNumber	attno = att->attisdropped ? InvalidAttrNumber : get_attnum(id->signals, NameStr(att->attname));

		if (attno > 0 && get_atttype(id->signals, attno) != att->atttypid)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("signal \"%s\" of the row is of type %s, not %s as in the signals view",
							NameStr(att->attname), format_type_be(att->atttypid),
							format_type_be(get_atttype(id->signals, attno))),
					 errdetail("For another type conditions may call something else, with the rights of the policy's owner."),
					 errhint("Cast it; the policy's owner may score the row.")));
	}
}

/* The backend ends: add what it counted. */
static void
FlushAll(int code, Datum arg)
{
	ListCell   *lc;

	foreach(lc, cache)
		if (((PolicyEntry *) lfirst(lc))->stats)
		StatsFlush(((PolicyEntry *) lfirst(lc))->stats);
}

/* Counters of the policy and its detectors */
static void
InitStats(PolicyEntry *entry)
{
	static bool registered = false;
	CompiledPolicy *p = entry->policy;
	PolicyStats *stats;

	if (!StatsEnabled() || entry->no_signals)
		return;
	stats = palloc0(sizeof(PolicyStats));
	stats->n = p->ndetectors + 1;
	stats->counts = palloc0(stats->n * sizeof(StatsCounts));
	stats->entries = palloc0(stats->n * sizeof(struct StatsEntry *));
	stats->names = palloc0(stats->n * sizeof(char *));
	for (int i = 0; i < p->ndetectors; i++)
		stats->names[i + 1] = p->detectors[i].name;
	stats->policy = entry->name;
	stats->owner = p->id->owner;
	entry->stats = stats;
	if (!registered)
		before_shmem_exit(FlushAll, (Datum) 0);
	registered = true;
}

typedef struct ReadJob
{
	const char *policy;
	int			revision;
	bool		drafts;
	const Patience *patience;
	PolicyConfig *config;
} ReadJob;

static void
RunRead(void *arg)
{
	ReadJob    *job = arg;

	job->config = ConfigRead(job->policy, job->revision, job->drafts, ConfigToWait(job->patience));
}

/* The configuration.  While messages are decided who holds its tables is not waited for long. */
static PolicyConfig *
ReadSoon(const char *policy, int revision, bool drafts)
{
	static Patience patience;
	ReadJob		job = {policy, revision, drafts, &patience, NULL};

	if (!BudgetRuns() || !CanProtect())
		return ConfigRead(policy, revision, drafts, 0);
	/* The rows before it have waited for it in vain. */
	if (BudgetGaveUp())
		ConfigIsHeld();
	ConfigReadSoon(&patience, RunRead, &job);
	return job.config;
}

/* Compile, in memory that goes with the caller's until it is whole. */
static PolicyEntry *
MakeEntry(const char *policy, int revision, bool drafts, TupleDesc desc, Oid reader)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_assay policy",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MemoryContext scratch;
	PolicyEntry *entry = palloc0(sizeof(PolicyEntry));
	PolicyConfig *config;
	Security	security;

	entry->context = context;
	entry->number = ++entries_made;
	entry->name = pstrdup(policy);
	entry->wanted = revision;
	entry->drafts = drafts;
	entry->no_signals = (desc == NULL);
	MemoryContextCopyAndSetIdentifier(context, entry->name);
	DependenciesBegin(&entry->dependencies, context);

	scratch = AllocSetContextCreate(context, "pg_assay configuration", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
	config = ReadSoon(policy, revision, drafts);
	CheckReader(config->id, reader);
	CheckRow(config->id, desc, reader);
	PolicyCheckOwners(config->id);
	EnterOwner(&security, config->id->owner, config->id->search_path);
	entry->policy = PolicyCompile(config, desc, !OidIsValid(reader), context,
								  &entry->dependencies);
	LeaveSecurity(&security);
	MemoryContextSwitchTo(context);
	MemoryContextDelete(scratch);

	entry->desc = entry->policy->desc;
	entry->health.next = DT_NOEND;
	entry->health.parts = palloc0(POLICY_PARTS(entry->policy) * sizeof(PartHealth));
	entry->retry_at = DT_NOEND;
	if (entry->policy->transient)
		entry->retry_at = SteadyTime() +
			(entry->policy->too_slow ? RETRY_SLOW_USECS : RETRY_USECS);
	InitStats(entry);
	DependenciesEnd(&entry->dependencies);
	MemoryContextSwitchTo(old);
	return entry;
}

/*
 * The policy, compiled for rows of "desc" (NULL: for decisions without
 * signals): its current revision, or the given one.  Error unless "reader",
 * where there is one, may score by it.  Pinned until "context" is reset.
 */
PolicyEntry *
PolicyGet(const char *policy, int revision, bool drafts, TupleDesc desc,
		  Oid reader, MemoryContext context)
{
	PolicyEntry *entry;
	MemoryContext old;
	ListCell   *lc;

	if (resized)
		Sweep(0);
	foreach(lc, cache)
	{
		entry = lfirst(lc);
		if (entry->wanted == revision && entry->drafts == drafts &&
			entry->no_signals == (desc == NULL) &&
			strcmp(entry->name, policy) == 0 &&
			(desc == NULL || SameRow(entry->desc, desc)) &&
			PolicyEntryHolds(entry))
		{
			CheckReader(entry->policy->id, reader);
			CheckRow(entry->policy->id, desc, reader);
			Use(entry, context);
			return entry;
		}
	}

	/* What changed meanwhile makes it good for this once only. */
	entry = MakeEntry(policy, revision, drafts, desc, reader);
	entry->bytes = PolicyEntryBytes(entry);
	Sweep(entry->bytes);
	old = MemoryContextSwitchTo(CacheMemoryContext);
	cache = lappend(cache, entry);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(entry->context, CacheMemoryContext);
	Use(entry, context);
	return entry;
}

PolicyEntry *
PolicyGetAgain(uint64 number, MemoryContext context)
{
	ListCell   *lc;

	if (resized)
		Sweep(0);
	foreach(lc, cache)
	{
		PolicyEntry *entry = lfirst(lc);

		if (entry->number == number && PolicyEntryHolds(entry))
		{
			Use(entry, context);
			return entry;
		}
	}
	return NULL;
}

/* What was counted is worth adding to shared memory now and then. */
static void
EndTransaction(XactEvent event, void *arg)
{
	ListCell   *lc;

	foreach(lc, cache)
	{
		PolicyStats *stats = ((PolicyEntry *) lfirst(lc))->stats;

		if (stats == NULL)
			continue;
		StatsKeep(stats);		/* an error may have left it held */
		if (stats->unflushed > 0 &&
			SteadyTime() - stats->flushed_at >= STATS_FLUSH_USECS)
			StatsFlush(stats);
	}
}

/* Hooks run anywhere: flip flags only. */
static void
AssignCacheSize(int size, void *extra)
{
	resized = true;
}

void
PolicyCacheInit(void)
{
	DefineCustomIntVariable("assay.policy_cache_size",
							"Memory in each backend for compiled policies.",
							"The least recently used go first; one in use stays, however large.",
							&policy_cache_size,
							POLICY_CACHE_SIZE_DEFAULT,
							POLICY_CACHE_SIZE_MIN,
							POLICY_CACHE_SIZE_MAX,
							PGC_SUSET,
							GUC_UNIT_KB,
							NULL, AssignCacheSize, NULL);
	RegisterXactCallback(EndTransaction, NULL);
}
