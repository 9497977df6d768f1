/*
 * phrase_sets.h
 *		What the rest of the library needs of phrase sets.
 */
#ifndef ASSAY_PHRASE_SETS_H
#define ASSAY_PHRASE_SETS_H

#include "match.h"

extern void PhraseSetsInit(void);

/*
 * Where phrases of a set occur in a text in UTF-8, by their start; NULL for
 * none.  A place is not told where the library can't say where it begins.
 */
extern MatchSpan *PhraseSetPlaces(const text *set, const char *utf8, Size len, int *count);

#endif							/* ASSAY_PHRASE_SETS_H */
