/*
 * platt.c
 *		Platt's method: the logistic regression of labels on one margin (J. Platt,
 *		Probabilistic outputs for support vector machines, 1999).
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "platt.h"

#define PLATT_STEPS			100

#define WEIGHT(p, i)		((p)->weight ? (p)->weight[i] : 1)

static double
PlattLoss(const Platt *p, double slope, double intercept)
{
	double		loss = 0;

	for (int i = 0; i < p->n; i++)
	{
		double		m = slope * p->margin[i] + intercept;

		loss += WEIGHT(p, i) * ((m > 0 ? m + log1p(exp(-m)) : log1p(exp(m))) - p->target[i] * m);
	}
	return loss;
}

/*
 * Newton's method with halved steps (Lin, Lin and Weng 2007); both parameters
 * have a tiny ridge, so that it ends with separable labels too.
 */
void
PlattFit(Platt *p)
{
	double		loss = PlattLoss(p, p->slope, p->intercept);

	for (int step = 0; step < PLATT_STEPS; step++)
	{
		double		g[2] = {0, 0};
		double		h[3] = {1e-6, 0, 1e-6};
		double		det;
		double		d[2];
		double		size = 1;
		double		all = 0;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < p->n; i++)
		{
			double		x = p->margin[i];
			double		q = 1 / (1 + exp(-(p->slope * x + p->intercept)));

			double		w = WEIGHT(p, i);

			all += w;
			g[0] += w * (q - p->target[i]) * x;
			g[1] += w * (q - p->target[i]);
			h[0] += w * q * (1 - q) * x * x;
			h[1] += w * q * (1 - q) * x;
			h[2] += w * q * (1 - q);
		}
		det = h[0] * h[2] - h[1] * h[1];
		if (fabs(g[0]) + fabs(g[1]) < 1e-9 * all || det <= 0)
			return;
		d[0] = (h[2] * g[0] - h[1] * g[1]) / det;
		d[1] = (h[0] * g[1] - h[1] * g[0]) / det;
		for (; size > 1e-9; size /= 2)
		{
			double		new_loss = PlattLoss(p, p->slope - size * d[0], p->intercept - size * d[1]);

			if (new_loss < loss)
			{
				p->slope -= size * d[0];
				p->intercept -= size * d[1];
				loss = new_loss;
				break;
			}
		}
		if (size <= 1e-9)
			return;
	}
}
