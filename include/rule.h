/*
 * rule.h
 *		Conditions: SQL expressions over the columns of a signals row.
 */
#ifndef ASSAY_RULE_H
#define ASSAY_RULE_H

#include "access/tupdesc.h"
#include "nodes/bitmapset.h"
#include "nodes/primnodes.h"

#define RULE_CONDITION_MAX	65536	/* bytes of a condition's text */

/* What an expression is to give */
typedef enum RuleKind
{
	RULE_CONDITION,				/* a boolean */
	RULE_CONTENT				/* text or jsonb: what a text model sees */
} RuleKind;

/* A condition, parsed and planned against a row type */
typedef struct Rule
{
	Expr	   *expr;			/* signals: Vars of varno 1; guards: INNER_VAR */
	Bitmapset  *signals;		/* columns it names: attribute number - 1 */
	Bitmapset  *guards;			/* guards it names, by their place in the list */
	bool		foreign_code;	/* may depend on the search_path */
	int			settings;		/* that it depends on without that */
	char		parallel;		/* PROPARALLEL_SAFE, or the worst that it
								 * calls */
	List	   *relations;		/* oids that it depends on */
	List	   *types;			/* and types, by their hash values in the
								 * syscache, ... */
	List	   *functions;		/* functions and operators alike */
	List	   *operators;
} Rule;

/* Its syntax alone */
extern List *RuleParseText(const char *condition);

/*
 * Parse "condition" against the columns of desc and the named guards (a list
 * of C strings, or NIL).  It will run with the rights of "owner": what it calls, and
 * the types that it makes, must be of who may act as that.  Raises an error that points into the text, which is
 * shown under the name "what".  Unless "plan", nothing that it calls is run:
 * the planner computes what is constant.
 */
extern Rule *RuleParse(const char *condition, TupleDesc desc, List *guards,
					   const char *what, Oid owner, bool plan);

/* The same for an expression of another kind, which no guards are seen by, as "writer" wrote it, whoever parses */
extern Rule *RuleParseKind(RuleKind kind, const char *condition, TupleDesc desc, List *guards,
						   const char *what, Oid owner, Oid writer, bool plan);

/* The type that a domain, perhaps over another one, is made of; or 0 */
extern Oid	RuleDomainBase(Oid type);

#endif							/* ASSAY_RULE_H */
