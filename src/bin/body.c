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
	int			again;			/* how often this was taken out of a body read
								 * before */
	int			packed;			/* texts that were in what only some programs
								 * read */
	bool		alone;			/* no parts count but those behind the body's
								 * own boundary */
	bool		empty;			/* there were none of these */
} WalkState;

/* What is read again is copied */
#define MAX_AGAIN	3

/* ---- the body ------------------------------------------------------------ */

static bool
is_blank(const GString *s)
{
	for (gsize i = 0; i < s->len; i++)
		if (!g_ascii_isspace(s->str[i]))
			return false;
	return true;
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

/* Is a parameter of a type that? */
static bool
param_is(GMimeContentType *ct, const char *name, const char *value)
{
	const char *found = ct != NULL ? g_mime_content_type_get_parameter(ct, name) : NULL;

	return found != NULL && g_ascii_strcasecmp(found, value) == 0;
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

/* Append text that begins a line of its own, as much as is kept */
static void
append_apart(Message *m, GString *to, const GString *text)
{
	if (to->len > 0 && text->len > 0 && to->str[to->len - 1] != '\n')
		g_string_append_c(to, '\n');
	g_string_append_len(to, text->str, text->len);
	if (to->len > options.max_body)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
		text_truncate(to, options.max_body);
	}
}

/* Is a page of that type XML? */
static bool
is_xml(const char *subtype)
{
	return g_ascii_strcasecmp(subtype + strcspn(subtype, "+"), "+xml") == 0;
}

/* Append a text part to the body, and note its URLs; its type may be NULL */
static void
add_text(WalkState *w, GString *body, const char *s, size_t len,
		 GMimeContentEncoding encoding, GMimeContentType *ct, TextKind kind)
{
	static GString *decoded_buffer;
	static GString *stripped_buffer;
	Message    *m = w->m;
	GString    *text;
	GString    *shown;
	const char *charset = ct != NULL ? g_mime_content_type_get_parameter(ct, "charset") : NULL;
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
		text = enriched_to_html(m, text, g_ascii_strcasecmp(g_mime_content_type_get_media_subtype(ct), "richtext") == 0);

	if (kind == TEXT_PLAIN && param_is(ct, "format", "flowed") && param_is(ct, "delsp", "yes"))
		lines_unflow(text);

	if (kind == TEXT_CALENDAR)
		lines_unfold_calendar(text);
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
		if (ct != NULL && is_xml(g_mime_content_type_get_media_subtype(ct)))
			html_of_xml(text);
		html_to_text(m, text, shown);
		if (!is_blank(shown))
			w->html_parts++;
	}
	lines_normalize(shown, 0);
	find_urls(m, shown->str, shown->len);
	if (kind == TEXT_PLAIN && w->inside == 0)
		uuencoded_files(m, shown->str, shown->len);

	append_apart(m, body, shown);
	g_string_free(text, TRUE);
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
	lines_normalize(text, 0);
	append_apart(m, m->attachment_text, text);
}

