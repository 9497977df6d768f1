/*
 * decision_table.c
 *		The decision table: its columns, and the statements that fill it.
 *
 * A message has one decision for each revision that decided it.  A key that
 * comes again (its message was deleted) is another message, whose decision
 * takes the place of the former one.
 *
 * The table is the user's, who may put indexes, partitions, triggers and
 * checks on it.  Where any of these could run something or refuse a row, rows
 * are written in a subtransaction, which costs a transaction id; a table as
 * create_policy() makes it is "plain", and takes every row whose key is short
 * enough for its index.
 *
 * A table that is partitioned by ranges of a time in its key is plain as far as
 * its partitions are, each of which is looked at when a row goes there
 * (decision_parts.c).
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/genam.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "decision_table.h"
#include "nodes/bitmapset.h"
#include "nodes/primnodes.h"
#include "owner.h"
#include "security.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "value_text.h"

/*
 * Bytes of a key, uncompressed, that fit into an index with what else may be
 * in it (a verdict, numbers)
 */
#define SHORT_KEY_MAX	1500

static const char *const columns[] = {"revision", "decided_at", "verdict", "score",
"attribution", "degraded", "signals"};

/* How many of them are written */
static int
ColumnCount(DecisionTable *t)
{
	return t->log_signals ? lengthof(columns) : lengthof(columns) - 1;
}

static Oid
ColumnType(DecisionColumn column)
{
	switch (column)
	{
		case DECISION_REVISION:
			return INT4OID;
		case DECISION_DECIDED_AT:
			return TIMESTAMPTZOID;
		case DECISION_VERDICT:
			return TEXTOID;
		case DECISION_SCORE:
			return FLOAT4OID;
		case DECISION_ATTRIBUTION:
			return TypeByName("attribution");
		case DECISION_DEGRADED:
			return BOOLOID;
		case DECISION_SIGNALS:
			return TypeByName("logged_signals");
	}
	return InvalidOid;
}

/* Is any unique index of the table made of nothing but these columns? */
bool
IsUniqueBy(Relation rel, List *key)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		found = false;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;
		bool		fits;

		if (!HeapTupleIsValid(tuple))
			continue;
		index = (Form_pg_index) GETSTRUCT(tuple);
		fits = index->indisunique && index->indimmediate && index->indisvalid &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
		for (int i = 0; fits && i < index->indnkeyatts; i++)
		{
			AttrNumber	attno = index->indkey.values[i];
			bool		in_key = false;
			ListCell   *k;

			foreach(k, key)
				in_key |= attno > 0 &&
				namestrcmp(&TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname, lfirst(k)) == 0;
			fits = in_key;
		}
		found |= fits;
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return found;
}

/*
 * Does a statement bring no key twice into this table of messages?  Values of
 * another type may become the same by the cast.
 */
bool
BringsUniqueKeys(DecisionTable *t, Relation messages)
{
	ListCell   *lc;

	foreach(lc, t->id->key)
	{
		AttrNumber	attno = get_attnum(RelationGetRelid(messages), lfirst(lc));

		if (attno <= 0 ||
			get_atttype(RelationGetRelid(messages), attno) != t->key_types[foreach_current_index(lc)])
			return false;
	}
	return IsUniqueBy(messages, t->id->key);
}

/*
 * Is it the index of what hit, which runs our own function alone?  The names
 * of detectors and exclusions are short enough for it.
 */
static bool
IndexesHits(Relation index)
{
	List	   *expressions = RelationGetIndexExpressions(index);
	FuncExpr   *call;

	if (index->rd_rel->relam != GIN_AM_OID || index->rd_index->indnatts != 1 ||
		list_length(expressions) != 1 || !IsA(linitial(expressions), FuncExpr) ||
		RelationGetIndexPredicate(index) != NIL || index->rd_opfamily[0] >= FirstUnpinnedObjectId)
		return false;
	call = linitial(expressions);
	return get_func_namespace(call->funcid) == get_namespace_oid("assay", true) &&
		strcmp(get_func_name(call->funcid), "hits") == 0 && IsA(linitial(call->args), Var);
}

