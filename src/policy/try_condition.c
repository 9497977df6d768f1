/*
 * try_condition.c
 *		A condition or model that no policy has yet, over many messages: for
 *		backtest().
 *
 * It is parsed as a detector's would be (RuleParse), with the policy's guards,
 * and runs as the policy's owner where the caller may act as that, and else as
 * the caller: never a stranger's function with the owner's rights.
 *
 * Of logged signals only those are read that the condition names.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/relation.h"
#include "batch.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "logged_signals.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "portability/instr_time.h"
#include "protect.h"
#include "rights.h"
#include "rule.h"
#include "try_condition.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* One evaluation in so many is timed */
#define TIMED	16

/* How often it tells how far it is */
#define PROGRESS_ROWS	64
#define PROGRESS_MS		2000

/* What one call site keeps */
typedef struct TryState
{
	text	   *policy;
	text	   *condition;
	Oid			userid;
	PolicyIdentity *id;
	Oid			run_as;
	Oid			row_type;
	TupleDesc	desc;
	SignalsReader *reader;
	TupleTableSlot *row;		/* as the view has it */
	TupleTableSlot *values;		/* as they were logged */
	ExprContext *econtext;
	Expr	   *parsed;
	ExprState  *expr;			/* NULL: not ready */
	MemoryContext expr_context;
	bool		foreign_code;	/* may depend on the search_path */
	int			settings;		/* that it depends on without that */
	char		parallel;		/* PROPARALLEL_... of what it calls */
	MemoryContext context;
	bool		bound;			/* all above but expr is there */
	uint64		evaluations;
} TryState;

/* What this backend took, of those evaluations that were timed */
static int64 timed_evaluations;
static instr_time timed_total;

/* How far this backend is with a backtest, which is told of now and then */
static bool at_work = false;
static int64 done;
static int64 expected;
static TimestampTz told;

/* A backtest begins: of so many messages, or 0 */
void
TryBegin(int64 messages)
{
	timed_evaluations = 0;
	INSTR_TIME_SET_ZERO(timed_total);
	at_work = true;
	done = 0;
	expected = messages;
	told = GetCurrentTimestamp();
}

void
TryEnd(void)
{
	at_work = false;
}

/* One message is done: workers do others meanwhile, of which nothing is known here. */
void
TryProgress(void)
{
	TimestampTz now;

	if (!at_work || ++done % PROGRESS_ROWS != 0)
		return;
	now = GetCurrentTimestamp();
	if (!TimestampDifferenceExceeds(told, now, PROGRESS_MS))
		return;
	told = now;
	if (expected > done)
		ereport(NOTICE,
				(errmsg("backtest: at least %lld of about %lld messages", (long long) done, (long long) expected)));
	else
		ereport(NOTICE,
				(errmsg("backtest: at least %lld messages", (long long) done)));
}

/* Microseconds of one evaluation; false when none was timed */
bool
TryCost(double *us)
{
	if (timed_evaluations == 0)
		return false;
	*us = INSTR_TIME_GET_DOUBLE(timed_total) * 1e6 / timed_evaluations;
	return true;
}

/* What a rule calls, it calls. */
static void
NoteRule(TryState *state, const Rule *rule, Bitmapset * *signals)
{
	*signals = bms_add_members(*signals, rule->signals);
	state->foreign_code |= rule->foreign_code;
	state->settings |= rule->settings;
	if (state->parallel == PROPARALLEL_SAFE || rule->parallel == PROPARALLEL_UNSAFE)
		state->parallel = rule->parallel;
}

/* Guards that a condition names, as expressions by their number */
static Node *
PutGuards(Node *node, void *exprs)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == INNER_VAR)
		return copyObject(((Node **) exprs)[((Var *) node)->varattno - 1]);
	return expression_tree_mutator(node, PutGuards, exprs);
}

