// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What becomes of files when the machine ends.
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

// These do nothing in a finaliser, which runs while the collector does, and raise nothing.

// Closes the files that nobody can reach any more and has the disks keep what was
// written, as os.sync().
void files_sync(void);

// The same for every file that is open. It ends the heap, as a soft reset does.
void files_close(void);

#endif // KERNEL_FILES_H
