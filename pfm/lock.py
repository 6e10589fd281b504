"""Locks that hold between processors: one 32-bit word, taken by atomic compare-exchange.

The word is 0 while the lock is free and names its owner while it is taken.
The context that takes a lock keeps interrupts off until it releases it, so a
handler on the same processor can never wait for it.  Where one context holds
several locks, it takes them in the order of docs/locks.md.
"""

import micropython
from micropython import const

from .errors import LockHeldError, LockTimeoutError

try:
    from cpu import cmpxchg32, xchg32
    from machine import disable_irq, enable_irq

    # Whether a plain load and store in a viper function is atomic enough.
    PLAIN = 0
except ImportError:
    # On the unix port no interrupt runs Python, and it is built without threads.
    PLAIN = 1

    @micropython.viper
    def cmpxchg32(virt: int, expected: int, new: int) -> int:
        word = ptr32(virt)
        old = int(word[0])
        if old == expected:
            word[0] = new
        return old

    @micropython.viper
    def xchg32(virt: int, new: int) -> int:
        word = ptr32(virt)
        old = int(word[0])
        word[0] = new
        return old

    @micropython.native
    def disable_irq():
        return 0

    @micropython.native
    def enable_irq(state):
        return None


# No holder keeps a lock for longer than a walk over the orders; about a second of tries.
_TRIES = const(10_000_000)

# The boot processor; each further processor brings a number of its own.
_BOOT_CONTEXT = const(1)


@micropython.native
def context():
    """Return the number, from 1, by which the calling processor owns locks."""
    return _BOOT_CONTEXT


@micropython.viper
def try_acquire(virt: int, owner: int) -> int:
    """Take the lock word at `virt` for `owner` and return the interrupt state, to be given to `release`.

    Where `owner` has it already, or another keeps it over the bounded wait,
    returns minus the number of the holder, with interrupts as they were.
    """
    irq = int(disable_irq())
    tries = int(_TRIES)
    while True:
        held = int(cmpxchg32(virt, 0, owner))
        if held == 0:
            return irq
        tries -= 1
        if held == owner or tries == 0:
            enable_irq(irq)
            return 0 - held


@micropython.viper
def release(virt: int, irq: int):
    """Give the lock word at `virt` back and restore the interrupt state `irq`."""
    xchg32(virt, 0)
    enable_irq(irq)


@micropython.native
def acquire(virt, what):
    """Take the lock at `virt` as `try_acquire`; `what` names it in errors.

    Raises LockHeldError when the calling context has it, LockTimeoutError when
    another context keeps it.
    """
    owner = context()
    irq = try_acquire(virt, owner)
    if irq >= 0:
        return irq
    if -irq == owner:
        raise LockHeldError(what, owner)
    raise LockTimeoutError(what, -irq)
