/*
 * text_model_state.c
 *		The state of text_model_agg(): a text model that tokens are counted in.
 *
 * The state is a value of type text_model, as it must be where an aggregate is
 * to be spread over servers, but in its expanded form: a hash table in memory.
 * The executor keeps that as it is from row to row; where it leaves the
 * process, or is stored, it is flattened: sorted and written out.
 *
 * Counts are sums of integers, so the order of rows and of partial states
 * doesn't show.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/int.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "text_model.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define EXPANDED_MAGIC	1936681015

#define SLOTS_MIN		256
#define PREFETCH_AHEAD	12

#if defined(__GNUC__)
#define PREFETCH(addr)	__builtin_prefetch(addr, 1)
#else
#define PREFETCH(addr)	((void) (addr))
#endif

/*
 * slots[]: open addressing, a power of two of them, at most two in three in
 * use; a free one has fingerprint 0, which a token's is never here (it is
 * stored as itself + 1).  The multiplier is of the process, so that nobody can
 * write words that all want the same slot.
 */
typedef struct ExpandedTextModel
{
	ExpandedObjectHeader hdr;
	int			magic;
	TextModelValue *header;		/* all but the tokens; base is the units' */
	uint32		nslots;
	int			shift;			/* of the product, to have a slot */
	uint32		used;
	TextCount  *slots;
	TextModelValue *flat;		/* as EOM_get_flat_size made it, until a
								 * change */
} ExpandedTextModel;

static uint64 multiplier = 0;

static Size FlatSize(ExpandedObjectHeader *eohptr);
static void Flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size);

static const ExpandedObjectMethods expanded_methods = {FlatSize, Flatten};

/* ---- the table ---------------------------------------------------------------- */

static void
AllocSlots(ExpandedTextModel *e, uint64 n)
{
	uint64		nslots = pg_nextpower2_64(Max(n, SLOTS_MIN));

	if (nslots > PG_UINT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("text model is too large")));
	e->slots = MemoryContextAllocExtended(e->hdr.eoh_context, mul_size(nslots, sizeof(TextCount)),
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	e->nslots = (uint32) nslots;
	e->shift = 64 - pg_leftmost_one_pos64(nslots);
}

static inline uint32
SlotOf(const ExpandedTextModel *e, uint64 fingerprint)
{
	return (uint32) ((fingerprint * multiplier) >> e->shift);
}

/* The token's slot, or the free one that it may have */
static inline TextCount *
FindSlot(ExpandedTextModel *e, uint64 fingerprint)
{
	uint32		i = SlotOf(e, fingerprint);

	while (e->slots[i].fingerprint != 0 && e->slots[i].fingerprint != fingerprint + 1)
		i = (i + 1) & (e->nslots - 1);
	return &e->slots[i];
}

/* Room for so many more tokens */
static void
Reserve(ExpandedTextModel *e, uint64 more)
{
	TextCount  *old = e->slots;
	uint32		nold = e->nslots;

	if ((e->used + more) * 3 <= (uint64) e->nslots * 2)
		return;
	AllocSlots(e, (e->used + more) * 2);
	for (uint32 i = 0; i < nold; i++)
		if (old[i].fingerprint != 0)
			*FindSlot(e, old[i].fingerprint - 1) = old[i];
	pfree(old);
}

static inline void
AddToSlot(ExpandedTextModel *e, uint64 fingerprint, const int64 *count)
{
	TextCount  *slot = FindSlot(e, fingerprint);

	if (slot->fingerprint == 0)
	{
		slot->fingerprint = fingerprint + 1;
		e->used++;
	}
	for (int k = 0; k < 2; k++)
		if (count[k] != 0)
			slot->count[k] = TextCountAdd(slot->count[k], count[k]);
}

/*
 * Make the unit of counts so small that 2^base is a whole number of them.
 */
