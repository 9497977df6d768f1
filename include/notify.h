/*
 * notify.h
 *		Notifications of decisions with chosen verdicts.
 */
#ifndef ASSAY_NOTIFY_H
#define ASSAY_NOTIFY_H

#include "evaluate.h"

extern void NotifyDecision(CompiledPolicy *p, const PolicyDecision *decision,
						   const Oid *types, const Datum *key, const bool *nulls,
						   int nkeys);

#endif							/* ASSAY_NOTIFY_H */
