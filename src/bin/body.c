/*
 * body.c
 *	  The body of a message: its MIME structure, text, links and attachments.
 *
 * The structure is GMime's work.  It sees the Content-* headers and the body,
 * over the same memory, behind a guard (mime_guard.c) that bounds what hostile
 * boundaries and header lines may cost it.
 */
#include <string.h>

#include "mail.h"

typedef struct WalkState
{
	Message    *m;
	const char *base;			/* what the GMime stream lies over */
	size_t		len;
	const char *leaf;			/* all of the body, where it is one part */
	size_t		leaf_len;
	int			parts;
	int			html_parts;		/* with text to see */
	int			inside;			/* depth in attached messages */
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
 * Decoders for the two encodings that matter, which take what senders write.
 * At most max bytes go to out, which may be NULL; returns the whole size.
 */

/* Not GMime's, which loses all that follows padding in the middle */
static int64_t
decode_base64(const char *s, size_t len, GString *out, size_t max, bool *cut)
{
	static signed char values[256];
	static bool ready = false;
	const char *end = s + len;
	char		buf[3072];
	size_t		n = 0;
	int64_t		total = 0;
	unsigned	bits = 0;
	int			have = 0;

	if (!ready)
	{
		static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

		memset(values, -1, sizeof(values));
		for (int i = 0; i < 64; i++)
			values[(unsigned char) alphabet[i]] = i;
		values['='] = -2;
		ready = true;
	}
	for (; s <= end; s++)
	{
		int			v;

		/* four at once, as most of them stand */
		while (have == 0 && end - s >= 4 && n <= sizeof(buf) - 12)
		{
			int			a = values[(unsigned char) s[0]];
			int			b = values[(unsigned char) s[1]];
			int			c = values[(unsigned char) s[2]];
			int			d = values[(unsigned char) s[3]];

			if ((a | b | c | d) < 0)
				break;
			buf[n++] = a << 2 | b >> 4;
			buf[n++] = b << 4 | c >> 2;
			buf[n++] = c << 6 | d;
			s += 4;
		}
		v = s < end ? values[(unsigned char) *s] : -2;
		if (v >= 0)
		{
			bits = bits << 6 | v;
			if (++have < 4)
				continue;
			buf[n++] = bits >> 16;
			buf[n++] = bits >> 8;
			buf[n++] = bits;
			have = 0;
		}
		else if (v == -2)
		{
			/* padding, or the end without it */
			if (have == 2)
				buf[n++] = bits >> 4;
			else if (have == 3)
			{
				buf[n++] = bits >> 10;
				buf[n++] = bits >> 2;
			}
			have = 0;
		}
		if (n > sizeof(buf) - 8 || s == end)
		{
			total += n;
			if (out != NULL)
			{
				size_t		room = max - MIN(max, out->len);

				g_string_append_len(out, buf, MIN(n, room));
				if (n > room)
				{
					*cut = true;
					break;
				}
			}
			n = 0;
		}
	}
	return total;
}

/* Not GMime's, which takes blanks behind a soft line end for text */
static int64_t
decode_quoted_printable(const char *s, size_t len, GString *out, size_t max, bool *cut)
{
	const char *end = s + len;
	int64_t		total = 0;

	while (s < end)
	{
		const char *p = memchr(s, '=', end - s);
		const char *q;
		char		c = '=';

		if (p == NULL)
			p = end;
		total += p - s;
		if (out != NULL)
			text_put(out, s, p - s);
		if (out != NULL && out->len > max)
		{
			g_string_truncate(out, max);
			*cut = true;
			break;
		}
		if (p == end)
			break;
		/* a soft line end, blanks behind it or not */
		for (q = p + 1; q < end && (*q == ' ' || *q == '\t'); q++)
			;
		if (q < end && *q == '\r')
			q++;
		if (q == end || *q == '\n' || (q > p + 1 && q[-1] == '\r'))
		{
			s = q < end && *q == '\n' ? q + 1 : q;
			continue;
		}
		s = p + 1;
		if (end - p > 2 && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]))
		{
			c = g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2]);
			s = p + 3;
		}
		total++;
		if (out != NULL)
			text_put(out, &c, 1);
	}
	return total;
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
	char	   *decoded = NULL;
	size_t		decoded_len = 0;
	size_t		prespace = 0;
	int64_t		total = 0;

	*cut = false;
	if (encoding == GMIME_CONTENT_ENCODING_BASE64)
		return decode_base64(s, len, out, max, cut);
	if (encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
		return decode_quoted_printable(s, len, out, max, cut);
	if (encoding != GMIME_CONTENT_ENCODING_UUENCODE)
	{
		if (out != NULL)
		{
			*cut = len > max;
			g_string_append_len(out, s, MIN(len, max));
		}
		return len;
	}
	filter = g_mime_filter_basic_new(encoding, FALSE);
	for (bool last = false; !last;)
	{
		size_t		n = MIN(len, 65536);

		/* complete() alone would not look for the "begin" of uuencode */
		last = len == 0;
		if (last)
			g_mime_filter_complete(filter, (char *) "", 0, 0, &decoded, &decoded_len, &prespace);
		else
			g_mime_filter_filter(filter, (char *) s, n, 0, &decoded, &decoded_len, &prespace);
		s += n;
		len -= n;
		total += decoded_len;
		if (out != NULL && out->len + decoded_len > max)
		{
			g_string_append_len(out, decoded, max - out->len);
			*cut = true;
			break;
		}
		if (out != NULL)
			g_string_append_len(out, decoded, decoded_len);
	}
	g_object_unref(filter);
	return total;
}

