"""Text of every script is text: also where no spaces part the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tuning.data import (
    ColumnRole,
    DataConfig,
    PreparedData,
    SplitConfig,
    TableTransform,
    TargetConfig,
    prepare,
)

N = 240
# Per language: phrases about anything, then praise, then blame.
PHRASES = {
    "chinese": (["这个产品", "昨天收到的", "我买给妈妈", "包装", "价格", "颜色"], "非常满意", "太让人失望"),
    "japanese": (
        ["この商品は", "昨日届きました", "母への贈り物", "箱の色が", "値段は", "サイズも"],
        "とても良い",
        "がっかりした",
    ),
    "thai": (["สินค้าชิ้นนี้", "ได้รับเมื่อวาน", "ซื้อให้แม่", "กล่อง", "ราคา", "สี"], "ดีมาก", "ผิดหวัง"),
    "khmer": (["ផលិតផលនេះ", "ទទួលម្សិលមិញ", "ទិញជូនម្តាយ", "ប្រអប់"], "ល្អណាស់", "ខកចិត្ត"),
    "mixed": (
        ["iPhone的", "买了2台", "在Taobao上", "昨天", "发货很快", "用了一周"],
        "非常满意",
        "太让人失望",
    ),
}


def reviews(language: str) -> pd.DataFrame:
    """Sentences that differ in every row, with praise or blame somewhere in the middle."""
    rng = np.random.default_rng(0)
    phrases, praise, blame = PHRASES[language]
    is_good = rng.random(N) < 0.5
    texts = []
    for row, good in enumerate(is_good):
        before, after = rng.choice(phrases, 2), rng.choice(phrases, 2)
        texts.append("".join([*before, praise if good else blame, *after]) + str(row))
    return pd.DataFrame({"review": texts, "y": np.where(is_good, "good", "bad")})


def prepared(frame: pd.DataFrame, **roles: ColumnRole) -> PreparedData:
    data = DataConfig(path="t.csv", target="y", roles=roles)
    return prepare(frame, data, TargetConfig(), SplitConfig(), "accuracy", 0)


def accuracy_of_a_linear_model(data: PreparedData) -> float:
    fold = data.folds[0]
    assert fold.train.target is not None
    assert fold.valid.target is not None
    model = LogisticRegression(C=100.0).fit(fold.train.embedding, fold.train.target)
    return float(model.score(fold.valid.embedding, fold.valid.target))


@pytest.mark.parametrize("language", list(PHRASES))
def test_sentences_without_spaces_are_text(language: str) -> None:
    data = prepared(reviews(language))
    assert data.roles["review"] is ColumnRole.TEXT
    assert any("read as text" in note for note in data.notes)
    assert accuracy_of_a_linear_model(data) >= 0.9


@pytest.mark.parametrize("language", ["chinese", "thai"])
def test_a_given_role_reads_them_by_characters(language: str) -> None:
    assert accuracy_of_a_linear_model(prepared(reviews(language), review=ColumnRole.TEXT)) >= 0.9


def test_they_stay_text_where_another_column_is() -> None:
    frame = reviews("japanese").assign(size=np.arange(N) % 13 * 1.5)
    data = prepared(frame)
    assert data.roles == {"review": ColumnRole.TEXT, "size": ColumnRole.NUMERIC}


def test_few_names_stay_categories() -> None:
    cities = ["北京市", "上海市", "广州市", "กรุงเทพมหานคร", "大阪府"]
    frame = pd.DataFrame({"city": [cities[k % 5] for k in range(N)], "y": ["a", "b"] * (N // 2)})
    assert prepared(frame).roles["city"] is ColumnRole.CATEGORICAL


def test_the_choice_is_kept(tmp_path: Path) -> None:
    frame = reviews("chinese")
    fold = prepared(frame).folds[0]
    assert isinstance(fold.transform, TableTransform)
    fold.transform.save(tmp_path)
    again = TableTransform.load(tmp_path).apply(frame.drop(columns="y").iloc[:20])
    np.testing.assert_array_equal(again.embedding, fold.transform.apply(frame.iloc[:20]).embedding)


@pytest.mark.parametrize(
    ("texts", "analyzer"),
    [
        ([f"the quick brown fox number {k}" for k in range(N)], "word"),
        ([f"der schnelle braune Fuchs Nummer {k}" for k in range(N)], "word"),
        ([f"이 제품은 정말 좋아요 {k}" for k in range(N)], "word"),
        ([f"这个产品很好{k}" for k in range(N)], "char"),
    ],
)
def test_words_where_there_are_spaces(texts: list[str], analyzer: str) -> None:
    fold = prepared(pd.DataFrame({"text": texts, "y": ["a", "b"] * (N // 2)})).folds[0]
    assert isinstance(fold.transform, TableTransform)
    (spec,) = fold.transform.columns
    assert (spec.role, spec.analyzer) == (ColumnRole.TEXT, analyzer)
