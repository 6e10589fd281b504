"""Getting third parties: verified hashes, commands with time limits, git and apt.

The network is not trusted: a file is accepted by its SHA-256 and a git checkout by its commit.
Every command that may wait has a time limit.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

# Seconds: few for an unreachable host, many for a slow one.
CONNECT_TIMEOUT = 10
TRANSFER_TIMEOUT = 300
# git gives up on a transfer below this rate (bytes/s) for CONNECT_TIMEOUT seconds.
GIT_LOW_SPEED_LIMIT = 1000

DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class WrongHash(Exception):
    """Something does not have its pinned hash; the message has both. Never worked around."""

    def __init__(self, what, expected, found):
        super().__init__(f"{what}: wrong hash\n  expected {expected}\n  found    {found}")


class Unavailable(Exception):
    """This source cannot be used here and now; another one may work."""


def sha256_file(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def sha256_tree(root):
    """Return one hash over the relative path and the contents or link target of all below root.

    Skips the byte code that running its Python programs leaves there. 33 MB in 6,000 files
    take about half a second."""
    digest = hashlib.sha256()
    for path in sorted(Path(root).rglob("*")):
        if path.parent.name == "__pycache__":
            continue
        if path.is_symlink():
            content = os.readlink(path).encode()
        elif path.is_file():
            content = path.read_bytes()
        else:
            continue
        name = str(path.relative_to(root)).encode()
        digest.update(b"%d %s %d " % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()


def verify(what, expected, found):
    """Raise WrongHash unless the two hashes are the same."""
    if expected != found:
        raise WrongHash(what, expected, found)


def run(command, timeout=TRANSFER_TIMEOUT, **options):
    """Run a command that may need the network; return its standard output as text.

    Raises Unavailable, with the last line of its standard error, if it is missing, fails, or
    takes longer than timeout seconds."""
    try:
        result = subprocess.run(
            command,
            timeout=timeout,
            check=True,
            text=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            **options,
        )
    except FileNotFoundError as e:
        raise Unavailable(f"{command[0]} is not installed") from e
    except subprocess.TimeoutExpired as e:
        raise Unavailable(f"{command[0]} took longer than {timeout} s") from e
    except subprocess.CalledProcessError as e:
        complaint = e.stderr.strip().splitlines() or [f"status {e.returncode}"]
        raise Unavailable(f"{command[0]}: {complaint[-1]}") from e
    return result.stdout


def git_checkout(url, tag, commit, destination):
    """Make destination a checkout of the tag, without its .git.

    Raises WrongHash if the tag is not the pinned commit, Unavailable if it cannot be fetched."""
    scratch = Path(f"{destination}.git-clone")
    shutil.rmtree(scratch, ignore_errors=True)
    environment = dict(
        os.environ,
        GIT_TERMINAL_PROMPT="0",
        GIT_HTTP_LOW_SPEED_LIMIT=str(GIT_LOW_SPEED_LIMIT),
        GIT_HTTP_LOW_SPEED_TIME=str(CONNECT_TIMEOUT),
    )
    try:
        # A host that drops packets never triggers git's own limit, so ask it first.
        run(["git", "ls-remote", url, tag], timeout=2 * CONNECT_TIMEOUT, env=environment)
        clone = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", "--depth=1"]
        run([*clone, "--branch", tag, url, str(scratch)], env=environment)
        head = run(["git", "-C", str(scratch), "rev-parse", "HEAD"]).strip()
        verify(f"{url} {tag}", commit, head)
        shutil.rmtree(scratch / ".git")
        scratch.rename(destination)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def apt_sites():
    """Return the base addresses of the Debian mirrors that apt is configured for, best first.

    Raises Unavailable if there is no apt or it knows no mirror."""
    columns = "$(SITE) $(CODENAME) $(COMPONENT)"
    targets = run(["apt-get", "indextargets", "--format", columns, "Created-By: Packages"])
    rows = [line.split() for line in targets.splitlines()]
    # Security and update suites may be on sites that do not have the main archive.
    sites = [row[0] for row in rows if len(row) == 3 and row[2] == "main" and "-" not in row[1]]
    if not sites:
        # Before the first `apt-get update` there are no targets, only addresses to fetch.
        for line in run(["apt-get", "update", "--print-uris"]).splitlines():
            uri = line.split()[0].strip("'")
            site, dists, suite = uri.partition("/dists/")
            if dists and "-" not in suite.split("/")[0]:
                sites.append(site)
    if not sites:
        raise Unavailable("apt knows no Debian mirror")
    return list(dict.fromkeys(sites))


def _apt(kind, suite, directory, command):
    """Run this command of apt-get in directory, for packages of that suite.

    kind is "deb" or "deb-src". Works on any Debian and as any user: apt gets a configuration of
    its own and changes nothing of the system's. Raises Unavailable."""
    root = Path(directory).absolute()
    for folder in ("lists/partial", "cache/archives/partial", "empty"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    signed_by = f"[signed-by={DEBIAN_KEYRING}] " if Path(DEBIAN_KEYRING).exists() else ""
    configuration = root / "apt.conf"
    configuration.write_text(
        f'Dir::Etc::sourcelist "{root}/sources.list";\n'
        f'Dir::Etc::sourceparts "{root}/empty";\n'
        f'Dir::Etc::preferencesparts "{root}/empty";\n'
        f'Dir::State::lists "{root}/lists";\n'
        f'Dir::State::status "/dev/null";\n'
        f'Dir::Cache "{root}/cache";\n'
        'APT::Sandbox::User "";\n'
        f'Acquire::http::Timeout "{CONNECT_TIMEOUT}";\n'
        f'Acquire::https::Timeout "{CONNECT_TIMEOUT}";\n'
        'Acquire::Retries "1";\n'
        'Acquire::Languages "none";\n'
    )
    environment = dict(os.environ, APT_CONFIG=str(configuration), LC_ALL="C")
    failure = None
    for site in apt_sites():
        (root / "sources.list").write_text(f"{kind} {signed_by}{site} {suite} main\n")
        try:
            run(["apt-get", "update", "--error-on=any"], env=environment)
            run(["apt-get", *command], env=environment, cwd=root)
            return
        except Unavailable as e:
            failure = e
    raise failure


def apt_source(package, suite, directory):
    """Download a Debian source package, "name=version", of that suite into directory.

    Raises Unavailable."""
    _apt("deb-src", suite, directory, ["--download-only", "source", package])


def apt_package(package, suite, directory):
    """Download a Debian package, "name=version", of that suite and unpack it into directory/tree.

    Raises Unavailable."""
    _apt("deb", suite, directory, ["download", package])
    (archive,) = Path(directory).glob("*.deb")
    run(["dpkg-deb", "--extract", str(archive), str(Path(directory, "tree"))])
