"""What a preview would do, as a short page for a pull request, and whether data would be lost."""

from .gate import Gate, judge
from .markdown import LIMIT, page
from .plan import Plan, Step, Unreadable, read

__all__ = ["LIMIT", "Gate", "Plan", "Step", "Unreadable", "judge", "page", "read"]
