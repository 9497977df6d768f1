/*
 * text.c
 *	  Bytes of any kind to the UTF-8 that PostgreSQL accepts.
 *
 * Text in mail is in the charset that its header names, or in another, or in
 * none.  Whatever comes in, what goes out is valid UTF-8 without NUL: an
 * undecodable byte becomes U+FFFD, a NUL is dropped, and the defect is noted.
 */
#include <errno.h>
#include <iconv.h>
#include <string.h>
#include <gmime/gmime.h>

#include "assay_load.h"
#include "domain.h"

#define REPLACEMENT "\xEF\xBF\xBD"

/*
 * Length of the valid UTF-8 character at s, or 0.  Overlong forms, surrogates
 * and what lies above U+10FFFF are invalid, as in PostgreSQL.
 */
static int
utf8_char_len(const unsigned char *s, size_t left)
{
	unsigned char c = s[0];

	if (c < 0x80)
		return 1;
	if (c < 0xC2)
		return 0;
	if (c < 0xE0)
		return (left >= 2 && (s[1] & 0xC0) == 0x80) ? 2 : 0;
	if (c < 0xF0)
	{
		if (left < 3 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80)
			return 0;
		if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F))
			return 0;
		return 3;
	}
	if (c < 0xF5)
	{
		if (left < 4 || (s[1] & 0xC0) != 0x80 || (s[2] & 0xC0) != 0x80 ||
			(s[3] & 0xC0) != 0x80)
			return 0;
		if ((c == 0xF0 && s[1] < 0x90) || (c == 0xF4 && s[1] > 0x8F))
			return 0;
		return 4;
	}
	return 0;
}

/* Length of the leading run of plain ASCII without NUL */
static size_t
ascii_run(const char *s, size_t len)
{
	size_t		i = 0;

	/* eight at a time: no high bit and no zero byte */
	while (i + 8 <= len)
	{
		uint64_t	w;

		memcpy(&w, s + i, 8);
		if ((w & UINT64_C(0x8080808080808080)) != 0 ||
			((w - UINT64_C(0x0101010101010101)) & ~w &
			 UINT64_C(0x8080808080808080)) != 0)
			break;
		i += 8;
	}
	while (i < len && s[i] != '\0' && (unsigned char) s[i] < 0x80)
		i++;
	return i;
}

/* Length of the leading run that is valid UTF-8 without NUL */
static size_t
utf8_run(const char *s, size_t len)
{
	size_t		i = 0;

	for (;;)
	{
		int			n;

		i += ascii_run(s + i, len - i);
		if (i >= len || s[i] == '\0')
			return i;
		n = utf8_char_len((const unsigned char *) s + i, len - i);
		if (n == 0)
			return i;
		i += n;
	}
}

/* Is this what PostgreSQL takes as it is? */
bool
text_is_clean(const char *s, size_t len)
{
	return utf8_run(s, len) == len;
}

/*
 * Append what should be UTF-8.  Each undecodable sequence becomes one U+FFFD
 * and notes the defect; a NUL is left out.
 */
void
text_append_clean(GString *out, const char *s, size_t len, Message *m, Defect bad)
{
	while (len > 0)
	{
		size_t		n = utf8_run(s, len);

		if (n > 0)
			text_put(out, s, n);
		s += n;
		len -= n;
		if (len == 0)
			break;
		if (*s == '\0')
		{
			ADD_DEFECT(m, DEFECT_NUL_BYTE);
			while (len > 0 && *s == '\0')
				s++, len--;
			continue;
		}
		g_string_append(out, REPLACEMENT);
		ADD_DEFECT(m, bad);
		s++, len--;
		/* continuation bytes belong to the sequence that was bad */
		while (len > 0 && ((unsigned char) *s & 0xC0) == 0x80)
			s++, len--;
	}
}

/* The same into a new string; len -1 means up to the NUL */
char	   *
text_clean(const char *s, ssize_t len, Message *m, Defect bad)
{
	GString    *out;

	if (s == NULL)
		return NULL;
	if (len < 0)
		len = strlen(s);
	if (text_is_clean(s, len))
		return g_strndup(s, len);
	out = g_string_sized_new(len + 16);
	text_append_clean(out, s, len, m, bad);
	return g_string_free(out, FALSE);
}

