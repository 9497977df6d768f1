/*
 * list_base.h
 *		A list's values as one flat value that is searched in place, and the
 *		few changes since then.  No tables, no cache: plain memory.
 */
#ifndef ASSAY_LIST_BASE_H
#define ASSAY_LIST_BASE_H

#include "datatype/timestamp.h"

/* Bytes of a value in the form in which it is compared */
#define LIST_MAX_KEY		1024
#define LIST_KEY_ROOM		(LIST_MAX_KEY + 8)	/* to make one */
#define LIST_MAX_PREFIX		255
#define LIST_MAX_TENANT		255

typedef enum ListKind
{
	LIST_EXACT,
	LIST_DOMAIN,
	LIST_PREFIX,
	LIST_CIDR
} ListKind;

#define LIST_KINDS	4

/*
 * Which look-ups can succeed at all: how many labels domains have, how long
 * prefixes are, how many bits networks have.  It may claim too much, never
 * too little.
 */
typedef struct ListShape
{
	uint64		kinds;			/* bits of ListKind; bit 8: some have tenants */
	uint64		labels[2];		/* of domains: 1 to 127 */
	uint64		prefixes[4];	/* bytes: 1 to 255 */
	uint64		v4;				/* network bits: 0 to 32 */
	uint64		v6[3];			/* 0 to 128 */
} ListShape;

#define LIST_TENANTS	((uint64) 1 << 8)

/* What is compared of a value: 128 bits that depend on a secret seed */
typedef struct ListPrint
{
	uint64		place;			/* its top bits say in which bucket */
	uint64		print;			/* its lowest bit is not used */
} ListPrint;

/*
 * The flat value.  Fingerprints stand in buckets of about eight, each sorted:
 *
 *		uint64	print[count]		low bit: it expires
 *		int64	expires_at[expiring]	of those that do, in the same order
 *		uint32	start[2^bits + 1]	of each bucket in print
 *		uint32	expirer[expiring]	their numbers in print, ascending
 *
 * 'count' is below 2^31, and all of it below 1 GB.
 */
typedef struct ListBase
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint32		magic;			/* LIST_BASE_MAGIC, in this byte order */
	uint32		crc;			/* of all that follows */
	uint32		bits;
	uint64		seed[2];
	uint32		count;
	uint32		expiring;
	ListShape	shape;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} ListBase;

/* Changes since a base: values that came or went */
typedef struct ListChange
{
	ListPrint	key;
	TimestampTz expires_at;		/* DT_NOEND: never */
	bool		used;
	bool		present;
} ListChange;

typedef struct ListDelta
{
	ListChange *changes;		/* open addressing */
	uint32		room;			/* a power of two, or 0 */
	uint32		count;
} ListDelta;

/* One value on its way into a base */
typedef struct ListItem
{
	ListPrint	key;
	TimestampTz expires_at;
} ListItem;

typedef struct ListBuilder
{
	ListItem   *items;
	Size		count;
	Size		room;
	ListShape	shape;
	uint64		seed[2];
} ListBuilder;

extern ListPrint ListFingerprint(const uint64 *seed, ListKind kind, const char *tenant,
								 int tenant_len, const char *key, int len);
extern void ListShapeAdd(ListShape *shape, ListKind kind, bool tenant,
						 const char *key, int len);
extern void ListSeed(uint64 *seed);
extern void ListBuilderAdd(ListBuilder *builder, ListPrint key, TimestampTz expires_at);
extern ListBase *ListBuilderFinish(ListBuilder *builder);
extern const char *ListBaseCheck(const ListBase *base);
extern bool ListBaseFits(const ListBase *base, Size changes);
extern ListBase *ListBaseMerge(const ListBase *base, const ListDelta *delta,
							   const ListShape *shape, TimestampTz now);
extern bool ListBaseFind(const ListBase *base, ListPrint key, TimestampTz at);
extern void ListDeltaSet(ListDelta *delta, ListPrint key, bool present,
						 TimestampTz expires_at);
extern bool ListDeltaFind(const ListDelta *delta, ListPrint key, TimestampTz at,
						  bool *found);

#endif							/* ASSAY_LIST_BASE_H */
