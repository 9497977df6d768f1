/*
 * category.h
 *		Names of categories, and what a value is looked up as.
 */
#ifndef ASSAY_CATEGORY_H
#define ASSAY_CATEGORY_H

#include "model.h"

/*
 * A category that is a number, as text: the digits of what is whole, otherwise
 * the shortest that reads back
 */
#define MODEL_NUMBER_NAME	32
extern void ModelNumberName(double number, char *name);

/*
 * The code of a category of a FEATURE_TEXT; NaN, which is missing, when the
 * model has none such.  A name is in UTF-8 and need not end in a zero byte.
 */
extern double ModelCategoryCode(const Model *model, uint32 feature,
								const char *name, Size length);
extern double ModelNumberCode(const Model *model, uint32 feature,
							  double number);
extern double ModelIntegerCode(const Model *model, uint32 feature,
							   int64 number);
extern double ModelBooleanCode(const Model *model, uint32 feature,
							   bool boolean);

#endif							/* ASSAY_CATEGORY_H */
