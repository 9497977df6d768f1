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

/* The boundary that parts stand behind, by a line of -- before a Content-* header, or NULL */
char	   *
find_boundary(const char *s, size_t len)
{
	const char *end = s + len;
	const char *next;

	for (; s < end; s = next)
	{
		size_t		n;

		next = next_line(s, end);
		if (s[0] != '-' || end - next < 8 || s[1] != '-' || g_ascii_strncasecmp(next, "content-", 8) != 0 ||
			header_name_len(next, next_line(next, end)) == 0)
			continue;
		n = next - s;
		while (n > 0 && g_ascii_isspace(s[n - 1]))
			n--;
		if (n > 2 && n <= 200)
			return g_strndup(s + 2, n - 2);
	}
	return NULL;
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

/* What guard_mime() has seen of a block of headers */
typedef struct PartHeaders
{
	char	   *message;		/* where its type begins that is a message's,
								 * or NULL */
	bool		coded;			/* it has a transfer encoding that changes
								 * bytes */
} PartHeaders;

/* Note a header that begins at s */
static void
note_header(PartHeaders *part, char *s, size_t name_len, const char *end)
{
	char	   *value = memchr(s, ':', end - s);

	for (value++; value < end && g_ascii_isspace(*value);)
		value++;
	if (name_len == 12 && g_ascii_strncasecmp(s, "content-type", 12) == 0)
		part->message = end - value > 8 && g_ascii_strncasecmp(value, "message/", 8) == 0 ? value : NULL;
	else if (name_len == 25 && g_ascii_strncasecmp(s, "content-transfer-encoding", 25) == 0)
	{
		char	   *raw = g_strndup(value, MIN(end - value, 200));
		GMimeContentEncoding encoding = encoding_by_name(raw);

		part->coded |= encoding == GMIME_CONTENT_ENCODING_BASE64 || encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
		g_free(raw);
	}
}

/* A block of headers is over: GMime reads no message that is in a transfer encoding, so it gets to see another type */
static void
end_headers(PartHeaders *part)
{
	if (part->message != NULL && part->coded)
		memcpy(part->message, CODED_MESSAGE, strlen(CODED_MESSAGE));
	memset(part, 0, sizeof(*part));
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
	PartHeaders part = {0};

	while (s < end)
	{
		char	   *next = (char *) next_line(s, end);

		if (s[0] == '-' && next - s > 2 && s[1] == '-')
		{
			in_headers = true;
			content = false;
			memset(&part, 0, sizeof(part));
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
				if (content)
					note_header(&part, s, header_name_len(s, next), end);
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
		else
		{
			if (quotes % 2 != 0)
				*last_quote = ' ';
			quotes = 0;
			end_headers(&part);
		}
		/* after an empty line, headers of an attached message may follow */
		s = next;
	}
	if (s < end)
		ADD_DEFECT(m, DEFECT_MIME_LIMIT);
	return s - body;
}