/* The transfer encoding by its name, whatever stands around it */
static GMimeContentEncoding
encoding_by_name(const char *s)
{
	static const struct
	{
		const char *name;
		GMimeContentEncoding encoding;
	}			names[] =
	{
		{"base64", GMIME_CONTENT_ENCODING_BASE64},
		{"quoted-printable", GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE},
		{"x-uuencode", GMIME_CONTENT_ENCODING_UUENCODE},
		{"x-uue", GMIME_CONTENT_ENCODING_UUENCODE},
		{"uuencode", GMIME_CONTENT_ENCODING_UUENCODE},
		{"7bit", GMIME_CONTENT_ENCODING_7BIT},
		{"8bit", GMIME_CONTENT_ENCODING_8BIT},
		{"binary", GMIME_CONTENT_ENCODING_BINARY},
	};
	size_t		n;

	s += strspn(s, " \t\r\n\"'");
	n = strcspn(s, " \t\r\n\"';,(");
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (n == strlen(names[i].name) && g_ascii_strncasecmp(s, names[i].name, n) == 0)
			return names[i].encoding;
	return GMIME_CONTENT_ENCODING_DEFAULT;
}

/*
 * The transfer encoding of a part.  Of two headers the one counts that
 * changes the bytes: a reader's program that heeds it shows what we'd miss.
 */
static GMimeContentEncoding
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

