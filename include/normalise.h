/*
 * normalise.h
 *		A text as literals are looked for in it: white space is one space,
 *		invisible characters are left out, case is folded but for ASCII's, which
 *		is left to who compares.  Without a server, as match.h.
 */
#ifndef ASSAY_NORMALISE_H
#define ASSAY_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that a text of len bytes may have once normalised, with slack */
static inline size_t
NormalisedRoom(size_t len)
{
	/* Folding lengthens a character from two bytes to three at most. */
	return len + len / 2 + 32;
}

/* Normalise text into out, of NormalisedRoom() bytes; returns how many are used. */
extern size_t Normalise(const unsigned char *text, size_t len, unsigned char *out);

/*
 * One step: the character (or white space run, or stray byte) at p, normalised
 * to out, which has room for four bytes. Sets *n to the bytes written and
 * returns the place after what was read.
 */
extern const unsigned char *NormaliseStep(const unsigned char *p,
										  const unsigned char *end,
										  unsigned char *out, int *n);

/*
 * How many bytes at p are ASCII without a second white space in a row: they
 * come out of Normalise() as that many. It may stop early. *space tells,
 * before and after, whether the character before was white space.
 */
extern size_t NormalisePlain(const unsigned char *p, const unsigned char *end,
							 bool *space);

#endif							/* ASSAY_NORMALISE_H */
