# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs at every start of the interpreter, before boot.py, main.py and the prompt.

import sys

import bootreport
import cmdline
import kernel
import machine


def _boot(options):
    if machine.reset_cause() == machine.PWRON_RESET:
        bootreport.print_report(options)


_options = cmdline.read()
try:
    _boot(_options)
except Exception as error:
    sys.print_exception(error)
    if _options.selftest is not None:
        kernel.exit(1)
