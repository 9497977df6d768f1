/*
 * atom_index.c
 *		Which conditions may be true of a row: all atoms answered at once.
 *
 * Of each condition the rarest conjuncts that have a gate (atoms.c) are its
 * levels, as many as pay.  A row is compared with all atoms of a column at once:
 * numbers are looked for in the sorted constants, texts and the items of arrays
 * in a hash table, and each atom that holds sets a bit of the level of each
 * condition that it opens.  A condition whose levels are all open is a candidate:
 * what remains of it is evaluated, and nothing if its atoms said all.
 *
 * Which conjunct is the rarest is guessed at first and then counted, on each of
 * some rows and then on a few of many thousand.  It moves costs, never a result.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/tupmacs.h"
#include "atom_index.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* Conjuncts of a condition that are looked up */
#define LEVELS				6

/* A condition that so few rows come to needs no further level. */
#define RARE_ENOUGH			0.003

/* A function that fewer atoms ask about is left where it stands. */
#define FUNCTION_ATOMS_MIN	4

/* Rows that are counted at first, and then one in so many, until the last choice */
#define COUNT_FIRST			32
#define COUNT_EVERY			64

/* A guess counts as so many rows. */
#define GUESS_ROWS			4.0

/*
 * A longer text is in the row as it was stored while atoms are counted; in a
 * longer array nothing is: each atom would go through all of it.
 */
#define TEXT_COUNTED_MAX	8192

/* Choices by more and more rows */
#define CHOICES				3

/* Bits to set where a question has this answer */
typedef struct AtomKey
{
	int64		value;			/* or a text's hash */
	const char *bytes;
	int			len;
	int			start;			/* in marks */
	int			count;
} AtomKey;

/* A condition's level that an atom opens */
typedef struct Opening
{
	const Atom *atom;
	int			bit;
} Opening;

/* What is asked about one column */
typedef struct ActiveProbe
{
	const Probe *probe;
	ProbeKind	kind;
	int			varno;			/* of a column, and */
	int			column;			/* or -1 */
	ExprState  *state;			/* of a function */
	int			nequal;
	AtomKey    *equal;			/* by value; texts in the order of the table */
	int		   *table;			/* of texts by hash: number of the key + 1, or
								 * 0 */
	uint32		mask;
	int			longest;		/* text */
	int			nbelow;			/* value > it; by value */
	int64	   *below;
	int		   *below_bits;
	int			nfrom;			/* value <= it; by value */
	int64	   *from;
	int		   *from_bits;
	int			nwhole;			/* parts to evaluate as a whole where it is
								 * null */
	int		   *whole;
} ActiveProbe;

struct AtomIndex
{
	Atoms	   *atoms;
	const bool *takes_part;
	MemoryContext context;		/* of the index itself */
	MemoryContext built;		/* of what one choice made */
	bool		ready;			/* it was made to its end */
	SharedScratch *shared;
	ExprState **guards;

	int			nwords;			/* of bits, one a part */
	uint64	   *start;			/* LEVELS times nwords: open from the start */
	uint64	   *open;			/* the same, and what the row opened */
	uint64	   *whole;			/* nwords: evaluate as a whole */
	uint64	   *candidates;		/* nwords */
	int			nactive;
	ActiveProbe *active;
	int			nasked;			/* those that the prefilter does not answer */
	ActiveProbe **asked;
	ActiveProbe **by_probe;		/* or NULL */
	ActiveProbe **occurs;		/* of each column of the prefilter's row, or
								 * NULL */
	int			noccurs;
	int		   *marks;			/* bits of all keys */
	uint64	   *said;			/* conjuncts that the levels said are true */
	ExprState **rest;			/* of each part, once it was needed: behind
								 * its levels */
	ExprState **all;
	bool	   *settled;		/* nothing remains behind the levels */

	/* counted, choice or not */
	uint64		rows;
	uint64		counted;
	int			choice;
	int			nplaces;		/* of the prefilter's row */
	int		   *place_probe;	/* which asks about each, or -1 */
	int			ncolumns;		/* probes that the prefilter does not answer */
	int		   *columns;
	uint32	   *seen;			/* of each probe: rows counted */
	uint32	   *true_of;		/* of each atom: on how many it held */
};