/*
 * The name of a charset for iconv.  Mail says iso-8859-1 and means
 * windows-1252, and so on: these are the supersets that browsers take too.
 * NULL means that the label says nothing.
 */
static const char *
charset_for_iconv(const char *label, bool *is_utf8)
{
	static const struct
	{
		const char *label;
		const char *name;
	}			supersets[] =
	{
		{"iso-8859-1", "WINDOWS-1252"},
		{"iso8859-1", "WINDOWS-1252"},
		{"latin1", "WINDOWS-1252"},
		{"latin-1", "WINDOWS-1252"},
		{"iso-8859-9", "WINDOWS-1254"},
		{"iso-8859-11", "CP874"},
		{"tis-620", "CP874"},
		{"gb2312", "GB18030"},
		{"gb_2312-80", "GB18030"},
		{"x-gbk", "GB18030"},
		{"gbk", "GB18030"},
		{"cp936", "GB18030"},
		{"gb_2312", "GB18030"},
		{"chinese", "GB18030"},
		{"csiso58gb231280", "GB18030"},
		{"iso-ir-58", "GB18030"},
		{"chinesebig5", "BIG5-HKSCS"},
		{"csbig5", "BIG5-HKSCS"},
		{"big5", "BIG5-HKSCS"},
		{"euc-kr", "CP949"},
		{"ks_c_5601-1987", "CP949"},
		{"ks_c_5601", "CP949"},
		{"ksc5601", "CP949"},
		{"ksc_5601", "CP949"},
		{"ks_c_5601-1989", "CP949"},
		{"csksc56011987", "CP949"},
		{"iso-ir-149", "CP949"},
		{"korean", "CP949"},
		{"shift_jis", "CP932"},
		{"shift-jis", "CP932"},
		{"x-sjis", "CP932"},
		{"iso-2022-jp", "ISO-2022-JP-3"},
		{"csiso2022jp", "ISO-2022-JP-3"},
		{"csiso2022kr", "ISO-2022-KR"},
		{"unicode-1-1-utf-7", "UTF-7"},
		{"unicode-2-0-utf-7", "UTF-7"},
		{"x-unicode-2-0-utf-7", "UTF-7"},
		{"csunicode11utf7", "UTF-7"},
		{"utf7", "UTF-7"},
		{"unicode", "UTF-16"},
		{"csunicode", "UTF-16"},
		{"unicodefeff", "UTF-16"},
		{"unicodefffe", "UTF-16BE"},
		{"utf16", "UTF-16"},
		{"utf16le", "UTF-16LE"},
		{"utf16be", "UTF-16BE"},
		{"utf32", "UTF-32"},
		{"ucs2", "UTF-16"},
		{"ucs-2", "UTF-16"},
		{"iso-10646-ucs-2", "UTF-16"},
		{"koi", "KOI8-R"},
		{"koi8_r", "KOI8-R"},
		{"dos-874", "CP874"},
		{"sun_eu_greek", "ISO-8859-7"},
		{"logical", "ISO-8859-8"},
		{"visual", "ISO-8859-8"},
		{"csiso88598e", "ISO-8859-8"},
		{"csiso88598i", "ISO-8859-8"},
		{"csiso88596e", "ISO-8859-6"},
		{"csiso88596i", "ISO-8859-6"},
		{"csisolatin9", "ISO-8859-15"},
		{"l9", "ISO-8859-15"},
		{"mac-roman", "MACINTOSH"},
		{"x-mac-ukrainian", "MAC-UK"},
	};
	static const char *const utf8[] = {
		"utf-8", "utf8", "utf_8", "utf8mb4", "cp65001", "unicode-1-1-utf-8", "unicode11utf8", "unicode20utf8"
	};
	static char clean[40];
	static const char *const says_nothing[] = {
		"us-ascii", "ascii", "ansi_x3.4-1968", "default", "default_charset", "default-charset",
		"none", "unknown", "unknown-8bit", "x-unknown", "x-user-defined",
		"user-defined", "8bit", "7bit", "_autodetect", "_iso-2022-jp$esc", "iso-8859-1-unknown"
	};

	*is_utf8 = false;
	if (label == NULL)
		return NULL;
	/* 'koi8-r', "utf-8 " */
	if (strpbrk(label, "' \t\"") != NULL)
	{
		g_strlcpy(clean, label + strspn(label, "' \t\""), sizeof(clean));
		clean[strcspn(clean, "' \t\"")] = '\0';
		label = clean;
	}
	if (label[0] == '\0')
		return NULL;
	/* as some mass mailers write it */
	if (g_str_has_suffix(label, "_CHARSET"))
	{
		static char stem[32];

		g_strlcpy(stem, label, MIN(sizeof(stem), strlen(label) - 7));
		return charset_for_iconv(stem, is_utf8);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(utf8); i++)
		if (g_ascii_strcasecmp(label, utf8[i]) == 0)
		{
			*is_utf8 = true;
			return "UTF-8";
		}
	for (size_t i = 0; i < G_N_ELEMENTS(says_nothing); i++)
		if (g_ascii_strcasecmp(label, says_nothing[i]) == 0)
			return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(supersets); i++)
		if (g_ascii_strcasecmp(label, supersets[i].label) == 0)
			return supersets[i].name;
	return label;
}

