/*
 * backtest.c
 *		What a condition or model that no policy has yet would have done to
 *		past messages.
 *
 * One query gives the messages that the condition hits, with the label that
 * counts and the ledger of the decision as it was made.  Such a ledger tells which standing detectors hit as well, and
 * what verdict the message would have with one more (ledger_effect.c).
 *
 * Signals are those that were logged or, of messages without, what the view
 * has now.  The query runs in parallel where the planner finds that this pays;
 * where the condition fails for a message, it runs once more, and minds.
 */
#include "postgres.h"

#include <math.h>

#include "batch.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "ledger_effect.h"
#include "miscadmin.h"
#include "protect.h"
#include "try_condition.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define EXAMPLES_MAX	1000

/* A detector that hit where the condition does */
typedef struct Overlap
{
	Span		name;			/* key of the hash table, ... */
	bool		shadow;			/* with this */
	int64		both;
	int64		malicious;		/* of these, by label */
	int64		safe;
} Overlap;

#define OVERLAP_KEY		offsetof(Overlap, both)

/* A message that it would change */
typedef struct Example
{
	int			levels;			/* by how many levels, and the score */
	double		change;
	double		before;
	double		after;
	const Span *verdict_before; /* of the revision's levels */
	const Span *verdict_after;
	bool		labelled;
	bool		malicious;
	int			nkeys;
	char	  **key;
} Example;

/* The receiver of the query's rows */
typedef struct Backtest
{
	DestReceiver dest;			/* must be first */
	Source	   *source;
	HTAB	   *revisions;
	MemoryContext keep;			/* of what follows "weight" */
	MemoryContext per_row;
	const char *condition;		/* or NULL, and: */
	Datum		model;
	double		weight;
	const char *force_verdict;	/* or NULL */
	bool		careful;		/* an error of the condition costs the message
								 * only */
	bool		logged;			/* rows are of logged signals */

	HTAB	   *overlaps;
	CountedDecision decision;
	int			room;
	int			nexamples;
	Example    *examples;		/* the largest changes, in order */
	int64		messages;
	int64		from_log;
	int64		faults;
	int64		hits;
	int64		malicious;
	int64		safe;
	int64		hit_malicious;
	int64		hit_safe;
	int64		flips;
	int64		flips_right;
	int64		flips_wrong;
} Backtest;

/* Columns of the query */
enum
{
	ROW_TRIED,
	ROW_MALICIOUS,
	ROW_ATTRIBUTION,
	ROW_KEY
};

static uint32
HashOverlap(const void *key, Size size)
{
	const Overlap *o = key;

	return hash_combine(hash_bytes((const unsigned char *) o->name.data, o->name.len), o->shadow);
}

static int
MatchOverlap(const void *a, const void *b, Size size)
{
	const Overlap *x = a;
	const Overlap *y = b;

	return !(x->shadow == y->shadow && SpanEqual(&x->name, &y->name));
}

/* Begin to count, anew after an error. */
static void
ResetBacktest(Backtest *b)
{
	HASHCTL		ctl = {.keysize = OVERLAP_KEY,.entrysize = sizeof(Overlap),
	.hash = HashOverlap,.match = MatchOverlap,.hcxt = b->keep};

	MemoryContextReset(b->keep);
	memset((char *) b + offsetof(Backtest, overlaps), 0,
		   sizeof(Backtest) - offsetof(Backtest, overlaps));
	b->overlaps = hash_create("overlap of a backtest", 64, &ctl,
							  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	b->decision.context = b->keep;
}

/* Count the detectors that hit as well. */
static void
CountOverlaps(Backtest *b)
{
	CountedDecision *d = &b->decision;

	for (int i = 0; i < d->nentries; i++)
	{
		const CountedEntry *t = &d->entries[i];
		Overlap		key = {0};
		Overlap    *o;
		bool		found;

		if (!t->hit || t->exclusion)
			continue;
		key.name = t->e.name;
		key.shadow = (t->e.flags & ATTRIBUTION_SHADOW) != 0;
		o = hash_search(b->overlaps, &key, HASH_ENTER, &found);
		if (!found)
		{
			char	   *name = MemoryContextAlloc(b->keep, key.name.len + 1);

			CheckLedgerName(&key.name);
			memcpy(name, key.name.data, key.name.len);
			o->name.data = name;
			o->both = o->malicious = o->safe = 0;
		}
		o->both++;
		o->malicious += d->labelled && d->malicious;
		o->safe += d->labelled && !d->malicious;
	}
}

static double
ScoreOf(double margin)
{
	return 1 / (1 + exp(-Min(Max(margin, -700), 700)));
}

/* The larger change first; of equal ones that with the lower key */
static int
CompareExamples(const Example *x, const Example *y)
{
	int			c = (y->levels > x->levels) - (y->levels < x->levels);

	if (c == 0)
		c = (y->change > x->change) - (y->change < x->change);
	for (int i = 0; c == 0 && i < Min(x->nkeys, y->nkeys); i++)
		c = strcmp(x->key[i], y->key[i]);
	return c;
}

/* A key as strings, in the current memory context */
static void
ReadKey(Example *e, Datum key)
{
	Datum	   *items;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(key), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &e->nkeys);
	e->key = palloc(Max(e->nkeys, 1) * sizeof(char *));
	for (int i = 0; i < e->nkeys; i++)
		e->key[i] = nulls[i] ? pstrdup("") : TextDatumGetCString(items[i]);
}

