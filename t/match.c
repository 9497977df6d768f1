/*
 * match.c
 *		Checks src/text/match.c against a slow, obvious matcher.
 *
 * Random texts and patterns over a small alphabet that has all kinds of
 * characters: with case, without, invisible, white space, marks, scripts that
 * run on, and bytes that are no UTF-8. Then saved databases with flipped bits,
 * which must be refused or work, never crash. Prints what differs and exits
 * with 1. Run by match.pl, under sanitizers where there are some.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charclass.h"
#include "match.h"

#define MAX_CHARS	400
#define PATTERNS	48
#define FILLERS		500			/* literals that no text has */

static uint64_t state = 88172645463325252;
static int	failures = 0;

static unsigned
Random(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

static const uint32_t alphabet[] = {
	'a', 'A', 'b', 'B', 'k', 'S', '1', '_', '-', '%', '.', ' ', ' ', ' ', '\t', '\n', '\r', 0x7F, 0x01,
	0xA0, 0x85, 0xAD, 0xC9, 0xE9, 0x17F, 0x212A, 0x130, 0x131, 0x23A, 0x2C65, 0x301, 0x3C3, 0x3C2, 0x3A3,
	0x200B, 0x200D, 0x2003, 0x2028, 0x3000, 0xFEFF, 0x632F, 0x8FBC, 0x30AB, 0xD55C, 0xE01, 0x10400, 0x10428, 0x1F600, 0xE0001
};

/* Random text: few or many kinds of characters; returns its length */
static size_t
RandomText(unsigned char *out, int chars, int invalid)
{
	size_t		len = 0;
	unsigned	kinds = Random(3) == 0 ? 12 : sizeof(alphabet) / sizeof(alphabet[0]);
	unsigned	repeat = 1 + Random(4);

	for (int i = 0; i < chars; i++)
	{
		uint32_t	c = alphabet[Random(kinds)];

		if (invalid && Random(8) == 0)
			out[len++] = 0x80 + Random(128);
		else
			for (unsigned r = Random(repeat) == 0 ? 1 + Random(12) : 1; r > 0; r--)
				len += Utf8Encode(c, out + len);
	}
	return len;
}

/* The characters of a normalised text, the obvious way */
static int
Reduce(const unsigned char *p, size_t len, uint32_t *chars)
{
	const unsigned char *end = p + len;
	int			n = 0;

	while (p < end)
	{
		uint32_t	c;
		int			bytes = Utf8Decode(p, end, &c);

		if (bytes == 0)
		{
			chars[n++] = 0x110000 + *p++;
			continue;
		}
		p += bytes;
		if (CharClass(c) & CHAR_IGNORE)
			continue;
		if (CharClass(c) & CHAR_SPACE)
		{
			if (n == 0 || chars[n - 1] != ' ')
				chars[n++] = ' ';
		}
		else
			chars[n++] = CharFold(c);
	}
	return n;
}

static int
Class(uint32_t c)
{
	return c < 0x110000 ? CharClass(c) : 0;
}

/* How many places, leftmost first and without overlaps, a literal has */
static int
CountPlaces(const uint32_t *text, int n, const uint32_t *pattern, int m, int words)
{
	int			count = 0;

	for (int i = 0; i + m <= n; i++)
	{
		if (memcmp(text + i, pattern, m * sizeof(uint32_t)) != 0)
			continue;
		if (words && (Class(pattern[0]) & CHAR_ALNUM) && i > 0 && (Class(text[i - 1]) & CHAR_WORD))
			continue;
		if (words && (Class(pattern[m - 1]) & CHAR_ALNUM) && i + m < n && (Class(text[i + m]) & CHAR_WORD))
			continue;
		count++;
		i += m - 1;
	}
	return count;
}

static void
Fail(const char *what, int round)
{
	fprintf(stderr, "round %d: %s\n", round, what);
	failures++;
}

/* May a literal be found by the words of a text (match_words.c)? */
static int
BeginsWithWord(const uint32_t *pattern, int n)
{
	int			i = 0;

	if (n == 0 || !(Class(pattern[0]) & CHAR_ALNUM))
		return 0;
	while (i < n && (Class(pattern[i]) & CHAR_WORD))
		i++;
	return i < n || (Class(pattern[n - 1]) & CHAR_ALNUM);
}

/*
 * Every other round of literals that each begin with a word, and so many that
 * they are found by these; now and then one is of another kind.
 */
static void
TryLiterals(int round)
{
	static unsigned char text[MAX_CHARS * 64];
	static uint32_t reduced[MAX_CHARS * 64];
	static uint32_t slice[MAX_CHARS * 64];
	static unsigned char raw[PATTERNS][4096];
	static uint32_t patterns[PATTERNS][4096];
	size_t		sizes[PATTERNS];
	int			lengths[PATTERNS];
	int			words[PATTERNS];
	int			invalid = round % 3 == 0;
	int			by_words = round % 2;
	MatchSet   *set = MatchCreate(0);
	MatchError	error;
	size_t		len;
	int			n;

	for (int i = 0; i < PATTERNS;)
	{
		unsigned char *bytes = raw[i];
		size_t		size = sizes[i] = RandomText(bytes, 1 + Random(Random(4) == 0 ? 60 : 4), 0);
		MatchStatus status;

		words[i] = by_words || Random(4) != 0;
		lengths[i] = Reduce(bytes, size, patterns[i]);
		if (by_words && Random(100) != 0 && !BeginsWithWord(patterns[i], lengths[i]))
			continue;
		status = MatchAdd(set, (char *) bytes, size, words[i] ? MATCH_WORDS : 0, &error);
		if (status == MATCH_OK)
			i++;
		else if (status != MATCH_BAD_PATTERN && status != MATCH_TOO_BIG)
			Fail(error.message, round);
	}
	for (int i = 0; by_words && i < FILLERS; i++)
	{
		char		filler[16];

		snprintf(filler, sizeof(filler), "zz%d", i);
		if (MatchAdd(set, filler, strlen(filler), MATCH_WORDS, &error) != MATCH_OK)
			Fail(error.message, round);
	}
	if (MatchCompile(set, &error) != MATCH_OK)
		Fail(error.message, round);

	for (int t = 0; t < 20; t++)
	{
		uint64_t	bits[(PATTERNS + FILLERS) / 64 + 1] = {0};
		MatchSpan  *spans;
		char	   *exact;
		int			count;
		int			places[PATTERNS] = {0};

		/* Random text, and now and then a pattern in the midst of it */
		len = RandomText(text, Random(MAX_CHARS / 2), invalid);
		while (Random(3) != 0 && len < MAX_CHARS * 16)
		{
			int			p = Random(PATTERNS);

			memcpy(text + len, raw[p], sizes[p]);
			len += sizes[p];
			len += RandomText(text + len, Random(20), invalid);
		}
		n = Reduce(text, len, reduced);
		/* A copy without slack, so that reading beyond it is noticed */
		exact = malloc(len > 0 ? len : 1);
		memcpy(exact, text, len);
		if (MatchScanBits(set, exact, len, bits) != MATCH_OK ||
			MatchFind(set, exact, len, 1000000, &spans, &count) != MATCH_OK)
			Fail("scan failed", round);
		for (int s = 0; s < count; s++)
		{
			int			p = spans[s].pattern;
			int			m;

			if (p >= PATTERNS)
			{
				Fail("what no text has was found", round);
				continue;
			}
			places[p]++;
			if (spans[s].start >= spans[s].end || spans[s].end > len)
				Fail("place out of range", round);
			else if (s > 0 && spans[s].start < spans[s - 1].start)
				Fail("places out of order", round);
			else if (!invalid)
			{
				m = Reduce(text + spans[s].start, spans[s].end - spans[s].start, slice);
				if (m != lengths[p] || memcmp(slice, patterns[p], m * sizeof(uint32_t)) != 0)
					Fail("what is there is not the pattern", round);
			}
		}
		for (int p = 0; p < PATTERNS; p++)
		{
			int			right = CountPlaces(reduced, n, patterns[p], lengths[p], words[p]);

			if ((places[p] > 0) != ((bits[0] >> p & 1) != 0))
				Fail("MatchFind and MatchScanBits differ", round);
			/* Stray bytes may come together once what parted them is dropped. */
			if (invalid ? places[p] < right && right == 1 && places[p] == 0 : places[p] != right)
				Fail("another number of places", round);
		}
		free(spans);
		free(exact);
	}
	MatchDestroy(set);
}

/* Any bytes at all, as text of regular expressions whose caller vouches not */
static void
TryRegexes(int round)
{
	static const char *const patterns[] = {"a+b", "\\bk\\S*", "[^a]é", "(a|b)\\s+[[:alpha:]]", "\\pL{2,5}1"};
	MatchSet   *set = MatchCreate(MATCH_REGEX);
	MatchError	error;
	unsigned char text[MAX_CHARS * 64];

	for (int i = 0; i < 5; i++)
	{
		if (MatchAdd(set, patterns[i], strlen(patterns[i]), 0, &error) != MATCH_OK)
			Fail(error.message, round);
	}
	if (MatchCompile(set, &error) != MATCH_OK)
		Fail(error.message, round);
	for (int t = 0; t < 20; t++)
	{
		uint64_t	bits = 0;
		MatchSpan  *spans;
		int			count;
		uint64_t	seen = 0;
		size_t		len = RandomText(text, Random(MAX_CHARS), 1);
		char	   *exact = malloc(len > 0 ? len : 1);

		memcpy(exact, text, len);
		if (MatchScanBits(set, exact, len, &bits) != MATCH_OK ||
			MatchFind(set, exact, len, 1000000, &spans, &count) != MATCH_OK)
			Fail("scan failed", round);
		for (int s = 0; s < count; s++)
		{
			seen |= UINT64_C(1) << spans[s].pattern;
			if (spans[s].end > len || (spans[s].start != MATCH_UNKNOWN && spans[s].start >= spans[s].end))
				Fail("place out of range", round);
			for (int o = 0; o < s; o++)
			{
				if (spans[o].pattern == spans[s].pattern && spans[o].end > spans[s].start)
					Fail("places overlap", round);
			}
		}
		if (seen != bits)
			Fail("MatchFind and MatchScanBits differ", round);
		free(spans);
		free(exact);
	}
	MatchDestroy(set);
}

static MatchSet *
FewPatterns(void)
{
	static const char *const patterns[] = {"wire transfer", "gift card", "a", "kilo", "überweisung"};
	MatchSet   *set = MatchCreate(0);
	MatchError	error;

	for (int i = 0; i < 5; i++)
	{
		if (MatchAdd(set, patterns[i], strlen(patterns[i]), MATCH_WORDS, &error) != MATCH_OK)
			Fail(error.message, i);
	}
	return set;
}

static void
TryDamage(void)
{
	static const char text[] = "a WIRE  transfer of a kilo, Gift card ÜBERWEISUNG";
	MatchSet   *set = FewPatterns();
	MatchError	error;
	char	   *bytes;
	size_t		len;
	int			refused = 0;
	int			worked = 0;

	if (MatchCompile(set, &error) != MATCH_OK || MatchSave(set, &bytes, &len) != MATCH_OK)
		Fail("could not save", 0);
	MatchDestroy(set);
	/* Each of the head, a sample of the rest */
	for (size_t bit = 0; bit < len * 8 + 64; bit += bit < 128 * 8 || bit >= len * 8 ? 1 : 211)
	{
		char	   *copy = malloc(len);
		/* The last ones are cut short instead. */
		size_t		size = bit < len * 8 ? len : (bit - len * 8) * len / 64;
		uint64_t	bits = 0;

		memcpy(copy, bytes, len);
		if (bit < len * 8)
			copy[bit / 8] ^= 1 << bit % 8;
		set = FewPatterns();
		switch (MatchLoad(set, copy, size))
		{
			case MATCH_OK:
				worked++;
				if (MatchScanBits(set, text, strlen(text), &bits) != MATCH_OK)
					Fail("scan failed", bit);
				break;
			case MATCH_UNUSABLE:
				refused++;
				break;
			default:
				Fail("neither loaded nor refused", bit);
		}
		MatchDestroy(set);
		free(copy);
	}
	printf("damaged databases: %d refused, %d worked\n", refused, worked);
	if (refused < worked)
		Fail("too few damaged databases were refused", 0);
	free(bytes);
}

int
main(int argc, char **argv)
{
	int			rounds = argc > 1 ? atoi(argv[1]) : 20;

	for (int round = 0; round < rounds && failures < 20; round++)
	{
		TryLiterals(round);
		if (round % 10 == 0)
			TryRegexes(round);
	}
	TryDamage();
	printf("%d rounds, %d failures\n", rounds, failures);
	return failures > 0;
}
