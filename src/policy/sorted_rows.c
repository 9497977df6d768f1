/*
 * sorted_rows.c
 *		The new rows of a statement, in an order that lookups gain by.
 *
 * Most of the time of a batch goes into index descents: each message asks for
 * its sender's history, and pages that the one before it came by are of no use to
 * it.  So rows come to the signals query by chunks, in which they are sorted by
 * the column that most lookups go by (new_rows.c finds it).  A chunk takes the
 * transition table's place under its name.
 *
 * The order is one of bytes, whatever the column's collation is: nothing depends
 * on it.  What is made of the rows is put back into the order in which they came,
 * as far as the query returns them in the order in which it gets them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "compat.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "read_snapshot.h"
#include "sorted_rows.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

typedef struct SortedRow
{
	MinimalTuple tuple;
	int64		number;			/* the value, where it is passed by value */
	const char *bytes;			/* or its bytes */
	int			len;
	int			place;			/* in the chunk, as it came */
} SortedRow;

struct SortedRows
{
	TriggerData *trigdata;
	AttrNumber	column;
	bool		byval;
	int16		typlen;
	TupleTableSlot *slot;
	int			pointer;		/* where the transition table is read */
	MemoryContext context;		/* of a chunk */
	Tuplestorestate *chunk;		/* or NULL */
	SortedRow  *rows;
	int			n;
	int			room;
	int			read;			/* of the chunk, so far */
	MinimalTuple *made;			/* by the place of its row, or NULL */
};

bool
SortsBy(Form_pg_attribute att)
{
	return att->attbyval || att->attlen > 0 || att->attlen == -1;
}

SortedRows *
SortedRowsStart(TriggerData *trigdata, AttrNumber column, MemoryContext context)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	Form_pg_attribute att = TupleDescAttr(desc, column - 1);
	SortedRows *s = MemoryContextAllocZero(context, sizeof(SortedRows));

	PushReadSnapshot();
	s->trigdata = trigdata;
	s->column = column;
	s->byval = att->attbyval;
	s->typlen = att->attlen;
	s->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	s->context = AllocSetContextCreate(context, "pg_assay sorted rows", ALLOCSET_DEFAULT_SIZES);
	s->pointer = tuplestore_alloc_read_pointer(trigdata->tg_newtable, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(trigdata->tg_newtable, s->pointer);
	tuplestore_rescan(trigdata->tg_newtable);
	return s;
}

/*
 * What a row is sorted by, within its tuple.  A value that is stored compressed
 * or elsewhere is not worth fetching.
 */
static void
TakeKey(SortedRows *s, SortedRow *row, MinimalTuple tuple)
{
	bool		isnull;
	Datum		value = slot_getattr(s->slot, s->column, &isnull);
	struct varlena *v = (struct varlena *) DatumGetPointer(value);

	row->number = 0;
	row->bytes = NULL;
	row->len = 0;
	if (isnull)
		return;
	if (s->byval)
		row->number = (int64) value;
	else if (s->typlen > 0)
	{
		row->bytes = DatumGetPointer(value);
		row->len = s->typlen;
	}
	else if (!VARATT_IS_EXTERNAL(v) && !VARATT_IS_COMPRESSED(v))
	{
		row->bytes = VARDATA_ANY(v);
		row->len = VARSIZE_ANY_EXHDR(v);
	}
	/* the same place in the copy */
	if (row->bytes)
		row->bytes = (const char *) row->tuple + (row->bytes - (const char *) tuple);
}

static SortedRow *
NextRow(SortedRows *s)
{
	if (s->n == s->room)
	{
		s->room = Max(2 * s->room, 1024);
		s->rows = s->n == 0 ? palloc(s->room * sizeof(SortedRow)) :
			repalloc_huge(s->rows, s->room * sizeof(SortedRow));
	}
	return &s->rows[s->n];
}

