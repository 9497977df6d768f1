/*
 * set_finder.c
 *		Which lists, phrase sets and text models a policy names: in conditions, in
 *		its signals view, and in the views that this reads.
 *
 * They are found where the set's name is a constant.  A call that says by `at`
 * or `state` which moment it means names none: it gives the same in a replay.
 * What a function does that the planner doesn't put in its place can't be seen.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "named_set.h"
#include "nodes/nodeFuncs.h"
#include "rewrite/rewriteHandler.h"
#include "set_finder.h"
#include "text_model_use.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

struct SetFinder
{
	List	   *found;			/* of PolicySet */
	List	   *views;			/* that were looked through */
	bool		in_condition;	/* and not in a view */
	Oid			schema;
	Dependencies *dependencies;
};

/* Functions that look into a set, and by which argument */
typedef struct SetFunction
{
	const char *proname;
	AttributionSet kind;
	int			arg;
	int			at;				/* argument that says which moment, or -1 */
	int			state;
} SetFunction;

static const SetFunction set_functions[] = {
	{"in_list", ATTRIBUTION_LIST, 0, 2, 4},
	{"list_match", ATTRIBUTION_LIST, 0, 2, 4},
	{"list_state", ATTRIBUTION_LIST, 0, -1, -1},
	{"nearest_name", ATTRIBUTION_LIST, 1, -1, -1},
	{"lookalike_domain", ATTRIBUTION_LIST, 1, -1, -1},
	{"display_name_claim", ATTRIBUTION_LIST, 1, -1, -1},
	{"display_name_claim", ATTRIBUTION_LIST, 2, -1, -1},
	{"phrase_hits", ATTRIBUTION_PHRASES, 0, -1, -1},
	{"phrase_summary", ATTRIBUTION_PHRASES, 0, -1, -1},
	{"phrase_counts", ATTRIBUTION_PHRASES, 0, -1, -1},
	{"phrase_totals", ATTRIBUTION_PHRASES, 0, -1, -1},
	{"phrase_state", ATTRIBUTION_PHRASES, 0, -1, -1},
	{"text_content", ATTRIBUTION_PHRASES, 5, -1, -1},
	{"text_model_at", ATTRIBUTION_TEXT_MODEL, 0, -1, -1},
};

SetFinder  *
FindSetsBegin(void)
{
	SetFinder  *f = palloc0(sizeof(SetFinder));

	f->schema = get_namespace_oid("assay", true);
	return f;
}

/* An argument by its number, as it is given by place or by name; NULL: it isn't */
static Node *
Argument(FuncExpr *call, int number)
{
	ListCell   *lc;

	foreach(lc, call->args)
	{
		NamedArgExpr *named = lfirst(lc);

		if (IsA(named, NamedArgExpr) ? named->argnumber == number : foreach_current_index(lc) == number)
			return IsA(named, NamedArgExpr) ? (Node *) named->arg : (Node *) named;
	}
	return NULL;
}

/* Is it given, and not as the constant NULL? */
static bool
IsGiven(FuncExpr *call, int number)
{
	Node	   *arg = number < 0 ? NULL : Argument(call, number);

	return arg != NULL && !(IsA(arg, Const) && ((Const *) arg)->constisnull);
}

static void
NoteSet(SetFinder *f, AttributionSet kind, const char *name, bool latest)
{
	ListCell   *lc;
	PolicySet  *set;

	if (name[0] == '\0' || name[0] == '{' || strlen(name) > NAMED_SET_MAX_NAME)
		return;					/* no set has it */
	foreach(lc, f->found)
	{
		set = lfirst(lc);
		if (set->kind == kind && strcmp(set->name, name) == 0)
		{
			set->in_condition |= f->in_condition;
			set->latest |= latest;
			return;
		}
	}
	set = palloc0(sizeof(PolicySet));
	set->in_condition = f->in_condition;
	set->latest = latest;
	set->kind = kind;
	set->name = pstrdup(name);
	f->found = lappend(f->found, set);
}

static void
NoteCall(SetFinder *f, FuncExpr *call)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(call->funcid));
	Form_pg_proc proc;

	if (!HeapTupleIsValid(tuple))
		return;
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	for (int i = 0; proc->pronamespace == f->schema && i < lengthof(set_functions); i++)
	{
		const SetFunction *function = &set_functions[i];
		Const	   *arg;

		if (strcmp(NameStr(proc->proname), function->proname) != 0 ||
			IsGiven(call, function->at) || IsGiven(call, function->state))
			continue;
		arg = (Const *) Argument(call, function->arg);
		if (arg != NULL && IsA(arg, Const) && arg->consttype == TEXTOID && !arg->constisnull)
			NoteSet(f, function->kind, TextDatumGetCString(arg->constvalue),
					function->kind == ATTRIBUTION_TEXT_MODEL && !IsGiven(call, 1));
	}
	ReleaseSysCache(tuple);
}

static bool
FindInNode(Node *node, void *context)
{
	SetFinder  *f = context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr))
		NoteCall(f, (FuncExpr *) node);
	else if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		if (rte->rtekind == RTE_RELATION && rte->relkind == RELKIND_VIEW)
			FindSetsOfView(f, rte->relid, f->dependencies);
		return false;			/* the walk goes on by itself */
	}
	else if (IsA(node, Query))
		return query_tree_walker((Query *) node, FindInNode, context, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, FindInNode, context);
}

void
FindSetsOfExpression(SetFinder *f, Node *expr)
{
	f->in_condition = true;
	(void) FindInNode(expr, f);
	f->in_condition = false;
}

void
FindSetsOfView(SetFinder *f, Oid view, Dependencies *d)
{
	Relation	rel;

	check_stack_depth();
	if (!OidIsValid(view) || list_member_oid(f->views, view) ||
		get_rel_relkind(view) != RELKIND_VIEW)
		return;
	f->views = lappend_oid(f->views, view);
	f->dependencies = d;
	if (d != NULL)
		DependOnRelation(d, view);
	rel = try_table_open(view, AccessShareLock);
	if (rel == NULL)
		return;					/* it is gone since */
	if (rel->rd_rules)
		(void) FindInNode((Node *) get_view_query(rel), f);
	table_close(rel, AccessShareLock);
}

List	   *
FindSetsFound(SetFinder *f)
{
	return f->found;
}

/* By kind and name, so that equal ledgers have equal bytes */
static int
CompareSets(const ListCell *a, const ListCell *b)
{
	PolicySet  *x = lfirst(a);
	PolicySet  *y = lfirst(b);

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

void
FindSetsEnd(SetFinder *f, CompiledPolicy *p, Dependencies *d)
{
	ListCell   *lc;

	list_sort(f->found, CompareSets);
	p->sets = palloc0(Max(list_length(f->found), 1) * sizeof(PolicySet));
	foreach(lc, f->found)
	{
		PolicySet  *set = lfirst(lc);

		if (p->nsets == ATTRIBUTION_STATES_MAX)
			break;
		if (set->kind == ATTRIBUTION_TEXT_MODEL)
		{
			set->versions = TextModelFind(set->name);
			if (!OidIsValid(set->versions) || get_rel_relkind(set->versions) == '\0')
			{
				d->misses = true;	/* it may come */
				continue;
			}
			DependOnRelation(d, set->versions);
		}
		p->sets[p->nsets++] = *set;
	}
}
