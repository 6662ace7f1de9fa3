"""What every solver must keep to, as checks that a package which adds one can run in its own tests.

>>> from active_matting import make_solver
>>> check_solver(make_solver("random-walk"))
"""

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_matting.errors import InvalidArrayError
from active_matting.labels import Click, Interaction, RegionAnswer, rasterise
from active_matting.regions import place_region
from active_matting.solvers.base import Matte, Solver
from active_matting.types import Alpha, Image, Label, LabelMap

SHAPES = ((24, 24), (16, 29), (27, 18))
"""Sizes (H, W) of the made-up images: square, wide with an odd side, tall with an odd side."""

SMALLEST_SHAPES = ((1, 2), (1, 23), (23, 1), (2, 3), (5, 5))
"""Sizes (H, W) that hold no window, no neighbourhood or no second row."""


def check_solver(solver: Solver, *, needs_both_classes: bool = True) -> None:
    """Run all checks of this module; raises `AssertionError` with a sentence that says what is wrong.

    needs_both_classes: False for a solver, such as a network, that knows better than 0.5 when only one of
    foreground and background is labelled, or none.
    """
    check_is_a_value(solver)
    check_matte(solver)
    check_labels_are_kept(solver)
    check_is_deterministic(solver)
    check_arrays_are_left_alone(solver)
    check_degenerate_labels(solver, needs_both_classes=needs_both_classes)
    check_smallest_images(solver)
    check_flat_images(solver)
    check_answers_that_contradict(solver)
    check_batch_equals_loop(solver)
    check_previous_is_only_a_hint(solver)
    check_errors(solver)


def made_up_image(shape: tuple[int, int] = SHAPES[0], seed: int = 0) -> tuple[Image, Alpha]:
    """A soft, warm ellipse over a cool slope with a little noise: image and its true alpha."""
    h, w = shape
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    alpha = np.clip(2.2 - 3 * np.hypot(y, x), 0, 1)[..., None]
    foreground = np.array([0.9, 0.5, 0.2]) + 0.1 * y[..., None]
    background = np.array([0.1, 0.3, 0.6]) + 0.1 * x[..., None]
    noise = np.random.default_rng(seed).normal(0, 0.02, (h, w, 3))
    image = np.clip(alpha * foreground + (1 - alpha) * background + noise, 0, 1)
    return image.astype(np.float32), alpha[..., 0].astype(np.float32)


