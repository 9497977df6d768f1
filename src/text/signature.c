/*
 * signature.c
 *		The type text_signature: what near-duplicates of a text have in common.
 *
 * A text is the set of its pairs of neighbouring words (the first one with the
 * beginning).  Of the hashes of a pair, one says to which place of the
 * signature it belongs, and each place keeps the pair whose hash is the least:
 * two texts agree in a place with the probability of their sets' Jaccard
 * similarity.  Where a text leaves places empty, its pairs are dealt out anew,
 * by other hashes, until all are full (fast similarity sketching: Dahlgaard,
 * Knudsen, Thorup, FOCS 2017), which takes about 128 ln 128 hashes for a short
 * text and one or two a pair for others.
 *
 * A place keeps 8 bits of the least hash.  Unequal pairs agree in them once in
 * 256 times, which is taken off again.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"

#include "compat.h"
#include "encoding.h"
#include "order.h"
#include "signature_words.h"

#define SIGNATURE_FORMAT	1	/* of words, hashes and bytes */
#define SIGNATURE_PLACES	128

/*
 * Bands, and the places that make up one.  Of texts that are alike by a half,
 * one in 14 has no band in common; by 0.6, one in 130.  More rows would give
 * fewer false candidates, and for the same recall more keys to store.
 */
#define BANDS				20
#define BAND_ROWS			3

typedef struct TextSignature
{
	uint8		format;			/* SIGNATURE_FORMAT */
	uint8		reserved;		/* zero */
	uint16		words;			/* of the text; all are zero when it is 0 */
	uint8		place[SIGNATURE_PLACES];
} TextSignature;

StaticAssertDecl(sizeof(TextSignature) == 132, "as the type is declared");
StaticAssertDecl(BANDS * BAND_ROWS <= SIGNATURE_PLACES, "each has places of its own");
StaticAssertDecl(SIGNATURE_WORDS_MAX <= PG_UINT16_MAX, "words fit");

/* ---- a value --------------------------------------------------------------- */

static bool
SignatureIsValid(const TextSignature *s)
{
	if (s->format != SIGNATURE_FORMAT || s->reserved != 0 || s->words > SIGNATURE_WORDS_MAX)
		return false;
	for (int i = 0; s->words == 0 && i < SIGNATURE_PLACES; i++)
		if (s->place[i] != 0)
			return false;
	return true;
}

/* An argument: nothing of it is trusted before. */
static const TextSignature *
GetSignature(FunctionCallInfo fcinfo, int arg)
{
	const TextSignature *s = (const TextSignature *) PG_GETARG_POINTER(arg);

	if (!SignatureIsValid(s))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("text_signature value is corrupted")));
	return s;
}

static TextSignature *
NewSignature(int words)
{
	TextSignature *s = palloc0(sizeof(TextSignature));

	s->format = SIGNATURE_FORMAT;
	s->words = words;
	return s;
}

/* How many bytes are read of these: whole characters */
static Size
Clip		(int encoding, const char *bytes, Size len)
{
	return len <= SIGNATURE_READ_MAX ? len : pg_encoding_mbcliplen(encoding, bytes, len, SIGNATURE_READ_MAX);
}

/* The part of a text that is read, in UTF-8; of a long one no more is fetched. */
static const char *
ReadText(FunctionCallInfo fcinfo, int arg, Size *len)
{
	int			encoding = GetDatabaseEncoding();
	text	   *t = PG_GETARG_TEXT_P_SLICE(arg, 0, SIGNATURE_READ_MAX + MAX_MULTIBYTE_CHAR_LEN);
	const char *bytes = VARDATA_ANY(t);
	const char *utf8 = TextToUtf8(bytes, Clip (encoding, bytes, VARSIZE_ANY_EXHDR(t)), len);

	*len = Clip (encoding == PG_SQL_ASCII ? encoding : PG_UTF8, utf8, *len);

	CHECK_FOR_INTERRUPTS();
	return utf8;
}

/* ---- making one ------------------------------------------------------------ */

