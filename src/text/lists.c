/*
 * lists.c
 *		Is a value in a list?  What a backend keeps of lists, and the look-up.
 *
 * A loaded list is a base, searched in place, and the changes since then in a
 * small hash table.  When the list has a newer state, the changes after the
 * one that was loaded are added to it; when they have become many, it is
 * loaded anew from what an author has merged.  named_set.c tells which.
 *
 * A backend keeps lists up to assay.list_cache_size, least recently used go
 * first.  Nothing runs during a look-up that could free one; a call site holds
 * a pointer only as long as the epoch stands.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "charclass.h"
#include "compat.h"
#include "encoding.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lists.h"
#include "miscadmin.h"
#include "named_set.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define CACHE_SIZE_MIN			1024	/* kB */
#define CACHE_SIZE_DEFAULT		(128 * 1024)
#define CACHE_SIZE_MAX			MAX_KILOBYTES

/* Reads of a value that no kind looks beyond, in bytes */
#define VALUE_ROOM	LIST_KEY_ROOM

typedef struct CachedList
{
	NamedSet	set;			/* first: named_set.c's part */
	MemoryContext context;		/* of the changes, parent of ... */
	MemoryContext base_context; /* ... the base's */
	ListBase   *base;			/* or NULL: changes has all */
	ListBaseRow base_row;
	int64		base_state;		/* what it holds; -1 without one */
	uint64		seed[2];
	ListDelta	delta;
	ListShape	shape;			/* of both */
	Size		bytes;
	int			pins;			/* being loaded */
	int64		loads;
	uint64		last_used;
} CachedList;

/* What a call site remembers */
typedef struct CallSite
{
	uint64		epoch;			/* valid while it is the cache's */
	CachedList *list;
} CallSite;

/* One look-up: of which list, for whom, as of when */
typedef struct Lookup
{
	CachedList *list;
	const char *tenant;			/* or NULL; as it is hashed, but for history */
	int			tenant_len;
	TimestampTz at;				/* what has expired by then is not there */
	bool		history;		/* ask the rows, not what is loaded */
	bool		by_time;		/* as of 'at' rather than of state */
	int64		state;
	Relation	entries;		/* open, for history */
	Oid			index;
} Lookup;

/* What matched: a key, which ListMatch() makes text of */
typedef struct ListFound
{
	ListKind	kind;
	int			len;
	char		key[VALUE_ROOM];
} ListFound;

static int	list_cache_size = CACHE_SIZE_DEFAULT;
static List *cache = NIL;		/* of CachedList */
static uint64 cache_epoch = 1;	/* moves when one is freed */
static uint64 cache_clock = 0;
static Size cache_bytes = 0;

/* ---- the cache --------------------------------------------------------------- */

static void
Drop(CachedList *list)
{
	cache = list_delete_ptr(cache, list);
	cache_bytes -= list->bytes;
	cache_epoch++;
	MemoryContextDelete(list->context);
	if (list->set.readers != NULL)
		pfree(list->set.readers);
	pfree(list);
}

/* Free those least recently used until all fit, but for those being loaded. */
static void
Shrink(const CachedList *keep)
{
	Size		limit = (Size) list_cache_size * 1024;

	while (cache_bytes > limit)
	{
		CachedList *oldest = NULL;
		ListCell   *lc;

		foreach(lc, cache)
		{
			CachedList *list = lfirst(lc);

			if (list != keep && list->pins == 0 &&
				(oldest == NULL || list->last_used < oldest->last_used))
				oldest = list;
		}
		if (oldest == NULL)
			return;
		Drop(oldest);
	}
}

static void
Weigh(CachedList *list)
{
	Size		bytes = sizeof(CachedList) + MemoryContextMemAllocated(list->context, true);

	cache_bytes += bytes - list->bytes;
	list->bytes = bytes;
	Shrink(list);
}

