/*
 * hidden_calls.c
 *		What a node of an expression calls, and no list of its functions has.
 *
 * Whoever asks whose code an expression runs walks over the functions that its nodes
 * name.  Some call others besides: input functions and checks of the type of what
 * they make, casts that are looked for at run time, and what negates an operator.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "hidden_calls.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* The operator that a node names, or InvalidOid.  Those of rows are ones of index families. */
Oid
OperatorOfNode(Node *node)
{
	switch (nodeTag(node))
	{
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return ((OpExpr *) node)->opno;
		case T_ScalarArrayOpExpr:
			return ((ScalarArrayOpExpr *) node)->opno;
		default:
			return InvalidOid;
	}
}

static List *
AddLinked(List *operators, Oid operator)
{
	check_stack_depth();
	if (!OidIsValid(operator) || list_member_oid(operators, operator))
		return operators;
	operators = AddLinked(lappend_oid(operators, operator), get_negator(operator));
	return AddLinked(operators, get_commutator(operator));
}

/*
 * An operator and those that the planner runs in its place: what negates it, for
 * NOT, and what takes its sides the other way round.
 */
List	   *
LinkedOperators(Oid operator)
{
	return AddLinked(NIL, operator);
}

/*
 * Does a node call what no list of its functions has?  XML and JSON are made of
 * values by their types' output functions, casts and zones; and values of any
 * type of JSON, by their input functions.
 */
bool
HidesFunctions(Node *node)
{
	switch (nodeTag(node))
	{
		case T_XmlExpr:
#if PG_VERSION_NUM >= 160000
		case T_JsonConstructorExpr:
#endif
#if PG_VERSION_NUM >= 170000
		case T_JsonExpr:
#endif
			return true;
		default:
			return false;
	}
}

/* Is a function's result of the type of some arguments, and made of what another holds, as jsonb_populate_record() does? */
static bool
MakesPolymorphic(Oid function)
{
	Oid		   *types;
	int			n;
	bool		made = false;

	if (!IsPolymorphicType(get_func_signature(function, &types, &n)))
		return false;
	for (int i = 0; i < n; i++)
		made |= !IsPolymorphicType(types[i]);
	return made;
}

/* Does a node make a value of a type that is not a function's own, by that type's input or checks? */
bool
MakesValue(Node *node)
{
	if (IsA(node, FuncExpr))
		return MakesPolymorphic(((FuncExpr *) node)->funcid);
	if (IsA(node, OpExpr))
		return MakesPolymorphic(get_opcode(((OpExpr *) node)->opno));
	return IsA(node, CoerceToDomain) || IsA(node, CoerceViaIO) || HidesFunctions(node);
}

/* Types, and domains, of values; and what a record among them is made of where that is written */
static bool
AddFilled(Node *node, void *context)
{
	List	  **types = context;

	if (node == NULL)
		return false;
	if (IsA(node, List) || IsA(node, RowExpr) || IsA(node, NamedArgExpr))
		return expression_tree_walker(node, AddFilled, context);
	*types = list_append_unique_oid(*types, exprType(node));
	return false;
}

/*
 * Types of what a node makes values of that its own type doesn't tell of:
 * jsonb_populate_record() of a ROW, and jsonb_populate_record_valid(), which only
 * says whether it could.
 */
List	   *
TypesFilled(Node *node)
{
	Oid			function = InvalidOid;
	bool		fills;
	List	   *types = NIL;

	if (IsA(node, FuncExpr))
		function = ((FuncExpr *) node)->funcid;
	else if (IsA(node, OpExpr))
		function = get_opcode(((OpExpr *) node)->opno);
	if (!OidIsValid(function))
		return NIL;
	fills = exprType(node) == RECORDOID && MakesPolymorphic(function);
#if PG_VERSION_NUM >= 170000
	fills |= function == F_JSONB_POPULATE_RECORD_VALID;
#endif
	if (fills)
		(void) expression_tree_walker(node, AddFilled, &types);
	return types;
}

/* Does a function make text or JSON of values of any type?  Casts of theirs to which type it may run then, or InvalidOid */
static Oid
ShowsAnyType(Oid function)
{
	Oid		   *types;
	int			n;
	Oid			result = get_func_signature(function, &types, &n);

	for (int i = 0; i < n; i++)
		if (get_typtype(types[i]) == TYPTYPE_PSEUDO)
			return result == JSONBOID ? JSONOID : result == TEXTOID || result == JSONOID ? result : InvalidOid;
	return InvalidOid;
}

typedef struct CastSearch
{
	Oid			target;			/* text, or json, which shows the parts of a
								 * value by their casts, too */
	List	   *found;			/* functions */
	List	   *seen;			/* types: one may be made of another many
								 * times over */
} CastSearch;

