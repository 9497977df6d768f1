/*
 * match_set.h
 *		What match.c and match_scan.c know of a set of patterns.
 */
#ifndef ASSAY_MATCH_SET_H
#define ASSAY_MATCH_SET_H

#include <hs.h>

#include "match.h"

typedef struct MatchPattern
{
	char	   *bytes;			/* normalised literal, or the expression */
	size_t		len;
	bool		front;			/* needs a word boundary before it */
	bool		back;			/* ... after it */
	hs_database_t *single;		/* expressions: alone, with start offsets */
	unsigned	fits;			/* the scratch space that is large enough */
	bool		no_single;		/* the library can't make that */
} MatchPattern;

typedef struct MatchWords MatchWords;

struct MatchSet
{
	int			flags;
	int			count;
	int			room;
	MatchPattern *patterns;
	hs_database_t *db;
	unsigned	fits;			/* the scratch space that is large enough */
	MatchWords *words;			/* literals by their first words, or NULL */
	size_t		db_size;
	size_t		singles_size;
	size_t		memory;
};

extern MatchStatus MatchFromLibrary(hs_error_t status);
extern hs_error_t MatchCallLibrary(const hs_database_t *db, unsigned *fits, const char *data,
								   unsigned int length, match_event_handler handler, void *context);
extern MatchStatus MatchSingle(MatchSet *set, int number);
extern void MatchSingleDone(MatchSet *set, int number);

/*
 * match_words.c: "to" is where the literal ends in the text, and "ends" whether a
 * word does there for sure.
 */
typedef bool (*MatchWordsHit) (int number, size_t to, bool ends, void *arg);

extern MatchWords *MatchWordsCreate(const MatchSet *set);
extern size_t MatchWordsMemory(const MatchWords *w);
extern bool MatchWordsScan(const MatchWords *w, const unsigned char *text, size_t len,
						   MatchWordsHit hit, void *arg);
extern void MatchWordsDestroy(MatchWords *w);

#endif							/* ASSAY_MATCH_SET_H */
