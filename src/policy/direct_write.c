/*
 * direct_write.c
 *		Decisions written into a table that runs nothing, without a query.
 *
 * A decision table as create_policy() makes it needs nothing of the executor
 * but what keeps its indexes.  Rows go into the heap in chunks, as COPY's do,
 * then into the indexes.  A key that is there already is what no one expects,
 * so that it isn't looked for before: the unique index tells when the row is in
 * it (as for a deferrable constraint, it raises nothing, and waits for nobody),
 * then the row is deleted again, and left to a query that puts it in the place
 * of the other.
 *
 * Where the log is decoded, whoever reads that would see a row that was deleted.
 * There rows are inserted one by one, as ON CONFLICT does: one that is taken
 * back was never there.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "decision_parts.h"
#include "direct_write.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

/* Rows that are written at once */
#define CHUNK_ROWS	200

/* ... and bytes of them, about */
#define CHUNK_BYTES	(256 * 1024)

/* The table at work */
typedef struct Writer
{
	DecisionTable *t;
	DecisionPart *part;
	Relation	rel;
	EState	   *estate;
	ResultRelInfo *result;
	CommandId	cid;
	List	   *refused;		/* places of rows that are to go again */
} Writer;

static void
StartWriter(Writer *w, DecisionTable *t, DecisionPart *part)
{
	w->t = t;
	w->part = part;
	w->rel = table_open(part->relid, NoLock);
	w->estate = CreateExecutorState();
	w->result = makeNode(ResultRelInfo);
	InitResultRelInfo(w->result, w->rel, 0, NULL, 0);
	ExecOpenIndices(w->result, false);
	w->cid = GetCurrentCommandId(true);
	w->refused = NIL;
}

/* Take back what has found its key there. */
static void
EndWriter(Writer *w)
{
	ListCell   *lc;

	if (w->refused)
		CommandCounterIncrement();
	foreach(lc, w->refused)
		simple_heap_delete(w->rel, lfirst(lc));
	ExecCloseIndices(w->result);
	FreeExecutorState(w->estate);
	table_close(w->rel, NoLock);
}

/* The table's row of these values, which are pointed to */
static void
FillSlot(Writer *w, TupleTableSlot *slot, const Datum *values, const bool *nulls)
{
	int			natts = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, natts * sizeof(bool));
	memset(slot->tts_values, 0, natts * sizeof(Datum));
	for (int i = 0; i < w->t->desc->natts; i++)
	{
		slot->tts_values[w->part->attnums[i] - 1] = values[i];
		slot->tts_isnull[w->part->attnums[i] - 1] = nulls[i];
	}
	ExecStoreVirtualTuple(slot);
}

/* Put a row that is in the heap into the indexes; false: its key is there. */
static bool
PutIntoIndexes(Writer *w, TupleTableSlot *slot)
{
	bool		conflict = false;

	if (w->result->ri_NumIndices == 0)
		return true;
#if PG_VERSION_NUM >= 160000
	list_free(ExecInsertIndexTuples(w->result, slot, w->estate, false, true, &conflict, NIL, false));
#else
	list_free(ExecInsertIndexTuples(w->result, slot, w->estate, false, true, &conflict, NIL));
#endif
	return !conflict;
}

/* The row goes again, when all are written. */
static void
Refuse(Writer *w, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(w->estate->es_query_cxt);
	ItemPointer tid = palloc(sizeof(ItemPointerData));

	ItemPointerCopy(&slot->tts_tid, tid);
	w->refused = lappend(w->refused, tid);
	MemoryContextSwitchTo(old);
}

/*
 * Insert a row that can be taken back at once; false: that was done, or there is
 * no room for the lock that others wait for meanwhile, of which the server's own
 * function makes an error.
 */
