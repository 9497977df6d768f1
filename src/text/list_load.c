/*
 * list_load.c
 *		Reading a list's base and its changes out of the tables, as a snapshot
 *		sees them.
 *
 * By index scans rather than SPI: no planner, no rights, and the same in a
 * parallel worker and on a standby.
 */
#include "postgres.h"

#include <sys/mman.h>

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "compat.h"
#include "encoding.h"
#include "fmgr.h"
#include "lists.h"
#include "miscadmin.h"
#include "named_set.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define HUGE_PAGE	(2 * 1024 * 1024)
#define FETCH_PIECE	(256 * 1024)

/* Columns of assay.list_base */
#define Anum_base_set		1
#define Anum_base_state		2
#define Anum_base_base		4

static void
SetKey(ScanKeyData * key, int attnum, const char *set)
{
	ScanKeyInit(key, attnum, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(set));
	key->sk_collation = C_COLLATION_OID;
}

/* Memory for a base: in huge pages where there are some */
static ListBase *
AllocBase(Size size, MemoryContext context)
{
	char	   *memory = MemoryContextAllocHuge(context, size + HUGE_PAGE);

	memory = (char *) TYPEALIGN(HUGE_PAGE, memory);
#ifdef MADV_HUGEPAGE
	(void) madvise(memory, size & ~((Size) HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
	SET_VARSIZE(memory, size);
	return (ListBase *) memory;
}

/*
 * The whole value.  A look-up goes to one place in megabytes, and with small
 * pages misses the TLB as well as the cache; so a big one is fetched piece by
 * piece into memory that is made for it.
 */
static ListBase *
FetchWhole(Datum value, MemoryContext context)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(value);
	struct varatt_external pointer;
	ListBase   *base;
	Size		size;

	if (!VARATT_IS_EXTERNAL_ONDISK(stored))
		return (ListBase *) PG_DETOAST_DATUM_COPY(value);
	VARATT_EXTERNAL_GET_POINTER(pointer, stored);
	size = pointer.va_rawsize;
	if (VARATT_EXTERNAL_IS_COMPRESSED(pointer) || size < HUGE_PAGE)
		return (ListBase *) PG_DETOAST_DATUM_COPY(value);
	base = AllocBase(size, context);
	for (Size at = 0; at < size - VARHDRSZ; at += FETCH_PIECE)
	{
		Size		n = Min(FETCH_PIECE, size - VARHDRSZ - at);
		struct varlena *piece = PG_DETOAST_DATUM_SLICE(value, at, n);

		if (VARSIZE_ANY_EXHDR(piece) != n)
			elog(ERROR, "a stored value is shorter than it says");
		memcpy((char *) base + VARHDRSZ + at, VARDATA_ANY(piece), n);
		pfree(piece);
	}
	return base;
}

/* Fetch and check a base; NULL, with a warning, when it can't be used. */
static ListBase *
UsableBase(const char *set, Datum value, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ListBase   *base = FetchWhole(value, context);
	const char *fault = ListBaseCheck(base);

	MemoryContextSwitchTo(old);
	if (fault == NULL)
		return base;
	/* The rows are the truth: it takes longer, but is right. */
	ereport(WARNING,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored base of list \"%s\" is not used: %s", set, fault),
			 errhint("assay.rebuild_list() makes it anew.")));
	MemoryContextReset(context);
	return NULL;
}

/*
 * The stored base, checked, in a memory context that holds nothing else, and
 * the state that it holds; NULL when there is none that can be used.  What is
 * known of an earlier call (the base, its row) is used again if it is still
 * so, or else freed.
 */
