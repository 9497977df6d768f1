/*
 * distributed.c
 *		What Citus tells of a table, where it is in the database.
 *
 * Citus is no library of ours: its catalogue is read, by names.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/skey.h"
#include "access/table.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "distributed.h"
#include "fmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* A table of its catalogue, or InvalidOid: as cheap as a syscache where it is not there */
Oid
CitusTable(const char *name)
{
	return get_relname_relid(name, PG_CATALOG_NAMESPACE);
}

/*
 * Are the rows of a table elsewhere?  Citus keeps those of a distributed table
 * in shards, and the table itself empty, here and on each node that knows it.
 */
bool
IsDistributed(Oid relid)
{
	Oid			catalog = CitusTable("pg_dist_partition");
	AttrNumber	column = OidIsValid(catalog) ? get_attnum(catalog, "logicalrelid") : InvalidAttrNumber;
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	bool		found;

	if (column == InvalidAttrNumber || get_atttype(catalog, column) != REGCLASSOID)
		return false;
	rel = table_open(catalog, AccessShareLock);
	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* is_distributed(relation) */
PG_FUNCTION_INFO_V1(assay_is_distributed);
Datum
assay_is_distributed(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(IsDistributed(PG_GETARG_OID(0)));
}
