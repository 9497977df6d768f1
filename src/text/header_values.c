/*
 * header_values.c
 *		What of a JSON document is a message's headers.
 */
#include "postgres.h"

#include "header_values.h"

/* Are there headers?  JSON's null is none; what is no object is an error. */
bool
HasHeaders(Jsonb *headers)
{
	if (JB_ROOT_IS_SCALAR(headers) && getIthJsonbValueFromContainer(&headers->root, 0)->type == jbvNull)
		return false;
	if (!JB_ROOT_IS_OBJECT(headers))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("headers must be a JSON object"),
				 errhint("It looks like {\"received\": [\"from ...\", \"from ...\"], \"from\": [\"...\"]}.")));
	return true;
}

/* The first string of a header's value: a string, or an array of them */
bool
FirstString(const JsonbValue *v, JsonbValue *first)
{
	JsonbValue *element;

	*first = *v;
	if (v->type == jbvString)
		return true;
	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) || JsonContainerIsScalar(v->val.binary.data))
		return false;
	element = getIthJsonbValueFromContainer(v->val.binary.data, 0);
	if (element == NULL || element->type != jbvString)
		return false;
	*first = *element;
	return true;
}
