/*
 * text_model.c
 *		The type text_model: its bytes, and their text and binary forms.
 *
 * text_model.h draws the format.  Everything that comes from outside or from a
 * table goes through TextModelFault() or the readers here, which trust no byte.
 * The arithmetic is in text_model_sum.c, scoring in text_model_score.c.
 */
#include "postgres.h"

#include <math.h>

#include "common/base64.h"
#include "common/int.h"
#include "digest.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "text_form.h"
#include "text_model.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

StaticAssertDecl(offsetof(TextModelValue, data) == 80, "the header of a text model has no padding");

#define FINGERPRINT_END		(UINT64CONST(1) << TEXT_FINGERPRINT_BITS)
#define PUBLISHED_END		(UINT64CONST(1) << 32)
#define SMALL_COUNTS		15
#define LARGE_COUNTS		255 /* the byte in front of counts that are not
								 * small */
#define TOKEN_BYTES_MAX		32	/* of one token in data */
#define INTERRUPT_MASK		0xffff	/* look for a cancel every so many tokens */

void
TextModelOutOfRange(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("text model out of range"),
			 errdetail("The messages of a model with a half-life can be some 40 half-lives apart."),
			 errhint("Leave out older messages, which weigh nothing, or use a longer half-life.")));
}

void
TextModelCorrupt(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("text model value is corrupted")));
}

/* ---- bytes of tokens ------------------------------------------------------ */

/* A varint, in its shortest form; false where there is none */
static inline bool
ReadVarint(TextModelReader *r, uint64 *value)
{
	uint64		v = 0;

	for (int shift = 0; shift < 64 && r->at < r->end; shift += 7)
	{
		uint8		byte = *r->at++;

		v |= (uint64) (byte & 0x7F) << shift;
		if (byte < 0x80)
		{
			*value = v;
			return (byte != 0 || shift == 0) && (shift < 63 || byte == 1);
		}
	}
	return false;
}

static inline uint8 *
WriteVarint(uint8 *at, uint64 value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8) value | 0x80;
	*at++ = (uint8) value;
	return at;
}

static inline uint64
ZigZag(int64 n)
{
	return ((uint64) n << 1) ^ (uint64) (n >> 63);
}

static inline int64
UnZigZag(uint64 n)
{
	return (int64) (n >> 1) ^ -(int64) (n & 1);
}

void
TextModelReadBegin(TextModelReader *r, const TextModelValue *v)
{
	r->at = v->data;
	r->end = (const uint8 *) v + VARSIZE(v);
	r->next = 0;
	r->left = v->ntokens;
	r->kind = v->kind;
}

/* The next fingerprint; false at a fault */
static inline bool
ReadFingerprint(TextModelReader *r, uint64 end, uint64 *fingerprint)
{
	uint64		distance;

	if (!ReadVarint(r, &distance) || distance == 0 || distance > end - r->next)
		return false;
	r->next += distance;
	*fingerprint = r->next - 1;
	return true;
}

/* The next token's counts; 1, 0 at the end, or -1 at a fault */
static inline int
NextCount(TextModelReader *r, TextCount *c)
{
	uint64		a;
	uint64		b;

	if (r->left == 0)
		return r->at == r->end ? 0 : -1;
	r->left--;
	if (!ReadFingerprint(r, FINGERPRINT_END, &c->fingerprint) || r->at == r->end)
		return -1;
	if (*r->at < SMALL_COUNTS * SMALL_COUNTS)
	{
		c->count[0] = *r->at / SMALL_COUNTS;
		c->count[1] = *r->at++ % SMALL_COUNTS;
		return c->count[0] + c->count[1] > 0 ? 1 : -1;
	}
	if (*r->at++ != LARGE_COUNTS || !ReadVarint(r, &a) || !ReadVarint(r, &b))
		return -1;
	c->count[0] = UnZigZag(a);
	c->count[1] = UnZigZag(b);
	if (c->count[0] == PG_INT64_MIN || c->count[1] == PG_INT64_MIN)
		return -1;
	/* Small ones have the other form. */
	return (uint64) c->count[0] < SMALL_COUNTS && (uint64) c->count[1] < SMALL_COUNTS ? -1 : 1;
}