/* The same without the "x-" that programs and browsers take before a name, or NULL */
static const char *
charset_without_x(const char *name)
{
	bool		is_utf8;

	return g_ascii_strncasecmp(name, "x-", 2) == 0 ? charset_for_iconv(name + 2, &is_utf8) : NULL;
}

/* Can ASCII text in this charset mean something else than ASCII? */
static bool
charset_is_stateful(const char *name)
{
	return g_ascii_strncasecmp(name, "utf-7", 5) == 0 ||
		g_ascii_strncasecmp(name, "utf-16", 6) == 0 ||
		g_ascii_strncasecmp(name, "utf-32", 6) == 0 ||
		g_ascii_strncasecmp(name, "ucs", 3) == 0 ||
		g_ascii_strncasecmp(name, "iso-2022", 8) == 0 ||
		g_ascii_strncasecmp(name, "iso-10646", 9) == 0 ||
		g_ascii_strncasecmp(name, "hz", 2) == 0 ||
		g_ascii_strncasecmp(name, "ebcdic", 6) == 0 ||
		g_ascii_strncasecmp(name, "ibm", 3) == 0 ||
		g_ascii_strncasecmp(name, "cp", 2) == 0;
}

/* A converter from a charset */
typedef struct Converter
{
	char		name[40];
	iconv_t		cd;
	bool		bytes;			/* ASCII, and each byte above it is a
								 * character */
	unsigned char len[128];		/* of what such a byte is, 0 for none */
	char		is[128][4];
} Converter;

/* Is each byte a character of its own?  Then iconv is asked for each once. */
static bool
learn_bytes(Converter *c)
{
	for (int b = 1; b < 256; b++)
	{
		char		byte = b;
		char		buf[16];
		char	   *in = &byte;
		char	   *o = buf;
		size_t		len = 1;
		size_t		room = sizeof(buf);
		size_t		r;

		iconv(c->cd, NULL, NULL, NULL, NULL);
		r = iconv(c->cd, &in, &len, &o, &room);
		if (r == (size_t) -1 && (errno != EILSEQ || b < 128))
			return false;
		if (r == (size_t) -1)
		{
			c->len[b - 128] = 0;
			continue;
		}
		/* what waits for the next one is written now */
		if (o == buf || iconv(c->cd, NULL, NULL, &o, &room) == (size_t) -1)
			return false;
		if (b < 128 ? o != buf + 1 || buf[0] != byte : o > buf + 4 || !text_is_clean(buf, o - buf))
			return false;
		if (b >= 128)
		{
			c->len[b - 128] = o - buf;
			memcpy(c->is[b - 128], buf, o - buf);
		}
	}
	return true;
}

