/*
 * written.c
 *		What another than a policy's owner may write in a condition.
 *
 * It runs as the owner.  What it calls by name is looked at function by function.
 * But a type brings code along that no name tells of: checks of what it is made of,
 * defaults, casts that are looked for at run time.  So what is written makes values
 * of plain types only, PostgreSQL's and extensions', and signals of other types are
 * compared, or given to what takes just their type; nothing else is done with them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "hidden_calls.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "written.h"

static bool LookAt(Node *node, void *writer);

/*
 * PostgreSQL's own functions that are not immutable tell of the server and its
 * catalogues what anybody may know, but for these: settings that are hidden from
 * some, what goes on in sessions of the role that asks (pg_stat_get_...), and where
 * the session comes from that writes a message.
 */
static bool
TellsOfOwner(Oid func)
{
	char	   *name = get_func_name(func);

#if PG_VERSION_NUM >= 160000
	if (func == F_SYSTEM_USER)
		return true;
#endif
	return func == F_CURRENT_SETTING_TEXT || func == F_CURRENT_SETTING_TEXT_BOOL ||
		func == F_INET_CLIENT_ADDR || func == F_INET_CLIENT_PORT ||
		(name != NULL && strncmp(name, "pg_stat_", strlen("pg_stat_")) == 0);
}

/* With its schema: the search_path is the policy's, and not of whoever is told. */
static const char *
Signature(Oid func)
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(func, &types, &n);
	return func_signature_string(list_make2(makeString(get_namespace_name(get_func_namespace(func))), makeString(get_func_name(func))),
								 n, NIL, types);
}

/* What the writer could call, too, and nothing that could read for him what the owner may */
static bool
CheckCall(Oid func, void *writer)
{
#if PG_VERSION_NUM >= 160000
	AclResult	result = object_aclcheck(ProcedureRelationId, func, *(Oid *) writer, ACL_EXECUTE);
#else
	AclResult	result = pg_proc_aclcheck(func, *(Oid *) writer, ACL_EXECUTE);
#endif

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(func));
	if (func_volatile(func) != PROVOLATILE_IMMUTABLE &&
		(func >= FirstUnpinnedObjectId || TellsOfOwner(func)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s is for the policy's owner to use in a condition", Signature(func)),
				 errdetail("It is not immutable: with the owner's rights it may read what is not yours to read."),
				 errhint("The owner may use it, or compute a signal by it.")));
	return false;
}

/* What the planner puts where a call leaves arguments out */
static void
CheckDefaults(const FuncExpr *call, void *writer)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	Datum		defaults;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		return;
	defaults = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &isnull);
	if (!isnull && list_length(call->args) < ((Form_pg_proc) GETSTRUCT(tuple))->pronargs)
		(void) LookAt(stringToNode(TextDatumGetCString(defaults)), writer);
	ReleaseSysCache(tuple);
}

/* Is a type of an extension, as a superuser made it? */
static bool
IsOfExtension(Oid type, const FormData_pg_type *form)
{
	return superuser_arg(form->typowner) && OidIsValid(getExtensionOfObject(TypeRelationId, type));
}

static bool IsPlainType(Oid type);

static bool
HasPlainColumns(Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	bool		plain = true;

	for (int i = 0; i < desc->natts && plain; i++)
		plain = TupleDescAttr(desc, i)->attisdropped || IsPlainType(TupleDescAttr(desc, i)->atttypid);
	ReleaseTupleDesc(desc);
	return plain;
}

