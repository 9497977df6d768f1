/*
 * baseline.c
 *		What keeping baselines needs beyond SQL: running as a baseline's owner,
 *		writing their registry, which is nobody's, and telling whether a text
 *		is one SQL expression.
 *
 * The statements themselves are built in baseline_keep.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/builtins.h"

#include "owner.h"

/*
 * baseline_apply_as_owner(relation, key): assay_internal.baseline_apply() as the owner
 * of the table, whoever of his role calls.
 */
PG_FUNCTION_INFO_V1(baseline_apply_as_owner);
Datum
baseline_apply_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement apply = {"baseline", "SELECT assay_internal.baseline_apply($1, $2)", false, 2, {REGCLASSOID, TEXTARRAYOID}};

	if (PG_ARGISNULL(0))
		PG_RETURN_VOID();
	return OwnerCall(fcinfo, &apply);
}

/*
 * baseline_count_as_owner(relation, started): assay_internal.baseline_count() likewise.
 */
PG_FUNCTION_INFO_V1(baseline_count_as_owner);
Datum
baseline_count_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement count = {"baseline", "SELECT assay_internal.baseline_count($1, $2)", false, 2, {REGCLASSOID, TIMESTAMPTZOID}};

	return OwnerCall(fcinfo, &count);
}

/*
 * baseline_check_view_as_owner(relation): assay_internal.check_trusted_view() likewise.
 */
PG_FUNCTION_INFO_V1(baseline_check_view_as_owner);
Datum
baseline_check_view_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement check = {"baseline", "SELECT assay_internal.check_trusted_view($1, 'baseline')", false, 1, {REGCLASSOID}};

	return OwnerCall(fcinfo, &check);
}

/*
 * baseline_forget_as_owner(relation, columns): assay_internal.baseline_forget() likewise.
 */
PG_FUNCTION_INFO_V1(baseline_forget_as_owner);
Datum
baseline_forget_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement forget = {"baseline", "SELECT assay_internal.baseline_forget($1, $2)", false, 2, {REGCLASSOID, JSONBOID}};

	return OwnerCall(fcinfo, &forget);
}

/*
 * baseline_given(relation): what the sequence of the source of a baseline of
 * the caller's gave last; NULL without one.
 */
PG_FUNCTION_INFO_V1(baseline_given);
Datum
baseline_given(PG_FUNCTION_ARGS)
{
	bool		isnull;
	Datum		number = OwnerReadRow(PG_GETARG_OID(0), "baseline", "SELECT assay_internal.baseline_given_number($1)", &isnull);

	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(number);
}

/*
 * baseline_locked(relation): the registry's row of a relation of the caller's,
 * locked for whoever changes the baseline; NULL without one.
 */
PG_FUNCTION_INFO_V1(baseline_locked);
Datum
baseline_locked(PG_FUNCTION_ARGS)
{
	bool		isnull;
	Datum		row = OwnerReadRow(PG_GETARG_OID(0), "baseline", "SELECT assay_internal.baseline_lock_row($1)", &isnull);

	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(row);
}

/*
 * baseline_row(relation, entry): the registry's row of a relation of the
 * caller's comes, changes or, without an entry, goes.
 */
PG_FUNCTION_INFO_V1(baseline_row);
Datum
baseline_row(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		OwnerWriteRow(PG_GETARG_OID(0), "baseline", "SELECT assay_internal.baseline_write_row($1, $2)", &fcinfo->args[1]);
	PG_RETURN_VOID();
}

/*
 * The expression, if this statement is nothing but SELECT and one nameless
 * expression; else NULL
 */
static Node *
OneExpression(List *parsetree)
{
	SelectStmt *s;
	ResTarget  *target;

	if (list_length(parsetree) != 1)
		return NULL;
	s = (SelectStmt *) linitial_node(RawStmt, parsetree)->stmt;
	if (!IsA(s, SelectStmt) || s->op != SETOP_NONE || s->distinctClause != NIL ||
		s->intoClause != NULL || list_length(s->targetList) != 1 ||
		s->fromClause != NIL || s->whereClause != NULL || s->groupClause != NIL ||
		s->havingClause != NULL || s->windowClause != NIL || s->valuesLists != NIL ||
		s->sortClause != NIL || s->limitOffset != NULL || s->limitCount != NULL ||
		s->lockingClause != NIL || s->withClause != NULL)
		return NULL;
	target = linitial_node(ResTarget, s->targetList);
	if (target->name != NULL || target->indirection != NIL)
		return NULL;
	/* table.* would be several */
	if (IsA(target->val, ColumnRef) && IsA(llast(((ColumnRef *) target->val)->fields), A_Star))
		return NULL;
	return target->val;
}

/*
 * baseline_is_expression(text): may the text stand where SQL wants one expression?
 * Text that the lexer or grammar doesn't take raises their own error.
 */
PG_FUNCTION_INFO_V1(baseline_is_expression);
Datum
baseline_is_expression(PG_FUNCTION_ARGS)
{
	char	   *expression = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(OneExpression(raw_parser(expression, RAW_PARSE_PLPGSQL_EXPR)) != NULL);
}

/*
 * baseline_is_call(text): is it one call of a function, which says neither FILTER nor
 * OVER?
 */
PG_FUNCTION_INFO_V1(baseline_is_call);
Datum
baseline_is_call(PG_FUNCTION_ARGS)
{
	char	   *expression = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Node	   *call = OneExpression(raw_parser(expression, RAW_PARSE_PLPGSQL_EXPR));

	PG_RETURN_BOOL(call != NULL && IsA(call, FuncCall) &&
				   ((FuncCall *) call)->agg_filter == NULL && ((FuncCall *) call)->over == NULL);
}
