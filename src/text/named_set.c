/*
 * named_set.c
 *		Which state of a named set a statement sees, who may ask it, and how
 *		authors take turns.
 *
 * Each change of a set's contents, in whatever table, comes with a new version
 * of the set's row in assay.named_set, made under that row's lock: so versions
 * and states follow each other as their transactions commit.  A backend that
 * has loaded a set remembers the version (its place and its transaction), and
 * is right as long as its snapshot sees the same one.
 *
 * To look at the row in each statement would cost microseconds.  It is left
 * out while no invalidation of assay.named_set came in, the version was the
 * latest when it was read, and the snapshot sees its transaction: then the
 * snapshot sees no other.  Invalidations are sent by row triggers that fire
 * ALWAYS, so also where rows come by logical replication.  A backend takes
 * them in when it first meets a new snapshot.
 *
 * They are sent before the transaction commits or is prepared, too
 * (relation_news.c): who takes them in then finds a version that is not the
 * latest any more, and looks again in each statement.  A standby gets them
 * late only; there each statement looks.
 *
 * Rows of other tables that come without a new version (a restored dump, the
 * first copy of a subscription, a superuser) invalidate these tables, upon
 * which everything is loaded anew.  A transaction that changes sets itself
 * trusts nothing that it loaded under an earlier snapshot.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "named_set.h"
#include "owner.h"
#include "relation_news.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* Columns of assay.named_set */
#define Anum_set			1
#define Anum_content		2
#define Anum_owner			3
#define Anum_readers		4
#define Anum_state			5
#define Anum_made_at		6
#define Anum_pruned_at		11
#define Anum_pruned_state	12

/* Moves when anything that was found out may have changed */
static uint64 named_set_generation = 1;

static uint64 probe_generation = 1; /* ... a set's row */
static uint64 reload_generation = 1;	/* ... rows without a set's row */

static Oid	set_relid = InvalidOid;
static Oid	contents_relid[8];	/* tables of contents that are in use */

static List *open_sets = NIL;	/* of OpenSet, in this transaction */
static bool changing = false;	/* this transaction changes some set */

static Oid
Schema(void)
{
	Oid			schema = get_namespace_oid("assay", true);

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("extension \"pg_assay\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION pg_assay.")));
	return schema;
}

static Oid
InSchema(const char *name)
{
	Oid			relid = get_relname_relid(name, Schema());

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"assay.%s\" does not exist", name),
				 errhint("Run ALTER EXTENSION pg_assay UPDATE.")));
	return relid;
}

/* ---- what invalidates ------------------------------------------------------ */

static void
RelcacheChanged(Datum arg, Oid relid)
{
	bool		contents = relid == InvalidOid;

	for (int i = 0; i < lengthof(contents_relid) && !contents; i++)
		contents = OidIsValid(contents_relid[i]) && contents_relid[i] == relid;
	if (contents)
		reload_generation++;
	else if (relid == set_relid)
		probe_generation++;
	else
		return;
	named_set_generation++;
}

/* A role was changed or granted: who may ask is found out again. */
static void
RolesChanged(Datum arg, int cacheid, uint32 hashvalue)
{
	probe_generation++;
	named_set_generation++;
}

/* What an undone part of the transaction wrote may have been loaded. */
static void
ForgetLoaded(void)
{
	reload_generation++;
	named_set_generation++;
}

static void
EndTransaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		event != XACT_EVENT_PREPARE && event != XACT_EVENT_PARALLEL_COMMIT &&
		event != XACT_EVENT_PARALLEL_ABORT)
		return;
	if (changing)
		ForgetLoaded();
	open_sets = NIL;			/* their memory is the transaction's */
	changing = false;
}

/* What a subtransaction did to open sets is its parent's now. */
static void
KeepSubtransaction(SubTransactionId id, SubTransactionId parent)
{
	ListCell   *lc;

	foreach(lc, open_sets)
	{
		OpenSet    *set = lfirst(lc);

		if (set->opened == id)
			set->opened = parent;
		if (set->closed == id)
			set->closed = parent;
		if (set->settled == id)
			set->settled = parent;
		if (set->stored == id)
			set->stored = parent;
	}
}

