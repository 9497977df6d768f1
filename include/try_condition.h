/*
 * try_condition.h
 *		What a condition that no policy has yet takes to evaluate.
 */
#ifndef ASSAY_TRY_CONDITION_H
#define ASSAY_TRY_CONDITION_H

extern void TryCostReset(void);
extern bool TryCost(double *us);

#endif							/* ASSAY_TRY_CONDITION_H */
