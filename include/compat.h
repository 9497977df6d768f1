/*
 * compat.h
 *		What differs between the PostgreSQL versions that we support (15 to 18).
 */
#ifndef ASSAY_COMPAT_H
#define ASSAY_COMPAT_H

#endif							/* ASSAY_COMPAT_H */
