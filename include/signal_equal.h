/*
 * signal_equal.h
 *		Is a logged signal the value that somebody gives as a text?
 */
#ifndef ASSAY_SIGNAL_EQUAL_H
#define ASSAY_SIGNAL_EQUAL_H

#include "signals_shape.h"

typedef struct WantedSignal WantedSignal;

/*
 * A value as text that a column of type "view" has, to be compared by the
 * collation with what was logged as column c; in the current memory context.
 */
extern WantedSignal *MakeWantedSignal(const SignalColumn *c, const char *given, Oid view, Oid collation);

/* Can it be compared with this column's values, too? */
extern bool WantedSignalFits(const WantedSignal *w, const SignalColumn *c, const char *given, Oid view, Oid collation);

/* logged: as TakeValue() gives it, and not null */
extern bool SignalEquals(WantedSignal *w, Datum logged);

#endif							/* ASSAY_SIGNAL_EQUAL_H */
