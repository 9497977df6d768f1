/*
 * jsonl.c
 *	  One line of JSON to a Message.
 *
 * A field may have the name of a column (so that rows written by row_to_json
 * can be loaded again) or one of the names that mail corpora use: date, to,
 * cc, bcc, references, auth, dkim_d, links, body_bytes.  Unknown fields are
 * ignored, or kept for the column of --rest; a field of an unexpected type is a
 * defect, not an error; a line that is no JSON object is loaded as it is, in
 * body_text.
 *
 * This file alone includes json-c.
 */
#include <arpa/inet.h>
#include <math.h>
#include <string.h>
#include <json-c/json.h>

#include "columns.h"

/* The field, or NULL where it is absent or null */
static json_object *
field(json_object *o, const char *name)
{
	json_object *v;

	if (!json_object_object_get_ex(o, name, &v))
		return NULL;
	return v;
}

/* A value as clean text; what is no string is written out */
static char *
clean_json_string(Message *m, json_object *v)
{
	const char *s;

	if (json_object_is_type(v, json_type_string))
		return text_clean(json_object_get_string(v), json_object_get_string_len(v),
						  m, DEFECT_BAD_CHARSET);
	s = json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return text_clean(s, -1, m, DEFECT_BAD_CHARSET);
}

/* The field as a string, or NULL; numbers are written out */
static char *
string_field(Message *m, json_object *o, const char *name)
{
	json_object *v = field(o, name);

	if (v == NULL)
		return NULL;
	if (!json_object_is_type(v, json_type_string))
		ADD_DEFECT(m, DEFECT_BAD_FIELD);
	return clean_json_string(m, v);
}

static char *
lower_field(Message *m, json_object *o, const char *name)
{
	char	   *s = string_field(m, o, name);
	char	   *lower = s != NULL ? text_lower(s) : NULL;

	g_free(s);
	return lower;
}

/* A message id without its brackets */
static char *
strip_brackets(char *s)
{
	size_t		len;

	if (s == NULL)
		return NULL;
	g_strstrip(s);
	len = strlen(s);
	if (len >= 2 && s[0] == '<' && s[len - 1] == '>')
	{
		memmove(s, s + 1, len - 2);
		s[len - 2] = '\0';
	}
	return s;
}

typedef void (*ItemFn) (Message *m, char *item, GPtrArray *list);

static void
take_recipient(Message *m, char *item, GPtrArray *list)
{
	message_add_recipient(m, item);
	g_free(item);
}

static void
take_url(Message *m, char *item, GPtrArray *list)
{
	message_add_url(m, item, strlen(item));
	g_free(item);
}

static void
take_item(Message *m, char *item, GPtrArray *list)
{
	g_ptr_array_add(list, item);
}

static void
take_id(Message *m, char *item, GPtrArray *list)
{
	g_ptr_array_add(list, strip_brackets(item));
}

/* Each string of a field that is an array, or a single string */
static void
each_item(Message *m, json_object *o, const char *name, ItemFn fn, GPtrArray *list)
{
	json_object *v = field(o, name);
	size_t		n;
	size_t		bytes = 0;

	if (v == NULL)
		return;
	if (json_object_is_type(v, json_type_string))
	{
		fn(m, clean_json_string(m, v), list);
		return;
	}
	if (!json_object_is_type(v, json_type_array))
	{
		ADD_DEFECT(m, DEFECT_BAD_FIELD);
		return;
	}
	n = json_object_array_length(v);
	for (size_t i = 0; i < n; i++)
	{
		json_object *item = json_object_array_get_idx(v, i);

		if (!json_object_is_type(item, json_type_string))
		{
			ADD_DEFECT(m, DEFECT_BAD_FIELD);
			continue;
		}
		bytes += json_object_get_string_len(item);
		if (i >= MAX_RECIPIENTS || bytes > MAX_HEADER_TOTAL)
		{
			ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
			break;
		}
		fn(m, clean_json_string(m, item), list);
	}
}

