/*
 * html.c
 *	  HTML to the text that a reader sees, and the links in it.
 *
 * libxml2's HTML parser in recovery mode calls us back for each element; no
 * tree is built.  Two things in it take quadratic time, very many attributes
 * in a tag and very deep nesting: what has them goes to a plain stripper of
 * tags instead, with the defect noted.
 *
 * This file alone includes libxml2.
 */
#include <string.h>
#include <libxml/HTMLparser.h>
#include <libxml/uri.h>

#include "assay_load.h"

#define MAX_ATTRIBUTES	1000	/* in one tag */
#define MAX_DEPTH		512		/* browsers flatten what is deeper */

#define BODY			"<html><body>"

typedef struct HtmlState
{
	Message    *m;
	GString    *text;
	bool		pending_space;
	int			pending_newlines;
	int			indent;			/* blanks after a line end in <pre> */
	int			pre;			/* depth in <pre> */
	int			skip;			/* depth in what no reader sees */
	int			depth;
	bool		too_deep;
	long		stopped_at;		/* bytes parsed when it was too deep */
	char	   *base;			/* <base href> */
	bool		in_link;
	char	   *href;
	GString    *link_text;
	char	   *link_alt;
} HtmlState;

typedef enum Break
{
	BREAK_NONE, BREAK_SPACE, BREAK_LINE, BREAK_PARAGRAPH, BREAK_SKIP
} Break;

/* How an element interrupts the text around it */
static Break
element_break(const char *name)
{
	static const struct
	{
		const char *name;
		Break		brk;
	}			breaks[] =
	{
		{"address", BREAK_LINE},
		{"article", BREAK_LINE},
		{"aside", BREAK_LINE},
		{"blockquote", BREAK_PARAGRAPH},
		{"body", BREAK_LINE},
		{"br", BREAK_LINE},
		{"caption", BREAK_LINE},
		{"center", BREAK_LINE},
		{"dd", BREAK_LINE},
		{"dir", BREAK_LINE},
		{"div", BREAK_LINE},
		{"dl", BREAK_PARAGRAPH},
		{"dt", BREAK_LINE},
		{"fieldset", BREAK_LINE},
		{"footer", BREAK_LINE},
		{"form", BREAK_LINE},
		{"h1", BREAK_PARAGRAPH},
		{"h2", BREAK_PARAGRAPH},
		{"h3", BREAK_PARAGRAPH},
		{"h4", BREAK_PARAGRAPH},
		{"h5", BREAK_PARAGRAPH},
		{"h6", BREAK_PARAGRAPH},
		{"header", BREAK_LINE},
		{"hr", BREAK_LINE},
		{"iframe", BREAK_LINE},
		{"legend", BREAK_LINE},
		{"li", BREAK_LINE},
		{"main", BREAK_LINE},
		{"menu", BREAK_LINE},
		{"nav", BREAK_LINE},
		{"ol", BREAK_PARAGRAPH},
		{"option", BREAK_LINE},
		{"p", BREAK_PARAGRAPH},
		{"pre", BREAK_PARAGRAPH},
		{"script", BREAK_SKIP},
		{"section", BREAK_LINE},
		{"select", BREAK_LINE},
		{"style", BREAK_SKIP},
		{"table", BREAK_LINE},
		{"td", BREAK_SPACE},
		{"textarea", BREAK_LINE},
		{"th", BREAK_SPACE},
		{"title", BREAK_SKIP},
		{"tr", BREAK_LINE},
		{"ul", BREAK_PARAGRAPH},
	};
	int			low = 0;
	int			high = G_N_ELEMENTS(breaks) - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			c = strcmp(name, breaks[mid].name);

		if (c == 0)
			return breaks[mid].brk;
		if (c < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return BREAK_NONE;
}

static void
note_break(HtmlState *st, Break brk)
{
	switch (brk)
	{
		case BREAK_SPACE:
			st->pending_space = true;
			break;
		case BREAK_LINE:
			st->pending_newlines = MAX(st->pending_newlines, 1);
			break;
		case BREAK_PARAGRAPH:
			st->pending_newlines = 2;
			break;
		default:
			break;
	}
	if (st->in_link)
		st->link_text->len > 0 && st->link_text->str[st->link_text->len - 1] != ' ' ?
			(void) g_string_append_c(st->link_text, ' ') : (void) 0;
}

/* Text as it is shown: white space collapsed outside of <pre> */
static void
add_text(HtmlState *st, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end)
	{
		const char *p = s;
		bool		nbsp = (end - s >= 2 && (unsigned char) s[0] == 0xC2 && (unsigned char) s[1] == 0xA0);

		if (nbsp || *s == ' ' || *s == '\t' || *s == '\n' || *s == '\r' || *s == '\f')
		{
			if (st->in_link && st->link_text->len > 0 &&
				st->link_text->str[st->link_text->len - 1] != ' ')
				g_string_append_c(st->link_text, ' ');
			if (st->pre > 0 && !nbsp)
			{
				if (*s == '\n')
				{
					st->pending_newlines++;
					st->indent = 0;
				}
				else if (*s != '\r' && st->pending_newlines == 0)
					g_string_append_c(st->text, *s);
				else if (*s != '\r')
					st->indent++;
			}
			else
				st->pending_space = true;
			s += nbsp ? 2 : 1;
			continue;
		}
		while (p < end && *p != ' ' && *p != '\t' && *p != '\n' && *p != '\r' && *p != '\f' &&
			   !(end - p >= 2 && (unsigned char) p[0] == 0xC2 && (unsigned char) p[1] == 0xA0))
			p++;
		if (st->text->len > 0)
		{
			if (st->pending_newlines > 0)
			{
				while (st->text->len > 0 && st->text->str[st->text->len - 1] == ' ')
					g_string_truncate(st->text, st->text->len - 1);
				for (int i = 0; i < MIN(st->pending_newlines, 2); i++)
					g_string_append_c(st->text, '\n');
				for (int i = 0; i < MIN(st->indent, 80) && st->pre > 0; i++)
					g_string_append_c(st->text, ' ');
			}
			else if (st->pending_space)
				g_string_append_c(st->text, ' ');
		}
		st->pending_newlines = 0;
		st->pending_space = false;
		st->indent = 0;
		g_string_append_len(st->text, s, p - s);
		if (st->in_link && st->link_text->len < MAX_LINK_TEXT)
			g_string_append_len(st->link_text, s, p - s);
		s = p;
	}
}

