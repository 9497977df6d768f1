/*
 * body.c
 *	  The body of a message: its MIME structure, text, links and attachments.
 *
 * The structure is GMime's work.  It sees the Content-* headers and the body,
 * over the same memory, behind a guard that bounds what hostile boundaries and
 * header lines may cost it.
 */
#include <string.h>

#include "mail.h"

typedef struct WalkState
{
	Message    *m;
	const char *base;			/* what the GMime stream lies over */
	size_t		len;
	int			parts;
} WalkState;

/* ---- the body ------------------------------------------------------------ */

/* Line ends to \n */
static void
normalize_newlines(GString *s, size_t from)
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

static bool
is_blank(const GString *s)
{
	for (gsize i = 0; i < s->len; i++)
		if (!g_ascii_isspace(s->str[i]))
			return false;
	return true;
}

/*
 * Undo the transfer encoding, into out (at most max bytes), or only count
 * where out is NULL.  Returns the decoded size; sets *cut.
 */
static int64_t
decode_content(const char *s, size_t len, GMimeContentEncoding encoding,
			   GString *out, size_t max, bool *cut)
{
	GMimeFilter *filter;
	int64_t		total = 0;
	bool		last = false;

	*cut = false;
	switch (encoding)
	{
		case GMIME_CONTENT_ENCODING_BASE64:
		case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		case GMIME_CONTENT_ENCODING_UUENCODE:
			break;
		default:
			if (out != NULL)
			{
				*cut = len > max;
				g_string_append_len(out, s, MIN(len, max));
			}
			return len;
	}

	filter = g_mime_filter_basic_new(encoding, FALSE);
	while (!last)
	{
		size_t		n = MIN(len, 65536);
		char	   *decoded = NULL;
		size_t		decoded_len = 0;
		size_t		prespace = 0;

		/* complete() alone would not look for the "begin" of uuencode */
		last = len == 0;
		if (last)
			g_mime_filter_complete(filter, (char *) "", 0, 0, &decoded, &decoded_len, &prespace);
		else
			g_mime_filter_filter(filter, (char *) s, n, 0, &decoded, &decoded_len, &prespace);
		s += n;
		len -= n;
		total += decoded_len;
		if (out != NULL)
		{
			if (out->len + decoded_len > max)
			{
				g_string_append_len(out, decoded, max - out->len);
				*cut = true;
				break;
			}
			g_string_append_len(out, decoded, decoded_len);
		}
	}
	g_object_unref(filter);
	return total;
}

/* The bytes of a part as they lie in the message */
static bool
part_bytes(WalkState *w, GMimePart *part, const char **s, size_t *len)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *stream = content != NULL ? g_mime_data_wrapper_get_stream(content) : NULL;
	int64_t		start;
	int64_t		end;

	if (stream == NULL || !GMIME_IS_STREAM_MEM(stream))
		return false;
	start = stream->bound_start;
	end = stream->bound_end < 0 ? (int64_t) w->len : stream->bound_end;
	if (start < 0 || end > (int64_t) w->len || start > end)
		return false;
	*s = w->base + start;
	*len = end - start;
	return true;
}

/* What a <meta> near the top of an HTML part says about its charset */
static char *
html_meta_charset(const char *s, size_t len)
{
	const char *end = s + MIN(len, 2048);

	for (const char *p = s; p + 8 < end; p++)
	{
		char		name[40];
		size_t		n = 0;

		if ((*p != 'c' && *p != 'C') || g_ascii_strncasecmp(p, "charset", 7) != 0)
			continue;
		p += 7;
		while (p < end && (g_ascii_isspace(*p) || *p == '=' || *p == '"' || *p == '\''))
			p++;
		while (p < end && n < sizeof(name) - 1 &&
			   (g_ascii_isalnum(*p) || strchr("-_.:", *p) != NULL) && *p != '\0')
			name[n++] = *p++;
		name[n] = '\0';
		if (n > 0)
			return g_strdup(name);
	}
	return NULL;
}

