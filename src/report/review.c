/*
 * review.c
 *		Messages drawn for review, the reviewers' queue, and what was found:
 *		statements about a policy's table <policy>_review.
 *
 * Like all about a policy's own tables they run as its owner for who may act
 * as that, and for anybody else with rights of one's own.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "miscadmin.h"
#include "plausible.h"
#include "refuse_null.h"
#include "utils/builtins.h"

typedef struct Review
{
	Source		source;
	BatchQuery	query;
	char	   *table;			/* its name, qualified and quoted */
} Review;

/*
 * Begin a statement about the review table of the policy that is the first
 * argument. SPI is connected.
 */
static void
StartReview(FunctionCallInfo fcinfo, Review *r)
{
	r->table = StartBeside(fcinfo, &r->source, &r->query, "review");
	if (r->table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("no messages of policy \"%s\" were drawn for review", r->source.policy),
				 errhint("The policy's owner draws them by assay.review_sample(%s, 1000).", quote_literal_cstr(r->source.policy))));
}

/* Who calls, as the queue knows reviewers */
static void
AddReviewer(BatchQuery *q)
{
	QueryValue(q, TEXTOID, CStringGetTextDatum(GetUserNameFromId(GetUserId(), false)));
}

/* ---- drawing ------------------------------------------------------------- */

/* d: the latest decision of that time about each message, with its stratum and a place in it by chance */
static void
AddPopulation(Review *r, FunctionCallInfo fcinfo)
{
	Source	   *s = &r->source;
	BatchQuery *q = &r->query;
	bool		by_verdict = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(2)), "uniform") == 0;

	QueryAdd(q, "WITH s AS (SELECT ");
	AddKeys(q, s, "v", "");
	QueryAdd(q, ", v.revision::pg_catalog.int4 AS assay_revision, v.verdict::pg_catalog.text AS assay_verdict, v.score::pg_catalog.float4 AS assay_score, ");
	if (PG_ARGISNULL(5))
		QueryAdd(q, "NULL::pg_catalog.bool");
	else
	{
		QueryAdd(q, "assay.hits(v.attribution) OPERATOR(pg_catalog.&&) ");
		QueryValue(q, TEXTARRAYOID, PG_GETARG_DATUM(7));
	}
	QueryAdd(q, " AS assay_hit FROM %s v WHERE ", s->id->decision_name);
	AddLatestDecision(q, s, "v", PG_GETARG_DATUM(3), PG_GETARG_DATUM(4));
	QueryAdd(q, "), d AS MATERIALIZED (SELECT t.*, pg_catalog.row_number() OVER (PARTITION BY t.assay_stratum ORDER BY pg_catalog.random()) AS assay_place "
			 "FROM (SELECT s.*, CASE WHEN s.assay_hit THEN 'hit: ' WHEN NOT s.assay_hit THEN 'not hit: ' ELSE '' END || %s AS assay_stratum FROM s) t)",
			 by_verdict ? "s.assay_verdict" : "assay_internal.score_stratum(s.assay_verdict, s.assay_score)");
}

/*
 * draw_review(policy, n, strategy, since, until, detector, levels, hits): draws
 * from each stratum as many as the strategy says, and tells of each.
 */
