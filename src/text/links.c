/*
 * links.c
 *		Links that show one address and lead to another.
 *
 * An address is read as browsers read it (the URL standard of the WHATWG): what
 * tells the host is what stands after the last @ of the authority, slashes may
 * be the wrong ones or too many, tabs and line ends are left out, %41 is A.
 */
#include "postgres.h"

#include "compat.h"
#include "domain.h"
#include "encoding.h"
#include "fmgr.h"

/* So many bytes of an address are read: its host is at its beginning. */
#define ADDRESS_BYTES	4096

/* ... and so many of an authority that is no host name are compared */
#define OTHER_BYTES		HOST_MAX_BYTES

typedef enum HostKind
{
	HOST_NONE,					/* no address, or one without a host */
	HOST_NAME,					/* canonical */
	HOST_OTHER					/* an IP address, or what nobody can resolve */
} HostKind;

typedef struct Host
{
	HostKind	kind;
	char		ascii[HOST_MAX_BYTES + 1];
} Host;

/* An address that is read, invisible characters left out */
typedef struct Address
{
	int			len;
	char		bytes[3 * ADDRESS_BYTES];
} Address;

/* Suffixes of files that are top-level domains, too */
static const char *const file_suffixes[] = {"md", "mk", "mov", "ps", "py", "rs", "sh", "so", "zip"};

/*
 * The visible characters of a text in UTF-8, all white space as blanks and
 * none at the ends.  Tabs and line ends are left out instead where that is
 * said.
 */
static void
ReadAddress(text *content, bool joins_lines, Address *address)
{
	const char *bytes = VARDATA_ANY(content);
	int			len = VARSIZE_ANY_EXHDR(content);
	const unsigned char *p;
	const unsigned char *end;
	char	   *q = address->bytes;
	Size		utf8_len;

	for (; len > 0 && (unsigned char) *bytes <= ' '; len--)
		bytes++;
	p = (const unsigned char *) TextToUtf8(bytes, Min(len, ADDRESS_BYTES), &utf8_len);
	end = p + Min(utf8_len, ADDRESS_BYTES);
	while (p < end)
	{
		uint32_t	c;
		int			n = Utf8Decode(p, end, &c);

		if (n == 0)
		{
			n = 1;
			c = 0xFFFD;
		}
		p += n;
		if (joins_lines && (c == '\t' || c == '\n' || c == '\r'))
			continue;
		if (c < 0x80 && c > ' ')
			*q++ = c;
		else if (c <= ' ' || (CharClass(c) & CHAR_SPACE) != 0)
		{
			if (q > address->bytes)
				*q++ = ' ';
		}
		else if ((CharClass(c) & CHAR_IGNORE) == 0)
			q += Utf8Encode(c, (unsigned char *) q);
	}
	while (q > address->bytes && q[-1] == ' ')
		q--;
	address->len = q - address->bytes;
}

static inline bool
IsSlash(char c)
{
	return c == '/' || c == '\\';
}

/* May a scheme have it, and begin with it? */
static inline bool
IsSchemeChar(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.');
}

/* Length of a scheme with its colon at the beginning, 0 without one */
static int
SchemeLength(const char *p, int len)
{
	int			n = 0;

	while (n < len && IsSchemeChar(p[n], n == 0))
		n++;
	if (n == 0 || n == len || p[n] != ':')
		return 0;
	/* A port follows a host name. */
	return n + 1 < len && p[n + 1] >= '0' && p[n + 1] <= '9' ? 0 : n + 1;
}

/* Is it one of those whose authority is a host? */
static bool
IsWebScheme(const char *p, int len)
{
	return (len == 5 && pg_strncasecmp(p, "http:", 5) == 0) ||
		(len == 6 && pg_strncasecmp(p, "https:", 6) == 0) ||
		(len == 4 && pg_strncasecmp(p, "ftp:", 4) == 0);
}

