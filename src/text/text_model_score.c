/*
 * text_model_score.c
 *		Scores messages by a text model.
 *
 * The margin is a mean of the log-odds w of the message's tokens, weighted by
 * how far they are from 0:
 *
 *		margin = sum of w |w| / (30 + sum of |w|)
 *
 * A sum would grow with the length of the text, so that one long newsletter
 * would top everything; a mean doesn't.  Each token adds w |w| over the same
 * denominator, so the contributions add up to the margin.  Weights are
 * integers (1/1024 of a log-odds), whence the order of tokens can't matter.
 *
 * What is above "the backend's models" takes plain structs: no fcinfo, no SPI.
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "common/pg_prng.h"
#include "compat.h"
#include "detoast_once.h"
#include "encoding.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/proc.h"
#include "text_model.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define MEAN_STRENGTH	30		/* log-odds of a message without tokens */
#define TOP_BY_INSERTION	32
#define PREFETCH_AHEAD	16

/* Models that a backend keeps ready, in bytes */
#define CACHE_BYTES_MAX	((Size) 64 << 20)

/* What one counts for at least: as each is looked for among all, there may not be too many */
#define CACHE_ENTRY_MIN	((Size) 16 << 10)

#if defined(__GNUC__)
#define PREFETCH(addr)	__builtin_prefetch(addr, 0)
#else
#define PREFETCH(addr)	((void) (addr))
#endif

/* A model ready for scoring */
typedef struct TextModelSlot
{
	uint32		fingerprint;	/* the upper 32 of 40 bits */
	int32		weight;			/* 0 is a free slot */
} TextModelSlot;

/*
 * A published model is a hash table.  One of counts may be a hundred times as
 * large, and is made ready for the messages of one day while a model learns: it
 * is in the order of its fingerprints, as it lies there.
 */
typedef struct TextModel
{
	uint32		nslots;
	uint32		ntokens;
	uint32		multiplier;
	double		slope;
	double		intercept;
	TextModelSlot *slots;
	uint32	   *fingerprints;	/* of a model of counts, ascending */
	int16	   *weights;
	uint32	   *starts;			/* where those of each bucket begin */
	int			shift;			/* of a fingerprint to its bucket */
} TextModel;

/* What one token of a message adds to the margin */
typedef struct TextContribution
{
	int			token;			/* index into scratch->tokens */
	int32		weight;
	double		contribution;
} TextContribution;

/* ---- evaluation ----------------------------------------------------------------- */

/* A factor of this process, so that nobody can fill a model with one slot's tokens */
static uint32
ProcessMultiplier(void)
{
	static uint32 multiplier = 0;

	if (multiplier == 0)
		multiplier = pg_prng_uint32(&pg_global_prng_state) | 1;
	return multiplier;
}

static inline uint32
SlotOf(const TextModel *m, uint32 fingerprint)
{
	return (uint32) (((uint64) (fingerprint * m->multiplier) * m->nslots) >> 32);
}

static inline uint32
NextSlot(const TextModel *m, uint32 i)
{
	return i + 1 == m->nslots ? 0 : i + 1;
}

/* Of two tokens with one fingerprint, the one that tells more is kept. */
static void
AddWeight(TextModel *m, uint32 fingerprint, int weight)
{
	uint32		i = SlotOf(m, fingerprint);

	while (m->slots[i].weight != 0 && m->slots[i].fingerprint != fingerprint)
		i = NextSlot(m, i);
	if (m->slots[i].weight == 0)
		m->ntokens++;
	if (abs(weight) > abs(m->slots[i].weight))
	{
		m->slots[i].fingerprint = fingerprint;
		m->slots[i].weight = weight;
	}
}

