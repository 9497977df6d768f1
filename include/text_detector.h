/*
 * text_detector.h
 *		Detectors with a text model, and the states that a ledger names.
 */
#ifndef ASSAY_TEXT_DETECTOR_H
#define ASSAY_TEXT_DETECTOR_H

#include "evaluate.h"

extern void TextDetectorsBegin(Evaluation *e);
extern void TextDetectorsIdle(Evaluation *e);

/*
 * The margin of the row at hand; 0 where it has no text.  explain: the tokens
 * that add most will be asked for.
 */
extern double TextDetectorMargin(Evaluation *e, int detector, bool explain);

/* The tokens that add most to it, until the next margin */
extern TextTop *TextDetectorTop(Evaluation *e, int detector, int *n);

/* Which lists, phrase sets and text models were in which state, into the ledger */
extern void AddStates(Evaluation *e);

#endif							/* ASSAY_TEXT_DETECTOR_H */
