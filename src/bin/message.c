/*
 * message.c
 *	  The row under construction, and what both parsers do to it alike.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <gmime/gmime.h>

#include "assay_load.h"

const char *const defect_names[NUM_DEFECTS] = {
	[DEFECT_EMPTY] = "empty",
	[DEFECT_NO_HEADERS] = "no_headers",
	[DEFECT_BROKEN_HEADERS] = "broken_headers",
	[DEFECT_TRUNCATED_HEADER] = "truncated_header",
	[DEFECT_NO_FROM_LINE] = "no_from_line",
	[DEFECT_NO_FROM] = "no_from",
	[DEFECT_BAD_FROM] = "bad_from",
	[DEFECT_MULTIPLE_FROM] = "multiple_from",
	[DEFECT_DUPLICATE_HEADER] = "duplicate_header",
	[DEFECT_NO_DATE] = "no_date",
	[DEFECT_BAD_DATE] = "bad_date",
	[DEFECT_ABSURD_DATE] = "absurd_date",
	[DEFECT_NO_RECEIVED] = "no_received",
	[DEFECT_BAD_RECEIVED] = "bad_received",
	[DEFECT_GUESSED_TIME] = "guessed_time",
	[DEFECT_NUL_BYTE] = "nul_byte",
	[DEFECT_NO_CHARSET] = "no_charset",
	[DEFECT_UNKNOWN_CHARSET] = "unknown_charset",
	[DEFECT_BAD_CHARSET] = "bad_charset",
	[DEFECT_BROKEN_MIME] = "broken_mime",
	[DEFECT_MIME_LIMIT] = "mime_limit",
	[DEFECT_BROKEN_HTML] = "broken_html",
	[DEFECT_TRUNCATED_LIST] = "truncated_list",
	[DEFECT_TRUNCATED_BODY] = "truncated_body",
	[DEFECT_TRUNCATED_MESSAGE] = "truncated_message",
	[DEFECT_BAD_JSON] = "bad_json",
	[DEFECT_BAD_FIELD] = "bad_field",
};

G_STATIC_ASSERT(NUM_DEFECTS <= 32);

Message    *
message_new(void)
{
	Message    *m = g_new0(Message, 1);

	m->recipients = g_ptr_array_new_with_free_func(g_free);
	m->urls = g_ptr_array_new_with_free_func(g_free);
	m->link_texts = g_ptr_array_new_with_free_func(g_free);
	m->link_hrefs = g_ptr_array_new_with_free_func(g_free);
	m->reference_ids = g_ptr_array_new_with_free_func(g_free);
	m->auth_results = g_ptr_array_new_with_free_func(g_free);
	m->dkim_domains = g_ptr_array_new_with_free_func(g_free);
	m->unwrapped = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
	m->attachment_names = g_ptr_array_new_with_free_func(g_free);
	m->attachment_types = g_ptr_array_new_with_free_func(g_free);
	m->attachment_detected = g_ptr_array_new_with_free_func(g_free);
	m->attachment_sha256 = g_ptr_array_new_with_free_func(g_free);
	m->attachment_suffixes = g_ptr_array_new_with_free_func(g_free);
	m->attachment_entries = g_ptr_array_new_with_free_func(g_free);
	m->qr_texts = g_ptr_array_new_with_free_func(g_free);
	m->attachment_text = g_string_new(NULL);
	m->auth_headers = g_ptr_array_new_with_free_func(g_free);
	m->received_headers = g_ptr_array_new_with_free_func(g_free);
	m->seen_urls = g_hash_table_new(g_str_hash, g_str_equal);
	m->seen_recipients = g_hash_table_new(g_str_hash, g_str_equal);
	m->rest = g_string_new(NULL);
	m->body_text = g_string_new(NULL);
	m->hidden_text = g_string_new(NULL);
	m->html = g_string_new(NULL);
	m->raw = g_string_new(NULL);
	m->attachments = g_string_new(NULL);
	m->report_fields = g_string_new(NULL);
	m->report_headers = g_string_new(NULL);
	m->headers = g_string_new(NULL);
	message_reset(m);
	return m;
}

static void
reset_string(char **s)
{
	g_free(*s);
	*s = NULL;
}

/* Empty it, and give back what a huge message took */
static void
reset_buffer(GString **s)
{
	if ((*s)->allocated_len > 4 * 1024 * 1024)
	{
		g_string_free(*s, TRUE);
		*s = g_string_new(NULL);
	}
	else
		g_string_truncate(*s, 0);
}