/* The next token's weight; 1, 0 at the end, or -1 at a fault */
static inline int
NextWeight(TextModelReader *r, uint32 *fingerprint, int *weight)
{
	uint64		fp;

	if (r->left == 0)
		return r->at == r->end ? 0 : -1;
	r->left--;
	if (!ReadFingerprint(r, PUBLISHED_END, &fp) || r->end - r->at < 2)
		return -1;
	*fingerprint = (uint32) fp;
	*weight = (int16) (r->at[0] | r->at[1] << 8);
	r->at += 2;
	return *weight != 0 && *weight != PG_INT16_MIN ? 1 : -1;
}

/* Is there another token?  From time to time whoever reads is asked to stop. */
static inline bool
GoesOn(const TextModelReader *r, int got)
{
	if ((r->left & INTERRUPT_MASK) == 0)
		CHECK_FOR_INTERRUPTS();
	if (got < 0)
		TextModelCorrupt();
	return got > 0;
}

/*
 * The next token of a COUNTS model, or false at its end.
 */
bool
TextModelReadCount(TextModelReader *r, TextCount *c)
{
	return GoesOn(r, NextCount(r, c));
}

/*
 * The next token of a PUBLISHED model, or false at its end.
 */
bool
TextModelReadWeight(TextModelReader *r, uint32 *fingerprint, int *weight)
{
	return GoesOn(r, NextWeight(r, fingerprint, weight));
}

/*
 * Begin a value with the header of another, and room for so many bytes.
 */
void
TextModelWriteBegin(TextModelWriter *w, const TextModelValue *like, Size room)
{
	w->size = offsetof(TextModelValue, data) + room + TOKEN_BYTES_MAX;
	w->used = offsetof(TextModelValue, data);
	w->next = 0;
	w->value = palloc(w->size);
	memcpy(w->value, like, w->used);
	w->value->ntokens = 0;
}

/* Where the next token goes */
static inline uint8 *
WriteFingerprint(TextModelWriter *w, uint64 fingerprint)
{
	uint8	   *at;

	Assert(fingerprint >= w->next);
	if (w->size - w->used < TOKEN_BYTES_MAX)
	{
		if (w->size >= MaxAllocSize)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("text model is too large"),
					 errdetail("A text model has at most 1 GB."),
					 errhint("Prune it with text_model_prune().")));
		w->size = Min(w->size + w->size / 2 + 1024, MaxAllocSize);
		w->value = repalloc(w->value, w->size);
	}
	at = WriteVarint((uint8 *) w->value + w->used, fingerprint - w->next + 1);
	w->next = fingerprint + 1;
	if ((++w->value->ntokens & INTERRUPT_MASK) == 0)
		CHECK_FOR_INTERRUPTS();
	return at;
}

/* Fingerprints ascend; a token without counts is none. */
void
TextModelWriteCount(TextModelWriter *w, const TextCount *c)
{
	uint8	   *at;

	if (c->count[0] == 0 && c->count[1] == 0)
		return;
	at = WriteFingerprint(w, c->fingerprint);
	if ((uint64) c->count[0] < SMALL_COUNTS && (uint64) c->count[1] < SMALL_COUNTS)
		*at++ = c->count[0] * SMALL_COUNTS + c->count[1];
	else
	{
		*at++ = LARGE_COUNTS;
		at = WriteVarint(at, ZigZag(c->count[0]));
		at = WriteVarint(at, ZigZag(c->count[1]));
	}
	w->used = at - (uint8 *) w->value;
}

void
TextModelWriteWeight(TextModelWriter *w, uint32 fingerprint, int weight)
{
	uint8	   *at = WriteFingerprint(w, fingerprint);

	*at++ = (uint8) weight;
	*at++ = (uint8) (weight >> 8);
	w->used = at - (uint8 *) w->value;
}

/* ---- digest and check ------------------------------------------------------ */

