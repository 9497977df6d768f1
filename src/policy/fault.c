/*
 * fault.c
 *		Keeps in assay.fault what went wrong, and not more often than helps.
 *
 * Faults because of a message are kept up to so many for each detector and
 * SQLSTATE, in a backend and interval; the ledgers have them all.  A fault
 * that lasts until somebody mends it (a view that is gone, a condition that no
 * longer compiles) is kept once an interval by all backends together: each
 * looks first whether another one has.  What is rolled back does not count.
 *
 * Anybody may make a trigger that names any policy, or one that is not there.  Of
 * the latter nothing is kept: a warning and the server's log tell.  Who may not
 * decide by a policy has a SQLSTATE of his own, so that he hides no other fault.
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "budget.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fault.h"
#include "last_number.h"
#include "protect.h"
#include "security.h"
#include "steady_time.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define FAULT_INTERVAL_MIN		1
#define FAULT_INTERVAL_DEFAULT	60
#define FAULT_INTERVAL_MAX		86400

/* Faults of messages that are kept of one kind, in a backend and interval */
#define KIND_FAULTS_MAX		10

/* Kinds that a backend remembers, and places where each may be */
#define KINDS_MAX			1024
#define KIND_PLACES			16

/* What a backend has kept of one kind of fault */
typedef struct FaultKind
{
	uint64		hash;			/* of policy, detector and SQLSTATE */
	TimestampTz since;			/* of the interval */
	int			kept;
	int			npending;		/* of these, in the transaction at hand */
	SubTransactionId pending[KIND_FAULTS_MAX];	/* where each of them was kept */
} FaultKind;

static int	fault_interval = FAULT_INTERVAL_DEFAULT;	/* seconds */
static FaultKind kinds[KINDS_MAX];
static bool any_pending = false;

/* What was kept since this subtransaction began is over; forget: rolled back. */
static void
EndPending(SubTransactionId since, bool forget)
{
	for (int i = 0; i < KINDS_MAX; i++)
	{
		FaultKind  *kind = &kinds[i];
		int			left = 0;

		for (int j = 0; j < kind->npending; j++)
			if (kind->pending[j] < since)
				kind->pending[left++] = kind->pending[j];
			else if (forget)
				kind->kept--;
		kind->npending = left;
	}
}

/* What was kept and is rolled back may be kept again. */
static void
EndTransaction(XactEvent event, void *arg)
{
	if (!any_pending)
		return;
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		EndPending(TopSubTransactionId, event == XACT_EVENT_ABORT);
		any_pending = false;
	}
}

static void
EndSubtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (any_pending && event == SUBXACT_EVENT_ABORT_SUB)
		EndPending(mine, true);
}

void
FaultInit(void)
{
	DefineCustomIntVariable("assay.fault_interval",
							"Time in which a fault of one kind is kept once, or a few times where messages cause it.",
							NULL,
							&fault_interval,
							FAULT_INTERVAL_DEFAULT, FAULT_INTERVAL_MIN, FAULT_INTERVAL_MAX,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	RegisterXactCallback(EndTransaction, NULL);
	RegisterSubXactCallback(EndSubtransaction, NULL);
}

PolicyFault *
MakeFault(const char *detector, const char *sqlstate, const char *message, const char *key)
{
	PolicyFault *fault = palloc0(sizeof(PolicyFault));

	fault->detector = detector ? pstrdup(detector) : NULL;
	strlcpy(fault->sqlstate, sqlstate, 6);
	fault->message = CutMessage(message);
	fault->key = key && strlen(key) <= FAULT_KEY_MAX ? pstrdup(key) : NULL;
	return fault;
}

static uint64
HashText(const char *s)
{
	return hash_bytes_extended((const unsigned char *) s, strlen(s), 0);
}

/*
 * The place of a fault's kind.  Where all of its places are taken, the kind whose
 * interval ends first has to make room.
 */
static FaultKind *
FindKind(const char *policy, PolicyFault *fault)
{
	uint64		hash = HashText(psprintf("%s/%s/%s/%d/%d", policy, fault->detector ? fault->detector : "",
										 fault->sqlstate, fault->lasting, fault->suspended));
	FaultKind  *kind = NULL;
	TimestampTz now = SteadyTime();

	for (int i = 0; i < KIND_PLACES; i++)
	{
		FaultKind  *place = &kinds[(hash + i) % KINDS_MAX];

		if (place->hash == hash)
		{
			kind = place;
			break;
		}
		if (kind == NULL || place->since < kind->since)
			kind = place;
	}
	if (kind->hash != hash ||
		now - kind->since >= fault_interval * USECS_PER_SEC)
	{
		memset(kind, 0, sizeof(FaultKind));
		kind->hash = hash;
		kind->since = now;
	}
	return kind;
}

/* A row trigger comes here for each row. */
static Patience patience;

typedef struct WriteJob
{
	const char *policy;
	int			revision;
	List	   *faults;
	bool		drawn;			/* numbers of faults */
	bool		told;			/* of something new */
} WriteJob;

/* Is there such a policy, as the configuration is now?  A trigger's argument may say anything. */
static bool
PolicyIsThere(const char *policy)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(policy)};
	int			ret;

	PushActiveSnapshot(GetCatalogSnapshot(ConfigurationRelid()));
	ret = SPI_execute_with_args("SELECT FROM assay_internal.policy p WHERE p.policy = $1",
								lengthof(types), types, values, NULL, true, 1);
	PopActiveSnapshot();
	if (ret != SPI_OK_SELECT)
		elog(ERROR, "could not read assay.policy");
	return SPI_processed > 0;
}

