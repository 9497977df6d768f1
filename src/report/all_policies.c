/*
 * all_policies.c
 *		What is told of each policy that one may read, whoever it belongs to.
 *
 * Whoever looks at all policies has not chosen whose tables are read.  It is not
 * with his rights that a stranger's code runs, which may hang on these: the owner
 * reads them, for a reader who could read all that by himself.  Nor does a
 * stranger's code hold up what is told of the others: all policies of an owner
 * have so much time in a statement.
 */
#include "postgres.h"

#include "access/xact.h"
#include "batch.h"
#include "budget.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "labels.h"
#include "portability/instr_time.h"
#include "protect.h"
#include "rights.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* All policies of an owner have so many times assay.message_budget, a minute by default. */
#define BUDGETS_MAX		60

/* What may be asked: whether it takes the right to read signals, and a query of rows as jsonb */
typedef struct Question
{
	const char *what;
	bool		signals;
	const char *query;
} Question;

static const Question questions[] = {
	{"health", false, "SELECT pg_catalog.to_jsonb(r) FROM assay_internal.policy_health("},
	{"alerts", true, "SELECT pg_catalog.to_jsonb(r) FROM assay_internal.alerts_of("},
	{"logged alerts", false, "SELECT pg_catalog.to_jsonb(r) FROM assay_internal.alerts_of(signals => false, policy => "},
};

static const Question *
QuestionNamed(const char *what)
{
	for (int i = 0; i < lengthof(questions); i++)
		if (strcmp(questions[i].what, what) == 0)
			return &questions[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("nothing is told of a policy by the name \"%s\"", what)));
}

/* May the caller know the answer?  Asked of the catalogue, with his own rights.  SPI is connected. */
static bool
MayBeTold(const Source *s, const Question *question)
{
	BatchQuery	q;
	bool		isnull;

	if (PolicyMay(s->id, "owner"))
		return true;
	if (!PolicyMay(s->id, "reader"))
		return false;
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "SELECT assay_internal.nothing_hidden(p)%s FROM assay.policy p WHERE p.policy OPERATOR(pg_catalog.=) ",
			 question->signals ? " AND assay_internal.may_read_signals(p)" : "");
	QueryValue(&q, TEXTOID, CStringGetTextDatum(s->policy));
	return QueryRun(&q, SPI_OK_SELECT, NULL) == 1 &&
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) && !isnull;
}

/* What the policies of an owner took of the statement at hand */
typedef struct OwnerTime
{
	Oid			owner;
	double		ms;
} OwnerTime;

static LocalTransactionId times_lxid = InvalidLocalTransactionId;
static TimestampTz times_of;	/* the statement's start */
static List *times = NIL;		/* of OwnerTime; in that transaction's memory */

static OwnerTime *
TimeOf(Oid owner)
{
	MemoryContext old;
	OwnerTime  *mine;
	ListCell   *lc;

	if (times_lxid != MyLocalTransactionId() || times_of != GetCurrentStatementStartTimestamp())
		times = NIL;
	times_lxid = MyLocalTransactionId();
	times_of = GetCurrentStatementStartTimestamp();
	foreach(lc, times)
		if (((OwnerTime *) lfirst(lc))->owner == owner)
		return lfirst(lc);
	old = MemoryContextSwitchTo(TopTransactionContext);
	mine = palloc0(sizeof(OwnerTime));
	mine->owner = owner;
	times = lappend(times, mine);
	MemoryContextSwitchTo(old);
	return mine;
}

static void
TooSlow(Source *s)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the policies of its owner take longer than %d times assay.message_budget to look at", BUDGETS_MAX),
			 errhint("SELECT * FROM assay.check(%s) takes the time that it needs.", quote_literal_cstr(s->policy))));
}

typedef struct AskJob
{
	FunctionCallInfo fcinfo;
	Source	   *s;
	const Question *question;
} AskJob;

static void
RunAskJob(void *arg)
{
	AskJob	   *job = arg;
	FunctionCallInfo fcinfo = job->fcinfo;
	BatchQuery	q;

	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "%s", job->question->query);
	QueryValue(&q, TEXTOID, PG_GETARG_DATUM(0));
	QueryAdd(&q, ") r");
	q.read_only = true;
	AddRows(fcinfo, job->s, &q);
}

/* Ask the owner, whose answers have so much time together. */
static void
AskInTime(AskJob *job)
{
	OwnerTime  *volatile mine = TimeOf(job->s->id->owner);
	ErrorData  *volatile error = NULL;
	double		most = (double) assay_message_budget * BUDGETS_MAX;
	instr_time	began;
	instr_time	now;

	if (most > 0 && mine->ms >= most)
		TooSlow(job->s);
	INSTR_TIME_SET_CURRENT(began);
	BudgetStart(false);
	PG_TRY();
	{
		BudgetLenient(BUDGETS_MAX);
		error = RunProtected(RunAskJob, job);
	}
	PG_FINALLY();
	{
		BudgetLenient(0);
		BudgetStop();
	}
	PG_END_TRY();
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	mine->ms += INSTR_TIME_GET_MILLISEC(now);
	if (error && BudgetMade(error))
	{
		mine->ms = most;
		TooSlow(job->s);
	}

	/*
	 * Of a kind that EXCEPTION WHEN OTHERS catches, which not all are.  It
	 * may be of the owner's code, which does not tell the reader what to do.
	 */
	if (error)
	{
		error->hint = NULL;
		error->sqlerrcode = ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
		ReThrowError(error);
	}
}

/* told_by_owner(policy, what): rows as jsonb */
PG_FUNCTION_INFO_V1(assay_told_by_owner);
Datum
assay_told_by_owner(PG_FUNCTION_ARGS)
{
	Source		s;
	AskJob		job = {fcinfo, &s, QuestionNamed(text_to_cstring(PG_GETARG_TEXT_PP(1)))};

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	if (!MayBeTold(&s, job.question))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s.policy),
				 errdetail("Something of it is hidden from the user.")));
	SPI_finish();
	/* Begun out here: a file of theirs would be gone with the subtransaction. */
	(void) NoRows(fcinfo);
	AskInTime(&job);
	return (Datum) 0;
}
