/*
 * near_index.c
 *		Folded names, among which the nearest to another is found at once.
 *
 * Near means: few insertions, deletions, substitutions and swaps of neighbours
 * (optimal string alignment).  How few depends on the length, as a short name
 * is near to too much; see NearLimit().
 *
 * Names within k edits have a common subsequence in their first P characters,
 * of which at most k are left out on either side: matched characters that one
 * prefix has and the other has not are at most as many as insertions made the
 * latter longer.  So each name is listed under all strings that its first P
 * characters become when up to k are left out, and a question looks up those
 * of its own (as SymSpell does); of the names that it meets there, those whose
 * length or letters tell that they are too far off are passed over.
 *
 * The lists are made when they are asked for the second time: arrays that
 * differ from row to row are searched one by one.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "near_index.h"
#include "skeleton.h"

/* Characters from which variants are made, and variants at most: 1 + 8 + 28 */
#define PREFIX			8
#define VARIANTS_MAX	37

/* Fewer names are searched one by one */
#define SEARCH_MAX		16

/* Names between two looks for an interrupt */
#define INTERRUPT_EVERY	1024

#define HASH_START	UINT64CONST(0x9E3779B97F4A7C15)
#define HASH_FACTOR	UINT64CONST(0xD6E8FEB86659FD93)

/* ---- hashes and variants ------------------------------------------------------ */

static inline uint64
HashStep(uint64 hash, uint32 c)
{
	hash = (hash ^ c) * HASH_FACTOR;
	return hash ^ hash >> 32;
}

/* The hash of a whole name */
uint32
NearHash(const uint32 *chars, int len)
{
	uint64		polynomial = 0;

	for (int i = 0; i < len; i++)
		polynomial = NearHashStep(polynomial, chars[i]);
	return NearHashFinish(polynomial);
}

/* Edits that a name of so many characters may be off */
static int
NearLimit(int len)
{
	return len < 4 ? 0 : len < 8 ? 1 : NEAR_DISTANCE_MAX;
}

/* A bit for each character that occurs: each edit changes two at most. */
static uint64
MaskOf(const uint32 *chars, int len)
{
	uint64		mask = 0;

	for (int i = 0; i < len; i++)
		mask |= UINT64CONST(1) << (chars[i] * 0x9E3779B1U >> 26);
	return mask;
}

/* Hashes of what is left of a string when some of its characters are left out */
typedef struct Variants
{
	const uint32 *chars;
	int			len;
	int			n;
	uint32		hash[VARIANTS_MAX];
} Variants;

/*
 * Add the variants that begin as was hashed and go on at a character.  Of a
 * run of equal characters, the first ones are left out: the result is the same.
 */
static void
AddVariants(Variants *v, int at, uint64 hash, int left_out, bool kept_before)
{
	for (; at < v->len; at++)
	{
		if (left_out > 0 && !(kept_before && v->chars[at] == v->chars[at - 1]))
			AddVariants(v, at + 1, hash, left_out - 1, false);
		hash = HashStep(hash, v->chars[at]);
		kept_before = true;
	}
	Assert(v->n < VARIANTS_MAX);
	v->hash[v->n++] = (uint32) hash;
}

static void
MakeVariants(Variants *v, const uint32 *chars, int len, int left_out)
{
	v->chars = chars;
	v->len = Min(len, PREFIX);
	v->n = 0;
	AddVariants(v, 0, HASH_START, Min(left_out, v->len), false);
}

/* ---- distance ------------------------------------------------------------------ */

/*
 * Edits between two strings, limit + 1 when there are more than limit (at most
 * NEAR_DISTANCE_MAX). Only the diagonals that far off the main one are filled.
 */
