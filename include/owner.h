/*
 * owner.h
 *		Who owns a relation, and statements that run with his rights.
 */
#ifndef OWNER_H
#define OWNER_H

extern Oid	RelationOwner(Oid relid);

/* By the value of one row and column, which is passed by value; NULL gives 0 */
extern Datum OwnerCall(Oid relid, const char *command, int nargs, Oid *types, Datum *args, const char *nulls);

#endif							/* OWNER_H */
