/*
 * predict.c
 *		Predictions over arrays, records and jsonb, and over bound row types.
 *
 * A row in SQL becomes a row of numbers, one a feature, NaN where missing:
 * arrays by position, records and jsonb by name.  For a record, the columns
 * are looked up once for a row type and kept in a ModelBinding.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "category.h"
#include "compat.h"
#include "lazy_row.h"
#include "model_cache.h"
#include "predict.h"

/* How a column's datum becomes a number */
typedef enum ColumnKind
{
	COLUMN_BOOL,
	COLUMN_INT2,
	COLUMN_INT4,
	COLUMN_INT8,
	COLUMN_FLOAT4,
	COLUMN_FLOAT8,
	COLUMN_NUMERIC,
	COLUMN_TEXT,				/* looked up among the categories */
	COLUMN_BPCHAR,				/* the same, without trailing blanks */
	COLUMN_NAME,
	COLUMN_ENUM					/* its label is looked up as text is */
} ColumnKind;

typedef struct BoundColumn
{
	int			column;			/* attribute number - 1 */
	ColumnKind	kind;
	bool		named;			/* a number that is a category's name */
} BoundColumn;

struct ModelBinding
{
	ModelState *state;
	int			ncolumns;		/* of the row type, up to the last one read */
	BoundColumn *columns;		/* one a feature */
};

/* Of a call site over records */
typedef struct RecordRow
{
	uint64		serial;			/* of a lazy row, or 0: */
	Oid			type;
	int32		typmod;
	TypeCacheEntry *entry;		/* of a named type, or NULL */
	uint64		version;		/* of its columns */
	TupleDesc	desc;
	ModelBinding *binding;
	Datum	   *values;
	bool	   *nulls;
} RecordRow;

/* ---- categories ------------------------------------------------------------ */

static bool
IsAscii(const char *s, int length)
{
	for (int i = 0; i < length; i++)
		if (IS_HIGHBIT_SET(s[i]))
			return false;
	return true;
}

/* palloc'd; NULL when a character has no equivalent */
static char *
ToUtf8(const char *s, int length, int encoding)
{
	Oid			conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	int			size = length * MAX_CONVERSION_GROWTH + 1;
	char	   *utf8;

	if (!OidIsValid(conversion) || length > MODEL_MAX_NAME * 4)
		return NULL;
	utf8 = palloc(size);
	if (pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8,
									  (unsigned char *) unconstify(char *, s),
									  length, (unsigned char *) utf8, size,
									  true) == length)
		return utf8;
	pfree(utf8);
	return NULL;
}

/*
 * The code of a name in the server's encoding.  Bytes that have no meaning in
 * there are the name of nothing.
 */
static double
TextCode(const Model *model, uint32 feature, const char *name, int length)
{
	int			encoding = GetDatabaseEncoding();
	char	   *utf8 = (char *) name;
	double		code;

	if (encoding != PG_UTF8 && !IsAscii(name, length))
	{
		if (pg_encoding_verifymbstr(encoding == PG_SQL_ASCII ? PG_UTF8 :
									encoding, name, length) != length)
			return NAN;
		utf8 = encoding == PG_SQL_ASCII ? (char *) name :
			ToUtf8(name, length, encoding);
		if (utf8 == NULL)
			return NAN;
	}
	if (utf8 == name)
		return ModelCategoryCode(model, feature, name, length);
	code = ModelCategoryCode(model, feature, utf8, strlen(utf8));
	pfree(utf8);
	return code;
}

/* All digits of a large number count, which a float64 does not keep */
static double
NumericCode(const Model *model, uint32 feature, Datum value)
{
	double		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
															value));
	char	   *digits;
	Size		length;

	if (fabs(number) < 1e15 || isinf(number) || isnan(number))
		return ModelNumberCode(model, feature, number);
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	length = strlen(digits);
	if (strchr(digits, '.') != NULL)
	{
		while (digits[length - 1] == '0')
			length--;
		if (digits[length - 1] == '.')
			length--;
	}
	number = ModelCategoryCode(model, feature, digits, length);
	if (isnan(number))
		number = ModelNumberCode(model, feature, strtod(digits, NULL));
	pfree(digits);
	return number;
}

/* ---- rows from columns ------------------------------------------------------ */

