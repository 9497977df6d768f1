/*
 * try_condition.h
 *		What a condition that no policy has yet takes to evaluate.
 */
#ifndef ASSAY_TRY_CONDITION_H
#define ASSAY_TRY_CONDITION_H

/* Of one message */
#define TRY_MISS	0
#define TRY_HIT		1
#define TRY_FAULT	2

extern void TryBegin(int64 messages);
extern void TryProgress(void);
extern void TryEnd(void);
extern bool TryCost(double *us);

#endif							/* ASSAY_TRY_CONDITION_H */
