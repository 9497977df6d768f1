/*
 * phrase_sets.c
 *		Named sets of phrases, with weights, themes and expiry: matching them.
 *
 * Whoever changes a set compiles it, in assay.phrase_base (phrase_author.c);
 * other backends load that.  Literals and expressions are two phrases values; a
 * text is searched once for each kind that the set has.  named_set.c tells which
 * state a statement sees.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "detoast_once.h"
#include "encoding.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "named_set.h"
#include "phrase_sets.h"
#include "phrases_value.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define CACHE_SIZE_MIN			1024	/* kB */
#define CACHE_SIZE_DEFAULT		65536
#define CACHE_SIZE_MAX			MAX_KILOBYTES

#define SUMMARY_SPANS			1000
#define NAME_ROOM				256

/* Columns of assay.phrase_base; arrays have an element for each phrase */
#define Anum_base_set			1
#define Anum_base_literals		4
#define Anum_base_regexes		5
#define Anum_base_names			6
#define Anum_base_kinds			7
#define Anum_base_themes		8
#define Anum_base_weights		9
#define Anum_base_expires_at	10

/* One pattern of the set */
typedef struct PhraseRow
{
	int			name;			/* number in names */
	int			theme;			/* number in themes, or -1 */
	int			pair;			/* number of name and theme, or -1 */
	double		weight;
	TimestampTz expires_at;
} PhraseRow;

/* The phrases of one kind, and which rows they are */
typedef struct PhrasePart
{
	PhrasesEntry entry;
	bool		used;
	int			count;
	int		   *rows;
} PhrasePart;

typedef struct CachedPhrases
{
	NamedSet	set;			/* first: named_set.c's part */
	MemoryContext context;
	PhrasePart	parts[2];		/* PHRASES_LITERAL, PHRASES_REGEX */
	int			nrows;
	PhraseRow  *rows;
	int			nnames;
	Datum	   *names;			/* text, in definition order */
	int			nthemes;
	Datum	   *themes;
	int			npairs;			/* of a name and a theme */
	uint64		loaded;			/* load_clock when it was */
	Size		bytes;
	uint64		last_used;
} CachedPhrases;

typedef struct CallSite
{
	uint64		epoch;			/* valid while it is the cache's */
	CachedPhrases *phrases;
	TupleDesc	desc;			/* of the row that is returned, once it was
								 * asked */
	struct CountPlan *counts;	/* of phrase_counts(), likewise */
} CallSite;

static int	phrase_set_cache_size = CACHE_SIZE_DEFAULT;
static List *cache = NIL;		/* of CachedPhrases */
static uint64 cache_epoch = 1;	/* moves when one is freed */
static uint64 cache_clock = 0;
static uint64 load_clock = 0;
static Size cache_bytes = 0;

void
PhraseSetsInit(void)
{
	DefineCustomIntVariable("assay.phrase_set_cache_size",
							"Memory that a backend may keep for loaded phrase sets.",
							"The set in use is kept, however big it is.",
							&phrase_set_cache_size,
							CACHE_SIZE_DEFAULT, CACHE_SIZE_MIN, CACHE_SIZE_MAX,
							PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
}

/* ---- loading ------------------------------------------------------------------- */

static void
Drop(CachedPhrases *phrases)
{
	cache = list_delete_ptr(cache, phrases);
	cache_bytes -= phrases->bytes;
	cache_epoch++;
	MemoryContextDelete(phrases->context);
	if (phrases->set.readers != NULL)
		pfree(phrases->set.readers);
	pfree(phrases);
}

static void
Weigh(CachedPhrases *phrases)
{
	Size		limit = (Size) phrase_set_cache_size * 1024;
	Size		bytes = sizeof(CachedPhrases) + MemoryContextMemAllocated(phrases->context, true);

	for (int i = 0; i < 2; i++)
		if (phrases->parts[i].used)
			bytes += MatchMemory(phrases->parts[i].entry.match);
	cache_bytes += bytes - phrases->bytes;
	phrases->bytes = bytes;
	while (cache_bytes > limit)
	{
		CachedPhrases *oldest = NULL;
		ListCell   *lc;

		foreach(lc, cache)
		{
			CachedPhrases *other = lfirst(lc);

			if (other != phrases && (oldest == NULL || other->last_used < oldest->last_used))
				oldest = other;
		}
		if (oldest == NULL)
			break;
		Drop(oldest);
	}
}

static void
Damaged(const CachedPhrases *phrases)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("compiled phrase set \"%s\" is damaged", phrases->set.name),
			 errhint("assay.compile_phrase_set() makes it anew.")));
}

