/*
 * hidden_calls.h
 *		What a node of an expression calls, and no list of its functions has.
 */
#ifndef ASSAY_HIDDEN_CALLS_H
#define ASSAY_HIDDEN_CALLS_H

#include "nodes/pg_list.h"

extern Oid	OperatorOfNode(Node *node);
extern List *LinkedOperators(Oid operator);
extern bool HidesFunctions(Node *node);
extern bool MakesValue(Node *node);
extern List *TypesFilled(Node *node);
extern List *HiddenCasts(Node *node);
extern List *TypesShownLater(Node *node, bool stored);

#endif							/* ASSAY_HIDDEN_CALLS_H */
