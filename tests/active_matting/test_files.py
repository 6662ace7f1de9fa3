"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from active_matting.errors import FileError
from active_matting.files import read_json, write_json, written_whole

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def write_half(path: Path, error: type[BaseException]) -> None:
    with written_whole(path) as temporary:
        temporary.write_text("ha")
        raise error


def test_a_file_appears_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "note.txt"
    with written_whole(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent  # the same file system, so that renaming is one act
        assert temporary.suffix == ".txt"
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["note.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_half(tmp_path / "note.txt", error)
    assert os.listdir(tmp_path) == []


def test_a_block_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_half(path, ZeroDivisionError)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["note.txt"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("old")
    with written_whole(str(path)) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_others_may_read_what_is_written_as_far_as_the_user_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "note.json", 1)
    finally:
        os.umask(before)
    assert (tmp_path / "note.json").stat().st_mode & 0o777 == 0o640


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "note.json"
    with pytest.raises(FileError, match=f"cannot write {path}: "):
        write_json(path, 1)
    with pytest.raises(FileError, match=f"cannot write {tmp_path}: "):
        write_json(tmp_path, 1)


def test_an_error_of_the_system_within_the_block_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    with pytest.raises(FileError, match=f"cannot write {path}: No space"), written_whole(path):
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(json_values)
def test_content_comes_back_from_json(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "content.json", content)
    assert read_json(tmp_path / "content.json") == content


def test_what_is_not_json_able_is_not_written(tmp_path: Path) -> None:
    write_json(tmp_path / "content.json", "old")
    with pytest.raises(TypeError):
        write_json(tmp_path / "content.json", {"set": {1}})
    assert read_json(tmp_path / "content.json") == "old"


@pytest.mark.parametrize("text", [b"", b"{", b"{'a': 1}", b"\xff\xfe"])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(text)
    with pytest.raises(FileError, match=f"{path} is not a JSON file: "):
        read_json(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=f"cannot read {tmp_path / 'missing.json'}: No such file"):
        read_json(tmp_path / "missing.json")
