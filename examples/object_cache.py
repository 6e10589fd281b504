"""A list of nodes in an object cache, linked by addresses as in C.

make run SCRIPT=examples/object_cache.py
build/unix/micropython docs/labs/unix.py examples/object_cache.py
"""

import uctypes

from pfm import PFM, Cache, DoubleFreeError

NODE = {"next": 0 | uctypes.INT64, "value": 8 | uctypes.UINT32}
COUNT = 1000

nodes = Cache(NODE, "nodes")

# The list begins with the node that was added last.
first = 0
for value in range(COUNT):
    node = nodes.alloc()
    node.value = value
    node.next = first
    first = uctypes.addressof(node)

print("{} nodes of {} bytes:".format(COUNT, nodes.size))
print(PFM.slabinfo())

virt, total = first, 0
while virt:
    node = uctypes.struct(virt, NODE)
    total += node.value
    virt = node.next
print("The sum of the values is", total)

while first:
    after = uctypes.struct(first, NODE).next
    nodes.free(first)
    first = after

node = nodes.alloc()
nodes.free(node)
try:
    nodes.free(node)
except DoubleFreeError as error:
    print(error)

nodes.close()
print("After close:", [cache.name for cache in PFM.slabinfo().caches if cache.name == "nodes"])
