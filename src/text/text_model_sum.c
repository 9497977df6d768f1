/*
 * text_model_sum.c
 *		Arithmetic of text models: sum, difference, weights, and the published
 *		form.
 *
 * Two models are merged as they lie there, in one pass over both: their tokens
 * are sorted.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "platt.h"
#include "port/pg_bitutils.h"
#include "text_model.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/*
 * A token's evidence: q = (s/S) / (s/S + h/H), drawn towards 1/2 by a prior of
 * PRIOR_STRENGTH messages, and left out where it stays near 1/2.
 */
#define PRIOR_STRENGTH	0.03
#define DEVIATION_MIN	0.1

#define PUBLISH_BYTES_MIN	1024
#define PUBLISHED_TOKEN_MIN 3	/* bytes of a token in the published form */

/* ---- counts ---------------------------------------------------------------- */

/* A count in a unit smaller by 2^shift */
int64
TextCountScale(int64 count, int shift)
{
	int64		scaled;

	Assert(shift >= 0);
	if (count == 0 || shift == 0)
		return count;
	if (shift > 62 || pg_mul_s64_overflow(count, INT64CONST(1) << shift, &scaled) || scaled == PG_INT64_MIN)
		TextModelOutOfRange();
	return scaled;
}

int64
TextCountAdd(int64 a, int64 b)
{
	int64		sum;

	if (pg_add_s64_overflow(a, b, &sum) || sum == PG_INT64_MIN)
		TextModelOutOfRange();
	return sum;
}

static bool
IsEmpty(const TextModelValue *v)
{
	return v->ntokens == 0 && v->count[0] == 0 && v->count[1] == 0;
}

/* ---- sum and difference ---------------------------------------------------- */

static inline void
AddScaled(TextCount *to, const TextCount *c, int shift, int sign)
{
	for (int k = 0; k < 2; k++)
		to->count[k] = TextCountAdd(to->count[k], sign * TextCountScale(c->count[k], shift));
}

/* All tokens of two models into one, ascending */
static void
MergeTokens(TextModelWriter *w, const TextModelValue *a, int shift_a, const TextModelValue *b, int shift_b, int sign)
{
	TextModelReader ra;
	TextModelReader rb;
	TextCount	ca;
	TextCount	cb;
	bool		more_a;
	bool		more_b;

	TextModelReadBegin(&ra, a);
	TextModelReadBegin(&rb, b);
	more_a = TextModelReadCount(&ra, &ca);
	more_b = TextModelReadCount(&rb, &cb);
	while (more_a || more_b)
	{
		TextCount	sum;
		bool		from_a = more_a && (!more_b || ca.fingerprint <= cb.fingerprint);
		bool		from_b = more_b && (!more_a || cb.fingerprint <= ca.fingerprint);

		sum.fingerprint = from_a ? ca.fingerprint : cb.fingerprint;
		sum.count[0] = sum.count[1] = 0;
		if (from_a)
		{
			AddScaled(&sum, &ca, shift_a, 1);
			more_a = TextModelReadCount(&ra, &ca);
		}
		if (from_b)
		{
			AddScaled(&sum, &cb, shift_b, sign);
			more_b = TextModelReadCount(&rb, &cb);
		}
		TextModelWriteCount(w, &sum);
	}
}

/*
 * a + sign * b, without calibration: it was neither's.
 */
static TextModelValue *
Combine(const TextModelValue *a, const TextModelValue *b, int sign)
{
	TextModelWriter w;
	int64		base = IsEmpty(a) ? b->base : IsEmpty(b) ? a->base : Min(a->base, b->base);
	int			shift_a = IsEmpty(a) ? 0 : (int) Min(a->base - base, 63);
	int			shift_b = IsEmpty(b) ? 0 : (int) Min(b->base - base, 63);

	TextModelCheckMergeable(a);
	TextModelCheckMergeable(b);
	if (a->half_life != b->half_life)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text models have different half-lives")));
	TextModelWriteBegin(&w, a, (Size) VARSIZE(a) + VARSIZE(b) < MaxAllocSize / 2 ?
						(Size) VARSIZE(a) + VARSIZE(b) : VARSIZE(a));
	w.value->flags = 0;
	w.value->base = (int32) base;
	w.value->last = IsEmpty(a) ? b->last : IsEmpty(b) ? a->last : Max(a->last, b->last);
	for (int k = 0; k < 2; k++)
		w.value->count[k] = TextCountAdd(TextCountScale(a->count[k], shift_a),
										 sign * TextCountScale(b->count[k], shift_b));
	MergeTokens(&w, a, shift_a, b, shift_b, sign);
	return TextModelWriteEnd(&w);
}

