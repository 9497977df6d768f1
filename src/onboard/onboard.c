/*
 * onboard.c
 *		What onboarding remembers, and the steps of it that maintain() does for
 *		others.
 *
 * The tables of onboarding are the extension's.  A row is written for the role
 * that began the onboarding, and for who may act as it; what a row says runs
 * nothing by itself: steps run with the rights of whoever calls, or as the owner
 * of the policy that they are about.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "config.h"
#include "encoding.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "rights.h"
#include "security.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

/* Policies that a role may have begun to onboard, and not made yet */
#define OPEN_MAX		100

/* Bytes of an entry, as jsonb: a plan may have a policy with its models */
#define PLAN_BYTES_MAX	(16 * 1024 * 1024)
#define ROW_BYTES_MAX	(1024 * 1024)
#define STEP_BYTES_MAX	(64 * 1024)

/* Longer names of tenants go by a digest */
#define PLAIN_TENANT_MAX	100

/* What may be written: $1 is the policy, $2 the entry as jsonb, $3 the role */
typedef struct Entry
{
	const char *kind;
	const char *sql;
	Size		bytes_max;
	bool		of_policy;		/* the policy must have been made */
} Entry;

/* Whose it is, and which policy's, the entry does not say. */
#define INSERT(t)	"INSERT INTO assay_internal." t " SELECT r.* FROM pg_catalog.jsonb_populate_record(NULL::assay_internal." t ", " \
					"$2 || pg_catalog.jsonb_build_object('policy', $1, 'role', $3::pg_catalog.regrole::text, 'decision', NULL)) r "
#define OWNER_OF_P	"assay_internal.policy_owner(p.decision, p.access, p.label, p.signals_view)"
#define SET_OF(c)	c " = EXCLUDED." c

static const Entry entries[] = {
	{"plan", INSERT("onboarding")
		"WHERE true ON CONFLICT (policy) DO UPDATE SET " SET_OF("labels") ", " SET_OF("budget") ", " SET_OF("go_live") ", " SET_OF("checks") ", "
	SET_OF("held_back") ", " SET_OF("live_at"), PLAN_BYTES_MAX, false},
	{"step", INSERT("onboarding_step")
		"WHERE true ON CONFLICT (policy, step) DO UPDATE SET " SET_OF("state") ", " SET_OF("rows") ", " SET_OF("seconds") ", " SET_OF("note") ", "
	SET_OF("pid") ", " SET_OF("at"), STEP_BYTES_MAX, false},
	{"report", INSERT("onboarding_report"), ROW_BYTES_MAX, true},
	{"no report", "DELETE FROM assay_internal.onboarding_report WHERE policy = $1", STEP_BYTES_MAX, false},
	{"tenant", INSERT("tenant")
		"WHERE true ON CONFLICT (policy, tenant) DO UPDATE SET " SET_OF("state") ", " SET_OF("first_seen") ", " SET_OF("last_seen") ", " SET_OF("messages") ", "
	SET_OF("alerts") ", " SET_OF("alerts_per_day") ", " SET_OF("degraded") ", " SET_OF("note") ", " SET_OF("live_at") ", " SET_OF("at"), STEP_BYTES_MAX, true},
	{"made", "UPDATE assay_internal.onboarding o SET decision = p.decision FROM assay_internal.policy p "
	"WHERE o.policy = $1 AND p.policy = o.policy AND $2 IS NOT NULL AND $3 = " OWNER_OF_P, STEP_BYTES_MAX, false},
	{"no tenant", "DELETE FROM assay_internal.tenant WHERE policy = $1 AND tenant = $2->>'tenant'", STEP_BYTES_MAX, false},
	{"end", "WITH step AS (DELETE FROM assay_internal.onboarding_step WHERE policy = $1), "
		"report AS (DELETE FROM assay_internal.onboarding_report WHERE policy = $1), "
		"tenant AS (DELETE FROM assay_internal.tenant WHERE policy = $1) "
	"DELETE FROM assay_internal.onboarding WHERE policy = $1", STEP_BYTES_MAX, false},
};

/*
 * Whose it is: the owner's of the policy that was made, or else the role's that
 * began to onboard it.  InvalidOid: nothing of the kind is there.
 */
