/*
 * label_sources.c
 *		Labels from life: what other mail, lists and programs say of messages
 *		becomes labels of a policy.
 *
 * Each function is one statement: what is said of which message ("n"), whether
 * that was known or is known better ("w"), and the labels that are new.  No
 * label is written behind a better one: of a source that label_order ranks
 * higher or, of the same rank, a surer one.  Baselines and text models go by
 * the latest.
 *
 * All runs as the policy's owner, or with the rights of a caller who may not
 * act as that.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "miscadmin.h"
#include "refuse_null.h"
#include "signals_query.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* A statement that labels messages */
typedef struct Labelling
{
	Source		source;
	BatchQuery	query;
	Oid			relation;		/* that tells of the messages */
	char	   *relation_name;
	bool		by_author;		/* who says it again says nothing new, not:
								 * what says it */
} Labelling;

/* Begin it: arguments are the policy and, as number nth, the relation.  SPI is connected. */
static void
StartLabelling(FunctionCallInfo fcinfo, Labelling *l, int nth)
{
	char	   *name;
	char		kind;

	InitSourceKeys(&l->source, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(&l->source, l->source.id->label, l->source.id->label_name);
	l->relation = PG_GETARG_OID(nth);
	name = get_rel_name(l->relation);
	kind = name ? get_rel_relkind(l->relation) : '\0';
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_VIEW &&
		kind != RELKIND_MATVIEW && kind != RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation %s is not a table or view", name ? quote_identifier(name) : psprintf("%u", l->relation))));
	l->relation_name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(l->relation)), name);
	l->by_author = true;
	SPI_connect();
	QueryStart(&l->query);
}

static bool
HasColumn(Labelling *l, const char *column)
{
	return get_attnum(l->relation, column) > 0;
}

static void
NeedColumn(Labelling *l, const char *column)
{
	if (!HasColumn(l, column))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s has no column \"%s\"", l->relation_name, column),
				 errhint("A view may give it that name.")));
}

/*
 * m."key"::type AS "key", ... : by the types of the policy's tables.  A key that is too
 * long for its column is an error where it is written; so is here one that would be
 * rounded to another's, as what timestamp(0) and numeric(6,2) hold.
 */
static void
AddRelationKeys(Labelling *l)
{
	Source	   *s = &l->source;
	ListCell   *lc;

	foreach(lc, s->id->key)
	{
		int			i = foreach_current_index(lc);
		Oid			type;
		int32		typmod;
		Oid			collation;
		char	   *asked;
		char	   *stored;

		NeedColumn(l, lfirst(lc));
		get_atttypetypmodcoll(s->id->decision, get_attnum(s->id->decision, lfirst(lc)), &type, &typmod, &collation);
		type = getBaseTypeAndTypmod(type, &typmod);
		asked = CastName(type);
		if (typmod < 0 || OidIsValid(collation) || type == BITOID || type == VARBITOID)
		{
			QueryAdd(&l->query, "m.%s::%s AS %s, ", s->keys[i], asked, s->keys[i]);
			continue;
		}
		stored = format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
		QueryAdd(&l->query, "CASE WHEN m.%s::%s %s m.%s::%s THEN m.%s::%s ELSE pg_catalog.concat(m.%s, %s)::%s END AS %s, ",
				 s->keys[i], stored, KeyOperator(type, type, BTEqualStrategyNumber), s->keys[i], asked, s->keys[i], asked,
				 s->keys[i], quote_literal_cstr(psprintf(" is not of type %s", format_type_with_typemod(type, typmod))), asked, s->keys[i]);
	}
}

/* The key is there, each part of it. */
static void
AddKeysThere(Labelling *l)
{
	for (int i = 0; i < l->source.nkeys; i++)
		QueryAdd(&l->query, "%sm.%s " KEY_IS_THERE, i > 0 ? " AND " : "", l->source.keys[i]);
}

/* ---- what is new, and what of it is written ------------------------------- */

