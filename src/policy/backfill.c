/*
 * backfill.c
 *		backfill(policy, ...): decisions for stored messages, committed batch by
 *		batch.
 *
 * A batch is a range of keys: first its last key is looked for, then all up to
 * it is scored into a tuplestore (batch.c), in parallel where that pays, and
 * that is written by one INSERT ... ON CONFLICT DO UPDATE, of former messages'
 * decisions only.  Where messages come by their keys anyway, and no workers
 * would help, they are gone through once: the batch ends with the last of so
 * many that are scored.  assay.backfill_run remembers the last key, and a lock
 * of the transaction keeps two backfills of one policy from doing the same
 * batch: they take turns, each from where the other stopped.
 *
 * Of keys that came again without a decision (reused_key.c) a batch looks at
 * those in its range: they are read once, in the messages' order, and a batch
 * ends where so many of them do.
 *
 * A backfill stays with the revision that was current when it began.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/xact.h"
#include "backfill_wait.h"
#include "batch.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fault.h"
#include "labels.h"
#include "message_keys.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "older_sql.h"
#include "optimizer/cost.h"
#include "protect.h"
#include "reused_key.h"
#include "signals_query.h"
#include "signals_shape.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "value_text.h"

#define BACKFILL_BATCH_MIN	1
#define BACKFILL_BATCH_MAX	1000000

/* Keys that came again, of which a batch looks at so many */
#define KEPT_AT_ONCE_MIN	100
#define KEPT_AT_ONCE_MAX	10000

/* Milliseconds that a run waits for those who write messages */
#define WRITERS_PATIENCE	10000

/* Faults kept of one batch; the ledgers have them all */
#define BATCH_FAULTS_MAX	100

typedef struct Backfill
{
	BatchScan	scan;			/* must be first; its source is of this batch */
	int			revision;
	bool		undecided_only; /* leave what any revision decided */
	bool		degraded_only;	/* leave what was not decided degraded */
	bool		own_time;		/* evaluate each as of its own time */
	int			batch;
	int64		run;			/* in assay_internal.backfill_run */
	bool		goes_on;		/* it had begun before */
	int64		patience;		/* milliseconds that it still waits for
								 * writers */
	Datum	   *after;			/* done up to this key, or NULL */
	Datum	   *bound;			/* last key of the batch */
	bool		first_only;		/* no more than a batch, … */
	bool		unordered;		/* … by no order */
	DecisionTable *table;
	KeptKeys	kept;			/* keys that came again, once there are any */
} Backfill;

/* The snapshot with which the batch at work began, before it read anything */
static Snapshot batch_snapshot = NULL;

/* Equality of a key's column of the decision table, and of the view */
static char *
DecidedKeyEquality(Source *s, int i)
{
	AttrNumber	attno = get_attnum(s->id->decision, list_nth(s->id->key, i));

	return KeyOperator(get_atttype(s->id->decision, attno), s->key_types[i], BTEqualStrategyNumber);
}

/* ORDER BY the key, no more than a batch */
static void
AddFirst(BatchQuery *q, Backfill *b)
{
	if (!b->unordered)
	{
		QueryAdd(q, " ORDER BY ");
		AddKeys(q, b->scan.source, b->scan.source->alias, "");
	}
	QueryAdd(q, " LIMIT ");
	QueryValue(q, INT8OID, Int64GetDatum(b->batch));
}

/* FROM view v WHERE: what is still to be decided */
static void
AddUndecided(BatchScan *scan, BatchQuery *q)
{
	Backfill   *b = (Backfill *) scan;
	Source	   *s = b->scan.source;

	AddFrom(q, s);
	AddTimes(q, s);
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, " AND %s.%s " KEY_IS_THERE, s->alias, s->keys[i]);
	if (b->after)
		AddKeyBound(q, s, BTGreaterStrategyNumber, b->after);
	if (s->kept && s->kept->from)
		AddKeyBound(q, s, BTGreaterStrategyNumber, s->kept->from);
	if (b->bound || (s->kept && s->kept->upto))
		AddKeyBound(q, s, BTLessEqualStrategyNumber, b->bound ? b->bound : s->kept->upto);
	QueryAdd(q, b->degraded_only ? " AND (SELECT d.degraded AND d.revision < " : " AND NOT EXISTS (SELECT");
	if (b->degraded_only)
		QueryValue(q, INT4OID, Int32GetDatum(b->revision));
	QueryAdd(q, " FROM %s d WHERE ", s->id->decision_name);
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%sd.%s %s %s.%s%s", i > 0 ? " AND " : "", s->keys[i], DecidedKeyEquality(s, i), s->alias, s->keys[i],
				 CollateAsDecided(s->id, list_nth(s->id->key, i), s->id->signals));
	if (b->degraded_only)
		QueryAdd(q, " ORDER BY d.revision DESC LIMIT 1");
	else if (!b->undecided_only)
	{
		QueryAdd(q, " AND d.revision = ");
		QueryValue(q, INT4OID, Int32GetDatum(b->revision));
	}
	if (!b->degraded_only)
		AddCounts(q, s, b->undecided_only);
	QueryAdd(q, ")");
	if (b->first_only)
		AddFirst(q, b);
}

