/*
 * atoms.c
 *		The conditions of a policy, taken apart into the simple questions that
 *		they have in common.
 *
 * Most conditions are conjunctions, and most of their conjuncts are simple
 * questions about one column: is it one of some texts, is it below a number, does
 * it hold a name?  Such an atom can be answered for all conditions at once
 * (atom_index.c): by one look into a hash table, by one search in the sorted
 * constants of a column.  A conjunct that is no atom may still be true only if
 * one of some atoms is: a disjunction of atoms, "at least two of these", a
 * pattern whose literal the prefilter did not find.  That is its gate.
 *
 * Answers come before the evaluation of what might raise an error.  So a
 * conjunct has a gate only if neither itself nor any before it could raise one:
 * where the gate is shut, the condition is false without an error, as it would
 * have been.  Where it is null instead, PostgreSQL would have gone on, and so
 * does who asks here, if something behind it may raise an error.
 */
#include "postgres.h"

#include <math.h>

#include "access/stratnum.h"
#include "access/transam.h"
#include "atoms.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Families whose macros PostgreSQL does not export */
#define DATETIME_FAMILY		434
#define FLOAT_FAMILY		1970

/* Atoms of one gate */
#define GATE_ATOMS_MAX		64

/* Wildcards of a pattern that is taken for harmless: it recurses for each. */
#define WILDCARDS_MAX		16

/* What is known while the atoms are collected */
typedef struct AtomsBuild
{
	Atoms	   *atoms;
	HTAB	   *known;			/* of probes and atoms, by hash */
	List	   *probes;
	List	   *all;
} AtomsBuild;

typedef struct KnownEntry
{
	uint32		hash;			/* key */
	List	   *probes;
	List	   *atoms;
} KnownEntry;

/* Atoms of a gate in the making */
typedef struct GateDraft
{
	int			n;
	Atom	   *atoms[GATE_ATOMS_MAX];
	bool		exact;
	double		guess;
} GateDraft;

static bool FindGate(AtomsBuild *b, Node *node, GateDraft *gate);

/*
 * What never raises an error
 */

static bool
IsPlainPattern(Node *pattern)
{
	Const	   *c = (Const *) pattern;
	text	   *t;
	int			wildcards = 0;
	bool		escaped = false;

	if (!IsA(pattern, Const) || c->constisnull || c->consttype != TEXTOID)
		return false;
	t = DatumGetTextPP(c->constvalue);
	for (int i = 0; i < VARSIZE_ANY_EXHDR(t); i++)
	{
		char		ch = VARDATA_ANY(t)[i];

		wildcards += ch == '%' || ch == '_';
		escaped = !escaped && ch == '\\';
	}
	return !escaped && wildcards <= WILDCARDS_MAX;
}

static bool
IsTextArray(Node *node)
{
	return exprType(node) == TEXTARRAYOID;
}

/* Does a function of the server never raise an error for such arguments? */
static bool
IsTotalFunction(Oid function, Oid collation, List *args)
{
	if (function >= FirstUnpinnedObjectId)
		return false;
	switch (function)
	{
		case F_INT4_BOOL:
			return true;
		case F_TEXTLEN:
		case F_LENGTH_TEXT:
		case F_CHAR_LENGTH_TEXT:
		case F_CHARACTER_LENGTH_TEXT:
			return GetDatabaseEncoding() == PG_UTF8;
		case F_LOWER_TEXT:
		case F_UPPER_TEXT:
			return GetDatabaseEncoding() == PG_UTF8 && OidIsValid(collation);
		case F_TEXTLIKE:
		case F_TEXTNLIKE:
		case F_TEXTICLIKE:
		case F_TEXTICNLIKE:
			return GetDatabaseEncoding() == PG_UTF8 && OidIsValid(collation) &&
				get_collation_isdeterministic(collation) && IsPlainPattern(lsecond(args));
		case F_ARRAYOVERLAP:
		case F_ARRAYCONTAINS:
			return OidIsValid(collation) && IsTextArray(linitial(args)) && IsTextArray(lsecond(args));
		default:
			return get_func_leakproof(function);
	}
}

