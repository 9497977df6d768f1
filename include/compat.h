/*
 * compat.h
 *		What differs between the PostgreSQL versions that we support (15 to 18).
 */
#ifndef ASSAY_COMPAT_H
#define ASSAY_COMPAT_H

/* VARSIZE and its likes left postgres.h in 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* Soft errors of input functions came with 16. */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#elif !defined(ereturn)
#define ereturn(context, dummy_value, ...)	ereport(ERROR, __VA_ARGS__)
#endif

/* pg_noreturn came with 18, in the place of pg_attribute_noreturn(). */
#ifndef pg_noreturn
#define pg_noreturn		pg_attribute_noreturn()
#endif

/* A group of settings was renamed in 17. */
#if PG_VERSION_NUM < 170000
#define COMPAT_OPTIONS_OTHER	COMPAT_OPTIONS_CLIENT
#endif

/* Names that are wrong can be told without an error since 16. */
#if PG_VERSION_NUM >= 160000
#define QualifiedNames(string)	stringToQualifiedNameList(string, NULL)
#else
#define QualifiedNames(string)	stringToQualifiedNameList(string)
#endif

/* What is kept of a setting's value has functions of its own since 16. */
#if PG_VERSION_NUM < 160000
#define guc_strdup(elevel, string)	strdup(string)
#define guc_free(pointer)	free(pointer)
#endif

/* A backend's own number of its transaction moved in 17; storage/proc.h tells. */
#if PG_VERSION_NUM >= 170000
#define MyLocalTransactionId()	(MyProc->vxid.lxid)
#else
#define MyLocalTransactionId()	(MyProc->lxid)
#endif

#endif							/* ASSAY_COMPAT_H */
