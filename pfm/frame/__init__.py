"""One frame: its entry, its flags, and the guard that holds its lock."""
