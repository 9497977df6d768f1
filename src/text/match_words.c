/*
 * match_words.c
 *		Many literals that begin with a word, found by the words of a text.
 *
 * A literal that needs a word boundary before it can only stand where a word
 * of the text begins, and its first word is that one, to its end.  So each word
 * of the text, whole, is looked for in a hash table of first words, and what a
 * literal has behind it is compared there.  That takes a fraction of the time
 * that the library takes for hundreds of literals, and finds the same.
 *
 * It serves a set of which each literal is of that kind, and no word begins too
 * many of them; the library serves the others, and a set so small that it has
 * faster ways for it.
 */
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "charclass.h"
#include "match.h"
#include "match_set.h"

/* The library is faster for fewer literals: for 2,000 it takes twice as long. */
#define WORDS_PATTERNS_MIN	500

/* Literals that a word may begin, and places where one may be looked for */
#define WORDS_SAME_MAX		32
#define WORDS_PROBES_MAX	32

/* Bytes of a text whose words are found at once: bits of a mask */
#define BLOCK	64

/* Bytes that are compared at once: so many behind a text can be read */
#define COMPARED	16

/* Bits of the filter for each literal, at least */
#define FILTER_BITS	16

/* A literal, in lower case where it is ASCII */
typedef struct WordPattern
{
	const unsigned char *bytes;
	size_t		len;
	size_t		word;			/* bytes of its first word */
	uint32_t	hash;			/* of that */
	int			number;
} WordPattern;

/* Literals by first word: those of a slot stand one after the other. */
typedef struct WordSlot
{
	uint32_t	hash;
	uint32_t	first;
	uint32_t	count;			/* 0: the slot is free */
} WordSlot;

/*
 * Most words of a text begin no literal.  One bit of the filter, by the upper
 * bits of a hash, tells that of nearly all of these.
 */
struct MatchWords
{
	uint32_t	mask;
	int			filter_shift;
	uint64_t   *filter;
	WordSlot   *slots;
	WordPattern *patterns;
	unsigned char *bytes;
	size_t		memory;
};

static inline unsigned char
Lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Eight bytes, of which letters are the same in either case */
static inline uint64_t
Caseless8(const unsigned char *p)
{
	uint64_t	bytes;

	memcpy(&bytes, p, sizeof(bytes));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bytes = __builtin_bswap64(bytes);
#endif
	return bytes | UINT64_C(0x2020202020202020);
}

/* Of its first and last bytes; eight from its start on can be read. */
static inline uint32_t
WordHash(const unsigned char *word, size_t len)
{
	uint64_t	first = Caseless8(word);
	uint64_t	last = len;
	uint64_t	h;

	if (len < 8)
		first &= (UINT64_C(1) << (8 * len)) - 1;
	else
		last ^= Caseless8(word + len - 8);
	h = first * UINT64_C(0x9E3779B97F4A7C15) + last * UINT64_C(0xC2B2AE3D27D4EB4F);
	h ^= h >> 29;
	h *= UINT64_C(0xBF58476D1CE4E5B9);
	return h >> 32;
}

/* ---- making one ------------------------------------------------------------ */

/*
 * Bytes of a literal's first word; 0 where that may not end where the text's
 * word does.
 */
static size_t
FirstWord(const MatchPattern *pattern)
{
	const unsigned char *start = (const unsigned char *) pattern->bytes;
	const unsigned char *end = start + pattern->len;
	const unsigned char *p = start;

	if (!pattern->front)
		return 0;
	while (p < end)
	{
		uint32_t	c;
		int			n = Utf8Decode(p, end, &c);

		/* In the text more bytes may make a letter of it. */
		if (n == 0)
			return 0;
		if ((CharClass(c) & CHAR_WORD) == 0)
			return p - start;
		p += n;
	}
	return pattern->back ? pattern->len : 0;
}

static int
CompareHashes(const void *a, const void *b)
{
	const WordPattern *x = a;
	const WordPattern *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->number - y->number;
}

/* The patterns with what is looked for; false: some are of another kind */
static bool
TakePatterns(MatchWords *w, const MatchSet *set)
{
	unsigned char *at = w->bytes;

	for (int i = 0; i < set->count; i++)
	{
		const MatchPattern *from = &set->patterns[i];
		WordPattern *p = &w->patterns[i];

		p->number = i;
		p->len = from->len;
		p->word = FirstWord(from);
		if (p->word == 0)
			return false;
		for (size_t k = 0; k < p->len; k++)
			at[k] = Lower(from->bytes[k]);
		p->bytes = at;
		p->hash = WordHash(at, p->word);
		at += p->len;
	}
	qsort(w->patterns, set->count, sizeof(WordPattern), CompareHashes);
	return true;
}

