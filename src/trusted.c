/*
 * trusted.c
 *		A baseline's statements, a text model's, and those by which a policy's
 *		messages are read call nobody's functions but the owner's and a superuser's.
 *
 * Each refresh looks names up anew, in the search_path that the baseline was made
 * with, and runs what it finds with the rights of the owner.  Who may create in a
 * schema of that path could put an operator there that fits a key's type better
 * than PostgreSQL's own.  A text model looks them up once, when it is made.
 *
 * Who owns the type of a column may make casts of it at any time, which a statement
 * then means: of a signal in a policy's reports, say.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "hidden_calls.h"
#include "literals.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "rewrite/prs2lock.h"
#include "trusted.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"

/* The statement that was found to be trusted last in this transaction, by whom, and of what it is; NULL: none */
static char *trusted = NULL;
static Oid	trusted_by;
static char *trusted_of;
static post_parse_analyze_hook_type analyzed = NULL;

/* The statement by which a policy's messages are read */
static PolicyStatement of_policy = {NULL, InvalidOid};

static const char policy[] = "policy";

typedef struct TrustLook
{
	const char *what;			/* a baseline, a text model or a policy */
	bool		without_literals;	/* a NULL stands for each */
	bool		shows_records;	/* it makes JSON of records whose columns it
								 * chooses elsewhere */
	Oid			owner;			/* of a policy: who reads as somebody else
								 * trusts that, too */
} TrustLook;

static void
Refuse(const char *object, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s belongs to a role that may not act as the %s's owner", object, what),
			 strcmp(what, policy) == 0 ? errdetail("Messages are read with the rights of the policy's owner or of a reader, and so would this run.") :
			 errdetail("The expressions of a %s run with the rights of its owner, and so would this.", what),
			 strcmp(what, policy) == 0 ? errhint("Give it to the policy's owner or to a superuser.") :
			 errhint("Give it to the %s's owner or to a superuser; or have nobody else create in the schemas of the %s's search_path.",
					 what, what)));
}

static bool
RefuseFunction(Oid function, void *context)
{
	const TrustLook *look = context;
	Oid			owner = FunctionOwner(function);

	if (!MayActAs(owner, GetUserId()) && !(OidIsValid(look->owner) && MayActAs(owner, look->owner)))
		Refuse(psprintf("function %s", format_procedure(function)), look->what);
	return false;
}

static void
RefuseOperator(Oid operator, const TrustLook *look)
{
	if (OidIsValid(operator) && !OperatorIsTrusted(GetUserId(), operator) &&
		!(OidIsValid(look->owner) && OperatorIsTrusted(look->owner, operator)))
		Refuse(psprintf("operator %s, or what negates or commutes it,", format_operator(operator)), look->what);
}

static bool
Trusts(const TrustLook *look, Oid type)
{
	return TypeIsTrusted(GetUserId(), type) || (OidIsValid(look->owner) && TypeIsTrusted(look->owner, type));
}

static void
RefuseType(Oid type, const TrustLook *look)
{
	if (InputRunsCode(type) && !Trusts(look, type))
		Refuse(psprintf("type %s", format_type_be(type)), look->what);
}

/* Columns, that a query gives a function of records, or a table of XML or JSON, say */
static void
RefuseColumns(List *types, const TrustLook *look)
{
	ListCell   *lc;

	foreach(lc, types)
		RefuseType(lfirst_oid(lc), look);
}

/* Casts of such a type may come between the look and the run. */
static void
RefuseShown(List *types, TrustLook *look)
{
	ListCell   *lc;

	foreach(lc, types)
	{
		Oid			type = lfirst_oid(lc);

		if (type == RECORDOID)
			look->shows_records = true;
		else if (type != UNKNOWNOID && !Trusts(look, type))
			Refuse(psprintf("type %s, or one that it is made of,", format_type_be(type)), look->what);
	}
}

static void
RefuseShownColumns(List *expressions, TrustLook *look)
{
	ListCell   *lc;

	foreach(lc, expressions)
	{
		Node	   *node = lfirst(lc);

		if (node && IsA(node, List))
			RefuseShownColumns((List *) node, look);
		else if (node)
			RefuseShown(list_make1_oid(getBaseType(exprType(IsA(node, TargetEntry) ? (Node *) ((TargetEntry *) node)->expr : node))), look);
	}
}

/* Whatever a record may be made of: columns that a query chooses, joins or is given */
static bool
RefuseColumnsOfRecords(Node *node, void *context)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (!IsA(node, Query))
		return expression_tree_walker(node, RefuseColumnsOfRecords, context);
	RefuseShownColumns(((Query *) node)->targetList, context);
	foreach(lc, ((Query *) node)->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);
		ListCell   *of;

		RefuseShownColumns(rte->rtekind == RTE_JOIN ? rte->joinaliasvars : rte->values_lists, context);
		foreach(of, rte->functions)
			RefuseShown(((RangeTblFunction *) lfirst(of))->funccoltypes, context);
	}
	return query_tree_walker((Query *) node, RefuseColumnsOfRecords, context, 0);
}

static bool
IsLiteral(Node *node, bool without_literals)
{
	return without_literals ? StandsForLiteral(node) : IsA(node, Const) && !((Const *) node)->constisnull;
}

/* The extension's own functions look for no casts, and make no value by a stranger's checks (plain_types.c). */
static bool
IsOurs(Node *node)
{
	return IsA(node, FuncExpr) && SchemaIsOurs(get_func_namespace(((FuncExpr *) node)->funcid));
}

