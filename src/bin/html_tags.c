/*
 * html_tags.c
 *	  HTML tags as they stand in the source, and what a document would cost.
 *
 * The parser takes quadratic time for very deep nesting and for very many
 * attributes.  A scan of the tags, without building a tree, finds that out
 * before; html.c also strips tags with it where it can't parse.
 */
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif
#include <glib.h>

#include "html.h"

#define MAX_ATTRIBUTES	1000	/* in one tag */
#define MAX_COST		(100 * 1000 * 1000) /* steps down a stack of elements */

/* Is that piece of source this name, in any case? */
bool
tag_is(const char *s, size_t len, const char *name)
{
	return (s[0] | 0x20) == name[0] && len == strlen(name) && g_ascii_strncasecmp(s, name, len) == 0;
}

/* Read the tag at s, "<a …>" or "</a …>"; false where there is none */
bool
tag_read(const char *s, const char *end, Tag *tag)
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
		/* of two alike the first counts */
		if (tag->href == NULL && tag_is(name, name_len, "href"))
			tag->href = value, tag->href_len = p - value;
		else if (tag_is(name, name_len, "src") || tag_is(name, name_len, "action"))
			tag->src = value, tag->src_len = p - value;
		if (p < end && *p != '>')
			p++;
	}
	tag->end = p < end ? p + 1 : end;
	return true;
}

/*
 * The next attribute of a tag from *p on, as the parser's tokenizer takes it: 1,
 * with *p behind it; 0 where the tag has ended, with *p behind that; -1 where it
 * has no end.
 */
int
html_attribute(const char **p, const char *end, HtmlAttribute *a)
{
	const char *s = *p;

	memset(a, 0, sizeof(*a));
	for (; s < end && (is_space(*s) || *s == '/'); s++)
		a->closed = *s == '/';
	if (s == end)
		return -1;
	if (*s == '>')
	{
		*p = s + 1;
		return 0;
	}
	/* a name may begin with "=" */
	a->name = s++;
	while (s < end && !is_space(*s) && *s != '/' && *s != '>' && *s != '=')
		s++;
	a->name_len = s - a->name;
	while (s < end && is_space(*s))
		s++;
	if (s < end && *s == '=')
	{
		s++;
		while (s < end && is_space(*s))
			s++;
		a->value = s;
		if (s < end && (*s == '"' || *s == '\''))
		{
			a->quote = *s;
			a->value++;
			s = memchr(a->value, a->quote, end - a->value);
			if (s == NULL)
				return -1;
			a->value_len = s++ - a->value;
		}
		else
		{
			while (s < end && !is_space(*s) && *s != '>')
				s++;
			a->value_len = s - a->value;
		}
	}
	*p = s;
	return 1;
}

/*
 * An attribute without a value whose name the tag had before takes the next one's
 * value with it in libgumbo: <a x x href=…> leads nowhere.  Blank such names in a
 * tag, s being behind its name; false where there are none.
 */
bool
html_blank_repeated(char *s, const char *end)
{
	static GArray *names;
	const char *p = s;
	HtmlAttribute a;
	bool		found = false;

	if (names == NULL)
		names = g_array_new(FALSE, FALSE, sizeof(HtmlAttribute));
	g_array_set_size(names, 0);
	while (html_attribute(&p, end, &a) > 0)
	{
		bool		repeated = false;

		for (guint i = 0; i < names->len && a.value == NULL && !repeated; i++)
		{
			const HtmlAttribute *was = &g_array_index(names, HtmlAttribute, i);

			repeated = was->name_len == a.name_len && g_ascii_strncasecmp(was->name, a.name, a.name_len) == 0;
		}
		if (repeated)
			memset(s + (a.name - s), ' ', a.name_len);
		else
			g_array_append_val(names, a);
		found |= repeated;
	}
	return found;
}

/* The end tag of an element without tags in it, or NULL */
const char *
html_end_tag(const char *s, const char *end, const char *name, size_t len)
{
	while ((s = memchr(s, '<', end - s)) != NULL)
	{
		if ((size_t) (end - s) > len + 2 && s[1] == '/' && g_ascii_strncasecmp(s + 2, name, len) == 0 &&
			(is_space(s[len + 2]) || s[len + 2] == '/' || s[len + 2] == '>'))
			return s;
		s++;
	}
	return NULL;
}

