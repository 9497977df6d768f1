/*
 * policy.c
 *		Policies: loaded from the configuration and compiled for a row type.
 *
 * A detector that can't be compiled (its column is gone, say) costs only
 * itself: it carries its SQLSTATE into every ledger until somebody mends it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "budget.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "compat.h"
#include "decide.h"
#include "executor/spi.h"
#include "jit/jit.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "nodes/makefuncs.h"
#include "parser/parse_expr.h"
#include "policy.h"
#include "prefilter.h"
#include "protect.h"
#include "storage/ipc.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#define FAULT_LIMIT_MIN		1
#define FAULT_LIMIT_DEFAULT	10
#define FAULT_LIMIT_MAX		1000000
#define TOP_FEATURES_MIN	0
#define TOP_FEATURES_DEFAULT 5
#define TOP_FEATURES_MAX	ATTRIBUTION_EVIDENCE_MAX

int			assay_fault_limit = FAULT_LIMIT_DEFAULT;
int			assay_top_features = TOP_FEATURES_DEFAULT;
double		assay_explain_from = 0;
bool		assay_prefilter = true;

/* A setting that is compiled in */
static void
AssignTopFeatures(int value, void *extra)
{
	if (value != assay_top_features)
		PolicyForgetAll();
}

static void
AssignPrefilter(bool value, void *extra)
{
	if (value != assay_prefilter)
		PolicyForgetAll();
}