/* So many rows must have been counted for a choice. */
static const uint64 choice_rows[CHOICES] = {COUNT_FIRST, 128, 512};

/*
 * Choosing
 */

/* Is it the prefilter that answers? */
static bool
IsOccurs(const Probe *probe)
{
	return probe->kind == PROBE_BOOL && probe->var && probe->var->varno == OUTER_VAR;
}

static double
AtomShare(AtomIndex *x, int atom)
{
	Atom	   *a = x->atoms->atoms[atom];
	uint64		seen = IsOccurs(x->atoms->probes[a->probe]) ? x->counted : x->seen[a->probe];

	return (a->guess * GUESS_ROWS + x->true_of[atom]) / (GUESS_ROWS + seen);
}

static double
GateShare(AtomIndex *x, const Gate *gate)
{
	double		share = 0;

	for (int i = 0; i < gate->natoms; i++)
		share += AtomShare(x, gate->atoms[i]);
	return Min(share, 1);
}

static bool
IsUsable(AtomIndex *x, const Gate *gate)
{
	for (int i = 0; i < gate->natoms; i++)
	{
		Probe	   *probe = x->atoms->probes[x->atoms->atoms[gate->atoms[i]]->probe];

		if (probe->var == NULL && list_length(probe->atoms) < FUNCTION_ATOMS_MIN)
			return false;
	}
	return true;
}

/* What the levels of all conditions are made of, until they are sorted */
typedef struct Choice
{
	AtomIndex  *index;
	List	  **openings;		/* of each probe, of Opening */
	List	  **whole;			/* of each probe, of parts */
} Choice;

static void
AddLevel(Choice *c, int part, int level, const Gate *gate)
{
	AtomIndex  *x = c->index;
	AtomCondition *condition = &x->atoms->conditions[part];

	for (int i = 0; i < gate->natoms; i++)
	{
		const Atom *atom = x->atoms->atoms[gate->atoms[i]];
		Opening    *opening = palloc(sizeof(Opening));

		opening->atom = atom;
		opening->bit = level * x->nwords * 64 + part;
		c->openings[atom->probe] = lappend(c->openings[atom->probe], opening);
		if (!condition->total && x->atoms->probes[atom->probe]->kind != PROBE_NULL)
			c->whole[atom->probe] = lappend_int(c->whole[atom->probe], part);
	}
	if (gate->exact && gate->conjunct < 64)
		x->said[part] |= UINT64CONST(1) << gate->conjunct;
}

/* The rarest conjuncts of a condition, as far as they pay */
static void
ChooseLevels(Choice *c, int part)
{
	AtomIndex  *x = c->index;
	AtomCondition *condition = &x->atoms->conditions[part];
	bool	   *taken = palloc0((condition->ngates + 1) * sizeof(bool));
	double		share = 1;
	int			level = 0;

	while (level < LEVELS && share > RARE_ENOUGH)
	{
		int			best = -1;
		double		least = 2;

		for (int i = 0; i < condition->ngates; i++)
			if (!taken[i] && IsUsable(x, &condition->gates[i]) &&
				GateShare(x, &condition->gates[i]) < least)
			{
				best = i;
				least = GateShare(x, &condition->gates[i]);
			}
		if (best < 0)
			break;
		taken[best] = true;
		AddLevel(c, part, level++, &condition->gates[best]);
		share *= least;
	}
	x->settled[part] = list_length(condition->conjuncts) <= 64 &&
		pg_popcount64(x->said[part]) == list_length(condition->conjuncts);
	for (; level < LEVELS; level++)
		x->start[level * x->nwords + part / 64] |= UINT64CONST(1) << (part % 64);
}

/*
 * What is asked about one column, sorted
 */