/* Keep an example, if it is among the largest. */
static void
KeepExample(Backtest *b, Example *e, Datum key)
{
	int			at;

	if (b->nexamples == b->room)
	{
		const Example *last = &b->examples[b->room - 1];

		if (b->room == 0 || e->levels < last->levels ||
			(e->levels == last->levels && e->change < last->change))
			return;
	}
	ReadKey(e, key);
	if (b->nexamples == b->room)
	{
		Example    *last = &b->examples[b->room - 1];

		if (CompareExamples(e, last) >= 0)
			return;
		for (int i = 0; i < last->nkeys; i++)
			pfree(last->key[i]);
		pfree(last->key);
		b->nexamples--;
	}
	/* Its key is to last. */
	MemoryContextSwitchTo(b->keep);
	ReadKey(e, key);
	MemoryContextSwitchTo(b->per_row);
	for (at = b->nexamples++; at > 0 && CompareExamples(e, &b->examples[at - 1]) < 0; at--)
		b->examples[at] = b->examples[at - 1];
	b->examples[at] = *e;
}

/* What verdict the decision would have with one detector more */
static void
CountChange(Backtest *b, bool hit, double contribution, Datum key)
{
	CountedDecision *d = &b->decision;
	Span		force = {b->force_verdict, b->force_verdict ? strlen(b->force_verdict) : 0};
	int			forced = hit ? VerdictLevel(d->levels, &force) : NO_LEVEL;
	int			before = Level(d, d->allowed[0], d->pushed[0], d->margin);
	int			after = Level(d, d->allowed[0], Max(d->pushed[0], forced), d->margin + contribution);
	Example		e = {0};

	if (before != after)
	{
		b->flips++;
		b->flips_right += d->labelled && d->malicious == (after > before);
		b->flips_wrong += d->labelled && d->malicious != (after > before);
	}
	e.levels = abs(after - before);
	e.before = ScoreOf(d->margin);
	e.after = ScoreOf(d->margin + contribution);
	e.change = fabs(e.after - e.before);
	if (e.levels == 0 && e.change == 0)
		return;
	e.verdict_before = &d->levels->names[before];
	e.verdict_after = &d->levels->names[after];
	e.labelled = d->labelled;
	e.malicious = d->malicious;
	KeepExample(b, &e, key);
}