/* ISO 8601 (UTC where it has no zone), an RFC 5322 date, or seconds since 1970 */
static int64_t
time_field(Message *m, json_object *o, const char *name, Defect bad)
{
	json_object *v = field(o, name);
	const char *s;
	int64_t		result;

	if (v == NULL)
		return NO_TIME;
	if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
	{
		double		seconds = json_object_get_double(v);

		/* years 1 to 9999, as GDateTime has them */
		if (seconds >= -62135596800.0 && seconds < 253402300800.0)
			return (int64_t) (seconds * 1e6);
		ADD_DEFECT(m, bad);
		return NO_TIME;
	}
	if (!json_object_is_type(v, json_type_string))
	{
		ADD_DEFECT(m, bad);
		return NO_TIME;
	}
	s = json_object_get_string(v);
	if (s[0] == '\0')
		return NO_TIME;
	result = parse_date(s);
	if (result == NO_TIME)
		ADD_DEFECT(m, bad);
	return result;
}

/* The field as an array of n; where it is none, n is 0 */
static json_object *
array_field(Message *m, json_object *o, const char *name, size_t *n)
{
	json_object *v = field(o, name);

	*n = 0;
	if (v == NULL)
		return NULL;
	if (json_object_is_type(v, json_type_array))
		*n = json_object_array_length(v);
	else
		ADD_DEFECT(m, DEFECT_BAD_FIELD);
	return v;
}

/* [{"url" or "href": …, "text": …}, …] */
static void
parse_links(Message *m, json_object *o)
{
	size_t		n;
	json_object *v = array_field(m, o, "links", &n);

	for (size_t i = 0; i < n; i++)
	{
		json_object *link = json_object_array_get_idx(v, i);
		char	   *href;
		char	   *text;

		if (!json_object_is_type(link, json_type_object))
		{
			ADD_DEFECT(m, DEFECT_BAD_FIELD);
			continue;
		}
		href = string_field(m, link, field(link, "url") != NULL ? "url" : "href");
		text = string_field(m, link, "text");

		message_add_link(m, text !=NULL ? text : "", href != NULL ? href : "");
		g_free(href);
		g_free(text);
	}
}

/* link_texts and link_hrefs, parallel */
static void
parse_link_columns(Message *m, json_object *o)
{
	json_object *texts = field(o, "link_texts");
	json_object *hrefs = field(o, "link_hrefs");
	size_t		n;

	if (!json_object_is_type(texts, json_type_array) ||
		!json_object_is_type(hrefs, json_type_array))
		return;
	n = MIN(json_object_array_length(texts), json_object_array_length(hrefs));
	for (size_t i = 0; i < n; i++)
	{
		json_object *t = json_object_array_get_idx(texts, i);
		json_object *h = json_object_array_get_idx(hrefs, i);
		char	   *text = t != NULL ? clean_json_string(m, t) : g_strdup("");
		char	   *href = h != NULL ? clean_json_string(m, h) : g_strdup("");

		message_add_link(m, text, href);
		g_free(text);
		g_free(href);
	}
}

static bool
flag_field(json_object *o, const char *name)
{
	json_object *v = field(o, name);

	return json_object_is_type(v, json_type_boolean) && json_object_get_boolean(v);
}

/* {"name": …, "type": …, "size": …, and what was found in it} */
static void
parse_attachment(Message *m, json_object *o)
{
	Attachment	a = {.size = -1};
	json_object *size = field(o, "size");
	char	   *name = string_field(m, o, "name");
	char	   *type = string_field(m, o, "type");
	char	   *sha256 = string_field(m, o, "sha256");
	char	   *detected = string_field(m, o, "detected");

	a.name = name;
	a.type = type;
	a.sha256 = sha256;
	a.detected = detected;
	if (json_object_is_type(size, json_type_int))
		a.size = json_object_get_int64(size);
	a.archive = flag_field(o, "archive");
	a.encrypted = flag_field(o, "encrypted");
	a.macros = flag_field(o, "macros");
	a.disguised = flag_field(o, "disguised");
	a.entries = g_ptr_array_new_with_free_func(g_free);
	each_item(m, o, "entries", take_item, a.entries);
	message_add_attachment(m, &a);
	g_ptr_array_free(a.entries, TRUE);
	g_free(name);
	g_free(type);
	g_free(sha256);
	g_free(detected);
}

