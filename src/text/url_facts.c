/*
 * url_facts.c
 *		Where a URL leads, as browsers understand it (the WHATWG's URL standard),
 *		and what it hides; see facts.h.
 *
 * Browsers forgive much, which is what senders use: white space in the middle,
 * backslashes for slashes or none at all, letters of the host as escapes or in
 * wide forms, addresses as one number, octal or hexadecimal, a name before an @
 * that looks like the host.
 */
#include <string.h>
#include <arpa/inet.h>

#include "ascii.h"
#include "facts.h"

/* Bytes of a URL in which the host must end */
#define HEAD_MAX	2048

/* Bytes that are read of a URL within another */
#define NESTED_MAX	1024

static inline bool
IsAlnum(char c)
{
	c = Lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static inline int
HexValue(char c)
{
	c = Lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Does it begin with that, in lower case? */
static bool
Begins(const char *p, const char *end, const char *what)
{
	for (; *what != '\0'; p++, what++)
		if (p == end || Lower(*p) != *what)
			return false;
	return true;
}

/* ---- hosts --------------------------------------------------------------------- */

/* One part of an IPv4 address: decimal, octal, hexadecimal; false for none */
static bool
ReadNumber(const char *p, size_t len, uint64_t *number)
{
	int			base = 10;

	if (len >= 2 && p[0] == '0' && p[1] == 'x')
	{
		base = 16;
		p += 2;
		len -= 2;
	}
	else if (len >= 2 && p[0] == '0')
		base = 8;
	*number = 0;
	for (size_t i = 0; i < len; i++)
	{
		int			digit = HexValue(p[i]);

		if (digit < 0 || digit >= base)
			return false;
		*number = *number * base + digit;
		if (*number > UINT32_MAX)
			return false;
	}
	return len > 0 || base == 16;
}

/*
 * A host whose last label is a number is an IPv4 address or nothing.  Returns 1
 * where it is one, 0 where it isn't a number, -1 where it is nothing; host
 * becomes the usual form.
 */
static int
ReadIPv4(char *host)
{
	uint64_t	parts[4];
	int			n = 0;
	const char *last = strrchr(host, '.');
	uint64_t	address = 0;
	struct in_addr bits;

	last = last != NULL ? last + 1 : host;
	if (!ReadNumber(last, strlen(last), &address) && last[strspn(last, "0123456789")] != '\0')
		return 0;
	for (const char *p = host;;)
	{
		size_t		len = strcspn(p, ".");

		if (n == 4 || !ReadNumber(p, len, &parts[n++]))
			return -1;
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	/* the last one takes the bytes that are left */
	address = parts[n - 1];
	if (address >= UINT64_C(1) << 8 * (5 - n))
		return -1;
	for (int i = 0; i < n - 1; i++)
	{
		if (parts[i] > 255)
			return -1;
		address |= parts[i] << 8 * (3 - i);
	}
	bits.s_addr = htonl(address);
	inet_ntop(AF_INET, &bits, host, INET_ADDRSTRLEN);
	return 1;
}

/*
 * Browsers ask for hosts with characters that no host has by right, and a domain
 * that answers for all names below it is found: http://bank.test&a.evil.test/.
 * They become '_' before the last label, so that the domain is seen.
 */
static bool
ReplaceOdd(char *host, size_t len)
{
	size_t		last = len;
	bool		any = false;

	while (last > 0 && host[last - 1] != '.')
		last--;
	for (char *p = host; p < host + last; p++)
		if (*p != '\0' && strchr("!\"$&'()*+,;=`{}~", *p) != NULL)
		{
			*p = '_';
			any = true;
		}
	return any;
}

/* The host of a URL in its canonical form, out of what stands there */
static void
ReadHost(const char *p, size_t len, UrlParts *u)
{
	char		decoded[HEAD_MAX];
	size_t		n = 0;
	bool		ascii = true;
	int			address;

	if (len > 2 && p[0] == '[' && p[len - 1] == ']')
	{
		unsigned char bits[16];

		if (len - 2 > FACT_ADDRESS_MAX)
			return;
		memcpy(u->host, p + 1, len - 2);
		u->host[len - 2] = '\0';
		u->is_address = inet_pton(AF_INET6, u->host, bits) == 1;
		if (!u->is_address)
			u->host[0] = '\0';
		else
			inet_ntop(AF_INET6, bits, u->host, HOST_MAX_BYTES + 1);
		return;
	}
	for (size_t i = 0; i < len; i++)
	{
		char		c = p[i];

		if (c == '%' && i + 2 < len && HexValue(p[i + 1]) >= 0 && HexValue(p[i + 2]) >= 0)
		{
			c = HexValue(p[i + 1]) * 16 + HexValue(p[i + 2]);
			i += 2;
			u->odd = true;
		}
		ascii &= (c & 0x80) == 0;
		decoded[n++] = c;
	}
	u->odd |= ReplaceOdd(decoded, n);
	if (n == 0 || HostToAscii(decoded, n, u->host) < 0)
	{
		u->host[0] = '\0';
		return;
	}
	/* letters that became others */
	if (!ascii && strstr(u->host, "xn--") == NULL)
		u->odd = true;
	address = ReadIPv4(u->host);
	if (address < 0)
		u->host[0] = '\0';
	u->is_address = address > 0;
	/* not as one writes an address */
	if (u->is_address && (n != strlen(u->host) || memcmp(decoded, u->host, n) != 0))
		u->odd = true;
}

/* User, host and port, from p up to the path */
static void
ReadAuthority(const char *p, const char *end, UrlParts *u)
{
	const char *colon = NULL;

	for (const char *q = end; q > p; q--)
		if (q[-1] == '@')
		{
			u->userinfo = true;
			p = q;
			break;
		}
	for (const char *q = p; q < end; q++)
	{
		if (*q == ':')
			colon = q;
		else if (*q == ']')
			colon = NULL;
	}
	if (colon != NULL)
	{
		FactSpan	port = {colon + 1, end - colon - 1};
		const char *usual = u->scheme == URL_HTTPS ? "443" : u->scheme == URL_FTP ? "21" : "80";

		while (port.len > 1 && port.data[0] == '0')
		{
			port.data++;
			port.len--;
		}
		u->port = port.len > 0 && (port.len != strlen(usual) || memcmp(port.data, usual, port.len) != 0);
		end = colon;
	}
	ReadHost(p, end - p, u);
}

/* ---- behind the host -------------------------------------------------------------- */

static inline bool
IsAddressChar(char c)
{
	return IsAlnum(c) || c == '.' || c == '-' || c == '_' || c == '+';
}

/* Is an e-mail address around the @ that ends before p? */
static bool
IsMailAddress(const char *from, const char *at, const char *p, const char *end)
{
	const char *dot = NULL;

	if (at == from || !IsAddressChar(at[-1]) || p == end || !IsAlnum(*p))
		return false;
	for (; p < end && (IsAlnum(*p) || *p == '-' || *p == '.'); p++)
		if (*p == '.')
			dot = p;
	return dot != NULL && p - dot > 2 && !(dot[1] >= '0' && dot[1] <= '9');
}

/* "http://" or "https://" in Base64, as far as it is the same whatever follows */
static bool
IsBase64Url(const char *p, const char *end)
{
	return end - p > 12 && (memcmp(p, "aHR0cHM6Ly", 10) == 0 || memcmp(p, "aHR0cDovL", 9) == 0);
}

/* Addresses and URLs in path, query and fragment */
static void
LookBehind(const char *p, const char *end, UrlParts *u)
{
	const char *from = p;

	u->behind.data = p;
	u->behind.len = end - p;
	for (; p < end && !(u->has_address && u->has_url); p++)
	{
		if (*p == '@')
			u->has_address |= IsMailAddress(from, p, p + 1, end);
		else if (*p == '%' && Begins(p, end, "%40"))
			u->has_address |= IsMailAddress(from, p, p + 3, end);
		else if (Lower(*p) == 'h' && !u->has_url && Begins(p, end, "http") && p > from)
		{
			const char *q = p + 4;

			if (q < end && Lower(*q) == 's')
				q++;
			u->has_url = Begins(q, end, "://") || Begins(q, end, "%3a%2f%2f") || Begins(q, end, "%253a%252f%252f") ||
				Begins(q, end, ":%2f%2f") || Begins(q, end, "%3a//");
		}
		else if (*p == 'a' && !u->has_url && p > from && IsBase64Url(p, end))
			u->has_url = u->is_base64 = true;
		if (u->has_url && u->nested.data == NULL)
		{
			u->nested.data = p;
			u->nested.len = end - p;
		}
	}
}

/* Escapes to what they stand for, in place; returns the length, and whether there were some */
static size_t
Unescape(char *s, size_t len, bool *some)
{
	size_t		n = 0;

	*some = false;
	for (size_t i = 0; i < len; i++)
		if (s[i] == '%' && i + 2 < len && HexValue(s[i + 1]) >= 0 && HexValue(s[i + 2]) >= 0)
		{
			s[n++] = HexValue(s[i + 1]) * 16 + HexValue(s[i + 2]);
			i += 2;
			*some = true;
		}
		else
			s[n++] = s[i];
	return n;
}

/* Decode base64 of either alphabet in place, up to the first other character; returns the length */
static size_t
Unbase64(char *s, size_t len)
{
	unsigned	bits = 0;
	int			have = 0;
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		char		c = s[i];
		int			v = c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 :
		c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;

		if (v < 0)
			break;
		bits = bits << 6 | v;
		have += 6;
		if (have >= 8)
		{
			have -= 8;
			s[n++] = bits >> have & 0xFF;
		}
	}
	return n;
}

/* ---- URLs -------------------------------------------------------------------------- */

static UrlScheme
SchemeOf(const char *p, const char *end)
{
	static const struct
	{
		const char *name;
		UrlScheme	scheme;
	}			known[] = {
		{"http:", URL_HTTP}, {"https:", URL_HTTPS}, {"ftp:", URL_FTP}, {"mailto:", URL_MAILTO},
		{"tel:", URL_PHONE}, {"sms:", URL_PHONE}, {"javascript:", URL_SCRIPT},
		{"vbscript:", URL_SCRIPT}, {"data:", URL_SCRIPT}, {"file:", URL_SCRIPT}
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (Begins(p, end, known[i].name))
			return known[i].scheme;
	return URL_OTHER;
}

/* The length of a scheme with its colon, or 0: "host:80" has none */
static size_t
SchemeLength(const char *p, const char *end)
{
	const char *q = p;

	if (p == end || !IsAlnum(*p) || (*p >= '0' && *p <= '9'))
		return 0;
	while (q < end && (IsAlnum(*q) || *q == '+' || *q == '-' || *q == '.'))
		q++;
	if (q == end || *q != ':' || (q + 1 < end && q[1] >= '0' && q[1] <= '9' && memchr(p, '.', q - p) != NULL))
		return 0;
	return q + 1 - p;
}

static inline bool
IsLeftOut(char c)
{
	return c == '\t' || c == '\n' || c == '\r';
}

/* Without what browsers leave out; returns the length, at most HEAD_MAX */
static size_t
CopyHead(const char *p, const char *end, char *head)
{
	size_t		n = 0;

	for (; p < end && n < HEAD_MAX; p++)
		if (!IsLeftOut(*p))
			head[n++] = *p;
	return n;
}

static inline bool
EndsAuthority(char c)
{
	return c == '/' || c == '\\' || c == '?' || c == '#';
}

/*
 * An authority that is longer than the head: a user name that pushes the host out
 * of sight.  The head becomes what is behind it; the length, or 0.
 */
static size_t
CopyBehindUser(const char *url, const char *end, char *head, const char **behind)
{
	const char *at;
	size_t		n;

	for (*behind = url + HEAD_MAX; *behind < end && !EndsAuthority(**behind);)
		(*behind)++;
	for (at = *behind; at > url && at[-1] != '@';)
		at--;
	if (at == url)
		return 0;
	n = CopyHead(at, *behind, head);
	return n < HEAD_MAX ? n : 0;
}

/* Take a URL apart. */
void
UrlParse(const char *url, size_t len, UrlParts *u)
{
	char		head[HEAD_MAX];
	const char *p = head;
	const char *end;
	const char *stop;
	const char *behind;
	size_t		scheme;

	memset(u, 0, sizeof(*u));
	while (len > 0 && (unsigned char) *url <= ' ')
	{
		url++;
		len--;
	}
	while (len > 0 && (unsigned char) url[len - 1] <= ' ')
		len--;
	end = head + CopyHead(url, url + len, head);
	scheme = SchemeLength(p, end);
	if (scheme > 0)
	{
		u->scheme = SchemeOf(p, end);
		p += scheme;
	}
	if (u->scheme > URL_FTP)
		return;

	/* slashes of either kind, as many as there are */
	stop = p;
	while (p < end && (*p == '/' || *p == '\\'))
		p++;
	if (scheme > 0)
		u->odd = p - stop != 2 || memcmp(stop, "//", 2) != 0;
	else if (p - stop == 2)
		u->scheme = URL_HTTP;	/* //host/path */
	else if (p > stop || memchr(p, '.', end - p) == NULL)
		return;					/* /path, #top */
	else
		u->scheme = URL_HTTP;	/* www.example.com */
	u->bare = scheme == 0 && p == stop;
	for (stop = p; stop < end && !EndsAuthority(*stop); stop++);
	/* about there: the head is shorter by what was left out */
	behind = url + (stop - head);
	u->odd |= stop < end && *stop == '\\';
	for (const char *q = url; q < behind; q++)
		u->odd |= IsLeftOut(*q);
	if (stop - head == HEAD_MAX)
	{
		stop = head + CopyBehindUser(url, url + len, head, &behind);
		p = head;
		u->userinfo = u->odd = true;
	}
	ReadAuthority(p, stop, u);
	if (u->bare && !u->is_address && strchr(u->host, '.') == NULL)
		memset(u, 0, sizeof(*u));
	else
		LookBehind(behind, url + len, u);
}

/*
 * Does the text of a link show a URL, or the name of a host?  Then where it says
 * that the link leads.
 */
bool
UrlShown(const char *shown, size_t len, bool (*is_suffix) (const char *), UrlParts *u)
{
	const char *end = shown + len;
	const char *p = shown;
	const char *dot;
	bool		scheme;

	while (p < end && (unsigned char) *p <= ' ')
		p++;
	while (end > p && (unsigned char) end[-1] <= ' ')
		end--;
	scheme = Begins(p, end, "http://") || Begins(p, end, "https://");
	for (const char *q = p; q < end; q++)
		if ((unsigned char) *q <= ' ' || (!scheme && *q == '@'))
		{
			/* a URL may be followed by words */
			if (!scheme)
				return false;
			end = q;
		}
	if (!scheme && (p == end || (!IsAlnum(*p) && (*p & 0x80) == 0)))
		return false;
	UrlParse(p, end - p, u);
	if (u->host[0] == '\0' || u->scheme > URL_HTTPS)
		return false;
	if (u->is_address || scheme)
		return true;
	dot = strrchr(u->host, '.');
	return dot != NULL && is_suffix(dot + 1);
}

/* The URL within a URL, of which escapes hide up to three layers; false where it leads nowhere */
bool
UrlNested(const UrlParts *outer, UrlParts *inner)
{
	char		url[NESTED_MAX];
	size_t		len = 0;
	bool		some = true;

	if (!outer->has_url)
		return false;
	/* what follows belongs to the redirector */
	for (; len < outer->nested.len && len < sizeof(url) && outer->nested.data[len] != '&'; len++)
		url[len] = outer->nested.data[len];
	if (outer->is_base64)
		len = Unbase64(url, len);
	else
		for (int i = 0; i < 3 && some; i++)
			len = Unescape(url, len, &some);
	UrlParse(url, len, inner);
	/* they are of this function's own room */
	inner->behind.data = inner->nested.data = NULL;
	inner->behind.len = inner->nested.len = 0;
	return inner->host[0] != '\0';
}
