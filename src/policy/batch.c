/*
 * batch.c
 *		A policy over many stored messages: replay(), replay_pair(), and what
 *		backfill() shares with them.
 *
 * All of them make one query over the signals view, run it as the policy's
 * owner in a restricted context, as the trigger does, and score each row by
 * assay.score(), so that there is one evaluator.  Where something fails, the
 * query runs again without parallel workers, since before PostgreSQL 17 an
 * error can't be recovered from in these; there it costs the detector only.
 * Where that fails too, the signals view does, for some message: then they are
 * read one by one, and what can't be read is scored by the prior alone.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "access/relation.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "protect.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

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

/* The name of a type for a cast that keeps the value: character would cut it */
char	   *
CastName(Oid type)
{
	return format_type_extended(type, -1,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* Append a value, as $n::type */
void
QueryValue(BatchQuery *q, Oid type, Datum value)
{
	if (q->nparams >= BATCH_PARAMS_MAX)
		elog(ERROR, "too many parameters");
	q->types[q->nparams] = type;
	q->values[q->nparams] = value;
	q->nparams++;
	QueryAdd(q, "$%d::%s", q->nparams, CastName(type));
}

static ParamListInfo
QueryParams(BatchQuery *q)
{
	ParamListInfo params = makeParamList(q->nparams);

	for (int i = 0; i < q->nparams; i++)
	{
		params->params[i].value = q->values[i];
		params->params[i].isnull = false;
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = q->types[i];
	}
	return params;
}

/* Run it; rows go to dest or, for NULL, to SPI_tuptable */
uint64
QueryRun(BatchQuery *q, int expected, DestReceiver *dest)
{
	SPIExecuteOptions options = {0};
	int			ret;

	options.params = QueryParams(q);
	options.read_only = q->read_only;
	options.dest = dest;
	ret = SPI_execute_extended(q->sql.data, &options);
	if (ret != expected)
		elog(ERROR, "SPI_execute_extended failed: %s", SPI_result_code_string(ret));
	return SPI_processed;
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
}

/*
 * Who may act as the owner, may run its policy over its messages; so may, to
 * look only, who reads both the signals and the decisions.
 */
static void
CheckMayRun(Source *s, Oid view, bool look)
{
	if (has_privs_of_role(GetUserId(), s->id->owner))
		return;
	if (look && pg_class_aclcheck(view, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		OidIsValid(s->decision) &&
		pg_class_aclcheck(s->decision, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for policy \"%s\"", s->policy),
			 look ?
			 errhint("It takes membership in the policy's owner, or SELECT on both %s and %s.",
					 s->id->signals_name, s->id->decision_name) :
			 errhint("It takes membership in the policy's owner.")));
}

void
InitSource(Source *s, const char *policy, TimestampTz since, TimestampTz until,
		   const char *at, bool look)
{
	Oid			view;
	ListCell   *lc;

	memset(s, 0, sizeof(Source));
	s->policy = policy;
	s->id = PolicyIdentify(policy);
	s->decision = RelationByName(s->id->decision_name);
	s->since = since;
	s->until = until;
	view = RelationByName(s->id->signals_name);
	s->view = view;
	CheckMayRun(s, view, look);
	if (!OidIsValid(view))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("signals view %s of policy \"%s\" does not exist",
						s->id->signals_name, policy)));
	if (at)
		CheckAt(s, view, at);
	else if (!TIMESTAMP_NOT_FINITE(since) || !TIMESTAMP_NOT_FINITE(until))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("since and until need a column of times"),
				 errhint("Name it, as in at => 'received_at'.")));

	s->keys = palloc(list_length(s->id->key) * sizeof(char *));
	s->key_types = palloc(list_length(s->id->key) * sizeof(Oid));
	foreach(lc, s->id->key)
	{
		Oid			type = get_atttype(view, get_attnum(view, lfirst(lc)));

		if (!OidIsValid(type))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("signals view %s has no key column \"%s\"",
							s->id->signals_name, (char *) lfirst(lc))));
		s->keys[s->nkeys] = quote_identifier(lfirst(lc));
		s->key_types[s->nkeys++] = type;
	}
}

