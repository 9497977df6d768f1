/*
 * match_scan.c
 *		Many patterns against one text in one pass: looking for a set that
 *		match.c made, with or without places.
 *
 * Literals: the library's caseless UTF-8 and flexible white space would turn
 * each literal into an automaton (a 500-literal set takes twenty times longer
 * to compile and twice to scan). So the text is normalised instead, at close
 * to the speed of a copy, and the set stays one of pure literals. A hit's
 * place in the normalised text is exact: its start is its end less the
 * pattern's length, and the word boundaries are checked there.
 *
 * Regular expressions see the text as it is, in the library's UTF-8 mode,
 * whose behaviour is undefined for other bytes: these are masked first unless
 * the caller vouches for the text.
 *
 * Scans are vectored, with one piece of text: where the library scans blocks it
 * tries to skip their ends by a search (rvermicelliDoubleExec) that overflows
 * its stack on texts of more than 255 bytes and takes the process down
 * (Vectorscan up to 5.4.12 at least). Literals gain, too: a fourth of the
 * size and of the compile time, at the same speed. The text is always in a
 * buffer of our own with room at both ends, since the library's vector loads
 * have been seen to reach beyond what they should read.
 *
 * A library callback only records; whatever must be raised is raised by the
 * caller after the library has returned.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "charclass.h"
#include "match.h"
#include "match_set.h"
#include "normalise.h"

/* A buffer that outgrew this is given back after the scan. */
#define BUFFER_KEEP		(1024 * 1024)

/* Room that is never read from, before and after the text in the buffer */
#define BUFFER_MARGIN	64

/* Stands for a byte that is not UTF-8 */
#define MASK_BYTE		0x1A

/* What one scan's callback needs */
typedef struct ScanState
{
	const MatchSet *set;
	const unsigned char *text;	/* as scanned */
	size_t		len;
	MatchCallback callback;
	void	   *arg;
	bool		enough;

	/* MatchFind only */
	MatchSpan  *spans;
	int			first;			/* of this pattern, for expressions */
	int			count;
	int			room;
	int			max;
	int			pattern;
	size_t	   *last_end;		/* for each literal */
	bool		no_memory;
} ScanState;

static unsigned char *buffer = NULL;
static size_t buffer_room = 0;

static const volatile sig_atomic_t never = 0;
static const volatile sig_atomic_t *stop_flag = &never;

void
MatchStopFlag(const volatile sig_atomic_t *flag)
{
	stop_flag = flag;
}

/* ---- the text --------------------------------------------------------------- */

static bool
ReserveBuffer(size_t size)
{
	size += 2 * BUFFER_MARGIN;
	if (size > buffer_room)
	{
		free(buffer);
		buffer_room = 0;
		if (size < 64 * 1024)
			size = 64 * 1024;
		buffer = calloc(1, size);
		if (buffer == NULL)
			return false;
		buffer_room = size;
	}
	return true;
}

static void
ReleaseBuffer(void)
{
	if (buffer_room > BUFFER_KEEP)
	{
		free(buffer);
		buffer = NULL;
		buffer_room = 0;
	}
}

/*
 * What the library is to see of a text, in the buffer: normalised, or masked
 * where the bytes are not UTF-8, or just a copy. NULL when out of memory.
 */
static const unsigned char *
PrepareText(const MatchSet *set, const char *text, size_t *len)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + *len;
	unsigned char *start;
	unsigned char *at;

	if (!ReserveBuffer(NormalisedRoom(*len)))
		return NULL;
	start = at = buffer + BUFFER_MARGIN;
	if ((set->flags & MATCH_REGEX) == 0)
		*len = Normalise(p, *len, start);
	else if (set->flags & MATCH_VALID_UTF8)
		memcpy(start, p, *len);
	else
	{
		while (p < end)
		{
			uint32_t	c;
			int			n = Utf8Decode(p, end, &c);

			if (n == 0)
			{
				*at++ = MASK_BYTE;
				p++;
			}
			while (n-- > 0)
				*at++ = *p++;
		}
	}
	return start;
}

/* ---- scanning ------------------------------------------------------------ */

