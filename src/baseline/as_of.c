/*
 * as_of.c
 *		The lookup of a baseline's row as of a moment, as a function.
 *
 * PostgreSQL runs neither a LATERAL subquery nor a correlated one in a parallel
 * worker, but any parallel safe function.  as_of() finds the same row as the
 * SQL that baseline_probe() writes by default: the last one of its key before
 * the day of the moment, or of shorter tiles the last that was over then.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "as_of.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "distributed.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "relation_news.h"
#include "tile.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/*
 * An index scan reads all rows of the key that are on the leaf page it comes
 * to, so it is first asked for the days just before, or of shorter tiles for
 * those of a day.  Most messages come from who wrote lately.
 */
#define NEAR_DAYS	16

/* Arguments before the key */
#define FIRST_KEY	2

typedef struct Remembered
{
	char	   *key;			/* bytes of the bound and the key, or NULL:
								 * unused */
	int			len;			/* of them */
	Datum		row;
	bool		found;			/* there is one */
} Remembered;

/*
 * What a call site needs, found at its first call
 */
typedef struct AsOf
{
	bool		valid;
	uint64		generation;		/* of the relation cache, when this was made */
	TransactionId changed;		/* who made the baseline as it is */
	Oid			user;			/* who may read the baseline */
	Oid			relation;
	Oid			index;
	ScanDirection direction;
	bool		by_day;			/* a row is of a day; else until a moment */
	int			nkeys;			/* columns of the key, without the day */
	ScanKeyData scankey[INDEX_MAX_KEYS + 1];	/* key, then two for the day */
	KeyArguments key;
	Seen		seen;
	bool		again;			/* a call before saw the same */
	MemoryContext memory;		/* of what is remembered, or NULL */
	Remembered *remembered;
} AsOf;

#define UPPER_BOUND(asof)	(&(asof)->scankey[(asof)->nkeys])
#define LOWER_BOUND(asof)	(&(asof)->scankey[(asof)->nkeys + 1])

static uint64 generation = 0;

static void
RelationChanged(Datum arg, Oid relid)
{
	generation++;
}

/* Grows with each change of any relation that this backend is told of */
uint64
AsOfGeneration(void)
{
	WantRelationNews(RelationChanged);
	return generation;
}

/*
 * Is this the index that create_baseline() makes: unique, on the key and the
 * day or the end of the tile, which are a baseline's first columns?
 */
static bool
IsBaselineIndex(Relation index, int nkeys)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisvalid || !form->indisunique || index->rd_rel->relam != BTREE_AM_OID ||
		form->indnkeyatts != nkeys + 1 ||
		(index->rd_opcintype[nkeys] != DATEOID && index->rd_opcintype[nkeys] != TIMESTAMPTZOID) ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i <= nkeys; i++)
		if (form->indkey.values[i] != i + 1)
			return false;
	return true;
}

/*
 * Or was it made while rows changed that our snapshot may still see as they
 * were?
 */
bool
IndexIsUsable(Relation index)
{
	return !index->rd_index->indcheckxmin ||
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), TransactionXmin);
}

Relation
OpenBaselineIndex(Relation rel, int nkeys)
{
	List	   *indexes = RelationGetIndexList(rel);
	const char *too_new = NULL;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (IsBaselineIndex(index, nkeys))
		{
			if (IndexIsUsable(index))
				return index;
			too_new = pstrdup(RelationGetRelationName(index));
		}
		index_close(index, AccessShareLock);
	}
	if (too_new != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" can't be used by this transaction yet", too_new),
				 errdetail("Rows that this transaction may still see as they were changed before it was built."),
				 errhint("Try again in a new transaction, when those that ran while it was built have ended.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" has no unique index on its first %d columns as key and day",
					RelationGetRelationName(rel), nkeys + 1),
			 errhint("Give the baseline's row type, the time, and a value for each column of its key: assay.as_of(NULL::sender, m.received_at, m.from_addr).")));
}

