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
		e->texts = palloc0(p->ndetectors * sizeof(TextModelUse *));
	if (p->nsets > 0)
	{
		e->sets = palloc0(p->nsets * sizeof(NamedSet *));
		e->set_texts = palloc0(p->nsets * sizeof(TextModelUse *));
	}
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
	bool		isnull;

	*content = EvaluateExpr(e, e->policy->detectors[detector].content->expr, &e->single[detector], &isnull);
	return !isnull;
}

static Oid
ContentType(Evaluation *e, int detector)
{
	return exprType((Node *) e->policy->detectors[detector].content->expr);
}

double
TextDetectorMargin(Evaluation *e, int detector, bool explain)
{
	PolicyDetector *d = &e->policy->detectors[detector];
	Datum		content;

	if (e->texts[detector] == NULL)
		e->texts[detector] = TextModelUseBegin(d->versions, e->context);
	if (!Content(e, detector, &content))
	{
		TextModelUseVersion(e->texts[detector], e->at);
		return 0;
	}
	if (explain)
		return TextModelUseMarginTop(e->texts[detector], e->at, content, ContentType(e, detector), e->policy->top_features);
	return TextModelUseMargin(e->texts[detector], e->at, content, ContentType(e, detector));
}

TextTop    *
TextDetectorTop(Evaluation *e, int detector, int *n)
{
	Datum		content;

	*n = 0;
	if (e->texts[detector] == NULL || !Content(e, detector, &content))
		return NULL;
	return TextModelUseTop(e->texts[detector], content, ContentType(e, detector), e->policy->top_features, n);
}

/* Did this detector ask a text model about the row at hand? */
static bool
HasState(Evaluation *e, int detector)
{
	PolicyOutcome *o = &e->outcomes[detector];

	return e->policy->detectors[detector].is_text && e->texts[detector] && o->evaluated && !HasFailed(o);
}

/* Does a detector's entry say which version of this text model there was? */
static bool
IsAsked(Evaluation *e, const char *text_model)
{
	for (int i = 0; e->policy->ntexts > 0 && i < e->policy->ndetectors; i++)
		if (HasState(e, i) && strcmp(e->policy->detectors[i].text_model, text_model) == 0)
			return true;
	return false;
}

/* The state of a set that the policy names; false for one that is gone, or not the owner's to ask */
static bool
StateOfSet(Evaluation *e, int i, int64 *state)
{
	PolicySet  *set = &e->policy->sets[i];

	if (set->kind == ATTRIBUTION_TEXT_MODEL)
	{
		if (IsAsked(e, set->name))
			return false;
		if (e->set_texts[i] == NULL)
			e->set_texts[i] = TextModelUseBegin(set->versions, e->context);
		return TextModelUsePeek(e->set_texts[i], set->latest ? DT_NOEND : e->at, state);
	}
	if (e->sets[i] == NULL)
		e->sets[i] = NamedSetWatched(set->name, set->kind == ATTRIBUTION_LIST ?
									 NAMED_SET_LIST : NAMED_SET_PHRASES);
	return NamedSetPeek(e->sets[i], state);
}

void
AddStates(Evaluation *e)
{
	CompiledPolicy *p = e->policy;
	int64		state;

	for (int i = 0; i < p->nsets; i++)
		if (StateOfSet(e, i, &state))
			AttributionState(&e->builder, p->sets[i].kind, p->sets[i].name, state);
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
