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
#include "compile.h"
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
	uint8		kind;			/* AttributionKind, or one of those below */
	bool		shadow;
	bool		malicious;		/* the claim of a hit */
	Span		name;
	Span		other;			/* of a pair */
	Span		segment;		/* or absent */
} CountKey;

#define COUNT_VERDICT	(ATTRIBUTION_KIND_MAX + 1)
#define COUNT_TAG		(ATTRIBUTION_KIND_MAX + 2)
#define COUNT_PAIR		(ATTRIBUTION_KIND_MAX + 3)

/* As many sets of counters as memory should hold */
#define COUNTS_MAX		2000000

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

/* A detector's tags, as it has them now */
typedef struct DetectorTags
{
	Span		name;			/* key of the hash table */
	int			n;
	Span	   *tags;
} DetectorTags;

/* The receiver of the query's rows */
typedef struct Counter
{
	DestReceiver dest;			/* must be first */
	HTAB	   *revisions;
	HTAB	   *counts;
	HTAB	   *tags;			/* or NULL */
	bool		pairs;			/* count detectors that hit together */
	MemoryContext names;		/* for the names in "counts" */
	MemoryContext per_row;
	CountedDecision decision;
	Span		segment;		/* of the decision */
} Counter;

/* Columns of the query */
enum
{
	ROW_REVISION,
	ROW_VERDICT,
	ROW_ATTRIBUTION,
	ROW_MALICIOUS,
	ROW_SEGMENT
};

static uint32
HashCountKey(const void *key, Size size)
{
	const CountKey *k = key;
	uint32		h = hash_bytes((const unsigned char *) k->name.data, k->name.len);

	if (k->segment.data)
		h = hash_combine(h, hash_bytes((const unsigned char *) k->segment.data, k->segment.len));
	if (k->other.data)
		h = hash_combine(h, hash_bytes((const unsigned char *) k->other.data, k->other.len));
	return hash_combine(h, murmurhash32(k->revision * 16 + k->kind * 4 + k->shadow * 2 + k->malicious));
}

/* The same strings, or both absent */
static bool
SameSpan(const Span *a, const Span *b)
{
	return (a->data == NULL) == (b->data == NULL) && SpanEqual(a, b);
}

static int
MatchCountKey(const void *a, const void *b, Size size)
{
	const CountKey *x = a;
	const CountKey *y = b;

	return !(x->revision == y->revision && x->kind == y->kind && x->shadow == y->shadow &&
			 x->malicious == y->malicious && SpanEqual(&x->name, &y->name) &&
			 SameSpan(&x->segment, &y->segment) && SameSpan(&x->other, &y->other));
}

/* A copy of a string of a ledger, in memory that lasts */
static void
KeepSpan(Counter *c, Span *span)
{
	char	   *copy;

	if (span->data == NULL)
		return;
	copy = MemoryContextAlloc(c->names, span->len + 1);
	memcpy(copy, span->data, span->len);
	span->data = copy;
}

