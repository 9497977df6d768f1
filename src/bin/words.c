/*
 * words.c
 *	  Encoded words in headers (RFC 2047): =?charset?B?…?=, =?charset?Q?…?=
 *
 * GMime 3.2 loses what follows a padded base64 word when the next word has
 * the same charset, and tells nothing of undecodable bytes; mailers also
 * leave blanks and commas in words, which then fall apart when an address
 * list is split.  So words are decoded here, and hidden from GMime behind
 * plain atoms where it splits a header.
 */
#include <string.h>

#include "assay_load.h"

/* No mailer writes longer words: RFC 2047 says 75 */
#define MAX_WORD	4096

/* Around the number of a word that is hidden */
#define ATOM		"\xFF"

typedef struct Word
{
	const char *charset;
	size_t		charset_len;
	char		encoding;		/* B or Q */
	const char *text;
	size_t		text_len;
	size_t		len;			/* of the whole */
} Word;

/* The first ?= before the limit and the end of the text, or NULL */
static const char *
word_end(const char *s, const char *limit)
{
	while ((s = strchr(s, '?')) != NULL && s + 1 < limit)
	{
		if (s[1] == '=')
			return s;
		s++;
	}
	return NULL;
}

/* Is there an encoded word at s? */
static bool
parse_word(const char *s, Word *w)
{
	const char *p;
	const char *end;

	if (s[0] != '=' || s[1] != '?')
		return false;
	w->charset = p = s + 2;
	while (g_ascii_isalnum(*p) || (*p != '\0' && strchr("-_.:+()*'", *p) != NULL))
		p++;
	w->charset_len = p - w->charset;
	if (w->charset_len > 60 || p[0] != '?' || p[1] == '\0' || p[2] != '?')
		return false;
	w->encoding = g_ascii_toupper(p[1]);
	if (w->encoding != 'B' && w->encoding != 'Q')
		return false;
	w->text = p + 3;
	end = word_end(w->text, w->text +MAX_WORD);

	/* "=?x?Q?=41?=": the first ?= may belong to the text */
	if (end == w->text &&w->encoding == 'Q' && g_ascii_isxdigit(w->text[2]))
		end = word_end(w->text +1, w->text +MAX_WORD);
	if (end == NULL)
		return false;
	w->text_len = end - w->text;
	w->len = end + 2 - s;

	/* a language may follow the charset: utf-8*en */
	for (size_t i = 0; i < w->charset_len; i++)
		if (w->charset[i] == '*')
			w->charset_len = i;
	return true;
}

/* How many characters of base64 a word has */
static size_t
count_base64(const Word *w)
{
	size_t		n = 0;

	for (size_t i = 0; i < w->text_len; i++)
		n += g_ascii_isalnum(w->text[i]) || w->text[i] == '+' || w->text[i] == '/';
	return n;
}

/* Append the bytes of a word */
static void
decode_word(GString *out, const Word *w)
{
	if (w->encoding == 'B')
	{
		guchar		buf[MAX_WORD];
		gint		state = 0;
		guint		save = 0;
		gsize		n = g_base64_decode_step(w->text, w->text_len, buf, &state, &save);

		/* what is missing at its end is padding that nobody wrote */
		if (state != 0 && w->text[w->text_len - 1] != '=')
			n += g_base64_decode_step("===", 4 - count_base64(w) % 4, buf + n, &state, &save);
		text_put(out, (char *) buf, n);
		return;
	}
	for (size_t i = 0; i < w->text_len; i++)
	{
		char		c = w->text[i];

		if (c == '_')
			c = ' ';
		else if (c == '=' && i + 2 < w->text_len &&
				 g_ascii_isxdigit(w->text[i + 1]) && g_ascii_isxdigit(w->text[i + 2]))
		{
			c = g_ascii_xdigit_value(w->text[i + 1]) * 16 + g_ascii_xdigit_value(w->text[i + 2]);
			i += 2;
		}
		g_string_append_c(out, c);
	}
}

/* Convert what has been collected in one charset */
static void
flush_words(GString *out, GString *bytes, const char *charset, Message *m)
{
	size_t		from = out->len;

	if (bytes->len == 0)
		return;
	text_to_utf8(out, bytes->str, bytes->len, charset, m);
	g_string_truncate(bytes, 0);
	/* a header has one line, whatever is hidden in a word */
	if (memchr(out->str + from, '\n', out->len - from) != NULL || memchr(out->str + from, '\r', out->len - from) != NULL)
		g_strdelimit(out->str + from, "\n\r", ' ');
}

/*
 * Decode the encoded words in clean text.  Words in a row are one run of
 * bytes while their charset is the same, since mailers split characters, and
 * the blanks between them are no text.
 */
char	   *
words_decode(Message *m, const char *s)
{
	GString    *out = g_string_new(NULL);
	GString    *bytes = g_string_new(NULL);
	char		charset[64] = "";
	const char *next;

	while ((next = strstr(s, "=?")) != NULL)
	{
		Word		w;

		if (!parse_word(next, &w))
		{
			flush_words(out, bytes, charset, m);
			g_string_append_len(out, s, next + 2 - s);
			s = next + 2;
			continue;
		}
		/* only blanks since the last word? */
		if (strspn(s, " \t") < (size_t) (next - s) || bytes->len == 0)
		{
			flush_words(out, bytes, charset, m);
			g_string_append_len(out, s, next - s);
		}
		if (strlen(charset) != w.charset_len ||
			g_ascii_strncasecmp(charset, w.charset, w.charset_len) != 0)
		{
			flush_words(out, bytes, charset, m);
			memcpy(charset, w.charset, w.charset_len);
			charset[w.charset_len] = '\0';
		}
		decode_word(bytes, &w);
		s = next + w.len;
	}
	flush_words(out, bytes, charset, m);
	g_string_append(out, s);
	g_string_free(bytes, TRUE);
	return g_string_free(out, FALSE);
}

/*
 * Put an atom in the place of each word: its number between bytes that no clean text
 * has, or who writes atoms has a word decoded a hundred thousand times.  words keeps
 * the words, as text.
 */
char	   *
words_hide(const char *s, GPtrArray *words)
{
	GString    *out = g_string_new(NULL);
	const char *next;

	while ((next = strstr(s, "=?")) != NULL)
	{
		Word		w;

		g_string_append_len(out, s, next - s);
		if (!parse_word(next, &w))
		{
			g_string_append(out, "=?");
			s = next + 2;
			continue;
		}
		g_string_append_printf(out, ATOM "%u" ATOM, words->len);
		g_ptr_array_add(words, g_strndup(next, w.len));
		s = next + w.len;
	}
	g_string_append(out, s);
	return g_string_free(out, FALSE);
}

/* Put the words back, and decode them */
char	   *
words_show(Message *m, const char *s, GPtrArray *words)
{
	GString    *out;
	const char *next;
	char	   *decoded;

	if (words->len == 0 || strstr(s, ATOM) == NULL)
		return g_strdup(s);
	out = g_string_new(NULL);
	while ((next = strstr(s, ATOM)) != NULL)
	{
		char	   *end;
		guint64		n = g_ascii_strtoull(next + 1, &end, 10);

		g_string_append_len(out, s, next - s);
		s = next + 1;
		/* one that is cut off is left out */
		if (end > s && g_str_has_prefix(end, ATOM) && n < words->len)
		{
			g_string_append(out, words->pdata[n]);
			s = end + 1;
		}
	}
	g_string_append(out, s);
	decoded = words_decode(m, out->str);
	g_string_free(out, TRUE);
	return decoded;
}
