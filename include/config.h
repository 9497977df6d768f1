/*
 * config.h
 *		A policy as the configuration tables have it: plain structs.
 */
#ifndef ASSAY_CONFIG_H
#define ASSAY_CONFIG_H

#include "compat.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "protect.h"
#include "snapshot_mark.h"

/*
 * What one revision may have of each: the conditions of detectors and
 * exclusions are columns of rows, and so are guards.
 */
#define POLICY_DETECTORS_MAX	20000
#define POLICY_EXCLUSIONS_MAX	10000
#define POLICY_GUARDS_MAX		10000

/* What a policy reads and writes, and as whom */
typedef struct PolicyIdentity
{
	char	   *policy;
	int			revision;		/* the one asked for, or the current one */
	bool		current;		/* the latter */
	TransactionId author;		/* whose transaction makes the next, or none */
	SnapshotMark mark;			/* on a standby: which found no next one */
	Oid			owner;			/* of the decision table */
	char	   *search_path;
	Oid			signals;		/* the view, or InvalidOid when it is gone */
	char	   *signals_name;	/* qualified and quoted, as are the others */
	struct Query *signals_query;	/* on a shard: the view's query there ... */
	char	   *signals_source; /* ... and its text; else NULL (shards.c) */
	Oid			decision;
	char	   *decision_name;
	Oid			label;
	Oid			access;			/* view whose privileges are the policy's
								 * rights */
	char	   *label_name;
	List	   *key;			/* names of the key columns */
	bool		raise_errors;	/* on_error => 'raise' */
	bool		log_signals;
	bool		forgets_signals;	/* earlier than the decisions */
	char	   *on_unreadable;	/* a verdict, or NULL: the default */
} PolicyIdentity;

typedef struct ConfigGuard
{
	char	   *name;
	char	   *condition;
} ConfigGuard;

typedef struct ConfigDetector
{
	char	   *name;
	char	   *condition;		/* or NULL, and then: */
	Datum		model;			/* or 0, and then: */
	char	   *text_model;		/* name of a text model, and of which text: */
	char	   *content;
	double		weight;
	bool		shadow;
	char	   *force_verdict;
	TimestampTz expires_at;		/* DT_NOEND: never */
	double		rollout;		/* share of keys for which it is evaluated */
} ConfigDetector;

typedef struct ConfigExclusion
{
	char	   *name;
	char	   *condition;
	List	   *mutes;			/* names of detectors */
	char	   *verdict;		/* that it forces, or NULL */
	TimestampTz expires_at;
} ConfigExclusion;

/* A revision as a whole; lists are in the order of names */
typedef struct PolicyConfig
{
	PolicyIdentity *id;
	double		prior;
	int			nverdicts;		/* ascending; 0 is the default */
	char	  **verdicts;
	double	   *thresholds;
	List	   *notify;			/* verdicts that are told of */
	int			nguards;
	ConfigGuard *guards;
	int			ndetectors;
	ConfigDetector *detectors;
	int			nexclusions;
	ConfigExclusion *exclusions;
	bool		incomplete;		/* it has more parts than can be evaluated */
} PolicyConfig;

extern PolicyIdentity *ConfigIdentify(const char *policy);
extern PolicyIdentity *ConfigIdentifyWithin(const char *policy, int ms);
extern bool IdentityHolds(PolicyIdentity *id);
extern bool IdentityIsPlaced(PolicyIdentity *id, Oid relid, const char *name);
extern void PolicyMustHaveView(PolicyIdentity *id);
extern Oid	DecisionColumnType(const PolicyIdentity *id, const char *column);
extern PolicyConfig *ConfigRead(const char *policy, int revision, bool drafts, int ms);
extern void ConfigReadSoon(Patience *patience, void (*read) (void *arg), void *arg);
extern int	ConfigToWait(const Patience *patience);
pg_noreturn extern void ConfigIsHeld(void);
extern List *ConfigGuards(const char *policy, List **conditions);
extern Oid	TypeByName(const char *name);
extern char *RelationName(Oid relid);

#endif							/* ASSAY_CONFIG_H */
