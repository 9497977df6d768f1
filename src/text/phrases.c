/*
 * phrases.c
 *		The type phrases: named patterns, matched all at once.
 *
 * A value holds the patterns (the truth) and the matcher's compiled database
 * (a cache). Text and binary form carry the truth alone: compiled bytes enter
 * a value only from our own compiler, never from a client, because the
 * library trusts them. They are checked all the same before use (checksums of
 * both parts, versions, CPU); if a check fails, the backend compiles from the
 * truth instead.
 * What a backend keeps of them is phrases_cache.c's.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "port/pg_crc32c.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "match.h"
#include "phrases_value.h"

#define PHRASES_VERSION			1	/* of the layout */
#define PHRASES_BINARY_VERSION	1	/* of send and recv */

/* Limits; those of one pattern and of the number of patterns are in match.h */
#define PHRASES_MAX_NAME		255
#define PHRASES_MAX_BYTES		(4 * 1024 * 1024)	/* of all patterns */
#define PHRASES_MAX_MATCHES		100000
#define PHRASES_DEFAULT_MATCHES 1000

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
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	int32		head[4] = {p->version, p->syntax, p->nnames, p->npatterns};

	if (ctx == NULL ||
		pg_cryptohash_init(ctx) < 0 ||
		pg_cryptohash_update(ctx, (uint8 *) head, sizeof(head)) < 0 ||
		pg_cryptohash_update(ctx, (const uint8 *) p->data, p->truth_len) < 0 ||
		pg_cryptohash_final(ctx, hash, PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute the hash of a phrases value");
	pg_cryptohash_free(ctx);
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
	TruthReader reader = {p->data, p->data + p->truth_len};
	Piece	   *names;

	CheckPhrases(p);
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

/*
 * Text in UTF-8, as the matcher needs it. What has no equivalent there becomes
 * a question mark. SQL_ASCII goes as it is: the matcher takes any bytes.
 */
const char *
PhrasesToUtf8(const char *bytes, int len, Size *utf8_len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			proc;
	char	   *out;
	Size		room;
	Size		at = 0;
	bool		ascii = true;

	*utf8_len = len;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return bytes;
	for (int i = 0; i < len && ascii; i++)
		ascii = !IS_HIGHBIT_SET(bytes[i]);
	if (ascii)
		return bytes;
	proc = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(proc))
		return bytes;

	room = add_size(mul_size(len, MAX_CONVERSION_GROWTH), 1);
	out = MemoryContextAllocHuge(CurrentMemoryContext, room);
	while (len > 0)
	{
		Size		left = room - at;
		int			done = pg_do_encoding_conversion_buf(proc, encoding, PG_UTF8,
														 (unsigned char *) bytes, len,
														 (unsigned char *) out + at,
														 Min(left, INT_MAX), true);

		at += strlen(out + at);
		bytes += done;
		len -= done;
		if (len > 0 && done == 0)
		{
			int			skip = Min(pg_mblen(bytes), len);

			out[at++] = '?';
			bytes += skip;
			len -= skip;
		}
	}
	*utf8_len = at;
	return out;
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
				 errdetail("Failed while compiling phrases.")));
	if (number >= 0 && number < list->npatterns)
		ereport(ERROR,
				(errcode(status == MATCH_TOO_BIG ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
						 list->syntax == PHRASES_REGEX ? ERRCODE_INVALID_REGULAR_EXPRESSION :
						 ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid pattern of phrase \"%.*s\"",
						list->names[number].len, list->names[number].bytes),
				 errdetail("Pattern %d: %s.", number + 1,
						   pnstrdup(reason, strlen(reason) - (strlen(reason) > 0 && reason[strlen(reason) - 1] == '.')))));
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
		const char *utf8 = PhrasesToUtf8(list->patterns[i].bytes, list->patterns[i].len, &len);
		MatchStatus status = MatchAdd(match, utf8, len, MATCH_WORDS, &error);

		if (status != MATCH_OK)
			RaiseMatchError(status, &error, list);
	}
}

/*
 * Compile. Expressions are first tried one by one, so that the one at fault
 * has a name and a cancel request is seen between two of them.
 */