/* Those of each hash into a slot; false: a word would be looked for in too many places */
static bool
FillSlots(MatchWords *w, int count)
{
	for (int i = 0; i < count;)
	{
		uint32_t	hash = w->patterns[i].hash;
		uint32_t	at = hash & w->mask;
		int			n = 1;

		while (i + n < count && w->patterns[i + n].hash == hash)
			n++;
		for (int probes = 1; w->slots[at].count != 0; probes++)
		{
			if (probes == WORDS_PROBES_MAX)
				return false;
			at = (at + 1) & w->mask;
		}
		if (n > WORDS_SAME_MAX)
			return false;
		w->slots[at].hash = hash;
		w->slots[at].first = i;
		w->slots[at].count = n;
		w->filter[hash >> w->filter_shift >> 6] |= UINT64_C(1) << (hash >> w->filter_shift & 63);
		i += n;
	}
	return true;
}

/* An index of a set's literals, or NULL: the library is to look for them */
MatchWords *
MatchWordsCreate(const MatchSet *set)
{
	MatchWords *w;
	size_t		bytes = COMPARED;	/* that can be read behind the last */
	uint32_t	slots = 16;
	int			bits = 6;		/* the filter has as many in a power of two */

	if (set->count < WORDS_PATTERNS_MIN || (set->flags & MATCH_REGEX) != 0)
		return NULL;
	for (int i = 0; i < set->count; i++)
		bytes += set->patterns[i].len;
	while (slots < 2 * (uint32_t) set->count)
		slots *= 2;
	while ((1 << bits) < FILTER_BITS * set->count)
		bits++;
	w = calloc(1, sizeof(MatchWords));
	if (w == NULL)
		return NULL;
	w->mask = slots - 1;
	w->filter_shift = 32 - bits;
	w->filter = calloc(1, ((size_t) 1 << bits) / 8);
	w->slots = calloc(slots, sizeof(WordSlot));
	w->patterns = calloc(set->count, sizeof(WordPattern));
	w->bytes = calloc(1, bytes);
	w->memory = sizeof(MatchWords) + ((size_t) 1 << bits) / 8 + slots * sizeof(WordSlot) + set->count * sizeof(WordPattern) + bytes;
	if (w->filter == NULL || w->slots == NULL || w->patterns == NULL || w->bytes == NULL ||
		!TakePatterns(w, set) || !FillSlots(w, set->count))
	{
		MatchWordsDestroy(w);
		return NULL;
	}
	return w;
}

size_t
MatchWordsMemory(const MatchWords *w)
{
	return w == NULL ? 0 : w->memory;
}

void
MatchWordsDestroy(MatchWords *w)
{
	if (w == NULL)
		return;
	free(w->filter);
	free(w->slots);
	free(w->patterns);
	free(w->bytes);
	free(w);
}

/* ---- looking for them ------------------------------------------------------ */

/* Which of a block's bytes are of words, and which are not ASCII */
static inline uint64_t
AsciiWords(const unsigned char *p, uint64_t *high)
{
	uint64_t	words = 0;

	*high = 0;
#if defined(__SSE2__)
	for (int i = 0; i < BLOCK; i += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) (p + i));
		__m128i		letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
		__m128i		digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
		__m128i		word = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter),
													 _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit)),
										_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));

		words |= (uint64_t) (unsigned) _mm_movemask_epi8(word) << i;
		*high |= (uint64_t) (unsigned) _mm_movemask_epi8(bytes) << i;
	}
#else
	for (int i = 0; i < BLOCK; i++)
	{
		unsigned char c = p[i];
		uint64_t	word = (c | 0x20) - 'a' < 26u || c - '0' < 10u || c == '_';

		words |= word << i;
		*high |= (uint64_t) (c >> 7) << i;
	}
#endif
	return words;
}

/* Bits from one on, up to another */
static inline uint64_t
BitsBetween(size_t from, size_t to)
{
	return (to >= BLOCK ? ~UINT64_C(0) : (UINT64_C(1) << to) - 1) & ~((UINT64_C(1) << from) - 1);
}

/*
 * The same for characters beyond ASCII.  *read is how many bytes of the block a
 * character of the one before takes, and whether it is of a word; then the same
 * for the next one.
 */
static uint64_t
HighWords(const unsigned char *p, const unsigned char *end, uint64_t high, size_t *read, bool *is_word)
{
	uint64_t	words = *is_word ? BitsBetween(0, *read) : 0;
	size_t		at = *read;

	*is_word = false;
	for (high &= ~BitsBetween(0, at); high != 0; high = at < BLOCK ? high & ~BitsBetween(0, at) : 0)
	{
		size_t		i = __builtin_ctzll(high);
		uint32_t	c;
		int			n = Utf8Decode(p + i, end, &c);

		*is_word = n > 0 && (CharClass(c) & CHAR_WORD) != 0;
		at = i + (n > 0 ? n : 1);
		if (*is_word)
			words |= BitsBetween(i, at);
	}
	*read = at > BLOCK ? at - BLOCK : 0;
	return words;
}

