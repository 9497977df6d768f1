/*
 * unicode.c
 *		Character properties, simple case folding and host names, by ICU.
 *
 * This file and skeleton.c include ICU's headers. The basic plane is answered from
 * tables, of which a page of 256 characters is filled when one of them is first
 * asked for: every character of a text is.
 *
 * Plain C: usable outside of the server. Nothing here is thread-safe.
 */
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/uscript.h>
#include <unicode/uversion.h>

#include "charclass.h"

#define TABLE_CHARS 0x10000
#define PAGE_CHARS	0x100

static bool page_filled[TABLE_CHARS / PAGE_CHARS];
static unsigned char class_table[TABLE_CHARS];
static uint16_t fold_table[TABLE_CHARS];

/*
 * Does the script of this character write words without spaces, or with
 * particles tied to them? Then no word boundary can be asked of it: Han, kana,
 * Hangul, Thai, Lao, Khmer, Myanmar.
 */
static bool
RunsOn(UChar32 c)
{
	switch (u_getIntPropertyValue(c, UCHAR_LINE_BREAK))
	{
		case U_LB_IDEOGRAPHIC:
		case U_LB_CONDITIONAL_JAPANESE_STARTER:
		case U_LB_COMPLEX_CONTEXT:
		case U_LB_H2:
		case U_LB_H3:
		case U_LB_JL:
		case U_LB_JV:
		case U_LB_JT:
			return true;
		default:
			return false;
	}
}

static int
ComputeClass(UChar32 c)
{
	int			class = 0;

	if (u_isUWhiteSpace(c))
		return CHAR_SPACE;
	if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
		return CHAR_IGNORE;
	if (!RunsOn(c))
	{
		if (u_isalnum(c))
			class = CHAR_ALNUM | CHAR_WORD;
		else if (c == '_' || (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_PC_MASK | U_GC_N_MASK)) != 0)
			class = CHAR_WORD;
	}
	return class;
}

static void
FillPage(uint32_t page)
{
	for (uint32_t c = page * PAGE_CHARS; c < (page + 1) * PAGE_CHARS; c++)
	{
		/* What folds to a longer sequence stays as it is. */
		UChar32		folded = u_foldCase(c, U_FOLD_CASE_DEFAULT);

		class_table[c] = ComputeClass(c);
		fold_table[c] = folded < TABLE_CHARS ? folded : c;
	}
	page_filled[page] = true;
}

/* The CHAR_... bits of a character */
int
CharClass(uint32_t c)
{
	if (c >= TABLE_CHARS)
		return ComputeClass(c);
	if (!page_filled[c / PAGE_CHARS])
		FillPage(c / PAGE_CHARS);
	return class_table[c];
}

/* Simple case folding: one character for one */
uint32_t
CharFold(uint32_t c)
{
	if (c >= TABLE_CHARS)
		return u_foldCase(c, U_FOLD_CASE_DEFAULT);
	if (!page_filled[c / PAGE_CHARS])
		FillPage(c / PAGE_CHARS);
	return fold_table[c];
}

/* ---- facts ----------------------------------------------------------------- */

/* Planes 0 and 1, where nearly all of a text is */
#define FACT_CHARS	0x20000

static bool fact_page_filled[FACT_CHARS / PAGE_CHARS];
static uint32_t fact_table[FACT_CHARS];

/* Letters that look like others by their frame or width: blocks, since Unicode has no property */
static uint32_t
DressedLetter(UChar32 c)
{
	if ((c >= 0x249C && c <= 0x24E9) || (c >= 0x1F110 && c <= 0x1F12C) ||
		(c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
		(c >= 0x1F170 && c <= 0x1F189))
		return FACT_ENCLOSED;
	if ((c >= 0xFF10 && c <= 0xFF19) || (c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A))
		return FACT_FULLWIDTH;
	return 0;
}

/* Bits of emoji; digits, # and * are none by themselves */
static uint32_t
EmojiFacts(UChar32 c)
{
	uint32_t	facts = 0;

	if (c < 0x80)
		return 0;
	if (u_hasBinaryProperty(c, UCHAR_REGIONAL_INDICATOR))
		return FACT_REGIONAL;
	if (u_hasBinaryProperty(c, UCHAR_EMOJI_MODIFIER))
		return FACT_MODIFIER;
	if (u_hasBinaryProperty(c, UCHAR_EMOJI_PRESENTATION))
		facts |= FACT_EMOJI;
	if (u_hasBinaryProperty(c, UCHAR_EMOJI))
		facts |= FACT_PICTOGRAPH;
	return facts;
}

/* Bits of what isn't seen itself, or has no meaning that all agree on */
static uint32_t
UnseenFacts(UChar32 c, uint32_t category)
{
	uint32_t	facts = 0;

	if (u_hasBinaryProperty(c, UCHAR_BIDI_CONTROL))
		facts |= FACT_BIDI | (c == 0x202D || c == 0x202E ? FACT_OVERRIDE : 0);
	else if (u_hasBinaryProperty(c, UCHAR_VARIATION_SELECTOR))
		facts |= FACT_SELECTOR;
	else if (c >= 0xE0001 && c <= 0xE007F)
		facts |= FACT_INVISIBLE | FACT_TAG;
	/* an empty cell of Braille looks like a space, and is no white space */
	else if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) || c == 0x2800)
		facts |= FACT_INVISIBLE;
	if ((category & U_GC_CC_MASK) != 0 && !u_isUWhiteSpace(c))
		facts |= FACT_CONTROL;
	if ((category & U_GC_CO_MASK) != 0)
		facts |= FACT_PRIVATE;
	return facts;
}

