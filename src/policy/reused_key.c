/*
 * reused_key.c
 *		Keys that came again while their decision could not be replaced.
 *
 * A message whose decision can't be written has none, and undecided() finds it,
 * unless another message had its key before: that one's decision is still there.
 * So the key is kept, with the time.  A decision that was made until then counts
 * neither in undecided() nor in backfill(), until a later one is there; nor does one
 * that is later, while that of a later revision is from before.
 *
 * Kept are keys with a decision, which are few.  Where that can't be asked, since
 * the decision table is what is locked or damaged, or a backfill() may be about to
 * write one, it is all of them.
 */
#include "postgres.h"

#include "backfill_wait.h"
#include "budget.h"
#include "catalog/pg_type.h"
#include "compile.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "protect.h"
#include "reused_key.h"
#include "security.h"
#include "signals_query.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rls.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "value_text.h"

/* Keys that are held at once */
#define KEYS_MAX	1000
#define BYTES_MAX	(1024 * 1024)

/* Milliseconds that are waited for the decision table, which has been waited for before */
#define ASK_PATIENCE	10

/* A row trigger comes here for each row. */
static Patience patience;

/* What is found to be deleted, as queries know it */
#define FOUND_NAME	"pg_assay reused keys"

/*
 * Keeping them
 */

typedef struct KeepJob
{
	PolicyIdentity *id;
	MemoryContext context;
	Datum		keys;			/* text[] of text[]'s texts */
	Datum		latest;			/* when the last decision about any was made */
	bool		latest_unknown;
} KeepJob;

/* Leave those that have a decision, whoever has committed it. */
static void
RunAsk(void *arg)
{
	KeepJob    *job = arg;
	PolicyIdentity *id = job->id;
	Oid			types[] = {TEXTARRAYOID};
	StringInfoData sql;
	ListCell   *lc;
	Security	security;
	bool		isnull;

	/* What it writes about former messages is not to be seen yet. */
	if (IsBackfillAtWork(id->decision))
		return;
	EnterOwner(&security, id->owner, id->search_path);
	/* Some are hidden from the owner: it is not to be known. */
	if (check_enable_rls(id->decision, InvalidOid, true) == RLS_ENABLED)
	{
		LeaveSecurity(&security);
		return;
	}
	WaitNoLonger(&security, ASK_PATIENCE);
	SPI_connect();
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT coalesce(pg_catalog.array_agg(s.key), '{}'), pg_catalog.max(s.at)::pg_catalog.timestamptz "
					 "FROM (SELECT k.key, pg_catalog.max(d.decided_at) AS at FROM pg_catalog.unnest($1) AS k (key) "
					 "JOIN %s d ON ", id->decision_name);
	foreach(lc, id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type = DecisionColumnType(id, lfirst(lc));

		appendStringInfo(&sql, "%sd.%s %s (k.key::pg_catalog.text[])[%d]::%s", i > 0 ? " AND " : "",
						 quote_identifier(lfirst(lc)), KeyOperator(type, type, BTEqualStrategyNumber),
						 i + 1, CastName(type));
	}
	appendStringInfoString(&sql, " GROUP BY k.key) s");
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args(sql.data, 1, types, &job->keys, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read %s", id->decision_name);
	MemoryContextSwitchTo(job->context);
	job->keys = datumCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull), false, -1);
	job->latest = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &job->latest_unknown);
	PopActiveSnapshot();
	SPI_finish();
	LeaveSecurity(&security);
}