/* By halving: who chose the tokens can't make a bucket slow. */
static inline int
SortedWeight(const TextModel *m, uint32 fingerprint)
{
	uint32		from = m->starts[fingerprint >> m->shift];
	uint32		to = m->starts[(fingerprint >> m->shift) + 1];

	while (from < to)
	{
		uint32		middle = from + (to - from) / 2;

		if (m->fingerprints[middle] == fingerprint)
			return m->weights[middle];
		if (m->fingerprints[middle] < fingerprint)
			from = middle + 1;
		else
			to = middle;
	}
	return 0;
}

static inline int
WeightOf(const TextModel *m, uint32 fingerprint)
{
	uint32		i;

	if (m->starts)
		return SortedWeight(m, fingerprint);
	i = SlotOf(m, fingerprint);

	while (m->slots[i].weight != 0)
	{
		if (m->slots[i].fingerprint == fingerprint)
			return m->slots[i].weight;
		i = NextSlot(m, i);
	}
	return 0;
}

/* Where a token's weight is looked for first */
static inline const void *
PlaceOf(const TextModel *m, uint32 fingerprint)
{
	return m->starts ? (const void *) &m->starts[fingerprint >> m->shift] : &m->slots[SlotOf(m, fingerprint)];
}

static void
LoadWeights(TextModel *m, const TextModelValue *v)
{
	TextModelReader r;
	uint32		fingerprint;
	int			weight;

	m->multiplier = ProcessMultiplier();
	m->nslots = 2 * v->ntokens + 16;
	m->slots = palloc_extended(mul_size(m->nslots, sizeof(TextModelSlot)), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	TextModelReadBegin(&r, v);
	while (TextModelReadWeight(&r, &fingerprint, &weight))
		AddWeight(m, fingerprint, weight);
}

/* Room for the tokens of a model of counts, in buckets of a few each */
static void
MakeBuckets(TextModel *m, uint32 ntokens)
{
	int			bits = Max(pg_leftmost_one_pos32(ntokens | 1) - 2, 1);
	Size		buckets = mul_size(((Size) 1 << bits) + 1, sizeof(uint32));
	Size		fingerprints = mul_size((Size) ntokens + 1, sizeof(uint32));
	Size		weights = mul_size((Size) ntokens + 1, sizeof(int16));

	m->shift = 32 - bits;
	m->starts = palloc_extended(buckets, MCXT_ALLOC_HUGE);
	m->fingerprints = palloc_extended(fingerprints, MCXT_ALLOC_HUGE);
	m->weights = palloc_extended(weights, MCXT_ALLOC_HUGE);
}

/* Tokens come by ascending fingerprint; AddWeight() says which of two is kept. */
static void
LoadCounts(TextModel *m, const TextModelValue *v)
{
	TextEvidences *evidences = palloc0(sizeof(TextEvidences));
	TextModelReader r;
	TextCount	c;
	uint32		n = 0;
	uint32		bucket = 0;

	MakeBuckets(m, v->ntokens);
	evidences->model = v;
	TextModelReadBegin(&r, v);
	while (TextModelReadCount(&r, &c))
	{
		uint32		fingerprint = (uint32) (c.fingerprint >> (TEXT_FINGERPRINT_BITS - 32));
		int			weight = TextModelEvidence(evidences, &c).weight;

		if (weight == 0)
			continue;
		if (n > 0 && m->fingerprints[n - 1] == fingerprint)
		{
			if (abs(weight) > abs(m->weights[n - 1]))
				m->weights[n - 1] = weight;
			continue;
		}
		while (bucket <= fingerprint >> m->shift)
			m->starts[bucket++] = n;
		m->fingerprints[n] = fingerprint;
		m->weights[n++] = weight;
	}
	while (bucket <= (uint32) 1 << (32 - m->shift))
		m->starts[bucket++] = n;
	m->ntokens = n;
	pfree(evidences);
}

/*
 * A value made ready in the current memory context.  Its bytes are checked
 * here, and it isn't needed afterwards.
 */
static TextModel *
TextModelLoad(const TextModelValue *v)
{
	TextModel  *m = palloc0(sizeof(TextModel));

	m->slope = v->slope;
	m->intercept = v->intercept;
	if (v->kind == TEXT_MODEL_PUBLISHED)
		LoadWeights(m, v);
	else
		LoadCounts(m, v);
	return m;
}

TextScratch *
TextScratchCreate(bool explain)
{
	TextScratch *scratch = palloc0(sizeof(TextScratch));

	scratch->tokens = TextTokensCreate(explain);
	if (explain)
		scratch->contributions = palloc(TEXT_TOKENS_MAX * sizeof(TextContribution));
	return scratch;
}

/*
 * The scratch of this process.  Nothing is kept in it from call to call, and no
 * code of others runs between filling and reading it.
 */
TextScratch *
TextScratchShared(void)
{
	static TextScratch *shared = NULL;

	if (shared == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		shared = TextScratchCreate(false);
		MemoryContextSwitchTo(caller);
	}
	return shared;
}

/*
 * The margin of the message in scratch->parts; score = slope * margin +
 * intercept.  Where `contributions` isn't NULL, it has room for
 * TEXT_TOKENS_MAX, and gets what each token with a weight adds to the margin.
 */
static double
TextModelScore(const TextModel *model, TextScratch *scratch, TextContribution *contributions, int *ncontributions)
{
	const uint64 *fingerprint = scratch->tokens->fingerprint;
	int			n = TextTokenise(scratch->tokens, &scratch->parts);
	int64		sum = 0;
	int64		strength = (int64) MEAN_STRENGTH * TEXT_WEIGHT_UNIT;
	int			found = 0;
	double		scale;

#define UPPER(i)	((uint32) (fingerprint[i] >> (TEXT_FINGERPRINT_BITS - 32)))
	for (int i = 0; i < Min(n, PREFETCH_AHEAD); i++)
		PREFETCH(PlaceOf(model, UPPER(i)));
	for (int i = 0; i < n; i++)
	{
		int			weight;

		if (i + PREFETCH_AHEAD < n)
			PREFETCH(PlaceOf(model, UPPER(i + PREFETCH_AHEAD)));
		weight = WeightOf(model, UPPER(i));
		if (weight == 0)
			continue;
		sum += (int64) weight * abs(weight);
		strength += abs(weight);
		if (contributions != NULL)
		{
			contributions[found].token = i;
			contributions[found++].weight = weight;
		}
	}
#undef UPPER
	scale = (double) strength * TEXT_WEIGHT_UNIT;
	for (int i = 0; i < found; i++)
		contributions[i].contribution = (double) ((int64) contributions[i].weight * abs(contributions[i].weight)) / scale;
	if (ncontributions != NULL)
		*ncontributions = found;
	return (double) sum / scale;
}

/* ---- the backend's models ---------------------------------------------------------- */

struct CachedTextModel
{
	dlist_node	node;			/* in recent: the last used first */
	uint8		digest[TEXT_MODEL_DIGEST];
	MemoryContext context;
	Size		bytes;			/* of the context, or what each counts for */
	TextModel  *model;
	int			pins;
};

static dlist_head recent = DLIST_STATIC_INIT(recent);
static Size cache_bytes = 0;

/* What a call site keeps in fn_extra */
typedef struct TextModelCall
{
	CachedTextModel *held;		/* pinned, or NULL */
	bool		toasted;		/* pointer is valid */
	LocalTransactionId lxid;	/* in which it means the model that is held */
	struct varatt_external pointer;
	TextScratch *scratch;
	void	   *row;			/* of TextPartsFromRecord */
	MemoryContextCallback release;
} TextModelCall;

/* Drop models that nobody uses, the least recently used first. */
static void
ShrinkCache(void)
{
	dlist_mutable_iter iter;
	CachedTextModel *drop = NULL;

	while (cache_bytes > CACHE_BYTES_MAX)
	{
		drop = NULL;
		dlist_foreach_modify(iter, &recent)
		{
			CachedTextModel *entry = dlist_container(CachedTextModel, node, iter.cur);

			if (entry->pins == 0)
				drop = entry;	/* the last of the list is the oldest */
		}
		if (drop == NULL)
			return;
		dlist_delete(&drop->node);
		cache_bytes -= drop->bytes;
		MemoryContextDelete(drop->context);
	}
}

static void
Release(void *arg)
{
	TextModelCall *call = arg;

	if (call->held != NULL)
	{
		call->held->pins--;
		call->held = NULL;
		ShrinkCache();
	}
}

/* The entry of a digest, pinned, or NULL */
static CachedTextModel *
FindCached(const uint8 *digest)
{
	dlist_iter	iter;

	dlist_foreach(iter, &recent)
	{
		CachedTextModel *entry = dlist_container(CachedTextModel, node, iter.cur);

		if (memcmp(entry->digest, digest, TEXT_MODEL_DIGEST) == 0)
		{
			dlist_move_head(&recent, &entry->node);
			entry->pins++;
			return entry;
		}
	}
	return NULL;
}

/* A new entry, pinned */
static CachedTextModel *
MakeCached(const TextModelValue *v)
{
	MemoryContext context;
	MemoryContext caller;
	CachedTextModel *entry;

	/* Goes with the query, should loading fail */
	TextModelVerify(v);
	context = AllocSetContextCreate(CurrentMemoryContext, "pg_assay text model", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	entry = palloc0(sizeof(CachedTextModel));
	entry->context = context;
	entry->model = TextModelLoad(v);
	memcpy(entry->digest, v->digest, TEXT_MODEL_DIGEST);
	entry->pins = 1;
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, CacheMemoryContext);
	dlist_push_head(&recent, &entry->node);
	entry->bytes = Max(MemoryContextMemAllocated(context, true), CACHE_ENTRY_MIN);
	cache_bytes += entry->bytes;
	ShrinkCache();
	return entry;
}

/* The entry of a stored value, of which as little is read as will do; pinned */
static CachedTextModel *
GetCached(struct varlena *stored)
{
	uint8		digest[TEXT_MODEL_DIGEST];
	TextModelValue *v;
	CachedTextModel *entry;

	TextModelDigestOf(PointerGetDatum(stored), digest);
	entry = FindCached(digest);
	if (entry != NULL)
		return entry;
	v = DatumGetTextModelValue(PointerGetDatum(stored));
	entry = MakeCached(v);
	if ((Pointer) v != (Pointer) stored)
		pfree(v);
	return entry;
}

/* A call site's place in fn_extra, which releases its model in the end */
static TextModelCall *
MakeTextModelCall(FmgrInfo *flinfo, bool explain)
{
	MemoryContext caller = MemoryContextSwitchTo(flinfo->fn_mcxt);
	TextModelCall *call = palloc0(sizeof(TextModelCall));

	call->scratch = explain ? TextScratchCreate(true) : TextScratchShared();
	call->release.func = Release;
	call->release.arg = call;
	MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &call->release);
	flinfo->fn_extra = call;
	MemoryContextSwitchTo(caller);
	return call;
}

