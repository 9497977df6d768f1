/*
 * html_shown.c
 *	  The text of an HTML document as it is shown: which white space is left
 *	  of it, and which characters leave no mark on a screen.
 */
#include <string.h>

#include "html.h"

/* White space that is due from now on */
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
void
shown_break(HtmlState *st, Break brk, const Style *style)
{
	if (brk == BREAK_NONE)
		return;
	out_break(&st->hidden, brk);
	if (style != NULL && style->gone && !style->unsure)
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
		text_put(out, s, p - s);
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

/* Length of the white space at s, a no-break space too, else 0 */
static int
space_length(const char *s, const char *end)
{
	if (is_space(*s))
		return 1;
	return end - s >= 2 && (unsigned char) s[0] == 0xC2 && (unsigned char) s[1] == 0xA0 ? 2 : 0;
}

/* A piece of white space: kept in <pre>, else due once */
static void
add_space(Out *out, bool in_pre, char c)
{
	if (!in_pre)
		out->pending_space = true;
	else if (c == '\n')
	{
		out->pending_newlines++;
		out->indent = 0;
	}
	else if (c != '\r' && out->pending_newlines == 0)
		g_string_append_c(out->s, c);
	else if (c != '\r')
		out->indent++;
}

/* The end of the word at s; *plain where all of it is ASCII */
static const char *
word_end(const char *s, const char *end, bool *plain)
{
	const char *p = s;

	*plain = true;
	while (p < end && space_length(p, end) == 0)
	{
		if ((unsigned char) *p >= 0x80)
		{
			*plain = false;
			if (p > s && stray_joiner(p[-1], (const unsigned char *) p, end - p) > 0)
				break;
		}
		p++;
	}
	return p;
}

static void
append_word(GString *out, const char *s, size_t len, bool plain)
{
	if (plain)
		text_put(out, s, len);
	else
		append_visible(out, s, len);
}

/* Text as it is shown: white space collapsed outside of <pre> */
void
shown_add(HtmlState *st, Out *out, bool in_pre, const char *s, size_t len)
{
	const char *end = s + len;
	bool		linked = st->in_link && out == &st->seen;
	GString    *link = st->link_text;

	if (st->links_only && !linked)
		return;
	while (s < end)
	{
		int			n = space_length(s, end);
		const char *p;
		bool		plain;

		if (n > 0)
		{
			if (linked && link->len > 0 && link->str[link->len - 1] != ' ')
				g_string_append_c(link, ' ');
			add_space(out, in_pre && n == 1, *s);
			s += n;
			continue;
		}
		p = word_end(s, end, &plain);
		/* a word of nothing but invisible characters is no word */
		while (!plain && s < p && (n = invisible_char((const unsigned char *) s, p - s)) > 0)
			s += n;
		if (p > s)
		{
			if (!st->links_only)
			{
				out_space(out, in_pre);
				append_word(out->s, s, p - s, plain);
			}
			if (linked && link->len < MAX_LINK_TEXT)
				append_word(link, s, p - s, plain);
			if (p < end)
				p += stray_joiner(p[-1], (const unsigned char *) p, end - p);
		}
		s = p;
	}
}
