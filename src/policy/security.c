/*
 * security.c
 *		Enter as a policy's owner, or as the owner of the configuration.
 *
 * A decision is the same in every session.  So nothing of the session that
 * inserts a message counts: not its role, its search_path, its formats of
 * times and numbers, nor its switches of the planner.  Formats are set to
 * fixed values.  What else can change a query's result or its plan gets the
 * value that the server's configuration or the database gives it; where the
 * session came with one of its own (ALTER ROLE ... SET, options of the
 * connection), which hides that, the built-in default.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "cursors.h"
#include "executor/spi.h"
#include "hidden_calls.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "owner.h"
#include "security.h"
#include "session_guard.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/guc_tables.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

/* A setting that has one value while a policy is at work */
typedef struct FixedSetting
{
	const char *name;
	const char *value;
	int			changes;		/* SETTINGS_... */
} FixedSetting;

/*
 * "jit" is off since a signals query is planned once and run for each
 * statement: compiling its hundreds of expressions anew each time takes far
 * longer than a message.  A "lock_timeout" would be the session's; the time of
 * a message is bounded by assay.message_budget, that of a write by WaitNoLonger().
 */
static const FixedSetting fixed[] = {
	{"timezone", "UTC", SETTINGS_TIMES},
	{"datestyle", "ISO, MDY", SETTINGS_TIMES},
	{"intervalstyle", "postgres", SETTINGS_TIMES},
	{"extra_float_digits", "1", SETTINGS_FLOATS},
	{"bytea_output", "hex", SETTINGS_BYTES},
	{"array_nulls", "on", SETTINGS_OTHER},
	{"transform_null_equals", "off", SETTINGS_OTHER},
	{"standard_conforming_strings", "on", SETTINGS_OTHER},
	{"row_security", "on", SETTINGS_OTHER},
	{"jit", "off", SETTINGS_OTHER},
	{"lock_timeout", "0", SETTINGS_REFUSE},
	{"exit_on_error", "off", SETTINGS_REFUSE},
};

/*
 * Settings outside of the groups below that change a result or a plan, or show
 * the session what queries are made of
 */
static const char *const others[] = {
	"check_function_bodies", "debug_print_parse", "debug_print_plan", "debug_print_rewritten",
	"default_toast_compression", "gin_fuzzy_search_limit",
	"hash_mem_multiplier", "restrict_nonsystem_relation_kind", "work_mem",
	"xmlbinary", "xmloption",
};

/* Server settings of the session that are to be as the server has them */
static struct config_generic **watched = NULL;
static int	nwatched = 0;

/* Those of them that are taken back alone */
typedef struct WatchedSetting
{
	const char *name;
	int			changes;		/* SETTINGS_... */
	struct config_generic *record;
} WatchedSetting;

static WatchedSetting alone[] =
{
	{
		"timezone_abbreviations", SETTINGS_ZONES, NULL
	},
	{
		"gin_fuzzy_search_limit", SETTINGS_ROWS, NULL
	},
	{
		"hash_mem_multiplier", SETTINGS_ROWS, NULL
	},
	{
		"synchronize_seqscans", SETTINGS_ROWS, NULL
	},
	{
		"work_mem", SETTINGS_ROWS, NULL
	},
};

#if PG_VERSION_NUM >= 160000
/* Names of extensions' settings, which move */
static char **extension_names = NULL;
static int	nextension_names = 0;
#endif

/*
 * Settings by which code of a policy's would end the session of whoever waits for
 * it: an error that is no more to be caught, a time after which there is none.
 */
static GucBoolCheckHook check_exit_on_error = NULL;
#if PG_VERSION_NUM >= 170000
static GucIntCheckHook check_transaction_timeout = NULL;
#endif

/* By which it would draw the session's random numbers, as setseed() does */
static GucRealCheckHook check_seed = NULL;

/* By which it would tell a client what that can't read */
static GucEnumCheckHook check_client_messages = NULL;

/* A function's own, by which a session's types would hide the server's */
static GucStringCheckHook check_path = NULL;

/* The server's records of "fixed" */
static struct config_generic *fixed_records[lengthof(fixed)];

static bool
IsFixed(const char *setting)
{
	for (int i = 0; i < lengthof(fixed); i++)
		if (pg_strcasecmp(fixed[i].name, setting) == 0)
			return true;
	return false;
}

