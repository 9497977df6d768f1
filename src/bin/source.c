/*
 * source.c
 *	  Find the messages in files and folders, and hand them over one by one.
 *
 * Memory holds one message (at most --max-message bytes of it), a read
 * buffer, and the names of the folders on the way down.  Every file may be
 * compressed by gzip.  Folders are read in the order of their names, so that
 * the same input always gives the same rows in the same order.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "assay_load.h"
#include "gunzip.h"

#define READ_BUFFER		(256 * 1024)
#define READ_BYTES		(64 * 1024)
#define SNIFF_BYTES		8192
#define MAX_FOLDER_DEPTH 100

SourceStats source_stats;

typedef enum Format
{
	FORMAT_AUTO, FORMAT_EML, FORMAT_MBOX, FORMAT_MAILDIR, FORMAT_JSONL, FORMAT_NONE
} Format;

/* A file being read: buf[start..end) is what has not been taken yet */
typedef struct Input
{
	const char *path;
	Gunzip	   *gz;
	char	   *buf;
	size_t		start;
	size_t		end;
	bool		eof;
	bool		damaged;
	int64_t		counted;		/* bytes noted in source_stats */
	int64_t		mtime;
} Input;

/* ---- reading ------------------------------------------------------------- */

/*
 * Open; complains and returns false when it can't.  In a folder something else
 * may have taken the place of a file since that was looked at: it is not waited for.
 */
static bool
input_open(Input *in, const char *path, bool in_folder)
{
	struct stat st;
	int			fd;

	memset(in, 0, sizeof(*in));
	in->path = path;
	if (strcmp(path, "-") == 0)
	{
		in->path = "standard input";
		fd = dup(STDIN_FILENO);
	}
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | (in_folder ? O_NONBLOCK : 0));
	if (fd < 0 || fstat(fd, &st) != 0)
	{
		report("error: could not open \"%s\": %s", in->path, strerror(errno));
		source_stats.read_errors++;
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (in_folder && !S_ISREG(st.st_mode))
	{
		source_stats.files_skipped++;
		if (options.verbose > 1)
			report("skipping \"%s\": it is no file", path);
		close(fd);
		return false;
	}
	in->gz = gunzip_open(fd);
	in->mtime = (int64_t) st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	in->buf = g_malloc(READ_BUFFER);
	return true;
}

static void
input_count(Input *in)
{
	int64_t		offset = gunzip_offset(in->gz);

	if (offset > in->counted)
	{
		source_stats.bytes_done += offset - in->counted;
		in->counted = offset;
	}
}

static void
input_close(Input *in)
{
	input_count(in);
	gunzip_close(in->gz);
	g_free(in->buf);
}

/* Make at least n bytes (of READ_BUFFER at most) available unless the end comes */
static size_t
input_fill(Input *in, size_t n)
{
	if (in->end - in->start >= n || in->eof)
		return in->end - in->start;
	if (in->start > 0)
	{
		memmove(in->buf, in->buf + in->start, in->end - in->start);
		in->end -= in->start;
		in->start = 0;
	}
	while (in->end < n && !in->eof)
	{
		/*
		 * no more than what stays in the processor's cache until it is looked
		 * at
		 */
		size_t		got;
		GunzipResult result = gunzip_read(in->gz, in->buf + in->end, MIN(READ_BUFFER - in->end, READ_BYTES), &got);

		in->end += got;
		if (result == GUNZIP_DATA)
			continue;
		in->eof = true;
		if (result == GUNZIP_END)
			continue;
		if (result == GUNZIP_TRUNCATED)
			report("error: \"%s\" is truncated", in->path);
		else
			report("error: could not read \"%s\" to its end: %s", in->path, gunzip_error(in->gz));
		source_stats.read_errors++;
		in->damaged = true;
	}
	input_count(in);
	return in->end - in->start;
}

/*
 * The next line, or a piece of one that is longer than the buffer: sets *s
 * and *len (with the line end), and *whole when the line ends here.  The
 * pointer is good until the next call.
 */
static bool
input_line(Input *in, char **s, size_t *len, bool *whole)
{
	size_t		avail = input_fill(in, 1);
	char	   *nl;

	if (avail == 0)
		return false;
	nl = memchr(in->buf + in->start, '\n', avail);
	if (nl == NULL)
	{
		avail = input_fill(in, READ_BUFFER);
		nl = memchr(in->buf + in->start, '\n', avail);
	}
	*s = in->buf + in->start;
	*len = nl != NULL ? (size_t) (nl + 1 - *s) : avail;
	*whole = nl != NULL || in->eof;
	in->start += *len;
	return true;
}