static void
parse_attachments(Message *m, json_object *o)
{
	size_t		n;
	json_object *v = array_field(m, o, "attachments", &n);

	for (size_t i = 0; i < n; i++)
	{
		json_object *one = json_object_array_get_idx(v, i);

		if (json_object_is_type(one, json_type_object))
			parse_attachment(m, one);
		else
			ADD_DEFECT(m, DEFECT_BAD_FIELD);
	}
}

/* {"name": ["value", …] or "value", …} */
static void
parse_header_object(Message *m, json_object *o)
{
	json_object *v = field(o, "headers");
	struct json_object_iter it;

	if (v == NULL)
		return;
	if (!json_object_is_type(v, json_type_object))
	{
		ADD_DEFECT(m, DEFECT_BAD_FIELD);
		return;
	}
	json_object_object_foreachC(v, it)
	{
		json_object *value = it.val;
		char	   *name = text_clean(it.key, -1, m, DEFECT_BAD_CHARSET);
		char	   *lower = text_lower(name);
		size_t		n = json_object_is_type(value, json_type_array) ?
		json_object_array_length(value) : 1;

		g_string_append_c(m->headers, m->headers->len == 0 ? '{' : ',');
		text_json_string(m->headers, lower);
		g_string_append(m->headers, ":[");
		for (size_t i = 0; i < n; i++)
		{
			json_object *item = json_object_is_type(value, json_type_array) ?
			json_object_array_get_idx(value, i) : value;
			char	   *s = item != NULL ? clean_json_string(m, item) : g_strdup("");

			if (m->headers->len + strlen(s) > MAX_HEADER_TOTAL)
			{
				ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
				g_free(s);
				break;
			}
			if (i > 0)
				g_string_append_c(m->headers, ',');
			text_json_string(m->headers, s);
			if (strcmp(lower, "authentication-results") == 0)
				g_ptr_array_add(m->auth_headers, s);
			else if (strcmp(lower, "received") == 0)
				g_ptr_array_add(m->received_headers, s);
			else
				g_free(s);
		}
		g_string_append_c(m->headers, ']');
		g_free(name);
		g_free(lower);
	}
	if (m->headers->len > 0)
		g_string_append_c(m->headers, '}');
}

/* Who sent it */
static void
parse_sender(Message *m, json_object *o)
{
	char	   *s;
	char	   *name;

	s = string_field(m, o, "from_addr");
	name = string_field(m, o, "from_name");
	if (s == NULL || s[0] == '\0')
		ADD_DEFECT(m, DEFECT_NO_FROM);
	if ((s != NULL && s[0] != '\0') || (name != NULL && name[0] != '\0'))
		message_set_from(m, s, name);
	g_free(s);
	g_free(name);
}

/* The fields that are lists or objects */
static void
parse_lists(Message *m, json_object *o)
{
	each_item(m, o, "recipients", take_recipient, NULL);
	each_item(m, o, "to", take_recipient, NULL);
	each_item(m, o, "cc", take_recipient, NULL);
	each_item(m, o, "bcc", take_recipient, NULL);
	each_item(m, o, "urls", take_url, NULL);
	each_item(m, o, "references", take_id, m->reference_ids);
	each_item(m, o, "reference_ids", take_id, m->reference_ids);
	each_item(m, o, "auth", take_item, m->auth_results);
	each_item(m, o, "auth_results", take_item, m->auth_results);
	each_item(m, o, "dkim_d", take_item, m->dkim_domains);
	each_item(m, o, "dkim_domains", take_item, m->dkim_domains);
	parse_links(m, o);
	parse_link_columns(m, o);
	parse_attachments(m, o);
	parse_header_object(m, o);
}

