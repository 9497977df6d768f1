/*
 * mime_guard.c
 *	  What of a structured body GMime gets to see: boundaries that come again,
 *	  text without the empty line before it, and bounds for what hostile boundaries
 *	  and header lines may cost it.
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

/* The boundary that parts stand behind, by a line of -- before a Content-* header, or NULL; that line is at *at */
char	   *
find_boundary(const char *s, size_t len, size_t *at)
{
	const char *body = s;
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
		*at = s - body;
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

/* ---- text that no empty line separates from its headers ------------------ */

/* A header whose boundary comes in pieces, and how many of these are put together */
#define MAX_PIECED_HEADER	4096
#define MAX_PIECED_HEADERS	100

/* Add the boundary of the header around a place, which names it in pieces or in a charset (RFC 2231) */
static void
add_pieced_boundary(Message *m, GHashTable *boundaries, const char *s, const char *at, const char *end)
{
	const char *from = at;
	const char *to = at;
	GMimeContentType *ct;
	char	   *value;

	/* with its folds */
	while (from > s && at - from < MAX_PIECED_HEADER && !(from[-1] == '\n' && *from != ' ' && *from != '\t'))
		from--;
	while (to < end && to - at < MAX_PIECED_HEADER && !(*to == '\n' && (end - to < 2 || (to[1] != ' ' && to[1] != '\t'))))
		to++;
	if (at - from == MAX_PIECED_HEADER || to - at == MAX_PIECED_HEADER)
		ADD_DEFECT(m, DEFECT_MIME_LIMIT);
	if (to - from > 13 && g_ascii_strncasecmp(from, "content-type", 12) == 0)
		from += 12 + strspn(from + 12, ": \t");
	value = g_strdelimit(g_strndup(from, to - from), "\r\n", ' ');
	ct = g_mime_content_type_parse(NULL, value);
	if (ct != NULL && g_mime_content_type_get_parameter(ct, "boundary") != NULL)
		g_hash_table_add(boundaries, g_strdup(g_mime_content_type_get_parameter(ct, "boundary")));
	if (ct != NULL)
		g_object_unref(ct);
	g_free(value);
}

/* Add the boundaries that parameters name */
static void
add_boundaries(Message *m, GHashTable *boundaries, const char *s, size_t len)
{
	static const char name[] = "boundary";
	const char *end = s + len;
	int			pieced = 0;

	for (const char *p = s; (p = memchr(p, '=', end - p)) != NULL && g_hash_table_size(boundaries) < MAX_BOUNDARY_LINES; p++)
	{
		const char *q = p;
		const char *from;

		/* "boundary*0 =" */
		while (q > s && (g_ascii_isdigit(q[-1]) || strchr(" \t*", q[-1]) != NULL))
			q--;
		if ((size_t) (q - s) < strlen(name) || g_ascii_strncasecmp(q - strlen(name), name, strlen(name)) != 0)
			continue;
		if (memchr(q, '*', p - q) != NULL)
		{
			if (pieced++ < MAX_PIECED_HEADERS)
				add_pieced_boundary(m, boundaries, s, q, end);
			else
				ADD_DEFECT(m, DEFECT_MIME_LIMIT);
		}
		for (from = p + 1; from < end && (*from == ' ' || *from == '\t' || *from == '"'); from++)
			;
		for (q = from; q < end && q - from < 200 && *q != '\n' && strchr(from[-1] == '"' ? "\"\r" : "\r;", *q) == NULL; q++)
			;
		while (q > from && g_ascii_isspace(q[-1]))
			q--;
		g_hash_table_add(boundaries, g_strndup(from, q - from));
	}
}

/* The block of headers behind a boundary */
typedef struct PartBlock
{
	const char *from;
	const char *text;			/* the first line in it that is no header, or
								 * NULL */
	const char *more;			/* the first Content-* header behind that, or
								 * NULL */
	const char *end;			/* where it ends */
	bool		ends;			/* by an empty line */
	bool		message;		/* and an attached message is behind it */
	bool		multipart;		/* another boundary is, with no line between */
	bool		coded;			/* headers before the text name base64 */
} PartBlock;

/* Is the line at s one of the boundaries, or one that closes where that counts, too?  Where none are given, any of -- */
static bool
is_boundary(GHashTable *boundaries, const char *s, const char *next, bool closing)
{
	char	   *key;
	bool		found;

	if (next - s < 3 || s[0] != '-' || s[1] != '-')
		return false;
	if (boundaries == NULL)
		return true;
	while (next > s && g_ascii_isspace(next[-1]))
		next--;
	if (next - s > 200 + 2)
		return false;
	key = g_strndup(s + 2, next - s - 2);
	if (closing && next - s > 4 && g_str_has_suffix(key, "--") && !g_hash_table_contains(boundaries, key))
		key[next - s - 4] = '\0';
	found = g_hash_table_contains(boundaries, key);
	g_free(key);
	return found;
}

/* Is it a header?  A URL is none. */
static bool
is_header(const char *s, const char *next)
{
	size_t		n = header_name_len(s, next);

	return n > 0 && (next - s < (ptrdiff_t) n + 3 || memcmp(s + n, "://", 3) != 0);
}

/* Read the block of headers at s */
static void
read_block(PartBlock *block, const char *s, const char *end, GHashTable *boundaries)
{
	const char *next;

	memset(block, 0, sizeof(*block));
	block->from = s;
	for (; s < end; s = next)
	{
		next = next_line(s, end);
		if (is_blank_line(s, end))
		{
			block->ends = true;
			break;
		}
		if (is_boundary(boundaries, s, next, true))
			break;
		if ((*s == ' ' || *s == '\t') && s > block->from)
			continue;
		if (!is_header(s, next))
		{
			if (block->text == NULL)
				block->text = s;
		}
		else if (g_ascii_strncasecmp(s, "content-", 8) == 0)
		{
			if (block->text !=NULL && block->more == NULL)
				block->more = s;
			if (block->text == NULL && next - s > 26 && g_ascii_strncasecmp(s, "content-transfer-encoding", 25) == 0)
				block->coded |= g_strstr_len(s, next - s, "64") != NULL;
			if (g_ascii_strncasecmp(s, "content-type", 12) == 0)
			{
				block->message = g_strstr_len(s, next - s, "/rfc822") != NULL;
				block->multipart = g_strstr_len(s, next - s, "ultipart/") != NULL;
			}
		}
	}
	block->end = s;
	block->message &= block->ends && !block->coded;
	block->multipart &= !block->ends && s < end;
}

/* The next line that begins with --, behind that at s, or the end */
static const char *
next_dashes(const char *s, const char *end)
{
	while (end - s > 2 && (s = memchr(s + 1, '-', end - s - 2)) != NULL)
		if (s[-1] == '\n' && s[1] == '-')
			return s;
	return end;
}

/* Does text follow a line of -- at once? */
static bool
may_lack_lines(const char *body, size_t len)
{
	const char *end = body + len;
	PartBlock	block;

	for (const char *s = body; s < end; s = next_dashes(s, end))
	{
		const char *next = next_line(s, end);

		if (is_boundary(NULL, s, next, false))
		{
			read_block(&block, next, end, NULL);
			if (block.message)
				read_block(&block, next_line(block.end, end), end, NULL);
			if (block.text !=NULL || (!block.ends && block.end > block.from && block.end < end))
				return true;
		}
	}
	return false;
}

/*
 * Where text follows a boundary or a part's headers without an empty line,
 * GMime takes it for a header and drops it, while programs show it.  Returns
 * the body with these lines, behind so many bytes of room, or NULL where none is
 * missing; "types" are the headers that name boundaries besides those in it.
 * Headers behind the text may be the part's for other programs: it is there
 * twice then.
 */
GString    *
separate_bodies(Message *m, const char *types, const char *body, size_t len, size_t room)
{
	const char *end = body + len;
	const char *done = body;
	GHashTable *boundaries;
	GString    *out = NULL;

	if (!may_lack_lines(body, len))
		return NULL;
	boundaries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	add_boundaries(m, boundaries, types, strlen(types));
	add_boundaries(m, boundaries, body, len);
	for (const char *s = body; s < end; s = next_dashes(s, end))
	{
		const char *next = next_line(s, end);
		const char *at;
		PartBlock	block;

		if (!is_boundary(boundaries, s, next, false))
			continue;
		read_block(&block, next, end, boundaries);
		/* an attached message's own */
		if (block.text == NULL && block.message)
		{
			read_block(&block, next_line(block.end, end), end, boundaries);
			if (block.text == block.from || block.more != NULL)
				continue;
		}
		at = block.text;
		/* the headers of a multipart, and at once its first part */
		if (at == NULL && block.multipart)
			at = block.end;
		if (at == NULL || (block.coded && block.ends && block.more == NULL))
			continue;
		if (out == NULL)
		{
			out = g_string_sized_new(room + len + 1024);
			g_string_set_size(out, room);
			memset(out->str, ' ', room);
		}
		g_string_append_len(out, done, at - done);
		g_string_append_c(out, '\n');
		done = at;
		if (block.more != NULL)
		{
			g_string_append_len(out, done, block.more - done);
			g_string_append_len(out, s, next - s);
			g_string_append_len(out, block.from, at - block.from);
			done = block.more;
		}
	}
	g_hash_table_destroy(boundaries);
	if (out == NULL)
		return NULL;
	g_string_append_len(out, done, end - done);
	ADD_DEFECT(m, DEFECT_BROKEN_MIME);
	return out;
}

/* ---- bounds ------------------------------------------------------------- */

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
