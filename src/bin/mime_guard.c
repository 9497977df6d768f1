/*
 * mime_guard.c
 *	  What of a structured body GMime gets to see: boundaries that come again, and
 *	  bounds for what hostile ones and header lines may cost it.
 */
#include <string.h>

#include "mail.h"

/* A line that may be a boundary */
typedef struct BoundaryLine
{
	char	   *s;
	size_t		len;			/* without white space behind it */
	bool		closes;
} BoundaryLine;

/* The lines that may be boundaries, of which no more count than GMime gets to see */
static GArray *
find_boundaries(char *body, size_t len)
{
	GArray	   *lines = g_array_new(FALSE, FALSE, sizeof(BoundaryLine));
	char	   *end = body + len;
	const char *next;

	for (char *s = body; s < end && lines->len <= MAX_BOUNDARY_LINES; s = (char *) next)
	{
		BoundaryLine line = {.s = s};

		next = next_line(s, end);
		if (s[0] != '-' || end - s < 4 || s[1] != '-')
			continue;
		line.len = next - s;
		while (line.len > 0 && g_ascii_isspace(s[line.len - 1]))
			line.len--;
		if (line.len < 3 || line.len > 200)
			continue;
		line.closes = line.len > 4 && s[line.len - 1] == '-' && s[line.len - 2] == '-';
		g_array_append_val(lines, line);
	}
	return lines;
}

/*
 * A boundary that ends its multipart and comes again later: programs go on
 * reading.  Blank out the end, so that GMime does too.
 */
void
reopen_boundaries(Message *m, char *body, size_t len)
{
	GHashTable *last = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	GArray	   *lines = find_boundaries(body, len);

	for (int pass = 0; pass < 2; pass++)
		for (guint i = 0; i < lines->len; i++)
		{
			BoundaryLine *line = &g_array_index(lines, BoundaryLine, i);
			char	   *key;

			if (line->closes != (pass == 1))
				continue;
			key = g_strndup(line->s, line->closes ? line->len - 2 : line->len);
			if (!line->closes)
			{
				g_hash_table_insert(last, key, line->s);
				continue;
			}
			if ((char *) g_hash_table_lookup(last, key) > line->s)
			{
				line->s[line->len - 1] = line->s[line->len - 2] = ' ';
				ADD_DEFECT(m, DEFECT_BROKEN_MIME);
			}
			g_free(key);
		}
	g_array_free(lines, TRUE);
	g_hash_table_destroy(last);
}

/*
 * GMime builds an object for each part and each header in it, looks at each
 * line that begins with -- once for each level of nesting, and at each
 * parameter of a header once for each other.  Bound what a message can make
 * of that: returns how much of a structured body it may see, and blanks out
 * what a header has beyond the parameters that anybody would write.
 */
size_t
guard_mime(Message *m, char *body, size_t len, bool in_message)
{
	char	   *end = body + len;
	char	   *s = body;
	int			boundaries = 0;
	int			headers = 0;

	/* may this line be a header of a part, or of a message in it? */
	bool		in_headers = in_message;
	bool		content = false;
	int			params = 0;
	int			quotes = 0;
	char	   *last_quote = NULL;

	while (s < end)
	{
		char	   *next = (char *) next_line(s, end);

		if (s[0] == '-' && next - s > 2 && s[1] == '-')
		{
			in_headers = true;
			content = false;
			if (++boundaries > MAX_BOUNDARY_LINES)
				break;
		}
		else if (in_headers && !is_blank_line(s, end))
		{
			bool		folded = *s == ' ' || *s == '\t';

			if (!folded)
			{
				/* a quote that is not closed would swallow the header */
				if (quotes % 2 != 0)
					*last_quote = ' ';
				quotes = 0;
				in_headers = header_name_len(s, next) > 0;
				content = in_headers && g_ascii_strncasecmp(s, "content-", 8) == 0;
				params = 0;
				if (in_headers && ++headers > MAX_PART_HEADERS)
					break;
			}
			if (content)
				for (char *p = s; p < next; p++)
				{
					if (*p == ';')
						params++;
					else if (*p == '"')
					{
						quotes++;
						last_quote = p;
					}
					if (params > MAX_PARAMETERS && *p != '\n')
					{
						*p = ' ';
						ADD_DEFECT(m, DEFECT_MIME_LIMIT);
					}
				}
		}
		else if (quotes % 2 != 0)
		{
			*last_quote = ' ';
			quotes = 0;
		}
		/* after an empty line, headers of an attached message may follow */
		s = next;
	}
	if (s < end)
		ADD_DEFECT(m, DEFECT_MIME_LIMIT);
	return s - body;
}
