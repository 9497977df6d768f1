/*
 * facts.c
 *		Facts of a message as SQL functions, each of which makes a row.
 *
 * The engines (text_facts.c ...) are plain C over UTF-8; this gives them what
 * SQL has, and makes rows of what they found.  Rows are made by the position of
 * their columns, so a type's columns are never reordered, and new ones stand at
 * its end: an older type gets as many as it has.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "detoast_once.h"
#include "domain.h"
#include "encoding.h"
#include "funcapi.h"
#include "header_values.h"
#include "mb/pg_wchar.h"
#include "message_facts.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/jsonb.h"

/* Bytes of a text that are read between two looks for an interrupt */
#define PIECE_BYTES		(1024 * 1024)

/* Longest header that is read, as assay_load has it; a longer one says nothing */
#define HEADER_BYTES_MAX	(1024 * 1024)

/* Columns of the widest row */
#define COLUMNS_MAX		256

/* A row that is being made */
typedef struct FactRow
{
	int			n;
	Datum		values[COLUMNS_MAX];
	bool		nulls[COLUMNS_MAX];
	Oid			types[COLUMNS_MAX];
} FactRow;

static void
AddDatum(FactRow *row, Oid type, Datum value, bool isnull)
{
	Assert(row->n < COLUMNS_MAX);
	row->values[row->n] = value;
	row->nulls[row->n] = isnull;
	row->types[row->n++] = type;
}

static void
AddCount(FactRow *row, int32 count)
{
	AddDatum(row, INT4OID, Int32GetDatum(count), false);
}

/* A part of a whole, unknown where there is no whole */
static void
AddShare(FactRow *row, int32 part, int32 whole)
{
	float4		share = whole > 0 ? (float4) part / (float4) whole : 0;

	AddDatum(row, FLOAT4OID, Float4GetDatum(share), whole <= 0);
}

static void
AddBool(FactRow *row, bool value, bool isnull)
{
	AddDatum(row, BOOLOID, BoolGetDatum(value), isnull);
}

/* ASCII; an empty string is none */
static void
AddString(FactRow *row, const char *value)
{
	bool		isnull = value == NULL || value[0] == '\0';

	AddDatum(row, TEXTOID, isnull ? (Datum) 0 : CStringGetTextDatum(value), isnull);
}

/* Scripts whose names are kept from one text to the next, which has the same */
#define SCRIPTS_KEPT	4

/* What a call leaves to the next one, in fn_extra */
typedef struct FactCache
{
	TupleDesc	desc;			/* NULL until its columns were seen to fit */
	int			nscripts;
	int			scripts[SCRIPTS_KEPT];
	Datum		names;			/* text[] */
} FactCache;

static FactCache *
GetCache(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(FactCache));
	return fcinfo->flinfo->fn_extra;
}

/* The row's type, whose columns are those of the row */
static TupleDesc
RowDesc(FunctionCallInfo fcinfo, const FactRow *row)
{
	FactCache  *cache = GetCache(fcinfo);
	TupleDesc	desc;
	MemoryContext caller;

	if (cache->desc != NULL)
		return cache->desc;
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < desc->natts; i++)
		if (i >= row->n || TupleDescAttr(desc, i)->attisdropped || TupleDescAttr(desc, i)->atttypid != row->types[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("the row type of the result is not the one that this library makes"),
					 errhint("Its columns must not be altered; after an upgrade of the library, run ALTER EXTENSION pg_assay UPDATE.")));
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	cache->desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	MemoryContextSwitchTo(caller);
	return cache->desc;
}

static Datum
MakeRow(FunctionCallInfo fcinfo, FactRow *row)
{
	return HeapTupleGetDatum(heap_form_tuple(RowDesc(fcinfo, row), row->values, row->nulls));
}

/* ---- texts ----------------------------------------------------------------------- */

/* Where a piece of whole characters ends */
static Size
PieceEnd(const char *bytes, Size len)
{
	Size		end = PIECE_BYTES;

	if (len <= PIECE_BYTES)
		return len;
	while (end > PIECE_BYTES - 4 && (bytes[end] & 0xC0) == 0x80)
		end--;
	return end;
}

