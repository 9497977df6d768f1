/*
 * stats.c
 *		What each detector did: counters in shared memory.
 *
 * A hash table of a fixed size, made when the library is preloaded.  Entries
 * are found by database, policy and detector and never move, so that a backend
 * keeps pointers to those that it counts for, while the table's generation
 * stays: it moves when entries are removed.  When the table is full, a role
 * whose policies have fewer entries than another's takes of that one's; further
 * detectors are not counted.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "stats.h"
#include "steady_time.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "storage/spin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define STAT_MAX_MIN		100
#define STAT_MAX_DEFAULT	5000
#define STAT_MAX_MAX		1000000

/* Bytes of a name that are kept; the key has a hash of the whole */
#define STATS_NAME_MAX		256

typedef struct StatsKey
{
	Oid			database;
	uint32		unused;			/* zero: the key is hashed as bytes */
	uint64		policy;
	uint64		detector;		/* 0: the policy itself */
} StatsKey;

typedef struct StatsEntry
{
	StatsKey	key;			/* must be first */
	char		policy[STATS_NAME_MAX];
	char		detector[STATS_NAME_MAX];
	Oid			owner;			/* of the policy; under the table's lock */
	slock_t		mutex;			/* protects what follows */
	StatsCounts counts;
} StatsEntry;

typedef struct StatsShared
{
	LWLock	   *lock;			/* of the hash table */
	uint64		generation;		/* moves when entries are removed */
	TimestampTz since;
} StatsShared;

static int	stat_max = STAT_MAX_DEFAULT;
static StatsShared *shared = NULL;
static HTAB *table = NULL;
static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static void
RequestShmem(void)
{
	if (previous_request)
		previous_request();
	RequestAddinShmemSpace(add_size(MAXALIGN(sizeof(StatsShared)),
									hash_estimate_size(stat_max, sizeof(StatsEntry))));
	RequestNamedLWLockTranche("pg_assay", 1);
}

static void
StartShmem(void)
{
	HASHCTL		info = {0};
	bool		found;

	if (previous_startup)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("pg_assay", sizeof(StatsShared), &found);
	if (!found)
	{
		shared->lock = &(GetNamedLWLockTranche("pg_assay"))->lock;
		shared->since = GetCurrentTimestamp();
		shared->generation = 1;
	}
	info.keysize = sizeof(StatsKey);
	info.entrysize = sizeof(StatsEntry);
	table = ShmemInitHash("pg_assay statistics", stat_max, stat_max, &info,
						  HASH_ELEM | HASH_BLOBS);
	LWLockRelease(AddinShmemInitLock);
}

void
StatsInit(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("assay.stat_max",
							"Detectors and policies that statistics are kept of.",
							NULL,
							&stat_max,
							STAT_MAX_DEFAULT, STAT_MAX_MIN, STAT_MAX_MAX,
							PGC_POSTMASTER, 0, NULL, NULL, NULL);
	previous_request = shmem_request_hook;
	shmem_request_hook = RequestShmem;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = StartShmem;
}

bool
StatsEnabled(void)
{
	return table != NULL;
}

static void
CopyName(char *to, const char *name)
{
	int			len = pg_mbcliplen(name, strlen(name), STATS_NAME_MAX - 1);

	memcpy(to, name, len);
	to[len] = '\0';
}

static uint64
HashName(const char *name)
{
	return hash_bytes_extended((const unsigned char *) name, strlen(name), 0) | 1;
}

/*
 * The entry of a policy (detector NULL) or detector; NULL: the table is full.
 * The lock is held, exclusive to make one.
 */
static StatsEntry *
FindEntry(const char *policy, const char *detector, bool make)
{
	StatsKey	key = {MyDatabaseId, 0, HashName(policy), detector ? HashName(detector) : 0};
	StatsEntry *entry;
	bool		found;

	if (!make || hash_get_num_entries(table) >= stat_max)
		return hash_search(table, &key, HASH_FIND, NULL);
	entry = hash_search(table, &key, HASH_ENTER_NULL, &found);
	if (entry && !found)
	{
		CopyName(entry->policy, policy);
		CopyName(entry->detector, detector ? detector : "");
		SpinLockInit(&entry->mutex);
		memset(&entry->counts, 0, sizeof(entry->counts));
	}
	return entry;
}

/* How many entries the policies of a role have, and how many of them go */
typedef struct OwnerShare
{
	Oid			owner;			/* must be first */
	int			entries;
	int			leaving;
} OwnerShare;

