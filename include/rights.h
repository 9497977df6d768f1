/*
 * rights.h
 *		Who may read, build, publish or own a policy.
 */
#ifndef ASSAY_RIGHTS_H
#define ASSAY_RIGHTS_H

#include "config.h"

/* right: "reader", "builder", "publisher" or "owner" */
extern void PolicyMustOwn(const PolicyIdentity *id);
extern bool PolicyMay(const PolicyIdentity *id, const char *right);

#endif							/* ASSAY_RIGHTS_H */
