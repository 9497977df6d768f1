/*
 * baseline_retain.c
 *		Baselines that keep the history of messages that are gone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "owner.h"
#include "security.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"

/* baseline_keep_row(relation, keep), for who may act as the baseline's owner */
PG_FUNCTION_INFO_V1(baseline_keep_row);
Datum
baseline_keep_row(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Oid			types[] = {REGCLASSOID, BOOLOID};
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	Oid			owner = RelationOwner(relid);

	if (!OidIsValid(owner) || !has_privs_of_role(GetUserId(), owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
	/* Rows of what is gone go by the way: another table may get its number. */
	WriteConfiguration("kept_baseline", "DELETE FROM assay_internal.kept_baseline k WHERE k.relation = $1 AND NOT $2 "
					   "OR NOT EXISTS (SELECT FROM assay.baseline b WHERE b.relation = k.relation)",
					   lengthof(types), types, values, NULL);
	WriteConfiguration("kept_baseline", "INSERT INTO assay_internal.kept_baseline (relation) SELECT b.relation FROM assay.baseline b "
					   "WHERE b.relation = $1 AND $2 ON CONFLICT DO NOTHING",
					   lengthof(types), types, values, NULL);
	PG_RETURN_VOID();
}

/* baseline_compact_as_owner(relation, before): baseline_compact() with the rights of the baseline's owner */
PG_FUNCTION_INFO_V1(baseline_compact_as_owner);
Datum
baseline_compact_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement compact = {"baseline", "SELECT assay_internal.baseline_compact($1, $2)", false, 2, {REGCLASSOID, DATEOID}};

	return OwnerCall(fcinfo, &compact);
}
