"""Text as numbers: TF-IDF of words and pairs of words, then a truncated singular value decomposition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tuning.data._columns import ColumnSpec
from tuning.data._values import as_text
from tuning.errors import DataError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_MOST_TERMS = 20_000
_MOST_COMPONENTS = 64
_NGRAMS = {"word": (1, 2), "char_wb": (2, 4)}


def fit_text(spec: ColumnSpec, column: pd.Series[Any], seed: int) -> Pipeline:
    """Latent semantic analysis of one column of training rows.

    Raises:
        DataError: the column has no words.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import Pipeline

    vectorizer = TfidfVectorizer(
        analyzer=spec.analyzer,
        ngram_range=_NGRAMS[spec.analyzer],
        max_features=_MOST_TERMS,
        sublinear_tf=True,
        token_pattern=r"(?u)\b\w+\b" if spec.analyzer == "word" else None,
        dtype=np.float32,
    )
    try:
        terms = vectorizer.fit_transform(as_text(column))
    except ValueError as error:
        raise DataError(
            f"Column {spec.name!r} has the role text, but no words: give it the role drop."
        ) from error
    # Plain integers are written a hundred times faster than numpy's.
    vectorizer.vocabulary_ = {term: int(index) for term, index in vectorizer.vocabulary_.items()}
    svd = TruncatedSVD(min(_MOST_COMPONENTS, *terms.shape), random_state=seed).fit(terms)
    return Pipeline([("tfidf", vectorizer), ("svd", svd)])


def read_text(
    pipelines: Sequence[Pipeline], specs: Sequence[ColumnSpec], frame: pd.DataFrame
) -> npt.NDArray[np.float32]:
    """(n, sum of components) float32, one block per text column."""
    blocks = [
        pipeline.transform(as_text(frame[spec.name])) for pipeline, spec in zip(pipelines, specs, strict=True)
    ]
    return np.concatenate(blocks, axis=1) if blocks else np.empty((len(frame), 0), dtype=np.float32)
