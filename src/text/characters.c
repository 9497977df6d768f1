/*
 * characters.c
 *		characters(): what length() counts, in a text of UTF-8, word by word.
 *
 * The server's length() calls a function for each character, which takes longer
 * on a body than all conditions of a policy do.  The signals query over new rows
 * counts by this one instead (new_rows.c).
 */
#include "postgres.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "characters.h"
#include "compat.h"
#include "detoast_once.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

/* Bytes that a character has by its first one, as the server takes it */
static inline int
Width(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if ((first & 0xe0) == 0xc0)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return (first & 0xf8) == 0xf0 ? 4 : 1;
}

/* What stops within a character is for the server to judge. */
static int
CountUtf8(const char *bytes, int len)
{
	const char *p = bytes;
	const char *end = bytes + len;
	int			count = 0;

#if defined(__SSE2__)
	while (end - p >= 16)
	{
		unsigned	high = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *) p));
		int			ascii;

		if (high == 0)
		{
			p += 16;
			count += 16;
			continue;
		}
		ascii = __builtin_ctz(high);
		p += ascii;
		p += Width((unsigned char) *p);
		count += ascii + 1;
	}
#endif
	while (p < end)
	{
		uint64		word;

		/* eight ASCII characters at once */
		if (end - p >= sizeof(word))
		{
			memcpy(&word, p, sizeof(word));
			if ((word & UINT64CONST(0x8080808080808080)) == 0)
			{
				p += sizeof(word);
				count += sizeof(word);
				continue;
			}
		}
		p += Width((unsigned char) *p);
		count++;
	}
	return p == end ? count : pg_mbstrlen_with_len(bytes, len);
}

PG_FUNCTION_INFO_V1(assay_characters);
Datum
assay_characters(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_ONCE(0);
	int			len = VARSIZE_ANY_EXHDR(t);

	if (GetDatabaseEncoding() == PG_UTF8)
		PG_RETURN_INT32(CountUtf8(VARDATA_ANY(t), len));
	PG_RETURN_INT32(pg_mbstrlen_with_len(VARDATA_ANY(t), len));
}

static bool
MayCall(Oid role, Oid schema, Oid function)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK &&
		object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK &&
		pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

Oid
CharactersFunction(Oid role)
{
	Oid			type = TEXTOID;
	Oid			schema = get_namespace_oid("assay_internal", true);
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum("characters"),
										   PointerGetDatum(buildoidvector(&type, 1)),
										   ObjectIdGetDatum(schema));

	return OidIsValid(function) && MayCall(role, schema, function) ? function : InvalidOid;
}
