/*
 * assay_load.h
 *	  What the parts of the client program assay_load share.
 *
 * The way of the data: source.c finds messages in files and hands over one at
 * a time as raw bytes; mail.c (with body.c) or jsonl.c turns it into a
 * Message; copy.c puts that into a batch and the batch into the table.  text.c
 * holds what all of them need to make clean UTF-8; html.c (with what html.h
 * names) makes text of HTML, urls.c finds URLs.
 *
 * Every string in a Message is valid UTF-8 without NUL: that is what
 * PostgreSQL's text takes.  No byte of the input is trusted before text.c saw
 * it.
 */
#ifndef ASSAY_LOAD_H
#define ASSAY_LOAD_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/types.h>

/* Limits: what a message may cost at most, whatever it contains */
#define MAX_BODY_DEFAULT		(1024 * 1024)
#define MAX_MESSAGE_DEFAULT		((size_t) 256 * 1024 * 1024)
#define MAX_HEADER_VALUE		(1024 * 1024)	/* bytes of one header */
#define MAX_HEADER_TOTAL		(16 * 1024 * 1024)	/* bytes of all headers */
#define MAX_RECIPIENTS			200000
#define MAX_URLS				10000
#define MAX_URL_BYTES			8192
#define MAX_NAME_BYTES			1000	/* of an address, an id: two of them
										 * in a row of an index */
#define MAX_DOMAIN_BYTES		255
#define MAX_LIST_BYTES			(4 * 1024 * 1024)	/* of urls, of link texts … */
#define MAX_LINK_TEXT			1024
#define MAX_PARTS				10000
#define MAX_ATTACHMENTS			1000
#define MAX_UNWRAPPED			1000
#define MAX_UNWRAP_LEVELS		11	/* attached messages in attached messages */
#define MAX_MIME_DEPTH			100
#define MAX_BOUNDARY_LINES		50000	/* that GMime gets to see */
#define MAX_PART_HEADERS		200000	/* in all parts together */
#define MAX_PARAMETERS			200 /* of one Content-* header */
#define MAX_COLUMNS				100 /* of --column */
#define HEADER_OVERHEAD			64	/* what a header costs beside its bytes */

/*
 * Defects, in the order in which they appear in the column.  The names are
 * part of the interface: docs/assay_load.md explains each.
 */
typedef enum Defect
{
	DEFECT_EMPTY,
	DEFECT_NO_HEADERS,
	DEFECT_BROKEN_HEADERS,
	DEFECT_TRUNCATED_HEADER,
	DEFECT_NO_FROM_LINE,
	DEFECT_NO_FROM,
	DEFECT_BAD_FROM,
	DEFECT_MULTIPLE_FROM,
	DEFECT_DUPLICATE_HEADER,
	DEFECT_NO_DATE,
	DEFECT_BAD_DATE,
	DEFECT_ABSURD_DATE,
	DEFECT_NO_RECEIVED,
	DEFECT_BAD_RECEIVED,
	DEFECT_GUESSED_TIME,
	DEFECT_NUL_BYTE,
	DEFECT_NO_CHARSET,
	DEFECT_UNKNOWN_CHARSET,
	DEFECT_BAD_CHARSET,
	DEFECT_BROKEN_MIME,
	DEFECT_MIME_LIMIT,
	DEFECT_BROKEN_HTML,
	DEFECT_TRUNCATED_LIST,
	DEFECT_TRUNCATED_BODY,
	DEFECT_TRUNCATED_MESSAGE,
	DEFECT_BAD_JSON,
	DEFECT_BAD_FIELD,
	NUM_DEFECTS
} Defect;

extern const char *const defect_names[NUM_DEFECTS];

/* A moment in microseconds since 1970-01-01 UTC, or none */
#define NO_TIME INT64_MIN

