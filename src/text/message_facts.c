/*
 * message_facts.c
 *		All facts of a message at once, and the names under which they are
 *		columns; see message_facts.h.
 *
 * The engines (text_facts.c, auth_facts.c ...) look at one thing each; this
 * gives each of them its part of a message, once, and relates what they found
 * to the sender.
 */
#include <string.h>

#include "ascii.h"
#include "domain.h"
#include "message_facts.h"

/* Bytes of a text that are read between two looks for an interrupt */
#define PIECE_BYTES		(1024 * 1024)

/* Longest header that is read; a longer one says nothing */
#define HEADER_BYTES_MAX	(1024 * 1024)

/* Words of a display name that are looked at */
#define NAME_WORDS_MAX		32

/* ---- the fields ----------------------------------------------------------------- */

#define AT(member)			offsetof(MessageFacts, member)

#define COUNT(name, member, there, comment)	{name, FIELD_COUNT, AT(member), 0, AT(there), comment}
#define FLAG(name, member, comment)		{name, FIELD_FLAG, AT(member), 0, AT(always), comment}
#define STRING(name, member, comment)	{name, FIELD_STRING, AT(member), 0, AT(always), comment}
#define CHARS(name, member, comment)	{name, FIELD_CHARS, AT(member), 0, AT(always), comment}
#define LIST(name, member, there, comment)	{name, FIELD_LIST, AT(member), 0, AT(there), comment}

