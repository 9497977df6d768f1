/*
 * feedback.c
 *	  Mail that is about other mail: complaints (ARF, RFC 5965), bounces (DSN,
 *	  RFC 3464), and messages that people forward to say that they are bad.
 *
 * Each names messages of the table, by what it has of their headers.  The
 * server finds them and writes labels: assay.label_reported(), a batch in one
 * transaction.
 *
 * Anybody can send such mail about anything.  It counts where it comes from
 * one of --reporter, whose domain a server of --authserv-id found to be the
 * sender's; whoever reports a message must have got it, unless it is a complaint
 * or bounce from an address of --reporter.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "columns.h"
#include "feedback.h"
#include "message_facts.h"

#define MAX_REPORTERS	1000
#define MAX_FIELDS		(1024 * 1024)	/* bytes of a report's fields that are
										 * read */
#define MAX_NAMED		100		/* recipients that a report names */

/* Who says what, and how sure that is */
typedef enum Kind
{
	KIND_COMPLAINT, KIND_BOUNCE, KIND_USER_REPORT, NUM_KINDS
} Kind;

static struct
{
	const char *source;
	double		confidence;
}			kinds[NUM_KINDS] = {
	{"complaint", 0.8}, {"bounce", 0.3}, {"user report", 0.7}
};

/* What becomes of a mail, or of a report in it; the first ones are found here, the others by the server */
static const char *const outcomes[] = {
	"no report", "no verdict", "other reporter", "not authenticated",
	"labelled", "known", "surer", "unknown", "other sender", "other recipient", "ambiguous", "invalid"
};

enum
{
	NO_REPORT, NO_VERDICT, OTHER_REPORTER, NOT_AUTHENTICATED, LABELLED
};

static int64_t counts[G_N_ELEMENTS(outcomes)];

/* What a report says */
typedef struct FeedbackReport
{
	Kind		kind;
	bool		malicious;
	const char *category;		/* or NULL */
	char	   *mail_from;
	char	   *source_ip;
	int64_t		arrived_at;
	GPtrArray  *recipients;		/* one of which the message must have */
} FeedbackReport;

/* A report on its way to the server */
typedef struct PendingReport
{
	char	   *json;
	char	   *source;
} PendingReport;

static const char *reporters[MAX_REPORTERS];
static int	num_reporters;
static PGconn *conn;
static GPtrArray *pending;
static Message *original;

/* ---- options ------------------------------------------------------------- */

/* --reporter=ADDRESS, --reporter=DOMAIN */
void
feedback_reporter(const char *value)
{
	if (num_reporters >= MAX_REPORTERS)
		fatal("--reporter may be given %d times at most", MAX_REPORTERS);
	if (value[0] == '\0')
		fatal("--reporter must be an address or a domain");
	reporters[num_reporters++] = value;
}

/* --confidence=complaint=0.8 */
void
feedback_confidence(const char *value)
{
	const char *equals = strchr(value, '=');

	for (int k = 0; k < NUM_KINDS && equals != NULL; k++)
		if (strlen(kinds[k].source) == (size_t) (equals - value) &&
			strncmp(kinds[k].source, value, equals - value) == 0)
		{
			char	   *end;
			double		confidence = g_ascii_strtod(equals + 1, &end);

			if (end == equals + 1 || *end != '\0' || !(confidence > 0 && confidence <= 1))
				break;
			kinds[k].confidence = confidence;
			return;
		}
	fatal("--confidence must be complaint, bounce or user report, =, and a number above 0 up to 1, not \"%s\"", value);
}

static void
free_pending(gpointer p)
{
	PendingReport *one = p;

	g_free(one->json);
	g_free(one->source);
	g_free(one);
}

/* The options are read: begin */
void
feedback_start(void)
{
	if (num_reporters == 0)
		fatal("--feedback needs a --reporter: whose word counts");
	if (options.num_authserv_ids == 0 && !options.trust_from)
		fatal("--feedback needs an --authserv-id, by whose results a reporter is told from who pretends to be one, "
			  "or --trust-from");
	pending = g_ptr_array_new_with_free_func(free_pending);
	original = message_new();
	if (!options.dry_run)
		conn = server_connect();
}

/* ---- who says it ---------------------------------------------------------- */

