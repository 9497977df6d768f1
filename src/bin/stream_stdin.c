/*
 * stream_stdin.c
 *	  Messages from standard input, each acknowledged on standard output.
 *
 * In frames: a line "LENGTH [OFFSET] [NAME=VALUE …]" (values in percent
 * encoding), then so many bytes.  In lines: a message each.  The first line
 * out is "next N", the offset that is expected; then "ok N" for each message
 * whose batch is committed, "dead N REASON" for one that is a dead letter.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define MAX_FRAME_HEADER	65536
#define MAX_FRAME_HEADERS	100
#define READ_BYTES			(256 * 1024)

static Part *part;
static GByteArray *in;			/* what was read and not taken yet */
static size_t in_start;
static GString *out;			/* what is to be written */
static bool at_end;
static bool out_gone;
static bool broken;				/* the input made no sense, or ended within a
								 * message */
static int64_t offset_next;		/* of a message that doesn't say its own */

/* The frame whose bytes come now */
static Item *partial;
static size_t partial_left;		/* bytes of it that are still to come */

/* ---- out -------------------------------------------------------------------- */

/* Write what there is: as much as goes without waiting, or all.  The server may be away before we are open. */
static void
write_out(bool all)
{
	while (out != NULL && out->len > 0 && !out_gone)
	{
		struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};
		ssize_t		n;

		/* a pipe that is ready has room for this much */
		if (!all && (poll(&p, 1, 0) != 1 || (p.revents & (POLLOUT | POLLERR | POLLHUP)) == 0))
			return;
		n = write(STDOUT_FILENO, out->str, MIN(out->len, 4096));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
		{
			report("error: could not write to standard output: %s", strerror(errno));
			out_gone = true;
			broken = true;
			return;
		}
		g_string_erase(out, 0, n);
	}
}

static void
stdin_settled(const Item *item)
{
	if (item->error == NULL)
		g_string_append_printf(out, "ok %" PRId64 "\n", item->offset);
	else
		g_string_append_printf(out, "dead %" PRId64 " %s\n", item->offset, item->error);
	if (out->len >= 4096)
		write_out(false);
}

static void
stdin_idle(void)
{
	write_out(false);
}

/* ---- in --------------------------------------------------------------------- */

/* The input makes no sense from here on */
static void
break_off(const char *why)
{
	report("error: %s at offset %" PRId64, why, offset_next);
	broken = true;
	at_end = true;
}

/* A new item, its offset given or the next one */
static Item *
new_item(int64_t offset)
{
	Item	   *item = g_new0(Item, 1);

	item->part = part;
	item->offset = offset;
	item->time = g_get_real_time();
	offset_next = offset + 1;
	return item;
}

/* A word "name=value" to a header of the item; false if it is none */
static bool
take_header(Item *item, const char *word)
{
	const char *equals = strchr(word, '=');
	char	   *value;

	if (equals == NULL || equals == word)
		return false;
	value = g_uri_unescape_string(equals + 1, NULL);
	if (value == NULL)
		return false;
	if (item->headers == NULL)
		item->headers = g_ptr_array_new_with_free_func(g_free);
	if (item->headers->len >= 2 * MAX_FRAME_HEADERS)
	{
		g_free(value);
		return false;
	}
	g_ptr_array_add(item->headers, g_strndup(word, equals - word));
	g_ptr_array_add(item->headers, value);
	return true;
}

/* The line before a frame; false if it makes no sense */
static bool
begin_frame(char *line)
{
	char	  **words = g_strsplit(g_strchomp(line), " ", 0);
	guint64		length;
	guint64		offset = offset_next;
	int			w = 1;
	bool		good = words[0] != NULL && g_ascii_string_to_unsigned(words[0], 10, 0, INT64_MAX, &length, NULL);

	if (good && words[1] != NULL && strchr(words[1], '=') == NULL)
	{
		good = g_ascii_string_to_unsigned(words[1], 10, 0, INT64_MAX - 1, &offset, NULL) &&
			!source->numbers_itself && (int64_t) offset >= offset_next;
		w = 2;
	}
	else if (!source->numbers_itself)
		good = false;
	if (good)
	{
		partial = new_item(offset);
		partial->size = length;
		partial_left = length;
		partial->data = g_malloc(MIN(length, options.max_message) + 1);
		for (; good && words[w] != NULL; w++)
			good = take_header(partial, words[w]);
	}
	g_strfreev(words);
	return good;
}

/* Bytes of the frame: what is over --max-message is skipped */
static void
take_bytes(void)
{
	size_t		n = MIN(in->len - in_start, partial_left);
	size_t		room = options.max_message - partial->len;
	size_t		keep = MIN(n, room);

	if (keep > 0)
		memcpy(partial->data + partial->len, in->data + in_start, keep);
	partial->len += keep;
	partial_left -= n;
	in_start += n;
	partial->data[partial->len] = '\0';
}

