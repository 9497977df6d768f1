/*
 * fuzz_mail.c
 *		Any bytes as mail, by what assay_load and assay_stream make of it.
 *
 * The first byte says as what: a message, an HTML document, or an attachment
 * of Outlook's.  Each is read twice, and must give the same row.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <gmime/gmime.h>

#include "attachment.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	setlocale(LC_ALL, "C.UTF-8");
	setlocale(LC_NUMERIC, "C");
	progname = "fuzz_mail";
	options.max_body = 1024 * 1024;
	options.max_message = MAX_MESSAGE_DEFAULT;
	options.unwrap = options.want_facts = options.quiet = true;
	g_mime_init();
	return 0;
}

static void
take(GString *row, const char *s)
{
	if (s != NULL && !g_utf8_validate(s, -1, NULL))
	{
		fprintf(stderr, "not UTF-8: %s\n", s);
		abort();
	}
	g_string_append(row, s != NULL ? s : "\\N");
	g_string_append_c(row, '\n');
}

/* A string of the row, which the server must be able to store */
static void
take_string(GString *row, const GString *s)
{
	if (strlen(s->str) != s->len)
	{
		fprintf(stderr, "a NUL in a value\n");
		abort();
	}
	take(row, s->str);
}

static void
take_list(GString *row, const GPtrArray *list)
{
	for (guint i = 0; i < list->len; i++)
		take(row, list->pdata[i]);
	take(row, NULL);
}

/* What becomes of the bytes */
static void
read_as(Message *m, const uint8_t *data, size_t length, GString *row)
{
	int			kind = data[0] % 3;
	RawMessage	raw = {0};

	raw.len = length - 1;
	raw.data = g_malloc(length + 3);
	memcpy(raw.data, data + 1, length - 1);
	raw.data[raw.len] = '\0';
	raw.size = raw.len;
	raw.source = "fuzz";
	message_reset(m);
	m->level = 0;
	if (kind == 0)
		mail_parse(m, &raw);
	else if (kind == 1)
	{
		GString    *html = g_string_new(NULL);

		text_append_clean(html, raw.data, raw.len, m, DEFECT_BAD_CHARSET);
		html_to_text(m, html, m->body_text);
		g_string_free(html, TRUE);
	}
	else
		attachment_look(m, "winmail.dat", "application/ms-tnef", raw.data, raw.len);
	message_finish(m);
	g_free(raw.data);
	take_string(row, m->body_text);
	take_string(row, m->hidden_text);
	take_string(row, m->attachments);
	take_string(row, m->attachment_text);
	take_string(row, m->headers);
	take(row, m->message_id);
	take(row, m->from_addr);
	take(row, m->from_name);
	take(row, m->from_domain);
	take(row, m->subject);
	take(row, m->reply_to);
	take_list(row, m->recipients);
	take_list(row, m->urls);
	take_list(row, m->link_texts);
	take_list(row, m->link_hrefs);
	take_list(row, m->attachment_names);
	take_list(row, m->attachment_entries);
	g_string_append_printf(row, "%x %d %d %d %d\n", (unsigned) m->defects, m->attachment_count, (int) m->html_images,
						   (int) m->image_only, (int) m->unwrapped->len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static Message *m;
	GString    *rows[2];

	if (length == 0)
		return 0;
	if (m == NULL)
		m = message_new();
	for (int i = 0; i < 2; i++)
		read_as(m, data, length, rows[i] = g_string_new(NULL));
	if (!g_string_equal(rows[0], rows[1]))
	{
		fprintf(stderr, "two rows of one message:\n%s\n----\n%s\n", rows[0]->str, rows[1]->str);
		abort();
	}
	g_string_free(rows[0], TRUE);
	g_string_free(rows[1], TRUE);
	return 0;
}
