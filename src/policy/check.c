/*
 * check.c
 *		Is a condition or a model fit for a policy?  Asked when it is written.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "config.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "older_sql.h"
#include "predict.h"
#include "rights.h"
#include "rule.h"
#include "security.h"
#include "set_finder.h"
#include "text_model_use.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* The columns of the signals view of a policy that the user may change */
static TupleDesc
SignalsDesc(const char *policy, PolicyIdentity **id)
{
	Relation	rel;
	TupleDesc	desc;

	*id = ConfigIdentify(policy);
	if (!PolicyMay(*id, "builder"))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner or builder of policy \"%s\"", policy)));
	PolicyMustHaveView(*id);
	rel = relation_open((*id)->signals, AccessShareLock);
	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	relation_close(rel, AccessShareLock);
	return desc;
}

static bool
TellsNow(Oid func, void *context)
{
	return func == F_NOW || func == F_TRANSACTION_TIMESTAMP ||
		func == F_STATEMENT_TIMESTAMP || func == F_AGE_TIMESTAMP ||
		func == F_AGE_TIMESTAMPTZ;
}

/* Has the expression another value at another time? */
static bool
AsksForNow(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SQLValueFunction))
		return exprType(node) == DATEOID || exprType(node) == TIMEOID ||
			exprType(node) == TIMETZOID || exprType(node) == TIMESTAMPOID ||
			exprType(node) == TIMESTAMPTZOID;
	if (check_functions_in_node(node, TellsNow, NULL))
		return true;
	return expression_tree_walker(node, AsksForNow, NULL);
}

/* Is a part of it NULL, as a comparison with NULL is once the planner has seen it? */
static bool
HasNull(Node *node)
{
	ListCell   *lc;

	if (IsA(node, Const))
		return ((Const *) node)->constisnull;
	if (IsA(node, BoolExpr))
		foreach(lc, ((BoolExpr *) node)->args)
			if (HasNull(lfirst(lc)))
			return true;
	return false;
}

static bool
IsRegexOperator(Oid function)
{
	return function == F_TEXTREGEXEQ || function == F_TEXTREGEXNE ||
		function == F_TEXTICREGEXEQ || function == F_TEXTICREGEXNE;
}

/*
 * Compile each regular expression that the condition has as a constant:
 * PostgreSQL does so at the first text, when it would be a fault of each message.
 */
static bool
CompilePatterns(Node *node, void *context)
{
	Oid			function = InvalidOid;
	Oid			collation = InvalidOid;
	Const	   *pattern = NULL;
	Datum	   *items;
	bool	   *nulls;
	int			n = 1;

	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) && list_length(((OpExpr *) node)->args) == 2)
	{
		function = ((OpExpr *) node)->opfuncid;
		collation = ((OpExpr *) node)->inputcollid;
		pattern = lsecond(((OpExpr *) node)->args);
	}
	else if (IsA(node, ScalarArrayOpExpr))
	{
		function = ((ScalarArrayOpExpr *) node)->opfuncid;
		collation = ((ScalarArrayOpExpr *) node)->inputcollid;
		pattern = lsecond(((ScalarArrayOpExpr *) node)->args);
	}
	if (IsRegexOperator(function) && IsA(pattern, Const) && !pattern->constisnull)
	{
		items = &pattern->constvalue;
		nulls = &pattern->constisnull;
		if (IsA(node, ScalarArrayOpExpr))
		{
			ArrayType  *array = DatumGetArrayTypeP(pattern->constvalue);

			/* of text, or of what is binary coercible to it */
			deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT, &items, &nulls, &n);
		}
		for (int i = 0; i < n; i++)
			if (!nulls[i])
				(void) OidFunctionCall2Coll(function, collation, PointerGetDatum(cstring_to_text("")), items[i]);
	}
	return expression_tree_walker(node, CompilePatterns, context);
}

static void
PatternErrorCallback(void *arg)
{
	errcontext("condition of %s", (const char *) arg);
}

/*
 * Parse what another than the owner writes: as the writer, since literals run input
 * functions, then as the owner, for whom it must mean the same, also where the writer
 * may not look into a schema of the search_path.  Each time an error where it calls
 * what the writer may not.
 */