/* Copy the next rows, of as many bytes as memory may be used for. */
static void
ReadRows(SortedRows *s)
{
	Tuplestorestate *from = s->trigdata->tg_newtable;
	Size		most = (Size) work_mem * 1024 / 2;
	Size		bytes = 0;

	s->n = s->room = 0;
	tuplestore_select_read_pointer(from, s->pointer);
	while (bytes < most && s->n < MaxAllocSize / sizeof(MinimalTuple) && tuplestore_gettupleslot(from, true, false, s->slot))
	{
		SortedRow  *row = NextRow(s);
		bool		mine;
		MinimalTuple tuple = ExecFetchSlotMinimalTuple(s->slot, &mine);

		CHECK_FOR_INTERRUPTS();
		row->tuple = memcpy(palloc(tuple->t_len), tuple, tuple->t_len);
		TakeKey(s, row, tuple);
		row->place = s->n++;
		bytes += tuple->t_len;
		if (mine)
			pfree(tuple);
	}
	ExecClearTuple(s->slot);
}

static int
CompareRows(const void *a, const void *b)
{
	const SortedRow *x = a;
	const SortedRow *y = b;
	int			c = memcmp(x->bytes ? x->bytes : "", y->bytes ? y->bytes : "", Min(x->len, y->len));

	if (c == 0)
		c = (x->len > y->len) - (x->len < y->len);
	if (c == 0)
		c = (x->number > y->number) - (x->number < y->number);
	return c != 0 ? c : (x->place > y->place) - (x->place < y->place);
}

/* Whatever is found under the transition table's name, it is nothing now. */
static void
Unregister(SortedRows *s)
{
	(void) SPI_unregister_relation(s->trigdata->tg_trigger->tgnewtable);
}

/* Let the chunk be found under it. */
static void
Register(SortedRows *s)
{
	EphemeralNamedRelation enr = palloc0(sizeof(*enr));

	enr->md.name = s->trigdata->tg_trigger->tgnewtable;
	enr->md.reliddesc = RelationGetRelid(s->trigdata->tg_relation);
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = s->n;
	enr->reldata = s->chunk;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
}

bool
SortedRowsNext(SortedRows *s)
{
	MemoryContext old;

	Unregister(s);
	if (s->chunk)
		tuplestore_end(s->chunk);
	s->chunk = NULL;
	MemoryContextReset(s->context);
	old = MemoryContextSwitchTo(s->context);
	ReadRows(s);
	if (s->n > 0)
	{
		qsort(s->rows, s->n, sizeof(SortedRow), CompareRows);
		s->chunk = tuplestore_begin_heap(false, false, work_mem);
		for (int i = 0; i < s->n; i++)
		{
			ExecStoreMinimalTuple(s->rows[i].tuple, s->slot, false);
			tuplestore_puttupleslot(s->chunk, s->slot);
		}
		ExecClearTuple(s->slot);
		s->made = palloc0(s->n * sizeof(MinimalTuple));
		s->read = 0;
		Register(s);
	}
	MemoryContextSwitchTo(old);
	return s->n > 0;
}

void
SortedRowsRead(SortedRows *s)
{
	s->read++;
}

void
SortedRowsMade(SortedRows *s, TupleDesc desc, Datum *values, bool *nulls)
{
	MemoryContext old = MemoryContextSwitchTo(s->context);

	if (s->read < 1 || s->read > s->n)
		elog(ERROR, "the signals query returned more rows than it was given");
#if PG_VERSION_NUM >= 180000
	s->made[s->rows[s->read - 1].place] = heap_form_minimal_tuple(desc, values, nulls, 0);
#else
	s->made[s->rows[s->read - 1].place] = heap_form_minimal_tuple(desc, values, nulls);
#endif
	MemoryContextSwitchTo(old);
}

void
SortedRowsTake(SortedRows *s, TupleDesc desc, Tuplestorestate * store)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);

	for (int i = 0; i < s->n; i++)
		if (s->made[i])
		{
			ExecStoreMinimalTuple(s->made[i], slot, false);
			tuplestore_puttupleslot(store, slot);
		}
	ExecDropSingleTupleTableSlot(slot);
}

void
SortedRowsEnd(SortedRows *s, bool failed)
{
	Unregister(s);
	if (!failed)
	{
		ExecDropSingleTupleTableSlot(s->slot);
		PopActiveSnapshot();
		CommandCounterIncrement();
	}
	if (SPI_register_trigger_data(s->trigdata) < 0)
		elog(ERROR, "SPI_register_trigger_data failed");
}