/* The rank of alias.source in the policy's order */
static void
AddRank(Labelling *l, Datum order, bool unordered, const char *alias)
{
	if (unordered)
	{
		QueryAdd(&l->query, "0");
		return;
	}
	QueryAdd(&l->query, "coalesce(pg_catalog.array_position(");
	QueryValue(&l->query, TEXTARRAYOID, order);
	QueryAdd(&l->query, ", %s.source::pg_catalog.text), 2147483647)", alias);
}

/* Who said it: a row's source, and author where that tells them apart */
static const char *
SameSpeaker(const Labelling *l)
{
	return l->by_author ? "r.source = o.source AND r.author IS NOT DISTINCT FROM o.author" : "r.source = o.source";
}

/*
 * , t AS (n with its rank, and a moment behind labels that are there), u and o AS (the
 * same, with a moment that is of no other), w AS (what becomes of it: outcome), i AS (the
 * labels that are written).  Two labels of a message can't be of the same
 * moment: a later one of it gets some microseconds more, and so do those that
 * this would meet, in their order.
 */
static void
AddOutcomes(Labelling *l)
{
	Source	   *s = &l->source;
	BatchQuery *q = &l->query;
	bool		unordered;
	Datum		order = LabelOrder(s, &unordered);
	const char *label = s->id->label_name;

	QueryAdd(q, ", t AS (SELECT n.*, coalesce((SELECT pg_catalog.max(r.labelled_at) + interval '1 microsecond' FROM %s r WHERE ", label);
	AddSameKey(q, s, "r", "n");
	QueryAdd(q, " AND r.labelled_at >= n.labelled_at AND r.labelled_at < n.labelled_at + interval '1 ms'), n.labelled_at) AS \"(moment)\", ");
	AddRank(l, order, unordered, "n");
	QueryAdd(q, " AS \"(rank)\" FROM n), u AS (SELECT t.*, pg_catalog.row_number() OVER (PARTITION BY ");
	AddKeys(q, s, "t", "");

	/*
	 * no operator of another's, in the policy's search_path, for int8 and
	 * interval
	 */
	QueryAdd(q, " ORDER BY t.\"(moment)\", t.\"(ord)\")::pg_catalog.float8 * interval '1 microsecond' AS \"(nth)\" FROM t), o AS MATERIALIZED (SELECT u.*, "
			 "pg_catalog.max(u.\"(moment)\" - u.\"(nth)\") OVER (PARTITION BY ");
	AddKeys(q, s, "u", "");
	QueryAdd(q, " ORDER BY u.\"(moment)\", u.\"(ord)\" ROWS UNBOUNDED PRECEDING) + u.\"(nth)\" AS \"(own_moment)\" FROM u), w AS MATERIALIZED (SELECT o.\"(ord)\", ");
	AddKeys(q, s, "o", "");
	QueryAdd(q, ", o.malicious, o.source, o.author, o.confidence, o.category, o.\"(own_moment)\" AS labelled_at, "
			 "CASE WHEN o.\"(outcome)\" IS NOT NULL THEN o.\"(outcome)\" "
			 "WHEN coalesce(pg_catalog.lag(o.malicious) OVER (PARTITION BY o.\"(outcome)\" IS NULL, ");
	AddKeys(q, s, "o", "");
	QueryAdd(q, ", o.source%s ORDER BY o.labelled_at, o.\"(ord)\"), mine.malicious) = o.malicious THEN 'known' "
			 "WHEN pg_catalog.max(o.confidence) OVER (PARTITION BY o.\"(outcome)\" IS NULL, ", l->by_author ? ", o.author" : "");
	AddKeys(q, s, "o", "");
	QueryAdd(q, ", o.\"(rank)\" ORDER BY o.labelled_at, o.\"(ord)\" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) > o.confidence THEN 'surer' "
			 "WHEN pg_catalog.min(o.\"(rank)\") OVER (PARTITION BY o.\"(outcome)\" IS NULL, ");
	AddKeys(q, s, "o", "");
	QueryAdd(q, " ORDER BY o.labelled_at, o.\"(ord)\" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) < o.\"(rank)\" THEN 'surer' "
			 "WHEN best.labelled_at <= o.labelled_at AND (best.\"(rank)\" < o.\"(rank)\" OR (best.\"(rank)\" = o.\"(rank)\" AND best.confidence > o.confidence AND NOT best.same)) THEN 'surer' "
			 "ELSE 'labelled' END AS \"(outcome)\" FROM o "
			 "LEFT JOIN LATERAL (SELECT r.malicious FROM %s r WHERE ", label);
	AddSameKey(q, s, "r", "o");
	QueryAdd(q, " AND %s ORDER BY r.labelled_at DESC LIMIT 1) mine ON o.\"(outcome)\" IS NULL "
			 "LEFT JOIN LATERAL (SELECT r.confidence, r.labelled_at, %s AS same, ", SameSpeaker(l), SameSpeaker(l));
	AddRank(l, order, unordered, "r");
	QueryAdd(q, " AS \"(rank)\" FROM %s r WHERE ", label);
	AddSameKey(q, s, "r", "o");
	QueryAdd(q, " ORDER BY \"(rank)\", r.labelled_at DESC LIMIT 1) best ON o.\"(outcome)\" IS NULL), i AS (INSERT INTO %s (", label);
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%s, ", s->keys[i]);
	QueryAdd(q, "malicious, source, labelled_at, author, confidence, category) SELECT ");
	AddKeys(q, s, "w", "");
	QueryAdd(q, ", w.malicious, w.source, w.labelled_at, w.author, w.confidence, w.category FROM w WHERE w.\"(outcome)\" = 'labelled' "
			 "ORDER BY w.\"(ord)\" ON CONFLICT DO NOTHING RETURNING ");
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(q, "%s, ", s->keys[i]);
	QueryAdd(q, "labelled_at)");
}

