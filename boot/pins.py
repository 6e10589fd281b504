"""The third parties that this project needs, each pinned to the version that was tested."""

# The Debian source package is upstream's release tarball without the
# submodules that Debian does not need ("+ds"); the build needs none of them.
MICROPYTHON_VERSION = "1.25.0"
MICROPYTHON_DEBIAN_VERSION = "1.25.0+ds-1"
MICROPYTHON_DEBIAN_SUITE = "trixie"
MICROPYTHON_TARBALL = "micropython_1.25.0+ds.orig.tar.xz"
MICROPYTHON_TARBALL_SHA256 = "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea"
MICROPYTHON_GIT = "https://github.com/micropython/micropython.git"
MICROPYTHON_TAG = "v1.25.0"
MICROPYTHON_COMMIT = "f498a16c7db6d4b2de200b3e0856528dfe0613c3"
# 2025-04-15, the day of its release, in seconds since 1970.
MICROPYTHON_DATE = "1744675200"

# The lowest supported release; LIMINE_DIR may hold a newer one.
LIMINE_VERSION = "8.2.0"
LIMINE_GIT = "https://github.com/limine-bootloader/limine.git"
LIMINE_TAG = "v8.2.0-binary"
LIMINE_COMMIT = "1dbdf77f82211c42969c7c5114377436fabc9187"
# The files of a Limine release that a hybrid ISO needs, with the pinned release's hashes.
LIMINE_FILES_SHA256 = {
    "limine-bios.sys": "8382e36ff9d51e52e9160842f834a346028edf9e0319b1c728d290e3044a44a7",
    "limine-bios-cd.bin": "3b889bf946b1f248c93efa90fd1718aad79f867e8184f9167a0b9875a0c41191",
    "limine-uefi-cd.bin": "1801a9034420fb1b17bdcdedee11f29c946169abac103b161e7bfd01d98caf29",
    "BOOTX64.EFI": "7bf99f9ffdbce1443bd7f148f01bee47d4a587f58fb170e42dab29790e6d831a",
}

# The screen's font.
SPLEEN_VERSION = "1.9.1"
SPLEEN_DEBIAN_VERSION = "1.9.1-1"
SPLEEN_DEBIAN_SUITE = "bookworm"
SPLEEN_GIT = "https://github.com/fcambus/spleen.git"
SPLEEN_TAG = "1.9.1"
SPLEEN_COMMIT = "07a7110e3a86d700c845c9c596a4576da085ee1c"
# Of the file that boot/font.py makes.
SPLEEN_SHA256 = "d13db9ef1394918a82ce6948123fb0c36c88c27dc4661f396404778fbe8adf19"
