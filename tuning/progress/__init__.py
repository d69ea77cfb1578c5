"""What a person sees of a running study, always on stderr."""

from tuning.progress._choose import make_view
from tuning.progress._live import LiveView
from tuning.progress._plain import PlainView
from tuning.progress._snapshot import FamilyProgress, Snapshot
from tuning.progress._view import NullView, View

__all__ = ["FamilyProgress", "LiveView", "NullView", "PlainView", "Snapshot", "View", "make_view"]