/* Has each collatable argument a collation to compare by? */
static bool
HasCollation(List *args, Oid collation)
{
	ListCell   *lc;

	if (!OidIsValid(collation))
		foreach(lc, args)
			if (type_is_collatable(exprType(lfirst(lc))))
			return false;
	return true;
}

/* (a)::int + (b)::int ... of at most so many terms, which can't overflow */
static bool
IsCount(Node *node, List **terms)
{
	FuncExpr   *f = (FuncExpr *) node;
	OpExpr	   *op = (OpExpr *) node;

	check_stack_depth();
	if (IsA(node, FuncExpr) && f->funcid == F_INT4_BOOL)
	{
		*terms = lappend(*terms, linitial(f->args));
		return list_length(*terms) <= GATE_ATOMS_MAX;
	}
	return IsA(node, OpExpr) && get_opcode(op->opno) == F_INT4PL &&
		IsCount(lsecond(op->args), terms) && IsCount(linitial(op->args), terms);
}

static bool
FindPartial(Node *node, void *context)
{
	List	   *terms = NIL;
	Oid			function = InvalidOid;
	Oid			collation = InvalidOid;
	List	   *args = NIL;

	if (node == NULL)
		return false;
	switch (nodeTag(node))
	{
		case T_List:
		case T_Var:
		case T_Const:
		case T_RelabelType:
		case T_BoolExpr:
		case T_BooleanTest:
		case T_CoalesceExpr:
			break;
		case T_NullTest:
			if (((NullTest *) node)->argisrow)
				return true;
			break;
		case T_OpExpr:
			if (IsCount(node, &terms))
				return FindPartial((Node *) terms, context);
			args = ((OpExpr *) node)->args;
			function = get_opcode(((OpExpr *) node)->opno);
			collation = ((OpExpr *) node)->inputcollid;
			break;
		case T_FuncExpr:
			args = ((FuncExpr *) node)->args;
			function = ((FuncExpr *) node)->funcid;
			collation = ((FuncExpr *) node)->inputcollid;
			break;
		case T_ScalarArrayOpExpr:
			args = ((ScalarArrayOpExpr *) node)->args;
			function = get_opcode(((ScalarArrayOpExpr *) node)->opno);
			collation = ((ScalarArrayOpExpr *) node)->inputcollid;
			if (function == F_TEXTLIKE || function == F_TEXTICLIKE || function == F_TEXTNLIKE ||
				function == F_TEXTICNLIKE)
				return true;	/* patterns in an array are not looked at */
			break;
		default:
			return true;
	}
	if (OidIsValid(function) &&
		!(IsTotalFunction(function, collation, args) && HasCollation(args, collation)))
		return true;
	return expression_tree_walker(node, FindPartial, context);
}

static bool
IsTotal(Node *node)
{
	return !FindPartial(node, NULL);
}

/*
 * Numbers
 */

/* An integer that compares as the number does: NaN is greater than all. */
static int64
FloatOrder(double d)
{
	int64		bits;

	if (isnan(d))
		return PG_INT64_MAX - 1;
	if (d == 0)
		d = 0;
	memcpy(&bits, &d, sizeof(bits));
	return bits < 0 ? PG_INT64_MIN - bits : bits;
}

int64
AtomOrder(Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		case DATEOID:
			return DatumGetDateADT(value);
		case TIMESTAMPOID:
			return DatumGetTimestamp(value);
		case TIMESTAMPTZOID:
			return DatumGetTimestampTz(value);
		case FLOAT4OID:
			return FloatOrder(DatumGetFloat4(value));
		case FLOAT8OID:
			return FloatOrder(DatumGetFloat8(value));
		default:
			elog(ERROR, "type %u is not ordered", type);
	}
	return 0;
}

