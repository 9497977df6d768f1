/*
 * notify.h
 *		Notifications of decisions with chosen verdicts.
 */
#ifndef ASSAY_NOTIFY_H
#define ASSAY_NOTIFY_H

#include "decision_table.h"

extern void NotifyInit(void);
extern void CheckRoomToNotify(void);
extern void NotifyDecision(CompiledPolicy *p, DecisionTable *t, const Datum *values,
						   const bool *nulls);

#endif							/* ASSAY_NOTIFY_H */
