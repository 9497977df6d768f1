/*
 * latest.h
 *		Messages that somebody names, by the values of their keys.
 */
#ifndef ASSAY_LATEST_H
#define ASSAY_LATEST_H

#include "batch.h"

extern void AddKeyIs(BatchQuery *q, Source *s, const char *alias, Datum key);
extern void AddKeyList(BatchQuery *q, Source *s, Datum keys, int max);

#endif							/* ASSAY_LATEST_H */