/*
 * Sets that a subtransaction opened are not open any more.  Of others, what
 * was opened before it is as it was, but what it has settled is to be settled
 * again, and the user's right may have been given in it.
 */
static void
UndoSubtransaction(SubTransactionId id)
{
	ListCell   *lc;

	foreach(lc, open_sets)
	{
		OpenSet    *set = lfirst(lc);

		if (set->opened == id)
		{
			open_sets = foreach_delete_current(open_sets, lc);
			continue;
		}
		set->user = InvalidOid;
		if (set->closed == id)
			set->closed = InvalidSubTransactionId;
		if (set->stored == id)
			set->stored = InvalidSubTransactionId;
		if (set->settled == id)
		{
			set->settled = InvalidSubTransactionId;
			set->unsettled = set->changes;
			set->fresh = true;
		}
	}
}

static void
EndSubtransaction(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		KeepSubtransaction(id, parent);
	else if (event == SUBXACT_EVENT_ABORT_SUB && changing)
	{
		ForgetLoaded();
		UndoSubtransaction(id);
	}
}

void
NamedSetInit(void)
{
	CacheRegisterSyscacheCallback(AUTHOID, RolesChanged, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, RolesChanged, (Datum) 0);
	RegisterXactCallback(EndTransaction, NULL);
	RegisterSubXactCallback(EndSubtransaction, NULL);
}

/* The set of a name that is open, or NULL */
static OpenSet *
FindOpen(const char *name, int len)
{
	ListCell   *lc;

	foreach(lc, open_sets)
	{
		OpenSet    *set = lfirst(lc);

		if (set->closed == InvalidSubTransactionId &&
			strncmp(set->name, name, len) == 0 && set->name[len] == '\0')
			return set;
	}
	return NULL;
}

/* A name as a row has it, which may be longer than a set's */
static OpenSet *
FindOpenText(const text *name)
{
	int			len = VARSIZE_ANY_EXHDR(name);

	return len > NAMED_SET_MAX_NAME ? NULL : FindOpen(VARDATA_ANY(name), len);
}

/* Until a subtransaction that we are in aborts */
static void
Close(OpenSet *set)
{
	if (set != NULL)
		set->closed = GetCurrentSubTransactionId();
}

static void
CloseAll(void)
{
	ListCell   *lc;

	foreach(lc, open_sets)
	{
		OpenSet    *set = lfirst(lc);

		if (set->closed == InvalidSubTransactionId)
			Close(set);
	}
}

/* Who asks for a name that no set can have is told as who asks for one that is not there */
static void
CheckNameLength(int len)
{
	if (len == 0 || len > NAMED_SET_MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("a set needs a name of 1 to %d bytes", NAMED_SET_MAX_NAME)));
}

static OpenSet *
NoteOpen(const char *name, int len, int64 state)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	OpenSet    *set = palloc0(sizeof(OpenSet));

	memcpy(set->name, name, len);
	set->opened = GetCurrentSubTransactionId();
	set->state = state;
	set->at = GetCurrentTimestamp();
	set->fresh = true;
	open_sets = lappend(open_sets, set);
	changing = true;			/* so that they are forgotten at its end */
	MemoryContextSwitchTo(old);
	return set;
}

static bool
StateGrows(const TriggerData *trigger, int64 *state)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	int64		was = DatumGetInt64(heap_getattr(trigger->tg_trigtuple, Anum_state, desc, &isnull));

	*state = DatumGetInt64(heap_getattr(trigger->tg_newtuple, Anum_state, desc, &isnull));
	return *state > was;
}

