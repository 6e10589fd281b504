"""Probe kernels for the tests of the stand-in loader."""

import shutil

import probe_kernel
import pytest


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """Builds a probe kernel for a set of macros, once for each set."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("probe")
    built = {}

    def get(*macros, **options):
        key = (macros, *options.items())
        if key not in built:
            path = folder / f"probe{len(built)}.elf"
            built[key] = probe_kernel.build(path, *macros, **options)
        return built[key]

    return get


@pytest.fixture(scope="session")
def newest(probe):
    return probe("REVISION=6")


@pytest.fixture(scope="session")
def plain(newest):
    """A boot without any option."""
    return probe_kernel.booted(newest, cmdline="selftest=x  heap=1M")
