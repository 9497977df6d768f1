/*
 * kept_plan.h
 *		Which plans' executor state can be kept between statements, and how it is
 *		told that all of it is of another row.
 */
#ifndef ASSAY_KEPT_PLAN_H
#define ASSAY_KEPT_PLAN_H

#include "nodes/plannodes.h"
#include "utils/plancache.h"

/* What a plan that can be kept is like */
typedef struct KeptPlan
{
	bool		keeps_rows;		/* some node has rows, or the result of a
								 * subplan, until it is told that something
								 * changed */
	int			forgetful;		/* calls of functions in target lists and
								 * filters that are to forget what they
								 * remember, between two runs */
	int			settings;		/* that show in its rows; SETTINGS_ALL: or
								 * what else a session may set */
} KeptPlan;

extern bool KeptPlanFits(CachedPlanSource * source, CachedPlan * plan, KeptPlan *found);

/* Must a call of this function, which fits, forget? */
extern bool KeptPlanForgets(Oid function);

/*
 * A copy whose nodes all depend on one more parameter than there are, which is
 * returned: nobody reads it.
 */
extern PlannedStmt *KeptPlanCopy(PlannedStmt *stmt, int *param);

#endif							/* ASSAY_KEPT_PLAN_H */
