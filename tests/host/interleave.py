"""Every interleaving of a few processors' accesses to memory.

A processor's program is a generator of the requests below, usually a function of pfm made one
by steps.py.  Memory is sequentially consistent.  That is what x86-64 promises here: its only
reordering is of a load before an earlier store of the same processor, and pfm enters each
protocol by a locked instruction (Intel SDM volume 3, 9.2).

States are explored depth first.  A program is a function of what it was answered, so its state
is the list of answers; that list is kept as a tree, and a generator is run only for answers
that it never had before.
"""

from dataclasses import dataclass

from steps import Load, Store


@dataclass(frozen=True)
class Acquire:
    """Take the lock word for `owner`: answered with 0, or with the holder if that is `owner`.

    Where another holds it the processor waits; where waits are bounded, it may also be answered
    with that holder.  This is `critical.lock` of kernel/modcritical.c.
    """

    virt: int
    owner: int


@dataclass(frozen=True)
class Release:
    """Write 0 to a lock word."""

    virt: int


@dataclass(frozen=True)
class Fill:
    """Write all entries of a page that nobody can reach yet: the first and the fourth word."""

    virt: int
    word: int
    shared: int


@dataclass(frozen=True)
class Flush:
    """Forget the translation of a page, on this processor or on all."""

    virt: int
    everywhere: bool


@dataclass(frozen=True)
class Mask:
    """Turn this processor's interrupts off: answered with 1 if they were on, else 0."""


@dataclass(frozen=True)
class Unmask:
    """Turn them on."""


@dataclass(frozen=True)
class Stop:
    """Stop all others, each with its interrupts on, where it waits, or after its end.

    This is `critical.stop` of kernel/modcritical.c, `Resume` its end.
    """


@dataclass(frozen=True)
class Resume:
    """Let the others go on."""


@dataclass(frozen=True)
class Begin:
    """A call of pfm's begins."""

    what: str


@dataclass(frozen=True)
class Own:
    """The processor was given a block."""

    pfn: int
    count: int


@dataclass(frozen=True)
class Disown:
    """The processor is about to give a block back."""

    pfn: int


class Violation(Exception):
    """A state that must not be; `steps` led there: (processor, where in the source, request)."""

    def __init__(self, what, steps):
        self.what = what
        self.steps = steps
        lines = [f"  {number}  {where:36} {request}" for number, where, request in steps]
        super().__init__("\n".join([what, *lines]))


class Broken(Exception):
    """What a request violates."""


class _Node:
    """Where a program stands after the answers on the way to this node."""

    def __init__(self, parent, answer, request, where):
        self.parent = parent
        self.answer = answer
        self.request = request
        self.where = where
        self.next = {}
        self.result = None
        # Locks held here, and own steps since the first of them was taken.
        self.locks = self.hold = 0
        if parent:
            done = parent.request
            taken = isinstance(done, Acquire) and answer == 0
            self.locks = parent.locks + taken - isinstance(done, Release)
            self.hold = parent.hold + 1 if self.locks else 0


class Program:
    """The program of the processor `number`; `start` returns a fresh generator of it."""

    def __init__(self, number, start):
        self.number = number
        self._start = start
        self._generator = None
        self._at = None
        self.longest_hold = 0
        self.root = self._run(None, None)

    def after(self, node, answer):
        """Return the node after an answer to the request of `node`."""
        found = node.next.get(answer)
        if found is None:
            found = node.next[answer] = self._run(node, answer)
        return found

    def _run(self, parent, answer):
        answers = [answer]
        if parent is None or self._at is not parent:
            self._generator = self._start()
            node = parent
            while node is not None:
                answers.append(node.answer)
                node = node.parent
            answers.reverse()
        request = result = None
        where = ""
        try:
            for each in answers:
                request = self._generator.send(each)
            where = _where(self._generator)
        except StopIteration as stop:
            request = None
            result = stop.value
        self._at = _Node(parent, answer, request, where)
        self._at.result = result
        self.longest_hold = max(self.longest_hold, self._at.hold)
        return self._at


def _where(generator):
    """The line that the innermost generator stands at, that is not one of the primitives'."""
    where = ""
    while generator is not None and hasattr(generator, "gi_frame"):
        frame = generator.gi_frame
        _, inside, name = frame.f_code.co_filename.rpartition("/pfm/")
        if inside:
            where = f"{name}:{frame.f_lineno} {frame.f_code.co_name}"
        generator = generator.gi_yieldfrom
    return where


