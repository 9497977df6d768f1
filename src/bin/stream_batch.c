/*
 * stream_batch.c
 *	  Batches into the table, each message once.
 *
 * One transaction holds the rows of a batch (COPY), what could not be a row
 * (dead letters), and the move of the fence, which is the place in the source
 * that has been read: UPDATE … SET next = new WHERE next = old.  Where no row
 * moves, another instance was here: nothing is committed, the fence is read
 * again, and the work goes on from there.  So it doesn't matter when a program
 * or a server is killed, nor that the outcome of a COMMIT is not known.
 *
 * The move and the COMMIT go to the server as one message: an instance that is
 * stopped holds no lock that the next one would wait for.
 */
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "stream.h"

#define MAX_WAIT_MS		10000	/* between attempts to connect */
#define MAX_CANCELLED	6		/* attempts at a message that takes too long */

typedef enum Outcome
{
	DONE,						/* committed, or nothing to do */
	FENCED,						/* the fence was not where it should be */
	AGAIN,						/* may go right next time */
	AWAY,						/* no connection, or a server that can't */
	REFUSED,					/* the server objects to a message */
	BROKEN						/* nothing can be loaded at all */
} Outcome;


static PGconn *conn;
static char *schema;			/* of the table, quoted */
static char *copy_command;
static char *token;				/* who moved the fence: this run */
static GPtrArray *parts;
static Batch *in_flight;		/* its COPY was sent, the result not read yet */
static Outcome sent;			/* what became of the sending */
static int64_t sent_at;
static bool finishing;
static guint chosen_rows;		/* in the transaction at work */
static guint chosen_dead;
static guint chosen_marks;
static int	dead_in_a_row;
static PGresult *trouble;		/* with the error of the last outcome, or NULL */

/* ---- items and parts -------------------------------------------------------- */

void
item_free(gpointer p)
{
	Item	   *item = p;

	if (item->ticket != NULL)
		source->forget(item);
	if (item->headers != NULL)
		g_ptr_array_free(item->headers, TRUE);
	g_free(item->data);
	g_free(item->error);
	g_free(item->sqlstate);
	g_free(item);
}

Batch	   *
batch_new(void)
{
	Batch	   *b = g_new0(Batch, 1);

	b->items = g_ptr_array_new_with_free_func(item_free);
	b->rows = g_byte_array_new();
	return b;
}

/* A mark behind a mark takes its place */
static bool
extend_mark(Batch *b, Item *item)
{
	Item	   *last = b->items->len > 0 ? b->items->pdata[b->items->len - 1] : NULL;

	if (!item->mark || last == NULL || !last->mark || last->part != item->part || last->epoch != item->part->epoch)
		return false;
	last->offset = item->offset;
	item->part->taken = item->offset + 1;
	item_free(item);
	return true;
}

void
batch_add(Batch *b, Item *item)
{
	if (extend_mark(b, item))
		return;
	if (b->items->len == 0 || (!item->mark && b->items->len == b->marks))
		b->since = g_get_monotonic_time();
	g_ptr_array_add(b->items, item);
	b->bytes += item->len;
	/* they may be the most of it */
	for (guint h = 0; item->headers != NULL && h < item->headers->len; h++)
		b->bytes += strlen(item->headers->pdata[h]);
	item->part->taken = item->offset + 1;
	item->epoch = item->part->epoch;
	if (item->mark)
		b->marks++;
	else
		stats.waiting++;
}

bool
batch_full(const Batch *b)
{
	return b->items->len >= (guint) options.batch_size || b->bytes >= MAX_BATCH_BYTES;
}

static void
batch_clear(Batch *b)
{
	stats.waiting -= b->items->len - b->marks;
	g_ptr_array_set_size(b->items, 0);
	b->marks = 0;
	/* give back what huge messages took */
	if (b->rows->len > MAX_BATCH_BYTES)
	{
		g_byte_array_free(b->rows, TRUE);
		b->rows = g_byte_array_new();
	}
	g_byte_array_set_size(b->rows, 0);
	b->encoded = 0;
	b->bytes = 0;
}

