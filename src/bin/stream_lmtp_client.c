/*
 * stream_lmtp_client.c
 *	  One client of LMTP: its commands, its message, its answers.
 *
 * Strict where a loose reading would let a message pass for two, or its text
 * for commands: lines end with CRLF alone, and only CRLF "." CRLF ends a
 * message.  A bare CR or LF in a command ends the connection; in a message it
 * is text.  Nothing may follow DATA before its answer.  All that a client can
 * make this program hold is bounded, and so is the time it may take for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#include "stream_lmtp.h"

#define MAX_LINE		4096	/* of a command */
#define MAX_PATH		1000	/* an address */
#define MAX_RCPT	1000
#define MAX_ERRORS		20
#define MAX_IDLE		100		/* commands since the last message, of which
								 * recipients that were taken don't count */
#define MAX_OUT			65536	/* answers that wait; no command is read then */
#define READ_BYTES		65536
#define MAX_KILOBYTES	(512 * 1024)	/* of all messages together */
#define SECOND			INT64_C(1000000)
#define COMMAND_USECS	(300 * SECOND)
#define DATA_USECS		(180 * SECOND)	/* from one read to the next */
#define MESSAGE_USECS	(1800 * SECOND) /* a whole one */
#define IDLE_USECS		(1800 * SECOND) /* of commands, without a message */

typedef enum ClientState
{
	COMMANDS, DATA, WAITING
} ClientState;

struct Client
{
	int			fd;
	ClientState state;
	bool		closing;		/* when all is written */
	bool		gone;			/* at once */
	int64_t		deadline;
	int64_t		data_until;
	int64_t		idle_until;
	int			idle;			/* commands since the last message */
	GByteArray *in;				/* what was read and not taken yet */
	size_t		in_start;
	GString    *out;
	int			errors;
	/* the envelope */
	char	   *lhlo;
	char	   *sender;			/* NULL outside of a transaction */
	bool		utf8;
	GPtrArray  *recipients;
	size_t		envelope;		/* bytes of these */
	/* the message */
	GByteArray *data;
	int64_t		size;			/* also of what is not kept */
	int			kilobytes;		/* of it and of its envelope, counted in
								 * "held" */
	bool		line_start;
	char		last;			/* byte that was taken last */
	const char *refusal;		/* why it will not be taken, or NULL */
	Ticket	   *ticket;			/* of the message that is on its way */
};

static gint held;				/* kilobytes of all messages */
LmtpCounts	lmtp_counts;
void		(*lmtp_deliver) (Item *item);
bool		lmtp_away;

/* ---- tickets ---------------------------------------------------------------- */

static void
clear_ticket(gpointer p)
{
	Ticket	   *ticket = p;

	g_atomic_int_add(&held, -ticket->kilobytes);
}

void
ticket_release(Ticket *ticket)
{
	g_atomic_rc_box_release_full(ticket, clear_ticket);
}

/* The client waits no longer: what is not on its way to the server yet will not be loaded */
static void
abandon(Client *c)
{
	if (c->ticket == NULL)
		return;
	g_atomic_int_set(&c->ticket->abandoned, 1);
	c->ticket->client = NULL;
	ticket_release(c->ticket);
	c->ticket = NULL;
}

/* ---- answers ---------------------------------------------------------------- */

static void
reply(Client *c, const char *line)
{
	g_string_append(c->out, line);
	g_string_append(c->out, "\r\n");
	if (line[0] == '5' && ++c->errors > MAX_ERRORS && !c->closing)
	{
		g_string_append(c->out, "421 4.7.0 too many errors\r\n");
		c->closing = true;
	}
}

/* The last answer */
static void
reply_and_close(Client *c, const char *line)
{
	reply(c, line);
	c->closing = true;
}

/* Bring what it holds up to date in the count of all */
static void
count_held(Client *c)
{
	size_t		bytes = c->envelope + (c->data != NULL ? c->data->len : 0);
	int			kilobytes = (bytes + 1023) / 1024;

	g_atomic_int_add(&held, kilobytes - c->kilobytes);
	c->kilobytes = kilobytes;
}

