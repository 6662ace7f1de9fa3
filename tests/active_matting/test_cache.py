"""Arrays kept on disk: found again, never believed when damaged, bounded, and removable."""

import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from active_matting.cache import (
    STALE,
    Cache,
    default_folder,
    hash_of_arrays,
    hash_of_code,
    hash_of_file,
    make_key,
)
from active_matting.errors import FileError, InvalidArgumentError

KEY = make_key(of="this")
VALUES = {"image": np.arange(600, dtype=np.float32).reshape(10, 20, 3), "mask": np.eye(4, dtype=bool)}


def refuse() -> dict[str, Any]:
    raise AssertionError("this was known")


def assert_same(told: dict[str, Any] | None, expected: dict[str, Any]) -> None:
    assert told is not None
    assert told.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(told[name], array)
        assert told[name].dtype == array.dtype
        assert told[name].shape == array.shape


def child(script: str, *arguments: Any, **how: Any) -> subprocess.Popen[str]:
    """A process of its own that runs a script; it begins with these imports."""
    lines = "import sys, time\nimport numpy as np\nfrom active_matting.cache import Cache, make_key\n"
    command = [sys.executable, "-c", lines + script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def kill(process: subprocess.Popen[str], once_it_says: str, after: float = 0) -> None:
    with process:
        assert process.stdout is not None
        told = process.stdout.readline()
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        assert told == once_it_says + "\n"


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def test_what_was_made_once_is_found_again(tmp_path: Path) -> None:
    assert Cache(tmp_path).get("sample", KEY) is None
    assert_same(Cache(tmp_path).arrays("sample", KEY, lambda: VALUES), VALUES)
    told = Cache(tmp_path).arrays("sample", KEY, refuse)
    assert_same(told, VALUES)
    told["image"][:] = 0  # the caller's own
    assert_same(Cache(tmp_path).get("sample", KEY), VALUES)
    assert Cache(tmp_path).get("other", KEY) is None
    assert Cache(tmp_path).get("sample", make_key(of="that")) is None


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.bool_]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    )
)
def test_arrays_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, array: Any) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    expected = {"array": array, "turned": array.T, "every other": array[..., ::2] if array.ndim else array}
    cache.put("sample", KEY, expected)
    assert_same(cache.get("sample", KEY), expected)


def test_files_that_are_cut_off_anywhere_are_made_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("sample", KEY, VALUES)
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    for length in [*range(0, 200, 7), *range(200, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert cache.get("sample", KEY) is None
        assert not path.exists()
    assert_same(cache.arrays("sample", KEY, lambda: VALUES), VALUES)
    assert path.read_bytes() == whole


def test_files_in_which_one_bit_has_changed_are_made_anew(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("sample", KEY, VALUES)
    (path,) = entries(tmp_path)
    whole = path.read_bytes()
    for place in [*range(0, 200, 3), *range(200, len(whole), 101), len(whole) - 1]:
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        assert cache.get("sample", KEY) is None, place
    path.write_bytes(whole + b"\0")
    assert cache.get("sample", KEY) is None


def test_an_entry_under_another_ones_name_is_not_believed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.put("sample", KEY, VALUES)
    other = make_key(of="that")
    (path,) = entries(tmp_path)
    path.rename(tmp_path / f"sample-{other}.cache")
    assert cache.get("sample", other) is None


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / f"sample-{KEY}.cache").write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path / "harm") + b"'\ntR.")
    assert cache.get("sample", KEY) is None
    assert not (tmp_path / "harm").exists()


def test_a_writer_that_is_killed_half_way_leaves_nothing_that_is_believed(tmp_path: Path) -> None:
    script = """
class HalfWay:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *_): self.file.close()
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        print("half", flush=True)
        time.sleep(60)

import active_matting.cache as module
module.open = lambda path, mode: HalfWay(open(path, mode))
Cache(sys.argv[1]).put("sample", sys.argv[2], {"big": np.ones((4000, 1000), np.float32)})
"""
    process = child(script, tmp_path, KEY)
    kill(process, once_it_says="half")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    assert left.stat().st_size > 8_000_000

    cache = Cache(tmp_path)
    assert cache.get("sample", KEY) is None
    assert_same(cache.arrays("sample", KEY, lambda: VALUES), VALUES)
    assert left.exists()  # it might be somebody's, yet
    assert cache.size() > 8_000_000
    os.utime(left, (0, time.time() - STALE - 60))
    cache.put("sample", make_key(of="that"), VALUES)
    assert not left.exists()
    assert_same(cache.get("sample", KEY), VALUES)


