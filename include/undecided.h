/*
 * undecided.h
 *		Which tables a policy decides.
 */
#ifndef ASSAY_UNDECIDED_H
#define ASSAY_UNDECIDED_H

#include "config.h"

/* Tables with a trigger that decides by the policy, by their numbers; SPI is connected. */
extern List *DecidedTables(PolicyIdentity *id);

#endif							/* ASSAY_UNDECIDED_H */
