/*
 * shards.c
 *		On a shard of a table that Citus distributes: the signals view and the
 *		decision table as they are there.
 *
 * A trigger fires on the shard, in a backend of the node that has it.  Were it
 * to read the view by its name, each statement would go through Citus' planner
 * and executor, to tables that are at hand.  So the view's query is written out
 * with each distributed table replaced by its shard of the same group, and each
 * reference table by its copy; what is neither stays, and what is elsewhere
 * can't be read.
 *
 * Citus is no library of ours: what we know of its tables we read from its
 * catalogue, by names, once for the plans of a trigger.  What it changes there
 * it tells by an invalidation of the table that it is about.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "compile.h"
#include "distributed.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "new_rows.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "rewrite/rewriteHandler.h"
#include "security.h"
#include "shards.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

/* Digits of a shard's number that an int64 surely takes */
#define SHARD_DIGITS_MAX	18

/* A table of Citus', and what stands for it beside the shard at hand */
typedef struct Placed
{
	Oid			table;
	Oid			shard;			/* InvalidOid: it is elsewhere */
} Placed;

typedef struct Places
{
	PolicyIdentity *id;
	Dependencies *dependencies; /* or NULL */
	int			nplaced;
	Placed	   *placed;
	const char *why_not;		/* the view can't be read here, or NULL */
} Places;

/*
 * Citus' catalogue
 */

/* The number at the end of a shard's name, or 0 */
static int64
ShardNumber(const char *relname)
{
	const char *at = strrchr(relname, '_');
	size_t		digits = at ? strspn(at + 1, "0123456789") : 0;

	if (digits == 0 || at[1 + digits] != '\0' || digits > SHARD_DIGITS_MAX)
		return 0;
	return strtoll(at + 1, NULL, 10);
}

/* Cheap where there is no Citus, since row-level triggers ask for each row */
bool
MayBeShard(Relation rel)
{
	return ShardNumber(RelationGetRelationName(rel)) != 0 && OidIsValid(CitusTable("pg_dist_shard"));
}

/* A name that shard_name() gave, of a shard that is in its table's schema */
static Oid
ShardByName(Oid table, const char *shard)
{
	List	   *names = QualifiedNames(shard);

	return get_relname_relid(strVal(llast(names)), get_rel_namespace(table));
}

/* What stands for the given tables, and for the shard's own, on a shard */
#define PLACES_SQL \
	"SELECT p.logicalrelid::oid, shard_name(p.logicalrelid, s.shardid) " \
	"FROM pg_dist_shard h JOIN pg_dist_partition t ON t.logicalrelid = h.logicalrelid " \
	"JOIN pg_dist_partition p ON p.logicalrelid::oid = ANY ($2) OR p.logicalrelid = h.logicalrelid " \
	"LEFT JOIN pg_dist_shard s ON s.logicalrelid = p.logicalrelid AND (p.partmethod = 'n' AND p.repmodel = 't' " \
	"OR p.colocationid = t.colocationid AND s.shardminvalue IS NOT DISTINCT FROM h.shardminvalue) " \
	"WHERE h.shardid = $1"

/* The rows of PLACES_SQL */
static void
TakePlaces(Places *p, MemoryContext context)
{
	p->nplaced = SPI_processed;
	p->placed = MemoryContextAlloc(context, Max(p->nplaced, 1) * sizeof(Placed));
	for (int i = 0; i < p->nplaced; i++)
	{
		bool		isnull;
		char	   *shard = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		Placed	   *placed = &p->placed[i];

		placed->table = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		placed->shard = shard ? ShardByName(placed->table, shard) : InvalidOid;
	}
}

