/*
 * copy.c
 *	  Messages to rows: binary COPY in batches, one transaction each.
 *
 * While the server works on one batch, the next is being parsed.  Rows are
 * kept until the server has committed them: a batch that it refuses is sent
 * again in halves, down to the single row that it objects to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <libpq-fe.h>

#include "assay_load.h"

/* A batch is sent when it has --batch-size rows, or this many bytes */
#define MAX_BATCH_BYTES	(32 * 1024 * 1024)

/* Microseconds between 1970-01-01 and PostgreSQL's 2000-01-01 */
#define PG_EPOCH_USECS	(INT64_C(946684800) * 1000000)

/* What COPY sends for an address family in an inet */
#define PGSQL_AF_INET	2
#define PGSQL_AF_INET6	3

CopyStats	copy_stats;

typedef enum Kind
{
	KIND_TEXT, KIND_TEXT_ARRAY, KIND_TIME, KIND_BOOL, KIND_BIGINT, KIND_INET, KIND_JSON,
	KIND_DEFECTS, KIND_BUFFER, KIND_HIDDEN_SHARE, KIND_BYTES
} Kind;

/* The columns that we know.  The order is that of --create-table. */
static const struct
{
	const char *name;
	Kind		kind;
	size_t		offset;
	const char *comment;
}			known_columns[] =

{
	{"source", KIND_TEXT, offsetof(Message, source),
	"File that the message came from, relative to the argument of assay_load; #N is its place in an mbox or JSON Lines file"},
	{"mailbox", KIND_TEXT, offsetof(Message, mailbox),
	"Mailbox or folder that held the message"},
	{"message_id", KIND_TEXT, offsetof(Message, message_id),
	"Message-ID header, without <>"},
	{"received_at", KIND_TIME, offsetof(Message, received_at),
	"When the message was received: the topmost Received header, else Date, else the mbox separator or the file (see defects)"},
	{"sent_at", KIND_TIME, offsetof(Message, sent_at),
	"Date header, as the sender wrote it"},
	{"from_addr", KIND_TEXT, offsetof(Message, from_addr),
	"Address in the From header, lower case"},
	{"from_name", KIND_TEXT, offsetof(Message, from_name),
	"Display name in the From header"},
	{"from_domain", KIND_TEXT, offsetof(Message, from_domain),
	"Domain of from_addr"},
	{"reply_to", KIND_TEXT, offsetof(Message, reply_to),
	"First address in the Reply-To header, lower case"},
	{"return_path", KIND_TEXT, offsetof(Message, return_path),
	"Return-Path (envelope sender), lower case; empty for the null sender of a bounce"},
	{"recipients", KIND_TEXT_ARRAY, offsetof(Message, recipients),
	"Addresses in To, Cc and Bcc, lower case, in order, each once"},
	{"subject", KIND_TEXT, offsetof(Message, subject),
	"Subject header, decoded"},
	{"body_text", KIND_BUFFER, offsetof(Message, body_text),
	"Text of the body as a reader sees it, decoded, HTML stripped"},
	{"hidden_text", KIND_BUFFER, offsetof(Message, hidden_text),
	"Text of the body that is hidden from a reader by style, colour, size or position"},
	{"hidden_share", KIND_HIDDEN_SHARE, offsetof(Message, hidden_text),
	"Share of hidden_text in all text of the body, 0 to 1"},
	{"has_html", KIND_BOOL, offsetof(Message, has_html),
	"Has the body an HTML part?"},
	{"urls", KIND_TEXT_ARRAY, offsetof(Message, urls),
	"URLs in the text and in HTML links, images, frames and forms, each once"},
	{"link_texts", KIND_TEXT_ARRAY, offsetof(Message, link_texts),
	"Visible text of each HTML link, parallel to link_hrefs"},
	{"link_hrefs", KIND_TEXT_ARRAY, offsetof(Message, link_hrefs),
	"Target of each HTML link, parallel to link_texts"},
	{"attachments", KIND_JSON, offsetof(Message, attachments),
	"Attachments: [{\"name\", \"type\", \"size\"}]"},
	{"in_reply_to", KIND_TEXT, offsetof(Message, in_reply_to),
	"In-Reply-To header, without <>"},
	{"reference_ids", KIND_TEXT_ARRAY, offsetof(Message, reference_ids),
	"Message ids in the References header, without <>"},
	{"list_id", KIND_TEXT, offsetof(Message, list_id),
	"Identifier in the List-Id header, lower case"},
	{"auth_results", KIND_TEXT_ARRAY, offsetof(Message, auth_results),
	"Authentication-Results and Received-SPF headers, with their names"},
	{"dkim_domains", KIND_TEXT_ARRAY, offsetof(Message, dkim_domains),
	"Domains (d=) of the DKIM signatures, which nobody has verified here"},
	{"relay_ip", KIND_INET, offsetof(Message, relay_ip),
	"First public address in the Received headers: who handed the message over"},
	{"headers", KIND_JSON, offsetof(Message, headers),
	"All headers, decoded: {name in lower case: [values in order]}"},
	{"size_bytes", KIND_BIGINT, offsetof(Message, size_bytes),
	"Size of the raw message"},
	{"defects", KIND_DEFECTS, offsetof(Message, defects),
	"What was wrong with the message, in short codes"},
	{"html", KIND_BUFFER, offsetof(Message, html),
	"Source of the HTML parts, decoded"},
	{"raw", KIND_BYTES, offsetof(Message, raw),
	"The message as it came"},
};