static void
LoadAll(CachedList *list)
{
	ListBase   *known = list->base;
	MemoryContext old;

	list->base = NULL;
	if (list->delta.changes != NULL)
		pfree(list->delta.changes);
	memset(&list->delta, 0, sizeof(list->delta));
	memset(&list->shape, 0, sizeof(list->shape));
	list->base = ListFetchBase(list->set.name, GetActiveSnapshot(), list->base_context, known,
							   &list->base_row, &list->base_state);
	/* A copy that came without its list's other rows: these alone are right. */
	if (list->base != NULL && list->base_state < list->set.pruned_state)
	{
		MemoryContextReset(list->base_context);
		memset(&list->base_row, 0, sizeof(list->base_row));
		list->base = NULL;
		list->base_state = -1;
	}
	if (list->base != NULL)
	{
		memcpy(list->seed, list->base->seed, sizeof(list->seed));
		list->shape = list->base->shape;
		list->loads += list->base != known;
	}
	else
		ListSeed(list->seed);
	old = MemoryContextSwitchTo(list->context);
	ListFetchChanges(list->set.name, GetActiveSnapshot(), list->base_state, list->seed,
					 &list->delta, &list->shape);
	MemoryContextSwitchTo(old);
}

/* Bring what is loaded to the state that the statement sees. */
static void
Load(CachedList *list)
{
	int64		was;
	NamedSetNews news = NamedSetRefresh(&list->set, &was);

	if (news == SET_NEWER &&
		list->delta.count < 2 * LIST_DELTA_MAX(list->base ? list->base->count : 0))
	{
		MemoryContext old = MemoryContextSwitchTo(list->context);

		ListFetchChanges(list->set.name, GetActiveSnapshot(), was, list->seed,
						 &list->delta, &list->shape);
		MemoryContextSwitchTo(old);
	}
	else if (news != SET_SAME)
		LoadAll(list);
	NamedSetLoaded(&list->set);
	if (news != SET_SAME)
		Weigh(list);
}

static CachedList *
FindList(const char *name, int len)
{
	ListCell   *lc;
	CachedList *list;
	NamedSet	set = {0};
	MemoryContext old;

	foreach(lc, cache)
	{
		list = lfirst(lc);
		if (list->set.name_len == len && memcmp(list->set.name, name, len) == 0)
			return list;
	}
	/* A bad name is an error before there is anything to lose. */
	NamedSetName(&set, name, len, NAMED_SET_LIST);
	old = MemoryContextSwitchTo(CacheMemoryContext);
	list = palloc0(sizeof(CachedList));
	list->set = set;
	list->context = AllocSetContextCreate(CacheMemoryContext, "pg_assay list",
										  ALLOCSET_DEFAULT_SIZES);
	list->base_context = AllocSetContextCreate(list->context, "pg_assay list base",
											   ALLOCSET_SMALL_SIZES);
	list->base_state = -1;
	cache = lappend(cache, list);
	MemoryContextSwitchTo(old);
	return list;
}

/* Load under a pin; an error takes away what was half loaded. */
static void
LoadPinned(CachedList *list)
{
	list->pins++;
	PG_TRY();
	{
		Load(list);
	}
	PG_CATCH();
	{
		list->pins--;
		list->set.generation = 0;
		if (!list->set.loaded && list->pins == 0)
			Drop(list);
		PG_RE_THROW();
	}
	PG_END_TRY();
	list->pins--;
}

