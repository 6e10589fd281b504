"""The words of the kernel's command line."""

from cmdline import PROCESSORS_MAX, CommandLine
from ktap import equal


def test_every_word():
    line = CommandLine(
        "selftest=a_b run=c.d debug heap=3M disk=64K scale=2 keymap=de loglevel=info"
    )
    equal((line.selftest, line.run, line.debug), ("a_b", "c.d", True))
    equal((line.heap, line.disk, line.loglevel), (3 << 20, 64 << 10, "info"))
    equal((line.scale, line.keymap, line.ignored), (2, "de", []))
    equal([CommandLine("processors=" + n).processors for n in ("1", "4")], [1, 4])
    equal(CommandLine("processors=all").processors, PROCESSORS_MAX)


def test_no_word():
    line = CommandLine("")
    equal((line.selftest, line.run, line.debug), (None, None, False))
    equal((line.heap, line.disk, line.loglevel, line.ignored), (None, None, None, []))
    equal(line.processors, None)


def test_selftest_without_a_name_means_all():
    equal(CommandLine("selftest").selftest, "")


def test_lasting_disk():
    line = CommandLine("root=disk format=littlefs")
    equal((line.root, line.format, line.ignored), (True, "littlefs", []))
    line = CommandLine("root=ram format=ext4 root format=")
    equal((line.root, line.format), (False, None))
    equal(line.ignored, ["root=ram", "format=ext4", "root", "format="])


def test_how_much_is_reported():
    equal(
        [CommandLine(text).report for text in ("", "verbose", "quiet")], [None, "verbose", "quiet"]
    )
    equal(CommandLine("quiet debug verbose").report, "verbose")
    equal(CommandLine("verbose=1 quiet=").ignored, ["verbose=1", "quiet="])


def test_words_of_the_environment_are_not_unknown():
    equal(CommandLine("HOME=/ A_B= =c a=b C").ignored, ["=c", "a=b", "C"])


def test_unknown_words_are_ignored():
    words = "run run= keymap= debug=1 heap heap=0 heap=1X disk=-1 loglevel=all Debug".split()
    words += "scale scale=0 scale=9 scale=x processors=0 processors=65".split()
    line = CommandLine(" ".join(words))
    equal(line.ignored, words)
    equal(line.scale, 0)
    equal((line.run, line.debug, line.heap, line.disk, line.loglevel), (None, False) + (None,) * 3)
