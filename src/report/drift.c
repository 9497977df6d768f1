/*
 * drift.c
 *		Signals that move over time, and signals that are not what they were
 *		when a message was decided.
 *
 * Both take messages as jsonb, one value a signal, so that one query serves
 * every type; and no more than a sample, whose members a hash of the key
 * chooses: the same each time.
 */
#include "postgres.h"

#include "access/relation.h"
#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Messages that signal_costs() reads at most, and how often */
#define COST_MESSAGES_MAX	100000
#define COST_ROUNDS			3

/* Names of the key's columns, as an array of texts */
static Datum
KeyNames(Source *s)
{
	Datum	   *names = palloc(s->nkeys * sizeof(Datum));
	ListCell   *lc;

	foreach(lc, s->id->key)
		names[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(names, s->nkeys, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Is there a logged message of the time? */
static bool
AnyLogged(Source *s, Datum since, Datum until)
{
	BatchQuery	q;
	Security	security;
	bool		any;

	if (!SourceHasLog(s))
		return false;
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT FROM %s d WHERE d.signals IS NOT NULL AND d.decided_at >= ", s->id->decision_name);
	QueryValue(&q, TIMESTAMPTZOID, since);
	QueryAdd(&q, " AND d.decided_at < ");
	QueryValue(&q, TIMESTAMPTZOID, until);
	QueryAdd(&q, " LIMIT 1");
	EnterSource(&security, s);
	any = QueryRun(&q, SPI_OK_SELECT, NULL) > 0;
	LeaveSecurity(&security);
	return any;
}

/* ORDER BY a hash of the key LIMIT sample */
static void
AddSample(BatchQuery *q, Source *s, const char *alias, Datum sample)
{
	QueryAdd(q, " ORDER BY pg_catalog.hashtextextended(");
	AddKeyArray(q, s, alias);
	QueryAdd(q, "::pg_catalog.text, 0) LIMIT ");
	QueryValue(q, INT4OID, sample);
}

/* Messages of a time as "j", by logged signals or by the view */
static void
AddMessages(BatchQuery *q, Source *s, bool logged, Datum since, Datum until, Datum sample)
{
	const char *alias = logged ? "d" : s->alias;
	const char *time = logged ? "d.decided_at" : s->time;

	if (logged)
		QueryAdd(q, "SELECT assay.signals_to_jsonb(x.signals) AS j FROM (SELECT d.signals FROM %s d WHERE d.signals IS NOT NULL AND ",
				 s->id->decision_name);
	else
		QueryAdd(q, "SELECT assay_internal.plain_jsonb(x.%s) AS j FROM (SELECT %s FROM %s %s WHERE ", s->alias, s->alias,
				 s->id->signals_name, s->alias);
	QueryAdd(q, "%s >= ", time);
	QueryValue(q, TIMESTAMPTZOID, since);
	QueryAdd(q, " AND %s < ", time);
	QueryValue(q, TIMESTAMPTZOID, until);
	AddSample(q, s, alias, sample);
	QueryAdd(q, ") x");
}

/*
 * signal_values(policy, reference, since, until, at, signals, sample): values
 * of the messages from "reference" to "since", and from there to "until"
 */
PG_FUNCTION_INFO_V1(assay_signal_values);
Datum
assay_signal_values(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	SignalsFrom from;
	char	   *at;
	bool		logged;

	for (int i = 0; i < 7; i++)
		if (i != 4 && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("no argument may be null but the column of times")));
	at = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	from = ParseSignalsFrom(text_to_cstring(PG_GETARG_TEXT_PP(5)));
	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	CheckSourceLog(&s, from);
	SPI_connect();
	logged = from == SIGNALS_LOGGED ||
		(from == SIGNALS_AUTO && AnyLogged(&s, PG_GETARG_DATUM(1), PG_GETARG_DATUM(3)));
	if (!logged)
		InitSource(&s, s.policy, PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(3), at, true);
	QueryStart(&q);
	QueryAdd(&q, "SELECT r.recent, e.key, e.value FROM (SELECT true AS recent, n.j FROM (");
	AddMessages(&q, &s, logged, PG_GETARG_DATUM(2), PG_GETARG_DATUM(3), PG_GETARG_DATUM(6));
	QueryAdd(&q, ") n UNION ALL SELECT false, o.j FROM (");
	AddMessages(&q, &s, logged, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(6));
	QueryAdd(&q, ") o) r, pg_catalog.jsonb_each(r.j) e WHERE e.key <> ALL (");
	QueryValue(&q, TEXTARRAYOID, KeyNames(&s));
	QueryAdd(&q, ")");
	return RunReport(fcinfo, &s, &q);
}

/*
 * skewed_signals(policy, since, until, sample): of messages decided in a time,
 * signal by signal, what was logged beside what the view has now
 */
PG_FUNCTION_INFO_V1(assay_skewed_signals);
Datum
assay_skewed_signals(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), DT_NOBEGIN, DT_NOEND, NULL, true);
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	CheckSourceLog(&s, SIGNALS_LOGGED);
	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "SELECT e.key, pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE e.differs), "
			 "pg_catalog.avg((CASE WHEN pg_catalog.jsonb_typeof(e.now) = 'number' AND pg_catalog.jsonb_typeof(e.value) = 'number' "
			 "THEN assay_internal.drift_number(e.now::pg_catalog.numeric) - assay_internal.drift_number(e.value::pg_catalog.numeric) END)) FILTER (WHERE e.differs), "
			 "(pg_catalog.array_agg(e.message ORDER BY e.message) FILTER (WHERE e.differs))[1] FROM ("
			 "SELECT l.key, l.value, r.now -> l.key AS now, r.message, r.now -> l.key IS DISTINCT FROM l.value AS differs FROM (SELECT ");
	AddKeyArray(&q, &s, "x");
	QueryAdd(&q, "::pg_catalog.text AS message, assay.signals_to_jsonb(x.signals) AS names, "
			 "assay_internal.plain_signals_jsonb(NULL::%s, x.signals) AS logged, assay_internal.plain_jsonb(%s) AS now FROM (SELECT ",
			 s.id->signals_name, s.alias);
	AddKeys(&q, &s, "d", "");
	QueryAdd(&q, ", d.signals FROM %s d WHERE d.decided_at >= ", s.id->decision_name);
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(1));
	QueryAdd(&q, " AND d.decided_at < ");
	QueryValue(&q, TIMESTAMPTZOID, PG_GETARG_DATUM(2));
	QueryAdd(&q, " AND ");
	AddLatestLogged(&q, &s);
	AddSample(&q, &s, "d", PG_GETARG_DATUM(3));
	QueryAdd(&q, ") x JOIN %s %s ON ", s.id->signals_name, s.alias);
	AddSameKey(&q, &s, s.alias, "x");
	/* The whole row is made once, not again for each of its signals. */
	QueryAdd(&q, " OFFSET 0) r, pg_catalog.jsonb_each(r.logged) l WHERE pg_catalog.jsonb_exists(r.names, l.key) AND pg_catalog.jsonb_exists(r.now, l.key)) e GROUP BY 1");
	return RunReport(fcinfo, &s, &q);
}

