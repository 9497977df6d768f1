/*
 * phrase_author.c
 *		Changing a phrase set through the view assay.phrase: its triggers.
 *
 * The row trigger turns INSERT, UPDATE and DELETE into rows of
 * assay.phrase_entry, and the statement trigger compiles each set that changed,
 * in assay.phrase_base.  All of it happens under the lock of the set's row, which
 * named_set.c takes; the tables are written as their owner.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "named_set.h"
#include "refuse_null.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Run a statement as the owner of the tables, planned once in a backend. */
static void
RunAsOwner(SPIPlanPtr *plan, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls)
{
	NamedSetSecurity security;

	NamedSetEnter(&security);
	if (*plan == NULL)
	{
		SPIPlanPtr	made = SPI_prepare(sql, nargs, types);

		if (made == NULL || SPI_keepplan(made) != 0)
			elog(ERROR, "could not prepare a change of a phrase set");
		*plan = made;
	}
	if (SPI_execute_plan(*plan, values, nulls, false, 0) < 0)
		elog(ERROR, "could not change a phrase set");
	NamedSetLeave(&security);
}

/* Set $1 in state $2 at $3 by $4: the phrase comes, or goes. */
static bool
WriteRow(HeapTuple row, TupleDesc desc, bool put)
{
	static SPIPlanPtr plans[2];
	Oid			types[11] = {TEXTOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID, FLOAT8OID, TEXTOID, TIMESTAMPTZOID, TEXTOID};
	Datum		values[11];
	char		nulls[11];
	bool		isnull;
	text	   *name;
	OpenSet    *set;

	values[0] = heap_getattr(row, 1, desc, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a phrase needs a set")));
	name = DatumGetTextPP(values[0]);
	set = NamedSetOpen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), NAMED_SET_PHRASES);
	values[1] = Int64GetDatum(set->state);
	values[2] = TimestampTzGetDatum(set->at);
	values[3] = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
	memset(nulls, ' ', sizeof(nulls));
	/* name, pattern, kind, weight, theme, expires_at, note */
	for (int i = 0; i < 7; i++)
	{
		values[4 + i] = heap_getattr(row, 2 + i, desc, &isnull);
		if (isnull)
			nulls[4 + i] = 'n';
	}
	RunAsOwner(&plans[put], put ? "SELECT assay_internal.phrase_put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)" :
			   "SELECT assay_internal.phrase_remove($1, $2, $3, $4, $5, $6, $7)",
			   put ? 11 : 7, types, values, nulls);
	set->changes++;
	set->unsettled++;
	return SPI_processed > 0;
}

/* phrase_write(): INSTEAD OF INSERT OR UPDATE OR DELETE on assay.phrase, for each row */
PG_FUNCTION_INFO_V1(phrase_write);
Datum
phrase_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	result;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_INSTEAD(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("phrase_write must be called as a row trigger instead of a change of assay.phrase")));
	desc = RelationGetDescr(trigger->tg_relation);
	result = trigger->tg_trigtuple;
	SPI_connect();
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		(void) WriteRow(trigger->tg_trigtuple, desc, false);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		result = trigger->tg_newtuple;
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		(void) WriteRow(result, desc, true);
	SPI_finish();
	return PointerGetDatum(result);
}

static void
Compile(const char *name, int64 state)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {TEXTOID, INT8OID};
	Datum		values[2] = {CStringGetTextDatum(name), Int64GetDatum(state)};

	SPI_connect();
	RunAsOwner(&plan, "SELECT assay_internal.phrase_compile($1, $2)", 2, types, values, NULL);
	SPI_finish();
}

/* phrase_settle(): AFTER a statement on assay.phrase: compile what it changed */
PG_FUNCTION_INFO_V1(phrase_settle);
Datum
phrase_settle(PG_FUNCTION_ARGS)
{
	OpenSet    *set;
	int			i = 0;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("phrase_settle must be called as a trigger")));
	while ((set = NamedSetNextOpen(&i)) != NULL)
	{
		if (set->content == NULL || strcmp(set->content, NAMED_SET_PHRASES) != 0 || set->unsettled == 0)
			continue;
		NamedSetSettled(set);
		Compile(set->name, set->state);
	}
	return PointerGetDatum(NULL);
}

/* compile_phrase_set(set): anew, whatever there is */
PG_FUNCTION_INFO_V1(compile_phrase_set);
Datum
compile_phrase_set(PG_FUNCTION_ARGS)
{
	text	   *name;
	OpenSet    *set;

	RefuseNull(fcinfo, 0, "set");
	name = PG_GETARG_TEXT_PP(0);
	set = NamedSetOpen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), NAMED_SET_PHRASES);
	Compile(set->name, set->state);
	PG_RETURN_VOID();
}
