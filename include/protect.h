/*
 * protect.h
 *		Run something that may fail, and go on without it.
 */
#ifndef ASSAY_PROTECT_H
#define ASSAY_PROTECT_H

#include "access/xact.h"
#include "datatype/timestamp.h"

/*
 * Before PostgreSQL 17 there is no subtransaction in a parallel query: there
 * only what calls nothing of a user's can be recovered from, and an error of
 * anything else is the query's.
 */
static inline bool
CanProtect(void)
{
#if PG_VERSION_NUM >= 170000
	return true;
#else
	return !IsInParallelMode();
#endif
}

/* Bytes of an error's message that are kept */
#define FAULT_MESSAGE_MAX	1024

extern char *CutMessage(const char *message);

/*
 * NULL, or the error, in the caller's memory context.  What concerns the whole
 * transaction is raised again.
 */
extern ErrorData *RunProtected(void (*run) (void *arg), void *arg);

/* Zeroed: of what waits for locks again and again */
typedef struct Patience
{
	TimestampTz lost_until;
} Patience;

/* Milliseconds that are waited for a lock, once it has been waited for in vain: it may be gone */
#define HARDLY_MS	10

/* The same for what has waited for a lock in vain, for a while */
extern ErrorData *RunPatiently(Patience *p, void (*run) (void *arg), void *arg);
extern bool IsImpatient(const Patience *p);

#endif							/* ASSAY_PROTECT_H */
