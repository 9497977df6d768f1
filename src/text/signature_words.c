/*
 * signature_words.c
 *		Parts a text into words for a signature; see signature_words.h.
 *
 * Copies of one message differ in what a program fills in.  So these are all
 * the same word:
 *
 *	0		words with a digit, and such as are too long, however many in a row
 *	~		a name: capitalised words after "Dear", "Mr", "Regards" and the like
 *	@		an e-mail address
 *	a.b		a URL: the last two labels of its host, digits as 0
 *
 * Case, white space, punctuation and invisible characters don't count
 * (normalise.h).  In scripts without spaces each character is a word.  Bytes
 * that are not UTF-8 are letters.
 *
 * Each byte is looked at twice: once to find URLs and addresses, which are in
 * chunks of ASCII between spaces and brackets, and once for words.
 */
#include "postgres.h"

#include "normalise.h"
#include "signature_words.h"
#include "text_tokens.h"

#define NAME_WORDS	4			/* at most, of a name */

/* What a byte is in a chunk of ASCII */
#define CHUNK_END		0
#define CHUNK_PLAIN		1
#define CHUNK_SPECIAL	2		/* of a URL or an address, perhaps */

typedef struct NameSign
{
	const char *word;
	bool		comma;			/* may a comma follow? */
} NameSign;

/* What stands before a name, as it is folded */
static const NameSign name_signs[] = {
	{"attn", true}, {"beste", false}, {"bonjour", false}, {"caro", false},
	{"cher", false}, {"cheers", true}, {"ciao", false}, {"dear", false},
	{"dearest", false}, {"dr", false}, {"estimada", false}, {"estimado", false},
	{"frau", false}, {"geachte", false}, {"gentile", false}, {"gr\xc3\xbc\xc3\x9f" "e", true},
	{"gr\xc3\xbc\xc3\x9f" "en", true}, {"hallo", false}, {"hello", false}, {"herr", false},
	{"herrn", false}, {"hey", false}, {"hi", false}, {"hola", false},
	{"liebe", false}, {"lieber", false}, {"madame", false}, {"miss", false},
	{"monsieur", false}, {"mr", false}, {"mrs", false}, {"ms", false},
	{"prof", false}, {"querido", false}, {"regards", true}, {"saludos", true},
	{"se\xc3\xb1or", false}, {"se\xc3\xb1ora", false}, {"sincerely", true}, {"sr", false},
	{"sra", false}, {"yours", true}
};

/* Made at first use */
static uint8 folded[256];		/* letters and digits in lower case, else 0 */
static uint8 chunk_class[256];
static uint32 sign_lengths['z' - 'a' + 1];	/* of name_signs, by first letter */

static void
MakeTables(void)
{
	if (folded['a'] != 0)
		return;
	for (int c = '!'; c < 127; c++)
		chunk_class[c] = c == '@' || c == ':' ? CHUNK_SPECIAL : strchr("\"'<>", c) != NULL ? CHUNK_END : CHUNK_PLAIN;
	for (int i = 0; i < lengthof(name_signs); i++)
		sign_lengths[name_signs[i].word[0] - 'a'] |= 1 << strlen(name_signs[i].word);
	for (int c = '0'; c <= '9'; c++)
		folded[c] = c;
	for (int c = 'a'; c <= 'z'; c++)
		folded[c] = folded[c - 'a' + 'A'] = c;
}

static inline bool
IsDigit(uint8 c)
{
	return c >= '0' && c <= '9';
}

/* ---- URLs and addresses --------------------------------------------------- */

/*
 * The host that begins at p, as far as the chunk goes: its last two labels, in
 * which any run of digits is a 0.  False when there is none.
 */
static bool
ReadHost(SignatureReader *r, const uint8 *p)
{
	const uint8 *end;
	const uint8 *q;
	int			dots = 0;

	for (end = p; end < r->chunk_end && strchr("/?#\\", *end) == NULL; end++)
		if (*end == '@')
			p = end + 1;
	for (q = p; q < end && *q != ':'; q++)
		;
	for (end = q; end > p && folded[end[-1]] == 0; end--)
		;
	for (q = end; q > p && end - q < SIGNATURE_WORD_MAX && (q[-1] != '.' || ++dots < 2); q--)
		;
	r->len = 0;
	for (; q < end; q++)
		if (!IsDigit(*q))
			r->word[r->len++] = folded[*q] != 0 ? folded[*q] : *q;
		else if (r->len == 0 || r->word[r->len - 1] != '0')
			r->word[r->len++] = '0';
	return r->len > 0;
}

/*
 * Look through the chunk at r->p.  A URL or address in it becomes the word
 * that was read, and the chunk is done with; else false.
 */