typedef enum TextKind
{
	TEXT_NONE, TEXT_PLAIN, TEXT_HTML, TEXT_ENRICHED
} TextKind;

/* Which parts are text to be read */
static TextKind
text_kind(const char *type, const char *subtype)
{
	static const char *const plain[] = {
		"plain", "markdown", "x-markdown", "x-patch", "x-diff"
	};

	if (g_ascii_strcasecmp(type, "application") == 0)
		return g_ascii_strcasecmp(subtype, "xhtml+xml") == 0 ? TEXT_HTML : TEXT_NONE;
	if (g_ascii_strcasecmp(type, "text") != 0)
		return TEXT_NONE;
	if (g_ascii_strcasecmp(subtype, "html") == 0)
		return TEXT_HTML;
	if (g_ascii_strcasecmp(subtype, "enriched") == 0 ||
		g_ascii_strcasecmp(subtype, "richtext") == 0)
		return TEXT_ENRICHED;
	for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
		if (g_ascii_strcasecmp(subtype, plain[i]) == 0)
			return TEXT_PLAIN;
	return TEXT_NONE;
}

/* Append a text part to the body, and note its URLs */
static void
add_text(WalkState *w, GString *body, const char *s, size_t len,
		 GMimeContentEncoding encoding, const char *charset, TextKind kind, bool richtext)
{
	Message    *m = w->m;
	GString    *decoded = NULL;
	GString    *text;
	char	   *meta = NULL;
	bool		cut;

	/* markup takes space that the text then does not need */
	size_t		max = options.max_body * (kind == TEXT_PLAIN ? 1 : 4) + 4096;

	if (encoding == GMIME_CONTENT_ENCODING_BASE64 ||
		encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
		encoding == GMIME_CONTENT_ENCODING_UUENCODE)
	{
		decoded = g_string_new(NULL);
		decode_content(s, len, encoding, decoded, max, &cut);
		s = decoded->str;
		len = decoded->len;
	}
	else
	{
		cut = len > max;
		len = MIN(len, max);
	}
	if (cut)
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);

	if (charset == NULL && kind == TEXT_HTML)
		charset = meta = html_meta_charset(s, len);
	text = g_string_sized_new(len + 16);

	text_to_utf8(text, s, len, charset, m);
	g_free(meta);
	if (decoded != NULL)
		g_string_free(decoded, TRUE);

	if (kind == TEXT_ENRICHED)
	{
		GMimeFilter *filter = g_mime_filter_enriched_new(richtext ? GMIME_FILTER_ENRICHED_IS_RICHTEXT : 0);
		char	   *out;
		size_t		out_len;
		size_t		prespace;
		GString    *html;

		g_mime_filter_complete(filter, text->str, text->len, 0, &out, &out_len, &prespace);
		html = g_string_sized_new(out_len + 16);
		text_append_clean(html, out, out_len, m, DEFECT_BAD_CHARSET);
		g_object_unref(filter);
		g_string_free(text, TRUE);
		text = html;
	}
	if (kind == TEXT_HTML)
		m->has_html = true;
	if (kind != TEXT_PLAIN)
	{
		GString    *stripped = g_string_sized_new(text->len / 2 + 16);

		html_to_text(m, text, stripped);
		g_string_free(text, TRUE);
		text = stripped;
	}
	normalize_newlines(text, 0);
	text_find_urls(m, text->str, text->len);

	if (body->len > 0 && text->len > 0 && body->str[body->len - 1] != '\n')
		g_string_append_c(body, '\n');
	if (body->len + text->len > options.max_body)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
		text_truncate(text, options.max_body - MIN(body->len, options.max_body));
	}
	g_string_append_len(body, text->str, text->len);
	g_string_free(text, TRUE);
}

