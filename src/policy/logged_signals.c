/*
 * logged_signals.c
 *		The signals of a message, as they were when it was decided.
 *
 * A value of the view's own row type would change with the view, and a dump of
 * it could not be restored once the view is another.  So names and types are
 * kept apart, once for all messages (signals_shape.c), and values in forms that
 * any server reads.
 *
 * Whoever writes a value sees to it that its shape is there (EnsureSignalsShape).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "logged_signals.h"
#include "mb/pg_wchar.h"
#include "pieces.h"
#include "plain_types.h"
#include "signal_equal.h"
#include "signals_shape.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "value_text.h"

#define HEADER_BYTES	offsetof(LoggedSignals, data)
#define NULLS_BYTES(n)	(((n) + 7) / 8)

/*
 * Writing
 */

static void
AppendFixed(StringInfo buf, SignalColumn *c, Datum value)
{
	if (c->byval)
	{
		Datum		bytes;

		store_att_byval(&bytes, value, c->len);
		appendBinaryStringInfo(buf, (char *) &bytes, c->len);
	}
	else
		appendBinaryStringInfo(buf, DatumGetPointer(value), c->len);
}

static void
AppendValue(StringInfo buf, SignalColumn *c, Datum value)
{
	switch (c->form)
	{
		case FORM_FIXED:
			AppendFixed(buf, c, value);
			break;
		case FORM_BYTES:
			{
				text	   *t = DatumGetTextPP(value);

				AppendPiece(buf, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
				break;
			}
		case FORM_SENT:
			{
				bytea	   *sent = SendFunctionCall(&c->function, value);

				AppendPiece(buf, VARDATA(sent), VARSIZE(sent) - VARHDRSZ);
				break;
			}
		case FORM_OUTPUT:
		case FORM_TEXT:
			{
				char	   *s = OutputFunctionCall(&c->function, value);

				AppendPiece(buf, s, strlen(s));
				break;
			}
	}
}

/*
 * Columns of a row as a value, in the current memory context.  Output
 * functions may be anybody's: the policy's owner is entered.
 */
Datum
FormSignals(SignalsShape *shape, const Datum *values, const bool *nulls)
{
	StringInfoData buf;
	LoggedSignals *s;
	uint8	   *bitmap;

	initStringInfo(&buf);
	enlargeStringInfo(&buf, HEADER_BYTES + NULLS_BYTES(shape->count) + 8 * shape->count);
	memset(buf.data, 0, HEADER_BYTES + NULLS_BYTES(shape->count));
	buf.len = HEADER_BYTES + NULLS_BYTES(shape->count);
	for (int i = 0; i < shape->count; i++)
		if (!nulls[i])
			AppendValue(&buf, &shape->columns[i], values[i]);
	s = (LoggedSignals *) buf.data;
	s->version = LOGGED_SIGNALS_VERSION;
	s->encoding = GetDatabaseEncoding();
	s->count = shape->count;
	memcpy(s->shape, shape->id, UUID_LEN);
	bitmap = s->data;
	for (int i = 0; i < shape->count; i++)
		if (!nulls[i])
			bitmap[i / 8] |= 1 << (i % 8);
	SET_VARSIZE(s, buf.len);
	return PointerGetDatum(s);
}

/* What one call site keeps: the shape of rows like the one before */
typedef struct FormState
{
	Oid			typid;
	int32		typmod;
	TypeCacheEntry *type;		/* NULL of a record, whose typmod never
								 * changes its meaning */
	uint64		type_version;
	MemoryContext context;
	SignalsShape *shape;
} FormState;

/* Is it of rows like this one? */
static bool
FormStateHolds(const FormState *state, HeapTupleHeader row)
{
	return state->shape != NULL &&
		state->typid == HeapTupleHeaderGetTypeId(row) &&
		state->typmod == HeapTupleHeaderGetTypMod(row) &&
		(state->type == NULL || state->type->tupDesc_identifier == state->type_version);
}

static void
BindForm(FormState *state, HeapTupleHeader row, TupleDesc desc)
{
	MemoryContext old;
	TupleDesc	live;

	MemoryContextReset(state->context);
	state->shape = NULL;
	state->typid = HeapTupleHeaderGetTypeId(row);
	state->typmod = HeapTupleHeaderGetTypMod(row);
	state->type = NULL;
	if (state->typid != RECORDOID)
	{
		state->type = lookup_type_cache(state->typid, TYPECACHE_TUPDESC);
		state->type_version = state->type->tupDesc_identifier;
	}
	old = MemoryContextSwitchTo(state->context);
	live = LiveColumns(desc);
	state->shape = MakeSignalsShape(live, 0, live->natts);
	MemoryContextSwitchTo(old);
}

/* form_signals(row): a row as a value, its columns those of its type */
PG_FUNCTION_INFO_V1(assay_form_signals);
Datum
assay_form_signals(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row),
											  HeapTupleHeaderGetTypMod(row));
	HeapTupleData tuple;
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	FormState  *state = fcinfo->flinfo->fn_extra;
	int			n = 0;

	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
		{
			values[n] = values[i];
			nulls[n++] = nulls[i];
		}
	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(FormState));
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "pg_assay signals", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = state;
	}
	if (!FormStateHolds(state, row))
		BindForm(state, row, desc);
	ReleaseTupleDesc(desc);
	PG_RETURN_DATUM(FormSignals(state->shape, values, nulls));
}

