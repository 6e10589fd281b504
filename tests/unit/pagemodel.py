"""A plain model of page tables: a dict of what maps what, and how many tables that takes.

A unit is what one entry maps: a page, a large page, or all below a shared table.
Pages are numbered from address 0 on, in 48 bits.
"""

_ROOT_LEVEL = 4


def span(level):
    """Return the pages that an entry of `level` spans."""
    return 1 << 9 * (level - 1)


class Tables:
    """The model; `tables` is how many there are below the root, shared ones that hang nowhere any more among them."""

    def __init__(self, largest):
        self._largest = largest
        # (physical address, flags, step between pages) of each unit, by its first page and level.
        self._units = {}
        # How many units and tables each table names, by its number among those of its level, and level.
        self._below = {}
        self.tables = 0

    @property
    def count(self):
        """How many units there are."""
        return len(self._units)

    def keys(self):
        """Return first page * 4 + level of each unit, sorted."""
        return sorted(self._units)

    def unit(self, page, level):
        """Return (physical address, flags) of the unit of `level` that begins at `page`, or None."""
        found = self._units.get(page << 2 | level)
        return found and found[:2]

    def _unit(self, page):
        """Return (first page, level, unit) of what maps `page`, or None."""
        for level in (1, 2, 3):
            first = page & -span(level)
            unit = self._units.get(first << 2 | level)
            if unit:
                return first, level, unit
        return None

    def query(self, page):
        """Return (physical address, size of the unit's pages in bytes, flags), or None."""
        found = self._unit(page)
        if not found:
            return None
        first, level, (phys, flags, step) = found
        return phys + (page - first) * step, span(level) * 4096 if step else 4096, flags

    def first_mapped(self, page, end):
        """Return the first page of `page`..`end` that is mapped, or None."""
        while page < end:
            if self._unit(page):
                return page
            for level in (3, 2, 1):
                if (page >> 9 * level << 2 | level) not in self._below:
                    page = (page >> 9 * level) + 1 << 9 * level
                    break
            else:
                # There is a table of single pages, so nothing else is mapped in it.
                stop = min(end, (page >> 9) + 1 << 9)
                while page < stop and page << 2 | 1 not in self._units:
                    page += 1
        return None

    def first_unmapped(self, page, end):
        """Return the first page of `page`..`end` that is not mapped, or None."""
        while page < end:
            found = self._unit(page)
            if not found:
                return page
            page = found[0] + span(found[1])
        return None

    def torn(self, page, end):
        """Return which of the first and last page of `page`..`end` lies in a unit that reaches out, or None."""
        for edge in (page, end - 1):
            first, level, _ = self._unit(edge)
            if first < page or first + span(level) > end:
                return edge
        return None

    def plan(self, page, end, phys, step, limit, shared):
        """Return the units, as (first page, level, physical address), that map the pages, and the tables it takes."""
        units = []
        new = set()
        highest = 1
        while page < end:
            level = limit
            while (
                page % span(level)
                or page + span(level) > end
                or (step and phys % (span(level) * 4096))
                or (level > 1 and (page >> 9 * (level - 1) << 2 | level - 1) in self._below)
            ):
                level -= 1
            units.append((page, level, phys))
            highest = max(highest, level)
            for above in range(level, _ROOT_LEVEL):
                key = page >> 9 * above << 2 | above
                if key not in self._below:
                    new.add(key)
            page += span(level)
            phys += span(level) * step
        return units, len(new) + (highest - 1 if shared else 0)

    def map(self, plan, flags, step):
        """Do what `plan` returned."""
        units, tables = plan
        self.tables += tables
        for page, level, phys in units:
            self._units[page << 2 | level] = (phys, flags, step)
            for above in range(level, _ROOT_LEVEL):
                key = page >> 9 * above << 2 | above
                named = self._below.get(key, 0)
                self._below[key] = named + 1
                if named:
                    break

    def first_shared(self, page, end):
        """Return the first page of `page`..`end`, all mapped, in a unit that is a shared table, or None."""
        while page < end:
            first, level, (_, _, step) = self._unit(page)
            if level > 1 and not step:
                return page
            page = first + span(level)
        return None

    def protect(self, page, end, flags):
        """Change the flags of the units that tile the pages."""
        while page < end:
            first, level, (phys, _, step) = self._unit(page)
            self._units[first << 2 | level] = (phys, flags, step)
            page = first + span(level)

    def unmap(self, page, end):
        """Remove the units that tile the pages."""
        while page < end:
            first, level, _ = self._unit(page)
            del self._units[first << 2 | level]
            for above in range(level, _ROOT_LEVEL):
                key = first >> 9 * above << 2 | above
                self._below[key] -= 1
                if self._below[key]:
                    break
                del self._below[key]
                self.tables -= 1
            page = first + span(level)
