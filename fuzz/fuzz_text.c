/*
 * fuzz_text.c
 *		Any bytes as the text form of a model: what model_in gets.
 */
#include "postgres.h"

#include "exercise.h"
#include "model_text.h"

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t length);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t length)
{
	ModelError	error;
	Size		size = 0;
	Model	   *model;

	memset(&error, 0, sizeof(error));
	model = ImportText((const char *) data, length, &size, &error);
	if (model == NULL)
		ExerciseError(&error);
	else
		ExerciseModel(model, size, true, data, length);
	free(model);
	return 0;
}
