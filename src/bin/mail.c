/*
 * mail.c
 *	  One RFC 5322 message to a Message.
 *
 * The header block is split here: nothing in it, however long or broken, may
 * cost more than linear time or lose the message.  The body is body.c's.
 */
#include <arpa/inet.h>
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

/* Length of the field name when a header line starts here, else 0 */
size_t
header_name_len(const char *s, const char *end)
{
	const char *p = s;
	size_t		len;

	while (p < end && *p > 32 && *p < 127 && *p != ':')
		p++;
	len = p - s;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (len == 0 || len > 256 || p >= end || *p != ':')
		return 0;
	return len;
}

/* Start of the next line */
const char *
next_line(const char *s, const char *end)
{
	const char *nl = memchr(s, '\n', end - s);

	return nl != NULL ? nl + 1 : end;
}

bool
is_blank_line(const char *s, const char *end)
{
	return s < end && (*s == '\n' || (*s == '\r' && s + 1 < end && s[1] == '\n'));
}

/*
 * Folds out, trimmed; the result is clean UTF-8.  Undeclared 8-bit text that
 * is not UTF-8 is most likely in the charset of the body.
 */
char	   *
unfold(Message *m, const char *s, size_t len, const char *charset)
{
	GString    *tmp;
	GString    *out;
	const char *end = s + len;

	while (s < end && g_ascii_isspace(*s))
		s++;
	while (end > s && g_ascii_isspace(end[-1]))
		end--;
	len = end - s;

	if (memchr(s, '\n', len) == NULL && memchr(s, '\r', len) == NULL &&
		text_is_clean(s, len))
		return g_strndup(s, len);

	tmp = g_string_sized_new(len);
	while (s < end)
	{
		const char *p = s;

		while (p < end && *p != '\n' && *p != '\r')
			p++;
		g_string_append_len(tmp, s, p - s);
		if (p == end)
			break;
		/* a fold of any width is one blank */
		while (p < end && g_ascii_isspace(*p))
			p++;
		while (tmp->len > 0 && g_ascii_isspace(tmp->str[tmp->len - 1]))
			g_string_truncate(tmp, tmp->len - 1);
		g_string_append_c(tmp, ' ');
		s = p;
	}
	if (text_is_clean(tmp->str, tmp->len))
		return g_string_free(tmp, FALSE);
	if (memchr(tmp->str, '\0', tmp->len) != NULL)
	{
		gsize		n = 0;

		for (gsize i = 0; i < tmp->len; i++)
			if (tmp->str[i] != '\0')
				tmp->str[n++] = tmp->str[i];
		g_string_truncate(tmp, n);
		ADD_DEFECT(m, DEFECT_NUL_BYTE);
	}
	if (text_is_clean(tmp->str, tmp->len))
		charset = NULL;
	else
		ADD_DEFECT(m, DEFECT_NO_CHARSET);
	out = g_string_sized_new(tmp->len + 16);
	text_to_utf8(out, tmp->str, tmp->len, charset, m);
	g_string_free(tmp, TRUE);
	return g_string_free(out, FALSE);
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

/* The first header of that name, or NULL */
Header	   *
find_header(GArray *headers, const char *name)
{
	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);

		if (strcmp(h->name, name) == 0)
			return h;
	}
	return NULL;
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

/* All headers as JSON: {"name": ["value", …], …} */
static void
headers_to_json(Message *m, GArray *headers)
{
	GHashTable *groups = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray  *order = g_ptr_array_new();

	for (guint i = 0; i < headers->len; i++)
	{
		Header	   *h = &g_array_index(headers, Header, i);
		GString    *group = g_hash_table_lookup(groups, h->name);

		if (group == NULL)
		{
			group = g_string_new(NULL);
			text_json_string(group, h->name);
			g_string_append(group, ":[");
			g_hash_table_insert(groups, h->name, group);
			g_ptr_array_add(order, group);
		}
		else
			g_string_append_c(group, ',');
		if (strlen(h->decoded) > MAX_HEADER_VALUE)
		{
			GString    *cut = g_string_new(h->decoded);

			ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
			text_truncate(cut, MAX_HEADER_VALUE);
			text_json_string(group, cut->str);
			g_string_free(cut, TRUE);
		}
		else
			text_json_string(group, h->decoded);
	}
	g_string_append_c(m->headers, '{');
	for (guint i = 0; i < order->len; i++)
	{
		GString    *group = order->pdata[i];

		if (i > 0)
			g_string_append_c(m->headers, ',');
		g_string_append_len(m->headers, group->str, group->len);
		g_string_append_c(m->headers, ']');
		g_string_free(group, TRUE);
	}
	g_string_append_c(m->headers, '}');
	g_ptr_array_free(order, TRUE);
	g_hash_table_destroy(groups);
}

/* ---- what the headers mean ----------------------------------------------- */

typedef void (*AddressFn) (Message *m, const char *addr, const char *name);

