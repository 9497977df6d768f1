/*
 * score.c
 *		The evaluator: one row of signals in, verdict, score and ledger out.
 *
 * Every path (SELECT, trigger, replay, parallel worker) comes through
 * PolicyEvaluate().  The margin is the prior plus the contributions in order
 * of the detectors' names, added in float64; the ledger keeps the same
 * numbers, so that it adds up to the margin.
 *
 * PolicyEvaluateProtected() is the same for rows that may fail: at first all
 * at once, and after an error each detector by itself, so that an error costs
 * only the detector that made it.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "budget.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "port/pg_bitutils.h"
#include "compat.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "policy.h"
#include "portability/instr_time.h"
#include "prefilter.h"
#include "protect.h"
#include "access/detoast.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* A larger value of a type that is not text is not written out in a ledger. */
#define EVIDENCE_RAW_MAX	8192

/* Detectors that may use up a message's time before the others are left out */
#define LATE_MAX			3

/* Times any weight, and of as many detectors as there can be, it is finite. */
#define MARGIN_MAX			1e300

/*
 * Evidence
 */

/*
 * A signal's value as text of at most ATTRIBUTION_VALUE_MAX bytes; NULL for a
 * null.  Of a long text only the beginning is fetched.
 */
static const char *
EvidenceText(PolicyEvidence *e, TupleTableSlot *slot, int *len)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, e->column + 1, &isnull);
	const char *s;
	int			n;

	if (isnull)
		return NULL;
	if (e->is_text)
	{
		text	   *t = DatumGetTextPSlice(value, 0, ATTRIBUTION_VALUE_MAX + 1);

		s = VARDATA_ANY(t);
		n = VARSIZE_ANY_EXHDR(t);
	}
	else if (e->is_varlena && toast_raw_datum_size(value) > EVIDENCE_RAW_MAX)
	{
		s = "...";
		n = strlen(s);
	}
	else
	{
		s = OutputFunctionCall(&e->output, value);
		n = strlen(s);
	}
	if (n > ATTRIBUTION_VALUE_MAX)
	{
		char	   *cut = palloc(ATTRIBUTION_VALUE_MAX + 1);

		n = pg_mbcliplen(s, n, ATTRIBUTION_VALUE_MAX - 3);
		memcpy(cut, s, n);
		memcpy(cut + n, "...", 3);
		s = cut;
		n += 3;
	}
	*len = n;
	return s;
}

/*
 * A key's bytes, the same whatever the settings of the session: as text, or as
 * it is sent where the text form depends on a setting.
 */
static uint64
HashKey(PolicyEvidence *e, TupleTableSlot *slot, uint64 seed)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, e->column + 1, &isnull);
	char	   *s = "";

	if (!isnull && e->binary)
	{
		bytea	   *sent = SendFunctionCall(&e->output, value);

		return hash_bytes_extended((const unsigned char *) VARDATA(sent),
								   VARSIZE(sent) - VARHDRSZ, seed);
	}
	if (!isnull)
		s = OutputFunctionCall(&e->output, value);
	return hash_bytes_extended((const unsigned char *) s, strlen(s) + 1, seed);
}

/* Does the rollout of a detector include this message? */
static bool
InRollout(CompiledPolicy *p, PolicyDetector *d, TupleTableSlot *slot)
{
	uint64		hash;

	if (d->rollout >= 1)
		return true;
	hash = hash_bytes_extended((const unsigned char *) d->name, strlen(d->name), 0);
	for (int i = 0; i < p->nkeys; i++)
		hash = HashKey(&p->keys[i], slot, hash);
	return (double) (hash >> 11) / (double) (UINT64CONST(1) << 53) < d->rollout;
}

/*
 * Evaluation
 */

static void
EvaluateGuards(CompiledPolicy *p)
{
	if (p->guard_projection)
		p->econtext->ecxt_innertuple = ExecProject(p->guard_projection);
}

static void
EvaluateModel(PolicyDetector *d, PolicyOutcome *o, TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	o->margin = ModelMarginSlotValues(d->model, d->binding, slot->tts_values,
									  slot->tts_isnull);
	/* What does not fit into a ledger, nor a sum of all, can't be restored. */
	if (!(fabs(o->margin) <= MARGIN_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("margin of the model of detector \"%s\" is not finite", d->name)));
	o->hit = o->margin > 0;
}

