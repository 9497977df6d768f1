/*
 * rule.c
 *		Conditions: parsed and type-checked by PostgreSQL's own parser.
 *
 * A condition sees the columns of a signals row by name, and guards (other
 * conditions) as boolean columns.  There is no relation behind the names: a
 * hook resolves them, so that conditions bind to any row type which has the
 * columns, a shard's or an anonymous one's too.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "hidden_calls.h"
#include "literals.h"
#include "miscadmin.h"
#include "nearest.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/optimizer.h"
#include "owner.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_type.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "rule.h"
#include "security.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "written.h"

/* What the parser's hooks know */
typedef struct RuleContext
{
	TupleDesc	desc;
	List	   *guards;
	const char *array;			/* the last signal that was found to be an
								 * array */
} RuleContext;

/* For errors inside the parser: say whose text the position points into */
typedef struct RuleErrorContext
{
	const char *condition;
	const char *what;
	RuleKind	kind;
	const RuleContext *names;
} RuleErrorContext;

/* What PostgreSQL, who does not know what a condition is, has no hint for */
static void
RuleErrorHint(const RuleErrorContext *context)
{
	const char *array = context->names->array;
	int			len = strlen(context->condition);

	switch (geterrcode())
	{
		case ERRCODE_SYNTAX_ERROR:
			while (len > 0 && scanner_isspace(context->condition[len - 1]))
				len--;
			if (len > 0 && context->condition[len - 1] == ';')
				errhint("It is one expression, without a semicolon.");
			break;
		case ERRCODE_INVALID_TEXT_REPRESENTATION:
		case ERRCODE_UNDEFINED_FUNCTION:
			if (array != NULL)
				errhint("Signal \"%s\" is an array: 'value' = ANY (%s) asks whether a value is in it, %s && '{value, other}' whether one of several is.",
						array, quote_identifier(array), quote_identifier(array));
			else if (strstr(context->condition, "==") != NULL)
				errhint("Equality is written by one \"=\".");
			break;
		default:
			break;
	}
}

static void
RuleErrorCallback(void *arg)
{
	RuleErrorContext *context = arg;
	int			pos = geterrposition();

	if (pos > 0)
	{
		errposition(0);
		internalerrposition(pos);
		internalerrquery(context->condition);
		RuleErrorHint(context);
	}
	errcontext("%s of %s", context->kind == RULE_CONDITION ? "condition" : "text", context->what);
}

/* The attribute number of a column, or 0 */
static AttrNumber
ColumnNumber(TupleDesc desc, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && namestrcmp(&att->attname, name) == 0)
			return i + 1;
	}
	return 0;
}

/* The nearest signal or guard, for a hint; NULL when none is near */
static const char *
NearestSignal(RuleContext *context, const char *name)
{
	Nearest		nearest;
	ListCell   *lc;

	NearestBegin(&nearest, name);
	for (int i = 0; i < context->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(context->desc, i);

		if (!att->attisdropped)
			NearestTry(&nearest, NameStr(att->attname));
	}
	foreach(lc, context->guards)
		NearestTry(&nearest, lfirst(lc));
	return nearest.name;
}

/* What to tell of a name that is meant as a text: = "a text", or = word */
static const char *
QuotesHint(ParseState *pstate, int location)
{
	const char *source = pstate->p_sourcetext;

	if (source == NULL || location < 0)
		return NULL;
	if (source[location] == '"')
		return "Double quotes are for names; a text is written in single ones.";
	while (location > 0 && scanner_isspace(source[location - 1]))
		location--;
	if (location > 0 && strchr("=<>~", source[location - 1]) != NULL)
		return "A text is written in single quotes.";
	return NULL;
}

