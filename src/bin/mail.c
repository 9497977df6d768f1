/*
 * mail.c
 *	  One RFC 5322 message to a Message.
 *
 * The header block is split here: nothing in it, however long or broken, may
 * cost more than linear time or lose the message.  The body is body.c's.
 */
#include <string.h>

#include "mail.h"

/* ---- headers ------------------------------------------------------------- */

static void
free_header(gpointer p)
{
	Header	   *h = p;

	g_free(h->name);
	if (h->decoded != h->value)
		g_free(h->decoded);
	g_free(h->value);
}

/*
 * Split the header block.  Returns where the body begins.  A line that is no
 * header ends the block, except an mbox separator that some mailer left.
 */
static const char *
split_headers(Message *m, const char *s, const char *end, GArray *headers)
{
	size_t		total = 0;

	while (s < end)
	{
		size_t		name_len;
		const char *next;
		const char *colon;
		Header		h = {0};

		if (is_blank_line(s, end))
			return next_line(s, end);

		next = next_line(s, end);
		name_len = header_name_len(s, next);
		if (name_len == 0)
		{
			ADD_DEFECT(m, DEFECT_BROKEN_HEADERS);
			if ((next - s > 5 && memcmp(s, "From ", 5) == 0) ||
				(next - s > 6 && memcmp(s, ">From ", 6) == 0) ||
				(headers->len == 0 && (*s == ' ' || *s == '\t')))
			{
				s = next;
				continue;
			}
			return s;
		}
		while (next < end && (*next == ' ' || *next == '\t'))
			next = next_line(next, end);

		colon = memchr(s + name_len, ':', next - s - name_len);
		h.name = g_ascii_strdown(s, name_len);
		h.raw = colon + 1;
		h.raw_len = next - h.raw;
		if (total + h.raw_len > MAX_HEADER_TOTAL)
		{
			ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
			h.raw_len = total < MAX_HEADER_TOTAL ? MAX_HEADER_TOTAL - total : 0;
		}
		total += h.raw_len + name_len + HEADER_OVERHEAD;
		if (h.raw_len > 0 || total < MAX_HEADER_TOTAL)
			g_array_append_val(headers, h);
		else
			g_free(h.name);
		s = next;
	}
	return end;
}

/* The values of the headers that were split */
static void
decode_headers(Message *m, GArray *headers)
{
	Header	   *type = find_header(headers, "content-type");
	char	   *charset = NULL;

	if (type != NULL && type->raw_len < MAX_CONTENT_HEADER)
	{
		GMimeContentType *ct;

		type->value = unfold(m, type->raw, type->raw_len, NULL);
		ct = g_mime_content_type_parse(NULL, type->value);
		charset = g_strdup(g_mime_content_type_get_parameter(ct, "charset"));
		g_object_unref(ct);
		g_free(type->value);
	}
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		h->value = unfold(m, h->raw, h->raw_len, charset);
		h->decoded = strstr(h->value, "=?") == NULL ? h->value : words_decode(m, h->value);
	}
	g_free(charset);
}

/* The next header of the same name for each, or the number of headers */
static guint *
next_of_name(GArray *headers)
{
	GHashTable *last = g_hash_table_new(g_str_hash, g_str_equal);
	guint	   *next = g_new(guint, headers->len + 1);

	for (guint i = headers->len; i-- > 0;)
	{
		char	   *name = g_array_index(headers, Header, i).name;
		gpointer	at = g_hash_table_lookup(last, name);

		next[i] = at != NULL ? GPOINTER_TO_UINT(at) - 1 : headers->len;
		g_hash_table_insert(last, name, GUINT_TO_POINTER(i + 1));
	}
	g_hash_table_destroy(last);
	return next;
}

/* The value of a header as JSON */
static void
value_to_json(Message *m, const Header *h)
{
	GString    *cut;

	if (strlen(h->decoded) <= MAX_HEADER_VALUE)
	{
		text_json_string(m->headers, h->decoded);
		return;
	}
	cut = g_string_new(h->decoded);
	ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
	text_truncate(cut, MAX_HEADER_VALUE);
	text_json_string(m->headers, cut->str);
	g_string_free(cut, TRUE);
}

/* All headers as JSON: {"name": ["value", …], …}, by the first of each name */
static void
headers_to_json(Message *m, GArray *headers)
{
	guint	   *next = next_of_name(headers);
	bool		first = true;

	g_string_append_c(m->headers, '{');
	for (guint i = 0; i < headers->len; i++)
	{
		/* written with the first of its name */
		if (next[i] > headers->len)
			continue;
		if (!first)
			g_string_append_c(m->headers, ',');
		first = false;
		text_json_string(m->headers, g_array_index(headers, Header, i).name);
		g_string_append_c(m->headers, ':');
		for (guint k = i, after; k < headers->len; k = after)
		{
			g_string_append_c(m->headers, k == i ? '[' : ',');
			value_to_json(m, &g_array_index(headers, Header, k));
			after = next[k];
			next[k] = headers->len + 1;
		}
		g_string_append_c(m->headers, ']');
	}
	g_string_append_c(m->headers, '}');
	g_free(next);
}

