/*
 * text_model_learn.c
 *		What learning needs beyond SQL: running as the text model's owner, and
 *		writing the registry, which is nobody's.
 *
 * The statements themselves are in text_model_learn.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "owner.h"
#include "snapshot_mark.h"
#include "text_model_use.h"

/*
 * text_model_learn_as_owner(relation, steps): assay_internal.text_model_learn() as
 * the owner of the table, whoever of his role calls.
 */
PG_FUNCTION_INFO_V1(text_model_learn_as_owner);
Datum
text_model_learn_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement learn = {"text_model_registry", "SELECT assay_internal.text_model_learn($1, $2)", false, 2, {REGCLASSOID, INT4OID}};

	return OwnerCall(fcinfo, &learn);
}

/*
 * The text model as it was known then, to whoever may read the table.  Its
 * columns' types, and casts from them, are the owner's to choose.
 */
Datum
TextModelKnown(Oid relation, TimestampTz at, bool *isnull)
{
	static const OwnerStatement known = {"text_model_registry", "SELECT assay_internal.text_model_known($1, $2)", true, 2, {REGCLASSOID, TIMESTAMPTZOID}};
	Datum		args[2] = {ObjectIdGetDatum(relation), TimestampTzGetDatum(at)};

	return OwnerRead(relation, &known, args, isnull);
}

/* text_model_at_as_owner(relation, at): the same */
PG_FUNCTION_INFO_V1(text_model_at_as_owner);
Datum
text_model_at_as_owner(PG_FUNCTION_ARGS)
{
	bool		isnull;
	Datum		model = TextModelKnown(PG_GETARG_OID(0), PG_GETARG_TIMESTAMPTZ(1), &isnull);

	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(model);
}

/*
 * What a call site of text_model_at() keeps: a model takes long to put together.
 * It is good for the snapshot that it was read under, since a call site may
 * live as long as the session: that of a policy's condition does.
 */
#define KNOWN_MODELS	8

typedef struct KnownModel
{
	char	   *name;			/* NULL: free */
	Oid			user;
	SnapshotMark snapshot;
	int64		day;
	Datum		model;
	bool		isnull;
} KnownModel;

typedef struct KnownModels
{
	KnownModel	known[KNOWN_MODELS];
	int			next;			/* the one to go */
} KnownModels;

/* Ask for a model, into a place of the current memory context. */
static void
AskForModel(KnownModel *k, Datum name, Datum at)
{
	Oid			types[2] = {TEXTOID, TIMESTAMPTZOID};
	Datum		args[2] = {name, at};
	Datum		model;

	SPI_connect();
	if (SPI_execute_with_args("SELECT assay_internal.text_model_at_as_owner((assay_internal.text_model_named($1)).relation, $2)",
							  2, types, args, NULL, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not ask for a text model");
	model = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &k->isnull);
	k->model = k->isnull ? (Datum) 0 : SPI_datumTransfer(model, false, -1);
	SPI_finish();
}

/* What is known under this snapshot and user, or NULL */
static KnownModel *
FindKnown(KnownModels *all, const char *name, int64 day)
{
	for (int i = 0; i < KNOWN_MODELS; i++)
	{
		KnownModel *k = &all->known[i];

		if (k->name && k->day == day && k->user == GetUserId() &&
			SnapshotIsMarked(&k->snapshot, GetActiveSnapshot()) && strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

/* One that is of no use any more, or else the next in turn */
static KnownModel *
PlaceFor(KnownModels *all)
{
	for (int i = 0; i < KNOWN_MODELS; i++)
		if (all->known[i].name && !SnapshotIsMarked(&all->known[i].snapshot, GetActiveSnapshot()))
			return &all->known[i];
	all->next = (all->next + 1) % KNOWN_MODELS;
	return &all->known[all->next];
}

static void
Forget(KnownModel *k)
{
	if (k->name == NULL)
		return;
	pfree(k->name);
	if (!k->isnull)
		pfree(DatumGetPointer(k->model));
	k->name = NULL;
}

/*
 * text_model_at(name, at): the text model as it was known before the day of a
 * moment.
 */
PG_FUNCTION_INFO_V1(text_model_at);
Datum
text_model_at(PG_FUNCTION_ARGS)
{
	KnownModels *all = fcinfo->flinfo->fn_extra;
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		day = DayOfMoment(PG_GETARG_TIMESTAMPTZ(1));
	KnownModel *k;
	KnownModel	asked = {0};
	MemoryContext old;

	if (all == NULL)
		all = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(KnownModels));
	k = FindKnown(all, name, day);
	if (k == NULL)
	{
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		AskForModel(&asked, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
		asked.name = pstrdup(name);
		MemoryContextSwitchTo(old);
		asked.user = GetUserId();
		MarkSnapshot(&asked.snapshot, GetActiveSnapshot());
		asked.day = day;
		k = PlaceFor(all);
		Forget(k);
		*k = asked;
	}
	if (k->isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(k->model);
}

/*
 * text_model_row(relation, entry): the registry's row of a table of the
 * caller's comes, changes or, without an entry, goes.
 */
PG_FUNCTION_INFO_V1(text_model_row);
Datum
text_model_row(PG_FUNCTION_ARGS)
{
	if (!PG_ARGISNULL(0))
		OwnerWriteRow(PG_GETARG_OID(0), "text_model_registry", "SELECT assay_internal.text_model_write_row($1, $2)", &fcinfo->args[1]);
	PG_RETURN_VOID();
}
