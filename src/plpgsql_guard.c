/*
 * plpgsql_guard.c
 *		PL/pgSQL functions that an owner's code calls are compiled for that owner.
 *
 * PL/pgSQL looks up the types of a function's variables when it compiles it, once in
 * a session, by the search_path and the temporary schema of whoever calls it first:
 * whose domain it finds, his checks run as anybody who calls the function later.  So
 * what was compiled outside of an owner's code, or for another, is compiled anew, and
 * what was compiled for an owner is not seen outside of his code.
 *
 * PL/pgSQL takes a compiled function for valid that knows the xmin of its row in
 * pg_proc.  Ours know it only while they run.  Who comes upon another has it compiled
 * anew, in the same place where it is not in use: from then on it is valid, by which
 * we see that it is no longer ours.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "commands/proclang.h"
#include "fmgr.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "plpgsql.h"
#include "plpgsql_guard.h"
#include "session_guard.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#if PG_VERSION_NUM >= 180000
#define Kept(compiled) ((compiled)->cfunc)
#else
#define Kept(compiled) (*(compiled))
#endif

/* A function that was compiled for an owner */
typedef struct OwnersFunction
{
	slist_node	node;
	Oid			function;
	Oid			owner;
	PLpgSQL_function *compiled; /* PL/pgSQL never frees it */
	TransactionId xmin;			/* what it has to know while it runs */
	int			running;		/* how many calls of ours are at it */
} OwnersFunction;

typedef PLpgSQL_function * (*CompileFunction) (FunctionCallInfo fcinfo, bool validates);

static slist_head ours = SLIST_STATIC_INIT(ours);
static CompileFunction compile = NULL;
static PGFunction handler = NULL;

bool
IsPlpgsql(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		is = false;

	if (HeapTupleIsValid(tuple))
	{
		is = ((Form_pg_proc) GETSTRUCT(tuple))->prolang == get_language_oid("plpgsql", true);
		ReleaseSysCache(tuple);
	}
	return is;
}

/* What has a function compiled for whoever calls it next, without a call of it */
bool
ValidatesPlpgsql(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(LANGNAME, CStringGetDatum("plpgsql"));
	bool		validates = false;

	if (HeapTupleIsValid(tuple))
	{
		validates = ((Form_pg_language) GETSTRUCT(tuple))->lanvalidator == function;
		ReleaseSysCache(tuple);
	}
	return validates;
}

static OwnersFunction *
FindOurs(PLpgSQL_function * compiled)
{
	slist_iter	i;

	slist_foreach(i, &ours)
	{
		OwnersFunction *f = slist_container(OwnersFunction, node, i.cur);

		if (f->compiled == compiled)
			return f;
	}
	return NULL;
}

/* Have what was compiled for an owner known to PL/pgSQL, and forget what others have compiled since. */
static void
Show(Oid function, Oid owner)
{
	slist_mutable_iter i;

	slist_foreach_modify(i, &ours)
	{
		OwnersFunction *f = slist_container(OwnersFunction, node, i.cur);

		if (f->function != function || f->running > 0)
			continue;
		if (Kept(f->compiled).fn_hashkey == NULL || TransactionIdIsValid(Kept(f->compiled).fn_xmin))
		{
			slist_delete_current(&i);
			pfree(f);
		}
		else if (f->owner == owner)
			Kept(f->compiled).fn_xmin = f->xmin;
	}
}

/* What does not run is out of sight, and so is what failed to be compiled in the place of another. */
static void
Hide(Oid function)
{
	slist_iter	i;

	slist_foreach(i, &ours)
	{
		OwnersFunction *f = slist_container(OwnersFunction, node, i.cur);

		if (f->function == function && Kept(f->compiled).use_count == 0 && TransactionIdIsValid(Kept(f->compiled).fn_xmin))
		{
			f->xmin = Kept(f->compiled).fn_xmin;
			Kept(f->compiled).fn_xmin = InvalidTransactionId;
		}
	}
}

/*
 * What another call had compiled in the same place may have failed halfway, which
 * PL/pgSQL takes for valid; or it is out of the hash, where another is by now.
 */
static void
DropStale(FmgrInfo *function)
{
	PLpgSQL_function *compiled = function->fn_extra;

	if (compiled != NULL && Kept(compiled).fn_hashkey == NULL && Kept(compiled).use_count == 0)
		function->fn_extra = NULL;
}

static bool
IsOutOfSight(Oid function)
{
	slist_iter	i;

	slist_foreach(i, &ours)
	{
		OwnersFunction *f = slist_container(OwnersFunction, node, i.cur);

		if (f->function == function && !TransactionIdIsValid(Kept(f->compiled).fn_xmin))
			return true;
	}
	return false;
}

/*
 * The session's is compiled in the place of what is out of sight.  A call that was made
 * ready before this library came to the session does not go by DropStale().
 */
