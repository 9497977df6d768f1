/*
 * batch.h
 *		A policy over many stored messages: what replay() and backfill() share.
 */
#ifndef ASSAY_BATCH_H
#define ASSAY_BATCH_H

#include "access/stratnum.h"
#include "config.h"
#include "decision_table.h"
#include "lib/stringinfo.h"
#include "pg_config_manual.h"
#include "security.h"
#include "tcop/dest.h"
#include "utils/portal.h"
#include "utils/tuplestore.h"

/*
 * Three bounds, each of twice as many values as an index has columns, a key as
 * texts, and the rest
 */
#define QUERY_PARAMS_MAX	(7 * INDEX_MAX_KEYS + 16)

/* A key may be a row: IS NULL would ask for its fields, and one that has a null for some of them is a key. */
#define KEY_IS_NULL		"IS NOT DISTINCT FROM NULL"
#define KEY_IS_THERE	"IS DISTINCT FROM NULL"

/* A query in the making, with the values of its $n */
typedef struct BatchQuery
{
	StringInfoData sql;
	bool		read_only;		/* with the snapshot that is active */
	int			nparams;
	Oid			types[QUERY_PARAMS_MAX];
	Datum		values[QUERY_PARAMS_MAX];
} BatchQuery;

/* The messages that it is about */
typedef struct Source
{
	const char *policy;
	PolicyIdentity *id;
	bool		as_caller;		/* who is not the owner reads with rights of
								 * its own */
	bool		distributed;	/* the view reads tables that Citus has */
	bool		reused;			/* some keys came again without a decision
								 * (reused_key.c); */
	struct KeptKeys *kept;		/* those of them that matter, or NULL: all */
	const char *alias;			/* of the signals view: no column of it has
								 * ... */
	const char *scores[2];		/* this name, nor these of what is made of it */
	const char *signals;
	int			nkeys;
	const char **keys;			/* quoted names */
	Oid		   *key_types;		/* in the view */
	const char *at;				/* quoted column of times, or NULL */
	const char *at_column;		/* and as it is */
	bool		logged;			/* about logged signals, not the view's */
	bool		covering;		/* and those only that have all its columns */
	int			log_revision;	/* what this one logged goes before what later
								 * ones did; 0: none */
	const char *row;			/* expression of the row of signals, */
	const char *time;			/* and of its time, or NULL */
	TimestampTz since;
	TimestampTz until;
	char	   *(*tables) (struct Source *s);	/* messages' keys to select
												 * from without the view, or
												 * NULL */
	const char *keys_from;		/* these, while they are, in place of the view */
} Source;

/* Which signals of a message */
typedef enum SignalsFrom
{
	SIGNALS_VIEW,				/* what the view has now */
	SIGNALS_LOGGED,				/* as they were when it was decided */
	SIGNALS_AUTO				/* these, where all that the view has was
								 * logged */
} SignalsFrom;

/*
 * A query that scores messages into a tuplestore:
 *
 *		select FROM (SELECT columns, scores FROM view alias WHERE where OFFSET 0) s
 *
 * Over distributed tables the scores are made where the messages are, and only
 * what is in the result travels:
 *
 *		select FROM (SELECT alias.* FROM view alias WHERE where) alias
 *			CROSS JOIN LATERAL assay.score(...) score_a
 */
typedef struct BatchScan
{
	Source	   *source;
	Tuplestorestate *store;
	bool		raise_errors;	/* on_error => 'raise' */
	bool		read_only;		/* with the snapshot that is active */
	bool		serial;			/* workers have failed before */
	bool		one;			/* the query is about one message */
	bool		storing;		/* a row is put into the store: an error then
								 * may be the store's */
	Oid		   *key_types;		/* of the keys that "unreadable" takes */
	uint64		denied;			/* messages that could not be read for want of
								 * a right, */
	char		denied_why[256];	/* and the error of the first */
	void		(*columns) (struct BatchScan *scan, BatchQuery *q);
	void		(*scores) (struct BatchScan *scan, BatchQuery *q);
	void		(*where) (struct BatchScan *scan, BatchQuery *q);
	void		(*joined) (struct BatchScan *scan, BatchQuery *q);	/* behind all, or NULL */
	void		(*unreadable) (struct BatchScan *scan, Datum *key, bool *nulls, const char *sqlstate);
} BatchScan;

extern void QueryStart(BatchQuery *q);
extern void QueryAdd(BatchQuery *q, const char *format,...) pg_attribute_printf(2, 3);
extern void QueryValue(BatchQuery *q, Oid type, Datum value);
extern uint64 QueryRun(BatchQuery *q, int expected, DestReceiver *dest);
extern void InitReceiver(DestReceiver *dest, bool (*receive) (TupleTableSlot *slot, DestReceiver *self));
extern void QueryRunLarge(BatchQuery *q, DestReceiver *dest);
extern Portal OpenQuery(BatchQuery *q);
extern void CloseQuery(Portal portal);
extern void QueryRunInto(BatchQuery *q, Tuplestorestate * store, TupleDesc desc);

extern void CheckSpan(TimestampTz since, TimestampTz until);
extern void InitSource(Source *s, const char *policy, TimestampTz since,
					   TimestampTz until, const char *at, bool look);
extern void InitSourceKeys(Source *s, const char *policy);
extern bool SourceHasKey(const Source *s, const char *column);
extern Datum KeyValue(const Source *s, int i, Datum value, bool isnull);
extern void SourceMayRead(Source *s, Oid table, const char *table_name);
extern void EnterSource(Security *security, Source *s);
extern void AddKeys(BatchQuery *q, Source *s, const char *alias, const char *behind);
extern void AddKeyBound(BatchQuery *q, Source *s, StrategyNumber strategy, Datum *key);
extern void AddTimes(BatchQuery *q, Source *s);
extern void AddSameKey(BatchQuery *q, Source *s, const char *a, const char *b);
extern void AddTextKey(BatchQuery *q, Source *s, const char *texts, const char *alias);
extern void AddKeyArray(BatchQuery *q, Source *s, const char *alias);
extern bool SourceHasLog(Source *s);
extern void SourceUseLog(Source *s, bool covering);
extern void AddHasLog(BatchQuery *q, Source *s, const char *alias);
extern void AddNoLaterLog(BatchQuery *q, Source *s, const char *alias);
extern void AddLatestLogged(BatchQuery *q, Source *s);
extern void AddNotLogged(BatchQuery *q, Source *s);
extern void AddFrom(BatchQuery *q, Source *s);
extern SignalsFrom ParseSignalsFrom(const char *from);
extern void CheckSourceLog(Source *s, SignalsFrom from);
extern void AddScore(BatchQuery *q, Source *s, int revision, bool drafts,
					 bool at_its_time, const char *column);
extern const char *RowAlias(Source *s);
extern void AddScored(BatchQuery *q, Source *s, int i, const char *field);
extern void AddScanFrom(BatchQuery *q, Source *s);
extern void AddScanQuery(BatchScan *scan, BatchQuery *q);
extern void RefuseDistributed(Source *s, const char *what, const char *hint);
extern bool ReadRevision(Source *s, int revision, int *found);
extern void LetWorkersScan(void);
extern void RunKeys(Source *s, void (*run) (void *arg), void *arg);
extern void RunScan(BatchScan *scan);
extern void DecideUnread(Source *s, int revision, bool drafts, const char *sqlstate,
						 PolicyDecision *decision, const char **verdict);

#endif							/* ASSAY_BATCH_H */