/* The partition, made where it is new */
Part	   *
part_find(const char *topic, int part)
{
	Part	   *p;

	for (guint i = 0; parts != NULL && i < parts->len; i++)
	{
		p = parts->pdata[i];
		if (p->part == part && strcmp(p->topic, topic) == 0)
			return p;
	}
	if (parts == NULL)
		parts = g_ptr_array_new();
	p = g_new0(Part, 1);
	p->topic = g_strdup(topic);
	p->part = part;
	p->next = p->taken = -1;
	g_ptr_array_add(parts, p);
	return p;
}

/* All of them, or NULL */
const GPtrArray *
batch_parts(void)
{
	return parts;
}

/* ---- the server ------------------------------------------------------------- */

const char *
batch_schema(void)
{
	return schema;
}

int
batch_socket(void)
{
	return in_flight != NULL && conn != NULL ? PQsocket(conn) : -1;
}

/* A query; NULL where the server is away or refuses it, with the reason in trouble */
PGresult   *
batch_query(const char *sql, int nparams, const char *const *params)
{
	PGresult   *res;

	if (conn == NULL)
		return NULL;
	res = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 0);
	if (PQresultStatus(res) == PGRES_TUPLES_OK || PQresultStatus(res) == PGRES_COMMAND_OK)
		return res;
	PQclear(trouble);
	trouble = res;
	return NULL;
}

static char *
trouble_text(void)
{
	if (trouble == NULL)
		return g_strdup("the connection to the server was lost");
	return server_error_text(conn, trouble);
}

/* What an error means */
static Outcome
judge(PGresult *error, bool of_rows)
{
	const char *state;

	if (trouble != error)
		PQclear(trouble);
	trouble = error;
	if (conn == NULL || PQstatus(conn) != CONNECTION_OK || error == NULL)
		return AWAY;
	state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
	if (server_is_transient(state))
		return AGAIN;
	/* it waited too long for a lock, say, before there was any row */
	if (!of_rows && g_strcmp0(state, "57014") == 0)
		return AWAY;
	if (state != NULL && (strcmp(state, "42501") == 0 || strcmp(state, "42P01") == 0 || strncmp(state, "3D", 2) == 0))
		return BROKEN;
	if (server_is_fatal(state))
		return AWAY;
	return of_rows ? REFUSED : BROKEN;
}

static void
start_session(void)
{
	/* a stopped instance shall not hold on to what it has begun */
	PQclear(PQexec(conn, "SET client_min_messages = warning; SET idle_in_transaction_session_timeout = '60s'"));
	/* a source that can go back loses nothing by a crash */
	if (source->rewound == NULL)
		server_keep_commits(conn);
	stats.connects++;
}

/* Wait before another attempt, longer each time, and not all instances as long; ends where it is told to */
static void
wait_a_while(int attempt)
{
	int			most = MIN(100 << MIN(attempt, 10), MAX_WAIT_MS);
	int64_t		until = g_get_monotonic_time() + g_random_int_range(most / 2, most + 1) * INT64_C(1000);

	while (g_get_monotonic_time() < until)
	{
		if (interrupted)
		{
			char	   *text = trouble_text();

			source->close();
			fatal_retry("stopped before %" PRId64 " messages that had come could be committed: %s",
						stats.waiting, text);
		}
		if (source->idle != NULL)
			source->idle();
		stream_tick(false);
		g_usleep(20000);
	}
}

