/*
 * decide.h
 *		What a decide() trigger keeps from one firing to the next.
 */
#ifndef ASSAY_DECIDE_H
#define ASSAY_DECIDE_H

#include "commands/trigger.h"
#include "executor/spi.h"
#include "policy.h"

/* Decisions of one statement, under this name in the INSERT's query */
#define DECISIONS_NAME	"(decisions)"

/* A trigger's plans, kept while the generation stays */
typedef struct DecidePlans
{
	Oid			trigger;
	char	   *policy;
	uint64		generation;
	MemoryContext context;
	PolicyIdentity *id;
	int			nkeys;
	Oid		   *key_types;		/* of the decision table */
	int		   *key_columns;	/* attribute numbers in the message table */
	bool		same_types;		/* as there? */
	char	   *transition;		/* name of the transition table, or NULL */
	SPIPlanPtr	keys_plan;		/* the keys of the transition table */
	SPIPlanPtr	all_plan;		/* their signals */
	SPIPlanPtr	one_plan;		/* the signals of one key */
	SPIPlanPtr	insert_many;	/* from the tuplestore */
	SPIPlanPtr	insert_one;		/* from parameters */
	char		broken[6];		/* SQLSTATE: the signals can't be read */
	char	   *broken_message;
	TupleDesc	signals;		/* of the signals query; empty when broken */
	TupleDesc	decisions;		/* of the tuplestore */
	int			pins;			/* in use: keep them */
	uint64		last_used;
} DecidePlans;

extern void DecidePlansInit(void);
extern Size DecidePlansMemory(const char *policy, int *triggers);
extern DecidePlans *GetDecidePlans(TriggerData *trigdata, const char *policy);
extern void FindKeyColumns(DecidePlans *t, Relation rel);

#endif							/* ASSAY_DECIDE_H */
