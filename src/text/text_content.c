/*
 * text_content.c
 *		What a text model sees of a message, made of a message table's columns.
 *
 * jsonb_build_object() would do, and copies all headers, of which a model reads
 * some, and all of a body, of which it reads the beginning.  Here, only what is
 * read is put together; and what occurs of a phrase set is left out on the way:
 * names and hosts of one's own, which tell where a message was kept rather than
 * what it is.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_type.h"
#include "detoast_once.h"
#include "encoding.h"
#include "fmgr.h"
#include "header_values.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "phrase_sets.h"
#include "text_tokens.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

/* So much of a body is searched for what is left out; a model reads less. */
#define BODY_BYTES_MAX	(2 * TEXT_BODY_MAX)

/* Longer values of headers and URLs are cut, of which a model reads 2 kB at most */
#define VALUE_BYTES_MAX	8192

/* Arguments */
#define ARG_SUBJECT		0
#define ARG_BODY		1
#define ARG_HEADERS		2
#define ARG_URLS		3
#define ARG_TOKENS		4
#define ARG_WITHOUT		5

/* Between two parts of a message, so that no phrase of words or lines goes from one into the other */
#define PART_END		"\n\x01\n"

/* A token of the object that is being made */
typedef struct Item
{
	JsonbIteratorToken what;
	const char *bytes;			/* of a string */
	int			len;
	int			max;			/* so many of them are kept */
	bool		of_message;		/* phrases are left out */
} Item;

typedef struct MessageContent
{
	int			n;
	int			room;
	Item	   *items;
} MessageContent;

static void
AddItem(MessageContent *content, JsonbIteratorToken what, const char *bytes, int len, int max, bool of_message)
{
	Item	   *item;

	if (content->n == content->room)
	{
		content->room = content->room == 0 ? 64 : content->room * 2;
		content->items = content->items == NULL ? palloc(content->room * sizeof(Item)) :
			repalloc(content->items, content->room * sizeof(Item));
	}
	item = &content->items[content->n++];
	item->what = what;
	item->bytes = bytes;
	item->len = len;
	item->max = max;
	item->of_message = of_message;
}

static void
AddMark(MessageContent *content, JsonbIteratorToken what)
{
	AddItem(content, what, NULL, 0, 0, false);
}

static void
AddKey(MessageContent *content, const char *key)
{
	AddItem(content, WJB_KEY, key, strlen(key), INT_MAX, false);
}

/* A string's beginning, of whole characters */
static void
AddText(MessageContent *content, JsonbIteratorToken what, const char *bytes, int len, int read, int max, bool of_message)
{
	if (len > read)
		len = ClipText(bytes, len, read);
	AddItem(content, what, bytes, len, max, of_message);
}

/* ---- what is left out ------------------------------------------------------------ */

/* Of places that overlap the first, and of those that begin together the longest; gives their number. */
static int
ApartPlaces(MatchSpan *places, int n)
{
	int			apart = 0;

	for (int i = 0; i < n; i++)
	{
		MatchSpan	place = places[i];

		for (; i + 1 < n && places[i + 1].start == place.start; i++)
			place.end = Max(place.end, places[i + 1].end);
		if (place.end > place.start && (apart == 0 || place.start >= places[apart - 1].end))
			places[apart++] = place;
	}
	return apart;
}

/* A part of the text from one byte to another, with a space for each place; which is the first that may be in it */
static void
BlankPart(Item *item, const char *utf8, Size from, Size to, const MatchSpan *places, int n, int *which)
{
	StringInfoData blanked;
	Size		at = from;
	Size		len;

	while (*which < n && places[*which].end <= from)
		(*which)++;
	if (*which == n || places[*which].start >= to)
		return;
	initStringInfo(&blanked);
	while (*which < n && places[*which].start < to)
	{
		const MatchSpan *place = &places[*which];

		appendBinaryStringInfo(&blanked, utf8 + at, Max(place->start, at) - at);
		appendStringInfoChar(&blanked, ' ');
		at = Min(place->end, to);
		if (place->end > to)
			break;				/* it goes on in the next part */
		(*which)++;
	}
	appendBinaryStringInfo(&blanked, utf8 + at, to - at);
	item->bytes = Utf8ToText(blanked.data, blanked.len, &len);
	item->len = len;
}

