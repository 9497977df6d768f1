/*
 * phrases_cache.c
 *		What a backend keeps of phrases values: the loaded matchers.
 *
 * A backend keeps what it has loaded, keyed by the SHA-256 of the truth and
 * bounded by assay.phrases_cache_size. A call site remembers its entry, and by
 * which TOAST pointer it came to it, so that the big value is not fetched for
 * each row. Within one transaction a TOAST pointer can't come to mean another
 * value, nor can it so soon after that all numbers of such values were in use
 * meanwhile; else the value's header (one index probe) tells.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "compat.h"
#include "compile_child.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "phrases.h"
#include "phrases_value.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Far less than it takes to use up 2^32 numbers of values, which come one by one */
#define POINTER_HOLDS	USECS_PER_SEC

#define CACHE_SIZE_MIN			1024	/* kB */
#define CACHE_SIZE_DEFAULT		65536
#define CACHE_SIZE_MAX			MAX_KILOBYTES

/* What a call site remembers; valid while the generation is the cache's */
typedef struct CallSite
{
	uint64		generation;
	PhrasesEntry *entry;
	bool		external;		/* came by this TOAST pointer ... */
	struct varatt_external pointer;
	LocalTransactionId lxid;	/* ... in this transaction, */
	TimestampTz fetched_at;		/* or was fetched then */
} CallSite;

static int	phrases_cache_size = CACHE_SIZE_DEFAULT;

static HTAB *cache = NULL;
static MemoryContext cache_cxt = NULL;
static Size cache_bytes = 0;
static uint64 cache_generation = 1;
static uint64 cache_clock = 0;
static int64 cache_loads = 0;
static int64 cache_compiles = 0;
static int64 cache_fetches = 0;

