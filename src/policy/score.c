/*
 * score.c
 *		score(policy, signals [, revision [, at [, drafts]]]): the evaluator as
 *		a SQL function.
 *
 * What one call site needs is kept from row to row: the policy stays pinned,
 * and its evaluation in use, until the query ends or asks for another.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "budget.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "evaluate.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "protect.h"
#include "security.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

typedef struct ScoreState
{
	bool		valid;
	Oid			userid;
	char	   *policy;
	int			revision;
	bool		drafts;
	Oid			typid;
	int32		typmod;
	TypeCacheEntry *type;		/* of a named row type */
	uint64		type_version;	/* tells when that was altered */
	PolicyEntry *entry;			/* pinned in context */
	Evaluation *evaluation;		/* once one was needed */
	TupleTableSlot *slot;
	TupleDesc	result;
	MemoryContext context;		/* of all but the result */
} ScoreState;

/*
 * A row without the message's key is no row of the signals view: a table
 * instead of it, or a row that lost its names on the way.
 */
static void
CheckKey(CompiledPolicy *p)
{
	if (p->nkeys > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("the row has no column \"%s\", by which policy \"%s\" identifies a message",
					(char *) linitial(p->id->key), p->id->policy),
			 errhint("Pass a row of the signals view: SELECT x.* FROM %s v CROSS JOIN LATERAL assay.score(%s, v) x.",
					 p->id->signals_name, quote_literal_cstr(p->id->policy))));
}

/*
 * A row of another table has signals of the same names at best.  What it lacks
 * is missing from the score, which says so in the attribution alone.
 */
static void
TellWrongRow(CompiledPolicy *p, Oid typid)
{
	if (p->nbroken == 0 || typid == RECORDOID || typid == get_rel_type_id(p->id->signals))
		return;
	for (int i = 0; i < POLICY_PARTS(p); i++)
	{
		PolicyCondition *c = PolicyPart(p, i);

		if (strcmp(c->sqlstate, "42703") != 0)
			continue;
		ereport(WARNING,
				(errmsg("policy \"%s\" scores rows of %s without %s \"%s\": %s", p->id->policy, format_type_be(typid),
						i < p->ndetectors ? "detector" : "exclusion",
						i < p->ndetectors ? p->detectors[i].name : p->exclusions[i - p->ndetectors].name, c->message),
				 errhint("Pass rows of its signals view, %s.", p->id->signals_name)));
		return;
	}
}

/* score() is parallel safe; what its conditions call may not be. */
static void
CheckParallel(CompiledPolicy *p)
{
	if (!IsInParallelMode() || p->parallel == PROPARALLEL_SAFE ||
		(p->parallel == PROPARALLEL_RESTRICTED && !IsParallelWorker()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
			 errmsg("policy \"%s\" cannot be evaluated in a parallel query", p->id->policy),
			 errdetail("A condition calls a function that is not parallel safe."),
			 errhint("Declare the function PARALLEL SAFE if it is, or SET max_parallel_workers_per_gather = 0.")));
}