static void
forget_data(Client *c)
{
	if (c->data != NULL)
		g_byte_array_free(c->data, TRUE);
	c->data = NULL;
	count_held(c);
}

static void
forget_envelope(Client *c)
{
	g_free(c->sender);
	c->sender = NULL;
	g_ptr_array_set_size(c->recipients, 0);
	c->envelope = 0;
	forget_data(c);
	c->size = 0;
	c->refusal = NULL;
	c->utf8 = false;
	c->state = COMMANDS;
	c->deadline = g_get_monotonic_time() + COMMAND_USECS;
}

/* A message has come, or the client: it is no idler for now */
static void
count_idle_anew(Client *c)
{
	c->idle = 0;
	c->idle_until = g_get_monotonic_time() + IDLE_USECS;
}

/* The same answer for each recipient, as LMTP wants it: a message is stored once, for all */
static void
reply_to_all(Client *c, const char *line)
{
	if (line[0] == '4')
		g_atomic_int_inc(&lmtp_counts.put_off);
	else if (line[0] == '5')
		g_atomic_int_inc(&lmtp_counts.turned_away);
	for (guint i = 0; i < c->recipients->len; i++)
	{
		g_string_append(c->out, line);
		g_string_append(c->out, "\r\n");
	}
	forget_envelope(c);
	count_idle_anew(c);
}

/* What became of its message */
void
client_answer(Client *c, const Ticket *ticket)
{
	char		line[300];

	if (c->ticket != ticket)
		return;
	if (ticket->dead)
		g_strlcpy(line, "554 5.6.0 this message can't be stored", sizeof(line));
	else
		snprintf(line, sizeof(line), "250 2.0.0 stored as %.200s/%d#%" PRId64, stream_options.topic,
				 stream_options.part, ticket->offset);
	ticket_release(c->ticket);
	c->ticket = NULL;
	reply_to_all(c, line);
}

/* It is time to go */
void
client_dismiss(Client *c)
{
	if (c->closing)
		return;
	if (c->state == WAITING)
	{
		abandon(c);
		reply_to_all(c, "451 4.3.2 shutting down, try again later");
	}
	reply_and_close(c, "421 4.3.2 shutting down");
}

/* ---- commands --------------------------------------------------------------- */

/* The rest of a line behind a keyword in any case, or NULL if it has another */
static const char *
behind(const char *line, const char *keyword)
{
	size_t		len = strlen(keyword);

	if (g_ascii_strncasecmp(line, keyword, len) != 0)
		return NULL;
	return line + len;
}

/* A keyword that is the whole command, or has a blank behind it */
static const char *
command(const char *line, const char *keyword)
{
	const char *rest = behind(line, keyword);

	return rest != NULL && (*rest == '\0' || *rest == ' ') ? rest : NULL;
}

/*
 * "<address>", with what stands behind it in *rest; NULL where it is none.
 * Quoted strings may hold anything, and a route before the address counts
 * nothing.
 */
static char *
take_path(const char *s, const char **rest)
{
	const char *from;
	bool		quoted = false;

	while (*s == ' ')
		s++;
	if (*s++ != '<')
		return NULL;
	for (from = s; *s != '\0' && (quoted || *s != '>'); s++)
	{
		if ((unsigned char) *s < 32 || *s == 127 || (!quoted && (*s == ' ' || *s == '<')))
			return NULL;
		if (*s == '"')
			quoted = !quoted;
		if (*s == '\\' && s[1] >= 32 && s[1] != 127)
			s++;
	}
	if (*s != '>' || s - from > MAX_PATH)
		return NULL;
	*rest = s + 1;
	if (**rest != '\0' && **rest != ' ')
		return NULL;
	if (*from == '@' && memchr(from, ':', s - from) != NULL)
		from = (const char *) memchr(from, ':', s - from) + 1;
	return g_strndup(from, s - from);
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char) *s >= 128)
			return false;
	return true;
}

