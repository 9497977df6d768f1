/*
 * message_facts.h
 *		All facts of a message at once, as fields with names: the columns that
 *		assay_load fills, and the row that message_facts() gives.
 *
 * Plain C: usable outside of the server.
 */
#ifndef ASSAY_MESSAGE_FACTS_H
#define ASSAY_MESSAGE_FACTS_H

#include "facts.h"

/* Longest name of a host that is none; the rest is cut */
#define NAME_BYTES_MAX	255

/* A message; a span without data is not there */
typedef struct MessageInput
{
	FactSpan	from_addr;
	FactSpan	from_name;
	FactSpan	reply_to;
	FactSpan	return_path;
	FactSpan	message_id;
	FactSpan	subject;
	FactSpan	body;
	const FactSpan *recipients;
	int			nrecipients;
	const FactSpan *urls;
	int			nurls;
	const FactSpan *hrefs;
	int			nhrefs;
	const FactSpan *texts;		/* of the hrefs */
	int			ntexts;
	const FactSpan *auth;		/* Authentication-Results, from the top */
	int			nauth;
	const FactSpan *received;	/* Received, from the top */
	int			nreceived;
	const FactSpan *ids;		/* of servers whose results are trusted */
	int			nids;
	TrustedFn	trusted;		/* is a hop one's own? */
	void	   *trusted_arg;
	bool		by_domain;		/* see ReceivedWalk */
} MessageInput;

/* Strings in order */
typedef struct FactList
{
	int			n;
	const char *const *strings;
} FactList;

typedef enum FactFlag
{
	FLAG_UNKNOWN = -1,
	FLAG_NO,
	FLAG_YES
} FactFlag;

/* A text and what it consists of */
typedef struct TextOfMessage
{
	bool		there;
	TextFacts	facts;
	FactList	scripts;
} TextOfMessage;

/* What a message shows; empty strings are nothing */
typedef struct MessageFacts
{
	bool		always;			/* true */
	bool		has_sender;		/* From has a domain */
	bool		has_hop;		/* somebody from outside handed it over */

	FactSpan	auth_server;
	AuthFacts	auth;
	FactList	dkim_domains;
	FactFlag	spf_aligned;
	FactFlag	dkim_aligned;

	ReceivedWalk received;
	char		relay_name[NAME_BYTES_MAX + 1];
	char		relay_helo[NAME_BYTES_MAX + 1];
	char		relay_by[NAME_BYTES_MAX + 1];
	char		relay_protocol[NAME_BYTES_MAX + 1];
	FactFlag	relay_encrypted;
	FactFlag	relay_authenticated;
	FactFlag	relay_helo_matches;
	FactFlag	relay_aligned;

	char		from_host[HOST_MAX_BYTES + 1];
	char		from_name_host[HOST_MAX_BYTES + 1];
	char		reply_to_host[HOST_MAX_BYTES + 1];
	char		return_path_host[HOST_MAX_BYTES + 1];
	char		message_id_host[HOST_MAX_BYTES + 1];
	const char *from_org;		/* these point into the hosts above */
	const char *from_name_org;
	const char *reply_to_org;
	const char *return_path_org;
	const char *message_id_org;
	FactFlag	from_name_mismatch;
	FactFlag	reply_to_is_from;
	FactFlag	reply_to_aligned;
	FactFlag	return_path_is_from;
	FactFlag	return_path_aligned;
	FactFlag	message_id_aligned;
	int32_t		recipients;
	int32_t		recipients_aligned;
	FactFlag	from_is_recipient;

	TextOfMessage body;
	TextOfMessage subject;
	TextOfMessage from_name;

	UrlSummary	urls;
	FactList	url_hosts;
	FactList	url_domains;
	FactList	url_redirects;
} MessageFacts;

/* The type of a field, in SQL */
typedef enum FactKind
{
	FIELD_COUNT,				/* integer */
	FIELD_SHARE,				/* real */
	FIELD_ENTROPY,				/* real */
	FIELD_FLAG,					/* boolean */
	FIELD_BOOL,					/* boolean, of a bool */
	FIELD_STRING,				/* text, of a pointer */
	FIELD_CHARS,				/* text, in its place */
	FIELD_SPAN,					/* text */
	FIELD_LIST					/* text[] */
} FactKind;

typedef struct FactField
{
	const char *name;
	FactKind	kind;
	size_t		offset;			/* in MessageFacts */
	size_t		whole;			/* what a share is of, or decides about an
								 * entropy */
	size_t		there;			/* a bool: without it, it is NULL */
	const char *comment;
} FactField;

/* A field's value, of which one member is in use */
typedef struct FactValue
{
	bool		isnull;
	int32_t		count;
	float		share;
	bool		flag;
	FactSpan	string;
	FactList	list;
} FactValue;

extern const FactField message_fields[];
extern const int message_nfields;

/* message_facts.c */
extern void MessageFactsFill(MessageFacts *facts, const MessageInput *in, const FactRoom *room);
extern void MessageFactValue(const MessageFacts *facts, const FactField *field, FactValue *value);
extern void AuthAlignment(const AuthFacts *facts, const char *from, FactFlag *spf, FactFlag *dkim);
extern void ShownHost(FactSpan host, char *ascii);
extern FactFlag SameOrganizationOf(FactSpan a, FactSpan b);

#endif							/* ASSAY_MESSAGE_FACTS_H */
