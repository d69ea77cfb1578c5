"""What an epoch of a network costs: this project beside a plain `DataLoader` loop.

Both train the same network from the same initial weights on the same rows, in batches of the same size,
and score the validation rows after each epoch, with schedule and best state. The plain loop is what one
writes by hand: `TensorDataset`, `DataLoader(shuffle=True)`, `nn.Dropout`, `optim.Adam`, clipped gradients,
NaN checks on outputs and loss, single precision. This project's default for `dual_path` has
`mixed_precision` on, which means bfloat16 on CPUs that multiply in it; `false` is measured beside it.

Every side has processes of its own, and the sides take turns epoch by epoch, so that a busy machine slows
all of them. "two at once" is two trials of one thread each, side by side: seconds are per trial's epoch.

    python benchmarks/training.py [--model dual_path] [--epochs 12] [--rows 8192] [--device cpu] [--seed 0]
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tuning import search_spaces
from tuning.metrics import get_metric
from tuning.models import Loss, Schema, Table, TargetTransform, Task, load_family
from tuning.models._layers import Dropout
from tuning.models._torch import TorchModel

N_NUMERIC, EMBEDDING_WIDTH = 34, 768
METRIC = get_metric("smape", Task.REGRESSION)
_LAST_EPOCHS = 4


@dataclass(frozen=True)
class Setting:
    """What is trained, and on what."""

    model: str
    rows: int
    batch_size: int
    device: str
    threads: int
    seed: int = 0
    mixed_precision: bool | None = None


@dataclass(frozen=True)
class Epoch:
    """Mean training loss, and validation SMAPE on the original scale."""

    loss: float
    smape: float


# -- the task ----------------------------------------------------------------------------------------


def make_tables(rows: int) -> tuple[Table, Table, Schema]:
    """Prices of products with 34 numbers and a 768-wide text embedding: training and validation rows."""
    rng = np.random.default_rng(0)
    n = rows + rows // 4
    numeric = rng.normal(size=(n, N_NUMERIC)).astype(np.float32)
    embedding = rng.normal(size=(n, EMBEDDING_WIDTH)).astype(np.float32)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    signal = 0.5 * numeric[:, 0] + 0.3 * numeric[:, 1] * numeric[:, 2] + 8 * embedding[:, :2].sum(axis=1)
    price = np.expm1(np.maximum(3 + signal + 0.2 * rng.normal(size=n), 0.01))
    table = Table(numeric, np.zeros((n, 0), np.int32), embedding, numeric, price)
    log_price = np.log1p(price[:rows])
    schema = Schema(
        task=Task.REGRESSION,
        loss=Loss.ABSOLUTE,
        numeric=tuple(f"number_{i}" for i in range(N_NUMERIC)),
        dense_width=N_NUMERIC,
        embedding_width=EMBEDDING_WIDTH,
        target=TargetTransform(True, float(log_price.mean()), float(log_price.std()), 0.01),
    )
    return table.take(slice(0, rows)), table.take(slice(rows, n)), schema


def build(setting: Setting, train: Table, valid: Table, schema: Schema) -> TorchModel[Any]:
    """The family's first configuration, with the setting's changes."""
    family = load_family(setting.model)
    space = yaml.safe_load((Path(search_spaces.__file__).parent / f"{setting.model}.yaml").read_text())
    params = {
        name: spec["default"]
        for name, spec in space["parameters"].items()
        if all(space["parameters"][key]["default"] == value for key, value in spec.get("when", {}).items())
    }
    params |= space["fixed"] | {"batch_size": setting.batch_size}
    if setting.mixed_precision is not None:
        params["mixed_precision"] = setting.mixed_precision
    params = family.Params.model_validate(params)
    model: Any = family(params, schema, seed=setting.seed, device=setting.device, threads=setting.threads)
    model.bind(train, valid)
    return model


# -- the sides ---------------------------------------------------------------------------------------


class OurLoop:
    """What a trial does in an epoch."""

    def __init__(self, setting: Setting) -> None:
        train, self._valid, schema = make_tables(setting.rows)
        self._model = build(setting, train, self._valid, schema)
        self._best = math.inf

    def epoch(self) -> Epoch:
        """Train, predict, score, schedule, keep the best."""
        self._model.advance()
        smape = METRIC(self._valid.known_target, self._model.predict_valid(), None)
        self._model.observe(smape)
        if smape < self._best:
            self._best = smape
            self._model.mark_best()
        loss = self._model._watch.last_loss
        assert loss is not None
        return Epoch(loss, smape)


class PlainLoop:
    """The same by hand."""

    def __init__(self, setting: Setting) -> None:
        train, valid, schema = make_tables(setting.rows)
        model = build(setting, train, valid, schema)
        torch.manual_seed(setting.seed)
        torch.set_num_threads(setting.threads)
        self._device = torch.device(setting.device)
        self._network = with_torch_dropout(copy.deepcopy(model.network))
        group = model.optimizer.param_groups[0]
        self._optimizer = torch.optim.Adam(
            self._network.parameters(),
            lr=group["lr"],
            betas=group["betas"],
            weight_decay=group["weight_decay"],
        )
        self._scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._optimizer, factor=0.5, patience=model.params.plateau_patience or 10**9
        )
        self._clip = model.params.gradient_clip
        self._criterion = nn.L1Loss() if setting.model == "dual_path" else nn.MSELoss()
        size = setting.batch_size
        self._train_rows = DataLoader(dataset(model, train), batch_size=size, shuffle=True)
        self._valid_rows = DataLoader(dataset(model, valid), batch_size=size)
        self._valid, self._target = valid, schema.target
        self._best, self._best_state, self._waited = math.inf, {}, 0
        # `dual_path` takes category codes, too: none here.
        self._no_codes = setting.model == "dual_path"

    def epoch(self) -> Epoch:
        """Train, predict, score, schedule, keep the best."""
        self._network.train()
        total = 0.0
        for *inputs, target in self._train_rows:
            total += self._step([tensor.to(self._device) for tensor in inputs], target.to(self._device))
        smape = self._evaluate()
        self._scheduler.step(smape)
        self._waited += 1
        if smape < self._best:
            self._best, self._waited = smape, 0
            self._best_state = copy.deepcopy(self._network.state_dict())
        return Epoch(total / len(self._train_rows), smape)

    def _step(self, inputs: list[Tensor], target: Tensor) -> float:
        self._optimizer.zero_grad()
        outputs = self._forward(inputs)
        if torch.isnan(outputs).any():
            raise RuntimeError("NaN in the outputs")
        loss = self._criterion(outputs, target)
        if torch.isnan(loss):
            raise RuntimeError("NaN in the loss")
        loss.backward()
        if self._clip is not None:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimizer.step()
        return float(loss.item())

    def _forward(self, inputs: list[Tensor]) -> Tensor:
        if self._no_codes:
            inputs = [*inputs, inputs[0].new_empty((len(inputs[0]), 0), dtype=torch.int64)]
        outputs: Tensor = self._network(*inputs).squeeze(1)
        return outputs

    def _evaluate(self) -> float:
        self._network.eval()
        with torch.no_grad():
            outputs = [
                self._forward([tensor.to(self._device) for tensor in inputs]).cpu()
                for *inputs, _ in self._valid_rows
            ]
        prices = self._target.unstandardise(torch.cat(outputs).numpy())
        return METRIC(self._valid.known_target, prices, None)


def with_torch_dropout(network: nn.Module) -> nn.Module:
    """The network with `nn.Dropout` in place of the project's own."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Dropout):
                setattr(module, name, nn.Dropout(child.p))
    return network


