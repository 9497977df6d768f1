/*
 * cursors.c
 *		Keep the session's cursors and keys from whoever's code runs for a while.
 *
 * Code of another's that runs in a session, though with his rights alone, could
 * read from the session's cursors, whoever may read what they show; or put one of
 * its own in the place of one, whose query the session would run then with its own
 * rights.  So they are made as if they had failed and were in use by a loop of
 * PL/pgSQL's: PostgreSQL lets nobody read from the former, nor close the latter,
 * and the abort of a transaction does with them what is right.  PL/Perl closes one
 * that is in use, too, by whatever name it is told; what is to be done before one
 * goes refuses that, of ours as well.
 *
 * So are the keys by which the session has logged in, which a foreign server of anybody's
 * may have taken for its connections, as the role that its owner names, the session's,
 * say: from PostgreSQL 16 on what the client delegates by GSSAPI (gssdelegation), from 18
 * on those of SCRAM, too (use_scram_passthrough).
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/portalcmds.h"
#include "cursors.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/memnodes.h"
#include "session_guard.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"

/* Whose own headers may not be installed: what we need of it is in the same place without them. */
#undef ENABLE_GSS
#if PG_VERSION_NUM >= 180000
#include "libpq/libpq-be.h"
#endif

typedef struct Hidden
{
	void		(*show) (void); /* a key of the session's; NULL, a cursor */
	Portal		portal;
	PortalStatus status;		/* as it was, and so are the others */
	bool		pinned;
	void		(*cleanup) (Portal portal);
	SubTransactionId active;
	SubTransactionId hidden_in;
} Hidden;

static Hidden *hidden = NULL;
static int	nhidden = 0;
static int	hidden_room = 0;

/* The one of a context; the unnamed one's is called otherwise than itself. */
static Portal
PortalOf(MemoryContext context)
{
	Portal		portal = context->ident ? GetPortalByName(context->ident) : NULL;

	if (!PortalIsValid(portal) || portal->portalContext != context)
		portal = GetPortalByName("");
	return PortalIsValid(portal) && portal->portalContext == context ? portal : NULL;
}

/* Call this for each that is not at work; the server has no list for us but their contexts. */
static void
ForEachPortal(void (*call) (Portal portal))
{
	static MemoryContext portals = NULL;
	MemoryContext next;

	for (MemoryContext c = TopMemoryContext->firstchild; c && portals == NULL; c = c->nextchild)
		if (strcmp(c->name, "TopPortalContext") == 0)
			portals = c;
	for (MemoryContext c = portals ? portals->firstchild : NULL; c; c = next)
	{
		Portal		portal;

		next = c->nextchild;
		/* Mostly there is no other: to look it up by its name takes longer. */
		if (ActivePortal && ActivePortal->portalContext == c && ActivePortal->status == PORTAL_ACTIVE)
			continue;
		portal = PortalOf(c);
		if (portal && portal->status != PORTAL_ACTIVE)
			call(portal);
	}
}

/*
 * In place of PortalCleanup(): nothing of the cursor has gone yet.  The end of a
 * transaction, or of a subtransaction, may do it.
 */
static void
RefuseToClose(Portal portal)
{
	if (IsTransactionState())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_STATE),
				 errmsg("cannot close cursor \"%s\", which is the session's", portal->name)));
	portal->cleanup = PortalCleanup;
	PortalCleanup(portal);
}

static bool
IsGuarded(Portal portal)
{
	return portal->cleanup == RefuseToClose;
}

/* Anybody may call one of his own so, but we pin them. */
static bool
IsOurs(Portal portal)
{
	return portal->portalPinned && strncmp(portal->name, OUR_CURSOR, strlen(OUR_CURSOR)) == 0;
}

static Hidden *
AddHidden(void)
{
	Hidden	   *h;

	if (nhidden == hidden_room)
	{
		int			room = Max(8, 2 * hidden_room);

		hidden = hidden ? repalloc(hidden, room * sizeof(Hidden)) :
			MemoryContextAlloc(TopMemoryContext, room * sizeof(Hidden));
		hidden_room = room;
	}
	h = &hidden[nhidden++];
	memset(h, 0, sizeof(Hidden));
	h->hidden_in = GetCurrentSubTransactionId();
	return h;
}

static void
HideCursor(Portal portal)
{
	Hidden	   *h;

	if (IsGuarded(portal) || IsOurs(portal))
		return;
	h = AddHidden();
	h->portal = portal;
	h->status = portal->status;
	h->pinned = portal->portalPinned;
	h->cleanup = portal->cleanup;
	h->active = portal->activeSubid;
	portal->status = PORTAL_FAILED;
	portal->portalPinned = true;
	portal->cleanup = RefuseToClose;

	/*
	 * What it was used in last may end while it is hidden, which has not
	 * failed.
	 */
	portal->activeSubid = InvalidSubTransactionId;
}

