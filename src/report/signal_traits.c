/*
 * signal_traits.c
 *		Simple conditions over signals that some messages have in common, and
 *		which of them hold for other messages.
 *
 * They are of signals whose type's equality is known here to be that of SQL:
 * texts under a deterministic collation and arrays of these, booleans and
 * numbers of fixed size.  An evaluation is a comparison or two a column, not an
 * expression for each condition, so that a million messages take seconds.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "signal_traits.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Different texts of the messages noted that are looked at, and numbers of a column */
#define TEXTS_MAX		200000
#define NUMBERS_MAX		100000

/* Whole numbers up to here are exact as float8 */
#define EXACT_MAX		9007199254740992.0

/* How many traits a column's texts or numbers give at most */
#define COLUMN_TRAITS	24

struct TraitColumn
{
	Oid			type;			/* InvalidOid: it is left out */
	int			nnumbers;
	int			room;
	double	   *numbers;		/* of the messages noted */
	int64		held[2];		/* false, true */
	int			ntraits;
	int			traits[TRAITS_MAX];
};

/* A text of a column */
typedef struct TextKey
{
	int			column;
	int			len;
	const char *data;
} TextKey;

typedef struct NotedText
{
	TextKey		key;			/* must be first */
	int64		support;
	int64		last;			/* message that had it last */
} NotedText;

static uint32
HashText(const void *key, Size size)
{
	const TextKey *k = key;

	return hash_combine(hash_bytes((const unsigned char *) k->data, k->len), k->column);
}

static int
MatchText(const void *a, const void *b, Size size)
{
	const TextKey *x = a;
	const TextKey *y = b;

	return !(x->column == y->column && x->len == y->len && memcmp(x->data, y->data, x->len) == 0);
}

/* Its type, where values of it can be compared here */
static Oid
TraitType(Form_pg_attribute att)
{
	switch (att->atttypid)
	{
		case TEXTOID:
		case VARCHAROID:
		case TEXTARRAYOID:
			return OidIsValid(att->attcollation) && get_collation_isdeterministic(att->attcollation) ?
				att->atttypid : InvalidOid;
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
			return att->atttypid;
		default:
			return InvalidOid;
	}
}

/* For rows of desc, of which those columns count that are in the set; NULL: all */
void
TraitsInit(Traits *a, TupleDesc desc, const Bitmapset * columns)
{
	HASHCTL		ctl = {.keysize = sizeof(TextKey),.entrysize = sizeof(NotedText),
	.hash = HashText,.match = MatchText,.hcxt = CurrentMemoryContext};

	memset(a, 0, sizeof(Traits));
	a->desc = desc;
	a->context = CurrentMemoryContext;
	a->columns = palloc0(Max(desc->natts, 1) * sizeof(TraitColumn));
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && (columns == NULL || bms_is_member(i, columns)))
			a->columns[i].type = TraitType(TupleDescAttr(desc, i));
	a->texts = hash_create("texts of signals", 256, &ctl,
						   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/* Columns that count; or, once traits are chosen, those that they are of */
const		Bitmapset *
TraitsColumns(const Traits *a)
{
	Bitmapset  *columns = NULL;

	for (int i = 0; i < a->desc->natts; i++)
		if (a->texts ? OidIsValid(a->columns[i].type) : a->columns[i].ntraits > 0)
			columns = bms_add_member(columns, i);
	/* An empty set would mean all. */
	return columns ? columns : bms_make_singleton(a->desc->natts);
}

/* A number of fixed size; false: it is none that is exact */
static bool
NumberOf(Oid type, Datum value, double *number)
{
	switch (type)
	{
		case INT2OID:
			*number = DatumGetInt16(value);
			break;
		case INT4OID:
			*number = DatumGetInt32(value);
			break;
		case INT8OID:
			*number = DatumGetInt64(value);
			return fabs(*number) < EXACT_MAX;
		case FLOAT4OID:
			*number = DatumGetFloat4(value);
			break;
		default:
			*number = DatumGetFloat8(value);
	}
	return !isnan(*number) && !isinf(*number);
}

static void
NoteText(Traits *a, int column, Datum value)
{
	text	   *t = DatumGetTextPP(value);
	TextKey		key = {column, VARSIZE_ANY_EXHDR(t), VARDATA_ANY(t)};
	NotedText  *noted;
	bool		found;

	if (key.len == 0 || key.len > TRAIT_TEXT_MAX)
		return;
	noted = hash_search(a->texts, &key, hash_get_num_entries(a->texts) < TEXTS_MAX ? HASH_ENTER : HASH_FIND,
						&found);
	if (noted == NULL)
		return;
	if (!found)
	{
		char	   *copy = MemoryContextAlloc(a->context, key.len);

		memcpy(copy, key.data, key.len);
		noted->key.data = copy;
		noted->support = 0;
		noted->last = 0;
	}
	if (noted->last != a->noted)
		noted->support++;
	noted->last = a->noted;
}

static void
NoteElements(Traits *a, int column, Datum value)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			NoteText(a, column, items[i]);
}

