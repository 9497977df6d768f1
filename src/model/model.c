/*
 * model.c
 *		The type model: in, out, recv, send, constructors and what it says.
 *
 * Whatever makes a value ends in ModelSeal, after the builder and CheckModel.
 *
 * The binary form is the header's fields and the sections' elements in network
 * byte order, without padding and without the lanes, which recv derives anew.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "import.h"
#include "model_cache.h"
#include "model_text.h"
#include "predict.h"

#define PG_RETURN_MODEL(m)	PG_RETURN_POINTER(m)

/* A model in memory, unchecked: for functions that are called once in a while */
static Model *
GetModelArgument(FunctionCallInfo fcinfo, int n)
{
	return DatumGetModel(PG_GETARG_DATUM(n), CurrentMemoryContext);
}

static bool
IsCancelled(void)
{
	return InterruptPending && (QueryCancelPending || ProcDiePending);
}

void
ModelInit(void)
{
	model_cancelled = IsCancelled;
	ModelCacheInit();
}

/* From the builder's memory to ours; raises when there is no model */
static Model *
TakeModel(Model *built, Size size, const ModelError *error)
{
	Model	   *model;

	if (built == NULL)
		ModelRaise(error);
	model = palloc_extended(size, MCXT_ALLOC_NO_OOM);
	if (model != NULL)
		memcpy(model, built, size);
	free(built);
	if (model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	ModelSeal(model);
	ModelNotice(error);
	return model;
}

/* ---- in and out --------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(model_in);
Datum
model_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	ModelError	error = {0};
	Model	   *model;
	Size		size;

	model = ImportText(utf8, strlen(utf8), &size, &error);
	if (model == NULL && error.kind == MODEL_INVALID)
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s", "model"),
				 errdetail("The check says: %s.", ModelMessageText(error.message)),
				 error.hint[0] != '\0' ? errhint("%s", ModelMessageText(error.hint)) :
				 errhint("The text form is what pg_assay writes; model_from_xgboost(), model_from_lightgbm() and others read a library's file.")));
	PG_RETURN_MODEL(TakeModel(model, size, &error));
}

PG_FUNCTION_INFO_V1(model_out);
Datum
model_out(PG_FUNCTION_ARGS)
{
	Model	   *model = GetModelArgument(fcinfo, 0);
	StringInfoData to;

	/* ASCII, so that it can be dumped from and restored to any database */
	initStringInfo(&to);
	ModelWriteText(&to, model);
	PG_RETURN_CSTRING(to.data);
}

/*
 * How an element of each section is sent: the widths of its fields.  Strings
 * and lanes are not in here.
 */
static const char *const section_fields[MODEL_SECTIONS] = {
	[SECTION_FEATURES] = "4444",
	[SECTION_CATEGORIES] = "44",
	[SECTION_OUTPUTS] = "8",
	[SECTION_TREES] = "4444",
	[SECTION_NODES] = "84444",
	[SECTION_COVERS] = "8",
	[SECTION_SETS] = "4",
	[SECTION_VALUES] = "8",
	[SECTION_LINEARS] = "8844",
	[SECTION_TERMS] = "844",
};

static uint64
SectionCount(const Model *model, ModelSection section)
{
	switch (section)
	{
		case SECTION_FEATURES:
			return model->nfeatures;
		case SECTION_CATEGORIES:
			return model->ncategories;
		case SECTION_OUTPUTS:
			return (uint64) 2 * model->noutputs;
		case SECTION_TREES:
			return model->ntrees;
		case SECTION_NODES:
			return model->nnodes;
		case SECTION_COVERS:
			return model->flags & MODEL_HAS_COVER ? model->nnodes : 0;
		case SECTION_SETS:
			return model->nsetwords;
		case SECTION_VALUES:
			return model->nvalues;
		case SECTION_LINEARS:
			return model->nlinears;
		case SECTION_TERMS:
			return model->nterms;
		default:
			return 0;
	}
}

/* The header's counts, in the order in which they are sent */
#define HEADER_COUNTS(model) { \
	&(model)->flags, &(model)->nfeatures, &(model)->noutputs, \
	&(model)->ntrees, &(model)->nnodes, &(model)->depth, \
	&(model)->ncategories, &(model)->nsetwords, &(model)->nvalues, \
	&(model)->nlinears, &(model)->nterms, &(model)->nstrings, \
	(uint32 *) &(model)->iterations, (uint32 *) &(model)->best_iteration, \
	&(model)->objective, &(model)->library, &(model)->reserved \
}

