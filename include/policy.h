/*
 * policy.h
 *		A policy compiled for one row type, and its evaluation.
 *
 * policy.c loads and compiles, policy_cache.c keeps, score.c evaluates,
 * trigger.c decides.
 */
#ifndef ASSAY_POLICY_H
#define ASSAY_POLICY_H

#include "attribution.h"
#include "datatype/timestamp.h"
#include "executor/executor.h"
#include "predict.h"
#include "rule.h"
#include "stats.h"

/* A detector keeps failing: after so many faults a backend leaves it out */
extern int	assay_fault_limit;

/* How many features of a model's margin a ledger keeps */
extern int	assay_top_features;

/* The score from which on it keeps any */
extern double assay_explain_from;

/* Look for the substrings of all conditions in one pass? */
extern bool assay_prefilter;

/*
 * What one revision may have of each: the conditions of detectors and
 * exclusions are columns of one row, and so are guards.
 */
#define POLICY_DETECTORS_MAX	20000
#define POLICY_EXCLUSIONS_MAX	10000
#define POLICY_GUARDS_MAX		10000

/* A signal in a detector's condition, whose value a ledger keeps */
typedef struct PolicyEvidence
{
	int			column;			/* attribute number - 1 */
	char	   *name;
	FmgrInfo	output;
	bool		is_text;		/* text, varchar, ...: its prefix is enough */
	bool		is_varlena;
	bool		binary;			/* output sends: of a key */
} PolicyEvidence;

typedef struct PolicyDetector
{
	char	   *name;
	double		weight;
	bool		shadow;
	int			verdict;		/* that it forces, or -1 */
	TimestampTz expires_at;
	double		rollout;		/* share of keys for which it is evaluated */

	/* a rule */
	Rule	   *rule;
	ExprState  *single;			/* its condition alone, after a fault */
	int			nevidence;
	PolicyEvidence *evidence;

	/* or a model */
	Model	   *model;
	ModelBinding *binding;

	/* why it can't be evaluated, if so */
	char		sqlstate[6];	/* of the compilation, or "" */
	bool		suspended;
	int			faults;			/* since compiled */

	int			column;			/* in the projection, or -1 */
} PolicyDetector;

typedef struct PolicyExclusion
{
	char	   *name;
	Rule	   *rule;
	ExprState  *single;
	int			nevidence;
	PolicyEvidence *evidence;
	Bitmapset  *mutes;			/* numbers of detectors */
	int			verdict;		/* that it forces, or -1 */
	TimestampTz expires_at;
	char		sqlstate[6];
	bool		suspended;
	int			faults;
	int			column;
} PolicyExclusion;

/* What one detector or exclusion made of the row at hand */
typedef struct PolicyOutcome
{
	bool		evaluated;
	bool		hit;
	const char *sqlstate;		/* it failed, or NULL */
	double		margin;			/* of a model */
	ModelContribution *top;		/* room for max_top of them */
	int			max_top;
	double		contribution;	/* to the margin, were it live and not muted */
	const char *muted_by;		/* an exclusion, or NULL */
} PolicyOutcome;

typedef struct CompiledPolicy
{
	/* what it was compiled from: the validity key */
	bool		valid;
	char	   *name;
	int			wanted;			/* revision asked for, or 0: the current */
	bool		drafts;			/* its drafts count as live */
	TupleDesc	desc;
	TupleDesc	visible;		/* the same but for columns of foreign types */
	char	   *untrusted;		/* such a signal, or NULL */

	/* what it depends on beside the configuration */
	List	   *relations;		/* the view, and composite types */
	List	   *types;			/* hash values as in the syscache */
	bool		misses_type;	/* a condition names a type that is not there */

	int			pins;			/* used across rows: keep it */
	bool		busy;			/* evaluates a row */
	bool		torn;			/* an error left it in the middle of one */
	uint64		last_used;
	int64		uses;			/* statements that found it here */
	TimestampTz used_at;
	Size		bytes;			/* at the last look */
	MemoryContext context;

	int			revision;
	Oid			owner;
	char	   *search_path;
	Oid			signals;		/* the view; InvalidOid when it is gone */
	char	   *signals_name;
	char	   *decision_name;
	List	   *key;			/* names of the key columns */
	bool		raise_errors;	/* on_error => 'raise' */
	bool		log_signals;
	double		prior;
	int			nverdicts;		/* ascending; 0 is the default */
	char	  **verdicts;
	double	   *thresholds;
	Bitmapset  *notify;			/* numbers of verdicts that are told of */

	int			ndetectors;
	PolicyDetector *detectors;
	int			nexclusions;
	PolicyExclusion *exclusions;
	int			nguards;
	char	  **guard_names;
	Rule	  **guards;
	ExprState **guard_single;
	char		(*guard_sqlstate)[6];	/* why it did not compile */
	bool		foreign_code;	/* some condition needs the search_path */
	bool		settings_show;	/* some evidence is written as settings say */
	bool		incomplete;		/* it has more parts than can be evaluated */
	bool		transient;		/* what failed to compile may do so next time */
	int			nkeys;			/* 0 when the row lacks a key column */
	PolicyEvidence *keys;		/* the key columns, for rollout */

	/* evaluation */
	ExprContext *econtext;
	struct Prefilter *prefilter;
	MemoryContext projection_context;	/* of what follows, and of its slots */
	ProjectionInfo *guard_projection;
	ProjectionInfo *projection; /* every condition at once */
	TupleTableSlot *guard_slot;
	TupleTableSlot *result_slot;
	AttributionBuilder builder;
	PolicyStats *stats;			/* or NULL: none are kept */
	uint32		evaluations;
	uint32		next_sample;	/* the detector that is timed next */
	PolicyOutcome *outcomes;	/* of detectors, then of exclusions */
	int			nplain;			/* rules that always take part ... */
	int		   *plain;			/* (detectors) */
	int		   *plain_columns;	/* of the projection */
	int			nothers;		/* ... and what has to be asked, and models */
	int		   *others;
	uint64	   *active;			/* bits of the detectors that a ledger shows */
	int			nwords;			/* of them */
} CompiledPolicy;