#define NUM_KNOWN G_N_ELEMENTS(known_columns)

/* Is a column one of those that are filled?  Sources only when they are wanted. */
static bool
is_wanted(size_t k)
{
	if (known_columns[k].offset == offsetof(Message, html))
		return options.keep_html;
	if (known_columns[k].offset == offsetof(Message, raw))
		return options.keep_raw;
	return true;
}

/* The columns of the target table that are filled */
static struct
{
	int			known;
	Oid			element;		/* of an array */
	bool		plain_json;		/* json, not jsonb */
}			targets[NUM_KNOWN];
static int	num_targets;

typedef struct Row
{
	size_t		start;
	size_t		len;
	char	   *source;
} Row;

typedef struct Batch
{
	GByteArray *bytes;
	GArray	   *rows;
} Batch;

/* A column of the user's own, with its value in the type's binary form */
static struct
{
	const char *name;
	char	   *bytes;
	int			len;			/* -1 is NULL */
}			own_columns[MAX_COLUMNS];

static void probe(void);

static PGconn *conn;
static char *copy_command;
static Batch batches[2];
static Batch *filling = &batches[0];
static Batch *in_flight;		/* sent, result not read yet */

/* ---- connection ---------------------------------------------------------- */

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

static PGresult *
query(const char *sql, int nparams, const char *const *params)
{
	PGresult   *res = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 0);

	if (PQresultStatus(res) != PGRES_TUPLES_OK && PQresultStatus(res) != PGRES_COMMAND_OK)
		fatal("%s", g_strchomp(g_strdup(PQresultErrorMessage(res))));
	return res;
}

static void
create_table(void)
{
	PGresult   *res;
	GString    *sql = g_string_new("BEGIN; SET LOCAL client_min_messages = warning; ");
	char	   *name;

	res = query("SELECT string_agg(quote_ident(x), '.') FROM unnest(parse_ident($1)) x",
				1, &options.table);
	name = g_strdup(PQgetvalue(res, 0, 0));
	PQclear(res);
	res = query("SELECT to_regclass($1)", 1, (const char *const *) &name);
	if (!PQgetisnull(res, 0, 0))
	{
		/* a table that is there is used as it is */
		PQclear(res);
		g_free(name);
		g_string_free(sql, TRUE);
		return;
	}
	PQclear(res);

	g_string_append_printf(sql, "CREATE TABLE %s (\n\tid bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", name);
	for (size_t i = 0; i < NUM_KNOWN; i++)
	{
		static const char *const types[] = {
			[KIND_TEXT] = "text",[KIND_TEXT_ARRAY] = "text[]",[KIND_TIME] = "timestamptz",
			[KIND_BOOL] = "boolean",[KIND_BIGINT] = "bigint",[KIND_INET] = "inet",
			[KIND_JSON] = "jsonb",[KIND_DEFECTS] = "text[]",[KIND_BUFFER] = "text",
			[KIND_HIDDEN_SHARE] = "double precision",[KIND_BYTES] = "bytea"
		};

		if (!is_wanted(i))
			continue;
		g_string_append_printf(sql, ",\n\t%s %s%s", known_columns[i].name,
							   types[known_columns[i].kind],
							   strcmp(known_columns[i].name, "received_at") == 0 ? " NOT NULL" : "");
	}
	g_string_append(sql, "\n);\n");
	g_string_append_printf(sql, "COMMENT ON TABLE %s IS 'Mail messages, one a row, as assay_load writes them';\n"
						   "COMMENT ON COLUMN %s.id IS 'Key of the message';\n", name, name);
	for (size_t i = 0; i < NUM_KNOWN; i++)
	{
		char	   *literal = PQescapeLiteral(conn, known_columns[i].comment,
											  strlen(known_columns[i].comment));

		if (is_wanted(i))
			g_string_append_printf(sql, "COMMENT ON COLUMN %s.%s IS %s;\n",
								   name, known_columns[i].name, literal);
		PQfreemem(literal);
	}
	g_string_append(sql, "COMMIT");
	res = PQexec(conn, sql->str);
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		fatal("could not create table %s: %s", name,
			  g_strchomp(g_strdup(PQresultErrorMessage(res))));
	PQclear(res);
	g_string_free(sql, TRUE);
	g_free(name);
}

