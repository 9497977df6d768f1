/*
 * attribution.c
 *		The type "attribution": the ledger of one decision.
 *
 * A ledger names its detectors and signals, so that it can be read years
 * later, on another server, when the policy is gone.  attribution.h draws the
 * bytes.  Everything that enters by in or recv passes CheckAttribution(), and
 * the readers below check each length again, so that stored bytes are never
 * trusted as an offset.
 */
#include "postgres.h"

#include <math.h>

#include "attribution.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "compat.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pieces.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

typedef struct EvidenceReader
{
	Span		name;
	bool		isnull;
	Span		value;
	double		contribution;
} EvidenceReader;

/* One state behind the entries */
typedef struct StateReader
{
	uint8		kind;
	Span		name;
	int64		state;
} StateReader;

static const char *const kind_names[] = {"rule", "model", "exclusion", "signals"};
static const char *const set_names[] = {"list", "phrases", "text_model"};

/*
 * Building
 */

static void
AppendDouble(StringInfo buf, double d)
{
	appendBinaryStringInfo(buf, (char *) &d, sizeof(d));
}

/*
 * Start a ledger.  The builder's buffer is made in the current memory context
 * at its first use, and kept from then on.
 */
void
AttributionBegin(AttributionBuilder *b)
{
	if (b->buf.data == NULL)
		initStringInfo(&b->buf);
	else
		resetStringInfo(&b->buf);
	b->nentries = 0;
	b->nevidence = 0;
	b->nstates = 0;
	appendStringInfoSpaces(&b->buf, offsetof(Attribution, entries));
}

void
AttributionEntry(AttributionBuilder *b, AttributionKind kind, uint8 flags,
				 const char *name, double contribution, const char *muted_by,
				 const char *verdict, const char *sqlstate)
{
	if (b->nentries >= ATTRIBUTION_ENTRIES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an attribution cannot have more than %d entries",
						ATTRIBUTION_ENTRIES_MAX)));
	flags &= ~(ATTRIBUTION_MUTED | ATTRIBUTION_FORCED | ATTRIBUTION_FAULT);
	flags |= (muted_by ? ATTRIBUTION_MUTED : 0) |
		(verdict ? ATTRIBUTION_FORCED : 0) | (sqlstate ? ATTRIBUTION_FAULT : 0);

	appendStringInfoChar(&b->buf, (char) kind);
	appendStringInfoChar(&b->buf, (char) flags);
	b->evidence_at = b->buf.len;
	b->nevidence = 0;
	b->is_model = (kind == ATTRIBUTION_MODEL);
	appendStringInfoChar(&b->buf, 0);
	AppendDouble(&b->buf, contribution);
	AppendPiece(&b->buf, name, strlen(name));
	if (muted_by)
		AppendPiece(&b->buf, muted_by, strlen(muted_by));
	if (verdict)
		AppendPiece(&b->buf, verdict, strlen(verdict));
	if (sqlstate)
		AppendPiece(&b->buf, sqlstate, strlen(sqlstate));
	b->nentries++;
}

/*
 * Add a signal's value to the entry made last; value NULL is SQL NULL.
 */
void
AttributionEvidence(AttributionBuilder *b, const char *name,
					const char *value, int len, double contribution)
{
	if (b->nevidence >= ATTRIBUTION_EVIDENCE_MAX)
		return;
	AppendPiece(&b->buf, name, strlen(name));
	appendStringInfoChar(&b->buf, value != NULL);
	if (value)
		AppendPiece(&b->buf, value, len);
	if (b->is_model)
		AppendDouble(&b->buf, contribution);
	b->buf.data[b->evidence_at] = (char) ++b->nevidence;
}

/*
 * Add in which state a list, phrase set or text model was; after the entries.
 */
void
AttributionState(AttributionBuilder *b, AttributionSet kind, const char *name, int64 state)
{
	uint64		rest = (uint64) state;

	if (b->nstates >= ATTRIBUTION_STATES_MAX)
		return;
	if (b->nstates == 0)
	{
		b->states_at = b->buf.len;
		appendStringInfoChar(&b->buf, 0);
	}
	appendStringInfoChar(&b->buf, (char) kind);
	for (; rest >= 0x80; rest >>= 7)
		appendStringInfoChar(&b->buf, (char) (0x80 | (rest & 0x7f)));
	appendStringInfoChar(&b->buf, (char) rest);
	AppendPiece(&b->buf, name, strlen(name));
	b->buf.data[b->states_at] = (char) ++b->nstates;
}

