/*
 * session_guard.c
 *		What belongs to the session is out of reach for an owner's code that runs in it.
 *
 * PostgreSQL's restricted operation refuses what would leave code of an owner's to a
 * session that may be a superuser's: prepared statements, temporary tables and types.
 * Here is the rest, but for cursors, keys and settings, which cursors.c and
 * security.c have.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "cursors.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "plpgsql_guard.h"
#include "session_guard.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Who else wants to know of utility statements, and of functions */
static ProcessUtility_hook_type process_utility = NULL;
static object_access_hook_type object_access = NULL;
static needs_fmgr_hook_type needs_guard = NULL;
static fmgr_hook_type called = NULL;

static void
Refuse(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("cannot execute %s within security-restricted operation", what)));
}

/*
 * Is a type whole of itself: an enumeration, a domain, a range?  A relation has one
 * of its own, and each has one of arrays.
 */
static bool
StandsAlone(Form_pg_type type)
{
	return type->typtype != TYPTYPE_COMPOSITE && type->typtype != TYPTYPE_BASE;
}

/*
 * Is what was made just now in the session's temporary schema?  Its row is not to be
 * seen by others yet.  Relations, and what belongs to one, PostgreSQL refuses where it
 * does not make them itself, as REFRESH and the index of a temporary table do.
 */
static bool
IsMadeInSession(Oid class, Oid object)
{
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;
	bool		isnull;
	bool		made = false;

	if (class == RelationRelationId || class == ConstraintRelationId || !is_objectclass_supported(class) ||
		get_object_attnum_namespace(class) == InvalidAttrNumber)
		return false;
	catalog = table_open(class, AccessShareLock);
	ScanKeyInit(&key, get_object_attnum_oid(class), BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	scan = systable_beginscan(catalog, get_object_oid_index(class), true, SnapshotSelf, 1, &key);
	if (HeapTupleIsValid(row = systable_getnext(scan)))
		made = isTempNamespace(DatumGetObjectId(heap_getattr(row, get_object_attnum_namespace(class),
															 RelationGetDescr(catalog), &isnull))) &&
			(class != TypeRelationId || StandsAlone((Form_pg_type) GETSTRUCT(row)));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return made;
}

/*
 * Functions that reach what the session holds by a number that anybody may guess:
 * large objects that it has opened, with the right to write, say, and its advisory
 * locks, which go or stay beyond the transaction; the one after which it draws
 * numbers that are known; and what of a transaction keeps it from being prepared.
 */
static bool
IsOfSession(Oid function)
{
	switch (function)
	{
		case F_LO_OPEN:
		case F_LO_CLOSE:
		case F_LOREAD:
		case F_LOWRITE:
		case F_LO_LSEEK:
		case F_LO_LSEEK64:
		case F_LO_TELL:
		case F_LO_TELL64:
		case F_LO_TRUNCATE:
		case F_LO_TRUNCATE64:
		case F_PG_ADVISORY_LOCK_INT8:
		case F_PG_ADVISORY_LOCK_INT4_INT4:
		case F_PG_ADVISORY_LOCK_SHARED_INT8:
		case F_PG_ADVISORY_LOCK_SHARED_INT4_INT4:
		case F_PG_TRY_ADVISORY_LOCK_INT8:
		case F_PG_TRY_ADVISORY_LOCK_INT4_INT4:
		case F_PG_TRY_ADVISORY_LOCK_SHARED_INT8:
		case F_PG_TRY_ADVISORY_LOCK_SHARED_INT4_INT4:
		case F_PG_ADVISORY_UNLOCK_INT8:
		case F_PG_ADVISORY_UNLOCK_INT4_INT4:
		case F_PG_ADVISORY_UNLOCK_SHARED_INT8:
		case F_PG_ADVISORY_UNLOCK_SHARED_INT4_INT4:
		case F_PG_ADVISORY_UNLOCK_ALL:
		case F_SETSEED:
		case F_PG_EXPORT_SNAPSHOT:
			return true;
		default:
			return false;
	}
}

/* Is it dblink(text, text) or dblink_exec(text, text), maybe with whether it fails? */
static bool
TakesConnection(Oid function, const char *name)
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(function, &types, &n);
	return (strcmp(name, "dblink") == 0 || strcmp(name, "dblink_exec") == 0) && n >= 2 && types[1] == TEXTOID;
}

/* Our own question whether the session has a connection of a name is not refused. */
static bool asking = false;

/* By a function of dblink's; where there is none to ask, it may have. */
static bool
HasNamedConnection(Oid schema, Oid extension)
{
	Oid			ask = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("dblink_get_connections"),
									  PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(schema));
	FmgrInfo	info;

	LOCAL_FCINFO(call, 0);

	if (!OidIsValid(ask) || getExtensionOfObject(ProcedureRelationId, ask) != extension)
		return true;
	fmgr_info(ask, &info);
	InitFunctionCallInfoData(*call, &info, 0, InvalidOid, NULL, NULL);
	asking = true;
	PG_TRY();
	{
		(void) FunctionCallInvoke(call);
	}
	PG_FINALLY();
	{
		asking = false;
	}
	PG_END_TRY();
	return !call->isnull;
}