typedef struct PolicyDecision
{
	int			verdict;
	double		margin;
	double		score;
	bool		degraded;
	Attribution *attribution;
} PolicyDecision;

/* A detector's error, to be kept in assay.fault */
typedef struct PolicyFault
{
	const char *detector;
	char		sqlstate[6];
	char	   *message;
	char	   *key;			/* filled by who knows it, or NULL */
	bool		suspended;		/* by this fault */
} PolicyFault;

/* policy.c */
extern void PolicyInit(void);
extern void PolicyCheckReader(CompiledPolicy *p, Oid reader);
extern void PolicyCompile(CompiledPolicy *p, Oid reader);
extern void PolicyBuildProjection(CompiledPolicy *p);

/* Identity of a policy, read anew: what the trigger needs to make its plans */
typedef struct PolicyIdentity
{
	Oid			owner;
	char	   *search_path;
	char	   *signals_name;
	char	   *decision_name;
	List	   *key;
	bool		log_signals;
	bool		raise_errors;
} PolicyIdentity;

extern Oid	RelationByName(const char *name);
extern PolicyIdentity *PolicyIdentify(const char *name);

/* Run as the policy's owner, with its search_path */
typedef struct PolicySecurity
{
	Oid			save_userid;
	int			save_context;
	int			save_nestlevel;
} PolicySecurity;

extern void PolicyEnter(PolicySecurity *s, Oid owner, const char *search_path,
						int flags);
extern void PolicyEnterToScore(PolicySecurity *s, CompiledPolicy *p);
extern int	PolicyNotice(Oid owner);
extern void PolicyEnterConfiguration(PolicySecurity *s);
extern void PolicyLeave(PolicySecurity *s);

/* policy_cache.c */
extern void PolicyCacheInit(void);
extern CompiledPolicy *PolicyGet(const char *name, int revision, bool drafts,
								 TupleDesc desc, Oid reader);
extern bool PolicySameRow(TupleDesc a, TupleDesc b);
extern void PolicyForgetAll(void);
extern void PolicyWatch(Oid relid);
extern uint64 PolicyGeneration(void);
extern uint64 PolicyEpoch(void);
extern Oid	PolicyConfigRelid(void);

/* signals_query.c */
extern char *KeySource(PolicyIdentity *id, const Oid *types, const char *table);
extern char *SignalsQuery(PolicyIdentity *id, const char *source);
extern char *OneSignalsQuery(PolicyIdentity *id, const Oid *types);

/* notify.c */
extern void NotifyDecision(CompiledPolicy *p, const PolicyDecision *decision,
						   const Oid *types, const Datum *key, const bool *nulls,
						   int nkeys);

/* score.c */
extern void PolicyEvaluate(CompiledPolicy *p, TupleTableSlot *slot,
						   TimestampTz at, PolicyDecision *decision);
extern void PolicyEvaluateApart(CompiledPolicy *p, TupleTableSlot *slot,
								TimestampTz at, PolicyDecision *decision,
								List **faults);
extern void PolicyEvaluateProtected(CompiledPolicy *p, TupleTableSlot *slot,
									TimestampTz at, PolicyDecision *decision,
									List **faults);
extern void PolicyNoSignals(CompiledPolicy *p, const char *sqlstate,
							PolicyDecision *decision);

#endif							/* ASSAY_POLICY_H */
