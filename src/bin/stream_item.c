/*
 * stream_item.c
 *	  A message as a stream carries it to a row, by the parsers of assay_load.
 */
#include <string.h>

#include "columns.h"
#include "stream.h"

static Message *message;

/* Base64 of either alphabet, with or without line ends, in place; false for anything else */
static bool
decode_base64(RawMessage *raw)
{
	gsize		n = 0;
	gsize		padding = 0;

	for (size_t i = 0; i < raw->len; i++)
	{
		char		c = raw->data[i];

		if (g_ascii_isspace(c))
			continue;
		c = c == '-' ? '+' : c == '_' ? '/' : c;
		if (c == '=')
			padding++;
		else if (padding > 0 || (!g_ascii_isalnum(c) && c != '+' && c != '/'))
			return false;
		raw->data[n++] = c;
	}
	if (padding > 2 || (n - padding) % 4 == 1)
		return false;
	n -= padding;
	/* what is read has room for the padding: see item_encode() */
	while (n % 4 != 0)
		raw->data[n++] = '=';
	raw->data[n] = '\0';
	if (n > 0)
		g_base64_decode_inplace(raw->data, &n);
	raw->len = n;
	raw->data[n] = '\0';
	raw->size = n;
	return true;
}

/* Is it JSON, as the option says or by its first byte? */
static bool
is_json(const Item *item)
{
	const char *s = item->data;
	const char *end = s + item->len;

	if (strcmp(stream_options.payload, "auto") != 0)
		return strcmp(stream_options.payload, "json") == 0;
	while (s < end && g_ascii_isspace(*s))
		s++;
	return s < end && *s == '{';
}

/* Columns of the user's own that a header of the stream names; it counts more than what is within */
static void
take_headers(Message *m, const Item *item)
{
	for (guint h = 0; item->headers != NULL && h + 1 < item->headers->len; h += 2)
		for (int i = 0; i < options.num_columns; i++)
			if (strcmp(options.columns[i], item->headers->pdata[h]) == 0)
			{
				g_free(m->own[i]);
				m->own[i] = text_clean(item->headers->pdata[h + 1], -1, m, DEFECT_BAD_CHARSET);
			}
}

/* Is there more in the message than the first object of JSON? */
static bool
has_more(const RawMessage *raw)
{
	for (size_t i = raw->used; i < raw->len; i++)
		if (!g_ascii_isspace(raw->data[i]))
			return true;
	return false;
}

/* Parse it, or say in its error why it can't be a row */
static void
parse_item(Item *item, RawMessage *raw)
{
	message_reset(message);
	if (strcmp(stream_options.payload, "base64") == 0 && !decode_base64(raw))
		item->error = g_strdup("the message is no base64");
	else if (raw->is_json)
	{
		jsonl_parse(message, raw);
		if (has_more(raw))
			item->error = g_strdup("the message holds more than one object of JSON");
	}
	else
		mail_parse(message, raw);
	take_headers(message, item);
	message_finish(message);
}

/* Append its row, if it can be one; false where the server is away that makes values of fields */
bool
item_encode(Item *item, GByteArray *rows)
{
	RawMessage	raw = {0};
	char	   *where = g_strdup_printf("%s/%d#%" PRId64, item->part->topic, item->part->part, item->offset);
	bool		done = true;

	if (message == NULL)
		message = message_new();
	/* parsers write into it, and a dead letter is the message as it came */
	raw.data = g_malloc(item->len + 4);
	memcpy(raw.data, item->data, item->len);
	raw.data[item->len] = '\0';
	raw.len = item->len;
	raw.size = item->size;
	raw.source = where;
	raw.mailbox = options.mailbox;
	raw.mtime = item->time;
	raw.is_json = is_json(item);
	if (item->size > (int64_t) item->len)
		raw.defects |= 1u << DEFECT_TRUNCATED_MESSAGE;
	parse_item(item, &raw);
	item->row = rows->len;
	if (item->error == NULL && !target_put(rows, message))
	{
		g_byte_array_set_size(rows, item->row);
		done = false;
	}
	item->row_len = rows->len - item->row;
	g_free(raw.data);
	g_free(where);
	return done;
}

/* Its headers as an object of JSON, or NULL */
char	   *
item_headers_json(const Item *item)
{
	GString    *json;

	if (item->headers == NULL)
		return NULL;
	json = g_string_new("{");
	for (guint h = 0; h + 1 < item->headers->len; h += 2)
		for (int i = 0; i < 2; i++)
		{
			char	   *clean = text_clean(item->headers->pdata[h + i], -1, message, DEFECT_BAD_CHARSET);

			if (h + i > 0)
				g_string_append_c(json, i == 0 ? ',' : ':');
			text_json_string(json, clean);
			g_free(clean);
		}
	g_string_append_c(json, '}');
	return g_string_free(json, FALSE);
}
