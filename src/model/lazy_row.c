/*
 * lazy_row.c
 *		Rows of SQL whose columns are read where they are, without a tuple.
 *
 * A whole row in f(model, row) is a composite value: the executor deforms the
 * stored tuple, fetches all that is out of line, forms another tuple, and f
 * deforms that.  The planner's support function record_support() spares it: it
 * replaces the row by its columns,
 *
 *	f(model, t)	 ->	 f(model, lazy_row(NULL, '{a,b,…}', t.a, t.b, …))
 *
 * A call has at most FUNC_MAX_ARGS arguments, so lazy_row() continues what
 * another one begins: lazy_row(lazy_row(NULL, …), names, columns…).
 *
 * lazy_row() returns an expanded object (see utils/expandeddatum.h) that points
 * to the arguments of its own calls.  They stay where they are from row to
 * row, so that f looks its columns up once.  The object is no composite value:
 * only a C function that asks DatumGetLazyRow() may have this support.	 It is
 * good until the arguments are evaluated anew.	 That is enough because
 * lazy_row() is an argument of the very function that reads it: it can't be
 * called from SQL (it wants an "internal"), and the planner neither evaluates
 * ahead nor moves a function that returns a record.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "parser/parse_relation.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "lazy_row.h"

/* Arguments of lazy_row() before the columns */
#define LAZY_ROW_FIRST		2
#define LAZY_ROW_COLUMNS	(FUNC_MAX_ARGS - LAZY_ROW_FIRST)

/*
 * Columns stand alone in the tuples between plan nodes, which have at most
 * MaxTupleAttributeNumber of them; a query with more keeps its whole rows.
 */
#define LAZY_ROW_MAX_COLUMNS	1000

/* ---- execution -------------------------------------------------------------- */

/* What a call site of lazy_row() keeps */
typedef struct LazyRowCall
{
	LazyRow		row;			/* first */
	const LazyRow *before;		/* the row that it continues, or NULL */
	uint64		before_serial;
	const NullableDatum *args;	/* of this call */
	MemoryContext context;		/* of row's desc and cells */
} LazyRowCall;

/* Nothing copies a row on its way from lazy_row() to the function */
static Size
FlatSize(ExpandedObjectHeader *header)
{
	elog(ERROR, "lazy row was given to what can't read it");
	return 0;
}

static void
FlattenInto(ExpandedObjectHeader *header, void *result, Size size)
{
	(void) FlatSize(header);
}

static const ExpandedObjectMethods lazy_row_methods = {FlatSize, FlattenInto};

const LazyRow *
DatumGetLazyRow(Datum value)
{
	ExpandedObjectHeader *header;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value)))
		return NULL;
	header = DatumGetEOHP(value);
	return header->eoh_methods == &lazy_row_methods ? (LazyRow *) header : NULL;
}

/* Columns from the row that this one continues and from the arguments */
static void
DescribeRow(FunctionCallInfo fcinfo, LazyRowCall *call)
{
	static uint64 last_serial = 0;
	FmgrInfo   *flinfo = fcinfo->flinfo;
	const LazyRow *before = call->before;
	int			nbefore = before == NULL ? 0 : before->desc->natts;
	int			n = PG_NARGS() - LAZY_ROW_FIRST;
	const NullableDatum **cells;
	MemoryContext old;
	Datum	   *names;
	int			nnames;

	call->row.serial = 0;
	call->args = NULL;
	MemoryContextReset(call->context);
	old = MemoryContextSwitchTo(call->context);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, NULL, &nnames);
	if (nnames != n)
		elog(ERROR, "lazy_row has %d columns, but %d names", n, nnames);
	call->row.desc = CreateTemplateTupleDesc(nbefore + n);
	cells = palloc((nbefore + n) * sizeof(NullableDatum *));
	for (int i = 0; i < nbefore; i++)
	{
		TupleDescCopyEntry(call->row.desc, i + 1, before->desc, i + 1);
		cells[i] = before->cells[i];
	}
	for (int i = 0; i < n; i++)
	{
		TupleDescInitEntry(call->row.desc, nbefore + i + 1,
						   TextDatumGetCString(names[i]),
						   get_fn_expr_argtype(flinfo, LAZY_ROW_FIRST + i),
						   -1, 0);
		cells[nbefore + i] = &fcinfo->args[LAZY_ROW_FIRST + i];
	}
	call->row.cells = cells;
	MemoryContextSwitchTo(old);
	call->before_serial = before == NULL ? 0 : before->serial;
	call->args = fcinfo->args;
	call->row.serial = ++last_serial;
}

