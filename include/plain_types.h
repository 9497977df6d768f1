/*
 * plain_types.h
 *		Types by which signals are read without what belongs to strangers.
 */
#ifndef ASSAY_PLAIN_TYPES_H
#define ASSAY_PLAIN_TYPES_H

#include "access/tupdesc.h"

extern Oid	PlainInput(TupleDesc desc, int column, int32 *typmod);
extern TupleDesc PlainDesc(TupleDesc desc);
extern bool BecameText(TupleDesc desc, TupleDesc plain, int column);

#endif							/* ASSAY_PLAIN_TYPES_H */
