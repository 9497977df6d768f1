/*
 * text_detector.h
 *		Detectors with a text model, and the states that a ledger names.
 */
#ifndef ASSAY_TEXT_DETECTOR_H
#define ASSAY_TEXT_DETECTOR_H

#include "evaluate.h"

extern void TextDetectorsBegin(Evaluation *e);
extern void TextDetectorsIdle(Evaluation *e);

/* The margin of the row at hand; 0 where it has no text */
extern double TextDetectorMargin(Evaluation *e, int detector);

/* The tokens that add most to it, into e->top_tokens; how many there are */
extern int	TextDetectorTop(Evaluation *e, int detector);

/* Which lists, phrase sets and text models were in which state, into the ledger */
extern void AddStates(Evaluation *e);

#endif							/* ASSAY_TEXT_DETECTOR_H */