typedef enum Reporter
{
	NO_REPORTER,
	BY_DOMAIN,					/* anybody of a domain */
	BY_ADDRESS
} Reporter;

/* Is it one of --reporter, by its address, or its domain or one above? */
static Reporter
find_reporter(const Message *m)
{
	Reporter	found = NO_REPORTER;

	if (m->from_addr == NULL || m->from_domain == NULL || HAS_DEFECT(m, DEFECT_MULTIPLE_FROM))
		return NO_REPORTER;
	for (int i = 0; i < num_reporters; i++)
	{
		const char *who = reporters[i];
		size_t		n = strlen(who);
		size_t		len = strlen(m->from_domain);

		if (strchr(who, '@') != NULL)
		{
			if (g_ascii_strcasecmp(who, m->from_addr) == 0)
				return BY_ADDRESS;
		}
		else if (len >= n && g_ascii_strcasecmp(m->from_domain + len - n, who) == 0 &&
				 (len == n || m->from_domain[len - n - 1] == '.'))
			found = BY_DOMAIN;
	}
	return found;
}

/* Did a server of ours find that it comes from From's domain? */
static bool
is_authentic(const Message *m)
{
	if (options.trust_from)
		return true;
	return m->facts != NULL && (m->facts->spf_aligned == FLAG_YES || m->facts->dkim_aligned == FLAG_YES);
}

/* ---- fields of a report --------------------------------------------------- */

/* The next block of lines, behind which an empty one follows */
static char *
next_block(const char **s)
{
	const char *p = *s;
	const char *end;

	while (*p == '\n' || *p == '\r' || *p == ' ' || *p == '\t')
		p++;
	if (*p == '\0')
		return NULL;
	for (end = p; *end != '\0'; end++)
		if (*end == '\n' && (end[1] == '\n' || (end[1] == '\r' && end[2] == '\n')))
			break;
	*s = end;
	return g_strndup(p, end - p);
}

/* The nth field of a name (from 0) in a block, unfolded, or NULL */
static char *
field(const char *block, const char *name, int n)
{
	size_t		len = strlen(name);

	for (const char *s = block; s != NULL && *s != '\0'; s = strchr(s, '\n'), s = s != NULL ? s + 1 : NULL)
	{
		const char *end;
		char	   *value;

		if (g_ascii_strncasecmp(s, name, len) != 0 || s[len] != ':' || n-- > 0)
			continue;
		s += len + 1;
		end = s + strcspn(s, "\n");
		while (end[0] == '\n' && (end[1] == ' ' || end[1] == '\t'))
			end += 1 + strcspn(end + 1, "\n");
		value = g_strdelimit(g_strndup(s, end - s), "\r\n\t", ' ');
		return g_strstrip(value);
	}
	return NULL;
}

/* "rfc822; Ann <ann@example.org>" to the address, or NULL */
static char *
field_address(const char *block, const char *name, int n)
{
	char	   *value = field(block, name, n);
	char	   *s = value;
	char	   *result = NULL;

	if (s == NULL)
		return NULL;
	if (strchr(s, ';') != NULL)
		s = strchr(s, ';') + 1;
	if (strchr(s, '<') != NULL)
	{
		s = strrchr(s, '<') + 1;
		s[strcspn(s, ">")] = '\0';
	}
	s = text_clean(g_strstrip(s), -1, original, DEFECT_BAD_CHARSET);
	result = text_lower(s);
	g_free(s);
	g_free(value);
	return result;
}

/* A field as text that the server takes, or NULL */
static char *
field_text(const char *block, const char *name)
{
	char	   *value = field(block, name, 0);
	char	   *clean = value != NULL ? text_clean(value, -1, original, DEFECT_BAD_CHARSET) : NULL;

	g_free(value);
	return clean;
}

static int64_t
field_time(const char *block, const char *name)
{
	char	   *value = field(block, name, 0);
	int64_t		t = value != NULL ? parse_date(value) : NO_TIME;

	g_free(value);
	return t;
}

static void
add_recipient(FeedbackReport *r, char *address)
{
	if (address != NULL && address[0] != '\0' && r->recipients->len < MAX_NAMED)
		g_ptr_array_add(r->recipients, address);
	else
		g_free(address);
}