void
message_reset(Message *m)
{
	reset_string(&m->source);
	reset_string(&m->mailbox);
	reset_string(&m->message_id);
	reset_string(&m->from_addr);
	reset_string(&m->from_name);
	reset_string(&m->from_domain);
	reset_string(&m->reply_to);
	reset_string(&m->return_path);
	reset_string(&m->subject);
	reset_string(&m->in_reply_to);
	reset_string(&m->list_id);
	reset_string(&m->relay_ip);
	for (int i = 0; i < MAX_COLUMNS; i++)
		reset_string(&m->own[i]);
	m->keys = NULL;
	m->num_keys = 0;
	/* the tables point into the arrays */
	g_hash_table_remove_all(m->seen_urls);
	g_hash_table_remove_all(m->seen_recipients);
	g_ptr_array_set_size(m->recipients, 0);
	g_ptr_array_set_size(m->urls, 0);
	g_ptr_array_set_size(m->link_texts, 0);
	g_ptr_array_set_size(m->link_hrefs, 0);
	g_ptr_array_set_size(m->reference_ids, 0);
	g_ptr_array_set_size(m->auth_results, 0);
	g_ptr_array_set_size(m->dkim_domains, 0);
	g_ptr_array_set_size(m->unwrapped, 0);
	g_ptr_array_set_size(m->attachment_names, 0);
	g_ptr_array_set_size(m->attachment_types, 0);
	g_ptr_array_set_size(m->attachment_detected, 0);
	g_ptr_array_set_size(m->attachment_sha256, 0);
	g_ptr_array_set_size(m->attachment_suffixes, 0);
	g_ptr_array_set_size(m->attachment_entries, 0);
	g_ptr_array_set_size(m->qr_texts, 0);
	reset_buffer(&m->rest);
	reset_buffer(&m->attachment_text);
	g_ptr_array_set_size(m->auth_headers, 0);
	g_ptr_array_set_size(m->received_headers, 0);
	reset_buffer(&m->body_text);
	reset_buffer(&m->hidden_text);
	reset_buffer(&m->html);
	reset_buffer(&m->raw);
	reset_buffer(&m->attachments);
	reset_buffer(&m->report_fields);
	reset_buffer(&m->report_headers);
	m->report_kind = REPORT_NONE;
	reset_buffer(&m->headers);
	m->received_at = NO_TIME;
	m->sent_at = NO_TIME;
	m->has_html = false;
	m->size_bytes = 0;
	m->defects = 0;
	m->url_bytes = 0;
	m->link_bytes = 0;
	m->attachment_bytes = m->unpacked_bytes = 0;
	m->attachment_count = m->attachment_archives = m->attachment_encrypted = 0;
	m->attachment_macros = m->attachment_type_mismatches = 0;
	m->image_only = false;
	m->html_images = m->html_forms = m->html_password_inputs = m->html_scripts = 0;
	m->alt_bytes = m->made_bytes = m->entry_bytes = 0;
	m->num_entries = m->num_pictures = m->bounded_runs = 0;
	m->bounded_usecs = 0;
}

/* Note a URL of clean text, unless it is known already */
void
message_add_url(Message *m, const char *url, size_t len)
{
	char	   *copy;

	if (len > MAX_URL_BYTES)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		len = MAX_URL_BYTES;
		while (len > 0 && ((unsigned char) url[len] & 0xC0) == 0x80)
			len--;
	}
	if (m->urls->len >= MAX_URLS || m->url_bytes + len > MAX_LIST_BYTES)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		return;
	}
	copy = g_strndup(url, len);
	if (g_hash_table_contains(m->seen_urls, copy))
	{
		g_free(copy);
		return;
	}
	g_hash_table_add(m->seen_urls, copy);
	g_ptr_array_add(m->urls, copy);
	m->url_bytes += len;
}

/* Note an HTML link: the text that a reader sees and where it leads */
void
message_add_link(Message *m, const char *text, const char *href)
{
	size_t		size = strlen(text) + strlen(href);

	if (m->link_hrefs->len >= MAX_URLS || m->link_bytes + size > MAX_LIST_BYTES)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		return;
	}
	m->link_bytes += size;
	g_ptr_array_add(m->link_texts, g_strdup(text));
	g_ptr_array_add(m->link_hrefs, g_strdup(href));
}