/* A parameter of a Content-* header that has encoded words in it, or NULL */
static char *
encoded_parameter(Message *m, GMimeObject *object, const char *header, const char *param)
{
	GMimeHeader *h = g_mime_header_list_get_header(g_mime_object_get_header_list(object), header);
	const char *raw = h != NULL ? g_mime_header_get_raw_value(h) : NULL;
	GPtrArray  *words;
	char	   *unfolded;
	char	   *hidden;
	char	   *result = NULL;

	if (raw == NULL || strstr(raw, "=?") == NULL || strlen(raw) > MAX_CONTENT_HEADER)
		return NULL;
	words = g_ptr_array_new_with_free_func(g_free);
	unfolded = unfold(m, raw, strlen(raw), NULL);
	hidden = words_hide(unfolded, words);
	if (header[8] == 'D')
	{
		GMimeContentDisposition *cd = g_mime_content_disposition_parse(NULL, hidden);
		const char *value = g_mime_content_disposition_get_parameter(cd, param);

		if (value != NULL)
			result = words_show(m, value, words);
		g_object_unref(cd);
	}
	else
	{
		GMimeContentType *ct = g_mime_content_type_parse(NULL, hidden);
		const char *value = g_mime_content_type_get_parameter(ct, param);

		if (value != NULL)
			result = words_show(m, value, words);
		g_object_unref(ct);
	}
	g_free(hidden);
	g_free(unfolded);
	g_ptr_array_free(words, TRUE);
	return result;
}

/* The name of an attachment, clean, or NULL */
static char *
part_name(Message *m, GMimeObject *object)
{
	char	   *name;
	char	   *clean;

	if ((name = encoded_parameter(m, object, "Content-Disposition", "filename")) == NULL)
	{
		const char *value = g_mime_object_get_content_disposition_parameter(object, "filename");

		name = g_strdup(value);
	}
	if (name == NULL &&
		(name = encoded_parameter(m, object, "Content-Type", "name")) == NULL)
		name = g_strdup(g_mime_object_get_content_type_parameter(object, "name"));
	clean = text_clean(name, -1, m, DEFECT_BAD_CHARSET);
	g_free(name);
	return clean;
}

/* A leaf of the MIME tree: text goes to the body, the rest is an attachment */
static void
walk_part(WalkState *w, GMimePart *part, GString *body, bool top)
{
	GMimeObject *object = GMIME_OBJECT(part);
	GMimeContentType *ct = g_mime_object_get_content_type(object);
	const char *type = ct != NULL ? g_mime_content_type_get_media_type(ct) : "text";
	const char *subtype = ct != NULL ? g_mime_content_type_get_media_subtype(ct) : "plain";
	const char *disposition = g_mime_object_get_disposition(object);
	char	   *filename = part_name(w->m, object);
	GMimeContentEncoding encoding = g_mime_part_get_content_encoding(part);
	TextKind	kind;
	bool		attached;
	bool		cut;
	const char *s;
	size_t		len;

	if (type == NULL || subtype == NULL)
		type = "text", subtype = "plain";
	if (!part_bytes(w, part, &s, &len))
		s = "", len = 0;
	attached = disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0;
	kind = text_kind(type, subtype);
	if (kind == TEXT_NONE && top && !attached && g_ascii_strcasecmp(type, "text") == 0)
		kind = TEXT_PLAIN;

	if (kind != TEXT_NONE && !attached)
		add_text(w, body, s, len, encoding,
				 ct != NULL ? g_mime_content_type_get_parameter(ct, "charset") : NULL,
				 kind, g_ascii_strcasecmp(subtype, "richtext") == 0);
	if (kind == TEXT_NONE || attached || filename != NULL)
	{
		char	   *mime = g_strconcat(type, "/", subtype, NULL);
		char	   *clean = text_clean(mime, -1, w->m, DEFECT_BAD_CHARSET);
		char	   *lower = text_lower(clean);

		message_add_attachment(w->m, filename, lower,
							   decode_content(s, len, encoding, NULL, 0, &cut));
		g_free(mime);
		g_free(clean);
		g_free(lower);
	}
	g_free(filename);
}