/* The family in which two types compare as numbers, or 0 */
static Oid
OrderFamily(Oid left, Oid right)
{
	if ((left == INT2OID || left == INT4OID || left == INT8OID) &&
		(right == INT2OID || right == INT4OID || right == INT8OID))
		return INTEGER_BTREE_FAM_OID;
	if ((left == FLOAT4OID || left == FLOAT8OID) && (right == FLOAT4OID || right == FLOAT8OID))
		return FLOAT_FAMILY;
	if (left == right && (left == DATEOID || left == TIMESTAMPOID || left == TIMESTAMPTZOID))
		return DATETIME_FAMILY;
	return InvalidOid;
}

/*
 * Probes and atoms, each once
 */

static KnownEntry *
Known(AtomsBuild *b, uint32 hash)
{
	bool		found;
	KnownEntry *entry = hash_search(b->known, &hash, HASH_ENTER, &found);

	if (!found)
		entry->probes = entry->atoms = NIL;
	return entry;
}

/* What atoms may ask about: a column, or a function of one that takes a while */
static Node *
Subject(Node *node, Oid *type)
{
	while (IsA(node, RelabelType) && ((RelabelType *) node)->resulttype == TEXTOID &&
		   exprType((Node *) ((RelabelType *) node)->arg) == VARCHAROID)
		node = (Node *) ((RelabelType *) node)->arg;
	*type = exprType(node);
	if (*type == VARCHAROID)
		*type = TEXTOID;
	if (IsA(node, Var))
		return node;
	if (IsA(node, FuncExpr) && list_length(((FuncExpr *) node)->args) == 1)
	{
		Node	   *arg = linitial(((FuncExpr *) node)->args);

		while (IsA(arg, RelabelType))
			arg = (Node *) ((RelabelType *) arg)->arg;
		if (IsA(arg, Var) && ((FuncExpr *) node)->funcid != F_INT4_BOOL)
			return node;
	}
	return NULL;
}

static int
AddProbe(AtomsBuild *b, ProbeKind kind, Node *subject, Oid type)
{
	KnownEntry *entry = Known(b, hash_combine(ExprHash((Expr *) subject), kind));
	ListCell   *lc;
	Probe	   *probe;

	foreach(lc, entry->probes)
	{
		probe = list_nth(b->probes, lfirst_int(lc));
		if (probe->kind == kind && equal(probe->expr, subject))
			return lfirst_int(lc);
	}
	probe = palloc0(sizeof(Probe));
	probe->kind = kind;
	probe->expr = (Expr *) subject;
	probe->var = IsA(subject, Var) ? (Var *) subject : NULL;
	probe->type = type;
	b->probes = lappend(b->probes, probe);
	entry->probes = lappend_int(entry->probes, list_length(b->probes) - 1);
	return list_length(b->probes) - 1;
}

static bool
SameAtom(const Atom *a, const Atom *b)
{
	return a->probe == b->probe && a->test == b->test && a->value == b->value && a->len == b->len &&
		(a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0);
}

/* Add an atom to a gate; false when that is full */
static bool
AddAtom(AtomsBuild *b, GateDraft *gate, const Atom *like)
{
	uint32		hash = hash_combine(hash_combine(like->probe, like->test), hash_uint32((uint32) like->value));
	KnownEntry *entry;
	Atom	   *atom = NULL;
	ListCell   *lc;

	if (gate->n >= GATE_ATOMS_MAX)
		return false;
	if (like->len > 0)
		hash = hash_combine(hash, hash_bytes((const unsigned char *) like->bytes, like->len));
	entry = Known(b, hash);
	foreach(lc, entry->atoms)
		if (SameAtom(lfirst(lc), like))
		atom = lfirst(lc);
	if (atom == NULL)
	{
		Probe	   *probe = list_nth(b->probes, like->probe);

		atom = palloc(sizeof(Atom));
		*atom = *like;
		atom->number = list_length(b->all);
		b->all = lappend(b->all, atom);
		entry->atoms = lappend(entry->atoms, atom);
		probe->atoms = lappend(probe->atoms, atom);
	}
	for (int i = 0; i < gate->n; i++)
		if (gate->atoms[i] == atom)
			return true;
	gate->atoms[gate->n++] = atom;
	gate->guess += atom->guess;
	return true;
}

