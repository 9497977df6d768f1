/*
 * text_model_learn.c
 *		What learning needs beyond SQL: running as the text model's owner, and
 *		writing the registry, which is nobody's.
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
	static const OwnerStatement learn = {"text_model_registry", "SELECT assay.text_model_learn($1)", false, 1, {REGCLASSOID}};
	Datum		args[1] = {PG_GETARG_DATUM(0)};
	bool		isnull;

	return OwnerCall(PG_GETARG_OID(0), &learn, args, NULL, &isnull);
}

/*
 * text_model_at_as_owner(relation, at): the text model as it was known then, to
 * whoever may read the table.  Its columns' types, and casts from them, are the
 * owner's to choose.
 */
PG_FUNCTION_INFO_V1(text_model_at_as_owner);
Datum
text_model_at_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement known = {"text_model_registry", "SELECT assay.text_model_known($1, $2)", true, 2, {REGCLASSOID, TIMESTAMPTZOID}};
	Datum		args[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	Datum		model;
	bool		isnull;

	model = OwnerRead(PG_GETARG_OID(0), &known, args, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(model);
}

/*
 * text_model_row(relation, entry): the registry's row of a table of the
 * caller's comes, changes or, without an entry, goes.
 */
PG_FUNCTION_INFO_V1(text_model_row);
Datum
text_model_row(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		OwnerWriteRow(PG_GETARG_OID(0), "text_model_registry", "SELECT assay.text_model_write_row($1, $2)", &fcinfo->args[1]);
	PG_RETURN_VOID();
}