static pg_noinline void
CompileForSession(FunctionCallInfo fcinfo)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	slist_iter	i;

	PG_TRY();
	{
		(void) compile(fcinfo, false);
	}
	PG_CATCH();
	{
		slist_foreach(i, &ours)
		{
			OwnersFunction *f = slist_container(OwnersFunction, node, i.cur);

			if (f->function == function && Kept(f->compiled).use_count == 0 && Kept(f->compiled).fn_hashkey == NULL)
				Kept(f->compiled).fn_xmin = InvalidTransactionId;
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* Have one in the list, as nobody's: what is compiled in its place may fail. */
static OwnersFunction *
Remember(Oid function, PLpgSQL_function * compiled)
{
	OwnersFunction *f = FindOurs(compiled);

	if (f == NULL)
	{
		f = MemoryContextAllocZero(TopMemoryContext, sizeof(OwnersFunction));
		f->function = function;
		f->compiled = compiled;
		slist_push_head(&ours, &f->node);
	}
	return f;
}

/* What PL/pgSQL will run at this call, compiled for its owner: anew, unless we know that it was. */
static OwnersFunction *
CompileFor(Oid owner, FunctionCallInfo fcinfo)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	PLpgSQL_function *others = compile(fcinfo, false);
	PLpgSQL_function *compiled;
	TransactionId xmin = Kept(others).fn_xmin;
	OwnersFunction *f = Remember(function, others);

	if (f->owner == owner)
		return f;
	if (f->running == 0)
		f->owner = InvalidOid;
	Kept(others).fn_xmin = InvalidTransactionId;
	compiled = compile(fcinfo, false);
	/* What is in use goes on as it is, also where it is called again. */
	if (compiled != others)
		Kept(others).fn_xmin = xmin;
	f = Remember(function, compiled);
	f->owner = owner;
	return f;
}

static void
Leave(Oid function, OwnersFunction *f)
{
	if (f != NULL)
		f->running--;
	Hide(function);
}

/* PL/pgSQL's handler, where an owner's code calls it */
static pg_noinline Datum
HandleForOwner(Oid owner, FunctionCallInfo fcinfo)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	OwnersFunction *volatile f = NULL;
	Datum		result;

	PG_TRY();
	{
		Show(function, owner);
		f = CompileFor(owner, fcinfo);
		f->running++;
		result = handler(fcinfo);
	}
	PG_CATCH();
	{
		Leave(function, f);
		PG_RE_THROW();
	}
	PG_END_TRY();
	Leave(function, f);
	return result;
}

/* In place of PL/pgSQL's handler.  The session's functions recurse here: no more of the stack than it takes. */
static Datum
Handle(PG_FUNCTION_ARGS)
{
	Oid			owner;
	int			context;

	GetUserIdAndSecContext(&owner, &context);
	DropStale(fcinfo->flinfo);
	if ((context & SECURITY_OWNERS_CODE) != 0)
		return HandleForOwner(owner, fcinfo);
	if (IsOutOfSight(fcinfo->flinfo->fn_oid))
		CompileForSession(fcinfo);
	return handler(fcinfo);
}

/*
 * Casts and checks of domains stay ready to be called for a transaction, by which they
 * do not go by the handler if they were called before this library came to the session.
 */
static void
RefusePassed(PLpgSQL_execstate * estate, PLpgSQL_function * compiled)
{
	Oid			owner;
	int			context;
	OwnersFunction *f;

	GetUserIdAndSecContext(&owner, &context);
	if ((context & SECURITY_OWNERS_CODE) == 0 || !OidIsValid(compiled->fn_oid))
		return;
	f = FindOurs(compiled);
	if (f == NULL || f->running == 0 || f->owner != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("function %s was compiled for others than the policy's owner", compiled->fn_signature),
				 errhint("Have pg_assay in shared_preload_libraries or session_preload_libraries.")));
}

/* Have calls of a PL/pgSQL function go by here. */
void
CallForOwner(FmgrInfo *function)
{
	/*
	 * Once its handler is known, nothing is looked up for who comes here at
	 * each call.
	 */
	if (handler != NULL ? function->fn_addr != handler : !IsPlpgsql(function->fn_oid))
		return;
	if (handler == NULL)
	{
		compile = (CompileFunction) load_external_function("$libdir/plpgsql", "plpgsql_compile", true, NULL);
		handler = load_external_function("$libdir/plpgsql", "plpgsql_call_handler", true, NULL);
	}
	/* Another handler than PostgreSQL's has functions of its own. */
	if (function->fn_addr == handler)
		function->fn_addr = Handle;
}

/* A library that is there from the server's start sees each call. */
void
PlpgsqlGuardInit(void)
{
	static PLpgSQL_plugin guard =
	{
		.func_setup = RefusePassed
	};
	PLpgSQL_plugin **plugin = (PLpgSQL_plugin * *) find_rendezvous_variable("PLpgSQL_plugin");

	if (!process_shared_preload_libraries_in_progress && *plugin == NULL)
		*plugin = &guard;
}
