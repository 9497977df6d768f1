/*
 * content_headers.c
 *	  What the Content-* headers of a part, and of a message, say: the type, the
 *	  transfer encoding, the name of a file.
 *
 * Programs differ in which of two headers they heed, and in what they make of
 * one that is broken; what shows a reader more counts.
 */
#include <string.h>

#include "mail.h"

/* ---- of a part, as GMime has them ---------------------------------------- */

/*
 * The transfer encoding of a part.  Of two headers the one counts that
 * changes the bytes: a reader's program that heeds it shows what we'd miss.
 */
GMimeContentEncoding
part_encoding(GMimeObject *object)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	GMimeContentEncoding result = GMIME_CONTENT_ENCODING_DEFAULT;
	int			n = MIN(g_mime_header_list_get_count(list), 1000);

	for (int i = 0; i < n; i++)
	{
		GMimeHeader *h = g_mime_header_list_get_header_at(list, i);
		const char *raw = g_mime_header_get_raw_value(h);
		GMimeContentEncoding found;

		if (raw == NULL ||
			g_ascii_strcasecmp(g_mime_header_get_name(h), "Content-Transfer-Encoding") != 0)
			continue;
		found = encoding_by_name(raw);
		if (result == GMIME_CONTENT_ENCODING_DEFAULT || found == GMIME_CONTENT_ENCODING_BASE64 ||
			found == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
			result = found;
	}
	return result;
}

/* A Content-* header as it stands, or NULL */
const char *
part_header(GMimeObject *object, const char *name)
{
	GMimeHeader *h = g_mime_header_list_get_header(g_mime_object_get_header_list(object), name);
	const char *raw = h != NULL ? g_mime_header_get_raw_value(h) : NULL;

	return raw != NULL && strlen(raw) <= MAX_CONTENT_HEADER ? raw : NULL;
}

/* All headers of a part by one name, unfolded, behind one another: programs differ in which they take.  NULL for none */
static char *
all_headers(Message *m, GMimeObject *object, const char *name)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	GString    *all = NULL;
	int			n = MIN(g_mime_header_list_get_count(list), 1000);

	for (int i = 0; i < n; i++)
	{
		GMimeHeader *h = g_mime_header_list_get_header_at(list, i);
		const char *raw = g_mime_header_get_raw_value(h);
		char	   *value;

		if (raw == NULL || g_ascii_strcasecmp(g_mime_header_get_name(h), name) != 0 ||
			strlen(raw) + (all != NULL ? all->len : 0) > MAX_CONTENT_HEADER)
			continue;
		value = unfold(m, raw, strlen(raw), NULL);
		if (all == NULL)
			all = g_string_new(value);
		else
			g_string_append_printf(all, ";%s", value);
		g_free(value);
	}
	return all != NULL ? g_string_free(all, FALSE) : NULL;
}

/* The name of an attachment, clean, or NULL */
char	   *
part_name(Message *m, GMimeObject *object)
{
	const char *type = part_header(object, "Content-Type");
	char	   *d = all_headers(m, object, "Content-Disposition");
	char	   *t;
	char	   *name;

	if (d == NULL && (type == NULL || strchr(type, '=') == NULL))
		return NULL;
	t = all_headers(m, object, "Content-Type");
	name = param_file_name(m, d, t);
	g_free(d);
	g_free(t);
	return name;
}

/* Does a Content-Type begin like that, whatever stands before it? */
static bool
type_is(const char *raw, const char *type)
{
	size_t		n = strlen(type);

	raw = skip_comments(raw, " \t\r\n\"';<");
	return g_ascii_strncasecmp(raw, type, n) == 0 && strchr(" \t\r\n;,(\"'>", raw[n]) != NULL;
}

/*
 * Is a part HTML by one of its Content-Type headers?  Of two a program may heed
 * either, and in "html" or "\"text/html\"" what is meant is clear.
 */
bool
part_is_html(GMimeObject *object)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(object);
	int			n = MIN(g_mime_header_list_get_count(list), 1000);

	for (int i = 0; i < n; i++)
	{
		GMimeHeader *h = g_mime_header_list_get_header_at(list, i);
		const char *raw = g_mime_header_get_raw_value(h);

		if (raw != NULL && g_ascii_strcasecmp(g_mime_header_get_name(h), "Content-Type") == 0 &&
			(type_is(raw, "text/html") || type_is(raw, "html")))
			return true;
	}
	return false;
}

/* Is its Content-Type none?  By RFC 2045 that is text then, which GMime takes for unknown bytes. */
bool
part_has_broken_type(GMimeObject *object)
{
	const char *raw = part_header(object, "Content-Type");
	size_t		n;

	if (raw == NULL)
		return false;
	raw = skip_comments(raw, " \t\r\n");
	n = strcspn(raw, "/;\"'<, \t\r\n");
	return n == 0 || raw[n + strspn(raw + n, " \t\r\n")] != '/';
}

/* Does its Content-Type mean a multipart, though GMime takes it for none: encoded, in quotes, without a subtype? */
bool
part_is_broken_multipart(GMimeObject *object, const char *type)
{
	const char *raw = part_header(object, "Content-Type");

	return raw != NULL && (g_ascii_strcasecmp(type, "multipart") == 0 ||
						   g_ascii_strncasecmp(skip_comments(raw, " \t\r\n\"'<;"), "multipart", 9) == 0);
}

/* ---- of the message, for GMime ------------------------------------------- */

bool
type_is_multipart(const Header *h)
{
	return g_ascii_strncasecmp(h->value, "multipart/", 10) == 0;
}