static Datum
MakeScriptNames(const TextFacts *f)
{
	Datum		names[SCRIPTS_MAX];

	for (int i = 0; i < f->nscripts; i++)
		names[i] = CStringGetTextDatum(ScriptName(f->scripts[i]));
	return PointerGetDatum(construct_array(names, f->nscripts, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Names of scripts as text[], which mostly are those of the text before */
static Datum
ScriptNames(FunctionCallInfo fcinfo, const TextFacts *f)
{
	FactCache  *cache = GetCache(fcinfo);
	MemoryContext caller;

	if (f->nscripts > SCRIPTS_KEPT)
		return MakeScriptNames(f);
	if (DatumGetPointer(cache->names) != NULL)
	{
		if (cache->nscripts == f->nscripts && memcmp(cache->scripts, f->scripts, sizeof(int) * f->nscripts) == 0)
			return cache->names;
		pfree(DatumGetPointer(cache->names));
		cache->names = (Datum) 0;
	}
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	cache->names = MakeScriptNames(f);
	MemoryContextSwitchTo(caller);
	cache->nscripts = f->nscripts;
	memcpy(cache->scripts, f->scripts, sizeof(int) * f->nscripts);
	return cache->names;
}

/* In the order of assay.text_facts */
static void
TextRow(FunctionCallInfo fcinfo, FactRow *row, const TextFacts *f)
{
	AddCount(row, f->characters);
	AddCount(row, f->words);
	AddCount(row, f->lines);
	AddCount(row, f->letters);
	AddCount(row, f->uppercase);
	AddCount(row, f->digits);
	AddCount(row, f->punctuation);
	AddCount(row, f->whitespace);
	AddCount(row, f->exclamations);
	AddCount(row, f->questions);
	AddCount(row, f->currency);
	AddCount(row, f->non_ascii);
	AddCount(row, f->uppercase_words);
	AddCount(row, f->quoted_lines);
	AddCount(row, f->longest_token);
	AddCount(row, f->longest_line);
	AddCount(row, f->longest_gap);
	AddCount(row, f->emoji);
	AddCount(row, f->math_letters);
	AddCount(row, f->enclosed_letters);
	AddCount(row, f->fullwidth_letters);
	AddCount(row, f->invisible);
	AddCount(row, f->invisible_words);
	AddCount(row, f->bidi_controls);
	AddCount(row, f->bidi_overrides);
	AddCount(row, f->tag_characters);
	AddCount(row, f->control_characters);
	AddCount(row, f->private_use);
	AddCount(row, f->replacements);
	AddCount(row, f->stacked_marks);
	AddCount(row, f->mixed_script_words);
	AddShare(row, f->uppercase, f->letters);
	AddShare(row, f->digits, f->characters);
	AddShare(row, f->punctuation, f->characters);
	AddShare(row, f->whitespace, f->characters);
	AddShare(row, f->non_ascii, f->characters);
	AddShare(row, f->quoted_lines, f->lines);
	AddDatum(row, FLOAT4OID, Float4GetDatum((float4) f->entropy), f->bytes == 0);
	AddDatum(row, TEXTARRAYOID, ScriptNames(fcinfo, f), false);
}

/* text_facts(content): counts of a text */
PG_FUNCTION_INFO_V1(text_facts);
Datum
text_facts(PG_FUNCTION_ARGS)
{
	text	   *content = PG_GETARG_TEXT_ONCE(0);
	TextScan	scan;
	FactRow		row;
	Size		len;
	const char *bytes = TextToUtf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &len);

	TextFactsBegin(&scan);
	while (len > 0)
	{
		Size		piece = PieceEnd(bytes, len);

		CHECK_FOR_INTERRUPTS();
		TextFactsAdd(&scan, bytes, piece);
		bytes += piece;
		len -= piece;
	}
	row.n = 0;
	TextRow(fcinfo, &row, TextFactsEnd(&scan));
	return MakeRow(fcinfo, &row);
}

/* ---- headers ----------------------------------------------------------------------- */

/* A string in UTF-8 */
static FactSpan
SpanOf(const char *bytes, int len)
{
	FactSpan	span;

	span.data = TextToUtf8(bytes, len, &span.len);
	return span;
}

/* Elements of a text[] in UTF-8; NULLs are left out */
static FactSpan *
SpansOf(ArrayType *array, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	FactSpan   *spans;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	spans = palloc(sizeof(FactSpan) * Max(count, 1));
	*n = 0;
	for (int i = 0; i < count; i++)
	{
		text	   *element;

		if (nulls[i])
			continue;
		element = DatumGetTextPP(elements[i]);
		spans[(*n)++] = SpanOf(VARDATA_ANY(element), VARSIZE_ANY_EXHDR(element));
	}
	return spans;
}

/* What a header's value is given to; false ends the walk */
typedef bool (*HeaderFn) (const char *value, int len, void *arg);

/* The values of one key: a string, or an array of them */
static bool
WalkValues(const JsonbValue *v, HeaderFn fn, void *arg)
{
	JsonbIterator *it;
	JsonbValue	element;
	JsonbIteratorToken token;

	if (v->type == jbvString)
		return fn(v->val.string.val, v->val.string.len, arg);
	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data))
		return true;
	it = JsonbIteratorInit(v->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_ELEM && element.type == jbvString &&
			!fn(element.val.string.val, element.val.string.len, arg))
			return false;
	}
	return true;
}

