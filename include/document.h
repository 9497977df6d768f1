/*
 * document.h
 *		A parsed JSON or UBJSON document, hiding json-c.
 *
 * For importers: no palloc, no ereport.  Every reader takes any value, NULL
 * included, and says by its result that the value is not what was asked for;
 * so a mistyped or truncated document needs no special care.
 */
#ifndef ASSAY_DOCUMENT_H
#define ASSAY_DOCUMENT_H

#include "model.h"

/*
 * A parsed value takes up to 100 bytes, however short its text, so values are
 * limited too: to some 2 GB.  Nesting as well: the deepest document of a
 * library that we read has 12 levels.
 */
#define DOCUMENT_MAX_BYTES	(256 * 1024 * 1024)
#define DOCUMENT_MAX_VALUES 20000000
#define DOCUMENT_MAX_DEPTH	64

typedef struct Document Document;

/* For importers; the text form of a model may be longer */
extern bool DocumentCheckBytes(Size bytes, ModelError *error);

/* The whole document, to be freed; NULL: see error */
extern Document *DocumentParseJson(const char *text, Size length,
								   ModelError *error);
extern Document *DocumentParseUbjson(const char *bytes, Size length,
									 ModelError *error);
extern void DocumentFree(Document *document);

/* NULL when it is no object or has no such member, or the member is null */
extern Document *DocumentMember(Document *object, const char *key);

/* 0 and NULL when it is no array */
extern Size DocumentLength(Document *array);
extern Document *DocumentElement(Document *array, Size i);

/* Members of an object in the document's order; false at the end */
extern bool DocumentEach(Document *object, void **position, const char **key,
						 Document **value);

/*
 * What an importer knows of an object that it reads: another member could
 * change what the model predicts, so it is refused.  known ends in NULL.  True
 * also when it is no object.
 */
extern bool DocumentKnowsMembers(Document *object, const char *where,
								 const char *const *known, ModelError *error);

extern bool DocumentIsObject(Document *value);
extern bool DocumentIsArray(Document *value);
extern bool DocumentIsString(Document *value);

/*
 * Numbers.	 XGBoost writes many as strings: a string that is wholly a number
 * is taken as one.	 "NaN", "Infinity" and "-Infinity" too.	 An integer must
 * be whole and within the bounds, both included.
 */
extern bool DocumentNumber(Document *value, double *number);
extern bool DocumentSingle(Document *value, float *number); /* rounded once */
extern bool DocumentInteger(Document *value, int64 min, int64 max,
							int64 *number);
extern bool DocumentBoolean(Document *value, bool *boolean);

/*
 * A number as the name of a category, of MODEL_NUMBER_NAME bytes: exact digits
 * when it is whole
 */
extern bool DocumentNumberName(Document *value, char *name);

/* Lives as long as the document; false also when it holds a zero byte */
extern bool DocumentString(Document *value, const char **string);

#endif							/* ASSAY_DOCUMENT_H */
