"""The fast path: short versions of the calls that a kernel makes most often.

`install` (install.py) stores one per call as an attribute of the manager, where it is found before the
method of the class.  It does the common case only.  In any other case it changes nothing and
calls the method of the class, which is the slow path.  Every call also works without its fast
path (`fast_path = False` before `init`): the method documents the call, does all checks and
raises the errors.

    call                     fast path taken when all of this holds
    set_flags, clear_flags   integers in range, the frame has RAM, its array page is
                             populated, its lock is free
    check_flags              integers in range
    get                      as set_flags, on the unix port only (`lock.PLAIN`)
    alloc                    no argument but `order`; order 0: the magazine has a frame;
                             else: the highest zone has a block and its lock is free
    free                     the head of a used block, no run, not compound, one reference,
                             its lock and, where one is needed, the zone's free
    malloc                   no argument but `size`, and the processor's stock has an object
    mfree                    a small integer, an object of `malloc` without the mark of a free
                             one, and the stock has room
    Cache.alloc, Cache.free  as malloc and mfree, of the cache: `cache_calls` (objects.py)

What it may skip, and why:

- Conversion of arguments and text for errors: it takes small integers only.
- A frame's lock, where `lock.PLAIN` holds: nothing runs between the test of the lock word and
  the store after it.  Elsewhere it takes the lock.  `check_flags` is one load and needs none.
- The zone's lock, for single frames: the magazine belongs to this processor, and where
  interrupts exist they are off while it is used.
- Lower zones, watermarks and draining the magazine in search of memory: when the first attempt
  fails, the slow path does them.
- The cache's lock, for objects: the stock belongs to this processor, as the magazine does.
- Poison and red zones: in debug mode `alloc`, `free`, `malloc`, `mfree` and the calls of a
  `Cache` get no fast path.

entry.py has the calls on a frame's entry, frames.py `alloc` and `free`, objects.py the calls on
objects.  How they are written:

- A function makes the fast path for the method `long`; `cpu` is the address of a struct
  (processor.py) that has all it needs.
- What it calls is in its closure, which costs a load.  Together with the arguments that is at
  most five objects, beyond which the interpreter allocates memory for a call.
- A viper function that names a global pays for an exception frame and the look-up, so the code
  that every call runs names none.
- `(x | x) is x` holds for small integers only: an operation on any other int makes a new
  object.  For what is not an integer it raises, and `except` leads to the slow path, whose
  error names the argument.
- What is a processor's own is changed with interrupts off, and found by its number, which is in
  the state that `disable_irq` returns.  Where `lock.PLAIN` holds there is one processor.
"""