/*
 * Every value of a header, from the top: under its name in lower case, as
 * assay_load has it, then as it is usually written.
 */
static void
WalkHeader(Jsonb *headers, const char *lower, const char *usual, HeaderFn fn, void *arg)
{
	JsonbValue	v;

	if (!HasHeaders(headers))
		return;
	if (getKeyJsonValueFromContainer(&headers->root, lower, strlen(lower), &v) != NULL &&
		!WalkValues(&v, fn, arg))
		return;
	if (getKeyJsonValueFromContainer(&headers->root, usual, strlen(usual), &v) != NULL)
		WalkValues(&v, fn, arg);
}

/* HeaderFn: note the first value, and end the walk. */
static bool
FirstValue(const char *value, int len, void *arg)
{
	*(Datum *) arg = PointerGetDatum(cstring_to_text_with_len(value, len));
	return false;
}

/* header_values(headers, names): the first value of each header, null where there is none */
PG_FUNCTION_INFO_V1(header_values);
Datum
header_values(PG_FUNCTION_ARGS)
{
	Jsonb	   *headers = PG_GETARG_JSONB_ONCE(0);
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(1);
	int			dims[1];
	int			lower[1] = {1};
	Datum	   *items;
	bool	   *nulls;

	if (ARR_NDIM(names) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("names of headers must have one dimension")));
	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &dims[0]);
	if (dims[0] == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	for (int i = 0; i < dims[0]; i++)
	{
		text	   *t = (text *) DatumGetPointer(items[i]);
		JsonbValue	v;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i] || !JB_ROOT_IS_OBJECT(headers))
		{
			nulls[i] = true;
			continue;
		}
		items[i] = (Datum) 0;
		if (getKeyJsonValueFromContainer(&headers->root, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &v) != NULL)
			WalkValues(&v, FirstValue, &items[i]);
		nulls[i] = items[i] == (Datum) 0;
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(items, nulls, 1, dims, lower, TEXTOID, -1, false, TYPALIGN_INT));
}

/* HeaderFn: keep every value. */
static bool
EveryValue(const char *value, int len, void *arg)
{
	ArrayBuildState **values = arg;

	*values = accumArrayResult(*values, PointerGetDatum(cstring_to_text_with_len(value, len)), false,
							   TEXTOID, CurrentMemoryContext);
	return true;
}

/* header_lines(headers, name): all values of a header, from the top; empty where there is none */
PG_FUNCTION_INFO_V1(header_lines);
Datum
header_lines(PG_FUNCTION_ARGS)
{
	Jsonb	   *headers = PG_GETARG_JSONB_ONCE(0);
	text	   *header = PG_GETARG_TEXT_PP(1);
	ArrayBuildState *values = NULL;
	JsonbValue	v;

	if (JB_ROOT_IS_OBJECT(headers) &&
		getKeyJsonValueFromContainer(&headers->root, VARDATA_ANY(header), VARSIZE_ANY_EXHDR(header), &v) != NULL)
		WalkValues(&v, EveryValue, &values);
	if (values == NULL)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	PG_RETURN_DATUM(makeArrayResult(values, CurrentMemoryContext));
}

