/*
 * smime.c
 *	  What is in an S/MIME message that is signed, but not apart from its
 *	  signature (application/pkcs7-mime, smime.p7m): programs show it without
 *	  any key, whoever signed it.
 *
 * CMS (RFC 5652) in BER: a type, signedData; a version, a set of digests, and
 * then the content, as one string or in pieces.  The rest, the certificates and
 * signatures, is not read, nor is what is encrypted.  What does not add up ends
 * the reading; what is there by then counts.
 */
#include <string.h>

#include "mail.h"

/* Values in one another */
#define MAX_BER_DEPTH	32

#define BER_INTEGER		0x02
#define BER_OCTETS		0x04
#define BER_OID			0x06
#define BER_PIECES		0x24	/* octets in several */
#define BER_SEQUENCE	0x30
#define BER_SET			0x31
#define BER_EXPLICIT_0	0xA0

static const char signed_data[] = "\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02";

/* A value: from s to end, or to the mark of its end where its length is not said */
typedef struct BerValue
{
	int			tag;
	const char *s;
	const char *end;
	bool		open;			/* its length is not said */
} BerValue;

/* Read the head of the value at s, which may be cut off at end; false where there is none */
static bool
read_value(const char *s, const char *end, BerValue *v)
{
	const unsigned char *u = (const unsigned char *) s;
	size_t		len = 0;
	int			n;

	/* of tags beyond 30, which take more bytes, there are none here */
	if (end - s < 2 || (u[0] & 0x1F) == 0x1F)
		return false;
	v->tag = u[0];
	v->open = u[1] == 0x80;
	s += 2;
	if (u[1] < 0x80)
		len = u[1];
	else if (v->open)
		len = end - s;
	else
	{
		n = u[1] & 0x7F;
		if (end - s < n)
			return false;

		/*
		 * zeros may stand before it, and one that is too long for anything
		 * reaches to the end
		 */
		for (int i = 0; i < n; i++)
			len = len >> (sizeof(len) - 1) * 8 != 0 ? SIZE_MAX : len << 8 | u[2 + i];
		s += n;
	}
	v->s = s;
	v->end = s + MIN(len, (size_t) (end - s));
	return true;
}

static bool
ends_here(const char *s, const char *end)
{
	return s >= end || (end - s >= 2 && s[0] == '\0' && s[1] == '\0');
}

/* Behind a value; NULL where it is too deep */
static const char *
behind_value(const BerValue *v, int depth)
{
	const char *s = v->s;

	if (!v->open)
		return v->end;
	if (depth > MAX_BER_DEPTH)
		return NULL;
	while (!ends_here(s, v->end))
	{
		BerValue	inner;

		if (!read_value(s, v->end, &inner) || (s = behind_value(&inner, depth + 1)) == NULL)
			return NULL;
	}
	return MIN(s + 2, v->end);
}

/* The value at *s, which must be of that tag, and *s behind it */
static bool
take_value(const char **s, const char *end, int tag, BerValue *v)
{
	return read_value(*s, end, v) && v->tag == tag && (*s = behind_value(v, 0)) != NULL;
}

/* Append the bytes of a string, whole or in pieces; returns what is behind it, or NULL where it does not add up */
static const char *
append_octets(const BerValue *v, GString *content, int depth)
{
	const char *s = v->s;

	if (v->tag == BER_OCTETS)
	{
		/*
		 * without a length, which is no form of it, they are all that is
		 * left: what is behind them is no piece again
		 */
		g_string_append_len(content, v->s, v->end - v->s);
		return v->end;
	}
	if (v->tag != BER_PIECES)
		return behind_value(v, depth);
	if (depth > MAX_BER_DEPTH)
		return NULL;
	while (v->open ? !ends_here(s, v->end) : s < v->end)
	{
		BerValue	piece;

		if (!read_value(s, v->end, &piece) || (s = append_octets(&piece, content, depth + 1)) == NULL)
			return NULL;
	}
	return v->open ? MIN(s + 2, v->end) : v->end;
}

/* Append what was signed, a message's part with its headers: false where there is none; cut where not all of it is read */
bool
smime_content(const char *s, size_t len, GString *content, bool *cut)
{
	const char *end = s + len;
	BerValue	outer;
	BerValue	v;

	if (!read_value(s, end, &outer) || outer.tag != BER_SEQUENCE)
		return false;
	s = outer.s;
	if (!take_value(&s, outer.end, BER_OID, &v) || v.end - v.s != (ptrdiff_t) strlen(signed_data) ||
		memcmp(v.s, signed_data, strlen(signed_data)) != 0)
		return false;
	/* the values down to it hold one another, of any length */
	if (!read_value(s, outer.end, &v) || v.tag != BER_EXPLICIT_0 ||
		!read_value(v.s, v.end, &v) || v.tag != BER_SEQUENCE)
		return false;
	s = v.s;
	end = v.end;
	if (!take_value(&s, end, BER_INTEGER, &v) || !take_value(&s, end, BER_SET, &v) ||
		!read_value(s, end, &v) || v.tag != BER_SEQUENCE)
		return false;
	s = v.s;
	end = v.end;
	if (!take_value(&s, end, BER_OID, &v) || !read_value(s, end, &v) || v.tag != BER_EXPLICIT_0 ||
		!read_value(v.s, v.end, &v))
		return false;
	*cut = append_octets(&v, content, 0) == NULL;
	return content->len > 0 || *cut;
}
