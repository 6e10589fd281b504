# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs at every start of the interpreter, before boot.py, main.py and the prompt.

import sys

import apic
import appdisk
import bootreport
import cmdline
import kernel
import kernelspace
import keymap
import lastingdisk
import machine
import owners
import pfmhelp
import processors
import pyheap
import ramdisk
import selftest
import smp
import uctypes
import virtioconsole

from pfm import PFM
from pfm import log as levels
from pfm.lock import critical


def _start(options):
    state_virt = uctypes.addressof(kernel.state)
    if PFM.resume(state_virt, owners.ALL):
        PFM.space = kernelspace.current(PFM)
        lastingdisk.start(options)
        if options.root and lastingdisk.cache is not None:
            return
        # There is no disk if the start before this one failed half way.
        if ramdisk.restore() is None:
            ramdisk.create(PFM, options.disk)
        return
    if options.scale:
        kernel.screen_scale(options.scale)
    bootreport.print_loader(options)
    if options.loglevel:
        PFM.log.level = levels.NAMES.index(options.loglevel)
    found = processors.Processors(options.processors)
    PFM.init(debug=options.debug, processors=found.count)
    # Before anything that can fail, so that a soft reset can resume.
    PFM.save(state_virt)
    PFM.space = kernelspace.enter(PFM)
    apic.route_legacy_interrupts(PFM)
    # From here on it shows everything.
    console = virtioconsole.start()
    if console:
        print(console)
    found.start(PFM)
    heap = pyheap.grow(PFM, options.heap)
    lines = lastingdisk.start(options)
    root = options.root and lastingdisk.cache is not None
    disk = None if root else ramdisk.create(PFM, options.disk)
    bootreport.print_machine(PFM, heap, disk, found, options)
    bootreport.print_disk(lines, options)


def _run(name):
    """Call `run()` of the frozen module `name` and power off, with exit status 1 if it raises."""
    try:
        __import__(name)
        sys.modules[name].run()
    except BaseException as error:
        sys.print_exception(error)
        kernel.exit(1)
    kernel.exit(0)


# MicroPython boards look for modules on their filesystem here.
sys.path.append("/lib")

_options = cmdline.read()
try:
    keymap.start(_options.keymap)
    # Ctrl-C waits until everything is set up.
    with critical():
        _start(_options)
        appdisk.mount()
    if machine.cpus() > 1:
        # From here on a processor with its interrupts off is in a section.
        smp.accept()
    if machine.reset_cause() == machine.PWRON_RESET:
        if _options.selftest is not None:
            kernel.exit(1 if selftest.run(_options.selftest) else 0)
        if _options.run:
            _run(_options.run)
except Exception as error:
    sys.print_exception(error)
    if _options.selftest is not None or _options.run:
        kernel.exit(1)
finally:
    # The prompt starts with these names, and none that this file has used.
    with critical():
        pfmhelp.install()
        globals().clear()
        __name__ = "__main__"
        from pfm import PFM, PageFlags, Zone  # noqa: F401