/*
 * The finished ledger, palloc'd in the current memory context.
 */
Attribution *
AttributionFinish(AttributionBuilder *b, int revision, double prior,
				  double margin, bool degraded)
{
	Attribution *a = palloc(b->buf.len);

	memcpy(a, b->buf.data, b->buf.len);
	SET_VARSIZE(a, b->buf.len);
	a->version = ATTRIBUTION_VERSION;
	a->flags = (degraded ? ATTRIBUTION_DEGRADED : 0) | (b->nstates > 0 ? ATTRIBUTION_STATES : 0);
	a->nentries = b->nentries;
	a->revision = revision;
	a->prior = prior;
	a->margin = margin;
	return a;
}

/*
 * Reading
 *
 * Each reader advances *p, and returns false where the bytes end too early or
 * can't be.
 */

static bool
ReadBytes(const char **p, const char *end, void *to, size_t n)
{
	if ((size_t) (end - *p) < n)
		return false;
	memcpy(to, *p, n);
	*p += n;
	return true;
}

static bool
ReadSpan(const char **p, const char *end, Span *s)
{
	return ReadPiece(p, end, &s->data, &s->len);
}

static bool
ReadEntry(const char **p, const char *end, EntryReader *e)
{
	e->muted_by.data = e->verdict.data = e->sqlstate.data = NULL;
	if (!ReadBytes(p, end, &e->kind, 1) || e->kind > ATTRIBUTION_KIND_MAX ||
		!ReadBytes(p, end, &e->flags, 1) || (e->flags & ~ATTRIBUTION_FLAGS) ||
		!ReadBytes(p, end, &e->nevidence, 1) ||
		!ReadBytes(p, end, &e->contribution, sizeof(double)) ||
		!isfinite(e->contribution) ||
		!ReadSpan(p, end, &e->name))
		return false;
	if ((e->flags & ATTRIBUTION_MUTED) && !ReadSpan(p, end, &e->muted_by))
		return false;
	if ((e->flags & ATTRIBUTION_FORCED) && !ReadSpan(p, end, &e->verdict))
		return false;
	if ((e->flags & ATTRIBUTION_FAULT) && !ReadSpan(p, end, &e->sqlstate))
		return false;
	return true;
}

static bool
ReadEvidence(const char **p, const char *end, const EntryReader *e,
			 EvidenceReader *v)
{
	uint8		present;

	v->contribution = 0;
	v->value.data = NULL;
	v->value.len = 0;
	if (!ReadSpan(p, end, &v->name) || !ReadBytes(p, end, &present, 1) ||
		present > 1)
		return false;
	v->isnull = !present;
	if (present && !ReadSpan(p, end, &v->value))
		return false;
	if (e->kind == ATTRIBUTION_MODEL &&
		(!ReadBytes(p, end, &v->contribution, sizeof(double)) ||
		 !isfinite(v->contribution)))
		return false;
	return true;
}

static void
Corrupt(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("attribution is corrupted")));
}

/* How many states follow the entries, behind which *p stands */
static bool
ReadStateCount(const char **p, const char *end, const Attribution *a, uint8 *n)
{
	*n = 0;
	if (!(a->flags & ATTRIBUTION_STATES))
		return true;
	return ReadBytes(p, end, n, 1) && *n > 0;
}

static bool
ReadState	(const char **p, const char *end, StateReader *s)
{
	uint64		state = 0;
	uint8		byte = 0x80;

	if (!ReadBytes(p, end, &s->kind, 1) || s->kind > ATTRIBUTION_SET_MAX)
		return false;
	for (int shift = 0; byte & 0x80; shift += 7)
	{
		/* nine bytes hold all that a state can be */
		if (shift > 56 || !ReadBytes(p, end, &byte, 1))
			return false;
		state |= (uint64) (byte & 0x7f) << shift;
	}
	s->state = (int64) state;
	return ReadSpan(p, end, &s->name);
}

/* Go behind the entries, to the states; error where the bytes can't be. */
static uint8
SkipToStates(const char **p, const char *end, const Attribution *a)
{
	uint8		n;

	for (int i = 0; i < a->nentries; i++)
	{
		EntryReader e;

		if (!ReadEntry(p, end, &e))
			Corrupt();
		for (int j = 0; j < e.nevidence; j++)
		{
			EvidenceReader v;

			if (!ReadEvidence(p, end, &e, &v))
				Corrupt();
		}
	}
	if (!ReadStateCount(p, end, a, &n))
		Corrupt();
	return n;
}

