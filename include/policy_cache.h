/*
 * policy_cache.h
 *		Compiled policies, kept by the backend.
 */
#ifndef ASSAY_POLICY_CACHE_H
#define ASSAY_POLICY_CACHE_H

#include "compile.h"
#include "stats.h"

/* How one detector or exclusion has been doing in this backend */
typedef struct PartHealth
{
	uint64		window;			/* of messages in which it failed last */
	int			failures;		/* in that window */
	TimestampTz suspended_until;	/* fails too often: left out; or 0 */
	TimestampTz apart_until;	/* was too slow: evaluated by itself; or 0 */
} PartHealth;

/* The only thing about a compiled policy that changes */
typedef struct PolicyHealth
{
	uint64		version;		/* moves when a part's place changes */
	uint64		messages;		/* evaluated */
	TimestampTz next;			/* when the first "until" ends; DT_NOEND: none */
	PartHealth *parts;			/* of POLICY_PARTS */
} PolicyHealth;

/* An entry: its key, whether it is valid, and around what */
typedef struct PolicyEntry
{
	Dependencies dependencies;	/* valid while they hold */
	uint64		number;			/* no other entry of the backend has it */
	char	   *name;
	int			wanted;			/* revision asked for, or 0: the current */
	bool		drafts;			/* its drafts count as live */
	bool		no_signals;		/* for decisions without a row */
	TupleDesc	desc;
	CompiledPolicy *policy;

	MemoryContext context;
	int			pins;			/* in use: keep it */
	TimestampTz retry_at;		/* compile again, where something may be
								 * better then */
	uint64		last_used;
	int64		uses;			/* statements that found it here */
	TimestampTz used_at;
	Size		bytes;			/* at the last look */

	PolicyHealth health;
	PolicyStats *stats;			/* or NULL: none are kept */
	struct Evaluation *idle;	/* evaluate.c */
	int			evaluations;	/* in use, one within another */
} PolicyEntry;

extern void PolicyCacheInit(void);
extern PolicyEntry *PolicyGet(const char *policy, int revision, bool drafts,
							  TupleDesc desc, Oid reader, MemoryContext context);

/*
 * The same entry as before, by its number: what it is for was compared then, each column
 * of the row.  NULL: it holds no more.
 */
extern PolicyEntry *PolicyGetAgain(uint64 number, MemoryContext context);
extern bool PolicyEntryHolds(PolicyEntry *entry);
extern bool SameRow(TupleDesc a, TupleDesc b);
extern List *PolicyCacheEntries(void);
extern Size PolicyEntryBytes(PolicyEntry *entry);
extern uint64 PolicyCacheUses(void);
extern int	PolicyCacheLimit(void);

#endif							/* ASSAY_POLICY_CACHE_H */