/*
 * The model in argument 0, ready: the same as at the last call where the toast
 * pointer or the digest say so.
 */
static TextModelCall *
GetTextModelCall(FunctionCallInfo fcinfo, bool explain)
{
	struct varlena *stored = (struct varlena *) PG_GETARG_POINTER(0);
	TextModelCall *call = fcinfo->flinfo->fn_extra;
	bool		toasted = VARATT_IS_EXTERNAL_ONDISK(stored);
	struct varatt_external pointer;
	CachedTextModel *entry;

	if (call == NULL)
		call = MakeTextModelCall(fcinfo->flinfo, explain);
	if (toasted)
	{
		VARATT_EXTERNAL_GET_POINTER(pointer, stored);
		if (call->held != NULL && call->toasted && call->lxid == MyLocalTransactionId() &&
			memcmp(&pointer, &call->pointer, sizeof(pointer)) == 0)
			return call;
	}
	entry = GetCached(stored);
	Release(call);
	call->held = entry;
	call->toasted = toasted;
	if (toasted)
	{
		call->pointer = pointer;
		call->lxid = MyLocalTransactionId();
	}
	return call;
}

/* ---- SQL functions --------------------------------------------------------------------- */

typedef enum Form
{
	FORM_TEXT, FORM_JSONB, FORM_RECORD
} Form;

