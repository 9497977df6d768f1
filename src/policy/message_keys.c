/*
 * message_keys.c
 *		The keys of stored messages, without the signals view.
 *
 * Where the view fails for a message before its key is chosen, it can't tell
 * which messages there are, and the tables whose triggers decide by the policy
 * do.  Their keys must be those that the view has: a column of it is followed
 * down to the table, and what the view makes of the table's columns is made of
 * them here.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "funcapi.h"
#include "message_keys.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "parser/parsetree.h"
#include "rights.h"
#include "shards.h"
#include "signals_query.h"
#include "undecided.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"

/* A column of a view on its way down to a table */
typedef struct Trace
{
	Oid			table;
	Oid			owner;			/* of the policy */
	Query	   *query;			/* where its expression is, at the moment */
	bool		others;			/* it needs more than the table's row */
	int			columns;		/* that were followed */
} Trace;

/* A view of views may use a column of the next one twice, and so on. */
#define TRACED_MAX	1000

static Node *TraceNode(Node *node, void *context);

/* The column of the table that a column of this relation is: itself or, of one that it is a part of, by its name */
static AttrNumber
ColumnOfTable(Oid table, Oid relid, AttrNumber attno)
{
	char	   *name;

	if (relid == table)
		return attno;
	if (!get_rel_relispartition(table) || !list_member_oid(get_partition_ancestors(table), relid))
		return InvalidAttrNumber;
	name = get_attname(relid, attno, true);
	return name ? get_attnum(table, name) : InvalidAttrNumber;
}

/* What a query gives as its n-th column */
static Node *
TraceColumn(Query *query, AttrNumber n, Trace *t)
{
	TargetEntry *entry = get_tle_by_resno(query->targetList, n);
	Query	   *outer = t->query;
	Node	   *node;

	if (entry == NULL || query->setOperations)
	{
		t->others = true;
		return NULL;
	}
	t->query = query;
	node = TraceNode((Node *) entry->expr, t);
	t->query = outer;
	return node;
}

/* A column of something that the query reads: of the table's row, by another query, or itself */
static Node *
TraceVar(Var *var, Trace *t)
{
	RangeTblEntry *rte = rt_fetch(var->varno, t->query->rtable);
	Node	   *node = NULL;
	AttrNumber	attno = InvalidAttrNumber;

	CHECK_FOR_INTERRUPTS();
	if (++t->columns > TRACED_MAX)
		 /* as if it were another's */ ;
	else if (var->varattno > 0 && rte->rtekind == RTE_JOIN)
		node = TraceNode(list_nth(rte->joinaliasvars, var->varattno - 1), t);
#if PG_VERSION_NUM >= 180000
	else if (var->varattno > 0 && rte->rtekind == RTE_GROUP)
		node = TraceNode(list_nth(rte->groupexprs, var->varattno - 1), t);
#endif
	else if (var->varattno > 0 && rte->rtekind == RTE_SUBQUERY)
		node = TraceColumn(rte->subquery, var->varattno, t);
	else if (var->varattno > 0 && rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_VIEW)
		node = TraceColumn(CopyViewQuery(rte->relid), var->varattno, t);
	if (node)
		return node;
	if (var->varattno > 0 && rte->rtekind == RTE_RELATION && t->columns <= TRACED_MAX)
		attno = ColumnOfTable(t->table, rte->relid, var->varattno);
	/* Written out, a cast of another's type is looked up anew. */
	t->others |= attno <= 0 || !TypeIsTrusted(t->owner, var->vartype);
	return (Node *) makeVar(1, attno, var->vartype, var->vartypmod, var->varcollid, 0);
}

static Node *
TraceNode(Node *node, void *context)
{
	Trace	   *t = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varlevelsup == 0)
		return TraceVar((Var *) node, t);
	if (IsA(node, Var) || IsA(node, SubLink) || IsA(node, Aggref) || IsA(node, WindowFunc) || IsA(node, GroupingFunc))
	{
		t->others = true;
		return copyObject(node);
	}
	return expression_tree_mutator(node, TraceNode, context);
}

