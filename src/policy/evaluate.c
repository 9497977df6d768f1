/*
 * evaluate.c
 *		The evaluator: one row of signals in, verdict, score and ledger out.
 *
 * Every path (SELECT, trigger, replay, parallel worker) comes through here.
 * At first all conditions are evaluated at once (EvaluateRow), and after an
 * error each by itself (EvaluateRowApart), so that an error costs only the
 * detector that made it.
 *
 * No message may switch a detector off for others.  Whatever one detector
 * costs, the others are evaluated, those that force a verdict first.  A
 * detector that takes too long is evaluated by itself for a while, in a small
 * share of the time, and left out of the rest of a statement in which it does
 * so again.  One that fails on most of many messages, and not because of the
 * data, is suspended for a while.  All of that heals by itself, and every
 * decision that was made without a detector is marked degraded.
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "budget.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "encoding.h"
#include "evaluate.h"
#include "invalidation.h"
#include "ledger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "portability/instr_time.h"
#include "protect.h"
#include "security.h"
#include "steady_time.h"
#include "text_detector.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define FAULT_LIMIT_MIN		1
#define FAULT_LIMIT_DEFAULT	100
#define FAULT_LIMIT_MAX		1000000

/*
 * Conditions that are evaluated at once; memory is looked at behind them, and
 * whether their time is over: many functions of the server's never ask.
 */
#define CHUNK_PARTS			32

/* Evaluations of one policy within another */
#define NESTED_MAX			8

/* How long a detector that fails too often, or takes too long, stays aside */
#define ASIDE_USECS			(60 * USECS_PER_SEC)

/* Overruns in a statement after which its rest does without the detector */
#define OVERRUNS_MAX		2

/* The share of the time that one gets which took too long lately */
#define APART_SHARE			10

/* A margin beyond does not fit into a ledger, nor a sum of all. */
#define MARGIN_MAX			1e300

/* Memory of a message's conditions from which on it is worth giving back */
#define GIVE_BACK			(256 * 1024)

static int	fault_limit = FAULT_LIMIT_DEFAULT;

void
EvaluateInit(void)
{
	DefineCustomIntVariable("assay.fault_limit",
							"Faults among twice as many messages after which a backend leaves a detector out for a minute.",
							"Faults because of the data do not count.",
							&fault_limit,
							FAULT_LIMIT_DEFAULT, FAULT_LIMIT_MIN, FAULT_LIMIT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

/*
 * Health: which parts stay aside
 */

/* Is this part left out, or evaluated by itself? */
static bool
IsSuspended(Evaluation *e, int part)
{
	return e->entry->health.parts[part].suspended_until != 0 || e->overruns[part] >= OVERRUNS_MAX;
}

static bool
IsApart(Evaluation *e, int part)
{
	return e->entry->health.parts[part].apart_until != 0;
}

/* Another part stays aside, until then. */
static void
SetAside(PolicyHealth *health, TimestampTz *until)
{
	*until = SteadyTime() + ASIDE_USECS;
	health->next = Min(health->next, *until);
	health->version++;
}

/* Let those come back whose time is over. */
static void
Heal(PolicyEntry *entry)
{
	PolicyHealth *health = &entry->health;
	TimestampTz now;

	if (likely(health->next == DT_NOEND))
		return;
	now = SteadyTime();
	if (now < health->next)
		return;
	health->next = DT_NOEND;
	health->version++;
	for (int i = 0; i < POLICY_PARTS(entry->policy); i++)
	{
		PartHealth *h = &health->parts[i];

		if (h->suspended_until <= now)
			h->suspended_until = 0;
		if (h->apart_until <= now)
			h->apart_until = 0;
		if (h->suspended_until)
			health->next = Min(health->next, h->suspended_until);
		if (h->apart_until)
			health->next = Min(health->next, h->apart_until);
	}
}

/*
 * Does it fail on most messages?  Failures are counted in windows of messages,
 * and those of the window before count half.
 */
static bool
FailsTooOften(PolicyHealth *health, PartHealth *h)
{
	uint64		window = health->messages / (2 * (uint64) fault_limit);

	if (h->window != window)
		h->failures = (h->window + 1 == window) ? h->failures / 2 : 0;
	h->window = window;
	return ++h->failures >= fault_limit;
}

static const char *
NameOfPart(CompiledPolicy *p, int part)
{
	return part < p->ndetectors ? p->detectors[part].name :
		p->exclusions[part - p->ndetectors].name;
}

/* Note that a part failed on this row, and whether it is to stay aside. */
static void
NoteFault(Evaluation *e, int part, ErrorData *error, List **list)
{
	CompiledPolicy *p = e->policy;
	PolicyHealth *health = &e->entry->health;
	PartHealth *h = &health->parts[part];
	PolicyOutcome *o = &e->outcomes[part];
	PolicyFault *fault = palloc0(sizeof(PolicyFault));

	strlcpy(fault->sqlstate, unpack_sql_state(error->sqlerrcode), 6);
	fault->detector = NameOfPart(p, part);

	fault->message = error->message;
	o->hit = false;
	o->sqlstate = fault->sqlstate;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && BudgetIsSpent())
		 /* it happened to be at work when the statement's time was over */ ;
	else if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		e->message_overruns++;
		e->overruns[part]++;
		e->overran = true;
		SetAside(health, &h->apart_until);
	}
	else if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) &&
			 FailsTooOften(health, h))
	{
		SetAside(health, &h->suspended_until);
		h->failures = 0;
		fault->suspended = true;
		ereport(NoticeLevel(p->id->owner),
				(errmsg("policy \"%s\": detector \"%s\" is suspended in this session for a minute, since it fails on most messages",
						p->id->policy, fault->detector),
				 errdetail("The last error was: %s", error->message),
				 errhint("Mend it by assay.alter_detector(); any change of the policy ends the suspension.")));
	}
	if (list)
		*list = lappend(*list, fault);
}

