/*
 * ledger.h
 *		From what the detectors made of a row to the decision and its ledger.
 */
#ifndef ASSAY_LEDGER_H
#define ASSAY_LEDGER_H

#include "evaluate.h"

extern void LedgerInit(void);

/* The next detector from "from" on that has a place in the ledger, or -1 */
extern int	NextActive(Evaluation *e, int from);

extern FmgrInfo *ColumnOutput(Evaluation *e, int column);
extern FmgrInfo *ColumnSend(Evaluation *e, int column);
extern bool KeepsAllFeatures(Evaluation *e);
extern int	VerdictOf(CompiledPolicy *p, double score);
extern void Conclude(Evaluation *e, PolicyDecision *decision, MemoryContext result,
					 bool protect);

#endif							/* ASSAY_LEDGER_H */