static uint32_t
ComputeFacts(UChar32 c)
{
	UErrorCode	error = U_ZERO_ERROR;
	uint32_t	category = U_GET_GC_MASK(c);
	uint32_t	facts = UnseenFacts(c, category) | EmojiFacts(c) | DressedLetter(c);
	int			script = uscript_getScript(c, &error);

	/* the sign of the ohm is a Greek letter by its history only */
	if (U_FAILURE(error) || script < 0 || script >= SCRIPTS_MAX || c == 0x2126)
		script = USCRIPT_COMMON;
	facts |= script;
	if (u_isUWhiteSpace(c))
		return facts | FACT_SPACE;
	/* a filler of Hangul is a letter by its category only */
	if (facts & FACT_INVISIBLE)
		return facts;
	if (category & U_GC_L_MASK)
		facts |= FACT_LETTER;
	if (category & (U_GC_LU_MASK | U_GC_LT_MASK))
		facts |= FACT_UPPER;
	if (category & U_GC_LL_MASK)
		facts |= FACT_LOWER;
	if (category & U_GC_ND_MASK)
		facts |= FACT_DIGIT;
	if (category & U_GC_M_MASK)
		facts |= FACT_MARK;
	if (category & U_GC_SC_MASK)
		facts |= FACT_CURRENCY;
	if ((category & (U_GC_P_MASK | U_GC_S_MASK)) != 0 &&
		(facts & (FACT_EMOJI | FACT_MODIFIER | FACT_REGIONAL | FACT_ENCLOSED)) == 0)
		facts |= FACT_PUNCTUATION;
	if ((category & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK | U_GC_PC_MASK)) != 0 &&
		(facts & FACT_SELECTOR) == 0)
		facts |= FACT_WORD;
	if ((category & (U_GC_L_MASK | U_GC_N_MASK)) != 0 &&
		u_getIntPropertyValue(c, UCHAR_DECOMPOSITION_TYPE) == U_DT_FONT)
		facts |= FACT_MATH;
	if ((category & (U_GC_L_MASK | U_GC_M_MASK)) != 0 &&
		script != USCRIPT_COMMON && script != USCRIPT_INHERITED &&
		(u_getIntPropertyValue(c, UCHAR_JOINING_TYPE) != U_JT_NON_JOINING ||
		 u_getIntPropertyValue(c, UCHAR_INDIC_SYLLABIC_CATEGORY) != U_INSC_OTHER))
		facts |= FACT_JOINS;
	return facts;
}

/* The FACT_... bits of a character */
uint32_t
CharFacts(uint32_t c)
{
	uint32_t	page = c / PAGE_CHARS;

	if (c >= FACT_CHARS)
		return ComputeFacts(c);
	if (!fact_page_filled[page])
	{
		for (uint32_t i = page * PAGE_CHARS; i < (page + 1) * PAGE_CHARS; i++)
			fact_table[i] = ComputeFacts(i);
		fact_page_filled[page] = true;
	}
	return fact_table[c];
}

ScriptKind
ScriptKindOf(int script)
{
	switch (script)
	{
		case USCRIPT_COMMON:
		case USCRIPT_INHERITED:
		case USCRIPT_UNKNOWN:
			return SCRIPT_NONE;
		case USCRIPT_LATIN:
			return SCRIPT_LATIN;
		case USCRIPT_CYRILLIC:
			return SCRIPT_CYRILLIC;
		case USCRIPT_GREEK:
			return SCRIPT_GREEK;
		case USCRIPT_HAN:
		case USCRIPT_HIRAGANA:
		case USCRIPT_KATAKANA:
		case USCRIPT_BOPOMOFO:
		case USCRIPT_HANGUL:
			return SCRIPT_EAST_ASIAN;
		default:
			return uscript_getUsage(script) == USCRIPT_USAGE_RECOMMENDED ? SCRIPT_OTHER : SCRIPT_LIMITED;
	}
}

