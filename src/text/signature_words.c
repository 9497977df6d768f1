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
 * chunks of ASCII between spaces, quotes and angle brackets, and once for words.
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
static bool stops[128];			/* does it end what a name may be in? */
static uint32 sign_lengths['z' - 'a' + 1];	/* of name_signs, by first letter */

static void
MakeTables(void)
{
	if (folded['a'] != 0)
		return;
	for (int c = '!'; c < 127; c++)
	{
		stops[c] = strchr(".,-'_*", c) == NULL;
		chunk_class[c] = c == '@' || c == ':' ? CHUNK_SPECIAL : strchr("\"'<>", c) != NULL ? CHUNK_END : CHUNK_PLAIN;
	}
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
 * The host that begins at p, in a chunk that ends at chunk_end: its last two
 * labels, in which any run of digits is a 0.  False, and nothing read, when there
 * is none.
 */
static bool
ReadHost(SignatureReader *r, const uint8 *p, const uint8 *chunk_end)
{
	const uint8 *end;
	const uint8 *q;
	int			dots = 0;

	for (end = p; end < chunk_end && strchr("/?#\\", *end) == NULL; end++)
		if (*end == '@')
			p = end + 1;
	for (q = p; q < end && *q != ':'; q++)
		;
	for (end = q; end > p && folded[end[-1]] == 0; end--)
		;
	for (q = end; q > p && end - q < SIGNATURE_WORD_MAX && (q[-1] != '.' || ++dots < 2); q--)
		;
	if (q == end)
		return false;
	r->len = 0;
	for (; q < end; q++)
		if (!IsDigit(*q))
			r->word[r->len++] = folded[*q] != 0 ? folded[*q] : *q;
		else if (r->len == 0 || r->word[r->len - 1] != '0')
			r->word[r->len++] = '0';
	return true;
}

/*
 * Is the byte at p, which is a CHUNK_SPECIAL, within an address or before a
 * host?
 */
static bool
IsSpecial(const uint8 *p, const uint8 *end)
{
	if (*p == '@')
		return end - p > 1 && folded[p[1]] != 0;
	return end - p > 3 && p[1] == '/' && p[2] == '/';
}

/* Find the next chunk from p on with an address or URL in it. */
static void
FindChunk(SignatureReader *r, const uint8 *p)
{
	const uint8 *q = p;

	while (q < r->end && (chunk_class[*q] != CHUNK_SPECIAL || !IsSpecial(q, r->end)))
		q++;
	r->chunk = r->chunk_end = q;
	while (r->chunk > p && chunk_class[r->chunk[-1]] != CHUNK_END)
		r->chunk--;
	while (r->chunk_end < r->end && chunk_class[*r->chunk_end] != CHUNK_END)
		r->chunk_end++;
}

/*
 * The rest of the chunk that was found, from r->p on, becomes the word that
 * was read.  False when there is no host after all, nor an address.
 */
static bool
ReadChunk(SignatureReader *r)
{
	const uint8 *end = r->chunk_end;
	bool		address = false;
	bool		found = false;

	for (const uint8 *p = r->p; p < end && !found; p++)
		if (chunk_class[*p] == CHUNK_SPECIAL && IsSpecial(p, end))
		{
			address |= *p == '@';
			found = *p == ':' && ReadHost(r, p + 3, end);
		}
	if (!found && address)
	{
		r->word[0] = '@';
		r->len = 1;
		found = true;
	}
	if (found)
		r->p = end;
	r->number = r->capital = false;
	FindChunk(r, end);
	return found;
}

/* A host after "www", and the rest of its chunk, read once even without one */
static void
ReadWww(SignatureReader *r)
{
	const uint8 *p = r->p;

	while (p < r->end && chunk_class[*p] != CHUNK_END)
		p++;
	ReadHost(r, r->p + 1, p);
	r->p = p;
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
	const uint8 *p = r->p;

	r->len = 0;
	r->number = false;
	r->capital = *p >= 'A' && *p <= 'Z';
	for (;;)
	{
		int			len = r->len;
		bool		number = false;

		for (; p < r->end && folded[*p] != 0 && len < SIGNATURE_WORD_MAX; p++)
		{
			number |= IsDigit(*p);
			r->word[len++] = folded[*p];
		}
		r->number |= number;
		r->len = len;
		r->p = p;
		if (p == r->end || (*p < 128 && folded[*p] == 0))
			return;
		if (*p < 128)
		{
			/* It is too long. */
			r->number = true;
			r->p++;
		}
		else if (!ReadHigh(r))
			return;
		p = r->p;
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
		else if (stops[c])
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
		if (r->p >= r->chunk && ReadChunk(r))
			return true;
		ReadLetters(r);
		if (r->len == 3 && memcmp(r->word, "www", 3) == 0 && r->p < r->end && *r->p == '.')
			ReadWww(r);
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
	{
		const NameSign *sign = &name_signs[i];

		if (sign->word[0] == first && strncmp(sign->word, (char *) r->word, r->len) == 0 && sign->word[r->len] == '\0')
		{
			r->names = NAME_WORDS;
			r->comma_first = sign->comma;
		}
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
	r->p = (const uint8 *) data;
	r->end = r->p + Min(len, SIGNATURE_READ_MAX);
	FindChunk(r, r->p);
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