/* Connect, however long that takes; ends the program only where it is refused */
static void
connect_again(void)
{
	for (int attempt = 0; conn == NULL; attempt++)
	{
		char	   *error = NULL;
		bool		refused = false;

		conn = server_try_connect(&error, &refused);
		if (conn == NULL && refused)
			fatal("%s", error);
		if (conn == NULL)
		{
			if (attempt == 0)
				report("the server is away: %s", g_strdelimit(error, "\n", ' '));
			stats.away = true;
			wait_a_while(attempt);
		}
		else if (attempt > 0)
			report("the server is back");
		g_free(error);
	}
	stats.away = false;
	start_session();
}

/* The tables beside the message table; {} is their schema */
static const char *const own_tables[] = {
	"CREATE TABLE IF NOT EXISTS {}.assay_offset (\n"
	"\tgrp text, topic text, part integer,\n"
	"\tnext bigint NOT NULL,\n"
	"\tat timestamptz NOT NULL DEFAULT now(),\n"
	"\tmoved_by text,\n"
	"\tPRIMARY KEY (grp, topic, part)\n)",
	"COMMENT ON TABLE {}.assay_offset IS "
	"'How far assay_stream has read: offset of the next message of each partition'",
	"CREATE TABLE IF NOT EXISTS {}.assay_dead_letter (\n"
	"\tgrp text, topic text, part integer, message_offset bigint,\n"
	"\tat timestamptz NOT NULL DEFAULT now(),\n"
	"\tpayload bytea NOT NULL,\n"
	"\theaders jsonb,\n"
	"\tsize_bytes bigint NOT NULL,\n"
	"\tsqlstate text,\n"
	"\terror text NOT NULL,\n"
	"\tPRIMARY KEY (grp, topic, part, message_offset)\n)",
	"COMMENT ON TABLE {}.assay_dead_letter IS 'Messages that assay_stream could not load, and why'",
	"CREATE TABLE IF NOT EXISTS {}.assay_stream (\n"
	"\tgrp text, instance text,\n"
	"\tat timestamptz NOT NULL, started_at timestamptz NOT NULL,\n"
	"\tstate text NOT NULL,\n"
	"\tloaded bigint NOT NULL, dead bigint NOT NULL, fenced bigint NOT NULL, retries bigint NOT NULL,\n"
	"\tlag bigint, rate double precision NOT NULL, batch_ms double precision,\n"
	"\tPRIMARY KEY (grp, instance)\n)",
	"COMMENT ON TABLE {}.assay_stream IS 'What each instance of assay_stream does, written about once a second'",
};

static const char *const own_names[] = {"assay_offset", "assay_dead_letter", "assay_stream"};

/* One of them, or its comment; several instances may begin at the same time, and meet but once */
static void
make_own_table(const char *sql)
{
	PGresult   *res = PQexec(conn, sql);

	if (PQresultStatus(res) != PGRES_COMMAND_OK && PQtransactionStatus(conn) == PQTRANS_IDLE)
	{
		PQclear(res);
		res = PQexec(conn, sql);
	}
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
	{
		char	   *text = server_error_text(conn, res);

		if (server_made_by_another(res))
			fatal_retry("%s", text);
		server_give_up(conn, res, text);
	}
	PQclear(res);
}

/*
 * Make the tables that are the program's own, or tell that they are not there, or
 * that somebody has taken their names who may create in the schema.
 */
static void
find_own_tables(const char *oid)
{
	PGresult   *res = server_query(conn, "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_class c "
								   "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1",
								   1, &oid);

	schema = g_strdup(PQgetvalue(res, 0, 0));
	PQclear(res);
	for (size_t i = 0; options.create_table && i < G_N_ELEMENTS(own_tables); i++)
	{
		char	  **around = g_strsplit(own_tables[i], "{}", 2);
		char	   *sql = g_strconcat(around[0], schema, around[1], NULL);

		make_own_table(sql);
		g_strfreev(around);
		g_free(sql);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(own_names); i++)
	{
		char	   *full = g_strdup_printf("%s.%s", schema, own_names[i]);

		if (!target_refuse_stranger(conn, full, oid, "give it to the owner of the message table"))
		{
			report("hint: --create-table makes the tables");
			fatal("relation %s does not exist", full);
		}
		g_free(full);
	}
}

