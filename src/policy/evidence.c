/*
 * evidence.c
 *		Decisions by what they rest on: the names of what hit, for an index, and
 *		explain_decision() of keys of any type.
 *
 * hits() names each rule, model and exclusion that hit, marked where it did
 * not count:
 *
 *		name				a detector that counted
 *		shadow:name			a detector in shadow, muted or not
 *		muted:name			a live detector that an exclusion muted
 *		exclusion:name		an exclusion
 *
 * The names stand in the order of their bytes, each once, so that equal sets
 * are equal arrays.
 */
#include "postgres.h"

#include "attribution.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "value_text.h"

/* What stands before the name of something that hit */
static const char *
HitMark(const EntryReader *e)
{
	if (e->kind == ATTRIBUTION_EXCLUSION)
		return "exclusion:";
	if (e->flags & ATTRIBUTION_SHADOW)
		return "shadow:";
	if (e->flags & ATTRIBUTION_MUTED)
		return "muted:";
	return "";
}

/* A text of the mark and the name; a stored name may be of any bytes */
static Datum
HitName(const char *mark, const Span *name)
{
	size_t		marked = strlen(mark);
	text	   *t;

	CheckLedgerName(name);
	t = palloc(VARHDRSZ + marked + name->len);
	SET_VARSIZE(t, VARHDRSZ + marked + name->len);
	memcpy(VARDATA(t), mark, marked);
	memcpy(VARDATA(t) + marked, name->data, name->len);
	return PointerGetDatum(t);
}

/* The order of two texts by their bytes */
static int
CompareHits(const void *a, const void *b)
{
	const text *x = (const text *) DatumGetPointer(*(const Datum *) a);
	const text *y = (const text *) DatumGetPointer(*(const Datum *) b);
	size_t		nx = VARSIZE(x) - VARHDRSZ;
	size_t		ny = VARSIZE(y) - VARHDRSZ;
	int			c = memcmp(VARDATA(x), VARDATA(y), Min(nx, ny));

	if (c != 0)
		return c;
	return (nx > ny) - (nx < ny);
}

/* Sorted, each once: how many remain */
static int
SortHits(Datum *hits, int n)
{
	int			kept = 0;

	if (n > 1)
		qsort(hits, n, sizeof(Datum), CompareHits);
	for (int i = 0; i < n; i++)
		if (kept == 0 || CompareHits(&hits[kept - 1], &hits[i]) != 0)
			hits[kept++] = hits[i];
	return kept;
}

/* The names of what hit; counted: of the detectors that counted alone */
static ArrayType *
Hits(const Attribution *a, bool counted)
{
	LedgerReader reader;
	EntryReader e;
	Datum	   *hits = palloc(Max(a->nentries, 1) * sizeof(Datum));
	int			n = 0;

	LedgerBegin(&reader, a);
	while (LedgerNext(&reader, &e))
	{
		if (!(e.flags & ATTRIBUTION_HIT) || e.kind == ATTRIBUTION_SIGNALS)
			continue;
		if (counted && (e.kind == ATTRIBUTION_EXCLUSION || (e.flags & ATTRIBUTION_NOT_COUNTED)))
			continue;
		hits[n++] = HitName(HitMark(&e), &e.name);
	}
	n = SortHits(hits, n);
	return construct_array(hits, n, TEXTOID, -1, false, TYPALIGN_INT);
}

PG_FUNCTION_INFO_V1(attribution_hits);
Datum
attribution_hits(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(Hits(PG_GETARG_ATTRIBUTION_P(0), false));
}

PG_FUNCTION_INFO_V1(attribution_counted_hits);
Datum
attribution_counted_hits(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(Hits(PG_GETARG_ATTRIBUTION_P(0), true));
}

/* One argument as text, or NULL */
static Datum
KeyArgument(Oid type, Datum value, bool isnull)
{
	if (isnull)
		return (Datum) 0;
	if (!OidIsValid(type))
		elog(ERROR, "could not determine the type of a key");
	return CStringGetTextDatum(ValueText(type, value));
}

