/*
 * exact.c
 *		Sums of numbers and of their squares without an error of rounding.
 *
 * Sums of float8s depend on the order in which they are added, and what was
 * added can't be taken out again.  In fixed point with enough bits for any of
 * them neither is so (Kulisch's accumulator).  Of its 70 words those are kept
 * that say something: for whole numbers one or two.
 */
#include "postgres.h"

#include <math.h>

#include "exact.h"
#include "port/pg_bitutils.h"

/* The product of two words, as two */
static inline uint64
Multiply(uint64 a, uint64 b, uint64 *high)
{
	uint64		a1 = a >> 32;
	uint64		a0 = a & PG_UINT32_MAX;
	uint64		b1 = b >> 32;
	uint64		b0 = b & PG_UINT32_MAX;
	uint64		middle = a1 * b0 + (a0 * b0 >> 32);
	uint64		middle2 = a0 * b1 + (middle & PG_UINT32_MAX);

	*high = a1 * b1 + (middle >> 32) + (middle2 >> 32);
	return a * b;
}

/* An empty room: zero */
static void
Clear(ExactRoom *room)
{
	room->number.low = 0;
	room->number.n = 0;
	room->number.word = room->word;
}

/* The number (high, low) * 2^exponent, none of it negative */
static void
Place(ExactRoom *room, uint64 low, uint64 high, int exponent)
{
	int			bit = exponent + 64 * EXACT_ONE;
	int			shift = bit % 64;
	uint64	   *w = room->word;

	Assert(bit >= 0);
	w[0] = low << shift;
	w[1] = shift ? (high << shift) | (low >> (64 - shift)) : high;
	w[2] = shift ? high >> (64 - shift) : 0;
	w[3] = 0;
	room->number.low = bit / 64;
	room->number.n = 4;
	room->number.word = w;
	ExactTrim(&room->number);
}

/* A finite number as an odd whole one times a power of two; 0 for 0 */
static uint64
SplitFloat(double x, int *exponent)
{
	uint64		m = (uint64) ldexp(frexp(fabs(x), exponent), 53);
	int			zeros = m == 0 ? 0 : pg_rightmost_one_pos64(m);

	*exponent += zeros - 53;
	return m >> zeros;
}

/* |x|, which is finite */
void
ExactOfFloat(ExactRoom *room, double x)
{
	int			exponent;
	uint64		m = SplitFloat(x, &exponent);

	if (m == 0)
		Clear(room);
	else
		Place(room, m, 0, exponent);
}

/* x * x */
void
ExactOfSquare(ExactRoom *room, double x)
{
	int			exponent;
	uint64		m = SplitFloat(x, &exponent);
	uint64		high;
	uint64		low = Multiply(m, m, &high);

	if (m == 0)
		Clear(room);
	else
		Place(room, low, high, 2 * exponent);
}

/* A copy, with all its words */
void
ExactLoad(ExactRoom *room, const Exact *a)
{
	uint64		sign = ExactIsNegative(a) ? PG_UINT64_MAX : 0;

	Assert(a->low >= 0 && a->low + a->n <= EXACT_WORDS);
	for (int i = 0; i < EXACT_WORDS; i++)
		room->word[i] = i < a->low ? 0 : i < a->low + a->n ? a->word[i - a->low] : sign;
	room->number.low = 0;
	room->number.n = EXACT_WORDS;
	room->number.word = room->word;
}

/* a += b, or a -= b, whose words all have their place in a; a sum too large wraps */
static void
AddWords(Exact *a, const Exact *b, bool minus)
{
	int			from = b->low - a->low;
	uint64		sign = ExactIsNegative(b) ? PG_UINT64_MAX : 0;
	uint64		carry = minus;

	for (int i = from; i < a->n; i++)
	{
		uint64		x = i - from < b->n ? b->word[i - from] : sign;
		uint64		sum = a->word[i] + (minus ? ~x : x);
		uint64		out = sum < a->word[i];

		a->word[i] = sum + carry;
		carry = out | (a->word[i] < sum);
	}
}

/*
 * a += b, or a -= b, in the words that a has.  False, with a as it was, where
 * they are too few.
 */
bool
ExactAdd(Exact *a, const Exact *b, bool minus)
{
	bool		was_negative = ExactIsNegative(a);

	if (b->n == 0)
		return true;
	if (b->low < a->low || b->low + b->n > a->low + a->n)
		return false;
	AddWords(a, b, minus);
	/* Only a sum of two with the same sign can have another. */
	if (was_negative == (ExactIsNegative(b) != minus) && ExactIsNegative(a) != was_negative)
	{
		AddWords(a, b, !minus);
		return false;
	}
	return true;
}

