/*
 * value_text.h
 *		A value as its type writes it.
 */
#ifndef ASSAY_VALUE_TEXT_H
#define ASSAY_VALUE_TEXT_H

#include "fmgr.h"
#include "utils/lsyscache.h"

static inline char *
ValueText(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

#endif							/* ASSAY_VALUE_TEXT_H */
