/*
 * normalise.c
 *		A text as literals are looked for in it; see normalise.h.
 */
#include <stdbool.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "charclass.h"
#include "normalise.h"

const unsigned char *
NormaliseStep(const unsigned char *p, const unsigned char *end,
			  unsigned char *out, int *n)
{
	uint32_t	c;
	int			len = Utf8Decode(p, end, &c);
	int			class;

	if (len == 0)
	{
		*out = *p;
		*n = 1;
		return p + 1;
	}
	class = CharClass(c);
	if (class & CHAR_SPACE)
	{
		/* Invisible characters within a run are part of it. */
		const unsigned char *after = p + len;

		while (after < end)
		{
			len = Utf8Decode(after, end, &c);
			if (len == 0 || (CharClass(c) & (CHAR_SPACE | CHAR_IGNORE)) == 0)
				break;
			after += len;
		}
		*out = ' ';
		*n = 1;
		return after;
	}
	if (class & CHAR_IGNORE)
	{
		*n = 0;
		return p + len;
	}
	if (c < 0x80)
	{
		*out = c;
		*n = 1;
	}
	else
		*n = Utf8Encode(CharFold(c), out);
	return p + len;
}

static inline bool
IsAsciiSpace(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * How many bytes at p, of whole words of 8 or 16, are ASCII without a second
 * white space in a row; out gets them, with each white space as a space.
 * *space tells, before and after, whether the last character was one.  out has
 * room for as many bytes as are left, rounded up.
 *
 * A count below the word's size ends the run: what stands there is not plain,
 * and *space is about what stands before it.
 */
static inline size_t
PlainRun(const unsigned char *p, const unsigned char *end, unsigned char *out, bool *space)
{
	const unsigned char *start = p;

#if defined(__SSE2__)
	while (end - p >= 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) p);
		__m128i		from_tab = _mm_sub_epi8(bytes, _mm_set1_epi8('\t'));
		__m128i		blank = _mm_cmpeq_epi8(_mm_min_epu8(from_tab, _mm_set1_epi8('\r' - '\t')), from_tab);
		__m128i		mapped = _mm_or_si128(_mm_andnot_si128(blank, bytes),
										  _mm_and_si128(blank, _mm_set1_epi8(' ')));
		unsigned	spaces = _mm_movemask_epi8(_mm_cmpeq_epi8(mapped, _mm_set1_epi8(' ')));
		unsigned	stops = (unsigned) _mm_movemask_epi8(bytes) |
		(spaces & (spaces << 1 | (*space ? 1 : 0)));
		int			n;

		_mm_storeu_si128((__m128i *) out, mapped);
		if (stops == 0)
		{
			*space = (spaces >> 15 & 1) != 0;
			p += 16;
			out += 16;
			continue;
		}
		n = __builtin_ctz(stops);
		if (n > 0)
			*space = (spaces >> (n - 1) & 1) != 0;
		return p + n - start;
	}
#else
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t high = ones * 0x80;

	while (end - p >= 8)
	{
		uint64_t	word;
		uint64_t	spaces;
		uint64_t	stops;
		int			n;

		memcpy(&word, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		word = __builtin_bswap64(word);
#endif

		/*
		 * Top bit of each space, and of each byte to stop at: white space but
		 * spaces, too.  A carry or borrow spoils only what comes after a
		 * stop.
		 */
		spaces = ~((word ^ ones * ' ') + ones * 0x7F) & high;
		stops = (((word - ones * ' ') | word) & high) | (spaces & (spaces << 8));
		if (*space && *p == ' ')
			stops |= 0x80;
		memcpy(out, p, 8);
		n = stops == 0 ? 8 : __builtin_ctzll(stops) / 8;
		p += n;
		out += n;
		if (n > 0)
			*space = out[-1] == ' ';
		if (n < 8)
			break;
	}
#endif
	return p - start;
}

size_t
NormalisePlain(const unsigned char *p, const unsigned char *end, bool *space)
{
	size_t		n = 0;

	/* Piecewise, into a buffer that nobody reads */
	while (end - p >= 16)
	{
		unsigned char out[256];
		size_t		piece = end - p < 240 ? end - p : 240;
		size_t		run = PlainRun(p, p + piece, out, space);

		n += run;
		p += run;
		if (run < 240)
			break;
	}
	return n;
}

size_t
Normalise(const unsigned char *text, size_t len, unsigned char *out)
{
	const unsigned char *p = text;
	const unsigned char *end = text +len;
	unsigned char *q = out;
	bool		space = false;	/* was the last character written one? */

	while (p < end)
	{
		size_t		run = PlainRun(p, end, q, &space);
		int			n;

		p += run;
		q += run;
		if (p == end)
			break;
		if (IsAsciiSpace(*p))
		{
			if (!space)
				*q++ = ' ';
			space = true;
			do
				p++;
			while (p < end && IsAsciiSpace(*p));
			continue;
		}
		if (*p < 0x80)
		{
			*q++ = *p++;
			space = false;
			continue;
		}
		p = NormaliseStep(p, end, q, &n);
		if (n == 0)
			continue;
		/* A run goes on after an invisible character, too. */
		if (n == 1 && *q == ' ')
		{
			if (space)
				continue;
			space = true;
		}
		else
			space = false;
		q += n;
	}
	return q - out;
}