/*
 * The function that compares a column with a value of a type, which becomes
 * the type that it takes.
 */
RegProcedure
ComparingFunction(Form_pg_attribute attr, Oid opfamily, Oid opcintype, StrategyNumber strategy, Oid *type)
{
	Oid			operator = get_opfamily_member(opfamily, opcintype, *type, strategy);

	/*
	 * the column's own type, where the operators are polymorphic; varchar as
	 * text
	 */
	if (!OidIsValid(operator) &&
		(*type == getBaseType(attr->atttypid) ||
		 (get_typtype(opcintype) != TYPTYPE_PSEUDO && IsBinaryCoercible(*type, opcintype))))
	{
		*type = opcintype;
		operator = get_opfamily_member(opfamily, opcintype, *type, strategy);
	}
	if (!OidIsValid(operator))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("key column \"%s\" is of type %s, not %s", NameStr(attr->attname),
						format_type_be(attr->atttypid), format_type_be(*type)),
				 errhint("The key's values come in the order of the baseline's key, cast to its types.")));
	return get_opcode(operator);
}

/*
 * Column `column` of the index, compared with a value of a type.
 */
void
InitScanKey(ScanKey key, Relation rel, Relation index, int column, StrategyNumber strategy, Oid type)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), index->rd_index->indkey.values[column] - 1);
	RegProcedure function = ComparingFunction(attr, index->rd_opfamily[column], index->rd_opcintype[column], strategy, &type);

	ScanKeyEntryInitialize(key, 0, column + 1, strategy, type, index->rd_indcollation[column], function, (Datum) 0);
}

/* Note how values of the key's types are stored. */
void
KeyArgumentsInit(KeyArguments *args, FunctionCallInfo fcinfo, int first)
{
	if (get_fn_expr_variadic(fcinfo->flinfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the key cannot be a VARIADIC array"),
				 errhint("Give its columns one by one.")));
	if (PG_NARGS() - first > INDEX_MAX_KEYS - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a key has at most %d columns", INDEX_MAX_KEYS - 1)));
	args->first = first;
	args->n = PG_NARGS() - first;
	for (int i = 0; i < args->n; i++)
		get_typlenbyval(get_fn_expr_argtype(fcinfo->flinfo, first + i), &args->typlen[i], &args->typbyval[i]);
}

/*
 * Find the relation of the first argument's row type.
 */
Oid
BaselineOfArgument(FunctionCallInfo fcinfo)
{
	Oid			rowtype = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Oid			relid = OidIsValid(rowtype) ? get_typ_typrelid(rowtype) : InvalidOid;

	if (!OidIsValid(relid) ||
		(get_rel_relkind(relid) != RELKIND_MATVIEW && get_rel_relkind(relid) != RELKIND_RELATION))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the first argument must be of a baseline's row type"),
				 errhint("For a baseline called sender: NULL::sender. One that is partitioned is probed by the SQL that assay.baseline_probe() gives.")));
	return relid;
}

/*
 * An error unless the user may read all rows of a baseline, and they are in it.
 */
void
MayReadBaseline(Relation rel, const char *function)
{
	Oid			relid = RelationGetRelid(rel);
	AclResult	acl = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, get_relkind_objtype(rel->rd_rel->relkind), RelationGetRelationName(rel));
	if (check_enable_rls(relid, InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s() cannot read \"%s\", which has row-level security", function, RelationGetRelationName(rel)),
				 errhint("Use the SQL that assay.baseline_probe() gives.")));
	/* Its own rows only would be found. */
	if (rel->rd_rel->relhassubclass && find_inheritance_children(relid, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s() cannot read \"%s\", which has child tables", function, RelationGetRelationName(rel)),
				 errhint("Use the SQL that assay.baseline_probe() gives.")));
	if (IsDistributed(relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s() cannot read \"%s\", whose rows are in shards", function, RelationGetRelationName(rel)),
				 errhint("Use the SQL that assay.baseline_probe() gives.")));
}

