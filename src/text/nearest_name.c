/*
 * nearest_name.c
 *		Names that look like others: skeletons, and the nearest of the names
 *		that one protects.
 *
 * Names are compared folded (skeleton.c) and looked for in an index
 * (near_index.c), which a call site keeps while its array is the same.
 */
#include "postgres.h"

#include <limits.h>

#include "array_site.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "encoding.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "name_set.h"
#include "near_sets.h"
#include "skeleton.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* skeleton(content): what it looks like */
PG_FUNCTION_INFO_V1(skeleton);
Datum
skeleton(PG_FUNCTION_ARGS)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	Size		left;
	const char *p = TextToUtf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &left);
	char	   *piece = palloc(SKELETON_ROOM);
	StringInfoData buf;
	Size		len;
	const char *result;

	initStringInfo(&buf);
	while (left > 0)
	{
		Size		taken = SkeletonPieceLength(p, left);
		int			n = SkeletonPiece(p, taken, piece);

		CHECK_FOR_INTERRUPTS();
		if (n < 0)
			ereport(ERROR,
					(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
					 errmsg("the ICU library could not make a skeleton")));
		appendBinaryStringInfo(&buf, piece, n);
		p += taken;
		left -= taken;
	}
	result = Utf8ToText(buf.data, buf.len, &len);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(result, len));
}

/* Add a name to the index, in each of its forms; skip: not one that is too long. */
static void
AddName(NameSet *set, text *item, int number, bool skip, MemoryContext cxt)
{
	Size		len;
	const char *utf8 = TextToUtf8(VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item), &len);
	text	   *copy;

	for (FoldWay way = FOLD_CASE_FIRST; way <= FOLD_LOOK_FIRST; way++)
	{
		uint32_t	folded[FOLD_CHARS_MAX];
		int			chars = FoldName(utf8, len, way, folded);

		if (chars == FOLD_TOO_LONG && skip)
			return;
		if (chars == FOLD_TOO_LONG)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("name %d is too long", number + 1),
					 errhint("A name may have %d letters and digits.", FOLD_CHARS_MAX)));
		if (chars > 0)
			NearIndexAdd(set->index, folded, chars, number);
	}
	copy = MemoryContextAlloc(cxt, VARSIZE_ANY_EXHDR(item) + VARHDRSZ);
	SET_VARSIZE(copy, VARSIZE_ANY_EXHDR(item) + VARHDRSZ);
	memcpy(VARDATA(copy), VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item));
	set->names[number] = copy;
}

/* Make an index of names. */
void	   *
NameSetOf(Datum *items, bool *nulls, int n, bool skip, MemoryContext cxt)
{
	NameSet    *set = MemoryContextAllocZero(cxt, sizeof(NameSet));

	set->index = NearIndexBegin(cxt, 2 * n);
	set->names = MemoryContextAllocZero(cxt, Max(n, 1) * sizeof(text *));
	for (int i = 0; i < n; i++)
	{
		if (i % 256 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			AddName(set, DatumGetTextPP(items[i]), i, skip, cxt);
	}
	NearIndexFinish(set->index);
	return set;
}

static void *
MakeNameSet(FunctionCallInfo fcinfo, ArrayType *array, MemoryContext cxt)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	NameSet    *set;

	ArrayItems(array, &items, &nulls, &n);
	set = NameSetOf(items, nulls, n, false, cxt);
	set->desc = ArraySiteResult(fcinfo, cxt);
	return set;
}

/* The name of the set that a text is, or nearly is; uses: how often it was asked */
static Datum
FindNearest(FunctionCallInfo fcinfo, NameSet *set, TupleDesc desc, int64 uses)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	const char *utf8;
	Size		len;
	int			best = -1;
	int			best_distance = INT_MAX;
	Datum		values[2];
	bool		nulls[2] = {false};

	/* Before it is converted: no name has so many bytes in any encoding. */
	if (VARSIZE_ANY_EXHDR(content) > FOLD_BYTES_MAX)
		PG_RETURN_NULL();
	if (uses > 1)
		NearIndexPrepare(set->index);
	utf8 = TextToUtf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &len);
	for (FoldWay way = FOLD_CASE_FIRST; way <= FOLD_LOOK_FIRST; way++)
	{
		uint32_t	folded[FOLD_CHARS_MAX];
		int			chars = FoldName(utf8, len, way, folded);
		int			distance;
		int			found = chars <= 0 ? -1 : NearIndexFind(set->index, folded, chars, &distance);

		if (found >= 0 && (distance < best_distance || (distance == best_distance && found < best)))
		{
			best = found;
			best_distance = distance;
		}
	}
	if (best < 0)
		PG_RETURN_NULL();
	values[0] = PointerGetDatum(set->names[set->index->names[best].number]);
	values[1] = Int32GetDatum(best_distance);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

static Datum
NearestOfArray(FunctionCallInfo fcinfo, Datum names)
{
	ArraySite  *site = GetArraySite(fcinfo, 1, names, MakeNameSet);
	NameSet    *set = site->made;

	return FindNearest(fcinfo, set, set->desc, site->uses);
}

/* nearest_name(content, names): the protected name that it is, or nearly is */
PG_FUNCTION_INFO_V1(nearest_name);
Datum
nearest_name(PG_FUNCTION_ARGS)
{
	return NearestOfArray(fcinfo, PG_GETARG_DATUM(1));
}

/* nearest_name(content, list): the same of a list's values */
PG_FUNCTION_INFO_V1(nearest_name_list);
Datum
nearest_name_list(PG_FUNCTION_ARGS)
{
	static TupleDesc desc = NULL;
	NameSet    *set;
	int64		uses;
	Datum		names;

	if (ArgumentIsArray(fcinfo->flinfo->fn_extra, fcinfo, 1, &names))
		return NearestOfArray(fcinfo, names);
	if (desc == NULL)
		desc = ArraySiteResult(fcinfo, TopMemoryContext);
	set = NearSetGet(PG_GETARG_TEXT_PP(1), NEAR_NAMES, NameSetOf, &uses);
	return FindNearest(fcinfo, set, desc, uses);
}