/* … and its numbers */
#define HEADER_NUMBERS(model) { \
	&(model)->link_param[0], &(model)->link_param[1], &(model)->scale, \
	&(model)->divisor \
}

PG_FUNCTION_INFO_V1(model_send);
Datum
model_send(PG_FUNCTION_ARGS)
{
	Model	   *model = GetModelArgument(fcinfo, 0);
	uint32	   *counts[] = HEADER_COUNTS(model);
	double	   *numbers[] = HEADER_NUMBERS(model);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint16(&buffer, model->version);
	pq_sendint8(&buffer, model->format);
	pq_sendint8(&buffer, model->link);
	for (int i = 0; i < lengthof(counts); i++)
		pq_sendint32(&buffer, *counts[i]);
	for (int i = 0; i < lengthof(numbers); i++)
		pq_sendfloat8(&buffer, *numbers[i]);
	for (int section = 0; section < MODEL_SECTIONS; section++)
	{
		const char *at = MODEL_AT(model, section, const char);
		uint64		n = SectionCount(model, section);

		for (uint64 i = 0; i < n; i++)
			for (const char *field = section_fields[section]; *field; field++)
			{
				uint32		i4;
				uint64		i8;

				if (*field == '4')
				{
					memcpy(&i4, at, sizeof(i4));
					pq_sendint32(&buffer, i4);
					at += sizeof(i4);
				}
				else
				{
					memcpy(&i8, at, sizeof(i8));
					pq_sendint64(&buffer, i8);
					at += sizeof(i8);
				}
			}
	}
	pq_sendbytes(&buffer, MODEL_STRING(model, 0), model->nstrings);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

static void
BadBinary(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("invalid binary format of a model: %s", what)));
}

PG_FUNCTION_INFO_V1(model_recv);
Datum
model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	Model		header = {0};
	uint32	   *counts[] = HEADER_COUNTS(&header);
	double	   *numbers[] = HEADER_NUMBERS(&header);
	uint64		expected = 0;
	ModelError	error = {0};
	Model	   *body;
	Model	   *model;
	Size		size;

	header.version = pq_getmsgint(buffer, 2);
	if (header.version != MODEL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model has format version %u, this is for version %d",
						header.version, MODEL_VERSION)));
	header.format = pq_getmsgbyte(buffer);
	header.link = pq_getmsgbyte(buffer);
	for (int i = 0; i < lengthof(counts); i++)
		*counts[i] = pq_getmsgint(buffer, 4);
	for (int i = 0; i < lengthof(numbers); i++)
		*numbers[i] = pq_getmsgfloat8(buffer);

	/* No memory before the message has proved to be as long as it says */
	for (int section = 0; section < MODEL_SECTIONS; section++)
	{
		uint64		bytes = 0;

		for (const char *field = section_fields[section]; field && *field; field++)
			bytes += *field - '0';
		expected += bytes * SectionCount(&header, section);
	}
	expected += header.nstrings;
	if (expected != buffer->len - buffer->cursor)
		BadBinary("its length does not fit its counts");
	if (!ModelLayout(&header, &size))
		BadBinary("it is too big");
	body = palloc_extended(size, MCXT_ALLOC_ZERO);
	memcpy(body, &header, sizeof(Model));
	SET_VARSIZE(body, size);
	for (int section = 0; section < MODEL_SECTIONS; section++)
	{
		char	   *at = MODEL_AT(body, section, char);
		uint64		n = SectionCount(body, section);

		for (uint64 i = 0; i < n; i++)
			for (const char *field = section_fields[section]; *field; field++)
			{
				uint32		i4;
				uint64		i8;

				if (*field == '4')
				{
					i4 = pq_getmsgint(buffer, 4);
					memcpy(at, &i4, sizeof(i4));
					at += sizeof(i4);
				}
				else
				{
					i8 = pq_getmsgint64(buffer);
					memcpy(at, &i8, sizeof(i8));
					at += sizeof(i8);
				}
			}
	}
	memcpy(MODEL_AT(body, SECTION_STRINGS, char),
		   pq_getmsgbytes(buffer, header.nstrings), header.nstrings);
	model = ModelComplete(body, size, &size, &error);
	pfree(body);
	if (model == NULL && error.kind == MODEL_INVALID)
		BadBinary(error.message);
	PG_RETURN_MODEL(TakeModel(model, size, &error));
}

