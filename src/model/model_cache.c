/*
 * model_cache.c
 *		Detoasted, checked models, kept by the backend.
 *
 * A model of some megabytes is fetched, checked and bound once, not per row
 * and not per query.  Three steps lead to it, the cheap first:
 *
 *	- fn_extra: the same toast pointer, or an inline value with the same
 *	  digest, as at the last call of this very function call site;
 *	- the backend's cache by digest: the same model in another query, row or
 *	  table.  It is bounded by assay.model_cache_size; the least recently used
 *	  models go first.  A model in use by a call site is held ("pinned") until
 *	  the call site's memory goes, which a memory context callback tells;
 *	- fetch, check, and keep it if it fits.
 *
 * The digest is a SHA-256 that only the server computes (in, recv and every
 * importer; it is verified at each load), so equal digests are equal models.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "digest.h"
#include "model_cache.h"
#include "predict.h"

#define MODEL_CACHE_SIZE_MIN		0
#define MODEL_CACHE_SIZE_DEFAULT	(64 * 1024)
#define MODEL_CACHE_SIZE_MAX		MAX_KILOBYTES

#define CACHE_LINE	64

static int	model_cache_size = MODEL_CACHE_SIZE_DEFAULT;	/* kB */

typedef struct CachedModel
{
	uint8		digest[MODEL_DIGEST];	/* key of the hash table */
	dlist_node	node;			/* in recent: most recently used first */
	ModelState *state;
	Size		bytes;			/* of the memory context, at the last look */
	int			pins;			/* call sites that hold it */
	int64		uses;			/* call sites that found it here */
	TimestampTz used_at;
} CachedModel;

static HTAB *cache = NULL;
static MemoryContext cache_context = NULL;
static dlist_head recent = DLIST_STATIC_INIT(recent);
static Size cache_bytes = 0;
static bool resized = false;	/* the bound has changed since it was kept */

/* How a call site recognises its model */
typedef struct ModelCallKey
{
	CachedModel *held;			/* pinned, or NULL */
	MemoryContext own;			/* of a model that isn't cached, or NULL */
	bool		toasted;		/* pointer is valid */
	struct varatt_external pointer;
} ModelCallKey;

static void
ComputeDigest(const Model *model, uint8 *digest)
{
	Model		header;
	DigestPiece pieces[2] = {
		{&header, sizeof(Model)},
		{(const uint8 *) model + sizeof(Model), VARSIZE(model) - sizeof(Model)}
	};

	memcpy(&header, model, sizeof(Model));
	memset(header.digest, 0, MODEL_DIGEST);
	/* Flags of the varlena header are not part of the model */
	SET_VARSIZE(&header, VARSIZE(model));
	Digest(pieces, lengthof(pieces), digest, MODEL_DIGEST);
}

void
ModelSeal(Model *model)
{
	ComputeDigest(model, model->digest);
}

/* Memory at a multiple of a cache line; is freed with its context */
static void *
AllocAligned(MemoryContext context, Size size)
{
	return (void *) TYPEALIGN(CACHE_LINE,
							  MemoryContextAllocHuge(context, size + CACHE_LINE));
}

/*
 * A fetched value into a context, placed so that its lanes start at a cache
 * line.
 */
static Model *
CopyModel(const struct varlena *value, MemoryContext context)
{
	Size		size = VARSIZE(value);
	ModelError	error = {0};
	uint8		digest[MODEL_DIGEST];
	char	   *memory;
	Model	   *model;
	Model		header;

	if (size < sizeof(Model))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model value is corrupted"),
				 errdetail("It is too short.")));
	memcpy(&header, value, sizeof(Model));
	memory = MemoryContextAllocHuge(context, size + 2 * CACHE_LINE);
	memory = (char *) TYPEALIGN(CACHE_LINE, memory) +
		(CACHE_LINE - header.offset[SECTION_LANES] % CACHE_LINE) % CACHE_LINE;
	/* A forged offset must not make it unaligned */
	model = (Model *) TYPEALIGN_DOWN(8, memory);
	memcpy(model, value, size);
	SET_VARSIZE(model, size);
	if (!CheckModel(model, size, &error))
	{
		if (error.kind == MODEL_CANCELLED)
			ModelRaise(&error);
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model value is corrupted"),
				 errdetail("Its check says: %s.", error.message)));
	}
	ComputeDigest(model, digest);
	if (memcmp(digest, model->digest, MODEL_DIGEST) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model value is corrupted"),
				 errdetail("Its digest is not that of its content.")));
	return model;
}

