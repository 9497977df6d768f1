/*
 * batch.c
 *		A policy over many stored messages: what replay() and backfill() share.
 *
 * Both make one query over the signals view and score each row by
 * assay.score(), so that there is one evaluator.  It runs as the policy's
 * owner in a restricted context, as the trigger does, or, for a reader who may
 * not act as the owner, with the reader's own rights.
 *
 * Where something fails, the query runs again without parallel workers, since
 * before PostgreSQL 17 an error can't be recovered from in these; there it
 * costs the detector only.  Where that fails too, the signals view does, for
 * some message: then they are read one by one, and what can't be read is
 * scored by the prior alone.
 */
#include "postgres.h"

#include "access/tupconvert.h"
#include "batch.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "cursors.h"
#include "distributed.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "protect.h"
#include "shards.h"
#include "signals_query.h"
#include "storage/lmgr.h"
#include "trusted.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/*
 * Queries
 */

void
QueryStart(BatchQuery *q)
{
	initStringInfo(&q->sql);
	q->nparams = 0;
	q->read_only = false;
}

void
QueryAdd(BatchQuery *q, const char *format,...)
{
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&q->sql, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&q->sql, needed);
	}
}

/* Append a value, as $n::type */
void
QueryValue(BatchQuery *q, Oid type, Datum value)
{
	if (q->nparams >= QUERY_PARAMS_MAX)
		elog(ERROR, "too many parameters");
	q->types[q->nparams] = type;
	q->values[q->nparams] = value;
	q->nparams++;
	QueryAdd(q, "$%d::%s", q->nparams, CastName(type));
}

/* The values; NULL for none, since some executors stumble over an empty list */
static ParamListInfo
QueryParams(BatchQuery *q)
{
	ParamListInfo params;

	if (q->nparams == 0)
		return NULL;
	params = makeParamList(q->nparams);

	for (int i = 0; i < q->nparams; i++)
	{
		params->params[i].value = q->values[i];
		params->params[i].isnull = false;
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = q->types[i];
	}
	return params;
}

typedef struct Entered
{
	Oid			as;
	Oid			of;
} Entered;

/* As whom a source was entered last, and the owner of its policy: users' code may enter others meanwhile */
static Entered entered = {InvalidOid, InvalidOid};

/* What reads a source is looked at as it is analyzed. */
static PolicyStatement
LookedAt(const BatchQuery *q)
{
	PolicyStatement statement = {GetUserId() == entered.as ? q->sql.data : NULL, entered.of};

	return statement;
}

/* Run it, or the plan that was made of it; rows go to options->dest or, for NULL, to SPI_tuptable */
static int
QueryExecute(BatchQuery *q, SPIPlanPtr plan, DestReceiver *dest)
{
	SPIExecuteOptions options = {0};
	PolicyStatement before = LookAtStatement(LookedAt(q));
	Entered		was = entered;
	int			ret = 0;

	options.params = QueryParams(q);
	options.read_only = q->read_only;
	options.dest = dest;
	PG_TRY();
	{
		ret = plan ? SPI_execute_plan_extended(plan, &options) : SPI_execute_extended(q->sql.data, &options);
	}
	PG_FINALLY();
	{
		(void) LookAtStatement(before);
		entered = was;
	}
	PG_END_TRY();
	return ret;
}

uint64
QueryRun(BatchQuery *q, int expected, DestReceiver *dest)
{
	int			ret = QueryExecute(q, NULL, dest);

	if (ret != expected)
		elog(ERROR, "SPI_execute_extended failed: %s", SPI_result_code_string(ret));
	return SPI_processed;
}

/*
 * Run it to its end, for rows that are fetched later, in other transactions, too.
 * An error drops them; else CloseQuery() does.
 */
Portal
OpenQuery(BatchQuery *q)
{
	static uint32 opened = 0;
	SPIParseOpenOptions options = {0};
	PolicyStatement before = LookAtStatement(LookedAt(q));
	Entered		was = entered;
	Portal		portal = NULL;

	options.params = QueryParams(q);
	options.read_only = q->read_only;
	PG_TRY();
	{
		portal = SPI_cursor_parse_open(psprintf(OUR_CURSOR "%u", ++opened), q->sql.data, &options);
		/* As whoever the query is run by */
		HoldCursor(portal);
	}
	PG_FINALLY();
	{
		(void) LookAtStatement(before);
		entered = was;
	}
	PG_END_TRY();
	return portal;
}

void
CloseQuery(Portal portal)
{
	CloseHeldCursor(portal);
}