/* v."a", v."b" with something before and behind each */
void
AddKeys(BatchQuery *q, Source *s, const char *before, const char *behind)
{
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%s%s%s%s", i > 0 ? ", " : "", before, s->keys[i], behind);
}

/* WHERE true AND ... : messages of the time that is asked for */
void
AddTimes(BatchQuery *q, Source *s)
{
	QueryAdd(q, " WHERE true");
	if (s->at && !TIMESTAMP_NOT_FINITE(s->since))
	{
		QueryAdd(q, " AND v.%s >= ", s->at);
		QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(s->since));
	}
	if (s->at && !TIMESTAMP_NOT_FINITE(s->until))
	{
		QueryAdd(q, " AND v.%s < ", s->at);
		QueryValue(q, TIMESTAMPTZOID, TimestampTzGetDatum(s->until));
	}
	/* Nothing lies before the beginning, or begins at the end. */
	if (TIMESTAMP_IS_NOEND(s->since) || TIMESTAMP_IS_NOBEGIN(s->until))
		QueryAdd(q, " AND false");
}

/* , assay.score(...) AS name: as of now, or of the time of the message */
void
AddScore(BatchQuery *q, Source *s, int revision, bool drafts, bool at_its_time,
		 const char *name)
{
	QueryAdd(q, ", assay.score(");
	QueryValue(q, TEXTOID, CStringGetTextDatum(s->policy));
	QueryAdd(q, ", v, ");
	QueryValue(q, INT4OID, Int32GetDatum(revision));
	if (at_its_time && s->at)
		QueryAdd(q, ", v.%s, ", s->at);
	else
		QueryAdd(q, ", NULL, ");
	QueryValue(q, BOOLOID, BoolGetDatum(drafts));
	QueryAdd(q, ") AS %s", name);
}

/*
 * Does the revision (0: the current one, whose number it tells) raise errors?
 */
bool
ReadRevision(Source *s, int revision, int *found)
{
	PolicySecurity security;
	BatchQuery	q;
	bool		isnull;
	bool		raise_errors;

	PolicyEnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT revision, on_error = 'raise' FROM assay.revision WHERE policy = ");
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
	PolicyLeave(&security);
	return raise_errors;
}

/*
 * Scan
 */

/* A query whose rows go to a tuplestore, perhaps in a subtransaction */
typedef struct QueryJob
{
	BatchQuery *query;
	Tuplestorestate *store;
	SPIPlanPtr	plan;			/* made of the query's text, or NULL */
} QueryJob;

static void
RunQueryJob(void *arg)
{
	QueryJob   *job = arg;
	DestReceiver *dest = CreateDestReceiver(DestTuplestore);

	SetTuplestoreDestReceiverParams(dest, job->store, CurrentMemoryContext, true,
									NULL, NULL);
	if (job->plan)
	{
		SPIExecuteOptions options = {0};
		int			ret;

		options.params = QueryParams(job->query);
		options.read_only = job->query->read_only;
		options.dest = dest;
		ret = SPI_execute_plan_extended(job->plan, &options);
		if (ret != SPI_OK_SELECT)
			elog(ERROR, "SPI_execute_plan_extended failed: %s", SPI_result_code_string(ret));
	}
	else
		(void) QueryRun(job->query, SPI_OK_SELECT, dest);
	dest->rDestroy(dest);
}

static void
RunWithoutWorkers(void *arg)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("max_parallel_workers_per_gather", "0", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	RunQueryJob(arg);
	AtEOXact_GUC(false, nest);
}

