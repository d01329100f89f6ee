"""The old place of :class:`mpnn.message_passing.hyper.Schedules`."""

from mpnn.message_passing.hyper import Schedule, Schedules

__all__ = ["Schedule", "Schedules"]