/*
 * An address or id that no mailer writes, cut to what an index takes; else as it
 * is.  What is left of it says as much of its domain as fits, by the end of which
 * a domain is known.
 */
static char *
bounded(Message *m, char *s)
{
	char	   *domain;
	size_t		len;
	size_t		local;

	if (s == NULL || strlen(s) <= MAX_NAME_BYTES)
		return s;
	ADD_DEFECT(m, DEFECT_TRUNCATED_HEADER);
	domain = strrchr(s, '@');
	len = domain != NULL ? strlen(domain) : 0;
	if (len > MAX_DOMAIN_BYTES + 1)
	{
		char	   *end = domain + len - MAX_DOMAIN_BYTES;
		char	   *dot = strchr(end, '.');

		if (dot != NULL && dot[1] != '\0')
			domain = dot;
		else
		{
			while (((unsigned char) *end & 0xC0) == 0x80)
				end++;
			domain = end - 1;
		}
		*domain = '@';
		len = strlen(domain);
	}
	local = MAX_NAME_BYTES - len;
	if (domain != NULL && local > (size_t) (domain - s))
		local = domain - s;
	while (local > 0 && ((unsigned char) s[local] & 0xC0) == 0x80)
		local--;
	memmove(s + local, domain != NULL ? domain : "", len);
	s[local + len] = '\0';
	return s;
}

/*
 * Senders choose these, and an index refuses a row whose value is too long: that
 * must not keep a message out.
 */
void
message_bound_names(Message *m)
{
	m->message_id = bounded(m, m->message_id);
	m->in_reply_to = bounded(m, m->in_reply_to);
	m->list_id = bounded(m, m->list_id);
	m->reply_to = bounded(m, m->reply_to);
	m->return_path = bounded(m, m->return_path);
	for (guint i = 0; i < m->reference_ids->len; i++)
		m->reference_ids->pdata[i] = bounded(m, m->reference_ids->pdata[i]);
}

/* Note a recipient of clean text, in lower case, unless known already */
void
message_add_recipient(Message *m, const char *addr)
{
	char	   *lower;

	if (addr == NULL || addr[0] == '\0')
		return;
	if (m->recipients->len >= MAX_RECIPIENTS)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		return;
	}
	lower = bounded(m, text_lower(addr));
	if (g_hash_table_contains(m->seen_recipients, lower))
	{
		g_free(lower);
		return;
	}
	g_hash_table_add(m->seen_recipients, lower);
	g_ptr_array_add(m->recipients, lower);
}

/* Note text that is in the message, but hidden from its reader */
void
message_add_hidden(Message *m, const GString *text)
{
	if (text->len == 0)
		return;
	if (m->hidden_text->len > 0)
		g_string_append_c(m->hidden_text, '\n');
	g_string_append_len(m->hidden_text, text->str, text->len);
	if (m->hidden_text->len > options.max_body)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_BODY);
		text_truncate(m->hidden_text, options.max_body);
	}
}

/* Less text than this beside a picture does not count as text */
#define LITTLE_TEXT		40

/* Is what a reader sees a picture, with no text worth the name? */
static bool
is_image_only(const Message *m)
{
	size_t		seen = 0;

	if (!m->has_html || m->html_images == 0)
		return false;
	for (gsize i = 0; i < m->body_text->len && seen < m->alt_bytes + LITTLE_TEXT; i++)
		seen += (unsigned char) m->body_text->str[i] > ' ';
	return seen < m->alt_bytes + LITTLE_TEXT;
}

/* Nothing more comes: close what is open */
void
message_finish(Message *m)
{
	g_string_append(m->attachments, m->attachments->len == 0 ? "[]" : "]");
	m->image_only = is_image_only(m);
	message_bound_names(m);
	facts_fill(m);
}

/* The sender, both clean; either may be NULL */
void
message_set_from(Message *m, const char *addr, const char *name)
{
	if (name != NULL && name[0] != '\0')
		m->from_name = g_strdup(name);
	if (addr != NULL && addr[0] != '\0')
	{
		const char *at;

		m->from_addr = bounded(m, text_lower(addr));
		at = strrchr(m->from_addr, '@');
		if (at != NULL && at[1] != '\0')
		{
			size_t		len = strlen(at + 1);

			/* a domain may be written with its root's dot */
			while (len > 0 && at[len] == '.')
				len--;
			m->from_domain = g_strndup(at + 1, len);
		}
	}
	if (m->from_domain == NULL || m->from_domain[0] == '\0')
	{
		reset_string(&m->from_domain);
		ADD_DEFECT(m, DEFECT_BAD_FROM);
	}
}