/* May a word be left out at the upper end? */
static bool
TopSaysNothing(const Exact *a)
{
	uint64		top = a->word[a->n - 1];
	bool		below = a->n > 1 && a->word[a->n - 2] >> 63;

	return (top == 0 && !below) || (top == PG_UINT64_MAX && below);
}

/* Leave out the words that say nothing. */
void
ExactTrim(Exact *a)
{
	while (a->n > 0 && TopSaysNothing(a))
		a->n--;
	while (a->n > 0 && a->word[0] == 0)
	{
		a->word++;
		a->low++;
		a->n--;
	}
	if (a->n == 0)
		a->low = 0;
}

/* Has each word something to say?  There is one form of each number that has. */
bool
ExactIsTrim(const Exact *a)
{
	return a->n == 0 ? a->low == 0 : a->word[0] != 0 && !TopSaysNothing(a);
}

/* |a|, trim, its highest bit not a sign */
void
ExactMagnitude(ExactRoom *room, const Exact *a)
{
	bool		negative = ExactIsNegative(a);
	uint64		carry = negative;

	Clear(room);
	room->number.low = a->low;
	for (int i = 0; i < a->n; i++)
	{
		uint64		x = (negative ? ~a->word[i] : a->word[i]) + carry;

		carry = carry && x == 0;
		room->word[i] = x;
		if (x != 0)
			room->number.n = i + 1;
	}
}

/*
 * The number as a fraction from 2^63 up to 2^64 and a power of two, rounded to
 * the nearest; 0 for 0.  `one` is the word that is worth 1.
 */
static double
Fraction(const uint64 *word, int n, int one, int *exponent)
{
	int			zeros;
	uint64		bits;

	*exponent = 0;
	while (n > 0 && word[n - 1] == 0)
		n--;
	if (n == 0)
		return 0.0;
	zeros = 63 - pg_leftmost_one_pos64(word[n - 1]);
	bits = word[n - 1] << zeros;
	if (n > 1 && zeros > 0)
		bits |= word[n - 2] >> (64 - zeros);
	/* What is left out decides a tie. */
	if (n > 1 && (zeros > 0 ? word[n - 2] << zeros : word[n - 2]) != 0)
		bits |= 1;
	for (int i = 0; i < n - 2; i++)
		if (word[i] != 0)
			bits |= 1;
	*exponent = 64 * (n - 1 - one) - zeros;
	return (double) bits;
}

/* The same for a, with its sign */
double
ExactToFraction(const Exact *a, int *exponent)
{
	ExactRoom	magnitude;
	double		fraction;

	ExactMagnitude(&magnitude, a);
	fraction = Fraction(magnitude.word, magnitude.number.n, EXACT_ONE - a->low, exponent);
	return ExactIsNegative(a) ? -fraction : fraction;
}

/* product[at ...] += a * b */
static void
AddProduct(uint64 *product, int at, uint64 a, uint64 b)
{
	uint64		high;
	uint64		low = Multiply(a, b, &high);

	product[at] += low;
	high += product[at] < low;	/* it is below the greatest */
	for (at++; high != 0; at++)
	{
		product[at] += high;
		high = product[at] < high;
	}
}

/*
 * n * squares - sum * sum, which is n * n times the variance, as Fraction() has
 * it; negative where no n numbers have such sums.
 */
double
ExactSpread(const Exact *sum, const Exact *squares, int64 n, int *exponent)
{
	uint64		minuend[2 * EXACT_WORDS + 2] = {0};
	uint64		subtrahend[2 * EXACT_WORDS + 2] = {0};
	uint64		borrow = 0;
	ExactRoom	s;

	ExactMagnitude(&s, sum);
	for (int i = 0; i < s.number.n; i++)
		for (int j = 0; j < s.number.n; j++)
			AddProduct(subtrahend, 2 * s.number.low + i + j, s.word[i], s.word[j]);
	for (int i = 0; i < squares->n; i++)
		AddProduct(minuend, squares->low + EXACT_ONE + i, squares->word[i], (uint64) n);
	for (int i = 0; i < lengthof(minuend); i++)
	{
		uint64		difference = minuend[i] - subtrahend[i];
		uint64		out = minuend[i] < subtrahend[i];

		out |= difference < borrow;
		minuend[i] = difference - borrow;
		borrow = out;
	}
	if (borrow)
	{
		*exponent = 0;
		return -1.0;
	}
	return Fraction(minuend, lengthof(minuend), 2 * EXACT_ONE, exponent);
}
