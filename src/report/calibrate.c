/*
 * calibrate.c
 *		Weights fitted to ledgers and labels, past decisions scored anew by
 *		other weights, and how many of all messages are malicious.
 *
 * A decision's ledger says what each detector found: a rule 1 where it hit, a
 * model its margin.  Weights are those of a logistic regression over that with
 * a penalty of l2 / 2 on the square of each weight's distance from what it is
 * now; the prior is free.  The function is convex; it is minimised weight by
 * weight, each by a step of Newton's method within a bound in which the second
 * derivative can't be underestimated (A. Genkin, D. D. Lewis, D. Madigan,
 * Large-scale Bayesian logistic regression for text categorization,
 * Technometrics 49, 2007).
 *
 * The prior may be bounded: by the log-odds of the share that is malicious among
 * what was fitted to, so that a message of which nothing is known is no more
 * suspect than any of them.
 *
 * Labels are no sample of all messages.  How many of these are malicious is
 * estimated from what the weights say of those without a label, by maximum
 * likelihood (M. Saerens, P. Latinne, C. Decaestecker, Adjusting the outputs of
 * a classifier to new a priori probabilities, Neural Computation 14, 2002).
 */
#include "postgres.h"

#include <math.h>

#include "attribution.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "ledger_effect.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* What a fit may hold in memory: numbers that detectors found, of 12 bytes each */
#define FOUND_MAX			50000000
#define DECISIONS_MAX		20000000

#define FIT_SWEEPS_MAX		1000
#define FIT_TOLERANCE		1e-7
#define FIT_FIRST_BOUND		1.0

/* Halvings of the interval in which the share of malicious messages lies */
#define SHARE_STEPS			60

/* Log-odds beyond these say nothing that matters to a share. */
#define SHARE_MARGIN_MAX	50.0

/* Weights beyond these no policy can have. */
#define WEIGHT_LIMIT		1000.0

/* A state of a detector, of which there is one at each revision */
typedef struct State
{
	int32		from;
	double		weight;
} State;

/* A detector, whose number in the fit is its place among them */
typedef struct Detector
{
	Span		name;			/* key of the hash table; must be first */
	int			number;			/* from 1; 0 is the prior */
	int			nstates;
	State	   *states;			/* ascending */
} Detector;

/* The decisions: what was found by row, and later by detector */
typedef struct Decisions Decisions;
struct Decisions
{
	DestReceiver dest;			/* must be first */
	HTAB	   *detectors;
	MemoryContext context;
	MemoryContext per_row;
	bool		labelled_only;
	int			ndetectors;
	int64		nrows;
	int64		room;
	int8	   *labels;			/* 1, 0, or -1 for none */
	float	   *scores;			/* as decided */
	int64	   *starts;			/* of each row's findings */
	int64		nfound;
	int64		found_room;
	int32	   *numbers;		/* of the detector that found it */
	double	   *values;

	/*
	 * Set: each decision's margin by these weights goes there, and none is
	 * kept.
	 */
	void		(*take) (Decisions *d, double margin);
	const double *weights;
	void	   *into;
};

enum
{
	ROW_REVISION,
	ROW_SCORE,
	ROW_ATTRIBUTION,
	ROW_MALICIOUS
};

/* ---- reading ------------------------------------------------------------- */

static uint32
HashName(const void *key, Size size)
{
	const Span *name = key;

	return hash_bytes((const unsigned char *) name->data, name->len);
}

static int
MatchName(const void *a, const void *b, Size size)
{
	return !SpanEqual(a, b);
}

/* The items of an array argument without nulls */
static int
ArrayItems(FunctionCallInfo fcinfo, int arg, Oid type, Datum **items)
{
	int			n;
	int16		len = type == TEXTOID ? -1 : type == INT4OID ? 4 : 8;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), type, len, type == TEXTOID ? false : type == INT4OID ? true : FLOAT8PASSBYVAL,
					  type == TEXTOID || type == INT4OID ? TYPALIGN_INT : TYPALIGN_DOUBLE, items, NULL, &n);
	return n;
}