/* The messages one by one, each in a subtransaction */
static void
ScanEach(BatchScan *scan)
{
	Source	   *s = scan->source;
	BatchQuery	q;
	SPITupleTable *keys;
	SPIPlanPtr	plan = NULL;
	uint64		n;
	MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay scan row",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;

	QueryStart(&q);
	q.read_only = scan->read_only;
	QueryAdd(&q, "SELECT ");
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(&q, "%sv.%s, v.%s::%s", i > 0 ? ", " : "", s->keys[i], s->keys[i],
				 CastName(scan->key_types[i]));
	scan->where(scan, &q);
	n = QueryRun(&q, SPI_OK_SELECT, NULL);
	keys = SPI_tuptable;
	old = MemoryContextSwitchTo(per_row);
	for (uint64 row = 0; row < n; row++)
	{
		QueryJob	job = {&q, scan->store, NULL};
		bool		any_null = false;
		Datum	   *key;
		ErrorData  *error;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(per_row);
		key = palloc(s->nkeys * sizeof(Datum));
		QueryStart(&q);
		q.read_only = scan->read_only;
		scan->columns(scan, &q);
		QueryAdd(&q, " FROM %s v WHERE true", s->id->signals_name);
		for (int i = 0; i < s->nkeys; i++)
		{
			bool		isnull;
			Datum		value = SPI_getbinval(keys->vals[row], keys->tupdesc, 2 * i + 1, &isnull);

			any_null |= isnull;
			QueryAdd(&q, " AND v.%s %s ", s->keys[i], isnull ? "IS NULL" : "=");
			if (!isnull)
				QueryValue(&q, s->key_types[i], value);
			key[i] = SPI_getbinval(keys->vals[row], keys->tupdesc, 2 * i + 2, &isnull);
			if (isnull)
				key[i] = (Datum) 0;
		}
		QueryAdd(&q, " LIMIT 1) s");

		/* The text is the same each time, unless a null is in the key. */
		if (plan == NULL && !any_null)
		{
			plan = SPI_prepare(q.sql.data, q.nparams, q.types);
			if (plan == NULL)
				elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		}
		job.plan = any_null ? NULL : plan;
		error = RunProtected(RunQueryJob, &job);
		if (error)
		{
			char		sqlstate[6];

			strlcpy(sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(sqlstate));
			scan->unreadable(scan, key, sqlstate);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(per_row);
	if (plan)
		SPI_freeplan(plan);
	SPI_freetuptable(keys);
}

/*
 * Score all messages of a scan into its tuplestore, which is empty.  SPI is
 * connected, and the policy's owner is entered.
 */
void
RunScan(BatchScan *scan)
{
	BatchQuery	q;
	QueryJob	job = {&q, scan->store, NULL};
	ErrorData  *error;

	QueryStart(&q);
	q.read_only = scan->read_only;
	scan->columns(scan, &q);
	scan->where(scan, &q);
	/* OFFSET 0: each row is scored once, whatever is taken of the result. */
	QueryAdd(&q, " OFFSET 0) s");
	if (scan->raise_errors || !CanProtect())
	{
		RunQueryJob(&job);
		return;
	}
	if (!scan->serial)
	{
		error = RunProtected(RunQueryJob, &job);
		if (error == NULL)
			return;
		FreeErrorData(error);
		tuplestore_clear(scan->store);
		scan->serial = true;
	}
	error = RunProtected(RunWithoutWorkers, &job);
	if (error == NULL)
		return;
	FreeErrorData(error);
	tuplestore_clear(scan->store);
	ScanEach(scan);
}

/*
 * What a revision makes of a message whose signals can't be read
 */
void
NoSignals(Source *s, int revision, bool drafts, const char *sqlstate,
		  PolicyDecision *decision, const char **verdict)
{
	Relation	rel = relation_open(s->view, AccessShareLock);
	CompiledPolicy *p = PolicyGet(s->policy, revision, drafts, RelationGetDescr(rel),
								  InvalidOid);

	PolicyNoSignals(p, sqlstate, decision);
	*verdict = p->verdicts[decision->verdict];
	relation_close(rel, AccessShareLock);
}

/*
 * replay(policy, since, until, revision, drafts, at) and
 * replay_pair(policy, revision_a, revision_b, since, until, drafts, at)
 */
typedef struct Replay
{
	BatchScan	scan;			/* must be first */
	TupleDesc	desc;
	int			nrevisions;
	int			revisions[2];	/* 0: the current one */
	bool		drafts;			/* of the last revision */
} Replay;

static void
ReplayColumns(BatchScan *scan, BatchQuery *q)
{
	Replay	   *r = (Replay *) scan;

	QueryAdd(q, r->nrevisions == 1 ?
			 "SELECT s.key, (s.a).verdict, (s.a).score, (s.a).attribution FROM (SELECT ARRAY[" :
			 "SELECT s.key, (s.a).verdict, (s.b).verdict, (s.a).score, (s.b).score FROM (SELECT ARRAY[");
	AddKeys(q, scan->source, "v.", "::pg_catalog.text");
	QueryAdd(q, "] AS key");
	for (int i = 0; i < r->nrevisions; i++)
		AddScore(q, scan->source, r->revisions[i], r->drafts && i == r->nrevisions - 1, true,
				 i == 0 ? "a" : "b");
}

static void
ReplayWhere(BatchScan *scan, BatchQuery *q)
{
	QueryAdd(q, " FROM %s v", scan->source->id->signals_name);
	AddTimes(q, scan->source);
}

static void
ReplayUnreadable(BatchScan *scan, Datum *key, const char *sqlstate)
{
	Replay	   *r = (Replay *) scan;
	int			n = scan->source->nkeys;
	bool	   *missing = palloc(n * sizeof(bool));
	int			dims[] = {n};
	int			lower[] = {1};
	bool		nulls[5] = {0};
	Datum		values[5];

	for (int i = 0; i < n; i++)
		missing[i] = key[i] == (Datum) 0;
	values[0] = PointerGetDatum(construct_md_array(key, missing, 1, dims, lower, TEXTOID, -1,
												   false, TYPALIGN_INT));
	for (int i = 0; i < r->nrevisions; i++)
	{
		PolicyDecision decision;
		const char *verdict;

		NoSignals(scan->source, r->revisions[i], r->drafts && i == r->nrevisions - 1, sqlstate,
				  &decision, &verdict);
		values[1 + i] = CStringGetTextDatum(verdict);
		values[1 + r->nrevisions + i] = Float4GetDatum((float4) decision.score);
		if (r->nrevisions == 1)
			values[3] = PointerGetDatum(decision.attribution);
	}
	tuplestore_putvalues(scan->store, r->desc, values, nulls);
}

static void
RefuseNull(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

/* since is argument number "arg", until the next; drafts and at follow "rest" */
static void
RunReplay(FunctionCallInfo fcinfo, Replay *r, int arg, int rest)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Source		s;
	PolicySecurity security;

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, arg, "since");
	RefuseNull(fcinfo, arg + 1, "until");
	r->drafts = !PG_ARGISNULL(rest) && PG_GETARG_BOOL(rest);
	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(arg),
			   PG_GETARG_TIMESTAMPTZ(arg + 1),
			   PG_ARGISNULL(rest + 1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(rest + 1)), true);
	InitMaterializedSRF(fcinfo, 0);
	r->desc = result->setDesc;
	r->scan.source = &s;
	r->scan.store = result->setResult;
	r->scan.columns = ReplayColumns;
	r->scan.where = ReplayWhere;
	r->scan.unreadable = ReplayUnreadable;
	/* It is STABLE: it sees what the query that calls it sees. */
	r->scan.read_only = true;
	r->scan.key_types = palloc(s.nkeys * sizeof(Oid));
	for (int i = 0; i < s.nkeys; i++)
		r->scan.key_types[i] = TEXTOID;

	SPI_connect();
	for (int i = 0; i < r->nrevisions; i++)
	{
		int			found;

		r->scan.raise_errors |= ReadRevision(&s, r->revisions[i], &found);
	}
	PolicyEnter(&security, s.id->owner, s.id->search_path, SECURITY_RESTRICTED_OPERATION);
	RunScan(&r->scan);
	PolicyLeave(&security);
	SPI_finish();
}

