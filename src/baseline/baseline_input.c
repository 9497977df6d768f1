/*
 * baseline_input.c
 *		What a baseline has to know of its source: whether a message's key is
 *		short enough to be indexed, and which table's column a view's column is.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "baseline_input.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Of all columns: a row of a btree has a third of a page, and headers besides */
#define LONGEST_KEY ((BLCKSZ) / 4 - 48)

/* The lengths of the arguments' types, looked up once a query */
static const int16 *
ArgumentLengths(FunctionCallInfo fcinfo)
{
	int16	   *lengths = fcinfo->flinfo->fn_extra;

	if (lengths == NULL)
	{
		lengths = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, PG_NARGS() * sizeof(int16));
		for (int i = 0; i < PG_NARGS(); i++)
			lengths[i] = get_typlen(get_fn_expr_argtype(fcinfo->flinfo, i));
		fcinfo->flinfo->fn_extra = lengths;
	}
	return lengths;
}

/*
 * Is a key short enough for the row of an index?  What a value has by itself
 * counts, not how it is stored: a compressed value's size would depend on where
 * it comes from.  Nothing is detoasted.
 */
bool
KeyFits(FunctionCallInfo fcinfo, int first, const int16 *lengths)
{
	Size		size = 0;

	for (int i = first; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i))
			continue;
		if (lengths[i - first] == -1)
			size += toast_raw_datum_size(PG_GETARG_DATUM(i)) - VARHDRSZ;
		else if (lengths[i - first] == -2)
			size += strlen(DatumGetCString(PG_GETARG_DATUM(i)));
		else
			size += lengths[i - first];
	}
	return size <= LONGEST_KEY;
}

/* baseline_key_fits(VARIADIC key) */
PG_FUNCTION_INFO_V1(baseline_key_fits);
Datum
baseline_key_fits(PG_FUNCTION_ARGS)
{
	if (get_fn_expr_variadic(fcinfo->flinfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a key is given by its columns, not as an array")));
	PG_RETURN_BOOL(KeyFits(fcinfo, 0, ArgumentLengths(fcinfo)));
}

/* May a role read a column? */
static bool
MayRead(Oid role, Oid relid, AttrNumber number)
{
	return pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(relid, number, role, ACL_SELECT) == ACLCHECK_OK;
}

/*
 * One step from a view's column to the column that it shows, if it is one as it
 * is; false at the end.  *role is who reads that: the view's owner, unless the
 * view leaves it to who reads the view.
 */
static bool
BehindView(Oid reader, Oid *relid, AttrNumber * number, Oid *role)
{
	Relation	rel;
	Query	   *query;
	TargetEntry *entry;

	if (get_rel_relkind(*relid) != RELKIND_VIEW)
		return false;
	rel = table_open(*relid, AccessShareLock);
	query = get_view_query(rel);
	entry = list_length(query->targetList) >= *number ? list_nth_node(TargetEntry, query->targetList, *number - 1) : NULL;
	*relid = entry == NULL ? InvalidOid : entry->resorigtbl;
	*number = entry == NULL ? 0 : entry->resorigcol;
	*role = RelationHasSecurityInvoker(rel) ? reader : rel->rd_rel->relowner;
	table_close(rel, AccessShareLock);
	return OidIsValid(*relid) && *number > 0;
}

/*
 * baseline_origin(relation, column, reader): the table and the number of the
 * column behind a view's, if by it the reader may read that.
 */
PG_FUNCTION_INFO_V1(baseline_origin);
Datum
baseline_origin(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Oid			reader = PG_GETARG_OID(2);
	Oid			role = reader;
	AttrNumber	number = get_attnum(relid, column);
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (number <= 0)
		PG_RETURN_NULL();
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!MayRead(role, relid, number))
			PG_RETURN_NULL();
	} while (BehindView(reader, &relid, &number, &role));
	if (!OidIsValid(relid) || number <= 0)
		PG_RETURN_NULL();
	values[0] = ObjectIdGetDatum(relid);
	values[1] = Int16GetDatum(number);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}
