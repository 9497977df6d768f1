/*
 * owner.c
 *		Who owns a relation, and statements that run with the rights of its
 *		owner, whoever of his role calls: what keeps baselines and text models
 *		up to date; what reads a text model, whoever may read its table calls;
 *		and what writes the registries of both, which are nobody's.
 *
 * Nothing runs as the owner of a relation that its registry doesn't know: the
 * owner of any other never agreed to that.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "cursors.h"
#include "hidden_calls.h"
#include "owner.h"
#include "session_guard.h"

/* The owner of what has a row in a catalogue, or InvalidOid when it is gone */
static Oid
OwnerIn(int catalogue, Oid object, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCache1(catalogue, ObjectIdGetDatum(object));
	Oid			owner = InvalidOid;
	bool		isnull;

	if (HeapTupleIsValid(tuple))
	{
		owner = DatumGetObjectId(SysCacheGetAttr(catalogue, tuple, column, &isnull));
		ReleaseSysCache(tuple);
	}
	return owner;
}

Oid
RelationOwner(Oid relid)
{
	return OwnerIn(RELOID, relid, Anum_pg_class_relowner);
}

Oid
FunctionOwner(Oid function)
{
	return OwnerIn(PROCOID, function, Anum_pg_proc_proowner);
}

/* May who owns a thing act as that owner anyway?  Then its code may run as that. */
bool
MayActAs(Oid role, Oid owner)
{
	return OidIsValid(role) && (superuser_arg(role) || has_privs_of_role(role, owner));
}

/*
 * Does an operator run, also in another's place, nothing but what may run as
 * "owner"?  Whose it is says what else runs in its place, also later.
 */
bool
OperatorIsTrusted(Oid owner, Oid operator)
{
	ListCell   *lc;

	if (operator < FirstUnpinnedObjectId)
		return true;			/* PostgreSQL's own */
	foreach(lc, LinkedOperators(operator))
	{
		Oid			function = get_opcode(lfirst_oid(lc));

		if (!MayActAs(OwnerIn(OPEROID, lfirst_oid(lc), Anum_pg_operator_oprowner), owner) ||
			(OidIsValid(function) && !MayActAs(FunctionOwner(function), owner)))
			return false;
	}
	return true;
}

/* Are all columns of a composite type trusted? */
static bool
ColumnsAreTrusted(Oid owner, Oid type)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	bool		trusted = true;

	for (int i = 0; i < desc->natts && trusted; i++)
		trusted = TupleDescAttr(desc, i)->attisdropped ||
			TypeIsTrusted(owner, TupleDescAttr(desc, i)->atttypid);
	ReleaseTupleDesc(desc);
	return trusted;
}

/*
 * A type brings code along: implicit casts, a domain's checks, and so do the
 * types that it is made of.  Who runs what names it trusts who owns them.  What
 * may be of any type is trusted by nobody.
 */
bool
TypeIsTrusted(Oid owner, Oid type)
{
	HeapTuple	tuple;
	FormData_pg_type form;

	check_stack_depth();
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = *(Form_pg_type) GETSTRUCT(tuple);
	ReleaseSysCache(tuple);
	if (form.typtype == TYPTYPE_PSEUDO || !MayActAs(form.typowner, owner))
		return false;
	if (form.typtype == TYPTYPE_DOMAIN)
		return TypeIsTrusted(owner, form.typbasetype);
	if (form.typtype == TYPTYPE_COMPOSITE)
		return ColumnsAreTrusted(owner, type);
	if (form.typtype == TYPTYPE_RANGE)
		return TypeIsTrusted(owner, get_range_subtype(type));
	if (form.typtype == TYPTYPE_MULTIRANGE)
		return TypeIsTrusted(owner, get_multirange_range(type));
	return !OidIsValid(form.typelem) || TypeIsTrusted(owner, form.typelem);
}

/*
 * May it run somebody's code to make a value of a type?  Base types are a
 * superuser's, enums have none, and an array is what its items are.
 */
bool
InputRunsCode(Oid type)
{
	char		kind = get_typtype(type);
	Oid			item = kind == TYPTYPE_BASE ? get_element_type(type) : InvalidOid;

	if (OidIsValid(item))
		return InputRunsCode(item);
	return kind != TYPTYPE_ENUM && kind != TYPTYPE_PSEUDO && kind != TYPTYPE_BASE;
}

/* The owner of a relation, or an error when that is gone */
static Oid
OwnerOf(Oid relid)
{
	Oid			owner = RelationOwner(relid);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	return owner;
}

