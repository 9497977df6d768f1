/*
 * assay_stream.c
 *	  A stream of messages into a PostgreSQL table, each once: options and the
 *	  loop that moves batches from a source to the server.
 *
 * Exit codes: 0, the source ended, or SIGTERM, and all that was taken is
 * committed; 1, it can't go on (usage, privileges, input that makes no sense);
 * 75, it was told to stop while the server was away: what was not
 * acknowledged comes again.
 */
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gmime/gmime.h>

#include "stream.h"

#ifndef ASSAY_VERSION
#define ASSAY_VERSION "unknown"
#endif

#ifdef HAVE_RDKAFKA
#define HAS_KAFKA		" +kafka"
#else
#define HAS_KAFKA		" -kafka"
#endif

/*
 * Marks alone needn't be committed soon: nobody waits for them, and a message
 * takes them along.  At the end of the work they are committed, too.
 */
#define MARK_MS		5000

/* ---- the work --------------------------------------------------------------- */

static void
handle_signal(int signum)
{
	interrupted = 1;
}

/* How long the source may wait for the next message, in milliseconds */
static int
patience(const Batch *b, bool sent)
{
	int64_t		left = 200;

	/* nothing can be sent yet: look after the server again soon */
	if (sent)
		return 5;
	if (b->items->len > b->marks)
		left = stream_options.linger - (g_get_monotonic_time() - b->since) / 1000;
	else if (b->items->len > 0)
		left = MIN(left, MARK_MS - (g_get_monotonic_time() - b->since) / 1000);
	return MAX(left, 0);
}

/* Move batches until the source ends: one is filled while the server works on the other */
static void
run(void)
{
	Batch	   *filling = batch_new();
	Batch	   *other = batch_new();
	bool		sent = false;
	bool		more = true;

	while (more || sent || filling->items->len > 0)
	{
		bool		due;

		more = more && !interrupted;
		if (more && !batch_full(filling))
			more = source->read(filling, patience(filling, sent));
		batch_encode(filling);
		due = batch_full(filling) || !more ||
			(filling->items->len > 0 && !sent && patience(filling, false) == 0);
		if (sent && (due || batch_ready()))
		{
			batch_finish();
			sent = false;
		}
		/* between two batches the connection is free */
		stream_tick(!sent);
		if (due && filling->items->len > 0)
		{
			Batch	   *b = filling;

			batch_send(b);
			sent = true;
			filling = other;
			other = b;
		}
	}
}

/* ---- options ---------------------------------------------------------------- */

