/*
 * live_as_of.c
 *		The history of a key as of a message, as a function: a baseline's row
 *		and what it has not counted, or not for that moment.
 *
 * It gives what the SQL of baseline_live() gives, with scans of its own.  The
 * history is a sum of
 *
 *	base	the state of the key's last row, with all that is counted up to the
 *			end of that tile
 *	late	messages that are not counted and older than the message's tile
 *	open	messages of the message's tile that come before it
 *
 * A row of the message's own tile has messages of the tile that are counted.
 * If all of them are older than the message, that row is the base, and what is
 * missing are messages that are not counted and come before it, of whatever
 * time.  The same goes for a key that has no row of that tile or later.  That is
 * so for who writes now, and then the cost does not grow with the messages of
 * the day.  As of a moment of the past the tile's messages are read one by one.
 * (A row of the tile may be missing because it was compacted away; then there
 * is a later one.)
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "activity.h"
#include "as_of.h"
#include "baseline_input.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "distributed.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "message_scan.h"
#include "miscadmin.h"
#include "tile.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/multirangetypes.h"
#include "utils/rangetypes.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Arguments before the key */
#define FIRST_KEY	3

/* Rows of a key are first looked for in so many tiles, as as_of() does. */
#define NEAR_TILES	16

/* What is known of so many keys and tiles is remembered: more than as_of()
 * has, as what is known there saves more. */
#define REMEMBERED_LIVE	1024	/* a power of two */

/*
 * After so many moments of the past it is worth to know how old the oldest
 * message is that is not counted, if there are no more than so many.
 */
#define PAST_BEFORE_OLDEST	256
#define UNCOUNTED_MAX		5000

/* What the registry has of a baseline */
typedef struct RegisteredBaseline
{
	Oid			source;
	int			nkeys;
	char	   *key[INDEX_MAX_KEYS];
	char	   *at;
	char	   *arrival;
	int64		tile;
	bool		extra;			/* it has extra columns */
	bool		has_settled;
	int64		settled;
	int			nranges;		/* of counted numbers, in order */
	int64	   *lower;			/* the least of each */
	int64	   *upper;			/* and the greatest */
} RegisteredBaseline;

/* The history of a key as of a message */
typedef struct KeyHistory
{
	int			len;			/* bytes of tile and key */
	char		key[KEY_BYTES_MAX];
	HeapTuple	row;			/* the last one whose tile was over, or NULL */
	bool		has_base;
	bool		has_late;
	bool		has_open;
	Activity	base;
	Activity	late;
	Activity	open;
	Message		until;			/* what comes before that is in it */
} KeyHistory;

/*
 * What a call site needs, found at its first call under a snapshot
 */
typedef struct LiveProbe
{
	bool		valid;
	uint64		generation;		/* of the relation cache, when this was made */
	TransactionId changed;		/* who made the baseline as it is */
	TransactionId source_changed;	/* and the messages' table */
	Oid			user;			/* who may read baseline and messages */
	Seen		seen;
	MemoryContext memory;		/* of what follows */
	Oid			relation;
	Oid			index;
	ScanDirection direction;
	bool		by_day;			/* a row is of a day; else until a moment */
	AttrNumber	history;
	ScanKeyData scankey[INDEX_MAX_KEYS + 1];	/* key, then two for the tile */
	KeyArguments key;
	int16		lengths[INDEX_MAX_KEYS];	/* of the source's columns */
	bool		may_be_long;	/* a key may not fit into an index */
	RegisteredBaseline registered;
	bool		all_numbered;	/* each message has a number */
	MessageColumns columns;
	MessageScanPlan by_number;
	MessageScanPlan by_time;	/* planned when it is wanted first */
	bool		has_by_time;
	bool		again;			/* a call before saw the same */
	int			past;			/* moments of the past, so far as it matters */
	TimestampTz oldest;			/* no message that is not counted is older */
	KeyHistory **known;			/* REMEMBERED_LIVE of them, or NULL */
} LiveProbe;

#define UPPER_BOUND(live)	(&(live)->scankey[(live)->key.n])
#define LOWER_BOUND(live)	(&(live)->scankey[(live)->key.n + 1])

/* ---- the registry --------------------------------------------------------- */

/* A column of the registry's row */
static Datum
RegistryColumn(Relation registry, HeapTuple row, const char *column, bool *isnull)
{
	AttrNumber	number = get_attnum(RelationGetRelid(registry), column);

	if (number <= 0)
		elog(ERROR, "table assay.baseline has no column \"%s\"", column);
	return heap_getattr(row, number, RelationGetDescr(registry), isnull);
}

