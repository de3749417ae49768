"""Backups of a platform, and how they come back.

    sealed     files that only the recovery key opens
    sets       what lies in a directory of backups: sets, each with a manifest, and WAL
    retention  which of them are kept
    base       PostgreSQL as a whole, while it runs; checked file by file
    wal        what PostgreSQL writes after it, as it writes it
    take       one set, verified before it counts
    restore    a set, and the WAL after it, as a data directory
    schedule   the process that does it every day

Streams are transport and in no backup: what was on the bus is told again (docs/decisions/0034).
"""