PG_FUNCTION_INFO_V1(lazy_row);
Datum
lazy_row(PG_FUNCTION_ARGS)
{
	LazyRowCall *call = fcinfo->flinfo->fn_extra;
	const LazyRow *before = NULL;

	if (!PG_ARGISNULL(0))
	{
		before = DatumGetLazyRow(PG_GETARG_DATUM(0));
		if (before == NULL)
			elog(ERROR, "lazy_row can only continue another lazy_row");
	}
	if (call == NULL)
	{
		MemoryContext context = fcinfo->flinfo->fn_mcxt;

		call = MemoryContextAllocZero(context, sizeof(LazyRowCall));
		EOH_init_header(&call->row.header, &lazy_row_methods, context);
		call->context = AllocSetContextCreate(context, "pg_assay lazy row",
											  ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = call;
	}
	if (call->args != fcinfo->args || call->before != before ||
		(before != NULL && call->before_serial != before->serial))
	{
		call->before = before;
		DescribeRow(fcinfo, call);
	}
	return EOHPGetRODatum(&call->row.header);
}

/* ---- planning ---------------------------------------------------------------- */

#if PG_VERSION_NUM < 160000
/* Is a relation of the range table on the nullable side of an outer join? */
static bool
IsNullable(Node *node, int relation, bool nullable)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblRef))
		return nullable && ((RangeTblRef *) node)->rtindex == relation;
	if (IsA(node, FromExpr))
	{
		ListCell   *cell;

		foreach(cell, ((FromExpr *) node)->fromlist)
			if (IsNullable(lfirst(cell), relation, nullable))
			return true;
		return false;
	}
	if (IsA(node, JoinExpr))
	{
		JoinExpr   *join = (JoinExpr *) node;
		JoinType	type = join->jointype;

		return IsNullable(join->larg, relation, nullable ||
						  type == JOIN_RIGHT || type == JOIN_FULL) ||
			IsNullable(join->rarg, relation, nullable ||
					   type == JOIN_LEFT || type == JOIN_FULL ||
					   type == JOIN_ANTI);
	}
	return true;
}
#endif

/*
 * A row that is grouped by is there as a whole above the grouping, but its
 * columns aren't.
 */
static bool
GroupsByRow(Query *query)
{
	ListCell   *cell;

	foreach(cell, query->targetList)
	{
		TargetEntry *entry = lfirst(cell);
		ListCell   *clause;

		foreach(clause, query->groupClause)
			if (((SortGroupClause *) lfirst(clause))->tleSortGroupRef ==
				entry->ressortgroupref &&
				type_is_rowtype(exprType((Node *) entry->expr)))
			return true;
	}
	return false;
}

/*
 * Columns of a whole-row variable and their names in its row type; NIL when it
 * could be NULL as a whole, or is nothing that we know.
 */
static List *
ColumnsOfVar(PlannerInfo *root, Var *var, List **names)
{
	Query	   *query = root->parse;
	RangeTblEntry *rte;
	List	   *columns = NIL;
	int			total = 0;
	ListCell   *cell;

	if (var->varattno != InvalidAttrNumber || var->varlevelsup != 0)
		return NIL;
#if PG_VERSION_NUM >= 160000
	if (!bms_is_empty(var->varnullingrels))
		return NIL;
#else
	if (IsNullable((Node *) query->jointree, var->varno, false))
		return NIL;
#endif
#if PG_VERSION_NUM >= 180000
	if (var->varreturningtype != VAR_RETURNING_DEFAULT)
		return NIL;
#endif
	if (var->varno < 1 || var->varno > list_length(query->rtable))
		return NIL;
	rte = list_nth(query->rtable, var->varno - 1);
	if (rte->rtekind != RTE_RELATION && rte->rtekind != RTE_SUBQUERY &&
		rte->rtekind != RTE_CTE)
		return NIL;
	foreach(cell, query->rtable)
		total += list_length(((RangeTblEntry *) lfirst(cell))->eref->colnames);
	if (total > LAZY_ROW_MAX_COLUMNS)
		return NIL;
#if PG_VERSION_NUM >= 180000
	expandRTE(rte, var->varno, 0, VAR_RETURNING_DEFAULT, var->location,
			  var->vartype != RECORDOID, names, &columns);
#else
	expandRTE(rte, var->varno, 0, var->location,
			  var->vartype != RECORDOID, names, &columns);
#endif
	return columns;
}

/*
 * The columns that make up a row, without those that are dropped, and their
 * names; NIL when the row has to stay whole.
 */