/* An array of the base's row; all have as many elements, null ones only where nulls are asked for. */
static Datum *
BaseArray(CachedPhrases *phrases, HeapTuple tuple, TupleDesc desc, int attnum, Oid type,
		  int len, bool byval, char align, bool **nulls)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, desc, &isnull);
	ArrayType  *array;
	Datum	   *items;
	int			n;

	if (isnull)
		Damaged(phrases);
	array = DatumGetArrayTypeP(value);
	if (ARR_ELEMTYPE(array) != type || (nulls == NULL && array_contains_nulls(array)))
		Damaged(phrases);
	deconstruct_array(array, type, len, byval, align, &items, nulls, &n);
	if (phrases->rows != NULL && n != phrases->nrows)
		Damaged(phrases);
	phrases->nrows = n;
	return items;
}

typedef struct Numbered
{
	char		name[NAME_ROOM];
	int			number;
} Numbered;

/* The number of a name among those seen, of which a new one is kept */
static int
NumberOf(HTAB *seen, Datum name, Datum *kept, int *count)
{
	text	   *t = DatumGetTextPP(name);
	char		key[NAME_ROOM] = {0};
	Numbered   *entry;
	bool		found;

	memcpy(key, VARDATA_ANY(t), Min(VARSIZE_ANY_EXHDR(t), NAME_ROOM - 1));
	entry = hash_search(seen, key, HASH_ENTER, &found);
	if (!found)
	{
		entry->number = *count;
		kept[(*count)++] = PointerGetDatum(cstring_to_text(key));
	}
	return entry->number;
}