static int
CompareOpenings(const ListCell *a, const ListCell *b)
{
	const Opening *x = lfirst(a);
	const Opening *y = lfirst(b);

	if (x->atom->test != y->atom->test)
		return (x->atom->test > y->atom->test) ? 1 : -1;
	if (x->atom->value != y->atom->value)
		return (x->atom->value > y->atom->value) ? 1 : -1;
	return (x->atom->number > y->atom->number) - (x->atom->number < y->atom->number);
}

static inline uint32
TextHash(const char *bytes, int len)
{
	return hash_bytes((const unsigned char *) bytes, len);
}

static bool
IsString(const Probe *probe)
{
	return probe->kind == PROBE_STRING || probe->kind == PROBE_ITEMS;
}

/* The hash table of a probe's texts */
static void
BuildTable(ActiveProbe *a)
{
	uint32		size = 4;

	while (size < 2 * a->nequal)
		size *= 2;
	a->mask = size - 1;
	a->table = palloc0(size * sizeof(int));
	for (int i = 0; i < a->nequal; i++)
	{
		uint32		at = (uint32) a->equal[i].value & a->mask;

		while (a->table[at] != 0)
			at = (at + 1) & a->mask;
		a->table[at] = i + 1;
		a->longest = Max(a->longest, a->equal[i].len);
	}
}

/* One more key, or one more bit of the last one */
static void
AddKey(AtomIndex *x, ActiveProbe *a, const Opening *o, const Atom *last, int *nmarks)
{
	if (o->atom != last)
	{
		AtomKey    *key = &a->equal[a->nequal++];

		key->value = IsString(a->probe) ? TextHash(o->atom->bytes, o->atom->len) : o->atom->value;
		key->bytes = o->atom->bytes;
		key->len = o->atom->len;
		key->start = *nmarks;
		key->count = 0;
	}
	a->equal[a->nequal - 1].count++;
	x->marks[(*nmarks)++] = o->bit;
}

static void
BuildProbe(AtomIndex *x, ActiveProbe *a, List *openings, List *whole, int *nmarks)
{
	int			n = list_length(openings);
	const Atom *last = NULL;
	ListCell   *lc;

	list_sort(openings, CompareOpenings);
	a->equal = palloc(n * sizeof(AtomKey));
	a->below = palloc(n * sizeof(int64));
	a->below_bits = palloc(n * sizeof(int));
	a->from = palloc(n * sizeof(int64));
	a->from_bits = palloc(n * sizeof(int));
	foreach(lc, openings)
	{
		const Opening *o = lfirst(lc);

		switch (o->atom->test)
		{
			case ATOM_EQUAL:
				AddKey(x, a, o, last, nmarks);
				break;
			case ATOM_BELOW:
				a->below[a->nbelow] = o->atom->value;
				a->below_bits[a->nbelow++] = o->bit;
				break;
			case ATOM_FROM:
				a->from[a->nfrom] = o->atom->value;
				a->from_bits[a->nfrom++] = o->bit;
				break;
		}
		last = o->atom;
	}
	a->whole = palloc(Max(list_length(whole), 1) * sizeof(int));
	foreach(lc, whole)
		a->whole[a->nwhole++] = lfirst_int(lc);
	if (IsString(a->probe))
		BuildTable(a);
	if (a->probe->var == NULL)
		a->state = SharedExprState(x->shared, a->probe->shared);
}

static void
BuildProbes(Choice *c)
{
	AtomIndex  *x = c->index;
	int			total = 0;
	int			nmarks = 0;

	x->active = palloc0(Max(x->atoms->nprobes, 1) * sizeof(ActiveProbe));
	x->asked = palloc0(Max(x->atoms->nprobes, 1) * sizeof(ActiveProbe *));
	x->by_probe = palloc0(Max(x->atoms->nprobes, 1) * sizeof(ActiveProbe *));
	for (int i = 0; i < x->atoms->nprobes; i++)
	{
		total += list_length(c->openings[i]);
		if (IsOccurs(x->atoms->probes[i]))
			x->noccurs = Max(x->noccurs, x->atoms->probes[i]->var->varattno);
	}
	x->marks = palloc(Max(total, 1) * sizeof(int));
	x->occurs = palloc0(Max(x->noccurs, 1) * sizeof(ActiveProbe *));
	for (int i = 0; i < x->atoms->nprobes; i++)
	{
		ActiveProbe *a = &x->active[x->nactive];

		if (c->openings[i] == NIL)
			continue;
		a->probe = x->atoms->probes[i];
		a->kind = a->probe->kind;
		a->varno = a->probe->var ? a->probe->var->varno : 0;
		a->column = a->probe->var ? a->probe->var->varattno - 1 : -1;
		BuildProbe(x, a, c->openings[i], c->whole[i], &nmarks);
		x->by_probe[i] = a;
		if (IsOccurs(a->probe))
			x->occurs[a->probe->var->varattno - 1] = a;
		else
			x->asked[x->nasked++] = a;
		x->nactive++;
	}
}

