/*
 * decision_parts.c
 *		Partitions of a decision table: which one a decision goes to, and what
 *		there are.
 *
 * A decision table that is partitioned by ranges of a time in its key is
 * written to without a query like one that is not, one partition after the
 * other.  What is known of a partition is kept with the plans of the trigger,
 * which depend on it from then on.
 *
 * Rows must not wait here for a partition that somebody else has locked, nor
 * insist on a lock that there is no room for: that may end in an error, which
 * is for a subtransaction (trigger.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "decision_parts.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "protect.h"
#include "security.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Partitions that are known at once; whoever writes to more of them pays for a query */
#define PARTS_KNOWN_MAX	4096

/* ---- locks ----------------------------------------------------------------- */

LockAcquireResult
LockWithoutError(const LOCKTAG * tag, LOCKMODE mode, LOCALLOCK * *lock)
{
#if PG_VERSION_NUM >= 180000
	return LockAcquireExtended(tag, mode, false, true, false, lock, false);
#else
	return LockAcquireExtended(tag, mode, false, true, false, lock);
#endif
}

/* ConditionalLockRelationOid() so */
static LockAcquireResult
LockRelationWithoutError(Oid relid, LOCKMODE mode, LOCALLOCK * *lock)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, IsSharedRelation(relid) ? InvalidOid : MyDatabaseId, relid);
	return LockWithoutError(&tag, mode, lock);
}

bool
LockAtOnce(Oid relid)
{
	LOCALLOCK  *lock;
	LockAcquireResult result = LockRelationWithoutError(relid, RowExclusiveLock, &lock);

	if (result == LOCKACQUIRE_NOT_AVAIL)
		return false;
	if (result != LOCKACQUIRE_ALREADY_CLEAR)
	{
		AcceptInvalidationMessages();
		MarkLockClear(lock);
	}
	return true;
}

static bool
LockEach(List *relids)
{
	LOCALLOCK  *lock;
	ListCell   *lc;

	foreach(lc, relids)
		if (LockRelationWithoutError(lfirst_oid(lc), RowExclusiveLock, &lock) == LOCKACQUIRE_NOT_AVAIL)
		return false;
	return true;
}

/*
 * Lock the indexes, too: no lock is left that the write could fail to get.
 * What is new of them is looked at when they are opened.
 */
bool
LockIndexes(DecisionParts *found, bool wide)
{
	for (int i = 0; i < found->n; i++)
		if (!LockEach(found->parts[i]->indexes) || (wide && !LockEach(found->parts[i]->toast)))
			return false;
	return true;
}

/* ---- where a decision goes ------------------------------------------------- */

/* The partition of a time, as the server finds it, none that is being detached; InvalidOid: none */
static Oid
PartOf(Relation rel, Datum time)
{
	PartitionKey key = RelationGetPartitionKey(rel);
	PartitionDesc desc = RelationGetPartitionDesc(rel, !IsolationUsesXactSnapshot());
	bool		equal;
	int			bound;
	int			i;

	if (desc->nparts == 0)
		return InvalidOid;
	bound = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, desc->boundinfo, 1, &time, &equal);
	i = desc->boundinfo->indexes[bound + 1];
	if (i < 0)
		i = desc->boundinfo->default_index;
	return i < 0 ? InvalidOid : desc->oids[i];
}

typedef struct LookJob
{
	DecisionTable *t;
	DecisionPart *part;
} LookJob;

/* Expressions of indexes are folded, which may run the owner's functions. */
static void
RunLookAtPart(void *arg)
{
	LookJob    *job = arg;
	Security	security;

	EnterOwner(&security, job->t->id->owner, job->t->id->search_path);
	LookAtPart(job->t, job->part);
	LeaveSecurity(&security);
}

/*
 * What is known of a locked partition, which the plans depend on from now on;
 * NULL: that can't be told, or too many are known.
 */
static DecisionPart *
KnowPart(DecisionTable *t, Dependencies *d, Oid relid)
{
	MemoryContext old;
	DecisionPart *part;
	ErrorData  *error;
	LookJob		job;
	ListCell   *lc;

	foreach(lc, t->parts)
	{
		part = lfirst(lc);
		if (part->relid == relid)
			return part;
	}
	if (list_length(t->parts) >= PARTS_KNOWN_MAX)
		return NULL;
	DependOnRelation(d, relid);
	old = MemoryContextSwitchTo(t->context);
	part = palloc0(sizeof(DecisionPart));
	part->relid = relid;
	part->attnums = palloc0(t->desc->natts * sizeof(int));
	MemoryContextSwitchTo(old);
	job.t = t;
	job.part = part;
	error = RunProtected(RunLookAtPart, &job);
	if (error)
	{
		FreeErrorData(error);
		return NULL;
	}
	old = MemoryContextSwitchTo(t->context);
	t->parts = lappend(t->parts, part);
	MemoryContextSwitchTo(old);
	return part;
}

