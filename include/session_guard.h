/*
 * session_guard.h
 *		What belongs to the session is out of reach for an owner's code that runs in it.
 */
#ifndef ASSAY_SESSION_GUARD_H
#define ASSAY_SESSION_GUARD_H

#include "miscadmin.h"

/*
 * The security context of code that a policy's or a baseline's owner answers for, in
 * a session that may be anybody's: PostgreSQL's restricted operation, and a bit that it
 * leaves alone, by which ours are told from others (REFRESH MATERIALIZED VIEW, say).
 */
#define SECURITY_OWNERS_CODE	0x1000
#define SECURITY_GUARDED		(SECURITY_RESTRICTED_OPERATION | SECURITY_OWNERS_CODE)

extern void SessionGuardInit(void);
extern bool InOwnersCode(void);

#endif							/* ASSAY_SESSION_GUARD_H */
