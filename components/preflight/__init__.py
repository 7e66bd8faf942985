"""Asks the cloud, before anything is made, whether a VM will work there.

Look-ups that the providers' data sources answer well stay there; quotas with their use, and what a
zone offers, are asked with the clouds' own Python libraries. What can't be known is `unknown` and
stops nobody.
"""

from .checks import check, left_behind, notes, refused
from .findings import Finding, Verdict, Wanted

__all__ = ["Finding", "Verdict", "Wanted", "check", "left_behind", "notes", "refused"]