static void
CountMessage(Backtest *b, TupleTableSlot *slot)
{
	CountedDecision *d = &b->decision;
	bool		fault;
	bool		hit;
	double		contribution;
	Attribution *a;

	slot_getallattrs(slot);
	d->labelled = !slot->tts_isnull[ROW_MALICIOUS];
	d->malicious = d->labelled && DatumGetBool(slot->tts_values[ROW_MALICIOUS]);
	fault = slot->tts_isnull[ROW_TRIED] ||
		(b->condition && DatumGetInt32(slot->tts_values[ROW_TRIED]) == TRY_FAULT);
	b->faults += fault;
	if (fault)
		return;
	if (b->condition)
	{
		hit = true;
		contribution = b->weight;
	}
	else
	{
		contribution = DatumGetFloat8(slot->tts_values[ROW_TRIED]);
		hit = contribution > 0;
		contribution *= b->weight;
	}
	if (hit)
	{
		b->hits++;
		b->hit_malicious += d->labelled && d->malicious;
		b->hit_safe += d->labelled && !d->malicious;
	}
	if (slot->tts_isnull[ROW_ATTRIBUTION])
		return;
	a = DatumGetAttributionP(slot->tts_values[ROW_ATTRIBUTION]);
	d->levels = hash_search(b->revisions, &a->revision, HASH_FIND, NULL);
	/* Without its thresholds nothing can be said of a ledger. */
	if (d->levels == NULL)
		return;
	ReadLedger(d, a);
	if (hit)
		CountOverlaps(b);
	CountChange(b, hit, contribution, slot->tts_values[ROW_KEY]);
}

static bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	Backtest   *b = (Backtest *) self;
	MemoryContext old = MemoryContextSwitchTo(b->per_row);

	CountMessage(b, slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(b->per_row);
	if (b->condition == NULL)
		TryProgress();
	return true;
}

/*
 * Queries
 *
 * A condition's query gives those messages that it hits (or fails for), the
 * others are counted by another: most don't have to be looked at again.  A
 * model moves the score of every message.
 */

/* Of the row, or the logged signals: does the condition hit, or the model's margin */
static void
AddTried(Backtest *b, BatchQuery *q, const char *row, bool logged)
{
	Source	   *s = b->source;

	if (b->condition)
	{
		QueryAdd(q, logged ? "assay_internal.condition_hit_logged(" : "assay_internal.condition_hit(");
		QueryValue(q, TEXTOID, CStringGetTextDatum(s->policy));
		QueryAdd(q, ", ");
		QueryValue(q, TEXTOID, CStringGetTextDatum(b->condition));
		QueryAdd(q, ", %s, ", row);
		QueryValue(q, BOOLOID, BoolGetDatum(b->careful));
		QueryAdd(q, ")");
		return;
	}
	QueryAdd(q, "assay.margin(");
	QueryValue(q, TypeByName("model"), b->model);
	if (logged)
		QueryAdd(q, ", assay_internal.signals_row(NULL::%s, %s))", s->id->signals_name, row);
	else
		QueryAdd(q, ", %s)", row);
}

/* SELECT tried, label, ledger, key, of what stands behind as "h" */
static void
AddColumns(Backtest *b, BatchQuery *q, const char *ledger)
{
	Source	   *s = b->source;

	QueryAdd(q, "SELECT h.%s, ", s->scores[0]);
	if (b->condition)
		AddLabelOf(q, s, "h");
	else
		QueryAdd(q, "l.malicious");
	QueryAdd(q, ", %s, ", ledger);
	AddKeyArray(q, s, "h");
	QueryAdd(q, " FROM (SELECT ");
}

/* WHERE ... : it hits; an equality, since the planner takes that for rare */
static void
AddTriedWhere(Backtest *b, BatchQuery *q)
{
	if (b->condition == NULL)
		QueryAdd(q, " WHERE true");
	else
		QueryAdd(q, b->careful ? " WHERE h.%s <> 0" : " WHERE h.%s = 1", b->source->scores[0]);
}

/* AND the logged time in [since, until) */
static void
AddLoggedTimes(Backtest *b, BatchQuery *q, const char *at)
{
	Source	   *s = b->source;
	TimestampTz bounds[] = {s->since, s->until};

	for (int i = 0; at && i < 2; i++)
	{
		if (TIMESTAMP_NOT_FINITE(bounds[i]))
			continue;
		QueryAdd(q, " AND assay.signal(d.signals, ");
		QueryValue(q, TEXTOID, CStringGetTextDatum(at));
		QueryAdd(q, ")::pg_catalog.timestamptz %s ", i == 0 ? ">=" : "<");
		QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(bounds[i]));
	}
	if (TIMESTAMP_IS_NOEND(s->since) || TIMESTAMP_IS_NOBEGIN(s->until))
		QueryAdd(q, " AND false");
}

