/*
 * reparse.c
 *	  Messages that a table kept with --keep=raw are read again, and the columns
 *	  of their rows filled anew.
 *
 * A connection of its own sends the messages; copy.c takes the rows that come
 * of them into a temporary table, from which an UPDATE has them by the primary
 * key, in whatever types that is.
 */
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "columns.h"

#define SCRATCH		"pg_temp.assay_reparse"

/* What the messages are asked for by */
static char *select_command;
static int	num_keys;

/*
 * The columns of the primary key, quoted, and by what each is equal: its index's
 * operator, not one for just these types that the search_path has.
 */
static PGresult *
find_keys(PGconn *conn, const char *oid, const char *table)
{
	PGresult   *res = server_query(conn,
								   "SELECT pg_catalog.quote_ident(a.attname), pg_catalog.quote_ident(n.nspname) || '.' || o.oprname::pg_catalog.text "
								   "FROM pg_catalog.pg_index i "
								   "CROSS JOIN pg_catalog.generate_series(0, i.indnkeyatts - 1) k "
								   "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k] "
								   "JOIN pg_catalog.pg_opclass c ON c.oid = i.indclass[k] "
								   "JOIN pg_catalog.pg_amop s ON s.amopfamily = c.opcfamily AND s.amopstrategy = 3 "
								   "AND s.amoplefttype = c.opcintype AND s.amoprighttype = c.opcintype "
								   "JOIN pg_catalog.pg_operator o ON o.oid = s.amopopr "
								   "JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace "
								   "WHERE i.indrelid = $1 AND i.indisprimary ORDER BY a.attnum", 1, &oid);

	if (PQntuples(res) == 0)
		fatal("table %s has no primary key, by which --reparse finds rows again", table);
	return res;
}

/* Has the table such a column?  The expression for it, or NULL */
static char *
expression(PGconn *conn, const char *oid, const char *column, const char *sql)
{
	const char *params[] = {oid, column};
	PGresult   *res = server_query(conn,
								   "SELECT FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND attname = $2 "
								   "AND attnum > 0 AND NOT attisdropped", 2, params);
	char	   *found = g_strdup(PQntuples(res) == 1 ? sql : "NULL");

	PQclear(res);
	return found;
}

/* What is asked of each message besides its key */
static const char *const parts[][2] = {
	{"raw", "raw"},
	{"source", "source::pg_catalog.text"},
	{"mailbox", "mailbox::pg_catalog.text"},
	{"received_at", "(pg_catalog.date_part('epoch', received_at) * 1000000::pg_catalog.float8)::pg_catalog.int8"},
	{"size_bytes", "size_bytes::pg_catalog.int8"},
	{"defects", "pg_catalog.array_to_string(defects, ' ')::pg_catalog.text"},
};

enum
{
	PART_RAW, PART_SOURCE, PART_MAILBOX, PART_RECEIVED_AT, PART_SIZE_BYTES, PART_DEFECTS
};