static bool
AddValue(AtomsBuild *b, GateDraft *gate, int probe, AtomTest test, int64 value, double guess)
{
	Atom		like = {.probe = probe,.test = test,.value = value,.guess = guess};

	return AddAtom(b, gate, &like);
}

static bool
AddText(AtomsBuild *b, GateDraft *gate, int probe, Datum value, double guess)
{
	text	   *t = DatumGetTextPP(value);
	Atom		like = {.probe = probe,.test = ATOM_EQUAL,.guess = guess,
		.bytes = VARDATA_ANY(t),.len = VARSIZE_ANY_EXHDR(t)
	};

	return AddAtom(b, gate, &like);
}

/*
 * Gates
 */

static bool
BooleanGate(AtomsBuild *b, Node *node, bool value, GateDraft *gate)
{
	Var		   *var = (Var *) node;
	double		guess = value ? 0.3 : 0.7;

	if (!IsA(node, Var) || var->vartype != BOOLOID)
		return false;
	if (var->varno == OUTER_VAR)
		guess = 0.02;
	gate->exact = true;
	return AddValue(b, gate, AddProbe(b, PROBE_BOOL, node, BOOLOID), ATOM_EQUAL, value, guess);
}

static bool
NullGate(AtomsBuild *b, NullTest * test, GateDraft *gate)
{
	bool		is_null = test->nulltesttype == IS_NULL;

	if (!IsA(test->arg, Var))
		return false;
	gate->exact = true;
	return AddValue(b, gate, AddProbe(b, PROBE_NULL, (Node *) test->arg, BOOLOID), ATOM_EQUAL,
					is_null, is_null ? 0.2 : 0.8);
}

/* subject OP number */
static bool
OrderGate(AtomsBuild *b, Node *left, Oid opno, Const * c, GateDraft *gate)
{
	Oid			type;
	Node	   *subject = Subject(left, &type);
	Oid			family = subject ? OrderFamily(type, c->consttype) : InvalidOid;
	int			strategy;
	int			probe;
	int64		value;

	if (!OidIsValid(family))
		return false;
	strategy = get_op_opfamily_strategy(opno, family);
	if (strategy == 0)
		return false;
	value = AtomOrder(c->consttype, c->constvalue);
	if (value == PG_INT64_MAX)
		return false;
	probe = AddProbe(b, PROBE_ORDER, subject, type);
	gate->exact = true;
	switch (strategy)
	{
		case BTLessStrategyNumber:
			return AddValue(b, gate, probe, ATOM_BELOW, value, 0.4);
		case BTLessEqualStrategyNumber:
			return AddValue(b, gate, probe, ATOM_BELOW, value + 1, 0.4);
		case BTGreaterEqualStrategyNumber:
			return AddValue(b, gate, probe, ATOM_FROM, value, 0.4);
		case BTGreaterStrategyNumber:
			return AddValue(b, gate, probe, ATOM_FROM, value + 1, 0.4);
		default:
			return AddValue(b, gate, probe, ATOM_EQUAL, value, 0.1);
	}
}

static bool
IsTextEqual(Oid opno, Oid collation)
{
	return get_opcode(opno) == F_TEXTEQ && OidIsValid(collation) && get_collation_isdeterministic(collation);
}

static bool
StringGate(AtomsBuild *b, Node *left, Const * c, GateDraft *gate)
{
	Oid			type;
	Node	   *subject = Subject(left, &type);

	if (subject == NULL || type != TEXTOID || c->consttype != TEXTOID)
		return false;
	gate->exact = true;
	return AddText(b, gate, AddProbe(b, PROBE_STRING, subject, TEXTOID), c->constvalue, 0.01);
}

