/*
 * arguments.c
 *	  Options that assay_load and assay_stream both take.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <sys/resource.h>

#include "assay_load.h"

/* A number within limits, with an optional k, M or G */
size_t
argument_size(const char *option, const char *value, size_t min, size_t max)
{
	char	   *end;
	unsigned long long n = strtoull(value, &end, 10);

	if (end != value && *end != '\0' && end[1] == '\0')
	{
		int			shift = (*end == 'k' || *end == 'K') ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;

		if (shift > 0 && n <= (ULLONG_MAX >> shift))
		{
			n <<= shift;
			end++;
		}
	}
	if (end == value || *end != '\0' || value[0] == '-' || n < min || n > max)
		fatal("%s must be a number from %zu to %zu, not \"%s\"", option, min, max, value);
	return n;
}

/* --keep=html,raw */
static void
argument_keep(const char *value)
{
	char	  **words = g_strsplit(value, ",", 0);

	for (int i = 0; words[i] != NULL; i++)
	{
		if (strcmp(words[i], "html") == 0)
			options.keep_html = true;
		else if (strcmp(words[i], "raw") == 0)
			options.keep_raw = true;
		else
			fatal("--keep must be html, raw or both, not \"%s\"", value);
	}
	g_strfreev(words);
}

/* --trusted=192.0.2.0/24, --trusted=2001:db8::/32, --trusted=mx.example.org */
static void
argument_trusted(const char *value)
{
	TrustedNet *net = &options.trusted[options.num_trusted];
	char	   *addr = g_strdup(value);
	char	   *slash = strchr(addr, '/');
	char	   *end = "";

	if (options.num_trusted >= MAX_TRUSTED)
		fatal("--trusted may be given %d times at most", MAX_TRUSTED);
	if (slash != NULL)
		*slash = '\0';
	net->len = inet_pton(AF_INET, addr, net->addr) == 1 ? 4 :
		inet_pton(AF_INET6, addr, net->addr) == 1 ? 16 : 0;
	net->bits = net->len * 8;
	if (slash != NULL)
		net->bits = strtol(slash + 1, &end, 10);
	if (net->len == 0 && slash == NULL && addr[0] != '\0')
		net->name = addr[0] == '.' ? addr + 1 : addr;
	else if (net->len == 0 || *end != '\0' || net->bits < 0 || net->bits > net->len * 8 ||
			 (slash != NULL && slash[1] == '\0'))
		fatal("--trusted must be a host, a domain, an address or a network, not \"%s\"", value);
	if (net->name == NULL)
		g_free(addr);
	options.num_trusted++;
}

/* --column=NAME=VALUE, --column=NAME */
static void
argument_column(const char *value)
{
	if (value[0] == '=' || value[0] == '\0')
		fatal("--column must be NAME=VALUE or NAME, not \"%s\"", value);
	if (options.num_columns >= MAX_COLUMNS)
		fatal("--column may be given %d times at most", MAX_COLUMNS);
	options.columns[options.num_columns++] = value;
}

/* --authserv-id=ID */
static void
argument_authserv_id(const char *value)
{
	if (options.num_authserv_ids >= MAX_AUTHSERV_IDS)
		fatal("--authserv-id may be given %d times at most", MAX_AUTHSERV_IDS);
	options.authserv_ids[options.num_authserv_ids++] = value;
}

/* What was said makes no sense */
void
argument_hint_help(void)
{
	fprintf(stderr, "Try \"%s --help\" for more information.\n", progname);
	exit(1);
}

/* The end, after --help or --version: they are all that was wanted, so it must have been written */
void
argument_told(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
	{
		report("error: could not write to standard output: %s", strerror(errno));
		exit(EX_IOERR);
	}
	exit(0);
}

/* GMime walks nested messages by recursion, up to 1,024 levels: room for that */
void
argument_stack(void)
{
	struct rlimit stack;
	rlim_t		wanted = 64 * 1024 * 1024;

	if (getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY || stack.rlim_cur >= wanted)
		return;
	stack.rlim_cur = stack.rlim_max == RLIM_INFINITY ? wanted : MIN(stack.rlim_max, wanted);
	setrlimit(RLIMIT_STACK, &stack);
}

/*
 * Standard streams that are closed stay so for who uses them: else the next
 * file or socket that is opened would be taken for one, and the server's
 * bytes for mail.  Each is opened for what nobody does with it.
 */
void
argument_streams(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			_exit(1);
}

/* An option that both have; false where it is another */
bool
argument_common(int c, const char *value)
{
	switch (c)
	{
		case 'd':
			options.dbname = value;
			break;
		case 'h':
			options.host = value;
			break;
		case 'p':
			options.port = value;
			break;
		case 'U':
			options.user = value;
			break;
		case 'w':
			options.prompt_password = -1;
			break;
		case 'W':
			options.prompt_password = 1;
			break;
		case 't':
			options.table = value;
			break;
		case 'q':
			options.quiet = true;
			break;
		case 1:
			options.create_table = true;
			break;
		case 3:
			options.mailbox = value;
			break;
		case 4:
			options.batch_size = argument_size("--batch-size", value, 1, 1000000);
			break;
		case 5:
			options.max_body = argument_size("--max-body", value, 0, 256 * 1024 * 1024);
			break;
		case 6:
			options.max_message = argument_size("--max-message", value, 1024, (size_t) 1024 * 1024 * 1024);
			break;
		case 7:
			options.progress = 1;
			break;
		case 8:
			options.progress = 0;
			break;
		case 9:
			argument_trusted(value);
			break;
		case 11:
			argument_column(value);
			break;
		case 12:
			argument_keep(value);
			break;
		case 13:
			argument_authserv_id(value);
			break;
		case 16:
			if (value[0] == '\0')
				fatal("--rest must be the name of a column");
			options.rest = value;
			break;
		case 14:
#ifndef HAVE_ZBAR
			fatal("--qr needs zbar and gdk-pixbuf, without which this program was built");
#endif
			options.qr = true;
			break;
		default:
			return false;
	}
	return true;
}
