/*
 * copy.c
 *	  Messages to rows: binary COPY in batches, one transaction each.
 *
 * While the server works on one batch, the next is being parsed.  Rows are
 * kept until the server has committed them: a batch that it refuses is sent
 * again in halves, down to the single row that it objects to.
 */
#include <stdlib.h>
#include <string.h>

#include "columns.h"

/* A batch is sent when it has --batch-size rows, or this many bytes */
#define MAX_BATCH_BYTES	(32 * 1024 * 1024)

CopyStats	copy_stats;

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

static void probe(void);

static PGconn *conn;
static char *copy_command;
static char *update_command;	/* what follows a COPY in its transaction, or
								 * NULL */
static Batch batches[2];
static Batch *filling = &batches[0];
static Batch *in_flight;		/* sent, result not read yet */

static PGresult *
query(const char *sql, int nparams, const char *const *params)
{
	return server_query(conn, sql, nparams, params);
}

/* The table, and the COPY command for the columns that it has */
static void
find_columns(void)
{
	char	   *oid;
	char	   *table;
	char	   *list = target_find(conn, &oid, &table);

	if (options.reparse)
		copy_command = reparse_prepare(conn, oid, table, &update_command);
	else
		copy_command = g_strdup_printf("COPY %s (%s) FROM STDIN (FORMAT binary)", table, list);
	g_free(list);
	g_free(oid);
	g_free(table);
}

void
copy_connect(void)
{
	conn = server_connect();
	server_keep_commits(conn);
	if (options.create_table)
		target_create(conn);
	find_columns();
	target_settle(conn);
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
	PGresult   *res;
	Row		   *from;
	Row		   *to;
	const char *p;
	size_t		left;
	int			ok;

	if (update_command != NULL)
		PQclear(PQexec(conn, "BEGIN"));
	res = PQexec(conn, copy_command);
	if (PQresultStatus(res) != PGRES_COPY_IN)
	{
		if (update_command != NULL)
			PQclear(PQexec(conn, "ROLLBACK"));
		return res;
	}
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

/* The UPDATE that follows a COPY, and the end of their transaction: NULL, or the error */
static PGresult *
update_rows(PGresult *bad)
{
	const char *const commands[] = {update_command, "COMMIT"};

	for (size_t i = 0; i < G_N_ELEMENTS(commands) && bad == NULL; i++)
	{
		bad = PQexec(conn, commands[i]);
		if (PQresultStatus(bad) == PGRES_COMMAND_OK)
		{
			PQclear(bad);
			bad = NULL;
		}
	}
	if (bad != NULL)
		PQclear(PQexec(conn, "ROLLBACK"));
	return bad;
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
	return update_command != NULL ? update_rows(bad) : bad;
}

/*
 * Send no rows, and take it back: a table that can't be copied to is found
 * before any message has been read.
 */
static void
probe(void)
{
	PGresult   *error;

	/* an UPDATE brings its own transaction, and does nothing */
	if (update_command == NULL)
		PQclear(query("BEGIN", 0, NULL));
	error = send_rows(filling, 0, 0);
	if (error == NULL)
		error = read_result();
	if (error != NULL)
	{
		const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);

		/* what a trigger objects to may be different with rows */
		if (server_is_fatal(state) || strncmp(state, "42", 2) == 0 || strncmp(state, "0A", 2) == 0)
			server_give_up(conn, error, server_error_text(conn, error));
		PQclear(error);
	}
	if (update_command == NULL)
		PQclear(query("ROLLBACK", 0, NULL));
}

/* End for an error that is about no message, with the exit code that fits */
static void
stop_at(const char *source, PGresult *error)
{
	report("stopped at \"%s\"; %" PRId64 " messages are loaded", source, copy_stats.loaded);
	server_give_up(conn, error, server_error_text(conn, error));
}

static void load_rows(Batch *b, guint first, guint last, PGresult *error);

/* Rows that could not be loaded together: again in halves, or report the one */
static void
load_halves(Batch *b, guint first, guint last, PGresult *error)
{
	const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	char	   *text = server_error_text(conn, error);

	/* a lock on the table is about no message either */
	if (PQstatus(conn) != CONNECTION_OK || server_is_fatal(state) || strcmp(state, "55P03") == 0)
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
		if (attempt >= 5 || !server_is_transient(state))
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
		if (!server_is_transient(PQresultErrorField(error, PG_DIAG_SQLSTATE)))
			stop_at(g_array_index(b->rows, Row, 0).source, error);
		load_rows(b, 0, b->rows->len, error);
		empty_batch(b);
	}
}

/* ---- adding --------------------------------------------------------------- */

/* Append the message to the batch, and send that when it is full */
void
copy_add(Message *m)
{
	Row			row;

	row.start = filling->bytes->len;
	if (!target_put(filling->bytes, m))
		fatal_retry("the server that makes values of fields is away");
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
