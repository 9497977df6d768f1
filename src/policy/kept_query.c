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
 * Relations and scans are closed, slots are empty, what nodes have gathered is
 * given back, and functions that hold what they know for a query have forgotten it.
 * Where more memory stays than a state is worth, it goes, and is made anew.
 * A run begins as a query does: the tables are locked, then it is asked whether the
 * plan still holds, rights on the tables are checked, relations and indexes are
 * opened, and a snapshot is taken.
 *
 * What is kept is only what can't tell the difference (kept_plan.c).  Any news of
 * functions, types, casts or roles ends it, as does a plan that is made anew.
 *
 * An error leaves the state in the middle of a run: it goes when the statement
 * ends.  A run within a run (a condition's function inserts a message, say) takes
 * the ordinary way.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/execExpr.h"
#include "executor/executor.h"
#include "invalidation.h"
#include "kept_plan.h"
#include "kept_query.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "policy_cache.h"
#include "read_snapshot.h"
#include "security.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * What may stay of memory.  The places where a single run may leave much are looked
 * at each time; every so many runs all is, since functions may gather some.
 */
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
	List	   *scans;			/* of relations or indexes */
	int			settings;		/* that show in its rows */
	int			param;			/* that all nodes depend on; negative: none,
								 * they begin anew by themselves */
	List	   *gatherers;		/* nodes that gather rows, or hold more than a
								 * scan */
	List	   *hashed;			/* subplans with hash tables */
	List	   *tables;			/* memory of the hash tables of aggregates */
	List	   *null_slots;		/* the rows of nulls of left joins */
	List	   *sites;			/* FmgrInfo of calls that are to forget */
	MemoryContext remembered;	/* what they remember */
	List	   *descs;			/* tuple descriptors that are referred to */
	KeptUse    *use;			/* it is at work, or an error has left it
								 * there */
	uint64		runs;
	Size		bytes;			/* when it was made */
	Size		own_bytes;		/* of the executor itself, then */
};

/*
 * Between the runs
 */

/*
 * Have a node, and all below it when they run again, begin anew: as when another
 * row of an outer query has changed what they depend on.
 */
static void
ChangeParam(KeptQuery *k, PlanState * node)
{
	node->chgParam = bms_add_member(node->chgParam, k->param);
}

static void
EndIndexScan(IndexScanDesc * scan, Relation * index)
{
	if (*scan)
		index_endscan(*scan);
	*scan = NULL;
	index_close(*index, NoLock);
	*index = NULL;
}

/* End the scan of a relation, or of an index. */
static void
EndScan(ScanState *scan)
{
	if (scan->ss_currentScanDesc)
		table_endscan(scan->ss_currentScanDesc);
	scan->ss_currentScanDesc = NULL;
	scan->ss_currentRelation = NULL;
	if (IsA(scan, IndexScanState))
	{
		IndexScanState *s = (IndexScanState *) scan;

		EndIndexScan(&s->iss_ScanDesc, &s->iss_RelationDesc);
		s->iss_RuntimeKeysReady = false;
	}
	else if (IsA(scan, IndexOnlyScanState))
	{
		IndexOnlyScanState *s = (IndexOnlyScanState *) scan;

		if (BufferIsValid(s->ioss_VMBuffer))
			ReleaseBuffer(s->ioss_VMBuffer);
		s->ioss_VMBuffer = InvalidBuffer;
		EndIndexScan(&s->ioss_ScanDesc, &s->ioss_RelationDesc);
		s->ioss_RuntimeKeysReady = false;
	}
	else if (IsA(scan, BitmapIndexScanState))
	{
		BitmapIndexScanState *s = (BitmapIndexScanState *) scan;

		EndIndexScan(&s->biss_ScanDesc, &s->biss_RelationDesc);
		s->biss_RuntimeKeysReady = false;
	}
}

/* Forget what was remembered for a query. */
static void
Forget(KeptQuery *k)
{
	ListCell   *lc;

	foreach(lc, k->sites)
		((FmgrInfo *) lfirst(lc))->fn_extra = NULL;
	if (k->sites)
		MemoryContextReset(k->remembered);
}

/*
 * The rows in a subplan's hash table are not looked at again: all subplans depend
 * on what changes, so that it is filled anew before it is used.
 */
static void
EmptyHashTable(SubPlanState * subplan)
{
	MemoryContextReset(subplan->hashtablecxt);
	subplan->havehashrows = subplan->havenullrows = false;
}