/* Is there a word character right before (or after) this place? */
static bool
WordBefore(const unsigned char *text, size_t at)
{
	const unsigned char *end = text +at;
	uint32_t	c = 0;

	if (at > 0 && end[-1] < 0x80)
		return (CharClass(end[-1]) & CHAR_WORD) != 0;
	for (int back = 1; back <= 4 && back <= at; back++)
	{
		if ((end[-back] & 0xC0) != 0x80)
			return Utf8Decode(end - back, end, &c) == back &&
				(CharClass(c) & CHAR_WORD) != 0;
	}
	return false;
}

static bool
WordAfter(const unsigned char *text, size_t at, size_t len)
{
	uint32_t	c;

	if (at < len && text[at] < 0x80)
		return (CharClass(text[at]) & CHAR_WORD) != 0;
	return Utf8Decode(text +at, text +len, &c) > 0 &&
		(CharClass(c) & CHAR_WORD) != 0;
}

/* Does a literal that was seen to end here stand between its boundaries? */
static inline bool
LiteralStands(const ScanState *state, unsigned int id, unsigned long long to)
{
	const MatchPattern *pattern;

	/* The number comes out of stored bytes. */
	if (id >= state->set->count)
		return false;
	pattern = &state->set->patterns[id];
	if (to < pattern->len || to > state->len)
		return false;
	if (pattern->front && WordBefore(state->text, to - pattern->len))
		return false;
	if (pattern->back && WordAfter(state->text, to, state->len))
		return false;
	return true;
}

static int
OnHit(unsigned int id, unsigned long long from, unsigned long long to,
	  unsigned int flags, void *arg)
{
	ScanState  *state = arg;

	(void) from;
	(void) flags;
	if (*stop_flag)
		return 1;
	if (state->set->flags & MATCH_REGEX ? id >= state->set->count :
		!LiteralStands(state, id, to))
		return 0;
	if (state->callback(id, state->arg))
		return 0;
	state->enough = true;
	return 1;
}

/* The same for a literal that match_words.c found where a word begins */
static bool
OnWordHit(int number, size_t to, bool ends, void *arg)
{
	ScanState  *state = arg;

	if (*stop_flag)
		return false;
	if (!ends && state->set->patterns[number].back && WordAfter(state->text, to, state->len))
		return true;
	state->enough = !state->callback(number, state->arg);
	return !state->enough;
}

/* What the library would tell, by the words of the text */
static MatchStatus
RunWords(const MatchWords *words, ScanState *state)
{
	if (MatchWordsScan(words, state->text, state->len, OnWordHit, state) || state->enough)
		return MATCH_OK;
	return MATCH_STOPPED;
}

static MatchStatus
RunScan(hs_database_t *db, unsigned *fits, ScanState *state, match_event_handler handler)
{
	hs_error_t	result;

	if (state->len > UINT_MAX)
		return MATCH_TOO_BIG;
	result = MatchCallLibrary(db, fits, (const char *) state->text, state->len, handler, state);
	if (result == HS_SCAN_TERMINATED)
	{
		if (state->no_memory)
			return MATCH_NO_MEMORY;
		return state->enough ? MATCH_OK : MATCH_STOPPED;
	}
	return MatchFromLibrary(result);
}

/* Tell the callback each pattern that occurs in the text. */
MatchStatus
MatchScan(MatchSet *set, const char *text, size_t len, MatchCallback callback,
		  void *arg)
{
	ScanState	state = {0};
	MatchStatus status;

	if (set->count == 0)
		return MATCH_OK;
	if (set->db == NULL)
		return MATCH_INTERNAL;
	state.set = set;
	state.text = PrepareText(set, text, &len);
	if (state.text == NULL)
		return MATCH_NO_MEMORY;
	state.len = len;
	state.callback = callback;
	state.arg = arg;
	status = set->words ? RunWords(set->words, &state) : RunScan(set->db, &set->fits, &state, OnHit);
	ReleaseBuffer();
	return status;
}

static bool
SetBit(int pattern, void *arg)
{
	uint64_t   *bits = arg;

	bits[pattern / 64] |= UINT64_C(1) << (pattern % 64);
	return true;
}

/* Set the bit of each pattern that occurs; the caller cleared them. */
MatchStatus
MatchScanBits(MatchSet *set, const char *text, size_t len, uint64_t *bits)
{
	return MatchScan(set, text, len, SetBit, bits);
}

/* ---- finding, with places ------------------------------------------------ */

