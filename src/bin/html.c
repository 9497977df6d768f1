/*
 * html.c
 *	  HTML to the text that a reader sees, what is hidden from him, and links.
 *
 * libgumbo, an HTML5 parser, makes of a document what a browser makes of it,
 * however broken it is.  Its memory comes from an arena here, which makes it
 * fast, bounds what a document may cost, and frees a tree of any depth
 * without recursion.  What would take it quadratic time (very deep nesting,
 * very many attributes) is found in a scan before; such a document goes to a
 * plain stripper of tags, which keeps its links, with the defect noted.
 *
 * This file alone includes libgumbo.
 */
#include <setjmp.h>
#include <string.h>
#include <gumbo.h>

#include "assay_load.h"
#include "html.h"

#define MAX_ATTRIBUTES	1000	/* in one tag */
#define MAX_COST		(100 * 1000 * 1000) /* steps down a stack of elements */
#define MAX_ARENA		((size_t) 512 * 1024 * 1024)
#define ARENA_CHUNK		((size_t) 1024 * 1024)
#define MAX_RULES		2000	/* of style sheets */
#define MAX_CLASSES		16		/* of one element */

/* ---- memory for libgumbo ------------------------------------------------- */

typedef struct Arena
{
	GPtrArray  *chunks;
	char	   *next;
	size_t		left;
	size_t		total;
	jmp_buf		full;			/* where to go when it is too much */
} Arena;

/* Called by libgumbo, which can't handle a failure: leave it altogether */
static void *
arena_alloc(void *userdata, size_t size)
{
	Arena	   *arena = userdata;
	void	   *p;

	size = (size + 15) & ~(size_t) 15;
	if (size > arena->left)
	{
		size_t		chunk = MAX(size, ARENA_CHUNK);

		if (size > MAX_ARENA || arena->total + chunk > MAX_ARENA)
			longjmp(arena->full, 1);
		arena->next = g_malloc(chunk);
		arena->left = chunk;
		arena->total += chunk;
		g_ptr_array_add(arena->chunks, arena->next);
	}
	p = arena->next;
	arena->next += size;
	arena->left -= size;
	return p;
}

static void
arena_free(void *userdata, void *p)
{
}

/* Everything back, but the first chunk: the next document needs one too */
static void
arena_reset(Arena *arena)
{
	if (arena->chunks->len > 1)
		g_ptr_array_set_size(arena->chunks, 1);
	arena->total = arena->chunks->len > 0 ? ARENA_CHUNK : 0;
	arena->next = arena->chunks->len > 0 ? arena->chunks->pdata[0] : NULL;
	arena->left = arena->total;
}

/* ---- tags, as they stand in the source ----------------------------------- */

typedef struct Tag
{
	const char *name;
	size_t		name_len;
	bool		closing;
	int			attributes;
	/* the values of the attributes that lead somewhere */
	const char *href;
	size_t		href_len;
	const char *src;
	size_t		src_len;
	const char *end;			/* after the > */
} Tag;

static bool
is_name(const char *s, size_t len, const char *name)
{
	return (s[0] | 0x20) == name[0] && len == strlen(name) && g_ascii_strncasecmp(s, name, len) == 0;
}

/* Read the tag at s, "<a …>" or "</a …>"; false where there is none */
static bool
read_tag(const char *s, const char *end, Tag *tag)
{
	const char *p = s + 1;

	memset(tag, 0, sizeof(*tag));
	if (p < end && *p == '/')
	{
		tag->closing = true;
		p++;
	}
	if (p >= end || !g_ascii_isalpha(*p))
		return false;
	tag->name = p;
	while (p < end && !g_ascii_isspace(*p) && *p != '/' && *p != '>')
		p++;
	tag->name_len = p - tag->name;
	while (p < end && *p != '>')
	{
		const char *name = p;
		const char *value;
		size_t		name_len;

		if (g_ascii_isspace(*p) || *p == '/')
		{
			p++;
			continue;
		}
		/* a name may begin with "=" */
		p++;
		while (p < end && !g_ascii_isspace(*p) && *p != '/' && *p != '>' && *p != '=')
			p++;
		name_len = p - name;
		tag->attributes++;
		while (p < end && g_ascii_isspace(*p))
			p++;
		if (p >= end || *p != '=')
			continue;
		p++;
		while (p < end && g_ascii_isspace(*p))
			p++;
		value = p;
		if (p < end && (*p == '"' || *p == '\''))
		{
			value++;
			p = memchr(value, *p, end - value);
			if (p == NULL)
				p = end;
		}
		else
			while (p < end && !g_ascii_isspace(*p) && *p != '>')
				p++;
		if (is_name(name, name_len, "href"))
			tag->href = value, tag->href_len = p - value;
		else if (is_name(name, name_len, "src") || is_name(name, name_len, "action"))
			tag->src = value, tag->src_len = p - value;
		if (p < end && *p != '>')
			p++;
	}
	tag->end = p < end ? p + 1 : end;
	return true;
}

typedef enum TagKind
{
	TAG_INLINE,					/* closes nothing but its own kind */
	TAG_BLOCK,					/* its end tag closes what is open in it */
	TAG_BARRIER,				/* end tags within don't reach out of it */
	TAG_VOID,
	TAG_RAW						/* holds text that is no markup */
} TagKind;

