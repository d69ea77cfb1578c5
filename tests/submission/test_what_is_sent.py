"""What is not sent to a cluster: passwords, and databases that would be gone with the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuning.config import validate_config
from tuning.errors import ConfigError
from tuning.submission import check_urls


def check(entry: str, url: str) -> None:
    section, key = entry.split(".")
    raw = {"name": "demo", "data": {"path": "x.csv", "target": "y"}, section: {key: url}}
    check_urls(validate_config(raw, "test"))


@pytest.mark.parametrize("entry", ["storage.url", "monitoring.mlflow"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:secret@db/tuning",
        "mysql://db/tuning?user=ann&password=secret",
        "https://ann:secret@host",
    ],
)
def test_a_password_is_not_sent(entry: str, url: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{entry}: the password in .*\*\*\*.*--env DB_PASSWORD"
    ) as refused:
        check(entry, url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite:///record.db", "sqlite:///./record.db", "sqlite+pysqlite:///a/b.db"])
def test_a_database_in_the_folder_of_the_job_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is deleted with it"):
        check("storage.url", url)


@pytest.mark.parametrize(
    "url", ["postgresql://ann:${DB_PASSWORD}@db/tuning", "sqlite:////mnt/record.db", "sqlite:///${RECORD}"]
)
def test_what_the_message_offers_is_sent(url: str) -> None:
    check("storage.url", url)


def test_a_study_file_with_a_password_never_leaves_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command refuses it before it looks for the cluster."""
    from tuning.cli import main

    (tmp_path / "table.csv").write_text("x,y\n1,2\n")
    monkeypatch.setattr(
        "sys.argv",
        ["tuning", "submit", "--data", str(tmp_path / "table.csv"), "--target", "y", "--address", "http://127.0.0.1:1",
         "--set", "storage.url=postgresql://ann:secret@db/tuning"],
    )  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "storage.url: the password in postgresql://ann:***@db/tuning would be sent along" in said