/* The counters of a key, whose name is kept from now on */
static Count *
FindCount(Counter *c, const CountKey *key)
{
	bool		found;
	Count	   *count = hash_search(c->counts, key, HASH_ENTER, &found);

	if (!found)
	{
		CheckLedgerName(&key->name);
		if (hash_get_num_entries(c->counts) > COUNTS_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a report would have more than %d counts", COUNTS_MAX),
					 errhint("Ask for a shorter time, or by a column with fewer values.")));
		memset((char *) count + sizeof(CountKey), 0, sizeof(Count) - sizeof(CountKey));
		KeepSpan(c, &count->key.name);
		KeepSpan(c, &count->key.other);
		KeepSpan(c, &count->key.segment);
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
	key.segment = c->segment;
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

/* Count a hit, and what the label says of it. */
static void
CountHit(CountedDecision *d, Count *count)
{
	count->hits++;
	count->malicious += d->labelled && d->malicious;
	count->safe += d->labelled && !d->malicious;
}

/* Count the decision by its verdict. */
static void
CountVerdict(Counter *c, int32 revision, const Span *verdict)
{
	CountedDecision *d = &c->decision;
	CountKey	key = {0};

	key.kind = COUNT_VERDICT;
	key.revision = revision;
	key.name = *verdict;
	key.segment = c->segment;
	CountHit(d, FindCount(c, &key));
}

/* Tags of the detectors that counted, each once for each claim */
static void
CountTags(Counter *c)
{
	CountedDecision *d = &c->decision;
	List	   *seen = NIL;

	for (int i = 0; i < d->nentries; i++)
	{
		const CountedEntry *t = &d->entries[i];
		const DetectorTags *tags = t->active ? hash_search(c->tags, &t->e.name, HASH_FIND, NULL) : NULL;

		for (int j = 0; tags && j < tags->n; j++)
		{
			CountKey	key = {0};
			Count	   *count;

			key.kind = COUNT_TAG;
			key.malicious = t->malicious;
			key.name = tags->tags[j];
			key.segment = c->segment;
			count = FindCount(c, &key);
			if (list_member_ptr(seen, count))
				continue;
			seen = lappend(seen, count);
			CountHit(d, count);
		}
	}
}

/* The name by which a detector is told of in a pair: "shadow:" before one in shadow */
static Span
PairName(const CountedEntry *t)
{
	Span		name = t->e.name;

	if (t->e.flags & ATTRIBUTION_SHADOW)
	{
		char	   *marked = palloc(name.len + 8);

		memcpy(marked, "shadow:", 7);
		memcpy(marked + 7, name.data, name.len);
		name.data = marked;
		name.len += 7;
	}
	return name;
}

/* Each two detectors that hit, the lower name first */
static void
CountPairs(Counter *c)
{
	CountedDecision *d = &c->decision;
	Span	   *names = palloc(Max(d->nentries, 1) * sizeof(Span));
	int			n = 0;

	for (int i = 0; i < d->nentries; i++)
		if (d->entries[i].hit && !d->entries[i].exclusion)
		{
			CheckLedgerName(&d->entries[i].e.name);
			names[n++] = PairName(&d->entries[i]);
		}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
		{
			CountKey	key = {0};
			int			order = memcmp(names[i].data, names[j].data, Min(names[i].len, names[j].len));
			bool		lower = order < 0 || (order == 0 && names[i].len < names[j].len);

			CHECK_FOR_INTERRUPTS();
			key.kind = COUNT_PAIR;
			key.name = names[lower ? i : j];
			key.other = names[lower ? j : i];
			key.segment = c->segment;
			CountHit(d, FindCount(c, &key));
		}
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
	c->segment.data = NULL;
	c->segment.len = 0;
	if (!slot->tts_isnull[ROW_SEGMENT])
	{
		text	   *segment = DatumGetTextPP(slot->tts_values[ROW_SEGMENT]);

		c->segment.data = VARDATA_ANY(segment);
		c->segment.len = VARSIZE_ANY_EXHDR(segment);
	}
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
	if (c->tags)
		CountTags(c);
	if (c->pairs)
		CountPairs(c);
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

/* Tables and memory of a count, in the current memory context */
static void
InitCounter(Counter *c)
{
	HASHCTL		counts = {.keysize = sizeof(CountKey),.entrysize = sizeof(Count),
	.hash = HashCountKey,.match = MatchCountKey};

	memset(c, 0, sizeof(Counter));
	InitReceiver(&c->dest, ReceiveRow);
	c->names = CurrentMemoryContext;
	c->decision.context = counts.hcxt = CurrentMemoryContext;
	c->counts = hash_create("decision counts", 256, &counts,
							HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	c->per_row = AllocSetContextCreate(CurrentMemoryContext, "decision", ALLOCSET_DEFAULT_SIZES);
}

/* What a segment is: the label's category, a column of the decision, or a signal */
static void
AddSegment(BatchQuery *q, Source *s, const char *by)
{
	if (by == NULL)
		QueryAdd(q, "NULL::pg_catalog.text");
	else if (strcmp(by, "category") == 0)
		QueryAdd(q, "l.category");
	else if (get_attnum(s->id->decision, by) > 0)
		QueryAdd(q, "v.%s::pg_catalog.text", quote_identifier(by));
	else if (OidIsValid(s->id->signals) && get_attnum(s->id->signals, by) > 0)
		QueryAdd(q, "m.%s::pg_catalog.text", quote_identifier(by));
	else
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("policy \"%s\" has no column \"%s\" to report by", s->policy, by),
				 errhint("Name a column of its decision table or of its signals view, or category, that of the labels.")));
}

/* Is it a signal, of which the view tells? */
static bool
IsBySignal(Source *s, const char *by)
{
	return by && strcmp(by, "category") != 0 && get_attnum(s->id->decision, by) <= 0;
}

/* Each message's latest decision of that time, with the label that counts */
static void
CountedDecisions(BatchQuery *q, Source *s, Datum since, Datum until, const char *by)
{
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT v.revision::pg_catalog.int4, v.verdict::pg_catalog.text, v.attribution::assay.attribution, "
			 "l.malicious, ");
	AddSegment(q, s, by);
	QueryAdd(q, " FROM %s v", s->id->decision_name);
	AddLabelJoin(q, s, "v");
	if (IsBySignal(s, by))
	{
		PolicyCheckOwners(s->id);
		QueryAdd(q, " LEFT JOIN %s m ON ", s->id->signals_name);
		AddSameKey(q, s, "m", "v");
	}
	QueryAdd(q, " WHERE ");
	AddLatestDecision(q, s, "v", since, until);
}

