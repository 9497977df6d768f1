/*
 * session_guard.c
 *		What belongs to the session is out of reach for an owner's code that runs in it.
 *
 * PostgreSQL's restricted operation refuses what would leave code of an owner's to a
 * session that may be a superuser's: prepared statements and temporary tables, say.
 * Here is the rest, but for cursors and settings, which cursors.c and
 * security.c have.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "commands/defrem.h"
#include "cursors.h"
#include "nodes/parsenodes.h"
#include "session_guard.h"
#include "tcop/utility.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* Who else wants to know of utility statements, and of functions */
static ProcessUtility_hook_type process_utility = NULL;
static object_access_hook_type object_access = NULL;

static void
Refuse(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("cannot execute %s within security-restricted operation", what)));
}

static bool
IsTemporary(List *names)
{
	char	   *name;

	return names != NIL && isTempNamespace(QualifiedNameGetCreationNamespace(names, &name));
}

/* A range has a type of its ranges' sets by the way, which may be anywhere. */
static List *
NameOfMultirange(CreateRangeStmt * statement)
{
	ListCell   *lc;

	foreach(lc, statement->params)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, "multirange_type_name") == 0 && option->arg)
			return defGetQualifiedName(option);
	}
	return NIL;
}

/*
 * Does a statement make a function, an operator or a type in the session's temporary
 * schema?  The session would take a function that fits better than its own, and a type
 * before all others of its name: a domain called text, say, whose constraint is code.
 * PostgreSQL refuses types itself, but not in all versions.
 */
static bool
IsMadeInSession(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateFunctionStmt:
			return IsTemporary(((CreateFunctionStmt *) statement)->funcname);
		case T_CreateDomainStmt:
			return IsTemporary(((CreateDomainStmt *) statement)->domainname);
		case T_CreateEnumStmt:
			return IsTemporary(((CreateEnumStmt *) statement)->typeName);
		case T_CreateRangeStmt:
			return IsTemporary(((CreateRangeStmt *) statement)->typeName) ||
				IsTemporary(NameOfMultirange((CreateRangeStmt *) statement));
		case T_DefineStmt:
			switch (((DefineStmt *) statement)->kind)
			{
				case OBJECT_AGGREGATE:
				case OBJECT_OPERATOR:
				case OBJECT_TYPE:
					return IsTemporary(((DefineStmt *) statement)->defnames);
				default:
					return false;
			}
		default:
			return false;
	}
}

/*
 * Functions that reach what the session holds by a number that anybody may guess:
 * large objects that it has opened, with the right to write, say, and its advisory
 * locks, which go or stay beyond the transaction; and the one after which it draws
 * numbers that are known.
 */
static bool
IsOfSession(Oid function)
{
	switch (function)
	{
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
			return true;
		default:
			return false;
	}
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
	if (access == OAT_FUNCTION_EXECUTE && IsOfSession(object) && InOwnersCode())
		Refuse(get_func_name(object));
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
	int			cursors;

	if (InSecurityRestrictedOperation())
	{
		if (IsA(pstmt->utilityStmt, ConstraintsSetStmt))
			Refuse("SET CONSTRAINTS");
		if (IsMadeInSession(pstmt->utilityStmt))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("cannot create a function, an operator or a type in a temporary schema within security-restricted operation")));
	}

	/*
	 * What a materialized view reads is its owner's code, a baseline's, say,
	 * for which the server enters as the owner itself.
	 */
	cursors = refresh ? HideCursors() : 0;
	(process_utility ? process_utility : standard_ProcessUtility) (pstmt, query, read_only_tree, context,
																   params, environment, dest, completion);
	if (refresh)
		ShowCursors(cursors);
}

void
SessionGuardInit(void)
{
	process_utility = ProcessUtility_hook;
	ProcessUtility_hook = ProcessUtilityGuarded;
	object_access = object_access_hook;
	object_access_hook = ObjectAccessGuarded;
}
