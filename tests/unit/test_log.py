"""pfm/log.py: what the level lets through."""

from ktap import equal

from pfm.log import DEBUG, ERROR, INFO, WARNING, Log

ONE_PATH = "log lines come from init alone"


def _written(level):
    lines = []
    log = Log(level, lines.append)
    log.warning("a {}", 1)
    log.info("b {}-{}", 2, 3)
    log.debug("c")
    return lines


def test_lines_up_to_the_level_are_written():
    equal(_written(ERROR), [])
    equal(_written(WARNING), ["pfm: a 1"])
    equal(_written(INFO), ["pfm: a 1", "pfm: b 2-3"])
    equal(_written(DEBUG), ["pfm: a 1", "pfm: b 2-3", "pfm: c"])


def test_text_at_the_prompt():
    equal(repr(Log(DEBUG)), "<Log: up to level 3, debug>")


def test_level_can_be_changed():
    lines = []
    log = Log(write=lines.append)
    log.info("unseen")
    log.level = INFO
    log.info("seen")
    equal(lines, ["pfm: seen"])
