/*
 * received_facts.c
 *		Who handed a message over, by its Received headers; see facts.h.
 *
 *	from HELO (NAME [ADDRESS]) by HOST with PROTOCOL ...; date
 *
 * is what most servers write; NAME is what they found for the address.  Exim
 * writes "from NAME ([ADDRESS] helo=HELO)", qmail "from NAME (HELO HELO)
 * (ADDRESS)", Exchange "from HELO (ADDRESS)".  Headers stand from the last hop to
 * the first, and all below the first hop from outside were written by whoever
 * sent the message.
 */
#include <string.h>
#include <arpa/inet.h>

#include "ascii.h"
#include "facts.h"

/* Does it begin with that word, in lower case? */
static bool
Begins(const char *p, const char *end, const char *word)
{
	for (; *word != '\0'; p++, word++)
		if (p == end || Lower(*p) != *word)
			return false;
	return true;
}

static const char *
Find(const char *p, const char *end, const char *word)
{
	for (; p < end; p++)
		if (Begins(p, end, word))
			return p;
	return NULL;
}

/* ---- addresses ----------------------------------------------------------------- */

/* Is it an address of the Internet, not of a local network? */
static bool
IsPublic(const char *address)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
	{
		uint32_t	a = ntohl(v4.s_addr);

		return !((a >> 24) == 0 || (a >> 24) == 10 || (a >> 24) == 127 ||
				 (a >> 16) == 0xC0A8 || (a >> 16) == 0xA9FE ||
				 (a >> 20) == 0xAC1 || (a >> 22) == (0x64400000 >> 22) ||
				 (a >> 28) >= 0xE);
	}
	return inet_pton(AF_INET6, address, &v6) == 1 && (v6.s6_addr[0] & 0xE0) == 0x20;
}

static bool
IsAddress(const char *p, size_t len, char *address)
{
	unsigned char bits[16];

	if (len < 3 || len > FACT_ADDRESS_MAX)
		return false;
	memcpy(address, p, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, bits) == 1)
		return true;
	if (inet_pton(AF_INET6, address, bits) != 1)
		return false;
	/* ::ffff:192.0.2.1 is 192.0.2.1 */
	if (memcmp(bits, "\0\0\0\0\0\0\0\0\0\0\377\377", 12) == 0)
		inet_ntop(AF_INET, bits + 12, address, FACT_ADDRESS_MAX + 1);
	return true;
}

/* The first address in a piece of the header, a word of its own; empty for none */
static bool
FindAddress(const char *p, const char *end, char *address)
{
	const char *from = p;

	while (p < end)
	{
		const char *q = p;

		if (Begins(p, end, "ipv6:"))
		{
			p += 5;
			continue;
		}
		while (q < end && ((*q >= '0' && *q <= '9') || (Lower(*q) >= 'a' && Lower(*q) <= 'f') || *q == '.' || *q == ':'))
			q++;
		if (q > p && (p == from || strchr(" ([:@", p[-1]) != NULL) && (q == end || strchr(" )];,", *q) != NULL) &&
			IsAddress(p, q - p, address))
			return true;
		p = q > p ? q : p + 1;
	}
	address[0] = '\0';
	return false;
}

/* ---- one header ---------------------------------------------------------------- */

/* The word at p, up to a blank or one of the stops */
static FactSpan
WordAt(const char *p, const char *end, const char *stops)
{
	FactSpan	word;

	while (p < end && IsBlank(*p))
		p++;
	word.data = p;
	while (p < end && !IsBlank(*p) && strchr(stops, *p) == NULL)
		p++;
	word.len = p - word.data;
	return word;
}

static bool
WordIs(FactSpan word, const char *what)
{
	return word.len == strlen(what) && Begins(word.data, word.data + word.len, what);
}