/* Leave out what occurs of a phrase set: all parts are searched at once. */
static void
LeaveOut(MessageContent *content, const text *set)
{
	StringInfoData joined;
	Size	   *from = palloc(content->n * sizeof(Size));
	Size	   *to = palloc(content->n * sizeof(Size));
	MatchSpan  *places;
	int			n;
	int			which = 0;

	initStringInfo(&joined);
	for (int i = 0; i < content->n; i++)
	{
		const Item *item = &content->items[i];
		Size		len;
		const char *utf8;

		if (!item->of_message)
			continue;
		utf8 = TextToUtf8(item->bytes, item->len, &len);
		from[i] = joined.len;
		appendBinaryStringInfo(&joined, utf8, len);
		to[i] = joined.len;
		appendBinaryStringInfo(&joined, PART_END, sizeof(PART_END) - 1);
	}
	places = PhraseSetPlaces(set, joined.data, joined.len, &n);
	n = ApartPlaces(places, n);
	for (int i = 0; i < content->n && n > 0; i++)
		if (content->items[i].of_message)
			BlankPart(&content->items[i], joined.data, from[i], to[i], places, n, &which);
}

/* ---- the object ------------------------------------------------------------------ */

static Jsonb *
MakeObject(const MessageContent *content)
{
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;

	for (int i = 0; i < content->n; i++)
	{
		const Item *item = &content->items[i];
		JsonbValue	v;

		v.type = jbvString;
		v.val.string.val = unconstify(char *, item->bytes);
		v.val.string.len = item->len <= item->max ? item->len : ClipText(item->bytes, item->len, item->max);
		result = pushJsonbValue(&state, item->what, item->bytes != NULL ? &v : NULL);
	}
	return JsonbValueToJsonb(result);
}

/* Those headers that a model reads */
static void
AddHeaders(MessageContent *content, Jsonb *headers)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	JsonbValue	first;
	TextSpan	field = {NULL, 0};

	if (!HasHeaders(headers))
		return;
	AddKey(content, "headers");
	AddMark(content, WJB_BEGIN_OBJECT);
	it = JsonbIteratorInit(&headers->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
			field = MakeSpan(v.val.string.val, v.val.string.len);
		else if (token == WJB_VALUE && TextReadsHeader(field) && FirstString(&v, &first))
		{
			AddItem(content, WJB_KEY, field.data, field.len, INT_MAX, false);
			AddText(content, WJB_VALUE, first.val.string.val, first.val.string.len, VALUE_BYTES_MAX, VALUE_BYTES_MAX, true);
		}
	}
	AddMark(content, WJB_END_OBJECT);
}

/* Strings of an array, at most so many */
static void
AddArray(MessageContent *content, const char *key, ArrayType *array, int max, bool of_message)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	AddKey(content, key);
	AddMark(content, WJB_BEGIN_ARRAY);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n && max > 0; i++)
	{
		text	   *item;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			continue;
		item = DatumGetTextPP(items[i]);
		AddText(content, WJB_ELEM, VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item), VALUE_BYTES_MAX, VALUE_BYTES_MAX, of_message);
		max--;
	}
	AddMark(content, WJB_END_ARRAY);
}

/* text_content(subject, body, headers, urls, tokens, without): an object for text_score() and its like */
PG_FUNCTION_INFO_V1(text_content);
Datum
text_content(PG_FUNCTION_ARGS)
{
	MessageContent content = {0};

	AddMark(&content, WJB_BEGIN_OBJECT);
	if (!PG_ARGISNULL(ARG_SUBJECT))
	{
		text	   *subject = PG_GETARG_TEXT_PP(ARG_SUBJECT);

		AddKey(&content, "subject");
		AddText(&content, WJB_VALUE, VARDATA_ANY(subject), VARSIZE_ANY_EXHDR(subject), VALUE_BYTES_MAX, TEXT_SUBJECT_MAX, true);
	}
	if (!PG_ARGISNULL(ARG_BODY))
	{
		text	   *body = PG_GETARG_TEXT_ONCE(ARG_BODY);

		AddKey(&content, "body");
		AddText(&content, WJB_VALUE, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), BODY_BYTES_MAX, TEXT_BODY_MAX, true);
	}
	if (!PG_ARGISNULL(ARG_HEADERS))
		AddHeaders(&content, PG_GETARG_JSONB_ONCE(ARG_HEADERS));
	if (!PG_ARGISNULL(ARG_URLS))
		AddArray(&content, "urls", PG_GETARG_ARRAYTYPE_P(ARG_URLS), TEXT_URLS_MAX, true);
	if (!PG_ARGISNULL(ARG_TOKENS))
		AddArray(&content, "tokens", PG_GETARG_ARRAYTYPE_P(ARG_TOKENS), TEXT_GIVEN_MAX, false);
	AddMark(&content, WJB_END_OBJECT);
	if (!PG_ARGISNULL(ARG_WITHOUT))
		LeaveOut(&content, PG_GETARG_TEXT_PP(ARG_WITHOUT));
	PG_RETURN_JSONB_P(MakeObject(&content));
}
