/*
 * ask_owner.c
 *		Functions of other extensions that look into a policy's own tables.
 *
 * Such a function runs users' views, and with them anybody's functions.  Whoever
 * may act as the policy's owner has it run as that owner, in a restricted
 * context, so that none of that gets the rights of a caller who has more.
 */
#include "postgres.h"

#include "batch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "labels.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/*
 * ask_as_owner(policy, function, arguments): rows of a function of schema assay
 * with one argument text[], as jsonb
 */
PG_FUNCTION_INFO_V1(assay_ask_as_owner);
Datum
assay_ask_as_owner(PG_FUNCTION_ARGS)
{
	Source		s;
	BatchQuery	q;

	InitSourceKeys(&s, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	if (!has_privs_of_role(GetUserId(), s.id->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for policy \"%s\"", s.policy),
				 errhint("It takes membership in the policy's owner.")));
	SPI_connect();
	QueryStart(&q);
	QueryAdd(&q, "SELECT pg_catalog.to_jsonb(r) FROM assay.%s(", quote_identifier(text_to_cstring(PG_GETARG_TEXT_PP(1))));
	QueryValue(&q, TEXTARRAYOID, PG_GETARG_DATUM(2));
	QueryAdd(&q, ") r");
	return RunStatement(fcinfo, &s, &q);
}
