/*
 * ledger.c
 *		From what the detectors made of a row to the decision and its ledger.
 *
 * The margin is the prior plus the contributions in order of the detectors'
 * names, added in float64; the ledger keeps the same numbers, so that it adds
 * up to the margin.
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "common/shortest_dec.h"
#include "encoding.h"
#include "ledger.h"
#include "protect.h"
#include "text_detector.h"
#include "utils/guc.h"

/* A larger value of a type that is not text is not written out in a ledger. */
#define EVIDENCE_RAW_MAX	8192

/* Times any weight, and of as many detectors as there can be, it is finite. */
#define CONTRIBUTION_MAX	1e300

/*
 * The score from which on a ledger keeps features of a model's margin; below 0 that
 * of the first verdict, where signals are kept from which the rest is explained.
 */
static double explain_from = -1;

void
LedgerInit(void)
{
	DefineCustomRealVariable("assay.explain_from",
							 "Score from which on an attribution keeps the features of models.",
							 "Below it, in a message of the default verdict, a model's margin is kept alone, which is faster. -1: where signals are logged with the decision, the lowest threshold; else 0.",
							 &explain_from, -1, -1, 1,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

/* A column's output function; its memory is the evaluation's. */
FmgrInfo   *
ColumnOutput(Evaluation *e, int column)
{
	FmgrInfo   *f = &e->outputs[column];

	if (f->fn_oid == InvalidOid)
		fmgr_info_cxt(e->policy->columns[column].output, f, e->context);
	return f;
}

FmgrInfo   *
ColumnSend(Evaluation *e, int column)
{
	FmgrInfo   *f = &e->sends[column];

	if (f->fn_oid == InvalidOid)
		fmgr_info_cxt(e->policy->columns[column].send, f, e->context);
	return f;
}

int
NextActive(Evaluation *e, int from)
{
	return NextBit(e->active, e->nwords, from);
}

/*
 * A signal's value as text of at most ATTRIBUTION_VALUE_MAX bytes; NULL for a
 * null.  Of a long text only the beginning is fetched.
 */
static const char *
EvidenceText(Evaluation *e, int column, int *len)
{
	PolicyColumn *c = &e->policy->columns[column];
	bool		isnull;
	Datum		value = slot_getattr(e->slot, column + 1, &isnull);
	const char *s;
	int			n;

	if (isnull)
		return NULL;
	if (c->is_text)
	{
		text	   *t = DatumGetTextPSlice(value, 0, ATTRIBUTION_VALUE_MAX + 1);

		s = VARDATA_ANY(t);
		n = VARSIZE_ANY_EXHDR(t);
	}
	else if (c->is_varlena && toast_raw_datum_size(value) > EVIDENCE_RAW_MAX)
	{
		s = "...";
		n = strlen(s);
	}
	else
	{
		s = OutputFunctionCall(ColumnOutput(e, column), value);
		n = strlen(s);
	}
	if (n > ATTRIBUTION_VALUE_MAX)
	{
		char	   *cut = palloc(ATTRIBUTION_VALUE_MAX + 1);

		n = ClipText(s, n, ATTRIBUTION_VALUE_MAX - 3);
		memcpy(cut, s, n);
		memcpy(cut + n, "...", 3);
		s = cut;
		n += 3;
	}
	*len = n;
	return s;
}

/*
 * The same, written once a message however many entries show it.  In a
 * subtransaction it is written each time.
 */
static const char *
EvidenceOnce(Evaluation *e, int column, int *len)
{
	EvidenceValue *v = &e->evidence[column];

	if (v->concluded != e->concluded)
	{
		v->value = EvidenceText(e, column, &v->len);
		v->concluded = e->concluded;
	}
	*len = v->len;
	return v->value;
}

/* The evidence of an entry, which is the last one */
typedef struct EvidenceJob
{
	Evaluation *evaluation;
	PolicyCondition *condition; /* or NULL, and then: */
	PolicyDetector *detector;	/* with a model */
	bool		protect;
} EvidenceJob;

/*
 * The top tokens of a text model.  They have no value but that they are there:
 * an empty one.
 */
static void
WriteTokens(Evaluation *e, PolicyDetector *d)
{
	int			n;
	TextTop    *top = TextDetectorTop(e, d - e->policy->detectors, &n);

	for (int i = 0; i < n; i++)
	{
		char	   *token = top[i].token;
		int			len = strlen(token);

		if (len > ATTRIBUTION_VALUE_MAX)
			token[ClipText(token, len, ATTRIBUTION_VALUE_MAX)] = '\0';
		AttributionEvidence(&e->builder, token, "", 0,
							top[i].contribution * d->weight);
	}
}

/* The top features of a model, whose SHAP values take far longer than its margin */
static void
WriteFeatures(EvidenceJob *job)
{
	Evaluation *e = job->evaluation;
	PolicyDetector *d = job->detector;
	int			n;

	if (d->is_text)
	{
		WriteTokens(e, d);
		return;
	}
	n = ModelExplainSlotValues(d->model, d->binding, e->slot->tts_values,
							   e->slot->tts_isnull, e->policy->top_features, e->top);
	for (int i = 0; i < n; i++)
	{
		ModelContribution *c = &e->top[i];
		char		number[DOUBLE_SHORTEST_DECIMAL_LEN];
		const char *value = NULL;
		int			len = 0;

		/* One that is out of range is shown by what is left of it, elsewhere. */
		if (!(fabs(c->contribution) <= CONTRIBUTION_MAX))
			continue;
		if (!isnan(c->value))
		{
			value = ModelValueText(d->model, c, number);
			len = strlen(value);
			if (len > ATTRIBUTION_VALUE_MAX)
				len = ClipText(value, len, ATTRIBUTION_VALUE_MAX);
		}
		AttributionEvidence(&e->builder, ModelServerText(MODEL_FEATURE_NAME(d->model, c->feature)), value, len,
							c->contribution * d->weight);
	}
}

static void
WriteEvidence(void *arg)
{
	EvidenceJob *job = arg;
	Evaluation *e = job->evaluation;

	if (job->condition == NULL)
		WriteFeatures(job);
	else
		for (int i = 0; i < job->condition->nevidence; i++)
		{
			int			column = job->condition->evidence[i];
			int			len = 0;
			const char *value = job->protect ? EvidenceText(e, column, &len) : EvidenceOnce(e, column, &len);

			AttributionEvidence(&e->builder, e->policy->columns[column].name, value,
								len, 0);
		}
}

/*
 * Write it; a value that can't be written out is left away, and what has
 * begun of its entry with it.
 */
static void
AddEvidence(EvidenceJob *job)
{
	AttributionBuilder *b = &job->evaluation->builder;
	int			len = b->buf.len;

	if (!job->protect)
		WriteEvidence(job);
	else if (RunProtected(WriteEvidence, job) != NULL)
	{
		b->buf.len = len;
		b->buf.data[b->evidence_at] = 0;
		b->nevidence = 0;
	}
}

/* The verdict that score reaches by itself */
int
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
MutedBy(Evaluation *e, int detector)
{
	CompiledPolicy *p = e->policy;

	for (int i = 0; i < p->nexclusions; i++)
		if (e->outcomes[p->ndetectors + i].hit &&
			bms_is_member(detector, p->exclusions[i].mutes))
			return p->exclusions[i].name;
	return NULL;
}

/*
 * From outcomes to margin, score and verdict.  A degraded decision has at
 * least the verdict that the policy gives what could not be read; exclusions
 * act last.
 */
static void
SumUp(Evaluation *e, PolicyDecision *decision)
{
	CompiledPolicy *p = e->policy;
	double		margin = p->prior;
	bool		degraded = p->incomplete;
	int			forced = -1;	/* by detectors: the highest */
	int			allowed = -1;	/* by exclusions: the lowest */

	for (int i = NextActive(e, 0); i >= 0; i = NextActive(e, i + 1))
	{
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &e->outcomes[i];

		if (HasFailed(o))
		{
			degraded |= !d->shadow;
			continue;
		}
		o->contribution = d->is_model ? d->weight * o->margin : d->weight;
		o->muted_by = MutedBy(e, i);
		if (d->shadow || o->muted_by)
			continue;
		margin += o->contribution;
		if (o->hit)
			forced = Max(forced, d->verdict);
	}
	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		PolicyOutcome *o = &e->outcomes[p->ndetectors + i];

		degraded |= o->evaluated && HasFailed(o);
		if (o->hit && x->verdict >= 0)
			allowed = (allowed < 0) ? x->verdict : Min(allowed, x->verdict);
	}
	decision->margin = margin;
	decision->score = 1 / (1 + exp(-margin));
	decision->degraded = degraded;
	decision->verdict = (forced >= 0) ? forced : VerdictOf(p, decision->score);
	if (degraded)
		decision->verdict = Max(decision->verdict, p->unreadable);
	if (allowed >= 0)
		decision->verdict = allowed;
}

/* The entries of the detectors that did something */
static void
AddDetectors(Evaluation *e, bool features, bool protect)
{
	CompiledPolicy *p = e->policy;

	for (int i = NextActive(e, 0); i >= 0; i = NextActive(e, i + 1))
	{
		PolicyDetector *d = &p->detectors[i];
		PolicyOutcome *o = &e->outcomes[i];
		AttributionKind kind = d->is_model ? ATTRIBUTION_MODEL : ATTRIBUTION_RULE;
		uint8		flags = d->shadow ? ATTRIBUTION_SHADOW : 0;
		EvidenceJob job = {e, d->is_model ? NULL : &d->condition, d, protect};

		if (HasFailed(o))
			AttributionEntry(&e->builder, kind, flags | (o->sqlstate ? 0 : ATTRIBUTION_SUSPENDED),
							 d->name, 0, NULL, NULL, o->sqlstate);
		else
		{
			AttributionEntry(&e->builder, kind, flags | (o->hit ? ATTRIBUTION_HIT : 0),
							 d->name, o->contribution, o->muted_by,
							 o->hit && d->verdict >= 0 ? p->verdicts[d->verdict] : NULL,
							 NULL);
			if (d->is_model ? features && p->top_features > 0 : d->condition.nevidence > 0)
				AddEvidence(&job);
		}
	}
}

static void
AddExclusions(Evaluation *e, bool protect)
{
	CompiledPolicy *p = e->policy;

	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		PolicyOutcome *o = &e->outcomes[p->ndetectors + i];
		bool		failed = o->evaluated && HasFailed(o);
		EvidenceJob job = {e, &x->condition, NULL, protect};

		if (!failed && !o->hit)
			continue;
		AttributionEntry(&e->builder, ATTRIBUTION_EXCLUSION,
						 (o->hit ? ATTRIBUTION_HIT : 0) |
						 (failed && !o->sqlstate ? ATTRIBUTION_SUSPENDED : 0),
						 x->name, 0, NULL,
						 o->hit && x->verdict >= 0 ? p->verdicts[x->verdict] : NULL,
						 failed ? o->sqlstate : NULL);
		if (o->hit && x->condition.nevidence > 0)
			AddEvidence(&job);
	}
}

