/*
 * trusted.c
 *		A baseline's statements, and a text model's, call nobody's functions but
 *		its owner's and a superuser's.
 *
 * Each refresh looks names up anew, in the search_path that the baseline was made
 * with, and runs what it finds with the rights of the owner.  Who may create in a
 * schema of that path could put an operator there that fits a key's type better
 * than PostgreSQL's own.  A text model looks them up once, when it is made.
 */
#include "postgres.h"

#include "fmgr.h"
#include "hidden_calls.h"
#include "literals.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "trusted.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

/* The statement that was found to be trusted last in this transaction, by whom, and of what it is; NULL: none */
static char *trusted = NULL;
static Oid	trusted_by;
static char *trusted_of;
static post_parse_analyze_hook_type analyzed = NULL;

typedef struct TrustLook
{
	const char *what;			/* a baseline or a text model */
	bool		without_literals;	/* a NULL stands for each */
} TrustLook;

static void
Refuse(const char *object, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s belongs to a role that may not act as the %s's owner", object, what),
			 errdetail("The expressions of a %s run with the rights of its owner, and so would this.", what),
			 errhint("Give it to the %s's owner or to a superuser; or have nobody else create in the schemas of the %s's search_path.",
					 what, what)));
}

static bool
RefuseFunction(Oid function, void *context)
{
	if (!MayActAs(FunctionOwner(function), GetUserId()))
		Refuse(psprintf("function %s", format_procedure(function)), ((TrustLook *) context)->what);
	return false;
}

static void
RefuseOperator(Oid operator, const char *what)
{
	if (OidIsValid(operator) && !OperatorIsTrusted(GetUserId(), operator))
		Refuse(psprintf("operator %s, or what negates or commutes it,", format_operator(operator)), what);
}

static void
RefuseType(Oid type, const char *what)
{
	if (InputRunsCode(type) && !TypeIsTrusted(GetUserId(), type))
		Refuse(psprintf("type %s", format_type_be(type)), what);
}

/* The columns that a query gives a function of records, or a table of XML or JSON */
static void
RefuseColumns(List *types, const char *what)
{
	ListCell   *lc;

	foreach(lc, types)
		RefuseType(lfirst_oid(lc), what);
}

static bool
IsLiteral(Node *node, bool without_literals)
{
	return without_literals ? StandsForLiteral(node) : IsA(node, Const) && !((Const *) node)->constisnull;
}

static bool
RefuseUntrusted(Node *node, void *context)
{
	const TrustLook *look = context;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, RefuseUntrusted, context, 0);
	(void) check_functions_in_node(node, RefuseFunction, context);
	RefuseOperator(OperatorOfNode(node), look->what);
	foreach(lc, HiddenCasts(node))
		(void) RefuseFunction(lfirst_oid(lc), context);
	if (IsA(node, RangeTblFunction))
		RefuseColumns(((RangeTblFunction *) node)->funccoltypes, look->what);
	else if (IsA(node, TableFunc))
		RefuseColumns(((TableFunc *) node)->coltypes, look->what);
	else if (MakesValue(node) || IsLiteral(node, look->without_literals))
		RefuseType(exprType(node), look->what);
	return expression_tree_walker(node, RefuseUntrusted, context);
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
	TrustLook	look = {trusted_of, false};

	if (analyzed)
		analyzed(pstate, query, jumble);
	if (trusted == NULL || trusted_by != GetUserId() || pstate->p_sourcetext == NULL || strstr(pstate->p_sourcetext, trusted) == NULL)
		return;
	if (query->commandType == CMD_UTILITY && IsA(query->utilityStmt, CreateTableAsStmt))
		query = castNode(Query, ((CreateTableAsStmt *) query->utilityStmt)->query);
	(void) RefuseUntrusted((Node *) query, &look);
}

static void
ForgetTrusted(void *arg)
{
	trusted = NULL;
}

static void
KeepTrusted(const char *sql, const char *what)
{
	MemoryContextCallback *forget = MemoryContextAlloc(TopTransactionContext, sizeof(MemoryContextCallback));

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

/* baseline_trusted(statement, what): an error unless the current user may run it, now and in this transaction; none of it is run */
PG_FUNCTION_INFO_V1(baseline_trusted);
Datum
baseline_trusted(PG_FUNCTION_ARGS)
{
	char	   *sql = text_to_cstring(PG_GETARG_TEXT_PP(0));
	TrustLook	look = {text_to_cstring(PG_GETARG_TEXT_PP(1)), true};
	ErrorContextCallback place = {error_context_stack, PlaceError, sql};
	ListCell   *lc;

	error_context_stack = &place;
	foreach(lc, raw_parser(sql, RAW_PARSE_DEFAULT))
	{
		RawStmt    *raw = lfirst(lc);

		raw->stmt = WithoutLiterals(raw->stmt);
		(void) RefuseUntrusted((Node *) parse_analyze_fixedparams(raw, sql, NULL, 0, NULL), &look);
	}
	error_context_stack = place.previous;
	KeepTrusted(sql, look.what);
	PG_RETURN_VOID();
}