static void
AddField(BatchQuery *q, Source *s, const char *before, const char *field)
{
	QueryAdd(q, "%s", before);
	AddScored(q, s, 0, field);
}

/* The columns of a decision, from the message's key and its score */
static void
AddDecision(BatchScan *scan, BatchQuery *q)
{
	Backfill   *b = (Backfill *) scan;
	Source	   *s = b->scan.source;

	QueryAdd(q, "SELECT ");
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%s.%s::%s, ", RowAlias(s), s->keys[i], CastName(b->scan.key_types[i]));
	QueryValue(q, INT4OID, Int32GetDatum(b->revision));
	QueryAdd(q, ", ");
	QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	AddField(q, s, ", ", "verdict");
	AddField(q, s, ", ", "score");
	AddField(q, s, ", ", "attribution");
	AddField(q, s, ", assay.degraded(", "attribution");
	QueryAdd(q, ")");
	if (b->table->log_signals)
		QueryAdd(q, ", s.%s", s->signals);
	AddScanFrom(q, s);
	if (b->table->log_signals)
		QueryAdd(q, ", assay_internal.form_signals(%s) AS %s", s->alias, s->signals);
}

static void
AddScores(BatchScan *scan, BatchQuery *q)
{
	AddScore(q, scan->source, ((Backfill *) scan)->revision, false, ((Backfill *) scan)->own_time, scan->source->scores[0]);
}

static Datum
KeyToArray(Source *s, Datum *key)
{
	Datum	   *items = palloc(s->nkeys * sizeof(Datum));
	int			nest = PlainFormats();

	for (int i = 0; i < s->nkeys; i++)
		items[i] = CStringGetTextDatum(ValueText(s->key_types[i], key[i]));
	AtEOXact_GUC(false, nest);
	return PointerGetDatum(construct_array(items, s->nkeys, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum *
KeyFromArray(Source *s, Datum array)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int			nest;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &n);
	if (n != s->nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("backfill of policy \"%s\" stopped at a key of another kind", s->policy),
				 errhint("To start over, DELETE FROM assay.backfill_run WHERE policy = %s AND finished_at IS NULL.",
						 quote_literal_cstr(s->policy))));
	nest = PlainFormats();
	for (int i = 0; i < n; i++)
	{
		Oid			input;
		Oid			ioparam;

		if (nulls[i])
			elog(ERROR, "key is null");
		getTypeInputInfo(s->key_types[i], &input, &ioparam);
		items[i] = OidInputFunctionCall(input, TextDatumGetCString(items[i]), ioparam, -1);
	}
	AtEOXact_GUC(false, nest);
	return items;
}

/* The last key of the next batch, or NULL when nothing is left */
typedef struct BoundJob
{
	Backfill   *backfill;
	Datum	   *bound;
} BoundJob;

static void
RunFindBound(void *arg)
{
	BoundJob   *job = arg;
	Backfill   *b = job->backfill;
	Source	   *s = b->scan.source;
	BatchQuery	q;
	bool		isnull;

	QueryStart(&q);
	QueryAdd(&q, "SELECT * FROM (SELECT ");
	AddKeys(&q, s, s->alias, "");
	AddUndecided(&b->scan, &q);
	AddFirst(&q, b);
	QueryAdd(&q, ") %s ORDER BY ", s->alias);
	AddKeys(&q, s, s->alias, " DESC");
	QueryAdd(&q, " LIMIT 1");
	if (QueryRun(&q, SPI_OK_SELECT, NULL) == 0)
		return;
	job->bound = palloc(s->nkeys * sizeof(Datum));
	for (int i = 0; i < s->nkeys; i++)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &isnull);

		job->bound[i] = KeyValue(s, i, value, isnull);
	}
}

/*
 * Find the last key of the next batch: false when nothing is left.
 */
static bool
FindBound(Backfill *b)
{
	BoundJob	job = {b, NULL};

	if (b->scan.raise_errors || b->scan.source->distributed || !CanProtect())
		RunFindBound(&job);
	else
		RunKeys(b->scan.source, RunFindBound, &job);
	b->bound = job.bound;
	return b->bound != NULL;
}

/* The plan of a scan, as JSON */
typedef struct PlanJob
{
	Backfill   *backfill;
	char	   *plan;
} PlanJob;

static void
RunExplain(void *arg)
{
	PlanJob    *job = arg;
	MemoryContext caller = CurrentMemoryContext;
	BatchQuery	q;
	int			nest = NewGUCNestLevel();

	LetWorkersScan();
	QueryStart(&q);
	QueryAdd(&q, "EXPLAIN (FORMAT JSON) ");
	AddScanQuery(&job->backfill->scan, &q);
	if (QueryRun(&q, SPI_OK_UTILITY, NULL) > 0)
		job->plan = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	AtEOXact_GUC(true, nest);
}