/* The server's name of a feature; palloc'd or in the model */
static const char *
FeatureName(const Model *model, uint32 feature)
{
	return ModelServerText(MODEL_FEATURE_NAME(model, feature));
}

static void
BindColumn(const Model *model, uint32 feature, const char *name,
		   Form_pg_attribute attribute, BoundColumn *bound)
{
	Oid			type = getBaseType(attribute->atttypid);
	uint32		kind = MODEL_FEATURES(model)[feature].kind;
	bool		is_text = false;

	bound->column = attribute->attnum - 1;
	bound->named = kind == FEATURE_TEXT;
	switch (type)
	{
		case BOOLOID:
			bound->kind = COLUMN_BOOL;
			break;
		case INT2OID:
			bound->kind = COLUMN_INT2;
			break;
		case INT4OID:
			bound->kind = COLUMN_INT4;
			break;
		case INT8OID:
			bound->kind = COLUMN_INT8;
			break;
		case FLOAT4OID:
			bound->kind = COLUMN_FLOAT4;
			break;
		case FLOAT8OID:
			bound->kind = COLUMN_FLOAT8;
			break;
		case NUMERICOID:
			bound->kind = COLUMN_NUMERIC;
			break;
		case TEXTOID:
		case VARCHAROID:
			bound->kind = COLUMN_TEXT;
			is_text = true;
			break;
		case BPCHAROID:
			bound->kind = COLUMN_BPCHAR;
			is_text = true;
			break;
		case NAMEOID:
			bound->kind = COLUMN_NAME;
			is_text = true;
			break;
		default:
			if (type_is_enum(type))
			{
				bound->kind = COLUMN_ENUM;
				is_text = true;
				break;
			}
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of type %s can't be a feature of a model",
							name, format_type_be(attribute->atttypid)),
					 errhint("Cast it to a number, or to text for a categorical feature.")));
	}
	if (is_text && kind != FEATURE_TEXT)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" is text, but the model takes feature \"%s\" as a number",
						name, name),
				 kind == FEATURE_CATEGORY ?
				 errhint("The model knows the codes of its categories, but not their names.") : 0));
}

/* Orders column numbers by name */
static int
CompareColumns(const void *a, const void *b, void *desc)
{
	return strcmp(NameStr(TupleDescAttr((TupleDesc) desc, *(const int *) a)->attname),
				  NameStr(TupleDescAttr((TupleDesc) desc, *(const int *) b)->attname));
}

static int
FindColumn(TupleDesc desc, const int *sorted, int n, const char *name)
{
	int			low = 0;
	int			high = n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		int			difference = strcmp(name, NameStr(TupleDescAttr(desc, sorted[middle])->attname));

		if (difference == 0)
			return sorted[middle];
		if (difference > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

static ModelBinding *
Bind(ModelState *state, TupleDesc desc, MemoryContext context)
{
	const Model *model = state->model;
	MemoryContext before = MemoryContextSwitchTo(context);
	ModelBinding *binding = palloc0(sizeof(ModelBinding));
	int		   *sorted = palloc(Max(desc->natts, 1) * sizeof(int));
	int			n = 0;

	if (!(model->flags & MODEL_HAS_NAMES))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model has no feature names, so it can't be bound to columns"),
				 errhint("Name its features with model_with_names(), or pass an array.")));
	binding->state = state;
	binding->columns = palloc0(model->nfeatures * sizeof(BoundColumn));
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			sorted[n++] = i;
	qsort_arg(sorted, n, sizeof(int), CompareColumns, desc);
	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		const char *name = FeatureName(model, f);
		int			column = FindColumn(desc, sorted, n, name);

		if (column < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("row has no column \"%s\", which the model needs",
							name),
					 errhint("A column that is NULL counts as missing; assay.model_check(model, row) tells all that a row lacks.")));
		BindColumn(model, f, name, TupleDescAttr(desc, column),
				   &binding->columns[f]);
		binding->ncolumns = Max(binding->ncolumns, column + 1);
	}
	pfree(sorted);
	MemoryContextSwitchTo(before);
	return binding;
}

ModelBinding *
ModelBindTupleDesc(const Model *model, TupleDesc desc, MemoryContext context)
{
	return Bind(ModelStateCreate(model, context), desc, context);
}

/* Labels can be renamed at any time, so each is asked of the catalogue's cache */
static double
EnumCode(const Model *model, uint32 feature, Oid value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
	const char *label;
	double		code;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for enum value %u", value);
	label = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	code = TextCode(model, feature, label, strlen(label));
	ReleaseSysCache(tuple);
	return code;
}