/*
 * Detectors from three arrays of one length: names, the revision from which
 * each state is, its weight; of one name by ascending revision, one after the
 * other
 */
static void
ReadDetectors(Decisions *d, FunctionCallInfo fcinfo, int arg)
{
	HASHCTL		control = {.keysize = sizeof(Span),.entrysize = sizeof(Detector),
	.hash = HashName,.match = MatchName,.hcxt = CurrentMemoryContext};
	Datum	   *names;
	Datum	   *froms;
	Datum	   *weights;
	int			n = ArrayItems(fcinfo, arg, TEXTOID, &names);
	State	   *states;			/* of all of them */

	if (ArrayItems(fcinfo, arg + 1, INT4OID, &froms) != n || ArrayItems(fcinfo, arg + 2, FLOAT8OID, &weights) != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("names, revisions and weights must have the same length")));
	states = palloc(n * sizeof(State));
	d->detectors = hash_create("detectors", 256, &control, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	for (int i = 0; i < n; i++)
	{
		Span		name;
		Detector   *detector;
		bool		found;

		name.data = VARDATA_ANY(DatumGetPointer(names[i]));
		name.len = VARSIZE_ANY_EXHDR(DatumGetPointer(names[i]));
		detector = hash_search(d->detectors, &name, HASH_ENTER, &found);
		if (!found)
		{
			detector->number = ++d->ndetectors;
			detector->nstates = 0;
			detector->states = &states[i];
		}
		detector->states[detector->nstates].from = DatumGetInt32(froms[i]);
		detector->states[detector->nstates++].weight = DatumGetFloat8(weights[i]);
	}
}

/* Its weight at a revision, 0 where it did not stand */
static double
WeightAt(const Detector *detector, int32 revision)
{
	double		weight = 0;

	for (int i = 0; i < detector->nstates && detector->states[i].from <= revision; i++)
		weight = detector->states[i].weight;
	return weight;
}

/*
 * While a policy or a tenant learns, this exclusion gives all messages the
 * default verdict (src/onboard): what their margins say is wanted all the same.
 */
#define LEARNING_EXCLUSION	"learning"

static bool
IsLearning(const EntryReader *e)
{
	return e->kind == ATTRIBUTION_EXCLUSION && e->name.len == strlen(LEARNING_EXCLUSION) &&
		memcmp(e->name.data, LEARNING_EXCLUSION, e->name.len) == 0;
}

/* Does a forced verdict decide, whatever the margin? */
static bool
IsForced(const Attribution *a)
{
	LedgerReader r;
	EntryReader e;

	LedgerBegin(&r, a);
	while (LedgerNext(&r, &e))
	{
		if (e.verdict.data && (e.flags & ATTRIBUTION_HIT) && (e.flags & ATTRIBUTION_NOT_COUNTED) == 0 && !IsLearning(&e))
			return true;
	}
	return false;
}

static void
Grow(void **array, int64 room, Size size)
{
	*array = *array == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, room * size) : repalloc_huge(*array, room * size);
}

static void
AddFound(Decisions *d, int number, double value)
{
	MemoryContext old;

	if (d->nfound == d->found_room)
	{
		if (d->nfound >= FOUND_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many decisions to calibrate from"),
					 errdetail("The limit is %d findings of detectors.", FOUND_MAX),
					 errhint("Take a shorter time.")));
		old = MemoryContextSwitchTo(d->context);
		d->found_room = Max(4096, Min(d->found_room * 2, FOUND_MAX));
		Grow((void **) &d->numbers, d->found_room, sizeof(int32));
		Grow((void **) &d->values, d->found_room, sizeof(double));
		MemoryContextSwitchTo(old);
	}
	d->numbers[d->nfound] = number;
	d->values[d->nfound++] = value;
}

