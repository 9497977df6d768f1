/*
 * model_text.h
 *		The text form of a model, and the words in it.
 */
#ifndef ASSAY_MODEL_TEXT_H
#define ASSAY_MODEL_TEXT_H

#include "lib/stringinfo.h"
#include "model.h"

extern const char *ModelFormatName(const Model *model);
extern const char *ModelLinkName(const Model *model);
extern const char *ModelKindName(const ModelFeature *feature);
extern bool ModelFindLink(const char *name, ModelLink *link);

extern void ModelWriteText(StringInfo to, const Model *model);
extern Model *ImportText(const char *document, Size length, Size *size,
						 ModelError *error);

#endif							/* ASSAY_MODEL_TEXT_H */