/*
 * The columns that --column fills.  The server turns each value into its
 * column's type, once: any type will do.
 */
static void
find_own_columns(const char *oid, const char *table, GString *command)
{
	for (int i = 0; i < options.num_columns; i++)
	{
		const char *equals = strchr(options.columns[i], '=');
		char	   *name = g_strndup(options.columns[i], equals - options.columns[i]);
		const char *params[] = {oid, name};
		const char *value = equals + 1;
		PGresult   *res;
		char	   *sql;

		for (size_t k = 0; k < NUM_KNOWN; k++)
			if (strcmp(name, known_columns[k].name) == 0 && is_wanted(k))
				fatal("--column can't fill \"%s\", which comes from the message", name);
		res = query("SELECT pg_catalog.quote_ident(attname), pg_catalog.format_type(atttypid, atttypmod) "
					"FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attname = $2 "
					"AND attnum > 0 AND NOT attisdropped AND attgenerated = ''", 2, params);
		if (PQntuples(res) != 1)
			fatal("table %s has no column \"%s\" that can be filled", table, name);
		g_string_append_printf(command, "%s%s", command->len > 0 ? ", " : "", PQgetvalue(res, 0, 0));
		sql = g_strdup_printf("SELECT CAST($1::pg_catalog.text AS %s)", PQgetvalue(res, 0, 1));
		PQclear(res);
		res = PQexecParams(conn, sql, 1, NULL, &value, NULL, NULL, 1);
		if (PQresultStatus(res) != PGRES_TUPLES_OK)
			fatal("could not use the value of --column=%s: %s", name,
				  g_strchomp(g_strdup(PQresultErrorMessage(res))));
		own_columns[i].name = name;
		own_columns[i].len = PQgetisnull(res, 0, 0) ? -1 : PQgetlength(res, 0, 0);
		own_columns[i].bytes = g_memdup2(PQgetvalue(res, 0, 0), MAX(own_columns[i].len, 0));
		PQclear(res);
		g_free(sql);
	}
}

/* What is to be kept needs a column to be kept in */
static void
check_kept(const char *table)
{
	for (size_t k = 0; k < NUM_KNOWN; k++)
	{
		bool		found = false;

		for (int t = 0; t < num_targets; t++)
			found |= targets[t].known == (int) k;
		if (!found && is_wanted(k) && (known_columns[k].offset == offsetof(Message, html) ||
									   known_columns[k].offset == offsetof(Message, raw)))
			fatal("table %s has no column \"%s\" for --keep", table, known_columns[k].name);
	}
}

/* Is that type of a column one for values of that kind?  Sets what is expected */
static bool
is_type_of_kind(Kind kind, const char *type, const char *element, const char **expected)
{
	const char *name = type;

	switch (kind)
	{
		case KIND_BYTES:
			*expected = "bytea";
			return strcmp(type, "bytea") == 0;
		case KIND_HIDDEN_SHARE:
			*expected = "double precision";
			return strcmp(type, "float8") == 0;
		case KIND_TEXT:
		case KIND_BUFFER:
			*expected = "text";
			break;
		case KIND_TEXT_ARRAY:
		case KIND_DEFECTS:
			*expected = "text[]";
			if (type[0] != '_')
				return false;
			name = element;
			break;
		case KIND_TIME:
			*expected = "timestamp with time zone";
			return strcmp(type, "timestamptz") == 0;
		case KIND_BOOL:
			*expected = "boolean";
			return strcmp(type, "bool") == 0;
		case KIND_BIGINT:
			*expected = "bigint";
			return strcmp(type, "int8") == 0;
		case KIND_INET:
			*expected = "inet";
			return strcmp(type, "inet") == 0;
		case KIND_JSON:
			*expected = "jsonb";
			return strcmp(type, "jsonb") == 0 || strcmp(type, "json") == 0;
	}
	return strcmp(name, "text") == 0 || strcmp(name, "varchar") == 0 || strcmp(name, "citext") == 0;
}

