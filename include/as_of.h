/*
 * as_of.h
 *		What lookups of a key as of a moment have in common: keys of scans,
 *		and what may be remembered of them.
 */
#ifndef ASSAY_AS_OF_H
#define ASSAY_AS_OF_H

#include "access/skey.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "snapshot_mark.h"
#include "utils/rel.h"

/*
 * What a call site remembers while its snapshot stays: a batch has several
 * messages of a key and day.  It begins at its second call, and never is about
 * keys or rows longer than these.
 */
#define REMEMBERED		256		/* a power of two */
#define KEY_BYTES_MAX	256
#define ROW_BYTES_MAX	4096

/* What was to be seen then; all that lies between are commits and commands. */
typedef struct Seen
{
	SnapshotMark snapshot;
	SubTransactionId subxact;
} Seen;

/* The arguments that are a key's values, and how their types are stored */
typedef struct KeyArguments
{
	int			first;			/* argument */
	int			n;
	int16		typlen[INDEX_MAX_KEYS];
	bool		typbyval[INDEX_MAX_KEYS];
} KeyArguments;

/* as_of.c */
extern uint64 AsOfGeneration(void);
extern void KeyArgumentsInit(KeyArguments *args, FunctionCallInfo fcinfo, int first);
extern bool IndexIsUsable(Relation index);
extern Relation OpenBaselineIndex(Relation rel, int nkeys);
extern RegProcedure ComparingFunction(Form_pg_attribute attr, Oid opfamily, Oid opcintype, StrategyNumber strategy, Oid *type);
extern void InitScanKey(ScanKey key, Relation rel, Relation index, int column, StrategyNumber strategy, Oid type);
extern Oid	BaselineOfArgument(FunctionCallInfo fcinfo);
extern void MayReadBaseline(Relation rel, const char *function);
extern TransactionId ChangedBy(Relation rel);
extern bool PushIfRewritten(Relation rel, TransactionId changed);
extern bool SeenIsCurrent(Seen *seen);
extern int	KeyBytes(FunctionCallInfo fcinfo, const KeyArguments *args, Datum upper, char *key);

#endif							/* ASSAY_AS_OF_H */
