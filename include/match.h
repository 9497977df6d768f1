/*
 * match.h
 *		Many patterns against one text in one pass (over Vectorscan).
 *
 * Plain C, no server headers: create, add, compile (or load what an earlier
 * compile saved), scan, destroy. Memory comes from malloc; nothing throws.
 * One scan at a time in a process: a callback must not scan.
 *
 * A literal is compared after both sides were normalised: each run of white
 * space is one space, invisible characters (soft hyphen, zero width space ...)
 * are dropped, case is folded (Unicode's simple folding). With MATCH_WORDS an
 * end that is a letter or digit matches only at a word boundary; without, the
 * literal is a plain substring. So "the normalised text contains the
 * normalised pattern" is certain to hold wherever `text ILIKE '%pattern%'`
 * does, except for case pairs that only a locale knows (U+0130, U+0131).
 */
#ifndef ASSAY_MATCH_H
#define ASSAY_MATCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATCH_MAX_PATTERNS		20000
#define MATCH_MAX_REGEXES		1000
#define MATCH_MAX_PATTERN_BYTES	1000
/* Compiled size of one regular expression, and of all in a set */
#define MATCH_MAX_REGEX_SIZE	(1024 * 1024)
#define MATCH_MAX_REGEX_TOTAL	(16 * 1024 * 1024)

/* Flags of a set */
#define MATCH_REGEX		1		/* patterns are Vectorscan expressions */
#define MATCH_VALID_UTF8	2	/* the caller vouches for the texts */

/* Flags of a pattern */
#define MATCH_WORDS		1

typedef enum MatchStatus
{
	MATCH_OK,
	MATCH_STOPPED,				/* the stop flag was seen */
	MATCH_NO_MEMORY,
	MATCH_BAD_PATTERN,
	MATCH_TOO_BIG,
	MATCH_UNUSABLE,				/* saved bytes don't fit this library or CPU */
	MATCH_INTERNAL
} MatchStatus;

typedef struct MatchError
{
	int			pattern;		/* number of the pattern at fault, or -1 */
	char		message[256];
} MatchError;

typedef struct MatchSpan
{
	int			pattern;
	size_t		start;			/* byte offsets in the text; MATCH_UNKNOWN
								 * when */
	size_t		end;			/* the library can't tell where it starts */
} MatchSpan;

#define MATCH_UNKNOWN	((size_t) -1)

/*
 * Compiling may take long, and can't be interrupted. A runner, where one is
 * set, runs a job of it where both can be helped (another process, say) and
 * gives the database's bytes, malloc'ed, that it left. It may say MATCH_STOPPED.
 */
typedef void (*MatchProgress) (int pattern, void *arg);
typedef MatchStatus (*MatchJob) (void *arg, MatchProgress progress, void *progress_arg,
								 char **bytes, size_t *len, MatchError *error);
typedef MatchStatus (*MatchRunner) (MatchJob job, void *arg,
									char **bytes, size_t *len, MatchError *error);

/* Literals of fewer bytes are compiled at once, in half a second at most. */
#define MATCH_RUNNER_BYTES	(256 * 1024)

typedef struct MatchSet MatchSet;

/* Called for each pattern that matches, perhaps repeatedly; false: enough */
typedef bool (*MatchCallback) (int pattern, void *arg);

extern MatchSet *MatchCreate(int flags);
extern MatchStatus MatchAdd(MatchSet *set, const char *pattern, size_t len,
							int flags, MatchError *error);
extern MatchStatus MatchCompile(MatchSet *set, MatchError *error);
extern MatchStatus MatchSave(const MatchSet *set, char **bytes, size_t *len);
extern MatchStatus MatchLoad(MatchSet *set, const char *bytes, size_t len);
extern MatchStatus MatchScan(MatchSet *set, const char *text, size_t len,
							 MatchCallback callback, void *arg);
extern MatchStatus MatchScanBits(MatchSet *set, const char *text, size_t len,
								 uint64_t *bits);
extern MatchStatus MatchFind(MatchSet *set, const char *text, size_t len,
							 int max, MatchSpan **spans, int *count);
extern size_t MatchMemory(const MatchSet *set);
extern const char *MatchVersion(void);
extern void MatchSetRunner(MatchRunner new_runner);
extern void MatchStopFlag(const volatile sig_atomic_t *flag);
extern void MatchDestroy(MatchSet *set);

#endif							/* ASSAY_MATCH_H */
