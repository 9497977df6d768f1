/*
 * exercise.h
 *		What all fuzz targets do with a model that was let through.
 */
#ifndef ASSAY_EXERCISE_H
#define ASSAY_EXERCISE_H

#include "import.h"

/*
 * Evaluates and explains the model on rows drawn from the bytes, and writes it
 * as text; aborts when a result contradicts another.  built: the builder made
 * it, so that its text form must give the same bytes back.
 */
extern void ExerciseModel(const Model *model, Size size, bool built,
						  const uint8 *bytes, Size length);

/* A refusal must say something; aborts when it does not */
extern void ExerciseError(const ModelError *error);

#endif							/* ASSAY_EXERCISE_H */
