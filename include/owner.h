/*
 * owner.h
 *		Who owns a relation, and statements that run with his rights.
 */
#ifndef OWNER_H
#define OWNER_H

extern Oid	RelationOwner(Oid relid);

/* A SELECT of one row and column */
typedef struct OwnerStatement
{
	const char *sql;
	bool		read_only;
	int			nargs;
	Oid			types[2];
} OwnerStatement;

/* The value comes in the caller's memory */
extern Datum OwnerCall(Oid relid, const OwnerStatement *statement, Datum *args, const char *nulls, bool *isnull);
extern Datum OwnerCallFor(Oid relid, Oid other, const OwnerStatement *statement, Datum *args, const char *nulls, bool *isnull);
extern Datum OwnerRead(Oid relid, const OwnerStatement *statement, Datum *args, bool *isnull);

#endif							/* OWNER_H */
