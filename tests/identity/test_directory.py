"""People and groups: every mistake named at once, and no name that can stand for another."""

from __future__ import annotations

import pytest

from access.actors import Person, PersonId
from access.errors import Invalid
from access.ports import Directory
from identity.directory import StaticDirectory, problems
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS, IAN, a_person


def test_the_directory_is_the_port(directory: StaticDirectory) -> None:
    port: Directory = directory
    assert [person.wire_name for person in port.people()] == [person.wire_name for person in EVERYBODY]


def test_members_are_active_people(directory: StaticDirectory) -> None:
    assert directory.members("dba") == {ANN.id, BOB.id}
    assert directory.members("nothing") == frozenset()
    person = directory.person(ANN.id)
    assert person is not None
    assert person.groups == {"dba"}


def test_groups_of_a_person_and_lists_of_groups_add_up() -> None:
    directory = StaticDirectory([a_person("ann", groups=frozenset({"sre"}))], {"dba": ["ann"]})
    assert directory.members("sre") == directory.members("dba") == {ANN.id}


def test_somebody_inactive_is_known_but_nobodys_member(directory: StaticDirectory) -> None:
    person = directory.person(IAN.id)
    assert person is not None
    assert not person.active
    assert IAN.id not in directory.members("dba")


@pytest.mark.parametrize("name", ["dana", "@dana"])
def test_people_are_found_by_wire_name_or_handle(directory: StaticDirectory, name: str) -> None:
    assert directory.by_name(name) == directory.person(DANA.id)


@pytest.mark.parametrize(
    "name",
    [
        "Dana",  # the display name
        "DANA",
        "dana ",
        "@@dana",
        "dana@example.com",
        "dаna",  # a Cyrillic letter
        "ｄａｎａ",  # full-width letters
        "dana\u200b",  # a zero-width space
        "\u202edana",  # right-to-left override
        "directory|dana",
        "dba",
        "@dba",
        "dana~claude",
        "",
        "@",
    ],
)
def test_nothing_that_looks_alike_is_found(directory: StaticDirectory, name: str) -> None:
    assert directory.by_name(name) is None


WRONG: list[tuple[list[Person], dict[str, list[str]], list[str]]] = [
    ([DANA], {"dba": ["dana", "zoe"]}, ["groups.dba: 'zoe' is nobody's wire name"]),
    ([DANA], {"dba": ["dana", "dana"]}, ["groups.dba: 'dana' is listed 2 times"]),
    ([DANA], {"DBA": ["dana"]}, ["groups.DBA: a group name is"]),
    ([DANA], {"dbа": []}, ["groups.dbа: a group name is"]),
    ([DANA, a_person("dana", id=PersonId("directory|other"))], {}, ["people.dana: 2 people have this wire name"]),
    ([DANA, a_person("dan", id=DANA.id)], {}, ["people: 2 people are directory|dana"]),
    *(
        ([a_person("x", wire_name=name)], {}, [f"people.{name}: a wire name is"])
        for name in ("Dana", "", "9ana", "da na", "dana~claude", "dаna", "a" * 32, "dana\n")
    ),
    *(
        ([a_person(name)], {}, [f"people.{name}: this wire name is reserved"])
        for name in ("executor", "hoop", "operator", "here", "grt_0123456789", "grt-0123456789", "ses_0123456789ab")
    ),
    ([a_person("x", id=PersonId("x"))], {}, ["people.x: a person id is"]),
    ([a_person("x", id=PersonId("operator|x"))], {}, ["people.x: the issuer 'operator' is reserved"]),
    ([a_person("x", name=" ")], {}, ["people.x: a display name"]),
    ([a_person("x", name="Ann\u202e")], {}, ["people.x: a display name"]),
    ([a_person("x", name="Ann\u200b")], {}, ["people.x: a display name"]),
    ([a_person("x", groups=frozenset({"Ä"}))], {}, ["people.x: 'Ä' is no group name"]),
    ([a_person("x", time_zone="Mars/Base")], {}, ["people.x: 'Mars/Base' is no time zone"]),
    ([a_person("x", time_zone="../../etc/passwd")], {}, ["people.x: '../../etc/passwd' is no time zone"]),
    (
        [a_person("x", wire_name="X", time_zone="no")],
        {"dba": ["zoe"]},
        ["people.X: a wire name", "people.X: 'no' is no time zone", "groups.dba: 'zoe'"],
    ),
]


@pytest.mark.parametrize(("people", "groups", "expected"), WRONG)
def test_every_mistake_is_named(people: list[Person], groups: dict[str, list[str]], expected: list[str]) -> None:
    found = [str(problem) for problem in problems(people, groups)]
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found
    with pytest.raises(Invalid) as refused:
        StaticDirectory(people, groups)
    assert all(one in str(refused.value) for one in found)


def test_names_of_any_script_are_fine() -> None:
    names = ["Zoë Müller", "Дана", "田中", "Ann-Marie O'Neil"]
    assert problems([a_person(f"p{number}", name=name) for number, name in enumerate(names)], {}) == []


def test_replacing_is_all_or_nothing(directory: StaticDirectory) -> None:
    with pytest.raises(Invalid):
        directory.replace([a_person("zoe")], {"dba": ["nobody"]})
    assert directory.members("dba") == {ANN.id, BOB.id}
    directory.replace([a_person("zoe")], {"dba": ["zoe"]})
    assert directory.person(ANN.id) is None
    assert directory.members("dba") == {a_person("zoe").id}
    assert GROUPS["dba"] == ("ann", "bob", "ian")


def test_an_empty_directory_knows_nobody() -> None:
    assert StaticDirectory().people() == ()