/* ---- time ---------------------------------------------------------------- */

/* There was no mail before 1971, and clocks are a day or two off at most. */
bool
message_plausible_time(int64_t t)
{
	static int64_t latest = 0;

	if (latest == 0)
		latest = (int64_t) (time(NULL) + 2 * 86400) * 1000000;
	return t >= INT64_C(31536000) * 1000000 && t <= latest;
}

/*
 * Decide received_at, which is never NULL: the Received header's time, else
 * the sender's Date, else the mbox separator's, else the file's.  sent_at
 * keeps what the Date header says, however absurd.
 */
void
message_settle_time(Message *m, int64_t received, const RawMessage *raw)
{
	if (m->sent_at != NO_TIME && !message_plausible_time(m->sent_at))
		ADD_DEFECT(m, DEFECT_ABSURD_DATE);

	if (received != NO_TIME && message_plausible_time(received))
	{
		m->received_at = received;
		return;
	}
	ADD_DEFECT(m, DEFECT_NO_RECEIVED);
	if (m->sent_at != NO_TIME && message_plausible_time(m->sent_at))
	{
		m->received_at = m->sent_at;
		return;
	}
	ADD_DEFECT(m, DEFECT_GUESSED_TIME);
	if (raw->from_line != NULL)
	{
		m->received_at = parse_from_line(raw->from_line);
		if (m->received_at != NO_TIME && message_plausible_time(m->received_at))
			return;
	}
	m->received_at = raw->mtime;
}

/* ISO 8601, with UTC where it has no zone, or NO_TIME */
static int64_t
parse_iso_date(const char *s)
{
	static GTimeZone *utc = NULL;
	char	   *whole = strpbrk(s, "Tt ") != NULL ? g_strdup(s) : g_strconcat(s, "T00:00:00", NULL);
	GDateTime  *t;
	int64_t		result = NO_TIME;

	if (utc == NULL)
		utc = g_time_zone_new_utc();
	t = g_date_time_new_from_iso8601(g_strchomp(whole), utc);
	if (t != NULL)
	{
		result = g_date_time_to_unix(t) * 1000000 + g_date_time_get_microsecond(t);
		g_date_time_unref(t);
	}
	g_free(whole);
	return result;
}

/* Names of time zones in dates, with their offsets in minutes */
static bool
zone_by_name(const char *s, size_t len, int *minutes)
{
	static const struct
	{
		const char *name;
		int			minutes;
	}			zones[] =
	{
		{"UT", 0}, {"UTC", 0}, {"GMT", 0}, {"Z", 0}, {"WET", 0}, {"WEST", 60}, {"BST", 60},
		{"CET", 60}, {"MET", 60}, {"MEZ", 60}, {"CEST", 120}, {"MEST", 120}, {"MESZ", 120},
		{"EET", 120}, {"EEST", 180}, {"MSK", 180}, {"MSD", 240}, {"IST", 330}, {"SAST", 120},
		{"JST", 540}, {"KST", 540}, {"SGT", 480}, {"HKT", 480}, {"AWST", 480}, {"AEST", 600},
		{"AEDT", 660}, {"NZST", 720}, {"NZDT", 780}, {"EST", -300}, {"EDT", -240},
		{"CST", -360}, {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480},
		{"PDT", -420}, {"AKST", -540}, {"AKDT", -480}, {"HST", -600}, {"BRT", -180}, {"ART", -180},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(zones); i++)
		if (len == strlen(zones[i].name) && g_ascii_strncasecmp(s, zones[i].name, len) == 0)
		{
			*minutes = zones[i].minutes;
			return true;
		}
	return false;
}

/* "+0100", "+01:00", "-600", "+2": minutes; returns the length, 0 for none */
static size_t
zone_by_number(const char *s, int *minutes)
{
	int			digits[4];
	int			n = 0;
	const char *p = s + 1;

	if (*s != '+' && *s != '-')
		return 0;
	while (n < 4 && (g_ascii_isdigit(*p) || (*p == ':' && n > 0)))
	{
		if (*p != ':')
			digits[n++] = *p - '0';
		p++;
	}
	if (n == 0 || g_ascii_isdigit(*p))
		return 0;
	if (n <= 2)
		*minutes = (n == 2 ? digits[0] * 10 + digits[1] : digits[0]) * 60;
	else if (n == 3)
		*minutes = digits[0] * 60 + digits[1] * 10 + digits[2];
	else
		*minutes = (digits[0] * 10 + digits[1]) * 60 + digits[2] * 10 + digits[3];
	if (*s == '-')
		*minutes = -*minutes;
	return p - s;
}

