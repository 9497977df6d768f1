/*
 * platt.h
 *		Slope and intercept that make margins log-odds.
 */
#ifndef ASSAY_PLATT_H
#define ASSAY_PLATT_H

/* Held-back margins and labels, and what Platt's method looks for */
typedef struct Platt
{
	int			n;
	float8	   *margin;
	float8	   *target;			/* drawn a little away from 0 and 1 */
	float8	   *weight;			/* NULL: 1 each */
	double		slope;
	double		intercept;
} Platt;

extern void PlattFit(Platt *p);

#endif							/* ASSAY_PLATT_H */
