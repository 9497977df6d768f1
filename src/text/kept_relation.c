/*
 * kept_relation.c
 *		A relation in rows that a dump brings elsewhere.  One that is not there is
 *		an error of regclass's input, and takes all other rows of its COPY along;
 *		the number of one that was dropped is whatever has it there.  Here both are
 *		no relation, and what needs it says so.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "compat.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/regproc.h"

/* kept_relation_in(text): a relation's name as regclass writes it, or - for none */
PG_FUNCTION_INFO_V1(assay_kept_relation_in);
Datum
assay_kept_relation_in(PG_FUNCTION_ARGS)
{
	char	   *text_form = PG_GETARG_CSTRING(0);
	List	   *names;
	Oid			relation;

	if (strcmp(text_form, "-") == 0)
		PG_RETURN_OID(InvalidOid);
	if (text_form[0] != '\0' && strspn(text_form, "0123456789") == strlen(text_form))
		PG_RETURN_OID(InvalidOid);

	names = QualifiedNames(text_form);
	relation = RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
	if (!OidIsValid(relation))
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist: what names it is kept without it", NameListToString(names))));
	PG_RETURN_OID(relation);
}