/* A set's row came, went or changed. */
static void
SetRowChanged(const TriggerData *trigger, text *name)
{
	int64		state;

	TellRelation(RelationGetRelid(trigger->tg_relation));
	if (name == NULL || !TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		/* What is loaded of the name may be of another set, with any state. */
		TellRelation(InSchema("list_entry"));
		if (name == NULL)
			CloseAll();
		else
			Close(FindOpenText(name));
	}
	else if (StateGrows(trigger, &state) && VARSIZE_ANY_EXHDR(name) <= NAMED_SET_MAX_NAME &&
			 FindOpenText(name) == NULL)
	{
		/*
		 * Changes of contents that follow in this transaction are told by
		 * this.
		 */
		(void) NoteOpen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), state);
	}
}

/*
 * set_changed(): row trigger of assay.named_set and of the tables of contents,
 * whose first column is the set's name.  Tells all backends what is not told
 * by a new version of the set's row.
 */
PG_FUNCTION_INFO_V1(set_changed);
Datum
set_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	text	   *name = NULL;
	bool		isnull = true;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("set_changed must be called as a trigger")));
	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		Datum		value = heap_getattr(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ?
										 trigger->tg_newtuple : trigger->tg_trigtuple,
										 1, RelationGetDescr(trigger->tg_relation), &isnull);

		name = isnull ? NULL : DatumGetTextPP(value);
	}
	changing = true;
	if (strcmp(RelationGetRelationName(trigger->tg_relation), "named_set") == 0)
		SetRowChanged(trigger, name);
	else if (name == NULL || FindOpenText(name) == NULL)
		TellRelation(RelationGetRelid(trigger->tg_relation));
	return PointerGetDatum(NULL);
}

/* ---- the tables ------------------------------------------------------------ */

/*
 * From now on heed news of a table of contents.  When those of extensions that
 * were dropped fill the room, all are forgotten, and with them what was loaded.
 */
static void
HeedTable(Oid relid)
{
	int			i = 0;

	while (i < lengthof(contents_relid) && OidIsValid(contents_relid[i]))
		if (contents_relid[i++] == relid)
			return;
	if (i == lengthof(contents_relid))
	{
		memset(contents_relid, 0, sizeof(contents_relid));
		ForgetLoaded();
		i = 0;
	}
	contents_relid[i] = relid;
}

/* Open a table of contents to read it; its invalidation is heeded from now on. */
Relation
NamedSetTable(const char *table)
{
	Oid			relid = InSchema(table);

	WantRelationNews(RelcacheChanged);
	HeedTable(relid);
	return table_open(relid, AccessShareLock);
}

Oid
NamedSetIndex(const char *index)
{
	return InSchema(index);
}

void
NamedSetName(NamedSet *set, const char *name, int len, const char *content)
{
	CheckNameLength(len);
	memcpy(set->name, name, len);
	set->name[len] = '\0';
	set->name_len = len;
	set->content = content;
}

static void
NoSuchSet(const NamedSet *set)
{
	bool		list = strcmp(set->content, NAMED_SET_LIST) == 0;

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 list ? errmsg("list \"%s\" does not exist", set->name) :
			 errmsg("phrase set \"%s\" does not exist", set->name),
			 list ? errhint("assay.create_list() makes one.") :
			 set->name[0] == '{' ? errhint("A constant of type phrases needs a cast: '...'::assay.phrases.") :
			 errhint("assay.create_phrase_set() makes one.")));
}

/* ---- which version a snapshot sees ------------------------------------------- */

static Snapshot
CurrentSnapshot(void)
{
	Snapshot	snapshot;

	if (!ActiveSnapshotSet())
		elog(ERROR, "a set is looked into without a snapshot");
	snapshot = GetActiveSnapshot();
	if (snapshot->snapshot_type != SNAPSHOT_MVCC)
		elog(ERROR, "a set is looked into under a snapshot that is none of a statement");
	return snapshot;
}

/* Is the entry known to be right for this very snapshot and user? */
bool
NamedSetIsFresh(const NamedSet *set)
{
	return set->generation == named_set_generation &&
		set->user == GetUserId() &&
		SnapshotIsMarked(&set->snapshot, CurrentSnapshot());
}

/* The contents were loaded for what NamedSetRefresh() found. */
void
NamedSetLoaded(NamedSet *set)
{
	set->loaded = true;
	set->user = GetUserId();
	MarkSnapshot(&set->snapshot, CurrentSnapshot());
}

