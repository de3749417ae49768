"""Which tests stay together when several processes share them (pytest-xdist)."""

import re

from xdist.scheduler import LoadScopeScheduling

#: What starts the whole platform, or breaks one: only one such at a time, and one start for many.
_WHOLE_PLATFORM = re.compile(r"tests/(stories/|dev/|chaos/test_model\.py)")
#: Has a platform of its own, with the webmail.
_WEBMAIL = re.compile(r"tests/web/")
#: Told to one server after the other, which is named by the only parameter: `[dovecot]`.
_TO_EACH_SERVER = re.compile(r"(tests/interop/|tests/sync/imap/test_every_server\.py).*(\[.+\])$")
#: Starts servers for the whole module.
_OWN_SERVER = re.compile(r"tests/(servers|operations)/test_\w+\.py")


def scope_of(nodeid: str) -> str:
    """Tests of one scope are run one after the other, by one process."""
    if _WHOLE_PLATFORM.match(nodeid):
        return "the whole platform"
    if _WEBMAIL.match(nodeid):
        return "the webmail"
    if to_each := _TO_EACH_SERVER.match(nodeid):
        return to_each[1] + to_each[2]
    if own := _OWN_SERVER.match(nodeid):
        return own[0]
    return nodeid


class SideBySide(LoadScopeScheduling):
    """The largest scopes first; all other tests go to whoever has time."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
