"""Who is who: people.toml. Roles and departments are the operator's own words.

roles = ["custodian", "department-head"]     # optional: every role there is, held by somebody or not

[[person]]
address = "li.wei@example.com"
name = "李伟"
department = "research"
roles = ["department-head"]
status = "staff"
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from dlp.policy.addresses import Address
from dlp.policy.faults import Faults, Wrong, distinct, known
from dlp.settings import load

Status = Literal["staff", "probation", "intern", "leaver", "ex-staff"]
"""A duty of secrecy begins before employment and outlives it. A leaver has given or been given notice, an ex-staff has left."""
STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person, known by a mail address."""

    address: str
    name: str = ""
    department: str = ""
    roles: tuple[str, ...] = ()
    status: Status = "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFile:
    """The shape of people.toml. `roles` and `departments`, where given, are all there are."""

    roles: tuple[str, ...] | None = None
    departments: tuple[str, ...] | None = None
    person: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody by address, and the roles and departments that a policy may name."""

    by_address: Mapping[Address, Person] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, persons: Sequence[Person], *, roles: Sequence[str] | None = None, departments: Sequence[str] | None = None
    ) -> "People":
        """`roles` and `departments` default to those that the persons have."""
        return cls(
            by_address={Address.of(person.address): person for person in persons},
            roles=frozenset({role for person in persons for role in person.roles} if roles is None else roles),
            departments=frozenset({p.department for p in persons if p.department} if departments is None else departments),
        )

    def role(self, name: str) -> str:
        """`name`, if a policy may name that role. Where no roles are known at all (there is no people.toml yet) any
        role may be named, and nobody holds it. Raises Wrong."""
        return known(name, self.roles, "role of people.toml") if self.roles else name

    def find(self, address: Address) -> Person | None:
        return self.by_address.get(address)

    def holders(self, role: str) -> tuple[Person, ...]:
        """Who holds `role` and is still here, in the order of the file."""
        return tuple(p for p in self.by_address.values() if role in p.roles and p.status != "ex-staff")


def load_people(path: Path) -> People:
    """Raises ConfigError with every fault."""
    shape, faults = load(path, PeopleFile), Faults(str(path))
    people = People.of(shape.person, roles=shape.roles, departments=shape.departments)
    for number, person in enumerate(shape.person):
        _check(person, people, faults, f"person.{number}")
    with faults.at("person"):
        distinct([str(Address.of(person.address)) for person in shape.person], "address")
    faults.settle()
    return people


def _check(person: Person, people: People, faults: Faults, key: str) -> None:
    with faults.at(f"{key}.address"):
        address = Address.of(person.address)
        if not address.local or not address.domain:
            raise Wrong(f"{person.address!r} is not an address", "write alice@example.com")
    for role in person.roles:
        with faults.at(f"{key}.roles"):
            known(role, people.roles, "role")
    with faults.at(f"{key}.department"):
        if person.department:
            known(person.department, people.departments, "department")