/*
 * latest_labels(policy) and latest_decision(policy, key): the policy's tables,
 * read as their owner.  What stands there may be a view, or have types whose
 * casts run anything; a superuser must not run it for the asking.
 */
static void
ReadTable(FunctionCallInfo fcinfo, Source *s, const char *table, BatchQuery *q)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	QueryJob	job = {q, NULL, NULL};
	Oid			relid = RelationByName(table);
	PolicySecurity security;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s of policy \"%s\" does not exist", table, s->policy)));
	if (!has_privs_of_role(GetUserId(), s->id->owner) &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s->policy),
				 errhint("It takes membership in the policy's owner, or SELECT on %s.", table)));
	InitMaterializedSRF(fcinfo, 0);
	job.store = result->setResult;
	q->read_only = true;
	PolicyEnter(&security, s->id->owner, s->id->search_path, SECURITY_RESTRICTED_OPERATION);
	RunQueryJob(&job);
	PolicyLeave(&security);
}

/* The keys alone: their columns may have gone from the view. */
static void
InitKeys(Source *s, const char *policy)
{
	ListCell   *lc;

	memset(s, 0, sizeof(Source));
	s->policy = policy;
	s->id = PolicyIdentify(policy);
	s->keys = palloc(list_length(s->id->key) * sizeof(char *));
	foreach(lc, s->id->key)
		s->keys[s->nkeys++] = quote_identifier(lfirst(lc));
}

