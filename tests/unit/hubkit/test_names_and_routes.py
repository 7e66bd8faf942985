"""Names that can't break out, and the second lock on the proxy's rules."""

import pytest
from hubkit import names
from hubkit.proxy import UnsafeRoute, check

from components.jupyterhub_host.login import _USER_NAME

HOSTILE = "x`) || hostregexp(`.+"


@pytest.mark.parametrize("name", ["anna", "a", "0", "anna.rossi@unipd.it", "x-y_z+1", "a" * 63])
def test_allowed(name: str) -> None:
    assert names.is_allowed(name)


@pytest.mark.parametrize(
    "name", ["", "Anna", "a/b", "-a", ".a", "a b", "a\n", "ä", "a" * 64, HOSTILE]
)
def test_refused(name: str) -> None:
    assert not names.is_allowed(name)


def test_components_and_hub_have_one_rule() -> None:
    assert _USER_NAME.pattern == names.USERNAME_PATTERN


def test_no_two_names_share_a_folder() -> None:
    tricky = ["a-b", "a.b", "a-2eb", "a@b", "a_b", "a+b", "ab", "a-2d2eb"]
    assert len({names.escaped(name) for name in tricky}) == len(tricky)


@pytest.mark.parametrize("route", ["/", "/user/anna/", "/user/a.b@c%40/", "host.example/user/x/"])
def test_usual_routes_pass(route: str) -> None:
    assert check(route) == route


@pytest.mark.parametrize(
    "route", [f"/user/{HOSTILE}/", "/user/a`/", "/user/a b/", "/a(b)/", "/a|b/"]
)
def test_a_route_that_could_be_a_rule_is_never_written(route: str) -> None:
    with pytest.raises(UnsafeRoute):
        check(route)
