/*
 * name_claim.c
 *		Whom a display name claims to be: one's own people, or brands.
 *
 * The name is taken apart into words.  Words in a row that are a protected name
 * once folded, or nearly so, claim it where nothing else stands beside them but
 * words as "support", titles and digits; a name of eight letters and more does
 * so whatever stands beside it.  In "Smith, John" the words change places.
 */
#include "postgres.h"

#include "array_site.h"
#include "encoding.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "name_set.h"
#include "near_sets.h"
#include "skeleton.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Words of a display name that are looked at, and of a name in it */
#define CLAIM_WORDS_MAX		12
#define CLAIM_RUN_MAX		6

/* A name of so many letters is one, whatever words stand beside it */
#define CLAIM_ANY_MIN		8

/* What stands beside a person's or firm's name, beyond the words of lookalike.c */
static const char *const beside[] = {
	"accounting", "and", "at", "by", "ceo", "cfo", "coo", "corp", "cto", "department", "dept",
	"director", "dr", "finance", "for", "from", "gmbh", "hr", "inc", "it", "llc", "ltd", "mr",
	"mrs", "ms", "of", "president", "prof", "s", "sir", "via", "your"
};

/* They, folded, by the first call */
static uint32_t beside_chars[lengthof(beside)][16];
static int	beside_lens[lengthof(beside)];

/* A display name, folded word by word */
typedef struct ClaimWords
{
	int			n;
	int			starts[CLAIM_WORDS_MAX + 1];	/* of each word, and the end */
	bool		common[CLAIM_WORDS_MAX];	/* it may stand beside a name */
	uint32_t	chars[FOLD_CHARS_MAX];
} ClaimWords;

typedef struct Claim
{
	const NameSet *set;			/* NULL: none yet */
	int			number;
	int			distance;
	int			len;
} Claim;

static void
FoldBeside(void)
{
	FoldCompanions();
	for (int i = 0; i < lengthof(beside) && beside_lens[i] == 0; i++)
	{
		uint32_t	folded[FOLD_CHARS_MAX];
		int			n = FoldName(beside[i], strlen(beside[i]), FOLD_CASE_FIRST, folded);

		if (n <= 0 || n > lengthof(beside_chars[i]))
			elog(ERROR, "word \"%s\" can't be folded", beside[i]);
		memcpy(beside_chars[i], folded, n * sizeof(uint32_t));
		beside_lens[i] = n;
	}
}

static bool
IsBeside(const uint32_t *chars, int len)
{
	for (int i = 0; i < lengthof(beside); i++)
		if (beside_lens[i] == len && memcmp(beside_chars[i], chars, len * sizeof(uint32_t)) == 0)
			return true;
	return IsCompanions(chars, len);
}

/* Bytes of what separates words at p; 0: a word's */
static int
SeparatorLength(const char *p, Size left)
{
	unsigned char c = *p;

	if (c < 0x80)
		/* apostrophes are within words, and so is what looks like a letter */
		return isalnum(c) || strchr("'|$!", c) != NULL ? 0 : 1;
	if (left >= 2 && c == 0xC2 && (unsigned char) p[1] == 0xA0)
		return 2;				/* no-break space */
	if (left >= 3 && c == 0xE2 && (unsigned char) p[1] == 0x80 &&
		((unsigned char) p[2] <= 0x8A || (unsigned char) p[2] == 0x93 || (unsigned char) p[2] == 0x94))
		return 3;				/* spaces of many widths, dashes */
	if (left >= 3 && c == 0xE3 && (unsigned char) p[1] == 0x80 && (unsigned char) p[2] == 0x80)
		return 3;				/* ideographic space */
	return 0;
}

/*
 * Add a word; what is beyond the limits is not looked at.  names: only if it
 * isn't one that may stand beside a name.
 */
static void
AddWord(ClaimWords *words, const char *utf8, Size len, FoldWay way, bool names)
{
	uint32_t	folded[FOLD_CHARS_MAX];
	int			start = words->starts[words->n];
	int			n = FoldName(utf8, len, way, folded);

	/* All ASCII looks as it is. */
	if (n == 0 && way == FOLD_LOOK_FIRST)
		n = FoldName(utf8, len, FOLD_CASE_FIRST, folded);
	if (n <= 0 || words->n == CLAIM_WORDS_MAX || start + n > FOLD_CHARS_MAX)
		return;
	words->common[words->n] = IsBeside(folded, n);
	if (names && words->common[words->n])
		return;
	memcpy(words->chars + start, folded, n * sizeof(uint32_t));
	words->starts[++words->n] = start + n;
}

static void
AddWords(ClaimWords *words, const char *p, const char *end, FoldWay way, bool names)
{
	while (p < end)
	{
		const char *start = p;
		int			separator = 0;

		while (p < end && (separator = SeparatorLength(p, end - p)) == 0)
			p++;
		if (p > start)
			AddWord(words, start, p - start, way, names);
		p += separator;
	}
}

/* Do only such words stand before and behind these? */
static bool
IsAlone(const ClaimWords *words, int from, int to)
{
	for (int i = 0; i < words->n; i++)
		if ((i < from || i >= to) && !words->common[i])
			return false;
	return true;
}

