"""Names are added and removed without touching anything else."""

from __future__ import annotations

from toolchain.commands import roster


def test_names_keep_their_order_and_come_once() -> None:
    assert roster.changed(["anna", "ben", "cleo"], ["dora", "ben", "dora"], ["anna"]) == [
        "ben",
        "cleo",
        "dora",
    ]


def test_other_columns_of_a_table_stay() -> None:
    text = "name,group\nanna,1\nben,2\n"
    assert roster.changed_table(text, ["cleo", "ben"], ["anna"]) == "name,group\nben,2\ncleo\n"


def test_quoted_cells_stay_quoted() -> None:
    text = 'name,full name\nanna,"Doe, Anna"\n'
    assert roster.changed_table(text, [], ["ben"]) == text
