/*
 * list_key.c
 *		The form in which values of lists are compared.
 *
 *		exact	case folded, character by character (Unicode's simple folding)
 *		prefix	the same
 *		domain	a host name in lower case and ASCII (punycode)
 *		cidr	'4' or '6', the number of bits, the address with the rest zero
 *
 * All of it in UTF-8, whatever the server's encoding is.
 */
#include "postgres.h"

#include <sys/socket.h>

#include "charclass.h"
#include "lists.h"
#include "utils/builtins.h"
#include "utils/inet.h"

const char *const list_kind_names[LIST_KINDS] = {"exact", "domain", "prefix", "cidr"};

/* The kind, or -1 */
int
ListKindFromName(const char *name, int len)
{
	for (int i = 0; i < LIST_KINDS; i++)
		if (strlen(list_kind_names[i]) == len && memcmp(list_kind_names[i], name, len) == 0)
			return i;
	return -1;
}

/*
 * Fold case into room bytes; returns how many are used.  *whole tells whether
 * all of the value is there.
 */
int
ListFold(const char *value, int len, char *folded, int room, bool *whole)
{
	const unsigned char *p = (const unsigned char *) value;
	const unsigned char *end = p + len;
	int			n = 0;

	while (p < end)
	{
		uint32_t	c;
		int			length;
		unsigned char out[4];

		if (n + 4 > room)
			break;
		if (*p < 0x80)
		{
			folded[n++] = *p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p;
			p++;
			continue;
		}
		length = Utf8Decode(p, end, &c);
		if (length == 0)
		{
			folded[n++] = *p++;
			continue;
		}
		p += length;
		length = Utf8Encode(CharFold(c), out);
		memcpy(folded + n, out, length);
		n += length;
	}
	*whole = p == end;
	return n;
}

/*
 * The host name in a value, or of an address in it; -1 when there is none.
 * host has room for HOST_MAX_BYTES + 1.
 */
int
ListHost(const char *value, int len, char *host)
{
	int			start;

	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '>'))
		len--;
	while (len > 0 && *value == ' ')
		value++, len--;
	for (start = len; start > 0 && value[start - 1] != '@'; start--);
	return HostToAscii(value + start, len - start, host);
}

/* Set all but the first bits of an address's key to zero. */
void
ListAddressMask(char *key, int bits)
{
	int			bytes = key[0] == '4' ? 4 : 16;

	key[1] = bits;
	for (int i = 0; i < bytes; i++)
	{
		int			keep = bits - i * 8;

		if (keep < 8)
			key[2 + i] &= keep <= 0 ? 0 : (char) (0xFF << (8 - keep));
	}
}

/* The key of an address or network in a text, or -1; key has room for 18 bytes */
int
ListAddress(const char *value, int len, char *key)
{
	char		copy[64];
	unsigned char address[16 + 16] = {0};
	bool		six;
	int			bits;

	if (len == 0 || len >= sizeof(copy))
		return -1;
	memcpy(copy, value, len);
	copy[len] = '\0';
	if (strspn(copy, "0123456789abcdefABCDEF.:/") != len)
		return -1;
	six = strchr(copy, ':') != NULL;
	bits = pg_inet_net_pton(six ? PGSQL_AF_INET6 : PGSQL_AF_INET, copy, address, -1);
	if (bits < 0 || bits > (six ? 128 : 32))
		return -1;
	key[0] = six ? '6' : '4';
	memcpy(key + 2, address, six ? 16 : 4);
	ListAddressMask(key, bits);
	return six ? 18 : 6;
}

/* The network as text; returns its length */
int
ListAddressText(const char *key, int len, char *out, int room)
{
	bool		six = len == 18;
	int			bits = (unsigned char) key[1];

	if (pg_inet_net_ntop(six ? PGSQL_AF_INET6 : PGSQL_AF_INET, key + 2, bits, out, room) == NULL)
		return 0;
	return strlen(out);
}

/*
 * A value's key, of at most LIST_MAX_KEY bytes; -1 when the value is none of
 * this kind.  key has LIST_KEY_ROOM bytes.
 */
int
ListKey(ListKind kind, const char *value, int len, char *key)
{
	bool		whole = false;
	int			n = -1;
	char		host[HOST_MAX_BYTES + 1];

	switch (kind)
	{
		case LIST_EXACT:
		case LIST_PREFIX:
			n = ListFold(value, len, key, LIST_KEY_ROOM, &whole);
			if (!whole || n == 0 || n > LIST_MAX_KEY || (kind == LIST_PREFIX && n > LIST_MAX_PREFIX))
				return -1;
			return n;
		case LIST_DOMAIN:
			if (len > 2 && value[0] == '*' && value[1] == '.')
				value += 2, len -= 2;
			else if (len > 1 && value[0] == '.')
				value++, len--;
			n = HostToAscii(value, len, host);
			if (n > 0)
				memcpy(key, host, n);
			return n;
		case LIST_CIDR:
			return ListAddress(value, len, key);
	}
	return n;
}