PG_FUNCTION_INFO_V1(text_model_plus);
Datum
text_model_plus(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(Combine(DatumGetTextModelValue(PG_GETARG_DATUM(0)),
							  DatumGetTextModelValue(PG_GETARG_DATUM(1)), 1));
}

PG_FUNCTION_INFO_V1(text_model_minus);
Datum
text_model_minus(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(Combine(DatumGetTextModelValue(PG_GETARG_DATUM(0)),
							  DatumGetTextModelValue(PG_GETARG_DATUM(1)), -1));
}

/* ---- weights ---------------------------------------------------------------- */

/* What a count is worth in messages, as of the model's last one */
static double
MessagesOf(const TextModelValue *v, int64 count)
{
	double		ago = v->base;

	if (count <= 0)
		return 0;
	if (v->half_life != 0)
		ago -= (double) v->last / (double) v->half_life;
	return (double) count / TEXT_MESSAGE * exp2(Max(Min(ago, 1000), -1000));
}

/*
 * A token's weight in 1/1024 of a log-odds; 0 where it tells nothing.
 */
static int
WeightOf(const TextModelValue *v, const TextCount *c)
{
	double		total[2];
	double		rate[2];
	double		n;
	double		f;

	for (int k = 0; k < 2; k++)
	{
		if (v->count[k] <= 0)
			return 0;
		total[k] = (double) v->count[k];
		rate[k] = (c->count[k] > 0 ? (double) c->count[k] : 0) / total[k];
	}
	n = MessagesOf(v, c->count[0]) + MessagesOf(v, c->count[1]);
	if (n <= 0)
		return 0;
	f = (PRIOR_STRENGTH * 0.5 + n * rate[TEXT_MALICIOUS] / (rate[TEXT_MALICIOUS] + rate[TEXT_SAFE])) /
		(PRIOR_STRENGTH + n);
	if (fabs(f - 0.5) < DEVIATION_MIN)
		return 0;
	return (int) rint(Max(Min(log(f / (1 - f)) * TEXT_WEIGHT_UNIT, PG_INT16_MAX), -PG_INT16_MAX));
}

/*
 * The same, and what the token is expected to add to some message.  Most tokens
 * have few messages, and so one of few pairs of counts: what these come to is
 * made out once.
 */
TextEvidence
TextModelEvidence(TextEvidences *all, const TextCount *c)
{
	bool		few = (uint64) c->count[0] < TEXT_COUNTS_FEW && (uint64) c->count[1] < TEXT_COUNTS_FEW;
	TextEvidence *known = few ? &all->known[c->count[0]][c->count[1]] : NULL;
	TextEvidence e;
	double		log_odds;

	if (few && known->known)
		return *known;
	e.known = true;
	e.weight = WeightOf(all->model, c);
	log_odds = (double) e.weight / TEXT_WEIGHT_UNIT;
	e.worth = e.weight == 0 ? 0 : (MessagesOf(all->model, c->count[0]) + MessagesOf(all->model, c->count[1])) * log_odds * log_odds;
	if (few)
		*known = e;
	return e;
}

/* ---- pruning and publishing -------------------------------------------------- */

/* A token that may be published */
typedef struct Candidate
{
	uint32		fingerprint;
	int			weight;
	uint32		rank;			/* 0 is the best */
	double		worth;			/* what it is expected to add to some message */
} Candidate;