/* May keys that the view takes for equal be different ones of the decision table? */
static bool
HasLooseKeys(Source *s)
{
	ListCell   *lc;

	foreach(lc, s->id->key)
	{
		Oid			type = InvalidOid;
		int32		typmod = -1;
		Oid			collation = InvalidOid;

		get_atttypetypmodcoll(s->id->signals, get_attnum(s->id->signals, lfirst(lc)), &type, &typmod, &collation);
		if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
			return true;
	}
	return false;
}

/* Are the keys of the view those of the decision table, which come in the same order? */
static bool
HasSameKeys(Backfill *b)
{
	for (int i = 0; i < b->scan.source->nkeys; i++)
		if (b->scan.source->key_types[i] != b->table->key_types[i])
			return false;
	return !HasLooseKeys(b->scan.source);
}

/* ORDER BY the key, of what is scored: as it comes */
static void
AddScoredOrder(BatchScan *scan, BatchQuery *q)
{
	QueryAdd(q, " ORDER BY ");
	AddKeys(q, scan->source, RowAlias(scan->source), "");
}

/* The plan of scoring a batch, by keys or as it comes; NULL where there is none. */
static char *
PlanOfFirst(Backfill *b, bool ordered)
{
	PlanJob		job = {b, NULL};
	ErrorData  *error;

	b->first_only = true;
	b->unordered = !ordered;
	b->scan.joined = ordered ? AddScoredOrder : NULL;
	error = RunProtected(RunExplain, &job);
	if (error)
		FreeErrorData(error);
	b->first_only = b->unordered = false;
	b->scan.joined = NULL;
	return error ? NULL : job.plan;
}

/*
 * Do messages come by their keys, without a sort of all that are left, and
 * would workers not score a batch faster?  Then the last that is scored is the
 * bound, if its key is stored as the view has it, and no other is equal to it.
 */
static bool
ComeInOrder(Backfill *b)
{
	char	   *plan;

	if (b->scan.raise_errors || b->scan.source->distributed || !CanProtect() || !HasSameKeys(b))
		return false;
	plan = PlanOfFirst(b, true);
	if (plan == NULL || strstr(plan, "Sort\"") != NULL || strstr(plan, "\"Gather") != NULL)
		return false;
	if (max_parallel_workers_per_gather == 0)
		return true;
	plan = PlanOfFirst(b, false);
	return plan != NULL && strstr(plan, "\"Gather") == NULL;
}

/* The key of the last decision in the store is the bound; false where there is none. */
static bool
TakeBound(Backfill *b)
{
	TupleDesc	desc = b->table->desc;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	int64		left = tuplestore_tuple_count(b->scan.store);
	int			nkeys = b->scan.source->nkeys;

	tuplestore_select_read_pointer(b->scan.store, 0);
	tuplestore_rescan(b->scan.store);
	while (tuplestore_gettupleslot(b->scan.store, true, false, slot))
	{
		if (--left > 0)
			continue;
		b->bound = palloc(nkeys * sizeof(Datum));
		for (int i = 0; i < nkeys; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);
			bool		isnull;
			Datum		value = slot_getattr(slot, i + 1, &isnull);

			b->bound[i] = datumCopy(KeyValue(b->scan.source, i, value, isnull), att->attbyval, att->attlen);
		}
	}
	ExecDropSingleTupleTableSlot(slot);
	return b->bound != NULL;
}

/* Score the messages of a batch that comes in order, and find where it ends. */
static bool
ScoreInOrder(Backfill *b)
{
	if (!ComeInOrder(b))
		return false;
	b->first_only = true;
	b->scan.joined = AddScoredOrder;
	RunScan(&b->scan);
	b->first_only = false;
	b->scan.joined = NULL;
	return TakeBound(b);
}

/*
 * A message whose signals can't be read is decided from the prior, as the
 * trigger would.  A cast of a user's may have made its key null.
 */
static void
DecideUnreadable(BatchScan *scan, Datum *key, bool *key_nulls, const char *sqlstate)
{
	Backfill   *b = (Backfill *) scan;
	PolicyDecision decision;
	const char *verdict;
	int			n = b->table->desc->natts;
	Datum	   *values = palloc0(n * sizeof(Datum));
	bool	   *nulls = palloc0(n * sizeof(bool));

	DecideUnread(scan->source, b->revision, false, sqlstate, &decision, &verdict);
	for (int i = 0; i < b->scan.source->nkeys; i++)
	{
		values[i] = key[i];
		nulls[i] = key_nulls[i];
	}
	FillDecision(b->table, values, nulls, b->revision, GetCurrentTransactionStartTimestamp(),
				 verdict, &decision);
	tuplestore_putvalues(b->scan.store, b->table->desc, values, nulls);
}

/* Make the batch's decisions known to queries under DECISIONS_NAME. */
static void
RegisterBatch(Backfill *b, EphemeralNamedRelationData *enr)
{
	memset(enr, 0, sizeof(*enr));
	enr->md.name = DECISIONS_NAME;
	enr->md.tupdesc = b->table->desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = tuplestore_tuple_count(b->scan.store);
	enr->reldata = b->scan.store;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
}

