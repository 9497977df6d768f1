/*
 * trusted.h
 *		Statements that call nobody's functions but their owner's.
 */
#ifndef ASSAY_TRUSTED_H
#define ASSAY_TRUSTED_H

extern void TrustedInit(void);
extern const char *LookAtStatement(const char *sql);

#endif							/* ASSAY_TRUSTED_H */
