"""Lab 3: finds the leaks by the questions of the manager, and compares with what was found."""

from checking import expect, expect_equal, need_kernel
from lab3_leak.program import BadRequest, Server, request

import pfm
from pfm.tags import tag_text

# By then all routes are known.
_WARM_UP = 20
_REQUESTS = 60


def _serve(server, numbers):
    """Return the answers, None for bad requests."""
    answers = []
    for number in numbers:
        try:
            answers.append(server.handle(*request(number)))
        except BadRequest:
            answers.append(None)
    return answers


def _grown(manager, action):
    """Return the tags of what `action` allocates and does not free, sorted."""
    with manager.leaks() as leaks:
        action()
    return sorted({tag_text(allocation.tag) for allocation in leaks.allocated})


def what_leaks(work):
    """The tags of what grows as long as requests arrive."""
    with pfm.sandbox(2) as lab:
        server = Server(lab)
        early = _grown(lab, lambda: _serve(server, range(_WARM_UP)))
        # A route that is replaced is allocated anew, so its kind is judged by its number.
        routes = lab.owners().frames("rout")
        late = _grown(lab, lambda: _serve(server, range(_WARM_UP, _WARM_UP + _REQUESTS)))
        expect_equal(lab.owners().frames("rout"), routes, "routes are bounded")
        leaking = [tag for tag in late if tag != "rout"]
        hint = "compare owners() after {} and after {} requests".format(
            _WARM_UP, _WARM_UP + _REQUESTS
        )
        # What is right is not told.
        expect(sorted(work.LEAKS) == leaking, "LEAKS has other tags; hint: " + hint)
        bounded = [tag for tag in early if tag not in leaking]
        expect([work.BOUNDED] == bounded, "BOUNDED is another tag; the same hint")


def who_allocates_it(work):
    """The functions whose allocations leak."""
    need_kernel("call sites")
    with pfm.sandbox(2, debug=True) as lab:
        _serve(Server(lab), range(_WARM_UP))
        for tag, function in sorted(work.LEAKS.items()):
            places = {site.place.split(" in ")[1] for site in lab.call_sites(tag).sites}
            hint = "{} is allocated elsewhere; hint: call_sites({!r}) of a sandbox with debug=True"
            expect({function} == places, hint.format(tag, tag))


def answers_stay(work):
    """The fixed server answers as before."""
    with pfm.sandbox(2) as lab:
        expected = _serve(Server(lab), range(_REQUESTS))
        server = work.Fixed(lab)
        expect_equal(_serve(server, range(_REQUESTS)), expected, "the answers are the same")
        expect_equal(server.repeat(9), expected[-1][:9], "`repeat` has the last reply")


def nothing_leaks(work):
    """The fixed server's memory does not grow, and `close` gives it all back."""
    with pfm.sandbox(2) as lab:
        server = work.Fixed(lab)
        _serve(server, range(_WARM_UP))
        with lab.leaks() as leaks:
            _serve(server, range(_WARM_UP, _WARM_UP + _REQUESTS))
        grown = {}
        for sign, allocations in ((1, leaks.allocated), (-1, leaks.freed)):
            for row in allocations:
                tag = tag_text(row.tag)
                grown[tag] = grown.get(tag, 0) + sign * row.frames
        for tag, frames in sorted(grown.items()):
            hint = "every path out of a function, and every reference, counts"
            expect(frames == 0, "{} grew by {} frames; hint: {}".format(tag, frames, hint))
        server.close()
        expect_equal(lab.owners().total, 0, "frames after close")
        lab.check()


STEPS = (
    ("what leaks, and what does not", what_leaks),
    ("who allocates it", who_allocates_it),
    ("the fixed server answers as before", answers_stay),
    ("the fixed server leaks nothing", nothing_leaks),
)