/*
 * Making one
 */

static TupleTableSlot *
BooleanSlot(int n)
{
	TupleDesc	desc = CreateTemplateTupleDesc(n);

	for (int i = 1; i <= n; i++)
		TupleDescInitEntry(desc, i, NULL, BOOLOID, -1, 0);
	return MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
}

/* A detector of which only whether it hits is asked: most are. */
static bool
IsPlain(CompiledPolicy *p, int part)
{
	PolicyDetector *d = &p->detectors[part];

	return part < p->ndetectors && d->rollout >= 1 && d->expires_at == DT_NOEND;
}

static void
BuildChunk(Evaluation *e, List *parts)
{
	CompiledPolicy *p = e->policy;
	EvaluationChunk *c = &e->chunks[e->nchunks];
	List	   *targets = NIL;
	ListCell   *lc;

	c->n = list_length(parts);
	c->parts = palloc(c->n * sizeof(int));
	c->plain = palloc(c->n * sizeof(bool));
	foreach(lc, parts)
	{
		int			column = foreach_current_index(lc);
		int			part = lfirst_int(lc);

		c->parts[column] = part;
		c->plain[column] = IsPlain(p, part);
		e->chunk_of[part] = e->nchunks;
		e->column_of[part] = column;
		targets = lappend(targets, makeTargetEntry(PolicyPart(p, part)->expr, column + 1, NULL, false));
	}
	c->result = BooleanSlot(c->n);
	c->projection = ExecBuildProjectionInfo(targets, e->econtext, c->result, NULL, p->desc);
	e->nchunks++;
}

static void
BuildGuards(Evaluation *e)
{
	CompiledPolicy *p = e->policy;
	List	   *targets = NIL;

	if (p->nguards == 0)
		return;
	for (int i = 0; i < p->nguards; i++)
	{
		Expr	   *expr = p->guards[i].condition.expr;

		if (expr == NULL)
			expr = (Expr *) makeNullConst(BOOLOID, -1, InvalidOid);
		targets = lappend(targets, makeTargetEntry(expr, i + 1, NULL, false));
	}
	e->guard_projection = ExecBuildProjectionInfo(targets, e->econtext, e->guard_slot,
												  NULL, p->desc);
}

/* All but those that stay aside: so many at once, or by what they have in common */
static void
BuildChunks(Evaluation *e)
{
	CompiledPolicy *p = e->policy;
	MemoryContext old;
	List	   *parts = NIL;

	MemoryContextReset(e->chunk_context);
	old = MemoryContextSwitchTo(e->chunk_context);
	e->nchunks = e->napart = e->nothers = 0;
	e->atoms = NULL;
	e->takes_part = palloc0(POLICY_PARTS(p) * sizeof(bool));
	e->hits = palloc0(POLICY_PARTS(p) * sizeof(bool));
	e->chunks = palloc0((POLICY_PARTS(p) / CHUNK_PARTS + 1) * sizeof(EvaluationChunk));
	for (int i = 0; i < POLICY_PARTS(p); i++)
	{
		bool		has_rule = PolicyPart(p, i)->rule != NULL;
		bool		aside = IsSuspended(e, i) || IsApart(e, i);

		e->chunk_of[i] = e->column_of[i] = -1;
		e->takes_part[i] = has_rule && !aside;
		if (e->takes_part[i] && p->atoms == NULL)
			parts = lappend_int(parts, i);
		if (!IsSuspended(e, i) && IsApart(e, i))
			e->apart[e->napart++] = i;
		if (i < p->ndetectors && (!has_rule || aside || !IsPlain(p, i)))
			e->others[e->nothers++] = i;
		if (list_length(parts) == CHUNK_PARTS ||
			(i == POLICY_PARTS(p) - 1 && parts != NIL))
		{
			BuildChunk(e, parts);
			parts = NIL;
		}
	}
	if (p->atoms)
		e->atoms = AtomIndexCreate(p->atoms, e->takes_part);
	BuildGuards(e);
	MemoryContextSwitchTo(old);
	e->version = e->entry->health.version;
	e->spoilt = false;
}

