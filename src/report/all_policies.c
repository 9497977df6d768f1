/*
 * all_policies.c
 *		What is told of each policy that one may read, whoever it belongs to.
 *
 * Whoever looks at all policies has not chosen whose tables are read.  It is not
 * with his rights that a stranger's code runs, which may hang on these: the owner
 * reads them, for a reader who could read all that by himself.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "labels.h"
#include "rights.h"
#include "utils/builtins.h"

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

/* told_by_owner(policy, what): rows as jsonb */
PG_FUNCTION_INFO_V1(assay_told_by_owner);
Datum
assay_told_by_owner(PG_FUNCTION_ARGS)
{
	const Question *question = QuestionNamed(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	Source		s;
	BatchQuery	q;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SPI_connect();
	if (!MayBeTold(&s, question))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s.policy),
				 errdetail("Something of it is hidden from the user.")));
	QueryStart(&q);
	QueryAdd(&q, "%s", question->query);
	QueryValue(&q, TEXTOID, PG_GETARG_DATUM(0));
	QueryAdd(&q, ") r");
	return RunReport(fcinfo, &s, &q);
}
