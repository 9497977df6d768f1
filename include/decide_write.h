/*
 * decide_write.h
 *		The decisions of one statement, from its new messages to what it wrote.
 */
#ifndef ASSAY_DECIDE_WRITE_H
#define ASSAY_DECIDE_WRITE_H

#include "commands/trigger.h"
#include "decide_plans.h"
#include "decision_parts.h"
#include "policy_cache.h"
#include "reused_key.h"
#include "security.h"
#include "sorted_rows.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

/* The decisions of one statement in the making */
typedef struct Decide
{
	DestReceiver dest;			/* must be first */
	TriggerData *trigdata;
	const char *policy_name;
	DecidePlans *plans;
	PolicyEntry *entry;
	CompiledPolicy *policy;
	Evaluation *evaluation;		/* NULL: the signals can't be read */
	bool		raise;			/* on_error => 'raise' */
	bool		single;			/* there is one message, its key in "values" */
	bool		apart;			/* each row by itself */
	TimestampTz at;
	int		   *key_columns;	/* attribute numbers in the message table */
	bool		same_types;		/* as in the decision table? */
	Tuplestorestate *store;		/* of the decisions, unless single */
	ResourceOwner store_owner;	/* of its file, if it has one */
	ResourceOwner owner;		/* of the statement */
	int64		ndecisions;
	int64		nundecided;
	bool		odd_key;		/* of some decision: the table may refuse it */
	bool		wide;			/* some decision may not fit into a row */
	bool		notifies;		/* some verdict is told of */
	int			patience;		/* of a write, for locks; or 0 */
	DecisionParts parts;		/* where they go, once that is known */
	List	   *unwritten;		/* keys of decisions that were refused */
	UnwrittenKeys reused;		/* the same, to be kept if they came again */
	bool		unmade;			/* no message was decided */
	Datum	   *values;			/* of the decision made last */
	bool	   *nulls;
	List	   *faults;
	HeapTuple	row;			/* fetched by itself */
	bool		as_inserted;	/* nothing has changed the new rows */
	bool		new_rows;		/* the signals are made of them */
	bool		lightly;		/* entered with the settings that show alone */
	Security	security;		/* of who was before */
	TupleTableSlot *only;		/* the only new row, of a statement */
	SortedRows *sorted;			/* the new rows as they are read, or NULL */
	MemoryContext context;		/* of faults */
	MemoryContext per_row;
	MemoryContext per_message;	/* of what is fetched by itself */
} Decide;

extern void AddFault(Decide *d, const char *detector, const char *sqlstate, const char *message,
					 bool with_key, bool suspended, bool lasting);
extern bool IsOutdated(Decide *d);
extern bool WriteDecisions(Decide *d, bool again);

#endif							/* ASSAY_DECIDE_WRITE_H */