/*
 * An error was caught, of one part by itself, or of all that is evaluated at once.
 * What functions keep between their calls is not gone on with where one of them
 * ended in the midst of it: what it had half made it would take for whole.  Nor is
 * it where functions were replaced: one that became what its language can't compile,
 * which the error may have said, is taken for ready the next time.
 */
static void
NoteCaught(Evaluation *e, bool of_all)
{
	bool		replaced = e->news != ItemNews();

	e->spoilt |= of_all || replaced;

	/*
	 * Of one by itself EvaluateExpr() lets go; what that leaves is given back
	 * in time.
	 */
	if (!replaced && ++e->caught <= POLICY_PARTS(e->policy))
		return;
	e->news = ItemNews();
	e->caught = 0;
	MemoryContextReset(e->single_context);
	memset(e->single, 0, POLICY_PARTS(e->policy) * sizeof(ExprState *));
	memset(e->guard_single, 0, e->policy->nguards * sizeof(ExprState *));
}

/* The order of the parts when each is evaluated by itself */
static void
SortParts(Evaluation *e)
{
	CompiledPolicy *p = e->policy;
	int			n = 0;

	for (int forcing = 1; forcing >= 0; forcing--)
		for (int i = 0; i < p->ndetectors; i++)
			if ((p->detectors[i].verdict >= 0) == forcing)
				e->order[n++] = i;
	for (int i = p->ndetectors; i < POLICY_PARTS(p); i++)
		e->order[n++] = i;
}

static Evaluation *
MakeEvaluation(PolicyEntry *entry)
{
	CompiledPolicy *p = entry->policy;
	int			n = POLICY_PARTS(p);

	/* In memory that goes with the caller's until it is whole */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "pg_assay evaluation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Evaluation *e = palloc0(sizeof(Evaluation));

	e->entry = entry;
	e->policy = p;
	e->context = context;
	e->news = ItemNews();
	e->econtext = CreateStandaloneExprContext();
	e->chunk_context = AllocSetContextCreate(context, "pg_assay chunks", ALLOCSET_DEFAULT_SIZES);
	e->single_context = AllocSetContextCreate(context, "pg_assay parts", ALLOCSET_DEFAULT_SIZES);
	e->single = palloc0(n * sizeof(ExprState *));
	e->guard_single = palloc0(p->nguards * sizeof(ExprState *));
	e->chunk_of = palloc(n * sizeof(int));
	e->column_of = palloc(n * sizeof(int));
	e->others = palloc(n * sizeof(int));
	e->apart = palloc(n * sizeof(int));
	e->order = palloc(n * sizeof(int));
	e->overruns = palloc0(n * sizeof(int));
	e->outcomes = palloc0(n * sizeof(PolicyOutcome));
	for (int i = 0; i < n; i++)
		e->outcomes[i].evaluated = true;
	e->slot = MakeSingleTupleTableSlot(p->desc, &TTSOpsVirtual);
	e->nwords = (p->ndetectors + 63) / 64;
	e->active = palloc0(e->nwords * sizeof(uint64));
	e->outputs = palloc0(p->desc->natts * sizeof(FmgrInfo));
	e->sends = palloc0(p->desc->natts * sizeof(FmgrInfo));
	e->evidence = palloc0(p->desc->natts * sizeof(EvidenceValue));
	e->top = palloc(Max(p->top_features, 1) * sizeof(ModelContribution));
	TextDetectorsBegin(e);
	if (p->prefilter)
		e->prefilter = PrefilterScratchCreate(p->prefilter);
	if (p->nguards > 0)
		e->guard_slot = BooleanSlot(p->nguards);
	SortParts(e);
	BuildChunks(e);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, entry->context);
	return e;
}

/* A use of an evaluation, in the memory of who uses it */
typedef struct EvaluationUse
{
	Evaluation *evaluation;
	MemoryContextCallback callback;
} EvaluationUse;