static void
LowerBase(ExpandedTextModel *e, int64 base)
{
	int			shift;

	if (e->used == 0 && e->header->count[0] == 0 && e->header->count[1] == 0)
	{
		e->header->base = (int32) base;
		return;
	}
	if (base >= e->header->base)
		return;
	shift = (int) Min(e->header->base - base, 63);
	for (int k = 0; k < 2; k++)
		e->header->count[k] = TextCountScale(e->header->count[k], shift);
	for (uint32 i = 0; i < e->nslots; i++)
		for (int k = 0; k < 2; k++)
			e->slots[i].count[k] = TextCountScale(e->slots[i].count[k], shift);
	e->header->base = (int32) base;
}

/* ---- the expanded object -------------------------------------------------------- */

/* Of a model without messages; its last one is before all times */
static void
InitHeader(TextModelValue *header, int64 half_life)
{
	memset(header, 0, sizeof(TextModelValue));
	header->format = TEXT_MODEL_FORMAT;
	header->kind = TEXT_MODEL_COUNTS;
	header->tokens = TEXT_TOKENS_VERSION;
	header->half_life = half_life;
	header->slope = 1;
	header->last = half_life == 0 ? 0 : DT_NOBEGIN;
}

/* A new state, its memory below `parent` */
static ExpandedTextModel *
CreateState(MemoryContext parent, int64 half_life, uint64 ntokens)
{
	MemoryContext context = AllocSetContextCreate(parent, "expanded text model", ALLOCSET_DEFAULT_SIZES);
	ExpandedTextModel *e = MemoryContextAllocZero(context, sizeof(ExpandedTextModel));

	if (multiplier == 0)
		multiplier = pg_prng_uint64(&pg_global_prng_state) | 1;
	EOH_init_header(&e->hdr, &expanded_methods, context);
	e->magic = EXPANDED_MAGIC;
	e->header = MemoryContextAllocZero(context, sizeof(TextModelValue));
	InitHeader(e->header, half_life);
	AllocSlots(e, ntokens * 2);
	return e;
}

static int
CompareCounts(const void *a, const void *b)
{
	uint64		x = ((const TextCount *) a)->fingerprint;
	uint64		y = ((const TextCount *) b)->fingerprint;

	return x < y ? -1 : x > y;
}

/*
 * The tokens by ascending fingerprint.  Fingerprints are spread evenly, so
 * they are dealt to as many buckets as there are tokens, and each bucket sorted.
 */