static void
BindScore(ScoreState *state, FunctionCallInfo fcinfo, HeapTupleHeader row,
		  const char *policy, int revision, bool drafts)
{
	TupleDesc	desc;
	MemoryContext old;

	state->valid = false;
	if (state->context == NULL)
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
											   "pg_assay score", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(state->context);
	state->evaluation = NULL;
	state->typid = HeapTupleHeaderGetTypeId(row);
	state->typmod = HeapTupleHeaderGetTypMod(row);
	state->type = NULL;
	if (state->typid != RECORDOID)
	{
		state->type = lookup_type_cache(state->typid, TYPECACHE_TUPDESC);
		state->type_version = state->type->tupDesc_identifier;
	}
	desc = lookup_rowtype_tupdesc_copy(state->typid, state->typmod);
	state->entry = PolicyGet(policy, revision, drafts, desc, GetUserId(), state->context);
	CheckKey(state->entry->policy);
	CheckParallel(state->entry->policy);
	TellWrongRow(state->entry->policy, state->typid);
	old = MemoryContextSwitchTo(state->context);
	state->policy = pstrdup(policy);
	state->slot = MakeSingleTupleTableSlot(state->entry->desc, &TTSOpsHeapTuple);
	MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (state->result == NULL)
	{
		if (get_call_result_type(fcinfo, NULL, &state->result) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		state->result = BlessTupleDesc(state->result);
	}
	MemoryContextSwitchTo(old);
	FreeTupleDesc(desc);
	state->revision = revision;
	state->drafts = drafts;
	state->userid = GetUserId();
	state->valid = true;
}

/* Is it still what this row asks for? */
static bool
IsBound(ScoreState *state, text *policy, HeapTupleHeader row, int revision, bool drafts)
{
	return state->valid && PolicyEntryHolds(state->entry) &&
		state->typid == HeapTupleHeaderGetTypeId(row) &&
		state->typmod == HeapTupleHeaderGetTypMod(row) &&
		(state->type == NULL || state->type->tupDesc_identifier == state->type_version) &&
		state->revision == revision && state->drafts == drafts &&
		state->userid == GetUserId() &&
		strlen(state->policy) == VARSIZE_ANY_EXHDR(policy) &&
		memcmp(state->policy, VARDATA_ANY(policy), VARSIZE_ANY_EXHDR(policy)) == 0;
}

/*
 * In a parallel query before PostgreSQL 17 nothing can be recovered from: the
 * error is the query's, and says why.
 */
static void
ExplainParallelError(void *arg)
{
	if (!CanProtect() && geterrcode() != ERRCODE_INVALID_TRANSACTION_STATE)
		errhint("Before PostgreSQL 17 a parallel query cannot leave a detector out whose functions may run queries: SET max_parallel_workers_per_gather = 0.");
}

static void
EvaluateInTime(Evaluation *e, TupleTableSlot *slot, TimestampTz at, PolicyDecision *decision)
{
	BudgetStart(false);
	PG_TRY();
	{
		EvaluateRowProtected(e, slot, at, decision, NULL);
	}
	PG_FINALLY();
	{
		BudgetStop();
	}
	PG_END_TRY();
}

static void
Evaluate(ScoreState *state, TimestampTz at, PolicyDecision *decision)
{
	CompiledPolicy *p = state->entry->policy;
	ErrorContextCallback callback = {error_context_stack, ExplainParallelError, NULL};
	Security	security;

	error_context_stack = &callback;
	EnterToEvaluate(&security, p->id->owner, p->foreign_code ? p->id->search_path : NULL,
					p->settings);
	/* One that an error left in the middle of a row is not used again. */
	if (state->evaluation == NULL || state->evaluation->at_work)
		state->evaluation = EvaluationGet(state->entry, false, state->context);
	if (state->evaluation->protect)
		EvaluateInTime(state->evaluation, state->slot, at, decision);
	else
		EvaluateRow(state->evaluation, state->slot, at, decision, NULL);
	LeaveSecurity(&security);
	error_context_stack = callback.previous;
}

PG_FUNCTION_INFO_V1(assay_score);
Datum
assay_score(PG_FUNCTION_ARGS)
{
	ScoreState *state = fcinfo->flinfo->fn_extra;
	text	   *policy;
	HeapTupleHeader row;
	HeapTupleData tuple;
	PolicyDecision decision;
	int			revision = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	bool		drafts = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	TimestampTz at;
	Datum		values[4];
	bool		nulls[4] = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	policy = PG_GETARG_TEXT_PP(0);
	row = PG_GETARG_HEAPTUPLEHEADER(1);
	at = PG_ARGISNULL(3) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(3);

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ScoreState));
		fcinfo->flinfo->fn_extra = state;
	}
	if (!IsBound(state, policy, row, revision, drafts))
		BindScore(state, fcinfo, row, text_to_cstring(policy), revision, drafts);

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	ExecStoreHeapTuple(&tuple, state->slot, false);
	Evaluate(state, at, &decision);
	ExecClearTuple(state->slot);

	values[0] = CStringGetTextDatum(state->entry->policy->verdicts[decision.verdict]);
	values[1] = Float4GetDatum((float4) decision.score);
	values[2] = PointerGetDatum(decision.attribution);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->result, values, nulls)));
}
