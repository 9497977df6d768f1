/*
 * intervals.h
 *		Intervals of proportions.
 */
#ifndef ASSAY_INTERVALS_H
#define ASSAY_INTERVALS_H

extern void CheckConfidence(float8 confidence);
extern void WilsonInterval(float8 p, float8 n, float8 confidence, float8 *lower, float8 *upper);

#endif							/* ASSAY_INTERVALS_H */
