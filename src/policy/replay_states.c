/*
 * replay_states.c
 *		What a replay can't reproduce: messages that were decided when a list,
 *		phrase set or text model was in another state than the replay saw.
 *
 * Past states are asked by the signals view, where it says which moment it
 * means; a replay only tells, once, what differs.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "replay_states.h"
#include "signals_query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"

#define REPLAYED_NAME	"(replayed)"

/* Messages of one policy and states; before there are any rows in the store */
void
ReplayStatesBegin(Tuplestorestate * store)
{
	/* A scan of it by a query rewinds. */
	(void) tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
}

/* Does this revision look into anything that has states? */
static CompiledPolicy *
PolicyOfReplay(Source *s, int revision, bool drafts)
{
	Relation	rel;
	PolicyEntry *entry;

	if (!OidIsValid(s->id->signals))
		return NULL;
	rel = table_open(s->id->signals, AccessShareLock);
	entry = PolicyGet(s->policy, revision, drafts, RelationGetDescr(rel), InvalidOid, CurrentMemoryContext);
	table_close(rel, AccessShareLock);
	return entry->policy->nsets + entry->policy->ntexts > 0 ? entry->policy : NULL;
}

/* The replay's rows, as a table of queries */
static void
RegisterReplayed(Tuplestorestate * store, TupleDesc desc)
{
	EphemeralNamedRelation enr = palloc0(sizeof(*enr));

	enr->md.name = REPLAYED_NAME;
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = tuplestore_tuple_count(store);
	enr->reldata = store;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
}

/*
 * What the replay looked into, as rows (kind, name, state): the state that this
 * statement sees, or -1 where a ledger is to tell.  view: the signals were read
 * from the view, so that what it looks into counts as well.
 */
static void
AddStatesNow(BatchQuery *q, CompiledPolicy *p, bool view, bool ledgers)
{
	int			room = p->nsets + p->ndetectors + 1;
	Datum	   *names = palloc(room * sizeof(Datum));
	Datum	   *states = palloc(room * sizeof(Datum));
	Datum	   *kinds = palloc(room * sizeof(Datum));
	int			n = 0;

	for (int i = 0; i < p->nsets; i++)
	{
		PolicySet  *set = &p->sets[i];
		bool		list = set->kind == ATTRIBUTION_LIST;
		bool		is_text = set->kind == ATTRIBUTION_TEXT_MODEL;
		int64		state = -1;

		/* What a text model was asked as of, only a ledger tells. */
		if ((!view && !set->in_condition) || (is_text && !ledgers) ||
			(!is_text && !NamedSetPeek(NamedSetWatched(set->name, list ? NAMED_SET_LIST : NAMED_SET_PHRASES), &state)))
			continue;
		kinds[n] = CStringGetTextDatum(is_text ? "text_model" : list ? "list" : "phrases");
		names[n] = CStringGetTextDatum(set->name);
		states[n++] = Int64GetDatum(state);
	}
	for (int i = 0; i < p->ndetectors && ledgers; i++)
		if (p->detectors[i].is_text)
		{
			kinds[n] = CStringGetTextDatum("text_model");
			names[n] = CStringGetTextDatum(p->detectors[i].text_model);
			states[n++] = Int64GetDatum(-1);
		}
	QueryAdd(q, "(SELECT DISTINCT u.* FROM ROWS FROM (pg_catalog.unnest(");
	QueryValue(q, TEXTARRAYOID, PointerGetDatum(construct_array(kinds, n, TEXTOID, -1, false, TYPALIGN_INT)));
	QueryAdd(q, "), pg_catalog.unnest(");
	QueryValue(q, TEXTARRAYOID, PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT)));
	QueryAdd(q, "), pg_catalog.unnest(");
	QueryValue(q, INT8ARRAYOID, PointerGetDatum(construct_array(states, n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	QueryAdd(q, ")) AS u (kind, name, state))");
}

/* How many messages, by what was in another state when they were decided */
static uint64
FindDifferences(Source *s, CompiledPolicy *p, bool view, bool ledgers)
{
	BatchQuery	q;

	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT t.kind, t.name, pg_catalog.count(*) FROM \"" REPLAYED_NAME "\" r CROSS JOIN LATERAL ("
			 "SELECT d.attribution FROM %s d WHERE ", s->id->decision_name);
	for (int i = 0; i < s->nkeys; i++)
		QueryAdd(&q, "%sd.%s %s r.key[%d]::%s", i > 0 ? " AND " : "", s->keys[i],
				 KeyOperator(DecisionColumnType(s->id, list_nth(s->id->key, i)),
							 s->key_types[i], BTEqualStrategyNumber), i + 1, CastName(s->key_types[i]));
	QueryAdd(&q, " ORDER BY d.revision DESC LIMIT 1) d CROSS JOIN LATERAL assay.states(d.attribution) t JOIN ");
	AddStatesNow(&q, p, view, ledgers);
	QueryAdd(&q, " n ON n.kind OPERATOR(pg_catalog.=) t.kind AND n.name OPERATOR(pg_catalog.=) t.name"
			 " WHERE t.state OPERATOR(pg_catalog.<>) %s GROUP BY t.kind, t.name"
			 " ORDER BY t.kind COLLATE \"C\", t.name COLLATE \"C\"",
			 ledgers ? "assay.state(r.attribution, t.kind, t.name)" : "n.state");
	return QueryRun(&q, SPI_OK_SELECT, NULL);
}

/* "list" of list "blocked" */
static const char *
KindWord(const char *kind)
{
	return strcmp(kind, "list") == 0 ? "list" : strcmp(kind, "phrases") == 0 ? "phrase set" : "text model";
}

/*
 * The replay is done: tell where it saw other states than the decisions about
 * the same messages did.  view: its signals are the view's; ledgers: its rows have an attribution.  SPI is
 * connected, and the policy's owner or the caller is entered.
 */
void
ReplayStatesNotice(Source *s, int revision, bool drafts, bool view, Tuplestorestate * store,
				   TupleDesc desc, bool ledgers)
{
	CompiledPolicy *p = PolicyOfReplay(s, revision, drafts);
	StringInfoData detail;
	uint64		n;

	if (p == NULL || s->id->decision_name == NULL)
		return;
	if (s->distributed)
	{
		ereport(NOTICE,
				(errmsg("policy \"%s\" looks into lists, phrase sets or text models", s->policy),
				 errdetail("Whether they were in another state when these messages were decided is not looked for over distributed tables."),
				 errhint("assay.states(attribution) tells of each decision.")));
		return;
	}
	RegisterReplayed(store, desc);
	n = FindDifferences(s, p, view, ledgers);
	/* The query's scan chose a place of its own to read at. */
	tuplestore_select_read_pointer(store, 0);
	if (n == 0)
		return;
	initStringInfo(&detail);
	for (uint64 i = 0; i < n; i++)
		appendStringInfo(&detail, "%s%s \"%s\": %s messages.", i > 0 ? "\n" : "",
						 KindWord(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1)),
						 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2),
						 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3));
	ereport(NOTICE,
			(errmsg("policy \"%s\" decided some of these messages when what it looks into was in another state",
					s->policy),
			 errdetail_internal("%s", detail.data),
			 errhint("assay.states(attribution) tells which; in_list(..., at => ...) in the signals view asks as of then.")));
}