static TagKind
tag_kind(const char *s, size_t len)
{
	static const struct
	{
		const char *name;
		TagKind		kind;
	}			kinds[] =
	{
		{"br", TAG_VOID}, {"img", TAG_VOID}, {"td", TAG_BARRIER}, {"tr", TAG_BLOCK},
		{"p", TAG_BLOCK}, {"div", TAG_BLOCK}, {"table", TAG_BARRIER}, {"tbody", TAG_BLOCK},
		{"th", TAG_BARRIER}, {"center", TAG_BLOCK}, {"li", TAG_BLOCK}, {"ul", TAG_BLOCK},
		{"hr", TAG_VOID}, {"input", TAG_VOID}, {"meta", TAG_VOID}, {"link", TAG_VOID},
		{"area", TAG_VOID}, {"base", TAG_VOID}, {"col", TAG_VOID}, {"embed", TAG_VOID},
		{"param", TAG_VOID}, {"source", TAG_VOID}, {"track", TAG_VOID}, {"wbr", TAG_VOID},
		{"script", TAG_RAW}, {"style", TAG_RAW}, {"title", TAG_RAW}, {"textarea", TAG_RAW},
		{"xmp", TAG_RAW}, {"iframe", TAG_RAW}, {"noembed", TAG_RAW}, {"noframes", TAG_RAW},
		{"caption", TAG_BARRIER}, {"template", TAG_BARRIER}, {"marquee", TAG_BARRIER},
		{"object", TAG_BARRIER}, {"applet", TAG_BARRIER}, {"svg", TAG_BARRIER},
		{"math", TAG_BARRIER}, {"button", TAG_BLOCK}, {"html", TAG_VOID}, {"body", TAG_VOID},
		{"head", TAG_VOID}, {"h1", TAG_BLOCK}, {"h2", TAG_BLOCK}, {"h3", TAG_BLOCK},
		{"h4", TAG_BLOCK}, {"ol", TAG_BLOCK}, {"dl", TAG_BLOCK}, {"dd", TAG_BLOCK},
		{"dt", TAG_BLOCK}, {"form", TAG_VOID}, {"section", TAG_BLOCK}, {"blockquote", TAG_BLOCK},
		{"thead", TAG_BLOCK}, {"tfoot", TAG_BLOCK}, {"pre", TAG_BLOCK}, {"article", TAG_BLOCK},
		{"header", TAG_BLOCK}, {"footer", TAG_BLOCK}, {"option", TAG_BLOCK},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if ((s[0] | 0x20) == kinds[i].name[0] && is_name(s, len, kinds[i].name))
			return kinds[i].kind;
	return TAG_INLINE;
}

/* An element that the scan takes for open */
typedef struct Open
{
	const char *name;
	size_t		len;
	TagKind		kind;
} Open;

/* How far down an end tag is looked for */
#define SCAN_DEPTH	24

/* What an end tag closes, at the least: never more than the parser closes */
static void
close_tag(GArray *stack, const Tag *tag, TagKind kind)
{
	for (guint i = 0; i < SCAN_DEPTH && i < stack->len; i++)
	{
		Open	   *open = &g_array_index(stack, Open, stack->len - 1 - i);

		if (open->len == tag->name_len &&
			g_ascii_strncasecmp(open->name, tag->name, open->len) == 0)
		{
			g_array_set_size(stack, stack->len - 1 - i);
			return;
		}
		if (kind == TAG_INLINE && open->kind != TAG_INLINE)
			return;
		if (open->kind == TAG_BARRIER && kind != TAG_BARRIER &&
			!(is_name(tag->name, tag->name_len, "tr") && !is_name(open->name, open->len, "table")))
			return;
	}
}

/*
 * Would a document cost the parser more than its size justifies?  The parser
 * looks at the elements that are open for each tag, and at each attribute of
 * a tag for each other; count that.
 */
static bool
is_costly(const char *s, size_t len)
{
	const char *end = s + len;
	GArray	   *stack = g_array_new(FALSE, FALSE, sizeof(Open));
	int64_t		cost = 0;

	while (cost < MAX_COST && s < end && (s = memchr(s, '<', end - s)) != NULL)
	{
		Tag			tag;
		TagKind		kind;
		Open		open;

		if (!read_tag(s, end, &tag))
		{
			/* a comment hides the tags in it */
			if (end - s >= 7 && memcmp(s, "<!--", 4) == 0 && s[4] != '>' && s[4] != '-')
			{
				const char *close = g_strstr_len(s + 4, end - s - 4, "-->");

				s = close != NULL ? close + 3 : s + 4;
			}
			else
				s++;
			continue;
		}
		s = tag.end;
		cost += stack->len + (int64_t) tag.attributes * tag.attributes / 2;
		if (tag.attributes > MAX_ATTRIBUTES)
			cost = MAX_COST;
		kind = tag_kind(tag.name, tag.name_len);
		if (kind == TAG_VOID || kind == TAG_RAW)
			continue;
		if (tag.closing)
		{
			close_tag(stack, &tag, kind);
			continue;
		}
		open.name = tag.name;
		open.len = tag.name_len;
		open.kind = kind;
		/* <li> ends the <li> right before it, and so on */
		if (stack->len > 0 && kind != TAG_INLINE)
		{
			Open	   *top = &g_array_index(stack, Open, stack->len - 1);

			if (top->len == open.len && g_ascii_strncasecmp(top->name, open.name, open.len) == 0 &&
				(is_name(open.name, open.len, "p") || is_name(open.name, open.len, "li") ||
				 is_name(open.name, open.len, "td") || is_name(open.name, open.len, "th") ||
				 is_name(open.name, open.len, "option")))
				continue;
		}
		g_array_append_val(stack, open);
	}
	g_array_free(stack, TRUE);
	return cost >= MAX_COST;
}

/* ---- text ---------------------------------------------------------------- */

/* Text that is being put together, with the white space that is due */
typedef struct Out
{
	GString    *s;
	bool		pending_space;
	int			pending_newlines;
	int			indent;			/* blanks after a line end in <pre> */
} Out;

typedef struct HtmlState
{
	Message    *m;
	Out			seen;
	Out			hidden;
	bool		links_only;		/* in a conditional comment */
	char	   *base;			/* <base href> */
	GHashTable *rules;			/* of style sheets: selector to declarations */
	bool		in_link;
	char	   *href;
	GString    *link_text;
	char	   *link_alt;
} HtmlState;

/* An element on the way down the tree */
typedef struct Frame
{
	const GumboNode *node;
	unsigned	next;			/* child to visit */
	Style		style;
	bool		pre;
	bool		link;			/* began a link */
} Frame;

typedef enum Break
{
	BREAK_NONE, BREAK_SPACE, BREAK_LINE, BREAK_PARAGRAPH, BREAK_SKIP
} Break;

/* How an element interrupts the text around it */
static Break
element_break(GumboTag tag)
{
	switch (tag)
	{
		case GUMBO_TAG_SCRIPT:
		case GUMBO_TAG_STYLE:
		case GUMBO_TAG_TITLE:
		case GUMBO_TAG_TEMPLATE:
		case GUMBO_TAG_NOFRAMES:
		case GUMBO_TAG_NOEMBED:
			return BREAK_SKIP;
		case GUMBO_TAG_BLOCKQUOTE:
		case GUMBO_TAG_DL:
		case GUMBO_TAG_H1:
		case GUMBO_TAG_H2:
		case GUMBO_TAG_H3:
		case GUMBO_TAG_H4:
		case GUMBO_TAG_H5:
		case GUMBO_TAG_H6:
		case GUMBO_TAG_OL:
		case GUMBO_TAG_P:
		case GUMBO_TAG_PRE:
		case GUMBO_TAG_UL:
			return BREAK_PARAGRAPH;
		case GUMBO_TAG_ADDRESS:
		case GUMBO_TAG_ARTICLE:
		case GUMBO_TAG_ASIDE:
		case GUMBO_TAG_BODY:
		case GUMBO_TAG_BR:
		case GUMBO_TAG_CAPTION:
		case GUMBO_TAG_CENTER:
		case GUMBO_TAG_DD:
		case GUMBO_TAG_DIR:
		case GUMBO_TAG_DIV:
		case GUMBO_TAG_DT:
		case GUMBO_TAG_FIELDSET:
		case GUMBO_TAG_FIGURE:
		case GUMBO_TAG_FOOTER:
		case GUMBO_TAG_FORM:
		case GUMBO_TAG_HEADER:
		case GUMBO_TAG_HR:
		case GUMBO_TAG_IFRAME:
		case GUMBO_TAG_LEGEND:
		case GUMBO_TAG_LI:
		case GUMBO_TAG_MAIN:
		case GUMBO_TAG_MENU:
		case GUMBO_TAG_NAV:
		case GUMBO_TAG_OPTION:
		case GUMBO_TAG_SECTION:
		case GUMBO_TAG_SELECT:
		case GUMBO_TAG_TABLE:
		case GUMBO_TAG_TEXTAREA:
		case GUMBO_TAG_TR:
			return BREAK_LINE;
		case GUMBO_TAG_TD:
		case GUMBO_TAG_TH:
			return BREAK_SPACE;
		default:
			return BREAK_NONE;
	}
}

static void
out_break(Out *out, Break brk)
{
	if (brk == BREAK_SPACE)
		out->pending_space = true;
	else if (brk == BREAK_LINE)
		out->pending_newlines = MAX(out->pending_newlines, 1);
	else if (brk == BREAK_PARAGRAPH)
		out->pending_newlines = 2;
}

/* An element begins or ends: where none of it is shown, it breaks no line either */
static void
note_break(HtmlState *st, Break brk, const Style *style)
{
	if (brk == BREAK_NONE)
		return;
	out_break(&st->hidden, brk);
	if (style != NULL && style->gone)
		return;
	out_break(&st->seen, brk);
	if (st->in_link && st->link_text->len > 0 &&
		st->link_text->str[st->link_text->len - 1] != ' ')
		g_string_append_c(st->link_text, ' ');
}

/* Length of the character at s when it leaves no mark on a screen, else 0 */
static int
invisible_char(const unsigned char *s, size_t left)
{
	if (s[0] == 0xC2)
		return left > 1 && s[1] == 0xAD ? 2 : 0;	/* soft hyphen */
	if (s[0] == 0xCD)
		return left > 1 && s[1] == 0x8F ? 2 : 0;	/* grapheme joiner */
	if (left < 3)
		return 0;
	if (s[0] == 0xE1)			/* Mongolian vowel separator, Hangul fillers */
		return (s[1] == 0xA0 && s[2] == 0x8E) || (s[1] == 0x85 && (s[2] == 0x9F || s[2] == 0xA0)) ? 3 : 0;
	if (s[0] == 0xE2)
	{
		/* zero-width space, marks of direction; embeddings and overrides */
		if (s[1] == 0x80)
			return s[2] == 0x8B || s[2] == 0x8E || s[2] == 0x8F || (s[2] >= 0xAA && s[2] <= 0xAE) ? 3 : 0;
		/* word joiner to deprecated format characters; isolates */
		return s[1] == 0x81 && s[2] >= 0xA0 && s[2] <= 0xAF ? 3 : 0;
	}
	if (s[0] == 0xEF)
		return s[1] == 0xBB && s[2] == 0xBF ? 3 : 0;
	if (s[0] == 0xF3 && left > 3)	/* tags and supplementary selectors */
		return s[1] == 0xA0 && s[2] >= 0x80 && s[2] <= 0x87 ? 4 : 0;
	return 0;
}

/* A joiner has a meaning in other scripts and emoji, between Latin letters none */
static int
stray_joiner(char before, const unsigned char *s, size_t left)
{
	if (left < 4 || s[0] != 0xE2 || s[1] != 0x80 || (s[2] != 0x8C && s[2] != 0x8D))
		return 0;
	return (unsigned char) before < 0x80 && s[3] < 0x80 ? 3 : 0;
}

/* The white space that is due before the next word */
static void
out_space(Out *out, bool pre)
{
	if (out->s->len > 0)
	{
		if (out->pending_newlines > 0)
		{
			while (out->s->len > 0 && out->s->str[out->s->len - 1] == ' ')
				g_string_truncate(out->s, out->s->len - 1);
			for (int i = 0; i < MIN(out->pending_newlines, 2); i++)
				g_string_append_c(out->s, '\n');
			for (int i = 0; i < MIN(out->indent, 80) && pre; i++)
				g_string_append_c(out->s, ' ');
		}
		else if (out->pending_space)
			g_string_append_c(out->s, ' ');
	}
	out->pending_newlines = 0;
	out->pending_space = false;
	out->indent = 0;
}

/* Append a word without what leaves no mark in it */
static void
append_visible(GString *out, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end)
	{
		const char *p = s;
		int			n = 0;

		while (p < end)
		{
			if ((unsigned char) *p >= 0x80 &&
				(n = invisible_char((const unsigned char *) p, end - p)) > 0)
				break;
			p++;
		}
		g_string_append_len(out, s, p - s);
		s = p + n;
		if (p == end)
			break;
	}
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Text as it is shown: white space collapsed outside of <pre> */
static void
add_text(HtmlState *st, Out *out, bool in_pre, const char *s, size_t len)
{
	const char *end = s + len;
	bool		linked = st->in_link && out == &st->seen;
	GString    *link = st->link_text;

	if (st->links_only && !linked)
		return;
	while (s < end)
	{
		const char *p = s;
		bool		plain = true;
		bool		nbsp = (end - s >= 2 && (unsigned char) s[0] == 0xC2 && (unsigned char) s[1] == 0xA0);

		if (nbsp || is_space(*s))
		{
			if (linked && link->len > 0 && link->str[link->len - 1] != ' ')
				g_string_append_c(link, ' ');
			if (in_pre && !nbsp)
			{
				if (*s == '\n')
				{
					out->pending_newlines++;
					out->indent = 0;
				}
				else if (*s != '\r' && out->pending_newlines == 0)
					g_string_append_c(out->s, *s);
				else if (*s != '\r')
					out->indent++;
			}
			else
				out->pending_space = true;
			s += nbsp ? 2 : 1;
			continue;
		}
		while (p < end && !is_space(*p) &&
			   !(end - p >= 2 && (unsigned char) p[0] == 0xC2 && (unsigned char) p[1] == 0xA0))
		{
			if ((unsigned char) *p >= 0x80)
			{
				plain = false;
				if (p > s && stray_joiner(p[-1], (const unsigned char *) p, end - p) > 0)
					break;
			}
			p++;
		}
		/* a word of nothing but invisible characters is no word */
		if (!plain)
		{
			const char *q = s;
			int			n;

			while (q < p && (n = invisible_char((const unsigned char *) q, p - q)) > 0)
				q += n;
			s = q;
		}
		if (p > s)
		{
			if (!st->links_only)
			{
				out_space(out, in_pre);
				if (plain)
					g_string_append_len(out->s, s, p - s);
				else
					append_visible(out->s, s, p - s);
			}
			if (linked && link->len < MAX_LINK_TEXT)
			{
				if (plain)
					g_string_append_len(link, s, p - s);
				else
					append_visible(link, s, p - s);
			}
		}
		if (p > s && p < end)
			p += stray_joiner(p[-1], (const unsigned char *) p, end - p);
		s = p;
	}
}

/* ---- links --------------------------------------------------------------- */

/* Does a URL have this scheme, "http:"? */
static bool
has_scheme(const char *url, const char *scheme)
{
	return g_ascii_strncasecmp(url, scheme, strlen(scheme)) == 0;
}

/*
 * What browsers do to the slashes of a URL that leads to the net: backslashes
 * are slashes up to the query, and any number of them stands before the host.
 */
static void
fix_slashes(GString *url)
{
	size_t		from;
	size_t		n;

	if (has_scheme(url->str, "http:"))
		from = 5;
	else if (has_scheme(url->str, "https:"))
		from = 6;
	else if (has_scheme(url->str, "ftp:"))
		from = 4;
	else if (url->len >= 2 && strchr("/\\", url->str[0]) != NULL && strchr("/\\", url->str[1]) != NULL)
		from = 0;
	else
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

/*
 * An attribute's URL as a browser reads it: no blanks around, no line ends or
 * tabs within, relative to <base>.
 */
static char *
clean_url(HtmlState *st, const char *s, size_t len)
{
	GString    *out;
	const char *end = s + len;
	bool		no_scheme;

	while (s < end && (unsigned char) *s <= ' ')
		s++;
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
	if (out->len > MAX_URL_BYTES)
	{
		/* a picture that is part of the message is no URL to keep */
		if (!has_scheme(out->str, "data:"))
			ADD_DEFECT(st->m, DEFECT_TRUNCATED_LIST);
		text_truncate(out, MAX_URL_BYTES);
	}
	fix_slashes(out);
	no_scheme = strcspn(out->str, ":/?#") == strcspn(out->str, "/?#");
	if (st->base != NULL && out->len > 0 && out->str[0] != '#' && no_scheme)
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
note_url(HtmlState *st, const char *url)
{
	if (has_scheme(url, "http:") || has_scheme(url, "https:") || has_scheme(url, "ftp:"))
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
	}
}

static void
note_attribute_url(HtmlState *st, const char *s)
{
	char	   *url = clean_url(st, s, strlen(s));

	note_url(st, url);
	g_free(url);
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

static void
begin_link(HtmlState *st, const char *value, size_t len)
{
	end_link(st);
	st->href = clean_url(st, value, len);
	note_url(st, st->href);
	st->in_link = true;
}

/* url(…) and @import in CSS */
static void
note_css_urls(HtmlState *st, const char *s)
{
	while ((s = strstr(s, "url(")) != NULL)
	{
		size_t		n;
		char	   *url;

		s += 4;
		s += strspn(s, " \t\r\n\"'");
		n = strcspn(s, ")\"'");
		url = clean_url(st, s, n);
		note_url(st, url);
		g_free(url);
		s += n;
	}
}

/* <meta http-equiv="refresh" content="0; url=…">, where url= may be missing */
static void
note_refresh(HtmlState *st, const char *s)
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
	url = clean_url(st, s, n);
	note_url(st, url);
	g_free(url);
}

/* ---- style sheets -------------------------------------------------------- */

/* The end of a block of CSS that begins at {, with the blocks in it */
static const char *
block_end(const char *s)
{
	int			depth = 0;

	for (; *s != '\0'; s++)
	{
		if (*s == '{')
			depth++;
		else if (*s == '}' && --depth == 0)
			return s;
	}
	return s;
}

/*
 * The rules with a simple selector: a class, an id, an element, or an element
 * with a class.  Rules for some media only are left out.
 */
static void
read_style_sheet(HtmlState *st, const char *s)
{
	const char *open;

	if (st->rules == NULL)
		st->rules = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	while ((open = strchr(s, '{')) != NULL)
	{
		const char *close = block_end(open);
		const char *at = s;
		const char *comment;

		while ((comment = g_strstr_len(at, open - at, "*/")) != NULL)
			at = comment + 2;
		at += strspn(at, " \t\r\n;}<!->");
		while (at < open && *at != '@')
		{
			size_t		n = strcspn(at, ",{");
			size_t		word = strcspn(at, " \t\r\n,{>+~:[*");

			if (word > 0 && word + strspn(at + word, " \t\r\n") == n && word < 100 &&
				g_hash_table_size(st->rules) < MAX_RULES)
			{
				char	   *key = g_ascii_strdown(at, word);
				char	   *old = g_hash_table_lookup(st->rules, key);
				char	   *block = g_strndup(open + 1, MIN(close - open - 1, 4096));

				g_hash_table_insert(st->rules, key,
									old == NULL || strlen(old) > 4096 ? g_strdup(block) :
									g_strconcat(old, ";", block, NULL));
				g_free(block);
			}
			at += n;
			at += strspn(at, ", \t\r\n");
		}
		if (*close == '\0')
			break;
		s = close + 1;
	}
}

static void
apply_rule(HtmlState *st, Style *style, const char *key)
{
	const char *declarations = g_hash_table_lookup(st->rules, key);

	if (declarations != NULL)
		style_declarations(style, declarations, strlen(declarations));
}

/* What the style sheets say about an element */
static void
apply_rules(HtmlState *st, Style *style, const char *tag, const char *classes, const char *id)
{
	char		key[160];

	apply_rule(st, style, tag);
	for (int i = 0; classes != NULL && *classes != '\0' && i < MAX_CLASSES; i++)
	{
		size_t		n;

		classes += strspn(classes, " \t\r\n");
		n = strcspn(classes, " \t\r\n");
		if (n > 0 && n < 60)
		{
			char	   *lower = g_ascii_strdown(classes, n);

			g_snprintf(key, sizeof(key), ".%s", lower);
			apply_rule(st, style, key);
			g_snprintf(key, sizeof(key), "%.60s.%s", tag, lower);
			apply_rule(st, style, key);
			g_free(lower);
		}
		classes += n;
	}
	if (id != NULL && strlen(id) < 100)
	{
		char	   *lower = g_ascii_strdown(id, -1);

		g_snprintf(key, sizeof(key), "#%s", lower);
		apply_rule(st, style, key);
		g_free(lower);
	}
}

/* ---- the tree ------------------------------------------------------------ */

static const char *
attribute(const GumboElement *e, const char *name)
{
	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		const GumboAttribute *a = e->attributes.data[i];

		if (strcmp(a->name, name) == 0)
			return a->value;
	}
	return NULL;
}

/* The style of an element, by its attributes and the style sheets */
static void
element_style(HtmlState *st, const GumboElement *e, Style *style)
{
	const char *inline_style = NULL;
	const char *classes = NULL;
	const char *id = NULL;

	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		const GumboAttribute *a = e->attributes.data[i];

		switch (a->name[0])
		{
			case 's':
				if (strcmp(a->name, "style") == 0)
					inline_style = a->value;
				break;
			case 'c':
				if (strcmp(a->name, "class") == 0)
					classes = a->value;
				else if (strcmp(a->name, "color") == 0 && e->tag == GUMBO_TAG_FONT)
					style_color(&style->color, a->value, strlen(a->value));
				break;
			case 't':
				if (strcmp(a->name, "text") == 0 && e->tag == GUMBO_TAG_BODY)
					style_color(&style->color, a->value, strlen(a->value));
				break;
			case 'i':
				if (strcmp(a->name, "id") == 0)
					id = a->value;
				break;
			case 'b':
				if (strcmp(a->name, "bgcolor") == 0)
					style_color(&style->background, a->value, strlen(a->value));
				else if (strcmp(a->name, "background") == 0 && a->value[0] != '\0')
					style->background = COLOR_UNKNOWN;
				break;
			case 'h':
				if (strcmp(a->name, "hidden") == 0)
					style->gone = true;
				break;
			default:
				break;
		}
	}
	if (st->rules != NULL)
		apply_rules(st, style, gumbo_normalized_tagname(e->tag), classes, id);
	if (inline_style != NULL)
	{
		style_declarations(style, inline_style, strlen(inline_style));
		if (strstr(inline_style, "url(") != NULL)
			note_css_urls(st, inline_style);
	}
}

