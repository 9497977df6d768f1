/*
 * new_rows.c
 *		The signals of new messages from the rows themselves.
 *
 * A statement-level trigger has the new rows at hand (its transition table), so
 * that the signals view need not look them up in the message table again.  Its
 * query is written out with the message table replaced by the row, which is a
 * WITH query; everything else that it reads (baselines, lists, the message
 * table itself a second time, for history) stays what it was.
 *
 * That is done only where the result is the same:
 *
 *	- by what the view is (FindNewRows): each row of it comes from one row of
 *	  the message table, whose unique key it shows; nothing asks for what the
 *	  row at hand has not (system columns, virtual columns, its type, how a
 *	  value is stored); and no rights, policies or barriers lie between;
 *
 *	- by what happened (RowsAreAsInserted): nothing has changed the rows since
 *	  they were inserted, as an earlier trigger may.
 *
 * The text must mean what the tree did: names are qualified, and what it was
 * parsed to calls the same functions and reads the same relations.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "characters.h"
#include "compat.h"
#include "decision_table.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "new_rows.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "parser/parsetree.h"
#include "pgstat.h"
#include "rewrite/rewriteHandler.h"
#include "security.h"
#include "signals_query.h"
#include "sorted_rows.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Bytes of a value that is fetched before anything asks for it */
#define FETCHED_MAX		(1024 * 1024)

static bool new_rows = true;

void
NewRowsInit(void)
{
	DefineCustomBoolVariable("assay.new_rows",
							 "Takes the signals of new messages from the rows themselves where that is the same.",
							 "Off: each message is read from its table again. Results are the same; for measuring and for doubt.",
							 &new_rows, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

bool
NewRowsWanted(void)
{
	return new_rows;
}

/*
 * What happened since
 */

/*
 * Has this transaction never updated or deleted a row of the table?  Its own
 * counters tell, which every update of a heap goes through.
 */
static bool
NothingWasChanged(Relation rel)
{
	PgStat_TableXactStatus *trans;

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relhassubclass ||
		rel->rd_tableam != GetHeapamTableAmRoutine() || !pgstat_track_counts ||
		!rel->pgstat_enabled || rel->pgstat_info == NULL || rel->pgstat_info->trans == NULL)
		return false;
	for (trans = rel->pgstat_info->trans; trans; trans = trans->upper)
		if (trans->tuples_updated > 0 || trans->tuples_deleted > 0 || trans->truncdropped)
			return false;
	return rel->pgstat_info->trans->tuples_inserted > 0;
}

/*
 * Are the rows of a statement-level trigger still what the statement inserted?
 * So they are when no command has begun since the statement, since only a
 * later one would see them.  To be asked before the trigger runs anything.
 */
bool
RowsAreAsInserted(Relation rel)
{
	if (ActiveSnapshotSet() && GetActiveSnapshot()->curcid == GetCurrentCommandId(false))
		return true;
	return NothingWasChanged(rel);
}

/*
 * The view's query
 */

/* Where the message table is in it */
typedef struct Search
{
	NewRows    *found;
	PolicyIdentity *id;
	Relation	rel;
	Query	   *home;			/* the query that reads it */
	Index		at;				/* in its range table; 0: not found yet */
} Search;

/* Does each row of a query come from one row of each relation that it joins? */
static bool
IsRowWise(Query *query)
{
	return query->commandType == CMD_SELECT && query->utilityStmt == NULL &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->distinctClause == NIL && query->windowClause == NIL && query->setOperations == NULL &&
		query->limitCount == NULL && query->limitOffset == NULL && query->rowMarks == NIL &&
		!query->hasAggs && !query->hasWindowFuncs && !query->hasTargetSRFs &&
		!query->hasModifyingCTE;
}

/* Names of a relation's columns, as a range table entry has them */
static List *
ColumnNames(TupleDesc desc)
{
	List	   *names = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		names = lappend(names, makeString(att->attisdropped ? pstrdup("") : pstrdup(NameStr(att->attname))));
	}
	return names;
}

/* Names of what a query gives */
List	   *
TargetNames(Query *query)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst(lc);

		if (!entry->resjunk)
			names = lappend(names, makeString(entry->resname));
	}
	return names;
}

/*
 * The entry stands for something else by the same name.  Columns that came since
 * the query was made are left out: the joins over it know nothing of them.
 */