static bool
InsertSpeculatively(Writer *w, TupleTableSlot *slot)
{
	static uint32 token = 0;
	LOCKTAG		tag;
	LOCALLOCK  *lock;
	bool		stays;

	token = Max(token + 1, 1);
	SET_LOCKTAG_SPECULATIVE_INSERTION(tag, GetCurrentTransactionId(), token);
	if (LockWithoutError(&tag, ExclusiveLock, &lock) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	table_tuple_insert_speculative(w->rel, slot, w->cid, 0, NULL, token);
	stays = PutIntoIndexes(w, slot);
	table_tuple_complete_speculative(w->rel, slot, token, stays);
	LockRelease(&tag, ExclusiveLock, false);
	return stays;
}

/* Write a chunk of rows; those whose key is there go to "known". */
static void
WriteChunk(Writer *w, TupleTableSlot **slots, TupleTableSlot **rows, int n, Tuplestorestate * known)
{
	bool		decoded = XLogLogicalInfoActive();
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(w->estate));

	if (!decoded)
		table_multi_insert(w->rel, slots, n, w->cid, 0, NULL);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < n; i++)
	{
		bool		stays = decoded ? InsertSpeculatively(w, slots[i]) : PutIntoIndexes(w, slots[i]);

		if (!stays && !decoded)
			Refuse(w, slots[i]);
		if (!stays)
			tuplestore_putvalues(known, w->t->desc, rows[i]->tts_values, rows[i]->tts_isnull);
		ExecClearTuple(slots[i]);
		ExecClearTuple(rows[i]);
		ResetPerTupleExprContext(w->estate);
	}
}

void
WriteRowsDirectly(DecisionTable *t, DecisionPart *part, const uint8 *places, int place,
				  Tuplestorestate * store, Tuplestorestate * known)
{
	TupleTableSlot **slots = palloc0(CHUNK_ROWS * sizeof(TupleTableSlot *));
	TupleTableSlot **rows = palloc0(CHUNK_ROWS * sizeof(TupleTableSlot *));
	Writer		w;
	int			n = 0;
	Size		bytes = 0;
	int64		row = 0;
	bool		more = true;

	StartWriter(&w, t, part);
	tuplestore_select_read_pointer(store, 0);
	tuplestore_rescan(store);
	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		if (rows[n] == NULL)
		{
			rows[n] = MakeSingleTupleTableSlot(t->desc, &TTSOpsMinimalTuple);
			slots[n] = table_slot_create(w.rel, NULL);
		}
		more = tuplestore_gettupleslot(store, true, false, rows[n]);
		if (more && (places == NULL || places[row++] == place))
		{
			slot_getallattrs(rows[n]);
			FillSlot(&w, slots[n], rows[n]->tts_values, rows[n]->tts_isnull);
			bytes += ((MinimalTupleTableSlot *) rows[n])->mintuple->t_len;
			n++;
		}
		if (n == CHUNK_ROWS || bytes > CHUNK_BYTES || (!more && n > 0))
		{
			WriteChunk(&w, slots, rows, n, known);
			n = bytes = 0;
		}
	}
	for (int i = 0; i < CHUNK_ROWS && rows[i]; i++)
	{
		ExecDropSingleTupleTableSlot(rows[i]);
		ExecDropSingleTupleTableSlot(slots[i]);
	}
	EndWriter(&w);
}

bool
WriteRowDirectly(DecisionTable *t, DecisionPart *part, Datum *values, bool *nulls)
{
	Writer		w;
	TupleTableSlot *slot;
	bool		written;

	StartWriter(&w, t, part);
	slot = table_slot_create(w.rel, NULL);
	FillSlot(&w, slot, values, nulls);
	if (XLogLogicalInfoActive())
		written = InsertSpeculatively(&w, slot);
	else
	{
		table_tuple_insert(w.rel, slot, w.cid, 0, NULL);
		written = PutIntoIndexes(&w, slot);
		if (!written)
			Refuse(&w, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	EndWriter(&w);
	return written;
}