/*
 * Is it made of the key and the revision, and of nothing else, so that a
 * decision takes the place of the one that it would collide with?  Keys that
 * only a collation calls the same may come twice in one statement.
 */
static bool
IsOfDecision(Relation index, Relation rel, DecisionTable *t)
{
	Bitmapset  *found = NULL;

	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber	attno = index->rd_index->indkey.values[i];
		Oid			collation = index->rd_indcollation[i];

		if (attno <= 0 || (OidIsValid(collation) && !get_collation_isdeterministic(collation)))
			return false;
		for (int c = 0; c <= t->nkeys; c++)
			if (strcmp(NameStr(TupleDescAttr(t->desc, c)->attname),
					   NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname)) == 0)
				found = bms_add_member(found, c);
	}
	return bms_num_members(found) == t->nkeys + 1 && index->rd_index->indnkeyatts == t->nkeys + 1;
}

/* Does an index take every row with a short key, and run nothing for it? */
static bool
IndexIsPlain(Relation rel, Oid indexid, DecisionTable *t)
{
	Relation	index = index_open(indexid, AccessShareLock);
	bool		plain = index->rd_rel->relam == BTREE_AM_OID &&
	index->rd_index->indimmediate &&
	RelationGetIndexExpressions(index) == NIL &&
	RelationGetIndexPredicate(index) == NIL;
	Bitmapset  *seen = NULL;

	if (index->rd_index->indisunique)
		plain = plain && IsOfDecision(index, rel, t);
	for (int i = 0; plain && i < index->rd_index->indnatts; i++)
	{
		AttrNumber	attno = index->rd_index->indkey.values[i];
		const char *attname = NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname);
		bool		known = false;

		/*
		 * A ledger or signals would be too long for it, and a key that is
		 * twice in it.
		 */
		for (int c = 0; c < t->desc->natts; c++)
			known |= strcmp(NameStr(TupleDescAttr(t->desc, c)->attname), attname) == 0 &&
				c != t->nkeys + DECISION_ATTRIBUTION && c != t->nkeys + DECISION_SIGNALS;
		plain = known && !bms_is_member(attno, seen) &&
			(i >= index->rd_index->indnkeyatts || index->rd_opfamily[i] < FirstUnpinnedObjectId);
		seen = bms_add_member(seen, attno);
	}
	plain |= IndexesHits(index);
	index_close(index, AccessShareLock);
	return plain;
}

/* The same for all indexes; none but the key's may be unique */
static bool
IndexesArePlain(Relation rel, DecisionTable *t)
{
	List	   *indexes = RelationGetIndexList(rel);
	bool		plain = true;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Oid			indexid = lfirst_oid(lc);
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));

		if (HeapTupleIsValid(tuple))
		{
			Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

			plain &= !form->indisexclusion;
			ReleaseSysCache(tuple);
		}
		plain = plain && IndexIsPlain(rel, indexid, t);
	}
	list_free(indexes);
	return plain;
}

/*
 * Does a column take any value that is written to it, or none?  A ledger that may
 * not be stored elsewhere is too long for a page some day.
 */
static bool
ColumnIsPlain(Form_pg_attribute att, DecisionTable *t)
{
	if (att->attisdropped)
		return true;
	for (int c = 0; c < t->desc->natts; c++)
		if (strcmp(NameStr(TupleDescAttr(t->desc, c)->attname), NameStr(att->attname)) == 0)
			return att->atttypmod < 0 && att->attgenerated == '\0' && att->attidentity == '\0' &&
				get_typtype(att->atttypid) == TYPTYPE_BASE &&
				!(c >= t->nkeys && att->attlen == -1 && att->attstorage == TYPSTORAGE_PLAIN) &&
				!(att->attnotnull && c == t->nkeys + DECISION_SIGNALS);
	return !att->attnotnull && !att->atthasdef && att->attgenerated == '\0';
}