void
Become(RangeTblEntry * rte, RTEKind kind, List *columns)
{
	rte->rtekind = kind;
	rte->relid = InvalidOid;
	rte->relkind = 0;
	rte->rellockmode = 0;
	rte->inh = false;
#if PG_VERSION_NUM >= 160000
	rte->perminfoindex = 0;
#endif
	rte->eref = makeAlias(rte->eref->aliasname, list_truncate(columns, list_length(rte->eref->colnames)));
	rte->alias = makeAlias(rte->eref->aliasname, NIL);
}

/*
 * The query of a view, with its columns' present names; NULL where it is not to
 * be written out: what it reads would be read with other rights.
 */
Query	   *
ViewQuery(NewRows *n, PolicyIdentity *id, Oid relid)
{
	Relation	view = table_open(relid, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(view);
	Query	   *query = NULL;
	ListCell   *lc;

	n->relations = list_append_unique_oid(n->relations, relid);
	if (view->rd_rel->relkind != RELKIND_VIEW)
		n->why_not = "the signals do not come from a view over the message table";
	else if (RelationIsSecurityView(view))
		n->why_not = "a view is a security barrier";
	else if (!(view->rd_rel->relowner == id->owner || RelationHasSecurityInvoker(view)) ||
			 pg_class_aclcheck(relid, id->owner, ACL_SELECT) != ACLCHECK_OK)
		n->why_not = "a view reads with the rights of another role";
	else
		query = copyObject(get_view_query(view));
	if (query)
		foreach(lc, query->targetList)
	{
		TargetEntry *entry = lfirst(lc);

		if (!entry->resjunk && entry->resno <= desc->natts)
			entry->resname = pstrdup(NameStr(TupleDescAttr(desc, entry->resno - 1)->attname));
	}
	table_close(view, NoLock);
	return query;
}

/* Column "attno" of the query as a column of what it reads, or NULL */
static Var *
PlainColumn(Query *query, AttrNumber attno)
{
	TargetEntry *entry = get_tle_by_resno(query->targetList, attno);
	Node	   *expr = entry ? (Node *) entry->expr : NULL;

	while (expr && IsA(expr, Var) && ((Var *) expr)->varlevelsup == 0 && ((Var *) expr)->varattno > 0)
	{
		Var		   *var = (Var *) expr;
		RangeTblEntry *rte = rt_fetch(var->varno, query->rtable);

		if (rte->rtekind != RTE_JOIN)
			return var;
		expr = list_nth(rte->joinaliasvars, var->varattno - 1);
	}
	return NULL;
}

/* The query behind an entry, written out where it is a view; or NULL */
static Query *
QueryBehind(Search *s, Query *query, RangeTblEntry * rte)
{
	ListCell   *lc;

	if (rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_VIEW)
	{
		rte->subquery = ViewQuery(s->found, s->id, rte->relid);
		if (rte->subquery == NULL)
			return NULL;
		rte->security_barrier = false;
		Become(rte, RTE_SUBQUERY, TargetNames(rte->subquery));
		return rte->subquery;
	}
	if (rte->rtekind == RTE_SUBQUERY)
		return rte->subquery;
	if (rte->rtekind == RTE_CTE && rte->ctelevelsup == 0)
		foreach(lc, query->cteList)
	{
		CommonTableExpr *cte = lfirst(lc);

		if (strcmp(cte->ctename, rte->ctename) == 0 && cte->cterefcount == 1 && !cte->cterecursive)
			return (Query *) cte->ctequery;
	}
	return NULL;
}

/* Follow a key's column from the view down to the message table. */
static bool
FollowKey(Search *s, Query *query, AttrNumber attno, const char *key)
{
	for (;;)
	{
		Var		   *var = PlainColumn(query, attno);
		RangeTblEntry *rte = var ? rt_fetch(var->varno, query->rtable) : NULL;

		if (!IsRowWise(query))
			s->found->why_not = "the view makes its rows of several messages";
		else if (var == NULL)
			s->found->why_not = "a key column of the view is not the message table's own";
		if (s->found->why_not)
			return false;
		if (rte->rtekind == RTE_RELATION && rte->relid == RelationGetRelid(s->rel))
		{
			char	   *attname = get_attname(rte->relid, var->varattno, true);

			if ((s->at != 0 && (s->home != query || s->at != var->varno)) ||
				attname == NULL || strcmp(attname, key) != 0)
				s->found->why_not = "a key column of the view is not the message table's own";
			s->home = query;
			s->at = var->varno;
			return s->found->why_not == NULL;
		}
		query = QueryBehind(s, query, rte);
		if (query == NULL)
		{
			if (s->found->why_not == NULL)
				s->found->why_not = "the signals do not come from a view over the message table";
			return false;
		}
		attno = var->varattno;
	}
}

/*
 * What the row at hand can't answer
 */

typedef struct OddUse
{
	Search	   *search;
	int			level;			/* of queries within the home */
} OddUse;

/*
 * The whole row, a system column: of the message table, or of a join with it.
 * Notes the columns that are used by themselves.
 */
static bool
IsOddUse(Node *node, OddUse *use)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		if (var->varlevelsup == use->level && var->varno == use->search->at && var->varattno > 0)
			use->search->found->used = bms_add_member(use->search->found->used, var->varattno);
		return var->varlevelsup == use->level && var->varattno <= 0 &&
			(var->varno == use->search->at ||
			 rt_fetch(var->varno, use->search->home->rtable)->rtekind == RTE_JOIN);
	}
	if (IsA(node, Query))
	{
		bool		odd;

		use->level++;
		odd = query_tree_walker((Query *) node, IsOddUse, use, QTW_IGNORE_JOINALIASES);
		use->level--;
		return odd;
	}
	return expression_tree_walker(node, IsOddUse, use);
}