/* What source.c found: one message as bytes */
typedef struct RawMessage
{
	char	   *data;			/* parsers may write into it */
	size_t		len;
	int64_t		size;			/* true size where data was cut, else len */
	const char *source;			/* path relative to the argument, #N */
	const char *mailbox;		/* may be NULL */
	const char *from_line;		/* mbox separator line, or NULL */
	int64_t		mtime;			/* of the file */
	bool		is_json;
	size_t		used;			/* of data, where it is JSON */
	uint32_t	defects;		/* bits by Defect */
	const GString *keys;		/* of the row that it is read from again */
	int			num_keys;
} RawMessage;

/* One attachment; strings are the caller's */
typedef struct Attachment
{
	const char *name;			/* or NULL */
	const char *type;			/* as declared, or NULL */
	int64_t		size;			/* decoded, or -1 */
	const char *detected;		/* type by its bytes, or NULL */
	const char *sha256;			/* hexadecimal, or NULL */
	bool		encrypted;
	bool		macros;
	bool		archive;
	bool		disguised;		/* runs, but is named as what doesn't */
	GPtrArray  *entries;		/* names of what is in it, or NULL */
} Attachment;

/* What a multipart/report says, with --feedback */
typedef enum ReportKind
{
	REPORT_NONE, REPORT_COMPLAINT, REPORT_BOUNCE
} ReportKind;

/* One row.  Owned strings; NULL is SQL's NULL. */
typedef struct Message
{
	char	   *source;
	char	   *mailbox;
	char	   *message_id;
	int64_t		received_at;
	int64_t		sent_at;
	char	   *from_addr;
	char	   *from_name;
	char	   *from_domain;
	char	   *reply_to;
	char	   *return_path;
	GPtrArray  *recipients;
	char	   *subject;
	GString    *body_text;
	GString    *hidden_text;	/* that no reader sees; empty is NULL */
	bool		has_html;
	GPtrArray  *urls;
	GPtrArray  *link_texts;
	GPtrArray  *link_hrefs;
	GString    *html;			/* source, with --keep=html */
	GString    *raw;			/* bytes, with --keep=raw */
	GString    *attachments;	/* JSON */
	char	   *in_reply_to;
	GPtrArray  *reference_ids;
	char	   *list_id;
	GPtrArray  *auth_results;
	GPtrArray  *dkim_domains;
	char	   *relay_ip;
	GString    *headers;		/* JSON, empty is NULL */
	int64_t		size_bytes;
	uint32_t	defects;

	int64_t		attachment_bytes;
	int32_t		attachment_count;
	int32_t		attachment_archives;
	int32_t		attachment_encrypted;
	int32_t		attachment_macros;
	int32_t		attachment_type_mismatches;
	GPtrArray  *attachment_names;
	GPtrArray  *attachment_types;
	GPtrArray  *attachment_detected;
	GPtrArray  *attachment_sha256;
	GPtrArray  *attachment_suffixes;
	GPtrArray  *attachment_entries;
	GString    *attachment_text;
	GPtrArray  *qr_texts;
	bool		image_only;
	int32_t		html_images;	/* larger than a pixel or two */
	int32_t		html_forms;
	int32_t		html_password_inputs;
	int32_t		html_scripts;

	char	   *own[MAX_COLUMNS];	/* fields of JSON for --column=NAME */
	GString    *rest;			/* an object of JSON's other fields, or empty */
	const GString *keys;		/* of a row that is written again, for COPY */
	int			num_keys;

	/* private: what has been seen, to keep lists free of duplicates */
	GHashTable *seen_urls;
	GHashTable *seen_recipients;
	size_t		url_bytes;
	size_t		link_bytes;
	size_t		alt_bytes;		/* of the body's text that is images' */
	size_t		made_bytes;		/* of text that style sheets make */
	int			num_entries;	/* of archives */
	size_t		entry_bytes;
	int64_t		unpacked_bytes;
	int			num_pictures;
	int			bounded_runs;	/* children of bounded.c */
	int64_t		bounded_usecs;	/* and their processor time */
	GPtrArray  *unwrapped;		/* attached messages, as GBytes */
	int			level;			/* 0 for one that was not attached itself */
	ReportKind	report_kind;	/* with --feedback */
	GString    *report_fields;	/* of the part for machines */
	GString    *report_headers; /* of the message that it is about */
	GPtrArray  *auth_headers;	/* Authentication-Results, from the top */
	GPtrArray  *received_headers;
	struct MessageFacts *facts; /* of this one, where they are wanted */
} Message;

