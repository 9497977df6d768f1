/*
 * columns.h
 *	  The columns that are filled: what copy.c and reparse.c need of them.
 */
#ifndef ASSAY_COLUMNS_H
#define ASSAY_COLUMNS_H

#include <libpq-fe.h>

#include "assay_load.h"

/* columns.c */
extern int	columns_known(void);
extern const char *columns_name(int k);
extern const char *columns_type(int k);
extern const char *columns_comment(int k);
extern bool columns_wanted(int k);
extern void columns_target(const PGresult *table, const char *name, GString *list);
extern int	columns_targets(void);
extern void columns_put(GByteArray *a, const Message *m);
extern void put16(GByteArray *a, int v);
extern void put32(GByteArray *a, uint32_t v);

#endif							/* ASSAY_COLUMNS_H */