/* What needs more than a look at the datum */
static double
ColumnText(const Model *model, uint32 feature, const BoundColumn *bound,
		   Datum value)
{
	text	   *t;
	double		code;
	int			length;

	if (bound->kind == COLUMN_ENUM)
		return EnumCode(model, feature, DatumGetObjectId(value));
	if (bound->kind == COLUMN_NAME)
		return TextCode(model, feature, NameStr(*DatumGetName(value)),
						strlen(NameStr(*DatumGetName(value))));
	t = DatumGetTextPP(value);
	length = VARSIZE_ANY_EXHDR(t);
	if (bound->kind == COLUMN_BPCHAR)
		length = bpchartruelen(VARDATA_ANY(t), length);
	code = TextCode(model, feature, VARDATA_ANY(t), length);
	if ((Pointer) t != DatumGetPointer(value))
		pfree(t);
	return code;
}

/* A value that is not text, as the name of a category */
static double
ColumnName(const Model *model, uint32 feature, ColumnKind kind, Datum value)
{
	switch (kind)
	{
		case COLUMN_BOOL:
			return ModelBooleanCode(model, feature, DatumGetBool(value));
		case COLUMN_INT2:
			return ModelIntegerCode(model, feature, DatumGetInt16(value));
		case COLUMN_INT4:
			return ModelIntegerCode(model, feature, DatumGetInt32(value));
		case COLUMN_INT8:
			return ModelIntegerCode(model, feature, DatumGetInt64(value));
		case COLUMN_FLOAT4:
			return ModelNumberCode(model, feature, DatumGetFloat4(value));
		case COLUMN_FLOAT8:
			return ModelNumberCode(model, feature, DatumGetFloat8(value));
		default:
			return NumericCode(model, feature, value);
	}
}

static inline double
ColumnNumber(const Model *model, uint32 feature, const BoundColumn *bound,
			 Datum value)
{
	if (unlikely(bound->kind >= COLUMN_TEXT))
		return ColumnText(model, feature, bound, value);
	if (unlikely(bound->named))
		return ColumnName(model, feature, bound->kind, value);
	switch (bound->kind)
	{
		case COLUMN_BOOL:
			return DatumGetBool(value) ? 1 : 0;
		case COLUMN_INT2:
			return DatumGetInt16(value);
		case COLUMN_INT4:
			return DatumGetInt32(value);
		case COLUMN_INT8:
			return (double) DatumGetInt64(value);
		case COLUMN_FLOAT4:
			return DatumGetFloat4(value);
		case COLUMN_FLOAT8:
			return DatumGetFloat8(value);
		default:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													  value));
	}
}

/*
 * In the model's precision: row4 of a MODEL_SINGLE model, row8 of another.
 * The columns are in values and nulls, or where cells point to.
 */
static pg_attribute_always_inline void
FillRow(ModelBinding *binding, const Datum *values, const bool *nulls,
		const NullableDatum *const *cells)
{
	ModelState *state = binding->state;
	const Model *model = state->model;
	bool		single = (model->flags & MODEL_SINGLE) != 0;

	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		const BoundColumn *bound = &binding->columns[f];
		int			i = bound->column;
		Datum		value = cells != NULL ? cells[i]->value : values[i];
		bool		null = cells != NULL ? cells[i]->isnull : nulls[i];

		if (!single)
			state->row8[f] = null ? NAN :
				ColumnNumber(model, f, bound, value);
		else if (null)
			state->row4[f] = NAN;
		else if (bound->kind == COLUMN_FLOAT4 && !bound->named)
			state->row4[f] = DatumGetFloat4(value);
		else
			state->row4[f] = (float) ColumnNumber(model, f, bound, value);
	}
}

static void
FillFromColumns(ModelBinding *binding, const Datum *values, const bool *nulls)
{
	FillRow(binding, values, nulls, NULL);
}

static void
FillFromCells(ModelBinding *binding, const NullableDatum *const *cells)
{
	FillRow(binding, NULL, NULL, cells);
}

/* ---- rows from SQL arguments ------------------------------------------------- */

/* Which of the state's rows is filled, or where else the row is */
typedef struct FilledRow
{
	ModelState *state;
	const float *row4;			/* one of the two */
	const double *row8;
} FilledRow;

