/*
 * lists.h
 *		Lists of values: their keys, and loading them.
 */
#ifndef ASSAY_LISTS_H
#define ASSAY_LISTS_H

#include "list_base.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

/* Columns of assay.list_entry */
#define Anum_entry_set			1
#define Anum_entry_kind			2
#define Anum_entry_tenant		3
#define Anum_entry_key			4
#define Anum_entry_value		5
#define Anum_entry_added_state	6
#define Anum_entry_removed_state	7
#define Anum_entry_added_at		8
#define Anum_entry_removed_at	9
#define Anum_entry_expires_at	10
#define Anum_entry_note			13

/* Changes since a base after which an author merges them into a new one */
#define LIST_DELTA_MAX(values)	(1000 + (values) / 256)

extern void ListsInit(void);

/* list_key.c */
extern const char *const list_kind_names[LIST_KINDS];
extern int	ListKindFromName(const char *name, int len);
extern int	ListKey(ListKind kind, const char *value, int len, char *key);
extern int	ListFold(const char *value, int len, char *folded, int room, bool *whole);
extern int	ListHost(const char *value, int len, char *host);
extern int	ListAddress(const char *value, int len, char *key);
extern void ListAddressMask(char *key, int bits);
extern int	ListAddressText(const char *key, int len, char *out, int room);

/* list_load.c */

/* Which row a base was read from */
typedef struct ListBaseRow
{
	bool		valid;
	TransactionId xid;
	ItemPointerData tid;
} ListBaseRow;

extern ListBase *ListFetchBase(const char *set, Snapshot snapshot, MemoryContext context,
							   ListBase *known, ListBaseRow *row, int64 *state);
extern void ListFetchChanges(const char *set, Snapshot snapshot, int64 after,
							 const uint64 *seed, ListDelta *delta, ListShape *shape);
extern ListBase *ListBuild(const char *set, Snapshot snapshot, TimestampTz now);

#endif							/* ASSAY_LISTS_H */
