/*
 * signals_shape.h
 *		Names and types of logged signals, which all values of one view have in common.
 */
#ifndef ASSAY_SIGNALS_SHAPE_H
#define ASSAY_SIGNALS_SHAPE_H

#include "access/tupdesc.h"
#include "compat.h"
#include "fmgr.h"
#include "utils/uuid.h"

/* How a column's values are kept; logged_signals.h says how they look */
typedef enum SignalForm
{
	FORM_FIXED = 'f',
	FORM_BYTES = 'b',
	FORM_SENT = 's',
	FORM_OUTPUT = 'o',
	FORM_TEXT = 't'
} SignalForm;

typedef struct SignalColumn
{
	char	   *name;
	Oid			type;			/* text, where the form is */
	char	   *type_name;		/* of the view's column */
	SignalForm	form;
	int16		len;			/* of fixed ones */
	bool		byval;
	FmgrInfo	function;		/* to write it: send or output */
	FmgrInfo	receive;		/* to read it */
	Oid			ioparam;
} SignalColumn;

typedef struct SignalsShape
{
	unsigned char id[UUID_LEN];
	bool		known;			/* to be in the table, and committed or ours */
	uint64		known_since;	/* how many rollbacks there were then */
	int			settings;		/* SETTINGS_... that show in what is written
								 * as text */
	int			count;
	SignalColumn *columns;
	MemoryContext context;
} SignalsShape;

extern TupleDesc LiveColumns(TupleDesc desc);
extern SignalsShape *MakeSignalsShape(TupleDesc desc, int first, int count);
extern void EnsureSignalsShape(SignalsShape *shape);
extern SignalsShape *ReadSignalsShape(const unsigned char *id, int count);
pg_noreturn extern void BrokenSignals(void);

extern void SignalsShapeInit(void);

#endif							/* ASSAY_SIGNALS_SHAPE_H */
