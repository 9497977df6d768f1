/*
 * list_history.c
 *		Letting go of values that were removed from a list long ago.
 *
 * History is there to ask a list as of a moment or a state, as replays do.
 * What goes is marked in the set's row: earlier moments are an error from then
 * on, never a wrong answer.  Sessions that loaded the list before the last of
 * what goes was removed can't catch up by its rows any more; by the same mark
 * they load it anew (Judge() in named_set.c).  A base that is as old is made
 * anew first.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "named_set.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* What is to go: of which list, removed until when, and the last state in which something of it was */
typedef struct Pruned
{
	Datum		set;
	TimestampTz before;
	int64		state;
	int64		rows;
} Pruned;

/* Run a statement about it: $1 is the set, $2 the moment, $3 the state. */
static uint64
RunPruning(const char *sql, const Pruned *p)
{
	Oid			types[] = {TEXTOID, TIMESTAMPTZOID, INT8OID};
	Datum		values[] = {p->set, TimestampTzGetDatum(p->before), Int64GetDatum(p->state)};
	int			result = SPI_execute_with_args(sql, lengthof(types), types, values, NULL, false, 0);

	if (result < 0)
		elog(ERROR, "could not prune a list: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* A column of the first row; 0 for a null */
static Datum
FirstRow(int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? (Datum) 0 : value;
}

/* The moment until which the user's list may be pruned; false where it is kept for ever, or is not the user's */
static bool
KeptSince(Pruned *p)
{
	NamedSetSecurity security;
	bool		isnull;

	if (RunPruning("SELECT pg_catalog.now() OPERATOR(pg_catalog.-) s.keep FROM assay.named_sets s WHERE s.set OPERATOR(pg_catalog.=) $1 "
				   "AND s.content OPERATOR(pg_catalog.=) 'list' AND s.keep IS NOT NULL AND $2 IS NOT NULL AND $3 IS NOT NULL", p) == 0)
		return false;
	p->before = DatumGetTimestampTz(FirstRow(1));
	/* what decisions need that are kept, whosever they are */
	NamedSetEnter(&security);
	if (RunPruning("SELECT LEAST($2, assay_internal.list_needed($1)) WHERE $3 IS NOT NULL", p) != 1)
		elog(ERROR, "could not ask what is needed of a list");
	NamedSetLeave(&security);
	p->before = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	return !isnull && !TIMESTAMP_NOT_FINITE(p->before);
}

/* Are there values to go? */
static bool
FindPruned(Pruned *p)
{
	NamedSetSecurity security;

	NamedSetEnter(&security);
	(void) RunPruning("SELECT pg_catalog.count(*), pg_catalog.max(e.removed_state) FROM assay.list_entry e WHERE e.set OPERATOR(pg_catalog.=) $1 "
					  "AND e.removed_state IS NOT NULL AND e.removed_at OPERATOR(pg_catalog.<=) $2 AND $3 IS NOT NULL", p);
	NamedSetLeave(&security);
	p->rows = DatumGetInt64(FirstRow(1));
	p->state = DatumGetInt64(FirstRow(2));
	return p->rows > 0;
}

/* Under the lock of the set's row: a base of a state before the last removal would have its value for ever. */
static void
RenewBase(const Pruned *p)
{
	NamedSetSecurity security;
	bool		old;

	NamedSetEnter(&security);
	old = RunPruning("SELECT FROM assay.list_base b WHERE b.set OPERATOR(pg_catalog.=) $1 AND b.state OPERATOR(pg_catalog.<) $3 AND $2 IS NOT NULL", p) > 0;
	NamedSetLeave(&security);
	if (old)
		(void) RunPruning("SELECT assay.rebuild_list($1) WHERE $2 IS NOT NULL AND $3 IS NOT NULL", p);
}

static void
Prune(Pruned *p)
{
	NamedSetSecurity security;

	NamedSetEnter(&security);
	p->rows = RunPruning("DELETE FROM assay.list_entry e WHERE e.set OPERATOR(pg_catalog.=) $1 AND e.removed_state OPERATOR(pg_catalog.<=) $3 "
						 "AND e.removed_at OPERATOR(pg_catalog.<=) $2", p);
	(void) RunPruning("UPDATE assay.named_set s SET pruned_at = GREATEST(s.pruned_at, $2), pruned_state = GREATEST(s.pruned_state, $3) "
					  "WHERE s.set OPERATOR(pg_catalog.=) $1", p);
	NamedSetLeave(&security);
}

/* prune_list(set) */
PG_FUNCTION_INFO_V1(assay_prune_list);
Datum
assay_prune_list(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	Pruned		p = {.set = PointerGetDatum(name)};

	SPI_connect();
	if (KeptSince(&p) && FindPruned(&p))
	{
		(void) NamedSetOpen(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), NAMED_SET_LIST);
		RenewBase(&p);
		Prune(&p);
	}
	else
		p.rows = 0;
	SPI_finish();
	PG_RETURN_INT64(p.rows);
}