/* Argument 1 into the call's scratch, with the model of argument 0 */
static TextModelCall *
GetMessage(FunctionCallInfo fcinfo, Form form, bool explain)
{
	TextModelCall *call = GetTextModelCall(fcinfo, explain);
	TextParts  *parts = &call->scratch->parts;

	if (form == FORM_TEXT)
		TextPartsFromText(parts, PG_GETARG_TEXT_ONCE(1));
	else if (form == FORM_JSONB)
		TextPartsFromJsonb(parts, PG_GETARG_DATUM(1));
	else
		TextPartsFromRecord(fcinfo, 1, &call->row, parts);
	return call;
}

static Datum
Score(FunctionCallInfo fcinfo, Form form, bool calibrated)
{
	TextModelCall *call = GetMessage(fcinfo, form, false);
	const TextModel *model = call->held->model;
	double		margin = TextModelScore(model, call->scratch, NULL, NULL);

	PG_RETURN_FLOAT4((float4) (calibrated ? model->slope * margin + model->intercept : margin));
}

PG_FUNCTION_INFO_V1(text_score_text);
Datum
text_score_text(PG_FUNCTION_ARGS)
{
	return Score(fcinfo, FORM_TEXT, true);
}

PG_FUNCTION_INFO_V1(text_score_jsonb);
Datum
text_score_jsonb(PG_FUNCTION_ARGS)
{
	return Score(fcinfo, FORM_JSONB, true);
}

