/*
 * occurrences.c
 *		How often each of several strings occurs in a text, as one function.
 *
 * A signals view asks for exclamation marks, lines, quoted lines and the like;
 * each by a replace() of its own writes the text anew.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "detoast_once.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define STRINGS_MAX		100

/* Bytes that are read, or compared, between two looks for an interrupt */
#define PIECE_BYTES		(1024 * 1024)

/* A byte, in the text that is left; looks for interrupts every now and then */
static const char *
FindByte(const char *p, const char *end, char byte)
{
	while (end - p > PIECE_BYTES)
	{
		const char *found = memchr(p, byte, PIECE_BYTES);

		if (found != NULL)
			return found;
		CHECK_FOR_INTERRUPTS();
		p += PIECE_BYTES;
	}
	return memchr(p, byte, end - p);
}

/* How often a string occurs, from left to right, without overlaps */
static int32
CountString(const char *p, Size len, const char *string, int n)
{
	const char *end = p + len;
	int32		count = 0;
	int64		work = 0;		/* bytes that may have been compared since the
								 * last look for an interrupt */

	if (n == 0)
		return 0;
	while (end - p >= n && (p = FindByte(p, end - n + 1, string[0])) != NULL)
	{
		work += n;
		if (work > PIECE_BYTES)
		{
			CHECK_FOR_INTERRUPTS();
			work = 0;
		}
		if (n == 1 || memcmp(p, string, n) == 0)
		{
			count++;
			p += n;
		}
		else
			p++;
	}
	return count;
}

/* occurrences(content, strings): how often each string occurs, byte by byte */
PG_FUNCTION_INFO_V1(occurrences);
Datum
occurrences(PG_FUNCTION_ARGS)
{
	text	   *content = PG_GETARG_TEXT_ONCE(0);
	ArrayType  *strings = PG_GETARG_ARRAYTYPE_P(1);
	Datum	   *items;
	bool	   *nulls;
	int			n;
	Datum	   *counts;

	deconstruct_array(strings, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	if (n > STRINGS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%d strings are too many", n),
				 errhint("At most %d may be counted at once; a phrase set takes more.", STRINGS_MAX)));
	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT4OID));
	counts = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
	{
		text	   *string = nulls[i] ? NULL : (text *) DatumGetPointer(items[i]);

		CHECK_FOR_INTERRUPTS();
		counts[i] = Int32GetDatum(string == NULL ? 0 :
								  CountString(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content),
											  VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string)));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(counts, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}
