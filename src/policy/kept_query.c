/*
 * kept_query.c
 *		A query of one row over parameters, kept ready between statements.
 *
 * To start the executor for the signals of one message takes longer than to run
 * it: some dozen expressions are compiled anew for each INSERT.  Here the state
 * of the executor stays, and is run again as a subquery is for another row of
 * its outer query (ExecReScan).
 *
 * Between two runs nothing is held but memory, a reference to the plan, and
 * references to tuple descriptors, none of which belong to a transaction.
 * Relations and scans are closed, slots are empty.  A run begins as a query
 * does: the tables are locked, then it is asked whether the plan still holds,
 * rights on the tables are checked, relations and indexes are opened, and a
 * snapshot is taken.
 *
 * What is kept is only what can't tell the difference (Fits):
 *
 *	- nodes that keep no rows from one scan to the next: joins by nested loops,
 *	  index and sequential scans, LIMIT; no subplans;
 *
 *	- functions of the server that are not volatile, and immutable ones of ours:
 *	  what these remember by call site they would remember in any longer query.
 *	  Any news of functions, types, casts or roles ends it, as does a plan that is
 *	  made anew.
 *
 * An error leaves the state in the middle of a run: it goes when the statement
 * ends.  A run within a run (a condition's function inserts a message, say) takes
 * the ordinary way.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "compat.h"
#include "executor/executor.h"
#include "invalidation.h"
#include "kept_query.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "pgstat.h"
#include "policy_cache.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* It is looked at every so many runs whether its functions gather memory. */
#define RUNS_LOOKED_AT	64
#define GATHERED_MAX	(256 * 1024)

/* A run of it, in the memory of the statement */
typedef struct KeptUse
{
	KeptQuery **place;			/* NULL: it is over */
	MemoryContextCallback callback;
} KeptUse;

struct KeptQuery
{
	MemoryContext context;
	CachedPlanSource *source;
	CachedPlan *plan;
	int			refused;		/* generation of the source's plan that can't
								 * be kept; then there is nothing else */
	Oid			user;			/* whose right to call the functions was
								 * checked */
	uint64		news;			/* of what the functions are, then */
	int			track_functions;
	EState	   *estate;
	PlanState  *root;
	Oid		   *relids;			/* of the range table's relations that are
								 * scanned */
	List	   *index_scans;
	List	   *seq_scans;
	List	   *null_slots;		/* the rows of nulls of left joins */
	List	   *descs;			/* tuple descriptors that are referred to */
	KeptUse    *use;			/* it is at work, or an error has left it
								 * there */
	uint64		runs;
	Size		bytes;			/* when it was made */
};

/*
 * What can be kept
 */

/* A function that could not tell: see above */
static bool
IsOddFunction(Oid function, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		fits;

	if (!HeapTupleIsValid(tuple))
		return true;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	fits = !form->proretset && !form->prosecdef && heap_attisnull(tuple, Anum_pg_proc_proconfig, NULL);
	if (form->prolang == INTERNALlanguageId)
		fits = fits && function < FirstUnpinnedObjectId && form->provolatile != PROVOLATILE_VOLATILE;
	else
		fits = fits && form->prolang == ClanguageId && SchemaIsOurs(form->pronamespace) &&
			form->provolatile == PROVOLATILE_IMMUTABLE;

	/*
	 * A stored model is known by where it is stored, which holds for a
	 * transaction.
	 */
	for (int i = 0; fits && i < form->pronargs; i++)
		fits = form->proargtypes.values[i] < FirstUnpinnedObjectId ||
			form->proargtypes.values[i] != TypeByName("model");
	ReleaseSysCache(tuple);
	return !fits;
}

/*
 * Does a function of the server's make rows of a user's type?  It may keep the
 * type's columns, as jsonb_populate_record() does, and nothing tells of those.
 */
static bool
MakesRows(Node *node)
{
	return IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid < FirstUnpinnedObjectId &&
		type_is_rowtype(((FuncExpr *) node)->funcresulttype);
}

/* Is there anything in an expression that is not known to fit? */
static bool
IsOdd(Node *node, void *context)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_List:
		case T_TargetEntry:
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
		case T_MinMaxExpr:
		case T_ArrayExpr:
		case T_SubscriptingRef:
		case T_NestLoopParam:
			break;
		default:
			return true;
	}
	if (check_functions_in_node(node, IsOddFunction, NULL) || MakesRows(node))
		return true;
	if (IsA(node, NestLoopParam))
		return IsOdd((Node *) ((NestLoopParam *) node)->paramval, context);
	return expression_tree_walker(node, IsOdd, context);
}

static bool
ExprFits(void *expr)
{
	return !IsOdd(expr, NULL);
}

