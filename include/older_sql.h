/*
 * older_sql.h
 *		Calls by an older version's SQL.
 *
 * A new library is installed before ALTER EXTENSION UPDATE runs.  Until then the
 * functions in the catalogue are those of before, which may have fewer arguments.
 */
#ifndef ASSAY_OLDER_SQL_H
#define ASSAY_OLDER_SQL_H

#include "fmgr.h"

/* Error where a function that has "nargs" arguments now is called as it was before they all came */
static inline void
RefuseOlderCall(FunctionCallInfo fcinfo, int nargs)
{
	if (PG_NARGS() < nargs)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this function belongs to an older version of pg_assay than its library"),
				 errhint("Run ALTER EXTENSION pg_assay UPDATE.")));
}

#endif							/* ASSAY_OLDER_SQL_H */