/* One parameter of MAIL; the answer where it is wrong, or NULL */
static const char *
take_mail_parameter(Client *c, const char *word)
{
	const char *value;
	guint64		size;

	if ((value = behind(word, "SIZE=")) != NULL)
	{
		if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT64, &size, NULL))
			return "501 5.5.4 SIZE is no number";
		return size > options.max_message ? "552 5.3.4 the message is too large" : NULL;
	}
	if ((value = behind(word, "BODY=")) != NULL)
		return g_ascii_strcasecmp(value, "7BIT") == 0 || g_ascii_strcasecmp(value, "8BITMIME") == 0 ? NULL :
			"501 5.5.4 BODY is 7BIT or 8BITMIME";
	if (g_ascii_strcasecmp(word, "SMTPUTF8") == 0)
	{
		c->utf8 = true;
		return NULL;
	}
	return "555 5.5.4 unknown parameter";
}

static const char *
take_mail_parameters(Client *c, const char *rest)
{
	char	  **words = g_strsplit(rest, " ", 0);
	const char *wrong = NULL;

	for (int i = 0; words[i] != NULL && wrong == NULL; i++)
		if (words[i][0] != '\0')
			wrong = take_mail_parameter(c, words[i]);
	g_strfreev(words);
	return wrong;
}

static void
do_mail(Client *c, const char *s)
{
	const char *rest;
	const char *wrong;
	char	   *sender;

	if (c->lhlo == NULL)
		reply(c, "503 5.5.1 say LHLO first");
	else if (c->sender != NULL)
		reply(c, "503 5.5.1 one MAIL at a time");
	else if (lmtp_away)
		reply(c, "451 4.3.0 the database is away, try again later");
	else if ((sender = take_path(s, &rest)) == NULL)
		reply(c, "501 5.1.7 MAIL FROM:<address> is wanted");
	else
	{
		c->utf8 = false;
		wrong = take_mail_parameters(c, rest);
		if (wrong == NULL && !c->utf8 && !is_ascii(sender))
			wrong = "553 5.6.7 an address beyond ASCII needs SMTPUTF8";
		reply(c, wrong != NULL ? wrong : "250 2.1.0 ok");
		if (wrong == NULL)
			c->sender = sender;
		else
			g_free(sender);
	}
}

static void
do_rcpt(Client *c, const char *s)
{
	const char *rest;
	char	   *recipient;

	if (c->sender == NULL)
		reply(c, "503 5.5.1 MAIL comes first");
	else if (c->recipients->len >= MAX_RCPT)
		reply(c, "452 4.5.3 too many recipients");
	else if (g_atomic_int_get(&held) > MAX_KILOBYTES)
		reply(c, "452 4.3.1 too much at once, try again later");
	else if ((recipient = take_path(s, &rest)) == NULL)
		reply(c, "501 5.1.3 RCPT TO:<address> is wanted");
	else
	{
		const char *wrong = recipient[0] == '\0' ? "501 5.1.3 RCPT TO:<address> is wanted" :
		rest[strspn(rest, " ")] != '\0' ? "555 5.5.4 unknown parameter" :
		!c->utf8 && !is_ascii(recipient) ? "553 5.6.7 an address beyond ASCII needs SMTPUTF8" : NULL;

		reply(c, wrong != NULL ? wrong : "250 2.1.5 ok");
		if (wrong == NULL)
		{
			g_ptr_array_add(c->recipients, recipient);
			c->envelope += strlen(recipient);
			c->idle--;
			count_held(c);
		}
		else
			g_free(recipient);
	}
}

static void
do_data(Client *c)
{
	int64_t		now = g_get_monotonic_time();

	if (c->in->len > c->in_start)
		reply_and_close(c, "503 5.5.0 nothing may follow DATA before its answer");
	else if (c->recipients->len == 0)
		reply(c, "503 5.5.1 RCPT comes first");
	else if (g_atomic_int_get(&held) > MAX_KILOBYTES)
		reply(c, "452 4.3.1 too much at once, try again later");
	else
	{
		reply(c, "354 go on, end with <CRLF>.<CRLF>");
		c->state = DATA;
		c->data = g_byte_array_new();
		c->size = 0;
		c->line_start = true;
		c->last = '\n';
		c->deadline = now + DATA_USECS;
		c->data_until = now + MESSAGE_USECS;
	}
}