static bool
IsWatched(struct config_generic *setting)
{
	if (setting->context != PGC_USERSET || IsFixed(setting->name))
		return false;
	switch (setting->group)
	{
		case QUERY_TUNING_METHOD:
		case QUERY_TUNING_COST:
		case QUERY_TUNING_GEQO:
		case QUERY_TUNING_OTHER:
		case COMPAT_OPTIONS_PREVIOUS:
		case COMPAT_OPTIONS_OTHER:
		case DEVELOPER_OPTIONS:
			return true;
		case CLIENT_CONN_LOCALE:
			return strcmp(setting->name, "client_encoding") != 0 &&
				strcmp(setting->name, "lc_messages") != 0;
		default:
			for (int i = 0; i < lengthof(others); i++)
				if (strcmp(others[i], setting->name) == 0)
					return true;
			return false;
	}
}

static struct config_generic **
AllSettings(int *n)
{
#if PG_VERSION_NUM >= 160000
	return get_guc_variables(n);
#else
	*n = GetNumConfigOptions();
	return get_guc_variables();
#endif
}

/* May a setting not be set?  As PostgreSQL answers for "role" */
static bool
IsRefused(const char *setting, bool refused)
{
	if (!refused)
		return false;
	GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
	GUC_check_errmsg("cannot set parameter \"%s\" within security-restricted operation", setting);
	return true;
}

static bool
CheckExitOnError(bool *value, void **extra, GucSource source)
{
	if (IsRefused("exit_on_error", *value && InSecurityRestrictedOperation()))
		return false;
	return check_exit_on_error == NULL || check_exit_on_error(value, extra, source);
}

#if PG_VERSION_NUM >= 170000
static bool
CheckTransactionTimeout(int *value, void **extra, GucSource source)
{
	/* To switch it off would have it begin anew on the way back. */
	if (IsRefused("transaction_timeout", *value != TransactionTimeout && InSecurityRestrictedOperation()))
		return false;
	return check_transaction_timeout == NULL || check_transaction_timeout(value, extra, source);
}
#endif

static bool
CheckSeed(double *value, void **extra, GucSource source)
{
	if (IsRefused("seed", source >= PGC_S_INTERACTIVE && InOwnersCode()))
		return false;
	return check_seed == NULL || check_seed(value, extra, source);
}

/* Does a path name the session's temporary schema?  What is no list the server refuses. */
static bool
NamesTemp(const char *search_path)
{
	size_t		length = strlen(search_path);
	char	   *copy;
	List	   *names;
	ListCell   *lc;
	bool		found;

	/* as nearly all do: the last, without quotes */
	if (length >= strlen(", pg_temp") && strchr(search_path, '"') == NULL &&
		strcmp(search_path + length - strlen(", pg_temp"), ", pg_temp") == 0)
		return true;
	copy = pstrdup(search_path);
	found = !SplitIdentifierString(copy, ',', &names);
	foreach(lc, names)
		found = found || strcmp(lfirst(lc), "pg_temp") == 0;
	list_free(names);
	pfree(copy);
	return found;
}

static char *
AppendTemp(const char *search_path)
{
	bool		empty = search_path[strspn(search_path, " \t\n\r\f")] == '\0';

	return psprintf("%s%spg_temp", search_path, empty ? "" : ", ");
}

/* A session's temporary tables and types hide others' where they are not named last. */
char	   *
WithTempLast(const char *search_path)
{
	return NamesTemp(search_path) ? pstrdup(search_path) : AppendTemp(search_path);
}

/* What an owner's function sets, as SET search_path = '' does, is no other than the policy's. */
static bool
CheckSearchPath(char **value, void **extra, GucSource source)
{
	if (*value && InOwnersCode() && !NamesTemp(*value))
	{
		char	   *path = guc_strdup(LOG, AppendTemp(*value));

		if (path == NULL)
			return false;
		guc_free(*value);
		*value = path;
	}
	return check_path == NULL || check_path(value, extra, source);
}

/*
 * Has the client's encoding every character of the server's?  Else what is told to
 * the client is an error where it has not.
 */
static bool
ClientHasAllCharacters(void)
{
	int			client = pg_get_client_encoding();
	int			server = GetDatabaseEncoding();

	return client == server || client == PG_SQL_ASCII || (client == PG_UTF8 && server != PG_SQL_ASCII);
}

