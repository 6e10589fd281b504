"""From the loader's memory map to free blocks: what each report says of the same memory.

make run SCRIPT=examples/memory_map.py
build/unix/micropython docs/labs/unix.py examples/memory_map.py
"""

from pfm import PFM
from pfm.units import human_size, phys_text

print("Regions, the loader's map made disjoint:")
print(PFM.memmap())

print("\nFrames by zone and use:")
print(PFM.meminfo())

print("\nFree blocks of 2**order frames:")
print(PFM.buddyinfo())

print("\nAll of it, by address:")
print(PFM.chart())

usable = [region for region in PFM.regions if region.usable]
longest = max(usable, key=lambda region: region.end - region.start)
print("\nThe longest usable region has", human_size(longest.end - longest.start << 12))
print("Its first frame:")
print(PFM.identify(PFM.as_virt(longest.start << 12)))

block = PFM.alloc(order=4, tag="mine")
print("\nA block of 16 frames is at", phys_text(block << 12))
print("Its last frame is", PFM.describe(block + 15))
PFM.free(block)
print("and after free it is", PFM.describe(block + 15))
