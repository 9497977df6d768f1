/*
 * seed.c
 *		seed LIBRARY DOCUMENT OUTPUT: the compiled model of a document.
 */
#include "postgres.h"

#include "exercise.h"

int
main(int argc, char **argv)
{
	static char document[1 << 20];
	ModelError	error;
	Size		size = 0;
	Size		length;
	Model	   *model;
	FILE	   *file;

	memset(&error, 0, sizeof(error));
	if (argc != 4 || (file = fopen(argv[2], "rb")) == NULL)
		return 2;
	length = fread(document, 1, sizeof(document), file);
	fclose(file);
	model = strcmp(argv[1], "xgboost") == 0 ? ImportXGBoost(document, length, IMPORT_AS_LIBRARY, &size, &error) :
		strcmp(argv[1], "lightgbm") == 0 ? ImportLightGBM(document, length, &size, &error) :
		ImportCatBoost(document, length, &size, &error);
	if (model == NULL)
	{
		fprintf(stderr, "%s: %s\n", argv[2], error.message);
		return 1;
	}
	ExerciseModel(model, size, NULL, 0);
	file = fopen(argv[3], "wb");
	if (file == NULL || fwrite(model, 1, size, file) != size || fclose(file) != 0)
		return 2;
	free(model);
	return 0;
}
