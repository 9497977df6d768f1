/*
 * logged_signals.h
 *		The signals of a message, as they were when it was decided.
 */
#ifndef ASSAY_LOGGED_SIGNALS_H
#define ASSAY_LOGGED_SIGNALS_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "signals_shape.h"
#include "utils/uuid.h"

#define LOGGED_SIGNALS_VERSION	1

/*
 * The value, in the byte order of x86-64 and arm64, without alignment:
 *
 *	+---------+---------+----------+-------+-------+-------------+----------
 *	| varlena | version | encoding | count | shape | null bitmap | value ...
 *	| 4       | 1       | 1        | 2     | 16    | (count+7)/8 |
 *	+---------+---------+----------+-------+-------+-------------+----------
 *
 * The encoding is that of the database in which it was written, by PostgreSQL's
 * number, and so of all text within; a dump may have brought the value to
 * another.  0 (SQL_ASCII) is any: UTF-8 where it can be, else that of the reader.
 *
 * Names and types are in the shape, a row of assay_internal.signals_shape which all
 * values of one view have in common; it is found by the hash of its content.
 * A bit of the bitmap is set for a value that is not null.  How a value looks
 * is up to its column's form:
 *
 *	fixed	its bytes, as many as the type has
 *	bytes	length (a byte, or 255 and a uint32), and the bytes of a text
 *	sent	the same, of what the type's send function gives
 *	output	the same, of the text form of a type whose send function would give
 *			text in the client's encoding
 *	text	the same, of the type's text form: of types that are not built in
 *
 * Nothing in it is trusted: what is read goes through the checks of a receive
 * or input function.
 */
typedef struct LoggedSignals
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint8		version;
	uint8		encoding;
	uint16		count;
	unsigned char shape[UUID_LEN];
	uint8		data[FLEXIBLE_ARRAY_MEMBER];
} LoggedSignals;

extern Datum FormSignals(SignalsShape *shape, const Datum *values, const bool *nulls);

/* Reads values into rows of a type, by name */
typedef struct SignalsReader SignalsReader;

extern SignalsReader *MakeSignalsReader(TupleDesc desc, const Bitmapset * wanted, MemoryContext context);
extern void ReadSignals(SignalsReader *r, Datum value, Datum *values, bool *nulls);

#endif							/* ASSAY_LOGGED_SIGNALS_H */