/* Read the catalogue as it is now; false: the table is no shard. */
static bool
ReadPlaces(Places *p, Relation rel, List *tables)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[2] = {INT8OID, OIDARRAYOID};
	Datum	   *oids = palloc((list_length(tables) + 1) * sizeof(Datum));
	Datum		values[2];
	Security	security;
	ListCell   *lc;

	foreach(lc, tables)
		oids[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	values[0] = Int64GetDatum(ShardNumber(RelationGetRelationName(rel)));
	values[1] = PointerGetDatum(construct_array(oids, list_length(tables), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	EnterOwner(&security, p->id->owner, "pg_catalog, pg_temp");
	SPI_connect();
	PushActiveSnapshot(GetCatalogSnapshot(CitusTable("pg_dist_shard")));
	if (SPI_execute_with_args(PLACES_SQL, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_dist_shard");
	TakePlaces(p, caller);
	PopActiveSnapshot();
	SPI_finish();
	LeaveSecurity(&security);
	for (int i = 0; i < p->nplaced; i++)
		if (p->placed[i].shard == RelationGetRelid(rel))
			return true;
	return false;
}

/* The entry of a table that Citus has, or NULL */
static Placed *
FindPlaced(Places *p, Oid table)
{
	for (int i = 0; i < p->nplaced; i++)
		if (p->placed[i].table == table)
			return &p->placed[i];
	return NULL;
}

static void
Depend(Places *p, Oid relid)
{
	if (p->dependencies)
		DependOnRelation(p->dependencies, relid);
}

static char *
NameOf(Oid relid)
{
	char	   *name = RelationName(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	return name;
}

/*
 * What a view reads
 */

Query	   *
CopyViewQuery(Oid view)
{
	Relation	rel = table_open(view, AccessShareLock);
	Query	   *query = copyObject(get_view_query(rel));

	table_close(rel, NoLock);
	return query;
}

/* Has an entry of a range table rows, and is no view's placeholder? */
static bool
IsRead(RangeTblEntry * rte)
{
	return rte->rtekind == RTE_RELATION && rte->inFromCl;
}

/* The relation of assay.as_of(NULL::relation, ...), else InvalidOid */
static Oid
AskedAsOf(Node *node)
{
	FuncExpr   *call = (FuncExpr *) node;
	char	   *called;

	if (!IsA(node, FuncExpr) || call->args == NIL ||
		get_func_namespace(call->funcid) != get_namespace_oid("assay", true))
		return InvalidOid;
	called = get_func_name(call->funcid);
	if (called == NULL || strcmp(called, "as_of") != 0)
		return InvalidOid;
	return get_typ_typrelid(exprType(linitial(call->args)));
}

/* All relations, also those within views */
static bool
CollectRelations(Node *node, List **relations)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, CollectRelations, relations,
								 QTW_EXAMINE_RTES_BEFORE | QTW_IGNORE_JOINALIASES);
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		if (!IsRead(rte) || list_member_oid(*relations, rte->relid))
			return false;
		*relations = lappend_oid(*relations, rte->relid);
		if (rte->relkind == RELKIND_VIEW)
			CollectRelations((Node *) CopyViewQuery(rte->relid), relations);
		return false;
	}
	if (OidIsValid(AskedAsOf(node)))
		*relations = list_append_unique_oid(*relations, AskedAsOf(node));
	return expression_tree_walker(node, CollectRelations, relations);
}

/* Does it read a table of Citus', be it through views? */
static bool
ReadsPlaced(Places *p, Query *query)
{
	List	   *relations = NIL;
	ListCell   *lc;

	(void) CollectRelations((Node *) query, &relations);
	foreach(lc, relations)
		if (FindPlaced(p, lfirst_oid(lc)))
		return true;
	return false;
}

/* The same for any relation, for who reads it as a whole */
bool
ReadsDistributed(Oid relid)
{
	List	   *relations = list_make1_oid(relid);
	ListCell   *lc;

	if (!OidIsValid(CitusTable("pg_dist_partition")))
		return false;
	if (get_rel_relkind(relid) == RELKIND_VIEW)
		(void) CollectRelations((Node *) CopyViewQuery(relid), &relations);
	foreach(lc, relations)
		if (IsDistributed(lfirst_oid(lc)))
		return true;
	return false;
}

/*
 * The view's query on the shard
 */

/* Has the shard all columns of its table at the same places? */
static bool
SamePlaces(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute x = TupleDescAttr(a, i);
		Form_pg_attribute y = TupleDescAttr(b, i);

		if (x->attisdropped != y->attisdropped ||
			(!x->attisdropped && (strcmp(NameStr(x->attname), NameStr(y->attname)) != 0 || x->atttypid != y->atttypid)))
			return false;
	}
	return true;
}

/* A use of a relation's rows that another relation's can't answer */
typedef struct RowUse
{
	Index		at;
	int			level;			/* of queries within its own */
} RowUse;

/* The row as a whole, which has the table's type, or a system column */
static bool
IsRowUse(Node *node, RowUse *use)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varlevelsup == use->level && ((Var *) node)->varno == use->at &&
			((Var *) node)->varattno <= 0;
	if (IsA(node, Query))
	{
		bool		found;

		use->level++;
		found = query_tree_walker((Query *) node, IsRowUse, use, QTW_IGNORE_JOINALIASES);
		use->level--;
		return found;
	}
	return expression_tree_walker(node, IsRowUse, use);
}

