/*
 * suggest_exclusion.c
 *		What would free one message, and what else that frees.
 *
 * The detectors to be muted are as few as suffice for the default verdict.
 * Conditions are equalities that hold for the message, and pairs of these.
 * Each past message with another verdict than the default, of which all that
 * is muted would not have counted, is looked at once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "labels.h"
#include "latest.h"
#include "ledger_effect.h"
#include "miscadmin.h"
#include "signal_rows.h"
#include "signal_traits.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Conditions that are combined */
#define PARTS_MAX	64

/* Messages for which the same conditions hold, and that would be freed */
typedef struct FreedGroup
{
	TraitBits	bits;			/* key of the hash table; must be first */
	int64		messages;
	int64		malicious;
	int64		safe;
} FreedGroup;

/* The receiver of the query's rows */
typedef struct Freeing
{
	DestReceiver dest;			/* must be first */
	Source	   *source;
	SignalRows	rows;
	Traits		traits;
	HTAB	   *revisions;
	HTAB	   *groups;
	CountedDecision decision;
	MemoryContext per_row;
	bool		logged;
	bool		force;			/* muting is not enough */
	int			nmutes;
	Span	   *mutes;
} Freeing;

/* Columns of the query */
enum
{
	ROW_ATTRIBUTION,
	ROW_SIGNALS,
	ROW_MALICIOUS
};

static bool
IsNamed(const Span *names, int n, const Span *name)
{
	for (int i = 0; i < n; i++)
		if (SpanEqual(&names[i], name))
			return true;
	return false;
}

/* The verdict's level without some of the detectors */
static int
LevelWithout(const CountedDecision *d, const Span *muted, int n)
{
	int			pushed = NO_LEVEL;
	double		margin = d->margin;

	for (int i = 0; i < d->nentries; i++)
	{
		const CountedEntry *t = &d->entries[i];

		if (t->exclusion || (t->e.flags & ATTRIBUTION_NOT_COUNTED))
			continue;
		if (IsNamed(muted, n, &t->e.name))
			margin -= t->e.contribution;
		else if (t->active)
			pushed = Max(pushed, t->forced);
	}
	return Level(d, d->allowed[0], pushed, margin);
}

/* Take a decision apart; false: nothing is known of its revision. */
static bool
TakeApart(Freeing *f, Datum attribution)
{
	Attribution *a = DatumGetAttributionP(attribution);

	f->decision.levels = hash_search(f->revisions, &a->revision, HASH_FIND, NULL);
	if (f->decision.levels == NULL)
		return false;
	ReadLedger(&f->decision, a);
	return true;
}

/* One past message: is it freed, and by what? */
static void
CountFreed(Freeing *f, TupleTableSlot *slot)
{
	CountedDecision *d = &f->decision;
	TraitBits	bits;
	FreedGroup *g;
	bool		found;

	slot_getallattrs(slot);
	if (slot->tts_isnull[ROW_ATTRIBUTION] || slot->tts_isnull[ROW_SIGNALS] ||
		!TakeApart(f, slot->tts_values[ROW_ATTRIBUTION]) ||
		LevelWithout(d, NULL, 0) <= 0 || (!f->force && LevelWithout(d, f->mutes, f->nmutes) > 0))
		return;
	SignalRowsRead(&f->rows, slot->tts_values[ROW_SIGNALS], f->logged);
	TraitsHold(&f->traits, f->rows.values, f->rows.nulls, &bits);
	g = hash_search(f->groups, &bits, HASH_ENTER, &found);
	if (!found)
		g->messages = g->malicious = g->safe = 0;
	g->messages++;
	if (slot->tts_isnull[ROW_MALICIOUS])
		return;
	if (DatumGetBool(slot->tts_values[ROW_MALICIOUS]))
		g->malicious++;
	else
		g->safe++;
}

static bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	Freeing    *f = (Freeing *) self;
	MemoryContext old = MemoryContextSwitchTo(f->per_row);

	CountFreed(f, slot);
	MemoryContextSwitchTo(old);
	MemoryContextReset(f->per_row);
	return true;
}

/*
 * Ledger and signals of decisions "d": what was logged, or the view's row.  That is
 * no column of the decision table, which may have one of the view's alias.
 */
static void
AddLedgerAndSignals(Freeing *f, BatchQuery *q, bool logged)
{
	QueryAdd(q, "SELECT d.attribution::assay.attribution, ");
	if (logged)
		QueryAdd(q, "d.signals");
	else
		QueryAdd(q, "%s.*::%s", f->source->alias, f->source->id->signals_name);
}

/* FROM the decisions, with the view's rows where signals are not logged */
static void
AddDecisions(Freeing *f, BatchQuery *q, bool logged)
{
	Source	   *s = f->source;

	QueryAdd(q, " FROM %s d", s->id->decision_name);
	if (!logged)
	{
		QueryAdd(q, " JOIN %s %s ON ", s->id->signals_name, s->alias);
		AddSameKey(q, s, s->alias, "d");
	}
}

/* Other messages of the time that were not let through */
static void
OthersQuery(Freeing *f, BatchQuery *q, FunctionCallInfo fcinfo, bool logged)
{
	Source	   *s = f->source;

	QueryStart(q);
	q->read_only = true;
	AddLedgerAndSignals(f, q, logged);
	QueryAdd(q, ", l.malicious");
	AddDecisions(f, q, logged);
	AddLabelJoin(q, s, "d");
	QueryAdd(q, " WHERE ");
	AddLatestDecision(q, s, "d", PG_GETARG_DATUM(2), PG_GETARG_DATUM(3));
	QueryAdd(q, " AND d.verdict <> ");
	QueryValue(q, TEXTOID, PG_GETARG_DATUM(4));
	QueryAdd(q, " AND NOT (");
	AddKeyIs(q, s, "d", PG_GETARG_DATUM(1));
	QueryAdd(q, ")");
	if (SourceHasLog(s))
		QueryAdd(q, " AND d.signals IS %s", logged ? "NOT NULL" : "NULL");
}

/*
 * The message itself: true where it is there.  To make values of the view's types is
 * the types' code, a domain's constraints, say: nobody's but whose source it is.
 */
static bool
ReadMessage(Freeing *f, FunctionCallInfo fcinfo, bool logged, Datum *attribution)
{
	Source	   *s = f->source;
	BatchQuery	q;
	Security	security;
	bool		isnull[2] = {true, true};
	Datum		signals;

	QueryStart(&q);
	q.read_only = true;
	AddLedgerAndSignals(f, &q, logged);
	AddDecisions(f, &q, logged);
	QueryAdd(&q, " WHERE ");
	AddKeyIs(&q, s, "d", PG_GETARG_DATUM(1));
	QueryAdd(&q, " ORDER BY d.revision DESC LIMIT 1");
	EnterSource(&security, s);
	if (QueryRun(&q, SPI_OK_SELECT, NULL) > 0)
	{
		*attribution = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull[0]);
		signals = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull[1]);
		if (!isnull[0] && !isnull[1])
			SignalRowsRead(&f->rows, signals, logged);
	}
	LeaveSecurity(&security);
	return !isnull[0] && !isnull[1];
}

/* An array of texts as spans */
static Span *
SpansOf(Datum array, int *n)
{
	Datum	   *items;
	bool	   *nulls;
	Span	   *spans;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, n);
	spans = palloc0(Max(*n, 1) * sizeof(Span));
	for (int i = 0; i < *n; i++)
	{
		if (nulls[i])
			continue;
		spans[i].data = VARDATA_ANY(DatumGetPointer(items[i]));
		spans[i].len = VARSIZE_ANY_EXHDR(DatumGetPointer(items[i]));
	}
	return spans;
}

