"""The paths that unit tests are run on."""

import paths
import pytest


def test_both_paths_where_nothing_is_said():
    assert paths.paths_of('"""Tests."""\n\nONE = 1\n') == paths.BOTH


def test_one_path_with_a_reason():
    assert paths.paths_of('ONE_PATH = "only numbers"\n') == (paths.ONE,)


def test_one_path_without_a_reason():
    for text in ("ONE_PATH = True\n", "ONE_PATH = 1 + 1\n"):
        with pytest.raises(ValueError, match="ONE_PATH"):
            paths.paths_of(text)