/*
 * The type
 */

/* Is this a value, as far as can be told without its shape? */
static void
CheckSignals(const LoggedSignals *s, int errcode_broken)
{
	Size		size = VARSIZE(s);

	if (size < HEADER_BYTES || s->version != LOGGED_SIGNALS_VERSION || !PG_VALID_BE_ENCODING(s->encoding) ||
		s->count > MaxTupleAttributeNumber || size < HEADER_BYTES + NULLS_BYTES(s->count))
		ereport(ERROR,
				(errcode(errcode_broken),
				 errmsg("value is not logged signals")));
}

static LoggedSignals *
SignalsFromBytes(const char *bytes, Size len, int errcode_broken)
{
	LoggedSignals *s = palloc0(VARHDRSZ + Max(len, HEADER_BYTES));

	memcpy(VARDATA(s), bytes, len);
	SET_VARSIZE(s, VARHDRSZ + len);
	CheckSignals(s, errcode_broken);
	return s;
}

PG_FUNCTION_INFO_V1(logged_signals_in);
Datum
logged_signals_in(PG_FUNCTION_ARGS)
{
	char	   *str = PG_GETARG_CSTRING(0);
	bytea	   *bytes = DatumGetByteaP(DirectFunctionCall1(byteain, CStringGetDatum(str)));

	PG_RETURN_POINTER(SignalsFromBytes(VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ,
									   ERRCODE_INVALID_TEXT_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(logged_signals_out);
Datum
logged_signals_out(PG_FUNCTION_ARGS)
{
	LoggedSignals *s = (LoggedSignals *) PG_GETARG_VARLENA_P(0);
	Size		len = VARSIZE(s) - VARHDRSZ;
	char	   *result = palloc(2 * len + 3);

	/* hex whatever bytea_output says */
	strcpy(result, "\\x");
	hex_encode(VARDATA(s), len, result + 2);
	result[2 * len + 2] = '\0';
	PG_RETURN_CSTRING(result);
}

PG_FUNCTION_INFO_V1(logged_signals_recv);
Datum
logged_signals_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			len = buf->len - buf->cursor;

	PG_RETURN_POINTER(SignalsFromBytes(pq_getmsgbytes(buf, len), len,
									   ERRCODE_INVALID_BINARY_REPRESENTATION));
}

PG_FUNCTION_INFO_V1(logged_signals_send);
Datum
logged_signals_send(PG_FUNCTION_ARGS)
{
	LoggedSignals *s = (LoggedSignals *) PG_GETARG_VARLENA_P(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbytes(&buf, VARDATA(s), VARSIZE(s) - VARHDRSZ);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/*
 * Reading
 */

/* A place in a value */
typedef struct Reader
{
	const char *at;
	const char *end;
	int			encoding;		/* of text */
} Reader;

/* At the first value */
static Reader
StartOfValues(const LoggedSignals *s)
{
	Reader		r;

	r.at = (const char *) s->data + NULLS_BYTES(s->count);
	r.end = (const char *) s + VARSIZE(s);
	r.encoding = s->encoding;
	return r;
}

static const char *
Take(Reader *r, Size n)
{
	const char *at = r->at;

	if (n > r->end - r->at)
		BrokenSignals();
	r->at += n;
	return at;
}

static const char *
TakeBytes(Reader *r, uint32 *len)
{
	const char *bytes;

	if (!ReadPiece(&r->at, r->end, &bytes, len))
		BrokenSignals();
	return bytes;
}

/* Values of the type, as its receive function would see to */
static bool
FixedIsValid(Oid type, Datum value)
{
	DateADT		d;
	Timestamp	t;

	switch (type)
	{
		case DATEOID:
			d = DatumGetDateADT(value);
			return DATE_NOT_FINITE(d) || IS_VALID_DATE(d);
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			t = DatumGetTimestamp(value);
			return TIMESTAMP_NOT_FINITE(t) || IS_VALID_TIMESTAMP(t);
		default:
			return true;
	}
}

static Datum
TakeFixed(Reader *r, SignalColumn *c)
{
	const char *bytes = Take(r, c->len);
	Datum		value;
	Datum		aligned = 0;
	char	   *copy;

	if (!c->byval)
	{
		copy = palloc(c->len);
		memcpy(copy, bytes, c->len);
		return PointerGetDatum(copy);
	}
	memcpy(&aligned, bytes, c->len);
	if (c->type == BOOLOID && *(uint8 *) &aligned > 1)
		BrokenSignals();
	value = fetch_att(&aligned, true, c->len);
	if (!FixedIsValid(c->type, value))
		BrokenSignals();
	return value;
}

/* Of text that was written where any bytes are: UTF-8 where it can be, or that of the database */
static int
EncodingOf(const char *s, int len)
{
	return pg_verify_mbstr(PG_UTF8, s, len, true) ? PG_UTF8 : GetDatabaseEncoding();
}

/* Not every encoding has a conversion to every other, as WIN1252 to LATIN1: then by UTF-8. */
static char *
TextToServer(char *s, int len, int encoding)
{
	int			server = GetDatabaseEncoding();

	if (server != PG_SQL_ASCII && !OidIsValid(FindDefaultConversionProc(encoding, server)))
	{
		s = (char *) pg_do_encoding_conversion((unsigned char *) s, len, encoding, PG_UTF8);
		len = strlen(s);
		encoding = PG_UTF8;
	}
	return pg_any_to_server(s, len, encoding);
}

static Datum
TakeValue(Reader *r, SignalColumn *c)
{
	const char *bytes;
	uint32		len;
	StringInfoData buf;
	Datum		value;

	if (c->form == FORM_FIXED)
		return TakeFixed(r, c);
	bytes = TakeBytes(r, &len);
	if (c->form != FORM_SENT)
	{
		char	   *s = pnstrdup(bytes, len);
		int			encoding = r->encoding == PG_SQL_ASCII ? EncodingOf(s, len) : r->encoding;

		if (strlen(s) != len || !pg_verify_mbstr(encoding, s, len, true))
			BrokenSignals();
		if (encoding != GetDatabaseEncoding())
			s = TextToServer(s, len, encoding);
		return InputFunctionCall(&c->receive, s, c->ioparam, -1);
	}
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, bytes, len);
	value = ReceiveFunctionCall(&c->receive, &buf, c->ioparam, -1);
	if (buf.cursor != buf.len)
		BrokenSignals();
	return value;
}

/* All values of a row */
static void
TakeAll(LoggedSignals *s, SignalsShape *shape, Datum *values, bool *nulls)
{
	Reader		r = StartOfValues(s);

	for (int i = 0; i < shape->count; i++)
	{
		nulls[i] = !(s->data[i / 8] & (1 << (i % 8)));
		values[i] = nulls[i] ? (Datum) 0 : TakeValue(&r, &shape->columns[i]);
	}
	if (r.at != r.end)
		BrokenSignals();
}

/* What one call site keeps: the shape of the value before, mostly the same */
typedef struct ReadState
{
	SignalsShape *shape;
	TupleDesc	desc;
	MemoryContext context;		/* of both */
	List	   *wanted;			/* WantedSignals, one a type that was logged */
} ReadState;

static TupleDesc
ShapeDesc(SignalsShape *shape)
{
	TupleDesc	desc = CreateTemplateTupleDesc(shape->count);

	for (int i = 0; i < shape->count; i++)
		TupleDescInitEntry(desc, i + 1, shape->columns[i].name, shape->columns[i].type, -1, 0);
	return BlessTupleDesc(desc);
}

static ReadState *
StateFor(FunctionCallInfo fcinfo, LoggedSignals *s)
{
	ReadState  *state = fcinfo->flinfo->fn_extra;
	SignalsShape *shape;
	MemoryContext old;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(ReadState));
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "pg_assay shape",
											   ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = state;
	}
	if (state->shape && state->shape->count == s->count &&
		memcmp(state->shape->id, s->shape, UUID_LEN) == 0)
		return state;
	state->shape = NULL;
	MemoryContextReset(state->context);
	old = MemoryContextSwitchTo(state->context);
	shape = ReadSignalsShape(s->shape, s->count);
	state->desc = ShapeDesc(shape);
	MemoryContextSwitchTo(old);
	state->shape = shape;		/* last: what failed midway is no shape */
	return state;
}

static LoggedSignals *
GetSignals(FunctionCallInfo fcinfo, int arg)
{
	LoggedSignals *s = (LoggedSignals *) PG_GETARG_VARLENA_P(arg);

	CheckSignals(s, ERRCODE_DATA_CORRUPTED);
	return s;
}

/* signals_to_jsonb(signals): by name */
PG_FUNCTION_INFO_V1(logged_signals_to_jsonb);
Datum
logged_signals_to_jsonb(PG_FUNCTION_ARGS)
{
	LoggedSignals *s = GetSignals(fcinfo, 0);
	ReadState  *state = StateFor(fcinfo, s);
	Datum	   *values = palloc(state->shape->count * sizeof(Datum));
	bool	   *nulls = palloc(state->shape->count * sizeof(bool));
	HeapTuple	tuple;
	Datum		json;

	TakeAll(s, state->shape, values, nulls);
	tuple = heap_form_tuple(state->desc, values, nulls);
	json = DirectFunctionCall1(row_to_json, HeapTupleGetDatum(tuple));
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(json))));
}

