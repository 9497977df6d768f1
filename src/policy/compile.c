/*
 * compile.c
 *		A revision of a policy, compiled for rows of one type.
 *
 * All of it runs as the policy's owner (EnterOwner): parsing and planning
 * compute constants, which may be functions of anybody's.
 *
 * A detector that can't be compiled (its column is gone, say) costs only
 * itself: it carries its SQLSTATE into every ledger until somebody mends it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "attribution.h"
#include "budget.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "compile.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "protect.h"
#include "security.h"
#include "set_finder.h"
#include "text_model_use.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#define TOP_FEATURES_MIN	0
#define TOP_FEATURES_DEFAULT 5
#define TOP_FEATURES_MAX	ATTRIBUTION_EVIDENCE_MAX

/* Time to compile one condition, in hundredths of a message's budget */
#define COMPILE_PERCENT		500

static int	top_features = TOP_FEATURES_DEFAULT;
static bool use_prefilter = true;
static bool share_atoms = true;

/* What is at work while one policy is compiled */
typedef struct Compilation
{
	CompiledPolicy *p;
	PolicyConfig *config;
	Dependencies *dependencies;
	SetFinder  *sets;
	bool		protect;		/* an error costs its part only */
} Compilation;

/* A setting that is compiled in changed.  Hooks run anywhere: flip flags only. */
static void
AssignTopFeatures(int value, void *extra)
{
	if (value != top_features)
		InvalidateAll();
}

static void
AssignPrefilter(bool value, void *extra)
{
	if (value != use_prefilter)
		InvalidateAll();
}

static void
AssignSharedAtoms(bool value, void *extra)
{
	if (value != share_atoms)
		InvalidateAll();
}

void
CompileInit(void)
{
	DefineCustomIntVariable("assay.top_features",
							"How many features of a model's margin an attribution keeps.",
							NULL,
							&top_features,
							TOP_FEATURES_DEFAULT, TOP_FEATURES_MIN, TOP_FEATURES_MAX,
							PGC_SUSET, 0, NULL, AssignTopFeatures, NULL);
	DefineCustomBoolVariable("assay.prefilter",
							 "Looks for the substrings of all conditions in one pass.",
							 "Results are the same without; for measuring and for doubt.",
							 &use_prefilter, true,
							 PGC_USERSET, 0, NULL, AssignPrefilter, NULL);
	DefineCustomBoolVariable("assay.shared_atoms",
							 "Answers what conditions have in common once a message.",
							 "Results are the same without; for measuring and for doubt.",
							 &share_atoms, true,
							 PGC_USERSET, 0, NULL, AssignSharedAtoms, NULL);
}

/*
 * Whose things are these?
 */

static void
CheckOwner(PolicyIdentity *id, Oid relid, const char *what)
{
	Oid			owner = RelationOwner(relid);

	if (!OidIsValid(owner) || owner == id->owner)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s of policy \"%s\" does not belong to the policy's owner", what, id->policy),
			 errdetail("A policy belongs to the owner of its decision table; what it runs and reads must belong to the same."),
			 errhint("Give both the same owner: SELECT assay.alter_policy(%s, owner => ...).",
					 quote_literal_cstr(id->policy))));
}

/*
 * A key's type brings code along, which runs as the policy's owner wherever that reads
 * the key of this table: a message table's key may be of another type than the view's.
 */
void
PolicyCheckKeysOf(PolicyIdentity *id, Oid relid)
{
	ListCell   *lc;

	foreach(lc, id->key)
	{
		AttrNumber	attno = OidIsValid(relid) ? get_attnum(relid, lfirst(lc)) : InvalidAttrNumber;
		Oid			type = attno > 0 ? get_atttype(relid, attno) : InvalidOid;

		if (OidIsValid(type) && !TypeIsTrusted(id->owner, type))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("key column \"%s\" has a type that policy \"%s\" cannot trust", (char *) lfirst(lc), id->policy),
					 errdetail("Type %s, or one that it is made of, belongs to a role that may not act as the policy's owner, "
							   "with whose rights its casts and checks would run.", format_type_be(type)),
					 errhint("Give it to the policy's owner or to a superuser.")));
	}
}

