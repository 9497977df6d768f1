/*
 * seed.c
 *		seed LIBRARY DOCUMENT VALUE TEXT: the compiled model of a document, and
 *		its text form.
 */
#include "postgres.h"

#include "exercise.h"
#include "model_text.h"

int
main(int argc, char **argv)
{
	static char document[1 << 20];
	ModelError	error;
	Size		size = 0;
	Size		length;
	Model	   *model;
	FILE	   *file;
	StringInfoData text;

	memset(&error, 0, sizeof(error));
	if (argc != 5 || (file = fopen(argv[2], "rb")) == NULL)
		return 2;
	length = fread(document, 1, sizeof(document), file);
	fclose(file);
	model = strcmp(argv[1], "xgboost") == 0 ? ImportXGBoost(document, length, IMPORT_AS_LIBRARY, &size, &error) :
		strcmp(argv[1], "lightgbm") == 0 ? ImportLightGBM(document, length, NULL, 0, &size, &error) :
		ImportCatBoost(document, length, &size, &error);
	if (model == NULL)
	{
		fprintf(stderr, "%s: %s\n", argv[2], error.message);
		return 1;
	}
	ExerciseModel(model, size, true, NULL, 0);
	file = fopen(argv[3], "wb");
	if (file == NULL || fwrite(model, 1, size, file) != size || fclose(file) != 0)
		return 2;
	initStringInfo(&text);
	ModelWriteText(&text, model);
	file = fopen(argv[4], "wb");
	if (file == NULL || fwrite(text.data, 1, text.len, file) != text.len || fclose(file) != 0)
		return 2;
	pfree(text.data);
	free(model);
	return 0;
}
