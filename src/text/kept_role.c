/*
 * kept_role.c
 *		A role in rows that a dump brings elsewhere.  One that is not there is an
 *		error of regrole's input, and takes all other rows of its COPY along; the
 *		number of one that was dropped is whoever has it there.  Here both are
 *		nobody: what such a role owned is a superuser's to give away.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "nodes/value.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/regproc.h"

/* No role's number: those below 10 are none's in pg_authid */
#define ROLE_NOBODY 1

/* kept_role_in(text): a role's name as regrole writes it, or - for everybody */
PG_FUNCTION_INFO_V1(assay_kept_role_in);
Datum
assay_kept_role_in(PG_FUNCTION_ARGS)
{
	char	   *text_form = PG_GETARG_CSTRING(0);
	List	   *names;
	char	   *name;
	Oid			role;

	if (strcmp(text_form, "-") == 0)
		PG_RETURN_OID(InvalidOid);
	if (text_form[0] != '\0' && strspn(text_form, "0123456789") == strlen(text_form))
		PG_RETURN_OID(ROLE_NOBODY);

	/*
	 * A name has 63 bytes, each of which may be a quote; longer ones take
	 * time by the square of their length.
	 */
	names = strlen(text_form) <= 2 * NAMEDATALEN ? QualifiedNames(text_form) : NIL;
	if (list_length(names) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid name syntax")));
	name = strVal(linitial(names));
	role = get_role_oid(name, true);
	if (!OidIsValid(role))
	{
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist: what was that role's is nobody's", name)));
		role = ROLE_NOBODY;
	}
	PG_RETURN_OID(role);
}
