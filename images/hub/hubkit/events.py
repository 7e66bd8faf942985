"""What Kubernetes says of a pod, in words of who waits for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .admission import HINT

Event = dict[str, Any]

# Seconds after which a pod that has no place won't get one by itself.
NO_ROOM_AFTER = 60
NO_DISK_AFTER = 150
_TELL = "Tell your teacher."
_LACKING = {
    r"Insufficient memory": "enough free memory",
    r"Insufficient cpu": "enough free cores",
    r"Insufficient \S*gpu": "a free GPU",
    r"Too many pods": "a place for another server",
}
_STEPS = {
    "Scheduled": "A machine was found for your server",
    "Pulling": "Bringing the image to the machine: the first time this takes minutes",
    "Pulled": "The image is there",
    "Created": "Starting your server",
    "Started": "Your server starts",
    "FailedScheduling": "No machine has room just now: waiting for a place",
    "TriggeredScaleUp": "Another machine is being added: this takes some minutes",
    "FailedMount": "Waiting for your files",
    "FailedAttachVolume": "Waiting for your files",
}


def step(event: Event) -> str:
    """A line for the page that shows how a start goes."""
    return _STEPS.get(event["reason"]) or str(event["message"])


def why_not(events: Sequence[Event], seconds: float) -> str | None:
    """Why a pod will not start, once that is sure.

    Args:
        seconds: for how long it was tried.
    """
    said = {event["reason"]: str(event["message"]) for event in events}  # the last of each
    if image := said.get("ErrImageNeverPull") or said.get("InspectFailed"):
        return _no_image(image)
    if (again := said.get("BackOff")) is not None:
        if "pulling image" in again:
            return _no_image(again)
        return f"Your server ended as soon as it started, again and again. {_TELL}"
    if "Scheduled" not in said:
        return _no_place(said, seconds)
    disk = said.get("FailedAttachVolume") or said.get("FailedMount")
    if disk and "Started" not in said and seconds > NO_DISK_AFTER:
        return f"Your files could not be attached, so your server did not start. {_TELL} ({disk})"
    return None


def _no_place(said: dict[str, str], seconds: float) -> str | None:
    failed = said.get("FailedScheduling")
    waits = "TriggeredScaleUp" in said
    hopeless = "NotTriggerScaleUp" in said or seconds > NO_ROOM_AFTER
    if failed is None or waits or not hopeless:
        return None
    lacking = [words for pattern, words in _LACKING.items() if re.search(pattern, failed)]
    if lacking:
        what = " and ".join(lacking)
        return f"There is no room for another server: no machine has {what}. {HINT}"
    if "persistentvolumeclaim" in failed.lower():
        return f"The disk for your files is not there yet, so your server waits. {_TELL} ({failed})"
    return f"No machine of the cluster fits your choice. {_TELL} ({failed})"


def _no_image(said: str) -> str:
    found = re.search(r'image "([^"]+)"', said)
    return f"The image {found[1] if found else 'that you chose'} can't be had. {_TELL}"


def in_words(refusal: str) -> str:
    """Why the API server takes no pod."""
    if found := re.search(r"exceeded quota: (\S+), requested: (.*)", refusal):
        return f"There is no room for another server: the quota is used up ({found[2]}). {HINT}"
    return f"The cluster did not take your server. {_TELL} It says: {refusal}"