/* The script's name in Unicode, as Latin */
const char *
ScriptName(int script)
{
	const char *known = uscript_getName(script);

	return known != NULL ? known : "Unknown";
}

/* Version of the Unicode data at run time: compiled phrases depend on it */
const char *
CharVersion(void)
{
	static char version[U_MAX_VERSION_STRING_LENGTH];

	if (version[0] == '\0')
	{
		UVersionInfo info;

		u_getUnicodeVersion(info);
		u_versionToString(info, version);
	}
	return version;
}

/*
 * The canonical form of a host name: lower case, A-labels (punycode), no
 * trailing dot. ascii has room for HOST_MAX_BYTES + 1. Returns its length, or
 * -1 when the bytes are no host name.
 */
int
HostToAscii(const char *host, size_t len, char *ascii)
{
	bool		plain = true;
	int32_t		n;
	int			label = 0;

	/* A UTF-8 name may be longer than its ASCII form, but not by much. */
	if (len == 0 || len > 4 * HOST_MAX_BYTES)
		return -1;
	for (size_t i = 0; i < len && plain; i++)
		plain = (host[i] & 0x80) == 0;

	if (plain)
	{
		if (host[len - 1] == '.')
			len--;
		if (len == 0 || len > HOST_MAX_BYTES)
			return -1;
		for (size_t i = 0; i < len; i++)
			ascii[i] = host[i] >= 'A' && host[i] <= 'Z' ? host[i] + ('a' - 'A') : host[i];
		n = len;
	}
	else
	{
		static UIDNA *uidna = NULL;
		UErrorCode	error = U_ZERO_ERROR;
		UIDNAInfo	info = UIDNA_INFO_INITIALIZER;

		if (uidna == NULL)
			uidna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII, &error);
		if (U_FAILURE(error))
			return -1;
		n = uidna_nameToASCII_UTF8(uidna, host, len, ascii, HOST_MAX_BYTES + 1, &info, &error);
		if (U_FAILURE(error) || n <= 0 || n > HOST_MAX_BYTES + 1)
			return -1;
		/* Spoofers care little for hyphen rules; everything else is fatal. */
		if ((info.errors & ~(UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN |
							 UIDNA_ERROR_HYPHEN_3_4)) != 0)
		{
			/* A trailing dot counts as an empty label at the end. */
			if (info.errors != UIDNA_ERROR_EMPTY_LABEL || ascii[n - 1] != '.')
				return -1;
		}
		if (ascii[n - 1] == '.')
			n--;
		if (n == 0 || n > HOST_MAX_BYTES)
			return -1;
	}

	for (int32_t i = 0; i < n; i++)
	{
		unsigned char c = ascii[i];

		if (c == '.')
		{
			if (label == 0)
				return -1;
			label = 0;
		}
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		{
			if (++label > HOST_MAX_LABEL)
				return -1;
		}
		else
			return -1;
	}
	if (label == 0)
		return -1;
	ascii[n] = '\0';
	return n;
}

/*
 * A label of a canonical host name in UTF-8: what an A-label (xn--) stands for,
 * any other as it is.  utf8 has LABEL_ROOM bytes.  Returns the length.
 */
int
LabelToUnicode(const char *ascii, size_t len, char *utf8)
{
	static UIDNA *uidna = NULL;
	UErrorCode	error = U_ZERO_ERROR;
	UIDNAInfo	info = UIDNA_INFO_INITIALIZER;
	int32_t		n;

	if (len > HOST_MAX_LABEL)
		len = HOST_MAX_LABEL;
	if (len > 4 && memcmp(ascii, "xn--", 4) == 0)
	{
		if (uidna == NULL)
			uidna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_UNICODE, &error);
		if (U_SUCCESS(error))
		{
			n = uidna_labelToUnicodeUTF8(uidna, ascii, len, utf8, LABEL_ROOM, &info, &error);
			if (U_SUCCESS(error))
				return n;
		}
	}
	memcpy(utf8, ascii, len);
	return len;
}

/* Is it of a script that is written from right to left, as Hebrew and Arabic are? */
bool
IsRightToLeft(uint32_t c)
{
	UCharDirection direction = u_charDirection(c);

	return direction == U_RIGHT_TO_LEFT || direction == U_RIGHT_TO_LEFT_ARABIC;
}
