/*
 * charclass.h
 *		What matching has to know of a character, and decoding UTF-8.
 *
 * Plain C: usable outside of the server.
 */
#ifndef ASSAY_CHARCLASS_H
#define ASSAY_CHARCLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAR_SPACE	1			/* white space, as Unicode defines it */
#define CHAR_IGNORE	2			/* invisible: soft hyphen, zero width space
								 * ... */
#define CHAR_WORD	4			/* letter, mark, digit or connector */
#define CHAR_ALNUM	8			/* letter or digit that needs a word boundary */

/*
 * What facts about a text need of a character: its script in the low byte, and
 * a bit for each of these.
 */
#define FACT_SCRIPT(f)		((f) & 0xFF)
#define FACT_LETTER			0x00000100
#define FACT_UPPER			0x00000200
#define FACT_LOWER			0x00000400
#define FACT_DIGIT			0x00000800
#define FACT_SPACE			0x00001000
#define FACT_PUNCTUATION	0x00002000	/* symbols too */
#define FACT_MARK			0x00004000
#define FACT_WORD			0x00008000	/* letter, mark, number, connector */
#define FACT_INVISIBLE		0x00010000
#define FACT_BIDI			0x00020000	/* directs the order of others */
#define FACT_OVERRIDE		0x00040000	/* turns it round */
#define FACT_TAG			0x00080000	/* invisible ASCII of plane 14 */
#define FACT_CONTROL		0x00100000
#define FACT_PRIVATE		0x00200000
#define FACT_MATH			0x00400000	/* a letter or digit in a mathematical
										 * font */
#define FACT_ENCLOSED		0x00800000	/* a letter in a circle, square ... */
#define FACT_FULLWIDTH		0x01000000	/* an ASCII letter or digit, wide */
#define FACT_PICTOGRAPH		0x02000000	/* emoji where a selector follows */
#define FACT_EMOJI			0x04000000	/* emoji by itself */
#define FACT_MODIFIER		0x08000000	/* a tone of skin */
#define FACT_REGIONAL		0x10000000	/* half a flag */
#define FACT_CURRENCY		0x20000000
#define FACT_JOINS			0x40000000	/* joiners beside it are spelling */
#define FACT_SELECTOR		0x80000000	/* chooses among forms of what stands
										 * before */

/* How a script may stand beside others in a word (UTS #39) */
typedef enum ScriptKind
{
	SCRIPT_NONE,				/* common to all of them */
	SCRIPT_LATIN,
	SCRIPT_CYRILLIC,
	SCRIPT_GREEK,
	SCRIPT_EAST_ASIAN,			/* Han, kana, Bopomofo, Hangul */
	SCRIPT_OTHER,
	SCRIPT_LIMITED				/* no living language's everyday script */
} ScriptKind;

#define SCRIPTS_MAX	256

/* Longest host name, RFC 1035 without the trailing dot */
#define HOST_MAX_BYTES	253
#define HOST_MAX_LABEL	63

/* Room for a label in UTF-8 */
#define LABEL_ROOM		256

extern int	CharClass(uint32_t c);
extern uint32_t CharFold(uint32_t c);
extern uint32_t CharFacts(uint32_t c);
extern bool IsRightToLeft(uint32_t c);
extern ScriptKind ScriptKindOf(int script);
extern const char *ScriptName(int script);
extern const char *CharVersion(void);
extern int	HostToAscii(const char *host, size_t len, char *ascii);
extern int	LabelToUnicode(const char *ascii, size_t len, char *utf8);

/*
 * Decode the character at p. Returns its length in bytes, 0 when the bytes
 * there are not well-formed UTF-8 (overlong, surrogate, truncated ...).
 */
static inline int
Utf8Decode(const unsigned char *p, const unsigned char *end, uint32_t *c)
{
	size_t		left = end - p;

	if (left == 0)
		return 0;
	if (p[0] < 0x80)
	{
		*c = p[0];
		return 1;
	}
	if (p[0] < 0xC2 || left < 2 || (p[1] & 0xC0) != 0x80)
		return 0;
	if (p[0] < 0xE0)
	{
		*c = (p[0] & 0x1F) << 6 | (p[1] & 0x3F);
		return 2;
	}
	if (left < 3 || (p[2] & 0xC0) != 0x80)
		return 0;
	if (p[0] < 0xF0)
	{
		*c = (p[0] & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F);
		return *c < 0x800 || (*c >= 0xD800 && *c < 0xE000) ? 0 : 3;
	}
	if (p[0] > 0xF4 || left < 4 || (p[3] & 0xC0) != 0x80)
		return 0;
	*c = (uint32_t) (p[0] & 0x07) << 18 | (p[1] & 0x3F) << 12 |
		(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
	return *c < 0x10000 || *c > 0x10FFFF ? 0 : 4;
}

/* Write c at p, which has room for four bytes; returns the length. */
static inline int
Utf8Encode(uint32_t c, unsigned char *p)
{
	if (c < 0x80)
	{
		p[0] = c;
		return 1;
	}
	if (c < 0x800)
	{
		p[0] = 0xC0 | c >> 6;
		p[1] = 0x80 | (c & 0x3F);
		return 2;
	}
	if (c < 0x10000)
	{
		p[0] = 0xE0 | c >> 12;
		p[1] = 0x80 | (c >> 6 & 0x3F);
		p[2] = 0x80 | (c & 0x3F);
		return 3;
	}
	p[0] = 0xF0 | c >> 18;
	p[1] = 0x80 | (c >> 12 & 0x3F);
	p[2] = 0x80 | (c >> 6 & 0x3F);
	p[3] = 0x80 | (c & 0x3F);
	return 4;
}

#endif							/* ASSAY_CHARCLASS_H */
