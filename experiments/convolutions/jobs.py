"""What trainings of convolutional networks share: the images, and a job a model and seed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from experiments.common.networks import hold_out
from mpnn.data import Dataset, load_dataset

__all__ = ["Training", "jobs_of"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """Images and epochs; held_out training images are scored, or, with 0, the official test images."""

    dataset: str
    num_train: int
    held_out: int
    num_epochs: int
    seeds: list[int]
    batch_size: int = 128

    def images(self) -> Dataset:
        """The data set, whose test part is what is scored."""
        data = load_dataset(self.dataset)
        return hold_out(data, self.held_out) if self.held_out else data


def jobs_of(training: Training, models: Sequence[Any]) -> list[dict[str, Any]]:
    """Every model once a seed, as tables of plain values; what is None is left out."""
    names = [each.name for each in fields(Training) if each.name != "seeds"]
    conditions = {name: getattr(training, name) for name in names}
    return [
        {"model": _given(model), "seed": seed, **conditions} for seed in training.seeds for model in models
    ]


def _given(model: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(model).items() if value is not None}