static ArrayType *
GetRowArray(const Model *model, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of features must have one dimension")));
	if (ARR_NDIM(array) == 0 || ARR_DIMS(array)[0] != model->nfeatures)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("model has %u features, but the array has %d elements",
						model->nfeatures,
						ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0])));
	return array;
}

static void
FillFromReal(FilledRow *filled, Datum value)
{
	ModelState *state = filled->state;
	const Model *model = state->model;
	ArrayType  *array = GetRowArray(model, value);
	const float *from = (const float *) ARR_DATA_PTR(array);
	const bits8 *bitmap = ARR_NULLBITMAP(array);

	filled->row4 = from;
	if (bitmap == NULL)
		return;
	for (uint32 f = 0; f < model->nfeatures; f++)
		state->row4[f] = bitmap[f / 8] & (1 << f % 8) ? *from++ : NAN;
	filled->row4 = state->row4;
}

static void
FillFromFloat8(FilledRow *filled, Datum value)
{
	ModelState *state = filled->state;
	const Model *model = state->model;
	ArrayType  *array = GetRowArray(model, value);
	const double *from = (const double *) ARR_DATA_PTR(array);
	const bits8 *bitmap = ARR_NULLBITMAP(array);

	if (model->flags & MODEL_SINGLE)
	{
		for (uint32 f = 0; f < model->nfeatures; f++)
			state->row4[f] = bitmap == NULL || bitmap[f / 8] & (1 << f % 8) ?
				(float) *from++ : NAN;
		filled->row4 = state->row4;
		return;
	}
	filled->row8 = from;
	if (bitmap == NULL)
		return;
	for (uint32 f = 0; f < model->nfeatures; f++)
		state->row8[f] = bitmap[f / 8] & (1 << f % 8) ? *from++ : NAN;
	filled->row8 = state->row8;
}

/* ARRAY[0.5, 1] is numeric[], ARRAY[1, 2] integer[]: any type of numbers */
static void
FillFromNumbers(FilledRow *filled, Datum value)
{
	ModelState *state = filled->state;
	const Model *model = state->model;
	bool		single = (model->flags & MODEL_SINGLE) != 0;
	ArrayType  *array = GetRowArray(model, value);
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		null;

	for (uint32 f = 0; f < model->nfeatures &&
		 array_iterate(iterator, &element, &null); f++)
	{
		double		number = NAN;

		if (null)
			 /* missing */ ;
		else if (ARR_ELEMTYPE(array) == INT4OID)
			number = DatumGetInt32(element);
		else if (ARR_ELEMTYPE(array) == INT8OID)
			number = (double) DatumGetInt64(element);
		else
			number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
														element));
		if (single)
			state->row4[f] = (float) number;
		else
			state->row8[f] = number;
	}
	array_free_iterator(iterator);
	if (single)
		filled->row4 = state->row4;
	else
		filled->row8 = state->row8;
}

/* Bind a call site to a row type that it has not seen at the last call */
static RecordRow *
BindRecord(ModelCall *call, TupleDesc desc)
{
	MemoryContext before;
	RecordRow  *row;

	call->derived = NULL;
	MemoryContextReset(call->derived_context);
	before = MemoryContextSwitchTo(call->derived_context);
	row = palloc0(sizeof(RecordRow));
	row->desc = CreateTupleDescCopyConstr(desc);
	row->binding = Bind(call->state, row->desc, call->derived_context);
	row->values = palloc(row->desc->natts * sizeof(Datum));
	row->nulls = palloc(row->desc->natts * sizeof(bool));
	MemoryContextSwitchTo(before);
	return row;
}

static void
FillFromTuple(ModelCall *call, HeapTupleHeader header)
{
	Oid			type = HeapTupleHeaderGetTypeId(header);
	int32		typmod = HeapTupleHeaderGetTypMod(header);
	RecordRow  *row = call->derived;
	HeapTupleData tuple;

	if (row == NULL || row->serial != 0 || row->type != type ||
		row->typmod != typmod ||
		(row->entry != NULL && row->entry->tupDesc_identifier != row->version))
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(type, typmod);

		row = BindRecord(call, desc);
		ReleaseTupleDesc(desc);
		row->type = type;
		row->typmod = typmod;
		if (type != RECORDOID)
		{
			row->entry = lookup_type_cache(type, TYPECACHE_TUPDESC);
			row->version = row->entry->tupDesc_identifier;
		}
		call->derived = row;
	}
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, row->desc, row->values, row->nulls);
	FillFromColumns(row->binding, row->values, row->nulls);
}

