/*
 * prefilter.c
 *		One pass over a text column for the substrings that many conditions
 *		look for.
 *
 * LIKE, ILIKE, ~ and ~* read the whole text for each condition; ILIKE and ~*
 * fold its case each time.  Where a pattern holds a literal that must occur in
 * the text if it matches, all such literals of a column are looked for at once
 * (match.h), and the predicate becomes
 *
 *		occurs AND predicate
 *
 * or "occurs AND occurs AND predicate" where it holds two.  "occurs" is a column
 * of a virtual row, filled once for a message.  A miss is certain, and a hit is
 * verified by the original expression, so a condition's value never changes: for
 * a null text "occurs" is null, like the predicate.
 *
 * match.h folds case by Unicode's simple rules.  Two letters that only some
 * locales fold to ASCII (U+0130, U+0131) are looked for as well; where one
 * occurs, every literal counts as found, and none with one is looked for.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "compat.h"
#include "detoast_once.h"
#include "executor/executor.h"
#include "match.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "port/pg_bitutils.h"
#include "prefilter.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"


/* A shorter literal is found too often to be worth it. */
#define LITERAL_MIN		3

/* Predicates of a column from which on a pass of its own pays */
#define PREDICATES_MIN	2

/* A literal of a column */
typedef struct Literal
{
	char	   *text;
	int			len;
	int			number;			/* in the column's MatchSet */
} Literal;

/* One column's literals */
typedef struct FilterColumn
{
	int			column;			/* attribute number - 1 */
	int			number;			/* its place in the list */
	int			npredicates;
	List	   *literals;		/* of Literal */
	MatchSet   *set;
	int			dotted,
				dotless;		/* U+0130 and U+0131 in the set */
	int			nwords;			/* of bits, one a literal and these two */
} FilterColumn;

/* A column of the virtual row: does one of these literals occur? */
typedef struct Occurs
{
	FilterColumn *column;
	List	   *numbers;		/* of literals, as integers */
} Occurs;

struct Prefilter
{
	TupleDesc	desc;
	List	   *columns;		/* of FilterColumn */
	List	   *occurs;			/* of Occurs */
	MemoryContextCallback callback;
};

/* One column, in one evaluation */
typedef struct ColumnScratch
{
	FilterColumn *column;
	uint64	   *bits;			/* of its literals */
	int		   *start;			/* of each literal, in "places"; one more */
	int		   *places;			/* of the virtual row, by literal */
	int			nplaces;
	bool		isnull;
} ColumnScratch;

/* What one evaluation writes */
struct PrefilterScratch
{
	TupleTableSlot *slot;		/* the virtual row, as wide as "occurs" */
	int			ncolumns;
	ColumnScratch *columns;
	int			nfound;
	int		   *found;			/* what is true in the virtual row */
};

/* What a predicate needs: literals of a column, one of which must occur */
typedef struct Need
{
	int			column;
	List	   *literals;		/* of Literal */
	Literal    *another;		/* that must occur as well, or NULL */
} Need;

/* Of the runs of a pattern the two longest are kept. */
static void
KeepLiteral(Literal *two[2], StringInfo run)
{
	if (run->len >= LITERAL_MIN && (two[1] == NULL || run->len > two[1]->len))
	{
		two[1] = palloc0(sizeof(Literal));
		two[1]->text = pnstrdup(run->data, run->len);
		two[1]->len = run->len;
	}
	if (two[1] && (two[0] == NULL || two[1]->len > two[0]->len))
	{
		Literal    *longest = two[1];

		two[1] = two[0];
		two[0] = longest;
	}
	resetStringInfo(run);
}

/*
 * The longest literals, at most two, that each text which matches a LIKE pattern
 * holds.
 */
static void
LikeLiterals(const char *pattern, int len, Literal *two[2])
{
	StringInfoData run;

	initStringInfo(&run);
	for (int i = 0; i <= len; i++)
	{
		char		c = (i < len) ? pattern[i] : '%';

		if (c == '\\')
		{
			if (++i >= len)
			{
				two[0] = two[1] = NULL; /* an error, when it is evaluated */
				return;
			}
			appendStringInfoChar(&run, pattern[i]);
		}
		else if (c != '%' && c != '_')
			appendStringInfoChar(&run, c);
		else
		{
			KeepLiteral(two, &run);
		}
	}
}