/* The bytes of a part as they lie in the message */
static bool
part_bytes(WalkState *w, GMimePart *part, const char **s, size_t *len)
{
	GMimeDataWrapper *content = g_mime_part_get_content(part);
	GMimeStream *stream = content != NULL ? g_mime_data_wrapper_get_stream(content) : NULL;
	int64_t		start;
	int64_t		end;

	if (w->leaf != NULL)
	{
		*s = w->leaf;
		*len = w->leaf_len;
		return true;
	}
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

/*
 * What a <meta> near the top of an HTML part says about its charset.  In bytes
 * that could be read so far, UTF-16 can only mean UTF-8, as in browsers.
 */
static char *
html_meta_charset(const char *s, size_t len)
{
	const char *end = s + MIN(len, 2048);

	while ((s = memchr(s, '<', end - s)) != NULL)
	{
		const char *close;

		if (end - s > 7 && memcmp(s, "<!--", 4) == 0)
		{
			close = g_strstr_len(s + 2, end - s - 2, "-->");
			s = close != NULL ? close : s + 4;
			continue;
		}
		s++;
		if (end - s < 8 || g_ascii_strncasecmp(s, "meta", 4) != 0 ||
			!(g_ascii_isspace(s[4]) || s[4] == '/'))
			continue;
		close = memchr(s, '>', end - s);
		close = close != NULL ? close : end;
		for (s += 4; s + 8 < close; s++)
		{
			char		name[40];
			size_t		n = 0;

			if ((*s != 'c' && *s != 'C') || g_ascii_strncasecmp(s, "charset", 7) != 0)
				continue;
			s += 7;
			while (s < close && (g_ascii_isspace(*s) || *s == '=' || *s == '"' || *s == '\''))
				s++;
			while (s < close && n < sizeof(name) - 1 &&
				   (g_ascii_isalnum(*s) || strchr("-_.:", *s) != NULL) && *s != '\0')
				name[n++] = *s++;
			name[n] = '\0';
			if (n > 0)
				return g_strdup(g_ascii_strncasecmp(name, "utf-16", 6) == 0 ? "utf-8" : name);
		}
	}
	return NULL;
}

typedef enum TextKind
{
	TEXT_NONE, TEXT_PLAIN, TEXT_HTML, TEXT_ENRICHED, TEXT_CALENDAR
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

/* Lines of a calendar are folded before a blank */
static void
unfold_calendar(GString *text)
{
	gsize		n = 0;

	for (gsize i = 0; i < text->len; i++)
	{
		gsize		k = i + (text->str[i] == '\r' ? 1 : 0);

		if (text->str[k] == '\n' && (text->str[k + 1] == ' ' || text->str[k + 1] == '\t'))
			i = k + 1;
		else
			text	  ->str[n++] = text->str[i];
	}
	g_string_truncate(text, n);
}

/* HTML of text/enriched or text/richtext, in place of it */
static GString *
enriched_to_html(Message *m, GString *text, bool richtext)
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
	return html;
}

/* An empty buffer that is used again and again, unless it was a huge message's */
static GString *
scratch(GString **buffer)
{
	if (*buffer != NULL && (*buffer)->allocated_len > 4 * 1024 * 1024)
	{
		g_string_free(*buffer, TRUE);
		*buffer = NULL;
	}
	if (*buffer == NULL)
		*buffer = g_string_new(NULL);
	return g_string_truncate(*buffer, 0);
}

/* Append a text part to the body, and note its URLs */
static void
add_text(WalkState *w, GString *body, const char *s, size_t len,
		 GMimeContentEncoding encoding, const char *charset, TextKind kind, bool richtext)
{
	static GString *decoded_buffer;
	static GString *stripped_buffer;
	Message    *m = w->m;
	GString    *text;
	GString    *shown;
	char	   *meta = NULL;
	bool		cut;

	/* markup takes space that the text then does not need */
	size_t		max = options.max_body * (kind == TEXT_PLAIN ? 1 : 4) + 4096;

	if (encoding == GMIME_CONTENT_ENCODING_BASE64 ||
		encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
		encoding == GMIME_CONTENT_ENCODING_UUENCODE)
	{
		GString    *decoded = scratch(&decoded_buffer);

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

	if (kind == TEXT_ENRICHED)
		text = enriched_to_html(m, text, richtext);

	if (kind == TEXT_CALENDAR)
		unfold_calendar(text);
	if (kind == TEXT_HTML && w->inside == 0)
	{
		m->has_html = true;
		if (options.keep_html && m->html->len + text->len <= options.max_body * 4 + 4096)
			g_string_append_len(m->html, text->str, text->len);
	}
	shown = text;

	if (kind == TEXT_HTML || kind == TEXT_ENRICHED)
	{
		shown = scratch(&stripped_buffer);
		html_to_text(m, text, shown);
		if (!is_blank(shown))
			w->html_parts++;
	}
	normalize_newlines(shown, 0);
	find_urls(m, shown->str, shown->len);
	if (kind == TEXT_PLAIN && w->inside == 0)
		uuencoded_files(m, shown->str, shown->len);

	if (body->len > 0 && shown->len > 0 && body->str[body->len - 1] != '\n')
		g_string_append_c(body, '\n');
	if (body->len + shown->len > options.max_body)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
		text_truncate(shown, options.max_body - MIN(body->len, options.max_body));
	}
	g_string_append_len(body, shown->str, shown->len);
	g_string_free(text, TRUE);
}

/* A Content-* header as it stands, or NULL */
static const char *
raw_header(GMimeObject *object, const char *name)
{
	GMimeHeader *h = g_mime_header_list_get_header(g_mime_object_get_header_list(object), name);
	const char *raw = h != NULL ? g_mime_header_get_raw_value(h) : NULL;

	return raw != NULL && strlen(raw) <= MAX_CONTENT_HEADER ? raw : NULL;
}

/* The name of an attachment, clean, or NULL */
static char *
part_name(Message *m, GMimeObject *object)
{
	const char *disposition = raw_header(object, "Content-Disposition");
	const char *type = raw_header(object, "Content-Type");
	char	   *d;
	char	   *t;
	char	   *name;

	if (disposition == NULL && (type == NULL || strchr(type, '=') == NULL))
		return NULL;
	d = disposition != NULL ? unfold(m, disposition, strlen(disposition), NULL) : NULL;
	t = type != NULL ? unfold(m, type, strlen(type), NULL) : NULL;
	name = param_file_name(m, d, t);
	g_free(d);
	g_free(t);
	return name;
}

/* "Content-Type: html": what is meant is clear */
static bool
is_bare_html(GMimeObject *object)
{
	const char *raw = raw_header(object, "Content-Type");

	if (raw == NULL)
		return false;
	raw += strspn(raw, " \t\r\n");
	return g_ascii_strncasecmp(raw, "html", 4) == 0 && strchr(" \t\r\n;", raw[4]) != NULL;
}

/* Does a name end in one of the suffixes of a page, or of a calendar? */
static bool
has_suffix_of(const char *name, const char *const *suffixes, size_t n)
{
	const char *dot = name != NULL ? strrchr(name, '.') : NULL;

	for (size_t i = 0; dot != NULL && i < n; i++)
		if (g_ascii_strcasecmp(dot + 1, suffixes[i]) == 0)
			return true;
	return false;
}

/* Text of an attachment, which is apart from the body's */
static void
add_attachment_text(Message *m, GString *text)
{
	GString    *all = m->attachment_text;

	normalize_newlines(text, 0);
	if (all->len > 0 && text->len > 0 && all->str[all->len - 1] != '\n')
		g_string_append_c(all, '\n');
	g_string_append_len(all, text->str, text->len);
	if (all->len > options.max_body)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
		text_truncate(all, options.max_body);
	}
}

