/*
 * signal_equal.c
 *		Is a logged signal the value that somebody gives as a text?
 *
 * The view may have had another type for it.  A logged value is the same if it
 * is so in one of these ways; what erases must not miss it:
 *
 * - the text, read as the type that was logged, is equal by that type;
 * - the value becomes one of the view's type without loss, and is equal by that;
 * - both have the same text.
 *
 * What the logged type would cut (a time of a date) is not its value.
 *
 * Types are looked up by name where values are kept as text.  Somebody else may
 * have taken the name since: only types whose input runs nobody's SQL are read.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "protect.h"
#include "signal_equal.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "value_text.h"

struct WantedSignal
{
	/* what it was made for */
	char	   *name;
	char	   *type_name;
	Oid			kept;			/* type of the values as they are read */
	char	   *given;
	Oid			view;
	Oid			asked_collation;

	MemoryContext context;
	Oid			collation;
	bool		told;

	/* by the view's type */
	Datum		value;
	char	   *text;
	FmgrInfo	view_equal;		/* fn_oid 0: it has none */

	/* by the logged type */
	Oid			logged;			/* or InvalidOid: it can't be read */
	bool		parse;			/* values are texts of it */
	FmgrInfo	input;
	Oid			ioparam;
	FmgrInfo	output;			/* of values as they are read */
	bool		has_same;
	Datum		same;
	FmgrInfo	equal;

	/* from the logged type to the view's */
	bool		casts;
	FmgrInfo	cast;			/* fn_oid 0: the same bytes */
};

/* One value, under protection */
typedef struct Comparison
{
	WantedSignal *w;
	Datum		logged;
	bool		equal;
} Comparison;

static void
InitEqual(FmgrInfo *to, Oid type, MemoryContext context)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);

	to->fn_oid = InvalidOid;
	if (OidIsValid(entry->eq_opr_finfo.fn_oid))
		fmgr_info_cxt(entry->eq_opr_finfo.fn_oid, to, context);
}

static Datum
InputOf(Oid type, const char *given)
{
	Oid			input;
	Oid			ioparam;

	getTypeInputInfo(type, &input, &ioparam);
	return OidInputFunctionCall(input, (char *) given, ioparam, -1);
}

/* Does nobody's SQL run when a text is read as this type? */
static bool
IsPlainType(Oid type)
{
	Oid			element = get_element_type(type);
	char		typtype = get_typtype(type);

	if (OidIsValid(element))
		return IsPlainType(getBaseType(element)) && get_typtype(element) != TYPTYPE_DOMAIN;
	if (typtype == TYPTYPE_PSEUDO)
		return false;
	return type < FirstUnpinnedObjectId || typtype == TYPTYPE_BASE || typtype == TYPTYPE_ENUM;
}

static void
Tell(WantedSignal *w, const char *why)
{
	if (w->told)
		return;
	w->told = true;

	/*
	 * Not the value, nor what quotes it: logs would keep what is to be
	 * erased.
	 */
	ereport(WARNING,
			(errmsg("signal \"%s\" was logged as %s: %s", w->name, w->type_name, why),
			 errdetail("It is compared by its text."),
			 errhint("assay.signal() reads what was logged; forget(keys => ...) takes messages by their keys.")));
}

/* Find out which type was logged. */
static void
RunFindType(void *arg)
{
	WantedSignal *w = arg;
	Oid			type;

	if (!w->parse)
		return;
	type = getBaseType(DatumGetObjectId(DirectFunctionCall1(regtypein, CStringGetDatum(w->type_name))));
	if (!OidIsValid(type) || !IsPlainType(type))
		return;
	getTypeInputInfo(type, &w->input.fn_oid, &w->ioparam);
	fmgr_info_cxt(w->input.fn_oid, &w->input, w->context);
	w->logged = type;
}

/* Read the text as the logged type. */
static void
RunRead(void *arg)
{
	WantedSignal *w = arg;
	int16		len;
	bool		byval;
	Datum		same = w->logged == w->view ? w->value : InputOf(w->logged, w->given);
	MemoryContext old = MemoryContextSwitchTo(w->context);

	get_typlenbyval(w->logged, &len, &byval);
	w->same = datumCopy(same, byval, len);
	w->has_same = true;
	MemoryContextSwitchTo(old);
}

static void
RunReadBack(void *arg)
{
	Comparison *c = arg;
	WantedSignal *w = c->w;

	c->logged = InputOf(w->view, ValueText(w->logged, w->same));
}

