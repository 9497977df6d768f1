/*
 * steady_time.h
 *		A time that only goes forward, in microseconds: for how long something is
 *		to last within this process.
 *
 * The server's clock may be set: what was put off for a minute would stay so
 * for as long as it is set back.
 */
#ifndef ASSAY_STEADY_TIME_H
#define ASSAY_STEADY_TIME_H

#include "portability/instr_time.h"
#include "utils/timestamp.h"

static inline TimestampTz
SteadyTime(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (TimestampTz) INSTR_TIME_GET_MICROSEC(now);
}

#endif							/* ASSAY_STEADY_TIME_H */
