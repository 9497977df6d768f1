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
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "attribution.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "ledger_effect.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

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

/* The receiver of the query's rows */
typedef struct Counter
{
	DestReceiver dest;			/* must be first */
	HTAB	   *revisions;
	HTAB	   *counts;
	MemoryContext names;		/* for the names in "counts" */
	MemoryContext per_row;
	CountedDecision decision;
} Counter;

/* Columns of the query */
enum
{
	ROW_REVISION,
	ROW_VERDICT,
	ROW_ATTRIBUTION,
	ROW_MALICIOUS
};

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
	ReadLedger(d, DatumGetAttributionP(slot->tts_values[ROW_ATTRIBUTION]));
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
	HASHCTL		counts = {.keysize = sizeof(CountKey),.entrysize = sizeof(Count),
	.hash = HashCountKey,.match = MatchCountKey};

	memset(c, 0, sizeof(Counter));
	c->dest.receiveSlot = ReceiveRow;
	c->dest.rStartup = ReceiverStart;
	c->dest.rShutdown = ReceiverEnd;
	c->dest.rDestroy = ReceiverEnd;
	c->dest.mydest = DestTuplestore;	/* what SPI takes for rows of ours */
	c->names = CurrentMemoryContext;
	c->decision.context = counts.hcxt = CurrentMemoryContext;
	c->counts = hash_create("decision counts", 256, &counts,
							HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	c->per_row = AllocSetContextCreate(CurrentMemoryContext, "decision", ALLOCSET_DEFAULT_SIZES);
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
	c.revisions = ReadRevisions(policy, c.names);
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
