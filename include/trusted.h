/*
 * trusted.h
 *		Statements that call nobody's functions but their owner's.
 */
#ifndef ASSAY_TRUSTED_H
#define ASSAY_TRUSTED_H

#include "postgres_ext.h"

/* A statement by which messages of a policy are read */
typedef struct PolicyStatement
{
	const char *sql;			/* NULL: none */
	Oid			owner;			/* of the policy */
} PolicyStatement;

extern void TrustedInit(void);
extern PolicyStatement LookAtStatement(PolicyStatement statement);

#endif							/* ASSAY_TRUSTED_H */