static bool
SpanIsText(const Span *s)
{
	return s->data == NULL || pg_verify_mbstr(GetDatabaseEncoding(), s->data,
											  s->len, true);
}

/*
 * Is it a ledger, byte for byte?  Called on all that comes from outside.
 */
static bool
CheckAttribution(const Attribution *a)
{
	const char *p = a->entries;
	const char *end = (const char *) a + VARSIZE(a);
	uint8		nstates;

	if (VARSIZE(a) < offsetof(Attribution, entries) ||
		a->version != ATTRIBUTION_VERSION ||
		(a->flags & ~(ATTRIBUTION_DEGRADED | ATTRIBUTION_STATES)) || a->revision < 0 ||
		!isfinite(a->prior) || !isfinite(a->margin))
		return false;
	for (int i = 0; i < a->nentries; i++)
	{
		EntryReader e;

		if (!ReadEntry(&p, end, &e) || !SpanIsText(&e.name) ||
			!SpanIsText(&e.muted_by) || !SpanIsText(&e.verdict) ||
			!SpanIsText(&e.sqlstate))
			return false;
		for (int j = 0; j < e.nevidence; j++)
		{
			EvidenceReader v;

			if (!ReadEvidence(&p, end, &e, &v) || !SpanIsText(&v.name) ||
				!SpanIsText(&v.value))
				return false;
		}
	}
	if (!ReadStateCount(&p, end, a, &nstates))
		return false;
	for (int i = 0; i < nstates; i++)
	{
		StateReader state;

		if (!ReadState(&p, end, &state) || !SpanIsText(&state.name))
			return false;
	}
	return p == end;
}

/* An argument: has at least a header, and is of our version. */
Attribution *
ReadAttribution(Attribution *a)
{
	if (VARSIZE(a) < offsetof(Attribution, entries) || a->version != ATTRIBUTION_VERSION)
		Corrupt();
	return a;
}

/* Begin to go through the entries of a value that ReadAttribution() passed. */
void
LedgerBegin(LedgerReader *r, const Attribution *a)
{
	r->p = a->entries;
	r->end = (const char *) a + VARSIZE(a);
	r->left = a->nentries;
	r->states = (a->flags & ATTRIBUTION_STATES) != 0;
}

/*
 * The next entry, or false behind the last: error where the bytes can't be a
 * ledger's.  Its strings are of any bytes.
 */
bool
LedgerNext(LedgerReader *r, EntryReader *e)
{
	const char *p = r->p;

	if (r->left == 0)
	{
		if (p != r->end && !r->states)
			Corrupt();
		return false;
	}
	if (!ReadEntry(&p, r->end, e))
		Corrupt();
	for (int i = 0; i < e->nevidence; i++)
	{
		EvidenceReader v;

		if (!ReadEvidence(&p, r->end, e, &v))
			Corrupt();
	}
	r->p = p;
	r->left--;
	return true;
}

/* A name that leaves its ledger as text: error where it isn't any. */
void
CheckLedgerName(const Span *name)
{
	if (!SpanIsText(name))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("attribution is corrupted"),
				 errdetail("The name of an entry is not valid in the encoding of the database.")));
}

/*
 * Text form
 */

static void
AppendJsonSpan(StringInfo out, const Span *s)
{
	char	   *copy = pnstrdup(s->data, s->len);

	escape_json(out, copy);
	pfree(copy);
}