/* ---- authentication ------------------------------------------------------------------ */

typedef struct AuthWalk
{
	AuthFacts	facts;
	FactSpan   *ids;
	int			nids;
} AuthWalk;

static bool
AddAuthHeader(const char *value, int len, void *arg)
{
	AuthWalk   *walk = arg;
	FactSpan	span;

	if (len > HEADER_BYTES_MAX)
	{
		walk->facts.untrusted++;
		return true;
	}
	span = SpanOf(value, len);
	AuthFactsAdd(&walk->facts, span.data, span.len, walk->ids, walk->nids);
	return true;
}

/* The host of an address or a domain; empty for none */
static void
HostOf(const text *address, char *host)
{
	FactSpan	span = SpanOf(VARDATA_ANY(address), VARSIZE_ANY_EXHDR(address));

	MailHost(span.data, span.len, host);
}

static void
AddFlag(FactRow *row, FactFlag flag)
{
	AddBool(row, flag == FLAG_YES, flag == FLAG_UNKNOWN);
}

/* In the order of assay.auth_facts, from the second column on; `from` is the author's domain, or empty */
static void
AuthRow(FactRow *row, const AuthFacts *f, const char *from)
{
	Datum		domains[AUTH_DOMAINS_MAX];
	bool		spf = f->result[AUTH_SPF][0] != '\0';
	FactFlag	spf_aligned;
	FactFlag	dkim_aligned;

	AuthAlignment(f, from, &spf_aligned, &dkim_aligned);
	for (int i = 0; i < f->ndomains; i++)
		domains[i] = CStringGetTextDatum(f->domains[i]);
	AddString(row, f->result[AUTH_SPF]);
	AddString(row, f->spf_domain);
	AddString(row, !spf || f->spf_domain[0] == '\0' ? NULL : f->spf_of_helo ? "helo" : "mailfrom");
	AddFlag(row, spf_aligned);
	AddString(row, f->result[AUTH_DKIM]);
	AddString(row, f->dkim_domain);
	AddDatum(row, TEXTARRAYOID,
			 PointerGetDatum(construct_array(domains, f->ndomains, TEXTOID, -1, false, TYPALIGN_INT)), false);
	AddCount(row, f->signatures);
	AddCount(row, f->signatures_passed);
	AddFlag(row, dkim_aligned);
	AddString(row, f->result[AUTH_DMARC]);
	AddString(row, f->dmarc_domain);
	AddString(row, f->dmarc_policy);
	AddString(row, f->dmarc_action);
	AddString(row, f->result[AUTH_ARC]);
	AddString(row, f->result[AUTH_COMPAUTH]);
	AddString(row, f->compauth_reason);
	AddString(row, f->result[AUTH_IPREV]);
	AddBool(row, f->conflict, false);
	AddCount(row, f->trusted);
	AddCount(row, f->untrusted);
	AddCount(row, f->malformed);
}

/* The n-th string of a text[] that isn't NULL, or nothing */
static void
AddElement(FactRow *row, ArrayType *array, int n)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count && n >= 0; i++)
		if (!nulls[i] && n-- == 0)
		{
			AddDatum(row, TEXTOID, elements[i], false);
			return;
		}
	AddDatum(row, TEXTOID, (Datum) 0, true);
}

/* auth_facts(headers, authserv_ids, from_domain): what trusted servers found */
PG_FUNCTION_INFO_V1(auth_facts);
Datum
auth_facts(PG_FUNCTION_ARGS)
{
	ArrayType  *ids;
	AuthWalk	walk;
	FactRow		row;
	char		from[HOST_MAX_BYTES + 1];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ids = PG_GETARG_ARRAYTYPE_P(1);
	row.n = 0;
	AuthFactsBegin(&walk.facts);
	walk.ids = SpansOf(ids, &walk.nids);
	WalkHeader(PG_GETARG_JSONB_ONCE(0), "authentication-results", "Authentication-Results", AddAuthHeader, &walk);
	if (!PG_ARGISNULL(2))
		HostOf(PG_GETARG_TEXT_PP(2), from);
	else
		strlcpy(from, walk.facts.dmarc_domain, sizeof(from));
	AddElement(&row, ids, walk.facts.authserv_id);
	AuthRow(&row, &walk.facts, from);
	return MakeRow(fcinfo, &row);
}

