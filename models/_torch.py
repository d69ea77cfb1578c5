"""The training loop of every network: one unit is one epoch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tuning.models._base import Model
from tuning.models._group import ALONE, Distribution, WorkerGroup
from tuning.models._table import FloatArray, Loss, Schema, Table
from tuning.models._torch_checkpoint import (
    LossWatch,
    TrainingState,
    cloned,
    is_undivided,
    load_optimizer,
    optimizer_tensors,
    read_state,
    read_weights,
    write_state,
    write_weights,
)
from tuning.models._torch_group import gather_shares, group_sum, noise_seed, replicate
from tuning.models._torch_memory import limit_gpu_memory
from tuning.models._torch_params import AdamParams, TorchParamsT
from tuning.models._torch_rng import IsolatedRng
from tuning.models._torch_rows import Batch, Rows, as_tensor, rows_per_step
from tuning.models.errors import CheckpointError, DivergedError, ModelError


class TorchModel(Model[TorchParamsT]):
    """A network and its training loop.

    A network family defines `build` and `inputs`, and overrides `targets`, `row_losses` and
    `predictions` where its outputs are not the usual ones: (B, 1) on the standardised target scale for
    regression, (B, n_classes) logits for classification.

    Gradients are clipped by norm (Pascanu et al., 2013), and training ends by `DivergedError` as soon
    as an epoch shows NaN, inf or an exploding loss, with the best epoch's weights kept apart.

    Random draws come from streams of the model's own, so results depend on the seed alone. On a CPU,
    2k epochs and k epochs, save, load, k epochs give the same bits.

    Attributes:
        network: the network, on `device`.
        optimizer: its optimizer.
        prediction_batch_size: rows per forward pass in `predict`; does not change the results.
    """

    uses_gpu: ClassVar[bool] = True
    distribution = Distribution.TORCH
    prediction_batch_size: int = 2048

    def __init__(
        self,
        params: TorchParamsT,
        schema: Schema,
        *,
        seed: int = 0,
        device: str = "cpu",
        threads: int = 1,
        gpu_share: float = 1.0,
    ) -> None:
        super().__init__(params, schema, seed=seed, device=device, threads=threads, gpu_share=gpu_share)
        self._device = torch.device(device)
        limit_gpu_memory(self._device, gpu_share)
        self._rng = IsolatedRng(seed, self._device)
        with self._rng.active():
            self.network = self.build(schema, params).to(self._device)
        self._replica: nn.Module = self.network
        self.optimizer = self.build_optimizer()
        self._scheduler = self._build_scheduler()
        self._half = self._half_precision() if params.mixed_precision else None
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=self._half is torch.float16)
        self._best: dict[str, Tensor] = {}
        self._watch = LossWatch()
        self._train_rows: Rows | None = None
        self._valid_rows: Rows | None = None

    # What a family defines.

    @abstractmethod
    def build(self, schema: Schema, params: TorchParamsT) -> nn.Module:
        """The network, with its initial weights drawn from torch's global stream (seeded here)."""

    @abstractmethod
    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        """What the network's `forward` takes, as CPU tensors (n, ...); `as_tensor` copies nothing."""

    def fit_inputs(self, train: Table) -> None:
        """Fit what `inputs` needs, on the training rows; keep it in the network's buffers."""

    def row_lengths(self, table: Table) -> Tensor | None:
        """(n,) on the CPU: lengths by which rows of like cost are batched together; None: at random."""
        return None

    def targets(self, table: Table) -> Tensor:
        """(n,) class codes, int64, or (n,) standardised targets, float32."""
        target = np.asarray(table.target)
        if self.schema.task.is_classification:
            return as_tensor(target.astype(np.int64))
        return as_tensor(self.schema.target.standardise(target).astype(np.float32))

    def weights(self, table: Table) -> FloatArray | None:
        """(n,) weights of the rows in the loss, of any mean above 0; None: all alike."""
        return table.weight

    def row_losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """(B, k) outputs and (B,) targets -> (B,) losses, by the schema's loss."""
        if self.schema.task.is_classification:
            return functional.cross_entropy(outputs, target, reduction="none")
        function = functional.l1_loss if self.schema.loss is Loss.ABSOLUTE else functional.mse_loss
        return function(outputs.squeeze(1), target, reduction="none")  # (B, 1) -> (B,)

    def predictions(self, outputs: Tensor) -> npt.NDArray[np.float64]:
        """(n, k) outputs on the CPU -> (n,) on the original scale, or (n, n_classes) probabilities."""
        if self.schema.task.is_classification:
            return outputs.double().softmax(dim=1).numpy()
        return np.asarray(self.schema.target.unstandardise(outputs.squeeze(1).numpy()), dtype=np.float64)

    def build_optimizer(self) -> Optimizer:
        """Adam (Kingma and Ba, 2015), for families whose params are `AdamParams`."""
        if not isinstance(self.params, AdamParams):
            raise ModelError(f"{type(self).__name__} must override build_optimizer.")
        return Adam(
            self.network.parameters(),
            lr=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
            fused=True,
        )

    @property
    def useful_threads(self) -> int:
        """How many of the threads given to the model its steps can keep busy."""
        return self.threads

    @property
    def half_pays_on_cpu(self) -> bool:
        """Whether a step is faster in bfloat16 on a CPU that multiplies in it."""
        return False

    # The contract of `Model`.

    @property
    def total_units(self) -> int:
        return self.params.epochs

    @property
    def patience_units(self) -> int | None:
        return self.params.patience

    @property
    def train_loss(self) -> float | None:
        return self._watch.last_loss

    def join(self, group: WorkerGroup) -> None:
        """Train as one replica of N (Li et al., VLDB 2020), each on its share of a batch of N batch sizes."""
        super().join(group)
        if not group.is_alone:
            self._replica = replicate(self.network)

    def bind(self, train: Table, valid: Table) -> None:
        """Make the rows' tensors, once.

        Raises:
            DivergedError: an input or a target is NaN or inf.
        """
        super().bind(train, valid)
        self._use_threads()
        self.fit_inputs(train)
        self._train_rows = self._place(train)
        self._valid_rows = self._place(valid)
        self._train_rows.require_finite("training")
        self._valid_rows.require_finite("validation")

    def observe(self, loss: float) -> None:
        if self._scheduler is not None:
            self._scheduler.step(loss)

    def mark_best(self) -> None:
        super().mark_best()
        self._best = cloned(self.network.state_dict())

    def restore_best(self) -> None:
        if self._best:
            self.network.load_state_dict(self._best)

    def predict(self, table: Table) -> npt.NDArray[np.float64]:
        """Outputs of the present state, in evaluation mode.

        Raises:
            DivergedError: an output is NaN or inf.
        """
        return self._predict(Rows.place(self.inputs(table), None, None, self._device))

    def predict_valid(self) -> npt.NDArray[np.float64]:
        """Outputs of the bound validation rows; the processes of a group share the work."""
        if self._valid_rows is None:
            raise ModelError("predict_valid() needs bind(train, valid) first.")
        return self._predict(self._valid_rows, self.group)

    # Training.

    def _advance(self, train: Table) -> None:
        if self._train_rows is None:
            raise ModelError("advance() needs bind(train, valid) first.")
        self._use_threads()
        self.network.train()
        size = rows_per_step(self.params.batch_size, len(self._train_rows)) * self.group.size
        with self._rng.active():
            fewest = max(2, self.group.size)
            chunks = self._train_rows.shuffled_chunks(size, self.params.steps_per_epoch, fewest)
        with self._noise().active():
            losses = [self._step(batch) for batch in self._train_rows.batches(chunks, self.group)]
        # One look per epoch: reading every step's loss would make a GPU wait for Python.
        self._check_losses(group_sum(torch.stack(losses), self.group) / self.group.size)
        self._check_weights()

    def _noise(self) -> IsolatedRng:
        """What dropout draws from: in a group a stream of the process's own."""
        if self.group.is_alone:
            return self._rng
        return IsolatedRng(noise_seed(self.seed, self.units_done, self.group.rank), self._device)

    def _step(self, batch: Batch) -> Tensor:
        """One gradient step; returns the batch's loss, still on the device."""
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            outputs = self._replica(*batch.inputs)
        losses = self.row_losses(outputs.float(), batch.target)
        loss = (losses if batch.weight is None else losses * batch.weight).mean()
        if batch.scale != 1.0:
            loss = loss * batch.scale
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._clip_gradient()
        self._scaler.step(self.optimizer)
        self._scaler.update()
        return loss.detach()

    def _clip_gradient(self) -> None:
        if self.params.gradient_clip is not None:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.params.gradient_clip, foreach=True)

    def _half_precision(self) -> torch.dtype | None:
        """bfloat16 where the device computes in it (no loss scaling needed), float16 on older GPUs."""
        if self._device.type == "cuda":
            major, _ = torch.cuda.get_device_capability(self._device)
            return torch.bfloat16 if major >= 8 else torch.float16
        return torch.bfloat16 if self.half_pays_on_cpu and _multiplies_in_bfloat16() else None

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._half is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._half)

    def _check_losses(self, losses: Tensor) -> None:
        """Judge one epoch by its batches' losses (steps,)."""
        self._watch.note(first=losses[0].item(), mean=losses.mean().item())
        if self._watch.shows_divergence:
            raise DivergedError(
                f"Training diverged in epoch {self.units_done + 1}: the loss went from "
                f"{self._watch.first_loss:.3g} to {self._watch.last_loss:.3g}; "
                "lower the learning rate or clip the gradient."
            )

    def _check_weights(self) -> None:
        """The last step's damage does not show in the losses, which are taken before each step."""
        norms = torch._foreach_norm([weight.detach() for weight in self.network.parameters()])
        if not bool(torch.isfinite(torch.stack(norms)).all()):
            raise DivergedError(
                f"Training diverged in epoch {self.units_done + 1}: weights became NaN or inf."
            )

    def _build_scheduler(self) -> ReduceLROnPlateau | None:
        if self.params.plateau_patience is None:
            return None
        return ReduceLROnPlateau(
            self.optimizer,
            factor=self.params.plateau_factor,
            patience=self.params.plateau_patience,
            # The default is relative, and takes an equal value for a better one where losses are
            # negative, as those of a maximised metric are.
            threshold=0.0,
        )

    # Rows and predictions.

    def _place(self, table: Table) -> Rows:
        weight, given = None, self.weights(table)
        if given is not None:
            # Mean 1, so that the learning rate means the same with and without weights.
            weight = as_tensor((given / np.mean(given)).astype(np.float32))
        target = None if table.target is None else self.targets(table)
        lengths = self.row_lengths(table)
        return Rows.place(self.inputs(table), target, weight, self._device, lengths)

    def _predict(self, rows: Rows, group: WorkerGroup = ALONE) -> npt.NDArray[np.float64]:
        self._use_threads()
        self.network.eval()
        with torch.inference_mode():
            batches = rows.input_batches(self.prediction_batch_size, group.share)
            parts = [self.network(*inputs) for inputs in batches]
            outputs = torch.cat(gather_shares(parts, group)).float().cpu()
        if not bool(torch.isfinite(outputs).all()):
            raise DivergedError(
                "The network's outputs hold NaN or inf: its weights or the inputs are not finite."
            )
        return self.predictions(outputs)

    def _use_threads(self) -> None:
        if torch.get_num_threads() != self.useful_threads:
            torch.set_num_threads(self.useful_threads)

    # Checkpoints.

    def _save(self, folder: Path) -> None:
        write_weights(self._best or self.network.state_dict(), folder)

    def _save_training(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        write_state(
            TrainingState(
                network={} if self._is_best() else self.network.state_dict(),
                optimizer=optimizer_tensors(self.optimizer),
                rng=self._rng.state(),
                learning_rates=[float(group["lr"]) for group in self.optimizer.param_groups],
                scheduler={} if self._scheduler is None else _scalars(self._scheduler.state_dict()),
                scaler=self._scaler.state_dict(),
                watch=self._watch,
            ),
            folder,
        )

    def _is_best(self) -> bool:
        """Return whether the present state is the one that `_save` writes."""
        present = self.network.state_dict()
        return all(torch.equal(tensor, present[name]) for name, tensor in self._best.items())

    def _load(self, folder: Path) -> None:
        weights = read_weights(folder)
        with _refused_shape(folder):
            self.network.load_state_dict(weights)
        marked = weights if self.best_units else {}
        self._best = {name: tensor.to(self._device) for name, tensor in marked.items()}
        if is_undivided(folder):
            self._load_training(folder)

    def _load_training(self, folder: Path) -> None:
        state = read_state(folder)
        with _refused_shape(folder):
            if state.network:
                self.network.load_state_dict(state.network)
            load_optimizer(self.optimizer, state.optimizer, state.learning_rates)
        self._rng.load_state(state.rng)
        self._watch = state.watch
        if self._scheduler is not None:
            self._scheduler.load_state_dict(state.scheduler)
        if state.scaler and self._scaler.is_enabled():
            self._scaler.load_state_dict(state.scaler)


@contextmanager
def _refused_shape(folder: Path) -> Iterator[None]:
    """Turn what torch raises for another network's tensors into a `CheckpointError`."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder} holds a network of another shape: {error}.") from error


def _multiplies_in_bfloat16() -> bool:
    """Whether the CPU has instructions for it; emulated, it is slower than single precision."""
    return torch.cpu._is_avx512_bf16_supported()


def _scalars(state: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a state dict that JSON can hold."""
    return {key: value for key, value in state.items() if isinstance(value, bool | int | float | str | list)}