static void
AppendJsonDouble(StringInfo out, double d)
{
	char		buf[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(d, buf);
	appendStringInfoString(out, buf);
}

/*
 * The evidence of an entry: [["name", value], ...], for a model with a third
 * element, the contribution.  Arrays keep their order through jsonb, objects
 * do not; "object" makes the {"name": value, ...} that ledger() shows of a rule.
 */
static void
AppendEvidenceJson(StringInfo out, const EntryReader *e, const char **p,
				   const char *end, bool object)
{
	bool		model = (e->kind == ATTRIBUTION_MODEL);

	object = object && !model;
	appendStringInfoChar(out, object ? '{' : '[');
	for (int j = 0; j < e->nevidence; j++)
	{
		EvidenceReader v;

		if (!ReadEvidence(p, end, e, &v))
			Corrupt();
		if (j > 0)
			appendStringInfoString(out, ", ");
		if (!object)
			appendStringInfoChar(out, '[');
		AppendJsonSpan(out, &v.name);
		appendStringInfoString(out, object ? ": " : ", ");
		if (v.isnull)
			appendStringInfoString(out, "null");
		else
			AppendJsonSpan(out, &v.value);
		if (model)
		{
			appendStringInfoString(out, ", ");
			AppendJsonDouble(out, v.contribution);
		}
		if (!object)
			appendStringInfoChar(out, ']');
	}
	appendStringInfoChar(out, object ? '}' : ']');
}

/* , "states": [["list", "blocked", 7], ...] */
static void
AppendStatesJson(StringInfo out, const Attribution *a, const char *p, const char *end)
{
	uint8		n;

	if (!ReadStateCount(&p, end, a, &n))
		Corrupt();
	for (int i = 0; i < n; i++)
	{
		StateReader s;

		if (!ReadState(&p, end, &s))
			Corrupt();
		appendStringInfo(out, "%s[\"%s\", ", i == 0 ? ", \"states\": [" : ", ", set_names[s.kind]);
		AppendJsonSpan(out, &s.name);
		appendStringInfo(out, ", " INT64_FORMAT "]", s.state);
	}
	if (n > 0)
		appendStringInfoChar(out, ']');
}

PG_FUNCTION_INFO_V1(attribution_out);
Datum
attribution_out(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	const char *p = a->entries;
	const char *end = (const char *) a + VARSIZE(a);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"revision\": %d, \"prior\": ", a->revision);
	AppendJsonDouble(&out, a->prior);
	appendStringInfoString(&out, ", \"margin\": ");
	AppendJsonDouble(&out, a->margin);
	if (a->flags & ATTRIBUTION_DEGRADED)
		appendStringInfoString(&out, ", \"degraded\": true");
	appendStringInfoString(&out, ", \"entries\": [");
	for (int i = 0; i < a->nentries; i++)
	{
		EntryReader e;

		if (!ReadEntry(&p, end, &e))
			Corrupt();
		appendStringInfoString(&out, i > 0 ? ", {\"detector\": " : "{\"detector\": ");
		AppendJsonSpan(&out, &e.name);
		appendStringInfo(&out, ", \"kind\": \"%s\", \"contribution\": ",
						 kind_names[e.kind]);
		AppendJsonDouble(&out, e.contribution);
		if (e.flags & ATTRIBUTION_HIT)
			appendStringInfoString(&out, ", \"hit\": true");
		if (e.flags & ATTRIBUTION_SHADOW)
			appendStringInfoString(&out, ", \"shadow\": true");
		if (e.flags & ATTRIBUTION_SUSPENDED)
			appendStringInfoString(&out, ", \"suspended\": true");
		if (e.muted_by.data)
		{
			appendStringInfoString(&out, ", \"muted_by\": ");
			AppendJsonSpan(&out, &e.muted_by);
		}
		if (e.verdict.data)
		{
			appendStringInfoString(&out, ", \"forced\": ");
			AppendJsonSpan(&out, &e.verdict);
		}
		if (e.sqlstate.data)
		{
			appendStringInfoString(&out, ", \"fault\": ");
			AppendJsonSpan(&out, &e.sqlstate);
		}
		if (e.nevidence > 0)
		{
			appendStringInfoString(&out, ", \"signals\": ");
			AppendEvidenceJson(&out, &e, &p, end, false);
		}
		appendStringInfoChar(&out, '}');
	}
	appendStringInfoChar(&out, ']');
	AppendStatesJson(&out, a, p, end);
	appendStringInfoChar(&out, '}');
	PG_RETURN_CSTRING(out.data);
}

/* The text form is JSON, so jsonb's own input makes the value. */
PG_FUNCTION_INFO_V1(attribution_to_jsonb);
Datum
attribution_to_jsonb(PG_FUNCTION_ARGS)
{
	char	   *json = DatumGetCString(DirectFunctionCall1(attribution_out, PG_GETARG_DATUM(0)));

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json));
}

static void
InvalidText(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type attribution"),
			 errdetail("%s", detail)));
}

static JsonbValue *
JsonKey(JsonbContainer *object, const char *key, JsonbValue *to)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), to);
}

static double
JsonDouble(JsonbValue *v, const char *what)
{
	if (v == NULL || v->type != jbvNumeric)
		InvalidText(psprintf("\"%s\" must be a number.", what));
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8,
											  NumericGetDatum(v->val.numeric)));
}

/* A string or, where it may be absent, NULL */
static char *
JsonString(JsonbValue *v, const char *what, bool optional)
{
	if (v == NULL && optional)
		return NULL;
	if (v == NULL || v->type != jbvString)
		InvalidText(psprintf("\"%s\" must be a string.", what));
	return pnstrdup(v->val.string.val, v->val.string.len);
}

