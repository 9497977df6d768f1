/*
 * relation_news.h
 *		To be told when a relation changed, and to tell.
 */
#ifndef ASSAY_RELATION_NEWS_H
#define ASSAY_RELATION_NEWS_H

#include "utils/inval.h"

extern void RelationNewsInit(void);
extern void WantRelationNews(RelcacheCallbackFunction changed);
extern void TellRelation(Oid relid);

#endif							/* ASSAY_RELATION_NEWS_H */