static bool
PlanFits(Plan * plan)
{
	if (plan == NULL)
		return true;
	if (plan->initPlan != NIL || plan->parallel_aware || !ExprFits(plan->targetlist) || !ExprFits(plan->qual))
		return false;
	switch (nodeTag(plan))
	{
		case T_Result:
			if (!ExprFits(((Result *) plan)->resconstantqual))
				return false;
			break;
		case T_NestLoop:
			if (!ExprFits(((NestLoop *) plan)->join.joinqual) || !ExprFits(((NestLoop *) plan)->nestParams))
				return false;
			break;
		case T_Limit:
			if (((Limit *) plan)->limitOption != LIMIT_OPTION_COUNT ||
				!ExprFits(((Limit *) plan)->limitOffset) || !ExprFits(((Limit *) plan)->limitCount))
				return false;
			break;
		case T_SubqueryScan:
			return PlanFits(((SubqueryScan *) plan)->subplan);
		case T_IndexScan:
			if (((IndexScan *) plan)->indexorderby != NIL || !ExprFits(((IndexScan *) plan)->indexqual) ||
				!ExprFits(((IndexScan *) plan)->indexqualorig))
				return false;
			break;
		case T_SeqScan:
			break;
		default:
			return false;
	}
	return PlanFits(outerPlan(plan)) && PlanFits(innerPlan(plan));
}

/* Can the executor's state for a plan be kept? */
static bool
Fits(CachedPlanSource * source, CachedPlan * plan)
{
	PlannedStmt *stmt;

	if (list_length(plan->stmt_list) != 1 || source->dependsOnRLS || plan->dependsOnRole ||
		plan != source->gplan || !plan->is_saved || TransactionIdIsValid(plan->saved_xmin))
		return false;
	stmt = linitial_node(PlannedStmt, plan->stmt_list);
	return stmt->commandType == CMD_SELECT && !stmt->hasModifyingCTE && stmt->rowMarks == NIL &&
		stmt->subplans == NIL && !stmt->parallelModeNeeded && stmt->jitFlags == 0 &&
		stmt->utilityStmt == NULL && PlanFits(stmt->planTree);
}

/*
 * Between the runs
 */

/*
 * Nothing of a run stays: no row, no scan, no relation, no snapshot.  A left
 * join's row of nulls is made once, when the executor starts, and is no run's.
 */
static void
EndRun(KeptQuery *k)
{
	EState	   *estate = k->estate;
	ListCell   *lc;

	foreach(lc, estate->es_tupleTable)
		ExecClearTuple(lfirst(lc));
	foreach(lc, k->null_slots)
		ExecStoreAllNullTuple(lfirst(lc));
	foreach(lc, k->index_scans)
	{
		IndexScanState *scan = lfirst(lc);

		if (scan->iss_ScanDesc)
			index_endscan(scan->iss_ScanDesc);
		scan->iss_ScanDesc = NULL;
		index_close(scan->iss_RelationDesc, NoLock);
		scan->iss_RelationDesc = NULL;
		scan->ss.ss_currentRelation = NULL;
	}
	foreach(lc, k->seq_scans)
	{
		ScanState  *scan = lfirst(lc);

		if (scan->ss_currentScanDesc)
			table_endscan(scan->ss_currentScanDesc);
		scan->ss_currentScanDesc = NULL;
		scan->ss_currentRelation = NULL;
	}
	for (int i = 0; i < estate->es_range_table_size; i++)
		if (estate->es_relations[i])
		{
			table_close(estate->es_relations[i], NoLock);
			estate->es_relations[i] = NULL;
		}
	estate->es_snapshot = NULL;
	estate->es_param_list_info = NULL;
	foreach(lc, estate->es_exprcontexts)
	{
		ExprContext *econtext = lfirst(lc);

		ReScanExprContext(econtext);
		econtext->ecxt_param_list_info = NULL;
	}
}

/* Open what the plan scans; false: a materialized view has no rows yet. */
static bool
OpenRelations(KeptQuery *k)
{
	EState	   *estate = k->estate;
	bool		scannable = true;
	ListCell   *lc;

	for (int i = 0; i < estate->es_range_table_size; i++)
		if (OidIsValid(k->relids[i]))
		{
			estate->es_relations[i] = table_open(k->relids[i], NoLock);
			scannable &= RelationIsScannable(estate->es_relations[i]);
		}
	foreach(lc, k->index_scans)
	{
		IndexScanState *scan = lfirst(lc);
		IndexScan  *plan = (IndexScan *) scan->ss.ps.plan;

		scan->ss.ss_currentRelation = estate->es_relations[plan->scan.scanrelid - 1];
		scan->iss_RelationDesc = index_open(plan->indexid, exec_rt_fetch(plan->scan.scanrelid, estate)->rellockmode);
	}
	foreach(lc, k->seq_scans)
	{
		ScanState  *scan = lfirst(lc);

		scan->ss_currentRelation = estate->es_relations[((Scan *) scan->ps.plan)->scanrelid - 1];
	}
	return scannable;
}

