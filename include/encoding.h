/*
 * encoding.h
 *		Text of the server's encoding as UTF-8 and back, which never fails.
 */
#ifndef ASSAY_ENCODING_H
#define ASSAY_ENCODING_H

extern const char *TextToUtf8(const char *bytes, int len, Size *utf8_len);
extern const char *TextToHash(const char *bytes, int len, Size *hashed_len);
extern int	ClipText(const char *bytes, int len, int max);
extern const char *Utf8ToText(const char *utf8, int len, Size *text_len);

#endif							/* ASSAY_ENCODING_H */