/* Has somebody kept this fault in the interval? */
static bool
IsKnown(WriteJob *job, PolicyFault *fault)
{
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(job->policy), Int32GetDatum(job->revision),
		fault->detector ? CStringGetTextDatum(fault->detector) : (Datum) 0,
	CStringGetTextDatum(fault->sqlstate), Int32GetDatum(fault_interval)};
	char		nulls[] = {' ', ' ', fault->detector ? ' ' : 'n', ' ', ' '};

	if (SPI_execute_with_args("SELECT FROM assay_internal.fault f WHERE f.policy = $1 AND f.revision = $2 "
							  "AND f.detector IS NOT DISTINCT FROM $3 AND f.sqlstate = $4 "
							  "AND f.at > pg_catalog.clock_timestamp() - $5 * interval '1 second' "
							  "AND f.at <= pg_catalog.clock_timestamp() LIMIT 1",
							  lengthof(types), types, values, nulls, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay.fault");
	return SPI_processed > 0;
}

/* A dump that is restored once more, over the rows of before, sets the sequence back. */
void
PassFaultNumbers(void)
{
	if (SPI_execute("SELECT pg_catalog.setval('assay_internal.fault_fault_seq', "
					"GREATEST(s.last_value, (SELECT pg_catalog.max(f.fault) FROM assay_internal.fault f))) "
					"FROM assay_internal.fault_fault_seq s", false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not set the numbers of faults");
}

/* Is its number a new one? */
static bool
InsertFault(WriteJob *job, PolicyFault *fault)
{
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	Datum		values[] = {CStringGetTextDatum(job->policy), Int32GetDatum(job->revision),
		fault->detector ? CStringGetTextDatum(fault->detector) : (Datum) 0,
		fault->key ? CStringGetTextDatum(fault->key) : (Datum) 0,
		CStringGetTextDatum(fault->sqlstate), CStringGetTextDatum(fault->message),
	BoolGetDatum(fault->suspended)};
	char		nulls[] = {' ', ' ', fault->detector ? ' ' : 'n', fault->key ? ' ' : 'n', ' ', ' ', ' '};

	if (SPI_execute_with_args("INSERT INTO assay_internal.fault (policy, revision, detector, key, sqlstate, message, suspended) "
							  "VALUES ($1, $2, $3, $4::text[], $5, $6, $7) ON CONFLICT DO NOTHING",
							  lengthof(types), types, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write assay.fault");
	return SPI_processed > 0;
}

static void
RunWriteJob(void *arg)
{
	WriteJob   *job = arg;
	Security	security;
	ListCell   *lc;

	EnterConfiguration(&security);
	WaitNoLonger(&security, assay_message_budget);
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (!PolicyIsThere(job->policy))
		job->faults = NIL;
	foreach(lc, job->faults)
	{
		PolicyFault *fault = lfirst(lc);
		FaultKind  *kind = FindKind(job->policy, fault);

		if (kind->kept >= (fault->lasting ? 1 : KIND_FAULTS_MAX))
			continue;
		kind->kept++;
		kind->pending[kind->npending++] = GetCurrentSubTransactionId();
		any_pending = true;
		if (fault->lasting && IsKnown(job, fault))
			continue;
		job->drawn = true;
		if (!InsertFault(job, fault))
		{
			PassFaultNumbers();
			(void) InsertFault(job, fault);
		}
		job->told |= fault->lasting;
	}
	PopActiveSnapshot();
	SPI_finish();
	LeaveSecurity(&security);
}

/* Would any of them be kept?  Asked first, since mostly none is. */
static bool
AnyIsNew(const char *policy, List *faults)
{
	ListCell   *lc;

	foreach(lc, faults)
	{
		PolicyFault *fault = lfirst(lc);

		if (FindKind(policy, fault)->kept < (fault->lasting ? 1 : KIND_FAULTS_MAX))
			return true;
	}
	return false;
}

bool
WriteFaults(const char *policy, int revision, List *faults)
{
	WriteJob	job = {policy, revision, faults, false, false};
	LastNumber	last;
	ErrorData  *error;

	if (faults == NIL || IsImpatient(&patience) || !AnyIsNew(policy, faults))
		return false;
	RememberLastNumber(&last);
	error = RunPatiently(&patience, RunWriteJob, &job);
	if (job.drawn)
		PutBackLastNumber(&last);
	if (error)
	{
		ereport(LOG_SERVER_ONLY,
				(errmsg("could not keep a fault of policy \"%s\": %s", policy, error->message)));
		FreeErrorData(error);
		return false;
	}
	return job.told;
}
