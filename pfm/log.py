"""Log lines, filtered by level."""

from micropython import const

ERROR = const(0)
WARNING = const(1)
INFO = const(2)
DEBUG = const(3)

NAMES = ("error", "warning", "info", "debug")


class Log:
    """Prints lines up to `level` through `write`, each prefixed by `pfm: `."""

    def __init__(self, level=WARNING, write=print):
        self.level = level
        self.write = write

    def __repr__(self):
        return "<Log: up to level {}, {}>".format(self.level, NAMES[self.level])

    def _log(self, level, text, values):
        if level <= self.level:
            self.write("pfm: " + text.format(*values))

    def warning(self, text, *values):
        """Log a warning."""
        self._log(WARNING, text, values)

    def info(self, text, *values):
        """Log the result of a step."""
        self._log(INFO, text, values)

    def debug(self, text, *values):
        """Log the details of a step."""
        self._log(DEBUG, text, values)
