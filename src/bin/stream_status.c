/*
 * stream_status.c
 *	  How the stream goes: a row of a table, metrics by HTTP, a line on a terminal,
 *	  a sign of life for systemd.
 *
 * The metrics have a thread of their own, which reads a copy of the counters
 * that the main loop leaves; /healthz says whether that loop still turns.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "stream.h"

#define INTERVAL		1000000 /* microseconds between reports */
#define MAX_ASKERS		32
#define ASKER_USECS		2000000
#define STUCK			60000000	/* the main loop has not turned for so
									 * long */

static GMutex lock;
static StreamStats shown;		/* the copy, under the lock */
static int64_t shown_turned;
static int	listener = -1;
static int64_t started;			/* monotonic */
static int64_t last_tick;
static int64_t last_row;
static int64_t last_loaded;
static double rate;				/* messages a second, lately */
static bool ready;				/* the service manager knows */
static bool line_shown;
static bool table_failed;

/* ---- metrics ---------------------------------------------------------------- */

static void
add_metric(GString *s, const char *name, const char *type, const char *help, double value)
{
	char		number[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append_printf(s, "# HELP assay_stream_%s %s\n# TYPE assay_stream_%s %s\nassay_stream_%s %s\n",
						   name, help, name, type, name, g_ascii_dtostr(number, sizeof(number), value));
}

static GString *
metrics_text(void)
{
	GString    *s = g_string_new(NULL);
	StreamStats now;

	g_mutex_lock(&lock);
	now = shown;
	g_mutex_unlock(&lock);
	add_metric(s, "messages_total", "counter", "Messages loaded.", now.loaded);
	add_metric(s, "dead_letters_total", "counter", "Messages that could not be loaded.", now.dead);
	add_metric(s, "skipped_total", "counter", "Messages that were committed before.", now.skipped);
	add_metric(s, "bytes_total", "counter", "Bytes of messages.", now.bytes);
	add_metric(s, "batches_total", "counter", "Batches.", now.batches);
	add_metric(s, "batch_seconds_total", "counter", "Time from sending batches to their commits.",
			   now.batch_usecs / 1e6);
	add_metric(s, "fenced_total", "counter", "Times that another instance had been faster.", now.fenced);
	add_metric(s, "retries_total", "counter", "Transactions that were tried again.", now.retries);
	add_metric(s, "connects_total", "counter", "Connections made to the server.", now.connects);
	add_metric(s, "waiting", "gauge", "Messages taken and not committed.", now.waiting);
	add_metric(s, "server_up", "gauge", "Whether the server is there.", !now.away);
	if (now.lag >= 0)
		add_metric(s, "lag", "gauge", "Messages in the source that were not committed.", now.lag);
	if (source->count != NULL)
	{
		add_metric(s, "clients", "gauge", "Connections of clients.", now.clients);
		add_metric(s, "put_off_total", "counter", "Messages that clients were told to send again.", now.put_off);
		add_metric(s, "turned_away_total", "counter", "Messages that clients were told not to send.", now.turned_away);
	}
	return s;
}

/* Does the main loop turn? */
static bool
is_healthy(void)
{
	int64_t		turned;

	g_mutex_lock(&lock);
	turned = shown_turned;
	g_mutex_unlock(&lock);
	return g_get_monotonic_time() - turned < STUCK;
}

/* A request that has come, of which the first line counts; the answer fits into the socket */
static void
answer(int client)
{
	char		request[2048];
	ssize_t		n;
	GString    *body = NULL;
	GString    *all = g_string_new(NULL);
	const char *status = "200 OK";

	n = recv(client, request, sizeof(request) - 1, 0);
	request[MAX(n, 0)] = '\0';
	if (strncmp(request, "GET /metrics ", 13) == 0)
		body = metrics_text();
	else if (strncmp(request, "GET /healthz ", 13) == 0)
	{
		bool		healthy = is_healthy();

		status = healthy ? "200 OK" : "503 Service Unavailable";
		body = g_string_new(healthy ? "ok\n" : "stuck\n");
	}
	else
	{
		status = "404 Not Found";
		body = g_string_new("there are /metrics and /healthz\n");
	}
	g_string_printf(all, "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %zu\r\n"
					"Connection: close\r\n\r\n%s", status, body->len, body->str);
	for (gsize at = 0; at < all->len; at += n)
		if ((n = send(client, all->str + at, all->len - at, MSG_NOSIGNAL)) <= 0)
			break;
	g_string_free(body, TRUE);
	g_string_free(all, TRUE);
}

/* Whose request has not come yet */
typedef struct Asker
{
	int			fd;
	int64_t		until;
} Asker;

/* Who says nothing keeps nobody else waiting: the one that has waited longest gives way */
static int
take_asker(Asker *askers, int n)
{
	int			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int			place = n;

	if (fd < 0)
	{
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			g_usleep(100000);
		return n;
	}
	if (n == MAX_ASKERS)
	{
		place = 0;
		for (int i = 1; i < n; i++)
			if (askers[i].until < askers[place].until)
				place = i;
		close(askers[place].fd);
		n--;
	}
	askers[place].fd = fd;
	askers[place].until = g_get_monotonic_time() + ASKER_USECS;
	return n + 1;
}

static gpointer
serve(gpointer unused)
{
	Asker		askers[MAX_ASKERS];
	struct pollfd polls[MAX_ASKERS + 1];
	int			n = 0;

	for (;;)
	{
		int64_t		now;

		polls[0] = (struct pollfd)
		{
			listener, POLLIN, 0
		};
		for (int i = 0; i < n; i++)
			polls[i + 1] = (struct pollfd)
		{
			askers[i].fd, POLLIN, 0
		};
		if (poll(polls, n + 1, n > 0 ? 1000 : -1) < 0)
			continue;
		now = g_get_monotonic_time();
		for (int i = n; i-- > 0;)
		{
			if (polls[i + 1].revents == 0 && now < askers[i].until)
				continue;
			if (polls[i + 1].revents != 0)
				answer(askers[i].fd);
			close(askers[i].fd);
			askers[i] = askers[--n];
		}
		if (polls[0].revents != 0)
			n = take_asker(askers, n);
	}
	return NULL;
}

/* ---- systemd ---------------------------------------------------------------- */

/* Tell the service manager, if it is one that wants to know */
static void
notify_manager(const char *state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t		len = path != NULL ? strlen(path) : 0;
	int			fd;

	if (len < 2 || len >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(addr.sun_path, path, len);
	/* a name that is no file's */
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *) &addr,
		   offsetof(struct sockaddr_un, sun_path) + len);
	close(fd);
}