static MatchSpan *
NewSpan(ScanState *state)
{
	if (state->count == state->room)
	{
		int			room = state->room == 0 ? 64 : state->room * 2;
		MatchSpan  *grown = realloc(state->spans, room * sizeof(MatchSpan));

		if (grown == NULL)
		{
			state->no_memory = true;
			return NULL;
		}
		state->spans = grown;
		state->room = room;
	}
	return &state->spans[state->count++];
}

/* Literals: all places come by their end, those of one pattern in order. */
static int
OnLiteralPlace(unsigned int id, unsigned long long from, unsigned long long to,
			   unsigned int flags, void *arg)
{
	ScanState  *state = arg;
	MatchSpan  *span;

	(void) from;
	(void) flags;
	if (*stop_flag)
		return 1;
	if (!LiteralStands(state, id, to) ||
		to - state->set->patterns[id].len < state->last_end[id])
		return 0;
	if (state->count == state->max)
	{
		state->enough = true;
		return 1;
	}
	span = NewSpan(state);
	if (span == NULL)
		return 1;
	span->pattern = id;
	span->start = to - state->set->patterns[id].len;
	span->end = to;
	state->last_end[id] = to;
	return 0;
}

/*
 * Expressions, one at a time: every end is told, with its leftmost start.
 * Keep the leftmost, then longest, without overlaps.
 */
static int
OnRegexPlace(unsigned int id, unsigned long long from, unsigned long long to,
			 unsigned int flags, void *arg)
{
	ScanState  *state = arg;
	MatchSpan  *span;

	(void) id;
	(void) flags;
	if (*stop_flag)
		return 1;
	if (from > to || to > state->len)
		return 0;
	while (state->count > state->first)
	{
		span = &state->spans[state->count - 1];
		if (from >= span->end && from != span->start)
			break;
		if (from == span->start)
		{
			span->end = to;
			return 0;
		}
		if (from > span->start)
			return 0;
		state->count--;
	}
	if (state->count - state->first >= state->max)
	{
		state->enough = true;
		return 1;
	}
	span = NewSpan(state);
	if (span == NULL)
		return 1;
	span->pattern = state->pattern;
	span->start = from;
	span->end = to;
	return 0;
}

