/*
 * decide_plans.h
 *		The plans by which a decide() trigger reads signals and writes decisions.
 */
#ifndef ASSAY_DECIDE_PLANS_H
#define ASSAY_DECIDE_PLANS_H

#include "decision_table.h"
#include "executor/spi.h"
#include "invalidation.h"
#include "kept_query.h"
#include "logged_signals.h"

/*
 * Kept while its dependencies hold.  Row-level triggers share those of their
 * policy, whatever their tables; a statement-level trigger's are of its table,
 * and so are those on a shard.
 */
typedef struct DecidePlans
{
	Dependencies dependencies;
	char	   *policy;
	Oid			relation;		/* or InvalidOid: of row-level triggers */
	char	   *transition;		/* name of the transition table, or NULL */
	MemoryContext context;
	int			pins;			/* in use: keep it */
	bool		whole;			/* it was made to the end */
	uint64		last_used;
	Size		bytes;			/* when it was made */
	TimestampTz retry_at;		/* look again, where something may be better
								 * then */

	PolicyIdentity *id;
	DecisionTable *table;
	SPIPlanPtr	keys_plan;		/* the keys of the transition table */
	bool		whole_keys;		/* as they stand in it */
	SPIPlanPtr	all_plan;		/* their signals */
	SPIPlanPtr	one_plan;		/* the signals of one key */
	SPIPlanPtr	new_all_plan;	/* the same from the new rows, or NULL */
	SPIPlanPtr	new_one_plan;	/* ... from the columns of the only one */
	KeptQuery  *kept;			/* that one, ready to run, or NULL */
	Bitmapset  *new_used;		/* columns that these use */
	AttrNumber	looked_up;		/* the one that most lookups go by, or 0 */
	const char *why_not;		/* there are no such, or NULL */
	SPIPlanPtr	insert_many;	/* from the tuplestore */
	SPIPlanPtr	insert_one;		/* from parameters */
	bool		sure;			/* the table was seen to take decisions ... */
	TimestampTz unsure_until;	/* ... and none failed so long */
	int			patience;		/* milliseconds to wait for locks, after
								 * others waited in vain; or 0 */
	LocalTransactionId wait_lxid;	/* the statement that has tried to write
									 * ... */
	CommandId	wait_cid;
	int64		wait_left;		/* ... milliseconds that it may wait in vain */
	int64		time_left;		/* ... and until it must end */
	bool		waited;			/* ... it has */
	char		broken[6];		/* SQLSTATE: the signals can't be read */
	char	   *broken_message;
	TupleDesc	signals;		/* of the signals query; NULL when broken */
	uint64		entry;			/* number of the policy's that was found for
								 * it */
	SignalsShape *shape;		/* of the signals that are logged, or NULL */
} DecidePlans;

extern DecidePlans *GetDecidePlans(const char *policy, Relation rel, const char *transition,
								   MemoryContext context, bool *raise);
extern PolicyIdentity *IdentifySoon(const char *policy, bool again);

/*
 * Lock the view before a query finds it by its name.  Whoever had it meanwhile may
 * have renamed it, which is an error: that name may be anybody's now, and what is his
 * would run as the policy's owner.
 */
extern void LockSignals(PolicyIdentity *id);

extern bool DecidePlansHold(DecidePlans *t);
extern bool NewRowsPlansHold(DecidePlans *t);
extern bool HaveNewRowsPlans(DecidePlans *t, Relation rel);
extern Size DecidePlansBytes(const char *policy, int *triggers);

#endif							/* ASSAY_DECIDE_PLANS_H */
