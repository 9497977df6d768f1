/*
 * normalise.c
 *		A text as literals are looked for in it; see normalise.h.
 */
#include <stdbool.h>
#include <string.h>

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
 * Goes by eight bytes up to the next that is no printable ASCII, or the second
 * of two spaces.
 */
size_t
Normalise(const unsigned char *text, size_t len, unsigned char *out)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t high = ones * 0x80;
	const unsigned char *p = text;
	const unsigned char *end = text +len;
	unsigned char *q = out;
	bool		space = false;	/* was the last character written one? */

	while (p < end)
	{
		int			n;

		while (end - p >= 8)
		{
			uint64_t	word;
			uint64_t	spaces;
			uint64_t	stops;

			memcpy(&word, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			word = __builtin_bswap64(word);
#endif

			/*
			 * Top bit of each space, and of each byte to stop at. A carry or
			 * borrow spoils only what comes after a stop.
			 */
			spaces = ~((word ^ ones * ' ') + ones * 0x7F) & high;
			stops = (((word - ones * ' ') | word) & high) | (spaces & (spaces << 8));
			if (space && *p == ' ')
				stops |= 0x80;
			memcpy(q, p, 8);
			n = stops == 0 ? 8 : __builtin_ctzll(stops) / 8;
			p += n;
			q += n;
			if (n > 0)
				space = q[-1] == ' ';
			if (n < 8)
				break;
		}
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
