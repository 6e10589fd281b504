// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The cpu module: single instructions that Python cannot express.  Addresses are
// virtual and not checked: a bad one raises kernel.AccessFault.

#include "py/runtime.h"

#include "cpu.h"
#include "irq.h"
#include "smp.h"

static uintptr_t get_address(mp_obj_t obj, size_t align) {
    uintptr_t address = (uintptr_t)mp_obj_get_int_truncated(obj);
    if (address & (align - 1)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("address 0x%lx is not aligned to %u bytes"),
            (unsigned long)address, (uint)align);
    }
    return address;
}

static uint16_t get_port(mp_obj_t obj) {
    mp_int_t port = mp_obj_get_int(obj);
    if (port < 0 || port > UINT16_MAX) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("port %ld is not in 0..65535"), (long)port);
    }
    return (uint16_t)port;
}

static uint32_t get_u32(mp_obj_t obj) {
    return (uint32_t)mp_obj_get_int_truncated(obj);
}

// xchg32(addr, value): stores value and returns what was there, atomically.
static mp_obj_t cpu_xchg32(mp_obj_t address_in, mp_obj_t value_in) {
    uint32_t *p = (uint32_t *)get_address(address_in, sizeof(uint32_t));
    return mp_obj_new_int_from_uint(__atomic_exchange_n(p, get_u32(value_in), __ATOMIC_SEQ_CST));
}
static MP_DEFINE_CONST_FUN_OBJ_2(cpu_xchg32_obj, cpu_xchg32);

