/*
 * config.c
 *		The configuration tables, read into plain structs.
 *
 * They are read as they are now, like a catalogue, whatever snapshot the query
 * at hand has: what is compiled from them serves later queries too.
 *
 * A policy's owner is the owner of its decision table, so that PostgreSQL
 * itself renames, reassigns, keeps and dumps it.  That table is known by its
 * oid.  The signals view is known by its name, since people replace views; by
 * its oid only where nothing has the name any more (its schema was renamed).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "budget.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "config.h"
#include "executor/spi.h"
#include "owner.h"
#include "protect.h"
#include "security.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* The relation of a qualified name as the configuration keeps it, or 0 */
static Oid
RelationByName(const char *name)
{
	List	   *names = QualifiedNames(name);

	return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
}

/* A type of the extension */
Oid
TypeByName(const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
						   ObjectIdGetDatum(get_namespace_oid("assay", false)));
}

/* "schema"."table" as it is called now, or NULL when it is gone */
char	   *
RelationName(Oid relid)
{
	char	   *relation = get_rel_name(relid);
	char	   *schema = relation ? get_namespace_name(get_rel_namespace(relid)) : NULL;

	return schema ? quote_qualified_identifier(schema, relation) : NULL;
}

/*
 * Values of SPI_tuptable, in the current memory context
 */

static char *
SpiText(int row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

static Datum
SpiValue(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

static double
SpiDouble(int row, int column)
{
	bool		isnull;

	return DatumGetFloat8(SpiValue(row, column, &isnull));
}

static int
SpiInteger(int row, int column)
{
	bool		isnull;

	return DatumGetInt32(SpiValue(row, column, &isnull));
}

static bool
SpiBoolean(int row, int column)
{
	bool		isnull;

	return DatumGetBool(SpiValue(row, column, &isnull));
}

static Oid
SpiRegclass(int row, int column)
{
	bool		isnull;
	Datum		d = SpiValue(row, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(d);
}

static TimestampTz
SpiTime(int row, int column)
{
	bool		isnull;
	Datum		d = SpiValue(row, column, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(d);
}

/* Elements of a text[] as C strings */
static List *
SpiTexts(int row, int column)
{
	List	   *list = NIL;
	Datum	   *items;
	bool	   *nulls;
	int			n;
	bool		isnull;
	Datum		array = SpiValue(row, column, &isnull);

	if (isnull)
		return NIL;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			list = lappend(list, TextDatumGetCString(items[i]));
	return list;
}

/*
 * All queries about a policy see the configuration of one moment: it may be
 * dropped between two of them.
 */
static void
StartReading(Security *security)
{
	EnterConfiguration(security);
	SPI_connect();
	PushActiveSnapshot(GetCatalogSnapshot(ConfigurationRelid()));
}

static void
EndReading(Security *security)
{
	PopActiveSnapshot();
	SPI_finish();
	LeaveSecurity(security);
}

/* Run a query about a policy and a revision; how many rows it has */
static int
RunQuery(const char *query, const char *policy, int revision)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(policy), Int32GetDatum(revision)};
	int			ret;

	ret = SPI_execute_with_args(query, 2, types, values, NULL, true, 0);
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(ret));
	return SPI_processed;
}

/*
 * Sections.  Each is called with SPI connected, makes what it returns in
 * "context", and leaves SPI's own as the current one.
 */

static void
NoSuchPolicy(const char *policy, int revision)
{
	if (revision != 0 &&
		RunQuery("SELECT FROM assay_internal.policy WHERE policy = $1 AND $2 <> 0", policy, revision) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("policy \"%s\" has no revision %d", policy, revision),
				 errhint("The view assay.revisions lists them.")));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("policy \"%s\" does not exist", policy),
			 errhint("assay.policies lists those that you may read; assay.create_policy() makes one.")));
}

/*
 * The view: by its name, or else the one that was known by it.  Found as who
 * may use any schema, since who inserts messages may not.
 */