/* The same for each hour by itself, which is the segment */
static void
DecisionsOfHours(BatchQuery *q, Source *s, Datum hours)
{
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT v.revision::pg_catalog.int4, v.verdict::pg_catalog.text, v.attribution::assay.attribution, "
			 "l.malicious, h.hour::pg_catalog.text FROM pg_catalog.unnest(");
	QueryValue(q, TIMESTAMPTZARRAYOID, hours);
	QueryAdd(q, ") h(hour) JOIN %s v ON v.decided_at >= h.hour AND v.decided_at < h.hour + interval '1 hour'",
			 s->id->decision_name);
	AddLabelJoin(q, s, "v");
	QueryAdd(q, " WHERE NOT EXISTS (SELECT FROM %s n WHERE ", s->id->decision_name);
	AddSameKey(q, s, "n", "v");
	QueryAdd(q, " AND n.revision > v.revision AND n.decided_at >= h.hour AND n.decided_at < h.hour + interval '1 hour')");
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
		case COUNT_TAG:
			return "tag";
		case COUNT_PAIR:
			return "pair";
	}
	return "verdict";
}

/* As a text; where it is absent, nothing */
static Datum
SpanText(const Span *span)
{
	return span->data ? PointerGetDatum(cstring_to_text_with_len(span->data, span->len)) : (Datum) 0;
}

static void
PutCount(ReturnSetInfo *result, const Count *count)
{
	bool		detector = count->key.kind <= ATTRIBUTION_KIND_MAX;
	bool		hits = count->key.kind != COUNT_VERDICT && count->key.kind != COUNT_PAIR;
	Datum		values[14] = {0};
	bool		nulls[14] = {0};

	values[0] = CStringGetTextDatum(KindName(count->key.kind));
	values[1] = Int32GetDatum(count->key.revision);
	nulls[1] = count->key.kind != COUNT_VERDICT;
	values[2] = SpanText(&count->key.name);
	values[3] = CStringGetTextDatum(count->key.shadow ? "shadow" : "live");
	nulls[3] = !detector || count->key.kind == ATTRIBUTION_EXCLUSION;
	values[4] = CStringGetTextDatum(count->key.malicious ? "malicious" : "safe");
	nulls[4] = !hits;
	values[5] = Int64GetDatum(count->hits);
	values[6] = Int64GetDatum(count->malicious);
	values[7] = Int64GetDatum(count->safe);
	values[8] = Int64GetDatum(count->sole);
	values[9] = Int64GetDatum(count->sole_right);
	values[10] = Int64GetDatum(count->sole_wrong);
	values[11] = Int64GetDatum(count->overlap);
	values[12] = SpanText(&count->key.segment);
	nulls[12] = count->key.segment.data == NULL;
	values[13] = SpanText(&count->key.other);
	nulls[13] = count->key.other.data == NULL;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static uint32
HashTags(const void *key, Size size)
{
	const Span *name = key;

	return hash_bytes((const unsigned char *) name->data, name->len);
}

static int
MatchTags(const void *a, const void *b, Size size)
{
	return !SpanEqual(a, b);
}

/* One row of them: detector, tag */
static void
KeepTag(Counter *c, uint64 row)
{
	char	   *detector = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1);
	char	   *tag = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2);
	MemoryContext old = MemoryContextSwitchTo(c->names);
	Span		name = {pstrdup(detector), strlen(detector)};
	bool		found;
	DetectorTags *t = hash_search(c->tags, &name, HASH_ENTER, &found);

	if (!found)
	{
		t->n = 0;
		t->tags = palloc(sizeof(Span));
	}
	t->tags = repalloc(t->tags, (t->n + 1) * sizeof(Span));
	t->tags[t->n].data = pstrdup(tag);
	t->tags[t->n++].len = strlen(tag);
	MemoryContextSwitchTo(old);
}