/* The end of the comment at p, behind its parenthesis */
static const char *
CommentEnd(const char *p, const char *end)
{
	int			depth = 0;

	for (; p < end; p++)
	{
		if (*p == '\\' && p + 1 < end)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return end;
}

/* A comment between from and by: the address, its name, what the client said */
static void
TakeComment(ReceivedHop *hop, const char *p, const char *end)
{
	FactSpan	first = WordAt(p, end, "[(");
	const char *said = Find(p, end, "helo=");
	bool		is_said = WordIs(first, "helo") || WordIs(first, "ehlo");
	const char *bracket;

	/* at the beginning, where a name has no blank */
	hop->encrypted |= Begins(p, end, "using tls");
	hop->authenticated |= Begins(p, end, "authenticated");
	/* the word before was what the server found */
	if (said != NULL || is_said)
	{
		if (hop->name.len == 0)
			hop->name = hop->helo;
		hop->helo = WordAt(said != NULL ? said + 5 : first.data + first.len, end, ")");
		if (is_said)
			return;
		end = said;
	}
	/* what is in brackets was seen; a name may look like an address, too */
	bracket = memchr(p, '[', end - p);
	if (hop->address[0] != '\0' ||
		!((bracket != NULL && FindAddress(bracket, end, hop->address)) || FindAddress(p, end, hop->address)))
		return;
	/* "user@name", as by ident */
	for (const char *at = first.data + first.len; at > first.data; at--)
		if (at[-1] == '@')
		{
			first.len -= at - first.data;
			first.data = at;
			break;
		}
	if (first.len > 0 && first.data + first.len < end)
		hop->name = first;
}

/* From the server's own name on */
static void
TakeServer(ReceivedHop *hop, const char *p, const char *end)
{
	const char *with;

	hop->by = WordAt(p, end, "(;");
	for (with = p; with < end && *with != ';'; with++)
	{
		if (*with == '(')
		{
			const char *close = CommentEnd(with, end);

			hop->encrypted |= Begins(with + 1, close, "using tls") || Find(with, close, "version=tls") != NULL;
			if (Find(with, close, "fetchmail") != NULL)
				hop->fetched = true;
			with = close - 1;
		}
		else if (IsBlank(*with) && Begins(with + 1, end, "with ") && hop->protocol.len == 0)
			hop->protocol = WordAt(with + 6, end, "(;");
	}
	if (hop->protocol.len > 0)
	{
		const char *from = hop->protocol.data;
		const char *to = from + hop->protocol.len;
		const char *smtp = Find(from, to, "mtp");

		hop->fetched |= Begins(from, to, "pop3") || Begins(from, to, "imap");
		if (smtp != NULL)
		{
			hop->encrypted |= smtp + 3 < to && Lower(smtp[3]) == 's';
			hop->authenticated |= Lower(to[-1]) == 'a';
		}
	}
}

/* Take a header apart.  False where it is no hop from host to host. */
static bool
ReceivedParse(const char *value, size_t len, ReceivedHop *hop)
{
	const char *p = value;
	const char *end = value + len;
	FactSpan	first;

	memset(hop, 0, sizeof(*hop));
	while (p < end && IsBlank(*p))
		p++;
	if (!Begins(p, end, "from") || p + 4 == end || !IsBlank(p[4]))
		return false;
	first = hop->helo = WordAt(p + 5, end, "(;");
	p = hop->helo.data + hop->helo.len;
	while (p < end && *p != ';')
	{
		if (*p == '(')
		{
			const char *close = CommentEnd(p, end);

			TakeComment(hop, p + 1, close > p + 1 && close[-1] == ')' ? close - 1 : close);
			p = close;
		}
		else if (IsBlank(*p) && Begins(p + 1, end, "by "))
		{
			TakeServer(hop, p + 4, end);
			break;
		}
		else
			p++;
	}
	/* where no comment has one: "from [192.0.2.1] (helo=x)" */
	if (hop->address[0] == '\0')
		FindAddress(first.data, first.data + first.len, hop->address);
	/* no name was found, or none that leads back to the address */
	if (WordIs(hop->name, "unknown") || WordIs(hop->name, "<unknown>") || (hop->name.len > 0 && hop->name.data[0] == '['))
	{
		hop->name.len = 0;
		hop->nameless = true;
	}
	/* names end in a dot where they come from the resolver as they are */
	while (hop->name.len > 0 && hop->name.data[hop->name.len - 1] == '.')
		hop->name.len--;
	hop->is_public = hop->address[0] != '\0' && IsPublic(hop->address);
	return true;
}

/* ---- all of them ---------------------------------------------------------------- */

void
ReceivedBegin(ReceivedWalk *walk, RegistrableFn registrable, TrustedFn trusted, void *arg, bool by_domain)
{
	memset(walk, 0, offsetof(ReceivedWalk, own));
	walk->registrable = registrable;
	walk->trusted = trusted;
	walk->arg = arg;
	walk->by_domain = by_domain;
}

/* The registrable domain of a host, in room, or NULL */
static const char *
DomainOf(const ReceivedWalk *walk, FactSpan host, char *room)
{
	size_t		digits = 0;

	if (host.len == 0 || host.len > HOST_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < host.len; i++)
	{
		room[i] = Lower(host.data[i]);
		if (!(room[i] >= 'a' && room[i] <= 'z') && !(room[i] >= '0' && room[i] <= '9') && strchr("-_.", room[i]) == NULL)
			return NULL;
		digits = room[i] == '.' || (room[i] >= '0' && room[i] <= '9') ? digits + 1 : 0;
	}
	/* an address */
	if (digits == host.len)
		return NULL;
	room[host.len] = '\0';
	return walk->registrable(room);
}

/* Note the domain of a server that the message reached. */
static void
AddOwn(ReceivedWalk *walk, const ReceivedHop *hop)
{
	char		room[HOST_MAX_BYTES + 1];
	const char *domain = DomainOf(walk, hop->by, room);

	if (domain == NULL || walk->nown == OWN_DOMAINS_MAX)
		return;
	for (int i = 0; i < walk->nown; i++)
		if (strcmp(walk->own[i], domain) == 0)
			return;
	strcpy(walk->own[walk->nown++], domain);
}

/*
 * Does the client's name lie in a domain of the servers so far?  The name that a
 * client gives itself counts only where the server wrote down no other.
 */
static bool
IsOwn(const ReceivedWalk *walk, const ReceivedHop *hop)
{
	char		room[HOST_MAX_BYTES + 1];
	const char *domain;

	if (hop->nameless)
		return false;
	domain = DomainOf(walk, hop->name.len > 0 ? hop->name : hop->helo, room);
	if (domain == NULL)
		return false;
	for (int i = 0; i < walk->nown; i++)
		if (strcmp(walk->own[i], domain) == 0)
			return true;
	return false;
}

/* The next header; the value lives as long as the walk. */
void
ReceivedAdd(ReceivedWalk *walk, const char *value, size_t len)
{
	ReceivedHop hop;

	walk->headers++;
	if (walk->outside || !ReceivedParse(value, len, &hop))
		return;
	AddOwn(walk, &hop);
	if (!hop.is_public || hop.fetched || walk->trusted(&hop, walk->arg))
		return;
	walk->outside = !walk->by_domain || !IsOwn(walk, &hop);
	/* inside, but from the Internet: better than nothing */
	if (walk->outside || walk->at == 0)
	{
		walk->hop = hop;
		walk->at = walk->headers;
	}
}
