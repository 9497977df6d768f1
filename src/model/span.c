/*
 * span.c
 *		Words, keys and numbers of a document that is not trusted.
 */
#include "postgres.h"

#include <errno.h>
#include <math.h>

#include "span.h"

bool
SpanIs(Span span, const char *text)
{
	Size		length = strlen(text);

	return (Size) (span.end - span.start) == length &&
		memcmp(span.start, text, length) == 0;
}

bool
SpanStarts(Span span, const char *text)
{
	Size		length = strlen(text);

	return (Size) (span.end - span.start) >= length &&
		memcmp(span.start, text, length) == 0;
}

/* The next word of a list; false when there is none */
bool
NextWord(Span *list, Span *word)
{
	while (list->start < list->end && *list->start == ' ')
		list->start++;
	if (list->start == list->end)
		return false;
	word->start = list->start;
	while (list->start < list->end && *list->start != ' ')
		list->start++;
	word->end = list->start;
	return true;
}

/* Splits a line at its first '=' */
bool
SplitLine(Span line, Span *key, Span *value)
{
	const char *equals = memchr(line.start, '=', line.end - line.start);

	if (equals == NULL)
		return false;
	key->start = line.start;
	key->end = equals;
	value->start = equals + 1;
	value->end = line.end;
	return true;
}

/* A whole number in decimal digits, within bounds */
bool
ParseInteger(Span word, int64 min, int64 max, int64 *result)
{
	const char *p = word.start;
	bool		negative = p < word.end && *p == '-';
	int64		value = 0;

	if (negative)
		p++;
	if (p == word.end || word.end - p > 18)
		return false;
	for (; p < word.end; p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		value = value * 10 + (*p - '0');
	}
	*result = negative ? -value : value;
	return *result >= min && *result <= max;
}

/*
 * A number as printed with %.17g, "inf" and "nan" included.  Never reads
 * beyond the word, and refuses what strtod would take besides.
 */
bool
ParseDouble(Span word, double *result)
{
	char		copy[64];
	char	   *end;
	Size		length = word.end - word.start;

	if (length == 0 || length >= sizeof(copy))
		return false;
	memcpy(copy, word.start, length);
	copy[length] = '\0';
	if (strspn(copy, "+-.0123456789einfaINFA") != length)
		return false;
	errno = 0;
	*result = strtod(copy, &end);
	if (end != copy + length)
		return false;
	/* Underflow is harmless, as in the library; overflow is not. */
	return !(errno == ERANGE && fabs(*result) > 1.0);
}