/* An entry that reads a relation by an alias */
static RangeTblEntry *
ReadRelation(Oid relid, char relkind, const char *alias)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *columns = NIL;

	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
		columns = lappend(columns, makeString(pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), i)->attname))));
	table_close(rel, NoLock);
	rte->rtekind = RTE_RELATION;
	rte->relid = relid;
	rte->relkind = relkind;
	rte->rellockmode = AccessShareLock;
	rte->inh = true;
	rte->inFromCl = true;
	rte->eref = makeAlias(alias, columns);
	rte->alias = makeAlias(alias, NIL);
	return rte;
}

/* A column of the shard by its table's number for it; a dropped one is null */
static TargetEntry *
ColumnOfShard(TupleDesc table, TupleDesc shard, int column)
{
	Form_pg_attribute wanted = TupleDescAttr(table, column);

	for (int i = 0; i < shard->natts && !wanted->attisdropped; i++)
	{
		Form_pg_attribute att = TupleDescAttr(shard, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), NameStr(wanted->attname)) == 0 &&
			att->atttypid == wanted->atttypid)
			return makeTargetEntry((Expr *) makeVar(1, i + 1, att->atttypid, att->atttypmod, att->attcollation, 0),
								   column + 1, pstrdup(NameStr(att->attname)), false);
	}
	if (!wanted->attisdropped)
		return NULL;
	return makeTargetEntry((Expr *) makeNullConst(INT4OID, -1, InvalidOid), column + 1,
						   psprintf("(dropped %d)", column + 1), false);
}

/* SELECT the shard's columns FROM it, in the order of its table's */
static Query *
ShardInOrder(Places *p, Relation table, Relation shard)
{
	Query	   *query = makeNode(Query);
	RangeTblRef *from = makeNode(RangeTblRef);

	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->rtable = list_make1(ReadRelation(RelationGetRelid(shard), shard->rd_rel->relkind, "shard"));
	from->rtindex = 1;
	query->jointree = makeFromExpr(list_make1(from), NULL);
	for (int i = 0; i < RelationGetNumberOfAttributes(table); i++)
	{
		TargetEntry *entry = ColumnOfShard(RelationGetDescr(table), RelationGetDescr(shard), i);

		if (entry == NULL)
		{
			p->why_not = psprintf("shard %s has no column \"%s\" of its table", NameOf(RelationGetRelid(shard)),
								  NameStr(TupleDescAttr(RelationGetDescr(table), i)->attname));
			return query;
		}
		query->targetList = lappend(query->targetList, entry);
	}
	return query;
}