/* A name there, or NULL */
static char *
RegistryName(Relation registry, HeapTuple row, const char *column)
{
	bool		isnull;
	Datum		value = RegistryColumn(registry, row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* The columns of the key; false: there are none, or too many */
static bool
ReadKeyColumns(RegisteredBaseline *r, Relation registry, HeapTuple row)
{
	bool		isnull;
	Datum		value = RegistryColumn(registry, row, "key_columns", &isnull);
	ArrayType  *array;
	Datum	   *names;
	bool	   *nulls;

	if (isnull)
		return false;
	array = DatumGetArrayTypeP(value);
	if (ARR_NDIM(array) != 1 || ARR_ELEMTYPE(array) != TEXTOID)
		return false;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &r->nkeys);
	if (r->nkeys < 1 || r->nkeys > INDEX_MAX_KEYS - 1)
		return false;
	for (int i = 0; i < r->nkeys; i++)
	{
		if (nulls[i])
			return false;
		r->key[i] = TextDatumGetCString(names[i]);
	}
	return true;
}

/* The numbers that are counted, above those that are settled */
static void
ReadCounted(RegisteredBaseline *r, Datum counted)
{
	TypeCacheEntry *type = lookup_type_cache(INT8MULTIRANGEOID, TYPECACHE_MULTIRANGE_INFO)->rngtype;
	RangeType **ranges;

	multirange_deserialize(type, DatumGetMultirangeTypeP(counted), &r->nranges, &ranges);
	r->lower = palloc(Max(r->nranges, 1) * sizeof(int64));
	r->upper = palloc(Max(r->nranges, 1) * sizeof(int64));
	for (int i = 0; i < r->nranges; i++)
	{
		RangeBound	lower;
		RangeBound	upper;
		bool		empty;

		range_deserialize(type, ranges[i], &lower, &upper, &empty);
		/* A range of whole numbers has its first, and not its last. */
		r->lower[i] = lower.infinite ? PG_INT64_MIN : DatumGetInt64(lower.val);
		r->upper[i] = upper.infinite ? PG_INT64_MAX : DatumGetInt64(upper.val) - 1;
	}
}

/* The registry's row, as far as it is one of an incremental baseline */
static bool
ReadRow(RegisteredBaseline *r, Relation registry, HeapTuple row)
{
	bool		isnull;
	Datum		value;

	if (!DatumGetBool(RegistryColumn(registry, row, "incremental", &isnull)) || isnull)
		return false;
	r->source = DatumGetObjectId(RegistryColumn(registry, row, "source", &isnull));
	r->at = RegistryName(registry, row, "at_column");
	r->arrival = RegistryName(registry, row, "arrival_column");
	if (isnull || r->at == NULL || r->arrival == NULL || !ReadKeyColumns(r, registry, row))
		return false;
	value = RegistryColumn(registry, row, "tile", &isnull);
	if (isnull)
		return false;
	r->tile = TileLength(DatumGetIntervalP(value));
	value = RegistryColumn(registry, row, "extra", &isnull);
	r->extra = !isnull && JB_ROOT_COUNT(DatumGetJsonbP(value)) > 0;
	r->settled = DatumGetInt64(RegistryColumn(registry, row, "settled", &isnull));
	r->has_settled = !isnull;
	value = RegistryColumn(registry, row, "counted", &isnull);
	if (!isnull)
		ReadCounted(r, value);
	return true;
}

/*
 * What the registry has of a baseline in the active snapshot, which sees that
 * baseline's rows, too; false: it is no incremental one.
 */
static bool
ReadRegistry(RegisteredBaseline *r, Oid relid)
{
	Oid			schema = get_namespace_oid("assay", false);
	Relation	registry = table_open(get_relname_relid("baseline", schema), AccessShareLock);
	Oid			index = get_relname_relid("baseline_pkey", schema);
	AttrNumber	column = get_attnum(RelationGetRelid(registry), "relation");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	bool		found;

	memset(r, 0, sizeof(RegisteredBaseline));
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(registry, index, OidIsValid(index), GetActiveSnapshot(), 1, &key);
	row = systable_getnext(scan);
	found = HeapTupleIsValid(row) && ReadRow(r, registry, row);
	systable_endscan(scan);
	table_close(registry, AccessShareLock);
	return found;
}

/* Has the baseline counted the message of a number? */
static bool
IsCounted(const RegisteredBaseline *r, int64 number)
{
	int			low = 0;
	int			high = r->nranges;

	if (r->has_settled && number <= r->settled)
		return true;
	/* the first range that ends at the number or above */
	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (r->upper[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < r->nranges && r->lower[low] <= number;
}

/* No number below is not counted. */
static int64
LeastUncounted(const RegisteredBaseline *r)
{
	return r->has_settled ? r->settled : PG_INT64_MIN;
}

/* ---- the messages' table --------------------------------------------------- */

/* Why a function may not read the messages of a table by itself, or NULL */
static const char *
WhyNotRead(Relation source, bool any_user)
{
	Oid			relid = RelationGetRelid(source);

	if (source->rd_rel->relkind != RELKIND_RELATION)
		return "which is no plain table";
	if (any_user ? source->rd_rel->relrowsecurity : check_enable_rls(relid, InvalidOid, false) == RLS_ENABLED)
		return "which has row-level security";
	if (source->rd_rel->relhassubclass && find_inheritance_children(relid, NoLock) != NIL)
		return "which has child tables";
	if (IsDistributed(relid))
		return "whose rows are in shards";
	return NULL;
}

/* The number of a column that the baseline needs */
static AttrNumber
SourceColumn(Relation source, const char *column, Oid baseline)
{
	AttrNumber	number = get_attnum(RelationGetRelid(source), column);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column %s of %s, which baseline %s needs, does not exist any more", quote_identifier(column),
						RelationGetRelationName(source), get_rel_name(baseline)),
				 errhint("Give the column its name back, or create the baseline anew.")));
	return number;
}