/* The batch's decisions, or one of them, to write */
typedef struct WriteJob
{
	Backfill   *backfill;
	SPIPlanPtr	one;			/* writes one decision, its values: */
	Datum	   *values;
	char	   *nulls;
	uint64		written;
} WriteJob;

static void
RunWriteBatch(void *arg)
{
	WriteJob   *job = arg;
	BatchQuery	q;

	QueryStart(&q);
	QueryAdd(&q, "%s", InsertManySql(job->backfill->table, false));
	job->written = QueryRun(&q, SPI_OK_INSERT, NULL);
}

static void
RunWriteOne(void *arg)
{
	WriteJob   *job = arg;
	int			ret = SPI_execute_plan(job->one, job->values, job->nulls, false, 0);

	if (ret != SPI_OK_INSERT)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(ret));
	job->written += SPI_processed;
}

/* Make ready to write one decision after the other. */
static void
PrepareWriteOne(WriteJob *job)
{
	TupleDesc	desc = job->backfill->table->desc;
	Oid		   *types = palloc(desc->natts * sizeof(Oid));

	for (int i = 0; i < desc->natts; i++)
		types[i] = TupleDescAttr(desc, i)->atttypid;
	job->one = SPI_prepare(InsertOneSql(job->backfill->table), desc->natts, types);
	if (job->one == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	job->nulls = palloc(desc->natts);
}

/*
 * Each decision by itself, after all of them failed.  What can't be written is
 * noted as a fault, and its message stays undecided.
 */
static void
WriteEach(WriteJob *job, List **faults, int64 *unwritten)
{
	Backfill   *b = job->backfill;
	TupleDesc	desc = b->table->desc;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay backfill row",
												  ALLOCSET_DEFAULT_SIZES);

	PrepareWriteOne(job);
	tuplestore_select_read_pointer(b->scan.store, 0);
	tuplestore_rescan(b->scan.store);
	while (tuplestore_gettupleslot(b->scan.store, true, false, slot))
	{
		MemoryContext outer = MemoryContextSwitchTo(per_row);
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		job->values = slot->tts_values;
		for (int i = 0; i < desc->natts; i++)
			job->nulls[i] = slot->tts_isnull[i] ? 'n' : ' ';
		error = RunProtected(RunWriteOne, job);
		if (error && (*unwritten)++ < BATCH_FAULTS_MAX)
		{
			const char *message = psprintf("the decision cannot be written: %s", error->message);
			const char *key = KeyText(b->table, slot->tts_values, slot->tts_isnull);

			MemoryContextSwitchTo(outer);
			*faults = lappend(*faults,
							  MakeFault(NULL, unpack_sql_state(error->sqlerrcode), message, key));
		}
		MemoryContextSwitchTo(outer);
		MemoryContextReset(per_row);
	}
	MemoryContextDelete(per_row);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * The outbox holds its changes back from those who had begun when they were written
 * (outbox.c), which of the first ones is long ago by now: others have taken keys since.
 */
static void
RunHoldChanges(void *arg)
{
	Backfill   *b = arg;
	char	   *outbox = TableBeside(b->scan.source, "change", NULL);
	BatchQuery	q;

	if (outbox == NULL)
		return;
	QueryStart(&q);
	QueryAdd(&q, "UPDATE %s SET xid = assay_internal.last_xact_id() WHERE xid >= pg_catalog.pg_current_xact_id() AND revision = ", outbox);
	QueryValue(&q, INT4OID, Int32GetDatum(b->revision));
	(void) QueryRun(&q, SPI_OK_UPDATE, NULL);
}

/* Tell of messages that stay undecided, since the table refuses their decisions. */
static void
TellUnwritten(Backfill *b, int64 unwritten, List *faults)
{
	PolicyFault *first = linitial(faults);

	(void) WriteFaults(b->scan.source->policy, b->revision, faults);
	ereport(WARNING,
			(errmsg_plural("policy \"%s\": %lld message stays without a decision",
						   "policy \"%s\": %lld messages stay without a decision",
						   unwritten, b->scan.source->policy, (long long) unwritten),
			 errdetail("%s", first->message),
			 errhint("assay.undecided(%s) lists them.", quote_literal_cstr(b->scan.source->policy))));
}

/*
 * Write the batch; how many decisions were written.  One that the table
 * refuses must not keep all others, nor all batches behind, from theirs.
 */
static uint64
WriteBatch(Backfill *b)
{
	WriteJob	job = {b, NULL, NULL, NULL, 0};
	Security	security;
	ErrorData  *error = NULL;
	List	   *faults = NIL;
	int64		unwritten = 0;

	EnterSource(&security, b->scan.source);
	if (b->scan.raise_errors)
		RunWriteBatch(&job);
	else
		error = RunProtected(RunWriteBatch, &job);
	if (error)
	{
		FreeErrorData(error);
		WriteEach(&job, &faults, &unwritten);
		error = RunProtected(RunHoldChanges, b);
		if (error)
			FreeErrorData(error);
	}
	LeaveSecurity(&security);
	if (unwritten > 0)
		TellUnwritten(b, unwritten, faults);
	return job.written;
}

/*
 * Over distributed tables: each shard's messages are scored and their decisions
 * written where they are, by one statement.
 */
static uint64
DecideWhereTheyAre(Backfill *b)
{
	BatchQuery	q;
	Security	security;
	uint64		written;

	EnterSource(&security, b->scan.source);
	QueryStart(&q);
	QueryAdd(&q, "%s", InsertStart(b->table));
	AddScanQuery(&b->scan, &q);
	QueryAdd(&q, "%s", InsertEnd(b->table));
	written = QueryRun(&q, SPI_OK_INSERT, NULL);
	LeaveSecurity(&security);
	return written;
}

/* The batch's decisions, as something to select from */
static void
AddBatch(BatchQuery *q, Backfill *b)
{
	if (!b->scan.source->distributed)
	{
		QueryAdd(q, "\"" DECISIONS_NAME "\"");
		return;
	}
	QueryAdd(q, "(SELECT * FROM %s WHERE revision = ", b->scan.source->id->decision_name);
	QueryValue(q, INT4OID, Int32GetDatum(b->revision));
	QueryAdd(q, " AND decided_at = ");
	QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	QueryAdd(q, ")");
}

/*
 * Keep an example of each fault.  The keys are written out as the owner; who
 * may write assay.fault has more rights than that.
 */
static void
KeepFaults(Backfill *b)
{
	Source	   *s = b->scan.source;
	Security	security;
	SPITupleTable *faults;
	BatchQuery	q;
	uint64		n;

	EnterSource(&security, s);
	QueryStart(&q);
	QueryAdd(&q, "SELECT DISTINCT ON (l.kind, l.detector, l.fault) "
			 "CASE WHEN l.kind <> 'signals' THEN l.detector END, ARRAY[");
	AddKeys(&q, s, "d", "::pg_catalog.text");
	QueryAdd(&q, "], l.fault FROM ");
	AddBatch(&q, b);
	QueryAdd(&q, " d, assay.ledger(d.attribution) l "
			 "WHERE l.fault <> 'suspended' LIMIT %d", BATCH_FAULTS_MAX);
	n = QueryRun(&q, SPI_OK_SELECT, NULL);
	faults = SPI_tuptable;
	LeaveSecurity(&security);

	EnterConfiguration(&security);
	for (uint64 i = 0; i < n; i++)
	{
		char	   *detector = SPI_getvalue(faults->vals[i], faults->tupdesc, 1);
		char	   *key = SPI_getvalue(faults->vals[i], faults->tupdesc, 2);

		QueryStart(&q);
		QueryAdd(&q, "INSERT INTO assay_internal.fault (policy, revision, detector, key, sqlstate, message) VALUES (");
		QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
		QueryAdd(&q, ", ");
		QueryValue(&q, INT4OID, Int32GetDatum(b->revision));
		QueryAdd(&q, ", ");
		if (detector)
			QueryValue(&q, TEXTOID, CStringGetTextDatum(detector));
		else
			QueryAdd(&q, "NULL");
		QueryAdd(&q, ", ");
		if (strlen(key) <= FAULT_KEY_MAX)
		{
			QueryValue(&q, TEXTOID, CStringGetTextDatum(key));
			QueryAdd(&q, "::pg_catalog.text[]");
		}
		else
			QueryAdd(&q, "NULL");
		QueryAdd(&q, ", ");
		QueryValue(&q, TEXTOID,
				   CStringGetTextDatum(SPI_getvalue(faults->vals[i], faults->tupdesc, 3)));
		QueryAdd(&q, ", 'in a backfill; one message of its batch for each detector and SQLSTATE') ON CONFLICT DO NOTHING");
		if (QueryRun(&q, SPI_OK_INSERT, NULL) == 0)
		{
			PassFaultNumbers();
			(void) QueryRun(&q, SPI_OK_INSERT, NULL);
		}
	}
	LeaveSecurity(&security);
}

static Datum
FetchDatum(int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, isnull);
}