/* The body, what is hidden in it, and the relay */
static void
parse_content(Message *m, json_object *o)
{
	json_object *v;
	char	   *s;

	if ((v = field(o, "has_html")) != NULL)
	{
		if (json_object_is_type(v, json_type_boolean))
			m->has_html = json_object_get_boolean(v);
		else
			ADD_DEFECT(m, DEFECT_BAD_FIELD);
	}
	if ((v = field(o, "body_text")) != NULL)
	{
		s = string_field(m, o, "body_text");
		g_string_append(m->body_text, s);
		g_free(s);
		if (m->body_text->len > options.max_body)
		{
			ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
			text_truncate(m->body_text, options.max_body);
		}
	}
	if ((v = field(o, "hidden_text")) != NULL)
	{
		GString    *hidden;

		s = string_field(m, o, "hidden_text");
		hidden = g_string_new(s);
		message_add_hidden(m, hidden);
		g_string_free(hidden, TRUE);
		g_free(s);
	}
	if ((v = field(o, "relay_ip")) != NULL)
	{
		struct in6_addr buf;

		s = string_field(m, o, "relay_ip");
		if (inet_pton(strchr(s, ':') != NULL ? AF_INET6 : AF_INET, s, &buf) == 1)
			m->relay_ip = g_strdup(s);
		else if (s[0] != '\0')
			ADD_DEFECT(m, DEFECT_BAD_FIELD);
		g_free(s);
	}
}

/* A loaded row keeps the defects that it was written with */
static void
keep_defects(Message *m, json_object *o)
{
	json_object *v = field(o, "defects");

	if (json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < json_object_array_length(v); i++)
		{
			json_object *d = json_object_array_get_idx(v, i);

			for (int k = 0; k < NUM_DEFECTS; k++)
				if (json_object_is_type(d, json_type_string) &&
					strcmp(json_object_get_string(d), defect_names[k]) == 0)
					ADD_DEFECT(m, k);
		}
}

/* An object with our fields: what stands in a row, or in an archive of mail */
static void
parse_object(Message *m, json_object *o, const RawMessage *raw)
{
	json_object *v;
	int64_t		received;

	if (m->mailbox == NULL)
		m->mailbox = string_field(m, o, "mailbox");
	m->message_id = strip_brackets(string_field(m, o, "message_id"));
	parse_sender(m, o);
	m->reply_to = lower_field(m, o, "reply_to");
	m->return_path = strip_brackets(lower_field(m, o, "return_path"));
	m->subject = string_field(m, o, "subject");
	m->in_reply_to = strip_brackets(string_field(m, o, "in_reply_to"));
	m->list_id = strip_brackets(lower_field(m, o, "list_id"));
	parse_lists(m, o);
	parse_content(m, o);
	if ((v = field(o, "size_bytes")) == NULL)
		v = field(o, "body_bytes");
	if (v != NULL && json_object_is_type(v, json_type_int))
		m->size_bytes = json_object_get_int64(v);

	m->sent_at = time_field(m, o, field(o, "date") != NULL ? "date" : "sent_at", DEFECT_BAD_DATE);
	if (m->sent_at == NO_TIME && !HAS_DEFECT(m, DEFECT_BAD_DATE))
		ADD_DEFECT(m, DEFECT_NO_DATE);
	received = time_field(m, o, "received_at", DEFECT_BAD_RECEIVED);
	if (received != NO_TIME && !message_plausible_time(received))
		ADD_DEFECT(m, DEFECT_BAD_RECEIVED);
	message_settle_time(m, received, raw);
	keep_defects(m, o);
}

/* ---- what mail services export ------------------------------------------- */

/* The member of an object that is a string, or NULL */
static const char *
member(json_object *o, const char *name)
{
	json_object *v;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, name, &v) ||
		!json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

/*
 * Gmail's API with format=raw, or a row that kept its source: the message
 * itself, in base64 of either kind.
 */
static bool
parse_gmail_raw(Message *m, json_object *o, RawMessage *raw)
{
	const char *encoded = member(o, "raw");
	char	   *copy;
	gsize		len;
	RawMessage	inner = *raw;
	json_object *date;

	if (encoded == NULL || encoded[0] == '\0')
		return false;
	len = strlen(encoded);
	copy = g_malloc(len + 4);
	memcpy(copy, encoded, len);
	while (len % 4 != 0)
		copy[len++] = '=';
	copy[len] = '\0';
	g_strdelimit(copy, "-", '+');
	g_strdelimit(copy, "_", '/');
	g_base64_decode_inplace(copy, &len);
	inner.data = copy;
	inner.len = MIN(len, options.max_message);
	inner.size = len;
	inner.is_json = false;
	if (member(o, "source") != NULL)
		inner.source = member(o, "source");
	if (inner.mailbox == NULL)
		inner.mailbox = member(o, "mailbox");
	/* internalDate is in milliseconds, and is a string */
	if (json_object_object_get_ex(o, "internalDate", &date))
	{
		int64_t		ms = json_object_get_int64(date);

		if (ms > 0 && ms < INT64_MAX / 1000 && message_plausible_time(ms * 1000))
			inner.mtime = ms * 1000;
	}
	mail_parse(m, &inner);
	g_free(copy);
	return true;
}