/* The attributes that lead somewhere, other than a link's href */
static void
note_attributes(HtmlState *st, const GumboElement *e)
{
	static const char *const names[] = {
		"src", "action", "formaction", "background", "poster", "data", "lowsrc", "dynsrc"
	};

	for (unsigned i = 0; i < e->attributes.length; i++)
	{
		const GumboAttribute *a = e->attributes.data[i];

		for (size_t k = 0; k < G_N_ELEMENTS(names); k++)
			if (a->name[0] == names[k][0] && strcmp(a->name, names[k]) == 0)
				note_attribute_url(st, a->value);
	}
}

/* Text of the style sheet, script … in an element */
static const char *
raw_text(const GumboElement *e)
{
	if (e->children.length == 1)
	{
		const GumboNode *child = e->children.data[0];

		if (child->type == GUMBO_NODE_TEXT)
			return child->v.text.text;
	}
	return NULL;
}

/* An element begins; false where nothing inside is for a reader */
static bool
begin_element(HtmlState *st, Frame *f)
{
	const GumboElement *e = &f->node->v.element;
	Break		brk = element_break(e->tag);
	const char *value;
	Out		   *out;

	if (brk == BREAK_SKIP)
	{
		const char *css = e->tag == GUMBO_TAG_STYLE ? raw_text(e) : NULL;

		if (css != NULL)
		{
			read_style_sheet(st, css);
			note_css_urls(st, css);
		}
		if (e->tag == GUMBO_TAG_SCRIPT)
			note_attributes(st, e);
		return false;
	}
	if (e->attributes.length > 0 || st->rules != NULL)
		element_style(st, e, &f->style);
	note_break(st, brk, &f->style);
	out = style_hides(&f->style) ? &st->hidden : &st->seen;
	if (e->tag == GUMBO_TAG_PRE)
		f->pre = true;
	if (e->attributes.length == 0)
		return true;
	note_attributes(st, e);
	switch (e->tag)
	{
		case GUMBO_TAG_A:
		case GUMBO_TAG_UNKNOWN:
			if ((value = attribute(e, "href")) != NULL)
			{
				begin_link(st, value, strlen(value));
				f->link = true;
			}
			break;
		case GUMBO_TAG_AREA:
			if ((value = attribute(e, "href")) != NULL)
			{
				const char *alt = attribute(e, "alt");

				begin_link(st, value, strlen(value));
				st->link_alt = g_strdup(alt);
				end_link(st);
			}
			break;
		case GUMBO_TAG_IMG:
			if ((value = attribute(e, "alt")) != NULL && value[0] != '\0')
			{
				if (st->in_link && st->link_alt == NULL)
					st->link_alt = g_strdup(value);
				out->pending_space = true;
				add_text(st, out, false, value, strlen(value));
				out->pending_space = true;
			}
			break;
		case GUMBO_TAG_BASE:
			if (st->base == NULL && (value = attribute(e, "href")) != NULL)
			{
				char	   *base = clean_url(st, value, strlen(value));

				note_url(st, base);
				st->base = base;
			}
			break;
		case GUMBO_TAG_META:
			value = attribute(e, "http-equiv");
			if (value != NULL && g_ascii_strcasecmp(value, "refresh") == 0 &&
				(value = attribute(e, "content")) != NULL)
				note_refresh(st, value);
			break;
		default:
			break;
	}
	return true;
}

