/*
 * match.c
 *		Many patterns against one text in one pass; see match.h. This file makes
 *		a set, compiles, saves and loads it; match_scan.c looks for it in texts,
 *		and match_words.c in place of the library where that is faster.
 *
 * These are the only files that include Vectorscan's header.
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
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charclass.h"
#include "match.h"
#include "match_set.h"
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

/* Databases for single expressions are kept up to this size in a set. */
#define SINGLES_KEEP	(8 * 1024 * 1024)

/* The scratch space for all databases, and which one in this process it is */
static hs_scratch_t *scratch = NULL;
static unsigned scratch_number = 0;
static MatchRunner runner = NULL;

void
MatchSetRunner(MatchRunner new_runner)
{
	runner = new_runner;
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

MatchStatus
MatchFromLibrary(hs_error_t status)
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

/*
 * Have the scratch space be large enough for a database.  It grows, until a
 * failure to enlarge it loses it; the next one is as large as who asks for it
 * needs.  So "fits" has the number of the one that was seen to be large enough:
 * to ask the library takes long, since that asks the CPU what it can.
 */
static hs_error_t
FitScratch(const hs_database_t *db, unsigned *fits)
{
	hs_error_t	result;

	if (scratch != NULL && *fits == scratch_number)
		return HS_SUCCESS;
	if (scratch == NULL)
		scratch_number++;
	result = hs_alloc_scratch(db, &scratch);
	*fits = result == HS_SUCCESS ? scratch_number : 0;
	return result;
}

hs_error_t
MatchCallLibrary(const hs_database_t *db, unsigned *fits, const char *data, unsigned int length,
				 match_event_handler handler, void *context)
{
	if (FitScratch(db, fits) != HS_SUCCESS)
		return HS_NOMEM;
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
		unsigned	fits = 0;
		int			len = strlen(probes[i].text);
		bool		all = true;

		if (hs_compile(probes[i].expression, HS_FLAG_CASELESS | HS_FLAG_UTF8 | probes[i].flags,
					   HS_MODE_VECTORED, &platform, &db, &refused) != HS_SUCCESS)
		{
			hs_free_compile_error(refused);
			return false;
		}
		if (FitScratch(db, &fits) != HS_SUCCESS)
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
			MatchCallLibrary(db, &fits, text, at + len + at % 3, OnProbe, &all);
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

size_t
MatchMemory(const MatchSet *set)
{
	return set->memory + set->db_size + set->singles_size + MatchWordsMemory(set->words);
}

/* Add the next pattern; patterns are numbered from 0 on. */
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
	MatchStatus status = MatchFromLibrary(hs_serialize_database(db, bytes, len));

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
		return Fail(error, MatchFromLibrary(result), -1, "the compiled form can't be read back");
	return MATCH_OK;
}

/* Take over a database: needs scratch space for it. */
static MatchStatus
UseDatabase(MatchSet *set, hs_database_t *db)
{
	hs_error_t	result = FitScratch(db, &set->fits);

	if (result == HS_SUCCESS)
		result = hs_database_size(db, &set->db_size);
	if (result != HS_SUCCESS)
	{
		hs_free_database(db);
		set->db_size = 0;
		return MatchFromLibrary(result);
	}
	set->db = db;
	set->words = MatchWordsCreate(set);
	return MATCH_OK;
}

/*
 * The database of one expression, with start offsets, made when it is first
 * asked for. MATCH_OK without one: the library can't make that.
 */
MatchStatus
MatchSingle(MatchSet *set, int number)
{
	MatchPattern *pattern = &set->patterns[number];
	CompileJob	job = {set, number};
	MatchError	error;

	if (pattern->single == NULL && !pattern->no_single)
	{
		MatchStatus status = RunJob(CompileSingleJob, &job, &pattern->single, &error);
		size_t		size;

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
	if (pattern->single == NULL)
		return MATCH_OK;
	return MatchFromLibrary(FitScratch(pattern->single, &pattern->fits));
}

/* It was used: kept while those of the set are not too big. */
void
MatchSingleDone(MatchSet *set, int number)
{
	MatchPattern *pattern = &set->patterns[number];
	size_t		size;

	if (pattern->single == NULL || set->singles_size <= SINGLES_KEEP)
		return;
	hs_database_size(pattern->single, &size);
	set->singles_size -= size;
	hs_free_database(pattern->single);
	pattern->single = NULL;
	pattern->fits = 0;
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
	return MatchFromLibrary(hs_serialize_database(set->db, bytes, len));
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
	MatchWordsDestroy(set->words);
	free(set);
}