/* signals_record(signals): as a row of the types that they had */
PG_FUNCTION_INFO_V1(logged_signals_record);
Datum
logged_signals_record(PG_FUNCTION_ARGS)
{
	LoggedSignals *s = GetSignals(fcinfo, 0);
	ReadState  *state = StateFor(fcinfo, s);
	Datum	   *values = palloc(state->shape->count * sizeof(Datum));
	bool	   *nulls = palloc(state->shape->count * sizeof(bool));

	TakeAll(s, state->shape, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->desc, values, nulls)));
}

/* The signal of the name that is the second argument, or NULL: it is null, or was not logged */
static SignalColumn *
FindSignal(FunctionCallInfo fcinfo, Datum *value)
{
	LoggedSignals *s = GetSignals(fcinfo, 0);
	char	   *wanted = text_to_cstring(PG_GETARG_TEXT_PP(1));
	SignalsShape *shape = StateFor(fcinfo, s)->shape;
	Reader		r = StartOfValues(s);

	for (int i = 0; i < shape->count; i++)
	{
		bool		is_null = !(s->data[i / 8] & (1 << (i % 8)));

		*value = is_null ? (Datum) 0 : TakeValue(&r, &shape->columns[i]);
		if (strcmp(shape->columns[i].name, wanted) == 0)
			return is_null ? NULL : &shape->columns[i];
	}
	return NULL;
}