static void
ComputeDigest(const TextModelValue *v, uint8 *digest)
{
	TextModelValue header;
	DigestPiece pieces[2] = {
		{&header.format, offsetof(TextModelValue, data) - offsetof(TextModelValue, format)},
		{v->data, VARSIZE(v) - offsetof(TextModelValue, data)}
	};

	memcpy(&header, v, offsetof(TextModelValue, data));
	memset(header.digest, 0, TEXT_MODEL_DIGEST);
	Digest(pieces, lengthof(pieces), digest, TEXT_MODEL_DIGEST);
}

/* Bits that are set in some count of a value; where the lowest is, others may be left out */
static uint64
CountBits(const TextModelValue *v)
{
	TextModelReader r;
	TextCount	c;
	uint64		bits = (uint64) v->count[0] | (uint64) v->count[1];

	TextModelReadBegin(&r, v);
	while ((bits & 1) == 0 && NextCount(&r, &c) > 0)
		bits |= (uint64) c.count[0] | (uint64) c.count[1];
	return bits;
}

/* What is wrong with the header, or NULL */
static const char *
HeaderFault(const TextModelValue *v)
{
	if (v->format != TEXT_MODEL_FORMAT)
		return "The format is not known.";
	if (v->kind != TEXT_MODEL_COUNTS && v->kind != TEXT_MODEL_PUBLISHED)
		return "The kind is not known.";
	if ((v->flags & ~TEXT_MODEL_CALIBRATED) != 0)
		return "A flag is not known.";
	if (v->tokens != TEXT_TOKENS_VERSION)
		return "Its tokens are those of another version.";
	if (v->half_life != 0 && (v->half_life < TEXT_HALF_LIFE_MIN || v->half_life > TEXT_HALF_LIFE_MAX))
		return "The half-life is out of range.";
	if (v->half_life == 0 ? v->last != 0 || v->base < 0 || v->base > 63 : !IS_VALID_TIMESTAMP(v->last))
		return "The base or the last time is out of range.";
	if (v->count[0] == PG_INT64_MIN || v->count[1] == PG_INT64_MIN)
		return "A number of messages is out of range.";
	/* A token has at least two bytes: no one may be led to take more room. */
	if (v->ntokens > (VARSIZE(v) - offsetof(TextModelValue, data)) / 2)
		return "The tokens are broken.";
	if (!isfinite(v->slope) || !isfinite(v->intercept))
		return "The calibration is not finite.";
	if (!(v->flags & TEXT_MODEL_CALIBRATED) && (v->slope != 1 || v->intercept != 0 || signbit(v->intercept)))
		return "A calibration is there without its flag.";
	return NULL;
}

/*
 * What is wrong with a value, or NULL.  Its size is known to hold the header.
 */