/* Find the columns, and see that time and number are of the types that they must be. */
static void
FindColumns(MessageColumns *columns, Relation source, const RegisteredBaseline *r, Oid baseline)
{
	Oid			relid = RelationGetRelid(source);

	columns->nkeys = r->nkeys;
	for (int i = 0; i < r->nkeys; i++)
	{
		columns->key[i] = SourceColumn(source, r->key[i], baseline);
		columns->type[i] = get_atttype(relid, columns->key[i]);
	}
	columns->at = SourceColumn(source, r->at, baseline);
	columns->arrival = SourceColumn(source, r->arrival, baseline);
	columns->arrival_type = get_atttype(relid, columns->arrival);
	if (get_atttype(relid, columns->at) != TIMESTAMPTZOID ||
		(columns->arrival_type != INT2OID && columns->arrival_type != INT4OID && columns->arrival_type != INT8OID))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns %s and %s of %s are not of the types that baseline %s needs", quote_identifier(r->at),
						quote_identifier(r->arrival), RelationGetRelationName(source), get_rel_name(baseline)),
				 errhint("They must be a timestamp with time zone and an integer.")));
}

static void
MayReadColumn(Relation source, AttrNumber number)
{
	Oid			relid = RelationGetRelid(source);

	if (pg_attribute_aclcheck(relid, number, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(source));
}

/* An error unless the user may read these columns */
static void
MayReadColumns(Relation source, const MessageColumns *columns)
{
	if (pg_class_aclcheck(RelationGetRelid(source), GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	for (int i = 0; i < columns->nkeys; i++)
		MayReadColumn(source, columns->key[i]);
	MayReadColumn(source, columns->at);
	MayReadColumn(source, columns->arrival);
}

static Relation
OpenSource(Oid relid, Oid baseline)
{
	Relation	source = try_relation_open(relid, AccessShareLock);

	if (source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the source of baseline %s does not exist any more", get_rel_name(baseline)),
				 errhint("The view assay.health says how to mend it.")));
	return source;
}

/* ---- preparing ------------------------------------------------------------- */

/* Where the baseline has its history */
static AttrNumber
HistoryColumn(Relation rel)
{
	AttrNumber	number = get_attnum(RelationGetRelid(rel), "history");
	Oid			activity = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("activity"),
										   ObjectIdGetDatum(get_namespace_oid("assay", false)));

	if (number <= 0 || get_atttype(RelationGetRelid(rel), number) != activity)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" has no column history of type assay.activity", RelationGetRelationName(rel))));
	return number;
}

static void
PrepareBaseline(FunctionCallInfo fcinfo, LiveProbe *live, Relation rel)
{
	Relation	index = OpenBaselineIndex(rel, live->key.n);
	int			nkeys = live->key.n;
	Oid			tile;

	live->by_day = index->rd_opcintype[nkeys] == DATEOID;
	tile = live->by_day ? DATEOID : TIMESTAMPTZOID;
	for (int i = 0; i < nkeys; i++)
		InitScanKey(&live->scankey[i], rel, index, i, BTEqualStrategyNumber,
					getBaseType(get_fn_expr_argtype(fcinfo->flinfo, FIRST_KEY + i)));
	InitScanKey(UPPER_BOUND(live), rel, index, nkeys, BTLessEqualStrategyNumber, tile);
	InitScanKey(LOWER_BOUND(live), rel, index, nkeys, BTGreaterEqualStrategyNumber, tile);
	live->direction = (index->rd_indoption[nkeys] & INDOPTION_DESC) ? ForwardScanDirection : BackwardScanDirection;
	live->index = RelationGetRelid(index);
	live->history = HistoryColumn(rel);
	index_close(index, NoLock);
}