static void
AddCasts(CastSearch *search, Oid type)
{
	Oid			base = getBaseType(type);
	Oid			function;
	TupleDesc	desc;

	check_stack_depth();
	if (list_member_oid(search->seen, base))
		return;
	search->seen = lappend_oid(search->seen, base);
	if (find_coercion_pathway(search->target, base, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC)
		search->found = list_append_unique_oid(search->found, function);
	if (search->target == TEXTOID)
		return;
	if (OidIsValid(get_element_type(base)))
		AddCasts(search, get_element_type(base));
	if (get_typtype(base) != TYPTYPE_COMPOSITE)
		return;
	desc = lookup_rowtype_tupdesc_copy(base, -1);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			AddCasts(search, TupleDescAttr(desc, i)->atttypid);
}

static void
AddCastsOf(CastSearch *search, List *values)
{
	ListCell   *lc;

	foreach(lc, values)
	{
		Node	   *value = lfirst(lc);

		AddCasts(search, exprType(IsA(value, TargetEntry) ? (Node *) ((TargetEntry *) value)->expr : value));
	}
}

/* A record has no type of its own: what it is made of */
static bool
AddCastsOfRecords(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, RowExpr))
		AddCastsOf(context, ((RowExpr *) node)->args);
	return expression_tree_walker(node, AddCastsOfRecords, context);
}

static bool
IsSql(Oid function, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		is_sql = false;

	if (HeapTupleIsValid(tuple))
	{
		is_sql = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == SQLlanguageId;
		ReleaseSysCache(tuple);
	}
	return is_sql;
}

static bool
CallsSql(Node *node)
{
	return check_functions_in_node(node, IsSql, NULL);
}

/* What a node makes text or JSON of, and which, by "target"; NIL: it makes none */
static List *
ShownValues(Node *node, CastSearch *search)
{
	Oid			function = InvalidOid;
	List	   *values = NIL;

	if (IsA(node, FuncExpr))
	{
		function = ((FuncExpr *) node)->funcid;
		values = ((FuncExpr *) node)->args;
	}
	else if (IsA(node, OpExpr))
	{
		function = get_opcode(((OpExpr *) node)->opno);
		values = ((OpExpr *) node)->args;
	}
	else if (IsA(node, Aggref))
	{
		function = ((Aggref *) node)->aggfnoid;
		values = ((Aggref *) node)->args;
	}
	else if (IsA(node, WindowFunc))
	{
		function = ((WindowFunc *) node)->winfnoid;
		values = ((WindowFunc *) node)->args;
	}
	search->target = OidIsValid(function) ? ShowsAnyType(function) : InvalidOid;
#if PG_VERSION_NUM >= 160000
	if (IsA(node, JsonConstructorExpr))
	{
		search->target = JSONOID;
		values = ((JsonConstructorExpr *) node)->args;
	}
#endif
	return OidIsValid(search->target) ? values : NIL;
}

/*
 * Functions of casts that a node may run, and that no list of its functions has:
 * to_jsonb(), text || anything and the like look for one at run time, or where the
 * planner puts their bodies in their place.
 */
List	   *
HiddenCasts(Node *node)
{
	CastSearch	search = {InvalidOid, NIL, NIL};
	List	   *values = ShownValues(node, &search);

	AddCastsOf(&search, values);
	if (search.target == JSONOID)
		(void) AddCastsOfRecords((Node *) values, &search);
	return search.found;
}

/* Types of values, and of what a record among them is made of where that can be told here */
static bool
AddTypes(Node *node, void *context)
{
	List	  **types = context;

	if (node == NULL)
		return false;
	if (IsA(node, TargetEntry))
		return AddTypes((Node *) ((TargetEntry *) node)->expr, context);
	if (IsA(node, RowExpr) || IsA(node, List))
		return expression_tree_walker(node, AddTypes, context);
	*types = list_append_unique_oid(*types, getBaseType(exprType(node)));
	return false;
}

/*
 * Types, other than domains, of the values whose casts are looked for later than
 * HiddenCasts() may know: when it runs, for JSON; and, for what is stored, by each
 * plan that puts the body of a function in SQL in its place.
 */
List	   *
TypesShownLater(Node *node, bool stored)
{
	CastSearch	search = {InvalidOid, NIL, NIL};
	List	   *values = ShownValues(node, &search);
	List	   *types = NIL;
	ListCell   *lc;

	if (search.target != JSONOID && !(stored && CallsSql(node)))
		return NIL;
	foreach(lc, values)
		(void) AddTypes(lfirst(lc), &types);
	return types;
}
