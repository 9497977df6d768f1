/*
 * pandas_columns.h
 *		Which column of a data frame a list of categories belongs to.
 */
#ifndef ASSAY_PANDAS_COLUMNS_H
#define ASSAY_PANDAS_COLUMNS_H

#include "document.h"

#define PANDAS_NO_LIST	(-1)

/* What a LightGBM model says of a feature */
typedef struct PandasColumn
{
	const char *name;			/* in the document, without a zero byte */
	const char *name_end;
	bool		categorical;	/* it had codes, the highest is `most` */
	bool		constant;		/* nothing is known of its values */
	double		least;
	double		most;
	int64		list;			/* its number, or PANDAS_NO_LIST */
} PandasColumn;

/* Can a list be that of a column? */
extern bool PandasFits(const PandasColumn *column, Document *list);

/*
 * Give each categorical or constant column of n the list that is settled to be
 * its own.  *foreign: the lists can't all be of these columns, and none is
 * given.  *ambiguous: the first categorical column for which several are
 * possible, or n.  False: see error.
 */
extern bool PandasAssign(PandasColumn *columns, uint32 n, Document *lists,
						 bool *foreign, uint32 *ambiguous, ModelError *error);

#endif							/* ASSAY_PANDAS_COLUMNS_H */
