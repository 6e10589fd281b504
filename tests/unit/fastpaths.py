"""Fast paths of a manager, called by themselves, with a record of what they leave to the slow path."""


class FastPaths:
    """Those that `module.ways` makes; in the place of the manager, so that the slow path is seen."""

    def __init__(self, module, manager):
        self._manager = manager
        self._first_stock = manager._first_stock
        # The names of the methods that the last call was left to.
        self.left = []
        self._ways = module.ways(self, manager._cpu)

    def __getattr__(self, name):
        method = getattr(type(self._manager), name)

        def slow(*args):
            self.left.append(name)
            return method(self._manager, *args)

        return slow

    def call(self, name, *args):
        """Return what the call returns, and whether it was left to the slow path."""
        self.left.clear()
        result = self._ways[name](*args)
        return result, bool(self.left)
