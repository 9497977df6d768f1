/*
 * phrases_value.c
 *		What a phrases value holds, read without trusting it, and the matcher
 *		that is made of it.
 *
 * Here are also the server's errors and encodings around match.c, which knows
 * neither.  phrases.c makes values, phrases_cache.c keeps them loaded,
 * phrase_hits.c looks for them in texts.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "compile_child.h"
#include "digest.h"
#include "encoding.h"
#include "match.h"
#include "phrases_value.h"

/* Reads the truth without trusting it */
typedef struct TruthReader
{
	const char *at;
	const char *end;
} TruthReader;

/* ---- the truth ----------------------------------------------------------- */

void
PhrasesCorrupt(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("phrases value is corrupted"),
			 errdetail_internal("%s", what)));
}

static uint16
ReadUint16(TruthReader *reader)
{
	uint16		number;

	if (reader->end - reader->at < sizeof(number))
		PhrasesCorrupt("A number lies beyond the end.");
	memcpy(&number, reader->at, sizeof(number));
	reader->at += sizeof(number);
	return number;
}

static Piece
ReadPiece(TruthReader *reader)
{
	Piece		piece;

	piece.len = ReadUint16(reader);
	if (reader->end - reader->at < piece.len)
		PhrasesCorrupt("A text lies beyond the end.");
	piece.bytes = reader->at;
	reader->at += piece.len;
	return piece;
}

void
PhrasesHash(const Phrases *p, uint8 *hash)
{
	int32		head[4] = {p->version, p->syntax, p->nnames, p->npatterns};
	DigestPiece pieces[2] = {{head, sizeof(head)}, {p->data, p->truth_len}};

	Digest(pieces, lengthof(pieces), hash, PG_SHA256_DIGEST_LENGTH);
}

/* Identifies the compiler of a database */
uint32
PhrasesStamp(void)
{
	const char *version = MatchVersion();
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, version, strlen(version));
	FIN_CRC32C(crc);
	return crc;
}

uint32
PhrasesCrc(const char *bytes, Size len)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, bytes, len);
	FIN_CRC32C(crc);
	return crc;
}

/* Sizes and counts of a whole value; what they cover is read by TruthReader. */
void
CheckPhrases(const Phrases *p)
{
	Size		size = VARSIZE(p);

	if (size < offsetof(Phrases, data) || p->version != PHRASES_VERSION || p->unused != 0)
		PhrasesCorrupt("Its header is of no known version.");
	if (p->syntax != PHRASES_LITERAL && p->syntax != PHRASES_REGEX)
		PhrasesCorrupt("Its syntax is unknown.");
	if ((Size) p->truth_len + p->db_len != size - offsetof(Phrases, data))
		PhrasesCorrupt("Its size is not that of its parts.");
	if (p->npatterns < 0 || p->npatterns > MATCH_MAX_PATTERNS ||
		p->nnames < 0 || p->nnames > p->npatterns)
		PhrasesCorrupt("Its counts are out of range.");
}

/*
 * The truth as a list (names and patterns point into p), and each pattern's
 * name number when asked for. unique_names may be NULL, too.
 */
PhraseList
PhrasesRead(const Phrases *p, Piece *unique_names, int *pattern_name)
{
	PhraseList	list;
	TruthReader reader;
	Piece	   *names;

	CheckPhrases(p);
	reader.at = p->data;
	reader.end = p->data + p->truth_len;
	names = unique_names ? unique_names : palloc((p->nnames + 1) * sizeof(Piece));
	list.syntax = p->syntax;
	list.npatterns = p->npatterns;
	list.names = palloc((p->npatterns + 1) * sizeof(Piece));
	list.patterns = palloc((p->npatterns + 1) * sizeof(Piece));
	for (int i = 0; i < p->nnames; i++)
		names[i] = ReadPiece(&reader);
	for (int i = 0; i < p->npatterns; i++)
	{
		uint16		name = ReadUint16(&reader);

		if (name >= p->nnames)
			PhrasesCorrupt("A name's number is out of range.");
		list.names[i] = names[name];
		list.patterns[i] = ReadPiece(&reader);
		if (pattern_name)
			pattern_name[i] = name;
	}
	if (reader.at != reader.end)
		PhrasesCorrupt("It goes on after its end.");
	return list;
}