static OwnerShare *
ShareOf(HTAB *shares, Oid owner)
{
	bool		found;
	OwnerShare *share = hash_search(shares, &owner, HASH_ENTER, &found);

	if (!found)
		share->entries = share->leaving = 0;
	return share;
}

static HTAB *
CountShares(void)
{
	HASHCTL		info = {0};
	HTAB	   *shares;
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;

	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(OwnerShare);
	info.hcxt = CurrentMemoryContext;
	shares = hash_create("pg_assay shares", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	hash_seq_init(&scan, table);
	while ((entry = hash_seq_search(&scan)) != NULL)
		ShareOf(shares, entry->owner)->entries++;
	return shares;
}

/* The owner with the most entries */
static OwnerShare *
LargestShare(HTAB *shares)
{
	HASH_SEQ_STATUS scan;
	OwnerShare *share;
	OwnerShare *largest = NULL;

	hash_seq_init(&scan, shares);
	while ((share = hash_seq_search(&scan)) != NULL)
		if (largest == NULL || share->entries > largest->entries)
			largest = share;
	return largest;
}

/* Remove what leaves: detectors at first, then policies. */
static void
RemoveLeaving(HTAB *shares)
{
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;

	for (int pass = 0; pass < 2; pass++)
	{
		hash_seq_init(&scan, table);
		while ((entry = hash_seq_search(&scan)) != NULL)
		{
			OwnerShare *share = ShareOf(shares, entry->owner);

			if (share->leaving == 0 || (pass == 0 && entry->key.detector == 0))
				continue;
			share->leaving--;
			(void) hash_search(table, &entry->key, HASH_REMOVE, NULL);
		}
	}
	shared->generation++;
}

/*
 * Make room in a full table for a policy's entries that it doesn't have: of
 * whose policies have more than its owner's will.  Any role may make policies:
 * none takes all.  The lock is held, exclusive.
 */
static void
MakeRoom(PolicyStats *stats)
{
	long		room = stat_max - hash_get_num_entries(table);
	long		lacking = -room;
	HTAB	   *shares;
	OwnerShare *mine;
	bool		any = false;

	for (int i = 0; i < stats->n; i++)
		if (FindEntry(stats->policy, stats->names[i], false) == NULL)
			lacking++;
	if (lacking <= 0)
		return;
	shares = CountShares();
	mine = ShareOf(shares, stats->owner);
	mine->entries += room;
	for (; lacking > 0; lacking--)
	{
		OwnerShare *largest = LargestShare(shares);

		if (largest->entries <= mine->entries + 1)
			break;
		largest->entries--;
		largest->leaving++;
		mine->entries++;
		any = true;
	}
	if (any)
		RemoveLeaving(shares);
	hash_destroy(shares);
}

/* Have pointers to all entries that are counted for; the lock is shared again. */
static void
FindEntries(PolicyStats *stats)
{
	LWLockRelease(shared->lock);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	MakeRoom(stats);
	for (int i = 0; i < stats->n; i++)
	{
		stats->entries[i] = FindEntry(stats->policy, stats->names[i], true);
		if (stats->entries[i])
			stats->entries[i]->owner = stats->owner;
	}
	stats->generation = shared->generation;
	/* Whoever removes entries in between makes another generation. */
	LWLockRelease(shared->lock);
	LWLockAcquire(shared->lock, LW_SHARED);
}

/* Add what was counted to shared memory. */
void
StatsFlush(PolicyStats *stats)
{
	uint64		messages = stats->counts[0].evaluations;

	if (table == NULL || stats->unflushed == 0 || stats->held)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	while (stats->generation != shared->generation)
		FindEntries(stats);
	for (int i = 0; i < stats->n; i++)
	{
		StatsCounts *c = &stats->counts[i];
		StatsEntry *entry;

		if (i > 0)
			c->evaluations = messages - c->skipped - c->faults;
		if (c->evaluations == 0 && c->faults == 0)
		{
			c->skipped = 0;
			continue;
		}
		entry = stats->entries[i];
		if (entry)
		{
			SpinLockAcquire(&entry->mutex);
			entry->counts.evaluations += c->evaluations;
			entry->counts.hits += c->hits;
			entry->counts.faults += c->faults;
			entry->counts.sampled += c->sampled;
			entry->counts.sampled_ns += c->sampled_ns;
			SpinLockRelease(&entry->mutex);
		}
		memset(c, 0, sizeof(*c));
	}
	LWLockRelease(shared->lock);
	stats->unflushed = 0;
	stats->flushed_at = SteadyTime();
}

/* What is counted from here on may be undone, until it is kept. */
void
StatsMark(PolicyStats *stats)
{
	if (stats->mark == NULL)
		stats->mark = MemoryContextAlloc(GetMemoryChunkContext(stats),
										 stats->n * sizeof(StatsCounts));
	memcpy(stats->mark, stats->counts, stats->n * sizeof(StatsCounts));
	stats->mark_unflushed = stats->unflushed;
	stats->held = true;
}

void
StatsUndo(PolicyStats *stats)
{
	memcpy(stats->counts, stats->mark, stats->n * sizeof(StatsCounts));
	stats->unflushed = stats->mark_unflushed;
	stats->held = false;
}

void
StatsKeep(PolicyStats *stats)
{
	stats->held = false;
}

static void
CheckPreloaded(void)
{
	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statistics of pg_assay are not collected"),
				 errhint("Add pg_assay to shared_preload_libraries and restart the server.")));
}