/* The last transaction that has changed what the catalogue has of a locked table */
TransactionId
ChangedBy(Relation rel)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(rel)));
	TransactionId changed;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", RelationGetRelid(rel));
	changed = HeapTupleHeaderGetXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	return changed;
}

/* Has a table other storage than the active snapshot sees in the catalogue? */
static bool
IsRewritten(Relation rel)
{
	Relation	pg_class = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		same;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(rel)));
	scan = systable_beginscan(pg_class, ClassOidIndexId, true, GetActiveSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	same = HeapTupleIsValid(tuple) && ((Form_pg_class) GETSTRUCT(tuple))->relfilenode == rel->rd_rel->relfilenode;
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return !same;
}

/*
 * Who has rewritten a table (ALTER TABLE ... SET LOGGED, say) has left it empty for
 * snapshots from before.  A query takes its own behind the locks of its tables, but
 * a function's table is locked later: then the rows are read as they are now, by a
 * snapshot that is pushed.  Other changes, a GRANT, say, leave them as they were.
 */
bool
PushIfRewritten(Relation rel, TransactionId changed)
{
	Snapshot	snapshot = GetActiveSnapshot();

	if (!IsMVCCSnapshot(snapshot) || !XidInMVCCSnapshot(changed, snapshot) ||
		TransactionIdIsCurrentTransactionId(changed) || !IsRewritten(rel))
		return false;
	PushActiveSnapshot(GetCatalogSnapshot(RelationGetRelid(rel)));
	return true;
}

static void
Prepare(FunctionCallInfo fcinfo, AsOf *asof)
{
	Oid			relid = BaselineOfArgument(fcinfo);
	Relation	rel;
	Relation	index;
	MemoryContext old;

	KeyArgumentsInit(&asof->key, fcinfo, FIRST_KEY);
	WantRelationNews(RelationChanged);

	rel = table_open(relid, AccessShareLock);
	/* read behind the lock, since invalidation messages come with it */
	asof->generation = generation;
	asof->changed = ChangedBy(rel);
	MayReadBaseline(rel, "as_of");

	asof->nkeys = asof->key.n;
	index = OpenBaselineIndex(rel, asof->nkeys);
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	for (int i = 0; i < asof->nkeys; i++)
		InitScanKey(&asof->scankey[i], rel, index, i, BTEqualStrategyNumber,
					getBaseType(get_fn_expr_argtype(fcinfo->flinfo, FIRST_KEY + i)));
	asof->by_day = index->rd_opcintype[asof->nkeys] == DATEOID;
	InitScanKey(UPPER_BOUND(asof), rel, index, asof->nkeys, asof->by_day ? BTLessStrategyNumber : BTLessEqualStrategyNumber,
				asof->by_day ? DATEOID : TIMESTAMPTZOID);
	InitScanKey(LOWER_BOUND(asof), rel, index, asof->nkeys, BTGreaterEqualStrategyNumber, asof->by_day ? DATEOID : TIMESTAMPTZOID);
	MemoryContextSwitchTo(old);
	asof->direction = (index->rd_indoption[asof->nkeys] & INDOPTION_DESC) ? ForwardScanDirection : BackwardScanDirection;
	asof->user = GetUserId();
	asof->relation = relid;
	asof->index = RelationGetRelid(index);
	asof->valid = true;

	index_close(index, NoLock);
	table_close(rel, NoLock);
}

/* Is what was seen what the active snapshot sees?  Else it is noted. */
bool
SeenIsCurrent(Seen *seen)
{
	Snapshot	snapshot = GetActiveSnapshot();
	SubTransactionId subxact = GetCurrentSubTransactionId();

	if (seen->subxact == subxact && SnapshotIsMarked(&seen->snapshot, snapshot))
		return true;
	MarkSnapshot(&seen->snapshot, snapshot);
	seen->subxact = subxact;
	return false;
}

