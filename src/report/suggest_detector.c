/*
 * suggest_detector.c
 *		From some messages that were missed, conditions that tell them from
 *		the rest.
 *
 * The first query reads the missed ones, and finds what many of them have in
 * common (signal_traits.c).  The second goes once through all that was logged
 * in the time, and counts messages by which of these traits hold: from then on
 * conditions are tried on the counts alone.  They are grown greedily, part by
 * part, by the information gain of FOIL (J. R. Quinlan, Learning logical
 * definitions from relations, Machine Learning 5, 1990), each for those
 * messages that none before has caught.  A third query tells which standing
 * detectors hit where they do.
 *
 * Signals are those that were logged, with the decision of the latest revision
 * that did.
 */
#include "postgres.h"

#include <math.h>

#include "attribution.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "latest.h"
#include "miscadmin.h"
#include "signal_rows.h"
#include "signal_traits.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"

#define MISSED_MAX		10000	/* messages to learn from */
#define DRAFTS_MAX		20
#define PARTS_MAX		6

/* Groups are some fifty bytes each; beyond so many traits are given up */
#define GROUPS_MAX		500000

/* Messages for which the same traits hold */
typedef struct TraitGroup
{
	TraitBits	bits;			/* key of the hash table; must be first */
	int64		missed;
	int64		uncaught;		/* of these, by no draft so far */
	int64		messages;		/* of the time, the missed ones among them */
	int64		missed_within;
	int64		malicious;		/* by label, of the others */
	int64		safe;
} TraitGroup;

/* A condition, and what it does */
typedef struct Draft
{
	TraitBits	bits;
	int			parts;
	int64		caught;
	int64		uncaught;
	int64		hits;
	int64		malicious;
	int64		safe;
	HTAB	   *overlap;		/* of detectors' names */
} Draft;

typedef struct Overlap
{
	char		name[256];		/* key of the hash table; must be first */
	int64		both;
} Overlap;

typedef enum Pass
{
	PASS_NOTE,					/* what have the missed ones in common? */
	PASS_MISSED,				/* count these */
	PASS_ALL,					/* count all */
	PASS_OVERLAP
} Pass;

/* The receiver of the queries' rows */
typedef struct Miner
{
	DestReceiver dest;			/* must be first */
	Source	   *source;
	SignalRows	rows;
	Traits		traits;
	HTAB	   *groups;
	MemoryContext per_row;
	Pass		pass;
	int64		missed;
	int			ndrafts;
	Draft		drafts[DRAFTS_MAX];
} Miner;

/* Columns of the queries */
enum
{
	ROW_SIGNALS,
	ROW_EXTRA,					/* within the time; malicious; ledger */
	ROW_LABEL					/* of the missed ones: malicious */
};