static char *
LabelTable(Source *s)
{
	PolicySecurity security;
	BatchQuery	q;
	char	   *name;

	PolicyEnterConfiguration(&security);
	QueryStart(&q);
	QueryAdd(&q, "SELECT label FROM assay.policy WHERE policy = ");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	if (QueryRun(&q, SPI_OK_SELECT, NULL) != 1)
		elog(ERROR, "policy \"%s\" vanished", s->policy);
	name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	PolicyLeave(&security);
	return name;
}

PG_FUNCTION_INFO_V1(assay_latest_labels);
Datum
assay_latest_labels(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	char	   *label;

	InitKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	label = LabelTable(&s);
	QueryStart(&q);
	QueryAdd(&q, "SELECT DISTINCT ON (");
	AddKeys(&q, &s, "v.", "");
	QueryAdd(&q, ") ARRAY[");
	AddKeys(&q, &s, "v.", "::pg_catalog.text");
	QueryAdd(&q, "], v.malicious FROM %s v ORDER BY ", label);
	AddKeys(&q, &s, "v.", "");
	QueryAdd(&q, ", v.labelled_at DESC");
	ReadTable(fcinfo, &s, label, &q);
	SPI_finish();
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(assay_latest_decisions);
Datum
assay_latest_decisions(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	InitKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "SELECT DISTINCT ON (");
	AddKeys(&q, &s, "v.", "");
	QueryAdd(&q, ") ARRAY[");
	AddKeys(&q, &s, "v.", "::pg_catalog.text");
	QueryAdd(&q, "], v.revision, v.verdict, v.attribution FROM %s v WHERE v.decided_at >= ",
			 s.id->decision_name);
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	QueryAdd(&q, " AND v.decided_at < ");
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(2));
	QueryAdd(&q, " ORDER BY ");
	AddKeys(&q, &s, "v.", "");
	QueryAdd(&q, ", v.revision DESC");
	ReadTable(fcinfo, &s, s.id->decision_name, &q);
	SPI_finish();
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(assay_latest_decision);
Datum
assay_latest_decision(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	Oid			decision;
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int			i = 0;
	ListCell   *lc;

	InitKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &n);
	if (n != s.nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("policy \"%s\" identifies a message by %d values, not %d", s.policy,
						s.nkeys, n)));
	SPI_connect();
	decision = RelationByName(s.id->decision_name);
	QueryStart(&q);
	QueryAdd(&q, "SELECT v.revision, v.decided_at, v.verdict, v.score, v.attribution FROM %s v WHERE true",
			 s.id->decision_name);
	foreach(lc, s.id->key)
	{
		Oid			type = OidIsValid(decision) ? get_atttype(decision, get_attnum(decision, lfirst(lc))) : InvalidOid;

		QueryAdd(&q, " AND v.%s = ", s.keys[i]);
		if (nulls[i])
			QueryAdd(&q, "NULL");
		else
		{
			QueryValue(&q, TEXTOID, items[i]);
			if (OidIsValid(type))
				QueryAdd(&q, "::%s", CastName(type));
		}
		i++;
	}
	QueryAdd(&q, " ORDER BY v.revision DESC LIMIT 1");
	ReadTable(fcinfo, &s, s.id->decision_name, &q);
	SPI_finish();
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(assay_replay);
Datum
assay_replay(PG_FUNCTION_ARGS)
{
	Replay		r = {.nrevisions = 1};

	r.revisions[0] = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	RunReplay(fcinfo, &r, 1, 4);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(assay_replay_pair);
Datum
assay_replay_pair(PG_FUNCTION_ARGS)
{
	Replay		r = {.nrevisions = 2};

	r.revisions[0] = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	r.revisions[1] = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	RunReplay(fcinfo, &r, 3, 5);
	return (Datum) 0;
}