/* The run that goes on, or a new one */
static void
StartRun(Backfill *b)
{
	Source	   *s = b->scan.source;
	Security	security;
	BatchQuery	q;
	bool		isnull;
	Datum		at = CStringGetTextDatum(s->at ? s->at : "");
	Datum		policy = CStringGetTextDatum(s->policy);
	int64		expected = -1;

	/* What the planner expects: a count would cost as much as the work. */
	EnterSource(&security, s);
	QueryStart(&q);
	QueryAdd(&q, "EXPLAIN (FORMAT JSON) SELECT 1");
	AddUndecided(&b->scan, &q);
	if (QueryRun(&q, SPI_OK_UTILITY, NULL) > 0)
	{
		char	   *plan = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		QueryStart(&q);
		QueryAdd(&q, "SELECT (");
		QueryValue(&q, TEXTOID, CStringGetTextDatum(plan));
		QueryAdd(&q, "::pg_catalog.json->0->'Plan'->>'Plan Rows')::pg_catalog.int8");
		if (QueryRun(&q, SPI_OK_SELECT, NULL) == 1)
			expected = DatumGetInt64(FetchDatum(1, &isnull));
	}
	LeaveSecurity(&security);

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT run FROM assay_internal.backfill_run WHERE finished_at IS NULL AND policy = ");
	QueryValue(&q, TEXTOID, policy);
	QueryAdd(&q, " AND revision = ");
	QueryValue(&q, INT4OID, Int32GetDatum(b->revision));
	QueryAdd(&q, " AND since = ");
	QueryValue(&q, TIMESTAMPTZOID, TimestampTzGetDatum(s->since));
	QueryAdd(&q, " AND until = ");
	QueryValue(&q, TIMESTAMPTZOID, TimestampTzGetDatum(s->until));
	QueryAdd(&q, " AND at_column = ");
	QueryValue(&q, TEXTOID, at);
	QueryAdd(&q, " AND undecided_only = ");
	QueryValue(&q, BOOLOID, BoolGetDatum(b->undecided_only));
	QueryAdd(&q, " AND degraded_only = ");
	QueryValue(&q, BOOLOID, BoolGetDatum(b->degraded_only));
	QueryAdd(&q, " ORDER BY run DESC LIMIT 1");
	if (QueryRun(&q, SPI_OK_SELECT, NULL) == 0)
	{
		QueryStart(&q);
		QueryAdd(&q, "INSERT INTO assay_internal.backfill_run (policy, revision, since, until, at_column, undecided_only, degraded_only, expected, started_by) VALUES (");
		QueryValue(&q, TEXTOID, policy);
		QueryAdd(&q, ", ");
		QueryValue(&q, INT4OID, Int32GetDatum(b->revision));
		QueryAdd(&q, ", ");
		QueryValue(&q, TIMESTAMPTZOID, TimestampTzGetDatum(s->since));
		QueryAdd(&q, ", ");
		QueryValue(&q, TIMESTAMPTZOID, TimestampTzGetDatum(s->until));
		QueryAdd(&q, ", ");
		QueryValue(&q, TEXTOID, at);
		QueryAdd(&q, ", ");
		QueryValue(&q, BOOLOID, BoolGetDatum(b->undecided_only));
		QueryAdd(&q, ", ");
		QueryValue(&q, BOOLOID, BoolGetDatum(b->degraded_only));
		QueryAdd(&q, ", ");
		QueryValue(&q, INT8OID, Int64GetDatum(Max(expected, 0)));
		QueryAdd(&q, ", ");
		QueryValue(&q, TEXTOID, CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false)));
		QueryAdd(&q, ") RETURNING run");
		(void) QueryRun(&q, SPI_OK_INSERT_RETURNING, NULL);
	}
	else
	{
		ereport(NOTICE,
				(errmsg("policy \"%s\": backfill goes on where it stopped", s->policy)));
		b->goes_on = true;
	}
	b->run = DatumGetInt64(FetchDatum(1, &isnull));
	LeaveSecurity(&security);
}

