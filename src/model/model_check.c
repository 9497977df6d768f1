/*
 * model_check.c
 *		What a row does not give to a model, without a word, row by row.
 *
 * Evaluation takes what is absent from an object, and a category that the
 * model has not seen, as missing.  That is right in traffic and hides a
 * misspelt key for ever.  model_check() tells it, for a look at some rows.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

#include "compat.h"
#include "plain_types.h"
#include "predict.h"

/* Edits up to which a name may be meant */
#define MAX_EDITS	3

static void
Report(ReturnSetInfo *result, const char *feature, const char *problem,
	   const char *detail)
{
	Datum		values[3] = {
		CStringGetTextDatum(feature), CStringGetTextDatum(problem), (Datum) 0
	};
	bool		nulls[3] = {false, false, detail == NULL};

	if (detail != NULL)
		values[2] = CStringGetTextDatum(detail);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static const char *
FeatureName(const Model *model, uint32 feature)
{
	return ModelServerText(MODEL_FEATURE_NAME(model, feature));
}

/* The feature whose name is nearest to a key, or NULL */
static const char *
Meant(const Model *model, const char *key)
{
	const char *best = NULL;
	int			edits = Min(MAX_EDITS, (int) strlen(key) / 2);

	if (strlen(key) > 255)
		return NULL;
	for (uint32 f = 0; f < model->nfeatures; f++)
	{
		const char *name = FeatureName(model, f);
		int			distance;

		CHECK_FOR_INTERRUPTS();
		if (strlen(name) > 255)
			continue;
		if (pg_strcasecmp(name, key) == 0)
			return name;
		distance = varstr_levenshtein_less_equal(key, strlen(key), name,
												 strlen(name), 1, 1, 1, edits,
												 true);
		if (distance <= edits)
		{
			best = name;
			edits = distance - 1;
		}
	}
	return best;
}

static char *
JsonText(JsonbValue *value)
{
	StringInfoData text;

	initStringInfo(&text);
	return JsonbToCString(&text, &JsonbValueToJsonb(value)->root, 0);
}

/*
 * Of a row also what row_to_json() can only write as a string: numbers that
 * JSON does not have
 */
static bool
IsNumber(const JsonbValue *value, bool is_row)
{
	static const char *const names[] = {"NaN", "Infinity", "-Infinity"};

	if (value->type == jbvNumeric || value->type == jbvBool)
		return true;
	for (int i = 0; is_row && value->type == jbvString && i < lengthof(names); i++)
		if (value->val.string.len == strlen(names[i]) &&
			memcmp(value->val.string.val, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void
CheckFeature(ReturnSetInfo *result, const Model *model, uint32 feature,
			 Jsonb *row, bool is_row)
{
	const char *name = FeatureName(model, feature);
	bool		named = MODEL_FEATURES(model)[feature].kind == FEATURE_TEXT;
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&row->root, name, strlen(name),
									 &value) == NULL)
		Report(result, name, "absent", NULL);
	else if (value.type == jbvNull)
		return;
	else if (value.type == jbvBinary || (!named && !IsNumber(&value, is_row)))
		Report(result, name, "wrong type", JsonText(&value));
	else if (named && isnan(ModelJsonNumber(model, feature, &value)))
		Report(result, name, "unknown category", JsonText(&value));
}

/* Keys that are no features: of an object only, a row may have other columns */
static void
CheckKeys(ReturnSetInfo *result, const Model *model, Jsonb *row)
{
	JsonbIterator *iterator = JsonbIteratorInit(&row->root);
	JsonbIteratorToken token;
	JsonbValue	key;

	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char	   *name;
		const char *meant;
		bool		found = false;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		for (uint32 f = 0; f < model->nfeatures && !found; f++)
			found = strcmp(name, FeatureName(model, f)) == 0;
		if (found)
			continue;
		meant = Meant(model, name);
		Report(result, name, "unknown key", meant == NULL ? NULL :
			   psprintf("perhaps \"%s\" is meant", meant));
	}
}

static Model *
GetNamedModel(FunctionCallInfo fcinfo)
{
	Model	   *model = DatumGetModel(PG_GETARG_DATUM(0), CurrentMemoryContext);

	if (!(model->flags & MODEL_HAS_NAMES))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model has no feature names"),
				 errhint("Name its features with model_with_names().")));
	return model;
}

static void
CheckFeatures(ReturnSetInfo *result, const Model *model, Jsonb *row,
			  bool is_row)
{
	if (!JB_ROOT_IS_OBJECT(row))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a json object")));
	for (uint32 f = 0; f < model->nfeatures; f++)
		CheckFeature(result, model, f, row, is_row);
}

PG_FUNCTION_INFO_V1(model_check_jsonb);
Datum
model_check_jsonb(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Model	   *model = GetNamedModel(fcinfo);
	Jsonb	   *row = PG_GETARG_JSONB_P(1);

	InitMaterializedSRF(fcinfo, 0);
	CheckFeatures(result, model, row, false);
	CheckKeys(result, model, row);
	return (Datum) 0;
}

/*
 * A row as JSON, without casts that strangers gave its types: evaluation runs none
 * either.  Whoever calls runs them, so that a table's owner is a stranger, too.
 */
static Jsonb *
RowJson(HeapTupleHeader row)
{
	TupleDesc	desc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	TupleDesc	plain;
	Datum	   *values = palloc(Max(desc->natts, 1) * sizeof(Datum));
	bool	   *nulls = palloc(Max(desc->natts, 1) * sizeof(bool));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row),.t_data = row};
	Datum		json;

	desc->tdtypeid = RECORDOID;
	plain = BlessTupleDesc(PlainDesc(desc));
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (int i = 0; i < desc->natts; i++)
	{
		Oid			output;
		bool		varlena;

		if (nulls[i] || !BecameText(desc, plain, i))
			continue;
		getTypeOutputInfo(TupleDescAttr(desc, i)->atttypid, &output, &varlena);
		values[i] = CStringGetTextDatum(OidOutputFunctionCall(output, values[i]));
	}
	json = DirectFunctionCall1(row_to_json, HeapTupleGetDatum(heap_form_tuple(plain, values, nulls)));
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(json))));
}

PG_FUNCTION_INFO_V1(model_check_record);
Datum
model_check_record(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Model	   *model = GetNamedModel(fcinfo);

	InitMaterializedSRF(fcinfo, 0);
	CheckFeatures(result, model, RowJson(PG_GETARG_HEAPTUPLEHEADER(1)), true);
	return (Datum) 0;
}
