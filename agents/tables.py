"""What figures are made of: each image's value, its mean over images, one agent against another, Table 1, transfer."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from active_matting.agents.episodes import Episode, read_at
from active_matting.agents.intervals import mean_and_interval
from active_matting.agents.replays import ALL_PURE, TRIMAP, Reference, Transfer

Row = dict[str, Any]
Each = TypeVar("Each")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Curves:
    """A metric of several images after several queries; `values` is float64 `(images, queries)`."""

    samples: tuple[str, ...]
    queries: tuple[int, ...]
    values: NDArray[np.float64]

    def at(self, query: int) -> NDArray[np.float64]:
        """Each image's value after so many queries, `(images,)`."""
        return self.values[:, self.queries.index(query)]


def curves(episodes: Iterable[Episode], metric: str = "rmse") -> Curves:
    """Each image's metric, averaged over the runs and seeds in which it was measured, after every query it was."""
    found: dict[str, dict[int, list[float]]] = {}
    for episode in episodes:
        of_image = found.setdefault(episode.sample, {})
        for query in range(len(episode.metrics)):
            value = episode.after(query, metric)
            if value is not None:
                of_image.setdefault(query, []).append(value)
    queries = sorted({query for of_image in found.values() for query in of_image})
    values = [[np.mean(of_image[query]) for query in queries] for of_image in found.values()]
    return Curves(tuple(found), tuple(queries), np.array(values, dtype=np.float64).reshape(len(found), len(queries)))


def grouped(things: Iterable[Each], key: Callable[[Each], Key]) -> dict[Key, list[Each]]:
    """Things by their key, both in the order in which they come."""
    groups: dict[Key, list[Each]] = {}
    for thing in things:
        groups.setdefault(key(thing), []).append(thing)
    return groups


def by_agent(episodes: Iterable[Episode]) -> dict[tuple[str, str, str], list[Episode]]:
    """The episodes of each (data, solver, agent)."""
    return grouped(episodes, lambda episode: (episode.data, episode.solver, episode.agent))


def budget_of(episodes: Sequence[Episode]) -> int:
    """The longest episode's queries."""
    return max(len(episode.answers) for episode in episodes)


def table_at(budget: int) -> tuple[int, ...]:
    """The queries that Table 1 is made for: the paper's 20, where there are so many, and the budget.

    >>> table_at(30), table_at(10)
    ((20, 30), (10,))
    """
    return tuple(sorted({query for query in (20, budget) if query <= budget}))


def reference_values(references: Iterable[Reference], given: str, metric: str = "rmse") -> dict[Any, dict[str, float]]:
    """Each image's metric from one kind of input, by (data, solver)."""
    chosen = [each for each in references if each.given == given]
    groups = grouped(chosen, lambda each: (each.data, each.solver))
    return {key: {each.sample: each.metrics[metric] for each in group} for key, group in groups.items()}


def summary(episodes: Sequence[Episode], references: Sequence[Reference] = (), slack: float = 0.1) -> list[Row]:
    """A row per data set, solver and agent.

    `rmse` after each query that figures are read at: mean over images and its 95 % bootstrap interval over images;
    `gain`, by how much that is below the first agent's of the same data and solver, image by image, with its interval;
    `better`, on how many images the first agent is beaten at the last of them, of `images`; `trimap` and `pure`, the
    solver's mean RMSE from trimaps and from all pure regions; `to_trimap`, in how many of the `runs`, of all images and
    seeds, it comes within `slack` of the former, and the median of queries it takes there, those that never do among
    them: infinite where half do not.
    """
    first: dict[tuple[str, str], Curves] = {}
    trimaps, pure = (reference_values(references, given) for given in (TRIMAP, ALL_PURE))
    queries = read_at(budget_of(episodes))
    rows = []
    for (data, solver, agent), group in by_agent(episodes).items():
        ours = curves(group)
        theirs = first.setdefault((data, solver), ours)
        shared = [query for query in queries if query in ours.queries and query in theirs.queries]
        given = trimaps.get((data, solver), {})
        whole = [each for each in group if each.at is None and each.sample in given]
        told = [each.queries_to((1 + slack) * given[each.sample]) for each in whole]
        needed = [np.inf if each is None else each for each in told]
        rows.append(
            {
                "data": data,
                "solver": solver,
                "agent": agent,
                "images": len(ours.samples),
                "seeds": len({(each.run, each.seed) for each in group}),
                "runs": len(group),
                "rmse": {q: mean_and_interval(ours.at(q)) for q in queries if q in ours.queries},
                "gain": {q: mean_and_interval(theirs.at(q) - ours.at(q)) for q in shared},
                "better": int(np.sum(ours.at(shared[-1]) < theirs.at(shared[-1]))) if shared else 0,
                "trimap": _mean(given),
                "pure": _mean(pure.get((data, solver), {})),
                "to_trimap": (int(np.isfinite(needed).sum()), float(np.median(needed))) if needed else None,
            }
        )
    return rows