void
PolicyInit(void)
{
	DefineCustomIntVariable("assay.fault_limit",
							"Faults after which a backend leaves a detector out.",
							"It takes part again when the policy changes, or in a new session.",
							&assay_fault_limit,
							FAULT_LIMIT_DEFAULT, FAULT_LIMIT_MIN, FAULT_LIMIT_MAX,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("assay.top_features",
							"How many features of a model's margin an attribution keeps.",
							NULL,
							&assay_top_features,
							TOP_FEATURES_DEFAULT, TOP_FEATURES_MIN, TOP_FEATURES_MAX,
							PGC_SUSET, 0, NULL, AssignTopFeatures, NULL);
	DefineCustomRealVariable("assay.explain_from",
							 "Score from which on an attribution keeps the features of models.",
							 "Below it, in a message of the default verdict, a model's margin is kept alone, which is faster.",
							 &assay_explain_from, 0, 0, 1,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("assay.prefilter",
							 "Looks for the substrings of all conditions in one pass.",
							 "Results are the same without; for measuring and for doubt.",
							 &assay_prefilter, true,
							 PGC_USERSET, 0, NULL, AssignPrefilter, NULL);
	PolicyCacheInit();
	DecidePlansInit();
	BudgetInit();
	StatsInit();
}

/*
 * Security
 *
 * Enter as a role, and where it has a search_path with that, and with the
 * settings fixed that say how times and numbers are written and read: a
 * decision is the same in every session.  Just-in-time compilation is off
 * there: a signals query is planned once and run for each statement, and
 * compiling its hundreds of expressions anew each time takes far longer than a
 * message.
 */

static void
Fix(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static bool
ZoneIsFixed(void)
{
	const char *zone = pg_get_timezone_name(session_timezone);

	return strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0;
}

static bool
SettingsAreFixed(void)
{
	return ZoneIsFixed() && DateStyle == USE_ISO_DATES && DateOrder == DATEORDER_MDY &&
		IntervalStyle == INTSTYLE_POSTGRES && extra_float_digits > 0 &&
		bytea_output == BYTEA_OUTPUT_HEX && Array_nulls && !Transform_null_equals;
}

/* Fix what is different, within the caller's nest level: mostly nothing is. */
static void
FixSettings(void)
{
	if (!ZoneIsFixed())
		Fix("timezone", "UTC");
	if (DateStyle != USE_ISO_DATES || DateOrder != DATEORDER_MDY)
		Fix("datestyle", "ISO, MDY");
	if (IntervalStyle != INTSTYLE_POSTGRES)
		Fix("intervalstyle", "postgres");
	if (extra_float_digits <= 0)
		Fix("extra_float_digits", "1");
	if (bytea_output != BYTEA_OUTPUT_HEX)
		Fix("bytea_output", "hex");
	if (!Array_nulls)
		Fix("array_nulls", "on");
	if (Transform_null_equals)
		Fix("transform_null_equals", "off");
}

void
PolicyEnter(PolicySecurity *s, Oid owner, const char *search_path, int flags)
{
	GetUserIdAndSecContext(&s->save_userid, &s->save_context);
	SetUserIdAndSecContext(owner, s->save_context | flags);
	s->save_nestlevel = 0;
	if (search_path)
	{
		s->save_nestlevel = NewGUCNestLevel();
		Fix("search_path", search_path);
		if (jit_enabled)
			Fix("jit", "off");
		FixSettings();
	}
}

/* To evaluate a row: nothing is set that can't matter. */
void
PolicyEnterToScore(PolicySecurity *s, CompiledPolicy *p)
{
	PolicyEnter(s, p->owner, p->foreign_code ? p->search_path : NULL,
				SECURITY_RESTRICTED_OPERATION);
	if (!p->foreign_code && p->settings_show && !SettingsAreFixed())
	{
		s->save_nestlevel = NewGUCNestLevel();
		FixSettings();
	}
}

void
PolicyLeave(PolicySecurity *s)
{
	if (s->save_nestlevel > 0)
		AtEOXact_GUC(false, s->save_nestlevel);
	SetUserIdAndSecContext(s->save_userid, s->save_context);
}

/*
 * How loud a trouble of the policy is: its owner is told, and of whoever else
 * is in the session only the log hears what the policy is made of.
 */
int
PolicyNotice(Oid owner)
{
	return has_privs_of_role(GetOuterUserId(), owner) ? WARNING : LOG;
}

/* Enter as the owner of the configuration, to read it whatever RLS says */
void
PolicyEnterConfiguration(PolicySecurity *s)
{
	Oid			relid = PolicyConfigRelid();
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	PolicyEnter(s, owner, "pg_catalog, pg_temp", SECURITY_RESTRICTED_OPERATION);
}

/* The relation of a qualified name as the configuration keeps it, or 0 */
Oid
RelationByName(const char *name)
{
	List	   *names;

#if PG_VERSION_NUM >= 160000
	names = stringToQualifiedNameList(name, NULL);
#else
	names = stringToQualifiedNameList(name);
#endif
	return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
}

/* member_of(role name): may the current user act as that role? */
PG_FUNCTION_INFO_V1(assay_member_of);
Datum
assay_member_of(PG_FUNCTION_ARGS)
{
	Oid			role = get_role_oid(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);

	PG_RETURN_BOOL(OidIsValid(role) && has_privs_of_role(GetUserId(), role));
}

/*
 * Loading
 */

static char *
SpiText(int row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

static Datum
SpiDatum(int row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column,
						 isnull);
}

static double
SpiDouble(int row, int column)
{
	bool		isnull;

	return DatumGetFloat8(SpiDatum(row, column, &isnull));
}

static TimestampTz
SpiTime(int row, int column)
{
	bool		isnull;
	Datum		d = SpiDatum(row, column, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(d);
}

/*
 * Read the configuration as it is now, like a catalogue, whatever snapshot the
 * query at hand has: what is compiled from it serves later queries too.
 */
static int
SpiQuery(const char *query, const char *policy, int revision)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(policy), Int32GetDatum(revision)};
	int			ret;

	PushActiveSnapshot(GetCatalogSnapshot(PolicyConfigRelid()));
	ret = SPI_execute_with_args(query, 2, types, values, NULL, true, 0);
	PopActiveSnapshot();
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(ret));
	return SPI_processed;
}

/* Elements of a text[] as C strings */
static List *
TextArrayList(Datum array)
{
	List	   *list = NIL;
	Datum	   *items;
	bool	   *nulls;
	int			n;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			list = lappend(list, TextDatumGetCString(items[i]));
	return list;
}

static void
NoSuchPolicy(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("policy \"%s\" does not exist", name),
			 errhint("assay.create_policy() makes one.")));
}

static Oid
OwnerOid(const char *policy, const char *owner)
{
	Oid			role = get_role_oid(owner, true);

	if (!OidIsValid(role))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("owner \"%s\" of policy \"%s\" does not exist", owner, policy),
				 errhint("A superuser can give it another by assay.alter_policy(policy, owner => ...).")));
	return role;
}

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