/* The entry, a table, becomes its shard. */
static void
BecomeShard(Places *p, RangeTblEntry * rte, Oid shardid)
{
	Relation	table = table_open(rte->relid, AccessShareLock);
	Relation	shard = table_open(shardid, AccessShareLock);

	if (rte->tablesample)
		p->why_not = psprintf("the signals view reads a sample of distributed table %s", NameOf(rte->relid));
	else if (!rte->inh && table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		p->why_not = psprintf("the signals view reads a part of distributed table %s", NameOf(rte->relid));
	else if (SamePlaces(RelationGetDescr(table), RelationGetDescr(shard)))
		rte->relid = shardid;
	else
	{
		rte->subquery = ShardInOrder(p, table, shard);
		Become(rte, RTE_SUBQUERY, TargetNames(rte->subquery));
	}
	table_close(shard, NoLock);
	table_close(table, NoLock);
}

static bool LocaliseExpression(Node *node, Places *p);

/* A view that reads what Citus has becomes its query; others stay. */
static void
BecomeQuery(Places *p, RangeTblEntry * rte)
{
	NewRows		found = {0};
	Query	   *query;

	if (!ReadsPlaced(p, CopyViewQuery(rte->relid)))
		return;
	query = ViewQuery(&found, p->id, rte->relid);
	if (query == NULL)
	{
		p->why_not = psprintf("%s: %s, and cannot be written out for a shard", NameOf(rte->relid), found.why_not);
		return;
	}
	(void) LocaliseExpression((Node *) query, p);
	rte->subquery = query;
	rte->security_barrier = false;
	Become(rte, RTE_SUBQUERY, TargetNames(query));
}

static void
LocaliseEntry(Places *p, Query *query, Index at)
{
	RangeTblEntry *rte = rt_fetch(at, query->rtable);
	Placed	   *placed = IsRead(rte) ? FindPlaced(p, rte->relid) : NULL;
	RowUse		use = {at, 0};

	if (!IsRead(rte))
		return;
	Depend(p, rte->relid);
	if (rte->relkind == RELKIND_VIEW)
	{
		BecomeQuery(p, rte);
		return;
	}
	if (placed == NULL)
		return;
	if (!OidIsValid(placed->shard))
		p->why_not = psprintf("the rows of %s that belong to this shard are not on this server", NameOf(rte->relid));
	else if (query_tree_walker(query, IsRowUse, &use, QTW_IGNORE_JOINALIASES))
		p->why_not = psprintf("the signals view uses the whole row, or a system column, of distributed table %s",
							  NameOf(rte->relid));
	else
	{
		Depend(p, placed->shard);
		BecomeShard(p, rte, placed->shard);
	}
}

/* as_of(NULL::baseline, ...) asks the shard's rows. */
static void
LocaliseAsOf(Places *p, FuncExpr *call)
{
	Oid			asked = AskedAsOf((Node *) call);
	Placed	   *placed = OidIsValid(asked) ? FindPlaced(p, asked) : NULL;
	Relation	table;
	Relation	shard;
	Node	   *row = linitial(call->args);

	if (placed == NULL)
		return;
	if (!OidIsValid(placed->shard) || !IsA(row, Const) || !((Const *) row)->constisnull)
	{
		p->why_not = psprintf("the rows of %s that belong to this shard are not on this server", NameOf(asked));
		return;
	}
	table = table_open(asked, AccessShareLock);
	shard = table_open(placed->shard, AccessShareLock);
	if (!SamePlaces(RelationGetDescr(table), RelationGetDescr(shard)))
		p->why_not = psprintf("shard %s has its columns at other places than its table", NameOf(placed->shard));
	call->funcresulttype = ((Const *) row)->consttype = shard->rd_rel->reltype;
	Depend(p, asked);
	Depend(p, placed->shard);
	table_close(shard, NoLock);
	table_close(table, NoLock);
}

/* In place, the tree being a copy */
static bool
LocaliseExpression(Node *node, Places *p)
{
	if (node == NULL || p->why_not)
		return p->why_not != NULL;
	check_stack_depth();
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		/* What an entry becomes is done already: first what is there now. */
		if (query_tree_walker(query, LocaliseExpression, p, QTW_IGNORE_JOINALIASES))
			return true;
		for (Index at = 1; at <= list_length(query->rtable) && p->why_not == NULL; at++)
			LocaliseEntry(p, query, at);
		return p->why_not != NULL;
	}
	if (IsA(node, FuncExpr))
		LocaliseAsOf(p, (FuncExpr *) node);
	return expression_tree_walker(node, LocaliseExpression, p);
}

/* The text of the view's query, with names that need no search_path */
static void
WriteOut(Places *p, Query *query)
{
	Security	qualified;
	char	   *text_form;

	EnterOwner(&qualified, p->id->owner, "pg_catalog, pg_temp");
	text_form = pg_get_querydef(copyObject(query), false);
	LeaveSecurity(&qualified);
	if (MeansTheSame(text_form, query, NULL))
	{
		p->id->signals_query = query;
		p->id->signals_source = psprintf("(%s)", text_form);
	}
	else
		p->why_not = "the signals view's query cannot be written out exactly for a shard";
}

/* The decision table's shard takes its place. */
static void
PlaceDecisions(Places *p, Relation rel)
{
	Placed	   *placed = FindPlaced(p, p->id->decision);

	if (placed == NULL || !OidIsValid(placed->shard))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("decision table %s has no shard beside \"%s\"", p->id->decision_name, RelationGetRelationName(rel)),
				 errhint("Distribute both by the same column, co-located: CALL assay.distribute(%s, ...).",
						 quote_literal_cstr(p->id->policy))));
	Depend(p, p->id->decision);
	Depend(p, placed->shard);
	p->id->decision = placed->shard;
	p->id->decision_name = NameOf(placed->shard);
}

