/*
 * shared_values.c
 *		What several conditions of a policy compute alike, computed once a
 *		message.
 *
 * A subexpression that occurs more than once (lower(subject), a condition that
 * many have in common) becomes a parameter: whoever asks first computes it, for
 * all.  Nobody computes it who would not have before, so that an error is that
 * of the same condition.  Only what takes longer than to look it up is shared,
 * and nothing volatile.
 *
 * A column that is stored compressed or out of line is brought into its plain
 * form in the row, when it is first asked for, where nothing could tell the
 * difference: pg_column_size() could.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/namespace.h"
#include "common/hashfn.h"
#include "compat.h"
#include "detoast_once.h"
#include "executor/execExpr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/params.h"
#include "optimizer/optimizer.h"
#include "owner.h"
#include "shared_values.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Larger expressions are compared with none as a whole. */
#define SHARED_NODES_MAX	64

/* Values of a policy */
#define SHARED_MAX			10000

/* An expression, and how often it occurs */
typedef struct SharedExpr
{
	Expr	   *expr;
	int			count;
	int			number;			/* of its parameter, or 0 */
} SharedExpr;

/* Which one a node is */
typedef struct NodeEntry
{
	Node	   *node;			/* key */
	SharedExpr *shared;
} NodeEntry;

/* Those of one hash value */
typedef struct HashEntry
{
	uint32		hash;			/* key */
	List	   *shared;
} HashEntry;

struct SharedValues
{
	TupleDesc	desc;
	List	   *exprs;			/* of the parameters, rewritten */
	int		   *total;			/* how often a column is named */
	int		   *plain;			/* where only its value counts */
	int		   *used;			/* where it is taken out of its stored form */
	bool		opaque;			/* something was not looked at */
	HTAB	   *nodes;			/* while conditions are collected */
	HTAB	   *hashes;
	MemoryContext scratch;
};

/* A value in the making */
typedef struct SharedItem
{
	SharedScratch *owner;
	ExprState  *state;			/* of a subexpression */
	Expr	   *expr;
	int16		len;			/* of its type */
	int			column;			/* or a column, or -1 */
	uint64		generation;		/* of the row that it is of */
	Datum		value;
	bool		isnull;
} SharedItem;

struct SharedScratch
{
	uint64		generation;
	MemoryContext context;
	ParamListInfo params;
	int			nshared;		/* subexpressions; columns stand behind them */
	SharedItem	items[FLEXIBLE_ARRAY_MEMBER];
};

/*
 * Hashes
 */

/* What a node itself adds to the hash of those below it */
static uint32
NodeHash(Node *node)
{
	uint32		hash = hash_uint32(nodeTag(node));

	switch (nodeTag(node))
	{
		case T_Var:
			return hash_combine(hash, hash_uint32(((Var *) node)->varno * 65536 + ((Var *) node)->varattno));
		case T_Const:
			{
				Const	   *c = (Const *) node;

				hash = hash_combine(hash, c->consttype);
				if (!c->constisnull)
					hash = hash_combine(hash, datum_image_hash(c->constvalue, c->constbyval, c->constlen));
				return hash;
			}
		case T_FuncExpr:
			return hash_combine(hash, hash_uint32(((FuncExpr *) node)->funcid));
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
			return hash_combine(hash, hash_uint32(((OpExpr *) node)->opno));
		case T_ScalarArrayOpExpr:
			return hash_combine(hash, hash_uint32(((ScalarArrayOpExpr *) node)->opno));
		case T_BoolExpr:
			return hash_combine(hash, ((BoolExpr *) node)->boolop);
		case T_NullTest:
			return hash_combine(hash, ((NullTest *) node)->nulltesttype);
		case T_BooleanTest:
			return hash_combine(hash, ((BooleanTest *) node)->booltesttype);
		default:
			return hash;
	}
}

static bool
HashWalker(Node *node, void *context)
{
	uint32	   *hash = context;

	if (node == NULL)
		return false;
	if (!IsA(node, List))
		*hash = hash_combine(*hash, NodeHash(node));
	return expression_tree_walker(node, HashWalker, context);
}

uint32
ExprHash(Expr *expr)
{
	uint32		hash = 0;

	(void) HashWalker((Node *) expr, &hash);
	return hash;
}

