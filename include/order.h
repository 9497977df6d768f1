/*
 * order.h
 *		The functions behind the operators and operator classes of a type, all
 *		from one that compares.
 */
#ifndef ASSAY_ORDER_H
#define ASSAY_ORDER_H

#include "common/hashfn.h"
#include "compat.h"
#include "fmgr.h"

/* One of them: what it makes of the order c of its arguments */
#define ORDER_FUNCTION(function, compare, RETURN, of_c) \
PG_FUNCTION_INFO_V1(function); \
Datum \
function(PG_FUNCTION_ARGS) \
{ \
	int			c = compare(fcinfo); \
 \
	RETURN(of_c); \
}

/* type_cmp, type_eq and so on, from int compare(FunctionCallInfo fcinfo) */
#define ORDER_FUNCTIONS(type, compare) \
ORDER_FUNCTION(type##_cmp, compare, PG_RETURN_INT32, c) \
ORDER_FUNCTION(type##_eq, compare, PG_RETURN_BOOL, c == 0) \
ORDER_FUNCTION(type##_ne, compare, PG_RETURN_BOOL, c != 0) \
ORDER_FUNCTION(type##_lt, compare, PG_RETURN_BOOL, c < 0) \
ORDER_FUNCTION(type##_le, compare, PG_RETURN_BOOL, c <= 0) \
ORDER_FUNCTION(type##_gt, compare, PG_RETURN_BOOL, c > 0) \
ORDER_FUNCTION(type##_ge, compare, PG_RETURN_BOOL, c >= 0) \
extern int	no_such_variable

/* type_hash and type_hash_extended, of the bytes of "get(fcinfo, 0)" */
#define HASH_FUNCTIONS(type, get) \
PG_FUNCTION_INFO_V1(type##_hash); \
Datum \
type##_hash(PG_FUNCTION_ARGS) \
{ \
	void	   *value = get(fcinfo, 0); \
 \
	return hash_any(value, VARSIZE(value)); \
} \
PG_FUNCTION_INFO_V1(type##_hash_extended); \
Datum \
type##_hash_extended(PG_FUNCTION_ARGS) \
{ \
	void	   *value = get(fcinfo, 0); \
 \
	return hash_any_extended(value, VARSIZE(value), PG_GETARG_INT64(1)); \
} \
extern int	no_such_variable

/* The order of two varlenas by their bytes, the shorter first */
static inline int
CompareBytes(const void *a, const void *b)
{
	int			c = memcmp(a, b, Min(VARSIZE(a), VARSIZE(b)));

	return c != 0 ? c : (VARSIZE(a) > VARSIZE(b)) - (VARSIZE(a) < VARSIZE(b));
}

#endif							/* ASSAY_ORDER_H */
