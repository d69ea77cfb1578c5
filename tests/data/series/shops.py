"""Small series to prepare."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tuning.data import ColumnRole, DataConfig, PreparedData, SplitConfig, TargetConfig, prepare

T = 140
HORIZON = 3
ROLES = {"promotion": ColumnRole.KNOWN, "traffic": ColumnRole.PAST, "size": ColumnRole.STATIC}


def shops(seed: int = 0, steps: int = T, n_shops: int = 3) -> pd.DataFrame:
    """Daily sales with a week's season, one covariate of each role, and gaps."""
    rng = np.random.default_rng(seed)
    frames = []
    for shop in range(n_shops):
        time = np.arange(steps)
        promotion = (rng.random(steps) < 0.2).astype(float)
        level = 100.0 * (shop + 1)
        season = 0.3 * level * np.sin(2 * np.pi * time / 7)
        sales = level + season + 0.2 * level * promotion + 0.05 * level * rng.normal(size=steps)
        frames.append(
            pd.DataFrame(
                {
                    "shop": shop + 1,
                    "day": pd.date_range("2024-01-01", periods=steps, freq="D"),
                    "sales": sales,
                    "promotion": promotion,
                    "traffic": sales + rng.normal(size=steps),
                    "size": 10.0 * shop,
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    frame.loc[frame.index % 31 == 5, "sales"] = np.nan
    return frame.drop(index=frame.index[40:43]).reset_index(drop=True)


def config(horizon: int = HORIZON, **changes: object) -> DataConfig:
    given = {
        "path": "shops.csv",
        "target": "sales",
        "time": "day",
        "series": "shop",
        "horizon": horizon,
        "roles": ROLES,
    }
    return DataConfig.model_validate({**given, **changes})


def prepared(
    frame: pd.DataFrame | None = None,
    *,
    split: SplitConfig | None = None,
    metric: str | None = None,
    target: TargetConfig | None = None,
    splits: pd.DataFrame | None = None,
    **changes: object,
) -> PreparedData:
    return prepare(
        shops() if frame is None else frame,
        config(**changes),  # type: ignore[arg-type]
        target or TargetConfig(),
        split or SplitConfig(valid=20, test=20),
        metric,
        seed=0,
        splits=splits,
    )
