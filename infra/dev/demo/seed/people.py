"""The people of the demo mailboxes. Their addresses are of reserved domains (RFC 2606)."""

from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo

from infra.dev.demo import ADA, GRACE


@dataclass(frozen=True)
class Person:
    """Somebody who writes or is written to."""

    name: str
    address: str
    hours_east: float = 0
    signature: str = ""

    @property
    def zone(self) -> tzinfo:
        return timezone(timedelta(hours=self.hours_east))

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def first_name(self) -> str:
        return self.name.split()[0]


PEOPLE = {
    "ada": Person(
        ADA.name, ADA.address, 1, "Ada Lindqvist\nLindqvist & Okonkwo, architects\nQuay 7"
    ),
    "grace": Person(GRACE.name, GRACE.address, 1, "Grace"),
    "tomas": Person(
        "Tomás Herrera",
        "tomas.herrera@harbour-library.example",
        1,
        "Tomás Herrera\nBuilding committee, Harbour Library",
    ),
    "priya": Person(
        "Priya Raman", "priya@raman-structures.example", 0, "Priya Raman\nStructural engineer"
    ),
    "joost": Person(
        "Joost van der Meer", "joost@timberworks.example", 1, "Joost\nTimberworks, the yard"
    ),
    "meiling": Person("陳美玲", "meiling@studio-chen.example", 8, "美玲"),
    "yuki": Person("田中 由紀", "yuki.tanaka@kawa.example", 9, "田中 由紀"),
    "ivan": Person("Иван Петров", "ivan.petrov@mostovik.example", 3, "Иван"),
    "juergen": Person("Jürgen Weiß", "j.weiss@stadtwerke.example", 1, "Jürgen Weiß"),
    "layla": Person("ليلى حداد", "layla@zaytun.example", 2, "ليلى"),
    "chloe": Person("Chloé Lefèvre", "chloe.lefevre@example.net", 1, "Chloé"),
    "sam": Person("Sam Whitfield", "sam.whitfield@example.net", 0, "Sam"),
    "ingrid": Person("Ingrid Lindqvist", "ingrid@lindqvist.example", 1, "Mum"),
    "nils": Person("Nils Lindqvist", "nils@lindqvist.example", -5, "N."),
    "robin": Person("Robin Achterberg", "robin@achterberg.example", 1, "Robin"),
    "marta": Person("Marta Kowalska", "marta@kowalska-law.example", 1, "Marta Kowalska\nNotary"),
    "dev": Person("Dev Anand", "dev@example.org", 5.5, "Dev"),
    "hannah": Person("Hannah Fox", "hannah.fox@example.org", -8, "-- Hannah"),
    "bo": Person("Bo Lindgren", "bo@lindgren.example", 1, "/Bo"),
    "garden": Person("Garden Club", "garden-club@lists.example.org", 1),
    "readers": Person("Slow Readers", "slow-readers@lists.example.net", 1),
    "timber": Person("timber-joints", "timber-joints@lists.example.org", 1),
}