/* Resolves a name to a signal or a guard; there is nothing else. */
static Node *
ResolveColumn(ParseState *pstate, ColumnRef *cref)
{
	RuleContext *context = pstate->p_ref_hook_state;
	const char *name;
	const char *near;
	const char *quotes;
	AttrNumber	attno;
	int			guard = 0;
	ListCell   *lc;

	if (list_length(cref->fields) != 1 || !IsA(linitial(cref->fields), String))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("a condition refers to signals by their plain names"),
				 errhint("Write a column of the signals view without a table name, as in \"sender_events = 0\"."),
				 parser_errposition(pstate, cref->location)));
	name = strVal(linitial(cref->fields));

	attno = ColumnNumber(context->desc, name);
	if (attno > 0)
	{
		Form_pg_attribute att = TupleDescAttr(context->desc, attno - 1);
		Var		   *var = makeVar(1, attno, att->atttypid, att->atttypmod,
								  att->attcollation, 0);

		var->location = cref->location;
		if (OidIsValid(get_base_element_type(att->atttypid)))
			context->array = NameStr(att->attname);
		return (Node *) var;
	}
	foreach(lc, context->guards)
	{
		if (strcmp(lfirst(lc), name) == 0)
		{
			Var		   *var = makeVar(INNER_VAR, guard + 1, BOOLOID, -1,
									  InvalidOid, 0);

			var->location = cref->location;
			return (Node *) var;
		}
		guard++;
	}

	near = NearestSignal(context, name);
	quotes = QuotesHint(pstate, cref->location);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("signal \"%s\" does not exist", name),
			 near ? errhint("Perhaps you meant the %s \"%s\".",
							ColumnNumber(context->desc, near) > 0 ? "signal" : "guard", near) :
			 quotes ? errhint("%s", quotes) : 0,
			 parser_errposition(pstate, cref->location)));
	return NULL;
}

/* Has it any clause but the list of what is selected? */
static bool
HasClauses(SelectStmt * stmt)
{
	return stmt->distinctClause || stmt->intoClause || stmt->fromClause ||
		stmt->whereClause || stmt->groupClause || stmt->havingClause ||
		stmt->windowClause || stmt->valuesLists || stmt->sortClause ||
		stmt->limitOffset || stmt->limitCount || stmt->lockingClause ||
		stmt->withClause;
}

/*
 * What to write instead of a statement that is not one expression.  A word
 * behind it is taken for its name, also "and" where nothing follows.
 */
static const char *
ExpressionHint(SelectStmt * stmt)
{
	ResTarget  *target;

	if (stmt == NULL || stmt->op != SETOP_NONE || HasClauses(stmt))
		return "A condition has no clauses of a query, such as FROM and WHERE: make a subquery a column of the signals view.";
	if (stmt->targetList == NIL)
		return "Write a comparison of signals, as in \"sender_events = 0\".";
	if (list_length(stmt->targetList) > 1)
		return "Combine expressions with AND and OR, not with commas.";
	target = linitial_node(ResTarget, stmt->targetList);
	if (target->name && (strcmp(target->name, "and") == 0 || strcmp(target->name, "or") == 0 ||
						 strcmp(target->name, "like") == 0 || strcmp(target->name, "ilike") == 0))
		return psprintf("Behind the last \"%s\" an expression is missing.", target->name);
	if (target->name && IsA(target->val, ColumnRef))
		return "Combine expressions with AND and OR; a signal's name of several words is written in double quotes.";
	return "Combine expressions with AND and OR.";
}

/* The one expression of the statement that the text parsed to */
static Node *
OneExpression(List *raw)
{
	SelectStmt *stmt = NULL;
	ResTarget  *target;

	if (list_length(raw) == 1 && IsA(linitial_node(RawStmt, raw)->stmt, SelectStmt))
	{
		stmt = (SelectStmt *) linitial_node(RawStmt, raw)->stmt;
		if (stmt->op == SETOP_NONE && !HasClauses(stmt) &&
			list_length(stmt->targetList) == 1)
		{
			target = linitial_node(ResTarget, stmt->targetList);
			if (target->name == NULL && target->indirection == NIL)
				return target->val;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("a condition must be one boolean expression"),
			 errhint("%s", ExpressionHint(stmt))));
	return NULL;
}

/* Subqueries are refused before the parser would look for their tables. */
static bool
RefuseSubqueries(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink) || IsA(node, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("subqueries are not allowed in a condition"),
				 errhint("Make the subquery a column of the signals view."),
				 IsA(node, SubLink) ?
				 parser_errposition(context, ((SubLink *) node)->location) : 0));
	return raw_expression_tree_walker(node, RefuseSubqueries, context);
}

