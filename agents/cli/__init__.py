"""The command line `active-matting`. To add a command: a module in this folder and its name in `COMMANDS`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from active_matting import __version__
from active_matting.errors import ActiveMattingError

COMMANDS = (
    "demo",
    "train",
    "train-network",
    "train-region-cnn",
    "train-spatial",
    "evaluate",
    "clicks",
    "render",
    "suggest",
    "label",
    "solve",
    "solvers",
    "data",
    "warm-up",
    "cache",
)

DESCRIPTION = """\
Active image matting: where should the user point next, so that a good alpha matte needs the fewest answers?
Start with `active-matting demo`; `active-matting COMMAND --help` explains each command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0, or 1 after an error that is told in one line, or 130 when interrupted."""
    parser = argparse.ArgumentParser(
        prog="active-matting", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"active-matting {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"active_matting.agents.cli.{name.replace('-', '_')}")
        summary, _, rest = (module.__doc__ or "").partition("\n\n")
        command = commands.add_parser(
            name,
            help=summary.rstrip("."),
            description=f"{summary}\n\n{rest}",
            formatter_class=_HelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except ActiveMattingError as error:
        print(f"active-matting: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("active-matting: interrupted", file=sys.stderr)
        return 130
    return 0


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Paragraphs as written, and every option's default."""
