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
#include "labels.h"
#include "message_keys.h"
#include "miscadmin.h"
#include "older_sql.h"
#include "refuse_null.h"
#include "replay_states.h"
#include "signals_query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * replay(policy, since, until, revision, drafts, at, signals) and
 * replay_pair(policy, revision_a, revision_b, since, until, drafts, at, signals)
 */
typedef struct Replay
{
	BatchScan	scan;			/* must be first */
	TupleDesc	desc;
	int			nrevisions;
	int			revisions[2];	/* 0: the current one */
	bool		drafts;			/* of the last revision */
	bool		beside_log;		/* the view's part of both */
} Replay;

/* A field of each revision's score */
static void
AddField(BatchQuery *q, Replay *r, const char *field)
{
	for (int i = 0; i < r->nrevisions; i++)
	{
		QueryAdd(q, ", ");
		AddScored(q, r->scan.source, i, field);
	}
}

/* Of two revisions the label is told, too. */
static void
ReplayColumns(BatchScan *scan, BatchQuery *q)
{
	Replay	   *r = (Replay *) scan;
	Source	   *s = scan->source;

	QueryAdd(q, "SELECT ");
	AddKeyArray(q, s, RowAlias(s));
	AddField(q, r, "verdict");
	AddField(q, r, "score");
	if (r->nrevisions == 1)
		AddField(q, r, "attribution");
	if (r->nrevisions == 2)
	{
		if (scan->one)
		{
			QueryAdd(q, ", ");
			AddLabelOf(q, s, "s");
		}
		else
			QueryAdd(q, ", l.malicious");
	}
	AddScanFrom(q, s);
}

static void
ReplayScores(BatchScan *scan, BatchQuery *q)
{
	Replay	   *r = (Replay *) scan;
	Source	   *s = scan->source;

	for (int i = 0; i < r->nrevisions; i++)
		AddScore(q, s, r->revisions[i], r->drafts && i == r->nrevisions - 1, true, s->scores[i]);
}

static void
ReplayWhere(BatchScan *scan, BatchQuery *q)
{
	Source	   *s = scan->source;

	AddFrom(q, s);
	AddTimes(q, s);
	if (!s->logged && ((Replay *) scan)->beside_log)
		AddNotLogged(q, s);
}

static void
ReplayJoined(BatchScan *scan, BatchQuery *q)
{
	AddLabelJoin(q, scan->source, RowAlias(scan->source));
}

/* What the label says of a message whose key is given as texts */
static Datum
LabelOfKey(Source *s, Datum *key, const bool *missing, bool *isnull)
{
	BatchQuery	q;
	Datum		malicious = (Datum) 0;

	*isnull = true;
	for (int i = 0; i < s->nkeys; i++)
		if (missing[i])
			return malicious;
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT ");
	AddLabelOf(&q, s, "m");
	QueryAdd(&q, " FROM (SELECT ");
	for (int i = 0; i < s->nkeys; i++)
	{
		QueryAdd(&q, i > 0 ? ", " : "");
		QueryValue(&q, TEXTOID, key[i]);
		QueryAdd(&q, "::%s AS %s", CastName(s->key_types[i]), s->keys[i]);
	}
	QueryAdd(&q, ") m");
	if (QueryRun(&q, SPI_OK_SELECT, NULL) > 0)
		malicious = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	SPI_freetuptable(SPI_tuptable);
	return malicious;
}

static void
ReplayUnreadable(BatchScan *scan, Datum *key, bool *missing, const char *sqlstate)
{
	Replay	   *r = (Replay *) scan;
	int			n = scan->source->nkeys;
	int			dims[] = {n};
	int			lower[] = {1};
	bool		nulls[6] = {0};
	Datum		values[6];

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
	if (r->nrevisions == 2)
		values[5] = LabelOfKey(scan->source, key, missing, &nulls[5]);
	tuplestore_putvalues(scan->store, r->desc, values, nulls);
}

/*
 * Add the rows of one store to another.
 */