/* Does an expression ask how a value is stored?  A WITH query of our name? */
static bool
AsksForStorage(Node *node, void *unused)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr))
		switch (((FuncExpr *) node)->funcid)
		{
			case F_PG_COLUMN_SIZE:
			case F_PG_COLUMN_COMPRESSION:
#ifdef F_PG_COLUMN_TOAST_CHUNK_ID
			case F_PG_COLUMN_TOAST_CHUNK_ID:
#endif
				return true;
			default:
				break;
		}
	if (IsA(node, CommonTableExpr) && strcmp(((CommonTableExpr *) node)->ctename, NEW_MESSAGE_NAME) == 0)
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, AsksForStorage, unused, QTW_IGNORE_JOINALIASES);
	return expression_tree_walker(node, AsksForStorage, unused);
}

/* Is there the whole row of a view?  Once that is written out, the row is of no type of its own. */
static bool
UsesRowOf(Node *node, List *views)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var) && ((Var *) node)->varattno == InvalidAttrNumber)
		return list_member_oid(views, get_typ_typrelid(((Var *) node)->vartype));
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, UsesRowOf, views, QTW_IGNORE_JOINALIASES);
	return expression_tree_walker(node, UsesRowOf, views);
}

#if PG_VERSION_NUM >= 180000
static bool
HasVirtualColumns(TupleDesc desc)
{
	return desc->constr && desc->constr->has_generated_virtual;
}
#else
#define HasVirtualColumns(desc) false
#endif

#if PG_VERSION_NUM < 160000
/*
 * A partition may generate what is a plain column of its parent.  No partition is
 * locked: another that comes changes the table that it is attached to.
 */
static bool
PartitionsGenerate(NewRows *n, Oid relid)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(relid, NoLock, NULL))
	{
		Oid			partition = lfirst_oid(lc);
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(partition));
		int			natts = 0;

		if (HeapTupleIsValid(tuple))
		{
			natts = ((Form_pg_class) GETSTRUCT(tuple))->relnatts;
			ReleaseSysCache(tuple);
		}
		if (get_rel_relkind(partition) == RELKIND_PARTITIONED_TABLE)
			n->relations = list_append_unique_oid(n->relations, partition);
		for (AttrNumber i = 1; i <= natts; i++)
			if (get_attgenerated(partition, i))
				return true;
	}
	return false;
}
#else
#define PartitionsGenerate(n, relid) false
#endif

/*
 * A row for a partition whose columns are in another order is captured as it was
 * before that: what the partition's columns are generated as is not in it.
 */
static bool
HasGeneratedColumns(NewRows *n, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	return rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
		((desc->constr && desc->constr->has_generated_stored) || PartitionsGenerate(n, RelationGetRelid(rel)));
}

