/*
 * evaluate.h
 *		One evaluation of a compiled policy: all that it writes.
 *
 * The policy itself is never written to, so that a condition may call score()
 * for the policy that it belongs to: that is another evaluation.
 */
#ifndef ASSAY_EVALUATE_H
#define ASSAY_EVALUATE_H

#include "atom_index.h"
#include "attribution.h"
#include "executor/executor.h"
#include "fault.h"
#include "named_set.h"
#include "policy_cache.h"
#include "text_model_use.h"

/* What one detector or exclusion made of the row at hand */
typedef struct PolicyOutcome
{
	bool		evaluated;		/* it takes part */
	bool		hit;
	bool		suspended;		/* it was left out */
	const char *sqlstate;		/* it failed, or NULL */
	double		margin;			/* of a model */
	double		contribution;	/* to the margin, were it live and not muted */
	const char *muted_by;		/* an exclusion, or NULL */
} PolicyOutcome;

/* Conditions that are evaluated at once, as the columns of one row */
typedef struct EvaluationChunk
{
	ProjectionInfo *projection;
	TupleTableSlot *result;
	int			n;
	int		   *parts;
	bool	   *plain;			/* only whether it hits is asked */
} EvaluationChunk;

/* A signal's value as a ledger shows it */
typedef struct EvidenceValue
{
	uint64		concluded;		/* the row that it is of */
	const char *value;
	int			len;
} EvidenceValue;

typedef struct Evaluation
{
	PolicyEntry *entry;
	CompiledPolicy *policy;
	MemoryContext context;
	struct Evaluation *next;	/* idle too */
	bool		at_work;		/* on a row; an error may have left it there */
	bool		count;			/* it is traffic: counted in statistics, and
								 * written down */
	bool		protect;		/* an error costs its part only */

	ExprContext *econtext;
	TupleTableSlot *given;		/* the row at hand */
	TupleTableSlot *slot;		/* the same, whose values may be decompressed */
	TimestampTz at;
	MemoryContext result;		/* of the decision and of faults */
	PrefilterScratch *prefilter;
	TupleTableSlot *guard_slot;
	uint64		news;			/* of functions, before any of the following
								 * was made */
	MemoryContext single_context;
	ExprState **guard_single;	/* each by itself */
	ExprState **single;			/* the same of the parts */
	int			caught;			/* errors since they were made */

	/* what is evaluated at once, while health->version stays */
	uint64		version;
	bool		spoilt;			/* it is made anew */
	MemoryContext chunk_context;
	ProjectionInfo *guard_projection;
	AtomIndex  *atoms;			/* instead of chunks, or NULL */
	bool	   *takes_part;		/* parts that are evaluated at once */
	bool	   *hits;			/* what was made of them, where there are no
								 * chunks */
	bool		singly;			/* the row at hand was too large for chunks */
	int			nchunks;
	EvaluationChunk *chunks;
	int		   *chunk_of;		/* of each part, or -1 */
	int		   *column_of;
	int			nothers;		/* detectors that have to be asked, and models */
	int		   *others;
	int			napart;			/* parts that are evaluated by themselves */
	int		   *apart;
	int		   *order;			/* of the parts: what forces a verdict first */

	/* a statement's */
	uint64		uses;			/* of all policies, when it began */
	int		   *overruns;		/* of each part's time */
	bool		overran;		/* some part did */
	int			message_overruns;

	PolicyOutcome *outcomes;	/* of the parts */
	uint64	   *active;			/* bits of the detectors that a ledger shows */
	int			nwords;			/* of them */
	FmgrInfo   *outputs;		/* of each column, once used */
	FmgrInfo   *sends;
	uint64		concluded;		/* rows */
	EvidenceValue *evidence;	/* of each column */
	ModelContribution *top;		/* room for top_features */
	TextModelUse **texts;		/* of each detector with a text model, once
								 * used */
	NamedSet  **sets;			/* of the policy's, once looked for, */
	TextModelUse **set_texts;	/* and of its text models */
	AttributionBuilder builder;
	uint64		evaluations;
	uint32		next_sample;	/* the detector that is timed next */
} Evaluation;

typedef struct PolicyDecision
{
	int			verdict;
	double		margin;
	double		score;
	bool		degraded;
	Attribution *attribution;
} PolicyDecision;

/* Has it no result, so that the decision is degraded? */
static inline bool
HasFailed(PolicyOutcome *o)
{
	return o->sqlstate != NULL || o->suspended;
}

/* An expression by itself.  After an error in it, its state is not used again. */
static inline Datum
EvaluateExpr(Evaluation *e, Expr *expr, ExprState **place, bool *isnull)
{
	ExprState  *state = *place;
	Datum		value;

	*place = NULL;
	if (state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(e->single_context);

		state = ExecInitExpr(expr, NULL);
		MemoryContextSwitchTo(old);
	}
	value = ExecEvalExprSwitchContext(state, e->econtext, isnull);
	*place = state;
	return value;
}

extern void EvaluateInit(void);
extern Evaluation *EvaluationGet(PolicyEntry *entry, bool count, MemoryContext context);
extern void EvaluateRow(Evaluation *e, TupleTableSlot *slot, TimestampTz at,
						PolicyDecision *decision, List **faults);
extern void EvaluateRowApart(Evaluation *e, TupleTableSlot *slot, TimestampTz at,
							 PolicyDecision *decision, List **faults);
extern void EvaluateRowProtected(Evaluation *e, TupleTableSlot *slot, TimestampTz at,
								 PolicyDecision *decision, List **faults);
extern void DecideWithoutRow(CompiledPolicy *p, const char *sqlstate,
							 PolicyDecision *decision);

#endif							/* ASSAY_EVALUATE_H */