/* Does a type bring no code but PostgreSQL's and an extension's? */
static bool
IsPlainType(Oid type)
{
	HeapTuple	tuple;
	FormData_pg_type form;

	check_stack_depth();
	if (type == UNKNOWNOID)
		return true;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = *(Form_pg_type) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	if (form.typtype == TYPTYPE_PSEUDO || form.typtype == TYPTYPE_DOMAIN)
		return false;
	if (type < FirstUnpinnedObjectId)
		return true;
	if (OidIsValid(get_element_type(type)))
		return IsPlainType(form.typelem);
	if (form.typtype == TYPTYPE_MULTIRANGE)
		return IsPlainType(get_multirange_range(type));
	if (!IsOfExtension(type, &form))
		return false;
	if (form.typtype == TYPTYPE_RANGE)
		return IsPlainType(get_range_subtype(type));
	return form.typtype != TYPTYPE_COMPOSITE || HasPlainColumns(type);
}

/*
 * Is a value made without calling what belongs to its type?  An enum has casts only,
 * and CheckUse() gives it to nothing that looks for them.  A record is of what is
 * written, or what a function says that it makes, not one that it fills.
 */
static bool
IsMadePlainly(Node *node)
{
	Oid			type = exprType(node);
	Oid			item = get_element_type(type);

	if (type == RECORDOID)
		return IsA(node, RowExpr) || (IsA(node, FuncExpr) && get_func_rettype(((FuncExpr *) node)->funcid) == RECORDOID);
	return get_typtype(OidIsValid(item) ? item : type) == TYPTYPE_ENUM || IsPlainType(type);
}

/* A value that anything may be done with.  A record is what its columns are. */
static bool
IsPlainValue(Node *node)
{
	Oid			type = exprType(node);

	return type == RECORDOID ? IsA(node, RowExpr) : IsPlainType(type);
}

/* What passes a value on that it was given, or a part of it */
static bool
PassesOn(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_CaseTestExpr:
		case T_CaseExpr:
		case T_CoalesceExpr:
		case T_MinMaxExpr:
		case T_NullIfExpr:
		case T_FieldSelect:
		case T_SubscriptingRef:
		case T_CollateExpr:
		case T_NamedArgExpr:
			return true;
		default:
			return false;
	}
}

/* What has a value by its parts only, if any: ERROR ON ERROR has none, DEFAULT one of the type that is made */
static bool
IsNoValue(Node *node)
{
#if PG_VERSION_NUM >= 170000
	if (IsA(node, JsonBehavior))
		return true;
#endif
	return IsA(node, List) || IsA(node, CaseWhen);
}

static bool
RefuseOther(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, List))
		return expression_tree_walker(node, RefuseOther, context);
	if (IsNoValue(node))
		return false;
	if (!IsPlainValue(node))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("values of type %s can only be compared in a condition that is not the policy's owner's",
						format_type_be_qualified(exprType(node))),
				 errdetail("Whatever else takes them may run the type's casts with the rights of the policy's owner."),
				 errhint("Compare it, or cast it to text first; the owner may use it, or compute a signal by it.")));
	return false;
}

/* Is it an operator that an index is searched by?  A superuser alone says so of one. */
static bool
IsSearchOperator(Oid operator)
{
	CatCList   *families = SearchSysCacheList2(AMOPOPID, ObjectIdGetDatum(operator), CharGetDatum(AMOP_SEARCH));
	bool		found = families->n_members > 0;

	ReleaseSysCacheList(families);
	return found;
}

/* Does it compare values as their types say?  So does PostgreSQL's own negation of such a one. */
static bool
Compares(Oid operator)
{
	return IsSearchOperator(operator) || (operator < FirstUnpinnedObjectId && IsSearchOperator(get_negator(operator)));
}

/* Is a value of just the type that is declared?  A record may be of anything. */
static bool
IsOf(Node *value, Oid declared)
{
	return exprType(value) == declared && declared != RECORDOID;
}

/* Is it made for values of just these types?  One that stands before its value has no left one. */
static bool
IsMadeFor(const OpExpr *expr)
{
	Oid			types[2];
	int			first = lengthof(types) - list_length(expr->args);
	ListCell   *lc;

	op_input_types(expr->opno, &types[0], &types[1]);
	foreach(lc, expr->args)
	{
		if (!IsPlainValue(lfirst(lc)) && !IsOf(lfirst(lc), types[first + foreach_current_index(lc)]))
			return false;
	}
	return true;
}