/* Text that a reader sees only when he opens it: its links count, its text is kept apart */
static void
note_attached_text(WalkState *w, const char *type, const char *subtype, const char *name,
				   const char *s, size_t len, GMimeContentEncoding encoding, const char *charset)
{
	static const char *const pages[] = {"html", "htm", "shtml", "xhtml", "svg"};
	static const char *const texts[] = {"ics", "txt", "csv", "vcf", "eml"};
	bool		page = text_kind(type, subtype) == TEXT_HTML ||
	g_ascii_strcasecmp(subtype, "svg+xml") == 0 || has_suffix_of(name, pages, G_N_ELEMENTS(pages));
	GString    *decoded;
	GString    *text;
	bool		cut;

	if (!page && g_ascii_strcasecmp(type, "text") != 0 && !has_suffix_of(name, texts, G_N_ELEMENTS(texts)))
		return;
	decoded = g_string_new(NULL);
	decode_content(s, len, encoding, decoded, options.max_body * 4, &cut);
	text = g_string_sized_new(decoded->len + 16);

	text_to_utf8(text, decoded->str, decoded->len, charset, w->m);
	g_string_free(decoded, TRUE);
	if (g_ascii_strcasecmp(subtype, "calendar") == 0)
		unfold_calendar(text);
	/* scripts hold URLs too */
	find_urls(w->m, text->str, text->len);
	if (page)
	{
		GString    *shown = g_string_new(NULL);
		gsize		hidden = w->m->hidden_text->len;
		size_t		alt = w->m->alt_bytes;

		html_to_text(w->m, text, shown);
		g_string_truncate(w->m->hidden_text, hidden);
		w->m->alt_bytes = alt;
		g_string_free(text, TRUE);
		text = shown;
	}
	if (w->inside == 0)
		add_attachment_text(w->m, text);
	g_string_free(text, TRUE);
}

