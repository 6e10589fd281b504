"""Frames handed out and taken back: zones, the buddy system, magazines, blocks, runs, many at once."""