static void
AddDecision(Decisions *d, int label, float score)
{
	MemoryContext old;

	if (d->nrows + 1 >= d->room)
	{
		if (d->nrows >= DECISIONS_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many decisions to calibrate from"),
					 errdetail("The limit is %d.", DECISIONS_MAX),
					 errhint("Take a shorter time.")));
		old = MemoryContextSwitchTo(d->context);
		d->room = Max(1024, d->room * 2);
		Grow((void **) &d->labels, d->room, sizeof(int8));
		Grow((void **) &d->scores, d->room, sizeof(float));
		Grow((void **) &d->starts, d->room, sizeof(int64));
		MemoryContextSwitchTo(old);
	}
	d->labels[d->nrows] = label;
	d->scores[d->nrows] = score;
	d->starts[d->nrows++] = d->nfound;
	d->starts[d->nrows] = d->nfound;
}

/* One decision: what its ledger says of the detectors that are fitted */
static void
ReadDecision(Decisions *d, TupleTableSlot *slot)
{
	LedgerReader r;
	EntryReader e;
	Attribution *a;

	slot_getallattrs(slot);
	if (slot->tts_isnull[ROW_REVISION] || slot->tts_isnull[ROW_SCORE] || slot->tts_isnull[ROW_ATTRIBUTION] ||
		(d->labelled_only && slot->tts_isnull[ROW_MALICIOUS]))
		return;
	a = DatumGetAttributionP(slot->tts_values[ROW_ATTRIBUTION]);
	if (IsForced(a))
		return;
	AddDecision(d, slot->tts_isnull[ROW_MALICIOUS] ? -1 : DatumGetBool(slot->tts_values[ROW_MALICIOUS]),
				DatumGetFloat4(slot->tts_values[ROW_SCORE]));
	LedgerBegin(&r, a);
	while (LedgerNext(&r, &e))
	{
		Detector   *detector;
		double		weight;

		if ((e.kind != ATTRIBUTION_RULE && e.kind != ATTRIBUTION_MODEL) ||
			(e.flags & ATTRIBUTION_NOT_COUNTED & ~ATTRIBUTION_SHADOW) ||
			(e.kind == ATTRIBUTION_RULE && (e.flags & ATTRIBUTION_HIT) == 0))
			continue;
		detector = hash_search(d->detectors, &e.name, HASH_FIND, NULL);
		if (detector == NULL)
			continue;
		weight = e.kind == ATTRIBUTION_RULE ? 1 : WeightAt(detector, DatumGetInt32(slot->tts_values[ROW_REVISION]));
		if (weight != 0)
		{
			double		value = e.kind == ATTRIBUTION_RULE ? 1 : e.contribution / weight;

			if (isfinite(value))
				AddFound(d, detector->number, value);
		}
	}
	d->starts[d->nrows] = d->nfound;
}

/* A row's margin by these weights */
static double
MarginOf(const Decisions *d, const double *weights, int64 row)
{
	double		margin = weights[0];

	for (int64 i = d->starts[row]; i < d->starts[row + 1]; i++)
		margin += weights[d->numbers[i]] * d->values[i];
	return margin;
}

