/*
 * new_rows.h
 *		The signals of new messages from the rows themselves, where that is the
 *		same as to read the message table again.
 */
#ifndef ASSAY_NEW_ROWS_H
#define ASSAY_NEW_ROWS_H

#include "config.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "utils/rel.h"

/* The message table's place in the queries below, as a WITH query */
#define NEW_MESSAGE_NAME	"(message)"

typedef struct NewRows
{
	const char *why_not;		/* the rows are read again, or NULL, and then: */
	char	   *query;			/* of the signals view, over NEW_MESSAGE_NAME */
	Bitmapset  *used;			/* columns of the message that it shows or
								 * computes with */
	AttrNumber	looked_up;		/* by which column most lookups go, or 0 */
	List	   *relations;		/* oids of views that were written out in it,
								 * and of others that it rests on */
} NewRows;

extern void NewRowsInit(void);
extern bool NewRowsWanted(void);
extern bool RowsAreAsInserted(Relation rel);
extern void FindNewRows(NewRows *n, PolicyIdentity *id, const Oid *key_types, Relation rel);
extern char *NewRowsQuery(NewRows *n, PolicyIdentity *id, const Oid *key_types,
						  Relation rel, const char *table);
extern char *NewRowQuery(NewRows *n, PolicyIdentity *id, const Oid *key_types, Relation rel);

/* The parameters of the latter; used: columns that it uses */
extern ParamListInfo NewRowParams(TupleTableSlot *slot, const Bitmapset * used);

/* To write the query of a view out with other tables in it */
extern Query *ViewQuery(NewRows *n, PolicyIdentity *id, Oid relid);
extern void Become(RangeTblEntry * rte, RTEKind kind, List *columns);
extern List *TargetNames(Query *query);
extern bool MeansTheSame(const char *text_form, Query *query, TupleDesc desc);

#endif							/* ASSAY_NEW_ROWS_H */
