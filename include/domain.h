/*
 * domain.h
 *		Canonical host names, and the domains that somebody registered.
 */
#ifndef ASSAY_DOMAIN_H
#define ASSAY_DOMAIN_H

#include "charclass.h"

/* ascii has room for HOST_MAX_BYTES + 1 */
extern bool CanonicalHost(const char *host, int len, char *ascii);
extern bool CanonicalUtf8Host(const char *host, Size len, char *ascii);
extern bool AddressHost(const char *address, int len, char *ascii);
extern const char *RegistrableDomain(const char *ascii);
extern bool IsKnownSuffix(const char *ascii);
extern bool IsTopLevelDomain(const char *label);

#endif							/* ASSAY_DOMAIN_H */