static void
do_lhlo(Client *c, const char *s)
{
	char		size[60];

	s += strspn(s, " ");
	if (*s == '\0')
	{
		reply(c, "501 5.5.4 LHLO needs a name");
		return;
	}
	forget_envelope(c);
	g_free(c->lhlo);
	c->lhlo = g_strdup(s);
	snprintf(size, sizeof(size), "250-SIZE %zu", options.max_message);
	g_string_append_printf(c->out, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n%s\r\n",
						   g_get_host_name(), size);
	reply(c, "250 ENHANCEDSTATUSCODES");
}

/* Is it what a browser or proxy says, that someone made send it here? */
static bool
is_http(const char *line)
{
	static const char *const words[] = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"};

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (command(line, words[i]) != NULL)
			return true;
	return !g_ascii_isalpha(line[0]);
}

static void
do_command(Client *c, const char *line)
{
	const char *rest;

	if (!is_ascii(line) && !g_utf8_validate(line, -1, NULL))
		reply(c, "501 5.5.2 a command is UTF-8");
	else if ((rest = command(line, "LHLO")) != NULL)
		do_lhlo(c, rest);
	else if ((rest = behind(line, "MAIL FROM:")) != NULL)
		do_mail(c, rest);
	else if ((rest = behind(line, "RCPT TO:")) != NULL)
		do_rcpt(c, rest);
	else if ((rest = command(line, "DATA")) != NULL && *rest == '\0')
		do_data(c);
	else if ((rest = command(line, "RSET")) != NULL && *rest == '\0')
	{
		forget_envelope(c);
		reply(c, "250 2.0.0 ok");
	}
	else if (command(line, "NOOP") != NULL)
		reply(c, "250 2.0.0 ok");
	else if (command(line, "QUIT") != NULL)
		reply_and_close(c, "221 2.0.0 bye");
	else if (command(line, "VRFY") != NULL)
		reply(c, "252 2.5.2 send it, and see");
	else if (command(line, "BDAT") != NULL)
		/* a message follows, which must not be read as commands */
		reply_and_close(c, "503 5.5.1 BDAT was not offered");
	else if (command(line, "HELO") != NULL || command(line, "EHLO") != NULL)
		reply(c, "500 5.5.1 this is LMTP: say LHLO");
	else if (is_http(line))
		reply_and_close(c, "500 5.5.1 this is LMTP");
	else if (command(line, "MAIL") != NULL || command(line, "RCPT") != NULL || command(line, "DATA") != NULL ||
			 command(line, "RSET") != NULL)
		reply(c, "501 5.5.4 wrong arguments");
	else
		reply(c, "500 5.5.1 unknown command");
}

/* ---- messages --------------------------------------------------------------- */

/* Keep bytes of a message, if it is to be kept, and if there is room */
static void
keep(Client *c, const guint8 *bytes, size_t n)
{
	if (n == 0)
		return;
	c->last = bytes[n - 1];
	c->size += n;
	if (c->refusal == NULL && c->size > (int64_t) options.max_message)
		c->refusal = "552 5.3.4 the message is too large";
	if (c->refusal == NULL && g_atomic_int_get(&held) > MAX_KILOBYTES)
		c->refusal = "452 4.3.1 too much at once, try again later";
	if (c->refusal != NULL)
	{
		forget_data(c);
		return;
	}
	g_byte_array_append(c->data, bytes, n);
	count_held(c);
}

static void
add_header(Item *item, const char *key, const char *value)
{
	g_ptr_array_add(item->headers, g_strdup(key));
	g_ptr_array_add(item->headers, g_strdup(value));
}

