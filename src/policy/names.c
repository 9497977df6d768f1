/*
 * names.c
 *		Which names does a condition use?  Answered from its syntax alone, so
 *		that it can be asked of a condition that no longer fits its signals.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "rule.h"
#include "utils/array.h"
#include "utils/builtins.h"

static int
CompareNames(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static bool
CollectColumnRefs(Node *node, void *context)
{
	List	  **names = context;

	if (node == NULL)
		return false;
	if (IsA(node, ColumnRef))
	{
		Node	   *first = linitial(((ColumnRef *) node)->fields);

		if (IsA(first, String))
			*names = lappend(*names, strVal(first));
		return false;
	}
	return raw_expression_tree_walker(node, CollectColumnRefs, context);
}

/* condition_names(condition): the signals and guards that it refers to */
PG_FUNCTION_INFO_V1(assay_condition_names);
Datum
assay_condition_names(PG_FUNCTION_ARGS)
{
	char	   *condition = text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *raw = RuleParseText(condition);
	List	   *names = NIL;
	Datum	   *items;
	int			n = 0;
	ListCell   *lc;

	foreach(lc, raw)
		(void) CollectColumnRefs(lfirst_node(RawStmt, lc)->stmt, &names);
	list_sort(names, CompareNames);
	items = palloc(Max(list_length(names), 1) * sizeof(Datum));
	for (int i = 0; i < list_length(names); i++)
		if (i == 0 || strcmp(list_nth(names, i), list_nth(names, i - 1)) != 0)
			items[n++] = CStringGetTextDatum(list_nth(names, i));
	PG_RETURN_ARRAYTYPE_P(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT));
}