class Memory:
    """32-bit words by address, and what else a state consists of by other keys.

    `change` keeps a hash of the whole.
    """

    def __init__(self):
        self.words = {}
        self.hash = 0

    def get(self, key, default=0):
        """Return the value of a key."""
        return self.words.get(key, default)

    def change(self, key, value):
        """Set the value of a key, None to forget it; return what undoes that by a change."""
        before = self.words.pop(key, None)
        if before is not None:
            self.hash ^= hash((key, before))
        if value is not None:
            self.hash ^= hash((key, value))
            self.words[key] = value
        return key, before


class Explorer:
    """Runs programs on a board in every order.

    `board` performs their requests and knows what must hold (frameboard.py, framerules.py).
    With `bounded` a processor may give up at any time that it waits for a lock.  Afterwards
    `states` is how many there were, `ends` has for each end that was reached what `at_end`
    returned there and what the programs returned, and `longest_hold` says how many steps of its
    own a processor took at most from its first lock to its last release.
    """

    def __init__(self, board, starts, bounded=False, at_end=lambda: None):
        self._board = board
        self._memory = board.memory
        self._programs = [Program(number, start) for number, start in enumerate(starts, 1)]
        self._bounded = bounded
        self._at_end = at_end
        self.states = 0
        self.ends = set()
        self.longest_hold = 0

    def run(self):
        """Explore.  Raises Violation."""
        nodes = [program.root for program in self._programs]
        taken = []
        seen = set()
        todo = [self._moves(nodes, taken)]
        while todo:
            if not todo[-1]:
                todo.pop()
                if taken:
                    self._undo(nodes, taken.pop())
                continue
            index = todo[-1].pop()
            try:
                taken.append(self._step(nodes, index))
            except Broken as broken:
                step = (index + 1, nodes[index].where, nodes[index].request)
                raise Violation(str(broken), [*self._trace(taken), step]) from None
            key = (*map(id, nodes), self._memory.hash)
            if key in seen:
                self._undo(nodes, taken.pop())
                continue
            seen.add(key)
            todo.append(self._moves(nodes, taken))
        self.states = len(seen)
        self.longest_hold = max(program.longest_hold for program in self._programs)

    def _trace(self, taken):
        return [(index + 1, node.where, node.request) for index, node, _ in taken]

    def _undo(self, nodes, step):
        index, node, changes = step
        for changed in reversed(changes):
            self._memory.change(*changed)
        nodes[index] = node

    def _moves(self, nodes, taken):
        """Indices of the processors that can take a step."""
        moves = []
        waiting = []
        stopper = self._board.stopper()
        for index, node in enumerate(nodes):
            if node.request is None or stopper not in (0, index + 1):
                continue
            if self._waits(node):
                waiting.append(index)
            elif not isinstance(node.request, Stop) or self._can_stop(nodes, index):
                moves.append(index)
        if not moves and any(node.request is not None for node in nodes):
            raise Violation("deadlock: all wait", self._trace(taken))
        if all(node.request is None or isinstance(node.request, Begin) for node in nodes):
            broken = self._board.recount()
            if broken:
                raise Violation(broken, self._trace(taken))
            if not moves:
                self.ends.add((self._at_end(), *(node.result for node in nodes)))
        return moves + waiting if self._bounded else moves

    def _waits(self, node):
        """Whether a processor waits for a lock."""
        request = node.request
        return isinstance(request, Acquire) and (
            self._board.holder(request.virt) not in (0, request.owner)
        )

    def _can_stop(self, nodes, index):
        return all(
            each == index
            or node.request is None
            or isinstance(node.request, Stop)
            or not self._board.is_masked(each + 1)
            or self._waits(node)
            for each, node in enumerate(nodes)
        )

    def _is_local(self, request):
        if isinstance(request, Load | Store):
            return self._board.private(request.virt)
        return isinstance(request, Mask | Unmask)

    def _step(self, nodes, index):
        """Take a step, and those with it that no other processor can see.

        Whether interrupts are off matters only to who stops this one.  So they go off together
        with the access that follows or the lock that is taken, and on with what came before.
        """
        before = nodes[index]
        changes = []
        taken = (index, before, changes)
        seen = False
        try:
            while True:
                node = nodes[index]
                done = node.request
                seen = seen or not self._is_local(done)
                answer = self._board.perform(index + 1, done, changes)
                nodes[index] = node = self._programs[index].after(node, answer)
                request = node.request
                if isinstance(request, Mask):
                    goes_on = isinstance(done, Acquire)
                elif self._is_local(request):
                    goes_on = True
                else:
                    goes_on = not seen and isinstance(request, Load | Store)
                if not goes_on:
                    break
        except Broken:
            self._undo(nodes, taken)
            raise
        return taken