/* The detector that holds the message back most, of those that may be muted and are not yet; or NULL */
static const CountedEntry *
WorstOf(Freeing *f, const Span *may, int nmay)
{
	CountedDecision *d = &f->decision;
	const CountedEntry *worst = NULL;

	for (int i = 0; i < d->nentries; i++)
	{
		const CountedEntry *t = &d->entries[i];

		if (!t->active || !t->malicious || IsNamed(f->mutes, f->nmutes, &t->e.name) ||
			!IsNamed(may, nmay, &t->e.name))
			continue;
		if (worst == NULL || t->forced > worst->forced ||
			(t->forced == worst->forced && t->e.contribution > worst->e.contribution))
			worst = t;
	}
	return worst;
}

/* As few detectors as free the message: those that weigh most */
static void
ChooseMutes(Freeing *f, Datum may_be_muted)
{
	int			nmay;
	Span	   *may = SpansOf(may_be_muted, &nmay);

	f->mutes = palloc(Max(f->decision.nentries, 1) * sizeof(Span));
	while (LevelWithout(&f->decision, f->mutes, f->nmutes) > 0)
	{
		const CountedEntry *worst = WorstOf(f, may, nmay);

		if (worst == NULL)
		{
			f->force = true;
			f->nmutes = 0;
			return;
		}
		f->mutes[f->nmutes++] = worst->e.name;
	}
}

/* Signals that conditions may name: texts, and all that those detectors read; no single key */
static Bitmapset *
ChooseColumns(Freeing *f, Datum signals_read)
{
	TupleDesc	desc = f->rows.desc;
	Bitmapset  *columns = NULL;
	int			n;
	Span	   *reads = SpansOf(signals_read, &n);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Span		column = {NameStr(att->attname), strlen(NameStr(att->attname))};

		if (att->attisdropped || att->atttypid == FLOAT4OID || att->atttypid == FLOAT8OID ||
			(f->source->nkeys == 1 && SourceHasKey(f->source, NameStr(att->attname))))
			continue;
		if (att->atttypid == TEXTOID || att->atttypid == VARCHAROID || IsNamed(reads, n, &column))
			columns = bms_add_member(columns, i);
	}
	return columns;
}

/* What conditions that all hold would free */
static FreedGroup
Freed(Freeing *f, const TraitBits *wanted)
{
	FreedGroup	all = {0};
	HASH_SEQ_STATUS scan;
	FreedGroup *g;

	CHECK_FOR_INTERRUPTS();
	hash_seq_init(&scan, f->groups);
	while ((g = hash_seq_search(&scan)) != NULL)
	{
		if (!TraitsAll(&g->bits, wanted))
			continue;
		all.messages += g->messages;
		all.malicious += g->malicious;
		all.safe += g->safe;
	}
	return all;
}

/* Is it of the key, and of no other message's? */
static bool
IsOwnKey(Freeing *f, int trait, int64 others)
{
	const char *column = NameStr(TupleDescAttr(f->rows.desc, f->traits.traits[trait].column)->attname);

	return others == 0 && SourceHasKey(f->source, column);
}