/*
 * May its rows be replaced?  A publication refuses an UPDATE whose old row it
 * could not tell, or of which it shows columns or rows by what is no key.
 */
static bool
MayBeReplaced(Relation rel)
{
	PublicationDesc published;

	RelationBuildPublicationDesc(rel, &published);
	if (!published.pubactions.pubupdate)
		return true;
#if PG_VERSION_NUM >= 180000
	if (!published.gencols_valid_for_update)
		return false;
#endif
	return published.rf_valid_for_update && published.cols_valid_for_update &&
		(rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL || OidIsValid(RelationGetReplicaIndex(rel)));
}

/* may_be_replaced(relation): NULL where it is no table, or gone */
PG_FUNCTION_INFO_V1(assay_may_be_replaced);
Datum
assay_may_be_replaced(PG_FUNCTION_ARGS)
{
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	char		relkind = rel ? rel->rd_rel->relkind : '\0';
	bool		table = relkind == RELKIND_RELATION || relkind == RELKIND_PARTITIONED_TABLE;
	bool		replaced = table && MayBeReplaced(rel);

	if (rel)
		relation_close(rel, AccessShareLock);
	if (!table)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(replaced);
}

/* Does a table, or a partition, take what fits into its indexes, and run nothing for it? */
static bool
IsPlain(Relation rel, DecisionTable *t)
{
	Form_pg_class form = rel->rd_rel;
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	if (form->relhasrules || form->relrowsecurity || rel->trigdesc != NULL ||
		(constr && constr->num_check > 0))
		return false;
	for (int i = 0; i < RelationGetDescr(rel)->natts; i++)
		if (!ColumnIsPlain(TupleDescAttr(RelationGetDescr(rel), i), t))
			return false;
	return IndexesArePlain(rel, t);
}

/* Does it have its rows itself?  Another way to store a table may refuse what it likes. */
static bool
HasRows(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_tableam == GetHeapamTableAmRoutine();
}

/* Is a type one of the server's times? */
static bool
IsTime(Oid type)
{
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}

/* The key column whose ranges a table is partitioned by, a time as the server orders it, or -1 */
static int
PartKey(Relation rel, DecisionTable *t)
{
	PartitionKey by = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? RelationGetPartitionKey(rel) : NULL;

	if (by == NULL || by->strategy != PARTITION_STRATEGY_RANGE || by->partnatts != 1 ||
		by->partopfamily[0] >= FirstUnpinnedObjectId)
		return -1;
	for (int i = 0; i < t->nkeys; i++)
		if (t->whole.attnums[i] == by->partattrs[0] && IsTime(t->key_types[i]))
			return i;
	return -1;
}

/* The same for the table as a whole: its partitions may be told apart later. */
static bool
TableIsPlain(Relation rel, DecisionTable *t)
{
	AclMode		needed = ACL_INSERT | ACL_UPDATE | ACL_SELECT;

	if (rel->rd_rel->relispartition ||
		pg_class_aclmask(RelationGetRelid(rel), t->id->owner, needed, ACLMASK_ALL) != needed)
		return false;
	if (t->part_key < 0 && (!HasRows(rel) || rel->rd_rel->relhassubclass))
		return false;
	return IsPlain(rel, t) && MayBeReplaced(rel);
}

/* May rows of a key and a revision be written without a query? */
static bool
IsDirect(Relation rel, DecisionTable *t)
{
	return IsUniqueBy(rel, lappend(list_copy(t->id->key), pstrdup(columns[DECISION_REVISION])));
}

/* Where what is written is; 0: no such column, or of another type */
static int
PartColumn(Relation rel, Form_pg_attribute wanted)
{
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), NameStr(wanted->attname));

	return attno > 0 && get_atttype(RelationGetRelid(rel), attno) == wanted->atttypid ? attno : 0;
}

