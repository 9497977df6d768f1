/*
 * partition.c
 *		Decision tables that are partitioned by create_policy(): what is kept of
 *		that, which times have rows, and what goes.
 *
 * As in labels.c, statements about a policy's own tables run as its owner for
 * who may act as that, and for anybody else with rights of one's own.
 */
#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "miscadmin.h"
#include "owner.h"
#include "rights.h"
#include "undecided.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Rows of a default partition that are looked at for which times they have */
#define REST_ROWS_MAX	1000000

/* An error where one of the arguments is null */
static void
NoNulls(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("no argument may be null")));
}

/* store_partitioning(policy, period, at) */
PG_FUNCTION_INFO_V1(assay_store_partitioning);
Datum
assay_store_partitioning(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3];

	NoNulls(fcinfo);
	PolicyMustOwn(ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	for (int i = 0; i < lengthof(values); i++)
		values[i] = PG_GETARG_DATUM(i);
	WriteConfiguration("partitioning", "INSERT INTO assay_internal.partitioning (policy, period, at) VALUES ($1, $2, $3)",
					   lengthof(types), types, values, NULL);
	PG_RETURN_VOID();
}

/* A time of a key column as timestamptz; what has no zone is in UTC. A date may be beyond all times. */
static char *
TimeOf(const char *alias, const char *column, Oid type)
{
	if (type == TIMESTAMPTZOID)
		return psprintf("%s.%s", alias, column);
	if (type == DATEOID)
		return psprintf("CASE WHEN %s.%s < '294276-12-31' THEN pg_catalog.timezone('UTC', %s.%s::pg_catalog.timestamp) ELSE 'infinity' END",
						alias, column, alias, column);
	return psprintf("pg_catalog.timezone('UTC', %s.%s::pg_catalog.timestamp)", alias, column);
}

/* The column by which a policy is partitioned, as the second argument has it */
static char *
PartColumn(FunctionCallInfo fcinfo, Source *s, char **name)
{
	*name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!SourceHasKey(s, *name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" is not a key column of policy \"%s\"", *name, s->policy)));
	return pstrdup(quote_identifier(*name));
}

/* The default partition; NULL where there is none */
static char *
RestName(Source *s, Oid *relid)
{
	*relid = get_rel_relkind(s->id->decision) == RELKIND_PARTITIONED_TABLE ?
		get_default_partition_oid(s->id->decision) : InvalidOid;
	return RelationName(*relid);
}

/* SELECT period, count(*) FROM "from" GROUP BY it: of times that are in some period */
static void
AddPeriods(BatchQuery *q, FunctionCallInfo fcinfo, const char *from, const char *time)
{
	QueryAdd(q, "SELECT pg_catalog.date_trunc(");
	QueryValue(q, TEXTOID, PG_GETARG_DATUM(2));
	/* Next to the ends of time a period has no beginning or no end. */
	QueryAdd(q, ", %s, 'UTC') AS period, pg_catalog.count(*) AS n FROM %s WHERE %s > '1000-01-01 UTC' AND %s < '9999-01-01 UTC' GROUP BY 1",
			 time, from, time, time);
}

/*
 * rest_periods(policy, at, period): periods whose decisions lie in the default
 * partition, and how many; of very many rows some.
 */
PG_FUNCTION_INFO_V1(assay_rest_periods);
Datum
assay_rest_periods(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	Oid			relid;
	char	   *rest;
	char	   *column;
	char	   *name;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	column = PartColumn(fcinfo, &s, &name);
	rest = RestName(&s, &relid);
	if (rest == NULL || (s.as_caller && pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK))
		return NoRows(fcinfo);
	SPI_connect();
	QueryStart(&q);
	AddPeriods(&q, fcinfo, psprintf("(SELECT o.%s FROM %s o LIMIT %d) r", column, rest, REST_ROWS_MAX),
			   TimeOf("r", column, get_atttype(relid, get_attnum(relid, name))));
	return RunReport(fcinfo, &s, &q);
}

/* Is a table's column a time? */
static Oid
TimeType(Oid relid, const char *name)
{
	Oid			type = get_atttype(relid, get_attnum(relid, name));

	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID ? type : InvalidOid;
}

/*
 * message_periods(policy, at, period): periods of the messages that there are,
 * of the tables that are decided, or else as the view has them.
 */