/* A converter from the charset, kept open: opening one costs more than a use; NULL for none */
static Converter *
get_converter(const char *name)
{
	static Converter cache[8];
	static unsigned next = 0;
	iconv_t		cd;

	if (strlen(name) >= sizeof(cache[0].name))
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(cache); i++)
		if (cache[i].name[0] != '\0' && g_ascii_strcasecmp(cache[i].name, name) == 0)
		{
			iconv(cache[i].cd, NULL, NULL, NULL, NULL);
			return &cache[i];
		}

	/* glibc reads options after a slash; a label has none of them */
	for (const char *p = name; *p; p++)
		if (!g_ascii_isalnum(*p) && strchr("-_.:()+", *p) == NULL)
			return NULL;
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t) -1)
	{
		const char *alias = g_mime_charset_iconv_name(name);

		if (alias != NULL && strchr(alias, '/') == NULL)
			cd = iconv_open("UTF-8", alias);
		if (cd == (iconv_t) -1)
			return NULL;
	}
	next %= G_N_ELEMENTS(cache);
	if (cache[next].name[0] != '\0')
		iconv_close(cache[next].cd);
	g_strlcpy(cache[next].name, name, sizeof(cache[next].name));
	cache[next].cd = cd;
	cache[next].bytes = learn_bytes(&cache[next]);
	iconv(cd, NULL, NULL, NULL, NULL);
	return &cache[next++];
}

/* Convert by what is known of each byte */
static void
convert_bytes(GString *out, const char *s, size_t len, const Converter *c, Message *m)
{
	while (len > 0)
	{
		size_t		n = ascii_run(s, len);
		int			b;

		text_put(out, s, n);
		s += n;
		len -= n;
		if (len == 0)
			break;
		b = (unsigned char) *s - 128;
		if (*s == '\0')
			ADD_DEFECT(m, DEFECT_NUL_BYTE);
		else if (c->len[b] > 0)
			text_put(out, c->is[b], c->len[b]);
		else
		{
			g_string_append(out, REPLACEMENT);
			ADD_DEFECT(m, DEFECT_BAD_CHARSET);
		}
		s++, len--;
	}
}

/* Convert with iconv; an undecodable byte becomes U+FFFD */
static void
convert(GString *out, const char *s, size_t len, const Converter *c, Message *m)
{
	iconv_t		cd = c->cd;
	char	   *in = (char *) s;
	char		buf[8192];
	bool		flushed = false;
	bool		is_utf7 = g_ascii_strncasecmp(c->name, "utf-7", 5) == 0;
	const char *ended = NULL;
	size_t		unit = g_ascii_strncasecmp(c->name, "utf-16", 6) == 0 ? 2 : g_ascii_strncasecmp(c->name, "utf-32", 6) == 0 ? 4 : 1;

	if (c->bytes)
	{
		convert_bytes(out, s, len, c, m);
		return;
	}
	while (!flushed)
	{
		char	   *o = buf;
		size_t		room = sizeof(buf);
		size_t		n;
		size_t		r;

		if (len > 0)
			r = iconv(cd, &in, &len, &o, &room);
		else
		{
			r = iconv(cd, NULL, NULL, &o, &room);
			flushed = r != (size_t) -1;
		}
		/* it should be UTF-8 now, but may contain NUL */
		text_append_clean(out, buf, o - buf, m, DEFECT_BAD_CHARSET);
		if (r != (size_t) -1 || errno == E2BIG)
			continue;
		if (len == 0)
			break;
		/* EILSEQ, or EINVAL for a sequence that the end cuts off */
		if (ended != in)
			g_string_append(out, REPLACEMENT);
		ADD_DEFECT(m, DEFECT_BAD_CHARSET);

		/*
		 * what is no Base64 ends that of UTF-7, broken or not; else iconv
		 * would go on with it
		 */
		if (is_utf7 && in != ended && !g_ascii_isalnum(*in) && *in != '+' && *in != '/')
		{
			iconv(cd, NULL, NULL, NULL, NULL);
			ended = in;
			continue;
		}
		/* half a pair is two bytes, or all that follows would be read askew */
		n = MIN(unit, len);
		in += n, len -= n;
	}
}

