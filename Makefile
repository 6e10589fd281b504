# Build the kernel, boot it in QEMU, test it. `make help` lists the targets;
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
# Where one talks to the machine: stdio, its serial port, or pty, a virtio console.
SERIAL ?= stdio
# A folder whose main.py runs after boot, a file to run at the prompt, and a file
# to write a picture of the screen to.
APP ?=
SCRIPT ?=
SCREENSHOT ?=
# An image file that is the machine's lasting disk, made with this size if there is none.
DISK ?=
DISK_SIZE ?= 64M
# Name of the ISO image in build/.
IMAGE_NAME ?= pfm
# How many times as much `make soak` explores as `make test` does.
SOAK ?= 20
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
FONT := $(BUILD)/third_party/spleen-8x16.hex
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

export LIMINE_DIR MEMORY CMDLINE QEMUFLAGS TIMEOUT SERIAL APP SCRIPT SCREENSHOT DISK DISK_SIZE
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
.PHONY: help all run run-uefi iso test test-upstream test-matrix soak bench figures pictures scaling coverage lint gdb clean distclean packages micropython unix kernel direct

all: kernel direct unix ## build the kernel, the stand-in loader and the unix port

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16
	@echo "The first lines of the Makefile name the variables that may be set, such as MEMORY and CMDLINE."

# Third parties

packages: $(BUILD)/packages.stamp ## install what is missing, by apt

$(BUILD)/packages.stamp: boot/packages.sh
	@mkdir -p $(BUILD)
	@sh boot/packages.sh
	@touch $@

micropython: packages ## get the source of MicroPython
ifeq ($(MICROPY_DIR),)
	@$(PYTHON) boot/micropython.py $(MICROPY_SOURCE)
endif
	@echo $(MICROPY_SOURCE) > $(RELEASE).new
	@$(PYTHON) boot/release.py $(MICROPY_SOURCE) >> $(RELEASE).new
	@cmp -s $(RELEASE).new $(RELEASE) || cp $(RELEASE).new $(RELEASE)

$(RELEASE): micropython ;

$(FONT): boot/font.py boot/pins.py | packages
	@$(PYTHON) boot/font.py $(FONT)
	@touch $(FONT)

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

unix: $(UNIX) ## build the unix port, which the unit tests run on

# The kernel and how it boots

# Built anew from another source, whose files may be older than what they make.
$(BUILD)/kernel/release $(BUILD)/kernel-bench/release: $(RELEASE)
	@rm -rf $(@D)
	@mkdir -p $(@D)
	@cp $(RELEASE) $@

kernel: $(MPYCROSS) $(FONT) $(BUILD)/kernel/release ## build the kernel
	@$(SUBMAKE) -C kernel MICROPY_DIR=$(MICROPY_SOURCE) BUILD=$(BUILD)/kernel \
		MICROPY_MPYCROSS=$(MPYCROSS) FONT=$(FONT)

direct: packages ## build the stand-in loader
	@$(SUBMAKE) -C boot/direct BUILD=$(BUILD)/direct

iso: kernel ## make the image that boots from CD and disk, under BIOS and UEFI
	@$(WITH_RELEASE) $(PYTHON) boot/iso.py $(ISO)

run: kernel direct ## boot the kernel in QEMU
	@$(BOOT)

run-uefi: kernel direct ## boot it under UEFI, by Limine
	@$(BOOT) --firmware=uefi

gdb: kernel direct ## boot it, stopped, and wait for gdb
	@$(BOOT) --gdb

# Tests

test: all $(VENV)/stamp ## run all tests
	@MICROPY_DIR=$(MICROPY_SOURCE) $(VENV)/bin/pytest -n $(JOBS) --dist loadgroup $(PYTESTFLAGS)

