/*
 * list_base.c
 *		A list's values as one flat value, and changes to it; see list_base.h.
 *
 * Values are compared by fingerprints of 128 bits, of which the bucket's
 * number and 63 bits are kept: of 10^12 look-ups in a set of any size, one in
 * a million makes one wrong.  The seed is secret and drawn anew for each base
 * that is built from rows, so that nobody can look for a value that would be
 * taken for another.
 *
 * A base comes out of a table: whatever is used as a place in it is checked
 * once, when it is loaded, by ListBaseCheck().
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "list_base.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define LIST_BASE_MAGIC		0x31534C41	/* ALS1 */
#define BUCKET_BITS_MAX		28
#define BUCKET_VALUES		8	/* a new base has up to twice as many */
#define BUCKET_VALUES_MAX	32
#define ITEMS_MAX			100000000
#define CRC_PIECE			(1024 * 1024)

/* ---- places in a base ------------------------------------------------------ */

static inline const uint64 *
Prints(const ListBase *base)
{
	return (const uint64 *) base->data;
}

static inline const int64 *
ExpiryTimes(const ListBase *base)
{
	return (const int64 *) (Prints(base) + base->count);
}

static inline const uint32 *
Starts(const ListBase *base)
{
	return (const uint32 *) (ExpiryTimes(base) + base->expiring);
}

static inline const uint32 *
Expirers(const ListBase *base)
{
	return Starts(base) + ((Size) 1 << base->bits) + 1;
}

static Size
BaseSize(uint32 bits, Size count, Size expiring)
{
	return offsetof(ListBase, data) + count * sizeof(uint64) +
		expiring * (sizeof(int64) + sizeof(uint32)) +
		(((Size) 1 << bits) + 1) * sizeof(uint32);
}

static inline uint32
Bucket(uint32 bits, ListPrint key)
{
	return bits == 0 ? 0 : (uint32) (key.place >> (64 - bits));
}

/* In pieces, between which it can be cancelled: a base may be large */
static uint32
BaseCrc(const ListBase *base)
{
	const char *piece = (const char *) &base->bits;
	Size		left = VARSIZE(base) - offsetof(ListBase, bits);
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	while (left > 0)
	{
		Size		size = Min(left, CRC_PIECE);

		CHECK_FOR_INTERRUPTS();
		COMP_CRC32C(crc, piece, size);
		piece += size;
		left -= size;
	}
	FIN_CRC32C(crc);
	return crc;
}

/*
 * What is wrong with a stored base, or NULL.  After this, no number in it
 * leads out of it.
 */
const char *
ListBaseCheck(const ListBase *base)
{
	const uint32 *start;
	const uint32 *expirer;
	uint32		last = 0;

	if (VARSIZE(base) < offsetof(ListBase, data))
		return "it is shorter than its header";
	if (base->magic != LIST_BASE_MAGIC)
		return "it is of another version or byte order";
	if (base->bits > BUCKET_BITS_MAX || base->count > ITEMS_MAX ||
		base->expiring > base->count ||
		VARSIZE(base) != BaseSize(base->bits, base->count, base->expiring))
		return "its size is not that of its parts";
	if (base->crc != BaseCrc(base))
		return "its checksum is not that of its contents";
	start = Starts(base);
	for (Size i = 0; i <= (Size) 1 << base->bits; i++)
	{
		if (start[i] < last || start[i] > base->count)
			return "a bucket lies outside of it";
		last = start[i];
	}
	if (start[0] != 0 || last != base->count)
		return "its buckets do not cover it";
	expirer = Expirers(base);
	for (Size i = 0; i < base->expiring; i++)
		if (expirer[i] >= base->count)
			return "a value that expires lies outside of it";
	return NULL;
}

/* ---- fingerprints ---------------------------------------------------------- */

