/*
 * stream_kafka.c
 *	  Messages from topics of Kafka, by librdkafka.
 */
#ifdef HAVE_RDKAFKA
#include "stream.h"

const Source kafka_source = {0};
#endif
