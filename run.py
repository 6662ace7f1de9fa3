"""Set up a virtual environment beside this file and run the project in it; needs nothing but Python 3.11 or newer.

python3 run.py demo     train a small agent on the embedded images, measure it, and say where the results are
python3 run.py test     check style and types, and run all tests
"""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

COMMANDS = {
    "demo": [["-m", "active_matting.agents.cli", "demo"]],
    "test": [
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["-m", "mypy"],
        ["-m", "pytest"],
    ],
}


def main(arguments: list[str]) -> int:
    """Set up where needed, then run each step until one fails; further arguments go to the last step."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is what tells people with an older one)
        print(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    if not arguments or arguments[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    *steps, last = COMMANDS[arguments[0]]
    try:
        set_up()
        for step in [*steps, last + arguments[1:]]:
            subprocess.run([PYTHON, *step], cwd=ROOT, check=True)
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def set_up() -> None:
    """Make the environment and install the project into it, unless that was done for these very files."""
    sources = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    print(f"setting up {VENV}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    install = [PYTHON, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*install, "--editable", f"{ROOT}[test]"], check=True)
    stamp.write_text(digest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