/* Connect for the first time, and find the tables */
void
batch_connect(void)
{
	char	   *oid;
	char	   *table;
	char	   *list;

	connect_again();
	server_check_encoding(conn);
	if (options.create_table)
		target_create(conn);
	list = target_find(conn, &oid, &table);
	copy_command = g_strdup_printf("BEGIN; COPY %s (%s) FROM STDIN (FORMAT binary)", table, list);
	find_own_tables(oid);
	target_settle(conn);
	token = g_strdup_printf("%s/%08x%08x", stream_options.instance, g_random_int(), g_random_int());
	g_free(list);
	g_free(oid);
	g_free(table);
}

void
batch_disconnect(void)
{
	PQfinish(conn);
	conn = NULL;
}

/* ---- the fence -------------------------------------------------------------- */

static void
append_literal(GString *sql, const char *s)
{
	char	   *literal = PQescapeLiteral(conn, s, strlen(s));

	g_string_append(sql, literal);
	PQfreemem(literal);
}

/* The row of a fence, none where it is new; NULL where the server is away */
static PGresult *
select_fence(const char *const *params)
{
	char	   *select = g_strdup_printf("SELECT next, moved_by FROM %s.assay_offset "
										 "WHERE grp = $1 AND topic = $2 AND part = $3", schema);
	PGresult   *res = batch_query(select, 3, params);

	g_free(select);
	return res;
}

/* Make a fence, unless another has; NULL where the server is away */
static PGresult *
insert_fence(Part *p, const char **params)
{
	char	   *insert = g_strdup_printf("INSERT INTO %s.assay_offset (grp, topic, part, next) "
										 "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", schema);
	char	   *first;
	PGresult   *res;

	if (source->first != NULL && !source->first(p))
	{
		source->close();
		fatal_retry("where topic \"%s\", part %d begins could not be found out", p->topic, p->part);
	}
	first = g_strdup_printf("%" PRId64, p->start);
	params[3] = first;
	res = batch_query(insert, 4, params);
	g_free(insert);
	g_free(first);
	return res;
}

/* Where the fence of a part stands: it is made where there is none; false where the server is away */
static bool
read_fence(Part *p, int64_t *next, bool *own)
{
	char	   *part = g_strdup_printf("%d", p->part);
	const char *params[] = {stream_options.group, p->topic, part, NULL};
	PGresult   *res = select_fence(params);

	if (res != NULL && PQntuples(res) == 0)
	{
		PQclear(res);
		res = insert_fence(p, params);
		if (res != NULL)
		{
			PQclear(res);
			res = select_fence(params);
		}
	}
	if (res != NULL)
	{
		*next = PQntuples(res) == 1 ? g_ascii_strtoll(PQgetvalue(res, 0, 0), NULL, 10) : 0;
		*own = PQntuples(res) == 1 && strcmp(PQgetvalue(res, 0, 1), token) == 0;
	}
	PQclear(res);
	g_free(part);
	return res != NULL;
}

/* What the fence says of a part, compared with what is known */
static void
take_fence(Part *p, int64_t next, bool own)
{
	/* others move it forward: back it goes with a server that lost commits */
	if (p->next >= 0 && next < p->next)
	{
		report("the offset of topic \"%s\", part %d was moved back from %" PRId64 " to %" PRId64,
			   p->topic, p->part, p->next, next);
		if (source->rewound != NULL)
		{
			p->next = p->taken = next;
			p->epoch++;
			source->rewound(p);
		}
		else if (source->keeps_nothing)
			report("warning: %" PRId64 " messages that were acknowledged are no longer there", p->next - next);
		else
			fatal("this source can't go back");
	}
	/* own it is where the transaction put it of which nothing was heard */
	else if (p->next >= 0 && next != p->next && source->numbers_itself && !(own && next == p->reach))
	{
		source->close();
		fatal("another instance works on group \"%s\", topic \"%s\", part %d: it moved from %" PRId64 " to %" PRId64,
			  stream_options.group, p->topic, p->part, p->next, next);
	}
	p->next = next;
	p->taken = MAX(p->taken, next);
}