PolicyIdentity *
PolicyIdentify(const char *name)
{
	PolicyIdentity *id;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;
	PolicySecurity security;
	bool		isnull;

	PolicyEnterConfiguration(&security);
	SPI_connect();
	if (SpiQuery("SELECT p.owner, r.search_path, p.signals, p.decision, p.key, r.log_signals, "
				 "r.on_error = 'raise' "
				 "FROM assay.policy p JOIN assay.revision r USING (policy) "
				 "WHERE p.policy = $1 AND $2 = 0 ORDER BY r.revision DESC LIMIT 1", name, 0) == 0)
		NoSuchPolicy(name);
	spi = MemoryContextSwitchTo(caller);
	id = palloc0(sizeof(PolicyIdentity));
	id->owner = OwnerOid(name, SpiText(0, 1));
	id->search_path = pstrdup(SpiText(0, 2));
	id->signals_name = pstrdup(SpiText(0, 3));
	id->decision_name = pstrdup(SpiText(0, 4));
	id->key = TextArrayList(SpiDatum(0, 5, &isnull));
	id->log_signals = DatumGetBool(SpiDatum(0, 6, &isnull));
	id->raise_errors = DatumGetBool(SpiDatum(0, 7, &isnull));
	MemoryContextSwitchTo(spi);
	SPI_finish();
	PolicyLeave(&security);
	return id;
}

/* The settings of the policy and its revision, and its verdicts */
static void
LoadSettings(CompiledPolicy *p)
{
	MemoryContext spi;
	bool		isnull;
	char	   *owner;
	List	   *notify;
	ListCell   *lc;

	if (SpiQuery("SELECT p.owner, r.search_path, p.signals, p.decision, p.key, "
				 "r.revision, r.prior, r.on_error = 'raise', r.log_signals, r.default_verdict, r.notify "
				 "FROM assay.policy p JOIN assay.revision r USING (policy) "
				 "WHERE p.policy = $1 AND ($2 = 0 OR r.revision = $2) "
				 "ORDER BY r.revision DESC LIMIT 1", p->name, p->wanted) == 0)
	{
		if (p->wanted != 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("policy \"%s\" has no revision %d", p->name, p->wanted),
					 errhint("The view assay.revisions lists them.")));
		NoSuchPolicy(p->name);
	}
	owner = SpiText(0, 1);
	spi = MemoryContextSwitchTo(p->context);
	p->search_path = pstrdup(SpiText(0, 2));
	p->signals_name = pstrdup(SpiText(0, 3));
	p->decision_name = pstrdup(SpiText(0, 4));
	p->key = TextArrayList(SpiDatum(0, 5, &isnull));
	p->revision = DatumGetInt32(SpiDatum(0, 6, &isnull));
	p->prior = SpiDouble(0, 7);
	p->raise_errors = DatumGetBool(SpiDatum(0, 8, &isnull));
	p->log_signals = DatumGetBool(SpiDatum(0, 9, &isnull));
	p->verdicts = palloc(sizeof(char *));
	p->verdicts[0] = pstrdup(SpiText(0, 10));
	p->owner = OwnerOid(p->name, owner);
	MemoryContextSwitchTo(spi);
	notify = TextArrayList(SpiDatum(0, 11, &isnull));

	(void) SpiQuery("SELECT t.key, t.value::float8 FROM assay.revision r, "
					"jsonb_each_text(r.thresholds) t "
					"WHERE r.policy = $1 AND r.revision = $2 "
					"ORDER BY 2, t.key COLLATE \"C\"", p->name, p->revision);
	spi = MemoryContextSwitchTo(p->context);
	p->nverdicts = SPI_processed + 1;
	p->verdicts = repalloc(p->verdicts, p->nverdicts * sizeof(char *));
	p->thresholds = palloc(p->nverdicts * sizeof(double));
	p->thresholds[0] = 0;
	for (int i = 1; i < p->nverdicts; i++)
	{
		p->verdicts[i] = pstrdup(SpiText(i - 1, 1));
		p->thresholds[i] = SpiDouble(i - 1, 2);
	}
	foreach(lc, notify)
	{
		int			verdict = VerdictNumber(p, lfirst(lc));

		if (verdict >= 0)
			p->notify = bms_add_member(p->notify, verdict);
	}
	MemoryContextSwitchTo(spi);
}

