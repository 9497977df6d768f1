/*
 * detoast_once.h
 *		A stored value that several functions read, decompressed once.
 */
#ifndef ASSAY_DETOAST_ONCE_H
#define ASSAY_DETOAST_ONCE_H

#include "fmgr.h"
#include "utils/jsonb.h"

/*
 * A text in a form whose bytes can be read.  It holds until two other values
 * were asked for, so whoever runs anything in between that may ask copies it first.
 */
extern text *DetoastOnce(Datum value);

/* The same, in the current memory context where it is not the value itself */
extern text *DetoastCopy(Datum value);

/* The same for jsonb, which is aligned and has its whole header */
extern Jsonb *DetoastJsonbOnce(Datum value);

#define PG_GETARG_TEXT_ONCE(n)	DetoastOnce(PG_GETARG_DATUM(n))
#define PG_GETARG_JSONB_ONCE(n)	DetoastJsonbOnce(PG_GETARG_DATUM(n))

#endif							/* ASSAY_DETOAST_ONCE_H */