static CachedList *
GetList(FunctionCallInfo fcinfo, text *name)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;
	CachedList *list;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
		fcinfo->flinfo->fn_extra = site;
	}
	list = site->list;
	if (site->epoch != cache_epoch || list->set.name_len != VARSIZE_ANY_EXHDR(name) ||
		memcmp(list->set.name, VARDATA_ANY(name), list->set.name_len) != 0)
	{
		site->epoch = 0;
		list = FindList(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	if (!NamedSetIsFresh(&list->set))
		LoadPinned(list);
	site->list = list;
	site->epoch = cache_epoch;
	list->last_used = ++cache_clock;
	return list;
}

void
ListsInit(void)
{
	DefineCustomIntVariable("assay.list_cache_size",
							"Memory that a backend may keep for loaded lists.",
							"The list in use is kept, however big it is.",
							&list_cache_size,
							CACHE_SIZE_DEFAULT, CACHE_SIZE_MIN, CACHE_SIZE_MAX,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	NamedSetInit();
}

/* ---- the look-up --------------------------------------------------------------- */

/* Did such an entry stand then?  One probe of the index of rows. */
static bool
HistoryFinds(const Lookup *lookup, ListKind kind, const char *tenant, int tenant_len,
			 const char *key, int len)
{
	TupleDesc	desc = RelationGetDescr(lookup->entries);
	ScanKeyData keys[4];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_entry_set, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(lookup->list->set.name));
	ScanKeyInit(&keys[1], Anum_entry_kind, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(list_kind_names[kind]));
	ScanKeyInit(&keys[2], Anum_entry_tenant, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(tenant, tenant_len)));
	ScanKeyInit(&keys[3], Anum_entry_key, BTEqualStrategyNumber, F_BYTEAEQ,
				PointerGetDatum(cstring_to_text_with_len(key, len)));
	for (int i = 0; i < 3; i++)
		keys[i].sk_collation = C_COLLATION_OID;
	scan = systable_beginscan(lookup->entries, lookup->index, true, GetActiveSnapshot(), 4, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		bool		stays;
		Datum		expires_at = heap_getattr(tuple, Anum_entry_expires_at, desc, &isnull);

		if (!isnull && DatumGetTimestampTz(expires_at) <= lookup->at)
			continue;
		if (lookup->by_time)
			found = DatumGetTimestampTz(heap_getattr(tuple, Anum_entry_added_at, desc, &isnull)) <= lookup->at &&
				(DatumGetTimestampTz(heap_getattr(tuple, Anum_entry_removed_at, desc, &stays)) > lookup->at || stays);
		else
			found = DatumGetInt64(heap_getattr(tuple, Anum_entry_added_state, desc, &isnull)) <= lookup->state &&
				(DatumGetInt64(heap_getattr(tuple, Anum_entry_removed_state, desc, &stays)) > lookup->state || stays);
	}
	systable_endscan(scan);
	return found;
}

static inline bool
FindsFor(const Lookup *lookup, ListKind kind, const char *tenant, int tenant_len,
		 const char *key, int len)
{
	const CachedList *list = lookup->list;
	ListPrint	print;
	bool		found;
	bool		present;

	if (lookup->history)
		return HistoryFinds(lookup, kind, tenant, tenant_len, key, len);
	print = ListFingerprint(list->seed, kind, tenant, tenant_len, key, len);
	present = ListDeltaFind(&list->delta, print, lookup->at, &found);
	if (found || list->base == NULL)
		return present;
	return ListBaseFind(list->base, print, lookup->at);
}

/* Is this key there, for everybody or for the tenant? */
static inline bool
Finds(const Lookup *lookup, ListKind kind, const char *key, int len)
{
	return FindsFor(lookup, kind, NULL, 0, key, len) ||
		(lookup->tenant != NULL && (lookup->list->shape.kinds & LIST_TENANTS) != 0 &&
		 FindsFor(lookup, kind, lookup->tenant, lookup->tenant_len, key, len));
}

static void
NoteMatch(ListFound *match, ListKind kind, const char *key, int len)
{
	match->kind = kind;
	match->len = len;
	memcpy(match->key, key, len);
}