/* signal(signals, name): one of them as text */
PG_FUNCTION_INFO_V1(logged_signals_get);
Datum
logged_signals_get(PG_FUNCTION_ARGS)
{
	Datum		value;
	SignalColumn *c = FindSignal(fcinfo, &value);

	if (c == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(ValueText(c->type, value)));
}

/* Types that a signal had are few; more than these would be the values that change. */
#define WANTED_MAX	64

static WantedSignal *
WantedFor(FunctionCallInfo fcinfo, const SignalColumn *c, Oid view)
{
	ReadState  *state = fcinfo->flinfo->fn_extra;
	char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(2));
	ListCell   *lc;
	WantedSignal *w;
	MemoryContext old;

	foreach(lc, state->wanted)
		if (WantedSignalFits(lfirst(lc), c, given, view, PG_GET_COLLATION()))
		return lfirst(lc);
	if (list_length(state->wanted) >= WANTED_MAX)
		return MakeWantedSignal(c, given, view, PG_GET_COLLATION());
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	w = MakeWantedSignal(c, given, view, PG_GET_COLLATION());
	state->wanted = lappend(state->wanted, w);
	MemoryContextSwitchTo(old);
	return w;
}

/*
 * signal_is(signals, name, given, NULL::type): is it the value that is given as
 * a text, where the signals view has that type for it?
 */
