/*
 * text_model_use.c
 *		A registered text model as a detector uses it.
 *
 * Which version a message is judged by follows from its time alone: the last
 * one of an earlier day (UTC).  Its row is looked for by the index of the
 * version table, once a statement and day; what is in it is made ready once.
 * The latest versions lie there published; older ones are put together by
 * text_model_known(), which takes a while, and kept for the days that a
 * statement goes through.
 *
 * The table is its owner's, who may have made anything of it: it is read here
 * as long as it is as create_text_model() made it, so that nothing of that
 * role's runs, and by text_model_known() as its owner otherwise.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "owner.h"
#include "snapshot_mark.h"
#include "text_model_use.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Columns of assay.text_model_registry */
#define Anum_registry_name		1
#define Anum_registry_relation	2

/*
 * Versions that a statement keeps at hand: all that learn() makes of a history,
 * since messages may come in any order of time; no more than some, where they
 * are large.
 */
#define USE_VERSIONS		128
#define USE_VERSIONS_MIN	16
#define USE_BYTES_MAX		(64 * 1024 * 1024)

/* Changes of a day that a state tells */
#define STATE_CHANGES	INT64CONST(100000000)

/* The row of a version */
typedef struct VersionRow
{
	bool		found;
	ItemPointerData tid;
	TransactionId xid;
	int64		state;
} VersionRow;

/* The model for the messages of a day, and of others with the same version */
typedef struct UsedDay
{
	bool		used;
	int64		day;			/* for which it was last asked */
	SnapshotMark seen;			/* the snapshot for which it is right */
	VersionRow	row;
	CachedTextModel *held;		/* pinned; NULL: there was none yet */
	Size		bytes;			/* of it */
	uint64		last_used;
} UsedDay;

struct TextModelUse
{
	Oid			relation;
	MemoryContext context;
	UsedDay		days[USE_VERSIONS];
	int			nused;
	Size		bytes;			/* of all of them */
	UsedDay    *last;			/* by which the last margin was made */
	uint64		clock;
	TextScratch *explain;		/* once it was asked for */
	MemoryContext names;		/* of the top tokens, made with it */
	TextTop    *top;			/* of the last margin, where it was asked for */
	int			ntop;			/* -1: it was not */
	UsedDay		peeked;			/* a version that was looked at only */
	MemoryContextCallback release;
};

/* ---- the registry ---------------------------------------------------------------- */

static Oid
InAssay(const char *relation)
{
	Oid			schema = get_namespace_oid("assay", true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid(relation, schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"assay.%s\" does not exist", relation),
				 errhint("Run ALTER EXTENSION pg_assay UPDATE.")));
	return relid;
}

/* The version table of a text model, or 0 */
Oid
TextModelFind(const char *model_name)
{
	Relation	rel = table_open(InAssay("text_model_registry"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			found = InvalidOid;

	ScanKeyInit(&key, Anum_registry_name, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(model_name));
	key.sk_collation = DEFAULT_COLLATION_OID;
	scan = systable_beginscan(rel, InAssay("text_model_registry_pkey"), true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		found = DatumGetObjectId(heap_getattr(tuple, Anum_registry_relation, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

Oid
TextModelRelation(const char *model_name)
{
	Oid			relation = TextModelFind(model_name);

	if (!OidIsValid(relation) || get_rel_name(relation) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text model \"%s\" does not exist", model_name),
				 errhint("assay.create_text_model() makes one.")));
	ReadAllRowsCheck(relation);
	return relation;
}

/* ---- versions --------------------------------------------------------------------- */

/* Number and type of a column, or 0 when there is none of that type */
static AttrNumber
ColumnOf(TupleDesc desc, const char *column, Oid type)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && att->atttypid == type && namestrcmp(&att->attname, column) == 0)
			return i + 1;
	}
	return InvalidAttrNumber;
}

/* The columns of a version table that are read, and the index by day */
typedef struct VersionTable
{
	AttrNumber	day;
	AttrNumber	published;
	AttrNumber	changes;
	Oid			index;
} VersionTable;

/* Is it as create_text_model() made it? */
static bool
DescribeTable(Relation rel, VersionTable *t)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("text_model"),
									   ObjectIdGetDatum(get_namespace_oid("assay", false)));
	Relation	index;
	bool		plain;

	if (rel->rd_rel->relkind != RELKIND_RELATION)
		return false;
	list_free(RelationGetIndexList(rel));
	t->index = rel->rd_pkindex;
	t->day = ColumnOf(desc, "day", DATEOID);
	t->published = ColumnOf(desc, "published", type);
	t->changes = ColumnOf(desc, "changes", INT8OID);
	if (!OidIsValid(t->index) || t->day == 0 || t->published == 0 || t->changes == 0)
		return false;
	index = index_open(t->index, AccessShareLock);
	plain = index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisvalid &&
		IndexRelationGetNumberOfKeyAttributes(index) == 1 &&
		index->rd_index->indkey.values[0] == t->day &&
		index->rd_opfamily[0] < FirstUnpinnedObjectId;
	index_close(index, AccessShareLock);
	return plain;
}

