/*
 * text_tokens.h
 *		What a message consists of for a text model: its distinct tokens.
 *
 * Pure C over plain structs: no fcinfo, no SPI, no catalogue.
 */
#ifndef ASSAY_TEXT_TOKENS_H
#define ASSAY_TEXT_TOKENS_H

/* A change in what a token is makes a new version: models of another don't mix */
#define TEXT_TOKENS_VERSION	1

/* A token's fingerprint has 40 bits; a published model keeps the upper 32. */
#define TEXT_FINGERPRINT_BITS	40

/* Limits; what is beyond them is not read */
#define TEXT_SUBJECT_MAX	1024	/* bytes */
#define TEXT_BODY_MAX		32768
#define TEXT_SHAPES_MAX		4096	/* bytes of a body that give shapes */
#define TEXT_HEADER_MAX		200
#define TEXT_HEADERS_MAX	256
#define TEXT_URLS_MAX		256
#define TEXT_GIVEN_MAX		256
#define TEXT_TOKENS_MAX		16384	/* of a message */

/* UTF-8, or bytes of an encoding that isn't known; NULL is absent */
typedef struct TextSpan
{
	const char *data;
	int			len;
} TextSpan;

static inline TextSpan
MakeSpan(const char *data, int len)
{
	TextSpan	span;

	span.data = data;
	span.len = len;
	return span;
}

typedef struct TextHeader
{
	TextSpan	field;
	TextSpan	value;
} TextHeader;

/* A message; every part may be absent */
typedef struct TextParts
{
	TextSpan	subject;
	TextSpan	body;
	bool		has_headers;
	int			nheaders;
	TextHeader	headers[TEXT_HEADERS_MAX];
	bool		has_urls;
	int			nurls;
	TextSpan	urls[TEXT_URLS_MAX];
	int			ngiven;
	TextSpan	given[TEXT_GIVEN_MAX];	/* tokens that the user made */
} TextParts;

/* What a token is; the order is part of the fingerprint */
typedef enum TextTokenKind
{
	TEXT_SUBJECT_WORD,
	TEXT_BODY_WORD,
	TEXT_SUBJECT_PAIR,
	TEXT_BODY_PAIR,
	TEXT_SUBJECT_GRAM,			/* of scripts without spaces */
	TEXT_BODY_GRAM,
	TEXT_SUBJECT_SHAPE,
	TEXT_BODY_SHAPE,
	TEXT_URL_HOST,
	TEXT_URL_DOMAIN,
	TEXT_URL_TLD,
	TEXT_URL_NUMERIC,
	TEXT_URL_PATH,
	TEXT_URL_COUNT,
	TEXT_FROM_ADDRESS,
	TEXT_FROM_DOMAIN,
	TEXT_FROM_TLD,
	TEXT_FROM_NAME,
	TEXT_REPLY_DOMAIN,
	TEXT_REPLY_DIFFERS,
	TEXT_ID_SHAPE,
	TEXT_ID_OF_SENDER,
	TEXT_IS_REPLY,
	TEXT_HEADER_NAME,
	TEXT_HEADER_WORD,
	TEXT_GIVEN
} TextTokenKind;

#define TEXT_SHAPE_MAX	12		/* characters */

/* Where a token comes from, for explanations only */
typedef struct TextTokenSource
{
	uint8		kind;
	uint8		shape_len;
	char		shape[TEXT_SHAPE_MAX];
	TextSpan	first;
	TextSpan	second;			/* of a pair, or a header's word */
} TextTokenSource;

/* Distinct tokens of one message; the memory serves one after the other */
typedef struct TextTokens
{
	int			n;
	uint64	   *fingerprint;	/* n of them, below 2^40 */
	TextTokenSource *source;	/* n of them, or NULL */
	/* private */
	int			max;
	uint64	   *set;			/* fingerprints + 1, by their low bits */
	uint32		set_mask;
} TextTokens;

/* What a character from byte 128 on is, in running text */
#define HIGH_LETTER	0
#define HIGH_BREAK	1
#define HIGH_GRAM	2			/* of a script without spaces */

/* text_model_tokens.c */
extern bool TextReadsHeader(TextSpan field);
extern int	HighCharacter(const uint8 *p, const uint8 *end, int *what);
extern TextTokens *TextTokensCreate(bool with_source);
extern int	TextTokenise(TextTokens *t, const TextParts *parts);
extern const char *TextTokenPrefix(const TextTokenSource *source);

#endif							/* ASSAY_TEXT_TOKENS_H */