/* ---- the way ------------------------------------------------------------------------- */

typedef struct TrustedNets
{
	int			n;
	Datum	   *nets;
	bool	   *nulls;
} TrustedNets;

typedef struct ReceivedSearch
{
	ReceivedWalk walk;
	TrustedNets trusted;
} ReceivedSearch;

/* An address in one of the networks; written as IPv6, an IPv4 one is what it is */
static bool
IsTrustedHop(const ReceivedHop *hop, void *arg)
{
	const TrustedNets *trusted = arg;
	inet	   *address = DatumGetInetPP(DirectFunctionCall1(inet_in, CStringGetDatum(hop->address)));

	for (int i = 0; i < trusted->n; i++)
	{
		inet	   *net;

		if (trusted->nulls[i])
			continue;
		net = DatumGetInetPP(trusted->nets[i]);
		if (ip_family(net) == ip_family(address) &&
			bitncmp(ip_addr(net), ip_addr(address), ip_bits(net)) == 0)
			return true;
	}
	return false;
}

static bool
AddReceivedHeader(const char *value, int len, void *arg)
{
	ReceivedSearch *search = arg;
	FactSpan	span = {value, 0};

	/* counted, but too long a one is no hop */
	if (len <= HEADER_BYTES_MAX)
		span = SpanOf(value, len);
	ReceivedAdd(&search->walk, span.data, span.len);
	return true;
}

static void
AddHost(FactRow *row, FactSpan host)
{
	char		ascii[NAME_BYTES_MAX + 1];

	ShownHost(host, ascii);
	AddString(row, ascii);
}

/* In the order of assay.received_facts */
static void
ReceivedRow(FactRow *row, const ReceivedWalk *walk)
{
	const ReceivedHop *hop = &walk->hop;
	bool		none = walk->at == 0;

	AddDatum(row, INETOID, none ? (Datum) 0 : DirectFunctionCall1(inet_in, CStringGetDatum(hop->address)), none);
	AddHost(row, hop->name);
	AddHost(row, hop->helo);
	AddHost(row, hop->by);
	AddHost(row, hop->protocol);
	AddBool(row, hop->encrypted, none);
	AddBool(row, hop->authenticated, none);
	AddFlag(row, SameOrganizationOf(hop->name, hop->helo));
	AddDatum(row, INT4OID, Int32GetDatum(walk->at), none);
	AddCount(row, walk->headers);
}

/* received_facts(headers, trusted): the first hop from outside */
PG_FUNCTION_INFO_V1(received_facts);
Datum
received_facts(PG_FUNCTION_ARGS)
{
	ReceivedSearch search;
	FactRow		row;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), INETOID, -1, false, TYPALIGN_INT,
					  &search.trusted.nets, &search.trusted.nulls, &search.trusted.n);
	ReceivedBegin(&search.walk, RegistrableDomain, IsTrustedHop, &search.trusted, search.trusted.n == 0);
	WalkHeader(PG_GETARG_JSONB_ONCE(0), "received", "Received", AddReceivedHeader, &search);
	row.n = 0;
	ReceivedRow(&row, &search.walk);
	return MakeRow(fcinfo, &row);
}

/* ---- links ------------------------------------------------------------------------------ */

