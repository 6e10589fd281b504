"""The loader's memory map, and the regions of whole frames made from it."""
