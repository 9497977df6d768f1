/*
 * feedback.h
 *	  Labels from mail about mail: what assay_load.c asks of feedback.c.
 */
#ifndef ASSAY_FEEDBACK_H
#define ASSAY_FEEDBACK_H

#include "assay_load.h"

extern void feedback_reporter(const char *value);
extern void feedback_confidence(const char *value);
extern void feedback_start(void);
extern void feedback_take(const Message *m);
extern void feedback_finish(double seconds, int64_t mails);

#endif							/* ASSAY_FEEDBACK_H */