/* {"emailAddress": {"name", "address"}} of Graph, {"name", "email"} of JMAP */
static const char *
person(json_object *v, const char **name)
{
	json_object *inner;

	if (json_object_is_type(v, json_type_array))
		v = json_object_array_get_idx(v, 0);
	if (json_object_is_type(v, json_type_object) &&
		json_object_object_get_ex(v, "emailAddress", &inner))
		v = inner;
	*name = member(v, "name");
	return member(v, "address") != NULL ? member(v, "address") : member(v, "email");
}

/* People are recipients; message_add_recipient() knows how many */
static void
take_people(Message *m, json_object *v)
{
	size_t		n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;

	for (size_t i = 0; i < n; i++)
	{
		const char *name;
		const char *addr = person(json_object_array_get_idx(v, i), &name);
		char	   *clean = text_clean(addr, -1, m, DEFECT_BAD_CHARSET);

		message_add_recipient(m, clean);
		g_free(clean);
	}
}

/* Text or HTML of a body that is no MIME part */
static void
take_body(Message *m, const char *content, bool html)
{
	GString    *text = g_string_new(NULL);

	if (content == NULL)
	{
		g_string_free(text, TRUE);
		return;
	}
	text_append_clean(text, content, MIN(strlen(content), options.max_body * 4), m, DEFECT_BAD_CHARSET);
	if (html)
	{
		m->has_html = true;
		html_to_text(m, text, m->body_text);
	}
	else
		g_string_append_len(m->body_text, text->str, text->len);
	find_urls(m, m->body_text->str, m->body_text->len);
	if (m->body_text->len > options.max_body)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
		text_truncate(m->body_text, options.max_body);
	}
	g_string_free(text, TRUE);
}

/* Headers as Graph and JMAP have them: [{"name", "value"}] */
static void
take_header_list(Message *m, json_object *v)
{
	json_object *headers;
	json_object *wrap;
	size_t		n = json_object_is_type(v, json_type_array) ? json_object_array_length(v) : 0;

	if (n == 0)
		return;
	headers = json_object_new_object();
	for (size_t i = 0; i < n && i < 10000; i++)
	{
		json_object *h = json_object_array_get_idx(v, i);
		const char *name = member(h, "name");
		const char *value = member(h, "value");
		char	   *lower;
		json_object *list;

		if (name == NULL || value == NULL)
			continue;
		lower = g_ascii_strdown(name, -1);
		if (!json_object_object_get_ex(headers, lower, &list))
		{
			list = json_object_new_array();
			json_object_object_add(headers, lower, list);
		}
		json_object_array_add(list, json_object_new_string(value));
		if (strcmp(lower, "authentication-results") == 0 || strcmp(lower, "received-spf") == 0)
		{
			char	   *clean = text_clean(value, -1, m, DEFECT_BAD_CHARSET);

			if (m->auth_results->len < 100)
				g_ptr_array_add(m->auth_results,
								g_strconcat(lower[0] == 'a' ? "Authentication-Results: " :
											"Received-SPF: ", clean, NULL));
			g_free(clean);
		}
		g_free(lower);
	}
	wrap = json_object_new_object();
	json_object_object_add(wrap, "headers", headers);
	parse_header_object(m, wrap);
	json_object_put(wrap);
}

/* Who sent it, and where answers go */
static void
take_service_sender(Message *m, json_object *o)
{
	const char *name = NULL;
	const char *addr = person(field(o, "from") != NULL ? field(o, "from") : field(o, "sender"), &name);
	char	   *clean_addr = text_clean(addr, -1, m, DEFECT_BAD_CHARSET);
	char	   *clean_name = text_clean(name, -1, m, DEFECT_BAD_CHARSET);

	if (clean_addr == NULL)
		ADD_DEFECT(m, DEFECT_NO_FROM);
	else
		message_set_from(m, clean_addr, clean_name);
	g_free(clean_addr);
	g_free(clean_name);
	addr = person(field(o, "replyTo"), &name);
	if (addr != NULL)
	{
		clean_addr = text_clean(addr, -1, m, DEFECT_BAD_CHARSET);
		m->reply_to = text_lower(clean_addr);
		g_free(clean_addr);
	}
}