/* Call back for each mailbox, through groups; returns how many there were */
static int
each_address(Message *m, InternetAddressList *list, GPtrArray *words, AddressFn fn, int depth)
{
	int			n = internet_address_list_length(list);
	int			found = 0;

	for (int i = 0; i < n; i++)
	{
		InternetAddress *ia = internet_address_list_get_address(list, i);

		if (INTERNET_ADDRESS_IS_GROUP(ia))
		{
			InternetAddressList *members =
			internet_address_group_get_members(INTERNET_ADDRESS_GROUP(ia));

			if (members != NULL && depth < 10)
				found += each_address(m, members, words, fn, depth + 1);
		}
		else
		{
			const char *addr = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(ia));
			const char *name = internet_address_get_name(ia);
			char	   *shown_addr = addr != NULL ? words_show(m, addr, words) : NULL;
			char	   *shown_name = name != NULL ? words_show(m, name, words) : NULL;
			char	   *clean_addr = text_clean(shown_addr, -1, m, DEFECT_BAD_CHARSET);
			char	   *clean_name = text_clean(shown_name, -1, m, DEFECT_BAD_CHARSET);

			g_free(shown_addr);
			g_free(shown_name);
			if (clean_addr != NULL && clean_addr[0] != '\0')
			{
				fn(m, clean_addr, clean_name);
				found++;
			}
			g_free(clean_addr);
			g_free(clean_name);
		}
	}
	return found;
}

/* Call back for whatever looks like an address */
static int
scan_addresses(Message *m, const char *value, AddressFn fn)
{
	static const char not_local[] = " \t<>()[]\",:;\\";
	int			found = 0;
	const char *from = value;
	const char *at;

	while ((at = strchr(from, '@')) != NULL)
	{
		const char *start = at;
		const char *end = at + 1;

		while (start > from && strchr(not_local, start[-1]) == NULL)
			start--;
		while (g_ascii_isalnum(*end) || *end == '.' || *end == '-' || *end == '_')
			end++;
		if (start < at && end > at + 1)
		{
			char	   *addr = g_strndup(start, end - start);

			fn(m, addr, NULL);
			g_free(addr);
			found++;
		}
		from = end;
	}
	return found;
}

/*
 * Call back for each address in a header.  Where GMime finds none, whatever
 * looks like one is better than none.
 */
static int
parse_addresses(Message *m, const char *value, AddressFn fn)
{
	GPtrArray  *words = g_ptr_array_new_with_free_func(g_free);
	char	   *hidden = strstr(value, "=?") != NULL ? words_hide(value, words) : NULL;
	InternetAddressList *list = internet_address_list_parse(NULL, hidden != NULL ? hidden : value);
	int			found = 0;

	if (list != NULL)
	{
		found = each_address(m, list, words, fn, 0);
		g_object_unref(list);
	}
	if (found == 0)
		found = scan_addresses(m, value, fn);
	g_free(hidden);
	g_ptr_array_free(words, TRUE);
	return found;
}

static void
take_from(Message *m, const char *addr, const char *name)
{
	if (m->from_addr == NULL)
		message_set_from(m, addr, name);
}

static void
take_reply_to(Message *m, const char *addr, const char *name)
{
	if (m->reply_to == NULL)
		m->reply_to = text_lower(addr);
}

static void
take_recipient(Message *m, const char *addr, const char *name)
{
	message_add_recipient(m, addr);
}

/* The From header */
static void
parse_from(Message *m, Header *h)
{
	if (parse_addresses(m, h->value, take_from) > 0)
		return;
	/* no address: what is there is a name */
	ADD_DEFECT(m, DEFECT_BAD_FROM);
	if (h->decoded[0] != '\0')
		m->from_name = g_strdup(h->decoded);
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

/* Is it an address of the Internet, not of a local network? */
static bool
is_public_ip(const char *s)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, s, &v4) == 1)
	{
		uint32_t	a = ntohl(v4.s_addr);

		return !((a >> 24) == 0 || (a >> 24) == 10 || (a >> 24) == 127 ||
				 (a >> 16) == 0xC0A8 || (a >> 16) == 0xA9FE ||
				 (a >> 20) == 0xAC1 || (a >> 22) == (0x64400000 >> 22) ||
				 (a >> 28) >= 0xE);
	}
	if (inet_pton(AF_INET6, s, &v6) == 1)
		return (v6.s6_addr[0] & 0xE0) == 0x20;
	return false;
}

/*
 * The address that handed the message over, by one Received header: the first
 * public one before "by".  A fetch by POP or IMAP is no relay.
 */