/* What makes several rows of one, or one of several */
static bool
RefuseSets(Node *node, void *context)
{
	const char *what = NULL;
	int			code = ERRCODE_GROUPING_ERROR;

	if (node == NULL)
		return false;
	if (IsA(node, Aggref))
		what = "aggregate functions";
	else if (IsA(node, GroupingFunc))
		what = "grouping operations";
	else if (IsA(node, WindowFunc))
	{
		what = "window functions";
		code = ERRCODE_WINDOWING_ERROR;
	}
	else if ((IsA(node, FuncExpr) && ((FuncExpr *) node)->funcretset) ||
			 (IsA(node, OpExpr) && ((OpExpr *) node)->opretset))
	{
		what = "set-returning functions";
		code = ERRCODE_FEATURE_NOT_SUPPORTED;
	}
	if (what)
		ereport(ERROR,
				(errcode(code),
				 errmsg("%s are not allowed in a condition", what),
				 errhint("A condition is about one message: make what is known of several a column of the signals view."),
				 parser_errposition(context, exprLocation(node))));
	return expression_tree_walker(node, RefuseSets, context);
}

static bool
IsVolatile(Oid func, void *context)
{
	if (func_volatile(func) == PROVOLATILE_VOLATILE)
	{
		*(Oid *) context = func;
		return true;
	}
	return false;
}

static bool
FindVolatile(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, NextValueExpr) || check_functions_in_node(node, IsVolatile, context))
		return true;
	return expression_tree_walker(node, FindVolatile, context);
}

/*
 * May what a function does depend on the search_path?  C code outside of
 * pg_catalog and of ours may run queries; what is not immutable may look names
 * up, as a cast to regclass does.
 */
static bool
IsForeign(Oid func, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(func));
	bool		foreign = true;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);

		foreign = proc->provolatile != PROVOLATILE_IMMUTABLE ||
			(proc->prolang != INTERNALlanguageId &&
			 (proc->prolang != ClanguageId || !SchemaIsOurs(proc->pronamespace)));
		ReleaseSysCache(tuple);
	}
	return foreign;
}

static bool
FindForeign(Node *node, void *context)
{
	if (node == NULL)
		return false;
	/* A domain's or another type's input may call anything. */
	if (IsA(node, CoerceToDomain) || IsA(node, SQLValueFunction) || HidesFunctions(node) ||
		check_functions_in_node(node, IsForeign, context))
		return true;
	return expression_tree_walker(node, FindForeign, context);
}

/* Settings that show in what is not foreign */
static bool
CollectSettings(Node *node, Rule *rule)
{
	if (node == NULL)
		return false;
	rule->settings |= SettingsOfNode(node);
	return expression_tree_walker(node, CollectSettings, rule);
}

/* Which columns and guards it names */
static bool
CollectNames(Node *node, Rule *rule)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varno == INNER_VAR)
			rule->guards = bms_add_member(rule->guards, var->varattno - 1);
		else
			rule->signals = bms_add_member(rule->signals, var->varattno - 1);
		return false;
	}
	return expression_tree_walker(node, CollectNames, rule);
}

/* What a domain, perhaps over another one, is made of; or 0 */
Oid
RuleDomainBase(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			base = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		base = ((Form_pg_type) GETSTRUCT(tuple))->typbasetype;
		ReleaseSysCache(tuple);
	}
	return base;
}

/*
 * The types of a domain and of those below it: the planner, who leaves out one
 * that checks nothing, tells of the uppermost alone.
 */
static bool
CollectDomains(Node *node, Rule *rule)
{
	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain))
		for (Oid type = ((CoerceToDomain *) node)->resulttype; OidIsValid(type);
			 type = RuleDomainBase(type))
			rule->types = lappend_int(rule->types,
									  (int) GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type)));
	return expression_tree_walker(node, CollectDomains, rule);
}

/* A function that it calls: what it depends on, and whether workers may */
static bool
CollectFunction(Oid func, void *context)
{
	Rule	   *rule = context;
	char		parallel = func_parallel(func);

	if (func >= FirstUnpinnedObjectId)
		rule->functions = lappend_int(rule->functions,
									  (int) GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(func)));
	if (parallel == PROPARALLEL_UNSAFE || rule->parallel == PROPARALLEL_SAFE)
		rule->parallel = parallel;
	return false;
}

/*
 * Before the planner has computed constants and put functions' bodies in their
 * place: afterwards nothing tells of them any more.
 */
static bool
CollectFunctions(Node *node, Rule *rule)
{
	Oid			operator;

	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, CollectFunction, rule);
	operator = OperatorOfNode(node);
	if (operator >= FirstUnpinnedObjectId)
		rule->operators = lappend_int(rule->operators,
									  (int) GetSysCacheHashValue1(OPEROID, ObjectIdGetDatum(operator)));
	return expression_tree_walker(node, CollectFunctions, rule);
}