/* The end of a comment, of which < and ! are read; NULL for none */
const char *
html_comment_end(const char *s, const char *end)
{
	if (end - s > 0 && s[0] == '>')
		return s + 1;
	if (end - s > 1 && s[0] == '-' && s[1] == '>')
		return s + 2;
	for (; (s = memchr(s, '-', end - s)) != NULL; s++)
	{
		if (end - s > 2 && s[1] == '-' && s[2] == '>')
			return s + 3;
		if (end - s > 3 && s[1] == '-' && s[2] == '!' && s[3] == '>')
			return s + 4;
	}
	return NULL;
}

/* XML as HTML, which does not know that <x/> ends there: the rest of a page would be what is in a <title/> */
void
html_of_xml(GString *xml)
{
	GString    *out = g_string_sized_new(xml->len + xml->len / 8);
	const char *end = xml->str + xml->len;
	const char *done = xml->str;
	const char *s = xml->str;
	Tag			tag;

	while (s != NULL && (s = memchr(s, '<', end - s)) != NULL)
	{
		if (strncmp(s, "<!--", 4) == 0)
			s = html_comment_end(s + 4, end);
		else if (strncmp(s, "<![CDATA[", 9) == 0)
			s = strstr(s, "]]>");
		else if (!tag_read(s, end, &tag))
			s++;
		else
		{
			s = tag.end;
			if (tag.closing || s[-1] != '>' || s[-2] != '/' || tag_kind(tag.name, tag.name_len) == TAG_VOID)
				continue;
			g_string_append_len(out, done, s - 2 - done);
			g_string_append_printf(out, "></%.*s>", (int) tag.name_len, tag.name);
			done = s;
		}
	}
	g_string_append_len(out, done, end - done);
	g_string_assign(xml, out->str);
	g_string_free(out, TRUE);
}

/* Leave out control characters: browsers draw nothing for them, and the parser takes them for others */
void
html_drop_controls(GString *html)
{
	gsize		n = 0;

	for (gsize i = 0; i < html->len; i++)
		if ((unsigned char) html->str[i] >= ' ' || g_ascii_isspace(html->str[i]))
			html->str[n++] = html->str[i];
	g_string_truncate(html, n);
}

/* Are there control characters, which the parser takes for others? */
bool
html_has_controls(const char *s, size_t len)
{
	const char *end = s + len;

#if defined(__SSE2__)

	/*
	 * sixteen at a time: below a blank, but none of the four that are white
	 * space
	 */
	for (; end - s >= 16; s += 16)
	{
		__m128i		bytes = _mm_loadu_si128((const __m128i *) s);
		__m128i		low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
		__m128i		tab = _mm_sub_epi8(bytes, _mm_set1_epi8('\t'));
		__m128i		space = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\v')),
											 _mm_cmpeq_epi8(_mm_min_epu8(tab, _mm_set1_epi8('\r' - '\t')), tab));

		if (_mm_movemask_epi8(_mm_andnot_si128(space, low)) != 0)
			return true;
	}
#endif
	for (; s < end; s++)
		if ((unsigned char) *s < 0x20 && !is_space(*s))
			return true;
	return false;
}

/* What a tag of that name does to the elements that are open */
TagKind
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

	/* those of a letter, as a chain from the first of it (1 and up) */
	static unsigned char first[26];
	static unsigned char next[G_N_ELEMENTS(kinds)];
	static bool ready = false;
	unsigned	letter = (s[0] | 0x20) - 'a';

	if (!ready)
		for (size_t i = G_N_ELEMENTS(kinds); i-- > 0;)
		{
			next[i] = first[kinds[i].name[0] - 'a'];
			first[kinds[i].name[0] - 'a'] = i + 1;
		}
	ready = true;
	if (letter < 26)
		for (int i = first[letter]; i > 0; i = next[i - 1])
			if (tag_is(s, len, kinds[i - 1].name))
				return kinds[i - 1].kind;
	return TAG_INLINE;
}

/* An element that the scan takes for open */
typedef struct Open
{
	const char *name;
	size_t		len;
	TagKind		kind;
	guint		outside;		/* of what comes back, what stands outside of
								 * a table, say, which it is in */
} Open;

