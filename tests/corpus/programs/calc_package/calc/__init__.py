"""Expressions."""

from .parser import parse
from .tree import evaluate, optimise, show

__all__ = ["evaluate", "optimise", "parse", "show"]