/* Parse the condition, and each guard that it names: as who runs it. */
static Expr *
ParseWithGuards(TryState *state, const char *condition, List *names, List *conditions,
				Bitmapset * *signals)
{
	Rule	   *rule = RuleParse(condition, state->desc, names, "the backtest", state->run_as, true);
	Node	  **exprs = palloc0((list_length(names) + 1) * sizeof(Node *));
	int			i = -1;

	*signals = NULL;
	state->foreign_code = false;
	state->settings = 0;
	state->parallel = PROPARALLEL_SAFE;
	NoteRule(state, rule, signals);
	while ((i = bms_next_member(rule->guards, i)) >= 0)
	{
		Rule	   *guard = RuleParse(list_nth(conditions, i), state->desc, NIL,
									  psprintf("guard \"%s\"", (char *) list_nth(names, i)), state->run_as, true);

		NoteRule(state, guard, signals);
		exprs[i] = (Node *) guard->expr;
	}
	return (Expr *) PutGuards((Node *) rule->expr, exprs);
}

/*
 * Make it ready, for the first time or after an error (NoteCaught() in evaluate.c);
 * a function may have been dropped meanwhile, which is the next message's error, too.
 */
static void
MakeReady(TryState *state)
{
	MemoryContext old;

	MemoryContextReset(state->expr_context);
	old = MemoryContextSwitchTo(state->expr_context);
	state->expr = ExecInitExpr(state->parsed, NULL);
	MemoryContextSwitchTo(old);
}

static void
Prepare(TryState *state, const char *condition)
{
	Relation	rel;
	List	   *conditions;
	List	   *names = ConfigGuards(state->id->policy, &conditions);
	Bitmapset  *signals;
	Security	security;

	rel = relation_open(state->id->signals, AccessShareLock);
	state->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	state->row_type = RelationGetForm(rel)->reltype;
	relation_close(rel, AccessShareLock);
	EnterOwner(&security, state->run_as, state->id->search_path);
	state->parsed = ParseWithGuards(state, condition, names, conditions, &signals);
	state->expr_context = AllocSetContextCreate(state->context, "pg_assay backtest condition", ALLOCSET_SMALL_SIZES);
	MakeReady(state);
	LeaveSecurity(&security);
	state->reader = MakeSignalsReader(state->desc, bms_is_empty(signals) ? bms_make_singleton(state->desc->natts) : signals,
									  state->context);
	state->row = MakeSingleTupleTableSlot(state->desc, &TTSOpsHeapTuple);
	state->values = MakeSingleTupleTableSlot(state->desc, &TTSOpsVirtual);
	state->econtext = CreateStandaloneExprContext();
}

/* Make ready for a condition, in the memory of the call site. */
static void
BindTry(TryState *state, text *policy, text *condition)
{
	MemoryContext old;

	state->expr = NULL;
	state->bound = false;
	MemoryContextReset(state->context);
	old = MemoryContextSwitchTo(state->context);
	state->policy = DatumGetTextPCopy(PointerGetDatum(policy));
	state->condition = DatumGetTextPCopy(PointerGetDatum(condition));
	state->id = ConfigIdentify(text_to_cstring(policy));
	if (!PolicyMay(state->id, "reader"))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", state->id->policy)));
	PolicyMustHaveView(state->id);
	state->userid = GetUserId();
	state->run_as = has_privs_of_role(state->userid, state->id->owner) ? state->id->owner : state->userid;
	Prepare(state, text_to_cstring(condition));
	MemoryContextSwitchTo(old);
	state->bound = true;
}

static bool
SameText(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/* The functions are parallel safe; what a condition calls may not be. */
static void
CheckParallel(const TryState *state)
{
	if (!IsInParallelMode() || state->parallel == PROPARALLEL_SAFE ||
		(state->parallel == PROPARALLEL_RESTRICTED && !IsParallelWorker()))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
			 errmsg("condition cannot be evaluated in a parallel query"),
			 errdetail("It calls a function that is not parallel safe."),
			 errhint("Declare the function PARALLEL SAFE if it is, or SET max_parallel_workers_per_gather = 0.")));
}