ListPrint
ListFingerprint(const uint64 *seed, ListKind kind, const char *tenant,
				int tenant_len, const char *key, int len)
{
	uint64		own = seed[0] + (kind + 1) * UINT64CONST(0x9E3779B97F4A7C15);
	ListPrint	print;

	if (tenant_len > 0)
		own ^= hash_bytes_extended((const unsigned char *) tenant, tenant_len, seed[1]);
	print.place = hash_bytes_extended((const unsigned char *) key, len, own);
	print.print = hash_bytes_extended((const unsigned char *) key, len, own ^ seed[1]) &
		~UINT64CONST(1);
	return print;
}

void
ListSeed(uint64 *seed)
{
	if (!pg_strong_random(seed, 2 * sizeof(uint64)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random seed")));
}

/* Note that the set has, or once had, such a value. */
void
ListShapeAdd(ListShape *shape, ListKind kind, bool tenant, const char *key, int len)
{
	int			n = 1;

	shape->kinds |= UINT64CONST(1) << kind;
	if (tenant)
		shape->kinds |= LIST_TENANTS;
	switch (kind)
	{
		case LIST_EXACT:
			break;
		case LIST_DOMAIN:
			for (int i = 0; i < len; i++)
				n += key[i] == '.';
			n = Min(n, 127);
			shape->labels[n / 64] |= UINT64CONST(1) << (n % 64);
			break;
		case LIST_PREFIX:
			n = Min(len, LIST_MAX_PREFIX);
			shape->prefixes[n / 64] |= UINT64CONST(1) << (n % 64);
			break;
		case LIST_CIDR:
			if (len == 2 + 4 && (unsigned char) key[1] <= 32)
				shape->v4 |= UINT64CONST(1) << key[1];
			else if (len == 2 + 16)
			{
				n = Min((unsigned char) key[1], 128);
				shape->v6[n / 64] |= UINT64CONST(1) << (n % 64);
			}
			break;
	}
}

/* ---- looking up ------------------------------------------------------------ */

/* When does the value with this number expire?  A binary search among those that do */
static TimestampTz
ExpiryOf(const ListBase *base, uint32 number)
{
	const uint32 *expirer = Expirers(base);
	uint32		low = 0;
	uint32		high = base->expiring;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (expirer[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < base->expiring && expirer[low] == number)
		return ExpiryTimes(base)[low];
	return DT_NOBEGIN;			/* damaged: it counts as expired */
}

bool
ListBaseFind(const ListBase *base, ListPrint key, TimestampTz at)
{
	const uint64 *prints = Prints(base);
	const uint32 *start = Starts(base) + Bucket(base->bits, key);
	uint32		end = start[1];

	for (uint32 i = start[0]; i < end; i++)
	{
		if ((prints[i] & ~UINT64CONST(1)) == key.print)
			return (prints[i] & 1) == 0 || ExpiryOf(base, i) > at;
	}
	return false;
}

/* ---- changes --------------------------------------------------------------- */

static ListChange *
ChangeOf(const ListDelta *delta, ListPrint key)
{
	uint32		mask = delta->room - 1;
	uint32		i = (uint32) (key.print >> 1) & mask;

	while (delta->changes[i].used &&
		   (delta->changes[i].key.place != key.place ||
			delta->changes[i].key.print != key.print))
		i = (i + 1) & mask;
	return &delta->changes[i];
}

/* Note a change; a later one of the same value replaces it. */
void
ListDeltaSet(ListDelta *delta, ListPrint key, bool present, TimestampTz expires_at)
{
	ListChange *change;

	if (delta->room < 2 * (delta->count + 1))
	{
		ListDelta	grown = {NULL, Max(64, delta->room * 2), delta->count};

		grown.changes = MemoryContextAllocExtended(CurrentMemoryContext,
												   mul_size(grown.room, sizeof(ListChange)),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		for (uint32 i = 0; i < delta->room; i++)
			if (delta->changes[i].used)
				*ChangeOf(&grown, delta->changes[i].key) = delta->changes[i];
		if (delta->changes != NULL)
			pfree(delta->changes);
		*delta = grown;
	}
	change = ChangeOf(delta, key);
	if (!change->used)
		delta->count++;
	change->key = key;
	change->used = true;
	change->present = present;
	change->expires_at = expires_at;
}

/* Does a change tell whether the value is in the set?  If not, *found is false. */
bool
ListDeltaFind(const ListDelta *delta, ListPrint key, TimestampTz at, bool *found)
{
	const ListChange *change = delta->count > 0 ? ChangeOf(delta, key) : NULL;

	*found = change != NULL && change->used;
	return *found && change->present && change->expires_at > at;
}

/* ---- building -------------------------------------------------------------- */

void
ListBuilderAdd(ListBuilder *builder, ListPrint key, TimestampTz expires_at)
{
	if (builder->count >= ITEMS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values in a list"),
				 errdetail("The limit is %d.", ITEMS_MAX)));
	if (builder->count == builder->room)
	{
		builder->room = Max(1024, builder->room * 2);
		builder->items = builder->items == NULL ?
			MemoryContextAllocHuge(CurrentMemoryContext, builder->room * sizeof(ListItem)) :
			repalloc_huge(builder->items, builder->room * sizeof(ListItem));
	}
	builder->items[builder->count].key = key;
	builder->items[builder->count++].expires_at = expires_at;
}

static int
CompareItems(const void *a, const void *b, void *arg)
{
	const ListPrint *x = &((const ListItem *) a)->key;
	const ListPrint *y = &((const ListItem *) b)->key;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->print < y->print ? -1 : x->print > y->print;
}

static ListBase *
MakeBase(uint32 bits, Size count, Size expiring, const uint64 *seed, const ListShape *shape)
{
	Size		size = BaseSize(bits, count, expiring);
	ListBase   *base;

	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many values in a list")));
	base = palloc0(size);
	SET_VARSIZE(base, size);
	base->magic = LIST_BASE_MAGIC;
	base->bits = bits;
	base->seed[0] = seed[0];
	base->seed[1] = seed[1];
	base->count = count;
	base->expiring = expiring;
	base->shape = *shape;
	return base;
}

/* Sort what was added, and lay it out. */
ListBase   *
ListBuilderFinish(ListBuilder *builder)
{
	Size		expiring = 0;
	Size		e = 0;
	uint32		bits = 0;
	uint32		bucket = 0;
	ListBase   *base;
	uint64	   *prints;
	uint32	   *start;

	if (builder->count > 0)
		qsort_interruptible(builder->items, builder->count, sizeof(ListItem), CompareItems, NULL);
	for (Size i = 0; i < builder->count; i++)
		expiring += builder->items[i].expires_at != DT_NOEND;
	while (((Size) BUCKET_VALUES << bits) * 2 <= builder->count)
		bits++;

	base = MakeBase(bits, builder->count, expiring, builder->seed, &builder->shape);
	prints = (uint64 *) Prints(base);
	start = (uint32 *) Starts(base);
	for (Size i = 0; i < builder->count; i++)
	{
		const ListItem *item = &builder->items[i];
		bool		expires = item->expires_at != DT_NOEND;

		if (i % 65536 == 65535)
			CHECK_FOR_INTERRUPTS();
		while (bucket <= Bucket(bits, item->key))
			start[bucket++] = i;
		prints[i] = item->key.print | (expires ? 1 : 0);
		if (expires)
		{
			((uint32 *) Expirers(base))[e] = i;
			((int64 *) ExpiryTimes(base))[e++] = item->expires_at;
		}
	}
	while (bucket <= (uint32) 1 << bits)
		start[bucket++] = builder->count;
	base->crc = BaseCrc(base);
	return base;
}

/* Can so many changes be merged into a base, without more buckets? */
bool
ListBaseFits(const ListBase *base, Size changes)
{
	return base->count + changes <= (Size) BUCKET_VALUES_MAX << base->bits;
}

typedef struct MergeOutput
{
	uint64	   *prints;
	uint32	   *start;
	uint32	   *expirer;
	int64	   *expires_at;
	uint32		count;
	uint32		expiring;
} MergeOutput;

static void
Put(MergeOutput *out, uint64 print, TimestampTz expires_at)
{
	bool		expires = expires_at != DT_NOEND;

	out->prints[out->count] = (print & ~UINT64CONST(1)) | (expires ? 1 : 0);
	if (expires)
	{
		out->expirer[out->expiring] = out->count;
		out->expires_at[out->expiring++] = expires_at;
	}
	out->count++;
}

/*
 * The base with the changes made, and without what has expired.  Changes are
 * sorted into its buckets; the place's lower bits are not in a base, so
 * within a bucket they stand in any order.
 */
ListBase   *
ListBaseMerge(const ListBase *base, const ListDelta *delta, const ListShape *shape,
			  TimestampTz now)
{
	Size		most = (Size) base->count + delta->count;
	ListItem   *sorted = palloc_extended((delta->count + 1) * sizeof(ListItem), MCXT_ALLOC_HUGE);
	Size		nsorted = 0;
	Size		s = 0;
	MergeOutput out = {0};
	ListBase   *merged;
	uint32		buckets = (uint32) 1 << base->bits;

	/* Changes by bucket; what went stands there as expired long ago. */
	for (uint32 i = 0; i < delta->room; i++)
	{
		const ListChange *change = &delta->changes[i];

		if (!change->used)
			continue;
		sorted[nsorted].key = change->key;
		sorted[nsorted++].expires_at = change->present ? change->expires_at : DT_NOBEGIN;
	}
	qsort_interruptible(sorted, nsorted, sizeof(ListItem), CompareItems, NULL);

	out.prints = palloc_extended((most + 1) * sizeof(uint64), MCXT_ALLOC_HUGE);
	out.start = palloc_extended((buckets + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	out.expirer = palloc_extended((most + 1) * sizeof(uint32), MCXT_ALLOC_HUGE);
	out.expires_at = palloc_extended((most + 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	for (uint32 b = 0; b < buckets; b++)
	{
		Size		first = s;

		if (b % 65536 == 65535)
			CHECK_FOR_INTERRUPTS();
		out.start[b] = out.count;
		while (s < nsorted && Bucket(base->bits, sorted[s].key) == b)
			s++;
		for (uint32 i = Starts(base)[b]; i < Starts(base)[b + 1]; i++)
		{
			uint64		print = Prints(base)[i];
			TimestampTz expires_at = (print & 1) ? ExpiryOf(base, i) : DT_NOEND;
			bool		changed = false;

			for (Size c = first; c < s && !changed; c++)
				changed = sorted[c].key.print == (print & ~UINT64CONST(1));
			if (!changed && expires_at > now)
				Put(&out, print, expires_at);
		}
		for (Size c = first; c < s; c++)
			if (sorted[c].expires_at > now)
				Put(&out, sorted[c].key.print, sorted[c].expires_at);
	}
	out.start[buckets] = out.count;

	merged = MakeBase(base->bits, out.count, out.expiring, base->seed, shape);
	memcpy((void *) Prints(merged), out.prints, out.count * sizeof(uint64));
	memcpy((void *) ExpiryTimes(merged), out.expires_at, out.expiring * sizeof(int64));
	memcpy((void *) Starts(merged), out.start, (buckets + 1) * sizeof(uint32));
	memcpy((void *) Expirers(merged), out.expirer, out.expiring * sizeof(uint32));
	pfree(sorted);
	pfree(out.prints);
	pfree(out.start);
	pfree(out.expirer);
	pfree(out.expires_at);
	merged->crc = BaseCrc(merged);
	return merged;
}