/* ---- constructors --------------------------------------------------------------- */

PG_FUNCTION_INFO_V1(model_from_xgboost);
Datum
model_from_xgboost(PG_FUNCTION_ARGS)
{
	bytea	   *document;
	int32		iterations = IMPORT_AS_LIBRARY;
	ModelError	error = {0};
	Model	   *model;
	Size		size;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	document = PG_GETARG_BYTEA_PP(0);
	if (!PG_ARGISNULL(1))
	{
		iterations = PG_GETARG_INT32(1);
		if (iterations < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("number of iterations must not be negative")));
	}
	model = ImportXGBoost(VARDATA_ANY(document), VARSIZE_ANY_EXHDR(document),
						  iterations, &size, &error);
	PG_RETURN_MODEL(TakeModel(model, size, &error));
}

/* Elements of a one-dimensional array without NULLs */
static int
GetElements(ArrayType *array, Oid type, const char *what, Datum **elements)
{
	int			n;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of %s must have one dimension", what)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array of %s must not hold a NULL", what)));
	if (type == TEXTOID)
		deconstruct_array(array, type, -1, false, TYPALIGN_INT, elements,
						  NULL, &n);
	else
		deconstruct_array(array, type, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  elements, NULL, &n);
	return n;
}

static char *
GetUtf8(Datum value)
{
	char	   *string = TextDatumGetCString(value);

	return pg_server_to_any(string, strlen(string), PG_UTF8);
}

/* A document in text, in UTF-8, as importers want it */
static const char *
GetDocument(FunctionCallInfo fcinfo, int n, Size *length)
{
	text	   *document = PG_GETARG_TEXT_PP(n);
	char	   *bytes = VARDATA_ANY(document);
	char	   *utf8;

	*length = VARSIZE_ANY_EXHDR(document);
	utf8 = pg_server_to_any(bytes, (int) *length, PG_UTF8);
	if (utf8 != bytes)
		*length = strlen(utf8);
	return utf8;
}

/* model_from_lightgbm(document [, pandas_columns]) */
PG_FUNCTION_INFO_V1(model_from_lightgbm);
Datum
model_from_lightgbm(PG_FUNCTION_ARGS)
{
	Size		length;
	const char *document = GetDocument(fcinfo, 0, &length);
	const char **columns = NULL;
	Datum	   *names;
	int			ncolumns = 0;
	ModelError	error = {0};
	Model	   *model;
	Size		size;

	if (PG_NARGS() > 1)
	{
		ncolumns = GetElements(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, "columns",
							   &names);
		columns = palloc(Max(ncolumns, 1) * sizeof(char *));
		for (int i = 0; i < ncolumns; i++)
			columns[i] = GetUtf8(names[i]);
	}
	model = ImportLightGBM(document, length, columns, ncolumns, &size, &error);
	PG_RETURN_MODEL(TakeModel(model, size, &error));
}

PG_FUNCTION_INFO_V1(model_from_catboost);
Datum
model_from_catboost(PG_FUNCTION_ARGS)
{
	Size		length;
	const char *document = GetDocument(fcinfo, 0, &length);
	ModelError	error = {0};
	Model	   *model;
	Size		size;

	model = ImportCatBoost(document, length, &size, &error);
	PG_RETURN_MODEL(TakeModel(model, size, &error));
}

