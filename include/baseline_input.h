/*
 * baseline_input.h
 *		What keys of messages a baseline takes.
 */
#ifndef ASSAY_BASELINE_INPUT_H
#define ASSAY_BASELINE_INPUT_H

#include "fmgr.h"

/* baseline_input.c; the key are the arguments from `first` on */
extern bool KeyFits(FunctionCallInfo fcinfo, int first, const int16 *lengths);

#endif							/* ASSAY_BASELINE_INPUT_H */