static void
ReceiverStart(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
ReceiverEnd(DestReceiver *self)
{
}

/* A receiver of rows that takes each as it comes */
void
InitReceiver(DestReceiver *dest, bool (*receive) (TupleTableSlot *slot, DestReceiver *self))
{
	dest->receiveSlot = receive;
	dest->rStartup = ReceiverStart;
	dest->rShutdown = ReceiverEnd;
	dest->rDestroy = ReceiverEnd;
	dest->mydest = DestTuplestore;	/* what SPI takes for rows of ours */
}

/*
 * Run a query with memory for the keys of all messages, as for other work on
 * whole tables: else their ledgers would go through files.
 */
void
QueryRunLarge(BatchQuery *q, DestReceiver *dest)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("work_mem", psprintf("%d", Max(work_mem, maintenance_work_mem)),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) QueryRun(q, SPI_OK_SELECT, dest);
	AtEOXact_GUC(true, nest);
}

/*
 * Source
 */

static void
CheckAt(Source *s, Oid view, const char *at)
{
	AttrNumber	attno = get_attnum(view, at);

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("signals view %s has no column \"%s\"", s->id->signals_name, at),
				 errhint("Name the column with the time of a message, as in at => 'sent_at'; where there is none, say at => NULL.")));
	if (get_atttype(view, attno) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of signals view %s must be of type timestamp with time zone",
						at, s->id->signals_name)));
	s->at = quote_identifier(at);
	s->at_column = at;
}

/*
 * Who may act as the owner, may run its policy over its messages; so may, to
 * look only and with rights of its own, who reads both the signals and the
 * decisions.
 */
static void
CheckMayRun(Source *s, bool look)
{
	if (has_privs_of_role(GetUserId(), s->id->owner))
		return;
	s->as_caller = true;
	if (look && OidIsValid(s->id->signals) &&
		pg_class_aclcheck(s->id->signals, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		pg_class_aclcheck(s->id->decision, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for policy \"%s\"", s->policy),
			 look ?
			 errhint("It takes membership in the policy's owner, or SELECT on both %s and %s.",
					 s->id->signals_name, s->id->decision_name) :
			 errhint("It takes membership in the policy's owner.")));
}

/* A name that none of the view's columns has: those would come first. */
static const char *
UniqueName(Oid view, const char *wish)
{
	char	   *alias = pstrdup(wish);

	while (get_attnum(view, alias) != InvalidAttrNumber)
		alias = psprintf("%s_", alias);
	if (strlen(alias) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_ALIAS),
				 errmsg("too many columns of the signals view are called like \"%s_\"", wish)));
	return alias;
}

/* The keys alone: their columns may have gone from the view. */
void
InitSourceKeys(Source *s, const char *policy)
{
	ListCell   *lc;

	memset(s, 0, sizeof(Source));
	s->policy = policy;
	s->id = ConfigIdentify(policy);
	s->distributed = OidIsValid(s->id->decision) && IsDistributed(s->id->decision);
	s->keys = palloc(list_length(s->id->key) * sizeof(char *));
	foreach(lc, s->id->key)
		s->keys[s->nkeys++] = quote_identifier(lfirst(lc));
}

/* Is a column of this name part of the key? */
bool
SourceHasKey(const Source *s, const char *column)
{
	ListCell   *lc;

	foreach(lc, s->id->key)
		if (strcmp(lfirst(lc), column) == 0)
		return true;
	return false;
}

/*
 * The i-th value of a key that was there when it was looked for: a view's function
 * may say that it is stable, and give null the next time.
 */
Datum
KeyValue(const Source *s, int i, Datum value, bool isnull)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("key column %s of signals view %s is null for a message for which it was not null before",
						s->keys[i], s->id->signals_name),
				 errhint("A function that makes a key must give the same each time.")));
	return value;
}

/*
 * Whose policy, and over which view and decision table, which are locked: whoever
 * is replacing or renaming one is waited for, and then it is another one.
 */
static void
InitSourceView(Source *s, const char *policy, bool look)
{
	PolicyIdentity *locked = NULL;

	for (;;)
	{
		InitSourceKeys(s, policy);
		CheckMayRun(s, look);
		PolicyMustHaveView(s->id);
		PolicyCheckOwners(s->id);
		if (locked && s->id->signals == locked->signals && s->id->decision == locked->decision &&
			strcmp(s->id->decision_name, locked->decision_name) == 0)
			return;
		if (locked)
		{
			UnlockRelationOid(locked->signals, AccessShareLock);
			UnlockRelationOid(locked->decision, AccessShareLock);
		}
		locked = s->id;
		LockRelationOid(locked->signals, AccessShareLock);
		LockRelationOid(locked->decision, AccessShareLock);
	}
}