static int
CompareWorth(const void *a, const void *b, void *arg)
{
	const Candidate *x = *(Candidate *const *) a;
	const Candidate *y = *(Candidate *const *) b;

	if (x->worth != y->worth)
		return x->worth > y->worth ? -1 : 1;
	return x->fingerprint < y->fingerprint ? -1 : 1;
}

/* The candidates of a model, by ascending fingerprint: the best so many of them */
typedef struct Candidates
{
	Candidate  *found;
	double	   *worths;			/* scratch */
	int			n;
	int			size;			/* room in both */
	int			most;			/* that are kept in the end */
	double		least;			/* worth that a candidate must exceed */
} Candidates;

/* The k-th largest of n numbers, which are moved */
static double
Largest(double *x, int n, int k)
{
	int			from = 0;
	int			to = n;

	for (;;)
	{
		double		pivot = x[from + (to - from) / 2];
		int			larger = from;
		int			smaller = to;

		CHECK_FOR_INTERRUPTS();
		for (int i = from; i < smaller;)
		{
			double		y = x[i];

			if (y > pivot)
			{
				x[i++] = x[larger];
				x[larger++] = y;
			}
			else if (y < pivot)
			{
				x[i] = x[--smaller];
				x[smaller] = y;
			}
			else
				i++;
		}
		if (k <= larger)
			to = larger;
		else if (k <= smaller)
			return pivot;
		else
			from = smaller;
	}
}

/* Keep the best, of those that are worth the same the ones of lower fingerprints. */
static void
KeepBest(Candidates *c)
{
	int			same;
	int			kept = 0;

	if (c->n <= c->most)
		return;
	for (int i = 0; i < c->n; i++)
		c->worths[i] = c->found[i].worth;
	c->least = Largest(c->worths, c->n, c->most);
	same = c->most;
	for (int i = 0; i < c->n; i++)
		same -= c->found[i].worth > c->least;
	for (int i = 0; i < c->n; i++)
		if (c->found[i].worth > c->least || (c->found[i].worth == c->least && same-- > 0))
			c->found[kept++] = c->found[i];
	c->n = kept;
}

static void
AddCandidate(Candidates *c, const Candidate *new)
{
	/* What comes has a higher fingerprint than all before. */
	if (new->weight == 0 || new->worth <= c->least)
		return;
	if (c->n == c->size)
		KeepBest(c);
	c->found[c->n++] = *new;
}

/*
 * The tokens that tell most, no more of them than can be published.  Of those
 * that share the upper 32 bits of their fingerprints, the one that tells most
 * stands for all.
 */
static void
FindCandidates(Candidates *all, const TextModelValue *v, int most)
{
	TextEvidences *evidences = palloc0(sizeof(TextEvidences));
	Candidate	last = {0};
	TextModelReader r;
	TextCount	c;

	evidences->model = v;
	all->n = 0;
	all->most = most;
	all->least = -1;
	all->size = (int) Min((int64) v->ntokens + 1, (int64) most * 2);
	all->found = MemoryContextAllocHuge(CurrentMemoryContext, mul_size(all->size, sizeof(Candidate)));
	all->worths = MemoryContextAllocHuge(CurrentMemoryContext, mul_size(all->size, sizeof(double)));
	TextModelReadBegin(&r, v);
	while (TextModelReadCount(&r, &c))
	{
		TextEvidence e = TextModelEvidence(evidences, &c);
		uint32		fingerprint = (uint32) (c.fingerprint >> (TEXT_FINGERPRINT_BITS - 32));

		if (e.weight == 0)
			continue;
		if (last.weight != 0 && last.fingerprint == fingerprint)
		{
			if (e.worth <= last.worth)
				continue;
		}
		else
			AddCandidate(all, &last);
		last.fingerprint = fingerprint;
		last.weight = e.weight;
		last.worth = e.worth;
	}
	AddCandidate(all, &last);
	KeepBest(all);
}