static HTAB *
NewNumbers(void)
{
	HASHCTL		ctl;

	ctl.keysize = NAME_ROOM;
	ctl.entrysize = sizeof(Numbered);
	ctl.hcxt = CurrentMemoryContext;
	return hash_create("phrase set names", 256, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* qsort_arg comparator of row numbers: by name, then by theme */
static int
ComparePairs(const void *a, const void *b, void *arg)
{
	const PhraseRow *rows = arg;
	const PhraseRow *x = &rows[*(const int *) a];
	const PhraseRow *y = &rows[*(const int *) b];

	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	return x->theme < y->theme ? -1 : x->theme != y->theme;
}

/* Number the pairs of a name and a theme, which phrase_counts() counts once each. */
static void
NumberPairs(CachedPhrases *phrases)
{
	PhraseRow  *rows = phrases->rows;
	int		   *order = palloc((phrases->nrows + 1) * sizeof(int));

	for (int i = 0; i < phrases->nrows; i++)
		order[i] = i;
	qsort_arg(order, phrases->nrows, sizeof(int), ComparePairs, rows);
	phrases->npairs = 0;
	for (int i = 0; i < phrases->nrows; i++)
	{
		if (i == 0 || ComparePairs(&order[i - 1], &order[i], rows) != 0)
			phrases->npairs++;
		rows[order[i]].pair = rows[order[i]].theme < 0 ? -1 : phrases->npairs - 1;
	}
	pfree(order);
}

/* Names, themes, weights and expiry of all phrases, into the entry's context */
static void
LoadRows(CachedPhrases *phrases, HeapTuple tuple, TupleDesc desc)
{
	MemoryContext outer = CurrentMemoryContext;
	bool	   *theme_nulls;
	bool	   *expiry_nulls;
	Datum	   *names = BaseArray(phrases, tuple, desc, Anum_base_names, TEXTOID, -1, false, TYPALIGN_INT, NULL);
	int			n = phrases->nrows;
	Datum	   *kinds;
	Datum	   *themes;
	Datum	   *weights;
	Datum	   *expiry;
	HTAB	   *name_numbers = NewNumbers();
	HTAB	   *theme_numbers = NewNumbers();

	phrases->rows = MemoryContextAllocZero(phrases->context, (n + 1) * sizeof(PhraseRow));
	kinds = BaseArray(phrases, tuple, desc, Anum_base_kinds, TEXTOID, -1, false, TYPALIGN_INT, NULL);
	themes = BaseArray(phrases, tuple, desc, Anum_base_themes, TEXTOID, -1, false, TYPALIGN_INT, &theme_nulls);
	weights = BaseArray(phrases, tuple, desc, Anum_base_weights, FLOAT8OID, sizeof(float8), true, TYPALIGN_DOUBLE, NULL);
	expiry = BaseArray(phrases, tuple, desc, Anum_base_expires_at, TIMESTAMPTZOID, sizeof(int64), true, TYPALIGN_DOUBLE, &expiry_nulls);

	MemoryContextSwitchTo(phrases->context);
	phrases->names = palloc((n + 1) * sizeof(Datum));
	phrases->themes = palloc((n + 1) * sizeof(Datum));
	for (int i = 0; i < 2; i++)
		phrases->parts[i].rows = palloc((n + 1) * sizeof(int));
	for (int i = 0; i < n; i++)
	{
		PhraseRow  *row = &phrases->rows[i];
		text	   *kind = DatumGetTextPP(kinds[i]);
		PhrasePart *part = &phrases->parts[VARSIZE_ANY_EXHDR(kind) == 5 ? PHRASES_REGEX : PHRASES_LITERAL];

		row->name = NumberOf(name_numbers, names[i], phrases->names, &phrases->nnames);
		row->theme = theme_nulls[i] ? -1 : NumberOf(theme_numbers, themes[i], phrases->themes, &phrases->nthemes);
		row->weight = DatumGetFloat8(weights[i]);
		row->expires_at = expiry_nulls[i] ? DT_NOEND : DatumGetTimestampTz(expiry[i]);
		part->rows[part->count++] = i;
	}
	MemoryContextSwitchTo(outer);
	NumberPairs(phrases);
	hash_destroy(name_numbers);
	hash_destroy(theme_numbers);
}

static void
LoadPart(CachedPhrases *phrases, PhrasePart *part, Datum value, bool isnull)
{
	if (!isnull)
	{
		Phrases    *p = DatumGetPhrasesP(value);

		part->entry = PhrasesLoad(p, phrases->context);
		part->used = part->entry.npatterns > 0;
		if ((Pointer) p != DatumGetPointer(value))
			pfree(p);
	}
	if ((part->used ? part->entry.npatterns : 0) != part->count)
		Damaged(phrases);
}

/* Load what an author has compiled. */
static void
Load(CachedPhrases *phrases)
{
	Relation	rel = NamedSetTable("phrase_base");
	TupleDesc	desc = RelationGetDescr(rel);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;
	Datum		value;

	MemoryContextReset(phrases->context);
	memset(phrases->parts, 0, sizeof(phrases->parts));
	phrases->nrows = phrases->nnames = phrases->nthemes = 0;
	phrases->rows = NULL;
	phrases->loaded = ++load_clock;
	ScanKeyInit(&key, Anum_base_set, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(phrases->set.name));
	key.sk_collation = C_COLLATION_OID;
	scan = systable_beginscan(rel, NamedSetIndex("phrase_base_pkey"), true, GetActiveSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		LoadRows(phrases, tuple, desc);
		value = heap_getattr(tuple, Anum_base_literals, desc, &isnull);
		LoadPart(phrases, &phrases->parts[PHRASES_LITERAL], value, isnull);
		value = heap_getattr(tuple, Anum_base_regexes, desc, &isnull);
		LoadPart(phrases, &phrases->parts[PHRASES_REGEX], value, isnull);
	}
	else if (phrases->set.state > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("phrase set \"%s\" is not compiled", phrases->set.name),
				 errhint("assay.compile_phrase_set() compiles it.")));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static CachedPhrases *
FindSet(const char *name, int len)
{
	ListCell   *lc;
	CachedPhrases *phrases;
	NamedSet	set = {0};
	MemoryContext old;

	foreach(lc, cache)
	{
		phrases = lfirst(lc);
		if (phrases->set.name_len == len && memcmp(phrases->set.name, name, len) == 0)
			return phrases;
	}
	/* A bad name is an error before there is anything to lose. */
	NamedSetName(&set, name, len, NAMED_SET_PHRASES);
	old = MemoryContextSwitchTo(CacheMemoryContext);
	phrases = palloc0(sizeof(CachedPhrases));
	phrases->set = set;
	phrases->context = AllocSetContextCreate(CacheMemoryContext, "pg_assay phrase set",
											 ALLOCSET_DEFAULT_SIZES);
	cache = lappend(cache, phrases);
	MemoryContextSwitchTo(old);
	return phrases;
}

/* Make sure that the entry is what the statement sees; an error drops it. */
static void
Refresh(CachedPhrases *phrases)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(outer, "pg_assay phrase set load",
												  ALLOCSET_DEFAULT_SIZES);

	PG_TRY();
	{
		int64		was;

		MemoryContextSwitchTo(scratch);
		if (NamedSetRefresh(&phrases->set, &was) != SET_SAME)
		{
			Load(phrases);
			Weigh(phrases);
		}
		NamedSetLoaded(&phrases->set);
	}
	PG_CATCH();
	{
		phrases->set.generation = 0;
		if (!phrases->set.loaded)
			Drop(phrases);
		PG_RE_THROW();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(scratch);
}

static CachedPhrases *
GetPhrases(FunctionCallInfo fcinfo, text *name)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;
	CachedPhrases *phrases;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
		fcinfo->flinfo->fn_extra = site;
	}
	phrases = site->phrases;
	if (site->epoch != cache_epoch || phrases->set.name_len != VARSIZE_ANY_EXHDR(name) ||
		memcmp(phrases->set.name, VARDATA_ANY(name), phrases->set.name_len) != 0)
	{
		site->epoch = 0;
		phrases = FindSet(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	if (!NamedSetIsFresh(&phrases->set))
		Refresh(phrases);
	site->phrases = phrases;
	site->epoch = cache_epoch;
	phrases->last_used = ++cache_clock;
	return phrases;
}

static TupleDesc
RowDesc(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(desc);
}

/* The same, found once for a call site */
static TupleDesc
SiteDesc(FunctionCallInfo fcinfo)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	if (site->desc == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		site->desc = RowDesc(fcinfo);
		MemoryContextSwitchTo(old);
	}
	return site->desc;
}

/* ---- matching --------------------------------------------------------------------- */

/* What one scan notes; it belongs to the call, not to the set */
typedef struct PhraseScan
{
	const CachedPhrases *phrases;
	const PhrasePart *part;
	TimestampTz now;
	uint64	   *names;			/* bits */
	int			nhits;
} PhraseScan;

/* MatchCallback: note the name of a phrase that has not expired. */
static bool
NoteName(int pattern, void *arg)
{
	PhraseScan *scan = arg;
	const PhraseRow *row = &scan->phrases->rows[scan->part->rows[pattern]];
	uint64		bit = UINT64CONST(1) << (row->name % 64);

	if ((scan->names[row->name / 64] & bit) == 0 && row->expires_at > scan->now)
	{
		scan->names[row->name / 64] |= bit;
		scan->nhits++;
	}
	return scan->nhits < scan->phrases->nnames;
}

static ArrayType *
TextArray(Datum *items, int n)
{
	if (n == 0)
		return construct_empty_array(TEXTOID);
	return construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* phrase_hits(set, text): the names that occur, in definition order */
PG_FUNCTION_INFO_V1(phrase_set_hits);
Datum
phrase_set_hits(PG_FUNCTION_ARGS)
{
	CachedPhrases *phrases = GetPhrases(fcinfo, PG_GETARG_TEXT_PP(0));
	text	   *t = PG_GETARG_TEXT_ONCE(1);
	Size		len;
	const char *utf8 = TextToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);
	PhraseScan	scan = {phrases, NULL, GetCurrentStatementStartTimestamp(), NULL, 0};

	scan.names = palloc0((phrases->nnames / 64 + 1) * sizeof(uint64));
	for (int i = 0; i < 2; i++)
	{
		scan.part = &phrases->parts[i];
		if (scan.part->used)
			PhrasesScan(scan.part->entry.match, utf8, len, NoteName, &scan);
	}
	PG_RETURN_ARRAYTYPE_P(PhrasesNames(phrases->names, scan.names, scan.nhits));
}

/* ---- counts ------------------------------------------------------------------------ */

/* Where names and themes of a set go in phrase_counts()'s array */
typedef struct CountPlan
{
	ArrayType  *names;			/* what it was made for */
	ArrayType  *themes;
	uint64		loaded;			/* what it was made for, too */
	int			nnames;
	int			nthemes;
	int		   *name_at;		/* of each name of the set, or -1 */
	int		   *theme_at;		/* of each theme, or -1 */
} CountPlan;

/* For each of the set's strings, which element of the array it is; -1: none */
static int *
Positions(const Datum *known, int nknown, ArrayType *wanted, const char *what, int *n)
{
	Datum	   *items;
	int		   *at = palloc((nknown + 1) * sizeof(int));

	if (ARR_NDIM(wanted) > 1 || array_contains_nulls(wanted))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must be a plain array without nulls", what)));
	deconstruct_array(wanted, TEXTOID, -1, false, TYPALIGN_INT, &items, NULL, n);
	for (int k = 0; k < nknown; k++)
	{
		text	   *a = DatumGetTextPP(known[k]);

		CHECK_FOR_INTERRUPTS();
		at[k] = -1;
		for (int i = 0; i < *n && at[k] < 0; i++)
		{
			text	   *b = (text *) DatumGetPointer(items[i]);

			if (VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
				memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0)
				at[k] = i;
		}
	}
	pfree(items);
	return at;
}

static bool
SameArray(const ArrayType *a, const ArrayType *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* The call site's plan, made anew when the set or an argument is another */
static CountPlan *
GetCountPlan(FunctionCallInfo fcinfo, CachedPhrases *phrases)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;
	ArrayType  *names = PG_GETARG_ARRAYTYPE_P(2);
	ArrayType  *themes = PG_GETARG_ARRAYTYPE_P(3);
	CountPlan  *plan = site->counts;
	MemoryContext old;

	if (plan != NULL && plan->loaded == phrases->loaded &&
		SameArray(names, plan->names) && SameArray(themes, plan->themes))
		return plan;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (plan != NULL)
	{
		site->counts = NULL;
		pfree(plan->name_at);
		pfree(plan->theme_at);
		pfree(plan->names);
		pfree(plan->themes);
		pfree(plan);
	}
	plan = palloc0(sizeof(CountPlan));
	plan->names = (ArrayType *) DatumGetPointer(datumCopy(PointerGetDatum(names), false, -1));
	plan->themes = (ArrayType *) DatumGetPointer(datumCopy(PointerGetDatum(themes), false, -1));
	plan->name_at = Positions(phrases->names, phrases->nnames, names, "names", &plan->nnames);
	plan->theme_at = Positions(phrases->themes, phrases->nthemes, themes, "themes", &plan->nthemes);
	plan->loaded = phrases->loaded;
	site->counts = plan;
	MemoryContextSwitchTo(old);
	return plan;
}

/* What phrase_counts() gathers */
typedef struct CountScan
{
	const CachedPhrases *phrases;
	const PhrasePart *part;
	const CountPlan *plan;
	TimestampTz now;
	uint64	   *names;			/* bits */
	uint64	   *pairs;
	uint64	   *themes;
	uint64	   *rows;			/* or NULL: weights are not asked for */
	int32	   *counts;			/* of names, of themes, of all names, of all
								 * themes */
} CountScan;

/* Set a bit; was it set before? */
static inline bool
NoteBit(uint64 *bits, int number)
{
	uint64		bit = UINT64CONST(1) << (number % 64);
	bool		was = (bits[number / 64] & bit) != 0;

	bits[number / 64] |= bit;
	return was;
}

/* MatchCallback: count a name once, and once for each of its themes. */
static bool
NoteCount(int pattern, void *arg)
{
	CountScan  *scan = arg;
	const CountPlan *plan = scan->plan;
	int			number = scan->part->rows[pattern];
	const PhraseRow *row = &scan->phrases->rows[number];
	int32	   *all = scan->counts + plan->nnames + plan->nthemes;

	if (row->expires_at <= scan->now)
		return true;
	if (scan->rows)
		NoteBit(scan->rows, number);
	if (!NoteBit(scan->names, row->name))
	{
		all[0]++;
		if (plan->name_at[row->name] >= 0)
			scan->counts[plan->name_at[row->name]] = 1;
	}
	if (row->pair < 0 || NoteBit(scan->pairs, row->pair))
		return true;
	all[1] += !NoteBit(scan->themes, row->theme);
	if (plan->theme_at[row->theme] >= 0)
		scan->counts[plan->nnames + plan->theme_at[row->theme]]++;
	return true;
}

static uint64 *
NewBits(int n)
{
	return palloc0((n / 64 + 1) * sizeof(uint64));
}

/* The sum of the weights of these, in definition order */
static double
SumWeights(const CachedPhrases *phrases, const uint64 *rows)
{
	double		sum = 0;

	for (int i = 0; i <= phrases->nrows / 64; i++)
		for (uint64 word = rows[i]; word != 0; word &= word - 1)
			sum += phrases->rows[i * 64 + pg_rightmost_one_pos64(word)].weight;
	return sum;
}

/* What of a set occurs in a text, as one array; and what that weighs */
static ArrayType *
CountPhrases(FunctionCallInfo fcinfo, double *weight)
{
	CachedPhrases *phrases = GetPhrases(fcinfo, PG_GETARG_TEXT_PP(0));
	CountPlan  *plan = GetCountPlan(fcinfo, phrases);
	text	   *t = PG_GETARG_TEXT_ONCE(1);
	Size		len;
	const char *utf8 = TextToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);
	int			n = plan->nnames + plan->nthemes + 2;
	Size		bytes = ARR_OVERHEAD_NONULLS(1) + n * sizeof(int32);
	ArrayType  *result = palloc0(bytes);
	CountScan	scan = {0};

	SET_VARSIZE(result, bytes);
	result->ndim = 1;
	result->elemtype = INT4OID;
	ARR_DIMS(result)[0] = n;
	ARR_LBOUND(result)[0] = 1;
	scan.phrases = phrases;
	scan.plan = plan;
	scan.now = GetCurrentStatementStartTimestamp();
	scan.counts = (int32 *) ARR_DATA_PTR(result);
	scan.names = NewBits(phrases->nnames);
	scan.pairs = NewBits(phrases->npairs);
	scan.themes = NewBits(phrases->nthemes);
	if (weight)
		scan.rows = NewBits(phrases->nrows);
	for (int i = 0; i < 2; i++)
	{
		scan.part = &phrases->parts[i];
		if (scan.part->used && len > 0)
			PhrasesScan(scan.part->entry.match, utf8, len, NoteCount, &scan);
	}
	if (weight)
		*weight = SumWeights(phrases, scan.rows);
	return result;
}