static void
PutRow(Freeing *f, ReturnSetInfo *result, const TraitBits *bits, int parts, const FreedGroup *freed)
{
	Datum		values[6];
	bool		nulls[6] = {0};
	Datum	   *names = palloc(Max(f->nmutes, 1) * sizeof(Datum));

	for (int i = 0; i < f->nmutes; i++)
		names[i] = PointerGetDatum(cstring_to_text_with_len(f->mutes[i].data, f->mutes[i].len));
	values[0] = CStringGetTextDatum(TraitsCondition(&f->traits, bits));
	values[1] = Int32GetDatum(parts);
	values[2] = PointerGetDatum(construct_array(names, f->nmutes, TEXTOID, -1, false, TYPALIGN_INT));
	values[3] = Int64GetDatum(freed->messages);
	values[4] = Int64GetDatum(freed->malicious);
	values[5] = Int64GetDatum(freed->safe);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Each condition, and each pair that frees less than both of its parts */
static void
PutConditions(Freeing *f, ReturnSetInfo *result)
{
	int			n = f->traits.ntraits;
	FreedGroup *single = palloc(Max(n, 1) * sizeof(FreedGroup));
	bool	   *skip = palloc0(Max(n, 1) * sizeof(bool));

	for (int i = 0; i < n; i++)
	{
		TraitBits	bits = {0};

		TraitSet(&bits, i);
		single[i] = Freed(f, &bits);
		skip[i] = IsOwnKey(f, i, single[i].messages);
		if (!skip[i])
			PutRow(f, result, &bits, 1, &single[i]);
	}
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
		{
			TraitBits	bits = {0};
			FreedGroup	both;

			if (skip[i] || skip[j])
				continue;
			TraitSet(&bits, i);
			TraitSet(&bits, j);
			both = Freed(f, &bits);
			if (both.messages < Min(single[i].messages, single[j].messages))
				PutRow(f, result, &bits, 2, &both);
		}
}

static void
CheckBlocked(Freeing *f)
{
	if (LevelWithout(&f->decision, NULL, 0) > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the message has the default verdict already")));
}

/* Look at the message, and choose what is to be muted and by which conditions. */
static void
LookAtMessage(Freeing *f, FunctionCallInfo fcinfo)
{
	Datum		attribution = (Datum) 0;

	if (!(SourceHasLog(f->source) && ReadMessage(f, fcinfo, true, &attribution)) &&
		!ReadMessage(f, fcinfo, false, &attribution))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("the message's decision or its signals do not exist")));
	if (!TakeApart(f, attribution))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the revision that decided the message is not known")));
	CheckBlocked(f);
	ChooseMutes(f, PG_GETARG_DATUM(5));
	TraitsInit(&f->traits, f->rows.desc, ChooseColumns(f, PG_GETARG_DATUM(6)));
	TraitsNote(&f->traits, f->rows.values, f->rows.nulls);
	TraitsChoose(&f->traits, 1, PARTS_MAX, false);
}

/*
 * count_freed(policy, key, since, until, default_verdict, may_be_muted, signals_read):
 * conditions that free the message, and how many others each frees
 */
PG_FUNCTION_INFO_V1(assay_count_freed);
Datum
assay_count_freed(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	HASHCTL		ctl = {.keysize = sizeof(TraitBits),.entrysize = sizeof(FreedGroup)};
	Source		s;
	Freeing		f = {0};
	Security	security;
	BatchQuery	q;

	InitSource(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)), DT_NOBEGIN, DT_NOEND, NULL, true);
	SourceMayRead(&s, s.id->decision, s.id->decision_name);
	SourceMayRead(&s, s.id->label, s.id->label_name);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	f.source = &s;
	InitReceiver(&f.dest, ReceiveRow);
	f.revisions = ReadRevisions(s.policy, CurrentMemoryContext);
	f.decision.context = CurrentMemoryContext;
	f.per_row = AllocSetContextCreate(CurrentMemoryContext, "pg_assay row", ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = CurrentMemoryContext;
	f.groups = hash_create("freed messages", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	SignalRowsInit(&f.rows, &s);
	LookAtMessage(&f, fcinfo);
	SignalRowsWant(&f.rows, TraitsColumns(&f.traits));
	for (int log = SourceHasLog(&s); log >= 0; log--)
	{
		f.logged = log;
		OthersQuery(&f, &q, fcinfo, log);
		EnterSource(&security, &s);
		(void) QueryRun(&q, SPI_OK_SELECT, &f.dest);
		LeaveSecurity(&security);
	}
	PutConditions(&f, result);
	SPI_finish();
	return (Datum) 0;
}