/* What a row takes that is too long: the table for such values, and its indexes */
static List *
ToastOf(Relation rel)
{
	Relation	toast;
	List	   *relids;

	if (!OidIsValid(rel->rd_rel->reltoastrelid))
		return NIL;
	toast = table_open(rel->rd_rel->reltoastrelid, AccessShareLock);
	relids = lcons_oid(RelationGetRelid(toast), RelationGetIndexList(toast));
	table_close(toast, AccessShareLock);
	return relids;
}

/*
 * Look at a partition, which is locked.  The policy's owner is entered.  Where
 * nothing may be replaced in it, by a publication of it alone, what is new is
 * written without a query; one that may replace is refused as a whole.
 */
void
LookAtPart(DecisionTable *t, DecisionPart *part)
{
	Relation	rel = table_open(part->relid, NoLock);
	MemoryContext old = MemoryContextSwitchTo(t->context);

	part->indexes = RelationGetIndexList(rel);
	part->toast = ToastOf(rel);
	MemoryContextSwitchTo(old);

	part->plain = HasRows(rel) && !rel->rd_rel->relhassubclass && IsPlain(rel, t);
	for (int i = 0; i < t->desc->natts; i++)
	{
		part->attnums[i] = PartColumn(rel, TupleDescAttr(t->desc, i));
		part->plain = part->plain && part->attnums[i] > 0;
	}
	part->direct = part->plain && t->direct && IsDirect(rel, t);
	part->replaces = MayBeReplaced(rel);
	part->plain = part->plain && (part->direct || part->replaces);
	table_close(rel, NoLock);
}

/* A column's type, which must be the one that is written */
static void
CheckColumn(DecisionTable *t, Relation rel, int column)
{
	Form_pg_attribute wanted = TupleDescAttr(t->desc, column);
	AttrNumber	attno = get_attnum(RelationGetRelid(rel), NameStr(wanted->attname));

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("decision table %s has no column \"%s\"", t->id->decision_name,
						NameStr(wanted->attname)),
				 errhint("Add it as it was, or make the policy anew: assay.policy_export() keeps what it is made of.")));
	t->whole.attnums[column] = attno;
	if (get_atttype(RelationGetRelid(rel), attno) != wanted->atttypid)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of decision table %s must be of type %s",
						NameStr(wanted->attname), t->id->decision_name,
						format_type_be(wanted->atttypid))));
}

/* A message table has the columns of its policy's key by the names that the view gives them. */
void
MustHaveKey(const PolicyIdentity *id, Oid messages)
{
	ListCell   *lc;

	foreach(lc, id->key)
		if (get_attnum(messages, lfirst(lc)) == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no key column \"%s\" of policy \"%s\"",
						get_rel_name(messages), (char *) lfirst(lc), id->policy),
				 errhint("The columns of the key have one name in the view and in the message table: rename them in one of both.")));
}

