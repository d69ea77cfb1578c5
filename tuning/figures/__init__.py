"""Pictures of a trial, as PNG files; drawn by matplotlib without a display and without global state."""

from tuning.figures._draw import TrialPictures, draw_trial

__all__ = ["TrialPictures", "draw_trial"]
