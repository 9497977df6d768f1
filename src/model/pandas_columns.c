/*
 * pandas_columns.c
 *		Which column of a data frame a list of categories belongs to.
 *
 * LightGBM's pandas_categorical has a list for each column of type category in
 * the data frame, in order, and does not say which columns these were.  Also
 * those are in it that are numeric to the model (ordered, or not declared) or
 * were constant, but none of those that hold integers and were declared
 * categorical.  Works without a server.
 */
#include "postgres.h"

#include <math.h>

#include "pandas_columns.h"

/*
 * A list holds all codes of its column, which are numbers in a column that was
 * ordered or left out of the categorical features.
 */
bool
PandasFits(const PandasColumn *column, Document *list)
{
	if (column->constant)
		return true;
	if (column->most >= (double) DocumentLength(list))
		return false;
	return column->categorical ||
		(column->least >= 0 && column->least == floor(column->least) &&
		 column->most == floor(column->most));
}

/*
 * Of all ways to give the lists to columns that can have them, a column's list
 * is settled when it is the same in each.
 *
 * before[c]: how many lists, the first ones, the columns before c can take;
 * after[c]: how many, the last ones, those from c on.
 */
static bool
Assign(PandasColumn *columns, uint32 n, Document *lists, uint32 *before,
	   uint32 *after, bool *foreign, uint32 *ambiguous, ModelError *error)
{
	uint32		k = (uint32) DocumentLength(lists);

	/* To take each list as early, or as late, as can be leaves most room */
	before[0] = after[n] = 0;
	for (uint32 c = 0; c < n; c++)
		before[c + 1] = before[c] +
			(before[c] < k &&
			 PandasFits(&columns[c], DocumentElement(lists, before[c])));
	for (uint32 c = n; c-- > 0;)
		after[c] = after[c + 1] +
			(after[c + 1] < k &&
			 PandasFits(&columns[c], DocumentElement(lists, k - 1 - after[c + 1])));
	*foreign = before[n] < k;
	for (uint32 c = 0; c < n && !*foreign; c++)
	{
		uint32		first = k > after[c + 1] ? k - 1 - after[c + 1] : 0;
		bool		without = before[c] + after[c + 1] >= k;
		uint32		found = 0;

		if (ModelIsCancelled())
			return ModelFail(error, MODEL_CANCELLED, "canceled");
		if (!columns[c].categorical && !columns[c].constant)
			continue;
		for (uint32 i = first; i <= before[c] && i < k && found < 2; i++)
			if (PandasFits(&columns[c], DocumentElement(lists, i)))
			{
				columns[c].list = i;
				found++;
			}
		if (found + without == 1)
			continue;
		columns[c].list = PANDAS_NO_LIST;
		/* What is constant decides nothing, so its names don't matter */
		if (columns[c].categorical)
			*ambiguous = Min(*ambiguous, c);
	}
	return true;
}

bool
PandasAssign(PandasColumn *columns, uint32 n, Document *lists, bool *foreign,
			 uint32 *ambiguous, ModelError *error)
{
	uint32	   *counts;
	bool		fine;

	*ambiguous = n;
	*foreign = DocumentLength(lists) > n;
	if (*foreign || DocumentLength(lists) == 0)
		return true;
	counts = malloc(2 * ((Size) n + 1) * sizeof(uint32));
	if (counts == NULL)
		return ModelFail(error, MODEL_NO_MEMORY, "out of memory");
	fine = Assign(columns, n, lists, counts, counts + n + 1, foreign,
				  ambiguous, error);
	free(counts);
	return fine;
}
