/*
 * columns.c
 *	  Which columns there are for what a message holds, which of them a table
 *	  has, and how a value is written into COPY's binary format.
 *
 * Facts of a message (message_facts.h) are columns under the names that they
 * have there.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "message_facts.h"

/* Microseconds between 1970-01-01 and PostgreSQL's 2000-01-01 */
#define PG_EPOCH_USECS	(INT64_C(946684800) * 1000000)

/* What COPY sends for an address family in an inet */
#define PGSQL_AF_INET	2
#define PGSQL_AF_INET6	3

typedef enum Kind
{
	KIND_TEXT, KIND_TEXT_ARRAY, KIND_TIME, KIND_BOOL, KIND_BIGINT, KIND_INET, KIND_JSON,
	KIND_DEFECTS, KIND_BUFFER, KIND_HIDDEN_SHARE, KIND_BYTES, KIND_INTEGER, KIND_REAL
} Kind;

/* The columns that we know.  The order is that of --create-table. */
typedef struct KnownColumn
{
	const char *name;
	Kind		kind;
	size_t		offset;
	const char *comment;
} KnownColumn;

static const KnownColumn known_columns[] =
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
	"Attachments: [{\"name\", \"type\", \"size\", \"sha256\" ...}]"},
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
};

/* Those that come behind the facts */
static const KnownColumn last_columns[] =
{
	{"image_only", KIND_BOOL, offsetof(Message, image_only),
	"HTML with a picture and no text worth the name besides"},
	{"html_images", KIND_INTEGER, offsetof(Message, html_images),
	"Pictures in HTML, other than those of a pixel or two"},
	{"html_forms", KIND_INTEGER, offsetof(Message, html_forms),
	"Forms in HTML, attached pages included"},
	{"html_password_inputs", KIND_INTEGER, offsetof(Message, html_password_inputs),
	"Fields in them that ask for a password"},
	{"html_scripts", KIND_INTEGER, offsetof(Message, html_scripts),
	"Scripts in HTML, attached pages included"},
	{"attachment_count", KIND_INTEGER, offsetof(Message, attachment_count),
	"Attachments"},
	{"attachment_bytes", KIND_BIGINT, offsetof(Message, attachment_bytes),
	"Their size, decoded"},
	{"attachment_names", KIND_TEXT_ARRAY, offsetof(Message, attachment_names),
	"Names of attachments; this and the next three arrays are parallel, with '' for what there is not"},
	{"attachment_types", KIND_TEXT_ARRAY, offsetof(Message, attachment_types),
	"Types as they are declared"},
	{"attachment_detected", KIND_TEXT_ARRAY, offsetof(Message, attachment_detected),
	"Types by their bytes"},
	{"attachment_sha256", KIND_TEXT_ARRAY, offsetof(Message, attachment_sha256),
	"SHA-256 in hexadecimal"},
	{"attachment_suffixes", KIND_TEXT_ARRAY, offsetof(Message, attachment_suffixes),
	"Distinct suffixes of attachments' names and of what is in archives, lower case"},
	{"attachment_archives", KIND_INTEGER, offsetof(Message, attachment_archives),
	"Attachments that are archives"},
	{"attachment_encrypted", KIND_INTEGER, offsetof(Message, attachment_encrypted),
	"Archives and documents that need a password"},
	{"attachment_macros", KIND_INTEGER, offsetof(Message, attachment_macros),
	"Office documents with macros"},
	{"attachment_type_mismatches", KIND_INTEGER, offsetof(Message, attachment_type_mismatches),
	"Attachments that run when opened, by their bytes, but are named as something else"},
	{"attachment_entries", KIND_TEXT_ARRAY, offsetof(Message, attachment_entries),
	"Names of what is in archives"},
	{"attachment_text", KIND_BUFFER, offsetof(Message, attachment_text),
	"Text of attached HTML, calendars and text"},
	{"qr_texts", KIND_TEXT_ARRAY, offsetof(Message, qr_texts),
	"What QR codes in pictures say, with --qr"},
	{"html", KIND_BUFFER, offsetof(Message, html),
	"Source of the HTML parts, decoded"},
	{"raw", KIND_BYTES, offsetof(Message, raw),
	"The message as it came"},
};

#define NUM_FIRST	((int) G_N_ELEMENTS(known_columns))
#define NUM_LAST	((int) G_N_ELEMENTS(last_columns))

/* The columns of the target table that are filled */
typedef struct Target
{
	int			known;
	Oid			element;		/* of an array */
	bool		plain_json;		/* json, not jsonb */
	bool		wide;			/* bigint or double precision for less */
} Target;

static GArray *targets;