static void
FillFromRecord(ModelCall *call, FilledRow *filled, Datum value)
{
	const LazyRow *lazy = DatumGetLazyRow(value);
	RecordRow  *row = call->derived;

	if (lazy == NULL)
		FillFromTuple(call, DatumGetHeapTupleHeader(value));
	else
	{
		if (row == NULL || row->serial != lazy->serial)
		{
			row = BindRecord(call, lazy->desc);
			row->serial = lazy->serial;
			call->derived = row;
		}
		FillFromCells(row->binding, lazy->cells);
	}
	if (call->state->model->flags & MODEL_SINGLE)
		filled->row4 = call->state->row4;
	else
		filled->row8 = call->state->row8;
}

double
ModelJsonNumber(const Model *model, uint32 feature,
				const JsonbValue *value)
{
	bool		named = MODEL_FEATURES(model)[feature].kind == FEATURE_TEXT;
	Datum		numeric;

	switch (value->type)
	{
		case jbvNull:
			return NAN;
		case jbvBool:
			if (named)
				return ModelBooleanCode(model, feature, value->val.boolean);
			return value->val.boolean ? 1 : 0;
		case jbvNumeric:
			numeric = NumericGetDatum(value->val.numeric);
			if (named)
				return NumericCode(model, feature, numeric);
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													  numeric));
		case jbvString:
			if (named)
				return TextCode(model, feature, value->val.string.val,
								value->val.string.len);
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("\"%s\" is a string, but the model takes this feature as a number",
							FeatureName(model, feature))));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("\"%s\" is an array or object, but the model takes this feature as a number",
							FeatureName(model, feature))));
	}
	return NAN;					/* not reached */
}

static void
FillFromJsonb(FilledRow *filled, Datum value)
{
	ModelState *state = filled->state;
	const Model *model = state->model;
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	bool		single = (model->flags & MODEL_SINGLE) != 0;

	if (!JB_ROOT_IS_OBJECT(jsonb))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a json object")));
	if (!(model->flags & MODEL_HAS_NAMES))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model has no feature names, so it can't be bound to an object's keys"),
				 errhint("Name its features with model_with_names(), or pass an array.")));
	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		const char *name = FeatureName(model, f);
		JsonbValue	found;
		double		number = NAN;

		if (getKeyJsonValueFromContainer(&jsonb->root, name, strlen(name),
										 &found) != NULL)
			number = ModelJsonNumber(model, f, &found);
		if (single)
			state->row4[f] = (float) number;
		else
			state->row8[f] = number;
	}
	if (single)
		filled->row4 = state->row4;
	else
		filled->row8 = state->row8;
}

/* The row in argument 1, whatever its type */
static FilledRow
GetRow(FunctionCallInfo fcinfo)
{
	ModelCall  *call = GetModelCall(fcinfo);
	Datum		value = PG_GETARG_DATUM(1);
	FilledRow	filled = {call->state, NULL, NULL};

	switch (call->rowtype)
	{
		case FLOAT4ARRAYOID:
			FillFromReal(&filled, value);
			break;
		case FLOAT8ARRAYOID:
			FillFromFloat8(&filled, value);
			break;
		case NUMERICARRAYOID:
		case INT4ARRAYOID:
		case INT8ARRAYOID:
			FillFromNumbers(&filled, value);
			break;
		case JSONBOID:
			FillFromJsonb(&filled, value);
			break;
		case RECORDOID:
			FillFromRecord(call, &filled, value);
			break;
		default:
			elog(ERROR, "unexpected row type %u", call->rowtype);
	}
	return filled;
}

/* Margins into the state */
static ModelState *
GetMargins(FunctionCallInfo fcinfo)
{
	FilledRow	filled = GetRow(fcinfo);
	ModelState *state = filled.state;

	if (filled.row4 != NULL)
		ModelMargins4(state->model, state->scratch, filled.row4,
					  state->margins);
	else
		ModelMargins8(state->model, state->scratch, filled.row8,
					  state->margins);
	return state;
}