/*
 * So it is with extensions: connections that the session has opened as somebody else,
 * by dblink, or for foreign tables, by postgres_fdw.  What takes a connection's name
 * or else how to connect is refused while the session has one of a name.
 */
static bool
IsOfConnections(Oid function)
{
	char	   *name = get_func_name(function);
	Oid			extension = getExtensionOfObject(ProcedureRelationId, function);

	if (asking || name == NULL || !OidIsValid(extension))
		return false;
	if (*name == 'p')
		return extension == get_extension_oid("postgres_fdw", true);
	if (extension != get_extension_oid("dblink", true) ||
		strcmp(name, "dblink_get_pkey") == 0 || strcmp(name, "dblink_fdw_validator") == 0 ||
		strcmp(name, "dblink_current_query") == 0 || strncmp(name, "dblink_build_sql", strlen("dblink_build_sql")) == 0)
		return false;
	return !TakesConnection(function, name) ||
		HasNamedConnection(get_func_namespace(function), extension);
}

bool
InOwnersCode(void)
{
	Oid			userid;
	int			context;

	GetUserIdAndSecContext(&userid, &context);
	return (context & SECURITY_OWNERS_CODE) != 0;
}

static void
ObjectAccessGuarded(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (object_access)
		object_access(access, class, object, sub, arg);
	if (access == OAT_FUNCTION_EXECUTE && InOwnersCode() && (IsOfSession(object) || ValidatesPlpgsql(object)))
		Refuse(get_func_name(object));

	/*
	 * The session would take a function that fits better than its own, or a
	 * type of the same name, with casts.
	 */
	if (access == OAT_POST_CREATE && sub == 0 && InSecurityRestrictedOperation() && IsMadeInSession(class, object))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot create an object in a temporary schema within security-restricted operation")));
}

/*
 * May it be one of these, by its name?  Where a function has settings or rights of
 * its own, it comes here at each call, and extensions are looked for in the catalog.
 */
static bool
IsNamedSo(Oid function)
{
	HeapTuple	tuple;
	bool		named = false;

	if (function < FirstNormalObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (HeapTupleIsValid(tuple))
	{
		const char *name = NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname);

		named = strncmp(name, "dblink", strlen("dblink")) == 0 ||
			strncmp(name, "postgres_fdw_disconnect", strlen("postgres_fdw_disconnect")) == 0;
		ReleaseSysCache(tuple);
	}
	return named;
}

/*
 * Whoever calls one of these, or a function of PL/pgSQL, goes by here, at each call:
 * the session may have come to a connection, or to another user, since a plan or an
 * expression was made ready.
 */
static bool
NeedsGuard(Oid function)
{
	if (needs_guard && needs_guard(function))
		return true;
	return IsNamedSo(function) || IsPlpgsql(function);
}

static void
CallGuarded(FmgrHookEventType event, FmgrInfo *function, Datum *arg)
{
	if (event == FHET_START)
		CallForOwner(function);
	if (event == FHET_START && InOwnersCode() && IsNamedSo(function->fn_oid) && IsOfConnections(function->fn_oid))
		Refuse(get_func_name(function->fn_oid));
	if (called)
		called(event, function, arg);
}

/* Does it put back the search_path of the session, where pg_temp may come first? */
static bool
ResetsPath(Node *statement)
{
	VariableSetStmt *set = (VariableSetStmt *) statement;

	if (!IsA(statement, VariableSetStmt))
		return false;
	return set->kind == VAR_RESET_ALL ||
		((set->kind == VAR_RESET || set->kind == VAR_SET_DEFAULT) && pg_strcasecmp(set->name, "search_path") == 0);
}

/*
 * Constraints that the session has deferred are its transaction's.  To have them
 * checked here would run their triggers with a search_path of the policy's: from
 * PostgreSQL 18 on as the session's role, before that as the policy's owner.  And
 * the session's later statements would be checked at once.
 */
static void
ProcessUtilityGuarded(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	bool		refresh = IsA(pstmt->utilityStmt, RefreshMatViewStmt);
	int			hidden;

	if (IsA(pstmt->utilityStmt, ConstraintsSetStmt) && InSecurityRestrictedOperation())
		Refuse("SET CONSTRAINTS");
	if (ResetsPath(pstmt->utilityStmt) && InOwnersCode())
		Refuse("RESET search_path");

	/*
	 * What a materialized view reads is its owner's code, a baseline's, say,
	 * for which the server enters as the owner itself.
	 */
	hidden = refresh ? HideSession() : 0;
	(process_utility ? process_utility : standard_ProcessUtility) (pstmt, query, read_only_tree, context,
																   params, environment, dest, completion);
	if (refresh)
		ShowSession(hidden);
}

void
SessionGuardInit(void)
{
	process_utility = ProcessUtility_hook;
	ProcessUtility_hook = ProcessUtilityGuarded;
	object_access = object_access_hook;
	object_access_hook = ObjectAccessGuarded;
	needs_guard = needs_fmgr_hook;
	needs_fmgr_hook = NeedsGuard;
	called = fmgr_hook;
	fmgr_hook = CallGuarded;
	PlpgsqlGuardInit();
}