const char *
TextModelFault(const TextModelValue *v)
{
	const char *fault = HeaderFault(v);
	TextModelReader r;
	TextCount	c;
	uint64		bits = (uint64) v->count[0] | (uint64) v->count[1];
	uint32		fingerprint;
	int			weight;
	int			got;

	if (fault != NULL)
		return fault;
	TextModelReadBegin(&r, v);
	if (v->kind == TEXT_MODEL_PUBLISHED)
	{
		while ((got = NextWeight(&r, &fingerprint, &weight)) > 0)
			if ((r.left & INTERRUPT_MASK) == 0)
				CHECK_FOR_INTERRUPTS();
		return got < 0 ? "The tokens are broken." : NULL;
	}
	while ((got = NextCount(&r, &c)) > 0)
	{
		bits |= (uint64) c.count[0] | (uint64) c.count[1];
		if ((r.left & INTERRUPT_MASK) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	if (got < 0)
		return "The tokens are broken.";
	if (bits == 0 ? v->base != 0 : (bits & 1) == 0)
		return "The base is not the largest.";
	return NULL;
}

/* Divide all counts by the largest power of two that leaves none over. */
static TextModelValue *
Normalise(TextModelValue *v)
{
	uint64		bits = v->kind == TEXT_MODEL_COUNTS ? CountBits(v) : 1;
	int			shift = bits == 0 ? 0 : pg_rightmost_one_pos64(bits);
	int32		base;
	TextModelReader r;
	TextModelWriter w;
	TextCount	c;

	if (bits == 0)
		v->base = 0;
	if (shift == 0)
		return v;
	if (pg_add_s32_overflow(v->base, shift, &base))
		TextModelOutOfRange();
	TextModelReadBegin(&r, v);
	TextModelWriteBegin(&w, v, VARSIZE(v) - offsetof(TextModelValue, data));
	w.value->base = base;
	for (int k = 0; k < 2; k++)
		w.value->count[k] /= INT64CONST(1) << shift;
	while (TextModelReadCount(&r, &c))
	{
		for (int k = 0; k < 2; k++)
			c.count[k] /= INT64CONST(1) << shift;
		TextModelWriteCount(&w, &c);
	}
	SET_VARSIZE(w.value, w.used);
	pfree(v);
	return w.value;
}

/*
 * The finished value, in its canonical form.  What was read to make it was
 * checked, so only its header may be wrong: the base may be too large.
 */
TextModelValue *
TextModelWriteEnd(TextModelWriter *w)
{
	TextModelValue *v;

	SET_VARSIZE(w->value, w->used);
	v = Normalise(w->value);
	if (!(v->flags & TEXT_MODEL_CALIBRATED))
	{
		v->slope = 1;
		v->intercept = 0;
	}
	if (HeaderFault(v) != NULL)
		TextModelOutOfRange();
	Assert(TextModelFault(v) == NULL);
	ComputeDigest(v, v->digest);
	return v;
}

/*
 * An argument, whole and with a header that holds.  Its tokens are checked as
 * they are read.
 */
TextModelValue *
DatumGetTextModelValue(Datum d)
{
	TextModelValue *v = (TextModelValue *) PG_DETOAST_DATUM(d);

	if (VARSIZE(v) < offsetof(TextModelValue, data) || HeaderFault(v) != NULL)
		TextModelCorrupt();
	return v;
}

/*
 * The digest in a value's header, for which no more than the header is read
 */
void
TextModelDigestOf(Datum d, uint8 *digest)
{
	const Size	size = offsetof(TextModelValue, data);
	TextModelValue *v = (TextModelValue *) PG_DETOAST_DATUM_SLICE(d, 0, size - VARHDRSZ);

	if (VARSIZE(v) < size)
		TextModelCorrupt();
	memcpy(digest, v->digest, TEXT_MODEL_DIGEST);
	pfree(v);
}

/*
 * Is the digest that of the content?  A cache goes by it, and who reads what is
 * written for elsewhere makes a new one.
 */
void
TextModelVerify(const TextModelValue *v)
{
	uint8		digest[TEXT_MODEL_DIGEST];

	ComputeDigest(v, digest);
	if (memcmp(digest, v->digest, TEXT_MODEL_DIGEST) != 0)
		TextModelCorrupt();
}

void
TextModelCheckMergeable(const TextModelValue *v)
{
	if (v->kind != TEXT_MODEL_COUNTS)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("a published text model has no counts"),
				 errhint("Keep the model that it was published from, and add to that.")));
}

/* ---- text and binary form -------------------------------------------------- */

/*
 * {"format": 1, "kind": "counts", ..., "data": "base64"}: what is in the header
 * can be read, the tokens are fingerprints anyhow.
 */
PG_FUNCTION_INFO_V1(text_model_out);
Datum
text_model_out(PG_FUNCTION_ARGS)
{
	TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	int			size = VARSIZE(v) - offsetof(TextModelValue, data);
	int			room = pg_b64_enc_len(size);
	StringInfoData out;
	int			len;

	TextModelVerify(v);
	initStringInfo(&out);
	appendStringInfo(&out, "{\"format\": %d, \"kind\": \"%s\", \"tokens_version\": %d, \"tokens\": %u, \"base\": %d, "
					 "\"malicious\": " INT64_FORMAT ", \"safe\": " INT64_FORMAT ", "
					 "\"half_life\": " INT64_FORMAT ", \"last\": " INT64_FORMAT,
					 v->format, v->kind == TEXT_MODEL_COUNTS ? "counts" : "published", v->tokens, v->ntokens, v->base,
					 v->count[0], v->count[1], v->half_life, v->last);
	if (v->flags & TEXT_MODEL_CALIBRATED)
		appendStringInfo(&out, ", \"slope\": %.17g, \"intercept\": %.17g", v->slope, v->intercept);
	appendStringInfoString(&out, ", \"data\": \"");
	enlargeStringInfo(&out, room + 3);
	len = pg_b64_encode((const void *) v->data, size, out.data + out.len, room);
	if (len < 0)
		elog(ERROR, "could not encode a text model");
	out.len += len;
	out.data[out.len] = '\0';
	appendStringInfoString(&out, "\"}");
	PG_RETURN_CSTRING(out.data);
}

