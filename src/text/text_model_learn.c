/*
 * text_model_learn.c
 *		What learning needs beyond SQL: running as the text model's owner.
 *
 * The statements themselves are in text_model_learn.sql.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/rel.h"

/* The owner of the table, for whom the caller may act */
static Oid
OwnerForLearning(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Oid			owner = rel->rd_rel->relowner;

	if (!has_privs_of_role(GetUserId(), owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, RelationGetRelationName(rel));
	table_close(rel, NoLock);
	return owner;
}

/*
 * text_model_learn_as_owner(relation): assay.text_model_learn() as the owner of
 * the table, whoever of his role calls.
 *
 * The source may be a view, and it and the expression of the content may call
 * functions of the owner's.  As with REFRESH MATERIALIZED VIEW, they must not
 * run with the rights of a caller who has more.
 */
PG_FUNCTION_INFO_V1(text_model_learn_as_owner);
Datum
text_model_learn_as_owner(PG_FUNCTION_ARGS)
{
	static const char *command = "SELECT assay.text_model_learn($1)";
	Oid			types[1] = {REGCLASSOID};
	Datum		args[1] = {PG_GETARG_DATUM(0)};
	Oid			owner = OwnerForLearning(PG_GETARG_OID(0));
	Oid			caller;
	int			sec_context;
	int			guc_level;
	bool		isnull;
	int64		changes;

	GetUserIdAndSecContext(&caller, &sec_context);
	SetUserIdAndSecContext(owner, sec_context | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();

	/* On an error the transaction's abort restores user and settings. */
	SPI_connect();
	if (SPI_execute_with_args(command, 1, types, args, NULL, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not fold labels into a text model");
	changes = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(caller, sec_context);
	PG_RETURN_INT64(changes);
}
