/*
 * relation_news.c
 *		Who wants to know that a relation changed.
 *
 * The server has room for ten callbacks of the relation cache in a process, and
 * ends it when there are more.  Citus takes five, and a process that sends the
 * log for logical replication some: so all of ours are one, and none where
 * nothing is cached.
 *
 * PostgreSQL sends news when snapshots see the transaction already, as whoever
 * heeds them is held off by locks, which are let go later still.  Nothing holds
 * off who asks what is in our tables; so what is told of them is sent before
 * the transaction commits or is prepared, too.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "relation_news.h"
#include "storage/sinval.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#define WANTED_MAX	4

static RelcacheCallbackFunction wanted[WANTED_MAX];
static int	nwanted = 0;

static List *told = NIL;		/* of Oid: what this transaction tells of */

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

/* Tell all backends that rows of a table changed, or what it stands for. */
void
TellRelation(Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	CacheInvalidateRelcacheByRelid(relid);
	told = list_append_unique_oid(told, relid);
	MemoryContextSwitchTo(old);
}

static void
TellAhead(void)
{
	ListCell   *lc;

	foreach(lc, told)
	{
		SharedInvalidationMessage message;

		memset(&message, 0, sizeof(message));
		message.rc.id = SHAREDINVALRELCACHE_ID;
		message.rc.dbId = MyDatabaseId;
		message.rc.relId = lfirst_oid(lc);
		SendSharedInvalidMessages(&message, 1);
	}
}

static void
EndTransaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		TellAhead();
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		told = NIL;				/* its memory is the transaction's */
}

void
RelationNewsInit(void)
{
	RegisterXactCallback(EndTransaction, NULL);
}
