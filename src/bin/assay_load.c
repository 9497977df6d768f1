/*
 * assay_load.c
 *	  Load mail into a PostgreSQL table: options, progress, exit codes.
 *
 * Exit codes: 0, every message was loaded; 1, nothing could be done, or the
 * work was broken off (usage, privileges, Ctrl-C); 75, the same where trying
 * again helps (no connection, no space, a lock), which a mail server
 * understands; 2, the work was finished, but something is missing: messages that the
 * server refused, or files that could not be read to the end.
 */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <gmime/gmime.h>

#include "assay_load.h"
#include "feedback.h"

#ifndef ASSAY_VERSION
#define ASSAY_VERSION "unknown"
#endif

/* What it was built with */
#ifdef HAVE_LIBARCHIVE
#define HAS_ARCHIVE		" +archives"
#else
#define HAS_ARCHIVE		" -archives"
#endif
#ifdef HAVE_LIBMAGIC
#define HAS_MAGIC		" +types"
#else
#define HAS_MAGIC		" -types"
#endif
#ifdef HAVE_ZBAR
#define HAS_ZBAR		" +qr"
#else
#define HAS_ZBAR		" -qr"
#endif
#ifdef HAVE_ISAL
#define HAS_ISAL		" +isal"
#else
#define HAS_ISAL		" -isal"
#endif

static Message *message;
static int64_t messages_read;
static int64_t messages_defective;
static int64_t defect_counts[NUM_DEFECTS];
static int64_t bytes_total;
static int64_t started_at;
static int64_t shown_at;
static bool bar_shown;

/* ---- progress ------------------------------------------------------------- */

static void
clear_bar(void)
{
	if (bar_shown)
		fputs("\r\033[K", stderr);
	bar_shown = false;
}

static void
show_progress(void)
{
	int64_t		now = g_get_monotonic_time();
	double		seconds;
	char		bar[31];

	if (now - shown_at < 200000)
		return;
	shown_at = now;
	seconds = (now - started_at) / 1e6;
	fputs("\r", stderr);
	if (bytes_total > 0)
	{
		double		part = MIN((double) source_stats.bytes_done / bytes_total, 1.0);
		int			filled = part * 30;

		memset(bar, '-', 30);
		memset(bar, '#', filled);
		bar[30] = '\0';
		fprintf(stderr, "[%s] %3.0f %%  ", bar, part * 100);
	}
	fprintf(stderr, "%" PRId64 " messages, %.0f/s\033[K", messages_read,
			seconds > 0 ? messages_read / seconds : 0);
	fflush(stderr);
	bar_shown = true;
}

static void
show_summary(void)
{
	double		seconds = (g_get_monotonic_time() - started_at) / 1e6;
	int64_t		done = options.dry_run ? messages_read : copy_stats.loaded;

	clear_bar();
	if (!options.quiet)
	{
		fprintf(stderr, "%s: %" PRId64 " messages %s in %.1f s (%.0f/s)", progname, done,
				options.dry_run ? "read" : options.reparse ? "read again" : "loaded", seconds,
				seconds > 0 ? done / seconds : 0);
		if (messages_defective > 0)
			fprintf(stderr, ", %" PRId64 " with defects", messages_defective);
		if (copy_stats.rejected > 0)
			fprintf(stderr, ", %" PRId64 " not loaded", copy_stats.rejected);
		if (source_stats.read_errors > 0)
			fprintf(stderr, ", %" PRId64 " files not read to the end", source_stats.read_errors);
		if (source_stats.files_skipped > 0)
			fprintf(stderr, ", %" PRId64 " files skipped", source_stats.files_skipped);
		fputc('\n', stderr);
		if (defect_counts[DEFECT_BAD_JSON] > 0)
			report("hint: of JSON each line must be an object, a message: jq -c '.[]' makes such lines of an array, jq -c . of objects over several lines");
	}
	if (options.verbose > 0)
		for (int d = 0; d < NUM_DEFECTS; d++)
			if (defect_counts[d] > 0)
				fprintf(stderr, "%s:   %-18s %" PRId64 "\n", progname, defect_names[d],
						defect_counts[d]);
}