#if PG_VERSION_NUM >= 160000
/*
 * The server keeps what was delegated in a cache of this name, where the libraries of
 * GSSAPI find it by the environment.  Of one that is empty they would go on to the
 * server's own client keytab.
 */
#define DELEGATED "MEMORY:"

static const char *const places[] = {"KRB5CCNAME", "KRB5_CLIENT_KTNAME"};
static char *shown[lengthof(places)];

static void
ShowDelegated(void)
{
	for (int i = 0; i < lengthof(places); i++)
	{
		if (shown[i])
			setenv(places[i], shown[i], 1);
		else
			unsetenv(places[i]);
		free(shown[i]);
		shown[i] = NULL;
	}
}

static void
HideDelegated(void)
{
	for (int i = 0; i < lengthof(places); i++)
	{
		const char *place = getenv(places[i]);

		if (place && (shown[i] = strdup(place)) == NULL)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	AddHidden()->show = ShowDelegated;
	for (int i = 0; i < lengthof(places); i++)
		if (setenv(places[i], DELEGATED "pg_assay", 1) != 0)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}
#endif

#if PG_VERSION_NUM >= 180000
static void
ShowScram(void)
{
	MyProcPort->has_scram_keys = true;
}
#endif

/* From an owner's code, but for that of the role who has logged in */
static void
HideKeys(void)
{
#if PG_VERSION_NUM >= 160000
	Oid			userid;
	int			context;
	const char *cache;

	GetUserIdAndSecContext(&userid, &context);
	if (MyProcPort == NULL || !(context & SECURITY_OWNERS_CODE) || userid == GetAuthenticatedUserId())
		return;
	cache = getenv(places[0]);
	if (cache && strcmp(cache, DELEGATED) == 0)
		HideDelegated();
#if PG_VERSION_NUM >= 180000
	if (MyProcPort->has_scram_keys)
	{
		AddHidden()->show = ShowScram;
		MyProcPort->has_scram_keys = false;
	}
#endif
#endif
}

static void
ShowHidden(const Hidden *h)
{
	if (h->show)
	{
		h->show();
		return;
	}
	h->portal->status = h->status;
	h->portal->portalPinned = h->pinned;
	h->portal->cleanup = h->cleanup;
	h->portal->activeSubid = h->active;
}

/*
 * What was opened meanwhile.  Some languages pin theirs, PL/Perl, say: the session
 * could not commit before such a one is closed.
 */
static void
CloseCursor(Portal portal)
{
	if (IsGuarded(portal) || IsOurs(portal))
		return;
	portal->portalPinned = false;
	PortalDrop(portal, false);
}

int
HideSession(void)
{
	int			before = nhidden;

	ForEachPortal(HideCursor);
	HideKeys();
	return before;
}

void
ShowSession(int before)
{
	ForEachPortal(CloseCursor);
	while (nhidden > before)
		ShowHidden(&hidden[--nhidden]);
}

void
HoldCursor(Portal portal)
{
	/*
	 * Code that the query runs hides more, which an error leaves to the
	 * abort.
	 */
	int			n = nhidden;
	bool	   *held = palloc(n * sizeof(bool));

	for (int i = 0; i < n; i++)
	{
		if (hidden[i].show)
			continue;
		held[i] = hidden[i].portal->autoHeld;
		hidden[i].portal->autoHeld = true;
	}
	PG_TRY();
	{
		PinPortal(portal);
		HoldPinnedPortals();
	}
	PG_FINALLY();
	{
		for (int i = 0; i < n; i++)
			if (hidden[i].show == NULL)
				hidden[i].portal->autoHeld = held[i];
	}
	PG_END_TRY();
	pfree(held);
	portal->cleanup = RefuseToClose;
}

void
CloseHeldCursor(Portal portal)
{
	portal->cleanup = PortalCleanup;
	portal->portalPinned = false;
	SPI_cursor_close(portal);
}

/* Those that were made in the subtransaction fail with it, as they look. */
static void
AtEndOfSubtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (nhidden > 0 && hidden[nhidden - 1].hidden_in >= mine)
	{
		Hidden	   *h = &hidden[--nhidden];

		if (h->active >= mine)
			h->active = parent;
		if (h->show || h->portal->createSubid < mine)
			ShowHidden(h);
	}
}

/* Only those of earlier transactions outlive one that fails. */
static void
AtEndOfTransaction(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_ABORT && event != XACT_EVENT_PARALLEL_ABORT)
		return;
	while (nhidden > 0)
	{
		Hidden	   *h = &hidden[--nhidden];

		if (h->show || h->portal->createSubid == InvalidSubTransactionId)
			ShowHidden(h);
	}
}

void
CursorsInit(void)
{
	RegisterXactCallback(AtEndOfTransaction, NULL);
	RegisterSubXactCallback(AtEndOfSubtransaction, NULL);
}
