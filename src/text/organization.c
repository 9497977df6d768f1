/*
 * organization.c
 *		Whose a host is: the domain that somebody registered, by the Public Suffix
 *		List that libpsl was built with; see domain.h.
 *
 * Plain C: usable outside of the server.
 */
#include <string.h>

#include <libpsl.h>

#include "domain.h"

/* The canonical form of a host name in UTF-8; false when it is none, or an address. */
bool
CanonicalUtf8Host(const char *host, size_t len, char *ascii)
{
	const char *label;

	if (HostToAscii(host, len, ascii) < 0)
		return false;
	/* A last label of digits makes it an IPv4 address, or nothing. */
	label = strrchr(ascii, '.');
	label = label ? label + 1 : ascii;
	return label[strspn(label, "0123456789")] != '\0';
}

/* Hosts that were asked about, by a hash: the same few come again and again */
#define KNOWN_HOSTS		2048
#define KNOWN_BYTES		62

typedef struct KnownHost
{
	signed char at;				/* of its registrable domain; -1: none */
	char		host[KNOWN_BYTES + 1];
} KnownHost;

/*
 * The same, where it is not known: none where the list has the host itself, else
 * that of what is behind its first label, or the host where that has none.  So
 * the list is asked for each part of a name once, and hosts of one domain have
 * most of theirs in common.
 */
static const char *
FindRegistrableDomain(const char *ascii)
{
	const char *dot = strchr(ascii, '.');
	const char *domain;

	if (dot == NULL || psl_is_public_suffix(psl_builtin(), ascii))
		return NULL;
	domain = RegistrableDomain(dot + 1);
	return domain != NULL ? domain : ascii;
}

/* The registrable domain at the end of a canonical host name; NULL if none */
const char *
RegistrableDomain(const char *ascii)
{
	static KnownHost known[KNOWN_HOSTS];
	KnownHost  *host;
	const char *domain;
	unsigned	hash = 5381;
	size_t		len;

	for (len = 0; ascii[len] != '\0'; len++)
		hash = hash * 33 + (unsigned char) ascii[len];
	if (len == 0 || len > KNOWN_BYTES)
		return psl_registrable_domain(psl_builtin(), ascii);
	host = &known[hash % KNOWN_HOSTS];
	if (memcmp(host->host, ascii, len + 1) != 0)
	{
		domain = FindRegistrableDomain(ascii);
		host->at = domain != NULL ? domain - ascii : -1;
		memcpy(host->host, ascii, len + 1);
	}
	return host->at >= 0 ? ascii + host->at : NULL;
}

/* Does the list have this suffix, other than by its rule for all others? */
bool
IsKnownSuffix(const char *ascii)
{
	return psl_is_public_suffix2(psl_builtin(), ascii, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE);
}

/* Is it a top-level domain of the Internet's? */
bool
IsTopLevelDomain(const char *label)
{
	return psl_is_public_suffix2(psl_builtin(), label, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
}

/* What stands for a canonical host name in comparisons: its registrable domain, or itself */
const char *
Organization(const char *ascii)
{
	const char *domain = RegistrableDomain(ascii);

	return domain != NULL ? domain : ascii;
}

/* Are two hosts of one organization, as DMARC's relaxed alignment has it? */
bool
SameOrganization(const char *a, const char *b)
{
	return strcmp(Organization(a), Organization(b)) == 0;
}

/* The host of an address, in brackets or not, or of a domain, in UTF-8; false for none */
bool
MailHost(const char *address, size_t len, char *host)
{
	host[0] = '\0';
	while (len > 0 && (address[len - 1] == ' ' || address[len - 1] == '\t' || address[len - 1] == '>'))
		len--;
	for (size_t i = len; i > 0; i--)
		if (address[i - 1] == '@')
		{
			address += i;
			len -= i;
			break;
		}
	for (; len > 0 && (*address == ' ' || *address == '\t'); len--)
		address++;
	if (CanonicalUtf8Host(address, len, host))
		return true;
	host[0] = '\0';
	return false;
}