/* Messages whose signals were logged, by the decision that did */
static void
LoggedQuery(Backtest *b, BatchQuery *q, const char *at, bool covering)
{
	Source		s = *b->source;

	SourceUseLog(&s, covering);
	QueryStart(q);
	q->read_only = true;
	AddColumns(b, q, "h.attribution");
	AddKeys(q, &s, "d", "");
	QueryAdd(q, ", d.revision, d.attribution::assay.attribution AS attribution, ");
	AddTried(b, q, "d.signals", true);
	QueryAdd(q, " AS %s FROM %s d WHERE ", s.scores[0], s.id->decision_name);
	AddHasLog(q, &s, "d");
	AddLoggedTimes(b, q, at);
	QueryAdd(q, " OFFSET 0) h");
	if (b->condition == NULL)
		AddLabelJoin(q, &s, "h");
	AddTriedWhere(b, q);
	QueryAdd(q, " AND ");
	AddNoLaterLog(q, &s, "h");
}

/* Messages by the view, with their latest decision; one that has none is scored */
static void
ViewQuery(Backtest *b, BatchQuery *q, bool beside_log)
{
	Source	   *s = b->source;
	BatchQuery	ledger;

	QueryStart(q);
	q->read_only = true;
	QueryStart(&ledger);
	QueryAdd(&ledger, "coalesce(v.attribution, (assay.score(%s, h.%s", quote_literal_cstr(s->policy), s->signals);
	if (s->at)
		QueryAdd(&ledger, ", NULL, (h.%s).%s", s->signals, s->at);
	QueryAdd(&ledger, ")).attribution)");
	AddColumns(b, q, ledger.sql.data);
	AddKeys(q, s, s->alias, "");
	QueryAdd(q, ", %s AS %s, ", s->alias, s->signals);
	AddTried(b, q, s->alias, false);
	QueryAdd(q, " AS %s", s->scores[0]);
	AddFrom(q, s);
	AddTimes(q, s);
	if (beside_log)
		AddNotLogged(q, s);
	QueryAdd(q, " OFFSET 0) h LEFT JOIN (SELECT ");
	AddKeys(q, s, "d", "");
	QueryAdd(q, ", d.attribution::assay.attribution AS attribution FROM %s d WHERE NOT EXISTS (SELECT FROM %s n WHERE ",
			 s->id->decision_name, s->id->decision_name);
	AddSameKey(q, s, "n", "d");
	QueryAdd(q, " AND n.revision > d.revision)) v ON ");
	AddSameKey(q, s, "v", "h");
	if (b->condition == NULL)
		AddLabelJoin(q, s, "h");
	AddTriedWhere(b, q);
}

/* How many messages the same query goes through, and what their labels say */
static void
TotalsQuery(Backtest *b, BatchQuery *q, const char *at, bool covering, bool beside_log)
{
	Source		s = *b->source;

	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE l.malicious), "
			 "pg_catalog.count(*) FILTER (WHERE NOT l.malicious) FROM (SELECT ");
	if (b->logged)
	{
		SourceUseLog(&s, covering);
		AddKeys(q, &s, "d", "");
		QueryAdd(q, " FROM %s d WHERE ", s.id->decision_name);
		AddLatestLogged(q, &s);
		AddLoggedTimes(b, q, at);
	}
	else
	{
		AddKeys(q, &s, s.alias, "");
		AddFrom(q, &s);
		AddTimes(q, &s);
		if (beside_log)
			AddNotLogged(q, &s);
	}
	QueryAdd(q, ") h");
	AddLabelJoin(q, &s, "h");
}

