/*
 * literals.c
 *		Literals of no type in what is parsed with others' operators in reach.
 *
 * A literal becomes a value of the type that its operator or function takes while
 * it is parsed, before anybody sees which one that is.  The input of an array, a
 * record or a range runs what belongs to its items: the checks of a domain, say.
 */
#include "postgres.h"

#include "literals.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"

/* Where a NULL stands that was none of them; a CASE without ELSE has one there, too. */
#define NOWHERE (-1)

static bool
IsLiteral(Node *node)
{
	return node != NULL && IsA(node, A_Const) && !((A_Const *) node)->isnull && IsA(&((A_Const *) node)->val.node, String);
}

static bool
Forget(Node *node, void *context)
{
	if (node == NULL)
		return false;
	/* "IS DISTINCT FROM NULL" would need no operator. */
	if (IsA(node, A_Expr) && (((A_Expr *) node)->kind == AEXPR_DISTINCT || ((A_Expr *) node)->kind == AEXPR_NOT_DISTINCT) &&
		(IsLiteral(((A_Expr *) node)->lexpr) || IsLiteral(((A_Expr *) node)->rexpr)))
		((A_Expr *) node)->kind = AEXPR_OP;
	if (IsLiteral(node))
		((A_Const *) node)->isnull = true;
	else if (IsA(node, A_Const) && ((A_Const *) node)->isnull)
		((A_Const *) node)->location = NOWHERE;
	return raw_expression_tree_walker(node, Forget, context);
}

/* A copy with NULL for each of them, for which the same operators and functions are chosen */
Node	   *
WithoutLiterals(Node *raw)
{
	Node	   *copy = copyObject(raw);

	(void) Forget(copy, NULL);
	return copy;
}

/* Does a constant of what was parsed without literals stand for one that its type's input would read? */
bool
StandsForLiteral(Node *node)
{
	return IsA(node, Const) && ((Const *) node)->constisnull && ((Const *) node)->location != NOWHERE;
}