/*
 * What occurs how often
 */

SharedValues *
SharedValuesCreate(TupleDesc desc)
{
	SharedValues *v = palloc0(sizeof(SharedValues));
	HASHCTL		ctl = {0};

	v->desc = desc;
	v->total = palloc0((desc->natts + 1) * sizeof(int));
	v->plain = palloc0((desc->natts + 1) * sizeof(int));
	v->used = palloc0((desc->natts + 1) * sizeof(int));
	v->scratch = AllocSetContextCreate(CurrentMemoryContext, "pg_assay shared", ALLOCSET_DEFAULT_SIZES);
	ctl.hcxt = v->scratch;
	ctl.keysize = sizeof(Node *);
	ctl.entrysize = sizeof(NodeEntry);
	v->nodes = hash_create("pg_assay nodes", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ctl.keysize = sizeof(uint32);
	ctl.entrysize = sizeof(HashEntry);
	v->hashes = hash_create("pg_assay expressions", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return v;
}

/* What is known of the subexpressions of one node */
typedef struct Collected
{
	SharedValues *values;
	uint32		hash;
	int			nodes;
	bool		costly;			/* it takes longer than to look it up */
	bool		bound;			/* it makes sense only where it stands */
} Collected;

/* Functions that never raise an error are simple comparisons and casts. */
static bool
IsCostly(Oid func, void *context)
{
	return !get_func_leakproof(func);
}

/* The column that an argument is, whose stored form may be looked at, or -1 */
static int
StoredColumn(SharedValues *v, Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var) || ((Var *) node)->varno != 1 ||
		((Var *) node)->varattno <= 0 || ((Var *) node)->varattno > v->desc->natts ||
		TupleDescAttr(v->desc, ((Var *) node)->varattno - 1)->attlen != -1)
		return -1;
	return ((Var *) node)->varattno - 1;
}

/* Does a function see nothing but the value of its arguments? */
static bool
SeesStoredForm(Oid func, void *context)
{
	if (func == F_PG_COLUMN_SIZE || func == F_PG_COLUMN_COMPRESSION)
		return true;
	return func >= FirstUnpinnedObjectId && !SchemaIsOurs(get_func_namespace(func));
}

/* A node's arguments that are columns */
static void
NoteColumns(SharedValues *v, Node *node)
{
	List	   *args = NIL;
	ListCell   *lc;

	if (IsA(node, FuncExpr))
		args = ((FuncExpr *) node)->args;
	else if (IsA(node, OpExpr))
		args = ((OpExpr *) node)->args;
	else if (IsA(node, ScalarArrayOpExpr))
		args = ((ScalarArrayOpExpr *) node)->args;
	else if (IsA(node, NullTest))
	{
		int			column = StoredColumn(v, (Node *) ((NullTest *) node)->arg);

		if (column >= 0)
			v->plain[column]++;
	}
	if (args == NIL || check_functions_in_node(node, SeesStoredForm, NULL))
		return;
	foreach(lc, args)
	{
		int			column = StoredColumn(v, lfirst(lc));

		if (column >= 0)
		{
			v->plain[column]++;
			v->used[column]++;
		}
	}
}

/* An expression that may be worth it occurs once more. */
static void
Note(SharedValues *v, Node *node, uint32 hash)
{
	bool		found;
	HashEntry  *entry;
	NodeEntry  *place;
	SharedExpr *shared = NULL;
	ListCell   *lc;
	MemoryContext old = MemoryContextSwitchTo(v->scratch);

	entry = hash_search(v->hashes, &hash, HASH_ENTER, &found);
	if (!found)
		entry->shared = NIL;
	foreach(lc, entry->shared)
		if (equal(((SharedExpr *) lfirst(lc))->expr, node))
		shared = lfirst(lc);
	if (shared == NULL)
	{
		shared = palloc0(sizeof(SharedExpr));
		shared->expr = (Expr *) node;
		entry->shared = lappend(entry->shared, shared);
	}
	shared->count++;
	place = hash_search(v->nodes, &node, HASH_ENTER, &found);
	place->shared = shared;
	MemoryContextSwitchTo(old);
}