/*
 * Where the run stands, its last key or 0 into "last"; false when it is over.
 * Somebody else may have gone on with it.
 */
static bool
ReadRun(Backfill *b, Datum *last)
{
	Security	security;
	BatchQuery	q;
	bool		isnull = true;
	bool		going;

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT last_key FROM assay_internal.backfill_run WHERE finished_at IS NULL AND run = ");
	QueryValue(&q, INT8OID, Int64GetDatum(b->run));
	going = QueryRun(&q, SPI_OK_SELECT, NULL) == 1;
	*last = going ? FetchDatum(1, &isnull) : (Datum) 0;
	if (isnull)
		*last = (Datum) 0;
	LeaveSecurity(&security);
	return going;
}

static void
UpdateRun(Backfill *b, uint64 decided, uint64 degraded, Datum last_key)
{
	Security	security;
	BatchQuery	q;

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "UPDATE assay_internal.backfill_run SET pid = pg_catalog.pg_backend_pid(), updated_at = pg_catalog.clock_timestamp(), ");
	if (last_key)
	{
		QueryAdd(&q, "batches = batches + 1, decided = decided + ");
		QueryValue(&q, INT8OID, Int64GetDatum((int64) decided));
		QueryAdd(&q, ", degraded = degraded + ");
		QueryValue(&q, INT8OID, Int64GetDatum((int64) degraded));
		QueryAdd(&q, ", last_key = ");
		QueryValue(&q, TEXTARRAYOID, last_key);
	}
	else
		QueryAdd(&q, "finished_at = pg_catalog.clock_timestamp()");
	QueryAdd(&q, " WHERE run = ");
	QueryValue(&q, INT8OID, Int64GetDatum(b->run));
	(void) QueryRun(&q, SPI_OK_UPDATE, NULL);
	LeaveSecurity(&security);
}