/* The temporary table; returns the COPY into it, and the UPDATE from it */
char	   *
reparse_prepare(PGconn *conn, const char *oid, const char *table, char **update)
{
	PGresult   *keys = find_keys(conn, oid, table);
	GString    *select = g_string_new("SELECT ");
	GString    *create = g_string_new("CREATE TEMPORARY TABLE assay_reparse ON COMMIT DELETE ROWS AS SELECT ");
	GString    *set = g_string_new(NULL);
	GString    *same = g_string_new(NULL);

	num_keys = PQntuples(keys);
	for (int i = 0; i < num_keys; i++)
	{
		const char *key = PQgetvalue(keys, i, 0);

		g_string_append_printf(select, "%s, ", key);
		g_string_append_printf(create, "%s%s AS key_%d", i > 0 ? ", " : "", key, i);
		g_string_append_printf(same, "%st.%s OPERATOR(%s) x.key_%d", i > 0 ? " AND " : "", key, PQgetvalue(keys, i, 1), i);
	}
	for (int t = 0; t < columns_targets(); t++)
	{
		const char *name = columns_target_name(t);

		g_string_append_printf(create, ", %s", name);
		g_string_append_printf(set, "%s%s = x.%s", t > 0 ? ", " : "", name, name);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
	{
		char	   *part = expression(conn, oid, parts[i][0], parts[i][1]);

		if (i == PART_RAW && strcmp(part, "NULL") == 0)
			fatal("table %s has no column \"raw\", in which --keep=raw keeps messages", table);
		g_string_append_printf(select, "%s%s", i > 0 ? ", " : "", part);
		g_free(part);
	}
	g_string_append_printf(select, " FROM %s WHERE raw IS NOT NULL", table);
	g_string_append_printf(create, " FROM %s WITH NO DATA", table);
	if (columns_targets() > 0)
		PQclear(server_query(conn, create->str, 0, NULL));
	*update = g_strdup_printf("UPDATE %s t SET %s FROM %s x WHERE %s", table, set->str, SCRATCH, same->str);
	select_command = g_string_free(select, FALSE);
	g_string_free(create, TRUE);
	g_string_free(set, TRUE);
	g_string_free(same, TRUE);
	PQclear(keys);
	return g_strdup("COPY " SCRATCH " FROM STDIN (FORMAT binary)");
}

/* A bigint of a row in binary form; false for NULL */
static bool
get_bigint(const PGresult *res, int column, int64_t *value)
{
	uint32_t	halves[2];

	if (PQgetisnull(res, 0, column) || PQgetlength(res, 0, column) != 8)
		return false;
	memcpy(halves, PQgetvalue(res, 0, column), 8);
	*value = (int64_t) ((uint64_t) ntohl(halves[0]) << 32 | ntohl(halves[1]));
	return true;
}

/* A row's key, as COPY has it */
static void
take_key(GString *keys, const PGresult *res)
{
	g_string_truncate(keys, 0);
	for (int i = 0; i < num_keys; i++)
	{
		uint32_t	len = htonl(PQgetlength(res, 0, i));

		g_string_append_len(keys, (char *) &len, 4);
		g_string_append_len(keys, PQgetvalue(res, 0, i), PQgetlength(res, 0, i));
	}
}

/* A row to a message as it was found in a file */
static void
deliver_row(const PGresult *res, DeliverFn deliver)
{
	static GString *keys = NULL;
	RawMessage	raw = {0};
	int			at = num_keys;
	const char *defects = PQgetvalue(res, 0, at + PART_DEFECTS);
	int64_t		size;

	if (keys == NULL)
		keys = g_string_new(NULL);
	take_key(keys, res);
	raw.keys = keys;
	raw.num_keys = num_keys;
	raw.len = PQgetlength(res, 0, at + PART_RAW);
	raw.data = g_malloc(raw.len + 1);
	memcpy(raw.data, PQgetvalue(res, 0, at + PART_RAW), raw.len);
	raw.data[raw.len] = '\0';
	raw.source = PQgetisnull(res, 0, at + PART_SOURCE) ? "" : PQgetvalue(res, 0, at + PART_SOURCE);
	raw.mailbox = PQgetisnull(res, 0, at + PART_MAILBOX) ? NULL : PQgetvalue(res, 0, at + PART_MAILBOX);
	/* where the time was a guess, it stays */
	get_bigint(res, at + PART_RECEIVED_AT, &raw.mtime);
	raw.size = raw.len;
	if (get_bigint(res, at + PART_SIZE_BYTES, &size) && size > raw.size)
		raw.size = size;
	/* what the message itself doesn't show */
	if (strstr(defects, defect_names[DEFECT_TRUNCATED_MESSAGE]) != NULL)
		raw.defects |= (uint32_t) 1 << DEFECT_TRUNCATED_MESSAGE;
	if (strstr(defects, defect_names[DEFECT_NO_FROM_LINE]) != NULL)
		raw.defects |= (uint32_t) 1 << DEFECT_NO_FROM_LINE;
	deliver(&raw);
	g_free(raw.data);
}

/* Read all kept messages again. */
void
reparse_read(DeliverFn deliver)
{
	PGconn	   *conn = server_connect();
	PGresult   *res;

	if (PQsendQueryParams(conn, select_command, 0, NULL, NULL, NULL, NULL, 1) != 1 || PQsetSingleRowMode(conn) != 1)
		fatal_retry("%s", g_strchomp(g_strdup(PQerrorMessage(conn))));
	while ((res = PQgetResult(conn)) != NULL)
	{
		if (PQresultStatus(res) == PGRES_SINGLE_TUPLE && !interrupted)
			deliver_row(res, deliver);
		else if (PQresultStatus(res) != PGRES_SINGLE_TUPLE && PQresultStatus(res) != PGRES_TUPLES_OK)
			server_give_up(conn, res, g_strchomp(g_strdup(PQresultErrorMessage(res))));
		PQclear(res);
		if (interrupted)
			break;
	}
	PQfinish(conn);
}