static bool
ReceiveDecision(TupleTableSlot *slot, DestReceiver *self)
{
	Decisions  *d = (Decisions *) self;
	MemoryContext old = MemoryContextSwitchTo(d->per_row);

	CHECK_FOR_INTERRUPTS();
	ReadDecision(d, slot);
	if (d->take && d->nrows > 0)
	{
		d->take(d, MarginOf(d, d->weights, 0));
		d->nrows = d->nfound = 0;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(d->per_row);
	return true;
}

/* Arguments are policy, since, until and then the detectors. */
static void
BeginDecisions(FunctionCallInfo fcinfo, Decisions *d, bool labelled_only)
{
	memset(d, 0, sizeof(Decisions));
	InitReceiver(&d->dest, ReceiveDecision);
	d->context = CurrentMemoryContext;
	d->per_row = AllocSetContextCreate(CurrentMemoryContext, "decision", ALLOCSET_DEFAULT_SIZES);
	d->labelled_only = labelled_only;
	ReadDetectors(d, fcinfo, 3);
}

/* Read the decisions of a time, each message's latest. */
static void
ReadDecisions(FunctionCallInfo fcinfo, Decisions *d)
{
	Source		s;
	Security	security;
	BatchQuery	q;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	SourceMayRead(&s, s.id->label, s.id->label_name);
	SPI_connect();
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT v.revision::pg_catalog.int4, v.score::pg_catalog.float4, v.attribution::assay.attribution, l.malicious FROM %s v %s JOIN ",
			 s.id->decision_name, d->labelled_only ? "" : "LEFT");
	AddLabels(&q, &s);
	QueryAdd(&q, " l ON ");
	AddSameKey(&q, &s, "l", "v");
	QueryAdd(&q, " WHERE ");
	AddLatestDecision(&q, &s, "v", PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	EnterSource(&security, &s);
	QueryRunLarge(&q, &d->dest);
	LeaveSecurity(&security);
	SPI_finish();
}

/* ---- fitting ------------------------------------------------------------- */

/* A column of the problem: the rows where a detector found something */
typedef struct Column
{
	int64		n;
	int32	   *rows;
	double	   *values;
} Column;

typedef struct Fit
{
	Decisions  *d;
	double	   *weights;		/* 0 is the prior */
	const double *before;
	double	   *bounds;
	double	   *margins;
	Column	   *columns;		/* that of the prior is empty: all rows, 1
								 * each */
	double		l2;
	double		prior_max;
	bool		keep_signs;
} Fit;

/* Turn rows into columns. */
static Column *
MakeColumns(const Decisions *d)
{
	Column	   *columns = palloc0((d->ndetectors + 1) * sizeof(Column));

	for (int64 i = 0; i < d->nfound; i++)
		columns[d->numbers[i]].n++;
	for (int j = 1; j <= d->ndetectors; j++)
	{
		columns[j].rows = MemoryContextAllocHuge(CurrentMemoryContext, Max(columns[j].n, 1) * sizeof(int32));
		columns[j].values = MemoryContextAllocHuge(CurrentMemoryContext, Max(columns[j].n, 1) * sizeof(double));
		columns[j].n = 0;
	}
	for (int64 row = 0; row < d->nrows; row++)
	{
		for (int64 i = d->starts[row]; i < d->starts[row + 1]; i++)
		{
			Column	   *c = &columns[d->numbers[i]];

			c->rows[c->n] = row;
			c->values[c->n++] = d->values[i];
		}
	}
	return columns;
}

/* The greatest p (1 - p) of margins that are this far away at most */
static inline double
Curvature(double margin, double reach)
{
	double		m = fabs(margin);

	if (m <= reach)
		return 0.25;
	m = Min(m - reach, 700);
	return 1 / (2 + exp(m) + exp(-m));
}

/* Add a row to a weight's first and second derivative. */
static inline void
AddDerivatives(const Fit *f, int j, int64 row, double x, double *first, double *second)
{
	double		p = 1 / (1 + exp(-Min(Max(f->margins[row], -700), 700)));

	*first += x * (p - f->d->labels[row]);
	*second += x * x * Curvature(f->margins[row], f->bounds[j] * fabs(x));
}

/* One step of one weight; returns by how much margins have moved in all. */
static double
StepWeight(Fit *f, int j)
{
	const Column *c = &f->columns[j];
	int64		n = j == 0 ? f->d->nrows : c->n;
	double		first = j == 0 ? 0 : f->l2 * (f->weights[j] - f->before[j]);
	double		second = j == 0 ? 0 : f->l2;
	double		step;
	double		moved = 0;

	for (int64 i = 0; i < n; i++)
	{
		if (j == 0)
			AddDerivatives(f, 0, i, 1, &first, &second);
		else
			AddDerivatives(f, j, c->rows[i], c->values[i], &first, &second);
	}
	if (second <= 0)
		return 0;
	step = Min(Max(-first / second, -f->bounds[j]), f->bounds[j]);
	step = Min(Max(f->weights[j] + step, -WEIGHT_LIMIT), j == 0 ? f->prior_max : WEIGHT_LIMIT) - f->weights[j];
	/* A weight that may not change its sign stops at zero. */
	if (f->keep_signs && j > 0 && (f->weights[j] + step) * f->before[j] < 0)
		step = -f->weights[j];
	f->bounds[j] = Max(2 * fabs(step), f->bounds[j] / 2);
	if (step == 0)
		return 0;
	f->weights[j] += step;
	for (int64 i = 0; i < n; i++)
	{
		int64		row = j == 0 ? i : c->rows[i];
		double		by = j == 0 ? step : step * c->values[i];

		f->margins[row] += by;
		moved += fabs(by);
	}
	return moved;
}

/* Weight by weight until nothing moves any more; false where that takes too long */
static bool
Minimise(Fit *f)
{
	for (int sweep = 0; sweep < FIT_SWEEPS_MAX; sweep++)
	{
		double		moved = 0;
		double		all = 1;

		for (int j = 0; j <= f->d->ndetectors; j++)
		{
			CHECK_FOR_INTERRUPTS();
			moved += StepWeight(f, j);
		}
		for (int64 i = 0; i < f->d->nrows; i++)
			all += fabs(f->margins[i]);
		if (moved <= FIT_TOLERANCE * all)
			return true;
	}
	return false;
}

/* Margins of all rows by these weights */
static double *
Margins(const Decisions *d, const double *weights)
{
	double	   *margins = MemoryContextAllocHuge(CurrentMemoryContext, Max(d->nrows, 1) * sizeof(double));

	for (int64 row = 0; row < d->nrows; row++)
		margins[row] = MarginOf(d, weights, row);
	return margins;
}

/* The weights that stand now: the last state of each, and the prior */
static double *
WeightsNow(const Decisions *d, double prior)
{
	double	   *weights = palloc((d->ndetectors + 1) * sizeof(double));
	HASH_SEQ_STATUS scan;
	Detector   *detector;

	weights[0] = prior;
	hash_seq_init(&scan, d->detectors);
	while ((detector = hash_seq_search(&scan)) != NULL)
		weights[detector->number] = detector->states[detector->nstates - 1].weight;
	return weights;
}

/* Begin with wide steps, and say where it did not come to an end. */
static void
MinimiseAll(Fit *f)
{
	for (int j = 0; j <= f->d->ndetectors; j++)
		f->bounds[j] = FIT_FIRST_BOUND;
	if (!Minimise(f))
		ereport(NOTICE,
				(errmsg("weights still moved after %d sweeps", FIT_SWEEPS_MAX),
				 errhint("A greater l2 keeps them nearer to what they are.")));
}

static void
PutWeight(ReturnSetInfo *result, const Span *name, double before, double after, double unbounded, int64 found,
		  const Decisions *d, const Column *c)
{
	Datum		values[6];
	bool		nulls[6] = {name == NULL};
	int64		malicious = 0;

	for (int64 i = 0; i < found; i++)
		malicious += d->labels[c ? c->rows[i] : i];
	values[0] = name ? PointerGetDatum(cstring_to_text_with_len(name->data, name->len)) : (Datum) 0;
	values[1] = Float8GetDatum(before);
	values[2] = Float8GetDatum(after);
	values[3] = Int64GetDatum(found);
	values[4] = Int64GetDatum(malicious);
	values[5] = Float8GetDatum(unbounded);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* fit_weights(policy, since, until, names, revisions, weights, prior, l2, keep_signs, bound_prior) */
PG_FUNCTION_INFO_V1(assay_fit_weights);
Datum
assay_fit_weights(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Decisions	d;
	Fit			f = {.d = &d,.prior_max = WEIGHT_LIMIT};
	double	   *before;
	double	   *unbounded;
	HASH_SEQ_STATUS scan;
	Detector   *detector;
	int64		malicious = 0;

	f.l2 = PG_GETARG_FLOAT8(7);
	f.keep_signs = PG_GETARG_BOOL(8);
	if (!(f.l2 > 0 && f.l2 <= 1e6))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("l2 must be above 0, and at most 1e6")));
	InitMaterializedSRF(fcinfo, 0);
	BeginDecisions(fcinfo, &d, true);
	ReadDecisions(fcinfo, &d);
	for (int64 i = 0; i < d.nrows; i++)
		malicious += d.labels[i];
	if (malicious == 0 || malicious == d.nrows)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are not both malicious and safe messages among the %lld labelled ones", (long long) d.nrows),
				 errhint("Take a longer time, or label more.")));
	before = WeightsNow(&d, PG_GETARG_FLOAT8(6));
	f.before = before;
	f.weights = WeightsNow(&d, PG_GETARG_FLOAT8(6));
	f.margins = Margins(&d, before);
	f.columns = MakeColumns(&d);
	f.bounds = palloc((d.ndetectors + 1) * sizeof(double));
	MinimiseAll(&f);
	unbounded = palloc((d.ndetectors + 1) * sizeof(double));
	memcpy(unbounded, f.weights, (d.ndetectors + 1) * sizeof(double));
	if (PG_GETARG_BOOL(9))
		f.prior_max = log((double) malicious / (d.nrows - malicious));
	if (f.weights[0] > f.prior_max)
		MinimiseAll(&f);
	PutWeight(result, NULL, before[0], f.weights[0], unbounded[0], d.nrows, &d, NULL);
	hash_seq_init(&scan, d.detectors);
	while ((detector = hash_seq_search(&scan)) != NULL)
		PutWeight(result, &detector->name, before[detector->number], f.weights[detector->number], unbounded[detector->number],
				  f.columns[detector->number].n, &d, &f.columns[detector->number]);
	return (Datum) 0;
}

