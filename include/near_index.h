/*
 * near_index.h
 *		Folded names, among which the nearest to another is found at once.
 */
#ifndef ASSAY_NEAR_INDEX_H
#define ASSAY_NEAR_INDEX_H

/* No name may be further off */
#define NEAR_DISTANCE_MAX	2

typedef struct NearName
{
	uint32		at;				/* of its characters */
	uint16		len;
	uint16		limit;			/* edits at most to be near */
	int32		number;			/* the caller's */
	uint32		hash;			/* of all characters */
	uint64		mask;			/* which characters it has; see MaskOf() */
} NearName;

/* What a bucket of names by a variant's hash holds */
typedef struct NearItem
{
	uint32		hash;
	uint32		name;
} NearItem;

typedef struct NearIndex
{
	MemoryContext cxt;
	int			n;
	NearName   *names;
	uint32	   *chars;
	uint32		chars_used;
	uint32		chars_room;
	uint64		lengths;		/* bit: names of that length, the last for
								 * longer ones, too */
	uint32		bits_mask;		/* bit: some whole name has such a hash */
	uint64	   *bits;
	uint32		exact_mask;		/* whole names by hash; size - 1 */
	int32	   *exact;			/* first name of each bucket, -1 for none */
	int32	   *exact_next;
	uint32		near_mask;		/* variants by hash; NULL until it pays */
	uint32	   *near_start;
	NearItem   *near_items;
} NearIndex;

/*
 * The hash of a whole name is made of a polynomial of its characters, so that
 * the hashes of all parts of a text come from those of its beginnings.
 */
#define NEAR_HASH_BASE	UINT64CONST(0x9E3779B97F4A7C15)

static inline uint64
NearHashStep(uint64 polynomial, uint32 c)
{
	return polynomial * NEAR_HASH_BASE + c + 1;
}

static inline uint32
NearHashFinish(uint64 polynomial)
{
	polynomial = (polynomial ^ polynomial >> 29) * UINT64CONST(0xD6E8FEB86659FD93);
	return (uint32) (polynomial >> 32);
}

extern uint32 NearHash(const uint32 *chars, int len);
extern NearIndex *NearIndexBegin(MemoryContext cxt, int names);
extern void NearIndexAdd(NearIndex *index, const uint32 *chars, int len, int number);
extern void NearIndexFinish(NearIndex *index);
extern void NearIndexPrepare(NearIndex *index);
extern int	NearIndexExact(const NearIndex *index, const uint32 *chars, int len, uint32 hash, int after);
extern int	NearIndexFind(const NearIndex *index, const uint32 *chars, int len, int *distance);

#endif							/* ASSAY_NEAR_INDEX_H */
