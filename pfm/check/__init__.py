"""The invariants of the manager's memory, walked by `PFM.check()`."""
