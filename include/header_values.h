/*
 * header_values.h
 *		A message's headers as JSON: an object of names, with a string each or an
 *		array of them.
 */
#ifndef ASSAY_HEADER_VALUES_H
#define ASSAY_HEADER_VALUES_H

#include "utils/jsonb.h"

extern bool HasHeaders(Jsonb *headers);
extern bool FirstString(const JsonbValue *v, JsonbValue *first);

#endif							/* ASSAY_HEADER_VALUES_H */