/* ---- the work ------------------------------------------------------------ */

static void
handle_signal(int signum)
{
	interrupted = 1;
}

/* Parse one message and hand it to the batch */
static void
load_message(RawMessage *raw)
{
	message_reset(message);
	message->keys = raw->keys;
	message->num_keys = raw->num_keys;
	if (raw->is_json)
		jsonl_parse(message, raw);
	else
		mail_parse(message, raw);
	message_finish(message);
	if (options.feedback != NULL)
		feedback_take(message);
	else if (!options.dry_run)
		copy_add(message);

	messages_read++;
	if (message->defects != 0)
	{
		messages_defective++;
		for (int d = 0; d < NUM_DEFECTS; d++)
			if (HAS_DEFECT(message, d))
				defect_counts[d]++;
	}
	if (options.verbose > 1 && options.feedback == NULL)
	{
		GString    *line = g_string_new(message->source);

		for (int d = 0; d < NUM_DEFECTS; d++)
			if (HAS_DEFECT(message, d))
				g_string_append_printf(line, " %s", defect_names[d]);
		report("%s", line->str);
		g_string_free(line, TRUE);
	}
	if (options.progress > 0)
		show_progress();
}

/* The messages that were attached to the one before, at this level, and those in them */
static void
load_unwrapped(const RawMessage *outer, int level)
{
	GPtrArray  *inner;

	if (message->unwrapped->len == 0)
		return;
	/* the message is used again for each of them */
	inner = message->unwrapped;
	message->unwrapped = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
	for (guint i = 0; i < inner->len && !interrupted; i++)
	{
		RawMessage	raw = {0};
		gsize		len;
		const char *bytes = g_bytes_get_data(inner->pdata[i], &len);
		char	   *source = g_strdup_printf("%s/%u", outer->source, i + 1);

		raw.data = g_malloc(len + 1);
		memcpy(raw.data, bytes, len);
		raw.data[len] = '\0';
		raw.len = len;
		raw.size = len;
		raw.source = source;
		raw.mailbox = outer->mailbox;
		raw.mtime = outer->mtime;
		message->level = level;
		load_message(&raw);
		load_unwrapped(&raw, level + 1);
		g_free(raw.data);
		g_free(source);
	}
	g_ptr_array_free(inner, TRUE);
}

/* One message from source.c, or a line that may hold several */
static void
deliver(RawMessage *raw)
{
	char	   *source = NULL;

	for (int n = 2; !interrupted; n++)
	{
		const char *whole = raw->source;

		message->level = 0;
		load_message(raw);
		if (options.feedback == NULL)
			load_unwrapped(raw, 1);
		if (!raw->is_json || raw->used >= raw->len)
			break;
		/* a second object on the line */
		raw->data += raw->used;
		raw->len -= raw->used;
		raw->size = raw->len;
		while (raw->len > 0 && (g_ascii_isspace(*raw->data) || *raw->data == ','))
			raw->data++, raw->len--;
		if (raw->len == 0)
			break;
		if (source != NULL)
			*strrchr(source, '.') = '\0';
		raw->source = g_strdup_printf("%s.%d", source != NULL ? source : whole, n);
		g_free(source);
		source = (char *) raw->source;
	}
	g_free(source);
}