/* What kind of complaint is which verdict; false where it is none */
static bool
complaint_verdict(const char *type, FeedbackReport *r)
{
	static const struct
	{
		const char *type;
		bool		malicious;
		const char *category;
	}			types[] = {
		{"abuse", true, "spam"}, {"fraud", true, "phishing"}, {"virus", true, "malware"}, {"not-spam", false, NULL}
	};

	for (size_t i = 0; i < G_N_ELEMENTS(types) && type != NULL; i++)
		if (g_ascii_strcasecmp(type, types[i].type) == 0)
		{
			r->malicious = types[i].malicious;
			r->category = types[i].category;
			return true;
		}
	return false;
}

/* message/feedback-report */
static bool
read_complaint(const char *fields, FeedbackReport *r)
{
	char	   *block = next_block(&fields);
	char	   *type = field(block, "Feedback-Type", 0);
	bool		verdict = complaint_verdict(type, r);
	char	   *address;

	g_free(type);
	r->kind = KIND_COMPLAINT;
	r->mail_from = field_address(block, "Original-Mail-From", 0);
	r->source_ip = field_text(block, "Source-IP");
	r->arrived_at = field_time(block, "Arrival-Date");
	if (r->arrived_at == NO_TIME)
		r->arrived_at = field_time(block, "Received-Date");
	for (int n = 0; n < MAX_NAMED && (address = field_address(block, "Original-Rcpt-To", n)) != NULL; n++)
		add_recipient(r, address);
	g_free(block);
	return verdict;
}

/* Was a message refused for what it is, and not since nobody is there? (RFC 3463: X.7.X, security or policy) */
static bool
is_refused_as_bad(const char *block)
{
	char	   *action = field(block, "Action", 0);
	char	   *status = field(block, "Status", 0);
	bool		bad = action != NULL && g_ascii_strncasecmp(action, "failed", 6) == 0 &&
	status != NULL && strncmp(status, "5.7.", 4) == 0;

	g_free(action);
	g_free(status);
	return bad;
}

/* message/delivery-status: a block about the message, then one a recipient */
static bool
read_bounce(const char *fields, FeedbackReport *r)
{
	char	   *block = next_block(&fields);
	bool		verdict = false;

	r->kind = KIND_BOUNCE;
	r->malicious = true;
	r->arrived_at = field_time(block, "Arrival-Date");
	g_free(block);
	while ((block = next_block(&fields)) != NULL)
	{
		char	   *address = field_address(block, "Original-Recipient", 0);

		if (address == NULL)
			address = field_address(block, "Final-Recipient", 0);
		if (is_refused_as_bad(block))
		{
			verdict = true;
			add_recipient(r, address);
		}
		else
			g_free(address);
		g_free(block);
	}
	return verdict;
}

/* ---- what it is about ----------------------------------------------------- */

/* The headers of the message that is meant, into original */
static void
read_original(const char *bytes, size_t len)
{
	RawMessage	raw = {0};

	/* its body is of no interest */
	for (size_t i = 0; i + 1 < len; i++)
		if (bytes[i] == '\n' && (bytes[i + 1] == '\n' || (bytes[i + 1] == '\r' && i + 2 < len && bytes[i + 2] == '\n')))
		{
			len = i + 1;
			break;
		}
	raw.data = g_malloc(len + 2);
	memcpy(raw.data, bytes, len);
	memcpy(raw.data + len, "\n", 2);
	raw.len = raw.size = len + 1;
	raw.source = "";
	message_reset(original);
	mail_parse(original, &raw);
	message_bound_names(original);
	g_free(raw.data);
}

static void
add_string(GString *json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	g_string_append_printf(json, "%s\"%s\":", json->len > 1 ? "," : "", key);
	text_json_string(json, value);
}

static void
add_time(GString *json, const char *key, int64_t t)
{
	time_t		seconds = t / 1000000;
	struct tm	tm;
	char		buf[40];

	if (t == NO_TIME || t < 0 || gmtime_r(&seconds, &tm) == NULL || tm.tm_year + 1900 > 9999)
		return;
	strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S+00", &tm);
	add_string(json, key, buf);
}

