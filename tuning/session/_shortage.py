"""What the record says of a trial for which a whole GPU is too small."""

from __future__ import annotations

from tuning.trial import GpuShortage, TrialSpec


def describe_shortage(spec: TrialSpec, shortage: GpuShortage) -> str:
    """One sentence: what the trial took of how much, and which of its settings to lower."""
    advice = "lower batch_size" if "batch_size" in spec.params else "give it fewer rows or a smaller model"
    gpus = "a whole GPU" if shortage.share == 1 else f"{shortage.share:g} whole GPUs"
    if shortage.peak_gib is None or shortage.total_gib is None:
        return f"CUDA out of memory on {gpus}: {shortage.reason}; {advice}."
    took = f"peak {shortage.peak_gib:.3g} GiB of {shortage.total_gib:.3g} GiB"
    return f"CUDA out of memory on {gpus}: {took}; {advice}."
