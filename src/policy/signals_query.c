/*
 * signals_query.c
 *		The query that reads the signals of given messages: the trigger runs it,
 *		and signals_query() shows it to whoever wants to EXPLAIN it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "decision_table.h"
#include "invalidation.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "parser/parse_oper.h"
#include "rewrite/rewriteHandler.h"
#include "security.h"
#include "signals_query.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* The name of a type for a cast that keeps the value: character would cut it */
char	   *
CastName(Oid type)
{
	return format_type_extended(type, -1,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * The type that a text becomes of which somebody asks: a domain's checks, which
 * may be anybody's, and its length, to which it would be cut, are for what is stored.
 */
char	   *
AskedType(Oid type)
{
	return CastName(OidIsValid(type) ? getBaseType(type) : type);
}

/* Maybe after an implicit cast, or InvalidOid */
static Oid
OperatorOf(List *name, Oid left, Oid right)
{
	Operator	operator = oper(NULL, name, left, right, true, -1);
	Oid			found = InvalidOid;

	if (HeapTupleIsValid(operator))
	{
		found = oprid(operator);
		ReleaseSysCache(operator);
	}
	return found;
}

/*
 * The operator in sight by its name, which runs as who is current: of nobody's but
 * whom that role trusts, else the server's own.  InvalidOid: there is none
 */
static Oid
TrustedOperator(const char *name, Oid left, Oid right)
{
	List	   *plain = list_make1(makeString(pstrdup(name)));
	Oid			found = OperatorOf(plain, left, right);
	Oid			ours;

	if (!OidIsValid(found) || OperatorIsTrusted(GetUserId(), found))
		return found;
	ours = OperatorOf(lcons(makeString(pstrdup("pg_catalog")), plain), left, right);
	if (!OidIsValid(ours))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("operator %s belongs to a role that may not act as the policy's owner", format_operator(found)),
				 errdetail("Values are compared with the rights of the policy's owner, and so would this run."),
				 errhint("Give its function to the policy's owner or to a superuser; or have nobody else create in the schemas of the policy's search_path.")));
	return ours;
}

/*
 * The operator by which a type's indexes compare, whatever is in sight by its
 * name; for two types, and for one that has none, what is in sight.
 */
char	   *
KeyOperator(Oid left, Oid right, StrategyNumber strategy)
{
	static const char *const names[] = {"<", "<=", "=", ">=", ">"};
	TypeCacheEntry *type = OidIsValid(left) && left == right ? lookup_type_cache(left, TYPECACHE_BTREE_OPFAMILY) : NULL;
	Oid			oid = type && OidIsValid(type->btree_opf) ?
	get_opfamily_member(type->btree_opf, type->btree_opintype, type->btree_opintype, strategy) : InvalidOid;
	HeapTuple	tuple;
	Form_pg_operator operator;
	char	   *found;

	if (type && !OidIsValid(oid) && strategy == BTEqualStrategyNumber)
		oid = lookup_type_cache(left, TYPECACHE_EQ_OPR)->eq_opr;
	if (!OidIsValid(oid) && OidIsValid(left) && OidIsValid(right))
		oid = TrustedOperator(names[strategy - 1], left, right);
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return psprintf("OPERATOR(pg_catalog.%s)", names[strategy - 1]);
	operator = (Form_pg_operator) GETSTRUCT(tuple);
	found = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(operator->oprnamespace)),
					 NameStr(operator->oprname));
	ReleaseSysCache(tuple);
	return found;
}

/*
 * What is written behind a key's column of another relation where it is compared
 * with the decision table's: "a" and "A" are two keys there, whatever the other's
 * collation takes for equal.
 */
char	   *
CollateAsDecided(PolicyIdentity *id, const char *key, Oid relation)
{
	Oid			type;
	int32		typmod;
	Oid			decided;
	Oid			other;

	get_atttypetypmodcoll(id->decision, get_attnum(id->decision, key), &type, &typmod, &decided);
	get_atttypetypmodcoll(relation, get_attnum(relation, key), &type, &typmod, &other);
	if (!OidIsValid(decided) || !OidIsValid(other) || decided == other || get_collation_isdeterministic(other))
		return "";
	return psprintf(" COLLATE %s", generate_collation_name(decided));
}