/*
 * Reading back: each moves the cursor, and is false where the text is not
 * what is wanted.
 */
static bool
ReadInteger(const char **cur, const char *key, int64 min, int64 max, int64 *number)
{
	char	   *end;

	if (!Expect(cur, key) || !Expect(cur, ":") || !Expect(cur, ""))
		return false;
	if (**cur != '-' && (**cur < '0' || **cur > '9'))
		return false;
	errno = 0;
	*number = strtoll(*cur, &end, 10);
	if (errno != 0 || end == *cur || *number < min || *number > max)
		return false;
	*cur = end;
	return Expect(cur, ",");
}

static bool
ReadDouble(const char **cur, const char *key, float8 *number)
{
	char	   *end;

	if (!Expect(cur, key) || !Expect(cur, ":"))
		return false;
	*number = strtod(*cur, &end);
	if (end == *cur || !isfinite(*number))
		return false;
	*cur = end;
	return Expect(cur, ",");
}

/* The header's members, in the order in which they are written */
static bool
ReadHeader(const char **cur, TextModelValue *v)
{
	int64		n;

	if (!Expect(cur, "{") || !ReadInteger(cur, "\"format\"", 0, PG_UINT8_MAX, &n))
		return false;
	v->format = n;
	if (!Expect(cur, "\"kind\"") || !Expect(cur, ":"))
		return false;
	if (Expect(cur, "\"counts\""))
		v->kind = TEXT_MODEL_COUNTS;
	else if (Expect(cur, "\"published\""))
		v->kind = TEXT_MODEL_PUBLISHED;
	else
		return false;
	if (!Expect(cur, ",") || !ReadInteger(cur, "\"tokens_version\"", 0, PG_UINT8_MAX, &n))
		return false;
	v->tokens = n;
	if (!ReadInteger(cur, "\"tokens\"", 0, PG_UINT32_MAX, &n))
		return false;
	v->ntokens = n;
	if (!ReadInteger(cur, "\"base\"", PG_INT32_MIN, PG_INT32_MAX, &n))
		return false;
	v->base = n;
	v->slope = 1;
	if (!ReadInteger(cur, "\"malicious\"", PG_INT64_MIN, PG_INT64_MAX, &v->count[0]) ||
		!ReadInteger(cur, "\"safe\"", PG_INT64_MIN, PG_INT64_MAX, &v->count[1]) ||
		!ReadInteger(cur, "\"half_life\"", 0, PG_INT64_MAX, &v->half_life) ||
		!ReadInteger(cur, "\"last\"", PG_INT64_MIN, PG_INT64_MAX, &v->last))
		return false;
	Expect(cur, "");
	if (strncmp(*cur, "\"slope\"", 7) != 0)
		return true;
	v->flags = TEXT_MODEL_CALIBRATED;
	return ReadDouble(cur, "\"slope\"", &v->slope) && ReadDouble(cur, "\"intercept\"", &v->intercept);
}

/* The value that a text says, or NULL */
static TextModelValue *
ReadTextModel(const char *cur)
{
	TextModelValue header;
	TextModelValue *v;
	const char *end;
	Size		room;
	int			len;

	memset(&header, 0, sizeof(header));
	if (!ReadHeader(&cur, &header) || !Expect(&cur, "\"data\"") || !Expect(&cur, ":") || !Expect(&cur, "\""))
		return NULL;
	end = strchr(cur, '"');
	if (end == NULL)
		return NULL;
	room = offsetof(TextModelValue, data) + pg_b64_dec_len(end - cur);
	v = palloc(room);
	memcpy(v, &header, offsetof(TextModelValue, data));
	len = pg_b64_decode(cur, end - cur, (void *) v->data, room - offsetof(TextModelValue, data));
	cur = end + 1;
	if (len < 0 || !Expect(&cur, "}") || !Expect(&cur, "") || *cur != '\0')
		return NULL;
	SET_VARSIZE(v, offsetof(TextModelValue, data) + len);
	return v;
}