/* Error where a time that was asked for ends before it begins */
void
CheckSpan(TimestampTz since, TimestampTz until)
{
	if (since > until)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("until lies before since"),
				 errhint("A time goes from since up to, not including, until.")));
}

/* look: to read only */
void
InitSource(Source *s, const char *policy, TimestampTz since, TimestampTz until,
		   const char *at, bool look)
{
	ListCell   *lc;

	InitSourceView(s, policy, look);
	s->since = since;
	s->until = until;
	s->distributed |= ReadsDistributed(s->id->signals);
	if (at)
		CheckAt(s, s->id->signals, at);
	else if (!TIMESTAMP_NOT_FINITE(since) || !TIMESTAMP_NOT_FINITE(until))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("since and until need a column of times"),
				 errhint("Name it, as in at => 'received_at'.")));
	CheckSpan(since, until);
	s->alias = UniqueName(s->id->signals, "message");
	s->row = s->alias;
	s->time = s->at ? psprintf("%s.%s", s->alias, s->at) : NULL;
	for (int i = 0; i < lengthof(s->scores); i++)
		s->scores[i] = UniqueName(s->id->signals, i == 0 ? "score_a" : "score_b");
	s->signals = UniqueName(s->id->signals, "signals");
	s->key_types = palloc(s->nkeys * sizeof(Oid));
	foreach(lc, s->id->key)
	{
		Oid			type = get_atttype(s->id->signals, get_attnum(s->id->signals, lfirst(lc)));

		if (!OidIsValid(type))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("signals view %s has no key column \"%s\"",
							s->id->signals_name, (char *) lfirst(lc))));
		s->key_types[foreach_current_index(lc)] = type;
	}
}

/*
 * One of the policy's own tables is about to be read: as the owner by who may
 * act as that, else with rights of one's own.  Error where that is not possible.
 */
void
SourceMayRead(Source *s, Oid table, const char *table_name)
{
	if (table_name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("a table of policy \"%s\" does not exist", s->policy),
				 errhint("SELECT * FROM assay.check(%s) tells what is missing.",
						 quote_literal_cstr(s->policy))));
	s->as_caller = !has_privs_of_role(GetUserId(), s->id->owner);
	if (s->as_caller && pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s->policy),
				 errhint("It takes membership in the policy's owner, or SELECT on %s.", table_name)));
}

/* To read its messages, as the owner or as who asks */
void
EnterSource(Security *security, Source *s)
{
	if (s->as_caller)
		EnterCaller(security);
	else
	{
		PolicyCheckKeys(s->id);
		EnterOwner(security, s->id->owner, s->id->search_path);
	}
	entered.as = GetUserId();
	entered.of = s->id->owner;
}

/* alias."a", alias."b" with something behind each */
void
AddKeys(BatchQuery *q, Source *s, const char *alias, const char *behind)
{
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%s%s.%s%s", i > 0 ? ", " : "", alias, s->keys[i], behind);
}

/*
 * AddKeyBound() where a type's operators are not the server's, for which there is
 * no comparison of rows: "a" > x OR ("a" = x AND ("b" > y))
 */
static void
AddBoundByParts(BatchQuery *q, Source *s, StrategyNumber strategy, Datum *key)
{
	StrategyNumber strict = strategy == BTLessEqualStrategyNumber ? BTLessStrategyNumber : strategy;

	for (int i = 0; i < s->nkeys; i++)
	{
		QueryAdd(q, " AND (%s.%s %s ", s->alias, s->keys[i],
				 KeyOperator(s->key_types[i], s->key_types[i], i == s->nkeys - 1 ? strategy : strict));
		QueryValue(q, s->key_types[i], key[i]);
		if (i == s->nkeys - 1)
			continue;
		QueryAdd(q, " OR %s.%s %s ", s->alias, s->keys[i],
				 KeyOperator(s->key_types[i], s->key_types[i], BTEqualStrategyNumber));
		QueryValue(q, s->key_types[i], key[i]);
	}
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, ")");
}

