/*
 * text_model_parts.c
 *		The parts of a message from what SQL has: a text, a jsonb object, or a
 *		row, of subject, body, headers, urls and tokens.
 *
 * Spans point into the arguments, or into copies in the current context where
 * the database's encoding is not UTF-8.
 */
#include "postgres.h"

#include <limits.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "encoding.h"
#include "funcapi.h"
#include "header_values.h"
#include "mb/pg_wchar.h"
#include "text_model.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* What a message may have, as keys of an object or columns of a row */
typedef enum PartName
{
	PART_SUBJECT, PART_BODY, PART_BODY_TEXT, PART_HEADERS, PART_URLS, PART_TOKENS, PART_COUNT
} PartName;

static const char *const part_names[PART_COUNT] = {
	"subject", "body", "body_text", "headers", "urls", "tokens"
};

/* The same in UTF-8; bytes without an encoding stay as they are */
static TextSpan
SpanOf(const char *data, int len)
{
	Size		utf8_len;
	const char *utf8 = TextToUtf8(data, len, &utf8_len);

	return MakeSpan(utf8, Min(utf8_len, INT_MAX));
}

static TextSpan
SpanOfText(const text *t)
{
	return SpanOf(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

static void
NoParts(TextParts *parts)
{
	parts->subject = parts->body = MakeSpan(
											NULL, 0
		);
	parts->has_headers = parts->has_urls = false;
	parts->nheaders = parts->nurls = parts->ngiven = 0;
}

void
TextPartsFromText(TextParts *parts, const text *content)
{
	NoParts(parts);
	parts->body = SpanOfText(content);
}

/* ---- lists ------------------------------------------------------------------- */

static void
AddUrl(TextParts *parts, TextSpan span)
{
	if (parts->nurls < TEXT_URLS_MAX)
		parts->urls[parts->nurls++] = span;
}

static void
AddGiven(TextParts *parts, TextSpan span)
{
	if (parts->ngiven < TEXT_GIVEN_MAX)
		parts->given[parts->ngiven++] = span;
}

static void
AddHeader(TextParts *parts, TextSpan field, TextSpan value)
{
	if (parts->nheaders < TEXT_HEADERS_MAX)
	{
		parts->headers[parts->nheaders].field = field;
		parts->headers[parts->nheaders++].value = value;
	}
}

pg_noreturn static void
WrongPart(PartName part, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("\"%s\" of a message must be %s", part_names[part], wanted)));
}

/* ---- jsonb ------------------------------------------------------------------- */

static TextSpan
SpanOfString(const JsonbValue *v)
{
	return SpanOf(v->val.string.val, v->val.string.len);
}

/* Strings of an array into a list */
static void
AddStrings(TextParts *parts, PartName part, JsonbContainer *array)
{
	JsonbIterator *it = JsonbIteratorInit(array);
	JsonbValue	v;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM || v.type != jbvString)
			continue;
		if (part == PART_URLS)
			AddUrl(parts, SpanOfString(&v));
		else
			AddGiven(parts, SpanOfString(&v));
	}
}

/* {"from": ["..."], "x-mailer": "..."} */
static void
AddHeaders(TextParts *parts, JsonbContainer *object)
{
	JsonbIterator *it = JsonbIteratorInit(object);
	JsonbValue	v;
	JsonbIteratorToken token;
	TextSpan	field = {NULL, 0};
	JsonbValue	first;

	parts->has_headers = true;
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			field = SpanOfString(&v);
		else if (token == WJB_VALUE && FirstString(&v, &first))
			AddHeader(parts, field, SpanOfString(&first));
	}
}

/* One member of a message's object */
static void
AddMember(TextParts *parts, PartName part, const JsonbValue *v)
{
	bool		container = v->type == jbvBinary;

	if (v->type == jbvNull)
		return;
	switch (part)
	{
		case PART_SUBJECT:
		case PART_BODY:
		case PART_BODY_TEXT:
			if (v->type != jbvString)
				WrongPart(part, "a string");
			if (part == PART_SUBJECT)
				parts->subject = SpanOfString(v);
			else
				parts->body = SpanOfString(v);
			break;
		case PART_HEADERS:
			if (!container || !JsonContainerIsObject(v->val.binary.data))
				WrongPart(part, "an object");
			AddHeaders(parts, v->val.binary.data);
			break;
		default:
			if (!container || !JsonContainerIsArray(v->val.binary.data))
				WrongPart(part, "an array of strings");
			parts->has_urls |= part == PART_URLS;
			AddStrings(parts, part, v->val.binary.data);
	}
}

/*
 * An object with some of the keys that a message has.
 */
void
TextPartsFromJsonb(TextParts *parts, Datum content)
{
	Jsonb	   *jb = DatumGetJsonbP(content);
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	int			part = PART_COUNT;

	NoParts(parts);
	if (!JB_ROOT_IS_OBJECT(jb))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a message must be a JSON object"),
				 errhint("It looks like {\"subject\": \"...\", \"body\": \"...\", \"headers\": {...}, \"urls\": [...]}.")));
	it = JsonbIteratorInit(&jb->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			for (part = 0; part < PART_COUNT; part++)
				if (v.val.string.len == (int) strlen(part_names[part]) &&
					memcmp(v.val.string.val, part_names[part], v.val.string.len) == 0)
					break;
			if (part == PART_COUNT)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a message has no part \"%.*s\"",
								pg_mbcliplen(v.val.string.val, v.val.string.len, 64), v.val.string.val),
						 errhint("Its parts are subject, body, headers, urls and tokens.")));
		}
		else if (token == WJB_VALUE && part < PART_COUNT)
			AddMember(parts, part, &v);
	}
}

