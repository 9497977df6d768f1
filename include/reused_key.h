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

/*
 * What is kept of a policy, in the order of the keys, some at a time: what goes
 * through messages by their keys need not look at all of it each time
 */
typedef struct KeptKeys
{
	Portal		portal;
	Oid			signals;		/* the view whose keys they are, */
	Oid			key_types[INDEX_MAX_KEYS];	/* their types, */
	int			nkeys;			/* and how many */
	int			at_once;
	MemoryContext context;		/* of these, the ones at hand: */
	int			n;
	Datum		keys;			/* text[]'s texts, */
	Datum		times;
	Datum	   *from;			/* after this key, or NULL, */
	Datum	   *upto;			/* up to this one, or NULL: all that are left */
} KeptKeys;

extern void AddUnwrittenKey(UnwrittenKeys *u, DecisionTable *t, const Datum *values, const bool *nulls);
extern void KeepReusedKeys(UnwrittenKeys *u);

extern bool HasReusedKeys(Source *s);
extern void AddCounts(BatchQuery *q, Source *s, bool any_revision);
extern char *LastReuse(Source *s);
extern void OpenKeptKeys(KeptKeys *k, Source *s, Datum *after, int at_once);
extern bool NextKeptKeys(KeptKeys *k, Source *s);
extern bool AreKeysOf(const KeptKeys *k, const Source *s);
extern void CloseKeptKeys(KeptKeys *k);
extern int64 DeleteReusedKeys(Source *s, Tuplestorestate * found);

#endif							/* ASSAY_REUSED_KEY_H */
