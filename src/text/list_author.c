/*
 * list_author.c
 *		Changing a list through the view assay.list: its triggers.
 *
 * The row trigger turns INSERT, UPDATE and DELETE into rows of
 * assay.list_entry, of which none is overwritten: what goes is closed.  The
 * statement trigger merges what has gathered into a new base when it is much,
 * so that no reader has to.  All of it happens under the lock of the set's
 * row, which named_set.c takes: authors of one set wait for each other.
 *
 * The user needs rights on the view and, asked by named_set.c, on the set; the
 * tables are written as their owner.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "encoding.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lists.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "named_set.h"
#include "refuse_null.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* An author looks whether there is much to merge after so many changes of a
 * transaction, or in every so many-th state. */
#define SETTLE_CHANGES		256
#define SETTLE_STATES		64

/* Columns of the view, as far as they are read here */
#define VIEW_SET		1
#define VIEW_VALUE		2
#define VIEW_KIND		3
#define VIEW_TENANT		4
#define VIEW_EXPIRES_AT	5
#define VIEW_NOTE		6

/* A row of the view */
typedef struct ViewRow
{
	Datum		set;
	Datum		value;
	Datum		kind;
	Datum		tenant;			/* never null: '' for none */
	Datum		expires_at;
	bool		no_expires_at;
	Datum		note;
	bool		no_note;
	Datum		key;			/* bytea */
} ViewRow;

/* ---- statements --------------------------------------------------------------- */

typedef struct ListStatement
{
	const char *sql;
	int			nargs;
	Oid			types[12];
	SPIPlanPtr	plan;
} ListStatement;

static ListStatement add_entry = {
	"INSERT INTO assay.list_entry (set, kind, tenant, key, value, added_state, added_at, expires_at, author, note) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	10, {TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}, NULL
};

/* By place: which index a plan would take is not left to statistics. */
static ListStatement close_entry = {
	"UPDATE assay.list_entry e SET removed_state = $2, removed_at = $3, removed_by = $4 "
	"WHERE e.ctid OPERATOR(pg_catalog.=) $1",
	4, {TIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID}, NULL
};

static ListStatement delete_entry = {
	"DELETE FROM assay.list_entry e WHERE e.ctid OPERATOR(pg_catalog.=) $1",
	1, {TIDOID}, NULL
};

/* Not ON CONFLICT DO UPDATE: as in phrase_compile() */
static ListStatement drop_base = {
	"DELETE FROM assay.list_base b WHERE b.set OPERATOR(pg_catalog.=) $1",
	1, {TEXTOID}, NULL
};

static ListStatement keep_base = {
	"INSERT INTO assay.list_base (set, state, built_at, base) VALUES ($1, $2, $3, $4)",
	4, {TEXTOID, INT8OID, TIMESTAMPTZOID, BYTEAOID}, NULL
};

/* Run a statement, planned once in a backend; returns the number of rows. */
static uint64
Run(ListStatement *statement, Datum *values, const char *nulls)
{
	int			result;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->nargs, statement->types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare a change of a list");
		statement->plan = plan;
	}
	result = SPI_execute_plan(statement->plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not change a list: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* ---- rows ---------------------------------------------------------------------- */

static Datum
Field(HeapTuple row, TupleDesc desc, int attnum, const char *what)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, desc, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("an entry of a list needs a %s", what)));
	return value;
}

