/*
 * html_links.c
 *	  Where an HTML document leads: its links with their texts, and the URLs
 *	  in other attributes, in style sheets and in a refresh.
 */
#include <string.h>

#include "html.h"

/* Does a URL have this scheme, "http:"? */
static bool
has_scheme(const char *url, const char *scheme)
{
	return g_ascii_strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/* The length of a scheme that leads to the net, with its colon, or 0 */
static size_t
net_scheme(const char *url)
{
	return has_scheme(url, "http:") ? 5 : has_scheme(url, "https:") ? 6 : has_scheme(url, "ftp:") ? 4 : 0;
}

/*
 * What browsers do to the slashes of a URL that leads to the net: backslashes
 * are slashes up to the query, and any number of them stands before the host.
 */
static void
fix_slashes(GString *url)
{
	size_t		from = net_scheme(url->str);
	size_t		n;

	if (from == 0 &&
		(url->len < 2 || strchr("/\\", url->str[0]) == NULL || strchr("/\\", url->str[1]) == NULL))
		return;
	for (char *p = url->str; *p != '\0' && *p != '?' && *p != '#'; p++)
		if (*p == '\\')
			*p = '/';
	n = strspn(url->str + from, "/");
	if (n != 2 && url->str[from + n] != '\0')
	{
		g_string_erase(url, from, n);
		g_string_insert(url, from, "//");
	}
}

/* Does a URL hold a document, "data:text/html,…"? */
static bool
is_document(const char *url)
{
	if (!has_scheme(url, "data:"))
		return false;
	url += 5 + strspn(url + 5, " ");
	return has_scheme(url, "text/") || has_scheme(url, "application/x");
}

/* Keep where that document leads */
static void
note_document(HtmlState *st, const char *s, const char *end)
{
	const char *comma = memchr(s, ',', end - s);
	GString    *decoded;
	char	   *clean;

	if (comma == NULL)
		return;
	decoded = g_string_new_len(comma + 1, end - comma - 1);
	text_percent_decode(decoded);
	for (const char *p = s; p + 6 <= comma; p++)
		if (g_ascii_strncasecmp(p, "base64", 6) == 0)
		{
			gsize		len = 0;

			/* which wants two characters */
			if (decoded->len > 1)
				g_base64_decode_inplace(decoded->str, &len);
			g_string_truncate(decoded, len);
			break;
		}
	clean = text_clean(decoded->str, decoded->len, st->m, DEFECT_BAD_CHARSET);
	find_urls(st->m, g_strdelimit(clean, "'", ' '), strlen(clean));
	g_free(clean);
	g_string_free(decoded, TRUE);
}

/*
 * An attribute's URL as a browser reads it: no blanks around, no line ends or
 * tabs within, relative to <base>.
 */
static char *
link_url(HtmlState *st, const char *s, size_t len)
{
	GString    *out;
	const char *end = s + len;
	const char *from;
	bool		no_scheme;

	while (s < end && (unsigned char) *s <= ' ')
		s++;
	from = s;
	out = g_string_sized_new(MIN(end - s, 256) + 16);
	while (s < end && out->len <= MAX_URL_BYTES)
	{
		const char *p = s;

		while (p < end && *p != '\n' && *p != '\r' && *p != '\t')
			p++;
		g_string_append_len(out, s, p - s);
		s = p + 1;
	}
	while (out->len > 0 && (unsigned char) out->str[out->len - 1] <= ' ')
		g_string_truncate(out, out->len - 1);
	text_make_clean(st->m, out);
	/* which may be longer than what is kept of it */
	if (is_document(out->str))
		note_document(st, from, end);
	if (out->len > MAX_URL_BYTES)
	{
		/* a picture that is part of the message is no URL to keep */
		if (!has_scheme(out->str, "data:"))
			ADD_DEFECT(st->m, DEFECT_TRUNCATED_LIST);
		text_truncate(out, MAX_URL_BYTES);
	}
	fix_slashes(out);
	no_scheme = strcspn(out->str, ":/?#") == strcspn(out->str, "/?#");
	if (st->base != NULL && g_str_has_prefix(out->str, "//"))
		g_string_prepend_len(out, st->base, net_scheme(st->base));
	else if (st->base != NULL && out->len > 0 && out->str[0] != '#' && no_scheme)
	{
		char	   *full = g_uri_resolve_relative(st->base, out->str,
												  G_URI_FLAGS_PARSE_RELAXED | G_URI_FLAGS_ENCODED, NULL);

		if (full != NULL)
		{
			char	   *clean = text_clean(full, -1, st->m, DEFECT_BAD_CHARSET);

			g_free(full);
			g_string_free(out, TRUE);
			return clean;
		}
	}
	return g_string_free(out, FALSE);
}

/* Keep it among the URLs when it leads to the net */
static void
link_note(HtmlState *st, const char *url)
{
	if (net_scheme(url) > 0)
		message_add_url(st->m, url, strlen(url));
	else if (url[0] == '/' && url[1] == '/')
	{
		char	   *full = g_strconcat("http:", url, NULL);

		message_add_url(st->m, full, strlen(full));
		g_free(full);
	}
	else
	{
		/* mail programs complete what looks like a host, or a host and a path */
		size_t		n = strcspn(url, "/?#:");

		if (text_is_host(url, n) || (url[n] == '/' && text_is_host_form(url, n)))
			message_add_url(st->m, url, strlen(url));

		/*
		 * "ms-word:ofe|u|http://…", "view-source:http://…", or behind a
		 * blank that is none in a URL
		 */
		else if (url[n] == ':' && !has_scheme(url, "data:") && strstr(url + n + ((unsigned char) url[0] < 0x80), "://") != NULL)
		{
			char	   *within = g_strdelimit(g_strdup(url), "'", ' ');

			find_urls(st->m, within, strlen(within));
			g_free(within);
		}
	}
}

/*
 * The value of a <base>, from which g_uri_resolve_relative() goes on: with a
 * scheme and a host, and a path behind it.  One that leads elsewhere than to
 * the net counts for nothing: browsers reach nothing by it, and who heeds no
 * <base> is led by the links as they stand.
 */
void
link_base(HtmlState *st, const char *value)
{
	char	   *url = link_url(st, value, strlen(value));
	char	   *host = NULL;
	char	   *path = NULL;
	GString    *base;
	size_t		from;
	size_t		n;

	link_note(st, url);
	/* a message comes by no protocol that would be its scheme */
	base = g_string_new(url[0] == '/' && url[1] == '/' ? "http:" : "");
	g_string_append(base, url);
	g_free(url);
	from = net_scheme(base->str);
	n = from + 2 + strcspn(base->str + MIN(from + 2, base->len), "/?#");
	if (from > 0 && n < base->len + 1 && base->str[n] != '/')
		g_string_insert_c(base, n, '/');
	if (from == 0 ||
		!g_uri_split(base->str, G_URI_FLAGS_PARSE_RELAXED | G_URI_FLAGS_ENCODED, NULL, NULL, &host, NULL, &path, NULL, NULL, NULL) ||
		host == NULL || host[0] == '\0' || path[0] != '/')
	{
		g_string_free(base, TRUE);
		base = NULL;
	}
	g_free(host);
	g_free(path);
	if (base == NULL)
		return;
	st->base = g_string_free(base, FALSE);
	st->links_before_base = st->m->link_hrefs->len;
}

/* Links that stood before the document's <base>, which counts for them, too; first is the first of the document */
void
link_rebase(HtmlState *st, guint first)
{
	GPtrArray  *hrefs = st->m->link_hrefs;

	for (guint i = first; st->base != NULL && i < MIN(st->links_before_base, hrefs->len); i++)
	{
		char	   *old = hrefs->pdata[i];

		hrefs->pdata[i] = link_url(st, old, strlen(old));
		if (strcmp(old, hrefs->pdata[i]) != 0)
			link_note(st, hrefs->pdata[i]);
		g_free(old);
	}
}

/* The URL in an attribute, where it leads to the net */
void
link_attribute(HtmlState *st, const char *s)
{
	char	   *url = link_url(st, s, strlen(s));

	link_note(st, url);
	g_free(url);
}

/* The URLs of a picture in several sizes, "url 2x, url 300w": a program shows one of them, with or without src */
void
link_srcset(HtmlState *st, const char *s)
{
	static const char blanks[] = " \t\r\n\f";

	while (*(s += strspn(s, " \t\r\n\f,")) != '\0')
	{
		size_t		len = strcspn(s, blanks);
		size_t		n = len;
		char	   *url;

		while (n > 0 && s[n - 1] == ',')
			n--;
		url = link_url(st, s, n);
		link_note(st, url);
		g_free(url);
		s += len;
		/* without a comma behind it, a size follows */
		if (n == len)
			s += strcspn(s, ",");
	}
}

/* A link is over: keep it with its text */
void
link_end(HtmlState *st)
{
	GString    *t = st->link_text;

	if (!st->in_link)
		return;
	while (t->len > 0 && t->str[t->len - 1] == ' ')
		g_string_truncate(t, t->len - 1);
	/* what is around it turns it round, too */
	if (st->turn == TURN_ROUND)
		shown_turn_behind(st, t, 0, false);
	/* an image is its alternative text */
	if (t->len == 0 && st->link_alt != NULL)
		g_string_assign(t, st->link_alt);
	text_make_clean(st->m, t);
	text_truncate(t, MAX_LINK_TEXT);
	message_add_link(st->m, t->str, st->href);
	g_string_truncate(t, 0);
	g_free(st->href);
	g_free(st->link_alt);
	st->href = st->link_alt = NULL;
	st->in_link = false;
}

/* A link begins, and ends the one that is open */
void
link_begin(HtmlState *st, const char *value, size_t len)
{
	link_end(st);
	st->href = link_url(st, value, len);
	link_note(st, st->href);
	st->in_link = true;
}

/* url(…) and @import "…" in CSS */
void
link_css(HtmlState *st, const char *s)
{
	for (const char *p = s; (p = strpbrk(p, "(@")) != NULL;)
	{
		size_t		n;
		char	   *url;

		if (*p == '@')
		{
			p++;
			if (g_ascii_strncasecmp(p, "import", 6) != 0)
				continue;
			p += 6 + strspn(p + 6, " \t\r\n\f");
			if (*p != '"' && *p != '\'')
				continue;
		}
		else
		{
			p++;
			if (p - s < 4 || g_ascii_strncasecmp(p - 4, "url", 3) != 0)
				continue;
		}
		p += strspn(p, " \t\r\n\f\"'");
		n = strcspn(p, ")\"'");
		url = link_url(st, p, n);
		link_note(st, url);
		g_free(url);
		p += n;
	}
}

/* <meta http-equiv="refresh" content="0; url=…">, where url= may be missing */
void
link_refresh(HtmlState *st, const char *s)
{
	size_t		n;
	char		quote = '\0';
	char	   *url;

	s += strspn(s, " \t\r\n0123456789.");
	s += strspn(s, ";, \t\r\n");
	if (g_ascii_strncasecmp(s, "url", 3) == 0)
	{
		const char *p = s + 3 + strspn(s + 3, " \t\r\n");

		if (*p == '=')
			s = p + 1 + strspn(p + 1, " \t\r\n");
	}
	if (*s == '"' || *s == '\'')
		quote = *s++;
	n = quote != '\0' ? strcspn(s, quote == '"' ? "\"" : "'") : strlen(s);
	url = link_url(st, s, n);
	link_note(st, url);
	g_free(url);
}
