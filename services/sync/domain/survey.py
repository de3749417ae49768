"""What a survey of an account's mailboxes is worth."""


class SurveyOutdated(Exception):
    """Mailboxes are not what they were a moment ago: names have to be looked at all together.

    Names may have changed hands between the survey and the opening of a mailbox; only a new survey
    tells which mailbox was renamed and which was renumbered.
    """
