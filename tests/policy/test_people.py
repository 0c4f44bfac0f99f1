from pathlib import Path

import pytest

from dlp.errors import ConfigError
from dlp.policy.addresses import Address
from dlp.policy.people import People, load_people
from tests.policy.builders import CONFIG

TOML = """
[[person]]
address = "Li.Wei@example.com"
name = "李伟"
department = "research"
roles = ["department-head", "custodian"]
[[person]]
address = "wang@example.com"
roles = ["custodian"]
status = "ex-staff"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "people.toml"
    path.write_text(text, "utf-8")
    return path


def test_people_are_found_by_address_whatever_its_case(tmp_path: Path) -> None:
    people = load_people(written(tmp_path, TOML))
    person = people.find(Address.of("li.wei@EXAMPLE.com"))
    assert person is not None
    assert (person.name, person.department, person.status) == ("李伟", "research", "staff")
    assert people.find(Address.of("nobody@example.com")) is None


def test_roles_and_departments_are_those_that_people_have(tmp_path: Path) -> None:
    people = load_people(written(tmp_path, TOML))
    assert people.roles == {"department-head", "custodian"}
    assert people.departments == {"research"}
    assert [person.name for person in people.holders("custodian")] == ["李伟"]  # who has left holds nothing any more


def test_declared_roles_exist_without_a_holder(tmp_path: Path) -> None:
    people = load_people(written(tmp_path, 'roles = ["president"]\ndepartments = ["law"]'))
    assert people.roles == {"president"}
    assert people.departments == {"law"}
    assert people.holders("president") == ()


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ('roles = ["custodian"]\n' + TOML, "person.0.roles", "unknown role 'department-head'"),
        ('departments = ["law"]\n' + TOML, "person.0.department", "unknown department 'research'"),
        (TOML + TOML, "person", "address 'li.wei@example.com' comes twice"),
        ('[[person]]\naddress = "li.wei"', "person.0.address", "is not an address"),
        ('[[person]]\naddress = "a@b.c"\nstatus = "gone"', "person.0.status", "'ex-staff'"),
        ('[[person]]\nname = "x"', "person.0.address", "is missing"),
        ('[[person]]\naddress = "a@b.c"\nrole = ["x"]', "person.0.role", "unknown key"),
    ],
)
def test_faults(tmp_path: Path, text: str, key: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_people(written(tmp_path, text))
    assert any(fault.key == key and what in fault.what for fault in caught.value.faults)


def test_the_shipped_file_names_roles_and_nobody() -> None:
    people = load_people(CONFIG / "people.toml")
    assert people.roles == {"custodian", "department-head", "security-officer", "president"}
    assert not people.by_address


def test_without_any_roles_known_every_role_may_be_named_and_nobody_holds_it() -> None:
    assert People().role("custodian") == "custodian"
    assert People().holders("custodian") == ()