/*
 * Forget what another snapshot saw.  Returns whether it is worth remembering
 * something.
 */
static bool
MayRemember(FunctionCallInfo fcinfo, AsOf *asof)
{
	if (!SeenIsCurrent(&asof->seen) || !asof->again)
	{
		asof->again = true;
		asof->remembered = NULL;
		if (asof->memory)
			MemoryContextReset(asof->memory);
		return false;
	}
	if (asof->memory == NULL)
		asof->memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "pg_assay as_of",
											 ALLOCSET_DEFAULT_SIZES);
	if (asof->remembered == NULL)
		asof->remembered = MemoryContextAllocZero(asof->memory, REMEMBERED * sizeof(Remembered));
	return true;
}

static bool
AddKeyBytes(char *key, int *len, const void *bytes, int n)
{
	if (*len + n + (int) sizeof(n) > KEY_BYTES_MAX)
		return false;
	memcpy(key + *len, &n, sizeof(n));
	memcpy(key + *len + sizeof(n), bytes, n);
	*len += sizeof(n) + n;
	return true;
}

/* The bytes of bound and key; 0: they are too many */
int
KeyBytes(FunctionCallInfo fcinfo, const KeyArguments *args, Datum upper, char *key)
{
	int			len = 0;
	bool		fits = AddKeyBytes(key, &len, &upper, sizeof(upper));

	for (int i = 0; fits && i < args->n; i++)
	{
		Datum		value = PG_GETARG_DATUM(args->first + i);

		if (args->typbyval[i])
			fits = AddKeyBytes(key, &len, &value, sizeof(value));
		else if (args->typlen[i] > 0)
			fits = AddKeyBytes(key, &len, DatumGetPointer(value), args->typlen[i]);
		else if (args->typlen[i] == -1 && !(VARATT_IS_EXTERNAL(DatumGetPointer(value)) || VARATT_IS_COMPRESSED(DatumGetPointer(value))))
			fits = AddKeyBytes(key, &len, VARDATA_ANY(DatumGetPointer(value)), VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
		else
			fits = false;
	}
	return fits ? len : 0;
}

/* Where the row of a key is, or is to be put */
static Remembered *
Place(AsOf *asof, const char *key, int len)
{
	return &asof->remembered[hash_bytes((const unsigned char *) key, len) & (REMEMBERED - 1)];
}

static void
Remember(AsOf *asof, Remembered *place, const char *key, int len, bool found, Datum row)
{
	MemoryContext old;

	if (found && VARSIZE(DatumGetPointer(row)) > ROW_BYTES_MAX)
		return;
	if (place->key)
		pfree(place->key);
	if (place->key && place->found)
		pfree(DatumGetPointer(place->row));
	place->key = NULL;
	old = MemoryContextSwitchTo(asof->memory);
	place->found = found;
	if (found)
		place->row = datumCopy(row, false, -1);
	place->key = memcpy(palloc(len), key, len);
	place->len = len;
	MemoryContextSwitchTo(old);
}

/* What the tile of a row is compared with, and where there is none before */
static Datum
UpperBound(AsOf *asof, TimestampTz at)
{
	return asof->by_day ? DateADTGetDatum(TileDay(at)) : TimestampTzGetDatum(at);
}

static Datum
NoLowerBound(AsOf *asof)
{
	return asof->by_day ? DateADTGetDatum(DATEVAL_NOBEGIN) : TimestampTzGetDatum(DT_NOBEGIN);
}

/* Not long before */
static Datum
NearBound(AsOf *asof, TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		return NoLowerBound(asof);
	return asof->by_day ? DateADTGetDatum(TileDay(at) - NEAR_DAYS) : TimestampTzGetDatum(at - USECS_PER_DAY);
}

/*
 * The last row before the upper bound and not before the lower, as a datum
 */
static bool
FindRow(AsOf *asof, IndexScanDesc scan, TupleTableSlot *slot, Datum lower, Datum *row)
{
	LOWER_BOUND(asof)->sk_argument = lower;
	index_rescan(scan, asof->scankey, asof->nkeys + 2, NULL, 0);
	if (!index_getnext_slot(scan, asof->direction, slot))
		return false;
	*row = ExecFetchSlotHeapTupleDatum(slot);
	return true;
}

/* The last row of the key at hand whose tile was over, as a datum; false: there is none */
static bool
ScanFor(AsOf *asof, Relation rel, TimestampTz at, Datum upper, Datum *row)
{
	Relation	index;
	TupleTableSlot *slot;
	IndexScanDesc scan;
	bool		pushed;
	bool		found;

	UPPER_BOUND(asof)->sk_argument = upper;
	index = index_open(asof->index, AccessShareLock);
	slot = table_slot_create(rel, NULL);
	pushed = PushIfRewritten(rel, asof->changed);
#if PG_VERSION_NUM >= 180000
	scan = index_beginscan(rel, index, GetActiveSnapshot(), NULL, asof->nkeys + 2, 0);
#else
	scan = index_beginscan(rel, index, GetActiveSnapshot(), asof->nkeys + 2, 0);
#endif
	found = FindRow(asof, scan, slot, NearBound(asof, at), row) ||
		FindRow(asof, scan, slot, NoLowerBound(asof), row);
	index_endscan(scan);
	if (pushed)
		PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/*
 * as_of(baseline, at, key ...): the baseline's last row of the key whose tile
 * was over at a moment, or NULL
 */
PG_FUNCTION_INFO_V1(as_of);
Datum
as_of(PG_FUNCTION_ARGS)
{
	AsOf	   *asof = (AsOf *) fcinfo->flinfo->fn_extra;
	Relation	rel;
	TimestampTz at;
	Datum		upper;
	bool		found;
	Datum		row = (Datum) 0;
	char		key[KEY_BYTES_MAX];
	int			len = 0;
	Remembered *place = NULL;

	if (asof == NULL)
		fcinfo->flinfo->fn_extra = asof = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(AsOf));
	if (!asof->valid)
		Prepare(fcinfo, asof);

	/* Locks stay to the end of the transaction, as a query's own do. */
	rel = table_open(asof->relation, AccessShareLock);
	if (asof->generation != generation || asof->user != GetUserId())
	{
		asof->valid = false;
		asof->again = false;
		Prepare(fcinfo, asof);
	}
	if (!RelationIsPopulated(rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("materialized view \"%s\" has not been populated", RelationGetRelationName(rel)),
				 errhint("Use the REFRESH MATERIALIZED VIEW command.")));

	found = !PG_ARGISNULL(1);
	for (int i = 0; i < asof->nkeys; i++)
	{
		found &= !PG_ARGISNULL(FIRST_KEY + i);
		asof->scankey[i].sk_argument = PG_GETARG_DATUM(FIRST_KEY + i);
		/* The scan has a copy, and what a function keeps there goes with it. */
		asof->scankey[i].sk_func.fn_mcxt = CurrentMemoryContext;
	}
	if (!found)
	{
		table_close(rel, NoLock);
		PG_RETURN_NULL();
	}

	at = PG_GETARG_TIMESTAMPTZ(1);
	upper = UpperBound(asof, at);
	if (MayRemember(fcinfo, asof) && (len = KeyBytes(fcinfo, &asof->key, upper, key)) > 0)
	{
		place = Place(asof, key, len);
		if (place->key && place->len == len && memcmp(place->key, key, len) == 0)
		{
			table_close(rel, NoLock);
			if (!place->found)
				PG_RETURN_NULL();
			PG_RETURN_DATUM(datumCopy(place->row, false, -1));
		}
	}
	found = ScanFor(asof, rel, at, upper, &row);
	table_close(rel, NoLock);
	if (place)
		Remember(asof, place, key, len, found, row);
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(row);
}