/* The key of a row's value; error when the value is none of its kind */
static Datum
RowKey(Datum kind, Datum value)
{
	text	   *kind_text = DatumGetTextPP(kind);
	text	   *value_text = DatumGetTextPP(value);
	int			number = ListKindFromName(VARDATA_ANY(kind_text), VARSIZE_ANY_EXHDR(kind_text));
	Size		len;
	const char *utf8;
	char		key[LIST_KEY_ROOM];
	int			n;

	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind of list entry \"%s\"", TextDatumGetCString(kind)),
				 errhint("Known are exact, domain, prefix and cidr.")));
	utf8 = TextToUtf8(VARDATA_ANY(value_text), VARSIZE_ANY_EXHDR(value_text), &len);
	n = len > 4 * LIST_MAX_KEY ? -1 : ListKey(number, utf8, len, key);
	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value of kind %s: \"%.*s\"", list_kind_names[number],
						pg_mbcliplen(VARDATA_ANY(value_text), VARSIZE_ANY_EXHDR(value_text), 100),
						VARDATA_ANY(value_text)),
				 number == LIST_DOMAIN ? errhint("A domain is a host name, such as example.com.") :
				 number == LIST_CIDR ? errhint("A network is written as 192.0.2.0/24 or 2001:db8::/32.") :
				 errhint("It has 1 to %d bytes.", number == LIST_PREFIX ? LIST_MAX_PREFIX : LIST_MAX_KEY)));
	return PointerGetDatum(cstring_to_text_with_len(key, n));
}

static void
ReadRow(HeapTuple row, TupleDesc desc, ViewRow *read)
{
	bool		isnull;

	read->set = Field(row, desc, VIEW_SET, "set");
	read->value = Field(row, desc, VIEW_VALUE, "value");
	read->kind = heap_getattr(row, VIEW_KIND, desc, &isnull);
	if (isnull)
		read->kind = CStringGetTextDatum("exact");
	read->tenant = heap_getattr(row, VIEW_TENANT, desc, &isnull);
	if (isnull)
		read->tenant = CStringGetTextDatum("");
	else if (VARSIZE_ANY_EXHDR(DatumGetTextPP(read->tenant)) > LIST_MAX_TENANT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tenant of a list entry is too long"),
				 errdetail("The limit is %d bytes.", LIST_MAX_TENANT)));
	read->expires_at = heap_getattr(row, VIEW_EXPIRES_AT, desc, &read->no_expires_at);
	read->note = heap_getattr(row, VIEW_NOTE, desc, &read->no_note);
	read->key = RowKey(read->kind, read->value);
}

static OpenSet *
OpenRow(const ViewRow *row)
{
	text	   *name = DatumGetTextPP(row->set);

	return NamedSetOpen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), NAMED_SET_LIST);
}

static Datum
Author(void)
{
	return CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
}

/* The entry that stands for the row's value, or NULL; under the set's lock */
static HeapTuple
FindCurrent(const ViewRow *row, TupleDesc *desc)
{
	Relation	rel = NamedSetTable("list_entry");
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	ScanKeyData keys[4];
	SysScanDesc scan;
	HeapTuple	tuple;
	HeapTuple	found = NULL;
	bool		isnull;

	ScanKeyInit(&keys[0], Anum_entry_set, BTEqualStrategyNumber, F_TEXTEQ, row->set);
	ScanKeyInit(&keys[1], Anum_entry_kind, BTEqualStrategyNumber, F_TEXTEQ, row->kind);
	ScanKeyInit(&keys[2], Anum_entry_tenant, BTEqualStrategyNumber, F_TEXTEQ, row->tenant);
	ScanKeyInit(&keys[3], Anum_entry_key, BTEqualStrategyNumber, F_BYTEAEQ, row->key);
	for (int i = 0; i < 3; i++)
		keys[i].sk_collation = C_COLLATION_OID;
	scan = systable_beginscan(rel, NamedSetIndex("list_entry_pkey"), true, snapshot, 4, keys);
	while (found == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		(void) heap_getattr(tuple, Anum_entry_removed_state, RelationGetDescr(rel), &isnull);
		if (isnull)
			found = heap_copytuple(tuple);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	*desc = found ? CreateTupleDescCopy(RelationGetDescr(rel)) : NULL;
	table_close(rel, AccessShareLock);
	return found;
}

static bool
SameText(HeapTuple found, TupleDesc desc, int attnum, Datum value, bool null)
{
	bool		isnull;
	Datum		stored = heap_getattr(found, attnum, desc, &isnull);

	return isnull == null &&
		(null || strcmp(TextDatumGetCString(stored), TextDatumGetCString(value)) == 0);
}

/* Does the entry that stands say the same as the row? */
static bool
SaysTheSame(HeapTuple found, TupleDesc desc, const ViewRow *row)
{
	bool		isnull;
	Datum		expires_at = heap_getattr(found, Anum_entry_expires_at, desc, &isnull);

	return isnull == row->no_expires_at &&
		(isnull || DatumGetTimestampTz(expires_at) == DatumGetTimestampTz(row->expires_at)) &&
		SameText(found, desc, Anum_entry_value, row->value, false) &&
		SameText(found, desc, Anum_entry_note, row->note, row->no_note);
}

/* Close an entry; one that this very state brought has never been seen, and goes. */
static void
EndEntry(HeapTuple found, TupleDesc desc, OpenSet *set, Datum author)
{
	bool		isnull;
	int64		added = DatumGetInt64(heap_getattr(found, Anum_entry_added_state, desc, &isnull));
	Datum		values[4] = {PointerGetDatum(&found->t_self), Int64GetDatum(set->state),
	TimestampTzGetDatum(set->at), author};

	if (Run(added == set->state ? &delete_entry : &close_entry, values, NULL) != 1)
		elog(ERROR, "an entry of list \"%s\" was changed by another way", set->name);
	set->changes++;
	set->unsettled++;
}

static void
AddEntry(const ViewRow *row, OpenSet *set, Datum author)
{
	Datum		values[10] = {row->set, row->kind, row->tenant, row->key, row->value,
	Int64GetDatum(set->state), TimestampTzGetDatum(set->at), row->expires_at, author, row->note};
	char		nulls[10] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};

	if (row->no_expires_at)
		nulls[7] = 'n';
	if (row->no_note)
		nulls[9] = 'n';
	(void) Run(&add_entry, values, nulls);
	set->changes++;
	set->unsettled++;
}

