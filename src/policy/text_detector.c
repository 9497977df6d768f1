/*
 * text_detector.c
 *		Detectors with a text model, and the states that a ledger names.
 *
 * A text model is asked as of the moment that the row is evaluated at, which a
 * replay sets to the message's own: so it judges by the version of then.  Lists
 * and phrase sets have one state for all that a statement looks into them, so
 * that the ledger names it, whether or not this message came so far.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "text_detector.h"
#include "utils/memutils.h"

/* Room for what they need; the evaluation's memory is the current one. */
void
TextDetectorsBegin(Evaluation *e)
{
	CompiledPolicy *p = e->policy;

	if (p->ntexts > 0)
	{
		e->texts = palloc0(p->ndetectors * sizeof(TextModelUse *));
		e->top_tokens = palloc(Max(p->top_features, 1) * sizeof(TextTop));
	}
	if (p->nsets > 0)
		e->sets = palloc0(p->nsets * sizeof(NamedSet *));
}

/* No statement needs it for now: models of past days go. */
void
TextDetectorsIdle(Evaluation *e)
{
	for (int i = 0; e->texts && i < e->policy->ndetectors; i++)
		if (e->texts[i])
			TextModelUseIdle(e->texts[i]);
}

/* What the model sees of the row at hand, in memory of the row; false for a null */
static bool
Content(Evaluation *e, int detector, Datum *content)
{
	ExprState **state = &e->single[detector];
	bool		isnull;

	if (*state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(e->context);

		*state = ExecInitExpr(e->policy->detectors[detector].content->expr, NULL);
		MemoryContextSwitchTo(old);
	}
	*content = ExecEvalExprSwitchContext(*state, e->econtext, &isnull);
	return !isnull;
}

static Oid
ContentType(Evaluation *e, int detector)
{
	return exprType((Node *) e->policy->detectors[detector].content->expr);
}

double
TextDetectorMargin(Evaluation *e, int detector)
{
	PolicyDetector *d = &e->policy->detectors[detector];
	Datum		content;

	if (e->texts[detector] == NULL)
		e->texts[detector] = TextModelUseBegin(d->versions, e->context);
	if (!Content(e, detector, &content))
		return 0;
	return TextModelUseMargin(e->texts[detector], e->at, content, ContentType(e, detector));
}

int
TextDetectorTop(Evaluation *e, int detector)
{
	Datum		content;

	if (e->texts[detector] == NULL || !Content(e, detector, &content))
		return 0;
	return TextModelUseTop(e->texts[detector], content, ContentType(e, detector),
						   e->policy->top_features, e->top_tokens);
}

/* Did this detector ask a text model about the row at hand? */
static bool
HasState(Evaluation *e, int detector)
{
	PolicyOutcome *o = &e->outcomes[detector];

	return e->policy->detectors[detector].is_text && e->texts[detector] && o->evaluated && !HasFailed(o);
}

void
AddStates(Evaluation *e)
{
	CompiledPolicy *p = e->policy;
	int64		state;

	for (int i = 0; i < p->nsets; i++)
	{
		PolicySet  *set = &p->sets[i];

		if (e->sets[i] == NULL)
			e->sets[i] = NamedSetWatched(set->name, set->kind == ATTRIBUTION_LIST ?
										 NAMED_SET_LIST : NAMED_SET_PHRASES);
		/* Of one that is gone, or not the owner's to ask, there is none. */
		if (NamedSetPeek(e->sets[i], &state))
			AttributionState(&e->builder, set->kind, set->name, state);
	}
	for (int i = 0; p->ntexts > 0 && i < p->ndetectors; i++)
	{
		PolicyDetector *d = &p->detectors[i];
		int			first = 0;

		if (!HasState(e, i))
			continue;
		/* One that several detectors use has one state. */
		while (!HasState(e, first) || strcmp(p->detectors[first].text_model, d->text_model) != 0)
			first++;
		if (first == i)
			AttributionState(&e->builder, ATTRIBUTION_TEXT_MODEL, d->text_model,
							 TextModelUseState(e->texts[i]));
	}
}