/* ---- what the headers mean ----------------------------------------------- */

/* The From header's address, while its entries come in */
typedef struct FromAddress
{
	char	   *addr;
	char	   *name;
	int			rank;			/* 2 with domain in brackets, 1 with a domain */
	int			senders;		/* with a domain in brackets */
} FromAddress;

/*
 * The address that a reader's program shows: the first in angle brackets with
 * a domain, else the first with a domain, else the first.
 */
static void
take_from(Message *m, const char *addr, const char *name, bool angle, void *arg)
{
	FromAddress *from = arg;
	const char *at = strrchr(addr, '@');
	bool		domain = at != NULL && at > addr && at[1] != '\0';
	int			rank = !domain ? 0 : angle ? 2 : 1;

	if (domain)
		from->senders++;
	if (from->addr != NULL && rank <= from->rank)
		return;
	g_free(from->addr);
	g_free(from->name);
	from->addr = g_strdup(addr);
	from->name = g_strdup(name);
	from->rank = rank;
}

static void
take_reply_to(Message *m, const char *addr, const char *name, bool angle, void *arg)
{
	if (m->reply_to == NULL)
		m->reply_to = text_lower(addr);
}

static void
take_recipient(Message *m, const char *addr, const char *name, bool angle, void *arg)
{
	message_add_recipient(m, addr);
}

/* The From header */
static void
parse_from(Message *m, Header *h)
{
	FromAddress from = {0};
	char	   *name;

	if (address_parse(m, h->value, take_from, &from) > 0)
	{
		if (from.senders > 1)
			ADD_DEFECT(m, DEFECT_MULTIPLE_FROM);
		/* a single word is both, as it is written */
		message_set_from(m, from.addr, from.name == NULL && from.rank == 0 ? h->decoded : from.name);
		g_free(from.addr);
		g_free(from.name);
		return;
	}

	/*
	 * no address: what is there is a name, with brackets behind it that hold
	 * nothing
	 */
	ADD_DEFECT(m, DEFECT_BAD_FROM);
	name = g_strdup(h->decoded);
	if (g_str_has_suffix(name, "<>"))
		name[strlen(name) - 2] = '\0';
	g_strstrip(name);
	if (name[0] == '"' && strcspn(name + 1, "\"") + 2 == strlen(name))
	{
		name[strlen(name) - 1] = '\0';
		memmove(name, name + 1, strlen(name));
	}
	if (name[0] != '\0')
		m->from_name = name;
	else
		g_free(name);
}

/* The first header of that name that says anything, else the first: an empty one before it hides nothing */
static Header *
find_filled(GArray *headers, const char *name)
{
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (h->name[0] == name[0] && strcmp(h->name, name) == 0 && h->value[0] != '\0')
			return h;
	}
	return find_header(headers, name);
}

/* Headers that a message has once; a second one is somebody's trick */
static void
find_duplicates(Message *m, GArray *headers)
{
	static const char *const once[] = {
		"from", "sender", "reply-to", "subject", "date", "message-id",
		"content-type", "content-transfer-encoding", "mime-version"
	};
	unsigned	seen = 0;

	for (guint i = 0; i < headers->len; i++)
	{
		const char *name = g_array_index(headers, Header, i).name;

		for (size_t k = 0; k < G_N_ELEMENTS(once); k++)
			if (name[0] == once[k][0] && strcmp(name, once[k]) == 0)
			{
				if ((seen & (1u << k)) != 0)
				{
					ADD_DEFECT(m, k == 0 ? DEFECT_MULTIPLE_FROM : DEFECT_DUPLICATE_HEADER);
				}
				seen |= 1u << k;
			}
	}
}

/* What is inside the first <…>, or NULL */
static char *
in_brackets(const char *s, const char **rest)
{
	const char *open = strchr(s, '<');
	const char *close = open != NULL ? strchr(open, '>') : NULL;
	char	   *id;

	if (close == NULL)
		return NULL;
	/* "<<id>", "<someone's <id>" */
	for (const char *p = open + 1; p < close; p++)
		if (*p == '<')
			open = p;
	*rest = close + 1;
	if (close < open + 1)
		return NULL;
	id = g_strndup(open + 1, close - open - 1);
	return g_strstrip(id);
}

