/*
 * message_keys.h
 *		The keys of stored messages, without the signals view.
 */
#ifndef ASSAY_MESSAGE_KEYS_H
#define ASSAY_MESSAGE_KEYS_H

#include "batch.h"

/*
 * The keys and times of the messages of the tables that the policy decides, as
 * the signals view has them, to select from; NULL where there is no such table,
 * or what the view makes of it can't be told.
 */
extern char *MessageKeys(Source *s);

#endif							/* ASSAY_MESSAGE_KEYS_H */
