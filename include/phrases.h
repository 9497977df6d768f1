/*
 * phrases.h
 *		What the rest of the library needs of the phrases type.
 */
#ifndef ASSAY_PHRASES_H
#define ASSAY_PHRASES_H

extern void PhrasesInit(void);

#endif							/* ASSAY_PHRASES_H */
