"""What all operations of a processor need: random choice, stamps, and what they expect."""

from array import array

import micropython
from tests.target.traces.disagreement import Disagreement


@micropython.viper
def _draw(state: ptr32, bits: int) -> int:
    """Return that many random bits, at most 32.  Source: Marsaglia, Xorshift RNGs, 2003."""
    x = int(state[0])
    x ^= x << 13
    state[0] = x
    x = int(state[0])
    x ^= x >> 17
    x ^= x << 5
    state[0] = x
    return int(state[0]) >> (32 - bits)


class Core:
    """The part of `Actor` that chooses and judges."""

    def __init__(self, traces, number, seed):
        self.traces = traces
        self.number = number
        self.owner = number + 1
        # How many calls were refused.
        self.refused = 0
        self._state = array("I", [seed * 2654435761 + number * 40503 & 0xFFFFFFFF | 1])
        for _ in range(8):
            _draw(self._state, 1)
        self._sequence = 0

    def _random(self, limit):
        """Return a number below `limit`, which is small."""
        return _draw(self._state, 24) * limit >> 24

    def _chance(self, of):
        return self._random(of) == 0

    def _fail(self, text, *values):
        raise Disagreement(text.format(*values))

    def _stamp(self):
        self._sequence = self._sequence + 1 & 0xFFFFFF
        return self.owner << 24 | self._sequence

    def _pick(self, held):
        return held[self._random(len(held))] if held else None

    def _drop(self, held):
        """Take one of a list at random; None if it is empty."""
        if not held:
            return None
        at = self._random(len(held))
        item = held[at]
        held[at] = held[-1]
        held.pop()
        return item

    def _expect(self, wanted, call, *args):
        """Call, expect exactly the error `wanted`, and return it."""
        self.refused += 1
        try:
            result = call(*args)
        except Exception as error:
            if type(error) is not wanted:
                self._fail("{!r} for {}, expected {}", error, args, wanted.__name__)
            return error
        self._fail("{} returned {}, expected {}", args, result, wanted.__name__)
