"""Attachments made from nothing: a PDF, a picture, an archive, a table."""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from functools import cache

from infra.dev.demo.seed.letter import File


def pdf(name: str, title: str, lines: Sequence[str]) -> File:
    """One page of text, with the cross-reference table readers insist on."""
    text = ["BT /F1 20 Tf 72 770 Td", f"({_escaped(title)}) Tj", "/F1 11 Tf 0 -34 Td 16 TL"]
    text += [f"({_escaped(line)}) Tj T*" for line in lines]
    stream = "\n".join([*text, "ET"]).encode("cp1252", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources 6 0 R >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Font << /F1 4 0 R >> >>",
    ]
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )
    return File(name, "application/pdf", bytes(out))


@cache
def png(name: str, width: int, height: int, sky: int, ground: int, *, inline: bool = False) -> File:
    """A small landscape: a sky that fades, a horizon, a sun."""
    rows = bytearray()
    horizon = height * 2 // 3
    for y in range(height):
        rows.append(0)
        for x in range(width):
            sun = (x - width * 3 // 4) ** 2 + (y - height // 4) ** 2 < (height // 9) ** 2
            if sun:
                rows += bytes((250, 214, 110))
            elif y < horizon:
                rows += _shade(sky, 0.75 + 0.5 * y / height)
            else:
                wave = ((x // 7 + y // 3) % 5) * 0.03
                rows += _shade(ground, 1.15 - 0.5 * (y - horizon) / height - wave)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return File(name, "image/png", data, inline)


def archive(name: str, members: Iterable[tuple[str, bytes]]) -> File:
    """A zip whose members all carry the same date, so that it is the same zip every time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for member, data in members:
            zipped.writestr(zipfile.ZipInfo(member, (2024, 1, 1, 0, 0, 0)), data)
    return File(name, "application/zip", out.getvalue())


def table(name: str, rows: Iterable[Sequence[object]]) -> File:
    """Comma-separated values."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return File(name, "text/csv", out.getvalue().encode())


def named(name: str) -> File:
    """The file a conversation mentions, made by its ending."""
    stem, _, kind = name.rpartition(".")
    title = stem.replace("-", " ").capitalize()
    match kind:
        case "pdf":
            return pdf(name, title, _page(title))
        case "png":
            shade = zlib.crc32(stem.encode())
            return png(name, 320, 200, 0x6FA8DC ^ (shade & 0x1F1F1F), 0x4E7D4A ^ (shade & 0x0F2F0F))
        case "csv":
            return table(name, _quantities())
        case "zip":
            pictures = [png(f"{stem}-{n}.png", 96, 64, 0x7FA0C0, 0x50705A + n) for n in (1, 2, 3)]
            return archive(name, [(each.name, each.data) for each in pictures])
        case _:
            raise ValueError(f"no way to make {name}")


def _page(title: str) -> list[str]:
    return [
        f"{title}.",
        "",
        "1.  What was agreed on the site, in the order it will be built.",
        "2.  Oak from the northern yard, planed on four sides, 62 by 140 mm.",
        "3.  All dimensions in millimetres unless the drawing says otherwise.",
        "4.  The gallery is measured from the finished floor.",
        "",
        "Checked and found complete. Please return one copy.",
    ]


def _quantities() -> list[Sequence[object]]:
    rows: list[Sequence[object]] = [["position", "material", "quantity", "unit", "price"]]
    parts = [
        ("oak beam", 42, "pc", 118.5),
        ("glass 8 mm", 160, "m2", 64.0),
        ("bolt M16", 800, "pc", 0.9),
    ]
    rows += [[n, name, many, unit, price] for n, (name, many, unit, price) in enumerate(parts, 1)]
    return rows


def _shade(colour: int, factor: float) -> bytes:
    return bytes(min(255, int((colour >> shift & 255) * factor)) for shift in (16, 8, 0))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