/* phrase_counts(set, text, names, themes): one array for all that is asked of a text */
PG_FUNCTION_INFO_V1(phrase_set_counts);
Datum
phrase_set_counts(PG_FUNCTION_ARGS)
{
	PG_RETURN_ARRAYTYPE_P(CountPhrases(fcinfo, NULL));
}

/* phrase_totals(set, text, names, themes): the same, and the sum of weights */
PG_FUNCTION_INFO_V1(phrase_set_totals);
Datum
phrase_set_totals(PG_FUNCTION_ARGS)
{
	double		weight;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	values[0] = PointerGetDatum(CountPhrases(fcinfo, &weight));
	values[1] = Float8GetDatum(weight);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(SiteDesc(fcinfo), values, nulls)));
}

/* ---- summaries ---------------------------------------------------------------------- */

/* What phrase_summary() gives, as it gathers */
typedef struct PhraseSummary
{
	const char *utf8;
	int			nnames;
	int		   *counts;			/* of each name */
	double		weight;
	bool	   *themes;
	bool	   *weighed;		/* of each row */
	Datum	   *spans;			/* first and last character of each */
	int			nspans;
} PhraseSummary;

/* Places of one matcher come by their start: count characters on from the last. */
static void
AddSpans(PhraseSummary *summary, const MatchSpan *spans, int count, const CachedPhrases *phrases,
		 const int *numbers, TimestampTz now)
{
	Size		at = 0;
	int			characters = 0;

	for (int i = 0; i < count; i++)
	{
		const MatchSpan *span = &spans[i];
		int			number = numbers[span->pattern];
		const PhraseRow *row = phrases ? &phrases->rows[number] : NULL;

		if (row != NULL && row->expires_at <= now)
			continue;
		summary->counts[row ? row->name : number]++;
		if (row == NULL)
			summary->weight += summary->counts[number] == 1;
		else if (!summary->weighed[number])
		{
			summary->weighed[number] = true;
			summary->weight += row->weight;
			if (row->theme >= 0)
				summary->themes[row->theme] = true;
		}
		if (span->start == MATCH_UNKNOWN)
			continue;
		characters += PhrasesCountCharacters(summary->utf8 + at, span->start - at);
		at = span->start;
		summary->spans[2 * summary->nspans] = Int32GetDatum(characters + 1);
		summary->spans[2 * summary->nspans++ + 1] =
			Int32GetDatum(characters + PhrasesCountCharacters(summary->utf8 + at, span->end - at));
	}
}

