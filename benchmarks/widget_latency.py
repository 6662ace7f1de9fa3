"""From an answer to the shown matte and the next question, as a notebook or a page gets them, in its parts.

example: python benchmarks/widget_latency.py --solver shared --answers 15
"""

import argparse
import statistics
import tempfile
import time
from typing import Any

from active_matting.agents import make_agent
from active_matting.annotators import make_annotator
from active_matting.data.rendered import Rendered
from active_matting.session import QuerySession
from active_matting.solvers.named import NamedSolver
from active_matting.solvers.warm_up import warm_up
from active_matting.widget.controller import Controller
from active_matting.widget.outputs import Outputs

PARTS = ("kept", "solve", "matte", "suggestion")


def main() -> None:
    """Print the median and the quartiles of each part, in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solver", default="shared", help="NAME or 'NAME {JSON}' (%(default)s)")
    parser.add_argument("--agent", default="spatial", help="by name (%(default)s)")
    parser.add_argument("--size", type=int, default=400, help="of the image, pixels (%(default)s)")
    parser.add_argument("--images", type=int, default=3, help="how many (%(default)s)")
    parser.add_argument("--answers", type=int, default=12, help="on each; the first two are not counted (%(default)s)")
    given = parser.parse_args()
    warm_up(NamedSolver.read(given.solver).make())
    times: dict[str, list[float]] = {part: [] for part in PARTS}
    for sample in Rendered(split="test", count=given.images, size=given.size):
        session = QuerySession(sample.image, NamedSolver.read(given.solver).make(), make_agent(given.agent))
        for part, values in answer(session, make_annotator("exact", sample.alpha), given.answers).items():
            times[part] += values
    print("| part | ms, median (quartiles) |\n|---|---|")
    for part, values in times.items():
        low, middle, high = statistics.quantiles([1000 * value for value in values], n=4)
        print(f"| {part} | {middle:.0f} ({low:.0f}–{high:.0f}) |")


def answer(session: QuerySession, user: Any, count: int) -> dict[str, list[float]]:
    """Seconds, for each answer, until it was kept, within the solve, until the matte, and until the next question."""
    events: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        controller = Controller(session, lambda event, _: events.append(event), outputs=Outputs.into(folder))
        times: dict[str, list[float]] = {part: [] for part in PARTS}
        for number in range(count):
            with controller.idle():
                label = user.answer(controller.asked)
            started = time.perf_counter()
            controller.receive({"do": "answer", "label": label.name.lower()})
            kept = time.perf_counter() - started
            with controller.idle():
                last = [event for event in events if event["event"] == "state"][-1]["seconds"]
            if number >= 2 and last["solve"] > 0.001:  # a mixed region tells the solver nothing new
                for part, value in {"kept": kept, **last}.items():
                    times[part].append(value)
        controller.close()
    return times


if __name__ == "__main__":
    main()