static TryState *
StateOf(FunctionCallInfo fcinfo)
{
	TryState   *state = fcinfo->flinfo->fn_extra;
	text	   *policy = PG_GETARG_TEXT_PP(0);
	text	   *condition = PG_GETARG_TEXT_PP(1);

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(TryState));
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "pg_assay backtest", ALLOCSET_DEFAULT_SIZES);
		fcinfo->flinfo->fn_extra = state;
	}
	if (!state->bound || state->userid != GetUserId() ||
		!SameText(state->policy, policy) || !SameText(state->condition, condition))
		BindTry(state, policy, condition);
	CheckParallel(state);
	return state;
}

/* One evaluation */
typedef struct TryJob
{
	TryState   *state;
	Datum		value;			/* a row, or logged signals */
	bool		logged;
	bool		hit;
	HeapTupleData tuple;		/* of the row */
} TryJob;

static void
LoadRow(TryJob *job)
{
	TryState   *state = job->state;
	HeapTuple	tuple = &job->tuple;

	if (job->logged)
	{
		MemoryContext old = MemoryContextSwitchTo(state->econtext->ecxt_per_tuple_memory);

		ExecClearTuple(state->values);
		ReadSignals(state->reader, job->value, state->values->tts_values, state->values->tts_isnull);
		MemoryContextSwitchTo(old);
		state->econtext->ecxt_scantuple = ExecStoreVirtualTuple(state->values);
		return;
	}
	tuple->t_data = DatumGetHeapTupleHeader(job->value);
	if (HeapTupleHeaderGetTypeId(tuple->t_data) != state->row_type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the row is not of signals view %s", state->id->signals_name)));
	tuple->t_len = HeapTupleHeaderGetDatumLength(tuple->t_data);
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	ExecStoreHeapTuple(tuple, state->row, false);
	state->econtext->ecxt_scantuple = state->row;
}

static void
RunTry(void *arg)
{
	TryJob	   *job = arg;
	TryState   *state = job->state;
	bool		isnull;
	instr_time	start;
	instr_time	end;
	bool		timed = state->evaluations++ % TIMED == 0;
	Datum		hit;

	ResetExprContext(state->econtext);
	if (state->expr == NULL)
		MakeReady(state);
	LoadRow(job);
	if (timed)
		INSTR_TIME_SET_CURRENT(start);
	hit = ExecEvalExprSwitchContext(state->expr, state->econtext, &isnull);
	if (timed)
	{
		INSTR_TIME_SET_CURRENT(end);
		INSTR_TIME_ACCUM_DIFF(timed_total, end, start);
		timed_evaluations++;
	}
	job->hit = !isnull && DatumGetBool(hit);
}

/*
 * Does it hit?  careful: an error is the message's, not the query's; but for one
 * of a user's function where there is no subtransaction for it (protect.h).
 */
static Datum
Try(FunctionCallInfo fcinfo, bool logged)
{
	TryJob		job = {.logged = logged};
	bool		careful = PG_GETARG_BOOL(3);
	ErrorData  *error = NULL;
	Security	security;

	job.state = StateOf(fcinfo);
	job.value = PG_GETARG_DATUM(2);
	EnterToEvaluate(&security, job.state->run_as,
					job.state->foreign_code ? job.state->id->search_path : NULL, job.state->settings);
	if (careful && (CanProtect() || !job.state->foreign_code))
		error = RunProtected(RunTry, &job);
	else
		RunTry(&job);
	if (error)
		job.state->expr = NULL;
	ExecClearTuple(job.state->row);
	ExecClearTuple(job.state->values);
	LeaveSecurity(&security);
	TryProgress();
	if (error)
	{
		FreeErrorData(error);
		PG_RETURN_INT32(TRY_FAULT);
	}
	PG_RETURN_INT32(job.hit ? TRY_HIT : TRY_MISS);
}

/* condition_hit(policy, condition, signals record, careful) */
PG_FUNCTION_INFO_V1(assay_condition_hit);
Datum
assay_condition_hit(PG_FUNCTION_ARGS)
{
	return Try(fcinfo, false);
}

/* condition_hit(policy, condition, signals logged_signals, careful) */
PG_FUNCTION_INFO_V1(assay_condition_hit_logged);
Datum
assay_condition_hit_logged(PG_FUNCTION_ARGS)
{
	return Try(fcinfo, true);
}