/*
 * The same for a regular expression.  Only the plainest are understood: a
 * sequence of characters, dots, anchors and quantified characters.
 */
static void
RegexLiterals(const char *pattern, int len, Literal *two[2])
{
	StringInfoData run;

	if (len >= 3 && strncmp(pattern, "***", 3) == 0)
		return;
	initStringInfo(&run);
	for (int i = 0; i <= len;)
	{
		char		c = (i < len) ? pattern[i] : '.';
		int			width = (i < len) ? pg_mblen(pattern + i) : 1;

		if (strchr("|([{\\)]}", c) != NULL && c != '\0')
		{
			two[0] = two[1] = NULL;
			return;
		}
		if (i + width < len && strchr("*?{", pattern[i + width]) != NULL &&
			strchr("*?+.^$", c) == NULL)
			c = '.';			/* this character need not be there */
		if (strchr(".^$*?+", c) != NULL)
		{
			KeepLiteral(two, &run);
		}
		else
			appendBinaryStringInfo(&run, pattern + i, width);
		i += width;
	}
}

/*
 * The text column that an argument is, or that is in small letters, which are
 * found in it as well; or -1
 */
static int
TextColumn(Node *node)
{
	while (node && (IsA(node, RelabelType) ||
					(IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_LOWER_TEXT)))
		node = IsA(node, RelabelType) ? (Node *) ((RelabelType *) node)->arg :
			linitial(((FuncExpr *) node)->args);
	if (node && IsA(node, Var) && ((Var *) node)->varno == 1 &&
		(((Var *) node)->vartype == TEXTOID || ((Var *) node)->vartype == VARCHAROID))
		return ((Var *) node)->varattno - 1;
	return -1;
}

/* U+0130 or U+0131, which a locale may fold to what match.h does not */
static bool
HasTurkishI(const Literal *literal)
{
	for (int i = 0; i + 1 < literal->len; i++)
		if (literal->text[i] == '\xc4' &&
			(literal->text[i + 1] == '\xb0' || literal->text[i + 1] == '\xb1'))
			return true;
	return false;
}

/* The literals that must occur, the longest first; false: nothing is known. */
static bool
PatternLiterals(Oid function, Datum pattern, Literal *two[2])
{
	text	   *t = DatumGetTextPP(pattern);
	const char *s = VARDATA_ANY(t);
	int			len = VARSIZE_ANY_EXHDR(t);

	two[0] = two[1] = NULL;
	if (function == F_TEXTLIKE || function == F_TEXTICLIKE)
		LikeLiterals(s, len, two);
	else
		RegexLiterals(s, len, two);
	for (int i = 0; i < 2; i++)
		if (two[i] && (two[i]->len > MATCH_MAX_PATTERN_BYTES || HasTurkishI(two[i])))
			return false;
	return two[0] != NULL;
}