static char *
received_relay(const char *value)
{
	const char *by;
	size_t		len;
	const char *p;
	const char *end;

	if (g_ascii_strncasecmp(value, "from", 4) != 0 || !g_ascii_isspace(value[4]))
		return NULL;
	by = strstr(value, " by ");
	len = by != NULL ? (size_t) (by - value) : strcspn(value, ";");
	if (by != NULL &&
		(strstr(by, " with POP3") != NULL || strstr(by, " with IMAP") != NULL ||
		 strstr(by, "(fetchmail") != NULL))
		return NULL;
	p = value + 4;
	end = value + len;
	while (p < end)
	{
		char		buf[INET6_ADDRSTRLEN];
		const char *q = p;

		if (g_ascii_strncasecmp(p, "IPv6:", 5) == 0)
		{
			p += 5;
			continue;
		}
		while (q < end && (g_ascii_isxdigit(*q) || *q == '.' || *q == ':'))
			q++;
		/* a token of its own, not a piece of a host name */
		if (q > p && (size_t) (q - p) < sizeof(buf) && q - p > 2 &&
			strchr(" ([:", p[-1]) != NULL && (q == end || strchr(" )];:", *q) != NULL))
		{
			memcpy(buf, p, q - p);
			buf[q - p] = '\0';
			if (is_public_ip(buf))
				return g_strdup(buf);
		}
		p = q > p ? q : p + 1;
	}
	return NULL;
}

/* Everything of the row that the headers hold */
static void
interpret_headers(Message *m, GArray *headers, const RawMessage *raw)
{
	static const char *const recipient_headers[] = {"to", "cc", "bcc"};
	int64_t		received = NO_TIME;
	size_t		auth_bytes = 0;
	Header	   *h;

	if ((h = find_header(headers, "from")) != NULL && h->value[0] != '\0')
		parse_from(m, h);
	else
		ADD_DEFECT(m, DEFECT_NO_FROM);
	if ((h = find_header(headers, "reply-to")) != NULL)
		parse_addresses(m, h->value, take_reply_to);
	if ((h = find_header(headers, "subject")) != NULL)
	{
		m->subject = g_strdup(h->decoded);
		if (strlen(m->subject) > MAX_HEADER_VALUE)
		{
			GString    *cut = g_string_new(m->subject);

			text_truncate(cut, MAX_HEADER_VALUE);
			g_free(m->subject);
			m->subject = g_string_free(cut, FALSE);
		}
	}
	if ((h = find_header(headers, "message-id")) != NULL)
		m->message_id = parse_message_id(h->value);
	if ((h = find_header(headers, "in-reply-to")) != NULL)
	{
		const char *rest;

		m->in_reply_to = in_brackets(h->value, &rest);
	}
	if ((h = find_header(headers, "references")) != NULL)
		parse_references(m, h->value);
	if ((h = find_header(headers, "list-id")) != NULL)
	{
		const char *open = strrchr(h->value, '<');
		const char *rest;
		char	   *id = open != NULL ? in_brackets(open, &rest) : g_strdup(h->value);

		if (id != NULL && id[0] != '\0')
			m->list_id = text_lower(id);
		g_free(id);
	}
	if ((h = find_header(headers, "return-path")) != NULL)
	{
		const char *rest;
		char	   *path = in_brackets(h->value, &rest);

		/* the null sender <> of a bounce is an empty string, not NULL */
		if (path == NULL)
			path = g_strdup(h->value);
		m->return_path = text_lower(path);
		g_free(path);
	}

	for (size_t k = 0; k < G_N_ELEMENTS(recipient_headers); k++)
		for (guint i = 0; i < headers->len; i++)
		{
			h = &g_array_index(headers, Header, i);
			if (strcmp(h->name, recipient_headers[k]) == 0)
				parse_addresses(m, h->value, take_recipient);
		}

	for (guint i = 0; i < headers->len; i++)
	{
		h = &g_array_index(headers, Header, i);
		if (strcmp(h->name, "received") == 0)
		{
			if (received == NO_TIME)
			{
				const char *semicolon = strrchr(h->value, ';');

				if (semicolon != NULL)
					received = parse_date(semicolon + 1);
				if (received == NO_TIME || !message_plausible_time(received))
				{
					ADD_DEFECT(m, DEFECT_BAD_RECEIVED);
					received = NO_TIME;
				}
			}
			if (m->relay_ip == NULL)
				m->relay_ip = received_relay(h->value);
		}
		else if (strcmp(h->name, "authentication-results") == 0 ||
				 strcmp(h->name, "received-spf") == 0)
		{
			auth_bytes += strlen(h->value);
			if (m->auth_results->len < 100 && auth_bytes < MAX_HEADER_VALUE)
				g_ptr_array_add(m->auth_results,
								g_strconcat(h->name[0] == 'a' ? "Authentication-Results: " :
											"Received-SPF: ", h->decoded, NULL));
			else
				ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		}
		else if (strcmp(h->name, "dkim-signature") == 0 ||
				 strcmp(h->name, "domainkey-signature") == 0)
			parse_dkim(m, h->value);
	}

	if ((h = find_header(headers, "date")) != NULL && h->value[0] != '\0')
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
