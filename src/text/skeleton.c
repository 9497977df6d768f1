/*
 * skeleton.c
 *		What a text looks like, by ICU's spoof checker: the skeleton of Unicode
 *		TS 39, and names folded by it.
 *
 * Two texts with one skeleton are easily taken for each other.  A skeleton is
 * no text to show: "m" becomes "rn", "1" and "I" become "l".
 *
 * A folded name is what nearest_name() compares.  Beyond the skeleton, it is
 * without regard to case, compatibility forms (circled, full width), accents,
 * spaces and punctuation, has "m" for "rn", "w" for "vv", and one letter for i
 * and l, as the upper case of the one looks like the other.
 *
 * ICU's normaliser sorts combining marks by insertion, so a long run of them
 * would take quadratic time: a text is taken in pieces, and a name keeps but
 * some marks in a row.
 *
 * Plain C: usable outside of the server. Nothing here is thread-safe.
 */
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

#include "charclass.h"
#include "skeleton.h"

/* Combining marks in a row that a name keeps */
#define MARKS_MAX		4

/* What a name has at most before it is folded, in UTF-16 and with marks */
#define NAME_UNITS		(2 * FOLD_CHARS_MAX * (1 + MARKS_MAX))

/* No character has a longer compatibility form, nor one with a longer skeleton */
#define NORMAL_ROOM		(18 * NAME_UNITS)

/* Accents on letters below are dropped: Latin, Greek, Cyrillic, Armenian */
#define ACCENTED_END	0x590

/* Two characters that an ASCII one folds to; the second is often 0 */
static unsigned char ascii_fold[128];
static USpoofChecker *checker = NULL;
static const UNormalizer2 *folding = NULL;