/* A value comes, or comes in other words. */
static void
PutRow(const ViewRow *row)
{
	OpenSet    *set = OpenRow(row);
	NamedSetSecurity security;
	Datum		author = Author();
	TupleDesc	desc;
	HeapTuple	found;

	NamedSetEnter(&security);
	found = FindCurrent(row, &desc);
	if (found == NULL)
		AddEntry(row, set, author);
	else if (!SaysTheSame(found, desc, row))
	{
		EndEntry(found, desc, set, author);
		AddEntry(row, set, author);
	}
	NamedSetLeave(&security);
}

/* A value goes; false when it has gone. */
static bool
RemoveRow(const ViewRow *row)
{
	OpenSet    *set = OpenRow(row);
	NamedSetSecurity security;
	Datum		author = Author();
	TupleDesc	desc;
	HeapTuple	found;

	NamedSetEnter(&security);
	found = FindCurrent(row, &desc);
	if (found != NULL)
		EndEntry(found, desc, set, author);
	NamedSetLeave(&security);
	return found != NULL;
}

static bool
SameEntry(const ViewRow *a, const ViewRow *b)
{
	return strcmp(TextDatumGetCString(a->set), TextDatumGetCString(b->set)) == 0 &&
		strcmp(TextDatumGetCString(a->kind), TextDatumGetCString(b->kind)) == 0 &&
		strcmp(TextDatumGetCString(a->tenant), TextDatumGetCString(b->tenant)) == 0 &&
		VARSIZE_ANY_EXHDR(a->key) == VARSIZE_ANY_EXHDR(b->key) &&
		memcmp(VARDATA_ANY(a->key), VARDATA_ANY(b->key), VARSIZE_ANY_EXHDR(a->key)) == 0;
}

