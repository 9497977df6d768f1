/*
 * stream_lmtp.c
 *	  Messages by LMTP (RFC 2033), as a mail server hands them over.
 *
 * A thread talks with the clients (stream_lmtp_client.c) and never waits for the
 * database: it passes whole messages on to the main loop, and is told what
 * became of them.  A message is answered 250 when its transaction is committed,
 * and not before; 451 where that does not come in time; 554 where it is a dead
 * letter.  Who waits no longer has a ticket that says so, and what nobody waits
 * for is not loaded any more: it comes again.
 *
 * Commands of LMTP carry no number, so a client that is cut off between COMMIT
 * and its answer sends a message a second time, as everywhere in mail.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "stream_lmtp.h"

#define MAX_CLIENTS		200
#define AWAY_USECS		5000000 /* the server is away for so long: no message
								 * is taken any more */
#define FAREWELL_USECS	2000000
#define FULL_USECS		100000	/* without descriptors: look again after that */

static Part *part;
static int	listener = -1;
static GThread * thread;

/* Items to the main loop, tickets from there, and what wakes who waits for them */
static GAsyncQueue * arrived;
static GAsyncQueue * answered;
static int	arrived_fd = -1;
static int	answered_fd = -1;
static gint away;				/* both of the main loop, for the thread */
static gint stopping;

/* ---- the thread ------------------------------------------------------------- */

static GPtrArray *clients;
static int64_t away_since;
static int64_t accept_after;	/* no descriptor was left */

