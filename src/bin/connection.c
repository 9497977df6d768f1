/*
 * connection.c
 *	  To the server, and what it says at once.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "columns.h"

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

/* A connection; it ends the program where there can be none */
PGconn	   *
server_connect(void)
{
	const char *keywords[] = {"host", "port", "user", "password", "dbname",
	"fallback_application_name", "client_encoding", NULL};
	const char *values[] = {options.host, options.port, options.user, NULL, options.dbname,
	progname, "UTF8", NULL};
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
			break;
		if (PQconnectionNeedsPassword(conn) && password == NULL && options.prompt_password >= 0)
		{
			PQfinish(conn);
			values[3] = password = prompt_password();
			continue;
		}
		/* a wrong password stays wrong, an absent server may come back */
		if (PQconnectionUsedPassword(conn) || PQconnectionNeedsPassword(conn) ||
			strstr(PQerrorMessage(conn), "does not exist") != NULL ||
			strstr(PQerrorMessage(conn), "no pg_hba.conf entry") != NULL)
			fatal("%s", g_strchomp(g_strdup(PQerrorMessage(conn))));
		fatal_retry("%s", g_strchomp(g_strdup(PQerrorMessage(conn))));
	}
	if (g_strcmp0(PQparameterStatus(conn, "server_encoding"), "UTF8") != 0)
		fatal("the database has encoding %s, but mail needs UTF8",
			  PQparameterStatus(conn, "server_encoding"));
	return conn;
}

/* The result of a query; it ends the program where that fails */
PGresult   *
server_query(PGconn *conn, const char *sql, int nparams, const char *const *params)
{
	PGresult   *res = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
		fatal("%s", g_strchomp(g_strdup(PQresultErrorMessage(res))));
	return res;
}
