/*
 * set_finder.h
 *		Which lists, phrase sets and text models a policy names.
 */
#ifndef ASSAY_SET_FINDER_H
#define ASSAY_SET_FINDER_H

#include "compile.h"

typedef struct SetFinder SetFinder;

extern SetFinder *FindSetsBegin(void);
extern void FindSetsOfExpression(SetFinder *f, Node *expr);

/* Those of a view and of the views that it reads; these are what d, unless it is NULL, depends on. */
extern void FindSetsOfView(SetFinder *f, Oid view, Dependencies *d);

/* What was found so far, a list of PolicySet */
extern List *FindSetsFound(SetFinder *f);

/* Into the policy, in the current memory context */
extern void FindSetsEnd(SetFinder *f, CompiledPolicy *p, Dependencies *d);

#endif							/* ASSAY_SET_FINDER_H */
