/*
 * encoding.c
 *		Text of the server's encoding as UTF-8, and back.
 *
 * The server's own conversion raises an error for bytes that have no meaning
 * (0x81 in WIN1252) or no equivalent.  Whoever wrote a message chose them, so
 * nothing that reads messages may fail for it.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "encoding.h"

/*
 * Text of one encoding in another, where the bytes differ at all.  What has no
 * equivalent there becomes a question mark, and the text is not whole.
 */
static const char *
ConvertAny(const char *bytes, int len, int from, int to, Size *converted_len, bool *whole)
{
	Oid			proc;
	char	   *out;
	Size		room;
	Size		at = 0;
	bool		ascii = true;

	*converted_len = len;
	*whole = true;
	for (int i = 0; i < len && ascii; i++)
		ascii = !IS_HIGHBIT_SET(bytes[i]);
	if (ascii)
		return bytes;
	proc = FindDefaultConversionProc(from, to);
	if (!OidIsValid(proc))
		return bytes;

	room = add_size(mul_size(len, MAX_CONVERSION_GROWTH), 1);
	out = MemoryContextAllocHuge(CurrentMemoryContext, room);
	while (len > 0)
	{
		Size		left = room - at;
		int			done = pg_do_encoding_conversion_buf(proc, from, to,
														 (unsigned char *) bytes, len,
														 (unsigned char *) out + at,
														 Min(left, INT_MAX), true);

		at += strlen(out + at);
		bytes += done;
		len -= done;
		if (len > 0 && done == 0)
		{
			int			skip = Min(pg_encoding_mblen(from, bytes), len);

			*whole = false;
			out[at++] = '?';
			bytes += skip;
			len -= skip;
		}
	}
	*converted_len = at;
	return out;
}

/* Text in UTF-8.  SQL_ASCII goes as it is, so that who reads it takes any bytes. */
const char *
TextToUtf8(const char *bytes, int len, Size *utf8_len)
{
	int			encoding = GetDatabaseEncoding();
	bool		whole;

	*utf8_len = len;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return bytes;
	return ConvertAny(bytes, len, encoding, PG_UTF8, utf8_len, &whole);
}

/*
 * Bytes to hash that stay the same when a dump brings the text to another
 * encoding: UTF-8.  What is not whole there, and so no dump brings anywhere,
 * goes as it is, since others have the same question marks.  A byte 0 follows
 * where one did.
 */
const char *
TextToHash(const char *bytes, int len, Size *hashed_len)
{
	int			encoding = GetDatabaseEncoding();
	const char *utf8;
	bool		whole;

	*hashed_len = len;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return bytes;
	utf8 = ConvertAny(bytes, len, encoding, PG_UTF8, hashed_len, &whole);
	if (whole)
		return utf8;
	*hashed_len = len;
	return bytes;
}

/* UTF-8 as text of the server's encoding */
const char *
Utf8ToText(const char *utf8, int len, Size *text_len)
{
	int			encoding = GetDatabaseEncoding();
	bool		whole;

	*text_len = len;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return utf8;
	return ConvertAny(utf8, len, PG_UTF8, encoding, text_len, &whole);
}

/*
 * As pg_mbcliplen(): of so many bytes at most, whole characters.  In SQL_ASCII,
 * too, where text is UTF-8, which clients and other databases may ask for.
 */
int
ClipText(const char *bytes, int len, int max)
{
	int			clipped = pg_mbcliplen(bytes, len, max);

	if (GetDatabaseEncoding() != PG_SQL_ASCII || clipped == len)
		return clipped;
	for (int back = 1; back < 4 && back <= clipped; back++)
	{
		const unsigned char *start = (const unsigned char *) bytes + clipped - back;
		int			width = pg_utf_mblen(start);

		if ((*start & 0xC0) == 0x80)
			continue;
		if (width > back && width - back <= len - clipped && pg_utf8_islegal(start, width))
			return clipped - back;
		break;
	}
	return clipped;
}