void
PhrasesCompile(MatchSet *match, const PhraseList *list)
{
	MatchError	error = {-1, ""};
	MatchStatus status;
	Size		total = 0;

	if (list->syntax == PHRASES_REGEX)
	{
		for (int i = 0; i < list->npatterns; i++)
		{
			size_t		size;

			CHECK_FOR_INTERRUPTS();
			status = MatchCheck(match, i, &size, &error);
			if (status != MATCH_OK)
				RaiseMatchError(status, &error, list);
			total += size;
		}
		if (total > MATCH_MAX_REGEX_TOTAL)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("regular expressions are too complex together"),
					 errdetail("Compiled one by one they take %zu bytes; the limit is %d.",
							   total, MATCH_MAX_REGEX_TOTAL),
					 errhint("Use several phrases values.")));
	}
	CHECK_FOR_INTERRUPTS();
	status = MatchCompile(match, &error);
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

/*
 * A scan stops when an interrupt comes in. Serve it; if that was no cancel,
 * the caller starts over, deaf when interrupts are held off just now.
 */
void
PhrasesServeInterrupt(void)
{
	static const volatile sig_atomic_t deaf = 0;

	CHECK_FOR_INTERRUPTS();
	if (InterruptPending)
		MatchStopFlag(&deaf);
}

/* ---- building a value ---------------------------------------------------- */

/* Check a list and number its names in order of appearance. */
static int
NumberNames(const PhraseList *list, int *pattern_name, Piece *unique_names)
{
	HASHCTL		ctl;
	HTAB	   *seen;
	int			nnames = 0;
	Size		total = 0;
	int			max = list->syntax == PHRASES_REGEX ? MATCH_MAX_REGEXES : MATCH_MAX_PATTERNS;
	typedef struct NameNumber
	{
		char		name[PHRASES_MAX_NAME + 1];
		int			number;
	} NameNumber;

	if (list->npatterns > max)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many patterns: %d", list->npatterns),
				 errdetail("A phrases value of this syntax holds at most %d.", max)));

	ctl.keysize = PHRASES_MAX_NAME + 1;
	ctl.entrysize = sizeof(NameNumber);
	ctl.hcxt = CurrentMemoryContext;
	seen = hash_create("phrase names", 256, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

	for (int i = 0; i < list->npatterns; i++)
	{
		const Piece *name = &list->names[i];
		char		key[PHRASES_MAX_NAME + 1];
		NameNumber *entry;
		bool		found;

		if (name->len == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("phrase name %d is empty", i + 1)));
		if (name->len > PHRASES_MAX_NAME)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("phrase name is too long"),
					 errdetail("Name %d has %d bytes; the limit is %d.",
							   i + 1, name->len, PHRASES_MAX_NAME)));
		if (list->patterns[i].len > MATCH_MAX_PATTERN_BYTES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("pattern of phrase \"%.*s\" is too long", name->len, name->bytes),
					 errdetail("Pattern %d has %d bytes; the limit is %d.",
							   i + 1, list->patterns[i].len, MATCH_MAX_PATTERN_BYTES)));
		total += list->patterns[i].len;
		memcpy(key, name->bytes, name->len);
		key[name->len] = '\0';
		entry = hash_search(seen, key, HASH_ENTER, &found);
		if (!found)
		{
			unique_names[nnames] = *name;
			entry->number = nnames++;
		}
		pattern_name[i] = entry->number;
	}
	hash_destroy(seen);
	if (total > PHRASES_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("patterns are too long together"),
				 errdetail("They have %zu bytes; the limit is %d.", total, PHRASES_MAX_BYTES)));
	return nnames;
}

static char *
WriteUint16(char *at, uint16 number)
{
	memcpy(at, &number, sizeof(number));
	return at + sizeof(number);
}

static char *
WritePiece(char *at, Piece piece)
{
	at = WriteUint16(at, piece.len);
	memcpy(at, piece.bytes, piece.len);
	return at + piece.len;
}