/* The message as an item, below the header that says whom it comes from */
static Item *
make_item(Client *c)
{
	Item	   *item = g_new0(Item, 1);
	GString    *all = g_string_new(NULL);
	GString    *recipients = g_string_new(NULL);

	for (guint i = 0; i < c->recipients->len; i++)
		g_string_append_printf(recipients, "%s%s", i > 0 ? ", " : "", (char *) c->recipients->pdata[i]);
	g_string_append_printf(all, "Return-Path: <%s>\r\n", c->sender);
	g_string_append_len(all, (const char *) c->data->data, c->data->len);
	item->size = item->len = all->len;
	item->data = g_string_free(all, FALSE);
	item->time = g_get_real_time();
	item->headers = g_ptr_array_new_with_free_func(g_free);
	add_header(item, "mail_from", c->sender);
	add_header(item, "rcpt_to", recipients->str);
	add_header(item, "lhlo", c->lhlo);
	g_string_free(recipients, TRUE);
	return item;
}

/* It is whole: on its way, with a ticket for who waits */
static void
end_message(Client *c)
{
	Ticket	   *ticket;
	Item	   *item;

	if (c->refusal != NULL)
	{
		reply_to_all(c, c->refusal);
		return;
	}
	ticket = g_atomic_rc_box_new0(Ticket);
	ticket->client = c;
	ticket->kilobytes = c->kilobytes;
	item = make_item(c);
	item->ticket = g_atomic_rc_box_acquire(ticket);
	c->ticket = ticket;

	/*
	 * what is on its way is the ticket's from now on; the envelope is here,
	 * too
	 */
	c->kilobytes = 0;
	forget_data(c);
	c->state = WAITING;
	c->deadline = g_get_monotonic_time() + stream_options.patience * SECOND;
	lmtp_deliver(item);
}

/*
 * Take bytes of the message up to the end of a line at most; false where more
 * must come first.  Only CRLF "." CRLF is the end, with each CRLF whole: other
 * programs may see an end in a bare LF, and hide a message within another.
 */
static bool
take_data(Client *c)
{
	const guint8 *s = c->in->data + c->in_start;
	size_t		n = c->in->len - c->in_start;
	const guint8 *nl;

	if (n == 0)
		return false;
	if (c->line_start && s[0] == '.')
	{
		if (n < 3 && memcmp(s, ".\r\n", n) == 0)
			return false;
		if (n >= 3 && memcmp(s, ".\r\n", 3) == 0)
		{
			c->in_start += 3;
			end_message(c);
			return true;
		}
		/* a dot that the client has put there */
		c->in_start++;
		c->line_start = false;
		c->last = '.';
		return true;
	}
	nl = memchr(s, '\n', n);
	if (nl != NULL)
		n = nl - s + 1;
	c->line_start = nl != NULL && (n > 1 ? s[n - 2] : c->last) == '\r';
	keep(c, s, n);
	c->in_start += n;
	return true;
}

/* Take a command; false where more must come first */
static bool
take_command(Client *c)
{
	char	   *s = (char *) c->in->data + c->in_start;
	size_t		n = c->in->len - c->in_start;
	char	   *nl = n > 0 ? memchr(s, '\n', MIN(n, MAX_LINE)) : NULL;
	char	   *line;

	if (nl == NULL)
	{
		if (n >= MAX_LINE)
			reply_and_close(c, "500 5.5.2 the line is too long");
		return false;
	}
	c->in_start += nl - s + 1;
	c->deadline = g_get_monotonic_time() + COMMAND_USECS;
	if (nl == s || nl[-1] != '\r' || memchr(s, '\r', nl - s - 1) != NULL || memchr(s, '\0', nl - s) != NULL)
	{
		reply_and_close(c, "500 5.5.2 a line ends with CRLF, and has no CR, LF or NUL within");
		return false;
	}
	line = g_strndup(s, nl - 1 - s);
	c->idle++;
	do_command(c, g_strchomp(line));
	g_free(line);
	/* places are few: they are for who has a message */
	if (c->idle > MAX_IDLE && c->state == COMMANDS && !c->closing)
		reply_and_close(c, "421 4.7.0 too many commands without a message");
	return true;
}