/* What became of w: another session may have been quicker */
static void
AddOutcome(Labelling *l)
{
	QueryAdd(&l->query, "CASE WHEN w.\"(outcome)\" = 'labelled' AND NOT EXISTS (SELECT FROM i WHERE i.labelled_at = w.labelled_at AND ");
	AddSameKey(&l->query, &l->source, "i", "w");
	QueryAdd(&l->query, ") THEN 'known' ELSE w.\"(outcome)\" END");
}

/* ---- reports by mail ------------------------------------------------------ */

/* What a report may say: label_sources.sql tells what each means */
static const char report_fields[] = "message_id pg_catalog.text, from_addr pg_catalog.text, recipients pg_catalog.text[], "
"mail_from pg_catalog.text, source_ip pg_catalog.text, arrived_at pg_catalog.timestamptz, malicious pg_catalog.bool, "
"source pg_catalog.text, confidence pg_catalog.float4, category pg_catalog.text, author pg_catalog.text, "
"reported_at pg_catalog.timestamptz";

/* SELECT ... FROM r, messages m: of each report the messages that it may be about, up to where they are told from each other */
static void
AddCandidates(Labelling *l)
{
	BatchQuery *q = &l->query;

	QueryAdd(q, "SELECT r.\"(ord)\", ");
	AddRelationKeys(l);
	QueryAdd(q, "m.received_at::pg_catalog.timestamptz AS \"(at)\", "
			 "r.from_addr IS NULL OR pg_catalog.lower(m.from_addr::pg_catalog.text) IS NOT DISTINCT FROM pg_catalog.lower(r.from_addr) AS \"(sender_fits)\", "
			 "r.recipients IS NULL OR coalesce(m.recipients::pg_catalog.text[] OPERATOR(pg_catalog.&&) r.recipients, false) AS \"(recipient_fits)\" "
			 "FROM r JOIN %s m ON ", l->relation_name);
	AddKeysThere(l);
}

