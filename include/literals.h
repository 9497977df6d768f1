/*
 * literals.h
 *		Literals of no type in what is parsed with others' operators in reach.
 */
#ifndef ASSAY_LITERALS_H
#define ASSAY_LITERALS_H

#include "nodes/nodes.h"

extern Node *WithoutLiterals(Node *raw);
extern bool StandsForLiteral(Node *node);

#endif							/* ASSAY_LITERALS_H */
