/*
 * decision_counts.c
 *		count_decisions(): what precision_report() needs to know of a policy's
 *		decisions, counted in one pass over their ledgers.
 *
 * The query gives each message once, by its latest decision of the time asked
 * for, with the label that counts.  Each ledger is taken apart where it stands,
 * and every detector or exclusion in it is put to the question what verdict
 * the message would have without it (a shadow detector: with it).  What is kept
 * are counters: one set for each verdict of a revision, and one for each
 * detector by mode and by what a hit claims.
 *
 * Verdicts are compared by their level in the revision that decided: 0 is the
 * default verdict, then one for each threshold, from the lowest up.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "attribution.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* No verdict forced, or no exclusion that forces one */
#define NO_LEVEL		(-1)
#define NO_LIMIT		INT_MAX

/* A revision's verdicts by level, and the scores where each begins */
typedef struct RevisionLevels
{
	int32		revision;		/* key of the hash table; must be first */
	int			nnames;
	Span	   *names;
	int			nthresholds;
	double	   *thresholds;		/* ascending */
} RevisionLevels;

/* Whom a set of counters is about */
typedef struct CountKey
{
	int32		revision;		/* of a verdict */
	uint8		kind;			/* AttributionKind, or COUNT_VERDICT */
	bool		shadow;
	bool		malicious;		/* the claim of a hit */
	Span		name;
} CountKey;

#define COUNT_VERDICT	(ATTRIBUTION_KIND_MAX + 1)

typedef struct Count
{
	CountKey	key;			/* must be first */
	int64		hits;
	int64		malicious;		/* of the hits, by label */
	int64		safe;
	int64		sole;
	int64		sole_right;
	int64		sole_wrong;
	int64		overlap;
} Count;

/* An entry of the ledger at hand */
typedef struct CountedEntry
{
	EntryReader e;
	int			forced;			/* level, or NO_LEVEL */
	bool		malicious;		/* the claim */
	bool		hit;
	bool		exclusion;
	bool		active;			/* a detector that hit and counted */
} CountedEntry;

/* The decision at hand */
typedef struct CountedDecision
{
	const RevisionLevels *levels;
	double		margin;
	bool		labelled;
	bool		malicious;		/* the label */
	int			allowed[2];		/* the lowest levels that exclusions force */
	int			pushed[2];		/* the highest that active detectors force */
	int			active[2];		/* how many claim safe, and malicious */
	int			nentries;
	CountedEntry *entries;
} CountedDecision;

/* The receiver of the query's rows */
typedef struct Counter
{
	DestReceiver dest;			/* must be first */
	HTAB	   *revisions;
	HTAB	   *counts;
	MemoryContext names;		/* for the names in "counts" */
	MemoryContext per_row;
	CountedDecision decision;
	int			room;			/* entries that it has memory for */
} Counter;

/* Columns of the query */
enum
{
	ROW_REVISION,
	ROW_VERDICT,
	ROW_ATTRIBUTION,
	ROW_MALICIOUS
};