/* The row into row8 of the state, for what walks in float64 */
static ModelState *
GetWideRow(FunctionCallInfo fcinfo)
{
	FilledRow	filled = GetRow(fcinfo);
	ModelState *state = filled.state;

	if (filled.row4 != NULL)
		for (uint32 f = 0; f < state->model->nfeatures; f++)
			state->row8[f] = filled.row4[f];
	else if (filled.row8 != state->row8)
		memcpy(state->row8, filled.row8,
			   state->model->nfeatures * sizeof(double));
	return state;
}

static void
CheckOneOutput(uint32 n, const char *instead)
{
	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model has %u outputs", n),
				 errhint("Use %s().", instead)));
}

static Datum
Float8Array(const double *values, int n)
{
	ArrayType  *array;
	Size		size = ARR_OVERHEAD_NONULLS(1) + n * sizeof(double);

	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, n * sizeof(double));
	return PointerGetDatum(array);
}

/* ---- SQL functions ------------------------------------------------------------ */

PG_FUNCTION_INFO_V1(model_predict);
Datum
model_predict(PG_FUNCTION_ARGS)
{
	ModelState *state = GetMargins(fcinfo);

	CheckOneOutput(MODEL_PREDICTIONS(state->model), "predict_vector");
	ModelPredictions(state->model, state->margins, state->predictions);
	PG_RETURN_FLOAT8(state->predictions[0]);
}

PG_FUNCTION_INFO_V1(model_margin);
Datum
model_margin(PG_FUNCTION_ARGS)
{
	ModelState *state = GetMargins(fcinfo);

	CheckOneOutput(state->model->noutputs, "margin_vector");
	PG_RETURN_FLOAT8(state->margins[0]);
}

PG_FUNCTION_INFO_V1(model_predict_vector);
Datum
model_predict_vector(PG_FUNCTION_ARGS)
{
	ModelState *state = GetMargins(fcinfo);

	ModelPredictions(state->model, state->margins, state->predictions);
	PG_RETURN_DATUM(Float8Array(state->predictions,
								MODEL_PREDICTIONS(state->model)));
}

PG_FUNCTION_INFO_V1(model_margin_vector);
Datum
model_margin_vector(PG_FUNCTION_ARGS)
{
	ModelState *state = GetMargins(fcinfo);

	PG_RETURN_DATUM(Float8Array(state->margins, state->model->noutputs));
}

