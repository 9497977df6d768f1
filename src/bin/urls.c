/*
 * urls.c
 *	  URLs in running text.
 */
#include <string.h>

#include "assay_load.h"

/*
 * Length of the character at s when it may be part of a URL in running text,
 * else 0.  Quotes, brackets and spaces of any script end it.
 */
static int
url_char(const unsigned char *s, size_t left)
{
	gunichar	c;

	if (s[0] < 0x80)
		return s[0] > 0x20 && s[0] != 0x7F && strchr("<>\"`{}|\\^", s[0]) == NULL ? 1 : 0;
	c = g_utf8_get_char_validated((const char *) s, left);
	if (c == (gunichar) -1 || c == (gunichar) -2 || c == 0xFFFD || c == 0xFEFF ||
		c <= 0xA0 || c == 0xAB || c == 0xBB || c == 0x1680 || c == 0x180E ||
		(c >= 0x2000 && c <= 0x206F) || (c >= 0x2329 && c <= 0x232A) ||
		(c >= 0x2768 && c <= 0x2775) || (c >= 0x27E6 && c <= 0x27EF) ||
		(c >= 0x3000 && c <= 0x3004) || (c >= 0x3008 && c <= 0x3020) || c == 0x3030 ||
		(c >= 0xFE10 && c <= 0xFE6F) ||
		(c >= 0xFF01 && c <= 0xFF0D) || (c >= 0xFF1A && c <= 0xFF20) ||
		(c >= 0xFF3B && c <= 0xFF40) || (c >= 0xFF5B && c <= 0xFF65))
		return 0;
	return g_utf8_skip[s[0]];
}

/* Where the URL that begins at s ends; from is where that is looked for */
static const char *
url_end(const char *from, const char *end)
{
	const char *q = from;
	int			round = 0;
	int			square = 0;
	int			n;

	while (q < end && (n = url_char((const unsigned char *) q, end - q)) > 0)
	{
		if (*q == '(')
			round++;
		else if (*q == ')')
			round--;
		else if (*q == '[')
			square++;
		/* "[http://bank.example](http://e.example/)" */
		else if (*q == ']' && square == 0 && end - q > 1 && q[1] == '(')
			break;
		else if (*q == ']')
			square--;
		q += n;
	}
	/* what closes the sentence around it is no part of it */
	while (q > from)
	{
		char		c = q[-1];

		if (c == ')' && round < 0)
			round++;
		else if (c == ']' && square < 0)
			square++;
		else if (strchr(".,;:!?'*", c) == NULL)
			break;
		q--;
	}
	return q;
}

/* Longest URL in <…> that may be folded over lines */
#define MAX_FOLDED_URL	4096

/* <http://…>, which a line end does not end (RFC 3986, appendix C) */
static const char *
add_folded_url(Message *m, const char *start, const char *end)
{
	const char *close = memchr(start, '>', MIN(end - start, MAX_FOLDED_URL));
	GString    *url;

	if (close == NULL || memchr(start, '\n', close - start) == NULL)
		return NULL;
	for (const char *p = start; p < close;)
	{
		int			n = *p == '\n' || *p == ' ' ? 1 : url_char((const unsigned char *) p, close - p);

		/* a blank is only part of the fold */
		if (n == 0 || (*p == ' ' && p[-1] != '\n' && p[-1] != ' '))
			return NULL;
		p += n;
	}
	url = g_string_new_len(start, close - start);
	for (gsize i = url->len; i-- > 0;)
		if (url->str[i] == '\n' || url->str[i] == ' ')
			g_string_erase(url, i, 1);
	message_add_url(m, url->str, url->len);
	g_string_free(url, TRUE);
	return close;
}

/* The host before the slash at p, where none of it was taken yet, or NULL */
static const char *
bare_host(const char *from, const char *p)
{
	const char *start = p;

	while (start > from && p - start < 254 && (g_ascii_isalnum(start[-1]) || start[-1] == '-' || start[-1] == '.'))
		start--;
	if (start > from && ((unsigned char) start[-1] >= 0x80 || strchr("/@=&?%#:_~+\\$", start[-1]) != NULL))
		return NULL;
	return text_is_host(start, p - start) ? start : NULL;
}

/*
 * Note the URLs in running text: those with a scheme, www.something, and what
 * mail programs make links of without either, host.tld/path.
 */
void
find_urls(Message *m, const char *s, size_t len)
{
	const char *end = s + len;
	const char *taken = s;		/* up to where it belongs to a URL */
	const char *p = s;

	while (p < end)
	{
		const char *start = NULL;
		const char *bare = NULL;
		const char *folded;
		const char *q = p;

		if (*p == ':')
		{
			if (end - p > 3 && p[1] == '/' && p[2] == '/')
			{
				if (p - s >= 5 && g_ascii_strncasecmp(p - 5, "https", 5) == 0)
					start = p - 5;
				else if (p - s >= 4 && g_ascii_strncasecmp(p - 4, "http", 4) == 0)
					start = p - 4;
				else if (p - s >= 3 && g_ascii_strncasecmp(p - 3, "ftp", 3) == 0)
					start = p - 3;
			}
			q = p + 3;
		}
		else if (*p == 'w' || *p == 'W')
		{
			if (end - p > 6 && g_ascii_strncasecmp(p, "www.", 4) == 0 &&
				g_ascii_isalnum(p[4]) &&
				(p == s || (!g_ascii_isalnum(p[-1]) && strchr("/.@-_", p[-1]) == NULL)))
				start = p;
			q = p + 4;
		}
		else if (*p == '/')
		{
			if (p > taken && g_ascii_isalpha(p[-1]))
				start = bare = bare_host(taken, p);
			q = p + 1;
		}
		if (start == NULL)
		{
			p++;
			continue;
		}
		if (start > s && start[-1] == '<' && *p == ':' &&
			(folded = add_folded_url(m, start, end)) != NULL)
		{
			taken = p = folded;
			continue;
		}
		p = url_end(q, end);
		/* a scheme alone is no URL, a host and a slash is */
		if (p > q || start == bare)
			message_add_url(m, start, p - start);
		taken = p = MAX(p, q);
	}
}
