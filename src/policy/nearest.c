/*
 * nearest.c
 *		Of several names the one that a misspelt one may have meant, for hints.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nearest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

/* Longer names (bytes) are not looked for. */
#define NEAREST_LEN_MAX		1000

/* Letters that may differ: three, and no more than half of them */
void
NearestBegin(Nearest *n, const char *wanted)
{
	n->wanted = wanted;
	n->len = strlen(wanted);
	n->limit = Min(n->len / 2, 3) + 1;
	n->name = NULL;
}

/* Take the name where it is nearer than those before it. */
void
NearestTry(Nearest *n, const char *name)
{
	int			len = strlen(name);
	int			distance;

	if (n->len > NEAREST_LEN_MAX || len > NEAREST_LEN_MAX)
		return;
	/* Another case is as good as no difference. */
	distance = pg_strcasecmp(n->wanted, name) == 0 ? 0 :
		varstr_levenshtein_less_equal(n->wanted, n->len, name, len, 1, 1, 1, n->limit, true);
	if (distance < n->limit)
	{
		n->limit = distance;
		n->name = name;
	}
}

/* nearest(wanted, names): NULL when none is near */
PG_FUNCTION_INFO_V1(assay_nearest);
Datum
assay_nearest(PG_FUNCTION_ARGS)
{
	Nearest		n;
	Datum	   *names;
	bool	   *nulls;
	int			count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, &nulls, &count);
	NearestBegin(&n, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			NearestTry(&n, TextDatumGetCString(names[i]));
	}
	if (n.name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(n.name));
}
