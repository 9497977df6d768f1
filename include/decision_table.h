/*
 * decision_table.h
 *		The table that a policy's decisions are written to.
 */
#ifndef ASSAY_DECISION_TABLE_H
#define ASSAY_DECISION_TABLE_H

#include "access/tupdesc.h"
#include "config.h"
#include "evaluate.h"
#include "nodes/params.h"

/* Decisions of one statement or batch, under this name in the INSERT's query */
#define DECISIONS_NAME	"(decisions)"

/* What is written behind the key columns, in this order */
typedef enum DecisionColumn
{
	DECISION_REVISION,
	DECISION_DECIDED_AT,
	DECISION_VERDICT,
	DECISION_SCORE,
	DECISION_ATTRIBUTION,
	DECISION_DEGRADED,
	DECISION_SIGNALS			/* where signals are logged */
} DecisionColumn;

/* Where rows go: the table itself, or one of its partitions */
typedef struct DecisionPart
{
	Oid			relid;
	bool		plain;			/* as below, of this one */
	bool		direct;
	bool		replaces;		/* a row may take another's place */
	int		   *attnums;		/* where what is written is in it */
	List	   *indexes;		/* of Oid */
	List	   *toast;			/* what holds long values, and its indexes */
} DecisionPart;

typedef struct DecisionTable
{
	PolicyIdentity *id;
	int			nkeys;
	Oid		   *key_types;
	TupleDesc	desc;			/* of what is written */
	bool		log_signals;	/* wanted, and there is a column for them */
	bool		plain;			/* writing a row runs nothing of a user's; of
								 * partitions see each */
	bool		direct;			/* ... nor needs a query, unless its key is
								 * there */
	DecisionPart whole;			/* the table itself */
	int			part_key;		/* key column by whose ranges it is
								 * partitioned, or -1 */
	List	   *parts;			/* partitions that were looked at */
	const char *replaced;		/* condition of "(decision)" for what gives
								 * its place to another, or NULL */
	MemoryContext context;		/* of all this */
} DecisionTable;

extern void MustHaveKey(const PolicyIdentity *id, Oid messages);
extern DecisionTable *OpenDecisionTable(PolicyIdentity *id);
extern char *InsertStart(DecisionTable *t);
extern char *InsertEnd(DecisionTable *t);
extern char *InsertOneSql(DecisionTable *t);
extern char *InsertManySql(DecisionTable *t, bool unique);
extern void FillDecision(DecisionTable *t, Datum *values, bool *nulls, int revision,
						 TimestampTz at, const char *verdict,
						 const PolicyDecision *decision);
extern bool KeyIsShort(DecisionTable *t, const Datum *values, const bool *nulls);
extern bool DecisionIsWide(DecisionTable *t, const Datum *values, const bool *nulls);
extern ParamListInfo KeyParams(DecisionTable *t, const Datum *values, const bool *nulls);
extern int	PlainFormats(void);
extern char *KeyText(DecisionTable *t, const Datum *values, const bool *nulls);
extern void LookAtPart(DecisionTable *t, DecisionPart *part);
extern bool IsUniqueBy(Relation rel, List *key);
extern bool BringsUniqueKeys(DecisionTable *t, Relation messages);

#endif							/* ASSAY_DECISION_TABLE_H */