# The frame manager's speed next to C's. DOCS=1 puts the figures into docs/.
bench: all $(PEERS) $(BUILD)/kernel-bench/release ## measure the frame manager next to C
	@$(SUBMAKE) -C kernel MICROPY_DIR=$(MICROPY_SOURCE) BUILD=$(BUILD)/kernel-bench \
		MICROPY_MPYCROSS=$(MPYCROSS) USER_C_MODULES=$(CURDIR)/bench \
		FROZEN_MANIFEST=$(CURDIR)/bench/manifest.py FONT=$(FONT)
	@$(PYTHON) bench/run.py --unix $(UNIX) --peers $(PEERS) \
		--kernel $(BUILD)/kernel-bench/kernel.elf --json $(BUILD)/bench.json
ifneq ($(DOCS),)
	@$(MAKE) -s --no-print-directory figures
endif

# What docs/ shows of the last benchmark.
figures: $(VENV)/bench.stamp ## write the figures of the last benchmark to docs/
	@$(VENV)/bin/python bench/document.py --json $(BUILD)/bench.json --docs docs

# How alloc and free scale to many processors: docs/scaling.md. Takes a minute or two.
scaling: $(VENV)/bench.stamp ## simulate many processors, for docs/scaling.md
	@$(VENV)/bin/python bench/scaling.py --docs docs

# What docs/ shows of the screen.
pictures: kernel direct ## write the pictures of the screen to docs/
	@$(PYTHON) boot/pictures.py docs

$(PEERS): $(PEERS_C) bench/peers/peers.h bench/peers/entry.h | packages
	@mkdir -p $(@D)
	@$(CC) -std=gnu11 -O3 -fPIC -shared -pthread -Wall -Wextra -Werror -o $@ $(PEERS_C)

$(VENV)/bench.stamp: bench/requirements.txt $(VENV)/stamp
	@echo "installing bench/requirements.txt to build/venv"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt < /dev/null
	@touch $@

# Lines of pfm/ that its unit tests run, and those that they do not.
coverage: unix $(VENV)/stamp ## show which lines of pfm/ the unit tests run
	@$(VENV)/bin/python tests/coverage/measure.py --unix $(UNIX) --build $(BUILD)/coverage

# MicroPython's own tests, in bytecode, as .mpy files, and as native code.
test-upstream: kernel direct $(VENV)/stamp ## run MicroPython's own tests on the kernel
	@$(VENV)/bin/python tests/upstream/run.py --micropython=$(MICROPY_SOURCE)

# The self tests on some seventy machines; writes the table of docs/matrix.md.
test-matrix: kernel direct ## run the self tests on some seventy machines
	@$(PYTHON) tests/matrix.py docs/matrix.md

# Random traces, properties and interrupts, many more than in `make test`.
soak: all $(VENV)/stamp ## run the random tests for an hour or more
	@PFM_SOAK=$(SOAK) PFM_UNIT_TIMEOUT=36000 PFM_TRACE_OPERATIONS=1000000 PFM_TARGET_TRACE_OPERATIONS=100000 \
		PFM_PAGING_OPERATIONS=50000 \
		PFM_PROCESSOR_TRACE_OPERATIONS=1000000 PFM_PROCESSOR_STORM_INTERRUPTS=1000 \
		PFM_STORM_INTERRUPTS=20000 PFM_STORM_RECLAIMS=40 PFM_POWER_CUTS=100 \
		MICROPY_DIR=$(MICROPY_SOURCE) $(VENV)/bin/pytest -v $(PYTESTFLAGS) \
		tests/host/test_properties.py tests/unit/test_trace.py tests/unit/test_paging_trace.py \
		tests/host/test_machines.py::test_random_trace \
		tests/host/test_storm.py tests/host/test_exhaustion.py \
		tests/host/test_traces.py \
		tests/host/test_lasting_disk.py::test_power_cuts

lint: $(VENV)/stamp ## check all Python by ruff
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check

clean: ## remove what was built, keep what was downloaded
	rm -rf $(filter-out $(BUILD)/third_party $(VENV),$(wildcard $(BUILD)/*))

distclean: ## remove build/
	rm -rf $(BUILD)