/* So it is for what an owner's function sets for itself (EnterRestricted()). */
static bool
CheckClientMessages(int *value, void **extra, GucSource source)
{
	if (*value < ERROR && InOwnersCode() && !ClientHasAllCharacters())
		*value = ERROR;
	return check_client_messages == NULL || check_client_messages(value, extra, source);
}

/* Have them refused to what runs restricted, or changed for it; once. */
static void
GuardSessions(struct config_generic *setting)
{
	if (strcmp(setting->name, "exit_on_error") == 0)
	{
		struct config_bool *record = (struct config_bool *) setting;

		check_exit_on_error = record->check_hook;
		record->check_hook = CheckExitOnError;
	}
	if (strcmp(setting->name, "seed") == 0)
	{
		struct config_real *record = (struct config_real *) setting;

		check_seed = record->check_hook;
		record->check_hook = CheckSeed;
	}
	if (strcmp(setting->name, "client_min_messages") == 0)
	{
		struct config_enum *record = (struct config_enum *) setting;

		check_client_messages = record->check_hook;
		record->check_hook = CheckClientMessages;
	}
	if (strcmp(setting->name, "search_path") == 0)
	{
		struct config_string *record = (struct config_string *) setting;

		check_path = record->check_hook;
		record->check_hook = CheckSearchPath;
	}
#if PG_VERSION_NUM >= 170000
	if (strcmp(setting->name, "transaction_timeout") == 0)
	{
		struct config_int *record = (struct config_int *) setting;

		check_transaction_timeout = record->check_hook;
		record->check_hook = CheckTransactionTimeout;
	}
#endif
}

/*
 * Look the server's settings up, once: they stay where they are.  An owner's code
 * runs where none is looked at, too (owner.c).
 */
void
SecurityInit(void)
{
	int			n;
	struct config_generic **all = AllSettings(&n);

	watched = MemoryContextAlloc(TopMemoryContext, n * sizeof(*watched));
	for (int i = 0; i < n; i++)
	{
		if (all[i]->group == CUSTOM_OPTIONS)
			continue;
		GuardSessions(all[i]);
		if (IsWatched(all[i]))
			watched[nwatched++] = all[i];
		for (int f = 0; f < lengthof(fixed); f++)
			if (pg_strcasecmp(fixed[f].name, all[i]->name) == 0)
				fixed_records[f] = all[i];
		for (int a = 0; a < lengthof(alone); a++)
			if (pg_strcasecmp(alone[a].name, all[i]->name) == 0)
				alone[a].record = all[i];
	}
}

static bool
IsOfExtension(struct config_generic *setting)
{
	return setting->group == CUSTOM_OPTIONS && setting->context == PGC_USERSET &&
		!(setting->flags & GUC_CUSTOM_PLACEHOLDER) &&
		strncmp(setting->name, "assay.", strlen("assay.")) != 0;
}

/*
 * Note which settings the extensions have, as pg_trgm's threshold of "%".
 * Called when a policy was compiled: then the libraries of its functions are
 * loaded.  They move when their library is loaded, so that names are kept.
 * Names without a library behind them mean nothing but to who asks for them.
 * PostgreSQL 15 has no way to find a setting by its name, but a cheap one to
 * look at all of them.
 */
void
NoteExtensionSettings(void)
{
#if PG_VERSION_NUM >= 160000
	int			n;
	struct config_generic **all = AllSettings(&n);

	for (int i = 0; i < nextension_names; i++)
		pfree(extension_names[i]);
	nextension_names = 0;
	if (extension_names)
		pfree(extension_names);
	extension_names = NULL;
	extension_names = MemoryContextAlloc(TopMemoryContext, n * sizeof(char *));
	for (int i = 0; i < n; i++)
		if (IsOfExtension(all[i]))
			extension_names[nextension_names++] = MemoryContextStrdup(TopMemoryContext, all[i]->name);
	pfree(all);
#endif
}

