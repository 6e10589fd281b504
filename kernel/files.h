// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What becomes of files when the machine ends.
#ifndef KERNEL_FILES_H
#define KERNEL_FILES_H

// Closes the files that nobody can reach any more and has the disks keep what was
// written, as os.sync(); raises nothing.
void files_sync(void);

#endif // KERNEL_FILES_H
