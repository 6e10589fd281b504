"""Stocks: free objects of one class at hand to one processor, taken and given back without a lock.

What a magazine is for frames.  The objects of a stock are a list: the first word pair of each
is the address of the next.  A stock is 32 bytes of the control pages, which have all that the
fast path needs of a class:

    word 0, 1  address of the first object, 0 for none
         2     count       of objects
         3     limit       of that count
         4     stride      from one object of a slab to the next; 0: an object has its own frames
         5     reciprocal  2**31 / (stride / 16), rounded up
         6     generation  of the cache

Interrupts are off while a stock is used, or nothing else runs.  `stock` and objects are signed
virtual addresses; nothing here uses the Python heap.
"""

import micropython
from micropython import const

STOCK_COUNT = const(2)
STOCK_LIMIT = const(3)
STOCK_STRIDE = const(4)
STOCK_RECIPROCAL = const(5)
STOCK_GENERATION = const(6)
STOCK_WORDS = const(8)

RECIPROCAL_SHIFT = const(31)

# Word of a free object that marks it as free: the lower half of its address, inverted.
MARK_WORD = const(2)


@micropython.viper
def pop(stock: int) -> int:
    """Take an object from the stock; return its address, 0 if there is none."""
    s = ptr32(stock)
    found = int(s[0]) | int(s[1]) << 32
    if found:
        o = ptr32(found)
        s[0] = o[0]
        s[1] = o[1]
        s[STOCK_COUNT] = int(s[STOCK_COUNT]) - 1
        o[MARK_WORD] = 0
    return found


@micropython.viper
def push(stock: int, virt: int) -> int:
    """Mark an object as free and put it into the stock; return 1, or 0 if the stock is full."""
    s = ptr32(stock)
    count = int(s[STOCK_COUNT]) + 1
    if count > int(s[STOCK_LIMIT]):
        return 0
    o = ptr32(virt)
    o[0] = s[0]
    o[1] = s[1]
    o[MARK_WORD] = virt ^ -1
    s[0] = virt
    s[1] = virt >> 32
    s[STOCK_COUNT] = count
    return 1


@micropython.viper
def holds(stock: int, virt: int) -> int:
    """Return whether the object is in the stock.  Cost: a step per object."""
    s = ptr32(stock)
    left = int(s[STOCK_COUNT])
    at = int(s[0]) | int(s[1]) << 32
    while left:
        if at == virt:
            return 1
        at = int(ptr32(at)[0]) | int(ptr32(at)[1]) << 32
        left -= 1
    return 0


@micropython.viper
def count(stock: int) -> int:
    """Return how many objects the stock holds."""
    return int(ptr32(stock)[STOCK_COUNT])


@micropython.viper
def generation(stock: int) -> int:
    """Return which cache of the class the stock is for."""
    return int(ptr32(stock)[STOCK_GENERATION])


@micropython.viper
def batch(stock: int) -> int:
    """Return how many objects a stock holds after a refill: half its limit, at least one."""
    limit = int(ptr32(stock)[STOCK_LIMIT])
    return limit >> 1 if limit > 1 else 1