/* Which of our columns the table has, into targets and command; their types must be ours */
static void
find_known_columns(const char *oid, const char *table, GString *command)
{
	PGresult   *cols = query("SELECT a.attname, b.typname, b.typelem, e.typname, a.attgenerated, "
							 "pg_catalog.format_type(a.atttypid, a.atttypmod) "
							 "FROM pg_catalog.pg_attribute a "
							 "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid "
							 "JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END "
							 "LEFT JOIN pg_catalog.pg_type e ON e.oid = b.typelem "
							 "WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped",
							 1, &oid);

	for (size_t k = 0; k < NUM_KNOWN; k++)
		for (int i = 0; i < PQntuples(cols) && is_wanted(k); i++)
		{
			const char *type = PQgetvalue(cols, i, 1);
			const char *expected = "";

			if (strcmp(PQgetvalue(cols, i, 0), known_columns[k].name) != 0 ||
				PQgetvalue(cols, i, 4)[0] != '\0')
				continue;
			if (!is_type_of_kind(known_columns[k].kind, type, PQgetvalue(cols, i, 3), &expected))
				fatal("column \"%s\" of table %s has type %s, but %s is needed",
					  known_columns[k].name, table, PQgetvalue(cols, i, 5), expected);
			targets[num_targets].known = k;
			targets[num_targets].element = strtoul(PQgetvalue(cols, i, 2), NULL, 10);
			targets[num_targets].plain_json = strcmp(type, "json") == 0;
			num_targets++;
			g_string_append_printf(command, "%s%s", command->len > 0 ? ", " : "",
								   known_columns[k].name);
		}
	PQclear(cols);
}

/* The table, and the COPY command for the columns that it has */
static void
find_columns(void)
{
	PGresult   *res;
	GString    *command = g_string_new(NULL);
	char	   *table;
	const char *oid;

	res = PQexecParams(conn,
					   "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind "
					   "FROM pg_catalog.pg_class c "
					   "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
					   "WHERE c.oid = $1::pg_catalog.regclass",
					   1, NULL, &options.table, NULL, NULL, 0);
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
	{
		const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
		char	   *message = g_strchomp(g_strdup(PQresultErrorMessage(res)));

		if (state != NULL && strcmp(state, "42P01") == 0)
			report("hint: --create-table makes the table");
		fatal("%s", message);
	}
	oid = PQgetvalue(res, 0, 0);
	table = g_strdup(PQgetvalue(res, 0, 1));
	find_known_columns(oid, table, command);
	check_kept(table);
	find_own_columns(oid, table, command);
	if (num_targets == 0)
		fatal("table %s has none of the columns that assay_load fills", table);
	copy_command = g_strdup_printf("COPY %s (%s) FROM STDIN (FORMAT binary)", table, command->str);
	g_string_free(command, TRUE);
	PQclear(res);
	g_free(table);
}

void
copy_connect(void)
{
	const char *keywords[] = {"host", "port", "user", "password", "dbname",
	"fallback_application_name", "client_encoding", NULL};
	const char *values[] = {options.host, options.port, options.user, NULL, options.dbname,
	progname, "UTF8", NULL};
	char	   *password = NULL;

	if (options.prompt_password > 0)
		values[3] = password = prompt_password();
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
	g_free(password);

	if (g_strcmp0(PQparameterStatus(conn, "server_encoding"), "UTF8") != 0)
		fatal("the database has encoding %s, but mail needs UTF8",
			  PQparameterStatus(conn, "server_encoding"));
	if (options.create_table)
		create_table();
	find_columns();
	for (int i = 0; i < 2; i++)
	{
		batches[i].bytes = g_byte_array_new();
		batches[i].rows = g_array_new(FALSE, FALSE, sizeof(Row));
	}
	probe();
}