void
PolicyCheckKeys(PolicyIdentity *id)
{
	PolicyCheckKeysOf(id, id->decision);
	PolicyCheckKeysOf(id, id->label);
	PolicyCheckKeysOf(id, id->signals);
}

/*
 * Nobody's view is run as somebody else: between a DROP VIEW and a CREATE VIEW
 * anybody may have made one of that name.
 */
void
PolicyCheckOwners(PolicyIdentity *id)
{
	CheckOwner(id, id->signals, "signals view");
	CheckOwner(id, id->label, "label table");
	PolicyCheckKeys(id);
}

/*
 * Conditions and models see the columns of the signals view, as long as there is
 * one, where their types are trusted, or are what the view has by that name, which
 * the owner has chosen.
 */
static void
HideColumns(CompiledPolicy *p)
{
	Oid			view = p->id->signals;

	p->visible = CreateTupleDescCopy(p->desc);
	for (int i = 0; i < p->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(p->visible, i);
		AttrNumber	attno = OidIsValid(view) && !att->attisdropped ? get_attnum(view, NameStr(att->attname)) : InvalidAttrNumber;

		if (att->attisdropped || (attno > 0 && get_atttype(view, attno) == att->atttypid))
			continue;
		if (TypeIsTrusted(p->id->owner, att->atttypid) && (attno > 0 || !OidIsValid(view)))
			continue;
		if ((attno > 0 || !OidIsValid(view)) && p->untrusted == NULL)
			p->untrusted = pstrdup(NameStr(att->attname));
		att->attisdropped = true;
	}
}

/* A row that somebody made must be of such types only. */
static void
CheckTrusted(CompiledPolicy *p)
{
	if (p->untrusted)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("signal \"%s\" of the row has a type that policy \"%s\" cannot trust",
						p->untrusted, p->id->policy),
				 errdetail("Casts and checks of the type would run with the rights of the policy's owner."),
				 errhint("Cast it to the type that the signals view has.")));
}

/*
 * Columns
 */

/* How each column is written as text */
static void
DescribeColumns(CompiledPolicy *p)
{
	p->columns = palloc0(p->desc->natts * sizeof(PolicyColumn));
	for (int i = 0; i < p->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(p->desc, i);
		PolicyColumn *c = &p->columns[i];

		c->name = pstrdup(NameStr(att->attname));
		if (att->attisdropped)
			continue;
		c->is_text = (att->atttypid == TEXTOID || att->atttypid == VARCHAROID);
		getTypeOutputInfo(att->atttypid, &c->output, &c->is_varlena);
	}
}

/* The settings that a column's text form depends on show. */
static void
ShowColumn(CompiledPolicy *p, int column)
{
	p->settings |= SettingsOfText(TupleDescAttr(p->desc, column)->atttypid);
}

/* Times, numbers and bytes, of which a hash is taken from their binary form */
static bool
TextVaries(Oid type)
{
	int			settings = SettingsOfText(type);

	return settings != 0 && settings != SETTINGS_ALL && !OidIsValid(get_element_type(getBaseType(type)));
}

/* Where the row has all key columns, make ready to hash them. */
static void
FindKeys(CompiledPolicy *p)
{
	ListCell   *lc;

	p->keys = palloc0(list_length(p->id->key) * sizeof(int));
	foreach(lc, p->id->key)
	{
		int			column = 0;
		bool		is_varlena;

		while (column < p->desc->natts &&
			   (TupleDescAttr(p->desc, column)->attisdropped ||
				strcmp(p->columns[column].name, lfirst(lc)) != 0))
			column++;
		if (column == p->desc->natts)
		{
			p->nkeys = 0;
			return;
		}
		if (TextVaries(TupleDescAttr(p->desc, column)->atttypid))
			getTypeBinaryOutputInfo(TupleDescAttr(p->desc, column)->atttypid,
									&p->columns[column].send, &is_varlena);
		else
			ShowColumn(p, column);
		p->keys[p->nkeys++] = column;
	}
}