/* All bits of x count in each bit of the result. */
static inline uint64
Mix(uint64 x)
{
	x ^= x >> 33;
	x *= UINT64CONST(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64CONST(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* Hashes of the pairs of words, of which pair[] has room for a half a byte */
static int
ReadPairs(const char *utf8, Size len, uint64 *pair)
{
	SignatureReader reader;
	uint64		before = 0;
	int			n = 0;

	SignatureReadBegin(&reader, utf8, len);
	while (SignatureReadWord(&reader))
	{
		uint64		word = UINT64CONST(0xcbf29ce484222325);

		for (int i = 0; i < reader.len; i++)
			word = (word ^ reader.word[i]) * UINT64CONST(0x100000001b3);
		pair[n++] = Mix(before * 31 + word);
		before = word;
	}
	return n;
}

/*
 * The least pair of each place.  In a round each pair goes to one place, those
 * of earlier rounds being less; a round for each place makes sure of the rest.
 */
static void
FillPlaces(const uint64 *pair, int n, uint8 *place)
{
	uint64		least[SIGNATURE_PLACES];
	int			empty = SIGNATURE_PLACES;

	memset(least, 0xFF, sizeof(least));
	for (uint64 round = 0; empty > 0; round++)
		for (int i = 0; i < n; i++)
		{
			uint64		hash = Mix(pair[i] + round * UINT64CONST(0x9E3779B97F4A7C15));
			int			to = round < SIGNATURE_PLACES ? hash >> 57 : round - SIGNATURE_PLACES;
			uint64		rank = round << 56 | (hash & UINT64CONST(0xFFFFFFFFFFFFFF));

			if (least[to] == PG_UINT64_MAX)
				empty--;
			least[to] = Min(least[to], rank);
		}
	for (int i = 0; i < SIGNATURE_PLACES; i++)
		place[i] = (uint8) least[i];
}

PG_FUNCTION_INFO_V1(signature);
Datum
signature(PG_FUNCTION_ARGS)
{
	Size		len;
	const char *utf8 = ReadText(fcinfo, 0, &len);
	uint64	   *pair = palloc((len / 2 + 1) * sizeof(uint64));
	int			n = ReadPairs(utf8, len, pair);
	TextSignature *s = NewSignature(n);

	Assert(n <= SIGNATURE_WORDS_MAX);
	if (n > 0)
		FillPlaces(pair, n, s->place);
	Assert(SignatureIsValid(s));
	pfree(pair);
	PG_RETURN_POINTER(s);
}

/* A word in the server's encoding; what that doesn't have is a question mark. */
static Datum
WordText(const SignatureReader *r)
{
	int			encoding = GetDatabaseEncoding();
	Oid			proc = InvalidOid;
	char		in[SIGNATURE_WORD_MAX + 1];
	unsigned char out[SIGNATURE_WORD_MAX * MAX_CONVERSION_GROWTH + 1];

	memcpy(in, r->word, r->len);
	in[r->len] = '\0';
	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
		proc = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(proc))
		return CStringGetTextDatum(in);
	if (pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding, (unsigned char *) in, r->len,
									  out, sizeof(out), true) < r->len)
		return CStringGetTextDatum("?");
	return CStringGetTextDatum((char *) out);
}

PG_FUNCTION_INFO_V1(signature_words);
Datum
signature_words(PG_FUNCTION_ARGS)
{
	Size		len;
	const char *utf8 = ReadText(fcinfo, 0, &len);
	ArrayBuildState *words = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	SignatureReader reader;

	SignatureReadBegin(&reader, utf8, len);
	while (SignatureReadWord(&reader))
	{
		CHECK_FOR_INTERRUPTS();
		words = accumArrayResult(words, WordText(&reader), false, TEXTOID, CurrentMemoryContext);
	}
	PG_RETURN_DATUM(makeArrayResult(words, CurrentMemoryContext));
}

/* ---- asking ----------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(signature_length);
Datum
signature_length(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(GetSignature(fcinfo, 0)->words);
}

/* In how many places two agree: a byte of zero for each, eight at a time */
static int
CountEqual(const uint8 *a, const uint8 *b)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	uint64		unequal = 0;

	for (int i = 0; i < SIGNATURE_PLACES; i += 8)
	{
		uint64		x;
		uint64		y;

		memcpy(&x, a + i, 8);
		memcpy(&y, b + i, 8);
		x ^= y;
		unequal += (((x & ones * 0x7F) + ones * 0x7F) | x) >> 7 & ones;
	}
	return SIGNATURE_PLACES - (int) (unequal * ones >> 56);
}

PG_FUNCTION_INFO_V1(similar);
Datum
similar(PG_FUNCTION_ARGS)
{
	const TextSignature *a = GetSignature(fcinfo, 0);
	const TextSignature *b = GetSignature(fcinfo, 1);
	double		share;

	if (a->words == 0 || b->words == 0)
		PG_RETURN_FLOAT4(0);
	share = (double) CountEqual(a->place, b->place) / SIGNATURE_PLACES;
	PG_RETURN_FLOAT4((float4) Max(0, (share - 1.0 / 256) / (1 - 1.0 / 256)));
}

/* Bits of a key that are a hash; above are those of its day */
#define BAND_HASH_BITS	44