Model	   *
DatumGetModel(Datum value, MemoryContext context)
{
	struct varlena *stored = (struct varlena *) DatumGetPointer(value);
	struct varlena *whole = detoast_attr(stored);
	Model	   *model = CopyModel(whole, context);

	if (whole != stored)
		pfree(whole);
	return model;
}

ModelState *
ModelStateCreate(const Model *model, MemoryContext context)
{
	ModelState *state = MemoryContextAllocZero(context, sizeof(ModelState));
	Size		n = TYPEALIGN(16, model->nfeatures);

	state->model = model;
	state->context = context;
	state->scratch = AllocAligned(context, ModelScratchSize(model));
	state->row4 = AllocAligned(context, n * sizeof(float));
	state->row8 = AllocAligned(context, n * sizeof(double));
	state->margins = AllocAligned(context, model->noutputs * sizeof(double));
	state->predictions = AllocAligned(context,
									  model->noutputs * sizeof(double));
	memset(state->row4, 0, n * sizeof(float));
	memset(state->row8, 0, n * sizeof(double));
	return state;
}

/* ---- the cache ----------------------------------------------------------- */

static void
DropEntry(CachedModel *entry)
{
	MemoryContext context = entry->state->context;

	Assert(entry->pins == 0);
	cache_bytes -= entry->bytes;
	dlist_delete(&entry->node);
	hash_search(cache, entry->digest, HASH_REMOVE, NULL);
	MemoryContextDelete(context);
}

/* Drop what is not in use, least recently used first, until `room` fits */
static void
ShrinkCache(Size room)
{
	Size		limit = (Size) model_cache_size * 1024;
	dlist_node *node;

	if (cache == NULL || dlist_is_empty(&recent))
		return;
	node = dlist_tail_node(&recent);
	while (cache_bytes + room > limit)
	{
		CachedModel *entry = dlist_container(CachedModel, node, node);
		bool		last = !dlist_has_prev(&recent, node);
		dlist_node *previous = last ? NULL : dlist_prev_node(&recent, node);

		if (entry->pins == 0)
			DropEntry(entry);
		if (last)
			break;
		node = previous;
	}
}

/* Keep a bound that has changed. */
static void
KeepBound(void)
{
	if (!resized)
		return;
	resized = false;
	ShrinkCache(0);
}

static void
Unpin(CachedModel *entry)
{
	Assert(entry->pins > 0);
	if (--entry->pins == 0)
		ShrinkCache(0);
}