#define ADD_DEFECT(m, d) ((m)->defects |= (uint32_t) 1 << (d))
#define HAS_DEFECT(m, d) (((m)->defects & ((uint32_t) 1 << (d))) != 0)

/* One --trusted: a network, or the name of a host or domain */
typedef struct TrustedNet
{
	unsigned char addr[16];
	int			len;			/* bytes of addr, 4 or 16 */
	int			bits;
	const char *name;			/* or NULL */
} TrustedNet;

#define MAX_TRUSTED		256
#define MAX_AUTHSERV_IDS	100

typedef struct Options
{
	/* connection */
	const char *host;
	const char *port;
	const char *user;
	const char *dbname;
	int			prompt_password;	/* -1 never, 0 when needed, 1 always */
	/* what and where to */
	const char *table;
	const char *format;
	const char *mailbox;
	bool		create_table;
	int			batch_size;
	size_t		max_body;
	size_t		max_message;
	bool		dry_run;
	bool		unwrap;
	bool		qr;
	bool		reparse;
	const char *feedback;		/* policy that gets labels, or NULL */
	bool		trust_from;
	bool		any_recipient;
	bool		keep_html;
	bool		keep_raw;
	int			progress;		/* -1 when stderr is a terminal */
	bool		quiet;
	int			verbose;
	const char *columns[MAX_COLUMNS];	/* name=value, or the name of a field */
	int			num_columns;
	const char *rest;			/* column for what else JSON says, or NULL */
	TrustedNet	trusted[MAX_TRUSTED];
	int			num_trusted;
	const char *authserv_ids[MAX_AUTHSERV_IDS];
	int			num_authserv_ids;
	bool		want_facts;		/* a column holds some */
} Options;