/* UTF-8 up to n, of which the end cut the last character in two? */
static bool
is_cut_utf8(const char *s, size_t n, size_t len)
{
	if ((unsigned char) s[n] < 0xC2 || (unsigned char) s[n] > 0xF4 || len - n > 3 ||
		ascii_run(s, n) == n)
		return false;
	while (++n < len)
		if (((unsigned char) s[n] & 0xC0) != 0x80)
			return false;
	return true;
}

/*
 * A charset in which no sensible text is valid UTF-8 with characters beyond
 * ASCII: its own text is seven bits wide.
 */
static bool
is_other_than_utf8(const char *name)
{
	return g_ascii_strncasecmp(name, "iso-2022", 8) == 0 ||
		g_ascii_strncasecmp(name, "utf-7", 5) == 0 || g_ascii_strncasecmp(name, "hz", 2) == 0;
}

/*
 * A label of a charset whose text would have other bytes (UTF-16, EBCDIC …),
 * on what can be read as it stands: programs that don't know the charset, or
 * see that it does not fit, show that.
 */
static bool
is_text_already(const char *name, const char *s, size_t len)
{
	bool		wide = g_ascii_strncasecmp(name, "utf-16", 6) == 0 || g_ascii_strncasecmp(name, "utf-32", 6) == 0 ||
	g_ascii_strncasecmp(name, "ucs", 3) == 0 || g_ascii_strncasecmp(name, "iso-10646", 9) == 0;
	bool		divided = !wide;

	/* a word or two of Chinese in UTF-16 may look like ASCII */
	if ((wide ? len < 16 : is_other_than_utf8(name)) || (wide ? utf8_run(s, len) : ascii_run(s, len)) != len)
		return false;
	/* nor has Japanese in UTF-16 any byte of these */
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) s[i] < ' ' && !g_ascii_isspace(s[i]))
			return false;
		divided |= g_ascii_isspace(s[i]) || s[i] == '/';
	}
	return divided;
}

/*
 * The same where a few bytes are neither ASCII nor UTF-8: most are ASCII, and there
 * are blanks, of which EBCDIC has none, or tags or links, no words of UTF-16.
 */
static bool
is_text_damaged(const char *name, const Converter *c, const char *s, size_t len)
{
	bool		wide = g_ascii_strncasecmp(name, "utf-16", 6) == 0 || g_ascii_strncasecmp(name, "utf-32", 6) == 0;
	char		tag[] = "</A";
	char		buf[16] = "";
	char	   *in = tag;
	char	   *o = buf;
	size_t		left = strlen(tag);
	size_t		room = sizeof(buf) - 1;
	size_t		ascii = 0;
	bool		blank = false;
	bool		markup = false;

	if (c->bytes || is_other_than_utf8(name))
		return false;
	iconv(c->cd, NULL, NULL, NULL, NULL);
	(void) iconv(c->cd, &in, &left, &o, &room);
	iconv(c->cd, NULL, NULL, NULL, NULL);
	if (strcmp(buf, tag) == 0)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		ascii += (s[i] >= ' ' && s[i] < 0x7F) || g_ascii_isspace(s[i]);
		blank |= s[i] == ' ';
		markup |= s[i] == '/' && i > 0 && (s[i - 1] == '<' || s[i - 1] == ':');
	}
	return wide ? markup && ascii >= len - len / 8 : blank && ascii > len - len / 4;
}

/*
 * UTF-16 or UTF-32 by name of its order, which iconv would keep from what it read
 * before.  Without a mark the zeros of its ASCII tell; U+3000 and U+4E00 have some, too.
 */