static void
CheckReader(NamedSet *set)
{
	Oid			user = GetUserId();
	bool		list = strcmp(set->content, NAMED_SET_LIST) == 0;

	if (has_privs_of_role(user, set->owner))
		return;
	for (int i = 0; i < set->nreaders; i++)
		if (!OidIsValid(set->readers[i]) || has_privs_of_role(user, set->readers[i]))
			return;
	set->missing = true;
	if (set->may_miss)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 list ? errmsg("permission denied for list \"%s\"", set->name) :
			 errmsg("permission denied for phrase set \"%s\"", set->name),
			 errhint("Its owner can grant its use by assay.grant_set().")));
}

static void
KeepReaders(NamedSet *set, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *items;
	bool	   *nulls;
	int			n;
	Oid		   *readers;

	deconstruct_array(array, ARR_ELEMTYPE(array), sizeof(Oid), true, TYPALIGN_INT, &items, &nulls, &n);
	readers = MemoryContextAlloc(CacheMemoryContext, (n + 1) * sizeof(Oid));
	if (set->readers != NULL)
		pfree(set->readers);
	set->readers = readers;
	set->nreaders = 0;
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			readers[set->nreaders++] = DatumGetObjectId(items[i]);
}

/* Is the row that was read known to have no later version? */
static bool
IsLatest(HeapTupleHeader header)
{
	return (header->t_infomask & HEAP_XMAX_INVALID) != 0 ||
		HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask);
}

static NamedSetNews
Judge(NamedSet *set, HeapTuple tuple, TupleDesc desc, Snapshot snapshot, bool trusted, int64 *was)
{
	TransactionId xid = HeapTupleHeaderXminFrozen(tuple->t_data) ? FrozenTransactionId :
	HeapTupleHeaderGetRawXmin(tuple->t_data);
	NamedSetNews news = SET_OTHER;
	bool		isnull;
	bool		never_pruned;
	int64		state = DatumGetInt64(heap_getattr(tuple, Anum_state, desc, &isnull));
	int64		pruned_state = DatumGetInt64(heap_getattr(tuple, Anum_pruned_state, desc, &isnull));
	Datum		pruned_at = heap_getattr(tuple, Anum_pruned_at, desc, &never_pruned);
	TimestampTz made_at = DatumGetTimestampTz(heap_getattr(tuple, Anum_made_at, desc, &isnull));
	char	   *content = TextDatumGetCString(heap_getattr(tuple, Anum_content, desc, &isnull));

	/* One that was dropped and made again is another. */
	trusted = trusted && made_at == set->made_at;
	if (strcmp(content, set->content) != 0)
	{
		if (!set->may_miss)
			NoSuchSet(set);
		set->missing = true;
		trusted = false;
	}
	if (trusted && ItemPointerEquals(&tuple->t_self, &set->tid) && state == set->state &&
		(xid == set->xid || xid == FrozenTransactionId))
		news = SET_SAME;
	/* what was removed up to the mark is not told by rows any more */
	else if (trusted && state > set->state && set->state >= pruned_state &&
			 (set->xid == FrozenTransactionId ||
			  (TransactionIdDidCommit(set->xid) && !XidInMVCCSnapshot(set->xid, snapshot))))
		news = SET_NEWER;
	*was = set->state;
	if (news != SET_SAME)
		set->loaded = false;	/* until the caller has done it */
	set->xid = xid;
	set->tid = tuple->t_self;
	set->state = state;
	set->made_at = made_at;
	set->pruned_state = pruned_state;
	set->pruned_at = never_pruned ? DT_NOBEGIN : DatumGetTimestampTz(pruned_at);
	set->latest = IsLatest(tuple->t_data) && !set->missing;
	set->owner = DatumGetObjectId(heap_getattr(tuple, Anum_owner, desc, &isnull));
	KeepReaders(set, heap_getattr(tuple, Anum_readers, desc, &isnull));
	return news;
}

