/*
 * text_form.h
 *		Reading back the text forms of types.
 */
#ifndef ASSAY_TEXT_FORM_H
#define ASSAY_TEXT_FORM_H

/* Skips white space and moves the cursor behind the token; false where it isn't there */
static inline bool
Expect(const char **cur, const char *token)
{
	size_t		len = strlen(token);

	while (**cur == ' ' || **cur == '\t' || **cur == '\n' || **cur == '\r')
		(*cur)++;
	if (strncmp(*cur, token, len) != 0)
		return false;
	*cur += len;
	return true;
}

#endif							/* ASSAY_TEXT_FORM_H */
