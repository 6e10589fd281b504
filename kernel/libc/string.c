// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The string functions that MicroPython calls, none of them on a fast path.

#include <stdbool.h>
#include <string.h>

size_t strnlen(const char *s, size_t n) {
    size_t len = 0;
    while (len < n && s[len] != '\0') {
        ++len;
    }
    return len;
}

size_t strlen(const char *s) {
    return strnlen(s, (size_t)-1);
}

int strncmp(const char *s1, const char *s2, size_t n) {
    for (; n > 0; --n, ++s1, ++s2) {
        if (*s1 != *s2 || *s1 == '\0') {
            return (unsigned char)*s1 - (unsigned char)*s2;
        }
    }
    return 0;
}

int strcmp(const char *s1, const char *s2) {
    return strncmp(s1, s2, (size_t)-1);
}

char *strcpy(char *restrict dest, const char *restrict src) {
    return memcpy(dest, src, strlen(src) + 1);
}

char *strchr(const char *s, int c) {
    for (;; ++s) {
        if (*s == (char)c) {
            return (char *)s;
        }
        if (*s == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *s, int c) {
    const char *found = NULL;
    for (;; ++s) {
        if (*s == (char)c) {
            found = s;
        }
        if (*s == '\0') {
            return (char *)found;
        }
    }
}

char *strstr(const char *haystack, const char *needle) {
    size_t len = strlen(needle);
    for (; *haystack != '\0' || len == 0; ++haystack) {
        if (strncmp(haystack, needle, len) == 0) {
            return (char *)haystack;
        }
    }
    return NULL;
}

// How many characters s begins with that are, or are not, in set.
static size_t span(const char *s, const char *set, bool in_set) {
    size_t n = 0;
    while (s[n] != '\0' && (strchr(set, s[n]) != NULL) == in_set) {
        ++n;
    }
    return n;
}

size_t strspn(const char *s, const char *accept) {
    return span(s, accept, true);
}

size_t strcspn(const char *s, const char *reject) {
    return span(s, reject, false);
}
