/*
 * fault.h
 *		Errors that are kept in assay.fault.
 */
#ifndef ASSAY_FAULT_H
#define ASSAY_FAULT_H

#include "nodes/pg_list.h"

/*
 * The owner of a table may not decide by the policy that its trigger names.  A
 * SQLSTATE of its own: anybody can bring it about, and whoever looks for the
 * policy's own faults finds them beside it.
 */
#define ERRCODE_MAY_NOT_DECIDE	MAKE_SQLSTATE('P', 'A', '0', '0', '1')

/* A longer key of a message is not kept: the index of a decision table has few of them. */
#define FAULT_KEY_MAX	8192

/* A detector's error, or one of the signals or of the whole policy */
typedef struct PolicyFault
{
	const char *detector;		/* NULL: the signals */
	char		sqlstate[6];
	char	   *message;
	char	   *key;			/* of the message, as text[]'s text, or NULL */
	bool		suspended;		/* by this fault */
	bool		lasting;		/* until somebody mends it: told once in a
								 * while */
} PolicyFault;

extern void FaultInit(void);

extern PolicyFault *MakeFault(const char *detector, const char *sqlstate,
							  const char *message, const char *key);

/*
 * Write faults of a policy, if it is there; never fails.  Returns whether any
 * was written that is worth telling.
 */
extern bool WriteFaults(const char *policy, int revision, List *faults);

/* Have the next fault get a number that none has.  As the configuration's owner, in SPI. */
extern void PassFaultNumbers(void);

#endif							/* ASSAY_FAULT_H */
