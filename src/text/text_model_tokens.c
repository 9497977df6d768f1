/*
 * text_model_tokens.c
 *		Parts a message into the tokens of a text model.
 *
 * A token is a word (case kept), two neighbouring words (in lower case), the
 * shape of a word, or a part of a URL or of a header that the sender's side
 * wrote, each marked by where it stands.  Scripts without spaces give two and
 * three neighbouring characters instead of words.  A message either has a token
 * or not; how often does not count.
 *
 * Everything is one pass over bytes.  Bytes that are not UTF-8 are letters.
 */
#include "postgres.h"

#include "text_tokens.h"

#define WORD_MAX		40		/* bytes; a longer one is cut */
#define SHAPES_MAX		400
#define URL_MAX			2048
#define URL_WORDS_MAX	10
#define SET_MIN			256

/* Classes of a byte in running text */
#define BREAK		0
#define LETTER		1			/* of a word */
#define HIGH		2			/* the first of several, or none of UTF-8 */

#define FNV_START	UINT64CONST(0xcbf29ce484222325)
#define FNV_PRIME	UINT64CONST(0x100000001b3)

static const TextSpan no_span = {NULL, 0};

/* Class and lower case of each byte, made at first use */
static uint8 byte_class[256];
static uint8 byte_lower[256];
static uint8 byte_shape[256];	/* what stands for it in a shape */

static void
MakeByteTables(void)
{
	if (byte_class['a'] != BREAK)
		return;
	for (int c = 0; c < 256; c++)
	{
		bool		upper = c >= 'A' && c <= 'Z';
		bool		lower = c >= 'a' && c <= 'z';
		bool		digit = c >= '0' && c <= '9';

		byte_lower[c] = upper ? c + 32 : c;
		byte_shape[c] = upper ? 'A' : lower ? 'a' : digit ? '0' : c >= 128 ? 'U' : c;
		if (c >= 128)
			byte_class[c] = HIGH;
		else if (upper || lower || digit || (c != 0 && strchr("$!%'-", c) != NULL))
			byte_class[c] = LETTER;
	}
}

/* ---- hashes -------------------------------------------------------------- */

static inline uint64
HashStart(TextTokenKind kind)
{
	return FNV_START ^ ((uint64) (kind + 1) * UINT64CONST(0x9E3779B97F4A7C15));
}

static inline uint64
HashByte(uint64 h, uint8 byte)
{
	return (h ^ byte) * FNV_PRIME;
}

static uint64
HashBytes(uint64 h, const char *data, int len)
{
	for (int i = 0; i < len; i++)
		h = HashByte(h, (uint8) data[i]);
	return h;
}

static uint64
HashLower(uint64 h, const char *data, int len)
{
	for (int i = 0; i < len; i++)
		h = HashByte(h, byte_lower[(uint8) data[i]]);
	return h;
}

/* All bits of the hash count in each bit of the fingerprint. */
static inline uint64
Fingerprint(uint64 h)
{
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	return h >> (64 - TEXT_FINGERPRINT_BITS);
}

/* ---- the set of tokens --------------------------------------------------- */

/*
 * Add a token to the message's set; false if it is there already, or the
 * message has as many as are taken.
 */
static inline bool
AddToken(TextTokens *t, uint64 h)
{
	uint64		fp = Fingerprint(h);
	uint32		i = (uint32) fp & t->set_mask;

	while (t->set[i] != 0)
	{
		if (t->set[i] == fp + 1)
			return false;
		i = (i + 1) & t->set_mask;
	}
	if (t->n == t->max)
		return false;
	t->set[i] = fp + 1;
	t->fingerprint[t->n++] = fp;
	return true;
}

/* The same, and note where it comes from */
static inline void
Emit(TextTokens *t, uint64 h, TextTokenKind kind, TextSpan first, TextSpan second)
{
	if (AddToken(t, h) && t->source != NULL)
	{
		TextTokenSource *source = &t->source[t->n - 1];

		source->kind = kind;
		source->shape_len = 0;
		source->first = first;
		source->second = second;
	}
}