static const char *
name_with_order(const char *name, const char **s, size_t *len)
{
	size_t		zeros[2] = {0, 0};

	if (g_ascii_strcasecmp(name, "utf-32") == 0)
	{
		bool		big = *len >= 4 && (*s)[0] == '\0' && (unsigned char) (*s)[1] <= 0x10;

		if (*len >= 4 && (memcmp(*s, "\0\0\xFE\xFF", 4) == 0 || memcmp(*s, "\xFF\xFE\0\0", 4) == 0))
			*s += 4, *len -= 4;
		return big ? "UTF-32BE" : "UTF-32LE";
	}
	if (g_ascii_strcasecmp(name, "utf-16") != 0)
		return name;
	for (size_t i = 0; (i | 1) < *len; i++)
		zeros[i % 2] += (*s)[i] == '\0' && (*s)[i ^ 1] != 0x30 && (*s)[i ^ 1] != 0x4E;
	return zeros[0] > zeros[1] ? "UTF-16BE" : "UTF-16LE";
}

/* Is it UTF-8 but for a few bytes?  Then these are damaged, not the rest. */
static bool
is_mostly_utf8(const char *s, size_t len)
{
	size_t		good = 0;
	size_t		bad = 0;

	while (len > 0)
	{
		size_t		run = utf8_run(s, len);

		for (size_t i = 0; i < run; i++)
			good += (unsigned char) s[i] >= 0xC0;
		s += run;
		len -= run;
		if (len == 0)
			break;
		bad += *s != '\0';
		s++, len--;
	}
	return good > 8 * bad;
}

/*
 * Append text in the charset of that name.  Where the name says nothing, or
 * nothing known, the bytes are UTF-8 if they can be, else windows-1252.
 */
