/*
 * ascii.h
 *		Single bytes of ASCII, whatever the locale.
 *
 * Plain C: usable outside of the server.
 */
#ifndef ASSAY_ASCII_H
#define ASSAY_ASCII_H

#include <stdbool.h>

static inline char
Lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static inline bool
IsBlank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif							/* ASSAY_ASCII_H */