int
columns_known(void)
{
	return NUM_FIRST + message_nfields + NUM_LAST;
}

/* The fact that a column holds, or NULL */
static const FactField *
fact_of(int k)
{
	k -= NUM_FIRST;
	return k >= 0 && k < message_nfields ? &message_fields[k] : NULL;
}

/* A column that is no fact */
static const KnownColumn *
column_of(int k)
{
	return k < NUM_FIRST ? &known_columns[k] : &last_columns[k - NUM_FIRST - message_nfields];
}

const char *
columns_name(int k)
{
	return fact_of(k) != NULL ? fact_of(k)->name : column_of(k)->name;
}

const char *
columns_comment(int k)
{
	return fact_of(k) != NULL ? fact_of(k)->comment : column_of(k)->comment;
}

/* Of facts the kind by which their type is known */
static Kind
kind_of(int k)
{
	if (fact_of(k) == NULL)
		return column_of(k)->kind;
	switch (fact_of(k)->kind)
	{
		case FIELD_COUNT:
			return KIND_INTEGER;
		case FIELD_SHARE:
		case FIELD_ENTROPY:
			return KIND_REAL;
		case FIELD_FLAG:
		case FIELD_BOOL:
			return KIND_BOOL;
		case FIELD_LIST:
			return KIND_TEXT_ARRAY;
		default:
			return KIND_TEXT;
	}
}

/* The type of a new table's column */
const char *
columns_type(int k)
{
	static const char *const types[] = {
		[KIND_TEXT] = "text",[KIND_TEXT_ARRAY] = "text[]",[KIND_TIME] = "timestamptz",
		[KIND_BOOL] = "boolean",[KIND_BIGINT] = "bigint",[KIND_INET] = "inet",
		[KIND_JSON] = "jsonb",[KIND_DEFECTS] = "text[]",[KIND_BUFFER] = "text",
		[KIND_HIDDEN_SHARE] = "double precision",[KIND_BYTES] = "bytea",[KIND_INTEGER] = "integer",
		[KIND_REAL] = "real"
	};

	return types[kind_of(k)];
}

/* Is a column one of those that are filled?  Sources only when they are wanted. */
bool
columns_wanted(int k)
{
	/* what is read again is not written again, nor where it came from */
	if (options.reparse)
		return strcmp(columns_name(k), "raw") != 0 && strcmp(columns_name(k), "source") != 0 &&
			strcmp(columns_name(k), "mailbox") != 0;
	if (strcmp(columns_name(k), "html") == 0)
		return options.keep_html;
	if (strcmp(columns_name(k), "raw") == 0)
		return options.keep_raw;
	return true;
}

int
columns_targets(void)
{
	return targets->len;
}

const char *
columns_target_name(int t)
{
	return columns_name(g_array_index(targets, Target, t).known);
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
		case KIND_INTEGER:
			*expected = "integer";
			return strcmp(type, "int4") == 0 || strcmp(type, "int8") == 0;
		case KIND_REAL:
			*expected = "real";
			return strcmp(type, "float4") == 0 || strcmp(type, "float8") == 0;
		case KIND_JSON:
			*expected = "jsonb";
			return strcmp(type, "jsonb") == 0 || strcmp(type, "json") == 0;
	}
	return strcmp(name, "text") == 0 || strcmp(name, "varchar") == 0 || strcmp(name, "citext") == 0;
}

/* What is to be kept needs a column to be kept in */
static void
check_kept(const char *table)
{
	if (options.reparse)
		return;
	for (int k = 0; k < columns_known(); k++)
	{
		bool		found = false;

		for (guint t = 0; t < targets->len; t++)
			found |= g_array_index(targets, Target, t).known == k;
		if (!found && columns_wanted(k) &&
			(strcmp(columns_name(k), "html") == 0 || strcmp(columns_name(k), "raw") == 0))
			fatal("table %s has no column \"%s\" for --keep", table, columns_name(k));
	}
}

/*
 * Which of our columns the table has, into targets and the list of their names.
 * The result has a row for each of its columns: name, type, type of elements,
 * that one's name, attgenerated, the type as one writes it, whether it is of
 * the primary key.
 */