/* A message id, or NULL; mailers that leave the brackets out are understood */
static char *
parse_message_id(const char *s)
{
	const char *rest;
	char	   *id = in_brackets(s, &rest);
	size_t		len;

	if (id != NULL)
	{
		if (id[0] != '\0')
			return id;
		g_free(id);
		return NULL;
	}
	while (*s == '<' || g_ascii_isspace(*s))
		s++;
	len = strcspn(s, " \t>");
	if (len == 0)
		return NULL;
	return g_strndup(s, len);
}

static void
parse_references(Message *m, const char *s)
{
	const char *rest;
	char	   *id;
	size_t		bytes = 0;

	while ((id = in_brackets(s, &rest)) != NULL)
	{
		s = rest;
		bytes += strlen(id);
		if (m->reference_ids->len >= MAX_URLS || bytes > MAX_LIST_BYTES)
		{
			ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
			g_free(id);
			return;
		}
		if (id[0] != '\0')
			g_ptr_array_add(m->reference_ids, id);
		else
			g_free(id);
	}
}

/* The d= of a DKIM signature */
static void
parse_dkim(Message *m, const char *s)
{
	while (*s != '\0')
	{
		const char *end = strchr(s, ';');
		size_t		len = end != NULL ? (size_t) (end - s) : strlen(s);

		while (len > 0 && g_ascii_isspace(*s))
			s++, len--;
		if (len > 1 && (*s == 'd' || *s == 'D'))
		{
			const char *p = s + 1;

			while (p < s + len && g_ascii_isspace(*p))
				p++;
			if (p < s + len && *p == '=')
			{
				char	   *raw = g_strndup(p + 1, s + len - p - 1);
				char	   *domain = text_lower(g_strstrip(raw));

				g_free(raw);
				for (guint i = 0; i < m->dkim_domains->len; i++)
					if (strcmp(m->dkim_domains->pdata[i], domain) == 0)
						domain[0] = '\0';
				if (domain[0] != '\0' && m->dkim_domains->len < 100)
					g_ptr_array_add(m->dkim_domains, domain);
				else
					g_free(domain);
				return;
			}
		}
		if (end == NULL)
			return;
		s = end + 1;
	}
}

/* The time in a Received header: after the last semicolon that a time follows */
static int64_t
received_time(const char *value)
{
	const char *from = strchr(value, ';');
	int64_t		t = NO_TIME;

	for (int i = 0; from != NULL && i < 8; i++)
	{
		const char *next = strchr(from + 1, ';');
		char	   *piece = next != NULL ? g_strndup(from + 1, next - from - 1) : g_strdup(from + 1);
		int64_t		found = strlen(piece) < 200 ? parse_date(piece) : NO_TIME;

		if (found != NO_TIME)
			t = found;
		g_free(piece);
		from = next;
	}
	if (t == NO_TIME && (from = strrchr(value, ';')) != NULL)
		t = parse_date(from + 1);
	return t;
}

/* The subject, of which a header may have too much */
static char *
parse_subject(const Header *h)
{
	GString    *subject = g_string_new(h->decoded);

	text_truncate(subject, MAX_HEADER_VALUE);
	return g_string_free(subject, FALSE);
}

/* What is in brackets in List-Id, else all of it, or NULL */
static char *
parse_list_id(const Header *h)
{
	const char *open = strrchr(h->value, '<');
	const char *rest;
	char	   *id = open != NULL ? in_brackets(open, &rest) : g_strdup(h->value);
	char	   *result = id != NULL && id[0] != '\0' ? text_lower(id) : NULL;

	g_free(id);
	return result;
}

/* The null sender <> of a bounce is an empty string, not NULL */
static char *
parse_return_path(const Header *h)
{
	const char *rest;
	char	   *path = in_brackets(h->value, &rest);
	char	   *result = text_lower(path != NULL ? path : h->value);

	g_free(path);
	return result;
}

/* Who a message is for, and where nobody is named, who got it as a blind copy */
static void
find_recipients(Message *m, GArray *headers)
{
	static const char *const recipient_headers[] = {"to", "cc", "bcc"};
	static const char *const delivery_headers[] = {"delivered-to", "x-original-to", "envelope-to"};
	Header	   *h;

	for (size_t k = 0; k < G_N_ELEMENTS(recipient_headers); k++)
		for (guint i = 0; i < headers->len; i++)
		{
			h = &g_array_index(headers, Header, i);
			if (h->name[0] == recipient_headers[k][0] && strcmp(h->name, recipient_headers[k]) == 0)
				address_parse(m, h->value, take_recipient, NULL);
		}
	for (size_t k = 0; k < G_N_ELEMENTS(delivery_headers) && m->recipients->len == 0; k++)
		if ((h = find_header(headers, delivery_headers[k])) != NULL)
			address_parse(m, h->value, take_recipient, NULL);
}