static bool
JsonFlag(JsonbContainer *object, const char *key)
{
	JsonbValue	v;

	if (JsonKey(object, key, &v) == NULL)
		return false;
	if (v.type != jbvBool)
		InvalidText(psprintf("\"%s\" must be true or false.", key));
	return v.val.boolean;
}

/* A signal's value: a string or null */
static void
ReadEvidenceJson(AttributionBuilder *b, char *name, JsonbValue *value,
				 double contribution)
{
	if (value->type == jbvNull)
		AttributionEvidence(b, name, NULL, 0, contribution);
	else if (value->type == jbvString)
		AttributionEvidence(b, name, value->val.string.val,
							value->val.string.len, contribution);
	else
		InvalidText("A signal's value must be a string or null.");
}

static void
ReadSignalsJson(AttributionBuilder *b, JsonbContainer *entry)
{
	JsonbValue	signals;
	JsonbContainer *c;

	if (JsonKey(entry, "signals", &signals) == NULL)
		return;
	if (signals.type != jbvBinary ||
		JsonContainerIsScalar(signals.val.binary.data) ||
		!JsonContainerIsArray(signals.val.binary.data))
		InvalidText("\"signals\" must be an array.");
	c = signals.val.binary.data;
	if (JsonContainerSize(c) > ATTRIBUTION_EVIDENCE_MAX)
		InvalidText(psprintf("An entry cannot have more than %d signals.",
							 ATTRIBUTION_EVIDENCE_MAX));
	for (int i = 0; i < JsonContainerSize(c); i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(c, i);
		JsonbContainer *signal;
		double		contribution = 0;

		if (item->type != jbvBinary ||
			!JsonContainerIsArray(item->val.binary.data) ||
			JsonContainerSize(item->val.binary.data) != (b->is_model ? 3 : 2))
			InvalidText("A signal must be [name, value], of a model [name, value, contribution].");
		signal = item->val.binary.data;
		if (b->is_model)
			contribution = JsonDouble(getIthJsonbValueFromContainer(signal, 2),
									  "contribution");
		ReadEvidenceJson(b, JsonString(getIthJsonbValueFromContainer(signal, 0),
									   "name", false),
						 getIthJsonbValueFromContainer(signal, 1), contribution);
	}
}

static void
ReadEntryJson(AttributionBuilder *b, JsonbValue *item)
{
	JsonbContainer *entry;
	JsonbValue	v;
	char	   *kind_name;
	int			kind;
	uint8		flags = 0;

	if (item->type != jbvBinary || !JsonContainerIsObject(item->val.binary.data))
		InvalidText("An entry must be an object.");
	entry = item->val.binary.data;

	kind_name = JsonString(JsonKey(entry, "kind", &v), "kind", false);
	for (kind = 0; kind <= ATTRIBUTION_KIND_MAX; kind++)
		if (strcmp(kind_name, kind_names[kind]) == 0)
			break;
	if (kind > ATTRIBUTION_KIND_MAX)
		InvalidText("\"kind\" must be rule, model, exclusion or signals.");

	flags |= JsonFlag(entry, "hit") ? ATTRIBUTION_HIT : 0;
	flags |= JsonFlag(entry, "shadow") ? ATTRIBUTION_SHADOW : 0;
	flags |= JsonFlag(entry, "suspended") ? ATTRIBUTION_SUSPENDED : 0;
	AttributionEntry(b, kind, flags,
					 JsonString(JsonKey(entry, "detector", &v), "detector", false),
					 JsonDouble(JsonKey(entry, "contribution", &v), "contribution"),
					 JsonString(JsonKey(entry, "muted_by", &v), "muted_by", true),
					 JsonString(JsonKey(entry, "forced", &v), "forced", true),
					 JsonString(JsonKey(entry, "fault", &v), "fault", true));
	ReadSignalsJson(b, entry);
}

/* Number of what a state is of, by its name, or -1 */
static int
SetKind(const char *kind, int len)
{
	for (int i = 0; i <= ATTRIBUTION_SET_MAX; i++)
		if (strlen(set_names[i]) == len && memcmp(set_names[i], kind, len) == 0)
			return i;
	return -1;
}