static void
usage(void)
{
	printf("%s loads a stream of messages into a PostgreSQL table, each once.\n\n"
		   "Usage:\n"
		   "  %s --stdin=frames|lines [OPTION]...\n"
		   "  %s --topic=TOPIC[,TOPIC...] -X bootstrap.servers=HOST:PORT [OPTION]...\n"
		   "  %s --lmtp=[ADDRESS:]PORT [OPTION]...\n\n"
		   "Where from:\n"
		   "      --stdin=FRAMING      frames (a line \"LENGTH [OFFSET] [NAME=VALUE ...]\", then so many\n"
		   "                           bytes) or lines (a message each); acknowledged on stdout\n"
		   "      --offsets            frames say their offsets\n"
		   "      --first=N            offset of the first line\n"
		   "      --lmtp=[ADDRESS:]PORT  take mail by LMTP (default address: 127.0.0.1)\n"
		   "      --patience=SECONDS   with --lmtp: wait so long for the database (default: %d)\n"
		   "      --topic=TOPIC        topics of Kafka to read; else a name for what is read\n"
		   "                           (default: stdin, or lmtp- and the name of the instance)\n"
		   "      --part=N             with --stdin and --lmtp: number of its part (default: 0)\n"
		   "      --group=NAME         whose place in it is kept, who share it (default: assay)\n"
		   "      --instance=NAME      name of this one among them (default: the host's); of Kafka's\n"
		   "                           group it is a static member then\n"
		   "  -X NAME=VALUE            property of librdkafka (may be repeated)\n"
		   "      --properties=FILE    more of them, a line each\n"
		   "      --payload=KIND       mail, base64, json or auto, which tells mail from JSON (default)\n\n"
		   "Where to:\n"
		   "  -t, --table=TABLE        load into this table (default: message)\n"
		   "      --create-table       create it, and the program's own tables, if they do not exist\n"
		   "      --column=NAME=VALUE  put this into a column of your own (may be repeated)\n"
		   "      --column=NAME        put the header or the field of JSON with this name into it\n"
		   "      --rest=NAME          put all other fields of JSON into this column, a jsonb\n"
		   "      --mailbox=NAME       put this into the column mailbox\n"
		   "      --batch-size=ROWS    messages in a transaction at most (default: %d)\n"
		   "      --linger=MS          wait so long for a batch to fill (default: 50; with --lmtp: 0)\n"
		   "      --max-dead=N         stop when more messages in a row are refused (default: %d)\n\n"
		   "As for assay_load: --max-body, --max-message, --keep, --trusted, --authserv-id, --qr\n\n"
		   "What it tells:\n"
		   "      --metrics=[ADDRESS:]PORT  metrics for Prometheus by HTTP (default address: 127.0.0.1)\n"
		   "      --progress           a line a second even if stderr is no terminal\n"
		   "      --no-progress        no such line\n"
		   "  -q, --quiet              no summary at the end\n"
		   "  -V, --version            output version information, then exit\n"
		   "  -?, --help               show this help, then exit\n\n"
		   "Connection options:\n"
		   "  -d, --dbname=DBNAME      database to load into\n"
		   "  -h, --host=HOSTNAME      database server host or socket directory\n"
		   "  -p, --port=PORT          database server port\n"
		   "  -U, --username=USERNAME  user name to connect as\n"
		   "  -w, --no-password        never prompt for password\n"
		   "  -W, --password           force password prompt\n\n"
		   "Exit status is 0 at the end of the input or on SIGTERM, with all that was taken\n"
		   "committed; 1 if it can't go on; 75 if it was stopped while the server was away.\n",
		   progname, progname, progname, progname, stream_options.patience, options.batch_size, stream_options.max_dead);
}

/* An option that assay_load does not have, or has in another way */
static bool
take_stream_option(int c, const char *value)
{
	switch (c)
	{
		case 20:
			stream_options.framing = value;
			break;
		case 21:
			stream_options.offsets = true;
			break;
		case 22:
			stream_options.first = argument_size("--first", value, 0, INT64_MAX - 1);
			break;
		case 23:
			stream_options.topic = value;
			break;
		case 24:
			stream_options.part = argument_size("--part", value, 0, INT32_MAX);
			break;
		case 25:
			stream_options.group = value;
			break;
		case 26:
			stream_options.instance = value;
			stream_options.static_member = true;
			break;
		case 27:
			stream_options.payload = value;
			break;
		case 28:
			stream_options.linger = argument_size("--linger", value, 0, 60000);
			break;
		case 29:
			stream_options.max_dead = argument_size("--max-dead", value, 0, INT32_MAX);
			break;
		case 30:
			stream_options.metrics = value;
			break;
		case 31:
			stream_options.properties_file = value;
			break;
		case 32:
			stream_options.lmtp = value;
			break;
		case 33:
			stream_options.patience = argument_size("--patience", value, 1, 3600);
			break;
		case 'X':
			if (value[0] == '=' || strchr(value, '=') == NULL)
				fatal("-X must be NAME=VALUE, not \"%s\"", value);
			g_ptr_array_add(stream_options.properties, (char *) value);
			break;
		default:
			return false;
	}
	return true;
}