/* The signals view: its query over what is beside the shard */
static void
PlaceSignals(Places *p)
{
	PolicyIdentity *id = p->id;
	NewRows		found = {0};
	Query	   *query;

	if (get_rel_relkind(id->signals) != RELKIND_VIEW)
		p->why_not = psprintf("the signals of a distributed table come from a view over it, not from %s", id->signals_name);
	else if (ReadsPlaced(p, CopyViewQuery(id->signals)))
	{
		query = ViewQuery(&found, id, id->signals);
		if (query == NULL)
			p->why_not = psprintf("%s: %s, and cannot be written out for a shard", id->signals_name, found.why_not);
		else if (!LocaliseExpression((Node *) query, p))
			WriteOut(p, query);
	}
}

/* What the identity is changed to, into its own memory */
static void
Settle(Places *p, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	p->id->decision_name = pstrdup(p->id->decision_name);
	if (p->id->signals_source)
		p->id->signals_source = pstrdup(p->id->signals_source);
	p->id->signals_query = copyObject(p->id->signals_query);
	if (p->why_not)
		p->why_not = pstrdup(p->why_not);
	MemoryContextSwitchTo(old);
}

/*
 * Where a trigger fires on a shard, change what its policy reads and writes to
 * what is beside it.  Returns why the signals can't be read there, or NULL; an
 * error, where decisions can't be written.  The policy's owner is entered, and
 * the memory is that of the identity.
 */
const char *
UseShards(PolicyIdentity *id, Relation rel, Dependencies *d)
{
	Places		p = {.id = id,.dependencies = d};
	List	   *tables = list_make1_oid(id->decision);
	MemoryContext context = CurrentMemoryContext;
	MemoryContext work;

	if (!MayBeShard(rel))
		return NULL;
	work = AllocSetContextCreate(context, "pg_assay shards", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(work);
	if (OidIsValid(id->signals) && get_rel_relkind(id->signals) == RELKIND_VIEW)
		(void) CollectRelations((Node *) CopyViewQuery(id->signals), &tables);
	if (ReadPlaces(&p, rel, tables))
	{
		PlaceDecisions(&p, rel);
		if (OidIsValid(id->signals))
			PlaceSignals(&p);
		Settle(&p, context);
	}
	MemoryContextSwitchTo(context);
	MemoryContextDelete(work);
	return p.why_not;
}

/*
 * What hinders it, asked before there are shards
 */

/* A policy of the caller's, its view's owner checked */
static PolicyIdentity *
OwnPolicy(text *policy)
{
	PolicyIdentity *id = ConfigIdentify(text_to_cstring(policy));

	if (!has_privs_of_role(GetUserId(), id->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", id->policy),
				 errhint("It takes membership in the policy's owner.")));
	PolicyMustHaveView(id);
	PolicyCheckOwners(id);
	return id;
}

/* signals_relations(policy): what the signals view reads, through views too */
PG_FUNCTION_INFO_V1(assay_signals_relations);
Datum
assay_signals_relations(PG_FUNCTION_ARGS)
{
	PolicyIdentity *id = OwnPolicy(PG_GETARG_TEXT_PP(0));
	List	   *relations = NIL;
	Datum	   *oids;
	ListCell   *lc;

	if (get_rel_relkind(id->signals) == RELKIND_VIEW)
		(void) CollectRelations((Node *) CopyViewQuery(id->signals), &relations);
	else
		relations = list_make1_oid(id->signals);
	oids = palloc((list_length(relations) + 1) * sizeof(Datum));
	foreach(lc, relations)
		oids[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	PG_RETURN_ARRAYTYPE_P(construct_array(oids, list_length(relations), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
}

/*
 * shard_problem(policy, tables): why the signals view could not be read on a
 * shard if these tables were all that is distributed, and all co-located; or
 * NULL
 */
PG_FUNCTION_INFO_V1(assay_shard_problem);
Datum
assay_shard_problem(PG_FUNCTION_ARGS)
{
	PolicyIdentity *id = OwnPolicy(PG_GETARG_TEXT_PP(0));
	Places		p = {.id = id};
	Datum	   *oids;
	bool	   *nulls;
	Security	security;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), OIDOID, sizeof(Oid), true, TYPALIGN_INT, &oids, &nulls, &p.nplaced);
	p.placed = palloc0((p.nplaced + 1) * sizeof(Placed));
	for (int i = 0; i < p.nplaced; i++)
		if (!nulls[i] && SearchSysCacheExists1(RELOID, oids[i]))
			p.placed[i].table = p.placed[i].shard = DatumGetObjectId(oids[i]);
	EnterOwner(&security, id->owner, id->search_path);
	PlaceSignals(&p);
	LeaveSecurity(&security);
	if (p.why_not == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(p.why_not));
}