/* A part that is a file of its own */
static void
add_attachment(Message *m, const char *filename, const char *type, const char *subtype,
			   const char *s, size_t len, GMimeContentEncoding encoding)
{
	char	   *mime = g_strconcat(type, "/", subtype, NULL);
	char	   *clean = text_clean(mime, -1, m, DEFECT_BAD_CHARSET);
	char	   *lower = text_lower(clean);
	GString    *decoded = g_string_sized_new(encoding == GMIME_CONTENT_ENCODING_BASE64 ? len / 4 * 3 + 16 : 64);
	bool		cut;

	if (m->attachment_count < MAX_ATTACHMENTS)
		decode_content(s, len, encoding, decoded, options.max_message, &cut);
	attachment_look(m, filename, lower, decoded->str, decoded->len);
	g_string_free(decoded, TRUE);
	g_free(mime);
	g_free(clean);
	g_free(lower);
}

/* Keep what a report says, and the headers that it is about, for --feedback */
static void
note_report(WalkState *w, const char *type, const char *subtype, const char *s, size_t len, GMimeContentEncoding encoding)
{
	Message    *m = w->m;
	GString    *into = NULL;
	bool		cut;

	if (options.feedback == NULL || w->inside > 0)
		return;
	if (g_ascii_strcasecmp(type, "message") == 0 && m->report_kind == REPORT_NONE)
	{
		if (g_ascii_strcasecmp(subtype, "feedback-report") == 0)
			m->report_kind = REPORT_COMPLAINT;
		else if (g_ascii_strcasecmp(subtype, "delivery-status") == 0 || g_ascii_strcasecmp(subtype, "global-delivery-status") == 0)
			m->report_kind = REPORT_BOUNCE;
		if (m->report_kind != REPORT_NONE)
			into = m->report_fields;
	}
	if (m->report_headers->len == 0 && (g_ascii_strcasecmp(subtype, "rfc822-headers") == 0 || g_ascii_strcasecmp(subtype, "global-headers") == 0))
		into = m->report_headers;
	if (into != NULL)
		decode_content(s, len, encoding, into, MAX_HEADER_TOTAL, &cut);
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
	GMimeContentEncoding encoding = part_encoding(object);
	TextKind	kind;
	bool		attached;
	const char *s;
	size_t		len;

	if (type == NULL || subtype == NULL)
		type = "text", subtype = "plain";
	if (is_bare_html(object))
		type = "text", subtype = "html";
	if (!part_bytes(w, part, &s, &len))
		s = "", len = 0;
	note_report(w, type, subtype, s, len, encoding);
	attached = disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0;
	kind = text_kind(type, subtype);
	if (kind == TEXT_NONE && top && !attached && g_ascii_strcasecmp(type, "text") == 0)
		kind = g_ascii_strcasecmp(subtype, "calendar") == 0 ? TEXT_CALENDAR : TEXT_PLAIN;

	if (kind != TEXT_NONE && !attached)
		add_text(w, body, s, len, encoding,
				 ct != NULL ? g_mime_content_type_get_parameter(ct, "charset") : NULL,
				 kind, g_ascii_strcasecmp(subtype, "richtext") == 0);
	else
		note_attached_text(w, type, subtype, filename, s, len, encoding,
						   ct != NULL ? g_mime_content_type_get_parameter(ct, "charset") : NULL);
	if ((kind == TEXT_NONE || attached || filename != NULL) && w->inside == 0)
		add_attachment(w->m, filename, type, subtype, s, len, encoding);
	g_free(filename);
}

/* Keep an attached message for --unwrap */
static void
note_unwrapped(Message *m, GMimeMessage *inner)
{
	GMimeStream *stream;
	GByteArray *bytes;

	if (!options.unwrap || m->unwrapped->len >= MAX_UNWRAPPED)
		return;
	if (m->level >= MAX_UNWRAP_LEVELS)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		return;
	}
	stream = g_mime_stream_mem_new();
	g_mime_object_write_to_stream(GMIME_OBJECT(inner), NULL, stream);
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
	g_ptr_array_add(m->unwrapped, g_bytes_new(bytes->data, bytes->len));
	g_object_unref(stream);
}

static void walk(WalkState *w, GMimeObject *object, GString *body, int depth);

