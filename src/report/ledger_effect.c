/*
 * ledger_effect.c
 *		What a decision rests on, taken apart: which verdict it would have
 *		without one of its parts, or with another.
 *
 * Verdicts are compared by their level in the revision that decided: 0 is the
 * default verdict, then one for each threshold, from the lowest up.  Margin,
 * forced verdicts and mutes are worked out anew from the ledger.
 */
#include "postgres.h"

#include <math.h>

#include "batch.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "ledger_effect.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* No exclusion forces a verdict */
#define NO_LIMIT		INT_MAX

/* The level of a verdict, or NO_LEVEL where the revision doesn't know it */
int
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
AddEntry(CountedDecision *d, const EntryReader *e)
{
	CountedEntry *t;

	if (d->nentries == d->room)
	{
		d->room = d->room == 0 ? 64 : d->room * 2;
		d->entries = d->entries == NULL ?
			MemoryContextAlloc(d->context, d->room * sizeof(CountedEntry)) :
			repalloc(d->entries, d->room * sizeof(CountedEntry));
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

/* Take a ledger apart; its levels are set. */
void
ReadLedger(CountedDecision *d, const Attribution *a)
{
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
			AddEntry(d, &e);
}

/* The verdict: what exclusions force, else what detectors do, else by score */
int
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
bool
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

/* Where the revisions go */
typedef struct LevelsReader
{
	MemoryContext context;
	HTAB	   *revisions;
} LevelsReader;

/* A column of SPI_tuptable, an array without nulls, copied to memory of ours */
static int
SpiArray(LevelsReader *r, uint64 row, int column, Oid type, Datum **items)
{
	MemoryContext old = MemoryContextSwitchTo(r->context);
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
KeepRevision(LevelsReader *r, uint64 row)
{
	bool		isnull;
	int32		revision = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[row],
													   SPI_tuptable->tupdesc, 1, &isnull));
	RevisionLevels *levels = hash_search(r->revisions, &revision, HASH_ENTER, NULL);
	Datum	   *names = NULL;
	Datum	   *thresholds = NULL;

	levels->nnames = SpiArray(r, row, 2, TEXTOID, &names);
	levels->names = MemoryContextAlloc(r->context, (levels->nnames + 1) * sizeof(Span));
	for (int i = 0; i < levels->nnames; i++)
	{
		levels->names[i].data = VARDATA_ANY(DatumGetPointer(names[i]));
		levels->names[i].len = VARSIZE_ANY_EXHDR(DatumGetPointer(names[i]));
	}
	levels->nthresholds = SpiArray(r, row, 3, FLOAT8OID, &thresholds);
	levels->thresholds = MemoryContextAlloc(r->context, (levels->nthresholds + 1) * sizeof(double));
	for (int i = 0; i < levels->nthresholds; i++)
		levels->thresholds[i] = DatumGetFloat8(thresholds[i]);
}

/*
 * The policy's revisions, as far as the caller may read them, in a hash table:
 * SPI is connected.  An operator of the caller's might make another type of them.
 */
HTAB	   *
ReadRevisions(const char *policy, MemoryContext context)
{
	HASHCTL		ctl = {.keysize = sizeof(int32),.entrysize = sizeof(RevisionLevels),.hcxt = context};
	LevelsReader r = {context, hash_create("revisions", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT)};
	BatchQuery	q;
	Security	security;
	uint64		n;

	EnterCaller(&security);
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT v.revision, v.default_verdict OPERATOR(pg_catalog.||) t.names, t.thresholds FROM assay.revision v, LATERAL ("
			 "SELECT coalesce(pg_catalog.array_agg(e.key ORDER BY e.value::pg_catalog.float8), '{}') AS names, "
			 "coalesce(pg_catalog.array_agg(e.value::pg_catalog.float8 ORDER BY e.value::pg_catalog.float8), '{}') AS thresholds "
			 "FROM pg_catalog.jsonb_each_text(v.thresholds) e) t WHERE v.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(policy));
	n = QueryRun(&q, SPI_OK_SELECT, NULL);
	LeaveSecurity(&security);
	for (uint64 i = 0; i < n; i++)
		KeepRevision(&r, i);
	return r.revisions;
}