/* An expiry is the first moment after; without one there is none, ever. */
static inline bool
NotExpired(TimestampTz expires_at, TimestampTz at)
{
	return at < expires_at || expires_at == DT_NOEND;
}

/* Who takes part now; the others have no place in the ledger. */
static bool
TakesPart(CompiledPolicy *p, PolicyDetector *d, TupleTableSlot *slot,
		  TimestampTz at)
{
	return NotExpired(d->expires_at, at) && InRollout(p, d, slot);
}

static bool
ResultIsTrue(CompiledPolicy *p, int column)
{
	return !p->result_slot->tts_isnull[column] &&
		DatumGetBool(p->result_slot->tts_values[column]);
}

static inline bool
HasFailed(PolicyDetector *d, PolicyOutcome *o)
{
	return o->sqlstate != NULL || d->suspended;
}

/* Has it a place in the ledger? */
static inline bool
IsActive(PolicyDetector *d, PolicyOutcome *o)
{
	return o->evaluated && (HasFailed(d, o) || d->model || o->hit);
}

static inline void
SetActive(CompiledPolicy *p, int detector)
{
	p->active[detector / 64] |= UINT64CONST(1) << (detector % 64);
}

/* The next active detector from "from" on, or -1 */
static inline int
NextActive(CompiledPolicy *p, int from)
{
	for (int word = from / 64; word < p->nwords; word++)
	{
		uint64		bits = p->active[word];

		if (word == from / 64)
			bits &= ~UINT64CONST(0) << (from % 64);
		if (bits != 0)
			return word * 64 + pg_rightmost_one_pos64(bits);
	}
	return -1;
}

/* All at once: any error is the caller's. */
static void
EvaluateTogether(CompiledPolicy *p, TupleTableSlot *slot, TimestampTz at)
{
	if (p->prefilter)
		p->econtext->ecxt_outertuple = PrefilterScan(p->prefilter, slot);
	EvaluateGuards(p);
	if (p->projection)
		(void) ExecProject(p->projection);
	memset(p->active, 0, p->nwords * sizeof(uint64));
	for (int k = 0; k < p->nplain; k++)
		if (ResultIsTrue(p, p->plain_columns[k]))
		{
			PolicyOutcome *o = &p->outcomes[p->plain[k]];

			o->sqlstate = NULL;
			o->evaluated = true;
			o->hit = true;
			SetActive(p, p->plain[k]);
		}
	for (int k = 0; k < p->nothers; k++)
	{
		int			i = p->others[k];
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &p->outcomes[i];

		o->sqlstate = d->sqlstate[0] ? d->sqlstate : NULL;
		o->evaluated = TakesPart(p, d, slot, at);
		o->hit = false;
		if (!o->evaluated)
			continue;
		if (!HasFailed(d, o))
		{
			if (d->model)
				EvaluateModel(d, o, slot);
			else
				o->hit = ResultIsTrue(p, d->column);
		}
		if (IsActive(d, o))
			SetActive(p, i);
	}
	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		PolicyOutcome *o = &p->outcomes[p->ndetectors + i];

		o->sqlstate = x->sqlstate[0] ? x->sqlstate : NULL;
		o->evaluated = NotExpired(x->expires_at, at);
		o->hit = o->evaluated && x->column >= 0 && ResultIsTrue(p, x->column);
	}
}

/* One by one, each in a subtransaction */
typedef struct EvaluateJob
{
	CompiledPolicy *policy;
	TupleTableSlot *slot;
	TimestampTz at;
	PolicyDetector *detector;
	PolicyOutcome *outcome;
	Rule	   *rule;
	ExprState **single;
	PolicyDecision *decision;
} EvaluateJob;

static bool
EvaluateSingle(CompiledPolicy *p, Rule *rule, ExprState **single)
{
	bool		isnull;
	Datum		value;

	if (*single == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(p->context);

		*single = ExecInitExpr(rule->expr, NULL);
		MemoryContextSwitchTo(old);
	}
	value = ExecEvalExprSwitchContext(*single, p->econtext, &isnull);
	return !isnull && DatumGetBool(value);
}

