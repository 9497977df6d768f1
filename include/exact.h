/*
 * exact.h
 *		Sums of numbers and of their squares without an error of rounding.
 *
 * A number is kept in fixed point, as two's complement in words of 64 bits, the
 * lowest first.  Word i is worth 2^(64 * (i - EXACT_ONE)); the words below `low`
 * are zero, those above the highest repeat its sign.  Any sum of 2^63 float8s or
 * of their squares has room in EXACT_WORDS words: the least square is a multiple
 * of 2^-2148, the greatest is below 2^2048.
 */
#ifndef ASSAY_EXACT_H
#define ASSAY_EXACT_H

#define EXACT_WORDS		70
#define EXACT_ONE		34

/* Words that are somebody else's; none is zero */
typedef struct Exact
{
	int			low;			/* which word the first is */
	int			n;
	uint64	   *word;
} Exact;

/* A number with room for all its words */
typedef struct ExactRoom
{
	Exact		number;
	uint64		word[EXACT_WORDS];
} ExactRoom;

/* Is the number below zero? */
static inline bool
ExactIsNegative(const Exact *a)
{
	return a->n > 0 && a->word[a->n - 1] >> 63;
}

extern void ExactOfFloat(ExactRoom *room, double x);
extern void ExactOfSquare(ExactRoom *room, double x);
extern void ExactLoad(ExactRoom *room, const Exact *a);
extern bool ExactAdd(Exact *a, const Exact *b, bool minus);
extern void ExactTrim(Exact *a);
extern bool ExactIsTrim(const Exact *a);
extern void ExactMagnitude(ExactRoom *room, const Exact *a);
extern double ExactToFraction(const Exact *a, int *exponent);
extern double ExactSpread(const Exact *sum, const Exact *squares, int64 n, int *exponent);

#endif							/* ASSAY_EXACT_H */
