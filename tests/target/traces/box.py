"""Blocks and objects that go from one processor to another through a box."""

from tests.target.traces.allocations import Object
from tests.target.traces.stamps import BOX, fill

from pfm.lock import critical as section

# What is in the box, at most.
_BOX_MAX = 40


class Box:
    """The part of `Actor` that sends and receives."""

    def _send(self):
        box = self.traces.box
        with self.traces.box_lock, section():
            if len(box) >= _BOX_MAX:
                return
            if self._chance(2):
                item = self._drop(self.objects)
            else:
                item = self._drop(self.blocks)
                if item:
                    self.look_at_block(item, self.owner)
                    self._claim(item, self.owner, BOX)
                    self.frames -= item.count
            if item:
                box.append(item)

    def _receive(self):
        box = self.traces.box
        with self.traces.box_lock, section():
            if not box:
                return
            at = self._random(len(box))
            item = box[at]
            if isinstance(item, Object):
                box.pop(at)
                self.look_at_object(item)
                if self._chance(2):
                    self.free_object(item)
                    return
                item.stamp = self._stamp()
                fill(item.virt, item.size >> 2, item.stamp)
                self.objects.append(item)
            elif self.frames + item.count <= self.traces.share:
                box.pop(at)
                self.look_at_block(item, BOX)
                item.stamp = self._stamp()
                self._claim(item, BOX)
                self.blocks.append(item)
                self.frames += item.count
