# SPDX-License-Identifier: MIT OR Apache-2.0
#
# The peers as a module of the kernel, for `make -C kernel USER_C_MODULES=…/bench`.

PEERS_DIR := $(USERMOD_DIR)

SRC_USERMOD_C += $(addprefix $(PEERS_DIR)/, \
	modpeers.c \
	buddy.c \
	compare.c \
	copy.c \
	fill.c \
	flags.c \
	reference.c \
	slab.c \
	walk.c)
CFLAGS_USERMOD += -I$(PEERS_DIR)

$(BUILD)/peers/%.o: CFLAGS += -O3 -Wextra