PG_FUNCTION_INFO_V1(assay_message_periods);
Datum
assay_message_periods(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	List	   *tables;
	ListCell   *lc;
	char	   *name;
	char	   *column;
	const char *between = "";

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PolicyMustOwn(s.id);
	column = PartColumn(fcinfo, &s, &name);
	SPI_connect();
	tables = DecidedTables(s.id);
	if (tables == NIL && OidIsValid(s.id->signals))
		tables = list_make1_oid(s.id->signals);
	QueryStart(&q);
	QueryAdd(&q, "SELECT t.period, pg_catalog.sum(t.n)::pg_catalog.int8 FROM (");
	foreach(lc, tables)
	{
		Oid			relid = lfirst_oid(lc);
		Oid			type = TimeType(relid, name);
		char	   *table = RelationName(relid);

		if (!OidIsValid(type) || table == NULL || q.nparams > QUERY_PARAMS_MAX - 2)
			continue;
		QueryAdd(&q, "%s", between);
		AddPeriods(&q, fcinfo, psprintf("%s m", table), TimeOf("m", column, type));
		between = " UNION ALL ";
	}
	if (between[0] == '\0')
		QueryAdd(&q, "SELECT NULL::pg_catalog.timestamptz AS period, 0 AS n WHERE false");
	QueryAdd(&q, ") t GROUP BY 1 ORDER BY 1 DESC");
	return RunReport(fcinfo, &s, &q);
}

/* Was it decided, or sent, before a time? */
static void
AddPast(BatchQuery *q, const char *alias, char *time, Datum before)
{
	QueryAdd(q, "(%s < ", time);
	QueryValue(q, TIMESTAMPTZOID, before);
	QueryAdd(q, " OR %s.decided_at < ", alias);
	QueryValue(q, TIMESTAMPTZOID, before);
	QueryAdd(q, ")");
}

/*
 * expire_rest(policy, at, before, batch): of the default partition, where times
 * may be anything, goes what was decided or sent before a time.
 */
PG_FUNCTION_INFO_V1(assay_expire_rest);
Datum
assay_expire_rest(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;
	Security	security;
	Oid			relid;
	char	   *rest;
	char	   *name;
	char	   *column;
	Oid			type;
	uint64		n = 0;

	NoNulls(fcinfo);
	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PolicyMustOwn(s.id);
	column = PartColumn(fcinfo, &s, &name);
	rest = RestName(&s, &relid);
	if (rest == NULL)
		PG_RETURN_INT64(0);
	SPI_connect();
	EnterSource(&security, &s);
	type = get_atttype(relid, get_attnum(relid, name));
	QueryStart(&q);
	/* By key and revision: it may be partitioned itself. */
	QueryAdd(&q, "DELETE FROM %s d USING (SELECT ", rest);
	AddKeys(&q, &s, "o", "");
	QueryAdd(&q, ", o.revision FROM %s o WHERE ", rest);
	AddPast(&q, "o", TimeOf("o", column, type), PG_GETARG_DATUM(2));
	QueryAdd(&q, " LIMIT ");
	QueryValue(&q, INT4OID, PG_GETARG_DATUM(3));
	QueryAdd(&q, ") k WHERE ");
	AddSameKey(&q, &s, "d", "k");
	QueryAdd(&q, " AND d.revision = k.revision AND ");
	/* One whose key has come again while it was waited for is another's. */
	AddPast(&q, "d", TimeOf("d", column, type), PG_GETARG_DATUM(2));
	n = QueryRun(&q, SPI_OK_DELETE, NULL);
	LeaveSecurity(&security);
	SPI_finish();
	PG_RETURN_INT64(n);
}

/* attach_part_as_owner(decision table, what): attach_part() as its owner */
PG_FUNCTION_INFO_V1(assay_attach_part_as_owner);
Datum
assay_attach_part_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement attach = {NULL, "SELECT assay_internal.attach_part($1, $2)", false, 2, {REGCLASSOID, JSONBOID}};

	return OwnerCall(fcinfo, &attach);
}

/* drop_part_as_owner(decision table, before): drop_part() as its owner */
PG_FUNCTION_INFO_V1(assay_drop_part_as_owner);
Datum
assay_drop_part_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement drop = {NULL, "SELECT assay_internal.drop_part($1, $2)", false, 2, {REGCLASSOID, TIMESTAMPTZOID}};

	return OwnerCall(fcinfo, &drop);
}