static int64
StateOf(DateADT day, int64 changes)
{
	int			year,
				month,
				mday;

	j2date(day + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
	return (year * INT64CONST(10000) + month * 100 + mday) * STATE_CHANGES +
		Max(Min(changes, STATE_CHANGES - 1), 0);
}

/*
 * The last version before a day, as the snapshot sees it.  *published is a copy
 * of its model as it is stored, or NULL where that is to be put together; it may be
 * left out.
 */
static void
ReadVersion(Oid relation, int64 day, Snapshot snapshot, VersionRow *row, struct varlena **published)
{
	Relation	rel = table_open(relation, AccessShareLock);
	Relation	index;
	VersionTable t;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	Datum		value;

	memset(row, 0, sizeof(VersionRow));
	if (published)
		*published = NULL;
	if (!DescribeTable(rel, &t))
	{
		/* Whether there is any version, text_model_known() tells. */
		row->found = true;
		ItemPointerSetInvalid(&row->tid);
		table_close(rel, AccessShareLock);
		return;
	}
	index = index_open(t.index, AccessShareLock);
	ScanKeyInit(&key, t.day, BTLessStrategyNumber, F_DATE_LT,
				DateADTGetDatum(day == DT_NOEND || day > DATEVAL_NOEND ? DATEVAL_NOEND :
								day == DT_NOBEGIN || day < DATEVAL_NOBEGIN ? DATEVAL_NOBEGIN : (DateADT) day));
	scan = systable_beginscan_ordered(rel, index, snapshot, 1, &key);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
	{
		row->found = true;
		row->tid = tuple->t_self;
		row->xid = HeapTupleHeaderGetRawXmin(tuple->t_data);
		row->state = StateOf(DatumGetDateADT(heap_getattr(tuple, t.day, RelationGetDescr(rel), &isnull)),
							 DatumGetInt64(heap_getattr(tuple, t.changes, RelationGetDescr(rel), &isnull)));
		value = heap_getattr(tuple, t.published, RelationGetDescr(rel), &isnull);
		if (!isnull && published)
		{
			Size		size = VARSIZE_ANY(DatumGetPointer(value));

			*published = palloc(size);
			memcpy(*published, DatumGetPointer(value), size);
		}
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
}

/* ---- the models of days --------------------------------------------------------------- */

static void
ForgetDay(TextModelUse *use, UsedDay *d)
{
	CachedTextModel *held = d->held;

	if (!d->used)
		return;
	d->used = false;
	d->held = NULL;
	use->nused--;
	use->bytes -= d->bytes;
	if (held)
		TextModelLetGo(held);
}

/* The evaluation goes. */
static void
ReleaseDays(void *arg)
{
	TextModelUse *use = arg;

	for (int i = 0; i < USE_VERSIONS; i++)
		ForgetDay(use, &use->days[i]);
}

TextModelUse *
TextModelUseBegin(Oid relation, MemoryContext context)
{
	TextModelUse *use = MemoryContextAllocZero(context, sizeof(TextModelUse));

	use->relation = relation;
	use->context = context;
	use->release.func = ReleaseDays;
	use->release.arg = use;
	MemoryContextRegisterResetCallback(context, &use->release);
	return use;
}

void
TextModelUseIdle(TextModelUse *use)
{
	for (int i = 0; i < USE_VERSIONS && use->nused > 0; i++)
		if (&use->days[i] != use->last)
			ForgetDay(use, &use->days[i]);
}

/* Is it the same row, of a table as create_text_model() made it; or is there none for either? */
static bool
SameVersion(VersionRow *a, VersionRow *b)
{
	if (!a->found || !b->found)
		return a->found == b->found;
	return a->xid == b->xid && a->state == b->state &&
		ItemPointerIsValid(&a->tid) && ItemPointerIsValid(&b->tid) && ItemPointerEquals(&a->tid, &b->tid);
}

/* The place of a day, or NULL */
static UsedDay *
PlaceOf(TextModelUse *use, int64 day)
{
	for (int i = 0; i < USE_VERSIONS; i++)
		if (use->days[i].used && use->days[i].day == day)
			return &use->days[i];
	return NULL;
}

/* The place of a version, or NULL: where labels are rare, or were learned in steps, one is that of many days. */
static UsedDay *
PlaceOfVersion(TextModelUse *use, VersionRow *row)
{
	for (int i = 0; i < USE_VERSIONS; i++)
		if (use->days[i].used && SameVersion(&use->days[i].row, row))
			return &use->days[i];
	return NULL;
}

/* A free place, with room for a model: what was least recently used goes. */
static UsedDay *
FreePlace(TextModelUse *use, Size bytes)
{
	UsedDay    *place = NULL;

	for (;;)
	{
		UsedDay    *oldest = NULL;

		for (int i = 0; i < USE_VERSIONS; i++)
		{
			UsedDay    *d = &use->days[i];

			if (!d->used)
				place = d;
			else if (oldest == NULL || d->last_used < oldest->last_used)
				oldest = d;
		}
		if (place && (use->nused < USE_VERSIONS_MIN || use->bytes + bytes <= USE_BYTES_MAX))
			return place;
		ForgetDay(use, oldest);
	}
}

/* Make a version ready, and take a place for it. */
static UsedDay *
LoadVersion(TextModelUse *use, const VersionRow *row, struct varlena *published, TimestampTz at)
{
	CachedTextModel *held = NULL;
	Size		bytes = 0;
	bool		isnull = published == NULL;
	UsedDay    *d;

	if (published == NULL && row->found)
		published = (struct varlena *) DatumGetPointer(TextModelKnown(use->relation, at, &isnull));
	if (!isnull)
	{
		bytes = toast_raw_datum_size(PointerGetDatum(published));
		held = TextModelHold(published);
	}
	d = FreePlace(use, bytes);
	d->row = *row;
	d->held = held;
	d->bytes = bytes;
	d->used = true;
	use->nused++;
	use->bytes += bytes;
	return d;
}

/* The place for a day, as the snapshot sees it; known is what had it under another snapshot, or NULL. */
static UsedDay *
FillDay(TextModelUse *use, UsedDay *known, int64 day, TimestampTz at, Snapshot snapshot)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "pg_assay text model version",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	VersionRow	row;
	struct varlena *published;
	UsedDay    *d;

	ReadAllRowsCheck(use->relation);
	ReadVersion(use->relation, day, snapshot, &row, &published);
	d = known && SameVersion(&known->row, &row) ? known : PlaceOfVersion(use, &row);
	/* Another version has the day now. */
	if (known && d != known)
		ForgetDay(use, known);
	if (d == NULL)
		d = LoadVersion(use, &row, published, at);
	d->day = day;
	MarkSnapshot(&d->seen, snapshot);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	return d;
}

/* The model for a moment's day, right for this statement */
static UsedDay *
UseDay(TextModelUse *use, TimestampTz at)
{
	int64		day = DayOfMoment(at);
	Snapshot	snapshot = GetActiveSnapshot();
	UsedDay    *d = use->last;

	use->last = NULL;
	if (d == NULL || !d->used || d->day != day)
		d = PlaceOf(use, day);
	if (d == NULL || !SnapshotIsMarked(&d->seen, snapshot))
		d = FillDay(use, d, day, at, snapshot);
	d->last_used = ++use->clock;
	use->last = d;
	return d;
}

static void
ReadParts(TextParts *parts, Datum content, Oid type)
{
	if (type == JSONBOID)
		TextPartsFromJsonb(parts, content);
	else
		TextPartsFromText(parts, DatumGetTextPP(content));
}

double
TextModelUseMargin(TextModelUse *use, TimestampTz at, Datum content, Oid type)
{
	UsedDay    *d = UseDay(use, at);
	TextScratch *scratch;

	use->ntop = -1;
	if (d->held == NULL)
		return 0;
	scratch = TextScratchShared();
	ReadParts(&scratch->parts, content, type);
	return TextModelMargin(d->held, scratch);
}

/* Room for the sources of tokens, and for the top ones */
static void
BeginExplaining(TextModelUse *use, int top)
{
	MemoryContext caller = MemoryContextSwitchTo(use->context);

	use->names = AllocSetContextCreate(use->context, "pg_assay top tokens", ALLOCSET_SMALL_SIZES);
	use->top = palloc(Max(top, 1) * sizeof(TextTop));
	use->explain = TextScratchCreate(true);
	MemoryContextSwitchTo(caller);
}

/* The margin by the last version, and the top tokens */
static double
MarginTop(TextModelUse *use, Datum content, Oid type, int top)
{
	MemoryContext caller;
	double		margin;
	int			n;

	use->ntop = -1;
	if (use->explain == NULL)
		BeginExplaining(use, top);
	ReadParts(&use->explain->parts, content, type);
	MemoryContextReset(use->names);
	caller = MemoryContextSwitchTo(use->names);
	margin = TextModelMarginTop(use->last->held, use->explain, top, use->top, &n);
	MemoryContextSwitchTo(caller);
	use->ntop = n;
	return margin;
}

double
TextModelUseMarginTop(TextModelUse *use, TimestampTz at, Datum content, Oid type, int top)
{
	if (UseDay(use, at)->held != NULL)
		return MarginTop(use, content, type, top);
	use->ntop = -1;
	return 0;
}

void
TextModelUseVersion(TextModelUse *use, TimestampTz at)
{
	(void) UseDay(use, at);
	use->ntop = -1;
}

TextTop    *
TextModelUseTop(TextModelUse *use, Datum content, Oid type, int top, int *n)
{
	*n = 0;
	if (use->last == NULL || use->last->held == NULL)
		return NULL;
	if (use->ntop < 0)
		(void) MarginTop(use, content, type, top);
	*n = use->ntop;
	return use->top;
}

int64
TextModelUseState(const TextModelUse *use)
{
	return use->last ? use->last->row.state : 0;
}

bool
TextModelUsePeek(TextModelUse *use, TimestampTz at, int64 *state)
{
	UsedDay    *d = &use->peeked;
	int64		day = DayOfMoment(at);
	Snapshot	snapshot = GetActiveSnapshot();

	if (get_rel_relkind(use->relation) == '\0' || !MayReadAllRows(use->relation))
		return false;
	if (!d->used || d->day != day || !SnapshotIsMarked(&d->seen, snapshot))
	{
		d->used = false;
		ReadVersion(use->relation, day, snapshot, &d->row, NULL);
		d->day = day;
		MarkSnapshot(&d->seen, snapshot);
		d->used = true;
	}
	*state = d->row.state;
	return true;
}