/* Choose the levels by what is known, and arrange all for it. */
static void
Build(AtomIndex *x)
{
	int			nparts = x->atoms->nparts;
	MemoryContext old;
	MemoryContext scratch;
	Choice		c = {.index = x};

	x->ready = false;
	MemoryContextReset(x->built);
	old = MemoryContextSwitchTo(x->built);
	x->nactive = x->nasked = x->noccurs = 0;
	x->start = palloc0(LEVELS * x->nwords * sizeof(uint64));
	x->open = palloc0(LEVELS * x->nwords * sizeof(uint64));
	x->whole = palloc0(x->nwords * sizeof(uint64));
	x->candidates = palloc0(x->nwords * sizeof(uint64));
	x->said = palloc0(Max(nparts, 1) * sizeof(uint64));
	x->settled = palloc0(Max(nparts, 1) * sizeof(bool));
	x->rest = palloc0(Max(nparts, 1) * sizeof(ExprState *));
	x->all = palloc0(Max(nparts, 1) * sizeof(ExprState *));
	scratch = AllocSetContextCreate(x->context, "pg_assay choice", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
	c.openings = palloc0(Max(x->atoms->nprobes, 1) * sizeof(List *));
	c.whole = palloc0(Max(x->atoms->nprobes, 1) * sizeof(List *));
	for (int part = 0; part < nparts; part++)
		if (x->takes_part[part] && x->atoms->conditions[part].present)
			ChooseLevels(&c, part);
	MemoryContextSwitchTo(x->built);
	BuildProbes(&c);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	x->ready = true;
}

/* Which probes ask the prefilter, and which columns */
static void
SortProbes(AtomIndex *x)
{
	int			n = x->atoms->nprobes;

	x->columns = palloc(Max(n, 1) * sizeof(int));
	for (int i = 0; i < n; i++)
	{
		if (IsOccurs(x->atoms->probes[i]))
			x->nplaces = Max(x->nplaces, x->atoms->probes[i]->var->varattno);
		else
			x->columns[x->ncolumns++] = i;
	}
	x->place_probe = palloc(Max(x->nplaces, 1) * sizeof(int));
	for (int i = 0; i < x->nplaces; i++)
		x->place_probe[i] = -1;
	for (int i = 0; i < n; i++)
		if (IsOccurs(x->atoms->probes[i]))
			x->place_probe[x->atoms->probes[i]->var->varattno - 1] = i;
}

AtomIndex  *
AtomIndexCreate(Atoms *atoms, const bool *takes_part)
{
	AtomIndex  *x = palloc0(sizeof(AtomIndex));

	x->atoms = atoms;
	x->takes_part = takes_part;
	x->context = CurrentMemoryContext;
	x->built = AllocSetContextCreate(x->context, "pg_assay atoms", ALLOCSET_DEFAULT_SIZES);
	x->shared = SharedScratchCreate(atoms->shared);
	x->guards = palloc0(Max(atoms->nguards, 1) * sizeof(ExprState *));
	x->nwords = Max((atoms->nparts + 63) / 64, 1);
	x->seen = palloc0(Max(atoms->nprobes, 1) * sizeof(uint32));
	x->true_of = palloc0(Max(atoms->natoms, 1) * sizeof(uint32));
	SortProbes(x);
	Build(x);
	return x;
}

/*
 * A row
 */

static inline void
SetBit(uint64 *bits, int bit)
{
	bits[bit / 64] |= UINT64CONST(1) << (bit % 64);
}

static inline void
OpenKey(AtomIndex *x, const AtomKey *key)
{
	const int  *mark = &x->marks[key->start];

	for (int i = 0; i < key->count; i++)
		SetBit(x->open, mark[i]);
}

/* How many of the sorted values are at most this one */
static int
CountUpTo(const int64 *values, int n, int64 value)
{
	int			low = 0;
	int			high = n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (values[middle] <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
OpenNumber(AtomIndex *x, ActiveProbe *a, int64 value)
{
	int			low = 0;
	int			high = a->nequal;

	for (int i = CountUpTo(a->below, a->nbelow, value); i < a->nbelow; i++)
		SetBit(x->open, a->below_bits[i]);
	for (int i = CountUpTo(a->from, a->nfrom, value) - 1; i >= 0; i--)
		SetBit(x->open, a->from_bits[i]);
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (a->equal[middle].value < value)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < a->nequal && a->equal[low].value == value)
		OpenKey(x, &a->equal[low]);
}

static void
OpenText(AtomIndex *x, ActiveProbe *a, const char *bytes, int len)
{
	uint32		hash;

	if (len > a->longest)
		return;
	hash = TextHash(bytes, len);
	for (uint32 at = hash & a->mask; a->table[at] != 0; at = (at + 1) & a->mask)
	{
		AtomKey    *key = &a->equal[a->table[at] - 1];

		if (key->value == hash && key->len == len && memcmp(key->bytes, bytes, len) == 0)
			OpenKey(x, key);
	}
}

/* Those of one of which nothing is known are evaluated as they stand. */
static void
OpenWhole(AtomIndex *x, ActiveProbe *a)
{
	for (int i = 0; i < a->nwhole; i++)
		SetBit(x->whole, a->whole[i]);
}

static void
OpenItems(AtomIndex *x, ActiveProbe *a, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	char	   *p = ARR_DATA_PTR(array);
	bits8	   *nulls = ARR_NULLBITMAP(array);

	for (int i = 0; i < n; i++)
	{
		if (nulls && !(nulls[i / 8] & (1 << (i % 8))))
		{
			OpenWhole(x, a);
			continue;
		}
		OpenText(x, a, VARDATA_ANY(p), VARSIZE_ANY_EXHDR(p));
		p = att_addlength_pointer(p, -1, p);
		p = (char *) att_align_nominal(p, TYPALIGN_INT);
	}
}

/* Of a text that is longer than any that it is compared with, nothing is read. */
static void
OpenString(AtomIndex *x, ActiveProbe *a, Datum value)
{
	text	   *t;

	if (VARATT_IS_EXTENDED(DatumGetPointer(value)) && !VARATT_IS_SHORT(DatumGetPointer(value)) &&
		toast_raw_datum_size(value) - VARHDRSZ > a->longest)
		return;
	t = DatumGetTextPP(value);
	OpenText(x, a, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

/* The value that is asked about */
static inline Datum
ProbeValue(int varno, int column, ExprState *state, ExprContext * econtext, bool *isnull)
{
	TupleTableSlot *slot = econtext->ecxt_scantuple;

	if (column < 0)
		return ExecEvalExpr(state, econtext, isnull);
	if (varno == INNER_VAR)
		slot = econtext->ecxt_innertuple;
	else if (varno == OUTER_VAR)
		slot = econtext->ecxt_outertuple;
	*isnull = slot->tts_isnull[column];
	return slot->tts_values[column];
}

static void
OpenProbe(AtomIndex *x, ActiveProbe *a, Datum value, bool isnull)
{
	ProbeKind	kind = a->kind;

	if (kind == PROBE_NULL)
		OpenNumber(x, a, isnull);
	else if (isnull)
		OpenWhole(x, a);
	else if (kind == PROBE_BOOL)
		OpenNumber(x, a, DatumGetBool(value));
	else if (kind == PROBE_ORDER)
		OpenNumber(x, a, AtomOrder(a->probe->type, value));
	else if (kind == PROBE_STRING)
		OpenString(x, a, value);
	else
		OpenItems(x, a, value);
}

/* What the prefilter found, of much that it looked for */
static void
OpenOccurs(AtomIndex *x, ExprContext * econtext, PrefilterScratch *prefilter)
{
	TupleTableSlot *slot = econtext->ecxt_outertuple;
	int			n;
	bool		nulls;
	const int  *found = PrefilterFound(prefilter, &n, &nulls);

	for (int i = 0; i < n; i++)
		if (found[i] < x->noccurs && x->occurs[found[i]])
			OpenProbe(x, x->occurs[found[i]], BoolGetDatum(true), false);
	for (int i = 0; nulls && i < x->noccurs; i++)
		if (slot->tts_isnull[i] && x->occurs[i])
			OpenProbe(x, x->occurs[i], (Datum) 0, true);
}

/*
 * Counting
 */

static bool
ItemsHave(const Atom *atom, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	char	   *p = ARR_DATA_PTR(array);

	for (int i = 0; i < n && !ARR_HASNULL(array); i++)
	{
		if (VARSIZE_ANY_EXHDR(p) == atom->len && memcmp(VARDATA_ANY(p), atom->bytes, atom->len) == 0)
			return true;
		p = att_addlength_pointer(p, -1, p);
		p = (char *) att_align_nominal(p, TYPALIGN_INT);
	}
	return false;
}

static bool
Holds(const Probe *probe, const Atom *atom, Datum value, int64 number)
{
	switch (probe->kind)
	{
		case PROBE_ITEMS:
			return ItemsHave(atom, value);
		case PROBE_STRING:
			return toast_raw_datum_size(value) - VARHDRSZ == atom->len &&
				memcmp(VARDATA_ANY(DatumGetTextPP(value)), atom->bytes, atom->len) == 0;
		default:
			if (atom->test == ATOM_BELOW)
				return number < atom->value;
			return atom->test == ATOM_FROM ? number >= atom->value : number == atom->value;
	}
}

/* What the prefilter found */
static void
CountPlaces(AtomIndex *x, PrefilterScratch *prefilter)
{
	int			n;
	bool		nulls;
	const int  *found = PrefilterFound(prefilter, &n, &nulls);

	for (int i = 0; i < n; i++)
	{
		int			probe = found[i] < x->nplaces ? x->place_probe[found[i]] : -1;
		ListCell   *lc;

		if (probe >= 0)
			foreach(lc, x->atoms->probes[probe]->atoms)
				x->true_of[((Atom *) lfirst(lc))->number] += ((Atom *) lfirst(lc))->value == 1;
	}
}

/* How often each atom holds, of columns and of what was computed anyway */
static void
CountAtoms(AtomIndex *x, ExprContext * econtext, PrefilterScratch *prefilter)
{
	if (x->nplaces > 0)
		CountPlaces(x, prefilter);
	for (int k = 0; k < x->ncolumns; k++)
	{
		int			i = x->columns[k];
		const Probe *probe = x->atoms->probes[i];
		bool		isnull;
		Datum		value;
		int64		number = 0;
		ListCell   *lc;

		if (probe->var == NULL && x->by_probe[i] == NULL)
			continue;
		value = ProbeValue(probe->var ? probe->var->varno : 0, probe->var ? probe->var->varattno - 1 : -1,
						   x->by_probe[i] ? x->by_probe[i]->state : NULL, econtext, &isnull);
		if (probe->kind == PROBE_ITEMS && !isnull && toast_raw_datum_size(value) > TEXT_COUNTED_MAX)
			continue;
		x->seen[i]++;
		if (probe->kind == PROBE_NULL)
			number = isnull;
		else if (isnull)
			continue;
		else if (probe->kind == PROBE_BOOL)
			number = DatumGetBool(value);
		else if (probe->kind == PROBE_ORDER)
			number = AtomOrder(probe->type, value);
		else if (toast_raw_datum_size(value) <= TEXT_COUNTED_MAX)
			value = PointerGetDatum(PG_DETOAST_DATUM(value));
		foreach(lc, probe->atoms)
		{
			const Atom *atom = lfirst(lc);

			x->true_of[atom->number] += Holds(probe, atom, value, number);
		}
	}
	x->counted++;
}

/* The levels that are open of all parts */
static void
FindCandidates(AtomIndex *x)
{
	for (int w = 0; w < x->nwords; w++)
	{
		uint64		bits = x->open[w];

		for (int level = 1; level < LEVELS; level++)
			bits &= x->open[level * x->nwords + w];
		x->candidates[w] = bits | x->whole[w];
	}
}

void
AtomIndexProbe(AtomIndex *x, ExprContext * econtext, PrefilterScratch *prefilter)
{
	if (unlikely(x->choice < CHOICES && x->counted >= choice_rows[x->choice]))
	{
		x->choice++;
		Build(x);
	}
	/* An error may have left it half made. */
	if (unlikely(!x->ready))
		Build(x);
	memcpy(x->open, x->start, LEVELS * x->nwords * sizeof(uint64));
	memset(x->whole, 0, x->nwords * sizeof(uint64));
	for (int i = 0; i < x->nasked; i++)
	{
		ActiveProbe *a = x->asked[i];
		bool		isnull;
		Datum		value = ProbeValue(a->varno, a->column, a->state, econtext, &isnull);

		OpenProbe(x, a, value, isnull);
		CHECK_FOR_INTERRUPTS();
	}
	if (x->noccurs > 0)
		OpenOccurs(x, econtext, prefilter);
	FindCandidates(x);
	if (unlikely(x->choice < CHOICES && (x->rows < COUNT_FIRST || x->rows % COUNT_EVERY == 0)))
		CountAtoms(x, econtext, prefilter);

	x->rows++;
}

int
AtomIndexNext(AtomIndex *x, int from)
{
	return NextBit(x->candidates, x->nwords, from);
}

/* A condition, without the conjuncts that were answered */
static ExprState *
Remaining(AtomIndex *x, int part, uint64 said)
{
	AtomCondition *condition = &x->atoms->conditions[part];
	MemoryContext old = MemoryContextSwitchTo(x->built);
	List	   *conjuncts = NIL;
	ListCell   *lc;
	ExprState  *state;

	foreach(lc, condition->conjuncts)
	{
		int			i = foreach_current_index(lc);

		if (i >= 64 || !(said & (UINT64CONST(1) << i)))
			conjuncts = lappend(conjuncts, lfirst(lc));
	}
	state = SharedExprState(x->shared, list_length(conjuncts) == 1 ? linitial(conjuncts) :
							makeBoolExpr(AND_EXPR, conjuncts, -1));
	MemoryContextSwitchTo(old);
	return state;
}

bool
AtomIndexIsTrue(AtomIndex *x, ExprContext * econtext, int part)
{
	bool		whole = (x->whole[part / 64] >> (part % 64)) & 1;
	ExprState **state = whole ? &x->all[part] : &x->rest[part];
	bool		isnull;
	Datum		value;

	if (!whole && x->settled[part])
		return true;
	if (*state == NULL)
		*state = Remaining(x, part, whole ? 0 : x->said[part]);
	value = ExecEvalExprSwitchContext(*state, econtext, &isnull);
	return !isnull && DatumGetBool(value);
}

Datum
AtomIndexGuard(AtomIndex *x, ExprContext * econtext, int guard, bool *isnull)
{
	*isnull = true;
	if (x->atoms->guards[guard] == NULL)
		return (Datum) 0;
	if (x->guards[guard] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(x->context);

		x->guards[guard] = SharedExprState(x->shared, x->atoms->guards[guard]);
		MemoryContextSwitchTo(old);
	}
	return ExecEvalExprSwitchContext(x->guards[guard], econtext, isnull);
}

void
AtomIndexForget(AtomIndex *x)
{
	SharedScratchForget(x->shared);
}