static bool
RefuseUntrusted(Node *node, void *context)
{
	TrustLook  *look = context;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, RefuseUntrusted, context, 0);
	(void) check_functions_in_node(node, RefuseFunction, context);
	RefuseOperator(OperatorOfNode(node), look);
	if (!IsOurs(node))
	{
		foreach(lc, HiddenCasts(node))
			(void) RefuseFunction(lfirst_oid(lc), context);
		RefuseShown(TypesShownLater(node, strcmp(look->what, policy) != 0), look);
		RefuseColumns(TypesFilled(node), look);
	}
	if (IsA(node, RangeTblFunction))
		RefuseColumns(((RangeTblFunction *) node)->funccoltypes, look);
	else if (IsA(node, TableFunc))
		RefuseColumns(((TableFunc *) node)->coltypes, look);
	else if ((MakesValue(node) && !IsOurs(node)) || IsLiteral(node, look->without_literals))
		RefuseType(exprType(node), look);
	return expression_tree_walker(node, RefuseUntrusted, context);
}

static void
RefuseStatement(Query *query, TrustLook *look)
{
	(void) RefuseUntrusted((Node *) query, look);
	if (look->shows_records)
		(void) RefuseColumnsOfRecords((Node *) query, look);
}

/* An error's place is one in the statement */
static void
PlaceError(void *sql)
{
	int			pos = geterrposition();

	if (pos > 0)
	{
		errposition(0);
		internalerrposition(pos);
		internalerrquery(sql);
	}
}

/*
 * Another session may give a name another meaning between what was looked at and
 * what runs, which is analyzed anew: so that is looked at, too.
 */
static void
RefuseAnalyzed(ParseState *pstate, Query *query, JumbleState *jumble)
{
	TrustLook	look = {.what = trusted_of};
	bool		kept = trusted != NULL && trusted_by == GetUserId();

	if (analyzed)
		analyzed(pstate, query, jumble);
	if (pstate->p_sourcetext == NULL)
		return;
	if (of_policy.sql && strcmp(pstate->p_sourcetext, of_policy.sql) == 0)
	{
		look.what = policy;
		look.owner = of_policy.owner;
	}
	else if (!kept || strstr(pstate->p_sourcetext, trusted) == NULL)
		return;
	if (query->commandType == CMD_UTILITY && IsA(query->utilityStmt, CreateTableAsStmt))
		query = castNode(Query, ((CreateTableAsStmt *) query->utilityStmt)->query);
	RefuseStatement(query, &look);
}

/*
 * Until it is told otherwise, look at a statement of a policy wherever it is analyzed.
 * Gives the one before, which comes back, after an error, too.
 */
PolicyStatement
LookAtStatement(PolicyStatement statement)
{
	PolicyStatement before = of_policy;

	of_policy = statement;
	return before;
}

static void
ForgetTrusted(void *arg)
{
	trusted = NULL;
}

static void
KeepTrusted(const char *sql, const char *what)
{
	MemoryContextCallback *forget;

	if (trusted && trusted_by == GetUserId() && strcmp(trusted, sql) == 0 && strcmp(trusted_of, what) == 0)
		return;
	forget = MemoryContextAlloc(TopTransactionContext, sizeof(MemoryContextCallback));
	forget->func = ForgetTrusted;
	forget->arg = NULL;
	MemoryContextRegisterResetCallback(TopTransactionContext, forget);
	trusted_by = GetUserId();
	trusted_of = MemoryContextStrdup(TopTransactionContext, what);
	trusted = MemoryContextStrdup(TopTransactionContext, sql);
}

void
TrustedInit(void)
{
	analyzed = post_parse_analyze_hook;
	post_parse_analyze_hook = RefuseAnalyzed;
}

/* check_trusted(statement, what, before_it_runs): an error unless the current user may run it, now and in this transaction; none of it is run */
PG_FUNCTION_INFO_V1(check_trusted);
Datum
check_trusted(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TrustLook	look = {.what = text_to_cstring(PG_GETARG_TEXT_PP(1)),.without_literals = true};
	ErrorContextCallback place = {error_context_stack, PlaceError, sql};
	List	   *statements = PG_GETARG_BOOL(2) ? raw_parser(sql, RAW_PARSE_DEFAULT) : NIL;
	ListCell   *lc;

	error_context_stack = &place;
	foreach(lc, statements)
	{
		RawStmt    *raw = lfirst(lc);

		raw->stmt = WithoutLiterals(raw->stmt);
		RefuseStatement(parse_analyze_fixedparams(raw, sql, NULL, 0, NULL), &look);
	}
	error_context_stack = place.previous;
	KeepTrusted(sql, look.what);
	PG_RETURN_VOID();
}

/* check_trusted_view(relation, what): the same of what a view's query calls, as it is stored */
PG_FUNCTION_INFO_V1(check_trusted_view);
Datum
check_trusted_view(PG_FUNCTION_ARGS)
{
	TrustLook	look = {.what = text_to_cstring(PG_GETARG_TEXT_PP(1))};
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);

	if (rel == NULL)
		PG_RETURN_VOID();
	for (int i = 0; rel->rd_rules && i < rel->rd_rules->numLocks; i++)
		if (rel->rd_rules->rules[i]->event == CMD_SELECT)
			RefuseStatement(copyObject(linitial_node(Query, rel->rd_rules->rules[i]->actions)), &look);
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}
