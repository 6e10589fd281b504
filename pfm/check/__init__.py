"""The invariants of the manager's memory, checked by `PFM.check()`."""
