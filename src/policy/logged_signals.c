/*
 * logged_signals.c
 *		The signals of a message, as they were when it was decided.
 *
 * A value of the view's own row type would change with the view, and a dump of
 * it could not be restored once the view is another.  So names and types are
 * kept apart, once for all messages (assay_internal.signals_shape), and values
 * in forms that any server reads: those of built-in types as they are sent, or
 * as text in the database's encoding where sending would turn them into the
 * client's; all others as text.
 *
 * Whoever writes a value sees to it that its shape is there (EnsureSignalsShape).
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "digest.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "logged_signals.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pieces.h"
#include "security.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* How a column's values are kept */
typedef enum SignalForm
{
	FORM_FIXED = 'f',
	FORM_BYTES = 'b',
	FORM_SENT = 's',
	FORM_OUTPUT = 'o',
	FORM_TEXT = 't'
} SignalForm;

typedef struct SignalColumn
{
	char	   *name;
	Oid			type;			/* text, where the form is */
	char	   *type_name;		/* of the view's column */
	SignalForm	form;
	int16		len;			/* of fixed ones */
	bool		byval;
	FmgrInfo	function;		/* to write it: send or output */
	FmgrInfo	receive;		/* to read it */
	Oid			ioparam;
} SignalColumn;

struct SignalsShape
{
	unsigned char id[UUID_LEN];
	bool		known;			/* to be in the table, and committed or ours */
	uint64		known_since;	/* "rollbacks" then */
	int			count;
	SignalColumn *columns;
	MemoryContext context;
};

#define HEADER_BYTES	offsetof(LoggedSignals, data)
#define NULLS_BYTES(n)	(((n) + 7) / 8)

/* How often this backend rolled something back: it may have been a shape */
static uint64 rollbacks = 0;

static void
EndTransaction(XactEvent event, void *arg)
{
	/* what is prepared may be rolled back later, and this isn't told */
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		rollbacks++;
}

static void
EndSubtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		rollbacks++;
}

void
LoggedSignalsInit(void)
{
	RegisterXactCallback(EndTransaction, NULL);
	RegisterSubXactCallback(EndSubtransaction, NULL);
}

/*
 * Shapes
 */

/* Types whose bytes mean the same everywhere, whatever they are */
static bool
IsFixed(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case UUIDOID:
			return true;
		default:
			return false;
	}
}

/* Built-in types whose send function gives text in the client's encoding */
static bool
IsOutput(Oid type)
{
	return type == JSONBOID || type == TEXTARRAYOID || type == VARCHARARRAYOID;
}

/* Types whose bytes are those of a text */
static bool
IsBytes(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == JSONOID;
}

/* A built-in type that travels by itself, without other types' oids within */
static bool
IsSent(Oid type)
{
	Oid			element = get_element_type(type);

	if (type >= FirstUnpinnedObjectId || get_typtype(type) != TYPTYPE_BASE)
		return false;
	switch (type)
	{
		case NUMERICOID:
		case INETOID:
		case CIDROID:
		case INTERVALOID:
		case TIMEOID:
		case TIMETZOID:
		case BYTEAOID:
		case MACADDROID:
		case MACADDR8OID:
		case BITOID:
		case VARBITOID:
			return true;
		default:
			return OidIsValid(element) && (IsFixed(element) || element == NUMERICOID ||
										   element == INETOID || element == CIDROID);
	}
}

/* Make ready to write or read a column. */
static void
InitColumn(SignalColumn *c, MemoryContext context)
{
	Oid			output;
	Oid			receive;
	bool		varlena;
	char		align;

	if (c->form == FORM_SENT)
	{
		getTypeBinaryOutputInfo(c->type, &output, &varlena);
		getTypeBinaryInputInfo(c->type, &receive, &c->ioparam);
	}
	else
	{
		getTypeOutputInfo(c->type, &output, &varlena);
		getTypeInputInfo(c->type, &receive, &c->ioparam);
	}
	fmgr_info_cxt(output, &c->function, context);
	fmgr_info_cxt(receive, &c->receive, context);
	get_typlenbyvalalign(c->type, &c->len, &c->byval, &align);
}

