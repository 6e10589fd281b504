"""Questions about memory: which blocks, whose, how fragmented, what changed; none takes a lock."""
