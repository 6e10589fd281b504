"""`pfm` as a package for other ports: package.json for mip, pfm/manifest.py for a manifest, .mpy files from an index."""

import ast
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial

import board
import pytest
import qemu
import release

BUILD = qemu.ROOT / "build"
MPY_CROSS = BUILD / "mpy-cross" / "mpy-cross"
# Seconds for the build of a port, for one command, and for the machine.
BUILD_TIMEOUT = 600
TIMEOUT = 300

PACKAGE = json.loads((qemu.ROOT / "package.json").read_text())
FILES = sorted(
    path.relative_to(qemu.ROOT).as_posix()
    for path in (qemu.ROOT / "pfm").rglob("*.py")
    if path.name != "manifest.py"
)

# Another manager than the one that the kernel runs, on a machine of its own.
ALLOCATE = """
import pfm, pfm.testing
print(pfm.__file__, pfm.__version__)
with pfm.testing.FakeMachine([(0x100000, 8 << 20, 0)]) as machine:
    manager = machine.boot()
    pfn = manager.alloc(3)
    manager.set_flags(pfn, pfm.PageFlags.DIRTY)
    print(manager.check_flags(pfn, pfm.PageFlags.DIRTY), manager.check().used)
    manager.free(pfn)
"""


def _assigned(path, name):
    """The value that the file assigns to that name."""
    for node in ast.parse((qemu.ROOT / path).read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{path}: no {name}")


def _metadata():
    """The arguments of metadata() in pfm/manifest.py."""
    call = ast.parse((qemu.ROOT / "pfm" / "manifest.py").read_text()).body[0].value
    assert call.func.id == "metadata"
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}


def test_package_lists_every_file():
    assert PACKAGE["urls"] == [[name, name] for name in FILES]


def test_version_is_the_same_everywhere():
    metadata = _metadata()
    assert metadata["description"] and metadata["license"] == "MIT OR Apache-2.0"
    assert PACKAGE["version"] == metadata["version"] == _assigned("pfm/__init__.py", "__version__")


@pytest.fixture
def elsewhere(micropython):
    """A unix port with `pfm` frozen in, built in a folder of its own."""
    if not MPY_CROSS.exists():
        pytest.skip(f"{MPY_CROSS.relative_to(qemu.ROOT)}: not built, run `make`")
    folder = BUILD / "elsewhere"
    folder.mkdir(exist_ok=True)
    manifest = folder / "manifest.py"
    manifest.write_text(
        f'add_library("pfm-package", "{qemu.ROOT}")\nrequire("pfm", library="pfm-package")\n'
    )
    source = os.path.abspath(micropython)
    subprocess.run(
        [
            *["make", "-s", f"-j{os.cpu_count()}", "-C", f"{source}/ports/unix"],
            *[f"BUILD={folder}", f"FROZEN_MANIFEST={manifest}", f"MPY_LIB_DIR={source}/lib"],
            *["MPY_CROSS_FLAGS=-march=x64", f"MICROPY_MPYCROSS={MPY_CROSS}"],
            *["MICROPY_PY_SSL=0", "MICROPY_PY_BTREE=0", "MICROPY_PY_FFI=0"],
            # What takes time to build and pfm does not use.
            *["MICROPY_VFS_FAT=0", "MICROPY_VFS_LFS1=0", "MICROPY_VFS_LFS2=0"],
            *["MICROPY_PY_THREAD=0", "COPT=-O0 -DNDEBUG"],
        ],
        env={**os.environ, **release.variables(micropython)},
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=BUILD_TIMEOUT,
    )
    return folder / "micropython"


def test_unix_port_that_requires_it(elsewhere, tmp_path):
    result = subprocess.run(
        [elsewhere, "-X", "heapsize=64m", "-c", ALLOCATE],
        cwd=tmp_path,
        env={"MICROPYPATH": ".frozen"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert result.stderr == ""
    assert result.stdout == f"pfm/__init__.py {PACKAGE['version']}\nTrue 8\n"


def _index(folder):
    """Make an index of packages as micropython.org/pi has it, with `pfm` as .mpy files."""
    hashes = []
    for name in FILES:
        compiled = folder / "compiled.mpy"
        subprocess.run(
            [MPY_CROSS, "-march=x64", "-s", name, "-o", compiled, qemu.ROOT / name], check=True
        )
        digest = hashlib.sha256(compiled.read_bytes()).hexdigest()
        stored = folder / "file" / digest[:2] / digest[:8]
        stored.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(compiled, stored)
        hashes.append([name.replace(".py", ".mpy"), digest[:8]])
    listing = folder / "package" / "6" / "pfm" / "latest.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"v": 1, "version": PACKAGE["version"], "hashes": hashes}))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path):
    """The address of a local index that has `pfm`."""
    if not MPY_CROSS.exists():
        pytest.skip(f"{MPY_CROSS.relative_to(qemu.ROOT)}: not built, run `make`")
    _index(tmp_path)
    handler = partial(_Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_kernel_that_installs_it(stand_in, index):
    with board.Board(stand_in.with_cmdline("disk=4M"), TIMEOUT) as machine:

        def mpremote(*arguments):
            return subprocess.run(
                [sys.executable, "-m", "mpremote", "connect", machine.device, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=True,
            ).stdout

        mpremote("mip", "install", "--index", index, "pfm")
        # The kernel has imported the frozen one, which is found first.
        program = (
            "import sys\n"
            "for name in list(sys.modules):\n"
            "    if name.split('.')[0] == 'pfm': del sys.modules[name]\n"
            "sys.path.insert(0, '/lib')\n" + ALLOCATE
        )
        output = mpremote("exec", program).replace("\r", "")
        assert output == f"/lib/pfm/__init__.mpy {PACKAGE['version']}\nTrue 8\n"
