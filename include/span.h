/*
 * span.h
 *		Pieces of a document of lines and words, which end where they are told to,
 *		not at a zero byte.
 */
#ifndef ASSAY_SPAN_H
#define ASSAY_SPAN_H

/* A piece of the document */
typedef struct Span
{
	const char *start;
	const char *end;
} Span;

extern bool SpanIs(Span span, const char *text);
extern bool SpanStarts(Span span, const char *text);
extern bool NextWord(Span *list, Span *word);
extern bool SplitLine(Span line, Span *key, Span *value);
extern bool ParseInteger(Span word, int64 min, int64 max, int64 *result);
extern bool ParseDouble(Span word, double *result);

#endif							/* ASSAY_SPAN_H */
