/*
 * ledger_effect.h
 *		What a decision rests on, taken apart.
 */
#ifndef ASSAY_LEDGER_EFFECT_H
#define ASSAY_LEDGER_EFFECT_H

#include "attribution.h"
#include "utils/hsearch.h"

/* No verdict forced */
#define NO_LEVEL		(-1)

/* A revision's verdicts by level, and the scores where each begins */
typedef struct RevisionLevels
{
	int32		revision;		/* key of the hash table; must be first */
	int			nnames;
	Span	   *names;
	int			nthresholds;
	double	   *thresholds;		/* ascending */
} RevisionLevels;

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
	int			room;			/* entries that it has memory for */
	MemoryContext context;		/* of these */
} CountedDecision;

static inline bool
SpanEqual(const Span *a, const Span *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

extern int	VerdictLevel(const RevisionLevels *levels, const Span *verdict);
extern void ReadLedger(CountedDecision *d, const Attribution *a);
extern int	Level(const CountedDecision *d, int allowed, int pushed, double margin);
extern bool HasEffect(const CountedDecision *d, const CountedEntry *t, int *with, int *without);
extern HTAB *ReadRevisions(const char *policy, MemoryContext context);

#endif							/* ASSAY_LEDGER_EFFECT_H */