static void
ReadStateJson(AttributionBuilder *b, JsonbValue *item)
{
	JsonbContainer *c = item->type == jbvBinary ? item->val.binary.data : NULL;
	JsonbValue *number;
	char	   *kind;
	double		size;

	if (c == NULL || !JsonContainerIsArray(c) || JsonContainerIsScalar(c) || JsonContainerSize(c) != 3)
		InvalidText("A state must be [kind, name, state].");
	kind = JsonString(getIthJsonbValueFromContainer(c, 0), "kind of a state", false);
	if (SetKind(kind, strlen(kind)) < 0)
		InvalidText("The kind of a state must be list, phrases or text_model.");
	number = getIthJsonbValueFromContainer(c, 2);
	size = JsonDouble(number, "state");
	if (!(size >= 0 && size < 9.2e18))
		InvalidText("\"state\" is out of range.");
	AttributionState(b, SetKind(kind, strlen(kind)),
					 JsonString(getIthJsonbValueFromContainer(c, 1), "name of a state", false),
					 DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(number->val.numeric))));
}

static void
ReadStatesJson(AttributionBuilder *b, JsonbContainer *root)
{
	JsonbValue	states;
	JsonbContainer *c;

	if (JsonKey(root, "states", &states) == NULL)
		return;
	if (states.type != jbvBinary || JsonContainerIsScalar(states.val.binary.data) ||
		!JsonContainerIsArray(states.val.binary.data))
		InvalidText("\"states\" must be an array.");
	c = states.val.binary.data;
	if (JsonContainerSize(c) > ATTRIBUTION_STATES_MAX)
		InvalidText(psprintf("An attribution cannot have more than %d states.", ATTRIBUTION_STATES_MAX));
	for (int i = 0; i < JsonContainerSize(c); i++)
		ReadStateJson(b, getIthJsonbValueFromContainer(c, i));
}

PG_FUNCTION_INFO_V1(attribution_in);
Datum
attribution_in(PG_FUNCTION_ARGS)
{
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														  PG_GETARG_DATUM(0)));
	JsonbContainer *root = &json->root;
	JsonbContainer *entries;
	JsonbValue	v;
	AttributionBuilder b = {0};
	Attribution *a;
	double		prior,
				margin,
				revision;

	if (!JB_ROOT_IS_OBJECT(json))
		InvalidText("An attribution is a JSON object.");
	revision = JsonDouble(JsonKey(root, "revision", &v), "revision");
	prior = JsonDouble(JsonKey(root, "prior", &v), "prior");
	margin = JsonDouble(JsonKey(root, "margin", &v), "margin");
	if (!(revision >= 0 && revision <= PG_INT32_MAX) || revision != rint(revision))
		InvalidText("\"revision\" is out of range.");
	if (JsonKey(root, "entries", &v) == NULL || v.type != jbvBinary ||
		!JsonContainerIsArray(v.val.binary.data) ||
		JsonContainerIsScalar(v.val.binary.data))
		InvalidText("\"entries\" must be an array.");
	entries = v.val.binary.data;

	AttributionBegin(&b);
	for (int i = 0; i < JsonContainerSize(entries); i++)
		ReadEntryJson(&b, getIthJsonbValueFromContainer(entries, i));
	ReadStatesJson(&b, root);
	a = AttributionFinish(&b, (int) revision, prior, margin,
						  JsonFlag(root, "degraded"));
	if (!CheckAttribution(a))
		InvalidText("A name or value is out of range.");
	PG_RETURN_POINTER(a);
}

/*
 * Binary form: the bytes above in network byte order for the fixed part, and
 * the entries as they stand but for their floats.
 */

static void
SendSpan(StringInfo buf, const Span *s)
{
	char	   *text = pg_server_to_client(s->data, s->len);
	int			len = (text == s->data) ? (int) s->len : (int) strlen(text);

	pq_sendint32(buf, len);
	pq_sendbytes(buf, text, len);
	if (text !=s->data)
		pfree(text);
}

static void
SendStates(StringInfo buf, const Attribution *a, const char *p, const char *end)
{
	uint8		n;

	if (!ReadStateCount(&p, end, a, &n))
		Corrupt();
	if (n > 0)
		pq_sendint8(buf, n);
	for (int i = 0; i < n; i++)
	{
		StateReader s;

		if (!ReadState(&p, end, &s))
			Corrupt();
		pq_sendint8(buf, s.kind);
		pq_sendint64(buf, s.state);
		SendSpan(buf, &s.name);
	}
}