/* AND ("a", "b") > (values) */
void
AddKeyBound(BatchQuery *q, Source *s, StrategyNumber strategy, Datum *key)
{
	const char *op = strategy == BTLessEqualStrategyNumber ? "OPERATOR(pg_catalog.<=)" : "OPERATOR(pg_catalog.>)";

	for (int i = 0; i < s->nkeys; i++)
		if (strcmp(KeyOperator(s->key_types[i], s->key_types[i], strategy), op) != 0)
		{
			AddBoundByParts(q, s, strategy, key);
			return;
		}
	QueryAdd(q, " AND (");
	AddKeys(q, s, s->alias, "");
	QueryAdd(q, ") %s (", op);
	for (int i = 0; i < s->nkeys; i++)
	{
		QueryAdd(q, i > 0 ? ", " : "");
		QueryValue(q, s->key_types[i], key[i]);
	}
	QueryAdd(q, ")");
}

/* a."key" = b."key" AND ... : by the keys' own types, those of the decision table */
void
AddSameKey(BatchQuery *q, Source *s, const char *a, const char *b)
{
	ListCell   *lc;

	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type = DecisionColumnType(s->id, lfirst(lc));

		QueryAdd(q, "%s%s.%s %s %s.%s", i > 0 ? " AND " : "", a, s->keys[i], KeyOperator(type, type, BTEqualStrategyNumber),
				 b, s->keys[i]);
	}
}

/*
 * AND ... : the texts in texts.key, of a key of texts.policy, are those of
 * alias, as the types have it.  Keys of other policies may have other types.
 */
void
AddTextKey(BatchQuery *q, Source *s, const char *texts, const char *alias)
{
	ListCell   *lc;

	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type = DecisionColumnType(s->id, lfirst(lc));

		QueryAdd(q, " AND (CASE WHEN %s.policy = ", texts);
		QueryValue(q, TEXTOID, CStringGetTextDatum(s->policy));
		QueryAdd(q, " THEN %s.key[%d] END)::%s %s %s.%s", texts, i + 1, CastName(type),
				 KeyOperator(type, type, BTEqualStrategyNumber), alias, s->keys[i]);
	}
}

/* The key as an array of texts, as functions return it */
void
AddKeyArray(BatchQuery *q, Source *s, const char *alias)
{
	QueryAdd(q, "ARRAY[");
	AddKeys(q, s, alias, "::pg_catalog.text");
	QueryAdd(q, "]");
}

/* Has the decision table a column of logged signals? */
bool
SourceHasLog(Source *s)
{
	AttrNumber	attno = OidIsValid(s->id->decision) ? get_attnum(s->id->decision, "signals") : 0;

	return attno > 0 && get_atttype(s->id->decision, attno) == TypeByName("logged_signals");
}

/* From now on it is about logged signals; covering: only those with all columns of the view */
void
SourceUseLog(Source *s, bool covering)
{
	s->logged = true;
	s->covering = covering;
	s->row = psprintf("%s.%s", s->alias, s->signals);
	if (s->at)
		s->time = psprintf("(%s.%s).%s", s->alias, s->signals, s->at);
}

/* alias.signals IS NOT NULL AND ... : it has them */
void
AddHasLog(BatchQuery *q, Source *s, const char *alias)
{
	QueryAdd(q, "%s.signals IS NOT NULL", alias);
	if (s->covering)
		QueryAdd(q, " AND assay_internal.covers_signals(NULL::%s, %s.signals)", s->id->signals_name, alias);
}

/* NOT EXISTS ... : no decision of a later revision, or of the one that is asked for, has them */
void
AddNoLaterLog(BatchQuery *q, Source *s, const char *alias)
{
	QueryAdd(q, "NOT EXISTS (SELECT FROM %s n WHERE ", s->id->decision_name);
	AddSameKey(q, s, "n", alias);
	if (s->log_revision == 0)
		QueryAdd(q, " AND n.revision > %s.revision AND ", alias);
	else
		QueryAdd(q, " AND %s.revision <> %d AND (n.revision > %s.revision OR n.revision = %d) AND ",
				 alias, s->log_revision, alias, s->log_revision);
	AddHasLog(q, s, "n");
	QueryAdd(q, ")");
}

/* Of the decisions "d" the latest of each message that has logged signals, or the one that is asked for */
void
AddLatestLogged(BatchQuery *q, Source *s)
{
	AddHasLog(q, s, "d");
	QueryAdd(q, " AND ");
	AddNoLaterLog(q, s, "d");
}

