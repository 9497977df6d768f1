/*
 * near_sets.c
 *		Names and domains of lists, ready to find the nearest of: kept by the
 *		backend from statement to statement, as long as the list is the same.
 *
 * A list has fingerprints only where it is looked into; here the values
 * themselves are read from its rows.  An entry that expires has it made anew.
 * Nothing of others' runs between getting one and using it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "array_site.h"
#include "catalog/pg_collation.h"
#include "lists.h"
#include "miscadmin.h"
#include "named_set.h"
#include "near_sets.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* What a backend keeps, in bytes; those of one statement stay in any case */
#define KEPT_BYTES_MAX	((Size) 64 << 20)
#define KEPT_MIN		4

typedef struct NearSet
{
	NamedSet	set;			/* first: named_set.c's part */
	NearSetKind kind;
	MemoryContext context;		/* of what was made */
	void	   *made;
	TimestampTz expires_at;		/* when the first value goes */
	int64		uses;
	Size		bytes;
	uint64		last_used;
} NearSet;

static List *kept = NIL;		/* of NearSet */
static Size kept_bytes = 0;
static uint64 kept_clock = 0;

static void
Drop(NearSet *s)
{
	kept = list_delete_ptr(kept, s);
	kept_bytes -= s->bytes;
	MemoryContextDelete(s->context);
	if (s->set.readers != NULL)
		pfree(s->set.readers);
	pfree(s);
}

/* Note how large it is, and drop what was not used for longest. */
static void
Weigh(NearSet *s)
{
	Size		bytes = sizeof(NearSet) + MemoryContextMemAllocated(s->context, true);

	kept_bytes += bytes - s->bytes;
	s->bytes = bytes;
	while (kept_bytes > KEPT_BYTES_MAX && list_length(kept) > KEPT_MIN)
	{
		NearSet    *oldest = NULL;
		ListCell   *lc;

		foreach(lc, kept)
		{
			NearSet    *other = lfirst(lc);

			if (other != s && (oldest == NULL || other->last_used < oldest->last_used))
				oldest = other;
		}
		Drop(oldest);
	}
}

static NearSet *
Find(const char *set_name, int len, NearSetKind kind)
{
	ListCell   *lc;
	NearSet    *s;
	NamedSet	set = {0};
	MemoryContext old;

	foreach(lc, kept)
	{
		s = lfirst(lc);
		if (s->kind == kind && s->set.name_len == len && memcmp(s->set.name, set_name, len) == 0)
			return s;
	}
	/* A bad name is an error before there is anything to lose. */
	NamedSetName(&set, set_name, len, NAMED_SET_LIST);
	old = MemoryContextSwitchTo(CacheMemoryContext);
	s = palloc0(sizeof(NearSet));
	s->set = set;
	s->kind = kind;
	s->context = AllocSetContextCreate(CacheMemoryContext, "pg_assay near set", ALLOCSET_DEFAULT_SIZES);
	kept = lappend(kept, s);
	MemoryContextSwitchTo(old);
	return s;
}

/* Is it a value of the list, for all tenants, that stands and can be compared? */
static bool
IsWanted(NearSet *s, HeapTuple tuple, TupleDesc desc, TimestampTz now)
{
	bool		isnull;
	text	   *kind = DatumGetTextPP(heap_getattr(tuple, Anum_entry_kind, desc, &isnull));
	text	   *tenant = DatumGetTextPP(heap_getattr(tuple, Anum_entry_tenant, desc, &isnull));
	int			number = ListKindFromName(VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	TimestampTz expires_at;

	if (VARSIZE_ANY_EXHDR(tenant) > 0 ||
		(number != LIST_EXACT && (number != LIST_DOMAIN || s->kind != NEAR_DOMAINS)))
		return false;
	(void) heap_getattr(tuple, Anum_entry_removed_state, desc, &isnull);
	if (!isnull)
		return false;
	expires_at = DatumGetTimestampTz(heap_getattr(tuple, Anum_entry_expires_at, desc, &isnull));
	if (isnull)
		return true;
	if (expires_at <= now)
		return false;
	s->expires_at = Min(s->expires_at, expires_at);
	return true;
}

/* The values that stand, in the order of the list's index */
static Datum *
ReadValues(NearSet *s, int *n)
{
	Relation	rel = NamedSetTable("list_entry");
	TupleDesc	desc = RelationGetDescr(rel);
	TimestampTz now = GetCurrentStatementStartTimestamp();
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			room = 64;
	Datum	   *values = palloc(room * sizeof(Datum));

	*n = 0;
	s->expires_at = DT_NOEND;
	ScanKeyInit(&key, Anum_entry_set, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(s->set.name));
	key.sk_collation = C_COLLATION_OID;
	scan = systable_beginscan(rel, NamedSetIndex("list_entry_pkey"), true, GetActiveSnapshot(), 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!IsWanted(s, tuple, desc, now))
			continue;
		if (*n == ARRAY_ITEMS_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("list \"%s\" has too many values to find the nearest of", s->set.name),
					 errhint("At most %d may be compared with at once.", ARRAY_ITEMS_MAX)));
		if (*n == room)
			values = repalloc(values, (room *= 2) * sizeof(Datum));
		values[(*n)++] = PointerGetDatum(DatumGetTextPCopy(heap_getattr(tuple, Anum_entry_value, desc, &isnull)));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return values;
}

/* Make it what the statement sees; an error drops it. */
static void
Refresh(NearSet *s, NearSetMake make)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(outer, "pg_assay near set load", ALLOCSET_DEFAULT_SIZES);

	PG_TRY();
	{
		int64		was;
		NamedSetNews news;

		MemoryContextSwitchTo(scratch);
		news = NamedSetRefresh(&s->set, &was);
		if (news != SET_SAME || s->made == NULL || s->expires_at <= GetCurrentStatementStartTimestamp())
		{
			Datum	   *values;
			bool	   *nulls;
			int			n;

			s->made = NULL;
			MemoryContextReset(s->context);
			values = ReadValues(s, &n);
			nulls = palloc0((n + 1) * sizeof(bool));
			s->made = make(values, nulls, n, true, s->context);
			s->uses = 0;
			Weigh(s);
		}
		NamedSetLoaded(&s->set);
	}
	PG_CATCH();
	{
		s->set.generation = 0;
		Drop(s);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(scratch);
}

void	   *
NearSetGet(const text *set, NearSetKind kind, NearSetMake make, int64 *uses)
{
	NearSet    *s = Find(VARDATA_ANY(set), VARSIZE_ANY_EXHDR(set), kind);

	s->last_used = ++kept_clock;
	if (!NamedSetIsFresh(&s->set) || s->made == NULL || s->expires_at <= GetCurrentStatementStartTimestamp())
		Refresh(s, make);
	*uses = ++s->uses;
	/* The second use makes it larger; it is weighed at the third. */
	if (s->uses == 3)
		Weigh(s);
	return s->made;
}