static bool
Collect(Node *node, void *context)
{
	Collected  *parent = context;
	SharedValues *v = parent->values;
	Collected	own = {v, 0, 1, false, false};

	if (node == NULL)
		return false;
	if (IsA(node, List))
		return expression_tree_walker(node, Collect, context);
	(void) expression_tree_walker(node, Collect, &own);
	own.hash = hash_combine(own.hash, NodeHash(node));
	own.costly |= check_functions_in_node(node, IsCostly, NULL);
	own.bound |= IsA(node, CaseTestExpr) || IsA(node, CoerceToDomainValue) || IsA(node, Param);
	if (IsA(node, Var) && ((Var *) node)->varno == 1 && ((Var *) node)->varattno > 0 &&
		((Var *) node)->varattno <= v->desc->natts)
		v->total[((Var *) node)->varattno - 1]++;
	NoteColumns(v, node);
	if (own.costly && !own.bound && own.nodes <= SHARED_NODES_MAX &&
		(IsA(node, FuncExpr) || IsA(node, OpExpr) || IsA(node, ScalarArrayOpExpr) ||
		 IsA(node, BoolExpr) || IsA(node, CoalesceExpr) || IsA(node, CaseExpr)))
		Note(v, node, own.hash);
	parent->hash = hash_combine(parent->hash, own.hash);
	parent->nodes += own.nodes;
	parent->costly |= own.costly;
	parent->bound |= own.bound;
	return false;
}

/* Take note of what a condition computes. */
void
SharedValuesCollect(SharedValues *v, Expr *expr)
{
	Collected	top = {v, 0, 1, false, false};

	if (contain_volatile_functions((Node *) expr))
		v->opaque = true;
	else
		(void) Collect((Node *) expr, &top);
}

/*
 * Rewriting
 */

Bitmapset  *
SharedValuesPlain(SharedValues *v)
{
	Bitmapset  *plain = NULL;

	for (int i = 0; i < v->desc->natts; i++)
		if (!v->opaque && v->total[i] == v->plain[i] && v->used[i] > 0)
			plain = bms_add_member(plain, i);
	return plain;
}

typedef struct RewriteContext
{
	SharedValues *values;
	int			count;			/* how often what is around occurs */
} RewriteContext;

static Node *
MakeParam(int number, Node *node)
{
	Param	   *param = makeNode(Param);

	param->paramkind = PARAM_EXTERN;
	param->paramid = number;
	param->paramtype = exprType(node);
	param->paramtypmod = exprTypmod(node);
	param->paramcollid = exprCollation(node);
	param->location = -1;
	return (Node *) param;
}

static Node *Rewrite(Node *node, void *context);

/* The parameter of an expression, made when it is needed first */
static Node *
SharedParam(SharedValues *v, SharedExpr *shared, Node *node)
{
	if (shared->number == 0)
	{
		RewriteContext inner = {v, shared->count};
		Node	   *expr;

		v->exprs = lappend(v->exprs, NULL);
		shared->number = list_length(v->exprs);
		expr = expression_tree_mutator((Node *) shared->expr, Rewrite, &inner);
		lfirst(list_nth_cell(v->exprs, shared->number - 1)) = expr;
	}
	return MakeParam(shared->number, node);
}

static bool
IsSharedColumn(SharedValues *v, Node *node)
{
	int			column = IsA(node, Var) ? StoredColumn(v, node) : -1;

	return column >= 0 && !v->opaque && v->total[column] == v->plain[column] && v->used[column] > 1;
}

static Node *
Rewrite(Node *node, void *context)
{
	RewriteContext *c = context;
	SharedValues *v = c->values;
	NodeEntry  *place;

	if (node == NULL)
		return NULL;
	if (IsSharedColumn(v, node))
		return MakeParam(SHARED_MAX + ((Var *) node)->varattno, node);
	if (IsA(node, NullTest) && StoredColumn(v, (Node *) ((NullTest *) node)->arg) >= 0)
		return copyObject(node);
	if (!IsA(node, List))
	{
		place = hash_search(v->nodes, &node, HASH_FIND, NULL);
		if (place && place->shared->count > Max(c->count, 1) &&
			(place->shared->number > 0 || list_length(v->exprs) < SHARED_MAX))
			return SharedParam(v, place->shared, node);
	}
	return expression_tree_mutator(node, Rewrite, context);
}

