/*
 * characters.h
 *		Counting the characters of a text.
 */
#ifndef ASSAY_CHARACTERS_H
#define ASSAY_CHARACTERS_H

/* The function that counts as length(text) does; 0: this role may not call it. */
extern Oid	CharactersFunction(Oid role);

#endif							/* ASSAY_CHARACTERS_H */