/* What has been read of a date */
typedef struct DateParts
{
	int			day;
	int			month;
	int			year;
	int			hour;
	int			minute;
	int			second;
	bool		time;
	int			zone;			/* minutes */
} DateParts;

/* "08:00", "8:00:00", "08:00:00.123": returns the length, 0 for none */
static size_t
clock_time(const char *s, DateParts *d)
{
	int			n = 0;

	d->second = 0;
	if (sscanf(s, "%2d:%2d%n", &d->hour, &d->minute, &n) != 2 || n == 0)
		return 0;
	if (s[n] == ':' && g_ascii_isdigit(s[n + 1]))
	{
		int			more = 0;

		sscanf(s + n, ":%2d%n", &d->second, &more);
		n += more;
	}
	/* fractions of a second */
	if ((s[n] == '.' || s[n] == ',') && g_ascii_isdigit(s[n + 1]))
		for (n++; g_ascii_isdigit(s[n]); n++)
			;
	d->time = true;
	return n;
}

/* A word in a date: month, day of the week, AM or PM, zone */
static void
date_word(const char *s, size_t len, DateParts *d)
{
	static const char *const months[] = {
		"january", "february", "march", "april", "may", "june", "july", "august", "september",
		"october", "november", "december"
	};

	for (int i = 0; i < 12 && len >= 3; i++)
		if (d->month == 0 && len <= strlen(months[i]) && g_ascii_strncasecmp(s, months[i], len) == 0)
			d->month = i + 1;
	if (len == 2 && g_ascii_toupper(s[1]) == 'M' && d->time && d->hour <= 12)
	{
		if (g_ascii_toupper(s[0]) == 'P' && d->hour < 12)
			d->hour += 12;
		else if (g_ascii_toupper(s[0]) == 'A' && d->hour == 12)
			d->hour = 0;
	}
	else if (d->time)
		zone_by_name(s, len, &d->zone);
}

/* Take "+0100" or the like; false where it is none */
static bool
take_zone(const char **s, DateParts *d)
{
	int			zone;
	size_t		n = zone_by_number(*s, &zone);

	if (n == 0)
		return false;
	d->zone = zone;
	*s += n;
	return true;
}

/* Take digits: a time, the day, or the year; false where they are none of these */
static bool
take_number(const char **s, DateParts *d, bool *year)
{
	size_t		n = strspn(*s, "0123456789");
	size_t		time;

	if (n <= 2 && (*s)[n] == ':' && !d->time && (time = clock_time(*s, d)) > 0)
	{
		*s += time;
		/* "08:00:00+0100" */
		(void) take_zone(s, d);
		return true;
	}
	if (n > 4)
		return false;
	if (n <= 2 && d->day == 0)
		d->day = atoi(*s);
	else if (!*year)
	{
		d->year = atoi(*s);
		if (n == 2)
			d->year += d->year < 50 ? 2000 : 1900;
		else if (n == 3)
			d->year += 1900;
		*year = true;
	}
	*s += n;
	return true;
}

/* The time that the parts are of, or NO_TIME; a leap second is the second before it */
static int64_t
time_of_parts(const DateParts *d)
{
	GDateTime  *t = g_date_time_new_utc(d->year, d->month, d->day, d->hour, d->minute, MIN(d->second, 59));
	int64_t		result = NO_TIME;

	if (t != NULL && d->second <= 60 && d->zone > -24 * 60 && d->zone < 24 * 60)
		result = (g_date_time_to_unix(t) - d->zone * 60) * 1000000;
	if (t != NULL)
		g_date_time_unref(t);
	return result;
}

/*
 * A date in the style of mail, in any order that was seen, or NO_TIME.  GMime
 * gets "08:00:00+0100", "GMT+01:00" and PM wrong, and knows no leap second.
 */
