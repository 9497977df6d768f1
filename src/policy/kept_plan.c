/*
 * kept_plan.c
 *		Which plans' executor state can be kept between statements.
 *
 * Only what can't tell the difference is (KeptPlanFits):
 *
 *	- nodes of which it is known what they hold between two rows of an outer
 *	  query, and how they let go of it (kept_query.c);
 *
 *	- functions of the server that are not volatile, and immutable ones of ours:
 *	  what these remember by call site they would remember in any longer query.
 *	  Ours that are stable, or look at a stored model, know what they remember to
 *	  hold for a query or a transaction.  They are let in where their call sites
 *	  can be found, which forget it between two runs: in target lists and
 *	  filters, but not within an aggregate, a subplan's arguments, or a cast of an
 *	  array's elements, which have expressions of their own.
 *
 * Settings show in the rows of few plans: those that call what is not immutable,
 * cast to text, or hold rows, for which memory or an index sets limits.  Who runs
 * another need not take back what the session has set.
 *
 * What a node has of the run before, it would go on using when it is only scanned
 * again: a sorted or materialized input, the rows of a function, a hash table, the
 * result of a subplan that depends on nothing of the query.  Within an outer query
 * it is a changed parameter that tells it otherwise.  So such a plan is copied, and
 * all its nodes are said to depend on one more parameter.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "kept_plan.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "policy_cache.h"
#include "security.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* How a function may be called in a plan that is kept */
typedef enum KeptCall
{
	CALL_FITS,
	CALL_FORGETS,				/* its call site is to forget */
	CALL_ODD,					/* not at all */
} KeptCall;

/* What is looked at, and what may be there */
typedef struct Look
{
	KeptPlan   *found;
	bool		forgetful;		/* its call sites can be found */
	bool		sets;			/* functions may return sets */
} Look;

/*
 * Functions
 */

/* A stored model is known by where it is stored, which holds for a transaction. */
static bool
TakesModel(Form_pg_proc form)
{
	for (int i = 0; i < form->pronargs; i++)
		if (form->proargtypes.values[i] >= FirstUnpinnedObjectId &&
			form->proargtypes.values[i] == TypeByName("model"))
			return true;
	return false;
}

static KeptCall
CallOf(Form_pg_proc form, bool sets)
{
	if (form->prosecdef || (form->proretset && !sets))
		return CALL_ODD;
	if (form->prolang == INTERNALlanguageId)
		return form->oid < FirstUnpinnedObjectId && form->provolatile != PROVOLATILE_VOLATILE ? CALL_FITS : CALL_ODD;
	if (form->prolang != ClanguageId || form->proretset || !SchemaIsOurs(form->pronamespace) ||
		form->provolatile == PROVOLATILE_VOLATILE)
		return CALL_ODD;
	return form->provolatile == PROVOLATILE_STABLE || TakesModel(form) ? CALL_FORGETS : CALL_FITS;
}

static KeptCall
FindCall(Oid function, bool sets)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	KeptCall	call;

	if (!HeapTupleIsValid(tuple))
		return CALL_ODD;
	call = heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL) ? CallOf((Form_pg_proc) GETSTRUCT(tuple), sets) : CALL_ODD;
	ReleaseSysCache(tuple);
	return call;
}

bool
KeptPlanForgets(Oid function)
{
	return function >= FirstUnpinnedObjectId && FindCall(function, false) == CALL_FORGETS;
}

/* Is a function that a node calls one that does not fit there? */
static bool
IsOddFunction(Oid function, void *context)
{
	Look	   *look = context;
	KeptCall	call = FindCall(function, look->sets);

	if (func_volatile(function) != PROVOLATILE_IMMUTABLE)
		look->found->settings |= SettingsOfStable(function);
	if (call == CALL_FORGETS && look->forgetful)
	{
		look->found->forgetful++;
		return false;
	}
	return call != CALL_FITS;
}

/*
 * Does a function of the server's make rows of a user's type?  It may keep the
 * type's columns, as jsonb_populate_record() does, and nothing tells of those.
 */