/*
 * Tags of the policy's detectors, as far as the caller may read them: SPI is
 * connected.  A row that was written by hand may have a tag that is null.
 */
static void
ReadTags(Counter *c, const char *policy)
{
	HASHCTL		ctl = {.keysize = sizeof(Span),.entrysize = sizeof(DetectorTags),
	.hash = HashTags,.match = MatchTags,.hcxt = c->names};
	BatchQuery	q;
	Security	security;
	uint64		n;

	EnterCaller(&security);
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT d.detector, t FROM (SELECT DISTINCT ON (e.detector) e.detector, e.tags FROM assay.detector e WHERE e.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(policy));
	QueryAdd(&q, " ORDER BY e.detector, e.from_revision DESC) d, pg_catalog.unnest(d.tags) t WHERE t IS NOT NULL GROUP BY 1, 2");
	n = QueryRun(&q, SPI_OK_SELECT, NULL);
	LeaveSecurity(&security);
	if (n > 0)
		c->tags = hash_create("tags", 64, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	for (uint64 i = 0; i < n; i++)
		KeepTag(c, i);
}

/* Who may ask, and of which tables */
static void
StartCount(Source *s, const char *policy)
{
	InitSourceKeys(s, policy);
	SourceMayRead(s, s->id->decision, s->id->decision_name);
	SourceMayRead(s, s->id->label, s->id->label_name);
}

/* Run a query, and give its counts: SPI is connected. */
static void
CountInto(ReturnSetInfo *result, Source *s, Counter *c, BatchQuery *q)
{
	Security	security;
	HASH_SEQ_STATUS scan;
	Count	   *count;

	EnterSource(&security, s);
	QueryRunLarge(q, &c->dest);
	LeaveSecurity(&security);
	hash_seq_init(&scan, c->counts);
	while ((count = hash_seq_search(&scan)) != NULL)
		PutCount(result, count);
}

/* count_decisions(policy, since, until, by, pairs) */
PG_FUNCTION_INFO_V1(assay_count_decisions);
Datum
assay_count_decisions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Source		s;
	BatchQuery	q;
	Counter		c;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("policy, since and until must not be null")));
	InitMaterializedSRF(fcinfo, 0);
	StartCount(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	InitCounter(&c);
	c.pairs = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	SPI_connect();
	c.revisions = ReadRevisions(s.policy, c.names);
	ReadTags(&c, s.policy);
	CountedDecisions(&q, &s, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2),
					 PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)));
	CountInto(result, &s, &c, &q);
	SPI_finish();
	return (Datum) 0;
}

/* count_hours(policy, hours): each by itself, named by the segment */
PG_FUNCTION_INFO_V1(assay_count_hours);
Datum
assay_count_hours(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Source		s;
	BatchQuery	q;
	Counter		c;

	InitMaterializedSRF(fcinfo, 0);
	StartCount(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	InitCounter(&c);
	SPI_connect();
	c.revisions = ReadRevisions(s.policy, c.names);
	DecisionsOfHours(&q, &s, PG_GETARG_DATUM(1));
	CountInto(result, &s, &c, &q);
	SPI_finish();
	return (Datum) 0;
}