/* The guards that one condition needs, by themselves */
static void
EvaluateItsGuards(CompiledPolicy *p, Rule *rule)
{
	int			guard = -1;

	if (p->nguards == 0)
		return;
	ExecClearTuple(p->guard_slot);
	memset(p->guard_slot->tts_isnull, true, p->nguards);
	while ((guard = bms_next_member(rule->guards, guard)) >= 0)
	{
		p->guard_slot->tts_isnull[guard] = false;
		p->guard_slot->tts_values[guard] =
			BoolGetDatum(EvaluateSingle(p, p->guards[guard], &p->guard_single[guard]));
	}
	ExecStoreVirtualTuple(p->guard_slot);
	p->econtext->ecxt_innertuple = p->guard_slot;
}

static void
EvaluateOne(void *arg)
{
	EvaluateJob *job = arg;
	CompiledPolicy *p = job->policy;

	if (job->detector)
	{
		job->outcome->evaluated = true;
		job->outcome->evaluated = TakesPart(p, job->detector, job->slot, job->at);
		if (!job->outcome->evaluated)
			return;
		if (job->detector->model)
		{
			EvaluateModel(job->detector, job->outcome, job->slot);
			return;
		}
	}
	EvaluateItsGuards(p, job->rule);
	job->outcome->hit = EvaluateSingle(p, job->rule, job->single);
}

/*
 * Note that a detector (or exclusion) failed on this row, and leave it out
 * from now on when it has done so too often.
 */
static void
NoteFault(CompiledPolicy *p, const char *name, PolicyOutcome *o,
		  ErrorData *error, int *faults, bool *suspended, List **list)
{
	PolicyFault *fault = palloc0(sizeof(PolicyFault));

	strlcpy(fault->sqlstate, unpack_sql_state(error->sqlerrcode), 6);
	fault->detector = name;
	fault->message = error->message;
	o->hit = false;
	o->sqlstate = fault->sqlstate;
	if (++*faults >= assay_fault_limit)
	{
		*suspended = fault->suspended = true;
		ereport(PolicyNotice(p->owner),
				(errmsg("policy \"%s\": detector \"%s\" is suspended in this session after %d faults",
						p->name, name, *faults),
				 errdetail("The last was: %s", error->message),
				 errhint("Mend it by assay.alter_detector(); any change of the policy ends the suspension.")));
	}
	if (list)
		*list = lappend(*list, fault);
}

/* After so many detectors that took too long the others have no time left. */
static bool
TooLate(PolicyOutcome *o, int late)
{
	if (late < LATE_MAX)
		return false;
	o->sqlstate = "57014";
	return true;
}

static void
EvaluateApart(CompiledPolicy *p, TupleTableSlot *slot, TimestampTz at,
			  List **faults)
{
	bool		rebuild = false;
	int			late = 0;

	for (int i = 0; i < p->ndetectors; i++)
	{
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &p->outcomes[i];
		EvaluateJob job = {p, slot, at, d, o, d->rule, &d->single, NULL};
		ErrorData  *error;

		o->hit = false;
		o->evaluated = NotExpired(d->expires_at, at);
		o->sqlstate = d->sqlstate[0] ? d->sqlstate : NULL;
		if (!o->evaluated || o->sqlstate || d->suspended || TooLate(o, late))
			continue;
		error = RunProtected(EvaluateOne, &job);
		if (error)
		{
			late += (error->sqlerrcode == ERRCODE_QUERY_CANCELED);
			NoteFault(p, d->name, o, error, &d->faults, &d->suspended, faults);
			rebuild |= d->suspended;
		}
	}
	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		PolicyOutcome *o = &p->outcomes[p->ndetectors + i];
		EvaluateJob job = {p, slot, at, NULL, o, x->rule, &x->single, NULL};
		ErrorData  *error;

		o->hit = false;
		o->evaluated = NotExpired(x->expires_at, at);
		o->sqlstate = x->sqlstate[0] ? x->sqlstate : NULL;
		if (!o->evaluated || o->sqlstate || x->suspended || TooLate(o, late))
			continue;
		error = RunProtected(EvaluateOne, &job);
		if (error)
		{
			late += (error->sqlerrcode == ERRCODE_QUERY_CANCELED);
			NoteFault(p, x->name, o, error, &x->faults, &x->suspended, faults);
			rebuild |= x->suspended;
		}
	}
	memset(p->active, 0, p->nwords * sizeof(uint64));
	for (int i = 0; i < p->ndetectors; i++)
		if (IsActive(&p->detectors[i], &p->outcomes[i]))
			SetActive(p, i);
	if (rebuild)
		PolicyBuildProjection(p);
}