/* A key for each band, so that two texts share one if they agree in all of it. */
static Datum
MakeBands(const TextSignature *s, uint64 salt, bool of_day, uint64 day)
{
	Datum		keys[BANDS];
	int			n = s->words > 0 ? BANDS : 0;

	for (int i = 0; i < n; i++)
	{
		uint64		key = i;

		for (int k = 0; k < BAND_ROWS; k++)
			key = key << 8 | s->place[i * BAND_ROWS + k];
		key = Mix(key ^ salt);
		if (of_day)
			key = day << BAND_HASH_BITS | key >> (64 - BAND_HASH_BITS);
		keys[i] = Int64GetDatum((int64) key);
	}
	return PointerGetDatum(construct_array(keys, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(signature_bands);
Datum
signature_bands(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(MakeBands(GetSignature(fcinfo, 0), 0, false, 0));
}

/* Keys of a day are neighbours in an index, so that those who look for the last days find its pages at hand. */
PG_FUNCTION_INFO_V1(signature_bands_of_day);
Datum
signature_bands_of_day(PG_FUNCTION_ARGS)
{
	uint64		day = (uint32) PG_GETARG_DATEADT(1);

	PG_RETURN_DATUM(MakeBands(GetSignature(fcinfo, 0), Mix(day | UINT64CONST(1) << 32), true, day));
}

/* ---- text and binary form ---------------------------------------------------- */

/*
 * "1:57:" and 256 hexadecimal digits: format, words, places.
 */
PG_FUNCTION_INFO_V1(text_signature_in);
Datum
text_signature_in(PG_FUNCTION_ARGS)
{
	const char *in = PG_GETARG_CSTRING(0);
	TextSignature *s = NewSignature(0);
	const char *p = in;
	int			words = 0;
	bool		valid = strncmp(p, "1:", 2) == 0 && p[2] >= '0' && p[2] <= '9';

	if (valid)
	{
		for (p += 2; *p >= '0' && *p <= '9' && words <= SIGNATURE_WORDS_MAX; p++)
			words = words * 10 + (*p - '0');
		s->words = Min(words, PG_UINT16_MAX);
		valid = *p++ == ':' && strlen(p) == 2 * SIGNATURE_PLACES &&
			strspn(p, "0123456789abcdefABCDEF") == 2 * SIGNATURE_PLACES;
	}
	if (valid)
	{
		hex_decode(p, 2 * SIGNATURE_PLACES, (char *) s->place);
		valid = SignatureIsValid(s);
	}
	if (!valid)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "text_signature", in)));
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(text_signature_out);
Datum
text_signature_out(PG_FUNCTION_ARGS)
{
	const TextSignature *s = GetSignature(fcinfo, 0);
	char	   *out = palloc(2 * SIGNATURE_PLACES + 16);
	int			n = sprintf(out, "%u:%u:", s->format, s->words);

	n += hex_encode((const char *) s->place, SIGNATURE_PLACES, out + n);
	out[n] = '\0';
	PG_RETURN_CSTRING(out);
}

PG_FUNCTION_INFO_V1(text_signature_recv);
Datum
text_signature_recv(PG_FUNCTION_ARGS)
{
	StringInfo	in = (StringInfo) PG_GETARG_POINTER(0);
	TextSignature *s = NewSignature(0);

	s->format = pq_getmsgbyte(in);
	s->words = pq_getmsgint(in, 2);
	pq_copymsgbytes(in, (char *) s->place, SIGNATURE_PLACES);
	if (!SignatureIsValid(s))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary form of type %s", "text_signature")));
	PG_RETURN_POINTER(s);
}

PG_FUNCTION_INFO_V1(text_signature_send);
Datum
text_signature_send(PG_FUNCTION_ARGS)
{
	const TextSignature *s = GetSignature(fcinfo, 0);
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendint8(&out, s->format);
	pq_sendint16(&out, s->words);
	pq_sendbytes(&out, (const char *) s->place, SIGNATURE_PLACES);
	PG_RETURN_BYTEA_P(pq_endtypsend(&out));
}

/* ---- order ------------------------------------------------------------------ */

/* Some order, for GROUP BY and DISTINCT: it means nothing else. */
static int
CompareSignatures(FunctionCallInfo fcinfo)
{
	const TextSignature *a = GetSignature(fcinfo, 0);
	const TextSignature *b = GetSignature(fcinfo, 1);
	int			c = (a->words > b->words) - (a->words < b->words);

	return c != 0 ? c : memcmp(a->place, b->place, SIGNATURE_PLACES);
}

ORDER_FUNCTIONS(text_signature, CompareSignatures);

PG_FUNCTION_INFO_V1(text_signature_hash);
Datum
text_signature_hash(PG_FUNCTION_ARGS)
{
	return hash_any(GetSignature(fcinfo, 0)->place, SIGNATURE_PLACES);
}

PG_FUNCTION_INFO_V1(text_signature_hash_extended);
Datum
text_signature_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended(GetSignature(fcinfo, 0)->place, SIGNATURE_PLACES, PG_GETARG_INT64(1));
}