/* Elements of a constant array, or -1 when one is null */
static int
ConstItems(Const * c, Datum **items)
{
	ArrayType  *array = DatumGetArrayTypeP(c->constvalue);
	int16		len;
	bool		byval;
	char		align;
	bool	   *nulls;
	int			n;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, items, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i])
			return -1;
	return n;
}

/* array && constant, array @> constant */
static bool
ItemsGate(AtomsBuild *b, Node *left, Const * c, bool all, GateDraft *gate)
{
	Datum	   *items;
	int			n;
	int			probe;

	if (!IsA(left, Var) || ((Var *) left)->vartype != TEXTARRAYOID || c->consttype != TEXTARRAYOID)
		return false;
	n = ConstItems(c, &items);
	if (n <= 0 || n > GATE_ATOMS_MAX)
		return false;
	probe = AddProbe(b, PROBE_ITEMS, left, TEXTARRAYOID);
	/* Of all, the first will do: they are in the array only if it is. */
	gate->exact = n == 1 || !all;
	for (int i = 0; i < (all ? 1 : n); i++)
		if (!AddText(b, gate, probe, items[i], 0.05))
			return false;
	return true;
}

/* A sum of conditions that is at least so great: all but so many of them */
static bool
CountGate(AtomsBuild *b, List *terms, int64 least, GateDraft *gate)
{
	int			n = list_length(terms);
	GateDraft  *each = palloc0(n * sizeof(GateDraft));
	bool	   *taken = palloc0(n * sizeof(bool));
	ListCell   *lc;

	if (least <= 0 || least > n)
		return false;
	foreach(lc, terms)
		if (!FindGate(b, lfirst(lc), &each[foreach_current_index(lc)]))
		each[foreach_current_index(lc)].n = 0;
	/* The rarest of them: at least one is true, however few are not. */
	for (int k = 0; k < n - least + 1; k++)
	{
		int			best = -1;

		for (int i = 0; i < n; i++)
			if (!taken[i] && each[i].n > 0 && (best < 0 || each[i].guess < each[best].guess))
				best = i;
		if (best < 0)
			return false;
		taken[best] = true;
		for (int i = 0; i < each[best].n; i++)
			if (!AddAtom(b, gate, each[best].atoms[i]))
				return false;
	}
	gate->exact = false;
	return true;
}

static bool
OperatorGate(AtomsBuild *b, OpExpr *op, GateDraft *gate)
{
	Node	   *left = linitial(op->args);
	Node	   *right;
	Oid			opno = op->opno;
	Oid			function = get_opcode(opno);
	List	   *terms = NIL;
	Const	   *c;

	if (list_length(op->args) != 2)
		return false;
	right = lsecond(op->args);
	if (IsA(left, Const) && !IsA(right, Const))
	{
		opno = get_commutator(opno);
		left = right;
		right = linitial(op->args);
	}
	c = (Const *) right;
	if (!OidIsValid(opno) || !IsA(right, Const) || c->constisnull)
		return false;
	if (function == F_ARRAYOVERLAP || function == F_ARRAYCONTAINS)
		return (function == F_ARRAYOVERLAP || left == linitial(op->args)) &&
			OidIsValid(op->inputcollid) && get_collation_isdeterministic(op->inputcollid) &&
			ItemsGate(b, left, c, function == F_ARRAYCONTAINS, gate);
	if (IsTextEqual(opno, op->inputcollid))
		return StringGate(b, left, c, gate);
	if (c->consttype == INT4OID && IsCount(left, &terms) && list_length(terms) > 1)
	{
		int64		least = DatumGetInt32(c->constvalue);

		switch (get_op_opfamily_strategy(opno, INTEGER_BTREE_FAM_OID))
		{
			case BTGreaterStrategyNumber:
				return CountGate(b, terms, least + 1, gate);
			case BTGreaterEqualStrategyNumber:
			case BTEqualStrategyNumber:
				return CountGate(b, terms, least, gate);
			default:
				return false;
		}
	}
	return OrderGate(b, left, opno, c, gate);
}

