/*
 * atoms.h
 *		The conditions of a policy, taken apart into the simple questions that
 *		they have in common.
 */
#ifndef ASSAY_ATOMS_H
#define ASSAY_ATOMS_H

#include "access/tupdesc.h"
#include "nodes/bitmapset.h"
#include "nodes/primnodes.h"
#include "shared_values.h"

/* Something that atoms ask about: a column or a function of one */
typedef enum ProbeKind
{
	PROBE_BOOL,					/* is it true, or false? */
	PROBE_NULL,					/* is it null? */
	PROBE_ORDER,				/* how does it compare with constants? */
	PROBE_STRING,				/* which of some texts is it? */
	PROBE_ITEMS					/* which of some texts does the array have? */
} ProbeKind;

typedef struct Probe
{
	ProbeKind	kind;
	Expr	   *expr;			/* not rewritten */
	Var		   *var;			/* the same, or NULL */
	Oid			type;
	Expr	   *shared;			/* for one that is no column: rewritten */
	List	   *atoms;			/* of Atom */
} Probe;

typedef enum AtomTest
{
	ATOM_EQUAL,					/* it is, or has, the value */
	ATOM_BELOW,					/* value > it; PROBE_ORDER only */
	ATOM_FROM					/* value <= it; the same */
} AtomTest;

/* A question whose answer costs no more than to look it up */
typedef struct Atom
{
	int			number;
	int			probe;
	AtomTest	test;
	int64		value;			/* a number in the order of numbers; or 0, 1 */
	const char *bytes;			/* of a text */
	int			len;
	double		guess;			/* how often it is true, before any was seen */
} Atom;

/* A conjunct: it is true only if one of these atoms is */
typedef struct Gate
{
	int			conjunct;
	bool		exact;			/* and then it is */
	int			natoms;
	int		   *atoms;
} Gate;

/* A condition: true where all its conjuncts are */
typedef struct AtomCondition
{
	bool		present;
	bool		total;			/* it never raises an error */
	List	   *conjuncts;		/* of Expr, rewritten */
	int			ngates;			/* of conjuncts that no error comes before */
	Gate	   *gates;
} AtomCondition;

typedef struct Atoms
{
	int			nparts;
	AtomCondition *conditions;
	int			nprobes;
	Probe	  **probes;
	int			natoms;
	Atom	  **atoms;
	int			nguards;
	Expr	  **guards;			/* rewritten; NULL: null */
	SharedValues *shared;
	Bitmapset  *plain;			/* columns that may be decompressed in the row */
} Atoms;

/* A value as a number that compares as it does; nulls are the caller's. */
extern int64 AtomOrder(Oid type, Datum value);

/* exprs: of each guard or part, or NULL; behind the prefilter */
extern Atoms *AtomsCreate(TupleDesc desc, Expr **guards, int nguards, Expr **parts, int nparts);

#endif							/* ASSAY_ATOMS_H */