static bool
read_fences(void)
{
	for (guint i = 0; parts != NULL && i < parts->len; i++)
	{
		Part	   *p = parts->pdata[i];
		int64_t		next;
		bool		own;

		if (!p->mine)
			continue;
		if (!read_fence(p, &next, &own))
			return false;
		take_fence(p, next, own);
	}
	return true;
}

/* Read where the fences stand, and wait for a server that can tell */
void
parts_read(void)
{
	for (int attempt = 0;; attempt++)
	{
		Outcome		outcome;

		if (conn == NULL)
			connect_again();
		if (read_fences())
			return;
		outcome = judge(trouble, false);
		if (outcome == BROKEN)
			fatal("%s", trouble_text());
		if (outcome == AWAY)
			batch_disconnect();
		wait_a_while(attempt);
	}
}

/* ---- one transaction -------------------------------------------------------- */

/* Is it to be written?  What was committed before, by this instance or another, is not. */
static bool
is_pending(Item *item)
{
	/* what was taken before a part was given away, or moved back, comes again */
	if (item->state == ITEM_PENDING && (!item->part->mine || item->epoch != item->part->epoch))
		item->state = ITEM_DROPPED;
	if (item->state == ITEM_PENDING && item->offset < item->part->next)
	{
		item->state = ITEM_SETTLED;
		if (!item->mark)
			stats.skipped++;
		if (source->settled != NULL)
			source->settled(item);
	}
	/* what was not committed while its sender waited comes again */
	if (item->state == ITEM_PENDING && source->wanted != NULL && !source->wanted(item))
		item->state = ITEM_DROPPED;
	return item->state == ITEM_PENDING;
}

/*
 * What of a range goes into the next transaction, and how far it moves each
 * fence from where.  That stays so until it has ended, whatever is learned of
 * the parts meanwhile: rows that are sent must not be committed without it.
 */
static void
choose_items(Batch *b, guint first, guint last)
{
	chosen_rows = chosen_dead = chosen_marks = 0;
	for (guint i = 0; i < parts->len; i++)
	{
		Part	   *p = parts->pdata[i];

		p->base = p->next;
		p->reach = -1;
	}
	for (guint i = first; i < last; i++)
	{
		Item	   *item = b->items->pdata[i];

		item->chosen = is_pending(item);
		if (!item->chosen)
			continue;
		item->part->reach = item->offset + 1;
		if (item->mark)
			chosen_marks++;
		else if (item->error != NULL)
			chosen_dead++;
		else
			chosen_rows++;
	}
}

/* Is there no transaction to be made? */
static bool
none_chosen(void)
{
	return chosen_rows + chosen_dead + chosen_marks == 0;
}

/* All results of what was sent: the first error, or NULL */
static PGresult *
read_results(int *good)
{
	PGresult   *res;
	PGresult   *bad = NULL;

	*good = 0;
	while ((res = PQgetResult(conn)) != NULL)
	{
		ExecStatusType status = PQresultStatus(res);

		if (status == PGRES_COPY_IN)
		{
			PQclear(res);
			if (PQputCopyEnd(conn, "broken off") < 0)
				break;
			continue;
		}
		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && bad == NULL)
		{
			bad = res;
			continue;
		}
		if (bad == NULL)
			(*good)++;
		PQclear(res);
	}
	if (bad == NULL && PQstatus(conn) != CONNECTION_OK)
		bad = PQmakeEmptyPGresult(conn, PGRES_FATAL_ERROR);
	return bad;
}