/* ---- matching, with the server's errors and encodings -------------------- */

static void
DestroyMatch(void *arg)
{
	MatchDestroy((MatchSet *) arg);
}

/* A new matcher that dies with this memory context */
MatchSet   *
PhrasesCreateMatch(MemoryContext cxt, uint8 syntax)
{
	MemoryContextCallback *callback =
	MemoryContextAlloc(cxt, sizeof(MemoryContextCallback));
	int			flags = syntax == PHRASES_REGEX ? MATCH_REGEX : 0;
	MatchSet   *match;

	if (GetDatabaseEncoding() == PG_UTF8)
		flags |= MATCH_VALID_UTF8;
	match = MatchCreate(flags);
	if (match == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	callback->func = DestroyMatch;
	callback->arg = match;
	MemoryContextRegisterResetCallback(cxt, callback);
	return match;
}

/* Raise what the matcher could not do; the name tells which pattern. */
static void
RaiseMatchError(MatchStatus status, const MatchError *error, const PhraseList *list)
{
	const char *reason = error->message;
	int			number = error->pattern;

	if (status == MATCH_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
				 errdetail("Failed while compiling phrases: %s.", reason)));
	if (status == MATCH_TOO_BIG && number < 0 && list->syntax == PHRASES_REGEX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("regular expressions are too complex together"),
				 errdetail_internal("%s", reason),
				 errhint("Use several phrases values.")));
	if (number >= 0 && number < list->npatterns)
		ereport(ERROR,
				(errcode(status == MATCH_TOO_BIG ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
						 list->syntax == PHRASES_REGEX ? ERRCODE_INVALID_REGULAR_EXPRESSION :
						 ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid pattern of phrase \"%.*s\"",
						list->names[number].len, list->names[number].bytes),
				 errdetail("Pattern %d: %s.", number + 1,
						   pnstrdup(reason, strlen(reason) - (strlen(reason) > 0 && reason[strlen(reason) - 1] == '.'))),
				 status == MATCH_TOO_BIG && list->syntax == PHRASES_REGEX ?
				 errhint("Repeats of characters beyond ASCII, as in \\pL{1,300}, are costly: prefer \\pL+, or [a-z]{1,300}.") : 0));
	if (status == MATCH_UNUSABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("regular expressions can't be matched here"),
				 errdetail_internal("%s", reason),
				 errhint("Literal phrases are not affected. Version 5.4.13 of the library has the faults mended.")));
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("could not compile phrases"),
			 errdetail_internal("%s", reason)));
}

/* Give the matcher its patterns. */
void
PhrasesAddPatterns(MatchSet *match, const PhraseList *list)
{
	for (int i = 0; i < list->npatterns; i++)
	{
		MatchError	error = {-1, ""};
		Size		len;
		const char *utf8 = TextToUtf8(list->patterns[i].bytes, list->patterns[i].len, &len);
		MatchStatus status = MatchAdd(match, utf8, len, MATCH_WORDS, &error);

		if (status != MATCH_OK)
			RaiseMatchError(status, &error, list);
	}
}

/*
 * Compile. What may take long is done elsewhere (compile_child.c), which stops
 * at an interrupt; where that was no cancel, it starts over.
 */
void
PhrasesCompile(MatchSet *match, const PhraseList *list)
{
	MatchError	error = {-1, ""};
	MatchStatus status;

	CompileChildStart();
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = MatchCompile(match, &error);
	} while (status == MATCH_STOPPED);
	if (status != MATCH_OK)
		RaiseMatchError(status, &error, list);
}

/* A scan failed for a reason that is none of the patterns'. */
void
PhrasesScanError(MatchStatus status)
{
	if (status == MATCH_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
				 errdetail("Failed while matching phrases.")));
	if (status == MATCH_TOO_BIG)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text is too long to match phrases")));
	elog(ERROR, "could not match phrases: status %d", (int) status);
}