/* Did the logged type cut it, as a date does a time?  Then it is no value of it. */
static bool
WasCut(WantedSignal *w)
{
	char		category;
	bool		preferred;
	Comparison	back = {.w = w};
	ErrorData  *error;

	if (w->logged == w->view)
		return false;
	get_type_category_preferred(w->view, &category, &preferred);
	if (category == TYPCATEGORY_STRING)
	{
		/* a text of anything else is not the one that its type writes */
		get_type_category_preferred(w->logged, &category, &preferred);
		return (category == TYPCATEGORY_STRING || w->logged == CHAROID) && strcmp(ValueText(w->logged, w->same), w->text) != 0;
	}
	if (!OidIsValid(w->view_equal.fn_oid))
		return false;
	error = RunProtected(RunReadBack, &back);
	if (error != NULL)
		return false;
	return !DatumGetBool(FunctionCall2Coll(&w->view_equal, w->collation, back.logged, w->value));
}

/* How the logged type's values become the view's: without loss, and by no user's function */
static void
FindCast(WantedSignal *w)
{
	Oid			function = InvalidOid;

	if (!OidIsValid(w->view_equal.fn_oid) || w->logged == w->view)
		return;
	switch (find_coercion_pathway(w->view, w->logged, COERCION_IMPLICIT, &function))
	{
		case COERCION_PATH_FUNC:
			w->casts = function < FirstUnpinnedObjectId;
			if (w->casts)
				fmgr_info_cxt(function, &w->cast, w->context);
			break;
		case COERCION_PATH_RELABELTYPE:
			w->casts = true;
			break;
		default:
			w->casts = find_coercion_pathway(w->view, w->logged, COERCION_EXPLICIT, &function) == COERCION_PATH_RELABELTYPE;
	}
}

WantedSignal *
MakeWantedSignal(const SignalColumn *c, const char *given, Oid view, Oid collation)
{
	WantedSignal *w = palloc0(sizeof(WantedSignal));
	Oid			output;
	bool		varlena;
	ErrorData  *error;

	w->context = CurrentMemoryContext;
	w->name = pstrdup(c->name);
	w->type_name = pstrdup(c->type_name);
	w->kept = c->type;
	w->given = pstrdup(given);
	w->asked_collation = collation;
	w->view = view;
	w->parse = c->form == FORM_TEXT;
	w->logged = w->parse ? InvalidOid : c->type;

	w->value = InputOf(view, given);
	w->text = ValueText(w->view, w->value);
	InitEqual(&w->view_equal, w->view, w->context);
	getTypeOutputInfo(w->kept, &output, &varlena);
	fmgr_info_cxt(output, &w->output, w->context);

	error = RunProtected(RunFindType, w);
	if (error != NULL || !OidIsValid(w->logged))
	{
		Tell(w, "that type is not there any more, or can't be read here");
		return w;
	}
	w->collation = OidIsValid(collation) ? collation : get_typcollation(w->logged);
	FindCast(w);
	InitEqual(&w->equal, w->logged, w->context);
	if (!OidIsValid(w->equal.fn_oid))
		return w;
	error = RunProtected(RunRead, w);
	if (error == NULL)
		w->has_same = !WasCut(w);
	else if (!w->casts)
		Tell(w, psprintf("the value can't be read as that (SQLSTATE %s)", unpack_sql_state(error->sqlerrcode)));
	return w;
}

bool
WantedSignalFits(const WantedSignal *w, const SignalColumn *c, const char *given, Oid view, Oid collation)
{
	return w->kept == c->type && w->parse == (c->form == FORM_TEXT) && view == w->view &&
		w->asked_collation == collation && strcmp(w->given, given) == 0 &&
		strcmp(w->name, c->name) == 0 && strcmp(w->type_name, c->type_name) == 0;
}

/* By either type */
static void
RunCompare(void *arg)
{
	Comparison *c = arg;
	WantedSignal *w = c->w;
	Datum		logged = c->logged;

	if (w->parse)
		logged = InputFunctionCall(&w->input, TextDatumGetCString(logged), w->ioparam, -1);
	c->equal = w->has_same && DatumGetBool(FunctionCall2Coll(&w->equal, w->collation, logged, w->same));
	if (c->equal || !w->casts)
		return;
	if (OidIsValid(w->cast.fn_oid))
		logged = FunctionCall1(&w->cast, logged);
	c->equal = DatumGetBool(FunctionCall2Coll(&w->view_equal, w->collation, logged, w->value));
}

bool
SignalEquals(WantedSignal *w, Datum logged)
{
	Comparison	c = {.w = w,.logged = logged};
	ErrorData  *error = NULL;

	if (!w->has_same && !w->casts)
		return strcmp(OutputFunctionCall(&w->output, logged), w->text) == 0;
	/* Values of built-in types are compared by functions that can't fail. */
	if (!w->parse && !OidIsValid(w->cast.fn_oid))
		RunCompare(&c);
	else if (strcmp(OutputFunctionCall(&w->output, logged), w->text) == 0)
		return true;
	else
		error = RunProtected(RunCompare, &c);
	if (error != NULL)
	{
		Tell(w, psprintf("some of its values can't be read (SQLSTATE %s)", unpack_sql_state(error->sqlerrcode)));
		FreeErrorData(error);
		return false;
	}
	return c.equal || strcmp(OutputFunctionCall(&w->output, logged), w->text) == 0;
}