/* End a COPY that has nothing to bring any more */
static Outcome
give_up(void)
{
	int			good;

	if (PQputCopyEnd(conn, "nobody waits for it") == 1)
		PQclear(read_results(&good));
	if (PQstatus(conn) != CONNECTION_OK)
		return AWAY;
	PQclear(PQexec(conn, "ROLLBACK"));
	return DONE;
}

/* Begin a transaction and send the rows of a range, if there are any, without waiting for what comes of it */
static Outcome
send_rows(Batch *b, guint first, guint last)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
	static const char trailer[] = "\377\377";
	bool		rows;
	PGresult   *res;
	int			ok;

	if (conn == NULL)
		return AWAY;
	choose_items(b, first, last);
	rows = chosen_rows > 0;
	if (none_chosen())
		return DONE;
	res = PQexec(conn, rows ? copy_command : "BEGIN");
	if (PQresultStatus(res) != (rows ? PGRES_COPY_IN : PGRES_COMMAND_OK))
		return judge(res, false);
	PQclear(res);
	if (!rows)
		return DONE;
	/* the table may have been locked for long: who waits no longer? */
	if (source->wanted != NULL)
		choose_items(b, first, last);
	if (none_chosen())
		return give_up();
	ok = PQputCopyData(conn, header, 19);
	for (guint i = first; i < last && ok == 1; i++)
	{
		Item	   *item = b->items->pdata[i];

		if (item->chosen && !item->mark && item->error == NULL)
			ok = PQputCopyData(conn, (const char *) b->rows->data + item->row, item->row_len);
	}
	if (ok == 1)
		ok = PQputCopyData(conn, trailer, 2);
	/* where it failed the server has something to say, which comes next */
	if (ok == 1)
		PQputCopyEnd(conn, NULL);
	PQflush(conn);
	return DONE;
}

/* A message that can't be a row, with all that is known of it; NULL, or the error */
static PGresult *
write_dead_letter(const Item *item)
{
	char	   *sql = g_strdup_printf("INSERT INTO %s.assay_dead_letter (grp, topic, part, message_offset, payload, "
									  "headers, size_bytes, sqlstate, error) "
									  "VALUES ($1, $2, $3, $4, $5::pg_catalog.bytea, $6, $7, $8, $9) "
									  "ON CONFLICT (grp, topic, part, message_offset) DO UPDATE SET at = EXCLUDED.at, "
									  "payload = EXCLUDED.payload, headers = EXCLUDED.headers, "
									  "size_bytes = EXCLUDED.size_bytes, sqlstate = EXCLUDED.sqlstate, "
									  "error = EXCLUDED.error", schema);
	char	   *part = g_strdup_printf("%d", item->part->part);
	char	   *offset = g_strdup_printf("%" PRId64, item->offset);
	char	   *size = g_strdup_printf("%" PRId64, item->size);
	char	   *headers = item_headers_json(item);
	const char *values[] = {stream_options.group, item->part->topic, part, offset, item->data, headers, size,
	item->sqlstate, item->error};
	int			lengths[9] = {0};
	int			formats[9] = {0};
	PGresult   *res;

	lengths[4] = item->len;
	formats[4] = 1;
	res = PQexecParams(conn, sql, 9, NULL, values, lengths, formats, 0);
	if (PQresultStatus(res) == PGRES_COMMAND_OK)
	{
		PQclear(res);
		res = NULL;
	}
	g_free(sql);
	g_free(part);
	g_free(offset);
	g_free(size);
	g_free(headers);
	return res;
}

/*
 * Move the fences over a range and COMMIT: one message, two statements, of which the first
 * fails (by a division) where not each of the fences stood where it should.
 */