/* Why the table's rows may not be what a query of the table gives, or NULL */
static const char *
OddTable(Search *s)
{
	RangeTblEntry *rte = rt_fetch(s->at, s->home->rtable);
	Form_pg_class form = s->rel->rd_rel;
	OddUse		use = {s, 0};

	if (form->relrowsecurity)
		return "the message table has row-level security";
	if (form->relkind != RELKIND_PARTITIONED_TABLE &&
		(form->relkind != RELKIND_RELATION || form->relhassubclass))
		return "the message table is inherited from, or is of another kind";
	if (rte->tablesample || (!rte->inh && form->relkind == RELKIND_PARTITIONED_TABLE))
		return "the view reads a part of the message table";
	if (HasVirtualColumns(RelationGetDescr(s->rel)))
		return "the message table has virtual columns";
	if (HasGeneratedColumns(s->found, s->rel))
		return "the message table is partitioned and has generated columns";
	if (pg_class_aclcheck(RelationGetRelid(s->rel), s->id->owner, ACL_SELECT) != ACLCHECK_OK)
		return "the policy's owner may not read the whole message table";
	if (query_tree_walker(s->home, IsOddUse, &use, QTW_IGNORE_JOINALIASES))
		return "the view uses the whole row of a message, or a system column";
	return NULL;
}

/* The same for the key; NULL: it is one, of the decisions' types */
static const char *
OddKey(Search *s, const Oid *key_types)
{
	ListCell   *lc;

	if (!IsUniqueBy(s->rel, s->id->key))
		return "the message table has no unique index on the key";
	foreach(lc, s->id->key)
	{
		AttrNumber	attno = get_attnum(RelationGetRelid(s->rel), lfirst(lc));

		if (attno <= 0 || get_atttype(RelationGetRelid(s->rel), attno) != key_types[foreach_current_index(lc)])
			return "the key has another type in the decision table";
	}
	return NULL;
}

/*
 * What is had faster of the row at hand
 */

/* How often lookups go by each column of the message */
typedef struct Lookups
{
	Search	   *search;
	int			level;			/* of queries within the home */
	int		   *by;				/* by attribute number */
} Lookups;

/* An argument as a column of the message: its number; 0: it is another column, -1: none */
static int
MessageColumn(Node *arg, Lookups *lookups)
{
	Var		   *var;

	while (IsA(arg, RelabelType))
		arg = (Node *) ((RelabelType *) arg)->arg;
	if (!IsA(arg, Var))
		return -1;
	var = (Var *) arg;
	return var->varlevelsup == lookups->level && var->varno == lookups->search->at ? Max(var->varattno, 0) : 0;
}

/* The column that an equality compares with one of another table, or 0 */
static int
ComparedColumn(OpExpr *op, Lookups *lookups)
{
	int			left = MessageColumn(linitial(op->args), lookups);
	int			right = MessageColumn(lsecond(op->args), lookups);

	if (Min(left, right) != 0 || !op_mergejoinable(op->opno, exprType(linitial(op->args))))
		return 0;
	return Max(left, right);
}

static bool
IsAsOf(Oid function)
{
	return SchemaIsOurs(get_func_namespace(function)) && strcmp(get_func_name(function), "as_of") == 0;
}

/* Count where the message's columns are looked up in other tables. */
static bool
CountLookups(Node *node, Lookups *lookups)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		lookups->level++;
		(void) query_tree_walker((Query *) node, CountLookups, lookups, QTW_IGNORE_JOINALIASES);
		lookups->level--;
		return false;
	}
	if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
		lookups->by[ComparedColumn((OpExpr *) node, lookups)]++;
	/* of as_of(baseline, time, key ...) the key */
	if (IsA(node, FuncExpr) && IsAsOf(((FuncExpr *) node)->funcid))
		for (int i = 2; i < list_length(((FuncExpr *) node)->args); i++)
			lookups->by[Max(MessageColumn(list_nth(((FuncExpr *) node)->args, i), lookups), 0)]++;
	return expression_tree_walker(node, CountLookups, lookups);
}

