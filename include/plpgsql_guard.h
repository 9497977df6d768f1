/*
 * plpgsql_guard.h
 *		PL/pgSQL functions that an owner's code calls are compiled for that owner.
 */
#ifndef ASSAY_PLPGSQL_GUARD_H
#define ASSAY_PLPGSQL_GUARD_H

#include "fmgr.h"

extern void PlpgsqlGuardInit(void);
extern bool IsPlpgsql(Oid function);
extern bool ValidatesPlpgsql(Oid function);
extern void CallForOwner(FmgrInfo *function);

#endif							/* ASSAY_PLPGSQL_GUARD_H */