void
PhrasesInit(void)
{
	DefineCustomIntVariable("assay.phrases_cache_size",
							"Memory that a backend may keep for loaded phrases values.",
							"The value in use is kept, however big it is.",
							&phrases_cache_size,
							CACHE_SIZE_DEFAULT, CACHE_SIZE_MIN, CACHE_SIZE_MAX,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	MatchStopFlag(&InterruptPending);
	CompileChildInit();
}

/* Forget the least recently used values until there is room for this much. */
static void
EvictFor(Size bytes)
{
	Size		limit = (Size) phrases_cache_size * 1024;

	while (cache_bytes + bytes > limit && hash_get_num_entries(cache) > 0)
	{
		HASH_SEQ_STATUS seq;
		PhrasesEntry *entry;
		PhrasesEntry *oldest = NULL;
		MemoryContext cxt;

		hash_seq_init(&seq, cache);
		while ((entry = hash_seq_search(&seq)) != NULL)
		{
			if (oldest == NULL || entry->last_used < oldest->last_used)
				oldest = entry;
		}
		cxt = oldest->cxt;
		cache_bytes -= oldest->bytes;
		cache_generation++;
		hash_search(cache, oldest->hash, HASH_REMOVE, NULL);
		MemoryContextDelete(cxt);
	}
}

/*
 * Load a value into a memory context, which the matcher dies with: from its
 * database if that is usable here.
 */
PhrasesEntry
PhrasesLoad(const Phrases *p, MemoryContext cxt)
{
	MemoryContext outer = MemoryContextSwitchTo(cxt);
	PhrasesEntry new = {0};
	PhraseList	list;
	Piece	   *names;
	uint8		hash[PG_SHA256_DIGEST_LENGTH];
	const char *db;
	MatchStatus status = MATCH_UNUSABLE;

	CheckPhrases(p);
	PhrasesHash(p, hash);
	if (memcmp(hash, p->hash, sizeof(hash)) != 0)
		PhrasesCorrupt("Its checksum is not that of its contents.");

	new.nnames = p->nnames;
	new.npatterns = p->npatterns;
	new.pattern_name = palloc((p->npatterns + 1) * sizeof(int));
	new.names = palloc((p->nnames + 1) * sizeof(Datum));
	new.hit_words = (p->nnames + 63) / 64;
	new.hits = palloc0((new.hit_words + 1) * sizeof(uint64));
	MemoryContextSwitchTo(outer);
	names = palloc((p->nnames + 1) * sizeof(Piece));
	list = PhrasesRead(p, names, new.pattern_name);
	MemoryContextSwitchTo(cxt);
	for (int i = 0; i < p->nnames; i++)
		new.names[i] = PointerGetDatum(cstring_to_text_with_len(names[i].bytes, names[i].len));

	new.match = PhrasesCreateMatch(cxt, p->syntax);
	MemoryContextSwitchTo(outer);
	PhrasesAddPatterns(new.match, &list);
	db = p->data + p->truth_len;
	if (p->db_stamp == PhrasesStamp() && p->db_crc == PhrasesCrc(db, p->db_len))
		status = MatchLoad(new.match, db, p->db_len);
	if (status == MATCH_NO_MEMORY)
		PhrasesScanError(status);
	if (status != MATCH_OK)
	{
		PhrasesCompile(new.match, &list);
		cache_compiles++;
	}
	cache_loads++;
	memcpy(new.hash, p->hash, sizeof(new.hash));
	new.cxt = cxt;
	new.bytes = MemoryContextMemAllocated(cxt, true) + MatchMemory(new.match);
	return new;
}

/* Load a value into the cache. */
static PhrasesEntry *
LoadEntry(const Phrases *p)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "phrases", ALLOCSET_SMALL_SIZES);
	PhrasesEntry new = PhrasesLoad(p, cxt);
	PhrasesEntry *entry;
	bool		found;

	if (cache == NULL)
	{
		HASHCTL		ctl;

		cache_cxt = AllocSetContextCreate(TopMemoryContext, "phrases cache",
										  ALLOCSET_SMALL_SIZES);
		ctl.keysize = PG_SHA256_DIGEST_LENGTH;
		ctl.entrysize = sizeof(PhrasesEntry);
		ctl.hcxt = cache_cxt;
		cache = hash_create("phrases cache", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	EvictFor(new.bytes);
	entry = hash_search(cache, p->hash, HASH_ENTER, &found);
	Assert(!found);
	*entry = new;
	MemoryContextSetParent(cxt, cache_cxt);
	cache_bytes += new.bytes;
	return entry;
}

/* Does the pointer that it was found by still mean the same? */
static bool
PointerHolds(CallSite *site)
{
	TimestampTz now;

	if (site->lxid == MyLocalTransactionId())
		return true;
	now = GetCurrentTimestamp();
	if (now < site->fetched_at || now - site->fetched_at >= POINTER_HOLDS)
		return false;
	site->lxid = MyLocalTransactionId();
	return true;
}

/* The loaded form of the phrases argument, found without fetching it if possible */
PhrasesEntry *
PhrasesGetEntry(FunctionCallInfo fcinfo, int arg)
{
	Datum		datum = PG_GETARG_DATUM(arg);
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);
	CallSite   *site = fcinfo->flinfo->fn_extra;
	bool		external = VARATT_IS_EXTERNAL_ONDISK(value);
	struct varatt_external pointer;
	const Phrases *header;
	PhrasesEntry *entry;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
		fcinfo->flinfo->fn_extra = site;
	}

	if (external)
	{
		VARATT_EXTERNAL_GET_POINTER(pointer, value);
		if (site->generation == cache_generation && site->external &&
			memcmp(&site->pointer, &pointer, sizeof(pointer)) == 0 &&
			PointerHolds(site))
		{
			site->entry->last_used = ++cache_clock;
			return site->entry;
		}
	}

	/* The header is enough to find it in the cache. */
	if (VARATT_IS_4B_U(value))
		header = (const Phrases *) value;
	else
	{
		header = (const Phrases *) PG_DETOAST_DATUM_SLICE(datum, 0, offsetof(Phrases, data) - VARHDRSZ);
		cache_fetches++;
	}
	if (VARSIZE(header) < offsetof(Phrases, data))
		PhrasesCorrupt("It is shorter than its header.");

	if (site->generation == cache_generation &&
		memcmp(site->entry->hash, header->hash, sizeof(header->hash)) == 0)
		entry = site->entry;
	else
	{
		site->generation = 0;
		entry = cache ? hash_search(cache, header->hash, HASH_FIND, NULL) : NULL;
		if (entry == NULL)
		{
			Phrases    *p = DatumGetPhrasesP(datum);

			entry = LoadEntry(p);
			if ((Pointer) p != DatumGetPointer(datum))
				pfree(p);
		}
		site->entry = entry;
		site->generation = cache_generation;
	}
	entry->last_used = ++cache_clock;
	site->external = external;
	if (external)
	{
		site->pointer = pointer;
		site->lxid = MyLocalTransactionId();
		site->fetched_at = GetCurrentTimestamp();
	}
	return entry;
}

/* phrases_cache(): what this backend holds and did */
PG_FUNCTION_INFO_V1(phrases_cache);
Datum
phrases_cache(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[6];
	bool		nulls[6] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int32GetDatum(cache ? hash_get_num_entries(cache) : 0);
	values[1] = Int64GetDatum(cache_bytes);
	values[2] = Int64GetDatum(cache_loads);
	values[3] = Int64GetDatum(cache_compiles);
	values[4] = Int64GetDatum(cache_fetches);
	values[5] = CStringGetTextDatum(MatchVersion());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