/*
 * Functions of the server's that read tables which their arguments name, and
 * say that they are stable
 */
static bool
ReadsAnyTable(Oid func)
{
	switch (func)
	{
		case F_TABLE_TO_XML:
		case F_TABLE_TO_XMLSCHEMA:
		case F_TABLE_TO_XML_AND_XMLSCHEMA:
		case F_SCHEMA_TO_XML:
		case F_SCHEMA_TO_XMLSCHEMA:
		case F_SCHEMA_TO_XML_AND_XMLSCHEMA:
		case F_DATABASE_TO_XML:
		case F_DATABASE_TO_XMLSCHEMA:
		case F_DATABASE_TO_XML_AND_XMLSCHEMA:
			return true;
		default:
			return false;
	}
}

/* Functions that make a value of whatever type they are told */
static bool
MakesAnyType(Oid func, const FormData_pg_proc *form)
{
	for (int i = 0; i < form->pronargs; i++)
		if (form->proargtypes.values[i] == CSTRINGOID || form->proargtypes.values[i] == INTERNALOID)
			return true;
#if PG_VERSION_NUM >= 160000
	if (func == F_PG_INPUT_IS_VALID || func == F_PG_INPUT_ERROR_INFO)
		return true;
#endif
	return false;
}

/* A condition runs as the policy's owner. */
static void
RefuseFunction(Oid func, Oid policy_owner, bool called)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(func));
	Oid			owner = InvalidOid;
	bool		any_type = false;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
		any_type = called && MakesAnyType(func, (Form_pg_proc) GETSTRUCT(tuple));
		ReleaseSysCache(tuple);
	}
	if (!MayActAs(owner, policy_owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s belongs to a role that may not act as the policy's owner", format_procedure(func)),
				 errdetail("Conditions run with the rights of the policy's owner, and so would this function."),
				 errhint("Give it to the policy's owner or to a superuser, or compute a signal by it.")));
	if (any_type || ReadsAnyTable(func))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("function %s is not allowed in a condition", format_procedure(func)),
				 any_type ? errdetail("It runs the input function of any type.") :
				 errdetail("It reads tables with the rights of the policy's owner."),
				 errhint("What conditions need to know is a signal.")));
}

static void
RefuseType(Oid type, Oid policy_owner)
{
	/*
	 * A record is of what a function made, or a ROW() of what is looked at by
	 * itself.
	 */
	if (type == UNKNOWNOID || type == RECORDOID || TypeIsTrusted(policy_owner, type))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("type %s belongs to a role that may not act as the policy's owner, or is made of such types",
					format_type_be(type)),
			 errdetail("Conditions run with the rights of the policy's owner, and so would the type's checks and casts."),
			 errhint("Give it to the policy's owner or to a superuser.")));
}

static bool
RefuseCalled(Oid func, void *context)
{
	RefuseFunction(func, *(Oid *) context, true);
	return false;
}

static bool
RefuseIO(Oid func, void *context)
{
	RefuseFunction(func, *(Oid *) context, false);
	return false;
}

static void
RefuseOperator(Oid operator, Oid policy_owner)
{
	if (OidIsValid(operator) && !OperatorIsTrusted(policy_owner, operator))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("operator %s, or what negates or commutes it, belongs to a role that may not act as the policy's owner",
						format_operator(operator)),
				 errdetail("Conditions run with the rights of the policy's owner, and so would this operator."),
				 errhint("Give them and their functions to the policy's owner or to a superuser, or compute a signal by it.")));
}

/* A type that is written by this name, if there is one */
static void
RefuseTypeName(TypeName * name, Oid policy_owner)
{
	Type		type = LookupTypeName(NULL, name, NULL, true);
	Oid			oid;

	if (type == NULL)
		return;
	oid = typeTypeId(type);
	ReleaseSysCache(type);
	RefuseType(oid, policy_owner);
}

/*
 * A function's name may be a type's: type('literal') is a cast where no function
 * takes it.  One without a schema is a function's wherever one has the name.
 */
static void
RefuseCastByName(List *name, Oid policy_owner)
{
	if (list_length(name) > 1 ||
		FuncnameGetCandidates(name, 1, NIL, false, false, false, true) == NULL)
		RefuseTypeName(makeTypeNameFromNameList(name), policy_owner);
}

