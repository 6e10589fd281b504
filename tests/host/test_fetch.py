"""Third parties: verified, bounded, and refused when they are not what was pinned."""

import hashlib
import subprocess

import fetch
import limine
import micropython as micropython_source
import pins
import pytest


@pytest.fixture
def upstream(tmp_path):
    """A git repository with one tagged commit; (url, tag, commit)."""
    repository = tmp_path / "upstream"
    git = ["git", "-C", str(repository), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    (repository / "file").write_text("content")
    subprocess.run([*git, "add", "file"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=first"], check=True)
    subprocess.run([*git, "tag", "v1"], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    return repository.as_uri(), "v1", commit


def test_git_checkout_is_the_tag_without_its_history(upstream, tmp_path):
    fetch.git_checkout(*upstream, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["file"]


def test_git_tag_that_moved_is_refused_with_both_hashes(upstream, tmp_path):
    url, tag, commit = upstream
    pinned = "0" * 40
    with pytest.raises(fetch.WrongHash) as error:
        fetch.git_checkout(url, tag, pinned, tmp_path / "copy")
    assert pinned in str(error.value) and commit in str(error.value)
    assert not (tmp_path / "copy").exists()


def test_git_without_the_repository_is_unavailable(tmp_path):
    with pytest.raises(fetch.Unavailable, match="git: "):
        fetch.git_checkout((tmp_path / "none").as_uri(), "v1", "0" * 40, tmp_path / "copy")


def test_command_that_takes_too_long_is_unavailable():
    with pytest.raises(fetch.Unavailable, match=r"sleep took longer than 0.1 s"):
        fetch.run(["sleep", "60"], timeout=0.1)


def test_command_that_is_missing_is_unavailable():
    with pytest.raises(fetch.Unavailable, match="no-such-program is not installed"):
        fetch.run(["no-such-program"])


def test_tree_hash_sees_content_names_and_links(tmp_path):
    hashes = set()
    for name, content in (("a", "1"), ("a", "2"), ("b", "2")):
        tree = tmp_path / f"{name}{content}"
        tree.mkdir()
        (tree / name).write_text(content)
        hashes.add(fetch.sha256_tree(tree))
    (tree / "link").symlink_to("b")
    hashes.add(fetch.sha256_tree(tree))
    (tree / "link").unlink()
    (tree / "link").symlink_to("elsewhere")
    hashes.add(fetch.sha256_tree(tree))
    assert len(hashes) == 5


def test_tree_hash_ignores_byte_code(tmp_path):
    (tmp_path / "a.py").write_text("1")
    before = fetch.sha256_tree(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("2")
    assert fetch.sha256_tree(tmp_path) == before


def test_micropython_copy_that_changed_stops_with_both_hashes(tmp_path, capsys, monkeypatch):
    copy = tmp_path / "micropython"
    copy.mkdir()
    (copy / "main.c").write_text("as fetched")
    expected = fetch.sha256_tree(copy)
    (tmp_path / "micropython.sha256").write_text(expected + "\n")
    micropython_source.get(copy)
    (copy / "main.c").write_text("altered")
    monkeypatch.setattr("sys.argv", ["micropython.py", str(copy)])
    with pytest.raises(SystemExit) as stop:
        micropython_source.main()
    assert expected in stop.value.code and fetch.sha256_tree(copy) in stop.value.code


def test_micropython_tarball_that_is_not_the_pinned_one_stops(tmp_path, monkeypatch):
    def download(package, suite, directory):
        (tmp_path / directory / pins.MICROPYTHON_TARBALL).write_bytes(b"not it")

    monkeypatch.setattr(fetch, "apt_source", download)
    with pytest.raises(fetch.WrongHash) as error:
        micropython_source.get(tmp_path / "micropython")
    assert pins.MICROPYTHON_TARBALL_SHA256 in str(error.value)
    assert hashlib.sha256(b"not it").hexdigest() in str(error.value)
    assert not (tmp_path / "micropython").exists()


def test_micropython_falls_back_to_git_then_names_every_reason(tmp_path, monkeypatch):
    def no_apt(*_):
        raise fetch.Unavailable("apt knows no Debian mirror")

    def no_git(*_):
        raise fetch.Unavailable("git: no such host")

    monkeypatch.setattr(fetch, "apt_source", no_apt)
    monkeypatch.setattr(fetch, "git_checkout", no_git)
    with pytest.raises(fetch.Unavailable, match=r"no Debian mirror.*no such host"):
        micropython_source.get(tmp_path / "micropython")


@pytest.fixture
def no_limine(tmp_path, monkeypatch):
    """A host without any Limine, and without a network."""

    def offline(*_):
        raise fetch.Unavailable("git: no such host")

    monkeypatch.delenv("LIMINE_DIR", raising=False)
    monkeypatch.setattr(limine, "DISTRIBUTION_DIR", tmp_path / "distribution")
    monkeypatch.setattr(limine, "FETCHED_DIR", tmp_path / "limine")
    monkeypatch.setattr(fetch, "git_checkout", offline)
    return tmp_path


def _fill(directory):
    directory.mkdir()
    for name in pins.LIMINE_FILES_SHA256:
        (directory / name).write_bytes(b"Limine 9.8.7 ")
    return directory


def test_limine_missing_says_why_and_how_to_get_it(no_limine):
    with pytest.raises(limine.NotFound, match=r"not found \(git: no such host\); set LIMINE_DIR"):
        limine.releases()


def test_limine_none_is_neither_looked_for_nor_fetched(no_limine, monkeypatch):
    _fill(no_limine / "distribution")
    monkeypatch.setenv("LIMINE_DIR", "none")
    with pytest.raises(limine.NotFound, match=r"not found \(LIMINE_DIR=none\); set LIMINE_DIR"):
        limine.releases()
    assert not (no_limine / "limine.unavailable").exists()


def test_limine_download_is_not_tried_again_at_once(no_limine, monkeypatch):
    with pytest.raises(limine.NotFound):
        limine.releases()

    def again(*_):
        raise AssertionError("tried again")

    monkeypatch.setattr(fetch, "git_checkout", again)
    with pytest.raises(limine.NotFound, match="no such host"):
        limine.releases()


def test_limine_dir_comes_before_the_distribution_and_may_list_several(no_limine, monkeypatch):
    _fill(no_limine / "distribution")
    assert limine.releases() == [limine.Release(no_limine / "distribution")]
    first, second = _fill(no_limine / "first"), _fill(no_limine / "second")
    monkeypatch.setenv("LIMINE_DIR", f"{first}:{second}")
    assert limine.releases() == [limine.Release(first), limine.Release(second)]
    assert limine.releases()[0].version == "9.8.7"


def test_limine_dir_without_the_files_names_them(no_limine, monkeypatch):
    monkeypatch.setenv("LIMINE_DIR", str(no_limine))
    with pytest.raises(limine.Incomplete, match=r"has no limine-bios.sys, .*BOOTX64.EFI"):
        limine.releases()


def test_limine_copy_that_is_not_the_pinned_one_is_refused_with_both_hashes(no_limine):
    path = _fill(no_limine / "limine") / "limine-bios.sys"
    with pytest.raises(fetch.WrongHash) as error:
        limine.releases()
    assert pins.LIMINE_FILES_SHA256["limine-bios.sys"] in str(error.value)
    assert fetch.sha256_file(path) in str(error.value)