static void
PrepareSource(FunctionCallInfo fcinfo, LiveProbe *live, Relation source)
{
	MessageColumns *columns = &live->columns;
	const char *why_not = WhyNotRead(source, false);

	if (why_not != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("live_as_of() cannot read \"%s\", %s", RelationGetRelationName(source), why_not),
				 errhint("Use the SQL that assay.baseline_probe(..., live => true, parallel => false) gives.")));
	FindColumns(columns, source, &live->registered, live->relation);
	MayReadColumns(source, columns);
	live->may_be_long = false;
	for (int i = 0; i < columns->nkeys; i++)
	{
		live->lengths[i] = get_typlen(columns->type[i]);
		live->may_be_long |= live->lengths[i] < 0;
		/* what is compared with the column */
		columns->type[i] = get_fn_expr_argtype(fcinfo->flinfo, FIRST_KEY + i);
	}
	live->all_numbered = TupleDescAttr(RelationGetDescr(source), columns->arrival - 1)->attnotnull;
	PlanMessageScan(&live->by_number, source, columns, columns->arrival);
	live->has_by_time = false;
	live->oldest = DT_NOBEGIN;
	live->again = false;
	live->past = 0;
}

static void
Prepare(FunctionCallInfo fcinfo, LiveProbe *live)
{
	Relation	rel;
	Relation	source;
	MemoryContext old;

	live->valid = false;
	if (live->memory == NULL)
		live->memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "pg_assay live_as_of", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(live->memory);
	live->known = NULL;
	old = MemoryContextSwitchTo(live->memory);

	live->relation = BaselineOfArgument(fcinfo);
	KeyArgumentsInit(&live->key, fcinfo, FIRST_KEY);
	rel = table_open(live->relation, AccessShareLock);
	MayReadBaseline(rel, "live_as_of");
	if (!ReadRegistry(&live->registered, live->relation))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an incremental baseline", RelationGetRelationName(rel)),
				 errhint("assay.create_baseline(..., incremental => true) makes one.")));
	if (live->registered.nkeys != live->key.n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_plural("the key of \"%s\" has %d column, not %d", "the key of \"%s\" has %d columns, not %d", live->registered.nkeys,
							   RelationGetRelationName(rel), live->registered.nkeys, live->key.n),
				 errhint("Give the baseline's row type, the message's time and number, and a value for each column of its key: assay.live_as_of(NULL::sender, m.received_at, m.id, m.from_addr).")));
	if (live->registered.extra)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("live_as_of() cannot read \"%s\", which has extra columns", RelationGetRelationName(rel)),
				 errhint("Use the SQL that assay.baseline_probe(..., live => true, parallel => false) gives.")));
	PrepareBaseline(fcinfo, live, rel);
	source = OpenSource(live->registered.source, live->relation);
	/* after the locks were had, with which changes come */
	live->generation = AsOfGeneration();
	live->changed = ChangedBy(rel);
	live->source_changed = ChangedBy(source);
	PrepareSource(fcinfo, live, source);
	live->user = GetUserId();
	(void) SeenIsCurrent(&live->seen);
	live->valid = true;

	relation_close(source, NoLock);
	table_close(rel, NoLock);
	MemoryContextSwitchTo(old);
}

/* ---- the sum ---------------------------------------------------------------- */

static inline void
CountTime(Activity *a, bool *has, TimestampTz at)
{
	if (*has)
		ActivityAddEvent(a, at);
	else
	{
		ActivityInit(a, at);
		*has = true;
	}
}

static inline void
CountActivity(Activity *a, bool *has, const Activity *b)
{
	if (*has)
		ActivityAdd(a, b);
	else
	{
		ActivityLoad(a, b);
		*has = true;
	}
}

/* Does a message come before another, by time and, of the same time, by number? */
static inline bool
ComesBefore(const Message *a, const Message *b)
{
	return a->at < b->at || (a->at == b->at && a->numbered && b->numbered && a->arrival < b->arrival);
}