/* One condition to parse, perhaps in a subtransaction */
typedef struct ParseJob
{
	CompiledPolicy *policy;
	const char *condition;
	const char *what;
	List	   *guards;
	Rule	   *rule;			/* the result */
} ParseJob;

/* What the parser leaves behind is more than the expression. */
static void
ParseCondition(void *arg)
{
	ParseJob   *job = arg;
	MemoryContext scratch = AllocSetContextCreate(CurTransactionContext, "pg_assay condition",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Rule	   *parsed = RuleParse(job->condition, job->policy->visible, job->guards, job->what);
	Rule	   *rule;

	MemoryContextSwitchTo(job->policy->context);
	rule = palloc(sizeof(Rule));
	*rule = *parsed;
	rule->expr = copyObject(parsed->expr);
	rule->signals = bms_copy(parsed->signals);
	rule->guards = bms_copy(parsed->guards);
	rule->relations = list_copy(parsed->relations);
	rule->types = list_copy(parsed->types);
	job->rule = rule;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* Out of memory, a lock that is not to be had: not the policy's own fault */
static bool
IsTransient(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_OPERATOR_INTERVENTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_SYSTEM_ERROR);
}

/*
 * Parse, as the policy's owner; NULL and the SQLSTATE where it fails.
 */
static Rule *
CompileCondition(CompiledPolicy *p, char *condition, char *what, List *guards,
				 char *sqlstate)
{
	ParseJob	job = {p, condition, what, guards, NULL};
	PolicySecurity security;
	ErrorData  *error = NULL;

	PolicyEnter(&security, p->owner, p->search_path, SECURITY_RESTRICTED_OPERATION);
	if (p->raise_errors || !CanProtect())
		ParseCondition(&job);
	else
		error = RunProtected(ParseCondition, &job);
	PolicyLeave(&security);
	if (error)
	{
		strlcpy(sqlstate, unpack_sql_state(error->sqlerrcode), 6);
		p->transient |= IsTransient(error);
		ereport(LOG,
				(errmsg("policy \"%s\": %s cannot be evaluated: %s", p->name, what,
						error->message)));
		FreeErrorData(error);
		return NULL;
	}
	p->foreign_code |= job.rule->foreign_code;
	return job.rule;
}

/* Types whose text form depends on a session's settings */
static bool
TextVaries(Oid type)
{
	switch (getBaseType(type))
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case FLOAT4OID:
		case FLOAT8OID:
		case BYTEAOID:
			return true;
		default:
			return false;
	}
}

/* Make ready to read column "column" (attribute number - 1) as text */
static void
InitEvidence(CompiledPolicy *p, PolicyEvidence *e, int column)
{
	Form_pg_attribute att = TupleDescAttr(p->desc, column);
	Oid			output;

	e->column = column;
	e->name = pstrdup(NameStr(att->attname));
	e->is_text = (att->atttypid == TEXTOID || att->atttypid == VARCHAROID);
	getTypeOutputInfo(att->atttypid, &output, &e->is_varlena);
	if (TextVaries(att->atttypid) || func_volatile(output) != PROVOLATILE_IMMUTABLE)
		p->settings_show = true;
	fmgr_info_cxt(output, &e->output, p->context);
}