static void
MakeCache(void)
{
	HASHCTL		control = {0};

	if (cache != NULL)
		return;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(CacheMemoryContext,
											  "pg_assay model cache",
											  ALLOCSET_DEFAULT_SIZES);
	control.keysize = MODEL_DIGEST;
	control.entrysize = sizeof(CachedModel);
	control.hcxt = cache_context;
	cache = hash_create("pg_assay model cache", 16, &control,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Explanations make an entry grow */
static void
Weigh(CachedModel *entry)
{
	Size		bytes = MemoryContextMemAllocated(entry->state->context, true);

	cache_bytes += bytes - entry->bytes;
	entry->bytes = bytes;
}

void
ModelStateExplain(ModelState *state)
{
	const Model *model = state->model;
	CachedModel *entry;

	if (state->shap == NULL)
	{
		Size		size = ModelShapSize(model);
		MemoryContext context;
		void	   *scratch;
		void	   *contributions;
		ModelShap  *shap;

		if (size == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("predictions of this model can't be explained"),
					 (model->flags & MODEL_LINEAR_LEAVES) ?
					 errdetail("Its leaves are linear functions.") :
					 errdetail("The model does not say how much training data came to each node."),
					 (model->flags & MODEL_LINEAR_LEAVES) ?
					 errhint("Train the model without linear_tree.") :
					 errhint("Train the model with a library and a tree method that keep it.")));
		/* Goes with the query when it is cancelled here or out of memory */
		context = AllocSetContextCreate(CurrentMemoryContext,
										"pg_assay explanation",
										ALLOCSET_DEFAULT_SIZES);
		shap = ModelShapInit(model, AllocAligned(context, size));
		if (shap == NULL)
		{
			CHECK_FOR_INTERRUPTS();
			elog(ERROR, "could not prepare explanations");
		}
		scratch = AllocAligned(context, ModelShapScratchSize(shap));
		contributions = AllocAligned(context, (Size) model->noutputs *
									 (model->nfeatures + 1) * sizeof(double));
		MemoryContextSetParent(context, state->context);
		state->shap = shap;
		state->shap_scratch = scratch;
		state->contributions = contributions;
		if (cache != NULL)
		{
			entry = hash_search(cache, model->digest, HASH_FIND, NULL);
			if (entry != NULL && entry->state == state)
			{
				Weigh(entry);
				ShrinkCache(0);
			}
		}
	}
	ModelShapValues(model, state->shap, state->shap_scratch, state->row8,
					state->contributions);
}

/* ---- call sites ----------------------------------------------------------- */

static void
ReleaseCall(ModelCall *call)
{
	ModelCallKey *key = call->key;
	MemoryContext own = key->own;

	call->state = NULL;
	call->derived = NULL;
	key->toasted = false;
	if (key->held != NULL)
	{
		CachedModel *held = key->held;

		key->held = NULL;
		Unpin(held);
	}
	key->own = NULL;
	if (own != NULL)
		MemoryContextDelete(own);
}

/* The call site's memory is about to go */
static void
ForgetCall(void *arg)
{
	ModelCall  *call = arg;

	if (call->key->held != NULL)
		Unpin(call->key->held);
	call->key->held = NULL;
	/* a model of its own is a child of the same context */
}

/*
 * The declared type of argument 1.  The SQL functions of one verb share one C
 * function, which takes the row in any of these types.
 */
static Oid
RowType(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	Oid			result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	result = form->pronargs > 1 ? form->proargtypes.values[1] : InvalidOid;
	ReleaseSysCache(tuple);
	return result;
}

static ModelCall *
MakeCall(FmgrInfo *flinfo)
{
	MemoryContext context = flinfo->fn_mcxt;
	ModelCall  *call = MemoryContextAllocZero(context, sizeof(ModelCall));
	MemoryContextCallback *callback;

	call->rowtype = RowType(flinfo->fn_oid);
	call->key = MemoryContextAllocZero(context, sizeof(ModelCallKey));
	call->derived_context = AllocSetContextCreate(context,
												  "pg_assay model call",
												  ALLOCSET_SMALL_SIZES);
	callback = MemoryContextAllocZero(context, sizeof(MemoryContextCallback));
	callback->func = ForgetCall;
	callback->arg = call;
	MemoryContextRegisterResetCallback(context, callback);
	flinfo->fn_extra = call;
	return call;
}

static void
Hold(ModelCall *call, CachedModel *entry)
{
	entry->pins++;
	entry->used_at = GetCurrentStatementStartTimestamp();
	dlist_move_head(&recent, &entry->node);
	call->key->held = entry;
	call->state = entry->state;
}

/* Fetch, check, and keep it when there is room */
static void
LoadModel(ModelCall *call, FmgrInfo *flinfo, struct varlena *value)
{
	MemoryContext context;
	Model	   *model;
	ModelState *state;
	CachedModel *entry;
	Size		bytes;
	bool		found;

	/* An error below leaves a child that goes with its parent */
	context = AllocSetContextCreate(flinfo->fn_mcxt, "pg_assay model",
									ALLOCSET_DEFAULT_SIZES);
	model = DatumGetModel(PointerGetDatum(value), context);
	state = ModelStateCreate(model, context);
	bytes = MemoryContextMemAllocated(context, true);
	MakeCache();
	ShrinkCache(bytes);
	if (cache_bytes + bytes > (Size) model_cache_size * 1024)
	{
		call->key->own = context;
		call->state = state;
		return;
	}
	entry = hash_search(cache, model->digest, HASH_ENTER, &found);
	Assert(!found);
	entry->state = state;
	entry->bytes = bytes;
	entry->pins = 0;
	entry->uses = 0;
	dlist_push_head(&recent, &entry->node);
	cache_bytes += bytes;
	MemoryContextSetParent(context, cache_context);
	Hold(call, entry);
}

static void
FindModel(ModelCall *call, FmgrInfo *flinfo, struct varlena *value)
{
	struct varlena *head = value;
	CachedModel *entry = NULL;

	ReleaseCall(call);
	KeepBound();
	MemoryContextReset(call->derived_context);

	/* The header of a stored value is in the first of its chunks */
	if (VARATT_IS_EXTENDED(value))
		head = detoast_attr_slice(value, 0, sizeof(Model) - VARHDRSZ);
	if (cache != NULL && VARSIZE(head) >= sizeof(Model))
		entry = hash_search(cache, ((Model *) head)->digest, HASH_FIND, NULL);
	if (entry != NULL)
	{
		Hold(call, entry);
		entry->uses++;
	}
	else
		LoadModel(call, flinfo, value);
	if (head != value)
		pfree(head);
	if (VARATT_IS_EXTERNAL_ONDISK(value))
	{
		VARATT_EXTERNAL_GET_POINTER(call->key->pointer, value);
		call->key->toasted = true;
	}
}

ModelCall  *
GetModelCall(FunctionCallInfo fcinfo)
{
	struct varlena *value = (struct varlena *) PG_GETARG_POINTER(0);
	ModelCall  *call = fcinfo->flinfo->fn_extra;

	if (call == NULL)
		call = MakeCall(fcinfo->flinfo);
	else if (call->state != NULL)
	{
		if (VARATT_IS_EXTERNAL_ONDISK(value))
		{
			struct varatt_external pointer;

			VARATT_EXTERNAL_GET_POINTER(pointer, value);
			if (call->key->toasted &&
				memcmp(&pointer, &call->key->pointer, sizeof(pointer)) == 0)
				return call;
		}
		else if (VARATT_IS_4B_U(value) && VARSIZE(value) >= sizeof(Model) &&
				 memcmp(((Model *) value)->digest, call->state->model->digest,
						MODEL_DIGEST) == 0)
			return call;
	}
	FindModel(call, fcinfo->flinfo, value);
	return call;
}

/* ---- settings and view ---------------------------------------------------- */

/* Hooks run anywhere: flip flags only. */
static void
AssignCacheSize(int size, void *extra)
{
	resized = true;
}

void
ModelCacheInit(void)
{
	DefineCustomIntVariable("assay.model_cache_size",
							"Memory in each backend for models that were used.",
							"A model that does not fit is fetched by every query that uses it.",
							&model_cache_size,
							MODEL_CACHE_SIZE_DEFAULT,
							MODEL_CACHE_SIZE_MIN,
							MODEL_CACHE_SIZE_MAX,
							PGC_SUSET,
							GUC_UNIT_KB,
							NULL, AssignCacheSize, NULL);
}

static Datum
DigestText(const uint8 *digest)
{
	char		hex[2 * MODEL_DIGEST + 1];

	for (int i = 0; i < MODEL_DIGEST; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return CStringGetTextDatum(hex);
}

PG_FUNCTION_INFO_V1(model_cache);
Datum
model_cache(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	dlist_iter	iter;

	InitMaterializedSRF(fcinfo, 0);
	KeepBound();
	if (cache == NULL)
		return (Datum) 0;
	dlist_foreach(iter, &recent)
	{
		CachedModel *entry = dlist_container(CachedModel, node, iter.cur);
		const Model *model = entry->state->model;
		Datum		values[7];
		bool		nulls[7] = {0};

		Weigh(entry);
		values[0] = DigestText(entry->digest);
		values[1] = Int64GetDatum(VARSIZE(model));
		values[2] = Int64GetDatum((int64) entry->bytes);
		values[3] = BoolGetDatum(entry->state->shap != NULL);
		values[4] = Int32GetDatum(entry->pins);
		values[5] = Int64GetDatum(entry->uses);
		values[6] = TimestampTzGetDatum(entry->used_at);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(model_digest);
Datum
model_digest(PG_FUNCTION_ARGS)
{
	struct varlena *head;
	Model		model;

	head = PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0,
								  sizeof(Model) - VARHDRSZ);
	if (VARSIZE(head) < sizeof(Model))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("model value is corrupted")));
	memcpy(&model, head, sizeof(Model));
	return DigestText(model.digest);
}