// cmpxchg32(addr, expected, new): stores new where expected was; returns what was there.
static mp_obj_t cpu_cmpxchg32(mp_obj_t address_in, mp_obj_t expected_in, mp_obj_t new_in) {
    uint32_t *p = (uint32_t *)get_address(address_in, sizeof(uint32_t));
    uint32_t expected = get_u32(expected_in);
    if (!__atomic_compare_exchange_n(p, &expected, get_u32(new_in), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        // The caller will wait for another processor, which may wait for this one to answer.
        smp_relax();
    }
    return mp_obj_new_int_from_uint(expected);
}
static MP_DEFINE_CONST_FUN_OBJ_3(cpu_cmpxchg32_obj, cpu_cmpxchg32);

// store64(addr, low, high): stores both halves at once, as a page table entry has to change.
static mp_obj_t cpu_store64(mp_obj_t address_in, mp_obj_t low_in, mp_obj_t high_in) {
    uint64_t *p = (uint64_t *)get_address(address_in, sizeof(uint64_t));
    __atomic_store_n(p, (uint64_t)get_u32(high_in) << 32 | get_u32(low_in), __ATOMIC_RELEASE);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_3(cpu_store64_obj, cpu_store64);

#define DEFINE_PORT_IO(suffix, type) \
    static mp_obj_t port_in##suffix(mp_obj_t port_in) { \
        return mp_obj_new_int_from_uint(cpu_in##suffix(get_port(port_in))); \
    } \
    static MP_DEFINE_CONST_FUN_OBJ_1(cpu_in##suffix##_obj, port_in##suffix); \
    static mp_obj_t port_out##suffix(mp_obj_t port_in, mp_obj_t value_in) { \
        cpu_out##suffix(get_port(port_in), (type)mp_obj_get_int_truncated(value_in)); \
        return mp_const_none; \
    } \
    static MP_DEFINE_CONST_FUN_OBJ_2(cpu_out##suffix##_obj, port_out##suffix)

DEFINE_PORT_IO(b, uint8_t);
DEFINE_PORT_IO(w, uint16_t);
DEFINE_PORT_IO(l, uint32_t);

static mp_obj_t mod_rdtsc(void) {
    return mp_obj_new_int_from_uint(cpu_rdtsc());
}
static MP_DEFINE_CONST_FUN_OBJ_0(cpu_rdtsc_obj, mod_rdtsc);

// cpuid(leaf, subleaf=0): (eax, ebx, ecx, edx).
static mp_obj_t mod_cpuid(size_t n_args, const mp_obj_t *args) {
    cpuid_t r = cpu_cpuid(get_u32(args[0]), n_args > 1 ? get_u32(args[1]) : 0);
    mp_obj_t items[] = {
        mp_obj_new_int_from_uint(r.eax),
        mp_obj_new_int_from_uint(r.ebx),
        mp_obj_new_int_from_uint(r.ecx),
        mp_obj_new_int_from_uint(r.edx),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(cpu_cpuid_obj, 1, 2, mod_cpuid);

static mp_obj_t mod_rdmsr(mp_obj_t msr_in) {
    return mp_obj_new_int_from_uint(cpu_rdmsr(get_u32(msr_in)));
}
static MP_DEFINE_CONST_FUN_OBJ_1(cpu_rdmsr_obj, mod_rdmsr);

static mp_obj_t mod_wrmsr(mp_obj_t msr_in, mp_obj_t value_in) {
    cpu_wrmsr(get_u32(msr_in), (uint64_t)mp_obj_get_int_truncated(value_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(cpu_wrmsr_obj, mod_wrmsr);

#define DEFINE_CR_READER(n) \
    static mp_obj_t mod_cr##n(void) { \
        return mp_obj_new_int_from_uint(cpu_read_cr##n()); \
    } \
    static MP_DEFINE_CONST_FUN_OBJ_0(cpu_cr##n##_obj, mod_cr##n)

DEFINE_CR_READER(0);
DEFINE_CR_READER(2);
DEFINE_CR_READER(3);
DEFINE_CR_READER(4);

// write_cr3(phys): loads the page tables whose root is there.
static mp_obj_t mod_write_cr3(mp_obj_t value_in) {
    cpu_write_cr3((uint64_t)mp_obj_get_int_truncated(value_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(cpu_write_cr3_obj, mod_write_cr3);

// invlpg(virt): flushes this processor's TLB of the translation of this page.
static mp_obj_t mod_invlpg(mp_obj_t address_in) {
    cpu_invlpg(get_address(address_in, 1));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(cpu_invlpg_obj, mod_invlpg);

// flush(virt, count): flushes all processors' TLBs of the translations of count
// pages.  Cannot be interrupted.
static mp_obj_t mod_flush(mp_obj_t address_in, mp_obj_t count_in) {
    smp_flush(get_address(address_in, 1), (size_t)mp_obj_get_int(count_in));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(cpu_flush_obj, mod_flush);

static mp_obj_t mod_pause(void) {
    cpu_pause();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(cpu_pause_obj, mod_pause);

// halt(): stops the processor until an interrupt; with none enabled, for good.
static mp_obj_t mod_halt(void) {
    cpu_hlt();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(cpu_halt_obj, mod_halt);

// irq_check(): whether the timer's interrupt arrives, so that waiting is a halt.
static mp_obj_t mod_irq_check(void) {
    return mp_obj_new_bool(irq_check());
}
static MP_DEFINE_CONST_FUN_OBJ_0(cpu_irq_check_obj, mod_irq_check);

static const mp_rom_map_elem_t cpu_module_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_cpu) },
    { MP_ROM_QSTR(MP_QSTR_xchg32), MP_ROM_PTR(&cpu_xchg32_obj) },
    { MP_ROM_QSTR(MP_QSTR_cmpxchg32), MP_ROM_PTR(&cpu_cmpxchg32_obj) },
    { MP_ROM_QSTR(MP_QSTR_store64), MP_ROM_PTR(&cpu_store64_obj) },
    { MP_ROM_QSTR(MP_QSTR_inb), MP_ROM_PTR(&cpu_inb_obj) },
    { MP_ROM_QSTR(MP_QSTR_inw), MP_ROM_PTR(&cpu_inw_obj) },
    { MP_ROM_QSTR(MP_QSTR_inl), MP_ROM_PTR(&cpu_inl_obj) },
    { MP_ROM_QSTR(MP_QSTR_outb), MP_ROM_PTR(&cpu_outb_obj) },
    { MP_ROM_QSTR(MP_QSTR_outw), MP_ROM_PTR(&cpu_outw_obj) },
    { MP_ROM_QSTR(MP_QSTR_outl), MP_ROM_PTR(&cpu_outl_obj) },
    { MP_ROM_QSTR(MP_QSTR_rdtsc), MP_ROM_PTR(&cpu_rdtsc_obj) },
    { MP_ROM_QSTR(MP_QSTR_cpuid), MP_ROM_PTR(&cpu_cpuid_obj) },
    { MP_ROM_QSTR(MP_QSTR_rdmsr), MP_ROM_PTR(&cpu_rdmsr_obj) },
    { MP_ROM_QSTR(MP_QSTR_wrmsr), MP_ROM_PTR(&cpu_wrmsr_obj) },
    { MP_ROM_QSTR(MP_QSTR_cr0), MP_ROM_PTR(&cpu_cr0_obj) },
    { MP_ROM_QSTR(MP_QSTR_cr2), MP_ROM_PTR(&cpu_cr2_obj) },
    { MP_ROM_QSTR(MP_QSTR_cr3), MP_ROM_PTR(&cpu_cr3_obj) },
    { MP_ROM_QSTR(MP_QSTR_cr4), MP_ROM_PTR(&cpu_cr4_obj) },
    { MP_ROM_QSTR(MP_QSTR_write_cr3), MP_ROM_PTR(&cpu_write_cr3_obj) },
    { MP_ROM_QSTR(MP_QSTR_invlpg), MP_ROM_PTR(&cpu_invlpg_obj) },
    { MP_ROM_QSTR(MP_QSTR_flush), MP_ROM_PTR(&cpu_flush_obj) },
    { MP_ROM_QSTR(MP_QSTR_pause), MP_ROM_PTR(&cpu_pause_obj) },
    { MP_ROM_QSTR(MP_QSTR_halt), MP_ROM_PTR(&cpu_halt_obj) },
    { MP_ROM_QSTR(MP_QSTR_irq_check), MP_ROM_PTR(&cpu_irq_check_obj) },
};
static MP_DEFINE_CONST_DICT(cpu_module_globals, cpu_module_globals_table);

const mp_obj_module_t cpu_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&cpu_module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_cpu, cpu_module);
