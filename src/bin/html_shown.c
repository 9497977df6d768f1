/*
 * html_shown.c
 *	  The text of an HTML document as it is shown: which white space is left
 *	  of it, and which characters leave no mark on a screen.
 */
#include <string.h>

#include "charclass.h"
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
	/* what directs the order of characters ends with their line */
	if (brk != BREAK_SPACE)
		shown_turns_end(st, st->first_turned);
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

/* ---- text that is shown in another order ---------------------------------- */

/* Bytes that are turned round in a document, again and again where one is in another */
#define MAX_TURNED_BYTES	(16 * 1024 * 1024)

/* Behind a character, the marks that go with it, and what joiners tie to it */
static const char *
behind_marks(const char *s, const char *end)
{
	bool		joined = false;

	do
	{
		joined = (unsigned char) *s == 0xE2 && g_utf8_get_char(s) == 0x200D;
		s = g_utf8_next_char(s);
	}
	while (s < end && (unsigned char) *s >= 0x80 &&
		   (joined || g_unichar_ismark(g_utf8_get_char(s)) || g_utf8_get_char(s) == 0x200D ||
			(g_utf8_get_char(s) >= 0x1F3FB && g_utf8_get_char(s) <= 0x1F3FF)));
	return MIN(s, end);
}

/* A piece of a line turned round: brackets look the other way then */
static void
turn_piece(char *s, size_t len, GString *scratch)
{
	const char *end;
	char	   *w = s + len;

	g_string_truncate(scratch, 0);
	g_string_append_len(scratch, s, len);
	end = scratch->str + len;
	for (const char *p = scratch->str; p < end;)
	{
		const char *behind = behind_marks(p, end);
		gunichar	mirrored;
		char		buf[6];

		w -= behind - p;
		memcpy(w, p, behind - p);
		if (g_unichar_get_mirror_char(g_utf8_get_char(p), &mirrored) &&
			g_unichar_to_utf8(mirrored, buf) == g_utf8_next_char(p) - p)
			memcpy(w, buf, g_utf8_next_char(p) - p);
		p = behind;
	}
}

/* The pieces of a line turned round that are of letters to be read in that direction, with what is between these */
static void
turn_pieces(char *s, size_t len, bool to_left, GString *scratch)
{
	const char *end = s + len;
	char	   *from = NULL;
	char	   *behind = NULL;

	for (char *p = s; p < end; p = g_utf8_next_char(p))
	{
		gunichar	c = g_utf8_get_char(p);

		if (!g_unichar_isalnum(c))
			continue;
		if (IsRightToLeft(c) == to_left)
		{
			from = from != NULL ? from : p;
			behind = (char *) behind_marks(p, end);
		}
		else if (from != NULL)
		{
			turn_piece(from, behind - from, scratch);
			from = NULL;
		}
	}
	if (from != NULL)
		turn_piece(from, behind - from, scratch);
}

/*
 * A line turned round.  Readers of Hebrew and Arabic read from right to left what
 * is of their letters: that stays as it is.
 */
static void
turn_line(char *s, size_t len, GString *scratch)
{
	const char *end = s + len;
	size_t		to_left = 0;
	size_t		to_right = 0;

	for (const char *p = s; p < end; p = g_utf8_next_char(p))
	{
		gunichar	c = g_utf8_get_char(p);

		if (!g_unichar_isalnum(c))
			continue;
		if (c >= 0x590 && IsRightToLeft(c))
			to_left++;
		else
			to_right++;
	}
	if (to_left > to_right)
		turn_pieces(s, len, false, scratch);
	else
	{
		turn_piece(s, len, scratch);
		if (to_left > 0)
			turn_pieces(s, len, true, scratch);
	}
}

/* Turn the lines round that are behind a place, or a copy of them */
void
shown_turn_behind(HtmlState *st, GString *s, gsize from, bool doubled)
{
	static GString *scratch;
	gsize		first = from;
	char	   *end;
	char	   *p;

	if (from >= s->len)
		return;
	if (st->turned_bytes + s->len - from > MAX_TURNED_BYTES || !g_utf8_validate(s->str + from, s->len - from, NULL))
	{
		ADD_DEFECT(st->m, DEFECT_BROKEN_HTML);
		return;
	}
	st->turned_bytes += s->len - from;
	if (scratch == NULL)
		scratch = g_string_new(NULL);
	if (doubled)
	{
		gsize		len = s->len - from;

		g_string_append_c(s, ' ');
		g_string_set_size(s, s->len + len);
		memcpy(s->str + s->len - len, s->str + from, len);
		from = s->len - len;
	}
	end = s->str + s->len;
	for (p = s->str + from; p < end;)
	{
		char	   *nl = memchr(p, '\n', end - p);

		nl = nl != NULL ? nl : end;
		turn_line(p, nl - p, scratch);
		p = nl + 1;
	}
	/* in both orders the same */
	if (doubled && memcmp(s->str + first, s->str + from, s->len - from) == 0)
		g_string_truncate(s, from - 1);
}