/* The column by which most of them go; 0: none */
static AttrNumber
MostLookedUp(Search *s)
{
	TupleDesc	desc = RelationGetDescr(s->rel);
	Lookups		lookups = {s, 0, palloc0((desc->natts + 1) * sizeof(int))};
	AttrNumber	most = 0;

	(void) query_tree_walker(s->home, CountLookups, &lookups, QTW_IGNORE_JOINALIASES);
	lookups.by[0] = 0;
	for (AttrNumber i = 1; i <= desc->natts; i++)
		if (lookups.by[i] > lookups.by[most] && SortsBy(TupleDescAttr(desc, i - 1)))
			most = i;
	return most;
}

/* Where the lengths of a message's columns are counted */
typedef struct Counting
{
	Search	   *search;
	int			level;			/* of queries within the home */
	Oid			function;		/* in the place of length() */
} Counting;

/* Is an argument a column of the message, which no index is about then? */
static bool
IsOfMessage(Node *arg, Counting *counting)
{
	while (IsA(arg, RelabelType))
		arg = (Node *) ((RelabelType *) arg)->arg;
	return IsA(arg, Var) && ((Var *) arg)->varlevelsup == counting->level &&
		((Var *) arg)->varno == counting->search->at;
}

/* Let the characters of a message's columns be counted by our own function. */
static bool
CountCharacters(Node *node, Counting *counting)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		counting->level++;
		(void) query_tree_walker((Query *) node, CountCharacters, counting, QTW_IGNORE_JOINALIASES);
		counting->level--;
		return false;
	}
	if (IsA(node, FuncExpr))
	{
		FuncExpr   *call = (FuncExpr *) node;

		if ((call->funcid == F_LENGTH_TEXT || call->funcid == F_CHAR_LENGTH_TEXT ||
			 call->funcid == F_CHARACTER_LENGTH_TEXT) && IsOfMessage(linitial(call->args), counting))
		{
			call->funcid = counting->function;
			call->funcformat = COERCE_EXPLICIT_CALL;
		}
	}
	return expression_tree_walker(node, CountCharacters, counting);
}

/*
 * Does the text mean the same?
 */

/* Functions, operators, types of results and relations, in the tree's order */
static bool
CollectMeaning(Node *node, List **oids)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_FuncExpr:
			*oids = lappend_oid(*oids, ((FuncExpr *) node)->funcid);
			break;
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			*oids = lappend_oid(*oids, ((OpExpr *) node)->opno);
			break;
		case T_ScalarArrayOpExpr:
			*oids = lappend_oid(*oids, ((ScalarArrayOpExpr *) node)->opno);
			break;
		case T_RowCompareExpr:
			*oids = list_concat(*oids, ((RowCompareExpr *) node)->opnos);
			break;
		case T_Aggref:
			*oids = lappend_oid(*oids, ((Aggref *) node)->aggfnoid);
			break;
		case T_WindowFunc:
			*oids = lappend_oid(*oids, ((WindowFunc *) node)->winfnoid);
			break;
		case T_SortGroupClause:
			*oids = lappend_oid(*oids, ((SortGroupClause *) node)->sortop);
			*oids = lappend_oid(*oids, ((SortGroupClause *) node)->eqop);
			break;
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CoerceToDomain:
		case T_RowExpr:
		case T_MinMaxExpr:
			*oids = lappend_oid(*oids, exprType(node));
			break;
		case T_CollateExpr:
			*oids = lappend_oid(*oids, ((CollateExpr *) node)->collOid);
			break;
		case T_RangeTblEntry:
			if (((RangeTblEntry *) node)->rtekind == RTE_RELATION && ((RangeTblEntry *) node)->inFromCl)
				*oids = lappend_oid(*oids, ((RangeTblEntry *) node)->relid);
			return false;		/* the walker comes to what is in it */
		case T_Query:
			return query_tree_walker((Query *) node, CollectMeaning, oids,
									 QTW_IGNORE_JOINALIASES | QTW_EXAMINE_RTES_BEFORE | QTW_EXAMINE_SORTGROUP);
		default:
			break;
	}
	return expression_tree_walker(node, CollectMeaning, oids);
}

/* SELECT NULL::type AS "column", ...: a row of the message table without values */
static void
AddEmptyRow(StringInfo sql, TupleDesc desc)
{
	const char *before = "SELECT ";

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		appendStringInfo(sql, "%sNULL::%s AS %s", before, CastName(att->atttypid),
						 quote_identifier(NameStr(att->attname)));
		before = ", ";
	}
}

/*
 * Is the text parsed to what the query is?  desc: of the message table, where
 * its place is in it.
 */
