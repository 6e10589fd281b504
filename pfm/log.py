"""Log lines, turned up and down by a level."""

from micropython import const

ERROR = const(0)
WARNING = const(1)
INFO = const(2)
DEBUG = const(3)

NAMES = ("error", "warning", "info", "debug")


class Log:
    """Prints lines up to `level` through `write`, each as `pfm: …`."""

    def __init__(self, level=WARNING, write=print):
        self.level = level
        self.write = write

    def _log(self, level, text, values):
        if level <= self.level:
            self.write("pfm: " + text.format(*values))

    def warning(self, text, *values):
        """Write a line that tells of something doubtful."""
        self._log(WARNING, text, values)

    def info(self, text, *values):
        """Write a line that tells what a step came to."""
        self._log(INFO, text, values)

    def debug(self, text, *values):
        """Write a line of a step's details."""
        self._log(DEBUG, text, values)