/*
 * Lines in the buffer that begin with none of the bytes that mean something in an
 * mbox, all at once: their length, 0 for none
 */
static size_t
input_plain_lines(Input *in, char **s)
{
	const char *end = in->buf + in->end;
	const char *p = in->buf + in->start;

	*s = in->buf + in->start;
	while (p < end && *p != 'F' && *p != '>' && *p != '\n' && *p != '\r')
	{
		const char *nl = memchr(p, '\n', end - p);

		if (nl == NULL)
			break;
		p = nl + 1;
	}
	in->start += p - *s;
	return p - *s;
}

/* ---- what a file is ------------------------------------------------------ */

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t		n = strlen(name);
	size_t		s = strlen(suffix);

	return n > s && g_ascii_strcasecmp(name + n - s, suffix) == 0;
}

/* Does a header line start here?  end is the end of what may be looked at. */
static bool
looks_like_header(const char *s, const char *end)
{
	const char *p = s;

	while (p < end && *p > 32 && *p < 127 && *p != ':')
		p++;
	if (p == s)
		return false;
	/* "Subject : …", but no prose with a colon somewhere */
	while (p < end && p - s < 80 && (*p == ' ' || *p == '\t'))
		p++;
	return p < end && *p == ':';
}

/* Does it begin as the line that separates messages in an mbox?  "From : a@b" is a header. */
static bool
begins_from_line(const char *s, size_t len)
{
	size_t		n = 5;

	if (len < 6 || memcmp(s, "From ", 5) != 0)
		return false;
	while (n < len && (s[n] == ' ' || s[n] == '\t'))
		n++;
	return n == len || s[n] != ':';
}

/* A line "From someone … date" that begins a message in an mbox */
static bool
is_from_line(const char *s, size_t len)
{
	char		line[512];

	if (len < 6 || memcmp(s, "From ", 5) != 0)
		return false;
	len = MIN(len, sizeof(line) - 1);
	memcpy(line, s, len);
	line[len] = '\0';
	return parse_from_line(line) != NO_TIME;
}

/* One of the headers that make a text file a message */
static bool
is_mail_header(const char *s, const char *end)
{
	static const char *const names[] = {
		"Received:", "From:", "Date:", "Subject:", "To:", "Message-ID:", "Return-Path:",
		"Delivered-To:", "MIME-Version:", "Content-Type:", "X-Mailer:", "Reply-To:",
		"X-Originating-IP:", "DKIM-Signature:", "Authentication-Results:", "Cc:", "Sender:"
	};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
	{
		size_t		n = strlen(names[i]) - 1;

		if ((size_t) (end - s) > n + 1 && g_ascii_strncasecmp(s, names[i], n) == 0 &&
			strchr(": \t", s[n]) != NULL)
			return true;
	}
	return false;
}

