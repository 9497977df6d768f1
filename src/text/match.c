/*
 * match.c
 *		Many patterns against one text in one pass; see match.h.
 *
 * The only file that includes Vectorscan's header.
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
 * Vectorscan's code for wider registers misses matches of expressions: for
 * AVX-512 in the last 64 bytes of a text, for AVX2 with some pairs of characters
 * (both seen in 5.4.9; 5.4.12 and others on their issue list). Its code for
 * SSE 4.2 has no such fault and is as fast here, so that is called by name
 * where the library has it beside others. Elsewhere, and in any case,
 * expressions are refused if the library fails LibraryWorks(): a detector that
 * silently misses is worse than none.
 *
 * Databases are compiled for no CPU feature in particular: they are as fast
 * for these patterns, and one that was stored on one machine works on others.
 *
 * A library callback only records; whatever must be raised is raised by the
 * caller after the library has returned.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hs.h>

#include "charclass.h"
#include "match.h"
#include "normalise.h"

#if defined(__x86_64__)
extern hs_error_t corei7_hs_scan_vector(const hs_database_t *db,
										const char *const *data,
										const unsigned int *length,
										unsigned int count, unsigned int flags,
										hs_scratch_t *scratch_space,
										match_event_handler handler,
										void *context) __attribute__((weak));
#endif

/* Changes when literals are normalised or compiled in another way */
#define MATCH_FORMAT	2

/* A buffer that outgrew this is given back after the scan. */
#define BUFFER_KEEP		(1024 * 1024)

/* Databases for single expressions are kept up to this size in a set. */
#define SINGLES_KEEP	(8 * 1024 * 1024)

/* Room that is never read from, before and after the text in the buffer */
#define BUFFER_MARGIN	64

/* Stands for a byte that is not UTF-8 */
#define MASK_BYTE		0x1A

typedef struct MatchPattern
{
	char	   *bytes;			/* normalised literal, or the expression */
	size_t		len;
	bool		front;			/* needs a word boundary before it */
	bool		back;			/* ... after it */
	hs_database_t *single;		/* expressions: alone, with start offsets */
	bool		no_single;		/* the library can't make that */
} MatchPattern;

struct MatchSet
{
	int			flags;
	int			count;
	int			room;
	MatchPattern *patterns;
	hs_database_t *db;
	size_t		db_size;
	size_t		singles_size;
	size_t		memory;
};

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

static hs_scratch_t *scratch = NULL;
static unsigned char *buffer = NULL;
static size_t buffer_room = 0;

static const volatile sig_atomic_t never = 0;
static const volatile sig_atomic_t *stop_flag = &never;

static MatchRunner runner = NULL;

void
MatchSetRunner(MatchRunner new_runner)
{
	runner = new_runner;
}

void
MatchStopFlag(const volatile sig_atomic_t *flag)
{
	stop_flag = flag;
}

/*
 * What a saved database depends on besides the patterns. The library checks
 * its own version and CPU as well.
 */
const char *
MatchVersion(void)
{
	static char version[128];

	if (version[0] == '\0')
		snprintf(version, sizeof(version), "%d; Vectorscan %s; Unicode %s",
				 MATCH_FORMAT, hs_version(), CharVersion());
	return version;
}

static MatchStatus
Fail(MatchError *error, MatchStatus status, int pattern, const char *message)
{
	error->pattern = pattern;
	snprintf(error->message, sizeof(error->message), "%s", message);
	return status;
}

static MatchStatus
FromLibrary(hs_error_t status)
{
	switch (status)
	{
		case HS_SUCCESS:
			return MATCH_OK;
		case HS_NOMEM:
			return MATCH_NO_MEMORY;
		default:
			return MATCH_INTERNAL;
	}
}

static inline hs_error_t
ScanVector(hs_database_t *db, const char *data, unsigned int length,
		   match_event_handler handler, void *context)
{
#if defined(__x86_64__)
	if (corei7_hs_scan_vector != NULL && __builtin_cpu_supports("sse4.2"))
		return corei7_hs_scan_vector(db, &data, &length, 1, 0, scratch, handler, context);
#endif
	return hs_scan_vector(db, &data, &length, 1, 0, scratch, handler, context);
}

static int
OnProbe(unsigned int id, unsigned long long from, unsigned long long to,
		unsigned int flags, void *arg)
{
	(void) id;
	(void) from;
	(void) to;
	(void) flags;
	*(bool *) arg = true;
	return 0;
}