/* The longest domain of the list that the host is, or is below */
static bool
MatchDomain(const Lookup *lookup, const char *value, int len, ListFound *match)
{
	const ListShape *shape = &lookup->list->shape;
	char		host[HOST_MAX_BYTES + 1];
	int			n = ListHost(value, len, host);
	int			labels = 1;
	int			start = 0;

	for (int i = 0; i < n; i++)
		labels += host[i] == '.';
	for (; n > 0 && labels > 0; labels--)
	{
		if ((shape->labels[labels / 64] & UINT64CONST(1) << (labels % 64)) != 0 &&
			Finds(lookup, LIST_DOMAIN, host + start, n - start))
		{
			NoteMatch(match, LIST_DOMAIN, host + start, n - start);
			return true;
		}
		while (start < n && host[start] != '.')
			start++;
		start++;
	}
	return false;
}

static bool
MatchPrefix(const Lookup *lookup, const char *folded, int len, ListFound *match)
{
	const ListShape *shape = &lookup->list->shape;

	for (int n = Min(len, LIST_MAX_PREFIX); n > 0; n--)
	{
		if ((shape->prefixes[n / 64] & UINT64CONST(1) << (n % 64)) != 0 &&
			Finds(lookup, LIST_PREFIX, folded, n))
		{
			NoteMatch(match, LIST_PREFIX, folded, n);
			return true;
		}
	}
	return false;
}

/* The narrowest network of the list that the address or network lies in */
static bool
MatchNetwork(const Lookup *lookup, const char *address, int len, ListFound *match)
{
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	const ListShape *shape = &lookup->list->shape;
	char		key[18];

	memcpy(key, address, len);
	for (int bits = (unsigned char) key[1]; bits >= 0; bits--)
	{
		uint64		word = len == 6 ? shape->v4 : shape->v6[bits / 64];

		if ((word & UINT64CONST(1) << (bits % 64)) == 0)
			continue;
		ListAddressMask(key, bits);
		if (Finds(lookup, LIST_CIDR, key, len))
		{
			NoteMatch(match, LIST_CIDR, key, len);
			return true;
		}
	}
	/* An IPv4 address as IPv6 writes it is that address. */
	if (len == 18 && (unsigned char) address[1] >= 96 && memcmp(address + 2, mapped, sizeof(mapped)) == 0)
	{
		key[0] = '4';
		key[1] = (unsigned char) address[1] - 96;
		memcpy(key + 2, address + 14, 4);
		return MatchNetwork(lookup, key, 6, match);
	}
	return false;
}

/* Does the list hold this value, of whatever kind?  bytes are UTF-8. */
static bool
MatchValue(const Lookup *lookup, const char *bytes, int len, ListFound *match)
{
	uint64		kinds = lookup->list->shape.kinds;

	if (kinds & (1 << LIST_EXACT | 1 << LIST_PREFIX))
	{
		char		folded[VALUE_ROOM];
		bool		whole;
		int			n = ListFold(bytes, len, folded, sizeof(folded), &whole);

		if ((kinds & 1 << LIST_EXACT) && whole && n > 0 && n <= LIST_MAX_KEY &&
			Finds(lookup, LIST_EXACT, folded, n))
		{
			NoteMatch(match, LIST_EXACT, folded, n);
			return true;
		}
		if ((kinds & 1 << LIST_PREFIX) && MatchPrefix(lookup, folded, n, match))
			return true;
	}
	if ((kinds & 1 << LIST_DOMAIN) && MatchDomain(lookup, bytes, len, match))
		return true;
	if (kinds & 1 << LIST_CIDR)
	{
		char		key[18];
		int			n = ListAddress(bytes, len, key);

		return n > 0 && MatchNetwork(lookup, key, n, match);
	}
	return false;
}

/* ---- arguments ------------------------------------------------------------------- */

/*
 * Error where the list has not had that state yet, or what was removed since has
 * been pruned: what it held then is not known.
 */