/* The program that compressed the file, where its format can't be read here; or NULL */
static const char *
foreign_compression(const Input *in, size_t len)
{
	static const struct
	{
		const char *magic;
		size_t		len;
		const char *name;
	}			kinds[] =
	{
		{"\x28\xB5\x2F\xFD", 4, "zstd"},
		{"BZh", 3, "bzip2"},
		{"\xFD" "7zXZ", 5, "xz"},
		{"\x04\x22\x4D\x18", 4, "lz4"},
		{"PK\x03\x04", 4, "zip"},
		{"7z\xBC\xAF\x27\x1C", 6, "7-Zip"},
		{"!BDN", 4, "Outlook (pst)"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (len >= kinds[i].len && memcmp(in->buf + in->start, kinds[i].magic, kinds[i].len) == 0)
			return kinds[i].name;
	return NULL;
}

/* An array of objects, which is a file of JSON, too, though not one with a message a line */
static bool
begins_array(const char *s, const char *end)
{
	if (*s++ != '[')
		return false;
	while (s < end && g_ascii_isspace(*s))
		s++;
	return s < end && *s == '{';
}

/*
 * What the first bytes look like.  FORMAT_NONE is what no reader should take
 * for mail when it comes across it in a folder.
 */
static Format
sniff(Input *in)
{
	size_t		len = input_fill(in, SNIFF_BYTES);
	const char *s = in->buf + in->start;
	const char *end = s + len;
	int			known = 0;

	if (len >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0)
		s += 3;
	while (s < end && (*s == '\n' || *s == '\r'))
		s++;
	if (s < end && (*s == '{' || begins_array(s, end)))
		return FORMAT_JSONL;
	if (begins_from_line(s, end - s))
	{
		const char *nl = memchr(s, '\n', end - s);

		/* "From here on …" is prose */
		if (nl != NULL && (is_from_line(s, nl - s) || looks_like_header(nl + 1, end)))
			return FORMAT_MBOX;
		return FORMAT_NONE;
	}
	if (end - s > 6 && memcmp(s, ">From ", 6) == 0)
	{
		const char *nl = memchr(s, '\n', end - s);

		s = nl != NULL ? nl + 1 : end;
	}
	while (s < end && looks_like_header(s, end))
	{
		if (is_mail_header(s, end))
			known++;
		do
		{
			const char *nl = memchr(s, '\n', end - s);

			s = nl != NULL ? nl + 1 : end;
		} while (s < end && (*s == ' ' || *s == '\t'));
	}
	return known > 0 ? FORMAT_EML : FORMAT_NONE;
}

/* What the name says, before any look inside */
static Format
format_by_name(const char *path)
{
	char	   *name = g_path_get_basename(path);
	Format		format = FORMAT_AUTO;

	if (has_suffix(name, ".gz"))
		name[strlen(name) - 3] = '\0';
	if (has_suffix(name, ".eml") || has_suffix(name, ".emlx"))
		format = FORMAT_EML;
	else if (has_suffix(name, ".mbox") || has_suffix(name, ".mbx"))
		format = FORMAT_MBOX;
	else if (has_suffix(name, ".jsonl") || has_suffix(name, ".ndjson"))
		format = FORMAT_JSONL;
	else if (has_suffix(name, ".json"))
		format = FORMAT_NONE;
	g_free(name);
	return format;
}

/* ---- the formats --------------------------------------------------------- */

/* As much of a line as fits; g_strlcpy would look for the end of all that follows */
static void
copy_line(char *to, size_t size, const char *s, size_t len)
{
	len = MIN(len, size - 1);
	memcpy(to, s, len);
	to[len] = '\0';
}

/* A file in UTF-16, by its mark or the zeros in its ASCII, to UTF-8 */
static void
from_utf16(GString *data)
{
	const char *from = NULL;
	char	   *utf8;
	gsize		len;
	bool		little;

	if (data->len < 8)
		return;
	if (memcmp(data->str, "\xFF\xFE", 2) == 0 || memcmp(data->str, "\xFE\xFF", 2) == 0)
		from = data->str + 2;
	else if ((data->str[0] == 0) == (data->str[2] == 0) && (data->str[1] == 0) == (data->str[3] == 0) &&
			 (data->str[0] == 0) != (data->str[1] == 0) && data->str[4 + (data->str[0] != 0)] == 0)
		from = data->str;
	if (from == NULL)
		return;
	little = from == data->str ? data->str[1] == 0 : (unsigned char) data->str[0] == 0xFF;
	utf8 = g_convert_with_fallback(from, (data->str + data->len - from) & ~(gsize) 1, "UTF-8",
								   little ? "UTF-16LE" : "UTF-16BE", "?", NULL, &len, NULL);
	if (utf8 == NULL)
		return;
	g_string_truncate(data, 0);
	g_string_append_len(data, utf8, len);
	g_free(utf8);
}

/* Line ends of old Macintoshes, where there are no others */
static void
from_bare_cr(GString *data)
{
	if (memchr(data->str, '\n', data->len) == NULL)
		for (gsize i = 0; i < data->len; i++)
			if (data->str[i] == '\r')
				data->str[i] = '\n';
}

/* Apple Mail puts a message's length before it, and a property list behind */
static void
from_emlx(RawMessage *raw)
{
	char	   *nl = memchr(raw->data, '\n', MIN(raw->len, 32));
	char	   *end;
	unsigned long long n;

	if (nl == NULL || !g_ascii_isdigit(raw->data[0]))
		return;
	n = g_ascii_strtoull(raw->data, &end, 10);
	if (end + strspn(end, " \t\r") != nl)
		return;
	raw->len -= nl + 1 - raw->data;
	raw->data = nl + 1;
	raw->len = MIN(raw->len, n);
	raw->size = raw->len;
}

static void
read_eml(Input *in, const char *source, const char *mailbox, DeliverFn deliver)
{
	RawMessage	raw = {0};
	GString    *data = g_string_new(NULL);
	size_t		avail;
	char		from_line[512];

	while ((avail = input_fill(in, 1)) > 0)
	{
		if (data->len + avail <= options.max_message)
			g_string_append_len(data, in->buf + in->start, avail);
		else
		{
			if (data->len < options.max_message)
				g_string_append_len(data, in->buf + in->start, options.max_message - data->len);
			raw.defects |= 1u << DEFECT_TRUNCATED_MESSAGE;
		}
		raw.size += avail;
		in->start = in->end;
	}
	/* not even its first byte could be read, which was told */
	if (in->damaged && data->len == 0)
	{
		g_string_free(data, TRUE);
		return;
	}
	if (in->damaged)
		raw.defects |= 1u << DEFECT_TRUNCATED_MESSAGE;
	from_utf16(data);
	from_bare_cr(data);
	raw.data = data->str;
	raw.len = data->len;
	from_emlx(&raw);
	if (begins_from_line(raw.data, raw.len))
	{
		/* a message that was taken out of an mbox */
		char	   *nl = memchr(raw.data, '\n', raw.len);
		size_t		n = nl != NULL ? (size_t) (nl + 1 - raw.data) : raw.len;

		if (looks_like_header(raw.data + n, raw.data + raw.len) || is_from_line(raw.data, n))
		{
			copy_line(from_line, sizeof(from_line), raw.data, n);
			raw.from_line = from_line;
			raw.data += n;
			raw.len -= n;
		}
	}
	raw.source = source;
	raw.mailbox = mailbox;
	raw.mtime = in->mtime;
	deliver(&raw);
	g_string_free(data, TRUE);
}

/* State of the mbox message that is being collected */
typedef struct Mbox
{
	GString    *data;
	RawMessage	raw;
	char		from_line[512];
	int64_t		ordinal;
	const char *source;
} Mbox;

static void
mbox_append(Mbox *box, const char *s, size_t len)
{
	box->raw.size += len;
	if (box->data->len + len > options.max_message)
	{
		box->raw.defects |= 1u << DEFECT_TRUNCATED_MESSAGE;
		len = options.max_message - box->data->len;
	}
	text_put(box->data, s, len);
}

static void
mbox_deliver(Mbox *box, DeliverFn deliver)
{
	char	   *source = g_strdup_printf("%s#%" PRId64, box->source, ++box->ordinal);
	GString    *data = box->data;

	/*
	 * the empty line before the next separator is the mbox's, not the
	 * message's
	 */
	if ((int64_t) data->len == box->raw.size)
	{
		gsize		n = 0;

		if (data->len >= 3 && memcmp(data->str + data->len - 3, "\n\r\n", 3) == 0)
			n = 2;
		else if (data->len >= 2 && memcmp(data->str + data->len - 2, "\n\n", 2) == 0)
			n = 1;
		g_string_truncate(data, data->len - n);
		box->raw.size -= n;
	}
	box->raw.data = data->str;
	box->raw.len = data->len;
	box->raw.source = source;
	deliver(&box->raw);
	g_free(source);

	if (data->allocated_len > 4 * 1024 * 1024)
	{
		g_string_free(data, TRUE);
		box->data = g_string_new(NULL);
	}
	else
		g_string_truncate(data, 0);
	box->raw.size = 0;
	box->raw.defects = 0;
	box->raw.from_line = NULL;
}

/*
 * mboxrd and mboxo.  A separator is a From_ line with a date that follows an
 * empty line, or that is followed by a header where the empty line is
 * missing.  Where the first one has no date, the others need none, but an
 * empty line before and a header after them.  Content-Length is not believed:
 * anybody can write it into a message.
 */
static void
read_mbox(Input *in, const char *source, const char *mailbox, DeliverFn deliver)
{
	Mbox		box = {0};
	bool		open = false;
	bool		after_blank = true;
	bool		at_line_start = true;
	bool		dateless = false;
	bool		in_headers = false;
	char	   *s;
	size_t		len;
	bool		whole;

	box.data = g_string_new(NULL);
	box.source = source;
	box.raw.mailbox = mailbox;
	box.raw.mtime = in->mtime;

	while (!interrupted && input_line(in, &s, &len, &whole))
	{
		bool		separator = false;
		bool		starts_line = at_line_start;

		at_line_start = whole;
		if (starts_line && s[0] == 'F' && begins_from_line(s, len))
		{
			bool		dated = is_from_line(s, len);
			bool		header_follows;

			/* look at the line after, which may move the buffer */
			in->start -= len;
			input_fill(in, MIN(len + 300, READ_BUFFER));
			s = in->buf + in->start;
			in->start += len;
			header_follows = looks_like_header(in->buf + in->start,
											   in->buf + MIN(in->end, in->start + 300));

			if (!open)
			{
				separator = true;
				dateless = !dated;
			}
			else if (in_headers && !after_blank)
				separator = false;
			else if (dated)
				separator = after_blank || header_follows;
			else
				separator = dateless && after_blank && header_follows;
		}

		if (separator)
		{
			if (open)
				mbox_deliver(&box, deliver);
			open = true;
			in_headers = true;
			copy_line(box.from_line, sizeof(box.from_line), s, len);
			box.raw.from_line = box.from_line;
			after_blank = false;
			continue;
		}
		if (!open)
		{
			/* empty lines before the first message are nothing */
			if (starts_line && (s[0] == '\n' || (s[0] == '\r' && len == 2)))
				continue;
			open = true;
			in_headers = true;
			box.raw.defects |= 1u << DEFECT_NO_FROM_LINE;
		}
		after_blank = starts_line && (s[0] == '\n' || (s[0] == '\r' && len == 2));
		if (after_blank)
			in_headers = false;

		/* ">From " was quoted by whoever wrote the mbox */
		if (starts_line && s[0] == '>' && !in_headers)
		{
			size_t		n = 1;

			while (n < len && s[n] == '>')
				n++;
			if (len - n > 5 && memcmp(s + n, "From ", 5) == 0)
				s++, len--;
		}
		mbox_append(&box, s, len);
		/* most lines are only lines */
		if (at_line_start && (len = input_plain_lines(in, &s)) > 0)
		{
			mbox_append(&box, s, len);
			after_blank = false;
		}
	}
	if (open && !interrupted)
	{
		if (in->damaged)
			box.raw.defects |= 1u << DEFECT_TRUNCATED_MESSAGE;
		mbox_deliver(&box, deliver);
	}
	g_string_free(box.data, TRUE);
}

static void
read_jsonl(Input *in, const char *source, const char *mailbox, DeliverFn deliver)
{
	GString    *line = g_string_new(NULL);
	int64_t		ordinal = 0;
	char	   *s;
	size_t		len;
	bool		whole;
	int64_t		size = 0;

	for (;;)
	{
		RawMessage	raw = {0};
		char	   *name;
		bool		more = !interrupted && input_line(in, &s, &len, &whole);

		/* the last line may end with the file, and with a read at that */
		if (!more && (interrupted || line->len == 0))
			break;
		if (more)
		{
			size += len;
			g_string_append_len(line, s, MIN(len, options.max_message - MIN(options.max_message, line->len)));
			if (!whole)
				continue;
		}
		ordinal++;
		raw.data = line->str;
		raw.len = line->len;
		if (raw.len >= 3 && ordinal == 1 && memcmp(raw.data, "\xEF\xBB\xBF", 3) == 0)
			raw.data += 3, raw.len -= 3;
		if (size > (int64_t) line->len ||
			(in->damaged && in->start == in->end && line->str[line->len - 1] != '\n'))
			raw.defects |= 1u << DEFECT_TRUNCATED_MESSAGE;
		while (raw.len > 0 && g_ascii_isspace(raw.data[raw.len - 1]))
			raw.data[--raw.len] = '\0';
		if (raw.len > 0)
		{
			name = g_strdup_printf("%s#%" PRId64, source, ordinal);
			raw.source = name;
			raw.mailbox = mailbox;
			raw.size = raw.len;
			raw.mtime = in->mtime;
			raw.is_json = true;
			deliver(&raw);
			g_free(name);
		}
		if (line->allocated_len > 4 * 1024 * 1024)
		{
			g_string_free(line, TRUE);
			line = g_string_new(NULL);
		}
		else
			g_string_truncate(line, 0);
		size = 0;
	}
	g_string_free(line, TRUE);
}

/* ---- files and folders --------------------------------------------------- */

/*
 * One file.  In a folder what does not look like mail is skipped; a file that
 * was named as an argument is read as mail, whatever it looks like.
 */
static void
read_file(const char *path, const char *source, const char *mailbox, Format format,
		  bool in_folder, DeliverFn deliver)
{
	Input		in;
	char	   *name = NULL;
	const char *foreign;

	if (format == FORMAT_AUTO)
		format = format_by_name(path);
	if (format == FORMAT_NONE && in_folder)
	{
		source_stats.files_skipped++;
		if (options.verbose > 1)
			report("skipping \"%s\": not mail by its name", path);
		return;
	}
	if (!input_open(&in, path, in_folder))
		return;
	foreign = foreign_compression(&in, input_fill(&in, SNIFF_BYTES));
	if (foreign != NULL)
	{
		/* rows of compressed bytes would be worse than none */
		if (in_folder && format == FORMAT_AUTO)
		{
			source_stats.files_skipped++;
			if (options.verbose > 1)
				report("skipping \"%s\": it is compressed by %s", path, foreign);
		}
		else
		{
			report("error: could not read \"%s\": it is compressed by %s; unpack it first", path, foreign);
			source_stats.read_errors++;
		}
		input_close(&in);
		return;
	}
	if (format == FORMAT_AUTO || format == FORMAT_NONE)
	{
		format = sniff(&in);
		if (in_folder && (format == FORMAT_NONE || format == FORMAT_JSONL))
		{
			source_stats.files_skipped++;
			if (options.verbose > 1)
				report("skipping \"%s\": it does not look like a message", path);
			input_close(&in);
			return;
		}
		if (format == FORMAT_NONE)
			format = FORMAT_EML;
		/* SpamAssassin's and others' single messages keep their From_ line */
		if (in_folder && format == FORMAT_MBOX &&
			(has_suffix(path, ".txt") || has_suffix(path, ".txt.gz")))
			format = FORMAT_EML;
	}

	if (mailbox == NULL && !in_folder && format == FORMAT_MBOX && strcmp(path, "-") != 0)
	{
		name = g_path_get_basename(path);
		if (has_suffix(name, ".gz"))
			name[strlen(name) - 3] = '\0';
		if (has_suffix(name, ".mbox") || has_suffix(name, ".mbx"))
			*strrchr(name, '.') = '\0';
		mailbox = name;
	}
	if (format == FORMAT_MBOX)
		read_mbox(&in, source, mailbox, deliver);
	else if (format == FORMAT_JSONL)
		/* its lines say which mailbox, unless an option does */
		read_jsonl(&in, source, options.mailbox, deliver);
	else
		read_eml(&in, source, mailbox, deliver);
	g_free(name);
	input_close(&in);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The names in a folder, sorted; NULL (and a complaint) when it can't be read */
static GPtrArray *
folder_names(const char *path)
{
	DIR		   *dir = opendir(path);
	GPtrArray  *names;
	struct dirent *entry;

	if (dir == NULL)
	{
		report("error: could not open folder \"%s\": %s", path, strerror(errno));
		source_stats.read_errors++;
		return NULL;
	}
	names = g_ptr_array_new_with_free_func(g_free);
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			g_ptr_array_add(names, g_strdup(entry->d_name));
	closedir(dir);
	g_ptr_array_sort(names, compare_names);
	return names;
}

static bool
is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_maildir(const char *path)
{
	char	   *cur = g_build_filename(path, "cur", NULL);
	char	   *new = g_build_filename(path, "new", NULL);
	bool		result = is_folder(cur) && is_folder(new);

	g_free(cur);
	g_free(new);
	return result;
}

static void read_folder(const char *path, const char *prefix, const char *mailbox, Format format,
						int depth, DeliverFn deliver);

/* Length of a message's name in a Maildir without its flags */
static size_t
maildir_name_len(const char *name)
{
	const char *flags = strstr(name, ":2,");

	if (flags == NULL)
		flags = strstr(name, "!2,");
	return flags != NULL ? (size_t) (flags - name) : strlen(name);
}

/* What a Maildir has in cur by now, by names without flags */
typedef struct MaildirNow
{
	GHashTable *names;			/* NULL: not looked yet */
	struct timespec changed;	/* the folder, when it was looked at */
	bool		settled;		/* and not just then */
} MaildirNow;

/* A change as long ago as this shows in the folder's time, however coarse that is */
#define SETTLED_SECONDS 2

static void
maildir_look(MaildirNow *now, const char *cur)
{
	struct stat st;
	DIR		   *dir;
	struct dirent *entry;

	if (now->names != NULL)
		g_hash_table_destroy(now->names);
	now->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	now->settled = stat(cur, &st) == 0 && time(NULL) - st.st_mtim.tv_sec > SETTLED_SECONDS;
	if (now->settled)
		now->changed = st.st_mtim;
	if ((dir = opendir(cur)) == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		g_hash_table_replace(now->names, g_strndup(entry->d_name, maildir_name_len(entry->d_name)),
							 g_strdup(entry->d_name));
	closedir(dir);
}

/* Has the folder nothing but what was seen? */
static bool
maildir_is_known(const MaildirNow *now, const char *cur)
{
	struct stat st;

	return now->names != NULL && now->settled && stat(cur, &st) == 0 &&
		st.st_mtim.tv_sec == now->changed.tv_sec && st.st_mtim.tv_nsec == now->changed.tv_nsec;
}

/*
 * Where a message of that name is in cur by now, with whatever flags; NULL
 * where it is not.  The folder is read again only if it may have changed: many
 * messages are moved, or deleted, at once.
 */
static char *
maildir_moved(MaildirNow *now, const char *path, const char *name)
{
	char	   *cur = g_build_filename(path, "cur", NULL);
	char	   *bare = g_strndup(name, maildir_name_len(name));
	char	   *found = NULL;

	for (int look = 0; look < 2 && found == NULL; look++)
	{
		const char *there = now->names != NULL ? g_hash_table_lookup(now->names, bare) : NULL;

		if (there != NULL)
			found = g_build_filename(cur, there, NULL);
		if (found != NULL && access(found, F_OK) != 0)
		{
			g_free(found);
			found = NULL;
		}
		if (found != NULL || look == 1 || maildir_is_known(now, cur))
			break;
		maildir_look(now, cur);
	}
	g_free(bare);
	g_free(cur);
	return found;
}

/* One of the messages that a Maildir had in a folder when its names were read */
static void
read_maildir_message(const char *path, const char *folder, const char *name, const char *prefix, const char *mailbox,
					 GHashTable *current, MaildirNow *now, DeliverFn deliver)
{
	char	   *file = g_build_filename(path, folder, name, NULL);
	char	   *source = g_strdup_printf("%s%.*s", prefix, (int) maildir_name_len(name), name);
	char	   *moved = NULL;
	bool		listed;
	struct stat st;

	if (access(file, F_OK) != 0 && (moved = maildir_moved(now, path, name)) != NULL)
	{
		g_free(file);
		file = moved;
	}
	/* as it was renamed, it may stand in the list by both names */
	listed = moved != NULL && g_hash_table_contains(current, strrchr(moved, '/') + 1);
	/* a FIFO or a device would be waited for, or read, for ever */
	if (name[0] != '.' && !listed && stat(file, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
	{
		source_stats.files_skipped++;
		if (options.verbose > 1)
			report("skipping \"%s\": it is no file", file);
	}
	else if (name[0] != '.' && !listed && !is_folder(file))
		read_file(file, source, mailbox, FORMAT_EML, true, deliver);
	g_free(file);
	g_free(source);
}

/*
 * The messages of a Maildir's cur and new; then its subfolders (.name).  Other
 * programs are at work there: a message moves from new to cur, and its flags,
 * which follow ":2,", change.  So new is looked at before cur, each message is
 * read once, and one that is not where it was is looked for.
 */
static void
read_maildir(const char *path, const char *prefix, const char *mailbox, int depth,
			 DeliverFn deliver)
{
	static const char *const boxes[] = {"new", "cur"};
	GPtrArray  *names;
	GPtrArray  *lists[2] = {NULL, NULL};
	MaildirNow	now = {NULL};
	GHashTable *current = g_hash_table_new(g_str_hash, g_str_equal);	/* names in cur */
	GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);	/* without flags */

	for (int b = 0; b < 2; b++)
	{
		char	   *folder = g_build_filename(path, boxes[b], NULL);

		lists[b] = folder_names(folder);
		g_free(folder);
	}
	for (guint i = 0; lists[1] != NULL && i < lists[1]->len; i++)
	{
		char	   *name = lists[1]->pdata[i];

		g_hash_table_add(current, name);
		g_hash_table_add(seen, g_strndup(name, maildir_name_len(name)));
	}
	for (int b = 1; b >= 0; b--)
		for (guint i = 0; lists[b] != NULL && i < lists[b]->len && !interrupted; i++)
		{
			const char *name = lists[b]->pdata[i];
			char	   *bare = g_strndup(name, maildir_name_len(name));

			if (b == 1 || !g_hash_table_contains(seen, bare))
				read_maildir_message(path, boxes[b], name, prefix, mailbox, current, &now, deliver);
			g_free(bare);
		}
	g_hash_table_destroy(seen);
	g_hash_table_destroy(current);
	if (now.names != NULL)
		g_hash_table_destroy(now.names);
	for (int b = 0; b < 2; b++)
		if (lists[b] != NULL)
			g_ptr_array_free(lists[b], TRUE);
	if ((names = folder_names(path)) == NULL)
		return;
	for (guint i = 0; i < names->len && !interrupted; i++)
	{
		const char *name = names->pdata[i];
		char	   *sub = g_build_filename(path, name, NULL);

		if (strcmp(name, "cur") != 0 && strcmp(name, "new") != 0 && strcmp(name, "tmp") != 0 &&
			is_folder(sub) && is_maildir(sub) && depth < MAX_FOLDER_DEPTH)
		{
			char	   *sub_prefix = g_strconcat(prefix, name, "/", NULL);
			const char *sub_mailbox = options.mailbox != NULL ? options.mailbox :
			name[0] == '.' ? name + 1 : name;

			read_maildir(sub, sub_prefix, sub_mailbox, depth + 1, deliver);
			g_free(sub_prefix);
		}
		g_free(sub);
	}
	g_ptr_array_free(names, TRUE);
}

/* A folder of anything, and the folders in it; symbolic links to folders are not followed */
static void
read_folder(const char *path, const char *prefix, const char *mailbox, Format format, int depth,
			DeliverFn deliver)
{
	GPtrArray  *names;

	if (format == FORMAT_MAILDIR || (format == FORMAT_AUTO && is_maildir(path)))
	{
		if (!is_maildir(path))
		{
			report("error: \"%s\" is no Maildir: it has no folders cur and new", path);
			source_stats.read_errors++;
			return;
		}
		read_maildir(path, prefix, mailbox, depth, deliver);
		return;
	}
	if ((names = folder_names(path)) == NULL)
		return;
	for (guint i = 0; i < names->len && !interrupted; i++)
	{
		const char *name = names->pdata[i];
		char	   *file = g_build_filename(path, name, NULL);
		struct stat st;

		if (name[0] == '.')
		{
			g_free(file);
			continue;
		}
		if (lstat(file, &st) == 0 && S_ISDIR(st.st_mode))
		{
			if (depth >= MAX_FOLDER_DEPTH)
			{
				report("error: \"%s\" is nested too deeply", file);
				source_stats.read_errors++;
			}
			else
			{
				char	   *sub_prefix = g_strconcat(prefix, name, "/", NULL);
				char	   *sub_mailbox = g_strndup(sub_prefix, strlen(sub_prefix) - 1);

				read_folder(file, sub_prefix,
							options.mailbox != NULL ? options.mailbox : sub_mailbox,
							format, depth + 1, deliver);
				g_free(sub_prefix);
				g_free(sub_mailbox);
			}
		}
		else if (stat(file, &st) != 0 || S_ISREG(st.st_mode))
		{
			char	   *source = g_strconcat(prefix, name, NULL);

			read_file(file, source, mailbox, format, true, deliver);
			g_free(source);
		}
		else if (options.verbose > 1 && !S_ISDIR(st.st_mode))
			report("skipping \"%s\": not a regular file", file);
		g_free(file);
	}
	g_ptr_array_free(names, TRUE);
}

/* Size of all that source_read would look at, for the progress bar */
int64_t
source_bytes(const char *path)
{
	struct stat st;
	int64_t		total = 0;
	GDir	   *dir;
	const char *name;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0)
		return 0;
	if (!S_ISDIR(st.st_mode))
		return st.st_size;
	if ((dir = g_dir_open(path, 0, NULL)) == NULL)
		return 0;
	while ((name = g_dir_read_name(dir)) != NULL && !interrupted)
	{
		char	   *sub = g_build_filename(path, name, NULL);

		if (lstat(sub, &st) == 0)
		{
			if (S_ISDIR(st.st_mode))
				total += source_bytes(sub);
			else if (format_by_name(sub) != FORMAT_NONE)
				total += st.st_size;
		}
		g_free(sub);
	}
	g_dir_close(dir);
	return total;
}

/* Everything in a file or folder that was named as an argument */
void
source_read(const char *path, DeliverFn deliver)
{
	Format		format = FORMAT_AUTO;

	if (strcmp(options.format, "eml") == 0)
		format = FORMAT_EML;
	else if (strcmp(options.format, "mbox") == 0)
		format = FORMAT_MBOX;
	else if (strcmp(options.format, "maildir") == 0)
		format = FORMAT_MAILDIR;
	else if (strcmp(options.format, "jsonl") == 0)
		format = FORMAT_JSONL;

	if (strcmp(path, "-") != 0 && is_folder(path))
		read_folder(path, "", options.mailbox, format, 0, deliver);
	else if (format == FORMAT_MAILDIR)
	{
		report("error: \"%s\" is no Maildir", path);
		source_stats.read_errors++;
	}
	else
	{
		char	   *name = strcmp(path, "-") == 0 ? g_strdup("-") : g_path_get_basename(path);

		read_file(path, name, options.mailbox, format, false, deliver);
		g_free(name);
	}
}