/* Equality of a key's column of the signals view, and of the decision table */
char	   *
ViewKeyEquality(PolicyIdentity *id, const char *key, Oid type)
{
	return KeyOperator(get_atttype(id->signals, get_attnum(id->signals, key)), type, BTEqualStrategyNumber);
}

/* SELECT t."key"::type AS "key", ... */
static void
AddKeySelect(StringInfo sql, PolicyIdentity *id, const Oid *types)
{
	ListCell   *lc;
	int			i = 0;

	foreach(lc, id->key)
	{
		const char *key = quote_identifier(lfirst(lc));

		appendStringInfo(sql, "%s t.%s::%s AS %s", i > 0 ? "," : "SELECT", key,
						 CastName(types[i]), key);
		i++;
	}
}

/*
 * Does the table generate a column?  A row for a partition whose columns are in
 * another order is captured before that.
 */
static bool
IsGenerated(Relation rel, AttrNumber attno)
{
	return rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && attno > 0 &&
		TupleDescAttr(RelationGetDescr(rel), attno - 1)->attgenerated == ATTRIBUTE_GENERATED_STORED;
}

#if PG_VERSION_NUM >= 160000
/* What a column is generated as, or NULL; nothing is locked, so that it may go at any time. */
static Node *
GenerationOf(Oid relid, AttrNumber attno)
{
	Relation	defaults;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	Node	   *expression = NULL;

	defaults = table_open(AttrDefaultRelationId, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_pg_attrdef_adrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_attrdef_adnum, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(attno));
	scan = systable_beginscan(defaults, AttrDefaultIndexId, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		stored = heap_getattr(tuple, Anum_pg_attrdef_adbin, RelationGetDescr(defaults), &isnull);

		expression = isnull ? NULL : stringToNode(TextDatumGetCString(stored));
	}
	systable_endscan(scan);
	table_close(defaults, AccessShareLock);
	return expression;
}

/*
 * Is a relation dropped, as far as that shows in a catalogue that was read before?
 * What is cached may not tell yet.
 */
static bool
IsGone(Oid relid)
{
	Relation	classes = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		gone;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(classes, ClassOidIndexId, true, NULL, 1, &key);
	gone = !HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(classes, AccessShareLock);
	return gone;
}

/* A partition's columns have other numbers than its parent's. */
typedef struct Renumber
{
	Oid			from;
	Oid			to;
} Renumber;

static bool
RenumberColumns(Node *node, void *context)
{
	Renumber   *r = context;

	if (node && IsA(node, Var) && ((Var *) node)->varattno > 0)
	{
		Var		   *var = (Var *) node;
		char	   *name = get_attname(r->from, var->varattno, true);

		var->varattno = name ? get_attnum(r->to, name) : InvalidAttrNumber;
	}
	return node && expression_tree_walker(node, RenumberColumns, context);
}

/* Does each partition generate a column as the table does?  That may change without the table. */
static bool
PartitionsGenerateAs(Oid table, AttrNumber attno, Dependencies *dependencies)
{
	char	   *column = get_attname(table, attno, true);
	Node	   *expression = GenerationOf(table, attno);
	bool		same = expression != NULL;
	ListCell   *lc;

	/* It may have gone. */
	if (column == NULL)
		return true;
	foreach(lc, find_all_inheritors(table, NoLock, NULL))
	{
		Oid			relid = lfirst_oid(lc);
		Renumber	renumber = {relid, table};
		Node	   *other;

		if (relid == table)
			continue;
		other = GenerationOf(relid, get_attnum(relid, column));
		if (dependencies)
			DependOnRelation(dependencies, relid);
		(void) RenumberColumns(other, &renumber);
		/* One that is not the table's own may be dropped meanwhile. */
		same = same && (equal(other, expression) || IsGone(relid));
	}
	return same;
}

#define PartitionsGenerateKey(rel, attno, dependencies) false
#else
#define PartitionsGenerateAs(table, attno, dependencies) true