static void
Set(const char *setting, const char *value, GucSource source)
{
	(void) set_config_option(setting, value, PGC_USERSET, source,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* The built-in default of a setting, as text */
static const char *
BuiltIn(struct config_generic *setting)
{
	switch (setting->vartype)
	{
		case PGC_BOOL:
			return ((struct config_bool *) setting)->boot_val ? "on" : "off";
		case PGC_INT:
			return psprintf("%d", ((struct config_int *) setting)->boot_val);
		case PGC_REAL:
			return psprintf("%.17g", ((struct config_real *) setting)->boot_val);
		case PGC_STRING:
			return ((struct config_string *) setting)->boot_val;
		case PGC_ENUM:
			return config_enum_lookup_by_value((struct config_enum *) setting,
											   ((struct config_enum *) setting)->boot_val);
	}
	return NULL;
}

/* Did it come with this session, rather than from the server's files? */
static inline bool
IsOfSession(GucSource source)
{
	return source > PGC_S_DATABASE;
}

/* Is the text form of values as it is fixed?  The cheap part of the question */
static bool
FixedHasValue(int i)
{
	struct config_generic *setting = fixed_records[i];

	switch (setting->vartype)
	{
		case PGC_BOOL:
			return *((struct config_bool *) setting)->variable ==
				(strcmp(fixed[i].value, "on") == 0);
		case PGC_INT:
			return *((struct config_int *) setting)->variable == atoi(fixed[i].value);
		case PGC_STRING:
			return strcmp(*((struct config_string *) setting)->variable, fixed[i].value) == 0;
		case PGC_ENUM:
			return strcmp(config_enum_lookup_by_value((struct config_enum *) setting,
													  *((struct config_enum *) setting)->variable),
						  fixed[i].value) == 0;
		default:
			return false;
	}
}

/* Begin a nest level of settings, once. */
static void
BeginSettings(Security *s)
{
	if (s->nestlevel == 0)
		s->nestlevel = NewGUCNestLevel();
}

/*
 * A client may have LOG and DEBUG shown to it, where auto_explain writes the
 * plans of what runs inside: that is the server log's alone.  So is what the
 * policy's code tells, where the client might not be able to read it.
 */
static void
EnterRestricted(Security *s, Oid userid)
{
	GetUserIdAndSecContext(&s->userid, &s->context);
	SetUserIdAndSecContext(userid, s->context | SECURITY_GUARDED);
	s->hidden = HideSession();
	s->nestlevel = 0;
	if (unlikely(client_min_messages < ERROR && !ClientHasAllCharacters()))
	{
		BeginSettings(s);
		Set("client_min_messages", "error", PGC_S_SESSION);
	}
	else if (unlikely(client_min_messages < NOTICE))
	{
		BeginSettings(s);
		Set("client_min_messages", "notice", PGC_S_SESSION);
	}
}

/* Give the fixed settings of these kinds their values. */
static void
FixSettings(Security *s, int kinds)
{
	for (int i = 0; i < lengthof(fixed); i++)
		if ((fixed[i].changes & kinds) && fixed_records[i] && !FixedHasValue(i))
		{
			BeginSettings(s);
			Set(fixed[i].name, fixed[i].value, PGC_S_SESSION);
		}
}

/* The server's value of a setting, or the built-in one where that is hidden */
static void
TakeBack(Security *s, struct config_generic *setting)
{
	BeginSettings(s);
	Set(setting->name, IsOfSession(setting->reset_source) ? BuiltIn(setting) : NULL,
		PGC_S_SESSION);
}

/*
 * What is immutable for PostgreSQL, though settings show in it: the text form of
 * some types.
 */
int
SettingsOfText(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			item = get_element_type(base);
	Oid			output;
	bool		is_varlena;

	switch (base)
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
			return SETTINGS_TIMES;
		case FLOAT4OID:
		case FLOAT8OID:
		case POINTOID:
		case LSEGOID:
		case PATHOID:
		case BOXOID:
		case POLYGONOID:
		case LINEOID:
		case CIRCLEOID:
			return SETTINGS_FLOATS;
		case BYTEAOID:
			return SETTINGS_BYTES;
		default:
			break;
	}
	getTypeOutputInfo(base, &output, &is_varlena);
	if (OidIsValid(item) && output == F_ARRAY_OUT)
		return SettingsOfText(item);
	/* Another extension's may be written as settings say, as cube's numbers. */
	if (func_volatile(output) != PROVOLATILE_IMMUTABLE ||
		(output >= FirstUnpinnedObjectId && !SchemaIsOurs(get_func_namespace(output))))
		return SETTINGS_ALL;
	return 0;
}

/*
 * Functions that settings show in, though they are immutable: months and days between
 * times, which the time zone tells; names of zones, which may be abbreviations; and
 * "quote_all_identifiers".  Output functions, called by their names, are known by
 * what they give.
 */
static int
SettingsOfImmutable(Oid function)
{
	switch (function)
	{
		case F_AGE_TIMESTAMPTZ_TIMESTAMPTZ:
			return SETTINGS_TIMES;
		case F_TIMEZONE_TEXT_TIMESTAMP:
		case F_TIMEZONE_TEXT_TIMESTAMPTZ:
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT:
#if PG_VERSION_NUM >= 160000
		case F_DATE_ADD_TIMESTAMPTZ_INTERVAL_TEXT:
		case F_DATE_SUBTRACT_TIMESTAMPTZ_INTERVAL_TEXT:
		case F_GENERATE_SERIES_TIMESTAMPTZ_TIMESTAMPTZ_INTERVAL_TEXT:
#endif
#if PG_VERSION_NUM >= 180000
			/* The session's own zone tells first what an abbreviation is. */
			return SETTINGS_ZONES | SETTINGS_TIMES;
#else
			return SETTINGS_ZONES;
#endif
		case F_QUOTE_IDENT:
			return SETTINGS_ALL;
		default:
			return get_func_rettype(function) == CSTRINGOID ? SETTINGS_ALL : 0;
	}
}

static bool
CollectSettingsOf(Oid function, void *context)
{
	*(int *) context |= SettingsOfImmutable(function);
	return false;
}

/* The same for an expression's node: of itself, not of what it is made of */
int
SettingsOfNode(Node *node)
{
	int			settings = 0;

	/* The functions of a cast are its own. */
	if (IsA(node, CoerceViaIO))
		return SettingsOfText(exprType((Node *) ((CoerceViaIO *) node)->arg));
	if (HidesFunctions(node))
		return SETTINGS_ALL;
	(void) check_functions_in_node(node, CollectSettingsOf, &settings);
	return settings;
}

/*
 * Functions of the server's that are stable for the time zone alone, in which a
 * moment has a date and an hour, or for being the transaction's time.
 */
int
SettingsOfStable(Oid function)
{
	switch (function)
	{
		case F_NOW:
			return 0;
		case F_DATE_TIMESTAMPTZ:
		case F_TIMESTAMP_TIMESTAMPTZ:
		case F_TIMESTAMPTZ_TIMESTAMP:
		case F_TIMESTAMPTZ_DATE:
		case F_EXTRACT_TEXT_TIMESTAMPTZ:
		case F_DATE_PART_TEXT_TIMESTAMPTZ:
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
		case F_TIMESTAMPTZ_PL_INTERVAL:
		case F_TIMESTAMPTZ_MI_INTERVAL:
			return SETTINGS_TIMES;
		default:
			return SETTINGS_ALL;
	}
}

/* Take back what the session has set; mostly nothing. */
static void
TakeBackSettings(Security *s)
{
	for (int i = 0; i < nwatched; i++)
	{
		struct config_generic *setting = watched[i];

		if (unlikely(IsOfSession(setting->source)))
			TakeBack(s, setting);
	}
}

/* The same for what is taken back alone */
static void
TakeBackAlone(Security *s, int kinds)
{
	for (int i = 0; i < lengthof(alone); i++)
		if ((alone[i].changes & kinds) && alone[i].record && IsOfSession(alone[i].record->source))
			TakeBack(s, alone[i].record);
}

/* Take back what the session has set of the extensions' settings. */
static void
TakeBackExtensions(Security *s)
{
#if PG_VERSION_NUM >= 160000
	for (int i = 0; i < nextension_names; i++)
	{
		struct config_generic *setting = find_option(extension_names[i], false, true, 0);

		if (setting && IsOfSession(setting->source))
			TakeBack(s, setting);
	}
#else
	int			n;
	struct config_generic **all = AllSettings(&n);

	for (int i = 0; i < n; i++)
		if (IsOfSession(all[i]->source) && IsOfExtension(all[i]))
			TakeBack(s, all[i]);
#endif
}

static void
SetSearchPath(Security *s, const char *search_path)
{
	if (strcmp(namespace_search_path, search_path) == 0)
		return;
	BeginSettings(s);
	Set("search_path", search_path, PGC_S_SESSION);
}

/*
 * To parse, plan or run anything that the owner of a policy answers for: what
 * that sets goes on the way back, where nothing had to be set here, too.
 */
void
EnterOwner(Security *s, Oid owner, const char *search_path)
{
	EnterRestricted(s, owner);
	BeginSettings(s);
	SetSearchPath(s, search_path);
	FixSettings(s, SETTINGS_ALL);
	TakeBackSettings(s);
	TakeBackExtensions(s);
}

/*
 * To evaluate a row by compiled conditions: nothing is set that can't matter.
 * Without a search_path no condition calls code that looks names up; settings:
 * those that show, in some evidence or in what a condition casts to text.
 */
void
EnterToEvaluate(Security *s, Oid owner, const char *search_path, int settings)
{
	if (search_path)
	{
		EnterOwner(s, owner, search_path);
		return;
	}
	EnterRestricted(s, owner);
	if (settings)
		FixSettings(s, settings);
	if (settings == SETTINGS_ALL)
	{
		TakeBackSettings(s);
		TakeBackExtensions(s);
	}
	else if (settings)
		TakeBackAlone(s, settings);
}

/*
 * To write a row by a statement that runs nothing of anybody's, and whose plan
 * no setting changes: only that none refuses it.  Without a statement there is
 * nothing that a search_path, which is NULL then, would be for.
 */
void
EnterToWrite(Security *s, Oid owner, const char *search_path)
{
	EnterRestricted(s, owner);
	if (search_path)
		SetSearchPath(s, search_path);
	FixSettings(s, SETTINGS_REFUSE);
}

/*
 * Milliseconds that may be waited for a lock: three quarters of what is left until
 * a timeout of the session's that is running, which would end the statement.
 */
int64
TimeLeft(void)
{
	static const TimeoutId timeouts[] = {
		STATEMENT_TIMEOUT,
#if PG_VERSION_NUM >= 170000
		TRANSACTION_TIMEOUT,
#endif
	};
	int64		left = PG_INT64_MAX;

	for (int i = 0; i < lengthof(timeouts); i++)
		if (get_timeout_active(timeouts[i]))
			left = Min(left, TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															 get_timeout_finish_time(timeouts[i])) * 3 / 4);
	return left;
}