static void
NoteNumber(Traits *a, TraitColumn *c, Datum value)
{
	double		number;

	if (c->nnumbers >= NUMBERS_MAX || !NumberOf(c->type, value, &number))
		return;
	if (c->nnumbers == c->room)
	{
		c->room = c->room ? 2 * c->room : 64;
		c->numbers = c->numbers ? repalloc(c->numbers, c->room * sizeof(double)) :
			MemoryContextAlloc(a->context, c->room * sizeof(double));
	}
	c->numbers[c->nnumbers++] = number;
}

/* One of the messages that are to be described */
void
TraitsNote(Traits *a, const Datum *values, const bool *nulls)
{
	a->noted++;
	for (int i = 0; i < a->desc->natts; i++)
	{
		TraitColumn *c = &a->columns[i];

		if (nulls[i] || !OidIsValid(c->type))
			continue;
		if (c->type == TEXTOID || c->type == VARCHAROID)
			NoteText(a, i, values[i]);
		else if (c->type == TEXTARRAYOID)
			NoteElements(a, i, values[i]);
		else if (c->type == BOOLOID)
			c->held[DatumGetBool(values[i])]++;
		else
			NoteNumber(a, c, values[i]);
	}
}

/* The better supported first; of alike ones in the order of columns, kinds and values */
static int
CompareTraits(const void *x, const void *y)
{
	const Trait *a = x;
	const Trait *b = y;
	int			c = (a->support < b->support) - (a->support > b->support);

	if (c == 0)
		c = (a->column > b->column) - (a->column < b->column);
	if (c == 0)
		c = (a->kind > b->kind) - (a->kind < b->kind);
	if (c == 0)
		c = (a->number > b->number) - (a->number < b->number);
	if (c == 0 && a->text &&b->text)
		c = memcmp(a->text, b->text, Min(a->len, b->len));
	return c ? c : (a->len > b->len) - (a->len < b->len);
}

static int
CompareNumbers(const void *x, const void *y)
{
	double		a = *(const double *) x;
	double		b = *(const double *) y;

	return (a > b) - (a < b);
}

/* Traits in the making, which grow */
typedef struct Choice
{
	Trait	   *traits;
	int			n;
	int			room;
} Choice;

static void
AddTrait(Choice *c, int column, TraitKind kind, const char *value, int len, double number, int64 support)
{
	Trait	   *trait;

	if (c->n == c->room)
	{
		c->room = c->room ? 2 * c->room : 256;
		c->traits = c->traits ? repalloc(c->traits, c->room * sizeof(Trait)) : palloc(c->room * sizeof(Trait));
	}
	trait = &c->traits[c->n++];
	trait->column = column;
	trait->kind = kind;
	trait->text = value;
	trait->len = len;
	trait->number = number;
	trait->support = support;
}

static void
AddTexts(Traits *a, Choice *choice, int64 support)
{
	HASH_SEQ_STATUS scan;
	NotedText  *t;

	hash_seq_init(&scan, a->texts);
	while ((t = hash_seq_search(&scan)) != NULL)
		if (t->support >= support)
			AddTrait(choice, t->key.column, a->columns[t->key.column].type == TEXTARRAYOID ? TRAIT_ELEMENT : TRAIT_VALUE, t->key.data, t->key.len, 0, t->support);
}

/* Numbers that many have, and limits at the ends, quartiles and the median */
static void
AddNumbers(Traits *a, Choice *choice, int column, int64 support, bool thresholds)
{
	TraitColumn *c = &a->columns[column];
	int			n = c->nnumbers;

	if (n == 0)
		return;
	qsort(c->numbers, n, sizeof(double), CompareNumbers);
	for (int i = 0, end; i < n; i = end)
	{
		for (end = i + 1; end < n && c->numbers[end] == c->numbers[i]; end++)
			;
		if (end - i >= support && c->type != FLOAT4OID && c->type != FLOAT8OID)
			AddTrait(choice, column, TRAIT_NUMBER, NULL, 0, c->numbers[i], end - i);
	}
	for (int i = 0; thresholds && i < 3; i++)
	{
		int			low = i * n / 4;
		int			high = n - 1 - low;

		if (n - low >= support && (i == 0 || c->numbers[low] != c->numbers[(i - 1) * n / 4]))
			AddTrait(choice, column, TRAIT_FROM, NULL, 0, c->numbers[low], n - low);
		if (high + 1 >= support && (i == 0 || c->numbers[high] != c->numbers[n - 1 - (i - 1) * n / 4]))
			AddTrait(choice, column, TRAIT_TO, NULL, 0, c->numbers[high], high + 1);
	}
}