PG_FUNCTION_INFO_V1(text_score_record);
Datum
text_score_record(PG_FUNCTION_ARGS)
{
	return Score(fcinfo, FORM_RECORD, true);
}

PG_FUNCTION_INFO_V1(text_margin_text);
Datum
text_margin_text(PG_FUNCTION_ARGS)
{
	return Score(fcinfo, FORM_TEXT, false);
}

PG_FUNCTION_INFO_V1(text_margin_jsonb);
Datum
text_margin_jsonb(PG_FUNCTION_ARGS)
{
	return Score(fcinfo, FORM_JSONB, false);
}

PG_FUNCTION_INFO_V1(text_margin_record);
Datum
text_margin_record(PG_FUNCTION_ARGS)
{
	return Score(fcinfo, FORM_RECORD, false);
}

/* A token as people read it; what the database's encoding lacks is a question mark. */
static char *
TokenString(const TextTokenSource *source)
{
	StringInfoData out;
	const char *token;
	Size		len;

	initStringInfo(&out);
	appendStringInfoString(&out, TextTokenPrefix(source));
	appendBinaryStringInfo(&out, source->shape, source->shape_len);
	if (source->first.data != NULL)
		appendBinaryStringInfo(&out, source->first.data, source->first.len);
	if (source->second.data != NULL)
	{
		appendStringInfoString(&out, source->kind == TEXT_HEADER_WORD ? ": " : " ");
		appendBinaryStringInfo(&out, source->second.data, source->second.len);
	}
	token = Utf8ToText(out.data, out.len, &len);
	return token == out.data ? out.data : pnstrdup(token, len);
}