/*
 * The ledger
 */

/* The evidence of an entry, which is the last one */
typedef struct EvidenceJob
{
	CompiledPolicy *policy;
	TupleTableSlot *slot;
	PolicyEvidence *evidence;	/* of a condition, or NULL */
	int			n;
	PolicyDetector *detector;	/* with a model */
	PolicyOutcome *outcome;
} EvidenceJob;

/* The top features of a model, whose SHAP values take far longer than its margin */
static void
WriteFeatures(EvidenceJob *job)
{
	PolicyDetector *d = job->detector;
	PolicyOutcome *o = job->outcome;
	double		expected;
	double		margin;
	int			n = ModelExplainSlotValues(d->model, d->binding, job->slot->tts_values,
										   job->slot->tts_isnull, o->max_top, o->top,
										   &expected, &margin);

	for (int i = 0; i < n; i++)
	{
		ModelContribution *c = &o->top[i];
		char		value[DOUBLE_SHORTEST_DECIMAL_LEN];
		int			len = 0;

		/* One that is out of range is shown by what is left of it, elsewhere. */
		if (!(fabs(c->contribution) <= MARGIN_MAX))
			continue;
		if (!isnan(c->value))
			len = double_to_shortest_decimal_buf(c->value, value);
		AttributionEvidence(&job->policy->builder, MODEL_FEATURE_NAME(d->model, c->feature),
							isnan(c->value) ? NULL : value, len,
							c->contribution * d->weight);
	}
}

static void
WriteEvidence(void *arg)
{
	EvidenceJob *job = arg;

	if (job->evidence == NULL)
		WriteFeatures(job);
	else
		for (int i = 0; i < job->n; i++)
		{
			int			len = 0;
			const char *value = EvidenceText(&job->evidence[i], job->slot, &len);

			AttributionEvidence(&job->policy->builder, job->evidence[i].name, value,
								len, 0);
		}
}

/*
 * Write it; a value that can't be written out is left away, and what has
 * begun of its entry with it.
 */
static void
AddEvidence(EvidenceJob *job, bool protect)
{
	AttributionBuilder *b = &job->policy->builder;
	int			len = b->buf.len;

	if (!protect)
		WriteEvidence(job);
	else if (RunProtected(WriteEvidence, job) != NULL)
	{
		b->buf.len = len;
		b->buf.data[b->evidence_at] = 0;
		b->nevidence = 0;
	}
}

/* The verdict that score reaches by itself */
static int
VerdictOf(CompiledPolicy *p, double score)
{
	int			verdict = 0;

	for (int i = 1; i < p->nverdicts; i++)
		if (score >= p->thresholds[i])
			verdict = i;
	return verdict;
}

/* The exclusion that mutes a detector, or NULL */
static const char *
MutedBy(CompiledPolicy *p, int detector)
{
	for (int i = 0; i < p->nexclusions; i++)
		if (p->outcomes[p->ndetectors + i].hit &&
			bms_is_member(detector, p->exclusions[i].mutes))
			return p->exclusions[i].name;
	return NULL;
}

/* Count what the detectors made of this message. */
static void
CountOutcomes(CompiledPolicy *p, bool degraded)
{
	StatsCounts *c = p->stats->counts;

	c[0].evaluations++;
	c[0].hits += degraded;
	for (int k = 0; k < p->nothers; k++)
	{
		int			i = p->others[k];

		c[i + 1].skipped += (!p->outcomes[i].evaluated || p->detectors[i].suspended);
	}
	for (int i = NextActive(p, 0); i >= 0; i = NextActive(p, i + 1))
	{
		PolicyOutcome *o = &p->outcomes[i];

		if (p->detectors[i].suspended)
			continue;
		c[i + 1].faults += (o->sqlstate != NULL);
		c[0].faults += (o->sqlstate != NULL);
		c[i + 1].hits += o->hit;
	}
	if (++p->stats->unflushed >= STATS_FLUSH_EVERY)
		StatsFlush(p->stats);
}