static void parse_conditional(HtmlState *st, Arena *arena, const char *s);

/* One node that is no element; a comment may be in none, too (f is NULL) */
static void
leaf(HtmlState *st, Arena *arena, const GumboNode *node, const Frame *f)
{
	const char *s = node->v.text.text;

	if (node->type == GUMBO_NODE_COMMENT)
	{
		/* Outlook shows what stands in there */
		if (!st->links_only && strncmp(s + strspn(s, " \t\r\n"), "[if", 3) == 0)
			parse_conditional(st, arena, s);
	}
	else
		add_text(st, style_hides(&f->style) ? &st->hidden : &st->seen, f->pre, s, strlen(s));
}

/* Down and up the tree; without recursion, since it may be deep */
static void
walk_tree(HtmlState *st, Arena *arena, const GumboNode *root)
{
	GArray	   *frames = g_array_new(FALSE, FALSE, sizeof(Frame));
	Frame		top = {.node = root};

	style_init(&top.style);
	if (begin_element(st, &top))
		g_array_append_val(frames, top);
	while (frames->len > 0)
	{
		Frame	   *f = &g_array_index(frames, Frame, frames->len - 1);
		const GumboElement *e = &f->node->v.element;

		if (f->next < e->children.length)
		{
			const GumboNode *child = e->children.data[f->next++];

			if (child->type == GUMBO_NODE_ELEMENT)
			{
				Frame		inner = *f;

				inner.node = child;
				inner.next = 0;
				inner.link = false;
				if (begin_element(st, &inner))
					g_array_append_val(frames, inner);
			}
			else if (child->type != GUMBO_NODE_TEMPLATE)
				leaf(st, arena, child, f);
			continue;
		}
		if (e->tag != GUMBO_TAG_BR)
			note_break(st, element_break(e->tag), &f->style);
		if (f->link)
			end_link(st);
		g_array_set_size(frames, frames->len - 1);
	}
	g_array_free(frames, TRUE);
}