/*
 * Traits that hold for at least "support" of the messages noted, "max" at most
 * and no more than a share of each column; thresholds: limits of numbers too
 */
void
TraitsChoose(Traits *a, int64 support, int max, bool thresholds)
{
	Choice		choice = {0};

	AddTexts(a, &choice, support);
	for (int i = 0; i < a->desc->natts; i++)
	{
		TraitColumn *c = &a->columns[i];

		for (int held = 0; c->type == BOOLOID && held < 2; held++)
			if (c->held[held] >= support)
				AddTrait(&choice, i, held ? TRAIT_TRUE : TRAIT_FALSE, NULL, 0, 0, c->held[held]);
		AddNumbers(a, &choice, i, support, thresholds);
	}
	if (choice.n > 0)
		qsort(choice.traits, choice.n, sizeof(Trait), CompareTraits);
	for (int i = 0; i < choice.n && a->ntraits < Min(max, TRAITS_MAX); i++)
	{
		TraitColumn *c = &a->columns[choice.traits[i].column];

		if (c->ntraits >= COLUMN_TRAITS)
			continue;
		c->traits[c->ntraits++] = a->ntraits;
		a->traits[a->ntraits++] = choice.traits[i];
	}
	a->texts = NULL;
}

static void
HoldText(const Traits *a, const TraitColumn *c, Datum value, TraitBits *bits)
{
	text	   *t = DatumGetTextPP(value);
	int			len = VARSIZE_ANY_EXHDR(t);

	for (int i = 0; i < c->ntraits; i++)
	{
		const Trait *trait = &a->traits[c->traits[i]];

		if (trait->len == len && memcmp(trait->text, VARDATA_ANY(t), len) == 0)
			TraitSet(bits, c->traits[i]);
	}
}

static void
HoldElements(const Traits *a, const TraitColumn *c, Datum value, TraitBits *bits)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			HoldText(a, c, items[i], bits);
}

/* As SQL compares: NaN is above all, infinities are what they are, and a large integer is not rounded. */
static void
HoldNumber(const Traits *a, const TraitColumn *c, Datum value, TraitBits *bits)
{
	double		number;

	if (!NumberOf(c->type, value, &number) && isnan(number))
		number = INFINITY;
	for (int i = 0; i < c->ntraits; i++)
	{
		const Trait *trait = &a->traits[c->traits[i]];

		if (trait->kind == TRAIT_FROM ? number >= trait->number :
			trait->kind == TRAIT_TO ? number <= trait->number : number == trait->number)
			TraitSet(bits, c->traits[i]);
	}
}

/* Which of them hold for a message: of a null nothing does */
void
TraitsHold(const Traits *a, const Datum *values, const bool *nulls, TraitBits *bits)
{
	memset(bits, 0, sizeof(TraitBits));
	for (int i = 0; i < a->desc->natts; i++)
	{
		const TraitColumn *c = &a->columns[i];

		if (nulls[i] || c->ntraits == 0)
			continue;
		if (c->type == TEXTOID || c->type == VARCHAROID)
			HoldText(a, c, values[i], bits);
		else if (c->type == TEXTARRAYOID)
			HoldElements(a, c, values[i], bits);
		else if (c->type != BOOLOID)
			HoldNumber(a, c, values[i], bits);
		else
			for (int k = 0; k < c->ntraits; k++)
				if ((a->traits[c->traits[k]].kind == TRAIT_TRUE) == DatumGetBool(values[i]))
					TraitSet(bits, c->traits[k]);
	}
}

/* A trait as SQL */
static char *
TraitCondition(const Traits *a, int i)
{
	const Trait *trait = &a->traits[i];
	const char *column = quote_identifier(NameStr(TupleDescAttr(a->desc, trait->column)->attname));
	char	   *value = trait->text ? quote_literal_cstr(pnstrdup(trait->text, trait->len)) : NULL;
	char	   *number = value ? NULL : double_to_shortest_decimal(trait->number);

	switch (trait->kind)
	{
		case TRAIT_VALUE:
			return psprintf("%s = %s", column, value);
		case TRAIT_ELEMENT:
			return psprintf("%s = ANY (%s)", value, column);
		case TRAIT_TRUE:
			return pstrdup(column);
		case TRAIT_FALSE:
			return psprintf("NOT %s", column);
		case TRAIT_NUMBER:
			return psprintf("%s = %s", column, number);
		case TRAIT_FROM:
			return psprintf("%s >= %s", column, number);
		case TRAIT_TO:
			return psprintf("%s <= %s", column, number);
	}
	return NULL;
}

/* All of the set, joined by AND */
char	   *
TraitsCondition(const Traits *a, const TraitBits *bits)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 0; i < a->ntraits; i++)
		if (TraitHolds(bits, i))
			appendStringInfo(&sql, "%s%s", sql.len > 0 ? " AND " : "", TraitCondition(a, i));
	return sql.data;
}