def dataset(model: TorchModel[Any], table: Table) -> TensorDataset:
    """Inputs that have columns, and the standardised target."""
    inputs = [tensor for tensor in model.inputs(table) if tensor.shape[1]]
    return TensorDataset(*inputs, model.targets(table))


# -- taking turns ------------------------------------------------------------------------------------


def serve(make_loop: Callable[[Setting], OurLoop | PlainLoop], setting: Setting, pipe: Connection) -> None:
    """A side's process: one epoch for each message, until told to end."""
    loop = make_loop(setting)
    pipe.send("ready")
    while pipe.recv():
        pipe.send(loop.epoch())


class Side:
    """Processes that each train one network, in step."""

    def __init__(self, name: str, make_loop: Any, setting: Setting, processes: int = 1) -> None:
        self.name = name
        self.seconds: list[float] = []
        self.epochs: list[Epoch] = []
        self._pipes = []
        for _ in range(processes):
            here, there = get_context("spawn").Pipe()
            arguments = (make_loop, setting, there)
            get_context("spawn").Process(target=serve, args=arguments, daemon=True).start()
            here.recv()
            self._pipes.append(here)

    def run_epoch(self) -> None:
        """One epoch in each process; notes the seconds per epoch."""
        started_s = time.perf_counter()
        for pipe in self._pipes:
            pipe.send(True)
        for pipe in self._pipes:
            self.epochs.append(pipe.recv())
        self.seconds.append((time.perf_counter() - started_s) / len(self._pipes))

    def learned(self) -> list[float]:
        """Last loss, mean SMAPE of the last epochs (of a single one it is noise), best SMAPE."""
        last = mean(epoch.smape for epoch in self.epochs[-_LAST_EPOCHS:])
        return [self.epochs[-1].loss, last, min(epoch.smape for epoch in self.epochs)]

    def close(self) -> None:
        """End the processes."""
        for pipe in self._pipes:
            pipe.send(False)


def make_sides(setting: Setting) -> list[Side]:
    """The plain loop first."""
    sides = [
        Side("plain DataLoader loop", PlainLoop, setting),
        Side("this project, defaults", OurLoop, setting),
        Side("this project, mixed_precision: false", OurLoop, replace(setting, mixed_precision=False)),
    ]
    if setting.device == "cpu" and setting.threads > 1:
        one_thread = replace(setting, threads=1)
        sides.append(Side("this project, defaults, two at once", OurLoop, one_thread, processes=2))
    return sides


def main() -> None:
    """Print seconds per epoch, ratios and what each side has learned."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="dual_path", choices=["dual_path", "linear_gd"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rows", type=int, default=8192, help="training rows; a quarter of it validates")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of weights and batches")
    given = parser.parse_args()
    setting = Setting(given.model, given.rows, given.batch_size, given.device, given.threads, given.seed)
    sides = make_sides(setting)
    for _ in range(1 + given.epochs):  # the first one warms up
        for side in sides:
            side.run_epoch()
    print(f"{vars(given)}, bfloat16 in hardware: {torch.cpu._is_avx512_bf16_supported()}")
    titles = ["median", "ratio", "least", "ratio", "loss", "SMAPE", "best"]
    print(f"{'seconds per epoch':40}" + "".join(f"{title:>8}" for title in titles))
    plain = sides[0].seconds[1:]
    for side in sides:
        own = side.seconds[1:]
        figures = [median(own), median(plain) / median(own), min(own), min(plain) / min(own)]
        figures += side.learned()
        print(f"{side.name:40}" + "".join(f"{figure:8.3f}" for figure in figures))
        side.close()


if __name__ == "__main__":
    main()
