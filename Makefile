# Build the kernel, boot it in QEMU, test it. README.md explains the targets;
# everything generated goes to build/.

# What a user may override, on the command line or in the environment.
#
# Folder of an unpacked MicroPython release, 1.25 or later; empty: the pinned
# one is fetched.
MICROPY_DIR ?=
# Folder of an unpacked Limine binary release, several separated by colons;
# empty: looked for, else fetched; none: there is none, and none is fetched.
LIMINE_DIR ?=
# What boots the kernel: auto (Limine if there is one), limine or direct.
LOADER ?= auto
# The machine's memory, its kernel's command line, and more options for QEMU.
MEMORY ?= 512M
CMDLINE ?=
QEMUFLAGS ?=
# Seconds until a run is ended by force; empty: never.
TIMEOUT ?=
# Where the machine's serial port goes: stdio or pty.
SERIAL ?= stdio
# Name of the ISO image in build/.
IMAGE_NAME ?= pfm
# Not empty: `make bench` renews the figures in docs/.
DOCS ?=
# Options for pytest, `PYTESTFLAGS="-k unit"`.
PYTESTFLAGS ?=
PYTHON ?= python3
JOBS ?= $(shell nproc)

BUILD := $(CURDIR)/build
# Which MicroPython was built from last: its folder, then its version and date.
RELEASE := $(BUILD)/micropython.release
VENV := $(BUILD)/venv
UNIX := $(BUILD)/unix/micropython
MPYCROSS := $(BUILD)/mpy-cross/mpy-cross
ISO := $(BUILD)/$(IMAGE_NAME).iso
# What the frame manager's speed is measured against, as a shared library.
PEERS := $(BUILD)/bench/peers.so
PEERS_C := $(filter-out %/modpeers.c,$(wildcard bench/peers/*.c))

# boot/pins.py is the one place of versions and hashes.
pin = $(shell sed -n 's/^$(1) = "\(.*\)"$$/\1/p' boot/pins.py)
MICROPYTHON_VERSION := $(call pin,MICROPYTHON_VERSION)

ifeq ($(MICROPY_DIR),)
MICROPY_SOURCE := $(BUILD)/third_party/micropython-$(MICROPYTHON_VERSION)
else
MICROPY_SOURCE := $(abspath $(MICROPY_DIR))
endif

export LIMINE_DIR MEMORY CMDLINE QEMUFLAGS TIMEOUT SERIAL
# Nothing below may leave byte code in a verified source.
export PYTHONDONTWRITEBYTECODE := 1
export BUILD_VERBOSE ?= 0

# A sub-make that builds in parallel even where make was called without -j.
SUBMAKE = $(MAKE) -s --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
# Builds are repeatable: no version and no date but MicroPython's own goes into
# any output, none is taken from this project's git or from the clock.
WITH_RELEASE = env $$(sed 1d $(RELEASE))
BOOT = $(PYTHON) boot/run.py --micropython=$(MICROPY_SOURCE) --loader=$(LOADER)

.DELETE_ON_ERROR:
.PHONY: all run run-uefi iso test test-upstream test-matrix soak bench figures coverage lint gdb clean distclean packages micropython unix kernel direct

all: kernel direct unix

# Third parties

packages: $(BUILD)/packages.stamp

$(BUILD)/packages.stamp: boot/packages.sh
	@mkdir -p $(BUILD)
	@sh boot/packages.sh
	@touch $@

micropython: packages
ifeq ($(MICROPY_DIR),)
	@$(PYTHON) boot/micropython.py $(MICROPY_SOURCE)
endif
	@echo $(MICROPY_SOURCE) > $(RELEASE).new
	@$(PYTHON) boot/release.py $(MICROPY_SOURCE) >> $(RELEASE).new
	@cmp -s $(RELEASE).new $(RELEASE) || cp $(RELEASE).new $(RELEASE)

$(RELEASE): micropython ;

$(VENV)/stamp: tests/requirements.txt | packages
	@echo "installing tests/requirements.txt to build/venv"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt < /dev/null
	@touch $@

# What is built from them

$(MPYCROSS): $(RELEASE)
	@rm -rf $(@D)
	@$(WITH_RELEASE) $(SUBMAKE) -C $(MICROPY_SOURCE)/mpy-cross BUILD=$(@D) PROG=mpy-cross

# The hosted port, for unit tests: without what needs submodules, with ffi, by
# which a test maps the memory of a machine that it makes up.  Without threads, as
# the kernel, which is what lets pfm/lock.py do with plain stores there; and as fast
# as it gets, to be compared with C.  Built anew when what it is built with changes.
$(UNIX): $(RELEASE) Makefile
	@rm -rf $(@D)
	@$(WITH_RELEASE) $(SUBMAKE) -C $(MICROPY_SOURCE)/ports/unix BUILD=$(@D) FROZEN_MANIFEST= \
		MICROPY_PY_SSL=0 MICROPY_PY_BTREE=0 MICROPY_PY_FFI=1 MICROPY_PY_THREAD=0 \
		COPT="-O2 -DNDEBUG -flto=auto" LDFLAGS_EXTRA="-O2 -flto=auto"

unix: $(UNIX)

# The kernel and how it boots

# Built anew from another source, whose files may be older than what they make.
$(BUILD)/kernel/release $(BUILD)/kernel-bench/release: $(RELEASE)
	@rm -rf $(@D)
	@mkdir -p $(@D)
	@cp $(RELEASE) $@

kernel: $(MPYCROSS) $(BUILD)/kernel/release
	@$(SUBMAKE) -C kernel MICROPY_DIR=$(MICROPY_SOURCE) BUILD=$(BUILD)/kernel \
		MICROPY_MPYCROSS=$(MPYCROSS)

direct: packages
	@$(SUBMAKE) -C boot/direct BUILD=$(BUILD)/direct

iso: kernel
	@$(WITH_RELEASE) $(PYTHON) boot/iso.py $(ISO)

run: kernel direct
	@$(BOOT)

run-uefi: kernel direct
	@$(BOOT) --firmware=uefi

gdb: kernel direct
	@$(BOOT) --gdb

# Tests

test: all $(VENV)/stamp
	@MICROPY_DIR=$(MICROPY_SOURCE) $(VENV)/bin/pytest $(PYTESTFLAGS)

# The frame manager's speed next to C's. DOCS=1 puts the figures into docs/.
bench: all $(PEERS) $(BUILD)/kernel-bench/release
	@$(SUBMAKE) -C kernel MICROPY_DIR=$(MICROPY_SOURCE) BUILD=$(BUILD)/kernel-bench \
		MICROPY_MPYCROSS=$(MPYCROSS) USER_C_MODULES=$(CURDIR)/bench \
		FROZEN_MANIFEST=$(CURDIR)/bench/manifest.py
	@$(PYTHON) bench/run.py --unix $(UNIX) --peers $(PEERS) \
		--kernel $(BUILD)/kernel-bench/kernel.elf --json $(BUILD)/bench.json
ifneq ($(DOCS),)
	@$(MAKE) -s --no-print-directory figures
endif

# What docs/ shows of the last benchmark.
figures: $(VENV)/bench.stamp
	@$(VENV)/bin/python bench/document.py --json $(BUILD)/bench.json --docs docs

$(PEERS): $(PEERS_C) bench/peers/peers.h bench/peers/entry.h | packages
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O3 -fPIC -shared -Wall -Wextra -Werror -o $@ $(PEERS_C)

$(VENV)/bench.stamp: bench/requirements.txt $(VENV)/stamp
	@echo "installing bench/requirements.txt to build/venv"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt < /dev/null
	@touch $@

# Lines of pfm/ that its unit tests run, and those that they do not.
coverage: unix $(VENV)/stamp
	@$(VENV)/bin/python tests/coverage/measure.py --unix $(UNIX) --build $(BUILD)/coverage

# MicroPython's own tests, in bytecode, as .mpy files, and as native code.
test-upstream: kernel direct $(VENV)/stamp
	@$(VENV)/bin/python tests/upstream/run.py --micropython=$(MICROPY_SOURCE)

# The self tests on some forty machines; writes the table of docs/matrix.md.
test-matrix: kernel direct
	@$(PYTHON) tests/matrix.py docs/matrix.md

# Random traces and properties for much longer than in `make test`.
SOAK ?= 20
soak: all $(VENV)/stamp
	@PFM_SOAK=$(SOAK) PFM_UNIT_TIMEOUT=36000 PFM_TRACE_OPERATIONS=1000000 PFM_TARGET_TRACE_OPERATIONS=100000 \
		MICROPY_DIR=$(MICROPY_SOURCE) $(VENV)/bin/pytest -v $(PYTESTFLAGS) \
		tests/host/test_properties.py tests/unit/test_trace.py \
		tests/host/test_machines.py::test_random_trace

lint: $(VENV)/stamp
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check

# clean keeps what was downloaded.
clean:
	rm -rf $(filter-out $(BUILD)/third_party $(VENV),$(wildcard $(BUILD)/*))

distclean:
	rm -rf $(BUILD)