static void *
RoomAlloc(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

static void
RoomCheck(void)
{
	CHECK_FOR_INTERRUPTS();
}

static const FactRoom server_room = {RoomAlloc, RoomCheck};

static Datum
ListArray(int n, const char *const *strings)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(strings[i]);
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* In the order of assay.url_facts */
static void
UrlRow(FactRow *row, const UrlSummary *s)
{
	const UrlCounts *c = &s->counts;

	AddCount(row, c->urls);
	AddCount(row, s->hosts.n);
	AddCount(row, s->domains.n);
	AddDatum(row, INT4OID, Int32GetDatum(c->foreign), s->sender == NULL);
	AddDatum(row, INT4OID, Int32GetDatum(c->of_sender), s->sender == NULL);
	AddCount(row, c->ip);
	AddCount(row, c->punycode);
	AddCount(row, c->userinfo);
	AddCount(row, c->port);
	AddCount(row, c->odd);
	AddCount(row, c->insecure);
	AddCount(row, c->email);
	AddCount(row, c->nested);
	AddCount(row, c->longest);
	AddCount(row, c->longest_host);
	AddCount(row, c->labels);
	AddCount(row, c->links);
	AddCount(row, c->mismatches);
	AddCount(row, c->url_texts);
	AddCount(row, c->empty_texts);
	AddCount(row, c->mailto);
	AddCount(row, c->phone);
	AddCount(row, c->script);
	AddDatum(row, TEXTARRAYOID, ListArray(s->hosts.n, s->hosts.strings), false);
	AddDatum(row, TEXTARRAYOID, ListArray(s->domains.n, s->domains.strings), false);
}

/* The elements of an argument, of which NULLs stay so as to keep their places */
static FactSpan *
ArraySpans(FunctionCallInfo fcinfo, int arg, int *n)
{
	Datum	   *elements;
	bool	   *nulls;
	FactSpan   *spans;

	*n = 0;
	if (PG_ARGISNULL(arg))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, n);
	spans = palloc(sizeof(FactSpan) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		text	   *element = nulls[i] ? NULL : DatumGetTextPP(elements[i]);

		CHECK_FOR_INTERRUPTS();
		spans[i].data = NULL;
		if (element != NULL)
			spans[i] = SpanOf(VARDATA_ANY(element), VARSIZE_ANY_EXHDR(element));
	}
	return spans;
}

/* url_facts(urls, hrefs, texts, sender_domain): where links lead */
PG_FUNCTION_INFO_V1(url_facts);
Datum
url_facts(PG_FUNCTION_ARGS)
{
	int			nurls;
	int			nhrefs;
	int			ntexts;
	FactSpan   *urls = ArraySpans(fcinfo, 0, &nurls);
	FactSpan   *hrefs = ArraySpans(fcinfo, 1, &nhrefs);
	FactSpan   *texts = ArraySpans(fcinfo, 2, &ntexts);
	char		sender[HOST_MAX_BYTES + 1] = "";
	UrlSummary	s;
	FactRow		row;

	if (urls == NULL && hrefs == NULL)
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(3))
		HostOf(PG_GETARG_TEXT_PP(3), sender);
	/* links are URLs where these aren't given apart */
	if (urls == NULL)
	{
		urls = hrefs;
		nurls = nhrefs;
	}
	UrlSummaryBegin(&s, &server_room, nurls, sender[0] != '\0' ? sender : NULL, NULL, 0);
	UrlSummaryAdd(&s, urls, nurls);
	UrlSummaryLinks(&s, hrefs, nhrefs, texts, ntexts);
	row.n = 0;
	UrlRow(&row, &s);
	return MakeRow(fcinfo, &row);
}

/* ---- all of them ----------------------------------------------------------------------- */

