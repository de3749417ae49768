"""Words as mail has them: few of them often, most of them hardly ever (Zipf), in four languages."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


def _split(words: str) -> list[str]:
    return words.split()


# The most frequent first: half of any text is made of these.
ENGLISH = _split(
    "the to of and a in you for is that i it on we with this be have are as your not at will "
    "from if or can by was but our please all so they what me no do one there about time up "
    "thanks meeting out would report more any new team when just see need who them been week "
    "after invoice had how project which like than customer data also may their day call into "
    "make hello order other some back should get regards could only know monday first want"
)
GERMAN = _split(
    "der die und in zu den das nicht von sie ist des sich mit dem dass er es ein ich auf so eine "
    "auch als an nach wie im für man aber aus durch wenn nur war noch werden bei hat wir was "
    "wird sein einen welche sind oder zur um haben einer mir über ihm diese Grüße können schön "
    "Rechnung Besprechung größer möchte Übersicht zurück Straße fällig nächste Verfügung"
)
RUSSIAN = _split(
    "и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой год "
    "от так для ты же мочь такой человек если когда только один ещё бы другой сказать наш время "
    "счёт письмо встреча договор спасибо проект добрый день отчёт завтра заказ вопрос ответ"
)
JAPANESE = _split(
    "会議 資料 確認 お願い いたします よろしく ありがとう ございます 添付 送付 明日 本日 午後 "
    "請求書 契約 担当 連絡 予定 変更 報告 お世話 になって おります について 以下 日程 御中 "
    "見積 納期 東京 大阪 株式会社 部長 受領 返信 質問 対応 完了 検討"
)

ONSETS = _split("b c d f g h k l m n p r s t v w br cl dr fl gr pl pr sh st str th tr")
NUCLEI = _split("a e i o u ai ea ou io")
CODAS = ["", "n", "r", "s", "t", "l", "nd", "rt", "ng", "st", "ck"]
GERMAN_NUCLEI = _split("a e i o u ä ö ü ei au ie eu")
CYRILLIC_ONSETS = _split("б в г д ж з к л м н п р с т ф х ч ш пр ст тр кр")
CYRILLIC_NUCLEI = _split("а е и о у ы я ю ё")
CYRILLIC_CODAS = ["", "н", "р", "с", "т", "л", "й", "сть", "м", "к"]

RARE = 12_000  # words of each language beyond the frequent ones


@dataclass(frozen=True)
class Language:
    """A vocabulary by falling frequency."""

    words: Sequence[str]
    weights: Sequence[float]  # accumulated
    space: str = " "

    def some(self, dice: random.Random, count: int) -> list[str]:
        return dice.choices(self.words, cum_weights=self.weights, k=count)


def languages() -> dict[str, Language]:
    """By name; the same words on every machine."""
    dice = random.Random("vocabulary")
    return {
        "english": _language(dice, ENGLISH, ONSETS, NUCLEI, CODAS),
        "german": _language(dice, GERMAN, ONSETS, GERMAN_NUCLEI, CODAS),
        "russian": _language(dice, RUSSIAN, CYRILLIC_ONSETS, CYRILLIC_NUCLEI, CYRILLIC_CODAS),
        "japanese": _japanese(dice),
    }


def unique_word(number: int) -> str:
    """A word that only this message has: letters, so that every tokeniser leaves it whole."""
    letters = ""
    while number or len(letters) < 5:
        number, letter = divmod(number, 23)
        letters += "abcdefghijklmnoprstuvwy"[letter]
    return f"zqx{letters}"


def _language(
    dice: random.Random,
    frequent: Sequence[str],
    onsets: Sequence[str],
    nuclei: Sequence[str],
    codas: Sequence[str],
) -> Language:
    made: dict[str, None] = dict.fromkeys(frequent)
    while len(made) < len(frequent) + RARE:
        syllables = dice.choices((1, 2, 3, 4), (1, 5, 4, 1))[0]
        word = "".join(dice.choice(onsets) + dice.choice(nuclei) for _ in range(syllables))
        made[word + dice.choice(codas)] = None
    return Language(list(made), _zipf(len(made)))


def _japanese(dice: random.Random) -> Language:
    kana = (
        "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"
    )
    made: dict[str, None] = dict.fromkeys(JAPANESE)
    while len(made) < 3_000:
        made["".join(dice.choices(kana, k=dice.randint(2, 4)))] = None
    return Language(list(made), _zipf(len(made)), space="")


def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / (rank + 2.7) for rank in range(count)))
