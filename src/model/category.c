/*
 * category.c
 *		Names of categories, and what a value is looked up as.
 *
 * A model knows categories by name.  A value of SQL or JSON that is no text is
 * looked up under the name that the libraries, which are used from Python, give
 * to it.  Works without a server.
 */
#include "postgres.h"

#include <math.h>

#include "category.h"

/* As printf has it: what 0.1.0 called every number */
static void
ShortestName(double number, char *name)
{
	for (int digits = 15; digits <= 17; digits++)
	{
		snprintf(name, MODEL_NUMBER_NAME, "%.*g", digits, number);
		if (strtod(name, NULL) == number)
			break;
	}
}

void
ModelNumberName(double number, char *name)
{
	/* -0 is 0; NaN and infinity are not whole */
	if (number == floor(number) && fabs(number) < 9.2e18)
		snprintf(name, MODEL_NUMBER_NAME, INT64_FORMAT, (int64) number);
	else
		ShortestName(number, name);
}

/* Binary search: names are in order of bytes */
double
ModelCategoryCode(const Model *model, uint32 feature, const char *name,
				  Size length)
{
	const ModelFeature *f = MODEL_FEATURES(model) + feature;
	const ModelCategory *categories = MODEL_CATEGORIES(model) + f->first;
	uint32		low = 0;
	uint32		high = f->count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		const char *other = MODEL_STRING(model, categories[middle].name);
		int			difference = strncmp(name, other, length);

		if (difference == 0 && other[length] == '\0')
			return categories[middle].code;
		if (difference > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NAN;
}

static double
NameCode(const Model *model, uint32 feature, const char *name)
{
	return ModelCategoryCode(model, feature, name, strlen(name));
}

double
ModelNumberCode(const Model *model, uint32 feature, double number)
{
	char		name[MODEL_NUMBER_NAME];
	double		code;

	ModelNumberName(number, name);
	code = NameCode(model, feature, name);
	/* A model that 0.1.0 imported knows large numbers as 1e+15 */
	if (isnan(code) && fabs(number) >= 1e15)
	{
		ShortestName(number, name);
		code = NameCode(model, feature, name);
	}
	return code;
}

double
ModelIntegerCode(const Model *model, uint32 feature, int64 number)
{
	char		name[MODEL_NUMBER_NAME];
	double		code;

	snprintf(name, sizeof(name), INT64_FORMAT, number);
	code = NameCode(model, feature, name);
	if (isnan(code) && fabs((double) number) >= 1e15)
		code = ModelNumberCode(model, feature, (double) number);
	return code;
}

/*
 * LightGBM's file has true (JSON), Python's str() says True, and a frame may
 * have kept them as numbers; the first of these that the model knows.
 */
double
ModelBooleanCode(const Model *model, uint32 feature, bool boolean)
{
	static const char *const names[][2] = {
		{"false", "true"}, {"False", "True"}, {"0", "1"}
	};
	double		code = NAN;

	for (int i = 0; i < lengthof(names) && isnan(code); i++)
		code = NameCode(model, feature, names[i][boolean]);
	return code;
}