/* report.c */
extern Options options;
extern const char *progname;
extern volatile sig_atomic_t interrupted;
extern void (*before_report) (void);
extern void report(const char *fmt,...) G_GNUC_PRINTF(1, 2);
extern void fatal(const char *fmt,...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;
extern void fatal_retry(const char *fmt,...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

/* arguments.c */
/* Long options that argument_common() takes */
#define ARGUMENT_COMMON \
	{"help", no_argument, NULL, '?'}, \
	{"version", no_argument, NULL, 'V'}, \
	{"dbname", required_argument, NULL, 'd'}, \
	{"host", required_argument, NULL, 'h'}, \
	{"port", required_argument, NULL, 'p'}, \
	{"username", required_argument, NULL, 'U'}, \
	{"no-password", no_argument, NULL, 'w'}, \
	{"password", no_argument, NULL, 'W'}, \
	{"table", required_argument, NULL, 't'}, \
	{"quiet", no_argument, NULL, 'q'}, \
	{"create-table", no_argument, NULL, 1}, \
	{"mailbox", required_argument, NULL, 3}, \
	{"batch-size", required_argument, NULL, 4}, \
	{"max-body", required_argument, NULL, 5}, \
	{"max-message", required_argument, NULL, 6}, \
	{"progress", no_argument, NULL, 7}, \
	{"no-progress", no_argument, NULL, 8}, \
	{"trusted", required_argument, NULL, 9}, \
	{"column", required_argument, NULL, 11}, \
	{"keep", required_argument, NULL, 12}, \
	{"authserv-id", required_argument, NULL, 13}, \
	{"qr", no_argument, NULL, 14}, \
	{"rest", required_argument, NULL, 16}
extern size_t argument_size(const char *option, const char *value, size_t min, size_t max);
extern void argument_streams(void);
extern void argument_stack(void);
extern bool argument_common(int c, const char *value);
extern void argument_told(void) G_GNUC_NORETURN;
extern void argument_hint_help(void) G_GNUC_NORETURN;

/* source.c */
typedef void (*DeliverFn) (RawMessage *raw);
typedef struct SourceStats
{
	int64_t		bytes_done;		/* of the files as they lie on disk */
	int64_t		files_skipped;	/* in folders: did not look like messages */
	int64_t		read_errors;	/* files that could not be read to the end */
} SourceStats;
extern SourceStats source_stats;
extern int64_t source_bytes(const char *path);
extern void source_read(const char *path, DeliverFn deliver);

/* As g_string_append_len(), which is a call even for a byte */
static inline void
text_put(GString *out, const char *s, size_t len)
{
	if (len < out->allocated_len - out->len)
	{
		memcpy(out->str + out->len, s, len);
		out->len += len;
		out->str[out->len] = '\0';
	}
	else
		g_string_append_len(out, s, len);
}

/* text.c */
extern bool text_is_clean(const char *s, size_t len);
extern void text_append_clean(GString *out, const char *s, size_t len, Message *m, Defect bad);
extern void text_make_clean(Message *m, GString *text);
extern char *text_clean(const char *s, ssize_t len, Message *m, Defect bad);
extern void text_to_utf8(GString *out, const char *s, size_t len, const char *charset, Message *m);
extern void text_truncate(GString *s, size_t max);
extern void text_percent_decode(GString *s);
extern char *text_lower(const char *s);
extern void text_json_string(GString *out, const char *s);
extern bool text_is_host_form(const char *s, size_t len);
extern bool text_is_host(const char *s, size_t len);

/* address.c */
typedef void (*AddressFn) (Message *m, const char *addr, const char *name, bool angle, void *arg);
extern int	address_parse(Message *m, const char *value, AddressFn fn, void *arg);

/* words.c */
extern char *words_decode(Message *m, const char *s);
extern char *words_hide(const char *s, GPtrArray *words);
extern char *words_show(Message *m, const char *s, GPtrArray *words);

/* message.c */
extern Message *message_new(void);
extern void message_reset(Message *m);
extern void message_add_url(Message *m, const char *url, size_t len);
extern void message_add_link(Message *m, const char *text, const char *href);
extern void message_add_recipient(Message *m, const char *addr);
extern void message_add_hidden(Message *m, const GString *text);
extern void message_bound_names(Message *m);
extern void message_finish(Message *m);
extern void message_set_from(Message *m, const char *addr, const char *name);
extern bool message_plausible_time(int64_t t);
extern void message_settle_time(Message *m, int64_t received, const RawMessage *raw);
extern int64_t parse_date(const char *s);
extern int64_t parse_from_line(const char *line);

/* attached.c */
extern void message_add_attachment(Message *m, const Attachment *a);

/* attachment.c */
extern void attachment_look(Message *m, const char *name, const char *type, const char *s, size_t len);

/* uuencode.c */
extern void uuencoded_files(Message *m, const char *s, size_t len);

/* facts.c */
extern void facts_fill(Message *m);

/* urls.c */
extern void find_urls(Message *m, const char *s, size_t len);

/* mail.c, jsonl.c, html.c */
extern void mail_parse(Message *m, RawMessage *raw);
extern void jsonl_parse(Message *m, RawMessage *raw);
extern void html_of_xml(GString *xml);
extern void html_to_text(Message *m, GString *html, GString *text);

/* reparse.c */
extern void reparse_read(DeliverFn deliver);

/* copy.c */
typedef struct CopyStats
{
	int64_t		loaded;
	int64_t		rejected;
} CopyStats;
extern CopyStats copy_stats;
extern void copy_connect(void);
extern void copy_add(Message *m);
extern void copy_finish(void);
extern void copy_disconnect(void);

#endif							/* ASSAY_LOAD_H */
