/*
 * fuzz_lightgbm.c
 *		Any bytes as a document of LightGBM.
 */
#include "postgres.h"

#include "exercise.h"

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t length);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t length)
{
	ModelError	error;
	Size		size = 0;
	Model	   *model;

	memset(&error, 0, sizeof(error));
	model = ImportLightGBM((const char *) data, length, NULL, 0, &size, &error);
	if (model == NULL)
		ExerciseError(&error);
	else
		ExerciseModel(model, size, true, data, length);
	free(model);
	return 0;
}
