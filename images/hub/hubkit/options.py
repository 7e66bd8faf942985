"""What the spawn page offers: images and sizes. It is skipped where there is nothing to choose."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from jupyterhub import orm
from sqlalchemy import event
from tornado import web

from .settings import Image, Limits, Settings, Size

T = TypeVar("T", Image, Size)
LONGEST = 4096  # characters of a choice, as JSON


class NotOffered(Exception):
    """Somebody asked for what isn't there. Its text says what is."""


@dataclass(frozen=True)
class Choice:
    """An image, and how large its server is."""

    image: Image
    limits: Limits


def chosen(options: Mapping[str, str | None], settings: Settings) -> Choice:
    """What was chosen; the first image and its size where nothing was."""
    image = _find("image", options.get("image"), settings.images)
    if not settings.sizes:
        return Choice(image, image.limits)
    return Choice(image, _find("size", options.get("size") or image.size, settings.sizes).limits)


def _find(what: str, title: str | None, offered: Sequence[T]) -> T:
    for each in offered:
        if title in (None, each.title):
            return each
    titles = ", ".join(each.title for each in offered)
    raise NotOffered(f"There is no {what} {title!r} here. Choose one of: {titles}.")


def limit() -> None:
    """No choice is longer: JupyterHub writes all into its database that its API is sent."""
    if not event.contains(orm.Spawner.user_options, "set", _require_short):
        event.listen(orm.Spawner.user_options, "set", _require_short)


def _require_short(_: Any, chosen: Any, *__: Any) -> None:
    if len(json.dumps(chosen)) > LONGEST:
        raise web.HTTPError(413, f"A choice may have {LONGEST} characters, as JSON.")


def form(settings: Settings) -> str:
    """The page's form, or nothing where nothing is to choose."""
    parts = []
    if len(settings.images) > 1:
        parts += ["<h2>Image</h2>", *_cards("image", settings.images, settings)]
    if len(settings.sizes) > 1:
        parts += ["<h2>Size</h2>", *_cards("size", settings.sizes, settings)]
    return "".join(parts) + (_PROPOSE if len(parts) > 1 and len(settings.sizes) > 1 else "")


def from_form(form: Mapping[str, list[str]]) -> dict[str, str]:
    """What the page sent."""
    return {name: form[name][0] for name in ("image", "size") if form.get(name)}


def _cards(name: str, offered: Sequence[Image | Size], settings: Settings) -> Iterator[str]:
    first = settings.images[0].size if name == "size" else None
    for index, each in enumerate(offered):
        title, about = html.escape(each.title, quote=True), html.escape(_about(each))
        checked = "checked" if (each.title == first if first else index == 0) else ""
        propose = html.escape(getattr(each, "size", None) or "", quote=True)
        yield (
            '<label class="card p-3 mb-2" style="cursor: pointer; display: block">'
            f'<input type="radio" name="{name}" value="{title}" data-size="{propose}" {checked}> '
            f'<strong>{title}</strong><br><span class="text-muted">{about}</span></label>'
        )


def _about(offered: Image | Size) -> str:
    if isinstance(offered, Image) or offered.description:
        return offered.description
    limits = offered.limits
    parts = [f"{limits.memory / 1024**3:.3g} GiB of memory"] if limits.memory else []
    parts += [f"{limits.cpu:g} cores"] if limits.cpu else []
    parts += [f"{limits.gpus} GPU{'s' * (limits.gpus > 1)}"] if limits.gpus else []
    return ", ".join(parts)


# An image's own size is proposed when it is clicked.
_PROPOSE = """<script>
document.querySelectorAll('input[name=image]').forEach(image => image.onchange = () => {
  const size = [...document.querySelectorAll('input[name=size]')]
    .find(each => each.value === image.dataset.size);
  if (size) size.checked = true;
});
</script>"""