/* Are a partition's columns those of its table, in the same order?  Not where any is dropped. */
static bool
HasSameOrder(Oid partition, TupleDesc desc)
{
	for (AttrNumber i = 1; i <= desc->natts; i++)
	{
		char	   *column = get_attname(partition, i, true);

		if (column == NULL || strcmp(column, NameStr(TupleDescAttr(desc, i - 1)->attname)) != 0 ||
			TupleDescAttr(desc, i - 1)->attisdropped)
			return false;
	}
	return get_attname(partition, desc->natts + 1, true) == NULL;
}

/*
 * May a partition generate what is a plain column of the table, after the row was
 * captured?  That has what was written to it then.
 */
static bool
PartitionsGenerateKey(Relation rel, AttrNumber attno, Dependencies *dependencies)
{
	bool		any = false;
	ListCell   *lc;

	if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE || attno <= 0)
		return false;
	foreach(lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
	{
		Oid			relid = lfirst_oid(lc);
		AttrNumber	same = get_attnum(relid, NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname));
		bool		generates = same > 0 && get_attgenerated(relid, same);

		/* Another that comes changes the table that it is attached to. */
		if (dependencies && (generates || get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE))
			DependOnRelation(dependencies, relid);
		any |= generates && !HasSameOrder(relid, RelationGetDescr(rel));
	}
	return any;
}
#endif

/* partitions_generate_as(table, column): the same, for check() */
PG_FUNCTION_INFO_V1(assay_partitions_generate_as);
Datum
assay_partitions_generate_as(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PartitionsGenerateAs(PG_GETARG_OID(0), PG_GETARG_INT16(1), NULL));
}

/* Does an expression ask for a system column, as tableoid, which new rows don't have? */
static bool
UsesSystemColumn(Node *node, void *context)
{
	if (node && IsA(node, Var))
		return ((Var *) node)->varattno < 0;
	return node && expression_tree_walker(node, UsesSystemColumn, context);
}

/*
 * A column of the new rows t: as they have it, or what it is generated as.  Where a
 * partition may generate another value, it is null: which one a row is for is not
 * told.  False where a row may lack it.
 */
static bool
AddNewColumn(StringInfo sql, Relation rel, const char *column, const char *type, Dependencies *dependencies)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), column);
	const char *quoted = quote_identifier(column);
	Node	   *expression;

	if (!IsGenerated(rel, attno))
	{
		bool		whole = !PartitionsGenerateKey(rel, attno, dependencies);

		appendStringInfo(sql, "%s::%s", whole ? psprintf("t.%s", quoted) : "NULL", type);
		return whole;
	}
	expression = build_column_default(rel, attno);
	if (PartitionsGenerateAs(RelationGetRelid(rel), attno, dependencies) && !UsesSystemColumn(expression, NULL))
		appendStringInfo(sql, "coalesce(t.%s, %s)::%s", quoted,
						 deparse_expression(expression,
											deparse_context_for(RelationGetRelationName(rel), RelationGetRelid(rel)),
											false, false),
						 type);
	else
		appendStringInfo(sql, "t.%s::%s", quoted, type);
	return false;
}

/* The same FROM table t, the new rows of rel.  Whether these have all of the key goes to "whole", or NULL. */
char	   *
KeySource(PolicyIdentity *id, const Oid *types, const char *table, Relation rel, Dependencies *dependencies,
		  bool *whole)
{
	StringInfoData sql;
	bool		all = true;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, id->key)
	{
		appendStringInfoString(&sql, lc == list_head(id->key) ? "SELECT " : ", ");
		all &= AddNewColumn(&sql, rel, lfirst(lc), CastName(types[foreach_current_index(lc)]), dependencies);
		appendStringInfo(&sql, " AS %s", quote_identifier(lfirst(lc)));
	}
	appendStringInfo(&sql, " FROM %s t", quote_identifier(table));
	if (whole)
		*whole = all;
	return sql.data;
}

/* What both queries select behind the key: the signals, and that there are any */
static void
AddSignals(StringInfo sql, PolicyIdentity *id)
{
	appendStringInfo(sql, "v.*, true AS \"(found)\" FROM %s v WHERE ",
					 id->signals_source ? id->signals_source : id->signals_name);
}

/*
 * The signals of the keys that "source" gives as n."key", each found or not.
 * LIMIT 1 keeps the view's query parameterised by the key whatever the size
 * of the table, and a key from having two decisions.
 */
