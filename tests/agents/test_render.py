"""`active-matting render`: from the command to a folder that other commands read."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from active_matting.agents.cli import main
from active_matting.data import make_data
from active_matting.data.images import write_image

Run = pytest.CaptureFixture[str]


def test_a_set_is_written_and_told_of(tmp_path: Path, capsys: Run) -> None:
    out = tmp_path / "set"
    arguments = ["render", "--count", "6", "--size", "40", "--families", "fur", "veil", "--split", "0.5", "0", "0.5"]
    assert main([*arguments, "--seed", "3", "--workers", "1", "--output", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"train: 3 images, {out / 'train'}",
        f"test: 3 images, {out / 'test'}",
        f"contact sheet: {out / 'contact_sheet.png'}",
    ]
    assert "6/6" in told.err
    read = make_data("folder", path=str(out / "test"))
    drawn = make_data("rendered", split="test", count=3, size=40, seed=3, families=["veil", "fur"])
    assert [sample.name for sample in read] == ["test-0000-veil", "test-0001-fur", "test-0002-veil"]
    for one, other in zip(read, drawn, strict=True):
        np.testing.assert_allclose(one.alpha, other.alpha, atol=1e-5)


def test_photographs_parts_and_the_classic_families_are_options(tmp_path: Path) -> None:
    for index in range(3):
        write_image(tmp_path / "photos" / f"{index}.png", np.full((40, 40, 3), 0.5, np.float32))
    arguments = ["render", "--count", "3", "--size", "40", "--families", "classic", "--parts", "--alpha-bits", "8"]
    arguments += ["--backgrounds", str(tmp_path / "photos"), "--workers", "1", "--output", str(tmp_path / "set")]
    assert main(arguments) == 0
    assert sorted(path.name for path in (tmp_path / "set" / "train").iterdir()) == [
        "alphas",
        "backgrounds",
        "foregrounds",
        "images",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--families fog", "unknown family 'fog'; choose from ['discs', "),
        ("--split 0.5 0.5 0.5", "shares must be three numbers of at least 0 that sum to 1"),
        ("--count 0", "count must be an integer of at least 1"),
        ("--workers 0", "workers must be an integer of at least 1"),
        ("--backgrounds {0}/none", "none does not exist"),
        ("--output {0}/full", "full is not empty"),
    ],
)
def test_bad_input_is_answered_by_one_line_and_nothing_is_written(
    arguments: str, words: str, tmp_path: Path, capsys: Run
) -> None:
    (tmp_path / "full" / "inside").mkdir(parents=True)
    given = ["render", "--output", str(tmp_path / "set"), *arguments.format(tmp_path).split(" ")]
    assert main(given) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("active-matting: error: ")
    assert words in last
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "inside"]


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal are sent to process groups")
def test_control_c_at_a_terminal_leaves_nothing_and_says_so_in_a_line(tmp_path: Path) -> None:
    # Where the tests themselves run in the background, their children would ignore the key.
    heeding = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heeding}\nimport sys\nfrom active_matting.agents.cli import main\nsys.exit(main())"
    command = [sys.executable, "-c", program, "render", "--count", "500", "--workers", "2"]
    with subprocess.Popen(
        [*command, "--output", str(tmp_path / "set")], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob(".set-*/train/alphas/*.png"))) < 12:  # so that both processes have begun
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told.rstrip().splitlines()[-1] == "active-matting: interrupted"
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
