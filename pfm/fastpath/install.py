"""The fast paths put before the methods of a manager, as attributes of it."""

from . import entry, frames, objects


def ways(manager, cpu):
    """Return the fast paths by the names of their calls; `cpu` is the address of the struct.

    In debug mode those that allocate and free have none, since poison has to be written and
    verified.
    """
    found = entry.ways(manager, cpu)
    if not manager.debug:
        found.update(frames.ways(manager, cpu))
        found.update(objects.ways(manager, cpu))
    return found


def install(manager, cpu, base):
    """Store the fast paths on `manager`; `cpu` is the address of the struct.

    A call that differs from that of the class `base` gets none, so that an override is what
    gets called.  Raises MemoryError with nothing installed.
    """
    made = ways(manager, cpu)
    own = manager.__dict__
    names = [
        name
        for name in made
        if name not in own and getattr(type(manager), name) is getattr(base, name)
    ]
    done = 0
    try:
        for name in names:
            setattr(manager, name, made[name])
            done += 1
    except MemoryError as error:
        while done:
            done -= 1
            delattr(manager, names[done])
        raise error


def installed(manager):
    """Return the names of the calls in whose place `install` or others stored something."""
    own = type(manager)
    return [name for name in manager.__dict__ if callable(getattr(own, name, None))]