static bool
MakesRows(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;

	if (!IsA(node, FuncExpr) || call->funcid >= FirstUnpinnedObjectId)
		return false;
#if PG_VERSION_NUM >= 170000
	/* It makes them to see whether that can be done. */
	if (call->funcid == F_JSONB_POPULATE_RECORD_VALID)
		return true;
#endif
	return type_is_rowtype(call->funcresulttype);
}

/* Operators of the server's, by which rows are sorted, grouped or hashed */
static bool
OperatorsFit(const Oid *operators, int n)
{
	for (int i = 0; i < n; i++)
		if (operators[i] >= FirstUnpinnedObjectId)
			return false;
	return true;
}

/* How values of a type are compared for the least of them, or their parts are taken, is told by the type alone. */
static bool
TypeFits(Node *node)
{
	Oid			function = IsA(node, MinMaxExpr) ?
	lookup_type_cache(((MinMaxExpr *) node)->minmaxtype, TYPECACHE_CMP_PROC)->cmp_proc :
	get_typsubscript(((SubscriptingRef *) node)->refcontainertype, NULL);

	return OidIsValid(function) && function < FirstUnpinnedObjectId;
}

/*
 * Expressions
 */

static bool IsOdd(Node *node, void *context);

/* What is within has an expression of its own, whose call sites are not looked for. */
static bool
IsOddWithin(Node *node, Look *look)
{
	Look		within = {look->found, false, false};

	return expression_tree_walker(node, IsOdd, &within);
}

static bool
IsOddOperator(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) && ((OpExpr *) node)->opno >= FirstUnpinnedObjectId)
		return true;
	return expression_tree_walker(node, IsOddOperator, context);
}

/* Its plan is looked at with the others.  One that is hashed has functions that are not in its expressions. */
static bool
IsOddSubPlan(SubPlan * plan, Look *look)
{
	if (plan->subLinkType == CTE_SUBLINK || plan->subLinkType == MULTIEXPR_SUBLINK || plan->subLinkType == ROWCOMPARE_SUBLINK ||
		(plan->useHashTable && IsOddOperator(plan->testexpr, NULL)))
		return true;
	return IsOddWithin((Node *) plan, look);
}

/* Is there anything in an expression that is not known to fit? */
static bool
IsOdd(Node *node, void *context)
{
	Look	   *look = context;
	Look		inner = {look->found, look->forgetful, false};

	if (node == NULL)
		return false;
	if (check_functions_in_node(node, IsOddFunction, look) || MakesRows(node))
		return true;
	look->found->settings |= IsA(node, SQLValueFunction) ? SETTINGS_ALL : SettingsOfNode(node);
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
			return expression_tree_walker(node, IsOdd, look);
		case T_Var:
		case T_Const:
		case T_Param:
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_BoolExpr:
		case T_NullTest:
		case T_BooleanTest:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_CoalesceExpr:
		case T_CaseExpr:
		case T_CaseWhen:
		case T_CaseTestExpr:
		case T_ArrayExpr:
		case T_FieldSelect:
		case T_SQLValueFunction:
			return expression_tree_walker(node, IsOdd, &inner);
		case T_MinMaxExpr:
		case T_SubscriptingRef:
			return !TypeFits(node) || expression_tree_walker(node, IsOdd, &inner);
		case T_NestLoopParam:
			return IsOdd((Node *) ((NestLoopParam *) node)->paramval, &inner);
		case T_ArrayCoerceExpr:
		case T_Aggref:
			return IsOddWithin(node, look);
		case T_SortGroupClause:
			return !OperatorsFit(&((SortGroupClause *) node)->eqop, 1) || !OperatorsFit(&((SortGroupClause *) node)->sortop, 1);
		case T_SubPlan:
			return IsOddSubPlan((SubPlan *) node, look);
		default:
			return true;
	}
}

static bool
ExprFits(void *expr, KeptPlan *found)
{
	Look		look = {found, false, false};

	return !IsOdd(expr, &look);
}

/* The same for what its node evaluates by its projection, or as its filter */
static bool
ListFits(List *list, KeptPlan *found)
{
	Look		look = {found, true, false};

	return !IsOdd((Node *) list, &look);
}

