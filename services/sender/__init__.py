"""sender: the hand. Submits mail to the accounts' servers and learns its fate.

Hears:    SentCopyFiled, ReportReceived, MessageSought
Obeys:    ConnectSender, RemoveSender, HoldSender, SetSenderProfile, SendMessage,
          SendMessages, ChangeSubmission, ChangeSuppression
Tells:    SubmissionChanged, SubmissionsChanged, SendingChanged
Commands: FileSentCopy, FileSentCopies, SeekMessage
Asks:     ReadUpload, IssueToken
Answers:  CountSenderRemains, ReadSubmissionMime, PreviewSubmission, TrySmtp, ListSuppressions
Owns:     account, submission, letter, recipient, attempt, mime_piece, pace, day_use,
          submission_server, suppression, outbox
Speaks:   SMTP submission (RFC 5321, RFC 6409)

A submission is a row with frozen bytes. Its fate is kept per recipient and its state follows
from these. A message is begun anew as long as the final dot has not been due; a commit marks
that moment, and past it silence is `uncertain`, never a second sending.
"""
