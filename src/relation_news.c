/*
 * relation_news.c
 *		Who wants to know that a relation changed.
 *
 * The server has room for ten callbacks of the relation cache in a process, and
 * ends it when there are more.  Citus takes five, and a process that sends the
 * log for logical replication some: so all of ours are one, and none where
 * nothing is cached.
 */
#include "postgres.h"

#include "relation_news.h"
#include "utils/inval.h"

#define WANTED_MAX	4

static RelcacheCallbackFunction wanted[WANTED_MAX];
static int	nwanted = 0;

static void
RelationChanged(Datum arg, Oid relid)
{
	for (int i = 0; i < nwanted; i++)
		wanted[i] (arg, relid);
}

/* To be called before anything is kept that depends on relations, each time */
void
WantRelationNews(RelcacheCallbackFunction changed)
{
	for (int i = 0; i < nwanted; i++)
		if (wanted[i] == changed)
			return;
	if (nwanted == WANTED_MAX)
		elog(ERROR, "too many callbacks of the relation cache");
	if (nwanted == 0)
		CacheRegisterRelcacheCallback(RelationChanged, (Datum) 0);
	wanted[nwanted++] = changed;
}