/* Is it a column as it is, but for its type and collation? */
static bool
IsColumn(Node *node)
{
	for (;;)
	{
		if (node && IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (node && IsA(node, CollateExpr))
			node = (Node *) ((CollateExpr *) node)->arg;
		else if (node && IsA(node, CoerceViaIO))
			node = (Node *) ((CoerceViaIO *) node)->arg;
		else if (node && IsA(node, CoerceToDomain))
			node = (Node *) ((CoerceToDomain *) node)->arg;
		else if (node && IsA(node, FuncExpr) && (((FuncExpr *) node)->funcformat == COERCE_EXPLICIT_CAST ||
												 ((FuncExpr *) node)->funcformat == COERCE_IMPLICIT_CAST))
			node = linitial(((FuncExpr *) node)->args);
		else
			return node && IsA(node, Var);
	}
}

/*
 * What the view makes its column of, as an expression of the table's row; NULL
 * where it takes more.  is_column: whatever it is of, it is left as it is.
 */
static Node *
ExpressionOf(Source *s, Oid table, const char *column, bool *is_column)
{
	Trace		t = {.table = table,.owner = s->id->owner};
	Node	   *node;

	*is_column = true;
	if (get_rel_relkind(s->id->signals) != RELKIND_VIEW)
		return NULL;
	node = TraceColumn(CopyViewQuery(s->id->signals), get_attnum(s->id->signals, column), &t);
	*is_column = node == NULL || IsColumn(node);
	if (t.others || node == NULL || expression_returns_set(node))
		return NULL;
	return node;
}

/*
 * The column as the signals view has it, of the table "m"; false where that can't
 * be told.  A column that the view has of another table is taken for the
 * table's own of that name, by which it is joined.
 */
static bool
AddColumnOfView(StringInfo sql, Source *s, Oid table, const char *column, const char *separator)
{
	AttrNumber	of_view = get_attnum(s->id->signals, column);
	bool		is_column;
	Node	   *expression = ExpressionOf(s, table, column, &is_column);
	Oid			type = InvalidOid;
	int32		typmod = -1;
	Oid			collation = InvalidOid;

	if (expression == NULL &&
		(!is_column || get_attnum(table, column) <= 0 || !TypeIsTrusted(s->id->owner, get_atttype(table, get_attnum(table, column)))))
		return false;
	get_atttypetypmodcoll(s->id->signals, of_view, &type, &typmod, &collation);
	appendStringInfoString(sql, separator);
	if (expression)
		appendStringInfo(sql, "(%s)", deparse_expression(expression, deparse_context_for("m", table), true, false));
	else
		appendStringInfo(sql, "m.%s", quote_identifier(column));
	appendStringInfo(sql, "::%s", CastName(type));
	if (OidIsValid(collation))
		appendStringInfo(sql, " COLLATE %s", generate_collation_name(collation));
	appendStringInfo(sql, " AS %s", quote_identifier(column));
	return true;
}

char	   *
MessageKeys(Source *s)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, DecidedTables(s->id))
	{
		Oid			table = lfirst_oid(lc);
		char	   *name = RelationName(table);
		ListCell   *key;

		if (name == NULL)
			continue;
		appendStringInfoString(&sql, sql.len == 0 ? "(SELECT " : " UNION ALL SELECT ");
		foreach(key, s->id->key)
			if (!AddColumnOfView(&sql, s, table, lfirst(key), foreach_current_index(key) > 0 ? ", " : ""))
			return NULL;
		if (s->at_column && !SourceHasKey(s, s->at_column) && !AddColumnOfView(&sql, s, table, s->at_column, ", "))
			return NULL;
		appendStringInfo(&sql, " FROM %s m", name);
	}
	if (sql.len == 0)
		return NULL;
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/*
 * changed_keys(policy, table): key columns that the signals view does not leave
 * as this table, or another, has them
 */
PG_FUNCTION_INFO_V1(assay_changed_keys);
Datum
assay_changed_keys(PG_FUNCTION_ARGS)
{
	Source		s;
	Datum	   *names;
	int			n = 0;
	ListCell   *lc;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	names = palloc(s.nkeys * sizeof(Datum));
	foreach(lc, s.id->key)
	{
		bool		is_column = true;

		if (PolicyMay(s.id, "reader") && OidIsValid(s.id->signals) && get_attnum(s.id->signals, lfirst(lc)) > 0)
			(void) ExpressionOf(&s, PG_GETARG_OID(1), lfirst(lc), &is_column);
		if (!is_column)
			names[n++] = CStringGetTextDatum(lfirst(lc));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
}