/* The same for what may return sets */
static bool
SetsFit(void *expr, KeptPlan *found)
{
	Look		look = {found, false, true};

	return !IsOdd(expr, &look);
}

/*
 * Nodes
 */

static bool PlanFits(Plan * plan, KeptPlan *found);

static bool
PlansFit(List *plans, KeptPlan *found)
{
	ListCell   *lc;

	foreach(lc, plans)
		if (!PlanFits(lfirst(lc), found))
		return false;
	return true;
}

static bool
AggFits(Agg * agg)
{
	return agg->aggstrategy != AGG_MIXED && agg->aggsplit == AGGSPLIT_SIMPLE && agg->groupingSets == NIL &&
		agg->chain == NIL && OperatorsFit(agg->grpOperators, agg->numCols);
}

static bool
FunctionsFit(List *functions, KeptPlan *found)
{
	ListCell   *lc;

	foreach(lc, functions)
	{
		RangeTblFunction *f = lfirst_node(RangeTblFunction, lc);

		if (f->funccoltypes != NIL || !SetsFit(f->funcexpr, found))
			return false;
	}
	return true;
}

static bool
IsPruned(Append * append)
{
#if PG_VERSION_NUM >= 180000
	return append->part_prune_index >= 0;
#else
	return append->part_prune_info != NULL;
#endif
}

/* A node that scans a relation */
static bool
ScanFits(Plan * plan, KeptPlan *found)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
			return true;
		case T_IndexScan:
			return ((IndexScan *) plan)->indexorderby == NIL && ExprFits(((IndexScan *) plan)->indexqual, found) &&
				ExprFits(((IndexScan *) plan)->indexqualorig, found);
		case T_IndexOnlyScan:
			return ((IndexOnlyScan *) plan)->indexorderby == NIL && ExprFits(((IndexOnlyScan *) plan)->indexqual, found) &&
				ExprFits(((IndexOnlyScan *) plan)->recheckqual, found);
		case T_BitmapIndexScan:
			return ExprFits(((BitmapIndexScan *) plan)->indexqual, found);
		case T_BitmapHeapScan:
			return ExprFits(((BitmapHeapScan *) plan)->bitmapqualorig, found);
		default:
			return false;
	}
}

/* Its own parts, which are not those of every node */
static bool
NodeFits(Plan * plan, KeptPlan *found)
{
	switch (nodeTag(plan))
	{
		case T_Result:
			return ExprFits(((Result *) plan)->resconstantqual, found);
		case T_NestLoop:
			return ExprFits(((NestLoop *) plan)->join.joinqual, found) && ExprFits(((NestLoop *) plan)->nestParams, found);
		case T_Limit:
			return ((Limit *) plan)->limitOption == LIMIT_OPTION_COUNT &&
				ExprFits(((Limit *) plan)->limitOffset, found) && ExprFits(((Limit *) plan)->limitCount, found);
		case T_SubqueryScan:
			return PlanFits(((SubqueryScan *) plan)->subplan, found);
		case T_ProjectSet:
		case T_Material:
			return true;
		case T_FunctionScan:
			return FunctionsFit(((FunctionScan *) plan)->functions, found);
		case T_ValuesScan:
			return ExprFits(((ValuesScan *) plan)->values_lists, found);
		case T_Append:
			/* Which parts are left out may be settled when it starts. */
			return !IsPruned((Append *) plan) && ((Append *) plan)->nasyncplans == 0 &&
				PlansFit(((Append *) plan)->appendplans, found);
		case T_BitmapAnd:
			return PlansFit(((BitmapAnd *) plan)->bitmapplans, found);
		case T_BitmapOr:
			return PlansFit(((BitmapOr *) plan)->bitmapplans, found);
		case T_Sort:
			return OperatorsFit(((Sort *) plan)->sortOperators, ((Sort *) plan)->numCols);
		case T_Unique:
			return OperatorsFit(((Unique *) plan)->uniqOperators, ((Unique *) plan)->numCols);
		case T_Agg:
			return AggFits((Agg *) plan);
		default:
			return ScanFits(plan, found);
	}
}

