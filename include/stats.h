/*
 * stats.h
 *		What each detector did: counters in shared memory.
 *
 * A backend counts in its compiled policy and adds that to shared memory at
 * times, so that the hot path touches no lock.
 */
#ifndef ASSAY_STATS_H
#define ASSAY_STATS_H

#include "datatype/timestamp.h"

/*
 * Counts not yet added; of a detector, or of all messages of a policy.  In a
 * backend, a detector has no evaluations of its own: they are the policy's
 * messages less what it skipped and where it failed.
 */
typedef struct StatsCounts
{
	uint64		evaluations;
	uint64		skipped;
	uint64		hits;			/* of a policy: degraded decisions */
	uint64		faults;
	uint64		sampled;		/* evaluations whose time was taken */
	uint64		sampled_ns;
} StatsCounts;

/* A policy's counters: [0] the policy itself, then its detectors */
typedef struct PolicyStats
{
	int			n;
	StatsCounts *counts;
	const char **names;			/* NULL: the policy */
	struct StatsEntry **entries;	/* in shared memory, while the generation
									 * stays */
	uint64		generation;
	const char *policy;
	Oid			owner;			/* of the policy */
	uint64		unflushed;		/* messages since */
	StatsCounts *mark;			/* a copy, to go back to; or NULL */
	uint64		mark_unflushed;
	bool		held;			/* keep them: they may be taken back */
	TimestampTz flushed_at;
} PolicyStats;

/* Messages between two of which one detector is timed by itself */
#define STATS_SAMPLE_EVERY	64

/* Messages after which a backend adds its counts in any case */
#define STATS_FLUSH_EVERY	4096

/* ... and microseconds, at the end of a transaction */
#define STATS_FLUSH_USECS	INT64CONST(500000)

extern void StatsInit(void);
extern bool StatsEnabled(void);
extern void StatsFlush(PolicyStats *stats);
extern void StatsMark(PolicyStats *stats);
extern void StatsUndo(PolicyStats *stats);
extern void StatsKeep(PolicyStats *stats);

#endif							/* ASSAY_STATS_H */