/* Its Message-ID, and those that it names */
static void
take_service_ids(Message *m, json_object *o, bool graph)
{
	json_object *v = field(o, graph ? "internetMessageId" : "messageId");

	if (json_object_is_type(v, json_type_array))
		v = json_object_array_get_idx(v, 0);
	if (v != NULL)
		m->message_id = strip_brackets(clean_json_string(m, v));
	v = field(o, "inReplyTo");
	if (json_object_is_type(v, json_type_array) && json_object_array_length(v) > 0)
		m->in_reply_to = strip_brackets(clean_json_string(m, json_object_array_get_idx(v, 0)));
	if (!graph)
		each_item(m, o, "references", take_id, m->reference_ids);
}

/* The parts of JMAP that a reader sees: HTML, else text */
static void
take_jmap_parts(Message *m, json_object *o, json_object *values)
{
	json_object *parts = field(o, "htmlBody");
	bool		html = json_object_is_type(parts, json_type_array) &&
	json_object_array_length(parts) > 0;

	if (!html)
		parts = field(o, "textBody");
	for (size_t i = 0; json_object_is_type(parts, json_type_array) &&
		 i < json_object_array_length(parts); i++)
	{
		json_object *part = json_object_array_get_idx(parts, i);
		const char *id = member(part, "partId");
		const char *type = member(part, "type");
		json_object *value;

		if (i >= MAX_PARTS)
		{
			ADD_DEFECT(m, DEFECT_MIME_LIMIT);
			break;
		}
		if (id != NULL && json_object_object_get_ex(values, id, &value))
			take_body(m, member(value, "value"),
					  type != NULL ? strcmp(type, "text/html") == 0 : html);
	}
}

/* A message resource of Microsoft Graph, or an Email object of JMAP */
static void
parse_service_object(Message *m, json_object *o, const RawMessage *raw, bool graph)
{
	json_object *body = field(o, "body");
	json_object *values = field(o, "bodyValues");

	take_service_sender(m, o);
	take_people(m, field(o, graph ? "toRecipients" : "to"));
	take_people(m, field(o, graph ? "ccRecipients" : "cc"));
	take_people(m, field(o, graph ? "bccRecipients" : "bcc"));
	m->subject = field(o, "subject") != NULL ? clean_json_string(m, field(o, "subject")) : NULL;
	take_service_ids(m, o, graph);
	take_header_list(m, field(o, graph ? "internetMessageHeaders" : "headers"));

	if (graph && body != NULL)
	{
		const char *type = member(body, "contentType");

		take_body(m, member(body, "content"), type != NULL && g_ascii_strcasecmp(type, "html") == 0);
	}
	else if (!graph && json_object_is_type(values, json_type_object))
		take_jmap_parts(m, o, values);
	if (json_object_is_type(field(o, "size"), json_type_int))
		m->size_bytes = json_object_get_int64(field(o, "size"));
	m->sent_at = time_field(m, o, graph ? "sentDateTime" : "sentAt", DEFECT_BAD_DATE);
	if (m->sent_at == NO_TIME && !HAS_DEFECT(m, DEFECT_BAD_DATE))
		ADD_DEFECT(m, DEFECT_NO_DATE);
	message_settle_time(m, time_field(m, o, graph ? "receivedDateTime" : "receivedAt",
									  DEFECT_BAD_RECEIVED), raw);
}