static Oid
OnboardingRole(Datum policy, bool *made)
{
	Oid			types[] = {TEXTOID};
	Oid			owner;
	bool		isnull;

	*made = false;
	if (SPI_execute_with_args("SELECT (SELECT " OWNER_OF_P " FROM assay_internal.policy p WHERE p.policy = o.policy AND p.decision = o.decision), "
							  "o.role::oid FROM assay_internal.onboarding o WHERE o.policy = $1 FOR NO KEY UPDATE OF o",
							  1, types, &policy, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay_internal.onboarding");
	if (SPI_processed == 0)
		return InvalidOid;
	owner = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	*made = !isnull;
	if (*made)
		return owner;
	return DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
}

/*
 * A policy that is begun: of messages of the role's own, and not more than so
 * many, so that nobody fills the tables who may have none himself.
 */
static void
CheckBeginning(Datum entry, Oid role)
{
	Oid			types[] = {JSONBOID, OIDOID};
	Datum		values[] = {entry, ObjectIdGetDatum(role)};
	Oid			owner;
	bool		isnull;

	if (SPI_execute_with_args("SELECT (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass($1->>'messages') AND c.relpersistence <> 't'), "
							  "(SELECT pg_catalog.count(*) FROM assay_internal.onboarding o WHERE o.role = $2 AND o.decision IS NULL)",
							  lengthof(types), types, values, NULL, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read assay_internal.onboarding");
	owner = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));

	/*
	 * A member may act as the role; a superuser, who may act as any, must be
	 * one.
	 */
	if (isnull || !(has_privs_of_role(role, owner) ||
					(is_member_of_role_nosuper(owner, role) && has_privs_of_role(owner, role))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of the messages must be the role that onboards them, or a member of it")));
	if (DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull)) >= OPEN_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("role \"%s\" has begun to onboard too many policies that are not made yet", GetUserNameFromId(role, false)),
				 errdetail("The limit is %d.", OPEN_MAX),
				 errhint("assay.offboard() ends those that the view assay.onboarding shows and nobody wants.")));
}

/*
 * Anybody may have said that it onboards a policy of this name before there was
 * one: once another has made it, or begins to where nobody has, that is nothing.
 * Names are theirs who make the policies, and nobody keeps others from one by
 * rows.  Nor is what was kept of a policy that is gone, by a role that is gone.
 */
static void
ForgetStranger(Datum policy, Oid role)
{
	Oid			types[] = {TEXTOID, OIDOID};
	Datum		values[] = {policy, ObjectIdGetDatum(role)};

	if (SPI_execute_with_args("WITH gone AS (DELETE FROM assay_internal.onboarding o WHERE o.policy = $1 AND NOT EXISTS ("
							  "SELECT FROM assay_internal.policy p WHERE p.policy = o.policy AND p.decision = o.decision) AND ("
							  "NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = o.role) "
							  "OR NOT (pg_catalog.pg_has_role($2, o.role::oid, 'USAGE') OR EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = o.policy)) "
							  "OR EXISTS (SELECT FROM assay_internal.policy p WHERE p.policy = o.policy "
							  "AND NOT pg_catalog.pg_has_role(o.role::oid, " OWNER_OF_P ", 'USAGE'))) RETURNING o.policy), "
							  "step AS (DELETE FROM assay_internal.onboarding_step s USING gone g WHERE s.policy = g.policy), "
							  "report AS (DELETE FROM assay_internal.onboarding_report s USING gone g WHERE s.policy = g.policy) "
							  "DELETE FROM assay_internal.tenant s USING gone g WHERE s.policy = g.policy",
							  lengthof(types), types, values, NULL, false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete from assay_internal.onboarding");
}

static const Entry *
EntryNamed(const char *kind)
{
	for (int i = 0; i < lengthof(entries); i++)
		if (strcmp(entries[i].kind, kind) == 0)
			return &entries[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("onboarding keeps no \"%s\"", kind)));
}

/* keep_onboarding(policy, kind, entry): as the current user's */
PG_FUNCTION_INFO_V1(assay_keep_onboarding);
Datum
assay_keep_onboarding(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, JSONBOID, OIDOID};
	Datum		values[] = {PG_GETARG_DATUM(0), PointerGetDatum(PG_GETARG_JSONB_P(2)), ObjectIdGetDatum(GetUserId())};
	const Entry *entry = EntryNamed(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	bool		plan = strcmp(entry->kind, "plan") == 0;
	Security	security;
	Oid			role;
	bool		made;

	if (VARSIZE_ANY(DatumGetPointer(values[1])) > entry->bytes_max)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("what onboarding keeps of a %s is too large", entry->kind),
				 errdetail("The limit is %zu bytes.", entry->bytes_max)));
	EnterConfiguration(&security);
	SPI_connect();
	if (plan)
		ForgetStranger(values[0], security.userid);
	role = OnboardingRole(values[0], &made);
	if (OidIsValid(role) ? !has_privs_of_role(security.userid, role) : !plan)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("policy \"%s\" is not being onboarded by this role", TextDatumGetCString(values[0]))));
	if (!OidIsValid(role))
		CheckBeginning(values[1], security.userid);
	if (entry->of_policy && !made)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("policy \"%s\" is not made yet", TextDatumGetCString(values[0]))));
	if (SPI_execute_with_args(entry->sql, lengthof(types), types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not write what onboarding keeps");
	SPI_finish();
	LeaveSecurity(&security);
	PG_RETURN_VOID();
}

/*
 * lock_onboarding(policy): one at a time, of the same role.  It is no advisory
 * lock, which anybody could hold.
 */
PG_FUNCTION_INFO_V1(assay_lock_onboarding);
Datum
assay_lock_onboarding(PG_FUNCTION_ARGS)
{
	text	   *policy = PG_GETARG_TEXT_PP(0);
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, get_relname_relid("onboarding", get_namespace_oid("assay_internal", false)),
					   GetUserId(), (uint16) hash_bytes((unsigned char *) VARDATA_ANY(policy), VARSIZE_ANY_EXHDR(policy)));
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	PG_RETURN_VOID();
}

