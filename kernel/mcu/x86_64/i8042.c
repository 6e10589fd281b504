// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The PC's keyboard controller, an Intel 8042 or what stands for it.
// Ports, commands and the configuration byte: IBM Personal System/2 Hardware
// Interface Technical Reference, "Keyboard and Auxiliary Device Controller".

#include <stdbool.h>
#include <stdint.h>

#include "cpu.h"
#include "keyboard.h"

#define PORT_DATA               0x60
#define PORT_STATUS             0x64
#define PORT_COMMAND            0x64

#define STATUS_DATA_READY       0x01
#define STATUS_BUSY             0x02
#define STATUS_MOUSE            0x20 // the data is the mouse's
#define STATUS_ABSENT           0xff // what a port without a device reads as

#define COMMAND_READ_CONFIG     0x20
#define COMMAND_WRITE_CONFIG    0x60
#define COMMAND_MOUSE_OFF       0xa7
#define COMMAND_KEYBOARD_OFF    0xad
#define COMMAND_KEYBOARD_ON     0xae

#define CONFIG_KEYBOARD_IRQ     0x01
#define CONFIG_MOUSE_IRQ        0x02
#define CONFIG_TRANSLATE        0x40 // the keyboard's set 2 to set 1

#define KEYBOARD_ENABLE         0xf4 // to the keyboard itself: send codes

// A controller answers within 10 ms, one read of a port takes about a microsecond.
#define TRIES                   10000
// More than any controller holds.
#define QUEUE_MAX               64

static bool present;

static bool wait_status(uint8_t bit, uint8_t value) {
    for (int i = 0; i < TRIES; ++i) {
        if ((cpu_inb(PORT_STATUS) & bit) == value) {
            return true;
        }
        cpu_pause();
    }
    return false;
}

static bool send(uint16_t port, uint8_t value) {
    if (!wait_status(STATUS_BUSY, 0)) {
        return false;
    }
    cpu_outb(port, value);
    return true;
}

static void drain(void) {
    for (int i = 0; i < QUEUE_MAX && cpu_inb(PORT_STATUS) & STATUS_DATA_READY; ++i) {
        cpu_inb(PORT_DATA);
    }
}

// Firmware leaves the keyboard on, or off, or with codes of the other set.
static bool configure(void) {
    // Or a key pressed now would be taken for the controller's answer.
    if (!send(PORT_COMMAND, COMMAND_KEYBOARD_OFF) || !send(PORT_COMMAND, COMMAND_MOUSE_OFF)) {
        return false;
    }
    drain();
    if (!send(PORT_COMMAND, COMMAND_READ_CONFIG) || !wait_status(STATUS_DATA_READY, STATUS_DATA_READY)) {
        return false;
    }
    uint8_t config = cpu_inb(PORT_DATA);
    config = (config | CONFIG_KEYBOARD_IRQ | CONFIG_TRANSLATE) & (uint8_t) ~CONFIG_MOUSE_IRQ;
    // The keyboard's answer to KEYBOARD_ENABLE comes as the release of a key that types nothing.
    return send(PORT_COMMAND, COMMAND_WRITE_CONFIG) && send(PORT_DATA, config)
           && send(PORT_COMMAND, COMMAND_KEYBOARD_ON) && send(PORT_DATA, KEYBOARD_ENABLE);
}

void keyboard_init(void) {
    present = cpu_inb(PORT_STATUS) != STATUS_ABSENT && configure();
}

int keyboard_read_code(void) {
    while (present) {
        uint8_t status = cpu_inb(PORT_STATUS);
        if (status == STATUS_ABSENT) {
            present = false;
        } else if (!(status & STATUS_DATA_READY)) {
            break;
        } else {
            uint8_t data = cpu_inb(PORT_DATA);
            if (!(status & STATUS_MOUSE)) {
                return data;
            }
        }
    }
    return KEYBOARD_NO_CODE;
}