static TextCount *
SortedTokens(const ExpandedTextModel *e, uint32 *n)
{
	int			bits = Max(pg_leftmost_one_pos32(e->used | 1) - 2, 1);
	uint32		nbuckets = (uint32) 1 << bits;
	int			shift = TEXT_FINGERPRINT_BITS - bits;
	uint32	   *start = palloc_extended((nbuckets + 1) * sizeof(uint32), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	TextCount  *sorted = palloc_extended(mul_size(e->used + 1, sizeof(TextCount)), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < e->nslots; i++)
		if (e->slots[i].fingerprint != 0)
			start[((e->slots[i].fingerprint - 1) >> shift) + 1]++;
	for (uint32 b = 0; b < nbuckets; b++)
		start[b + 1] += start[b];
	for (uint32 i = 0; i < e->nslots; i++)
		if (e->slots[i].fingerprint != 0)
		{
			TextCount  *to = &sorted[start[(e->slots[i].fingerprint - 1) >> shift]++];

			*to = e->slots[i];
			to->fingerprint--;
		}
	/* start[b] is now where bucket b ends. */
	for (uint32 b = 0; b < nbuckets; b++)
	{
		uint32		from = b == 0 ? 0 : start[b - 1];

		if ((b & 0xfff) == 0)
			CHECK_FOR_INTERRUPTS();
		if (start[b] - from > 1)
			qsort(sorted + from, start[b] - from, sizeof(TextCount), CompareCounts);
	}
	pfree(start);
	*n = e->used;
	return sorted;
}

/* The state as a value to store, in the current context */
static TextModelValue *
StateValue(const ExpandedTextModel *e)
{
	TextModelWriter w;
	uint32		n;
	TextCount  *sorted = SortedTokens(e, &n);

	TextModelWriteBegin(&w, e->header, Min((Size) n * 8, MaxAllocSize / 2));
	if (w.value->last == DT_NOBEGIN)
		w.value->last = 0;		/* no message yet */
	for (uint32 i = 0; i < n; i++)
		TextModelWriteCount(&w, &sorted[i]);
	pfree(sorted);
	return TextModelWriteEnd(&w);
}

static Size
FlatSize(ExpandedObjectHeader *eohptr)
{
	ExpandedTextModel *e = (ExpandedTextModel *) eohptr;

	if (e->flat == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(e->hdr.eoh_context);

		e->flat = StateValue(e);
		MemoryContextSwitchTo(caller);
	}
	return VARSIZE(e->flat);
}

static void
Flatten(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	ExpandedTextModel *e = (ExpandedTextModel *) eohptr;

	Assert(e->flat != NULL && allocated_size == VARSIZE(e->flat));
	memcpy(result, e->flat, allocated_size);
}

/* Before each change */
static void
DropFlat(ExpandedTextModel *e)
{
	if (e->flat != NULL)
		pfree(e->flat);
	e->flat = NULL;
}

/*
 * Add the counts of a value.
 */
static void
AddValue(ExpandedTextModel *e, const TextModelValue *v)
{
	TextModelReader r;
	TextCount	ahead[PREFETCH_AHEAD];
	int			shift;
	uint64		got = 0;
	uint64		done = 0;
	bool		more = true;

	TextModelCheckMergeable(v);
	if (v->half_life != e->header->half_life)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("text models have different half-lives")));
	if (v->ntokens == 0 && v->count[0] == 0 && v->count[1] == 0)
		return;
	e->header->last = Max(e->header->last, v->last);
	LowerBase(e, v->base);
	shift = (int) Min((int64) v->base - e->header->base, 63);
	for (int k = 0; k < 2; k++)
		e->header->count[k] = TextCountAdd(e->header->count[k], TextCountScale(v->count[k], shift));
	Reserve(e, v->ntokens);
	TextModelReadBegin(&r, v);
	while (more || done < got)
	{
		/*
		 * Ask for the slots of tokens that come, while those before are
		 * added.
		 */
		if (more && got - done < PREFETCH_AHEAD)
		{
			TextCount  *c = &ahead[got % PREFETCH_AHEAD];

			more = TextModelReadCount(&r, c);
			if (more)
			{
				PREFETCH(&e->slots[SlotOf(e, c->fingerprint)]);
				got++;
			}
			continue;
		}
		{
			TextCount  *c = &ahead[done++ % PREFETCH_AHEAD];
			int64		count[2];

			for (int k = 0; k < 2; k++)
				count[k] = TextCountScale(c->count[k], shift);
			AddToSlot(e, c->fingerprint, count);
		}
	}
}

/*
 * The state in argument 0, to be changed: the one that is there where it is
 * ours to change, else a new one with the same content.
 */
static ExpandedTextModel *
WritableState(FunctionCallInfo fcinfo, int64 half_life)
{
	MemoryContext context;
	ExpandedTextModel *e;

	if (!PG_ARGISNULL(0) && VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(PG_GETARG_DATUM(0))))
	{
		e = (ExpandedTextModel *) DatumGetEOHP(PG_GETARG_DATUM(0));
		if (e->hdr.eoh_methods == &expanded_methods && e->magic == EXPANDED_MAGIC)
		{
			if (half_life >= 0 && half_life != e->header->half_life)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("the half-life must be the same for all messages")));
			DropFlat(e);
			return e;
		}
	}
	if (!AggCheckCallContext(fcinfo, &context))
		context = CurrentMemoryContext;
	if (PG_ARGISNULL(0))
		return CreateState(context, Max(half_life, 0), 0);
	else
	{
		TextModelValue *v = DatumGetTextModelValue(PG_GETARG_DATUM(0));

		TextModelCheckMergeable(v);
		if (half_life >= 0 && half_life != v->half_life)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the half-life must be the same for all messages")));
		e = CreateState(context, v->half_life, 0);
		AddValue(e, v);
		return e;
	}
}