PG_FUNCTION_INFO_V1(model_from_linear);
Datum
model_from_linear(PG_FUNCTION_ARGS)
{
	double		intercept = PG_GETARG_FLOAT8(2);
	char	   *link_name = text_to_cstring(PG_GETARG_TEXT_PP(3));
	ModelError	error = {0};
	ModelBuilder *builder;
	ModelLink	link;
	Datum	   *features;
	Datum	   *weights;
	char	  **names;
	Model	   *model;
	Size		size;
	int			nfeatures;
	int			nweights;

	nfeatures = GetElements(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, "features",
							&features);
	nweights = GetElements(PG_GETARG_ARRAYTYPE_P(1), FLOAT8OID, "weights",
						   &weights);
	if (nfeatures != nweights)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d features, but %d weights",
						nfeatures, nweights)));
	if (!ModelFindLink(link_name, &link) ||
		(link != LINK_IDENTITY && link != LINK_LOGISTIC && link != LINK_EXP))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown link \"%s\"", link_name),
				 errhint("A linear model has the link identity, logistic or exp.")));

	/* What may raise comes before the builder, which is not palloc'd */
	names = palloc(nfeatures * sizeof(char *));
	for (int i = 0; i < nfeatures; i++)
		names[i] = GetUtf8(features[i]);
	builder = ModelBegin(MODEL_LINEAR, &error);
	ModelSetLink(builder, link, 1.0, 0.0);
	ModelSetStart(builder, 0, intercept);
	ModelSetIterations(builder, 0, -1);
	for (int i = 0; i < nfeatures; i++)
		ModelAddFeature(builder, names[i], FEATURE_NUMERIC);
	for (int i = 0; i < nfeatures; i++)
		ModelSetWeight(builder, 0, i, DatumGetFloat8(weights[i]));
	model = ModelFinish(builder, &size);
	PG_RETURN_MODEL(TakeModel(model, size, &error));
}

/*
 * model_calibrated(model, slope, intercept): the same model with margins
 * slope * margin + intercept, and these as log-odds
 */
PG_FUNCTION_INFO_V1(model_calibrated);
Datum
model_calibrated(PG_FUNCTION_ARGS)
{
	Model	   *model = GetModelArgument(fcinfo, 0);
	float8		slope = PG_GETARG_FLOAT8(1);
	float8		intercept = PG_GETARG_FLOAT8(2);
	float8		bias;
	ModelError	error = {0};
	Model	   *body;
	Model	   *built;
	Model		header;
	Size		size;

	if (!isfinite(slope) || !isfinite(intercept) || slope == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("slope must be a number other than zero, and intercept a number")));
	if (model->noutputs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model has %u outputs", model->noutputs),
				 errhint("Only a model with one margin can be calibrated.")));
	memcpy(&header, model, sizeof(Model));
	header.nlanebytes = 0;
	header.link = LINK_LOGISTIC;
	header.link_param[0] = 1;
	header.link_param[1] = 0;
	/* in the model's own precision */
	header.scale = model->flags & MODEL_SINGLE ? (float) (model->scale * slope) : model->scale * slope;
	bias = MODEL_BIAS(model)[0] * slope + intercept;
	if (model->flags & MODEL_SINGLE)
		bias = (float) bias;
	if (!isfinite(header.scale) || header.scale == 0 || !isfinite(bias))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("calibrated margins would overflow or vanish")));
	if (!ModelLayout(&header, &size))
		elog(ERROR, "model has grown without its lanes");
	body = palloc_extended(size, MCXT_ALLOC_ZERO);
	memcpy(body, model, model->offset[SECTION_LANES]);
	memcpy(body, &header, sizeof(Model));
	SET_VARSIZE(body, size);
	memcpy(MODEL_AT(body, SECTION_STRINGS, char), MODEL_STRING(model, 0), model->nstrings);
	((double *) MODEL_BIAS(body))[0] = bias;
	built = ModelComplete(body, size, &size, &error);
	PG_RETURN_MODEL(TakeModel(built, size, &error));
}