/* AND NOT EXISTS ... : messages whose signals were not logged */
void
AddNotLogged(BatchQuery *q, Source *s)
{
	bool		covering = s->covering;

	s->covering = true;
	QueryAdd(q, " AND NOT EXISTS (SELECT FROM %s n WHERE ", s->id->decision_name);
	AddSameKey(q, s, "n", s->alias);
	QueryAdd(q, " AND ");
	AddHasLog(q, s, "n");
	QueryAdd(q, ")");
	s->covering = covering;
}

/* FROM ... : the messages, by the alias, each with its row */
void
AddFrom(BatchQuery *q, Source *s)
{
	if (!s->logged)
	{
		QueryAdd(q, " FROM %s %s", s->keys_from ? s->keys_from : s->id->signals_name, s->alias);
		return;
	}
	/* OFFSET 0: each row is made once. */
	QueryAdd(q, " FROM (SELECT ");
	AddKeys(q, s, "d", "");
	QueryAdd(q, ", assay_internal.signals_row(NULL::%s, d.signals) AS %s FROM %s d WHERE ",
			 s->id->signals_name, s->signals, s->id->decision_name);
	AddLatestLogged(q, s);
	QueryAdd(q, " OFFSET 0) %s", s->alias);
}

/* Whose signals a report is of: 'view', 'logged' or 'auto' */
SignalsFrom
ParseSignalsFrom(const char *from)
{
	if (from && strcmp(from, "view") == 0)
		return SIGNALS_VIEW;
	if (from && strcmp(from, "logged") == 0)
		return SIGNALS_LOGGED;
	if (from && strcmp(from, "auto") == 0)
		return SIGNALS_AUTO;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("signals must be view, logged or auto"),
			 errhint("view: computed anew; logged: as they were when the message was decided; auto: these where there are any.")));
	return SIGNALS_VIEW;
}

/* An error where logged signals alone are wanted, and there can't be any */
void
CheckSourceLog(Source *s, SignalsFrom from)
{
	if (from == SIGNALS_LOGGED && !SourceHasLog(s))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the decision table of policy \"%s\" has no column for logged signals", s->policy),
				 errhint("SELECT assay.upgrade_policy(%s);", quote_literal_cstr(s->policy))));
}

/* WHERE true AND ... : messages of the time that is asked for */
void
AddTimes(BatchQuery *q, Source *s)
{
	QueryAdd(q, " WHERE true");
	if (s->at && !TIMESTAMP_NOT_FINITE(s->since))
	{
		QueryAdd(q, " AND %s >= ", s->time);
		QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(s->since));
	}
	if (s->at && !TIMESTAMP_NOT_FINITE(s->until))
	{
		QueryAdd(q, " AND %s < ", s->time);
		QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(s->until));
	}
	/* Nothing lies before the beginning, or begins at the end. */
	if (TIMESTAMP_IS_NOEND(s->since) || TIMESTAMP_IS_NOBEGIN(s->until))
		QueryAdd(q, " AND false");
}

/* By what the select list of a scan names a message's row ... */
const char *
RowAlias(Source *s)
{
	return s->distributed ? s->alias : "s";
}

/* ... and a field of a score of it */
void
AddScored(BatchQuery *q, Source *s, int i, const char *field)
{
	QueryAdd(q, s->distributed ? "%s.%s" : "(s.%s).%s", s->scores[i], field);
}

/* Behind the select list: the messages, and what of them */
void
AddScanFrom(BatchQuery *q, Source *s)
{
	QueryAdd(q, " FROM (SELECT ");
	if (s->distributed)
		QueryAdd(q, "%s.*", s->alias);
	else
		AddKeys(q, s, s->alias, "");
}

/* An error where something is not to be had over distributed tables */
void
RefuseDistributed(Source *s, const char *what, const char *hint)
{
	if (s->distributed)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is not supported over distributed tables of policy \"%s\"", what, s->policy),
				 errhint("%s", hint)));
}

/*
 * , assay.score(...) AS name: as of now, or of the time of the message.  As a
 * join over distributed tables, since a value of type record doesn't travel.
 */
void
AddScore(BatchQuery *q, Source *s, int revision, bool drafts, bool at_its_time,
		 const char *column)
{
	QueryAdd(q, s->distributed ? " CROSS JOIN LATERAL assay.score(" : ", assay.score(");
	QueryValue(q, TEXTOID, CStringGetTextDatum(s->policy));
	QueryAdd(q, ", %s, ", s->row);
	QueryValue(q, INT4OID, Int32GetDatum(revision));
	if (at_its_time && s->at)
		QueryAdd(q, ", %s, ", s->time);
	else
		QueryAdd(q, ", NULL, ");
	QueryValue(q, BOOLOID, BoolGetDatum(drafts));
	QueryAdd(q, s->distributed ? ") %s" : ") AS %s", column);
}