/* The clock may have been set back since a decision about one was made. */
static void
RunKeep(void *arg)
{
	KeepJob    *job = arg;
	Oid			types[] = {TEXTOID, TEXTARRAYOID, TIMESTAMPTZOID};
	Datum		values[] = {CStringGetTextDatum(job->id->policy), job->keys, job->latest};
	char		nulls[] = {' ', ' ', job->latest_unknown ? 'n' : ' '};
	Security	security;

	EnterConfiguration(&security);
	WaitNoLonger(&security, IsImpatient(&patience) ? 1 : assay_message_budget);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args("INSERT INTO assay_internal.reused_key (policy, key, at) "
							  "SELECT $1, k.key::pg_catalog.text[], GREATEST(pg_catalog.clock_timestamp(), $3) FROM pg_catalog.unnest($2) AS k (key)",
							  lengthof(types), types, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write assay_internal.reused_key");
	PopActiveSnapshot();
	SPI_finish();
	LeaveSecurity(&security);
}

/* Keep what is held of them; never fails. */
void
KeepReusedKeys(UnwrittenKeys *u)
{
	KeepJob		job = {.id = u->id,.context = u->context,.latest_unknown = true};
	MemoryContext old;
	Datum	   *texts;
	ErrorData  *error;
	ListCell   *lc;

	if (u->keys == NIL)
		return;
	old = MemoryContextSwitchTo(u->context);
	texts = palloc(list_length(u->keys) * sizeof(Datum));
	foreach(lc, u->keys)
		texts[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	job.keys = PointerGetDatum(construct_array(texts, list_length(u->keys), TEXTOID, -1, false, TYPALIGN_INT));
	u->keys = NIL;
	u->bytes = 0;

	error = IsImpatient(&patience) ? NULL : RunPatiently(&patience, RunAsk, &job);
	if (error)
		FreeErrorData(error);
	error = NULL;
	if (ARR_NDIM(DatumGetArrayTypeP(job.keys)) > 0)
		error = RunPatiently(&patience, RunKeep, &job);
	if (error)
		ereport(LOG_SERVER_ONLY,
				(errmsg("could not keep keys of policy \"%s\" that came again without a decision: %s",
						u->id->policy, error->message)));
	MemoryContextSwitchTo(old);
	MemoryContextReset(u->context);
}

/* A message's decision could not be written. */
void
AddUnwrittenKey(UnwrittenKeys *u, DecisionTable *t, const Datum *values, const bool *nulls)
{
	MemoryContext old;
	char	   *key;

	if (u->context == NULL)
		u->context = AllocSetContextCreate(u->outer, "pg_assay reused keys", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(u->context);
	u->id = t->id;
	key = KeyText(t, values, nulls);
	u->keys = lappend(u->keys, key);
	u->bytes += strlen(key);
	MemoryContextSwitchTo(old);
	if (list_length(u->keys) >= KEYS_MAX || u->bytes >= BYTES_MAX)
		KeepReusedKeys(u);
}

/*
 * Asking for them
 */

/* Are any kept of the policy?  Each server of a distributed one knows of its own, and no other. */
bool
HasReusedKeys(Source *s)
{
	Security	security;
	BatchQuery	q;
	bool		any;

	if (s->distributed)
		return false;
	EnterConfiguration(&security);
	QueryStart(&q);
	q.read_only = ActiveSnapshotSet();
	QueryAdd(&q, "SELECT FROM assay_internal.reused_key WHERE policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	QueryAdd(&q, " LIMIT 1");
	any = QueryRun(&q, SPI_OK_SELECT, NULL) > 0;
	LeaveSecurity(&security);
	return any;
}

/* (key as text[])[1]::type = d."key" AND ... */
static void
AddKeptKey(BatchQuery *q, Source *s)
{
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "(r.key::pg_catalog.text[])[%d]::%s %s d.%s AND ", i + 1, CastName(s->key_types[i]),
				 KeyOperator(s->key_types[i], s->key_types[i], BTEqualStrategyNumber), s->keys[i]);
}

/*
 * Is the decision "d" about the message before?  Of any revision it is, too, where
 * one of a later revision is: a backfill by the revision of its beginning decides on
 * after that, and the later revision's is what is shown.
 */
static void
AddIsFormer(BatchQuery *q, Source *s, bool any_revision)
{
	QueryAdd(q, "(r.at >= d.decided_at");
	if (any_revision)
	{
		QueryAdd(q, " OR EXISTS (SELECT FROM %s n WHERE ", s->id->decision_name);
		AddSameKey(q, s, "n", "d");
		QueryAdd(q, " AND n.revision > d.revision AND r.at >= n.decided_at)");
	}
	QueryAdd(q, ")");
}

/*
 * AND NOT EXISTS ... : the decision "d" counts for the message that has its key now;
 * among those of its revision, or among all.
 */
void
AddCounts(BatchQuery *q, Source *s, bool any_revision)
{
	if (s->kept && s->kept->n > 0)
	{
		QueryAdd(q, " AND NOT EXISTS (SELECT FROM ROWS FROM (pg_catalog.unnest(");
		QueryValue(q, TEXTARRAYOID, s->kept->keys);
		QueryAdd(q, "), pg_catalog.unnest(");
		QueryValue(q, TIMESTAMPTZARRAYOID, s->kept->times);
		QueryAdd(q, ")) AS r (key, at) WHERE ");
		AddKeptKey(q, s);
		AddIsFormer(q, s, any_revision);
		QueryAdd(q, ")");
	}
	if (s->kept || !s->reused)
		return;
	QueryAdd(q, " AND NOT EXISTS (SELECT FROM assay_internal.readable_reused_key r WHERE r.policy = ");
	QueryValue(q, TEXTOID, CStringGetTextDatum(s->policy));
	AddTextKey(q, s, "r", "d");
	QueryAdd(q, " AND ");
	AddIsFormer(q, s, any_revision);
	QueryAdd(q, ")");
}

/*
 * When the last such key came again, as an expression: no decision after that is a
 * former message's.  It is the same for all keys, so that it is asked once.
 */
char	   *
LastReuse(Source *s)
{
	BatchQuery	q;
	bool		isnull;
	Datum		last;
	char	   *written;
	int			nest;

	if (!s->kept && !s->reused)
		return "'-infinity'::pg_catalog.timestamptz";
	QueryStart(&q);
	if (s->kept)
	{
		QueryAdd(&q, "SELECT pg_catalog.max(r.at) FROM pg_catalog.unnest(");
		QueryValue(&q, TIMESTAMPTZARRAYOID, s->kept->times);
		QueryAdd(&q, ") AS r (at)");
	}
	else
	{
		QueryAdd(&q, "SELECT pg_catalog.max(r.at) FROM assay_internal.readable_reused_key r WHERE r.policy = ");
		QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	}
	(void) QueryRun(&q, SPI_OK_SELECT, NULL);
	last = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		last = TimestampTzGetDatum(DT_NOBEGIN);
	nest = PlainFormats();
	written = ValueText(TIMESTAMPTZOID, last);
	AtEOXact_GUC(false, nest);
	return psprintf("%s::pg_catalog.timestamptz", quote_literal_cstr(written));
}

/*
 * Going through them
 */

/* The key in r.key, as values: columns of the view's names, which are compared as the view's are */
static void
AddKeptValues(BatchQuery *q, Source *s)
{
	ListCell   *lc;

	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type;
		int32		typmod;
		Oid			collation = InvalidOid;

		get_atttypetypmodcoll(s->id->signals, get_attnum(s->id->signals, lfirst(lc)), &type, &typmod, &collation);
		QueryAdd(q, ", r.key[%d]::%s", i + 1, CastName(type));
		if (OidIsValid(collation))
			QueryAdd(q, " COLLATE %s", generate_collation_name(collation));
		QueryAdd(q, " AS %s", s->keys[i]);
	}
}

/*
 * Begin to go through what is kept by now, of keys behind this one, or NULL; the
 * first ones are at hand then.  The keys' types are those of the view, by which
 * the source is entered.
 */
void
OpenKeptKeys(KeptKeys *k, Source *s, Datum *after, int at_once)
{
	BatchQuery	q;

	QueryStart(&q);
	QueryAdd(&q, "SELECT pg_catalog.min(%s.%s)::pg_catalog.text, pg_catalog.max(%s.%s), ",
			 s->alias, s->scores[0], s->alias, s->scores[1]);
	AddKeys(&q, s, s->alias, "");
	QueryAdd(&q, " FROM (SELECT r.key AS %s, r.at AS %s", s->scores[0], s->scores[1]);
	AddKeptValues(&q, s);
	QueryAdd(&q, " FROM assay_internal.readable_reused_key r WHERE r.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	QueryAdd(&q, " OFFSET 0) %s WHERE true", s->alias);
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(&q, " AND %s.%s " KEY_IS_THERE, s->alias, s->keys[i]);
	if (after)
		AddKeyBound(&q, s, BTGreaterStrategyNumber, after);
	QueryAdd(&q, " GROUP BY ");
	AddKeys(&q, s, s->alias, "");
	QueryAdd(&q, " ORDER BY ");
	AddKeys(&q, s, s->alias, "");
	memset(k, 0, sizeof(KeptKeys));
	k->portal = OpenQuery(&q);
	k->at_once = at_once;
	k->signals = s->id->signals;
	k->nkeys = s->nkeys;
	memcpy(k->key_types, s->key_types, s->nkeys * sizeof(Oid));
	(void) NextKeptKeys(k, s);
}

/* Values of a key into the current context */
static Datum *
CopyKey(Source *s, const Datum *key)
{
	Datum	   *copy = palloc(s->nkeys * sizeof(Datum));

	for (int i = 0; i < s->nkeys; i++)
	{
		int16		len;
		bool		byval;

		get_typlenbyval(s->key_types[i], &len, &byval);
		copy[i] = datumCopy(key[i], byval, len);
	}
	return copy;
}

/* The next ones; false: those at hand are the last. */
bool
NextKeptKeys(KeptKeys *k, Source *s)
{
	MemoryContext context;
	MemoryContext old;
	SPITupleTable *rows;
	Datum	   *keys;
	Datum	   *times;

	if (k->context && k->upto == NULL)
		return false;
	context = AllocSetContextCreate(PortalContext, "pg_assay kept keys", ALLOCSET_DEFAULT_SIZES);
	SPI_cursor_fetch(k->portal, true, k->at_once);
	rows = SPI_tuptable;
	old = MemoryContextSwitchTo(context);
	k->from = k->upto ? CopyKey(s, k->upto) : NULL;
	k->upto = NULL;
	k->n = rows->numvals;
	keys = palloc(k->n * sizeof(Datum));
	times = palloc(k->n * sizeof(Datum));
	for (int i = 0; i < k->n; i++)
	{
		bool		isnull;

		keys[i] = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull);
		times[i] = SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull);
	}
	k->keys = PointerGetDatum(construct_array(keys, k->n, TEXTOID, -1, false, TYPALIGN_INT));
	k->times = PointerGetDatum(construct_array(times, k->n, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	if (k->n == k->at_once)
	{
		Datum	   *last = palloc(s->nkeys * sizeof(Datum));
		bool		isnull;

		for (int i = 0; i < s->nkeys; i++)
		{
			Datum		value = SPI_getbinval(rows->vals[k->n - 1], rows->tupdesc, 3 + i, &isnull);

			last[i] = KeyValue(s, i, value, isnull);
		}
		k->upto = CopyKey(s, last);
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(rows);
	if (k->context)
		MemoryContextDelete(k->context);
	k->context = context;
	return true;
}

/*
 * Are they still values of the view's types, in the order of its keys?  The view
 * may have been made anew since.
 */
bool
AreKeysOf(const KeptKeys *k, const Source *s)
{
	return k->signals == s->id->signals && k->nkeys == s->nkeys &&
		memcmp(k->key_types, s->key_types, s->nkeys * sizeof(Oid)) == 0;
}

void
CloseKeptKeys(KeptKeys *k)
{
	if (k->portal == NULL)
		return;
	CloseQuery(k->portal);
	MemoryContextDelete(k->context);
	k->portal = NULL;
}

/*
 * Forgetting them
 */

/* Find the keys and times that tell nothing any more: a later decision is what is shown, or none. */
static void
FindMoot(Source *s, TimestampTz before, Tuplestorestate * found)
{
	Security	security;
	BatchQuery	q;

	PolicyCheckKeys(s->id);
	EnterOwner(&security, s->id->owner, s->id->search_path);
	QueryStart(&q);
	QueryAdd(&q, "SELECT r.key, r.at FROM assay_internal.readable_reused_key r LEFT JOIN %s d ON r.policy = ", s->id->decision_name);
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	AddTextKey(&q, s, "r", "d");
	QueryAdd(&q, " WHERE r.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	QueryAdd(&q, " AND r.at < ");
	QueryValue(&q, TIMESTAMPTZOID, TimestampTzGetDatum(before));
	QueryAdd(&q, " GROUP BY r.key, r.at HAVING ((pg_catalog.array_agg(d.decided_at ORDER BY d.revision DESC))[1] <= r.at) IS NOT TRUE");
	QueryRunInto(&q, found, NULL);
	LeaveSecurity(&security);
}

/*
 * Delete the keys and times that were found, as who may; how many.  SPI is
 * connected.
 */
int64
DeleteReusedKeys(Source *s, Tuplestorestate * found)
{
	Security	security;
	EphemeralNamedRelationData enr = {0};
	BatchQuery	q;
	int64		n;

	enr.md.name = FOUND_NAME;
	enr.md.tupdesc = CreateTemplateTupleDesc(2);
	TupleDescInitEntry(enr.md.tupdesc, 1, "key", TEXTARRAYOID, -1, 0);
	TupleDescInitEntry(enr.md.tupdesc, 2, "at", TIMESTAMPTZOID, -1, 0);
	enr.md.enrtype = ENR_NAMED_TUPLESTORE;
	enr.md.enrtuples = tuplestore_tuple_count(found);
	enr.reldata = found;
	if (SPI_register_relation(&enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "DELETE FROM assay_internal.reused_key r USING \"" FOUND_NAME "\" k WHERE r.key = k.key AND r.at = k.at AND r.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	n = QueryRun(&q, SPI_OK_DELETE, NULL);
	LeaveSecurity(&security);
	if (SPI_unregister_relation(FOUND_NAME) != SPI_OK_REL_UNREGISTER)
		elog(ERROR, "SPI_unregister_relation failed");
	return n;
}

/*
 * Some decisions are hidden from the owner: what tells nothing any more can't be
 * known, and all of before this time go.
 */
static int64
DeleteOld(Source *s, TimestampTz before)
{
	Security	security;
	BatchQuery	q;
	int64		n;

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "DELETE FROM assay_internal.reused_key r WHERE r.policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	QueryAdd(&q, " AND r.at < ");
	QueryValue(&q, TIMESTAMPTZOID, TimestampTzGetDatum(before));
	n = QueryRun(&q, SPI_OK_DELETE, NULL);
	LeaveSecurity(&security);
	return n;
}

/*
 * Drop the policy's keys of before this time that tell nothing any more; how
 * many.  SPI is connected.  Who may not act as the policy's owner drops none.
 */
static int64
DropReusedKeys(Source *s, TimestampTz before)
{
	Tuplestorestate *found;
	int64		n = 0;

	if (!OidIsValid(s->id->decision) || !has_privs_of_role(GetUserId(), s->id->owner) || !HasReusedKeys(s))
		return 0;
	if (check_enable_rls(s->id->decision, s->id->owner, true) == RLS_ENABLED)
		return DeleteOld(s, before);
	found = tuplestore_begin_heap(false, false, work_mem);
	FindMoot(s, before, found);
	if (tuplestore_tuple_count(found) > 0)
		n = DeleteReusedKeys(s, found);
	tuplestore_end(found);
	return n;
}

PG_FUNCTION_INFO_V1(assay_drop_reused_keys);
Datum
assay_drop_reused_keys(PG_FUNCTION_ARGS)
{
	Source		s;
	int64		dropped;

	SPI_connect();
	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	dropped = DropReusedKeys(&s, PG_GETARG_TIMESTAMPTZ(1));
	SPI_finish();
	PG_RETURN_INT64(dropped);
}