/* The same model with other feature names */
PG_FUNCTION_INFO_V1(model_with_names);
Datum
model_with_names(PG_FUNCTION_ARGS)
{
	Model	   *model = GetModelArgument(fcinfo, 0);
	ModelError	error = {0};
	Datum	   *names;
	Model	   *body;
	Model		header;
	StringInfoData strings;
	uint32	   *offsets;
	Model	   *built;
	Size		size;
	int			n;

	n = GetElements(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, "names", &names);
	if (n != model->nfeatures)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("model has %u features, but there are %d names",
						model->nfeatures, n)));

	/* New names go behind the strings that are there */
	initStringInfo(&strings);
	appendBinaryStringInfo(&strings, MODEL_STRING(model, 0), model->nstrings);
	offsets = palloc(n * sizeof(uint32));
	for (int i = 0; i < n; i++)
	{
		char	   *name = GetUtf8(names[i]);

		if (strlen(name) < 1 || strlen(name) > MODEL_MAX_NAME)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a name must have 1 to %d bytes", MODEL_MAX_NAME)));
		offsets[i] = strings.len;
		appendBinaryStringInfo(&strings, name, strlen(name) + 1);
	}
	memcpy(&header, model, sizeof(Model));
	header.flags |= MODEL_HAS_NAMES;
	header.nlanebytes = 0;
	header.nstrings = strings.len;
	if (!ModelLayout(&header, &size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model exceeds the limit of %zu bytes",
						MODEL_MAX_BYTES)));
	body = palloc_extended(size, MCXT_ALLOC_ZERO);
	memcpy(body, model, model->offset[SECTION_LANES]);
	memcpy(body, &header, sizeof(Model));
	SET_VARSIZE(body, size);
	memcpy(MODEL_AT(body, SECTION_STRINGS, char), strings.data, strings.len);
	for (int i = 0; i < n; i++)
		MODEL_FEATURES(body)[i].name = offsets[i];
	built = ModelComplete(body, size, &size, &error);
	PG_RETURN_MODEL(TakeModel(built, size, &error));
}

/* ---- what a model says of itself -------------------------------------------------- */

static Datum
Utf8Text(const char *utf8)
{
	return CStringGetTextDatum(ModelServerText(utf8));
}

PG_FUNCTION_INFO_V1(model_info);
Datum
model_info(PG_FUNCTION_ARGS)
{
	Model	   *model = GetModelArgument(fcinfo, 0);
	const char *library = MODEL_STRING(model, model->library);
	const char *objective = MODEL_STRING(model, model->objective);
	TupleDesc	desc;
	Datum		values[14];
	bool		nulls[14] = {0};
	int			n = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[n++] = CStringGetTextDatum(ModelFormatName(model));
	nulls[n] = *library == '\0';
	values[n++] = Utf8Text(library);
	nulls[n] = *objective == '\0';
	values[n++] = Utf8Text(objective);
	values[n++] = CStringGetTextDatum(ModelLinkName(model));
	values[n++] = CStringGetTextDatum(model->flags & MODEL_SINGLE ?
									  "real" : "double precision");
	values[n++] = Int32GetDatum(model->nfeatures);
	values[n++] = Int32GetDatum(model->noutputs);
	values[n++] = Int32GetDatum(model->ntrees);
	values[n++] = Int32GetDatum(model->nnodes);
	values[n++] = Int32GetDatum(model->depth);
	values[n++] = Int32GetDatum(model->iterations);
	nulls[n] = model->best_iteration < 0;
	values[n++] = Int32GetDatum(model->best_iteration);
	values[n++] = BoolGetDatum(ModelShapSize(model) > 0);
	values[n++] = Int32GetDatum(VARSIZE(model));
	Assert(n == lengthof(values));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

static int
CompareCodes(const void *a, const void *b)
{
	uint32		left = ((const ModelCategory *) a)->code;
	uint32		right = ((const ModelCategory *) b)->code;

	return left < right ? -1 : left > right;
}

PG_FUNCTION_INFO_V1(model_features);
Datum
model_features(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Model	   *model = GetModelArgument(fcinfo, 0);

	InitMaterializedSRF(fcinfo, 0);
	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		const ModelFeature *feature = MODEL_FEATURES(model) + f;
		const char *name = MODEL_STRING(model, feature->name);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = Int32GetDatum(f + 1);
		nulls[1] = *name == '\0';
		values[1] = Utf8Text(name);
		values[2] = CStringGetTextDatum(ModelKindName(feature));
		nulls[3] = feature->kind != FEATURE_TEXT;
		if (!nulls[3])
		{
			ModelCategory *sorted = MODEL_CATEGORIES(model) + feature->first;
			Datum	   *names = palloc(feature->count * sizeof(Datum));

			/* This copy of the model is ours */
			qsort(sorted, feature->count, sizeof(ModelCategory), CompareCodes);
			for (uint32 i = 0; i < feature->count; i++)
				names[i] = Utf8Text(MODEL_STRING(model, sorted[i].name));
			values[3] = PointerGetDatum(construct_array(names, feature->count,
														TEXTOID, -1, false,
														TYPALIGN_INT));
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	return (Datum) 0;
}