/* What the server is told: label_reported() says what each member means */
static void
queue_report(const Message *m, const FeedbackReport *r)
{
	GString    *json = g_string_new("{");
	PendingReport *one = g_new0(PendingReport, 1);
	char		number[G_ASCII_DTOSTR_BUF_SIZE];

	add_string(json, "message_id", original->message_id);
	add_string(json, "from_addr", original->from_addr);
	add_string(json, "mail_from", r->mail_from);
	add_string(json, "source_ip", r->source_ip);
	add_time(json, "arrived_at", r->arrived_at);
	add_string(json, "source", kinds[r->kind].source);
	add_string(json, "category", r->category);
	add_string(json, "author", m->from_addr);
	add_time(json, "reported_at", m->received_at);
	g_string_append_printf(json, ",\"malicious\":%s,\"confidence\":%s", r->malicious ? "true" : "false",
						   g_ascii_formatd(number, sizeof(number), "%.6g", kinds[r->kind].confidence));
	if (r->recipients->len > 0)
	{
		g_string_append(json, ",\"recipients\":[");
		for (guint i = 0; i < r->recipients->len; i++)
		{
			if (i > 0)
				g_string_append_c(json, ',');
			text_json_string(json, r->recipients->pdata[i]);
		}
		g_string_append_c(json, ']');
	}
	g_string_append_c(json, '}');
	one->json = g_string_free(json, FALSE);
	one->source = g_strdup(m->source);
	g_ptr_array_add(pending, one);
}

/* ---- to the server -------------------------------------------------------- */

/* One outcome is known */
static void
note(const char *source, size_t outcome)
{
	counts[outcome]++;
	if (options.verbose > 1)
		report("%s: %s", source, outcomes[outcome]);
}

static void
note_named(const char *source, const char *name)
{
	for (size_t k = LABELLED; k < G_N_ELEMENTS(outcomes); k++)
		if (strcmp(outcomes[k], name) == 0)
			note(source, k);
}

/* Reports first ... last-1 in one statement, which is a transaction: its result */
static PGresult *
send_reports(guint first, guint last)
{
	GString    *json = g_string_new("[");
	const char *params[3] = {options.feedback, options.table, NULL};
	PGresult   *res = NULL;

	for (guint i = first; i < last; i++)
		g_string_append_printf(json, "%s%s", i > first ? "," : "", ((PendingReport *) pending->pdata[i])->json);
	g_string_append_c(json, ']');
	params[2] = json->str;
	for (int attempt = 0;; attempt++)
	{
		res = PQexecParams(conn, "SELECT report, outcome FROM assay.label_reported($1, $2::pg_catalog.regclass, $3::pg_catalog.jsonb)",
						   3, NULL, params, NULL, NULL, 0);
		if (PQresultStatus(res) == PGRES_TUPLES_OK || attempt >= 5 ||
			!server_is_transient(PQresultErrorField(res, PG_DIAG_SQLSTATE)))
			break;
		PQclear(res);
		g_usleep(100000 << attempt);
	}
	g_string_free(json, TRUE);
	return res;
}

/* Where some are refused, in halves, down to the one that is at fault */
static void
write_reports(guint first, guint last)
{
	PGresult   *res = send_reports(first, last);

	if (PQresultStatus(res) == PGRES_TUPLES_OK)
	{
		for (int i = 0; i < PQntuples(res); i++)
		{
			guint		k = first + atoi(PQgetvalue(res, i, 0)) - 1;

			if (k < last)
				note_named(((PendingReport *) pending->pdata[k])->source, PQgetvalue(res, i, 1));
		}
	}
	else
	{
		const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
		char	   *text = server_error_text(conn, res);

		if (server_recovers(conn, res))
			fatal_retry("%s", text);

		/*
		 * classes of what data may be at fault for: values, constraints, and
		 * what triggers raise
		 */
		if (strncmp(state, "22", 2) != 0 && strncmp(state, "23", 2) != 0 && strncmp(state, "P0", 2) != 0)
			fatal("%s", text);
		if (last - first == 1)
		{
			report("error: no label for \"%s\": %s", ((PendingReport *) pending->pdata[first])->source, text);
			copy_stats.rejected++;
		}
		else
		{
			write_reports(first, first + (last - first) / 2);
			write_reports(first + (last - first) / 2, last);
		}
		g_free(text);
	}
	PQclear(res);
}

