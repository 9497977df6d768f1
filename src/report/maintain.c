/*
 * maintain.c
 *		What the steps of maintain() came to.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "security.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Is it a step that maintain() has to do for the current user? */
static bool
IsStep(Oid *types, Datum *values, const char *nulls)
{
	if (SPI_execute_with_args("SELECT FROM assay_internal.maintenance_steps() s "
							  "WHERE s.step OPERATOR(pg_catalog.=) $1 AND s.object OPERATOR(pg_catalog.=) $2",
							  2, types, values, nulls, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the steps of maintenance");
	return SPI_processed > 0;
}

/*
 * note_step(step, object, state, rows, seconds, note): as the current user's.
 * Anybody may call it: what is no step of his is not kept, or he could fill the
 * table.
 */
PG_FUNCTION_INFO_V1(assay_note_step);
Datum
assay_note_step(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID, INT8OID, FLOAT8OID, TEXTOID, REGROLEOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types) + 1] = "       ";
	bool		known;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	values[PG_NARGS()] = ObjectIdGetDatum(GetUserId());
	SPI_connect();
	known = IsStep(types, values, nulls);
	SPI_finish();
	if (known)
		WriteConfiguration("maintenance", "INSERT INTO assay_internal.maintenance (step, object, state, rows, seconds, note, role, done_at) "
						   "VALUES ($1, $2, $3, $4, $5, $6, $7, CASE $3 WHEN 'done' THEN clock_timestamp() END) "
						   "ON CONFLICT (role, step, object) DO UPDATE SET state = EXCLUDED.state, rows = EXCLUDED.rows, seconds = EXCLUDED.seconds, "
						   "note = EXCLUDED.note, at = EXCLUDED.at, done_at = coalesce(EXCLUDED.done_at, maintenance.done_at)",
						   lengthof(types), types, values, nulls);
	PG_RETURN_VOID();
}

/*
 * lock_step(step, object): false: another session is at it, as the same role.
 * It is no advisory lock, and not one for all roles, which anybody could hold.
 */
PG_FUNCTION_INFO_V1(assay_lock_step);
Datum
assay_lock_step(PG_FUNCTION_ARGS)
{
	text	   *step = PG_GETARG_TEXT_PP(0);
	text	   *object = PG_GETARG_TEXT_PP(1);
	uint32		hash = hash_combine(hash_bytes((unsigned char *) VARDATA_ANY(step), VARSIZE_ANY_EXHDR(step)),
									hash_bytes((unsigned char *) VARDATA_ANY(object), VARSIZE_ANY_EXHDR(object)));
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, get_relname_relid("maintenance", get_namespace_oid("assay_internal", false)),
					   GetUserId(), (uint16) hash);
	PG_RETURN_BOOL(LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL);
}

/* forget_steps(steps): what the current user's maintain() came to with things that are gone by now; these are there */
PG_FUNCTION_INFO_V1(assay_forget_steps);
Datum
assay_forget_steps(PG_FUNCTION_ARGS)
{
	Oid			types[] = {TEXTARRAYOID, REGROLEOID};
	Datum		values[] = {PG_GETARG_DATUM(0), ObjectIdGetDatum(GetUserId())};

	WriteConfiguration("maintenance", "DELETE FROM assay_internal.maintenance m WHERE m.role = $2 AND NOT EXISTS ("
					   "SELECT FROM unnest($1) u(step) WHERE u.step = m.step || ' ' || m.object)",
					   lengthof(types), types, values, NULL);
	PG_RETURN_VOID();
}