static PolicyEvidence *
RuleEvidence(CompiledPolicy *p, Rule *rule, int *n)
{
	Bitmapset  *signals = rule->signals;
	PolicyEvidence *evidence;
	int			column = -1;
	int			guard = -1;

	/* What a guard looked at is evidence of who refers to it. */
	while ((guard = bms_next_member(rule->guards, guard)) >= 0)
		if (p->guards[guard])
			signals = bms_union(signals, p->guards[guard]->signals);
	*n = Min(bms_num_members(signals), ATTRIBUTION_EVIDENCE_MAX);
	evidence = palloc0(*n * sizeof(PolicyEvidence));
	for (int i = 0; i < *n; i++)
	{
		column = bms_next_member(signals, column);
		InitEvidence(p, &evidence[i], column);
	}
	return evidence;
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

/*
 * The functions refuse more, since a row has no more columns for their
 * results.  Where somebody wrote them into the table, the rest stays out.
 */
static int
AtMost(CompiledPolicy *p, int n, int max, const char *what)
{
	if (n <= max)
		return n;
	ereport(LOG,
			(errmsg("policy \"%s\" has %d %s: those beyond %d are not evaluated",
					p->name, n, what, max)));
	p->incomplete = true;
	return max;
}

static void
LoadGuards(CompiledPolicy *p, List **names)
{
	MemoryContext spi;
	int			n = SpiQuery("SELECT guard, condition FROM assay.guard "
							 "WHERE policy = $1 AND from_revision <= $2 "
							 "AND (until_revision IS NULL OR until_revision > $2) "
							 "ORDER BY guard COLLATE \"C\"", p->name, p->revision);

	n = AtMost(p, n, POLICY_GUARDS_MAX, "guards");
	spi = MemoryContextSwitchTo(p->context);
	p->guards = palloc0(n * sizeof(Rule *));
	p->guard_names = palloc0(n * sizeof(char *));
	p->guard_single = palloc0(n * sizeof(ExprState *));
	p->guard_sqlstate = palloc0(n * sizeof(p->guard_sqlstate[0]));
	for (int i = 0; i < n; i++)
	{
		p->guard_names[i] = pstrdup(SpiText(i, 1));
		*names = lappend(*names, p->guard_names[i]);
		/* A guard that fails is unknown to who refers to it: they fail too. */
		p->guards[i] = CompileCondition(p, SpiText(i, 2),
										psprintf("guard \"%s\"", p->guard_names[i]),
										NIL, p->guard_sqlstate[i]);
	}
	p->nguards = n;
	MemoryContextSwitchTo(spi);
}

static void
LoadDetectors(CompiledPolicy *p, List *guards)
{
	MemoryContext spi;
	int			n = SpiQuery(psprintf("SELECT d.detector, d.condition, m.model, d.weight, d.mode = 'shadow', "
									  "d.force_verdict, d.expires_at, d.rollout "
									  "FROM assay.detector d LEFT JOIN assay.detector_model m "
									  "ON m.policy = d.policy AND m.detector = d.detector AND m.revision = d.model_revision "
									  "WHERE d.policy = $1 AND d.from_revision <= $2 "
									  "AND (d.until_revision IS NULL OR d.until_revision > $2) "
									  "AND d.mode IN ('shadow', 'live'%s) "
									  "ORDER BY d.detector COLLATE \"C\"",
									  p->drafts ? ", 'draft'" : ""),
							 p->name, p->revision);

	n = AtMost(p, n, POLICY_DETECTORS_MAX, "detectors");
	spi = MemoryContextSwitchTo(p->context);
	p->detectors = palloc0(n * sizeof(PolicyDetector));
	p->ndetectors = n;
	for (int i = 0; i < n; i++)
	{
		PolicyDetector *d = &p->detectors[i];
		char	   *condition = SpiText(i, 2);
		bool		isnull;
		Datum		model = SpiDatum(i, 3, &isnull);

		d->name = pstrdup(SpiText(i, 1));
		d->weight = SpiDouble(i, 4);
		d->shadow = DatumGetBool(SpiDatum(i, 5, &isnull));
		d->verdict = VerdictNumber(p, SpiText(i, 6));
		d->expires_at = SpiTime(i, 7);
		d->rollout = SpiDouble(i, 8);
		d->column = -1;
		if (condition)
		{
			d->rule = CompileCondition(p, condition,
									   psprintf("detector \"%s\"", d->name),
									   guards, d->sqlstate);
			if (d->rule)
				d->evidence = RuleEvidence(p, d->rule, &d->nevidence);
		}
		else
		{
			BindJob		job = {p, d, model};
			ErrorData  *error = NULL;

			if (p->raise_errors || !CanProtect())
				BindModel(&job);
			else
				error = RunProtected(BindModel, &job);
			if (error)
			{
				strlcpy(d->sqlstate, unpack_sql_state(error->sqlerrcode), 6);
				p->transient |= IsTransient(error);
				ereport(LOG,
						(errmsg("policy \"%s\": detector \"%s\" cannot be evaluated: %s",
								p->name, d->name, error->message)));
				d->model = NULL;
				FreeErrorData(error);
			}
		}
	}
	MemoryContextSwitchTo(spi);
}

static void
LoadExclusions(CompiledPolicy *p, List *guards)
{
	MemoryContext spi;
	int			n = SpiQuery("SELECT exclusion, condition, mutes, verdict, expires_at "
							 "FROM assay.exclusion "
							 "WHERE policy = $1 AND from_revision <= $2 "
							 "AND (until_revision IS NULL OR until_revision > $2) "
							 "ORDER BY exclusion COLLATE \"C\"", p->name, p->revision);

	n = AtMost(p, n, POLICY_EXCLUSIONS_MAX, "exclusions");
	spi = MemoryContextSwitchTo(p->context);
	p->exclusions = palloc0(n * sizeof(PolicyExclusion));
	p->nexclusions = n;
	for (int i = 0; i < n; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];
		bool		isnull;
		Datum		mutes = SpiDatum(i, 3, &isnull);
		ListCell   *lc;

		x->name = pstrdup(SpiText(i, 1));
		if (!isnull)
		{
			foreach(lc, TextArrayList(mutes))
				for (int j = 0; j < p->ndetectors; j++)
				if (strcmp(p->detectors[j].name, lfirst(lc)) == 0)
					x->mutes = bms_add_member(x->mutes, j);
		}
		x->verdict = VerdictNumber(p, SpiText(i, 4));
		x->expires_at = SpiTime(i, 5);
		x->column = -1;
		x->rule = CompileCondition(p, SpiText(i, 2),
								   psprintf("exclusion \"%s\"", x->name),
								   guards, x->sqlstate);
		if (x->rule)
			x->evidence = RuleEvidence(p, x->rule, &x->nevidence);
	}
	MemoryContextSwitchTo(spi);
}