/* Does it, scanned again, begin anew, whatever it did before? */
static bool
BeginsAnew(Plan * plan)
{
	switch (nodeTag(plan))
	{
		case T_Result:
		case T_NestLoop:
		case T_Limit:
		case T_SubqueryScan:
		case T_IndexScan:
		case T_SeqScan:
			return true;
		default:
			return false;
	}
}

/* Memory says in which order some nodes have their rows; a GIN index's search has a limit. */
static void
NoteRows(KeptPlan *found)
{
	found->keeps_rows = true;
	found->settings |= SETTINGS_ROWS;
}

/* The list of a node that makes sets is not evaluated by a projection. */
static bool
TargetListFits(Plan * plan, KeptPlan *found)
{
	return IsA(plan, ProjectSet) ? SetsFit(plan->targetlist, found) : ListFits(plan->targetlist, found);
}

static bool
PlanFits(Plan * plan, KeptPlan *found)
{
	if (plan == NULL)
		return true;
	check_stack_depth();
	if (plan->parallel_aware || !ExprFits(plan->initPlan, found) || !TargetListFits(plan, found) ||
		!ListFits(plan->qual, found) || !NodeFits(plan, found))
		return false;
	if (IsA(plan, SeqScan))
		found->settings |= SETTINGS_ROWS;
	if (plan->initPlan != NIL || !BeginsAnew(plan))
		NoteRows(found);
	return PlanFits(outerPlan(plan), found) && PlanFits(innerPlan(plan), found);
}

/* Can the executor's state for a plan be kept? */
bool
KeptPlanFits(CachedPlanSource * source, CachedPlan * plan, KeptPlan *found)
{
	PlannedStmt *stmt;

	memset(found, 0, sizeof(KeptPlan));
	if (list_length(plan->stmt_list) != 1 || source->dependsOnRLS || plan->dependsOnRole ||
		plan != source->gplan || !plan->is_saved || TransactionIdIsValid(plan->saved_xmin))
		return false;
	stmt = linitial_node(PlannedStmt, plan->stmt_list);
	if (stmt->subplans != NIL)
		NoteRows(found);
	return stmt->commandType == CMD_SELECT && !stmt->hasModifyingCTE && stmt->rowMarks == NIL &&
		!stmt->parallelModeNeeded && stmt->jitFlags == 0 && stmt->utilityStmt == NULL &&
		PlanFits(stmt->planTree, found) && PlansFit(stmt->subplans, found);
}

/*
 * The parameter that all depends on
 */

static void AddParam(Plan * plan, int param);

static void
AddParamToAll(List *plans, int param)
{
	ListCell   *lc;

	foreach(lc, plans)
		AddParam(lfirst(lc), param);
}

static void
AddParam(Plan * plan, int param)
{
	ListCell   *lc;

	if (plan == NULL)
		return;
	check_stack_depth();
	plan->extParam = bms_add_member(plan->extParam, param);
	plan->allParam = bms_add_member(plan->allParam, param);
	if (IsA(plan, SubqueryScan))
		AddParam(((SubqueryScan *) plan)->subplan, param);
	else if (IsA(plan, Append))
		AddParamToAll(((Append *) plan)->appendplans, param);
	else if (IsA(plan, BitmapAnd))
		AddParamToAll(((BitmapAnd *) plan)->bitmapplans, param);
	else if (IsA(plan, BitmapOr))
		AddParamToAll(((BitmapOr *) plan)->bitmapplans, param);
	else if (IsA(plan, Agg))
		((Agg *) plan)->aggParams = bms_add_member(((Agg *) plan)->aggParams, param);
	else if (IsA(plan, FunctionScan))
		foreach(lc, ((FunctionScan *) plan)->functions)
	{
		RangeTblFunction *f = lfirst_node(RangeTblFunction, lc);

		f->funcparams = bms_add_member(f->funcparams, param);
	}
	AddParam(outerPlan(plan), param);
	AddParam(innerPlan(plan), param);
}

PlannedStmt *
KeptPlanCopy(PlannedStmt *stmt, int *param)
{
	PlannedStmt *copy = copyObject(stmt);

	*param = list_length(copy->paramExecTypes);
	AddParam(copy->planTree, *param);
	AddParamToAll(copy->subplans, *param);
	return copy;
}