/* A text argument in UTF-8; without data where it's NULL */
static FactSpan
ArgSpan(FunctionCallInfo fcinfo, int arg)
{
	FactSpan	span = {NULL, 0};
	text	   *value;

	if (PG_ARGISNULL(arg))
		return span;
	value = PG_GETARG_TEXT_PP(arg);
	return SpanOf(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* Values of a header that are being collected */
typedef struct HeaderValues
{
	int			n;
	int			room;
	FactSpan   *values;
} HeaderValues;

static bool
KeepHeader(const char *value, int len, void *arg)
{
	HeaderValues *kept = arg;

	if (kept->n == kept->room)
	{
		kept->room *= 2;
		kept->values = repalloc(kept->values, sizeof(FactSpan) * kept->room);
	}
	/* one that is too long says nothing, but counts */
	kept->values[kept->n].data = value;
	kept->values[kept->n].len = len;
	if (len <= HEADER_BYTES_MAX)
		kept->values[kept->n] = SpanOf(value, len);
	kept->n++;
	return true;
}

static const FactSpan *
HeaderSpans(Jsonb *headers, const char *lower, const char *usual, int *n)
{
	HeaderValues kept = {0, 16, palloc(sizeof(FactSpan) * 16)};

	WalkHeader(headers, lower, usual, KeepHeader, &kept);
	*n = kept.n;
	return kept.values;
}

/* The fields of a message as a row, by the table of their names */
static void
MessageRow(FactRow *row, const MessageFacts *facts)
{
	for (int i = 0; i < message_nfields; i++)
	{
		const FactField *field = &message_fields[i];
		FactValue	v;

		MessageFactValue(facts, field, &v);
		switch (field->kind)
		{
			case FIELD_COUNT:
				AddDatum(row, INT4OID, v.isnull ? (Datum) 0 : Int32GetDatum(v.count), v.isnull);
				break;
			case FIELD_SHARE:
			case FIELD_ENTROPY:
				AddDatum(row, FLOAT4OID, v.isnull ? (Datum) 0 : Float4GetDatum(v.share), v.isnull);
				break;
			case FIELD_FLAG:
			case FIELD_BOOL:
				AddBool(row, !v.isnull && v.flag, v.isnull);
				break;
			case FIELD_STRING:
			case FIELD_CHARS:
			case FIELD_SPAN:
				AddDatum(row, TEXTOID, v.isnull ? (Datum) 0 :
						 PointerGetDatum(cstring_to_text_with_len(v.string.data, v.string.len)), v.isnull);
				break;
			case FIELD_LIST:
				AddDatum(row, TEXTARRAYOID, v.isnull ? (Datum) 0 : ListArray(v.list.n, v.list.strings), v.isnull);
				break;
		}
	}
}

/*
 * message_facts(headers, from_addr, from_name, reply_to, return_path, message_id,
 * recipients, subject, body_text, urls, link_hrefs, link_texts, authserv_ids,
 * trusted): the columns that assay_load would fill
 */
PG_FUNCTION_INFO_V1(message_facts);
Datum
message_facts(PG_FUNCTION_ARGS)
{
	MessageInput in = {0};
	MessageFacts *facts = palloc(sizeof(MessageFacts));
	TrustedNets trusted = {0};
	FactRow    *row = palloc(sizeof(FactRow));

	if (!PG_ARGISNULL(0))
	{
		/* headers and body are the two values that are kept unpacked */
		Jsonb	   *headers = PG_GETARG_JSONB_ONCE(0);

		in.auth = HeaderSpans(headers, "authentication-results", "Authentication-Results", &in.nauth);
		in.received = HeaderSpans(headers, "received", "Received", &in.nreceived);
	}
	in.from_addr = ArgSpan(fcinfo, 1);
	in.from_name = ArgSpan(fcinfo, 2);
	in.reply_to = ArgSpan(fcinfo, 3);
	in.return_path = ArgSpan(fcinfo, 4);
	in.message_id = ArgSpan(fcinfo, 5);
	in.recipients = ArraySpans(fcinfo, 6, &in.nrecipients);
	in.subject = ArgSpan(fcinfo, 7);
	if (!PG_ARGISNULL(8))
	{
		text	   *body = PG_GETARG_TEXT_ONCE(8);

		in.body = SpanOf(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body));
	}
	in.urls = ArraySpans(fcinfo, 9, &in.nurls);
	in.hrefs = ArraySpans(fcinfo, 10, &in.nhrefs);
	in.texts = ArraySpans(fcinfo, 11, &in.ntexts);
	if (!PG_ARGISNULL(12))
		in.ids = SpansOf(PG_GETARG_ARRAYTYPE_P(12), &in.nids);
	if (!PG_ARGISNULL(13))
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(13), INETOID, -1, false, TYPALIGN_INT,
						  &trusted.nets, &trusted.nulls, &trusted.n);
	in.trusted = IsTrustedHop;
	in.trusted_arg = &trusted;
	in.by_domain = trusted.n == 0;
	MessageFactsFill(facts, &in, &server_room);
	row->n = 0;
	MessageRow(row, facts);
	return MakeRow(fcinfo, row);
}
