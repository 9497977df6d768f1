/*
 * lines.c
 *	  The lines of a text part, as a reader's program ends and joins them.
 */
#include <string.h>

#include "mail.h"

/* Line ends to \n */
void
lines_normalize(GString *s, size_t from)
{
	char	   *r = memchr(s->str + from, '\r', s->len - from);
	char	   *w = r;
	char	   *end = s->str + s->len;

	if (r == NULL)
		return;
	for (; r < end; r++)
	{
		if (*r != '\r')
			*w++ = *r;
		else if (r + 1 == end || r[1] != '\n')
			*w++ = '\n';
	}
	g_string_truncate(s, w - s->str);
}

/* Lines of a calendar are folded before a blank */
void
lines_unfold_calendar(GString *s)
{
	gsize		n = 0;

	for (gsize i = 0; i < s->len; i++)
	{
		gsize		k = i + (s->str[i] == '\r' ? 1 : 0);

		if (s->str[k] == '\n' && (s->str[k + 1] == ' ' || s->str[k + 1] == '\t'))
			i = k + 1;
		else
			s->str[n++] = s->str[i];
	}
	g_string_truncate(s, n);
}

/* Levels of quotation at s */
static size_t
quote_depth(const char *s)
{
	return strspn(s, ">");
}

/*
 * Lines that format=flowed; delsp=yes ends softly, by a blank that is none: a
 * reader's program joins them with what follows in the same quotation.
 */
void
lines_unflow(GString *s)
{
	gsize		n = 0;
	size_t		depth = quote_depth(s->str);
	gsize		line = 0;

	lines_normalize(s, 0);
	for (gsize i = 0; i < s->len; i++)
	{
		char		c = s->str[i];
		size_t		next;

		if (c != '\n')
		{
			s->str[n++] = c;
			continue;
		}
		next = quote_depth(s->str + i + 1);
		/* "-- " is the line before a signature */
		if (n > line && s->str[n - 1] == ' ' && next == depth && i + 1 < s->len &&
			!(n - line >= 3 && strncmp(s->str + n - 3, "-- ", 3) == 0 && n - line <= depth + 4))
		{
			n--;
			i += depth;
			if (s->str[i + 1] == ' ')
				i++;
			continue;
		}
		s->str[n++] = c;
		line = n;
		depth = next;
	}
	g_string_truncate(s, n);
}
