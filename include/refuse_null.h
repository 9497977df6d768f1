/*
 * refuse_null.h
 *		What a function that is not strict says of an argument that must be there.
 *
 * Functions that change something refuse a null, which as a strict function
 * they would take for a reason to do nothing, without a word.
 */
#ifndef ASSAY_REFUSE_NULL_H
#define ASSAY_REFUSE_NULL_H

#include "fmgr.h"

/* Error where argument number "arg", from 0, is null; "argument" is its name */
static inline void
RefuseNull(FunctionCallInfo fcinfo, int arg, const char *argument)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument)));
}

#endif							/* ASSAY_REFUSE_NULL_H */
