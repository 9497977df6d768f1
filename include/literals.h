/*
 * literals.h
 *		Literals of no type in what is parsed with others' operators in reach.
 */
#ifndef LITERALS_H
#define LITERALS_H

#include "nodes/nodes.h"

extern Node *WithoutLiterals(Node *raw);
extern bool StandsForLiteral(Node *node);

#endif							/* LITERALS_H */
