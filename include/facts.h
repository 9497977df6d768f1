/*
 * facts.h
 *		What a message shows without knowing anyone or anything else: counts of
 *		a text, what servers said in its headers, where its links lead.
 *
 * Plain C over bytes in UTF-8: usable outside of the server.  Every function is
 * linear in what it reads and allocates nothing.
 */
#ifndef ASSAY_FACTS_H
#define ASSAY_FACTS_H

#include "charclass.h"

/* Bytes of somebody else's; not ended by a NUL */
typedef struct FactSpan
{
	const char *data;
	size_t		len;
} FactSpan;

/* ---- texts ------------------------------------------------------------------- */

/* Counts of characters, but for those whose name says another thing */
typedef struct TextFacts
{
	int32_t		characters;
	int32_t		words;
	int32_t		lines;
	int32_t		letters;
	int32_t		uppercase;
	int32_t		digits;
	int32_t		punctuation;
	int32_t		whitespace;
	int32_t		exclamations;
	int32_t		questions;
	int32_t		currency;
	int32_t		non_ascii;
	int32_t		uppercase_words;
	int32_t		quoted_lines;
	int32_t		longest_token;	/* run without white space */
	int32_t		longest_line;
	int32_t		longest_gap;	/* run of white space */
	int32_t		emoji;			/* sequences that show one picture */
	int32_t		math_letters;
	int32_t		enclosed_letters;
	int32_t		fullwidth_letters;
	int32_t		invisible;
	int32_t		invisible_words;	/* words with one inside */
	int32_t		bidi_controls;
	int32_t		bidi_overrides;
	int32_t		tag_characters;
	int32_t		control_characters;
	int32_t		private_use;
	int32_t		replacements;	/* U+FFFD */
	int32_t		stacked_marks;	/* most marks on one character */
	int32_t		mixed_script_words;
	int32_t		bytes;
	double		entropy;		/* bits a byte */
	int			nscripts;		/* that letters are of, most first */
	int			scripts[SCRIPTS_MAX];
} TextFacts;

/* What the characters before may make of the next one */
typedef enum EmojiState
{
	EMOJI_NONE,
	EMOJI_PENDING,				/* a pictograph that a selector makes one */
	EMOJI_OPEN,					/* counted, and may go on */
	EMOJI_JOINED,				/* the next one belongs to it */
	EMOJI_HALF_FLAG,
	EMOJI_KEY					/* a digit and a selector */
} EmojiState;

/* A text that is being read, piece by piece */
typedef struct TextScan
{
	TextFacts	facts;
	uint32_t	bytes[4][256];	/* how often each occurs: four sums of them */
	int32_t		letters[SCRIPTS_MAX];
	uint64_t	scripts[SCRIPTS_MAX / 64];	/* bits of those that letters has */
	/* the word, token, gap and line at hand */
	bool		in_word;
	bool		word_hides;		/* an invisible character came in it */
	bool		word_hidden;	/* and it went on after that */
	bool		word_small;		/* a letter that is no capital */
	int32_t		word_uppercase; /* capitals, no more than 2 */
	uint32_t	word_scripts;	/* bits by ScriptKind, and OTHER_TWICE */
	int			word_other;		/* the script that set SCRIPT_OTHER */
	int32_t		token;
	int32_t		gap;
	int32_t		line;
	bool		line_begins;
	/* the character before */
	uint32_t	before;
	uint32_t	before_facts;
	EmojiState	emoji;
	bool		tag_sequence;	/* tags that follow are a flag's */
	int32_t		marks;
} TextScan;

/* text_facts.c */
extern void TextFactsBegin(TextScan *scan);
extern void TextFactsAdd(TextScan *scan, const char *bytes, size_t len);
extern const TextFacts *TextFactsEnd(TextScan *scan);

/* ---- authentication ------------------------------------------------------------ */

typedef enum AuthMethod
{
	AUTH_SPF,
	AUTH_DKIM,
	AUTH_DMARC,
	AUTH_ARC,
	AUTH_COMPAUTH,				/* of Microsoft */
	AUTH_IPREV,
	AUTH_METHODS
} AuthMethod;

#define AUTH_WORD_MAX		32	/* bytes of a result, or another keyword */
#define AUTH_DOMAINS_MAX	32	/* signing domains that are kept */

/* What trusted servers said; an empty string is nothing */
typedef struct AuthFacts
{
	char		result[AUTH_METHODS][AUTH_WORD_MAX + 1];
	char		spf_domain[HOST_MAX_BYTES + 1];
	bool		spf_of_helo;	/* not of MAIL FROM */
	char		dkim_domain[HOST_MAX_BYTES + 1];	/* of the signature that
													 * the result is of */
	char		dmarc_domain[HOST_MAX_BYTES + 1];
	char		dmarc_policy[AUTH_WORD_MAX + 1];
	char		dmarc_action[AUTH_WORD_MAX + 1];
	char		compauth_reason[AUTH_WORD_MAX + 1];
	bool		conflict;		/* one method, two results */
	int			authserv_id;	/* index of the first one that was met, or -1 */
	int			signatures;
	int			signatures_passed;
	int			trusted;		/* headers */
	int			untrusted;
	int			malformed;		/* of the trusted ones */
	int			ndomains;		/* distinct ones of signatures that passed */
	char		domains[AUTH_DOMAINS_MAX][HOST_MAX_BYTES + 1];
} AuthFacts;

/* auth_facts.c */
extern void AuthFactsBegin(AuthFacts *facts);
extern void AuthFactsAdd(AuthFacts *facts, const char *value, size_t len,
						 const FactSpan *ids, int nids);

