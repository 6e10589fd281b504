"""A MicroPython source names its own release, the same one each time, or is refused."""

import os
import subprocess

import pins
import pytest
import qemu
import release

# Seconds for a make that ends before it builds.
TIMEOUT = 120

VARIABLES = ("MICROPY_GIT_TAG", "MICROPY_GIT_HASH", "SOURCE_DATE_EPOCH")


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Makes a folder that looks like a source of that release."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    def make(number, preview=0, date=1_700_000_000):
        for name in release.NEEDED:
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "file").write_text("")
        header = tmp_path / release.VERSION_FILE
        fields = zip(("MAJOR", "MINOR", "MICRO"), number.split("."), strict=True)
        lines = [f"#define MICROPY_VERSION_{name} {value}\n" for name, value in fields]
        lines.append(f"#define MICROPY_VERSION_PRERELEASE {preview}\n")
        header.write_text("".join(lines))
        os.utime(header, (date, date))
        return tmp_path

    return make


def test_pinned_release(source):
    expected = (pins.MICROPYTHON_TAG, pins.MICROPYTHON_COMMIT[:10], pins.MICROPYTHON_DATE)
    assert release.variables(source("1.25.0")) == dict(zip(VARIABLES, expected, strict=True))


def test_other_release_has_the_date_of_its_archive(source):
    expected = ("v1.28.3", "unknown", "1700000000")
    assert release.variables(source("1.28.3")) == dict(zip(VARIABLES, expected, strict=True))


def test_preview_of_the_pinned_release_is_another_one(source):
    assert release.variables(source("1.25.0", preview=1)) == {
        "MICROPY_GIT_TAG": "v1.25.0-preview",
        "MICROPY_GIT_HASH": "unknown",
        "SOURCE_DATE_EPOCH": "1700000000",
    }


def test_checkout_has_the_date_of_its_commit(source):
    folder = source("1.29.0", preview=1)
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    environment = {**os.environ, "GIT_COMMITTER_DATE": "1600000000 +0000"}
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=x"], check=True, env=environment)
    assert release.variables(folder)["SOURCE_DATE_EPOCH"] == "1600000000"


def test_environment_goes_first(source, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")
    assert release.variables(source("1.28.0"))["SOURCE_DATE_EPOCH"] == "5"


@pytest.mark.parametrize("number", ["1.24.1", "0.99.0", "2.0.0"])
def test_release_that_is_not_supported(source, number):
    with pytest.raises(release.Unsupported) as error:
        release.variables(source(number))
    expected = f"MicroPython v{number} is not supported: 1.25.0 and later 1.x are"
    assert str(error.value) == expected


def test_source_that_is_not_whole_names_what_is_missing(source):
    folder = source("1.28.0")
    (folder / "lib" / "littlefs" / "file").unlink()
    with pytest.raises(
        release.Unsupported, match=r"v1.28.0 without lib/littlefs: unpack it whole"
    ):
        release.variables(folder)


def test_folder_without_micropython(tmp_path):
    with pytest.raises(release.Unsupported, match=r"no source of MicroPython: .*py/mpconfig.h"):
        release.variables(tmp_path)


def test_make_ends_with_one_line(source, tmp_path):
    folder = source("1.24.1")
    result = subprocess.run(
        ["make", "micropython", f"MICROPY_DIR={folder}"],
        cwd=qemu.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert result.returncode == 2
    first, *rest = result.stderr.splitlines()
    assert first.startswith(f"micropython: {folder}: MicroPython v1.24.1 is not supported")
    assert all(line.startswith("make") for line in rest)
    assert "Traceback" not in result.stdout