PG_FUNCTION_INFO_V1(model_predict_leaf);
Datum
model_predict_leaf(PG_FUNCTION_ARGS)
{
	ModelState *state = GetWideRow(fcinfo);
	int			n = state->model->ntrees;
	Size		size = ARR_OVERHEAD_NONULLS(1) + n * sizeof(int32);
	ArrayType  *array;

	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = INT4OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	ModelLeaves(state->model, state->row8, (int32 *) ARR_DATA_PTR(array));
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(model_contributions);
Datum
model_contributions(PG_FUNCTION_ARGS)
{
	ModelState *state = GetWideRow(fcinfo);
	const Model *model = state->model;
	int			ndim = model->noutputs == 1 ? 1 : 2;
	Size		n = (Size) model->noutputs * (model->nfeatures + 1);
	Size		size = ARR_OVERHEAD_NONULLS(ndim) + n * sizeof(double);
	ArrayType  *array;

	ModelStateExplain(state);
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = ndim;
	array->elemtype = FLOAT8OID;
	if (ndim == 2)
		ARR_DIMS(array)[0] = model->noutputs;
	ARR_DIMS(array)[ndim - 1] = model->nfeatures + 1;
	for (int i = 0; i < ndim; i++)
		ARR_LBOUND(array)[i] = 1;
	memcpy(ARR_DATA_PTR(array), state->contributions, n * sizeof(double));
	PG_RETURN_ARRAYTYPE_P(array);
}

/* ---- explanations --------------------------------------------------------------- */

/* Is a to be shown before b? */
static inline bool
IsLarger(const ModelContribution *a, const ModelContribution *b)
{
	double		x = fabs(a->contribution);
	double		y = fabs(b->contribution);

	return x > y || (x == y && a->feature < b->feature);
}

static int
CompareContributions(const void *a, const void *b)
{
	return IsLarger(a, b) ? -1 : IsLarger(b, a);
}

/* The largest `top` of an output, out of state->contributions and row8 */
static int
TopContributions(ModelState *state, uint32 output, int top,
				 ModelContribution *contributions)
{
	uint32		nfeatures = state->model->nfeatures;
	const double *from = state->contributions +
	(Size) output * (nfeatures + 1);
	bool		all = top >= nfeatures;
	int			n = 0;

	for (uint32 f = 0; f < nfeatures; f++)
	{
		ModelContribution new = {f, state->row8[f], from[f]};
		int			at;

		if (from[f] == 0)
			continue;
		if (all)
		{
			contributions[n++] = new;
			continue;
		}
		/* top is small as a rule: insertion */
		if (n == top && (top == 0 || !IsLarger(&new, &contributions[n - 1])))
			continue;
		if (n < top)
			n++;
		for (at = n - 1; at > 0 && IsLarger(&new, &contributions[at - 1]); at--)
			contributions[at] = contributions[at - 1];
		contributions[at] = new;
	}
	if (all)
		qsort(contributions, n, sizeof(ModelContribution),
			  CompareContributions);
	return n;
}

double
ModelMarginSlotValues(const Model *model, ModelBinding *binding,
					  const Datum *values, const bool *nulls)
{
	ModelState *state = binding->state;

	Assert(state->model == model);
	FillFromColumns(binding, values, nulls);
	if (model->flags & MODEL_SINGLE)
		ModelMargins4(model, state->scratch, state->row4, state->margins);
	else
		ModelMargins8(model, state->scratch, state->row8, state->margins);
	return state->margins[0];
}

/* What the features of a row add, the largest at first; the margin is known. */
int
ModelExplainSlotValues(const Model *model, ModelBinding *binding,
					   const Datum *values, const bool *nulls, int top,
					   ModelContribution *contributions)
{
	ModelState *state = binding->state;

	Assert(state->model == model);
	FillFromColumns(binding, values, nulls);
	if (model->flags & MODEL_SINGLE)
		for (uint32 f = 0; f < model->nfeatures; f++)
			state->row8[f] = state->row4[f];
	ModelStateExplain(state);
	return TopContributions(state, 0, top, contributions);
}

/* A feature's value as the model saw it, into "number"; or a name where it has one */
const char *
ModelValueText(const Model *model, const ModelContribution *contribution, char *number)
{
	const ModelFeature *feature = MODEL_FEATURES(model) + contribution->feature;

	if (feature->kind == FEATURE_TEXT)
		for (uint32 i = 0; i < feature->count; i++)
		{
			const ModelCategory *category = MODEL_CATEGORIES(model) +
			feature->first + i;

			if (category->code == contribution->value)
				return ModelServerText(MODEL_STRING(model, category->name));
		}
	if (isinf(contribution->value))
		return contribution->value > 0 ? "Infinity" : "-Infinity";
	if (model->flags & MODEL_SINGLE)
		float_to_shortest_decimal_buf((float) contribution->value, number);
	else
		double_to_shortest_decimal_buf(contribution->value, number);
	return number;
}

PG_FUNCTION_INFO_V1(model_explain);
Datum
model_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ModelState *state;
	const Model *model;
	ModelContribution *contributions;
	int			top = PG_ARGISNULL(2) ? PG_INT32_MAX : PG_GETARG_INT32(2);
	int			output = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT32(3);
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	if (top < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("top must not be negative")));
	state = GetWideRow(fcinfo);
	model = state->model;
	if (output < 0 || output >= model->noutputs)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("output %d does not exist, the model has %u",
						output, model->noutputs),
				 errhint("Outputs are numbered from 0.")));
	ModelStateExplain(state);
	contributions = palloc(Min((Size) top, model->nfeatures) *
						   sizeof(ModelContribution));
	n = TopContributions(state, output, top, contributions);
	for (int i = 0; i < n; i++)
	{
		uint32		feature = contributions[i].feature;
		char		number[DOUBLE_SHORTEST_DECIMAL_LEN];
		Datum		values[3];
		bool		nulls[3] = {false, isnan(contributions[i].value), false};

		if (model->flags & MODEL_HAS_NAMES)
			values[0] = CStringGetTextDatum(FeatureName(model, feature));
		else
			values[0] = CStringGetTextDatum(psprintf("f%u", feature));
		values[1] = nulls[1] ? (Datum) 0 :
			CStringGetTextDatum(ModelValueText(model, &contributions[i], number));
		values[2] = Float8GetDatum(contributions[i].contribution);
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}