def test_writers_killed_at_any_time_leave_whole_entries_or_none(tmp_path: Path) -> None:
    script = """
kept = Cache(sys.argv[1])
print("ready", flush=True)
for number in range(10_000):
    kept.put("sample", make_key(number=number), {"value": np.full(300_000, number, np.int64)})
"""
    rng = random.Random(0)
    for trial in range(4):
        folder = tmp_path / str(trial)
        process = child(script, folder)
        kill(process, once_it_says="ready", after=rng.uniform(0.02, 0.2))
        cache = Cache(folder)
        whole = [number for number in range(1000) if (folder / f"sample-{make_key(number=number)}.cache").exists()]
        assert whole == list(range(len(whole)))
        for number in whole:
            assert_same(cache.get("sample", make_key(number=number)), {"value": np.full(300_000, number)})


def test_processes_that_write_the_same_entry_leave_one_and_readers_see_no_half(tmp_path: Path) -> None:
    script = """
kept = Cache(sys.argv[1])
for _ in range(30):
    kept.put("sample", sys.argv[2], {"value": np.arange(300_000)})
"""
    processes = [child(script, tmp_path, KEY) for _ in range(2)]
    cache, seen = Cache(tmp_path), 0
    while any(process.poll() is None for process in processes):
        told = cache.get("sample", KEY)
        if told is not None:
            assert_same(told, {"value": np.arange(300_000)})
            seen += 1
    assert [process.communicate()[1] for process in processes] == ["", ""]
    assert [process.returncode for process in processes] == [0, 0]
    assert seen > 0
    assert len(list(tmp_path.iterdir())) == 1
    assert_same(cache.get("sample", KEY), {"value": np.arange(300_000)})


def test_what_was_unused_for_longest_makes_room(tmp_path: Path) -> None:
    value = {"value": np.zeros(25_000, np.float32)}  # 100 kB and a little
    cache = Cache(tmp_path, limit_bytes=350_000)
    keys = [make_key(number=number) for number in range(5)]
    for number, key in enumerate(keys[:3]):
        cache.put("sample", key, value)
        os.utime(tmp_path / f"sample-{key}.cache", (0, 1000 + number))
    assert cache.get("sample", keys[0]) is not None  # which makes it the youngest
    cache.put("sample", keys[3], value)
    os.utime(tmp_path / f"sample-{keys[3]}.cache", (0, 2000))
    assert {key for key in keys if cache.get("sample", key)} == {keys[0], keys[2], keys[3]}
    os.utime(tmp_path / f"sample-{keys[0]}.cache", (0, 500))
    cache.put("sample", keys[4], value)
    assert cache.get("sample", keys[0]) is None
    assert cache.size() <= 350_000
    assert len(entries(tmp_path)) == 3


def test_the_limit_holds_whatever_is_put(tmp_path: Path) -> None:
    rng, cache = np.random.default_rng(0), Cache(tmp_path, limit_bytes=20_000)
    for number in range(40):
        cache.put("sample", make_key(number=number), {"value": np.zeros(rng.integers(1, 8000), np.uint8)})
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == cache.size() <= 20_000
    cache.put("sample", KEY, {"value": np.zeros(20_000, np.uint8)})  # never fits, and pushes nothing out
    assert cache.get("sample", KEY) is None
    assert cache.contents()["sample"][0] > 1
    smaller = Cache(tmp_path, limit_bytes=5000)
    smaller.put("sample", KEY, {"value": np.zeros(10, np.uint8)})
    assert smaller.size() <= 5000
    with pytest.raises(InvalidArgumentError, match="limit_bytes must be at least 1, got 0"):
        Cache(tmp_path, limit_bytes=0)


