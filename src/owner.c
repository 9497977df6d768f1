/*
 * owner.c
 *		Who owns a relation, and statements that run with the rights of its
 *		owner, whoever of his role calls: what keeps baselines and text models
 *		up to date.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "owner.h"

/* The owner of a relation, or InvalidOid when it is gone */
Oid
RelationOwner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/* The same, or an error when the caller may not act for that role */
static Oid
OwnerForUpkeep(Oid relid)
{
	Oid			owner = RelationOwner(relid);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!has_privs_of_role(GetUserId(), owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
	return owner;
}

/*
 * Run a SELECT of one value as the owner of a relation.
 *
 * What it reads may be a view, and it and users' expressions may call functions
 * of the owner's.  As with REFRESH MATERIALIZED VIEW, they must not run with the
 * rights of a caller who has more.
 */
Datum
OwnerCall(Oid relid, const char *command, int nargs, Oid *types, Datum *args, const char *nulls)
{
	Oid			owner = OwnerForUpkeep(relid);
	Oid			caller;
	int			sec_context;
	int			guc_level;
	bool		isnull;
	Datum		result;

	GetUserIdAndSecContext(&caller, &sec_context);
	SetUserIdAndSecContext(owner, sec_context | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();

	/* On an error the transaction's abort restores user and settings. */
	SPI_connect();
	if (SPI_execute_with_args(command, nargs, types, args, nulls, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "a statement run for an owner gave no row");
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	SPI_finish();

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(caller, sec_context);
	return isnull ? (Datum) 0 : result;
}