/* ---- counting a message ---------------------------------------------------------- */

/*
 * What a message adds to a count: an integer, and the power of two that it is
 * to be multiplied with.
 */
static int64
MessageUnits(float8 weight, TimestampTz at, int64 half_life, int64 *base)
{
	double		fraction = 0;

	*base = 0;
	if (half_life != 0)
	{
		*base = at / half_life;
		if (at % half_life < 0)
			(*base)--;
		fraction = (double) (at - *base * half_life) / (double) half_life;
	}
	return (int64) rint(weight * TEXT_MESSAGE * exp2(fraction));
}

/*
 * Count the message in the scratch.
 */
static void
CountMessage(ExpandedTextModel *e, TextScratch *scratch, bool malicious, float8 weight, TimestampTz at)
{
	TextTokens *tokens = scratch->tokens;
	int64		base;
	int64		units = MessageUnits(weight, at, e->header->half_life, &base);
	int64		count[2] = {0, 0};
	int			which = malicious ? TEXT_MALICIOUS : TEXT_SAFE;
	int			n;

	if (units == 0)
		return;
	n = TextTokenise(tokens, &scratch->parts);
	if (e->header->half_life != 0)
		e->header->last = Max(e->header->last, at);
	LowerBase(e, base);
	Reserve(e, n);
	count[which] = TextCountScale(units, (int) Min(base - e->header->base, 63));
	e->header->count[which] = TextCountAdd(e->header->count[which], count[which]);
	for (int i = 0; i < Min(n, PREFETCH_AHEAD); i++)
		PREFETCH(&e->slots[SlotOf(e, tokens->fingerprint[i])]);
	for (int i = 0; i < n; i++)
	{
		if (i + PREFETCH_AHEAD < n)
			PREFETCH(&e->slots[SlotOf(e, tokens->fingerprint[i + PREFETCH_AHEAD])]);
		AddToSlot(e, tokens->fingerprint[i], count);
	}
}

/* A half-life in microseconds: of days and less, as months have no length */
static int64
HalfLife(const Interval *i)
{
	int64		us;

	if (i->month != 0 || pg_mul_s64_overflow(i->day, USECS_PER_DAY, &us) ||
		pg_add_s64_overflow(us, i->time, &us) || us < TEXT_HALF_LIFE_MIN || us > TEXT_HALF_LIFE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("half-life out of range"),
				 errdetail("A half-life has 1 to 36525 days, and no months or years.")));
	return us;
}

static float8
MessageWeight(float8 weight)
{
	if (!(weight >= 0 && weight <= TEXT_WEIGHT_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight of a message is out of range"),
				 errdetail("It must be from 0 to %d.", TEXT_WEIGHT_MAX)));
	return weight;
}

/* A labelled message as the arguments from `first` on say: label, content [, weight [, at, half-life]] */
typedef struct LabelledMessage
{
	bool		malicious;
	float8		weight;
	TimestampTz at;
	int64		half_life;
} LabelledMessage;

/*
 * Read the arguments, the content into the scratch; false where one is NULL
 * (but for the half-life): what isn't known counts for nothing.
 */
static bool
GetLabelledMessage(FunctionCallInfo fcinfo, int first, bool json, TextScratch *scratch, LabelledMessage *m)
{
	int			half_life = first + 4;

	for (int i = first; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != half_life)
			return false;
	m->malicious = PG_GETARG_BOOL(first);
	m->weight = PG_NARGS() > first + 2 ? MessageWeight(PG_GETARG_FLOAT8(first + 2)) : 1;
	m->at = 0;
	m->half_life = 0;
	if (PG_NARGS() > half_life)
	{
		m->at = PG_GETARG_TIMESTAMPTZ(first + 3);
		if (!PG_ARGISNULL(half_life))
			m->half_life = HalfLife(PG_GETARG_INTERVAL_P(half_life));
		if (TIMESTAMP_NOT_FINITE(m->at))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("time of a message must be finite")));
	}
	if (json)
		TextPartsFromJsonb(&scratch->parts, PG_GETARG_DATUM(first + 1));
	else
		TextPartsFromText(&scratch->parts, PG_GETARG_TEXT_PP(first + 1));
	return true;
}