/* Text in another order begins, to be ended by shown_turn_end(), those within before it */
void
shown_turn(HtmlState *st, Turned *t, Turn turn)
{
	t->on = true;
	/* it is here in both orders already */
	t->turn = turn == TURN_MAYBE && st->turn_doubled ? TURN_NONE : turn;
	t->outer = st->turn;
	t->spaced = st->seen.pending_space || st->seen.pending_newlines > 0;
	t->seen = st->seen.s->len;
	t->link = st->in_link ? st->link_text->len : 0;
	t->links = st->m->link_hrefs->len;
	st->turn = t->turn;
	st->turn_doubled |= t->turn == TURN_MAYBE;
}

void
shown_turn_end(HtmlState *st, Turned *t)
{
	bool		doubled = t->turn == TURN_MAYBE;

	t->on = false;
	st->turn = t->outer;
	if (doubled)
		st->turn_doubled = false;
	else if (t->turn == t->outer || (t->turn != TURN_ROUND && t->outer != TURN_ROUND))
		return;
	if (st->in_link)
		shown_turn_behind(st, st->link_text, t->links == st->m->link_hrefs->len ? t->link : 0, doubled);
	if (t->seen >= st->seen.s->len)
		return;
	/* a blank that was due before all of it stays there */
	while (t->spaced && t->seen < st->seen.s->len && (st->seen.s->str[t->seen] == ' ' || st->seen.s->str[t->seen] == '\n'))
		t->seen++;
	if (!doubled && st->seen.pending_space && st->seen.pending_newlines == 0)
	{
		g_string_append_c(st->seen.s, ' ');
		st->seen.pending_space = false;
	}
	shown_turn_behind(st, st->seen.s, t->seen, doubled);
}

/* End what characters began, down to the first so many */
void
shown_turns_end(HtmlState *st, int from)
{
	while (st->num_turned > from)
		shown_turn_end(st, &st->turned[--st->num_turned]);
}

/* Do characters behind the first so many turn text round? */
bool
shown_are_turned(const HtmlState *st, int from)
{
	for (int i = from; i < st->num_turned; i++)
		if (st->turned[i].turn != TURN_NONE)
			return true;
	return false;
}

/* Whether what they began goes on from here is not known: the text is there in both orders */
void
shown_turns_doubt(HtmlState *st, int from)
{
	shown_turns_end(st, from);
	if (from == MAX_TURNED)
		return;
	shown_turn(st, &st->turned[from], TURN_MAYBE);
	st->isolates[from] = false;
	st->num_turned = from + 1;
}

/* Is there a character that directs the order of those behind it? */
static bool
is_director(const char *s, const char *end)
{
	const unsigned char *u = (const unsigned char *) s;

	return end - s >= 3 && u[0] == 0xE2 && ((u[1] == 0x80 && u[2] >= 0xAA && u[2] <= 0xAE) || (u[1] == 0x81 && u[2] >= 0xA6 && u[2] <= 0xA9));
}

/* What it does */
static void
direct(HtmlState *st, const char *s)
{
	unsigned char c = s[2];
	int			n = st->num_turned;

	if (c == 0xAC)
	{
		/* it ends no isolate, nor what is around one */
		if (n > st->first_turned && !st->isolates[n - 1])
			shown_turns_end(st, n - 1);
	}
	else if (c == 0xA9)
	{
		while (n > st->first_turned && !st->isolates[n - 1])
			n--;
		if (n > st->first_turned)
			shown_turns_end(st, n - 1);
	}
	else if (n < MAX_TURNED)
	{
		shown_turn(st, &st->turned[n], c == 0xAE ? TURN_ROUND : TURN_NONE);
		st->isolates[n] = (unsigned char) s[1] == 0x81;
		st->num_turned++;
	}
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
			if (p > s && (is_director(p, end) || stray_joiner(p[-1], (const unsigned char *) p, end - p) > 0))
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

/* Text as it is shown: white space collapsed outside of <pre>, though lines may end there, too */
void
shown_add(HtmlState *st, Out *out, bool in_pre, bool keeps_lines, const char *s, size_t len)
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
			/* characters direct no more than their line */
			if (*s == '\n' && out == &st->seen && in_pre)
				shown_turns_end(st, st->first_turned);
			else if (*s == '\n' && out == &st->seen && keeps_lines && shown_are_turned(st, st->first_turned))
				shown_turns_doubt(st, st->first_turned);
			if (linked && link->len > 0 && link->str[link->len - 1] != ' ')
				g_string_append_c(link, ' ');
			add_space(out, in_pre && n == 1, *s);
			s += n;
			continue;
		}
		if ((unsigned char) *s == 0xE2 && is_director(s, end))
		{
			if (out == &st->seen)
				direct(st, s);
			s += 3;
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
