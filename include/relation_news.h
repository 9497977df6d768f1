/*
 * relation_news.h
 *		To be told when a relation changed.
 */
#ifndef ASSAY_RELATION_NEWS_H
#define ASSAY_RELATION_NEWS_H

#include "utils/inval.h"

extern void WantRelationNews(RelcacheCallbackFunction changed);

#endif							/* ASSAY_RELATION_NEWS_H */
