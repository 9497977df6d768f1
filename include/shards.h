/*
 * shards.h
 *		Policies where their tables are distributed by Citus.
 */
#ifndef ASSAY_SHARDS_H
#define ASSAY_SHARDS_H

#include "config.h"
#include "invalidation.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"

extern Query *CopyViewQuery(Oid view);
extern bool MayBeShard(Relation rel);
extern bool ReadsDistributed(Oid relid);
extern const char *UseShards(PolicyIdentity *id, Relation rel, Dependencies *d);

#endif							/* ASSAY_SHARDS_H */