/* ---- the way ------------------------------------------------------------------- */

#define FACT_ADDRESS_MAX	45	/* bytes of an address as text */

/* One Received header; spans are parts of it */
typedef struct ReceivedHop
{
	char		address[FACT_ADDRESS_MAX + 1];	/* as the server saw it, or
												 * empty */
	bool		is_public;		/* of the Internet */
	FactSpan	name;			/* that the server found for the address */
	bool		nameless;		/* it says that there is none */
	FactSpan	helo;			/* as the client called itself */
	FactSpan	by;
	FactSpan	protocol;
	bool		encrypted;
	bool		authenticated;
	bool		fetched;		/* from a mailbox */
} ReceivedHop;

typedef const char *(*RegistrableFn) (const char *ascii);
typedef bool (*TrustedFn) (const ReceivedHop *hop, void *arg);

#define OWN_DOMAINS_MAX	8

/* Received headers from the top, up to the first hop from outside */
typedef struct ReceivedWalk
{
	RegistrableFn registrable;
	TrustedFn	trusted;
	void	   *arg;			/* of trusted */
	bool		by_domain;		/* a host of the servers' own domain is inside */
	int			headers;
	int			at;				/* number of the hop from the top, or 0 */
	bool		outside;		/* false: the best that there is */
	ReceivedHop hop;
	int			nown;
	char		own[OWN_DOMAINS_MAX][HOST_MAX_BYTES + 1];
} ReceivedWalk;

/* received_facts.c */
extern void ReceivedBegin(ReceivedWalk *walk, RegistrableFn registrable,
						  TrustedFn trusted, void *arg, bool by_domain);
extern void ReceivedAdd(ReceivedWalk *walk, const char *value, size_t len);

/* ---- links --------------------------------------------------------------------- */

typedef enum UrlScheme
{
	URL_NONE,					/* a relative link, or nothing */
	URL_HTTP,
	URL_HTTPS,
	URL_FTP,
	URL_MAILTO,
	URL_PHONE,					/* tel, sms */
	URL_SCRIPT,					/* javascript, vbscript, data, file */
	URL_OTHER
} UrlScheme;

/* A URL as browsers take it */
typedef struct UrlParts
{
	UrlScheme	scheme;
	char		host[HOST_MAX_BYTES + 1];	/* canonical, or empty */
	bool		is_address;		/* the host is an IP address */
	bool		bare;			/* no scheme: a host name, or a file's */
	bool		userinfo;
	bool		port;			/* other than the scheme's */
	bool		odd;			/* the host is written so as to hide it */
	bool		has_address;	/* an e-mail address behind the host */
	bool		has_url;		/* another URL behind it */
	bool		is_base64;		/* that one is in Base64 */
	FactSpan	behind;			/* path, query and fragment, where it has a
								 * host */
	FactSpan	nested;			/* from the other URL on */
} UrlParts;

/* url_facts.c */
extern void UrlParse(const char *url, size_t len, UrlParts *parts);
extern bool UrlShown(const char *text, size_t len, bool (*is_suffix) (const char *), UrlParts *parts);
extern bool UrlNested(const UrlParts *outer, UrlParts *inner);

/* What makes room, which is never given back here, and looks for an interrupt */
typedef struct FactRoom
{
	void	   *(*alloc) (size_t size);
	void		(*check) (void);
} FactRoom;

/* Distinct strings in the order in which they came */
typedef struct StringSet
{
	int			n;
	int			max;			/* as many may come */
	uint32_t	mask;			/* of slots, of which there are twice as many
								 * as strings at least */
	const char **strings;
	int		   *slots;			/* indexes + 1 by hash */
} StringSet;

/* Counts of URLs and links */
typedef struct UrlCounts
{
	int32_t		urls;
	int32_t		foreign;		/* domains that aren't the sender's */
	int32_t		of_sender;
	int32_t		ip;
	int32_t		punycode;
	int32_t		userinfo;
	int32_t		port;
	int32_t		odd;
	int32_t		insecure;
	int32_t		email;
	int32_t		recipient;		/* a recipient's address behind the host */
	int32_t		nested;
	int32_t		redirects;		/* nested ones of another organization */
	int32_t		longest;		/* characters */
	int32_t		longest_host;
	int32_t		labels;
	int32_t		links;
	int32_t		mismatches;
	int32_t		url_texts;
	int32_t		empty_texts;
	int32_t		mailto;
	int32_t		phone;
	int32_t		script;
} UrlCounts;

/* Ways to write the addresses of recipients into a URL */
typedef struct AddressForm
{
	FactSpan	bytes;
	bool		coded;			/* Base64 or hexadecimal: just so */
} AddressForm;

typedef struct AddressForms
{
	int			n;
	AddressForm *forms;
} AddressForms;

typedef struct UrlSummary
{
	const FactRoom *room;
	UrlCounts	counts;
	StringSet	hosts;
	StringSet	domains;
	StringSet	redirects;		/* domains that nested URLs lead to */
	const char **domain_of;		/* of each host, or NULL */
	const char *sender;			/* its organization, or NULL */
	AddressForms recipients;
} UrlSummary;

/* url_summary.c; a span without data is NULL */
extern void UrlSummaryBegin(UrlSummary *s, const FactRoom *room, int max, const char *sender,
							const FactSpan *recipients, int nrecipients);
extern void UrlSummaryAdd(UrlSummary *s, const FactSpan *urls, int n);
extern void UrlSummaryLinks(UrlSummary *s, const FactSpan *hrefs, int nhrefs, const FactSpan *texts, int ntexts);

#endif							/* ASSAY_FACTS_H */