/* The signals that are logged are of the view as it is now. */
static void
EnsureShape(Source *s)
{
	Relation	rel = relation_open(s->id->signals, AccessShareLock);
	TupleDesc	columns = LiveColumns(RelationGetDescr(rel));

	EnsureSignalsShape(MakeSignalsShape(columns, 0, columns->natts));
	relation_close(rel, AccessShareLock);
}

/*
 * Look at the keys that came again by parts.  What is kept of them from now on is
 * for another backfill.  Keys of other types have another order: each batch looks
 * at all then.
 */
static void
UseKeptKeys(Backfill *b)
{
	Source	   *s = b->scan.source;

	if (b->kept.portal && !AreKeysOf(&b->kept, s))
		CloseKeptKeys(&b->kept);
	if (s->reused && b->kept.portal == NULL && HasSameKeys(b))
		OpenKeptKeys(&b->kept, s, b->after, Min(Max(b->batch, KEPT_AT_ONCE_MIN), KEPT_AT_ONCE_MAX));
	s->kept = b->kept.portal ? &b->kept : NULL;
}

/* Find a batch, and score it where it is scored here; false when nothing is left. */
static bool
FindBatch(Backfill *b)
{
	do
	{
		if (ScoreInOrder(b))
			return true;
		if (!FindBound(b))
			continue;
		if (!b->scan.source->distributed)
			RunScan(&b->scan);
		return true;
	} while (b->kept.portal && NextKeptKeys(&b->kept, b->scan.source));
	return false;
}

/*
 * One transaction's work: false when all is done.
 */
static bool
OneBatch(Backfill *b, uint64 *total)
{
	Source	   *s = b->scan.source;
	Security	security;
	EphemeralNamedRelationData enr;
	BatchQuery	q;
	uint64		decided;
	uint64		degraded;
	Datum		last_key;
	ArrayType  *shown;

	if (!ReadRun(b, &last_key))
		return false;
	b->table = OpenDecisionTable(s->id);
	b->scan.key_types = b->table->key_types;
	if (b->table->log_signals)
		EnsureShape(s);
	b->scan.store = tuplestore_begin_heap(false, false, work_mem);
	b->bound = NULL;

	EnterSource(&security, s);
	/* The key's types may be domains, whose checks are the owner's code. */
	b->after = last_key ? KeyFromArray(s, last_key) : NULL;
	UseKeptKeys(b);
	if (!FindBatch(b))
	{
		LeaveSecurity(&security);
		tuplestore_end(b->scan.store);
		UpdateRun(b, 0, 0, (Datum) 0);
		return false;
	}
	last_key = KeyToArray(s, b->bound);

	/*
	 * A message that came with the key since the batch was read has a
	 * decision of its own, though its transaction may have begun long before.
	 */
	b->table->replaced = psprintf("\"(decision)\".decided_at <= %s%s", LastReuse(s),
								  s->reused ? " AND assay_internal.batch_saw(\"(decision)\".xmin)" : "");
	LeaveSecurity(&security);

	RegisterBatch(b, &enr);
	decided = s->distributed ? DecideWhereTheyAre(b) : WriteBatch(b);
	EnterSource(&security, s);
	QueryStart(&q);
	QueryAdd(&q, "SELECT d.degraded FROM ");
	AddBatch(&q, b);
	QueryAdd(&q, " d WHERE d.degraded");
	degraded = QueryRun(&q, SPI_OK_SELECT, NULL);
	LeaveSecurity(&security);
	if (degraded > 0)
		KeepFaults(b);
	if (SPI_unregister_relation(DECISIONS_NAME) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "SPI_unregister_relation failed");
	tuplestore_end(b->scan.store);
	UpdateRun(b, decided, degraded, last_key);
	*total += decided;
	shown = DatumGetArrayTypeP(last_key);
	ereport(NOTICE,
			(errmsg("policy \"%s\": %llu messages decided, up to key %s", s->policy,
					(unsigned long long) *total,
					OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(shown)))));
	return true;
}

/* Partitions for the messages, where there are any to make; they are committed by some at a time. */
static void
MakeParts(Source *s)
{
	bool		more = has_privs_of_role(GetUserId(), s->id->owner) &&
	get_rel_relkind(s->id->decision) == RELKIND_PARTITIONED_TABLE;

	while (more)
	{
		BatchQuery	q;
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		QueryStart(&q);
		QueryAdd(&q, "SELECT assay_internal.make_message_parts(");
		QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
		QueryAdd(&q, ")");
		(void) QueryRun(&q, SPI_OK_SELECT, NULL);
		more = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) > 0;
		SPI_commit();
	}
}

/* Errors that need no look at the policy */
static void
CheckArguments(FunctionCallInfo fcinfo)
{
	static const char *const arguments[] = {"policy", "since", "until", "batch", "at",
	"undecided_only", "degraded_only", "own_time"};

	RefuseOlderCall(fcinfo, lengthof(arguments));
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("backfill() commits each batch, and cannot run inside a transaction"),
				 errhint("CALL it by itself, outside of BEGIN ... COMMIT and of functions.")));
	for (int i = 0; i < lengthof(arguments); i++)
		if (PG_ARGISNULL(i) && i != 4)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", arguments[i])));
	PreventCommandDuringRecovery("backfill()");
	if (PG_GETARG_INT32(3) < BACKFILL_BATCH_MIN || PG_GETARG_INT32(3) > BACKFILL_BATCH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("batch must lie between %d and %d", BACKFILL_BATCH_MIN, BACKFILL_BATCH_MAX)));
	if (PG_GETARG_BOOL(5) && PG_GETARG_BOOL(6))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("undecided_only and degraded_only exclude each other")));
}

