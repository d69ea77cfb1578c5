from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tuning.data import _read_json, fingerprint, read_frame
from tuning.errors import DataError

TABLE = pd.DataFrame({"a": [1, 2, 3], "b": [0.1, None, 1e-3], "c": ["x", "y z", "é"]})


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_delimiter_is_sniffed(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    TABLE.to_csv(path, sep=delimiter, index=False)
    pd.testing.assert_frame_equal(read_frame(path), TABLE)
    pd.testing.assert_frame_equal(read_frame(path, delimiter), TABLE)


def test_comma_inside_semicolon_file(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "price;name\n1,5;a, b\n2,5;c\n")
    assert list(read_frame(path).columns) == ["price", "name"]


def test_one_column_csv(tmp_path: Path) -> None:
    assert read_frame(write(tmp_path / "t.csv", "a\n1\n2\n"))["a"].tolist() == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_csv_encodings(tmp_path: Path, encoding: str) -> None:
    frame = read_frame(write(tmp_path / "t.csv", "ü,b\né,1\n".encode(encoding)))
    assert frame.to_dict("list") == {"ü": ["é"], "b": [1]}


def test_latin_1_far_into_the_file(tmp_path: Path) -> None:
    body = b"a\n" + b"plain\n" * 300_000 + "é\n".encode("latin-1")
    assert read_frame(write(tmp_path / "t.csv", body))["a"].iloc[-1] == "é"


def test_csv_marks_of_missing_values(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "t.csv", "a,b\n1,x\n?,NA\n,None\nnan,?\n"))
    assert frame["a"].isna().tolist() == [False, True, True, True]
    assert frame["b"].isna().tolist() == [False, True, False, True]


def test_column_names_are_strings(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "t.csv", "None,1e3, 7 ,true\n1,2,3,4\n"))
    assert list(frame.columns) == ["None", "1e3", "7", "true"]


def test_gzip_and_parquet_and_json(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "t.csv.gz", index=False)
    TABLE.to_parquet(tmp_path / "t.parquet")
    records = json.loads(TABLE.to_json(orient="records"))
    write(tmp_path / "records.json", json.dumps(records))
    write(tmp_path / "wrapped.json", json.dumps({"version": 1, "data": records}))
    write(tmp_path / "columns.json", json.dumps({name: [row[name] for row in records] for name in TABLE}))
    write(tmp_path / "lines.jsonl", "\n".join(map(json.dumps, records)) + "\n\n")
    write(tmp_path / "lines.json", "\n".join(map(json.dumps, records)))
    write(tmp_path / "lines.ndjson.gz", gzip.compress("\n".join(map(json.dumps, records)).encode()))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 8
    for name in names:
        pd.testing.assert_frame_equal(read_frame(tmp_path / name), TABLE, check_dtype=name != "t.csv.gz")


