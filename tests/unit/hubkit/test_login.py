"""Logins: names of other services, discovery, wrong passwords, the roster's files."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from hubkit import names
from hubkit.login import discovery
from hubkit.login.class_page import CHANGED
from hubkit.login.roster import Roster, rows
from hubkit.login.slowed import FREE, LONGEST, WrongPasswords
from hubkit.login.subjects import Subjects
from hubkit.login.taken import Taken
from hubkit.settings import LoginKind
from jupyterhub import orm
from nativeauthenticator.orm import UserInfo
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

ODD = ["o`brien", "..", "Ana Sá", "a b", "", "ü", "-x", "a" * 200, "x/y"]


@pytest.mark.parametrize("identity", ODD)
def test_every_identity_gets_a_name_that_is_allowed(identity: str) -> None:
    assert names.is_allowed(names.mapped(identity))


def test_no_two_identities_share_a_name() -> None:
    identities = [*ODD, "x y", "x-y", "X/Y", "ana sá", "anna", "Anna", names.mapped("a b")]
    assert len({names.mapped(each) for each in identities}) == len(set(identities))


def test_a_mapped_name_cannot_be_chosen() -> None:
    """Somebody who may call himself what he likes can't take the name of somebody else."""
    victim = names.mapped("Ana Sá")
    assert names.mapped(victim) != victim
    assert names.mapped(victim, fold_case=True) != victim


def test_case_counts_unless_the_provider_folds_it() -> None:
    assert names.mapped("Anna") != names.mapped("anna") == "anna"
    assert names.mapped("Anna.Rossi@unipd.it", fold_case=True) == "anna.rossi@unipd.it"


class Provider:
    """Answers a discovery request, or not."""

    def __init__(self, **changes: str) -> None:
        self.document = {
            "issuer": "https://iam.example.org/",
            "authorization_endpoint": "https://iam.example.org/authorize",
            "token_endpoint": "https://iam.example.org/token",
            "userinfo_endpoint": "https://iam.example.org/userinfo",
        } | changes
        self.is_away = False
        self.asked: list[str] = []

    async def fetch(self, url: str) -> dict[str, Any]:
        self.asked.append(url)
        if self.is_away:
            raise OSError("connection refused")
        return self.document


def found(provider: Provider, copy: Path, issuer: str = "https://iam.example.org") -> str:
    looked = discovery.Discovery(issuer, provider.fetch, copy)
    loop = asyncio.new_event_loop()  # asyncio.run would end the one of other tests
    try:
        return loop.run_until_complete(looked.endpoints()).token
    finally:
        loop.close()


def test_discovery_reads_the_issuers_document(tmp_path: Path) -> None:
    provider = Provider()
    assert found(provider, tmp_path / "copy") == "https://iam.example.org/token"
    assert provider.asked == ["https://iam.example.org/.well-known/openid-configuration"]