static void
CheckKept(const Lookup *lookup)
{
	const NamedSet *set = &lookup->list->set;

	/* it comes later, or is from another list of that name */
	if (!lookup->by_time && (lookup->state > set->state || lookup->state < 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("list \"%s\" has had no state %lld", set->name, (long long) lookup->state),
				 errhint("Its state is %lld now. Without a state it is asked as it is.", (long long) set->state)));
	if (lookup->by_time ? lookup->at >= set->pruned_at : lookup->state >= set->pruned_state)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("what list \"%s\" was before %s is not kept", set->name, timestamptz_to_str(set->pruned_at)),
			 errdetail("The earliest state that can be asked is %lld.", (long long) set->pruned_state),
			 errhint("assay.set_list_retention() says how long history is kept, from then on.")));
}

/* set, value, at, tenant, state: all but the value */
static void
BeginLookup(FunctionCallInfo fcinfo, Lookup *lookup)
{
	lookup->list = GetList(fcinfo, PG_GETARG_TEXT_PP(0));
	lookup->tenant = NULL;
	lookup->tenant_len = 0;
	lookup->history = !PG_ARGISNULL(2) || !PG_ARGISNULL(4);
	lookup->by_time = PG_ARGISNULL(4);
	lookup->state = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT64(4);
	lookup->at = PG_ARGISNULL(2) ? GetCurrentStatementStartTimestamp() : PG_GETARG_TIMESTAMPTZ(2);
	if (!PG_ARGISNULL(3))
	{
		text	   *tenant = PG_GETARG_TEXT_PP(3);

		lookup->tenant = VARDATA_ANY(tenant);
		lookup->tenant_len = Min(VARSIZE_ANY_EXHDR(tenant), LIST_MAX_TENANT + 1);
		if (!lookup->history)
		{
			Size		len;

			lookup->tenant = TextToHash(lookup->tenant, lookup->tenant_len, &len);
			lookup->tenant_len = len;
		}
		if (lookup->tenant_len == 0)
			lookup->tenant = NULL;
	}
	if (lookup->history)
	{
		CheckKept(lookup);
		lookup->entries = NamedSetTable("list_entry");
		lookup->index = NamedSetIndex("list_entry_pkey");
	}
}

static void
EndLookup(Lookup *lookup)
{
	if (lookup->history)
		table_close(lookup->entries, AccessShareLock);
}

static bool
MatchText(const Lookup *lookup, text *value, ListFound *match)
{
	Size		len;
	int			bytes = VARSIZE_ANY_EXHDR(value);
	const char *utf8 = TextToUtf8(VARDATA_ANY(value), bytes, &len);

	return MatchValue(lookup, utf8, Min(len, INT_MAX), match);
}

static bool
MatchArray(const Lookup *lookup, ArrayType *array, ListFound *match)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	bool		found = false;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n && !found; i++)
	{
		if (i % 1024 == 1023)
			CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			found = MatchText(lookup, DatumGetTextPP(items[i]), match);
	}
	pfree(items);
	pfree(nulls);
	return found;
}

static bool
MatchInet(const Lookup *lookup, inet * value, ListFound *match)
{
	char		key[18];
	bool		six = ip_family(value) == PGSQL_AF_INET6;

	key[0] = six ? '6' : '4';
	memcpy(key + 2, ip_addr(value), six ? 16 : 4);
	ListAddressMask(key, Min(ip_bits(value), six ? 128 : 32));
	return MatchNetwork(lookup, key, six ? 18 : 6, match);
}

typedef enum ValueType
{
	VALUE_TEXT,
	VALUE_ARRAY,
	VALUE_INET
} ValueType;

static bool
MatchArgument(FunctionCallInfo fcinfo, ValueType type, ListFound *match)
{
	Lookup		lookup;
	bool		found = false;

	BeginLookup(fcinfo, &lookup);
	switch (type)
	{
		case VALUE_TEXT:
			{
				text	   *value = PG_GETARG_TEXT_PP(1);

				found = MatchText(&lookup, value, match);
				PG_FREE_IF_COPY(value, 1);
				break;
			}
		case VALUE_ARRAY:
			found = MatchArray(&lookup, PG_GETARG_ARRAYTYPE_P(1), match);
			break;
		case VALUE_INET:
			found = MatchInet(&lookup, PG_GETARG_INET_PP(1), match);
			break;
	}
	EndLookup(&lookup);
	return found;
}