/* ---- sending ------------------------------------------------------------- */

/*
 * Send rows first … last-1 of a batch and end the COPY, without waiting for
 * the result.  NULL when that went well, else the result with the error.
 */
static PGresult *
send_rows(Batch *b, guint first, guint last)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
	static const char trailer[] = "\377\377";
	PGresult   *res = PQexec(conn, copy_command);
	Row		   *from;
	Row		   *to;
	const char *p;
	size_t		left;
	int			ok;

	if (PQresultStatus(res) != PGRES_COPY_IN)
		return res;
	PQclear(res);
	ok = PQputCopyData(conn, header, 19);
	if (first < last)
	{
		from = &g_array_index(b->rows, Row, first);
		to = &g_array_index(b->rows, Row, last - 1);
		p = (const char *) b->bytes->data + from->start;
		left = to->start + to->len - from->start;
		while (left > 0 && ok == 1)
		{
			int			n = MIN(left, 1024 * 1024);

			ok = PQputCopyData(conn, p, n);
			p += n;
			left -= n;
		}
	}
	if (ok == 1)
		ok = PQputCopyData(conn, trailer, 2);
	/* where it failed the server has something to say, which comes next */
	if (ok == 1)
		PQputCopyEnd(conn, NULL);
	return NULL;
}

/* The result of a COPY: NULL when it was committed */
static PGresult *
read_result(void)
{
	PGresult   *res;
	PGresult   *bad = NULL;

	while ((res = PQgetResult(conn)) != NULL)
	{
		if (PQresultStatus(res) == PGRES_COPY_IN)
		{
			/* it broke while we were sending */
			PQclear(res);
			if (PQputCopyEnd(conn, "broken off") < 0)
				break;
			continue;
		}
		if (PQresultStatus(res) != PGRES_COMMAND_OK && bad == NULL)
			bad = res;
		else
			PQclear(res);
	}
	if (bad == NULL && PQstatus(conn) != CONNECTION_OK)
		bad = PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
	return bad;
}

/*
 * What the server said, on one line.  The detail of a violated constraint is
 * the row itself: people's mail, which is not for a log.
 */
static char *
error_text(PGresult *res)
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
static bool
is_fatal_state(const char *state)
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

/*
 * Send no rows, and take it back: a table that can't be copied to is found
 * before any message has been read.
 */
static void
probe(void)
{
	PGresult   *error;

	PQclear(query("BEGIN", 0, NULL));
	error = send_rows(filling, 0, 0);
	if (error == NULL)
		error = read_result();
	if (error != NULL)
	{
		const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);

		/* what a trigger objects to may be different with rows */
		if (state == NULL || strncmp(state, "53", 2) == 0 || strncmp(state, "08", 2) == 0)
			fatal_retry("%s", error_text(error));
		if (is_fatal_state(state) || strncmp(state, "42", 2) == 0 ||
			strncmp(state, "0A", 2) == 0)
			fatal("%s", error_text(error));
		PQclear(error);
	}
	PQclear(query("ROLLBACK", 0, NULL));
}

/* May the same statement go right next time? */
static bool
is_transient(const char *state)
{
	return state != NULL && (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 ||
							 strcmp(state, "55P03") == 0);
}

/* End for an error that is about no message, with the exit code that fits */
static void
stop_at(const char *source, PGresult *error)
{
	const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);

	report("stopped at \"%s\"; %" PRId64 " messages are loaded", source, copy_stats.loaded);
	if (PQstatus(conn) != CONNECTION_OK || state == NULL || is_transient(state) ||
		strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0 ||
		strncmp(state, "57", 2) == 0 || strncmp(state, "58", 2) == 0 || strncmp(state, "25", 2) == 0)
		fatal_retry("%s", error_text(error));
	fatal("%s", error_text(error));
}

static void load_rows(Batch *b, guint first, guint last, PGresult *error);

/* Rows that could not be loaded together: again in halves, or report the one */
static void
load_halves(Batch *b, guint first, guint last, PGresult *error)
{
	const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	char	   *text = error_text(error);

	/* a lock on the table is about no message either */
	if (PQstatus(conn) != CONNECTION_OK || is_fatal_state(state) || strcmp(state, "55P03") == 0)
		stop_at(g_array_index(b->rows, Row, first).source, error);
	PQclear(error);
	if (last - first == 1)
	{
		report("error: \"%s\" was not loaded: %s",
			   g_array_index(b->rows, Row, first).source, text);
		copy_stats.rejected++;
	}
	else
	{
		guint		middle = first + (last - first) / 2;

		load_rows(b, first, middle, NULL);
		load_rows(b, middle, last, NULL);
	}
	g_free(text);
}

