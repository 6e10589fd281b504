// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Interrupt controllers as the protocol requires them at entry: everything that could interrupt is masked.  Sources:
// 8259A data sheet; 82093AA data sheet; Intel SDM volume 3A, chapter 11; ACPI Specification 6.5, section 5.2.12 (MADT).

#include "cpu.h"
#include "direct.h"

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA 0xa1
#define PIC_MASK_ALL 0xff

// Delivery modes, the same three bits in a redirection and in a local vector table entry.
enum { MODE_FIXED = 0, MODE_LOWEST_PRIORITY = 1, MODE_NMI = 4, MODE_EXTINT = 7 };
#define MODE_SHIFT 8
#define MODE_MASK (7u << MODE_SHIFT)
#define POLARITY_LOW (1u << 13)
#define TRIGGER_LEVEL (1u << 15)
#define MASKED (1u << 16)
#define MODES_BEFORE_5 (1u << MODE_FIXED | 1u << MODE_LOWEST_PRIORITY)
#define MODES_FROM_5 (MODES_BEFORE_5 | 1u << MODE_NMI | 1u << MODE_EXTINT)

// MADT: its fixed part, then records that begin with type and length.
#define MADT_RECORDS 44
enum {
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_LOCAL_APIC_NMI = 4,
    MADT_LOCAL_X2APIC = 9,
    MADT_LOCAL_X2APIC_NMI = 10,
};
#define MADT_ALL_PROCESSORS_8 0xffu
#define MADT_ALL_PROCESSORS_32 0xffffffffu
#define INTI_POLARITY_LOW 0x3u
#define INTI_TRIGGER_LEVEL 0xcu

struct madt_record {
    uint8_t type, length;
    union {
        struct { uint8_t uid, apic_id; } __attribute__((packed)) local_apic;
        struct { uint8_t id, reserved; uint32_t address_phys; } __attribute__((packed)) io_apic;
        struct { uint8_t uid; uint16_t flags; uint8_t lint; } __attribute__((packed)) nmi;
        struct { uint16_t reserved; uint32_t apic_id, flags, uid; } __attribute__((packed)) local_x2apic;
        struct { uint16_t flags; uint32_t uid; uint8_t lint; } __attribute__((packed)) x2apic_nmi;
    };
} __attribute__((packed));

// Registers of the I/O APIC, reached through an index and a data window.
#define IO_APIC_WINDOW 0x10
#define IO_APIC_VERSION 1
#define IO_APIC_REDIRECTION(n) (0x10 + 2 * (n))

// Registers of the local APIC: offsets into its page, or that divided by 16 as a number of an MSR.
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_ADDRESS 0xffffff000ull
#define MSR_X2APIC 0x800
#define APIC_ID 0x20
#define APIC_VERSION 0x30
#define APIC_TASK_PRIORITY 0x80
#define APIC_SPURIOUS 0xf0
#define APIC_SPURIOUS_ENABLED_VECTOR_FF 0x1ff
#define APIC_LVT_CMCI 0x2f0
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERFORMANCE 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370

// In the order in which they were introduced; the version register has how many there are.
static const uint16_t lvt_registers[] = {
    APIC_LVT_TIMER, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_LVT_PERFORMANCE, APIC_LVT_THERMAL,
    APIC_LVT_CMCI,
};

static uint32_t apic_read(uint32_t reg) {
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (base & APIC_BASE_X2APIC) {
        return (uint32_t)rdmsr(MSR_X2APIC + reg / 16);
    }
    return *(volatile uint32_t *)((base & APIC_BASE_ADDRESS) + reg);
}

static void apic_write(uint32_t reg, uint32_t value) {
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if (base & APIC_BASE_X2APIC) {
        wrmsr(MSR_X2APIC + reg / 16, value);
    } else {
        *(volatile uint32_t *)((base & APIC_BASE_ADDRESS) + reg) = value;
    }
}

static uint32_t apic_id(void) {
    uint32_t id = apic_read(APIC_ID);
    return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC ? id : id >> 24;
}

static bool mode_is_in(uint32_t entry, uint32_t modes) {
    return modes >> ((entry & MODE_MASK) >> MODE_SHIFT) & 1;
}

