/*
 * phrase_hits.c
 *		Which phrases occur in a text, and where.
 *
 * A scan stops when an interrupt comes in, and starts over if that was no
 * cancel.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compile_child.h"
#include "detoast_once.h"
#include "encoding.h"
#include "match.h"
#include "phrases_value.h"

/* Limit of phrase_matches() */
#define PHRASES_MAX_MATCHES		100000

/*
 * A scan stops when an interrupt comes in. Serve it; if that was no cancel,
 * the caller starts over, deaf when interrupts are held off just now.
 */
static void
ServeInterrupt(void)
{
	static const volatile sig_atomic_t deaf = 0;

	CHECK_FOR_INTERRUPTS();
	if (InterruptPending)
		MatchStopFlag(&deaf);
}

/* Look for a matcher's patterns; the callback may see a match more than once. */
void
PhrasesScan(MatchSet *match, const char *utf8, Size len, MatchCallback callback, void *arg)
{
	MatchStatus status;

	while ((status = MatchScan(match, utf8, len, callback, arg)) == MATCH_STOPPED)
		ServeInterrupt();
	MatchStopFlag(&InterruptPending);
	if (status != MATCH_OK)
		PhrasesScanError(status);
}

/* The places of a matcher's patterns, at most so many, copied into our memory */
MatchSpan  *
PhrasesFind(MatchSet *match, const char *utf8, Size len, int max, int *count)
{
	MatchSpan  *found;
	MatchSpan  *spans = NULL;
	MatchStatus status;

	/* An expression may have to be compiled alone, to tell where it begins. */
	CompileChildStart();
	do
	{
		status = MatchFind(match, utf8, len, max, &found, count);
		if (status == MATCH_OK && *count > 0)
		{
			spans = palloc_extended(*count * sizeof(MatchSpan), MCXT_ALLOC_NO_OOM);
			if (spans != NULL)
				memcpy(spans, found, *count * sizeof(MatchSpan));
			else
				status = MATCH_NO_MEMORY;
		}
		free(found);
		if (status == MATCH_STOPPED)
			ServeInterrupt();
	} while (status == MATCH_STOPPED);
	MatchStopFlag(&InterruptPending);
	if (status != MATCH_OK)
		PhrasesScanError(status);
	return spans;
}

/* Those names whose bits are set, in definition order */
ArrayType  *
PhrasesNames(const Datum *names, const uint64 *bits, int nhits)
{
	Datum	   *hits;
	int			count = 0;

	if (nhits == 0)
		return construct_empty_array(TEXTOID);
	hits = palloc(nhits * sizeof(Datum));
	for (int i = 0; count < nhits; i++)
		for (uint64 word = bits[i]; word != 0; word &= word - 1)
			hits[count++] = names[i * 64 + pg_rightmost_one_pos64(word)];
	return construct_array(hits, count, TEXTOID, -1, false, TYPALIGN_INT);
}

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
	PhrasesEntry *entry = PhrasesGetEntry(fcinfo, 0);
	text	   *t = PG_GETARG_TEXT_ONCE(1);
	Size		len;
	const char *utf8 = TextToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);

	memset(entry->hits, 0, entry->hit_words * sizeof(uint64));
	entry->nhits = 0;
	PhrasesScan(entry->match, utf8, len, NoteName, entry);
	PG_RETURN_ARRAYTYPE_P(PhrasesNames(entry->names, entry->hits, entry->nhits));
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

/* What is left of a text in the server's encoding, from its character `at` */
typedef struct Rest
{
	const char *bytes;
	int			len;
	int			at;
} Rest;

static int
SkipCharacters(const char *bytes, int len, int count)
{
	int			skipped = 0;

	while (count-- > 0 && skipped < len)
		skipped += Min(pg_mblen(bytes + skipped), len - skipped);
	return skipped;
}

/*
 * Some characters of a text that was converted to be searched, from itself:
 * not each character can be converted back. Calls go forward only.
 */
static text *
Characters(Rest *rest, int from, int count)
{
	int			skip = SkipCharacters(rest->bytes, rest->len, from - rest->at);

	rest->bytes += skip;
	rest->len -= skip;
	rest->at = from;
	return cstring_to_text_with_len(rest->bytes, SkipCharacters(rest->bytes, rest->len, count));
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
	MatchSpan  *spans;
	int			count;
	Size		at = 0;
	int			characters = 0;
	Rest		rest = {VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), 0};

	if (max < 0 || max > PHRASES_MAX_MATCHES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_matches must be between 0 and %d", PHRASES_MAX_MATCHES)));
	InitMaterializedSRF(fcinfo, 0);
	entry = PhrasesGetEntry(fcinfo, 0);
	utf8 = TextToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);
	spans = PhrasesFind(entry->match, utf8, len, max, &count);

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
			if (start >= VARDATA_ANY(t) && start <= (char *) t + VARSIZE_ANY(t))
				values[3] = PointerGetDatum(cstring_to_text_with_len(start, length));
			else
				values[3] = PointerGetDatum(Characters(&rest, characters, PhrasesCountCharacters(start, length)));
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