static char *
fence_command(void)
{
	GString    *sql = g_string_new(NULL);
	int			moved = 0;

	g_string_append_printf(sql, "WITH moved AS (UPDATE %s.assay_offset o SET next = v.reach, "
						   "at = pg_catalog.clock_timestamp(), moved_by = ", schema);
	append_literal(sql, token);
	g_string_append(sql, " FROM (VALUES ");
	for (guint i = 0; i < parts->len; i++)
	{
		const Part *p = parts->pdata[i];

		if (p->reach < 0)
			continue;
		g_string_append(sql, moved++ > 0 ? ", (" : "(");
		append_literal(sql, p->topic);
		g_string_append_printf(sql, ", %d, %" PRId64 "::pg_catalog.int8, %" PRId64 "::pg_catalog.int8)",
							   p->part, p->base, p->reach);
	}
	g_string_append(sql, ") v (topic, part, next, reach) WHERE o.grp = ");
	append_literal(sql, stream_options.group);
	g_string_append_printf(sql, " AND o.topic = v.topic AND o.part = v.part AND o.next = v.next RETURNING 1) "
						   "SELECT 1 / CASE WHEN pg_catalog.count(*) = %d THEN 1 ELSE 0 END FROM moved; COMMIT", moved);
	return g_string_free(sql, FALSE);
}

/* Read what became of the rows of a range, write its dead letters, move the fences, commit */
static Outcome
commit_rows(Batch *b, guint first, guint last)
{
	PGresult   *bad;
	char	   *command;
	int			good;
	bool		rows = chosen_rows > 0;

	if (none_chosen())
		return DONE;
	bad = rows ? read_results(&good) : NULL;
	for (guint i = first; bad == NULL && i < last; i++)
	{
		Item	   *item = b->items->pdata[i];

		if (item->chosen && item->error != NULL && (bad = write_dead_letter(item)) != NULL)
			rows = false;
	}
	if (bad != NULL)
	{
		Outcome		outcome = judge(bad, rows);

		if (outcome != AWAY)
			PQclear(PQexec(conn, "ROLLBACK"));
		return outcome;
	}
	command = fence_command();
	PQsendQuery(conn, command);
	g_free(command);
	bad = read_results(&good);
	if (bad == NULL)
		return DONE;
	if (PQstatus(conn) == CONNECTION_OK)
		PQclear(PQexec(conn, "ROLLBACK"));
	if (good == 0 && g_strcmp0(PQresultErrorField(bad, PG_DIAG_SQLSTATE), "22012") == 0)
	{
		PQclear(bad);
		return FENCED;
	}

	/*
	 * what fails in the COMMIT itself is about the rows: a deferred
	 * constraint
	 */
	return judge(bad, rows && good == 1);
}

/* ---- what becomes of a range ------------------------------------------------ */

/* It is committed: count, and tell the source */
static void
settle(Batch *b, guint first, guint last)
{
	bool		loaded = false;

	for (guint i = first; i < last; i++)
	{
		Item	   *item = b->items->pdata[i];

		if (item->state != ITEM_PENDING || !item->chosen)
			continue;
		item->state = ITEM_SETTLED;
		item->part->next = MAX(item->part->next, item->offset + 1);
		if (item->mark)
			continue;
		stats.bytes += item->len;
		if (item->error != NULL)
		{
			stats.dead++;
			report("\"%s/%d#%" PRId64 "\" is a dead letter: %s", item->part->topic, item->part->part,
				   item->offset, item->error);
		}
		else
		{
			stats.loaded++;
			loaded = true;
		}
		if (source->settled != NULL)
			source->settled(item);
	}
	if (loaded)
		dead_in_a_row = 0;
}

/* The server objects to this message.  To every one?  Then it is something else. */
static void
condemn(Item *item)
{
	item->error = trouble_text();
	item->sqlstate = g_strdup(PQresultErrorField(trouble, PG_DIAG_SQLSTATE));
	if (++dead_in_a_row <= stream_options.max_dead)
		return;
	source->close();
	report("hint: --max-dead sets how many messages in a row may be dead letters");
	fatal("stopped at \"%s/%d#%" PRId64 "\", since the server refused the %d messages before it, too: %s",
		  item->part->topic, item->part->part, item->offset, stream_options.max_dead, item->error);
}

