/*
 * message_scan.c
 *		Scans of a message table for the messages of a key, without the
 *		executor: by the best index that there is.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/visibilitymap.h"
#include "as_of.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "message_scan.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

/* ---- plans --------------------------------------------------------------- */

/*
 * Does a column of an index compare as = does in SQL: by the type's own
 * equality, and the column's collation?
 */
static bool
ComparesAsSql(Relation rel, Relation index, int column)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), index->rd_index->indkey.values[column] - 1);
	TypeCacheEntry *type = lookup_type_cache(getBaseType(attr->atttypid), TYPECACHE_EQ_OPR);

	return index->rd_indcollation[column] == attr->attcollation &&
		OidIsValid(type->eq_opr) && op_in_opfamily(type->eq_opr, index->rd_opfamily[column]);
}

/* Is it a btree of all rows, that this transaction may use? */
static bool
IsWhole(Relation index)
{
	return index->rd_index->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
		RelationGetIndexPredicate(index) == NIL && IndexIsUsable(index);
}

/* Are the index's first columns those of the key, in any order?  Notes which is which. */
static bool
BeginsWithKey(Relation rel, Relation index, const MessageColumns *columns, int *value)
{
	Bitmapset  *used = NULL;

	if (index->rd_index->indnkeyatts < columns->nkeys)
		return false;
	for (int i = 0; i < columns->nkeys; i++)
	{
		int			k = 0;

		while (k < columns->nkeys && (columns->key[k] != index->rd_index->indkey.values[i] || bms_is_member(k, used)))
			k++;
		if (k == columns->nkeys || !ComparesAsSql(rel, index, i))
			return false;
		used = bms_add_member(used, k);
		value[i] = k;
	}
	return true;
}

/* Where a column of the table stands in an index as it is, counted from 1; 0: nowhere */
static AttrNumber
PlaceInIndex(Relation rel, Relation index, AttrNumber column)
{
	for (int i = 0; i < index->rd_index->indnatts; i++)
		if (index->rd_index->indkey.values[i] == column &&
			TupleDescAttr(RelationGetDescr(index), i)->atttypid == TupleDescAttr(RelationGetDescr(rel), column - 1)->atttypid)
			return i + 1;
	return 0;
}

/* Has an index all that is looked at of a message? */
static bool
Covers(Relation rel, Relation index, const MessageColumns *columns)
{
	return PlaceInIndex(rel, index, columns->at) > 0 && PlaceInIndex(rel, index, columns->arrival) > 0;
}

/*
 * How well an index serves; 0: not at all.
 */
static int
Quality(Relation rel, Relation index, const MessageColumns *columns, AttrNumber bound, int *value)
{
	int			quality = 1;

	if (!IsWhole(index) || !BeginsWithKey(rel, index, columns, value))
		return 0;
	if (PlaceInIndex(rel, index, bound) == columns->nkeys + 1 && columns->nkeys < index->rd_index->indnkeyatts &&
		ComparesAsSql(rel, index, columns->nkeys))
		quality += 4;
	if (Covers(rel, index, columns))
		quality += 2;
	return quality;
}

/* The scan keys of an index that serves so well */
static void
PlanIndexScan(MessageScanPlan *plan, Relation rel, Relation index, const MessageColumns *columns, AttrNumber bound, int quality)
{
	Oid			type = bound == columns->at ? TIMESTAMPTZOID : INT8OID;

	plan->index = RelationGetRelid(index);
	plan->direction = ForwardScanDirection;
	for (int i = 0; i < plan->nkeys; i++)
		InitScanKey(&plan->scankey[i], rel, index, i, BTEqualStrategyNumber, getBaseType(columns->type[plan->value[i]]));
	if (quality >= 4)
	{
		InitScanKey(&plan->scankey[plan->nkeys], rel, index, plan->nkeys, BTGreaterEqualStrategyNumber, type);
		plan->nbounds = 1;
		if (bound == columns->at)
			InitScanKey(&plan->scankey[plan->nkeys + plan->nbounds++], rel, index, plan->nkeys, BTLessEqualStrategyNumber, type);
		/* in the order of what is bounded */
		if (index->rd_indoption[plan->nkeys] & INDOPTION_DESC)
			plan->direction = BackwardScanDirection;
	}
	plan->covers = Covers(rel, index, columns);
	if (plan->covers)
	{
		plan->at = PlaceInIndex(rel, index, columns->at);
		plan->arrival = PlaceInIndex(rel, index, columns->arrival);
	}
}

