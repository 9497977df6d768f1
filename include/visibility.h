/*
 * visibility.h
 *		What PostgreSQL 15 lacks to hide all but a library's SQL functions.
 *
 * From 16 on, PG_FUNCTION_INFO_V1 marks what it declares for export. On 15 the
 * compiler reads this file ahead of each other (-include in the Makefile).
 */
#ifndef ASSAY_VISIBILITY_H
#define ASSAY_VISIBILITY_H

#include "postgres.h"

#include "fmgr.h"

#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))

#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname) \
extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_,funcname)(void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_,funcname) (void) \
{ \
	static const Pg_finfo_record my_finfo = {1}; \
	return &my_finfo; \
} \
extern int	no_such_variable
#endif

#endif							/* ASSAY_VISIBILITY_H */