/* By how much a contribution moves the margin, most first */
static int
CompareContributions(const void *a, const void *b)
{
	const TextContribution *x = a;
	const TextContribution *y = b;

	if (abs(x->weight) != abs(y->weight))
		return abs(x->weight) > abs(y->weight) ? -1 : 1;
	return x->token < y->token ? -1 : x->token > y->token;
}

/*
 * Rows (token, contribution) of a message, the strongest first; the last row,
 * without a token, is what all others add.  The rows add up to the margin.
 */
static Datum
Explain(FunctionCallInfo fcinfo, Form form)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	TextModelCall *call;
	TextContribution *contributions;
	int			n;
	int			top = PG_GETARG_INT32(2);
	double		rest = 0;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (top < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of tokens must not be negative")));
	InitMaterializedSRF(fcinfo, 0);
	call = GetMessage(fcinfo, form, true);
	contributions = call->scratch->contributions;
	TextModelScore(call->held->model, call->scratch, contributions, &n);
	qsort(contributions, n, sizeof(TextContribution), CompareContributions);
	for (int i = 0; i < n; i++)
	{
		if (i >= top)
		{
			rest += contributions[i].contribution;
			continue;
		}
		values[0] = CStringGetTextDatum(TokenString(&call->scratch->tokens->source[contributions[i].token]));
		values[1] = Float8GetDatum(contributions[i].contribution);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	if (n > top)
	{
		nulls[0] = true;
		values[1] = Float8GetDatum(rest);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(text_explain_text);
Datum
text_explain_text(PG_FUNCTION_ARGS)
{
	return Explain(fcinfo, FORM_TEXT);
}

PG_FUNCTION_INFO_V1(text_explain_jsonb);
Datum
text_explain_jsonb(PG_FUNCTION_ARGS)
{
	return Explain(fcinfo, FORM_JSONB);
}

PG_FUNCTION_INFO_V1(text_explain_record);
Datum
text_explain_record(PG_FUNCTION_ARGS)
{
	return Explain(fcinfo, FORM_RECORD);
}

/* ---- for detectors ------------------------------------------------------------------------ */

/* A model made ready, until it is let go */
CachedTextModel *
TextModelHold(struct varlena *stored)
{
	return GetCached(stored);
}

void
TextModelLetGo(CachedTextModel *held)
{
	held->pins--;
	ShrinkCache();
}

/* The margin of the message in the scratch */
double
TextModelMargin(const CachedTextModel *held, TextScratch *scratch)
{
	return TextModelScore(held->model, scratch, NULL, NULL);
}

/* The first so many contributions become those that move the margin most. */
static void
SelectTop(TextContribution *contributions, int n, int top)
{
	if (n <= top || top > TOP_BY_INSERTION)
	{
		qsort(contributions, n, sizeof(TextContribution), CompareContributions);
		return;
	}
	qsort(contributions, top, sizeof(TextContribution), CompareContributions);
	for (int i = top; top > 0 && i < n; i++)
	{
		TextContribution new = contributions[i];
		int			at = top - 1;

		if (CompareContributions(&new, &contributions[at]) > 0)
			continue;
		for (; at > 0 && CompareContributions(&new, &contributions[at - 1]) < 0; at--)
			contributions[at] = contributions[at - 1];
		contributions[at] = new;
	}
}

/*
 * The margin of the message in the scratch, which notes sources, and the tokens
 * that add most to it, at most "top" of them; their names are in the current
 * memory context.
 */
double
TextModelMarginTop(const CachedTextModel *held, TextScratch *scratch, int top, TextTop *found, int *nfound)
{
	TextContribution *contributions = scratch->contributions;
	int			n;
	double		margin = TextModelScore(held->model, scratch, contributions, &n);

	SelectTop(contributions, n, top);
	*nfound = Min(n, top);
	for (int i = 0; i < *nfound; i++)
	{
		found[i].token = TokenString(&scratch->tokens->source[contributions[i].token]);
		found[i].contribution = contributions[i].contribution;
	}
	return margin;
}