/* Has it anything that makes it a message? */
static bool
is_message_object(json_object *o)
{
	static const char *const names[] = {
		"from_addr", "from_name", "subject", "body_text", "message_id", "to", "recipients", "date",
		"sent_at", "received_at", "headers", "urls", "reply_to", "return_path"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (json_object_object_get_ex(o, names[i], NULL))
			return true;
	return false;
}

/* Fields that --column names, for columns of the user's own */
static void
take_own_fields(Message *m, json_object *o)
{
	for (int i = 0; i < options.num_columns; i++)
	{
		json_object *v = strchr(options.columns[i], '=') == NULL ? field(o, options.columns[i]) : NULL;

		if (v != NULL)
			m->own[i] = clean_json_string(m, v);
	}
}

/* ---- what is not understood ---------------------------------------------- */

/* Names that are read beside those of columns: of our own objects, and of what services export */
static const char *const other_names[] = {
	"auth", "bcc", "body_bytes", "cc", "date", "dkim_d", "links", "references", "to"
};

static const char *const gmail_names[] = {"internalDate", "mailbox", "raw", "source"};

static const char *const graph_names[] = {
	"bccRecipients", "body", "ccRecipients", "from", "internetMessageHeaders", "internetMessageId",
	"receivedDateTime", "replyTo", "sender", "sentDateTime", "subject", "toRecipients"
};

static const char *const jmap_names[] = {
	"bcc", "bodyValues", "cc", "from", "headers", "htmlBody", "inReplyTo", "messageId", "receivedAt",
	"references", "replyTo", "sender", "sentAt", "size", "subject", "textBody", "to"
};

typedef enum ObjectKind
{
	OBJECT_OWN, OBJECT_GMAIL, OBJECT_GRAPH, OBJECT_JMAP, NUM_OBJECTS
} ObjectKind;

/* The names that an object of this kind may have without their being a rest */
static GHashTable *
names_of_kind(ObjectKind kind)
{
	static GHashTable *tables[NUM_OBJECTS];
	static const struct
	{
		const char *const *names;
		size_t		n;
	}			lists[NUM_OBJECTS] = {
		[OBJECT_OWN] = {other_names, G_N_ELEMENTS(other_names)},
		[OBJECT_GMAIL] = {gmail_names, G_N_ELEMENTS(gmail_names)},
		[OBJECT_GRAPH] = {graph_names, G_N_ELEMENTS(graph_names)},
		[OBJECT_JMAP] = {jmap_names, G_N_ELEMENTS(jmap_names)},
	};

	if (tables[kind] != NULL)
		return tables[kind];
	tables[kind] = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < lists[kind].n; i++)
		g_hash_table_add(tables[kind], (char *) lists[kind].names[i]);
	for (int i = 0; i < options.num_columns; i++)
		if (strchr(options.columns[i], '=') == NULL)
			g_hash_table_add(tables[kind], (char *) options.columns[i]);
	for (int k = 0; kind == OBJECT_OWN && k < columns_known(); k++)
		g_hash_table_add(tables[kind], (char *) columns_name(k));
	return tables[kind];
}

/*
 * A value as jsonb takes it: clean strings, no number without end.  The tokener
 * has bounded the depth.
 */
static void
put_rest(Message *m, json_object *v)
{
	struct json_object_iter it;
	GString    *s = m->rest;
	char	   *clean;
	bool		first = true;

	switch (json_object_get_type(v))
	{
		case json_type_object:
			g_string_append_c(s, '{');
			json_object_object_foreachC(v, it)
			{
				if (!first)
					g_string_append_c(s, ',');
				first = false;
				clean = text_clean(it.key, -1, m, DEFECT_BAD_CHARSET);
				text_json_string(s, clean);
				g_free(clean);
				g_string_append_c(s, ':');
				put_rest(m, it.val);
			}
			g_string_append_c(s, '}');
			break;
		case json_type_array:
			g_string_append_c(s, '[');
			for (size_t i = 0; i < json_object_array_length(v); i++)
			{
				if (i > 0)
					g_string_append_c(s, ',');
				put_rest(m, json_object_array_get_idx(v, i));
			}
			g_string_append_c(s, ']');
			break;
		case json_type_string:
			clean = clean_json_string(m, v);
			text_json_string(s, clean);
			g_free(clean);
			break;
		case json_type_double:
			if (!isfinite(json_object_get_double(v)))
			{
				g_string_append(s, "null");
				break;
			}
			/* FALLTHROUGH */
		default:
			{
				const char *written = json_object_to_json_string(v);

				/* what the tokener makes of integers beyond 64 bits */
				if (strcmp(written, "18446744073709551615") == 0 || strcmp(written, "-9223372036854775808") == 0)
				{
					ADD_DEFECT(m, DEFECT_BAD_FIELD);
					written = "null";
				}
				g_string_append(s, written);
			}
	}
}