static const struct madt_record *next_record(const struct acpi_header *madt, const struct madt_record *record) {
    const uint8_t *next = record ? (const uint8_t *)record + record->length : (const uint8_t *)madt + MADT_RECORDS;
    const uint8_t *end = (const uint8_t *)madt + madt->length;
    const struct madt_record *found = (const void *)next;
    return next + 2 <= end && found->length >= 2 && next + found->length <= end ? found : NULL;
}

static void mask_io_apic(uint64_t address_phys, uint32_t modes) {
    volatile uint32_t *index = (volatile uint32_t *)address_phys;
    volatile uint32_t *window = (volatile uint32_t *)(address_phys + IO_APIC_WINDOW);
    *index = IO_APIC_VERSION;
    uint32_t last = *window >> 16 & 0xff;
    for (uint32_t i = 0; i <= last; ++i) {
        *index = IO_APIC_REDIRECTION(i);
        uint32_t entry = *window;
        if (mode_is_in(entry, modes)) {
            *window = entry | MASKED;
        }
    }
}

// The ACPI UID of this processor, from the MADT.
static bool own_uid(const struct acpi_header *madt, uint32_t *uid) {
    uint32_t id = apic_id();
    for (const struct madt_record *r = NULL; (r = next_record(madt, r));) {
        if (r->type == MADT_LOCAL_APIC && r->local_apic.apic_id == id) {
            *uid = r->local_apic.uid;
            return true;
        }
        if (r->type == MADT_LOCAL_X2APIC && r->local_x2apic.apic_id == id) {
            *uid = r->local_x2apic.uid;
            return true;
        }
    }
    return false;
}

static void set_nmi(uint32_t lint, uint32_t flags) {
    uint32_t reg = lint ? APIC_LVT_LINT1 : APIC_LVT_LINT0;
    uint32_t entry = apic_read(reg);
    if (!mode_is_in(entry, MODES_FROM_5)) {
        return;
    }
    entry &= ~(MODE_MASK | POLARITY_LOW | TRIGGER_LEVEL);
    entry |= MODE_NMI << MODE_SHIFT | MASKED;
    entry |= (flags & INTI_POLARITY_LOW) == INTI_POLARITY_LOW ? POLARITY_LOW : 0;
    entry |= (flags & INTI_TRIGGER_LEVEL) == INTI_TRIGGER_LEVEL ? TRIGGER_LEVEL : 0;
    apic_write(reg, entry);
}

static void set_nmi_lines(const struct acpi_header *madt) {
    uint32_t uid = 0;
    bool known = own_uid(madt, &uid);
    for (const struct madt_record *r = NULL; (r = next_record(madt, r));) {
        if (r->type == MADT_LOCAL_APIC_NMI
            && (r->nmi.uid == MADT_ALL_PROCESSORS_8 || (known && r->nmi.uid == uid))) {
            set_nmi(r->nmi.lint, r->nmi.flags);
        }
        if (r->type == MADT_LOCAL_X2APIC_NMI
            && (r->x2apic_nmi.uid == MADT_ALL_PROCESSORS_32 || (known && r->x2apic_nmi.uid == uid))) {
            set_nmi(r->x2apic_nmi.lint, r->x2apic_nmi.flags);
        }
    }
}

static void init_local_apic(const struct acpi_header *madt) {
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLED_VECTOR_FF);
    apic_write(APIC_TASK_PRIORITY, 0);
    uint32_t last = apic_read(APIC_VERSION) >> 16 & 0xff;
    for (uint32_t i = 0; i < sizeof(lvt_registers) / sizeof(lvt_registers[0]) && i <= last; ++i) {
        uint32_t entry = apic_read(lvt_registers[i]);
        if (mode_is_in(entry, MODES_FROM_5)) {
            apic_write(lvt_registers[i], entry | MASKED);
        }
    }
    if (madt) {
        set_nmi_lines(madt);
    }
}

void interrupts_mask(uint64_t revision) {
    outb(PIC_MASTER_DATA, PIC_MASK_ALL);
    outb(PIC_SLAVE_DATA, PIC_MASK_ALL);

    const struct acpi_header *madt = acpi_find("APIC");
    if (madt) {
        for (const struct madt_record *r = NULL; (r = next_record(madt, r));) {
            if (r->type == MADT_IO_APIC) {
                mask_io_apic(r->io_apic.address_phys, revision >= 5 ? MODES_FROM_5 : MODES_BEFORE_5);
            }
        }
    }
    if (revision >= 5 && cpuid(1).edx & CPUID_1_EDX_APIC) {
        init_local_apic(madt);
    }
}
