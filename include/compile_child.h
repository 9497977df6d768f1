/*
 * compile_child.h
 *		Compiling patterns in a child process, within limits of time and memory.
 */
#ifndef ASSAY_COMPILE_CHILD_H
#define ASSAY_COMPILE_CHILD_H

extern void CompileChildInit(void);
extern void CompileChildStart(void);

#endif							/* ASSAY_COMPILE_CHILD_H */