/*
 * Free what a run made: rows, scans, relations, the snapshot.  A left join's
 * row of nulls stays: it is made once, when the executor starts.
 */
static void
EndRun(KeptQuery *k)
{
	EState	   *estate = k->estate;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	ListCell   *lc;

	/* Those below them begin anew when they are run, not now. */
	foreach(lc, k->gatherers)
	{
		ChangeParam(k, lfirst(lc));
		ExecReScan(lfirst(lc));
	}
	foreach(lc, k->hashed)
		EmptyHashTable(lfirst(lc));
	foreach(lc, estate->es_tupleTable)
		ExecClearTuple(lfirst(lc));
	foreach(lc, k->null_slots)
		ExecStoreAllNullTuple(lfirst(lc));
	foreach(lc, k->scans)
		EndScan(lfirst(lc));
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
	Forget(k);
	MemoryContextSwitchTo(old);
}

static Relation
OpenIndex(EState * estate, ScanState *scan, Oid index)
{
	return index_open(index, exec_rt_fetch(((Scan *) scan->ps.plan)->scanrelid, estate)->rellockmode);
}

/* Open what a node scans, as far as it does not do so itself when it begins. */
static void
OpenScan(EState * estate, ScanState *scan)
{
	Plan	   *plan = scan->ps.plan;

	switch (nodeTag(scan))
	{
		case T_IndexScanState:
			((IndexScanState *) scan)->iss_RelationDesc = OpenIndex(estate, scan, ((IndexScan *) plan)->indexid);
			break;
		case T_IndexOnlyScanState:
			((IndexOnlyScanState *) scan)->ioss_RelationDesc = OpenIndex(estate, scan, ((IndexOnlyScan *) plan)->indexid);
			break;
		case T_BitmapIndexScanState:
			{
				BitmapIndexScanState *s = (BitmapIndexScanState *) scan;

				s->biss_RelationDesc = OpenIndex(estate, scan, ((BitmapIndexScan *) plan)->indexid);
#if PG_VERSION_NUM >= 180000
				s->biss_ScanDesc = index_beginscan_bitmap(s->biss_RelationDesc, estate->es_snapshot, NULL, s->biss_NumScanKeys);
#else
				s->biss_ScanDesc = index_beginscan_bitmap(s->biss_RelationDesc, estate->es_snapshot, s->biss_NumScanKeys);
#endif
				return;
			}
		default:
			break;
	}
	scan->ss_currentRelation = estate->es_relations[((Scan *) plan)->scanrelid - 1];
#if PG_VERSION_NUM < 170000
	if (IsA(scan, BitmapHeapScanState))
		scan->ss_currentScanDesc = table_beginscan_bm(scan->ss_currentRelation, estate->es_snapshot, 0, NULL);
#endif
}