static List *
ColumnsOfRow(PlannerInfo *root, Node *row, List **names)
{
	Oid			type = exprType(row);
	List	   *columns = NIL;
	List	   *columns_left = NIL;
	List	   *names_left = NIL;
	TupleDesc	desc;

	if (IsA(row, Var))
		columns = ColumnsOfVar(root, (Var *) row, names);
	else if (IsA(row, RowExpr))
	{
		columns = ((RowExpr *) row)->args;
		*names = ((RowExpr *) row)->colnames;
	}
	if (columns == NIL || expression_returns_set((Node *) columns))
		return NIL;
	if (type == RECORDOID)
		return list_length(*names) == list_length(columns) ? columns : NIL;

	/* Aliases don't change the names within a row of a named type. */
	desc = lookup_rowtype_tupdesc_noerror(type, -1, true);
	if (desc != NULL && desc->natts == list_length(columns))
	{
		for (int i = 0; i < desc->natts; i++)
		{
			Form_pg_attribute attribute = TupleDescAttr(desc, i);

			if (attribute->attisdropped)
				continue;
			names_left = lappend(names_left,
								 makeString(pstrdup(NameStr(attribute->attname))));
			columns_left = lappend(columns_left, list_nth(columns, i));
		}
		*names = names_left;
		/* A cached plan has these names as long as they are the type's. */
		root->glob->relationOids = lappend_oid(root->glob->relationOids,
											   get_typ_typrelid(desc->tdtypeid));
	}
	if (desc != NULL)
		ReleaseTupleDesc(desc);
	return columns_left;
}

static Const *
MakeNames(List *names, int from, int n)
{
	Datum	   *datums = palloc(n * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = CStringGetTextDatum(strVal(list_nth(names, from + i)));
	return makeConst(TEXTARRAYOID, -1, DEFAULT_COLLATION_OID, -1,
					 PointerGetDatum(construct_array(datums, n, TEXTOID, -1,
													 false, TYPALIGN_INT)),
					 false, false);
}

/*
 * lazy_row() in the schema of its support function, which may be closed to the
 * user, who reads a view.
 */
static Oid
LazyRowFunction(Oid beside)
{
	Oid			types[] = {INTERNALOID, TEXTARRAYOID, ANYOID};
	Oid			function;

	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							   CStringGetDatum("lazy_row"),
							   PointerGetDatum(buildoidvector(types, lengthof(types))),
							   ObjectIdGetDatum(get_func_namespace(beside)));
	if (!OidIsValid(function))
		return InvalidOid;
#if PG_VERSION_NUM >= 160000
	if (object_aclcheck(ProcedureRelationId, function, GetUserId(),
						ACL_EXECUTE) != ACLCHECK_OK)
#else
	if (pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
#endif
		return InvalidOid;
	return function;
}

/* f(model, row) with its columns instead of the row, or NULL */
static Node *
WithColumns(PlannerInfo *root, FuncExpr *call, Oid support)
{
	List	   *names = NIL;
	List	   *columns;
	Expr	   *row;
	FuncExpr   *result;
	Oid			function;
	int			n;

	/*
	 * A constant model may make an expression that is indexed, which must
	 * stay as it is to be recognised.  An expression that is planned by
	 * itself has no query.
	 */
	if (root == NULL || root->parse == NULL || list_length(call->args) < 2 ||
		IsA(linitial(call->args), Const) ||
		root->parse->commandType == CMD_MERGE || GroupsByRow(root->parse))
		return NULL;
	columns = ColumnsOfRow(root, lsecond(call->args), &names);
	if (columns == NIL)
		return NULL;
	function = LazyRowFunction(support);
	if (!OidIsValid(function))
		return NULL;
	row = (Expr *) makeNullConst(INTERNALOID, -1, InvalidOid);
	for (int from = 0; from < list_length(columns); from += n)
	{
		List	   *args;

		n = Min(LAZY_ROW_COLUMNS, list_length(columns) - from);
		args = list_make2(row, MakeNames(names, from, n));
		for (int i = 0; i < n; i++)
			args = lappend(args, list_nth(columns, from + i));
		row = (Expr *) makeFuncExpr(function, RECORDOID, args, InvalidOid,
									InvalidOid, COERCE_EXPLICIT_CALL);
	}
	result = makeNode(FuncExpr);
	*result = *call;
	result->args = list_copy(call->args);
	lsecond(result->args) = row;
	return (Node *) result;
}

/* Support of a C function that reads the record in its second argument lazily */
PG_FUNCTION_INFO_V1(record_support);
Datum
record_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestSimplify))
		result = WithColumns(((SupportRequestSimplify *) request)->root,
							 ((SupportRequestSimplify *) request)->fcall,
							 fcinfo->flinfo->fn_oid);
	PG_RETURN_POINTER(result);
}