PG_FUNCTION_INFO_V1(attribution_send);
Datum
attribution_send(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	const char *p = a->entries;
	const char *end = (const char *) a + VARSIZE(a);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, a->version);
	pq_sendint8(&buf, a->flags);
	pq_sendint16(&buf, a->nentries);
	pq_sendint32(&buf, a->revision);
	pq_sendfloat8(&buf, a->prior);
	pq_sendfloat8(&buf, a->margin);
	for (int i = 0; i < a->nentries; i++)
	{
		EntryReader e;

		if (!ReadEntry(&p, end, &e))
			Corrupt();
		pq_sendint8(&buf, e.kind);
		pq_sendint8(&buf, e.flags);
		pq_sendint8(&buf, e.nevidence);
		pq_sendfloat8(&buf, e.contribution);
		SendSpan(&buf, &e.name);
		if (e.muted_by.data)
			SendSpan(&buf, &e.muted_by);
		if (e.verdict.data)
			SendSpan(&buf, &e.verdict);
		if (e.sqlstate.data)
			SendSpan(&buf, &e.sqlstate);
		for (int j = 0; j < e.nevidence; j++)
		{
			EvidenceReader v;

			if (!ReadEvidence(&p, end, &e, &v))
				Corrupt();
			SendSpan(&buf, &v.name);
			pq_sendint8(&buf, !v.isnull);
			if (!v.isnull)
				SendSpan(&buf, &v.value);
			if (e.kind == ATTRIBUTION_MODEL)
				pq_sendfloat8(&buf, v.contribution);
		}
	}
	SendStates(&buf, a, p, end);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

static void
InvalidBinary(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary representation of type attribution")));
}

static char *
RecvString(StringInfo buf)
{
	int			n = pq_getmsgint(buf, 4);
	int			len;
	char	   *s;

	if (n < 0 || n > buf->len - buf->cursor)
		InvalidBinary();
	s = pq_getmsgtext(buf, n, &len);
	if (strlen(s) != len)
		InvalidBinary();
	return s;
}

static void
RecvStates(StringInfo buf, AttributionBuilder *b)
{
	int			n = pq_getmsgbyte(buf);

	if (n == 0)
		InvalidBinary();
	for (int i = 0; i < n; i++)
	{
		int			kind = pq_getmsgbyte(buf);
		int64		state = pq_getmsgint64(buf);

		if (kind > ATTRIBUTION_SET_MAX || state < 0)
			InvalidBinary();
		AttributionState(b, kind, RecvString(buf), state);
	}
}

PG_FUNCTION_INFO_V1(attribution_recv);
Datum
attribution_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	AttributionBuilder b = {0};
	Attribution *a;
	int			version = pq_getmsgbyte(buf);
	int			flags = pq_getmsgbyte(buf);
	int			nentries = pq_getmsgint(buf, 2);
	int			revision = pq_getmsgint(buf, 4);
	double		prior = pq_getmsgfloat8(buf);
	double		margin = pq_getmsgfloat8(buf);

	if (version != ATTRIBUTION_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of type attribution", version)));
	if (flags & ~(ATTRIBUTION_DEGRADED | ATTRIBUTION_STATES))
		InvalidBinary();

	AttributionBegin(&b);
	for (int i = 0; i < nentries; i++)
	{
		int			kind = pq_getmsgbyte(buf);
		int			eflags = pq_getmsgbyte(buf);
		int			nevidence = pq_getmsgbyte(buf);
		double		contribution = pq_getmsgfloat8(buf);
		char	   *name = RecvString(buf);
		char	   *muted_by = (eflags & ATTRIBUTION_MUTED) ? RecvString(buf) : NULL;
		char	   *verdict = (eflags & ATTRIBUTION_FORCED) ? RecvString(buf) : NULL;
		char	   *sqlstate = (eflags & ATTRIBUTION_FAULT) ? RecvString(buf) : NULL;

		if (kind > ATTRIBUTION_KIND_MAX || (eflags & ~ATTRIBUTION_FLAGS))
			InvalidBinary();
		AttributionEntry(&b, kind, eflags, name, contribution, muted_by, verdict,
						 sqlstate);
		for (int j = 0; j < nevidence; j++)
		{
			char	   *signal = RecvString(buf);
			char	   *value = pq_getmsgbyte(buf) ? RecvString(buf) : NULL;

			AttributionEvidence(&b, signal, value, value ? strlen(value) : 0,
								b.is_model ? pq_getmsgfloat8(buf) : 0);
		}
	}
	if (flags & ATTRIBUTION_STATES)
		RecvStates(buf, &b);
	a = AttributionFinish(&b, revision, prior, margin, (flags & ATTRIBUTION_DEGRADED) != 0);
	if (!CheckAttribution(a))
		InvalidBinary();
	PG_RETURN_POINTER(a);
}

/*
 * Accessors
 */