void
text_to_utf8(GString *out, const char *s, size_t len, const char *charset, Message *m)
{
	bool		is_utf8;
	const char *name = charset_for_iconv(charset, &is_utf8);
	Converter  *cd = NULL;
	bool		marked = false;
	bool		already = false;

	/*
	 * a byte order mark is no text; that of UTF-16 overrides the name, as in
	 * browsers
	 */
	if (len >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
		s += 3, len -= 3;
	else if (len >= 2 && (memcmp(s, "\xFF\xFE", 2) == 0 || memcmp(s, "\xFE\xFF", 2) == 0) &&
			 (name == NULL || !charset_is_stateful(name) || g_ascii_strncasecmp(name, "utf-16", 6) == 0))
	{
		name = (unsigned char) s[0] == 0xFE ? "UTF-16BE" : "UTF-16LE";
		s += 2, len -= 2;
		is_utf8 = false;
		marked = true;
	}

	if (is_utf8)
	{
		text_append_clean(out, s, len, m, DEFECT_BAD_CHARSET);
		return;
	}
	if ((name == NULL || !charset_is_stateful(name)) &&
		ascii_run(s, len) == len)
	{
		g_string_append_len(out, s, len);
		return;
	}
	if (name != NULL)
	{
		name = name_with_order(name, &s, &len);
		cd = get_converter(name);
		for (const char *rest = name; cd == NULL && (rest = charset_without_x(rest)) != NULL;)
			cd = get_converter(rest);
		if (cd == NULL)
			ADD_DEFECT(m, DEFECT_UNKNOWN_CHARSET);
		already = !marked && is_text_already(name, s, len);
		if (cd != NULL && !marked && !already && is_text_damaged(name, cd, s, len))
		{
			ADD_DEFECT(m, DEFECT_BAD_CHARSET);
			cd = NULL;
			name = NULL;
		}
	}
	if (cd == NULL)
	{
		size_t		n = utf8_run(s, len);

		while (n < len && s[n] == '\0')
			n += 1 + utf8_run(s + n + 1, len - n - 1);
		if (n == len || (n > 0 && is_cut_utf8(s, n, len)) || is_mostly_utf8(s, len))
		{
			text_append_clean(out, s, len, m, DEFECT_BAD_CHARSET);
			return;
		}
		ADD_DEFECT(m, DEFECT_NO_CHARSET);
		cd = get_converter("WINDOWS-1252");
		if (cd == NULL)
		{
			text_append_clean(out, s, len, m, DEFECT_BAD_CHARSET);
			return;
		}
	}
	/* a label that does not fit, on bytes that can only be UTF-8 */
	if (name != NULL && ((is_other_than_utf8(name) && ascii_run(s, len) < len && utf8_run(s, len) == len) ||
						 already))
	{
		g_string_append_len(out, s, len);
		return;
	}
	convert(out, s, len, cd, m);
}

/* Cut to at most max bytes, at a character's border */
void
text_truncate(GString *s, size_t max)
{
	if (s->len <= max)
		return;
	while (max > 0 && ((unsigned char) s->str[max] & 0xC0) == 0x80)
		max--;
	g_string_truncate(s, max);
}

/* Bytes in percent ("%20") in place; NUL is left out, since it hides what follows */
void
text_percent_decode(GString *s)
{
	gsize		n = 0;

	for (gsize i = 0; i < s->len; i++)
	{
		char		c = s->str[i];

		if (c == '%' && i + 2 < s->len && g_ascii_isxdigit(s->str[i + 1]) && g_ascii_isxdigit(s->str[i + 2]))
		{
			c = g_ascii_xdigit_value(s->str[i + 1]) * 16 + g_ascii_xdigit_value(s->str[i + 2]);
			i += 2;
			if (c == '\0')
				continue;
		}
		s->str[n++] = c;
	}
	g_string_truncate(s, n);
}

/* Lower case, without regard to the locale */
char	   *
text_lower(const char *s)
{
	if (ascii_run(s, strlen(s)) == strlen(s))
		return g_ascii_strdown(s, -1);
	return g_utf8_strdown(s, -1);
}

/* Length of the leading run of what stands in JSON as it is */
static size_t
plain_run(const char *s)
{
	static bool special[256];
	size_t		n = 0;

	if (!special['"'])
		for (int c = 0; c < 256; c++)
			special[c] = c < 0x20 || c == '"' || c == '\\';
	while (!special[(unsigned char) s[n]])
		n++;
	return n;
}

/* Append a JSON string; the input is clean already */
void
text_json_string(GString *out, const char *s)
{
	g_string_append_c(out, '"');
	for (;;)
	{
		const char *p = s + plain_run(s);

		text_put(out, s, p - s);
		if (*p == '\0')
			break;
		switch (*p)
		{
			case '"':
				g_string_append(out, "\\\"");
				break;
			case '\\':
				g_string_append(out, "\\\\");
				break;
			case '\n':
				g_string_append(out, "\\n");
				break;
			case '\t':
				g_string_append(out, "\\t");
				break;
			default:
				g_string_append_printf(out, "\\u%04x", (unsigned char) *p);
		}
		s = p + 1;
	}
	g_string_append_c(out, '"');
}

/* Has it the form of a host's full name: labels, the last of them no number? */
bool
text_is_host_form(const char *s, size_t len)
{
	size_t		label = 0;
	size_t		dots = 0;

	if (len < 4 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (s[i] == '.')
		{
			if (label == 0)
				return false;
			dots++;
			label = 0;
		}
		else if (g_ascii_isalnum(s[i]) || s[i] == '-' || s[i] == '_' || (unsigned char) s[i] >= 0x80)
			label++;
		else
			return false;
	}
	return dots > 0 && label >= 2 && !g_ascii_isdigit(s[len - label]);
}

/* Is it the name of a host on the Internet, under a top-level domain that exists? */
bool
text_is_host(const char *s, size_t len)
{
	char		tld[64];
	size_t		n = 0;

	if (!text_is_host_form(s, len))
		return false;
	while (s[len - n - 1] != '.')
		n++;
	if (n >= sizeof(tld))
		return false;
	for (size_t i = 0; i < n; i++)
		tld[i] = g_ascii_tolower(s[len - n + i]);
	tld[n] = '\0';
	return IsTopLevelDomain(tld);
}

/* Clean UTF-8 of what a library made; trust is good, but the server checks */
void
text_make_clean(Message *m, GString *text)
{
	GString    *clean;

	if (text_is_clean(text->str, text->len))
		return;
	clean = g_string_sized_new(text->len + 16);
	text_append_clean(clean, text->str, text->len, m, DEFECT_BAD_CHARSET);
	g_string_assign(text, clean->str);
	g_string_free(clean, TRUE);
}
