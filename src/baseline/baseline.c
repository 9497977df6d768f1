/*
 * baseline.c
 *		What keeping baselines needs beyond SQL: running as a baseline's owner,
 *		and telling whether a text is one SQL expression.
 *
 * The statements themselves are built in baseline_keep.sql.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * Owner of a relation; an error when the caller may not act for that role.
 */
static Oid
OwnerForUpkeep(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (!has_privs_of_role(GetUserId(), owner))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
	return owner;
}

/*
 * baseline_apply_as_owner(relation, key): assay.baseline_apply() as the owner
 * of the table, whoever of his role calls.
 *
 * The source may be a view, and it and the expressions of extra columns may
 * call functions of the owner's.  As with REFRESH MATERIALIZED VIEW, they must
 * not run with the rights of a caller who has more.
 */
PG_FUNCTION_INFO_V1(baseline_apply_as_owner);
Datum
baseline_apply_as_owner(PG_FUNCTION_ARGS)
{
	static const char *command = "SELECT assay.baseline_apply($1, $2)";
	Oid			types[2] = {REGCLASSOID, TEXTARRAYOID};
	Datum		args[2];
	char		nulls[3] = "  ";
	Oid			caller;
	int			sec_context;
	int			guc_level;
	Oid			owner;

	if (PG_ARGISNULL(0))
		PG_RETURN_VOID();
	args[0] = PG_GETARG_DATUM(0);
	if (PG_ARGISNULL(1))
		nulls[1] = 'n';
	else
		args[1] = PG_GETARG_DATUM(1);

	owner = OwnerForUpkeep(PG_GETARG_OID(0));
	GetUserIdAndSecContext(&caller, &sec_context);
	SetUserIdAndSecContext(owner, sec_context | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();

	/* On an error the transaction's abort restores user and settings. */
	SPI_connect();
	if (SPI_execute_with_args(command, 2, types, args, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not apply what is new to a baseline");
	SPI_finish();

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(caller, sec_context);
	PG_RETURN_VOID();
}

/*
 * Is this statement nothing but SELECT and one nameless expression?
 */
static bool
IsOneExpression(List *parsetree)
{
	SelectStmt *s;
	ResTarget  *target;

	if (list_length(parsetree) != 1)
		return false;
	s = (SelectStmt *) linitial_node(RawStmt, parsetree)->stmt;
	if (!IsA(s, SelectStmt) || s->op != SETOP_NONE || s->distinctClause != NIL ||
		s->intoClause != NULL || list_length(s->targetList) != 1 ||
		s->fromClause != NIL || s->whereClause != NULL || s->groupClause != NIL ||
		s->havingClause != NULL || s->windowClause != NIL || s->valuesLists != NIL ||
		s->sortClause != NIL || s->limitOffset != NULL || s->limitCount != NULL ||
		s->lockingClause != NIL || s->withClause != NULL)
		return false;
	target = linitial_node(ResTarget, s->targetList);
	if (target->name != NULL || target->indirection != NIL)
		return false;
	/* table.* would be several */
	return !(IsA(target->val, ColumnRef) &&
			 IsA(llast(((ColumnRef *) target->val)->fields), A_Star));
}

/*
 * is_expression(text): may the text stand where SQL wants one expression?
 * Text that the lexer or grammar doesn't take raises their own error.
 */
PG_FUNCTION_INFO_V1(baseline_is_expression);
Datum
baseline_is_expression(PG_FUNCTION_ARGS)
{
	char	   *expression = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(IsOneExpression(raw_parser(expression, RAW_PARSE_PLPGSQL_EXPR)));
}