static bool
IsMatcher(Oid function, Oid collation)
{
	return (function == F_TEXTLIKE || function == F_TEXTICLIKE ||
			function == F_TEXTREGEXEQ || function == F_TEXTICREGEXEQ) &&
		OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* What must occur for this predicate to be true?  False: nothing is known. */
static bool
PredicateNeeds(Prefilter *f, Node *node, Need *need)
{
	List	   *args;
	Const	   *pattern;

	Literal    *two[2];

	need->literals = NIL;
	need->another = NULL;
	if (IsA(node, OpExpr))
	{
		OpExpr	   *op = (OpExpr *) node;

		set_opfuncid(op);
		if (!IsMatcher(op->opfuncid, op->inputcollid))
			return false;
		args = op->args;
		need->column = TextColumn(linitial(args));
		pattern = lsecond(args);
		if (need->column < 0 || !IsA(pattern, Const) || pattern->constisnull)
			return false;
		if (!PatternLiterals(op->opfuncid, pattern->constvalue, two))
			return false;
		need->literals = list_make1(two[0]);
		need->another = two[1];
		return true;
	}
	if (IsA(node, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) node;
		Datum	   *items;
		bool	   *nulls;
		int			n;

		set_sa_opfuncid(op);
		if (!op->useOr || !IsMatcher(op->opfuncid, op->inputcollid))
			return false;
		args = op->args;
		need->column = TextColumn(linitial(args));
		pattern = lsecond(args);
		if (need->column < 0 || !IsA(pattern, Const) || pattern->constisnull ||
			pattern->consttype != TEXTARRAYOID)
			return false;
		deconstruct_array(DatumGetArrayTypeP(pattern->constvalue), TEXTOID, -1,
						  false, TYPALIGN_INT, &items, &nulls, &n);
		for (int i = 0; i < n; i++)
		{
			if (nulls[i] || !PatternLiterals(op->opfuncid, items[i], two))
				return false;
			need->literals = lappend(need->literals, two[0]);
		}
		return n > 0;
	}
	return false;
}

Prefilter  *
PrefilterCreate(TupleDesc desc)
{
	Prefilter  *f = palloc0(sizeof(Prefilter));

	f->desc = desc;
	return f;
}

static FilterColumn *
GetColumn(Prefilter *f, int column)
{
	ListCell   *lc;
	FilterColumn *c;

	foreach(lc, f->columns)
	{
		c = lfirst(lc);
		if (c->column == column)
			return c;
	}
	c = palloc0(sizeof(FilterColumn));
	c->column = column;
	c->number = list_length(f->columns);
	f->columns = lappend(f->columns, c);
	return c;
}

/* The number of a literal among a column's, which it is added to when new */
static int
AddLiteral(FilterColumn *c, Literal *literal)
{
	ListCell   *lc;

	foreach(lc, c->literals)
	{
		Literal    *other = lfirst(lc);

		if (other->len == literal->len && memcmp(other->text, literal->text, literal->len) == 0)
			return other->number;
	}
	literal->number = list_length(c->literals);
	c->literals = lappend(c->literals, literal);
	return literal->number;
}

static bool
Collect(Node *node, Prefilter *f)
{
	Need		need;
	ListCell   *lc;

	if (node == NULL)
		return false;
	if (PredicateNeeds(f, node, &need))
	{
		FilterColumn *c = GetColumn(f, need.column);

		c->npredicates++;
		foreach(lc, need.literals)
			(void) AddLiteral(c, lfirst(lc));
		if (need.another)
			(void) AddLiteral(c, need.another);
		return false;
	}
	return expression_tree_walker(node, Collect, f);
}

/* Take note of what a condition looks for. */
void
PrefilterCollect(Prefilter *f, Expr *expr)
{
	if (GetDatabaseEncoding() == PG_UTF8)
		(void) Collect((Node *) expr, f);
}

static void
DestroySets(void *arg)
{
	Prefilter  *f = arg;
	ListCell   *lc;

	foreach(lc, f->columns)
	{
		FilterColumn *c = lfirst(lc);

		if (c->set)
			MatchDestroy(c->set);
		c->set = NULL;
	}
}

/* Compile a column's literals; without its set a column is left alone. */
static bool
CompileColumn(FilterColumn *c)
{
	MatchError	error;
	ListCell   *lc;
	bool		good = true;

	c->set = MatchCreate(MATCH_VALID_UTF8);
	if (c->set == NULL)
		return false;
	foreach(lc, c->literals)
	{
		Literal    *literal = lfirst(lc);

		good = good && MatchAdd(c->set, literal->text, literal->len, 0, &error) == MATCH_OK;
	}
	c->dotted = list_length(c->literals);
	c->dotless = c->dotted + 1;
	good = good && MatchAdd(c->set, "\xc4\xb0", 2, 0, &error) == MATCH_OK &&
		MatchAdd(c->set, "\xc4\xb1", 2, 0, &error) == MATCH_OK &&
		MatchCompile(c->set, &error) == MATCH_OK;
	if (!good)
	{
		MatchDestroy(c->set);
		c->set = NULL;
		return false;
	}
	c->nwords = (c->dotless + 64) / 64;
	return true;
}

/*
 * All conditions are noted: compile.  Returns false when there is nothing to
 * gain.  What it makes lives as long as the current memory context.
 */
bool
PrefilterFinish(Prefilter *f)
{
	bool		useful = false;
	ListCell   *lc;

	f->callback.func = DestroySets;
	f->callback.arg = f;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &f->callback);
	foreach(lc, f->columns)
	{
		FilterColumn *c = lfirst(lc);

		if (c->npredicates >= PREDICATES_MIN && CompileColumn(c))
			useful = true;
	}
	return useful;
}