static bool
ReadChunk(SignatureReader *r)
{
	const uint8 *p = r->p;
	const uint8 *host = NULL;
	bool		address = false;

	for (; p < r->end && chunk_class[*p] != CHUNK_END; p++)
	{
		if (chunk_class[*p] == CHUNK_PLAIN || r->end - p < 4)
			continue;
		if (*p == '@' && folded[p[1]] != 0)
			address = true;
		else if (host == NULL && p[1] == '/' && p[2] == '/')
			host = p + 3;
	}
	r->chunk_end = p;
	if (host == NULL && p - r->p > 4 && pg_strncasecmp((const char *) r->p, "www.", 4) == 0)
		host = r->p + 4;
	if (host == NULL || !ReadHost(r, host))
	{
		if (!address)
			return false;
		r->word[0] = '@';
		r->len = 1;
	}
	r->p = p;
	r->number = r->capital = false;
	return true;
}

/* ---- words ---------------------------------------------------------------- */

/* Append to the word; what is too long for it is a number. */
static inline void
Append(SignatureReader *r, const uint8 *bytes, int n)
{
	if (r->len + n > SIGNATURE_WORD_MAX)
	{
		r->number = true;
		return;
	}
	memcpy(r->word + r->len, bytes, n);
	r->len += n;
}

/*
 * The characters of a word from r->p on that are not ASCII; false where the
 * word ends.
 */
static bool
ReadHigh(SignatureReader *r)
{
	uint8		out[4];
	int			n;
	int			what;
	const uint8 *next = NormaliseStep(r->p, r->end, out, &n);

	if (n == 0)
	{
		r->p = next;
		return true;
	}
	if (n == 1 && *out == ' ')
		return false;
	HighCharacter(r->p, r->end, &what);
	if (what == HIGH_BREAK || (what == HIGH_GRAM && r->len > 0))
		return false;
	if (r->len == 0)
		r->capital = n != next - r->p || memcmp(out, r->p, n) != 0;
	Append(r, out, n);
	r->p = next;
	return what != HIGH_GRAM;
}

/* The word that begins at r->p; r->len is 0 when there is none. */
static void
ReadLetters(SignatureReader *r)
{
	r->len = 0;
	r->number = r->capital = false;
	while (r->p < r->end)
	{
		uint8		c = *r->p;

		if (c >= 128)
		{
			if (!ReadHigh(r))
				return;
			continue;
		}
		if (folded[c] == 0)
			return;
		if (r->len == 0)
			r->capital = c != folded[c];
		if (IsDigit(c))
			r->number = true;
		Append(r, &folded[c], 1);
		r->p++;
	}
}

/* Step over a character that is of no word, and note what it says. */
static void
SkipBreak(SignatureReader *r)
{
	uint8		c = *r->p;
	uint8		out[4];
	int			n;

	if (c < 128)
	{
		r->p++;
		if (c == ',')
			r->comma = true;
		else if (c > ' ' && strchr(".-'_*", c) == NULL)
			r->stop = true;
		return;
	}
	r->p = NormaliseStep(r->p, r->end, out, &n);
	if (n > 1)
		r->stop = true;
}

/* The next word, URL or address, but for what several words are together */
static bool
ReadNext(SignatureReader *r)
{
	r->comma = r->stop = false;
	while (r->p < r->end)
	{
		if (r->p >= r->chunk_end && (folded[*r->p] != 0 || *r->p == '@') && ReadChunk(r))
			return true;
		ReadLetters(r);
		if (r->len > 0)
			return true;
		if (r->p < r->end)
			SkipBreak(r);
	}
	return false;
}

/* ---- names and numbers ----------------------------------------------------- */

/* Does a name follow this word? */
static void
LookForName(SignatureReader *r)
{
	uint8		first = r->word[0];

	r->names = 0;
	r->in_name = false;
	if (first < 'a' || first > 'z' || r->len > 10 || (sign_lengths[first - 'a'] & 1 << r->len) == 0)
		return;
	for (int i = 0; i < lengthof(name_signs); i++)
		if (strlen(name_signs[i].word) == r->len && memcmp(name_signs[i].word, r->word, r->len) == 0)
		{
			r->names = NAME_WORDS;
			r->comma_first = name_signs[i].comma;
		}
}

/* Is the word part of a name? */
static bool
IsName(const SignatureReader *r)
{
	return r->names > 0 && r->capital && !r->number && !r->stop &&
		(!r->comma || (r->comma_first && !r->in_name));
}

static void
BecomeSign(SignatureReader *r, uint8 sign)
{
	r->word[0] = sign;
	r->len = 1;
}

/*
 * Begin to read a text.  Reading is linear in its length.
 */
void
SignatureReadBegin(SignatureReader *r, const char *data, Size len)
{
	MakeTables();
	memset(r, 0, sizeof(*r));
	r->p = r->chunk_end = (const uint8 *) data;
	r->end = r->p + Min(len, SIGNATURE_READ_MAX);
}

/*
 * Read the next word into r->word and r->len; false at the end.
 */
bool
SignatureReadWord(SignatureReader *r)
{
	while (ReadNext(r))
	{
		bool		number = r->number;
		bool		again;

		if (IsName(r))
		{
			again = r->in_name;
			r->names--;
			r->in_name = true;
			r->in_number = false;
			BecomeSign(r, '~');
		}
		else
		{
			again = number && r->in_number;
			r->in_number = number;
			if (number)
				BecomeSign(r, '0');
			LookForName(r);
		}
		if (!again)
			return true;
	}
	return false;
}
