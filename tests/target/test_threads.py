"""Threads, one on each further processor."""

import _thread
import gc
from array import array

import apic
import cpu
import critical
import machine
from ktap import equal, raises, skip
from tests.target.team import Team

from pfm import PFM

# Intel SDM volume 3, 11.12.1: IA32_APIC_BASE and its bit EXTD; CPUID leaf 1, ECX.
_APIC_BASE = 0x1B
_APIC_BASE_X2APIC = 1 << 10
_CPUID_X2APIC = 1 << 21

# Rounds of work.
_ROUNDS = 300


def _meet(here, number):
    """Wait until all of a team are here, each on a processor of its own."""
    here[number] = 1
    while sum(here) < len(here):
        pass


def test_each_thread_has_a_processor():
    seen = bytearray(machine.cpus())
    here = bytearray(machine.cpus())

    def work(number):
        seen[number] = machine.cpu()
        _meet(here, number)

    Team(work).run()
    equal(sorted(seen), list(range(1, machine.cpus() + 1)))


def test_every_local_apic_is_in_x2apic_mode_where_there_is_one():
    modes = bytearray(machine.cpus())
    ids = array("I", [0] * machine.cpus())
    here = bytearray(machine.cpus())

    def work(number):
        _meet(here, number)
        modes[number] = cpu.rdmsr(_APIC_BASE) & _APIC_BASE_X2APIC != 0
        ids[number] = apic.read_id(virt)

    virt = apic.registers(PFM)
    Team(work).run()
    has_mode = cpu.cpuid(1)[2] & _CPUID_X2APIC != 0
    equal(list(modes), [has_mode] * machine.cpus())
    equal(len(set(ids)), machine.cpus())


def test_no_thread_without_a_free_processor():
    if machine.cpus() == 1:
        raises(OSError, _thread.start_new_thread, gc.collect, ())
        return
    go = bytearray(1)

    def wait():
        while not go[0]:
            pass

    for _ in range(machine.cpus() - 1):
        _thread.start_new_thread(wait, ())
    try:
        raises(OSError, _thread.start_new_thread, wait, ())
    finally:
        go[0] = 1
    while not critical.alone():
        pass


def test_objects_survive_the_collections_of_others():
    def work(number):
        kept = []
        for i in range(_ROUNDS):
            kept.append([number, i, float(i), str(i)])
            if len(kept) > 40:
                kept.pop(0)
            if i % 50 == number:
                gc.collect()
            for own, at, real, text in kept:
                assert (own, at, real, text) == (number, int(real), float(at), str(at))

    Team(work).run()


def test_objects_stay_whole_while_threads_come_and_go():
    """The interpreter's locks are taken while two run, and released when one does."""

    def make(kept, name):
        for i in range(20):
            # A name that was not there becomes one of the interpreter's strings.
            kept.append([float(i), getattr(Team, name + str(i), i)])

    if machine.cpus() == 1:
        skip("one processor runs: a machine with more starts them")
    whole = [[float(i), i] for i in range(20)]
    made = []
    while len(made) < _ROUNDS // 2:
        kept = []
        name = "name" + str(len(made))
        try:
            _thread.start_new_thread(make, (kept, name))
            made.append(kept)
        except OSError:
            # All are at work.
            pass
        mine = []
        make(mine, name + "of1")
        equal(mine, whole)
        if len(made) % 16 == 0:
            gc.collect()
    while not critical.alone():
        pass
    gc.collect()
    equal(made, [whole] * len(made))
