/*
 * facts.c
 *		Facts of a message as SQL functions, each of which makes a row.
 *
 * The engines (text_facts.c ...) are plain C over UTF-8; this gives them what
 * SQL has, and makes rows of what they found.  Rows are made by the position of
 * their columns, so a type's columns are never reordered, and new ones stand at
 * its end: an older type gets as many as it has.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "encoding.h"
#include "facts.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Bytes of a text that are read between two looks for an interrupt */
#define PIECE_BYTES		(1024 * 1024)

/* Columns of the widest row */
#define COLUMNS_MAX		64

/* A row that is being made */
typedef struct FactRow
{
	int			n;
	Datum		values[COLUMNS_MAX];
	bool		nulls[COLUMNS_MAX];
	Oid			types[COLUMNS_MAX];
} FactRow;

static void
AddDatum(FactRow *row, Oid type, Datum value, bool isnull)
{
	Assert(row->n < COLUMNS_MAX);
	row->values[row->n] = value;
	row->nulls[row->n] = isnull;
	row->types[row->n++] = type;
}

static void
AddCount(FactRow *row, int32 count)
{
	AddDatum(row, INT4OID, Int32GetDatum(count), false);
}

/* A part of a whole, unknown where there is no whole */
static void
AddShare(FactRow *row, int32 part, int32 whole)
{
	float4		share = whole > 0 ? (float4) part / (float4) whole : 0;

	AddDatum(row, FLOAT4OID, Float4GetDatum(share), whole <= 0);
}

/* The row's type, kept from call to call once its columns are seen to fit. */
static TupleDesc
RowDesc(FunctionCallInfo fcinfo, const FactRow *row)
{
	TupleDesc	desc = fcinfo->flinfo->fn_extra;
	MemoryContext caller;

	if (desc != NULL)
		return desc;
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < desc->natts; i++)
		if (i >= row->n || TupleDescAttr(desc, i)->attisdropped || TupleDescAttr(desc, i)->atttypid != row->types[i])
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("the row type of the result is not the one that this library makes"),
					 errhint("Its columns must not be altered; after an upgrade of the library, run ALTER EXTENSION pg_assay UPDATE.")));
	caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	MemoryContextSwitchTo(caller);
	fcinfo->flinfo->fn_extra = desc;
	return desc;
}

static Datum
MakeRow(FunctionCallInfo fcinfo, FactRow *row)
{
	return HeapTupleGetDatum(heap_form_tuple(RowDesc(fcinfo, row), row->values, row->nulls));
}

/* ---- texts ----------------------------------------------------------------------- */

/* Where a piece of whole characters ends */
static Size
PieceEnd(const char *bytes, Size len)
{
	Size		end = PIECE_BYTES;

	if (len <= PIECE_BYTES)
		return len;
	while (end > PIECE_BYTES - 4 && (bytes[end] & 0xC0) == 0x80)
		end--;
	return end;
}

/* Names of scripts as text[] */
static Datum
ScriptNames(const TextFacts *f)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(f->nscripts, 1));

	if (f->nscripts == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	for (int i = 0; i < f->nscripts; i++)
		names[i] = CStringGetTextDatum(ScriptName(f->scripts[i]));
	return PointerGetDatum(construct_array(names, f->nscripts, TEXTOID, -1, false, TYPALIGN_INT));
}

/* In the order of assay.text_facts */
static void
TextRow(FactRow *row, const TextFacts *f)
{
	AddCount(row, f->characters);
	AddCount(row, f->words);
	AddCount(row, f->lines);
	AddCount(row, f->letters);
	AddCount(row, f->uppercase);
	AddCount(row, f->digits);
	AddCount(row, f->punctuation);
	AddCount(row, f->whitespace);
	AddCount(row, f->exclamations);
	AddCount(row, f->questions);
	AddCount(row, f->currency);
	AddCount(row, f->non_ascii);
	AddCount(row, f->uppercase_words);
	AddCount(row, f->quoted_lines);
	AddCount(row, f->longest_token);
	AddCount(row, f->longest_line);
	AddCount(row, f->longest_gap);
	AddCount(row, f->emoji);
	AddCount(row, f->math_letters);
	AddCount(row, f->enclosed_letters);
	AddCount(row, f->fullwidth_letters);
	AddCount(row, f->invisible);
	AddCount(row, f->invisible_words);
	AddCount(row, f->bidi_controls);
	AddCount(row, f->bidi_overrides);
	AddCount(row, f->tag_characters);
	AddCount(row, f->control_characters);
	AddCount(row, f->private_use);
	AddCount(row, f->replacements);
	AddCount(row, f->stacked_marks);
	AddCount(row, f->mixed_script_words);
	AddShare(row, f->uppercase, f->letters);
	AddShare(row, f->digits, f->characters);
	AddShare(row, f->punctuation, f->characters);
	AddShare(row, f->whitespace, f->characters);
	AddShare(row, f->non_ascii, f->characters);
	AddShare(row, f->quoted_lines, f->lines);
	AddDatum(row, FLOAT4OID, Float4GetDatum((float4) f->entropy), f->bytes == 0);
	AddDatum(row, TEXTARRAYOID, ScriptNames(f), false);
}

/* text_facts(content): counts of a text */
PG_FUNCTION_INFO_V1(text_facts);
Datum
text_facts(PG_FUNCTION_ARGS)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	TextScan	scan;
	FactRow		row = {0};
	Size		len;
	const char *bytes = TextToUtf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &len);

	TextFactsBegin(&scan);
	while (len > 0)
	{
		Size		piece = PieceEnd(bytes, len);

		CHECK_FOR_INTERRUPTS();
		TextFactsAdd(&scan, bytes, piece);
		bytes += piece;
		len -= piece;
	}
	TextRow(&row, TextFactsEnd(&scan));
	return MakeRow(fcinfo, &row);
}