/* Are these bytes of a text, in lower case, those of a literal? */
static inline bool
SameBytes(const unsigned char *text, const unsigned char *bytes, size_t len)
{
#if defined(__SSE2__)
	for (size_t i = 0; i < len; i += COMPARED)
	{
		__m128i		there = _mm_loadu_si128((const __m128i *) (text +i));
		__m128i		wanted = _mm_loadu_si128((const __m128i *) (bytes + i));
		__m128i		upper = _mm_sub_epi8(there, _mm_set1_epi8('A'));
		__m128i		is_upper = _mm_cmpeq_epi8(_mm_min_epu8(upper, _mm_set1_epi8(25)), upper);
		__m128i		lower = _mm_or_si128(there, _mm_and_si128(is_upper, _mm_set1_epi8(0x20)));
		unsigned	differ = ~(unsigned) _mm_movemask_epi8(_mm_cmpeq_epi8(lower, wanted)) & 0xFFFF;

		if (len - i < COMPARED)
			differ &= (1u << (len - i)) - 1;
		if (differ != 0)
			return false;
	}
#else
	for (size_t i = 0; i < len; i++)
		if (Lower(text[i]) != bytes[i])
			return false;
#endif
	return true;
}

/* A word of the text */
typedef struct TextWord
{
	size_t		start;
	size_t		len;
	uint32_t	hash;
} TextWord;

/* Tell of all literals that begin with a word; false: enough */
static bool
ProbeWord(const MatchWords *w, const unsigned char *text, size_t len, const TextWord *word,
		  MatchWordsHit hit, void *arg)
{
	for (uint32_t at = word->hash & w->mask; w->slots[at].count != 0; at = (at + 1) & w->mask)
	{
		const WordSlot *slot = &w->slots[at];

		if (slot->hash != word->hash)
			continue;
		for (uint32_t i = slot->first; i < slot->first + slot->count; i++)
		{
			const WordPattern *p = &w->patterns[i];

			if (p->word == word->len && p->len <= len - word->start &&
				SameBytes(text +word->start, p->bytes, p->len) &&
				!hit(p->number, word->start + p->len, p->len == p->word, arg))
				return false;
		}
		break;
	}
	return true;
}

/* The words that "hash" may be of a literal's: how many */
static inline int
AddWord(const MatchWords *w, const unsigned char *text, size_t start, size_t end, TextWord *words, int n)
{
	uint32_t	hash = WordHash(text +start, end - start);

	/* No branch: it would be guessed wrong at every other word. */
	words[n].start = start;
	words[n].len = end - start;
	words[n].hash = hash;
	return n + (w->filter[hash >> w->filter_shift >> 6] >> (hash >> w->filter_shift & 63) & 1);
}

/*
 * Tell of each literal of which the first word stands in a normalised text, and
 * the rest behind it.  The text has room for a block behind it.  False: "hit"
 * said enough.
 */
bool
MatchWordsScan(const MatchWords *w, const unsigned char *text, size_t len, MatchWordsHit hit, void *arg)
{
	size_t		start = 0;		/* of a word that the block before left open */
	uint64_t	open = 0;		/* 1: there is one */
	size_t		read = 0;
	bool		is_word = false;
	TextWord	found[BLOCK / 2 + 2];

	for (size_t base = 0; base < len; base += BLOCK)
	{
		uint64_t	high;
		uint64_t	words = AsciiWords(text +base, &high);
		uint64_t	starts;
		uint64_t	ends;
		int			n = 0;

		if (len - base < BLOCK)
		{
			words &= BitsBetween(0, len - base);
			high &= BitsBetween(0, len - base);
		}
		if (high != 0 || read > 0)
			words |= HighWords(text +base, text +len, high, &read, &is_word);
		starts = words & ~(words << 1 | open);
		ends = ~words & (words << 1 | open);
		if (open && ends != 0)
		{
			n = AddWord(w, text, start, base + __builtin_ctzll(ends), found, n);
			ends &= ends - 1;
			open = 0;
		}
		for (; ends != 0; ends &= ends - 1, starts &= starts - 1)
			n = AddWord(w, text, base + __builtin_ctzll(starts), base + __builtin_ctzll(ends), found, n);
		if (starts != 0)
		{
			start = base + __builtin_ctzll(starts);
			open = 1;
		}
		if (open && len - base <= BLOCK)
			n = AddWord(w, text, start, len, found, n);
		for (int i = 0; i < n; i++)
			if (!ProbeWord(w, text, len, &found[i], hit, arg))
				return false;
	}
	return true;
}