/*
 * What an error left in the middle of a row is not used again: its functions
 * would go on from there.  Nor is one whose conditions may have called score():
 * what that keeps pinned, maybe this very entry, goes with it.
 */
static void
Release(void *arg)
{
	Evaluation *e = ((EvaluationUse *) arg)->evaluation;

	e->entry->evaluations--;
	if (e->at_work || (e->policy->foreign_code && e->uses != PolicyCacheUses()))
		MemoryContextDelete(e->context);
	else
	{
		TextDetectorsIdle(e);
		e->next = e->entry->idle;
		e->entry->idle = e;
	}
}

/*
 * An evaluation of a policy, for rows of one statement, until "context" is
 * reset.  It must be the same that the entry is pinned in, or one that is
 * reset before.  count: in the statistics.  The owner is entered.
 */
Evaluation *
EvaluationGet(PolicyEntry *entry, bool count, MemoryContext context)
{
	EvaluationUse *use;
	Evaluation *e;

	if (entry->evaluations >= NESTED_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("policy \"%s\" is being evaluated already", entry->name),
				 errdetail("A condition or signal calls score() for the policy that it belongs to, %d times within itself.",
						   NESTED_MAX)));
	Heal(entry);
	/* Once it is counted, nothing fails before it is known to be given back. */
	use = MemoryContextAlloc(context, sizeof(EvaluationUse));
	e = entry->idle;
	if (e == NULL)
		e = MakeEvaluation(entry);
	else
		entry->idle = e->next;
	entry->evaluations++;
	use->evaluation = e;
	use->callback.func = Release;
	use->callback.arg = use;
	MemoryContextRegisterResetCallback(context, &use->callback);

	e->uses = PolicyCacheUses();
	e->count = count;
	e->protect = !e->policy->id->raise_errors && (CanProtect() || !e->policy->foreign_code);
	for (int i = 0; e->overran && i < POLICY_PARTS(e->policy); i++)
	{
		if (e->overruns[i] >= OVERRUNS_MAX)
			e->version = entry->health.version - 1; /* it takes part again */
		e->overruns[i] = 0;
	}
	e->overran = false;
	return e;
}

/*
 * Who takes part
 */

/* The same in every encoding; a key's with the byte that ends it */
static uint64
HashText(const char *s, int ending, uint64 seed)
{
	Size		len;
	const char *bytes = TextToHash(s, strlen(s), &len);

	return hash_bytes_extended((const unsigned char *) bytes, len + ending, seed);
}

/*
 * A key's bytes, the same whatever the settings of the session: as text, or as
 * it is sent where the text form depends on a setting.
 */
static uint64
HashKey(Evaluation *e, int column, uint64 seed)
{
	bool		isnull;
	Datum		value = slot_getattr(e->slot, column + 1, &isnull);
	char	   *s = "";

	if (!isnull && e->policy->columns[column].send)
	{
		bytea	   *sent = SendFunctionCall(ColumnSend(e, column), value);

		return hash_bytes_extended((const unsigned char *) VARDATA(sent),
								   VARSIZE(sent) - VARHDRSZ, seed);
	}
	if (!isnull)
		s = OutputFunctionCall(ColumnOutput(e, column), value);
	return HashText(s, 1, seed);
}

/* Does the rollout of a detector include this message? */
static bool
InRollout(Evaluation *e, PolicyDetector *d)
{
	uint64		hash;

	if (d->rollout >= 1)
		return true;
	hash = HashText(d->name, 0, 0);
	for (int i = 0; i < e->policy->nkeys; i++)
		hash = HashKey(e, e->policy->keys[i], hash);
	return (double) (hash >> 11) / (double) (UINT64CONST(1) << 53) < d->rollout;
}

/* expires_at is the first moment that it does not hold; DT_NOEND: it holds for ever. */
static inline bool
NotExpired(TimestampTz expires_at, TimestampTz at)
{
	return at < expires_at || expires_at == DT_NOEND;
}

/* Who takes part now; the others have no place in the ledger. */
static bool
TakesPart(Evaluation *e, int part)
{
	CompiledPolicy *p = e->policy;

	if (part >= p->ndetectors)
		return NotExpired(p->exclusions[part - p->ndetectors].expires_at, e->at);
	return NotExpired(p->detectors[part].expires_at, e->at) &&
		InRollout(e, &p->detectors[part]);
}