/* Look for names of a set among the words. */
static void
FindClaim(const ClaimWords *words, const NameSet *set, Claim *best)
{
	for (int from = 0; from < words->n; from++)
		for (int to = from + 1; to <= Min(words->n, from + CLAIM_RUN_MAX); to++)
		{
			const uint32_t *chars = words->chars + words->starts[from];
			int			len = words->starts[to] - words->starts[from];
			bool		whole = from == 0 && to == words->n;
			int			distance;
			int			found = NearIndexFind(set->index, chars, len, &distance);

			if (found < 0 || (best->set && (distance > best->distance ||
											(distance == best->distance && len <= best->len))))
				continue;

			/*
			 * Part of a longer one is nearer than two edits, and long or
			 * alone.
			 */
			if (!whole && (distance > 1 || (!IsAlone(words, from, to) &&
											set->index->names[found].len < CLAIM_ANY_MIN)))
				continue;
			best->set = set;
			best->number = set->index->names[found].number;
			best->distance = distance;
			best->len = len;
		}
}

/* What the name claims, by each way to fold and, with a comma, to order it */
static void
FindClaims(const char *utf8, Size len, const NameSet *set, Claim *best)
{
	const char *end = utf8 + len;
	const char *comma = memchr(utf8, ',', len);

	FoldWay		last = FOLD_CASE_FIRST;

	/* What is all ASCII folds the same either way. */
	for (Size i = 0; i < len && last == FOLD_CASE_FIRST; i++)
		if (IS_HIGHBIT_SET(utf8[i]))
			last = FOLD_LOOK_FIRST;
	for (FoldWay way = FOLD_CASE_FIRST; way <= last; way++)
	{
		ClaimWords	words;

		words.n = words.starts[0] = 0;
		AddWords(&words, utf8, end, way, false);
		FindClaim(&words, set, best);
		if (comma == NULL)
			continue;
		words.n = 0;
		/* "Smith, John (CEO)": without what stood between them then */
		AddWords(&words, comma + 1, end, way, true);
		AddWords(&words, utf8, comma, way, true);
		FindClaim(&words, set, best);
	}
}

/* The claim as a row, or NULL; people may be NULL, and so may brands */
static Datum
MakeClaim(FunctionCallInfo fcinfo, TupleDesc desc, const NameSet *people, const NameSet *brands)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	Claim		best = {NULL};
	const char *utf8;
	Size		len;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (VARSIZE_ANY_EXHDR(content) > FOLD_BYTES_MAX)
		PG_RETURN_NULL();
	FoldBeside();
	utf8 = TextToUtf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &len);
	if (people)
		FindClaims(utf8, len, people, &best);
	if (brands)
		FindClaims(utf8, len, brands, &best);
	if (best.set == NULL)
		PG_RETURN_NULL();
	values[0] = PointerGetDatum(best.set->names[best.number]);
	values[1] = CStringGetTextDatum(best.set == people ? "person" : "brand");
	values[2] = Int32GetDatum(best.distance);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/* What a call site keeps: of people and of brands */
typedef struct ClaimSite
{
	ArraySite  *sites[2];
	TupleDesc	desc;
} ClaimSite;

static ClaimSite *
GetClaimSite(FunctionCallInfo fcinfo)
{
	ClaimSite  *site = fcinfo->flinfo->fn_extra;

	if (site == NULL)
	{
		site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ClaimSite));
		site->desc = ArraySiteResult(fcinfo, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = site;
	}
	return site;
}

static void *
MakeNames(FunctionCallInfo fcinfo, ArrayType *array, MemoryContext cxt)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;

	ArrayItems(array, &items, &nulls, &n);
	return NameSetOf(items, nulls, n, false, cxt);
}

/* Names of an argument, which is an array or, where it may be, a list's name */
static NameSet *
ClaimNames(FunctionCallInfo fcinfo, int arg, bool list)
{
	ClaimSite  *site = GetClaimSite(fcinfo);
	NameSet    *set;
	int64		uses;
	Datum		names = PG_GETARG_DATUM(arg);

	if (PG_ARGISNULL(arg))
		return NULL;
	if (list && !ArgumentIsArray(site->sites[arg - 1], fcinfo, arg, &names))
		set = NearSetGet(PG_GETARG_TEXT_PP(arg), NEAR_NAMES, NameSetOf, &uses);
	else
	{
		ArraySite  *array = GetArraySiteAt(&site->sites[arg - 1], fcinfo, arg, names, MakeNames);

		set = array->made;
		uses = array->uses;
	}
	if (uses > 1)
		NearIndexPrepare(set->index);
	return set;
}

static Datum
DisplayNameClaim(FunctionCallInfo fcinfo, bool list)
{
	NameSet    *people;
	NameSet    *brands;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	people = ClaimNames(fcinfo, 1, list);
	brands = ClaimNames(fcinfo, 2, list);
	/* One list for both may have been made anew for the second. */
	if (list && people && brands)
		people = ClaimNames(fcinfo, 1, list);
	return MakeClaim(fcinfo, GetClaimSite(fcinfo)->desc, people, brands);
}

/* display_name_claim(name, people, brands) of arrays */
PG_FUNCTION_INFO_V1(display_name_claim);
Datum
display_name_claim(PG_FUNCTION_ARGS)
{
	return DisplayNameClaim(fcinfo, false);
}

/* ... and of lists */
PG_FUNCTION_INFO_V1(display_name_claim_list);
Datum
display_name_claim_list(PG_FUNCTION_ARGS)
{
	return DisplayNameClaim(fcinfo, true);
}