PG_FUNCTION_INFO_V1(assay_draw_review);
Datum
assay_draw_review(PG_FUNCTION_ARGS)
{
	Review		r;
	BatchQuery *q = &r.query;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i) && i != 5)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only the detector may be null")));
	}
	StartReview(fcinfo, &r);
	if (r.source.as_caller)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of policy \"%s\"", r.source.policy)));
	AddPopulation(&r, fcinfo);
	QueryAdd(q, ", n AS (SELECT d.assay_stratum AS stratum, pg_catalog.min(d.assay_verdict) AS verdict, pg_catalog.count(*) AS population, "
			 "pg_catalog.avg(d.assay_score::pg_catalog.float8) AS share FROM d GROUP BY 1), "
			 "plan AS (SELECT u.* FROM (SELECT pg_catalog.array_agg(n.stratum ORDER BY n.stratum) AS strata, "
			 "pg_catalog.array_agg(n.population ORDER BY n.stratum) AS populations, assay_internal.review_allocation(");
	QueryValue(q, TEXTOID, PG_GETARG_DATUM(2));
	QueryAdd(q, ", ");
	QueryValue(q, INT4OID, PG_GETARG_DATUM(1));
	QueryAdd(q, ", pg_catalog.array_agg(n.population ORDER BY n.stratum), pg_catalog.array_agg(n.share ORDER BY n.stratum)) AS plan FROM n HAVING pg_catalog.count(*) > 0) a, "
			 "LATERAL ROWS FROM (pg_catalog.unnest(a.strata), pg_catalog.unnest(a.populations), pg_catalog.unnest(a.plan)) "
			 "AS u(stratum, population, drawn)), "
			 "made AS (INSERT INTO %s (", r.table);
	for (int i = 0; i < r.source.nkeys; i++)
		QueryAdd(q, "%s, ", r.source.keys[i]);
	QueryAdd(q, "round, since, until, strategy, detector, stratum, verdict, level, hit, revision, score, population, drawn) SELECT ");
	AddKeys(q, &r.source, "d", "");
	QueryAdd(q, ", coalesce((SELECT pg_catalog.max(o.round) FROM %s o WHERE o.round < 2000000000), 0) + 1, ", r.table);
	QueryValue(q, TIMESTAMPTZOID, PG_GETARG_DATUM(3));
	QueryAdd(q, ", ");
	QueryValue(q, TIMESTAMPTZOID, PG_GETARG_DATUM(4));
	QueryAdd(q, ", ");
	QueryValue(q, TEXTOID, PG_GETARG_DATUM(2));
	QueryAdd(q, ", ");
	if (PG_ARGISNULL(5))
		QueryAdd(q, "NULL");
	else
		QueryValue(q, TEXTOID, PG_GETARG_DATUM(5));
	QueryAdd(q, ", p.stratum, d.assay_verdict, coalesce((");
	QueryValue(q, JSONBOID, PG_GETARG_DATUM(6));
	QueryAdd(q, " ->> d.assay_verdict)::pg_catalog.int4, 0), d.assay_hit, d.assay_revision, d.assay_score, p.population, p.drawn "
			 "FROM d JOIN plan p ON p.stratum = d.assay_stratum WHERE d.assay_place <= p.drawn "
	/* the queue goes by number: in no order that a reviewer could see through */
			 "ORDER BY pg_catalog.random()) SELECT p.stratum, p.population, p.drawn FROM plan p ORDER BY 1");
	return RunStatement(fcinfo, &r.source, &r.query);
}

/* ---- the queue ----------------------------------------------------------- */

/* take_review(policy, n, again_after): the next messages to review, for the caller alone */
PG_FUNCTION_INFO_V1(assay_take_review);
Datum
assay_take_review(PG_FUNCTION_ARGS)
{
	Review		r;
	BatchQuery *q = &r.query;

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, 1, "n");
	RefuseNull(fcinfo, 2, "again_after");
	if (PG_GETARG_INT32(1) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of messages must be positive")));
	StartReview(fcinfo, &r);
	QueryAdd(q, "WITH u AS (UPDATE %s v SET taken_by = ", r.table);
	AddReviewer(q);
	QueryAdd(q, ", taken_at = pg_catalog.clock_timestamp() FROM (SELECT n.review FROM %s n WHERE n.outcome IS NULL AND (n.taken_at IS NULL OR n.taken_at < pg_catalog.clock_timestamp() - ",
			 r.table);
	QueryValue(q, INTERVALOID, PG_GETARG_DATUM(2));
	QueryAdd(q, ") ORDER BY n.review LIMIT ");
	QueryValue(q, INT4OID, PG_GETARG_DATUM(1));
	QueryAdd(q, " FOR UPDATE SKIP LOCKED) n WHERE v.review = n.review RETURNING v.*) SELECT u.review::pg_catalog.int8, ");
	AddKeyArray(q, &r.source, "u");
	QueryAdd(q, ", u.taken_at::pg_catalog.timestamptz FROM u ORDER BY 1");
	return RunStatement(fcinfo, &r.source, &r.query);
}

/* UPDATE of the row that the second argument names, which the caller has taken */
static void
AddOutcome(Review *r, FunctionCallInfo fcinfo, const char *outcome)
{
	BatchQuery *q = &r->query;

	QueryAdd(q, "WITH u AS (UPDATE %s v SET outcome = '%s', reviewed_at = pg_catalog.clock_timestamp() WHERE v.review = ", r->table, outcome);
	QueryValue(q, INT8OID, PG_GETARG_DATUM(1));
	QueryAdd(q, " AND v.outcome IS NULL AND v.taken_by = ");
	AddReviewer(q);
	QueryAdd(q, " RETURNING v.*)");
}