/*
 * What is written out of names that can be told before anything of it is run: to
 * transform a literal of a type runs the type's input function.  context: the
 * policy's owner.
 */
static bool
RefuseWritten(Node *node, void *context)
{
	Oid			owner = *(Oid *) context;
	FuncCandidateList candidates = NULL;

	if (node == NULL)
		return false;
	if (IsA(node, TypeName))
		RefuseTypeName((TypeName *) node, owner);
	else if (IsA(node, FuncCall))
	{
		List	   *name = ((FuncCall *) node)->funcname;

		RefuseCastByName(name, owner);
		if (list_length(name) > 1)
			candidates = FuncnameGetCandidates(name, -1, NIL, false, false, false, true);
		for (; candidates; candidates = candidates->next)
			RefuseFunction(candidates->oid, owner, false);
	}
	else if (IsA(node, A_Indirection))
	{
		ListCell   *lc;

		/* (value).name is name(value) where the value has no such field. */
		foreach(lc, ((A_Indirection *) node)->indirection)
			if (IsA(lfirst(lc), String))
			RefuseCastByName(list_make1(lfirst(lc)), owner);
	}
	else if (IsA(node, A_Expr) && list_length(((A_Expr *) node)->name) > 1)
	{
		candidates = OpernameGetCandidates(((A_Expr *) node)->name, ((A_Expr *) node)->lexpr ? 'b' : 'l', true);
		for (; candidates; candidates = candidates->next)
			RefuseFunction(get_opcode(candidates->oid), owner, false);
	}
	return raw_expression_tree_walker(node, RefuseWritten, context);
}

/*
 * Does a node of an expression make a value of some type?  The types of columns
 * are seen to where these are made visible.
 */
static bool
HasType(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Const:
		case T_FuncExpr:
		case T_OpExpr:
		case T_NullIfExpr:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CoerceToDomain:
		case T_CaseExpr:
		case T_ArrayExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_FieldSelect:
		case T_SubscriptingRef:
			return true;
		default:
			return HidesFunctions(node);
	}
}

/* Before the rest of it is run: the planner computes what is constant. */
static bool
RefuseUntrusted(Node *node, void *context)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	(void) check_functions_in_node(node, IsA(node, FuncExpr) ? RefuseCalled : RefuseIO, context);
	foreach(lc, HiddenCasts(node))
		(void) RefuseIO(lfirst_oid(lc), context);
	/* Casts of these may come at any time. */
	foreach(lc, TypesShownLater(node, false))
		RefuseType(lfirst_oid(lc), *(Oid *) context);
	foreach(lc, TypesFilled(node))
		RefuseType(lfirst_oid(lc), *(Oid *) context);
	RefuseOperator(OperatorOfNode(node), *(Oid *) context);
	if (HasType(node))
		RefuseType(exprType(node), *(Oid *) context);
	return expression_tree_walker(node, RefuseUntrusted, context);
}

/* Are operators looked up where others than PostgreSQL and we may have made some? */
static bool
LooksElsewhere(void)
{
	List	   *path = fetch_search_path(false);
	ListCell   *lc;

	foreach(lc, path)
		if (lfirst_oid(lc) != PG_CATALOG_NAMESPACE && !SchemaIsOurs(lfirst_oid(lc)))
		return true;
	return false;
}

/*
 * What the expression would call is told without its literals, before these are
 * input of whatever type they are found to be.
 */
static void
RefuseBehindLiterals(Node *raw, ParseState *pstate, Oid owner, Oid writer)
{
	ParseState *tried = make_parsestate(pstate);
	Node	   *expr;

	tried->p_pre_columnref_hook = pstate->p_pre_columnref_hook;
	tried->p_ref_hook_state = pstate->p_ref_hook_state;
	expr = transformExpr(tried, WithoutLiterals(raw), EXPR_KIND_OTHER);
	(void) RefuseSets(expr, tried);
	(void) RefuseUntrusted(expr, &owner);
	if (writer != owner)
		CheckWritten(expr, writer);
	free_parsestate(tried);
}

