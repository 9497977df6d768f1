/*
 * replay_states.h
 *		What a replay can't reproduce.
 */
#ifndef ASSAY_REPLAY_STATES_H
#define ASSAY_REPLAY_STATES_H

#include "batch.h"

extern void ReplayStatesBegin(Tuplestorestate * store);
extern void ReplayStatesNotice(Source *s, int revision, bool drafts, bool view, Tuplestorestate * store,
							   TupleDesc desc, bool ledgers);

#endif							/* ASSAY_REPLAY_STATES_H */