/* Does a function do no more with values of any type than to count, to compare and to pass them on? */
static bool
ShowsNothing(Oid function)
{
	Oid		   *types;
	int			n;
	Oid			result = get_func_signature(function, &types, &n);

	/* One that is given anything else may make values of that. */
	for (int i = 0; i < n; i++)
		if (!IsPolymorphicType(types[i]) && types[i] != ANYOID && types[i] != INT4OID && types[i] != INT8OID)
			return false;
	return function < FirstUnpinnedObjectId &&
		(result == INT4OID || result == INT8OID || result == BOOLOID || IsPolymorphicType(result));
}

/* An argument is of a plain type or of that which the function was made for. */
static void
CheckArguments(const FuncExpr *call)
{
	Oid		   *types;
	int			n;
	ListCell   *lc;

	if (ShowsNothing(call->funcid))
		return;
	(void) get_func_signature(call->funcid, &types, &n);
	foreach(lc, call->args)
	{
		Node	   *arg = lfirst(lc);
		int			number = IsA(arg, NamedArgExpr) ? ((NamedArgExpr *) arg)->argnumber : foreach_current_index(lc);

		if (number >= n || !IsOf(arg, types[number]))
			(void) RefuseOther(IsA(arg, NamedArgExpr) ? (Node *) ((NamedArgExpr *) arg)->arg : arg, NULL);
	}
}

/* What a node does with the values that it is given */
static void
CheckUse(Node *node)
{
	switch (nodeTag(node))
	{
		case T_NullTest:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_RowCompareExpr:
		case T_ArrayExpr:
			break;
		case T_FuncExpr:
			CheckArguments((FuncExpr *) node);
			break;
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			if (!Compares(((OpExpr *) node)->opno) && !IsMadeFor((OpExpr *) node))
				(void) expression_tree_walker(node, RefuseOther, NULL);
			break;
		case T_ScalarArrayOpExpr:
			if (!Compares(((ScalarArrayOpExpr *) node)->opno))
				(void) expression_tree_walker(node, RefuseOther, NULL);
			break;
		default:
			if (!PassesOn(node))
				(void) expression_tree_walker(node, RefuseOther, NULL);
			break;
	}
}

static void
RefuseMade(Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("a value of type %s is for the policy's owner to make in a condition", format_type_be_qualified(type)),
			 errdetail("What belongs to the type would run with the rights of the policy's owner."),
			 errhint("Compare the type that it is made of; the owner may use it, or compute a signal by it.")));
}

/* Before the planner has put functions' bodies, and what is constant, in the place of calls */
static bool
LookAt(Node *node, void *writer)
{
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (IsNoValue(node))
		return expression_tree_walker(node, LookAt, writer);
	(void) check_functions_in_node(node, CheckCall, writer);
	foreach(lc, HiddenCasts(node))
		(void) CheckCall(lfirst_oid(lc), writer);
	foreach(lc, LinkedOperators(OperatorOfNode(node)))
	{
		if (OidIsValid(get_opcode(lfirst_oid(lc))))
			(void) CheckCall(get_opcode(lfirst_oid(lc)), writer);
	}
	if (IsA(node, FuncExpr))
		CheckDefaults((FuncExpr *) node, writer);
	CheckUse(node);
	if (!PassesOn(node) && !IsMadePlainly(node))
		RefuseMade(exprType(node));
	foreach(lc, TypesFilled(node))
	{
		if (!IsPlainType(lfirst_oid(lc)))
			RefuseMade(lfirst_oid(lc));
	}
	return expression_tree_walker(node, LookAt, writer);
}

/* An error unless "writer", who may not act as the policy's owner, may have it run as that */
void
CheckWritten(Node *expr, Oid writer)
{
	(void) LookAt(expr, &writer);
}
