/*
 * baseline_retain.c
 *		Baselines that keep the history of messages that are gone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "owner.h"

/* Rows of what is gone go by the way: another table may get its number. */
#define GONE \
	"WITH gone AS (DELETE FROM assay_internal.kept_baseline k " \
	"WHERE NOT EXISTS (SELECT FROM assay.baseline b WHERE b.relation OPERATOR(pg_catalog.=) k.relation))"

/* baseline_keep_row(relation, keep), for who may act as the baseline's owner */
PG_FUNCTION_INFO_V1(baseline_keep_row);
Datum
baseline_keep_row(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	bool		isnull;

	(void) OwnerReadRow(relid, "baseline", PG_GETARG_BOOL(1) ?
						GONE ", kept AS (INSERT INTO assay_internal.kept_baseline (relation) SELECT b.relation FROM assay.baseline b "
						"WHERE b.relation OPERATOR(pg_catalog.=) $1 ON CONFLICT DO NOTHING) SELECT true" :
						GONE ", unkept AS (DELETE FROM assay_internal.kept_baseline k "
						"WHERE k.relation OPERATOR(pg_catalog.=) $1) SELECT true",
						&isnull);
	PG_RETURN_VOID();
}

/* baseline_compact_as_owner(relation, before): baseline_compact() with the rights of the baseline's owner */
PG_FUNCTION_INFO_V1(baseline_compact_as_owner);
Datum
baseline_compact_as_owner(PG_FUNCTION_ARGS)
{
	static const OwnerStatement compact = {"baseline", "SELECT assay_internal.baseline_compact($1, $2)", false, 2, {REGCLASSOID, DATEOID}};

	return OwnerCall(fcinfo, &compact);
}