/* What is known of a part before it is evaluated */
static void
BeginOutcome(Evaluation *e, int part)
{
	PolicyCondition *condition = PolicyPart(e->policy, part);
	PolicyOutcome *o = &e->outcomes[part];

	o->hit = false;
	o->sqlstate = condition->sqlstate[0] ? condition->sqlstate : NULL;
	o->suspended = IsSuspended(e, part);
}

/*
 * Evaluation
 */

static void
EvaluateModel(Evaluation *e, int detector)
{
	PolicyDetector *d = &e->policy->detectors[detector];
	PolicyOutcome *o = &e->outcomes[detector];
	TupleTableSlot *slot = e->slot;

	slot_getallattrs(slot);
	o->margin = d->is_text ? TextDetectorMargin(e, detector, KeepsAllFeatures(e)) :
		ModelMarginSlotValues(d->model, d->binding, slot->tts_values, slot->tts_isnull);
	if (!(fabs(o->margin) <= MARGIN_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("margin of the model of detector \"%s\" is not finite", d->name)));
	o->hit = o->margin > 0;
}

/* Has it a place in the ledger? */
static inline bool
IsActive(PolicyDetector *d, PolicyOutcome *o)
{
	return o->evaluated && (HasFailed(o) || d->is_model || o->hit);
}

static inline void
SetActive(Evaluation *e, int detector)
{
	e->active[detector / 64] |= UINT64CONST(1) << (detector % 64);
}

static inline bool
IsTrue(TupleTableSlot *result, int column)
{
	return !result->tts_isnull[column] && DatumGetBool(result->tts_values[column]);
}

/* One condition by itself, without the prefilter and what it shares */
static Datum
EvaluateAlone(Evaluation *e, Rule *rule, ExprState **single, bool *isnull)
{
	Datum		value = EvaluateExpr(e, rule->expr, single, isnull);

	CHECK_FOR_INTERRUPTS();
	BudgetCheckMemory(e->econtext->ecxt_per_tuple_memory);
	return value;
}

static bool
EvaluateSingle(Evaluation *e, Rule *rule, ExprState **single)
{
	bool		isnull;
	Datum		value = EvaluateAlone(e, rule, single, &isnull);

	return !isnull && DatumGetBool(value);
}

/* The guards that one condition needs, by themselves */
static void
EvaluateItsGuards(Evaluation *e, Rule *rule)
{
	CompiledPolicy *p = e->policy;
	int			guard = -1;

	if (p->nguards == 0)
		return;
	ExecClearTuple(e->guard_slot);
	memset(e->guard_slot->tts_isnull, true, p->nguards);
	while ((guard = bms_next_member(rule->guards, guard)) >= 0)
	{
		e->guard_slot->tts_values[guard] = EvaluateAlone(e, p->guards[guard].condition.rule,
														 &e->guard_single[guard],
														 &e->guard_slot->tts_isnull[guard]);
	}
	ExecStoreVirtualTuple(e->guard_slot);
	e->econtext->ecxt_innertuple = e->guard_slot;
}

