/*
 * session_guard.c
 *		What belongs to the session is out of reach for an owner's code that runs in it.
 *
 * PostgreSQL's restricted operation refuses what would leave code of an owner's to a
 * session that may be a superuser's: prepared statements, temporary tables and types.
 * Here is the rest, but for settings, which security.c has.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "nodes/memnodes.h"
#include "nodes/parsenodes.h"
#include "session_guard.h"
#include "tcop/utility.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"

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

/*
 * The name of what a statement makes that is called by its name and by the types of
 * what it is called with: the session would take one that fits better than its own.
 */
static List *
NameOfCalled(Node *statement)
{
	if (IsA(statement, CreateFunctionStmt))
		return ((CreateFunctionStmt *) statement)->funcname;
	if (IsA(statement, DefineStmt) && (((DefineStmt *) statement)->kind == OBJECT_AGGREGATE ||
									   ((DefineStmt *) statement)->kind == OBJECT_OPERATOR))
		return ((DefineStmt *) statement)->defnames;
	return NIL;
}

static bool
IsMadeInSession(Node *statement)
{
	List	   *names = NameOfCalled(statement);
	char	   *name;

	return names != NIL && isTempNamespace(QualifiedNameGetCreationNamespace(names, &name));
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

static bool
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
 * The session's cursors are nothing to an owner's code, which could read from them,
 * or put one of its own in the place of one, whose query the session would run then
 * with its own rights.  So those that are open are made as if they were running, which
 * PostgreSQL lets nobody read or close; and what is left open is closed.  Ours are
 * pinned.
 */
typedef struct HiddenCursor
{
	Portal		portal;
	PortalStatus status;
} HiddenCursor;

/*
 * Call this for each portal that isn't running; the server has no list for us but
 * their contexts.
 */
static void
ForEachIdlePortal(void (*call) (Portal portal, void *arg), void *arg)
{
	static MemoryContext portals = NULL;
	MemoryContext next;

	for (MemoryContext c = TopMemoryContext->firstchild; c && portals == NULL; c = c->nextchild)
		if (strcmp(c->name, "TopPortalContext") == 0)
			portals = c;
	for (MemoryContext c = portals ? portals->firstchild : NULL; c; c = next)
	{
		Portal		portal = c->ident ? GetPortalByName(c->ident) : NULL;

		next = c->nextchild;
		if (PortalIsValid(portal) && portal->portalContext == c && !portal->portalPinned &&
			portal->status != PORTAL_ACTIVE)
			call(portal, arg);
	}
}

static void
HideCursor(Portal portal, void *arg)
{
	HiddenCursors *hidden = arg;
	HiddenCursor *cursor = palloc(sizeof(HiddenCursor));

	*cursor = (HiddenCursor)
	{
		portal, portal->status
	};
	hidden->cursors = lappend(hidden->cursors, cursor);
	portal->status = PORTAL_ACTIVE;
}

void
HideCursors(HiddenCursors *hidden)
{
	ForEachIdlePortal(HideCursor, hidden);
}

static void
CloseCursor(Portal portal, void *arg)
{
	PortalDrop(portal, false);
}

/* While the session's are hidden */
void
CloseNewCursors(void)
{
	ForEachIdlePortal(CloseCursor, NULL);
}

/* Give the session back what is hidden. */
void
ShowCursors(HiddenCursors *hidden)
{
	ListCell   *lc;

	foreach(lc, hidden->cursors)
	{
		HiddenCursor *cursor = lfirst(lc);

		cursor->portal->status = cursor->status;
	}
	hidden->cursors = NIL;
}

/* Run something with the session's cursors out of reach; an error is the caller's. */
void
RunBesideCursors(void (*run) (void *arg), void *arg)
{
	/* not a variable of ours, which a jump may lose */
	HiddenCursors *hidden = palloc0(sizeof(HiddenCursors));

	PG_TRY();
	{
		HideCursors(hidden);
		run(arg);
		CloseNewCursors();
	}
	PG_CATCH();
	{
		ShowCursors(hidden);
		PG_RE_THROW();
	}
	PG_END_TRY();
	ShowCursors(hidden);
}

/* A utility statement, to be run */
typedef struct UtilityCall
{
	PlannedStmt *pstmt;
	const char *query;
	bool		read_only_tree;
	ProcessUtilityContext context;
	ParamListInfo params;
	QueryEnvironment *environment;
	DestReceiver *dest;
	QueryCompletion *completion;
} UtilityCall;

static void
RunUtility(void *arg)
{
	UtilityCall *c = arg;

	(process_utility ? process_utility : standard_ProcessUtility) (c->pstmt, c->query, c->read_only_tree, c->context,
																   c->params, c->environment, c->dest, c->completion);
}

/*
 * Constraints that the session has deferred are its transaction's.  To have them
 * checked here would run their triggers with a search_path of the policy's: from
 * PostgreSQL 18 on as the session's role, before that as the policy's owner.  And
 * the session's later statements would be checked at once.
 */
static void
ProcessUtilityGuarded(PlannedStmt * pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context,
					  ParamListInfo params, QueryEnvironment * environment, DestReceiver *dest, QueryCompletion * completion)
{
	UtilityCall call = {pstmt, query, read_only_tree, context, params, environment, dest, completion};

	if (InSecurityRestrictedOperation())
	{
		if (IsA(pstmt->utilityStmt, ConstraintsSetStmt))
			Refuse("SET CONSTRAINTS");
		if (IsMadeInSession(pstmt->utilityStmt))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("cannot create a function or an operator in a temporary schema within security-restricted operation")));
	}

	/*
	 * A baseline may be one, which whoever maintains refreshes: what it runs
	 * is its owner's code.
	 */
	if (IsA(pstmt->utilityStmt, RefreshMatViewStmt))
		RunBesideCursors(RunUtility, &call);
	else
		RunUtility(&call);
}

void
SessionGuardInit(void)
{
	process_utility = ProcessUtility_hook;
	ProcessUtility_hook = ProcessUtilityGuarded;
	object_access = object_access_hook;
	object_access_hook = ObjectAccessGuarded;
}