/* ---- scoring anew ---------------------------------------------------------- */

/* The weights that stand, with others in their place: three arguments are names, weights and the prior. */
static double *
OtherWeights(FunctionCallInfo fcinfo, const Decisions *d, int arg)
{
	double	   *weights = WeightsNow(d, PG_GETARG_FLOAT8(arg + 2));
	Datum	   *names;
	Datum	   *given;
	int			n = ArrayItems(fcinfo, arg, TEXTOID, &names);

	if (ArrayItems(fcinfo, arg + 1, FLOAT8OID, &given) != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("names and weights must have the same length")));
	for (int i = 0; i < n; i++)
	{
		Span		name;
		Detector   *detector;

		name.data = VARDATA_ANY(DatumGetPointer(names[i]));
		name.len = VARSIZE_ANY_EXHDR(DatumGetPointer(names[i]));
		detector = hash_search(d->detectors, &name, HASH_FIND, NULL);
		if (detector)
			weights[detector->number] = DatumGetFloat8(given[i]);
	}
	return weights;
}

/* A row of rescore() */
static void
PutScores(Decisions *d, double margin)
{
	ReturnSetInfo *result = d->into;
	Datum		values[3];
	bool		nulls[3] = {false, false, d->labels[0] < 0};

	values[0] = Float4GetDatum(d->scores[0]);
	values[1] = Float4GetDatum((float4) (1 / (1 + exp(-Min(Max(margin, -700), 700)))));
	values[2] = BoolGetDatum(d->labels[0] > 0);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* rescore(policy, since, until, names, revisions, weights, prior, new_names, new_weights, new_prior) */
PG_FUNCTION_INFO_V1(assay_rescore);
Datum
assay_rescore(PG_FUNCTION_ARGS)
{
	Decisions	d;

	InitMaterializedSRF(fcinfo, 0);
	BeginDecisions(fcinfo, &d, false);
	d.weights = OtherWeights(fcinfo, &d, 7);
	d.take = PutScores;
	d.into = fcinfo->resultinfo;
	ReadDecisions(fcinfo, &d);
	return (Datum) 0;
}

/* ---- how many are malicious ------------------------------------------------ */

/* All messages: what each is labelled, or -1, and how much likelier it is among malicious ones than among safe ones */
typedef struct Traffic
{
	MemoryContext context;
	double		drawn;			/* log-odds of the labels that were fitted to */
	int64		labelled[2];
	int64		n;
	int64		room;
	int8	   *labels;
	double	   *ratios;
} Traffic;

static void
CountMessage(Decisions *d, double margin)
{
	Traffic    *t = d->into;
	MemoryContext old;

	if (t->n == t->room)
	{
		if (t->n >= DECISIONS_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many decisions to calibrate from"),
					 errdetail("The limit is %d.", DECISIONS_MAX),
					 errhint("Take a shorter time, or say the share.")));
		old = MemoryContextSwitchTo(t->context);
		t->room = Max(1024, t->room * 2);
		Grow((void **) &t->labels, t->room, sizeof(int8));
		Grow((void **) &t->ratios, t->room, sizeof(double));
		MemoryContextSwitchTo(old);
	}
	if (d->labels[0] >= 0)
		t->labelled[d->labels[0]]++;
	t->labels[t->n] = d->labels[0];
	t->ratios[t->n++] = exp(Min(Max(margin - t->drawn, -SHARE_MARGIN_MAX), SHARE_MARGIN_MAX));
}