static Oid
FindSignals(const char *name, Oid known)
{
	Oid			relid = RelationByName(name);

	if (!OidIsValid(relid) && OidIsValid(RelationOwner(known)))
		relid = known;
	return relid;
}

/*
 * Who makes the next revision, if somebody does or has just done so: what is
 * read here was all there is for snapshots only that do not see this
 * transaction.
 */
static TransactionId
AuthorOfNext(const char *policy, int revision)
{
	Oid			schema = get_namespace_oid("assay_internal", false);
	Relation	rel = table_open(get_relname_relid("revision", schema), AccessShareLock);
	TransactionId author = InvalidTransactionId;
	SnapshotData dirty;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	InitDirtySnapshot(dirty);
	ScanKeyInit(&keys[0], get_attnum(RelationGetRelid(rel), "policy"), BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(policy));
	keys[0].sk_collation = DEFAULT_COLLATION_OID;
	ScanKeyInit(&keys[1], get_attnum(RelationGetRelid(rel), "revision"), BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(revision + 1));
	scan = systable_beginscan(rel, get_relname_relid("revision_pkey", schema), true, &dirty, 2, keys);
	while (!TransactionIdIsValid(author) && HeapTupleIsValid(tuple = systable_getnext(scan)))
		author = HeapTupleHeaderGetXmin(tuple->t_data);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return author;
}

/* Is a revision behind this one to be seen? */
static bool
SeesNext(PolicyIdentity *id, Snapshot snapshot)
{
	Oid			schema = get_namespace_oid("assay_internal", false);
	Relation	rel = table_open(get_relname_relid("revision", schema), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&keys[0], get_attnum(RelationGetRelid(rel), "policy"), BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(id->policy));
	keys[0].sk_collation = DEFAULT_COLLATION_OID;
	ScanKeyInit(&keys[1], get_attnum(RelationGetRelid(rel), "revision"), BTGreaterStrategyNumber, F_INT4GT,
				Int32GetDatum(id->revision));
	scan = systable_beginscan(rel, get_relname_relid("revision_pkey", schema), true, snapshot, 2, keys);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Is it still the current one to this statement?  On a standby nothing is told
 * ahead of a commit: there each new snapshot looks.
 */
bool
IdentityHolds(PolicyIdentity *id)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;

	if (snapshot == NULL || snapshot->snapshot_type != SNAPSHOT_MVCC)
		return true;
	if (TransactionIdIsValid(id->author))
		return XidInMVCCSnapshot(id->author, snapshot);
	if (!id->current || !RecoveryInProgress() || SnapshotIsMarked(&id->mark, snapshot))
		return true;
	if (SeesNext(id, snapshot))
		return false;
	MarkSnapshot(&id->mark, snapshot);
	return true;
}

/*
 * Has what a policy reads or writes still the name by which a query finds it, and
 * its owner?  It is locked, and so stays as it is.  How names are quoted is a
 * setting of the session's.
 */
bool
IdentityIsPlaced(PolicyIdentity *id, Oid relid, const char *name)
{
	char	   *relation = get_rel_name(relid);
	char	   *schema = relation ? get_namespace_name(get_rel_namespace(relid)) : NULL;
	List	   *names = schema ? QualifiedNames(name) : NIL;

	return list_length(names) == 2 &&
		strcmp(strVal(linitial(names)), schema) == 0 && strcmp(strVal(lsecond(names)), relation) == 0 &&
		RelationOwner(relid) == id->owner;
}