static void
DescribeColumn(SignalColumn *c, Form_pg_attribute att, MemoryContext context)
{
	Oid			base = getBaseType(att->atttypid);

	c->name = pstrdup(NameStr(att->attname));
	c->type_name = format_type_extended(att->atttypid, -1, FORMAT_TYPE_FORCE_QUALIFY);
	c->type = base;
	if (IsFixed(base))
		c->form = FORM_FIXED;
	else if (IsBytes(base))
		c->form = FORM_BYTES;
	else if (IsOutput(base))
		c->form = FORM_OUTPUT;
	else if (IsSent(base))
		c->form = FORM_SENT;
	else
		c->form = FORM_TEXT;
	InitColumn(c, context);
}

/* The hash of a shape's content */
static void
HashShape(SignalsShape * shape)
{
	DigestPiece *pieces = palloc(shape->count * sizeof(DigestPiece));

	for (int i = 0; i < shape->count; i++)
	{
		SignalColumn *c = &shape->columns[i];
		char	   *s = psprintf("%s %u %c %s", quote_identifier(c->name),
								 c->form == FORM_TEXT ? 0 : c->type, c->form,
								 quote_identifier(c->type_name));

		pieces[i].bytes = s;
		pieces[i].size = strlen(s) + 1;
	}
	Digest(pieces, shape->count, shape->id, UUID_LEN);
}

/* Of "count" columns of a row, from "first" on, in the current memory context */
SignalsShape *
MakeSignalsShape(TupleDesc desc, int first, int count)
{
	SignalsShape *shape = palloc0(sizeof(SignalsShape));

	shape->context = CurrentMemoryContext;
	shape->count = count;
	shape->columns = palloc0(count * sizeof(SignalColumn));
	for (int i = 0; i < count; i++)
		DescribeColumn(&shape->columns[i], TupleDescAttr(desc, first + i), shape->context);
	HashShape(shape);
	return shape;
}