/* Run a statement that selects a row for each message that it was about: one */
static void
RunOutcome(Review *r, FunctionCallInfo fcinfo)
{
	Security	security;
	uint64		n;

	EnterSource(&security, &r->source);
	n = QueryRun(&r->query, SPI_OK_SELECT, NULL);
	LeaveSecurity(&security);
	SPI_finish();
	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("message %lld is not taken for review by you", (long long) PG_GETARG_INT64(1)),
				 errhint("assay.take_review() gives the number; what it gave long ago may be another's by now.")));
}

/* label_review(policy, review, malicious, category, confidence) */
PG_FUNCTION_INFO_V1(assay_label_review);
Datum
assay_label_review(PG_FUNCTION_ARGS)
{
	Review		r;
	BatchQuery *q = &r.query;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		if (PG_ARGISNULL(i) && i != 3)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only the category may be null"),
					 errhint("assay.skip_review() is for messages that can't be told.")));
	}
	StartReview(fcinfo, &r);
	AddOutcome(&r, fcinfo, "labelled");
	QueryAdd(q, ", l AS (INSERT INTO %s (", r.source.id->label_name);
	for (int i = 0; i < r.source.nkeys; i++)
		QueryAdd(q, "%s, ", r.source.keys[i]);
	QueryAdd(q, "malicious, source, labelled_at, author, category, confidence) SELECT ");
	AddKeys(q, &r.source, "u", "");
	QueryAdd(q, ", ");
	QueryValue(q, BOOLOID, PG_GETARG_DATUM(2));
	QueryAdd(q, ", 'review', pg_catalog.clock_timestamp(), ");
	AddReviewer(q);
	QueryAdd(q, ", ");
	if (PG_ARGISNULL(3))
		QueryAdd(q, "NULL");
	else
		QueryValue(q, TEXTOID, PG_GETARG_DATUM(3));
	QueryAdd(q, ", ");
	QueryValue(q, FLOAT4OID, PG_GETARG_DATUM(4));
	QueryAdd(q, " FROM u) SELECT u.review FROM u");
	RunOutcome(&r, fcinfo);
	PG_RETURN_VOID();
}

/* skip_review(policy, review) */
PG_FUNCTION_INFO_V1(assay_skip_review);
Datum
assay_skip_review(PG_FUNCTION_ARGS)
{
	Review		r;

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, 1, "review");
	StartReview(fcinfo, &r);
	AddOutcome(&r, fcinfo, "skipped");
	QueryAdd(&r.query, " SELECT u.review FROM u");
	RunOutcome(&r, fcinfo);
	PG_RETURN_VOID();
}

/* ---- what was found ------------------------------------------------------ */

/* review_counts(policy): of each round's strata, how many were drawn and what reviewers said */
PG_FUNCTION_INFO_V1(assay_review_counts);
Datum
assay_review_counts(PG_FUNCTION_ARGS)
{
	Review		r;
	BatchQuery *q = &r.query;

	StartReview(fcinfo, &r);
	q->read_only = true;
	QueryAdd(q, "SELECT v.round::pg_catalog.int4, v.since::pg_catalog.timestamptz, v.until::pg_catalog.timestamptz, v.strategy::pg_catalog.text, "
			 "v.detector::pg_catalog.text, pg_catalog.min(v.drawn_at::pg_catalog.timestamptz), v.stratum::pg_catalog.text COLLATE \"C\", "
			 "v.verdict::pg_catalog.text, v.level::pg_catalog.int4, v.hit::pg_catalog.bool, "
			 "pg_catalog.max(v.population::pg_catalog.int8), pg_catalog.count(*), "
			 "pg_catalog.count(*) FILTER (WHERE v.outcome = 'labelled' AND l.malicious IS NOT NULL), "
			 "pg_catalog.count(*) FILTER (WHERE v.outcome = 'labelled' AND l.malicious), "
			 "pg_catalog.count(*) FILTER (WHERE v.outcome = 'skipped'), "
			 "pg_catalog.count(*) FILTER (WHERE v.outcome IS NULL AND v.taken_at IS NOT NULL) FROM %s v", r.table);
	AddLabelJoin(q, &r.source, "v");
	QueryAdd(q, " GROUP BY 1, 2, 3, 4, 5, 7, 8, 9, 10 HAVING " PLAUSIBLE_STRATUM("v") " ORDER BY 1, 9 DESC, 7");
	return RunStatement(fcinfo, &r.source, &r.query);
}