/* list_write(): INSTEAD OF INSERT OR UPDATE OR DELETE on assay.list, for each row */
PG_FUNCTION_INFO_V1(list_write);
Datum
list_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	ViewRow		old;
	ViewRow		new;
	HeapTuple	result;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("list_write must be called as a row trigger instead of a change of assay.list")));
	desc = RelationGetDescr(trigger->tg_relation);
	result = trigger->tg_trigtuple;
	SPI_connect();
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		ReadRow(trigger->tg_trigtuple, desc, &new);
		PutRow(&new);
	}
	else if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
	{
		ReadRow(trigger->tg_trigtuple, desc, &old);
		if (!RemoveRow(&old))
			result = NULL;
	}
	else
	{
		ReadRow(trigger->tg_trigtuple, desc, &old);
		ReadRow(trigger->tg_newtuple, desc, &new);
		result = trigger->tg_newtuple;
		if (SameEntry(&old, &new))
			PutRow(&new);
		else if (RemoveRow(&old))
			PutRow(&new);
		else
			result = NULL;
	}
	SPI_finish();
	return PointerGetDatum(result);
}

/* ---- merging ------------------------------------------------------------------- */

static void
KeepBase(OpenSet *set, ListBase *base)
{
	Datum		values[4] = {CStringGetTextDatum(set->name), Int64GetDatum(set->state),
	TimestampTzGetDatum(GetCurrentTimestamp()), PointerGetDatum(base)};
	NamedSetSecurity security;

	NamedSetEnter(&security);
	SPI_connect();
	(void) Run(&drop_base, values, NULL);
	(void) Run(&keep_base, values, NULL);
	SPI_finish();
	NamedSetLeave(&security);
	NamedSetStored(set);
}

/*
 * Merge what has gathered since the base into a new one, if it is much or if
 * there is to be one in any case.  The active snapshot sees the changes.
 */
static void
Merge(OpenSet *set, bool always)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "pg_assay list merge",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	ListDelta	delta = {0};
	ListShape	shape = {0};
	int64		base_state;
	uint64		seed[2];
	TimestampTz now = GetCurrentStatementStartTimestamp();
	ListBaseRow row;
	ListBase   *base = ListFetchBase(set->name, GetActiveSnapshot(),
									 AllocSetContextCreate(cxt, "pg_assay list base", ALLOCSET_SMALL_SIZES),
									 NULL, &row, &base_state);

	if (base != NULL)
	{
		memcpy(seed, base->seed, sizeof(seed));
		shape = base->shape;
	}
	else
		ListSeed(seed);
	ListFetchChanges(set->name, GetActiveSnapshot(), base_state, seed, &delta, &shape);
	if (always || delta.count > LIST_DELTA_MAX(base ? base->count : 0))
	{
		if (!always && base != NULL && ListBaseFits(base, delta.count))
			base = ListBaseMerge(base, &delta, &shape, now);
		else
			base = ListBuild(set->name, GetActiveSnapshot(), now);
		KeepBase(set, base);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
}

/* list_settle(): AFTER a statement on assay.list: merge where it is time to */
PG_FUNCTION_INFO_V1(list_settle);
Datum
list_settle(PG_FUNCTION_ARGS)
{
	OpenSet    *set;
	int			i = 0;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("list_settle must be called as a trigger")));
	while ((set = NamedSetNextOpen(&i)) != NULL)
	{
		bool		due = set->unsettled >= SETTLE_CHANGES ||
		(set->fresh && set->state % SETTLE_STATES == 0);

		if (set->content == NULL || strcmp(set->content, NAMED_SET_LIST) != 0 || set->changes == 0)
			continue;
		set->fresh = false;
		if (!due)
			continue;
		NamedSetSettled(set);
		CommandCounterIncrement();
		PushActiveSnapshot(GetTransactionSnapshot());
		Merge(set, false);
		PopActiveSnapshot();
	}
	return PointerGetDatum(NULL);
}

/* rebuild_list(set): a base out of all rows, whatever there is */
PG_FUNCTION_INFO_V1(rebuild_list);
Datum
rebuild_list(PG_FUNCTION_ARGS)
{
	text	   *name;
	OpenSet    *set;

	RefuseNull(fcinfo, 0, "set");
	name = PG_GETARG_TEXT_PP(0);
	set = NamedSetOpen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), NAMED_SET_LIST);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	Merge(set, true);
	PopActiveSnapshot();
	PG_RETURN_VOID();
}
