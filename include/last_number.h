/*
 * last_number.h
 *		What lastval() says stays the session's own.
 */
#ifndef ASSAY_LAST_NUMBER_H
#define ASSAY_LAST_NUMBER_H

typedef struct LastNumber
{
	bool		known;			/* else nothing is put back */
	int64		value;
} LastNumber;

extern void RememberLastNumber(LastNumber *last);
extern void PutBackLastNumber(const LastNumber *last);

#endif							/* ASSAY_LAST_NUMBER_H */
