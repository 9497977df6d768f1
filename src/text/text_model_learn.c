/*
 * text_model_learn.c
 *		What learning needs beyond SQL: running as the text model's owner.
 *
 * The statements themselves are in text_model_learn.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "owner.h"

/*
 * text_model_learn_as_owner(relation): assay.text_model_learn() as the owner of
 * the table, whoever of his role calls.
 */
PG_FUNCTION_INFO_V1(text_model_learn_as_owner);
Datum
text_model_learn_as_owner(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {REGCLASSOID};
	Datum		args[1] = {PG_GETARG_DATUM(0)};

	return OwnerCall(PG_GETARG_OID(0), "SELECT assay.text_model_learn($1)", 1, types, args, NULL);
}
