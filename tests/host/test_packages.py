"""What the build needs of the host: installed, or named in one line."""

import os
import shutil
import subprocess

import pytest
import qemu

SCRIPT = qemu.ROOT / "boot" / "packages.sh"
# Seconds for the script, which installs nothing here.
TIMEOUT = 60


@pytest.fixture
def check(tmp_path):
    """Runs the check on a host that has these programs only."""

    def run(*programs):
        for name in programs:
            (tmp_path / name).symlink_to(shutil.which(name))
        return subprocess.run(
            [shutil.which("sh"), str(SCRIPT)],
            env={**os.environ, "PATH": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    return run


def test_system_without_apt_is_told_what_it_needs(check):
    result = check("make", "git", "xorriso")
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("missing, by the names of Debian's packages: gcc ")
    assert line.endswith("; install what your system calls them")
    named = line.partition(": ")[2].partition(";")[0].split()
    assert {"python3", "qemu-system-x86"} <= set(named)
    assert not {"make", "git", "xorriso"} & set(named)