bool
MeansTheSame(const char *text_form, Query *query, TupleDesc desc)
{
	StringInfoData sql;
	RawStmt    *raw;
	Query	   *parsed;
	RangeTblEntry *rte;
	List	   *was = NIL;
	List	   *is = NIL;

	initStringInfo(&sql);
	if (desc)
	{
		appendStringInfoString(&sql, "WITH \"" NEW_MESSAGE_NAME "\" AS (");
		AddEmptyRow(&sql, desc);
		appendStringInfoString(&sql, ") ");
	}
	appendStringInfo(&sql, "SELECT * FROM (%s) v", text_form);
	raw = linitial_node(RawStmt, raw_parser(sql.data, RAW_PARSE_DEFAULT));
	parsed = parse_analyze_fixedparams(raw, sql.data, NULL, 0, NULL);
	rte = linitial(parsed->rtable);
	if (rte->rtekind != RTE_SUBQUERY)
		return false;
	(void) CollectMeaning((Node *) query, &was);
	(void) CollectMeaning((Node *) rte->subquery, &is);
	list_sort(was, list_oid_cmp);
	list_sort(is, list_oid_cmp);
	return equal(was, is);
}

/*
 * Find out whether the signals of rows new in "rel" can be had from the rows
 * themselves.  The policy's owner is entered.
 */
void
FindNewRows(NewRows *n, PolicyIdentity *id, const Oid *key_types, Relation rel)
{
	Search		s = {n, id, rel, NULL, 0};
	Counting	counting = {&s, 0, CharactersFunction(id->owner)};
	Query	   *query;
	RangeTblEntry *rte;
	Security	qualified;
	ListCell   *lc;

	memset(n, 0, sizeof(NewRows));
	query = id->signals_query ? copyObject(id->signals_query) : ViewQuery(n, id, id->signals);
	foreach(lc, id->key)
		if (n->why_not == NULL)
		(void) FollowKey(&s, query, get_attnum(id->signals, lfirst(lc)), lfirst(lc));
	if (n->why_not == NULL)
		n->why_not = OddTable(&s);
	if (n->why_not == NULL)
		n->why_not = OddKey(&s, key_types);
	if (n->why_not == NULL && query_tree_walker(query, AsksForStorage, NULL, QTW_IGNORE_JOINALIASES))
		n->why_not = "the view asks how a value is stored, or has a WITH query of our name";
	if (n->why_not == NULL && query_tree_walker(query, UsesRowOf, n->relations, QTW_IGNORE_JOINALIASES))
		n->why_not = "the view uses the whole row of another view";
	if (n->why_not)
		return;

	rte = rt_fetch(s.at, s.home->rtable);
	Become(rte, RTE_CTE, ColumnNames(RelationGetDescr(rel)));
	rte->ctename = NEW_MESSAGE_NAME;
	n->looked_up = MostLookedUp(&s);
	if (OidIsValid(counting.function) && GetDatabaseEncoding() == PG_UTF8)
		(void) query_tree_walker(s.home, CountCharacters, &counting, QTW_IGNORE_JOINALIASES);
	/* Nothing but pg_catalog is in the path, so that names are qualified. */
	EnterOwner(&qualified, id->owner, "pg_catalog, pg_temp");
	n->query = pg_get_querydef(query, false);
	LeaveSecurity(&qualified);
	if (!MeansTheSame(n->query, query, RelationGetDescr(rel)))
		n->why_not = "the view's query cannot be written out exactly";
}

/*
 * The queries, of whose rows see signals_query.h
 */