/* Parse and walk a document; false where it took too much memory */
static bool
parse_document(HtmlState *st, Arena *arena, const char *s, size_t len)
{
	GumboOptions gumbo = kGumboDefaultOptions;
	GumboOutput *output;
	const GumboDocument *document;

	gumbo.allocator = arena_alloc;
	gumbo.deallocator = arena_free;
	gumbo.userdata = arena;
	gumbo.max_errors = 0;
	if (setjmp(arena->full) != 0)
		return false;
	output = gumbo_parse_with_options(&gumbo, s, len);
	document = &output->document->v.document;
	for (unsigned i = 0; i < document->children.length; i++)
	{
		const GumboNode *node = document->children.data[i];

		/* comments may stand before and behind all elements */
		if (node->type == GUMBO_NODE_COMMENT)
			leaf(st, arena, node, NULL);
		else if (node == output->root)
			walk_tree(st, arena, node);
	}
	return true;
}

/* <!--[if mso]> … <![endif]-->: the links in it count, the text is not seen */
static void
parse_conditional(HtmlState *st, Arena *arena, const char *s)
{
	HtmlState	inner = {0};
	const char *from = strchr(s, '>');
	jmp_buf		outer;

	if (from == NULL || is_costly(from, strlen(from)))
		return;
	memcpy(&outer, &arena->full, sizeof(outer));
	inner.m = st->m;
	inner.links_only = true;
	inner.seen.s = st->seen.s;
	inner.hidden.s = st->hidden.s;
	inner.link_text = g_string_new(NULL);
	inner.base = st->base;
	parse_document(&inner, arena, from + 1, strlen(from + 1));
	end_link(&inner);
	if (inner.base != st->base)
		g_free(inner.base);
	if (inner.rules != NULL)
		g_hash_table_destroy(inner.rules);
	g_string_free(inner.link_text, TRUE);
	memcpy(&arena->full, &outer, sizeof(outer));
}