/* What can be shown of a span that was cut at bytes: not the half of a character */
static TextSpan
WholeCharacters(const char *data, int len)
{
	for (int back = 1; back < 4 && back <= len; back++)
	{
		uint8		c = data[len - back];

		if (c >= 0xC0)
			return MakeSpan(data, (c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2) > back ? len - back : len);
		if (c < 0x80)
			break;
	}
	return MakeSpan(data, len);
}

/* A token that is the bytes of a span, caseless */
static void
EmitSpan(TextTokens *t, TextTokenKind kind, const char *data, int len)
{
	Emit(t, HashLower(HashStart(kind), data, len), kind, WholeCharacters(data, len), no_span);
}

/* A token without text of its own, as "differs", or one of few values */
static void
EmitFact(TextTokens *t, TextTokenKind kind, const char *value)
{
	EmitSpan(t, kind, value, strlen(value));
}

/* ---- running text --------------------------------------------------------- */

/*
 * Length and class of the character at p, whose first byte is >= 128.  What
 * isn't UTF-8 is a letter of one byte.
 */
int
HighCharacter(const uint8 *p, const uint8 *end, int *what)
{
	int			len = *p < 0xC2 ? 1 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 1;
	uint32		c;

	*what = HIGH_LETTER;
	if (len == 1 || len > end - p)
		return 1;
	c = *p & (0xFF >> (len + 1));
	for (int i = 1; i < len; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 1;
		c = c << 6 | (p[i] & 0x3F);
	}
	if ((c >= 0xA0 && c <= 0xBF) || (c >= 0x2000 && c <= 0x206F) || (c >= 0x3000 && c <= 0x3004) ||
		(c >= 0x3008 && c <= 0x3020) || (c >= 0xFF01 && c <= 0xFF0F) || c == 0xFEFF)
		*what = HIGH_BREAK;
	else if ((c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
			 (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF) ||
			 (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF))
		*what = HIGH_GRAM;
	return len;
}

/*
 * Two and three neighbouring characters of a run of a script without spaces;
 * a single one by itself.  Gives the end of the run.
 */
static const uint8 *
ScanGrams(TextTokens *t, TextTokenKind kind, const uint8 *p, const uint8 *end)
{
	const uint8 *before = NULL;
	const uint8 *before2 = NULL;
	const uint8 *start = p;
	int			n = 0;

	while (p < end && *p >= 128)
	{
		int			what;
		int			len = HighCharacter(p, end, &what);

		if (what != HIGH_GRAM)
			break;
		for (int k = 0; k < 2; k++)
		{
			const char *from = (const char *) (k == 0 ? before : before2);
			TextSpan	gram = {from, (const char *) p + len - from};

			if (from != NULL)
				Emit(t, HashBytes(HashStart(kind), gram.data, gram.len), kind, gram, no_span);
		}
		before2 = before;
		before = p;
		p += len;
		n++;
	}
	if (n == 1)
		Emit(t, HashBytes(HashStart(kind), (const char *) start, p - start), kind,
			 MakeSpan((const char *) start, p - start), no_span);
	return p;
}

static void ScanUrl(TextTokens *t, const char *p, const char *end);

/* Is what ends at p the scheme of a URL? */
static inline bool
EndsScheme(const uint8 *start, const uint8 *p, const uint8 *end)
{
	int			len = p - start;

	return end - p > 3 && p[0] == ':' && p[1] == '/' && p[2] == '/' && (len == 4 || len == 5) &&
		byte_lower[start[0]] == 'h' && byte_lower[start[1]] == 't' && byte_lower[start[2]] == 't' &&
		byte_lower[start[3]] == 'p' && (len == 4 || byte_lower[start[4]] == 's');
}

/*
 * Words and pairs of words of a text, and the URLs in it.
 */
static void
ScanText(TextTokens *t, TextSpan span, TextTokenKind word, TextTokenKind pair, TextTokenKind gram)
{
	const uint8 *p = (const uint8 *) span.data;
	const uint8 *end = p + span.len;
	const uint64 word_start = HashStart(word);
	const uint64 pair_start = HashStart(pair);
	uint64		previous = 0;	/* hash of the word before, in lower case */
	TextSpan	previous_span = no_span;

	while (p < end)
	{
		const uint8 *start = p;
		uint64		exact = word_start;
		uint64		lower = pair_start;
		int			what = HIGH_LETTER;

		/* Hash one word, as it stands and in lower case. */
		while (p < end && byte_class[*p] != BREAK)
		{
			int			len = 1;

			if (byte_class[*p] == HIGH)
			{
				len = HighCharacter(p, end, &what);
				if (what != HIGH_LETTER)
					break;
			}
			if (p + len - start > WORD_MAX)
				break;
			for (; len > 0; len--, p++)
			{
				exact = HashByte(exact, *p);
				lower = HashByte(lower, byte_lower[*p]);
			}
		}
		if (p > start)
		{
			TextSpan	here = {(const char *) start, p - start};

			Emit(t, exact, word, here, no_span);
			if (previous != 0)
				Emit(t, previous * 31 + lower, pair, previous_span, here);
			previous = lower;
			previous_span = here;
			if (EndsScheme(start, p, end))
				ScanUrl(t, (const char *) p + 3, (const char *) end);
		}
		/* Step over what ended it. */
		if (what == HIGH_GRAM)
		{
			p = ScanGrams(t, gram, p, end);
			previous = 0;
		}
		else if (what == HIGH_BREAK)
			p += HighCharacter(p, end, &what);
		else if (p < end && byte_class[*p] == BREAK)
			p++;
	}
}

/*
 * Shapes of what stands between spaces: "Viagra-50mg!" is "Aa-0a!".
 */
static void
ScanShapes(TextTokens *t, TextSpan span, TextTokenKind kind)
{
	const uint8 *p = (const uint8 *) span.data;
	const uint8 *end = p + Min(span.len, TEXT_SHAPES_MAX);
	const uint64 start = HashStart(kind);

	for (int n = 0; n < SHAPES_MAX && p < end; n++)
	{
		uint8		shape[TEXT_SHAPE_MAX];
		int			len = 0;
		uint8		last = 0;
		uint64		h = start;

		while (p < end && *p <= ' ')
			p++;
		for (; p < end && *p > ' '; p++)
		{
			uint8		s = byte_shape[*p];

			if ((s == last && (s == 'a' || s == 'A' || s == '0' || s == 'U')) || len == TEXT_SHAPE_MAX)
				continue;
			shape[len++] = last = s;
			h = HashByte(h, s);
		}
		if (len > 0 && AddToken(t, h) && t->source != NULL)
		{
			TextTokenSource *source = &t->source[t->n - 1];

			source->kind = kind;
			source->shape_len = len;
			memcpy(source->shape, shape, len);
			source->first = source->second = no_span;
		}
	}
}

/* ---- URLs ------------------------------------------------------------------ */

static inline bool
EndsUrl(uint8 c)
{
	return c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>';
}

/* The host, its domains of at most three labels, and its last label */
static void
EmitHost(TextTokens *t, const char *host, int len)
{
	bool		numeric = true;
	const char *dots[3] = {NULL, NULL, NULL};	/* the last three, last first */

	for (int i = 0; i < len; i++)
	{
		if (host[i] == '.')
		{
			dots[2] = dots[1];
			dots[1] = dots[0];
			dots[0] = host + i;
		}
		else if (host[i] < '0' || host[i] > '9')
			numeric = false;
	}
	EmitSpan(t, TEXT_URL_HOST, host, len);
	if (numeric)
	{
		EmitFact(t, TEXT_URL_NUMERIC, "yes");
		return;
	}
	if (dots[0] == NULL)
		return;
	EmitSpan(t, TEXT_URL_TLD, dots[0] + 1, host + len - dots[0] - 1);
	for (int i = 1; i < 3; i++)
	{
		const char *from = dots[i] != NULL ? dots[i] + 1 : host;

		EmitSpan(t, TEXT_URL_DOMAIN, from, host + len - from);
		if (dots[i] == NULL)
			break;
	}
}

/*
 * A URL after its scheme: host, domains, and words of the path.
 */
static void
ScanUrl(TextTokens *t, const char *p, const char *end)
{
	const char *host = p;
	const char *host_end;
	int			words = 0;

	end = Min(end, p + URL_MAX);
	while (p < end && !EndsUrl(*p) && strchr("/?#:", *p) == NULL)
	{
		if (*p == '@')
			host = p + 1;
		p++;
	}
	host_end = p;
	/* user:password@host */
	if (p < end && *p == ':')
	{
		const char *q = p;

		while (q < end && !EndsUrl(*q) && strchr("/?#@", *q) == NULL)
			q++;
		if (q < end && *q == '@')
		{
			host = p = q + 1;
			while (p < end && !EndsUrl(*p) && strchr("/?#:", *p) == NULL)
				p++;
			host_end = p;
		}
	}
	if (host_end == host)
		return;
	EmitHost(t, host, host_end - host);
	while (p < end && !EndsUrl(*p) && words < URL_WORDS_MAX)
	{
		const char *start;

		while (p < end && !EndsUrl(*p) && byte_shape[(uint8) *p] != 'a' && byte_shape[(uint8) *p] != 'A')
			p++;
		start = p;
		while (p < end && (byte_shape[(uint8) *p] == 'a' || byte_shape[(uint8) *p] == 'A') && p - start < 20)
			p++;
		if (p - start >= 2)
		{
			EmitSpan(t, TEXT_URL_PATH, start, p - start);
			words++;
		}
	}
}

static void
ScanUrls(TextTokens *t, const TextParts *parts)
{
	for (int i = 0; i < parts->nurls; i++)
	{
		const char *url = parts->urls[i].data;
		const char *end = url + parts->urls[i].len;

		for (const char *p = url; p + 3 < end && p < url + 10; p++)
			if (memcmp(p, "://", 3) == 0)
			{
				ScanUrl(t, p + 3, end);
				break;
			}
	}
	if (parts->has_urls)
		EmitFact(t, TEXT_URL_COUNT, parts->nurls == 0 ? "0" : parts->nurls == 1 ? "1" : parts->nurls < 6 ? "2-5" : "6+");
}

/* ---- headers --------------------------------------------------------------- */

typedef struct HeaderName
{
	const char *name;
	int			len;
} HeaderName;

#define HEADER_NAME(name)	{name, sizeof(name) - 1}

/*
 * Headers that the sender's side writes and whose words tell something.  What
 * receiving servers, lists and collectors add is left out.
 */
static const HeaderName sender_headers[] = {
	HEADER_NAME("comments"),
	HEADER_NAME("content-class"),
	HEADER_NAME("content-disposition"),
	HEADER_NAME("content-transfer-encoding"),
	HEADER_NAME("content-type"),
	HEADER_NAME("disposition-notification-to"),
	HEADER_NAME("importance"),
	HEADER_NAME("mail-followup-to"),
	HEADER_NAME("mime-version"),
	HEADER_NAME("organization"),
	HEADER_NAME("priority"),
	HEADER_NAME("thread-index"),
	HEADER_NAME("thread-topic"),
	HEADER_NAME("user-agent"),
	HEADER_NAME("x-accept-language"),
	HEADER_NAME("x-face"),
	HEADER_NAME("x-mailer"),
	HEADER_NAME("x-mimeole"),
	HEADER_NAME("x-msmail-priority"),
	HEADER_NAME("x-operating-system"),
	HEADER_NAME("x-priority")
};

/* Headers that are read for what they say of the sender */
static const HeaderName other_headers[] = {
	HEADER_NAME("from"),
	HEADER_NAME("reply-to"),
	HEADER_NAME("message-id"),
	HEADER_NAME("in-reply-to")
};

static inline bool
SpanIsName(TextSpan span, const HeaderName *name)
{
	return span.len == name->len && pg_strncasecmp(span.data, name->name, span.len) == 0;
}

static bool
IsAmong(TextSpan field, const HeaderName *names, int n)
{
	for (int i = 0; i < n; i++)
		if (SpanIsName(field, &names[i]))
			return true;
	return false;
}

/* Does a text model look at this header? */
bool
TextReadsHeader(TextSpan field)
{
	return IsAmong(field, sender_headers, lengthof(sender_headers)) ||
		IsAmong(field, other_headers, lengthof(other_headers));
}

static bool
SpanIs(TextSpan span, const char *word)
{
	return span.len == (int) strlen(word) && pg_strncasecmp(span.data, word, span.len) == 0;
}

static TextSpan
FindHeader(const TextParts *parts, const char *field)
{
	for (int i = 0; i < parts->nheaders; i++)
		if (SpanIs(parts->headers[i].field, field))
			return parts->headers[i].value;
	return no_span;
}

static inline bool
IsHeaderLetter(uint8 c, bool first)
{
	return byte_shape[c] == 'a' || byte_shape[c] == 'A' || byte_shape[c] == '0' ||
		(!first && (c == '.' || c == '_' || c == '-'));
}

/* Words of a header's value, each with `before` in front */
static void
ScanHeader(TextTokens *t, TextTokenKind kind, TextSpan before, TextSpan value)
{
	const char *p = value.data;
	const char *end = p + Min(value.len, TEXT_HEADER_MAX);
	uint64		h = HashByte(HashLower(HashStart(kind), before.data, before.len), ':');

	while (p < end)
	{
		const char *start;

		while (p < end && !IsHeaderLetter(*p, true))
			p++;
		start = p;
		while (p < end && IsHeaderLetter(*p, false) && p - start <= WORD_MAX)
			p++;
		if (p == start)
			continue;
		/* A boundary is another in each message. */
		if (p < end && *p == '=' && SpanIs(MakeSpan(start, p - start), "boundary"))
		{
			while (p < end && *p > ' ')
				p++;
			continue;
		}
		Emit(t, HashLower(h, start, p - start), kind, before.len > 0 ? before : MakeSpan(start, p - start),
			 before.len > 0 ? MakeSpan(start, p - start) : no_span);
	}
}

/*
 * The address in a header such as From: what stands in the last angle
 * brackets, or else the word with an @.
 */
static TextSpan
AddressIn(TextSpan value, TextSpan *display)
{
	const char *open = NULL;
	const char *p;
	const char *end = value.data + value.len;
	TextSpan	address = no_span;

	*display = no_span;
	if (value.data == NULL)
		return no_span;
	for (p = value.data; p < end; p++)
		if (*p == '<')
			open = p;
	if (open != NULL)
	{
		*display = MakeSpan(value.data, open - value.data);
		address.data = open + 1;
		for (p = open + 1; p < end && *p != '>'; p++)
			;
		address.len = p - address.data;
	}
	else
	{
		const char *at = memchr(value.data, '@', value.len);

		if (at == NULL)
		{
			*display = value;
			return no_span;
		}
		address.data = at;
		while (address.data > value.data && (uint8) address.data[-1] > ' ')
			address.data--;
		for (p = at; p < end && (uint8) *p > ' '; p++)
			;
		address.len = p - address.data;
	}
	address.len = Min(address.len, TEXT_HEADER_MAX);
	if (memchr(address.data, '@', address.len) == NULL)
		return no_span;
	return address;
}

/* What stands behind the last of a character, or all */
static TextSpan
AfterLast(TextSpan span, char c)
{
	for (int i = span.len; i > 0; i--)
		if (span.data[i - 1] == c)
			return MakeSpan(span.data + i, span.len - i);
	return span;
}

/* The last two labels of a domain */
static TextSpan
LastLabels(TextSpan domain)
{
	int			dots = 0;

	for (int i = domain.len; i > 0; i--)
		if (domain.data[i - 1] == '.' && ++dots == 2)
			return MakeSpan(domain.data + i, domain.len - i);
	return domain;
}

static bool
SameCaseless(TextSpan a, TextSpan b)
{
	return a.len == b.len && pg_strncasecmp(a.data, b.data, a.len) == 0;
}

/* From and Reply-To */
static void
ScanSender(TextTokens *t, TextSpan from, TextSpan from_name, TextSpan reply_to)
{
	TextSpan	ignored;
	TextSpan	reply = AddressIn(reply_to, &ignored);

	if (from.len > 0)
	{
		TextSpan	domain = AfterLast(from, '@');
		TextSpan	tld = AfterLast(domain, '.');

		EmitSpan(t, TEXT_FROM_ADDRESS, from.data, from.len);
		EmitSpan(t, TEXT_FROM_DOMAIN, domain.data, domain.len);
		EmitSpan(t, TEXT_FROM_TLD, tld.data, tld.len);
	}
	if (from_name.len > 0)
		ScanHeader(t, TEXT_FROM_NAME, no_span, from_name);
	if (reply.len > 0)
	{
		TextSpan	domain = AfterLast(reply, '@');

		EmitSpan(t, TEXT_REPLY_DOMAIN, domain.data, domain.len);
		if (!SameCaseless(reply, from))
			EmitFact(t, TEXT_REPLY_DIFFERS, "yes");
	}
}

/* The Message-ID: its shape, and whether it is of the sender's domain */
static void
ScanMessageId(TextTokens *t, TextSpan id, TextSpan from)
{
	char		shape[30];
	int			len = 0;
	char		last = 0;
	int			i;
	uint64		h = HashStart(TEXT_ID_SHAPE);

	while (id.len > 0 && ((uint8) *id.data <= ' ' || *id.data == '<'))
	{
		id.data++;
		id.len--;
	}
	for (i = 0; i < id.len && id.data[i] != '@' && id.data[i] != '>' && len < (int) sizeof(shape); i++)
	{
		char		s = byte_shape[(uint8) id.data[i]];

		if (s == last && (s == 'a' || s == 'A' || s == '0'))
			continue;
		shape[len++] = last = s;
		h = HashByte(h, s);
	}
	if (AddToken(t, h) && t->source != NULL)
	{
		TextTokenSource *source = &t->source[t->n - 1];

		source->kind = TEXT_ID_SHAPE;
		source->shape_len = Min(len, TEXT_SHAPE_MAX);
		memcpy(source->shape, shape, source->shape_len);
		source->first = source->second = no_span;
	}
	if (memchr(id.data, '@', id.len) != NULL && from.len > 0)
	{
		TextSpan	domain = AfterLast(id, '@');

		while (domain.len > 0 && (domain.data[domain.len - 1] == '>' || (uint8) domain.data[domain.len - 1] <= ' '))
			domain.len--;
		EmitFact(t, TEXT_ID_OF_SENDER, SameCaseless(LastLabels(domain), LastLabels(AfterLast(from, '@'))) ? "yes" : "no");
	}
}

/*
 * Tokens of the headers that the sender's side wrote.
 */
static void
ScanHeaders(TextTokens *t, const TextParts *parts)
{
	TextSpan	from_name;
	TextSpan	from = AddressIn(FindHeader(parts, "from"), &from_name);
	TextSpan	id = FindHeader(parts, "message-id");

	if (!parts->has_headers)
		return;
	ScanSender(t, from, from_name, FindHeader(parts, "reply-to"));
	if (id.data != NULL)
		ScanMessageId(t, id, from);
	EmitFact(t, TEXT_IS_REPLY, FindHeader(parts, "in-reply-to").len > 0 ? "yes" : "no");
	for (int i = 0; i < parts->nheaders; i++)
	{
		const TextHeader *header = &parts->headers[i];

		if (IsAmong(header->field, sender_headers, lengthof(sender_headers)))
		{
			EmitSpan(t, TEXT_HEADER_NAME, header->field.data, header->field.len);
			ScanHeader(t, TEXT_HEADER_WORD, header->field, header->value);
		}
	}
}

/* ---- a message ------------------------------------------------------------- */

/* At most this many tokens: there are never more than bytes. */
static Size
TokensBound(const TextParts *parts)
{
	Size		n = SET_MIN + Min(parts->subject.len, TEXT_SUBJECT_MAX) + Min(parts->body.len, TEXT_BODY_MAX);

	for (int i = 0; i < parts->nheaders; i++)
		n += 16 + Min(parts->headers[i].value.len, TEXT_HEADER_MAX);
	for (int i = 0; i < parts->nurls; i++)
		n += 16 + Min(parts->urls[i].len, URL_MAX) / 2;
	return n + parts->ngiven;
}

/* Empty the set, of a size that fits the message: small ones are many. */
static void
ClearSet(TextTokens *t, const TextParts *parts)
{
	Size		bound = TokensBound(parts);
	uint32		size = SET_MIN;

	while (size < bound && size < 2 * TEXT_TOKENS_MAX)
		size *= 2;
	memset(t->set, 0, size * sizeof(uint64));
	t->set_mask = size - 1;
	t->max = size / 2;
	t->n = 0;
}

TextTokens *
TextTokensCreate(bool with_source)
{
	TextTokens *t = palloc0(sizeof(TextTokens));

	MakeByteTables();
	t->fingerprint = palloc(TEXT_TOKENS_MAX * sizeof(uint64));
	t->set = palloc(2 * TEXT_TOKENS_MAX * sizeof(uint64));
	if (with_source)
		t->source = palloc(TEXT_TOKENS_MAX * sizeof(TextTokenSource));
	return t;
}

/* The first bytes of a span, not cutting a character */
static TextSpan
Head(TextSpan span, int max)
{
	if (span.len <= max)
		return span;
	while (max > 0 && ((uint8) span.data[max] & 0xC0) == 0x80)
		max--;
	return MakeSpan(span.data, max);
}

/*
 * The distinct tokens of a message; gives their number.
 */
int
TextTokenise(TextTokens *t, const TextParts *parts)
{
	TextSpan	subject = Head(parts->subject, TEXT_SUBJECT_MAX);
	TextSpan	body = Head(parts->body, TEXT_BODY_MAX);

	ClearSet(t, parts);
	/* What is rare comes first, lest a long body leave no room for it. */
	for (int i = 0; i < parts->ngiven; i++)
		Emit(t, HashBytes(HashStart(TEXT_GIVEN), parts->given[i].data, parts->given[i].len), TEXT_GIVEN,
			 parts->given[i], no_span);
	ScanHeaders(t, parts);
	ScanUrls(t, parts);
	if (subject.data != NULL)
	{
		ScanText(t, subject, TEXT_SUBJECT_WORD, TEXT_SUBJECT_PAIR, TEXT_SUBJECT_GRAM);
		ScanShapes(t, subject, TEXT_SUBJECT_SHAPE);
	}
	if (body.data != NULL)
	{
		ScanText(t, body, TEXT_BODY_WORD, TEXT_BODY_PAIR, TEXT_BODY_GRAM);
		ScanShapes(t, body, TEXT_BODY_SHAPE);
	}
	return t->n;
}

/* What a token is, in front of its text, in an explanation */
const char *
TextTokenPrefix(const TextTokenSource *source)
{
	static const char *const prefix[] = {
		[TEXT_SUBJECT_WORD] = "subject: ",[TEXT_BODY_WORD] = "body: ",
		[TEXT_SUBJECT_PAIR] = "subject: ",[TEXT_BODY_PAIR] = "body: ",
		[TEXT_SUBJECT_GRAM] = "subject: ",[TEXT_BODY_GRAM] = "body: ",
		[TEXT_SUBJECT_SHAPE] = "subject shape: ",[TEXT_BODY_SHAPE] = "body shape: ",
		[TEXT_URL_HOST] = "url host: ",[TEXT_URL_DOMAIN] = "url domain: ",
		[TEXT_URL_TLD] = "url tld: ",[TEXT_URL_NUMERIC] = "url host numeric: ",
		[TEXT_URL_PATH] = "url path: ",[TEXT_URL_COUNT] = "urls: ",
		[TEXT_FROM_ADDRESS] = "from: ",[TEXT_FROM_DOMAIN] = "from domain: ",
		[TEXT_FROM_TLD] = "from tld: ",[TEXT_FROM_NAME] = "from name: ",
		[TEXT_REPLY_DOMAIN] = "reply-to domain: ",[TEXT_REPLY_DIFFERS] = "reply-to differs: ",
		[TEXT_ID_SHAPE] = "message-id shape: ",[TEXT_ID_OF_SENDER] = "message-id of sender: ",
		[TEXT_IS_REPLY] = "reply: ",[TEXT_HEADER_NAME] = "header: ",
		[TEXT_HEADER_WORD] = "header ",[TEXT_GIVEN] = "token: "
	};

	Assert(source->kind < lengthof(prefix));
	return prefix[source->kind];
}
