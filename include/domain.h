/*
 * domain.h
 *		Host names in the form that they are compared in.
 */
#ifndef ASSAY_DOMAIN_H
#define ASSAY_DOMAIN_H

#include "charclass.h"

/* ascii has room for HOST_MAX_BYTES + 1 */
extern bool CanonicalHost(const char *host, int len, char *ascii);

#endif							/* ASSAY_DOMAIN_H */