/* Take all that can be taken of what was read */
static void
take_input(Client *c)
{
	bool		more = true;

	while (more && !c->closing && c->state != WAITING && c->out->len < MAX_OUT)
		more = c->state == DATA ? take_data(c) : take_command(c);
	g_byte_array_remove_range(c->in, 0, c->in_start);
	c->in_start = 0;
}

/* ---- the connection --------------------------------------------------------- */

Client	   *
client_new(int fd, bool too_many)
{
	Client	   *c = g_new0(Client, 1);
	char	   *greeting = g_strdup_printf("220 %s LMTP assay_stream", g_get_host_name());

	g_atomic_int_inc(&lmtp_counts.clients);
	c->fd = fd;
	c->in = g_byte_array_new();
	c->out = g_string_new(NULL);
	c->recipients = g_ptr_array_new_with_free_func(g_free);
	c->deadline = g_get_monotonic_time() + (too_many ? 5 * SECOND : COMMAND_USECS);
	count_idle_anew(c);
	if (too_many)
		reply_and_close(c, "421 4.7.0 too many connections");
	else
		reply(c, greeting);
	g_free(greeting);
	return c;
}

void
client_free(Client *c)
{
	g_atomic_int_add(&lmtp_counts.clients, -1);
	abandon(c);
	forget_envelope(c);
	close(c->fd);
	g_byte_array_free(c->in, TRUE);
	g_string_free(c->out, TRUE);
	g_ptr_array_free(c->recipients, TRUE);
	g_free(c->lhlo);
	g_free(c);
}

int
client_socket(const Client *c)
{
	return c->fd;
}

/* What to wait for.  Commands that come while a message is on its way wait in the socket. */
short
client_events(const Client *c)
{
	bool		reading = !c->closing && c->state != WAITING && c->out->len < MAX_OUT;

	return (reading ? POLLIN : 0) | (c->out->len > 0 ? POLLOUT : 0) | POLLRDHUP;
}

int64_t
client_deadline(const Client *c)
{
	return c->state == DATA ? MIN(c->deadline, c->data_until) :
		c->state == COMMANDS && !c->closing ? MIN(c->deadline, c->idle_until) : c->deadline;
}

static void
read_input(Client *c)
{
	guint		len = c->in->len;
	ssize_t		n;

	g_byte_array_set_size(c->in, len + READ_BYTES);
	n = recv(c->fd, c->in->data + len, READ_BYTES, 0);
	g_byte_array_set_size(c->in, len + MAX(n, 0));
	if (n > 0)
	{
		if (c->state == DATA)
			c->deadline = g_get_monotonic_time() + DATA_USECS;
	}
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		c->gone = true;
}

static void
write_output(Client *c)
{
	ssize_t		n = send(c->fd, c->out->str, c->out->len, MSG_NOSIGNAL);

	if (n > 0)
		g_string_erase(c->out, 0, n);
	else if (n < 0 && errno != EINTR && errno != EAGAIN)
		c->gone = true;
}

/* It has taken too long: the client, or what it waits for */
static void
run_out(Client *c)
{
	if (c->closing)
		c->gone = true;
	else if (c->state == WAITING)
	{
		abandon(c);
		reply_to_all(c, "451 4.3.0 not stored in time, try again later");
	}
	else
	{
		reply_and_close(c, "421 4.4.2 timeout");
		c->deadline = g_get_monotonic_time() + 5 * SECOND;
	}
}

/* See to a client that has said something, or for whom something is to be done; false at its end */
bool
client_serve(Client *c, short revents)
{
	/* who has hung up waits for no answer */
	if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		return false;
	if ((revents & POLLIN) != 0 && !c->closing && c->state != WAITING)
		read_input(c);
	else if ((revents & POLLRDHUP) != 0)
		c->gone = true;
	if (!c->gone)
		take_input(c);
	if (c->out->len > 0 && !c->gone)
		write_output(c);
	if (g_get_monotonic_time() > client_deadline(c))
		run_out(c);
	return !c->gone && (!c->closing || c->out->len > 0);
}