PG_FUNCTION_INFO_V1(attribution_margin);
Datum
attribution_margin(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(PG_GETARG_ATTRIBUTION_P(0)->margin);
}

PG_FUNCTION_INFO_V1(attribution_prior);
Datum
attribution_prior(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(PG_GETARG_ATTRIBUTION_P(0)->prior);
}

PG_FUNCTION_INFO_V1(attribution_revision);
Datum
attribution_revision(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_ATTRIBUTION_P(0)->revision);
}

PG_FUNCTION_INFO_V1(attribution_degraded);
Datum
attribution_degraded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL((PG_GETARG_ATTRIBUTION_P(0)->flags & ATTRIBUTION_DEGRADED) != 0);
}

static Datum
SpanText(const Span *s, bool *isnull)
{
	*isnull = (s->data == NULL);
	return *isnull ? (Datum) 0 :
		PointerGetDatum(cstring_to_text_with_len(s->data, s->len));
}

/*
 * ledger(attribution): one row an entry, the prior first
 */
PG_FUNCTION_INFO_V1(attribution_ledger);
Datum
attribution_ledger(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *p = a->entries;
	const char *end = (const char *) a + VARSIZE(a);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = -1; i < a->nentries; i++)
	{
		Datum		values[11];
		bool		nulls[11] = {0};
		EntryReader e = {0};

		if (i < 0)
		{
			e.name.data = "(prior)";
			e.name.len = strlen(e.name.data);
			e.contribution = a->prior;
		}
		else if (!ReadEntry(&p, end, &e))
			Corrupt();

		values[0] = Int32GetDatum(i + 1);
		values[1] = SpanText(&e.name, &nulls[1]);
		values[2] = CStringGetTextDatum(i < 0 ? "prior" : kind_names[e.kind]);
		values[3] = BoolGetDatum((e.flags & ATTRIBUTION_HIT) != 0);
		values[4] = BoolGetDatum((e.flags & ATTRIBUTION_NOT_COUNTED) == 0);
		values[5] = BoolGetDatum((e.flags & ATTRIBUTION_SHADOW) != 0);
		values[6] = SpanText(&e.muted_by, &nulls[6]);
		values[7] = SpanText(&e.verdict, &nulls[7]);
		values[8] = SpanText(&e.sqlstate, &nulls[8]);
		if (e.flags & ATTRIBUTION_SUSPENDED)
		{
			values[8] = CStringGetTextDatum("suspended");
			nulls[8] = false;
		}
		values[9] = Float8GetDatum(e.contribution);
		nulls[10] = (e.nevidence == 0);
		if (!nulls[10])
		{
			StringInfoData json;

			initStringInfo(&json);
			AppendEvidenceJson(&json, &e, &p, end, true);
			values[10] = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * states(attribution): a row for each list, phrase set and text model that the
 * ledger names
 */
PG_FUNCTION_INFO_V1(attribution_states);
Datum
attribution_states(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const char *p = a->entries;
	const char *end = (const char *) a + VARSIZE(a);
	uint8		n;

	InitMaterializedSRF(fcinfo, 0);
	n = SkipToStates(&p, end, a);
	for (int i = 0; i < n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {0};
		StateReader s;

		if (!ReadState(&p, end, &s))
			Corrupt();
		CheckLedgerName(&s.name);
		values[0] = CStringGetTextDatum(set_names[s.kind]);
		values[1] = SpanText(&s.name, &nulls[1]);
		values[2] = Int64GetDatum(s.state);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* state(attribution, kind, name): that state alone, or NULL */
PG_FUNCTION_INFO_V1(attribution_state);
Datum
attribution_state(PG_FUNCTION_ARGS)
{
	Attribution *a = PG_GETARG_ATTRIBUTION_P(0);
	text	   *kind = PG_GETARG_TEXT_PP(1);
	text	   *wanted = PG_GETARG_TEXT_PP(2);
	int			number = SetKind(VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	const char *p = a->entries;
	const char *end = (const char *) a + VARSIZE(a);
	uint8		n;

	if (number < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown kind of a state"),
				 errhint("Known are list, phrases and text_model.")));
	n = SkipToStates(&p, end, a);
	for (int i = 0; i < n; i++)
	{
		StateReader s;

		if (!ReadState(&p, end, &s))
			Corrupt();
		if (s.kind == number && s.name.len == VARSIZE_ANY_EXHDR(wanted) &&
			memcmp(s.name.data, VARDATA_ANY(wanted), s.name.len) == 0)
			PG_RETURN_INT64(s.state);
	}
	PG_RETURN_NULL();
}