/* What a message adds to the derivative of the log likelihood by the share that is malicious */
static inline double
ShareSlope(double ratio, double share)
{
	return (ratio - 1) / (share * ratio + 1 - share);
}

/* That derivative, of the messages without a label */
static double
SlopeOfAll(const Traffic *t, double share)
{
	double		slope = 0;

	for (int64 i = 0; i < t->n; i++)
	{
		if (i % 65536 == 65535)
			CHECK_FOR_INTERRUPTS();
		if (t->labels[i] < 0)
			slope += ShareSlope(t->ratios[i], share);
	}
	return slope;
}

/* The share of the messages without a label that is malicious: where the likelihood, which is concave, is greatest */
static double
LikeliestShare(const Traffic *t)
{
	double		low = 0;
	double		high = 1;

	if (SlopeOfAll(t, 0) <= 0)
		return 0;
	if (SlopeOfAll(t, 1) >= 0)
		return 1;
	for (int i = 0; i < SHARE_STEPS; i++)
	{
		double		middle = (low + high) / 2;

		if (SlopeOfAll(t, middle) > 0)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

/*
 * The standard error of that share.  It is where the mean slope of messages
 * without a label is zero, so it is as far off as that mean is from what it
 * should be by the slopes of safe and of malicious messages, of which the
 * labels are samples.
 */
static double
ShareError(const Traffic *t, double share)
{
	double		sum[3] = {0};
	double		squares[3] = {0};
	int64		n[3] = {0};
	double		mean[3];
	double		variance[3];
	double		apart;

	for (int64 i = 0; i < t->n; i++)
	{
		double		slope = ShareSlope(t->ratios[i], share);
		int			kind = t->labels[i] + 1;	/* without a label, safe,
												 * malicious */

		n[kind]++;
		sum[kind] += slope;
		squares[kind] += slope * slope;
	}
	for (int k = 0; k < 3; k++)
	{
		mean[k] = sum[k] / Max(n[k], 1);
		variance[k] = Max(squares[k] / Max(n[k], 1) - mean[k] * mean[k], 0) / Max(n[k], 1);
	}
	apart = mean[2] - mean[1];
	if (!(apart > 0) || n[1] == 0 || n[2] == 0)
		return 1;				/* nothing tells one from the other */
	return Min(sqrt(variance[0] + (1 - share) * (1 - share) * variance[1] + share * share * variance[2]) / apart, 1);
}

/*
 * malicious_share(policy, since, until, names, revisions, weights, prior, new_names, new_weights, new_prior, drawn):
 * as far towards the labels' own share as it is uncertain, by a standard error
 */
PG_FUNCTION_INFO_V1(assay_malicious_share);
Datum
assay_malicious_share(PG_FUNCTION_ARGS)
{
	Decisions	d;
	Traffic		t = {.context = CurrentMemoryContext};
	double		drawn = PG_GETARG_FLOAT8(10);
	double		share;
	double		error;
	int64		rest;

	if (!(drawn > 0 && drawn < 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the share of labels must lie between 0 and 1")));
	t.drawn = log(drawn / (1 - drawn));
	BeginDecisions(fcinfo, &d, false);
	d.weights = OtherWeights(fcinfo, &d, 7);
	d.take = CountMessage;
	d.into = &t;
	ReadDecisions(fcinfo, &d);
	if (t.n == 0)
		PG_RETURN_NULL();
	share = LikeliestShare(&t);
	error = ShareError(&t, share);
	share = share < drawn ? Min(share + error, drawn) : Max(share - error, drawn);
	rest = t.n - t.labelled[0] - t.labelled[1];
	PG_RETURN_FLOAT8((t.labelled[1] + share * rest) / t.n);
}