static Rule *
ParseWritten(RuleKind kind, PolicyIdentity *id, TupleDesc desc, char *condition, const char *what, List *guards)
{
	Oid			writer = GetUserId();
	Oid			readers[] = {writer, id->owner};
	Rule	   *rules[lengthof(readers)];

	for (int i = 0; i < lengthof(readers); i++)
	{
		Security	security;

		EnterOwner(&security, readers[i], id->search_path);
		rules[i] = RuleParseKind(kind, condition, desc, guards, what, id->owner, writer, false);
		LeaveSecurity(&security);
	}
	if (!equal(rules[0]->expr, rules[1]->expr))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the condition of %s means something else for the policy's owner", what),
				 errdetail("The owner sees what you don't in the policy's search_path."),
				 errhint("Write functions, operators and types with their schemas.")));
	return rules[1];
}

/* Error unless an expression over the signals is one that the policy can have. */
static void
CheckRule(RuleKind kind, PolicyIdentity *id, TupleDesc desc, char *condition, char *what,
		  List *guards, bool plan)
{
	Security	security;
	ErrorContextCallback callback = {error_context_stack, PatternErrorCallback, what};
	Rule	   *rule;

	if (!has_privs_of_role(GetUserId(), id->owner))
		(void) ParseWritten(kind, id, desc, condition, what, guards);
	EnterOwner(&security, id->owner, id->search_path);
	rule = RuleParseKind(kind, condition, desc, guards, what, id->owner, id->owner, plan);
	error_context_stack = &callback;
	/* It asks whether the owner may call each function. */
	if (plan)
		(void) ExecInitExpr(rule->expr, NULL);
	(void) CompilePatterns((Node *) rule->expr, NULL);
	error_context_stack = callback.previous;
	LeaveSecurity(&security);
	if (kind == RULE_CONDITION && HasNull((Node *) rule->expr))
		ereport(NOTICE,
				(errmsg("condition of %s compares with NULL, which is never true", what),
				 errhint("Write IS NULL, IS NOT NULL or IS DISTINCT FROM.")));
	if (AsksForNow((Node *) rule->expr, NULL))
		ereport(NOTICE,
				(errmsg("condition of %s depends on the current time", what),
				 errdetail("A replay evaluates it as of then, and may decide otherwise."),
				 errhint("Compare with the time of the message, a signal.")));
}

PG_FUNCTION_INFO_V1(assay_check_condition);
Datum
assay_check_condition(PG_FUNCTION_ARGS)
{
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PolicyIdentity *id;
	TupleDesc	desc;

	RefuseOlderCall(fcinfo, 5);
	desc = SignalsDesc(policy, &id);
	CheckRule(RULE_CONDITION, id, desc, text_to_cstring(PG_GETARG_TEXT_PP(1)),
			  text_to_cstring(PG_GETARG_TEXT_PP(2)),
			  PG_GETARG_BOOL(3) ? ConfigGuards(policy, NULL) : NIL, PG_GETARG_BOOL(4));
	PG_RETURN_VOID();
}

/*
 * check_text_model(policy, text_model, content, what, run): the policy's owner,
 * and who names it, must be able to read the text model's versions.
 */
PG_FUNCTION_INFO_V1(assay_check_text_model);
Datum
assay_check_text_model(PG_FUNCTION_ARGS)
{
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *model_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	PolicyIdentity *id;
	TupleDesc	desc = SignalsDesc(policy, &id);
	Security	security;

	if (!has_privs_of_role(GetUserId(), id->owner))
		(void) TextModelRelation(model_name);
	EnterOwner(&security, id->owner, id->search_path);
	(void) TextModelRelation(model_name);
	LeaveSecurity(&security);
	CheckRule(RULE_CONTENT, id, desc, text_to_cstring(PG_GETARG_TEXT_PP(2)),
			  text_to_cstring(PG_GETARG_TEXT_PP(3)), NIL, PG_GETARG_BOOL(4));
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(assay_check_model);
Datum
assay_check_model(PG_FUNCTION_ARGS)
{
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PolicyIdentity *id;
	TupleDesc	desc = SignalsDesc(policy, &id);
	Model	   *model = DatumGetModel(PG_GETARG_DATUM(1), CurrentMemoryContext);

	/* which of several would say that a message is malicious, nobody knows */
	if (model->noutputs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model has %u outputs, but a detector adds one margin", model->noutputs),
				 errhint("Train it for two classes, as by the objective binary:logistic, or make an element of assay.predict_vector() a signal.")));
	(void) ModelBindTupleDesc(model, desc, CurrentMemoryContext);
	PG_RETURN_VOID();
}

