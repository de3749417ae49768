"""The bus: how facts, commands, queries and hints travel over NATS, whatever they say.

Facts and commands leave through an outbox (`tell`, `Relay`) and are heard by our own pull loop
(`Ears`), which decides in code what becomes of a failure. Queries and hints go through FastStream.
"""

from shared.bus.bucket import Bucket, BucketAway
from shared.bus.connection import Bus, BusSettings, NoAnswer, open_bus
from shared.bus.dead import DeadLettersAway, count_dead_letters, forget_dead_letters
from shared.bus.ears import Ears
from shared.bus.heard import heard_until
from shared.bus.measuring import measure_streams
from shared.bus.outbox import Relay, TooLarge, tell
from shared.bus.told import last_told
from shared.bus.values import Changed, Values, ValuesAway
from shared.bus.verdict import GiveUp, Retry

__all__ = [
    "Bucket",
    "BucketAway",
    "Bus",
    "BusSettings",
    "Changed",
    "DeadLettersAway",
    "Ears",
    "GiveUp",
    "NoAnswer",
    "Relay",
    "Retry",
    "TooLarge",
    "Values",
    "ValuesAway",
    "count_dead_letters",
    "forget_dead_letters",
    "heard_until",
    "last_told",
    "measure_streams",
    "open_bus",
    "tell",
]