/* Nothing can be loaded: the end, with what is committed acknowledged */
static void G_GNUC_NORETURN
stop_broken(void)
{
	char	   *text = trouble_text();

	source->close();
	fatal("%s", text);
}

/* Was it not refused, but only took too long, or was cancelled by somebody? */
static bool
was_cancelled(void)
{
	return g_strcmp0(PQresultErrorField(trouble, PG_DIAG_SQLSTATE), "57014") == 0;
}

/* Make all that is needed good for another attempt */
static void
prepare_again(Outcome outcome, int attempt)
{
	if (outcome == FENCED)
		stats.fenced++;
	else
	{
		stats.retries++;
		if (outcome == AWAY)
		{
			if (conn != NULL)
			{
				char	   *text = trouble_text();

				report("can't load for now: %s", text);
				g_free(text);
			}
			batch_disconnect();
			stats.away = true;
		}
		wait_a_while(attempt);
	}
	parts_read();
}

/* Bring a range to its end, given what became of it so far */
static void
work_off(Batch *b, guint first, guint last, Outcome outcome)
{
	for (int attempt = 0; outcome != DONE; attempt++)
	{
		if (outcome == BROKEN)
			stop_broken();
		if (outcome == REFUSED && last - first > 1)
		{
			guint		middle = first + (last - first) / 2;

			/* halves are transactions of their own, in their order */
			PQclear(trouble);
			trouble = NULL;
			work_off(b, first, middle, AGAIN);
			work_off(b, middle, last, AGAIN);
			return;
		}

		/*
		 * a server that is slow for a while refuses nothing; a message that
		 * takes long each time is to blame
		 */
		if (outcome == REFUSED && was_cancelled() && attempt < MAX_CANCELLED)
			outcome = AGAIN;
		if (outcome == REFUSED)
			condemn(b->items->pdata[first]);
		else if (outcome != AGAIN || trouble != NULL)
			prepare_again(outcome, attempt);
		PQclear(trouble);
		trouble = NULL;
		outcome = send_rows(b, first, last);
		if (outcome == DONE)
			outcome = commit_rows(b, first, last);
	}
	settle(b, first, last);
}

/* ---- for the main loop ------------------------------------------------------ */

/* Make rows of what is new in the batch */
void
batch_encode(Batch *b)
{
	for (int attempt = 0; b->encoded < b->items->len;)
	{
		Item	   *item = b->items->pdata[b->encoded];

		if (item->mark || item_encode(item, b->rows))
			b->encoded++;
		else
			wait_a_while(attempt++);
	}
}

/* Send a batch; there must be none on its way */
void
batch_send(Batch *b)
{
	if (conn == NULL)
		parts_read();
	sent_at = g_get_monotonic_time();
	in_flight = b;
	sent = send_rows(b, 0, b->items->len);
}

/* Has the server an answer for the batch on its way, or is there none? */
bool
batch_ready(void)
{
	if (in_flight == NULL || conn == NULL || sent != DONE)
		return true;
	return PQconsumeInput(conn) == 0 || PQisBusy(conn) == 0;
}

/* Bring the batch on its way to its end */
void
batch_finish(void)
{
	Batch	   *b = in_flight;

	/* a source may ask for it while that waits for the server */
	if (b == NULL || finishing)
		return;
	finishing = true;
	if (sent == DONE)
		sent = commit_rows(b, 0, b->items->len);
	work_off(b, 0, b->items->len, sent);
	finishing = false;
	in_flight = NULL;
	stats.last_usecs = g_get_monotonic_time() - sent_at;
	stats.batch_usecs += stats.last_usecs;
	stats.batches++;
	batch_clear(b);
}