/* An error when the caller may not act for the owner of a relation */
static void
OwnerCheck(Oid relid)
{
	if (!has_privs_of_role(GetUserId(), OwnerOf(relid)))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

/*
 * Run a SELECT of one value as the owner of a relation; the caller has been
 * checked.
 *
 * What it reads may be a view, and it and users' expressions may call functions
 * of the owner's.  As with REFRESH MATERIALIZED VIEW, they must not run with the
 * rights of a caller who has more.
 */
static Datum
RunAsOwner(Oid relid, const OwnerStatement *statement, Datum *args, const char *nulls, bool *isnull)
{
	Oid			owner = OwnerOf(relid);
	Oid			caller;
	int			sec_context;
	int			guc_level;
	int			hidden;
	int			done;
	Datum		result;

	GetUserIdAndSecContext(&caller, &sec_context);
	SetUserIdAndSecContext(owner, sec_context | SECURITY_GUARDED);
	guc_level = NewGUCNestLevel();
	hidden = HideSession();

	/*
	 * On an error the transaction's abort restores user, settings and what is
	 * hidden.
	 */
	SPI_connect();
	done = SPI_execute_with_args(statement->sql, statement->nargs, (Oid *) statement->types, args, nulls,
								 statement->read_only, 0);
	if (done != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "a statement run for an owner gave no row");
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	if (!*isnull)
	{
		Form_pg_attribute column = TupleDescAttr(SPI_tuptable->tupdesc, 0);

		result = SPI_datumTransfer(result, column->attbyval, column->attlen);
	}
	SPI_finish();

	ShowSession(hidden);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(caller, sec_context);
	return result;
}

/* Is it a schema of the extension, where nobody else makes anything? */
bool
SchemaIsOurs(Oid schema)
{
	return schema == get_namespace_oid("assay", true) || schema == get_namespace_oid("assay_internal", true);
}

/* Table of this name in schema assay, with a row for each of some relations */
static Oid
Registry(const char *registry)
{
	return get_relname_relid(registry, get_namespace_oid("assay", false));
}

/* An error when a registry has no row of a relation */
static void
RegisteredCheck(Oid relid, const char *registry)
{
	Relation	table = table_open(Registry(registry), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, get_attnum(RelationGetRelid(table), "relation"), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(table, InvalidOid, false, GetActiveSnapshot(), 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("relation \"%s\" is not in assay.%s", get_rel_name(relid), registry),
				 errhint("Statements run with the rights of an owner for what is registered alone.")));
}

/*
 * For whoever may act for the owner: the result of a function, the first of
 * whose arguments is the relation, from a statement about its arguments
 */
Datum
OwnerCall(FunctionCallInfo fcinfo, const OwnerStatement *statement)
{
	Oid			relid = PG_GETARG_OID(0);
	Datum		args[OWNER_ARGS_MAX];
	char		nulls[OWNER_ARGS_MAX];

	Assert(PG_NARGS() == statement->nargs);
	for (int i = 0; i < statement->nargs; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	OwnerCheck(relid);
	if (statement->registry)
		RegisteredCheck(relid, statement->registry);
	return RunAsOwner(relid, statement, args, nulls, &fcinfo->isnull);
}

/*
 * May the caller read all rows of a relation?  What is made of many of them shows
 * those, too, that row-level security hides.
 */
bool
MayReadAllRows(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

/* An error when not */
void
ReadAllRowsCheck(Oid relid)
{
	AclResult	may = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);

	if (may != ACLCHECK_OK)
		aclcheck_error(may, OBJECT_TABLE, get_rel_name(relid));
	if (!MayReadAllRows(relid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row-level security hides rows of \"%s\"", get_rel_name(relid)),
				 errhint("It takes a role that sees all of them: its owner, or one with BYPASSRLS.")));
}

/* For whoever may read the relation */
Datum
OwnerRead(Oid relid, const OwnerStatement *statement, Datum *args, bool *isnull)
{
	ReadAllRowsCheck(relid);
	RegisteredCheck(relid, statement->registry);
	return RunAsOwner(relid, statement, args, NULL, isnull);
}

/*
 * A registry's row of a relation, to the relation's owner: the statement, which
 * runs as the registry's owner, may lock it.
 */
Datum
OwnerReadRow(Oid relid, const char *registry, const char *sql, bool *isnull)
{
	OwnerStatement read = {registry, sql, false, 1, {REGCLASSOID}};
	Datum		args[1] = {ObjectIdGetDatum(relid)};

	OwnerCheck(relid);
	return RunAsOwner(Registry(registry), &read, args, NULL, isnull);
}

/*
 * The registry's row of a relation comes, changes or, without an entry (NULL),
 * goes, for the relation's owner.  The statement, which runs as the registry's
 * owner, touches no other relation's row.
 */
void
OwnerWriteRow(Oid relid, const char *registry, const char *sql, const NullableDatum *entry)
{
	Oid			table = Registry(registry);
	OwnerStatement write = {registry, sql, false, 2, {REGCLASSOID, get_rel_type_id(table)}};
	Datum		args[2] = {ObjectIdGetDatum(relid), entry->value};
	bool		isnull;

	OwnerCheck(relid);
	(void) RunAsOwner(table, &write, args, entry->isnull ? " n" : "  ", &isnull);
}

/* An error unless the caller may act as the role that a column of a row names: the one of a view's check */
static void
RowCheck(Relation rel, HeapTuple row, const char *column)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		owner = heap_getattr(row, get_attnum(RelationGetRelid(rel), column), desc, &isnull);

	if (isnull || !has_privs_of_role(GetUserId(), DatumGetObjectId(owner)))
		ereport(ERROR,
				(errcode(ERRCODE_WITH_CHECK_OPTION_VIOLATION),
				 errmsg("permission denied for a row of table \"%s\"", RelationGetRelationName(rel)),
				 errdetail("It belongs to another role.")));
}

/*
 * Trigger: nobody writes a table by a privilege alone, as members of
 * pg_write_all_data have it, but who may act as its owner; where an argument
 * names a column, also who may act as the role in it, of each row.
 */
PG_FUNCTION_INFO_V1(assay_owner_writes);
Datum
assay_owner_writes(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	row = NULL;
	bool		may;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("owner_writes must be called as a trigger")));
	may = has_privs_of_role(GetUserId(), trigger->tg_relation->rd_rel->relowner);
	if (TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	if (!may && row && trigger->tg_trigger->tgnargs > 0)
	{
		RowCheck(trigger->tg_relation, trigger->tg_trigtuple, trigger->tg_trigger->tgargs[0]);
		if (row != trigger->tg_trigtuple)
			RowCheck(trigger->tg_relation, row, trigger->tg_trigger->tgargs[0]);
		may = true;
	}
	if (!may)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table \"%s\"", RelationGetRelationName(trigger->tg_relation)),
				 errdetail("What stands in it is run with the rights of others."),
				 errhint("It is written by the functions of pg_assay.")));
	return PointerGetDatum(row);
}