ListBase   *
ListFetchBase(const char *set, Snapshot snapshot, MemoryContext context, ListBase *known,
			  ListBaseRow *row, int64 *state)
{
	Relation	rel = NamedSetTable("list_base");
	TupleDesc	desc = RelationGetDescr(rel);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	ListBase   *base = NULL;
	bool		isnull;

	SetKey(&key, Anum_base_set, set);
	scan = systable_beginscan(rel, NamedSetIndex("list_base_pkey"), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) && known != NULL && row->valid &&
		row->xid == HeapTupleHeaderGetRawXmin(tuple->t_data) &&
		ItemPointerEquals(&row->tid, &tuple->t_self))
		base = known;
	else
	{
		row->valid = false;
		MemoryContextReset(context);
		*state = -1;
		if (HeapTupleIsValid(tuple))
			base = UsableBase(set, heap_getattr(tuple, Anum_base_base, desc, &isnull), context);
		if (base != NULL)
		{
			*state = DatumGetInt64(heap_getattr(tuple, Anum_base_state, desc, &isnull));
			row->xid = HeapTupleHeaderGetRawXmin(tuple->t_data);
			row->tid = tuple->t_self;
			row->valid = true;
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return base;
}

/* What a row of assay.list_entry says, as far as it matters here */
typedef struct ListRow
{
	ListKind	kind;
	char	   *tenant;
	int			tenant_len;
	char	   *key;
	int			key_len;
	TimestampTz expires_at;
	bool		removed;
	int64		removed_state;
} ListRow;

static Datum
Attribute(HeapTuple tuple, int attnum, TupleDesc desc, bool *isnull)
{
	return heap_getattr(tuple, attnum, desc, isnull);
}

/* False for a row that says nothing that this version knows */
static bool
ReadEntry(HeapTuple tuple, TupleDesc desc, ListRow *entry)
{
	bool		isnull;
	text	   *kind = DatumGetTextPP(Attribute(tuple, Anum_entry_kind, desc, &isnull));
	text	   *tenant = DatumGetTextPP(Attribute(tuple, Anum_entry_tenant, desc, &isnull));
	bytea	   *key = DatumGetByteaPP(Attribute(tuple, Anum_entry_key, desc, &isnull));
	int			number = ListKindFromName(VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	Datum		expires_at;

	entry->kind = number;
	entry->tenant = VARDATA_ANY(tenant);
	entry->tenant_len = VARSIZE_ANY_EXHDR(tenant);
	entry->key = VARDATA_ANY(key);
	entry->key_len = VARSIZE_ANY_EXHDR(key);
	entry->removed_state = DatumGetInt64(Attribute(tuple, Anum_entry_removed_state, desc, &isnull));
	entry->removed = !isnull;
	expires_at = Attribute(tuple, Anum_entry_expires_at, desc, &isnull);
	entry->expires_at = isnull ? DT_NOEND : DatumGetTimestampTz(expires_at);
	return number >= 0 && entry->key_len <= LIST_MAX_KEY;
}

static ListPrint
EntryPrint(const uint64 *seed, const ListRow *entry)
{
	Size		len;
	const char *tenant = TextToHash(entry->tenant, entry->tenant_len, &len);
	ListPrint	print = ListFingerprint(seed, entry->kind, tenant, len, entry->key, entry->key_len);

	if (tenant != entry->tenant)
		pfree(unconstify(char *, tenant));
	return print;
}

/*
 * Changes by one of the two indexes of states.  Their order doesn't matter, as
 * a scan may go without indexes (ignore_system_indexes): what went comes in a
 * pass of its own before, and of what stands there is one row for a value.
 */
static void
ScanChanges(const char *set, Snapshot snapshot, int64 after, bool removed,
			const uint64 *seed, ListDelta *delta, ListShape *shape)
{
	Relation	rel = NamedSetTable("list_entry");
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	SetKey(&keys[0], Anum_entry_set, set);
	ScanKeyInit(&keys[1], removed ? Anum_entry_removed_state : Anum_entry_added_state,
				BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(after));
	scan = systable_beginscan(rel, NamedSetIndex(removed ? "list_entry_removed_idx" : "list_entry_added_idx"),
							  true, snapshot, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		ListRow		entry;

		CHECK_FOR_INTERRUPTS();
		if (!ReadEntry(tuple, RelationGetDescr(rel), &entry))
			continue;
		ListShapeAdd(shape, entry.kind, entry.tenant_len > 0, entry.key, entry.key_len);
		/* What came and went again was dealt with as what went. */
		if (entry.removed == removed)
			ListDeltaSet(delta, EntryPrint(seed, &entry), !removed, entry.expires_at);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Add the changes after a state to the delta, in the current memory context. */
void
ListFetchChanges(const char *set, Snapshot snapshot, int64 after, const uint64 *seed,
				 ListDelta *delta, ListShape *shape)
{
	ScanChanges(set, snapshot, after, true, seed, delta, shape);
	ScanChanges(set, snapshot, after, false, seed, delta, shape);
}

/* A base out of all rows */
ListBase   *
ListBuild(const char *set, Snapshot snapshot, TimestampTz now)
{
	Relation	rel = NamedSetTable("list_entry");
	ListBuilder builder = {0};
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ListSeed(builder.seed);
	SetKey(&key, Anum_entry_set, set);
	scan = systable_beginscan(rel, NamedSetIndex("list_entry_pkey"), true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		ListRow		entry;

		CHECK_FOR_INTERRUPTS();
		if (!ReadEntry(tuple, RelationGetDescr(rel), &entry))
			continue;
		ListShapeAdd(&builder.shape, entry.kind, entry.tenant_len > 0, entry.key, entry.key_len);
		if (!entry.removed && entry.expires_at > now)
			ListBuilderAdd(&builder, EntryPrint(builder.seed, &entry), entry.expires_at);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return ListBuilderFinish(&builder);
}