/* ---- links --------------------------------------------------------------- */

/*
 * An attribute's URL as a browser reads it: no blanks around, no line ends or
 * tabs within, relative to <base>.
 */
static char *
clean_url(HtmlState *st, const char *s)
{
	GString    *out;

	while (*s != '\0' && (unsigned char) *s <= ' ')
		s++;
	out = g_string_sized_new(128);
	for (; *s != '\0' && out->len <= MAX_URL_BYTES; s++)
		if (*s != '\n' && *s != '\r' && *s != '\t')
			g_string_append_c(out, *s);
	while (out->len > 0 && (unsigned char) out->str[out->len - 1] <= ' ')
		g_string_truncate(out, out->len - 1);
	if (out->len > MAX_URL_BYTES)
	{
		ADD_DEFECT(st->m, DEFECT_TRUNCATED_LIST);
		text_truncate(out, MAX_URL_BYTES);
	}
	if (st->base != NULL && out->len > 0 && out->str[0] != '#' &&
		strcspn(out->str, ":/?#") == strcspn(out->str, "/?#"))
	{
		xmlChar    *full = xmlBuildURI((xmlChar *) out->str, (xmlChar *) st->base);

		if (full != NULL)
		{
			char	   *clean = text_clean((char *) full, -1, st->m, DEFECT_BAD_CHARSET);

			xmlFree(full);
			g_string_free(out, TRUE);
			return clean;
		}
	}
	return g_string_free(out, FALSE);
}

/* Keep it among the URLs when it leads to the net */
static void
note_url(HtmlState *st, const char *url)
{
	char	   *full;

	if (g_ascii_strncasecmp(url, "http:", 5) == 0 ||
		g_ascii_strncasecmp(url, "https:", 6) == 0 ||
		g_ascii_strncasecmp(url, "ftp:", 4) == 0)
		message_add_url(st->m, url, strlen(url));
	else if (url[0] == '/' && url[1] == '/')
	{
		full = g_strconcat("http:", url, NULL);
		message_add_url(st->m, full, strlen(full));
		g_free(full);
	}
	else if (g_ascii_strncasecmp(url, "www.", 4) == 0)
		message_add_url(st->m, url, strlen(url));
}

static void
end_link(HtmlState *st)
{
	GString    *t = st->link_text;

	if (!st->in_link)
		return;
	while (t->len > 0 && t->str[t->len - 1] == ' ')
		g_string_truncate(t, t->len - 1);
	/* an image is its alternative text */
	if (t->len == 0 && st->link_alt != NULL)
		g_string_assign(t, st->link_alt);
	text_truncate(t, MAX_LINK_TEXT);
	message_add_link(st->m, t->str, st->href);
	g_string_truncate(t, 0);
	g_free(st->href);
	g_free(st->link_alt);
	st->href = st->link_alt = NULL;
	st->in_link = false;
}