/* x = ANY (...): a column in a constant array, or the other way round */
static bool
AnyGate(AtomsBuild *b, ScalarArrayOpExpr * op, GateDraft *gate)
{
	Node	   *left = linitial(op->args);
	Const	   *c = lsecond(op->args);
	Datum	   *items;
	int			n;
	Oid			element;

	if (!op->useOr)
		return false;
	if (IsA(left, Const) && IsA(c, Var))
	{
		Const	   *item = (Const *) left;

		if (item->constisnull || item->consttype != TEXTOID || exprType((Node *) c) != TEXTARRAYOID ||
			!IsTextEqual(op->opno, op->inputcollid))
			return false;
		gate->exact = true;
		return AddText(b, gate, AddProbe(b, PROBE_ITEMS, (Node *) c, TEXTARRAYOID), item->constvalue, 0.05);
	}
	if (!IsA(c, Const) || c->constisnull)
		return false;
	element = get_element_type(c->consttype);
	n = OidIsValid(element) ? ConstItems(c, &items) : 0;
	if (n <= 0 || n > GATE_ATOMS_MAX)
		return false;
	for (int i = 0; i < n; i++)
	{
		Const		item = *c;

		item.consttype = element;
		item.constvalue = items[i];
		if (element == TEXTOID ? !IsTextEqual(op->opno, op->inputcollid) || !StringGate(b, left, &item, gate) :
			get_op_opfamily_strategy(op->opno, INTEGER_BTREE_FAM_OID) != BTEqualStrategyNumber ||
			!OrderGate(b, left, op->opno, &item, gate))
			return false;
	}
	return true;
}

/* One of several, or the rarest of several */
static bool
ListGate(AtomsBuild *b, BoolExpr * expr, GateDraft *gate)
{
	ListCell   *lc;
	GateDraft	best = {0};
	bool		exact = true;

	foreach(lc, expr->args)
	{
		GateDraft	one = {0};

		if (!FindGate(b, lfirst(lc), &one))
		{
			if (expr->boolop == OR_EXPR)
				return false;
			continue;
		}
		exact &= one.exact;
		if (expr->boolop == AND_EXPR)
		{
			if (best.n == 0 || one.guess < best.guess)
				best = one;
			continue;
		}
		for (int i = 0; i < one.n; i++)
			if (!AddAtom(b, gate, one.atoms[i]))
				return false;
	}
	if (expr->boolop == AND_EXPR)
	{
		*gate = best;
		exact = false;
	}
	gate->exact = exact;
	return gate->n > 0;
}

/* The atoms of which one must be true for an expression, which is total, to be */
static bool
FindGate(AtomsBuild *b, Node *node, GateDraft *gate)
{
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_Var:
			return BooleanGate(b, node, true, gate);
		case T_BooleanTest:
			if (((BooleanTest *) node)->booltesttype == IS_TRUE)
				return BooleanGate(b, (Node *) ((BooleanTest *) node)->arg, true, gate);
			if (((BooleanTest *) node)->booltesttype == IS_FALSE)
				return BooleanGate(b, (Node *) ((BooleanTest *) node)->arg, false, gate);
			return false;
		case T_NullTest:
			return NullGate(b, (NullTest *) node, gate);
		case T_BoolExpr:
			if (((BoolExpr *) node)->boolop == NOT_EXPR)
				return BooleanGate(b, linitial(((BoolExpr *) node)->args), false, gate);
			return ListGate(b, (BoolExpr *) node, gate);
		case T_OpExpr:
			return OperatorGate(b, (OpExpr *) node, gate);
		case T_ScalarArrayOpExpr:
			return AnyGate(b, (ScalarArrayOpExpr *) node, gate);
		default:
			return false;
	}
}

