"""The command line: what it does, and that bad input is answered by one line."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from treasure import tiny_policy

from active_matting.agents import recipe as recipe_module
from active_matting.agents.cli import COMMANDS, demo, main
from active_matting.agents.recipe import load_recipe
from active_matting.agents.trained import save_agent
from active_matting.data.images import read_alpha, read_cutout, read_image, read_trimap, write_alpha, write_image
from active_matting.data.rendered import Rendered
from active_matting.labels import from_trimap
from active_matting.metrics import all_metrics
from active_matting.solvers import SOLVERS, make_solver

Run = pytest.CaptureFixture[str]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with photo.png, alpha.png and trimap.png of one rendered image, 60×60."""
    sample = Rendered(split="validation", count=1, size=60)[0]
    write_image(tmp_path / "photo.png", sample.image)
    write_alpha(tmp_path / "alpha.png", sample.alpha)
    alpha = read_alpha(tmp_path / "alpha.png")
    unknown = cv2.dilate(((alpha > 0.02) & (alpha < 0.98)).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    write_alpha(tmp_path / "trimap.png", np.where(unknown, 0.5, np.round(alpha)).astype(np.float32))
    return tmp_path


def help_of(command: str, capsys: Run) -> str:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_explained(command: str, capsys: Run) -> None:
    text = help_of(command, capsys)
    options = text[text.index("options:") :]
    entries = re.findall(r"^  (?:-\w, )?(--[\w-]+)(.*(?:\n {8,}.*)*)", options, flags=re.MULTILINE)
    assert len(entries) >= 1
    for name, rest in entries:
        assert re.search(r"\s{2,}\S", rest), f"{command} {name} has no explanation"


def test_solvers_are_listed_with_their_parameters(capsys: Run) -> None:
    assert main(["solvers"]) == 0
    told = capsys.readouterr().out
    for name in SOLVERS.names():
        assert f"{name}\n" in told
    assert "epsilon=1e-07" in told
    assert "segmenter='cues', segmenter_kwargs={}, solver='shared'" in told


def test_solve_writes_what_the_solver_answers_and_measures_it(photo: Path, capsys: Run) -> None:
    out = photo / "new" / "matte.png"
    arguments = ["solve", str(photo / "photo.png"), "--trimap", str(photo / "trimap.png"), "--alpha", str(out)]
    arguments += ["--solver", "random-walk", "--solver-options", '{"sigma": 0.05}', "--truth", str(photo / "alpha.png")]
    assert main(arguments) == 0
    label_map = from_trimap(read_trimap(photo / "trimap.png"))
    alpha = make_solver("random-walk", sigma=0.05).prepare(read_image(photo / "photo.png")).solve(label_map).alpha
    np.testing.assert_allclose(read_alpha(out), alpha, atol=0.5 / 255 + 1e-6)
    told = capsys.readouterr().out
    for name, value in all_metrics(alpha, read_alpha(photo / "alpha.png")).items():
        assert f"{name}: {value:.4f}" in told


def test_solve_cuts_the_object_out(photo: Path, capsys: Run) -> None:
    out, cutout = photo / "alpha.png", photo / "object.png"
    arguments = ["solve", str(photo / "photo.png"), "--trimap", str(photo / "trimap.png"), "--solver", "closed-form"]
    assert main([*arguments, "--alpha", str(out), "--output", str(cutout)]) == 0
    assert f"cutout: {cutout}\n" in capsys.readouterr().out
    colours, alpha = read_cutout(cutout)
    image, written = read_image(photo / "photo.png"), read_alpha(out)
    np.testing.assert_array_equal(alpha, written)
    is_told = read_trimap(photo / "trimap.png") == 1
    np.testing.assert_allclose(colours[is_told], image[is_told], atol=1e-6)
    alone = photo / "cutout.png"
    assert main([*arguments, "--output", str(alone)]) == 0
    assert capsys.readouterr().out == f"cutout: {alone}\n"
    assert alone.read_bytes() == cutout.read_bytes()
    new = photo / "new.png"
    assert main([*arguments, "--alpha", str(new), "--output", str(photo / "object.jpg")]) == 1
    assert "object.jpg must end in one of .png" in capsys.readouterr().err
    assert not new.exists()


def test_warming_up_says_where_compiled_code_is_kept(capsys: Run) -> None:
    assert main(["warm-up", "random-walk", "closed-form"]) == 0
    told = capsys.readouterr().out
    assert "random-walk: " in told
    assert "closed-form: " in told
    (folder, *_) = re.findall(r"kept in: (.*)", told)
    assert list(Path(folder).glob("*.nbi"))
    assert main(["warm-up", "nothing"]) == 1
    assert "unknown solver 'nothing'" in capsys.readouterr().err


def test_what_is_kept_is_used_listed_and_removed(photo: Path, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = photo / "kept"
    monkeypatch.setenv("ACTIVE_MATTING_CACHE", str(kept))
    arguments = ["evaluate", "--count", "2", "--image-size", "40", "--region-size", "8", "--budget", "2"]
    arguments += ["--agent", "greedy-ideal", "--solver", "random-walk", "--workers", "1", "--output"]
    for number, cache in enumerate(([], ["--cache"], ["--cache"], ["--cache", str(kept)])):
        assert main([*arguments, str(photo / str(number)), *cache]) == 0
    rows = [(photo / str(number) / "episodes.csv").read_text() for number in range(4)]
    assert len(set(rows)) == 1
    capsys.readouterr()

    assert main(["cache"]) == 0
    told = capsys.readouterr().out
    assert f"folder: {kept}\n" in told
    assert "ideal-sequence: 2, " in told
    assert "sample: 2, " in told
    assert len(list(kept.iterdir())) == 4
    assert main(["cache", "--folder", str(photo), "--clear"]) == 0
    assert len(list(kept.iterdir())) == 4
    assert main(["cache", "--clear"]) == 0
    assert list(kept.iterdir()) == []
    assert "removed: 0.0 MB" in capsys.readouterr().out
    assert (photo / "photo.png").exists()


def test_a_folder_without_faults_is_checked(photo: Path, capsys: Run) -> None:
    for index, name in enumerate(("original", "mask", "trimap")):
        (photo / "set" / name).mkdir(parents=True)
        (photo / ("photo.png", "alpha.png", "trimap.png")[index]).rename(photo / "set" / name / "a.png")
    (photo / "set" / "LICENSE").touch()
    assert main(["data", "check", str(photo / "set")]) == 0
    told = capsys.readouterr().out
    for line in ("read as: aim-500", "samples: 1, of which 1 can be read", "trimaps: 1", "licence: LICENSE"):
        assert f"{line}\n" in told
    assert main(["data", "check", str(photo / "set"), "--options", '{"trimaps": false}']) == 0
    told = capsys.readouterr().out
    assert 'read as: aim-500 {"trimaps": false}\n' in told
    assert "trimaps: 0\n" in told


def test_faults_of_a_folder_are_told_and_make_the_check_fail(photo: Path, capsys: Run) -> None:
    spoil(photo)
    Image.open(photo / "photo.png").save(photo / "pairs" / "images" / "b.png")
    Image.new("L", (60, 60)).save(photo / "pairs" / "masks" / "b.png")
    Image.open(photo / "photo.png").save(photo / "pairs" / "images" / "c.png")
    assert main(["data", "check", str(photo / "pairs")]) == 1
    told = capsys.readouterr()
    assert "missing files: 1\n  masks/c.*\n" in told.out
    assert "sizes that differ: 1\n" in told.out
    assert told.err.splitlines()[-1] == f"active-matting: error: {photo / 'pairs'} has 2 faults, told above"


def test_evaluate_knows_the_layouts_of_data_sets(photo: Path, capsys: Run) -> None:
    for index, name in enumerate(("original", "mask")):
        (photo / "set" / name).mkdir(parents=True)
        (photo / ("photo.png", "alpha.png")[index]).rename(photo / "set" / name / "a.png")
    arguments = ["evaluate", "--data", str(photo / "set"), "--image-size", "40", "--region-size", "3", "--budget", "2"]
    arguments += ["--agent", "random", "--solver", "random-walk", "--workers", "1", "--output", str(photo / "o")]
    assert main(arguments) == 0
    assert "| random-walk | random | 1 " in capsys.readouterr().out
    assert main([*arguments, "--trimaps", "trimap"]) == 1
    assert "--trimaps needs images/ and alphas/ or masks/" in capsys.readouterr().err


def test_suggest_asks_a_simulated_user(photo: Path, capsys: Run) -> None:
    save_agent(tiny_policy(), photo / "agent")
    arguments = ["suggest", str(photo / "photo.png"), "--agent", str(photo / "agent"), "--region-size", "3"]
    arguments += ["--budget", "4", "--truth", str(photo / "alpha.png"), "--alpha", str(photo / "matte.png")]
    arguments += ["--session", str(photo / "said.json"), "--picture", str(photo / "asked.png")]
    arguments += ["--output", str(photo / "object.png")]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert len(re.findall(r"^\d\. centre", told, flags=re.MULTILINE)) == 4
    np.testing.assert_array_equal(read_cutout(photo / "object.png")[1], read_alpha(photo / "matte.png"))
    assert read_image(photo / "asked.png").shape == (60, 60, 3)
    content = json.loads((photo / "said.json").read_text())
    assert len(content["interactions"]) == 4

    # The answers that were saved make the same matte again.
    again = ["solve", str(photo / "photo.png"), "--session", str(photo / "said.json"), "--alpha", str(photo / "2.png")]
    assert main(again) == 0
    np.testing.assert_array_equal(read_alpha(photo / "2.png"), read_alpha(photo / "matte.png"))


def test_suggest_asks_a_person_at_the_terminal(photo: Path, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Typed:
        lines = iter(["what?\n", "f\n", "b\n", "u\n", "s\n", "m\n", "q\n"])

        def readline(self) -> str:
            return next(self.lines)

    monkeypatch.setattr(sys, "stdin", Typed())
    said = photo / "said.json"
    arguments = ["suggest", str(photo / "photo.png"), "--region-size", "3", "--session", str(said)]
    arguments += ["--output", str(photo / "matte.png"), "--picture", str(photo / "asked.png"), "--seed", "1"]
    assert main(arguments) == 0
    assert "f foreground, b background" in capsys.readouterr().out
    labels = [entry.get("label", entry["kind"]) for entry in json.loads(said.read_text())["interactions"]]
    assert labels == ["foreground", "skip", "transition"]
    assert (photo / "asked.png").exists()

    # Going on with the session keeps what was said; the end of the input is enough.
    monkeypatch.setattr(Typed, "lines", iter(["b\n", ""]))
    assert main(arguments) == 0
    labels = [entry.get("label", entry["kind"]) for entry in json.loads(said.read_text())["interactions"]]
    assert labels == ["foreground", "skip", "transition", "background"]
    assert not (photo / "said.json~").exists()  # it is the same session


EVALUATE = ["evaluate", "--image-size", "40", "--region-size", "3", "--budget", "5", "--workers", "1", "--limit", "2"]


def test_evaluate_prints_a_table_and_leaves_a_report(tmp_path: Path, capsys: Run) -> None:
    arguments = [*EVALUATE, "--agent", "random", "--agent", "error-seeking", "--solver", "random-walk", "--output"]
    assert main([*arguments, str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert told.startswith('Protocol "regions": images 40×40 px')
    assert re.search(r"\| random-walk +\| error-seeking +\| 2 ", told)
    assert f"figure3: {tmp_path / 'figure3.png'}\n" in told
    left = {path.name for path in tmp_path.iterdir()}
    assert left >= {"episodes.csv", "figure3.png", "finished", "summary.md", "table1.md"}
    assert "transfer.md" not in left


def test_evaluate_takes_several_data_sets_solvers_and_runs(photo: Path, capsys: Run) -> None:
    for index, name in enumerate(("images", "alphas", "trimaps")):
        (photo / "set" / name).mkdir(parents=True)
        (photo / ("photo.png", "alpha.png", "trimap.png")[index]).rename(photo / "set" / name / "a.png")
    folder = json.dumps({"path": str(photo / "set")})
    arguments = [*EVALUATE, "--output", str(photo / "out"), "--seed", "3"]
    for data in (str(photo / "set"), f"plain=folder {folder}", 'fur=rendered {"count": 3, "families": ["fur"]}'):
        arguments += ["--data", data]
    for agent in ("mine=random", "mine=small", "bound=error-seeking", "at once@each=random"):
        arguments += ["--agent", agent]
    arguments += ["--solver", "random-walk", "--solver", 'closed-form {"epsilon": 1e-5}']
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert len(re.findall(r"^\| (?:set|plain|fur) +\| .+ \| (?:mine|bound|at once) ", told, flags=re.MULTILINE)) == 18
    assert re.search(r"^\| set +\| random-walk +\| mine +\| 1 +\| 2 ", told, flags=re.MULTILINE)
    assert "at once = random" in told
    text = (photo / "out" / "table1.md").read_text(encoding="utf-8")
    assert text.count("| trimap ") == 2
    assert text.count("| all pure ") == 6
    assert "matted with closed-form" in (photo / "out" / "transfer.md").read_text(encoding="utf-8")
    rows = (photo / "out" / "episodes.csv").read_text(encoding="utf-8")
    assert main([*arguments, "--no-transfer"]) == 0
    assert (photo / "out" / "episodes.csv").read_text(encoding="utf-8") == rows


def test_clicks_prints_a_table_and_leaves_rows_and_a_plot(photo: Path, capsys: Run) -> None:
    for index, name in enumerate(("images", "alphas")):
        (photo / "set" / name).mkdir(parents=True)
        (photo / ("photo.png", "alpha.png")[index]).rename(photo / "set" / name / "a.png")
    arguments = ["clicks", "--data", str(photo / "set"), "--clicks", "3", "--radius", "2", "--workers", "1"]
    arguments += ["--solver", "random-walk", "--solver", 'segment-dilate-matte {"segmenter": "random-walk"}']
    assert main([*arguments, "--solver-options", "{}", "--output", str(photo / "mattes")]) == 0
    told = capsys.readouterr().out
    assert 'segment-dilate-matte {"segmenter": "random-walk"} | 1 ' in told
    assert "RMSE at 3" in told
    assert "matting, robot largest-error, discs of radius 2 px\n" in told
    left = sorted(path.name for path in (photo / "mattes").iterdir())
    assert left == ["clicks.csv", "clicks.png", "finished"]

    # The same alphas as masks are selections; what is neither 0 nor 1 is ignored.
    (photo / "set" / "alphas").rename(photo / "set" / "masks")
    arguments += ["--size", "40", "--output", str(photo / "selections")]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "NoC@90 (failed)" in told
    assert "segmentation, robot largest-region, discs of radius 2 px\n" in told
    rows = (photo / "selections" / "clicks.csv").read_text()
    assert rows.splitlines()[0] == "solver,sample,click,y,x,label,corrective,iou"
    assert main(arguments) == 0
    assert (photo / "selections" / "clicks.csv").read_text() == rows
    capsys.readouterr()
    assert main([*arguments, "--robot", "largest-error", "--measure", "matting"]) == 0
    assert "matting, robot largest-error" in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo_leaves_all_it_promises(tmp_path: Path, capsys: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = load_recipe("demo")
    few = {**real.environment, "data_kwargs": {**real.environment["data_kwargs"], "count": 8}}
    short = replace(real, environment=few, training=replace(real.training, warm_start=10))
    monkeypatch.setattr(recipe_module, "load_recipe", {"demo": short}.__getitem__)
    monkeypatch.setattr(demo, "SIZE", 40)
    arguments = ["demo", "--updates", "1", "--images", "2", "--workers", "1", "--output", str(tmp_path)]
    assert main(arguments) == 0
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    promised = {"agent/weights.safetensors", "agent/config.json", "episodes.csv", "rmse.png", "contact_sheet.png"}
    assert promised <= left
    told = capsys.readouterr().out
    assert re.search(r"\| shared +\| random +\| 2 ", told)
    for name in ("agent", "episodes.csv", "rmse.png", "contact_sheet.png"):
        assert str(tmp_path / name) in told


@pytest.mark.slow
def test_training_stops_goes_on_and_is_not_written_over(tmp_path: Path, capsys: Run) -> None:
    recipe, output = tmp_path / "mine.toml", tmp_path / "agent"
    size = "image_size = 32\n"
    environment = (
        f'{size}region_size = 3\nbudget = 2\nsolver = "random-walk"\ndata_kwargs = {{ count = 2, size = 32 }}\n'
    )
    network = f"{size}patch_size = 7\nchannels = [4]\nconvolutions = [1]\nhidden_sizes = []\nfeature_size = 8\n"
    table = f"[environment]\n{environment}[network]\n{network}[training]\nupdates = 2\nenvironments = 2\n"
    recipe.write_text(table)
    arguments = ["train", str(recipe), "--output", str(output)]
    assert main([*arguments, "--minutes", "0"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "out of time: 0 of 2 updates",
        f"agent: {output}",
        "to go on, give the same command again with --resume",
    ]
    assert main([*arguments, "--resume"]) == 0
    assert capsys.readouterr().out.splitlines() == ["finished: 2 of 2 updates", f"agent: {output}"]
    assert {path.name for path in output.iterdir()} == {"checkpoint.safetensors", "config.json", "weights.safetensors"}
    assert main(arguments) == 1
    assert "has a checkpoint: resume it" in capsys.readouterr().err


def spoil(photo: Path) -> None:
    """Put one bad file of every kind beside the good ones."""
    whole = (photo / "photo.png").read_bytes()
    (photo / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (photo / "words.png").write_text("not a picture")
    Image.open(photo / "photo.png").convert("CMYK").save(photo / "inks.tif")
    Image.new("RGBA", (60, 60), (9, 9, 9, 100)).save(photo / "glass.png")
    Image.new("L", (50, 60)).save(photo / "small.png")
    Image.new("RGB", (60, 60), (200, 10, 10)).save(photo / "red.png")
    (photo / "session.json").write_text('{"format": 1, "shape": [60, 60]}')
    for name in ("images", "masks"):
        (photo / "pairs" / name).mkdir(parents=True)
    Image.open(photo / "photo.png").save(photo / "pairs" / "images" / "a.png")
    Image.new("L", (50, 60)).save(photo / "pairs" / "masks" / "a.png")
    (photo / "lonely" / "images").mkdir(parents=True)
    (photo / "lonely" / "alphas").mkdir()
    Image.open(photo / "photo.png").save(photo / "lonely" / "images" / "b.png")


SOLVE = "solve {0}/photo.png --trimap {0}/trimap.png --output {0}/out.png"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (SOLVE.replace("photo", "missing"), "missing.png does not exist"),
        (SOLVE.replace("photo", "truncated"), "truncated.png cannot be read"),
        (SOLVE.replace("photo", "words"), "words.png is not a picture in a known format"),
        (SOLVE.replace("photo.png", "inks.tif"), "inks.tif has colour mode CMYK"),
        (SOLVE.replace("photo", "glass"), "glass.png is partly transparent"),
        (SOLVE.replace("photo.png", ""), "is a folder, not a picture"),
        (SOLVE.replace("trimap.png", "small.png"), "small.png must have the image's size 60×60, got 50×60"),
        (SOLVE.replace("trimap.png", "red.png"), "red.png is coloured"),
        (SOLVE.replace("out.png", "out.xyz"), "out.xyz must end in one of"),
        (SOLVE.replace("out.png", "photo.png/out.png"), "cannot write"),
        (SOLVE.replace(" --output {0}/out.png", ""), "nothing would be written: give --output FILE"),
        (SOLVE + " --solver knnn", "unknown solver 'knnn'; choose from"),
        (SOLVE + " --solver-options {{", "--solver-options must be JSON"),
        (SOLVE + " --solver-options [1]", "--solver-options must be a JSON object"),
        (SOLVE + ' --solver-options {{"size":1}}', "it takes"),
        (SOLVE + " --truth {0}/small.png", "small.png must have the image's size"),
        ("solve {0}/photo.png --session {0}/session.json --output {0}/out.png", "session.json is not a whole session"),
        ("solve {0}/photo.png --session {0}/photo.png --output {0}/out.png", "is not a JSON file"),
        ("suggest {0}/photo.png --agent nobody --output {0}/out.png", "unknown agent 'nobody'"),
        ("suggest {0}/photo.png --agent {0}/pairs --output {0}/out.png", "config.json"),
        ("suggest {0}/photo.png --agent greedy-ideal --output {0}/out.png", "needs the environment"),
        ("suggest {0}/photo.png --region-size 70 --output {0}/out.png", "region_size must be from 1 to 60"),
        ("suggest {0}/photo.png --truth {0}/small.png --output {0}/out.png", "small.png must have the image's size"),
        ("evaluate --agent random --data {0}/pairs --output {0}/o", "a.png must have the size of a.png, 60×60"),
        ("evaluate --agent random --data {0}/lonely --output {0}/o", "lack files: alphas/b.*"),
        ("evaluate --agent random --data {0}/nowhere --output {0}/o", "nowhere does not exist"),
        ("evaluate --agent random --data {0}/set={0} --output {0}/o", "does not exist"),
        ("evaluate --agent random --data a=rendered --data a=rendered --output {0}/o", "data set 'a' is given twice"),
        ("evaluate --agent b@few=random --output {0}/o", "named as NAME, NAME@N or NAME@each, got b@few"),
        ("evaluate --agent random --agent random --output {0}/o", "is given twice"),
        ("evaluate --agent random --split best --output {0}/o", "split"),
        ("evaluate --agent random --region-size 500 --output {0}/o", "region_size must be from 1 to 400"),
        ("clicks --solver knnn --output {0}/o", "unknown solver 'knnn'; choose from"),
        ("clicks --solver knn --robot nobody --output {0}/o", "unknown robot 'nobody'; choose from"),
        ("clicks --solver knn --radius -1 --output {0}/o", "radius must be at least 0, got -1"),
        ("clicks --solver knn --limit 0 --output {0}/o", "limit must be at least 1, got 0"),
        ("clicks --solver knn --data {0}/nowhere --output {0}/o", "nowhere does not exist"),
        ("clicks --solver knn --data {0}/pairs --workers 1 --output {0}/o", "a.png must have the size of a.png"),
        ("data check {0}/nowhere", "nowhere does not exist"),
        ("data check {0}", "8 faults, told above"),
        ("data check {0}/pairs", "none of the 1 samples in"),
        ("data check {0}/lonely", "1 of 1 samples in"),
        ("data check {0} --source nothing", "unknown data source 'nothing'"),
        ("data check {0} --options {{", "--options must be JSON"),
        ("data check {0} --options [1]", "--options must be a JSON object"),
        ('data check {0}/pairs --options {{"size":1}}', "it takes"),
        ("train --data {0}/nowhere --output {0}/o", "nowhere is not a folder of images"),
        ("train --resume --output {0}/o", "checkpoint.safetensors cannot be read"),
        ("train --updates 0 --output {0}/o", "updates must be at least 1"),
        ("train nothing --output {0}/o", "unknown recipe 'nothing'; choose from"),
        ("train {0}/mine.toml --output {0}/o", "cannot read"),
        ("train demo --minutes -1 --output {0}/o", "minutes must be at least 0, or None, got -1"),
        ("train-network imatting-small --minutes nan --output {0}/o", "minutes must be at least 0, or None, got nan"),
        ("train-spatial spatial-demo --minutes -1 --output {0}/o", "minutes must be at least 0, or None, got -1"),
        ("train-region-cnn --minutes -1 --output {0}/o", "minutes must be at least 0, or None, got -1"),
        ("train demo --seed -1 --output {0}/o", "seed must be an integer from 0 to 4294967295, got -1"),
        ("train-spatial spatial-demo --seed -1 --output {0}/o", "seed must be an integer of at least 0, got -1"),
        ("train-region-cnn --seed -1 --output {0}/o", "seed must be an integer of at least 0, got -1"),
        ("evaluate --agent random --seed -1 --output {0}/o", "seed must be an integer of at least 0, got -1"),
        ("suggest {0}/photo.png --seed -1", "seed must be an integer of at least 0, got -1"),
        ("label {0}/photo.png --port 65536", "port must be an integer from 0 to 65535, got 65536"),
        ("demo --minutes -1 --output {0}/o", "minutes must be at least 0, or None, got -1"),
    ],
)
def test_bad_input_is_answered_by_one_line_and_nothing_is_written(
    arguments: str, words: str, photo: Path, capsys: Run
) -> None:
    spoil(photo)
    before = {path: path.stat().st_mtime_ns for path in photo.rglob("*")}
    assert main(arguments.format(photo).split(" ")) == 1
    told = capsys.readouterr()
    last = told.err.strip().splitlines()[-1]
    assert last.startswith("active-matting: error: ")
    assert words in last
    assert "Traceback" not in told.err
    assert {path: path.stat().st_mtime_ns for path in photo.rglob("*")} == before


def test_the_installed_command_tells_its_exit_status(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "active_matting.agents.cli"]
    done = subprocess.run([*command, "solvers"], capture_output=True, text=True)
    assert done.returncode == 0
    failed = subprocess.run(
        [*command, "solve", "no.png", "--trimap", "no.png", "--output", "a.png"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert failed.returncode == 1
    assert failed.stderr == "active-matting: error: no.png does not exist\n"
    assert subprocess.run(command, capture_output=True).returncode == 2