/* The one way into the type: constructor, input and receive all end here. */
static Phrases *
BuildPhrases(const PhraseList *list)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(outer, "phrases build", ALLOCSET_DEFAULT_SIZES);
	int		   *pattern_name;
	Piece	   *unique_names;
	int			nnames;
	MatchSet   *match;
	Phrases    *p;
	Size		truth_len = 0;
	char	   *db;
	size_t		db_len;
	char	   *at;

	MemoryContextSwitchTo(cxt);
	pattern_name = palloc((list->npatterns + 1) * sizeof(int));
	unique_names = palloc((list->npatterns + 1) * sizeof(Piece));
	nnames = NumberNames(list, pattern_name, unique_names);
	for (int i = 0; i < nnames; i++)
		truth_len += sizeof(uint16) + unique_names[i].len;
	for (int i = 0; i < list->npatterns; i++)
		truth_len += 2 * sizeof(uint16) + list->patterns[i].len;

	match = PhrasesCreateMatch(cxt, list->syntax);
	PhrasesAddPatterns(match, list);
	PhrasesCompile(match, list);
	if (MatchSave(match, &db, &db_len) != MATCH_OK)
		PhrasesScanError(MATCH_NO_MEMORY);
	/* The database is a cache: a value that can't hold it goes without. */
	if (db_len > MaxAllocSize / 2)
		db_len = 0;

	p = MemoryContextAllocExtended(outer, offsetof(Phrases, data) + truth_len + db_len,
								   MCXT_ALLOC_ZERO | MCXT_ALLOC_NO_OOM);
	if (p == NULL)
	{
		free(db);
		PhrasesScanError(MATCH_NO_MEMORY);
	}
	SET_VARSIZE(p, offsetof(Phrases, data) + truth_len + db_len);
	p->version = PHRASES_VERSION;
	p->syntax = list->syntax;
	p->nnames = nnames;
	p->npatterns = list->npatterns;
	p->truth_len = truth_len;
	p->db_len = db_len;
	at = p->data;
	for (int i = 0; i < nnames; i++)
		at = WritePiece(at, unique_names[i]);
	for (int i = 0; i < list->npatterns; i++)
	{
		at = WriteUint16(at, pattern_name[i]);
		at = WritePiece(at, list->patterns[i]);
	}
	Assert(at == p->data + truth_len);
	memcpy(at, db, db_len);
	free(db);
	p->db_crc = PhrasesCrc(at, db_len);
	p->db_stamp = PhrasesStamp();
	PhrasesHash(p, p->hash);

	MemoryContextSwitchTo(outer);
	MemoryContextDelete(cxt);
	return p;
}

static uint8
SyntaxFromName(Piece name)
{
	if (name.len == 7 && memcmp(name.bytes, "literal", 7) == 0)
		return PHRASES_LITERAL;
	if (name.len == 5 && memcmp(name.bytes, "regex", 5) == 0)
		return PHRASES_REGEX;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown phrase syntax \"%.*s\"", name.len, name.bytes),
			 errhint("Known are \"literal\" and \"regex\".")));
	return PHRASES_LITERAL;		/* keep compiler quiet */
}

static Piece
TextPiece(text *t)
{
	Piece		piece = {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t)};

	return piece;
}

/* ---- text and binary form ------------------------------------------------ */

static void
ReportInput(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s", "phrases"),
			 errdetail_internal("%s", detail),
			 errhint("Expected is {\"syntax\": \"literal\" or \"regex\", \"names\": [\"...\"], \"patterns\": [\"...\"]}.")));
}

/* The strings of a JSON array */
static Piece *
ReadStrings(JsonbValue *array, int *count)
{
	Piece	   *strings;
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;

	if (array->type != jbvBinary || !JsonContainerIsArray(array->val.binary.data) ||
		JsonContainerIsScalar(array->val.binary.data))
		ReportInput("Names and patterns must be arrays.");
	strings = palloc((JsonContainerSize(array->val.binary.data) + 1) * sizeof(Piece));
	*count = 0;
	it = JsonbIteratorInit(array->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (v.type != jbvString)
			ReportInput("Names and patterns must be strings.");
		strings[*count].bytes = v.val.string.val;
		strings[*count].len = v.val.string.len;
		(*count)++;
	}
	return strings;
}

