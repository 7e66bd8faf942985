"""The hub's own code, shared by every platform's hub image."""

__version__ = "0.1.0"
