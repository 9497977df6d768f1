/*
 * owner.h
 *		Who owns a relation, and statements that run with his rights.
 */
#ifndef ASSAY_OWNER_H
#define ASSAY_OWNER_H

#include "fmgr.h"

extern Oid	RelationOwner(Oid relid);
extern Oid	FunctionOwner(Oid function);
extern bool MayActAs(Oid role, Oid owner);
extern bool OperatorIsTrusted(Oid owner, Oid operator);
extern bool TypeIsTrusted(Oid owner, Oid type);
extern bool InputRunsCode(Oid type);
extern bool SchemaIsOurs(Oid schema);
extern bool MayReadAllRows(Oid relid);
extern void ReadAllRowsCheck(Oid relid);

#define OWNER_ARGS_MAX	2

/* A SELECT of one row and column */
typedef struct OwnerStatement
{
	const char *registry;		/* in schema assay: where the relation must
								 * be; NULL: the statement touches no other */
	const char *sql;
	bool		read_only;
	int			nargs;
	Oid			types[OWNER_ARGS_MAX];
} OwnerStatement;

/* The value comes in the caller's memory */
extern Datum OwnerCall(FunctionCallInfo fcinfo, const OwnerStatement *statement);
extern Datum OwnerRead(Oid relid, const OwnerStatement *statement, Datum *args, bool *isnull);
extern Datum OwnerReadRow(Oid relid, const char *registry, const char *sql, bool *isnull);
extern void OwnerWriteRow(Oid relid, const char *registry, const char *sql, const NullableDatum *entry);

#endif							/* ASSAY_OWNER_H */
