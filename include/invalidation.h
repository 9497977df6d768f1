/*
 * invalidation.h
 *		What something compiled depends on, and whether it changed since.
 */
#ifndef ASSAY_INVALIDATION_H
#define ASSAY_INVALIDATION_H

#include "lib/ilist.h"
#include "nodes/pg_list.h"

/* News that are remembered while dependencies are collected */
#define NEWS_MAX	64

/* Syscaches of whose single entries something may depend */
#define NEWS_KINDS	4			/* types, functions, operators, schemas */

/* A change of an object: of a relation, or of a syscache's entry */
typedef struct News
{
	Oid			relation;		/* or InvalidOid, and then: */
	int			kind;			/* of the syscache */
	uint32		hash;
} News;

/*
 * Dependencies of one compiled thing.  Between DependenciesBegin() and
 * DependenciesEnd() they are collected; what changes meanwhile is remembered.
 * Everything depends on the configuration.  It must lie in the memory context
 * that it is given, or in one that lives longer.
 */
typedef struct Dependencies
{
	dlist_node	node;
	MemoryContextCallback callback; /* takes it out when its memory goes */
	bool		valid;			/* nothing changed */
	bool		collecting;
	bool		misses;			/* something is missing that any news may
								 * bring */
	uint64		rare_seen;		/* news until then, of rare kinds ... */
	uint64		items_seen;		/* and of others */
	MemoryContext context;		/* of the lists */
	List	   *relations;		/* oids */
	List	   *items[NEWS_KINDS];	/* hash values in the syscaches */
	int			nnews;			/* may pass NEWS_MAX: then it is anything */
	News		news[NEWS_MAX];
} Dependencies;

extern void InvalidationInit(void);

extern void DependenciesBegin(Dependencies *d, MemoryContext context);
extern uint64 ItemNews(void);
extern void DependOnRelation(Dependencies *d, Oid relid);
extern void DependOnType(Dependencies *d, Oid type);
extern void DependOnItem(Dependencies *d, int cache, uint32 hash);
extern void DependenciesEnd(Dependencies *d);

/* Is what depends on these as good as new?  One comparison or two */
extern bool DependenciesHold(Dependencies *d);

/* All of them are out of date: a setting changed that is compiled in. */
extern void InvalidateAll(void);

#endif							/* ASSAY_INVALIDATION_H */
