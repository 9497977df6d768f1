/*
 * owner.h
 *		Statements that run with the rights of a relation's owner.
 */
#ifndef OWNER_H
#define OWNER_H

/* By the value of one row and column, which is passed by value; NULL gives 0 */
extern Datum OwnerCall(Oid relid, const char *command, int nargs, Oid *types, Datum *args, const char *nulls);

#endif							/* OWNER_H */
