/*
 * compile.h
 *		A revision of a policy, compiled for one row type.  Nothing in it
 *		changes once it is made: what an evaluation writes is in evaluate.h.
 */
#ifndef ASSAY_COMPILE_H
#define ASSAY_COMPILE_H

#include "access/tupdesc.h"
#include "atoms.h"
#include "attribution.h"
#include "config.h"
#include "invalidation.h"
#include "nodes/bitmapset.h"
#include "predict.h"
#include "prefilter.h"
#include "rule.h"

/* A column of the row, as a ledger writes it */
typedef struct PolicyColumn
{
	char	   *name;
	Oid			output;
	Oid			send;			/* to hash a key whose text form varies, or 0 */
	bool		is_text;		/* text, varchar: its prefix is enough */
	bool		is_varlena;
} PolicyColumn;

/* The condition of a guard, detector or exclusion */
typedef struct PolicyCondition
{
	Rule	   *rule;			/* NULL: it can't be evaluated, and: */
	char		sqlstate[6];
	char	   *message;
	Expr	   *expr;			/* the rule's, behind the prefilter */
	int			nevidence;
	int		   *evidence;		/* columns whose values a ledger keeps */
} PolicyCondition;

typedef struct PolicyGuard
{
	char	   *name;
	PolicyCondition condition;
} PolicyGuard;

typedef struct PolicyDetector
{
	char	   *name;
	double		weight;
	bool		shadow;
	int			verdict;		/* that it forces, or -1 */
	TimestampTz expires_at;
	double		rollout;		/* share of keys for which it is evaluated */
	PolicyCondition condition;
	bool		is_model;
	Model	   *model;			/* NULL: as in the condition */
	ModelBinding *binding;
	bool		is_text;		/* the model is a text model: */
	char	   *text_model;		/* its name, */
	Oid			versions;		/* its table of versions, */
	Rule	   *content;		/* and what it sees of a message */
} PolicyDetector;

/* A list, phrase set or text model that conditions or the signals view look into */
typedef struct PolicySet
{
	AttributionSet kind;
	char	   *name;
	bool		in_condition;	/* not by the signals view alone */
	bool		latest;			/* a text model as it is now, not as of then */
	Oid			versions;		/* its table of versions */
} PolicySet;

typedef struct PolicyExclusion
{
	char	   *name;
	PolicyCondition condition;
	Bitmapset  *mutes;			/* numbers of detectors */
	int			verdict;		/* that it forces, or -1 */
	TimestampTz expires_at;
} PolicyExclusion;

typedef struct CompiledPolicy
{
	MemoryContext context;
	PolicyIdentity *id;
	TupleDesc	desc;
	TupleDesc	visible;		/* the same but for columns of foreign types */
	char	   *untrusted;		/* such a signal, or NULL */

	double		prior;
	int			nverdicts;		/* ascending; 0 is the default */
	char	  **verdicts;
	double	   *thresholds;
	int			unreadable;		/* the least verdict of a degraded decision */
	Bitmapset  *notify;			/* numbers of verdicts that are told of */

	int			nguards;
	PolicyGuard *guards;
	int			ndetectors;
	PolicyDetector *detectors;
	int			nexclusions;
	PolicyExclusion *exclusions;
	int			nsets;			/* by kind and name */
	PolicySet  *sets;
	int			ntexts;			/* detectors with a text model */

	PolicyColumn *columns;		/* of the row */
	int			nkeys;			/* 0 when the row lacks a key column */
	int		   *keys;			/* columns of the key */
	int			top_features;	/* of a model's margin that a ledger keeps */
	bool		keeps_signals;	/* beside each decision, as long as it */
	Prefilter  *prefilter;		/* or NULL */
	Atoms	   *atoms;			/* what conditions share, or NULL */

	bool		foreign_code;	/* some condition needs the search_path */
	int			settings;		/* that show in some evidence, or in what a
								 * condition casts to text */
	bool		incomplete;		/* it has more parts than can be evaluated */
	int			nbroken;		/* parts that can't be evaluated */
	bool		too_slow;		/* some part took too long to compile */
	bool		transient;		/* what failed to compile may do so next time */
	char		parallel;		/* PROPARALLEL_SAFE, or the worst that it
								 * calls */
} CompiledPolicy;

/* Detectors and exclusions under one numbering, exclusions behind */
#define POLICY_PARTS(p)		((p)->ndetectors + (p)->nexclusions)

static inline PolicyCondition *
PolicyPart(CompiledPolicy *p, int part)
{
	return part < p->ndetectors ? &p->detectors[part].condition :
		&p->exclusions[part - p->ndetectors].condition;
}

extern void CompileInit(void);
extern void PolicyCheckKeys(PolicyIdentity *id);
extern void PolicyCheckKeysOf(PolicyIdentity *id, Oid relid);
extern void PolicyCheckOwners(PolicyIdentity *id);
extern CompiledPolicy *PolicyCompile(PolicyConfig *c, TupleDesc desc, bool trust_all,
									 MemoryContext context, Dependencies *d);

#endif							/* ASSAY_COMPILE_H */