/* What the decision table of a policy has; an error where it can't be one */
DecisionTable *
OpenDecisionTable(PolicyIdentity *id)
{
	DecisionTable *t = palloc0(sizeof(DecisionTable));
	int			n;
	Relation	rel = table_open(id->decision, AccessShareLock);
	Security	security;
	ListCell   *lc;

	t->id = id;
	t->nkeys = list_length(id->key);
	/* An older version made another column, or none: upgrade_policy() */
	t->log_signals = id->log_signals &&
		DecisionColumnType(id, columns[DECISION_SIGNALS]) ==
		ColumnType(DECISION_SIGNALS);
	n = ColumnCount(t);
	t->key_types = palloc(t->nkeys * sizeof(Oid));
	t->desc = CreateTemplateTupleDesc(t->nkeys + n);
	t->whole.relid = id->decision;
	t->whole.attnums = palloc((t->nkeys + n) * sizeof(int));
	t->context = CurrentMemoryContext;
	foreach(lc, id->key)
	{
		int			i = foreach_current_index(lc);

		t->whole.attnums[i] = get_attnum(id->decision, lfirst(lc));
		t->key_types[i] = get_atttype(id->decision, t->whole.attnums[i]);
		if (!OidIsValid(t->key_types[i]))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("decision table %s has no key column \"%s\"",
							id->decision_name, (char *) lfirst(lc))));
		TupleDescInitEntry(t->desc, i + 1, lfirst(lc), t->key_types[i], -1, 0);
	}
	for (int c = 0; c < n; c++)
	{
		TupleDescInitEntry(t->desc, t->nkeys + c + 1, columns[c], ColumnType(c), -1, 0);
		CheckColumn(t, rel, t->nkeys + c);
	}
	/* Expressions of indexes are folded, which may run the owner's functions. */
	EnterOwner(&security, id->owner, id->search_path);
	t->part_key = PartKey(rel, t);
	t->plain = TableIsPlain(rel, t);
	t->direct = t->plain && IsDirect(rel, t);
	t->whole.plain = t->plain;
	t->whole.direct = t->direct;
	t->whole.replaces = true;
	t->whole.indexes = RelationGetIndexList(rel);
	t->whole.toast = ToastOf(rel);
	LeaveSecurity(&security);
	table_close(rel, AccessShareLock);
	return t;
}

/* "a", "b", revision: what identifies a decision */
static void
AddKey(StringInfo sql, DecisionTable *t)
{
	for (int i = 0; i < t->nkeys; i++)
		appendStringInfo(sql, "%s, ", quote_identifier(NameStr(TupleDescAttr(t->desc, i)->attname)));
	appendStringInfoString(sql, "revision");
}

/* INSERT INTO table (columns): before VALUES or SELECT */
char	   *
InsertStart(DecisionTable *t)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s AS \"(decision)\" (", t->id->decision_name);
	for (int i = 0; i < t->desc->natts; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(t->desc, i)->attname)));
	appendStringInfoString(&sql, ") ");
	return sql.data;
}

/* ON CONFLICT: the new decision takes the old one's place, or one of those that it may. */
char	   *
InsertEnd(DecisionTable *t)
{
	StringInfoData sql;
	Relation	rel = table_open(t->id->decision, AccessShareLock);
	bool		unique = IsUniqueBy(rel, lappend(list_copy(t->id->key), "revision"));
	bool		replaces = MayBeReplaced(rel);

	table_close(rel, AccessShareLock);
	initStringInfo(&sql);
	/* Where nothing may be replaced, what is new is written all the same. */
	if (!unique || !replaces)
		return sql.data;
	appendStringInfoString(&sql, " ON CONFLICT (");
	AddKey(&sql, t);
	appendStringInfoString(&sql, ") DO UPDATE SET ");
	for (int c = DECISION_DECIDED_AT; c < ColumnCount(t); c++)
		appendStringInfo(&sql, "%s%s = EXCLUDED.%s", c > DECISION_DECIDED_AT ? ", " : "",
						 columns[c], columns[c]);
	if (t->replaced)
		appendStringInfo(&sql, " WHERE %s", t->replaced);
	return sql.data;
}

/* The statement that writes one decision, its values as parameters */
char	   *
InsertOneSql(DecisionTable *t)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "%sVALUES (", InsertStart(t));
	for (int i = 0; i < t->desc->natts; i++)
		appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 1);
	appendStringInfo(&sql, ")%s", InsertEnd(t));
	return sql.data;
}

/*
 * The statement that writes the rows of DECISIONS_NAME.  Unless they are
 * unique by their key, one of those with the same key counts: a row can't be
 * replaced twice.
 */
char	   *
InsertManySql(DecisionTable *t, bool unique)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "%sSELECT ", InsertStart(t));
	if (!unique)
	{
		appendStringInfoString(&sql, "DISTINCT ON (");
		AddKey(&sql, t);
		appendStringInfoString(&sql, ") ");
	}
	appendStringInfo(&sql, "* FROM \"" DECISIONS_NAME "\"%s", InsertEnd(t));
	return sql.data;
}

