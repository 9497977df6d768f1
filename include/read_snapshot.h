/*
 * read_snapshot.h
 *		The snapshot by which a trigger reads signals.
 */
#ifndef ASSAY_READ_SNAPSHOT_H
#define ASSAY_READ_SNAPSHOT_H

extern void PushReadSnapshot(void);

#endif							/* ASSAY_READ_SNAPSHOT_H */