/*
 * Transition: count a labelled message.
 */
static Datum
Accumulate(FunctionCallInfo fcinfo, bool json)
{
	TextScratch *scratch = TextScratchShared();
	LabelledMessage m;
	ExpandedTextModel *e;

	if (!GetLabelledMessage(fcinfo, 1, json, scratch, &m))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	e = WritableState(fcinfo, m.half_life);
	CountMessage(e, scratch, m.malicious, m.weight, m.at);
	return EOHPGetRWDatum(&e->hdr);
}

PG_FUNCTION_INFO_V1(text_model_accum);
Datum
text_model_accum(PG_FUNCTION_ARGS)
{
	return Accumulate(fcinfo, false);
}

PG_FUNCTION_INFO_V1(text_model_accum_jsonb);
Datum
text_model_accum_jsonb(PG_FUNCTION_ARGS)
{
	return Accumulate(fcinfo, true);
}

static int
CompareFingerprints(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

/*
 * The model of one message, NULL where something isn't known.
 */
static Datum
ModelOfMessage(FunctionCallInfo fcinfo, bool json)
{
	TextScratch *scratch = TextScratchShared();
	TextTokens *tokens = scratch->tokens;
	LabelledMessage m;
	TextModelValue header;
	TextModelWriter w;
	TextCount	c;
	int64		base;
	int			n;

	if (!GetLabelledMessage(fcinfo, 0, json, scratch, &m))
		PG_RETURN_NULL();
	InitHeader(&header, m.half_life);
	memset(&c, 0, sizeof(c));
	c.count[m.malicious ? TEXT_MALICIOUS : TEXT_SAFE] = MessageUnits(m.weight, m.at, m.half_life, &base);
	header.base = (int32) base;
	memcpy(header.count, c.count, sizeof(header.count));
	header.last = m.half_life == 0 ? 0 : m.at;
	n = c.count[0] + c.count[1] > 0 ? TextTokenise(tokens, &scratch->parts) : 0;
	qsort(tokens->fingerprint, n, sizeof(uint64), CompareFingerprints);
	TextModelWriteBegin(&w, &header, (Size) n * 8);
	for (int i = 0; i < n; i++)
	{
		c.fingerprint = tokens->fingerprint[i];
		TextModelWriteCount(&w, &c);
	}
	PG_RETURN_POINTER(TextModelWriteEnd(&w));
}

PG_FUNCTION_INFO_V1(text_model_of);
Datum
text_model_of(PG_FUNCTION_ARGS)
{
	return ModelOfMessage(fcinfo, false);
}

PG_FUNCTION_INFO_V1(text_model_of_jsonb);
Datum
text_model_of_jsonb(PG_FUNCTION_ARGS)
{
	return ModelOfMessage(fcinfo, true);
}

/*
 * Transition and combine function over models; NULL is none.
 */
PG_FUNCTION_INFO_V1(text_model_combine);
Datum
text_model_combine(PG_FUNCTION_ARGS)
{
	ExpandedTextModel *e;
	TextModelValue *v;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	v = DatumGetTextModelValue(PG_GETARG_DATUM(1));
	e = WritableState(fcinfo, PG_ARGISNULL(0) ? v->half_life : -1);
	AddValue(e, v);
	return EOHPGetRWDatum(&e->hdr);
}

/* Final function: the flat value, once and not at each use */
PG_FUNCTION_INFO_V1(text_model_final);
Datum
text_model_final(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(DatumGetTextModelValue(PG_GETARG_DATUM(0)));
}