static Phrases *
ParsePhrases(char *json)
{
	Jsonb	   *jsonb = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	PhraseList	list = {PHRASES_LITERAL, 0, NULL, NULL};
	int			nnames = 0;
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(jsonb))
		ReportInput("It is not a JSON object.");
	it = JsonbIteratorInit(&jsonb->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		Piece		key;

		if (token != WJB_KEY)
			continue;
		key.bytes = v.val.string.val;
		key.len = v.val.string.len;
		JsonbIteratorNext(&it, &v, true);
		if (key.len == 6 && memcmp(key.bytes, "syntax", 6) == 0)
		{
			Piece		name;

			if (v.type != jbvString)
				ReportInput("The syntax must be a string.");
			name.bytes = v.val.string.val;
			name.len = v.val.string.len;
			list.syntax = SyntaxFromName(name);
		}
		else if (key.len == 5 && memcmp(key.bytes, "names", 5) == 0)
			list.names = ReadStrings(&v, &nnames);
		else if (key.len == 8 && memcmp(key.bytes, "patterns", 8) == 0)
			list.patterns = ReadStrings(&v, &list.npatterns);
		else
			ReportInput("It has an unknown key.");
	}
	if (list.names == NULL || list.patterns == NULL)
		ReportInput("Names or patterns are missing.");
	if (nnames != list.npatterns)
		ReportInput("There are not as many names as patterns.");
	return BuildPhrases(&list);
}

static void
AppendStrings(StringInfo out, const Piece *pieces, int count)
{
	appendStringInfoChar(out, '[');
	for (int i = 0; i < count; i++)
	{
		char	   *string = pnstrdup(pieces[i].bytes, pieces[i].len);

		if (i > 0)
			appendStringInfoString(out, ", ");
		escape_json(out, string);
		pfree(string);
	}
	appendStringInfoChar(out, ']');
}

static void
FormatPhrases(StringInfo out, const Phrases *p)
{
	PhraseList	list = PhrasesRead(p, NULL, NULL);

	appendStringInfo(out, "{\"syntax\": \"%s\", \"names\": ",
					 list.syntax == PHRASES_REGEX ? "regex" : "literal");
	AppendStrings(out, list.names, list.npatterns);
	appendStringInfoString(out, ", \"patterns\": ");
	AppendStrings(out, list.patterns, list.npatterns);
	appendStringInfoChar(out, '}');
}

PG_FUNCTION_INFO_V1(phrases_in);
Datum
phrases_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(ParsePhrases(PG_GETARG_CSTRING(0)));
}

PG_FUNCTION_INFO_V1(phrases_out);
Datum
phrases_out(PG_FUNCTION_ARGS)
{
	StringInfoData out;

	initStringInfo(&out);
	FormatPhrases(&out, PG_GETARG_PHRASES_P(0));
	PG_RETURN_CSTRING(out.data);
}

PG_FUNCTION_INFO_V1(phrases_recv);
Datum
phrases_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(in);
	char	   *json;
	int			len;

	if (version != PHRASES_BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of the binary form of type %s",
						version, "phrases")));
	json = pq_getmsgtext(in, in->len - in->cursor, &len);
	PG_RETURN_POINTER(ParsePhrases(json));
}

PG_FUNCTION_INFO_V1(phrases_send);
Datum
phrases_send(PG_FUNCTION_ARGS)
{
	Phrases    *p = PG_GETARG_PHRASES_P(0);
	StringInfoData json;
	StringInfoData out;

	initStringInfo(&json);
	FormatPhrases(&json, p);
	pq_begintypsend(&out);
	pq_sendbyte(&out, PHRASES_BINARY_VERSION);
	pq_sendtext(&out, json.data, json.len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

/* The elements of a one-dimensional text[] argument without NULLs */
static Piece *
ArrayPieces(FunctionCallInfo fcinfo, int arg, const char *what, int *count)
{
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	Piece	   *pieces;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", what)));
	array = PG_GETARG_ARRAYTYPE_P(arg);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", what)));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, count);
	pieces = palloc((*count + 1) * sizeof(Piece));
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not contain nulls", what),
					 errdetail("Element %d is null.", i + 1)));
		pieces[i] = TextPiece(DatumGetTextPP(elements[i]));
	}
	return pieces;
}