/* c AS (all of them); without a Message-ID, by recipient, sender and time */
static void
AddReported(Labelling *l)
{
	BatchQuery *q = &l->query;
	bool		return_path = HasColumn(l, "return_path");
	bool		relay_ip = HasColumn(l, "relay_ip");

	QueryAdd(q, ", c AS (");
	AddCandidates(l);
	QueryAdd(q, " AND m.message_id = r.message_id AND m.received_at <= r.reported_at");
	if (return_path || relay_ip)
	{
		QueryAdd(q, " UNION ALL ");
		AddCandidates(l);
		QueryAdd(q, " AND r.message_id IS NULL AND r.recipients IS NOT NULL AND m.received_at >= r.arrived_at - interval '5 minutes' "
				 "AND m.received_at <= least(r.arrived_at + interval '5 minutes', r.reported_at) AND (");
		if (return_path)
			QueryAdd(q, "pg_catalog.lower(m.return_path::pg_catalog.text) = pg_catalog.lower(r.mail_from)");
		if (relay_ip)
			QueryAdd(q, "%spg_catalog.host(m.relay_ip::pg_catalog.inet) = r.source_ip", return_path ? " OR " : "");
		QueryAdd(q, ")");
	}
	QueryAdd(q, ")");
}

/* label_reported(policy, messages, reports) */
PG_FUNCTION_INFO_V1(assay_label_reported);
Datum
assay_label_reported(PG_FUNCTION_ARGS)
{
	static const char *const needed[] = {"message_id", "received_at", "from_addr", "recipients"};
	Labelling	l;
	BatchQuery *q = &l.query;
	Source	   *s = &l.source;

	RefuseNull(fcinfo, 0, "policy");
	RefuseNull(fcinfo, 1, "messages");
	/* an aggregate of none */
	if (PG_ARGISNULL(2))
	{
		InitMaterializedSRF(fcinfo, 0);
		return (Datum) 0;
	}
	StartLabelling(fcinfo, &l, 1);
	for (int i = 0; i < lengthof(needed); i++)
		NeedColumn(&l, needed[i]);
	QueryAdd(q, "WITH r AS MATERIALIZED (SELECT x.* FROM ROWS FROM (pg_catalog.jsonb_to_recordset(");
	QueryValue(q, JSONBOID, PG_GETARG_DATUM(2));
	QueryAdd(q, ") AS (%s)) WITH ORDINALITY x(message_id, from_addr, recipients, mail_from, source_ip, arrived_at, malicious, source, "
			 "confidence, category, author, reported_at, \"(ord)\"))", report_fields);
	AddReported(&l);
	/* those that fit come first, then the latest */
	QueryAdd(q, ", b AS (SELECT DISTINCT ON (c.\"(ord)\") c.*, pg_catalog.count(*) FILTER (WHERE c.\"(sender_fits)\" AND c.\"(recipient_fits)\") OVER (PARTITION BY c.\"(ord)\") AS \"(found)\" "
			 "FROM c ORDER BY c.\"(ord)\", (c.\"(sender_fits)\" AND c.\"(recipient_fits)\") DESC, c.\"(sender_fits)\" DESC, c.\"(at)\" DESC), n AS (SELECT r.\"(ord)\", ");
	AddKeys(q, s, "b", "");
	QueryAdd(q, ", r.malicious, r.source, least(r.reported_at, pg_catalog.now()) AS labelled_at, r.author, r.confidence, r.category, "
			 "CASE WHEN r.malicious IS NULL OR coalesce(r.source, '') = '' OR NOT coalesce(r.confidence > 0::pg_catalog.float4 AND r.confidence <= 1::pg_catalog.float4, false) "
			 "OR NOT coalesce(pg_catalog.isfinite(r.reported_at), false) THEN 'invalid' "
			 "WHEN b.\"(ord)\" IS NULL THEN 'unknown' WHEN NOT b.\"(sender_fits)\" THEN 'other sender' WHEN NOT b.\"(recipient_fits)\" THEN 'other recipient' "
			 "WHEN r.message_id IS NULL AND b.\"(found)\" > 1 THEN 'ambiguous' END AS \"(outcome)\" FROM r LEFT JOIN b ON b.\"(ord)\" = r.\"(ord)\")");
	AddOutcomes(&l);
	QueryAdd(q, " SELECT w.\"(ord)\"::pg_catalog.int4, ");
	AddOutcome(&l);
	QueryAdd(q, ", CASE WHEN w.\"(outcome)\" NOT IN ('invalid', 'unknown') THEN ");
	AddKeyArray(q, s, "w");
	QueryAdd(q, " END FROM w ORDER BY w.\"(ord)\"");
	return RunStatement(fcinfo, s, q);
}