/* From outcomes to margin, score and verdict */
static void
SumUp(CompiledPolicy *p, PolicyDecision *decision)
{
	double		margin = p->prior;
	bool		degraded = p->incomplete;
	int			forced = -1;	/* by detectors: the highest */
	int			allowed = -1;	/* by exclusions: the lowest */

	for (int i = NextActive(p, 0); i >= 0; i = NextActive(p, i + 1))
	{
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &p->outcomes[i];

		if (HasFailed(d, o))
		{
			degraded |= !d->shadow;
			continue;
		}
		o->contribution = d->model ? d->weight * o->margin : d->weight;
		o->muted_by = MutedBy(p, i);
		if (d->shadow || o->muted_by)
			continue;
		margin += o->contribution;
		if (o->hit)
			forced = Max(forced, d->verdict);
	}
	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		PolicyOutcome *o = &p->outcomes[p->ndetectors + i];

		degraded |= o->evaluated && (o->sqlstate || x->suspended);
		if (o->hit && x->verdict >= 0)
			allowed = (allowed < 0) ? x->verdict : Min(allowed, x->verdict);
	}
	decision->margin = margin;
	decision->score = 1 / (1 + exp(-margin));
	decision->verdict = (allowed >= 0) ? allowed :
		(forced >= 0) ? forced : VerdictOf(p, decision->score);
	decision->degraded = degraded;
}

/* The entries of the detectors that did something */
static void
AddDetectors(CompiledPolicy *p, TupleTableSlot *slot, bool features, bool protect)
{
	for (int i = NextActive(p, 0); i >= 0; i = NextActive(p, i + 1))
	{
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &p->outcomes[i];
		AttributionKind kind = d->model ? ATTRIBUTION_MODEL : ATTRIBUTION_RULE;
		uint8		flags = d->shadow ? ATTRIBUTION_SHADOW : 0;
		EvidenceJob job = {p, slot, d->evidence, d->nevidence, d, o};

		if (HasFailed(d, o))
			AttributionEntry(&p->builder, kind, flags | (o->sqlstate ? 0 : ATTRIBUTION_SUSPENDED),
							 d->name, 0, NULL, NULL, o->sqlstate);
		else
		{
			AttributionEntry(&p->builder, kind, flags | (o->hit ? ATTRIBUTION_HIT : 0),
							 d->name, o->contribution, o->muted_by,
							 o->hit && d->verdict >= 0 ? p->verdicts[d->verdict] : NULL,
							 NULL);
			if (d->model ? features && o->max_top > 0 : d->nevidence > 0)
				AddEvidence(&job, protect);
		}
	}
}

static void
AddExclusions(CompiledPolicy *p, TupleTableSlot *slot, bool protect)
{
	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		PolicyOutcome *o = &p->outcomes[p->ndetectors + i];
		bool		failed = o->evaluated && (o->sqlstate || x->suspended);
		EvidenceJob job = {p, slot, x->evidence, x->nevidence, NULL, o};

		if (!failed && !o->hit)
			continue;
		AttributionEntry(&p->builder, ATTRIBUTION_EXCLUSION,
						 (o->hit ? ATTRIBUTION_HIT : 0) |
						 (failed && !o->sqlstate ? ATTRIBUTION_SUSPENDED : 0),
						 x->name, 0, NULL,
						 o->hit && x->verdict >= 0 ? p->verdicts[x->verdict] : NULL,
						 failed ? o->sqlstate : NULL);
		if (o->hit && x->nevidence > 0)
			AddEvidence(&job, protect);
	}
}

/*
 * From outcomes to the decision.  The builder's buffer lives as long as the
 * policy; the attribution is in the caller's context.
 */
static void
Conclude(CompiledPolicy *p, TupleTableSlot *slot, PolicyDecision *decision,
		 MemoryContext result, bool protect)
{
	MemoryContext old = MemoryContextSwitchTo(p->context);

	AttributionBegin(&p->builder);
	MemoryContextSwitchTo(old);
	SumUp(p, decision);
	AddDetectors(p, slot, decision->score >= assay_explain_from || decision->verdict > 0,
				 protect);
	AddExclusions(p, slot, protect);
	if (p->stats)
		CountOutcomes(p, decision->degraded);
	old = MemoryContextSwitchTo(result);
	decision->attribution = AttributionFinish(&p->builder, p->revision, p->prior,
											  decision->margin, decision->degraded);
	MemoryContextSwitchTo(old);
}

/*
 * Once in a while one detector by itself, for its time; another one each time.
 * All were evaluated on this row just now.
 */