/* Conjuncts in the order in which PostgreSQL would come to them */
static List *
Flatten(Node *node, List *conjuncts)
{
	ListCell   *lc;

	check_stack_depth();
	if (!is_andclause(node))
		return lappend(conjuncts, node);
	foreach(lc, ((BoolExpr *) node)->args)
		conjuncts = Flatten(lfirst(lc), conjuncts);
	return conjuncts;
}

static void
TakeApart(AtomsBuild *b, AtomCondition *condition, Expr *expr)
{
	List	   *conjuncts = Flatten((Node *) expr, NIL);
	ListCell   *lc;

	condition->present = true;
	condition->total = true;
	condition->gates = palloc0(list_length(conjuncts) * sizeof(Gate));
	foreach(lc, conjuncts)
	{
		GateDraft	draft = {0};
		Gate	   *gate = &condition->gates[condition->ngates];

		condition->conjuncts = lappend(condition->conjuncts,
									   SharedValuesRewrite(b->atoms->shared, lfirst(lc)));
		condition->total = condition->total && IsTotal(lfirst(lc));
		if (!condition->total || !FindGate(b, lfirst(lc), &draft))
			continue;
		gate->conjunct = foreach_current_index(lc);
		gate->exact = draft.exact;
		gate->natoms = draft.n;
		gate->atoms = palloc(draft.n * sizeof(int));
		for (int i = 0; i < draft.n; i++)
			gate->atoms[i] = draft.atoms[i]->number;
		condition->ngates++;
	}
}

/* The lists that grew, as arrays */
static void
Finish(AtomsBuild *b)
{
	Atoms	   *a = b->atoms;
	ListCell   *lc;

	a->nprobes = list_length(b->probes);
	a->probes = palloc(Max(a->nprobes, 1) * sizeof(Probe *));
	foreach(lc, b->probes)
	{
		Probe	   *probe = lfirst(lc);

		a->probes[foreach_current_index(lc)] = probe;
		if (probe->var == NULL)
			probe->shared = SharedValuesRewrite(a->shared, probe->expr);
	}
	a->natoms = list_length(b->all);
	a->atoms = palloc(Max(a->natoms, 1) * sizeof(Atom *));
	foreach(lc, b->all)
		a->atoms[foreach_current_index(lc)] = lfirst(lc);
}

Atoms	   *
AtomsCreate(TupleDesc desc, Expr **guards, int nguards, Expr **parts, int nparts)
{
	Atoms	   *a = palloc0(sizeof(Atoms));
	AtomsBuild	b = {.atoms = a};
	HASHCTL		ctl = {.keysize = sizeof(uint32),.entrysize = sizeof(KnownEntry),.hcxt = CurrentMemoryContext};

	a->shared = SharedValuesCreate(desc);
	for (int i = 0; i < nguards; i++)
		if (guards[i])
			SharedValuesCollect(a->shared, guards[i]);
	for (int i = 0; i < nparts; i++)
		if (parts[i])
			SharedValuesCollect(a->shared, parts[i]);
	a->plain = SharedValuesPlain(a->shared);
	b.known = hash_create("pg_assay atoms", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	a->nguards = nguards;
	a->guards = palloc0(Max(nguards, 1) * sizeof(Expr *));
	for (int i = 0; i < nguards; i++)
		if (guards[i])
			a->guards[i] = SharedValuesRewrite(a->shared, guards[i]);
	a->nparts = nparts;
	a->conditions = palloc0(Max(nparts, 1) * sizeof(AtomCondition));
	for (int i = 0; i < nparts; i++)
		if (parts[i])
			TakeApart(&b, &a->conditions[i], parts[i]);
	Finish(&b);
	SharedValuesFinish(a->shared);
	hash_destroy(b.known);
	return a;
}