static int
NearDistance(const uint32 *a, int a_len, const uint32 *b, int b_len, int limit)
{
	/* Row i has b's positions i - limit .. i + limit, and a margin. */
	enum
	{
		WIDTH = 2 * NEAR_DISTANCE_MAX + 3
	};
	int			rows[3][WIDTH];
	int		   *before = rows[0],
			   *above = rows[1],
			   *row = rows[2];
	const int	far = limit + 1;

	Assert(limit <= NEAR_DISTANCE_MAX);
	if (abs(a_len - b_len) > limit)
		return far;
	/* What both begin and end with costs nothing. */
	while (a_len > 0 && b_len > 0 && a[0] == b[0])
	{
		a++, a_len--;
		b++, b_len--;
	}
	while (a_len > 0 && b_len > 0 && a[a_len - 1] == b[b_len - 1])
	{
		a_len--;
		b_len--;
	}
	if (a_len == 0 || b_len == 0)
		return a_len + b_len;
	if (limit == 0)
		return far;

	/* Slot s of row i is for j = i - limit + s - 1. */
	for (int s = 0; s < WIDTH; s++)
	{
		int			j = s - 1 - limit;

		before[s] = far;
		row[s] = far;
		above[s] = j < 0 || j > limit ? far : j;
	}
	for (int i = 1; i <= a_len; i++)
	{
		int		   *spare = before;
		int			least = far;

		row[0] = far;
		for (int s = 1; s <= 2 * limit + 1; s++)
		{
			int			j = i - limit + s - 1;
			int			cost;

			if (j < 0 || j > b_len)
				cost = far;
			else if (j == 0)
				cost = Min(i, far);
			else
			{
				/* Slots move by one to the left from row to row. */
				cost = above[s] + (a[i - 1] != b[j - 1]);
				cost = Min(cost, above[s + 1] + 1);
				cost = Min(cost, row[s - 1] + 1);
				if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
					cost = Min(cost, before[s] + 1);
				cost = Min(cost, far);
			}
			row[s] = cost;
			least = Min(least, cost);
		}
		row[2 * limit + 2] = far;
		/* A swap goes back two rows, at no less than went through this one. */
		if (least == far)
			return far;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len - a_len + limit + 1];
}

/* ---- making an index ------------------------------------------------------------- */

/* An index with room for as many forms of names, in a context of its caller's */
NearIndex  *
NearIndexBegin(MemoryContext cxt, int names)
{
	NearIndex  *index = MemoryContextAllocZero(cxt, sizeof(NearIndex));

	index->cxt = cxt;
	index->names = MemoryContextAlloc(cxt, Max(names, 1) * sizeof(NearName));
	return index;
}

/* Make room for more characters: by doubling, so each is copied once on average. */
static void
ReserveChars(NearIndex *index, int len)
{
	if (index->chars == NULL)
	{
		index->chars_room = Max(len, 256);
		index->chars = MemoryContextAlloc(index->cxt, index->chars_room * sizeof(uint32));
	}
	else if (index->chars_used + len > index->chars_room)
	{
		index->chars_room = 2 * (index->chars_used + len);
		index->chars = repalloc(index->chars, index->chars_room * sizeof(uint32));
	}
}

/* Add a name, which has at least one character. */
void
NearIndexAdd(NearIndex *index, const uint32 *chars, int len, int number)
{
	NearName   *added = &index->names[index->n];

	Assert(len > 0 && len <= FOLD_CHARS_MAX);
	ReserveChars(index, len);
	memcpy(index->chars + index->chars_used, chars, len * sizeof(uint32));
	added->at = index->chars_used;
	added->len = len;
	added->limit = NearLimit(len);
	added->number = number;
	added->hash = NearHash(chars, len);
	added->mask = MaskOf(chars, len);
	index->chars_used += len;
	index->n++;
	index->lengths |= UINT64CONST(1) << Min(len, 63);
}

/* All have been added: make the table of whole names. */
void
NearIndexFinish(NearIndex *index)
{
	uint32		size = pg_nextpower2_32(Max(2 * index->n, 16));

	index->bits_mask = 8 * size - 1;
	index->bits = MemoryContextAllocZero(index->cxt, size);
	index->exact_mask = size - 1;
	index->exact = MemoryContextAlloc(index->cxt, size * sizeof(int32));
	index->exact_next = MemoryContextAlloc(index->cxt, Max(index->n, 1) * sizeof(int32));
	memset(index->exact, -1, size * sizeof(int32));
	/* From the last to the first, so that a chain has them in order */
	for (int i = index->n - 1; i >= 0; i--)
	{
		uint32		hash = index->names[i].hash;
		int32	   *bucket = &index->exact[hash & index->exact_mask];

		index->bits[(hash & index->bits_mask) / 64] |= UINT64CONST(1) << (hash % 64);
		index->exact_next[i] = *bucket;
		*bucket = i;
	}
}

/* Make the table of variants, unless there are few names. */
void
NearIndexPrepare(NearIndex *index)
{
	Variants	v;
	uint64		items = 0;
	uint32	   *start;
	uint32		size;

	if (index->near_start != NULL || index->n <= SEARCH_MAX)
		return;
	for (int i = 0; i < index->n; i++)
	{
		MakeVariants(&v, index->chars + index->names[i].at, index->names[i].len, index->names[i].limit);
		items += v.n;
		if (i % INTERRUPT_EVERY == 0)
			CHECK_FOR_INTERRUPTS();
	}
	size = pg_nextpower2_32(items);
	index->near_mask = size - 1;
	start = MemoryContextAllocZero(index->cxt, ((Size) size + 1) * sizeof(uint32));
	index->near_items = MemoryContextAllocHuge(index->cxt, items * sizeof(NearItem));

	/*
	 * Count, turn counts into ends, then fill each bucket from its end; not
	 * to be interrupted, since the index outlives who asks.
	 */
	for (int i = 0; i < index->n; i++)
	{
		MakeVariants(&v, index->chars + index->names[i].at, index->names[i].len, index->names[i].limit);
		for (int k = 0; k < v.n; k++)
			start[v.hash[k] & index->near_mask]++;
	}
	for (uint32 b = 1; b <= size; b++)
		start[b] += start[b - 1];
	for (int i = index->n - 1; i >= 0; i--)
	{
		MakeVariants(&v, index->chars + index->names[i].at, index->names[i].len, index->names[i].limit);
		for (int k = 0; k < v.n; k++)
		{
			NearItem   *item = &index->near_items[--start[v.hash[k] & index->near_mask]];

			item->hash = v.hash[k];
			item->name = i;
		}
	}
	index->near_start = start;
}