static void
SampleTime(CompiledPolicy *p, TupleTableSlot *slot)
{
	int			i = p->next_sample++ % p->ndetectors;
	PolicyDetector *d = &p->detectors[i];
	PolicyOutcome *o = &p->outcomes[i];
	StatsCounts *c = &p->stats->counts[i + 1];
	instr_time	start,
				end;

	if (!o->evaluated || d->suspended || d->sqlstate[0] != '\0')
		return;
	INSTR_TIME_SET_CURRENT(start);
	if (d->model)
		EvaluateModel(d, o, slot);
	else
		(void) EvaluateSingle(p, d->rule, &d->single);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	c->sampled++;
	c->sampled_ns += (uint64) (INSTR_TIME_GET_DOUBLE(end) * 1e9);
}

/*
 * Expressions anew.  A function that an error left in its middle would go on
 * from there: after the end of a subtransaction it knows better, but where
 * errors are raised there is none of ours.
 */
static void
Mend(CompiledPolicy *p)
{
	for (int i = 0; i < p->nguards; i++)
		p->guard_single[i] = NULL;
	for (int i = 0; i < p->ndetectors; i++)
		p->detectors[i].single = NULL;
	for (int i = 0; i < p->nexclusions; i++)
		p->exclusions[i].single = NULL;
	PolicyBuildProjection(p);
}

/* Its memory serves one row at a time. */
static void
CheckIdle(CompiledPolicy *p)
{
	if (p->busy)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("policy \"%s\" is being evaluated already", p->name),
				 errdetail("A condition or signal calls score() for the policy that it belongs to.")));
}

void
PolicyEvaluate(CompiledPolicy *p, TupleTableSlot *slot, TimestampTz at,
			   PolicyDecision *decision)
{
	MemoryContext caller = CurrentMemoryContext;

	CheckIdle(p);
	if (unlikely(p->torn))
		Mend(p);
	p->busy = true;
	p->torn = p->raise_errors;
	PG_TRY();
	{
		ResetExprContext(p->econtext);
		MemoryContextSwitchTo(p->econtext->ecxt_per_tuple_memory);
		p->econtext->ecxt_scantuple = slot;
		EvaluateTogether(p, slot, at);
		Conclude(p, slot, decision, caller, false);
		if (p->stats && p->ndetectors > 0 && p->evaluations++ % STATS_SAMPLE_EVERY == 0)
			SampleTime(p, slot);
		MemoryContextSwitchTo(caller);
	}
	PG_FINALLY();
	{
		p->busy = false;
	}
	PG_END_TRY();
	p->torn = false;
}

static void
EvaluateAll(void *arg)
{
	EvaluateJob *job = arg;

	PolicyEvaluate(job->policy, job->slot, job->at, job->decision);
}

/*
 * The same for a row that has failed, each detector by itself, where an error
 * costs only the detector that makes it.  What failed is appended to *faults,
 * when that is not NULL.
 */
void
PolicyEvaluateApart(CompiledPolicy *p, TupleTableSlot *slot, TimestampTz at,
					PolicyDecision *decision, List **faults)
{
	CheckIdle(p);
	p->busy = true;
	PG_TRY();
	{
		ResetExprContext(p->econtext);
		p->econtext->ecxt_scantuple = slot;
		EvaluateApart(p, slot, at, faults);
		Conclude(p, slot, decision, CurrentMemoryContext, true);
	}
	PG_FINALLY();
	{
		p->busy = false;
	}
	PG_END_TRY();
}

/*
 * For a row that may fail: all at once, and only after an error apart
 */
void
PolicyEvaluateProtected(CompiledPolicy *p, TupleTableSlot *slot, TimestampTz at,
						PolicyDecision *decision, List **faults)
{
	EvaluateJob job = {p, slot, at, NULL, NULL, NULL, NULL, decision};
	ErrorData  *error = RunProtected(EvaluateAll, &job);

	if (error == NULL)
		return;
	if (p->busy)
		ReThrowError(error);
	FreeErrorData(error);
	PolicyEvaluateApart(p, slot, at, decision, faults);
}

/*
 * A decision without any signals, from the prior alone
 */