/* Bytes of a published model of the candidates below a rank */
static Size
PublishedBytes(const Candidate *found, int n, uint32 rank)
{
	Size		bytes = offsetof(TextModelValue, data);
	uint64		next = 0;

	for (int i = 0; i < n; i++)
		if (found[i].rank < rank)
		{
			uint64		distance = found[i].fingerprint - next + 1;

			bytes += 2 + (pg_leftmost_one_pos64(distance) + 7) / 7;
			next = (uint64) found[i].fingerprint + 1;
		}
	return bytes;
}

/* Rank the candidates by their worth. */
static void
RankCandidates(Candidate *found, int n)
{
	Candidate **by_worth = MemoryContextAllocHuge(CurrentMemoryContext, mul_size(n + 1, sizeof(Candidate *)));

	for (int i = 0; i < n; i++)
		by_worth[i] = &found[i];
	qsort_interruptible(by_worth, n, sizeof(Candidate *), CompareWorth, NULL);
	for (int i = 0; i < n; i++)
		by_worth[i]->rank = i;
	pfree(by_worth);
}

/*
 * How many candidates, best first, fit into so many bytes: by halving.
 */
static int
HowManyFit(const Candidate *found, int n, Size max_bytes)
{
	int			fits = 0;
	int			too_many = n + 1;

	while (too_many - fits > 1)
	{
		int			middle = fits + (too_many - fits) / 2;

		CHECK_FOR_INTERRUPTS();
		if (PublishedBytes(found, n, middle) <= max_bytes)
			fits = middle;
		else
			too_many = middle;
	}
	return fits;
}

/*
 * text_model_publish(model, max_bytes): the weights of the tokens that add most
 * to scores, in so many bytes.
 */
PG_FUNCTION_INFO_V1(text_model_publish);
Datum
text_model_publish(PG_FUNCTION_ARGS)
{
	TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	int32		max_bytes = PG_GETARG_INT32(1);
	Candidates	all;
	Candidate  *found;
	TextModelWriter w;
	uint32		rank;
	int			n;

	if (max_bytes < PUBLISH_BYTES_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_bytes must be at least %d", PUBLISH_BYTES_MIN)));
	TextModelCheckMergeable(v);

	/*
	 * Of what is published each token has at least so many bytes: all but the
	 * best are of no use.
	 */
	FindCandidates(&all, v, max_bytes / PUBLISHED_TOKEN_MIN + 1);
	found = all.found;
	rank = n = all.n;
	if (PublishedBytes(found, n, rank) > max_bytes)
	{
		RankCandidates(found, n);
		rank = HowManyFit(found, n, max_bytes);
	}
	TextModelWriteBegin(&w, v, Min((Size) rank * 5, MaxAllocSize / 2));
	w.value->kind = TEXT_MODEL_PUBLISHED;
	for (int i = 0; i < n; i++)
		if (found[i].rank < rank)
			TextModelWriteWeight(&w, found[i].fingerprint, found[i].weight);
	PG_RETURN_POINTER(TextModelWriteEnd(&w));
}

/*
 * text_model_prune(model, min_messages): without the tokens that fewer messages
 * have, which bounds a model that is added to for years.
 */
PG_FUNCTION_INFO_V1(text_model_prune);
Datum
text_model_prune(PG_FUNCTION_ARGS)
{
	TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	double		least = PG_GETARG_FLOAT8(1);
	TextModelReader r;
	TextModelWriter w;
	TextCount	c;

	if (!(least >= 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_messages must not be negative")));
	TextModelCheckMergeable(v);
	TextModelReadBegin(&r, v);
	TextModelWriteBegin(&w, v, VARSIZE(v));
	while (TextModelReadCount(&r, &c))
		if (MessagesOf(v, llabs(c.count[0])) + MessagesOf(v, llabs(c.count[1])) >= least)
			TextModelWriteCount(&w, &c);
	PG_RETURN_POINTER(TextModelWriteEnd(&w));
}

/* ---- calibration -------------------------------------------------------------- */

/* A copy with another calibration */
static TextModelValue *
WithCalibration(const TextModelValue *v, double slope, double intercept)
{
	TextModelWriter w;

	if (!isfinite(slope) || !isfinite(intercept) || slope <= 0 || slope > 1e6 || fabs(intercept) > 1e6)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("calibration out of range"),
				 errdetail("The slope must be positive, and both at most a million.")));
	/* Tokens that aren't read one by one are checked so. */
	if (TextModelFault(v) != NULL)
		TextModelCorrupt();
	TextModelWriteBegin(&w, v, VARSIZE(v));
	w.value->flags |= TEXT_MODEL_CALIBRATED;
	w.value->slope = slope;
	w.value->intercept = intercept + 0.0;
	memcpy(w.value->data, v->data, VARSIZE(v) - offsetof(TextModelValue, data));
	w.value->ntokens = v->ntokens;
	w.used = VARSIZE(v);
	return TextModelWriteEnd(&w);
}

PG_FUNCTION_INFO_V1(text_model_calibrate);
Datum
text_model_calibrate(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(WithCalibration(DatumGetTextModelValue(PG_GETARG_DATUM(0)),
									  PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2)));
}

