/*
 * signal_traits.h
 *		Simple conditions over signals that some messages have in common, and
 *		which of them hold for other messages.
 */
#ifndef ASSAY_SIGNAL_TRAITS_H
#define ASSAY_SIGNAL_TRAITS_H

#include "access/tupdesc.h"
#include "nodes/bitmapset.h"
#include "utils/hsearch.h"

#define TRAITS_MAX		128
#define TRAIT_WORDS		(TRAITS_MAX / 64)
#define TRAIT_TEXT_MAX	128		/* bytes of a value */

/* Which traits hold for a message */
typedef struct TraitBits
{
	uint64		w[TRAIT_WORDS];
} TraitBits;

typedef enum TraitKind
{
	TRAIT_VALUE,				/* column = 'text' */
	TRAIT_ELEMENT,				/* 'text' = ANY (column) */
	TRAIT_TRUE,					/* column */
	TRAIT_FALSE,				/* NOT column */
	TRAIT_NUMBER,				/* column = number */
	TRAIT_FROM,					/* column >= number */
	TRAIT_TO					/* column <= number */
} TraitKind;

typedef struct Trait
{
	int			column;			/* of the row, from 0 */
	TraitKind	kind;
	const char *text;			/* of a value or element, */
	int			len;
	double		number;			/* of the others */
	int64		support;		/* messages of those noted that have it */
} Trait;

typedef struct TraitColumn TraitColumn;

typedef struct Traits
{
	TupleDesc	desc;
	MemoryContext context;
	TraitColumn *columns;
	HTAB	   *texts;			/* while messages are noted */
	int64		noted;
	int			ntraits;		/* the best supported first */
	Trait		traits[TRAITS_MAX];
} Traits;

static inline bool
TraitHolds(const TraitBits *bits, int trait)
{
	return (bits->w[trait / 64] >> (trait % 64)) & 1;
}

static inline void
TraitSet(TraitBits *bits, int trait)
{
	bits->w[trait / 64] |= UINT64CONST(1) << (trait % 64);
}

/* Does "bits" have all of "wanted"? */
static inline bool
TraitsAll(const TraitBits *bits, const TraitBits *wanted)
{
	for (int i = 0; i < TRAIT_WORDS; i++)
		if ((bits->w[i] & wanted->w[i]) != wanted->w[i])
			return false;
	return true;
}

extern void TraitsInit(Traits *a, TupleDesc desc, const Bitmapset * columns);
extern const Bitmapset *TraitsColumns(const Traits *a);
extern void TraitsNote(Traits *a, const Datum *values, const bool *nulls);
extern void TraitsChoose(Traits *a, int64 support, int max, bool thresholds);
extern void TraitsHold(const Traits *a, const Datum *values, const bool *nulls, TraitBits *bits);
extern char *TraitsCondition(const Traits *a, const TraitBits *bits);

#endif							/* ASSAY_SIGNAL_TRAITS_H */