static void
wake(int fd)
{
	uint64_t	one = 1;

	/* a counter that is full wakes, too */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void
calm(int fd)
{
	uint64_t	count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

/* A whole message goes to the main loop */
static void
deliver(Item *item)
{
	g_async_queue_push(arrived, item);
	wake(arrived_fd);
}

static void
accept_client(void)
{
	int			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		g_ptr_array_add(clients, client_new(fd, clients->len >= MAX_CLIENTS));
	else if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
		/* who waits there would wake us all the time */
		accept_after = g_get_monotonic_time() + FULL_USECS;
}

/* Tell clients what became of their messages */
static void
give_answers(void)
{
	Ticket	   *ticket;

	while ((ticket = g_async_queue_try_pop(answered)) != NULL)
	{
		if (ticket->client != NULL)
			client_answer(ticket->client, ticket);
		ticket_release(ticket);
	}
}

/* Wait for anything, and see to it; the sooner of all deadlines ends the wait */
static void
serve_once(struct pollfd *polls)
{
	int64_t		now = g_get_monotonic_time();
	int64_t		until = now + 1000000;
	guint		n = clients->len;

	polls[0] = (struct pollfd)
	{
		answered_fd, POLLIN, 0
	};
	polls[1] = (struct pollfd)
	{
		n < 2 * MAX_CLIENTS && now >= accept_after ? listener : -1, POLLIN, 0
	};
	if (now < accept_after)
		until = MIN(until, accept_after);
	for (guint i = 0; i < n; i++)
	{
		polls[i + 2] = (struct pollfd)
		{
			client_socket(clients->pdata[i]), client_events(clients->pdata[i]), 0
		};
		until = MIN(until, client_deadline(clients->pdata[i]));
	}
	poll(polls, n + 2, MAX(0, (until - now) / 1000 + 1));
	if (!g_atomic_int_get(&away))
		away_since = 0;
	else if (away_since == 0)
		away_since = g_get_monotonic_time();
	lmtp_away = away_since != 0 && g_get_monotonic_time() - away_since > AWAY_USECS;
	if (polls[0].revents != 0)
		calm(answered_fd);
	give_answers();
	for (guint i = n; i-- > 0;)
		if (!client_serve(clients->pdata[i], polls[i + 2].revents))
		{
			client_free(clients->pdata[i]);
			g_ptr_array_remove_index_fast(clients, i);
		}
	if (polls[1].revents != 0)
		accept_client();
}

/* The end: nobody is left without an answer who listens */
static void
bid_farewell(struct pollfd *polls)
{
	int64_t		until = g_get_monotonic_time() + FAREWELL_USECS;

	close(listener);
	listener = -1;
	give_answers();
	for (guint i = 0; i < clients->len; i++)
		client_dismiss(clients->pdata[i]);
	while (clients->len > 0 && g_get_monotonic_time() < until)
		serve_once(polls);
	for (guint i = 0; i < clients->len; i++)
		client_free(clients->pdata[i]);
}

static gpointer
serve_clients(gpointer unused)
{
	/* some more than MAX_CLIENTS are told to come again */
	struct pollfd *polls = g_new(struct pollfd, 2 * MAX_CLIENTS + 2);

	clients = g_ptr_array_new();
	lmtp_deliver = deliver;
	while (!g_atomic_int_get(&stopping))
		serve_once(polls);
	bid_farewell(polls);
	g_ptr_array_free(clients, TRUE);
	g_free(polls);
	return NULL;
}

/* ---- the source ------------------------------------------------------------- */

static void
lmtp_open(void)
{
	sigset_t	all;
	sigset_t	before;

	part = part_find(stream_options.topic, stream_options.part);
	part->mine = true;
	parts_read();
	arrived = g_async_queue_new();
	answered = g_async_queue_new();
	arrived_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	answered_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (arrived_fd < 0 || answered_fd < 0)
		fatal("could not make an eventfd: %s", strerror(errno));
	listener = stream_listen("--lmtp", stream_options.lmtp);
	/* signals are the main loop's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	thread = g_thread_new("lmtp", serve_clients, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Take what has come into the batch, or wait for it, or for the server */
static bool
lmtp_read(Batch *b, int timeout)
{
	struct pollfd polls[2] = {{arrived_fd, POLLIN, 0}, {batch_socket(), POLLIN, 0}};
	Item	   *item;

	g_atomic_int_set(&away, 0);
	if (g_async_queue_length(arrived) <= 0)
		poll(polls, 2, timeout);
	calm(arrived_fd);
	while (!batch_full(b) && (item = g_async_queue_try_pop(arrived)) != NULL)
	{
		item->part = part;
		item->offset = part->taken;
		batch_add(b, item);
	}
	return true;
}

static void
lmtp_settled(const Item *item)
{
	Ticket	   *ticket = item->ticket;

	ticket->offset = item->offset;
	ticket->dead = item->error != NULL;
	g_async_queue_push(answered, g_atomic_rc_box_acquire(ticket));
	wake(answered_fd);
}

static bool
lmtp_wanted(const Item *item)
{
	Ticket	   *ticket = item->ticket;

	return !g_atomic_int_get(&ticket->abandoned);
}

static void
lmtp_forget(Item *item)
{
	ticket_release(item->ticket);
}

static void
lmtp_idle(void)
{
	g_atomic_int_set(&away, 1);
}

static void
lmtp_count(void)
{
	stats.clients = g_atomic_int_get(&lmtp_counts.clients);
	stats.put_off = g_atomic_int_get(&lmtp_counts.put_off);
	stats.turned_away = g_atomic_int_get(&lmtp_counts.turned_away);
}

static void
lmtp_close(void)
{
	Item	   *item;

	if (thread == NULL)
		return;
	g_atomic_int_set(&stopping, 1);
	wake(answered_fd);
	g_thread_join(thread);
	thread = NULL;
	while ((item = g_async_queue_try_pop(arrived)) != NULL)
		item_free(item);
}

const Source lmtp_source = {
	.open = lmtp_open,.read = lmtp_read,.settled = lmtp_settled,.wanted = lmtp_wanted,.forget = lmtp_forget,
	.idle = lmtp_idle,.count = lmtp_count,.close = lmtp_close,.numbers_itself = true,.keeps_nothing = true,
};