def made_up_labels(shape: tuple[int, int] = SHAPES[0]) -> LabelMap:
    """Regions of every label on `made_up_image`, a transition among them."""
    h, w = shape
    label_map = np.zeros(shape, dtype=np.int8)
    for y, x, label in (
        (h // 2, w // 2, Label.FOREGROUND),
        (0, 0, Label.BACKGROUND),
        (h, w, Label.BACKGROUND),
        (h // 2, w // 5, Label.TRANSITION),
    ):
        label_map[place_region(y, x, 5, shape).slices] = label
    return label_map


def check_is_a_value(solver: Solver) -> None:
    """Solvers are compared, hashed and sent to other processes."""
    copy = pickle.loads(pickle.dumps(solver))
    assert copy == solver, f"a pickled copy must equal the solver, got {copy!r} from {solver!r}"
    assert hash(copy) == hash(solver), f"equal solvers must have equal hashes: {solver!r}"


def check_matte(solver: Solver) -> None:
    """Every matte has the image's shape, float32, and lies in [0, 1]; full labels included."""
    for shape in SHAPES:
        prepared = solver.prepare(made_up_image(shape)[0])
        assert tuple(prepared.shape) == shape, f"the prepared shape must be {shape}, got {prepared.shape}"
        for name, label_map in _label_maps(shape).items():
            _check_plane(prepared.solve(label_map).alpha, shape, f"{name}, image of {shape}")


def check_labels_are_kept(solver: Solver) -> None:
    """Labelled pixels are exactly 1 and 0 in the matte."""
    for shape in SHAPES:
        prepared = solver.prepare(made_up_image(shape)[0])
        for name, label_map in _label_maps(shape).items():
            _check_kept(prepared.solve(label_map).alpha, label_map, f"{name}, image of {shape}")


def check_is_deterministic(solver: Solver) -> None:
    """The same image and labels give the same matte to the last bit, whatever was solved in between."""
    image, label_map = made_up_image()[0], made_up_labels()
    prepared = solver.prepare(image)
    first = prepared.solve(label_map).alpha.copy()
    prepared.solve(-(label_map % 2))
    assert np.array_equal(prepared.solve(label_map).alpha, first), (
        "solving twice must give the same alpha, whatever was solved in between"
    )
    assert np.array_equal(solver.prepare(image).solve(label_map).alpha, first), (
        "preparing and solving twice must give the same alpha"
    )


def check_arrays_are_left_alone(solver: Solver) -> None:
    """Arguments are not written to; what is written to an image or a matte afterwards changes no later matte."""
    image, label_map = made_up_image()[0], made_up_labels()
    image_before, label_map_before = image.copy(), label_map.copy()
    prepared = solver.prepare(image)
    matte = prepared.solve(label_map)
    alpha_before = matte.alpha.copy()
    prepared.solve(label_map, previous=matte)
    prepared.solve_many(np.stack([label_map, label_map]))
    assert np.array_equal(image, image_before), "the image must not be written to"
    assert np.array_equal(label_map, label_map_before), "the label map must not be written to"
    assert np.array_equal(matte.alpha, alpha_before), "an earlier matte must not be written to"
    image[:] = 0
    matte.alpha[:] = 0.25
    assert np.array_equal(prepared.solve(label_map).alpha, alpha_before), (
        "writing to the image or to an earlier matte must not change later ones"
    )


def check_degenerate_labels(solver: Solver, *, needs_both_classes: bool = True) -> None:
    """One class or none labelled: no error, no NaN; and, by default, 0.5 wherever nothing was told."""
    shape = SHAPES[0]
    prepared = solver.prepare(made_up_image(shape)[0])
    for name, label_map in _label_maps(shape).items():
        has_both = (label_map == Label.FOREGROUND).any() and (label_map == Label.BACKGROUND).any()
        if has_both:
            continue
        alpha = prepared.solve(label_map).alpha
        _check_plane(alpha, shape, name)
        if needs_both_classes:
            is_untold = (label_map == Label.UNLABELLED) | (label_map == Label.TRANSITION)
            assert (alpha[is_untold] == 0.5).all(), f"{name}: alpha must be 0.5 where neither class is labelled"


def check_smallest_images(solver: Solver) -> None:
    """Images of one row, one column or a few pixels, one pixel of each class told, have mattes as all others do."""
    for shape in SMALLEST_SHAPES:
        label_map = np.zeros(shape, dtype=np.int8)
        label_map[0, 0], label_map[-1, -1] = Label.FOREGROUND, Label.BACKGROUND
        try:
            alpha = solver.prepare(made_up_image(shape)[0]).solve(label_map).alpha
        except Exception as error:
            raise AssertionError(
                f"an image of {shape} must have a matte, got {type(error).__name__}: {error}"
            ) from error
        _check_plane(alpha, shape, f"image of {shape}")
        _check_kept(alpha, label_map, f"image of {shape}")


def check_flat_images(solver: Solver) -> None:
    """Images of one colour throughout have mattes as all others do."""
    shape = SHAPES[0]
    for grey in (0, 0.5, 1):
        prepared = solver.prepare(np.full((*shape, 3), grey, dtype=np.float32))
        for name, label_map in _label_maps(shape).items():
            alpha = prepared.solve(label_map).alpha
            _check_plane(alpha, shape, f"{name}, a flat image of {grey:g}")
            _check_kept(alpha, label_map, f"{name}, a flat image of {grey:g}")


def check_answers_that_contradict(solver: Solver) -> None:
    """Answers that overlap, the newer one over the older, and classes told pixel beside pixel, are kept as told."""
    shape = SHAPES[0]
    h, w = shape
    overlapping: list[Interaction] = [
        RegionAnswer(place_region(h // 2, w // 2, 9, shape), Label.FOREGROUND),
        RegionAnswer(place_region(h // 2 + 3, w // 2 + 3, 9, shape), Label.BACKGROUND),
        RegionAnswer(place_region(h // 2 + 1, w // 2 - 1, 3, shape), Label.TRANSITION),
        Click(h // 2, w // 2, 1, Label.FOREGROUND),
    ]
    prepared = solver.prepare(made_up_image(shape)[0])
    chequered = np.zeros(shape, dtype=np.int8)
    chequered[:8, :8] = np.where(np.indices((8, 8)).sum(0) % 2, Label.FOREGROUND, Label.BACKGROUND)
    for name, label_map in {
        "answers that overlap": rasterise(overlapping, shape, "extended"),
        "a chequered label map": chequered,
    }.items():
        alpha = prepared.solve(label_map).alpha
        _check_plane(alpha, shape, name)
        _check_kept(alpha, label_map, name)


def check_batch_equals_loop(solver: Solver) -> None:
    """`solve_many` gives, to within 1e-4, what `solve` gives one by one."""
    for shape in SHAPES:
        prepared = solver.prepare(made_up_image(shape)[0])
        label_maps = np.stack(list(_label_maps(shape).values()))
        together = prepared.solve_many(label_maps)
        assert together.shape == label_maps.shape, f"solve_many must give {label_maps.shape}, got {together.shape}"
        assert together.dtype == np.float32, f"solve_many must give float32, got {together.dtype}"
        singly = np.stack([prepared.solve(label_map).alpha for label_map in label_maps])
        difference = float(np.abs(together - singly).max())
        assert difference <= 1e-4, f"solve_many must equal solve, differs by {difference:.2g}"


def check_previous_is_only_a_hint(solver: Solver) -> None:
    """With a previous matte, even a misleading one, labelled pixels are as told; and it is not written to."""
    shape = SHAPES[0]
    prepared, label_map = solver.prepare(made_up_image(shape)[0]), made_up_labels(shape)
    opposite = Matte(1 - prepared.solve(label_map).alpha)
    before = opposite.alpha.copy()
    alpha = prepared.solve(label_map, previous=opposite).alpha
    _check_plane(alpha, shape, "with a previous matte")
    _check_kept(alpha, label_map, "with a previous matte")
    assert np.array_equal(opposite.alpha, before), "the previous matte must not be written to"


def check_errors(solver: Solver) -> None:
    """Images and labels that are none are refused with `InvalidArrayError`."""
    image, label_map = made_up_image()[0], made_up_labels()
    prepared = solver.prepare(image)
    for what, wrong_image in {
        "an image without channels": image[..., 0],
        "an image of integers": (image * 255).astype(np.uint8),
        "an image outside [0, 1]": image * 2,
        "an image with NaN": np.where(image > 0.5, np.float32(np.nan), image),
    }.items():
        _check_refused(what, solver.prepare, wrong_image)
    for what, wrong_labels in {
        "labels of another shape": label_map[:-1],
        "labels that are floats": label_map.astype(np.float32),
        "labels above 2": np.where(label_map == 1, np.int8(3), label_map),
        "labels below -1": np.where(label_map == 1, np.int8(-2), label_map),
    }.items():
        _check_refused(what, prepared.solve, wrong_labels)


def _label_maps(shape: tuple[int, int]) -> dict[str, LabelMap]:
    """Label maps by what is special about them."""
    regions = made_up_labels(shape)
    halves = np.full(shape, Label.BACKGROUND, dtype=np.int8)
    halves[: shape[0] // 2] = Label.FOREGROUND
    one_pixel_each = np.zeros(shape, dtype=np.int8)
    one_pixel_each[shape[0] // 2, shape[1] // 2], one_pixel_each[0, -1] = Label.FOREGROUND, Label.BACKGROUND
    return {
        "some regions labelled": regions,
        "one pixel of each class labelled": one_pixel_each,
        "everything labelled": halves,
        "everything foreground": np.full(shape, Label.FOREGROUND, dtype=np.int8),
        "everything background": np.full(shape, Label.BACKGROUND, dtype=np.int8),
        "nothing labelled": np.zeros(shape, dtype=np.int8),
        "only a transition labelled": np.where(regions == Label.TRANSITION, regions, np.int8(0)),
        "only foreground labelled": np.where(regions == Label.FOREGROUND, regions, np.int8(0)),
        "only background labelled": np.where(regions == Label.BACKGROUND, regions, np.int8(0)),
    }


def _check_plane(alpha: NDArray[Any], shape: tuple[int, int], name: str) -> None:
    assert alpha.shape == shape, f"{name}: alpha must have the image's shape {shape}, got {alpha.shape}"
    assert alpha.dtype == np.float32, f"{name}: alpha must be float32, got {alpha.dtype}"
    assert np.isfinite(alpha).all(), f"{name}: alpha must be finite"
    low, high = float(alpha.min()), float(alpha.max())
    assert low >= 0 and high <= 1, f"{name}: alpha must lie in [0, 1], got values from {low:.4g} to {high:.4g}"  # noqa: PT018


def _check_kept(alpha: NDArray[Any], label_map: LabelMap, name: str) -> None:
    for label, value in ((Label.FOREGROUND, 1), (Label.BACKGROUND, 0)):
        told = alpha[label_map == label]
        assert (told == value).all(), (
            f"{name}: pixels labelled {label.name.lower()} must have alpha {value}, "
            f"got values from {told.min():.4g} to {told.max():.4g}"
        )


def _check_refused(what: str, function: Any, argument: Any) -> None:
    try:
        function(argument)
    except InvalidArrayError:
        return
    except Exception as error:
        raise AssertionError(f"{what} must raise InvalidArrayError, got {type(error).__name__}: {error}") from error
    raise AssertionError(f"{what} must raise InvalidArrayError, got no error")