static void
usage(void)
{
	printf("%s loads mail into a PostgreSQL table.\n\n"
		   "Usage:\n"
		   "  %s [OPTION]... PATH...\n\n"
		   "PATH is an mbox, a Maildir, a message, a JSON Lines file, or a folder of any of\n"
		   "these but JSON Lines; each file may be compressed by gzip.  - is standard input.\n\n"
		   "Options:\n"
		   "  -t, --table=TABLE        load into this table (default: message)\n"
		   "      --create-table       create the table if it does not exist\n"
		   "      --format=FORMAT      auto, mbox, maildir, eml or jsonl (default: auto)\n"
		   "      --mailbox=NAME       put this into the column mailbox\n"
		   "      --batch-size=ROWS    rows in a COPY and transaction (default: %d)\n"
		   "      --max-body=BYTES     cut body_text at this size (default: %d)\n"
		   "      --max-message=BYTES  read this much of a message (default: %zu)\n"
		   "      --column=NAME=VALUE  put this into a column of your own (may be repeated)\n"
		   "      --column=NAME        put the field of JSON with this name into such a column\n"
		   "      --rest=NAME          put all other fields of JSON into this column, a jsonb\n"
		   "      --reparse            no PATH: read the messages again that the table kept with\n"
		   "                           --keep=raw, and fill the columns of their rows anew\n"
		   "      --keep=WHAT          html, raw or both (html,raw): keep the source in columns of\n"
		   "                           these names\n"
		   "      --feedback=POLICY    label messages of TABLE that complaints, bounces and forwarded\n"
		   "                           messages in PATH are about, in this policy\n"
		   "      --reporter=WHO       address or domain whose reports count (may be repeated)\n"
		   "      --trust-from         reporters were authenticated before\n"
		   "      --any-recipient      people may report what was not sent to them\n"
		   "      --confidence=KIND=N  of a complaint, bounce or user report (defaults: 0.8, 0.3, 0.7)\n"
		   "      --unwrap             load attached messages as messages of their own, too\n"
		   "      --trusted=NET        your own relay: a host, domain, address or network; relay_ip\n"
		   "                           is the first that is none of them (may be repeated)\n"
		   "      --authserv-id=ID     a server of your own, whose Authentication-Results count (may be\n"
		   "                           repeated; empty: those that name no server)\n"
		   "      --qr                 read QR codes in attached pictures (slow)\n"
		   "  -n, --dry-run            read and parse, but load nothing\n"
		   "      --progress           show progress even if stderr is no terminal\n"
		   "      --no-progress        show no progress\n"
		   "  -q, --quiet              no summary at the end\n"
		   "  -v, --verbose            report defects by kind; twice: also each message and\n"
		   "                           each file that is skipped\n"
		   "  -V, --version            output version information, then exit\n"
		   "  -?, --help               show this help, then exit\n\n"
		   "Connection options:\n"
		   "  -d, --dbname=DBNAME      database to load into\n"
		   "  -h, --host=HOSTNAME      database server host or socket directory\n"
		   "  -p, --port=PORT          database server port\n"
		   "  -U, --username=USERNAME  user name to connect as\n"
		   "  -w, --no-password        never prompt for password\n"
		   "  -W, --password           force password prompt\n\n"
		   "Exit status is 0 if all messages were loaded, 1 if the work could not be begun or\n"
		   "was broken off, 75 if the same may work later (no connection, no space, a lock),\n"
		   "2 if it was finished but some message or file is missing.\n",
		   progname, progname, options.batch_size, MAX_BODY_DEFAULT, MAX_MESSAGE_DEFAULT);
}

static const struct option long_options[] = {
	ARGUMENT_COMMON,
	{"dry-run", no_argument, NULL, 'n'},
	{"verbose", no_argument, NULL, 'v'},
	{"format", required_argument, NULL, 2},
	{"unwrap", no_argument, NULL, 10},
	{"reparse", no_argument, NULL, 15},
	{"feedback", required_argument, NULL, 21},
	{"reporter", required_argument, NULL, 17},
	{"trust-from", no_argument, NULL, 18},
	{"any-recipient", no_argument, NULL, 19},
	{"confidence", required_argument, NULL, 20},
	{NULL, 0, NULL, 0}
};

/* An option that assay_stream does not have, or has in another way */
static bool
take_load_option(int c, char *value)
{
	switch (c)
	{
		case 'n':
			options.dry_run = true;
			break;
		case 'v':
			options.verbose++;
			break;
		case 2:
			options.format = value;
			break;
		case 10:
			options.unwrap = true;
			break;
		case 15:
			options.reparse = true;
			break;
		case 17:
			feedback_reporter(value);
			break;
		case 18:
			options.trust_from = true;
			break;
		case 19:
			options.any_recipient = true;
			break;
		case 20:
			feedback_confidence(value);
			break;
		case 21:
			options.feedback = value;
			break;
		default:
			return false;
	}
	return true;
}