/*
 * Does the revision (0: the current one, whose number it tells) raise errors?
 */
bool
ReadRevision(Source *s, int revision, int *found)
{
	Security	security;
	BatchQuery	q;
	bool		isnull;
	bool		raise_errors;

	EnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT revision, on_error = 'raise' FROM assay_internal.revision WHERE policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	if (revision != 0)
	{
		QueryAdd(&q, " AND revision = ");
		QueryValue(&q, INT4OID, Int32GetDatum(revision));
	}
	QueryAdd(&q, " ORDER BY revision DESC LIMIT 1");
	if (QueryRun(&q, SPI_OK_SELECT, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("policy \"%s\" has no revision %d", s->policy, revision),
				 errhint("The view assay.revisions lists them.")));
	*found = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	raise_errors = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	LeaveSecurity(&security);
	return raise_errors;
}

/*
 * Scan
 */

/* A query whose rows go to a tuplestore, perhaps in a subtransaction */
typedef struct ScanJob
{
	BatchQuery *query;
	Tuplestorestate *store;
	SPIPlanPtr	plan;			/* made of the query's text, or NULL */
	BatchScan  *scan;			/* is told when a row is stored, or NULL */
	TupleDesc	desc;			/* what the rows must be, or NULL */
} ScanJob;

/* The server's receiver into a tuplestore, which tells when it is at work */
typedef struct StoreReceiver
{
	DestReceiver pub;			/* must be first */
	DestReceiver *inner;
	BatchScan  *scan;
	TupleDesc	desc;
} StoreReceiver;

static void
StoreStart(DestReceiver *self, int operation, TupleDesc desc)
{
	StoreReceiver *r = (StoreReceiver *) self;

	/*
	 * Who reads them takes their types for granted: what an operator of the
	 * owner's returns may be another's.
	 */
	if (r->desc)
		(void) convert_tuples_by_position(desc, r->desc, "the query gives a column of another type than the function");
	r->inner->rStartup(r->inner, operation, desc);
}

static bool
StoreRow(TupleTableSlot *slot, DestReceiver *self)
{
	StoreReceiver *r = (StoreReceiver *) self;
	bool		more;

	if (r->scan)
		r->scan->storing = true;
	more = r->inner->receiveSlot(slot, r->inner);
	if (r->scan)
		r->scan->storing = false;
	return more;
}

static void
StoreEnd(DestReceiver *self)
{
	DestReceiver *inner = ((StoreReceiver *) self)->inner;

	inner->rShutdown(inner);
}

static DestReceiver *
InitStoreReceiver(StoreReceiver *r, ScanJob *job)
{
	InitReceiver(&r->pub, StoreRow);
	r->pub.rStartup = StoreStart;
	r->pub.rShutdown = StoreEnd;
	r->scan = job->scan;
	r->desc = job->desc;
	r->inner = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(r->inner, job->store, CurrentMemoryContext, true, NULL, NULL);
	return &r->pub;
}

static void
RunScanJob(void *arg)
{
	ScanJob    *job = arg;
	StoreReceiver receiver;
	DestReceiver *dest = InitStoreReceiver(&receiver, job);

	if (job->scan)
		job->scan->storing = false;
	if (job->plan)
	{
		int			ret = QueryExecute(job->query, job->plan, dest);

		if (ret != SPI_OK_SELECT)
			elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(ret));
	}
	else
		(void) QueryRun(job->query, SPI_OK_SELECT, dest);
	receiver.inner->rDestroy(receiver.inner);
}

/* Its rows go to a store, of a function's rows if these are told. */
void
QueryRunInto(BatchQuery *q, Tuplestorestate * store, TupleDesc desc)
{
	ScanJob		job = {q, store, NULL, NULL, desc};

	RunScanJob(&job);
}

/*
 * Parallel workers where their cost pays, however small the heap: bodies that
 * are stored out of line are not counted in its size, but scored all the same.
 * Until the caller's level of settings ends.
 */