static void
RunTotals(Backtest *b, BatchQuery *q)
{
	int64		counts[3];
	bool		isnull;

	(void) QueryRun(q, SPI_OK_SELECT, NULL);
	for (int i = 0; i < lengthof(counts); i++)
		counts[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	b->messages += counts[0];
	b->from_log += b->logged ? counts[0] : 0;
	b->malicious += counts[1];
	b->safe += counts[2];
}

/* What is run, perhaps in a subtransaction */
typedef struct BacktestJob
{
	Backtest   *b;
	SignalsFrom from;
	const char *at;
} BacktestJob;

static void
RunBacktest(void *arg)
{
	BacktestJob *job = arg;
	Backtest   *b = job->b;
	bool		has_log = job->from != SIGNALS_VIEW && SourceHasLog(b->source);
	int			nest = NewGUCNestLevel();
	BatchQuery	q;

	/* for the keys of all messages, as for other work on whole tables */
	(void) set_config_option("work_mem", psprintf("%d", Max(work_mem, maintenance_work_mem)),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (b->careful)
		(void) set_config_option("max_parallel_workers_per_gather", "0", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	for (int log = has_log; log >= (job->from == SIGNALS_LOGGED); log--)
	{
		b->logged = log;
		if (log)
			LoggedQuery(b, &q, job->at, job->from == SIGNALS_AUTO);
		else
			ViewQuery(b, &q, has_log);
		(void) QueryRun(&q, SPI_OK_SELECT, &b->dest);
		TotalsQuery(b, &q, job->at, job->from == SIGNALS_AUTO, has_log);
		RunTotals(b, &q);
	}
	AtEOXact_GUC(true, nest);
}

/* Run it, and once more where the condition fails for some message. */
static void
RunOrMind(BacktestJob *job, int room)
{
	Backtest   *b = job->b;
	ErrorData  *error = NULL;

	for (;;)
	{
		ResetBacktest(b);
		b->room = room;
		b->examples = MemoryContextAlloc(b->keep, (room + 1) * sizeof(Example));
		if (b->careful || b->condition == NULL)
		{
			RunBacktest(job);
			return;
		}
		error = RunProtected(RunBacktest, job);
		if (error == NULL)
			return;
		FreeErrorData(error);
		b->careful = true;
	}
}

/*
 * The result
 */

static int
CompareOverlaps(const void *a, const void *b)
{
	const Overlap *x = *(const Overlap *const *) a;
	const Overlap *y = *(const Overlap *const *) b;
	int			c = (y->both > x->both) - (y->both < x->both);

	if (c == 0)
		c = memcmp(x->name.data, y->name.data, Min(x->name.len, y->name.len));
	if (c == 0)
		c = (x->name.len > y->name.len) - (x->name.len < y->name.len);
	return c == 0 ? x->shadow - y->shadow : c;
}

static Datum
ToJsonb(StringInfo json)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data));
}

/* [{"detector": ..., "mode": ..., "both": ..., "malicious": ..., "safe": ...}], most first */
static Datum
OverlapsJson(Backtest *b)
{
	StringInfoData json;
	HASH_SEQ_STATUS scan;
	int			n = 0;
	Overlap   **all = palloc((hash_get_num_entries(b->overlaps) + 1) * sizeof(Overlap *));
	Overlap    *o;

	hash_seq_init(&scan, b->overlaps);
	while ((o = hash_seq_search(&scan)) != NULL)
		all[n++] = o;
	qsort(all, n, sizeof(Overlap *), CompareOverlaps);
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(&json, i > 0 ? ", {\"detector\": " : "{\"detector\": ");
		escape_json(&json, pnstrdup(all[i]->name.data, all[i]->name.len));
		appendStringInfo(&json, ", \"mode\": \"%s\", \"both\": %lld, \"malicious\": %lld, \"safe\": %lld}",
						 all[i]->shadow ? "shadow" : "live", (long long) all[i]->both,
						 (long long) all[i]->malicious, (long long) all[i]->safe);
	}
	appendStringInfoChar(&json, ']');
	return ToJsonb(&json);
}

/* [{"key": [...], "malicious": ..., "verdict_before": ..., ...}], the largest change first */
static Datum
ExamplesJson(Backtest *b)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < b->nexamples; i++)
	{
		Example    *e = &b->examples[i];

		appendStringInfoString(&json, i > 0 ? ", {\"key\": [" : "{\"key\": [");
		for (int k = 0; k < e->nkeys; k++)
		{
			appendStringInfoString(&json, k > 0 ? ", " : "");
			escape_json(&json, e->key[k]);
		}
		appendStringInfo(&json, "], \"malicious\": %s, \"verdict_before\": ",
						 e->labelled ? (e->malicious ? "true" : "false") : "null");
		escape_json(&json, pnstrdup(e->verdict_before->data, e->verdict_before->len));
		appendStringInfoString(&json, ", \"verdict_after\": ");
		escape_json(&json, pnstrdup(e->verdict_after->data, e->verdict_after->len));
		appendStringInfo(&json, ", \"score_before\": %.6f, \"score_after\": %.6f}", e->before, e->after);
	}
	appendStringInfoChar(&json, ']');
	return ToJsonb(&json);
}

