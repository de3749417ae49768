from services.sync.domain.wishes import Wish, is_met, kept_of, left_of


def wish(add: str = "", remove: str = "") -> Wish:
    return Wish(frozenset(add.split()), frozenset(remove.split()))


def test_what_nobody_else_changed_is_still_wished() -> None:
    assert left_of(wish("\\Seen", "$Junk"), ["$Junk"], ["$Junk", "\\Flagged"]) == wish(
        "\\Seen", "$Junk"
    )


def test_what_somebody_else_changed_stays_as_they_left_it() -> None:
    # It was read when we wished it read; somebody has marked it unread since.
    assert left_of(wish("\\Seen \\Flagged"), ["\\Seen"], []) == wish("\\Flagged")
    assert not left_of(wish(remove="\\Seen"), [], ["\\Seen"])


def test_flags_are_the_same_in_any_case() -> None:
    assert is_met(wish("\\Seen", "$junk"), ["\\SEEN"])
    assert not is_met(wish("", "$junk"), ["$JUNK"])
    assert left_of(wish("\\seen"), ["\\Seen"], ["\\SEEN"]) == wish("\\seen")


def test_a_mailbox_that_keeps_no_keywords_of_ours_is_not_asked_to() -> None:
    asked = wish("\\Seen $Forwarded label", "other")
    assert kept_of(asked, frozenset({"\\Seen"})) == wish("\\Seen", "other")
    assert kept_of(asked, frozenset({"\\Seen", "\\*"})) == asked
    assert kept_of(asked, frozenset({"\\*"})) == wish("$Forwarded label", "other")
