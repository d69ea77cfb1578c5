"""The content of `study.yaml`, from which a study is taken up again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer

from tuning.config import StudyConfig
from tuning.config.explain import explain
from tuning.config.url import has_password
from tuning.errors import RecordError
from tuning.metrics import Direction
from tuning.models import Task
from tuning.session import StudyFolder
from tuning.space import Space
from tuning.storage import without_secrets


class StudyFile(BaseModel):
    """What a study folder says of its study.

    Attributes:
        created_at: when the study was set up, ISO 8601 in UTC.
        task: kind of target.
        metric: name of the metric that is searched on.
        direction: whether low or high scores are better.
        data_sha256: fingerprint of the data file.
        config: the resolved configuration.
        spaces: per family, what is searched.
        versions: of this project and the libraries that the study was last set up with.
    """

    model_config = ConfigDict(frozen=True)

    created_at: str
    task: Task
    metric: str
    direction: Direction
    data_sha256: str
    config: StudyConfig
    spaces: dict[str, Space] = Field(min_length=1)
    versions: dict[str, str] = Field(default_factory=dict)

    @field_serializer("spaces")
    def _as_written(self, spaces: dict[str, Space]) -> dict[str, Any]:
        """Spaces as their files have them, without the entries that were left out."""
        return {name: space.model_dump(mode="json", exclude_unset=True) for name, space in spaces.items()}

    @classmethod
    def read(cls, folder: StudyFolder) -> Self:
        """The study file of a folder.

        Raises:
            InputError: there is no study, or its file is damaged.
        """
        try:
            return cls.model_validate(folder.read_study())
        except ValidationError as error:
            raise RecordError(explain(error, str(folder.study_file), cls)) from error

    def write(self, folder: StudyFolder) -> None:
        """Write the study file; one that holds a password is its owner's alone to read.

        Credentials of an object store are not written: every command is given its place anew. A table that
        lies in the folder is named by its path there, so that the folder can be moved.
        """
        content = self.model_dump(mode="json")
        content["config"]["storage"]["folder"] = without_secrets(self.config.storage.folder)
        table = Path(self.config.data.path)
        if table.is_relative_to(folder.root):
            content["config"]["data"]["path"] = str(table.relative_to(folder.root))
        urls = (self.config.storage.url, self.config.monitoring.mlflow)
        is_private = any(url is not None and has_password(url) for url in urls)
        folder.write_study(content, is_private=is_private)