static HTAB *
MakeGroups(void)
{
	HASHCTL		ctl = {.keysize = sizeof(TraitBits),.entrysize = sizeof(TraitGroup),.hcxt = CurrentMemoryContext};

	return hash_create("messages by signals", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static TraitGroup *
GroupOf(HTAB *groups, const TraitBits *bits)
{
	bool		found;
	TraitGroup *g = hash_search(groups, bits, HASH_ENTER, &found);

	if (!found)
		memset((char *) g + sizeof(TraitBits), 0, sizeof(TraitGroup) - sizeof(TraitBits));
	return g;
}

/* Too many groups: give up the trait that has the least support, until there are half as many. */
static void
Shrink(Miner *m)
{
	MemoryContext old = MemoryContextSwitchTo(m->traits.context);

	while (hash_get_num_entries(m->groups) > GROUPS_MAX / 2 && m->traits.ntraits > 1)
	{
		int			last = --m->traits.ntraits;
		HTAB	   *fewer = MakeGroups();
		HASH_SEQ_STATUS scan;
		TraitGroup *g;

		CHECK_FOR_INTERRUPTS();
		hash_seq_init(&scan, m->groups);
		while ((g = hash_seq_search(&scan)) != NULL)
		{
			TraitBits	bits = g->bits;
			TraitGroup *to;

			bits.w[last / 64] &= ~(UINT64CONST(1) << (last % 64));
			to = GroupOf(fewer, &bits);
			to->missed += g->missed;
			to->messages += g->messages;
			to->missed_within += g->missed_within;
			to->malicious += g->malicious;
			to->safe += g->safe;
		}
		hash_destroy(m->groups);
		m->groups = fewer;
	}
	MemoryContextSwitchTo(old);
}

/* Traits that are not given up */
static void
Mask(const Miner *m, TraitBits *bits)
{
	for (int i = 0; i < TRAIT_WORDS; i++)
	{
		int			n = m->traits.ntraits - 64 * i;

		bits->w[i] &= n >= 64 ? PG_UINT64_MAX : n <= 0 ? 0 : (UINT64CONST(1) << n) - 1;
	}
}

/* Detectors that hit beside a draft */
static void
CountOverlap(Draft *d, Attribution *a)
{
	LedgerReader reader;
	EntryReader e;

	LedgerBegin(&reader, a);
	while (LedgerNext(&reader, &e))
	{
		Overlap		key = {0};
		Overlap    *o;
		bool		found;

		if (!(e.flags & ATTRIBUTION_HIT) || e.kind == ATTRIBUTION_EXCLUSION || e.kind == ATTRIBUTION_SIGNALS)
			continue;

		/*
		 * A name has 200 characters at most; what is longer than the place
		 * for it is left out.
		 */
		if (e.name.len >= sizeof(key.name))
			continue;
		memcpy(key.name, e.name.data, e.name.len);
		o = hash_search(d->overlap, &key, HASH_ENTER, &found);
		if (!found)
			o->both = 0;
		o->both++;
	}
}

/* A label counts n times more. */
static void
CountLabel(TraitGroup *g, TupleTableSlot *slot, int column, int n)
{
	if (slot->tts_isnull[column])
		return;
	if (DatumGetBool(slot->tts_values[column]))
		g->malicious += n;
	else
		g->safe += n;
}

static void
CountMessage(Miner *m, TupleTableSlot *slot)
{
	TraitBits	bits;
	TraitGroup *g;

	slot_getallattrs(slot);
	if (slot->tts_isnull[ROW_SIGNALS])
		return;
	SignalRowsRead(&m->rows, slot->tts_values[ROW_SIGNALS], true);
	if (m->pass == PASS_NOTE)
	{
		TraitsNote(&m->traits, m->rows.values, m->rows.nulls);
		return;
	}
	TraitsHold(&m->traits, m->rows.values, m->rows.nulls, &bits);
	Mask(m, &bits);
	if (m->pass == PASS_OVERLAP)
	{
		for (int i = 0; i < m->ndrafts && !slot->tts_isnull[ROW_EXTRA]; i++)
			if (TraitsAll(&bits, &m->drafts[i].bits))
				CountOverlap(&m->drafts[i], DatumGetAttributionP(slot->tts_values[ROW_EXTRA]));
		return;
	}
	g = GroupOf(m->groups, &bits);
	if (m->pass == PASS_MISSED)
	{
		m->missed++;
		g->missed++;

		/*
		 * What counts as missed counts as no other: the pass over all adds
		 * it.
		 */
		if (DatumGetBool(slot->tts_values[ROW_EXTRA]))
		{
			g->missed_within++;
			CountLabel(g, slot, ROW_LABEL, -1);
		}
		return;
	}
	g->messages++;
	CountLabel(g, slot, ROW_EXTRA, 1);
	if (hash_get_num_entries(m->groups) > GROUPS_MAX)
		Shrink(m);
}

static bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	Miner	   *m = (Miner *) self;
	MemoryContext old = MemoryContextSwitchTo(m->per_row);

	CountMessage(m, slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(m->per_row);
	return true;
}

/*
 * Queries
 */

/* AND d.decided_at in [since, until), d being the latest decision that logged */
static void
AddTime(BatchQuery *q, FunctionCallInfo fcinfo)
{
	QueryAdd(q, "d.decided_at >= ");
	QueryValue(q, TIMESTAMPTZOID, PG_GETARG_DATUM(2));
	QueryAdd(q, " AND d.decided_at < ");
	QueryValue(q, TIMESTAMPTZOID, PG_GETARG_DATUM(3));
}

/* The missed messages: SELECT signals, within the time, the label */
static void
MissedQuery(BatchQuery *q, Source *s, FunctionCallInfo fcinfo)
{
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT d.signals, ");
	AddTime(q, fcinfo);
	QueryAdd(q, ", l.malicious FROM ");
	AddKeyList(q, s, PG_GETARG_DATUM(1), MISSED_MAX);
	QueryAdd(q, " k JOIN %s d ON ", s->id->decision_name);
	AddSameKey(q, s, "d", "k");
	AddLabelJoin(q, s, "d");
	QueryAdd(q, " WHERE ");
	AddLatestLogged(q, s);
}

/* All of the time: SELECT signals, and the label or the ledger */
static void
AllQuery(BatchQuery *q, Source *s, FunctionCallInfo fcinfo, bool ledger)
{
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT d.signals, %s FROM %s d", ledger ? "d.attribution::assay.attribution" : "l.malicious", s->id->decision_name);
	if (!ledger)
		AddLabelJoin(q, s, "d");
	QueryAdd(q, " WHERE ");
	AddTime(q, fcinfo);
	QueryAdd(q, " AND ");
	AddLatestLogged(q, s);
}

static void
RunPass(Miner *m, BatchQuery *q, Pass pass)
{
	Security	security;

	m->pass = pass;
	EnterSource(&security, m->source);
	QueryRunLarge(q, &m->dest);
	LeaveSecurity(&security);
}

/*
 * Search
 */

/* What a condition does, by the groups */
static void
Measure(Miner *m, Draft *d)
{
	HASH_SEQ_STATUS scan;
	TraitGroup *g;

	d->caught = d->uncaught = d->hits = d->malicious = d->safe = 0;
	hash_seq_init(&scan, m->groups);
	while ((g = hash_seq_search(&scan)) != NULL)
	{
		if (!TraitsAll(&g->bits, &d->bits))
			continue;
		d->caught += g->missed;
		d->uncaught += g->uncaught;
		/* the missed ones, and whoever else of the time */
		d->hits += g->missed + Max(g->messages - g->missed_within, 0);
		d->malicious += g->malicious;
		d->safe += g->safe;
	}
}

/* FOIL's gain of a condition with p right and n wrong over one with p0 and n0 */
static double
Gain(double p, double n, double p0, double n0)
{
	return p <= 0 ? 0 : p * (log2(p / (p + n)) - log2(p0 / (p0 + n0)));
}

/* The trait that a condition gains most by, or -1; what it would then do */
static int
BestPart(Miner *m, const Draft *d)
{
	int64	   *right = palloc0(TRAITS_MAX * sizeof(int64));
	int64	   *wrong = palloc0(TRAITS_MAX * sizeof(int64));
	int64		right_all = 0;
	int64		wrong_all = 0;
	HASH_SEQ_STATUS scan;
	TraitGroup *g;
	double		best = 1e-9;
	int			found = -1;

	CHECK_FOR_INTERRUPTS();
	hash_seq_init(&scan, m->groups);
	while ((g = hash_seq_search(&scan)) != NULL)
	{
		int64		rest = Max(g->messages - g->missed_within - g->malicious, 0);

		if (!TraitsAll(&g->bits, &d->bits) || (rest == 0 && g->uncaught == 0))
			continue;
		right_all += g->uncaught;
		wrong_all += rest;
		for (int i = 0; i < m->traits.ntraits; i++)
		{
			if (!TraitHolds(&g->bits, i))
				continue;
			right[i] += g->uncaught;
			wrong[i] += rest;
		}
	}
	for (int i = 0; i < m->traits.ntraits && right_all > 0; i++)
	{
		double		gain = TraitHolds(&d->bits, i) ? 0 : Gain(right[i], wrong[i], right_all, wrong_all);

		if (gain > best)
		{
			best = gain;
			found = i;
		}
	}
	pfree(right);
	pfree(wrong);
	return found;
}

/* Take away parts without which no more is hit. */
static void
Prune(Miner *m, Draft *d)
{
	for (int i = m->traits.ntraits - 1; i >= 0 && d->parts > 1; i--)
	{
		Draft		less = *d;

		if (!TraitHolds(&d->bits, i))
			continue;
		less.bits.w[i / 64] &= ~(UINT64CONST(1) << (i % 64));
		less.parts--;
		Measure(m, &less);
		if (less.hits == d->hits)
			*d = less;
	}
}

/* Grow a condition; false: nothing tells them from the rest. */
static bool
GrowDraft(Miner *m, Draft *d, int parts)
{
	memset(d, 0, sizeof(Draft));
	while (d->parts < parts)
	{
		int			best = BestPart(m, d);

		if (best < 0)
			break;
		TraitSet(&d->bits, best);
		d->parts++;
	}
	if (d->parts == 0)
		return false;
	Measure(m, d);
	Prune(m, d);
	return d->uncaught > 0;
}

/* What it catches is caught. */
static void
MarkCaught(Miner *m, const Draft *d)
{
	HASH_SEQ_STATUS scan;
	TraitGroup *g;

	hash_seq_init(&scan, m->groups);
	while ((g = hash_seq_search(&scan)) != NULL)
		if (TraitsAll(&g->bits, &d->bits))
			g->uncaught = 0;
}

static void
Search		(Miner *m, int drafts, int parts)
{
	HASH_SEQ_STATUS scan;
	TraitGroup *g;

	hash_seq_init(&scan, m->groups);
	while ((g = hash_seq_search(&scan)) != NULL)
		g->uncaught = g->missed;
	while (m->ndrafts < drafts && GrowDraft(m, &m->drafts[m->ndrafts], parts))
	{
		HASHCTL		ctl = {.keysize = sizeof(((Overlap *) 0)->name),.entrysize = sizeof(Overlap),.hcxt = CurrentMemoryContext};
		Draft	   *d = &m->drafts[m->ndrafts++];

		MarkCaught(m, d);
		d->overlap = hash_create("overlap of a draft", 16, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
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
	int			c = (x->both < y->both) - (x->both > y->both);

	return c ? c : strcmp(x->name, y->name);
}

/* [{"detector": ..., "both": ...}], most first */
static Datum
OverlapJson(Draft *d)
{
	StringInfoData json;
	HASH_SEQ_STATUS scan;
	Overlap    *o;
	Overlap   **all = palloc((hash_get_num_entries(d->overlap) + 1) * sizeof(Overlap *));
	int			n = 0;

	hash_seq_init(&scan, d->overlap);
	while ((o = hash_seq_search(&scan)) != NULL)
		all[n++] = o;
	qsort(all, n, sizeof(Overlap *), CompareOverlaps);
	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	for (int i = 0; i < n; i++)
	{
		appendStringInfoString(&json, i > 0 ? ", {\"detector\": " : "{\"detector\": ");
		escape_json(&json, all[i]->name);
		appendStringInfo(&json, ", \"both\": %lld}", (long long) all[i]->both);
	}
	appendStringInfoChar(&json, ']');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

static void
PutDrafts(Miner *m, ReturnSetInfo *result)
{
	for (int i = 0; i < m->ndrafts; i++)
	{
		Draft	   *d = &m->drafts[i];
		Datum		values[9];
		bool		nulls[9] = {0};

		values[0] = Int32GetDatum(i + 1);
		values[1] = CStringGetTextDatum(TraitsCondition(&m->traits, &d->bits));
		values[2] = Int64GetDatum(d->caught);
		values[3] = Int64GetDatum(d->uncaught);
		values[4] = Int64GetDatum(d->hits);
		values[5] = Int64GetDatum(d->malicious);
		values[6] = Int64GetDatum(d->safe);
		values[7] = Int64GetDatum(m->missed);
		values[8] = OverlapJson(d);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* Signals that conditions may name: all but the key */
static Bitmapset *
NoKeys(Source *s, TupleDesc desc)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < desc->natts; i++)
		if (!SourceHasKey(s, NameStr(TupleDescAttr(desc, i)->attname)))
			columns = bms_add_member(columns, i);
	return columns ? columns : bms_make_singleton(desc->natts);
}

/* Read the missed messages, and then all of the time. */
static void
ReadMessages(Miner *m, FunctionCallInfo fcinfo)
{
	BatchQuery	q;
	MemoryContext old;

	TraitsInit(&m->traits, m->rows.desc, NoKeys(m->source, m->rows.desc));
	SignalRowsWant(&m->rows, TraitsColumns(&m->traits));
	MissedQuery(&q, m->source, fcinfo);
	RunPass(m, &q, PASS_NOTE);
	if (m->traits.noted == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("no signals of these messages were logged"),
				 errhint("alter_policy(policy, log_signals => true) logs those of messages that come.")));
	/* Of few what two have, of many what one in fifty has */
	TraitsChoose(&m->traits, Max(m->traits.noted / 50, Min(m->traits.noted, 2)), TRAITS_MAX, true);
	SignalRowsWant(&m->rows, TraitsColumns(&m->traits));
	old = MemoryContextSwitchTo(m->traits.context);
	m->groups = MakeGroups();
	MemoryContextSwitchTo(old);
	RunPass(m, &q, PASS_MISSED);
	AllQuery(&q, m->source, fcinfo, false);
	RunPass(m, &q, PASS_ALL);
}

/* mine_detectors(policy, keys, since, until, n, parts) */
PG_FUNCTION_INFO_V1(assay_mine_detectors);
Datum
assay_mine_detectors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			drafts = PG_GETARG_INT32(4);
	int			parts = PG_GETARG_INT32(5);
	Source		s;
	Miner		m = {0};
	BatchQuery	q;

	if (drafts < 1 || drafts > DRAFTS_MAX || parts < 1 || parts > PARTS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("n must be between 1 and %d, and parts between 1 and %d", DRAFTS_MAX, PARTS_MAX)));
	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), DT_NOBEGIN, DT_NOEND, NULL, true);
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	SourceMayRead(&s, s.id->label, s.id->label_name);
	CheckSourceLog(&s, SIGNALS_LOGGED);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	m.source = &s;
	InitReceiver(&m.dest, ReceiveRow);
	m.per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay row", ALLOCSET_DEFAULT_SIZES);
	SignalRowsInit(&m.rows, &s);
	ReadMessages(&m, fcinfo);
	Search		(&m, drafts, parts);

	if (m.ndrafts > 0)
	{
		AllQuery(&q, &s, fcinfo, true);
		RunPass(&m, &q, PASS_OVERLAP);
	}
	PutDrafts(&m, result);
	SPI_finish();
	return (Datum) 0;
}