static int64_t
parse_mail_date(const char *s)
{
	DateParts	d = {0};
	bool		year = false;

	while (*s != '\0')
	{
		if (*s == '(')
		{
			s += strcspn(s, ")");
			s += *s != '\0';
		}
		else if (g_ascii_isdigit(*s))
		{
			if (!take_number(&s, &d, &year))
				return NO_TIME;
		}
		else if (g_ascii_isalpha(*s))
		{
			size_t		n = 0;

			while (g_ascii_isalpha(s[n]))
				n++;
			date_word(s, n, &d);
			s += n;
			/* "GMT+01:00" */
			if (d.time)
				(void) take_zone(&s, &d);
		}
		else if (!d.time || !take_zone(&s, &d))
			s++;
	}
	return d.day == 0 || d.month == 0 || !year || !d.time ? NO_TIME : time_of_parts(&d);
}

/* The time of a Date header, or of a field in ISO 8601, or NO_TIME */
int64_t
parse_date(const char *s)
{
	GDateTime  *t;
	int64_t		seconds;
	int64_t		result;

	while (g_ascii_isspace(*s))
		s++;
	/* nothing sensible is that long, and GMime need not see it */
	if (*s == '\0' || strlen(s) > 200)
		return NO_TIME;
	if (strspn(s, "0123456789") == 4 && s[4] == '-')
		return parse_iso_date(s);
	result = parse_mail_date(s);
	if (result != NO_TIME)
		return result;
	/* dates in numbers only, or without a time */
	t = g_mime_utils_header_decode_date(s);
	if (t == NULL)
		return NO_TIME;
	seconds = g_date_time_to_unix(t);
	g_date_time_unref(t);
	return seconds * 1000000;
}

/*
 * The time in an mbox separator, "From someone Thu Aug 22 12:36:23 2002", or
 * NO_TIME when the line holds none.  Variants have no seconds, a zone before
 * or after the year, or none (then it is taken as UTC).
 */
int64_t
parse_from_line(const char *line)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (const char *p = line; *p != '\0' && *p != '\n'; p++)
	{
		char		day[4];
		char		month[4];
		int			mday;
		int			hour;
		int			minute;
		int			second = 0;
		int			used = 0;
		int			zone = 0;
		int			year = 0;
		const char *found;
		const char *q;
		struct tm	tm = {0};
		int64_t		t;

		if (*p != ' ' && *p != '\t')
			continue;
		if (sscanf(p, " %3[A-Za-z]%*[, ]%3[A-Za-z] %2d %2d:%2d%n",
				   day, month, &mday, &hour, &minute, &used) != 5 || used == 0)
			continue;
		if (strlen(day) != 3 || strlen(month) != 3 ||
			(found = strstr(days, day)) == NULL || (found - days) % 3 != 0 ||
			(found = strstr(months, month)) == NULL || (found - months) % 3 != 0)
			continue;
		q = p + used;
		if (*q == ':')
		{
			if (sscanf(q, ":%2d%n", &second, &used) != 1)
				continue;
			q += used;
		}
		while (*q != '\0' && *q != '\n' && *q != '\r')
		{
			while (*q == ' ' || *q == '\t')
				q++;
			if ((*q == '+' || *q == '-') && g_ascii_isdigit(q[1]) && g_ascii_isdigit(q[2]) &&
				g_ascii_isdigit(q[3]) && g_ascii_isdigit(q[4]))
				zone = (*q == '-' ? -60 : 60) *
					(((q[1] - '0') * 10 + (q[2] - '0')) * 60 + (q[3] - '0') * 10 + (q[4] - '0'));
			else if (g_ascii_isdigit(q[0]) && g_ascii_isdigit(q[1]) && g_ascii_isdigit(q[2]) &&
					 g_ascii_isdigit(q[3]) && !g_ascii_isdigit(q[4]) && year == 0)
				year = (q[0] - '0') * 1000 + (q[1] - '0') * 100 + (q[2] - '0') * 10 + (q[3] - '0');
			while (*q != '\0' && !g_ascii_isspace(*q))
				q++;
		}
		if (year == 0 || mday < 1 || mday > 31 || hour < 0 || hour > 23 ||
			minute < 0 || minute > 59 || second < 0 || second > 60)
			continue;
		tm.tm_year = year - 1900;
		tm.tm_mon = (found - months) / 3;
		tm.tm_mday = mday;
		tm.tm_hour = hour;
		tm.tm_min = minute;
		tm.tm_sec = second;
		t = (int64_t) timegm(&tm) - zone;
		return t * 1000000;
	}
	return NO_TIME;
}