static Datum
InList(FunctionCallInfo fcinfo, ValueType type)
{
	ListFound	match;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(MatchArgument(fcinfo, type, &match));
}

static Datum
ListMatch(FunctionCallInfo fcinfo, ValueType type)
{
	ListFound	match;
	char		address[64];
	const char *text_key;
	Size		len;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || !MatchArgument(fcinfo, type, &match))
		PG_RETURN_NULL();
	if (match.kind == LIST_CIDR)
		PG_RETURN_TEXT_P(cstring_to_text_with_len(address,
												  ListAddressText(match.key, match.len, address, sizeof(address))));
	text_key = Utf8ToText(match.key, match.len, &len);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text_key, len));
}

/* in_list(set, value, at, tenant, state): is the value in the set? */
PG_FUNCTION_INFO_V1(in_list);
Datum
in_list(PG_FUNCTION_ARGS)
{
	return InList(fcinfo, VALUE_TEXT);
}

PG_FUNCTION_INFO_V1(in_list_any);
Datum
in_list_any(PG_FUNCTION_ARGS)
{
	return InList(fcinfo, VALUE_ARRAY);
}

PG_FUNCTION_INFO_V1(in_list_inet);
Datum
in_list_inet(PG_FUNCTION_ARGS)
{
	return InList(fcinfo, VALUE_INET);
}

/* list_match(...): which value of the set, in the form that is compared */
PG_FUNCTION_INFO_V1(list_match);
Datum
list_match(PG_FUNCTION_ARGS)
{
	return ListMatch(fcinfo, VALUE_TEXT);
}

PG_FUNCTION_INFO_V1(list_match_any);
Datum
list_match_any(PG_FUNCTION_ARGS)
{
	return ListMatch(fcinfo, VALUE_ARRAY);
}

PG_FUNCTION_INFO_V1(list_match_inet);
Datum
list_match_inet(PG_FUNCTION_ARGS)
{
	return ListMatch(fcinfo, VALUE_INET);
}

/* list_state(set): the state that this statement sees */
PG_FUNCTION_INFO_V1(list_state);
Datum
list_state(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	CachedList *list = FindList(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (!NamedSetIsFresh(&list->set))
		LoadPinned(list);
	list->last_used = ++cache_clock;
	PG_RETURN_INT64(list->set.state);
}

/* list_cache(): the lists that this backend holds */
PG_FUNCTION_INFO_V1(list_cache);
Datum
list_cache(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, cache)
	{
		CachedList *list = lfirst(lc);
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = CStringGetTextDatum(list->set.name);
		values[1] = Int64GetDatum(list->set.state);
		values[2] = Int64GetDatum(list->base ? list->base->count : 0);
		values[3] = Int64GetDatum(list->delta.count);
		values[4] = Int64GetDatum(list->loads);
		values[5] = Int64GetDatum(list->set.probes);
		values[6] = Int64GetDatum(list->bytes);
		if (list->set.loaded)
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* list_key(kind, value): the form in which the value is compared, or NULL */
PG_FUNCTION_INFO_V1(list_key);
Datum
list_key(PG_FUNCTION_ARGS)
{
	text	   *kind = PG_GETARG_TEXT_PP(0);
	text	   *value = PG_GETARG_TEXT_PP(1);
	int			number = ListKindFromName(VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	char		key[LIST_KEY_ROOM];
	Size		len;
	const char *utf8 = TextToUtf8(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &len);
	int			n = number < 0 ? -1 : ListKey(number, utf8, Min(len, INT_MAX), key);

	if (n < 0)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(cstring_to_text_with_len(key, n));
}
