/*
 * plain_rows.c
 *		Rows of signals as jsonb, without what belongs to strangers (plain_types.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "logged_signals.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "plain_types.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

/* What one call site keeps of the type of its rows */
typedef struct PlainState
{
	MemoryContext context;		/* of all but the call of to_jsonb() */
	Oid			row_type;		/* InvalidOid: not ready */
	int32		typmod;
	uint64		version;		/* of a named type */
	Oid			userid;
	TupleDesc	desc;			/* of the rows */
	TupleDesc	plain;
	FmgrInfo   *outputs;		/* fn_oid 0: the value stays as it is */
	SignalsReader *reader;		/* of logged signals into plain rows, or NULL */
	FmgrInfo	to_jsonb;
} PlainState;

static PlainState *
MakePlainState(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	PlainState *state = palloc0(sizeof(PlainState));

	state->context = AllocSetContextCreate(CurrentMemoryContext, "pg_assay plain rows", ALLOCSET_SMALL_SIZES);
	fmgr_info(F_TO_JSONB, &state->to_jsonb);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(makeNullConst(RECORDOID, -1, InvalidOid)),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL), &state->to_jsonb);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = state;
	return state;
}

/* Rows of a type, mostly the same as those before */
static PlainState *
PlainStateFor(FunctionCallInfo fcinfo, Oid row_type, int32 typmod)
{
	PlainState *state = fcinfo->flinfo->fn_extra ? fcinfo->flinfo->fn_extra : MakePlainState(fcinfo);
	uint64		version = row_type == RECORDOID ? 0 : lookup_type_cache(row_type, TYPECACHE_TUPDESC)->tupDesc_identifier;
	MemoryContext old;

	if (state->row_type == row_type && state->typmod == typmod && state->version == version && state->userid == GetUserId())
		return state;
	state->row_type = InvalidOid;
	MemoryContextReset(state->context);
	old = MemoryContextSwitchTo(state->context);
	state->desc = lookup_rowtype_tupdesc_copy(row_type, typmod);
	state->plain = BlessTupleDesc(PlainDesc(state->desc));
	state->outputs = palloc0(Max(state->desc->natts, 1) * sizeof(FmgrInfo));
	for (int i = 0; i < state->desc->natts; i++)
	{
		Oid			function;
		bool		varlena;

		if (!BecameText(state->desc, state->plain, i))
			continue;
		getTypeOutputInfo(TupleDescAttr(state->desc, i)->atttypid, &function, &varlena);
		fmgr_info(function, &state->outputs[i]);
	}
	state->reader = NULL;
	MemoryContextSwitchTo(old);
	state->typmod = typmod;
	state->version = version;
	state->userid = GetUserId();
	state->row_type = row_type;
	return state;
}

static Datum
PlainJsonb(PlainState *state, Datum *values, bool *nulls)
{
	HeapTuple	tuple = heap_form_tuple(state->plain, values, nulls);

	return FunctionCall1(&state->to_jsonb, HeapTupleGetDatum(tuple));
}

/* plain_jsonb(row): to_jsonb() of what it is without a stranger's code */
PG_FUNCTION_INFO_V1(assay_plain_jsonb);
Datum
assay_plain_jsonb(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	PlainState *state = PlainStateFor(fcinfo, HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	int			n = state->desc->natts;
	Datum	   *values = palloc(Max(n, 1) * sizeof(Datum));
	bool	   *nulls = palloc(Max(n, 1) * sizeof(bool));
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, state->desc, values, nulls);
	for (int i = 0; i < n; i++)
		if (!nulls[i] && OidIsValid(state->outputs[i].fn_oid))
			values[i] = CStringGetTextDatum(OutputFunctionCall(&state->outputs[i], values[i]));
	PG_RETURN_DATUM(PlainJsonb(state, values, nulls));
}

/* What is trusted of the rows is, too, of those that are made of them. */
static SignalsReader *
MakePlainReader(PlainState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	TupleDesc	desc = CreateTupleDescCopy(state->plain);

	desc->tdtypeid = state->row_type;
	MemoryContextSwitchTo(old);
	return MakeSignalsReader(desc, NULL, state->context);
}

/* plain_signals_jsonb(NULL::view, signals): the same of logged signals, as the view has them by name */
PG_FUNCTION_INFO_V1(assay_plain_signals_jsonb);
Datum
assay_plain_signals_jsonb(PG_FUNCTION_ARGS)
{
	Oid			row_type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	PlainState *state;
	Datum	   *values;
	bool	   *nulls;

	if (!OidIsValid(row_type) || !OidIsValid(get_typ_typrelid(row_type)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("signals can be made a row of a view or table only")));
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	state = PlainStateFor(fcinfo, row_type, -1);
	if (state->reader == NULL)
		state->reader = MakePlainReader(state);
	values = palloc(Max(state->plain->natts, 1) * sizeof(Datum));
	nulls = palloc(Max(state->plain->natts, 1) * sizeof(bool));
	ReadSignals(state->reader, PG_GETARG_DATUM(1), values, nulls);
	PG_RETURN_DATUM(PlainJsonb(state, values, nulls));
}