/* Read the set's row as the snapshot sees it. */
static NamedSetNews
Probe		(NamedSet *set, Snapshot snapshot, bool trusted, int64 *was)
{
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	NamedSetNews news;

	set->probes++;
	WantRelationNews(RelcacheChanged);
	set_relid = InSchema("named_set");
	rel = table_open(set_relid, AccessShareLock);
	ScanKeyInit(&key, Anum_set, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(cstring_to_text_with_len(set->name, set->name_len)));
	key.sk_collation = C_COLLATION_OID;
	scan = systable_beginscan(rel, NamedSetIndex("named_set_pkey"), true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		news = Judge(set, tuple, RelationGetDescr(rel), snapshot, trusted, was);
	else
	{
		if (!set->may_miss)
			NoSuchSet(set);
		set->missing = true;
		set->latest = false;	/* look again */
		set->nreaders = 0;
		set->owner = InvalidOid;
		news = SET_OTHER;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return news;
}

/*
 * Find out whether what is loaded is right for this statement.  If not, the
 * entry says which state is to be loaded (and *was, which one it had); the
 * caller does it and calls NamedSetLoaded().
 */
NamedSetNews
NamedSetRefresh(NamedSet *set, int64 *was)
{
	Snapshot	snapshot = CurrentSnapshot();
	bool		trusted;
	NamedSetNews news;
	uint64		reload;

	AcceptInvalidationMessages();
	trusted = set->loaded && set->reload_generation == reload_generation && !changing;
	*was = set->state;
	if (trusted && set->probe_generation == probe_generation && set->latest &&
		!IsolationIsSerializable() && !RecoveryInProgress() &&
		(set->xid == FrozenTransactionId || !XidInMVCCSnapshot(set->xid, snapshot)))
	{
		set->generation = named_set_generation;
		CheckReader(set);
		return SET_SAME;
	}

	/* Whatever comes in while the row is read counts as news. */
	set->generation = named_set_generation;
	set->probe_generation = probe_generation;
	reload = reload_generation;
	news = Probe (set, snapshot, trusted, was);

	set->reload_generation = reload;
	CheckReader(set);
	return news;
}

/* ---- states alone ------------------------------------------------------------ */

/*
 * A set of which only the state is asked, whether it exists or not.  It is kept
 * for good: there are as many as policies name.
 */
NamedSet   *
NamedSetWatched(const char *name, const char *content)
{
	static List *watched = NIL;
	MemoryContext old;
	NamedSet   *set;
	ListCell   *lc;

	foreach(lc, watched)
	{
		set = lfirst(lc);
		if (strcmp(set->content, content) == 0 && strcmp(set->name, name) == 0)
			return set;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	set = palloc0(sizeof(NamedSet));
	NamedSetName(set, name, strlen(name), content);
	set->may_miss = true;
	watched = lappend(watched, set);
	MemoryContextSwitchTo(old);
	return set;
}

/*
 * The state that this statement sees; false when there is no such set, or the
 * user may not ask it.  Only of what NamedSetWatched() gave.
 */
bool
NamedSetPeek(NamedSet *set, int64 *state)
{
	int64		was;

	if (!NamedSetIsFresh(set))
	{
		MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "pg_assay set state",
													  ALLOCSET_SMALL_SIZES);
		MemoryContext old = MemoryContextSwitchTo(scratch);

		set->missing = false;
		(void) NamedSetRefresh(set, &was);
		NamedSetLoaded(set);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
	}
	*state = set->state;
	return !set->missing;
}

/* ---- authors ----------------------------------------------------------------- */

void
NamedSetEnter(NamedSetSecurity *security)
{
	Oid			owner = RelationOwner(InSchema("named_set"));

	if (!OidIsValid(owner))
		elog(ERROR, "cache lookup failed for relation assay.named_set");
	GetUserIdAndSecContext(&security->user, &security->context);
	SetUserIdAndSecContext(owner, security->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
}

void
NamedSetLeave(NamedSetSecurity *security)
{
	SetUserIdAndSecContext(security->user, security->context);
}

/* Run a statement on the tables, planned once in a backend. */
static uint64
LockSet(const char *name, int len)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {TEXTOID};
	Datum		values[1];

	if (plan == NULL)
	{
		plan = SPI_prepare("SELECT s.state, s.owner, s.content, s.xmin FROM assay.named_set s "
						   "WHERE s.set OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE", 1, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare to lock a set");
	}
	values[0] = PointerGetDatum(cstring_to_text_with_len(name, len));
	if (SPI_execute_plan(plan, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not lock a set");
	return SPI_processed;
}

static int64
NextState(const char *name, int len)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	bool		isnull;

	if (plan == NULL)
	{
		plan = SPI_prepare("UPDATE assay.named_set s SET state = s.state OPERATOR(pg_catalog.+) 1, "
						   "changed_at = pg_catalog.clock_timestamp() "
						   "WHERE s.set OPERATOR(pg_catalog.=) $1 RETURNING s.state", 1, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare to change a set");
	}
	values[0] = PointerGetDatum(cstring_to_text_with_len(name, len));
	if (SPI_execute_plan(plan, values, NULL, false, 1) != SPI_OK_UPDATE_RETURNING ||
		SPI_processed != 1)
		elog(ERROR, "could not change set \"%.*s\"", len, name);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/*
 * Begin to change a set, or go on: waits for whoever changes it, and gives it
 * a new state, one in a transaction; another one where what it holds was
 * stored as of that, since nobody would look for more of it in the rows.
 * Error unless the user may.
 */
OpenSet    *
NamedSetOpen(const char *name, int len, const char *content)
{
	Oid			user = GetUserId();
	NamedSetSecurity security;
	NamedSet	wanted = {0};
	HeapTuple	row;
	TupleDesc	desc;
	OpenSet    *set;
	Oid			owner;
	int64		state;
	bool		isnull;

	NamedSetName(&wanted, name, len, content);
	set = FindOpen(name, len);
	if (set != NULL && set->user == user && set->content == content &&
		set->stored == InvalidSubTransactionId)
		return set;
	NamedSetEnter(&security);
	SPI_connect();
	if (LockSet(name, len) == 0)
		NoSuchSet(&wanted);
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	state = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	owner = DatumGetObjectId(SPI_getbinval(row, desc, 2, &isnull));
	if (strcmp(SPI_getvalue(row, desc, 3), content) != 0)
		NoSuchSet(&wanted);
	if (!has_privs_of_role(user, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of set \"%s\"", wanted.name)));
	set = FindOpen(name, len);
	if (set == NULL || set->state != state || set->stored != InvalidSubTransactionId ||
		!TransactionIdIsCurrentTransactionId(DatumGetTransactionId(SPI_getbinval(row, desc, 4, &isnull))))
	{
		int64		changes = set == NULL || set->stored != InvalidSubTransactionId ? 0 : set->changes;

		/*
		 * Its trigger notes it as open, in place of what was by another
		 * state.
		 */
		Close(set);
		state = NextState(name, len);
		set = FindOpen(name, len);
		if (set == NULL)
			set = NoteOpen(name, len, state);
		set->state = state;
		set->changes = set->unsettled = changes;
	}
	set->user = user;
	set->content = content;
	SPI_finish();
	NamedSetLeave(&security);
	return set;
}

/* The sets that this transaction has open, one by one; begin with 0 */
OpenSet    *
NamedSetNextOpen(int *i)
{
	while (*i < list_length(open_sets))
	{
		OpenSet    *set = list_nth(open_sets, (*i)++);

		if (set->closed == InvalidSubTransactionId)
			return set;
	}
	return NULL;
}

/* The changes of a set are dealt with, unless this subtransaction aborts. */
void
NamedSetSettled(OpenSet *set)
{
	set->unsettled = 0;
	set->settled = GetCurrentSubTransactionId();
}

/*
 * What the set holds now was stored as of its state: changes that follow are
 * of another one, unless this subtransaction aborts.
 */
void
NamedSetStored(OpenSet *set)
{
	set->stored = GetCurrentSubTransactionId();
}