static PolicyIdentity *
ReadIdentity(const char *policy, int revision, MemoryContext context)
{
	MemoryContext spi;
	PolicyIdentity *id;

	if (RunQuery("SELECT p.signals, p.signals_view, p.decision, p.label, p.key, r.revision, r.search_path, "
				 "r.log_signals, r.on_error = 'raise', r.on_unreadable, p.access, "
				 "EXISTS (SELECT FROM assay_internal.retention e WHERE e.policy = p.policy AND (e.signals < e.decisions OR e.signals > '0' AND e.decisions IS NULL)) "
				 "FROM assay_internal.policy p JOIN assay_internal.revision r USING (policy) "
				 "WHERE p.policy = $1 AND ($2 = 0 OR r.revision = $2) "
				 "ORDER BY r.revision DESC LIMIT 1", policy, revision) == 0)
		NoSuchPolicy(policy, revision);
	spi = MemoryContextSwitchTo(context);
	id = palloc0(sizeof(PolicyIdentity));
	id->policy = pstrdup(policy);
	id->signals = FindSignals(SpiText(0, 1), SpiRegclass(0, 2));
	id->signals_name = OidIsValid(id->signals) ? RelationName(id->signals) : SpiText(0, 1);
	id->decision = SpiRegclass(0, 3);
	id->decision_name = RelationName(id->decision);
	id->label = SpiRegclass(0, 4);
	id->label_name = RelationName(id->label);
	id->key = SpiTexts(0, 5);
	if (id->key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("policy \"%s\" has no key", policy)));
	id->revision = SpiInteger(0, 6);
	id->search_path = WithTempLast(SpiText(0, 7));
	id->log_signals = SpiBoolean(0, 8);
	id->raise_errors = SpiBoolean(0, 9);
	id->on_unreadable = SpiText(0, 10);
	id->access = SpiRegclass(0, 11);
	id->forgets_signals = SpiBoolean(0, 12);
	MemoryContextSwitchTo(spi);
	if (id->decision_name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("decision table of policy \"%s\" does not exist", policy),
				 errhint("SELECT * FROM assay.check(%s) says what to do; assay.drop_policy() would remove all revisions.",
						 quote_literal_cstr(policy))));
	id->owner = RelationOwner(id->decision);
	id->current = (revision == 0);
	if (id->current)
		id->author = AuthorOfNext(policy, id->revision);
	return id;
}

/* The type of a column of the decision table; InvalidOid: it has none of that name */
Oid
DecisionColumnType(const PolicyIdentity *id, const char *column)
{
	return get_atttype(id->decision, get_attnum(id->decision, column));
}

void
PolicyMustHaveView(PolicyIdentity *id)
{
	if (!OidIsValid(id->signals))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("signals view %s of policy \"%s\" does not exist", id->signals_name, id->policy),
				 errhint("Create it, or take another by assay.alter_policy(%s, signals => ...).",
						 quote_literal_cstr(id->policy))));
}

static void
ReadVerdicts(PolicyConfig *c, MemoryContext context)
{
	MemoryContext spi;
	char	   *otherwise;
	PolicyIdentity *id = c->id;

	if (RunQuery("SELECT r.prior, r.default_verdict, r.notify FROM assay_internal.revision r "
				 "WHERE r.policy = $1 AND r.revision = $2", id->policy, id->revision) == 0)
		NoSuchPolicy(id->policy, id->revision);
	spi = MemoryContextSwitchTo(context);
	c->prior = SpiDouble(0, 1);
	otherwise = SpiText(0, 2);
	c->notify = SpiTexts(0, 3);
	MemoryContextSwitchTo(spi);
	(void) RunQuery("SELECT t.key, t.value::float8 FROM assay_internal.revision r, "
					"jsonb_each_text(r.thresholds) t "
					"WHERE r.policy = $1 AND r.revision = $2 "
					"ORDER BY 2, t.key COLLATE \"C\"", id->policy, id->revision);
	spi = MemoryContextSwitchTo(context);
	c->nverdicts = SPI_processed + 1;
	c->verdicts = palloc(c->nverdicts * sizeof(char *));
	c->thresholds = palloc(c->nverdicts * sizeof(double));
	c->verdicts[0] = otherwise;
	c->thresholds[0] = 0;
	for (int i = 1; i < c->nverdicts; i++)
	{
		c->verdicts[i] = SpiText(i - 1, 1);
		c->thresholds[i] = SpiDouble(i - 1, 2);
	}
	MemoryContextSwitchTo(spi);
}

