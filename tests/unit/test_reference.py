"""The reference is made from the code; this says when somebody forgot to make it."""

import runpy
from pathlib import Path

import pytest
from pydantic import BaseModel

from components.config import StackConfig
from components.errors import model_in

DOCS = Path(__file__).parents[2] / "docs"


def test_reference_is_current() -> None:
    made = runpy.run_path(str(DOCS / "make_reference.py"))["reference"]()
    assert (DOCS / "reference.md").read_text() == made, "run: python docs/make_reference.py"


def models(model: type[BaseModel]) -> set[type[BaseModel]]:
    inner = {m for f in model.model_fields.values() if (m := model_in(f.annotation))}
    return {model}.union(*(models(m) for m in inner))


@pytest.mark.parametrize("model", sorted(models(StackConfig), key=str), ids=lambda m: m.__name__)
def test_every_field_says_what_it_is_and_what_a_change_does(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert isinstance(field.json_schema_extra, dict) and field.json_schema_extra["change"], name
