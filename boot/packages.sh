#!/bin/sh
# Have Debian's packages that the build and the tests need: install what is
# missing where that needs no password, else name it and stop. Looks at the
# tools themselves, so a machine that has them from elsewhere passes as well.
set -eu

missing=""
need() { # need PACKAGE CHECK...: the package is missing unless the check succeeds
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has() { command -v "$1"; }
has_header() { echo "#include <$1>" | gcc -E -; }
has_ovmf() { [ -r /usr/share/OVMF/OVMF_CODE_4M.fd ] || [ -r "${OVMF_CODE:-}" ]; }

need gcc has gcc
need libc6-dev has_header stdlib.h
need binutils has ld
need make has make
need python3 has python3
need python3-venv python3 -c 'import ensurepip, venv'
need pkg-config has pkg-config
need libffi-dev pkg-config --exists libffi
need git has git
need ca-certificates [ -r /etc/ssl/certs/ca-certificates.crt ]
need qemu-system-x86 has qemu-system-x86_64
need xorriso has xorriso
need ovmf has_ovmf

[ -n "$missing" ] || exit 0
missing=${missing# }

if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing, named as Debian's packages: $missing; install what your system calls them" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root="env DEBIAN_FRONTEND=noninteractive"
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n DEBIAN_FRONTEND=noninteractive"
else
    echo "missing packages; run: sudo apt-get install --no-install-recommends $missing" >&2
    exit 1
fi
echo "installing: $missing"
# shellcheck disable=SC2086 # words are meant to be split
install() { $as_root apt-get install -qq --no-install-recommends $missing </dev/null; }
# A fresh container has no package lists, and old lists name versions that are gone.
install 2>/dev/null || { $as_root apt-get update -qq </dev/null && install; } ||
    { echo "could not install: $missing" >&2; exit 1; }