/* Columns of a shape as arrays: names, names of types, oids of types, forms */
static void
ShapeArrays(SignalsShape * shape, Datum *arrays)
{
	Datum	   *names = palloc(shape->count * sizeof(Datum));
	Datum	   *types = palloc(shape->count * sizeof(Datum));
	Datum	   *oids = palloc(shape->count * sizeof(Datum));
	Datum	   *forms = palloc(shape->count * sizeof(Datum));

	for (int i = 0; i < shape->count; i++)
	{
		SignalColumn *c = &shape->columns[i];

		names[i] = CStringGetTextDatum(c->name);
		types[i] = CStringGetTextDatum(c->type_name);
		oids[i] = Int64GetDatum((int64) (c->form == FORM_TEXT ? TEXTOID : c->type));
		forms[i] = CStringGetTextDatum(psprintf("%c", c->form));
	}
	arrays[0] = PointerGetDatum(construct_array(names, shape->count, TEXTOID, -1, false, TYPALIGN_INT));
	arrays[1] = PointerGetDatum(construct_array(types, shape->count, TEXTOID, -1, false, TYPALIGN_INT));
	arrays[2] = PointerGetDatum(construct_array(oids, shape->count, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	arrays[3] = PointerGetDatum(construct_array(forms, shape->count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * Add a shape to the table.  Another transaction may be about to add the same:
 * who waited for it to end would keep mail waiting, so then there are two rows.
 */
static void
InsertShape(Datum *values)
{
	Oid			types[] = {UUIDOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID};

	if (SPI_execute_with_args("INSERT INTO assay_internal.signals_shape (shape, names, types, oids, forms) "
							  "VALUES ($1, $2, $3, $4, $5)",
							  lengthof(types), types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write assay_internal.signals_shape");
}

/*
 * See to it that a shape is in the table.  A session asks once, and again when
 * something of it was rolled back.
 */
void
EnsureSignalsShape(SignalsShape * shape)
{
	Oid			type = UUIDOID;
	Datum		values[5];
	bool		found;
	Security	security;

	if (shape->known && shape->known_since == rollbacks)
		return;
	EnterConfiguration(&security);
	SPI_connect();
	values[0] = PointerGetDatum(shape->id);
	ShapeArrays(shape, values + 1);
	if (SPI_execute_with_args("SELECT FROM assay_internal.signals_shape WHERE shape = $1", 1, &type, values,
							  NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay_internal.signals_shape");
	found = SPI_processed > 0;
	if (!found)
		InsertShape(values);
	SPI_finish();
	LeaveSecurity(&security);
	shape->known = true;
	shape->known_since = rollbacks;
}

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
FormSignals(SignalsShape * shape, const Datum *values, const bool *nulls)
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
	s->count = shape->count;
	memcpy(s->shape, shape->id, UUID_LEN);
	bitmap = s->data;
	for (int i = 0; i < shape->count; i++)
		if (!nulls[i])
			bitmap[i / 8] |= 1 << (i % 8);
	SET_VARSIZE(s, buf.len);
	return PointerGetDatum(s);
}

/* A row type's columns but those that were dropped */
TupleDesc
LiveColumns(TupleDesc desc)
{
	TupleDesc	live;
	int			n = 0;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			n++;

	/*
	 * From 18 on a descriptor's layout depends on its size: it can't shrink
	 * later.
	 */
	live = CreateTemplateTupleDesc(n);
	n = 0;
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			TupleDescCopyEntry(live, ++n, desc, i + 1);
	return live;
}

/*
 * Does a policy of the user's keep signals of this type, as 0.1.0 did?  Others
 * would be rows of ours that nobody needs.
 */
static bool
IsKeptByOwn(Oid type)
{
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(type)};
	bool		found;

	SPI_connect();
	if (SPI_execute_with_args("SELECT FROM assay.policy p JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.decision "
							  "JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'signals'::pg_catalog.name "
							  "WHERE a.atttypid OPERATOR(pg_catalog.=) $1 AND pg_catalog.pg_has_role(c.relowner, 'USAGE')",
							  lengthof(types), types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for policies");
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/* ensure_shape(row type): rows of it are about to be logged signals */
PG_FUNCTION_INFO_V1(assay_ensure_shape);
Datum
assay_ensure_shape(PG_FUNCTION_ARGS)
{
	Oid			type = DatumGetObjectId(DirectFunctionCall1(regtypein,
															CStringGetDatum(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	TupleDesc	live;

	if (!superuser() && !IsKeptByOwn(type))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("no policy of yours keeps signals of type %s", format_type_be(type)),
				 errhint("assay.upgrade_policy() brings what an older version kept to the form of this one.")));
	live = LiveColumns(lookup_rowtype_tupdesc_copy(type, -1));
	EnsureSignalsShape(MakeSignalsShape(live, 0, live->natts));
	PG_RETURN_VOID();
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
}			FormState;

/* Is it of rows like this one? */
static bool
FormStateHolds(const FormState * state, HeapTupleHeader row)
{
	return state->shape != NULL &&
		state->typid == HeapTupleHeaderGetTypeId(row) &&
		state->typmod == HeapTupleHeaderGetTypMod(row) &&
		(state->type == NULL || state->type->tupDesc_identifier == state->type_version);
}

static void
BindForm(FormState * state, HeapTupleHeader row, TupleDesc desc)
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

	if (size < HEADER_BYTES || s->version != LOGGED_SIGNALS_VERSION || s->zero != 0 ||
		s->count > MaxTupleAttributeNumber || size < HEADER_BYTES + NULLS_BYTES(s->count))
		ereport(ERROR,
				(errcode(errcode_broken),
				 errmsg("these are no logged signals")));
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

static void
Broken(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("logged signals do not fit their shape")));
}

/* One column of a shape from the table; what is there may be anything. */
static void
ReadColumn(SignalColumn *c, Datum name, Datum type, int64 oid, Datum form, MemoryContext context)
{
	char	   *f = TextDatumGetCString(form);

	c->name = TextDatumGetCString(name);
	c->type_name = TextDatumGetCString(type);
	c->form = f[0];
	c->type = (Oid) oid;
	if (strlen(f) != 1 || (int64) c->type != oid)
		Broken();
	if (c->form == FORM_TEXT)
		c->type = TEXTOID;
	if (!((c->form == FORM_FIXED && IsFixed(c->type)) ||
		  (c->form == FORM_SENT && IsSent(c->type)) ||
		  (c->form == FORM_BYTES && IsBytes(c->type)) ||
		  (c->form == FORM_OUTPUT && IsOutput(c->type)) ||
		  c->form == FORM_TEXT))
		Broken();
	InitColumn(c, context);
}

static int
ArrayItems(int column, Oid type, int16 len, bool byval, char align, Datum **items)
{
	bool		isnull;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
	bool	   *nulls;
	int			n = 0;

	if (!isnull)
		deconstruct_array(DatumGetArrayTypeP(array), type, len, byval, align, items, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i])
			Broken();
	return n;
}

/* The shape of a value, from the table, in the current memory context */
static SignalsShape *
ReadShape(const LoggedSignals *s)
{
	MemoryContext caller = CurrentMemoryContext;
	SignalsShape *shape = palloc0(sizeof(SignalsShape));
	Oid			type = UUIDOID;
	Datum		id = PointerGetDatum(s->shape);
	Datum	   *names;
	Datum	   *types;
	Datum	   *oids;
	Datum	   *forms;
	MemoryContext spi;
	Security	security;

	EnterConfiguration(&security);
	SPI_connect();
	if (SPI_execute_with_args("SELECT names, types, oids, forms FROM assay_internal.signals_shape WHERE shape = $1",
							  1, &type, &id, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay_internal.signals_shape");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the shape of these logged signals is not in assay_internal.signals_shape"),
				 errhint("It is dumped with the extension, and replicated with the configuration: copy its row from where they were logged.")));
	shape->count = ArrayItems(1, TEXTOID, -1, false, TYPALIGN_INT, &names);
	if (shape->count != s->count ||
		shape->count != ArrayItems(2, TEXTOID, -1, false, TYPALIGN_INT, &types) ||
		shape->count != ArrayItems(3, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &oids) ||
		shape->count != ArrayItems(4, TEXTOID, -1, false, TYPALIGN_INT, &forms))
		Broken();
	spi = MemoryContextSwitchTo(caller);
	memcpy(shape->id, s->shape, UUID_LEN);
	shape->context = caller;
	shape->columns = palloc0(shape->count * sizeof(SignalColumn));
	for (int i = 0; i < shape->count; i++)
		ReadColumn(&shape->columns[i], names[i], types[i], DatumGetInt64(oids[i]), forms[i], caller);
	MemoryContextSwitchTo(spi);
	SPI_finish();
	LeaveSecurity(&security);
	return shape;
}

/* A place in a value */
typedef struct Reader
{
	const char *at;
	const char *end;
} Reader;

static const char *
Take(Reader *r, Size n)
{
	const char *at = r->at;

	if (n > r->end - r->at)
		Broken();
	r->at += n;
	return at;
}

static const char *
TakeBytes(Reader *r, uint32 *len)
{
	const char *bytes;

	if (!ReadPiece(&r->at, r->end, &bytes, len))
		Broken();
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
		Broken();
	value = fetch_att(&aligned, true, c->len);
	if (!FixedIsValid(c->type, value))
		Broken();
	return value;
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

		if (strlen(s) != len || !pg_verifymbstr(s, len, true))
			Broken();
		return InputFunctionCall(&c->receive, s, c->ioparam, -1);
	}
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, bytes, len);
	value = ReceiveFunctionCall(&c->receive, &buf, c->ioparam, -1);
	if (buf.cursor != buf.len)
		Broken();
	return value;
}

/* All values of a row */
static void
TakeAll(LoggedSignals *s, SignalsShape * shape, Datum *values, bool *nulls)
{
	Reader		r = {(char *) s->data + NULLS_BYTES(s->count), (char *) s + VARSIZE(s)};

	for (int i = 0; i < shape->count; i++)
	{
		nulls[i] = !(s->data[i / 8] & (1 << (i % 8)));
		values[i] = nulls[i] ? (Datum) 0 : TakeValue(&r, &shape->columns[i]);
	}
	if (r.at != r.end)
		Broken();
}

/* What one call site keeps: the shape of the value before, mostly the same */
typedef struct ReadState
{
	SignalsShape *shape;
	TupleDesc	desc;
	MemoryContext context;
} ReadState;

static TupleDesc
ShapeDesc(SignalsShape * shape)
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
	state->desc = NULL;
	state->shape = ReadShape(s);
	state->desc = ShapeDesc(state->shape);
	MemoryContextSwitchTo(old);
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
	Reader		r = {(char *) s->data + NULLS_BYTES(s->count), (char *) s + VARSIZE(s)};

	for (int i = 0; i < shape->count; i++)
	{
		bool		is_null = !(s->data[i / 8] & (1 << (i % 8)));

		*value = is_null ? (Datum) 0 : TakeValue(&r, &shape->columns[i]);
		if (strcmp(shape->columns[i].name, wanted) == 0)
			return is_null ? NULL : &shape->columns[i];
	}
	return NULL;
}

static char *
ValueText(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
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

/* signal_is(signals, name, value): by the type's equality or, where it had another type, by texts */
PG_FUNCTION_INFO_V1(logged_signals_is);
Datum
logged_signals_is(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 2);
	Datum		value;
	SignalColumn *c = FindSignal(fcinfo, &value);
	TypeCacheEntry *entry;

	if (c == NULL || !OidIsValid(type))
		PG_RETURN_BOOL(false);
	entry = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO);
	if (c->type == type && OidIsValid(entry->eq_opr_finfo.fn_oid))
		PG_RETURN_DATUM(FunctionCall2Coll(&entry->eq_opr_finfo, PG_GET_COLLATION(), value, PG_GETARG_DATUM(2)));
	PG_RETURN_BOOL(strcmp(ValueText(c->type, value), ValueText(type, PG_GETARG_DATUM(2))) == 0);
}

/*
 * As a row of a type
 */

/* Where a column of a row comes from */
typedef struct RowColumn
{
	int			from;			/* column of the shape, or -1: it was not
								 * logged */
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
	Form_pg_attribute att = TupleDescAttr(r->desc, column);
	RowColumn  *to = &r->columns[column];
	Oid			function;
	bool		varlena;

	to->as_text = c->form == FORM_TEXT ? att->atttypid != TEXTOID : att->atttypid != c->type;
	if (!to->as_text)
		return;
	getTypeOutputInfo(c->type, &function, &varlena);
	fmgr_info_cxt(function, &to->output, r->context);
	getTypeInputInfo(att->atttypid, &function, &to->ioparam);
	fmgr_info_cxt(function, &to->input, r->context);
	to->typmod = att->atttypmod;
}

/* Make ready for values of another shape. */
static void
BindReader(SignalsReader *r, const LoggedSignals *s)
{
	MemoryContext old;

	r->shape = NULL;
	MemoryContextReset(r->context);
	old = MemoryContextSwitchTo(r->context);
	r->columns = palloc0(r->desc->natts * sizeof(RowColumn));
	for (int i = 0; i < r->desc->natts; i++)
		r->columns[i].from = -1;
	r->to = palloc(Max(s->count, 1) * sizeof(int));
	r->shape = ReadShape(s);
	for (int i = 0; i < r->shape->count; i++)
	{
		r->to[i] = -1;
		for (int column = 0; column < r->desc->natts; column++)
		{
			Form_pg_attribute att = TupleDescAttr(r->desc, column);

			if (att->attisdropped || strcmp(NameStr(att->attname), r->shape->columns[i].name) != 0 ||
				r->columns[column].from >= 0 || (r->wanted && !bms_is_member(column, r->wanted)))
				continue;
			r->to[i] = column;
			r->columns[column].from = i;
			BindRowColumn(r, column, &r->shape->columns[i]);
		}
	}
	MemoryContextSwitchTo(old);
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
	Reader		at;

	CheckSignals(s, ERRCODE_DATA_CORRUPTED);
	if (r->shape == NULL || r->shape->count != s->count || memcmp(r->shape->id, s->shape, UUID_LEN) != 0)
		BindReader(r, s);
	memset(nulls, true, r->desc->natts * sizeof(bool));
	memset(values, 0, r->desc->natts * sizeof(Datum));
	at.at = (char *) s->data + NULLS_BYTES(s->count);
	at.end = (char *) s + VARSIZE(s);
	for (int i = 0; i < r->shape->count; i++)
	{
		SignalColumn *c = &r->shape->columns[i];
		int			to = r->to[i];

		if (!(s->data[i / 8] & (1 << (i % 8))))
			continue;
		if (to < 0)
		{
			SkipValue(&at, c);
			continue;
		}
		nulls[to] = false;
		values[to] = TakeValue(&at, c);
		if (r->columns[to].as_text)
			values[to] = InputFunctionCall(&r->columns[to].input, OutputFunctionCall(&r->columns[to].output, values[to]),
										   r->columns[to].ioparam, r->columns[to].typmod);
	}
	if (at.at != at.end)
		Broken();
}

/* Do signals have all columns of the reader's row? */
bool
SignalsCover(SignalsReader *r, Datum value)
{
	LoggedSignals *s = (LoggedSignals *) PG_DETOAST_DATUM_SLICE(value, 0, HEADER_BYTES - VARHDRSZ);

	if (VARSIZE(s) < HEADER_BYTES || s->version != LOGGED_SIGNALS_VERSION)
		Broken();
	if (r->shape == NULL || r->shape->count != s->count || memcmp(r->shape->id, s->shape, UUID_LEN) != 0)
		BindReader(r, s);
	for (int i = 0; i < r->desc->natts; i++)
		if (!TupleDescAttr(r->desc, i)->attisdropped && r->columns[i].from < 0)
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
RowStateFor(FunctionCallInfo fcinfo)
{
	RowState   *state = fcinfo->flinfo->fn_extra;
	Oid			type;
	MemoryContext old;

	if (state && state->type->tupDesc_identifier == state->type_version)
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
	MemoryContextReset(state->context);
	state->type = lookup_type_cache(type, TYPECACHE_TUPDESC);
	state->type_version = 0;
	old = MemoryContextSwitchTo(state->context);
	state->desc = lookup_rowtype_tupdesc_copy(type, -1);
	state->reader = MakeSignalsReader(state->desc, NULL, state->context);
	state->values = palloc(state->desc->natts * sizeof(Datum));
	state->nulls = palloc(state->desc->natts * sizeof(bool));
	MemoryContextSwitchTo(old);
	state->type_version = state->type->tupDesc_identifier;
	return state;
}

/* signals_row(NULL::view, signals): a row of the view, by name */
PG_FUNCTION_INFO_V1(assay_signals_row);
Datum
assay_signals_row(PG_FUNCTION_ARGS)
{
	RowState   *state = RowStateFor(fcinfo);

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ReadSignals(state->reader, PG_GETARG_DATUM(1), state->values, state->nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(state->desc, state->values, state->nulls)));
}

/* covers_signals(NULL::view, signals): was each column of the view logged? */
PG_FUNCTION_INFO_V1(assay_covers_signals);
Datum
assay_covers_signals(PG_FUNCTION_ARGS)
{
	RowState   *state = RowStateFor(fcinfo);

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(SignalsCover(state->reader, PG_GETARG_DATUM(1)));
}
