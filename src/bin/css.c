/*
 * css.c
 *	  The tokens of CSS, as far as it takes to find where a declaration, a rule
 *	  or a value ends.
 *
 * What a browser takes for part of a string, a bracket or a name must not be
 * read as a declaration here: a sender would have what he shows to the reader
 * taken for hidden.
 */
#include <string.h>

#include "html.h"

/* A character of a name, but for escapes */
static inline bool
is_name_char(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '_' || (unsigned char) c >= 0x80;
}

/* Behind the escape that begins at a backslash */
static const char *
behind_escape(const char *s, const char *end)
{
	int			digits = 0;

	for (s++; s < end && digits < 6 && g_ascii_isxdigit(*s); s++)
		digits++;
	if (s < end && (digits == 0 || g_ascii_isspace(*s)))
		s++;
	return s;
}

/* Behind the string that begins at a quote; it ends with its line at the latest */
static const char *
behind_string(const char *s, const char *end)
{
	char		quote = *s;

	for (s++; s < end && *s != quote && *s != '\n'; s++)
		if (*s == '\\' && s + 1 < end)
			s++;
	return s < end ? s + 1 : end;
}

/* Is that bracket the one of "url(…)" without quotes, in which nothing but ")" is special? */
static bool
is_bare_url(const char *begin, const char *s, const char *end)
{
	if (s - begin < 3 || g_ascii_strncasecmp(s - 3, "url", 3) != 0 || (s - begin > 3 && (is_name_char(s[-4]) || s[-4] == '\\')))
		return false;
	for (s++; s < end && g_ascii_isspace(*s); s++)
		;
	return s == end || (*s != '"' && *s != '\'');
}

/* Behind anything but a bracket that begins at s */
static const char *
behind_token(const char *s, const char *end)
{
	const char *close;

	if (*s == '"' || *s == '\'')
		return behind_string(s, end);
	if (*s == '\\')
		return behind_escape(s, end);
	if (*s == '/' && end - s > 1 && s[1] == '*')
	{
		close = g_strstr_len(s + 2, end - s - 2, "*/");
		return close != NULL ? close + 2 : end;
	}
	return s + 1;
}

/*
 * Behind a string, a comment, an escape, or brackets with all that is in them,
 * that begins at s; else the next character.  Nothing before begin is looked at.
 */
const char *
css_behind(const char *begin, const char *s, const char *end)
{
	static GString *open;		/* brackets, as what closes them */

	if (*s != '(' && *s != '[' && *s != '{')
		return behind_token(s, end);
	if (open == NULL)
		open = g_string_new(NULL);
	g_string_truncate(open, 0);
	while (s < end)
	{
		if (*s == '(' && is_bare_url(begin, s, end))
		{
			while (s < end && *s != ')')
				s = *s == '\\' ? behind_escape(s, end) : s + 1;
			s += s < end;
		}
		else if (*s == '(' || *s == '[' || *s == '{')
		{
			g_string_append_c(open, *s == '(' ? ')' : *s == '[' ? ']' : '}');
			s++;
		}
		else if (open->len > 0 && *s == open->str[open->len - 1])
		{
			g_string_truncate(open, open->len - 1);
			s++;
		}
		else
			s = behind_token(s, end);
		if (open->len == 0)
			return s;
	}
	return end;
}

/*
 * The first of some characters, a set of CssChar, that is in no string, comment or
 * bracket, or the end; a bracket may be one of them
 */
const char *
css_find(const char *s, const char *end, int chars)
{
	static const unsigned char kinds[256] = {
		['"'] = CSS_SPECIAL,['\''] = CSS_SPECIAL,['\\'] = CSS_SPECIAL,['/'] = CSS_SPECIAL,
		['('] = CSS_SPECIAL,['['] = CSS_SPECIAL,['{'] = CSS_SPECIAL | CSS_BRACE,
		[';'] = CSS_SEMICOLON,[':'] = CSS_COLON,['!'] = CSS_MARK,[','] = CSS_COMMA,[' '] = CSS_BLANK
	};
	const char *begin = s;

	for (;;)
	{
		while (s < end && (kinds[(unsigned char) *s] & (chars | CSS_SPECIAL)) == 0)
			s++;
		if (s >= end)
			return end;
		if ((kinds[(unsigned char) *s] & chars) != 0)
			return s;
		s = css_behind(begin, s, end);
	}
}

/* White space and comments before and behind a name or value go. */
void
css_trim(const char **s, const char **end)
{
	for (;;)
	{
		while (*s < *end && g_ascii_isspace(**s))
			(*s)++;
		if (*end - *s < 2 || (*s)[0] != '/' || (*s)[1] != '*')
			break;
		*s = behind_token(*s, *end);
	}
	while (*end > *s && g_ascii_isspace((*end)[-1]))
		(*end)--;
}

/* Append a character that an escape stands for */
static const char *
unescape(GString *to, const char *s, const char *end)
{
	const char *behind = behind_escape(s, end);
	gunichar	c = 0;

	if (s + 1 < end && !g_ascii_isxdigit(s[1]))
	{
		g_string_append_len(to, s + 1, behind - s - 1);
		return behind;
	}
	for (s++; s < behind && g_ascii_isxdigit(*s); s++)
		c = c * 16 + g_ascii_xdigit_value(*s);
	g_string_append_unichar(to, g_unichar_validate(c) && c != 0 ? c : 0xFFFD);
	return behind;
}

/* A name or value without its comments and escapes */
void
css_clean(GString *to, const char *s, const char *end)
{
	g_string_truncate(to, 0);
	while (s < end)
	{
		const char *behind = behind_token(s, end);

		if (*s == '\\')
			unescape(to, s, end);
		else if (*s == '/' && behind > s + 1)
			g_string_append_c(to, ' ');
		else
			g_string_append_len(to, s, behind - s);
		s = behind;
	}
	while (to->len > 0 && g_ascii_isspace(to->str[to->len - 1]))
		g_string_truncate(to, to->len - 1);
}

/* Append the name that begins at s, and return what is behind it: s where there is none */
const char *
css_name(GString *to, const char *s, const char *end)
{
	while (s < end)
		if (*s == '\\')
			s = unescape(to, s, end);
		else if (is_name_char(*s))
			g_string_append_c(to, *s++);
		else
			break;
	return s;
}

/* Append what is in the string that begins at a quote, and return what is behind it */
const char *
css_string(GString *to, const char *s, const char *end)
{
	char		quote = *s++;

	while (s < end && *s != quote && *s != '\n')
		if (*s != '\\')
			g_string_append_c(to, *s++);
		else if (end - s > 1 && s[1] == '\n')
			s += 2;
		else
			s = unescape(to, s, end);
	return s < end ? s + 1 : end;
}
