/*
 * connection.c
 *	  To the server, and what it says at once.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "columns.h"

#define WHY_USECS	INT64_C(5000000)	/* for the reason of a failure */

/* Ask for a password on the terminal */
static char *
prompt_password(void)
{
	FILE	   *tty = fopen("/dev/tty", "r+");
	struct termios old;
	struct termios quiet;
	char		buf[1024];
	bool		got;

	if (tty == NULL)
		fatal("a password is needed, but there is no terminal to ask for it");
	tcgetattr(fileno(tty), &old);
	quiet = old;
	quiet.c_lflag &= ~ECHO;
	tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	fputs("Password: ", tty);
	fflush(tty);
	got = fgets(buf, sizeof(buf), tty) != NULL;
	tcsetattr(fileno(tty), TCSAFLUSH, &old);
	fputc('\n', tty);
	fclose(tty);
	if (!got)
		fatal("no password was given");
	buf[strcspn(buf, "\r\n")] = '\0';
	return g_strdup(buf);
}

/*
 * Why a connection can't be had, by its SQLSTATE, or an empty string where
 * there is none or it can be had now.  libpq tells it of an attempt of which
 * we see the steps, and in no other way; words are the server's language.
 */
static void
why_not(const char *const *keywords, const char *const *values, char *state)
{
	PGconn	   *conn = PQconnectStartParams(keywords, values, 1);
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	int64_t		until = g_get_monotonic_time() + WHY_USECS;
	const char *message;
	size_t		len;

	state[0] = '\0';
	if (conn == NULL)
		return;
	PQsetErrorVerbosity(conn, PQERRORS_SQLSTATE);
	while (PQstatus(conn) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED &&
		   g_get_monotonic_time() < until)
	{
		struct pollfd fd = {PQsocket(conn), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};

		if (poll(&fd, 1, 100) != 0)
			next = PQconnectPoll(conn);
	}
	/* "… FATAL:  28P01", perhaps of several hosts: the last counts */
	message = PQerrorMessage(conn);
	for (len = strlen(message); len > 0 && g_ascii_isspace(message[len - 1]);)
		len--;
	if (PQstatus(conn) != CONNECTION_OK && len > 7 && memcmp(message + len - 7, "  ", 2) == 0 &&
		strspn(message + len - 5, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") >= 5)
		g_strlcpy(state, message + len - 5, 6);
	PQfinish(conn);
}

/*
 * Would another attempt go the same way?  A wrong password stays wrong; an
 * absent server, or one with no room for another connection, may do better.
 */
static bool
is_refused(const PGconn *conn, const char *const *keywords, const char *const *values)
{
	char		state[6];

	if (PQconnectionNeedsPassword(conn))
		return true;
	why_not(keywords, values, state);
	return strncmp(state, "28", 2) == 0 || strncmp(state, "3D", 2) == 0 || strcmp(state, "42501") == 0;
}

/* A connection, or NULL, with the reason and whether it will stay so (both may be NULL) */
PGconn	   *
server_try_connect(char **error, bool *refused)
{
	/*
	 * who accepts a connection and says nothing, or is gone without a word,
	 * is not waited for without end; what the connection string says comes
	 * later and counts
	 */
	const char *keywords[] = {"host", "port", "user", "password",
		"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
	"dbname", "fallback_application_name", "client_encoding", NULL};
	const char *values[] = {options.host, options.port, options.user, NULL,
		g_getenv("PGCONNECT_TIMEOUT") != NULL ? NULL : "30", "60", "10", "6",
	options.dbname, progname, "UTF8", NULL};
	static char *password = NULL;
	PGconn	   *conn;

	if (options.prompt_password > 0 && password == NULL)
		password = prompt_password();
	values[3] = password;
	for (;;)
	{
		conn = PQconnectdbParams(keywords, values, 1);
		if (conn == NULL)
			fatal("out of memory");
		if (PQstatus(conn) == CONNECTION_OK)
			return conn;
		if (!PQconnectionNeedsPassword(conn) || password != NULL || options.prompt_password < 0)
			break;
		PQfinish(conn);
		values[3] = password = prompt_password();
	}
	if (error != NULL)
		*error = g_strchomp(g_strdup(PQerrorMessage(conn)));
	if (refused != NULL)
		*refused = is_refused(conn, keywords, values);
	PQfinish(conn);
	return NULL;
}

/*
 * Who hands a message over forgets it when it is committed: a crash of the
 * server must not take it back, though a role or database may have it so.
 */
void
server_keep_commits(PGconn *conn)
{
	PQclear(PQexec(conn, "SELECT pg_catalog.set_config('synchronous_commit', 'local', false) "
				   "WHERE pg_catalog.current_setting('synchronous_commit') = 'off'"));
}

/* It ends the program where the database can't hold mail */
void
server_check_encoding(PGconn *conn)
{
	if (g_strcmp0(PQparameterStatus(conn, "server_encoding"), "UTF8") != 0)
		fatal("the database has encoding %s, but mail needs UTF8",
			  PQparameterStatus(conn, "server_encoding"));
}

/* A connection; it ends the program where there can be none */
PGconn	   *
server_connect(void)
{
	char	   *error;
	bool		refused;
	PGconn	   *conn = server_try_connect(&error, &refused);

	if (conn == NULL && refused)
		fatal("%s", error);
	if (conn == NULL)
		fatal_retry("%s", error);
	server_check_encoding(conn);
	return conn;
}

/* Is what failed about the server, and no message, and may go right later? */
bool
server_recovers(PGconn *conn, const PGresult *res)
{
	static const char *const classes[] = {"08", "25", "53", "57", "58"};
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (PQstatus(conn) != CONNECTION_OK || state == NULL || server_is_transient(state))
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
		if (strncmp(state, classes[i], 2) == 0)
			return true;
	return false;
}

/*
 * Was a table not made because another session has just made it?  IF NOT EXISTS
 * doesn't see that one, either.  Its row type may be met before it.
 */
bool
server_made_by_another(const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return g_strcmp0(state, "23505") == 0 || g_strcmp0(state, "42P07") == 0 || g_strcmp0(state, "42710") == 0;
}

/* End the program for what failed, with the exit code that fits */
void
server_give_up(PGconn *conn, const PGresult *res, const char *text)
{
	if (server_recovers(conn, res))
		fatal_retry("%s", text);
	fatal("%s", text);
}

/* The result of a query; it ends the program where that fails */
PGresult   *
server_query(PGconn *conn, const char *sql, int nparams, const char *const *params)
{
	PGresult   *res = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
		server_give_up(conn, res, g_strchomp(g_strdup(PQresultErrorMessage(res))));
	return res;
}

/*
 * What the server said, on one line.  The detail of a violated constraint is
 * the row itself: people's mail, which is not for a log.
 */
char	   *
server_error_text(PGconn *conn, PGresult *res)
{
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *text = primary != NULL ? primary : PQresultErrorMessage(res);
	char	   *line;

	if (text == NULL || text[0] == '\0')
		text = PQerrorMessage(conn);

	if (detail != NULL && state != NULL &&
		strcmp(state, "23514") != 0 && strcmp(state, "23502") != 0)
		line = g_strconcat(text, " (", detail, ")", NULL);
	else
		line = g_strdup(text);
	return g_strdelimit(g_strchomp(line), "\r\n", ' ');
}

/*
 * Errors that are not about a message: the same would happen to all others.
 * Better to stop than to refuse a million messages one by one.
 */
bool
server_is_fatal(const char *state)
{
	static const char *const classes[] = {"08", "25", "28", "3D", "53", "58"};

	if (state == NULL)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
		if (strncmp(state, classes[i], 2) == 0)
			return true;
	return strcmp(state, "57P01") == 0 || strcmp(state, "57P02") == 0 ||
		strcmp(state, "57P03") == 0 || strcmp(state, "42501") == 0 ||
		strcmp(state, "42P01") == 0;
}

/* May the same statement go right next time? */
bool
server_is_transient(const char *state)
{
	return state != NULL && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 ||
							 strcmp(state, "55P03") == 0);
}