/* phrases(names text[], patterns text[], syntax text) */
PG_FUNCTION_INFO_V1(phrases_make);
Datum
phrases_make(PG_FUNCTION_ARGS)
{
	PhraseList	list;
	int			nnames;

	list.names = ArrayPieces(fcinfo, 0, "phrase names", &nnames);
	list.patterns = ArrayPieces(fcinfo, 1, "patterns", &list.npatterns);
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", "phrase syntax")));
	list.syntax = SyntaxFromName(TextPiece(PG_GETARG_TEXT_PP(2)));
	if (nnames != list.npatterns)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d phrase names do not fit %d patterns", nnames, list.npatterns),
				 errhint("Each pattern has a name; a name may be repeated.")));
	PG_RETURN_POINTER(BuildPhrases(&list));
}

/* ---- functions ----------------------------------------------------------- */

/* MatchCallback: note the name of a pattern. */
static bool
NoteName(int pattern, void *arg)
{
	PhrasesEntry *entry = arg;
	int			name = entry->pattern_name[pattern];
	uint64		bit = UINT64CONST(1) << (name % 64);

	if ((entry->hits[name / 64] & bit) == 0)
	{
		entry->hits[name / 64] |= bit;
		entry->nhits++;
	}
	return entry->nhits < entry->nnames;
}

