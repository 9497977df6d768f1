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

#include "catalog/pg_type.h"
#include "detoast_once.h"
#include "encoding.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
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

/* An object that is being made */
typedef struct Content
{
	JsonbParseState *state;
	JsonbValue *result;
	text	   *without;		/* name of the phrase set, or NULL */
} Content;

/* ---- what is left out ------------------------------------------------------------ */

/* Places of phrases, of which overlapping ones are one, each as a space */
static char *
BlankPlaces(const char *utf8, Size len, const MatchSpan *places, int n, Size *new_len)
{
	char	   *blanked = palloc(len + 1);
	char	   *to = blanked;
	Size		at = 0;

	for (int i = 0; i < n; i++)
	{
		Size		end = places[i].end;

		/* The longest of those that begin here */
		for (; i + 1 < n && places[i + 1].start == places[i].start; i++)
			end = Max(end, places[i + 1].end);
		if (places[i].start == MATCH_UNKNOWN || places[i].start < at || end > len || end == places[i].start)
			continue;
		memcpy(to, utf8 + at, places[i].start - at);
		to += places[i].start - at;
		*to++ = ' ';
		at = end;
	}
	memcpy(to, utf8 + at, len - at);
	*new_len = to + (len - at) - blanked;
	return blanked;
}

/* A string without what occurs of the phrase set in it */
static void
LeaveOut(Content *content, const char **bytes, int *len)
{
	Size		utf8_len;
	Size		new_len;
	const char *utf8;
	MatchSpan  *places;
	int			n;

	if (content->without == NULL || *len == 0)
		return;
	utf8 = TextToUtf8(*bytes, *len, &utf8_len);
	places = PhraseSetPlaces(content->without, utf8, utf8_len, &n);
	if (n == 0)
		return;
	*bytes = BlankPlaces(utf8, utf8_len, places, n, &new_len);
	*bytes = Utf8ToText(*bytes, new_len, &utf8_len);
	*len = utf8_len;
	pfree(places);
}

/* ---- the object ------------------------------------------------------------------ */

static void
AddString(Content *content, JsonbIteratorToken what, const char *bytes, int len)
{
	JsonbValue	v;

	v.type = jbvString;
	v.val.string.val = unconstify(char *, bytes);
	v.val.string.len = len;
	content->result = pushJsonbValue(&content->state, what, &v);
}

static void
AddKey(Content *content, const char *key)
{
	AddString(content, WJB_KEY, key, strlen(key));
}

/* A string's beginning, of whole characters, without what is left out */
static void
AddText(Content *content, JsonbIteratorToken what, const char *bytes, int len, int read, int max)
{
	if (len > read)
		len = pg_mbcliplen(bytes, len, read);
	LeaveOut(content, &bytes, &len);
	if (len > max)
		len = pg_mbcliplen(bytes, len, max);
	AddString(content, what, bytes, len);
}

/* The first string of a header's value: a string, or an array of them */
static bool
FirstString(const JsonbValue *v, JsonbValue *first)
{
	JsonbValue *element;

	*first = *v;
	if (v->type == jbvString)
		return true;
	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) || JsonContainerIsScalar(v->val.binary.data))
		return false;
	element = getIthJsonbValueFromContainer(v->val.binary.data, 0);
	if (element == NULL || element->type != jbvString)
		return false;
	*first = *element;
	return true;
}

/* Those headers that a model reads */
static void
AddHeaders(Content *content, Jsonb *headers)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	JsonbValue	first;
	TextSpan	field = {NULL, 0};

	if (JB_ROOT_IS_SCALAR(headers) && getIthJsonbValueFromContainer(&headers->root, 0)->type == jbvNull)
		return;
	if (!JB_ROOT_IS_OBJECT(headers))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("headers must be a JSON object"),
				 errhint("It looks like {\"received\": [\"from ...\", \"from ...\"], \"from\": [\"...\"]}.")));
	AddKey(content, "headers");
	content->result = pushJsonbValue(&content->state, WJB_BEGIN_OBJECT, NULL);
	it = JsonbIteratorInit(&headers->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_KEY)
			field = MakeSpan(v.val.string.val, v.val.string.len);
		else if (token == WJB_VALUE && TextReadsHeader(field) && FirstString(&v, &first))
		{
			AddString(content, WJB_KEY, field.data, field.len);
			AddText(content, WJB_VALUE, first.val.string.val, first.val.string.len, VALUE_BYTES_MAX, VALUE_BYTES_MAX);
		}
	}
	content->result = pushJsonbValue(&content->state, WJB_END_OBJECT, NULL);
}

/* Strings of an array, at most so many; those of the message are without what is left out */
static void
AddArray(Content *content, const char *key, ArrayType *array, int max, bool of_message)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	AddKey(content, key);
	content->result = pushJsonbValue(&content->state, WJB_BEGIN_ARRAY, NULL);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n && max > 0; i++)
	{
		text	   *item;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
			continue;
		item = DatumGetTextPP(items[i]);
		if (of_message)
			AddText(content, WJB_ELEM, VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item), VALUE_BYTES_MAX, VALUE_BYTES_MAX);
		else
			AddString(content, WJB_ELEM, VARDATA_ANY(item),
					  pg_mbcliplen(VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item), VALUE_BYTES_MAX));
		max--;
	}
	content->result = pushJsonbValue(&content->state, WJB_END_ARRAY, NULL);
}

/* text_content(subject, body, headers, urls, tokens, without): an object for text_score() and its like */
PG_FUNCTION_INFO_V1(text_content);
Datum
text_content(PG_FUNCTION_ARGS)
{
	Content		content = {NULL, NULL, NULL};

	if (!PG_ARGISNULL(ARG_WITHOUT))
		content.without = PG_GETARG_TEXT_PP(ARG_WITHOUT);
	content.result = pushJsonbValue(&content.state, WJB_BEGIN_OBJECT, NULL);
	if (!PG_ARGISNULL(ARG_SUBJECT))
	{
		text	   *subject = PG_GETARG_TEXT_PP(ARG_SUBJECT);

		AddKey(&content, "subject");
		AddText(&content, WJB_VALUE, VARDATA_ANY(subject), VARSIZE_ANY_EXHDR(subject), VALUE_BYTES_MAX, TEXT_SUBJECT_MAX);
	}
	if (!PG_ARGISNULL(ARG_BODY))
	{
		text	   *body = PG_GETARG_TEXT_ONCE(ARG_BODY);

		AddKey(&content, "body");
		AddText(&content, WJB_VALUE, VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), BODY_BYTES_MAX, TEXT_BODY_MAX);
	}
	if (!PG_ARGISNULL(ARG_HEADERS))
		AddHeaders(&content, PG_GETARG_JSONB_ONCE(ARG_HEADERS));
	if (!PG_ARGISNULL(ARG_URLS))
		AddArray(&content, "urls", PG_GETARG_ARRAYTYPE_P(ARG_URLS), TEXT_URLS_MAX, true);
	if (!PG_ARGISNULL(ARG_TOKENS))
		AddArray(&content, "tokens", PG_GETARG_ARRAYTYPE_P(ARG_TOKENS), TEXT_GIVEN_MAX, false);
	content.result = pushJsonbValue(&content.state, WJB_END_OBJECT, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(content.result));
}