/*
 * Load rows, given that they were sent already and what became of it: error
 * is the result to handle, or NULL to send them now.
 */
static void
load_rows(Batch *b, guint first, guint last, PGresult *error)
{
	for (int attempt = 0;; attempt++)
	{
		const char *state;

		if (error == NULL)
		{
			error = send_rows(b, first, last);
			if (error == NULL)
				error = read_result();
			if (error == NULL)
			{
				copy_stats.loaded += last - first;
				return;
			}
		}
		/* what went wrong between transactions may go right next time */
		state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
		if (attempt >= 5 || !is_transient(state))
			break;
		PQclear(error);
		error = NULL;
		g_usleep(100000 << attempt);
	}
	load_halves(b, first, last, error);
}

/* Its rows are loaded or reported: make room for others */
static void
empty_batch(Batch *b)
{
	for (guint i = 0; i < b->rows->len; i++)
		g_free(g_array_index(b->rows, Row, i).source);
	g_array_set_size(b->rows, 0);
	g_byte_array_set_size(b->bytes, 0);
}

/* Wait for the batch on its way */
static void
finish_in_flight(void)
{
	Batch	   *b = in_flight;
	PGresult   *error;

	if (b == NULL)
		return;
	in_flight = NULL;
	error = read_result();
	if (error == NULL)
		copy_stats.loaded += b->rows->len;
	else
		load_rows(b, 0, b->rows->len, error);
	empty_batch(b);
}

static void
send_batch(void)
{
	PGresult   *error;

	finish_in_flight();
	error = send_rows(filling, 0, filling->rows->len);
	in_flight = filling;
	filling = filling == &batches[0] ? &batches[1] : &batches[0];
	if (error != NULL)
	{
		/* the COPY command itself was refused: nothing about a message */
		Batch	   *b = in_flight;

		in_flight = NULL;
		if (!is_transient(PQresultErrorField(error, PG_DIAG_SQLSTATE)))
			stop_at(g_array_index(b->rows, Row, 0).source, error);
		load_rows(b, 0, b->rows->len, error);
		empty_batch(b);
	}
}

/* ---- encoding ------------------------------------------------------------ */

static void
put16(GByteArray *a, int v)
{
	guint8		b[2] = {v >> 8, v};

	g_byte_array_append(a, b, 2);
}

static void
put32(GByteArray *a, uint32_t v)
{
	guint8		b[4] = {v >> 24, v >> 16, v >> 8, v};

	g_byte_array_append(a, b, 4);
}

static void
put64(GByteArray *a, int64_t v)
{
	put32(a, (uint64_t) v >> 32);
	put32(a, (uint32_t) v);
}

static void
put_text(GByteArray *a, const char *s, size_t len)
{
	put32(a, len);
	g_byte_array_append(a, (const guint8 *) s, len);
}

/* A one-dimensional text[] */
static void
put_array(GByteArray *a, char **items, guint n, Oid element)
{
	guint		at = a->len;
	uint32_t	len;

	put32(a, 0);
	put32(a, n > 0 ? 1 : 0);
	put32(a, 0);
	put32(a, element);
	if (n > 0)
	{
		put32(a, n);
		put32(a, 1);
		for (guint i = 0; i < n; i++)
			put_text(a, items[i], strlen(items[i]));
	}
	len = htonl(a->len - at - 4);
	memcpy(a->data + at, &len, 4);
}

static void
put_double(GByteArray *a, double v)
{
	int64_t		bits;

	memcpy(&bits, &v, sizeof(bits));
	put64(a, bits);
}

/* How much of the body's text is hidden */
static double
hidden_share(const Message *m)
{
	double		all = (double) m->hidden_text->len + m->body_text->len;

	return all > 0 ? m->hidden_text->len / all : 0;
}

