/*
 * encoding.c
 *		Text of the server's encoding as UTF-8.
 *
 * The server's own conversion raises an error for bytes that have no meaning
 * (0x81 in WIN1252) or no equivalent.  Whoever wrote a message chose them, so
 * nothing that reads messages may fail for it.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "encoding.h"

/*
 * Text in UTF-8. What has no equivalent there becomes a question mark. SQL_ASCII
 * goes as it is, so that who reads it takes any bytes.
 */
const char *
TextToUtf8(const char *bytes, int len, Size *utf8_len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			proc;
	char	   *out;
	Size		room;
	Size		at = 0;
	bool		ascii = true;

	*utf8_len = len;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return bytes;
	for (int i = 0; i < len && ascii; i++)
		ascii = !IS_HIGHBIT_SET(bytes[i]);
	if (ascii)
		return bytes;
	proc = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(proc))
		return bytes;

	room = add_size(mul_size(len, MAX_CONVERSION_GROWTH), 1);
	out = MemoryContextAllocHuge(CurrentMemoryContext, room);
	while (len > 0)
	{
		Size		left = room - at;
		int			done = pg_do_encoding_conversion_buf(proc, encoding, PG_UTF8,
														 (unsigned char *) bytes, len,
														 (unsigned char *) out + at,
														 Min(left, INT_MAX), true);

		at += strlen(out + at);
		bytes += done;
		len -= done;
		if (len > 0 && done == 0)
		{
			int			skip = Min(pg_mblen(bytes), len);

			out[at++] = '?';
			bytes += skip;
			len -= skip;
		}
	}
	*utf8_len = at;
	return out;
}
