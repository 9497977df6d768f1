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
 * Reading a value is phrases_value.c's, what a backend keeps of them
 * phrases_cache.c's, finding them in a text phrase_hits.c's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "match.h"
#include "phrases_value.h"

#define PHRASES_BINARY_VERSION	1	/* of send and recv */

/* Limits; those of one pattern and of the number of patterns are in match.h */
#define PHRASES_MAX_NAME		255
#define PHRASES_MAX_BYTES		(4 * 1024 * 1024)	/* of all patterns */

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
	if (db_len > 0)
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
