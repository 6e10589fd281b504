"""From the loader's memory map to regions of whole frames."""