/* ---- the table, and the terminal -------------------------------------------- */

static void
clear_line(void)
{
	if (line_shown)
		fputs("\r\033[K", stderr);
	line_shown = false;
}

static void
show_line(void)
{
	fprintf(stderr, "\r%" PRId64 " messages, %.0f/s, batches of %.0f ms", stats.loaded, rate,
			stats.last_usecs / 1e3);
	if (stats.lag >= 0)
		fprintf(stderr, ", %" PRId64 " behind", stats.lag);
	if (stats.dead > 0)
		fprintf(stderr, ", %" PRId64 " dead letters", stats.dead);
	fprintf(stderr, "%s\033[K", stats.away ? ", the server is away" : "");
	fflush(stderr);
	line_shown = true;
}

/* The row of this instance: a stream that can't write it goes on all the same */
static void
write_row(const char *state)
{
	char		numbers[8][G_ASCII_DTOSTR_BUF_SIZE];
	double		values[8] = {stats.loaded, stats.dead, stats.fenced, stats.retries, stats.lag, rate,
	stats.last_usecs / 1e3, (g_get_monotonic_time() - started) / 1e6};
	const char *params[11] = {stream_options.group, stream_options.instance, state};
	char	   *sql = g_strdup_printf("INSERT INTO %s.assay_stream (grp, instance, state, loaded, dead, fenced, retries, lag, rate, "
									  "batch_ms, at, started_at) "
									  "VALUES ($1, $2, $3, $4, $5, $6, $7, NULLIF($8::pg_catalog.int8, -1), $9, $10, pg_catalog.now(), "
									  "pg_catalog.now() - pg_catalog.make_interval(secs => $11)) "
									  "ON CONFLICT (grp, instance) DO UPDATE SET state = EXCLUDED.state, "
									  "loaded = EXCLUDED.loaded, dead = EXCLUDED.dead, fenced = EXCLUDED.fenced, "
									  "retries = EXCLUDED.retries, lag = EXCLUDED.lag, rate = EXCLUDED.rate, "
									  "batch_ms = EXCLUDED.batch_ms, at = EXCLUDED.at, started_at = EXCLUDED.started_at",
									  batch_schema());
	PGresult   *res;

	for (int i = 0; i < 8; i++)
		params[3 + i] = i < 5 ? g_ascii_formatd(numbers[i], sizeof(numbers[i]), "%.0f", values[i]) :
			g_ascii_dtostr(numbers[i], sizeof(numbers[i]), values[i]);
	res = batch_query(sql, 11, params);
	if (res == NULL && !table_failed)
		report("could not write to the table assay_stream");
	table_failed = res == NULL;
	PQclear(res);
	g_free(sql);
}

/* Called all the time; once a second it tells.  server: may the connection be used? */
void
status_tick(bool server)
{
	int64_t		now = g_get_monotonic_time();

	if (server && !stats.away && now - last_row >= INTERVAL)
	{
		write_row("running");
		last_row = now;
	}
	if (now - last_tick < INTERVAL)
		return;
	if (source->lag != NULL)
		stats.lag = source->lag();
	if (source->count != NULL)
		source->count();
	rate = (stats.loaded - last_loaded) * 1e6 / (now - last_tick);
	last_loaded = stats.loaded;
	g_mutex_lock(&lock);
	shown = stats;
	shown_turned = now;
	g_mutex_unlock(&lock);
	if (options.progress > 0)
		show_line();
	/* it is up, and its main loop turns */
	notify_manager(ready ? "WATCHDOG=1" : "READY=1\nWATCHDOG=1");
	ready = true;
	last_tick = now;
}

void
status_start(void)
{
	started = last_tick = g_get_monotonic_time();
	shown_turned = started;
	stats.lag = -1;
	shown = stats;
	before_report = clear_line;
	if (options.progress < 0)
		options.progress = isatty(STDERR_FILENO) && !options.quiet;
	if (stream_options.metrics != NULL)
	{
		listener = stream_listen("--metrics", stream_options.metrics);
		/* who hangs up before accept() keeps nobody waiting either */
		fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
		g_thread_unref(g_thread_new("metrics", serve, NULL));
	}
}

void
status_stop(void)
{
	double		seconds = (g_get_monotonic_time() - started) / 1e6;

	notify_manager("STOPPING=1");
	write_row("stopped");
	clear_line();
	if (options.quiet)
		return;
	fprintf(stderr, "%s: %" PRId64 " messages loaded in %.1f s (%.0f/s)", progname, stats.loaded, seconds,
			seconds > 0 ? stats.loaded / seconds : 0);
	if (stats.dead > 0)
		fprintf(stderr, ", %" PRId64 " dead letters", stats.dead);
	if (stats.skipped > 0)
		fprintf(stderr, ", %" PRId64 " were there already", stats.skipped);
	fputc('\n', stderr);
}