/*
 * One batch in a transaction of its own, which sees what others committed
 * meanwhile: the lock comes before its first snapshot.  The one before is
 * committed.  Returns whether there may be more.
 */
static bool
NextBatch(Backfill *b, Oid decision, const Source *asked, uint64 *total)
{
	Source	   *s = b->scan.source;
	bool		all = b->run == 0;
	bool		more;

	SPI_commit();
	while (b->patience > 0 && WaitForWriters(asked->policy, decision, all, &b->patience))
		all = false;
	XactIsoLevel = XACT_READ_COMMITTED;
	LockBatch(decision);

	PushActiveSnapshot(GetTransactionSnapshot());
	batch_snapshot = GetActiveSnapshot();
	PG_TRY();
	{
		SPI_connect();
		InitSource(s, asked->policy, asked->since, asked->until, asked->at, false);
		s->tables = MessageKeys;
		s->reused = HasReusedKeys(s);
		if (b->run == 0)
		{
			b->scan.raise_errors = ReadRevision(s, b->revision, &b->revision);
			StartRun(b);
		}
		more = OneBatch(b, total);
		SPI_finish();
	}
	PG_FINALLY();
	{
		batch_snapshot = NULL;
	}
	PG_END_TRY();
	PopActiveSnapshot();
	return more;
}

/*
 * batch_saw(xid): had this transaction been committed when the batch at work began?
 * A number that is not taken yet is of one so long ago that its rows are frozen.
 */
PG_FUNCTION_INFO_V1(assay_batch_saw);
Datum
assay_batch_saw(PG_FUNCTION_ARGS)
{
	TransactionId xid = DatumGetTransactionId(PG_GETARG_DATUM(0));

	if (batch_snapshot == NULL)
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(TransactionIdFollowsOrEquals(xid, XidFromFullTransactionId(ReadNextFullTransactionId())) ||
				   !XidInMVCCSnapshot(xid, batch_snapshot));
}

/* in_batch(): is what is written now a batch's? */
PG_FUNCTION_INFO_V1(assay_in_batch);
Datum
assay_in_batch(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(batch_snapshot != NULL);
}

PG_FUNCTION_INFO_V1(assay_backfill);
Datum
assay_backfill(PG_FUNCTION_ARGS)
{
	Backfill	b = {0};
	Source		source;
	Source		asked = {0};
	Oid			decision;
	LOCKTAG		begun;
	uint64		total = 0;

	CheckArguments(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	asked.policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	asked.since = PG_GETARG_TIMESTAMPTZ(1);
	asked.until = PG_GETARG_TIMESTAMPTZ(2);
	asked.at = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	b.batch = PG_GETARG_INT32(3);
	b.undecided_only = PG_GETARG_BOOL(5);
	b.degraded_only = PG_GETARG_BOOL(6);
	b.own_time = PG_GETARG_BOOL(7);
	b.patience = WRITERS_PATIENCE;
	b.scan.source = &source;
	b.scan.columns = AddDecision;
	b.scan.scores = AddScores;
	b.scan.where = AddUndecided;
	b.scan.unreadable = DecideUnreadable;

	/* Who may not is told so before it waits for anybody. */
	InitSource(&source, asked.policy, asked.since, asked.until, asked.at, false);
	decision = source.id->decision;
	(void) ReadRevision(&source, 0, &b.revision);
	if (source.id->log_signals)
		RefuseDistributed(&source, "a backfill of a policy that logs signals", "SELECT assay.alter_policy(..., log_signals => false);");
	MakeParts(&source);

	BackfillBegins(decision, &begun);
	PG_TRY();
	{
		/*
		 * What came to be undecided since, behind where it stopped, is found
		 * from the start.
		 */
		do
		{
			b.run = 0;
			b.after = b.bound = NULL;
			b.goes_on = false;
			while (NextBatch(&b, decision, &asked, &total))
				CHECK_FOR_INTERRUPTS();
			CloseKeptKeys(&b.kept);
		} while (b.goes_on && b.undecided_only);
	}
	PG_FINALLY();
	{
		BackfillEnds(&begun);
	}
	PG_END_TRY();
	SPI_commit();
	ereport(NOTICE,
			(errmsg("policy \"%s\": backfill is complete, %llu messages decided",
					asked.policy, (unsigned long long) total),
			 b.degraded_only && total == 0 ?
			 errhint("What the current revision decided is decided again under a new one: SELECT assay.alter_policy(%s).",
					 quote_literal_cstr(asked.policy)) : 0));
	SPI_finish();
	return (Datum) 0;
}