/* Is all that comes before one message before another, too? */
static bool
IsNotAfter(const Message *a, const Message *b)
{
	return a->at < b->at || (a->at == b->at && (!a->numbered || (b->numbered && a->arrival <= b->arrival)));
}

/* Is the row in the slot of the tile that a moment is in, which is not over? */
static bool
IsOfOpenTile(const LiveProbe *live, TupleTableSlot *slot, TimestampTz at)
{
	bool		isnull;
	Datum		tile = slot_getattr(slot, live->key.n + 1, &isnull);

	if (live->by_day)
		return DatumGetDateADT(tile) >= TileDay(at);
	return DatumGetTimestampTz(tile) > at;
}

/* The state that the row in the slot has */
static void
ReadHistory(const LiveProbe *live, TupleTableSlot *slot, Activity *history, bool *has)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, live->history, &isnull);

	*has = !isnull;
	if (!isnull)
		ActivityLoad(history, DatumGetActivityP(value));
}

static Datum
TileDatum(const LiveProbe *live, TimestampTz at)
{
	return live->by_day ? DateADTGetDatum(TileDay(at)) : TimestampTzGetDatum(at);
}

/*
 * The tiles that are asked first, from this one on: an index scan reads all
 * rows of the key that are on the page it comes to.
 */
static Datum
NearTile(const LiveProbe *live, TimestampTz at)
{
	int64		span = NEAR_TILES * (live->by_day ? USECS_PER_DAY : live->registered.tile);

	if (TIMESTAMP_NOT_FINITE(at) || at - span < MIN_TIMESTAMP)
		return TileDatum(live, DT_NOBEGIN);
	return TileDatum(live, at - span);
}

/* What the row of the message's own tile says */
typedef enum OpenTile
{
	OPEN_TILE_NONE,				/* there is no such row */
	OPEN_TILE_BEFORE,			/* all that it counts comes before the message */
	OPEN_TILE_SPLIT				/* something doesn't */
} OpenTile;

/* Go through the key's rows between two tiles. */
static void
FindRows(LiveProbe *live, IndexScanDesc scan, Datum least, Datum most)
{
	LOWER_BOUND(live)->sk_argument = least;
	UPPER_BOUND(live)->sk_argument = most;
	index_rescan(scan, live->scankey, live->key.n + 2, NULL, 0);
}

/*
 * Find the last row whose tile was over, from a tile on, and the base: its
 * state, or that of the open tile's row, if that has nothing as late as the
 * message.  False: there is no such row from there on.
 */
static bool
FindRow(LiveProbe *live, IndexScanDesc scan, TupleTableSlot *slot, Datum least, Datum most, TimestampTz at, KeyHistory *known, OpenTile *open)
{
	known->has_base = false;
	FindRows(live, scan, least, most);
	while (index_getnext_slot(scan, live->direction, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!IsOfOpenTile(live, slot, at))
		{
			if (!known->has_base)
				ReadHistory(live, slot, &known->base, &known->has_base);
			known->row = ExecCopySlotHeapTuple(slot);
			return true;
		}
		ReadHistory(live, slot, &known->base, &known->has_base);
		*open = known->has_base && ActivityLast(&known->base) < at ? OPEN_TILE_BEFORE : OPEN_TILE_SPLIT;
		known->has_base = *open == OPEN_TILE_BEFORE && live->all_numbered;
	}
	return false;
}

/*
 * The last tile to look at.  Of one that has counted the message itself it is
 * known what it says.
 */
static Datum
LastTile(LiveProbe *live, const Message *message, OpenTile *open)
{
	if (message->numbered && IsCounted(&live->registered, message->arrival) && !TIMESTAMP_NOT_FINITE(message->at))
	{
		*open = OPEN_TILE_SPLIT;
		return live->by_day ? DateADTGetDatum(TileDay(message->at) - 1) : TimestampTzGetDatum(message->at);
	}
	*open = OPEN_TILE_NONE;
	return TileDatum(live, live->by_day ? message->at : TileEnd(message->at, live->registered.tile));
}

/* Has the key a row of a later tile than that of a moment? */
static bool
HasLaterRow(LiveProbe *live, IndexScanDesc scan, TupleTableSlot *slot, TimestampTz at)
{
	TimestampTz end = TileEnd(at, live->registered.tile);
	Datum		least;

	if (TIMESTAMP_NOT_FINITE(at) || TIMESTAMP_IS_NOEND(end))
		return false;
	least = live->by_day ? DateADTGetDatum(TileDay(at) + 1) : TimestampTzGetDatum(end + 1);
	FindRows(live, scan, least, TileDatum(live, DT_NOEND));
	return index_getnext_slot(scan, live->direction, slot);
}