/* What goes together, and where messages come from */
static void
check_options(void)
{
	if (strcmp(stream_options.payload, "auto") != 0 && strcmp(stream_options.payload, "mail") != 0 &&
		strcmp(stream_options.payload, "base64") != 0 && strcmp(stream_options.payload, "json") != 0)
		fatal("unknown payload \"%s\"; it is one of auto, mail, base64, json", stream_options.payload);
	if (stream_options.instance == NULL)
		stream_options.instance = g_get_host_name();
	if (stream_options.framing != NULL && stream_options.lmtp != NULL)
		fatal("--stdin and --lmtp do not go together");
	if (stream_options.linger < 0)
		stream_options.linger = stream_options.lmtp != NULL ? 0 : 50;
	if (stream_options.lmtp != NULL)
	{
		if (stream_options.topic == NULL)
			stream_options.topic = g_strconcat("lmtp-", stream_options.instance, NULL);
		/* what comes by LMTP is mail, of a size that the client is told */
		stream_options.payload = "mail";
		options.max_message = MIN(options.max_message, MAX_LMTP_MESSAGE);
		source = &lmtp_source;
		return;
	}
	if (stream_options.framing != NULL)
	{
		bool		lines = strcmp(stream_options.framing, "lines") == 0;

		if (!lines && strcmp(stream_options.framing, "frames") != 0)
			fatal("unknown framing \"%s\"; it is one of frames, lines", stream_options.framing);
		if (lines ? stream_options.offsets : stream_options.first >= 0)
			fatal("--offsets goes with --stdin=frames, --first with --stdin=lines");
		if (stream_options.topic == NULL)
			stream_options.topic = "stdin";
		source = stream_options.offsets || stream_options.first >= 0 ? &stdin_source : &stdin_numbering_source;
		return;
	}
	if (stream_options.topic == NULL)
	{
		report("error: none of --stdin, --topic, --lmtp was given");
		argument_hint_help();
	}
#ifdef HAVE_RDKAFKA
	source = &kafka_source;
#else
	fatal("--topic needs librdkafka, without which this program was built");
#endif
}

static void
parse_options(int argc, char **argv)
{
	static const struct option long_options[] = {
		ARGUMENT_COMMON,
		{"stdin", required_argument, NULL, 20},
		{"offsets", no_argument, NULL, 21},
		{"first", required_argument, NULL, 22},
		{"topic", required_argument, NULL, 23},
		{"part", required_argument, NULL, 24},
		{"group", required_argument, NULL, 25},
		{"instance", required_argument, NULL, 26},
		{"payload", required_argument, NULL, 27},
		{"linger", required_argument, NULL, 28},
		{"max-dead", required_argument, NULL, 29},
		{"metrics", required_argument, NULL, 30},
		{"properties", required_argument, NULL, 31},
		{"lmtp", required_argument, NULL, 32},
		{"patience", required_argument, NULL, 33},
		{NULL, 0, NULL, 0}
	};
	int			c;

	stream_options.properties = g_ptr_array_new();
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0))
	{
		usage();
		argument_told();
	}
	if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
	{
		printf("%s (pg_assay) %s" HAS_KAFKA "\n", progname, ASSAY_VERSION);
		argument_told();
	}
	while ((c = getopt_long(argc, argv, "d:h:p:U:wWt:qVX:", long_options, NULL)) != -1)
		if (!argument_common(c, optarg) && !take_stream_option(c, optarg))
			argument_hint_help();
	if (optind < argc)
	{
		report("error: too many arguments (the first is \"%s\")", argv[optind]);
		argument_hint_help();
	}
	check_options();
}

int
main(int argc, char **argv)
{
	struct sigaction action = {0};

	argument_streams();
	progname = "assay_stream";
	setlocale(LC_ALL, "");
	setlocale(LC_NUMERIC, "C");
	parse_options(argc, argv);
	argument_stack();

	/* the first ends the work after the batch, the second at once */
	action.sa_handler = handle_signal;
	action.sa_flags = SA_RESETHAND;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);

	g_mime_init();
	stream_tick = status_tick;
	status_start();
	batch_connect();
	source->open();
	run();
	source->close();
	status_stop();
	batch_disconnect();
	return stream_failed ? 1 : 0;
}