/* The time of the topmost Received header that has a plausible one, or NO_TIME */
static void
take_received_time(Message *m, const Header *h, int64_t *received)
{
	if (*received != NO_TIME)
		return;
	*received = received_time(h->value);
	if (*received == NO_TIME || !message_plausible_time(*received))
	{
		ADD_DEFECT(m, DEFECT_BAD_RECEIVED);
		*received = NO_TIME;
	}
}

/* A header with what a server found about the sender, with its name */
static void
take_auth_result(Message *m, const Header *h, size_t *bytes)
{
	*bytes += strlen(h->value);
	if (m->auth_results->len < 100 && *bytes < MAX_HEADER_VALUE)
		g_ptr_array_add(m->auth_results,
						g_strconcat(h->name[0] == 'a' ? "Authentication-Results: " :
									"Received-SPF: ", h->decoded, NULL));
	else
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
}

/* The headers that servers on the way wrote; returns when it was received */
static int64_t
interpret_trace(Message *m, GArray *headers)
{
	int64_t		received = NO_TIME;
	size_t		auth_bytes = 0;

	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (strcmp(h->name, "received") == 0)
		{
			take_received_time(m, h, &received);
			g_ptr_array_add(m->received_headers, g_strdup(h->value));
		}
		else if (strcmp(h->name, "authentication-results") == 0 ||
				 strcmp(h->name, "received-spf") == 0)
		{
			take_auth_result(m, h, &auth_bytes);
			if (h->name[0] == 'a')
				g_ptr_array_add(m->auth_headers, g_strdup(h->value));
		}
		else if (strcmp(h->name, "dkim-signature") == 0 ||
				 strcmp(h->name, "domainkey-signature") == 0)
			parse_dkim(m, h->value);
	}
	return received;
}

/* Everything of the row that the headers hold */
static void
interpret_headers(Message *m, GArray *headers, const RawMessage *raw)
{
	int64_t		received;
	Header	   *h;
	const char *rest;

	if ((h = find_filled(headers, "from")) != NULL && h->value[0] != '\0')
		parse_from(m, h);
	else
		ADD_DEFECT(m, DEFECT_NO_FROM);
	if ((h = find_filled(headers, "reply-to")) != NULL)
		address_parse(m, h->value, take_reply_to, NULL);
	if ((h = find_filled(headers, "subject")) != NULL)
		m->subject = parse_subject(h);
	if ((h = find_filled(headers, "message-id")) != NULL)
		m->message_id = parse_message_id(h->value);
	if ((h = find_header(headers, "in-reply-to")) != NULL)
		m->in_reply_to = in_brackets(h->value, &rest);
	if ((h = find_header(headers, "references")) != NULL)
		parse_references(m, h->value);
	if ((h = find_header(headers, "list-id")) != NULL)
		m->list_id = parse_list_id(h);
	if ((h = find_header(headers, "return-path")) != NULL)
		m->return_path = parse_return_path(h);
	find_recipients(m, headers);
	find_duplicates(m, headers);
	received = interpret_trace(m, headers);

	if ((h = find_filled(headers, "date")) != NULL && h->value[0] != '\0')
	{
		m->sent_at = parse_date(h->value);
		if (m->sent_at == NO_TIME)
			ADD_DEFECT(m, DEFECT_BAD_DATE);
	}
	else
		ADD_DEFECT(m, DEFECT_NO_DATE);
	message_settle_time(m, received, raw);
}

/* The whole message */
void
mail_parse(Message *m, RawMessage *raw)
{
	GArray	   *headers = g_array_new(FALSE, FALSE, sizeof(Header));
	const char *s = raw->data;
	const char *end = raw->data + raw->len;
	const char *body;
	const char *p;

	g_array_set_clear_func(headers, free_header);
	m->defects |= raw->defects;
	m->size_bytes = raw->size;
	m->source = text_clean(raw->source, -1, m, DEFECT_BAD_CHARSET);
	m->mailbox = text_clean(raw->mailbox, -1, m, DEFECT_BAD_CHARSET);
	if (raw->len == 0)
		ADD_DEFECT(m, DEFECT_EMPTY);
	/* before it is taken apart in place */
	if (options.keep_raw)
		g_string_append_len(m->raw, raw->data, raw->len);

	if (end - s >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
		s += 3;
	/* empty lines at the top, where headers follow, are a mailer's slip */
	p = s;
	while (is_blank_line(p, end))
		p = next_line(p, end);
	if (p > s && p < end && header_name_len(p, next_line(p, end)) > 0)
		s = p;

	body = split_headers(m, s, end, headers);
	if (headers->len == 0)
		ADD_DEFECT(m, DEFECT_NO_HEADERS);
	decode_headers(m, headers);
	interpret_headers(m, headers, raw);
	headers_to_json(m, headers);
	parse_body(m, headers, raw, body);
	g_array_free(headers, TRUE);
}