/* Elements of VARIADIC array */
static int
KeysOfArray(FunctionCallInfo fcinfo, Datum **keys, bool **nulls)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	Oid			type = ARR_ELEMTYPE(array);
	int16		len;
	bool		byval;
	char		align;
	int			n;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, keys, nulls, &n);
	for (int i = 0; i < n; i++)
		(*keys)[i] = KeyArgument(type, (*keys)[i], (*nulls)[i]);
	return n;
}

/* Arguments one by one */
static int
KeysOfArguments(FunctionCallInfo fcinfo, Datum **keys, bool **nulls)
{
	int			n = PG_NARGS() - 1;

	*keys = palloc(n * sizeof(Datum));
	*nulls = palloc(n * sizeof(bool));
	for (int i = 0; i < n; i++)
	{
		(*nulls)[i] = PG_ARGISNULL(i + 1);
		(*keys)[i] = KeyArgument(get_fn_expr_argtype(fcinfo->flinfo, i + 1),
								 PG_GETARG_DATUM(i + 1), (*nulls)[i]);
	}
	return n;
}

/*
 * Of a function (policy, VARIADIC "any"): what the named one, of the same key as
 * text, tells, with the rights of whoever asks.  SPI is connected.
 */
static void
StartByKey(FunctionCallInfo fcinfo, BatchQuery *q, const char *function)
{
	Datum	   *keys = NULL;
	bool	   *nulls = NULL;
	int			n = 0;
	int			lower = 1;

	if (get_fn_expr_variadic(fcinfo->flinfo))
	{
		if (!PG_ARGISNULL(1))
			n = KeysOfArray(fcinfo, &keys, &nulls);
	}
	else
		n = KeysOfArguments(fcinfo, &keys, &nulls);
	SPI_connect();
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT * FROM %s(", function);
	if (PG_ARGISNULL(0))
		QueryAdd(q, "NULL");
	else
		QueryValue(q, TEXTOID, PG_GETARG_DATUM(0));
	QueryAdd(q, ", VARIADIC ");
	QueryValue(q, TEXTARRAYOID,
			   PointerGetDatum(construct_md_array(keys, nulls, 1, &n, &lower, TEXTOID,
												  -1, false, TYPALIGN_INT)));
	QueryAdd(q, ")");
}

/* The same, to the end: its rows are the function's. */
static Datum
RowsByKey(FunctionCallInfo fcinfo, const char *function)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	BatchQuery	q;

	InitMaterializedSRF(fcinfo, 0);
	StartByKey(fcinfo, &q, function);
	QueryRunInto(&q, result->setResult, result->setDesc);
	SPI_finish();
	return (Datum) 0;
}

/* explain_decision(policy, VARIADIC "any") */
PG_FUNCTION_INFO_V1(assay_explain_decision);
Datum
assay_explain_decision(PG_FUNCTION_ARGS)
{
	return RowsByKey(fcinfo, "assay.explain_decision");
}

/* suggest_exclusion(policy, VARIADIC "any") */
PG_FUNCTION_INFO_V1(assay_suggest_exclusion);
Datum
assay_suggest_exclusion(PG_FUNCTION_ARGS)
{
	return RowsByKey(fcinfo, "assay_internal.suggest_exclusion");
}

/* explain_text(policy, VARIADIC "any") */
PG_FUNCTION_INFO_V1(assay_explain_text);
Datum
assay_explain_text(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	BatchQuery	q;
	bool		isnull = true;
	Datum		told = (Datum) 0;

	StartByKey(fcinfo, &q, "assay_internal.explain_text");
	if (QueryRun(&q, SPI_OK_SELECT, NULL) > 0)
		told = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		told = PointerGetDatum(DatumGetTextPCopy(told));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(told);
}