static void
AppendRows(Replay *r, Tuplestorestate * to, Tuplestorestate * from)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(r->desc, &TTSOpsMinimalTuple);

	while (tuplestore_gettupleslot(from, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(to, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(from);
}

/*
 * The logged signals, then what the view has of messages that have none.  A
 * scan that fails begins with an empty store again: hence a second one.
 */
static void
RunBoth(Replay *r, SignalsFrom from)
{
	Source		logged = *r->scan.source;
	Source	   *view = r->scan.source;
	Tuplestorestate *result = r->scan.store;
	bool		serial = r->scan.serial;

	r->beside_log = from != SIGNALS_VIEW && SourceHasLog(view);
	if (r->beside_log)
	{
		SourceUseLog(&logged, from == SIGNALS_AUTO);
		r->scan.source = &logged;
		RunScan(&r->scan);
		r->scan.source = view;
	}
	if (from == SIGNALS_LOGGED)
		return;
	r->scan.serial = serial;
	if (tuplestore_tuple_count(result) > 0)
		r->scan.store = tuplestore_begin_heap(false, false, work_mem);
	RunScan(&r->scan);
	if (r->scan.store != result)
		AppendRows(r, result, r->scan.store);
	r->scan.store = result;
}

/*
 * Who may not read what the signals view reads for him, a list of another's, say,
 * sees no difference between revisions: that is said, once.
 */
static void
WarnOfDenied(Replay *r)
{
	if (r->scan.denied > 0)
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg_plural("signals of %llu message could not be read with the rights of role \"%s\": it was scored without them",
							   "signals of %llu messages could not be read with the rights of role \"%s\": they were scored without them",
							   r->scan.denied, (unsigned long long) r->scan.denied, GetUserNameFromId(GetUserId(), false)),
				 errdetail("The first error is: %s", r->scan.denied_why),
				 errhint("assay.grant_set() lets a role ask a list or phrase set.")));
}

/* since is argument number "arg", until the next; drafts, at and signals follow "rest" */
static void
RunReplay(FunctionCallInfo fcinfo, Replay *r, int arg, int rest)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Source		s;
	Security	security;
	SignalsFrom from = ParseSignalsFrom(PG_ARGISNULL(rest + 2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(rest + 2)));

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, arg, "since");
	RefuseNull(fcinfo, arg + 1, "until");
	r->drafts = !PG_ARGISNULL(rest) && PG_GETARG_BOOL(rest);
	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(arg),
			   PG_GETARG_TIMESTAMPTZ(arg + 1),
			   PG_ARGISNULL(rest + 1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(rest + 1)), true);
	s.tables = MessageKeys;
	/* A revision decided by what it logged. */
	if (r->nrevisions == 1)
		s.log_revision = r->revisions[0];
	CheckSourceLog(&s, from);
	if (from != SIGNALS_VIEW)
		RefuseDistributed(&s, "a replay of logged signals", "Say signals => 'view'.");
	if (r->nrevisions == 2)
		SourceMayRead(&s, s.id->label, s.id->label_name);
	InitMaterializedSRF(fcinfo, 0);
	r->desc = result->setDesc;
	r->scan.source = &s;
	r->scan.store = result->setResult;
	ReplayStatesBegin(r->scan.store);
	r->scan.columns = ReplayColumns;
	r->scan.scores = ReplayScores;
	r->scan.where = ReplayWhere;
	r->scan.joined = r->nrevisions == 2 ? ReplayJoined : NULL;
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
	RunBoth(r, from);
	ReplayStatesNotice(&s, r->revisions[r->nrevisions - 1], r->drafts, from == SIGNALS_VIEW,
					   r->scan.store, r->desc, r->nrevisions == 1);
	WarnOfDenied(r);
	LeaveSecurity(&security);
	SPI_finish();
}

PG_FUNCTION_INFO_V1(assay_replay);
Datum
assay_replay(PG_FUNCTION_ARGS)
{
	Replay		r = {.nrevisions = 1};

	RefuseOlderCall(fcinfo, 7);
	r.revisions[0] = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	RunReplay(fcinfo, &r, 1, 4);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(assay_replay_pair);
Datum
assay_replay_pair(PG_FUNCTION_ARGS)
{
	Replay		r = {.nrevisions = 2};

	RefuseOlderCall(fcinfo, 8);
	r.revisions[0] = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	r.revisions[1] = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	RunReplay(fcinfo, &r, 3, 5);
	return (Datum) 0;
}
