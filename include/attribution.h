/*
 * attribution.h
 *		The ledger of one decision: prior + every detector's contribution.
 */
#ifndef ASSAY_ATTRIBUTION_H
#define ASSAY_ATTRIBUTION_H

#include "fmgr.h"
#include "lib/stringinfo.h"

#define ATTRIBUTION_VERSION		1

/* What an entry speaks of */
typedef enum AttributionKind
{
	ATTRIBUTION_RULE,
	ATTRIBUTION_MODEL,
	ATTRIBUTION_EXCLUSION,
	ATTRIBUTION_SIGNALS			/* the signals view itself, when it failed */
} AttributionKind;

#define ATTRIBUTION_KIND_MAX	ATTRIBUTION_SIGNALS

/* Flags of an entry; the last three say which optional strings follow */
#define ATTRIBUTION_HIT			0x01
#define ATTRIBUTION_SHADOW		0x02	/* recorded, without effect */
#define ATTRIBUTION_SUSPENDED	0x04	/* not evaluated: it failed too often */
#define ATTRIBUTION_MUTED		0x08	/* followed by the exclusion's name */
#define ATTRIBUTION_FORCED		0x10	/* followed by the verdict */
#define ATTRIBUTION_FAULT		0x20	/* followed by the SQLSTATE */
#define ATTRIBUTION_FLAGS		0x3f

/* An entry counts toward the margin unless one of these is set. */
#define ATTRIBUTION_NOT_COUNTED \
	(ATTRIBUTION_SHADOW | ATTRIBUTION_SUSPENDED | ATTRIBUTION_MUTED | ATTRIBUTION_FAULT)

/* Limits; a value that breaks one is refused by in and recv */
#define ATTRIBUTION_ENTRIES_MAX		65535
#define ATTRIBUTION_EVIDENCE_MAX	255
#define ATTRIBUTION_VALUE_MAX		128 /* bytes of a signal's value kept */
#define ATTRIBUTION_STATES_MAX		255

/* What a ledger names the state of */
typedef enum AttributionSet
{
	ATTRIBUTION_LIST,
	ATTRIBUTION_PHRASES,
	ATTRIBUTION_TEXT_MODEL
} AttributionSet;

#define ATTRIBUTION_SET_MAX		ATTRIBUTION_TEXT_MODEL

/*
 * The value:
 *
 *	+--------+---------+-------+---------+----------+-------+--------+---------
 *	| varlena| version | flags | entries | revision | prior | margin | entry...
 *	| 4      | 1       | 1     | 2       | 4        | 8     | 8      |
 *	+--------+---------+-------+---------+----------+-------+--------+---------
 *
 * and each entry, unaligned, strings as <length byte or five><bytes>:
 *
 *	kind 1 | flags 1 | evidence 1 | contribution 8 | name
 *	[ muted by ] [ forced verdict ] [ sqlstate ]
 *	evidence times: name | 0 null, 1 value | [value] | contribution 8 if a model
 *
 * With ATTRIBUTION_STATES in the value's "flags", behind the last entry, which
 * lists, phrase sets and text models the policy looked into, and in which state
 * they were (a varint: 7 bits a byte, low first):
 *
 *	count 1 | count times: kind 1 | state 1..10 | name
 *
 * "flags" may hold ATTRIBUTION_DEGRADED, too.  The contribution is in log-odds.
 * A string is <= 254 bytes with one length byte, or 255 and a uint32.
 */
typedef struct Attribution
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;
	uint8		flags;
	uint16		nentries;
	int32		revision;
	float8		prior;			/* log-odds */
	float8		margin;			/* log-odds; the sum of what counts */
	char		entries[FLEXIBLE_ARRAY_MEMBER];
} Attribution;

#define ATTRIBUTION_DEGRADED	0x01	/* made without some of its evidence */
#define ATTRIBUTION_STATES		0x02	/* states stand behind the entries */

#define DatumGetAttributionP(d)		ReadAttribution((Attribution *) PG_DETOAST_DATUM(d))
#define PG_GETARG_ATTRIBUTION_P(n)	DatumGetAttributionP(PG_GETARG_DATUM(n))

/* One string inside a ledger, not terminated; absent where data is NULL */
typedef struct Span
{
	const char *data;
	uint32		len;
} Span;

/* One entry of a ledger, its strings where they stand in the value */
typedef struct EntryReader
{
	uint8		kind;
	uint8		flags;
	uint8		nevidence;
	double		contribution;
	Span		name;
	Span		muted_by;
	Span		verdict;
	Span		sqlstate;
} EntryReader;

/* Goes through the entries of a ledger, leaving out their evidence */
typedef struct LedgerReader
{
	const char *p;
	const char *end;
	int			left;
	bool		states;			/* more follows the entries */
} LedgerReader;

/* A ledger in the making; reset and reused from message to message */
typedef struct AttributionBuilder
{
	StringInfoData buf;
	int			nentries;
	int			evidence_at;	/* offset of the open entry's evidence count */
	int			nevidence;
	bool		is_model;
	int			nstates;
	int			states_at;		/* offset of their count */
} AttributionBuilder;

extern Attribution *ReadAttribution(Attribution *a);
extern void LedgerBegin(LedgerReader *r, const Attribution *a);
extern bool LedgerNext(LedgerReader *r, EntryReader *e);
extern void CheckLedgerName(const Span *name);
extern void AttributionBegin(AttributionBuilder *b);
extern void AttributionEntry(AttributionBuilder *b, AttributionKind kind,
							 uint8 flags, const char *name,
							 double contribution, const char *muted_by,
							 const char *verdict, const char *sqlstate);
extern void AttributionEvidence(AttributionBuilder *b, const char *name,
								const char *value, int len,
								double contribution);
extern void AttributionState(AttributionBuilder *b, AttributionSet kind,
							 const char *name, int64 state);
extern Attribution *AttributionFinish(AttributionBuilder *b, int revision,
									  double prior, double margin,
									  bool degraded);

#endif							/* ASSAY_ATTRIBUTION_H */