static void
walk(WalkState *w, GMimeObject *object, GString *body, int depth)
{
	if (++w->parts > MAX_PARTS || depth > MAX_MIME_DEPTH)
	{
		ADD_DEFECT(w->m, DEFECT_MIME_LIMIT);
		return;
	}
	if (GMIME_IS_MULTIPART(object))
	{
		GMimeMultipart *multipart = GMIME_MULTIPART(object);
		GMimeContentType *ct = g_mime_object_get_content_type(object);
		const char *subtype = ct != NULL ? g_mime_content_type_get_media_subtype(ct) : NULL;
		bool		alternative = subtype != NULL && g_ascii_strcasecmp(subtype, "alternative") == 0;
		int			n = g_mime_multipart_get_count(multipart);

		if (n == 0)
		{
			/* no part was found: what is there is text of some kind */
			const char *prologue = g_mime_multipart_get_prologue(multipart);

			ADD_DEFECT(w->m, DEFECT_BROKEN_MIME);
			if (prologue != NULL)
				add_text(w, body, prologue, strlen(prologue),
						 GMIME_CONTENT_ENCODING_DEFAULT, NULL, TEXT_PLAIN, false);
			return;
		}
		if (alternative)
		{
			/* a reader sees the last form that has anything to see */
			GString    *best = NULL;

			for (int i = 0; i < n; i++)
			{
				GString    *form = g_string_new(NULL);

				walk(w, g_mime_multipart_get_part(multipart, i), form, depth + 1);
				if (best == NULL || !is_blank(form))
				{
					if (best != NULL)
						g_string_free(best, TRUE);
					best = form;
				}
				else
					g_string_free(form, TRUE);
			}
			if (body->len > 0 && best->len > 0 && body->str[body->len - 1] != '\n')
				g_string_append_c(body, '\n');
			g_string_append_len(body, best->str, best->len);
			g_string_free(best, TRUE);
			return;
		}
		for (int i = 0; i < n; i++)
			walk(w, g_mime_multipart_get_part(multipart, i), body, depth + 1);
	}
	else if (GMIME_IS_MESSAGE_PART(object))
	{
		GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		GMimeObject *inner_part = inner != NULL ? g_mime_message_get_mime_part(inner) : NULL;

		if (depth == 0 && inner_part != NULL)
			walk(w, inner_part, body, depth + 1);
		else
		{
			/* an attached message is listed; its text is not this one's */
			GMimeStream *count = g_mime_stream_null_new();
			char	   *name = part_name(w->m, object);

			if (name == NULL && inner != NULL)
			{
				/* without a name, its subject tells what it is */
				GMimeHeader *h = g_mime_header_list_get_header(
															   g_mime_object_get_header_list(GMIME_OBJECT(inner)), "Subject");
				const char *raw = h != NULL ? g_mime_header_get_raw_value(h) : NULL;

				if (raw != NULL)
				{
					char	   *unfolded = unfold(w->m, raw, MIN(strlen(raw), MAX_CONTENT_HEADER), NULL);

					name = words_decode(w->m, unfolded);
					g_free(unfolded);
				}
			}
			if (inner != NULL)
				g_mime_object_write_to_stream(GMIME_OBJECT(inner), NULL, count);
			message_add_attachment(w->m, name, "message/rfc822", GMIME_STREAM_NULL(count)->written);
			g_free(name);
			g_object_unref(count);
		}
	}
	else if (GMIME_IS_PART(object))
		walk_part(w, GMIME_PART(object), body, depth == 0);
}

/* GMime tells what it stumbles over */
static void
mime_warning(gint64 offset, GMimeParserWarning code, const gchar *item, gpointer user_data)
{
	Message    *m = user_data;

	switch (code)
	{
		case GMIME_WARN_INVALID_CONTENT_TYPE:
		case GMIME_WARN_MALFORMED_MULTIPART:
		case GMIME_WARN_TRUNCATED_MESSAGE:
		case GMIME_WARN_MALFORMED_MESSAGE:
		case GMIME_CRIT_MULTIPART_WITHOUT_BOUNDARY:
		case GMIME_CRIT_INVALID_HEADER_NAME:
			ADD_DEFECT(m, DEFECT_BROKEN_MIME);
			break;
		default:
			break;
	}
}

