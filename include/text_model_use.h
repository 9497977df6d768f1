/*
 * text_model_use.h
 *		A registered text model as a detector uses it: the version that was
 *		known before each message's day.
 */
#ifndef ASSAY_TEXT_MODEL_USE_H
#define ASSAY_TEXT_MODEL_USE_H

#include "datatype/timestamp.h"
#include "text_model.h"

/* The day (UTC) of a moment, by which a version is chosen */
static inline int64
DayOfMoment(TimestampTz at)
{
	if (TIMESTAMP_NOT_FINITE(at))
		return at;
	return at / USECS_PER_DAY - (at % USECS_PER_DAY < 0 ? 1 : 0);
}

/* What one evaluation keeps of a text model, in a memory context of its own */
typedef struct TextModelUse TextModelUse;

/* The table of its versions: error unless there is such a model, and the user may read it */
extern Oid	TextModelRelation(const char *model_name);

/* The same for whatever user, or 0 when there is none */
extern Oid	TextModelFind(const char *model_name);

extern TextModelUse *TextModelUseBegin(Oid relation, MemoryContext context);

/*
 * The margin of a message (text or jsonb) by the model as it was known before
 * the day (UTC) of "at"; 0 where there was none yet.
 */
extern double TextModelUseMargin(TextModelUse *use, TimestampTz at, Datum content, Oid type);

/* The same, where TextModelUseTop() will be asked of each message: tokens are read once for both */
extern double TextModelUseMarginTop(TextModelUse *use, TimestampTz at, Datum content, Oid type, int top);

/* The same where there is no message: only the version is chosen. */
extern void TextModelUseVersion(TextModelUse *use, TimestampTz at);

/*
 * The tokens that add most of the message that the last margin is of, until the
 * next one; "top" is the same each time
 */
extern TextTop *TextModelUseTop(TextModelUse *use, Datum content, Oid type, int top, int *n);

/*
 * The state of the version that the last margin was made by: the day that it
 * ends with, as yyyymmdd, and eight digits of how many messages changed it that
 * day; 0 where there was none yet.
 */
extern int64 TextModelUseState(const TextModelUse *use);

/*
 * The state of the version for the day of "at", without asking it; false where
 * there is no such model any more, or the user may not read it
 */
extern bool TextModelUsePeek(TextModelUse *use, TimestampTz at, int64 *state);

/* No statement uses it for now: keep the last version only. */
extern void TextModelUseIdle(TextModelUse *use);

#endif							/* ASSAY_TEXT_MODEL_USE_H */