/* What goes together, with so many paths behind the options */
static void
check_options(int paths)
{
	if (strcmp(options.format, "auto") != 0 && strcmp(options.format, "mbox") != 0 &&
		strcmp(options.format, "maildir") != 0 && strcmp(options.format, "eml") != 0 &&
		strcmp(options.format, "jsonl") != 0)
		fatal("unknown format \"%s\"; it is one of auto, mbox, maildir, eml, jsonl", options.format);
	if (options.feedback != NULL)
	{
		if (options.reparse || options.create_table || options.unwrap || options.num_columns > 0 || options.rest != NULL ||
			options.keep_html || options.keep_raw || options.mailbox != NULL)
			fatal("--feedback loads no messages: none of --reparse, --create-table, --unwrap, --column, --rest, --keep, --mailbox go with it");
		/* messages that are attached are what it is about */
		options.unwrap = true;
	}
	if (options.reparse)
	{
		if (paths > 0 || options.create_table || options.dry_run || options.unwrap || options.num_columns > 0 || options.rest != NULL ||
			options.keep_html || options.keep_raw || options.mailbox != NULL)
			fatal("--reparse reads what a table has: no path, and none of --create-table, --dry-run, --unwrap, "
				  "--column, --keep, --mailbox, --rest go with it");
		/* where there is a column for it */
		options.keep_html = true;
	}
	else if (paths == 0)
	{
		report("error: no path was given");
		argument_hint_help();
	}
}

static void
parse_options(int argc, char **argv)
{
	int			c;

	/*
	 * as in PostgreSQL's own programs: -? alone asks for help, else it is an
	 * error
	 */
	if (argc > 1)
	{
		if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)
		{
			usage();
			argument_told();
		}
		if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		{
			printf("%s (pg_assay) %s" HAS_ARCHIVE HAS_MAGIC HAS_ZBAR HAS_ISAL "\n", progname, ASSAY_VERSION);
			argument_told();
		}
	}
	while ((c = getopt_long(argc, argv, "d:h:p:U:wWt:nqvV", long_options, NULL)) != -1)
		if (!take_load_option(c, optarg) && !argument_common(c, optarg))
			argument_hint_help();
	check_options(argc - optind);
}

int
main(int argc, char **argv)
{
	struct sigaction action = {0};

	argument_streams();
	before_report = clear_bar;
	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	parse_options(argc, argv);

	argument_stack();

	/*
	 * the first Ctrl-C ends the work after the batch on its way, the second
	 * at once
	 */
	action.sa_handler = handle_signal;
	action.sa_flags = SA_RESETHAND | SA_RESTART;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);

	for (int i = optind; i < argc; i++)
		if (strcmp(argv[i], "-") != 0 && access(argv[i], R_OK) != 0)
			fatal("could not read \"%s\": %m", argv[i]);

	g_mime_init();
	message = message_new();
	options.want_facts = options.dry_run || options.feedback != NULL;
	if (options.feedback != NULL)
		feedback_start();
	else if (!options.dry_run)
		copy_connect();

	if (options.progress < 0)
		options.progress = isatty(STDERR_FILENO) && !options.quiet;
	if (options.progress > 0)
		for (int i = optind; i < argc; i++)
			bytes_total += source_bytes(argv[i]);

	started_at = g_get_monotonic_time();
	if (options.reparse)
		reparse_read(deliver);
	for (int i = optind; i < argc && !interrupted; i++)
		source_read(argv[i], deliver);
	if (options.feedback != NULL)
	{
		clear_bar();
		feedback_finish((g_get_monotonic_time() - started_at) / 1e6, messages_read);
	}
	else
	{
		if (!options.dry_run)
		{
			copy_finish();
			copy_disconnect();
		}
		show_summary();
	}
	if (interrupted)
	{
		report("error: interrupted");
		return 1;
	}
	return copy_stats.rejected > 0 || source_stats.read_errors > 0 ? 2 : 0;
}