/* How far down an end tag is looked for */
#define SCAN_DEPTH	24

/* Does the parser open it again, where another's end tag has closed it? */
static bool
comes_back(const Open *open)
{
	static const char *const formatting[] = {
		"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(formatting); i++)
		if (tag_is(open->name, open->len, formatting[i]))
			return true;
	return false;
}

static bool
is_named(const Open *open, const Tag *tag)
{
	return open->len == tag->name_len && g_ascii_strncasecmp(open->name, tag->name, open->len) == 0;
}

/* All that is open from n on is closed. */
static void
close_from(GArray *stack, GArray *back, guint *outside, guint n)
{
	*outside = g_array_index(stack, Open, n).outside;
	for (guint i = n + 1; i < stack->len; i++)
		if (comes_back(&g_array_index(stack, Open, i)))
			g_array_append_val(back, g_array_index(stack, Open, i));
	g_array_set_size(stack, n);
}

/* What an end tag closes, at the least: never more than the parser closes, which from within a cell closes nothing outside */
static void
close_tag(GArray *stack, GArray *back, guint *outside, const Tag *tag, TagKind kind)
{
	for (guint i = 0; i < SCAN_DEPTH && i < stack->len; i++)
	{
		Open	   *open = &g_array_index(stack, Open, stack->len - 1 - i);

		if (is_named(open, tag))
		{
			close_from(stack, back, outside, stack->len - 1 - i);
			return;
		}
		if (kind == TAG_INLINE && open->kind != TAG_INLINE)
			break;
		if (open->kind == TAG_BARRIER && kind != TAG_BARRIER &&
			!(tag_is(tag->name, tag->name_len, "tr") && !tag_is(open->name, open->len, "table")))
			break;
	}
	for (guint i = 0; i < SCAN_DEPTH && i < back->len - *outside; i++)
		if (is_named(&g_array_index(back, Open, back->len - 1 - i), tag))
		{
			g_array_remove_index(back, back->len - 1 - i);
			return;
		}
}

/*
 * Would a document cost the parser more than its size justifies?  The parser
 * looks at the elements that are open for each tag, those too that come back, and
 * at each attribute of a tag for each other; count that.
 */
bool
tags_cost_too_much(const char *s, size_t len)
{
	const char *end = s + len;
	GArray	   *stack = g_array_new(FALSE, FALSE, sizeof(Open));
	GArray	   *back = g_array_new(FALSE, FALSE, sizeof(Open));
	guint		outside = 0;
	int64_t		cost = 0;

	while (cost < MAX_COST && s < end && (s = memchr(s, '<', end - s)) != NULL)
	{
		Tag			tag;
		TagKind		kind;
		Open		open;

		if (!tag_read(s, end, &tag))
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
		cost += stack->len + back->len + (int64_t) tag.attributes * tag.attributes / 2;
		if (tag.attributes > MAX_ATTRIBUTES)
			cost = MAX_COST;
		kind = tag_kind(tag.name, tag.name_len);
		if (kind == TAG_VOID || kind == TAG_RAW)
			continue;
		if (tag.closing)
		{
			close_tag(stack, back, &outside, &tag, kind);
			continue;
		}
		open.name = tag.name;
		open.len = tag.name_len;
		open.kind = kind;
		open.outside = outside;
		/* <li> ends the <li> right before it, and so on */
		if (stack->len > 0 && kind != TAG_INLINE)
		{
			Open	   *top = &g_array_index(stack, Open, stack->len - 1);

			if (top->len == open.len && g_ascii_strncasecmp(top->name, open.name, open.len) == 0 &&
				(tag_is(open.name, open.len, "p") || tag_is(open.name, open.len, "li") ||
				 tag_is(open.name, open.len, "td") || tag_is(open.name, open.len, "th") ||
				 tag_is(open.name, open.len, "option")))
				continue;
		}
		g_array_append_val(stack, open);
		if (kind == TAG_BARRIER || tag_is(open.name, open.len, "select"))
			outside = back->len;
	}
	g_array_free(stack, TRUE);
	g_array_free(back, TRUE);
	return cost >= MAX_COST;
}