/* The place of a time's partition among those found; -1: it can't be had */
static int
PlaceOf(DecisionTable *t, Dependencies *d, DecisionParts *found, Relation rel, Datum time)
{
	Oid			relid = PartOf(rel, time);
	DecisionPart *part;

	for (int i = 0; i < found->n; i++)
		if (found->parts[i]->relid == relid)
			return i;
	if (!OidIsValid(relid) || found->n == PARTS_AT_ONCE ||
		!LockAtOnce(relid))
		return -1;
	part = KnowPart(t, d, relid);
	if (part == NULL || !part->plain)
		return -1;
	found->parts[found->n] = part;
	return found->n++;
}

/* The same for each row of a tuplestore */
static bool
PlaceRows(DecisionTable *t, Dependencies *d, DecisionParts *found, Relation rel, Tuplestorestate * store, int64 rows)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(t->desc, &TTSOpsMinimalTuple);
	int			place = 0;
	int64		row = 0;

	found->places = MemoryContextAllocHuge(CurrentMemoryContext, rows);
	tuplestore_select_read_pointer(store, 0);
	tuplestore_rescan(store);
	while (place >= 0 && tuplestore_gettupleslot(store, true, false, slot))
	{
		bool		isnull;
		Datum		time = slot_getattr(slot, t->part_key + 1, &isnull);

		CHECK_FOR_INTERRUPTS();
		place = isnull || row == rows ? -1 : PlaceOf(t, d, found, rel, time);
		if (place >= 0)
			found->places[row++] = place;
	}
	ExecDropSingleTupleTableSlot(slot);
	return place >= 0;
}

bool
FindParts(DecisionTable *t, Dependencies *d, DecisionParts *found, Datum *values,
		  Tuplestorestate * store, int64 rows)
{
	Relation	rel;
	bool		done;

	found->n = 0;
	found->places = NULL;
	if (t->part_key < 0)
	{
		found->parts[found->n++] = &t->whole;
		return true;
	}
	rel = table_open(t->id->decision, NoLock);
	if (store)
		done = PlaceRows(t, d, found, rel, store, rows);
	else
		done = PlaceOf(t, d, found, rel, values[t->part_key]) >= 0;
	table_close(rel, NoLock);
	return done;
}

/* ---- what there are -------------------------------------------------------- */

/* A bound as a time; those of types without a zone are in UTC */
static TimestampTz
BoundTime(PartitionBoundInfo bounds, int i, Oid type)
{
	if (bounds->kind && bounds->kind[i][0] != PARTITION_RANGE_DATUM_VALUE)
		return bounds->kind[i][0] == PARTITION_RANGE_DATUM_MINVALUE ? DT_NOBEGIN : DT_NOEND;
	if (type == DATEOID)
	{
		int			overflow;

		return date2timestamp_opt_overflow(DatumGetDateADT(bounds->datums[i][0]), &overflow);
	}
	return DatumGetTimestampTz(bounds->datums[i][0]);
}

static void
PutPart(ReturnSetInfo *result, Oid relid, TimestampTz since, TimestampTz until, bool is_default)
{
	Datum		values[3] = {ObjectIdGetDatum(relid), TimestampTzGetDatum(since), TimestampTzGetDatum(until)};
	bool		nulls[3] = {false, is_default, is_default};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * decision_parts(table): the partitions by ranges of a time, and the default
 * one, whose times are null; no row where it is partitioned otherwise
 */
PG_FUNCTION_INFO_V1(assay_decision_parts);
Datum
assay_decision_parts(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	rel = try_table_open(PG_GETARG_OID(0), AccessShareLock);
	PartitionKey key;
	PartitionDesc desc;
	PartitionBoundInfo bounds;
	Oid			type;

	InitMaterializedSRF(fcinfo, 0);
	if (rel == NULL)
		return (Datum) 0;
	key = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? RelationGetPartitionKey(rel) : NULL;
	type = key && key->strategy == PARTITION_STRATEGY_RANGE && key->partnatts == 1 ? key->parttypid[0] : InvalidOid;
	if (type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID)
	{
		desc = RelationGetPartitionDesc(rel, true);
		bounds = desc->boundinfo;
		for (int i = 0; desc->nparts > 0 && i < bounds->ndatums; i++)
			if (bounds->indexes[i] >= 0)
				PutPart(result, desc->oids[bounds->indexes[i]],
						i > 0 ? BoundTime(bounds, i - 1, type) : DT_NOBEGIN,
						BoundTime(bounds, i, type), false);
		if (desc->nparts > 0 && bounds->default_index >= 0)
			PutPart(result, desc->oids[bounds->default_index], 0, 0, true);
	}
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}
