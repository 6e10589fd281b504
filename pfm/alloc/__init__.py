"""The allocator: zones, the buddy system, magazines, blocks, runs, and many frames at once."""
