// SPDX-License-Identifier: MIT OR Apache-2.0
//
// MicroPython's configuration for this port.

#include <stdint.h>

// All there is: the kernel lies in RAM and has room, and a user of the language
// misses nothing.  What follows departs from this level, with the reason.
#define MICROPY_CONFIG_ROM_LEVEL                (MICROPY_CONFIG_ROM_LEVEL_EVERYTHING)

// Code generation: @native, @viper and .mpy files with native code.  Compiled
// code goes to a segment of its own, the one writable and executable place.
#define MICROPY_EMIT_X64                        (1)
#define MICROPY_PERSISTENT_CODE_LOAD            (1)
#define MP_PLAT_ALLOC_EXEC(min_size, ptr, size) native_code_alloc(min_size, ptr, size)
#define MP_PLAT_FREE_EXEC(ptr, size)            native_code_free(ptr, size)

// Memory: a small heap in .bss that grows by what Python hands over
// (kernel.heap_reserve), and statistics about it.
#define MICROPY_ENABLE_GC                       (1)
#define MICROPY_GC_SPLIT_HEAP                   (1)
#define MICROPY_GC_SPLIT_HEAP_AUTO              (1)
#define MP_PLAT_ALLOC_HEAP(size)                heap_area_alloc(size)
#define MP_PLAT_FREE_HEAP(ptr)                  heap_area_free(ptr)
#define MICROPY_MALLOC_USES_ALLOCATED_SIZE      (1)
#define MICROPY_MEM_STATS                       (1)

// Numbers: 64-bit integers and doubles are native here.
#define MICROPY_LONGINT_IMPL                    (MICROPY_LONGINT_IMPL_MPZ)
#define MICROPY_FLOAT_IMPL                      (MICROPY_FLOAT_IMPL_DOUBLE)
// libm_dbl has no log2, and its tgamma answers some poles as C does, not as Python does.
#define MP_NEED_LOG2                            (1)
#define MICROPY_PY_MATH_GAMMA_FIX_NEGINF        (1)

// Errors: deep recursion and failed allocations are exceptions with a text.
#define MICROPY_STACK_CHECK                     (1)
// Recursion in C that nobody counts (the compiler's on deep nestings) may take the rest.
#define MICROPY_STACK_CHECK_MARGIN              (128 * 1024)
#define MICROPY_ENABLE_EMERGENCY_EXCEPTION_BUF  (1)
#define MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE    (256)
#define MICROPY_ERROR_REPORTING                 (MICROPY_ERROR_REPORTING_DETAILED)
#define MICROPY_WARNINGS                        (1)
#define MICROPY_PY_STR_BYTES_CMP_WARN           (1)
#define MICROPY_USE_INTERNAL_ERRNO              (1)

// Files: any Python object with a block device's methods can hold a FAT or a
// littlefs filesystem (set in the Makefile, which also adds their sources);
// FAT's with long names and a date as everywhere.
#define MICROPY_VFS                             (1)
#define MICROPY_READER_VFS                      (1)
#define MICROPY_VFS_ROM                         (1)
#define MICROPY_VFS_ROM_IOCTL                   (0)
#define MICROPY_FATFS_ENABLE_LFN                (2)
#define MICROPY_FATFS_LFN_CODE_PAGE             437
#define MICROPY_FATFS_USE_LABEL                 (1)
#define MICROPY_FATFS_RPATH                     (2)
#define MICROPY_FATFS_MAX_SS                    (4096)
#define MICROPY_EPOCH_IS_1970                   (1)

// The prompt.
#define MICROPY_HELPER_REPL                     (1)
#define MICROPY_READLINE_HISTORY_SIZE           (50)
#define MICROPY_PY_BUILTINS_HELP                (1)
#define MICROPY_PY_BUILTINS_HELP_MODULES        (1)
#define MICROPY_PY_BUILTINS_HELP_TEXT           kernel_help_text

// Modules that need something of the port.
#define MICROPY_PY_SYS_PLATFORM                 "limine"
#define MICROPY_HW_BOARD_NAME                   "Limine"
#define MICROPY_HW_MCU_NAME                     "x86-64"
#define MICROPY_PY_SYS_EXC_INFO                 (1)
#define MICROPY_PY_GC_COLLECT_RETVAL            (1)
#define MICROPY_PY_OS_INCLUDEFILE               "kernel/modos.c"
#define MICROPY_PY_OS_GETENV_PUTENV_UNSETENV    (1)
#define MICROPY_PY_OS_SYNC                      (1)
#define MICROPY_PY_OS_UNAME                     (1)
#define MICROPY_PY_OS_URANDOM                   (1)
#define MICROPY_PY_RANDOM_SEED_INIT_FUNC        (mp_hal_random_seed())
#define MICROPY_PY_TIME_INCLUDEFILE             "kernel/modtime.c"
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS            (1)
#define MICROPY_PY_MACHINE                      (1)
#define MICROPY_PY_MACHINE_INCLUDEFILE          "kernel/modmachine.c"
#define MICROPY_PY_MACHINE_RESET                (1)
#define MICROPY_PY_MACHINE_BARE_METAL_FUNCS     (1)
#define MICROPY_PY_MACHINE_DISABLE_IRQ_ENABLE_IRQ (1)
#define MICROPY_PY_MACHINE_PIN_BASE             (1)
#define MICROPY_PY_MACHINE_TIMER                (1)

// Off: there is no network, and no TLS library in a freestanding image.
#define MICROPY_PY_SOCKET                       (0)
#define MICROPY_PY_SSL                          (0)
#define MICROPY_PY_WEBSOCKET                    (0)
// A thread is a processor, so they run at the same time: there is no global lock.
#define MICROPY_PY_THREAD                       (1)
#define MICROPY_PY_THREAD_GIL                   (0)

// The VM tells which function runs (for the fault report), and from time to
// time looks for Ctrl-C; looking at a port is slow, so not at every jump.
#define MICROPY_VM_HOOK_INIT                    pytrace_enter(code_state);
#define MICROPY_VM_HOOK_LOOP \
    if (--smp_this->vm_hook_countdown <= 0) { \
        mp_hal_vm_hook(); \
    }

// Type definitions for the specific machine.
typedef intptr_t mp_int_t; // must be pointer size
typedef uintptr_t mp_uint_t; // must be pointer size
typedef long mp_off_t;
#define MP_SSIZE_MAX INTPTR_MAX

#include <alloca.h>

#include "smp.h"

// A name uses every other entry of the look-up cache: with fewer than these the names
// of the frame manager's calls are in each other's way.
#define MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE       SMP_MAP_LOOKUP_CACHE

#define MP_STATE_PORT MP_STATE_VM

// What the macros above name.
struct _mp_code_state_t;
void pytrace_enter(const struct _mp_code_state_t *code_state);
void mp_hal_vm_hook(void);
uint32_t mp_hal_random_seed(void);
void native_code_alloc(uintptr_t min_size, void **ptr, uintptr_t *size);
void native_code_free(void *ptr, uintptr_t size);
void *heap_area_alloc(uintptr_t size);
void heap_area_free(void *ptr);
