/*
 * model_raise.c
 *		From the engine's errors, notes and names to those of the server.
 *
 * The engine speaks UTF-8 and raises nothing.  Here its strings become the
 * server's, in whatever encoding, and a ModelError becomes an error.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/string.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "predict.h"

/* A character as JSON escapes it, in UTF-16 */
static void
AppendEscaped(StringInfo to, const char *utf8)
{
	pg_wchar	c = utf8_to_unicode((const unsigned char *) utf8);

	if (c >= 0x10000)
	{
		appendStringInfo(to, "\\u%04x", 0xd7c0 + (c >> 10));
		c = 0xdc00 + (c & 0x3ff);
	}
	appendStringInfo(to, "\\u%04x", c);
}

/*
 * A string of a model in the server's encoding, palloc'd or as it is.  What has
 * no equivalent there is escaped, so that a model that came from elsewhere can
 * be looked at, and told apart, in any database.
 */
const char *
ModelServerText(const char *utf8)
{
	int			encoding = GetDatabaseEncoding();
	int			length = strlen(utf8);
	StringInfoData to;
	Oid			conversion;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || pg_is_ascii(utf8))
		return utf8;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	initStringInfo(&to);
	while (length > 0)
	{
		int			one = pg_utf_mblen((const unsigned char *) utf8);
		unsigned char converted[MAX_CONVERSION_GROWTH * 8];

		one = Min(one, length);
		if (OidIsValid(conversion) &&
			pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
										  unconstify(unsigned char *, (const unsigned char *) utf8),
										  one, converted, sizeof(converted),
										  true) == one)
			appendStringInfoString(&to, (char *) converted);
		else
			AppendEscaped(&to, utf8);
		utf8 += one;
		length -= one;
	}
	return to.data;
}

/* A message may quote a document, and may end within a character */
const char *
ModelMessageText(const char *message)
{
	int			valid = pg_encoding_verifymbstr(PG_UTF8, message,
												strlen(message));

	return ModelServerText(pnstrdup(message, valid));
}

void
ModelRaise(const ModelError *error)
{
	int			code = ERRCODE_INTERNAL_ERROR;

	switch (error->kind)
	{
		case MODEL_CANCELLED:
			CHECK_FOR_INTERRUPTS();
			code = ERRCODE_QUERY_CANCELED;
			break;
		case MODEL_INVALID:
			code = ERRCODE_INVALID_PARAMETER_VALUE;
			break;
		case MODEL_UNSUPPORTED:
			code = ERRCODE_FEATURE_NOT_SUPPORTED;
			break;
		case MODEL_LIMIT:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			break;
		case MODEL_NO_MEMORY:
			code = ERRCODE_OUT_OF_MEMORY;
			break;
		case MODEL_OK:
			break;
	}
	ereport(ERROR,
			(errcode(code),
			 errmsg("%s", ModelMessageText(error->message)),
			 error->detail[0] != '\0' ? errdetail("%s", ModelMessageText(error->detail)) : 0,
			 error->hint[0] != '\0' ? errhint("%s", ModelMessageText(error->hint)) : 0));
	pg_unreachable();
}

void
ModelNotice(const ModelError *error)
{
	for (int i = 0; i < error->nnotes; i++)
		ereport(NOTICE,
				(errmsg("%s", ModelMessageText(error->notes[i].message)),
				 error->notes[i].hint[0] != '\0' ? errhint("%s", error->notes[i].hint) : 0));
}
