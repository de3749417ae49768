"""How fast a first copy goes, and so when it will be whole."""

from collections import deque

#: The pace of the last so many seconds counts: large mail and slow hours pass.
_WINDOW_SECONDS = 60.0


class Pace:
    """Messages that came, over time (seconds of any clock that only goes forward)."""

    def __init__(self, *, done: int, total: int, began: float) -> None:
        self.done = done
        self.total = total
        self._marks: deque[tuple[float, int]] = deque([(began, done)])

    def came(self, messages: int, at: float) -> None:
        """So many more are here."""
        self.done += messages
        self._marks.append((at, self.done))
        while len(self._marks) > 2 and at - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.popleft()

    def seconds_left(self, at: float) -> float | None:
        """How long the rest will take at this pace; None when nothing can be told yet."""
        if self.done >= self.total:
            return 0.0
        since, had = self._marks[0]
        if self.done <= had or at <= since:
            return None
        return (self.total - self.done) * (at - since) / (self.done - had)