/* Locks bring news, after which the plan may not hold any more. */
static void
LockTables(KeptQuery *k)
{
	ListCell   *lc;

	foreach(lc, k->estate->es_range_table)
	{
		RangeTblEntry *rte = lfirst(lc);

		/* A view that was written out keeps its relation from 16 on. */
		if (rte->rtekind == RTE_RELATION || (rte->rtekind == RTE_SUBQUERY && OidIsValid(rte->relid)))
			LockRelationOid(rte->relid, rte->rellockmode);
	}
}

static bool
Holds(KeptQuery *k, CachedPlanSource * source)
{
	return k->source == source && source->is_valid && source->gplan == k->plan && k->plan->is_valid &&
		k->news == ItemNews() && k->user == GetUserId() && k->track_functions == pgstat_track_functions;
}

static void
CheckRights(PlannedStmt * stmt)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecCheckPermissions(stmt->rtable, stmt->permInfos, true);
#else
	(void) ExecCheckRTPerms(stmt->rtable, true);
#endif
}

/*
 * As SPI does: what was done so far is seen, and what others did while a lock
 * was waited for.  Who has it on the tables would see a truncated one empty by a
 * snapshot of before.
 */
static void
TakeSnapshot(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	CommandCounterIncrement();
	UpdateActiveSnapshotCommandId();
}

/*
 * Making and dropping it
 */

void
KeptQueryDrop(KeptQuery **kept)
{
	KeptQuery  *k = *kept;
	ListCell   *lc;

	*kept = NULL;
	if (k == NULL)
		return;
	if (k->use)
		k->use->place = NULL;
	foreach(lc, k->descs)
	{
		TupleDesc	desc = lfirst(lc);

		if (--desc->tdrefcount == 0)
			FreeTupleDesc(desc);
	}
	if (k->plan)
		ReleaseCachedPlan(k->plan, NULL);
	MemoryContextDelete(k->context);
}

/* The statement ends, or an error has ended it: then in the middle of a run. */
static void
EndUse(void *arg)
{
	KeptUse    *use = arg;

	if (use->place)
		KeptQueryDrop(use->place);
}

/* It is at work until EndRun(), or else goes with the statement. */
static void
Use(KeptQuery **kept, MemoryContext statement)
{
	KeptUse    *use = MemoryContextAlloc(statement, sizeof(KeptUse));

	use->place = kept;
	use->callback.func = EndUse;
	use->callback.arg = use;
	MemoryContextRegisterResetCallback(statement, &use->callback);
	(*kept)->use = use;
}

static void
Unuse(KeptQuery *k)
{
	k->use->place = NULL;
	k->use = NULL;
}

static KeptQuery *
NewKept(MemoryContext parent, CachedPlanSource * source)
{
	MemoryContext context = AllocSetContextCreate(parent, "pg_assay kept query", ALLOCSET_SMALL_SIZES);
	KeptQuery  *k = MemoryContextAllocZero(context, sizeof(KeptQuery));

	k->context = context;
	k->source = source;
	k->refused = -1;
	return k;
}

/* Find the scans of a plan's state, and its rows of nulls. */
static void
FindNodes(KeptQuery *k, PlanState * node)
{
	if (node == NULL)
		return;
	if (IsA(node, IndexScanState))
		k->index_scans = lappend(k->index_scans, node);
	else if (IsA(node, SeqScanState))
		k->seq_scans = lappend(k->seq_scans, node);
	else if (IsA(node, SubqueryScanState))
		FindNodes(k, ((SubqueryScanState *) node)->subplan);
	else if (IsA(node, NestLoopState) && ((NestLoopState *) node)->nl_NullInnerTupleSlot)
		k->null_slots = lappend(k->null_slots, ((NestLoopState *) node)->nl_NullInnerTupleSlot);
	FindNodes(k, outerPlanState(node));
	FindNodes(k, innerPlanState(node));
}

/* What was the transaction's is ours from now on, or nobody's. */
static void
Adopt(KeptQuery *k, QueryDesc * query, CachedPlan * plan)
{
	ListCell   *lc;

	k->estate = query->estate;
	k->root = query->planstate;
	FindNodes(k, k->root);
	k->relids = palloc0(Max(k->estate->es_range_table_size, 1) * sizeof(Oid));
	for (int i = 0; i < k->estate->es_range_table_size; i++)
		if (k->estate->es_relations[i])
			k->relids[i] = RelationGetRelid(k->estate->es_relations[i]);
	UnregisterSnapshot(k->estate->es_snapshot);
	UnregisterSnapshot(query->snapshot);
	query->snapshot = NULL;
	foreach(lc, k->estate->es_tupleTable)
	{
		TupleDesc	desc = ((TupleTableSlot *) lfirst(lc))->tts_tupleDescriptor;

		if (desc == NULL || desc->tdrefcount < 0)
			continue;
		k->descs = lappend(k->descs, desc);
		desc->tdrefcount++;
		DecrTupleDescRefCount(desc);
	}
	plan->refcount++;
	ReleaseCachedPlan(plan, CurrentResourceOwner);
	k->plan = plan;
	k->user = GetUserId();
	k->track_functions = pgstat_track_functions;
}

