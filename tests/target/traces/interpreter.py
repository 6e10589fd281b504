"""Operations of the interpreter: objects that must stay whole, recursion, compiling, collecting."""

import gc


class Interpreter:
    """The part of `Actor` that uses the Python heap and stack."""

    def _overflow(self):
        try:
            self._overflow()
        except RuntimeError:
            self.refused += 1

    def _objects(self):
        """Keep some objects, and look whether they are whole."""
        kept = self._kept
        step = self.steps
        kept.append([step, float(step), str(step), {step: self.number}])
        if len(kept) > 30:
            kept.pop(0)
        number, real, text, names = kept[self._random(len(kept))]
        if (real, text, names) != (float(number), str(number), {number: self.number}):
            self._fail("objects {}", (number, real, text, names))

    def _compile(self):
        name = "n{}".format(self._random(100))
        names = {}
        exec("def {0}(x):\n    return [x, '{0}' * 2, lambda: x]".format(name), names)
        if names[name](self.steps)[:2] != [self.steps, name * 2]:
            self._fail("a function compiled wrongly")

    def _collect(self):
        gc.collect()