/* Of the forms of one text a reader sees the HTML, else the last that has text */
static void
walk_alternative(WalkState *w, GMimeMultipart *multipart, GString *body, int depth)
{
	GString    *best = NULL;
	bool		best_html = false;

	for (int i = 0; i < g_mime_multipart_get_count(multipart); i++)
	{
		GString    *form = g_string_new(NULL);
		int			html_before = w->html_parts;
		bool		html;

		walk(w, g_mime_multipart_get_part(multipart, i), form, depth + 1);
		html = w->html_parts > html_before;
		if (best == NULL || (!is_blank(form) && (html || !best_html)))
		{
			if (best != NULL)
				g_string_free(best, TRUE);
			best = form;
			best_html = html;
		}
		else
			g_string_free(form, TRUE);
	}
	if (body->len > 0 && best->len > 0 && body->str[body->len - 1] != '\n')
		g_string_append_c(body, '\n');
	g_string_append_len(body, best->str, best->len);
	g_string_free(best, TRUE);
}

static void
walk_multipart(WalkState *w, GMimeMultipart *multipart, GString *body, int depth)
{
	GMimeContentType *ct = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
	const char *subtype = ct != NULL ? g_mime_content_type_get_media_subtype(ct) : NULL;
	int			n = g_mime_multipart_get_count(multipart);

	if (n == 0)
	{
		/* no part was found: what is there is text of some kind */
		const char *prologue = g_mime_multipart_get_prologue(multipart);

		ADD_DEFECT(w->m, DEFECT_BROKEN_MIME);
		if (prologue != NULL)
			add_text(w, body, prologue, strlen(prologue),
					 GMIME_CONTENT_ENCODING_DEFAULT, NULL, TEXT_PLAIN, false);
	}
	else if (subtype != NULL && g_ascii_strcasecmp(subtype, "alternative") == 0)
		walk_alternative(w, multipart, body, depth);
	else
		for (int i = 0; i < n; i++)
			walk(w, g_mime_multipart_get_part(multipart, i), body, depth + 1);
}

/* The name of an attached message: without one its subject tells what it is */
static char *
message_name(WalkState *w, GMimeObject *object, GMimeMessage *inner)
{
	char	   *name = part_name(w->m, object);
	GMimeHeader *h;
	const char *raw;
	char	   *unfolded;

	if (name != NULL || inner == NULL)
		return name;
	h = g_mime_header_list_get_header(g_mime_object_get_header_list(GMIME_OBJECT(inner)), "Subject");
	raw = h != NULL ? g_mime_header_get_raw_value(h) : NULL;
	if (raw == NULL)
		return NULL;
	unfolded = unfold(w->m, raw, MIN(strlen(raw), MAX_CONTENT_HEADER), NULL);
	name = words_decode(w->m, unfolded);
	g_free(unfolded);
	return name;
}

/*
 * An attached message is listed, and its text is not this one's; where it
 * leads to counts for what it was attached to as well.
 */
static void
walk_message(WalkState *w, GMimeObject *object, GMimeMessage *inner, GMimeObject *inner_part, int depth)
{
	GMimeStream *count = g_mime_stream_null_new();
	char	   *name = message_name(w, object, inner);

	if (inner != NULL)
		g_mime_object_write_to_stream(GMIME_OBJECT(inner), NULL, count);
	if (w->inside == 0)
	{
		Attachment	a = {.name = name,.type = "message/rfc822",.size = GMIME_STREAM_NULL(count)->written};

		message_add_attachment(w->m, &a);
	}
	if (inner != NULL && w->inside == 0)
		note_unwrapped(w->m, inner);
	if (inner_part != NULL)
	{
		GString    *unread = g_string_new(NULL);
		gsize		hidden = w->m->hidden_text->len;
		size_t		alt = w->m->alt_bytes;

		w->inside++;
		walk(w, inner_part, unread, depth + 1);
		w->inside--;
		g_string_truncate(w->m->hidden_text, hidden);
		w->m->alt_bytes = alt;
		g_string_free(unread, TRUE);
	}
	g_free(name);
	g_object_unref(count);
}