/* The same condition, which asks for what it shares */
Expr	   *
SharedValuesRewrite(SharedValues *v, Expr *expr)
{
	RewriteContext context = {v, 1};

	return (Expr *) Rewrite((Node *) expr, &context);
}

void
SharedValuesFinish(SharedValues *v)
{
	MemoryContextDelete(v->scratch);
	v->nodes = v->hashes = NULL;
	v->scratch = NULL;
}

/*
 * Evaluation
 */

/* A column, in its plain form from now on */
static void
PlainColumn(SharedItem *item, ExprEvalStep * op, ExprContext * econtext)
{
	TupleTableSlot *slot = econtext->ecxt_scantuple;
	Datum		value = slot->tts_values[item->column];

	*op->resnull = slot->tts_isnull[item->column];
	if (!*op->resnull && VARATT_IS_EXTENDED(DatumGetPointer(value)) &&
		!VARATT_IS_SHORT(DatumGetPointer(value)))
	{
		MemoryContext old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);

		value = PointerGetDatum(DetoastCopy(value));
		slot->tts_values[item->column] = value;
		MemoryContextSwitchTo(old);
	}
	*op->resvalue = *op->resnull ? (Datum) 0 : value;
}

/* The step of a parameter in an expression */
static void
EvalParam(ExprState *state, ExprEvalStep * op, ExprContext * econtext)
{
	SharedItem *item = op->d.cparam.paramarg;
	SharedScratch *s = item->owner;

	if (item->column >= 0)
	{
		PlainColumn(item, op, econtext);
		return;
	}
	if (item->generation != s->generation)
	{
		uint64		generation = s->generation;
		Datum		value;

		if (item->state == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(s->context);

			item->len = get_typlen(exprType((Node *) item->expr));
			item->state = SharedExprState(s, item->expr);
			MemoryContextSwitchTo(old);
		}
		/* An array that its first user may write to would be another's later. */
		value = ExecEvalExprSwitchContext(item->state, econtext, &item->isnull);
		item->value = MakeExpandedObjectReadOnly(value, item->isnull, item->len);
		item->generation = generation;
	}
	*op->resvalue = item->value;
	*op->resnull = item->isnull;
}

static void
CompileParam(ParamListInfo params, Param *param, ExprState *state, Datum *resv, bool *resnull)
{
	SharedScratch *s = params->paramCompileArg;
	ExprEvalStep step = {0};

	step.opcode = EEOP_PARAM_CALLBACK;
	step.resvalue = resv;
	step.resnull = resnull;
	step.d.cparam.paramfunc = EvalParam;
	step.d.cparam.paramarg = param->paramid > SHARED_MAX ?
		&s->items[s->nshared + param->paramid - SHARED_MAX - 1] : &s->items[param->paramid - 1];
	step.d.cparam.paramid = param->paramid;
	step.d.cparam.paramtype = param->paramtype;
	ExprEvalPushStep(state, &step);
}

/* Room for one evaluation, in the current memory context */
SharedScratch *
SharedScratchCreate(SharedValues *v)
{
	int			nshared = list_length(v->exprs);
	int			n = nshared + v->desc->natts;
	SharedScratch *s = palloc0(offsetof(SharedScratch, items) + n * sizeof(SharedItem));

	s->context = CurrentMemoryContext;
	s->nshared = nshared;
	s->generation = 1;
	s->params = makeParamList(0);
	s->params->paramCompile = CompileParam;
	s->params->paramCompileArg = s;
	for (int i = 0; i < n; i++)
	{
		s->items[i].owner = s;
		s->items[i].expr = i < nshared ? list_nth(v->exprs, i) : NULL;
		s->items[i].column = i < nshared ? -1 : i - nshared;
	}
	return s;
}

/* An expression that was rewritten, ready, for as long as the current context */
ExprState  *
SharedExprState(SharedScratch *s, Expr *expr)
{
	return ExecInitExprWithParams(expr, s->params);
}

void
SharedScratchForget(SharedScratch *s)
{
	s->generation++;
}