static int
CompareHashes(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

/*
 * The policies that the current user sees in the configuration, as entries
 * name them: a detector's name is the owner's business.
 */
static uint64 *
VisiblePolicies(uint64 *n)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64	   *policies;

	SPI_connect();
	if (SPI_execute("SELECT policy FROM assay.policy", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay.policy");
	*n = SPI_processed;
	policies = MemoryContextAlloc(caller, Max(*n, 1) * sizeof(uint64));
	for (uint64 i = 0; i < *n; i++)
		policies[i] = HashName(SPI_getvalue(SPI_tuptable->vals[i],
											SPI_tuptable->tupdesc, 1));
	SPI_finish();
	qsort(policies, *n, sizeof(uint64), CompareHashes);
	return policies;
}

/* stat(): entries of this database's policies that the user may see */
PG_FUNCTION_INFO_V1(assay_stat);
Datum
assay_stat(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;
	uint64	   *policies;
	uint64		npolicies;

	CheckPreloaded();
	InitMaterializedSRF(fcinfo, 0);
	policies = VisiblePolicies(&npolicies);
	LWLockAcquire(shared->lock, LW_SHARED);
	hash_seq_init(&scan, table);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		Datum		values[7];
		bool		nulls[7] = {0};
		StatsCounts c;

		if (entry->key.database != MyDatabaseId ||
			!bsearch(&entry->key.policy, policies, npolicies, sizeof(uint64), CompareHashes))
			continue;
		SpinLockAcquire(&entry->mutex);
		c = entry->counts;
		SpinLockRelease(&entry->mutex);
		values[0] = CStringGetTextDatum(entry->policy);
		nulls[1] = (entry->key.detector == 0);
		values[1] = CStringGetTextDatum(entry->detector);
		values[2] = Int64GetDatum((int64) c.evaluations);
		values[3] = Int64GetDatum((int64) c.hits);
		values[4] = Int64GetDatum((int64) c.faults);
		nulls[5] = (c.sampled == 0);
		values[5] = Float8GetDatum(c.sampled ? c.sampled_ns / 1000.0 / c.sampled : 0);
		values[6] = TimestampTzGetDatum(shared->since);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	LWLockRelease(shared->lock);
	return (Datum) 0;
}

/* stat_reset(): begin anew, in all databases */
PG_FUNCTION_INFO_V1(assay_stat_reset);
Datum
assay_stat_reset(PG_FUNCTION_ARGS)
{
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;

	CheckPreloaded();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	hash_seq_init(&scan, table);
	while ((entry = hash_seq_search(&scan)) != NULL)
		(void) hash_search(table, &entry->key, HASH_REMOVE, NULL);
	shared->generation++;
	shared->since = GetCurrentTimestamp();
	LWLockRelease(shared->lock);
	PG_RETURN_VOID();
}

/* forget_stats(policy): it is dropped */
PG_FUNCTION_INFO_V1(assay_forget_stats);
Datum
assay_forget_stats(PG_FUNCTION_ARGS)
{
	uint64		policy = HashName(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	HASH_SEQ_STATUS scan;
	StatsEntry *entry;

	if (table == NULL)
		PG_RETURN_VOID();
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	hash_seq_init(&scan, table);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->key.database == MyDatabaseId && entry->key.policy == policy)
			(void) hash_search(table, &entry->key, HASH_REMOVE, NULL);
	shared->generation++;
	LWLockRelease(shared->lock);
	PG_RETURN_VOID();
}
