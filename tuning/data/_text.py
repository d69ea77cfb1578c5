"""Text as numbers: TF-IDF of words or letters, then a truncated singular value decomposition.

Chinese, Japanese, Thai and their like are written without spaces between words: there a sentence is one
long "word", which no other row has. It is cut into runs of one to three characters.
"""

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
_NGRAMS = {"word": (1, 2), "char_wb": (2, 4), "char": (1, 3)}

# Letters of scripts without spaces, by how many make up a word: Han, Hiragana and Katakana two, Thai, Lao,
# Tibetan, Burmese and Khmer four.
_SHORT_WORDS = "\u3005\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"
_LONG_WORDS = "\u0e01-\u0eff\u0f00-\u109f\u1780-\u17ff"
_WORD = f"[{_SHORT_WORDS}]{{1,2}}|[{_LONG_WORDS}]{{1,4}}|[^\\s{_SHORT_WORDS}{_LONG_WORDS}]+"
_UNSPACED = f"[{_SHORT_WORDS}{_LONG_WORDS}]"
_SHARE_UNSPACED = 0.5  # of the letters, from which on text is cut into characters
_MOST_LOOKED_AT = 10_000  # values, to choose the pieces by


def words_per_value(labels: pd.Series[Any]) -> float:
    """Return the mean number of words in (n,) present labels, estimated for scripts without spaces."""
    return float(labels.astype("str").str.count(_WORD).mean())


def analyzer_of(labels: pd.Series[Any]) -> str:
    """Return the pieces that (n,) present labels are cut into, as scikit-learn names them.

    Words for sentences; letters within words for names, addresses and codes; characters for scripts without
    spaces.
    """
    looked_at = labels.iloc[:: max(1, len(labels) // _MOST_LOOKED_AT)].astype("str")
    letters = looked_at.str.count(r"\S").sum()
    if looked_at.str.count(_UNSPACED).sum() >= _SHARE_UNSPACED * max(1, letters):
        return "char"
    return "word" if words_per_value(labels) >= 2 else "char_wb"


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