/* qsort comparator: by start, end, pattern; unknown starts last */
static int
CompareSpans(const void *a, const void *b)
{
	const MatchSpan *x = a;
	const MatchSpan *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

static int
ComparePlaces(const void *a, const void *b)
{
	size_t		x = **(size_t *const *) a;
	size_t		y = **(size_t *const *) b;

	return x < y ? -1 : x > y;
}

/*
 * Turn places in the normalised text into places in the text, by walking
 * through it once, beside the sorted starts and ends.
 */
static bool
MapPlaces(const char *text, size_t len, MatchSpan *spans, int count)
{
	const unsigned char *base = (const unsigned char *) text;
	const unsigned char *p = base;
	const unsigned char *end = base + len;
	size_t	  **starts = malloc(count * sizeof(size_t *));
	size_t	  **ends = malloc(count * sizeof(size_t *));
	size_t		written = 0;
	bool		space = false;
	int			s = 0;
	int			e = 0;

	if (starts == NULL || ends == NULL)
	{
		free(starts);
		free(ends);
		return false;
	}
	for (int i = 0; i < count; i++)
	{
		starts[i] = &spans[i].start;
		ends[i] = &spans[i].end;
	}
	qsort(starts, count, sizeof(size_t *), ComparePlaces);
	qsort(ends, count, sizeof(size_t *), ComparePlaces);

	while (p < end && (s < count || e < count))
	{
		unsigned char out[4];
		int			n;
		size_t		plain = NormalisePlain(p, end, &space);
		const unsigned char *after;

		/* Where nothing is dropped or folded, places move along. */
		while (s < count && *starts[s] < written + plain)
		{
			*starts[s] = p - base + (*starts[s] - written);
			s++;
		}
		while (e < count && *ends[e] <= written + plain)
		{
			*ends[e] = p - base + (*ends[e] - written);
			e++;
		}
		written += plain;
		p += plain;
		if (p == end)
			break;
		after = NormaliseStep(p, end, out, &n);
		if (n == 1 && out[0] == ' ')
		{
			/* The rest of a run that an invisible character parted */
			if (space)
				n = 0;
			space = true;
		}
		else if (n > 0)
			space = false;
		if (n > 0)
		{
			while (s < count && *starts[s] < written + n)
				*starts[s++] = p - base;
			while (e < count && *ends[e] <= written + n)
				*ends[e++] = after - base;
			written += n;
		}
		p = after;
	}
	while (s < count)
		*starts[s++] = len;
	while (e < count)
		*ends[e++] = len;
	free(starts);
	free(ends);
	return true;
}

static MatchStatus
FindLiterals(MatchSet *set, ScanState *state, const char *text, size_t len)
{
	MatchStatus status;

	state->last_end = calloc(set->count, sizeof(size_t));
	if (state->last_end == NULL)
		return MATCH_NO_MEMORY;
	status = RunScan(set->db, &set->fits, state, OnLiteralPlace);
	free(state->last_end);
	if (status == MATCH_OK && state->count > 0 &&
		!MapPlaces(text, len, state->spans, state->count))
		status = MATCH_NO_MEMORY;
	return status;
}

typedef struct FirstEnds
{
	bool	   *hit;
	size_t	   *end;
	int			count;
} FirstEnds;

/* Which expressions match at all, and where the first match ends */
static int
OnFirstEnd(unsigned int id, unsigned long long from, unsigned long long to,
		   unsigned int flags, void *arg)
{
	ScanState  *state = arg;
	FirstEnds  *first = state->arg;

	(void) from;
	(void) flags;
	if (*stop_flag)
		return 1;
	if (id < first->count && !first->hit[id])
	{
		first->hit[id] = true;
		first->end[id] = to;
	}
	return 0;
}

/* All places of one expression, or that it ends there */
static MatchStatus
FindRegex(MatchSet *set, ScanState *state, int number, size_t first_end)
{
	MatchStatus status = MatchSingle(set, number);
	hs_database_t *single = set->patterns[number].single;
	MatchSpan  *span;

	if (status == MATCH_OK && single != NULL)
	{
		state->first = state->count;
		state->pattern = number;
		state->enough = false;
		status = RunScan(single, &set->patterns[number].fits, state, OnRegexPlace);
	}
	MatchSingleDone(set, number);
	if (status != MATCH_OK || single != NULL)
		return status;

	span = NewSpan(state);
	if (span == NULL)
		return MATCH_NO_MEMORY;
	span->pattern = number;
	span->start = MATCH_UNKNOWN;
	span->end = first_end;
	return MATCH_OK;
}

static MatchStatus
FindRegexes(MatchSet *set, ScanState *state)
{
	FirstEnds	first;
	MatchStatus status = MATCH_NO_MEMORY;

	first.count = set->count;
	first.hit = calloc(set->count, sizeof(bool));
	first.end = calloc(set->count, sizeof(size_t));
	if (first.hit != NULL && first.end != NULL)
	{
		state->arg = &first;
		status = RunScan(set->db, &set->fits, state, OnFirstEnd);
		for (int i = 0; i < set->count && status == MATCH_OK; i++)
		{
			if (first.hit[i])
				status = FindRegex(set, state, i, first.end[i]);
			/* Keep the first ones in the text, of whatever pattern. */
			if (state->count > state->max)
			{
				qsort(state->spans, state->count, sizeof(MatchSpan), CompareSpans);
				state->count = state->max;
			}
		}
	}
	free(first.hit);
	free(first.end);
	return status;
}

/*
 * All places of all patterns, at most max, in order of their start; a pattern's
 * own don't overlap. The caller frees *spans, also after a failure.
 */
MatchStatus
MatchFind(MatchSet *set, const char *text, size_t len, int max,
		  MatchSpan **spans, int *count)
{
	ScanState	state = {0};
	MatchStatus status;
	size_t		prepared = len;

	*spans = NULL;
	*count = 0;
	if (set->count == 0 || max <= 0)
		return MATCH_OK;
	if (set->db == NULL)
		return MATCH_INTERNAL;
	state.set = set;
	state.text = PrepareText(set, text, &prepared);
	if (state.text == NULL)
		return MATCH_NO_MEMORY;
	state.len = prepared;
	state.max = max;
	if (set->flags & MATCH_REGEX)
		status = FindRegexes(set, &state);
	else
		status = FindLiterals(set, &state, text, len);
	ReleaseBuffer();
	if (status == MATCH_OK && state.count > 0)
		qsort(state.spans, state.count, sizeof(MatchSpan), CompareSpans);
	*spans = state.spans;
	*count = state.count;
	return status;
}