/* WITH "(message)" AS (SELECT ...): its columns are table.column, or parameters */
static void
AddMessage(StringInfo sql, TupleDesc desc, const char *table)
{
	int			n = 0;

	appendStringInfoString(sql, "WITH \"" NEW_MESSAGE_NAME "\" AS NOT MATERIALIZED (SELECT ");
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *column = quote_identifier(NameStr(att->attname));

		if (att->attisdropped)
			continue;
		appendStringInfoString(sql, n++ > 0 ? ", " : "");
		if (table)
			appendStringInfo(sql, "%s.%s", table, column);
		else
		{
			appendStringInfo(sql, "$%d::%s", n,
							 format_type_extended(att->atttypid, att->atttypmod,
												  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
			if (OidIsValid(att->attcollation) && att->attcollation != get_typcollation(att->atttypid))
				appendStringInfo(sql, " COLLATE %s", generate_collation_name(att->attcollation));
			appendStringInfo(sql, " AS %s", column);
		}
	}
	appendStringInfoString(sql, ") ");
}

/* v.*, true AS "(found)" FROM (the view's query) v WHERE v."key" = ... */
static void
AddSignals(StringInfo sql, NewRows *n, PolicyIdentity *id, const char *table, const int *params, const Oid *types)
{
	ListCell   *lc;

	appendStringInfo(sql, "v.*, true AS \"(found)\" FROM (%s) v WHERE ", n->query);
	foreach(lc, id->key)
	{
		int			i = foreach_current_index(lc);

		appendStringInfo(sql, "%sv.%s %s ", i > 0 ? " AND " : "", quote_identifier(lfirst(lc)),
						 ViewKeyEquality(id, lfirst(lc), types[i]));
		if (table)
			appendStringInfo(sql, "%s.%s::%s", table, quote_identifier(lfirst(lc)), CastName(types[i]));
		else
			appendStringInfo(sql, "$%d::%s", params[i], CastName(types[i]));
	}
}

/* The signals of all rows of a transition table */
char	   *
NewRowsQuery(NewRows *n, PolicyIdentity *id, const Oid *key_types, Relation rel,
			 const char *table)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, id->key)
		appendStringInfo(&sql, "n.%s::%s AS \"(key %d)\", ", quote_identifier(lfirst(lc)),
						 CastName(key_types[foreach_current_index(lc)]), foreach_current_index(lc) + 1);
	appendStringInfo(&sql, "s.* FROM %s n LEFT JOIN LATERAL (", quote_identifier(table));
	AddMessage(&sql, RelationGetDescr(rel), "n");
	appendStringInfoString(&sql, "SELECT ");
	AddSignals(&sql, n, id, "n", NULL, key_types);
	appendStringInfoString(&sql, " LIMIT 1) s ON true");
	return sql.data;
}

/* The signals of one row, whose columns, but for dropped ones, are parameters */
char	   *
NewRowQuery(NewRows *n, PolicyIdentity *id, const Oid *key_types, Relation rel)
{
	StringInfoData sql;
	TupleDesc	desc = RelationGetDescr(rel);
	int		   *params = palloc(list_length(id->key) * sizeof(int));
	ListCell   *lc;

	initStringInfo(&sql);
	AddMessage(&sql, desc, NULL);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, id->key)
	{
		int			i = foreach_current_index(lc);
		AttrNumber	attno = get_attnum(RelationGetRelid(rel), lfirst(lc));

		params[i] = attno;
		for (int a = 0; a < attno; a++)
			params[i] -= TupleDescAttr(desc, a)->attisdropped;
		appendStringInfo(&sql, "$%d::%s AS \"(key %d)\", ", params[i], CastName(key_types[i]), i + 1);
	}
	AddSignals(&sql, n, id, NULL, params, key_types);
	return sql.data;
}

/*
 * A column of the only new row.  What came from another table as that stores it
 * is fetched once, for all that ask for it.
 */
static Datum
RowValue(TupleTableSlot *slot, int column, const Bitmapset * used)
{
	Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, column);
	Datum		value = slot->tts_values[column];

	if (slot->tts_isnull[column] || att->attlen != -1 ||
		!(VARATT_IS_EXTERNAL(DatumGetPointer(value)) || VARATT_IS_COMPRESSED(DatumGetPointer(value))) ||
		!bms_is_member(column + 1, used) ||
		toast_raw_datum_size(value) > FETCHED_MAX)
		return value;
	return PointerGetDatum(PG_DETOAST_DATUM(value));
}

/* The columns of the only new row, but for dropped ones */
ParamListInfo
NewRowParams(TupleTableSlot *slot, const Bitmapset * used)
{
	TupleDesc	desc = slot->tts_tupleDescriptor;
	ParamListInfo params = makeParamList(desc->natts);
	int			n = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped)
			continue;
		params->params[n].value = RowValue(slot, i, used);
		params->params[n].isnull = slot->tts_isnull[i];
		params->params[n].pflags = PARAM_FLAG_CONST;
		params->params[n++].ptype = att->atttypid;
	}
	params->numParams = n;
	return params;
}