/*
 * Conditions
 */

/* One condition to parse, perhaps in a subtransaction */
typedef struct ParseJob
{
	Compilation *compilation;
	RuleKind	kind;
	const char *condition;
	const char *what;
	List	   *guards;
	Rule	   *rule;			/* the result */
} ParseJob;

/*
 * Parse, and let the executor look at it too: it asks whether the owner may
 * call each function.  What both leave behind is more than the expression.
 */
static void
ParseCondition(void *arg)
{
	ParseJob   *job = arg;
	CompiledPolicy *p = job->compilation->p;
	MemoryContext scratch = AllocSetContextCreate(CurTransactionContext, "pg_assay condition",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Rule	   *parsed = RuleParseKind(job->kind, job->condition, p->visible, job->guards, job->what, p->id->owner,
									   GetUserId(), true);
	Rule	   *rule;

	(void) ExecInitExpr(parsed->expr, NULL);
	MemoryContextSwitchTo(p->context);
	rule = palloc(sizeof(Rule));
	*rule = *parsed;
	rule->expr = copyObject(parsed->expr);
	rule->signals = bms_copy(parsed->signals);
	rule->guards = bms_copy(parsed->guards);
	rule->relations = list_copy(parsed->relations);
	rule->types = list_copy(parsed->types);
	rule->functions = list_copy(parsed->functions);
	rule->operators = list_copy(parsed->operators);
	job->rule = rule;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/*
 * Out of memory, out of time, a lock that is not to be had, a deadlock, an INSERT
 * from deep within functions that leaves no stack: not the policy's own fault
 */
static bool
IsTransient(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
		error->sqlerrcode == ERRCODE_STATEMENT_TOO_COMPLEX;
}

/* Note why a part can't be evaluated. */
static void
NoteError(Compilation *c, PolicyCondition *condition, const char *what, ErrorData *error)
{
	CompiledPolicy *p = c->p;

	strlcpy(condition->sqlstate, unpack_sql_state(error->sqlerrcode), 6);
	condition->message = pstrdup(error->message);
	p->transient |= IsTransient(error);
	p->too_slow |= error->sqlerrcode == ERRCODE_QUERY_CANCELED;
	/* It may be some type or function that it misses. */
	c->dependencies->misses = true;
	ereport(LOG_SERVER_ONLY,
			(errmsg("policy \"%s\": %s cannot be evaluated: %s", p->id->policy, what,
					condition->message)));
	FreeErrorData(error);
}

/* The types that an expression goes through */
static bool
DependOnTypes(Node *node, Dependencies *d)
{
	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Const:
		case T_FuncExpr:
		case T_OpExpr:
		case T_FieldSelect:
		case T_RelabelType:
		case T_CoerceViaIO:
		case T_ArrayCoerceExpr:
		case T_ConvertRowtypeExpr:
		case T_CoerceToDomain:
		case T_ArrayExpr:
		case T_RowExpr:
			DependOnType(d, exprType(node));
			break;
		default:
			break;
	}
	return expression_tree_walker(node, DependOnTypes, d);
}

static void
DependOnRule(Dependencies *d, Rule *rule)
{
	ListCell   *lc;

	foreach(lc, rule->relations)
		DependOnRelation(d, lfirst_oid(lc));
	foreach(lc, rule->types)
		DependOnItem(d, TYPEOID, (uint32) lfirst_int(lc));
	foreach(lc, rule->functions)
		DependOnItem(d, PROCOID, (uint32) lfirst_int(lc));
	foreach(lc, rule->operators)
		DependOnItem(d, OPEROID, (uint32) lfirst_int(lc));
	(void) DependOnTypes((Node *) rule->expr, d);
}

/* The columns that a condition, and the guards that it refers to, name */
static void
FindEvidence(CompiledPolicy *p, PolicyCondition *condition)
{
	Bitmapset  *signals = condition->rule->signals;
	int			guard = -1;
	int			column = -1;

	while ((guard = bms_next_member(condition->rule->guards, guard)) >= 0)
		if (p->guards[guard].condition.rule)
			signals = bms_union(signals, p->guards[guard].condition.rule->signals);
	condition->nevidence = Min(bms_num_members(signals), ATTRIBUTION_EVIDENCE_MAX);
	condition->evidence = palloc0(condition->nevidence * sizeof(int));
	for (int i = 0; i < condition->nevidence; i++)
	{
		column = bms_next_member(signals, column);
		condition->evidence[i] = column;
		ShowColumn(p, column);
	}
}

/* Compile one; where that fails, it says why. */
static void
CompileRule(Compilation *c, RuleKind kind, PolicyCondition *condition, const char *sql,
			const char *what, List *guards)
{
	CompiledPolicy *p = c->p;
	ParseJob	job = {c, kind, sql, what, guards, NULL};
	ErrorData  *error = NULL;

	BudgetAllow(COMPILE_PERCENT);
	if (c->protect)
		error = RunProtected(ParseCondition, &job);
	else
		ParseCondition(&job);
	if (error)
	{
		NoteError(c, condition, what, error);
		return;
	}
	condition->rule = job.rule;
	condition->expr = job.rule->expr;
	p->foreign_code |= job.rule->foreign_code;
	p->settings |= job.rule->settings;
	if (p->parallel == PROPARALLEL_SAFE || job.rule->parallel == PROPARALLEL_UNSAFE)
		p->parallel = job.rule->parallel;
	DependOnRule(c->dependencies, job.rule);
	FindEvidence(p, condition);
	FindSetsOfExpression(c->sets, (Node *) job.rule->expr);
}

static void
CompileCondition(Compilation *c, PolicyCondition *condition, const char *sql,
				 const char *what, List *guards)
{
	CompileRule(c, RULE_CONDITION, condition, sql, what, guards);
}

typedef struct BindJob
{
	CompiledPolicy *policy;
	PolicyDetector *detector;
	Datum		value;
} BindJob;

static void
BindModel(void *arg)
{
	BindJob    *job = arg;

	job->detector->model = DatumGetModel(job->value, job->policy->context);
	job->detector->binding = ModelBindTupleDesc(job->detector->model,
												job->policy->visible,
												job->policy->context);
}

static void
CompileModel(Compilation *c, PolicyDetector *d, Datum model, const char *what)
{
	BindJob		job = {c->p, d, model};
	ErrorData  *error = NULL;

	if (c->protect)
		error = RunProtected(BindModel, &job);
	else
		BindModel(&job);
	if (error)
	{
		d->model = NULL;
		NoteError(c, &d->condition, what, error);
	}
}

static void
BindTextModel(void *arg)
{
	PolicyDetector *d = arg;

	d->versions = TextModelRelation(d->text_model);
}

/* A text model, and the expression for what it sees of a message */
static void
CompileTextModel(Compilation *c, PolicyDetector *d, ConfigDetector *from, const char *what)
{
	PolicyCondition *condition = &d->condition;
	ErrorData  *error = NULL;

	d->is_text = true;
	d->text_model = pstrdup(from->text_model);
	/* It may run queries, to put an old version together. */
	c->p->foreign_code = true;
	c->p->ntexts++;
	CompileRule(c, RULE_CONTENT, condition, from->content, what, NIL);
	/* No condition: nothing of it hits. */
	d->content = condition->rule;
	condition->rule = NULL;
	condition->expr = NULL;
	condition->nevidence = 0;
	if (d->content == NULL)
		return;
	if (c->protect)
		error = RunProtected(BindTextModel, d);
	else
		BindTextModel(d);
	if (error)
		NoteError(c, condition, what, error);
	else
		DependOnRelation(c->dependencies, d->versions);
}

/* Its row names a model that is not there: half a restore, or somebody's INSERT. */
static void
BreakWithoutModel(Compilation *c, PolicyCondition *condition, const char *what)
{
	strlcpy(condition->sqlstate, unpack_sql_state(ERRCODE_UNDEFINED_OBJECT), 6);
	condition->message = psprintf("%s has no model", what);
	c->dependencies->misses = true;
}

/*
 * Parts
 */

/* Number of a verdict by its name, or -1 */
static int
VerdictNumber(CompiledPolicy *p, const char *verdict)
{
	if (verdict)
		for (int i = 0; i < p->nverdicts; i++)
			if (strcmp(p->verdicts[i], verdict) == 0)
				return i;
	return -1;
}

/* The guards' names: those that failed too, since who names one is to say so */
static List *
CompileGuards(Compilation *c)
{
	CompiledPolicy *p = c->p;
	List	   *names = NIL;

	p->guards = palloc0(c->config->nguards * sizeof(PolicyGuard));
	for (int i = 0; i < c->config->nguards; i++)
	{
		PolicyGuard *g = &p->guards[i];

		g->name = pstrdup(c->config->guards[i].name);
		names = lappend(names, g->name);
		CompileCondition(c, &g->condition, c->config->guards[i].condition,
						 psprintf("guard \"%s\"", g->name), NIL);
		p->nguards++;
	}
	return names;
}

static void
CompileDetectors(Compilation *c, List *guards)
{
	CompiledPolicy *p = c->p;

	p->ndetectors = c->config->ndetectors;
	p->detectors = palloc0(p->ndetectors * sizeof(PolicyDetector));
	for (int i = 0; i < p->ndetectors; i++)
	{
		ConfigDetector *from = &c->config->detectors[i];
		PolicyDetector *d = &p->detectors[i];
		char	   *what = psprintf("detector \"%s\"", from->name);

		d->name = pstrdup(from->name);
		d->weight = from->weight;
		d->shadow = from->shadow;
		d->verdict = VerdictNumber(p, from->force_verdict);
		d->expires_at = from->expires_at;
		d->rollout = from->rollout;
		d->is_model = from->condition == NULL;
		if (d->is_model && from->text_model && from->content)
			CompileTextModel(c, d, from, what);
		else if (d->is_model && from->model == (Datum) 0)
			BreakWithoutModel(c, &d->condition, what);
		else if (d->is_model)
			CompileModel(c, d, from->model, what);
		else
			CompileCondition(c, &d->condition, from->condition, what, guards);
	}
}

static void
CompileExclusions(Compilation *c, List *guards)
{
	CompiledPolicy *p = c->p;

	p->nexclusions = c->config->nexclusions;
	p->exclusions = palloc0(p->nexclusions * sizeof(PolicyExclusion));
	for (int i = 0; i < p->nexclusions; i++)
	{
		ConfigExclusion *from = &c->config->exclusions[i];
		PolicyExclusion *x = &p->exclusions[i];
		ListCell   *lc;

		x->name = pstrdup(from->name);
		foreach(lc, from->mutes)
			for (int j = 0; j < p->ndetectors; j++)
			if (strcmp(p->detectors[j].name, lfirst(lc)) == 0)
				x->mutes = bms_add_member(x->mutes, j);
		x->verdict = VerdictNumber(p, from->verdict);
		x->expires_at = from->expires_at;
		CompileCondition(c, &x->condition, from->condition,
						 psprintf("exclusion \"%s\"", x->name), guards);
	}
}

/* A part can't be evaluated since it needs what is not there. */
static void
Break		(PolicyCondition *condition, const char *message)
{
	condition->rule = NULL;
	condition->expr = NULL;
	strcpy(condition->sqlstate, "42703");
	condition->message = pstrdup(message);
}

/* Who depends on a guard that did not compile, does not compile either. */
static void
PropagateBrokenGuards(CompiledPolicy *p)
{
	for (int i = 0; i < POLICY_PARTS(p); i++)
	{
		PolicyCondition *condition = PolicyPart(p, i);
		int			guard = -1;

		while (condition->rule &&
			   (guard = bms_next_member(condition->rule->guards, guard)) >= 0)
			if (p->guards[guard].condition.rule == NULL)
				Break		(condition, psprintf("guard \"%s\" cannot be evaluated", p->guards[guard].name));
	}
}

/* A rollout chooses messages by their key. */
static void
BreakRollouts(CompiledPolicy *p)
{
	for (int i = 0; i < p->ndetectors && p->nkeys == 0; i++)
		if (p->detectors[i].rollout < 1)
		{
			p->detectors[i].model = NULL;
			Break		(&p->detectors[i].condition, "the row has no key, by which a rollout chooses");
		}
}

/* One pass over the texts for all conditions, if that pays */
static void
BuildPrefilter(CompiledPolicy *p)
{
	Prefilter  *f;

	if (!use_prefilter)
		return;
	f = PrefilterCreate(p->desc);
	for (int i = 0; i < p->nguards; i++)
		if (p->guards[i].condition.rule)
			PrefilterCollect(f, p->guards[i].condition.expr);
	for (int i = 0; i < POLICY_PARTS(p); i++)
		if (PolicyPart(p, i)->rule)
			PrefilterCollect(f, PolicyPart(p, i)->expr);
	if (!PrefilterFinish(f))
		return;
	p->prefilter = f;
	for (int i = 0; i < p->nguards; i++)
		if (p->guards[i].condition.rule)
			p->guards[i].condition.expr = PrefilterRewrite(f, p->guards[i].condition.expr);
	for (int i = 0; i < POLICY_PARTS(p); i++)
		if (PolicyPart(p, i)->rule)
			PolicyPart(p, i)->expr = PrefilterRewrite(f, PolicyPart(p, i)->expr);
}

static void
CreateAtoms(void *arg)
{
	CompiledPolicy *p = arg;
	MemoryContext old = MemoryContextSwitchTo(p->context);
	Expr	  **guards = palloc0(Max(p->nguards, 1) * sizeof(Expr *));
	Expr	  **parts = palloc0(Max(POLICY_PARTS(p), 1) * sizeof(Expr *));

	for (int i = 0; i < p->nguards; i++)
		if (p->guards[i].condition.rule)
			guards[i] = p->guards[i].condition.expr;
	for (int i = 0; i < POLICY_PARTS(p); i++)
		if (PolicyPart(p, i)->rule)
			parts[i] = PolicyPart(p, i)->expr;
	p->atoms = AtomsCreate(p->desc, guards, p->nguards, parts, POLICY_PARTS(p));
	MemoryContextSwitchTo(old);
}

/* What conditions have in common; where that can't be told, they do without. */
static void
BuildAtoms(Compilation *c)
{
	ErrorData  *error = NULL;

	if (!share_atoms || POLICY_PARTS(c->p) == 0)
		return;
	BudgetAllow(COMPILE_PERCENT);
	if (c->protect)
		error = RunProtected(CreateAtoms, c->p);
	else
		CreateAtoms(c->p);
	if (error)
	{
		c->p->atoms = NULL;
		ereport(LOG_SERVER_ONLY,
				(errmsg("policy \"%s\": its conditions are evaluated one by one: %s", c->p->id->policy,
						error->message)));
		FreeErrorData(error);
	}
}

static void
CopyIdentity(CompiledPolicy *p, PolicyIdentity *from)
{
	PolicyIdentity *id = palloc(sizeof(PolicyIdentity));
	ListCell   *lc;

	*id = *from;
	id->policy = pstrdup(from->policy);
	id->search_path = pstrdup(from->search_path);
	id->signals_name = pstrdup(from->signals_name);
	id->decision_name = pstrdup(from->decision_name);
	id->label_name = from->label_name ? pstrdup(from->label_name) : NULL;
	id->on_unreadable = from->on_unreadable ? pstrdup(from->on_unreadable) : NULL;
	id->key = NIL;
	foreach(lc, from->key)
		id->key = lappend(id->key, pstrdup(lfirst(lc)));
	p->id = id;
}

static void
CopyVerdicts(CompiledPolicy *p, PolicyConfig *c)
{
	ListCell   *lc;

	p->prior = c->prior;
	p->nverdicts = c->nverdicts;
	p->verdicts = palloc(c->nverdicts * sizeof(char *));
	p->thresholds = palloc(c->nverdicts * sizeof(double));
	for (int i = 0; i < c->nverdicts; i++)
	{
		p->verdicts[i] = pstrdup(c->verdicts[i]);
		p->thresholds[i] = c->thresholds[i];
	}
	p->unreadable = Max(VerdictNumber(p, p->id->on_unreadable), 0);
	foreach(lc, c->notify)
	{
		int			verdict = VerdictNumber(p, lfirst(lc));

		if (verdict >= 0)
			p->notify = bms_add_member(p->notify, verdict);
	}
}

/* What every policy depends on, whatever its conditions */
static void
DependOnRow(Compilation *c)
{
	CompiledPolicy *p = c->p;

	DependOnRelation(c->dependencies, p->id->decision);
	if (OidIsValid(p->id->signals))
		DependOnRelation(c->dependencies, p->id->signals);
	else
		c->dependencies->misses = true;
	DependOnItem(c->dependencies, NAMESPACEOID,
				 GetSysCacheHashValue1(NAMESPACEOID,
									   ObjectIdGetDatum(get_rel_namespace(p->id->decision))));
	for (int i = 0; i < p->desc->natts; i++)
		DependOnType(c->dependencies, TupleDescAttr(p->desc, i)->atttypid);
}

/*
 * Compile a revision for rows of "desc", as far as that goes, in "context".
 * Without "desc" there are no signals to be had: then it has no parts.
 * trust_all: the row is one of the signals view.  The owner is entered.
 */
CompiledPolicy *
PolicyCompile(PolicyConfig *config, TupleDesc desc, bool trust_all, MemoryContext context,
			  Dependencies *d)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	CompiledPolicy *p = palloc0(sizeof(CompiledPolicy));
	Compilation c = {p, config, d, NULL, !config->id->raise_errors && CanProtect()};
	List	   *guards;

	p->context = context;
	p->parallel = PROPARALLEL_SAFE;
	p->top_features = top_features;
	p->keeps_signals = config->id->log_signals && !config->id->forgets_signals &&
		DecisionColumnType(config->id, "signals") == TypeByName("logged_signals");
	p->incomplete = config->incomplete;
	CopyIdentity(p, config->id);
	CopyVerdicts(p, config);
	p->desc = desc ? CreateTupleDescCopy(desc) : CreateTemplateTupleDesc(0);
	DependOnRow(&c);
	HideColumns(p);
	if (!trust_all)
		CheckTrusted(p);
	DescribeColumns(p);
	FindKeys(p);
	if (desc)
	{
		c.sets = FindSetsBegin();
		guards = CompileGuards(&c);
		CompileDetectors(&c, guards);
		CompileExclusions(&c, guards);
		PropagateBrokenGuards(p);
		BreakRollouts(p);
		for (int i = 0; i < POLICY_PARTS(p); i++)
			p->nbroken += PolicyPart(p, i)->sqlstate[0] != '\0';
		BuildPrefilter(p);
		FindSetsOfView(c.sets, p->id->signals, d);
		FindSetsEnd(c.sets, p, d);
		BuildAtoms(&c);
	}
	NoteExtensionSettings();
	BudgetNext();
	MemoryContextSwitchTo(old);
	return p;
}