char	   *
SignalsQuery(PolicyIdentity *id, const Oid *types, const char *source)
{
	StringInfoData sql;
	ListCell   *lc;
	int			i = 0;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, id->key)
		appendStringInfo(&sql, "n.%s AS \"(key %d)\", ", quote_identifier(lfirst(lc)), ++i);
	appendStringInfo(&sql, "s.* FROM (%s) n LEFT JOIN LATERAL (SELECT ", source);
	AddSignals(&sql, id);
	foreach(lc, id->key)
		appendStringInfo(&sql, "%sv.%s %s n.%s", lc == list_head(id->key) ? "" : " AND ",
						 quote_identifier(lfirst(lc)), ViewKeyEquality(id, lfirst(lc), types[foreach_current_index(lc)]),
						 quote_identifier(lfirst(lc)));
	appendStringInfoString(&sql, " LIMIT 1) s ON true");
	return sql.data;
}

/* The same for one key, given as parameters: no row when it is not found */
char	   *
OneSignalsQuery(PolicyIdentity *id, const Oid *types)
{
	StringInfoData sql;
	ListCell   *lc;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < list_length(id->key); i++)
		appendStringInfo(&sql, "$%d::%s AS \"(key %d)\", ", i + 1, CastName(types[i]), i + 1);
	AddSignals(&sql, id);
	i = 0;
	foreach(lc, id->key)
	{
		appendStringInfo(&sql, "%sv.%s %s $%d::%s", i > 0 ? " AND " : "", quote_identifier(lfirst(lc)),
						 ViewKeyEquality(id, lfirst(lc), types[i]), i + 1, CastName(types[i]));
		i++;
	}
	return sql.data;
}

/* SELECT t."key"::type AS "key" FROM (VALUES ('1', 'a'), ...) t("key", ...) */
static char *
LiteralSource(PolicyIdentity *id, const Oid *types, Datum keys)
{
	int			nkeys = list_length(id->key);
	Datum	   *items;
	bool	   *nulls;
	int			n;
	StringInfoData sql;
	ListCell   *lc;

	deconstruct_array(DatumGetArrayTypeP(keys), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &n);
	if (n == 0 || n % nkeys != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys must have %d element%s for each message, not %d in all",
						nkeys, nkeys == 1 ? "" : "s", n),
				 errhint("Write the keys one after the other, or as a list of lists.")));
	initStringInfo(&sql);
	AddKeySelect(&sql, id, types);
	appendStringInfoString(&sql, " FROM (VALUES ");
	for (int i = 0; i < n; i++)
		appendStringInfo(&sql, "%s%s%s", i % nkeys > 0 ? ", " : i > 0 ? "), (" : "(",
						 nulls[i] ? "NULL" : quote_literal_cstr(TextDatumGetCString(items[i])),
						 i == n - 1 ? ")" : "");
	appendStringInfoString(&sql, ") t(");
	foreach(lc, id->key)
		appendStringInfo(&sql, "%s%s", lc == list_head(id->key) ? "" : ", ",
						 quote_identifier(lfirst(lc)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* key_equality(type): the operator by which keys of a type are the same */
PG_FUNCTION_INFO_V1(assay_key_equality);
Datum
assay_key_equality(PG_FUNCTION_ARGS)
{
	Oid			type = PG_GETARG_OID(0);

	if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(KeyOperator(type, type, BTEqualStrategyNumber)));
}

PG_FUNCTION_INFO_V1(assay_signals_query);
Datum
assay_signals_query(PG_FUNCTION_ARGS)
{
	PolicyIdentity *id;
	DecisionTable *table;
	Security	security;
	char	   *sql;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	id = ConfigIdentify(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!has_privs_of_role(GetUserId(), id->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", id->policy),
				 errhint("It takes membership in the policy's owner.")));
	EnterOwner(&security, id->owner, id->search_path);
	table = OpenDecisionTable(id);
	sql = PG_ARGISNULL(1) ? OneSignalsQuery(id, table->key_types) :
		SignalsQuery(id, table->key_types, LiteralSource(id, table->key_types, PG_GETARG_DATUM(1)));
	LeaveSecurity(&security);
	PG_RETURN_TEXT_P(cstring_to_text(sql));
}