/*
 * The functions refuse more, since a row has no more columns for their
 * results.  Where somebody wrote them into the table, the rest stays out:
 * shadows before anything live.
 */
static int
AtMost(PolicyConfig *c, int n, int max, const char *what)
{
	if (n <= max)
		return n;
	ereport(LOG_SERVER_ONLY,
			(errmsg("policy \"%s\" has %d %s: those beyond %d are not evaluated",
					c->id->policy, n, what, max)));
	c->incomplete = true;
	return max;
}

static void
ReadGuards(PolicyConfig *c, MemoryContext context)
{
	MemoryContext spi;
	int			n = RunQuery("SELECT guard, condition FROM assay_internal.guard "
							 "WHERE policy = $1 AND from_revision <= $2 "
							 "AND (until_revision IS NULL OR until_revision > $2) "
							 "ORDER BY guard COLLATE \"C\"", c->id->policy, c->id->revision);

	spi = MemoryContextSwitchTo(context);
	c->nguards = AtMost(c, n, POLICY_GUARDS_MAX, "guards");
	c->guards = palloc0(c->nguards * sizeof(ConfigGuard));
	for (int i = 0; i < c->nguards; i++)
	{
		c->guards[i].name = SpiText(i, 1);
		c->guards[i].condition = SpiText(i, 2);
	}
	MemoryContextSwitchTo(spi);
}

static void
ReadDetectors(PolicyConfig *c, bool drafts, MemoryContext context)
{
	MemoryContext spi;
	int			n = RunQuery(psprintf("SELECT d.detector, d.condition, m.model, d.weight, d.mode = 'shadow', "
									  "d.force_verdict, d.expires_at, d.rollout, m.text_model, m.content "
									  "FROM (SELECT *, pg_catalog.row_number() OVER (ORDER BY mode = 'shadow', detector COLLATE \"C\") AS rank "
									  "FROM assay_internal.detector WHERE policy = $1 AND from_revision <= $2 "
									  "AND (until_revision IS NULL OR until_revision > $2) "
									  "AND mode IN ('shadow', 'live'%s)) d "
									  "LEFT JOIN assay_internal.detector_model m "
									  "ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision "
									  "ORDER BY d.rank > %d, d.detector COLLATE \"C\"",
									  drafts ? ", 'draft'" : "", POLICY_DETECTORS_MAX),
							 c->id->policy, c->id->revision);

	spi = MemoryContextSwitchTo(context);
	c->ndetectors = AtMost(c, n, POLICY_DETECTORS_MAX, "detectors");
	c->detectors = palloc0(c->ndetectors * sizeof(ConfigDetector));
	for (int i = 0; i < c->ndetectors; i++)
	{
		ConfigDetector *d = &c->detectors[i];
		bool		isnull;
		Datum		model = SpiValue(i, 3, &isnull);

		d->name = SpiText(i, 1);
		d->condition = SpiText(i, 2);
		d->model = isnull ? (Datum) 0 : datumCopy(model, false, -1);
		d->weight = SpiDouble(i, 4);
		d->shadow = SpiBoolean(i, 5);
		d->force_verdict = SpiText(i, 6);
		d->expires_at = SpiTime(i, 7);
		d->rollout = SpiDouble(i, 8);
		d->text_model = SpiText(i, 9);
		d->content = SpiText(i, 10);
	}
	MemoryContextSwitchTo(spi);
}