/* A text means the same whatever the session's settings. */
List	   *
RuleParseText(const char *condition)
{
	List	   *raw;
	int			nest;

	if (standard_conforming_strings)
		return raw_parser(condition, RAW_PARSE_PLPGSQL_EXPR);
	nest = NewGUCNestLevel();
	(void) set_config_option("standard_conforming_strings", "on", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	raw = raw_parser(condition, RAW_PARSE_PLPGSQL_EXPR);
	AtEOXact_GUC(false, nest);
	return raw;
}

/* Text or jsonb; what can be text without being told to is text. */
static Node *
CoerceToContent(ParseState *pstate, Node *expr)
{
	Oid			type = getBaseType(exprType(expr));
	Oid			wanted = TEXTOID;

	if (type == JSONBOID)
		return coerce_to_target_type(pstate, expr, exprType(expr), JSONBOID, -1,
									 COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
	if (can_coerce_type(1, &type, &wanted, COERCION_IMPLICIT))
		return coerce_to_target_type(pstate, expr, exprType(expr), TEXTOID, -1,
									 COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the text of a message is of type %s, not text or jsonb", format_type_be(exprType(expr))),
			 parser_errposition(pstate, exprLocation(expr))));
	return NULL;
}

Rule	   *
RuleParse(const char *condition, TupleDesc desc, List *guards, const char *what,
		  Oid owner, bool plan)
{
	return RuleParseKind(RULE_CONDITION, condition, desc, guards, what, owner, GetUserId(), plan);
}

Rule	   *
RuleParseKind(RuleKind kind, const char *condition, TupleDesc desc, List *guards, const char *what,
			  Oid owner, Oid writer, bool plan)
{
	Rule	   *rule = palloc0(sizeof(Rule));
	RuleContext context = {desc, guards, NULL};
	RuleErrorContext error_context = {condition, what, kind, &context};
	ErrorContextCallback callback;
	ParseState *pstate;
	Node	   *expr;
	Oid			volatile_function = InvalidOid;
	List	   *items = NIL;
	ListCell   *lc;

	if (strlen(condition) > RULE_CONDITION_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("condition of %s is too long", what),
				 errdetail("It has %zu bytes; the limit is %d.",
						   strlen(condition), RULE_CONDITION_MAX),
				 errhint("Long lists of words belong in a phrases value or an array signal.")));

	callback.callback = RuleErrorCallback;
	callback.arg = &error_context;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	pstate = make_parsestate(NULL);
	pstate->p_sourcetext = condition;
	pstate->p_pre_columnref_hook = ResolveColumn;
	pstate->p_ref_hook_state = &context;

	expr = OneExpression(RuleParseText(condition));
	(void) RefuseSubqueries(expr, pstate);
	(void) RefuseWritten(expr, &owner);
	if (LooksElsewhere() || writer != owner)
		RefuseBehindLiterals(expr, pstate, owner, writer);
	expr = transformExpr(pstate, expr, EXPR_KIND_OTHER);
	(void) RefuseSets(expr, pstate);
	expr = kind == RULE_CONDITION ? coerce_to_boolean(pstate, expr, "a condition") :
		CoerceToContent(pstate, expr);
	assign_expr_collations(pstate, expr);

	if (FindVolatile(expr, &volatile_function))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("volatile functions are not allowed in a condition"),
				 OidIsValid(volatile_function) ?
				 errdetail("Function %s is volatile.",
						   format_procedure(volatile_function)) : 0,
				 errhint("A decision must be the same when it is replayed.")));
	(void) RefuseUntrusted(expr, &owner);
	if (writer != owner)
		CheckWritten(expr, writer);
	(void) CollectNames(expr, rule);
	(void) CollectDomains(expr, rule);
	rule->foreign_code = FindForeign(expr, NULL);
	(void) CollectSettings(expr, rule);
	rule->parallel = PROPARALLEL_SAFE;
	(void) CollectFunctions(expr, rule);
	rule->expr = plan ? expression_planner_with_deps((Expr *) expr, &rule->relations, &items) :
		(Expr *) expr;
	foreach(lc, items)
	{
		PlanInvalItem *item = lfirst_node(PlanInvalItem, lc);

		if (item->cacheId == TYPEOID)
			rule->types = lappend_int(rule->types, (int) item->hashValue);
		else if (item->cacheId == PROCOID)
			rule->functions = lappend_int(rule->functions, (int) item->hashValue);
	}
	free_parsestate(pstate);

	error_context_stack = callback.previous;
	return rule;
}