/*
 * Start the executor for it, once, by a snapshot that is active from then on.  An
 * error takes back all but memory, which goes with the statement's.
 */
static KeptQuery *
Make(MemoryContext parent, CachedPlanSource * source, ParamListInfo params, TupleDesc desc,
	 DestReceiver *dest)
{
	KeptQuery  *k = NewKept(CurrentMemoryContext, source);
	MemoryContext old = MemoryContextSwitchTo(k->context);
	CachedPlan *plan;
	QueryDesc  *query;

	/* News that come with the locks count. */
	k->news = ItemNews();
	plan = GetCachedPlan(source, NULL, CurrentResourceOwner, NULL);
	if (Fits(source, plan))
	{
		TakeSnapshot();
		query = CreateQueryDesc(linitial_node(PlannedStmt, plan->stmt_list), source->query_string,
								GetActiveSnapshot(), InvalidSnapshot, dest, params, NULL, 0);
		standard_ExecutorStart(query, EXEC_FLAG_SKIP_TRIGGERS);
		if (query->estate->es_junkFilter == NULL && SameRow(query->tupDesc, desc))
			Adopt(k, query, plan);
		else
		{
			standard_ExecutorFinish(query);
			standard_ExecutorEnd(query);
			FreeQueryDesc(query);
			PopActiveSnapshot();
		}
	}
	if (k->plan == NULL)
	{
		k->refused = source->generation;
		MemoryContextSetIdentifier(k->context, "not kept");
		ReleaseCachedPlan(plan, CurrentResourceOwner);
	}
	MemoryContextSwitchTo(old);
	k->bytes = MemoryContextMemAllocated(k->context, true);
	MemoryContextSetParent(k->context, parent);
	return k;
}

/* Do its functions gather memory?  Then another is made the next time. */
static bool
HasGrown(KeptQuery *k)
{
	return ++k->runs % RUNS_LOOKED_AT == 0 &&
		MemoryContextMemAllocated(k->context, true) > k->bytes + GATHERED_MAX;
}

/*
 * Running it
 */

/* Its first row; all is open. */
static void
RunOnce(KeptQuery *k, ParamListInfo params, DestReceiver *dest)
{
	EState	   *estate = k->estate;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	TupleTableSlot *slot;
	ListCell   *lc;

	estate->es_snapshot = GetActiveSnapshot();
	estate->es_param_list_info = params;
	foreach(lc, estate->es_exprcontexts)
		((ExprContext *) lfirst(lc))->ecxt_param_list_info = params;
	ExecReScan(k->root);
	slot = ExecProcNode(k->root);
	if (!TupIsNull(slot))
		(void) dest->receiveSlot(slot, dest);
	MemoryContextSwitchTo(old);
}

/* Have it open for a run, in *kept, where it can be kept, by a snapshot that is active then. */
static bool
Begin(KeptQuery **kept, MemoryContext parent, CachedPlanSource * source, ParamListInfo params,
	  TupleDesc desc, DestReceiver *dest, MemoryContext statement)
{
	KeptQuery  *k = *kept;

	if (k && k->plan)
	{
		LockTables(k);
		if (Holds(k, source))
		{
			CheckRights(linitial_node(PlannedStmt, k->plan->stmt_list));
			TakeSnapshot();
			Use(kept, statement);
			if (OpenRelations(k))
				return true;
			EndRun(k);

			Unuse(k);
			PopActiveSnapshot();
			return false;
		}
	}
	KeptQueryDrop(kept);
	k = Make(parent, source, params, desc, dest);
	*kept = k;
	if (k->plan == NULL)
		return false;
	Use(kept, statement);
	return true;
}

bool
KeptQueryRun(KeptQuery **kept, MemoryContext parent, SPIPlanPtr plan, ParamListInfo params,
			 TupleDesc desc, DestReceiver *dest, MemoryContext statement)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));
	KeptQuery  *k = *kept;

	if (k && (k->use || (k->plan == NULL && k->refused == source->generation && source->is_valid)))
		return false;
	if (!Begin(kept, parent, source, params, desc, dest, statement))
		return false;
	k = *kept;
	RunOnce(k, params, dest);
	EndRun(k);

	Unuse(k);
	if (HasGrown(k))
		KeptQueryDrop(kept);
	PopActiveSnapshot();
	CommandCounterIncrement();
	return true;
}