def metric_rows(episodes: Sequence[Episode], references: Sequence[Reference], metrics: Sequence[str]) -> list[Row]:
    """A row per data set, solver, agent or kind of input, query and metric: mean, interval and count of images."""
    rows = []
    for (data, solver, agent), group in by_agent(episodes).items():
        for metric in metrics:
            told = curves(group, metric)
            for query in read_at(budget_of(episodes)):
                if query in told.queries:
                    rows.append(_row(data, solver, agent, query, metric, told.at(query)))
    for given in (TRIMAP, ALL_PURE):
        for metric in metrics:
            for (data, solver), values in reference_values(references, given, metric).items():
                rows.append(_row(data, solver, given, "", metric, np.array([*values.values()])))
    return rows


def comparisons(episodes: Sequence[Episode]) -> list[Row]:
    """A row per data set, solver, query that figures are read at, and two agents.

    `better` and `worse`: on how many images the first has the lower RMSE, and the higher; `below`: by how much it is
    lower, mean over images, with its interval.
    """
    rows = []
    tables = {key: curves(group) for key, group in by_agent(episodes).items()}
    for (data, solver, agent), ours in tables.items():
        for (other_data, other_solver, other), theirs in tables.items():
            if (other_data, other_solver) != (data, solver) or other == agent:
                continue
            for query in read_at(budget_of(episodes)):
                if query in ours.queries and query in theirs.queries:
                    drop = theirs.at(query) - ours.at(query)
                    counts = {"better": int(np.sum(drop > 0)), "worse": int(np.sum(drop < 0)), "images": len(drop)}
                    names = {"data": data, "solver": solver, "query": query, "agent": agent, "than": other}
                    rows.append(names | counts | {"below": mean_and_interval(drop)})
    return rows


def table_one(episodes: Sequence[Episode], references: Sequence[Reference]) -> list[Row]:
    """A row per data set, solver and input: `per_image`, RMSE by image, and `mean` with its interval (Table 1).

    Inputs are trimaps, all pure regions, and each agent's sequence after `table_at` queries.
    """
    rows: list[Row] = []
    for (data, solver), group in grouped(episodes, lambda each: (each.data, each.solver)).items():
        for given in (TRIMAP, ALL_PURE):
            values = reference_values(references, given).get((data, solver), {})
            if values:
                rows.append({"data": data, "solver": solver, "input": given, "queries": "", "per_image": values})
        for (_, _, agent), own in by_agent(group).items():
            told = curves(own)
            for query in table_at(budget_of(episodes)):
                if query in told.queries:
                    values = dict(zip(told.samples, told.at(query).tolist(), strict=True))
                    rows.append({"data": data, "solver": solver, "input": agent, "queries": query, "per_image": values})
    return [row | {"mean": mean_and_interval(np.array([*row["per_image"].values()]))} for row in rows]


def transfer_table(episodes: Sequence[Episode], transfers: Sequence[Transfer]) -> list[Row]:
    """A row per data set, agent, solver whose mattes it saw when it asked, solver that matted, and query.

    `mean`: RMSE with its interval, averaged over runs and seeds first. Where both solvers are the same these are the
    episodes themselves.
    """
    found: dict[tuple[str, str, str, str, int], dict[str, list[float]]] = {}
    queries = read_at(budget_of(episodes))
    for episode in episodes:
        for query in queries:
            own = episode.after(query)
            if own is not None:
                key = (episode.data, episode.agent, episode.solver, episode.solver, query)
                found.setdefault(key, {}).setdefault(episode.sample, []).append(own)
    for each in transfers:
        for query, value in each.rmse.items():
            key = (each.data, each.agent, each.asked_with, each.matted_with, query)
            found.setdefault(key, {}).setdefault(each.sample, []).append(value)
    names = ("data", "agent", "asked_with", "matted_with", "query")
    return [
        dict(zip(names, key, strict=True))
        | {"images": len(values), "mean": mean_and_interval(np.array([np.mean(each) for each in values.values()]))}
        for key, values in found.items()
    ]


def _mean(values: dict[str, float]) -> float | None:
    return float(np.mean([*values.values()])) if values else None


def _row(data: str, solver: str, given: str, query: int | str, metric: str, values: NDArray[np.float64]) -> Row:
    told = {"metric": metric, "mean": mean_and_interval(values), "images": len(values)}
    return {"data": data, "solver": solver, "input": given, "query": query} | told