/* ---- labels of a view's messages ------------------------------------------ */

/* m.column::type where the relation has it, else what is given */
static void
AddColumnOr(Labelling *l, const char *column, Oid type, Datum given, bool isnull)
{
	if (HasColumn(l, column))
	{
		QueryAdd(&l->query, "m.%s::%s", column, CastName(type));
		return;
	}
	if (isnull)
		QueryAdd(&l->query, "NULL::%s", CastName(type));
	else
		QueryValue(&l->query, type, given);
}

static void
CheckLabelsFrom(FunctionCallInfo fcinfo)
{
	float4		confidence;

	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != 3 && i != 5)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("only malicious and category may be null")));
	confidence = PG_GETARG_FLOAT4(4);
	if (!(confidence > 0 && confidence <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("confidence must be above 0, and 1 at most")));
	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("source must not be empty")));
}

/* labels_from(policy, source, relation, malicious, confidence, category, since) */
PG_FUNCTION_INFO_V1(assay_labels_from);
Datum
assay_labels_from(PG_FUNCTION_ARGS)
{
	Labelling	l;
	BatchQuery *q = &l.query;
	Source	   *s = &l.source;

	CheckLabelsFrom(fcinfo);
	StartLabelling(fcinfo, &l, 2);
	if (PG_ARGISNULL(3))
		NeedColumn(&l, "malicious");
	l.by_author = HasColumn(&l, "author");
	QueryAdd(q, "WITH m AS (SELECT * FROM %s m WHERE ", l.relation_name);
	AddKeysThere(&l);
	if (HasColumn(&l, "labelled_at") && !TIMESTAMP_IS_NOBEGIN(PG_GETARG_TIMESTAMPTZ(6)))
	{
		QueryAdd(q, " AND m.labelled_at >= ");
		QueryValue(q, TIMESTAMPTZOID, PG_GETARG_DATUM(6));
	}
	QueryAdd(q, "), n AS (SELECT pg_catalog.row_number() OVER () AS \"(ord)\", ");
	AddRelationKeys(&l);
	if (PG_ARGISNULL(3))
		QueryAdd(q, "m.malicious::pg_catalog.bool");
	else
		QueryValue(q, BOOLOID, PG_GETARG_DATUM(3));
	QueryAdd(q, " AS malicious, ");
	QueryValue(q, TEXTOID, PG_GETARG_DATUM(1));
	QueryAdd(q, " AS source, least(");
	AddColumnOr(&l, "labelled_at", TIMESTAMPTZOID, (Datum) 0, true);
	QueryAdd(q, ", pg_catalog.now()) AS labelled_at, ");
	AddColumnOr(&l, "author", TEXTOID, CStringGetTextDatum(GetUserNameFromId(GetUserId(), false)), false);
	QueryAdd(q, " AS author, ");
	AddColumnOr(&l, "confidence", FLOAT4OID, PG_GETARG_DATUM(4), false);
	QueryAdd(q, " AS confidence, ");
	AddColumnOr(&l, "category", TEXTOID, PG_GETARG_DATUM(5), PG_ARGISNULL(5));
	QueryAdd(q, " AS category, NULL::pg_catalog.text AS \"(outcome)\" FROM m%s)", PG_ARGISNULL(3) ? " WHERE m.malicious IS NOT NULL" : "");
	AddOutcomes(&l);
	QueryAdd(q, " SELECT pg_catalog.count(*) FILTER (WHERE x.\"(outcome)\" = 'labelled'), pg_catalog.count(*) FILTER (WHERE x.\"(outcome)\" = 'known'), "
			 "pg_catalog.count(*) FILTER (WHERE x.\"(outcome)\" = 'surer') FROM (SELECT ");
	AddOutcome(&l);
	QueryAdd(q, " AS \"(outcome)\" FROM w) x");
	return RunStatement(fcinfo, s, q);
}
