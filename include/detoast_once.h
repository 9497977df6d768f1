/*
 * detoast_once.h
 *		A stored value that several functions read, decompressed once.
 */
#ifndef ASSAY_DETOAST_ONCE_H
#define ASSAY_DETOAST_ONCE_H

#include "fmgr.h"

/*
 * A text in a form whose bytes can be read.  It holds until the next call, so
 * whoever runs anything in between that may call it copies the text first.
 */
extern text *DetoastOnce(Datum value);

/* The same, in the current memory context where it is not the value itself */
extern text *DetoastCopy(Datum value);

#define PG_GETARG_TEXT_ONCE(n)	DetoastOnce(PG_GETARG_DATUM(n))

#endif							/* ASSAY_DETOAST_ONCE_H */