void
columns_target(const PGresult *cols, const char *table, GString *list)
{
	GHashTable *places = g_hash_table_new(g_str_hash, g_str_equal);

	targets = g_array_new(FALSE, TRUE, sizeof(Target));
	for (int i = 0; i < PQntuples(cols); i++)
		g_hash_table_insert(places, PQgetvalue(cols, i, 0), GINT_TO_POINTER(i + 1));
	for (int k = 0; k < columns_known(); k++)
	{
		int			i = GPOINTER_TO_INT(g_hash_table_lookup(places, columns_name(k))) - 1;
		const char *expected = "";
		const char *type;
		Target		t = {.known = k};

		if (i < 0 || !columns_wanted(k) || PQgetvalue(cols, i, 4)[0] != '\0' ||
			(options.reparse && strcmp(PQgetvalue(cols, i, 6), "t") == 0))
			continue;
		type = PQgetvalue(cols, i, 1);
		if (!is_type_of_kind(kind_of(k), type, PQgetvalue(cols, i, 3), &expected))
			fatal("column \"%s\" of table %s has type %s, but %s is needed",
				  columns_name(k), table, PQgetvalue(cols, i, 5), expected);
		t.element = strtoul(PQgetvalue(cols, i, 2), NULL, 10);
		t.plain_json = strcmp(type, "json") == 0;
		t.wide = strcmp(type, "int8") == 0 || strcmp(type, "float8") == 0;
		if (fact_of(k) != NULL)
			options.want_facts = true;
		g_array_append_val(targets, t);
		g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", columns_name(k));
	}
	g_hash_table_destroy(places);
	check_kept(table);
}

/* ---- encoding ------------------------------------------------------------ */

void
put16(GByteArray *a, int v)
{
	guint8		b[2] = {v >> 8, v};

	g_byte_array_append(a, b, 2);
}

void
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
put_array(GByteArray *a, const char *const *items, guint n, Oid element)
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

/* An inet, or NULL where the text is not one */
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
void
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
	const char *items[NUM_DEFECTS];
	guint		n = 0;

	for (int d = 0; d < NUM_DEFECTS; d++)
		if ((defects & ((uint32_t) 1 << d)) != 0)
			items[n++] = defect_names[d];
	put_array(a, items, n, element);
}

/* An integer of the column's width */
static void
put_integer(GByteArray *a, const Target *t, int32_t v)
{
	put32(a, t->wide ? 8 : 4);
	if (t->wide)
		put64(a, v);
	else
		put32(a, v);
}

static void
put_real(GByteArray *a, const Target *t, float v)
{
	uint32_t	bits;

	put32(a, t->wide ? 8 : 4);
	memcpy(&bits, &v, sizeof(bits));
	if (t->wide)
		put_double(a, v);
	else
		put32(a, bits);
}

static void
put_bool(GByteArray *a, bool v)
{
	guint8		b = v ? 1 : 0;

	put32(a, 1);
	g_byte_array_append(a, &b, 1);
}

/* A fact of a message */
static void
put_fact(GByteArray *a, const Message *m, const Target *t, const FactField *field)
{
	FactValue	v;

	MessageFactValue(m->facts, field, &v);
	if (v.isnull)
	{
		put32(a, -1);
		return;
	}
	switch (field->kind)
	{
		case FIELD_COUNT:
			put_integer(a, t, v.count);
			break;
		case FIELD_SHARE:
		case FIELD_ENTROPY:
			put_real(a, t, v.share);
			break;
		case FIELD_FLAG:
		case FIELD_BOOL:
			put_bool(a, v.flag);
			break;
		case FIELD_LIST:
			put_array(a, v.list.strings, v.list.n, t->element);
			break;
		default:
			put_text(a, v.string.data, v.string.len);
			break;
	}
}

/* A field of a message as a value of COPY's binary format */
static void
put_column(GByteArray *a, const Message *m, const Target *t)
{
	const KnownColumn *column = column_of(t->known);
	const void *field = (const char *) m + column->offset;

	switch (column->kind)
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

				put_array(a, (const char *const *) items->pdata, items->len, t->element);
				break;
			}
		case KIND_DEFECTS:
			put_defects(a, m->defects, t->element);
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
			put_bool(a, *(const bool *) field);
			break;
		case KIND_INTEGER:
			put_integer(a, t, *(const int32_t *) field);
			break;
		case KIND_REAL:
			/* facts only */
			break;
		case KIND_BIGINT:
			put32(a, 8);
			put64(a, *(const int64_t *) field);
			break;
		case KIND_INET:
			put_inet(a, *(char *const *) field);
			break;
		case KIND_JSON:
			put_json(a, *(GString *const *) field, t->plain_json);
			break;
	}
}

/* The values of all columns that are filled, in the order of their list */
void
columns_put(GByteArray *a, const Message *m)
{
	for (guint i = 0; i < targets->len; i++)
	{
		const Target *t = &g_array_index(targets, Target, i);
		const FactField *fact = fact_of(t->known);

		if (fact != NULL)
			put_fact(a, m, t, fact);
		else
			put_column(a, m, t);
	}
}