/* Append a header's value with its last quote closed */
static void
append_closed(GString *kept, const char *value)
{
	int			quotes = 0;

	for (const char *p = value; *p != '\0'; p++)
		quotes += *p == '"';
	g_string_append_printf(kept, "%s%s", value, quotes % 2 != 0 ? "\"" : "");
}

/*
 * A header, and behind its value those of others of its name, of which a
 * program may take the name of a file.
 */
static void
append_content_header(GString *kept, const Header *h, GArray *headers)
{
	gsize		from = kept->len;

	g_string_append_printf(kept, "%s: ", h->name);
	append_closed(kept, h->value);
	for (guint i = 0; i < headers->len; i++)
	{
		const Header *other = &g_array_index(headers, Header, i);

		if (other != h && strcmp(other->name, h->name) == 0 &&
			kept->len - from + strlen(other->value) < MAX_CONTENT_HEADER)
		{
			g_string_append(kept, "; ");
			append_closed(kept, other->value);
		}
	}
	g_string_append_c(kept, '\n');
}

/* Is it a message in a transfer encoding? */
static bool
is_coded_message(GArray *headers, const Header *type)
{
	if (g_ascii_strncasecmp(type->value, "message/", 8) != 0)
		return false;
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);
		GMimeContentEncoding encoding = strcmp(h->name, "content-transfer-encoding") == 0 ?
		encoding_by_name(h->value) : GMIME_CONTENT_ENCODING_DEFAULT;

		if (encoding == GMIME_CONTENT_ENCODING_BASE64 || encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
			return true;
	}
	return false;
}

/*
 * The Content-* headers that GMime is to see.  Of two types the multipart
 * counts, since a program that heeds it shows more; the nth of several (from
 * 0) is the one wanted.
 */
GString    *
content_headers(Message *m, GArray *headers, Header *type)
{
	static const char *const wanted[] = {"content-transfer-encoding", "content-disposition"};
	GString    *kept = g_string_new(NULL);
	GArray	   *none = g_array_new(FALSE, FALSE, sizeof(Header));

	if (type != NULL && type->value[0] != '\0')
	{
		if (strlen(type->value) > MAX_CONTENT_HEADER)
			ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
		else if (is_coded_message(headers, type))
			g_string_append_printf(kept, "content-type: " CODED_MESSAGE "%s\n", strchr(type->value, '/'));
		else if (strchr(type->value, '/') != NULL)
			append_content_header(kept, type, type_is_multipart(type) ? none : headers);
		else
		{
			/* no type at all means text, not unknown bytes */
			ADD_DEFECT(m, DEFECT_BROKEN_MIME);
			if (g_ascii_strncasecmp(type->value, "multipart", 9) == 0)
				g_string_append_printf(kept, "content-type: multipart/mixed%s\n", type->value + 9);
			else if (g_ascii_strncasecmp(type->value, "html", 4) == 0)
				g_string_append_printf(kept, "content-type: text/%s\n", type->value);
		}
	}
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		for (size_t k = 0; k < G_N_ELEMENTS(wanted); k++)
			if (strcmp(h->name, wanted[k]) == 0 && h->value[0] != '\0' &&
				(k == 0 || h == find_header(headers, wanted[k])))
			{
				if (strlen(h->value) > MAX_CONTENT_HEADER)
					ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
				else if (kept->len < 4 * MAX_CONTENT_HEADER)
					append_content_header(kept, h, k == 0 ? none : headers);
			}
	}
	g_string_append_c(kept, '\n');
	g_array_free(none, TRUE);
	return kept;
}

/* How much a reader may see of a body of that type */
static int
shown_by(const Header *type)
{
	return type_is(type->value, "text/html") ? 2 : g_ascii_strncasecmp(type->value, "text/", 5) == 0 ? 1 : 0;
}

/*
 * The Content-Type headers to read the body by: all different multiparts (two
 * at most), else the first of those that show most.
 */
int
choose_types(GArray *headers, Header *types[2])
{
	int			n = 0;

	for (guint i = 0; i < headers->len && n < 2; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (strcmp(h->name, "content-type") == 0 && type_is_multipart(h) &&
			(n == 0 || strcmp(h->value, types[0]->value) != 0))
			types[n++] = h;
	}
	if (n > 0)
		return n;
	types[0] = find_header(headers, "content-type");
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (strcmp(h->name, "content-type") == 0 && shown_by(h) > shown_by(types[0]))
			types[0] = h;
	}
	return 1;
}

/* Is a body of that type one part, whatever is in it? */
bool
type_is_leaf(const Header *type)
{
	const char *s = type != NULL ? type->value : "";

	if (g_ascii_strncasecmp(s, "text/html", 9) == 0)
		s += 9;
	else if (g_ascii_strncasecmp(s, "text/plain", 10) == 0)
		s += 10;
	return *s == '\0' || *s == ';' || *s == ' ';
}

/* The type of a multipart that names two boundaries with the second of them, or NULL: programs differ in which they take */
char	   *
other_boundary(const Header *type)
{
	const char *first = type != NULL && type_is_multipart(type) ? g_strstr_len(type->value, -1, "boundary=") : NULL;
	const char *second = first != NULL ? strstr(first + 9, "boundary=") : NULL;
	char	   *value;

	if (second == NULL || strcspn(first + 9, ";") == 0 ||
		(strcspn(first, ";") == strcspn(second, ";") && strncmp(first, second, strcspn(first, ";")) == 0))
		return NULL;
	value = g_strdup(type->value);
	value[first - type->value] = 'x';
	return value;
}