/* The last row and the base; returns whether the tile's messages are to be read one by one */
static bool
FindBase(LiveProbe *live, Relation rel, const Datum *key, const Message *message, KeyHistory *known)
{
	TimestampTz at = message->at;
	Datum		most;
	Relation	index = index_open(live->index, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan;
	OpenTile	open;
	bool		one_by_one;

	for (int i = 0; i < live->key.n; i++)
	{
		live->scankey[i].sk_argument = key[i];
		live->scankey[i].sk_func.fn_mcxt = CurrentMemoryContext;
	}
#if PG_VERSION_NUM >= 180000
	scan = index_beginscan(rel, index, GetActiveSnapshot(), NULL, live->key.n + 2, 0);
#else
	scan = index_beginscan(rel, index, GetActiveSnapshot(), live->key.n + 2, 0);
#endif
	most = LastTile(live, message, &open);
	if (!FindRow(live, scan, slot, NearTile(live, at), most, at, known, &open))
		(void) FindRow(live, scan, slot, TileDatum(live, DT_NOBEGIN), most, at, known, &open);
	one_by_one = !live->all_numbered || open == OPEN_TILE_SPLIT ||
		(open == OPEN_TILE_NONE && HasLaterRow(live, scan, slot, at));
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return one_by_one;
}

/* How old is the oldest message that is not counted, of any key? */
static void
FindOldest(LiveProbe *live, Relation source)
{
	MessageScan scan;
	Message		message;
	int			n = 0;
	TimestampTz oldest = DT_NOEND;
	MessageColumns columns = live->columns;
	MessageScanPlan plan;

	/* of all keys */
	columns.nkeys = 0;
	PlanMessageScan(&plan, source, &columns, columns.arrival);
	if (plan.nbounds == 0)
		return;
	MessageScanBegin(&scan, &plan, source, NULL, Int64GetDatum(LeastUncounted(&live->registered)), (Datum) 0);
	/* Whether it is there for us makes no difference. */
	while (n < UNCOUNTED_MAX && MessageScanNext(&scan, &message))
	{
		if (!IsCounted(&live->registered, message.arrival))
			oldest = Min(oldest, message.at);
		n++;
	}
	MessageScanEnd(&scan);
	if (n < UNCOUNTED_MAX)
		live->oldest = oldest;
}

/* Add messages that are not counted: of before the tile, or all that come before the message */
static void
AddUncounted(LiveProbe *live, Relation source, const Datum *key, TimestampTz begin, bool one_by_one, KeyHistory *known)
{
	MessageScan scan;
	Message		message;

	if (one_by_one && live->past <= PAST_BEFORE_OLDEST && live->past++ == PAST_BEFORE_OLDEST)
		FindOldest(live, source);
	if (one_by_one ? live->oldest >= begin : live->oldest > known->until.at)
		return;
	MessageScanBegin(&scan, &live->by_number, source, key, Int64GetDatum(LeastUncounted(&live->registered)), (Datum) 0);
	while (MessageScanNext(&scan, &message))
	{
		bool		is_late = message.at < begin;

		/* in the order of what they cost */
		if ((!is_late && (one_by_one || !ComesBefore(&message, &known->until))) || TIMESTAMP_NOT_FINITE(message.at) ||
			!message.numbered || IsCounted(&live->registered, message.arrival) || !MessageScanSees(&scan))
			continue;
		if (is_late)
			CountTime(&known->late, &known->has_late, message.at);
		else
			CountTime(&known->open, &known->has_open, message.at);
	}
	MessageScanEnd(&scan);
}

/* Add messages of the tile: from a time on, that don't come before `since`, but before what is known until */
static void
AddOpen(LiveProbe *live, Relation source, const Datum *key, TimestampTz from, const Message *since, KeyHistory *known)
{
	MessageScan scan;
	Message		message;

	if (TIMESTAMP_NOT_FINITE(known->until.at))
		return;
	if (!live->has_by_time)
	{
		MemoryContext old = MemoryContextSwitchTo(live->memory);

		PlanMessageScan(&live->by_time, source, &live->columns, live->columns.at);
		live->has_by_time = true;
		MemoryContextSwitchTo(old);
	}
	MessageScanBegin(&scan, &live->by_time, source, key, TimestampTzGetDatum(from), TimestampTzGetDatum(known->until.at));
	while (MessageScanNext(&scan, &message))
		if (message.at >= from && !TIMESTAMP_NOT_FINITE(message.at) && ComesBefore(&message, &known->until) &&
			!(since && ComesBefore(&message, since)) && MessageScanSees(&scan))
			CountTime(&known->open, &known->has_open, message.at);
	MessageScanEnd(&scan);
}

/* What is known of a key as of a message, from nothing */
static void
FindOut(FunctionCallInfo fcinfo, LiveProbe *live, Relation rel, Relation source, const Datum *key, const Message *message, KeyHistory *known)
{
	TimestampTz begin = TileBegin(message->at, live->registered.tile);
	bool		one_by_one;

	known->row = NULL;
	known->has_late = known->has_open = false;
	known->until = *message;
	one_by_one = FindBase(live, rel, key, message, known);
	if (live->may_be_long && !KeyFits(fcinfo, FIRST_KEY, live->lengths))
		return;
	AddUncounted(live, source, key, begin, one_by_one, known);
	if (one_by_one)
		AddOpen(live, source, key, begin, NULL, known);
}

/* ---- what is remembered ------------------------------------------------------ */

/* Where what is known of a key and tile is, or is to be put; NULL: nowhere */
static KeyHistory **
Place(FunctionCallInfo fcinfo, LiveProbe *live, TimestampTz at, char *key, int *len)
{
	/* A statement may be of one message. */
	if (!live->again)
	{
		live->again = true;
		return NULL;
	}
	*len = KeyBytes(fcinfo, &live->key, TimestampTzGetDatum(TileBegin(at, live->registered.tile)), key);
	if (*len == 0)
		return NULL;
	if (live->known == NULL)
		live->known = MemoryContextAllocZero(live->memory, REMEMBERED_LIVE * sizeof(KeyHistory *));
	return &live->known[hash_bytes((const unsigned char *) key, *len) & (REMEMBERED_LIVE - 1)];
}

/* Keep it for later messages of the key. */
static void
Remember(LiveProbe *live, KeyHistory **place, const KeyHistory *known, const char *key, int len)
{
	MemoryContext old;

	if (known->row && known->row->t_len > ROW_BYTES_MAX)
		return;
	old = MemoryContextSwitchTo(live->memory);
	if (*place == NULL)
		*place = palloc0(sizeof(KeyHistory));
	else
	{
		(*place)->len = 0;
		if ((*place)->row)
			heap_freetuple((*place)->row);
	}
	**place = *known;
	(*place)->row = NULL;
	if (known->row)
		(*place)->row = heap_copytuple(known->row);
	memcpy((*place)->key, key, len);
	(*place)->len = len;
	MemoryContextSwitchTo(old);
}

/* ---- the result --------------------------------------------------------------- */

/* The last row with the whole history in it */
static Datum
MakeResult(LiveProbe *live, Relation rel, const KeyHistory *known, bool *isnull)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Activity	added;
	Activity	total;
	bool		has_added = false;
	bool		has_total = false;
	Datum	   *values;
	bool	   *nulls;

	if (known->has_open)
		CountActivity(&added, &has_added, &known->open);
	if (known->has_late)
		CountActivity(&added, &has_added, &known->late);
	if (known->has_base)
		CountActivity(&total, &has_total, &known->base);
	if (has_added)
		CountActivity(&total, &has_total, &added);
	*isnull = known->row == NULL && !has_total;
	if (*isnull)
		return (Datum) 0;

	values = palloc0(desc->natts * sizeof(Datum));
	nulls = palloc(desc->natts * sizeof(bool));
	if (known->row)
		heap_deform_tuple(known->row, desc, values, nulls);
	else
		memset(nulls, true, desc->natts * sizeof(bool));
	nulls[live->history - 1] = !has_total;
	if (has_total)
		values[live->history - 1] = PointerGetDatum(ActivityPack(&total));
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* The key's values; false: one is NULL, or the message has no time */
static bool
ReadArguments(FunctionCallInfo fcinfo, const LiveProbe *live, Datum *key, Message *message)
{
	bool		complete = !PG_ARGISNULL(1);

	message->at = complete ? PG_GETARG_TIMESTAMPTZ(1) : 0;
	message->numbered = !PG_ARGISNULL(2);
	message->arrival = message->numbered ? PG_GETARG_INT64(2) : 0;
	for (int i = 0; i < live->key.n; i++)
	{
		complete &= !PG_ARGISNULL(FIRST_KEY + i);
		key[i] = PG_GETARG_DATUM(FIRST_KEY + i);
	}
	return complete;
}

/* The history as of a message, from what is remembered where that can be */
static Datum
History(FunctionCallInfo fcinfo, LiveProbe *live, Relation rel, Relation source, const Datum *key, const Message *message, bool *isnull)
{
	char		bytes[KEY_BYTES_MAX];
	int			len = 0;
	KeyHistory **place = Place(fcinfo, live, message->at, bytes, &len);
	KeyHistory *known = place ? *place : NULL;
	KeyHistory	new;

	if (known && known->len == len && memcmp(known->key, bytes, len) == 0 && IsNotAfter(&known->until, message))
	{
		Message		since = known->until;

		/* only what came between; an error leaves nothing half known */
		known->len = 0;
		known->until = *message;
		AddOpen(live, source, key, since.at, &since, known);
		known->len = len;
		return MakeResult(live, rel, known, isnull);
	}
	FindOut(fcinfo, live, rel, source, key, message, &new);
	if (place)
		Remember(live, place, &new, bytes, len);
	return MakeResult(live, rel, &new, isnull);
}

/* Is what was found still right? */
static bool
IsPrepared(LiveProbe *live)
{
	return live->valid && live->generation == AsOfGeneration() && live->user == GetUserId() && SeenIsCurrent(&live->seen);
}

/*
 * live_as_of(baseline, at, arrival, key ...): the baseline's last row of the
 * key whose tile was over, with the history of all messages that come before
 * one of that time and number, or NULL
 */
PG_FUNCTION_INFO_V1(live_as_of);
Datum
live_as_of(PG_FUNCTION_ARGS)
{
	LiveProbe  *live = (LiveProbe *) fcinfo->flinfo->fn_extra;
	Relation	rel;
	Relation	source;
	Datum		key[INDEX_MAX_KEYS];
	Message		message;
	Datum		result = (Datum) 0;
	bool		isnull = true;
	bool		pushed;

	if (live == NULL)
		fcinfo->flinfo->fn_extra = live = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LiveProbe));
	if (!IsPrepared(live))
		Prepare(fcinfo, live);
	/* Locks stay to the end of the transaction, as a query's own do. */
	rel = table_open(live->relation, AccessShareLock);
	source = table_open(live->registered.source, AccessShareLock);
	if (!IsPrepared(live))
		Prepare(fcinfo, live);
	/* Then the registry is read by that snapshot, too. */
	pushed = PushIfRewritten(rel, live->changed) || PushIfRewritten(source, live->source_changed);
	if (pushed)
		Prepare(fcinfo, live);
	if (ReadArguments(fcinfo, live, key, &message))
		result = History(fcinfo, live, rel, source, key, &message, &isnull);
	if (pushed)
	{
		live->valid = false;
		PopActiveSnapshot();
	}
	table_close(source, NoLock);
	table_close(rel, NoLock);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/* ---- what baseline_probe() asks ------------------------------------------------- */

