/*
 * pieces.h
 *		Pieces of bytes in a stored value: each behind its length, one byte, or
 *		255 and four in the server's byte order.
 *
 * Ledgers and logged signals consist of them.
 */
#ifndef ASSAY_PIECES_H
#define ASSAY_PIECES_H

#include "lib/stringinfo.h"

static inline void
AppendPiece(StringInfo buf, const char *bytes, uint32 len)
{
	if (len < 255)
		appendStringInfoCharMacro(buf, (char) len);
	else
	{
		appendStringInfoCharMacro(buf, (char) 255);
		appendBinaryStringInfo(buf, (char *) &len, sizeof(len));
	}
	appendBinaryStringInfo(buf, bytes, len);
}

/* Advances *p behind the piece; false where the bytes end before it does */
static inline bool
ReadPiece(const char **p, const char *end, const char **bytes, uint32 *len)
{
	const char *at = *p;

	if (at == end)
		return false;
	*len = (uint8) *at++;
	if (*len == 255)
	{
		if ((size_t) (end - at) < sizeof(*len))
			return false;
		memcpy(len, at, sizeof(*len));
		at += sizeof(*len);
	}
	if (*len > (size_t) (end - at))
		return false;
	*bytes = at;
	*p = at + *len;
	return true;
}

#endif							/* ASSAY_PIECES_H */