/* The row at hand, as it was given */
static void
TakeRow(Evaluation *e)
{
	int			natts = e->policy->desc->natts;

	slot_getallattrs(e->given);
	ExecClearTuple(e->slot);
	memcpy(e->slot->tts_values, e->given->tts_values, natts * sizeof(Datum));
	memcpy(e->slot->tts_isnull, e->given->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(e->slot);
	if (e->atoms)
		AtomIndexForget(e->atoms);
}

/*
 * What was made of the row so far may go, and with it what the row was given
 * of that: columns in their plain form.
 */
static void
Forget(Evaluation *e)
{
	ResetExprContext(e->econtext);
	TakeRow(e);
}

/* One part by itself, and what it needs */
static void
EvaluatePart(Evaluation *e, int part)
{
	CompiledPolicy *p = e->policy;
	PolicyOutcome *o = &e->outcomes[part];
	PolicyCondition *condition = PolicyPart(p, part);

	Forget(e);
	o->evaluated = TakesPart(e, part);
	if (!o->evaluated)
		return;
	if (part < p->ndetectors && p->detectors[part].is_model)
	{
		EvaluateModel(e, part);
		return;
	}
	EvaluateItsGuards(e, condition->rule);
	o->hit = EvaluateSingle(e, condition->rule, &e->single[part]);
}

/* The statement has no time left for a part; that is no fault of the part's. */
static void
LeaveOut(Evaluation *e, int part, List **faults)
{
	MemoryContext old = MemoryContextSwitchTo(e->result);
	PolicyFault *fault = palloc0(sizeof(PolicyFault));

	strlcpy(fault->sqlstate, unpack_sql_state(ERRCODE_QUERY_CANCELED), 6);
	fault->detector = NameOfPart(e->policy, part);
	fault->message = pstrdup(STATEMENT_IS_SPENT);
	e->outcomes[part].sqlstate = fault->sqlstate;
	if (faults)
		*faults = lappend(*faults, fault);
	MemoryContextSwitchTo(old);
}

typedef struct PartJob
{
	Evaluation *evaluation;
	int			part;
} PartJob;

static void
RunPartJob(void *arg)
{
	PartJob    *job = arg;
	MemoryContext old = MemoryContextSwitchTo(job->evaluation->econtext->ecxt_per_tuple_memory);

	EvaluatePart(job->evaluation, job->part);
	MemoryContextSwitchTo(old);
}

/* The same, in "share" of a message's time; an error costs this part only. */
static void
TryPart(Evaluation *e, int part, int share, List **faults)
{
	PartJob		job = {e, part};
	PolicyOutcome *o = &e->outcomes[part];
	MemoryContext old;
	ErrorData  *error;

	BeginOutcome(e, part);
	o->evaluated = true;
	if (HasFailed(o))
	{
		o->evaluated = part < e->policy->ndetectors ?
			NotExpired(e->policy->detectors[part].expires_at, e->at) :
			NotExpired(e->policy->exclusions[part - e->policy->ndetectors].expires_at, e->at);
		return;
	}
	if (BudgetIsSpent())
	{
		LeaveOut(e, part, faults);
		return;
	}
	BudgetAllow(100 / share);
	old = MemoryContextSwitchTo(e->result);
	error = RunProtected(RunPartJob, &job);
	if (error)
	{
		NoteCaught(e, false);
		NoteFault(e, part, error, faults);
	}
	MemoryContextSwitchTo(old);
}

/* Is the row so large that copies of it count? */
static bool
IsLarge(Evaluation *e)
{
	TupleTableSlot *slot = e->slot;
	Size		bytes = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
		if (e->policy->columns[i].is_varlena && !slot->tts_isnull[i])
			bytes += toast_raw_datum_size(slot->tts_values[i]);
	return bytes > BudgetLargeRow();
}

/* Results of conditions are kept by value: what made them may go. */
static void
GiveBackMemory(Evaluation *e)
{
	MemoryContext memory = e->econtext->ecxt_per_tuple_memory;

	CHECK_FOR_INTERRUPTS();
	BudgetCheckMemory(memory);
	if (MemoryContextMemAllocated(memory, true) <= GIVE_BACK)
		return;
	Forget(e);
}

/* A detector of which only that is asked hits. */
static void
NotePlainHit(Evaluation *e, int part)
{
	PolicyOutcome *o = &e->outcomes[part];

	o->sqlstate = NULL;
	o->suspended = false;
	o->evaluated = true;
	o->hit = true;
	SetActive(e, part);
}

/* The conditions of a chunk; those that hit and need no question are noted. */
static void
EvaluateChunk(Evaluation *e, EvaluationChunk *c)
{
	(void) ExecProject(c->projection);
	for (int i = 0; i < c->n; i++)
		if (c->plain[i] && IsTrue(c->result, i))
			NotePlainHit(e, c->parts[i]);
	GiveBackMemory(e);
}

/* The guards, which share what they compute with the conditions */
static void
EvaluateGuards(Evaluation *e)
{
	TupleTableSlot *slot = e->guard_slot;

	if (slot == NULL)
		return;
	ExecClearTuple(slot);
	for (int i = 0; i < e->policy->nguards; i++)
		slot->tts_values[i] = AtomIndexGuard(e->atoms, e->econtext, i, &slot->tts_isnull[i]);
	e->econtext->ecxt_innertuple = ExecStoreVirtualTuple(slot);
}

/* Those alone that the atoms don't exclude, in the order of all */
static void
EvaluateCandidates(Evaluation *e)
{
	int			evaluated = 0;

	memset(e->hits, 0, POLICY_PARTS(e->policy) * sizeof(bool));
	EvaluateGuards(e);
	AtomIndexProbe(e->atoms, e->econtext, e->prefilter);
	for (int i = AtomIndexNext(e->atoms, 0); i >= 0; i = AtomIndexNext(e->atoms, i + 1))
	{
		CHECK_FOR_INTERRUPTS();
		e->hits[i] = AtomIndexIsTrue(e->atoms, e->econtext, i);
		if (e->hits[i] && IsPlain(e->policy, i))
			NotePlainHit(e, i);
		if (++evaluated % CHUNK_PARTS == 0)
			GiveBackMemory(e);
	}
	GiveBackMemory(e);
}

/* One by one, so that memory is looked at behind each */
static void
EvaluateSingly(Evaluation *e)
{
	for (int part = 0; part < POLICY_PARTS(e->policy); part++)
	{
		PolicyCondition *condition = PolicyPart(e->policy, part);

		e->hits[part] = false;
		if (!e->takes_part[part])
			continue;
		Forget(e);
		EvaluateItsGuards(e, condition->rule);
		e->hits[part] = EvaluateSingle(e, condition->rule, &e->single[part]);
		if (!e->hits[part] || !IsPlain(e->policy, part))
			continue;
		BeginOutcome(e, part);
		e->outcomes[part].evaluated = true;
		e->outcomes[part].hit = true;
		SetActive(e, part);
	}
}

static void
EvaluateConditions(Evaluation *e)
{
	e->singly = IsLarge(e);
	if (e->singly)
	{
		EvaluateSingly(e);
		return;
	}
	if (e->prefilter)
		e->econtext->ecxt_outertuple = PrefilterScan(e->prefilter, e->slot,
													 e->atoms ? e->policy->atoms->plain : NULL);
	if (e->atoms)
	{
		EvaluateCandidates(e);
		return;
	}
	if (e->guard_projection)
		e->econtext->ecxt_innertuple = ExecProject(e->guard_projection);
	for (int i = 0; i < e->nchunks; i++)
		EvaluateChunk(e, &e->chunks[i]);
}

/* What was made of a part */
static bool
PartHit(Evaluation *e, int part)
{
	if (e->atoms || e->singly)
		return e->hits[part];
	return e->chunk_of[part] >= 0 &&
		IsTrue(e->chunks[e->chunk_of[part]].result, e->column_of[part]);
}

/* All at once: any error is the caller's. */
static void
EvaluateTogether(Evaluation *e, List **faults)
{
	CompiledPolicy *p = e->policy;

	memset(e->active, 0, e->nwords * sizeof(uint64));
	EvaluateConditions(e);
	for (int k = 0; k < e->nothers; k++)
	{
		int			i = e->others[k];
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &e->outcomes[i];

		BeginOutcome(e, i);
		o->evaluated = TakesPart(e, i);
		if (o->evaluated && !HasFailed(o) && !IsApart(e, i))
		{
			if (d->is_model)
				EvaluateModel(e, i);
			else
				o->hit = PartHit(e, i);
		}
	}
	for (int i = p->ndetectors; i < POLICY_PARTS(p); i++)
	{
		BeginOutcome(e, i);
		e->outcomes[i].evaluated = TakesPart(e, i);
		e->outcomes[i].hit = e->outcomes[i].evaluated && PartHit(e, i);
	}
	for (int k = 0; k < e->napart; k++)
	{
		if (e->protect)
			TryPart(e, e->apart[k], APART_SHARE, faults);
		else
			EvaluatePart(e, e->apart[k]);
	}
	for (int k = 0; k < e->nothers; k++)
		if (IsActive(&p->detectors[e->others[k]], &e->outcomes[e->others[k]]))
			SetActive(e, e->others[k]);
}

/*
 * One by one, each in a subtransaction.  The more of them take too long, the
 * less time each of the others has; but it has some.
 */
static void
EvaluateEach(Evaluation *e, List **faults)
{
	CompiledPolicy *p = e->policy;

	for (int k = 0; k < POLICY_PARTS(p); k++)
	{
		int			part = e->order[k];
		int			share = 1 << Min(e->message_overruns, 4);

		TryPart(e, part, IsApart(e, part) ? Max(share, APART_SHARE) : share, faults);
	}
	memset(e->active, 0, e->nwords * sizeof(uint64));
	for (int i = 0; i < p->ndetectors; i++)
		if (IsActive(&p->detectors[i], &e->outcomes[i]))
			SetActive(e, i);
}

/* Count what the detectors made of this message. */
static void
CountOutcomes(Evaluation *e, bool degraded)
{
	PolicyStats *stats = e->entry->stats;
	StatsCounts *c = stats->counts;

	c[0].evaluations++;
	c[0].hits += degraded;
	for (int k = 0; k < e->nothers; k++)
	{
		int			i = e->others[k];

		c[i + 1].skipped += (!e->outcomes[i].evaluated || e->outcomes[i].suspended);
	}
	for (int i = NextActive(e, 0); i >= 0; i = NextActive(e, i + 1))
	{
		PolicyOutcome *o = &e->outcomes[i];

		if (o->suspended)
			continue;
		c[i + 1].faults += (o->sqlstate != NULL);
		c[0].faults += (o->sqlstate != NULL);
		c[i + 1].hits += o->hit;
	}
	if (++stats->unflushed >= STATS_FLUSH_EVERY)
		StatsFlush(stats);
}

/*
 * Once in a while one detector by itself, for its time; another one each time.
 * All were evaluated on this row just now.
 */
static void
SampleTime(Evaluation *e)
{
	CompiledPolicy *p = e->policy;
	int			i = e->next_sample++ % p->ndetectors;
	PolicyOutcome *o = &e->outcomes[i];
	StatsCounts *c = &e->entry->stats->counts[i + 1];
	instr_time	start,
				end;

	if (!o->evaluated || HasFailed(o) || IsApart(e, i))
		return;
	INSTR_TIME_SET_CURRENT(start);
	if (p->detectors[i].is_model)
		EvaluateModel(e, i);
	else
		(void) EvaluateSingle(e, p->detectors[i].condition.rule, &e->single[i]);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	c->sampled++;
	c->sampled_ns += (uint64) (INSTR_TIME_GET_DOUBLE(end) * 1e9);
}

/* Another row; together: all of it at once */
static void
BeginRow(Evaluation *e, TupleTableSlot *slot, TimestampTz at, bool together)
{
	Heal(e->entry);
	if (unlikely(e->version != e->entry->health.version || (e->spoilt && together)))
		BuildChunks(e);
	e->at_work = true;
	e->message_overruns = 0;
	e->entry->health.messages++;
	e->given = slot;
	e->at = at;
	e->result = CurrentMemoryContext;
	Forget(e);
	e->econtext->ecxt_scantuple = e->slot;
}

/* All at once: an error is the caller's. */
void
EvaluateRow(Evaluation *e, TupleTableSlot *slot, TimestampTz at, PolicyDecision *decision,
			List **faults)
{
	MemoryContext caller = CurrentMemoryContext;

	BeginRow(e, slot, at, true);
	MemoryContextSwitchTo(e->econtext->ecxt_per_tuple_memory);
	EvaluateTogether(e, faults);
	Conclude(e, decision, caller, false);
	if (e->count && e->entry->stats)
	{
		CountOutcomes(e, decision->degraded);
		if (e->policy->ndetectors > 0 && e->evaluations++ % STATS_SAMPLE_EVERY == 0)
			SampleTime(e);
	}
	MemoryContextSwitchTo(caller);
	e->at_work = false;
}

/*
 * The same for a row that has failed, each detector by itself, where an error
 * costs only the detector that makes it.  What failed is appended to *faults,
 * when that is not NULL.
 */
void
EvaluateRowApart(Evaluation *e, TupleTableSlot *slot, TimestampTz at,
				 PolicyDecision *decision, List **faults)
{
	BeginRow(e, slot, at, false);
	EvaluateEach(e, faults);
	Conclude(e, decision, CurrentMemoryContext, true);
	if (e->count && e->entry->stats)
		CountOutcomes(e, decision->degraded);
	e->at_work = false;
}

typedef struct RowJob
{
	Evaluation *evaluation;
	TupleTableSlot *slot;
	TimestampTz at;
	PolicyDecision *decision;
	List	  **faults;
} RowJob;

static void
RunRowJob(void *arg)
{
	RowJob	   *job = arg;

	EvaluateRow(job->evaluation, job->slot, job->at, job->decision, job->faults);
}

/* For a row that may fail: all at once, and only after an error apart */
void
EvaluateRowProtected(Evaluation *e, TupleTableSlot *slot, TimestampTz at,
					 PolicyDecision *decision, List **faults)
{
	RowJob		job = {e, slot, at, decision, faults};
	List	   *before = faults ? list_copy(*faults) : NIL;
	ErrorData  *error = RunProtected(RunRowJob, &job);

	if (error == NULL)
		return;
	FreeErrorData(error);
	NoteCaught(e, true);
	if (faults)
		*faults = before;
	EvaluateRowApart(e, slot, at, decision, faults);
}

/* A decision without any signals, from the prior alone */
void
DecideWithoutRow(CompiledPolicy *p, const char *sqlstate, PolicyDecision *decision)
{
	AttributionBuilder b = {0};

	AttributionBegin(&b);
	AttributionEntry(&b, ATTRIBUTION_SIGNALS, 0, p->id->signals_name, 0, NULL, NULL,
					 sqlstate);
	decision->margin = p->prior;
	decision->score = 1 / (1 + exp(-p->prior));
	decision->verdict = Max(VerdictOf(p, decision->score), p->unreadable);
	decision->degraded = true;
	decision->attribution = AttributionFinish(&b, p->id->revision, p->prior, p->prior,
											  true);
}
