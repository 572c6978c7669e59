"""Saying when a save is due; the engine decides where."""

from resume.triggers.schedule import Schedule

__all__ = ["Schedule"]