/* A column of the virtual row: one of these literals occurs */
static Node *
MakeOccurs(Prefilter *f, FilterColumn *c, List *literals)
{
	Occurs	   *occurs = palloc0(sizeof(Occurs));
	ListCell   *lc;

	occurs->column = c;
	foreach(lc, literals)
		occurs->numbers = lappend_int(occurs->numbers, AddLiteral(c, lfirst(lc)));
	f->occurs = lappend(f->occurs, occurs);
	return (Node *) makeVar(OUTER_VAR, list_length(f->occurs), BOOLOID, -1, InvalidOid, 0);
}

static Node *
Rewrite(Node *node, Prefilter *f)
{
	Need		need;

	if (node == NULL)
		return NULL;
	if (PredicateNeeds(f, node, &need))
	{
		FilterColumn *c = GetColumn(f, need.column);
		List	   *args;

		if (c->set == NULL || list_length(f->occurs) + 2 > MaxAttrNumber)
			return node;
		args = list_make1(MakeOccurs(f, c, need.literals));
		if (need.another)
			args = lappend(args, MakeOccurs(f, c, list_make1(need.another)));
		return (Node *) makeBoolExpr(AND_EXPR, lappend(args, node), -1);
	}
	return expression_tree_mutator(node, Rewrite, f);
}

/* What it takes outside of memory contexts */
Size
PrefilterMemory(Prefilter *f)
{
	Size		bytes = 0;
	ListCell   *lc;

	foreach(lc, f->columns)
		if (((FilterColumn *) lfirst(lc))->set)
		bytes += MatchMemory(((FilterColumn *) lfirst(lc))->set);
	return bytes;
}

/* The same condition, which asks the virtual row first */
Expr	   *
PrefilterRewrite(Prefilter *f, Expr *expr)
{
	return (Expr *) Rewrite((Node *) expr, f);
}

/* Which places of the virtual row each literal of a column is looked for */
static void
ListPlaces(Prefilter *f, ColumnScratch *c)
{
	int			nliterals = list_length(c->column->literals);
	int		   *next = palloc0((nliterals + 1) * sizeof(int));
	ListCell   *lc;
	ListCell   *n;

	c->start = palloc0((nliterals + 1) * sizeof(int));
	foreach(lc, f->occurs)
		if (((Occurs *) lfirst(lc))->column == c->column)
		foreach(n, ((Occurs *) lfirst(lc))->numbers)
			c->start[lfirst_int(n) + 1]++;
	for (int i = 0; i < nliterals; i++)
		next[i + 1] = c->start[i + 1] += c->start[i];
	c->nplaces = c->start[nliterals];
	c->places = palloc(Max(c->nplaces, 1) * sizeof(int));
	foreach(lc, f->occurs)
		if (((Occurs *) lfirst(lc))->column == c->column)
		foreach(n, ((Occurs *) lfirst(lc))->numbers)
			c->places[next[lfirst_int(n)]++] = foreach_current_index(lc);
	pfree(next);
}