/* Keys that each row of the table is compared with */
static void
PlanWholeScan(MessageScanPlan *plan, Relation rel, const MessageColumns *columns)
{
	for (int i = 0; i < plan->nkeys; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), columns->key[i] - 1);
		TypeCacheEntry *own = lookup_type_cache(getBaseType(attr->atttypid), TYPECACHE_BTREE_OPFAMILY);
		Oid			type = getBaseType(columns->type[i]);
		RegProcedure function;

		if (!OidIsValid(own->btree_opf))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("key column \"%s\" is of type %s, which has no order", NameStr(attr->attname), format_type_be(attr->atttypid))));
		function = ComparingFunction(attr, own->btree_opf, own->btree_opintype, BTEqualStrategyNumber, &type);
		plan->value[i] = i;
		ScanKeyEntryInitialize(&plan->scankey[i], 0, columns->key[i], BTEqualStrategyNumber, type,
							   attr->attcollation, function, (Datum) 0);
	}
}

/*
 * How to find a key's messages with a time, or a number, from some bound on.
 * The table and its indexes stay locked.
 */
void
PlanMessageScan(MessageScanPlan *plan, Relation rel, const MessageColumns *columns, AttrNumber bound)
{
	Relation	best = NULL;
	int			best_quality = 0;
	ListCell   *lc;

	memset(plan, 0, sizeof(MessageScanPlan));
	plan->nkeys = columns->nkeys;
	plan->at = columns->at;
	plan->arrival = columns->arrival;
	plan->arrival_type = columns->arrival_type;
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		int			value[INDEX_MAX_KEYS];
		int			quality = Quality(rel, index, columns, bound, value);

		if (quality <= best_quality)
		{
			index_close(index, AccessShareLock);
			continue;
		}
		if (best)
			index_close(best, AccessShareLock);
		best = index;
		best_quality = quality;
		memcpy(plan->value, value, sizeof(value));
	}
	if (best == NULL)
	{
		PlanWholeScan(plan, rel, columns);
		return;
	}
	PlanIndexScan(plan, rel, best, columns, bound, best_quality);
	index_close(best, NoLock);
}

/* ---- scans --------------------------------------------------------------- */

/*
 * Look for the messages of a key, where the plan has bounds for it of those
 * from `least` on, and up to `most`.
 */
void
MessageScanBegin(MessageScan *scan, MessageScanPlan *plan, Relation rel, const Datum *key, Datum least, Datum most)
{
	int			nkeys = plan->nkeys + plan->nbounds;

	memset(scan, 0, sizeof(MessageScan));
	scan->plan = plan;
	scan->rel = rel;
	scan->visible = InvalidBuffer;
	for (int i = 0; i < nkeys; i++)
	{
		plan->scankey[i].sk_argument = i < plan->nkeys ? key[plan->value[i]] : i == plan->nkeys ? least : most;
		/* The scan has a copy, and what a function keeps there goes with it. */
		plan->scankey[i].sk_func.fn_mcxt = CurrentMemoryContext;
	}
	scan->slot = table_slot_create(rel, NULL);
	if (!OidIsValid(plan->index))
	{
		for (int i = 0; i < nkeys; i++)
			plan->scankey[i].sk_func.fn_extra = NULL;
		scan->whole = table_beginscan_strat(rel, GetActiveSnapshot(), 0, NULL, true, false);
		return;
	}
	scan->index = index_open(plan->index, AccessShareLock);
#if PG_VERSION_NUM >= 180000
	scan->by_index = index_beginscan(rel, scan->index, GetActiveSnapshot(), NULL, nkeys, 0);
#else
	scan->by_index = index_beginscan(rel, scan->index, GetActiveSnapshot(), nkeys, 0);
#endif
	scan->by_index->xs_want_itup = plan->covers;
	index_rescan(scan->by_index, plan->scankey, nkeys, NULL, 0);
}