/*
 * Does the library find what it is known to have missed in some version, at
 * any place up to the end of a text? Asked once in a process.
 */
static bool
LibraryWorks(void)
{
	static const struct
	{
		const char *expression;
		unsigned int flags;
		const char *text;
	}			probes[] =
	{
		/* AVX-512: the last vector of a text */
		{"[ab]c", HS_FLAG_SINGLEMATCH, "ac"},
		{"b+", HS_FLAG_SINGLEMATCH, "b"},
		{"a+b", HS_FLAG_SOM_LEFTMOST, "ab"},
		{"(usd|eur)\\s*\\d+", HS_FLAG_SINGLEMATCH, "eur 5"},
		/* AVX2, in 5.4.12 all: pairs of characters */
		{"curl.*\\|\\s*python", HS_FLAG_SINGLEMATCH | HS_FLAG_DOTALL, "curl http://xxxx:8000/ 2>&1 | python"},
	};
	static int	works = -1;

	if (works >= 0)
		return works > 0;
	for (int i = 0; i < (int) (sizeof(probes) / sizeof(probes[0])); i++)
	{
		hs_platform_info_t platform = {0};
		hs_compile_error_t *refused = NULL;
		hs_database_t *db = NULL;
		int			len = strlen(probes[i].text);
		bool		all = true;

		if (hs_compile(probes[i].expression, HS_FLAG_CASELESS | HS_FLAG_UTF8 | probes[i].flags,
					   HS_MODE_VECTORED, &platform, &db, &refused) != HS_SUCCESS)
		{
			hs_free_compile_error(refused);
			return false;
		}
		if (hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		{
			hs_free_database(db);
			return false;
		}
		for (int at = 0; at < 150 && all; at++)
		{
			/* Room after the text for loads that reach too far */
			char text[	150 + 64 + 128];

			all = false;
			memset(text, '-', sizeof(text));
			memcpy(text +at, probes[i].text, len);
			ScanVector(db, text, at + len + at % 3, OnProbe, &all);
		}
		hs_free_database(db);
		if (!all)
		{
			works = 0;
			return false;
		}
	}
	works = 1;
	return true;
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

/* ---- building ------------------------------------------------------------ */

/* An empty set, or NULL when out of memory */
MatchSet   *
MatchCreate(int flags)
{
	MatchSet   *set = calloc(1, sizeof(MatchSet));

	if (set != NULL)
	{
		set->flags = flags;
		set->memory = sizeof(MatchSet);
	}
	return set;
}

int
MatchCount(const MatchSet *set)
{
	return set->count;
}

size_t
MatchMemory(const MatchSet *set)
{
	return set->memory + set->db_size + set->singles_size;
}

/* Add the next pattern; it gets the number MatchCount() had before. */
MatchStatus
MatchAdd(MatchSet *set, const char *pattern, size_t len, int flags,
		 MatchError *error)
{
	bool		regex = (set->flags & MATCH_REGEX) != 0;
	MatchPattern *new;
	unsigned char *bytes;
	int			number = set->count;

	if (number >= (regex ? MATCH_MAX_REGEXES : MATCH_MAX_PATTERNS))
		return Fail(error, MATCH_TOO_BIG, -1, "too many patterns");
	if (len > MATCH_MAX_PATTERN_BYTES)
		return Fail(error, MATCH_TOO_BIG, number, "pattern is too long");

	if (number == set->room)
	{
		int			room = set->room == 0 ? 16 : set->room * 2;
		MatchPattern *grown = realloc(set->patterns, room * sizeof(MatchPattern));

		if (grown == NULL)
			return Fail(error, MATCH_NO_MEMORY, number, "out of memory");
		set->memory += (room - set->room) * sizeof(MatchPattern);
		set->patterns = grown;
		set->room = room;
	}

	bytes = malloc(NormalisedRoom(len));
	if (bytes == NULL)
		return Fail(error, MATCH_NO_MEMORY, number, "out of memory");

	new = &set->patterns[number];
	memset(new, 0, sizeof(MatchPattern));
	if (regex)
	{
		memcpy(bytes, pattern, len);
		if (memchr(bytes, '\0', len) != NULL)
		{
			free(bytes);
			return Fail(error, MATCH_BAD_PATTERN, number, "pattern contains a zero byte");
		}
	}
	else
	{
		const unsigned char *p = bytes;
		const unsigned char *end;
		bool		visible = false;
		bool		first = true;

		len = Normalise((const unsigned char *) pattern, len, bytes);
		end = bytes + len;
		while (p < end)
		{
			uint32_t	c;
			int			n = Utf8Decode(p, end, &c);
			int			class = n > 0 ? CharClass(c) : 0;

			if (first)
				new->front = (flags & MATCH_WORDS) != 0 && (class & CHAR_ALNUM) != 0;
			first = false;
			new->back = (flags & MATCH_WORDS) != 0 && (class & CHAR_ALNUM) != 0;
			visible = visible || (class & CHAR_SPACE) == 0;
			p += n > 0 ? n : 1;
		}
		if (!visible)
		{
			free(bytes);
			return Fail(error, MATCH_BAD_PATTERN, number, "pattern has no visible character");
		}
	}
	bytes[len] = '\0';
	new->bytes = (char *) bytes;
	new->len = len;
	set->memory += NormalisedRoom(len);
	set->count++;
	return MATCH_OK;
}

/*
 * What the library said of patterns that it does not compile. Where it had no
 * memory it names an expression, too, which says nothing.
 */
static MatchStatus
Refused(const hs_compile_error_t *refused, int number, MatchError *error)
{
	if (strstr(refused->message, "allocate memory") != NULL)
		return Fail(error, MATCH_NO_MEMORY, number, "out of memory");
	if (refused->expression < 0)
		return Fail(error, MATCH_TOO_BIG, number, refused->message);
	return Fail(error, MATCH_BAD_PATTERN, number < 0 ? refused->expression : number, refused->message);
}

/* Compile one expression by itself */
static MatchStatus
CompileSingle(const MatchSet *set, int number, bool starts,
			  hs_database_t **db, MatchError *error)
{
	hs_platform_info_t platform = {0};
	hs_compile_error_t *refused = NULL;
	unsigned int flags = HS_FLAG_CASELESS | HS_FLAG_UTF8 |
	(starts ? HS_FLAG_SOM_LEFTMOST : HS_FLAG_SINGLEMATCH);
	MatchStatus status;

	if (hs_compile(set->patterns[number].bytes, flags, HS_MODE_VECTORED, &platform,
				   db, &refused) == HS_SUCCESS)
		return MATCH_OK;
	status = Refused(refused, number, error);
	hs_free_compile_error(refused);
	return status;
}

/*
 * Try each regular expression alone: names the one at fault, and bounds what
 * all of them can become together.
 */
static MatchStatus
CheckExpressions(const MatchSet *set, MatchProgress progress, void *progress_arg,
				 MatchError *error)
{
	size_t		total = 0;

	for (int i = 0; i < set->count; i++)
	{
		hs_database_t *db = NULL;
		size_t		size = 0;
		MatchStatus status;

		if (progress != NULL)
			progress(i, progress_arg);
		status = CompileSingle(set, i, false, &db, error);
		if (status != MATCH_OK)
			return status;
		hs_database_size(db, &size);
		hs_free_database(db);
		if (size > MATCH_MAX_REGEX_SIZE)
			return Fail(error, MATCH_TOO_BIG, i, "expression is too complex");
		total += size;
		if (total > MATCH_MAX_REGEX_TOTAL)
		{
			snprintf(error->message, sizeof(error->message),
					 "Compiled one by one, the first %d take %zu bytes; the limit is %d.",
					 i + 1, total, MATCH_MAX_REGEX_TOTAL);
			error->pattern = -1;
			return MATCH_TOO_BIG;
		}
	}
	if (progress != NULL)
		progress(-1, progress_arg);
	return MATCH_OK;
}

/* Compile all patterns into one database. */
static MatchStatus
CompileAll(const MatchSet *set, hs_database_t **db, MatchError *error)
{
	bool		regex = (set->flags & MATCH_REGEX) != 0;
	int			count = set->count;
	hs_platform_info_t platform = {0};
	hs_compile_error_t *refused = NULL;
	const char **expressions = malloc((count + 1) * sizeof(char *));
	size_t	   *lengths = malloc((count + 1) * sizeof(size_t));
	unsigned int *flags = malloc((count + 1) * sizeof(unsigned int));
	unsigned int *ids = malloc((count + 1) * sizeof(unsigned int));
	MatchStatus status = MATCH_OK;

	if (expressions == NULL || lengths == NULL || flags == NULL || ids == NULL)
		status = Fail(error, MATCH_NO_MEMORY, -1, "out of memory");
	else
	{
		hs_error_t	result;

		for (int i = 0; i < count; i++)
		{
			expressions[i] = set->patterns[i].bytes;
			lengths[i] = set->patterns[i].len;
			flags[i] = HS_FLAG_CASELESS |
				(regex ? HS_FLAG_UTF8 | HS_FLAG_SINGLEMATCH : 0);
			ids[i] = i;
		}
		if (regex)
			result = hs_compile_multi(expressions, flags, ids, count,
									  HS_MODE_VECTORED, &platform, db, &refused);
		else
			result = hs_compile_lit_multi(expressions, flags, ids, lengths, count,
										  HS_MODE_VECTORED, &platform, db, &refused);
		if (result != HS_SUCCESS)
			status = Refused(refused, -1, error);
		if (refused != NULL)
			hs_free_compile_error(refused);
	}
	free(expressions);
	free(lengths);
	free(flags);
	free(ids);
	return status;
}

/* ---- compiling, perhaps elsewhere ------------------------------------------ */

/* What a job is to compile */
typedef struct CompileJob
{
	const MatchSet *set;
	int			single;			/* this expression, with start offsets; or -1 */
} CompileJob;

/* A database's bytes; it is freed. */
static MatchStatus
GiveBytes(hs_database_t *db, char **bytes, size_t *len, MatchError *error)
{
	MatchStatus status = FromLibrary(hs_serialize_database(db, bytes, len));

	hs_free_database(db);
	if (status != MATCH_OK)
		return Fail(error, status, -1, "out of memory");
	return MATCH_OK;
}

/* A MatchJob: the whole set */
static MatchStatus
CompileSetJob(void *arg, MatchProgress progress, void *progress_arg,
			  char **bytes, size_t *len, MatchError *error)
{
	const CompileJob *job = arg;
	hs_database_t *db = NULL;
	MatchStatus status = MATCH_OK;

	if (job->set->flags & MATCH_REGEX)
		status = CheckExpressions(job->set, progress, progress_arg, error);
	if (status == MATCH_OK)
		status = CompileAll(job->set, &db, error);
	return status == MATCH_OK ? GiveBytes(db, bytes, len, error) : status;
}

/* A MatchJob: one expression, with start offsets */
static MatchStatus
CompileSingleJob(void *arg, MatchProgress progress, void *progress_arg,
				 char **bytes, size_t *len, MatchError *error)
{
	const CompileJob *job = arg;
	hs_database_t *db = NULL;
	MatchStatus status = CompileSingle(job->set, job->single, true, &db, error);

	(void) progress;
	(void) progress_arg;
	return status == MATCH_OK ? GiveBytes(db, bytes, len, error) : status;
}

/* Run a job by the runner, or right here; the database that comes of it */
static MatchStatus
RunJob(MatchJob function, CompileJob *job, hs_database_t **db, MatchError *error)
{
	char	   *bytes = NULL;
	size_t		len = 0;
	MatchStatus status;
	hs_error_t	result;

	error->pattern = -1;
	error->message[0] = '\0';
	if (runner != NULL)
		status = runner(function, job, &bytes, &len, error);
	else
		status = function(job, NULL, NULL, &bytes, &len, error);
	if (status != MATCH_OK)
		return status;
	result = hs_deserialize_database(bytes, len, db);
	free(bytes);
	if (result != HS_SUCCESS)
		return Fail(error, FromLibrary(result), -1, "the compiled form can't be read back");
	return MATCH_OK;
}

/* Take over a database: needs scratch space for it. */
static MatchStatus
UseDatabase(MatchSet *set, hs_database_t *db)
{
	hs_error_t	result = hs_alloc_scratch(db, &scratch);

	if (result == HS_SUCCESS)
		result = hs_database_size(db, &set->db_size);
	if (result != HS_SUCCESS)
	{
		hs_free_database(db);
		set->db_size = 0;
		return FromLibrary(result);
	}
	set->db = db;
	return MATCH_OK;
}

/* Is this little enough to be compiled without further ado? */
static bool
IsQuick(const MatchSet *set)
{
	size_t		bytes = 0;

	if (set->flags & MATCH_REGEX)
		return false;
	for (int i = 0; i < set->count; i++)
		bytes += set->patterns[i].len;
	return bytes < MATCH_RUNNER_BYTES;
}

/*
 * Compile what was added. MATCH_STOPPED: the runner was told to stop, nothing
 * has changed.
 */
MatchStatus
MatchCompile(MatchSet *set, MatchError *error)
{
	CompileJob	job = {set, -1};
	hs_database_t *db = NULL;
	MatchStatus status;

	if ((set->flags & MATCH_REGEX) != 0 && !LibraryWorks())
		return Fail(error, MATCH_UNUSABLE, -1, "this build of Vectorscan misses matches, as faulty versions are known to");
	if (set->count == 0)
		return MATCH_OK;
	if (IsQuick(set))
		status = CompileAll(set, &db, error);
	else
		status = RunJob(CompileSetJob, &job, &db, error);
	return status == MATCH_OK ? UseDatabase(set, db) : status;
}

/* The compiled set as bytes for MatchLoad(); the caller frees them. */
MatchStatus
MatchSave(const MatchSet *set, char **bytes, size_t *len)
{
	*bytes = NULL;
	*len = 0;
	if (set->db == NULL)
		return MATCH_OK;
	return FromLibrary(hs_serialize_database(set->db, bytes, len));
}

/*
 * Use what MatchSave() gave for the same patterns instead of compiling. The
 * bytes must be ours: the library detects another version, another CPU and
 * accidents (by its checksum), but not malice.
 */
MatchStatus
MatchLoad(MatchSet *set, const char *bytes, size_t len)
{
	hs_database_t *db = NULL;
	MatchStatus status;
	hs_error_t	result;

	if (set->count == 0)
		return len == 0 ? MATCH_OK : MATCH_UNUSABLE;
	if ((set->flags & MATCH_REGEX) != 0 && !LibraryWorks())
		return MATCH_UNUSABLE;
	result = hs_deserialize_database(bytes, len, &db);
	if (result == HS_NOMEM)
		return MATCH_NO_MEMORY;
	if (result != HS_SUCCESS)
		return MATCH_UNUSABLE;
	status = UseDatabase(set, db);
	return status == MATCH_INTERNAL ? MATCH_UNUSABLE : status;
}

void
MatchDestroy(MatchSet *set)
{
	if (set == NULL)
		return;
	for (int i = 0; i < set->count; i++)
	{
		free(set->patterns[i].bytes);
		hs_free_database(set->patterns[i].single);
	}
	free(set->patterns);
	hs_free_database(set->db);
	free(set);
}

/* ---- scanning ------------------------------------------------------------ */

/* Is there a word character right before (or after) this place? */
static bool
WordBefore(const unsigned char *text, size_t at)
{
	const unsigned char *end = text +at;
	uint32_t	c = 0;

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

static MatchStatus
RunScan(hs_database_t *db, ScanState *state, match_event_handler handler)
{
	hs_error_t	result;

	if (state->len > UINT_MAX)
		return MATCH_TOO_BIG;
	/* A failure to enlarge the scratch space for another set loses it. */
	if (scratch == NULL && hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		return MATCH_NO_MEMORY;
	result = ScanVector(db, (const char *) state->text, state->len, handler, state);
	if (result == HS_SCAN_TERMINATED)
	{
		if (state->no_memory)
			return MATCH_NO_MEMORY;
		return state->enough ? MATCH_OK : MATCH_STOPPED;
	}
	return FromLibrary(result);
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
	status = RunScan(set->db, &state, OnHit);
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
	status = RunScan(set->db, state, OnLiteralPlace);
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

/* All places of one expression */
static MatchStatus
FindRegex(MatchSet *set, ScanState *state, int number, size_t first_end)
{
	MatchPattern *pattern = &set->patterns[number];
	CompileJob	job = {set, number};
	MatchStatus status = MATCH_OK;
	MatchError	error;
	MatchSpan  *span;

	if (pattern->single == NULL && !pattern->no_single)
	{
		size_t		size;

		status = RunJob(CompileSingleJob, &job, &pattern->single, &error);
		if (status == MATCH_NO_MEMORY || status == MATCH_STOPPED)
			return status;
		if (status == MATCH_OK)
		{
			hs_database_size(pattern->single, &size);
			set->singles_size += size;
		}
		else
			pattern->no_single = true;
	}
	if (pattern->single != NULL)
	{
		status = FromLibrary(hs_alloc_scratch(pattern->single, &scratch));
		if (status == MATCH_OK)
		{
			state->first = state->count;
			state->pattern = number;
			state->enough = false;
			status = RunScan(pattern->single, state, OnRegexPlace);
		}
		if (set->singles_size > SINGLES_KEEP)
		{
			size_t		size;

			hs_database_size(pattern->single, &size);
			set->singles_size -= size;
			hs_free_database(pattern->single);
			pattern->single = NULL;
		}
		return status;
	}

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
		status = RunScan(set->db, state, OnFirstEnd);
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
