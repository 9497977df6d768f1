/*
 * views.c
 *		What the views of the administration show of this backend.
 */
#include "postgres.h"

#include "access/table.h"
#include "decide_plans.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "new_rows.h"
#include "policy_cache.h"
#include "security.h"
#include "shards.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * member_of(role name): may the current user act as that role?  What 0.1.0 asks
 * until its tables are updated.
 */
PG_FUNCTION_INFO_V1(assay_member_of);
Datum
assay_member_of(PG_FUNCTION_ARGS)
{
	Oid			role = get_role_oid(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);

	PG_RETURN_BOOL(OidIsValid(role) && has_privs_of_role(GetUserId(), role));
}

/* policy_cache(): of those policies that the user may see */
PG_FUNCTION_INFO_V1(assay_policy_cache);
Datum
assay_policy_cache(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, PolicyCacheEntries())
	{
		PolicyEntry *entry = lfirst(lc);
		CompiledPolicy *p = entry->policy;
		int			shadow = 0;
		int			triggers = 0;
		Size		plan_bytes = 0;
		Datum		values[14];
		bool		nulls[14] = {0};

		if (!has_privs_of_role(GetUserId(), p->id->owner))
			continue;
		for (int i = 0; i < p->ndetectors; i++)
			shadow += p->detectors[i].shadow;
		/* The triggers' are of the current revision. */
		if (entry->wanted == 0 && !entry->drafts && entry->dependencies.valid)
			plan_bytes = DecidePlansBytes(entry->name, &triggers);
		values[0] = CStringGetTextDatum(entry->name);
		values[1] = Int32GetDatum(p->id->revision);
		values[2] = BoolGetDatum(entry->drafts);
		values[3] = BoolGetDatum(entry->dependencies.valid);
		values[4] = Int32GetDatum(p->ndetectors - shadow);
		values[5] = Int32GetDatum(shadow);
		values[6] = Int32GetDatum(p->nexclusions);
		values[7] = Int32GetDatum(p->nguards);
		values[8] = Int64GetDatum((int64) PolicyEntryBytes(entry));
		values[9] = Int32GetDatum(triggers);
		values[10] = Int64GetDatum((int64) plan_bytes);
		values[11] = Int32GetDatum(entry->pins);
		values[12] = Int64GetDatum(entry->uses);
		values[13] = TimestampTzGetDatum(entry->used_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * reads_again(policy, table): why a trigger on the table reads its messages
 * again, or NULL
 */
PG_FUNCTION_INFO_V1(assay_reads_again);
Datum
assay_reads_again(PG_FUNCTION_ARGS)
{
	PolicyIdentity *id = ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Relation	rel;
	Security	security;
	NewRows		found = {0};

	if (!has_privs_of_role(GetUserId(), id->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", id->policy),
				 errhint("It takes membership in the policy's owner.")));
	PolicyCheckOwners(id);
	rel = try_table_open(PG_GETARG_OID(1), AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", PG_GETARG_OID(1))));
	EnterOwner(&security, id->owner, id->search_path);
	found.why_not = UseShards(id, rel, NULL);
	if (!OidIsValid(id->signals))
		found.why_not = "the signals view does not exist";
	else if (found.why_not == NULL)
		FindNewRows(&found, id, OpenDecisionTable(id)->key_types, rel);
	LeaveSecurity(&security);
	table_close(rel, NoLock);
	if (found.why_not == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(found.why_not));
}