/* The line before a frame, out of what was read; NULL where its end has not come */
static char *
take_line(size_t max, size_t *len)
{
	char	   *s = (char *) in->data + in_start;
	char	   *nl = in->len > in_start ? memchr(s, '\n', in->len - in_start) : NULL;

	if (nl != NULL ? (size_t) (nl - s) > max : in->len - in_start > max)
	{
		break_off("a line is too long");
		return NULL;
	}
	if (nl == NULL)
		return NULL;
	*len = nl - s;
	in_start += *len + 1;
	return s;
}

/* One frame out of what was read; NULL if it is not whole yet */
static Item *
next_frame(void)
{
	Item	   *item;

	if (partial == NULL)
	{
		size_t		len;
		char	   *line = take_line(MAX_FRAME_HEADER, &len);

		if (line == NULL)
			return NULL;
		line[len] = '\0';
		if (!begin_frame(line))
		{
			break_off(source->numbers_itself ? "a frame does not begin with \"LENGTH [NAME=VALUE ...]\"" :
					  "a frame does not begin with \"LENGTH OFFSET [NAME=VALUE ...]\", offsets rising,");
			return NULL;
		}
	}
	take_bytes();
	if (partial_left > 0)
		return NULL;
	item = partial;
	partial = NULL;
	return item;
}

/* One line out of what was read: what is over --max-message is skipped, and empty ones are nothing */
static Item *
next_line(void)
{
	for (;;)
	{
		char	   *s = (char *) in->data + in_start;
		size_t		n = in->len - in_start;
		char	   *nl = n > 0 ? memchr(s, '\n', n) : NULL;
		size_t		len = nl != NULL ? (size_t) (nl - s) : n;
		Item	   *item;

		/* more may come, and a CR is part of the end */
		if (nl == NULL && partial == NULL && n <= options.max_message + 1)
			return NULL;
		in_start += len + (nl != NULL ? 1 : 0);
		if (nl != NULL && len > 0 && s[len - 1] == '\r')
			len--;
		if (partial == NULL)
		{
			if (len == 0)
				continue;
			partial = new_item(offset_next);
			partial->len = MIN(len, options.max_message);
			partial->data = g_malloc(partial->len + 1);
			memcpy(partial->data, s, partial->len);
			partial->data[partial->len] = '\0';
		}
		partial->size += len;
		if (nl == NULL)
			return NULL;
		item = partial;
		partial = NULL;
		return item;
	}
}

/* Read what has come; the pipe is the queue, and holds back who feeds it */
static void
read_more(void)
{
	ssize_t		n;
	guint		len;

	if (in_start > 0)
		g_byte_array_remove_range(in, 0, in_start);
	in_start = 0;
	len = in->len;
	g_byte_array_set_size(in, len + READ_BYTES);
	n = read(STDIN_FILENO, in->data + len, READ_BYTES);
	g_byte_array_set_size(in, len + MAX(n, 0));
	if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
		return;
	if (n < 0)
		break_off("could not read standard input");
	at_end = true;
}

static void
stdin_open(void)
{
	in = g_byte_array_new();
	out = g_string_new(NULL);
	part = part_find(stream_options.topic, stream_options.part);
	part->mine = true;
	part->start = MAX(stream_options.first, 0);
	parts_read();
	offset_next = stream_options.first >= 0 ? stream_options.first : source->numbers_itself ? part->next : 0;
	if (offset_next > part->next)
		fatal("--first=%" PRId64 " would leave out messages: offset %" PRId64 " is expected",
			  offset_next, part->next);
	g_string_append_printf(out, "next %" PRId64 "\n", part->next);
	write_out(false);
}

/* Take whole messages into the batch, and wait for more, or for the server */
static bool
stdin_read(Batch *b, int timeout)
{
	bool		lines = strcmp(stream_options.framing, "lines") == 0;
	struct pollfd p[3] = {{STDIN_FILENO, POLLIN, 0}, {batch_socket(), POLLIN, 0},
	{out->len > 0 ? STDOUT_FILENO : -1, POLLOUT, 0}};
	Item	   *item;

	while (!batch_full(b) && !broken && (item = lines ? next_line() : next_frame()) != NULL)
		batch_add(b, item);
	if (batch_full(b))
		return true;
	if (at_end)
	{
		if (!broken && (partial != NULL || in->len > in_start))
			break_off("standard input ended within a message");
		return false;
	}
	if (poll(p, 3, timeout) > 0)
	{
		if (p[2].revents != 0)
			write_out(false);
		if (p[0].revents != 0)
			read_more();
	}
	return !out_gone;
}

static void
stdin_close(void)
{
	write_out(true);
	if (broken)
		stream_failed = true;
}

/* Offsets are the feeder's: what was committed before may come again, and is not loaded again */
const Source stdin_source = {
	.open = stdin_open,.read = stdin_read,.settled = stdin_settled,.idle = stdin_idle,.close = stdin_close,
};

/* Messages are numbered here, from where the fence stands */
const Source stdin_numbering_source = {
	.open = stdin_open,.read = stdin_read,.settled = stdin_settled,.idle = stdin_idle,.close = stdin_close,
	.numbers_itself = true,
};
