/*
 * phrase_sets.h
 *		What the rest of the library needs of phrase sets.
 */
#ifndef ASSAY_PHRASE_SETS_H
#define ASSAY_PHRASE_SETS_H

extern void PhraseSetsInit(void);

#endif							/* ASSAY_PHRASE_SETS_H */