/* What occurs only behind the places that are kept */
typedef struct RestScan
{
	PhraseSummary *summary;
	const CachedPhrases *phrases;	/* or NULL */
	const int  *numbers;
	TimestampTz now;
} RestScan;

/* MatchCallback: a phrase that has no place yet counts once. */
static bool
NoteRest(int pattern, void *arg)
{
	RestScan   *rest = arg;
	PhraseSummary *summary = rest->summary;
	int			number = rest->numbers[pattern];
	const PhraseRow *row = rest->phrases ? &rest->phrases->rows[number] : NULL;

	if (row == NULL)
	{
		if (summary->counts[number] == 0)
		{
			summary->counts[number] = 1;
			summary->weight += 1;
		}
	}
	else if (!summary->weighed[number] && row->expires_at > rest->now)
	{
		summary->weighed[number] = true;
		summary->counts[row->name]++;
		summary->weight += row->weight;
		if (row->theme >= 0)
			summary->themes[row->theme] = true;
	}
	return true;
}

/* There were more places than are kept: names, themes and weight are of all. */
static void
AddRest(PhraseSummary *summary, MatchSet *match, Size len, const CachedPhrases *phrases,
		const int *numbers, TimestampTz now)
{
	RestScan	rest = {summary, phrases, numbers, now};

	PhrasesScan(match, summary->utf8, len, NoteRest, &rest);
}