static Datum
BacktestResult(FunctionCallInfo fcinfo, Backtest *b)
{
	int64		counts[] = {b->messages, b->from_log, b->faults, b->hits, b->malicious, b->safe,
	b->hit_malicious, b->hit_safe, b->flips, b->flips_right, b->flips_wrong};
	Datum		values[lengthof(counts) + 3];
	bool		nulls[lengthof(counts) + 3] = {0};
	TupleDesc	desc;
	double		cost = 0;
	int			n = lengthof(counts);

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < n; i++)
		values[i] = Int64GetDatum(counts[i]);
	nulls[n] = !TryCost(&cost);
	values[n] = Float8GetDatum(cost);
	values[n + 1] = OverlapsJson(b);
	values[n + 2] = ExamplesJson(b);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

/* Messages to be expected, as the planner knows of them; 0: it does not */
static int64
ExpectedMessages(Source *s)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(s->id->decision));
	double		rows = 0;

	if (HeapTupleIsValid(tuple))
	{
		rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	return rows > 0 ? (int64) rows : 0;
}

/* Text of an argument, or NULL */
static char *
TextArgument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* What it takes: policy, since, until, weight and examples must be there. */
static void
CheckArguments(FunctionCallInfo fcinfo)
{
	int			needed[] = {0, 3, 5, 6, 9};

	for (int i = 0; i < lengthof(needed); i++)
		if (PG_ARGISNULL(needed[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("policy, weight, since, until and examples must not be null")));
	if (PG_ARGISNULL(1) == PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a backtest needs either a condition or a model")));
	if (PG_GETARG_INT32(9) < 0 || PG_GETARG_INT32(9) > EXAMPLES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("examples must be between 0 and %d", EXAMPLES_MAX)));
}

/*
 * count_backtest(policy, condition, model, weight, force_verdict, since, until,
 * at, signals, examples)
 */
PG_FUNCTION_INFO_V1(assay_count_backtest);
Datum
assay_count_backtest(PG_FUNCTION_ARGS)
{
	Source		s;
	Backtest	b = {0};
	BacktestJob job = {.b = &b};
	Security	security;
	MemoryContext caller = CurrentMemoryContext;	/* of what outlasts SPI */

	CheckArguments(fcinfo);
	job.at = TextArgument(fcinfo, 7);
	job.from = ParseSignalsFrom(TextArgument(fcinfo, 8));
	InitSource(&s, TextArgument(fcinfo, 0), PG_GETARG_TIMESTAMPTZ(5), PG_GETARG_TIMESTAMPTZ(6), job.at, true);
	CheckSourceLog(&s, job.from);
	RefuseDistributed(&s, "a backtest", "Make the detector in mode shadow: assay.compare() tells what it would change, and what it hits is in new decisions.");
	SourceMayRead(&s, s.id->label, s.id->label_name);
	InitReceiver(&b.dest, ReceiveRow);
	b.source = &s;
	b.keep = AllocSetContextCreate(CurrentMemoryContext, "pg_assay backtest", ALLOCSET_DEFAULT_SIZES);
	b.per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay backtest row", ALLOCSET_DEFAULT_SIZES);
	b.condition = TextArgument(fcinfo, 1);
	b.model = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
	b.weight = PG_GETARG_FLOAT8(3);
	b.force_verdict = TextArgument(fcinfo, 4);
	TryBegin(ExpectedMessages(&s));
	SPI_connect();
	b.revisions = ReadRevisions(s.policy, caller);
	EnterSource(&security, &s);
	PG_TRY();
	{
		RunOrMind(&job, PG_GETARG_INT32(9));
	}
	PG_FINALLY();
	{
		TryEnd();
	}
	PG_END_TRY();
	LeaveSecurity(&security);
	SPI_finish();
	return BacktestResult(fcinfo, &b);
}