/* ---- the plain stripper -------------------------------------------------- */

/* A piece of source with its entities decoded, by libgumbo */
static char *
decode_entities(Arena *arena, const char *s, size_t len)
{
	GumboOptions gumbo = kGumboDefaultOptions;
	GumboOutput *output;
	const GumboElement *body;
	GString    *out;

	if (memchr(s, '&', len) == NULL)
		return g_strndup(s, len);
	arena_reset(arena);
	gumbo.allocator = arena_alloc;
	gumbo.deallocator = arena_free;
	gumbo.userdata = arena;
	gumbo.max_errors = 0;
	gumbo.fragment_context = GUMBO_TAG_TEXTAREA;
	if (setjmp(arena->full) != 0)
		return g_strndup(s, len);
	output = gumbo_parse_with_options(&gumbo, s, len);
	body = &output->root->v.element;
	out = g_string_new(NULL);
	for (unsigned i = 0; i < body->children.length; i++)
	{
		const GumboNode *child = body->children.data[i];

		if (child->type == GUMBO_NODE_TEXT || child->type == GUMBO_NODE_WHITESPACE)
			g_string_append(out, child->v.text.text);
	}
	return g_string_free(out, FALSE);
}

/* Tags out, entities decoded, links kept; linear in time whatever comes */
static void
strip_tags(HtmlState *st, Arena *arena, const char *s, size_t len)
{
	const char *end = s + len;
	int			links = 0;

	while (s < end)
	{
		const char *p = memchr(s, '<', end - s);
		Tag			tag;
		char	   *piece;

		if (p == NULL)
			p = end;
		/* where something is left of it that is no tag, it is text */
		if (p > s)
		{
			piece = decode_entities(arena, s, p - s);
			add_text(st, &st->seen, false, piece, strlen(piece));
			g_free(piece);
		}
		if (p == end)
			break;
		if (!read_tag(p, end, &tag))
		{
			const char *gt = memchr(p, '>', end - p);

			note_break(st, BREAK_SPACE, NULL);
			s = gt != NULL ? gt + 1 : end;
			continue;
		}
		s = tag.end;
		if (tag_kind(tag.name, tag.name_len) != TAG_INLINE)
			note_break(st, BREAK_SPACE, NULL);
		if (tag.closing && is_name(tag.name, tag.name_len, "a"))
			end_link(st);
		if ((tag.src != NULL || tag.href != NULL) && links++ > MAX_URLS)
			continue;
		if (tag.src != NULL && tag.src_len <= MAX_URL_BYTES)
		{
			piece = decode_entities(arena, tag.src, tag.src_len);
			note_attribute_url(st, piece);
			g_free(piece);
		}
		if (tag.href != NULL && !tag.closing)
		{
			piece = decode_entities(arena, tag.href, MIN(tag.href_len, 8 * MAX_URL_BYTES));
			begin_link(st, piece, strlen(piece));
			g_free(piece);
		}
	}
}