/* Room for one evaluation; all conditions are rewritten */
PrefilterScratch *
PrefilterScratchCreate(Prefilter *f)
{
	PrefilterScratch *scratch = palloc0(sizeof(PrefilterScratch));
	TupleDesc	desc = CreateTemplateTupleDesc(list_length(f->occurs));
	ListCell   *lc;

	for (int a = 1; a <= desc->natts; a++)
		TupleDescInitEntry(desc, a, NULL, BOOLOID, -1, 0);
	scratch->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	memset(scratch->slot->tts_values, 0, desc->natts * sizeof(Datum));
	memset(scratch->slot->tts_isnull, false, desc->natts * sizeof(bool));
	scratch->found = palloc(Max(desc->natts, 1) * sizeof(int));
	scratch->columns = palloc0(list_length(f->columns) * sizeof(ColumnScratch));
	foreach(lc, f->columns)
	{
		ColumnScratch *c = &scratch->columns[scratch->ncolumns];

		c->column = lfirst(lc);
		if (c->column->set == NULL)
			continue;
		c->bits = palloc0(c->column->nwords * sizeof(uint64));
		ListPlaces(f, c);
		scratch->ncolumns++;
	}
	return scratch;
}

static bool
HasBit(const uint64 *bits, int number)
{
	return (bits[number / 64] >> (number % 64)) & 1;
}

/* Which literals occur in a column of the row; plain: keep what was decompressed there. */
static void
ScanColumn(FilterColumn *c, uint64 *bits, TupleTableSlot *slot, Datum value, bool plain)
{
	text	   *t = plain ? DetoastCopy(value) : DetoastOnce(value);

	if (plain)
		slot->tts_values[c->column] = PointerGetDatum(t);
	memset(bits, 0, c->nwords * sizeof(uint64));
	if (MatchScanBits(c->set, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), bits) != MATCH_OK ||
		HasBit(bits, c->dotted) || HasBit(bits, c->dotless))
	{
		/* Interrupted, perhaps for nothing; or only a locale knows */
		CHECK_FOR_INTERRUPTS();
		memset(bits, 0xff, c->nwords * sizeof(uint64));
	}
}

/* Each place of the virtual row where one of a column's literals makes it true */
static void
FindPlaces(PrefilterScratch *scratch, ColumnScratch *c)
{
	int			nliterals = list_length(c->column->literals);

	for (int word = 0; word * 64 < nliterals; word++)
		for (uint64 bits = c->bits[word]; bits != 0; bits &= bits - 1)
		{
			int			literal = word * 64 + pg_rightmost_one_pos64(bits);

			for (int i = literal < nliterals ? c->start[literal] : c->nplaces;
				 i < (literal < nliterals ? c->start[literal + 1] : c->nplaces); i++)
			{
				Datum	   *value = &scratch->slot->tts_values[c->places[i]];

				if (!DatumGetBool(*value))
					scratch->found[scratch->nfound++] = c->places[i];
				*value = BoolGetDatum(true);
			}
		}
}

/*
 * Scan the columns of a row; the result is what OUTER_VAR refers to.  Columns
 * that are "plain" stay decompressed in the row, which is then a virtual one.
 */
TupleTableSlot *
PrefilterScan(PrefilterScratch *scratch, TupleTableSlot *slot, const Bitmapset * plain)
{
	for (int i = 0; i < scratch->nfound; i++)
		scratch->slot->tts_values[scratch->found[i]] = BoolGetDatum(false);
	scratch->nfound = 0;
	ExecClearTuple(scratch->slot);
	for (int i = 0; i < scratch->ncolumns; i++)
	{
		ColumnScratch *c = &scratch->columns[i];
		bool		isnull;
		Datum		value = slot_getattr(slot, c->column->column + 1, &isnull);

		if (isnull != c->isnull)
			for (int k = 0; k < c->nplaces; k++)
				scratch->slot->tts_isnull[c->places[k]] = isnull;
		c->isnull = isnull;
		if (isnull)
			continue;
		ScanColumn(c->column, c->bits, slot, value, bms_is_member(c->column->column, plain));
		FindPlaces(scratch, c);
	}
	return ExecStoreVirtualTuple(scratch->slot);
}

/* The places of the virtual row that are true; nulls: are some null? */
const int  *
PrefilterFound(PrefilterScratch *scratch, int *n, bool *nulls)
{
	*n = scratch->nfound;
	*nulls = false;
	for (int i = 0; i < scratch->ncolumns; i++)
		*nulls |= scratch->columns[i].isnull;
	return scratch->found;
}
