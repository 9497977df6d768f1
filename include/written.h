/*
 * written.h
 *		What another than a policy's owner may write in a condition.
 */
#ifndef ASSAY_WRITTEN_H
#define ASSAY_WRITTEN_H

#include "nodes/nodes.h"

extern void CheckWritten(Node *expr, Oid writer);

#endif							/* ASSAY_WRITTEN_H */
