/*
 * domain.c
 *		Registrable domains as SQL functions; organization.c has the list.
 *
 * The built-in list rather than a file: it can change only with the library,
 * as a collation does, so the functions may be IMMUTABLE, and all backends
 * agree at all times.
 */
#include "postgres.h"

#include <libpsl.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "charclass.h"
#include "domain.h"
#include "encoding.h"

/* The canonical form of a host name in the server's encoding, with blanks around it */
bool
CanonicalHost(const char *host, int len, char *ascii)
{
	Size		utf8_len;

	for (; len > 0 && (*host == ' ' || *host == '\t'); len--)
		host++;
	while (len > 0 && (host[len - 1] == ' ' || host[len - 1] == '\t'))
		len--;
	if (len == 0 || len > 4 * HOST_MAX_BYTES)
		return false;
	/* A question mark is in no host name. */
	host = TextToUtf8(host, len, &utf8_len);
	return CanonicalUtf8Host(host, utf8_len, ascii);
}

/* The canonical host name of an e-mail address, which may be in angle brackets */
bool
AddressHost(const char *address, int len, char *ascii)
{
	int			end = len;
	int			start;

	while (end > 0 && (address[end - 1] == ' ' || address[end - 1] == '\t'))
		end--;
	if (end > 0 && address[end - 1] == '>')
		end--;
	for (start = end; start > 0 && address[start - 1] != '@'; start--);
	return start > 0 && CanonicalHost(address + start, end - start, ascii);
}

/* registrable_domain(host): one label more than the public suffix */
PG_FUNCTION_INFO_V1(registrable_domain);
Datum
registrable_domain(PG_FUNCTION_ARGS)
{
	text	   *host = PG_GETARG_TEXT_PP(0);
	char		ascii[HOST_MAX_BYTES + 1];
	const char *domain;

	if (!CanonicalHost(VARDATA_ANY(host), VARSIZE_ANY_EXHDR(host), ascii))
		PG_RETURN_NULL();
	domain = RegistrableDomain(ascii);
	if (domain == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(domain));
}

/* domain_of(address): the host name of an e-mail address, canonical */
PG_FUNCTION_INFO_V1(domain_of);
Datum
domain_of(PG_FUNCTION_ARGS)
{
	text	   *address = PG_GETARG_TEXT_PP(0);
	char		ascii[HOST_MAX_BYTES + 1];

	if (!AddressHost(VARDATA_ANY(address), VARSIZE_ANY_EXHDR(address), ascii))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(ascii));
}

/* public_suffix_list(): which list the library holds */
PG_FUNCTION_INFO_V1(public_suffix_list);
Datum
public_suffix_list(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false};
	const psl_ctx_t *psl = psl_builtin();
	time_t		when = psl_builtin_file_time();

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = CStringGetTextDatum(psl_get_version());
	values[1] = TimestampTzGetDatum(time_t_to_timestamptz(when));
	nulls[1] = when == 0;
	values[2] = Int32GetDatum(psl ? psl_suffix_count(psl) : 0);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