/*
 * Until the way back, to wait for a lock no longer than so many milliseconds, nor
 * longer than the session's timeouts allow; 0: no limit
 */
void
WaitNoLonger(Security *s, int ms)
{
	BeginSettings(s);
	if (ms > 0)
		ms = Max(Min(ms, TimeLeft()), 1);
	Set("lock_timeout", psprintf("%d", ms), PGC_S_SESSION);
}

/* To read and write the configuration, as its owner */
void
EnterConfiguration(Security *s)
{
	Oid			relid = ConfigurationRelid();
	Oid			owner = RelationOwner(relid);

	if (!OidIsValid(owner))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	EnterRestricted(s, owner);
	SetSearchPath(s, "pg_catalog, pg_temp");
	FixSettings(s, SETTINGS_ALL);
	TakeBackSettings(s);
}

/* To read a user's tables with the rights that the caller has */
void
EnterCaller(Security *s)
{
	EnterOwner(s, GetUserId(), "pg_catalog, pg_temp");
}

void
LeaveSecurity(Security *s)
{
	ShowSession(s->hidden);
	if (s->nestlevel > 0)
		AtEOXact_GUC(false, s->nestlevel);
	SetUserIdAndSecContext(s->userid, s->context);
}

/* One statement that writes a table of the configuration, as its owner */
void
WriteConfiguration(const char *table, const char *sql, int nargs, Oid *types,
				   Datum *values, const char *nulls)
{
	Security	security;

	EnterConfiguration(&security);
	SPI_connect();
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0) < 0)
		elog(ERROR, "could not write assay_internal.%s", table);
	SPI_finish();
	LeaveSecurity(&security);
}

Oid
ConfigurationRelid(void)
{
	Oid			schema = get_namespace_oid("assay", true);
	Oid			relid = OidIsValid(schema) ? get_relname_relid("policy", schema) : InvalidOid;

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("extension \"pg_assay\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION pg_assay.")));
	return relid;
}

/*
 * How loud a trouble of the policy is: its owner is told, and of whoever else
 * is in the session only the log hears what the policy is made of: a client may
 * have LOG shown to it.
 */
int
NoticeLevel(Oid owner)
{
	return OidIsValid(owner) && has_privs_of_role(GetOuterUserId(), owner) ? WARNING : LOG_SERVER_ONLY;
}