static void
ReadExclusions(PolicyConfig *c, MemoryContext context)
{
	MemoryContext spi;
	int			n = RunQuery("SELECT exclusion, condition, mutes, verdict, expires_at "
							 "FROM assay_internal.exclusion "
							 "WHERE policy = $1 AND from_revision <= $2 "
							 "AND (until_revision IS NULL OR until_revision > $2) "
							 "ORDER BY exclusion COLLATE \"C\"", c->id->policy, c->id->revision);

	spi = MemoryContextSwitchTo(context);
	c->nexclusions = AtMost(c, n, POLICY_EXCLUSIONS_MAX, "exclusions");
	c->exclusions = palloc0(c->nexclusions * sizeof(ConfigExclusion));
	for (int i = 0; i < c->nexclusions; i++)
	{
		ConfigExclusion *x = &c->exclusions[i];

		x->name = SpiText(i, 1);
		x->condition = SpiText(i, 2);
		x->mutes = SpiTexts(i, 3);
		x->verdict = SpiText(i, 4);
		x->expires_at = SpiTime(i, 5);
	}
	MemoryContextSwitchTo(spi);
}

/*
 * Who owns a policy and what it reads and writes, as it stands; or an error, also
 * where the configuration is locked for longer than so many milliseconds (0: no limit)
 */
PolicyIdentity *
ConfigIdentifyWithin(const char *policy, int ms)
{
	PolicyIdentity *id;
	MemoryContext caller = CurrentMemoryContext;
	Security	security;

	StartReading(&security);
	if (ms > 0)
		WaitNoLonger(&security, ms);
	id = ReadIdentity(policy, 0, caller);
	EndReading(&security);
	return id;
}

PolicyIdentity *
ConfigIdentify(const char *policy)
{
	return ConfigIdentifyWithin(policy, 0);
}

/*
 * A whole revision, the current one for 0, into the current memory context.
 * drafts: they count as live; ms: as for ConfigIdentifyWithin().
 */
PolicyConfig *
ConfigRead(const char *policy, int revision, bool drafts, int ms)
{
	MemoryContext caller = CurrentMemoryContext;
	PolicyConfig *c = palloc0(sizeof(PolicyConfig));
	Security	security;

	StartReading(&security);
	if (ms > 0)
		WaitNoLonger(&security, ms);
	c->id = ReadIdentity(policy, revision, caller);
	ReadVerdicts(c, caller);
	ReadGuards(c, caller);
	ReadDetectors(c, drafts, caller);
	ReadExclusions(c, caller);
	EndReading(&security);
	return c;
}

/* The error of who does not wait: who holds the configuration was waited for in vain just before. */
void
ConfigIsHeld(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("the policy cannot be read: the configuration is locked")));
}

/*
 * Run what reads the configuration, for a message, which does not wait for long for
 * who holds it: ConfigToWait() says how long.
 */
void
ConfigReadSoon(Patience *patience, void (*read) (void *arg), void *arg)
{
	ErrorData  *error = RunPatiently(patience, read, arg);

	if (error && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		error->message = psprintf("the policy cannot be read: %s", error->message);
	if (error)
		ReThrowError(error);
}

/* Milliseconds: after it was waited for in vain hardly any, for a while */
int
ConfigToWait(const Patience *patience)
{
	return IsImpatient(patience) ? HARDLY_MS : BudgetToWait();
}

/*
 * The guards of a policy as they stand: their names and, unless that is NULL,
 * their conditions
 */
List	   *
ConfigGuards(const char *policy, List **conditions)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	Security	security;
	List	   *names = NIL;
	int			n;

	if (conditions)
		*conditions = NIL;
	EnterConfiguration(&security);
	SPI_connect();
	n = RunQuery("SELECT guard, condition FROM assay_internal.guard WHERE policy = $1 AND until_revision IS NULL AND $2 = 0 "
				 "ORDER BY guard COLLATE \"C\"", policy, 0);
	spi = MemoryContextSwitchTo(caller);
	for (int i = 0; i < n; i++)
	{
		names = lappend(names, SpiText(i, 1));
		if (conditions)
			*conditions = lappend(*conditions, SpiText(i, 2));
	}
	MemoryContextSwitchTo(spi);
	SPI_finish();
	LeaveSecurity(&security);
	return names;
}
