"""What strangers write, made worse: whatever reads it keeps its promises on any bytes.

Each module of a door says what must hold of any input (`check`, which raises when it does not) and
what inputs look like (`seeds`, and `WORDS` that mean something in them).

    mail    messages, as sync reads them
    page    HTML, as api shows it
    query   what people search for, as indexer reads it
    wire    what an IMAP server answers

`./just fuzz [SECONDS]` looks for inputs that break a promise, guided by coverage where atheris is
there; `test_promises` tries a few of them, always the same.
"""