static inline bool
SpanEqual(const Span *a, const Span *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static uint32
HashCountKey(const void *key, Size size)
{
	const CountKey *k = key;
	uint32		h = hash_bytes((const unsigned char *) k->name.data, k->name.len);

	return hash_combine(h, murmurhash32(k->revision * 16 + k->kind * 4 + k->shadow * 2 + k->malicious));
}

static int
MatchCountKey(const void *a, const void *b, Size size)
{
	const CountKey *x = a;
	const CountKey *y = b;

	return !(x->revision == y->revision && x->kind == y->kind && x->shadow == y->shadow &&
			 x->malicious == y->malicious && SpanEqual(&x->name, &y->name));
}

/* The counters of a key, whose name is kept from now on */
static Count *
FindCount(Counter *c, const CountKey *key)
{
	bool		found;
	Count	   *count = hash_search(c->counts, key, HASH_ENTER, &found);

	if (!found)
	{
		char	   *name = MemoryContextAlloc(c->names, key->name.len + 1);

		CheckLedgerName(&key->name);
		memcpy(name, key->name.data, key->name.len);
		memset((char *) count + sizeof(CountKey), 0, sizeof(Count) - sizeof(CountKey));
		count->key.name.data = name;
	}
	return count;
}

/* The level of a verdict, or NO_LEVEL where the revision doesn't know it */
static int
VerdictLevel(const RevisionLevels *levels, const Span *verdict)
{
	if (verdict->data)
		for (int i = 0; i < levels->nnames; i++)
			if (SpanEqual(&levels->names[i], verdict))
				return i;
	return NO_LEVEL;
}

/* The level that a margin gives, forced verdicts aside */
static int
MarginLevel(const RevisionLevels *levels, double margin)
{
	double		score = 1 / (1 + exp(-Min(Max(margin, -700), 700)));
	int			level = 0;

	while (level < levels->nthresholds && score >= levels->thresholds[level])
		level++;
	return level;
}

/*
 * What a hit says of the message: an exclusion, and a detector that moves the
 * margin nowhere, by the verdict that they force.
 */
static bool
ClaimsMalicious(const EntryReader *e, int forced)
{
	bool		hit = (e->flags & ATTRIBUTION_HIT) != 0;

	if (e->kind == ATTRIBUTION_EXCLUSION)
		return forced > 0;
	if (hit && e->contribution == 0)
		return forced > 0 || e->verdict.data == NULL;
	return (e->contribution > 0) == hit;
}

/* Keep the two lowest, or highest, of the levels. */
static void
KeepLowest(int *kept, int level)
{
	if (level < kept[0])
	{
		kept[1] = kept[0];
		kept[0] = level;
	}
	else if (level < kept[1])
		kept[1] = level;
}

static void
KeepHighest(int *kept, int level)
{
	if (level > kept[0])
	{
		kept[1] = kept[0];
		kept[0] = level;
	}
	else if (level > kept[1])
		kept[1] = level;
}

/* Take note of one entry, and of what all of them force together. */
static void
AddEntry(Counter *c, const EntryReader *e)
{
	CountedDecision *d = &c->decision;
	CountedEntry *t;

	if (d->nentries == c->room)
	{
		c->room = c->room == 0 ? 64 : c->room * 2;
		d->entries = d->entries == NULL ?
			MemoryContextAlloc(c->names, c->room * sizeof(CountedEntry)) :
			repalloc(d->entries, c->room * sizeof(CountedEntry));
	}
	t = &d->entries[d->nentries++];
	t->e = *e;
	t->forced = VerdictLevel(d->levels, &e->verdict);
	t->malicious = ClaimsMalicious(e, t->forced);
	t->hit = (e->flags & ATTRIBUTION_HIT) != 0;
	t->exclusion = (e->kind == ATTRIBUTION_EXCLUSION);
	t->active = t->hit && !t->exclusion && (e->flags & ATTRIBUTION_NOT_COUNTED) == 0;
	if (t->exclusion && t->hit && t->forced != NO_LEVEL)
		KeepLowest(d->allowed, t->forced);
	if (t->active)
	{
		KeepHighest(d->pushed, t->forced);
		d->active[t->malicious]++;
	}
}

/* Take a ledger apart. */
static void
ReadLedger(Counter *c, const Attribution *a)
{
	CountedDecision *d = &c->decision;
	LedgerReader reader;
	EntryReader e;

	d->margin = a->margin;
	d->nentries = 0;
	d->allowed[0] = d->allowed[1] = NO_LIMIT;
	d->pushed[0] = d->pushed[1] = NO_LEVEL;
	d->active[0] = d->active[1] = 0;
	LedgerBegin(&reader, a);
	while (LedgerNext(&reader, &e))
		if (e.kind != ATTRIBUTION_SIGNALS && !(e.flags & (ATTRIBUTION_FAULT | ATTRIBUTION_SUSPENDED)))
			AddEntry(c, &e);
}

/* The verdict: what exclusions force, else what detectors do, else by score */
static int
Level(const CountedDecision *d, int allowed, int pushed, double margin)
{
	if (allowed != NO_LIMIT)
		return allowed;
	if (pushed != NO_LEVEL)
		return pushed;
	return MarginLevel(d->levels, margin);
}

/* The verdict without an exclusion: what it muted would have counted. */
static int
LevelUnmuted(const CountedDecision *d, const CountedEntry *t)
{
	int			allowed = d->allowed[0];
	int			pushed = d->pushed[0];
	double		muted = 0;

	if (t->hit && t->forced == allowed)
		allowed = d->allowed[1];
	for (int i = 0; i < d->nentries; i++)
	{
		const CountedEntry *o = &d->entries[i];

		if (o->e.muted_by.data == NULL || (o->e.flags & ATTRIBUTION_SHADOW) ||
			!SpanEqual(&o->e.muted_by, &t->e.name))
			continue;
		muted += o->e.contribution;
		if (o->hit)
			pushed = Max(pushed, o->forced);
	}
	return Level(d, allowed, pushed, d->margin + muted);
}

/* The verdict as an entry makes it, and as it would be otherwise: are they the same? */
static bool
HasEffect(const CountedDecision *d, const CountedEntry *t, int *with, int *without)
{
	double		contribution = t->e.contribution;

	if (!t->exclusion && (t->e.flags & ATTRIBUTION_SHADOW))
	{
		/* What an exclusion mutes would remain without effect. */
		if (t->e.muted_by.data)
			return false;
		*with = Level(d, d->allowed[0], Max(d->pushed[0], t->hit ? t->forced : NO_LEVEL),
					  d->margin + contribution);
		*without = Level(d, d->allowed[0], d->pushed[0], d->margin);
	}
	else if (t->exclusion)
	{
		*with = Level(d, d->allowed[0], d->pushed[0], d->margin);
		*without = LevelUnmuted(d, t);
	}
	else if (t->e.flags & ATTRIBUTION_NOT_COUNTED)
		return false;
	else
	{
		*with = Level(d, d->allowed[0], d->pushed[0], d->margin);
		*without = Level(d, d->allowed[0],
						 d->pushed[t->active && t->forced == d->pushed[0] ? 1 : 0],
						 d->margin - contribution);
	}
	return *with != *without;
}

/* Count one entry of the decision. */
static void
CountEntry(Counter *c, const CountedEntry *t)
{
	CountedDecision *d = &c->decision;
	CountKey	key = {0};
	Count	   *count;
	int			with;
	int			without;

	key.kind = t->e.kind;
	key.shadow = !t->exclusion && (t->e.flags & ATTRIBUTION_SHADOW) != 0;
	key.malicious = t->malicious;
	key.name = t->e.name;
	count = FindCount(c, &key);
	if (t->hit)
	{
		count->hits++;
		count->malicious += d->labelled && d->malicious;
		count->safe += d->labelled && !d->malicious;
		/* others than itself, of the same claim */
		count->overlap += d->active[t->malicious] - t->active > 0;
	}
	if (HasEffect(d, t, &with, &without))
	{
		count->sole++;
		count->sole_right += d->labelled && d->malicious == (with > without);
		count->sole_wrong += d->labelled && d->malicious != (with > without);
	}
}

/* Count the decision by its verdict. */
static void
CountVerdict(Counter *c, int32 revision, const Span *verdict)
{
	CountedDecision *d = &c->decision;
	CountKey	key = {0};
	Count	   *count;

	key.kind = COUNT_VERDICT;
	key.revision = revision;
	key.name = *verdict;
	count = FindCount(c, &key);
	count->hits++;
	count->malicious += d->labelled && d->malicious;
	count->safe += d->labelled && !d->malicious;
}

static void
CountRow(Counter *c, TupleTableSlot *slot)
{
	CountedDecision *d = &c->decision;
	int32		revision;
	text	   *verdict;
	Span		name;

	slot_getallattrs(slot);
	if (slot->tts_isnull[ROW_REVISION] || slot->tts_isnull[ROW_VERDICT] ||
		slot->tts_isnull[ROW_ATTRIBUTION])
		return;
	revision = DatumGetInt32(slot->tts_values[ROW_REVISION]);
	verdict = DatumGetTextPP(slot->tts_values[ROW_VERDICT]);
	name.data = VARDATA_ANY(verdict);
	name.len = VARSIZE_ANY_EXHDR(verdict);
	d->labelled = !slot->tts_isnull[ROW_MALICIOUS];
	d->malicious = d->labelled && DatumGetBool(slot->tts_values[ROW_MALICIOUS]);
	CountVerdict(c, revision, &name);
	/* Without its thresholds nothing can be said of a ledger. */
	d->levels = hash_search(c->revisions, &revision, HASH_FIND, NULL);
	if (d->levels == NULL)
		return;
	ReadLedger(c, DatumGetAttributionP(slot->tts_values[ROW_ATTRIBUTION]));
	for (int i = 0; i < d->nentries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		CountEntry(c, &d->entries[i]);
	}
}

static bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	Counter    *c = (Counter *) self;
	MemoryContext old = MemoryContextSwitchTo(c->per_row);

	CountRow(c, slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(c->per_row);
	return true;
}

static void
ReceiverStart(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
ReceiverEnd(DestReceiver *self)
{
}

/* Tables and memory of a count, in the current memory context */
static void
InitCounter(Counter *c)
{
	HASHCTL		revisions = {.keysize = sizeof(int32),.entrysize = sizeof(RevisionLevels)};
	HASHCTL		counts = {.keysize = sizeof(CountKey),.entrysize = sizeof(Count),
	.hash = HashCountKey,.match = MatchCountKey};

	memset(c, 0, sizeof(Counter));
	c->dest.receiveSlot = ReceiveRow;
	c->dest.rStartup = ReceiverStart;
	c->dest.rShutdown = ReceiverEnd;
	c->dest.rDestroy = ReceiverEnd;
	c->dest.mydest = DestTuplestore;	/* what SPI takes for rows of ours */
	c->names = CurrentMemoryContext;
	revisions.hcxt = counts.hcxt = CurrentMemoryContext;
	c->revisions = hash_create("revisions", 64, &revisions, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	c->counts = hash_create("decision counts", 256, &counts,
							HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	c->per_row = AllocSetContextCreate(CurrentMemoryContext, "decision", ALLOCSET_DEFAULT_SIZES);
}

/* A column of SPI_tuptable, an array without nulls, copied to memory of ours */
static int
SpiArray(Counter *c, uint64 row, int column, Oid type, Datum **items)
{
	MemoryContext old = MemoryContextSwitchTo(c->names);
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	bool	   *nulls;
	int			n = 0;

	if (!isnull)
		deconstruct_array(DatumGetArrayTypePCopy(value), type, type == TEXTOID ? -1 : 8,
						  type != TEXTOID && FLOAT8PASSBYVAL,
						  type == TEXTOID ? TYPALIGN_INT : TYPALIGN_DOUBLE, items, &nulls, &n);
	MemoryContextSwitchTo(old);
	return n;
}

/* One row of them: revision, names of the verdicts, thresholds */
static void
KeepRevision(Counter *c, uint64 row)
{
	bool		isnull;
	int32		revision = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[row],
													   SPI_tuptable->tupdesc, 1, &isnull));
	RevisionLevels *levels = hash_search(c->revisions, &revision, HASH_ENTER, NULL);
	Datum	   *names = NULL;
	Datum	   *thresholds = NULL;

	levels->nnames = SpiArray(c, row, 2, TEXTOID, &names);
	levels->names = MemoryContextAlloc(c->names, (levels->nnames + 1) * sizeof(Span));
	for (int i = 0; i < levels->nnames; i++)
	{
		levels->names[i].data = VARDATA_ANY(DatumGetPointer(names[i]));
		levels->names[i].len = VARSIZE_ANY_EXHDR(DatumGetPointer(names[i]));
	}
	levels->nthresholds = SpiArray(c, row, 3, FLOAT8OID, &thresholds);
	levels->thresholds = MemoryContextAlloc(c->names, (levels->nthresholds + 1) * sizeof(double));
	for (int i = 0; i < levels->nthresholds; i++)
		levels->thresholds[i] = DatumGetFloat8(thresholds[i]);
}

/* The policy's revisions, as far as the caller may read them */
static void
ReadRevisions(Counter *c, const char *policy)
{
	BatchQuery	q;
	uint64		n;

	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT v.revision, v.default_verdict || t.names, t.thresholds FROM assay.revision v, LATERAL ("
			 "SELECT coalesce(pg_catalog.array_agg(e.key ORDER BY e.value::pg_catalog.float8), '{}') AS names, "
			 "coalesce(pg_catalog.array_agg(e.value::pg_catalog.float8 ORDER BY e.value::pg_catalog.float8), '{}') AS thresholds "
			 "FROM pg_catalog.jsonb_each_text(v.thresholds) e) t WHERE v.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(policy));
	n = QueryRun(&q, SPI_OK_SELECT, NULL);
	for (uint64 i = 0; i < n; i++)
		KeepRevision(c, i);
}

/* Each message's latest decision of that time, with the label that counts */
static void
CountedDecisions(BatchQuery *q, Source *s, Datum since, Datum until)
{
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT v.revision::pg_catalog.int4, v.verdict::pg_catalog.text, v.attribution::assay.attribution, "
			 "l.malicious FROM %s v LEFT JOIN ", s->id->decision_name);
	AddLabels(q, s);
	QueryAdd(q, " l ON ");
	AddSameKey(q, s, "l", "v");
	QueryAdd(q, " WHERE ");
	AddLatestDecision(q, s, "v", since, until);
}

/*
 * Run the query with memory for the keys of all messages, as for other work
 * on whole tables: else their ledgers would go through files.
 */
static void
RunCount(BatchQuery *q, Counter *c)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("work_mem", psprintf("%d", Max(work_mem, maintenance_work_mem)),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) QueryRun(q, SPI_OK_SELECT, &c->dest);
	AtEOXact_GUC(true, nest);
}

static const char *
KindName(int kind)
{
	switch (kind)
	{
		case ATTRIBUTION_RULE:
			return "rule";
		case ATTRIBUTION_MODEL:
			return "model";
		case ATTRIBUTION_EXCLUSION:
			return "exclusion";
	}
	return "verdict";
}

static void
PutCount(ReturnSetInfo *result, const Count *count)
{
	bool		detector = count->key.kind != COUNT_VERDICT;
	Datum		values[12] = {0};
	bool		nulls[12] = {0};

	values[0] = CStringGetTextDatum(KindName(count->key.kind));
	values[1] = Int32GetDatum(count->key.revision);
	nulls[1] = detector;
	values[2] = PointerGetDatum(cstring_to_text_with_len(count->key.name.data, count->key.name.len));
	values[3] = CStringGetTextDatum(count->key.shadow ? "shadow" : "live");
	nulls[3] = !detector || count->key.kind == ATTRIBUTION_EXCLUSION;
	values[4] = CStringGetTextDatum(count->key.malicious ? "malicious" : "safe");
	nulls[4] = !detector;
	values[5] = Int64GetDatum(count->hits);
	values[6] = Int64GetDatum(count->malicious);
	values[7] = Int64GetDatum(count->safe);
	values[8] = Int64GetDatum(count->sole);
	values[9] = Int64GetDatum(count->sole_right);
	values[10] = Int64GetDatum(count->sole_wrong);
	values[11] = Int64GetDatum(count->overlap);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* count_decisions(policy, since, until) */
PG_FUNCTION_INFO_V1(assay_count_decisions);
Datum
assay_count_decisions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Source		s;
	Security	security;
	BatchQuery	q;
	Counter		c;
	HASH_SEQ_STATUS scan;
	Count	   *count;

	InitMaterializedSRF(fcinfo, 0);
	InitSourceKeys(&s, policy);
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	SourceMayRead(&s, s.id->label, s.id->label_name);
	InitCounter(&c);
	SPI_connect();
	ReadRevisions(&c, policy);
	CountedDecisions(&q, &s, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	EnterSource(&security, &s);
	RunCount(&q, &c);
	LeaveSecurity(&security);
	SPI_finish();
	hash_seq_init(&scan, c.counts);
	while ((count = hash_seq_search(&scan)) != NULL)
		PutCount(result, count);
	return (Datum) 0;
}
