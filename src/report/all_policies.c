/*
 * all_policies.c
 *		What is told of each policy that one may read, whoever it belongs to.
 *
 * Whoever looks at all policies has not chosen whose tables are read.  It is not
 * with his rights that a stranger's code runs, which may hang on these: the owner
 * reads them, for a reader who could read all that by himself.  Nor does it keep him
 * from the others' policies: it has its time, and what it raises ends no more than
 * what is told of this policy.
 */
#include "postgres.h"

#include "batch.h"
#include "budget.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "labels.h"
#include "miscadmin.h"
#include "protect.h"
#include "rights.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* A policy is looked at for so many times assay.message_budget, a minute by default. */
#define BUDGETS_MAX		60
#define AGAIN_MS		100

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

/* A query that is run as a policy's owner, into the rows of a function */
typedef struct Answer
{
	FunctionCallInfo fcinfo;
	Source	   *source;
	BatchQuery *query;
} Answer;

static TimeoutId timer;
static bool registered = false; /* in this process */
static int	asked = 0;			/* depth: the outermost has the timer */
static volatile bool out_of_time = false;

static void
EndOfTime(void)
{
	out_of_time = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
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

static void
RunAsOwner(void *arg)
{
	Answer	   *answer = arg;
	Security	security;

	EnterSource(&security, answer->source);
	QueryRunInto(answer->query, ((ReturnSetInfo *) answer->fcinfo->resultinfo)->setResult);
	LeaveSecurity(&security);
}

/* Run it, for no longer than its time; an error, unless it concerns the whole transaction */
static ErrorData *
RunInTime(Answer *answer)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	volatile bool first = asked++ == 0 && assay_message_budget > 0;

	if (first)
	{
		if (!registered)
			timer = RegisterTimeout(USER_TIMEOUT, EndOfTime);
		registered = true;
		out_of_time = false;
		/* Again, where the owner's code takes no notice */
		enable_timeout_every(timer, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) assay_message_budget * BUDGETS_MAX),
							 AGAIN_MS);
	}
	PG_TRY();
	{
		error = RunProtected(RunAsOwner, answer);
	}
	PG_CATCH();
	{
		asked--;
		if (!first)
			PG_RE_THROW();
		disable_timeout(timer, false);
		MemoryContextSwitchTo(context);
		error = CopyErrorData();

		/*
		 * A timeout of the session's that came meanwhile is seen by the next
		 * statement.
		 */
		if (!out_of_time || error->sqlerrcode != ERRCODE_QUERY_CANCELED || get_timeout_indicator(STATEMENT_TIMEOUT, false))
			PG_RE_THROW();
		FlushErrorState();
		asked++;
		error->message = psprintf("it takes longer than %d times assay.message_budget", BUDGETS_MAX);
	}
	PG_END_TRY();
	asked--;
	if (first)
	{
		disable_timeout(timer, false);
		/* It may have come again, or when all was done. */
		if (out_of_time && !get_timeout_indicator(STATEMENT_TIMEOUT, false))
			QueryCancelPending = false;
	}
	return error;
}

/* told_by_owner(policy, what): rows as jsonb */
PG_FUNCTION_INFO_V1(assay_told_by_owner);
Datum
assay_told_by_owner(PG_FUNCTION_ARGS)
{
	const Question *question = QuestionNamed(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Source		s;
	BatchQuery	q;
	Answer		answer = {fcinfo, &s, &q};
	Datum		rows;
	ErrorData  *error;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	if (!MayBeTold(&s, question))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s.policy),
				 errdetail("Something of it is hidden from the user.")));
	QueryStart(&q);
	q.read_only = true;
	QueryAdd(&q, "%s", question->query);
	QueryValue(&q, TEXTOID, PG_GETARG_DATUM(0));
	QueryAdd(&q, ") r");
	rows = NoRows(fcinfo);
	error = RunInTime(&answer);

	/*
	 * Of a kind that EXCEPTION WHEN OTHERS catches, which a query's cancel is
	 * not
	 */
	if (error)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("%s", error->message)));
	SPI_finish();
	return rows;
}
