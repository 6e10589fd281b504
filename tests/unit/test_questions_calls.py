"""pfm/questions/calls.py: no question takes a lock, and all are answered before anything is wrong."""

from allocation import zone
from ktap import equal, raises
from maps import THREE_ZONES
from recount import busy

from pfm import NotInitialisedError, PageFrameManager
from pfm.testing import FakeMachine

QUESTIONS = (
    lambda pfm: pfm.blocks(),
    lambda pfm: pfm.largest_free(),
    lambda pfm: pfm.fragmentation(9),
    lambda pfm: pfm.owners(),
    lambda pfm: pfm.snapshot(),
    lambda pfm: pfm.record(),
)


def test_before_init():
    for question in QUESTIONS + (lambda pfm: pfm.leaks(),):
        raises(NotInitialisedError, question, PageFrameManager())


def test_answers_while_everything_is_locked():
    with FakeMachine(THREE_ZONES) as machine:
        manager = machine.boot()
        busy(manager)
        free = [repr(question(manager)) for question in QUESTIONS[:-1]]
        guard = manager.get(600)
        for number in range(3):
            zone(manager, number).lock = 2
        equal([repr(question(manager)) for question in QUESTIONS[:-1]], free)
        with manager.leaks() as leaks:
            manager.record().sample()
        equal(leaks.allocated, [])
        for number in range(3):
            zone(manager, number).lock = 0
        guard.release()
