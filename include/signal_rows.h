/*
 * signal_rows.h
 *		Rows of signals of a policy's messages, logged or of its view.
 */
#ifndef ASSAY_SIGNAL_ROWS_H
#define ASSAY_SIGNAL_ROWS_H

#include "batch.h"
#include "logged_signals.h"

typedef struct SignalRows
{
	TupleDesc	desc;			/* of the view */
	SignalsReader *reader;
	Datum	   *values;			/* of the row at hand */
	bool	   *nulls;
} SignalRows;

extern void SignalRowsInit(SignalRows *r, Source *s);
extern void SignalRowsWant(SignalRows *r, const Bitmapset * columns);
extern void SignalRowsRead(SignalRows *r, Datum value, bool logged);

#endif							/* ASSAY_SIGNAL_ROWS_H */
