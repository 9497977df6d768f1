/*
 * undecided.h
 *		Which tables a policy decides, and their messages.
 */
#ifndef ASSAY_UNDECIDED_H
#define ASSAY_UNDECIDED_H

#include "batch.h"

/* Tables with a trigger that decides by the policy, by their numbers; SPI is connected. */
extern List *DecidedTables(PolicyIdentity *id);

/*
 * The keys and times of these tables' messages, as the signals view has them,
 * to select from; NULL where there is no such table, or one of other columns.
 */
extern char *MessageKeys(Source *s);

#endif							/* ASSAY_UNDECIDED_H */