/* Does a scan find what it looks for by an index alone? */
static bool
IsIndexed(Relation source, const MessageColumns *columns, AttrNumber bound)
{
	MessageScanPlan plan;

	PlanMessageScan(&plan, source, columns, bound);
	return plan.nbounds > 0;
}

/* Why live_as_of() does not serve for a baseline, or NULL */
static char *
WhyNotLive(const RegisteredBaseline *r, Relation source, Oid baseline)
{
	const char *why_not = WhyNotRead(source, true);
	MessageColumns columns;

	if (why_not != NULL)
		return psprintf("live_as_of() cannot read \"%s\", %s", RelationGetRelationName(source), why_not);
	if (r->extra)
		return psprintf("live_as_of() cannot read \"%s\", which has extra columns", get_rel_name(baseline));
	FindColumns(&columns, source, r, baseline);
	if (!IsIndexed(source, &columns, columns.at))
		return psprintf("\"%s\" has no index on the key, %s and %s", RelationGetRelationName(source), quote_identifier(r->at), quote_identifier(r->arrival));
	if (!IsIndexed(source, &columns, columns.arrival))
		return psprintf("\"%s\" has no index on the key, %s and %s", RelationGetRelationName(source), quote_identifier(r->arrival), quote_identifier(r->at));
	return NULL;
}

/*
 * baseline_not_live(relation): why live_as_of() does not serve for an
 * incremental baseline, or NULL.  That says nothing of the user's rights.
 */
PG_FUNCTION_INFO_V1(baseline_not_live);
Datum
baseline_not_live(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	RegisteredBaseline registered;
	Relation	source;
	char	   *why_not;

	if (!ReadRegistry(&registered, relid))
		PG_RETURN_TEXT_P(cstring_to_text("it is no incremental baseline"));
	source = OpenSource(registered.source, relid);
	why_not = WhyNotLive(&registered, source, relid);
	relation_close(source, NoLock);
	if (why_not == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why_not));
}
