/*
 * message_scan.h
 *		Scans of a message table for the messages of a key.
 */
#ifndef ASSAY_MESSAGE_SCAN_H
#define ASSAY_MESSAGE_SCAN_H

#include "access/genam.h"
#include "access/relscan.h"
#include "access/sdir.h"
#include "access/skey.h"
#include "access/tableam.h"
#include "datatype/timestamp.h"
#include "storage/buf.h"
#include "utils/rel.h"

/* The columns of a message table that are looked at */
typedef struct MessageColumns
{
	int			nkeys;
	AttrNumber	key[INDEX_MAX_KEYS];
	Oid			type[INDEX_MAX_KEYS];	/* of the values that keys are
										 * compared with */
	AttrNumber	at;
	AttrNumber	arrival;
	Oid			arrival_type;	/* int2, int4 or int8 */
} MessageColumns;

/*
 * How the messages of a key are found: by an index that begins with the key,
 * best with the column behind it that the scan is bounded by, or in the whole
 * table.  Whatever it is, who reads looks at each message's time and number.
 */
typedef struct MessageScanPlan
{
	Oid			index;			/* InvalidOid: the whole table */
	ScanDirection direction;
	int			nkeys;			/* scan keys: of the key */
	int			nbounds;		/* and then of the column behind it: at least,
								 * and for a time at most */
	bool		covers;			/* the index has time and number */
	AttrNumber	at;				/* where they are, there or in the table */
	AttrNumber	arrival;
	Oid			arrival_type;
	int			value[INDEX_MAX_KEYS];	/* which of the key's values a scan
										 * key is for */
	ScanKeyData scankey[INDEX_MAX_KEYS + 2];
} MessageScanPlan;

typedef struct Message
{
	TimestampTz at;
	int64		arrival;
	bool		numbered;		/* it has a number */
} Message;

typedef struct MessageScan
{
	const MessageScanPlan *plan;
	Relation	rel;
	Relation	index;
	IndexScanDesc by_index;
	TableScanDesc whole;
	TupleTableSlot *slot;
	Buffer		visible;		/* a page of the visibility map */
} MessageScan;

/* message_scan.c */
extern void PlanMessageScan(MessageScanPlan *plan, Relation rel, const MessageColumns *columns, AttrNumber bound);
extern void MessageScanBegin(MessageScan *scan, MessageScanPlan *plan, Relation rel, const Datum *key, Datum least, Datum most);
extern bool MessageScanNext(MessageScan *scan, Message *message);
extern bool MessageScanSees(MessageScan *scan);
extern void MessageScanEnd(MessageScan *scan);

#endif							/* ASSAY_MESSAGE_SCAN_H */
