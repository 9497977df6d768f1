/*
 * notify.c
 *		Notifications of decisions with chosen verdicts.
 *
 * The trigger makes them in the message's own transaction, so that PostgreSQL
 * delivers them when, and only when, the message and its decision commit.  They
 * are handed over to it right before that: a transaction that has sent one
 * can't be prepared, but no message is refused for that nobody is told of it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "notify.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "value_text.h"

/* Bytes of a payload, with its terminator: what NOTIFY takes (async.c) */
#define NOTIFY_PAYLOAD_MAX	(BLCKSZ - NAMEDATALEN - 128)

/* As much of the server's queue may be in use, where notifications are sent */
#define QUEUE_USAGE_MAX		0.5

/* Bytes of the queue; and of a transaction's notifications, that few may not matter for it */
#if PG_VERSION_NUM >= 170000
#define QUEUE_SIZE			((double) max_notify_queue_pages * BLCKSZ)
#else
#define QUEUE_SIZE			((double) 8 * 1024 * 1024 * 1024)
#endif
#define FEW_BYTES			(2 * BLCKSZ)

/* One that waits for the transaction's end */
typedef struct Notification
{
	SubTransactionId made_in;
	char	   *channel;
	char	   *payload;
} Notification;

static List *waiting = NIL;		/* in TopTransactionContext, oldest first */

static double
QueueUsage(void)
{
	return DatumGetFloat8(OidFunctionCall0(F_PG_NOTIFICATION_QUEUE_USAGE));
}

/*
 * Is there room for all that wait?  There was for each, but one that does not get
 * into the queue fails the transaction.  None spans two pages: what the ends of
 * pages leave empty is less than what is in them.
 */
static bool
HaveRoomForAll(void)
{
	double		bytes = 0;
	ListCell   *lc;

	foreach(lc, waiting)
	{
		Notification *n = lfirst(lc);

		/* with what the queue keeps of each */
		bytes += strlen(n->channel) + strlen(n->payload) + 32;
	}
	return bytes <= FEW_BYTES || QueueUsage() + 2 * bytes / QUEUE_SIZE <= QUEUE_USAGE_MAX;
}

static void
EndTransaction(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (waiting == NIL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT && !HaveRoomForAll())
		ereport(LOG_SERVER_ONLY,
				(errmsg("nobody is told of %d decisions, since the queue of notifications has no room for them",
						list_length(waiting))));
	else if (event == XACT_EVENT_PRE_COMMIT)
		foreach(lc, waiting)
	{
		Notification *n = lfirst(lc);

		Async_Notify(n->channel, n->payload);
	}
	else if (event == XACT_EVENT_PRE_PREPARE)
		ereport(LOG_SERVER_ONLY,
				(errmsg("nobody is told of %d decisions, since their transaction is prepared", list_length(waiting))));
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		waiting = NIL;			/* its memory is the transaction's */
}

/* What was made since this subtransaction began was made in it. */
static void
EndSubtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (waiting && ((Notification *) llast(waiting))->made_in >= mine)
		waiting = list_delete_last(waiting);
}

void
NotifyInit(void)
{
	RegisterXactCallback(EndTransaction, NULL);
	RegisterSubXactCallback(EndSubtransaction, NULL);
}

static void
SendAtEnd(const char *channel, const char *payload)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	Notification *n = palloc(sizeof(Notification));

	n->made_in = GetCurrentSubTransactionId();
	n->channel = pstrdup(channel);
	n->payload = pstrdup(payload);
	waiting = lappend(waiting, n);
	MemoryContextSwitchTo(old);
}

/* ["a", "b"]: the key as text */
static void
AppendKey(StringInfo buf, const Oid *types, const Datum *key, const bool *nulls, int nkeys)
{
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < nkeys; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		/* Where errors are wanted, the decision table makes one of it. */
		if (nulls[i])
			appendStringInfoString(buf, "null");
		else
			escape_json(buf, ValueText(types[i], key[i]));
	}
	appendStringInfoChar(buf, ']');
}

/*
 * An error where the queue is so full that the notifications might not get into
 * it, which fails a transaction at COMMIT: any role can listen, stay in a
 * transaction, and fill it.
 */
void
CheckRoomToNotify(void)
{
	if (QueueUsage() > QUEUE_USAGE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the queue of notifications is more than half full")));
}

/* Is a verdict one of those that are told of? */
static bool
IsToldOf(CompiledPolicy *p, const char *verdict)
{
	int			i = -1;

	while ((i = bms_next_member(p->notify, i)) >= 0)
		if (strcmp(p->verdicts[i], verdict) == 0)
			return true;
	return false;
}

/*
 * Tell whoever listens on assay_<policy> of a decision as it was written, if
 * its verdict is one to tell of.  A key that does not fit is left out; the
 * names that remain are bounded where they are made.
 */
void
NotifyDecision(CompiledPolicy *p, DecisionTable *t, const Datum *values, const bool *nulls)
{
	const Datum *decision = values + t->nkeys;
	char	   *verdict = TextDatumGetCString(decision[DECISION_VERDICT]);
	char	   *channel = psprintf("assay_%s", p->id->policy);
	StringInfoData head;
	StringInfoData tail;
	StringInfoData text;
	char		score[FLOAT_SHORTEST_DECIMAL_LEN];

	if (!IsToldOf(p, verdict))
		return;
	float_to_shortest_decimal_buf(DatumGetFloat4(decision[DECISION_SCORE]), score);
	initStringInfo(&head);
	initStringInfo(&text);
	initStringInfo(&tail);
	appendStringInfoString(&head, "{\"policy\": ");
	escape_json(&head, p->id->policy);
	appendStringInfoString(&head, ", \"key\": ");
	AppendKey(&text, t->key_types, values, nulls, t->nkeys);
	appendStringInfoString(&tail, ", \"verdict\": ");
	escape_json(&tail, verdict);
	appendStringInfo(&tail, ", \"score\": %s, \"revision\": %d, \"degraded\": %s}",
					 score, p->id->revision,
					 DatumGetBool(decision[DECISION_DEGRADED]) ? "true" : "false");
	if (head.len + text.len + tail.len < NOTIFY_PAYLOAD_MAX)
		appendStringInfoString(&head, text.data);
	else
		appendStringInfoString(&head, "null");
	appendStringInfoString(&head, tail.data);
	if (head.len < NOTIFY_PAYLOAD_MAX)
		SendAtEnd(channel, head.data);
}
