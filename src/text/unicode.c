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
