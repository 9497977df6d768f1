/*
 * encoding.h
 *		Text of the server's encoding as UTF-8, which never fails.
 */
#ifndef ASSAY_ENCODING_H
#define ASSAY_ENCODING_H

extern const char *TextToUtf8(const char *bytes, int len, Size *utf8_len);

#endif							/* ASSAY_ENCODING_H */
