/*
 * signature_words.h
 *		The words of a text as near-duplicates have them in common: what is
 *		another in each copy (numbers, names, addresses, paths) is folded.
 *
 * Pure C: no fcinfo, no SPI, no catalogue.
 */
#ifndef ASSAY_SIGNATURE_WORDS_H
#define ASSAY_SIGNATURE_WORDS_H

/* Bytes of UTF-8 that are read of a text; what comes behind is not */
#define SIGNATURE_READ_MAX	32768

/* Bytes of a word; a longer one counts as a number */
#define SIGNATURE_WORD_MAX	40

/* A word has a byte, and one that parts it from the next */
#define SIGNATURE_WORDS_MAX	(SIGNATURE_READ_MAX / 2)

typedef struct SignatureReader
{
	/* the word that was read, folded */
	int			len;
	uint8		word[SIGNATURE_WORD_MAX];
	/* private: where the reader is */
	const uint8 *p;
	const uint8 *end;
	const uint8 *chunk;			/* the next one with a URL or an address */
	const uint8 *chunk_end;
	/* what the word was before folding, and what stood before it */
	bool		number;
	bool		capital;
	bool		comma;
	bool		stop;
	/* what was folded last */
	bool		in_number;
	bool		in_name;
	bool		comma_first;	/* may a comma stand before the name? */
	int			names;			/* words that may still be of a name */
} SignatureReader;

extern void SignatureReadBegin(SignatureReader *r, const char *data, Size len);
extern bool SignatureReadWord(SignatureReader *r);

#endif							/* ASSAY_SIGNATURE_WORDS_H */