/*
 * Are the features of models written down for every decision?  What is not is
 * explained when somebody looks (explain_decision), but only if the decision is
 * kept with the signals that it was made of.
 */
bool
KeepsAllFeatures(Evaluation *e)
{
	return explain_from == 0 || (explain_from < 0 && (!e->count || !e->policy->keeps_signals));
}

/* Are they for this one? */
static bool
KeepsFeatures(Evaluation *e, PolicyDecision *decision)
{
	CompiledPolicy *p = e->policy;

	if (decision->verdict > 0 || KeepsAllFeatures(e))
		return true;
	if (explain_from >= 0)
		return decision->score >= explain_from;
	return p->nverdicts > 1 && decision->score >= p->thresholds[1];
}

/*
 * From outcomes to the decision.  The builder's buffer lives as long as the
 * evaluation; the attribution is in "result".
 */
void
Conclude(Evaluation *e, PolicyDecision *decision, MemoryContext result, bool protect)
{
	CompiledPolicy *p = e->policy;
	MemoryContext old = MemoryContextSwitchTo(e->context);

	AttributionBegin(&e->builder);
	e->concluded++;
	MemoryContextSwitchTo(old);
	SumUp(e, decision);
	AddDetectors(e, KeepsFeatures(e, decision), protect);
	AddExclusions(e, protect);
	AddStates(e);
	old = MemoryContextSwitchTo(result);
	decision->attribution = AttributionFinish(&e->builder, p->id->revision, p->prior,
											  decision->margin, decision->degraded);
	MemoryContextSwitchTo(old);
}