static inline bool
IsAsciiAlnum(uint32_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Open the library's data, and fill the table of ASCII; false when it failed. */
static bool
Prepare(void)
{
	UErrorCode	error = U_ZERO_ERROR;

	if (checker != NULL)
		return true;
	folding = unorm2_getNFKCCasefoldInstance(&error);
	if (U_SUCCESS(error))
		checker = uspoof_open(&error);
	if (U_FAILURE(error))
	{
		checker = NULL;
		return false;
	}
	for (int c = 0; c < 128; c++)
	{
		char		low = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
		char		out[8];
		int			n;

		if (!IsAsciiAlnum(c))
			continue;
		error = U_ZERO_ERROR;
		n = uspoof_getSkeletonUTF8(checker, 0, &low, 1, out, sizeof(out), &error);
		/* The skeleton of m is rn, which would be folded back. */
		if (U_FAILURE(error) || n != 1)
			out[0] = low;
		if (out[0] >= 'A' && out[0] <= 'Z')
			out[0] += 'a' - 'A';
		ascii_fold[c] = out[0] == 'i' ? 'l' : out[0];
	}
	return true;
}

/* ---- skeletons -------------------------------------------------------------- */

/*
 * How many bytes to take at once of a text: all that is left or, of more than
 * a piece may have, as many as end before a character that others don't
 * combine over.
 */
size_t
SkeletonPieceLength(const char *utf8, size_t len)
{
	const unsigned char *p = (const unsigned char *) utf8;
	size_t		at = SKELETON_PIECE;

	if (len <= SKELETON_PIECE)
		return len;
	/* Back to a starter, but no further than half of it. */
	for (; at > SKELETON_PIECE / 2; at--)
	{
		uint32_t	c;

		if ((p[at] & 0xC0) == 0x80)
			continue;
		if (Utf8Decode(p + at, p + len, &c) > 0 && u_getCombiningClass(c) == 0 &&
			(U_GET_GC_MASK(c) & U_GC_M_MASK) == 0)
			return at;
	}
	/* Else to a whole character, if there are such. */
	for (at = SKELETON_PIECE; at > SKELETON_PIECE - 4; at--)
		if ((p[at] & 0xC0) != 0x80)
			return at;
	return SKELETON_PIECE;
}

/*
 * The skeleton of a piece.  Returns its length in bytes, -1 when the library
 * failed.  Bytes that are no UTF-8 become U+FFFD; invisible characters have no
 * part in it, which ICU left to its callers up to version 73.
 */
int
SkeletonPiece(const char *utf8, size_t len, char *skeleton)
{
	const unsigned char *p = (const unsigned char *) utf8;
	const unsigned char *end = p + len;
	unsigned char visible[3 * SKELETON_PIECE];
	unsigned char *q = visible;
	UErrorCode	error = U_ZERO_ERROR;
	int32_t		n;

	if (!Prepare())
		return -1;
	while (p < end)
	{
		uint32_t	c;
		int			bytes = Utf8Decode(p, end, &c);

		if (bytes == 0)
		{
			bytes = 1;
			c = 0xFFFD;
		}
		if ((CharClass(c) & CHAR_IGNORE) == 0)
			q += Utf8Encode(c, q);
		p += bytes;
	}
	n = uspoof_getSkeletonUTF8(checker, 0, (char *) visible, q - visible,
							   skeleton, SKELETON_ROOM, &error);
	return U_FAILURE(error) ? -1 : n;
}

/* ---- folded names ------------------------------------------------------------ */

/*
 * Is the bar at p within a word or at its end, where it stands for a letter,
 * rather than between words?
 */
static bool
BarIsLetter(const unsigned char *start, const unsigned char *p, const unsigned char *end)
{
	bool		before = p > start && (IsAsciiAlnum(p[-1]) || p[-1] >= 0x80);
	bool		after = p + 1 < end && (IsAsciiAlnum(p[1]) || p[1] >= 0x80);

	return before || after;
}

/*
 * The visible characters of a name, without ASCII spaces and punctuation, in
 * UTF-16.  Returns how many units there are; -1 when there are too many.
 */
static int
CollectName(const unsigned char *p, size_t len, UChar *units, bool *ascii)
{
	const unsigned char *start = p;
	const unsigned char *end = p + len;
	int			n = 0;
	int			letters = 0;
	int			marks = 0;

	*ascii = true;
	while (p < end)
	{
		uint32_t	c;
		int			bytes = Utf8Decode(p, end, &c);

		if (bytes == 0)
		{
			bytes = 1;
			c = 0xFFFD;
		}
		if (c < 0x80)
		{
			if (c == '|' && BarIsLetter(start, p, end))
				c = 'l';
			if (IsAsciiAlnum(c))
			{
				if (++letters > FOLD_CHARS_MAX)
					return -1;
				units[n++] = c;
				marks = 0;
			}
		}
		else if ((CharClass(c) & (CHAR_IGNORE | CHAR_SPACE)) == 0)
		{
			*ascii = false;
			if ((U_GET_GC_MASK(c) & U_GC_M_MASK) != 0)
				marks++;
			else
			{
				if (++letters > FOLD_CHARS_MAX)
					return -1;
				marks = 0;
			}
			if (marks <= MARKS_MAX && n < NAME_UNITS - 2)
				U16_APPEND_UNSAFE(units, n, c);
		}
		p += bytes;
	}
	return n;
}

/* Add a character; false when there is no room. */
static inline bool
Append(uint32_t *folded, int *n, uint32_t c)
{
	if (c == 'n' && *n > 0 && folded[*n - 1] == 'r')
		folded[*n - 1] = 'm';
	else if (c == 'v' && *n > 0 && folded[*n - 1] == 'v')
		folded[*n - 1] = 'w';
	else if (*n == FOLD_CHARS_MAX)
		return false;
	else
		folded[(*n)++] = c;
	return true;
}

/*
 * Fold what is not all ASCII: compatibility forms and case, then the skeleton.
 * A skeleton is made before that, too, where the look is to come first.
 */
static int
FoldUnits(const UChar *units, int len, FoldWay way, uint32_t *folded)
{
	static UChar normal[NORMAL_ROOM];
	static UChar skeleton[NORMAL_ROOM];
	UErrorCode	error = U_ZERO_ERROR;
	int32_t		n;
	int			out = 0;
	bool		accented = false;

	if (way == FOLD_LOOK_FIRST)
	{
		len = uspoof_getSkeleton(checker, 0, units, len, skeleton, NORMAL_ROOM, &error);
		units = skeleton;
	}
	n = unorm2_normalize(folding, units, len, normal, NORMAL_ROOM, &error);
	n = uspoof_getSkeleton(checker, 0, normal, n, skeleton, NORMAL_ROOM, &error);
	if (U_FAILURE(error))
		return FOLD_TOO_LONG;
	for (int32_t i = 0; i < n;)
	{
		UChar32		c;
		uint32_t	mask;

		U16_NEXT(skeleton, i, n, c);
		if (c < 0x80)
		{
			if (c != '|' && !IsAsciiAlnum(c))
				continue;
			accented = true;
			c = c == '|' ? 'l' : ascii_fold[c];
		}
		else
		{
			mask = U_GET_GC_MASK(c);
			if ((mask & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) == 0 && c != 0xFFFD)
				continue;
			if ((mask & U_GC_M_MASK) == 0)
				accented = c < ACCENTED_END;
			else if (accented)
				continue;
			c = CharFold(c);
		}
		if (!Append(folded, &out, c))
			return FOLD_TOO_LONG;
	}
	return out;
}

/*
 * Fold a name.  Returns the number of characters (0: it had spaces and
 * punctuation only, or the way adds nothing), or FOLD_TOO_LONG.  There is room
 * for FOLD_CHARS_MAX.
 */
int
FoldName(const char *utf8, size_t len, FoldWay way, uint32_t *folded)
{
	UChar		units[NAME_UNITS];
	bool		ascii;
	int			n;
	int			out = 0;

	if (len > FOLD_BYTES_MAX || !Prepare())
		return FOLD_TOO_LONG;
	n = CollectName((const unsigned char *) utf8, len, units, &ascii);
	if (n < 0)
		return FOLD_TOO_LONG;
	if (!ascii)
		return FoldUnits(units, n, way, folded);
	if (way == FOLD_LOOK_FIRST)
		return 0;
	for (int i = 0; i < n; i++)
		if (!Append(folded, &out, ascii_fold[units[i]]))
			return FOLD_TOO_LONG;
	return out;
}
