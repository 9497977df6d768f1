/*
 * named_set.h
 *		Named sets of values or phrases: which state of one a statement sees,
 *		who may ask it, and how authors take turns.
 */
#ifndef ASSAY_NAMED_SET_H
#define ASSAY_NAMED_SET_H

#include "access/htup.h"
#include "datatype/timestamp.h"
#include "snapshot_mark.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

#define NAMED_SET_MAX_NAME	63

/* Column named_set.content */
#define NAMED_SET_LIST		"list"
#define NAMED_SET_PHRASES	"phrases"

/*
 * What a backend knows of a set: the version of its row that it loaded the
 * set by, and for which snapshot it last made sure of that.  First member of
 * whatever is loaded.
 */
typedef struct NamedSet
{
	char		name[NAMED_SET_MAX_NAME + 1];
	int			name_len;
	const char *content;

	/* the row's version */
	bool		loaded;			/* the rest of the entry is of this version */
	TransactionId xid;
	ItemPointerData tid;
	bool		latest;			/* no newer one was there when it was read */
	int64		state;
	TimestampTz made_at;
	TimestampTz pruned_at;		/* before it there is no history */
	int64		pruned_state;
	Oid			owner;
	int			nreaders;
	Oid		   *readers;		/* 0: everybody */

	int64		probes;			/* how often the row was read */

	bool		may_miss;		/* NamedSetPeek(): no error, but */
	bool		missing;		/* that there is none, or not for this user */

	/* for whom and when it is known to be right */
	uint64		generation;
	uint64		probe_generation;
	uint64		reload_generation;
	Oid			user;
	SnapshotMark snapshot;
} NamedSet;

typedef enum NamedSetNews
{
	SET_SAME,					/* what is loaded is right */
	SET_NEWER,					/* so is it, for what it was; changes came
								 * since */
	SET_OTHER					/* load it */
} NamedSetNews;

/*
 * A set that this transaction changes, in one state.  What a subtransaction
 * did to it is undone when that aborts, and is its parent's when it commits.
 */
typedef struct OpenSet
{
	SubTransactionId opened;	/* in which it was opened */
	SubTransactionId closed;	/* ... its row went, if it did */
	SubTransactionId settled;	/* ... its changes were last dealt with */
	SubTransactionId stored;	/* ... what it holds was stored as of its
								 * state */
	char		name[NAMED_SET_MAX_NAME + 1];
	const char *content;		/* as who opened it said, or NULL */
	Oid			user;			/* who was found to be allowed to, if still so */
	int64		state;
	TimestampTz at;				/* of its changes */
	int64		changes;		/* since it was opened */
	int64		unsettled;		/* of them, since they were last dealt with */
	bool		fresh;			/* not settled yet */
} OpenSet;

extern void NamedSetInit(void);
extern void NamedSetName(NamedSet *set, const char *name, int len, const char *content);
extern bool NamedSetIsFresh(const NamedSet *set);
extern NamedSetNews NamedSetRefresh(NamedSet *set, int64 *was);
extern void NamedSetLoaded(NamedSet *set);
extern NamedSet *NamedSetWatched(const char *name, const char *content);
extern bool NamedSetPeek(NamedSet *set, int64 *state);

extern Relation NamedSetTable(const char *table);
extern Oid	NamedSetIndex(const char *index);
extern OpenSet *NamedSetOpen(const char *name, int len, const char *content);
extern OpenSet *NamedSetNextOpen(int *i);
extern void NamedSetSettled(OpenSet *set);
extern void NamedSetStored(OpenSet *set);

/* The owner of the extension's tables, for the time of a change */
typedef struct NamedSetSecurity
{
	Oid			user;
	int			context;
} NamedSetSecurity;

extern void NamedSetEnter(NamedSetSecurity *security);
extern void NamedSetLeave(NamedSetSecurity *security);

#endif							/* ASSAY_NAMED_SET_H */