/*
 * A comment that is never closed would swallow the rest of the document.
 * That hides it from us, not from a reader whose program ends it at the next
 * ">": so do we.
 */
static void
close_comment(Message *m, GString *html)
{
	char	   *end = html->str + html->len;
	char	   *from = html->str;
	char	   *open;

	/* skip what is closed; --!> ends a comment, too */
	for (char *p = end; p > html->str; p--)
		if (p[-1] == '>' && ((p - html->str >= 3 && p[-2] == '-' && p[-3] == '-') ||
							 (p - html->str >= 4 && p[-2] == '!' && p[-3] == '-' && p[-4] == '-')))
		{
			from = p;
			break;
		}
	while ((open = strstr(from, "<!--")) != NULL)
	{
		memcpy(open, "<br ", 4);
		ADD_DEFECT(m, DEFECT_BROKEN_HTML);
		from = open + 4;
	}
}

/* Clean UTF-8 of what a library made; trust is good, but the server checks */
static void
check_text(Message *m, GString *text)
{
	GString    *clean;

	if (text_is_clean(text->str, text->len))
		return;
	clean = g_string_sized_new(text->len + 16);
	text_append_clean(clean, text->str, text->len, m, DEFECT_BAD_CHARSET);
	g_string_assign(text, clean->str);
	g_string_free(clean, TRUE);
}

/* Append the text of an HTML document, clean UTF-8; links go to the message */
void
html_to_text(Message *m, GString *source, GString *text)
{
	static Arena arena;
	HtmlState	st = {0};

	if (arena.chunks == NULL)
		arena.chunks = g_ptr_array_new_with_free_func(g_free);
	arena_reset(&arena);
	close_comment(m, source);
	st.m = m;
	st.seen.s = text;

	st.hidden.s = g_string_new(NULL);
	st.link_text = g_string_new(NULL);

	if (is_costly(source->str, source->len) ||
		!parse_document(&st, &arena, source->str, source->len))
	{
		ADD_DEFECT(m, DEFECT_BROKEN_HTML);
		strip_tags(&st, &arena, source->str, source->len);
	}
	end_link(&st);
	check_text(m, text);
	check_text(m, st.hidden.s);
	message_add_hidden(m, st.hidden.s);
	g_string_free(st.hidden.s, TRUE);
	g_string_free(st.link_text, TRUE);
	g_free(st.base);
	if (st.rules != NULL)
		g_hash_table_destroy(st.rules);
	arena_reset(&arena);
}