/* Make ready to hash a column */
static void
InitKey(CompiledPolicy *p, PolicyEvidence *e, int column)
{
	Oid			type = TupleDescAttr(p->desc, column)->atttypid;
	Oid			send;

	InitEvidence(p, e, column);
	if (!TextVaries(type))
		return;
	getTypeBinaryOutputInfo(type, &send, &e->is_varlena);
	fmgr_info_cxt(send, &e->output, p->context);
	e->binary = true;
}

/* Where the row has all key columns, make ready to hash them */
static void
LoadKeys(CompiledPolicy *p)
{
	ListCell   *lc;

	p->keys = palloc0(list_length(p->key) * sizeof(PolicyEvidence));
	foreach(lc, p->key)
	{
		int			column = -1;

		for (int i = 0; i < p->desc->natts; i++)
			if (!TupleDescAttr(p->desc, i)->attisdropped &&
				namestrcmp(&TupleDescAttr(p->desc, i)->attname, lfirst(lc)) == 0)
				column = i;
		if (column < 0)
		{
			/* A rollout chooses messages by their key. */
			p->nkeys = 0;
			for (int i = 0; i < p->ndetectors; i++)
				if (p->detectors[i].rollout < 1)
				{
					p->detectors[i].rule = NULL;
					p->detectors[i].model = NULL;
					strcpy(p->detectors[i].sqlstate, "42703");
				}
			return;
		}
		InitKey(p, &p->keys[p->nkeys++], column);
	}
}

/*
 * Compilation
 */

static void
AddCondition(CompiledPolicy *p, List **targets, Rule *rule, int *column)
{
	Expr	   *expr = p->prefilter ? PrefilterRewrite(p->prefilter, rule->expr) : rule->expr;

	*column = list_length(*targets);
	*targets = lappend(*targets, makeTargetEntry(expr, *column + 1, NULL, false));
}

/* One pass over the texts for all conditions, if that pays */
static void
BuildPrefilter(CompiledPolicy *p)
{
	Prefilter  *f;

	if (!assay_prefilter)
		return;
	f = PrefilterCreate(p->desc);
	for (int i = 0; i < p->nguards; i++)
		if (p->guards[i])
			PrefilterCollect(f, p->guards[i]->expr);
	for (int i = 0; i < p->ndetectors; i++)
		if (p->detectors[i].rule)
			PrefilterCollect(f, p->detectors[i].rule->expr);
	for (int i = 0; i < p->nexclusions; i++)
		if (p->exclusions[i].rule)
			PrefilterCollect(f, p->exclusions[i].rule->expr);
	if (PrefilterFinish(f))
		p->prefilter = f;
}

static TupleTableSlot *
BooleanSlot(int n)
{
	TupleDesc	desc = CreateTemplateTupleDesc(n);

	for (int i = 1; i <= n; i++)
		TupleDescInitEntry(desc, i, NULL, BOOLOID, -1, 0);
	return MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
}

