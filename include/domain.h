/*
 * domain.h
 *		Canonical host names, and the domains that somebody registered.
 */
#ifndef ASSAY_DOMAIN_H
#define ASSAY_DOMAIN_H

#include "charclass.h"

/* organization.c, plain C; ascii and host have room for HOST_MAX_BYTES + 1 */
extern bool CanonicalUtf8Host(const char *host, size_t len, char *ascii);
extern const char *RegistrableDomain(const char *ascii);
extern bool IsKnownSuffix(const char *ascii);
extern bool IsTopLevelDomain(const char *label);
extern const char *Organization(const char *ascii);
extern bool SameOrganization(const char *a, const char *b);
extern bool MailHost(const char *address, size_t len, char *host);

/* domain.c: of text in the server's encoding */
extern bool CanonicalHost(const char *host, int len, char *ascii);
extern bool AddressHost(const char *address, int len, char *ascii);

#endif							/* ASSAY_DOMAIN_H */
