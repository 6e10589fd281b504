"""Functions of pfm as generators that stop at each access to memory.

The subset of Python that viper and native code of pfm is written in is Python for the host as
well, but for `ptr32(virt)[i]`.  So the source is parsed, each load and store by a pointer and
each call is made a `yield from`, and what results is run by the host: the code itself, not a
model of it.  What a generator yields is a Load, a Store, or what the primitives yield that
stand for the kernel's C modules.
"""

import ast
import builtins
import functools
import inspect
import types
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Modules whose functions are made generators; the others define constants and errors.
_STEPPED = {
    "pfm.alloc.blocks",
    "pfm.alloc.buddy",
    "pfm.alloc.compound",
    "pfm.alloc.heads",
    "pfm.alloc.magazine",
    "pfm.alloc.references",
    "pfm.alloc.zone",
    "pfm.alloc.zones",
    "pfm.array.populate",
    "pfm.fastpath.entry",
    "pfm.fastpath.frames",
    "pfm.fastpath.install",
    "pfm.fastpath.objects",
    "pfm.frame.guard",
    "pfm.lock",
    "pfm.manager",
    "pfm.state",
}

_MASK = 0xFFFFFFFF
# Asserted by frame/entry.py.
_ENTRY_SIZE = 32


@dataclass(frozen=True)
class Load:
    """A load of `size` bytes; answered with what is there."""

    virt: int
    size: int


@dataclass(frozen=True)
class Store:
    """A store of `size` bytes."""

    virt: int
    size: int
    value: int


class Pointer:
    """What `ptr8`, `ptr16` and `ptr32` return: an address and the size of what lies there.

    It cannot be indexed: an access that was not made a step is a TypeError.
    """

    def __init__(self, virt, size):
        self.virt = virt
        self.size = size


def _load(place, index):
    if not isinstance(place, Pointer):
        return place[index]
    return (yield Load(place.virt + index * place.size, place.size))


def _store(value, place, index):
    if isinstance(place, Pointer):
        mask = _MASK >> (32 - 8 * place.size)
        yield Store(place.virt + index * place.size, place.size, value & mask)
    else:
        place[index] = value


def call(function, *args, **named):
    """Call what may be a generator function, from a generator, by `yield from`."""
    result = function(*args, **named)
    return (yield from result) if inspect.isgenerator(result) else result


class _Stepper(ast.NodeTransformer):
    """Makes loads, stores and calls in the bodies of functions `yield from`."""

    _depth = 0

    def visit_FunctionDef(self, node):
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        self._depth += 1
        node.body = [self.visit(statement) for statement in node.body]
        self._depth -= 1
        # Types of viper: only the pointers mean anything here.
        node.decorator_list = []
        node.returns = None
        pointers = []
        for argument in node.args.args:
            if isinstance(argument.annotation, ast.Name) and "ptr" in argument.annotation.id:
                pointers += ast.parse(
                    f"{argument.arg} = {argument.annotation.id}({argument.arg})"
                ).body
            argument.annotation = None
        node.body[:0] = [ast.copy_location(made, node) for made in pointers]
        return node

    def _leave(self, node):
        return node

    # No generators; the code that is explored has nothing to step in them.
    visit_Lambda = visit_ListComp = visit_GeneratorExp = visit_JoinedStr = _leave

    def _stepped(self, name, args, node, keywords=()):
        function = ast.Name(name, ast.Load())
        found = ast.YieldFrom(ast.Call(function, args, list(keywords)))
        return ast.fix_missing_locations(ast.copy_location(found, node))

    def visit_Call(self, node):
        self.generic_visit(node)
        if not self._depth:
            return node
        return self._stepped("call__", [node.func, *node.args], node, node.keywords)

    def visit_Subscript(self, node):
        self.generic_visit(node)
        if (
            not self._depth
            or not isinstance(node.ctx, ast.Load)
            or isinstance(node.slice, ast.Slice)
        ):
            return node
        return self._stepped("load__", [node.value, node.slice], node)

    def visit_Assign(self, node):
        target = node.targets[0]
        if not self._depth or not isinstance(target, ast.Subscript) or len(node.targets) > 1:
            return self.generic_visit(node)
        parts = [self.visit(part) for part in (node.value, target.value, target.slice)]
        stepped = self._stepped("store__", parts, node)
        return ast.copy_location(ast.Expr(stepped), node)


@functools.cache
def _compiled(name, path, source):
    tree = ast.parse(source, str(path))
    if name in _STEPPED:
        tree = ast.fix_missing_locations(_Stepper().visit(tree))
    return compile(tree, str(path), "exec")


def _micropython():
    module = types.ModuleType("micropython")
    module.const = module.viper = module.native = lambda what: what
    return module


def _uctypes():
    # Layouts are the target's business: here nothing is reached by one, but in an error's text.
    module = types.ModuleType("uctypes")
    module.__getattr__ = lambda name: 0
    module.struct = lambda virt, layout: types.SimpleNamespace(rc=0, state=0)
    module.sizeof = lambda layout: _ENTRY_SIZE
    return module


_MEMORY = {
    "ptr8": lambda virt: Pointer(virt, 1),
    "ptr16": lambda virt: Pointer(virt, 2),
    "ptr32": lambda virt: Pointer(virt, 4),
    "load__": _load,
    "store__": _store,
    "call__": call,
}


class Package:
    """`pfm`, loaded for one processor.

    `primitives` are the kernel's C modules by name, each a dictionary.  `constants` replaces
    constants in all modules, by name.  `changes` is a list of (module, old, new): pieces of
    source to replace, each of which must be there once.
    """

    def __init__(self, primitives, constants=None, changes=()):
        self._primitives = primitives
        self._constants = constants or {}
        self._changes = changes
        self._modules = {"micropython": _micropython(), "uctypes": _uctypes()}
        self._builtins = {**vars(builtins), **_MEMORY, "__import__": self._import}

    def module(self, name):
        """Return the module of that name, `pfm.alloc.buddy`."""
        found = self._modules.get(name)
        if not found:
            found = self._modules[name] = types.ModuleType(name)
            if name in self._primitives:
                vars(found).update(self._primitives[name])
            else:
                self._execute(name, found)
        return found

    def _execute(self, name, module):
        path = ROOT / name.replace(".", "/")
        module.__package__ = name
        # What pfm/__init__.py imports is not needed.
        if path.is_dir():
            return
        path = path.with_suffix(".py")
        if not path.exists():
            raise ImportError(name)
        module.__package__ = name.rpartition(".")[0]
        source = path.read_text()
        for where, old, new in self._changes:
            if where == name:
                assert source.count(old) == 1, f"{name}: no longer has once: {old}"
                source = source.replace(old, new)
        module.__builtins__ = self._builtins
        exec(_compiled(name, path, source), vars(module))
        for constant, value in self._constants.items():
            if hasattr(module, constant):
                setattr(module, constant, value)

    def _import(self, name, globals_=None, locals_=None, names=(), level=0):
        if level:
            package = globals_["__package__"].split(".")
            package = package[: len(package) - level + 1]
            name = ".".join([*package, name] if name else package)
        elif name not in self._modules and name not in self._primitives:
            # The host's own, such as `array`.
            return builtins.__import__(name, globals_, locals_, names)
        module = self.module(name)
        for wanted in names or ():
            if not hasattr(module, wanted):
                setattr(module, wanted, self.module(f"{name}.{wanted}"))
        return module

    def replace(self, name, value):
        """Replace what every module calls `name`."""
        for module in self._modules.values():
            if hasattr(module, name):
                setattr(module, name, value)