/* phrase_hits(phrases, text): the names that occur, in definition order */
PG_FUNCTION_INFO_V1(phrase_hits);
Datum
phrase_hits(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(1);
	PhrasesEntry *entry = PhrasesGetEntry(fcinfo, 0);
	Size		len;
	const char *utf8 = PhrasesToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);
	Datum	   *names;
	int			count = 0;
	MatchStatus status;

	do
	{
		memset(entry->hits, 0, entry->hit_words * sizeof(uint64));
		entry->nhits = 0;
		status = MatchScan(entry->match, utf8, len, NoteName, entry);
		if (status == MATCH_STOPPED)
			PhrasesServeInterrupt();
	} while (status == MATCH_STOPPED);
	MatchStopFlag(&InterruptPending);
	if (status != MATCH_OK)
		PhrasesScanError(status);
	PG_FREE_IF_COPY(t, 1);

	if (entry->nhits == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	names = palloc(entry->nhits * sizeof(Datum));
	for (int i = 0; i < entry->hit_words; i++)
	{
		for (uint64 word = entry->hits[i]; word != 0; word &= word - 1)
			names[count++] = entry->names[i * 64 + pg_rightmost_one_pos64(word)];
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Characters in a piece of what the matcher saw */
int
PhrasesCountCharacters(const char *bytes, Size len)
{
	int			count = 0;

	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return len;
	for (Size i = 0; i < len; i++)
		count += (bytes[i] & 0xC0) != 0x80;
	return count;
}

/* phrase_matches(phrases, text, max_matches): where each phrase occurs */
PG_FUNCTION_INFO_V1(phrase_matches);
Datum
phrase_matches(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int32		max = PG_GETARG_INT32(2);
	text	   *t = PG_GETARG_TEXT_PP(1);
	PhrasesEntry *entry;
	Size		len;
	const char *utf8;
	MatchSpan  *found;
	MatchSpan  *spans = NULL;
	int			count;
	MatchStatus status;
	Size		at = 0;
	int			characters = 0;

	if (max < 0 || max > PHRASES_MAX_MATCHES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_matches must be between 0 and %d", PHRASES_MAX_MATCHES)));
	InitMaterializedSRF(fcinfo, 0);
	entry = PhrasesGetEntry(fcinfo, 0);
	utf8 = PhrasesToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);

	do
	{
		status = MatchFind(entry->match, utf8, len, max, &found, &count);
		if (status == MATCH_OK && count > 0)
		{
			spans = palloc_extended(count * sizeof(MatchSpan), MCXT_ALLOC_NO_OOM);
			if (spans != NULL)
				memcpy(spans, found, count * sizeof(MatchSpan));
			else
				status = MATCH_NO_MEMORY;
		}
		free(found);
		if (status == MATCH_STOPPED)
			PhrasesServeInterrupt();
	} while (status == MATCH_STOPPED);
	MatchStopFlag(&InterruptPending);
	if (status != MATCH_OK)
		PhrasesScanError(status);

	for (int i = 0; i < count; i++)
	{
		bool		known = spans[i].start != MATCH_UNKNOWN;
		const char *start;
		int			length;
		Datum		values[4] = {0};
		bool		nulls[4] = {false};

		values[0] = entry->names[entry->pattern_name[spans[i].pattern]];
		if (known)
		{
			/* Spans come by their start: count on from the last one. */
			characters += PhrasesCountCharacters(utf8 + at, spans[i].start - at);
			at = spans[i].start;
			start = utf8 + at;
			length = spans[i].end - at;
			values[1] = Int32GetDatum(characters + 1);
			values[2] = Int32GetDatum(characters + PhrasesCountCharacters(start, length));
			start = pg_any_to_server(pnstrdup(start, length), length,
									 GetDatabaseEncoding() == PG_SQL_ASCII ? PG_SQL_ASCII : PG_UTF8);
			values[3] = PointerGetDatum(cstring_to_text(start));
		}
		else
		{
			nulls[1] = nulls[3] = true;
			values[2] = Int32GetDatum(PhrasesCountCharacters(utf8, spans[i].end));
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* phrases_patterns(phrases): the patterns as rows */
PG_FUNCTION_INFO_V1(phrases_patterns);
Datum
phrases_patterns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PhraseList	list = PhrasesRead(PG_GETARG_PHRASES_P(0), NULL, NULL);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < list.npatterns; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = PointerGetDatum(cstring_to_text_with_len(list.names[i].bytes,
															 list.names[i].len));
		values[1] = PointerGetDatum(cstring_to_text_with_len(list.patterns[i].bytes,
															 list.patterns[i].len));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* phrases_info(phrases): size and state of a value */
PG_FUNCTION_INFO_V1(phrases_info);
Datum
phrases_info(PG_FUNCTION_ARGS)
{
	Phrases    *p = PG_GETARG_PHRASES_P(0);
	TupleDesc	desc;
	Datum		values[6];
	bool		nulls[6] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	CheckPhrases(p);
	values[0] = CStringGetTextDatum(p->syntax == PHRASES_REGEX ? "regex" : "literal");
	values[1] = Int32GetDatum(p->nnames);
	values[2] = Int32GetDatum(p->npatterns);
	values[3] = Int32GetDatum(VARSIZE(p));
	values[4] = Int32GetDatum(p->db_len);
	values[5] = BoolGetDatum(p->db_stamp == PhrasesStamp() &&
							 p->db_crc == PhrasesCrc(p->data + p->truth_len, p->db_len));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* The hash of the truth, of a value that need not be fetched whole */
static void
TruthHash(Datum datum, uint8 *hash)
{
	const Phrases *header = (const Phrases *)
	PG_DETOAST_DATUM_SLICE(datum, 0, offsetof(Phrases, data) - VARHDRSZ);

	if (VARSIZE(header) < offsetof(Phrases, data))
		PhrasesCorrupt("It is shorter than its header.");
	memcpy(hash, header->hash, PG_SHA256_DIGEST_LENGTH);
}

static bool
PhrasesEqual(FunctionCallInfo fcinfo)
{
	uint8		a[PG_SHA256_DIGEST_LENGTH];
	uint8		b[PG_SHA256_DIGEST_LENGTH];

	TruthHash(PG_GETARG_DATUM(0), a);
	TruthHash(PG_GETARG_DATUM(1), b);
	return memcmp(a, b, sizeof(a)) == 0;
}

PG_FUNCTION_INFO_V1(phrases_eq);
Datum
phrases_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PhrasesEqual(fcinfo));
}

PG_FUNCTION_INFO_V1(phrases_ne);
Datum
phrases_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PhrasesEqual(fcinfo));
}