PG_FUNCTION_INFO_V1(logged_signals_is);
Datum
logged_signals_is(PG_FUNCTION_ARGS)
{
	Oid			view = get_fn_expr_argtype(fcinfo->flinfo, 3);
	Datum		value;
	SignalColumn *c;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || !OidIsValid(view))
		PG_RETURN_BOOL(false);
	c = FindSignal(fcinfo, &value);
	PG_RETURN_BOOL(c != NULL && SignalEquals(WantedFor(fcinfo, c, view), value));
}

/*
 * As a row of a type
 */

/* Where a column of a row comes from */
typedef struct RowColumn
{
	int			from;			/* column of the shape, or -1: it was not
								 * logged */
	bool		refused;		/* to make a value runs a stranger's code */
	bool		as_text;		/* through the text form of another type */
	FmgrInfo	output;
	FmgrInfo	input;
	Oid			ioparam;
	int32		typmod;
} RowColumn;

struct SignalsReader
{
	MemoryContext context;		/* of what depends on the shape */
	TupleDesc	desc;
	const		Bitmapset *wanted;	/* columns of desc, from 0; NULL: all */
	bool		fits;			/* values are as long, and as exact, as the
								 * columns are: they may be stored */
	SignalsShape *shape;
	RowColumn  *columns;		/* of desc */
	int		   *to;				/* of each column of the shape, or -1 */
};

/* To read signals into rows of desc, which the caller keeps */
SignalsReader *
MakeSignalsReader(TupleDesc desc, const Bitmapset * wanted, MemoryContext context)
{
	SignalsReader *r = MemoryContextAllocZero(context, sizeof(SignalsReader));

	r->context = AllocSetContextCreate(context, "pg_assay row of signals", ALLOCSET_SMALL_SIZES);
	r->desc = desc;
	r->wanted = wanted;
	return r;
}