def test_nested_records_become_dotted_columns(tmp_path: Path) -> None:
    records = [{"a": {"b": 1, "c": {"d": "x"}}, "e": [1, 2]}, {"a": {"b": 2}, "e": [3]}, {"e": []}]
    frame = read_frame(write(tmp_path / "t.json", json.dumps(records)))
    assert list(frame.columns) == ["a.b", "a.c.d", "e"]
    assert frame["a.b"].tolist()[:2] == [1, 2]
    assert np.isnan(frame["a.b"].iloc[2])
    assert frame["a.c.d"].iloc[0] == "x"
    assert frame["e"].tolist() == [[1, 2], [3], []]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", "is empty"),
        ("t.csv", "\n\n", "is empty"),
        ("t.csv", "a,b\n", "header but no rows"),
        ("t.csv", "a,b,a\n1,2,3\n", "more than one column named 'a'"),
        ("t.csv", "a,b\n1,2,3\n4,5,6\n", "row 2 has 3 fields, the header has 2"),
        ("t.csv", "a,b\n" + "1,2\n" * 200 + "1,2,3\n", "cannot be read as csv"),
        ("t.json", "[]", "is empty"),
        ("t.json", "[1, 2]", "not records"),
        ("t.json", '"text"', "neither a list of records nor an object of columns"),
        ("t.json", '{"a": [1, 2], "b": [1]}', "cannot be read as json"),
        ("t.json", '[{"a": 1', "cannot be read as json"),
        ("t.jsonl", '{"a": 1}\n{"a"', "cannot be read as json lines"),
        ("t.parquet", "not parquet", "cannot be read as parquet"),
        ("t.csv.gz", "not gzip", "cannot be read as csv"),
        ("t.xlsx", "x", "no known suffix: use one of .csv"),
        ("noname", "x", "no known suffix"),
    ],
)
def test_bad_files_are_refused_in_one_sentence(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError, match=message) as caught:
        read_frame(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_such_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no data file"):
        read_frame(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_frame(tmp_path)


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    content = b"a,b\n1,2\n" * 10_000
    first, second = write(tmp_path / "a.csv", content), write(tmp_path / "b.csv", content)
    assert fingerprint(first) == fingerprint(second) == hashlib.sha256(content).hexdigest()
    with pytest.raises(DataError, match="cannot be read"):
        fingerprint(tmp_path / "absent.csv")


def nested_records(n: int = 23) -> list[dict[str, object]]:
    """Records whose types, fields and gaps differ from the first to the last."""
    records: list[dict[str, object]] = []
    for k in range(n):
        record: dict[str, object] = {
            "id": k,
            "mixed": k if k < 15 else k + 0.5,
            "dns": {"ttl": k * 1.5, "flags": {"open": k % 2 == 0, "note": None if k < 9 else f"n{k}"}},
            "late": None if k < 12 else {"seen": k},
            "steps": [[k, 1.5], [2.0, k / 7]][: 1 + k % 2],
            "empty": None,
        }
        if k > 17:
            record["dns"] = {"ttl": 1.0, "extra": "é", "flags": {"open": True, "note": "x"}}
            record["new"] = k
        records.append(record)
    return records


def streamed(path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """The file as read in parts of 4 records, with no way to read it at once."""
    monkeypatch.setattr(_read_json, "STREAMED_CHARACTERS", 10)
    monkeypatch.setattr(_read_json, "_RECORDS_PER_CHUNK", 4)
    monkeypatch.setattr(_read_json, "_whole_text", lambda open_text: pytest.fail("read at once"))
    return read_frame(path)


@pytest.mark.parametrize("shape", ["list", "wrapped", "lines"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_large_json_is_streamed_to_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, suffix: str
) -> None:
    records = nested_records()
    text = {
        "list": json.dumps(records),
        "wrapped": json.dumps({"version": 1, "meta": {"list": [1]}, "data": records}),
        "lines": "\n".join(map(json.dumps, records)),
    }[shape]
    content = gzip.compress(text.encode()) if suffix else text
    path = write(tmp_path / f"t.{'jsonl' if shape == 'lines' else 'json'}{suffix}", content)
    whole, parts = read_frame(path), streamed(path, monkeypatch)
    assert list(parts.columns) == list(whole.columns)
    assert [np.asarray(v).tolist() for v in parts["steps"]] == [
        np.asarray(v).tolist() for v in whole["steps"]
    ]
    plain = [name for name in whole if name not in ("steps", "empty")]
    assert parts["empty"].isna().all()
    pd.testing.assert_frame_equal(parts[plain], whole[plain])


def test_streamed_lists_of_numbers_are_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.json", json.dumps([{"v": [0.5, k], "w": ["a"]} for k in range(9)]))
    frame = streamed(path, monkeypatch)
    assert all(isinstance(value, np.ndarray) for value in frame["v"])
    assert frame["w"].tolist() == [["a"]] * 9


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": 1}, {"a": NaN}, {"a": 3}]',
        '[{"a": 1}, {"a": 123456789012345678901234567890}]',
        '{"a": [1, 2, 3], "b": [1, 2, 3]}',
        '{"a": [{"x": 1}], "b": [{"x": 2}]}',
        '{"a": 1}\n{"a": 2}\n',
        '[{"a": {"b": 1}}, {"a": {"b": 1}}, {"a": 3}]',
    ],
)
def test_large_json_that_cannot_be_streamed_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    path = write(tmp_path / "t.json", content)
    whole = read_frame(path)
    monkeypatch.setattr(_read_json, "STREAMED_CHARACTERS", 5)
    monkeypatch.setattr(_read_json, "_RECORDS_PER_CHUNK", 2)
    pd.testing.assert_frame_equal(read_frame(path), whole)


@pytest.mark.parametrize(
    "content", ['[{"a": 1}, {"a": 2}', "[1, 2, 3, 4, 5, 6]", '{"a": 1, "b": 2, "c": 3', "[]"]
)
def test_damaged_large_json_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    path = write(tmp_path / "t.json", content)
    monkeypatch.setattr(_read_json, "STREAMED_CHARACTERS", 1)
    with pytest.raises(DataError):
        read_frame(path)