/* ---- rows --------------------------------------------------------------------- */

/* Where a row type has the parts; kept from call to call */
typedef struct RowParts
{
	Oid			type;
	int32		typmod;
	TypeCacheEntry *entry;		/* of a named type, which may change */
	uint64		version;		/* ... and its version here */
	TupleDesc	desc;			/* a copy */
	Oid			part_type[PART_COUNT];	/* base type; 0 is none */
	int			part_number[PART_COUNT];
} RowParts;

static bool
IsTextType(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

/* Does a column's type fit what the part wants? */
static void
CheckPartType(PartName part, Oid type)
{
	if (part == PART_HEADERS)
	{
		if (type != JSONBOID)
			WrongPart(part, "of type jsonb");
	}
	else if (part == PART_URLS || part == PART_TOKENS)
	{
		if (type != TEXTARRAYOID && type != JSONBOID)
			WrongPart(part, "of type text[] or jsonb");
	}
	else if (!IsTextType(type))
		WrongPart(part, "of type text");
}

/* Find the parts in a row type by the names of its columns. */
static RowParts *
FindRowParts(FunctionCallInfo fcinfo, void **kept, Oid type, int32 typmod)
{
	RowParts   *row = *kept;
	TupleDesc	desc;
	bool		any = false;

	if (row != NULL && row->type == type && row->typmod == typmod &&
		(row->entry == NULL || row->entry->tupDesc_identifier == row->version))
		return row;
	desc = lookup_rowtype_tupdesc(type, typmod);
	if (row == NULL)
		row = *kept = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(RowParts));
	row->type = InvalidOid;		/* until it is whole */
	row->entry = type == RECORDOID ? NULL : lookup_type_cache(type, TYPECACHE_TUPDESC);
	row->version = row->entry ? row->entry->tupDesc_identifier : 0;
	memset(row->part_type, 0, sizeof(row->part_type));
	for (int part = 0; part < PART_COUNT; part++)
		for (int i = 0; i < desc->natts; i++)
			if (!TupleDescAttr(desc, i)->attisdropped && strcmp(NameStr(TupleDescAttr(desc, i)->attname), part_names[part]) == 0)
			{
				Oid			base = getBaseType(TupleDescAttr(desc, i)->atttypid);

				CheckPartType(part, base);
				row->part_type[part] = base;
				row->part_number[part] = i;
				any = true;
				break;
			}
	if (!any)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("the row has no part of a message"),
				 errhint("It needs some of the columns subject, body, body_text, headers, urls and tokens.")));
	if (row->desc != NULL)
		FreeTupleDesc(row->desc);
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		row->desc = CreateTupleDescCopy(desc);
		MemoryContextSwitchTo(caller);
	}
	ReleaseTupleDesc(desc);
	row->typmod = typmod;
	row->type = type;
	return row;
}

/* Elements of a text[] into a list */
static void
AddElements(TextParts *parts, PartName part, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (part == PART_URLS)
			AddUrl(parts, SpanOfText(DatumGetTextPP(elements[i])));
		else
			AddGiven(parts, SpanOfText(DatumGetTextPP(elements[i])));
	}
}

/* A part that is of type jsonb by itself */
static void
AddJsonbColumn(TextParts *parts, PartName part, Datum value)
{
	Jsonb	   *jb = DatumGetJsonbP(value);
	JsonbValue	v;

	if (JB_ROOT_IS_SCALAR(jb))
	{
		JsonbValue *scalar = getIthJsonbValueFromContainer(&jb->root, 0);

		if (scalar != NULL && scalar->type == jbvNull)
			return;
		WrongPart(part, part == PART_HEADERS ? "an object" : "an array of strings");
	}
	v.type = jbvBinary;
	v.val.binary.data = &jb->root;
	v.val.binary.len = VARSIZE_ANY_EXHDR(jb);
	AddMember(parts, part, &v);
}

/*
 * A row with some of the columns that a message has.  `kept` is the caller's,
 * NULL at first, and holds until fn_mcxt goes.
 */
void
TextPartsFromRecord(FunctionCallInfo fcinfo, int arg, void **kept, TextParts *parts)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(arg);
	RowParts   *row = FindRowParts(fcinfo, kept, HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;

	NoParts(parts);
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	for (int part = 0; part < PART_COUNT; part++)
	{
		bool		isnull;
		Datum		value;

		if (row->part_type[part] == InvalidOid)
			continue;
		value = heap_getattr(&tuple, row->part_number[part] + 1, row->desc, &isnull);
		if (isnull)
			continue;
		if (IsTextType(row->part_type[part]))
		{
			TextSpan	span = SpanOfText(DatumGetTextPP(value));

			if (part == PART_SUBJECT)
				parts->subject = span;
			else
				parts->body = span;
		}
		else if (row->part_type[part] == JSONBOID)
			AddJsonbColumn(parts, part, value);
		else
		{
			parts->has_urls |= part == PART_URLS;
			AddElements(parts, part, DatumGetArrayTypeP(value));
		}
	}
}
