/*
 * hidden_calls.c
 *		What a node of an expression calls, and no list of its functions has.
 *
 * Whoever asks whose code an expression runs walks over the functions that its nodes
 * name.  Some call others besides: input functions and checks of the type of what
 * they make, and casts that are looked for at run time.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "hidden_calls.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
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
} CastSearch;

static void
AddCasts(CastSearch *search, Oid type)
{
	Oid			base = getBaseType(type);
	Oid			function;
	TupleDesc	desc;

	check_stack_depth();
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

/*
 * Functions of casts that a node may run, and that no list of its functions has:
 * to_jsonb(), text || anything and the like look for one at run time, or where the
 * planner puts their bodies in their place.
 */
List	   *
HiddenCasts(Node *node)
{
	CastSearch	search = {InvalidOid, NIL};
	List	   *values = NIL;

	if (IsA(node, FuncExpr))
	{
		search.target = ShowsAnyType(((FuncExpr *) node)->funcid);
		values = ((FuncExpr *) node)->args;
	}
	else if (IsA(node, OpExpr))
	{
		search.target = ShowsAnyType(get_opcode(((OpExpr *) node)->opno));
		values = ((OpExpr *) node)->args;
	}
	else if (IsA(node, Aggref))
	{
		search.target = ShowsAnyType(((Aggref *) node)->aggfnoid);
		values = ((Aggref *) node)->args;
	}
#if PG_VERSION_NUM >= 160000
	else if (IsA(node, JsonConstructorExpr))
	{
		search.target = JSONOID;
		values = ((JsonConstructorExpr *) node)->args;
	}
#endif
	if (!OidIsValid(search.target))
		return NIL;
	AddCastsOf(&search, values);
	if (search.target == JSONOID)
		(void) AddCastsOfRecords((Node *) values, &search);
	return search.found;
}