/* Is it in lower case, without space, and none that tenant_value() makes? */
static bool
IsPlainTenant(const char *s, int len)
{
	if (len < 1 || len > PLAIN_TENANT_MAX || (len >= 4 && memcmp(s, "md5:", 4) == 0))
		return false;
	for (int i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~' || (s[i] >= 'A' && s[i] <= 'Z'))
			return false;
	return true;
}

/*
 * tenant_value(tenant): as the list of live tenants has it.  A dump may bring
 * the list to another encoding, and a digest is of the same bytes there.
 */
PG_FUNCTION_INFO_V1(assay_tenant_value);
Datum
assay_tenant_value(PG_FUNCTION_ARGS)
{
	text	   *tenant = PG_GETARG_TEXT_PP(0);
	Size		len = VARSIZE_ANY_EXHDR(tenant);
	const char *bytes;
	Datum		digest;

	if (IsPlainTenant(VARDATA_ANY(tenant), len))
		PG_RETURN_TEXT_P(tenant);
	bytes = TextToHash(VARDATA_ANY(tenant), len, &len);
	digest = DirectFunctionCall1(md5_bytea, PointerGetDatum(cstring_to_text_with_len(bytes, len)));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("md5:%s", TextDatumGetCString(digest))));
}

/*
 * as_policy_owner(policy, step, argument): assay_internal.owner_step() as the
 * owner of the policy, for who may act as it.  Superusers call maintain() for
 * all: what an owner wrote runs with the rights of that owner.
 */
PG_FUNCTION_INFO_V1(assay_as_policy_owner);
Datum
assay_as_policy_owner(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TEXTOID, JSONBOID};
	Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	PolicyIdentity *id = ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Security	security;
	Datum		result;
	bool		isnull;

	PolicyMustOwn(id);
	SPI_connect();
	EnterOwner(&security, id->owner, "pg_catalog, pg_temp");
	if (SPI_execute_with_args("SELECT assay_internal.owner_step($1, $2, $3)", lengthof(types), types, values, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "a step of onboarding gave no row");
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
		result = SPI_datumTransfer(result, false, -1);
	LeaveSecurity(&security);
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
