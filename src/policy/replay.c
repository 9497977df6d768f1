/*
 * replay.c
 *		replay() and replay_pair(): what one or two revisions make of past
 *		messages, each at its own time.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "replay_states.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * replay(policy, since, until, revision, drafts, at) and
 * replay_pair(policy, revision_a, revision_b, since, until, drafts, at)
 */
typedef struct Replay
{
	BatchScan	scan;			/* must be first */
	TupleDesc	desc;
	int			nrevisions;
	int			revisions[2];	/* 0: the current one */
	bool		drafts;			/* of the last revision */
} Replay;

static void
ReplayColumns(BatchScan *scan, BatchQuery *q)
{
	Replay	   *r = (Replay *) scan;

	Source	   *s = scan->source;

	QueryAdd(q, r->nrevisions == 1 ?
			 "SELECT s.key, (s.%s).verdict, (s.%s).score, (s.%s).attribution FROM (SELECT ARRAY[" :
			 "SELECT s.key, (s.%s).verdict, (s.%s).verdict, (s.%s).score, (s.%s).score FROM (SELECT ARRAY[",
			 s->scores[0], s->scores[r->nrevisions - 1], s->scores[0], s->scores[1]);
	AddKeys(q, s, s->alias, "::pg_catalog.text");
	QueryAdd(q, "] AS key");
	for (int i = 0; i < r->nrevisions; i++)
		AddScore(q, s, r->revisions[i], r->drafts && i == r->nrevisions - 1, true, s->scores[i]);
}

static void
ReplayWhere(BatchScan *scan, BatchQuery *q)
{
	QueryAdd(q, " FROM %s %s", scan->source->id->signals_name, scan->source->alias);
	AddTimes(q, scan->source);
}

static void
ReplayUnreadable(BatchScan *scan, Datum *key, const char *sqlstate)
{
	Replay	   *r = (Replay *) scan;
	int			n = scan->source->nkeys;
	bool	   *missing = palloc(n * sizeof(bool));
	int			dims[] = {n};
	int			lower[] = {1};
	bool		nulls[5] = {0};
	Datum		values[5];

	for (int i = 0; i < n; i++)
		missing[i] = key[i] == (Datum) 0;
	values[0] = PointerGetDatum(construct_md_array(key, missing, 1, dims, lower, TEXTOID, -1,
												   false, TYPALIGN_INT));
	for (int i = 0; i < r->nrevisions; i++)
	{
		PolicyDecision decision;
		const char *verdict;

		DecideUnread(scan->source, r->revisions[i], r->drafts && i == r->nrevisions - 1, sqlstate,
					 &decision, &verdict);
		values[1 + i] = CStringGetTextDatum(verdict);
		values[1 + r->nrevisions + i] = Float4GetDatum((float4) decision.score);
		if (r->nrevisions == 1)
			values[3] = PointerGetDatum(decision.attribution);
	}
	tuplestore_putvalues(scan->store, r->desc, values, nulls);
}

static void
RefuseNull(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* since is argument number "arg", until the next; drafts and at follow "rest" */
static void
RunReplay(FunctionCallInfo fcinfo, Replay *r, int arg, int rest)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Source		s;
	Security	security;

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, arg, "since");
	RefuseNull(fcinfo, arg + 1, "until");
	r->drafts = !PG_ARGISNULL(rest) && PG_GETARG_BOOL(rest);
	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(arg),
			   PG_GETARG_TIMESTAMPTZ(arg + 1),
			   PG_ARGISNULL(rest + 1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(rest + 1)), true);
	InitMaterializedSRF(fcinfo, 0);
	r->desc = result->setDesc;
	r->scan.source = &s;
	r->scan.store = result->setResult;
	ReplayStatesBegin(r->scan.store);
	r->scan.columns = ReplayColumns;
	r->scan.where = ReplayWhere;
	r->scan.unreadable = ReplayUnreadable;
	/* It is STABLE: it sees what the query that calls it sees. */
	r->scan.read_only = true;
	r->scan.key_types = palloc(s.nkeys * sizeof(Oid));
	for (int i = 0; i < s.nkeys; i++)
		r->scan.key_types[i] = TEXTOID;

	SPI_connect();
	for (int i = 0; i < r->nrevisions; i++)
	{
		int			found;

		r->scan.raise_errors |= ReadRevision(&s, r->revisions[i], &found);
	}
	EnterSource(&security, &s);
	RunScan(&r->scan);
	ReplayStatesNotice(&s, r->revisions[r->nrevisions - 1], r->drafts, r->scan.store, r->desc,
					   r->nrevisions == 1);
	LeaveSecurity(&security);
	SPI_finish();
}

PG_FUNCTION_INFO_V1(assay_replay);
Datum
assay_replay(PG_FUNCTION_ARGS)
{
	Replay		r = {.nrevisions = 1};

	r.revisions[0] = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	RunReplay(fcinfo, &r, 1, 4);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(assay_replay_pair);
Datum
assay_replay_pair(PG_FUNCTION_ARGS)
{
	Replay		r = {.nrevisions = 2};

	r.revisions[0] = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	r.revisions[1] = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	RunReplay(fcinfo, &r, 3, 5);
	return (Datum) 0;
}