/* Facts of a text, under the name of that */
#define TEXT_COUNT(of, member, comment)	COUNT(#of "_" #member, of.facts.member, of.there, comment)
#define TEXT_SHARE(of, name, part, whole, comment) \
	{#of "_" name, FIELD_SHARE, AT(of.facts.part), AT(of.facts.whole), AT(of.there), comment}
#define TEXT_ENTROPY(of, comment) \
	{#of "_entropy", FIELD_ENTROPY, AT(of.facts.entropy), AT(of.facts.bytes), AT(of.there), comment}

const FactField message_fields[] =
{
	/* authentication */
	{"auth_server", FIELD_SPAN, AT(auth_server), 0, AT(always),
	"Trusted server whose results the next columns are; NULL if there are none"},
	CHARS("auth_spf", auth.result[AUTH_SPF], "Result of SPF: pass, fail, softfail, neutral, none ..."),
	CHARS("auth_spf_domain", auth.spf_domain, "Domain that SPF was checked for"),
	FLAG("auth_spf_aligned", spf_aligned, "SPF passed for the organization of From"),
	CHARS("auth_dkim", auth.result[AUTH_DKIM], "Result of DKIM: pass if any signature passed, else that of the first"),
	CHARS("auth_dkim_domain", auth.dkim_domain, "Signing domain of that signature"),
	LIST("auth_dkim_domains", dkim_domains, always, "Distinct signing domains of signatures that passed"),
	FLAG("auth_dkim_aligned", dkim_aligned, "A signature of the organization of From passed"),
	CHARS("auth_dmarc", auth.result[AUTH_DMARC], "Result of DMARC"),
	CHARS("auth_dmarc_policy", auth.dmarc_policy, "Policy that the domain in From publishes: none, quarantine, reject"),
	CHARS("auth_dmarc_action", auth.dmarc_action, "What the server did about it"),
	CHARS("auth_arc", auth.result[AUTH_ARC], "Result of the ARC chain"),
	CHARS("auth_compauth", auth.result[AUTH_COMPAUTH], "Composite authentication of Microsoft"),
	CHARS("auth_compauth_reason", auth.compauth_reason, "Its three digits"),
	CHARS("auth_iprev", auth.result[AUTH_IPREV], "Result of the reverse look-up of the client's address"),
	{"auth_conflict", FIELD_BOOL, AT(auth.conflict), 0, AT(always), "Trusted headers give two results of one method"},
	COUNT("auth_headers", auth.trusted, always, "Authentication-Results headers of trusted servers"),
	COUNT("auth_untrusted_headers", auth.untrusted, always, "Those of others, or that name nobody"),
	COUNT("auth_malformed_headers", auth.malformed, always, "Trusted ones that break the grammar"),

	/* the way */
	CHARS("relay_name", relay_name, "Name that the receiving server found for relay_ip"),
	CHARS("relay_helo", relay_helo, "Name that the relay gave itself"),
	CHARS("relay_by", relay_by, "Server that received from it"),
	CHARS("relay_protocol", relay_protocol, "How: esmtps, esmtpsa, http ..."),
	FLAG("relay_encrypted", relay_encrypted, "By TLS"),
	FLAG("relay_authenticated", relay_authenticated, "The relay logged in"),
	FLAG("relay_helo_matches", relay_helo_matches, "Both names are of one organization; NULL if one is no host name"),
	FLAG("relay_aligned", relay_aligned, "relay_name is of the organization of From; NULL without a name"),
	COUNT("relay_hop", received.at, has_hop, "Number of its Received header, from the top"),
	COUNT("relay_hops", received.headers, always, "Received headers"),

	/* addresses */
	STRING("from_org", from_org, "Registrable domain of From"),
	STRING("from_name_domain", from_name_org, "Registrable domain of an address or host that the display name shows"),
	FLAG("from_name_mismatch", from_name_mismatch, "That is another than From's; NULL if it shows none"),
	STRING("reply_to_org", reply_to_org, "Registrable domain of Reply-To"),
	FLAG("reply_to_is_from", reply_to_is_from, "Reply-To is From's address; NULL without one"),
	FLAG("reply_to_aligned", reply_to_aligned, "Reply-To is of the organization of From; NULL without one"),
	STRING("return_path_org", return_path_org, "Registrable domain of Return-Path"),
	FLAG("return_path_is_from", return_path_is_from, "Return-Path is From's address; NULL without one"),
	FLAG("return_path_aligned", return_path_aligned, "Return-Path is of the organization of From; NULL without one"),
	STRING("message_id_org", message_id_org, "Registrable domain in Message-ID"),
	FLAG("message_id_aligned", message_id_aligned, "That is From's; NULL if there is none"),
	COUNT("recipient_count", recipients, always, "Recipients"),
	COUNT("recipients_aligned", recipients_aligned, has_sender, "Those of the organization of From"),
	FLAG("from_is_recipient", from_is_recipient, "From is one of the recipients"),

	/* the body's text */
	TEXT_COUNT(body, characters, "Characters of body_text"),
	TEXT_COUNT(body, words, "Words"),
	TEXT_COUNT(body, lines, "Lines"),
	TEXT_COUNT(body, letters, "Letters"),
	TEXT_COUNT(body, uppercase, "Upper-case letters"),
	TEXT_COUNT(body, digits, "Digits"),
	TEXT_COUNT(body, punctuation, "Punctuation marks and symbols"),
	TEXT_COUNT(body, whitespace, "White space"),
	TEXT_COUNT(body, exclamations, "Exclamation marks"),
	TEXT_COUNT(body, questions, "Question marks"),
	TEXT_COUNT(body, currency, "Currency signs"),
	TEXT_COUNT(body, non_ascii, "Characters beyond ASCII"),
	TEXT_COUNT(body, uppercase_words, "Words of two letters or more, all of them upper case"),
	TEXT_COUNT(body, quoted_lines, "Lines that begin with >"),
	TEXT_COUNT(body, longest_token, "Characters of the longest run without white space"),
	TEXT_COUNT(body, longest_line, "Characters of the longest line"),
	TEXT_COUNT(body, longest_gap, "Characters of the longest run of white space"),
	TEXT_COUNT(body, emoji, "Emoji"),
	TEXT_COUNT(body, math_letters, "Letters and digits in mathematical fonts"),
	TEXT_COUNT(body, enclosed_letters, "Letters in circles, squares and parentheses"),
	TEXT_COUNT(body, fullwidth_letters, "Letters and digits of ASCII in their wide form"),
	TEXT_COUNT(body, invisible, "Invisible characters where no spelling needs them"),
	TEXT_COUNT(body, invisible_words, "Words with an invisible character inside"),
	TEXT_COUNT(body, bidi_controls, "Characters that direct the order of others"),
	TEXT_COUNT(body, bidi_overrides, "Those of them that turn it round"),
	TEXT_COUNT(body, tag_characters, "Invisible ASCII"),
	TEXT_COUNT(body, control_characters, "Control characters other than white space"),
	TEXT_COUNT(body, private_use, "Characters that Unicode leaves to private use"),
	TEXT_COUNT(body, replacements, "U+FFFD, which stands for what could not be read"),
	TEXT_COUNT(body, stacked_marks, "Most combining marks on one character"),
	TEXT_COUNT(body, mixed_script_words, "Words of scripts that don't belong together"),
	TEXT_SHARE(body, "uppercase_share", uppercase, letters, "Upper-case letters of all letters"),
	TEXT_SHARE(body, "digit_share", digits, characters, "Digits of all characters"),
	TEXT_SHARE(body, "punctuation_share", punctuation, characters, "Punctuation of all characters"),
	TEXT_SHARE(body, "whitespace_share", whitespace, characters, "White space of all characters"),
	TEXT_SHARE(body, "non_ascii_share", non_ascii, characters, "Characters beyond ASCII of all"),
	TEXT_SHARE(body, "quoted_share", quoted_lines, lines, "Quoted lines of all lines"),
	TEXT_ENTROPY(body, "Entropy of body_text, bits a byte"),
	LIST("body_scripts", body.scripts, body.there, "Scripts of its letters, most frequent first"),

	/* the subject */
	TEXT_COUNT(subject, characters, "Characters of the subject"),
	TEXT_COUNT(subject, words, "Words"),
	TEXT_COUNT(subject, letters, "Letters"),
	TEXT_COUNT(subject, uppercase, "Upper-case letters"),
	TEXT_COUNT(subject, digits, "Digits"),
	TEXT_COUNT(subject, punctuation, "Punctuation marks and symbols"),
	TEXT_COUNT(subject, exclamations, "Exclamation marks"),
	TEXT_COUNT(subject, questions, "Question marks"),
	TEXT_COUNT(subject, currency, "Currency signs"),
	TEXT_COUNT(subject, non_ascii, "Characters beyond ASCII"),
	TEXT_COUNT(subject, uppercase_words, "Words of two letters or more, all of them upper case"),
	TEXT_COUNT(subject, longest_gap, "Characters of the longest run of white space"),
	TEXT_COUNT(subject, emoji, "Emoji"),
	TEXT_COUNT(subject, math_letters, "Letters and digits in mathematical fonts"),
	TEXT_COUNT(subject, enclosed_letters, "Letters in circles, squares and parentheses"),
	TEXT_COUNT(subject, fullwidth_letters, "Letters and digits of ASCII in their wide form"),
	TEXT_COUNT(subject, invisible, "Invisible characters where no spelling needs them"),
	TEXT_COUNT(subject, invisible_words, "Words with an invisible character inside"),
	TEXT_COUNT(subject, bidi_controls, "Characters that direct the order of others"),
	TEXT_COUNT(subject, tag_characters, "Invisible ASCII"),
	TEXT_COUNT(subject, stacked_marks, "Most combining marks on one character"),
	TEXT_COUNT(subject, mixed_script_words, "Words of scripts that don't belong together"),
	TEXT_SHARE(subject, "uppercase_share", uppercase, letters, "Upper-case letters of all letters"),
	TEXT_SHARE(subject, "digit_share", digits, characters, "Digits of all characters"),
	TEXT_SHARE(subject, "punctuation_share", punctuation, characters, "Punctuation of all characters"),
	TEXT_SHARE(subject, "non_ascii_share", non_ascii, characters, "Characters beyond ASCII of all"),
	TEXT_ENTROPY(subject, "Entropy of the subject, bits a byte"),
	LIST("subject_scripts", subject.scripts, subject.there, "Scripts of its letters, most frequent first"),

	/* the display name */
	TEXT_COUNT(from_name, characters, "Characters of the display name"),
	TEXT_COUNT(from_name, words, "Words"),
	TEXT_COUNT(from_name, uppercase_words, "Words of two letters or more, all of them upper case"),
	TEXT_COUNT(from_name, digits, "Digits"),
	TEXT_COUNT(from_name, non_ascii, "Characters beyond ASCII"),
	TEXT_COUNT(from_name, emoji, "Emoji"),
	TEXT_COUNT(from_name, math_letters, "Letters and digits in mathematical fonts"),
	TEXT_COUNT(from_name, enclosed_letters, "Letters in circles, squares and parentheses"),
	TEXT_COUNT(from_name, fullwidth_letters, "Letters and digits of ASCII in their wide form"),
	TEXT_COUNT(from_name, invisible, "Invisible characters where no spelling needs them"),
	TEXT_COUNT(from_name, bidi_controls, "Characters that direct the order of others"),
	TEXT_COUNT(from_name, mixed_script_words, "Words of scripts that don't belong together"),
	LIST("from_name_scripts", from_name.scripts, from_name.there, "Scripts of its letters, most frequent first"),

	/* links */
	COUNT("url_count", urls.counts.urls, always, "URLs"),
	COUNT("url_host_count", urls.hosts.n, always, "Distinct hosts"),
	COUNT("url_domain_count", urls.domains.n, always, "Distinct registrable domains"),
	COUNT("url_foreign_domains", urls.counts.foreign, has_sender, "Those other than From's"),
	COUNT("url_of_sender", urls.counts.of_sender, has_sender, "URLs in the registrable domain of From"),
	COUNT("url_ip", urls.counts.ip, always, "URLs whose host is an IP address"),
	COUNT("url_punycode", urls.counts.punycode, always, "URLs whose host has letters beyond ASCII"),
	COUNT("url_userinfo", urls.counts.userinfo, always, "URLs with a user name before the host"),
	COUNT("url_port", urls.counts.port, always, "URLs with a port other than the usual"),
	COUNT("url_obfuscated", urls.counts.odd, always, "URLs that are written so that the host is hard to see"),
	COUNT("url_insecure", urls.counts.insecure, always, "URLs that begin with http:"),
	COUNT("url_email", urls.counts.email, always, "URLs with an e-mail address behind the host"),
	COUNT("url_recipient", urls.counts.recipient, always, "URLs with a recipient's address behind the host, also encoded"),
	COUNT("url_nested", urls.counts.nested, always, "URLs with another URL behind the host"),
	COUNT("url_redirects", urls.counts.redirects, always, "Those whose other URL leads to another registrable domain"),
	COUNT("url_longest", urls.counts.longest, always, "Characters of the longest URL"),
	COUNT("url_longest_host", urls.counts.longest_host, always, "Bytes of the longest host name"),
	COUNT("url_most_labels", urls.counts.labels, always, "Labels of the host name that has most"),
	LIST("url_hosts", url_hosts, always, "Distinct hosts, in order"),
	LIST("url_domains", url_domains, always, "Distinct registrable domains, in order"),
	LIST("url_redirect_domains", url_redirects, always, "Registrable domains that the URLs in URLs lead to"),
	COUNT("link_count", urls.counts.links, always, "Links of HTML"),
	COUNT("link_mismatches", urls.counts.mismatches, always, "Links whose text shows another registrable domain than they lead to"),
	COUNT("link_url_texts", urls.counts.url_texts, always, "Links whose text shows a URL or host name"),
	COUNT("link_empty_texts", urls.counts.empty_texts, always, "Links without a text"),
	COUNT("link_mailto", urls.counts.mailto, always, "Links that write a message"),
	COUNT("link_phone", urls.counts.phone, always, "Links that call or send a short message"),
	COUNT("link_script", urls.counts.script, always, "Links of javascript:, vbscript:, data: and file:"),
};

const int	message_nfields = sizeof(message_fields) / sizeof(message_fields[0]);

/* What a field holds */
void
MessageFactValue(const MessageFacts *facts, const FactField *field, FactValue *value)
{
	const char *at = (const char *) facts + field->offset;
	const char *whole = (const char *) facts + field->whole;

	value->isnull = !*((const bool *) ((const char *) facts + field->there));
	if (value->isnull)
		return;
	switch (field->kind)
	{
		case FIELD_COUNT:
			value->count = *(const int32_t *) at;
			break;
		case FIELD_SHARE:
			value->isnull = *(const int32_t *) whole <= 0;
			if (!value->isnull)
				value->share = (float) *(const int32_t *) at / (float) *(const int32_t *) whole;
			break;
		case FIELD_ENTROPY:
			value->isnull = *(const int32_t *) whole == 0;
			value->share = *(const double *) at;
			break;
		case FIELD_FLAG:
			value->isnull = *(const FactFlag *) at == FLAG_UNKNOWN;
			value->flag = *(const FactFlag *) at == FLAG_YES;
			break;
		case FIELD_BOOL:
			value->flag = *(const bool *) at;
			break;
		case FIELD_STRING:
			value->string.data = *(const char *const *) at;
			value->string.len = value->string.data != NULL ? strlen(value->string.data) : 0;
			value->isnull = value->string.len == 0;
			break;
		case FIELD_CHARS:
			value->string.data = at;
			value->string.len = strlen(at);
			value->isnull = value->string.len == 0;
			break;
		case FIELD_SPAN:
			value->string = *(const FactSpan *) at;
			value->isnull = value->string.data == NULL;
			break;
		case FIELD_LIST:
			value->list = *(const FactList *) at;
			break;
	}
}

/* ---- hosts ------------------------------------------------------------------------ */

static inline FactFlag
FlagOf(bool yes)
{
	return yes ? FLAG_YES : FLAG_NO;
}

/* A host in its canonical form; what is none, as it stands, if it's ASCII */
void
ShownHost(FactSpan host, char *ascii)
{
	size_t		n = host.len < NAME_BYTES_MAX ? host.len : NAME_BYTES_MAX;

	if (HostToAscii(host.data, host.len, ascii) >= 0)
		return;
	for (size_t i = 0; i < n; i++)
		ascii[i] = (unsigned char) host.data[i] > ' ' && (unsigned char) host.data[i] < 0x7F ? host.data[i] : '?';
	ascii[n] = '\0';
}

/* Are both of one organization?  Unknown where one is no host name in a registered domain. */
FactFlag
SameOrganizationOf(FactSpan a, FactSpan b)
{
	char		host_a[HOST_MAX_BYTES + 1];
	char		host_b[HOST_MAX_BYTES + 1];
	const char *of_a = CanonicalUtf8Host(a.data, a.len, host_a) ? RegistrableDomain(host_a) : NULL;
	const char *of_b = CanonicalUtf8Host(b.data, b.len, host_b) ? RegistrableDomain(host_b) : NULL;

	return of_a == NULL || of_b == NULL ? FLAG_UNKNOWN : FlagOf(strcmp(of_a, of_b) == 0);
}

/* Did SPF and DKIM pass for the author's organization?  `from` is his domain, or empty */
void
AuthAlignment(const AuthFacts *facts, const char *from, FactFlag *spf, FactFlag *dkim)
{
	const char *result = facts->result[AUTH_SPF];
	bool		pass = strcmp(result, "pass") == 0;
	bool		aligned = false;

	for (int i = 0; i < facts->ndomains && from[0] != '\0'; i++)
		aligned |= SameOrganization(facts->domains[i], from);
	if (result[0] == '\0' || (pass && from[0] == '\0'))
		*spf = FLAG_UNKNOWN;
	else
		*spf = FlagOf(pass && facts->spf_domain[0] != '\0' && SameOrganization(facts->spf_domain, from));
	if (facts->result[AUTH_DKIM][0] == '\0' || (facts->signatures_passed > 0 && from[0] == '\0'))
		*dkim = FLAG_UNKNOWN;
	else
		*dkim = FlagOf(aligned);
}

/* ---- addresses -------------------------------------------------------------------- */

static bool
SameAddress(FactSpan a, FactSpan b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (Lower(a.data[i]) != Lower(b.data[i]))
			return false;
	return true;
}

/* An address beside From: its organization, and how it relates */
static void
RelateAddress(const MessageFacts *f, const MessageInput *in, FactSpan address, char *host,
			  const char **org, FactFlag *is_from, FactFlag *aligned)
{
	*org = NULL;
	*is_from = *aligned = FLAG_UNKNOWN;
	host[0] = '\0';
	if (address.data == NULL || address.len == 0)
		return;
	if (MailHost(address.data, address.len, host))
		*org = Organization(host);
	if (in->from_addr.data == NULL)
		return;
	*is_from = FlagOf(SameAddress(address, in->from_addr));
	if (f->from_org != NULL)
		*aligned = FlagOf(*org != NULL && strcmp(*org, f->from_org) == 0);
}

static void
FillMessageId(MessageFacts *f, FactSpan id)
{
	f->message_id_org = NULL;
	f->message_id_host[0] = '\0';
	f->message_id_aligned = FLAG_UNKNOWN;
	if (id.data == NULL || memchr(id.data, '@', id.len) == NULL ||
		!MailHost(id.data, id.len, f->message_id_host))
		return;
	f->message_id_org = RegistrableDomain(f->message_id_host);
	if (f->message_id_org != NULL && f->from_org != NULL)
		f->message_id_aligned = FlagOf(strcmp(f->message_id_org, f->from_org) == 0);
}

/* Does a host end in a domain? */
static bool
EndsIn(FactSpan address, const char *domain)
{
	size_t		n = strlen(domain);

	for (size_t i = 0; i < n && i < address.len; i++)
		if (Lower(address.data[address.len - 1 - i]) != domain[n - 1 - i])
			return false;
	return address.len >= n;
}

static void
FillRecipients(MessageFacts *f, const MessageInput *in, const FactRoom *room)
{
	char		host[HOST_MAX_BYTES + 1];
	bool		is_from = false;

	f->recipients = f->recipients_aligned = 0;
	for (int i = 0; i < in->nrecipients; i++)
	{
		FactSpan	to = in->recipients[i];

		if (i % 1000 == 0)
			room->check();
		if (to.data == NULL)
			continue;
		f->recipients++;
		if (in->from_addr.data != NULL)
			is_from |= SameAddress(to, in->from_addr);
		/* the list is asked only where it may be so */
		if (f->from_org != NULL && EndsIn(to, f->from_org) && MailHost(to.data, to.len, host))
			f->recipients_aligned += strcmp(Organization(host), f->from_org) == 0;
	}
	f->from_is_recipient = in->from_addr.data != NULL ? FlagOf(is_from) : FLAG_UNKNOWN;
}

/* The domain of an address or host that stands in a display name, in host, or empty */
static void
FindShownDomain(FactSpan name, char *host)
{
	static const char around[] = " \t\r\n\"'()<>[],;:|";
	const char *p = name.data;
	const char *end = p + name.len;

	for (int words = 0; p < end && words < NAME_WORDS_MAX; words++)
	{
		const char *from;
		const char *dot;

		while (p < end && (*p == '\0' || strchr(around, *p) != NULL))
			p++;
		from = p;
		while (p < end && *p != '\0' && strchr(around, *p) == NULL)
			p++;
		if (memchr(from, '.', p - from) == NULL || !MailHost(from, p - from, host))
			continue;
		dot = strrchr(host, '.');
		if (dot != NULL && IsTopLevelDomain(dot + 1) && RegistrableDomain(host) != NULL)
			return;
	}
	host[0] = '\0';
}

static void
FillAddresses(MessageFacts *f, const MessageInput *in, const FactRoom *room)
{
	f->has_sender = in->from_addr.data != NULL && MailHost(in->from_addr.data, in->from_addr.len, f->from_host);
	if (!f->has_sender)
		f->from_host[0] = '\0';
	f->from_org = f->has_sender ? Organization(f->from_host) : NULL;
	RelateAddress(f, in, in->reply_to, f->reply_to_host, &f->reply_to_org, &f->reply_to_is_from, &f->reply_to_aligned);
	RelateAddress(f, in, in->return_path, f->return_path_host, &f->return_path_org,
				  &f->return_path_is_from, &f->return_path_aligned);
	FillMessageId(f, in->message_id);
	FillRecipients(f, in, room);
	f->from_name_org = NULL;
	f->from_name_mismatch = FLAG_UNKNOWN;
	if (in->from_name.data == NULL)
		return;
	FindShownDomain(in->from_name, f->from_name_host);
	if (f->from_name_host[0] == '\0')
		return;
	f->from_name_org = RegistrableDomain(f->from_name_host);
	if (f->from_org != NULL)
		f->from_name_mismatch = FlagOf(strcmp(f->from_name_org, f->from_org) != 0);
}

/* ---- headers ---------------------------------------------------------------------- */

static void
FillAuth(MessageFacts *f, const MessageInput *in, const FactRoom *room)
{
	const char **domains;

	AuthFactsBegin(&f->auth);
	for (int i = 0; i < in->nauth; i++)
	{
		room->check();
		if (in->auth[i].len <= HEADER_BYTES_MAX)
			AuthFactsAdd(&f->auth, in->auth[i].data, in->auth[i].len, in->ids, in->nids);
		else
			f->auth.untrusted++;
	}
	f->auth_server.data = NULL;
	if (f->auth.authserv_id >= 0)
		f->auth_server = in->ids[f->auth.authserv_id];
	domains = room->alloc(sizeof(char *) * (f->auth.ndomains > 0 ? f->auth.ndomains : 1));
	for (int i = 0; i < f->auth.ndomains; i++)
		domains[i] = f->auth.domains[i];
	f->dkim_domains.n = f->auth.ndomains;
	f->dkim_domains.strings = domains;
	AuthAlignment(&f->auth, f->from_host[0] != '\0' ? f->from_host : f->auth.dmarc_domain,
				  &f->spf_aligned, &f->dkim_aligned);
}

static void
FillReceived(MessageFacts *f, const MessageInput *in, const FactRoom *room)
{
	const ReceivedHop *hop = &f->received.hop;
	FactSpan	from = {f->from_host, strlen(f->from_host)};

	ReceivedBegin(&f->received, RegistrableDomain, in->trusted, in->trusted_arg, in->by_domain);
	memset(&f->received.hop, 0, sizeof(f->received.hop));
	for (int i = 0; i < in->nreceived; i++)
	{
		room->check();
		ReceivedAdd(&f->received, in->received[i].data, in->received[i].len <= HEADER_BYTES_MAX ? in->received[i].len : 0);
	}
	f->has_hop = f->received.at > 0;
	ShownHost(hop->name, f->relay_name);
	ShownHost(hop->helo, f->relay_helo);
	ShownHost(hop->by, f->relay_by);
	ShownHost(hop->protocol, f->relay_protocol);
	f->relay_encrypted = f->has_hop ? FlagOf(hop->encrypted) : FLAG_UNKNOWN;
	f->relay_authenticated = f->has_hop ? FlagOf(hop->authenticated) : FLAG_UNKNOWN;
	f->relay_helo_matches = SameOrganizationOf(hop->name, hop->helo);
	f->relay_aligned = SameOrganizationOf(hop->name, from);
}

/* ---- texts ------------------------------------------------------------------------ */

static void
FillText(TextOfMessage *made, FactSpan content, const FactRoom *room)
{
	TextScan	scan;
	const TextFacts *facts;
	const char **scripts;

	made->there = content.data != NULL;
	if (!made->there)
		return;
	TextFactsBegin(&scan);
	while (content.len > 0)
	{
		size_t		piece = content.len;

		/* pieces are of whole characters */
		if (piece > PIECE_BYTES)
			for (piece = PIECE_BYTES; piece > PIECE_BYTES - 4 && (content.data[piece] & 0xC0) == 0x80;)
				piece--;
		room->check();
		TextFactsAdd(&scan, content.data, piece);
		content.data += piece;
		content.len -= piece;
	}
	facts = TextFactsEnd(&scan);
	memcpy(&made->facts, facts, offsetof(TextFacts, scripts));
	scripts = room->alloc(sizeof(char *) * (facts->nscripts > 0 ? facts->nscripts : 1));
	for (int i = 0; i < facts->nscripts; i++)
		scripts[i] = ScriptName(facts->scripts[i]);
	made->scripts.n = facts->nscripts;
	made->scripts.strings = scripts;
}

static void
FillUrls(MessageFacts *f, const MessageInput *in, const FactRoom *room)
{
	/* links are URLs where these aren't given apart */
	const FactSpan *urls = in->urls != NULL ? in->urls : in->hrefs;
	int			n = in->urls != NULL ? in->nurls : in->nhrefs;

	UrlSummaryBegin(&f->urls, room, n, f->from_host[0] != '\0' ? f->from_host : NULL,
					in->recipients, in->nrecipients);
	UrlSummaryAdd(&f->urls, urls, n);
	UrlSummaryLinks(&f->urls, in->hrefs, in->nhrefs, in->texts, in->ntexts);
	f->url_hosts.n = f->urls.hosts.n;
	f->url_hosts.strings = f->urls.hosts.strings;
	f->url_domains.n = f->urls.domains.n;
	f->url_domains.strings = f->urls.domains.strings;
	f->url_redirects.n = f->urls.redirects.n;
	f->url_redirects.strings = f->urls.redirects.strings;
}

/* Find all that a message shows.  The facts are valid as long as the input and the room. */
void
MessageFactsFill(MessageFacts *facts, const MessageInput *in, const FactRoom *room)
{
	facts->always = true;
	FillAddresses(facts, in, room);
	FillAuth(facts, in, room);
	FillReceived(facts, in, room);
	FillText(&facts->body, in->body, room);
	FillText(&facts->subject, in->subject, room);
	FillText(&facts->from_name, in->from_name, room);
	FillUrls(facts, in, room);
}
