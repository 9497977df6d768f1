/*
 * model_error.c
 *		What goes wrong with a model, kept until somebody raises it.
 *
 * For all that works without a server: nothing here is palloc'd or raised.
 */
#include "postgres.h"

#include <stdarg.h>

#include "model.h"

bool		(*model_cancelled) (void) = NULL;

bool
ModelFail(ModelError *error, ModelErrorKind kind, const char *format,...)
{
	va_list		args;

	if (error->kind != MODEL_OK)
		return false;
	error->kind = kind;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return false;
}

void
ModelRemark(ModelError *error, const char *hint, const char *format,...)
{
	ModelNote  *note;
	va_list		args;

	if (error->nnotes >= MODEL_MAX_NOTES)
		return;
	note = &error->notes[error->nnotes++];
	va_start(args, format);
	vsnprintf(note->message, sizeof(note->message), format, args);
	va_end(args);
	snprintf(note->hint, sizeof(note->hint), "%s", hint);
}