/* An inet, or NULL where it is none */
static void
put_inet(GByteArray *a, const char *s)
{
	guint8		b[20];
	bool		v6 = s != NULL && strchr(s, ':') != NULL;

	if (s == NULL || inet_pton(v6 ? AF_INET6 : AF_INET, s, b + 4) != 1)
	{
		put32(a, -1);
		return;
	}
	b[0] = v6 ? PGSQL_AF_INET6 : PGSQL_AF_INET;
	b[1] = v6 ? 128 : 32;
	b[2] = 0;
	b[3] = v6 ? 16 : 4;
	put32(a, 4 + b[3]);
	g_byte_array_append(a, b, 4 + b[3]);
}

/* json, or jsonb with its version, or NULL where there is nothing */
static void
put_json(GByteArray *a, const GString *s, bool plain)
{
	guint8		version = 1;

	if (s->len == 0)
	{
		put32(a, -1);
		return;
	}
	put32(a, s->len + (plain ? 0 : 1));
	if (!plain)
		g_byte_array_append(a, &version, 1);
	g_byte_array_append(a, (const guint8 *) s->str, s->len);
}

static void
put_defects(GByteArray *a, uint32_t defects, Oid element)
{
	char	   *items[NUM_DEFECTS];
	guint		n = 0;

	for (int d = 0; d < NUM_DEFECTS; d++)
		if ((defects & ((uint32_t) 1 << d)) != 0)
			items[n++] = (char *) defect_names[d];
	put_array(a, items, n, element);
}

/* A field of a message as a value of COPY's binary format */
static void
put_column(GByteArray *a, const Message *m, int t)
{
	int			k = targets[t].known;
	const void *field = (const char *) m + known_columns[k].offset;

	switch (known_columns[k].kind)
	{
		case KIND_TEXT:
			{
				const char *s = *(char *const *) field;

				if (s == NULL)
					put32(a, -1);
				else
					put_text(a, s, strlen(s));
				break;
			}
		case KIND_BYTES:
		case KIND_BUFFER:
			{
				const GString *s = *(GString *const *) field;

				/* a body is there even when it is empty */
				if (s->len == 0 && s != m->body_text)
					put32(a, -1);
				else
					put_text(a, s->str, s->len);
				break;
			}
		case KIND_HIDDEN_SHARE:
			put32(a, 8);
			put_double(a, hidden_share(m));
			break;
		case KIND_TEXT_ARRAY:
			{
				GPtrArray  *items = *(GPtrArray *const *) field;

				put_array(a, (char **) items->pdata, items->len, targets[t].element);
				break;
			}
		case KIND_DEFECTS:
			put_defects(a, m->defects, targets[t].element);
			break;
		case KIND_TIME:
			{
				int64_t		time = *(const int64_t *) field;

				if (time == NO_TIME)
					put32(a, -1);
				else
				{
					put32(a, 8);
					put64(a, time - PG_EPOCH_USECS);
				}
				break;
			}
		case KIND_BOOL:
			{
				guint8		b = *(const bool *) field ? 1 : 0;

				put32(a, 1);
				g_byte_array_append(a, &b, 1);
				break;
			}
		case KIND_BIGINT:
			put32(a, 8);
			put64(a, *(const int64_t *) field);
			break;
		case KIND_INET:
			put_inet(a, *(char *const *) field);
			break;
		case KIND_JSON:
			put_json(a, *(GString *const *) field, targets[t].plain_json);
			break;
	}
}

/* Append the message to the batch, and send that when it is full */
void
copy_add(Message *m)
{
	Row			row;

	row.start = filling->bytes->len;
	put16(filling->bytes, num_targets + options.num_columns);
	for (int t = 0; t < num_targets; t++)
		put_column(filling->bytes, m, t);
	for (int i = 0; i < options.num_columns; i++)
	{
		put32(filling->bytes, own_columns[i].len);
		if (own_columns[i].len > 0)
			g_byte_array_append(filling->bytes, (guint8 *) own_columns[i].bytes, own_columns[i].len);
	}
	row.len = filling->bytes->len - row.start;
	row.source = g_strdup(m->source);
	g_array_append_val(filling->rows, row);

	if (filling->rows->len >= (guint) options.batch_size ||
		filling->bytes->len >= MAX_BATCH_BYTES)
		send_batch();
}

/* Load what is left */
void
copy_finish(void)
{
	if (filling->rows->len > 0)
		send_batch();
	finish_in_flight();
}

void
copy_disconnect(void)
{
	PQfinish(conn);
	conn = NULL;
}