def test_clearing_removes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.clear() == 0
    cache.put("sample", KEY, VALUES)
    cache.put("ideal-sequence", KEY, VALUES)
    (tmp_path / ".abcd_123.cache").write_bytes(b"half")
    for name in ("mine.cache", ".hidden.cache", "notes.txt"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    assert cache.contents().keys() == {"sample", "ideal-sequence"}
    assert {count for count, _ in cache.contents().values()} == {1}
    size = cache.size()
    assert size == 4 + sum(each for _, each in cache.contents().values())
    assert cache.clear() == size
    assert cache.size() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mine.cache", ".hidden.cache", "notes.txt"}
    assert cache.get("sample", KEY) is None


def test_where_nothing_can_be_written_all_goes_on_and_one_line_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()  # modes alone do not keep a superuser out
    cache = Cache(tmp_path / "file" / "cache")
    for _ in range(3):
        assert_same(cache.arrays("sample", KEY, lambda: VALUES), VALUES)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "going on without the cache" in caplog.text
    assert cache.size() == cache.clear() == 0


def test_a_full_disk_is_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        for _ in range(3):
            assert_same(cache.arrays("sample", KEY, lambda: VALUES), VALUES)
    assert list(tmp_path.iterdir()) == []
    assert len(caplog.records) == 1
    assert "No space left on device; going on without the cache" in caplog.text
    cache.put("sample", KEY, VALUES)  # there is room again
    assert_same(cache.get("sample", KEY), VALUES)


def test_an_entry_that_is_removed_while_it_is_listed_is_passed_over(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number in range(3):
        cache.put("sample", make_key(number=number), VALUES)
    files = cache._files()
    next(files)
    Cache(tmp_path).clear()
    assert list(files) == []


def test_names_that_are_no_key_are_refused(tmp_path: Path) -> None:
    for kind, key in (("sample", "../../etc/passwd"), ("Sample", KEY), ("../sample", KEY), ("", KEY), ("sample", "")):
        with pytest.raises(InvalidArgumentError, match="an entry needs a kind such as 'sample'"):
            Cache(tmp_path).get(kind, key)


def test_keys_tell_parts_apart() -> None:
    told = {make_key(a=1), make_key(a=2), make_key(b=1), make_key(a="1"), make_key(a=[1]), make_key(a=1.5), make_key()}
    assert len(told) == 7
    assert make_key(a={"x": 1, "y": 2}) == make_key(a={"y": 2, "x": 1})
    for part in ({1}, float("nan"), Path("a")):
        with pytest.raises(InvalidArgumentError, match="a key is made of what JSON can hold"):
            make_key(part=part)


def test_hashes_of_arrays_tell_values_shapes_and_types_apart() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    others: list[Any] = [array.T, array.ravel(), array.astype(np.int64), array + 1, array[::-1]]
    assert len({hash_of_arrays(each) for each in (array, *others)}) == 6
    assert hash_of_arrays(array) == hash_of_arrays(np.asfortranarray(array))
    assert hash_of_arrays(array, array) != hash_of_arrays(array)


def test_the_hash_of_a_file_follows_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    first = hash_of_file(path)
    path.write_bytes(b"two")  # at once, and as long
    second = hash_of_file(path)
    assert first != second
    os.utime(path, (0, 1000))
    assert hash_of_file(path) == second
    with monkeypatch.context() as patched:
        patched.setattr("active_matting.cache.hashlib", None)  # remembered: not read again
        assert hash_of_file(str(path)) == second
    path.write_bytes(b"one")
    os.utime(path, (0, 2000))
    assert hash_of_file(path) == first
    with pytest.raises(FileError, match=r"cannot read .*missing"):
        hash_of_file(tmp_path / "missing")


def test_the_hash_of_code_covers_all_files_of_a_folder(tmp_path: Path) -> None:
    told = set()
    for number, name in enumerate(("a.py", "inner/b.py", "weights.safetensors", "__pycache__/c.pyc")):
        folder = tmp_path / str(number)  # as folders are read once
        for each in ("a.py", "inner/b.py", "weights.safetensors", "__pycache__/c.pyc"):
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_text("changed" if each == name else "")
        told.add(hash_of_code(folder))
    assert len(told) == 4  # the last is that of nothing changed
    (tmp_path / "3" / "__pycache__" / "c.pyc").write_text("again")
    assert hash_of_code(tmp_path / "3" / ".") in told


def test_the_default_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACTIVE_MATTING_CACHE", str(tmp_path / "mine"))
    assert default_folder() == Cache().folder == tmp_path / "mine"
    monkeypatch.delenv("ACTIVE_MATTING_CACHE")
    for platform, names in {
        "linux": {"XDG_CACHE_HOME": tmp_path / "xdg"},
        "win32": {"LOCALAPPDATA": tmp_path / "local"},
        "darwin": {},
    }.items():
        monkeypatch.setattr(sys, "platform", platform)
        for name, folder in names.items():
            monkeypatch.setenv(name, str(folder))
            assert default_folder() == folder / "active-matting"
            monkeypatch.delenv(name)
        assert default_folder().name == "active-matting"
        assert default_folder().is_relative_to(Path.home())


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("ACTIVE_MATTING_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "expanduser", fail)
    with pytest.raises(FileError, match=r"no place for a cache .*; name one in ACTIVE_MATTING_CACHE"):
        Cache()
