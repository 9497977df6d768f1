/*
 * array_site.c
 *		What a call site makes of an array, kept while the array is the same.
 *
 * The same means: a constant of the query, or the same bytes as the last time,
 * or the same pointer to a stored value in the same transaction (which may see
 * no other under it).  A constant's bytes are not even looked at.  That an
 * argument is a parameter proves nothing: PL/pgSQL keeps an expression ready
 * while its variables change.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "funcapi.h"
#include "nodes/primnodes.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "array_site.h"

/* The items of an array of text, which may not be too many */
void
ArrayItems(ArrayType *array, Datum **items, bool **nulls, int *n)
{
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (*n > ARRAY_ITEMS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("array of %d names is too big", *n),
				 errhint("At most %d may be compared with at once.", ARRAY_ITEMS_MAX)));
	if (ARR_ELEMTYPE(array) != TEXTOID)
		elog(ERROR, "array is not of type text");
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, items, nulls, n);
}

/* Is the argument a constant of the expression that calls? */
static bool
IsConstant(FmgrInfo *flinfo, int arg)
{
	Node	   *expr = flinfo->fn_expr;
	List	   *args;

	if (expr == NULL || !IsA(expr, FuncExpr))
		return false;
	args = ((FuncExpr *) expr)->args;
	return arg < list_length(args) && IsA(list_nth(args, arg), Const);
}

/* The call site's, with what was made of the array that is its argument now */
ArraySite  *
GetArraySite(FunctionCallInfo fcinfo, int arg, Datum array, ArrayMake make)
{
	return GetArraySiteAt((ArraySite **) &fcinfo->flinfo->fn_extra, fcinfo, arg, array, make);
}

/*
 * A literal without a type is text where a function takes either, though it
 * may be meant as an array, {so}: no list has such a name.
 */
bool
ArgumentIsArray(const ArraySite *site, FunctionCallInfo fcinfo, int arg, Datum *array)
{
	text	   *value;

	*array = PG_GETARG_DATUM(arg);
	/* What was made of a constant stays. */
	if (site != NULL && site->valid && site->constant)
		return true;
	value = DatumGetTextPP(*array);
	if (VARSIZE_ANY_EXHDR(value) == 0 || *VARDATA_ANY(value) != '{')
		return false;
	*array = OidInputFunctionCall(F_ARRAY_IN, text_to_cstring(value), TEXTOID, -1);
	return true;
}

/* The same for one of several arrays of a call site */
ArraySite  *
GetArraySiteAt(ArraySite **place, FunctionCallInfo fcinfo, int arg, Datum array, ArrayMake make)
{
	ArraySite  *site = *place;
	struct varlena *value;
	LocalTransactionId lxid = InvalidLocalTransactionId;
	Size		len;

	if (site != NULL && site->valid && site->constant)
	{
		site->uses++;
		return site;
	}
	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ArraySite));
		site->cxt = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "assay names", ALLOCSET_SMALL_SIZES);
		*place = site;
	}

	value = (struct varlena *) DatumGetPointer(array);
	if (VARATT_IS_EXTERNAL_ONDISK(value))
		lxid = MyLocalTransactionId();
	else if (VARATT_IS_EXTERNAL(value))
		value = PG_DETOAST_DATUM(PointerGetDatum(value));
	len = VARSIZE_ANY(value);
	if (site->valid && site->key_len == len && site->lxid == lxid && memcmp(site->key, value, len) == 0)
	{
		site->uses++;
		return site;
	}

	site->valid = false;
	MemoryContextReset(site->cxt);
	site->key = MemoryContextAllocHuge(site->cxt, len);
	memcpy(site->key, value, len);
	site->key_len = len;
	site->lxid = lxid;
	site->constant = IsConstant(fcinfo->flinfo, arg);
	site->made = make(fcinfo, DatumGetArrayTypeP(PointerGetDatum(value)), site->cxt);
	site->uses = 1;
	site->valid = true;
	return site;
}

/* The row type of a function's results, for as long as what a site made */
TupleDesc
ArraySiteResult(FunctionCallInfo fcinfo, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	MemoryContextSwitchTo(old);
	return desc;
}
