/*
 * html_reference.c
 *	  Character references, &amp; and their like, of which there are 2,231 names.
 *
 * libgumbo has the table of them.  It is asked for each that comes, once, and
 * what it says is kept.
 */
#include <string.h>
#include <gumbo.h>

#include "html.h"

/* References that are kept: more come from somebody who makes them up */
#define MAX_KNOWN		8192

/* Bytes of a reference that are looked at; the longest name has 31 */
#define MAX_REFERENCE	40

/* No name that goes without a semicolon is longer */
#define MAX_BARE		6

/* What a piece of source is as text of an element, by libgumbo */
static char *
ask(const char *source)
{
	GumboOptions gumbo = kGumboDefaultOptions;
	GumboOutput *output;
	GString    *out = g_string_new(NULL);

	gumbo.max_errors = 0;
	gumbo.fragment_context = GUMBO_TAG_TEXTAREA;
	output = gumbo_parse_with_options(&gumbo, source, strlen(source));
	for (unsigned i = 0; i < output->root->v.element.children.length; i++)
	{
		const GumboNode *child = output->root->v.element.children.data[i];

		if (child->type == GUMBO_NODE_TEXT || child->type == GUMBO_NODE_WHITESPACE)
			g_string_append(out, child->v.text.text);
	}
	gumbo_destroy_output(&gumbo, output);
	return g_string_free(out, FALSE);
}

/* What was asked before, and what came */
static GHashTable *known = NULL;

/* A document begins: what somebody made up fills the memory no longer than for his own */
void
html_references_begin(void)
{
	if (known == NULL)
		known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	else if (g_hash_table_size(known) >= MAX_KNOWN)
		g_hash_table_remove_all(known);
}

/* What a reference is, of what was asked before from memory; NULL where that is full */
static const char *
look_up(const char *source)
{
	char	   *is;

	is = g_hash_table_lookup(known, source);
	if (is == NULL && g_hash_table_size(known) < MAX_KNOWN)
	{
		is = ask(source);
		g_hash_table_insert(known, g_strdup(source), is);
	}
	return is;
}

/*
 * What the reference at s stands for, and its length; "&" and 1 where it is none.
 * False where that is for libgumbo to find out.
 */
static bool
read_reference(const char *s, const char *end, bool attribute, const char **is, size_t *len)
{
	char		source[MAX_REFERENCE + 2];
	const char *p = s + 1;

	*is = "&";
	*len = 1;
	if (p == end || (!g_ascii_isalnum(*p) && *p != '#'))
		return true;
	while (p < end && p - s < MAX_REFERENCE && (g_ascii_isalnum(*p) || (*p == '#' && p == s + 1)))
		p++;
	if (p < end && *p == ';')
	{
		*len = p + 1 - s;
		if (*len == 5 && memcmp(s, "&amp;", 5) == 0)
			return true;
		if (*len == 6 && memcmp(s, "&nbsp;", 6) == 0)
		{
			*is = "\xC2\xA0";
			return true;
		}
		memcpy(source, s, *len);
		source[*len] = '\0';
		*is = look_up(source);
		/* as a whole, or not at all: what it begins with may be one */
		return *is != NULL && **is != '\0' && (*is)[strlen(*is) - 1] != ';';
	}
	if (s[1] == '#')
		return false;
	/* without a semicolon, of a few names the first letters count */
	*len = MIN(p - s, MAX_BARE + 1);
	memcpy(source, s, *len);
	source[*len] = '\0';
	*is = look_up(source);
	if (*is == NULL)
		return false;
	if (strcmp(*is, source) != 0)
	{
		/* in an address as in ?a=1&copy=2 it is none */
		if (!attribute || p == end || *p != '=')
			return false;
	}
	*is = "&";
	*len = 1;
	return true;
}

/*
 * Text or a value with what its references stand for; to has room for twice as
 * much.  False where only libgumbo knows.
 */
bool
html_references(const char *s, size_t len, bool attribute, char *to, size_t *made)
{
	const char *end = s + len;
	size_t		n = 0;

	while (s < end)
	{
		const char *p = memchr(s, '&', end - s);
		const char *is;
		size_t		skip;
		size_t		is_len;

		if (p == NULL)
			p = end;
		memcpy(to + n, s, p - s);
		n += p - s;
		if (p == end)
			break;
		if (!read_reference(p, end, attribute, &is, &skip))
			return false;
		is_len = strlen(is);
		if (is_len > 2 * skip)
			return false;
		memcpy(to + n, is, is_len);
		n += is_len;
		s = p + skip;
	}
	*made = n;
	return true;
}

/* Numbers that no character has, where libgumbo's count may run over: they become U+FFFD, as in browsers, in as many bytes */
void
html_bound_references(char *s, size_t len)
{
	const char *end = s + len;

	for (char *p = s; (p = memchr(p, '&', end - p)) != NULL;)
	{
		bool		hex;
		char	   *digits;
		guint32		n = 0;

		if (*++p != '#')
			continue;
		p++;
		hex = *p == 'x' || *p == 'X';
		digits = hex ? ++p : p;
		for (; hex ? g_ascii_isxdigit(*p) : g_ascii_isdigit(*p); p++)
			n = MIN(n * (hex ? 16 : 10) + g_ascii_xdigit_value(*p), 0x110000);
		if (n < 0x110000)
			continue;
		memset(digits, '0', p - digits);
		if (hex)
			memcpy(p - 4, "FFFD", 4);
		else
			memcpy(p - 5, "65533", 5);
	}
}