/* Text that a reader sees only when he opens it: its links count, its text is kept apart */
static void
note_attached_text(WalkState *w, const char *type, const char *subtype, const char *name,
				   const char *s, size_t len, GMimeContentEncoding encoding, const char *charset)
{
	static const char *const pages[] = {"html", "htm", "shtml", "xhtml", "xht", "svg"};
	static const char *const xml[] = {"xhtml", "xht", "svg"};
	static const char *const folded[] = {"ics", "vcf"};
	static const char *const texts[] = {"ics", "txt", "csv", "vcf", "eml", "mht", "mhtml", "url", "webloc"};
	bool		page = text_kind(type, subtype) == TEXT_HTML ||
	g_ascii_strcasecmp(subtype, "x-amp-html") == 0 || g_ascii_strcasecmp(subtype, "watch-html") == 0 ||
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
	if (g_ascii_strcasecmp(subtype, "calendar") == 0 || has_suffix_of(name, folded, G_N_ELEMENTS(folded)))
		lines_unfold_calendar(text);
	/* scripts hold URLs too */
	find_urls(w->m, text->str, text->len);
	if (page)
	{
		GString    *shown = g_string_new(NULL);
		gsize		hidden = w->m->hidden_text->len;
		size_t		alt = w->m->alt_bytes;

		if (is_xml(subtype) || has_suffix_of(name, xml, G_N_ELEMENTS(xml)))
			html_of_xml(text);
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

static bool parse_and_walk(WalkState *w, GString *body, int depth);

/* Read bytes that GMime took for something else, by Content-* headers of their own */
static void
read_again(WalkState *outer, GString *head, const char *s, size_t len, bool is_message, GString *body, int depth)
{
	WalkState	w = *outer;
	GString    *separate;
	char	   *whole;

	if (outer->again >= MAX_AGAIN || depth > MAX_MIME_DEPTH)
	{
		ADD_DEFECT(outer->m, DEFECT_MIME_LIMIT);
		return;
	}
	separate = separate_bodies(w.m, head->str, s, len, 0);
	if (separate != NULL)
		s = separate->str, len = separate->len;
	g_string_append_c(head, '\n');
	whole = g_malloc(head->len + len + 1);
	memcpy(whole, head->str, head->len);
	memcpy(whole + head->len, s, len);
	whole[head->len + len] = '\0';
	if (separate != NULL)
		g_string_free(separate, TRUE);
	reopen_boundaries(w.m, whole + head->len, len);
	w.base = whole;
	w.len = head->len + guard_mime(w.m, whole + head->len, len, is_message);
	w.leaf = NULL;
	w.again++;
	(void) parse_and_walk(&w, body, depth);
	outer->parts = w.parts;
	outer->html_parts = w.html_parts;
	outer->packed = w.packed;
	g_free(whole);
}

/*
 * Read the parts that stand where the multipart has none by its own boundary:
 * in another, since programs differ in how they read that parameter.  Where they
 * may take it for text, what is before the parts counts.  False where there are
 * none.
 */
static bool
read_other_parts(WalkState *w, const char *subtype, const char *s, bool may_be_text, GString *body, int depth)
{
	char	   *boundary = NULL;
	GString    *head;
	size_t		at;

	if (s != NULL && !(w->alone && depth == 0))
		boundary = find_boundary(s, strlen(s), &at);
	if (boundary == NULL)
		return false;
	if (w->again >= MAX_AGAIN)
	{
		ADD_DEFECT(w->m, DEFECT_MIME_LIMIT);
		g_free(boundary);
		return false;
	}
	ADD_DEFECT(w->m, DEFECT_BROKEN_MIME);
	if (may_be_text)
		add_text(w, body, s, at, GMIME_CONTENT_ENCODING_DEFAULT, NULL, TEXT_PLAIN);
	head = g_string_new("content-type: multipart/");
	g_string_append_printf(head, "%s; boundary=\"", subtype);
	for (const char *p = boundary; *p != '\0'; p++)
	{
		if (*p == '"' || *p == '\\')
			g_string_append_c(head, '\\');
		g_string_append_c(head, *p);
	}
	g_string_append(head, "\"\n");
	read_again(w, head, s, strlen(s), false, body, depth + 1);
	g_string_free(head, TRUE);
	g_free(boundary);
	return true;
}

/* A message that is attached as bytes in a transfer encoding, as a fragment, or as a file */
static void
read_message(WalkState *w, GMimeObject *object, const char *s, size_t len,
			 GMimeContentEncoding encoding, GString *body, int depth)
{
	GString    *head = g_string_new("content-type: message/rfc822\n");
	const char *disposition = part_header(object, "Content-Disposition");
	GString    *decoded = g_string_new(NULL);
	bool		cut;

	if (disposition != NULL)
		g_string_append_printf(head, "content-disposition: %.*s\n", (int) strcspn(disposition, "\r\n"), disposition);
	decode_content(s, len, encoding, decoded, options.max_message, &cut);
	read_again(w, head, decoded->str, decoded->len, true, body, depth);
	g_string_free(decoded, TRUE);
	g_string_free(head, TRUE);
}

/* The links of a text that is not kept */
static void
find_urls_in(Message *m, const char *s, size_t len, const char *charset)
{
	GString    *text = g_string_sized_new(len + 16);

	text_to_utf8(text, s, len, charset, m);
	find_urls(m, text->str, text->len);
	g_string_free(text, TRUE);
}

/* The charset of a code page of Windows */
static char *
codepage_charset(guint32 codepage)
{
	if (codepage > 28590 && codepage < 28606)
		return g_strdup_printf("iso-8859-%u", codepage - 28590);
	switch (codepage)
	{
		case 20866:
			return g_strdup("koi8-r");
		case 21866:
			return g_strdup("koi8-u");
		case 54936:
			return g_strdup("gb18030");
		case 65001:
			return g_strdup("utf-8");
		default:
			return g_strdup_printf("windows-%u", codepage);
	}
}

/* The body in what Outlook packs messages in, a winmail.dat: the message's own where that has no other, else apart from it */
static void
read_tnef(WalkState *w, const char *s, size_t len, GString *body)
{
	TnefBody	tnef;
	GMimeContentType *ct;
	char	   *charset = NULL;
	bool		html;

	if (!tnef_body(s, len, &tnef))
		return;
	if (tnef.several)
		ADD_DEFECT(w->m, DEFECT_BROKEN_MIME);
	html = tnef.html_len > 0;
	/* of the forms of one text the HTML is shown, and the links of both count */
	if (html && tnef.plain_len > 0)
		find_urls_in(w->m, tnef.plain, tnef.plain_len, tnef.plain_wide ? "utf-16le" : NULL);
	if (html ? tnef.html_wide : tnef.plain_wide)
		charset = g_strdup("utf-16le");
	else if (!html && tnef.codepage != 0)
		charset = codepage_charset(tnef.codepage);
	s = html ? tnef.html : tnef.plain;
	len = html ? tnef.html_len : tnef.plain_len;
	ct = g_mime_content_type_new("text", html ? "html" : "plain");
	if (charset != NULL)
		g_mime_content_type_set_parameter(ct, "charset", charset);
	if (is_blank(body))
	{
		w->packed++;
		add_text(w, body, s, len, GMIME_CONTENT_ENCODING_DEFAULT, ct, html ? TEXT_HTML : TEXT_PLAIN);
	}
	else
		note_attached_text(w, "text", html ? "html" : "plain", NULL, s, len, GMIME_CONTENT_ENCODING_DEFAULT, charset);
	g_object_unref(ct);
	g_free(charset);
}

/*
 * A part with its headers, in a message that is signed in one piece: programs
 * show it as if it stood there.  A file that is signed like that,
 * "invoice.xml.p7m", has none, and is attached.
 */
static void
read_signed(WalkState *w, const char *name, const char *s, size_t len, GString *body)
{
	GString    *head = g_string_new("content-type: message/rfc822\n");
	GString    *content = g_string_new(NULL);
	char	   *file = name != NULL ? g_strndup(name, strrchr(name, '.') != NULL ? strrchr(name, '.') - name : 0) : NULL;
	bool		cut = false;

	if (smime_content(s, len, content, &cut))
	{
		if (header_name_len(content->str, next_line(content->str, content->str + content->len)) > 0)
		{
			w->packed++;
			read_again(w, head, content->str, content->len, true, body, 0);
		}
		else if (file != NULL && strchr(file, '.') != NULL)
			note_attached_text(w, "application", "octet-stream", file, content->str, content->len,
							   GMIME_CONTENT_ENCODING_DEFAULT, NULL);
		else if (memchr(content->str, '\0', content->len) != NULL)
			note_attached_text(w, "text", "plain", NULL, content->str, content->len, GMIME_CONTENT_ENCODING_DEFAULT, NULL);
		else
		{
			w->packed++;
			add_text(w, body, content->str, content->len, GMIME_CONTENT_ENCODING_DEFAULT, NULL, TEXT_PLAIN);
		}
	}
	if (cut)
		ADD_DEFECT(w->m, DEFECT_MIME_LIMIT);
	g_free(file);
	g_string_free(content, TRUE);
	g_string_free(head, TRUE);
}

/* A part that has a body within, by its type or its name */
static void
read_packed(WalkState *w, const char *type, const char *subtype, const char *name, const char *s, size_t len,
			GMimeContentEncoding encoding, GString *body)
{
	static const char *const signed_names[] = {"p7m"};
	static const char *const tnef_names[] = {"dat", "tnef"};
	bool		application = g_ascii_strcasecmp(type, "application") == 0;
	bool		is_signed = has_suffix_of(name, signed_names, G_N_ELEMENTS(signed_names)) ||
	(application && (g_ascii_strcasecmp(subtype, "pkcs7-mime") == 0 || g_ascii_strcasecmp(subtype, "x-pkcs7-mime") == 0));
	bool		is_tnef = has_suffix_of(name, tnef_names, G_N_ELEMENTS(tnef_names)) ||
	(application && (g_ascii_strcasecmp(subtype, "ms-tnef") == 0 || g_ascii_strcasecmp(subtype, "vnd.ms-tnef") == 0));
	GString    *decoded;
	bool		cut;

	if (!is_signed && !is_tnef)
		return;
	decoded = g_string_new(NULL);
	decode_content(s, len, encoding, decoded, options.max_message, &cut);
	if (is_signed)
		read_signed(w, name, decoded->str, decoded->len, body);
	if (is_tnef)
		read_tnef(w, decoded->str, decoded->len, body);
	g_string_free(decoded, TRUE);
}

/* A leaf of the MIME tree: text goes to the body, the rest is an attachment */
static void
walk_part(WalkState *w, GMimePart *part, GString *body, int depth)
{
	GMimeObject *object = GMIME_OBJECT(part);
	GMimeContentType *ct = g_mime_object_get_content_type(object);
	const char *type = ct != NULL ? g_mime_content_type_get_media_type(ct) : "text";
	const char *subtype = ct != NULL ? g_mime_content_type_get_media_subtype(ct) : "plain";
	const char *disposition = g_mime_object_get_disposition(object);
	char	   *filename = part_name(w->m, object);
	GMimeContentEncoding encoding = part_encoding(object);
	static const char *const messages[] = {"eml", "mht", "mhtml"};
	TextKind	kind;
	bool		attached;
	bool		partial;
	const char *s;
	size_t		len;

	if (type == NULL || subtype == NULL)
		type = "text", subtype = "plain";
	attached = disposition != NULL && g_ascii_strcasecmp(disposition, "attachment") == 0;
	if (part_is_html(object))
		type = "text", subtype = "html";
	else if (!attached && filename == NULL && part_has_broken_type(object))
		type = "text", subtype = "plain";
	if (!part_bytes(w, part, &s, &len))
		s = "", len = 0;
	if (part_is_broken_multipart(object, type))
	{
		GString    *decoded = g_string_new(NULL);
		bool		cut;
		bool		read;

		decode_content(s, len, encoding, decoded, options.max_message, &cut);
		read = read_other_parts(w, "mixed", decoded->str, !attached && filename == NULL, body, depth);
		g_string_free(decoded, TRUE);
		/* a file is listed, too */
		if (read && !attached && filename == NULL)
		{
			g_free(filename);
			return;
		}
	}
	partial = g_ascii_strcasecmp(type, "message") == 0 && g_ascii_strcasecmp(subtype, "partial") == 0;
	if (g_ascii_strcasecmp(type, CODED_MESSAGE) == 0 || (partial && depth == 0))
	{
		read_message(w, object, s, len, encoding, body, depth);
		g_free(filename);
		return;
	}
	/* what is not here is named there */
	if (g_ascii_strcasecmp(type, "message") == 0 && g_ascii_strcasecmp(subtype, "external-body") == 0 && part_header(object, "Content-Type") != NULL)
		find_urls(w->m, part_header(object, "Content-Type"), strlen(part_header(object, "Content-Type")));
	note_report(w, type, subtype, s, len, encoding);
	kind = text_kind(type, subtype);
	if (kind == TEXT_NONE && depth == 0 && !attached && g_ascii_strcasecmp(type, "text") == 0)
		kind = g_ascii_strcasecmp(subtype, "calendar") == 0 ? TEXT_CALENDAR : TEXT_PLAIN;

	if (kind != TEXT_NONE && !attached)
		add_text(w, body, s, len, encoding, ct, kind);
	else
		note_attached_text(w, type, subtype, filename, s, len, encoding,
						   ct != NULL ? g_mime_content_type_get_parameter(ct, "charset") : NULL);
	if ((kind == TEXT_NONE || attached || filename != NULL) && w->inside == 0)
		add_attachment(w->m, filename, type, subtype, s, len, encoding);
	if (kind == TEXT_NONE || attached)
		read_packed(w, type, subtype, filename, s, len, encoding, body);
	if (partial || has_suffix_of(filename, messages, G_N_ELEMENTS(messages)))
	{
		/* it is listed, and its text is kept as it stands */
		w->inside++;
		read_message(w, object, s, len, encoding, body, depth + 1);
		w->inside--;
	}
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

/*
 * Of the forms of one text a reader sees the HTML, else the last that has text.
 * Of what only some programs read, which show that or another, both count.
 */
static void
walk_alternative(WalkState *w, GMimeMultipart *multipart, GString *body, int depth)
{
	GString    *best = NULL;
	bool		best_html = false;
	GString    *packed = g_string_new(NULL);

	for (int i = 0; i < g_mime_multipart_get_count(multipart); i++)
	{
		GString    *form = g_string_new(NULL);
		int			html_before = w->html_parts;
		int			packed_before = w->packed;
		bool		html;

		walk(w, g_mime_multipart_get_part(multipart, i), form, depth + 1);
		html = w->html_parts > html_before;
		if (w->packed > packed_before)
		{
			append_apart(w->m, packed, form);
			g_string_free(form, TRUE);
		}
		else if (best == NULL || (!is_blank(form) && (html || !best_html)))
		{
			if (best != NULL)
				g_string_free(best, TRUE);
			best = form;
			best_html = html;
		}
		else
			g_string_free(form, TRUE);
	}
	if (best != NULL)
	{
		append_apart(w->m, body, best);
		g_string_free(best, TRUE);
	}
	append_apart(w->m, body, packed);
	g_string_free(packed, TRUE);
}

/* A multipart without parts: they are in a transfer encoding or behind another boundary, or it is text of some kind */
static void
walk_empty_multipart(WalkState *w, GMimeMultipart *multipart, const char *subtype, GString *body, int depth)
{
	const char *prologue = g_mime_multipart_get_prologue(multipart);
	GMimeContentEncoding encoding = part_encoding(GMIME_OBJECT(multipart));
	GString    *decoded;
	bool		cut;

	ADD_DEFECT(w->m, DEFECT_BROKEN_MIME);
	w->empty = depth == 0;
	if (w->empty && w->alone)
		return;
	if (prologue == NULL || read_other_parts(w, subtype, prologue, false, body, depth))
		return;
	decoded = g_string_new(NULL);
	if (encoding == GMIME_CONTENT_ENCODING_BASE64 || encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
		decode_content(prologue, strlen(prologue), encoding, decoded, options.max_message, &cut);
	if (!read_other_parts(w, subtype, decoded->str, false, body, depth))
		add_text(w, body, prologue, strlen(prologue), GMIME_CONTENT_ENCODING_DEFAULT, NULL, TEXT_PLAIN);
	g_string_free(decoded, TRUE);
}

static void
walk_multipart(WalkState *w, GMimeMultipart *multipart, GString *body, int depth)
{
	GMimeContentType *ct = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
	const char *subtype = ct != NULL ? g_mime_content_type_get_media_subtype(ct) : NULL;
	int			n = g_mime_multipart_get_count(multipart);

	if (n == 0)
	{
		walk_empty_multipart(w, multipart, subtype != NULL ? subtype : "mixed", body, depth);
		return;
	}
	(void) read_other_parts(w, "mixed", g_mime_multipart_get_prologue(multipart), false, body, depth);
	if (subtype != NULL && g_ascii_strcasecmp(subtype, "alternative") == 0)
		walk_alternative(w, multipart, body, depth);
	else
		for (int i = 0; i < n; i++)
			walk(w, g_mime_multipart_get_part(multipart, i), body, depth + 1);
	(void) read_other_parts(w, "mixed", g_mime_multipart_get_epilogue(multipart), false, body, depth);
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
		walk_part(w, GMIME_PART(object), body, depth);
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

/* What GMime makes of the headers and the body at w->base, into body; false where it makes nothing of it */
static bool
parse_and_walk(WalkState *w, GString *body, int depth)
{
	GByteArray	bytes = {.data = (guint8 *) w->base,.len = w->len};
	GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(&bytes);
	GMimeParser *parser;
	GMimeParserOptions *parser_options = g_mime_parser_options_new();
	GMimeObject *object;

	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_persist_stream(parser, TRUE);
#ifdef GMIME_WARNING_NOTIFY
	g_mime_parser_options_set_warning_callback(parser_options, mime_warning, w->m, NULL);
#else
	g_mime_parser_options_set_warning_callback(parser_options, mime_warning, w->m);
#endif
	object = g_mime_parser_construct_part(parser, parser_options);
	if (object != NULL)
	{
		walk(w, object, body, depth);
		g_object_unref(object);
	}
	g_mime_parser_options_free(parser_options);
	g_object_unref(parser);
	g_object_unref(stream);
	return object != NULL;
}

/* Read the body by one Content-Type header (or none); false where that is a multipart's and no part was found */
static bool
parse_as(Message *m, GArray *headers, Header *type, RawMessage *raw, const char *body, size_t body_len, bool alone)
{
	GString    *kept = content_headers(m, headers, type);
	char	   *copy = NULL;
	WalkState	w = {.alone = alone};

	/*
	 * They go in front of the body, over the header block, which is not
	 * needed any more; a copy only when there is no room.  Of a body that is
	 * one part GMime need not see anything.
	 */
	w.len = kept->len;
	if (type_is_leaf(type))
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

	if (!parse_and_walk(&w, m->body_text, 0))
	{
		ADD_DEFECT(m, DEFECT_BROKEN_MIME);
		add_text(&w, m->body_text, body, body_len, GMIME_CONTENT_ENCODING_DEFAULT, NULL, TEXT_PLAIN);
	}
	g_free(copy);
	return !w.empty;
}

void
parse_body(Message *m, GArray *headers, RawMessage *raw, const char *body)
{
	size_t		body_len = raw->data + raw->len - body;
	Header	   *types[2];
	Header		other = {.name = "content-type"};
	int			n = choose_types(headers, types);
	bool		found = false;
	RawMessage	separated = *raw;
	GString    *separate = NULL;

	if (!type_is_leaf(types[0]))
	{
		/* as there was for headers */
		size_t		room = MIN(body - raw->data, 8 * MAX_CONTENT_HEADER);
		GString    *named = g_string_new(NULL);

		for (int i = 0; i < n; i++)
			g_string_append_printf(named, "%s\n", types[i] != NULL ? types[i]->value : "");
		separate = separate_bodies(m, named->str, body, body_len, room);
		if (separate != NULL)
		{
			separated.data = separate->str;
			separated.len = separate->len;
			raw = &separated;
			body = separate->str + room;
			body_len = separate->len - room;
		}
		g_string_free(named, TRUE);
		reopen_boundaries(m, (char *) body, body_len);
		body_len = guard_mime(m, (char *) body, body_len, !type_is_multipart(types[0]));
	}
	if (n == 1 && (other.value = other_boundary(types[0])) != NULL)
		types[n++] = &other;
	for (int i = 0; n > 1 && i < n; i++)
		found |= parse_as(m, headers, types[i], raw, body, body_len, true);
	if (!found)
		(void) parse_as(m, headers, types[0], raw, body, body_len, false);
	if (separate != NULL)
		g_string_free(separate, TRUE);
	g_free(other.value);
}
