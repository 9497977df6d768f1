/*
 * signals_shape.c
 *		Names and types of logged signals, which all values of one view have in common.
 *
 * A shape is a row of assay_internal.signals_shape, found by the hash of its
 * content.  Values of built-in types are kept as they are sent, or as text in
 * the database's encoding where sending would turn them into the client's; all
 * others as text.
 *
 * What is read from the table may be anything: it is checked column by column.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "digest.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "security.h"
#include "signals_shape.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

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
SignalsShapeInit(void)
{
	RegisterXactCallback(EndTransaction, NULL);
	RegisterSubXactCallback(EndSubtransaction, NULL);
}

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
HashShape(SignalsShape *shape)
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
	{
		SignalColumn *c = &shape->columns[i];

		DescribeColumn(c, TupleDescAttr(desc, first + i), shape->context);
		if (c->form == FORM_TEXT || c->form == FORM_OUTPUT)
			shape->settings |= SettingsOfText(c->type);
	}
	HashShape(shape);
	return shape;
}

/* Columns of a shape as arrays: names, names of types, oids of types, forms */
static void
ShapeArrays(SignalsShape *shape, Datum *arrays)
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
EnsureSignalsShape(SignalsShape *shape)
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

/*
 * From the table
 */

/* Error: a value does not fit its shape, or the shape is damaged. */
void
BrokenSignals(void)
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
		BrokenSignals();
	if (c->form == FORM_TEXT)
		c->type = TEXTOID;
	if (!((c->form == FORM_FIXED && IsFixed(c->type)) ||
		  (c->form == FORM_SENT && IsSent(c->type)) ||
		  (c->form == FORM_BYTES && IsBytes(c->type)) ||
		  (c->form == FORM_OUTPUT && IsOutput(c->type)) ||
		  c->form == FORM_TEXT))
		BrokenSignals();
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
			BrokenSignals();
	return n;
}

/* A shape of so many columns from the table, in the current memory context */
SignalsShape *
ReadSignalsShape(const unsigned char *id, int count)
{
	MemoryContext caller = CurrentMemoryContext;
	SignalsShape *shape = palloc0(sizeof(SignalsShape));
	Oid			type = UUIDOID;
	Datum		key = PointerGetDatum(id);
	Datum	   *names;
	Datum	   *types;
	Datum	   *oids;
	Datum	   *forms;
	MemoryContext spi;
	Security	security;

	EnterConfiguration(&security);
	SPI_connect();
	if (SPI_execute_with_args("SELECT names, types, oids, forms FROM assay_internal.signals_shape WHERE shape = $1",
							  1, &type, &key, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read assay_internal.signals_shape");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the shape of these logged signals is not in assay_internal.signals_shape"),
				 errhint("It is dumped with the extension, and replicated with the configuration: copy its row from where they were logged.")));
	shape->count = ArrayItems(1, TEXTOID, -1, false, TYPALIGN_INT, &names);
	if (shape->count != count ||
		shape->count != ArrayItems(2, TEXTOID, -1, false, TYPALIGN_INT, &types) ||
		shape->count != ArrayItems(3, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &oids) ||
		shape->count != ArrayItems(4, TEXTOID, -1, false, TYPALIGN_INT, &forms))
		BrokenSignals();
	spi = MemoryContextSwitchTo(caller);
	memcpy(shape->id, id, UUID_LEN);
	shape->context = caller;
	shape->columns = palloc0(shape->count * sizeof(SignalColumn));
	for (int i = 0; i < shape->count; i++)
		ReadColumn(&shape->columns[i], names[i], types[i], DatumGetInt64(oids[i]), forms[i], caller);
	MemoryContextSwitchTo(spi);
	SPI_finish();
	LeaveSecurity(&security);
	return shape;
}