/* How one column is made of the signal of its name */
static void
BindRowColumn(SignalsReader *r, int column, const SignalColumn *c)
{
	RowColumn  *to = &r->columns[column];
	int32		typmod;
	Oid			type = PlainInput(r->desc, column, &typmod);
	Oid			function;
	bool		varlena;

	to->refused = !OidIsValid(type);
	to->as_text = !to->refused && ((c->form == FORM_TEXT ? type != TEXTOID : type != c->type) ||
								   (r->fits && typmod >= 0));
	if (!to->as_text)
		return;
	getTypeOutputInfo(c->type, &function, &varlena);
	fmgr_info_cxt(function, &to->output, r->context);
	getTypeInputInfo(type, &function, &to->ioparam);
	fmgr_info_cxt(function, &to->input, r->context);
	to->typmod = typmod;
}

static void
RefuseSignal(Form_pg_attribute att)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("logged signal \"%s\" has a type that the policy's owner cannot trust", NameStr(att->attname)),
			 errdetail("To make a value of type %s runs what belongs to a role that may not act as the owner.",
					   format_type_be(att->atttypid)),
			 errhint("Give the type to the policy's owner or to a superuser, or read the view: signals => 'view'.")));
}

/* Make ready for values of another shape. */
static void
BindReader(SignalsReader *r, const LoggedSignals *s)
{
	SignalsShape *shape;
	MemoryContext old;

	r->shape = NULL;
	MemoryContextReset(r->context);
	old = MemoryContextSwitchTo(r->context);
	r->columns = palloc0(r->desc->natts * sizeof(RowColumn));
	for (int i = 0; i < r->desc->natts; i++)
		r->columns[i].from = -1;
	r->to = palloc(Max(s->count, 1) * sizeof(int));
	shape = ReadSignalsShape(s->shape, s->count);
	for (int i = 0; i < shape->count; i++)
	{
		r->to[i] = -1;
		for (int column = 0; column < r->desc->natts; column++)
		{
			Form_pg_attribute att = TupleDescAttr(r->desc, column);

			if (att->attisdropped || strcmp(NameStr(att->attname), shape->columns[i].name) != 0 ||
				r->columns[column].from >= 0 || (r->wanted && !bms_is_member(column, r->wanted)))
				continue;
			r->to[i] = column;
			r->columns[column].from = i;
			BindRowColumn(r, column, &shape->columns[i]);
		}
	}
	MemoryContextSwitchTo(old);
	r->shape = shape;			/* last, as StateFor() has it */
}

/* Step over a value that nobody wants. */
static void
SkipValue(Reader *r, const SignalColumn *c)
{
	uint32		len;

	if (c->form == FORM_FIXED)
		(void) Take(r, c->len);
	else
		(void) TakeBytes(r, &len);
}

/*
 * The columns of a row, in the current memory context: those that were not
 * logged, or are not wanted, are null.
 */
void
ReadSignals(SignalsReader *r, Datum value, Datum *values, bool *nulls)
{
	LoggedSignals *s = (LoggedSignals *) PG_DETOAST_DATUM(value);
	SignalsShape *shape;
	Reader		at;

	CheckSignals(s, ERRCODE_DATA_CORRUPTED);
	if (r->shape == NULL || r->shape->count != s->count || memcmp(r->shape->id, s->shape, UUID_LEN) != 0)
		BindReader(r, s);
	memset(nulls, true, r->desc->natts * sizeof(bool));
	memset(values, 0, r->desc->natts * sizeof(Datum));

	/*
	 * A value may run a domain's check.  What its functions had half made
	 * when an error came is made anew.
	 */
	shape = r->shape;
	r->shape = NULL;
	at = StartOfValues(s);
	for (int i = 0; i < shape->count; i++)
	{
		SignalColumn *c = &shape->columns[i];
		int			to = r->to[i];

		if (!(s->data[i / 8] & (1 << (i % 8))))
			continue;
		if (to < 0)
		{
			SkipValue(&at, c);
			continue;
		}
		if (r->columns[to].refused)
			RefuseSignal(TupleDescAttr(r->desc, to));
		nulls[to] = false;
		values[to] = TakeValue(&at, c);
		if (r->columns[to].as_text)
			values[to] = InputFunctionCall(&r->columns[to].input, OutputFunctionCall(&r->columns[to].output, values[to]),
										   r->columns[to].ioparam, r->columns[to].typmod);
	}
	if (at.at != at.end)
		BrokenSignals();
	r->shape = shape;
}