void
PolicyNoSignals(CompiledPolicy *p, const char *sqlstate, PolicyDecision *decision)
{
	AttributionBuilder b = {0};

	AttributionBegin(&b);
	AttributionEntry(&b, ATTRIBUTION_SIGNALS, 0, p->signals_name, 0, NULL, NULL,
					 sqlstate);
	decision->margin = p->prior;
	decision->score = 1 / (1 + exp(-p->prior));
	decision->verdict = VerdictOf(p, decision->score);
	decision->degraded = true;
	decision->attribution = AttributionFinish(&b, p->revision, p->prior, p->prior,
											  true);
}

/*
 * score(policy, signals [, revision [, at [, drafts]]])
 */
typedef struct ScoreState
{
	bool		valid;
	uint64		epoch;
	Oid			userid;
	char	   *policy;
	int			revision;
	bool		drafts;
	Oid			typid;
	int32		typmod;
	TypeCacheEntry *type;		/* of a named row type */
	uint64		type_version;	/* tells when that was altered */
	CompiledPolicy *compiled;
	TupleTableSlot *slot;
	TupleDesc	result;
	MemoryContext context;		/* of slot and name */
} ScoreState;

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
	state->typid = HeapTupleHeaderGetTypeId(row);
	state->typmod = HeapTupleHeaderGetTypMod(row);
	state->type = NULL;
	if (state->typid != RECORDOID)
	{
		state->type = lookup_type_cache(state->typid, TYPECACHE_TUPDESC);
		state->type_version = state->type->tupDesc_identifier;
	}
	desc = lookup_rowtype_tupdesc_copy(state->typid, state->typmod);
	state->compiled = PolicyGet(policy, revision, drafts, desc, GetUserId());
	state->epoch = state->compiled->valid ? PolicyEpoch() : 0;
	old = MemoryContextSwitchTo(state->context);
	state->policy = pstrdup(policy);
	state->slot = MakeSingleTupleTableSlot(state->compiled->desc, &TTSOpsHeapTuple);
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

static void
EvaluateInTime(CompiledPolicy *p, TupleTableSlot *slot, TimestampTz at,
			   PolicyDecision *decision)
{
	BudgetStart();
	PG_TRY();
	{
		PolicyEvaluateProtected(p, slot, at, decision, NULL);
	}
	PG_FINALLY();
	{
		BudgetStop();
	}
	PG_END_TRY();
}

PG_FUNCTION_INFO_V1(assay_score);
Datum
assay_score(PG_FUNCTION_ARGS)
{
	ScoreState *state = fcinfo->flinfo->fn_extra;
	text	   *name;
	HeapTupleHeader row;
	HeapTupleData tuple;
	CompiledPolicy *p;
	PolicySecurity security;
	PolicyDecision decision;
	int			revision = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	bool		drafts = !PG_ARGISNULL(4) && PG_GETARG_BOOL(4);
	TimestampTz at;
	Datum		values[4];
	bool		nulls[4] = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	name = PG_GETARG_TEXT_PP(0);
	row = PG_GETARG_HEAPTUPLEHEADER(1);
	at = PG_ARGISNULL(3) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(3);

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ScoreState));
		fcinfo->flinfo->fn_extra = state;
	}
	if (!state->valid || state->epoch != PolicyEpoch() ||
		state->typid != HeapTupleHeaderGetTypeId(row) ||
		state->typmod != HeapTupleHeaderGetTypMod(row) ||
		(state->type && state->type->tupDesc_identifier != state->type_version) ||
		state->revision != revision || state->drafts != drafts ||
		state->userid != GetUserId() ||
		strlen(state->policy) != VARSIZE_ANY_EXHDR(name) ||
		memcmp(state->policy, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) != 0)
		BindScore(state, fcinfo, row, text_to_cstring(name), revision, drafts);
	p = state->compiled;

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	ExecStoreHeapTuple(&tuple, state->slot, false);

	PolicyEnterToScore(&security, p);
	if (p->raise_errors || !CanProtect())
		PolicyEvaluate(p, state->slot, at, &decision);
	else
		EvaluateInTime(p, state->slot, at, &decision);
	PolicyLeave(&security);
	ExecClearTuple(state->slot);

	values[0] = CStringGetTextDatum(p->verdicts[decision.verdict]);
	values[1] = Float4GetDatum((float4) decision.score);
	values[2] = PointerGetDatum(decision.attribution);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->result, values, nulls)));
}