def test_discovery_keeps_the_last_good_copy(tmp_path: Path) -> None:
    provider = Provider()
    found(provider, tmp_path / "copy")
    provider.is_away = True
    assert found(provider, tmp_path / "copy") == "https://iam.example.org/token"
    with pytest.raises(discovery.NotFound, match="connection refused"):
        found(provider, tmp_path / "copy", "https://other.example.org")  # not another's copy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "https://evil.example.org"}, "calls itself 'https://evil.example.org'"),
        ({"token_endpoint": ""}, "doesn't tell its token_endpoint"),
    ],
)
def test_discovery_refuses_a_document(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(discovery.NotFound, match=said):
        found(Provider(**changes), tmp_path / "copy")


@pytest.fixture(params=[LoginKind.oidc, LoginKind.lti13])
def subjects(request: pytest.FixtureRequest, tmp_path: Path) -> Subjects:
    (tmp_path / "homes").mkdir()
    return Subjects(request.param, Taken(tmp_path, tmp_path / "homes"), tmp_path)


def test_a_name_belongs_to_the_account_that_came_first(subjects: Subjects) -> None:
    assert subjects.claim("anna", "1", has_account=False)
    assert subjects.claim("anna", "1", has_account=True)
    assert not subjects.claim("anna", "2", has_account=True)
    assert subjects.claim("ben", "2", has_account=False)
    assert subjects.is_own("anna", "1") and not subjects.is_own("anna", "2")


def test_an_account_without_an_id_has_no_name(subjects: Subjects) -> None:
    assert not subjects.claim("anna", "", has_account=True)
    assert not subjects.is_own("anna", "")


def test_a_name_given_on_is_claimed_by_a_login_only(subjects: Subjects) -> None:
    """The session that is left of the account before asks anew every minute."""
    subjects.claim("anna", "1", has_account=False)
    subjects.free("anna")
    assert not subjects.is_own("anna", "1")
    assert subjects.claim("anna", "2", has_account=True)
    assert not subjects.claim("anna", "1", has_account=True)


def test_a_home_that_is_left_of_a_lost_database_is_not_given_away(
    subjects: Subjects, tmp_path: Path
) -> None:
    (tmp_path / "homes" / "anna-2er").mkdir()  # anna.r
    assert not subjects.claim("anna.r", "1", has_account=False)
    subjects.free("anna.r")
    assert subjects.claim("anna.r", "1", has_account=False)
    (tmp_path / "homes" / "ben").mkdir()
    assert subjects.claim("ben", "2", has_account=True)  # he was here by another kind of login


def test_wrong_passwords_slow_one_name_down() -> None:
    now = [0.0]
    wrong = WrongPasswords(clock=lambda: now[0])
    for _ in range(FREE - 1):
        wrong.note("anna", right=False)
    assert wrong.wait("anna") == 0
    waits = []
    for _ in range(10):
        wrong.note("anna", right=False)
        waits.append(wrong.wait("anna"))
        now[0] += waits[-1]
    assert waits[:3] == [1, 2, 4]
    assert waits[-1] == LONGEST
    assert wrong.wait("ben") == 0
    wrong.note("anna", right=True)
    wrong.note("anna", right=False)
    assert wrong.wait("anna") == 0


def test_old_wrong_passwords_are_forgotten() -> None:
    now = [0.0]
    wrong = WrongPasswords(clock=lambda: now[0])
    for _ in range(FREE):
        wrong.note("anna", right=False)
    now[0] += 10_000
    wrong.note("anna", right=False)
    assert wrong.wait("anna") == 0


def test_the_roster_is_the_stack_files_and_the_class_pages(tmp_path: Path) -> None:
    def roster(*listed: str) -> Roster:
        return Roster(listed, ["teacher"], tmp_path)

    roster("anna", "ben").add("carla")
    roster("anna", "ben").remove("anna")
    assert roster("anna", "ben").names() == ["ben", "carla", "teacher"]
    roster("anna", "ben").remove("teacher")
    roster("anna", "ben").add("anna")
    assert roster("anna", "ben").names() == ["anna", "ben", "carla", "teacher"]
    roster("anna", "ben").remove("carla")
    assert roster("anna").names() == ["anna", "teacher"]


def test_resets_are_counted(tmp_path: Path) -> None:
    roster = Roster([], ["teacher"], tmp_path)
    assert roster.count("anna") == 0
    roster.reset("anna")
    roster.reset("anna")
    assert Roster([], [], tmp_path).counted(["anna", "ben"]) == [("anna", 2), ("ben", 0)]


def test_a_class_of_500_is_listed_without_hashing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bcrypt takes 50 ms each: the hub would stand still for half a minute."""
    engine = create_engine("sqlite://")
    orm.Base.metadata.create_all(engine)
    db = sessionmaker(bind=engine)()
    listed = [f"student{number}" for number in range(500)]
    for name, rounds in (("student7", 12), ("student8", 10)):
        hashed = bcrypt.hashpw(b"somebody's own words", bcrypt.gensalt(rounds=rounds))
        db.add(UserInfo(username=name, password=hashed, is_authorized=True))
    monkeypatch.setattr(bcrypt, "checkpw", None)
    monkeypatch.setattr(bcrypt, "hashpw", None)
    found = rows(db, "ab" * 32, Roster(listed, [], tmp_path), listed)
    assert len(found) == 500
    assert [row.name for row in found if row.password == CHANGED] == ["student7"]