PG_FUNCTION_INFO_V1(text_model_in);
Datum
text_model_in(PG_FUNCTION_ARGS)
{
	const char *in = PG_GETARG_CSTRING(0);
	TextModelValue *v = ReadTextModel(in);
	const char *fault;

	if (v == NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%.*s\"", "text_model",
						pg_mbcliplen(in, strlen(in), 64), in),
				 errhint("text_model_agg(boolean, text) builds a text model; text_model_at(name) gives one that learns from labels.")));
	if ((fault = TextModelFault(v)) != NULL)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid value for type %s: \"%.*s\"", "text_model",
						pg_mbcliplen(in, strlen(in), 64), in),
				 errdetail_internal("%s", fault)));
	ComputeDigest(v, v->digest);
	PG_RETURN_POINTER(v);
}

PG_FUNCTION_INFO_V1(text_model_send);
Datum
text_model_send(PG_FUNCTION_ARGS)
{
	TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	StringInfoData buf;

	TextModelVerify(v);
	pq_begintypsend(&buf);
	pq_sendint8(&buf, v->format);
	pq_sendint8(&buf, v->kind);
	pq_sendint8(&buf, v->flags);
	pq_sendint8(&buf, v->tokens);
	pq_sendint32(&buf, v->ntokens);
	pq_sendint32(&buf, v->base);
	pq_sendint64(&buf, v->half_life);
	pq_sendint64(&buf, v->last);
	pq_sendint64(&buf, v->count[0]);
	pq_sendint64(&buf, v->count[1]);
	pq_sendfloat8(&buf, v->slope);
	pq_sendfloat8(&buf, v->intercept);
	pq_sendbytes(&buf, (const char *) v->data, VARSIZE(v) - offsetof(TextModelValue, data));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

PG_FUNCTION_INFO_V1(text_model_recv);
Datum
text_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	TextModelValue header;
	TextModelValue *v;
	const char *fault;
	int			size;

	memset(&header, 0, sizeof(header));
	header.format = pq_getmsgbyte(buf);
	header.kind = pq_getmsgbyte(buf);
	header.flags = pq_getmsgbyte(buf);
	header.tokens = pq_getmsgbyte(buf);
	header.ntokens = pq_getmsgint(buf, 4);
	header.base = (int32) pq_getmsgint(buf, 4);
	header.half_life = pq_getmsgint64(buf);
	header.last = pq_getmsgint64(buf);
	header.count[0] = pq_getmsgint64(buf);
	header.count[1] = pq_getmsgint64(buf);
	header.slope = pq_getmsgfloat8(buf);
	header.intercept = pq_getmsgfloat8(buf);
	size = buf->len - buf->cursor;
	v = palloc(offsetof(TextModelValue, data) + size);
	memcpy(v, &header, offsetof(TextModelValue, data));
	pq_copymsgbytes(buf, (char *) v->data, size);
	SET_VARSIZE(v, offsetof(TextModelValue, data) + size);
	if ((fault = TextModelFault(v)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "text_model"),
				 errdetail_internal("%s", fault)));
	ComputeDigest(v, v->digest);
	PG_RETURN_POINTER(v);
}

PG_FUNCTION_INFO_V1(text_model_eq);
Datum
text_model_eq(PG_FUNCTION_ARGS)
{
	TextModelValue *a = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	TextModelValue *b = DatumGetTextModelValue(PG_GETARG_DATUM(1));

	PG_RETURN_BOOL(VARSIZE(a) == VARSIZE(b) &&
				   memcmp(&a->format, &b->format, VARSIZE(a) - offsetof(TextModelValue, format)) == 0);
}

PG_FUNCTION_INFO_V1(text_model_ne);
Datum
text_model_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!DatumGetBool(text_model_eq(fcinfo)));
}
