// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The VM keeps no list of running functions, and an exception leaves its C
// frames without running their ends.  But each running VM frame has one
// nlr_buf_t in the chain at nlr_top, and only while it runs.  So the VM's hook
// stores pairs of nlr_buf_t and code state in an array, and the report uses
// those pairs whose nlr_buf_t is in the chain.  Native code and C push such
// buffers too, perhaps where an ended VM frame had its own: theirs return to
// another address.

#include <stddef.h>

#include "py/bc.h"
#include "py/mpstate.h"
#include "py/nlr.h"
#include "py/objfun.h"

#include "console.h"
#include "pytrace.h"
#include "smp.h"

// Where nlr_push stores the address that it returns to (py/nlrx64.c).
#define NLR_REG_RIP 0

// MICROPY_VM_HOOK_INIT: the VM has just pushed its nlr_buf_t.
void pytrace_enter(const mp_code_state_t *code_state) {
    pytrace_t *trace = &smp_self()->trace;
    const nlr_buf_t *nlr = MP_STATE_THREAD(nlr_top);
    size_t depth = trace->depth;
    // The stack grows down: frames that are not above this one have ended.
    while (depth > 0 && trace->entries[depth - 1].nlr <= nlr) {
        --depth;
    }
    if (depth < PYTRACE_DEPTH) {
        trace->entries[depth++] = (pytrace_entry_t) { nlr, nlr->regs[NLR_REG_RIP], code_state };
    }
    trace->depth = depth;
}

static bool is_running(const pytrace_entry_t *entry) {
    for (const nlr_buf_t *nlr = MP_STATE_THREAD(nlr_top); nlr != NULL && nlr <= entry->nlr; nlr = nlr->prev) {
        if (nlr == entry->nlr) {
            return nlr->regs[NLR_REG_RIP] == entry->returns_to;
        }
    }
    return false;
}

// The same steps as the VM takes to fill a traceback (py/vm.c, unwind_loop).
static pytrace_place_t place_of(const mp_code_state_t *code_state) {
    const byte *ip = code_state->fun_bc->bytecode;
    MP_BC_PRELUDE_SIG_DECODE(ip);
    MP_BC_PRELUDE_SIZE_DECODE(ip);
    const byte *line_info_top = ip + n_info;
    const byte *bytecode_start = line_info_top + n_cell;
    size_t bytecode_offset = code_state->ip - bytecode_start;
    const qstr_short_t *qstr_table = code_state->fun_bc->context->constants.qstr_table;
    qstr_short_t function = qstr_table[mp_decode_uint_value(ip)];
    for (size_t i = 0; i < 1 + n_pos_args + n_kwonly_args; ++i) {
        ip = mp_decode_uint_skip(ip);
    }
    size_t line = mp_bytecode_get_source_line(ip, line_info_top, bytecode_offset);
    (void)n_state;
    (void)n_exc_stack;
    (void)scope_flags;
    (void)n_def_pos_args;
    return (pytrace_place_t) { qstr_table[0], function, (uint32_t)line };
}

static void print_entry(const mp_code_state_t *code_state) {
    pytrace_place_t place = place_of(code_state);
    console_printf("  File \"%q\", line %u, in %q\n", (qstr)place.file, (unsigned int)place.line, (qstr)place.function);
}

pytrace_place_t pytrace_innermost(void) {
    const pytrace_t *trace = &smp_self()->trace;
    for (size_t i = trace->depth; i > 0; --i) {
        if (is_running(&trace->entries[i - 1])) {
            return place_of(trace->entries[i - 1].code_state);
        }
    }
    return (pytrace_place_t) { MP_QSTRnull, MP_QSTRnull, 0 };
}

void pytrace_print(void) {
    const pytrace_t *trace = &smp_self()->trace;
    bool any = false;
    for (size_t i = 0; i < trace->depth; ++i) {
        if (is_running(&trace->entries[i])) {
            if (!any) {
                console_printf("Python (most recent call last):\n");
            }
            any = true;
            print_entry(trace->entries[i].code_state);
        }
    }
    if (!any) {
        console_printf("Python: not running\n");
    }
}
