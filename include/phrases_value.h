/*
 * phrases_value.h
 *		The value of type phrases, shared by phrases.c, which makes it,
 *		phrases_cache.c, which keeps it loaded, and phrase_hits.c, which looks
 *		for it in texts.
 */
#ifndef ASSAY_PHRASES_VALUE_H
#define ASSAY_PHRASES_VALUE_H

#include "common/sha2.h"
#include "compat.h"
#include "fmgr.h"
#include "match.h"
#include "utils/array.h"

#define PHRASES_VERSION			1	/* of the layout */

#define PHRASES_LITERAL			0
#define PHRASES_REGEX			1

/*
 * The truth is data[0 .. truth_len):
 *
 *		names:		nnames × { uint16 length, bytes }, in definition order
 *		patterns:	npatterns × { uint16 name's number, uint16 length, bytes }
 *
 * and the database data[truth_len .. truth_len + db_len). Numbers are in the
 * machine's byte order, unaligned; text is in the server's encoding.
 */
typedef struct Phrases
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;
	uint8		syntax;
	uint16		unused;			/* zero */
	int32		nnames;
	int32		npatterns;
	uint32		truth_len;
	uint32		db_len;			/* 0: not compiled */
	uint32		db_crc;			/* of the database bytes */
	uint32		db_stamp;		/* what compiled it: PhrasesStamp() */
	uint8		hash[PG_SHA256_DIGEST_LENGTH];	/* of all the truth */
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Phrases;

#define DatumGetPhrasesP(d)		((Phrases *) PG_DETOAST_DATUM(d))
#define PG_GETARG_PHRASES_P(n)	DatumGetPhrasesP(PG_GETARG_DATUM(n))

/* A piece of text, not terminated */
typedef struct Piece
{
	const char *bytes;
	int			len;
} Piece;

/* Named patterns on their way into a value */
typedef struct PhraseList
{
	uint8		syntax;
	int			npatterns;
	Piece	   *names;			/* for each pattern */
	Piece	   *patterns;
} PhraseList;

/* A loaded value. What follows the key lives in cxt, the matcher in malloc. */
typedef struct PhrasesEntry
{
	uint8		hash[PG_SHA256_DIGEST_LENGTH];	/* key */
	MemoryContext cxt;
	MatchSet   *match;
	int			nnames;
	int			npatterns;
	Datum	   *names;			/* text, in definition order */
	int		   *pattern_name;	/* number of each pattern's name */
	uint64	   *hits;			/* bits of names, of the scan under way */
	int			hit_words;
	int			nhits;
	Size		bytes;
	uint64		last_used;
} PhrasesEntry;

/* phrases_value.c */
extern void PhrasesCorrupt(const char *what);
extern void CheckPhrases(const Phrases *p);
extern void PhrasesHash(const Phrases *p, uint8 *hash);
extern uint32 PhrasesStamp(void);
extern uint32 PhrasesCrc(const char *bytes, Size len);
extern PhraseList PhrasesRead(const Phrases *p, Piece *unique_names,
							  int *pattern_name);
extern MatchSet *PhrasesCreateMatch(MemoryContext cxt, uint8 syntax);
extern void PhrasesAddPatterns(MatchSet *match, const PhraseList *list);
extern void PhrasesCompile(MatchSet *match, const PhraseList *list);
extern void PhrasesScanError(MatchStatus status);

/* phrase_hits.c */
extern void PhrasesScan(MatchSet *match, const char *utf8, Size len,
						MatchCallback callback, void *arg);
extern MatchSpan *PhrasesFind(MatchSet *match, const char *utf8, Size len,
							  int max, int *count);
extern ArrayType *PhrasesNames(const Datum *names, const uint64 *bits, int nhits);
extern int	PhrasesCountCharacters(const char *bytes, Size len);

/* phrases_cache.c */
extern PhrasesEntry PhrasesLoad(const Phrases *p, MemoryContext cxt);
extern PhrasesEntry *PhrasesGetEntry(FunctionCallInfo fcinfo, int arg);

#endif							/* ASSAY_PHRASES_VALUE_H */