/* Is there a set of this kind and name?  SPI is connected. */
static bool
SetExists(const PolicySet *set)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[2];
	Oid			versions;

	if (set->kind == ATTRIBUTION_TEXT_MODEL)
	{
		versions = TextModelFind(set->name);
		return OidIsValid(versions) && get_rel_name(versions) != NULL;
	}
	values[0] = CStringGetTextDatum(set->name);
	values[1] = CStringGetTextDatum(set->kind == ATTRIBUTION_LIST ? "list" : "phrases");
	if (SPI_execute_with_args("SELECT FROM assay.named_set s WHERE s.set OPERATOR(pg_catalog.=) $1 AND s.content OPERATOR(pg_catalog.=) $2",
							  lengthof(types), types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay.named_set");
	return SPI_processed > 0;
}

/* Of the sets that were found, those that aren't there, as rows of a result */
static void
PutMissing(ReturnSetInfo *result, SetFinder *finder)
{
	Security	security;
	ListCell   *lc;

	EnterConfiguration(&security);
	SPI_connect();
	foreach(lc, FindSetsFound(finder))
	{
		const PolicySet *set = lfirst(lc);
		Datum		values[2];
		bool		nulls[2] = {false};

		if (SetExists(set))
			continue;
		values[0] = CStringGetTextDatum(set->kind == ATTRIBUTION_LIST ? "list" :
										set->kind == ATTRIBUTION_PHRASES ? "phrase set" : "text model");
		values[1] = CStringGetTextDatum(set->name);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	LeaveSecurity(&security);
}

/*
 * missing_sets(policy, expression, is_text): lists, phrase sets and text models that
 * a condition, or the text of a text model, names as constants, and that aren't there
 */
PG_FUNCTION_INFO_V1(assay_missing_sets);
Datum
assay_missing_sets(PG_FUNCTION_ARGS)
{
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool		is_text = PG_GETARG_BOOL(2);
	PolicyIdentity *id;
	TupleDesc	desc = SignalsDesc(policy, &id);
	SetFinder  *finder = FindSetsBegin();
	RuleKind	kind = is_text ? RULE_CONTENT : RULE_CONDITION;
	char	   *expression = text_to_cstring(PG_GETARG_TEXT_PP(1));
	List	   *guards = is_text ? NIL : ConfigGuards(policy, NULL);
	Rule	   *rule;
	Security	security;

	InitMaterializedSRF(fcinfo, 0);
	if (!has_privs_of_role(GetUserId(), id->owner))
		rule = ParseWritten(kind, id, desc, expression, "what is asked", guards);
	else
	{
		EnterOwner(&security, id->owner, id->search_path);
		rule = RuleParseKind(kind, expression, desc, guards, "what is asked", id->owner, id->owner, false);
		LeaveSecurity(&security);
	}
	FindSetsOfExpression(finder, (Node *) rule->expr);
	PutMissing((ReturnSetInfo *) fcinfo->resultinfo, finder);
	return (Datum) 0;
}

/*
 * missing_sets(view): the same of a view and those that it reads.  What a view
 * says is in the catalogues for all to read.
 */
PG_FUNCTION_INFO_V1(assay_missing_view_sets);
Datum
assay_missing_view_sets(PG_FUNCTION_ARGS)
{
	SetFinder  *finder = FindSetsBegin();

	InitMaterializedSRF(fcinfo, 0);
	FindSetsOfView(finder, PG_GETARG_OID(0), NULL);
	PutMissing((ReturnSetInfo *) fcinfo->resultinfo, finder);
	return (Datum) 0;
}