/* ---- looking ---------------------------------------------------------------------- */

/* The first name after another (-1: of all) that is the same; -1 for none */
int
NearIndexExact(const NearIndex *index, const uint32 *chars, int len, uint32 hash, int after)
{
	int			i;

	if (after >= 0)
		i = index->exact_next[after];
	else if ((index->bits[(hash & index->bits_mask) / 64] >> (hash % 64) & 1) != 0)
		i = index->exact[hash & index->exact_mask];
	else
		return -1;
	for (; i >= 0; i = index->exact_next[i])
	{
		const NearName *known = &index->names[i];

		if (known->hash == hash && known->len == len &&
			memcmp(index->chars + known->at, chars, len * sizeof(uint32)) == 0)
			return i;
	}
	return -1;
}

/* The best so far of a search */
typedef struct Search
{
	const uint32 *chars;
	int			len;
	uint64		mask;
	int			best;			/* -1: none */
	int			distance;		/* the best one's, or beyond any */
	uint32		met;
} Search;

/* Take a name if it is nearer than the best, or as near and before it. */
static inline void
Consider(const NearIndex *index, Search *search, int i)
{
	const NearName *known = &index->names[i];
	int			limit = Min(known->limit, search->distance - (search->best >= 0 && i > search->best));
	int			distance;

	if (++search->met % INTERRUPT_EVERY == 0)
		CHECK_FOR_INTERRUPTS();
	if (limit < 0 || i == search->best || abs(known->len - search->len) > limit ||
		pg_popcount64(known->mask ^ search->mask) > 2 * limit)
		return;
	distance = NearDistance(index->chars + known->at, known->len, search->chars, search->len, limit);
	if (distance <= limit)
	{
		search->best = i;
		search->distance = distance;
	}
}

#if defined(__GNUC__)
#define PREFETCH(p)		__builtin_prefetch(p)
#else
#define PREFETCH(p)		((void) 0)
#endif

/*
 * Look up all variants.  Each is somewhere else in memory, so all places are
 * asked for before one is read.
 */
static void
ConsiderVariants(const NearIndex *index, Search *search, const Variants *v)
{
	uint32		from[VARIANTS_MAX];
	uint32		to[VARIANTS_MAX];
	uint32		hash[VARIANTS_MAX];
	int			n = 0;

	for (int k = 0; k < v->n; k++)
		PREFETCH(&index->near_start[v->hash[k] & index->near_mask]);
	for (int k = 0; k < v->n; k++)
	{
		uint32		bucket = v->hash[k] & index->near_mask;

		from[n] = index->near_start[bucket];
		to[n] = index->near_start[bucket + 1];
		hash[n] = v->hash[k];
		if (from[n] == to[n])
			continue;
		PREFETCH(&index->near_items[from[n]]);
		n++;
	}
	for (int k = 0; k < n; k++)
		for (uint32 at = from[k]; at < to[k]; at++)
			if (index->near_items[at].hash == hash[k])
				Consider(index, search, index->near_items[at].name);
}

/*
 * The nearest name within its limit, the first one of several; -1 for none.
 */
int
NearIndexFind(const NearIndex *index, const uint32 *chars, int len, int *distance)
{
	Search		search = {chars, len, MaskOf(chars, len), -1, NEAR_DISTANCE_MAX, 0};
	Variants	v;

	if (len == 0)
		return -1;
	/* As it is? */
	search.best = NearIndexExact(index, chars, len, NearHash(chars, len), -1);
	if (search.best >= 0)
	{
		*distance = 0;
		return search.best;
	}
	if (index->near_start == NULL)
	{
		for (int i = 0; i < index->n; i++)
			Consider(index, &search, i);
	}
	else
	{
		MakeVariants(&v, chars, len, NEAR_DISTANCE_MAX);
		ConsiderVariants(index, &search, &v);
	}
	*distance = search.distance;
	return search.best;
}