/* Keep the fields that nothing was made of */
static void
take_rest(Message *m, json_object *o, ObjectKind kind)
{
	GHashTable *names = names_of_kind(kind);
	struct json_object_iter it;

	json_object_object_foreachC(o, it)
	{
		char	   *clean;

		if (g_hash_table_contains(names, it.key))
			continue;
		clean = text_clean(it.key, -1, m, DEFECT_BAD_CHARSET);
		g_string_append_c(m->rest, m->rest->len == 0 ? '{' : ',');
		text_json_string(m->rest, clean);
		g_string_append_c(m->rest, ':');
		g_free(clean);
		put_rest(m, it.val);
	}
	if (m->rest->len > 0)
		g_string_append_c(m->rest, '}');
}

/* A message resource of Microsoft Graph, an Email object of JMAP, or neither */
static ObjectKind
service_kind(json_object *o)
{
	if (field(o, "internetMessageId") != NULL || field(o, "toRecipients") != NULL ||
		field(o, "receivedDateTime") != NULL)
		return OBJECT_GRAPH;
	if (json_object_is_type(field(o, "from"), json_type_array) ||
		field(o, "receivedAt") != NULL || field(o, "bodyValues") != NULL)
		return OBJECT_JMAP;
	return OBJECT_OWN;
}

/* Take what an object says, whoever wrote it */
static void
take_object(Message *m, json_object *o, RawMessage *raw)
{
	ObjectKind	kind = OBJECT_GMAIL;

	take_own_fields(m, o);
	if (!parse_gmail_raw(m, o, raw))
	{
		kind = service_kind(o);
		m->defects |= raw->defects;
		m->size_bytes = raw->used;
		m->source = text_clean(raw->source, -1, m, DEFECT_BAD_CHARSET);
		m->mailbox = text_clean(raw->mailbox, -1, m, DEFECT_BAD_CHARSET);
		if (kind != OBJECT_OWN)
			parse_service_object(m, o, raw, kind == OBJECT_GRAPH);
		else
		{
			/* loaded, but nothing of it was understood */
			if (!is_message_object(o))
				ADD_DEFECT(m, DEFECT_BAD_JSON);
			parse_object(m, o, raw);
		}
	}
	if (options.rest != NULL)
		take_rest(m, o, kind);
}

/* Sets raw->used to where this object ends: another may follow on the line */
void
jsonl_parse(Message *m, RawMessage *raw)
{
	static json_tokener *tokener = NULL;
	json_object *o;
	enum json_tokener_error error;

	raw->used = raw->len;
	if (tokener == NULL)
		tokener = json_tokener_new_ex(64);
	json_tokener_reset(tokener);
	o = json_tokener_parse_ex(tokener, raw->data, raw->len);
	error = json_tokener_get_error(tokener);
	if (error == json_tokener_success && json_object_is_type(o, json_type_object))
	{
		raw->used = json_tokener_get_parse_end(tokener);
		take_object(m, o, raw);
	}
	else
	{
		m->defects |= raw->defects;
		m->size_bytes = raw->size;
		m->source = text_clean(raw->source, -1, m, DEFECT_BAD_CHARSET);
		m->mailbox = text_clean(raw->mailbox, -1, m, DEFECT_BAD_CHARSET);
		ADD_DEFECT(m, DEFECT_BAD_JSON);
		ADD_DEFECT(m, DEFECT_NO_FROM);
		ADD_DEFECT(m, DEFECT_NO_DATE);
		text_to_utf8(m->body_text, raw->data, MIN(raw->len, options.max_body + 4096), NULL, m);
		if (m->body_text->len > options.max_body || raw->len > options.max_body)
		{
			ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
			text_truncate(m->body_text, options.max_body);
		}
		message_settle_time(m, NO_TIME, raw);
	}
	if (o != NULL)
		json_object_put(o);

	/*
	 * it keeps the memory of the longest string it has seen; a new one for
	 * each of many objects on a line costs more
	 */
	if (raw->used > 4 * 1024 * 1024)
	{
		json_tokener_free(tokener);
		tokener = NULL;
	}
}
