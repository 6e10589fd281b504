"""Locks and critical sections, which make a change of the manager's state atomic.

A lock is a 32-bit word: 0 while free, the number of the context that holds it while taken.
Taking a lock begins a critical section and releasing it ends the section: in between,
interrupts are off, and the interpreter raises no KeyboardInterrupt and runs no scheduled
callback.  `critical()` begins a section without a lock, for changes that take several locks.
docs/locks.md has the rules and the lock order.
"""

import micropython
from micropython import const

from .errors import LockHeldError, LockTimeoutError

# The only processor of the unix port.
_CONTEXT = const(1)

try:
    from cpu import cmpxchg32, xchg32
    from critical import (
        alone,
        change16,
        context,
        enter,
        leave,
        lock_many,
        lock_masked,
        resume,
        stop,
        unlock_masked,
    )
    from critical import lock as try_acquire
    from critical import mask as disable_irq
    from critical import unlock as release
    from critical import unmask as enable_irq

    # 1 where nothing can come between a plain load and store in a viper function.
    PLAIN = 0
except ImportError:
    # The unix port has no threads and no interrupts that run Python, and checks for a
    # KeyboardInterrupt in bytecode only: a native or viper function is a critical section by
    # itself.
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
    def context():
        """Return the number, from 1, under which the calling processor holds locks."""
        return _CONTEXT

    @micropython.native
    def alone():
        """Return whether no other processor runs Python."""
        return True

    @micropython.native
    def disable_irq():
        """Turn this processor's interrupts off.

        Returns twice `context()`, plus 1 if they were on, for `enable_irq`.
        """
        return _CONTEXT << 1

    @micropython.native
    def enable_irq(state):
        return None

    enter = disable_irq
    leave = enable_irq

    @micropython.native
    def stop():
        """Stop all other processors that run Python, until `resume`."""
        return None

    resume = stop

    @micropython.viper
    def try_acquire(virt: int, owner: int) -> int:
        """Take the lock word at `virt` for `owner` and begin a section.

        Returns the state for `release`.  If the lock is taken, returns minus its holder's
        number at once: no other context runs that could release it.
        """
        word = ptr32(virt)
        held = int(word[0])
        if held == 0:
            word[0] = owner
        return 0 - held

    @micropython.viper
    def release(virt: int, state: int):
        """Release the lock word at `virt` and end its critical section."""
        ptr32(virt)[0] = 0

    @micropython.viper
    def lock_masked(virt: int) -> int:
        """Take the lock word at `virt` and turn this processor's interrupts off.

        For code in which the interpreter does not run, since no section begins.  Returns what
        `disable_irq` does, for `unlock_masked`, or minus the number of the lock's holder.
        """
        word = ptr32(virt)
        held = int(word[0])
        if held:
            return 0 - held
        word[0] = _CONTEXT
        return int(_CONTEXT) << 1

    unlock_masked = release

    @micropython.viper
    def lock_many(element: int, end: int, locks: int, stride: int) -> int:
        """Take the lock words of the 32-bit numbers at the addresses `element` to `end`.

        That of the number n is at `locks` + `stride` * n.  Interrupts are off.  Returns the
        address where it stopped: `end`, or that of the first number whose word is not free.
        """
        while element < end:
            word = ptr32(locks + stride * int(ptr32(element)[0]))
            if int(word[0]):
                break
            word[0] = _CONTEXT
            element += 4
        return element

    @micropython.viper
    def change16(virt: int, lock: int, change: int) -> int:
        """Change 16 bits at `virt` under the lock word at `lock`.

        Sets the bits of the lower half of `change`, then inverts those of the upper half.
        Returns 0, or the number of the lock's holder, nothing changed.
        """
        held = int(ptr32(lock)[0])
        if held == 0:
            field = ptr16(virt)
            field[0] = (int(field[0]) | change) ^ change >> 16
        return held


@micropython.native
def acquire(virt, what):
    """Take the lock at `virt` and begin a section; return the state for `release`.

    `what` names the lock in errors.  Raises LockHeldError if the calling context holds it,
    LockTimeoutError if another context holds it for the whole bounded wait.
    """
    state = try_acquire(virt, context())
    if state < 0:
        refuse(what, -state)
    return state


def refuse(what, holder):
    """Raise the error for the lock of `what`, which the context `holder` has."""
    raise (LockHeldError if holder == context() else LockTimeoutError)(what, holder)


class critical:
    """A critical section as a context manager: for changes by bytecode or under several locks."""

    def __enter__(self):
        self._state = 0
        self._state = enter()

    def __exit__(self, kind, value, traceback):
        leave(self._state)