/* Do signals have all columns of the reader's row, and may each be made? */
static bool
SignalsCover(SignalsReader *r, Datum value)
{
	LoggedSignals *s = (LoggedSignals *) PG_DETOAST_DATUM_SLICE(value, 0, HEADER_BYTES - VARHDRSZ);

	if (VARSIZE(s) < HEADER_BYTES || s->version != LOGGED_SIGNALS_VERSION)
		BrokenSignals();
	if (r->shape == NULL || r->shape->count != s->count || memcmp(r->shape->id, s->shape, UUID_LEN) != 0)
		BindReader(r, s);
	for (int i = 0; i < r->desc->natts; i++)
		if (!TupleDescAttr(r->desc, i)->attisdropped && (r->columns[i].from < 0 || r->columns[i].refused))
			return false;
	return true;
}

/* What one call site of signals_row() keeps */
typedef struct RowState
{
	TypeCacheEntry *type;
	uint64		type_version;
	TupleDesc	desc;
	SignalsReader *reader;
	Datum	   *values;
	bool	   *nulls;
	MemoryContext context;
} RowState;

static RowState *
RowStateFor(FunctionCallInfo fcinfo, bool fits)
{
	RowState   *state = fcinfo->flinfo->fn_extra;
	TypeCacheEntry *entry;
	Oid			type;
	MemoryContext old;

	if (state && state->type && state->type->tupDesc_identifier == state->type_version)
		return state;
	type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	if (!OidIsValid(type) || !type_is_rowtype(type) || type == RECORDOID || getBaseType(type) != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("signals can be made a row of a view or table only")));
	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(RowState));
		state->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "pg_assay rows", ALLOCSET_SMALL_SIZES);
		fcinfo->flinfo->fn_extra = state;
	}
	state->type = NULL;
	MemoryContextReset(state->context);
	entry = lookup_type_cache(type, TYPECACHE_TUPDESC);
	old = MemoryContextSwitchTo(state->context);
	state->desc = lookup_rowtype_tupdesc_copy(type, -1);
	state->reader = MakeSignalsReader(state->desc, NULL, state->context);
	state->reader->fits = fits;
	state->values = palloc(state->desc->natts * sizeof(Datum));
	state->nulls = palloc(state->desc->natts * sizeof(bool));
	MemoryContextSwitchTo(old);
	state->type_version = entry->tupDesc_identifier;
	state->type = entry;		/* last, too: to wait for the lock of a table
								 * may end in an error */
	return state;
}

static Datum
SignalsRow(FunctionCallInfo fcinfo, bool fits)
{
	RowState   *state = RowStateFor(fcinfo, fits);

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ReadSignals(state->reader, PG_GETARG_DATUM(1), state->values, state->nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->desc, state->values, state->nulls)));
}

/* signals_row(NULL::view, signals): a row of the view, by name, with the values that were logged */
PG_FUNCTION_INFO_V1(assay_signals_row);
Datum
assay_signals_row(PG_FUNCTION_ARGS)
{
	return SignalsRow(fcinfo, false);
}

/* signals_as(NULL::view, signals): the same for whoever may store it */
PG_FUNCTION_INFO_V1(assay_signals_as);
Datum
assay_signals_as(PG_FUNCTION_ARGS)
{
	return SignalsRow(fcinfo, true);
}

/* covers_signals(NULL::view, signals): was each column of the view logged? */
PG_FUNCTION_INFO_V1(assay_covers_signals);
Datum
assay_covers_signals(PG_FUNCTION_ARGS)
{
	RowState   *state = RowStateFor(fcinfo, false);

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(SignalsCover(state->reader, PG_GETARG_DATUM(1)));
}