/* Milliseconds that a query takes, the least of some rounds; as who asks or the owner */
static double
LeastTime(Source *s, BatchQuery *q)
{
	double		least = 0;

	for (int i = 0; i < COST_ROUNDS; i++)
	{
		Security	security;
		instr_time	start;
		instr_time	end;

		CHECK_FOR_INTERRUPTS();
		EnterSource(&security, s);
		INSTR_TIME_SET_CURRENT(start);
		(void) QueryRun(q, SPI_OK_SELECT, NULL);
		INSTR_TIME_SET_CURRENT(end);
		LeaveSecurity(&security);
		SPI_freetuptable(SPI_tuptable);
		INSTR_TIME_SUBTRACT(end, start);
		if (i == 0 || INSTR_TIME_GET_MILLISEC(end) < least)
			least = INSTR_TIME_GET_MILLISEC(end);
	}
	return least;
}

/* Count a column of so many messages of the view: the key's, or another beside it */
static void
ColumnQuery(BatchQuery *q, Source *s, const char *column, int32 messages)
{
	QueryStart(q);
	q->read_only = true;
	QueryAdd(q, "SELECT pg_catalog.count(x.a), pg_catalog.count(x.b) FROM (SELECT %s.%s AS a, %s.%s AS b FROM %s %s LIMIT ",
			 s->alias, s->keys[0], s->alias, quote_identifier(column), s->id->signals_name, s->alias);
	QueryValue(q, INT4OID, Int32GetDatum(messages));
	QueryAdd(q, ") x");
}

/* How many messages the view has, up to a number */
static int64
CountMessages(Source *s, int32 messages)
{
	BatchQuery	q;
	Security	security;
	bool		isnull;
	int64		n;

	ColumnQuery(&q, s, linitial(s->id->key), messages);
	EnterSource(&security, s);
	(void) QueryRun(&q, SPI_OK_SELECT, NULL);
	LeaveSecurity(&security);
	n = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return n;
}

/* signal_costs(policy, messages): what each column of the view costs beside the key, in microseconds a message */
PG_FUNCTION_INFO_V1(assay_signal_costs);
Datum
assay_signal_costs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int32		messages = PG_GETARG_INT32(1);
	Source		s;
	BatchQuery	q;
	Relation	rel;
	TupleDesc	desc;
	int64		n;
	double		base;

	if (messages < 1 || messages > COST_MESSAGES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("messages must be between 1 and %d", COST_MESSAGES_MAX)));
	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), DT_NOBEGIN, DT_NOEND, NULL, true);
	InitMaterializedSRF(fcinfo, 0);
	rel = relation_open(s.id->signals, AccessShareLock);
	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	relation_close(rel, AccessShareLock);
	SPI_connect();
	n = CountMessages(&s, messages);
	ColumnQuery(&q, &s, linitial(s.id->key), messages);
	base = LeastTime(&s, &q);
	for (int i = 0; i < desc->natts && n > 0; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Datum		values[2];
		bool		nulls[2] = {0};

		if (att->attisdropped)
			continue;
		ColumnQuery(&q, &s, NameStr(att->attname), messages);
		values[0] = CStringGetTextDatum(NameStr(att->attname));
		values[1] = Float8GetDatum(Max(LeastTime(&s, &q) - base, 0) * 1000 / n);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