/* Open what the plan scans; false: a materialized view has no rows yet. */
static bool
OpenRelations(KeptQuery *k)
{
	EState	   *estate = k->estate;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	bool		scannable = true;
	ListCell   *lc;

	estate->es_snapshot = GetActiveSnapshot();
	for (int i = 0; i < estate->es_range_table_size; i++)
		if (OidIsValid(k->relids[i]))
		{
			estate->es_relations[i] = table_open(k->relids[i], NoLock);
			scannable &= RelationIsScannable(estate->es_relations[i]);
		}
	foreach(lc, k->scans)
		OpenScan(estate, lfirst(lc));
	MemoryContextSwitchTo(old);
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
CheckRights(PlannedStmt *stmt)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecCheckPermissions(stmt->rtable, stmt->permInfos, true);
#else
	(void) ExecCheckRTPerms(stmt->rtable, true);
#endif
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

/* Find the calls in an expression that are to forget. */
static void
FindSites(KeptQuery *k, ExprState *state)
{
	for (int i = 0; state && i < state->steps_len; i++)
	{
		ExprEvalStep *step = &state->steps[i];

		switch (ExecEvalStepOp(state, step))
		{
			case EEOP_FUNCEXPR:
			case EEOP_FUNCEXPR_STRICT:
#if PG_VERSION_NUM >= 180000
			case EEOP_FUNCEXPR_STRICT_1:
			case EEOP_FUNCEXPR_STRICT_2:
#endif
			case EEOP_FUNCEXPR_FUSAGE:
			case EEOP_FUNCEXPR_STRICT_FUSAGE:
				if (KeptPlanForgets(step->d.func.finfo->fn_oid))
					k->sites = lappend(k->sites, step->d.func.finfo);
				break;
			default:
				break;
		}
	}
}

static void FindNodes(KeptQuery *k, PlanState * node);

static void
FindNodesOf(KeptQuery *k, PlanState * *nodes, int n)
{
	for (int i = 0; i < n; i++)
		FindNodes(k, nodes[i]);
}

static void
FindHashTables(KeptQuery *k, PlanState * node)
{
	ListCell   *lc;

	foreach(lc, node->subPlan)
		if (((SubPlanState *) lfirst(lc))->subplan->useHashTable)
		k->hashed = lappend(k->hashed, lfirst(lc));
	if (IsA(node, AggState) && ((AggState *) node)->hash_metacxt)
		k->tables = lappend(k->tables, ((AggState *) node)->hash_metacxt);
}

/* Find what is to be done to the nodes of a plan's state between two runs. */
static void
FindNodes(KeptQuery *k, PlanState * node)
{
	if (node == NULL)
		return;
	check_stack_depth();
	FindHashTables(k, node);
	if (node->ps_ProjInfo)
		FindSites(k, &node->ps_ProjInfo->pi_state);
	FindSites(k, node->qual);
	switch (nodeTag(node))
	{
		case T_IndexScanState:
		case T_IndexOnlyScanState:
		case T_BitmapIndexScanState:
		case T_SeqScanState:
			k->scans = lappend(k->scans, node);
			break;
		case T_BitmapHeapScanState:
			k->scans = lappend(k->scans, node);
			k->gatherers = lappend(k->gatherers, node);
			break;
		case T_SortState:
		case T_MaterialState:
		case T_FunctionScanState:
		case T_AggState:
			k->gatherers = lappend(k->gatherers, node);
			break;
		case T_NestLoopState:
			if (((NestLoopState *) node)->nl_NullInnerTupleSlot)
				k->null_slots = lappend(k->null_slots, ((NestLoopState *) node)->nl_NullInnerTupleSlot);
			break;
		case T_SubqueryScanState:
			FindNodes(k, ((SubqueryScanState *) node)->subplan);
			break;
		case T_AppendState:
			FindNodesOf(k, ((AppendState *) node)->appendplans, ((AppendState *) node)->as_nplans);
			break;
		case T_BitmapAndState:
			FindNodesOf(k, ((BitmapAndState *) node)->bitmapplans, ((BitmapAndState *) node)->nplans);
			break;
		case T_BitmapOrState:
			FindNodesOf(k, ((BitmapOrState *) node)->bitmapplans, ((BitmapOrState *) node)->nplans);
			break;
		default:
			break;
	}
	FindNodes(k, outerPlanState(node));
	FindNodes(k, innerPlanState(node));
}

/* The same for the whole plan; false: not all calls were found that are to forget. */
static bool
FindAllNodes(KeptQuery *k, QueryDesc * query, KeptPlan *found)
{
	ListCell   *lc;

	FindNodes(k, query->planstate);
	foreach(lc, query->estate->es_subplanstates)
		FindNodes(k, lfirst(lc));
	if (list_length(k->sites) != found->forgetful)
		return false;
	if (k->sites == NIL)
		return true;
	k->remembered = AllocSetContextCreate(k->context, "pg_assay kept query calls", ALLOCSET_SMALL_SIZES);
	foreach(lc, k->sites)
		((FmgrInfo *) lfirst(lc))->fn_mcxt = k->remembered;
	return true;
}

/* What was the transaction's is ours from now on, or nobody's. */
static void
Adopt(KeptQuery *k, QueryDesc * query, CachedPlan * plan)
{
	ListCell   *lc;

	k->estate = query->estate;
	k->root = query->planstate;
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

/* The executor's memory, with hash tables, which don't shrink, but not what is reset */
static Size
ExecutorBytes(KeptQuery *k)
{
	Size		bytes = MemoryContextMemAllocated(k->estate->es_query_cxt, false);
	ListCell   *lc;

	foreach(lc, k->tables)
		bytes += MemoryContextMemAllocated(lfirst(lc), false);
	return bytes;
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
	MemoryContext old;
	CachedPlan *plan;
	PlannedStmt *stmt;
	QueryDesc  *query;
	KeptPlan	found;

	/* News that come with the locks count. */
	k->news = ItemNews();
	/* What planning leaves behind goes with the statement. */
	plan = GetCachedPlan(source, NULL, CurrentResourceOwner, NULL);
	old = MemoryContextSwitchTo(k->context);
	if (KeptPlanFits(source, plan, &found))
	{
		PushReadSnapshot();
		stmt = linitial_node(PlannedStmt, plan->stmt_list);
		k->param = -1;
		k->settings = found.settings;
		if (found.keeps_rows)
			stmt = KeptPlanCopy(stmt, &k->param);
		query = CreateQueryDesc(stmt, source->query_string,
								GetActiveSnapshot(), InvalidSnapshot, dest, params, NULL, 0);
		standard_ExecutorStart(query, EXEC_FLAG_SKIP_TRIGGERS);
		if (query->estate->es_junkFilter == NULL && SameRow(query->tupDesc, desc) && FindAllNodes(k, query, &found))
			Adopt(k, query, plan);
		else
		{
			standard_ExecutorFinish(query);
			standard_ExecutorEnd(query);
			FreeQueryDesc(query);
			PopActiveSnapshot();
		}
	}
	MemoryContextSwitchTo(old);
	if (k->plan == NULL)
	{
		ReleaseCachedPlan(plan, CurrentResourceOwner);
		MemoryContextDelete(k->context);
		k = NewKept(CurrentMemoryContext, source);
		k->refused = source->generation;
		MemoryContextSetIdentifier(k->context, "not kept");
	}
	else
	{
		k->bytes = MemoryContextMemAllocated(k->context, true);
		k->own_bytes = ExecutorBytes(k);
	}
	MemoryContextSetParent(k->context, parent);
	return k;
}

/* Has it gathered memory?  Then another is made the next time. */
static bool
HasGrown(KeptQuery *k)
{
	if (ExecutorBytes(k) > k->own_bytes + GATHERED_MAX)
		return true;
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
	if (k->param >= 0)
		ChangeParam(k, k->root);
	ExecReScan(k->root);
	slot = ExecProcNode(k->root);
	if (!TupIsNull(slot))
		(void) dest->receiveSlot(slot, dest);
	MemoryContextSwitchTo(old);
}

/* Where it still holds, open it for a run, by a snapshot that is active then. */
static bool
BeginAgain(KeptQuery **kept, CachedPlanSource * source, MemoryContext statement)
{
	KeptQuery  *k = *kept;

	if (k == NULL || k->use || k->plan == NULL)
		return false;
	LockTables(k);
	if (!Holds(k, source))
		return false;
	CheckRights(linitial_node(PlannedStmt, k->plan->stmt_list));
	PushReadSnapshot();
	Use(kept, statement);
	if (OpenRelations(k))
		return true;
	EndRun(k);
	Unuse(k);
	PopActiveSnapshot();
	return false;
}

/* Make it, open for a run, in *kept, where it can be kept. */
static bool
BeginAnew(KeptQuery **kept, MemoryContext parent, CachedPlanSource * source, ParamListInfo params,
		  TupleDesc desc, DestReceiver *dest, MemoryContext statement)
{
	KeptQuery  *k = *kept;

	/* A materialized view without rows is an error by the ordinary way. */
	if (k && (k->use || (k->plan && Holds(k, source)) ||
			  (k->plan == NULL && k->refused == source->generation && source->is_valid)))
		return false;
	KeptQueryDrop(kept);
	k = Make(parent, source, params, desc, dest);
	*kept = k;
	if (k->plan == NULL)
		return false;
	Use(kept, statement);
	return true;
}

static void
RunBegun(KeptQuery **kept, ParamListInfo params, DestReceiver *dest)
{
	KeptQuery  *k = *kept;

	RunOnce(k, params, dest);
	EndRun(k);

	Unuse(k);
	if (HasGrown(k))
		KeptQueryDrop(kept);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

bool
KeptQueryRunAgain(KeptQuery **kept, SPIPlanPtr plan, ParamListInfo params, DestReceiver *dest,
				  MemoryContext statement)
{
	if (!BeginAgain(kept, linitial(SPI_plan_get_plan_sources(plan)), statement))
		return false;
	RunBegun(kept, params, dest);
	return true;
}

bool
KeptQueryRun(KeptQuery **kept, MemoryContext parent, SPIPlanPtr plan, ParamListInfo params,
			 TupleDesc desc, DestReceiver *dest, MemoryContext statement)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	if (!BeginAgain(kept, source, statement) &&
		!BeginAnew(kept, parent, source, params, desc, dest, statement))
		return false;
	RunBegun(kept, params, dest);
	return true;
}

int
KeptQuerySettings(const KeptQuery *kept)
{
	return kept && kept->plan ? kept->settings : SETTINGS_ALL;
}
