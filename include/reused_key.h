/*
 * reused_key.h
 *		Keys that came again while their decision could not be replaced.
 */
#ifndef ASSAY_REUSED_KEY_H
#define ASSAY_REUSED_KEY_H

#include "batch.h"

/* Keys of messages whose decisions could not be written, until they are kept */
typedef struct UnwrittenKeys
{
	MemoryContext outer;		/* which outlives them */
	MemoryContext context;		/* of what follows, once there is any */
	PolicyIdentity *id;
	List	   *keys;			/* as text[]'s texts */
	Size		bytes;
} UnwrittenKeys;

extern void AddUnwrittenKey(UnwrittenKeys *u, DecisionTable *t, const Datum *values, const bool *nulls);
extern void KeepReusedKeys(UnwrittenKeys *u);

extern bool HasReusedKeys(Source *s);
extern void AddCounts(BatchQuery *q, Source *s);
extern int64 DeleteReusedKeys(Source *s, Tuplestorestate * found);

#endif							/* ASSAY_REUSED_KEY_H */
