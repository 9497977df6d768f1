/*
 * array_site.h
 *		What a call site makes of an array, kept while the array is the same.
 */
#ifndef ASSAY_ARRAY_SITE_H
#define ASSAY_ARRAY_SITE_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "utils/array.h"

/* As many items may an array have */
#define ARRAY_ITEMS_MAX		50000

typedef struct ArraySite
{
	bool		valid;
	bool		constant;		/* the argument can't be another */
	LocalTransactionId lxid;	/* in which a pointer to a stored value holds */
	Size		key_len;
	char	   *key;			/* the argument's bytes as they came */
	int64		uses;
	void	   *made;
	MemoryContext cxt;			/* of key and made */
} ArraySite;

/* Makes something of an array of text, in the site's context */
typedef void *(*ArrayMake) (FunctionCallInfo fcinfo, ArrayType *array, MemoryContext cxt);

extern void ArrayItems(ArrayType *array, Datum **items, bool **nulls, int *n);
extern TupleDesc ArraySiteResult(FunctionCallInfo fcinfo, MemoryContext cxt);
extern ArraySite *GetArraySite(FunctionCallInfo fcinfo, int arg, Datum array, ArrayMake make);
extern ArraySite *GetArraySiteAt(ArraySite **place, FunctionCallInfo fcinfo, int arg, Datum array, ArrayMake make);

/*
 * Is an argument of type text the text of an array?  Then *array is that, for
 * GetArraySiteAt() with that site.  The argument stays: a constant is not given
 * anew to the next call.
 */
extern bool ArgumentIsArray(const ArraySite *site, FunctionCallInfo fcinfo, int arg, Datum *array);

#endif							/* ASSAY_ARRAY_SITE_H */