static const char *
attribute(const xmlChar **atts, const char *name)
{
	if (atts == NULL)
		return NULL;
	for (int i = 0; atts[i] != NULL; i += 2)
		if (strcmp((const char *) atts[i], name) == 0)
			return (const char *) atts[i + 1];
	return NULL;
}

/* ---- callbacks ----------------------------------------------------------- */

static void
start_element(void *ctx, const xmlChar *name, const xmlChar **atts)
{
	htmlParserCtxtPtr ctxt = ctx;
	HtmlState  *st = ctxt->_private;
	const char *n = (const char *) name;
	Break		brk = element_break(n);
	const char *value;

	if (st->too_deep)
		return;
	if (++st->depth > MAX_DEPTH)
	{
		st->too_deep = true;
		st->stopped_at = ctxt->input->consumed + (ctxt->input->cur - ctxt->input->base);
		xmlStopParser(ctxt);
		return;
	}
	if (brk == BREAK_SKIP)
	{
		st->skip++;
		return;
	}
	note_break(st, brk);
	if (strcmp(n, "pre") == 0)
		st->pre++;
	else if (strcmp(n, "a") == 0 || strcmp(n, "area") == 0)
	{
		if ((value = attribute(atts, "href")) != NULL)
		{
			end_link(st);
			st->href = clean_url(st, value);
			note_url(st, st->href);
			st->in_link = true;
			if (n[1] == 'r')
			{
				if ((value = attribute(atts, "alt")) != NULL)
					st->link_alt = g_strdup(value);
				end_link(st);
			}
		}
	}
	else if (strcmp(n, "img") == 0 || strcmp(n, "iframe") == 0 || strcmp(n, "frame") == 0 ||
			 strcmp(n, "form") == 0)
	{
		char	   *url;

		if ((value = attribute(atts, n[0] == 'f' && n[1] == 'o' ? "action" : "src")) != NULL)
		{
			url = clean_url(st, value);
			note_url(st, url);
			g_free(url);
		}
		if (st->in_link && st->link_alt == NULL && (value = attribute(atts, "alt")) != NULL)
			st->link_alt = g_strdup(value);
	}
	else if (strcmp(n, "base") == 0)
	{
		if (st->base == NULL && (value = attribute(atts, "href")) != NULL)
		{
			char	   *base = clean_url(st, value);

			note_url(st, base);
			st->base = base;
		}
	}
	else if (strcmp(n, "meta") == 0)
	{
		/* <meta http-equiv="refresh" content="0; url=…"> */
		const char *equiv = attribute(atts, "http-equiv");

		if (equiv != NULL && g_ascii_strcasecmp(equiv, "refresh") == 0 &&
			(value = attribute(atts, "content")) != NULL &&
			(value = strchr(value, '=')) != NULL)
		{
			char	   *url = clean_url(st, value + 1);

			note_url(st, url);
			g_free(url);
		}
	}
}

static void
end_element(void *ctx, const xmlChar *name)
{
	htmlParserCtxtPtr ctxt = ctx;
	HtmlState  *st = ctxt->_private;
	const char *n = (const char *) name;
	Break		brk = element_break(n);

	if (st->too_deep)
		return;
	if (st->depth > 0)
		st->depth--;
	if (brk == BREAK_SKIP)
	{
		if (st->skip > 0)
			st->skip--;
		return;
	}
	if (strcmp(n, "br") != 0)
		note_break(st, brk);
	if (strcmp(n, "pre") == 0 && st->pre > 0)
		st->pre--;
	else if (strcmp(n, "a") == 0)
		end_link(st);
}

static void
characters(void *ctx, const xmlChar *ch, int len)
{
	HtmlState  *st = ((htmlParserCtxtPtr) ctx)->_private;

	if (!st->too_deep && st->skip == 0)
		add_text(st, (const char *) ch, len);
}

/* The content of <script> and <style> */
static void
cdata_block(void *ctx, const xmlChar *ch, int len)
{
}

/* ---- the plain stripper -------------------------------------------------- */

