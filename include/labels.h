/*
 * labels.h
 *		Which label of a message counts, and queries about labels and decisions.
 */
#ifndef ASSAY_LABELS_H
#define ASSAY_LABELS_H

#include "batch.h"

extern Datum LabelOrder(Source *s, bool *isnull);
extern void AddLabels(BatchQuery *q, Source *s);
extern void AddLabelJoin(BatchQuery *q, Source *s, const char *alias);
extern void AddLabelOf(BatchQuery *q, Source *s, const char *alias);
extern void AddLatestDecision(BatchQuery *q, Source *s, const char *alias, Datum since, Datum until);
extern char *TableBeside(Source *s, const char *suffix, Oid *number);
extern char *StartBeside(FunctionCallInfo fcinfo, Source *s, BatchQuery *q, const char *suffix);
extern Datum NoRows(FunctionCallInfo fcinfo);
extern void AddRows(FunctionCallInfo fcinfo, Source *s, BatchQuery *q);
extern Datum RunStatement(FunctionCallInfo fcinfo, Source *s, BatchQuery *q);
extern void StartReport(FunctionCallInfo fcinfo, Source *s, BatchQuery *q);
extern Datum RunReport(FunctionCallInfo fcinfo, Source *s, BatchQuery *q);

#endif							/* ASSAY_LABELS_H */
