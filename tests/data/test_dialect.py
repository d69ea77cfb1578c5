"""Text files as Excel and other programs save them: encodings, the `sep=` line, long cells."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tuning.data import read_frame

ROWS = "Stra\u00dfe;Preis\nM\u00fchlweg;1,5\nAm S\u00fc\u00dfen;2,5\n"


def columns_of(path: Path) -> dict[str, list[object]]:
    frame = read_frame(path)
    return {str(name): [str(value) for value in frame[name]] for name in frame}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_encodings_of_excel(tmp_path: Path, encoding: str, separator: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(ROWS.replace(";", separator).replace("\n", "\r\n").encode(encoding))
    assert columns_of(path) == {
        "Stra\u00dfe": ["M\u00fchlweg", "Am S\u00fc\u00dfen"],
        "Preis": ["1,5", "2,5"],
    }


def test_utf_16_of_big_endians_with_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "prices.txt"
    path.write_bytes(b"\xfe\xff" + ROWS.encode("utf-16-be"))
    assert columns_of(path)["Preis"] == ["1,5", "2,5"]


@pytest.mark.parametrize("letter", ["\u20ac", "\u201e", "\u0160"])
def test_letters_of_windows_are_not_those_of_latin_1(tmp_path: Path, letter: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(f"x,y\n5 {letter},1\n6 {letter},2\n".encode("cp1252"))
    assert columns_of(path)["x"] == [f"5 {letter}", f"6 {letter}"]


def test_bytes_that_windows_has_no_letter_for_are_read(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(b"x,y\n\x81\xe4,1\n")
    assert columns_of(path)["y"] == ["1"]


def test_a_compressed_file_has_an_encoding_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv.gz"
    path.write_bytes(gzip.compress(ROWS.encode("utf-16")))
    assert columns_of(path)["Preis"] == ["1,5", "2,5"]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_line_that_tells_excel_the_delimiter(tmp_path: Path, line: str, end: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(f"{line}\n{ROWS}".replace("\n", end).encode("utf-8"))
    assert columns_of(path)["Preis"] == ["1,5", "2,5"]


@pytest.mark.parametrize(
    ("line", "separator"), [("sep=,", ","), ("sep=|", "|"), ("sep=\t", "\t"), ("sep=~", "~")]
)
def test_any_delimiter_can_be_told(tmp_path: Path, line: str, separator: str) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"{line}\n{ROWS.replace(',', '.').replace(';', separator)}", encoding="utf-16")
    assert columns_of(path)["Preis"] == ["1.5", "2.5"]


def test_a_header_that_begins_as_the_line_does(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("sep=;x\n1;2\n3;4\n")
    assert columns_of(path) == {"sep=": ["1", "3"], "x": ["2", "4"]}


@pytest.mark.parametrize("place", [0, 1, 60])
@pytest.mark.parametrize("cell", ["x" * 200_000, '"' + "a line\n" * 40_000 + '"'])
def test_long_cells(tmp_path: Path, place: int, cell: str) -> None:
    path = tmp_path / "texts.csv"
    rows = [f"{row},short" for row in range(61)]
    rows[place] = f"{place},{cell}"
    path.write_text("number,text\n" + "\n".join(rows) + "\n")
    frame = read_frame(path)
    assert len(frame) == 61
    assert len(frame["text"][place]) >= 200_000