/* Tags out, entities decoded; linear in time whatever comes */
static void
strip_tags(HtmlState *st, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end)
	{
		const char *p = s;

		while (p < end && *p != '<' && *p != '&')
			p++;
		if (p > s)
			add_text(st, s, p - s);
		if (p == end)
			break;
		if (*p == '<')
		{
			const char *gt = memchr(p, '>', end - p);

			note_break(st, BREAK_SPACE);
			s = gt != NULL ? gt + 1 : end;
			continue;
		}
		/* &name; &#10; &#x0A; */
		{
			char		name[32];
			char		utf8[8];
			size_t		n = 0;
			gunichar	c = 0;

			for (s = p + 1; s < end && n < sizeof(name) - 1 && (g_ascii_isalnum(*s) || *s == '#'); s++)
				name[n++] = *s;
			name[n] = '\0';
			if (name[0] == '#')
				c = (name[1] == 'x' || name[1] == 'X') ?
					g_ascii_strtoull(name + 2, NULL, 16) : g_ascii_strtoull(name + 1, NULL, 10);
			else
			{
				const htmlEntityDesc *entity = htmlEntityLookup((xmlChar *) name);

				if (entity != NULL)
					c = entity->value;
			}
			if (c > 0 && g_unichar_validate(c))
			{
				add_text(st, utf8, g_unichar_to_utf8(c, utf8));
				if (s < end && *s == ';')
					s++;
			}
			else
			{
				add_text(st, "&", 1);
				s = p + 1;
			}
		}
	}
}

/* Does any tag have more attributes than anybody writes? */
static bool
has_absurd_tag(const char *s, size_t len)
{
	const char *end = s + len;

	while ((s = memchr(s, '<', end - s)) != NULL)
	{
		int			words = 0;
		bool		blank = true;

		for (s++; s < end && *s != '>' && *s != '<'; s++)
		{
			bool		sep = g_ascii_isspace(*s) || *s == '"' || *s == '\'' || *s == '/';

			if (blank && !sep && ++words > MAX_ATTRIBUTES * 4)
				return true;
			blank = sep;
		}
		if (s >= end)
			break;
	}
	return false;
}

/*
 * A comment that is never closed would swallow the rest of the document.
 * That hides it from us, not from a reader whose program ends it at the next
 * ">": so do we.
 */
static void
close_comment(Message *m, GString *html)
{
	char	   *last_end = g_strrstr_len(html->str, html->len, "-->");
	char	   *from = last_end != NULL ? last_end + 3 : html->str;
	char	   *open;

	while ((open = g_strstr_len(from, html->str + html->len - from, "<!--")) != NULL)
	{
		memcpy(open, "<br ", 4);
		ADD_DEFECT(m, DEFECT_BROKEN_HTML);
		from = open + 4;
	}
}

/* Append the text of an HTML document, clean UTF-8; links go to the message */
void
html_to_text(Message *m, GString *source, GString *text)
{
	HtmlState	st = {0};
	const char *html;
	size_t		len;
	htmlParserCtxtPtr ctxt;
	size_t		from = 0;

	/* in a body, text alone is not taken for a paragraph */
	g_string_prepend(source, BODY);
	html = source->str;
	len = source->len;
	close_comment(m, source);
	st.m = m;
	st.text = text;

	st.link_text = g_string_new(NULL);

	if (has_absurd_tag(html, len) || (ctxt = htmlNewParserCtxt()) == NULL)
	{
		ADD_DEFECT(m, DEFECT_BROKEN_HTML);
		strip_tags(&st, html, len);
	}
	else
	{
		htmlSAXHandler sax = {0};

		sax.startElement = start_element;
		sax.endElement = end_element;
		sax.characters = characters;
		sax.ignorableWhitespace = characters;
		sax.cdataBlock = cdata_block;
		*ctxt->sax = sax;
		ctxt->_private = &st;
		htmlCtxtReadMemory(ctxt, html, len, NULL, "UTF-8",
						   HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
						   HTML_PARSE_NONET | HTML_PARSE_NOIMPLIED | HTML_PARSE_IGNORE_ENC);
		if (ctxt->myDoc != NULL)
			xmlFreeDoc(ctxt->myDoc);
		ctxt->myDoc = NULL;
		htmlFreeParserCtxt(ctxt);
		if (st.too_deep)
		{
			ADD_DEFECT(m, DEFECT_BROKEN_HTML);
			if (st.stopped_at > 0 && (size_t) st.stopped_at <= len)
				from = st.stopped_at;
			/* the tag that was too much has been read up to its end */
			while (from < len && (html[from] == '/' || html[from] == '>'))
				from++;
			strip_tags(&st, html + from, len - from);
		}
	}
	end_link(&st);
	g_string_free(st.link_text, TRUE);
	g_free(st.base);
	if (!text_is_clean(text->str, text->len))
	{
		/* libxml2 gives UTF-8; trust is good, but the server checks */
		GString    *clean = g_string_sized_new(text->len + 16);

		text_append_clean(clean, text->str, text->len, m, DEFECT_BAD_CHARSET);
		g_string_assign(text, clean->str);
		g_string_free(clean, TRUE);
	}
}