/* The Content-* headers that GMime is to see, each at most once */
static GString *
content_headers(Message *m, GArray *headers)
{
	static const char *const wanted[] = {
		"content-type", "content-transfer-encoding", "content-disposition"
	};
	GString    *kept = g_string_new(NULL);

	for (size_t k = 0; k < G_N_ELEMENTS(wanted); k++)
	{
		Header	   *h = find_header(headers, wanted[k]);

		if (h == NULL || h->value[0] == '\0')
			continue;
		if (k == 0 && strchr(h->value, '/') == NULL)
		{
			/* no type at all means text, not unknown bytes */
			ADD_DEFECT(m, DEFECT_BROKEN_MIME);
			continue;
		}
		if (strlen(h->value) > MAX_CONTENT_HEADER)
		{
			ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
			continue;
		}
		g_string_append_printf(kept, "%s: %s\n", h->name, h->value);
	}
	g_string_append_c(kept, '\n');
	return kept;
}

/*
 * GMime builds an object for each part and each header in it, looks at each
 * line that begins with -- once for each level of nesting, and at each
 * parameter of a header once for each other.  Bound what a message can make
 * of that: returns how much of a structured body it may see, and blanks out
 * what a header has beyond the parameters that anybody would write.
 */
static size_t
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
					if (params > MAX_PARAMETERS && *p != '\n')
					{
						*p = ' ';
						ADD_DEFECT(m, DEFECT_MIME_LIMIT);
					}
				}
		}
		/* after an empty line, headers of an attached message may follow */
		s = next;
	}
	if (s < end)
		ADD_DEFECT(m, DEFECT_MIME_LIMIT);
	return s - body;
}

void
parse_body(Message *m, GArray *headers, RawMessage *raw, const char *body)
{
	GString    *kept = content_headers(m, headers);
	size_t		body_len = raw->data + raw->len - body;
	char	   *copy = NULL;
	GByteArray	bytes;
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeParserOptions *parser_options;
	GMimeObject *object;
	Header	   *type;
	WalkState	w = {0};

	/*
	 * They go in front of the body, over the header block, which is not
	 * needed any more; a copy only when there is no room.
	 */
	if ((size_t) (body - raw->data) >= kept->len)
		w.base = body - kept->len;
	else
		w.base = copy = g_malloc(kept->len + body_len + 1);
	type = find_header(headers, "content-type");
	if (type != NULL && (g_ascii_strncasecmp(type->value, "multipart/", 10) == 0 ||
						 g_ascii_strncasecmp(type->value, "message/", 8) == 0))
		body_len = guard_mime(m, (char *) body, body_len, type->value[1] == 'e' || type->value[1] == 'E');
	memcpy((char *) w.base, kept->str, kept->len);
	if (copy != NULL)
		memcpy(copy + kept->len, body, body_len);
	w.len = kept->len + body_len;
	w.m = m;
	g_string_free(kept, TRUE);

	bytes.data = (guint8 *) w.base;
	bytes.len = w.len;
	stream = g_mime_stream_mem_new_with_byte_array(&bytes);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_persist_stream(parser, TRUE);
	parser_options = g_mime_parser_options_new();
#ifdef GMIME_WARNING_NOTIFY
	g_mime_parser_options_set_warning_callback(parser_options, mime_warning, m, NULL);
#else
	g_mime_parser_options_set_warning_callback(parser_options, mime_warning, m);
#endif

	object = g_mime_parser_construct_part(parser, parser_options);
	if (object != NULL)
	{
		walk(&w, object, m->body_text, 0);
		g_object_unref(object);
	}
	else
	{
		ADD_DEFECT(m, DEFECT_BROKEN_MIME);
		add_text(&w, m->body_text, body, body_len, GMIME_CONTENT_ENCODING_DEFAULT,
				 NULL, TEXT_PLAIN, false);
	}
	g_mime_parser_options_free(parser_options);
	g_object_unref(parser);
	g_object_unref(stream);
	g_free(copy);
}