void
MessageScanEnd(MessageScan *scan)
{
	if (scan->whole)
		table_endscan(scan->whole);
	else
	{
		index_endscan(scan->by_index);
		index_close(scan->index, NoLock);
	}
	if (BufferIsValid(scan->visible))
		ReleaseBuffer(scan->visible);
	ExecDropSingleTupleTableSlot(scan->slot);
}

/* Take over what a message's row, or its index's, has of it; false: no time */
static inline bool
ReadMessage(const MessageScanPlan *plan, Datum at, bool at_is_null, Datum arrival, bool arrival_is_null, Message *message)
{
	if (at_is_null)
		return false;
	message->at = DatumGetTimestampTz(at);
	message->numbered = !arrival_is_null;
	if (arrival_is_null)
		message->arrival = 0;
	else if (plan->arrival_type == INT8OID)
		message->arrival = DatumGetInt64(arrival);
	else if (plan->arrival_type == INT4OID)
		message->arrival = DatumGetInt32(arrival);
	else
		message->arrival = DatumGetInt16(arrival);
	return true;
}

/* Of the row in the slot */
static bool
ReadSlot(MessageScan *scan, Message *message)
{
	bool		at_is_null;
	bool		arrival_is_null;
	Datum		at = slot_getattr(scan->slot, scan->plan->at, &at_is_null);
	Datum		arrival = slot_getattr(scan->slot, scan->plan->arrival, &arrival_is_null);

	return ReadMessage(scan->plan, at, at_is_null, arrival, arrival_is_null, message);
}

/* Of the index's row */
static bool
ReadIndexRow(MessageScan *scan, Message *message)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];
	AttrNumber	at = scan->plan->at;
	AttrNumber	arrival = scan->plan->arrival;

	index_deform_tuple(scan->by_index->xs_itup, scan->by_index->xs_itupdesc, values, nulls);
	return ReadMessage(scan->plan, values[at - 1], nulls[at - 1], values[arrival - 1], nulls[arrival - 1], message);
}

static bool
NextByIndex(MessageScan *scan, Message *message)
{
	IndexScanDesc by_index = scan->by_index;

	while (index_getnext_tid(by_index, scan->plan->direction) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (scan->plan->covers ? ReadIndexRow(scan, message) :
			index_fetch_heap(by_index, scan->slot) && ReadSlot(scan, message))
			return true;
	}
	return false;
}

/* Is the row in the slot one of the key? */
static bool
IsOfKey(MessageScan *scan)
{
	for (int i = 0; i < scan->plan->nkeys; i++)
	{
		ScanKey		key = (ScanKey) & scan->plan->scankey[i];
		bool		isnull;
		Datum		value = slot_getattr(scan->slot, key->sk_attno, &isnull);

		if (isnull || !DatumGetBool(FunctionCall2Coll(&key->sk_func, key->sk_collation, value, key->sk_argument)))
			return false;
	}
	return true;
}

static bool
NextOfAll(MessageScan *scan, Message *message)
{
	while (table_scan_getnextslot(scan->whole, ForwardScanDirection, scan->slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (IsOfKey(scan) && ReadSlot(scan, message))
			return true;
	}
	return false;
}

/*
 * The next row of the key that has a time; false: there is none.  It is a
 * message only if MessageScanSees() it, which may cost much more.
 */
bool
MessageScanNext(MessageScan *scan, Message *message)
{
	return scan->whole ? NextOfAll(scan, message) : NextByIndex(scan, message);
}

/*
 * Is the row at hand there for the active snapshot?  Where only the index was
 * read, as nodeIndexonlyscan.c asks.
 */
bool
MessageScanSees(MessageScan *scan)
{
	BlockNumber block;

	if (!scan->plan->covers)
		return true;
	block = ItemPointerGetBlockNumber(&scan->by_index->xs_heaptid);
	if (VM_ALL_VISIBLE(scan->rel, block, &scan->visible))
	{
		PredicateLockPage(scan->rel, block, GetActiveSnapshot());
		return true;
	}
	if (!index_fetch_heap(scan->by_index, scan->slot))
		return false;
	ExecClearTuple(scan->slot);
	return true;
}
