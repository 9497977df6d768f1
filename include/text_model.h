/*
 * text_model.h
 *		Counts of tokens in malicious and safe messages, and a score from them.
 */
#ifndef ASSAY_TEXT_MODEL_H
#define ASSAY_TEXT_MODEL_H

#include "compat.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "text_tokens.h"
#include "utils/expandeddatum.h"

#define TEXT_MODEL_FORMAT		1

#define TEXT_MODEL_COUNTS		1	/* can be added, subtracted, published */
#define TEXT_MODEL_PUBLISHED	2	/* weights of its best tokens only */

#define TEXT_MODEL_CALIBRATED	0x01	/* of flags: slope and intercept were
										 * fitted */

#define TEXT_MODEL_DIGEST		16

#define TEXT_MALICIOUS	0
#define TEXT_SAFE		1

/*
 * A stored text model.
 *
 *	  0 vl_len_		  8 ntokens		 24 last		 48 slope		 64 digest
 *	  4 format, kind, 12 base		 32 count[2]	 56 intercept	 80 data
 *		flags, tokens 16 half_life
 *
 * A count is in units of 2^base / 256 of a message.  With a half-life H, a
 * message at time t counts 2^(t / H) (the landmark form: what has decayed at
 * any moment is known by one factor for all), so `base` counts half-lives from
 * 2000-01-01 on.  Every message adds an integer, whence the order of adding
 * can't be seen in a sum, and subtracting takes out what was added.  A count is
 * negative where more was taken out than was in: a model may be a difference.
 * `base` is as large as it can be, so equal sums have equal bytes.
 *
 * data has the tokens by ascending fingerprint.  Each is the distance from the
 * one before (of the first: from -1) as a varint, 7 bits a byte, low first, and
 *
 *	in a COUNTS model: one byte 15 m + s where both counts are 0 to 14, else
 *	a byte 255 and both as zigzag varints; never both 0.
 *	in a PUBLISHED one: the weight, 16 bits, low byte first, in 1/1024 of a
 *	log-odds; never 0.  Fingerprints are the upper 32 of 40 bits.
 *
 * The digest is over all that is behind vl_len_, as if it were 0 itself.
 */
typedef struct TextModelValue
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		format;			/* TEXT_MODEL_FORMAT */
	uint8		kind;
	uint8		flags;
	uint8		tokens;			/* TEXT_TOKENS_VERSION that it was made with */
	uint32		ntokens;
	int32		base;
	int64		half_life;		/* microseconds; 0 is none */
	TimestampTz last;			/* latest message, 0 without a half-life */
	int64		count[2];		/* messages: malicious, safe */
	float8		slope;			/* score = slope * margin + intercept */
	float8		intercept;
	uint8		digest[TEXT_MODEL_DIGEST];
	uint8		data[FLEXIBLE_ARRAY_MEMBER];
} TextModelValue;

/* A token on its way out of or into a value */
typedef struct TextCount
{
	uint64		fingerprint;
	int64		count[2];
} TextCount;

typedef struct TextModelReader
{
	const uint8 *at;
	const uint8 *end;
	uint64		next;			/* the smallest fingerprint that may come */
	uint32		left;
	int			kind;
} TextModelReader;

typedef struct TextModelWriter
{
	TextModelValue *value;
	Size		used;
	Size		size;
	uint64		next;
} TextModelWriter;

/* Of a count, or a sum: in 1/256 of a message */
#define TEXT_MESSAGE			256
#define TEXT_WEIGHT_MAX			1000000

/* Half-lives that decay may have */
#define TEXT_HALF_LIFE_MIN		USECS_PER_DAY
#define TEXT_HALF_LIFE_MAX		(INT64CONST(36525) * USECS_PER_DAY)

/* ---- scoring --------------------------------------------------------------- */

#define TEXT_WEIGHT_UNIT		1024	/* of a log-odds */

/* Room for one message, reused from one to the next */
typedef struct TextScratch
{
	TextParts	parts;
	TextTokens *tokens;
	struct TextContribution *contributions; /* where sources are noted */
} TextScratch;

/* What a token tells */
typedef struct TextEvidence
{
	bool		known;
	int32		weight;			/* in 1/1024 of a log-odds; 0 where it tells
								 * nothing */
	double		worth;			/* what it is expected to add to some message */
} TextEvidence;

/* Tokens with fewer messages of either kind share what they tell. */
#define TEXT_COUNTS_FEW			16

typedef struct TextEvidences
{
	const TextModelValue *model;
	TextEvidence known[TEXT_COUNTS_FEW][TEXT_COUNTS_FEW];
} TextEvidences;

/* text_model.c: the value */
extern const char *TextModelFault(const TextModelValue *v);
extern TextModelValue *DatumGetTextModelValue(Datum d);
extern void TextModelDigestOf(Datum d, uint8 *digest);
extern void TextModelVerify(const TextModelValue *v);
extern void TextModelReadBegin(TextModelReader *r, const TextModelValue *v);
extern bool TextModelReadCount(TextModelReader *r, TextCount *c);
extern bool TextModelReadWeight(TextModelReader *r, uint32 *fingerprint, int *weight);
extern void TextModelWriteBegin(TextModelWriter *w, const TextModelValue *like, Size room);
extern void TextModelWriteCount(TextModelWriter *w, const TextCount *c);
extern void TextModelWriteWeight(TextModelWriter *w, uint32 fingerprint, int weight);
extern TextModelValue *TextModelWriteEnd(TextModelWriter *w);
pg_noreturn extern void TextModelOutOfRange(void);
pg_noreturn extern void TextModelCorrupt(void);
extern void TextModelCheckMergeable(const TextModelValue *v);

/* text_model_sum.c: arithmetic */
extern int64 TextCountScale(int64 count, int shift);
extern int64 TextCountAdd(int64 a, int64 b);
extern TextEvidence TextModelEvidence(TextEvidences *all, const TextCount *c);

/* text_model_score.c: evaluation */
typedef struct CachedTextModel CachedTextModel;

/* What a token adds to a margin, as people read it */
typedef struct TextTop
{
	char	   *token;
	double		contribution;
} TextTop;

extern TextScratch *TextScratchCreate(bool explain);
extern TextScratch *TextScratchShared(void);
extern CachedTextModel *TextModelHold(struct varlena *stored);
extern void TextModelLetGo(CachedTextModel *held);
extern double TextModelMargin(const CachedTextModel *held, TextScratch *scratch);
extern double TextModelMarginTop(const CachedTextModel *held, TextScratch *scratch, int top, TextTop *found, int *nfound);

/* text_model_learn.c: what learns */
extern Datum TextModelKnown(Oid relation, TimestampTz at, bool *isnull);

/* text_model_parts.c: parts of a message from SQL values */
extern void TextPartsFromText(TextParts *parts, const text *content);
extern void TextPartsFromJsonb(TextParts *parts, Datum content);
extern void TextPartsFromRecord(FunctionCallInfo fcinfo, int arg, void **kept,
								TextParts *parts);

#endif							/* ASSAY_TEXT_MODEL_H */