/* Most rules take part in every message, and only whether they hit is asked. */
static void
SortDetectors(CompiledPolicy *p)
{
	p->nplain = p->nothers = 0;
	for (int i = 0; i < p->ndetectors; i++)
	{
		PolicyDetector *d = &p->detectors[i];

		if (d->column >= 0 && d->sqlstate[0] == '\0' && d->rollout >= 1 &&
			d->expires_at == DT_NOEND)
		{
			p->plain[p->nplain] = i;
			p->plain_columns[p->nplain++] = d->column;
		}
		else
			p->others[p->nothers++] = i;
	}
}

/*
 * One projection for all guards and one for all other conditions, so that a
 * row is deformed once.  Built again without a detector that is suspended.
 */
void
PolicyBuildProjection(CompiledPolicy *p)
{
	MemoryContext old = MemoryContextSwitchTo(p->context);
	List	   *targets = NIL;

	p->projection = NULL;
	p->guard_projection = NULL;
	if (p->econtext == NULL)
	{
		p->econtext = CreateStandaloneExprContext();
		BuildPrefilter(p);
	}
	if (p->prefilter)
		PrefilterRestart(p->prefilter);
	if (p->projection_context)
		MemoryContextDelete(p->projection_context);
	p->projection_context = AllocSetContextCreate(p->context, "pg_assay projection",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(p->projection_context);
	if (p->nguards > 0)
	{
		for (int i = 0; i < p->nguards; i++)
		{
			Expr	   *expr = p->guards[i] ? p->guards[i]->expr :
			(Expr *) makeNullConst(BOOLOID, -1, InvalidOid);

			if (p->prefilter)
				expr = PrefilterRewrite(p->prefilter, expr);
			targets = lappend(targets, makeTargetEntry(expr, i + 1, NULL, false));
		}
		p->guard_slot = BooleanSlot(p->nguards);
		p->guard_projection = ExecBuildProjectionInfo(targets, p->econtext,
													  p->guard_slot, NULL, p->desc);
		targets = NIL;
	}
	for (int i = 0; i < p->ndetectors; i++)
	{
		PolicyDetector *d = &p->detectors[i];

		d->column = -1;
		if (d->rule && !d->suspended)
			AddCondition(p, &targets, d->rule, &d->column);
	}
	for (int i = 0; i < p->nexclusions; i++)
	{
		PolicyExclusion *x = &p->exclusions[i];

		x->column = -1;
		if (x->rule && !x->suspended)
			AddCondition(p, &targets, x->rule, &x->column);
	}
	SortDetectors(p);
	if (targets != NIL)
	{
		p->result_slot = BooleanSlot(list_length(targets));
		p->projection = ExecBuildProjectionInfo(targets, p->econtext,
												p->result_slot, NULL, p->desc);
	}
	MemoryContextSwitchTo(old);
}

/* Who depends on a guard that did not compile, does not compile either. */
static void
PropagateBrokenGuards(CompiledPolicy *p)
{
	for (int g = 0; g < p->nguards; g++)
	{
		if (p->guards[g])
			continue;
		for (int i = 0; i < p->ndetectors; i++)
			if (p->detectors[i].rule && bms_is_member(g, p->detectors[i].rule->guards))
			{
				p->detectors[i].rule = NULL;
				strcpy(p->detectors[i].sqlstate, "42703");
			}
		for (int i = 0; i < p->nexclusions; i++)
			if (p->exclusions[i].rule && bms_is_member(g, p->exclusions[i].rule->guards))
			{
				p->exclusions[i].rule = NULL;
				strcpy(p->exclusions[i].sqlstate, "42703");
			}
	}
}

/*
 * Who may score: who may act as the owner, or reads its decisions.  Asked
 * before anything is compiled, since errors of that tell what the policy says.
 */
void
PolicyCheckReader(CompiledPolicy *p, Oid reader)
{
	Oid			decision;

	if (!OidIsValid(reader) || has_privs_of_role(reader, p->owner))
		return;
	decision = RelationByName(p->decision_name);
	if (!OidIsValid(decision) ||
		pg_class_aclcheck(decision, reader, ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", p->name),
				 errhint("It takes membership in the policy's owner, or SELECT on %s.",
						 p->decision_name)));
}

/*
 * A type brings code along: implicit casts, a domain's checks.  Conditions run
 * as the policy's owner, so that whoever owns the type must be one who may act
 * as that owner anyway.
 */
static bool
TypeIsTrusted(CompiledPolicy *p, Oid type)
{
	HeapTuple	tuple;
	Oid			owner;

	if (type == RECORDOID || type == RECORDARRAYOID)
		return false;			/* of anything */
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	owner = ((Form_pg_type) GETSTRUCT(tuple))->typowner;
	ReleaseSysCache(tuple);
	return superuser_arg(owner) || has_privs_of_role(owner, p->owner);
}

/*
 * Conditions and models see those columns only whose types are trusted, or are
 * what the signals view has by that name, which the owner has chosen.
 */
static void
HideUntrustedColumns(CompiledPolicy *p)
{
	p->visible = CreateTupleDescCopy(p->desc);
	for (int i = 0; i < p->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(p->visible, i);
		AttrNumber	attno = InvalidAttrNumber;

		if (att->attisdropped || TypeIsTrusted(p, att->atttypid))
			continue;
		if (OidIsValid(p->signals))
			attno = get_attnum(p->signals, NameStr(att->attname));
		if (attno > 0 && get_atttype(p->signals, attno) == att->atttypid)
			continue;
		if ((attno > 0 || !OidIsValid(p->signals)) && p->untrusted == NULL)
			p->untrusted = pstrdup(NameStr(att->attname));
		att->attisdropped = true;
	}
}

/* Counters of the policy and its detectors */
static void
InitStats(CompiledPolicy *p)
{
	PolicyStats *stats;

	if (!StatsEnabled())
		return;
	stats = palloc0(sizeof(PolicyStats));
	stats->n = p->ndetectors + 1;
	stats->counts = palloc0(stats->n * sizeof(StatsCounts));
	stats->entries = palloc0(stats->n * sizeof(struct StatsEntry *));
	stats->names = palloc0(stats->n * sizeof(char *));
	for (int i = 0; i < p->ndetectors; i++)
		stats->names[i + 1] = p->detectors[i].name;
	stats->policy = p->name;
	p->stats = stats;
}

/*
 * Compile p for rows of p->desc, as far as that goes.  Error unless "reader",
 * where there is one, may score by it.
 */
void
PolicyCompile(CompiledPolicy *p, Oid reader)
{
	PolicySecurity security;
	MemoryContext old;
	List	   *guards = NIL;

	PolicyEnterConfiguration(&security);
	SPI_connect();
	LoadSettings(p);
	PolicyCheckReader(p, reader);
	/* Found as who may use any schema: who inserts messages may not. */
	p->signals = RelationByName(p->signals_name);
	old = MemoryContextSwitchTo(p->context);
	HideUntrustedColumns(p);
	MemoryContextSwitchTo(old);
	if (p->untrusted && OidIsValid(reader))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("signal \"%s\" of the row has a type that policy \"%s\" cannot trust",
						p->untrusted, p->name),
				 errdetail("Casts and checks of the type would run with the rights of the policy's owner."),
				 errhint("Cast it to the type that the signals view has.")));
	LoadGuards(p, &guards);
	LoadDetectors(p, guards);
	LoadExclusions(p, guards);
	SPI_finish();
	PolicyLeave(&security);

	PropagateBrokenGuards(p);
	old = MemoryContextSwitchTo(p->context);
	LoadKeys(p);
	p->outcomes = palloc0((p->ndetectors + p->nexclusions) * sizeof(PolicyOutcome));
	for (int i = 0; i < p->ndetectors; i++)
		p->outcomes[i].evaluated = true;
	p->plain = palloc(p->ndetectors * sizeof(int));
	p->plain_columns = palloc(p->ndetectors * sizeof(int));
	p->others = palloc(p->ndetectors * sizeof(int));
	p->nwords = (p->ndetectors + 63) / 64;
	p->active = palloc0(p->nwords * sizeof(uint64));
	for (int i = 0; i < p->ndetectors; i++)
		if (p->detectors[i].model)
		{
			p->outcomes[i].max_top = assay_top_features;
			p->outcomes[i].top = palloc(Max(assay_top_features, 1) *
										sizeof(ModelContribution));
		}
	InitStats(p);
	MemoryContextSwitchTo(old);
	PolicyBuildProjection(p);
}
