/*
 * signal_rows.c
 *		Rows of signals of a policy's messages, logged or of its view.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "plain_types.h"
#include "signal_rows.h"
#include "utils/rel.h"

/*
 * Of the policy's view, which stays as it is until the transaction ends.  No value is
 * made that would run a stranger's code: null where it was logged
 */
void
SignalRowsInit(SignalRows *r, Source *s)
{
	Relation	rel = relation_open(s->id->signals, AccessShareLock);
	Bitmapset  *wanted = NULL;
	int32		typmod;

	r->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	relation_close(rel, NoLock);
	for (int i = 0; i < r->desc->natts; i++)
		if (!TupleDescAttr(r->desc, i)->attisdropped && OidIsValid(PlainInput(r->desc, i, &typmod)))
			wanted = bms_add_member(wanted, i);
	r->values = palloc0(Max(r->desc->natts, 1) * sizeof(Datum));
	r->nulls = palloc(Max(r->desc->natts, 1) * sizeof(bool));
	r->reader = MakeSignalsReader(r->desc, wanted, CurrentMemoryContext);
}

/* Of logged signals, no others are read from now on. */
void
SignalRowsWant(SignalRows *r, const Bitmapset * columns)
{
	r->reader = MakeSignalsReader(r->desc, columns, CurrentMemoryContext);
}

/* The signals of one message, in the current memory context */
void
SignalRowsRead(SignalRows *r, Datum value, bool logged)
{
	HeapTupleHeader row;
	HeapTupleData tuple;

	if (logged)
	{
		ReadSignals(r->reader, value, r->values, r->nulls);
		return;
	}
	row = DatumGetHeapTupleHeader(value);
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, r->desc, r->values, r->nulls);
}
