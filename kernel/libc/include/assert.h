// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Without an include guard, as the C standard asks (7.2).

#undef assert

#ifdef NDEBUG
#define assert(e) ((void)0)
#else
_Noreturn void panic(const char *format, ...);
#define assert(e) ((e) ? (void)0 : panic("assertion '%s' failed, %s:%d", #e, __FILE__, __LINE__))
#endif
