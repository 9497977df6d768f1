/*
 * last_number.c
 *		What lastval() says stays the session's own.
 *
 * Who inserts a message may ask lastval() for the number that it got, as drivers do
 * for him.  A fault that is kept, or a row of an outbox, draws a number of its own
 * sequence after that.  PostgreSQL has no way to go back to a sequence without
 * drawing from it, so a sequence that is there for this alone becomes the last one,
 * and setval(), which concerns no other session, has it say what the session's said.
 */
#include "postgres.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "budget.h"
#include "catalog/namespace.h"
#include "fmgr.h"
#include "last_number.h"
#include "protect.h"
#include "security.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(assay_last_number);
PG_FUNCTION_INFO_V1(assay_put_back_last_number);

/* Somebody may be altering a sequence. */
static Patience patience;

/* With the rights of whoever is at work: he may not be allowed to know it. */
static void
ReadLastNumber(void *arg)
{
	LastNumber *last = arg;
	Security	security;

	EnterCaller(&security);
	WaitNoLonger(&security, assay_message_budget);
	last->value = DatumGetInt64(OidFunctionCall0(F_LASTVAL));
	LeaveSecurity(&security);
	last->known = true;
}

/*
 * A sequence may be a temporary one, of which one look keeps the transaction from
 * being prepared.  Which one it is, only that look would tell.
 */
static bool
MayHinderPrepare(void)
{
	return max_prepared_xacts > 0 && !(MyXactFlags & XACT_FLAGS_ACCESSEDTEMPNAMESPACE) &&
		OidIsValid(LookupNamespaceNoError("pg_temp"));
}

/* None was drawn yet where it fails, or none that may be read. */
void
RememberLastNumber(LastNumber *last)
{
	ErrorData  *error;

	last->known = false;
	if (IsImpatient(&patience) || MayHinderPrepare())
		return;
	error = RunPatiently(&patience, ReadLastNumber, last);
	if (error)
		FreeErrorData(error);
}

static void
WriteLastNumber(void *arg)
{
	const LastNumber *last = arg;
	Oid			schema = get_namespace_oid("assay_internal", true);
	Oid			sequence = OidIsValid(schema) ? get_relname_relid("last_number", schema) : InvalidOid;
	Security	security;

	if (!OidIsValid(sequence))
		return;					/* 0.1.0's objects */
	EnterConfiguration(&security);
	WaitNoLonger(&security, assay_message_budget);
	(void) DirectFunctionCall1(nextval_oid, ObjectIdGetDatum(sequence));
	(void) DirectFunctionCall3(setval3_oid, ObjectIdGetDatum(sequence), Int64GetDatum(last->value), BoolGetDatum(true));

	/*
	 * The session goes on saying it; others see nothing of it in the
	 * sequence.
	 */
	(void) DirectFunctionCall3(setval3_oid, ObjectIdGetDatum(sequence), Int64GetDatum(1), BoolGetDatum(false));
	LeaveSecurity(&security);
}

void
PutBackLastNumber(const LastNumber *last)
{
	ErrorData  *error;

	if (!last->known)
		return;
	error = RunPatiently(&patience, WriteLastNumber, (void *) last);
	if (error)
		FreeErrorData(error);
}

Datum
assay_last_number(PG_FUNCTION_ARGS)
{
	LastNumber	last;

	RememberLastNumber(&last);
	if (!last.known)
		PG_RETURN_NULL();
	PG_RETURN_INT64(last.value);
}

Datum
assay_put_back_last_number(PG_FUNCTION_ARGS)
{
	LastNumber	last = {true, PG_GETARG_INT64(0)};

	PutBackLastNumber(&last);
	PG_RETURN_VOID();
}
