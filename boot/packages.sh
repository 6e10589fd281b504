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
has_one_of() { # one of these files can be read
    for file in "$@"; do
        [ ! -r "$file" ] || return 0
    done
    return 1
}
# Debian's name of each, then others'; those of OVMF are boot/qemu.py's.
certificates="/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem"
firmware="/usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/edk2/x64/OVMF_CODE.4m.fd /usr/share/edk2/ovmf/OVMF_CODE.fd"

need gcc has gcc
need libc6-dev has_header stdlib.h
need binutils has ld
need make has make
need python3 has python3
need python3-venv python3 -c 'import ensurepip, venv'
need pkg-config has pkg-config
need libffi-dev pkg-config --exists libffi
need git has git
# shellcheck disable=SC2086 # words are meant to be split
need ca-certificates has_one_of $certificates
need qemu-system-x86 has qemu-system-x86_64
need xorriso has xorriso
# shellcheck disable=SC2086 # words are meant to be split
need ovmf has_one_of "${OVMF_CODE:-}" $firmware

[ -n "$missing" ] || exit 0
missing=${missing# }

if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing, by the names of Debian's packages: $missing; install what your system calls them" >&2
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
install() { $as_root apt-get install -qq --no-install-recommends $missing </dev/null >/dev/null; }
# A fresh container has no package lists, and old lists name versions that are gone.
install 2>/dev/null || { $as_root apt-get update -qq </dev/null && install; } ||
    { echo "could not install: $missing" >&2; exit 1; }