/*
 * text_model_calibrate(model, margins, labels): slope and intercept that make
 * held-back margins log-odds.
 */
PG_FUNCTION_INFO_V1(text_model_calibrate_fit);
Datum
text_model_calibrate_fit(PG_FUNCTION_ARGS)
{
	TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	Datum	   *margins;
	Datum	   *labels;
	bool	   *margin_null;
	bool	   *label_null;
	int			n;
	int			nlabels;
	double		count[2] = {0, 0};
	Platt		p = {.slope = 1};

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), FLOAT4OID, sizeof(float4), true, TYPALIGN_INT, &margins, &margin_null, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), BOOLOID, 1, true, TYPALIGN_CHAR, &labels, &label_null, &nlabels);
	if (n != nlabels)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d margins and %d labels", n, nlabels)));
	p.margin = palloc((n + 1) * sizeof(float8));
	p.target = palloc((n + 1) * sizeof(float8));
	for (int i = 0; i < n; i++)
	{
		float4		m = margin_null[i] ? 0 : DatumGetFloat4(margins[i]);

		if (margin_null[i] || label_null[i] || !isfinite(m))
			continue;
		p.margin[p.n] = m;
		p.target[p.n] = DatumGetBool(labels[i]);
		count[(int) p.target[p.n++]]++;
	}
	if (count[0] == 0 || count[1] == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("calibration needs labels of both kinds")));
	for (int i = 0; i < p.n; i++)
		p.target[i] = p.target[i] > 0 ? (count[1] + 1) / (count[1] + 2) : 1 / (count[0] + 2);
	PlattFit(&p);
	if (p.slope <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("safe messages have higher margins than malicious ones"),
				 errhint("Margins must be those of a model that was built without these labels.")));
	PG_RETURN_POINTER(WithCalibration(v, p.slope, p.intercept));
}

/* ---- looking in ------------------------------------------------------------------ */

PG_FUNCTION_INFO_V1(text_model_info);
Datum
text_model_info(PG_FUNCTION_ARGS)
{
	TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));
	TupleDesc	desc;
	Datum		values[9];
	bool		nulls[9] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = PointerGetDatum(cstring_to_text(v->kind == TEXT_MODEL_COUNTS ? "counts" : "published"));
	values[1] = Int64GetDatum(v->ntokens);
	values[2] = Int64GetDatum(VARSIZE(v));
	for (int k = 0; k < 2; k++)
		values[3 + k] = Float8GetDatum(v->count[k] < 0 ? -MessagesOf(v, -v->count[k]) : MessagesOf(v, v->count[k]));
	nulls[5] = nulls[6] = v->half_life == 0;
	if (v->half_life != 0)
	{
		Interval   *half_life = palloc0(sizeof(Interval));

		half_life->day = v->half_life / USECS_PER_DAY;
		half_life->time = v->half_life % USECS_PER_DAY;
		values[5] = IntervalPGetDatum(half_life);
		values[6] = TimestampTzGetDatum(v->last);
	}
	nulls[7] = nulls[8] = !(v->flags & TEXT_MODEL_CALIBRATED);
	values[7] = Float8GetDatum(v->slope);
	values[8] = Float8GetDatum(v->intercept);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
