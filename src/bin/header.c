/*
 * header.c
 *	  Lines of a header block, and values without their folds: what mail.c and
 *	  body.c both need.
 */
#include <string.h>

#include "mail.h"

/* Length of the field name when a header line starts here, else 0 */
size_t
header_name_len(const char *s, const char *end)
{
	const char *p = s;
	size_t		len;

	while (p < end && *p > 32 && *p < 127 && *p != ':')
		p++;
	len = p - s;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (len == 0 || len > 256 || p >= end || *p != ':')
		return 0;
	return len;
}

/* Start of the next line */
const char *
next_line(const char *s, const char *end)
{
	const char *nl = memchr(s, '\n', end - s);

	return nl != NULL ? nl + 1 : end;
}

bool
is_blank_line(const char *s, const char *end)
{
	return s < end && (*s == '\n' || (*s == '\r' && s + 1 < end && s[1] == '\n'));
}

/*
 * Folds out, trimmed; the result is clean UTF-8.  Undeclared 8-bit text that
 * is not UTF-8 is most likely in the charset of the body.
 */
char	   *
unfold(Message *m, const char *s, size_t len, const char *charset)
{
	GString    *tmp;
	GString    *out;
	const char *end = s + len;
	const char *nl = s;			/* the next one, once it was looked for */

	while (s < end && g_ascii_isspace(*s))
		s++;
	while (end > s && g_ascii_isspace(end[-1]))
		end--;
	len = end - s;

	if (memchr(s, '\n', len) == NULL && memchr(s, '\r', len) == NULL &&
		text_is_clean(s, len))
		return g_strndup(s, len);

	tmp = g_string_sized_new(len);
	while (s < end)
	{
		const char *p;

		/* not again for each CR before it */
		if (nl <= s)
			nl = memchr(s, '\n', end - s);
		if (nl == NULL)
			nl = end;
		p = memchr(s, '\r', nl - s);
		if (p == NULL)
			p = nl;
		text_put(tmp, s, p - s);
		if (p == end)
			break;
		/* a fold of any width is one blank */
		while (p < end && g_ascii_isspace(*p))
			p++;
		while (tmp->len > 0 && g_ascii_isspace(tmp->str[tmp->len - 1]))
			g_string_truncate(tmp, tmp->len - 1);
		g_string_append_c(tmp, ' ');
		s = p;
	}
	if (text_is_clean(tmp->str, tmp->len))
		return g_string_free(tmp, FALSE);
	if (memchr(tmp->str, '\0', tmp->len) != NULL)
	{
		gsize		n = 0;

		for (gsize i = 0; i < tmp->len; i++)
			if (tmp->str[i] != '\0')
				tmp->str[n++] = tmp->str[i];
		g_string_truncate(tmp, n);
		ADD_DEFECT(m, DEFECT_NUL_BYTE);
	}
	if (text_is_clean(tmp->str, tmp->len))
		charset = NULL;
	else
		ADD_DEFECT(m, DEFECT_NO_CHARSET);
	out = g_string_sized_new(tmp->len + 16);
	text_to_utf8(out, tmp->str, tmp->len, charset, m);
	g_string_free(tmp, TRUE);
	return g_string_free(out, FALSE);
}

/* The first header of that name, or NULL */
Header	   *
find_header(GArray *headers, const char *name)
{
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (h->name[0] == name[0] && strcmp(h->name, name) == 0)
			return h;
	}
	return NULL;
}

/* Where a value begins behind comments and those characters */
const char *
skip_comments(const char *s, const char *blanks)
{
	while (*(s += strspn(s, blanks)) == '(' && strchr(s, ')') != NULL)
		s = strchr(s, ')') + 1;
	return s;
}
