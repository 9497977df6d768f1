/*
 * signals_query.h
 *		The query that reads the signals of given messages.
 */
#ifndef ASSAY_SIGNALS_QUERY_H
#define ASSAY_SIGNALS_QUERY_H

#include "access/stratnum.h"
#include "config.h"
#include "invalidation.h"
#include "utils/relcache.h"

/*
 * Each gives the key's columns, as "(key 1)" and so on, then those of the
 * signals view, and then "(found)".
 */
extern char *SignalsQuery(PolicyIdentity *id, const Oid *types, const char *source);
extern char *OneSignalsQuery(PolicyIdentity *id, const Oid *types);

extern char *KeySource(PolicyIdentity *id, const Oid *types, const char *table, Relation rel,
					   Dependencies *dependencies, bool *whole);
extern char *CastName(Oid type);
extern char *AskedType(Oid type);
extern char *ViewKeyEquality(PolicyIdentity *id, const char *key, Oid type);
extern char *KeyOperator(Oid left, Oid right, StrategyNumber strategy);
extern char *CollateAsDecided(PolicyIdentity *id, const char *key, Oid relation);

#endif							/* ASSAY_SIGNALS_QUERY_H */