/* qsort comparator of pairs: by start, then by end */
static int
CompareSpanPairs(const void *a, const void *b)
{
	const Datum *x = a;
	const Datum *y = b;

	if (x[0] != y[0])
		return DatumGetInt32(x[0]) < DatumGetInt32(y[0]) ? -1 : 1;
	return DatumGetInt32(x[1]) < DatumGetInt32(y[1]) ? -1 : x[1] != y[1];
}

static ArrayType *
SpanArray(PhraseSummary *summary)
{
	int			dims[2] = {summary->nspans, 2};
	int			lower[2] = {1, 1};

	if (summary->nspans == 0)
		return construct_empty_array(INT4OID);
	return construct_md_array(summary->spans, NULL, 2, dims, lower, INT4OID,
							  sizeof(int32), true, TYPALIGN_INT);
}

static Datum
SummaryRow(TupleDesc desc, PhraseSummary *summary, Datum *all_names, Datum *all_themes, int nthemes)
{
	Datum		values[5];
	bool		nulls[5] = {false};
	Datum	   *names = palloc((summary->nnames + 1) * sizeof(Datum));
	Datum	   *counts = palloc((summary->nnames + 1) * sizeof(Datum));
	Datum	   *themes = palloc((nthemes + 1) * sizeof(Datum));
	int			n = 0;
	int			t = 0;

	for (int i = 0; i < summary->nnames; i++)
	{
		if (summary->counts[i] == 0)
			continue;
		names[n] = all_names[i];
		counts[n++] = Int32GetDatum(summary->counts[i]);
	}
	for (int i = 0; i < nthemes; i++)
		if (summary->themes[i])
			themes[t++] = all_themes[i];
	values[0] = PointerGetDatum(TextArray(names, n));
	values[1] = PointerGetDatum(TextArray(themes, t));
	values[2] = PointerGetDatum(n == 0 ? construct_empty_array(INT4OID) :
								construct_array(counts, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	values[3] = Float8GetDatum(summary->weight);
	values[4] = PointerGetDatum(SpanArray(summary));
	return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

/* phrase_summary(set, text) */
PG_FUNCTION_INFO_V1(phrase_set_summary);
Datum
phrase_set_summary(PG_FUNCTION_ARGS)
{
	CachedPhrases *phrases = GetPhrases(fcinfo, PG_GETARG_TEXT_PP(0));
	text	   *t = PG_GETARG_TEXT_PP(1);
	Size		len;
	PhraseSummary summary = {0};
	TimestampTz now = GetCurrentStatementStartTimestamp();

	summary.utf8 = TextToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);
	summary.nnames = phrases->nnames;
	summary.counts = palloc0((phrases->nnames + 1) * sizeof(int));
	summary.themes = palloc0(phrases->nthemes + 1);
	summary.weighed = palloc0(phrases->nrows + 1);
	for (int i = 0; i < 2; i++)
	{
		const PhrasePart *part = &phrases->parts[i];
		int			count = 0;
		MatchSpan  *spans;

		if (!part->used)
			continue;
		spans = PhrasesFind(part->entry.match, summary.utf8, len, SUMMARY_SPANS, &count);
		if (count == 0)
			continue;
		summary.spans = summary.spans == NULL ? palloc(2 * count * sizeof(Datum)) :
			repalloc(summary.spans, 2 * (summary.nspans + count) * sizeof(Datum));
		AddSpans(&summary, spans, count, phrases, part->rows, now);
		if (count == SUMMARY_SPANS)
			AddRest(&summary, part->entry.match, len, phrases, part->rows, now);
	}
	if (phrases->parts[PHRASES_REGEX].used && summary.nspans > 1)
		qsort(summary.spans, summary.nspans, 2 * sizeof(Datum), CompareSpanPairs);
	return SummaryRow(SiteDesc(fcinfo), &summary, phrases->names, phrases->themes, phrases->nthemes);
}

/* phrase_summary(phrases, text): each name weighs 1, and there are no themes */
PG_FUNCTION_INFO_V1(phrase_summary);
Datum
phrase_summary(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(1);
	PhrasesEntry *entry = PhrasesGetEntry(fcinfo, 0);
	Size		len;
	PhraseSummary summary = {0};
	int			count = 0;
	MatchSpan  *spans;

	summary.utf8 = TextToUtf8(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), &len);
	summary.nnames = entry->nnames;
	summary.counts = palloc0((entry->nnames + 1) * sizeof(int));
	spans = PhrasesFind(entry->match, summary.utf8, len, SUMMARY_SPANS, &count);
	summary.spans = palloc((2 * count + 1) * sizeof(Datum));
	AddSpans(&summary, spans, count, NULL, entry->pattern_name, 0);
	if (count == SUMMARY_SPANS)
		AddRest(&summary, entry->match, len, NULL, entry->pattern_name, 0);
	return SummaryRow(RowDesc(fcinfo), &summary, entry->names, NULL, 0);
}

/* ---- places --------------------------------------------------------------------------- */

#define PLACES_MAX		65536

/* The set by name, as the statement sees it */
static CachedPhrases *
PhrasesNamed(const text *name)
{
	CachedPhrases *phrases = FindSet(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (!NamedSetIsFresh(&phrases->set))
		Refresh(phrases);
	phrases->last_used = ++cache_clock;
	return phrases;
}

/* qsort comparator: by start; unknown ones last */
static int
ComparePlaces(const void *a, const void *b)
{
	Size		x = ((const MatchSpan *) a)->start;
	Size		y = ((const MatchSpan *) b)->start;

	return x < y ? -1 : x > y;
}

MatchSpan  *
PhraseSetPlaces(const text *set, const char *utf8, Size len, int *count)
{
	CachedPhrases *phrases = PhrasesNamed(set);
	TimestampTz now = GetCurrentStatementStartTimestamp();
	MatchSpan  *places = NULL;

	*count = 0;
	for (int i = 0; i < 2; i++)
	{
		PhrasePart *part = &phrases->parts[i];
		MatchSpan  *spans;
		int			n = 0;

		if (!part->used)
			continue;
		spans = PhrasesFind(part->entry.match, utf8, len, PLACES_MAX, &n);
		if (n == 0)
			continue;
		places = places == NULL ? palloc(n * sizeof(MatchSpan)) :
			repalloc(places, (*count + n) * sizeof(MatchSpan));
		for (int k = 0; k < n; k++)
			if (spans[k].start != MATCH_UNKNOWN && phrases->rows[part->rows[spans[k].pattern]].expires_at > now)
				places[(*count)++] = spans[k];
		pfree(spans);
	}
	if (*count > 1)
		qsort(places, *count, sizeof(MatchSpan), ComparePlaces);
	return places;
}

/* phrase_state(set): the state that this statement sees */
PG_FUNCTION_INFO_V1(phrase_state);
Datum
phrase_state(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PhrasesNamed(PG_GETARG_TEXT_PP(0))->set.state);
}