static void
flush_reports(void)
{
	if (pending->len > 0 && !options.dry_run)
		write_reports(0, pending->len);
	g_ptr_array_set_size(pending, 0);
}

/* ---- a mail ---------------------------------------------------------------- */

/* Reports of one mail: of what was attached, else of the headers that it has */
static void
queue_originals(const Message *m, const FeedbackReport *r)
{
	const GString *headers = NULL;

	for (guint i = 0; i < m->unwrapped->len; i++)
	{
		gsize		len;
		const char *bytes = g_bytes_get_data(m->unwrapped->pdata[i], &len);

		read_original(bytes, len);
		queue_report(m, r);

		/*
		 * a complaint or bounce is about one message, whatever is attached
		 * besides
		 */
		if (r->kind != KIND_USER_REPORT)
			return;
	}
	if (m->unwrapped->len > 0)
		return;
	headers = m->report_headers;
	read_original(headers->str, headers->len);
	queue_report(m, r);
}

/* What kind of report it is, and what that says; returns an outcome where it is none that counts */
static int
read_report(const Message *m, FeedbackReport *r)
{
	if (m->report_kind == REPORT_COMPLAINT)
		return read_complaint(m->report_fields->str, r) ? LABELLED : NO_VERDICT;
	if (m->report_kind == REPORT_BOUNCE)
		return read_bounce(m->report_fields->str, r) ? LABELLED : NO_VERDICT;
	if (m->unwrapped->len == 0)
		return NO_REPORT;
	r->kind = KIND_USER_REPORT;
	r->malicious = true;
	return LABELLED;
}

/*
 * People report what they got themselves.  Anybody of a domain is one of them,
 * whatever his mail looks like: a machine's reports are those of an address that
 * is named.
 */
static void
only_own(const Message *m, FeedbackReport *r)
{
	g_ptr_array_set_size(r->recipients, 0);
	add_recipient(r, g_strdup(m->from_addr));
}

/* A mail that was read */
void
feedback_take(const Message *m)
{
	FeedbackReport r = {.arrived_at = NO_TIME,.recipients = g_ptr_array_new_with_free_func(g_free)};
	Reporter	reporter = NO_REPORTER;
	int			outcome;

	/* no more of it than anybody would write */
	if (m->report_fields->len > MAX_FIELDS)
		g_string_truncate(m->report_fields, MAX_FIELDS);
	outcome = read_report(m, &r);
	if (outcome == LABELLED)
	{
		reporter = find_reporter(m);
		if (reporter == NO_REPORTER)
			outcome = OTHER_REPORTER;
		else if (!is_authentic(m))
			outcome = NOT_AUTHENTICATED;
	}
	if (outcome == LABELLED)
	{
		if (!options.any_recipient && (r.kind == KIND_USER_REPORT || reporter == BY_DOMAIN))
			only_own(m, &r);
		queue_originals(m, &r);
	}
	else
		note(m->source, outcome);
	g_free(r.mail_from);
	g_free(r.source_ip);
	g_ptr_array_free(r.recipients, TRUE);
	if (pending->len >= (guint) options.batch_size)
		flush_reports();
}

/* Write what is left, and tell how it went */
void
feedback_finish(double seconds, int64_t mails)
{
	int64_t		waiting = options.dry_run ? pending->len : 0;

	flush_reports();
	if (conn != NULL)
		PQfinish(conn);
	if (options.quiet)
		return;
	if (options.dry_run)
		fprintf(stderr, "%s: %" PRId64 " mails read in %.1f s, %" PRId64 " reports", progname, mails, seconds, waiting);
	else
		fprintf(stderr, "%s: %" PRId64 " mails read in %.1f s, %" PRId64 " labels written", progname, mails, seconds,
				counts[LABELLED]);
	for (size_t k = 0; k < G_N_ELEMENTS(outcomes); k++)
		if (counts[k] > 0 && k != LABELLED)
			fprintf(stderr, ", %" PRId64 " %s", counts[k], outcomes[k]);
	if (copy_stats.rejected > 0)
		fprintf(stderr, ", %" PRId64 " refused", copy_stats.rejected);
	fputc('\n', stderr);
}
