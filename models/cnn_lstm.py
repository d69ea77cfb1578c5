"""CNN-LSTM: convolutions, a bidirectional LSTM and attention over a sequence, for classification."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn import functional

from tuning.models._layers import CategoryEmbeddings, Dropout, embedded_columns
from tuning.models._sequence_layers import (
    AdditiveAttention,
    BidirectionalLSTM,
    ConvolutionBlock,
    MeanOverSteps,
    Padding,
    PairPooling,
)
from tuning.models._sequences import SequenceSchema
from tuning.models._table import Schema, Table, Task
from tuning.models._torch import TorchModel
from tuning.models._torch_params import AdamParams
from tuning.models._torch_rows import as_tensor
from tuning.models.errors import ModelError

DropoutRate = Annotated[float, Field(ge=0, lt=1)]
EvenWidth = Annotated[int, Field(ge=2, multiple_of=2)]

_SECOND_HEAD_DROPOUT = 2 / 3  # of the first: .3 and .2 in the network as published


class ClassWeights(StrEnum):
    """How much a training row counts in the loss, by its class."""

    NONE = "none"
    SQUARE_ROOT = "square_root"
    BALANCED = "balanced"


_POWERS = {ClassWeights.NONE: 0.0, ClassWeights.SQUARE_ROOT: 0.5, ClassWeights.BALANCED: 1.0}


class CnnLstmParams(AdamParams):
    """Hyperparameters of `CnnLstm`.

    Attributes:
        projection_width: numbers that a feature vector is projected to, read as steps of one channel.
        character_width: width of the learned vector of a character.
        channels: of the first convolution; the second has half as many.
        kernel_size: steps that a convolution sees.
        hidden_size: of the LSTM, per direction.
        attention: weigh the steps by additive attention; False: their plain mean.
        attention_width: hidden width of the attention; None without one.
        head_width: of the head's first layer; the second has half of it.
        projection_dropout: after the projection of a feature vector.
        convolution_dropout: after each convolution.
        head_dropout: after the head's first layer; two thirds of it after the second.
        class_weights: `balanced` makes every class count the same in the training loss, by weights
            from the training rows; `square_root` takes the roots of them, which costs common classes less
            precision. What is measured on validation rows stays unweighted.
    """

    projection_width: PositiveInt
    character_width: PositiveInt
    channels: EvenWidth
    kernel_size: Literal[1, 3, 5, 7, 9]
    hidden_size: PositiveInt
    attention: bool
    attention_width: PositiveInt | None = None
    head_width: EvenWidth
    projection_dropout: DropoutRate
    convolution_dropout: DropoutRate
    head_dropout: DropoutRate
    class_weights: ClassWeights

    @model_validator(mode="after")
    def _has_its_attention(self) -> CnnLstmParams:
        if self.attention and self.attention_width is None:
            raise ValueError("attention needs attention_width")
        return self


class FeatureSource(nn.Module):
    """A feature vector as a sequence: projected to as many numbers as the sequence has steps.

    Attributes:
        channels: of the sequence, 1.
    """

    channels = 1

    def __init__(self, schema: Schema, params: CnnLstmParams) -> None:
        super().__init__()
        cardinalities = tuple(schema.cardinalities[i] for i in embedded_columns(schema.one_hot))
        self.categories = CategoryEmbeddings(cardinalities) if cardinalities else None
        inputs = schema.dense_width + schema.embedding_width
        inputs += self.categories.width if self.categories else 0
        if not inputs:
            raise ModelError("cnn_lstm needs a sequence, or at least one column of another kind.")
        self.projection = nn.Sequential(
            nn.Linear(inputs, params.projection_width),
            nn.ReLU(),
            nn.BatchNorm1d(params.projection_width),
            Dropout(params.projection_dropout),
        )

    def forward(self, features: Tensor, codes: Tensor) -> tuple[Tensor, None]:
        """(B, d + e) and (B, c) -> (B, projection_width, 1), no padding."""
        if self.categories is not None:
            features = torch.cat([features, self.categories(codes)], dim=1)
        return self.projection(features).unsqueeze(2), None  # (B, W) -> (B, W, 1)


class SequenceSource(nn.Module):
    """Sequences as they are, characters as learned vectors, cut to the longest of the batch.

    A character unseen in training has the vector 0.

    Attributes:
        channels: of the sequence.
    """

    def __init__(self, schema: SequenceSchema, params: CnnLstmParams) -> None:
        super().__init__()
        width, self.characters = schema.channels, None
        if schema.vocabulary:
            width = params.character_width
            self.characters = nn.Embedding(schema.vocabulary + 1, width, padding_idx=0)
        self.channels = width

    def forward(self, steps: Tensor, lengths: Tensor) -> tuple[Tensor, Padding | None]:
        """(B, L, C) or codes (B, L), and (B,) lengths -> (B, T, C), 0 at padding, and its padding."""
        shortest, longest = torch.stack(torch.aminmax(lengths)).tolist()
        steps = steps[:, :longest]
        if self.characters is not None:
            steps = self.characters(steps)  # (B, T) -> (B, T, C)
        return steps, None if shortest == longest else Padding.of(lengths, longest)


class CnnLstmNetwork(nn.Module):
    """Source, two convolutions, pooling, bidirectional LSTM, one vector of its steps, head.

    Attributes:
        class_weights: (n_classes,) buffer, what a row of each class counts in the training loss.
    """

    class_weights: Tensor

    def __init__(self, schema: Schema, params: CnnLstmParams) -> None:
        super().__init__()
        sequence = schema.sequence
        self.source = FeatureSource(schema, params) if sequence is None else SequenceSource(sequence, params)
        wide, narrow = params.channels, params.channels // 2
        self.wide = ConvolutionBlock(
            self.source.channels, wide, params.kernel_size, params.convolution_dropout
        )
        self.narrow = ConvolutionBlock(wide, narrow, params.kernel_size, params.convolution_dropout)
        self.pooling = PairPooling()
        self.lstm = BidirectionalLSTM(narrow, params.hidden_size)
        self.summary = _summary(2 * params.hidden_size, params)
        self.head = _head(2 * params.hidden_size, params, schema.n_classes)
        self.register_buffer("class_weights", torch.ones(schema.n_classes))

    def forward(self, *inputs: Tensor) -> Tensor:
        """What `CnnLstm.inputs` gives for B rows -> (B, n_classes) logits."""
        x, padding = self.source(*inputs)
        x = self.narrow(self.wide(x, padding), padding)
        x = self.pooling(x, padding)
        padding = None if padding is None else padding.halved()
        x = self.lstm(x, padding)
        out: Tensor = self.head(self.summary(x, padding))
        return out


def _summary(inputs: int, params: CnnLstmParams) -> nn.Module:
    if not params.attention or params.attention_width is None:
        return MeanOverSteps()
    return AdditiveAttention(inputs, params.attention_width)


def _head(inputs: int, params: CnnLstmParams, outputs: int) -> nn.Sequential:
    wide, narrow = params.head_width, params.head_width // 2
    return nn.Sequential(
        nn.Linear(inputs, wide),
        nn.ReLU(),
        Dropout(params.head_dropout),
        nn.Linear(wide, narrow),
        nn.ReLU(),
        Dropout(params.head_dropout * _SECOND_HEAD_DROPOUT),
        nn.Linear(narrow, outputs),
    )


class CnnLstm(TorchModel[CnnLstmParams]):
    """The CNN-LSTM with attention that was built to tell malicious domains from benign ones.

    Where the table has a sequence, the network reads that alone: steps of numbers or characters go
    straight to the convolutions, with padding masked. Without one it reads the feature vector,
    `Table.dense`, `Table.embedding` and learned vectors of the categorical columns with many levels,
    projected to 256 numbers that stand for the steps of a sequence. With the published widths, 47 features
    and 3 classes it has 294,851 parameters. Trained by Adam on the class-weighted cross-entropy.

    Raises:
        ModelError: the table has no columns at all.
    """

    Params = CnnLstmParams
    tasks: ClassVar[frozenset[Task]] = frozenset({Task.BINARY, Task.MULTICLASS})
    reads_sequences: ClassVar[bool] = True
    prediction_batch_size: int = 256  # activations of 256 steps are large
    network: CnnLstmNetwork

    def build(self, schema: Schema, params: CnnLstmParams) -> nn.Module:
        return CnnLstmNetwork(schema, params)

    def fit_inputs(self, train: Table) -> None:
        power = _POWERS[self.params.class_weights]
        weights = _balanced_weights(train, self.schema.n_classes) ** power
        self.network.class_weights.copy_(torch.from_numpy(weights))

    @property
    def half_pays_on_cpu(self) -> bool:
        """The LSTM alone, half of a step's time, takes about half as long in bfloat16.

        Measured on one thread of a Zen 4, published widths, 256 steps, 32 rows: 1.7 x the speed.
        """
        return True

    def inputs(self, table: Table) -> tuple[Tensor, ...]:
        """Steps (n, L, C) or character codes (n, L), with lengths (n,); or features and codes."""
        sequence = self.schema.sequence
        if sequence is None:
            return self._feature_inputs(table)
        if table.sequence is None:
            raise ModelError("cnn_lstm was built for sequences, and these rows have none.")
        steps, lengths = table.sequence.padded(sequence.max_length)
        # A missing sequence is one step of zeros: every sequence then has a step to look at.
        return as_tensor(steps), as_tensor(np.maximum(lengths, 1))

    def row_lengths(self, table: Table) -> Tensor | None:
        """(n,) lengths of the sequences, None for feature vectors."""
        return None if table.sequence is None else as_tensor(table.sequence.lengths)

    def row_losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """(B, n_classes) logits and (B,) codes -> (B,) weighted cross-entropies."""
        return functional.cross_entropy(outputs, target, weight=self.network.class_weights, reduction="none")

    def _feature_inputs(self, table: Table) -> tuple[Tensor, ...]:
        """Features (n, d + e) and category codes (n, c)."""
        features = np.concatenate([table.dense, table.embedding], axis=1, dtype=np.float32)
        codes = np.asarray(table.categorical)[:, embedded_columns(self.schema.one_hot)]
        return as_tensor(features), as_tensor(codes.astype(np.int64))


def _balanced_weights(train: Table, n_classes: int) -> npt.NDArray[np.float32]:
    """(n_classes,) inverse to the rows (by their weights) of each class, 1 on average over the rows."""
    rows: npt.NDArray[Any] = np.bincount(
        np.asarray(train.known_target, dtype=np.int64), weights=train.weight, minlength=n_classes
    ).astype(np.float64)
    present = rows > 0
    weights = np.ones(n_classes)
    weights[present] = rows.sum() / (present.sum() * rows[present])
    return weights.astype(np.float32)
