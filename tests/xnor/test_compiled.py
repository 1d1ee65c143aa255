"""What numba keeps on disk is not used once any file of the package has changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest
from numba.core import caching

import xnor.compiled
from xnor import cpu

INNER = "from .compiled import compiled\n\n@compiled\ndef inner():\n    return {}\n"
OUTER = "from .compiled import compiled\nfrom .inner import inner\n\n@compiled\ndef outer():\n    return inner()\n"
PROGRAM = "from package.outer import outer\nprint(outer(), sum(outer.stats.cache_hits.values()))"


def run(folder: Path) -> list[str]:
    """What ``outer`` gives in a process of its own, and how often its code came from the disk."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.split()


def test_a_change_in_another_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    shutil.copy(xnor.compiled.__file__, package)
    (package / "outer.py").write_text(OUTER)
    (package / "inner.py").write_text(INNER.format(1))
    assert run(tmp_path) == ["1", "0"]
    assert run(tmp_path) == ["1", "1"]
    (package / "inner.py").write_text(INNER.format(2))
    assert run(tmp_path) == ["2", "0"]


def test_where_nothing_may_be_kept_it_is_compiled_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the administrator's, run by somebody without a home."""
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(lambda x: x + 1)
    assert xnor.compiled.compiled(lambda x: x + 1)(2) == 3


def test_this_numba_lets_us_say_what_it_is_to_compare() -> None:
    stamps = [value._cache._cache_file._source_stamp for value in vars(cpu).values() if hasattr(value, "py_func")]
    assert stamps and all(stamp[1] == xnor.compiled._of_all_sources() for stamp in stamps)