void
LetWorkersScan(void)
{
	(void) set_config_option("min_parallel_table_scan_size", "0", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static void
RunWithWorkers(void *arg)
{
	int			nest = NewGUCNestLevel();

	LetWorkersScan();
	RunScanJob(arg);
	AtEOXact_GUC(false, nest);
}

static void
RunWithoutWorkers(void *arg)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("max_parallel_workers_per_gather", "0", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	RunScanJob(arg);
	AtEOXact_GUC(false, nest);
}

/*
 * Is it the scan's own tuplestore that failed?  Where its file could not be
 * written, it does not know what it has: nothing can be added to it, and it
 * can't be emptied for another try.  A value that can't be read to be stored
 * is none of its faults.
 */
static bool
IsOfStore(ErrorData *error, BatchScan *scan)
{
	return scan->storing && !tuplestore_in_memory(scan->store) && error->sqlerrcode != ERRCODE_DATA_CORRUPTED;
}

/* What is read message by message */
typedef struct EachScan
{
	BatchScan  *scan;
	SPIPlanPtr	plan;			/* of the query about a key without nulls, or
								 * NULL */
} EachScan;

/* The message of one row of keys, whose columns come twice: as the view's, and cast */
static void
ScanOne(EachScan *each, TupleTableSlot *keys)
{
	BatchScan  *scan = each->scan;
	Source	   *s = scan->source;
	BatchQuery	q;
	ScanJob		job = {&q, scan->store, NULL, scan, NULL};
	bool		any_null = false;
	Datum	   *key = palloc(s->nkeys * sizeof(Datum));
	bool	   *nulls = palloc(s->nkeys * sizeof(bool));
	ErrorData  *error;

	QueryStart(&q);
	q.read_only = scan->read_only;
	scan->columns(scan, &q);
	scan->scores(scan, &q);
	QueryAdd(&q, " FROM %s %s WHERE true", s->id->signals_name, s->alias);
	for (int i = 0; i < s->nkeys; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(keys, 2 * i + 1, &isnull);

		any_null |= isnull;
		QueryAdd(&q, " AND %s.%s %s ", s->alias, s->keys[i], isnull ? KEY_IS_NULL :
				 KeyOperator(s->key_types[i], s->key_types[i], BTEqualStrategyNumber));
		if (!isnull)
			QueryValue(&q, s->key_types[i], value);
		key[i] = slot_getattr(keys, 2 * i + 2, &nulls[i]);
	}
	QueryAdd(&q, " LIMIT 1) s");

	/* The text is the same each time, unless a null is in the key. */
	if (each->plan == NULL && !any_null)
	{
		each->plan = SPI_prepare(q.sql.data, q.nparams, q.types);
		if (each->plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	}
	job.plan = any_null ? NULL : each->plan;
	error = RunProtected(RunScanJob, &job);
	if (error && IsOfStore(error, scan))
		ReThrowError(error);
	if (error)
	{
		char		sqlstate[6];

		strlcpy(sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(sqlstate));
		if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE && scan->denied++ == 0)
			strlcpy(scan->denied_why, error->message, pg_mbcliplen(error->message, strlen(error->message), sizeof(scan->denied_why) - 1) + 1);
		scan->unreadable(scan, key, nulls, sqlstate);
	}
}

/*
 * Run a query of keys that names its messages by AddFrom(): where the signals
 * view can't even tell which there are, since it fails for one of them before
 * its key is chosen, their tables tell.  Where these can't either, the view's
 * error is what counts.
 */
void
RunKeys(Source *s, void (*run) (void *arg), void *arg)
{
	ErrorData  *error = RunProtected(run, arg);
	ErrorData  *again;

	if (error == NULL)
		return;
	s->keys_from = s->tables ? s->tables(s) : NULL;
	if (s->keys_from == NULL)
		ReThrowError(error);
	again = RunProtected(run, arg);
	s->keys_from = NULL;
	if (again)
		ReThrowError(error);
	FreeErrorData(error);
}

/* The keys of a scan's messages, each as the view has it and cast, to a tuplestore */
typedef struct KeysJob
{
	BatchScan  *scan;
	Tuplestorestate *keys;
} KeysJob;

static void
RunKeysJob(void *arg)
{
	KeysJob    *job = arg;
	BatchScan  *scan = job->scan;
	Source	   *s = scan->source;
	BatchQuery	q;

	QueryStart(&q);
	q.read_only = scan->read_only;
	QueryAdd(&q, "SELECT ");
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(&q, "%s%s.%s, %s.%s::%s", i > 0 ? ", " : "", s->alias, s->keys[i],
				 s->alias, s->keys[i], CastName(scan->key_types[i]));
	scan->where(scan, &q);
	/* Those of an attempt that failed */
	tuplestore_clear(job->keys);
	QueryRunInto(&q, job->keys, NULL);
}

static TupleDesc
KeysDesc(BatchScan *scan)
{
	Source	   *s = scan->source;
	TupleDesc	desc = CreateTemplateTupleDesc(2 * s->nkeys);

	for (int i = 0; i < s->nkeys; i++)
	{
		TupleDescInitEntry(desc, 2 * i + 1, NULL, s->key_types[i], -1, 0);
		TupleDescInitEntry(desc, 2 * i + 2, NULL, scan->key_types[i], -1, 0);
	}
	return desc;
}

/* The messages one by one, each in a subtransaction */
static void
ScanEach(BatchScan *scan)
{
	EachScan	each = {scan, NULL};
	KeysJob		job = {scan, tuplestore_begin_heap(false, false, work_mem)};
	TupleTableSlot *slot = MakeSingleTupleTableSlot(KeysDesc(scan), &TTSOpsMinimalTuple);
	MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay scan row",
												  ALLOCSET_DEFAULT_SIZES);

	RunKeys(scan->source, RunKeysJob, &job);
	scan->one = true;
	while (tuplestore_gettupleslot(job.keys, true, false, slot))
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(per_row);
		old = MemoryContextSwitchTo(per_row);
		ScanOne(&each, slot);
		MemoryContextSwitchTo(old);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(job.keys);
	MemoryContextDelete(per_row);
	if (each.plan)
		SPI_freeplan(each.plan);
}

/* The query of all messages of a scan */
void
AddScanQuery(BatchScan *scan, BatchQuery *q)
{
	scan->columns(scan, q);
	if (!scan->source->distributed)
		scan->scores(scan, q);
	scan->where(scan, q);
	/* OFFSET 0: each row is scored once, whatever is taken of the result. */
	if (scan->source->distributed)
	{
		QueryAdd(q, ") %s", scan->source->alias);
		scan->scores(scan, q);
	}
	else
		QueryAdd(q, " OFFSET 0) s");
	if (scan->joined)
		scan->joined(scan, q);
}

static void
ExplainDistributed(void *arg)
{
	errcontext("scores over distributed signals view %s, where a message that can't be read ends the query",
			   ((Source *) arg)->id->signals_name);
}

/* What fails on another server is nothing to begin again from. */
static void
RunDistributed(BatchScan *scan, ScanJob *job)
{
	ErrorContextCallback callback = {error_context_stack, ExplainDistributed, scan->source};

	error_context_stack = &callback;
	RunScanJob(job);
	error_context_stack = callback.previous;
}

/*
 * Score all messages of a scan into its tuplestore, which is empty.  SPI is
 * connected, and the policy's owner is entered.
 */
void
RunScan(BatchScan *scan)
{
	BatchQuery	q;
	ScanJob		job = {&q, scan->store, NULL, scan, NULL};
	ErrorData  *error;

	QueryStart(&q);
	q.read_only = scan->read_only;
	AddScanQuery(scan, &q);
	if (scan->source->distributed)
	{
		RunDistributed(scan, &job);
		return;
	}
	if (scan->raise_errors || !CanProtect())
	{
		RunWithWorkers(&job);
		return;
	}
	if (!scan->serial)
	{
		error = RunProtected(RunWithWorkers, &job);
		if (error == NULL)
			return;
		if (IsOfStore(error, scan))
			ReThrowError(error);
		FreeErrorData(error);
		tuplestore_clear(scan->store);
		scan->serial = true;
	}
	error = RunProtected(RunWithoutWorkers, &job);
	if (error == NULL)
		return;
	/* What can't be read of a log is of nobody's making but ours. */
	if (scan->source->logged || IsOfStore(error, scan))
		ReThrowError(error);
	FreeErrorData(error);
	tuplestore_clear(scan->store);
	ScanEach(scan);
}

/* What a revision makes of a message whose signals can't be read */
void
DecideUnread(Source *s, int revision, bool drafts, const char *sqlstate,
			 PolicyDecision *decision, const char **verdict)
{
	PolicyEntry *entry = PolicyGet(s->policy, revision, drafts, NULL, InvalidOid,
								   CurrentMemoryContext);

	DecideWithoutRow(entry->policy, sqlstate, decision);
	*verdict = pstrdup(entry->policy->verdicts[decision->verdict]);
}

/* check_span(since, until): CheckSpan() for SQL, where neither may be null */
PG_FUNCTION_INFO_V1(assay_check_span);
Datum
assay_check_span(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("since and until must not be null")));
	CheckSpan(PG_GETARG_TIMESTAMPTZ(0), PG_GETARG_TIMESTAMPTZ(1));
	PG_RETURN_VOID();
}
