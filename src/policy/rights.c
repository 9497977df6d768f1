/*
 * rights.c
 *		Who may read, build, publish or own a policy.
 *
 * Rights are PostgreSQL's own privileges on the policy's objects.  It belongs
 * to the owner of its decision table.  Privileges on the view <policy>_policy
 * say the rest: who may SELECT from it reads, who may INSERT, too, builds, and
 * who may UPDATE publishes; who may SELECT from the decision table reads, too.
 * Without reading nothing is built: a condition is a question, which a verdict
 * answers, and pg_write_all_data brings INSERT and UPDATE alone.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "owner.h"
#include "rights.h"
#include "utils/acl.h"
#include "utils/builtins.h"

static Oid
Argument(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? InvalidOid : PG_GETARG_OID(arg);
}

/* The owner of the first of these relations that is there */
static Oid
PolicyOwner(FunctionCallInfo fcinfo, int first)
{
	Oid			owner = InvalidOid;

	for (int i = first; i < first + 4 && !OidIsValid(owner); i++)
		owner = RelationOwner(Argument(fcinfo, i));
	return owner;
}

static bool
HasPrivilege(Oid role, Oid relid, AclMode mode)
{
	return OidIsValid(RelationOwner(relid)) &&
		pg_class_aclcheck(relid, role, mode) == ACLCHECK_OK;
}

/* An error unless the caller may act as the policy's owner */
void
PolicyMustOwn(const PolicyIdentity *id)
{
	if (!has_privs_of_role(GetUserId(), id->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of policy \"%s\"", id->policy)));
}

PG_FUNCTION_INFO_V1(assay_policy_owner);
Datum
assay_policy_owner(PG_FUNCTION_ARGS)
{
	Oid			owner = PolicyOwner(fcinfo, 0);

	if (!OidIsValid(owner))
		PG_RETURN_NULL();
	PG_RETURN_OID(owner);
}

/* Has a role this right on the policy of these objects? */
static bool
MayOn(Oid role, const char *right, Oid owner, Oid decision, Oid access)
{
	/* Of a policy of which nothing is left */
	if (!OidIsValid(owner))
		return superuser_arg(role);
	if (has_privs_of_role(role, owner))
		return true;
	/* What is called like the view is no one's but the owner's. */
	if (RelationOwner(access) != owner)
		access = InvalidOid;
	if (!HasPrivilege(role, access, ACL_SELECT))
		return strcmp(right, "reader") == 0 && HasPrivilege(role, decision, ACL_SELECT);
	if (HasPrivilege(role, access, ACL_UPDATE))
		return strcmp(right, "owner") != 0;
	return strcmp(right, "reader") == 0 ||
		(strcmp(right, "builder") == 0 && HasPrivilege(role, access, ACL_INSERT));
}

/* Has the current user this right on a policy? */
bool
PolicyMay(const PolicyIdentity *id, const char *right)
{
	return MayOn(GetUserId(), right, id->owner, id->decision, id->access);
}

/* may(right, decision, access, label, signals_view) */
PG_FUNCTION_INFO_V1(assay_may);
Datum
assay_may(PG_FUNCTION_ARGS)
{
	char	   *right = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(MayOn(GetUserId(), right, PolicyOwner(fcinfo, 1), Argument(fcinfo, 1),
						 Argument(fcinfo, 2)));
}