static inline int
HexDigit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The host of an authority, user name and port left out */
static void
ReadHost(const char *p, int len, Host *host)
{
	char		decoded[4 * HOST_MAX_BYTES];
	int			n = 0;

	for (int i = len; i > 0; i--)
		if (p[i - 1] == '@')
		{
			p += i;
			len -= i;
			break;
		}
	for (int i = len; i > 0 && (p[i - 1] == ':' || (p[i - 1] >= '0' && p[i - 1] <= '9')); i--)
		if (p[i - 1] == ':')
		{
			len = i - 1;
			break;
		}
	host->kind = HOST_NONE;
	if (len == 0)
		return;
	decoded[0] = '\0';
	for (int i = 0; i < len && n < sizeof(decoded); i++)
	{
		int			high = p[i] == '%' && i + 2 < len ? HexDigit(p[i + 1]) : -1;
		int			low = high >= 0 ? HexDigit(p[i + 2]) : -1;

		decoded[n++] = low >= 0 ? high << 4 | low : p[i];
		if (low >= 0)
			i += 2;
	}
	host->kind = HOST_NAME;
	if (n < sizeof(decoded) && CanonicalUtf8Host(decoded, n, host->ascii))
		return;
	host->kind = HOST_OTHER;
	n = Min(n, OTHER_BYTES);
	for (int i = 0; i < n; i++)
		host->ascii[i] = decoded[i] == '\0' ? ' ' : pg_ascii_tolower(decoded[i]);
	host->ascii[n] = '\0';
}

/* Does the name of a file end so? */
static bool
IsFileSuffix(const char *suffix)
{
	for (int i = 0; i < lengthof(file_suffixes); i++)
		if (strcmp(suffix, file_suffixes[i]) == 0)
			return true;
	return false;
}

/*
 * A host that stands without a scheme: one word, under a suffix that there is,
 * and which isn't rather a file.
 */
static void
ReadBareHost(const char *p, int len, Host *host)
{
	int			end;
	const char *suffix;

	while (len > 0 && strchr("<([{\"'", *p) != NULL)
	{
		p++;
		len--;
	}
	while (len > 0 && strchr(">)]}\"'.,;:!?", p[len - 1]) != NULL)
		len--;
	host->kind = HOST_NONE;
	for (int i = 0; i < len; i++)
		if (p[i] == ' ')
			return;
	for (end = 0; end < len && !IsSlash(p[end]) && p[end] != '?' && p[end] != '#'; end++)
		if (p[end] == '@' || p[end] == '%')
			return;
	ReadHost(p, end, host);
	if (host->kind == HOST_NAME)
	{
		suffix = strrchr(host->ascii, '.');
		if (suffix != NULL && IsKnownSuffix(suffix + 1) && RegistrableDomain(host->ascii) != NULL &&
			(end < len || strchr(host->ascii, '.') != suffix || !IsFileSuffix(suffix + 1)))
			return;
	}
	host->kind = HOST_NONE;
}

/* The host of a link, or of a text that looks like one */
static void
LinkHost(const Address *address, Host *host)
{
	const char *p = address->bytes;
	int			len = address->len;
	int			scheme = SchemeLength(p, len);
	int			end;

	host->kind = HOST_NONE;
	if (scheme > 0 && !IsWebScheme(p, scheme))
		return;
	if (scheme == 0 && !(len > 2 && IsSlash(p[0]) && IsSlash(p[1])))
	{
		/* www. may stand before other words, any other host may not. */
		if (!(len > 4 && pg_strncasecmp(p, "www.", 4) == 0))
		{
			ReadBareHost(p, len, host);
			return;
		}
	}
	else
	{
		for (; scheme < len && IsSlash(p[scheme]); scheme++);
		p += scheme;
		len -= scheme;
	}
	for (end = 0; end < len && !IsSlash(p[end]) && p[end] != '?' && p[end] != '#' && p[end] != ' '; end++);
	ReadHost(p, end, host);
	/* Words may begin so, too. */
	if (p == address->bytes && (host->kind != HOST_NAME || RegistrableDomain(host->ascii) == NULL))
		host->kind = HOST_NONE;
}

/* link_mismatch(content, href): does it show another domain than it leads to? */
PG_FUNCTION_INFO_V1(link_mismatch);
Datum
link_mismatch(PG_FUNCTION_ARGS)
{
	Address		address;
	Host		shown;
	Host		real;

	ReadAddress(PG_GETARG_TEXT_PP(0), false, &address);
	LinkHost(&address, &shown);
	if (shown.kind == HOST_NONE)
		PG_RETURN_BOOL(false);
	ReadAddress(PG_GETARG_TEXT_PP(1), true, &address);
	LinkHost(&address, &real);
	if (real.kind == HOST_NONE)
		PG_RETURN_BOOL(false);
	if (shown.kind == HOST_NAME && real.kind == HOST_NAME)
	{
		const char *shown_domain = RegistrableDomain(shown.ascii);
		const char *real_domain = RegistrableDomain(real.ascii);

		if (shown_domain != NULL && real_domain != NULL)
			PG_RETURN_BOOL(strcmp(shown_domain, real_domain) != 0);
	}
	PG_RETURN_BOOL(strcmp(shown.ascii, real.ascii) != 0);
}