/* Values of a decision, but for its key and signals */
void
FillDecision(DecisionTable *t, Datum *values, bool *nulls, int revision,
			 TimestampTz at, const char *verdict, const PolicyDecision *decision)
{
	Datum	   *v = values + t->nkeys;

	v[DECISION_REVISION] = Int32GetDatum(revision);
	v[DECISION_DECIDED_AT] = TimestampTzGetDatum(at);
	v[DECISION_VERDICT] = CStringGetTextDatum(verdict);
	v[DECISION_SCORE] = Float4GetDatum((float4) decision->score);
	v[DECISION_ATTRIBUTION] = PointerGetDatum(decision->attribution);
	v[DECISION_DEGRADED] = BoolGetDatum(decision->degraded);
	memset(nulls + t->nkeys, false, (ColumnCount(t)) * sizeof(bool));
	if (t->log_signals)
		nulls[t->nkeys + DECISION_SIGNALS] = true;
}

/* Does the table take the key for sure?  It has no nulls, and fits into the index. */
bool
KeyIsShort(DecisionTable *t, const Datum *values, const bool *nulls)
{
	Size		bytes = 0;

	for (int i = 0; i < t->nkeys; i++)
	{
		if (nulls[i])
			return false;
		if (TupleDescAttr(t->desc, i)->attlen == -1)
			bytes += toast_raw_datum_size(values[i]);
	}
	return bytes <= SHORT_KEY_MAX;
}

/* May a decision be too long for a row?  A row has other columns, but not many. */
bool
DecisionIsWide(DecisionTable *t, const Datum *values, const bool *nulls)
{
	Size		bytes = 0;

	for (int i = 0; i < t->desc->natts; i++)
		if (!nulls[i] && TupleDescAttr(t->desc, i)->attlen == -1)
			bytes += toast_raw_datum_size(values[i]);
	return bytes > TOAST_TUPLE_THRESHOLD / 2;
}

/* The key as a query's parameters */
ParamListInfo
KeyParams(DecisionTable *t, const Datum *values, const bool *nulls)
{
	ParamListInfo params = makeParamList(t->nkeys);

	for (int i = 0; i < t->nkeys; i++)
	{
		params->params[i].value = values[i];
		params->params[i].isnull = nulls[i];
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = t->key_types[i];
	}
	return params;
}

/* Keys are written out, and read, by formats that do not depend on the session: until this level ends. */
int
PlainFormats(void)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("datestyle", "ISO", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("intervalstyle", "postgres", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest;
}

/* The key as text[]'s text form, which can be kept */
char	   *
KeyText(DecisionTable *t, const Datum *values, const bool *nulls)
{
	Datum	   *texts = palloc(t->nkeys * sizeof(Datum));
	bool	   *missing = palloc(t->nkeys * sizeof(bool));
	int			dims[1] = {t->nkeys};
	int			lower[1] = {1};
	int			nest = PlainFormats();
	ArrayType  *array;

	for (int i = 0; i < t->nkeys; i++)
	{
		missing[i] = nulls[i];
		if (!nulls[i])
			texts[i] = CStringGetTextDatum(ValueText(t->key_types[i], values[i]));
	}
	AtEOXact_GUC(false, nest);
	array = construct_md_array(texts, missing, 1, dims, lower, TEXTOID, -1, false, TYPALIGN_INT);
	return OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array));
}

/*
 * rewrite_signals_as_owner(decision table): rewrite_signals() as its owner.
 */
PG_FUNCTION_INFO_V1(assay_rewrite_signals_as_owner);
Datum
assay_rewrite_signals_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement rewrite = {NULL, "SELECT assay_internal.rewrite_signals($1)", false, 1, {REGCLASSOID}};

	return OwnerCall(fcinfo, &rewrite);
}