/* A part and what is in it: its text goes to body */
static void
walk(WalkState *w, GMimeObject *object, GString *body, int depth)
{
	if (++w->parts > MAX_PARTS || depth > MAX_MIME_DEPTH)
		ADD_DEFECT(w->m, DEFECT_MIME_LIMIT);
	else if (GMIME_IS_MULTIPART(object))
		walk_multipart(w, GMIME_MULTIPART(object), body, depth);
	else if (GMIME_IS_MESSAGE_PART(object))
	{
		GMimeMessage *inner = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
		GMimeObject *inner_part = inner != NULL ? g_mime_message_get_mime_part(inner) : NULL;

		if (depth == 0 && inner_part != NULL)
			walk(w, inner_part, body, depth + 1);
		else
			walk_message(w, object, inner, inner_part, depth);
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

/* A header's value with its last quote closed */
static void
append_content_header(GString *kept, const Header *h)
{
	int			quotes = 0;

	for (const char *p = h->value; *p != '\0'; p++)
		quotes += *p == '"';
	g_string_append_printf(kept, "%s: %s%s\n", h->name, h->value, quotes % 2 != 0 ? "\"" : "");
}

/*
 * The Content-* headers that GMime is to see.  Of two types the multipart
 * counts, since a program that heeds it shows more; the nth of several (from
 * 0) is the one wanted.
 */
static GString *
content_headers(Message *m, GArray *headers, Header *type)
{
	static const char *const wanted[] = {"content-transfer-encoding", "content-disposition"};
	GString    *kept = g_string_new(NULL);

	if (type != NULL && type->value[0] != '\0')
	{
		if (strlen(type->value) > MAX_CONTENT_HEADER)
			ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
		else if (strchr(type->value, '/') != NULL)
			append_content_header(kept, type);
		else
		{
			/* no type at all means text, not unknown bytes */
			ADD_DEFECT(m, DEFECT_BROKEN_MIME);
			if (g_ascii_strncasecmp(type->value, "html", 4) == 0)
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
					append_content_header(kept, h);
			}
	}
	g_string_append_c(kept, '\n');
	return kept;
}

static bool
is_multipart(const Header *h)
{
	return g_ascii_strncasecmp(h->value, "multipart/", 10) == 0;
}

/*
 * The Content-Type headers to read the body by: all different multiparts (two
 * at most), else the first.
 */
static int
choose_types(GArray *headers, Header *types[2])
{
	int			n = 0;

	for (guint i = 0; i < headers->len && n < 2; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (strcmp(h->name, "content-type") == 0 && is_multipart(h) &&
			(n == 0 || strcmp(h->value, types[0]->value) != 0))
			types[n++] = h;
	}
	if (n == 0)
	{
		types[0] = find_header(headers, "content-type");
		n = 1;
	}
	return n;
}

/* Is a body of that type one part, whatever is in it? */
static bool
is_leaf_type(const Header *type)
{
	const char *s = type != NULL ? type->value : "";

	if (g_ascii_strncasecmp(s, "text/html", 9) == 0)
		s += 9;
	else if (g_ascii_strncasecmp(s, "text/plain", 10) == 0)
		s += 10;
	return *s == '\0' || *s == ';' || *s == ' ';
}

/* Read the body by one Content-Type header (or none) */
static void
parse_as(Message *m, GArray *headers, Header *type, RawMessage *raw, const char *body, size_t body_len)
{
	GString    *kept = content_headers(m, headers, type);
	char	   *copy = NULL;
	GByteArray	bytes;
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeParserOptions *parser_options;
	GMimeObject *object;
	WalkState	w = {0};

	/*
	 * They go in front of the body, over the header block, which is not
	 * needed any more; a copy only when there is no room.  Of a body that is
	 * one part GMime need not see anything.
	 */
	w.len = kept->len;
	if (is_leaf_type(type))
	{
		w.leaf = body;
		w.leaf_len = body_len;
	}
	else
		w.len += body_len;
	if ((size_t) (body - raw->data) >= kept->len)
		w.base = body - kept->len;
	else
		w.base = copy = g_malloc(w.len + 1);
	memcpy((char *) w.base, kept->str, kept->len);
	if (copy != NULL && w.leaf == NULL)
		memcpy(copy + kept->len, body, body_len);
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

void
parse_body(Message *m, GArray *headers, RawMessage *raw, const char *body)
{
	size_t		body_len = raw->data + raw->len - body;
	Header	   *types[2];
	int			n = choose_types(headers, types);

	if (types[0] != NULL && (is_multipart(types[0]) ||
							 g_ascii_strncasecmp(types[0]->value, "message/", 8) == 0))
	{
		reopen_boundaries(m, (char *) body, body_len);
		body_len = guard_mime(m, (char *) body, body_len, !is_multipart(types[0]));
	}
	for (int i = 0; i < n; i++)
		parse_as(m, headers, types[i], raw, body, body_len);
}
