/*
 * notify.c
 *		Notifications of decisions with chosen verdicts.
 *
 * The trigger sends them in the message's own transaction, so that PostgreSQL
 * delivers them when, and only when, the message and its decision commit.
 */
#include "postgres.h"

#include "commands/async.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "notify.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

/* Bytes of a payload, with its terminator: what NOTIFY takes (async.c) */
#define NOTIFY_PAYLOAD_MAX	(BLCKSZ - NAMEDATALEN - 128)

/* ["a", "b"]: the key as text */
static void
AppendKey(StringInfo buf, const Oid *types, const Datum *key, const bool *nulls, int nkeys)
{
	appendStringInfoChar(buf, '[');
	for (int i = 0; i < nkeys; i++)
	{
		Oid			output;
		bool		varlena;

		if (i > 0)
			appendStringInfoString(buf, ", ");
		if (nulls[i])
		{
			/* Where errors are wanted, the decision table makes one of it. */
			appendStringInfoString(buf, "null");
			continue;
		}
		getTypeOutputInfo(types[i], &output, &varlena);
		escape_json(buf, OidOutputFunctionCall(output, key[i]));
	}
	appendStringInfoChar(buf, ']');
}

/*
 * Tell whoever listens on assay_<policy>.  A key that does not fit is left
 * out; the names that remain are bounded where they are made.
 */
void
NotifyDecision(CompiledPolicy *p, const PolicyDecision *decision,
			   const Oid *types, const Datum *key, const bool *nulls, int nkeys)
{
	char	   *channel = psprintf("assay_%s", p->id->policy);
	StringInfoData head;
	StringInfoData tail;
	StringInfoData text;
	char		score[FLOAT_SHORTEST_DECIMAL_LEN];

	float_to_shortest_decimal_buf((float4) decision->score, score);
	initStringInfo(&head);
	initStringInfo(&text);
	initStringInfo(&tail);
	appendStringInfoString(&head, "{\"policy\": ");
	escape_json(&head, p->id->policy);
	appendStringInfoString(&head, ", \"key\": ");
	AppendKey(&text, types, key, nulls, nkeys);
	appendStringInfoString(&tail, ", \"verdict\": ");
	escape_json(&tail, p->verdicts[decision->verdict]);
	appendStringInfo(&tail, ", \"score\": %s, \"revision\": %d, \"degraded\": %s}",
					 score, p->id->revision, decision->degraded ? "true" : "false");
	if (head.len + text.len + tail.len < NOTIFY_PAYLOAD_MAX)
		appendStringInfoString(&head, text.data);
	else
		appendStringInfoString(&head, "null");
	appendStringInfoString(&head, tail.data);
	if (head.len < NOTIFY_PAYLOAD_MAX)
		Async_Notify(channel, head.data);
}
